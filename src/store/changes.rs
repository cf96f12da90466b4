//! What changed between two publishes, as the placed persons whom it touches: what an incremental verification judges anew.

use chrono::NaiveDate;
use sqlx::AssertSqlSafe;

use super::facts::Shard;
use super::runs::Started;
use super::{Store, StoreError};
use crate::domain::facts::{PersonId, UnitId};

/// How far a year, or one of its shards, has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub seq: i64,
    pub business_date: NaiveDate,
    pub policy_version: String,
}

/// A verification of everybody, or of all of a shard, and the number of the run that it was.
#[derive(Clone, Debug)]
pub struct Mark {
    pub verified: Verified,
    pub run: i32,
}

/// After one publish, up to another.
#[derive(Clone, Copy, Debug)]
pub struct Between {
    pub after: i64,
    pub up_to: i64,
}

impl Store {
    /// The last verification of the shard, or of the whole year, whichever was later.
    pub async fn find_verified(&self, year: i32, shard: Shard) -> Result<Option<Mark>, StoreError> {
        let Shard { number, of } = shard;
        let found = sqlx::query!(
            "select seq, business_date, policy_version, run_number from verified
             where year = $1 and (shards = $2 and shard = $3 or shards = 1) order by seq desc, business_date desc, run_number desc limit 1",
            year as i16,
            of as i16,
            number as i16
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.map(|row| Mark {
            verified: Verified { seq: row.seq, business_date: row.business_date, policy_version: row.policy_version },
            run: row.run_number,
        }))
    }

