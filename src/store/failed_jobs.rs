//! How jobs ended last, as far as that says whether they are well: a whole run by hand, or a task, which is tried again by itself until it is
//! done or given up.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};

/// How the last of a job ended.
#[derive(Clone, Debug)]
pub struct LastEnd {
    pub job: String,
    /// Refused records were read once more; nothing else was pulled.
    pub replay: bool,
    /// The run that tells of it.
    pub run_number: Option<i32>,
    /// As the run has it.
    pub state: String,
    pub ended_at: DateTime<Utc>,
    pub error: Option<String>,
}

impl LastEnd {
    pub fn failed(&self) -> bool {
        matches!(self.state.as_str(), "failed" | "timed_out" | "crashed")
    }
}

impl Store {
    /// How the last of each of these jobs ended. Runs of one person or employer, of a range or a part say nothing of the job, nor do runs of a
    /// task that is tried again.
    pub async fn last_ends(&self, jobs: &[String]) -> Result<Vec<LastEnd>, StoreError> {
        Ok(sqlx::query_as!(
            LastEnd,
            r#"select distinct on (job, replay) job as "job!", replay as "replay!", run_number, state as "state!", ended_at as "ended_at!", error
               from (select j.job, false as replay, r.run_number,
                            case t.state when 'dead' then coalesce(r.state, 'failed') else t.state end as state, t.finished_at as ended_at,
                            coalesce(t.error, r.error) as error
                     from unnest($1::text[]) as j (job)
                     cross join lateral (select task_id, state, finished_at, error from task
                                         where task.job = j.job and backfill_id is null and from_on is null and finished_at is not null
                                         order by finished_at desc, task_id desc limit 1) as t
                     left join lateral (select run_number, run.state, run.error from run where run.task_id = t.task_id
                                        order by run_number desc limit 1) as r on true
                     union all
                     select j.job, k.replay, r.run_number, r.state, r.finished_at, r.error
                     from unnest($1::text[]) as j (job) cross join (values (false), (true)) as k (replay)
                     cross join lateral (select run_number, state, finished_at, error from run
                                         where run.job = j.job and task_id is null and not part and (kind = 'replay') = k.replay
                                           and finished_at is not null
                                         order by started_at desc, run_number desc limit 1) as r) as ended
               order by job, replay, ended_at desc, run_number desc nulls last"#,
            jobs
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
