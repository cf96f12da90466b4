//! Reads of an employer's own masked data are written to the audit too, many at a time: a reader does not wait for it. What cannot be
//! written down is not shown.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::problem::Problem;
use crate::domain::access::{Action, Actor};
use crate::errors;
use crate::store::Store;
use crate::store::audit::Act;

/// How often what was read is written down: what a dying process loses of them, at most.
const EVERY: Duration = Duration::from_secs(1);
/// Reads that wait at most: further ones are refused.
const MOST: usize = 10_000;

/// Reads that are not written down yet.
#[derive(Debug)]
pub(super) struct Reads {
    waiting: Mutex<Vec<Read>>,
    most: usize,
    /// Told when half of them wait.
    many: Notify,
}

/// Who read what.
#[derive(Clone, Debug)]
struct Read {
    at: DateTime<Utc>,
    actor: Actor,
    action: Action,
    object: String,
}

impl Default for Reads {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl Reads {
    fn of(most: usize) -> Self {
        Self { waiting: Mutex::default(), most, many: Notify::new() }
    }

    /// Notes a read before it is answered; refused where too many wait, which is so where they cannot be written.
    pub(super) fn note(&self, at: DateTime<Utc>, actor: &Actor, action: Action, object: String) -> Result<(), Problem> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= self.most {
            return Err(not_recorded());
        }
        waiting.push(Read { at, actor: actor.clone(), action, object });
        if waiting.len() >= self.most / 2 {
            self.many.notify_one();
        }
        Ok(())
    }

    /// Writes down what waits; false: it could not be written, and waits on.
    async fn write(&self, store: &Store) -> bool {
        let reads = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if reads.is_empty() {
            return true;
        }
        let acts = reads.iter().map(|read| Act::read(read.at, &read.actor, read.action, read.object.as_str()));
        let Err(error) = store.record_all(&acts.collect::<Vec<_>>()).await else { return true };
        tracing::error!(error = errors::chain(&error), reads = reads.len(), "reads are not in the audit yet");
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).splice(0..0, reads);
        false
    }

    /// Writes down what waits until it is stopped, and what is left then. Nobody else does.
    pub(super) async fn keep_writing(&self, store: &Store, stop: &CancellationToken) {
        while stop.run_until_cancelled(timeout(EVERY, self.many.notified())).await.is_some() {
            if !self.write(store).await {
                let _stopped = stop.run_until_cancelled(sleep(EVERY)).await;
            }
        }
        self.write(store).await;
    }
}

fn not_recorded() -> Problem {
    let detail =
        "that this is read is written to the audit, which is not possible now; nothing is shown, try again in a moment";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_recorded", detail, "暂时无法记录查阅日志，请稍后再试。")
        .with(header::RETRY_AFTER, HeaderValue::from_static("5"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Keys;
    use crate::domain::access::{Role, Scope};
    use crate::store::audit_log::AuditFilter;
    use crate::store::testing::Database;

    fn reader() -> Actor {
        Actor { name: "li.hua".to_owned(), role: Role::Employer, scope: Scope::Units(Vec::new()), on_behalf_of: None }
    }

    fn at(minute: u32) -> DateTime<Utc> {
        format!("2026-04-15T06:{minute:02}:00Z").parse().expect("an instant")
    }

    fn note(reads: &Reads, minute: u32) -> Result<(), Problem> {
        reads.note(at(minute), &reader(), Action::ReadResults, format!("thing {minute}"))
    }

    async fn written(store: &Store) -> Vec<(String, DateTime<Utc>)> {
        let lines = store.list_audit(&AuditFilter::default(), 100).await.expect("rows");
        lines.into_iter().rev().map(|line| (line.object, line.at)).collect()
    }

    #[tokio::test]
    async fn a_read_that_cannot_be_written_down_is_refused_and_none_before_it_is_lost() {
        let database = Database::open().await;
        let keys = Keys::parse(&database.store.keys().to_text()).expect("keys");
        let away = Store::open(&database.url, keys).await.expect("a store");
        away.close().await;
        let reads = Reads::of(3);
        for minute in 0..3 {
            note(&reads, minute).expect("noted");
        }
        assert!(!reads.write(&away).await, "the database is away");
        assert!(note(&reads, 3).is_err(), "what is not recorded is not shown");
        assert!(reads.write(&database.store).await);
        note(&reads, 4).expect("noted again");
        assert!(reads.write(&database.store).await);
        let expected: Vec<_> = [0, 1, 2, 4].map(|minute| (format!("thing {minute}"), at(minute))).into();
        assert_eq!(written(&database.store).await, expected, "each once, under the time of its own");
    }

    #[tokio::test]
    async fn what_waits_is_written_when_it_is_much_and_when_it_is_stopped() {
        let database = Database::open().await;
        let (reads, stop) = (Reads::of(4), CancellationToken::new());
        let writing = reads.keep_writing(&database.store, &stop);
        let reading = async {
            for minute in 0..9 {
                // as many as there are rooms at once: whoever comes then waits for one
                while note(&reads, minute).is_err() {
                    tokio::task::yield_now().await;
                }
            }
            stop.cancel();
        };
        tokio::join!(writing, reading);
        let expected: Vec<_> = (0..9).map(|minute| (format!("thing {minute}"), at(minute))).collect();
        assert_eq!(written(&database.store).await, expected);
    }
}
