//! One pull: page by page, validated, refused rows quarantined, published in one transaction.

use serde::Serialize;

use crate::config::{Environment, Job, Keep, StampFrom, ZeroRows};
use crate::domain::facts::RecordKind;
use crate::errors;
use crate::sources::{Resume, Source, SourceError, Start};
use crate::store::batches::{Batch, Counts, Outcome};
use crate::store::jobs::{JobSettings, SourceId};
use crate::store::runs::{Ending, Started};
use crate::store::{Store, StoreError};

mod cells;
pub mod contract;

use contract::{Contract, raw_form};

/// What a pull did.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub job: String,
    pub record: RecordKind,
    pub outcome: PullOutcome,
    pub counts: Counts,
    /// The run went on with a delivery that an earlier run could not finish.
    pub resumed: bool,
    pub why: Option<String>,
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
    /// Read and checked, nothing stored.
    Dry,
}

/// Why a pull did not end.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error("job `{0}` is not among the jobs of the database; it is a pull that was never registered")]
    UnknownSource(String),
    #[error("job `{0}` names no record")]
    NoRecord(String),
    #[error("the source did not deliver")]
    Source(#[from] SourceError),
    #[error("the delivery could not be stored")]
    Store(#[from] StoreError),
}

/// What a verification must know of these jobs, pulls only.
pub fn settings_of(jobs: &[Job]) -> Vec<JobSettings> {
    jobs.iter()
        .filter(|job| job.source_settings().is_some())
        .filter_map(|job| {
            Some(JobSettings {
                job: job.name.clone(),
                record: job.record?,
                settles_after_days: job.settles_after.0 as i32,
                stale_after_days: job.stale_after.0 as i32,
                schemes: job.covers.schemes.clone(),
                divisions: job.covers.divisions.clone(),
                concerned_only: job.keep() == Keep::Concerned,
            })
        })
        .collect()
}

/// Runs one pull to its end. `progress` hears the counts after every page. A pull that was cut off goes on after the last
/// page that is in.
pub async fn pull(
    store: &Store,
    job: &Job,
    environment: &Environment,
    actor: &str,
    progress: &(dyn Fn(Counts) + Sync),
) -> Result<Report, PullError> {
    let record = job.record.ok_or_else(|| PullError::NoRecord(job.name.clone()))?;
    let head = store.head().await?;
    let source = store
        .list_jobs(head)
        .await?
        .into_iter()
        .find_map(|(source, settings)| (settings.job == job.name).then_some(source))
        .ok_or_else(|| PullError::UnknownSource(job.name.clone()))?;
    let _alone = store.lock_source(source).await?;
    store.close_cut_off_runs(&job.name).await?;
    let run = store.start_run("pull", &job.name, actor).await?;
    match fetch_and_publish(store, job, record, source, environment, &run, progress).await {
        Ok(report) => {
            let ending = match report.outcome {
                PullOutcome::Held => Ending::Held,
                _ if report.counts.refused > 0 => Ending::DoneWithRefusals,
                _ => Ending::Done,
            };
            let counts = serde_json::to_value(report.counts).unwrap_or_default();
            store.finish_run(&run, ending, &counts, report.why.as_deref()).await?;
            Ok(report)
        }
        Err(error) => {
            let chain = errors::chain(&error);
            store.finish_run(&run, Ending::Failed, &serde_json::json!({}), Some(&chain)).await?;
            Err(error)
        }
    }
}

async fn fetch_and_publish(
    store: &Store,
    job: &Job,
    record: RecordKind,
    source: SourceId,
    environment: &Environment,
    run: &Started,
    progress: &(dyn Fn(Counts) + Sync),
) -> Result<Report, PullError> {
    let concerned_only = job.keep() == Keep::Concerned;
    let stamped_by_delivery = job.key.updated_at == Some(StampFrom::Delivery);
    let mut batch = store.open_batch(source, record, concerned_only, stamped_by_delivery, run.run_id, true).await?;
    let resumed = batch.next_page > 0;
    let report = |outcome, counts, why| Report { job: job.name.clone(), record, outcome, counts, resumed, why };
    match fetch(store, job, record, environment, &mut batch, progress).await {
        Ok(None) => {}
        Ok(Some(why)) => {
            store.hold_batch(&batch, &why).await?;
            return Ok(report(PullOutcome::Held, batch.counts, Some(why)));
        }
        Err(PullError::Source(error)) => {
            // a fault that passes leaves the pages that are in: the next run goes on after them
            if error.resume_lost() || !error.transient() {
                store.fail_batch(&batch, &errors::chain(&error)).await?;
            }
            return Err(error.into());
        }
        Err(error) => return Err(error),
    }
    if let Some(why) = closed_gate(job, batch.counts) {
        store.hold_batch(&batch, &why).await?;
        return Ok(report(PullOutcome::Held, batch.counts, Some(why)));
    }
    let (outcome, counts) = store.publish_batch(&batch).await?;
    let outcome = match outcome {
        Outcome::Published => PullOutcome::Published,
        Outcome::Duplicate => PullOutcome::Unchanged,
        Outcome::Held => PullOutcome::Held,
    };
    Ok(report(outcome, counts, None))
}

/// Fetches and lands every page that is not in yet; `Some` says why the delivery must be held.
async fn fetch(
    store: &Store,
    job: &Job,
    record: RecordKind,
    environment: &Environment,
    batch: &mut Batch,
    progress: &(dyn Fn(Counts) + Sync),
) -> Result<Option<String>, PullError> {
    if batch.complete {
        return Ok(None);
    }
    let contract = Contract::new(job, record, store.keys(), batch.began_at);
    let after = batch.resume.clone().map(|place| Resume { page: batch.next_page - 1, place });
    let mut source = Source::open(job, environment, Start { after, ..Start::default() }).await?;
    let mut announced = None;
    while let Some(page) = source.next_page().await? {
        announced = page.announced_total.or(announced);
        let reading = match contract.read(&page) {
            Ok(reading) => reading,
            Err(missing) => return Ok(Some(missing.to_string())),
        };
        let raw_of = |row: usize| raw_form(&page, row);
        let next = page.resume.clone();
        store.land_page(batch, page.number, next.as_deref(), reading.records, reading.refusals, &raw_of).await?;
        progress(batch.counts);
    }
    if let Some(announced) = announced.filter(|announced| *announced != batch.counts.read) {
        let came = batch.counts.read;
        return Ok(Some(format!(
            "the source announced {announced} records and {came} came: it is read again by the next run"
        )));
    }
    store.complete_batch(batch).await?;
    Ok(None)
}

/// Reads and checks a delivery without storing anything.
pub async fn dry_run(store: &Store, job: &Job, environment: &Environment) -> Result<Report, PullError> {
    let record = job.record.ok_or_else(|| PullError::NoRecord(job.name.clone()))?;
    let contract = Contract::new(job, record, store.keys(), store.now().await?);
    let mut source = Source::open(job, environment, Start::default()).await?;
    let mut counts = Counts::default();
    while let Some(page) = source.next_page().await? {
        match contract.read(&page) {
            Ok(reading) => {
                counts.read += (reading.records.len() + reading.refusals.len()) as u64;
                counts.refused += reading.refusals.len() as u64;
            }
            Err(missing) => {
                let why = Some(missing.to_string());
                let job = job.name.clone();
                return Ok(Report { job, record, outcome: PullOutcome::Held, counts, resumed: false, why });
            }
        }
    }
    let why = closed_gate(job, counts);
    Ok(Report { job: job.name.clone(), record, outcome: PullOutcome::Dry, counts, resumed: false, why })
}

/// A handful of refused rows is daily business; a share of them is a changed form.
const INVALID_COUNT_THAT_MATTERS: u64 = 20;

/// Why the delivery may not be published by itself.
fn closed_gate(job: &Job, counts: Counts) -> Option<String> {
    if counts.read == 0 && job.zero_rows() == ZeroRows::Hold {
        return Some(
            "the delivery is empty; if the source really has nothing, set `gates.zero_rows = \"allow\"`".to_owned(),
        );
    }
    let ratio = counts.refused as f64 / counts.read.max(1) as f64;
    if counts.refused >= INVALID_COUNT_THAT_MATTERS && ratio > job.gates.max_invalid_ratio {
        return Some(format!(
            "{} of {} records are refused, more than max_invalid_ratio = {} allows; look at them in quarantine",
            counts.refused, counts.read, job.gates.max_invalid_ratio
        ));
    }
    None
}
