//! One push as a run: what waits goes to the tax department, as far as it takes it now, and its answers are taken in.

use serde::Serialize;

use crate::config::TaxSettings;
use crate::declare::DeclareError;
use crate::declare::news::apply_news;
use crate::errors;
use crate::push::gate::{Gate, Opening};
use crate::push::{self, Drain, Drained, Pace, PushError, Sent};
use crate::store::runs::{Ending, Trigger};
use crate::store::{Store, StoreError};

/// What a push did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HandedOver {
    pub attempts: Drained,
    /// Answers that were taken into declarations.
    pub answers: u64,
    /// What could leave.
    pub gate: Opening,
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

/// Sends what waits, as far as the gate lets it, and takes in the answers; the run's record says what came of it. `progress` hears of each
/// attempt.
pub async fn hand_over(
    store: &Store,
    job: &str,
    tax: &TaxSettings,
    by: impl Into<Trigger<'_>>,
    gate: &Gate,
    mut progress: impl FnMut(&Sent),
) -> Result<HandedOver, HandOverError> {
    let run = store.start_run("push", job, by).await?;
    let work = async {
        let client = push::Client::new(tax)?;
        let mut handed_over = HandedOver { attempts: Drained::default(), answers: 0, gate: Opening::Unknown };
        let mut why;
        loop {
            let before = handed_over.gate;
            (handed_over.gate, why) = gate.look(store, &client).await?;
            // what takes back goes first; once that is answered the rest follows
            let Some(passing) = handed_over.gate.passing().filter(|_| handed_over.gate != before) else { break };
            let drain = Drain::new(store, &client, passing, Pace::of(tax));
            drain_and_apply(store, drain, &mut handed_over, &mut progress).await?;
            if handed_over.gate != Opening::Recovering {
                break;
            }
        }
        Ok::<_, HandOverError>((handed_over, why))
    };
    let outcome = store.journal(&run, Box::pin(work)).await;
    let (ending, counts, error) = match &outcome {
        Ok((HandedOver { attempts, answers, .. }, why)) => {
            let mut counts = serde_json::to_value(attempts).unwrap_or_default();
            counts["answers"] = (*answers).into();
            (Ending::Done, counts, why.clone())
        }
        Err(error) => (Ending::Failed, serde_json::json!({}), Some(errors::chain(error))),
    };
    store.finish_run(&run, ending, &counts, error.as_deref()).await?;
    outcome.map(|(handed_over, _)| handed_over)
}

/// Sends batch after batch until nothing is due; what one brought is taken in before the next, so that an employer sees it within seconds
/// whatever else waits. News that cannot be taken in keeps no message from leaving; it is told in the end.
async fn drain_and_apply(
    store: &Store,
    mut drain: Drain<'_>,
    handed_over: &mut HandedOver,
    progress: &mut impl FnMut(&Sent),
) -> Result<(), HandOverError> {
    loop {
        let sent = drain.batch(u64::MAX).await?;
        handed_over.attempts.add(&sent);
        sent.iter().for_each(&mut *progress);
        let news = apply_news(store).await;
        if sent.is_empty() {
            handed_over.answers += news?;
            return Ok(());
        }
        // what failed is tried again with the next
        handed_over.answers += news.unwrap_or_default();
    }
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
