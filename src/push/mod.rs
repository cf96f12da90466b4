//! From the outbox to the tax department: of each employer's year one message after the other, until each is answered; none is ever dropped.
//!
//! The attempt is stored before a byte leaves, the answer as it came beside what it means. Taking the news into the declaration is
//! not done here.

pub mod acknowledgements;
pub mod answer;
pub mod answers;
mod client;
pub mod delivery;
mod drain;
pub mod export;
pub mod feed;
pub mod gate;
pub mod reconcile;
pub mod statement;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

pub use self::client::{Again, Client, Exchange};
pub use self::drain::{Drain, Pace};
use crate::http::{ClientError, backoff};
use crate::store::outbox::{Answered, Passing};
use crate::store::{Store, StoreError};

/// Why nothing could be pushed. What the department does wrong is no error but the outcome of an attempt.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error("the outbox could not be read or written")]
    Store(#[from] StoreError),
    #[error("the tax department cannot be spoken to")]
    Client(#[from] ClientError),
    #[error("the tax department's address is not an http or https address without a query")]
    Address,
    #[error(
        "the key id for the tax department holds characters that no header can hold; accepted are printable ASCII characters"
    )]
    KeyId,
}

/// What a step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing is due.
    Empty,
    Sent(Sent),
}

/// One attempt and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub message_id: Uuid,
    pub idempotency_key: String,
    /// From 1.
    pub attempt_number: i32,
    /// The department was asked about the message; nothing was sent.
    pub asked: bool,
    pub answered: Answered,
    /// What was wrong with the request or its answer.
    pub error: Option<String>,
    /// The next attempt; `None` where the answer is for good.
    pub again_at: Option<DateTime<Utc>>,
}

/// How many attempts ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Drained {
    pub accepted: u64,
    pub rejected: u64,
    pub later: u64,
    pub unknown: u64,
}

impl Drained {
    pub fn attempts(self) -> u64 {
        self.accepted + self.rejected + self.later + self.unknown
    }

    /// Counts these too.
    pub fn add(&mut self, sent: &[Sent]) {
        for Sent { answered, .. } in sent {
            match answered {
                Answered::Accepted { .. } => self.accepted += 1,
                Answered::Rejected { .. } => self.rejected += 1,
                Answered::Later | Answered::Forgotten => self.later += 1,
                Answered::Unknown => self.unknown += 1,
            }
        }
    }
}

impl std::ops::AddAssign for Drained {
    fn add_assign(&mut self, more: Self) {
        self.accepted += more.accepted;
        self.rejected += more.rejected;
        self.later += more.later;
        self.unknown += more.unknown;
    }
}

/// Makes one attempt on the message that has been due longest. `at` is business time: what is due goes by it, and the request is signed
/// with it.
///
/// Dropped halfway, it leaves the attempt open, and the message is due again when the attempt's lease is over.
pub async fn step(store: &Store, client: &Client, at: DateTime<Utc>) -> Result<Step, PushError> {
    let sent = Drain::new(store, client, Passing::Everything, Pace::default()).step(at, 1).await?;
    Ok(sent.into_iter().next().map_or(Step::Empty, Step::Sent))
}

/// Sends until nothing is due, or `limit` attempts are made. Several may drain at once.
pub async fn drain(
    store: &Store,
    client: &Client,
    limit: u64,
    mut progress: impl FnMut(&Sent),
) -> Result<Drained, PushError> {
    let mut drain = Drain::new(store, client, Passing::Everything, Pace::default());
    let mut drained = Drained::default();
    loop {
        let sent = drain.batch(limit - drained.attempts()).await?;
        if sent.is_empty() {
            return Ok(drained);
        }
        drained.add(&sent);
        sent.iter().for_each(&mut progress);
    }
}

fn tell(sent: &Sent) {
    let Sent { message_id, attempt_number, .. } = sent;
    match (&sent.answered, &sent.error) {
        (Answered::Accepted { .. }, _) => tracing::info!(%message_id, attempt_number, "accepted by the tax department"),
        (Answered::Rejected { .. }, _) => tracing::warn!(%message_id, attempt_number, "rejected by the tax department"),
        (Answered::Forgotten, _) => {
            tracing::warn!(%message_id, attempt_number, "the tax department does not hold a message; it is sent again");
        }
        (Answered::Later, None) => tracing::info!(%message_id, attempt_number, "the tax department decides later"),
        (Answered::Later, Some(error)) => {
            tracing::warn!(%message_id, attempt_number, %error, "not answered by the tax department");
        }
        (Answered::Unknown, error) => {
            let error = error.as_deref().unwrap_or_default();
            tracing::error!(%message_id, attempt_number, error, "it is unknown what became of a message");
        }
    }
}

fn wait(message_id: Uuid, attempt_number: i32, again: Again) -> TimeDelta {
    match again {
        Again::AtOnce => TimeDelta::zero(),
        Again::Later { retry_after } => {
            let asked_for = retry_after.and_then(|wait| TimeDelta::from_std(wait).ok()).unwrap_or_default();
            backoff(message_id, attempt_number).max(asked_for)
        }
    }
}

#[cfg(test)]
mod tests;
