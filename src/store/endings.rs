//! How a delivery ends that nobody sees yet: all of it is in, it is held, or given up with its rows.

use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::batches::Batch;
use super::jobs::SourceId;
use super::partitions::partition;
use super::{Store, StoreError, ensure_affected};
use crate::domain::facts::RecordKind;

impl Store {
    /// Everything the source has is in.
    pub async fn complete_batch(&self, batch: &mut Batch, validator: Option<&str>) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        self.ensure_ours(&mut transaction).await?;
        sqlx::query!(
            "update batch set state = 'landed', validator = $2, unchanged = $3
             where batch_id = $1 and run_id = $4 and state = 'fetching'",
            batch.batch_id,
            validator,
            batch.unchanged,
            batch.run_id
        )
        .execute(&mut *transaction)
        .await?;
        batch.complete = true;
        Ok(transaction.commit().await?)
    }

    /// What a person who looks at the delivery should know.
    pub async fn note_batch(&self, batch: &Batch, notes: &[String]) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        self.ensure_ours(&mut transaction).await?;
        sqlx::query!(
            "update batch set notes = $2 where batch_id = $1 and run_id = $3",
            batch.batch_id,
            notes,
            batch.run_id
        )
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Sets a batch aside where people can see why; nothing of it is visible. One that is held already and holds the very same
    /// pages gives way to it.
    pub async fn hold_batch(&self, batch: &Batch, why: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        self.ensure_ours(&mut transaction).await?;
        let same = sqlx::query_scalar!(
            r#"select b.batch_id from batch b
               where b.source_id = $1 and b.state = 'held' and b.batch_id <> $2
                 and (select array_agg(digest order by page_number) from batch_page p where p.batch_id = b.batch_id)
                   is not distinct from (select array_agg(digest order by page_number) from batch_page p where p.batch_id = $2)"#,
            batch.source.0,
            batch.batch_id
        )
        .fetch_all(&mut *transaction)
        .await?;
        for earlier in same {
            let gave_way = format!("the same delivery came again and is held as batch {}", batch.batch_id);
            sqlx::query!(
                "with gone as (update batch set state = 'failed', why = $2 where batch_id = $1 returning run_id)
                 update run set state = 'discarded', error = $2 where run_id in (select run_id from gone) and state = 'held'",
                earlier,
                gave_way
            )
            .execute(&mut *transaction)
            .await?;
            delete_rows(&mut transaction, batch.record, batch.source, earlier).await?;
        }
        save_counts(&mut transaction, batch).await?;
        end_batch(&mut transaction, batch.batch_id, Some(batch.run_id), "held", why).await?;
        Ok(transaction.commit().await?)
    }

    /// Gives a batch up with its rows: the next run of the job starts afresh.
    pub async fn fail_batch(&self, batch: &Batch, why: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        save_counts(&mut transaction, batch).await?;
        end_batch(&mut transaction, batch.batch_id, Some(batch.run_id), "failed", why).await?;
        delete_rows(&mut transaction, batch.record, batch.source, batch.batch_id).await?;
        self.ensure_ours(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }
}

async fn save_counts(connection: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    let counts = serde_json::to_value(batch.counts).unwrap_or_default();
    sqlx::query!("update batch set counts = $2 where batch_id = $1", batch.batch_id, counts)
        .execute(connection)
        .await?;
    Ok(())
}

/// `run_id`: only while it is this run's.
pub(super) async fn end_batch(
    connection: &mut PgConnection,
    batch_id: i32,
    run_id: Option<Uuid>,
    state: &str,
    why: &str,
) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update batch set state = $2, why = $3
         where batch_id = $1 and state in ('fetching', 'landed', 'checked') and ($4::uuid is null or run_id = $4)",
        batch_id,
        state,
        why,
        run_id
    )
    .execute(&mut *connection)
    .await?;
    ensure_affected(&done, 1)?;
    if state == "failed" {
        forget_keys(connection, batch_id).await?;
    }
    Ok(())
}

/// What had to be remembered until the delivery came to its end.
pub(super) async fn forget_keys(connection: &mut PgConnection, batch_id: i32) -> Result<(), StoreError> {
    sqlx::query!("update batch_page set keys = null where batch_id = $1 and keys is not null", batch_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes what a batch brought that nobody ever saw: records, refused ones, notes.
pub(super) async fn delete_rows(
    connection: &mut PgConnection,
    record: RecordKind,
    source: SourceId,
    batch_id: i32,
) -> Result<(), StoreError> {
    let sql = format!("delete from {} where batch_id = $1", partition(record, source));
    sqlx::query(AssertSqlSafe(sql)).bind(batch_id).execute(&mut *connection).await?;
    sqlx::query!("delete from quarantine where batch_id = $1", batch_id).execute(&mut *connection).await?;
    sqlx::query!("delete from record_note where batch_id = $1", batch_id).execute(connection).await?;
    Ok(())
}
