//! Batch import of an employer's own data: a file's rows are read, checked against what stands, and saved in chunks.
//!
//! The whole file is read before anything is saved, so that a file with a wrong header or a broken end changes nothing. Its rows
//! are kept in memory, a few hundred bytes each. Every chunk is one publish, taken before its rows are checked: nobody completes
//! a declaration or uses an affiliate between the check and the commit.

mod affiliates;
mod cells;
mod contracts;
mod employers;
mod file;
mod placements;
mod report;

use std::collections::HashMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use chrono::NaiveDate;

use self::affiliates::AffiliateRow;
use self::cells::{Cells, Column};
use self::contracts::ContractRow;
use self::employers::EmployerRow;
use self::file::Reading;
use self::placements::PlacementRow;
use self::report::Findings;
pub use self::report::{RefusedRow, Report, Warning};
use crate::domain::access::{Action, Actor, Denied, Owner, Scope};
use crate::domain::entry::{self, Years};
use crate::domain::facts::{PersonId, UnitId, words};
use crate::domain::ids::{Uscc, normalise_name};
use crate::domain::policy::Policy;
use crate::sources::{Fault, FileFormat, SourceError};
use crate::store::audit::Act;
use crate::store::entries::Saved;
use crate::store::publish::{Cause, Publish};
use crate::store::{Store, StoreError};

words! {
    /// What a file holds.
    ImportKind { Employers = "employers", Affiliates = "affiliates", Placements = "placements", Contracts = "contracts" }
}

/// Rows of a publish, about: rows with the same key are never parted.
const CHUNK_ROWS: usize = 5000;

