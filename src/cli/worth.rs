//! `renzheng worth`: what every month that does not count costs the employer, by the levy on its own headcount and wages.

use std::collections::{BTreeMap, HashSet};

use clap::Args;
use serde::Serialize;

use super::context::{Context, usage};
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::declare::confirm::verdicts;
use crate::domain::counting::Headcount;
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::levy::AverageWage;
use crate::domain::money::Fen;
use crate::domain::month::Month;
use crate::domain::policy::LevyRules;
use crate::domain::verdict::{Check, Sign, Verdict};
use crate::domain::worth::{Gain, Position, levy_with, worth};
use crate::store::entries::Employer;
use crate::store::facts::{Persons, Scope};

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

/// One month that does not count.
#[derive(Serialize)]
struct Line {
    person_id: PersonId,
    month: Month,
    /// Ⅹ.
    failing: Vec<Check>,
    /// …: it may turn by itself.
    pending: Vec<Check>,
    conflict: bool,
    weight: u8,
    /// What the levy would fall by if this month alone counted besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    worth: Option<Fen>,
}

/// The whole answer.
#[derive(Serialize)]
struct Shown {
    employer_uscc: String,
    year: i32,
    weighted_person_months: u32,
    /// Months that would be gained if all counted, by weight.
    weighted_months_missing: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    levy: Option<Fen>,
    /// What the levy would fall by if all these months counted; not the sum of the lines where a tier is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    worth_of_all: Option<Fen>,
    /// What the levy needs and is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<&'static str>,
    months: Vec<Line>,
}

pub(super) async fn run(common: &Common, args: &WorthArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common).await?;
    let outcome = show(&context, args, out).await;
    context.close().await?;
    outcome
}

async fn show(context: &Context, args: &WorthArgs, out: Output) -> anyhow::Result<Ended> {
    let store = &context.store;
    let unit = context.employer(&args.employer).await?;
    let seq = store.head().await?;
    let entered = store.list_employers(seq, Some(&[unit])).await?;
    let entered = entered.first().ok_or_else(|| usage(format!("{} is not entered as an employer", args.employer)))?;
    let placements = store.list_placements(&[unit]).await?;
    let dispatched: HashSet<PersonId> = placements
        .iter()
        .filter(|placement| i32::from(placement.year) == args.year && placement.dispatch.is_some())
        .map(|placement| placement.person)
        .collect();
    let judged = judged_months(context, unit, args.year, seq).await?;
    let counts = |wanted: bool| judged.iter().filter(move |(.., verdict)| verdict.passed() == wanted);
    let gain =
        |(person, _, verdict): &(PersonId, Month, Verdict)| Gain::month(verdict.weight, dispatched.contains(person));
    let now = counts(true).map(gain).fold(Gain::default(), |sum, one| sum + one);
    let all = counts(false).map(gain).fold(Gain::default(), |sum, one| sum + one);
    let (position, missing) = position(args, entered, now)?;
    let rules = rules(context, args)?;
    let mut months = Vec::new();
    for one in counts(false) {
        let (person_id, month, verdict) = *one;
        let of = |sign: Sign| Check::ALL.iter().copied().filter(|check| verdict.codes.sign(*check) == sign).collect();
        let worth = position.as_ref().map(|position| worth(position, gain(one), &rules)).transpose()?;
        months.push(Line {
            person_id,
            month,
            failing: of(Sign::Fail),
            pending: of(Sign::Pending),
            conflict: verdict.conflict,
            weight: verdict.weight,
            worth,
        });
    }
    let shown = Shown {
        employer_uscc: args.employer.clone(),
        year: args.year,
        weighted_person_months: now.weighted_months,
        weighted_months_missing: all.weighted_months,
        levy: position.as_ref().map(|position| levy_with(position, Gain::default(), &rules)).transpose()?,
        worth_of_all: position.as_ref().map(|position| worth(position, all, &rules)).transpose()?,
        missing,
        months,
    };
    out.value(&shown, text)?;
    Ok(Ended::Done)
}

