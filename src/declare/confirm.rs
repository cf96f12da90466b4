//! Confirming months: what passed by itself needs no review.

use super::{DeclareError, Declaring};
use crate::domain::declaration::Refused;
use crate::domain::facts::PersonId;
use crate::domain::month::Month;
use crate::domain::verdict::Verdict;
use crate::store::facts::{Persons, Scope};
use crate::store::results::YearRow;
use crate::store::{Store, StoreError};

/// How many months of an employer are confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Confirmed {
    /// Months that pass now.
    pub passed: u64,
    /// Of these, confirmed by this call.
    pub new: u64,
}

/// Confirms every month of the employer that passes by its stored results. Months confirmed before stay so.
pub async fn confirm_passed(store: &Store, declaring: Declaring, actor: &str) -> Result<Confirmed, DeclareError> {
    let rows = results_of(store, declaring).await?;
    let mut months: Vec<(PersonId, Month)> = Vec::new();
    for row in &rows {
        for (month, verdict) in verdicts(declaring.year, row)? {
            if verdict.passed() {
                months.push((row.person, month));
            }
        }
    }
    let at = store.now().await?;
    let Some(new) = store.confirm_months(declaring.employer, &months, actor, at).await? else {
        return Err(Refused::AlreadyCompleted.into());
    };
    Ok(Confirmed { passed: months.len() as u64, new })
}

/// The stored results of the employer's placements.
pub(super) async fn results_of(store: &Store, declaring: Declaring) -> Result<Vec<YearRow>, StoreError> {
    let seq = store.head().await?;
    let persons = store.placed_persons(declaring.year, declaring.employer, seq).await?;
    let scope = Scope { year: declaring.year, seq, persons: Persons::These(persons) };
    let mut rows = store.year_rows(&scope).await?;
    rows.retain(|row| row.employer == declaring.employer);
    Ok(rows)
}

/// A stored row's months with their verdicts.
pub fn verdicts(year: i32, row: &YearRow) -> Result<Vec<(Month, Verdict)>, StoreError> {
    Month::all_of(year)
        .zip(row.cells)
        .map(|(month, cell)| {
            let verdict = Verdict::unpack(cell).ok_or_else(|| StoreError::Inconsistent {
                table: "verification",
                column: "cells",
                row: row.person.0.to_string(),
            })?;
            Ok((month, verdict))
        })
        .collect()
}
