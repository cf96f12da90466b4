//! `renzheng worth`: what every month that does not count costs the employer, by the levy on its own headcount and wages.

use std::collections::BTreeMap;

use clap::Args;

use super::context::{Context, usage};
use super::output::Output;
use super::table::{month_spans, table};
use super::{Common, Ended};
use crate::declare::DeclareError;
use crate::declare::worth::{AskedWorth, Worth, WorthOfMonth, worth_of_months};
use crate::domain::access::Action;
use crate::domain::counting::Headcount;
use crate::domain::facts::PersonId;
use crate::domain::money::Fen;
use crate::domain::month::Month;
use crate::errors;

#[derive(Args)]
pub(super) struct WorthArgs {
    /// The employer (USCC)
    #[arg(long, value_name = "USCC")]
    employer: String,
    /// Business year
    #[arg(long)]
    year: i32,
    /// Staff of the year [default: as the employer was entered]
    #[arg(long, value_name = "N")]
    headcount: Option<String>,
    /// Total wages of the year, yuan [default: as the employer was entered]
    #[arg(long, value_name = "YUAN")]
    total_wages: Option<String>,
    /// Day of payment, which decides the relief [default: 1 September of the year after]
    #[arg(long, value_name = "YYYY-MM-DD")]
    paid_on: Option<chrono::NaiveDate>,
}

pub(super) async fn run(common: &Common, args: &WorthArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = show(&context, args, out).await;
    context.close().await?;
    outcome
}

async fn show(context: &Context, args: &WorthArgs, out: Output) -> anyhow::Result<Ended> {
    let wrong = |what: &str, error: &dyn std::fmt::Display| usage(format!("{what}: {error}"));
    let headcount = args
        .headcount
        .as_deref()
        .map(|text| Headcount::parse(text).map_err(|error| wrong(&format!("--headcount {text}"), &error)));
    let total_wages = args
        .total_wages
        .as_deref()
        .map(|text| Fen::parse_yuan(text).map_err(|error| wrong(&format!("--total-wages {text}"), &error)));
    let asked = AskedWorth {
        employer: context.employer(Action::ReadResults, &args.employer).await?,
        year: args.year,
        headcount: headcount.transpose()?,
        total_wages: total_wages.transpose()?,
        paid_on: args.paid_on,
    };
    let worth = match worth_of_months(&context.store, &context.policy()?.policy, &context.actor, &asked).await {
        Err(DeclareError::Worth(error)) => return Err(usage(errors::chain(&error))),
        worth => worth?,
    };
    out.value(&worth, text)?;
    Ok(Ended::Done)
}

fn text(shown: &Worth) -> String {
    let yuan = |amount: Option<Fen>| amount.map_or_else(|| "unknown".to_owned(), |amount| amount.to_string());
    let rests_on = shown.version.map_or_else(|| "as they stand".to_owned(), |version| format!("by version {version}"));
    let mut lines = vec![format!(
        "{} {}: {} weighted person-months count {rests_on}, {} do not; levy {}, all of them are worth {}",
        shown.employer_uscc,
        shown.year,
        shown.weighted_person_months,
        shown.weighted_months_missing,
        yuan(shown.levy),
        yuan(shown.worth_of_all)
    )];
    if !shown.missing.is_empty() {
        lines.push(format!(
            "not known of the employer: {}; give it as an option or import it",
            shown.missing.join(", ")
        ));
    }
    // months of one person that fail alike are one line
    let mut alike: BTreeMap<(PersonId, String, u8, Option<Fen>), Vec<Month>> = BTreeMap::new();
    for line in &shown.months {
        alike.entry((line.person_id, why(line), line.weight, line.worth)).or_default().push(line.month);
    }
    let mut rows: Vec<Vec<String>> = alike
        .into_iter()
        .map(|((person, why, weight, worth), months)| {
            vec![person.0.to_string(), month_spans(&months), why, weight.to_string(), yuan(worth)]
        })
        .collect();
    rows.sort_by_key(|row| (row[0].parse::<i64>().unwrap_or_default(), row[1].clone()));
    lines.push(table(&["person", "months", "why", "weight", "worth of each, yuan"], &rows, &[0, 3, 4]));
    lines.join("\n")
}

/// Why a month does not count: what fails or is not known; where nothing does, that it is not ticked, or not in the version in force.
fn why(line: &WorthOfMonth) -> String {
    let mut why: Vec<String> = line.failing.iter().map(|check| format!("Ⅹ {check}")).collect();
    why.extend(line.pending.iter().map(|check| format!("… {check}")));
    why.extend(line.conflict.then(|| "Ⅹ conflict".to_owned()));
    match (why.is_empty(), line.standing) {
        (false, _) => why.join(", "),
        (true, "unticked") => "unticked".to_owned(),
        (true, _) => "not declared".to_owned(),
    }
}