/// The stored results of the employer's placements, month by month.
async fn judged_months(
    context: &Context,
    unit: UnitId,
    year: i32,
    seq: i64,
) -> anyhow::Result<Vec<(PersonId, Month, Verdict)>> {
    let store = &context.store;
    let persons = Persons::These(store.placed_persons(year, unit, seq).await?);
    let mut rows = store.year_rows(&Scope { year, seq, persons }).await?;
    rows.retain(|row| row.employer == unit);
    let mut judged = Vec::with_capacity(rows.len() * 12);
    for row in &rows {
        judged.extend(verdicts(year, row)?.into_iter().map(|(month, verdict)| (row.person, month, verdict)));
    }
    Ok(judged)
}

/// What the levy is computed from, or what of it is not known.
fn position(args: &WorthArgs, entered: &Employer, now: Gain) -> anyhow::Result<(Option<Position>, Vec<&'static str>)> {
    let headcount = match args.headcount.as_deref().or(entered.headcount.as_deref()) {
        Some(text) => Some(Headcount::parse(text).map_err(|error| usage(format!("--headcount {text}: {error}")))?),
        None => None,
    };
    let total = match &args.total_wages {
        Some(text) => Some(Fen::parse_yuan(text).map_err(|error| usage(format!("--total-wages {text}: {error}")))?),
        None => entered.total_wages,
    };
    let (Some(headcount), Some(total)) = (headcount.as_ref(), total) else {
        let lacks = [(headcount.is_none(), "headcount"), (total.is_none(), "total_wages")];
        return Ok((None, lacks.into_iter().filter(|(lacks, _)| *lacks).map(|(_, what)| what).collect()));
    };
    let average_wage = AverageWage::of_total(total, headcount).map_err(|error| usage(error.to_string()))?;
    let position = Position {
        kind: entered.kind,
        headcount: headcount.clone(),
        average_wage,
        weighted_person_months: now.weighted_months,
        dispatched_months: now.dispatched_months,
    };
    Ok((Some(position), Vec::new()))
}

fn rules(context: &Context, args: &WorthArgs) -> anyhow::Result<LevyRules> {
    let paid_on = match args.paid_on {
        Some(day) => day,
        None => chrono::NaiveDate::from_ymd_opt(args.year.saturating_add(1), 9, 1)
            .ok_or_else(|| usage(format!("--year {} is beyond the calendar", args.year)))?,
    };
    context.policy()?.policy.levy_rules(args.year, paid_on).map_err(|error| usage(error.to_string()))
}

fn text(shown: &Shown) -> String {
    let yuan = |amount: Option<Fen>| amount.map_or_else(|| "unknown".to_owned(), |amount| amount.to_string());
    let mut lines = vec![format!(
        "{} {}: {} weighted person-months count, {} do not; levy {}, all of them are worth {}",
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
        let mut why: Vec<String> = line.failing.iter().map(|check| format!("Ⅹ {check}")).collect();
        why.extend(line.pending.iter().map(|check| format!("… {check}")));
        why.extend(line.conflict.then(|| "Ⅹ conflict".to_owned()));
        alike.entry((line.person_id, why.join(", "), line.weight, line.worth)).or_default().push(line.month);
    }
    let mut rows: Vec<Vec<String>> = alike
        .into_iter()
        .map(|((person, why, weight, worth), months)| {
            vec![person.0.to_string(), spans(&months), why, weight.to_string(), yuan(worth)]
        })
        .collect();
    rows.sort_by_key(|row| (row[0].parse::<i64>().unwrap_or_default(), row[1].clone()));
    lines.push(table(&["person", "months", "why", "weight", "worth of each, yuan"], &rows, &[0, 3, 4]));
    lines.join("\n")
}

/// Months in a row as `2025-01–03`.
fn spans(months: &[Month]) -> String {
    let mut spans: Vec<(Month, Month)> = Vec::new();
    for month in months {
        match spans.last_mut() {
            Some((_, last)) if last.plus(1) == *month => *last = *month,
            _ => spans.push((*month, *month)),
        }
    }
    let told = |(first, last): &(Month, Month)| {
        if first == last { first.to_string() } else { format!("{first}–{:02}", last.number()) }
    };
    spans.iter().map(told).collect::<Vec<_>>().join(", ")
}
