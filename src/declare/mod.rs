//! Use cases of an employer, of the counter and of staff: import, tick, hand in, review, complete; each loads, decides, saves in one
//! transaction.

pub mod complete;
pub mod conflict;
pub mod hand_in;
pub mod import;
pub mod message;
pub mod news;
mod permit;
pub mod review;
pub mod standing;
pub mod tick;

use crate::domain::access::Denied;
use crate::domain::completion::Obstacle;
use crate::domain::dated::NoRule;
use crate::domain::declaration::Refused;
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::month::Month;
use crate::domain::reviewing;
use crate::store::StoreError;
use crate::store::review_cases::CaseKey;
use crate::verify::VerifyError;

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
    #[error("others publish all the time, so that the results could not be judged for good; try again in a minute")]
    Busy,
    #[error("the results could not be judged")]
    Verify(#[from] VerifyError),
    #[error("no such employer was imported")]
    UnknownEmployer,
    #[error(transparent)]
    NoRule(#[from] NoRule),
    #[error("the message to the tax department, or the state to be audited, could not be written")]
    Message(#[from] serde_json::Error),
    #[error("the declaration could not be stored")]
    Store(#[from] StoreError),
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

    /// One of its placements, as the audit log names it.
    fn placement(self, person: PersonId) -> String {
        format!("placement {} {} person {}", self.employer.0, self.year, person.0)
    }
}
