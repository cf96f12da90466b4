//! The levy (残保金) on an employer's own data: every step, what it would be with nobody placed, and what of it is not known.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::DeclareError;
use super::case::Case;
use super::counted::{CountBasis, counted};
use super::worth::{AskedWorth, WorthError, due_day, position};
use crate::domain::access::{Action, Actor};
use crate::domain::levy::{Estimate, estimate};
use crate::domain::policy::Policy;
use crate::domain::worth::Gain;
use crate::store::Store;

/// The levy of an employer's year.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LevyOfEmployer {
    pub employer_uscc: String,
    pub year: i32,
    /// Day of payment, which decides the relief.
    pub paid_on: NaiveDate,
    /// Months that count, each by its weight.
    pub weighted_person_months: u32,
    /// Why they count.
    pub basis: CountBasis,
    /// The version in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Null where something is missing.
    pub estimate: Option<Estimate>,
    /// What the levy needs and is not known.
    pub missing: Vec<&'static str>,
}

/// Works it out, for whoever may read the employer's results.
pub async fn levy_of_employer(
    store: &Store,
    policy: &Policy,
    actor: &Actor,
    asked: &AskedWorth,
) -> Result<LevyOfEmployer, DeclareError> {
    let case = Case::open(store, actor, Action::ReadResults, asked.declaring()?).await?;
    let counted = counted(store, &case).await?;
    let paid_on = due_day(asked)?;
    let rules = policy.levy_rules(asked.year, paid_on).map_err(WorthError::from)?;
    let (position, missing) = position(asked, &case.of.employer, counted.gain)?;
    let input = position.map(|position| position.with(Gain::default())).transpose().map_err(WorthError::from)?;
    Ok(LevyOfEmployer {
        employer_uscc: case.of.uscc.to_string(),
        year: asked.year,
        paid_on,
        weighted_person_months: counted.gain.weighted_months,
        basis: counted.basis(),
        version: counted.version,
        estimate: input.map(|input| estimate(&input, &rules)),
        missing,
    })
}
