//! Refused records for people: never their content.

use serde::Serialize;

use super::{Store, StoreError};
use crate::domain::month::Month;

/// One open refused record.
#[derive(Clone, Debug, Serialize)]
pub struct QuarantineLine {
    pub quarantine_id: i64,
    pub job: String,
    pub batch_id: i32,
    pub page_number: i32,
    pub row_number: i32,
    pub code: String,
    pub field: Option<String>,
    pub detail: String,
    pub person_id: Option<i64>,
    #[serde(serialize_with = "as_month")]
    pub period: Option<i32>,
}

/// A stored month as people write it.
#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn as_month<S: serde::Serializer>(index: &Option<i32>, serializer: S) -> Result<S::Ok, S::Error> {
    index.and_then(Month::from_index).serialize(serializer)
}

impl Store {
    /// Open refused records, newest first; of one job if named.
    pub async fn list_quarantine(&self, job: Option<&str>, limit: i64) -> Result<Vec<QuarantineLine>, StoreError> {
        Ok(sqlx::query_as!(
            QuarantineLine,
            r#"select quarantine_id, job, q.batch_id, page_number, row_number, code, field, detail,
                      person_id as "person_id?", period
               from quarantine q join source using (source_id) join batch b on b.batch_id = q.batch_id
               left join person p on p.id_index = q.id_index
               where closed_seq is null and b.state in ('published', 'held') and ($1::text is null or job = $1)
               order by quarantine_id desc limit $2"#,
            job,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
