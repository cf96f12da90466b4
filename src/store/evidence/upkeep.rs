//! Files and rows of evidence held against each other: orphans go, what is missing is told, and a backup is tried.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Connection, PgConnection};

use super::content_name;
use super::files::{FileError, Files, Found};
use crate::crypto::stream::ContentName;
use crate::domain::facts::UnitId;
use crate::store::{Store, StoreError};

/// A file without a row that is younger may be one that is just handed in.
const ORPHAN_AGE: Duration = Duration::from_hours(24);
/// Rows read at once.
const AT_ONCE: i64 = 1000;
/// Missing files that are named.
const MOST_NAMED: usize = 10;
/// Files of a backup that are opened unless all are: so many of the first, and of the last.
const SAMPLE: i64 = 100;

/// What upkeep found in the folder of evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EvidenceUpkeep {
    /// Files without a row that were removed.
    pub orphans: u64,
    /// Rows that were looked at.
    pub rows: u64,
    /// Rows whose file is not there.
    pub missing: u64,
}

/// How the files of a backup that were tried opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EvidenceReport {
    pub tried: u64,
    pub opened: u64,
    /// Empty where all is well.
    pub wrong: Vec<String>,
}

impl Store {
    /// Removes files that have no row and are older than a day, and says which rows have no file. Nothing where no folder is set.
    pub async fn maintain_evidence(&self, now: DateTime<Utc>) -> Result<EvidenceUpkeep, StoreError> {
        let mut upkeep = EvidenceUpkeep::default();
        let Some(files) = self.evidence.clone() else { return Ok(upkeep) };
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<Vec<Found>>(4);
        let walker = files.clone();
        let walking = tokio::task::spawn_blocking(move || {
            walker.walk(|found| {
                // whoever no longer listens has failed, and says so
                let _heard = sender.blocking_send(found);
                Ok(())
            })
        });
        while let Some(found) = receiver.recv().await {
            upkeep.orphans += self.remove_orphans(&files, found, now).await?;
        }
        walking.await.map_err(|_| StoreError::frame("the folder of evidence was not walked"))??;
        self.look_for_files(&files, &mut upkeep).await?;
        Ok(upkeep)
    }

    async fn remove_orphans(&self, files: &Files, found: Vec<Found>, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let is_old =
            |file: &Found| (now - DateTime::<Utc>::from(file.modified_at)).to_std().is_ok_and(|age| age > ORPHAN_AGE);
        let old: Vec<Found> = found.into_iter().filter(is_old).collect();
        let names: Vec<Vec<u8>> = old.iter().filter_map(|file| file.name).map(|name| name.0.to_vec()).collect();
        let known = sqlx::query_scalar!("select content_name from evidence where content_name = any($1)", &names)
            .fetch_all(&self.pool)
            .await?;
        let known: HashSet<ContentName> = known.iter().filter_map(|bytes| content_name(bytes)).collect();
        let mut removed = 0;
        for file in old.iter().filter(|file| file.name.is_none_or(|name| !known.contains(&name))) {
            // looked at again under the lock: the same content may just be handed in again
            let mut change = self.change().await?;
            let is_orphan = match file.name {
                Some(name) => {
                    change.lock_evidence_file(name).await?;
                    change.find_evidence_of(name).await?.is_none()
                }
                None => true,
            };
            removed += u64::from(is_orphan && remove(files, file.clone()).await?);
            change.abandon().await?;
        }
        Ok(removed)
    }

    async fn look_for_files(&self, files: &Files, upkeep: &mut EvidenceUpkeep) -> Result<(), StoreError> {
        let mut after = 0;
        let mut named = Vec::new();
        loop {
            let rows = sqlx::query!(
                "select evidence_id, content_name from evidence where evidence_id > $1 order by evidence_id limit $2",
                after,
                AT_ONCE
            )
            .fetch_all(&self.pool)
            .await?;
            let Some(last) = rows.last() else { break };
            after = last.evidence_id;
            upkeep.rows += rows.len() as u64;
            let folder = files.clone();
            let missing = tokio::task::spawn_blocking(move || {
                let is_missing = |bytes: &[u8]| content_name(bytes).is_none_or(|name| !folder.exists(name));
                rows.into_iter()
                    .filter(|row| is_missing(&row.content_name))
                    .map(|row| row.evidence_id)
                    .collect::<Vec<_>>()
            });
            let missing = missing.await.map_err(|_| StoreError::frame("the files of evidence were not looked for"))?;
            upkeep.missing += missing.len() as u64;
            named.extend(missing.into_iter().take(MOST_NAMED.saturating_sub(named.len())));
        }
        if upkeep.missing > 0 {
            tracing::error!(
                missing = upkeep.missing,
                evidence = ?named,
                "files of evidence are missing: bring them back from the backup of the evidence folder"
            );
        }
        Ok(())
    }
}

/// Whether it was removed: a file that our keys do not open is another installation's.
async fn remove(files: &Files, file: Found) -> Result<bool, StoreError> {
    let files = files.clone();
    let removing = tokio::task::spawn_blocking(move || {
        if let Some(name) = file.name
            && let Err(error) = files.open(name)
        {
            tracing::error!(%name, %error, "a file of evidence without a row is left alone");
            return Ok(false);
        }
        files.remove(&file.path).map(|()| true)
    });
    Ok(removing.await.map_err(|_| StoreError::frame("a file was not removed"))??)
}

/// Opens the files that a restored database names, all of them or some of the first and of the last, and holds each against its name.
/// Nothing is changed.
pub async fn check_evidence(url: &str, files: &Files, all: bool) -> Result<EvidenceReport, StoreError> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query("set default_transaction_read_only = on").execute(&mut connection).await?;
    let mut report = EvidenceReport::default();
    let mut after = 0;
    loop {
        let (first, last) = if all { (AT_ONCE, 0) } else { (SAMPLE, SAMPLE) };
        let rows: Vec<(i64, i32, Vec<u8>, i32)> = sqlx::query_as(
            "(select evidence_id, employer_id, content_name, size_bytes from evidence where evidence_id > $1
              order by evidence_id limit $2)
             union (select evidence_id, employer_id, content_name, size_bytes from evidence where evidence_id > $1
              order by evidence_id desc limit $3)
             order by evidence_id",
        )
        .bind(after)
        .bind(first)
        .bind(last)
        .fetch_all(&mut connection)
        .await?;
        let Some((last, ..)) = rows.last() else { break };
        after = *last;
        report.tried += rows.len() as u64;
        for (evidence, employer, bytes, size) in rows {
            let files = files.clone();
            let name =
                content_name(&bytes).ok_or_else(|| StoreError::inconsistent("evidence", "content_name", evidence))?;
            let trying = tokio::task::spawn_blocking(move || files.verify(UnitId(employer), name));
            match trying.await.map_err(|_| StoreError::frame("a file was not tried"))? {
                Ok(found) if found == size as u64 => report.opened += 1,
                Ok(found) => report.wrong.push(format!("evidence {evidence} has {found} bytes, its row says {size}")),
                Err(FileError::Disk { what, path, source }) => {
                    report.wrong.push(format!("evidence {evidence}: cannot {what} {}: {source}", path.display()));
                }
                Err(error) => report.wrong.push(format!("evidence {evidence}: {error}")),
            }
        }
        if !all {
            break;
        }
    }
    connection.close().await?;
    Ok(report)
}
