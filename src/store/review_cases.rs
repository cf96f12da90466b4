//! Cases of review: when a placement was handed in, and which reviewer works on it, so that two do not.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::change::Change;
use super::declarations::read_state;
use super::{Store, StoreError};
use crate::domain::declaration::Declaration;
use crate::domain::facts::{PersonId, UnitId};

/// One placement, as staff work on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
pub struct CaseKey {
    pub person: PersonId,
    pub employer: UnitId,
    pub year: i16,
}

/// Who works on a case, and until when.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Holder {
    pub reviewer: String,
    pub until: DateTime<Utc>,
}

/// So long a case is with a reviewer who does nothing.
const CASE_LEASE: TimeDelta = TimeDelta::minutes(30);

impl Change {
    /// The declaration as it stands. Nobody publishes and nobody else decides before this change ends: a completion is before us or after us.
    pub async fn hold_declaration(&mut self, employer: UnitId, year: i16) -> Result<Declaration, StoreError> {
        sqlx::query!("select seq from publish_head for no key update").fetch_one(self.connection()).await?;
        let state =
            sqlx::query_scalar!("select state from declaration where employer_id = $1 and year = $2", employer.0, year)
                .fetch_optional(self.connection())
                .await?;
        read_state(state, employer)
    }

    /// The placement is handed in now; an earlier handing-in counts no more.
    pub async fn save_handing_in(
        &mut self,
        case: CaseKey,
        by: &str,
        at: DateTime<Utc>,
        in_window: bool,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "update handing_in set replaced_at = $4
             where person_id = $1 and employer_id = $2 and year = $3 and replaced_at is null",
            case.person.0,
            case.employer.0,
            case.year,
            at
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "insert into handing_in (person_id, employer_id, year, handed_in_at, handed_in_by, in_window)
             values ($1, $2, $3, $4, $5, $6)",
            case.person.0,
            case.employer.0,
            case.year,
            at,
            by,
            in_window
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes the case, or renews what the reviewer holds; until when, or `None` while another holds it.
    pub async fn claim_case(
        &mut self,
        case: CaseKey,
        reviewer: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let until = at + CASE_LEASE;
        let done = sqlx::query!(
            "insert into review_case as c (person_id, employer_id, year, reviewer, claimed_at, lease_expires_at)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (person_id, employer_id, year) do update
             set claimed_at = case when c.reviewer = excluded.reviewer and c.lease_expires_at > $5 then c.claimed_at else $5 end,
                 reviewer = excluded.reviewer, lease_expires_at = excluded.lease_expires_at
             where c.reviewer = excluded.reviewer or c.lease_expires_at <= $5",
            case.person.0,
            case.employer.0,
            case.year,
            reviewer,
            at,
            until
        )
        .execute(self.connection())
        .await?;
        Ok((done.rows_affected() == 1).then_some(until))
    }

    /// Renews the case for its reviewer; false if it is not (or no longer) theirs.
    pub async fn renew_case(&mut self, case: CaseKey, reviewer: &str, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update review_case set lease_expires_at = $6
             where person_id = $1 and employer_id = $2 and year = $3 and reviewer = $4 and lease_expires_at > $5",
            case.person.0,
            case.employer.0,
            case.year,
            reviewer,
            at,
            at + CASE_LEASE
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives the case back; false if it was not the reviewer's.
    pub async fn release_case(&mut self, case: CaseKey, reviewer: &str, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "delete from review_case
             where person_id = $1 and employer_id = $2 and year = $3 and reviewer = $4 and lease_expires_at > $5",
            case.person.0,
            case.employer.0,
            case.year,
            reviewer,
            at
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Who works on the case at an instant.
    pub async fn find_holder(&mut self, case: CaseKey, at: DateTime<Utc>) -> Result<Option<Holder>, StoreError> {
        Ok(sqlx::query_as!(
            Holder,
            "select reviewer, lease_expires_at as until from review_case
             where person_id = $1 and employer_id = $2 and year = $3 and lease_expires_at > $4",
            case.person.0,
            case.employer.0,
            case.year,
            at
        )
        .fetch_optional(self.connection())
        .await?)
    }
}

impl Store {
    /// When each placement of an employer's year was handed in, last.
    pub async fn list_handed_in(
        &self,
        employer: UnitId,
        year: i32,
    ) -> Result<HashMap<PersonId, DateTime<Utc>>, StoreError> {
        let rows = sqlx::query!(
            "select person_id, handed_in_at from handing_in where employer_id = $1 and year = $2 and replaced_at is null",
            employer.0,
            year as i16
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (PersonId(row.person_id), row.handed_in_at)).collect())
    }

    /// When anything of an employer's year was handed in within the window, last.
    pub async fn handed_in_at(&self, employer: UnitId, year: i32) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(sqlx::query_scalar!(
            "select max(handed_in_at) from handing_in where employer_id = $1 and year = $2 and in_window",
            employer.0,
            year as i16
        )
        .fetch_one(&self.pool)
        .await?)
    }
}
