//! Evidence: a file is looked into, scanned, kept as it came, put to use for what it proves, and handed out again.
//!
//! The original is kept byte for byte: an electronic signature or seal in it must still hold. What is shown to a reviewer is a picture drawn anew; a PDF
//! or an OFD is not drawn at all, and its inspected original is handed out as an attachment only, never to be shown inside of a page.

mod inspect;
mod ofd;
mod pdf;
mod picture;
mod scan;

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt};

pub use scan::Scanner;

use super::permit::{EmployerEntry, permit};
use crate::domain::access::{Action, Actor, Denied};
use crate::domain::evidence::{
    BYTES_PER_EMPLOYER, FILE_BYTES, FILES_PER_PLACEMENT, Format, Refusal, Subject, USES_AT_ONCE, clean_file_name,
};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::free_text::{Reason, ReasonFault};
use crate::store::audit::{Act, fingerprint};
use crate::store::change::Change;
use crate::store::evidence::files::{FileError, Reading};
use crate::store::evidence::{Evidence, EvidenceUse, NewEvidence};
use crate::store::{Store, StoreError};

/// Why nothing was done with a file.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Reason(#[from] ReasonFault),
    #[error("the file could not be read as it came in")]
    Incoming(#[source] std::io::Error),
    #[error("the work on the file was broken off")]
    BrokenOff(#[from] tokio::task::JoinError),
    #[error("the act could not be written down")]
    Audit(#[from] serde_json::Error),
    #[error("the evidence could not be stored")]
    Store(#[from] StoreError),
}

impl From<FileError> for EvidenceError {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

/// A file that comes in, and what it is to prove.
#[derive(Clone, Debug)]
pub struct Attaching<'a> {
    pub employer: UnitId,
    /// As the sender calls it.
    pub file_name: &'a str,
    pub subjects: &'a [Subject],
}

/// A file that is in use. Handed in again for the same it is told the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Attached {
    pub evidence_id: i64,
    pub format: Format,
    pub size_bytes: u32,
    /// What it is in use for now.
    pub uses: Vec<Subject>,
}

/// Takes in a file and puts it to use: for one thing or many, in one year or several. The same content of the same employer is kept once.
pub async fn attach(
    store: &Store,
    scanner: Option<&Scanner>,
    actor: &Actor,
    attaching: &Attaching<'_>,
    incoming: impl AsyncRead + Unpin,
) -> Result<Attached, EvidenceError> {
    let employer = attaching.employer;
    let of = permit::<EvidenceError>(store, actor, Action::AttachEvidence, employer).await?;
    check_subjects(store, attaching).await?;
    let files = store.evidence_files()?.clone();
    // looked at before a byte of it rests anywhere
    let content = receive(incoming).await?;
    let (file_name, name) = (clean_file_name(attaching.file_name), files.name(employer, &content));
    let (content, format) = inspect::inspect(content, &file_name).await?;
    if let Some(scanner) = scanner {
        scanner.scan(&content).await?;
    }
    let size_bytes = content.len() as u32;
    let staged = tokio::task::spawn_blocking({
        let files = files.clone();
        move || files.stage(name, &content)
    })
    .await??;
    let at = store.now().await?;
    let by = &actor.name;
    let mut change = store.change().await?;
    change.lock_evidence(employer, name).await?;
    let known = change.find_evidence_of(name).await?;
    // one whose file was lost gets it back
    if known.is_none() || !files.exists(name) {
        tokio::task::spawn_blocking(move || staged.place()).await??;
    }
    let (evidence_id, before) = match known {
        Some(id) => (id, Some(change.evidence_subjects(id).await?)),
        None => {
            let new =
                NewEvidence { employer, name, format, size_bytes, file_name: &file_name, scanned: scanner.is_some() };
            (change.save_evidence(store, &new, at, by).await?, None)
        }
    };
    let added = change.add_evidence_uses(evidence_id, employer, attaching.subjects, at, by).await?;
    check_limits(&mut change, attaching).await?;
    let uses = change.evidence_subjects(evidence_id).await?;
    if added > 0 || before.is_none() {
        let before = before.map(|subjects| fingerprint(store.keys(), &subjects)).transpose()?;
        let act = Act {
            before,
            after: Some(fingerprint(store.keys(), &uses)?),
            detail: serde_json::json!({ "format": format, "size_bytes": size_bytes, "uses_added": added }),
            ..Act::read(at, actor, Action::AttachEvidence, object(evidence_id, &of))
        };
        change.record(&act).await?;
    }
    let attached = Attached { evidence_id, format, size_bytes, uses };
    change.answer(&attached).await?;
    change.commit().await?;
    Ok(attached)
}

/// Everything that comes, up to one byte more than is taken.
async fn receive(incoming: impl AsyncRead + Unpin) -> Result<Vec<u8>, EvidenceError> {
    let mut content = Vec::new();
    incoming.take(FILE_BYTES as u64 + 1).read_to_end(&mut content).await.map_err(EvidenceError::Incoming)?;
    Ok(content)
}

/// Whatever a file is to prove must be entered.
async fn check_subjects(store: &Store, attaching: &Attaching<'_>) -> Result<(), EvidenceError> {
    let Attaching { employer, subjects, .. } = *attaching;
    if subjects.is_empty() {
        return Err(Refusal::NoUse.into());
    }
    if subjects.len() > USES_AT_ONCE {
        return Err(Refusal::TooManyUses.into());
    }
    let placements = store.list_placements(&[employer]).await?;
    let placed: HashSet<(i16, PersonId)> = placements.iter().map(|one| (one.year, one.person)).collect();
    let dispatched: HashSet<(i16, PersonId)> =
        placements.iter().filter(|one| one.dispatch.is_some()).map(|one| (one.year, one.person)).collect();
    let affiliates = store.list_affiliates(&[employer]).await?;
    let contracts = store.contracts_entered(employer).await?;
    let is_entered = |subject: &Subject| match subject {
        Subject::Cell { person, .. } | Subject::Original { person, .. } => placed.contains(&(subject.year(), *person)),
        Subject::Agreement { year, person } => dispatched.contains(&(*year, *person)),
        Subject::Affiliate { year, unit } => affiliates.iter().any(|one| (one.year, one.unit) == (*year, *unit)),
        Subject::Contract { year, person, kind, starts_on } => contracts.contains(&(*year, *person, *kind, *starts_on)),
    };
    match subjects.iter().find(|subject| !is_entered(subject)) {
        Some(unknown) => Err(Refusal::UnknownSubject(Box::new(*unknown)).into()),
        None => Ok(()),
    }
}

/// What the employer's years and placements come to with this file; looked at when it is in, and undone with the change.
async fn check_limits(change: &mut Change, attaching: &Attaching<'_>) -> Result<(), EvidenceError> {
    let mut years: Vec<i16> = attaching.subjects.iter().map(Subject::year).collect();
    years.sort_unstable();
    years.dedup();
    for year in years {
        let usage = change.evidence_usage(attaching.employer, year).await?;
        if usage.bytes > BYTES_PER_EMPLOYER {
            return Err(Refusal::OverQuota.into());
        }
        let of_year = attaching.subjects.iter().filter(|subject| subject.year() == year);
        let mut counts = of_year.filter_map(Subject::person).filter_map(|person| usage.files.get(&person));
        if counts.any(|files| *files > FILES_PER_PLACEMENT) {
            return Err(Refusal::TooManyFiles.into());
        }
    }
    Ok(())
}

/// In which form a file is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it came, byte for byte: as an attachment only.
    Original,
    /// The picture drawn anew.
    Rendition,
}

/// A file that is handed out.
pub struct Opened {
    pub evidence: Evidence,
    content: Content,
}

enum Content {
    Pieces(Box<Reading>),
    Whole(Vec<u8>),
    Over,
}

impl Opened {
    /// The next piece; `None` when all were there. What was tampered with ends in an error, and the pieces before it were whole.
    pub async fn next_piece(&mut self) -> Result<Option<Vec<u8>>, EvidenceError> {
        match std::mem::replace(&mut self.content, Content::Over) {
            Content::Over => Ok(None),
            Content::Whole(content) => Ok(Some(content)),
            Content::Pieces(mut reading) => {
                let (reading, piece) = tokio::task::spawn_blocking(move || {
                    let piece = reading.next_piece();
                    (reading, piece)
                })
                .await?;
                let piece = piece?;
                if piece.is_some() {
                    self.content = Content::Pieces(reading);
                }
                Ok(piece)
            }
        }
    }
}

/// Hands out a file, and writes down that it was: before the first byte.
pub async fn open(store: &Store, actor: &Actor, evidence_id: i64, form: Form) -> Result<Opened, EvidenceError> {
    let (of, evidence, _) = find(store, actor, Action::OpenEvidence, evidence_id).await?;
    let format = evidence.format;
    if form == Form::Rendition && !format.has_rendition() {
        return Err(Refusal::NoRendition(format).into());
    }
    let files = store.evidence_files()?.clone();
    let name = evidence.name;
    let content = match form {
        Form::Original => Content::Pieces(Box::new(tokio::task::spawn_blocking(move || files.open(name)).await??)),
        Form::Rendition => {
            let original = tokio::task::spawn_blocking(move || files.open(name)?.read_to_end()).await??;
            Content::Whole(inspect::rendition(original, format).await?)
        }
    };
    let act = Act {
        detail: serde_json::json!({ "form": if form == Form::Original { "original" } else { "rendition" } }),
        ..Act::read(store.now().await?, actor, Action::OpenEvidence, object(evidence_id, &of))
    };
    store.record(&act).await?;
    Ok(Opened { evidence, content })
}

/// What a file is in use for after some of its uses ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Withdrawn {
    pub evidence_id: i64,
    pub uses: Vec<Subject>,
}

