//! `renzheng backfill`: a long range of days of some sources, part by part, beside the night's work and never before it.

use chrono::NaiveDate;
use clap::Subcommand;
use serde::Serialize;

use super::context::{Context, usage};
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::clock;
use crate::config::{Job, JobKind};
use crate::domain::access::Action;
use crate::schedule::backfill::{Step, parts};
use crate::store::backfills::{BackfillLine, NewBackfill};
use crate::store::task_history::TaskLine;
use crate::store::tasks::{NewTask, Priority};

#[derive(Subcommand)]
pub(super) enum BackfillCommand {
    /// Queue the parts of a range; a serving process pulls them
    Start {
        /// Names of the jobs, pulls all of them
        #[arg(required = true, value_name = "JOB")]
        sources: Vec<String>,
        /// First day (Shanghai) of the records' stamps
        #[arg(long, value_name = "DATE")]
        from: NaiveDate,
        /// Last day
        #[arg(long, value_name = "DATE")]
        to: NaiveDate,
        /// How long each part is: days, weeks, months or years, such as 10d, 1w, 1m, 1y
        #[arg(long, default_value = "1m")]
        step: String,
        /// Parts that may be under way at once; a source is read by one pull at a time
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
        parallel: u16,
    },
    /// List the backfills
    List,
    /// Show one with its parts
    Show {
        /// Its number
        id: i32,
    },
    /// Begin no further part
    Pause {
        /// Its number
        id: i32,
    },
    /// Go on
    Resume {
        /// Its number
        id: i32,
    },
    /// Try the parts that were given up once more, and no others
    Retry {
        /// Its number
        id: i32,
    },
}

/// A backfill with its parts.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    backfill: BackfillLine,
    state: &'static str,
    tasks: Vec<TaskLine>,
}

/// A backfill for programs.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    backfill: &'a BackfillLine,
    state: &'static str,
}

impl<'a> Line<'a> {
    fn of(backfill: &'a BackfillLine) -> Self {
        Self { backfill, state: backfill.state() }
    }
}

