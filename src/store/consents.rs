//! Standing consents: an employer agreed beforehand to be completed on the last day. Off unless given, never changed, only revoked.

use chrono::{DateTime, Utc};

use super::change::Change;
use super::{Store, StoreError};
use crate::domain::declaration::Commitment;
use crate::domain::facts::UnitId;

/// A consent in force.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Consent {
    pub employer: UnitId,
    pub given_at: DateTime<Utc>,
    pub given_by: String,
    /// The text that was accepted with it.
    pub commitment: Commitment,
}

impl Change {
    /// False if one is in force already.
    pub async fn give_consent(&mut self, year: i32, consent: &Consent) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "insert into standing_consent (employer_id, year, given_at, given_by, commitment_version, commitment_hash)
             values ($1, $2, $3, $4, $5, $6) on conflict (employer_id, year) where revoked_at is null do nothing",
            consent.employer.0,
            year as i16,
            consent.given_at,
            consent.given_by,
            consent.commitment.version,
            consent.commitment.hash
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// False if none is in force.
    pub async fn revoke_consent(
        &mut self,
        employer: UnitId,
        year: i32,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update standing_consent set revoked_at = $3, revoked_by = $4
             where employer_id = $1 and year = $2 and revoked_at is null",
            employer.0,
            year as i16,
            at,
            by
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

impl Store {
    pub async fn find_consent(&self, employer: UnitId, year: i32) -> Result<Option<Consent>, StoreError> {
        let row = sqlx::query!(
            "select given_at, given_by, commitment_version, commitment_hash from standing_consent
             where employer_id = $1 and year = $2 and revoked_at is null",
            employer.0,
            year as i16
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Consent {
            employer,
            given_at: row.given_at,
            given_by: row.given_by,
            commitment: Commitment { version: row.commitment_version, hash: row.commitment_hash },
        }))
    }

    /// Employers whose consent for the year is in force, after one and in their order; so many at most.
    pub async fn list_consenting(&self, year: i32, after: UnitId, limit: i64) -> Result<Vec<UnitId>, StoreError> {
        let rows = sqlx::query_scalar!(
            "select employer_id from standing_consent where year = $1 and revoked_at is null and employer_id > $2
             order by employer_id limit $3",
            year as i16,
            after.0,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(UnitId).collect())
    }
}
