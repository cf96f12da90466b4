//! `renzheng explain`: the evidence behind every check of one month.

use clap::Args;

use super::context::{Context, usage};
use super::output::Output;
use super::table::chinese;
use super::{Common, Ended};
use crate::clock;
use crate::domain::judge::Waiting;
use crate::domain::month::Month;
use crate::store::lineage::Origin;
use crate::verify::explain::{CheckEvidence, Explanation, explain};

#[derive(Args)]
pub(super) struct ExplainArgs {
    /// The employer (USCC)
    #[arg(long, value_name = "USCC")]
    employer: String,
    /// A `person_id`, or `-` for an ID number on standard input
    #[arg(long)]
    person: String,
    /// The month, YYYY-MM
    #[arg(long, value_name = "YYYY-MM")]
    month: Month,
}

pub(super) async fn run(common: &Common, args: &ExplainArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common).await?;
    let outcome = show(&context, args, out).await;
    context.close().await?;
    outcome
}

async fn show(context: &Context, args: &ExplainArgs, out: Output) -> anyhow::Result<Ended> {
    let employer = context.employer(&args.employer).await?;
    let person = context.person(&args.person).await?;
    let reading = context.policy()?;
    let Some(explanation) = explain(&context.store, &reading, employer, person, args.month).await? else {
        return Err(usage(format!("this person has no placement at {} in {}", args.employer, args.month.year())));
    };
    out.value(&explanation, text)?;
    Ok(Ended::Done)
}

pub(super) fn text(explanation: &Explanation) -> String {
    let verdict = match (explanation.passed, explanation.conflict) {
        (true, _) => "counts",
        (false, true) => "does not count: another employer claims it or would count it too",
        (false, false) => "does not count",
    };
    let mut lines = vec![format!(
        "{}: {verdict}, weight {} (as of {}, publish {}, policy {})",
        explanation.month, explanation.weight, explanation.business_date, explanation.seq, explanation.policy_version
    )];
    lines.extend(explanation.checks.iter().map(check));
    lines.join("\n")
}

fn check(evidence: &CheckEvidence) -> String {
    let sign = evidence.sign.map_or("", crate::domain::verdict::Sign::as_str);
    let mut lines = vec![format!("{sign} {} {}: {}", chinese(evidence.check), evidence.check, evidence.code)];
    let mut say = |text: String| lines.push(format!("    {text}"));
    if let Some(required) = evidence.required {
        let found = evidence.found.map_or_else(|| "nothing".to_owned(), |found| format!("{found} yuan"));
        let period = evidence.period.map(|period| format!(" for {period}")).unwrap_or_default();
        say(format!("found {found}{period}; required {required} yuan"));
    }
    if let Some(contract) = evidence.contract {
        let end = contract.ends_on.map_or_else(|| "open-ended".to_owned(), |day| format!("to {day}"));
        let ended = contract.terminated_on.map(|day| format!(", terminated {day}")).unwrap_or_default();
        say(format!("{} contract from {} {end}{ended}", contract.kind, contract.starts_on));
    }
    if let (Some(from), Some(to)) = (evidence.old_enough_on, evidence.retires_on) {
        say(format!("of working age from {from} until {to}"));
    }
    if let Some(waiting) = evidence.waiting {
        let due = evidence.due_on.map(|day| format!(", due from {day} on")).unwrap_or_default();
        say(format!("{}{due}", told(waiting)));
    }
    evidence.rests_on.iter().for_each(|origin| say(format!("rests on {}", told_origin(origin))));
    evidence.passed_over.iter().for_each(|origin| say(format!("passed over {}", told_origin(origin))));
    lines.join("\n")
}

fn told(waiting: Waiting) -> &'static str {
    match waiting {
        Waiting::NotSettled => "not known yet: a source has not delivered the period whole",
        Waiting::Stale => "not known yet: the source was not pulled lately",
        Waiting::RefusedRecord => "not known yet: a record that may be the missing one was refused, see quarantine",
        Waiting::RepullDue => "not known yet: the person is new here and the source has not been pulled since",
    }
}

fn told_origin(origin: &Origin) -> String {
    format!(
        "{} batch {}, page {}, row {}, delivered {}, stamped {}",
        origin.source,
        origin.batch_id,
        origin.page_number,
        origin.row_number,
        clock::rfc3339(origin.delivered_at),
        clock::rfc3339(origin.updated_at)
    )
}
