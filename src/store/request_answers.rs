//! Answers to requests that write something, kept in the transaction of what they wrote: a request that is repeated because its answer got
//! lost is not done again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::change::Change;
use super::people::reserve;
use super::{Store, StoreError};
use crate::crypto::{Keys, Place};

/// A request that is to be done once: whose, by which name of theirs, and what it asks.
#[derive(Debug)]
pub struct Request {
    account: String,
    /// Keyed hash of the caller's name for it.
    key: [u8; 32],
    /// Keyed hash of what it asks.
    asks: [u8; 32],
    at: DateTime<Utc>,
    keys: Arc<Keys>,
    /// A change said with what it is answered.
    answered: AtomicBool,
}

/// What a request with the same name was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It asked the same: the JSON it was answered with.
    Before(Vec<u8>),
    /// It asked something else.
    Otherwise,
}

fn answer_place(row: i64) -> Place<'static> {
    Place { table: "request_answer", column: "answer", row }
}

impl Request {
    /// `key` is the caller's name for it, `asks` what it asks: any two texts.
    pub fn new(store: &Store, account: &str, key: &str, asks: &str, at: DateTime<Utc>) -> Self {
        let keys = store.shared_keys();
        let (key, asks) = (keys.blind_index("request key", key), keys.blind_index("request", asks));
        Self { account: account.to_owned(), key, asks, at, keys, answered: AtomicBool::new(false) }
    }

    /// Its name among all requests: whose, and a keyed hash of what they call it.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.account, hex::encode(self.key))
    }

    /// Whether a change said with what it is answered.
    pub fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }
}

impl Store {
    /// The same store for the work on one request: the change that calls [`Change::answer`] keeps the answer with what it changes.
    #[must_use]
    pub fn for_request(&self, request: Arc<Request>) -> Self {
        Self { request: Some(request), ..self.clone() }
    }

    /// What a request of this name was answered, if there was one.
    pub async fn find_answer(&self, request: &Request) -> Result<Option<Answered>, StoreError> {
        let found = sqlx::query!(
            "select request_answer_id, request, answer from request_answer where account = $1 and key = $2",
            request.account,
            &request.key[..]
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(found) = found else { return Ok(None) };
        if found.request != request.asks {
            return Ok(Some(Answered::Otherwise));
        }
        let answer = self.keys.decrypt(&found.answer, answer_place(found.request_answer_id))?;
        Ok(Some(Answered::Before(answer)))
    }

    /// Keeps the answer of a request whose work kept none: it changed nothing, or nothing that counts double when done again. False: the
    /// same request was answered meanwhile, and that is the answer.
    pub async fn keep_answer(&self, request: &Request, answer: &[u8]) -> Result<bool, StoreError> {
        let mut connection = self.pool.acquire().await?;
        keep(&mut connection, request, answer).await
    }
}

impl Change {
    /// Says with what the request that this change is made for is answered; kept if the change commits. Of two same requests at once the
    /// later one waits here for the earlier, and is told that it was answered. A change that no request asked for keeps nothing.
    pub async fn answer(&mut self, answer: &impl Serialize) -> Result<(), StoreError> {
        let Some(request) = self.request() else { return Ok(()) };
        let text = serde_json::to_vec(answer).map_err(|_| StoreError::frame("an answer is no JSON"))?;
        if !keep(self.connection(), &request, &text).await? {
            return Err(StoreError::AnsweredBefore);
        }
        request.answered.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// False: one is kept already.
async fn keep(connection: &mut PgConnection, request: &Request, answer: &[u8]) -> Result<bool, StoreError> {
    let ids = reserve(connection, "request_answer_request_answer_id_seq", 1).await?;
    let id = ids.first().copied().ok_or(StoreError::frame("no number for an answer"))?;
    let kept = sqlx::query!(
        "insert into request_answer (request_answer_id, account, key, request, answered_at, answer)
         overriding system value values ($1, $2, $3, $4, $5, $6) on conflict (account, key) do nothing",
        id,
        request.account,
        &request.key[..],
        &request.asks[..],
        request.at,
        request.keys.encrypt(answer, answer_place(id))?
    )
    .execute(connection)
    .await?;
    Ok(kept.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Database;
    use super::*;

    async fn request(store: &Store, key: &str, asks: &str) -> Arc<Request> {
        Arc::new(Request::new(store, "li.hua", key, asks, store.now().await.expect("a time")))
    }

    #[tokio::test]
    async fn an_answer_is_kept_with_its_change_and_not_without() {
        let database = Database::open().await;
        let store = &database.store;
        let asked = request(store, "k1", "tick").await;
        let keyed = store.for_request(asked.clone());
        let mut change = keyed.change().await.expect("a change");
        change.answer(&"first").await.expect("kept");
        change.abandon().await.expect("abandoned");
        assert_eq!(store.find_answer(&asked).await.expect("read"), None);

        let mut change = keyed.change().await.expect("a change");
        change.answer(&"second").await.expect("kept");
        change.commit().await.expect("committed");
        let before = Some(Answered::Before(b"\"second\"".to_vec()));
        assert_eq!(store.find_answer(&asked).await.expect("read"), before);
        let otherwise = store.find_answer(&*request(store, "k1", "untick").await).await.expect("read");
        assert_eq!(otherwise, Some(Answered::Otherwise));
        assert_eq!(store.find_answer(&*request(store, "k2", "tick").await).await.expect("read"), None);

        let mut change = keyed.change().await.expect("a change");
        assert!(matches!(change.answer(&"third").await, Err(StoreError::AnsweredBefore)));
        assert!(!store.keep_answer(&asked, b"\"fourth\"").await.expect("left as it is"));
        assert_eq!(store.find_answer(&asked).await.expect("read"), before);
    }
}