/// Why a file could not be imported at all. Nothing of it was saved, unless it is a [`ImportError::Store`].
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{} does not say by its extension what it is; accepted are .csv, .ndjson, .jsonl and .xlsx", path.display())]
    UnknownFormat { path: PathBuf },
    #[error("{} has a `*` in its name; one file is imported at a time", path.display())]
    Pattern { path: PathBuf },
    #[error("{file}: none of its columns belongs to {kind}: is there a header row? accepted are {accepted}")]
    NoKnownColumn { file: String, kind: ImportKind, accepted: String },
    #[error("{file}: unknown column `{column}`; accepted for {kind} are {accepted}")]
    UnknownColumn { file: String, kind: ImportKind, column: String, accepted: String },
    #[error("{file}: there is no column `{column}`, which {kind} need; accepted are {accepted}")]
    MissingColumn { file: String, kind: ImportKind, column: &'static str, accepted: String },
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the file is no XLSX workbook")]
    NoWorkbook,
    #[error("the workbook unpacks to more than {} MB: keep what is imported, and nothing else, or divide it", most >> 20)]
    Unpacks { most: u64 },
    #[error("the file has more than {most} rows: divide it over several")]
    TooManyRows { most: u64 },
    #[error("the reading was broken off")]
    BrokenOff(#[from] tokio::task::JoinError),
    #[error("the file cannot be read")]
    Source(#[from] SourceError),
    #[error("the rows cannot be saved")]
    Store(#[from] StoreError),
}

impl ImportError {
    /// Whether the file or the command is wrong, so that the same would fail again (exit code 2).
    pub fn is_usage(&self) -> bool {
        match self {
            Self::UnknownFormat { .. }
            | Self::Pattern { .. }
            | Self::NoKnownColumn { .. }
            | Self::UnknownColumn { .. }
            | Self::MissingColumn { .. }
            | Self::Denied(_)
            | Self::NoWorkbook
            | Self::Unpacks { .. }
            | Self::TooManyRows { .. } => true,
            Self::Source(error) => {
                matches!(error.fault, Fault::NoFile(_) | Fault::Header { .. } | Fault::Workbook { .. })
            }
            Self::BrokenOff(_) | Self::Store(_) => false,
        }
    }

    /// Of a file that cannot be imported as it is: why, for programs and in Chinese. `None`: something else went wrong.
    pub fn refusal(&self) -> Option<(&'static str, String)> {
        let told = match self {
            Self::UnknownFormat { .. } | Self::Pattern { .. } => ("unknown_format", "不接受该格式的文件。".to_owned()),
            Self::NoKnownColumn { accepted, .. } => ("no_known_column", format!("首行须为列名：{accepted}。")),
            Self::UnknownColumn { column, accepted, .. } => {
                ("unknown_column", format!("未知列“{column}”，可用的列：{accepted}。"))
            }
            Self::MissingColumn { column, .. } => ("missing_column", format!("缺少列“{column}”。")),
            Self::NoWorkbook => ("unreadable_file", "该文件不是XLSX工作簿。".to_owned()),
            Self::Unpacks { .. } => ("bomb", "工作簿解压后内容过大，请分开导入。".to_owned()),
            Self::TooManyRows { most } => ("too_many_rows", format!("一次最多导入{most}行，请分开导入。")),
            Self::Source(_) if self.is_usage() => ("unreadable_file", "文件无法读取，请检查首行和格式。".to_owned()),
            Self::Denied(_) | Self::BrokenOff(_) | Self::Source(_) | Self::Store(_) => return None,
        };
        Some(told)
    }
}

/// What is imported.
#[derive(Clone, Debug)]
enum Given<'a> {
    /// A file; its extension says what it is.
    File(&'a Path),
    /// What somebody sent, which rests nowhere.
    Sent { format: FileFormat, content: Bytes },
}

/// Reads a file and saves its good rows. The same key updates; nothing is deleted; a file imported before leaves no trace.
///
/// `actor` is written beside the counts into the audit, in every publish that changes something. Rows of employers that the actor does
/// not reach are refused; whether such an employer is there, the refusal does not say.
pub async fn import(
    store: &Store,
    policy: &Policy,
    kind: ImportKind,
    path: &Path,
    actor: &Actor,
) -> Result<Report, ImportError> {
    run(store, policy, kind, &Given::File(path), actor).await
}

/// As [`import`], of what somebody sends: CSV, NDJSON or XLSX. It is held in memory, since it may hold ID numbers, and is not large.
pub async fn import_sent(
    store: &Store,
    policy: &Policy,
    kind: ImportKind,
    (format, content): (FileFormat, Bytes),
    actor: &Actor,
) -> Result<Report, ImportError> {
    run(store, policy, kind, &Given::Sent { format, content }, actor).await
}

async fn run(
    store: &Store,
    policy: &Policy,
    kind: ImportKind,
    given: &Given<'_>,
    actor: &Actor,
) -> Result<Report, ImportError> {
    actor.may_at_all(Action::Enter)?;
    let import = Import { store, kind, actor, rules: Rules::new(policy, store.today().await?) };
    match kind {
        ImportKind::Employers => import.run::<EmployerRow>(given).await,
        ImportKind::Affiliates => import.run::<AffiliateRow>(given).await,
        ImportKind::Placements => import.run::<PlacementRow>(given).await,
        ImportKind::Contracts => import.run::<ContractRow>(given).await,
    }
}

/// What the policy and the business date say about rows.
struct Rules<'a> {
    policy: &'a Policy,
    years: Years,
}

impl<'a> Rules<'a> {
    fn new(policy: &'a Policy, today: NaiveDate) -> Self {
        Self { policy, years: Years::on(today, |year| policy.knows_year(year)) }
    }
}

/// A row with its line in the file.
struct Numbered<T> {
    line: u64,
    row: T,
}

/// A kind of row: its columns, how it is read, and how many of it are checked and saved at once.
trait ImportedRow: Sized {
    const COLUMNS: &'static [Column];
    /// Whether rows name persons, so that no stray text of them is shown.
    const PERSONAL: bool;
    /// What makes two rows speak of the same thing.
    type Key: Clone + Eq + Hash;

    fn key(&self) -> Self::Key;

    /// Whose the row is, and the column that says so.
    fn employer(&self) -> (Uscc, &'static str);

    /// The federation's division under which the row itself puts the employer.
    fn federation_division(&self) -> Option<&str> {
        None
    }

    /// Reads every cell, so that every fault is noted; the row counts only if none was.
    fn read(cells: &mut Cells<'_>) -> Option<Self>;

    /// Refuses what may not stand, and saves the rest; set by set, never row by row.
    async fn save(
        store: &Store,
        publish: &mut Publish,
        rows: Vec<Numbered<Self>>,
        findings: &mut Findings,
    ) -> Result<Saved, StoreError>;
}

struct Import<'a> {
    store: &'a Store,
    kind: ImportKind,
    actor: &'a Actor,
    rules: Rules<'a>,
}

impl Import<'_> {
    async fn run<R: ImportedRow>(&self, given: &Given<'_>) -> Result<Report, ImportError> {
        let Reading { file, read, rows, mut findings } = file::read::<R>(self.kind, given, &self.rules).await?;
        let rows = self.within_reach(rows, &mut findings).await?;
        let mut total = Saved::default();
        for chunk in chunks(rows) {
            let saved = self.save(&file, chunk, &mut findings).await?;
            total.new += saved.new;
            total.changed += saved.changed;
            total.same += saved.same;
        }
        Ok(findings.into_report(file, read, total))
    }

    /// Refuses the rows of employers that the actor does not reach.
    async fn within_reach<R: ImportedRow>(
        &self,
        mut rows: Vec<Numbered<R>>,
        findings: &mut Findings,
    ) -> Result<Vec<Numbered<R>>, StoreError> {
        if self.actor.scope == Scope::Everything {
            return Ok(rows);
        }
        let codes: Vec<Uscc> = rows.iter().map(|row| row.row.employer().0).collect();
        let owners = self.store.owners_of_codes(&codes).await?;
        rows.retain(|Numbered { line, row }| {
            let (code, column) = row.employer();
            let stands = owners.get(&code).is_some_and(|owned| self.actor.reaches(owned.owner()));
            // who is entered for the first time is under the division that the row names; nobody is moved out of reach
            let unit = owners.get(&code).map_or(UnitId(0), |owned| owned.employer);
            let is_new = owners.get(&code).is_none_or(|owned| owned.federation_division.is_empty());
            let named = row
                .federation_division()
                .map(|division| self.actor.reaches(Owner { employer: unit, federation_division: division }));
            let reached = named.unwrap_or(true) && (stands || is_new && named == Some(true));
            if !reached {
                let accepted = "an employer that you act for";
                findings.refuse(*line, Some(column), "not_found", code.to_string(), accepted);
            }
            reached
        });
        Ok(rows)
    }

    async fn save<R: ImportedRow>(
        &self,
        file: &str,
        chunk: Vec<Numbered<R>>,
        findings: &mut Findings,
    ) -> Result<Saved, StoreError> {
        let at = self.store.now().await?;
        let rows = chunk.len();
        let mut publish = self.store.publish(Cause::Import, at).await?;
        let saved = R::save(self.store, &mut publish, chunk, findings).await?;
        if saved.writes() {
            let detail = serde_json::json!({
                "file": file, "rows": rows, "new": saved.new, "changed": saved.changed, "same": saved.same,
            });
            let object = format!("import {}", self.kind);
            publish.record(&Act { detail, ..Act::read(at, self.actor, Action::Enter, object) }).await?;
            publish.commit().await?;
        } else {
            publish.abandon().await?;
        }
        warn_of_other_names(self.store, findings).await?;
        Ok(saved)
    }
}

/// Parts rows in about [`CHUNK_ROWS`] each, those with the same key together where the first of them stood.
fn chunks<R: ImportedRow>(rows: Vec<Numbered<R>>) -> Vec<Vec<Numbered<R>>> {
    let mut ranks: HashMap<R::Key, usize> = HashMap::with_capacity(rows.len());
    let mut ranked: Vec<(usize, Numbered<R>)> = Vec::with_capacity(rows.len());
    for row in rows {
        let next = ranks.len();
        ranked.push((*ranks.entry(row.row.key()).or_insert(next), row));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    let mut chunks: Vec<Vec<Numbered<R>>> = Vec::new();
    let mut last = None;
    for (rank, row) in ranked {
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK_ROWS || last == Some(rank) => chunk.push(row),
            _ => chunks.push(vec![row]),
        }
        last = Some(rank);
    }
    chunks
}

/// Of accepted rows with the same key only the last, with a warning.
fn latest<R: ImportedRow>(rows: Vec<Numbered<R>>, findings: &mut Findings) -> Vec<Numbered<R>> {
    let mut places: HashMap<R::Key, usize> = HashMap::with_capacity(rows.len());
    let mut kept: Vec<Numbered<R>> = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(place) = places.get(&row.row.key()) {
            let earlier = std::mem::replace(&mut kept[*place], row);
            let message = format!("has the same key as line {}, which is not taken", earlier.line);
            findings.warn(kept[*place].line, None, "key_repeated", message);
        } else {
            places.insert(row.row.key(), kept.len());
            kept.push(row);
        }
    }
    kept
}

/// Compares the names that placements state with those kept, once what was saved is visible.
async fn warn_of_other_names(store: &Store, findings: &mut Findings) -> Result<(), StoreError> {
    let stated = std::mem::take(&mut findings.stated_names);
    if stated.is_empty() {
        return Ok(());
    }
    let persons: Vec<PersonId> = stated.iter().map(|stated| stated.person).collect();
    let kept = store.identities(&persons).await?;
    for stated in stated {
        let kept = kept.get(&stated.person);
        if kept.is_some_and(|kept| normalise_name(&kept.name) != normalise_name(&stated.name)) {
            let warning = entry::Warning::AnotherName;
            findings.warn(stated.line, Some(warning.field()), warning.code(), warning.to_string());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