/// Which uses are to end, and why.
#[derive(Clone, Debug)]
pub struct Withdrawing<'a> {
    pub evidence_id: i64,
    pub uses: &'a [i64],
    pub why: &'a str,
}

/// Ends uses, all or none; the file stays. Not once the declaration of their year is no longer open, nor once a decision rests on them.
pub async fn withdraw(store: &Store, actor: &Actor, asked: &Withdrawing<'_>) -> Result<Withdrawn, EvidenceError> {
    let (of, evidence, uses) = find(store, actor, Action::AttachEvidence, asked.evidence_id).await?;
    let why = Reason::parse(asked.why)?.as_str();
    let wanted: HashSet<i64> = asked.uses.iter().copied().collect();
    let ending: Vec<&EvidenceUse> =
        uses.iter().filter(|one| wanted.contains(&one.use_id) && one.removed_at.is_none()).collect();
    if wanted.is_empty() || ending.len() < wanted.len() {
        return Err(Refusal::NoSuchUse.into());
    }
    if ending.iter().any(|one| matches!(one.subject, Subject::Affiliate { .. })) {
        return Err(Refusal::ProofStays.into());
    }
    if ending.iter().any(|one| one.relied_on_at.is_some()) {
        return Err(Refusal::DecisionRests.into());
    }
    let years: Vec<i16> = ending.iter().map(|one| one.subject.year()).collect();
    let at = store.now().await?;
    let mut change = store.change().await?;
    if let Some(year) = change.closed_years(evidence.employer, &years).await?.first() {
        return Err(Refusal::DeclarationClosed { year: *year }.into());
    }
    let before = change.evidence_subjects(evidence.evidence_id).await?;
    let numbers: Vec<i64> = wanted.iter().copied().collect();
    let withdrawn = change.withdraw_evidence_uses(evidence.evidence_id, &numbers, at, &actor.name).await?;
    if withdrawn.len() < wanted.len() {
        // somebody withdrew one, or decided with one, since it was looked at
        return Err(Refusal::DecisionRests.into());
    }
    let after = change.evidence_subjects(evidence.evidence_id).await?;
    let act = Act {
        why: Some(why),
        before: Some(fingerprint(store.keys(), &before)?),
        after: Some(fingerprint(store.keys(), &after)?),
        detail: serde_json::json!({ "uses_withdrawn": numbers.len() }),
        ..Act::read(at, actor, Action::AttachEvidence, object(evidence.evidence_id, &of))
    };
    change.record(&act).await?;
    let withdrawn = Withdrawn { evidence_id: evidence.evidence_id, uses: after };
    change.answer(&withdrawn).await?;
    change.commit().await?;
    Ok(withdrawn)
}

