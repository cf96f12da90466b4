//! `renzheng demo`: the whole road on a synthetic province, from the agencies to the tax department's receipt.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use chrono::{Datelike, NaiveDate, NaiveTime};
use clap::Args;
use serde::Serialize;

use super::context::{Context, settings, usage};
use super::output::Output;
use super::run::{JobReport, describe, push_now, run_job, verify_year};
use super::sandbox::{Wanted, print_variables, start_beside};
use super::table::{grid, table};
use super::{Common, Ended, import};
use crate::clock;
use crate::config::{Job, TaxSettings};
use crate::declare::complete::{Completing, complete, state};
use crate::declare::import::{ImportKind, import as import_file};
use crate::declare::standing::placements;
use crate::declare::{DeclareError, Declaring};
use crate::domain::declaration::Stage;
use crate::domain::facts::UnitId;
use crate::domain::verdict::{Check, Sign};
use crate::ingest::PullOutcome;
use crate::sandbox::Sandbox;
use crate::sandbox::tax_faults::Plan;
use crate::store::facts::{Scope, Shard};
use crate::store::outbox_lines::OutboxLine;
use crate::store::results::YearRow;
use crate::verify::Selection;

#[derive(Args)]
pub(super) struct DemoArgs {
    /// How many placements the province has, about
    #[arg(long, default_value_t = 2000)]
    persons: u32,
    /// The same seed gives the same province
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave Postgres and the sandbox running until Ctrl-C, and print their addresses
    #[arg(long)]
    pub(super) keep: bool,
}

/// What the demo shows, for programs.
#[derive(Serialize)]
struct Declared {
    employer_uscc: String,
    year: i32,
    state: String,
    certification_number: String,
    receipt: Option<String>,
}

pub(super) async fn run(common: &Common, args: &DemoArgs, out: Output) -> anyhow::Result<Ended> {
    let (mut settings, environment) = settings(common)?;
    // its own folder and always its own server: the demo sets the clock, which no real installation may suffer
    settings.data_dir = settings.data_dir.join("demo");
    settings.key_file = settings.data_dir.join("keys");
    settings.evidence_dir = settings.data_dir.join("evidence");
    settings.database_url = None;
    settings.keys = None;
    // whose tokens are known elsewhere
    settings.token = None;
    let _alone = one_demo_at_a_time(&settings.data_dir).await?;
    let mut context = Context::open_with(settings, environment).await?;
    let outcome = show(&mut context, args, out).await;
    match outcome {
        Ok(Some(sandbox)) => {
            eprintln!("Postgres: {}", context.database_url);
            print_variables(&sandbox, out)?;
            eprintln!("running until Ctrl-C");
            tokio::signal::ctrl_c().await?;
            sandbox.stop().await?;
            context.close().await?;
            Ok(Ended::Done)
        }
        Ok(None) => {
            context.close().await?;
            Ok(Ended::Done)
        }
        Err(error) => {
            context.close().await?;
            Err(error)
        }
    }
}

/// The sandbox' files and ledger belong to one demo at a time; the lock goes with the process.
async fn one_demo_at_a_time(folder: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("demo.lock");
    let file = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!("waiting for another demo on {} to end", folder.display());
    }
    tokio::task::spawn_blocking(move || file.lock().map(|()| file))
        .await?
        .with_context(|| format!("cannot lock {}", path.display()))
}

async fn show(context: &mut Context, args: &DemoArgs, out: Output) -> anyhow::Result<Option<Sandbox>> {
    let today = set_clock(context, out).await?;
    let year = today.year() - 1;
    // the province is that of 15 April whatever the day: a later demo finds the same deliveries
    let province_day = NaiveDate::from_ymd_opt(today.year(), 4, 15).unwrap_or(today);
    let wanted =
        Wanted { persons: args.persons, seed: args.seed, year, today: province_day, port: 0, faults: Plan::default() };
    let sandbox = start_beside(context, wanted).await?;
    for (name, value) in &sandbox.variables {
        context.environment = context.environment.clone().with(name, value);
    }
    context.settings.tax =
        Some(TaxSettings::new(&sandbox.tax.url, &sandbox.tax.key_id, &sandbox.tax.key, sandbox.tax.algorithm));
    heading(out, "Employers' own data")?;
    take_in(context, &sandbox, out).await?;
    heading(out, "The nightly chain, jobs/*.toml")?;
    chain(context, out).await?;
    heading(out, "One person's year")?;
    show_person(context, year, out).await?;
    heading(out, "One employer declares")?;
    declare_one(context, year, out).await?;
    if args.keep {
        return Ok(Some(sandbox));
    }
    sandbox.stop().await?;
    Ok(None)
}

fn heading(out: Output, text: &str) -> std::io::Result<()> {
    if out.is_json() { Ok(()) } else { out.line(format!("\n== {text}")) }
}

