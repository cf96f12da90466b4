//! Answers to requests that write something, kept in the transaction of what they wrote: a request that is repeated because its answer got
//! lost is not done again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
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
    /// Keyed hash of what whoever asks may do.
    access: [u8; 32],
    at: DateTime<Utc>,
    keys: Arc<Keys>,
    /// A change said with what it is answered.
    answered: AtomicBool,
}

/// How a request is known.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Whose it is.
    pub account: &'a str,
    /// What they may do, as any text: the answer is theirs as long as it is the same.
    pub access: &'a str,
    /// Their own name for it.
    pub key: &'a str,
    /// What it asks, as any text.
    pub asks: &'a str,
}

/// What a request with the same name was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It asked the same: the JSON it was answered with.
    Before(Vec<u8>),
    /// It asked something else.
    Otherwise,
    /// It asked the same, when whoever asks might do something else than now.
    OtherAccess,
    /// It asked the same, and what it was answered is told no more.
    Forgotten,
}

/// How long an answer that holds a secret is told again.
const SECRETS_TOLD: TimeDelta = TimeDelta::days(1);

fn answer_place(row: i64) -> Place<'static> {
    Place { table: "request_answer", column: "answer", row }
}

impl Request {
    pub fn new(store: &Store, said: &Said<'_>, at: DateTime<Utc>) -> Self {
        let keys = store.shared_keys();
        let (key, asks) = (keys.blind_index("request key", said.key), keys.blind_index("request", said.asks));
        let access = keys.blind_index("request access", said.access);
        Self { account: said.account.to_owned(), key, asks, access, at, keys, answered: AtomicBool::new(false) }
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
            "select request_answer_id, request, access, secret, answered_at, answer from request_answer where account = $1 and key = $2",
            request.account,
            &request.key[..]
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(found) = found else { return Ok(None) };
        if found.request != request.asks {
            return Ok(Some(Answered::Otherwise));
        }
        let is_told = !found.secret || request.at < found.answered_at + SECRETS_TOLD;
        let (Some(access), Some(answer)) = (found.access, found.answer.filter(|_| is_told)) else {
            return Ok(Some(Answered::Forgotten));
        };
        if access != request.access {
            return Ok(Some(Answered::OtherAccess));
        }
        let answer = self.keys.decrypt(&answer, answer_place(found.request_answer_id))?;
        Ok(Some(Answered::Before(answer)))
    }

    /// Keeps the answer of a request whose work kept none: it changed nothing, or nothing that counts double when done again. False: the
    /// same request was answered meanwhile, and that is the answer.
    pub async fn keep_answer(&self, request: &Request, answer: &[u8]) -> Result<bool, StoreError> {
        let mut connection = self.pool.acquire().await?;
        keep(&mut connection, request, answer, false).await
    }

    /// Removes the secrets among the answers that are told no more by `now`, so many in one statement: what was asked stays known.
    pub(super) async fn forget_answered_secrets(&self, now: DateTime<Utc>, at_once: i64) -> Result<(), StoreError> {
        loop {
            let done = sqlx::query!(
                "update request_answer set answer = null where request_answer_id = any (array (
                     select request_answer_id from request_answer
                     where secret and answer is not null and answered_at <= $1 limit $2))",
                now - SECRETS_TOLD,
                at_once
            )
            .execute(&self.pool)
            .await?;
            if done.rows_affected() == 0 {
                return Ok(());
            }
        }
    }

    /// Removes what was answered before the instant, so many in one statement: the same request would be done again.
    pub(super) async fn remove_request_answers(
        &self,
        before: DateTime<Utc>,
        at_once: i64,
        went: &mut u64,
    ) -> Result<(), StoreError> {
        loop {
            let done = sqlx::query!(
                "delete from request_answer where request_answer_id = any (array (
                     select request_answer_id from request_answer where answered_at < $1 limit $2))",
                before,
                at_once
            )
            .execute(&self.pool)
            .await?
            .rows_affected();
            *went += done;
            if done == 0 {
                return Ok(());
            }
        }
    }
}

impl Change {
    /// Says with what the request that this change is made for is answered; kept if the change commits. Of two same requests at once the
    /// later one waits here for the earlier, and is told that it was answered. A change that no request asked for keeps nothing.
    pub async fn answer(&mut self, answer: &impl Serialize) -> Result<(), StoreError> {
        self.keep_said(answer, false).await
    }

    /// The same of an answer that holds what is shown when it is made: it is told again for a day, and then no more.
    pub async fn answer_with_secret(&mut self, answer: &impl Serialize) -> Result<(), StoreError> {
        self.keep_said(answer, true).await
    }

