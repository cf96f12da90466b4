//! What an employer asks staff for: to withdraw what is completed, or to amend single person-months of it.

use serde::{Deserialize, Serialize};

use super::{Act, Refused};
use crate::domain::facts::PersonId;
use crate::domain::free_text::{holds_id_number, is_unreadable};
use crate::domain::month::Month;

/// Signs of the reference of a refund, at most.
pub const REFUND_REFERENCE_SIGNS: usize = 200;

/// The reference of a refund as it is kept; a blank one is none.
pub fn checked_reference(given: Option<&str>) -> Result<Option<String>, Refused> {
    let Some(reference) = given.map(str::trim).filter(|reference| !reference.is_empty()) else {
        return Ok(None);
    };
    let too_long = reference.chars().count() > REFUND_REFERENCE_SIGNS;
    if too_long || is_unreadable(reference) || holds_id_number(reference) {
        return Err(Refused::RefundReferenceUnfit);
    }
    Ok(Some(reference.to_owned()))
}

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
