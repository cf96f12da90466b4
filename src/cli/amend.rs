//! `renzheng amend`: 更正 of single person-months, asked for by the employer or by staff and decided by staff.

use clap::Subcommand;

use super::context::{Context, usage};
use super::declare::{Whose, judge_others, name_persons};
use super::output::Output;
use super::table::table;
use super::withdraw::Word;
use super::{Common, Ended};
use crate::clock;
use crate::declare::amend::{Deciding, Difference, ask, decide, list, show};
use crate::domain::access::Action;
use crate::domain::declaration::Change;
use crate::domain::facts::PersonId;
use crate::domain::money::Fen;
use crate::domain::month::Month;

#[derive(Subcommand)]
pub(super) enum AmendCommand {
    /// Ask for single months to be added to or removed from what is declared
    Ask {
        #[command(flatten)]
        whose: Whose,
        /// A month to be added, such as `17:2025-03` (`person_id:month`); may be given several times
        #[arg(long, value_name = "PERSON:MONTH")]
        add: Vec<String>,
        /// A month to be removed; may be given several times
        #[arg(long, value_name = "PERSON:MONTH")]
        remove: Vec<String>,
        /// Why; `17:2025-03=reason` behind `--add` or `--remove` gives a month a reason of its own
        #[arg(long, value_name = "REASON", default_value = "")]
        why: String,
    },
    /// Before, after and effect of the last amendment that was asked for
    Show(Whose),
    /// Approve or refuse it
    Decide {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        word: Word,
    },
    /// What waits for a decision, the oldest first
    List,
}

pub(super) async fn run(common: &Common, command: &AmendCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &AmendCommand, out: Output) -> anyhow::Result<Ended> {
    let (store, actor) = (&context.store, &context.actor);
    let policy = context.policy()?.policy;
    match command {
        AmendCommand::Ask { whose, add, remove, why } => {
            let declaring = whose.declaring(context).await?;
            let mut changes = Vec::with_capacity(add.len() + remove.len());
            for (texts, add) in [(add, true), (remove, false)] {
                for text in texts {
                    changes.push(change(text, add, why)?);
                }
            }
            let declaration = match ask(store, &policy, actor, declaring, changes).await {
                Ok(declaration) => declaration,
                Err(error) => {
                    name_persons(&error);
                    return Err(error.into());
                }
            };
            whose.print(&declaration, out)?;
        }
        AmendCommand::Show(whose) => match show(store, &policy, actor, whose.declaring(context).await?).await? {
            Some(difference) => out.value(&difference, text)?,
            None => eprintln!("no amendment of {} was asked for {}", whose.employer, whose.year),
        },
        AmendCommand::Decide { whose, word } => {
            let declaring = whose.declaring(context).await?;
            let deciding = Deciding { approve: word.approves(), reason: word.why.clone() };
            whose.print(&decide(store, &policy, actor, declaring, &deciding).await?, out)?;
            judge_others(context, declaring).await;
        }
        AmendCommand::List => {
            let mut rows = Vec::new();
            for listed in list(store, actor).await? {
                let Some(request) = listed.declaration.open_amendment() else { continue };
                if out.is_json() {
                    out.json(
                        &serde_json::json!({ "employer_uscc": listed.uscc, "year": listed.year, "amendment": request }),
                    )?;
                    continue;
                }
                let added = request.changes.iter().filter(|change| change.add).count();
                rows.push(vec![
                    listed.uscc.to_string(),
                    listed.year.to_string(),
                    request.of_version.to_string(),
                    clock::rfc3339(request.asked.at),
                    request.asked.by.clone(),
                    format!("+{added} −{}", request.changes.len() - added),
                ]);
            }
            if !out.is_json() {
                let header = ["employer", "year", "version", "asked", "by", "months"];
                out.line(table(&header, &rows, &[1, 2]))?;
            }
        }
    }
    Ok(Ended::Done)
}

/// `17:2025-03`, maybe with `=reason`.
fn change(text: &str, add: bool, why: &str) -> anyhow::Result<Change> {
    let (cell, reason) = text.split_once('=').unwrap_or((text, why));
    let parts = cell
        .split_once(':')
        .and_then(|(person, month)| Some((PersonId(person.parse().ok()?), month.parse::<Month>().ok()?)));
    let (person, month) = parts.ok_or_else(|| {
        usage(format!("`{cell}` names no month of a person; accepted is `person_id:month`, such as `17:2025-03`"))
    })?;
    Ok(Change { person, month, add, reason: reason.to_owned() })
}

fn text(difference: &Difference) -> String {
    let Difference { before, after, .. } = difference;
    let mut lines = vec![format!(
        "amends version {}: {} → {} persons, {} → {} weighted person-months",
        difference.of_version,
        before.person_count,
        after.person_count,
        before.weighted_person_months,
        after.weighted_person_months
    )];
    let levy = |amount: Option<Fen>| amount.map_or_else(|| "unknown".to_owned(), |amount| amount.to_string());
    lines.push(format!("levy, yuan: {} → {}", levy(difference.levy_before), levy(difference.levy_after)));
    let rows: Vec<Vec<String>> = difference
        .changes
        .iter()
        .map(|change| {
            let what = if change.add { "added" } else { "removed" };
            vec![change.person.0.to_string(), change.month.to_string(), what.to_owned(), change.reason.clone()]
        })
        .collect();
    lines.push(table(&["person", "month", "change", "why"], &rows, &[0]));
    lines.join("\n")
}
