//! Runs: one row for each execution of a job or command.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Store, StoreError, page_log};
use crate::clock;

/// A run that says nothing for so long is over; who runs it says so every few seconds.
const SILENCE: Duration = Duration::from_mins(2);

/// What was started.
#[derive(Clone, Debug)]
pub struct Started {
    pub run_id: Uuid,
    /// The small number that result rows carry.
    pub number: i32,
    pub at: DateTime<Utc>,
    pub business_date: NaiveDate,
}

/// Who starts a run, and why.
#[derive(Clone, Copy, Debug)]
pub struct Trigger<'a> {
    pub actor: &'a str,
    /// `started by hand`, or what a schedule says.
    pub because: &'a str,
    /// The job that is run, where what runs is not called as its job.
    pub job: Option<&'a str>,
    /// The business date, where that is not the day on which it begins.
    pub date: Option<NaiveDate>,
    /// Only a part of what the job does: it says nothing of whether the job is well.
    pub part: bool,
}

impl Trigger<'_> {
    /// A run of only a part, if `part`.
    #[must_use]
    pub fn of_part(self, part: bool) -> Self {
        Self { part, ..self }
    }
}

impl<'a> From<&'a str> for Trigger<'a> {
    fn from(actor: &'a str) -> Self {
        Self { actor, because: "started by hand", job: None, date: None, part: false }
    }
}

impl<'a> From<&'a String> for Trigger<'a> {
    fn from(actor: &'a String) -> Self {
        actor.as_str().into()
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Done,
    DoneWithRefusals,
    Held,
    Failed,
    /// It took longer than it may.
    TimedOut,
    /// What it held was given up by a person, or gave way to the same delivery that came again.
    Discarded,
}

impl Ending {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::DoneWithRefusals => "done_with_refusals",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Discarded => "discarded",
        }
    }
}

/// One line of the run history.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct RunLine {
    pub run_id: Uuid,
    /// The small number by which people name it.
    pub run_number: i32,
    pub kind: String,
    pub job: String,
    pub state: String,
    pub actor: String,
    /// Why it began.
    pub because: String,
    pub business_date: NaiveDate,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub counts: serde_json::Value,
    pub error: Option<String>,
}

