//! Runs: one row for each execution of a job or command.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::{Store, StoreError};
use crate::clock;

/// What was started.
#[derive(Clone, Debug)]
pub struct Started {
    pub run_id: Uuid,
    /// The small number that result rows carry.
    pub number: i32,
    pub at: DateTime<Utc>,
    pub business_date: NaiveDate,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Done,
    DoneWithRefusals,
    Held,
    Failed,
}

impl Ending {
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::DoneWithRefusals => "done_with_refusals",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

/// One line of the run history.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RunLine {
    pub run_id: Uuid,
    pub kind: String,
    pub job: String,
    pub state: String,
    pub actor: String,
    pub business_date: NaiveDate,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub counts: serde_json::Value,
    pub error: Option<String>,
}

impl Store {
    pub async fn start_run(&self, kind: &str, job: &str, actor: &str) -> Result<Started, StoreError> {
        let at = self.now().await?;
        let run_id = clock::uuid_v7(at);
        let business_date = clock::business_date(at);
        let number = sqlx::query_scalar!(
            "insert into run (run_id, kind, job, state, actor, business_date, started_at)
             values ($1, $2, $3, 'running', $4, $5, $6) returning run_number",
            run_id,
            kind,
            job,
            actor,
            business_date,
            at
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Started { run_id, number, at, business_date })
    }

    pub async fn finish_run(
        &self,
        run: &Started,
        ending: Ending,
        counts: &serde_json::Value,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        let at = self.now().await?;
        let done = sqlx::query!(
            "update run set state = $2, finished_at = $3, counts = $4, error = $5 where run_id = $1 and state = 'running'",
            run.run_id,
            ending.as_str(),
            at,
            counts,
            error
        )
        .execute(&self.pool)
        .await?;
        super::ensure_affected(&done, 1)
    }

    /// The latest runs, newest first; of one job if named.
    pub async fn list_runs(&self, job: Option<&str>, limit: i64) -> Result<Vec<RunLine>, StoreError> {
        Ok(sqlx::query_as!(
            RunLine,
            "select run_id, kind, job, state, actor, business_date, started_at, finished_at, counts, error from run
             where $1::text is null or job = $1 order by run_number desc limit $2",
            job,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The latest run of every job.
    pub async fn last_runs(&self) -> Result<Vec<RunLine>, StoreError> {
        Ok(sqlx::query_as!(
            RunLine,
            "select distinct on (job) run_id, kind, job, state, actor, business_date, started_at, finished_at, counts, error
             from run order by job, run_number desc"
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Runs of a job that still say they go on although whoever ran them is gone. The caller holds the job's source.
    pub async fn close_cut_off_runs(&self, job: &str) -> Result<(), StoreError> {
        let at = self.now().await?;
        sqlx::query!(
            "update run set state = 'failed', finished_at = $2, error = 'cut off; the next run went on from there'
             where job = $1 and state = 'running'",
            job,
            at
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
