//! Pull jobs as sources of records: interned, their settings kept by publish sequence.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};

use super::partitions::ensure_partition;
use super::publish::Cause;
use super::{Store, StoreError};
use crate::domain::facts::{RecordKind, Scheme};

/// A pull job, interned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub i16);

/// What a verification needs to know of a pull job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSettings {
    /// The job's name: the stem of its file.
    pub job: String,
    pub record: RecordKind,
    pub settles_after_days: i32,
    pub stale_after_days: i32,
    /// Empty: every scheme.
    pub schemes: Vec<Scheme>,
    /// Prefixes of the employer's division. Empty: everywhere.
    pub divisions: Vec<String>,
    /// Records of people who are neither certificate holders nor placed are dropped at the door.
    pub concerned_only: bool,
}

/// While it lives, nobody else pulls from the source. It ends with its connection, so that a killed pull holds nothing.
#[derive(Debug)]
pub struct SourceLock {
    _connection: PoolConnection<Postgres>,
}

/// Keeps the locks on sources apart from other advisory locks of the database.
const SOURCE_LOCKS: i32 = 0x5245_4E5A;

impl Store {
    /// Waits until nobody pulls from the source, and keeps others from it.
    pub async fn lock_source(&self, source: SourceId) -> Result<SourceLock, StoreError> {
        let mut connection = self.connection_that_locks().await?;
        lock(&mut connection, source).await?;
        Ok(SourceLock { _connection: connection })
    }

    /// The same, but waits no longer than this; `None`: somebody still pulls from it.
    pub async fn lock_source_within(
        &self,
        source: SourceId,
        patience: Duration,
    ) -> Result<Option<SourceLock>, StoreError> {
        const LOCK_NOT_AVAILABLE: &str = "55P03";
        let mut connection = self.connection_that_locks().await?;
        // by the server: of one that merely hung up the server would wait on
        sqlx::query("select set_config('lock_timeout', $1, false)")
            .bind(format!("{}ms", patience.as_millis().max(1)))
            .execute(&mut *connection)
            .await?;
        match lock(&mut connection, source).await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => Ok(None),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(Some(SourceLock { _connection: connection })),
        }
    }

    /// A connection that ends with the lock it is for.
    async fn connection_that_locks(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        connection.close_on_drop();
        if let Some(task) = self.commission.as_deref() {
            // so that it can be ended when the task passes to another worker, whatever became of this one
            sqlx::query("select set_config('application_name', $1, false)")
                .bind(super::tasks::connection_name(task.lease.task_id))
                .execute(&mut *connection)
                .await?;
        }
        Ok(connection)
    }

    /// Makes the stored settings equal to these; true if anything changed. A job that is not among them ends.
    pub async fn save_jobs(&self, jobs: &[JobSettings], at: DateTime<Utc>) -> Result<bool, StoreError> {
        let stored = self.list_jobs(i64::MAX).await?;
        let changed: Vec<&JobSettings> =
            jobs.iter().filter(|job| !stored.iter().any(|(_, other)| other == *job)).collect();
        let ended: Vec<i16> = stored
            .iter()
            .filter(|(_, old)| !jobs.iter().any(|job| job.job == old.job))
            .map(|(source, _)| source.0)
            .collect();
        if changed.is_empty() && ended.is_empty() {
            return Ok(false);
        }
        let mut publish = self.publish(Cause::Jobs, at).await?;
        let seq = publish.seq();
        sqlx::query!("update job set to_seq = $1 where source_id = any($2) and to_seq is null", seq, &ended)
            .execute(publish.connection())
            .await?;
        for job in changed {
            sqlx::query!("insert into source (job) values ($1) on conflict (job) do nothing", job.job)
                .execute(publish.connection())
                .await?;
            let source = sqlx::query_scalar!("select source_id from source where job = $1", job.job)
                .fetch_one(publish.connection())
                .await?;
            ensure_partition(publish.connection(), job.record, SourceId(source)).await?;
            sqlx::query!("update job set to_seq = $1 where source_id = $2 and to_seq is null", seq, source)
                .execute(publish.connection())
                .await?;
            let schemes: Vec<i16> = job.schemes.iter().map(|scheme| i16::from(scheme.number())).collect();
            sqlx::query!(
                "insert into job (source_id, from_seq, record, settles_after_days, stale_after_days, schemes, divisions,
                                  concerned_only)
                 values ($1, $2, $3, $4, $5, $6, $7, $8)",
                source,
                seq,
                i16::from(job.record.number()),
                job.settles_after_days,
                job.stale_after_days,
                &schemes,
                &job.divisions,
                job.concerned_only
            )
            .execute(publish.connection())
            .await?;
        }
        publish.commit().await?;
        Ok(true)
    }

    /// When these sources came into being, in business time.
    pub async fn sources_set_up(&self, sources: &[SourceId]) -> Result<HashMap<SourceId, DateTime<Utc>>, StoreError> {
        let ids: Vec<i16> = sources.iter().map(|source| source.0).collect();
        let rows = sqlx::query!(
            r#"select source_id, min(published_at) as "at!" from job join publish on seq = from_seq
               where source_id = any($1) group by source_id"#,
            &ids
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (SourceId(row.source_id), row.at)).collect())
    }

    /// The settings in force at a publish sequence.
    pub async fn list_jobs(&self, seq: i64) -> Result<Vec<(SourceId, JobSettings)>, StoreError> {
        let rows = sqlx::query!(
            "select source_id, job, record, settles_after_days, stale_after_days, schemes, divisions, concerned_only
             from job join source using (source_id)
             where from_seq <= $1 and (to_seq is null or to_seq > $1)
             order by source_id",
            seq
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let wrong = |column| StoreError::inconsistent("job", column, row.source_id);
                let settings = JobSettings {
                    job: row.job,
                    record: word(row.record, RecordKind::from_number).ok_or_else(|| wrong("record"))?,
                    settles_after_days: row.settles_after_days,
                    stale_after_days: row.stale_after_days,
                    schemes: row
                        .schemes
                        .iter()
                        .map(|scheme| word(*scheme, Scheme::from_number).ok_or_else(|| wrong("schemes")))
                        .collect::<Result<_, _>>()?,
                    divisions: row.divisions,
                    concerned_only: row.concerned_only,
                };
                Ok((SourceId(row.source_id), settings))
            })
            .collect()
    }
}

async fn lock(connection: &mut PgConnection, source: SourceId) -> Result<(), sqlx::Error> {
    let locked = sqlx::query("select pg_advisory_lock($1, $2)").bind(SOURCE_LOCKS).bind(i32::from(source.0));
    locked.execute(connection).await.map(drop)
}

/// A stored number as the word it stands for.
pub(super) fn word<T>(number: i16, from_number: impl FnOnce(u8) -> Option<T>) -> Option<T> {
    u8::try_from(number).ok().and_then(from_number)
}
