//! `renzheng reconcile`: both sides compared, what differs, and following the tax department where a person decided so.

use clap::{Args, Subcommand};

use super::context::{Context, usage};
use super::output::{Output, progress};
use super::table::table;
use super::{Common, Ended};
use crate::clock;
use crate::config::TaxSettings;
use crate::declare::Declaring;
use crate::declare::differences::list_differences;
use crate::declare::settle::{Settled, settle};
use crate::domain::access::{Action, Scope};
use crate::domain::ids::Uscc;
use crate::domain::statement::Row;
use crate::push::Client;
use crate::push::reconcile::{Looking, YearReconciled, refresh};
use crate::schedule::reconcile::{compare_sides, is_clean};
use crate::store::reconciliations::DifferenceLine;
use crate::store::runs::Trigger;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ReconcileArgs {
    #[command(subcommand)]
    command: Option<ReconcileCommand>,
    /// Only this business year
    #[arg(long)]
    year: Option<i16>,
    /// The department does hold nothing, or so many fewer rows than at the last look: go on
    #[arg(long)]
    believe_fewer: bool,
}

#[derive(Subcommand)]
enum ReconcileCommand {
    /// Differences that are open, oldest first
    List {
        /// Also those that are gone or settled
        #[arg(long)]
        all: bool,
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: i64,
    },
    /// What both sides hold of an employer's year, and what to do
    Show {
        #[command(flatten)]
        whose: WhoseYear,
    },
    /// Follow the department: take its numbers as used, withdraw what cannot be proved here, take a rejection over
    Settle {
        #[command(flatten)]
        whose: WhoseYear,
        /// Why; written to the audit log
        #[arg(long, value_name = "REASON")]
        why: String,
    },
}

#[derive(Args)]
struct WhoseYear {
    /// The employer's unified social credit code
    #[arg(long, value_name = "USCC")]
    employer: String,
    /// The business year
    #[arg(long)]
    year: i16,
}

pub(super) async fn run(common: &Common, args: &ReconcileArgs, out: Output) -> anyhow::Result<Ended> {
    let action = if args.command.is_some() { Action::SettleDifference } else { Action::Operate };
    let context = Context::open(common, action).await?;
    let outcome = match &args.command {
        None => compare(&context, args, out).await,
        Some(ReconcileCommand::List { all, limit }) => list(&context, *all, *limit, out).await,
        Some(ReconcileCommand::Show { whose }) => show(&context, whose, out).await,
        Some(ReconcileCommand::Settle { whose, why }) => follow(&context, whose, why, out).await,
    };
    context.close().await?;
    outcome
}

fn tax(context: &Context) -> anyhow::Result<&TaxSettings> {
    context
        .settings
        .tax
        .as_ref()
        .ok_or_else(|| usage("the tax department is not set: RENZHENG_TAX_URL, RENZHENG_TAX_KEY_ID, RENZHENG_TAX_KEY"))
}

async fn compare(context: &Context, args: &ReconcileArgs, out: Output) -> anyhow::Result<Ended> {
    let looking = Looking { year: args.year, believe_fewer: args.believe_fewer };
    let years = compare_now(context, "reconcile", (&context.actor.name).into(), looking).await?;
    if out.is_json() {
        for year in &years {
            out.json(year)?;
        }
    } else {
        out.line(describe(&years))?;
    }
    Ok(Ended::of(!is_clean(&years)))
}

/// Compares both sides, with a spinner.
pub(super) async fn compare_now(
    context: &Context,
    job: &str,
    by: Trigger<'_>,
    looking: Looking,
) -> anyhow::Result<Vec<YearReconciled>> {
    let tax = tax(context)?;
    let bar = progress("reconcile");
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    let years = compare_sides(&context.store, job, tax, by, looking).await;
    bar.finish_and_clear();
    Ok(years?)
}

pub(super) fn describe(years: &[YearReconciled]) -> String {
    if years.is_empty() {
        return "neither side holds anything".to_owned();
    }
    let mut lines = Vec::new();
    for YearReconciled { year, totals, open, concluded } in years {
        if let Some(why) = &totals.refused {
            lines.push(format!("{year}: nothing was changed: {why}"));
            continue;
        }
        let found: u64 = open.values().sum();
        lines.push(format!(
            "{year}: {} rows here, {} there; {found} differ, {} by what is on its way; {} new, {} gone; {} messages asked about again",
            totals.rows_here, totals.rows_there, totals.under_way, concluded.opened, concluded.closed, concluded.asked
        ));
        lines.extend(
            open.iter().map(|(class, count)| format!("    {class} {count} ({}): {}", class.owner(), class.way_out())),
        );
    }
    lines.join("\n")
}

