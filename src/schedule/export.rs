//! One export as a run: answers that lie in files are taken in, what was not delivered is delivered, and what came since follows.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::config::{DeliverSettings, DeliverTo, Environment, Job, TaxMode, UnsetVariable};
use crate::declare::DeclareError;
use crate::declare::news::apply_news;
use crate::domain::access::{Action, Actor, Role, Scope};
use crate::domain::feed::{Cursor, ExportFormat};
use crate::errors;
use crate::push::acknowledgements::{MAX_BYTES, format_of, read_lines};
use crate::push::answers::{Delivered, Outcome, Taken, take_answers};
use crate::push::delivery::{DeliveryError, deliver};
use crate::push::export::{ExportError, Range, list_range, lock_range, write};
use crate::push::feed::{FeedError, division_of};
use crate::store::audit::Act;
use crate::store::change::Change;
use crate::store::exports::{Export, Planned};
use crate::store::feed::{Wanted, Way};
use crate::store::runs::{Ending, Trigger};
use crate::store::{Store, StoreError};

/// What an export did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Folders delivered.
    pub exports: u64,
    pub messages: u64,
    /// Answers that were taken of files.
    pub answers: u64,
    /// Answers, or whole files of them, that were not.
    pub refused: u64,
}

/// Why an export did not end.
#[derive(Debug, thiserror::Error)]
pub enum ExportJobError {
    #[error("`{key}` {what}")]
    Settings { key: &'static str, what: String },
    #[error("the folder of answers {path} cannot be read")]
    Folder { path: PathBuf, source: io::Error },
    #[error("the file of answers {path} cannot be read")]
    File { path: PathBuf, source: io::Error },
    #[error("the answers could not be taken")]
    Feed(#[from] FeedError),
    #[error("the answers could not be taken in")]
    News(#[from] DeclareError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<UnsetVariable> for ExportJobError {
    fn from(error: UnsetVariable) -> Self {
        Self::Delivery(error.into())
    }
}

/// What a job works with.
struct Exporting<'a> {
    store: &'a Store,
    job: &'a str,
    settings: &'a DeliverSettings,
    to: DeliverTo,
    environment: &'a Environment,
    /// As whom it reads and answers: of the job's division.
    actor: Actor,
    /// Whether files are how messages reach the department, so that what is in one counts as sent.
    hands_over: bool,
}

/// Takes answers in and delivers what is new; the run's record says what came of it.
pub async fn export(
    store: &Store,
    job: &Job,
    environment: &Environment,
    mode: TaxMode,
    by: impl Into<Trigger<'_>>,
) -> Result<Exported, ExportJobError> {
    let run = store.start_run("export", &job.name, by).await?;
    let work = async {
        let settings = job.deliver.as_ref().ok_or_else(|| wrong(("deliver", "is missing".to_owned())))?;
        let to = settings.target().map_err(wrong)?;
        let scope = match settings.division.as_str() {
            "" => Scope::Everything,
            division => Scope::Division(division.to_owned()),
        };
        let actor = Actor { role: Role::TaxDepartment, scope, ..Actor::program(format!("job {}", job.name)) };
        let hands_over = mode == TaxMode::Files;
        Exporting { store, job: &job.name, settings, to, environment, actor, hands_over }.work().await
    };
    let outcome = store.journal(&run, Box::pin(work)).await;
    let (ending, error) = match &outcome {
        Ok(exported) if exported.refused > 0 => (Ending::DoneWithRefusals, None),
        Ok(_) => (Ending::Done, None),
        Err(error) => (Ending::Failed, Some(errors::chain(error))),
    };
    let counts = outcome.as_ref().ok().and_then(|exported| serde_json::to_value(exported).ok()).unwrap_or_default();
    store.finish_run(&run, ending, &counts, error.as_deref()).await?;
    outcome
}

fn wrong((key, what): (&'static str, String)) -> ExportJobError {
    ExportJobError::Settings { key, what }
}

impl Exporting<'_> {
    async fn work(&self) -> Result<Exported, ExportJobError> {
        let mut exported = Exported::default();
        // what fails stops nothing that can go on without it
        let mut failures = Failures::default();
        failures.note(self.acknowledge(&mut exported).await);
        failures.note(apply_news(self.store).await.map(|_| ()).map_err(ExportJobError::from));
        self.assert_same_division().await?;
        let mut stuck = BTreeSet::new();
        for planned in self.store.list_undelivered_exports(self.job).await? {
            if !failures.note(self.deliver(&planned, &mut exported).await) {
                stuck.insert(planned.year);
            }
        }
        for year in self.store.list_feed_years().await? {
            // exports of a year follow each other
            if !stuck.contains(&year) {
                failures.note(self.export_year(year, &mut exported).await);
            }
        }
        failures.note(apply_news(self.store).await.map(|_| ()).map_err(ExportJobError::from));
        failures.first.map_or(Ok(exported), Err)
    }

    /// The places from which the job goes on were reached with one division; with another, messages before them would be left out.
    async fn assert_same_division(&self) -> Result<(), ExportJobError> {
        let now = self.settings.division.as_str();
        match self.store.exported_division(self.job).await? {
            Some(before) if before != now => {
                let what = format!(
                    "is `{now}`, and `{}` exported `{before}` before: set it back, or give the job file another name, which begins with the \
                     first message",
                    self.job
                );
                Err(ExportJobError::Settings { key: "deliver.division", what })
            }
            _ => Ok(()),
        }
    }

    async fn export_year(&self, year: i16, exported: &mut Exported) -> Result<(), ExportJobError> {
        match self.plan(year).await? {
            Some(planned) => self.deliver(&planned, exported).await,
            None => Ok(()),
        }
    }

    /// Every file of answers that was not taken yet, in the order of their names.
    async fn acknowledge(&self, exported: &mut Exported) -> Result<(), ExportJobError> {
        let Some(folder) = &self.settings.acknowledgements else { return Ok(()) };
        let folder = PathBuf::from(self.environment.resolve(folder)?);
        let failed = |source| ExportJobError::Folder { path: folder.clone(), source };
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.retain(|path| path.is_file() && path.file_name().and_then(|name| format_of(name.to_str()?)).is_some());
        paths.sort();
        let mut failures = Failures::default();
        for path in paths {
            match acknowledge(self.store, &self.actor, &path).await {
                Ok(Acknowledged::Before { .. }) => {}
                Ok(Acknowledged::Now(outcomes)) => {
                    let refused = outcomes.iter().filter(|outcome| outcome.result == Taken::Refused).count() as u64;
                    exported.refused += refused;
                    exported.answers += outcomes.len() as u64 - refused;
                    tracing::info!(file = %path.display(), answers = outcomes.len(), refused, "answers were taken in");
                }
                Ok(Acknowledged::Unreadable(why)) => {
                    exported.refused += 1;
                    tracing::warn!(file = %path.display(), why, "a file of answers cannot be read");
                }
                Err(error @ ExportJobError::File { .. }) => {
                    exported.refused += 1;
                    tracing::warn!(error = errors::chain(&error), "a file of answers cannot be read");
                }
                Err(error) => {
                    failures.note(Err(error));
                }
            }
        }
        failures.first.map_or(Ok(()), Err)
    }

    /// What is new of a year; `None` if nothing is.
    async fn plan(&self, year: i16) -> Result<Option<Export>, ExportJobError> {
        let (store, division) = (self.store, self.settings.division.as_str());
        let at = store.now().await?;
        let from_seq = store.exported_until(self.job, year).await?;
        let wanted = Wanted { division, year: Some(year), until_seq: None };
        let after = Cursor::after_publish(from_seq);
        let until_seq = store.feed_until(wanted, &after, at).await?;
        if until_seq <= from_seq {
            return Ok(None);
        }
        let mut range = Range { year, division, after, until_seq, formats: &self.settings.formats, created_at: at };
        let mut messages = list_range(store, &range).await?;
        if messages.is_empty() {
            return Ok(None);
        }
        let mut change = store.change().await?;
        lock_range(&mut change, &mut range, &mut messages, at).await?;
        if messages.is_empty() {
            change.abandon().await?;
            return Ok(None);
        }
        let ids: Vec<Uuid> = messages.iter().map(|message| message.message_id).collect();
        let formats: Vec<String> = self.settings.formats.iter().map(|format| format.as_str().to_owned()).collect();
        let to_seq = range.until_seq;
        let planned = Planned { job: self.job, year, division, formats: &formats, from_seq, to_seq, messages: &ids };
        let planned = change.plan_export(planned, at).await?;
        record(&mut change, &self.actor, &ids, &range.name(), self.hands_over, at).await?;
        change.commit().await?;
        Ok(Some(planned))
    }

    async fn deliver(&self, planned: &Export, exported: &mut Exported) -> Result<(), ExportJobError> {
        let formats: Vec<ExportFormat> =
            planned.formats.iter().filter_map(|format| ExportFormat::parse(format)).collect();
        let range = Range {
            year: planned.year,
            division: &planned.division,
            after: Cursor::after_publish(planned.from_seq),
            until_seq: planned.to_seq,
            formats: &formats,
            created_at: planned.created_at,
        };
        let messages = self.store.list_decided(&planned.messages).await?;
        let files = write(&range, &messages)?;
        deliver(&files, &self.to, self.environment).await?;
        self.store.mark_delivered(planned.export_id, self.store.now().await?).await?;
        tracing::info!(export = files.name, messages = messages.len(), "an export was delivered");
        exported.exports += 1;
        exported.messages += messages.len() as u64;
        Ok(())
    }
}

/// Writes down, before a byte leaves, that messages are exported, which are locked: one row of the audit, and where files are how they
/// reach the department, an attempt on each.
pub async fn record(
    change: &mut Change,
    actor: &Actor,
    messages: &[Uuid],
    name: &str,
    hands_over: bool,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    if hands_over {
        change.open_handed_on(messages, Way::File, at).await?;
    }
    let act = Act::read(at, actor, Action::ReadTaxFeed, format!("export {name}"));
    change.record(&act.with("messages", messages.len()).with("sent", hands_over)).await
}

/// What failed while the rest went on: the first is told at the end, each in the log.
#[derive(Default)]
struct Failures {
    first: Option<ExportJobError>,
}

impl Failures {
    /// Whether it went well.
    fn note(&mut self, outcome: Result<(), ExportJobError>) -> bool {
        match outcome {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(error = errors::chain(&error), "a part of the export failed; the rest goes on");
                self.first.get_or_insert(error);
                false
            }
        }
    }
}

/// What became of a file of answers.
#[derive(Clone, Debug)]
pub enum Acknowledged {
    /// The same content was taken at that time.
    Before {
        received_at: DateTime<Utc>,
    },
    Now(Vec<Outcome>),
    /// As a whole; why.
    Unreadable(String),
}

/// Takes the answers of a file, once; those about messages that were not known or had not left, as soon as they have.
pub async fn acknowledge(store: &Store, actor: &Actor, path: &Path) -> Result<Acknowledged, ExportJobError> {
    actor.may_at_all(Action::AnswerTaxFeed).map_err(FeedError::from)?;
    let Some(format) = path.file_name().and_then(|name| format_of(name.to_str()?)) else {
        return Ok(Acknowledged::Unreadable("is called neither `….ndjson` nor `….csv`".to_owned()));
    };
    let failed = |source| ExportJobError::File { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
        return Ok(Acknowledged::Unreadable(format!("is larger than {} MiB", MAX_BYTES >> 20)));
    }
    let body = fs::read(path).map_err(failed)?;
    let digest: [u8; 32] = Sha256::digest(&body).into();
    let division = division_of(actor).map_err(FeedError::from)?;
    let before = store.find_answer_delivery(Way::File, division, &digest).await?;
    let mut lines = match read_lines(format, &body) {
        Ok(lines) => lines,
        Err(why) => return Ok(Acknowledged::Unreadable(why)),
    };
    if let Some(before) = &before {
        let early: HashSet<usize> = before.early.iter().filter_map(|line| usize::try_from(*line).ok()).collect();
        lines.retain(|line| early.contains(&line.number));
        if lines.is_empty() {
            return Ok(Acknowledged::Before { received_at: before.received_at });
        }
    }
    let delivered = Delivered { way: Way::File, body: &body, lines, again: before.is_some() };
    let mut outcomes = take_answers(store, actor, &delivered).await?;
    if let Some(before) = before {
        // of what is still early it was said before
        outcomes.retain(|outcome| !outcome.is_early());
        if outcomes.is_empty() {
            return Ok(Acknowledged::Before { received_at: before.received_at });
        }
    }
    apply_news(store).await?;
    Ok(Acknowledged::Now(outcomes))
}
