//! One pull: what to ask for, page by page in, held or published in one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use tokio::time::Instant;

use crate::clock;
use crate::config::{Delivery, Environment, Job, Keep, Missing, SourceSettings, StampFrom};
use crate::domain::facts::{PersonId, RecordKind};
use crate::errors;
use crate::sources::SourceError;
use crate::store::batches::{Asked, Batch, Counts, Opening};
use crate::store::deliveries::LastDelivery;
use crate::store::jobs::{JobSettings, SourceId, SourceLock};
use crate::store::landing::Lander;
use crate::store::publish_batch::{Outcome, Publication};
use crate::store::runs::{Started, Trigger};
use crate::store::{Store, StoreError, journal};

mod cells;
pub mod compare;
pub mod contract;
pub mod decide;
mod fetch;
mod gates;
mod persons;
mod recorded;

use contract::contract_version;
use fetch::Fetched;
use recorded::{Told, as_run};

/// What a pull did.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub job: String,
    pub record: RecordKind,
    pub outcome: PullOutcome,
    /// What the source was asked for.
    pub asked: Asked,
    pub counts: Counts,
    /// The run went on with a delivery that an earlier run could not finish.
    pub resumed: bool,
    /// What a person should know although it stopped nothing.
    pub notes: Vec<String>,
    pub why: Option<String>,
    pub stages: Stages,
    /// The run's number; none of a dry one.
    pub run_number: Option<i32>,
}

/// Where the time went, in seconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Stages {
    /// Fetching, decoding, checking rows and landing them, which overlap.
    pub fetch_s: f64,
    /// Of that, waiting for our own database.
    pub land_s: f64,
    /// Indexes of a first delivery.
    pub check_s: f64,
    pub publish_s: f64,
}

/// How a pull ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PullOutcome {
    Published,
    /// The delivery held nothing that was not known.
    Unchanged,
    /// A gate stopped it; nothing of it is visible until a person decides.
    Held,
    /// Read, checked and compared with what is stored; nothing stored.
    Dry,
}

/// How far a pull has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    pub counts: Counts,
    pub page: u32,
    /// Records announced by the source.
    pub announced: Option<u64>,
    /// Read so far, of all there is: bytes of files.
    pub through: Option<(u64, u64)>,
}

/// Why a pull did not end.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error("job `{0}` is not among the jobs of the database; it is a pull that was never registered")]
    UnknownSource(String),
    #[error("job `{0}` names no record")]
    NoRecord(String),
    #[error(
        "records of job `{0}` bear no instants of their own: a range of days means nothing for them; run it without"
    )]
    NoStamps(String),
    #[error("took longer than `timeout` = {0}; the pages that are in stay, the next run goes on after them")]
    Timeout(String),
    #[error("the source did not deliver")]
    Source(#[from] SourceError),
    #[error("the delivery could not be stored")]
    Store(#[from] StoreError),
    #[error("job `{0}` has a delivery that was cut off: run the job to its end first")]
    Busy(String),
    #[error("job `{job}`: the answer on one person is no delivery: {why}")]
    AnotherForm { job: String, why: String },
    #[error("another pull of job `{0}` went on for as long as could be waited: its source was not asked")]
    Occupied(String),
    #[error("the source did not answer on these persons within {0:?}")]
    Unanswered(Duration),
    #[error("a page could not be read")]
    Crashed(#[from] tokio::task::JoinError),
}

/// Days in Shanghai, both included: records stamped then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub from: NaiveDate,
    pub to: NaiveDate,
}

impl Range {
    /// The first instant, and the first after the last.
    pub fn instants(self) -> (DateTime<Utc>, DateTime<Utc>) {
        let midnight = |day: NaiveDate| clock::shanghai(day, chrono::NaiveTime::MIN);
        (midnight(self.from), midnight(self.to.succ_opt().unwrap_or(self.to)))
    }
}

/// What a verification must know of these jobs, pulls only.
pub fn settings_of(jobs: &[Job]) -> Vec<JobSettings> {
    jobs.iter().filter_map(settings_of_job).collect()
}

fn settings_of_job(job: &Job) -> Option<JobSettings> {
    job.source_settings()?;
    Some(JobSettings {
        job: job.name.clone(),
        record: job.record?,
        settles_after_days: job.settles_after.0 as i32,
        stale_after_days: job.stale_after.0 as i32,
        schemes: job.covers.schemes.clone(),
        divisions: job.covers.divisions.clone(),
        concerned_only: job.keep() == Keep::Concerned,
    })
}

/// Everything that one run of a pull works with.
struct Pull<'a> {
    store: &'a Store,
    job: Arc<Job>,
    settings: JobSettings,
    source: SourceId,
    contract: String,
    environment: &'a Environment,
    run: &'a Started,
    progress: &'a (dyn Fn(Progress) + Sync),
}

