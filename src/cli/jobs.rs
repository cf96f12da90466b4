//! `renzheng jobs`: what is to run, when it ran last and will next, how it stands; why a fire did not run; pausing and resuming.

use chrono::{DateTime, FixedOffset, SubsecRound, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::{Context, checked_jobs, usage};
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::clock::rfc3339;
use crate::config::Job;
use crate::declare::operate;
use crate::domain::access::Action;
use crate::schedule::decide::{LATE, told};
use crate::store::fires::{FireLine, ScheduleLine};
use crate::store::runs::RunLine;
use crate::store::task_history::JobWork;

#[derive(Args)]
pub(super) struct JobsArgs {
    #[command(subcommand)]
    command: Option<JobsCommand>,
}

#[derive(Subcommand)]
enum JobsCommand {
    /// List the times at which jobs were to run: what was decided, why, and what came of it
    Fires {
        /// Only those of this job
        job: Option<String>,
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: i64,
    },
    /// Pass over the job's fires from now on
    Pause {
        job: String,
        /// Why; shown with every fire that is passed over
        #[arg(long)]
        why: String,
    },
    /// Run the job again, from its next fire on
    Resume { job: String },
}

#[derive(Serialize)]
struct Line {
    name: String,
    kind: &'static str,
    schedule: Option<String>,
    timezone: String,
    after: Vec<String>,
    last_run: Option<DateTime<Utc>>,
    /// How the last run ended, or that it goes on.
    last_state: Option<String>,
    /// By the job's own clocks.
    next_run: Option<DateTime<FixedOffset>>,
    /// What a clock change does to it.
    next_run_note: Option<&'static str>,
    /// `idle`, `running`, `waiting`, `paused`, `failing`, `late`
    state: &'static str,
    /// Why it is paused.
    why: Option<String>,
}

pub(super) async fn run(common: &Common, args: &JobsArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::Operate).await?;
    let outcome = match &args.command {
        None => list(&context, out).await,
        Some(JobsCommand::Fires { job, limit }) => fires(&context, job.as_deref(), *limit, out).await,
        Some(JobsCommand::Pause { job, why }) => pause(&context, job, why, out).await,
        Some(JobsCommand::Resume { job }) => resume(&context, job, out).await,
    };
    context.close().await?;
    outcome
}

async fn list(context: &Context, out: Output) -> anyhow::Result<Ended> {
    let lines = lines(context).await?;
    if out.is_json() {
        for line in &lines {
            out.json(line)?;
        }
        return Ok(Ended::Done);
    }
    let row = |line: Line| {
        let next = line.next_run.map(|at| at.to_rfc3339()).unwrap_or_default();
        let note = line.next_run_note.map(|note| format!(" ({note})")).unwrap_or_default();
        let why = line.why.map(|why| format!(" ({why})")).unwrap_or_default();
        vec![
            line.name,
            line.kind.to_owned(),
            line.schedule.unwrap_or_default(),
            line.after.join(" "),
            line.last_run.map(|at| rfc3339(at.trunc_subsecs(0))).unwrap_or_default(),
            line.last_state.unwrap_or_default(),
            format!("{next}{note}"),
            format!("{}{why}", line.state),
        ]
    };
    let rows: Vec<Vec<String>> = lines.into_iter().map(row).collect();
    out.line(table(&["name", "kind", "schedule", "after", "last_run", "ended", "next_run", "state"], &rows, &[]))?;
    Ok(Ended::Done)
}

async fn lines(context: &Context) -> anyhow::Result<Vec<Line>> {
    let store = &context.store;
    let jobs = checked_jobs(&context.settings)?;
    let now = store.now().await?;
    let (last_runs, schedules, work) =
        (store.last_runs().await?, store.list_schedules().await?, store.list_job_work().await?);
    let line = |job: &Job| {
        let last = last_runs.iter().find(|run| run.job == job.name);
        let schedule = schedules.iter().find(|schedule| schedule.job == job.name);
        let next = job.schedule.as_ref().and_then(|cron| cron.next_after(now, &job.timezone));
        Line {
            name: job.name.clone(),
            kind: job.kind.as_str(),
            schedule: job.schedule.as_ref().map(|cron| cron.as_str().to_owned()),
            timezone: job.timezone.name().to_owned(),
            after: job.after.clone(),
            last_run: last.map(|run| run.started_at),
            last_state: last.map(|run| run.state.clone()),
            next_run: next.map(|tick| job.timezone.local(tick.at)),
            next_run_note: next.and_then(|tick| tick.clock_change).map(told),
            state: state(job, now, last, schedule, work.iter().find(|work| work.job == job.name)),
            why: schedule
                .and_then(|schedule| schedule.pause.as_ref())
                .map(|pause| format!("{}: {}", pause.by, pause.why)),
        }
    };
    Ok(jobs.iter().map(line).collect())
}

