//! `renzheng levy`: the calculator of the levy (残保金计算器), every step shown.

use chrono::Datelike;
use clap::Args;
use serde::Serialize;

use super::context::{settings, usage};
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::clock;
use crate::domain::counting::Headcount;
use crate::domain::facts::EmployerKind;
use crate::domain::levy::{AverageWage, Estimate, LevyInput, estimate};
use crate::domain::money::Fen;
use crate::policy;

#[derive(Args)]
pub(super) struct LevyArgs {
    /// Staff of the year, an exact decimal
    #[arg(long, value_name = "N")]
    headcount: String,
    /// The employer's average monthly wage, yuan
    #[arg(long, value_name = "YUAN")]
    monthly_wage: String,
    /// Confirmed months of disabled staff, a severe disability counting twice
    #[arg(long, value_name = "MONTHS")]
    weighted_person_months: u32,
    /// enterprise, `public_institution`, `state_organ`, `social_organisation` or other
    #[arg(long, default_value = "enterprise", value_parser = parse_kind)]
    kind: EmployerKind,
    /// Business year the levy is for [default: last year]
    #[arg(long)]
    year: Option<i32>,
    /// Day of payment, which decides the relief [default: 1 September of the year after]
    #[arg(long, value_name = "YYYY-MM-DD")]
    paid_on: Option<chrono::NaiveDate>,
}

fn parse_kind(text: &str) -> Result<EmployerKind, String> {
    EmployerKind::parse(text).ok_or_else(|| {
        let words: Vec<&str> = EmployerKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("accepted are {}", words.join(", "))
    })
}

#[derive(Serialize)]
struct Shown<'a> {
    levy: &'a crate::domain::levy::Levy,
    levy_without: Fen,
    saving: Fen,
}

pub(super) fn run(common: &Common, args: &LevyArgs, out: Output) -> anyhow::Result<Ended> {
    let (settings, _) = settings(common)?;
    let policy = policy::load(settings.policy.as_deref())?.policy;
    let headcount =
        Headcount::parse(&args.headcount).map_err(|error| usage(format!("--headcount {}: {error}", args.headcount)))?;
    let monthly = Fen::parse_yuan(&args.monthly_wage)
        .map_err(|error| usage(format!("--monthly-wage {}: {error}", args.monthly_wage)))?;
    let average_wage = AverageWage::monthly(monthly)
        .map_err(|error| usage(format!("--monthly-wage {}: {error}", args.monthly_wage)))?;
    let year = args.year.unwrap_or_else(|| clock::business_date(clock::system_now()).year() - 1);
    let paid_on = match args.paid_on {
        Some(day) => day,
        None => chrono::NaiveDate::from_ymd_opt(year.saturating_add(1), 9, 1)
            .ok_or_else(|| usage(format!("--year {year} is beyond the calendar")))?,
    };
    let rules = policy.levy_rules(year, paid_on).map_err(|error| usage(error.to_string()))?;
    let input =
        LevyInput { kind: args.kind, headcount, average_wage, weighted_person_months: args.weighted_person_months };
    let estimate = estimate(&input, &rules);
    let shown = Shown { levy: &estimate.levy, levy_without: estimate.levy_without.due, saving: estimate.saving };
    out.value(&shown, |_| text(&estimate))?;
    Ok(Ended::Done)
}

fn text(estimate: &Estimate) -> String {
    let levy = &estimate.levy;
    let ratio = levy.placed_ratio.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string);
    let steps = [
        (
            "required persons = headcount × ratio",
            format!("{} × {} = {}", levy.headcount, levy.required_ratio, levy.required),
        ),
        ("placed persons = weighted months ÷ 12", levy.placed.to_string()),
        ("placed ÷ headcount", ratio),
        ("gap", levy.gap.to_string()),
        ("yearly wage used", format!("{} (ceiling {})", levy.wage_used, levy.wage_cap)),
        ("gap × wage", levy.gross.to_string()),
        ("tier", format!("{}, pays {} of it", levy.tier, levy.share)),
        ("levy due (estimate; the tax office decides)", levy.due.to_string()),
        ("levy if nobody were placed", estimate.levy_without.due.to_string()),
        ("saving", estimate.saving.to_string()),
    ];
    let rows: Vec<Vec<String>> = steps.into_iter().map(|(step, value)| vec![step.to_owned(), value]).collect();
    table(&["step", "value"], &rows, &[])
}