/// How one delivery ended.
struct Ended {
    outcome: PullOutcome,
    asked: Asked,
    counts: Counts,
    pages: u32,
    resumed: bool,
    notes: Vec<String>,
    why: Option<String>,
    stages: Stages,
}

/// What a delivery is asked for.
struct Wanted {
    asked: Asked,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    /// People concerned at this publish are complete afterwards.
    complete_seq: Option<i64>,
}

/// Runs one pull to its end, of a range of days if one is given. `progress` hears how far it is. A pull that was cut off goes on
/// after the last page that is in.
pub async fn pull(
    store: &Store,
    job: &Job,
    environment: &Environment,
    range: Option<Range>,
    by: impl Into<Trigger<'_>>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, PullError> {
    let by = by.into().of_part(range.is_some());
    let settings = settings_of_job(job).ok_or_else(|| PullError::NoRecord(job.name.clone()))?;
    if range.is_some() && job.key.updated_at == Some(StampFrom::Delivery) {
        return Err(PullError::NoStamps(job.name.clone()));
    }
    let source = find_source(store, job).await?.ok_or_else(|| PullError::UnknownSource(job.name.clone()))?;
    let _alone = store.lock_source(source).await?;
    store.close_cut_off_runs(&job.name).await?;
    let run = store.start_run("pull", &job.name, by).await?;
    let (contract, record) = (contract_version(job), settings.record);
    let job = Arc::new(job.clone());
    let pull = Pull { store, job: job.clone(), settings, source, contract, environment, run: &run, progress };
    let work = Box::pin(async {
        let limit = job.timeout.duration();
        let in_time = tokio::time::timeout(limit, pull.run(range)).await;
        in_time.unwrap_or_else(|_| Err(PullError::Timeout(job.timeout.to_string())))
    });
    let Ended { outcome, asked, counts, resumed, notes, why, stages, .. } = as_run(store, &run, work, Told::of).await?;
    let (job, run_number) = (job.name.clone(), Some(run.number));
    Ok(Report { job, record, outcome, asked, counts, resumed, notes, why, stages, run_number })
}

/// Asks a source for everything on these people, as a delivery of its own; nothing if it cannot be asked so. `patience`: so long it is
/// waited for altogether, also while another pull of it goes on; without one, until it answers. Whatever comes of it, a run says so.
pub async fn pull_persons(
    store: &Store,
    job: &Job,
    environment: &Environment,
    persons: &[PersonId],
    patience: Option<Duration>,
    by: impl Into<Trigger<'_>>,
) -> Result<Option<Counts>, PullError> {
    let by = by.into().of_part(true);
    let settings = settings_of_job(job).ok_or_else(|| PullError::NoRecord(job.name.clone()))?;
    if !persons::can_ask(job) {
        return Ok(None);
    }
    let until = patience.map(|patience| Instant::now() + patience);
    // the run begins after the wait: whoever holds the source takes a run of it that goes on for one that was cut off
    let taken = take_source(store, job, patience).await;
    let run = store.start_run("pull", &job.name, by).await?;
    let (source, _alone) = match taken {
        Ok((source, alone)) => (Ok(source), Some(alone)),
        Err(error) => (Err(error), None),
    };
    let work = Box::pin(async {
        let (source, contract) = (source?, contract_version(job));
        let job = Arc::new(job.clone());
        let pull = Pull { store, job, settings, source, contract, environment, run: &run, progress: &|_| () };
        if store.has_open_batch(source, &pull.contract).await? {
            return Err(PullError::Busy(pull.job.name.clone()));
        }
        pull.pull_persons(persons, until.zip(patience)).await
    });
    as_run(store, &run, work, |counts| Told::of_figures(counts.refused, counts)).await.map(Some)
}

/// The source, once nobody else pulls from it.
async fn take_source(
    store: &Store,
    job: &Job,
    patience: Option<Duration>,
) -> Result<(SourceId, SourceLock), PullError> {
    let source = find_source(store, job).await?.ok_or_else(|| PullError::UnknownSource(job.name.clone()))?;
    let alone = match patience {
        None => store.lock_source(source).await?,
        Some(patience) => {
            let alone = store.lock_source_within(source, patience).await?;
            alone.ok_or_else(|| PullError::Occupied(job.name.clone()))?
        }
    };
    Ok((source, alone))
}