    /// Everything of the shard is verified now; a later mark stands.
    pub async fn save_verified(
        &self,
        year: i32,
        shards: u16,
        shard: u16,
        verified: &Verified,
        run: &Started,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        self.ensure_ours(&mut transaction).await?;
        sqlx::query!(
            "insert into verified (year, shards, shard, seq, business_date, policy_version, run_number)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (year, shards, shard) do update
             set seq = excluded.seq, business_date = excluded.business_date, policy_version = excluded.policy_version,
                 run_number = excluded.run_number
             where (verified.seq, verified.run_number) <= (excluded.seq, excluded.run_number)",
            year as i16,
            shards as i16,
            shard as i16,
            verified.seq,
            verified.business_date,
            verified.policy_version,
            run.number
        )
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Whose placement or contract of the year was entered or changed, or whose employer was.
    pub async fn persons_entered(&self, year: i32, between: Between) -> Result<Vec<PersonId>, StoreError> {
        self.persons(
            "select person_id from placement where year = $3 and (from_seq > $1 and from_seq <= $2 or to_seq > $1 and to_seq <= $2)
             union select person_id from contract
                   where year = $3 and (from_seq > $1 and from_seq <= $2 or to_seq > $1 and to_seq <= $2)
             union select person_id from placement where year = $3 and employer_id in (
                   select employer_id from employer where from_seq > $1 and from_seq <= $2 or to_seq > $1 and to_seq <= $2)",
            year,
            between,
        )
        .await
    }

    /// Of whose months of the year a claim was taken or released.
    pub async fn persons_claimed(&self, year: i32, between: Between) -> Result<Vec<PersonId>, StoreError> {
        self.persons(
            "select person_id from claim where month between $3 * 12 and $3 * 12 + 11
               and (from_seq > $1 and from_seq <= $2 or to_seq > $1 and to_seq <= $2)",
            year,
            between,
        )
        .await
    }

    /// Whose months of the year an employer unticked, or ticked again.
    pub async fn persons_chosen(&self, year: i32, between: Between) -> Result<Vec<PersonId>, StoreError> {
        self.persons(
            "select person_id from choice where not ticked and month between $3 * 12 and $3 * 12 + 11
               and (from_seq > $1 and from_seq <= $2 or to_seq > $1 and to_seq <= $2)",
            year,
            between,
        )
        .await
    }

    /// Over whose months of the year a conflict was decided, or a decision taken back.
    pub async fn persons_decided(&self, year: i32, between: Between) -> Result<Vec<PersonId>, StoreError> {
        self.persons(
            "select person_id from conflict_decision where month between $3 * 12 and $3 * 12 + 11
               and (from_seq > $1 and from_seq <= $2 or to_seq > $1 and to_seq <= $2)",
            year,
            between,
        )
        .await
    }

    /// Placed persons of whom some month of the year is pending.
    pub async fn persons_pending(&self, year: i32) -> Result<Vec<PersonId>, StoreError> {
        let rows = sqlx::query_scalar!(
            "select distinct person_id from verification where year = $1 and pending <> 0",
            year as i16
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(PersonId).collect())
    }

    /// Persons dispatched in that year by one of these companies.
    pub async fn persons_dispatched(&self, year: i32, companies: &[UnitId]) -> Result<Vec<PersonId>, StoreError> {
        let units: Vec<i32> = companies.iter().map(|unit| unit.0).collect();
        let rows = sqlx::query_scalar!(
            "select distinct person_id from placement where year = $1 and dispatch_unit = any($2)",
            year as i16,
            &units
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(PersonId).collect())
    }

    /// Dispatch companies about whose filings something was published, or of whose filings one begins or ends between the two dates
    /// (after the first, up to the second).
    pub async fn companies_touched(
        &self,
        between: Between,
        dates: (NaiveDate, NaiveDate),
    ) -> Result<Vec<UnitId>, StoreError> {
        let rows = sqlx::query_scalar!(
            r#"select dispatcher as "dispatcher!" from dispatch_filing v join batch b using (batch_id)
               where dispatcher is not null
                 and (b.published_seq > $1 and b.published_seq <= $2 or superseded_seq > $1 and superseded_seq <= $2
                      or b.published_seq <= $2 and (valid_from > $3 and valid_from <= $4 or valid_to >= $3 and valid_to < $4))
               union
               select old.dispatcher from dispatch_filing v join batch b using (batch_id)
               join dispatch_filing old on old.record_key = v.record_key and old.source_id = v.source_id
               where old.dispatcher is not null and b.published_seq > $1 and b.published_seq <= $2
               union
               select q.unit_id from quarantine q join batch b using (batch_id)
               where q.id_index is null and q.unit_id is not null
                 and (b.published_seq > $1 and b.published_seq <= $2 or q.closed_seq > $1 and q.closed_seq <= $2)"#,
            between.after,
            between.up_to,
            dates.0,
            dates.1
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(UnitId).collect())
    }

    /// Persons of the shard of whom another verification than its last one wrote something since that began. It judged by what was so then: a
    /// day, a policy, settings that may have changed and changed back.
    pub async fn persons_judged_apart(&self, year: i32, shard: Shard, last: i32) -> Result<Vec<PersonId>, StoreError> {
        let Shard { number, of } = shard;
        let rows = sqlx::query_scalar!(
            "with apart as (
               select run_number, run_number > $4 as later from run
               where kind = 'verify' and run_number <> $4
                 and (run_number > $4 or finished_at is null
                      or finished_at >= (select started_at from run where run_number = $4))
             )
             select person_id from verification
             where exists (select from apart) and year = $1 and person_id % $2 = $3
               and (exists (select from apart where later)
                    and greatest(runs[1], runs[2], runs[3], runs[4], runs[5], runs[6],
                                 runs[7], runs[8], runs[9], runs[10], runs[11], runs[12]) > $4
                    or runs && array(select run_number from apart where not later))",
            year as i16,
            of as i16,
            number as i16,
            last
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(PersonId).collect())
    }

    /// Of these persons, those who are placed in the year at the sequence.
    pub async fn placed_among(&self, year: i32, seq: i64, persons: &[PersonId]) -> Result<Vec<PersonId>, StoreError> {
        let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
        let rows = sqlx::query_scalar!(
            "select distinct person_id from placement
             where year = $1 and from_seq <= $2 and (to_seq is null or to_seq > $2) and person_id = any($3) order by person_id",
            year as i16,
            seq,
            &ids
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(PersonId).collect())
    }

    /// Of these persons, those who have results of the year.
    pub async fn judged_among(&self, year: i32, persons: &[PersonId]) -> Result<Vec<PersonId>, StoreError> {
        let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
        let rows = sqlx::query_scalar!(
            "select distinct person_id from verification where year = $1 and person_id = any($2)",
            year as i16,
            &ids
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(PersonId).collect())
    }

    async fn persons(&self, sql: &'static str, year: i32, between: Between) -> Result<Vec<PersonId>, StoreError> {
        let persons: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(between.after)
            .bind(between.up_to)
            .bind(year)
            .fetch_all(&self.pool)
            .await?;
        Ok(persons.into_iter().map(PersonId).collect())
    }
}
