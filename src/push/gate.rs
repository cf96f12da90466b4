//! The gate before the outbox: a database that was restored is behind the department, and nothing may leave until that is known.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Client;
use super::reconcile::{Looking, ReconcileError, is_ahead, reconcile};
use crate::store::outbox::Passing;
use crate::store::{Store, StoreError};

const AHEAD: &str = "the tax department holds messages that are not known here: until they are settled (`renzheng reconcile list`) only what takes \
                     them back leaves";
const RECOVERING: &str =
    "what takes back messages that were not known here is not answered yet; the others leave after it";

/// One process' gate; shut when the process starts.
#[derive(Debug, Default)]
pub struct Gate(AtomicBool);

/// What may leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    Open,
    /// The department holds what is not known here: only what takes that back leaves, until people have settled it.
    Ahead,
    /// What takes back is not answered yet: the others follow it.
    Recovering,
    /// What the department holds is not known: nothing leaves.
    Unknown,
}

impl Opening {
    pub fn passing(self) -> Option<Passing> {
        match self {
            Self::Open => Some(Passing::Everything),
            Self::Ahead | Self::Recovering => Some(Passing::Recoveries),
            Self::Unknown => None,
        }
    }
}

impl Gate {
    /// Whether everything may leave. The first time in a process the two sides are compared, without changing anything; where the department
    /// is ahead, what differs is stored for people, and the next time is a first time again. With what is not known comes why.
    pub async fn look(&self, store: &Store, client: &Client) -> Result<(Opening, Option<String>), StoreError> {
        match self.compare(store, client).await {
            Ok(Opening::Ahead) => Ok((Opening::Ahead, Some(AHEAD.to_owned()))),
            Ok(Opening::Recovering) => Ok((Opening::Recovering, Some(RECOVERING.to_owned()))),
            Ok(opening) => Ok((opening, None)),
            Err(ReconcileError::Statement(error)) => {
                let why = format!("nothing leaves before both sides were compared: {error}");
                tracing::warn!(why, "the gate to the tax department stays shut");
                Ok((Opening::Unknown, Some(why)))
            }
            Err(ReconcileError::Store(error)) => Err(error),
        }
    }

    async fn compare(&self, store: &Store, client: &Client) -> Result<Opening, ReconcileError> {
        if !self.0.load(Ordering::Acquire) {
            if is_ahead(store, client).await? {
                tracing::error!("{AHEAD}");
                reconcile(store, client, Looking::default()).await?;
                return Ok(Opening::Ahead);
            }
            self.0.store(true, Ordering::Release);
        }
        // with every look: a person may have settled something meanwhile
        let recovering = store.has_open_recoveries(store.now().await?).await?;
        Ok(if recovering { Opening::Recovering } else { Opening::Open })
    }
}
