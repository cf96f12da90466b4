//! What stands behind a cell besides its records: refused records that may be the missing one, and when a publish was.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Store, StoreError};
use crate::domain::facts::{PersonId, RecordKind, UnitId};

/// A refused record that is open at a sequence, without its content.
#[derive(Clone, Debug, Serialize)]
pub struct RefusedRecord {
    pub quarantine_id: i64,
    /// The pull job.
    pub source: String,
    pub batch_id: i32,
    pub page_number: i32,
    pub row_number: i32,
    pub code: String,
    pub field: Option<String>,
    /// When the fetch of that delivery began.
    pub delivered_at: DateTime<Utc>,
    /// Kind of record, by number.
    #[serde(skip)]
    pub record: i16,
    /// What it would have been about, where readable.
    #[serde(skip)]
    pub period: Option<i32>,
    #[serde(skip)]
    pub scheme: Option<i16>,
}

impl Store {
    /// Refused records open at a sequence that are about one person, or filings (which have no person) of one dispatch company.
    pub async fn refused_records(
        &self,
        seq: i64,
        person: PersonId,
        dispatch: Option<UnitId>,
    ) -> Result<Vec<RefusedRecord>, StoreError> {
        Ok(sqlx::query_as!(
            RefusedRecord,
            r#"select q.quarantine_id, s.job as source, q.batch_id, q.page_number, q.row_number, q.code, q.field,
                      b.began_at as delivered_at, b.record, q.period, q.scheme
               from quarantine q join batch b using (batch_id) join source s on s.source_id = q.source_id
               left join person p on p.id_index = q.id_index
               where b.published_seq <= $1 and (q.closed_seq is null or q.closed_seq > $1)
                 and (p.person_id = $2 or q.id_index is null and b.record = $3 and q.unit_id = $4)
               order by q.quarantine_id"#,
            seq,
            person.0,
            i16::from(RecordKind::DispatchFiling.number()),
            dispatch.map(|unit| unit.0)
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// When a publish was, in business time.
    pub async fn published_at(&self, seq: i64) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(sqlx::query_scalar!("select published_at from publish where seq = $1", seq)
            .fetch_optional(&self.pool)
            .await?)
    }
}
