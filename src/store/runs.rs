//! Runs: one row for each execution of a job or command.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
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
    /// The small number by which people name it.
    pub run_number: i32,
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
            "select run_id, run_number, kind, job, state, actor, business_date, started_at, finished_at, counts, error from run
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
            "select distinct on (job) run_id, run_number, kind, job, state, actor, business_date, started_at, finished_at, counts, error
             from run order by job, run_number desc"
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Runs of a job that still say they go on although whoever ran them is gone. The caller holds the job's source.
    pub async fn close_cut_off_runs(&self, job: &str) -> Result<(), StoreError> {
        let at = self.now().await?;
        sqlx::query!(
            "update run r set finished_at = $2,
                    state = case when b.ended = 'held' then 'held' when b.ended is not null then 'done' else 'failed' end,
                    error = case when b.ended is null then 'cut off; the next run went on from there' else b.why end
             from (select run_id, (select state from batch where batch.run_id = o.run_id and state in ('published', 'duplicate', 'held')
                                   order by batch_id desc limit 1) as ended,
                          (select why from batch where batch.run_id = o.run_id order by batch_id desc limit 1) as why
                   from run o where job = $1 and state = 'running') as b
             where r.run_id = b.run_id",
            job,
            at
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A run by its number or its id.
    pub async fn find_run(&self, text: &str) -> Result<Option<RunLine>, StoreError> {
        let number: Option<i32> = text.parse().ok();
        let id: Option<Uuid> = text.parse().ok();
        Ok(sqlx::query_as!(
            RunLine,
            "select run_id, run_number, kind, job, state, actor, business_date, started_at, finished_at, counts, error from run
             where run_number = $1 or run_id = $2",
            number,
            id
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The deliveries that the run fetched, or went on with last.
    pub async fn batches_of(&self, run_id: Uuid) -> Result<Vec<BatchLine>, StoreError> {
        Ok(sqlx::query_as!(
            BatchLine,
            r#"select batch_id, state, asked, contract, since, until, began_at, published_seq, counts, notes, why,
                      (select count(*) from batch_page p where p.batch_id = b.batch_id) as "pages!"
               from batch b where run_id = $1 order by batch_id"#,
            run_id
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// A run that held a delivery ends otherwise: a person decided.
    pub(super) async fn decide_run(
        connection: &mut PgConnection,
        run_id: Uuid,
        ending: Ending,
        why: &str,
    ) -> Result<(), StoreError> {
        sqlx::query!("update run set state = $2, error = $3 where run_id = $1", run_id, ending.as_str(), why)
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// One delivery of a run, for people.
#[derive(Clone, Debug, serde::Serialize)]
pub struct BatchLine {
    pub batch_id: i32,
    pub state: String,
    /// `everything`, `changes`, `range`, `persons`, `replay`
    pub asked: String,
    /// Hash of the settings by which it was read.
    pub contract: String,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    pub began_at: DateTime<Utc>,
    pub published_seq: Option<i64>,
    pub pages: i64,
    pub counts: serde_json::Value,
    pub notes: Vec<String>,
    pub why: Option<String>,
}
