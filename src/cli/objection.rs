//! `renzheng objection`: what persons object to, and the answers of staff.

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::context::Context;
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::clock::rfc3339;
use crate::declare::objections::{Answering, ListedObjection, ShownObjection, answer, list, show};
use crate::domain::access::Action;
use crate::domain::month::{Month, spans};
use crate::domain::objection::Finding;

#[derive(Subcommand)]
pub(super) enum ObjectionCommand {
    /// List objections that wait for an answer, oldest first
    List {
        /// Only those after this one: the next page
        #[arg(long, value_name = "ID")]
        after: Option<i64>,
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
    },
    /// Read what a person says; it is written to the audit log
    Show {
        /// The objection's number
        id: i64,
    },
    /// Answer the person, once; no result changes by it
    Answer(AnswerArgs),
}

#[derive(Args)]
pub(super) struct AnswerArgs {
    /// The objection's number
    id: i64,
    #[command(flatten)]
    finding: FindingArgs,
    /// What the person is told, or `-` for the text on standard input; kept encrypted
    #[arg(long)]
    text: String,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct FindingArgs {
    /// The person is right
    #[arg(long)]
    upheld: bool,
    /// The person is not
    #[arg(long)]
    not_upheld: bool,
}

pub(super) async fn run(common: &Common, command: &ObjectionCommand, out: Output) -> anyhow::Result<Ended> {
    let action = match command {
        ObjectionCommand::List { .. } | ObjectionCommand::Show { .. } => Action::OpenCase,
        ObjectionCommand::Answer(_) => Action::DecideObjection,
    };
    let context = Context::open(common, action).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &ObjectionCommand, out: Output) -> anyhow::Result<Ended> {
    let (store, actor) = (&context.store, &context.actor);
    match command {
        ObjectionCommand::List { after, limit } => {
            let page = list(store, actor, *after, *limit).await?;
            if out.is_json() {
                page.objections.iter().try_for_each(|one| out.json(one))?;
            } else if page.objections.is_empty() {
                eprintln!("no objection waits for an answer");
            } else {
                let rows: Vec<Vec<String>> = page.objections.iter().map(row).collect();
                out.line(table(&["id", "raised", "person", "employer", "months", "kind"], &rows, &[0, 2]))?;
            }
            if let Some(next) = page.next {
                eprintln!("there are more: --after {next}");
            }
        }
        ObjectionCommand::Show { id } => out.value(&show(store, actor, *id).await?, text)?,
        ObjectionCommand::Answer(args) => {
            let finding = if args.finding.upheld { Finding::Upheld } else { Finding::NotUpheld };
            let words = given_text(&args.text)?;
            let given = answer(store, actor, &Answering { objection_id: args.id, finding, text: &words }).await?;
            out.value(&given, |given| format!("objection {} is answered: {}", given.objection_id, given.finding))?;
        }
    }
    Ok(Ended::Done)
}

fn given_text(text: &str) -> anyhow::Result<String> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    std::io::read_to_string(std::io::stdin()).context("cannot read the text from standard input")
}

fn row(one: &ListedObjection) -> Vec<String> {
    vec![
        one.objection_id.to_string(),
        rfc3339(one.raised_at),
        one.person_id.0.to_string(),
        format!("{} {}", one.employer_uscc, one.employer_name),
        months(&one.months),
        one.kind.to_string(),
    ]
}

/// Of one year or of several.
fn months(months: &[Month]) -> String {
    let told = |(first, last): &(Month, Month)| {
        if first == last { first.to_string() } else { format!("{first} to {last}") }
    };
    spans(months).iter().map(told).collect::<Vec<_>>().join(", ")
}

fn text(shown: &ShownObjection) -> String {
    let ShownObjection { listed, who, text, answer } = shown;
    let mut lines = vec![
        format!("{}  {}  person {}  {who}", listed.objection_id, rfc3339(listed.raised_at), listed.person_id.0),
        format!("{} {} ({})", listed.employer_uscc, listed.employer_name, listed.federation_division),
        format!("{}: {} {}", months(&listed.months), listed.kind, listed.kind.chinese()),
    ];
    lines.extend((!text.is_empty()).then(|| text.clone()));
    lines.extend(answer.as_ref().map(|answer| {
        format!("{} by {}, {}: {}", rfc3339(answer.answered_at), answer.answered_by, answer.finding, answer.text)
    }));
    lines.join("\n")
}
