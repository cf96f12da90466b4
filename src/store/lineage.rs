//! Where a stored record came from: the thread from a verdict back to source, delivery, page and row.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::{Store, StoreError};
use crate::domain::facts::{PersonId, RecordKind, VersionId};

/// The origin of one version of a record. It names no person.
#[derive(Clone, Debug, Serialize, sqlx::FromRow, JsonSchema)]
pub struct Origin {
    pub version_id: i64,
    /// The pull job.
    pub source: String,
    pub batch_id: i32,
    pub page_number: i32,
    pub row_number: i32,
    /// When the fetch of that delivery began.
    pub delivered_at: DateTime<Utc>,
    /// The agency's own stamp.
    pub updated_at: DateTime<Utc>,
}

impl Store {
    /// The origins of these versions of one person's records of one kind; filings have no person.
    pub async fn origins(
        &self,
        record: RecordKind,
        person: PersonId,
        versions: &[VersionId],
    ) -> Result<Vec<Origin>, StoreError> {
        if versions.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<i64> = versions.iter().map(|version| version.0).collect();
        Ok(sqlx::query_as(AssertSqlSafe(format!(
            "select v.version_id, s.job as source, v.batch_id, v.page_number, v.row_number, b.began_at as delivered_at,
                    v.updated_at
             from {} v join batch b using (batch_id) join source s on s.source_id = v.source_id
             where {} and v.version_id = any($1) order by v.version_id",
            record.as_str(),
            if record == RecordKind::DispatchFiling { "$2 is not null" } else { "v.person_id = $2" }
        )))
        .bind(&ids)
        .bind(person.0)
        .fetch_all(&self.pool)
        .await?)
    }
}
