//! 运行: jobs, their runs, and what is given up or tried once more.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::describe::{Access, operation};
use super::why::Why;
use crate::declare::Done;
use crate::declare::operate::{TaskStep, decide_task, may_operate, pause_job, resume_job};
use crate::domain::access::{Action, Denied};
use crate::store::runs::RunLine;
use crate::store::task_history::TaskLine;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, cursor, limit_of};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    const TAG: &str = "operations";
    let access = Access::installation(Action::Operate);
    ApiRouter::new()
        .api_route(
            "/jobs",
            get_with(list_jobs, operation("list_jobs", TAG, access, "What runs by itself, and how it stands")),
        )
        .api_route(
            "/jobs/{job}/pause",
            post_with(pause, operation("pause_job", TAG, access, "Pass over a job's fires from now on")),
        )
        .api_route(
            "/jobs/{job}/resumption",
            post_with(resume, operation("resume_job", TAG, access, "Run a paused job again, from its next fire on")),
        )
        .api_route("/runs", get_with(list_runs, operation("list_runs", TAG, access, "What ran, newest first")))
        .api_route(
            "/tasks/{task_id}",
            get_with(read_task, operation("read_task", TAG, access, "One task of the scheduler")),
        )
        .api_route(
            "/tasks/{task_id}/retry",
            post_with(retry, operation("retry_task", TAG, access, "Try a task that was given up once more")),
        )
        .api_route(
            "/tasks/{task_id}/discard",
            post_with(discard, operation("discard_task", TAG, access, "Give a task up for good")),
        )
}

/// A job, as its schedule and its last run tell it.
#[derive(Serialize, JsonSchema)]
struct JobLine {
    job: String,
    last_run: Option<RunLine>,
    /// Up to when it is decided what runs.
    decided_until: Option<DateTime<Utc>>,
    paused_by: Option<String>,
    paused_why: Option<String>,
    waiting: i64,
    queued: i64,
    running: i64,
    /// The last task that ended was given up.
    failing: bool,
}

#[derive(Deserialize, JsonSchema)]
struct OfJob {
    /// Its name
    job: String,
}

#[derive(Deserialize, JsonSchema)]
struct OfTask {
    task_id: i64,
}

/// Which runs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Runs {
    /// Only those of this job.
    #[schemars(length(max = 100))]
    job: Option<String>,
    /// `next` of the page before.
    #[schemars(length(max = 200))]
    after: Option<String>,
    /// Rows of the page at most; 100 where nothing is said.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u16>,
}

async fn list_jobs(State(site): State<Site>, Holder(actor): Holder) -> Result<Reply<Page<JobLine>>, Problem> {
    may_operate(&actor)?;
    let store = &site.store;
    let (mut last_runs, schedules, work) =
        tokio::try_join!(store.last_runs(), store.list_schedules(), store.list_job_work())?;
    let mut names: Vec<String> = last_runs.iter().map(|run| run.job.clone()).collect();
    names.extend(schedules.iter().map(|schedule| schedule.job.clone()));
    names.sort();
    names.dedup();
    let lines = names.into_iter().map(|job| {
        let schedule = schedules.iter().find(|schedule| schedule.job == job);
        let pause = schedule.and_then(|schedule| schedule.pause.as_ref());
        let work = work.iter().find(|work| work.job == job);
        let last_run = last_runs.extract_if(.., |run| run.job == job).next();
        JobLine {
            last_run,
            decided_until: schedule.map(|schedule| schedule.decided_until),
            paused_by: pause.map(|pause| pause.by.clone()),
            paused_why: pause.map(|pause| pause.why.clone()),
            waiting: work.map_or(0, |work| work.waiting),
            queued: work.map_or(0, |work| work.queued),
            running: work.map_or(0, |work| work.running),
            failing: work.is_some_and(|work| work.failing),
            job,
        }
    });
    Ok(Reply(Page::whole(lines.collect())))
}

async fn pause(
    Writer { actor, store }: Writer,
    Path(of): Path<OfJob>,
    Body(Why { why }): Body<Why>,
) -> Result<Reply<Done>, Problem> {
    may_operate(&actor)?;
    let known = store.list_schedules().await?.iter().any(|schedule| schedule.job == of.job);
    if !known {
        return Err(Denied::NotFound.into());
    }
    Ok(Reply(pause_job(&store, &actor, &of.job, &why).await?))
}

async fn resume(Writer { actor, store }: Writer, Path(of): Path<OfJob>) -> Result<Reply<Done>, Problem> {
    Ok(Reply(resume_job(&store, &actor, &of.job).await?))
}

async fn list_runs(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(asked): Query<Runs>,
) -> Result<Reply<Page<RunLine>>, Problem> {
    may_operate(&actor)?;
    let limit = limit_of(asked.limit)?;
    let before = cursor(asked.after.as_deref())?;
    let runs = site.store.list_runs(asked.job.as_deref(), before, limit as i64 + 1).await?;
    Ok(Reply(Page::of(runs, limit, |run| run.run_number.to_string())))
}

async fn read_task(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfTask>,
) -> Result<Reply<TaskLine>, Problem> {
    may_operate(&actor)?;
    Ok(Reply(site.store.find_task(of.task_id).await?.ok_or(Denied::NotFound)?))
}

async fn retry(writer: Writer, of: Path<OfTask>, why: Body<Why>) -> Result<Reply<Done>, Problem> {
    decide(writer, of, why, TaskStep::Retry).await
}

async fn discard(writer: Writer, of: Path<OfTask>, why: Body<Why>) -> Result<Reply<Done>, Problem> {
    decide(writer, of, why, TaskStep::Discard).await
}

async fn decide(
    Writer { actor, store }: Writer,
    Path(of): Path<OfTask>,
    Body(Why { why }): Body<Why>,
    step: TaskStep,
) -> Result<Reply<Done>, Problem> {
    decide_task(&store, &actor, of.task_id, step, &why).await?;
    Ok(Reply(Done::CHANGED))
}
