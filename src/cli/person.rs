//! `renzheng person`: the code by which a person opens what is kept of them.

use clap::{Args, Subcommand};

use super::context::Context;
use super::output::Output;
use super::{Common, Ended};
use crate::clock::rfc3339;
use crate::declare::person::{issue_code, revoke_code};
use crate::domain::access::Action;

#[derive(Subcommand)]
pub(super) enum PersonCommand {
    /// Make a code for a person who stands before you; it is shown this once, and ends the former
    Code(Whom),
    /// End a person's code at once
    RevokeCode(Whom),
}

#[derive(Args)]
pub(super) struct Whom {
    /// A `person_id`, or `-` for an ID number on standard input
    #[arg(long)]
    person: String,
    /// Why; written to the audit log
    #[arg(long)]
    why: Option<String>,
}

pub(super) async fn run(common: &Common, command: &PersonCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::IssuePersonCode).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &PersonCommand, out: Output) -> anyhow::Result<Ended> {
    let (store, actor) = (&context.store, &context.actor);
    match command {
        PersonCommand::Code(Whom { person, why }) => {
            let issued = issue_code(store, actor, context.person(person).await?, why.as_deref()).await?;
            out.value(&issued, |issued| issued.code.clone())?;
            eprintln!(
                "the code of person {} holds until {}{}; it is shown this once: hand it to the person",
                issued.person.0,
                rfc3339(issued.expires_at),
                if issued.replaces { ", the former one has ended" } else { "" }
            );
        }
        PersonCommand::RevokeCode(Whom { person, why }) => {
            let person = context.person(person).await?;
            let revoked = revoke_code(store, actor, person, why.as_deref()).await?;
            out.value(&revoked, |revoked| format!("the code of person {} holds no more", revoked.person_id.0))?;
        }
    }
    Ok(Ended::Done)
}