impl Store {
    /// Writes down that a run begins. A store that works for a task writes down the task, its job, and what the task began without.
    pub async fn start_run<'a>(
        &self,
        kind: &str,
        job: &str,
        by: impl Into<Trigger<'a>>,
    ) -> Result<Started, StoreError> {
        let Trigger { actor, because, job: named, date, part } = by.into();
        let at = self.now().await?;
        let run_id = clock::uuid_v7(at);
        let task = self.commission.as_deref();
        let date = date.or_else(|| task.and_then(|task| task.date));
        let business_date = date.unwrap_or_else(|| clock::business_date(at));
        let mut transaction = self.begin().await?;
        self.ensure_ours(&mut transaction).await?;
        let number = sqlx::query_scalar!(
            "insert into run (run_id, kind, job, state, actor, because, business_date, started_at, task_id, missing, part)
             values ($1, $2, $3, 'running', $4, $5, $6, $7, $8, $9, $10) returning run_number",
            run_id,
            kind,
            named.or(task.map(|task| task.job.as_str())).unwrap_or(job),
            actor,
            task.map_or(because, |task| task.because.as_str()),
            business_date,
            at,
            task.map(|task| task.lease.task_id),
            task.map_or(&[][..], |task| &task.missing),
            part
        )
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Started { run_id, number, at, business_date })
    }

    /// Its record says how it ended. A run that was taken for dead and was not says so too.
    pub async fn finish_run(
        &self,
        run: &Started,
        ending: Ending,
        counts: &serde_json::Value,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        let at = self.now().await?;
        let mut transaction = self.begin().await?;
        self.ensure_ours(&mut transaction).await?;
        let done = sqlx::query!(
            "update run set state = $2, finished_at = $3, counts = $4, error = $5
             where run_id = $1 and state in ('running', 'crashed')",
            run.run_id,
            ending.as_str(),
            at,
            counts,
            error
        )
        .execute(&mut *transaction)
        .await?;
        super::ensure_affected(&done, 1)?;
        Ok(transaction.commit().await?)
    }

    /// The latest runs, newest first; of one job if named.
    pub async fn list_runs(
        &self,
        job: Option<&str>,
        before: Option<i32>,
        limit: i64,
    ) -> Result<Vec<RunLine>, StoreError> {
        Ok(sqlx::query_as!(
            RunLine,
            "select run_id, run_number, kind, job, state, actor, because, business_date, started_at,
                    finished_at, counts, error from run
             where ($1::text is null or job = $1) and ($2::int is null or run_number < $2) order by run_number desc limit $3",
            job,
            before,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The latest run of every job.
    pub async fn last_runs(&self) -> Result<Vec<RunLine>, StoreError> {
        Ok(sqlx::query_as!(
            RunLine,
            "select distinct on (job) run_id, run_number, kind, job, state, actor, because, business_date, started_at,
                    finished_at, counts, error
             from run order by job, run_number desc"
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Runs of a job that still say they go on although whoever ran them is gone. The caller holds the job's source.
    pub async fn close_cut_off_runs(&self, job: &str) -> Result<(), StoreError> {
        let at = self.now().await?;
        let mut transaction = self.begin().await?;
        self.ensure_ours(&mut transaction).await?;
        close_runs(&mut transaction, Gone::OfJob(job), at).await?;
        Ok(transaction.commit().await?)
    }

    /// Runs, whichever, that stopped saying that they go on: whoever ran them is gone. How many there were.
    pub async fn close_crashed_runs(&self) -> Result<u64, StoreError> {
        let at = self.now().await?;
        let mut transaction = self.begin().await?;
        let closed = close_runs(&mut transaction, Gone::Silent, at).await?;
        transaction.commit().await?;
        Ok(closed)
    }

    /// Says that the run goes on.
    pub(super) async fn keep_run_alive(&self, run: &Started) -> Result<(), StoreError> {
        sqlx::query!("update run set alive_at = clock_timestamp() where run_id = $1 and state = 'running'", run.run_id)
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
            "select run_id, run_number, kind, job, state, actor, because, business_date, started_at,
                    finished_at, counts, error from run
             where run_number = $1 or run_id = $2",
            number,
            id
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// What should have gone before the run and did not; and the task it worked for.
    pub async fn task_of_run(&self, run_id: Uuid) -> Result<(Option<i64>, Vec<String>), StoreError> {
        let row =
            sqlx::query!("select task_id, missing from run where run_id = $1", run_id).fetch_one(&self.pool).await?;
        Ok((row.task_id, row.missing))
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

/// Which runs still say that they go on although nobody goes on with them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gone<'a> {
    /// Of a job that nobody else runs now.
    OfJob(&'a str),
    /// Of a task: its worker is gone, or its work was dropped.
    OfTask { task_id: i64, ending: Ending, why: &'a str },
    /// Whoever says nothing for so long.
    Silent,
}

/// Ends such runs: one whose delivery had come to its end ended so. What was read until then is counted. How many there were.
pub(super) async fn close_runs(
    connection: &mut PgConnection,
    gone: Gone<'_>,
    at: DateTime<Utc>,
) -> Result<u64, StoreError> {
    const CRASHED: &str = "cut off: its process was gone; the next run goes on from there";
    let (job, task_id, ending, why) = match gone {
        Gone::OfJob(job) => (Some(job), None, "crashed", CRASHED),
        Gone::OfTask { task_id, ending, why } => (None, Some(task_id), ending.as_str(), why),
        Gone::Silent => (None, None, "crashed", CRASHED),
    };
    let runs = sqlx::query!(
        r#"select run_id, (select state from batch b where b.run_id = r.run_id and state in ('published', 'duplicate', 'held')
                           order by batch_id desc limit 1) as "ended?",
                  (select why from batch b where b.run_id = r.run_id order by batch_id desc limit 1) as why
           from run r
           where state = 'running'
             and (job = $1 or task_id = $2
                  or $1::text is null and $2::bigint is null and alive_at < clock_timestamp() - make_interval(secs => $3))
           order by run_number"#,
        job,
        task_id,
        SILENCE.as_secs_f64()
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut closed = 0;
    for run in runs {
        let (state, why) = match run.ended.as_deref() {
            Some("held") => ("held", run.why),
            Some(_) => ("done", run.why),
            None => (ending, Some(why.to_owned())),
        };
        let so_far = page_log::so_far(connection, run.run_id).await?;
        closed += sqlx::query!(
            "update run set state = $2, finished_at = $3, error = $4, counts = coalesce($5, counts)
             where run_id = $1 and state = 'running'",
            run.run_id,
            state,
            at,
            why,
            so_far.and_then(|read| serde_json::to_value(read).ok())
        )
        .execute(&mut *connection)
        .await?
        .rows_affected();
    }
    Ok(closed)
}

/// The last run of a task that was given up says so; one that never had a run gets one, for people to find.
pub(super) async fn tell_given_up(
    connection: &mut PgConnection,
    task_id: i64,
    error: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let told = sqlx::query!(
        "update run set state = case state when 'running' then 'failed' else state end, error = $2, finished_at = coalesce(finished_at, $3)
         where run_number = (select max(run_number) from run where task_id = $1) and state in ('running', 'failed', 'timed_out', 'crashed')",
        task_id,
        error,
        at
    )
    .execute(&mut *connection)
    .await?;
    if told.rows_affected() > 0 {
        return Ok(());
    }
    sqlx::query!(
        "insert into run (run_id, kind, job, state, actor, because, business_date, started_at, finished_at, error, task_id, missing)
         select $2, kind, job, 'failed', created_by, 'task ' || task_id || ' was given up before a run began', business_date, $3, $3, $4,
                task_id, missing from task where task_id = $1",
        task_id,
        clock::uuid_v7(at),
        at,
        error
    )
    .execute(connection)
    .await?;
    Ok(())
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
