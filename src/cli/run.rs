//! `renzheng run`: one job now, or a range of days of one source.

use chrono::NaiveDate;
use clap::Args;
use serde::Serialize;

use super::context::{Context, checked_jobs, usage};
use super::export::describe_export;
use super::output::{Output, progress, with_estimate};
use super::verify::unjudged;
use super::{Common, Ended, reconcile};
use crate::clock;
use crate::config::{Job, JobKind, TaxMode};
use crate::domain::access::Action;
use crate::ingest::compare::{Comparison, compare};
use crate::ingest::{self, Progress, PullOutcome, Range, Report};
use crate::notify::events::EventsTold;
use crate::push::Drained;
use crate::push::gate::{Gate, Opening};
use crate::push::reconcile::{Looking, YearReconciled};
use crate::schedule::events::tell_subscribers;
use crate::schedule::export::{Exported, export};
use crate::schedule::hand_over::{HandedOver, hand_over};
use crate::schedule::reconcile::is_clean;
use crate::schedule::remind::{Reminded, Reminding, is_today};
use crate::store::batches::Counts;
use crate::store::runs::Trigger;
use crate::store::tasks::{NewTask, Priority};
use crate::store::upkeep::Removed;
use crate::verify::nightly::{VerifiedYear, verify_years};
use crate::verify::{Selection, Summary, verify};

#[derive(Args)]
pub(super) struct RunArgs {
    /// Name of the job: the stem of its file
    job: String,
    /// Only records stamped on this day or later (Shanghai); with --to. The rest of the source is not touched
    #[arg(long, requires = "to", value_name = "DATE")]
    from: Option<NaiveDate>,
    /// Only records stamped on this day or earlier (Shanghai); with --from
    #[arg(long, requires = "from", value_name = "DATE")]
    to: Option<NaiveDate>,
    /// Read the delivery, check it, compare it with what is stored and tell the difference; store nothing
    #[arg(long)]
    dry_run: bool,
    /// For this business date instead of today's: of a pull the date of its fire, of a verification the date it judges for
    #[arg(long, conflicts_with = "dry_run", value_name = "DATE")]
    date: Option<NaiveDate>,
    /// Only queue it: a serving process runs it, and tries again where that may help
    #[arg(long, conflicts_with = "dry_run")]
    detach: bool,
}

/// Work that was queued.
#[derive(Serialize)]
struct Queued {
    task_id: i64,
    job: String,
}

/// What a job's run brought.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum JobReport {
    Pull(Report),
    Verify {
        job: String,
        years: Vec<VerifiedYear>,
    },
    Push {
        job: String,
        #[serde(flatten)]
        handed_over: HandedOver,
    },
    Reconcile {
        job: String,
        years: Vec<YearReconciled>,
    },
    DeliverEvents {
        job: String,
        #[serde(flatten)]
        told: EventsTold,
    },
    Export {
        job: String,
        #[serde(flatten)]
        exported: Exported,
    },
    Remind {
        job: String,
        #[serde(flatten)]
        reminded: Reminded,
    },
    Maintain {
        job: String,
        #[serde(flatten)]
        upkeep: Removed,
    },
}

pub(super) async fn run(common: &Common, args: &RunArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::Operate).await?;
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
    let range = args.from.zip(args.to).map(|(from, to)| Range { from, to });
    if let Some(range) = range
        && (job.kind != JobKind::Pull || range.from > range.to)
    {
        return Err(usage("--from and --to are days of a pull's records, the first no later than the last"));
    }
    if args.dry_run {
        let comparison = compare(&context.store, job, &context.environment, range).await?;
        out.value(&comparison, describe_comparison)?;
        return Ok(Ended::of(comparison.report.counts.refused > 0 || comparison.report.why.is_some()));
    }
    let now = context.store.now().await?;
    if args.date.is_some_and(|date| date > clock::business_date(now)) {
        return Err(usage("--date is a business date that has come: nothing is known of days ahead"));
    }
    if job.kind == JobKind::Remind && !is_today(args.date, now) {
        return Err(usage("reminders tell what is missing now: they are run for today only"));
    }
    if args.detach {
        return queue(context, job, range, args.date, out).await;
    }
    let report = run_job(context, job, range, args.date).await?;
    out.value(&report, describe)?;
    Ok(Ended::of(has_refusals(&report)))
}

async fn queue(
    context: &Context,
    job: &Job,
    range: Option<Range>,
    date: Option<NaiveDate>,
    out: Output,
) -> anyhow::Result<Ended> {
    let now = context.store.now().await?;
    let task = NewTask {
        kind: job.kind.as_str(),
        key: format!("{} asked for {}", job.name, clock::uuid_v7(now)),
        job: job.name.clone(),
        days: range.map(|range| (range.from, range.to)),
        business_date: date.unwrap_or_else(|| clock::business_date(now)),
        priority: Priority::Night,
        due_at: now,
        after: Vec::new(),
        patient_until: None,
        attempts: job.retry.attempts,
        created_by: context.actor.name.clone(),
    };
    let Some(task_id) = context.store.queue_task(&task).await? else {
        anyhow::bail!("the same task is queued already")
    };
    out.value(&Queued { task_id, job: job.name.clone() }, |queued| {
        format!(
            "queued as task {}: `renzheng serve` runs it; `renzheng runs {}` shows what came of it",
            queued.task_id, queued.job
        )
    })?;
    Ok(Ended::Done)
}

