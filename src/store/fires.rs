//! Fires: each time at which a job was to run, with what was decided and why. However many processes decide, a fire is decided once.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Postgres, Transaction};

use super::audit::Act;
use super::change::Done;
use super::tasks::{NewTask, insert_task};
use super::{Store, StoreError};
use crate::domain::access::Actor;
use crate::domain::facts::words;

words! {
    /// What became of a fire.
    Decision {
        Run = "run",
        /// The run before it still went on.
        SkippedOverlap = "skipped_overlap",
        /// Nothing ran at its time, and the job wants missed fires left out.
        SkippedMisfire = "skipped_misfire",
        /// A later fire runs for it.
        Coalesced = "coalesced",
        Paused = "paused",
    }
}

/// A fire, decided.
#[derive(Clone, Debug)]
pub struct Decided {
    pub nominal_at: DateTime<Utc>,
    pub business_date: NaiveDate,
    pub decision: Decision,
    /// In words, for people.
    pub why: String,
    /// The work of a fire that runs.
    pub task: Option<NewTask>,
}

/// How far a job's fires are decided.
#[derive(Clone, Debug)]
pub struct ScheduleLine {
    pub job: String,
    /// Cron line and zone by which it was decided last.
    pub line: Option<String>,
    pub decided_until: DateTime<Utc>,
    pub pause: Option<Pause>,
    pub resumed_at: Option<DateTime<Utc>>,
}

/// Why a job does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    pub at: DateTime<Utc>,
    pub by: String,
    pub why: String,
}

/// Work of a job that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    pub task_id: i64,
    /// It began at least once.
    pub begun: bool,
}

/// One line of the history of fires.
#[derive(Clone, Debug, serde::Serialize)]
pub struct FireLine {
    pub job: String,
    pub nominal_at: DateTime<Utc>,
    pub business_date: NaiveDate,
    pub decision: String,
    pub why: String,
    pub decided_at: DateTime<Utc>,
    pub task_id: Option<i64>,
    /// The task's state, its error where it has one, and the number of its last run.
    pub task_state: Option<String>,
    pub error: Option<String>,
    pub run_number: Option<i32>,
}

/// A job's schedule, locked: nobody else decides on its fires before this is committed.
pub struct Deciding {
    transaction: Transaction<'static, Postgres>,
    pub schedule: ScheduleLine,
    at: DateTime<Utc>,
}

impl Deciding {
    /// The job's work that is not over, oldest first; parts of backfills are no runs of its own.
    pub async fn open_tasks(&mut self) -> Result<Vec<Open>, StoreError> {
        let rows = sqlx::query!(
            r#"select task_id, attempt > 0 as "begun!" from task
               where job = $1 and backfill_id is null and state in ('waiting', 'queued', 'running') order by task_id"#,
            self.schedule.job
        )
        .fetch_all(&mut *self.transaction)
        .await?;
        Ok(rows.into_iter().map(|row| Open { task_id: row.task_id, begun: row.begun }).collect())
    }

    /// Writes the fires down and queues the work of those that run. Whatever was decided before stands.
    pub async fn save_fires(&mut self, fires: &[Decided]) -> Result<(), StoreError> {
        for fire in fires {
            let task_id = match &fire.task {
                // work of that name may be there: then the fire is its
                Some(task) => match insert_task(&mut self.transaction, task, None, self.at).await? {
                    Some(task_id) => Some(task_id),
                    None => {
                        sqlx::query_scalar!(
                            "select task_id from task where kind = $1 and key = $2",
                            task.kind,
                            task.key
                        )
                        .fetch_optional(&mut *self.transaction)
                        .await?
                    }
                },
                None => None,
            };
            sqlx::query!(
                "insert into fire (job, nominal_at, business_date, decision, why, decided_at, task_id)
                 values ($1, $2, $3, $4, $5, $6, $7) on conflict (job, nominal_at) do nothing",
                self.schedule.job,
                fire.nominal_at,
                fire.business_date,
                fire.decision.as_str(),
                fire.why,
                self.at,
                task_id
            )
            .execute(&mut *self.transaction)
            .await?;
        }
        Ok(())
    }

