//! Work as others see it: what goes first and how it ended, what is open, what was given up and what a person decides about it.

use chrono::{DateTime, NaiveDate, Utc};

use super::audit::Act;
use super::change::Done;
use super::tasks::ring;
use super::{Store, StoreError};
use crate::domain::access::Actor;

/// Work that waits for jobs that go first.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub task_id: i64,
    pub job: String,
    pub business_date: NaiveDate,
    pub after: Vec<String>,
    pub patient_until: Option<DateTime<Utc>>,
}

/// How a job stands on a business date, for those that wait for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub job: String,
    /// Work of that date is not over.
    pub open: bool,
    /// How its last work of that date ended: `done`, `done_with_refusals`, `held`.
    pub outcome: Option<String>,
    /// Why its last work of that date was given up.
    pub error: Option<String>,
    /// A person ran it on that date.
    pub ran_by_hand: bool,
    /// Its last fire of that date that did not run: decision and why.
    pub not_run: Option<String>,
}

/// One task for people.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct TaskLine {
    pub task_id: i64,
    pub kind: String,
    pub key: String,
    pub job: String,
    pub state: String,
    pub from_on: Option<NaiveDate>,
    pub to_on: Option<NaiveDate>,
    pub business_date: NaiveDate,
    pub due_at: DateTime<Utc>,
    pub attempt: i32,
    pub barren: i32,
    pub attempts: i32,
    pub missing: Vec<String>,
    pub outcome: Option<String>,
    pub error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    pub finished_at: Option<DateTime<Utc>>,
}

/// How a job's work stands now.
#[derive(Clone, Debug)]
pub struct JobWork {
    pub job: String,
    /// Tasks by state; parts of backfills apart from these.
    pub waiting: i64,
    pub queued: i64,
    pub running: i64,
    /// The last that ended was given up.
    pub failing: bool,
}

