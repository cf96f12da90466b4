//! The record of a run of this room: what it said, how it ended, and what was read until then.

use serde::Serialize;

use super::{Ended, PullError, PullOutcome};
use crate::errors;
use crate::store::runs::{Ending, Started};
use crate::store::{Store, StoreError};

/// How a run ended, for its record.
pub(super) struct Told {
    ending: Ending,
    counts: serde_json::Value,
    why: Option<String>,
}

impl Told {
    /// Of a pull.
    pub(super) fn of(ended: &Ended) -> Self {
        let mut counts = serde_json::to_value(ended.counts).unwrap_or_default();
        counts["pages"] = ended.pages.into();
        counts["rows_per_s"] = ((ended.counts.read as f64 / ended.stages.fetch_s.max(0.001)) as u64).into();
        counts["stages"] = serde_json::to_value(ended.stages).unwrap_or_default();
        let held = ended.outcome == PullOutcome::Held;
        let ending = if held { Ending::Held } else { ending_of(ended.counts.refused) };
        Self { ending, counts, why: ended.why.clone() }
    }

    /// Of what is no whole pull: so many records were refused, and `figures` is what its record shows.
    pub(super) fn of_figures(refused: u64, figures: &impl Serialize) -> Self {
        let counts = serde_json::to_value(figures).unwrap_or_default();
        Self { ending: ending_of(refused), counts, why: None }
    }

    async fn of_error(store: &Store, run: &Started, error: &PullError) -> Result<Self, StoreError> {
        let ending = match error {
            PullError::Timeout(_) | PullError::Occupied(_) | PullError::Unanswered(_) => Ending::TimedOut,
            _ => Ending::Failed,
        };
        let so_far = store.find_so_far(run.run_id).await?;
        let counts =
            so_far.map_or_else(|| serde_json::json!({}), |read| serde_json::to_value(read).unwrap_or_default());
        Ok(Self { ending, counts, why: Some(errors::chain(error)) })
    }
}

fn ending_of(refused: u64) -> Ending {
    if refused > 0 { Ending::DoneWithRefusals } else { Ending::Done }
}

/// Does the work as a run that was started: what it says is kept, and however it ends its record says so.
pub(super) async fn as_run<T>(
    store: &Store,
    run: &Started,
    work: impl Future<Output = Result<T, PullError>>,
    told: impl FnOnce(&T) -> Told,
) -> Result<T, PullError> {
    let outcome = store.journal(run, work).await;
    let told = match &outcome {
        Ok(done) => told(done),
        Err(error) => Told::of_error(store, run, error).await?,
    };
    store.finish_run(run, told.ending, &told.counts, told.why.as_deref()).await?;
    outcome
}
