//! Codes by which persons open what is kept of them, and the openings that missed.

use chrono::{DateTime, TimeDelta, Utc};

use super::change::Change;
use super::owners::Owned;
use super::{Store, StoreError};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::ResidentId;

/// A code that stands, though it may have expired.
#[derive(Clone, Debug)]
pub struct StandingCode {
    pub hash: [u8; 32],
    pub expires_at: DateTime<Utc>,
}

/// Under which a code is kept: a keyed hash, since it is short enough to be tried. `comparable` as `crypto` gives it.
pub fn code_hash(store: &Store, comparable: &str) -> [u8; 32] {
    store.keys().blind_index("person_code", comparable)
}

/// Under which misses are counted. Not the person's own index: whose misses they are is not to be looked up.
pub fn door_index(store: &Store, id: &ResidentId) -> [u8; 32] {
    store.keys().blind_index("person_door", id.reveal())
}

/// First half of the advisory lock; the second is of the index.
const DOOR_LOCK: i32 = 0x7065_7273;
/// Misses are of no use any more after this.
const MISSES_KEPT: TimeDelta = TimeDelta::hours(12);
/// How many of those that are of no use go with each new one.
const SWEPT_AT_ONCE: i64 = 100;

impl Change {
    /// The person, if there is one: nobody else gives them a code or takes an objection of theirs before this change ends.
    pub async fn lock_person(&mut self, person: PersonId) -> Result<bool, StoreError> {
        let found = sqlx::query_scalar!(
            "select person_id from person where person_id = $1 and person_id <> 0 for no key update",
            person.0
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(found.is_some())
    }

    /// The employers that have a placement of the person, in any year.
    pub async fn list_placing(&mut self, person: PersonId) -> Result<Vec<Owned>, StoreError> {
        let rows = sqlx::query!(
            r#"select distinct p.employer_id, coalesce(e.federation_division, '') as "federation_division!"
               from placement p left join employer e on e.employer_id = p.employer_id and e.to_seq is null
               where p.person_id = $1 and p.to_seq is null"#,
            person.0
        )
        .fetch_all(self.connection())
        .await?;
        let owned = |row: (i32, String)| Owned { employer: UnitId(row.0), federation_division: row.1 };
        Ok(rows.into_iter().map(|row| owned((row.employer_id, row.federation_division))).collect())
    }

    /// Ends the code that stands; false if none does.
    pub async fn end_person_code(&mut self, person: PersonId, by: &str, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update person_code set ended_at = $3, ended_by = $2 where person_id = $1 and ended_at is null",
            person.0,
            by,
            at
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn save_person_code(
        &mut self,
        person: PersonId,
        code: &StandingCode,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into person_code (person_id, hash, issued_at, issued_by, expires_at) values ($1, $2, $3, $4, $5)",
            person.0,
            &code.hash[..],
            at,
            by,
            code.expires_at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The code of a person that stands. Of nobody there is none, and it is asked for all the same.
    pub async fn find_person_code(&mut self, person: Option<PersonId>) -> Result<Option<StandingCode>, StoreError> {
        let person = person.map_or(0, |person| person.0);
        let row = sqlx::query!(
            "select hash, expires_at from person_code where person_id = $1 and person_id <> 0 and ended_at is null",
            person
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(|row| {
            let hash = row.hash.try_into().map_err(|_| StoreError::inconsistent("person_code", "hash", person))?;
            Ok(StandingCode { hash, expires_at: row.expires_at })
        })
        .transpose()
    }

    /// Lets openings under one ID number happen one after the other, so that a limit is one.
    pub async fn lock_door(&mut self, index: &[u8; 32]) -> Result<(), StoreError> {
        let [first, second, third, fourth, ..] = *index;
        sqlx::query("select pg_advisory_xact_lock($1, $2)")
            .bind(DOOR_LOCK)
            .bind(i32::from_be_bytes([first, second, third, fourth]))
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// The last misses under an ID number since an instant, newest first.
    pub async fn list_person_misses(
        &mut self,
        index: &[u8; 32],
        since: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<DateTime<Utc>>, StoreError> {
        Ok(sqlx::query_scalar!(
            "select missed_at from person_miss where id_index = $1 and missed_at > $2 order by missed_at desc limit $3",
            &index[..],
            since,
            limit
        )
        .fetch_all(self.connection())
        .await?)
    }

    /// Counts a miss; old ones, whosever they are, go.
    pub async fn save_person_miss(&mut self, index: &[u8; 32], at: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query!(
            "delete from person_miss where person_miss_id in
                 (select person_miss_id from person_miss where missed_at < $1 limit $2 for update skip locked)",
            at - MISSES_KEPT,
            SWEPT_AT_ONCE
        )
        .execute(self.connection())
        .await?;
        sqlx::query!("insert into person_miss (id_index, missed_at) values ($1, $2)", &index[..], at)
            .execute(self.connection())
            .await?;
        Ok(())
    }
}
