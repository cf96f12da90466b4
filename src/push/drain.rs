//! Messages leave in batches: taken together, sent side by side, their answers stored together.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};

use super::client::TOTAL_TIMEOUT;
use super::{Client, Exchange, PushError, Sent, tell, wait};
use crate::config::TaxSettings;
use crate::store::outbox::{Answered, Closing, Outgoing, Passing};
use crate::store::{Store, StoreError};

/// A batch begins with so many messages, and is never smaller by itself.
const LEAST: usize = 8;
/// So many lie in memory at most: bodies are about a kilobyte.
const MOST: usize = 512;
/// A batch that took less was too small, one that took longer too large.
const WANTED: Duration = Duration::from_secs(1);
/// What did not leave by then since it was taken goes back: its attempt's lease would be over before its answer.
const NOT_AFTER: Duration = Duration::from_secs(10);
/// Under a rate no more is taken than leaves within this.
const AHEAD: Duration = Duration::from_secs(3);
/// How long nobody sends after a batch that the department did not deal with at all.
const UNHEARD_PAUSE: TimeDelta = TimeDelta::seconds(60);
/// A pause is never longer.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(6);

/// How many requests go side by side, and how fast they follow each other.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub parallel: NonZeroUsize,
    /// From one request to the next; `None`: no limit.
    pub interval: Option<Duration>,
}

impl Pace {
    pub fn of(settings: &TaxSettings) -> Self {
        Self { parallel: settings.parallel, interval: settings.rate.map(crate::config::source::Rate::interval) }
    }

    /// How many requests leave within a time, at least one.
    fn within(self, time: Duration) -> usize {
        let Some(interval) = self.interval.filter(|interval| !interval.is_zero()) else { return usize::MAX };
        (time.as_nanos() / interval.as_nanos()).max(1) as usize
    }
}

impl Default for Pace {
    /// One after the other, without a limit.
    fn default() -> Self {
        Self { parallel: NonZeroUsize::MIN, interval: None }
    }
}

/// Drains the outbox, batch by batch.
pub struct Drain<'a> {
    store: &'a Store,
    client: &'a Client,
    passing: Passing,
    pace: Pace,
    /// How many messages are taken next.
    size: usize,
    /// When the next request may leave.
    next_at: tokio::time::Instant,
}

impl<'a> Drain<'a> {
    pub fn new(store: &'a Store, client: &'a Client, passing: Passing, pace: Pace) -> Self {
        Self { store, client, passing, pace, size: LEAST, next_at: tokio::time::Instant::now() }
    }

    /// Makes up to `limit` attempts on messages that are due; none: nothing is due, or everything is held.
    ///
    /// Dropped halfway, it leaves attempts open, and their messages are due again when the attempts' lease is over. No request
    /// outlives that lease.
    pub async fn batch(&mut self, limit: u64) -> Result<Vec<Sent>, PushError> {
        tokio::time::sleep_until(self.next_at).await;
        let at = self.store.now().await?;
        let size = self.size.min(usize::try_from(limit).unwrap_or(usize::MAX));
        self.step(at, size).await
    }

    /// The same at an instant of business time.
    pub(super) async fn step(&mut self, at: DateTime<Utc>, size: usize) -> Result<Vec<Sent>, PushError> {
        let size = size.min(self.pace.within(AHEAD));
        let opened = self.store.open_attempts(at, self.passing, size as i64).await?;
        if opened.is_empty() {
            return Ok(Vec::new());
        }
        let (begun, full) = (Instant::now(), opened.len() == size);
        let exchanges = self.exchange(opened, at, begun).await;
        let pause = pause(&exchanges);
        let (closings, sent): (Vec<Closing>, Vec<Sent>) =
            exchanges.into_iter().map(|(outgoing, exchange)| close(outgoing, exchange, at)).unzip();
        self.store_all(&closings).await?;
        if let Some((wait, why)) = pause {
            self.store.pause_push(at, at + wait.min(LONGEST_PAUSE), &why).await?;
        }
        sent.iter().for_each(tell);
        if full {
            let fits = self.size as f64 * (WANTED.as_secs_f64() / begun.elapsed().as_secs_f64().max(0.001));
            self.size = (fits as usize).clamp(LEAST, (self.size * 2).min(MOST));
        }
        Ok(sent)
    }