    /// Fires up to here are decided, by this line.
    pub async fn commit(mut self, decided_until: DateTime<Utc>, line: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "update schedule set decided_until = greatest(decided_until, $2), line = $3 where job = $1",
            self.schedule.job,
            decided_until,
            line
        )
        .execute(&mut *self.transaction)
        .await?;
        Ok(self.transaction.commit().await?)
    }
}

struct ScheduleRow {
    job: String,
    line: Option<String>,
    decided_until: DateTime<Utc>,
    paused_at: Option<DateTime<Utc>>,
    paused_by: Option<String>,
    paused_why: Option<String>,
    resumed_at: Option<DateTime<Utc>>,
}

impl From<ScheduleRow> for ScheduleLine {
    fn from(row: ScheduleRow) -> Self {
        let pause = row.paused_at.map(|at| Pause {
            at,
            by: row.paused_by.unwrap_or_default(),
            why: row.paused_why.unwrap_or_default(),
        });
        let ScheduleRow { job, line, decided_until, resumed_at, .. } = row;
        Self { job, line, decided_until, pause, resumed_at }
    }
}

impl Store {
    /// Locks a job's schedule to decide on its fires. One that is seen for the first time begins at `at`: it does not fire for the past.
    pub async fn decide_fires(&self, job: &str, at: DateTime<Utc>) -> Result<Deciding, StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query!("insert into schedule (job, decided_until) values ($1, $2) on conflict (job) do nothing", job, at)
            .execute(&mut *transaction)
            .await?;
        let row = sqlx::query_as!(
            ScheduleRow,
            "select job, line, decided_until, paused_at, paused_by, paused_why, resumed_at from schedule where job = $1 for update",
            job
        )
        .fetch_one(&mut *transaction)
        .await?;
        Ok(Deciding { transaction, schedule: row.into(), at })
    }

    /// All schedules that were ever decided on.
    pub async fn list_schedules(&self) -> Result<Vec<ScheduleLine>, StoreError> {
        let rows = sqlx::query_as!(
            ScheduleRow,
            "select job, line, decided_until, paused_at, paused_by, paused_why, resumed_at from schedule order by job"
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// From now on the job's fires are passed over. False if it is paused already.
    pub async fn pause_job(&self, job: &str, actor: &Actor, why: &str) -> Result<bool, StoreError> {
        let at = self.now().await?;
        let mut change = self.change().await?;
        let paused = sqlx::query!(
            "insert into schedule (job, decided_until, paused_at, paused_by, paused_why) values ($1, $2, $2, $3, $4)
             on conflict (job) do update set paused_at = $2, paused_by = $3, paused_why = $4 where schedule.paused_at is null",
            job,
            at,
            actor.name,
            why
        )
        .execute(change.connection())
        .await?;
        let paused = paused.rows_affected() == 1;
        if paused {
            change.record(&Act::operate(at, actor, "pause", format!("job {job}"), Some(why))).await?;
        }
        change.answer(&Done { changed: paused }).await?;
        change.commit().await?;
        Ok(paused)
    }

    /// The job runs again from its next fire on. False if it was not paused.
    pub async fn resume_job(&self, job: &str, actor: &Actor) -> Result<bool, StoreError> {
        let at = self.now().await?;
        let mut change = self.change().await?;
        let resumed = sqlx::query!(
            "update schedule set paused_at = null, paused_by = null, paused_why = null, resumed_at = $2
             where job = $1 and paused_at is not null",
            job,
            at
        )
        .execute(change.connection())
        .await?;
        let resumed = resumed.rows_affected() == 1;
        if resumed {
            change.record(&Act::operate(at, actor, "resume", format!("job {job}"), None)).await?;
        }
        change.answer(&Done { changed: resumed }).await?;
        change.commit().await?;
        Ok(resumed)
    }

    /// The latest fires, newest first; of one job if named.
    pub async fn list_fires(&self, job: Option<&str>, limit: i64) -> Result<Vec<FireLine>, StoreError> {
        Ok(sqlx::query_as!(
            FireLine,
            r#"select f.job, f.nominal_at, f.business_date, f.decision, f.why, f.decided_at, f.task_id, t.state as "task_state?", t.error,
                      (select max(run_number) from run r where r.task_id = f.task_id) as run_number
               from fire f left join task t on t.task_id = f.task_id
               where $1::text is null or f.job = $1 order by f.nominal_at desc, f.job limit $2"#,
            job,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
