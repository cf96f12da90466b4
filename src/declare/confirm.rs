//! Confirming months: what passed by itself needs no review.

use super::{DeclareError, Declaring};
use crate::domain::access::Actor;
use crate::domain::declaration::Refused;
use crate::domain::facts::PersonId;
use crate::domain::month::Month;
use crate::store::Store;

/// How many months of an employer are confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Confirmed {
    /// Months that pass now.
    pub passed: u64,
    /// Of these, confirmed by this call.
    pub new: u64,
}

/// Confirms every month of the employer that passes by its stored results. Months confirmed before stay so.
pub async fn confirm_passed(store: &Store, declaring: Declaring, actor: &Actor) -> Result<Confirmed, DeclareError> {
    let rows = store.employer_rows(declaring.year, declaring.employer).await?;
    let mut months: Vec<(PersonId, Month)> = Vec::new();
    for row in &rows {
        for (month, verdict) in row.verdicts(declaring.year)? {
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