/// Business time stands at 15 April, 10:00, of this year on the first demo, and runs on from there in later ones.
async fn set_clock(context: &Context, out: Output) -> anyhow::Result<NaiveDate> {
    let store = &context.store;
    let first = store.clock_offset().await?.is_zero();
    if first {
        let this_year = store.today().await?.year();
        let day = NaiveDate::from_ymd_opt(this_year, 4, 15).ok_or_else(|| usage("the clock is beyond the calendar"))?;
        let ten = NaiveTime::from_hms_opt(10, 0, 0).unwrap_or_default();
        store.set_clock(clock::shanghai(day, ten)).await?;
    }
    let now = store.now().await?;
    if !out.is_json() {
        let how = if first { "set inside the declaring window" } else { "as an earlier demo set it, going on" };
        out.line(format!("business clock: {} ({how})", clock::rfc3339(now)))?;
    }
    Ok(clock::business_date(now))
}

async fn take_in(context: &Context, sandbox: &Sandbox, out: Output) -> anyhow::Result<()> {
    let policy = context.policy()?.policy;
    for kind in ImportKind::ALL {
        let file = sandbox.imports.join(format!("{kind}.csv"));
        let report = import_file(&context.store, &policy, *kind, &file, &context.actor).await?;
        let mut summary = import::summary(*kind, &report);
        if report.refused.iter().any(|row| row.code == "declaration_completed") {
            summary.push_str(" (rows of the declaration that an earlier demo completed are refused)");
        }
        out.value(&report, |_| summary)?;
    }
    Ok(())
}

/// Runs every job once, each after those it waits for; one that fails does not stop the others.
async fn chain(context: &Context, out: Output) -> anyhow::Result<()> {
    let jobs = context.jobs().await?;
    let mut rows = Vec::new();
    for job in in_order(&jobs) {
        let report = run_job(context, job, None, None).await?;
        if out.is_json() {
            out.json(&report)?;
            continue;
        }
        match &report {
            JobReport::Pull(pull) => {
                let outcome = match pull.outcome {
                    PullOutcome::Published => "published",
                    PullOutcome::Unchanged => "unchanged",
                    PullOutcome::Held => "held",
                    PullOutcome::Dry => "checked",
                };
                let counts = pull.counts;
                let numbers = [
                    counts.read,
                    counts.new,
                    counts.changed,
                    counts.same,
                    counts.older,
                    counts.refused,
                    counts.dropped,
                ];
                let mut row = vec![pull.job.clone(), outcome.to_owned()];
                row.extend(numbers.iter().map(ToString::to_string));
                rows.push(row);
            }
            other => {
                print_pulls(&mut rows, out)?;
                out.line(describe(other))?;
            }
        }
    }
    print_pulls(&mut rows, out)?;
    Ok(())
}

fn print_pulls(rows: &mut Vec<Vec<String>>, out: Output) -> std::io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let header = ["pulled", "outcome", "read", "new", "changed", "same", "older", "refused", "strangers"];
    out.line(table(&header, rows, &[2, 3, 4, 5, 6, 7, 8]))?;
    rows.clear();
    Ok(())
}

/// Pulls, then verification, then pushes; each after those named in its `after` (`check` has refused cycles).
fn in_order(jobs: &[Job]) -> Vec<&Job> {
    let mut candidates: Vec<&Job> = jobs.iter().collect();
    candidates.sort_by_key(|job| job.kind);
    let mut ordered: Vec<&Job> = Vec::with_capacity(jobs.len());
    while ordered.len() < jobs.len() {
        let before = ordered.len();
        for job in &candidates {
            let placed = |name: &String| ordered.iter().any(|other| other.name == *name);
            if !placed(&job.name) && job.after.iter().all(placed) {
                ordered.push(job);
            }
        }
        if ordered.len() == before {
            break;
        }
    }
    ordered
}

/// The grid of the person whose year shows most: passing, failing and pending cells.
async fn show_person(context: &Context, year: i32, out: Output) -> anyhow::Result<()> {
    let store = &context.store;
    let seq = store.head().await?;
    let Some(persons) = store.person_ranges(year, seq, Shard::WHOLE, 2_000).await?.into_iter().next() else {
        return Ok(());
    };
    let rows = store.year_rows(&Scope { year, seq, persons }).await?;
    let Some(row) = rows.iter().max_by_key(|row| variety(year, row)) else { return Ok(()) };
    let people = store.identities(&[row.person]).await?;
    let codes = store.unit_codes(&[row.employer]).await?;
    let (Some(person), Some(code)) = (people.get(&row.person), codes.get(&row.employer)) else { return Ok(()) };
    let months = row.verdicts(year)?;
    if out.is_json() {
        let months: Vec<_> = months
            .iter()
            .map(|(month, verdict)| serde_json::json!({ "month": month, "checks": verdict.codes, "passed": verdict.passed() }))
            .collect();
        return out.json(&serde_json::json!({ "person_id": row.person, "employer_uscc": code, "months": months }));
    }
    out.line(format!("{} at {code}, {year}", person.masked()))?;
    out.line(grid(&months))?;
    let failing = months.iter().find(|(_, verdict)| !verdict.passed()).map_or(months[0].0, |(month, _)| *month);
    out.line(format!(
        "why: renzheng explain --data-dir {} --employer {code} --person {} --month {failing}",
        context.settings.data_dir.display(),
        row.person.0
    ))?;
    Ok(())
}

