//! What the document says of an operation besides its types, and who may ask for it: a test holds every operation to that.

use aide::transform::TransformOperation;
use serde::Serialize;

use crate::domain::access::Action;

/// The name of the bearer scheme in the document.
pub(super) const TOKEN: &str = "token";
/// Under which the document says who may ask.
const ACCESS: &str = "x-access";

/// Whose object an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The employer named in the path: another's is not found.
    Employer,
    /// Nobody's in particular: the answer holds only what the asker reaches.
    Nobody,
    /// The installation's: whoever asks is granted all of it.
    Installation,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Whoever.
    Open,
    /// Whoever has a token that holds.
    Token,
    /// Whose role may do this.
    May {
        action: Action,
        /// Or this.
        #[serde(skip_serializing_if = "Option::is_none")]
        or: Option<Action>,
        whose: Whose,
    },
}

impl Access {
    pub(super) const fn employer(action: Action) -> Self {
        Self::May { action, or: None, whose: Whose::Employer }
    }

    pub(in crate::web) const fn nobody(action: Action) -> Self {
        Self::May { action, or: None, whose: Whose::Nobody }
    }

    pub(super) const fn installation(action: Action) -> Self {
        Self::May { action, or: None, whose: Whose::Installation }
    }

    /// Also who may do something else.
    pub(super) const fn or(self, other: Action) -> Self {
        match self {
            Self::May { action, whose, .. } => Self::May { action, or: Some(other), whose },
            access => access,
        }
    }
}

/// Describes an operation: `id` is its name for programs and never changes.
pub(in crate::web) fn operation(
    id: &'static str,
    tag: &'static str,
    access: Access,
    summary: &'static str,
) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> {
    move |operation| {
        let mut operation = operation.id(id).tag(tag).summary(summary);
        if access != Access::Open {
            operation = operation.security_requirement(TOKEN);
        }
        let told = serde_json::to_value(access).unwrap_or_default();
        operation.inner_mut().extensions.insert(ACCESS.to_owned(), told);
        operation
    }
}
