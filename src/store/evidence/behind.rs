//! What evidence there is for a case: the files behind a month, and the affiliates that are proven.

use super::super::change::Change;
use super::super::{Store, StoreError};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::month::Month;

impl Change {
    /// Numbers of the files in use for one month of a placement: what lies before whoever decides on it.
    pub async fn list_files_behind(
        &mut self,
        employer: UnitId,
        person: PersonId,
        month: Month,
    ) -> Result<Vec<i64>, StoreError> {
        Ok(sqlx::query_scalar!(
            "select distinct evidence_id from evidence_use
             where employer_id = $1 and person_id = $2 and month = $3 and subject = 'cell' and removed_at is null order by 1",
            employer.0,
            person.0,
            month.index()
        )
        .fetch_all(self.connection())
        .await?)
    }
}

impl Store {
    /// The employer's affiliates and dispatch companies of the year whose relation some file proves.
    pub async fn list_proven_affiliates(&self, employer: UnitId, year: i16) -> Result<Vec<UnitId>, StoreError> {
        let units = sqlx::query_scalar!(
            r#"select distinct unit_id as "unit_id!" from evidence_use
               where employer_id = $1 and year = $2 and subject = 'affiliate' and removed_at is null"#,
            employer.0,
            year
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(units.into_iter().map(UnitId).collect())
    }
}
