//! `renzheng db`: whether a backup can be lived on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::context::{places, refuse_strangers, settings};
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::crypto::Keys;
use crate::store::Store;
use crate::store::backup::{BackupReport, check_backup};
use crate::store::evidence::files::Files;
use crate::store::evidence::upkeep::check_evidence;
use crate::store::local::{LocalServer, Places};

#[derive(Subcommand)]
pub(super) enum DbCommand {
    /// Restore a backup aside and look whether it is whole and its keys open it; the installation is not touched
    BackupCheck(BackupCheckArgs),
}

#[derive(Args)]
#[group(skip)]
pub(super) struct BackupCheckArgs {
    #[command(flatten)]
    backup: Backup,
    /// The key file that belongs to it
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// Folder of the evidence that belongs to it: some of its files are opened and held against their rows
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    /// Open every file of the evidence
    #[arg(long, requires = "evidence")]
    all: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Backup {
    /// What `pg_dump` wrote, as text or by `--format custom`
    #[arg(long, value_name = "FILE")]
    dump: Option<PathBuf>,
    /// A database into which it was restored already
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// What a restored database is looked at with.
struct Looking<'a> {
    keys: Arc<Keys>,
    evidence: Option<&'a Path>,
    all: bool,
}

impl Looking<'_> {
    async fn look(&self, url: &str) -> anyhow::Result<BackupReport> {
        let mut report = check_backup(url, &self.keys).await?;
        // of another schema there is nothing to ask
        if let Some(folder) = self.evidence.filter(|_| report.wrong.is_empty()) {
            let files = Files::new(folder, self.keys.clone());
            let evidence = check_evidence(url, &files, self.all).await?;
            report.wrong.extend(evidence.wrong.iter().cloned());
            report.evidence = Some(evidence);
        }
        Ok(report)
    }
}

/// The database into which a dump is restored.
const SCRATCH: &str = "backup_check";
/// Where that is, in the data directory, with the process at the end.
const SCRATCH_FOLDER: &str = "backup-check-";

pub(super) async fn run(common: &Common, command: &DbCommand, out: Output) -> anyhow::Result<Ended> {
    refuse_strangers(common).await?;
    let DbCommand::BackupCheck(args) = command;
    let keys = Keys::read_file(&args.keys).context("the backup cannot be checked without its keys")?;
    let looking = Looking { keys: Arc::new(keys), evidence: args.evidence.as_deref(), all: args.all };
    let report = match (&args.backup.dump, &args.backup.url) {
        (Some(dump), _) => check_dump(common, dump, &looking).await?,
        (None, url) => {
            looking.look(url.as_deref().unwrap_or_default()).await.context("the database cannot be looked at")?
        }
    };
    out.value(&report, describe)?;
    if report.wrong.is_empty() {
        return Ok(Ended::Done);
    }
    Err(anyhow::anyhow!("the backup is not good: {}", report.wrong.join("; ")))
}

/// Restores the dump into a private server of its own, which is removed afterwards.
async fn check_dump(common: &Common, dump: &Path, looking: &Looking<'_>) -> anyhow::Result<BackupReport> {
    let (settings, environment) = settings(common)?;
    let usual = places(&settings, &environment);
    let (data_dir, place) = (settings.data_dir.clone(), usual.clone());
    tokio::task::spawn_blocking(move || remove_left_over(&data_dir, &place)).await??;
    let name = format!("{SCRATCH_FOLDER}{}", std::process::id());
    let folder = settings.data_dir.join(&name);
    let places = aside(&usual, &name);
    let (server, places) = {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || LocalServer::start(&folder, &places).map(|server| (server, places)))
            .await??
    };
    let checked = restore_and_check(&server, &places, dump, looking).await;
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await?;
    for scratch in [&folder, &places.fallback] {
        if scratch.exists() {
            std::fs::remove_dir_all(scratch).with_context(|| format!("{} is left over", scratch.display()))?;
        }
    }
    let report = checked?;
    stopped?;
    Ok(report)
}

/// The places of a server of its own.
fn aside(usual: &Places, name: &str) -> Places {
    Places { fallback: usual.fallback.join(name), ..usual.clone() }
}

/// Removes what checks left behind that were cut off, with the servers that may still run there. One that goes on now is let be.
fn remove_left_over(data_dir: &Path, usual: &Places) -> anyhow::Result<()> {
    let Ok(entries) = std::fs::read_dir(data_dir) else { return Ok(()) };
    for entry in entries {
        let entry = entry.with_context(|| format!("{} cannot be read", data_dir.display()))?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with(SCRATCH_FOLDER)) else { continue };
        let places = aside(usual, name);
        let left_over = || format!("{} is left over from a check that was cut off", entry.path().display());
        if !LocalServer::stop_unused(&entry.path(), &places).with_context(left_over)? {
            continue;
        }
        for scratch in [&entry.path(), &places.fallback] {
            if scratch.exists() {
                std::fs::remove_dir_all(scratch).with_context(left_over)?;
            }
        }
    }
    Ok(())
}

async fn restore_and_check(
    server: &LocalServer,
    places: &Places,
    dump: &Path,
    looking: &Looking<'_>,
) -> anyhow::Result<BackupReport> {
    Store::create_database(&server.url("postgres"), SCRATCH).await?;
    tokio::task::block_in_place(|| server.restore(SCRATCH, dump, places)).context("the backup is not good")?;
    looking.look(&server.url(SCRATCH)).await
}

fn describe(report: &BackupReport) -> String {
    let version = report.schema_version.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let columns = report.columns.iter().map(|column| {
        vec![format!("{}.{}", column.table, column.column), column.tried.to_string(), column.opened.to_string()]
    });
    let tables = report.tables.iter().map(|(table, rows)| vec![table.clone(), rows.to_string()]);
    let evidence = report.evidence.as_ref().map_or_else(String::new, |evidence| {
        format!("\n\nfiles of evidence: {} tried, {} opened", evidence.tried, evidence.opened)
    });
    format!(
        "schema version {version}\n\n{}\n\n{}{evidence}",
        table(&["encrypted column", "tried", "opened"], &columns.collect::<Vec<_>>(), &[1, 2]),
        table(&["table", "rows"], &tables.collect::<Vec<_>>(), &[1])
    )
}
