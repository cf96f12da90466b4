//! What others than the scheduler ask of its tables.

use chrono::{DateTime, Utc};

use super::metrics::CountFigure;
use super::{Store, StoreError};

/// The work that waits.
#[derive(Clone, Debug, Default)]
pub struct QueueFigures {
    /// By state; those that are done are not counted.
    pub tasks: Vec<CountFigure>,
    /// When the oldest that may begin was due.
    pub oldest_due_at: Option<DateTime<Utc>>,
}

impl Store {
    /// How much work waits.
    pub async fn queue_figures(&self) -> Result<QueueFigures, StoreError> {
        let tasks: Vec<(String, i64)> = sqlx::query_as(
            "select state, count(*) from task where state in ('waiting', 'queued', 'running', 'dead') group by state order by state",
        )
        .fetch_all(&self.pool)
        .await?;
        let oldest_due_at =
            sqlx::query_scalar("select min(due_at) from task where state = 'queued'").fetch_one(&self.pool).await?;
        let tasks = tasks.into_iter().map(|(name, count)| CountFigure { name, count }).collect();
        Ok(QueueFigures { tasks, oldest_due_at })
    }

    /// Removes fires and finished work from before an instant, so many rows at a time; how many went.
    pub(super) async fn remove_finished_work(&self, before: DateTime<Utc>, at_once: i64) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let fires = sqlx::query(
                "delete from fire where ctid = any (array (select ctid from fire where decided_at < $1 limit $2))",
            )
            .bind(before)
            .bind(at_once)
            .execute(&self.pool)
            .await?
            .rows_affected();
            removed += fires;
            if fires == 0 {
                break;
            }
        }
        loop {
            let tasks = sqlx::query(
                "with old as materialized (
                     select task_id from task t where state in ('done', 'discarded') and finished_at < $1
                       and not exists (select from fire f where f.task_id = t.task_id) limit $2),
                 forgotten as (update run set task_id = null where task_id in (select task_id from old))
                 delete from task where task_id in (select task_id from old)",
            )
            .bind(before)
            .bind(at_once)
            .execute(&self.pool)
            .await?
            .rows_affected();
            removed += tasks;
            if tasks == 0 {
                return Ok(removed);
            }
        }
    }
}
