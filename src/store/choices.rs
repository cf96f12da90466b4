//! Employers' own choices of months (勾选), every change a new version under a publish sequence: an unticked month is nobody's rival.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::publish::Publish;
use super::{Store, StoreError};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::month::Month;

/// Who chose, and when.
#[derive(Clone, Copy, Debug)]
pub struct Chooser<'a> {
    pub name: &'a str,
    pub at: DateTime<Utc>,
}

impl Publish {
    /// Ticks or unticks months of a placement; what is chosen so already stays as it is. How many are new or changed.
    pub async fn save_choice(
        &mut self,
        employer: UnitId,
        person: PersonId,
        months: &[Month],
        ticked: bool,
        by: Chooser<'_>,
    ) -> Result<u64, StoreError> {
        let seq = self.seq();
        let indexes: Vec<i32> = months.iter().map(|month| month.index()).collect();
        sqlx::query!(
            "update choice set to_seq = $5
             where person_id = $1 and employer_id = $2 and month = any($3) and to_seq is null and ticked <> $4",
            person.0,
            employer.0,
            &indexes,
            ticked,
            seq
        )
        .execute(self.connection())
        .await?;
        let inserted = sqlx::query!(
            "insert into choice (person_id, employer_id, month, from_seq, ticked, chosen_at, chosen_by)
             select $1, $2, i.month, $5, $4, $6, $7 from unnest($3::int[]) as i (month)
             where not exists (select from choice c where c.person_id = $1 and c.employer_id = $2 and c.month = i.month
                                and c.to_seq is null)
             group by i.month",
            person.0,
            employer.0,
            &indexes,
            ticked,
            seq,
            by.at,
            by.name
        )
        .execute(self.connection())
        .await?;
        Ok(inserted.rows_affected())
    }
}

impl Store {
    /// Choices in force of an employer's year: ticked, or not.
    pub async fn list_choices(
        &self,
        employer: UnitId,
        year: i32,
    ) -> Result<HashMap<(PersonId, Month), bool>, StoreError> {
        let january = year * 12;
        let rows = sqlx::query!(
            "select person_id, month, ticked from choice
             where employer_id = $1 and month between $2 and $3 and to_seq is null",
            employer.0,
            january,
            january + 11
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| Ok(((PersonId(row.person_id), month_of("choice", row.month)?), row.ticked)))
            .collect()
    }
}

/// A stored month.
pub(super) fn month_of(table: &'static str, index: i32) -> Result<Month, StoreError> {
    Month::from_index(index).ok_or_else(|| StoreError::inconsistent(table, "month", index))
}
