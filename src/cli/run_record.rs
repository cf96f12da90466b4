//! `renzheng runs show`: one run's record, also while it goes on.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;

use super::Ended;
use super::context::Context;
use super::output::Output;
use crate::clock::rfc3339;
use crate::store::journal::RunLogLine;
use crate::store::page_log::SoFar;
use crate::store::runs::{BatchLine, RunLine};

#[derive(Args)]
pub(super) struct ShowArgs {
    /// Its number or id
    id: String,
    /// Print what it says as it says it, until it ends
    #[arg(long)]
    follow: bool,
}

/// So often a run that is followed is looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(500);

/// One run with all that is kept of it.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    run: RunLine,
    stages: Vec<Stage>,
    /// Of a pull that goes on: how far it has come.
    progress: Option<SoFar>,
    /// The task it worked for, and what should have gone before and did not.
    task_id: Option<i64>,
    missing: Vec<String>,
    batches: Vec<BatchLine>,
    lines: Vec<RunLogLine>,
}

#[derive(Serialize)]
struct Stage {
    name: String,
    began_at: DateTime<Utc>,
    /// None while it goes on.
    seconds: Option<f64>,
}

/// What a followed run prints meanwhile.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Heard<'a> {
    Line(&'a RunLogLine),
    Progress(SoFar),
}

pub(super) async fn show(context: &Context, args: &ShowArgs, out: Output) -> anyhow::Result<Ended> {
    let found = context.run(&args.id).await?;
    let run = if args.follow { follow(context, found, out).await? } else { found };
    let shown = gather(context, run).await?;
    out.value(&shown, |shown| describe(shown, !args.follow))?;
    Ok(Ended::Done)
}

/// Prints what the run says and how far it is until it has ended; gives it as it ended.
async fn follow(context: &Context, mut run: RunLine, out: Output) -> anyhow::Result<RunLine> {
    let (mut heard, mut progress) = (0, None);
    loop {
        heard = tell_lines(context, &run, heard, out).await?;
        if run.finished_at.is_some() {
            return Ok(run);
        }
        let so_far = context.store.find_so_far(run.run_id).await?;
        if let Some(so_far) = so_far.filter(|so_far| progress != Some(*so_far)) {
            progress = Some(so_far);
            out.value(&Heard::Progress(so_far), |_| describe_progress(so_far))?;
        }
        tokio::time::sleep(LOOKED_AT_EVERY).await;
        run = context.run(&run.run_id.to_string()).await?;
    }
}

/// Prints what the run said after a line; the last line now.
async fn tell_lines(context: &Context, run: &RunLine, after: i32, out: Output) -> anyhow::Result<i32> {
    let lines = context.store.list_run_lines(run.run_number, after).await?;
    for line in &lines {
        out.value(&Heard::Line(line), |_| describe_line(line))?;
    }
    Ok(lines.last().map_or(after, |line| line.line_number))
}

async fn gather(context: &Context, run: RunLine) -> anyhow::Result<Shown> {
    let store = &context.store;
    let progress = if run.finished_at.is_none() { store.find_so_far(run.run_id).await? } else { None };
    let batches = store.batches_of(run.run_id).await?;
    let all = store.list_run_lines(run.run_number, 0).await?;
    let stages = stages_of(&all, run.finished_at);
    let lines = all.into_iter().filter(|line| line.level != "stage").collect();
    let (task_id, missing) = store.task_of_run(run.run_id).await?;
    Ok(Shown { run, stages, progress, task_id, missing, batches, lines })
}

/// A stage ends where the next begins, the last with the run.
fn stages_of(lines: &[RunLogLine], finished_at: Option<DateTime<Utc>>) -> Vec<Stage> {
    let began: Vec<&RunLogLine> = lines.iter().filter(|line| line.level == "stage").collect();
    let ends = began.iter().skip(1).map(|line| Some(line.at)).chain([finished_at]);
    let stage = |(line, ended_at): (&&RunLogLine, Option<DateTime<Utc>>)| Stage {
        name: line.text.clone(),
        began_at: line.at,
        seconds: ended_at.map(|at| (at - line.at).as_seconds_f64()),
    };
    began.iter().zip(ends).map(stage).collect()
}

fn describe_progress(so_far: SoFar) -> String {
    let SoFar { pages, counts } = so_far;
    format!("{pages} pages, {} rows read, {} to be stored, {} refused", counts.read, counts.written(), counts.refused)
}

fn describe_line(line: &RunLogLine) -> String {
    format!("{}  {:5}  {}", rfc3339(line.at), line.level, line.text)
}

fn describe(shown: &Shown, with_lines: bool) -> String {
    let Shown { run, stages, progress, task_id, missing, batches, lines: said } = shown;
    let mut lines = vec![
        format!("run        {} ({})", run.run_number, run.run_id),
        format!("job        {} ({})", run.job, run.kind),
        format!("state      {}", run.state),
        format!("by         {}, {}", run.actor, run.because),
        format!("for        {}", run.business_date),
        format!("started    {}", rfc3339(run.started_at)),
        format!("finished   {}", run.finished_at.map(rfc3339).unwrap_or_default()),
        format!("counts     {}", run.counts),
    ];
    lines.extend(task_id.iter().map(|task_id| format!("task       {task_id}")));
    lines.extend(run.error.iter().map(|why| format!("why        {why}")));
    lines.extend(missing.iter().map(|missing| format!("without    {missing}")));
    lines.extend(progress.map(|so_far| format!("so far     {}", describe_progress(so_far))));
    lines.extend(stages.iter().map(|stage| {
        let took = stage.seconds.map_or_else(|| "goes on".to_owned(), |seconds| format!("{seconds:.1} s"));
        format!("stage      {}: {took}, from {}", stage.name, rfc3339(stage.began_at))
    }));
    for batch in batches {
        let range = match (batch.since, batch.until) {
            (Some(since), Some(until)) => format!(" from {} to before {}", rfc3339(since), rfc3339(until)),
            (Some(since), None) => format!(" since {}", rfc3339(since)),
            _ => String::new(),
        };
        lines.push(format!(
            "batch {}: {}, {}{range}, {} pages, begun {}, contract {}",
            batch.batch_id,
            batch.state,
            batch.asked,
            batch.pages,
            rfc3339(batch.began_at),
            batch.contract
        ));
        lines.extend(batch.notes.iter().map(|note| format!("    {note}")));
        lines.extend(batch.why.iter().map(|why| format!("    {why}")));
    }
    if with_lines && !said.is_empty() {
        lines.push("said:".to_owned());
        lines.extend(said.iter().map(|line| format!("    {}", describe_line(line))));
    }
    lines.join("\n")
}