fn describe_comparison(comparison: &Comparison) -> String {
    let Comparison { report, absent, differences } = comparison;
    let mut lines = vec![describe_pull(report)];
    if *absent > 0 {
        lines.push(format!("    {absent} records in force here were not delivered"));
    }
    for found in differences {
        let place = found.page.zip(found.row).map(|(page, row)| format!(" page {page} row {row}")).unwrap_or_default();
        let person = found.person_id.map(|person| format!(" person {person}")).unwrap_or_default();
        lines.push(format!("    {}:{place}{person}", found.what));
    }
    lines.join("\n")
}

/// Runs one job to its end, for a business date if one is named.
pub(super) async fn run_job(
    context: &Context,
    job: &Job,
    range: Option<Range>,
    date: Option<NaiveDate>,
) -> anyhow::Result<JobReport> {
    let name = job.name.clone();
    let by = Trigger { job: Some(&name), date, ..(&context.actor.name).into() };
    match job.kind {
        JobKind::Pull => {
            let bar = progress(&name);
            let heard = |progress: Progress| show_progress(&bar, &progress);
            let report = ingest::pull(&context.store, job, &context.environment, range, by, &heard).await;
            bar.finish_and_clear();
            Ok(JobReport::Pull(report?))
        }
        JobKind::Verify => {
            let reading = context.policy()?;
            let bar = progress("verify");
            let years = verify_years(&context.store, &reading, by, &|placements| bar.set_position(placements)).await;
            bar.finish_and_clear();
            let years = years?;
            Ok(JobReport::Verify { job: name, years })
        }
        JobKind::Push => {
            let handed_over = push_now(context, &name, by).await?;
            Ok(JobReport::Push { job: name, handed_over })
        }
        JobKind::Reconcile => {
            let years = reconcile::compare_now(context, &name, by, Looking::default()).await?;
            Ok(JobReport::Reconcile { job: name, years })
        }
        JobKind::Remind => {
            let (reading, jobs) = (context.policy()?, checked_jobs(&context.settings)?);
            let alerts = &context.settings.alerts;
            let reminding = Reminding { store: &context.store, reading: &reading, jobs: &jobs, alerts };
            Ok(JobReport::Remind { reminded: reminding.remind(job, by).await?, job: name.clone() })
        }
        JobKind::Maintain => {
            let upkeep = context.store.maintain(&name, &context.settings.retention, by).await?;
            Ok(JobReport::Maintain { job: name, upkeep })
        }
        JobKind::DeliverEvents => {
            let told = tell_subscribers(&context.store, &name, context.settings.events, by).await?;
            Ok(JobReport::DeliverEvents { job: name, told })
        }
        JobKind::Export => {
            let mode = context.settings.tax_mode;
            let exported = export(&context.store, job, &context.environment, mode, by).await?;
            Ok(JobReport::Export { job: name, exported })
        }
    }
}

/// Rows so far, and how many there will be: announced, or by the share of the files' bytes that were read.
fn show_progress(bar: &indicatif::ProgressBar, progress: &Progress) {
    let read = progress.counts.read;
    let by_bytes =
        progress.through.and_then(|(done, all)| (u128::from(read) * u128::from(all)).checked_div(done.into()));
    if let Some(all) = progress.announced.or(by_bytes.and_then(|all| u64::try_from(all).ok())) {
        with_estimate(bar, all.max(read));
    }
    bar.set_message(format!("page {}", progress.page));
    bar.set_position(read);
}

/// Verifies one year, or some of it, with a bar: less than the job does.
pub(super) async fn verify_year(context: &Context, year: i32, selection: &Selection) -> anyhow::Result<Summary> {
    let reading = context.policy()?;
    let bar = progress("verify");
    let heard = |placements: u64| bar.set_position(placements);
    let by = Trigger::from(&context.actor.name).of_part(true);
    let summary = verify(&context.store, &reading, year, selection, by, &heard).await;
    bar.finish_and_clear();
    Ok(summary?)
}

/// Sends what waits, as far as the department takes it now, and takes in the answers, with a bar.
pub(super) async fn push_now(context: &Context, job: &str, by: Trigger<'_>) -> anyhow::Result<HandedOver> {
    if context.settings.tax_mode != TaxMode::Push {
        let mode = context.settings.tax_mode;
        return Err(usage(format!("`tax.mode` is `{mode}`: messages are not sent by us")));
    }
    let Some(tax) = &context.settings.tax else {
        return Err(usage("the tax department is not set: RENZHENG_TAX_URL, RENZHENG_TAX_KEY_ID, RENZHENG_TAX_KEY"));
    };
    let bar = progress("push");
    let handed_over = hand_over(&context.store, job, tax, by, &Gate::default(), |_| bar.inc(1)).await;
    bar.finish_and_clear();
    Ok(handed_over?)
}

