//! Reads of an employer's own masked data are written to the audit too, many at a time: a reader does not wait for it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::access::{Action, Actor};
use crate::errors;
use crate::store::Store;
use crate::store::audit::Act;

/// How often what was read is written down: what a dying process loses of them, at most.
const EVERY: Duration = Duration::from_secs(1);
/// Reads that wait at most; the next one writes them itself.
const MOST: usize = 10_000;

/// Reads that are not written down yet.
#[derive(Debug, Default)]
pub(super) struct Reads {
    waiting: Mutex<Vec<Read>>,
}

/// Who read what.
#[derive(Clone, Debug)]
struct Read {
    actor: Actor,
    action: Action,
    object: String,
    at: chrono::DateTime<chrono::Utc>,
}

impl Reads {
    /// Notes a read.
    pub(super) async fn note(&self, store: &Store, actor: &Actor, action: Action, object: String) {
        let at = crate::clock::system_now();
        let full = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push(Read { actor: actor.clone(), action, object, at });
            waiting.len() >= MOST
        };
        if full {
            self.write(store).await;
        }
    }

    /// Writes down what waits; what cannot be written waits on.
    pub(super) async fn write(&self, store: &Store) {
        let reads = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if reads.is_empty() {
            return;
        }
        if let Err(error) = self.record(store, &reads).await {
            tracing::error!(error = errors::chain(&error), reads = reads.len(), "reads are not in the audit yet");
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.splice(0..0, reads);
            waiting.truncate(MOST);
        }
    }

    async fn record(&self, store: &Store, reads: &[Read]) -> Result<(), crate::store::StoreError> {
        let offset = store.clock_offset().await?;
        let acts = reads.iter().map(|read| Act::read(read.at + offset, &read.actor, read.action, read.object.as_str()));
        store.record_all(&acts.collect::<Vec<_>>()).await
    }

    /// Writes down what waits until it is stopped, and what is left then.
    pub(super) async fn keep_writing(&self, store: &Store, stop: &CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            self.write(store).await;
        }
        self.write(store).await;
    }
}
