//! What whoever changes something believes to stand, so that nobody overwrites what somebody else entered meanwhile.

/// What stands, as far as whoever changes it has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is.
    Anything,
    /// Nothing, or it was not said.
    Nothing,
    /// Nothing: what is there is changed in another way.
    Absent,
    /// What has this fingerprint, which reading it gave.
    State([u8; 32]),
}

/// Something else stands than is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Moved {
    #[error(
        "something stands there already: read it, and say by `If-Match` with its `ETag` that this is what you change"
    )]
    NotSaid,
    #[error(
        "it is entered already, and nothing was changed: read it, and change it by `PUT` with its `ETag` as `If-Match`"
    )]
    Present,
    #[error("it was changed or deleted since it was read: read it again, and decide anew what it is to be")]
    Changed,
}

impl Moved {
    pub fn code(self) -> &'static str {
        match self {
            Self::NotSaid => "if_match_missing",
            Self::Present => "already_entered",
            Self::Changed => "changed_meanwhile",
        }
    }

    pub fn chinese(self) -> &'static str {
        match self {
            Self::NotSaid => "该内容已存在，请先读取，并以 If-Match 注明所修改的版本。",
            Self::Present => "该内容已登记，未作修改；如需修改，请先读取，再以 PUT 并附 If-Match 提交。",
            Self::Changed => "该内容在读取后已被修改或删除，请重新读取后再提交。",
        }
    }
}

impl Expected {
    /// Refuses where something else stands; asked under the lock under which it is changed.
    pub fn check(self, stands: Option<[u8; 32]>) -> Result<(), Moved> {
        match (self, stands) {
            (Self::Anything, _) | (Self::Nothing | Self::Absent, None) => Ok(()),
            (Self::Nothing, Some(_)) => Err(Moved::NotSaid),
            (Self::Absent, Some(_)) => Err(Moved::Present),
            (Self::State(seen), Some(stands)) if seen == stands => Ok(()),
            (Self::State(_), _) => Err(Moved::Changed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_seen_is_changed() {
        let (one, other) = ([1; 32], [2; 32]);
        assert_eq!(Expected::Anything.check(Some(one)), Ok(()));
        assert_eq!(Expected::Nothing.check(None), Ok(()));
        assert_eq!(Expected::Nothing.check(Some(one)), Err(Moved::NotSaid));
        assert_eq!(Expected::Absent.check(None), Ok(()));
        assert_eq!(Expected::Absent.check(Some(one)), Err(Moved::Present));
        assert_eq!(Expected::State(one).check(Some(one)), Ok(()));
        assert_eq!(Expected::State(one).check(Some(other)), Err(Moved::Changed));
        assert_eq!(Expected::State(one).check(None), Err(Moved::Changed), "it was deleted");
    }
}
