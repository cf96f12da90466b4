//! What a verification job judges: the running year and the one before, as far as the policy has rules for them.

use chrono::Datelike;
use serde::Serialize;

use super::{Reading, Selection, Summary, VerifyError, verify};
use crate::clock;
use crate::store::Store;
use crate::store::runs::Trigger;

/// What the verification of one year did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedYear {
    pub year: i32,
    pub summary: Summary,
}

/// Judges both years, for the business date that `by` names or that of today. `progress` hears how many placements of a year are done.
pub async fn verify_years(
    store: &Store,
    reading: &Reading,
    by: impl Into<Trigger<'_>>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<VerifiedYear>, VerifyError> {
    let by = by.into();
    let date = match by.date {
        Some(date) => date,
        None => clock::business_date(store.now().await?),
    };
    let mut years = Vec::new();
    for year in [date.year() - 1, date.year()] {
        if reading.policy.knows_year(year) {
            let summary = verify(store, reading, year, &Selection::default(), by, progress).await?;
            years.push(VerifiedYear { year, summary });
        }
    }
    Ok(years)
}