/// The latest publish in which people became concerned whom the job's last whole pull did not know; nothing if there are none, or
/// if everything is still to be read for the first time.
pub async fn newly_concerned(store: &Store, job: &Job) -> Result<Option<i64>, StoreError> {
    if job.keep() != Keep::Concerned {
        return Ok(None);
    }
    let Some(source) = find_source(store, job).await? else { return Ok(None) };
    let reached = store.reached(source, &contract_version(job)).await?;
    if !reached.whole {
        return Ok(None);
    }
    store.latest_concern(reached.complete_seq.unwrap_or(0)).await
}

/// The pull as a source, if it was ever registered.
async fn find_source(store: &Store, job: &Job) -> Result<Option<SourceId>, StoreError> {
    let head = store.head().await?;
    let jobs = store.list_jobs(head).await?;
    Ok(jobs.into_iter().find_map(|(source, settings)| (settings.job == job.name).then_some(source)))
}

impl Pull<'_> {
    async fn run(&self, range: Option<Range>) -> Result<Ended, PullError> {
        let mut notes = Vec::new();
        let wanted = match range {
            Some(_) if self.store.has_open_batch(self.source, &self.contract).await? => {
                return Err(PullError::Busy(self.job.name.clone()));
            }
            Some(range) => {
                let (since, until) = range.instants();
                Wanted { asked: Asked::Range, since: Some(since), until: Some(until), complete_seq: None }
            }
            None => self.decide(&mut notes).await?,
        };
        let mut ended = self.deliver(&wanted, false).await?;
        if ended.is_none() {
            notes.push("the number of records that the source announced did not come; it was read again".to_owned());
            ended = self.deliver(&wanted, true).await?;
        }
        let mut ended = ended.unwrap_or(Ended {
            outcome: PullOutcome::Held,
            asked: wanted.asked,
            counts: Counts::default(),
            pages: 0,
            resumed: false,
            notes: Vec::new(),
            why: None,
            stages: Stages::default(),
        });
        notes.append(&mut ended.notes);
        ended.notes = notes;
        Ok(ended)
    }

    /// Only what changed, where the source can be asked so and everything before is here; who became concerned since is asked for
    /// one by one, or everything is read.
    async fn decide(&self, notes: &mut Vec<String>) -> Result<Wanted, PullError> {
        let head = self.store.head().await?;
        let complete_seq = self.settings.concerned_only.then_some(head);
        let everything = Wanted { asked: Asked::Everything, since: None, until: None, complete_seq };
        let can_be_asked = self.job.delivery == Delivery::Incremental
            && match self.job.source_settings() {
                Some(SourceSettings::Http(http)) => http.since.is_some(),
                Some(SourceSettings::Database(database)) => database.watermark.is_some(),
                _ => false,
            };
        let reached = self.store.reached(self.source, &self.contract).await?;
        let Some(watermark) = reached.watermark.filter(|_| can_be_asked && reached.whole) else {
            return Ok(everything);
        };
        let changes = Wanted { asked: Asked::Changes, since: Some(watermark), until: None, complete_seq };
        if !self.settings.concerned_only || self.store.has_open_batch(self.source, &self.contract).await? {
            return Ok(changes);
        }
        let after = reached.complete_seq.unwrap_or(0);
        let new = self.store.persons_concerned(after, head, persons::MOST_ASKED_ONE_BY_ONE + 1).await?;
        if new.is_empty() {
            return Ok(changes);
        }
        if new.len() as i64 > persons::MOST_ASKED_ONE_BY_ONE || !persons::can_ask(&self.job) {
            return Ok(everything);
        }
        match self.pull_persons(&new, None).await {
            Ok(counts) => {
                notes.push(format!(
                    "{} people became concerned since the last pull and were asked for one by one: {} records",
                    new.len(),
                    counts.read
                ));
                Ok(changes)
            }
            Err(PullError::Source(error)) => {
                // their records wait; what changed for all the others does not
                notes.push(format!(
                    "{} people became concerned since the last pull and could not be asked for: {}",
                    new.len(),
                    errors::chain(&error)
                ));
                Ok(Wanted { complete_seq: Some(after), ..changes })
            }
            Err(error) => Err(error),
        }
    }

    fn opening<'o>(&'o self, wanted: &Wanted) -> Opening<'o> {
        Opening {
            source: self.source,
            settings: &self.settings,
            contract: &self.contract,
            stamped_by_delivery: self.job.key.updated_at == Some(StampFrom::Delivery),
            closes_absent: self.job.delivery == Delivery::Full && self.job.missing() == Missing::Close,
            asked: wanted.asked,
            since: wanted.since,
            until: wanted.until,
            complete_seq: wanted.complete_seq,
            run_id: self.run.run_id,
        }
    }

    /// Fetches one delivery and publishes or holds it; nothing if it has to be read again because another number of records came than
    /// the source announced, which it is once.
    async fn deliver(&self, wanted: &Wanted, last_try: bool) -> Result<Option<Ended>, PullError> {
        let batch = self.store.open_batch(&self.opening(wanted)).await?;
        let (resumed, mut stages) = (batch.resumed, Stages::default());
        let known = if batch.asked.is_whole() {
            let last = self.store.last_delivery(self.source, &self.contract).await?;
            if batch.remember_all { last.with_keys() } else { last }
        } else {
            LastDelivery::default()
        };
        let mut lander = Lander::open(self.store, batch).await?;
        journal::stage("fetch");
        let began = Instant::now();
        let fetched = self.fetch(&mut lander, &known, &mut stages).await;
        stages.fetch_s = began.elapsed().as_secs_f64();
        let batch = &lander.batch;
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(PullError::Source(error)) => {
                // a fault that passes leaves the pages that are in: the next run goes on after them
                if error.resume_lost() || !error.transient() {
                    self.store.fail_batch(batch, &errors::chain(&error)).await?;
                }
                return Err(error.into());
            }
            Err(error) => return Err(error),
        };
        let Fetched { held, unknown_columns } = fetched;
        let unchanged = batch.unchanged;
        let mut notes = notes_of(&unknown_columns);
        if unchanged {
            notes.push("the source says that nothing changed since its last delivery".to_owned());
        }
        let ended = |outcome, counts, notes: Vec<String>, why, stages| {
            Ok(Some(Ended { outcome, asked: batch.asked, counts, pages: batch.next_page, resumed, notes, why, stages }))
        };
        if let Some(why) = held {
            self.store.hold_batch(batch, &why).await?;
            return ended(PullOutcome::Held, batch.counts, notes, Some(why), stages);
        }
        let announced = batch.announced.zip(batch.announced_at_most);
        if let Some(why) = announced.and_then(|(last, most)| gates::other_number(batch, last, most)) {
            if last_try {
                self.store.hold_batch(batch, &why).await?;
                return ended(PullOutcome::Held, batch.counts, notes, Some(why), stages);
            }
            self.store.fail_batch(batch, &format!("{why}; it is read again")).await?;
            return Ok(None);
        }
        let sizes = self.store.delivery_sizes(self.source).await?;
        let closed = if unchanged { None } else { gates::closed(&self.job, batch, &sizes, &mut notes) };
        if let Some(why) = closed {
            self.store.note_batch(batch, &notes).await?;
            self.store.hold_batch(batch, &why).await?;
            return ended(PullOutcome::Held, batch.counts, notes, Some(why), stages);
        }
        let (outcome, counts) = self.publish(&lander.batch, &mut notes, &mut stages).await?;
        ended(outcome, counts, notes, None, stages)
    }

    async fn publish(
        &self,
        batch: &Batch,
        notes: &mut Vec<String>,
        stages: &mut Stages,
    ) -> Result<(PullOutcome, Counts), PullError> {
        journal::stage("check");
        let began = Instant::now();
        self.store.check_batch(batch).await?;
        let absent =
            if batch.remember_all && batch.counts.read > 0 { self.store.find_absent(batch).await? } else { None };
        if batch.remember_all && batch.counts.read > 0 && absent.is_none() {
            notes.push(
                "what the delivery no longer holds was not closed: not every record of it could be told".to_owned(),
            );
        }
        self.store.note_batch(batch, notes).await?;
        stages.check_s = began.elapsed().as_secs_f64();
        journal::stage("publish");
        let began = Instant::now();
        let published = self.store.publish_batch(batch, absent.as_ref(), &Publication::default()).await;
        if let Err(error @ StoreError::Unbalanced { .. }) = &published {
            // read once more, the counts may be right
            self.store.fail_batch(batch, &error.to_string()).await?;
        }
        let (outcome, counts) = published?;
        stages.publish_s = began.elapsed().as_secs_f64();
        Ok((outcome.into(), counts))
    }
}

impl From<Outcome> for PullOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Published => Self::Published,
            Outcome::Duplicate => Self::Unchanged,
        }
    }
}

/// Names that may be somebody's number are not repeated.
fn notes_of(unknown_columns: &BTreeSet<String>) -> Vec<String> {
    let digits = |name: &str| name.bytes().filter(u8::is_ascii_digit).count();
    let (shown, hidden): (Vec<&str>, Vec<&str>) =
        unknown_columns.iter().map(String::as_str).partition(|name| digits(name) < 6 && name.chars().count() <= 64);
    let hidden = (!hidden.is_empty()).then(|| format!("{} with long or numeric names", hidden.len()));
    let names: Vec<String> = shown.into_iter().map(str::to_owned).chain(hidden).collect();
    if names.is_empty() { Vec::new() } else { vec![format!("columns that are not read: {}", names.join(", "))] }
}
