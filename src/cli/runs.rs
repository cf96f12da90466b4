//! `renzheng runs`: what ran before, and what a person decides about deliveries that are held.

use clap::{Args, Subcommand};

use super::context::{Context, usage};
use super::output::Output;
use super::table::table;
use super::{Common, Ended, run_record, runs_decide};
use crate::clock::rfc3339;
use crate::domain::access::Action;
use crate::ingest::decide;
use crate::store::runs::RunLine;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct RunsArgs {
    #[command(subcommand)]
    command: Option<RunsCommand>,
    /// Only runs of this job
    job: Option<String>,
    /// How many
    #[arg(long, default_value_t = 20)]
    limit: i64,
}

#[derive(Subcommand)]
enum RunsCommand {
    /// Show one run: stages, progress, deliveries, what it said
    Show(run_record::ShowArgs),
    /// Publish the delivery that a run left held
    Release {
        /// The run's number or id
        id: String,
        /// Why it may be published; written to the audit log
        #[arg(long)]
        why: String,
    },
    /// Try a task that was given up once more, with all its attempts
    Retry {
        /// Number or id of one of its runs, or `task-N`
        id: String,
        /// Why it may help now; written to the audit log
        #[arg(long)]
        why: String,
    },
    /// Give up the delivery that a run left held, or a task for good that was given up or has not begun
    Discard {
        /// The run's number or id, or `task-N`
        id: String,
        /// Why it is given up; written to the audit log
        #[arg(long)]
        why: String,
    },
}

pub(super) async fn run(common: &Common, args: &RunsArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::Operate).await?;
    let outcome = match &args.command {
        None => list(&context, args, out).await,
        Some(RunsCommand::Show(args)) => run_record::show(&context, args, out).await,
        Some(RunsCommand::Release { id, why }) => release(&context, id, why, out).await,
        Some(RunsCommand::Retry { id, why }) => runs_decide::retry(&context, id, why, out).await,
        Some(RunsCommand::Discard { id, why }) => discard(&context, id, why, out).await,
    };
    context.close().await?;
    outcome
}

async fn list(context: &Context, args: &RunsArgs, out: Output) -> anyhow::Result<Ended> {
    let runs = context.store.list_runs(args.job.as_deref(), None, args.limit).await?;
    if out.is_json() {
        for run in &runs {
            out.json(run)?;
        }
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = runs.iter().map(line_of).collect();
    let header = ["id", "started", "job", "state", "seconds", "read", "stored", "refused", "by", "why"];
    out.line(table(&header, &rows, &[0, 4, 5, 6, 7]))?;
    Ok(Ended::Done)
}

fn line_of(run: &RunLine) -> Vec<String> {
    let seconds = run.finished_at.map(|at| format!("{:.1}", (at - run.started_at).as_seconds_f64()));
    // what was not counted is left out, which is not 0
    let count = |names: &[&str]| {
        let counts: Option<Vec<u64>> = names.iter().map(|name| run.counts[name].as_u64()).collect();
        counts.map(|counts| counts.iter().sum::<u64>().to_string()).unwrap_or_default()
    };
    vec![
        run.run_number.to_string(),
        rfc3339(run.started_at),
        run.job.clone(),
        run.state.clone(),
        seconds.unwrap_or_default(),
        count(&["read"]),
        count(&["new", "changed", "older"]),
        count(&["refused"]),
        run.actor.clone(),
        run.error.clone().unwrap_or_default(),
    ]
}

async fn release(context: &Context, id: &str, why: &str, out: Output) -> anyhow::Result<Ended> {
    let run = context.run(id).await?;
    let jobs = context.jobs().await?;
    let job = jobs.iter().find(|job| job.name == run.job);
    let (_, counts) = decide::release(&context.store, job, &run, &context.actor, why).await.map_err(decided)?;
    let text = format!(
        "released: {} rows stored, {} refused; verify again to see what they change",
        counts.written(),
        counts.refused
    );
    out.value(&counts, |_| text)?;
    Ok(Ended::of(counts.refused > 0))
}

async fn discard(context: &Context, id: &str, why: &str, out: Output) -> anyhow::Result<Ended> {
    if runs_decide::discard(context, id, why, out).await? {
        return Ok(Ended::Done);
    }
    let run = context.run(id).await?;
    decide::discard(&context.store, &run, &context.actor, why).await.map_err(decided)?;
    out.value(&serde_json::json!({ "discarded": run.run_number }), |_| {
        "discarded; the next run begins afresh".to_owned()
    })?;
    Ok(Ended::Done)
}

fn decided(error: decide::DecideError) -> anyhow::Error {
    match error {
        decide::DecideError::Store(error) => error.into(),
        refused => usage(refused.to_string()),
    }
}