/// The files of an employer's year, with what each is or was in use for in it.
pub async fn list(
    store: &Store,
    actor: &Actor,
    employer: UnitId,
    year: i32,
) -> Result<Vec<(Evidence, Vec<EvidenceUse>)>, EvidenceError> {
    permit::<EvidenceError>(store, actor, Action::ReadResults, employer).await?;
    Ok(store.list_evidence(employer, year).await?)
}

/// One file with all of its uses, without its content.
pub async fn show(
    store: &Store,
    actor: &Actor,
    evidence_id: i64,
) -> Result<(Evidence, Vec<EvidenceUse>), EvidenceError> {
    let (_, evidence, uses) = find(store, actor, Action::ReadResults, evidence_id).await?;
    Ok((evidence, uses))
}

fn object(evidence_id: i64, of: &EmployerEntry) -> String {
    format!("evidence {evidence_id} of {}", of.uscc)
}

/// A file, if there is one and the actor may: another's is not found.
async fn find(
    store: &Store,
    actor: &Actor,
    action: Action,
    evidence_id: i64,
) -> Result<(EmployerEntry, Evidence, Vec<EvidenceUse>), EvidenceError> {
    let (evidence, uses) = store.find_evidence(evidence_id).await?.ok_or(Refusal::NoSuchEvidence)?;
    match permit(store, actor, action, evidence.employer).await {
        Ok(of) => Ok((of, evidence, uses)),
        Err(EvidenceError::Denied(Denied::NotFound)) => Err(Refusal::NoSuchEvidence.into()),
        Err(error) => Err(error),
    }
}
