//! `renzheng quarantine`: refused records, listed, shown, read once more, discarded.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use super::context::{Context, usage};
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::clock::rfc3339;
use crate::declare::operate;
use crate::domain::access::Action;
use crate::ingest::decide::{Replayed, replay};
use crate::store::audit::Act;
use crate::store::quarantine::{Discarded, QuarantineFilter, QuarantineLine};

#[derive(Subcommand)]
pub(super) enum QuarantineCommand {
    /// List open refused records, newest first
    List {
        #[command(flatten)]
        filter: FilterArgs,
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: i64,
    },
    /// Show one refused record; its content only with --reveal, which is audited
    Show {
        /// Its number
        id: i64,
    },
    /// Read refused records once more by the job's present settings; those that keep the contract now are published
    Replay {
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Close refused records for good
    Discard {
        #[command(flatten)]
        filter: FilterArgs,
        /// Why they are given up; written to the audit log
        #[arg(long)]
        why: String,
    },
}

#[derive(Args)]
pub(super) struct FilterArgs {
    /// Only these
    ids: Vec<i64>,
    /// Only those of this job
    #[arg(long)]
    job: Option<String>,
    /// Only those refused for this reason
    #[arg(long)]
    code: Option<String>,
}

impl FilterArgs {
    fn filter(&self) -> QuarantineFilter {
        QuarantineFilter { job: self.job.clone(), code: self.code.clone(), ids: self.ids.clone() }
    }

    fn names_any(&self) -> bool {
        !self.ids.is_empty() || self.job.is_some()
    }
}

/// A refused record with what it held, if that may be seen.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    line: QuarantineLine,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<Value>,
}

pub(super) async fn run(common: &Common, command: &QuarantineCommand, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::Operate).await?;
    let outcome = match command {
        QuarantineCommand::List { filter, limit } => list(&context, &filter.filter(), *limit, out).await,
        QuarantineCommand::Show { id } => show(&context, *id, out).await,
        QuarantineCommand::Replay { filter } => replay_all(&context, filter, out).await,
        QuarantineCommand::Discard { filter, why } => discard(&context, filter, why, out).await,
    };
    context.close().await?;
    outcome
}

async fn list(context: &Context, filter: &QuarantineFilter, limit: i64, out: Output) -> anyhow::Result<Ended> {
    let (lines, beyond) = context.store.list_quarantine(filter, None, limit).await?;
    if beyond > 0 {
        eprintln!("{beyond} more are open; --limit shows them, --job and --code choose among them");
    }
    if out.is_json() {
        for line in &lines {
            out.json(line)?;
        }
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = lines
        .into_iter()
        .map(|line| {
            vec![
                line.quarantine_id.to_string(),
                line.job,
                format!("{}/{}/{}", line.batch_id, line.page_number, line.row_number),
                line.code,
                line.field.unwrap_or_default(),
                line.person_id.map(|person| person.to_string()).unwrap_or_default(),
                line.detail,
            ]
        })
        .collect();
    out.line(table(&["id", "job", "batch/page/row", "code", "field", "person", "detail"], &rows, &[0]))?;
    Ok(Ended::Done)
}

async fn show(context: &Context, id: i64, out: Output) -> anyhow::Result<Ended> {
    let unknown = || usage(format!("there is no refused record {id}; `renzheng quarantine list` shows the open ones"));
    let line = context.store.find_refusal(id).await?.ok_or_else(unknown)?;
    let raw = if out.reveal {
        let at = context.store.now().await?;
        let object = format!("refused record {id}");
        let act = Act::read(at, &context.actor, Action::Reveal, object).with("persons", line.person_id.as_slice());
        context.store.record(&act).await?;
        context.store.raw_refusal(id).await?.and_then(|raw| serde_json::from_slice(&raw).ok())
    } else {
        None
    };
    out.value(&Shown { line, raw }, describe)?;
    Ok(Ended::Done)
}

fn describe(shown: &Shown) -> String {
    let line = &shown.line;
    let state = match (&line.closing, line.batch_state.as_str()) {
        (Some(closing), _) => closing.clone(),
        (None, "published") => "open".to_owned(),
        (None, state) => format!("open, in a delivery that is {state}"),
    };
    let mut lines = vec![
        format!("refused    {} ({state})", line.quarantine_id),
        format!("job        {}", line.job),
        format!("place      batch {}, page {}, row {}", line.batch_id, line.page_number, line.row_number),
        format!("delivered  {}", rfc3339(line.delivered_at)),
        format!("contract   {}", line.contract),
        format!("reason     {} {}: {}", line.code, line.field.as_deref().unwrap_or_default(), line.detail),
    ];
    lines.extend(line.updated_at.map(|at| format!("stamp      {}", rfc3339(at))));
    lines.extend(line.person_id.map(|person| format!("person     {person}")));
    lines.extend(
        line.closed_by.iter().map(|by| format!("closed by  {by}: {}", line.closed_why.as_deref().unwrap_or_default())),
    );
    match &shown.raw {
        Some(raw) => lines.push(format!("as it came {raw}")),
        None if line.closing.as_deref() == Some("expired") => lines.push("as it came: no longer kept".to_owned()),
        None => lines.push("as it came: shown with --reveal, which is audited".to_owned()),
    }
    lines.join("\n")
}

async fn replay_all(context: &Context, args: &FilterArgs, out: Output) -> anyhow::Result<Ended> {
    let Some(name) = &args.job else {
        return Err(usage("--job names the job whose refused records are read once more"));
    };
    let jobs = context.jobs().await?;
    let job = jobs.iter().find(|job| job.name == *name).ok_or_else(|| usage(format!("there is no job `{name}`")))?;
    let replayed = replay(&context.store, job, &args.filter(), &context.actor.name).await?;
    out.value(&replayed, |Replayed { job, read, good, refused, .. }| {
        format!(
            "{job}: {read} refused records read once more: {good} are good now and published, {refused} stay refused"
        )
    })?;
    Ok(Ended::of(replayed.refused > 0))
}

async fn discard(context: &Context, args: &FilterArgs, why: &str, out: Output) -> anyhow::Result<Ended> {
    if !args.names_any() {
        return Err(usage("name the records, or --job; nothing was discarded"));
    }
    let discarded = operate::discard_refusals(&context.store, &context.actor, &args.filter(), why).await?;
    out.value(&discarded, |Discarded { discarded }| format!("{discarded} refused records are closed for good"))?;
    Ok(Ended::Done)
}
