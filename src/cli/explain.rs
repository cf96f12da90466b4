//! `renzheng explain`: the evidence behind every check of one month, and what puts it right.

use clap::Args;

use super::context::{Context, usage};
use super::output::Output;
use super::{Common, Ended};
use crate::domain::access::Action;
use crate::domain::month::Month;
use crate::domain::said::Language;
use crate::verify::explain::text::text;
use crate::verify::explain::{Asked, explain};

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
    /// Language of the text: en, or zh for the employer's handler; JSON holds both
    #[arg(long, default_value = "en", value_parser = parse_language)]
    lang: Language,
}

pub(super) fn parse_language(text: &str) -> Result<Language, String> {
    Language::parse(text).ok_or_else(|| "accepted are en, zh".to_owned())
}

pub(super) async fn run(common: &Common, args: &ExplainArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = show(&context, args, out).await;
    context.close().await?;
    outcome
}

async fn show(context: &Context, args: &ExplainArgs, out: Output) -> anyhow::Result<Ended> {
    let employer = context.employer(Action::ReadResults, &args.employer).await?;
    let person = context.person(&args.person).await?;
    let reading = context.policy()?;
    let asked = Asked { employer, person, month: args.month, reveal: out.reveal };
    let Some(explanation) = explain(&context.store, &reading, asked).await? else {
        return Err(usage(format!("this person has no placement at {} in {}", args.employer, args.month.year())));
    };
    let object = format!("explanation {}: employer {}, person {}", args.month, args.employer, person.0);
    context.note_looks(vec![object], out.reveal).await?;
    out.value(&explanation, |explanation| text(explanation, args.lang))?;
    Ok(Ended::Done)
}