    async fn keep_said(&mut self, answer: &impl Serialize, secret: bool) -> Result<(), StoreError> {
        let Some(request) = self.request() else { return Ok(()) };
        let text = serde_json::to_vec(answer).map_err(|_| StoreError::frame("an answer is no JSON"))?;
        if !keep(self.connection(), &request, &text, secret).await? {
            return Err(StoreError::AnsweredBefore);
        }
        request.answered.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// False: one is kept already.
async fn keep(
    connection: &mut PgConnection,
    request: &Request,
    answer: &[u8],
    secret: bool,
) -> Result<bool, StoreError> {
    let ids = reserve(connection, "request_answer_request_answer_id_seq", 1).await?;
    let id = ids.first().copied().ok_or(StoreError::frame("no number for an answer"))?;
    let kept = sqlx::query!(
        "insert into request_answer (request_answer_id, account, key, request, access, secret, answered_at, answer)
         overriding system value values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (account, key) do nothing",
        id,
        request.account,
        &request.key[..],
        &request.asks[..],
        &request.access[..],
        secret,
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

    async fn request_of(store: &Store, access: &str, key: &str, asks: &str) -> Arc<Request> {
        let said = Said { account: "li.hua", access, key, asks };
        Arc::new(Request::new(store, &said, store.now().await.expect("a time")))
    }

    async fn request(store: &Store, key: &str, asks: &str) -> Arc<Request> {
        request_of(store, "unit 7", key, asks).await
    }

    async fn find(store: &Store, request: &Request) -> Option<Answered> {
        store.find_answer(request).await.expect("read")
    }

    async fn pass(store: &Store, time: TimeDelta) {
        let now = store.now().await.expect("a time");
        store.set_clock(now + time).await.expect("the clock is set");
    }

    async fn answered(store: &Store, key: &str, is_secret: bool) {
        let keyed = store.for_request(request(store, key, "tick").await);
        let mut change = keyed.change().await.expect("a change");
        let kept = if is_secret { change.answer_with_secret(&"rz_1").await } else { change.answer(&"rz_1").await };
        kept.expect("kept");
        change.commit().await.expect("committed");
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

    #[tokio::test]
    async fn an_answer_is_told_again_as_long_as_whoever_asks_may_do_the_same() {
        let database = Database::open().await;
        let store = &database.store;
        answered(store, "k1", false).await;
        let before = Some(Answered::Before(b"\"rz_1\"".to_vec()));
        assert_eq!(find(store, &*request(store, "k1", "tick").await).await, before);
        let elsewhere = request_of(store, "unit 8", "k1", "tick").await;
        assert_eq!(find(store, &elsewhere).await, Some(Answered::OtherAccess));
        // of before it was kept
        sqlx::query("update request_answer set access = null").execute(&store.pool).await.expect("changed");
        assert_eq!(find(store, &*request(store, "k1", "tick").await).await, Some(Answered::Forgotten));
    }

    #[tokio::test]
    async fn a_secret_is_told_again_for_a_day_and_forgotten_by_the_upkeep_after_it() {
        let database = Database::open().await;
        let store = &database.store;
        for (key, is_secret) in [("secret", true), ("plain", false)] {
            answered(store, key, is_secret).await;
        }
        let told = async |key: &str| find(store, &*request(store, key, "tick").await).await;
        let upkeep = async || {
            let now = store.now().await.expect("a time");
            store.forget_answered_secrets(now, 1).await.expect("done");
            let kept = sqlx::query_scalar::<_, i64>("select count(answer) from request_answer").fetch_one(&store.pool);
            kept.await.expect("a count")
        };
        let before = Some(Answered::Before(b"\"rz_1\"".to_vec()));
        pass(store, TimeDelta::hours(23)).await;
        assert_eq!(told("secret").await, before);
        assert_eq!(upkeep().await, 2);
        pass(store, TimeDelta::hours(1)).await;
        assert_eq!(told("secret").await, Some(Answered::Forgotten));
        assert_eq!(upkeep().await, 1);
        assert_eq!(told("secret").await, Some(Answered::Forgotten), "and is not done again");
        assert_eq!(told("plain").await, before);
    }

    #[tokio::test]
    async fn what_was_answered_long_ago_goes_and_nothing_else() {
        let database = Database::open().await;
        let store = &database.store;
        for key in ["k1", "k2", "k3"] {
            answered(store, key, key == "k1").await;
        }
        pass(store, TimeDelta::days(10)).await;
        answered(store, "k4", false).await;
        let before = store.now().await.expect("a time") - TimeDelta::days(9);
        let mut went = 0;
        store.remove_request_answers(before, 2, &mut went).await.expect("removed");
        assert_eq!(went, 3);
        assert_eq!(find(store, &*request(store, "k1", "tick").await).await, None);
        assert!(find(store, &*request(store, "k4", "tick").await).await.is_some());
    }
}
