//! `renzheng audit`: who did or looked at what, and whether the log is what it was.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::context::{Context, usage};
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::clock::rfc3339;
use crate::declare::audit::read_audit;
use crate::domain::access::Action;
use crate::store::audit_log::{AuditFilter, AuditLine};
use crate::store::seals::{Head, Verified};

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// List what was done and looked at, newest first
    List(ListArgs),
    /// Seal what was written so far; the upkeep and `serve` do it by themselves
    Seal,
    /// Print the end of the chain of seals, to be kept elsewhere
    Head,
    /// Compute every seal anew: what was changed, taken out or put in is named
    Verify {
        /// A head that was kept elsewhere: the chain must hold it, or its end was cut off
        #[arg(long, value_name = "SEAL:ROOT", value_parser = parse_head)]
        head: Option<(i32, String)>,
    },
}

#[derive(Args)]
pub(super) struct ListArgs {
    /// Only what was done to this: all of it, or how it begins, such as `user li.hua`
    #[arg(long)]
    object: Option<String>,
    /// Only what this actor did
    #[arg(long)]
    actor: Option<String>,
    /// Only since this instant (RFC 3339)
    #[arg(long, value_name = "INSTANT")]
    since: Option<DateTime<Utc>>,
    /// Only what was done to this person or seen of them: a `person_id`, or `-` for an ID number on standard input
    #[arg(long)]
    person: Option<String>,
    /// Only rows before this one: the next page
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
    /// How many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

fn parse_head(text: &str) -> Result<(i32, String), String> {
    let parse = || {
        let (seal, root) = text.split_once(':')?;
        let root = hex::decode(root).ok().filter(|root| root.len() == 32)?;
        Some((seal.parse().ok()?, hex::encode(root)))
    };
    parse().ok_or_else(|| "accepted is what `renzheng audit head` prints: SEAL:ROOT".to_owned())
}

pub(super) async fn run(common: &Common, command: &AuditCommand, out: Output) -> anyhow::Result<Ended> {
    let action = match command {
        AuditCommand::Seal => Action::Operate,
        _ => Action::ReadAudit,
    };
    let context = Context::open(common, action).await?;
    let outcome = act(&context, command, out).await;
    context.close().await?;
    outcome
}

async fn act(context: &Context, command: &AuditCommand, out: Output) -> anyhow::Result<Ended> {
    match command {
        AuditCommand::List(args) => list(context, args, out).await?,
        AuditCommand::Seal => {
            let sealed = context.store.seal_audit().await?;
            out.value(&serde_json::json!({ "sealed": sealed }), |_| format!("{sealed} rows sealed"))?;
        }
        AuditCommand::Head => match context.store.find_audit_head().await? {
            Some(head) => out.value(&head, told)?,
            None => return Err(usage("nothing is sealed yet; `renzheng audit seal` does it")),
        },
        AuditCommand::Verify { head } => {
            let kept = head.as_ref().map(|(seal, root)| (*seal, root.as_str()));
            let verified = context.store.verify_audit(kept).await?;
            out.value(&verified, describe)?;
            if let Some(wrong) = verified.wrong {
                return Err(anyhow::Error::from(wrong).context("the audit log was tampered with"));
            }
        }
    }
    Ok(Ended::Done)
}

fn told(head: &Head) -> String {
    format!("{}:{}", head.seal_id, head.root)
}

fn describe(verified: &Verified) -> String {
    let Verified { seals, rows, unsealed, head, wrong } = verified;
    let end = head.as_ref().map(|head| format!("; head {}", told(head))).unwrap_or_default();
    match wrong {
        None => format!("{rows} rows under {seals} seals are as they were sealed, {unsealed} are not sealed yet{end}"),
        Some(_) => format!("only the first {rows} rows, under {seals} seals, are as they were sealed{end}"),
    }
}

async fn list(context: &Context, args: &ListArgs, out: Output) -> anyhow::Result<()> {
    let person = match &args.person {
        Some(person) => Some(context.person(person).await?),
        None => None,
    };
    let filter = AuditFilter {
        object: args.object.clone(),
        actor: args.actor.clone(),
        since: args.since,
        person,
        before: args.before,
    };
    let page = read_audit(&context.store, &context.actor, &filter, args.limit as usize).await?;
    if out.is_json() {
        for line in &page.lines {
            out.json(line)?;
        }
    } else {
        let rows: Vec<Vec<String>> = page.lines.iter().map(row).collect();
        out.line(table(&["id", "at", "actor", "role", "action", "object", "why", "detail"], &rows, &[0]))?;
    }
    if let Some(next) = page.next {
        eprintln!("there are older ones: --before {next} shows them");
    }
    Ok(())
}

fn row(line: &AuditLine) -> Vec<String> {
    let who = line.on_behalf_of.as_ref().map(|whom| format!(" for {whom}")).unwrap_or_default();
    vec![
        line.audit_id.to_string(),
        rfc3339(line.at),
        format!("{}{who}", line.actor),
        line.role.clone().unwrap_or_default(),
        line.action.clone(),
        line.object.clone(),
        line.why.clone().unwrap_or_default(),
        line.detail.to_string(),
    ]
}
