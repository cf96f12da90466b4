//! Events as a run: what is due is delivered to the programs that subscribed. Where nothing is due there is no run.

use crate::config::EventSettings;
use crate::errors;
use crate::notify::NotifyError;
use crate::notify::events::{EventsTold, deliver_events};
use crate::store::Store;
use crate::store::runs::{Ending, Trigger};

/// Delivers what is due; the run's record says what came of it.
pub async fn tell_subscribers(
    store: &Store,
    job: &str,
    settings: EventSettings,
    by: impl Into<Trigger<'_>>,
) -> Result<EventsTold, NotifyError> {
    // others may have delivered it meanwhile: a record of that would say nothing
    if !store.has_due_deliveries(store.now().await?).await? {
        return Ok(EventsTold::default());
    }
    let run = store.start_run("deliver_events", job, by).await?;
    let outcome = store.journal(&run, Box::pin(deliver_events(store, settings))).await;
    let (ending, counts, error) = match &outcome {
        Ok(told) => (Ending::Done, serde_json::to_value(told).unwrap_or_default(), None),
        Err(error) => (Ending::Failed, serde_json::json!({}), Some(errors::chain(error))),
    };
    store.finish_run(&run, ending, &counts, error.as_deref()).await?;
    outcome
}
