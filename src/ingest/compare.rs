//! A delivery, or a range of one, read and compared with what is stored, without storing anything: the dry run, which is also the
//! check for drift.

use std::sync::Arc;

use serde::Serialize;

use super::contract::{Contract, contract_version};
use super::fetch::Preparing;
use super::{PullError, PullOutcome, Range, Report, Stages, find_source, gates, notes_of, settings_of_job};
use crate::config::{Environment, Job, StampFrom};
use crate::sources::{Source, Start};
use crate::store::Store;
use crate::store::batches::{Asked, Batch, Opening};
use crate::store::deliveries::LastDelivery;
use crate::store::jobs::SourceId;
use crate::store::landing::Lander;

/// What a comparison found.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    #[serde(flatten)]
    pub report: Report,
    /// Records that are in force here and were not delivered, of everything or of the range.
    pub absent: u64,
    /// The first records that are not as they are stored.
    pub differences: Vec<Found>,
}

/// One record that is not as it is stored.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// `new`, `changed`, `older`, or `absent`
    pub what: &'static str,
    /// Page and row of the delivery; none of an absent one.
    pub page: Option<u32>,
    pub row: Option<i32>,
    pub person_id: Option<i64>,
}

/// Differences that are told one by one.
const MOST_TOLD: usize = 20;
/// No source has this number: a job that was never registered has nothing stored.
const NO_SOURCE: SourceId = SourceId(0);

/// Reads a delivery and says what a pull would do with it.
pub async fn compare(
    store: &Store,
    job: &Job,
    environment: &Environment,
    range: Option<Range>,
) -> Result<Comparison, PullError> {
    let settings = settings_of_job(job).ok_or_else(|| PullError::NoRecord(job.name.clone()))?;
    if range.is_some() && job.key.updated_at == Some(StampFrom::Delivery) {
        return Err(PullError::NoStamps(job.name.clone()));
    }
    let source_id = find_source(store, job).await?.unwrap_or(NO_SOURCE);
    let contract_version = contract_version(job);
    let (asked, instants) = match range {
        Some(range) => (Asked::Range, Some(range.instants())),
        None => (Asked::Everything, None),
    };
    let opening = Opening {
        source: source_id,
        settings: &settings,
        contract: &contract_version,
        stamped_by_delivery: job.key.updated_at == Some(StampFrom::Delivery),
        closes_absent: false,
        asked,
        since: instants.map(|(since, _)| since),
        until: instants.map(|(_, until)| until),
        complete_seq: None,
        run_id: uuid::Uuid::nil(),
    };
    let began_at = store.now().await?;
    let batch = Batch::for_comparison(&opening, began_at, store.unseen_batches(source_id).await?);
    let contract = Contract::new(Arc::new(job.clone()), settings.record, store.shared_keys(), began_at);
    let preparing = Preparing::new(contract, LastDelivery::default(), store.shared_keys(), &batch);
    let mut lander = Lander::open(store, batch).await?;
    let start = Start { since: opening.since, now: Some(began_at), ..Start::default() };
    let mut source = Source::open(job, environment, start).await?;
    let (mut differences, mut columns, mut held) = (Vec::new(), Vec::new(), None);
    let (mut announced, mut announced_at_most) = (None, None);
    while let Some(raw) = source.next_raw_page().await? {
        let page = raw.number;
        announced = raw.announced_total.or(announced);
        announced_at_most = raw.announced_total.max(announced_at_most);
        let preparing = preparing.clone();
        match tokio::task::spawn_blocking(move || preparing.prepare(raw)).await? {
            Ok(prepared) => {
                columns.extend(prepared.unknown_columns);
                let told = lander.compare(prepared.landing).await?.into_iter().map(|difference| Found {
                    what: difference.what,
                    page: Some(page),
                    row: Some(difference.row),
                    person_id: difference.person.map(|person| person.0),
                });
                differences.extend(told.take(MOST_TOLD.saturating_sub(differences.len())));
            }
            Err(why) => {
                held = Some(why);
                break;
            }
        }
    }
    let mut notes = notes_of(&columns.into_iter().collect());
    let absent = if held.is_none() { lander.absent(MOST_TOLD).await? } else { Some((0, Vec::new())) };
    if absent.is_none() {
        notes.push("what was not delivered is not told: there were too many records to remember".to_owned());
    }
    let (absent, persons) = absent.unwrap_or_default();
    let told =
        persons.into_iter().map(|person| Found { what: "absent", page: None, row: None, person_id: Some(person) });
    differences.extend(told.take(MOST_TOLD.saturating_sub(differences.len())));
    let batch = &lander.batch;
    let sizes = store.delivery_sizes(source_id).await?;
    let announced = announced.zip(announced_at_most);
    let other_number = announced.and_then(|(last, most)| gates::other_number(batch, last, most));
    let why = held.or(other_number).or_else(|| gates::closed(job, batch, &sizes, &mut notes));
    let report = Report {
        job: job.name.clone(),
        record: settings.record,
        outcome: PullOutcome::Dry,
        asked,
        counts: batch.counts,
        resumed: false,
        notes,
        why: why.map(|why| format!("it would be held: {why}")),
        stages: Stages::default(),
        run_number: None,
    };
    Ok(Comparison { report, absent, differences })
}
