//! Dispatch agreements: the side that counts a dispatched person, a version for every change.

use sqlx::PgExecutor;

use super::jobs::word;
use super::publish::Publish;
use super::{Store, StoreError};
use crate::domain::entry::CountedBy;
use crate::domain::facts::{PersonId, UnitId};

/// What the agreement of one placement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Agreement {
    pub person: PersonId,
    pub employer: UnitId,
    pub year: i16,
    pub counted_by: CountedBy,
}

impl Publish {
    /// Saves what agreements say; one that says the same already stays as it is.
    pub async fn save_agreements(&mut self, rows: &[Agreement]) -> Result<u64, StoreError> {
        let seq = self.seq();
        let persons: Vec<i64> = rows.iter().map(|row| row.person.0).collect();
        let employers: Vec<i32> = rows.iter().map(|row| row.employer.0).collect();
        let years: Vec<i16> = rows.iter().map(|row| row.year).collect();
        let sides: Vec<i16> = rows.iter().map(|row| i16::from(row.counted_by.number())).collect();
        sqlx::query!(
            "update dispatch_agreement a set to_seq = $5
             from unnest($1::bigint[], $2::int[], $3::smallint[], $4::smallint[]) as i (person, employer, year, side)
             where a.person_id = i.person and a.employer_id = i.employer and a.year = i.year and a.to_seq is null
               and a.counted_by <> i.side",
            &persons,
            &employers,
            &years,
            &sides,
            seq
        )
        .execute(self.connection())
        .await?;
        let done = sqlx::query!(
            "insert into dispatch_agreement (person_id, employer_id, year, from_seq, counted_by)
             select i.person, i.employer, i.year, $5, i.side
             from unnest($1::bigint[], $2::int[], $3::smallint[], $4::smallint[]) as i (person, employer, year, side)
             where not exists (select from dispatch_agreement a where a.person_id = i.person and a.employer_id = i.employer
                                and a.year = i.year and a.to_seq is null)",
            &persons,
            &employers,
            &years,
            &sides,
            seq
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected())
    }

    pub async fn close_agreement(&mut self, person: PersonId, employer: UnitId, year: i16) -> Result<(), StoreError> {
        let seq = self.seq();
        sqlx::query!(
            "update dispatch_agreement set to_seq = $4
             where person_id = $1 and employer_id = $2 and year = $3 and to_seq is null",
            person.0,
            employer.0,
            year,
            seq
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// As [`Store::list_agreements`]; nobody else changes them before this publish ends.
    pub async fn list_agreements(&mut self, employer: UnitId, year: i16) -> Result<Vec<Agreement>, StoreError> {
        list(self.connection(), employer, year, None).await
    }
}

impl Store {
    /// The side that the dispatch agreement of a placement names; `None` where none was entered.
    pub async fn dispatch_agreement(
        &self,
        person: PersonId,
        employer: UnitId,
        year: i16,
    ) -> Result<Option<CountedBy>, StoreError> {
        Ok(list(&self.pool, employer, year, Some(person)).await?.first().map(|agreement| agreement.counted_by))
    }

    /// The agreements of an employer's year.
    pub async fn list_agreements(&self, employer: UnitId, year: i16) -> Result<Vec<Agreement>, StoreError> {
        list(&self.pool, employer, year, None).await
    }
}

async fn list(
    executor: impl PgExecutor<'_>,
    employer: UnitId,
    year: i16,
    person: Option<PersonId>,
) -> Result<Vec<Agreement>, StoreError> {
    let rows = sqlx::query!(
        "select person_id, counted_by from dispatch_agreement
         where employer_id = $1 and year = $2 and to_seq is null and ($3::bigint is null or person_id = $3) order by person_id",
        employer.0,
        year,
        person.map(|person| person.0)
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            let counted_by = word(row.counted_by, CountedBy::from_number)
                .ok_or_else(|| StoreError::inconsistent("dispatch_agreement", "counted_by", row.person_id))?;
            Ok(Agreement { person: PersonId(row.person_id), employer, year, counted_by })
        })
        .collect()
}