impl Store {
    /// Work that waits for jobs that go first, oldest first.
    pub async fn list_waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        Ok(sqlx::query_as!(
            Waiting,
            "select task_id, job, business_date, after, patient_until from task where state = 'waiting' order by task_id"
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// How these jobs stand on a business date, in their order.
    pub async fn standings(&self, jobs: &[String], date: NaiveDate) -> Result<Vec<Standing>, StoreError> {
        Ok(sqlx::query_as!(
            Standing,
            r#"select j.job as "job!",
                      exists (select from task t where t.job = j.job and t.business_date = $2 and t.backfill_id is null
                                and t.state in ('waiting', 'queued', 'running')) as "open!",
                      (select outcome from task t where t.job = j.job and t.business_date = $2 and t.from_on is null
                         and t.state = 'done' and exists (select from fire f where f.task_id = t.task_id) order by finished_at desc, task_id desc limit 1) as outcome,
                      (select coalesce(error, state) from task t where t.job = j.job and t.business_date = $2 and t.backfill_id is null
                         and t.state in ('dead', 'discarded') order by finished_at desc, task_id desc limit 1) as error,
                      exists (select from run r where r.job = j.job and r.business_date = $2 and r.task_id is null
                                and not r.part and r.state in ('done', 'done_with_refusals')) as "ran_by_hand!",
                      (select decision || ': ' || why from fire f where f.job = j.job and f.business_date = $2 and f.decision <> 'run'
                         order by nominal_at desc limit 1) as not_run
               from unnest($1::text[]) with ordinality as j (job, place) order by place"#,
            jobs,
            date
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// What goes first is over, or was waited for long enough: the task may begin, without what is missing.
    pub async fn release_task(&self, task_id: i64, missing: &[String]) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query!(
            "update task set state = 'queued', missing = $2 where task_id = $1 and state = 'waiting'",
            task_id,
            missing
        )
        .execute(&mut *transaction)
        .await?;
        ring(&mut transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Whether work of the job that reads all that is due was queued and has not begun.
    pub async fn has_pull_to_come(&self, job: &str) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select exists (select from task where job = $1 and from_on is null and attempt = 0
                                and state in ('waiting', 'queued')) as "exists!""#,
            job
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// How many of a job's last fires in a row were given up, none of them before `since`; `most` at most.
    pub async fn failed_in_a_row(&self, job: &str, since: Option<DateTime<Utc>>, most: u32) -> Result<u32, StoreError> {
        let states = sqlx::query_scalar!(
            "select t.state from task t join fire f using (task_id)
             where t.job = $1 and t.finished_at is not null and ($2::timestamptz is null or t.finished_at >= $2)
             order by t.finished_at desc, t.task_id desc limit $3",
            job,
            since,
            i64::from(most)
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(states.iter().take_while(|state| *state == "dead").count() as u32)
    }

    /// How the work of each job that ever had some stands.
    pub async fn list_job_work(&self) -> Result<Vec<JobWork>, StoreError> {
        Ok(sqlx::query_as!(
            JobWork,
            r#"select job, count(*) filter (where state = 'waiting') as "waiting!", count(*) filter (where state = 'queued') as "queued!",
                      count(*) filter (where state = 'running') as "running!",
                      coalesce((array_agg(state = 'dead' order by finished_at desc, task_id desc) filter (where finished_at is not null))[1],
                               false) as "failing!"
               from task where backfill_id is null group by job"#
        )
        .fetch_all(&self.pool)
        .await?)
    }

    pub async fn find_task(&self, task_id: i64) -> Result<Option<TaskLine>, StoreError> {
        Ok(sqlx::query_as!(
            TaskLine,
            "select task_id, kind, key, job, state, from_on, to_on, business_date, due_at, attempt, barren, attempts, missing, outcome,
                    error, created_at, created_by, finished_at
             from task where task_id = $1",
            task_id
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The parts of a backfill, in their order.
    pub async fn list_parts(&self, backfill_id: i32) -> Result<Vec<TaskLine>, StoreError> {
        Ok(sqlx::query_as!(
            TaskLine,
            "select task_id, kind, key, job, state, from_on, to_on, business_date, due_at, attempt, barren, attempts, missing, outcome,
                    error, created_at, created_by, finished_at
             from task where backfill_id = $1 order by task_id",
            backfill_id
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// A task that was given up is tried again, with all its attempts. False if it is not given up.
    pub async fn retry_dead_task(&self, task_id: i64, actor: &Actor, why: &str) -> Result<bool, StoreError> {
        let at = self.now().await?;
        let mut change = self.change().await?;
        let retried = sqlx::query!(
            "update task set state = 'queued', barren = 0, due_at = $2, finished_at = null where task_id = $1 and state = 'dead'",
            task_id,
            at
        )
        .execute(change.connection())
        .await?;
        let retried = retried.rows_affected() == 1;
        if retried {
            change.record(&Act::operate(at, actor, "retry", format!("task {task_id}"), Some(why))).await?;
            ring(change.connection()).await?;
            change.answer(&Done::CHANGED).await?;
        }
        change.commit().await?;
        Ok(retried)
    }

    /// A task that was given up, or has not begun, will not be tried any more. False if it is neither.
    pub async fn discard_task(&self, task_id: i64, actor: &Actor, why: &str) -> Result<bool, StoreError> {
        let at = self.now().await?;
        let mut change = self.change().await?;
        let discarded = sqlx::query!(
            "update task set state = 'discarded', finished_at = $2 where task_id = $1 and state in ('dead', 'queued', 'waiting')",
            task_id,
            at
        )
        .execute(change.connection())
        .await?;
        let discarded = discarded.rows_affected() == 1;
        if discarded {
            change.record(&Act::operate(at, actor, "discard", format!("task {task_id}"), Some(why))).await?;
            change.answer(&Done::CHANGED).await?;
        }
        change.commit().await?;
        Ok(discarded)
    }
}