async fn list(context: &Context, all: bool, limit: i64, out: Output) -> anyhow::Result<Ended> {
    let limit = usize::try_from(limit).unwrap_or_default();
    let (mut differences, mut after) = (Vec::new(), None);
    loop {
        let page = list_differences(&context.store, &context.actor, all, after, limit - differences.len()).await?;
        differences.extend(page.lines);
        after = page.next;
        if after.is_none() || differences.len() >= limit {
            break;
        }
    }
    if out.is_json() {
        for difference in &differences {
            out.json(&told(difference))?;
        }
        return Ok(Ended::of(differences.iter().any(|one| one.closed_at.is_none())));
    }
    let rows: Vec<Vec<String>> = differences
        .iter()
        .map(|one| {
            vec![
                one.uscc.clone(),
                one.year.to_string(),
                one.class.to_string(),
                one.class.owner().to_string(),
                clock::rfc3339(one.first_seen_at),
                clock::rfc3339(one.last_seen_at),
                one.closed_why.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let header = ["employer", "year", "class", "owner", "first seen", "last seen", "closed"];
    out.line(table(&header, &rows, &[1]))?;
    Ok(Ended::of(differences.iter().any(|one| one.closed_at.is_none())))
}

/// With who acts, and how.
fn told(difference: &DifferenceLine) -> serde_json::Value {
    let mut value = serde_json::to_value(difference).unwrap_or_default();
    value["owner"] = difference.class.owner().as_str().into();
    value["way_out"] = serde_json::json!({ "en": difference.class.way_out(), "zh": difference.class.chinese() });
    value
}

async fn show(context: &Context, whose: &WhoseYear, out: Output) -> anyhow::Result<Ended> {
    let code = Uscc::parse(&whose.employer).map_or_else(|_| whose.employer.clone(), |code| code.to_string());
    if context.actor.scope != Scope::Everything {
        context.employer(Action::SettleDifference, &code).await?;
    }
    let differences = context.store.differences_of(&code, whose.year).await?;
    let open = differences.iter().any(|one| one.closed_at.is_none());
    for difference in &differences {
        out.value(&told(difference), |_| describe_difference(difference))?;
    }
    if differences.is_empty() && !out.is_json() {
        out.line("no difference was ever found")?;
    }
    Ok(Ended::of(open))
}

fn describe_difference(one: &DifferenceLine) -> String {
    let held = |row: &Option<Row>| {
        row.as_ref().map_or_else(
            || "nothing".to_owned(),
            |row| {
                let held = row.in_force.as_ref().map_or_else(
                    || "nothing in force".to_owned(),
                    |held| {
                        format!(
                            "version {} in force: {} persons, {} weighted months, receipt {}, message {}, digest {}",
                            held.version,
                            held.person_count,
                            held.weighted_person_months,
                            held.receipt,
                            held.message_id,
                            held.digest
                        )
                    },
                );
                let last = &row.last;
                format!(
                    "{held}; last of {} messages: version {} {} {}, key {}, message {}",
                    row.messages, last.version, last.kind, last.status, last.idempotency_key, last.message_id
                )
            },
        )
    };
    let stands = match (&one.closed_why, &one.settled_by) {
        (Some(why), Some(by)) => format!("settled by {by}: {why}"),
        (Some(why), None) => format!("closed: {why}"),
        (None, _) => {
            format!("open since {}, last seen {}", clock::rfc3339(one.first_seen_at), clock::rfc3339(one.last_seen_at))
        }
    };
    format!(
        "{} {} {} ({stands})\n    here:  {}\n    there: {}\n    {}: {}",
        one.uscc,
        one.year,
        one.class,
        held(&one.detail.here),
        held(&one.detail.there),
        one.class.owner(),
        one.class.way_out()
    )
}

async fn follow(context: &Context, whose: &WhoseYear, why: &str, out: Output) -> anyhow::Result<Ended> {
    let employer = context.employer(Action::SettleDifference, &whose.employer).await?;
    let code = context.store.unit_codes(&[employer]).await?.remove(&employer);
    let code = code.map_or_else(|| whose.employer.clone(), |code| code.to_string());
    // what is decided on is what is so now
    refresh(&context.store, &Client::new(tax(context)?)?, &code, whose.year).await?;
    let declaring = Declaring { employer, year: i32::from(whose.year) };
    let settled = settle(&context.store, &context.actor, declaring, why).await?;
    out.value(&settled, |settled| {
        let Settled { employer_uscc, year, class, state, withdraws, last_version } = settled;
        let withdraws = withdraws.map_or_else(String::new, |version| format!("; the withdrawal of version {version} goes out first"));
        format!("{employer_uscc} {year}: {class} settled; the declaration is {state}, the next version is above {last_version}{withdraws}")
    })?;
    Ok(Ended::Done)
}
