//! `renzheng alerts`: what is wrong and not over yet, whom it was told, and who takes care of it.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::{Context, checked_jobs};
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::clock::{self, rfc3339};
use crate::config::TaxMode;
use crate::declare::operate;
use crate::domain::access::Action;
use crate::notify::{self, Installation};
use crate::store::alerts::AlertLine;
use crate::store::messages::MessageLine;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct AlertsArgs {
    #[command(subcommand)]
    command: Option<AlertsCommand>,
    /// Also those that are over
    #[arg(long)]
    all: bool,
    /// How many
    #[arg(long, default_value_t = 50)]
    limit: i64,
}

#[derive(Subcommand)]
enum AlertsCommand {
    /// Say that somebody takes care of it
    Acknowledge {
        /// The alert's number
        id: i32,
        /// What is done about it; written to the audit log
        #[arg(long)]
        why: String,
    },
    /// Look, and send what is due to whom the settings name
    Deliver,
}

/// An alert with its messages.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    alert: AlertLine,
    messages: Vec<MessageLine>,
}

pub(super) async fn run(common: &Common, args: &AlertsArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::Operate).await?;
    let outcome = match &args.command {
        None => list(&context, args, out).await,
        Some(AlertsCommand::Acknowledge { id, why }) => acknowledge(&context, *id, why, out).await,
        Some(AlertsCommand::Deliver) => deliver(&context, out).await,
    };
    context.close().await?;
    outcome
}

/// What is wrong is looked at afresh.
async fn watch(context: &Context) -> anyhow::Result<()> {
    let jobs = checked_jobs(&context.settings)?;
    let settings = &context.settings;
    let tax_is_set = settings.tax.is_some() || settings.tax_mode != TaxMode::Push;
    let installation = Installation { jobs: &jobs, alerts: &settings.alerts, tax_is_set, broken_jobs: None };
    notify::watch(&context.store, &installation, clock::system_now()).await?;
    Ok(())
}

async fn list(context: &Context, args: &AlertsArgs, out: Output) -> anyhow::Result<Ended> {
    watch(context).await?;
    let alerts = context.store.list_alerts(args.all, None, args.limit).await?;
    let ids: Vec<i32> = alerts.iter().map(|alert| alert.alert_id).collect();
    let mut messages = context.store.list_messages(&ids).await?;
    let lines: Vec<Line> = alerts
        .into_iter()
        .map(|alert| {
            let own = messages.extract_if(.., |message| message.alert_id == alert.alert_id).collect();
            Line { alert, messages: own }
        })
        .collect();
    if out.is_json() {
        for line in &lines {
            out.json(line)?;
        }
        return Ok(Ended::Done);
    }
    if lines.is_empty() {
        eprintln!("nothing is wrong that is known here");
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    out.line(table(&["id", "since", "over", "kind", "subject", "told", "taken care of"], &rows, &[0]))?;
    for line in &lines {
        out.line(format!("{}: {}", line.alert.alert_id, line.alert.text))?;
        for message in line.messages.iter().filter(|message| message.delivered_at.is_none()) {
            out.line(format!("    {}", waiting(message)))?;
        }
    }
    Ok(Ended::Done)
}

fn row(line: &Line) -> Vec<String> {
    let Line { alert, messages } = line;
    let told = messages.iter().filter(|message| message.delivered_at.is_some());
    let told: Vec<String> = told.map(|message| format!("{} {}", message.target, message.event)).collect();
    vec![
        alert.alert_id.to_string(),
        rfc3339(alert.opened_at),
        alert.closed_at.map(rfc3339).unwrap_or_default(),
        alert.kind.clone(),
        alert.subject.clone(),
        told.join(", "),
        alert.acknowledged_by.clone().unwrap_or_default(),
    ]
}

/// A message that could not be delivered yet.
fn waiting(message: &MessageLine) -> String {
    let why = message.last_error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    format!(
        "{} does not know that it {} yet; attempts: {}, the next not before {}{why}",
        message.target,
        if message.event == "opened" { "began" } else { "is over" },
        message.attempts,
        rfc3339(message.next_attempt_at)
    )
}

async fn acknowledge(context: &Context, id: i32, why: &str, out: Output) -> anyhow::Result<Ended> {
    operate::acknowledge_alert(&context.store, &context.actor, id, why).await?;
    out.value(&serde_json::json!({ "acknowledged": id }), |_| format!("alert {id} is acknowledged"))?;
    Ok(Ended::Done)
}

async fn deliver(context: &Context, out: Output) -> anyhow::Result<Ended> {
    watch(context).await?;
    let delivered = notify::deliver(&context.store, &context.settings.alerts).await?;
    out.value(&delivered, |delivered| {
        format!("{} sent, {} to be tried again later", delivered.sent, delivered.failed)
    })?;
    Ok(Ended::Done)
}