fn state(
    job: &Job,
    now: DateTime<Utc>,
    last: Option<&RunLine>,
    schedule: Option<&ScheduleLine>,
    work: Option<&JobWork>,
) -> &'static str {
    let due = |schedule: &ScheduleLine| job.schedule.as_ref()?.next_after(schedule.decided_until, &job.timezone);
    let last_is = |state: &str| last.is_some_and(|run| run.state == state);
    if schedule.is_some_and(|schedule| schedule.pause.is_some()) {
        "paused"
    } else if last_is("running") || work.is_some_and(|work| work.running > 0) {
        "running"
    } else if schedule.and_then(due).is_some_and(|tick| now - tick.at > LATE) {
        // nobody decides: no process serves
        "late"
    } else if work.is_some_and(|work| work.waiting + work.queued > 0) {
        "waiting"
    } else if ["failed", "timed_out", "crashed"].into_iter().any(last_is) || work.is_some_and(|work| work.failing) {
        "failing"
    } else {
        "idle"
    }
}

async fn fires(context: &Context, job: Option<&str>, limit: i64, out: Output) -> anyhow::Result<Ended> {
    let jobs = checked_jobs(&context.settings)?;
    let lines = context.store.list_fires(job, limit).await?;
    if let Some(name) = job.filter(|_| lines.is_empty()) {
        find(&jobs, name)?;
    }
    if out.is_json() {
        for line in &lines {
            out.json(line)?;
        }
        return Ok(Ended::Done);
    }
    let row = |line: &FireLine| {
        let zone = jobs.iter().find(|job| job.name == line.job).map(|job| job.timezone.clone()).unwrap_or_default();
        let came_of_it = match (&line.task_state, &line.error) {
            (Some(state), Some(error)) if state != "done" => format!("{state}: {error}"),
            (Some(state), _) => state.clone(),
            (None, _) => String::new(),
        };
        vec![
            zone.local(line.nominal_at).to_rfc3339(),
            line.job.clone(),
            line.business_date.to_string(),
            line.decision.clone(),
            line.why.clone(),
            line.task_id.map(|task_id| task_id.to_string()).unwrap_or_default(),
            line.run_number.map(|run| run.to_string()).unwrap_or_default(),
            came_of_it,
        ]
    };
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    out.line(table(&["fire", "job", "for", "decision", "why", "task", "run", "state"], &rows, &[5, 6]))?;
    Ok(Ended::Done)
}

fn find<'a>(jobs: &'a [Job], name: &str) -> anyhow::Result<&'a Job> {
    jobs.iter().find(|job| job.name == name).ok_or_else(|| {
        let known: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
        usage(format!("there is no job `{name}`; there are {}", known.join(", ")))
    })
}

async fn pause(context: &Context, name: &str, why: &str, out: Output) -> anyhow::Result<Ended> {
    let jobs = checked_jobs(&context.settings)?;
    let job = find(&jobs, name)?;
    if !operate::pause_job(&context.store, &context.actor, &job.name, why).await?.changed {
        return Err(usage(format!("`{name}` is paused already; `renzheng jobs` says why")));
    }
    out.value(&serde_json::json!({ "paused": name }), |_| {
        format!(
            "{name} is paused: its fires are passed over until `renzheng jobs resume {name}`; what is under way goes on"
        )
    })?;
    Ok(Ended::Done)
}

async fn resume(context: &Context, name: &str, out: Output) -> anyhow::Result<Ended> {
    if !operate::resume_job(&context.store, &context.actor, name).await?.changed {
        return Err(usage(format!("`{name}` is not paused")));
    }
    out.value(&serde_json::json!({ "resumed": name }), |_| format!("{name} runs again, from its next fire on"))?;
    Ok(Ended::Done)
}
