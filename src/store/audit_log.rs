//! Reading the audit log: newest first, page by page.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Store, StoreError};
use crate::domain::facts::PersonId;

/// Which rows are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// What it was done to: exactly this, or what begins with these words.
    pub object: Option<String>,
    pub actor: Option<String>,
    pub since: Option<DateTime<Utc>>,
    /// Who looked at or changed anything of this person.
    pub person: Option<PersonId>,
    /// Only rows before this one.
    pub before: Option<i64>,
}

/// One row of the audit.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AuditLine {
    pub audit_id: i64,
    pub at: DateTime<Utc>,
    pub actor: String,
    /// Not known of rows from before there were roles.
    pub role: Option<String>,
    pub on_behalf_of: Option<String>,
    pub action: String,
    pub object: String,
    pub why: Option<String>,
    /// Keyed digests of what stood before and after, hexadecimal.
    pub before: Option<String>,
    pub after: Option<String>,
    pub detail: serde_json::Value,
}

impl Store {
    /// `limit` rows, newest first.
    pub async fn list_audit(&self, filter: &AuditFilter, limit: i64) -> Result<Vec<AuditLine>, StoreError> {
        Ok(sqlx::query_as!(
            AuditLine,
            r#"select audit_id, at, actor, role, on_behalf_of, action, object, why, encode(before, 'hex') as before,
                      encode(after, 'hex') as after, detail
               from audit
               where ($1::text is null or object = $1 or starts_with(object, $1 || ' '))
                 and ($2::text is null or actor = $2) and ($3::timestamptz is null or at >= $3)
                 and ($4::bigint is null or audit_persons(object, detail) @> array[$4]) and ($5::bigint is null or audit_id < $5)
               order by audit_id desc limit $6"#,
            filter.object,
            filter.actor,
            filter.since,
            filter.person.map(|person| person.0),
            filter.before,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
