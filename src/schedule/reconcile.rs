//! One look at both sides as a run: how many differences there are, of which class, and what was begun about them.

use std::collections::BTreeMap;

use crate::config::TaxSettings;
use crate::domain::reconciliation::Class;
use crate::errors;
use crate::push::reconcile::{Looking, ReconcileError, YearReconciled, reconcile};
use crate::push::{Client, PushError};
use crate::store::runs::{Ending, Trigger};
use crate::store::{Store, StoreError};

/// Why the two sides were not compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    #[error(transparent)]
    Push(#[from] PushError),
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Compares the years and stores what differs; the run's record says what came of it.
pub async fn compare_sides(
    store: &Store,
    job: &str,
    tax: &TaxSettings,
    by: impl Into<Trigger<'_>>,
    looking: Looking,
) -> Result<Vec<YearReconciled>, CompareError> {
    let run = store.start_run("reconcile", job, by).await?;
    let work = async { Ok::<_, CompareError>(reconcile(store, &Client::new(tax)?, looking).await?) };
    let outcome = store.journal(&run, Box::pin(work)).await;
    let (ending, counts, error) = match &outcome {
        Ok(years) => {
            let ending = if is_clean(years) { Ending::Done } else { Ending::DoneWithRefusals };
            let refused = years.iter().filter_map(|year| Some((year.year, year.totals.refused.as_ref()?)));
            let refused: Vec<String> = refused.map(|(year, why)| format!("{year}: {why}")).collect();
            (ending, counts(years), Some(refused.join("; ")).filter(|text| !text.is_empty()))
        }
        Err(error) => (Ending::Failed, serde_json::json!({}), Some(errors::chain(error))),
    };
    store.finish_run(&run, ending, &counts, error.as_deref()).await?;
    outcome
}

/// The department is not set: there is nobody to compare with, and the run's record says so.
pub async fn nobody_to_ask(store: &Store, job: &str, by: impl Into<Trigger<'_>>) -> Result<(), StoreError> {
    let run = store.start_run("reconcile", job, by).await?;
    let why = "the tax department is not set; there is nobody to compare with";
    store.finish_run(&run, Ending::Done, &serde_json::json!({}), Some(why)).await
}

/// Whether nobody has to look at anything.
pub fn is_clean(years: &[YearReconciled]) -> bool {
    years.iter().all(YearReconciled::is_clean)
}

fn counts(years: &[YearReconciled]) -> serde_json::Value {
    let sum = |of: fn(&YearReconciled) -> u64| years.iter().map(of).sum::<u64>();
    let mut open: BTreeMap<Class, u64> = BTreeMap::new();
    for (class, count) in years.iter().flat_map(|year| &year.open) {
        *open.entry(*class).or_default() += count;
    }
    let mut counts = serde_json::json!({
        "rows_here": sum(|year| year.totals.rows_here),
        "rows_there": sum(|year| year.totals.rows_there),
        "under_way": sum(|year| year.totals.under_way),
        "opened": sum(|year| year.concluded.opened),
        "closed": sum(|year| year.concluded.closed),
        "asked": sum(|year| year.concluded.asked),
    });
    for (class, count) in open {
        counts[class.as_str()] = count.into();
    }
    counts
}
