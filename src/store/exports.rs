//! Exports that a job decided to make: their range is kept before anything is written, so that what was interrupted is made the same again.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::change::Change;
use super::{Store, StoreError, ensure_affected};

/// An export of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Export {
    pub export_id: i32,
    pub year: i16,
    /// The beginning of the tax divisions it holds; empty: all.
    pub division: String,
    pub formats: Vec<String>,
    /// Publishes after this one …
    pub from_seq: i64,
    /// … up to and with this one.
    pub to_seq: i64,
    /// What it holds, in order.
    pub messages: Vec<Uuid>,
    pub created_at: DateTime<Utc>,
}

/// What a job wants to export next.
#[derive(Clone, Copy, Debug)]
pub struct Planned<'a> {
    pub job: &'a str,
    pub year: i16,
    pub division: &'a str,
    pub formats: &'a [String],
    pub from_seq: i64,
    pub to_seq: i64,
    pub messages: &'a [Uuid],
}

impl Store {
    /// The job's exports that were decided and are not delivered, oldest first.
    pub async fn list_undelivered_exports(&self, job: &str) -> Result<Vec<Export>, StoreError> {
        Ok(sqlx::query_as!(
            Export,
            "select export_id, year, division, formats, from_seq, to_seq, messages, created_at from export
             where job = $1 and delivered_at is null order by export_id",
            job
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The publish up to which the job's exports of a year go; 0 before the first.
    pub async fn exported_until(&self, job: &str, year: i16) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select coalesce(max(to_seq), 0) as "until!" from export where job = $1 and year = $2"#,
            job,
            year
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// The division of the job's latest export, if it made one: its exports follow each other, so that all of them are of that one.
    pub async fn exported_division(&self, job: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar!("select division from export where job = $1 order by export_id desc limit 1", job)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// It is where it should be, whole.
    pub async fn mark_delivered(&self, export_id: i32, at: DateTime<Utc>) -> Result<(), StoreError> {
        let done = sqlx::query!(
            "update export set delivered_at = coalesce(delivered_at, $2) where export_id = $1",
            export_id,
            at
        )
        .execute(&self.pool)
        .await?;
        ensure_affected(&done, 1)
    }
}

impl Change {
    /// Decides an export; errs where another process decided the same.
    pub async fn plan_export(&mut self, planned: Planned<'_>, at: DateTime<Utc>) -> Result<Export, StoreError> {
        Ok(sqlx::query_as!(
            Export,
            "insert into export (job, year, division, formats, from_seq, to_seq, messages, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             returning export_id, year, division, formats, from_seq, to_seq, messages, created_at",
            planned.job,
            planned.year,
            planned.division,
            planned.formats,
            planned.from_seq,
            planned.to_seq,
            planned.messages,
            at
        )
        .fetch_one(self.connection())
        .await?)
    }
}
