//! `renzheng verify`: judge anew what changed, or everything, or look at a point of the past.

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;

use super::context::{Context, usage};
use super::output::{Output, progress};
use super::results::{Shown, whose};
use super::run::verify_year;
use super::{Common, Ended};
use crate::clock;
use crate::config::JobKind;
use crate::domain::access::Action;
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::retention::RetentionClass;
use crate::ingest;
use crate::policy;
use crate::store::audit::Act;
use crate::store::facts::Shard;
use crate::store::results::YearRow;
use crate::verify::changes::Point;
use crate::verify::{Difference, JudgedYear, Selection, Summary, Unjudged, judge_at};

#[derive(Args)]
pub(super) struct VerifyArgs {
    /// Business year
    #[arg(long)]
    year: i32,
    /// Only this employer's placements (USCC)
    #[arg(long, value_name = "USCC")]
    employer: Option<String>,
    /// Only this person's placements: a `person_id`, or `-` for an ID number on standard input
    #[arg(long)]
    person: Option<String>,
    /// Recompute everything, not only what changed since the last verification
    #[arg(long, conflicts_with_all = ["employer", "person"])]
    full: bool,
    /// Only one part of all persons, such as 0/4; the parts may run at once
    #[arg(long, value_name = "I/N", value_parser = parse_shard, conflicts_with_all = ["employer", "person"])]
    shard: Option<Shard>,
    /// Ask the sources that can be asked for one person for this person first
    #[arg(long, requires = "person")]
    fresh: bool,
    /// Judge by what was known, entered and ruled at this instant (RFC 3339); print it, write nothing
    #[arg(long, value_name = "INSTANT", conflicts_with_all = ["full", "fresh"])]
    as_of: Option<DateTime<Utc>>,
}

fn parse_shard(text: &str) -> Result<Shard, String> {
    let parse = || {
        let (number, of) = text.split_once('/')?;
        let (number, of) = (number.parse().ok()?, of.parse().ok()?);
        (of <= 1000 && number < of).then_some(Shard { number, of })
    };
    parse().ok_or_else(|| "accepted is a part of so many, from 0/N to N-1/N, N at most 1000".to_owned())
}

#[derive(Serialize)]
struct Report {
    year: i32,
    #[serde(flatten)]
    summary: Summary,
}

pub(super) async fn run(common: &Common, args: &VerifyArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::Reverify).await?;
    let outcome = verify(&context, args, out).await;
    context.close().await?;
    outcome
}

async fn verify(context: &Context, args: &VerifyArgs, out: Output) -> anyhow::Result<Ended> {
    if !context.policy()?.policy.knows_year(args.year) {
        return Err(usage(format!("the policy has no rules for {}", args.year)));
    }
    let mut selection = Selection { full: args.full, ..Selection::default() };
    selection.shard = args.shard.unwrap_or(Shard::WHOLE);
    if let Some(employer) = &args.employer {
        selection.employer = Some(context.employer(Action::Reverify, employer).await?);
    } else {
        context.may(Action::Reverify, None).await?;
    }
    if let Some(person) = &args.person {
        selection.persons = vec![context.person(person).await?];
    }
    if let Some(at) = args.as_of {
        let whose = whose(args.employer.as_deref(), selection.persons.first().copied());
        let object = format!("verification {} as of {}: {whose}", args.year, clock::rfc3339(at));
        return as_of(context, args.year, &selection, at, (object, out)).await;
    }
    if let Some(person) = selection.persons.first() {
        refuse_unplaced(context, args, selection.employer, *person).await?;
    }
    if selection.employer.is_some() || !selection.persons.is_empty() {
        note_reverification(context, args, selection.persons.first().copied()).await?;
    }
    let jobs = context.jobs().await?;
    if args.fresh && !selection.persons.is_empty() {
        for job in jobs.iter().filter(|job| job.kind == JobKind::Pull) {
            pull_afresh(context, job, &selection.persons).await?;
        }
    }
    let summary = verify_year(context, args.year, &selection).await?;
    let ended = Ended::of(!summary.without_wage_class.is_empty());
    out.value(&Report { year: args.year, summary }, describe)?;
    Ok(ended)
}

/// Nobody is verified, and no source is asked, who has no placement there.
async fn refuse_unplaced(
    context: &Context,
    args: &VerifyArgs,
    employer: Option<UnitId>,
    person: PersonId,
) -> anyhow::Result<()> {
    let seq = context.store.head().await?;
    let placed = match employer {
        Some(employer) => context.store.placed_persons(args.year, employer, seq).await?,
        None => context.store.placed_among(args.year, seq, &[person]).await?,
    };
    if placed.contains(&person) {
        return Ok(());
    }
    let at = args.employer.as_deref().map_or_else(String::new, |code| format!(" at {code}"));
    Err(usage(format!("this person has no placement{at} in {}", args.year)))
}

