//! What a person decides about a task that was given up, or has not begun: once more, or not at all.

use serde::Serialize;

use super::Ended;
use super::context::{Context, usage};
use super::output::Output;
use crate::declare::operate::{self, OperateError, TaskStep};
use crate::store::task_history::TaskLine;

#[derive(Serialize)]
struct Decided {
    task_id: i64,
    job: String,
    state: &'static str,
}

/// Queues a task once more. A run that belongs to none, or did not fail, is run again instead.
pub(super) async fn retry(context: &Context, id: &str, why: &str, out: Output) -> anyhow::Result<Ended> {
    let Some(task) = find_task(context, id).await? else {
        let run = context.run(id).await?;
        return Err(usage(format!(
            "run {} belongs to no task: `renzheng run {}` runs the job again",
            run.run_number, run.job
        )));
    };
    match operate::decide_task(&context.store, &context.actor, task.task_id, TaskStep::Retry, why).await {
        Err(refused @ OperateError::OtherState { .. }) => {
            return Err(usage(format!("{refused}; `renzheng run {}` runs the job again", task.job)));
        }
        outcome => outcome?,
    };
    let decided = Decided { task_id: task.task_id, job: task.job, state: "queued" };
    out.value(&decided, |decided| {
        format!("task {} of {} is queued again, with all its attempts", decided.task_id, decided.job)
    })?;
    Ok(Ended::Done)
}

/// Gives up a task for good that was given up, or has not begun; false if `id` is a run's that is over in another way, whose delivery may be
/// held.
pub(super) async fn discard(context: &Context, id: &str, why: &str, out: Output) -> anyhow::Result<bool> {
    let Some(task) = find_task(context, id).await? else { return Ok(false) };
    if task.state == "done" && task_number(id).is_none() {
        return Ok(false);
    }
    operate::decide_task(&context.store, &context.actor, task.task_id, TaskStep::Discard, why).await?;
    let decided = Decided { task_id: task.task_id, job: task.job, state: "discarded" };
    out.value(&decided, |decided| format!("task {} of {} is given up for good", decided.task_id, decided.job))?;
    Ok(true)
}

/// `task-7` is a task by its own number: one that has not begun has no run.
fn task_number(id: &str) -> Option<i64> {
    id.strip_prefix("task-")?.parse().ok()
}

async fn find_task(context: &Context, id: &str) -> anyhow::Result<Option<TaskLine>> {
    let store = &context.store;
    if let Some(number) = task_number(id) {
        let task = store.find_task(number).await?;
        return task.map(Some).ok_or_else(|| usage(format!("there is no task {number}")));
    }
    let run = context.run(id).await?;
    let (task_id, _) = store.task_of_run(run.run_id).await?;
    match task_id {
        Some(task_id) => Ok(store.find_task(task_id).await?),
        None => Ok(None),
    }
}
