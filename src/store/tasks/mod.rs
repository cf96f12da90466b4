//! The table of work: a task is queued once, claimed by one worker at a time under a lease with a random token, and ended by that token.
//!
//! A lease expires by database time whatever business time says, and its attempt is counted when it is claimed: a task that kills its
//! workers runs out of attempts all the same. Whoever lost the lease can change nothing any more.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::PgConnection;
use sqlx::postgres::PgListener;
use uuid::Uuid;

use super::runs::{self, Ending, Gone};
use super::{Store, StoreError};
use crate::clock;

/// How long a claim lasts unless it is renewed. A claim that is not renewed is followed by another soon after.
pub const LEASE: Duration = Duration::from_secs(20);

/// For so long work of a job that this process does not know is left to one that does: of another version, or with other job files.
const UNKNOWN_JOBS_WAIT: TimeDelta = TimeDelta::days(1);

/// Under which name workers are woken. Nobody relies on it: they look from time to time.
const BELL: &str = "renzheng_task";

/// Who goes first: smaller before larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    Night = 0,
    Backfill = 100,
}

/// Work to be queued.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// What its job does: `pull`, `verify`, `push` …
    pub kind: &'static str,
    /// What makes it the same work: queued a second time it vanishes.
    pub key: String,
    pub job: String,
    /// Days of the records to pull, both included; what is due if none are named.
    pub days: Option<(NaiveDate, NaiveDate)>,
    pub business_date: NaiveDate,
    pub priority: Priority,
    /// Business time from which it may begin.
    pub due_at: DateTime<Utc>,
    /// Jobs of the same business date that go first, and until when they are waited for.
    pub after: Vec<String>,
    pub patient_until: Option<DateTime<Utc>>,
    /// Attempts that get nowhere before it is given up.
    pub attempts: u32,
    pub created_by: String,
}

/// What a worker holds while it works. Without the token nothing about the task can be changed.
#[derive(Clone, Debug)]
pub struct Lease {
    pub task_id: i64,
    pub(super) token: Uuid,
}

/// Work in the hands of a worker.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub lease: Lease,
    pub kind: String,
    pub key: String,
    pub job: String,
    pub days: Option<(NaiveDate, NaiveDate)>,
    pub business_date: NaiveDate,
    /// A person asked for this business date, which was not that day's.
    pub asked_for_date: bool,
    /// Jobs that should have gone before and did not, with the reason.
    pub missing: Vec<String>,
    /// Claims with this one; those of them since the last that got somewhere; how many of these there may be.
    pub attempt: u32,
    pub barren: u32,
    pub attempts: u32,
    /// Another worker's lease expired before.
    pub taken_over: bool,
    pub created_by: String,
}

impl Claimed {
    /// The business date of its runs where that is not the day on which they begin: a pull is of its fire's, other work of the one a person
    /// named. A verification that fires late judges for the day on which it runs.
    pub fn date_of_runs(&self) -> Option<NaiveDate> {
        (self.kind == "pull" || self.asked_for_date).then_some(self.business_date)
    }
}

/// Hears that there may be work.
#[derive(Debug)]
pub struct Bell(PgListener);

impl Bell {
    /// Waits until somebody rings. Lost connections are made again; what rang meanwhile is lost.
    pub async fn rung(&mut self) -> Result<(), StoreError> {
        self.0.recv().await?;
        Ok(())
    }
}

/// Queues work in the transaction of what decided it; nothing if the same work is there already.
pub(super) async fn insert_task(
    connection: &mut PgConnection,
    task: &NewTask,
    backfill_id: Option<i32>,
    at: DateTime<Utc>,
) -> Result<Option<i64>, StoreError> {
    let (from, to) = task.days.unzip();
    let state = if task.after.is_empty() { "queued" } else { "waiting" };
    let task_id = sqlx::query_scalar!(
        "insert into task (kind, key, job, from_on, to_on, backfill_id, business_date, priority, state, due_at, after, patient_until,
                           attempts, created_at, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         on conflict (kind, key) do nothing returning task_id",
        task.kind,
        task.key,
        task.job,
        from,
        to,
        backfill_id,
        task.business_date,
        task.priority as i16,
        state,
        task.due_at,
        &task.after,
        task.patient_until,
        task.attempts as i32,
        at,
        task.created_by
    )
    .fetch_optional(&mut *connection)
    .await?;
    ring(connection).await?;
    Ok(task_id)
}

/// Wakes whoever waits for work, once the transaction commits.
pub(super) async fn ring(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("select pg_notify($1, '')").bind(BELL).execute(connection).await?;
    Ok(())
}

