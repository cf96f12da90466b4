//! What a person decides: a held delivery is released or discarded, refused records are read once more.

use std::sync::Arc;

use serde::Serialize;

use super::contract::{Contract, contract_version, page_of_raw};
use super::recorded::{Told, as_run};
use super::{PullError, PullOutcome, find_source, settings_of_job};
use crate::config::{Job, Missing, StampFrom};
use crate::domain::access::Actor;
use crate::domain::free_text::{Reason, ReasonFault};
use crate::store::batches::{Asked, Counts, Opening};
use crate::store::landing::{Body, Lander, Landing, PageLine};
use crate::store::publish_batch::Publication;
use crate::store::quarantine::QuarantineFilter;
use crate::store::runs::{RunLine, Started, Trigger};
use crate::store::{Store, StoreError};

/// Why a decision could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    #[error("run {0} left no delivery held")]
    NothingHeld(i32),
    #[error("the delivery was not read to its end, since it does not keep its contract: discard it")]
    NotWhole,
    #[error(
        "a later delivery of everything was published, and of this job's records the later delivery is right: discard this one"
    )]
    Overtaken,
    #[error(transparent)]
    Reason(#[from] ReasonFault),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Publishes the delivery that a run left held.
///
/// Of a job whose records bear the moment of their delivery, or that closes what is absent, the later delivery is right: one that was
/// overtaken is not released.
pub async fn release(
    store: &Store,
    job: Option<&Job>,
    run: &RunLine,
    actor: &Actor,
    why: &str,
) -> Result<(PullOutcome, Counts), DecideError> {
    let why = Reason::parse(why)?.as_str();
    let held = store.find_held(run.run_id).await?.ok_or(DecideError::NothingHeld(run.run_number))?;
    let _alone = store.lock_source(held.source).await?;
    // again, now that nobody else can decide on it
    let held = store.find_held(run.run_id).await?.ok_or(DecideError::NothingHeld(run.run_number))?;
    if !held.complete {
        return Err(DecideError::NotWhole);
    }
    let goes_by_delivery =
        job.is_none_or(|job| job.key.updated_at == Some(StampFrom::Delivery) || job.missing() == Missing::Close);
    if goes_by_delivery && store.is_overtaken(&held).await? {
        return Err(DecideError::Overtaken);
    }
    let (outcome, counts) = store.release_batch(&held, run.run_id, actor, why).await?;
    Ok((outcome.into(), counts))
}

/// Gives up the delivery that a run left held.
pub async fn discard(store: &Store, run: &RunLine, actor: &Actor, why: &str) -> Result<(), DecideError> {
    let why = Reason::parse(why)?.as_str();
    let held = store.find_held(run.run_id).await?.ok_or(DecideError::NothingHeld(run.run_number))?;
    let _alone = store.lock_source(held.source).await?;
    let held = store.find_held(run.run_id).await?.ok_or(DecideError::NothingHeld(run.run_number))?;
    Ok(store.discard_batch(&held, run.run_id, actor, why).await?)
}

/// What became of refused records that were read once more.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Replayed {
    pub job: String,
    /// Cases that were read again.
    pub read: u64,
    /// They keep the contract now; what they say is published.
    pub good: u64,
    /// They stay open.
    pub refused: u64,
    pub counts: Counts,
    pub run_number: i32,
}

/// Refused records in memory at a time.
const CHUNK: i64 = 1000;

/// Reads open refused records of one job again, by its present settings, and publishes those that keep the contract now.
pub async fn replay(
    store: &Store,
    job: &Job,
    filter: &QuarantineFilter,
    by: impl Into<Trigger<'_>>,
) -> Result<Replayed, PullError> {
    let by = by.into();
    let settings = settings_of_job(job).ok_or_else(|| PullError::NoRecord(job.name.clone()))?;
    let source = find_source(store, job).await?.ok_or_else(|| PullError::UnknownSource(job.name.clone()))?;
    let _alone = store.lock_source(source).await?;
    let contract_version = contract_version(job);
    if store.has_open_batch(source, &contract_version).await? {
        return Err(PullError::Busy(job.name.clone()));
    }
    let run = store.start_run("replay", &job.name, by).await?;
    let opening = Opening {
        source,
        settings: &settings,
        contract: &contract_version,
        stamped_by_delivery: job.key.updated_at == Some(StampFrom::Delivery),
        closes_absent: false,
        asked: Asked::Replay,
        since: None,
        until: None,
        complete_seq: None,
        run_id: run.run_id,
    };
    let work = Box::pin(replay_as(store, job, filter, &opening, &run));
    as_run(store, &run, work, |replayed| Told::of_figures(replayed.refused, replayed)).await
}

async fn replay_as(
    store: &Store,
    job: &Job,
    filter: &QuarantineFilter,
    opening: &Opening<'_>,
    run: &Started,
) -> Result<Replayed, PullError> {
    let mut replayed = Replayed { job: job.name.clone(), run_number: run.number, ..Replayed::default() };
    let mut lander = Lander::open(store, store.open_batch(opening).await?).await?;
    let job = Arc::new(job.clone());
    let contract = Contract::new(job.clone(), opening.settings.record, store.shared_keys(), lander.batch.began_at);
    let (mut good, mut after) = (Vec::new(), 0);
    loop {
        let cases = store.raw_refusals(opening.source, filter, after, CHUNK).await?;
        let Some(last) = cases.last() else { break };
        after = last.quarantine_id;
        let number = lander.batch.next_page;
        let mut records = Vec::with_capacity(cases.len());
        for (at, case) in cases.iter().enumerate() {
            let page = page_of_raw(&job, &case.raw, number);
            // what bears the moment of its delivery bears that of its own, not of its replay
            let contract = contract.delivered_at(case.delivered_at);
            let reading = page.and_then(|page| contract.read(&page).ok());
            match reading.and_then(|mut reading| reading.records.pop()) {
                Some(mut record) => {
                    record.index = at;
                    record.place.row = at as i32 + 1;
                    records.push(record);
                    good.push(case.quarantine_id);
                }
                None => replayed.refused += 1,
            }
        }
        replayed.read += cases.len() as u64;
        let raws: Vec<Vec<u8>> = cases.into_iter().map(|case| case.raw).collect();
        let raw_of = Box::new(move |at: usize| raws.get(at).cloned().unwrap_or_default());
        let line = PageLine { number, resume: None, digest: None, announced: None };
        lander.land(Landing { line, body: Body::Read { records, refusals: Vec::new(), raw_of } }).await?;
    }
    replayed.good = good.len() as u64;
    store.complete_batch(&mut lander.batch, None).await?;
    store.check_batch(&lander.batch).await?;
    let publication = Publication { replayed: good, decision: None };
    let (_, counts) = store.publish_batch(&lander.batch, None, &publication).await?;
    replayed.counts = counts;
    Ok(replayed)
}
