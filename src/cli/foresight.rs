//! `renzheng foresight`: what will fail soon at one employer, person by person.

use clap::Args;

use super::context::Context;
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::domain::access::Action;
use crate::domain::facts::Scheme;
use crate::domain::foresight::Foreseen;
use crate::verify::foresight::{LookAhead, look_ahead};

#[derive(Args)]
pub(super) struct ForesightArgs {
    /// The employer (USCC)
    #[arg(long, value_name = "USCC")]
    employer: String,
    /// How far ahead
    #[arg(long, default_value_t = 90)]
    days: u32,
    /// Whose placements [default: of the running year, and those of the one before who are not carried over]
    #[arg(long)]
    year: Option<i32>,
}

pub(super) async fn run(common: &Common, args: &ForesightArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = show(&context, args, out).await;
    context.close().await?;
    outcome
}

async fn show(context: &Context, args: &ForesightArgs, out: Output) -> anyhow::Result<Ended> {
    let employer = context.employer(Action::ReadResults, &args.employer).await?;
    let ahead = look_ahead(&context.store, &context.policy()?, employer, args.year, args.days).await?;
    out.value(&ahead, |ahead| text(ahead, args.days))?;
    Ok(Ended::Done)
}

fn text(ahead: &LookAhead, days: u32) -> String {
    let head = format!("placements of {}, {days} days ahead of {}", ahead.year, ahead.business_date);
    if ahead.persons.is_empty() {
        return format!("{head}: nothing is foreseen");
    }
    let rows: Vec<Vec<String>> = ahead
        .persons
        .iter()
        .flat_map(|one| {
            let since = if one.year == ahead.year {
                String::new()
            } else {
                format!(" (placed in {}, not carried over)", one.year)
            };
            one.foreseen.iter().map(move |foreseen| vec![one.person.0.to_string(), told(foreseen) + &since])
        })
        .collect();
    format!("{head}\n{}", table(&["person", "what"], &rows, &[0]))
}

fn told(foreseen: &Foreseen) -> String {
    match foreseen {
        Foreseen::CertificateEnds { on } => format!("残疾证 certificate ends on {on}, none follows"),
        Foreseen::CertificateMissing => "残疾证 no certificate is in force".to_owned(),
        Foreseen::ContractEnds { on } => format!("合同 contract ends on {on}, none follows"),
        Foreseen::ContractGap { first, last } if first == last => format!("合同 no contract covers {first}"),
        Foreseen::ContractGap { first, last } => format!("合同 no contract covers {first} to {last}"),
        Foreseen::InsuranceMissing { scheme, month, code } => {
            let name = if *scheme == Scheme::Pension { "社保 pension" } else { "医保 medical" };
            format!("{name} {month}: {code}")
        }
        Foreseen::MinimumWageRises { from, standard, last_paid, last_period } => {
            format!("工资 minimum wage {standard} from {from}, last paid {last_paid} for {last_period}")
        }
        Foreseen::Retires { on } => format!("年龄 retirement age reached on {on}"),
    }
}
