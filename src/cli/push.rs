//! `renzheng push`: messages to the tax department.

use clap::Subcommand;

use super::context::Context;
use super::output::Output;
use super::run::{describe_push, push_now};
use super::table::table;
use super::{Common, Ended};
use crate::clock;
use crate::domain::access::Action;
use crate::store::outbox::OutboxLine;

#[derive(Subcommand)]
pub(super) enum PushCommand {
    /// Send what waits, and take in the answers
    Run,
    /// List messages, newest first
    Status {
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: i64,
    },
}

pub(super) async fn run(common: &Common, command: &PushCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::Operate).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &PushCommand, out: Output) -> anyhow::Result<Ended> {
    match command {
        PushCommand::Run => {
            let handed_over = push_now(context, "push", (&context.actor.name).into()).await?;
            out.value(&handed_over, |handed_over| describe_push(*handed_over))?;
        }
        PushCommand::Status { limit } => {
            let lines = context.store.list_outbox(*limit).await?;
            if out.is_json() {
                for line in &lines {
                    out.json(line)?;
                }
            } else {
                out.line(status(&lines))?;
            }
        }
    }
    Ok(Ended::Done)
}

pub(super) fn status(lines: &[OutboxLine]) -> String {
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            vec![
                line.uscc.clone(),
                line.year.to_string(),
                line.version.to_string(),
                line.kind.clone(),
                line.state.clone(),
                line.attempts.to_string(),
                clock::rfc3339(line.created_at),
                line.receipt.clone().unwrap_or_default(),
                line.last_error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let header = ["employer", "year", "version", "kind", "state", "attempts", "created", "receipt", "last error"];
    table(&header, &rows, &[1, 2, 5])
}
