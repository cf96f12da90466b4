//! Of two whole verifications of the same persons one waits for the other: else what the earlier read could stand under the later's mark.

use sqlx::Postgres;
use sqlx::pool::PoolConnection;

use super::facts::Shard;
use super::tasks::connection_name;
use super::{Store, StoreError};

/// While it lives, no other whole verification of these persons begins. It ends with its connection, so that a killed one holds nothing.
#[derive(Debug)]
pub struct VerificationLock {
    _connection: PoolConnection<Postgres>,
}

/// Keep the locks on years and on their shards apart from other advisory locks of the database.
const YEAR_LOCKS: i32 = 0x5645_5259;
const SHARD_LOCKS: i32 = 0x5645_5253;

impl Store {
    /// Waits until nobody verifies this shard of the year, or the whole year, and keeps others from it. Different shards go on beside each
    /// other.
    pub async fn lock_verification(&self, year: i32, shard: Shard) -> Result<VerificationLock, StoreError> {
        let mut connection = self.pool.acquire().await?;
        connection.close_on_drop();
        if let Some(commission) = self.commission.as_deref() {
            // so that it can be ended when the task passes to another worker
            sqlx::query("select set_config('application_name', $1, false)")
                .bind(connection_name(commission.lease.task_id))
                .execute(&mut *connection)
                .await?;
        }
        let whole = shard.of == 1;
        let lock = if whole { "select pg_advisory_lock($1, $2)" } else { "select pg_advisory_lock_shared($1, $2)" };
        sqlx::query(lock).bind(YEAR_LOCKS).bind(year).execute(&mut *connection).await?;
        if !whole {
            // of at most 1000 parts
            let of_year = (i32::from(shard.of) - 1) * 1000 + i32::from(shard.number);
            sqlx::query("select pg_advisory_lock($1, $2)")
                .bind(SHARD_LOCKS)
                .bind(year % 2000 * 1_000_000 + of_year)
                .execute(&mut *connection)
                .await?;
        }
        Ok(VerificationLock { _connection: connection })
    }
}