/// That somebody asked for these persons, before it is done: the persons see it as they see what is asked for over HTTP.
async fn note_reverification(context: &Context, args: &VerifyArgs, person: Option<PersonId>) -> anyhow::Result<()> {
    let object = format!("verification {}: {}", args.year, whose(args.employer.as_deref(), person));
    let at = context.store.now().await?;
    let act = Act::read(at, &context.actor, Action::Reverify, object).with("fresh", args.fresh);
    Ok(context.store.record(&act).await?)
}

async fn pull_afresh(context: &Context, job: &crate::config::Job, persons: &[PersonId]) -> anyhow::Result<()> {
    let pulled =
        ingest::pull_persons(&context.store, job, &context.environment, persons, None, &context.actor.name).await?;
    match pulled {
        Some(counts) => {
            eprintln!("{}: {} records, {} of them new or changed", job.name, counts.read, counts.new + counts.changed);
        }
        None => eprintln!("{}: cannot be asked for one person; what was pulled last stands", job.name),
    }
    Ok(())
}

fn describe(report: &Report) -> String {
    let Report { year, summary } = report;
    let which = if summary.full { "all" } else { "only what changed" };
    let mut lines = vec![format!(
        "{year}: {} placements verified ({which}), {} of {} months pass; {} months of {} placements changed",
        summary.placements, summary.passed, summary.months, summary.changed_months, summary.changed_placements
    )];
    if !summary.full && !summary.causes.is_empty() {
        let causes: Vec<String> = summary.causes.iter().map(|(cause, persons)| format!("{cause} {persons}")).collect();
        lines.push(format!("    persons by cause: {}", causes.join(", ")));
    }
    lines.extend(summary.differences.iter().map(told));
    lines.extend(unjudged(summary));
    lines.join("\n")
}

/// Who was not judged, and what to do.
pub(super) fn unjudged(summary: &Summary) -> impl Iterator<Item = String> + '_ {
    summary.without_wage_class.iter().map(|(uscc, Unjudged { division, placements })| {
        format!(
            "    {uscc}: {placements} placements were not judged, what was stored of them stays: the policy has no wage class for division \
             {division}, and the employer says none itself; enter it with a division of the policy's lists, or a `wage_class`, or complete the lists"
        )
    })
}

fn told(difference: &Difference) -> String {
    let Difference { person, employer_uscc, month, check, before, now } = difference;
    let before = before.unwrap_or("not verified");
    format!("    {employer_uscc} person {} {month} {check}: {before} → {now}", person.0)
}

/// Judges at a point of the past by the policy that was in use then.
async fn as_of(
    context: &Context,
    year: i32,
    selection: &Selection,
    at: DateTime<Utc>,
    (object, out): (String, Output),
) -> anyhow::Result<Ended> {
    context.refuse_before_horizon(RetentionClass::SupersededRecords, at).await?;
    let store = &context.store;
    let point = Point { seq: store.head_at(at).await?, business_date: clock::business_date(at) };
    let policy = match store.last_verification(at).await? {
        Some(past) => match store.find_policy(&past.policy_version).await? {
            Some(text) => policy::recall(&text)?,
            None => context.policy()?.policy,
        },
        None => context.policy()?.policy,
    };
    let mut judged: Vec<JudgedYear> = Vec::new();
    let bar = progress("as of");
    let summary = judge_at(store, &policy, year, point, selection, &mut |chunk| judged.extend(chunk)).await;
    bar.finish_and_clear();
    let summary = summary?;
    let rows: Vec<YearRow> = judged
        .iter()
        .map(|one| YearRow {
            person: one.person,
            employer: one.employer,
            cells: std::array::from_fn(|month| one.verdicts[month].pack()),
            runs: [0; 12],
        })
        .collect();
    Shown::print_all(context, year, &rows, out, &object).await?;
    eprintln!(
        "as of {} (publish {}, business date {}, policy {}): {} placements, {} of {} months pass; nothing was written",
        clock::rfc3339(at),
        point.seq,
        point.business_date,
        policy.version,
        summary.placements,
        summary.passed,
        summary.months
    );
    for line in unjudged(&summary) {
        eprintln!("{line}");
    }
    Ok(Ended::of(!summary.without_wage_class.is_empty()))
}
