//! What a person decides about a task that was given up: once more, or for good.

use serde::Serialize;

use super::Ended;
use super::context::{Context, usage};
use super::output::Output;
use crate::store::runs::RunLine;
use crate::store::task_history::TaskLine;

#[derive(Serialize)]
struct Decided {
    task_id: i64,
    job: String,
    state: &'static str,
}

/// Queues the task of a run once more. A run that belongs to none, or did not fail, is run again instead.
pub(super) async fn retry(context: &Context, run: &RunLine, why: &str, out: Output) -> anyhow::Result<Ended> {
    let Some(task) = find_task(context, run).await? else {
        return Err(usage(format!(
            "run {} belongs to no task: `renzheng run {}` runs the job again",
            run.run_number, run.job
        )));
    };
    if !context.store.retry_dead_task(task.task_id, &context.actor, why).await? {
        return Err(usage(format!(
            "task {} of run {} is `{}`: only what was given up is tried once more; `renzheng run {}` runs the job again",
            task.task_id, run.run_number, task.state, run.job
        )));
    }
    let decided = Decided { task_id: task.task_id, job: task.job, state: "queued" };
    out.value(&decided, |decided| {
        format!("task {} of {} is queued again, with all its attempts", decided.task_id, decided.job)
    })?;
    Ok(Ended::Done)
}

/// Gives up the task of a run for good; false if it is not a task's that was given up.
pub(super) async fn discard(context: &Context, run: &RunLine, why: &str, out: Output) -> anyhow::Result<bool> {
    let Some(task) = find_task(context, run).await?.filter(|task| task.state == "dead") else { return Ok(false) };
    if !context.store.discard_task(task.task_id, &context.actor, why).await? {
        return Err(usage(format!("task {} was decided on a moment ago", task.task_id)));
    }
    let decided = Decided { task_id: task.task_id, job: task.job, state: "discarded" };
    out.value(&decided, |decided| format!("task {} of {} is given up for good", decided.task_id, decided.job))?;
    Ok(true)
}

async fn find_task(context: &Context, run: &RunLine) -> anyhow::Result<Option<TaskLine>> {
    let (task_id, _) = context.store.task_of_run(run.run_id).await?;
    match task_id {
        Some(task_id) => Ok(context.store.find_task(task_id).await?),
        None => Ok(None),
    }
}
