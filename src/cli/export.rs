//! `renzheng export`: messages as files for a tax department, and its answers read back from files.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::context::{Context, usage};
use super::output::Output;
use super::{Common, Ended};
use crate::clock::rfc3339;
use crate::config::TaxMode;
use crate::domain::access::{Action, Scope};
use crate::domain::feed::{Cursor, ExportFormat};
use crate::push::answers::{Outcome, Taken};
use crate::push::delivery::write_folder;
use crate::push::export::{Range, list_range, lock_range, write};
use crate::schedule::export::{Acknowledged, Exported, acknowledge, record};
use crate::store::feed::Wanted;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct ExportArgs {
    #[command(subcommand)]
    command: Option<ExportCommand>,
    /// Business year
    #[arg(long, required = true)]
    year: Option<i16>,
    /// Folder in which the export makes a folder of its own, named by year and publishes
    #[arg(long, value_name = "DIR", required = true)]
    out: Option<PathBuf>,
    /// Only what was published after this place: the `next` of the manifest before
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Forms: ndjson, csv, csv-gb18030, parted by commas, or all
    #[arg(long = "as", value_name = "FORMS", default_value = "all", value_parser = parse_formats)]
    formats: Formats,
}

#[derive(Subcommand)]
enum ExportCommand {
    /// Take the tax department's answers from a file (`.ndjson`, or `.csv` in UTF-8 or GB18030), once
    Acknowledge { file: PathBuf },
}

/// In the order in which they are written.
#[derive(Clone, Debug)]
struct Formats(Vec<ExportFormat>);

fn parse_formats(text: &str) -> Result<Formats, String> {
    if text == "all" {
        return Ok(Formats(ExportFormat::ALL.to_vec()));
    }
    let accepted = || "accepted are ndjson, csv, csv-gb18030, parted by commas, or all".to_owned();
    let named: Option<BTreeSet<ExportFormat>> = text.split(',').map(|one| ExportFormat::parse(one.trim())).collect();
    named.map(|formats| Formats(formats.into_iter().collect())).ok_or_else(accepted)
}

pub(super) async fn run(common: &Common, args: &ExportArgs, out: Output) -> anyhow::Result<Ended> {
    let action = if args.command.is_some() { Action::AnswerTaxFeed } else { Action::ReadTaxFeed };
    let context = Context::open(common, action).await?;
    let outcome = match &args.command {
        Some(ExportCommand::Acknowledge { file }) => take(&context, file, out).await,
        None => export(&context, args, out).await,
    };
    context.close().await?;
    outcome
}

async fn export(context: &Context, args: &ExportArgs, out: Output) -> anyhow::Result<Ended> {
    let (Some(year), Some(folder)) = (args.year, &args.out) else {
        return Err(usage("an export needs --year and --out"));
    };
    let after = match &args.after {
        None => Cursor::START,
        Some(text) => Cursor::decode(text).ok_or_else(|| {
            usage("--after is no place: accepted is the `next` of a manifest or of a page of the feed")
        })?,
    };
    let division = match &context.actor.scope {
        Scope::Everything => "",
        Scope::Division(division) => division,
        Scope::Units(_) => return Err(usage("messages are exported by tax division, not by employer")),
    };
    let store = &context.store;
    let at = store.now().await?;
    let wanted = Wanted { division, year: Some(year), until_seq: None };
    if after.seq > store.feed_head().await? {
        return Err(usage(
            "--after lies behind everything that was published: the database was restored from a backup since; begin again without --after",
        ));
    }
    let until_seq = store.feed_until(wanted, &after, at).await?;
    let mut range = Range { year, division, after, until_seq, formats: &args.formats.0, created_at: at };
    let mut messages = if until_seq >= after.seq { list_range(store, &range).await? } else { Vec::new() };
    let mut change = store.change().await?;
    lock_range(&mut change, &mut range, &mut messages, at).await?;
    if messages.is_empty() {
        change.abandon().await?;
        let nothing = serde_json::json!({ "messages": 0, "next": after.encode() });
        out.value(&nothing, |_| format!("nothing of {year} is new: no folder was written"))?;
        return Ok(Ended::Done);
    }
    let files = write(&range, &messages)?;
    let hands_over = context.settings.tax_mode == TaxMode::Files;
    let ids: Vec<Uuid> = messages.iter().map(|message| message.message_id).collect();
    record(&mut change, &context.actor, &ids, &files.name, hands_over, at).await?;
    change.commit().await?;
    let at_path = files.clone();
    let folder = folder.clone();
    let path = tokio::task::spawn_blocking(move || write_folder(&at_path, &folder)).await??;
    let told = serde_json::json!({ "folder": path, "manifest": files.manifest });
    out.value(&told, |_| {
        let sums = &files.manifest.sums;
        format!(
            "{}: {} messages ({} certified, {} withdrawn), {} persons, {} weighted person-months\nthe next begins --after {}",
            path.display(),
            sums.messages,
            sums.certified,
            sums.withdrawn,
            sums.person_count,
            sums.weighted_person_months,
            files.manifest.next
        )
    })?;
    Ok(Ended::Done)
}

async fn take(context: &Context, file: &std::path::Path, out: Output) -> anyhow::Result<Ended> {
    match acknowledge(&context.store, &context.actor, file).await? {
        Acknowledged::Before { received_at } => {
            let told = serde_json::json!({ "taken_before_at": rfc3339(received_at) });
            out.value(&told, |_| format!("{}: was taken at {} already", file.display(), rfc3339(received_at)))?;
            Ok(Ended::Done)
        }
        Acknowledged::Unreadable(why) => Err(usage(format!("{} {why}", file.display()))),
        Acknowledged::Now(outcomes) => {
            let refused = outcomes.iter().filter(|outcome| outcome.result == Taken::Refused).count();
            if out.is_json() {
                for outcome in &outcomes {
                    out.json(outcome)?;
                }
            } else {
                let name = file.display().to_string();
                out.line(format!("{name}: {} answers taken, {refused} refused", outcomes.len() - refused))?;
                for line in outcomes.iter().filter_map(|outcome| refusal(&name, outcome)) {
                    out.line(line)?;
                }
            }
            Ok(Ended::of(refused > 0))
        }
    }
}

fn refusal(file: &str, outcome: &Outcome) -> Option<String> {
    let (code, detail) = (outcome.code?, outcome.detail.as_deref()?);
    let about = outcome.message_id.map(|message_id| format!(" (message {message_id})")).unwrap_or_default();
    Some(format!("  refused {file}:{}: {code}: {detail}{about}", outcome.line))
}

/// One line for people.
pub(super) fn describe_export(exported: Exported) -> String {
    let Exported { exports, messages, answers, refused } = exported;
    format!("{exports} exports with {messages} messages delivered; {answers} answers taken, {refused} refused")
}
