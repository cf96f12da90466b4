//! What an employer asks staff for: to withdraw what is completed, or to amend single person-months of it.

use serde::{Deserialize, Serialize};

use super::Act;
use crate::domain::facts::PersonId;
use crate::domain::month::Month;

/// Staff's word on a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Outcome {
    pub decided: Act,
    pub approved: bool,
    pub reason: String,
}

/// 年审申报撤回.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Withdrawal {
    /// The version to be withdrawn.
    pub version: u32,
    pub asked: Act,
    pub reason: String,
    /// Whether the levy was paid by this result: then it is paid back before anything is withdrawn.
    pub levy_paid: bool,
    /// The tax department's reference of the refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// One month of one person that an amendment adds or removes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "pipeline", schemars(rename = "AmendedMonth"))]
pub struct Change {
    pub person: PersonId,
    pub month: Month,
    /// Added, else removed.
    pub add: bool,
    pub reason: String,
}

/// 更正: single person-months of a completed version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Amendment {
    /// The version whose months are amended.
    pub of_version: u32,
    pub asked: Act,
    pub changes: Vec<Change>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}
