//! 人员信息校验: an employer's stored results, person by person and month by month, numbers masked. Nothing is judged while a reader waits.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::VerifyError;
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::mask_name;
use crate::domain::month::Month;
use crate::domain::verdict::Codes;
use crate::store::Store;
use crate::store::results::{Grid, RunOrigin};

/// One placement of the year.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct GridLine {
    pub person_id: PersonId,
    /// Masked.
    pub name: String,
    /// Masked but for its last four signs.
    pub id_number: String,
    /// The twelve months, January first.
    pub months: Vec<GridMonth>,
}

/// One month of a placement.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct GridMonth {
    pub month: Month,
    pub checks: Codes,
    /// Every check passes, and nobody else claims the month.
    pub passed: bool,
    /// Several employers would count it.
    pub conflict: bool,
    /// How many person-months it counts for: 1 or 2.
    pub weight: u8,
    /// The run that last changed it.
    pub run_id: Option<Uuid>,
    pub verified_at: Option<DateTime<Utc>>,
    pub policy_version: Option<String>,
}

/// So many placements of the employer's year at most, by person, after one.
pub async fn grid(
    store: &Store,
    year: i32,
    employer: UnitId,
    after: PersonId,
    limit: usize,
) -> Result<Vec<GridLine>, VerifyError> {
    let Grid { rows, origins } = store.list_grid(year, employer, after, limit).await?;
    let origins: HashMap<i32, RunOrigin> = origins.into_iter().map(|origin| (origin.number, origin)).collect();
    rows.into_iter()
        .map(|line| {
            let verdicts = line.row.verdicts(year)?.into_iter().zip(line.row.runs);
            let months = verdicts.map(|((month, verdict), run)| {
                let origin = origins.get(&run);
                GridMonth {
                    month,
                    checks: verdict.codes,
                    passed: verdict.passed(),
                    conflict: verdict.conflict,
                    weight: verdict.weight,
                    run_id: origin.map(|origin| origin.run_id),
                    verified_at: origin.map(|origin| origin.verified_at),
                    policy_version: origin.map(|origin| origin.policy_version.clone()),
                }
            });
            Ok(GridLine {
                person_id: line.row.person,
                name: mask_name(&line.identity.name),
                id_number: line.identity.id.masked(),
                months: months.collect(),
            })
        })
        .collect()
}
