//! `renzheng verify`: judge anew what changed, or everything, or look at a point of the past.

use std::collections::BTreeMap;

use clap::{ArgGroup, Args};
use serde::Serialize;

use super::as_of::{AsOf, parse_as_of};
use super::context::{Context, usage};
use super::output::{Output, progress};
use super::results::Look;
use super::reverify::{Asked, reverify, unplaced};
use super::run::verify_year;
use super::{Common, Ended};
use crate::domain::access::Action;
use crate::store::facts::Shard;
use crate::store::results::YearRow;
use crate::verify::{JudgedYear, Selection, Summary, Unjudged, judge_at};

#[derive(Args)]
#[command(group = ArgGroup::new("part").args(["employer", "person"]).multiple(true))]
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
    /// Ask the sources that can be asked for single persons for these first; with --employer or --person
    #[arg(long, requires = "part")]
    fresh: bool,
    /// Judge by what was known, entered and ruled at this instant (RFC 3339), or as this verification run did (`run:123`: its
    /// number or id); print it, write nothing
    #[arg(long, value_name = "INSTANT|run:N", value_parser = parse_as_of, conflicts_with_all = ["full", "fresh"])]
    as_of: Option<AsOf>,
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
    let person = selection.persons.first().copied();
    if let Some(point) = &args.as_of {
        return as_of(context, args, &selection, point, out).await;
    }
    let employer = selection.employer.zip(args.employer.as_deref());
    if employer.is_some() || person.is_some() {
        return reverify(context, &Asked { year: args.year, employer, person, fresh: args.fresh }, out).await;
    }
    // their settings are what is judged by
    context.jobs().await?;
    let summary = verify_year(context, args.year, &selection).await?;
    let ended = Ended::of(!summary.without_wage_class.is_empty());
    out.value(&Report { year: args.year, summary }, describe)?;
    Ok(ended)
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
    lines.extend(unjudged(&summary.without_wage_class));
    lines.join("\n")
}

/// Who was not judged, and what to do.
pub(super) fn unjudged(without_wage_class: &BTreeMap<String, Unjudged>) -> impl Iterator<Item = String> + '_ {
    without_wage_class.iter().map(|(uscc, Unjudged { division, placements })| {
        format!(
            "    {uscc}: {placements} placements were not judged, what was stored of them stays: the policy has no wage class for division \
             {division}, and the employer says none itself; enter it with a division of the policy's lists, or a `wage_class`, or complete the lists"
        )
    })
}

/// Judges at a point of the past by the policy that was in use then.
async fn as_of(
    context: &Context,
    args: &VerifyArgs,
    selection: &Selection,
    as_of: &AsOf,
    out: Output,
) -> anyhow::Result<Ended> {
    let (store, year) = (&context.store, args.year);
    let (point, policy) = as_of.known(context).await?;
    let (employer, person) = (args.employer.as_deref(), selection.persons.first().copied());
    let mut judged: Vec<JudgedYear> = Vec::new();
    let bar = progress("as of");
    let summary = judge_at(store, &policy, year, point, selection, &mut |chunk| judged.extend(chunk)).await;
    bar.finish_and_clear();
    let summary = summary?;
    if judged.is_empty() && person.is_some() && summary.without_wage_class.is_empty() {
        return Err(unplaced(year, employer));
    }
    let rows: Vec<YearRow> = judged
        .iter()
        .map(|one| YearRow {
            person: one.person,
            employer: one.employer,
            cells: std::array::from_fn(|month| one.verdicts[month].pack()),
            runs: [0; 12],
        })
        .collect();
    let what = format!("verification {year} as of {as_of}");
    Look { context, year, what, employer, person, out, noted: false }.show(&rows).await?;
    eprintln!(
        "as of {as_of} (publish {}, business date {}, policy {}): {} placements, {} of {} months pass; nothing was written",
        point.seq, point.business_date, policy.version, summary.placements, summary.passed, summary.months
    );
    for line in unjudged(&summary.without_wage_class) {
        eprintln!("{line}");
    }
    Ok(Ended::of(!summary.without_wage_class.is_empty()))
}
