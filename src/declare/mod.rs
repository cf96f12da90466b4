//! Use cases of an employer, of the counter and of staff: import, tick, hand in, review, complete, withdraw, amend, deregister; each
//! loads, decides, saves in one transaction.

pub mod amend;
pub mod announcements;
pub mod audit;
mod case;
pub mod certification;
pub mod complete;
pub mod conflict;
pub mod consent;
pub mod corrections;
mod counted;
pub mod deregister;
pub mod differences;
pub mod discard;
pub mod drift;
pub mod evidence;
pub mod expected;
mod gates;
pub mod hand_in;
pub mod history;
pub mod import;
pub mod levy;
pub mod message;
pub mod needs;
pub mod news;
pub mod objections;
pub mod operate;
pub mod overview;
mod permit;
pub mod person;
pub mod register;
pub mod reverify;
pub mod review;
pub mod reward;
pub mod settle;
pub mod standing;
pub mod subscriptions;
pub mod tick;
pub mod unfinished;
pub mod users;
pub mod withdraw;
pub mod worth;

pub use case::window_of;
pub use counted::CountBasis;
pub use gates::affiliates_without_proof;

pub use crate::store::change::Done;

use crate::domain::access::{Actor, Denied, Owner};
use crate::domain::completion::Obstacle;
use crate::domain::dated::NoRule;
use crate::domain::declaration::Refused;
use crate::domain::declared::NotAmendable;
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::free_text::ReasonFault;
use crate::domain::month::Month;
use crate::domain::reviewing;
use crate::store::StoreError;
use crate::store::declared::Listed;
use crate::store::review_cases::CaseKey;
use crate::verify::VerifyError;
use worth::WorthError;

/// Why a step of a declaration was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    #[error("{}", list(.0))]
    Obstacles(Vec<Obstacle>),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Reviewing(#[from] reviewing::Refused),
    #[error("another employer claims {} of the months; staff see who, and decide by contract or agreement", .0.len())]
    ClaimedElsewhere(Vec<(PersonId, Month)>),
    #[error("{} of the months cannot be amended as asked: {}", .0.len(), faults(.0))]
    NotAmendable(Vec<NotAmendable>),
    #[error(transparent)]
    Reason(#[from] ReasonFault),
    #[error(transparent)]
    WrongDay(#[from] deregister::WrongDay),
    #[error("the idempotency key was used before, for a command that said something else; give another")]
    KeyReused,
    #[error("the employer's standing consent does not stand any more, or does not cover what is ticked now")]
    NoConsent,
    #[error("what these results rest on changed each time they were judged; try again in a minute")]
    Busy,
    #[error("the results could not be judged")]
    Verify(#[from] VerifyError),
    #[error("the levy could not be worked out")]
    Worth(#[from] WorthError),
    #[error(transparent)]
    NoRule(#[from] NoRule),
    #[error("the message to the tax department, or the state to be audited, could not be written")]
    Message(#[from] serde_json::Error),
    #[error("the declaration could not be stored")]
    Store(#[from] StoreError),
}

impl DeclareError {
    /// Of a refusal: what it is, for programs. `None`: something went wrong, which is nobody's refusal.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Denied(denied) => Some(denied.code()),
            Self::Reviewing(refused) => Some(refused.code()),
            Self::Obstacles(obstacles) => obstacles.first().map(Obstacle::code),
            Self::Refused(refused) => Some(refused.code()),
            Self::ClaimedElsewhere(_) => Some("claimed_elsewhere"),
            Self::NotAmendable(_) => Some("not_amendable"),
            Self::Reason(fault) => Some(fault.code()),
            Self::WrongDay(wrong) => Some(wrong.code()),
            Self::KeyReused => Some("key_reused"),
            Self::NoConsent => Some("no_consent"),
            Self::Busy => Some("busy"),
            // in a reason, as in a note
            Self::Store(StoreError::HoldsIdNumber) => Some("note_holds_id_number"),
            Self::Verify(_) | Self::Worth(_) | Self::NoRule(_) | Self::Message(_) | Self::Store(_) => None,
        }
    }

    /// Of a refusal: the sentence for people.
    pub fn chinese(&self) -> Option<String> {
        let text = match self {
            Self::Denied(denied) => denied.chinese().to_owned(),
            Self::Reviewing(refused) => refused.chinese(),
            Self::Obstacles(obstacles) => obstacles.iter().map(Obstacle::chinese).collect(),
            Self::Refused(refused) => refused.chinese().to_owned(),
            Self::ClaimedElsewhere(months) => format!("有{}个月份已被其他单位申报，由工作人员核定。", months.len()),
            Self::NotAmendable(months) => {
                let told = months.iter().map(|one| format!("{}{}", one.month, one.fault.chinese()));
                format!("无法更正：{}。", told.collect::<Vec<_>>().join("；"))
            }
            Self::Reason(fault) => fault.chinese(),
            Self::WrongDay(wrong) => wrong.chinese().to_owned(),
            Self::NoConsent => "单位的授权已失效，或不包括当前勾选的月份。".to_owned(),
            Self::KeyReused => "该幂等键已用于内容不同的操作，请更换。".to_owned(),
            Self::Busy => "校验所依据的数据正在变动，请稍后再试。".to_owned(),
            Self::Store(StoreError::HoldsIdNumber) => "说明中不得填写身份证号。".to_owned(),
            Self::Verify(_) | Self::Worth(_) | Self::NoRule(_) | Self::Message(_) | Self::Store(_) => return None,
        };
        Some(text)
    }
}

fn faults(months: &[NotAmendable]) -> String {
    let told = months.iter().map(|one| format!("person_id {} {}: {}", one.person.0, one.month, one.fault));
    told.collect::<Vec<_>>().join("; ")
}

/// Of these, what the actor reaches.
fn reached(actor: &Actor, mut listed: Vec<Listed>) -> Result<Vec<Listed>, DeclareError> {
    actor.may_at_all(crate::domain::access::Action::ReadResults)?;
    listed.retain(|one| actor.reaches(Owner { employer: one.employer, federation_division: &one.federation_division }));
    Ok(listed)
}

fn list(obstacles: &[Obstacle]) -> String {
    obstacles.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The business year of one employer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declaring {
    pub employer: UnitId,
    pub year: i32,
}

impl Declaring {
    fn stored_year(self) -> i16 {
        self.year as i16
    }

    /// One of its placements, as staff work on it.
    pub fn case(self, person: PersonId) -> CaseKey {
        CaseKey { person, employer: self.employer, year: self.stored_year() }
    }
}
