//! `renzheng review conflict`: months that several employers would count, who they are, and for whom staff decide.

use clap::{Args, Subcommand};

use super::Ended;
use super::context::Context;
use super::output::Output;
use super::tick::reverify;
use crate::declare::conflict::{Contested, Deciding, decide, list, undo};
use crate::domain::access::Action;
use crate::domain::facts::PersonId;
use crate::domain::month::Month;
use crate::domain::ruling::PrevailingReason;

/// Persons on a page.
const PAGE: i64 = 100;

#[derive(Subcommand)]
pub(super) enum ConflictCommand {
    /// List contested months with every employer and why it counts; written to the audit log
    List {
        /// Business year
        #[arg(long)]
        year: i32,
        /// The person that the page before ended with
        #[arg(long, value_name = "PERSON_ID", default_value_t = 0)]
        after: i64,
    },
    /// Decide which employer counts a month
    Decide {
        #[command(flatten)]
        month: PersonMonth,
        /// The employer who prevails (USCC)
        #[arg(long, value_name = "USCC")]
        employer: String,
        /// `labour_contract` (it signed it), or `dispatch_agreement` (it is named there)
        #[arg(long, value_parser = parse_reason)]
        reason: PrevailingReason,
        #[arg(long)]
        note: Option<String>,
    },
    /// Take a decision back, until a claim is taken
    Undo {
        #[command(flatten)]
        month: PersonMonth,
        /// Why
        #[arg(long)]
        why: Option<String>,
    },
}

#[derive(Args)]
pub(super) struct PersonMonth {
    /// A `person_id`, or `-` for an ID number on standard input
    #[arg(long)]
    person: String,
    /// The month, YYYY-MM
    #[arg(long, value_name = "YYYY-MM")]
    month: Month,
}

fn parse_reason(text: &str) -> Result<PrevailingReason, String> {
    PrevailingReason::parse(text).ok_or_else(|| "accepted are labour_contract, dispatch_agreement".to_owned())
}

pub(super) async fn act(context: &Context, command: &ConflictCommand, out: Output) -> anyhow::Result<Ended> {
    let (store, actor) = (&context.store, &context.actor);
    match command {
        ConflictCommand::List { year, after } => {
            let (contested, next) = list(store, actor, *year, PersonId(*after), PAGE).await?;
            for one in &contested {
                out.value(one, text)?;
            }
            if let Some(next) = next {
                eprintln!("there may be more: --after {}", next.0);
            }
        }
        ConflictCommand::Decide { month: PersonMonth { person, month }, employer, reason, note } => {
            let deciding = Deciding {
                person: context.person(person).await?,
                month: *month,
                employer: context.employer(Action::ReadResults, employer).await?,
                reason: *reason,
                note: note.clone(),
            };
            decide(store, actor, &deciding).await?;
            let value = serde_json::json!({ "person_id": deciding.person, "month": month, "employer_uscc": employer });
            out.value(&value, |_| format!("{month} of person {} counts for {employer}", deciding.person.0))?;
            reverify(context, month.year(), deciding.person).await;
        }
        ConflictCommand::Undo { month: PersonMonth { person, month }, why } => {
            let person = context.person(person).await?;
            undo(store, actor, person, *month, why.as_deref()).await?;
            let value = serde_json::json!({ "person_id": person, "month": month, "taken_back": true });
            out.value(&value, |_| format!("{month} of person {} is undecided again", person.0))?;
            reverify(context, month.year(), person).await;
        }
    }
    Ok(Ended::Done)
}

fn text(contested: &Contested) -> String {
    let mut lines = vec![format!("{} person {}", contested.month, contested.person.0)];
    for rival in &contested.rivals {
        let says: Vec<&str> = rival.facts.iter().map(|fact| fact.as_str()).collect();
        let says = if says.is_empty() { "does not pass".to_owned() } else { says.join(", ") };
        lines.push(format!("    {} {} ({}): {}", rival.uscc, rival.name, rival.federation_division, says));
    }
    lines.extend(contested.decided.as_ref().map(|decided| {
        let note = decided.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
        format!("    decided for {} by {}: {}{note}", decided.uscc, decided.decided_by, decided.reason)
    }));
    lines.join("\n")
}
