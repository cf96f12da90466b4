//! Later data beside what is declared: nothing changes by itself, but both sides see the difference and what it is worth.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::case::Case;
use super::worth::levy_if;
use super::{DeclareError, Declaring};
use crate::domain::access::{Action, Actor};
use crate::domain::declared::{Drift, DriftKind, drift as compare, gain_of};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::money::Fen;
use crate::domain::month::Month;
use crate::domain::policy::Policy;
use crate::domain::review::Ground;
use crate::domain::worth::Gain;
use crate::store::Store;
use crate::store::declared::{Beside, Listed};
use crate::store::entries::Employer;

/// How many declarations are compared at once.
const TOGETHER: usize = 200;

/// One month that is no longer what was declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct DriftOfMonth {
    pub person_id: PersonId,
    pub month: Month,
    pub what: DriftKind,
    /// What fails now and did not then.
    pub failing: Vec<Ground>,
    /// The run since which it is so, and when that was.
    pub run_id: String,
    pub since: Option<DateTime<Utc>>,
    /// Weighted months that would be counted more; less than none if fewer.
    pub weighted_months: i32,
    /// What the levy would be less if this month alone were amended; less than none: what it would be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worth: Option<Fen>,
}

/// A declaration beside the results of today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct DriftOfDeclaration {
    pub employer: UnitId,
    pub employer_uscc: String,
    pub year: i32,
    /// The version that is in force or, where none is, completed last.
    pub version: u32,
    pub weighted_months: i32,
    /// What the levy would be less if all of it were amended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worth: Option<Fen>,
    pub months: Vec<DriftOfMonth>,
}

/// The difference of one declaration; without a month where there is none, `None` where nothing is declared.
pub async fn of_employer(
    store: &Store,
    policy: &Policy,
    actor: &Actor,
    declaring: Declaring,
) -> Result<Option<DriftOfDeclaration>, DeclareError> {
    let case = Case::open(store, actor, Action::ReadResults, declaring).await?;
    let declaration = case.look(store).await?;
    let listed = Listed {
        employer: declaring.employer,
        uscc: case.of.uscc,
        federation_division: case.of.employer.federation_division.clone(),
        year: declaring.stored_year(),
        declaration,
    };
    Ok(compare_all(store, policy, declaring.year, &[listed]).await?.into_iter().next())
}

/// Every declaration of the year that differs from the results of today, by employer. It belongs to no actor: reminders are made of it.
pub async fn list(store: &Store, policy: &Policy, year: i32) -> Result<Vec<DriftOfDeclaration>, DeclareError> {
    let listed = store.list_declarations(year as i16).await?;
    let mut found = Vec::new();
    for some in listed.chunks(TOGETHER) {
        found.extend(compare_all(store, policy, year, some).await?);
    }
    found.retain(|one| !one.months.is_empty());
    Ok(found)
}

/// The version that later data is held against.
fn version_of(listed: &Listed) -> Option<u32> {
    let completed = listed.declaration.stage.completion().map(|completion| completion.version);
    listed.declaration.version_in_force().or(completed)
}

async fn compare_all(
    store: &Store,
    policy: &Policy,
    year: i32,
    listed: &[Listed],
) -> Result<Vec<DriftOfDeclaration>, DeclareError> {
    let versions: Vec<(UnitId, u32)> = listed.iter().filter_map(|one| Some((one.employer, version_of(one)?))).collect();
    let units: Vec<UnitId> = versions.iter().map(|(unit, _)| *unit).collect();
    let employers = store.list_employers(i64::MAX, &units).await?;
    let last_runs = store.runs_before(year as i16, &versions).await?;
    let beside = store.list_beside(year as i16, &versions).await?;
    let mut found = Vec::with_capacity(versions.len());
    for (((employer, version), beside), last_run) in versions.into_iter().zip(beside).zip(last_runs) {
        let drifts = compare(&beside.frozen, &beside.present, last_run);
        let Some(one) = listed.iter().find(|one| one.employer == employer) else { continue };
        let entered = employers.iter().find(|entered| entered.unit == employer);
        let levies = Levies { policy, year, entered, beside: &beside };
        found.push(DriftOfDeclaration {
            employer,
            employer_uscc: one.uscc.to_string(),
            year,
            version,
            weighted_months: drifts.iter().map(Drift::weighted_months).sum(),
            worth: levies.worth(&drifts)?,
            months: told(store, &drifts, &levies).await?,
        });
    }
    Ok(found)
}

async fn told(store: &Store, drifts: &[Drift], levies: &Levies<'_>) -> Result<Vec<DriftOfMonth>, DeclareError> {
    let mut runs: Vec<i32> = drifts.iter().map(|drift| drift.run).collect();
    runs.sort_unstable();
    runs.dedup();
    let origins = store.run_origins(&runs).await?;
    let mut months = Vec::with_capacity(drifts.len());
    for drift in drifts {
        let origin = origins.iter().find(|origin| origin.number == drift.run);
        months.push(DriftOfMonth {
            person_id: drift.person,
            month: drift.month,
            what: drift.kind,
            failing: drift.grounds.iter().collect(),
            run_id: origin.map_or_else(String::new, |origin| origin.run_id.to_string()),
            since: origin.map(|origin| origin.verified_at),
            weighted_months: drift.weighted_months(),
            worth: levies.worth(std::slice::from_ref(drift))?,
        });
    }
    Ok(months)
}

/// The levy of one employer, as declared and as it would be.
struct Levies<'a> {
    policy: &'a Policy,
    year: i32,
    entered: Option<&'a Employer>,
    beside: &'a Beside,
}

impl Levies<'_> {
    fn worth(&self, drifts: &[Drift]) -> Result<Option<Fen>, DeclareError> {
        let Some(entered) = self.entered else { return Ok(None) };
        let declared = gain_of(&self.beside.frozen);
        let moved = |kind: DriftKind| -> u32 {
            drifts.iter().filter(|drift| drift.kind == kind && drift.dispatched).map(|_| 1).sum()
        };
        let weighted: i32 = drifts.iter().map(Drift::weighted_months).sum();
        let amended = Gain {
            weighted_months: declared.weighted_months.saturating_add_signed(weighted),
            dispatched_months: (declared.dispatched_months + moved(DriftKind::Gained))
                .saturating_sub(moved(DriftKind::Lost)),
        };
        let levy = |counted: Gain| levy_if(self.policy, entered, self.year, counted);
        Ok(levy(declared)?.zip(levy(amended)?).map(|(now, then)| now + -then))
    }
}
