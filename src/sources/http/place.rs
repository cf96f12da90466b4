//! Which request comes next, and how far its answer was read: what is stored with a page so that reading can go on after it.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::sources::answer::Reach;
use crate::sources::error::Fault;

/// Which request comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    First,
    Cursor(String),
    /// The page's number from 1, and how many records came before it.
    Number(u64, u64),
    Link(String),
}

impl Place {
    /// As it is stored, with how far the answer was read: `0 first`, `5000:9f86d081884c7d65 cursor abc`.
    pub fn to_resume(&self, reach: &Reach) -> String {
        match self {
            Self::First => format!("{reach} first"),
            Self::Cursor(cursor) => format!("{reach} cursor {cursor}"),
            Self::Number(number, before) => format!("{reach} page {number} {before}"),
            Self::Link(link) => format!("{reach} link {link}"),
        }
    }

    pub fn from_resume(text: &str) -> Result<(Self, Reach), Fault> {
        let parse = || {
            let (reach, place) = text.split_once(' ')?;
            let place = match place.split_once(' ') {
                None if place == "first" => Self::First,
                Some(("cursor", cursor)) => Self::Cursor(cursor.to_owned()),
                Some(("page", numbers)) => {
                    let (number, before) = numbers.split_once(' ')?;
                    Self::Number(number.parse().ok()?, before.parse().ok()?)
                }
                Some(("link", link)) => Self::Link(link.to_owned()),
                _ => return None,
            };
            Some((place, Reach::parse(reach)?))
        };
        parse().ok_or(Fault::BadResume)
    }

    /// What tells one request from another.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Cursor(text) | Self::Link(text) => text.hash(&mut hasher),
            Self::First => "".hash(&mut hasher),
            Self::Number(number, _) => number.hash(&mut hasher),
        }
        hasher.finish()
    }
}
