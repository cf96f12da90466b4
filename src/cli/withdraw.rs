//! `renzheng withdraw`: 年审申报撤回, asked for by the employer and decided by staff.

use clap::Subcommand;

use super::context::Context;
use super::declare::{Whose, judge_others};
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::clock;
use crate::declare::withdraw::{Asking, Deciding, ask, decide, list};
use crate::domain::access::Action;

#[derive(Subcommand)]
pub(super) enum WithdrawCommand {
    /// Ask staff to take a completed declaration back
    Ask {
        #[command(flatten)]
        whose: Whose,
        /// Why
        #[arg(long, value_name = "REASON")]
        why: String,
        /// The levy was paid by this result already
        #[arg(long)]
        levy_paid: bool,
        /// The tax department's reference of the refund
        #[arg(long, value_name = "REFERENCE")]
        refund_reference: Option<String>,
    },
    /// Approve or refuse it
    Decide {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        word: Word,
        /// The tax department's reference of the refund, where the levy was paid
        #[arg(long, value_name = "REFERENCE")]
        refund_reference: Option<String>,
    },
    /// What waits for a decision, the oldest first
    List,
}

/// Yes or no, and why.
#[derive(clap::Args)]
pub(super) struct Word {
    #[command(flatten)]
    which: Which,
    /// Why
    #[arg(long, value_name = "REASON")]
    pub(super) why: String,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Yes
    #[arg(long)]
    approve: bool,
    /// No
    #[arg(long)]
    refuse: bool,
}

impl Word {
    pub(super) fn approves(&self) -> bool {
        self.which.approve && !self.which.refuse
    }
}

pub(super) async fn run(common: &Common, command: &WithdrawCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::ReadResults).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &WithdrawCommand, out: Output) -> anyhow::Result<Ended> {
    let (store, actor) = (&context.store, &context.actor);
    match command {
        WithdrawCommand::Ask { whose, why, levy_paid, refund_reference } => {
            let asking =
                Asking { reason: why.clone(), levy_paid: *levy_paid, refund_reference: refund_reference.clone() };
            whose.print(&ask(store, actor, whose.declaring(context).await?, &asking).await?, out)?;
        }
        WithdrawCommand::Decide { whose, word, refund_reference } => {
            let declaring = whose.declaring(context).await?;
            let deciding = Deciding {
                approve: word.approves(),
                reason: word.why.clone(),
                refund_reference: refund_reference.clone(),
            };
            whose.print(&decide(store, actor, declaring, &deciding).await?, out)?;
            judge_others(context, declaring).await;
        }
        WithdrawCommand::List => {
            let mut rows = Vec::new();
            for listed in list(store, actor).await? {
                let Some(request) = listed.declaration.open_withdrawal() else { continue };
                if out.is_json() {
                    out.json(&serde_json::json!({ "employer_uscc": listed.uscc, "year": listed.year, "withdrawal": request }))?;
                    continue;
                }
                let paid = match (&request.refund_reference, request.levy_paid) {
                    (Some(reference), _) => format!("refunded, {reference}"),
                    (None, true) => "paid".to_owned(),
                    (None, false) => "not paid".to_owned(),
                };
                rows.push(vec![
                    listed.uscc.to_string(),
                    listed.year.to_string(),
                    request.version.to_string(),
                    clock::rfc3339(request.asked.at),
                    request.asked.by.clone(),
                    paid,
                    request.reason.clone(),
                ]);
            }
            if !out.is_json() {
                let header = ["employer", "year", "version", "asked", "by", "levy", "why"];
                out.line(table(&header, &rows, &[1, 2]))?;
            }
        }
    }
    Ok(Ended::Done)
}
