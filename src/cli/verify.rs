//! `renzheng verify`.

use clap::Args;
use serde::Serialize;

use super::context::{Context, usage};
use super::output::Output;
use super::run::verify_year;
use super::{Common, Ended};
use crate::verify::{Selection, Summary};

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
    /// Recompute everything; this version always does
    #[arg(long)]
    full: bool,
}

#[derive(Serialize)]
struct Report {
    year: i32,
    #[serde(flatten)]
    summary: Summary,
}

pub(super) async fn run(common: &Common, args: &VerifyArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common).await?;
    let outcome = verify(&context, args, out).await;
    context.close().await?;
    outcome
}

async fn verify(context: &Context, args: &VerifyArgs, out: Output) -> anyhow::Result<Ended> {
    if !context.policy()?.policy.knows_year(args.year) {
        return Err(usage(format!("the policy has no rules for {}", args.year)));
    }
    context.jobs().await?;
    let mut selection = Selection::default();
    if let Some(employer) = &args.employer {
        selection.employer = Some(context.employer(employer).await?);
    }
    if let Some(person) = &args.person {
        selection.person = Some(context.person(person).await?);
    }
    let summary = verify_year(context, args.year, &selection).await?;
    out.value(&Report { year: args.year, summary }, |Report { year, summary }| {
        format!(
            "{year}: {} placements verified, {} of {} months pass; {} months of {} placements changed",
            summary.placements, summary.passed, summary.months, summary.changed_months, summary.changed_placements
        )
    })?;
    Ok(Ended::Done)
}
