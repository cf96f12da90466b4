//! Pages on their way: read by one, decoded and checked by others, landed in their order by a third, all at once and few at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::contract::{Contract, raw_form};
use super::{Progress, Pull, PullError, Stages};
use crate::crypto::Keys;
use crate::sources::page::Limits;
use crate::sources::{RawPage, Resume, Source, SourceError, Start};
use crate::store::batches::{Asked, Batch};
use crate::store::deliveries::LastDelivery;
use crate::store::landing::{Body, Lander, Landing, PageLine};

/// How a delivery came in.
#[derive(Default)]
pub(super) struct Fetched {
    /// Why it must be held whatever else it holds.
    pub(super) held: Option<String>,
    pub(super) unknown_columns: BTreeSet<String>,
}

/// A page that is ready to land.
pub(super) struct Prepared {
    pub(super) landing: Landing,
    through: Option<(u64, u64)>,
    pub(super) unknown_columns: Vec<String>,
}

/// What a source gives, one after the other.
enum Step {
    Page(Prepared),
    /// It came to its end: its own word for the state it delivered, and whether that is the one known already.
    End {
        validator: Option<String>,
        unchanged: bool,
    },
}

/// A step on its way.
enum Work {
    Page(JoinHandle<Result<Prepared, String>>),
    End {
        validator: Option<String>,
        unchanged: bool,
    },
    /// The source failed: in its turn, so that the pages before it get in.
    Fault(SourceError),
}

/// Why no further page comes.
enum Stop {
    Held(String),
    Error(PullError),
}

impl<E: Into<PullError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Pages that are decoded and checked at once.
const AT_ONCE: usize = 2;
/// Columns that nobody reads, noted at most.
const MOST_COLUMNS_NOTED: usize = 50;

/// What a page is made ready with, on any thread.
#[derive(Clone)]
pub(super) struct Preparing {
    contract: Contract,
    known: Arc<LastDelivery>,
    /// With which pages' digests are made; none where pages are not to be known again.
    digests: Option<Arc<Keys>>,
    /// Records stamped outside are passed over, not counted.
    within: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Preparing {
    pub(super) fn new(contract: Contract, known: LastDelivery, keys: Arc<Keys>, batch: &Batch) -> Self {
        let range = (batch.asked == Asked::Range).then_some(batch.since.zip(batch.until)).flatten();
        let digests = batch.asked.is_whole().then_some(keys);
        Self { contract, known: Arc::new(known), digests, within: range }
    }

    /// Reads one page under the contract, unless it is known as it is; `Err` says why the delivery must be held.
    pub(super) fn prepare(&self, raw: RawPage) -> Result<Prepared, String> {
        let digest = self.digests.as_ref().map(|keys| keys.page_digest(&raw.digest()));
        let (number, announced, through) = (raw.number, raw.announced_total, raw.through);
        let line = PageLine { number, resume: raw.resume.clone(), digest, announced };
        if let Some(known) = line.digest.as_ref().and_then(|digest| self.known.pages.get(digest)) {
            let landing = Landing { line, body: Body::Known(known.clone()) };
            return Ok(Prepared { landing, through, unknown_columns: Vec::new() });
        }
        let page = raw.decode();
        let mut reading = self.contract.read(&page).map_err(|missing| missing.to_string())?;
        if let Some((since, until)) = self.within {
            let inside = |at: DateTime<Utc>| at >= since && at < until;
            reading.records.retain(|record| inside(record.updated_at));
            reading.refusals.retain(|refusal| refusal.updated_at.is_none_or(inside));
        }
        let (records, refusals) = (reading.records, reading.refusals);
        let raw_of = Box::new(move |row: usize| raw_form(&page, row));
        let landing = Landing { line, body: Body::Read { records, refusals, raw_of } };
        Ok(Prepared { landing, through, unknown_columns: reading.unknown_columns })
    }
}

/// Reads a source to its end and hands its pages on, numbered from `number`, each made ready on another thread. What stops it is the
/// last that it hands on.
async fn produce(source: Source, mut number: u32, preparing: Preparing, to: mpsc::Sender<Result<Step, Stop>>) {
    let work = stream::try_unfold(Some(source), move |source| {
        let preparing = preparing.clone();
        let mine = number;
        number += 1;
        async move {
            let Some(mut source) = source else { return Ok::<_, Stop>(None) };
            let mut raw = match source.next_raw_page().await {
                Ok(Some(raw)) => raw,
                Ok(None) => {
                    let (validator, unchanged) = (source.validator().map(str::to_owned), source.unchanged());
                    return Ok(Some((Work::End { validator, unchanged }, None)));
                }
                Err(error) => return Ok(Some((Work::Fault(error), None))),
            };
            raw.number = mine;
            let preparing = tokio::task::spawn_blocking(move || preparing.prepare(raw));
            Ok(Some((Work::Page(preparing), Some(source))))
        }
    });
    let mut ready = Box::pin(
        work.map_ok(|work| async move {
            match work {
                Work::Page(page) => page.await?.map(Step::Page).map_err(Stop::Held),
                Work::End { validator, unchanged } => Ok(Step::End { validator, unchanged }),
                Work::Fault(error) => Err(Stop::from(error)),
            }
        })
        .try_buffered(AT_ONCE),
    );
    while let Some(page) = ready.next().await {
        let stops = page.is_err();
        // nobody takes the pages any more: their taker knows why
        if to.send(page).await.is_err() || stops {
            return;
        }
    }
}

impl Pull<'_> {
    /// Fetches and lands every page that is not in yet, in a second reading if one is needed.
    pub(super) async fn fetch(
        &self,
        lander: &mut Lander<'_>,
        known: &LastDelivery,
        stages: &mut Stages,
    ) -> Result<Fetched, PullError> {
        let mut fetched = Fetched::default();
        let mut validator = None;
        while !lander.batch.complete {
            validator = self.read_once(lander, known, stages, &mut fetched).await?;
            if fetched.held.is_some() || !lander.batch.needs_second_reading() {
                break;
            }
            lander.batch.read_again();
        }
        if fetched.held.is_none() {
            let unchanged = lander.batch.unchanged;
            let validator = validator.as_deref().or(known.validator.as_deref().filter(|_| unchanged));
            self.store.complete_batch(&mut lander.batch, validator).await?;
        }
        Ok(fetched)
    }

