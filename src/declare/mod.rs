//! Use cases of an employer and of the counter: import, evidence, confirm, complete; each loads, decides, saves in one transaction.

pub mod complete;
pub mod confirm;
pub mod evidence;
pub mod import;
pub mod message;
pub mod needs;
pub mod news;
pub mod standing;

use crate::domain::completion::Obstacle;
use crate::domain::dated::NoRule;
use crate::domain::declaration::Refused;
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::month::Month;
use crate::store::StoreError;
use crate::verify::VerifyError;

/// Why a step of a declaration was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    #[error("{}", list(.0))]
    Obstacles(Vec<Obstacle>),
    #[error(transparent)]
    Refused(#[from] Refused),
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
    #[error("the message to the tax department could not be written")]
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
}
