//! The side of the person whom placements are about: they open what is kept of them by their own papers and a code, see who counts them
//! and who looked, and object. Nothing here shows anybody else.

mod code;
mod counts;
mod looks;
mod objection;
mod open;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

pub use code::{CODE_DAYS, IssuedCode, RevokedCode, Whom, issue_code, revoke_code};
pub use counts::{CountedAt, CountedMonth, Counts, Paid, counts};
pub use looks::{Look, Looks, who_looked};
pub use objection::{Answer, Objecting, OwnObjection, OwnObjections, Raised, object, own_objections};
pub use open::{Credentials, Field, PersonActor, open};

use crate::clock;
use crate::crypto::CryptoError;
use crate::domain::access::Denied;
use crate::domain::free_text::ReasonFault;
use crate::domain::objection::Refused as ObjectionRefused;
use crate::store::StoreError;
use crate::store::person_months::PublicUnit;

/// A unit as everybody may know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Party {
    pub uscc: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl From<&PublicUnit> for Party {
    fn from(unit: &PublicUnit) -> Self {
        Self { uscc: unit.uscc.to_string(), name: unit.name.clone() }
    }
}

/// Why a person, or staff about a person, may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonRefused {
    /// It can be seen from the sign alone, whoever it belongs to: nothing was looked up, and it is no miss.
    #[error("the {} is mistyped", .0.english())]
    Mistyped(Field),
    /// One or several of them, or nobody is known: always the same words after the same work.
    #[error("ID number, certificate number and code do not belong together, or the code holds no more")]
    NotFitting,
    #[error("{} openings under this ID number missed within an hour; you go on at {}", open::MISSES, clock::rfc3339(*until))]
    TooManyMisses { until: DateTime<Utc> },
    #[error("the person has no code that stands")]
    NoCode,
}

impl PersonRefused {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Mistyped(_) => "mistyped",
            Self::NotFitting => "not_fitting",
            Self::TooManyMisses { .. } => "too_many_misses",
            Self::NoCode => "no_code",
        }
    }

    pub fn chinese(self) -> String {
        match self {
            Self::Mistyped(field) => format!("{}填写有误,请核对。", field.chinese()),
            Self::NotFitting => "身份证号、残疾证号与查询码不一致,或查询码已失效。".to_owned(),
            Self::TooManyMisses { until } => {
                let until = until.with_timezone(&clock::SHANGHAI).format("%Y-%m-%d %H:%M");
                format!("一小时内已有{}次未能打开,请于{until}后再试。", open::MISSES)
            }
            Self::NoCode => "该人员没有有效的查询码。".to_owned(),
        }
    }
}

/// Why something of a person was not done.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Refused(#[from] PersonRefused),
    #[error(transparent)]
    Objection(#[from] ObjectionRefused),
    #[error(transparent)]
    Reason(#[from] ReasonFault),
    #[error("no code could be made")]
    Crypto(#[from] CryptoError),
    #[error("the notice to the employer could not be written")]
    Json(#[from] serde_json::Error),
    #[error("what is kept of the person could not be read or stored")]
    Store(#[from] StoreError),
}

impl PersonError {
    /// Of a refusal: what it is, for programs. `None`: something went wrong, which is nobody's refusal.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Denied(denied) => Some(denied.code()),
            Self::Refused(refused) => Some(refused.code()),
            Self::Objection(refused) => Some(refused.code()),
            Self::Reason(fault) => Some(fault.code()),
            Self::Crypto(_) | Self::Json(_) | Self::Store(_) => None,
        }
    }

    /// Of a refusal: the sentence for people.
    pub fn chinese(&self) -> Option<String> {
        match self {
            Self::Denied(denied) => Some(denied.chinese().to_owned()),
            Self::Refused(refused) => Some(refused.chinese()),
            Self::Objection(refused) => Some(refused.chinese()),
            Self::Reason(fault) => Some(fault.chinese()),
            Self::Crypto(_) | Self::Json(_) | Self::Store(_) => None,
        }
    }
}