    async fn read_once(
        &self,
        lander: &mut Lander<'_>,
        known: &LastDelivery,
        stages: &mut Stages,
        fetched: &mut Fetched,
    ) -> Result<Option<String>, PullError> {
        let batch = &lander.batch;
        let (job, record) = (self.job.clone(), self.settings.record);
        let keys = self.store.shared_keys();
        let contract = Contract::new(job, record, keys.clone(), batch.began_at);
        // records that were dropped stand on pages that are known too
        let known = if batch.reading == 1 { known.clone() } else { LastDelivery::default() };
        let last_validator = known.validator.clone();
        let preparing = Preparing::new(contract, known, keys, batch);
        let page = batch.next_page.saturating_sub(1);
        let after = batch.resume.clone().map(|place| Resume { page, place });
        let validator = last_validator.filter(|_| batch.asked == Asked::Everything && after.is_none());
        let now = Some(self.store.now().await?);
        let start = Start { since: batch.since, after, limits: Limits::default(), validator, now };
        let source = Source::open(&self.job, self.environment, start).await?;
        let (to, from) = mpsc::channel(1);
        let producing = produce(source, batch.next_page, preparing, to);
        let landing = async {
            // gone when landing ends, however it does: else who hands pages on would wait for ever
            let mut from = from;
            while let Some(step) = from.recv().await {
                match step {
                    Ok(Step::Page(page)) => self.land(lander, page, stages, fetched).await?,
                    Ok(Step::End { validator, unchanged }) => {
                        lander.batch.unchanged = unchanged;
                        return Ok(validator);
                    }
                    Err(Stop::Held(why)) => {
                        fetched.held = Some(why);
                        return Ok(None);
                    }
                    Err(Stop::Error(error)) => return Err(error),
                }
            }
            Ok(None)
        };
        let (ended, ()) = tokio::join!(landing, producing);
        ended
    }

    async fn land(
        &self,
        lander: &mut Lander<'_>,
        page: Prepared,
        stages: &mut Stages,
        fetched: &mut Fetched,
    ) -> Result<(), PullError> {
        for column in page.unknown_columns {
            if fetched.unknown_columns.len() < MOST_COLUMNS_NOTED {
                fetched.unknown_columns.insert(column);
            }
        }
        let through = page.through;
        let began = Instant::now();
        lander.land(page.landing).await?;
        stages.land_s += began.elapsed().as_secs_f64();
        let batch = &lander.batch;
        let (counts, page, announced) = (batch.counts, batch.next_page, batch.announced);
        (self.progress)(Progress { counts, page, announced, through });
        Ok(())
    }
}
