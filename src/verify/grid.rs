//! 人员信息校验: an employer's stored results, person by person and month by month, numbers masked. Nothing is judged while a reader waits.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::VerifyError;
use crate::domain::access::Owner;
use crate::domain::facts::PersonId;
use crate::domain::ids::{Uscc, mask_name};
use crate::domain::month::Month;
use crate::domain::verdict::Codes;
use crate::store::Store;
use crate::store::results::{Grid, GridRow, RunOrigin};

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

/// So many placements at most of a year of the employer of this code, by person, after one; `None`: nobody ever named the code. Nothing of
/// them is decrypted unless `may_see` allows it.
pub async fn grid<E: From<VerifyError>>(
    store: &Store,
    (code, year): (&Uscc, i32),
    after: PersonId,
    limit: usize,
    may_see: impl FnOnce(Owner<'_>) -> Result<(), E>,
) -> Result<Option<Vec<GridLine>>, E> {
    let found = store.find_grid(year, code, after, limit).await.map_err(VerifyError::from)?;
    let Some(Grid { owned, rows, origins }) = found else { return Ok(None) };
    may_see(owned.owner())?;
    let origins: HashMap<i32, RunOrigin> = origins.into_iter().map(|origin| (origin.number, origin)).collect();
    let lines = rows.iter().map(|row| line(store, year, row, &origins));
    Ok(Some(lines.collect::<Result<_, _>>()?))
}

fn line(store: &Store, year: i32, row: &GridRow, origins: &HashMap<i32, RunOrigin>) -> Result<GridLine, VerifyError> {
    let identity = store.identity_of(row)?;
    let verdicts = row.row.verdicts(year)?.into_iter().zip(row.row.runs);
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
        person_id: row.row.person,
        name: mask_name(&identity.name),
        id_number: identity.id.masked(),
        months: months.collect(),
    })
}