pub(super) fn describe_push(handed_over: HandedOver) -> String {
    let HandedOver { attempts: Drained { accepted, rejected, later, unknown }, answers, gate } = handed_over;
    let gate = match gate {
        Opening::Open => "",
        Opening::Ahead => {
            "; the department holds messages that are not known here: until they are settled (`renzheng reconcile list`) only what takes them back \
             leaves"
        }
        Opening::Recovering => "; the rest leaves once what takes back is answered",
        Opening::Unknown => {
            "; nothing leaves before both sides were compared, and the department's statement cannot be had"
        }
    };
    format!(
        "{accepted} accepted, {rejected} rejected, {later} to be sent later, {unknown} unclear; {answers} answers taken in{gate}"
    )
}

fn has_refusals(report: &JobReport) -> bool {
    match report {
        JobReport::Pull(report) => report.counts.refused > 0 || report.outcome == PullOutcome::Held,
        JobReport::Remind { reminded, .. } => reminded.failed > 0,
        JobReport::Reconcile { years, .. } => !is_clean(years),
        JobReport::Export { exported, .. } => exported.refused > 0,
        JobReport::Verify { years, .. } => years.iter().any(|year| !year.summary.without_wage_class.is_empty()),
        JobReport::Push { .. } | JobReport::Maintain { .. } | JobReport::DeliverEvents { .. } => false,
    }
}

/// One line for people.
pub(super) fn describe(report: &JobReport) -> String {
    match report {
        JobReport::Pull(report) => describe_pull(report),
        JobReport::Verify { job, years } => {
            let lines: Vec<String> = years.iter().map(|year| format!("{job}: {}", describe_year(year))).collect();
            lines.join("\n")
        }
        JobReport::Reconcile { job, years } => format!("{job}: {}", reconcile::describe(years)),
        JobReport::Export { job, exported } => format!("{job}: {}", describe_export(*exported)),
        JobReport::DeliverEvents { job, told: EventsTold { delivered, failed, given_up, paused, ended } } => {
            format!(
                "{job}: {delivered} events delivered, {failed} to be tried later, {given_up} given up; {paused} subscriptions paused, {ended} ended"
            )
        }
        JobReport::Push { job, handed_over } => format!("{job}: {}", describe_push(*handed_over)),
        JobReport::Remind { job, reminded: Reminded { days_before, completed, employers, divisions, failed } } => {
            let due = days_before.map_or_else(|| "no threshold".to_owned(), |days| format!("threshold {days} days"));
            format!(
                "{job}: {due}: {employers} employers and the staff of {divisions} divisions told, {completed} completed as agreed, {failed} \
                 passed over"
            )
        }
        JobReport::Maintain { job, upkeep } => {
            let went: Vec<String> = upkeep.removed.iter().map(|(class, rows)| format!("{class} {rows}")).collect();
            format!("{job}: rows removed: {}", went.join(", "))
        }
    }
}

fn describe_year(VerifiedYear { year, summary }: &VerifiedYear) -> String {
    let judged = format!(
        "{year}: {} placements{}, {} of {} months pass; {} months of {} placements changed",
        summary.placements,
        if summary.full { "" } else { " touched" },
        summary.passed,
        summary.months,
        summary.changed_months,
        summary.changed_placements
    );
    std::iter::once(judged).chain(unjudged(&summary.without_wage_class)).collect::<Vec<_>>().join("\n")
}

fn describe_pull(report: &Report) -> String {
    let Counts { read, new, changed, same, older, refused, dropped, closed } = report.counts;
    let outcome = match report.outcome {
        PullOutcome::Published => "published",
        PullOutcome::Unchanged => "unchanged",
        PullOutcome::Held => "held",
        PullOutcome::Dry => "compared only",
    };
    let resumed = if report.resumed { ", resumed" } else { "" };
    let share = |part: u64| if read == 0 { 0.0 } else { 100.0 * part as f64 / read as f64 };
    let closed = if closed > 0 { format!("; {closed} no longer delivered were closed") } else { String::new() };
    let mut lines = vec![format!(
        "{}: {outcome}{resumed} ({}): {read} read = {new} new + {changed} changed ({:.1} %) + {same} same + {older} older + \
         {refused} refused + {dropped} of strangers{closed}",
        report.job,
        report.asked,
        share(changed)
    )];
    lines.extend(report.notes.iter().chain(&report.why).cloned());
    if let (PullOutcome::Held, Some(number)) = (report.outcome, report.run_number) {
        lines.push(format!(
            "release it by `renzheng runs release {number} --why …`, or give it up by `renzheng runs discard {number} --why …`"
        ));
    }
    lines.join("\n    ")
}
