//! The audit log: every write of consequence and every sensitive read.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Store, StoreError};

impl Store {
    /// Writes an audit row by itself: for reads, which change nothing else.
    pub async fn audit(
        &self,
        at: DateTime<Utc>,
        actor: &str,
        action: &str,
        object: &str,
        detail: &serde_json::Value,
    ) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        write(&mut connection, at, actor, action, object, detail).await
    }
}

/// Writes it in the transaction of what it is about.
pub(super) async fn write(
    connection: &mut PgConnection,
    at: DateTime<Utc>,
    actor: &str,
    action: &str,
    object: &str,
    detail: &serde_json::Value,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into audit (at, actor, action, object, detail) values ($1, $2, $3, $4, $5)",
        at,
        actor,
        action,
        object,
        detail
    )
    .execute(connection)
    .await?;
    Ok(())
}