/// As what a task's connections are known to the database, so that they can be ended when the task passes to another worker.
pub(super) fn connection_name(task_id: i64) -> String {
    format!("renzheng task {task_id}")
}

impl Store {
    /// Hears of work that is queued from now on.
    pub async fn listen_for_tasks(&self) -> Result<Bell, StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(BELL).await?;
        Ok(Bell(listener))
    }

    /// Queues work; nothing if the same work is there already.
    pub async fn queue_task(&self, task: &NewTask) -> Result<Option<i64>, StoreError> {
        let at = self.now().await?;
        let mut transaction = self.begin().await?;
        let task_id = insert_task(&mut transaction, task, None, at).await?;
        transaction.commit().await?;
        Ok(task_id)
    }

    /// Takes the work that goes first of all that may begin at `at` (business time), or whose worker let its lease expire. Of one job only one
    /// task runs at a time. Parts of a backfill are taken only `with_backfills`, as many at once as it says, and none while other work of the
    /// job was begun and is put off: it would give up what that has landed. Work of other jobs than `jobs` is left to a process that knows
    /// them, for a day.
    pub async fn claim_task(
        &self,
        at: DateTime<Utc>,
        jobs: &[String],
        with_backfills: bool,
    ) -> Result<Option<Claimed>, StoreError> {
        loop {
            match self.try_claim(at, jobs, with_backfills).await {
                // another worker took another task of the same job at the same moment: there is one less to look at
                Err(StoreError::Driver(sqlx::Error::Database(error)))
                    if error.constraint() == Some("task_of_a_job_runs_alone") => {}
                claimed => return claimed,
            }
        }
    }

    async fn try_claim(
        &self,
        at: DateTime<Utc>,
        jobs: &[String],
        with_backfills: bool,
    ) -> Result<Option<Claimed>, StoreError> {
        // by the millisecond, then 74 random bits
        let token = clock::uuid_v7(at);
        let lease_s = LEASE.as_secs_f64();
        let row = sqlx::query!(
            r#"with candidate as (
                   select task_id, state from task t
                   where (state = 'queued' and due_at <= $1 or state = 'running' and lease_expires_at < clock_timestamp())
                     and barren < attempts
                     and (job = any($5) or due_at < $6 and backfill_id is null)
                     and not exists (select from task o where o.job = t.job and o.task_id <> t.task_id
                                       and (o.state = 'running'
                                            or t.backfill_id is not null and o.state = 'queued'
                                               and exists (select from run r where r.task_id = o.task_id)))
                     and (backfill_id is null
                          or $2 and (select paused_at is null
                                         and parallel > (select count(*) from task p
                                                         where p.backfill_id = b.backfill_id and p.task_id <> t.task_id and p.state = 'running')
                                     from backfill b where b.backfill_id = t.backfill_id))
                   order by priority, due_at, task_id limit 1 for update skip locked)
               update task t set state = 'running', lease_token = $3, lease_expires_at = clock_timestamp() + make_interval(secs => $4),
                      attempt = attempt + 1, barren = barren + 1
               from candidate c where c.task_id = t.task_id
               returning t.task_id, kind, key, job, from_on, to_on, business_date, missing, attempt, barren, attempts, created_at, created_by,
                         exists (select from fire f where f.task_id = t.task_id) as "fired!",
                         c.state = 'running' as "taken_over!""#,
            at,
            with_backfills,
            token,
            lease_s,
            jobs,
            at - UNKNOWN_JOBS_WAIT
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Claimed {
            lease: Lease { task_id: row.task_id, token },
            kind: row.kind,
            key: row.key,
            job: row.job,
            days: row.from_on.zip(row.to_on),
            business_date: row.business_date,
            asked_for_date: !row.fired && clock::business_date(row.created_at) != row.business_date,
            missing: row.missing,
            attempt: row.attempt as u32,
            barren: row.barren as u32,
            attempts: row.attempts as u32,
            taken_over: row.taken_over,
            created_by: row.created_by,
        }))
    }

    /// Ends what a worker that lost the task may still hold: its lock on a source would keep out the one that follows.
    pub async fn end_connections_of(&self, lease: &Lease) -> Result<(), StoreError> {
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where application_name = $1 and datname = current_database()",
        )
        .bind(connection_name(lease.task_id))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Prolongs the lease; false if it is lost, and then whoever works on the task must stop. What got somewhere has all its attempts again.
    pub async fn renew_task(&self, lease: &Lease, progressed: bool) -> Result<bool, StoreError> {
        let renewed = sqlx::query!(
            "update task set lease_expires_at = clock_timestamp() + make_interval(secs => $3),
                    barren = case when $4 then 0 else barren end
             where task_id = $1 and lease_token = $2 and lease_expires_at > clock_timestamp()",
            lease.task_id,
            lease.token,
            LEASE.as_secs_f64(),
            progressed
        )
        .execute(&self.renewals)
        .await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// The work is done; false if it was no longer ours to end.
    pub async fn finish_task(&self, lease: &Lease, ending: Ending, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update task set state = 'done', outcome = $3, error = null, finished_at = $4, lease_token = null, lease_expires_at = null
             where task_id = $1 and lease_token = $2",
            lease.task_id,
            lease.token,
            ending.as_str(),
            at
        )
        .execute(&self.pool)
        .await?;
        self.ring().await?;
        Ok(done.rows_affected() == 1)
    }

    /// The attempt failed and there will be another at `due_at`; false if it was no longer ours.
    pub async fn put_off_task(
        &self,
        lease: &Lease,
        due_at: DateTime<Utc>,
        progressed: bool,
        error: &str,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update task set state = 'queued', due_at = $3, barren = case when $4 then 0 else barren end, error = $5,
                    lease_token = null, lease_expires_at = null
             where task_id = $1 and lease_token = $2",
            lease.task_id,
            lease.token,
            due_at,
            progressed,
            error
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends the runs of a task whose work was dropped in the middle as it ended, if the task is still ours.
    pub async fn close_runs_of_lease(&self, lease: &Lease, ending: Ending, why: &str) -> Result<(), StoreError> {
        let at = self.now().await?;
        let mut transaction = self.begin().await?;
        let ours = sqlx::query_scalar!(
            "select task_id from task where task_id = $1 and lease_token = $2 for update",
            lease.task_id,
            lease.token
        )
        .fetch_optional(&mut *transaction)
        .await?;
        if ours.is_some() {
            let gone = Gone::OfTask { task_id: lease.task_id, ending, why };
            runs::close_runs(&mut transaction, gone, at).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Gives the task back as if it had not been claimed: the worker stops, the work is not to blame. False if it was no longer ours.
    pub async fn hand_back_task(&self, lease: &Lease) -> Result<bool, StoreError> {
        let at = self.now().await?;
        let mut transaction = self.begin().await?;
        let done = sqlx::query!(
            "update task set state = 'queued', attempt = attempt - 1, barren = greatest(barren - 1, 0), lease_token = null,
                    lease_expires_at = null
             where task_id = $1 and lease_token = $2",
            lease.task_id,
            lease.token
        )
        .execute(&mut *transaction)
        .await?;
        let ours = done.rows_affected() == 1;
        if ours {
            // before another can begin one
            let why = "handed back when its worker was stopped; another goes on";
            let gone = Gone::OfTask { task_id: lease.task_id, ending: Ending::Failed, why };
            runs::close_runs(&mut transaction, gone, at).await?;
            ring(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(ours)
    }

    /// Gives the task up: a person decides. Its last run, or one made for it, says so. False if it was no longer ours.
    pub async fn bury_task(&self, lease: &Lease, error: &str, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let done = sqlx::query!(
            "update task set state = 'dead', error = $3, finished_at = $4, lease_token = null, lease_expires_at = null
             where task_id = $1 and lease_token = $2",
            lease.task_id,
            lease.token,
            error,
            at
        )
        .execute(&mut *transaction)
        .await?;
        let ours = done.rows_affected() == 1;
        if ours {
            runs::tell_given_up(&mut transaction, lease.task_id, error, at).await?;
        }
        ring(&mut transaction).await?;
        transaction.commit().await?;
        Ok(ours)
    }

    /// Gives up every task whose workers let its lease expire as often as it may be tried.
    pub async fn bury_spent_tasks(&self, at: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let spent = sqlx::query!(
            r#"update task t
               set state = 'dead', finished_at = $1, lease_token = null, lease_expires_at = null,
                   error = format('given up: its worker was lost in each of the last %s attempts', barren)
                           || coalesce('; before: ' || error, '')
               where task_id in (select task_id from task where state = 'running' and lease_expires_at < clock_timestamp() and barren >= attempts
                                 for update skip locked)
               returning task_id, error as "error!""#,
            at
        )
        .fetch_all(&mut *transaction)
        .await?;
        for task in &spent {
            let gone = Gone::OfTask { task_id: task.task_id, ending: Ending::Failed, why: "its worker was lost" };
            runs::close_runs(&mut transaction, gone, at).await?;
            runs::tell_given_up(&mut transaction, task.task_id, &task.error, at).await?;
        }
        if !spent.is_empty() {
            ring(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(spent.len() as u64)
    }

    async fn ring(&self) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        ring(&mut connection).await
    }
}

#[cfg(test)]
mod tests;