pub(super) async fn run(common: &Common, command: &BackfillCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::Operate).await?;
    let outcome = decide(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn decide(context: &Context, command: &BackfillCommand, out: Output) -> anyhow::Result<Ended> {
    let store = &context.store;
    match command {
        BackfillCommand::Start { sources, from, to, step, parallel } => {
            return start(context, sources, (*from, *to), (step, *parallel), out).await;
        }
        BackfillCommand::List => return list(context, out).await,
        BackfillCommand::Show { id } => {
            let backfill = get(context, *id).await?;
            let tasks = store.list_parts(*id).await?;
            out.value(&Shown { state: backfill.state(), backfill, tasks }, describe)?;
            return Ok(Ended::Done);
        }
        BackfillCommand::Pause { id } => {
            get(context, *id).await?;
            if !store.pause_backfill(*id, &context.actor).await? {
                return Err(usage(format!("backfill {id} is paused already")));
            }
        }
        BackfillCommand::Resume { id } => {
            get(context, *id).await?;
            if !store.resume_backfill(*id, &context.actor).await? {
                return Err(usage(format!("backfill {id} is not paused")));
            }
        }
        BackfillCommand::Retry { id } => {
            get(context, *id).await?;
            if store.retry_backfill(*id, &context.actor).await? == 0 {
                return Err(usage(format!("no part of backfill {id} was given up")));
            }
        }
    }
    let (BackfillCommand::Pause { id } | BackfillCommand::Resume { id } | BackfillCommand::Retry { id }) = command
    else {
        return Ok(Ended::Done);
    };
    let backfill = get(context, *id).await?;
    out.value(&Line::of(&backfill), |line| told(line.backfill))?;
    Ok(Ended::Done)
}

async fn get(context: &Context, id: i32) -> anyhow::Result<BackfillLine> {
    let found = context.store.list_backfills(Some(id)).await?.into_iter().next();
    found.ok_or_else(|| usage(format!("there is no backfill {id}; `renzheng backfill list` lists them")))
}

async fn start(
    context: &Context,
    names: &[String],
    (from, to): (NaiveDate, NaiveDate),
    (step, parallel): (&str, u16),
    out: Output,
) -> anyhow::Result<Ended> {
    let jobs = context.jobs().await?;
    let mut sources: Vec<&Job> = Vec::with_capacity(names.len());
    for name in names {
        let Some(job) = jobs.iter().find(|job| job.name == *name) else {
            let known: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
            return Err(usage(format!("there is no job `{name}`; there are {}", known.join(", "))));
        };
        if job.kind != JobKind::Pull {
            return Err(usage(format!("only pulls can be backfilled; `{}` is a {}", job.name, job.kind)));
        }
        if sources.iter().any(|other| other.name == job.name) {
            return Err(usage(format!("`{name}` is named twice")));
        }
        sources.push(job);
    }
    let cut = Step::parse(step).and_then(|step| parts(from, to, step)).map_err(|error| usage(error.to_string()))?;
    let now = context.store.now().await?;
    let new = NewBackfill { from, to, step: step.to_owned(), parallel, parts: cut };
    let part = |job: &&Job| NewTask {
        kind: job.kind.as_str(),
        key: String::new(),
        job: job.name.clone(),
        days: None,
        business_date: clock::business_date(now),
        priority: Priority::Backfill,
        due_at: now,
        after: Vec::new(),
        patient_until: None,
        attempts: job.retry.attempts,
        created_by: context.actor.name.clone(),
    };
    let parts: Vec<NewTask> = sources.iter().map(part).collect();
    let id = context.store.start_backfill(&new, &parts, &context.actor).await?;
    let backfill = get(context, id).await?;
    out.value(&Line::of(&backfill), |line| told(line.backfill))?;
    Ok(Ended::Done)
}

async fn list(context: &Context, out: Output) -> anyhow::Result<Ended> {
    let backfills = context.store.list_backfills(None).await?;
    if out.is_json() {
        for backfill in &backfills {
            out.json(&Line::of(backfill))?;
        }
        return Ok(Ended::Done);
    }
    let row = |line: &BackfillLine| {
        let numbers = [line.parts, line.done, line.running, line.failed].map(|number| number.to_string());
        let (id, from, to) = (line.backfill_id.to_string(), line.from_on.to_string(), line.to_on.to_string());
        [vec![id, line.jobs.join(", "), from, to, line.step.clone(), line.state().to_owned()], numbers.to_vec()]
            .concat()
    };
    let rows: Vec<Vec<String>> = backfills.iter().map(row).collect();
    let header = ["id", "job", "from", "to", "step", "state", "parts", "done", "running", "failed"];
    out.line(table(&header, &rows, &[0, 6, 7, 8, 9]))?;
    Ok(Ended::Done)
}

fn told(line: &BackfillLine) -> String {
    format!(
        "backfill {} of {}, {} to {}: {}; {} of {} parts done, {} failed",
        line.backfill_id,
        line.jobs.join(", "),
        line.from_on,
        line.to_on,
        line.state(),
        line.done,
        line.parts,
        line.failed
    )
}

fn describe(shown: &Shown) -> String {
    let mut lines = vec![told(&shown.backfill)];
    lines.extend(shown.tasks.iter().map(|task| {
        let days = task.from_on.zip(task.to_on).map(|(from, to)| format!("{from} to {to}")).unwrap_or_default();
        let outcome = task.outcome.as_ref().map(|outcome| format!(" ({outcome})")).unwrap_or_default();
        let error = task.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        format!(
            "    task {} {} {days} {}{outcome}, attempt {}{error}",
            task.task_id, task.job, task.state, task.attempt
        )
    }));
    lines.join("\n")
}
