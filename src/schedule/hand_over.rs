//! One push as a run: what waits goes to the tax department, as far as it takes it now, and its answers are taken in.

use serde::Serialize;

use crate::config::TaxSettings;
use crate::declare::DeclareError;
use crate::declare::news::apply_news;
use crate::errors;
use crate::push::{self, Drained, PushError, Sent};
use crate::store::runs::{Ending, Trigger};
use crate::store::{Store, StoreError};

/// What a push did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HandedOver {
    pub attempts: Drained,
    /// Answers that were taken into declarations.
    pub answers: u64,
}

/// Why a push did not end.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    #[error(transparent)]
    Push(#[from] PushError),
    #[error("the answers could not be taken in")]
    News(#[from] DeclareError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sends what waits and takes in the answers; the run's record says what came of it. `progress` hears of each attempt.
pub async fn hand_over(
    store: &Store,
    job: &str,
    tax: &TaxSettings,
    by: impl Into<Trigger<'_>>,
    progress: impl FnMut(&Sent),
) -> Result<HandedOver, HandOverError> {
    let run = store.start_run("push", job, by).await?;
    let work = async {
        let client = push::Client::new(tax)?;
        let attempts = push::drain(store, &client, u64::MAX, progress).await?;
        let answers = apply_news(store).await?;
        Ok::<_, HandOverError>(HandedOver { attempts, answers })
    };
    let outcome = store.journal(&run, Box::pin(work)).await;
    let (ending, counts, error) = match &outcome {
        Ok(HandedOver { attempts, answers }) => {
            let mut counts = serde_json::to_value(attempts).unwrap_or_default();
            counts["answers"] = (*answers).into();
            (Ending::Done, counts, None)
        }
        Err(error) => (Ending::Failed, serde_json::json!({}), Some(errors::chain(error))),
    };
    store.finish_run(&run, ending, &counts, error.as_deref()).await?;
    outcome
}

/// Nothing is sent: what waits goes on waiting, and the run's record says how much that is, and why.
pub(super) async fn leave_waiting(
    store: &Store,
    job: &str,
    by: impl Into<Trigger<'_>>,
    why: &str,
) -> Result<(), StoreError> {
    let run = store.start_run("push", job, by).await?;
    let open = |state: &str| matches!(state, "waiting" | "sent" | "unknown");
    let figures = store.outbox_figures().await?;
    let waiting: i64 = figures.iter().filter(|figure| open(&figure.state)).map(|figure| figure.messages).sum();
    let counts = serde_json::json!({ "waiting": waiting });
    store.finish_run(&run, Ending::Done, &counts, Some(why)).await
}