/// How much a year shows: pending cells first, then kinds of failure, then passing months.
fn variety(year: i32, row: &YearRow) -> (usize, usize, usize) {
    let months = row.verdicts(year).unwrap_or_default();
    let cells = months.iter().flat_map(|(_, verdict)| Check::ALL.iter().map(|check| (verdict.codes, *check)));
    let (mut pending, mut failing) = (0, Vec::new());
    for (codes, check) in cells {
        match codes.sign(check) {
            Sign::Pending => pending += 1,
            Sign::Fail => failing.push((check, codes.get(check))),
            Sign::Pass | Sign::NotApplicable => {}
        }
    }
    failing.sort_unstable();
    failing.dedup();
    let passing = months.iter().filter(|(_, verdict)| verdict.passed()).count();
    (pending.min(1), failing.len().min(3), passing)
}

/// Declares the first employer that can be declared, unless one was before, and waits for the receipt.
async fn declare_one(context: &Context, year: i32, out: Output) -> anyhow::Result<()> {
    let store = &context.store;
    let employers = store.list_employer_units().await?;
    let mut chosen = None;
    for employer in &employers {
        let declaring = Declaring { employer: *employer, year };
        if !state(store, declaring).await?.is_editable() {
            chosen = Some((*employer, false));
            break;
        }
    }
    if chosen.is_none() {
        for employer in &employers {
            if declare(context, Declaring { employer: *employer, year }).await? {
                chosen = Some((*employer, true));
                break;
            }
        }
    }
    let Some((employer, new)) = chosen else {
        out.line("no employer has a month that passes: nothing to declare")?;
        return Ok(());
    };
    hand_over(context, Declaring { employer, year }).await?;
    report(context, employer, year, new, out).await
}

/// How long the demo waits for the receipt; an attempt that was killed is taken up again well within it.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(90);

/// Sends what waits until the declaration is answered.
async fn hand_over(context: &Context, declaring: Declaring) -> anyhow::Result<()> {
    let store = &context.store;
    let waiting = async {
        loop {
            push_now(context, "push", (&context.actor.name).into()).await?;
            if matches!(state(store, declaring).await?.stage, Stage::Accepted(_) | Stage::Rejected(_)) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    };
    // without an answer in that time the report says so
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or(Ok(()))
}

/// True if the employer has months that pass, and its declaration is completed.
async fn declare(context: &Context, declaring: Declaring) -> anyhow::Result<bool> {
    let store = &context.store;
    let reading = context.policy()?;
    // what passes is ticked unless somebody unticks it
    if !placements(store, declaring).await?.iter().any(|view| view.confirmed().next().is_some()) {
        return Ok(false);
    }
    let text = reading.policy.commitment(store.today().await?)?;
    let completing = Completing::of(declaring, Some(text.version.clone()));
    let selection = Selection { employer: Some(declaring.employer), ..Selection::default() };
    match complete(store, &reading, &context.actor, &completing).await {
        Ok(_) => {
            // other employers of these persons see the claims at once
            verify_year(context, declaring.year, &selection).await?;
            Ok(true)
        }
        Err(DeclareError::Refused(_)) => Ok(true),
        // somebody's certificate lapsed since, or another employer was first: the next employer, then
        Err(DeclareError::Obstacles(_) | DeclareError::ClaimedElsewhere(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn report(context: &Context, employer: UnitId, year: i32, new: bool, out: Output) -> anyhow::Result<()> {
    let codes = context.store.unit_codes(&[employer]).await?;
    let code = codes.get(&employer).map(ToString::to_string).unwrap_or_default();
    let state = state(&context.store, Declaring { employer, year }).await?;
    let number =
        state.stage.completion().map_or_else(String::new, |completion| completion.certification_number.clone());
    let receipt = match &state.stage {
        Stage::Accepted(held) => Some(held.receipt.clone()),
        _ => None,
    };
    let declared = Declared {
        employer_uscc: code.clone(),
        year,
        state: state.name().to_owned(),
        certification_number: number,
        receipt,
    };
    out.value(&declared, |declared| {
        let when = if new { "declared now" } else { "declared by an earlier demo, left as it is" };
        let receipt = match &declared.receipt {
            Some(receipt) => format!("accepted by the tax department, receipt {receipt}"),
            None => format!("not accepted yet: {}", declared.state),
        };
        format!(
            "{} {}: {when}; certification {}; {receipt}",
            declared.employer_uscc, declared.year, declared.certification_number
        )
    })?;
    if !out.is_json() {
        let lines = context.store.list_outbox(1_000).await?;
        let of_employer = |line: &&OutboxLine| line.uscc == code && i32::from(line.year) == year;
        if let Some(line) = lines.iter().find(of_employer) {
            out.line(format!("message {} sent {} time(s)", line.message_id, line.attempts))?;
        }
    }
    Ok(())
}
