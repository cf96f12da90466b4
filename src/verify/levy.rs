//! The levy (残保金) on an employer's own data: every step, what it would be with nobody placed, and what of it is not known.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::worth::{AskedWorth, WorthError, counted_months, due_day, position};
use crate::domain::levy::{Estimate, LevyInput, estimate};
use crate::domain::policy::Policy;
use crate::store::Store;

/// The levy of an employer's year.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LevyOfEmployer {
    pub employer_uscc: String,
    pub year: i32,
    /// Day of payment, which decides the relief.
    pub paid_on: NaiveDate,
    /// Months that count now, each by its weight.
    pub weighted_person_months: u32,
    /// Null where something is missing.
    pub estimate: Option<Estimate>,
    /// What the levy needs and is not known.
    pub missing: Vec<&'static str>,
}

/// Works it out from the stored results.
pub async fn levy_of_employer(
    store: &Store,
    policy: &Policy,
    asked: &AskedWorth,
) -> Result<LevyOfEmployer, WorthError> {
    let (entered, months) = counted_months(store, asked).await?;
    let now = months.iter().filter(|month| month.passed()).map(|month| month.gain);
    let (position, missing) = position(asked, &entered, now.sum())?;
    let paid_on = due_day(asked)?;
    let rules = policy.levy_rules(asked.year, paid_on)?;
    let weighted_person_months =
        months.iter().filter(|month| month.passed()).map(|month| month.gain.weighted_months).sum();
    let estimate = match position {
        None => None,
        Some(position) => {
            let input = LevyInput {
                kind: position.kind,
                headcount: position.headcount.moved_by_dispatch(position.dispatched_months, 0)?,
                average_wage: position.average_wage,
                weighted_person_months,
            };
            Some(estimate(&input, &rules))
        }
    };
    let code = store.unit_codes(&[asked.employer]).await?.remove(&asked.employer);
    Ok(LevyOfEmployer {
        employer_uscc: code.map(|code| code.to_string()).unwrap_or_default(),
        year: asked.year,
        paid_on,
        weighted_person_months,
        estimate,
        missing,
    })
}
