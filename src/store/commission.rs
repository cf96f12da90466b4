//! For whom a store works. Who lost the task it works for changes nothing any more: every transaction that begins or ends a run, brings a
//! delivery further or writes results asks for the task's token.

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::tasks::{Claimed, Lease};
use super::{Store, StoreError};

/// For whom a store works: what its runs are written down for.
#[derive(Clone, Debug)]
pub(super) struct Commission {
    pub(super) lease: Lease,
    pub(super) job: String,
    pub(super) missing: Vec<String>,
    /// Why its runs begin.
    pub(super) because: String,
    /// The business date of its runs; none: the day on which they begin.
    pub(super) date: Option<NaiveDate>,
}

impl Store {
    /// The same store, working for a task: the runs it starts are the task's.
    #[must_use]
    pub fn working_for(&self, task: &Claimed) -> Self {
        let Claimed { lease, kind, key, job, missing, attempt, .. } = task;
        let because = format!("task {}, {kind} `{key}`, attempt {attempt}", lease.task_id);
        let (lease, job, missing) = (lease.clone(), job.clone(), missing.clone());
        let commission = Commission { lease, job, missing, because, date: task.date_of_runs() };
        Self { commission: Some(std::sync::Arc::new(commission)), ..self.clone() }
    }

    /// That the task this store works for is still its worker's, and stays so until the transaction ends. Without a task there is nothing
    /// to ask: whoever works by hand holds a lock.
    ///
    /// Of a transaction that takes long it is the last statement: while it holds, the claim cannot be renewed.
    pub(super) async fn ensure_ours(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let Some(Commission { lease, .. }) = self.commission.as_deref() else { return Ok(()) };
        let ours = sqlx::query_scalar!(
            "select task_id from task where task_id = $1 and lease_token = $2 for share",
            lease.task_id,
            lease.token
        )
        .fetch_optional(connection)
        .await?;
        ours.map(drop).ok_or(StoreError::LeaseLost)
    }
}