    /// Together; one that cannot be stored keeps none of the others from it.
    async fn store_all(&self, closings: &[Closing]) -> Result<(), StoreError> {
        let Err(error) = self.store.close_attempts(closings).await else { return Ok(()) };
        if closings.len() == 1 {
            return Err(error);
        }
        let mut failed = None;
        for closing in closings {
            failed = self.store.close_attempts(std::slice::from_ref(closing)).await.err().or(failed);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Puts them side by side, each in its turn. Once the department wants a pause, what has not left stays.
    async fn exchange(
        &mut self,
        opened: Vec<Outgoing>,
        at: DateTime<Utc>,
        begun: Instant,
    ) -> Vec<(Outgoing, Exchange)> {
        let (client, interval) = (self.client, self.pace.interval);
        let first = self.next_at.max(tokio::time::Instant::now());
        if let Some(interval) = interval {
            let places = u32::try_from(opened.len()).unwrap_or(u32::MAX);
            self.next_at = first + interval.saturating_mul(places);
        }
        let paused = &Mutex::new(false);
        let is_paused = || paused.lock().is_ok_and(|paused| *paused);
        let exchanges = stream::iter(opened.into_iter().zip(0_u32..)).map(async |(outgoing, place)| {
            if let Some(interval) = interval {
                tokio::time::sleep_until(first + interval.saturating_mul(place)).await;
            }
            let elapsed = begun.elapsed();
            let exchange = if is_paused() {
                Exchange::unsent(outgoing.ask_first, "the department wants a pause")
            } else if elapsed > NOT_AFTER {
                Exchange::unsent(outgoing.ask_first, "the messages before took too long")
            } else {
                client.put(&outgoing, at, TOTAL_TIMEOUT.saturating_sub(elapsed)).await
            };
            if exchange.pause.is_some()
                && let Ok(mut paused) = paused.lock()
            {
                *paused = true;
            }
            (outgoing, exchange)
        });
        exchanges.buffer_unordered(self.pace.parallel.get()).collect().await
    }
}

/// How long nobody should send, and why: what the department asks for; or it dealt with none of a whole batch, which would go on so with
/// everything that waits.
fn pause(exchanges: &[(Outgoing, Exchange)]) -> Option<(TimeDelta, String)> {
    let asked = exchanges.iter().filter_map(|(_, exchange)| exchange.pause).max();
    if let Some(asked) = asked {
        let wait = TimeDelta::from_std(asked).unwrap_or(LONGEST_PAUSE);
        return Some((wait, "the tax department asks for a pause (Retry-After)".to_owned()));
    }
    let unheard = exchanges.len() >= LEAST && exchanges.iter().all(|(_, exchange)| !exchange.is_heard());
    let error = || exchanges.iter().find_map(|(_, exchange)| exchange.record.error.as_deref()).unwrap_or_default();
    unheard.then(|| {
        (UNHEARD_PAUSE, format!("the tax department dealt with none of {} messages: {}", exchanges.len(), error()))
    })
}

/// In one line, of which no peer decides how long it is.
fn printable(text: &str) -> String {
    text.chars().filter(|sign| !sign.is_control()).take(1000).collect()
}

fn close(outgoing: Outgoing, exchange: Exchange, at: DateTime<Utc>) -> (Closing, Sent) {
    let Outgoing { message_id, attempt_number, .. } = outgoing;
    let Exchange { mut record, answered, again, .. } = exchange;
    record.error = record.error.map(|error| printable(&error));
    let again_at = match &answered {
        Answered::Accepted { .. } | Answered::Rejected { .. } => None,
        Answered::Later | Answered::Forgotten | Answered::Unknown => Some(at + wait(message_id, attempt_number, again)),
    };
    let sent = Sent {
        message_id,
        idempotency_key: outgoing.idempotency_key,
        attempt_number,
        asked: outgoing.ask_first,
        answered: answered.clone(),
        error: record.error.clone(),
        again_at,
    };
    (Closing { message_id, attempt_number, record, answered, again_at: again_at.unwrap_or(at) }, sent)
}
