//! `renzheng run` and `renzheng runs`: one job now, and what ran before.

use clap::Args;
use serde::Serialize;

use super::context::{Context, checked_jobs, usage};
use super::output::{Output, progress};
use super::table::table;
use super::{Common, Ended};
use crate::config::{Job, JobKind};
use crate::declare::complete::business_year;
use crate::declare::news::apply_news;
use crate::ingest::{self, PullOutcome, Report};
use crate::push::{self, Drained};
use crate::store::batches::Counts;
use crate::verify::{Selection, Summary, verify};

#[derive(Args)]
pub(super) struct RunArgs {
    /// Name of the job: the stem of its file
    job: String,
    /// Read and check the delivery, store nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
pub(super) struct RunsArgs {
    /// Only runs of this job
    job: Option<String>,
    /// How many
    #[arg(long, default_value_t = 20)]
    limit: i64,
}

/// What a job's run brought.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum JobReport {
    Pull(Report),
    Verify { job: String, year: i32, summary: Summary },
    Push { job: String, attempts: Drained, answers: u64 },
}

pub(super) async fn run(common: &Common, args: &RunArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common).await?;
    let outcome = run_named(&context, args, out).await;
    context.close().await?;
    outcome
}

async fn run_named(context: &Context, args: &RunArgs, out: Output) -> anyhow::Result<Ended> {
    let jobs = if args.dry_run { checked_jobs(&context.settings)? } else { context.jobs().await? };
    let Some(job) = jobs.iter().find(|job| job.name == args.job) else {
        let known: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
        return Err(usage(format!("there is no job `{}`; there are {}", args.job, known.join(", "))));
    };
    if args.dry_run && job.kind != JobKind::Pull {
        return Err(usage(format!("only pulls can be run dry; `{}` is a {}", job.name, job.kind)));
    }
    let report = if args.dry_run {
        JobReport::Pull(ingest::dry_run(&context.store, job, &context.environment).await?)
    } else {
        run_job(context, job).await?
    };
    out.value(&report, describe)?;
    Ok(Ended::of(has_refusals(&report)))
}

/// Runs one job to its end.
pub(super) async fn run_job(context: &Context, job: &Job) -> anyhow::Result<JobReport> {
    let name = job.name.clone();
    match job.kind {
        JobKind::Pull => {
            let bar = progress(&name);
            let heard = |counts: Counts| bar.set_position(counts.read);
            let report = ingest::pull(&context.store, job, &context.environment, &context.actor, &heard).await;
            bar.finish_and_clear();
            Ok(JobReport::Pull(report?))
        }
        JobKind::Verify => {
            let year = business_year(context.store.now().await?);
            let summary = verify_year(context, year, &Selection::default()).await?;
            Ok(JobReport::Verify { job: name, year, summary })
        }
        JobKind::Push => {
            let (drained, answers) = push_now(context).await?;
            Ok(JobReport::Push { job: name, attempts: drained, answers })
        }
        other => Err(usage(format!("jobs of kind `{other}` are not in this version"))),
    }
}

/// Verifies with a bar.
pub(super) async fn verify_year(context: &Context, year: i32, selection: &Selection) -> anyhow::Result<Summary> {
    let reading = context.policy()?;
    let bar = progress("verify");
    let heard = |placements: u64| bar.set_position(placements);
    let summary = verify(&context.store, &reading, year, selection, &context.actor, &heard).await;
    bar.finish_and_clear();
    Ok(summary?)
}

/// Sends what waits, as far as the department takes it now, and takes in the answers.
pub(super) async fn push_now(context: &Context) -> anyhow::Result<(Drained, u64)> {
    let Some(tax) = &context.settings.tax else {
        return Err(usage("the tax department is not set: RENZHENG_TAX_URL, RENZHENG_TAX_KEY_ID, RENZHENG_TAX_KEY"));
    };
    let client = push::Client::new(tax)?;
    let bar = progress("push");
    let drained = push::drain(&context.store, &client, u64::MAX, |_| bar.inc(1)).await;
    bar.finish_and_clear();
    Ok((drained?, apply_news(&context.store).await?))
}

pub(super) fn describe_push(attempts: Drained, answers: u64) -> String {
    let Drained { accepted, rejected, later, unknown } = attempts;
    format!(
        "{accepted} accepted, {rejected} rejected, {later} to be sent later, {unknown} unclear; {answers} answers taken in"
    )
}

fn has_refusals(report: &JobReport) -> bool {
    match report {
        JobReport::Pull(report) => report.counts.refused > 0 || report.outcome == PullOutcome::Held,
        JobReport::Verify { .. } | JobReport::Push { .. } => false,
    }
}

/// One line for people.
pub(super) fn describe(report: &JobReport) -> String {
    match report {
        JobReport::Pull(report) => {
            let Counts { read, new, changed, same, older, refused, dropped } = report.counts;
            let outcome = match report.outcome {
                PullOutcome::Published => "published",
                PullOutcome::Unchanged => "unchanged",
                PullOutcome::Held => "held",
                PullOutcome::Dry => "checked only",
            };
            let resumed = if report.resumed { ", resumed" } else { "" };
            let why = report.why.as_ref().map(|why| format!("\n    {why}")).unwrap_or_default();
            format!(
                "{}: {outcome}{resumed}: {read} read = {new} new + {changed} changed + {same} same + {older} older + \
                 {refused} refused + {dropped} of strangers{why}",
                report.job
            )
        }
        JobReport::Verify { job, year, summary } => format!(
            "{job}: {year}: {} placements, {} of {} months pass; {} months of {} placements changed",
            summary.placements, summary.passed, summary.months, summary.changed_months, summary.changed_placements
        ),
        JobReport::Push { job, attempts, answers } => format!("{job}: {}", describe_push(*attempts, *answers)),
    }
}

pub(super) async fn list(common: &Common, args: &RunsArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common).await?;
    let runs = context.store.list_runs(args.job.as_deref(), args.limit).await;
    context.close().await?;
    let runs = runs?;
    if out.is_json() {
        for run in &runs {
            out.json(run)?;
        }
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            let seconds = run.finished_at.map(|at| format!("{:.1}", (at - run.started_at).as_seconds_f64()));
            vec![
                crate::clock::rfc3339(run.started_at),
                run.job.clone(),
                run.state.clone(),
                seconds.unwrap_or_default(),
                run.actor.clone(),
                run.error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    out.line(table(&["started", "job", "state", "seconds", "by", "why"], &rows, &[3]))?;
    Ok(Ended::Done)
}
