//! Subscriptions: which program of which user hears of what, and the secrets by which requests to it are signed.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::change::Change;
use super::people::reserve;
use super::users::UserId;
use super::{Store, StoreError};
use crate::crypto::{Place, SignatureAlgorithm};
use crate::domain::event::EventKind;
use crate::domain::facts::words;

words! {
    /// Why a subscription ended for good.
    EndedWhy {
        /// Its user, or an operator, wanted it no more.
        Removed = "removed",
        /// The receiver answered 410: it is gone.
        Gone = "gone",
        /// Its user was revoked.
        UserRevoked = "user_revoked",
    }
}

/// A subscription as it is asked for; everything about it was looked at.
#[derive(Clone, Debug)]
pub struct NewSubscription<'a> {
    pub user: UserId,
    pub url: &'a str,
    pub kinds: &'a [EventKind],
    pub algorithm: SignatureAlgorithm,
}

/// A subscription as it stands.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Subscription")]
pub struct SubscriptionLine {
    pub subscription_id: i64,
    pub account: String,
    pub url: String,
    /// Of the url, with its port.
    #[serde(skip)]
    pub host: String,
    pub kinds: Vec<EventKind>,
    pub algorithm: SignatureAlgorithm,
    pub created_at: DateTime<Utc>,
    pub paused_at: Option<DateTime<Utc>>,
    /// Deliveries that wait, and how many of these failed before.
    pub waiting: i64,
    pub failing: i64,
    /// Deliveries that nobody tries any more, unless the user goes on with the subscription.
    pub given_up: i64,
    pub last_delivered_at: Option<DateTime<Utc>>,
}

/// A secret that still signs.
#[derive(Clone)]
pub struct SigningSecret {
    /// The name under which receivers know it.
    pub key_id: String,
    pub text: String,
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningSecret").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// So long the secret before the last signs too.
const OVERLAP: TimeDelta = TimeDelta::days(1);

fn place(secret_id: i64) -> Place<'static> {
    Place { table: "event_secret", column: "secret", row: secret_id }
}

/// The name of a secret for its receiver.
fn key_id(subscription_id: i64, secret_id: i64) -> String {
    format!("{subscription_id}.{secret_id}")
}

impl Store {
    /// Subscriptions that have not ended, of a user or of all, oldest first.
    pub async fn list_subscriptions(&self, account: Option<&str>) -> Result<Vec<SubscriptionLine>, StoreError> {
        let rows = sqlx::query!(
            r#"select s.subscription_id, account, url, host as "host!", kinds, algorithm, s.created_at, paused_at,
                      d.waiting as "waiting!", d.failing as "failing!", d.given_up as "given_up!", d.last_delivered_at
               from event_subscription s join app_user u using (user_id)
               cross join lateral (
                   select count(*) filter (where state = 'waiting') as waiting,
                          count(*) filter (where state = 'waiting' and first_tried_at is not null) as failing,
                          count(*) filter (where state = 'failed' and first_tried_at is not null) as given_up,
                          max(delivered_at) as last_delivered_at
                   from event_delivery where event_delivery.subscription_id = s.subscription_id) as d
               where s.ended_at is null and ($1::text is null or account = $1) order by s.subscription_id"#,
            account
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let wrong = |column| StoreError::inconsistent("event_subscription", column, row.subscription_id);
                let kinds = row.kinds.iter().map(|kind| EventKind::parse(kind)).collect::<Option<Vec<EventKind>>>();
                Ok(SubscriptionLine {
                    subscription_id: row.subscription_id,
                    account: row.account,
                    url: row.url,
                    host: row.host,
                    kinds: kinds.ok_or_else(|| wrong("kinds"))?,
                    algorithm: row.algorithm.parse().map_err(|_| wrong("algorithm"))?,
                    created_at: row.created_at,
                    paused_at: row.paused_at,
                    waiting: row.waiting,
                    failing: row.failing,
                    given_up: row.given_up,
                    last_delivered_at: row.last_delivered_at,
                })
            })
            .collect()
    }

    /// The secrets that sign at an instant: the current one first, then the one before while it still does.
    pub async fn signing_secrets(
        &self,
        subscription_id: i64,
        at: DateTime<Utc>,
    ) -> Result<Vec<SigningSecret>, StoreError> {
        let rows = sqlx::query!(
            "select secret_id, secret, made_at from event_secret where subscription_id = $1 order by secret_id desc limit 2",
            subscription_id
        )
        .fetch_all(&self.pool)
        .await?;
        let overlaps = rows.first().is_some_and(|current| at < current.made_at + OVERLAP);
        rows.into_iter()
            .take(if overlaps { 2 } else { 1 })
            .map(|row| {
                let text = self.keys().decrypt(&row.secret, place(row.secret_id))?;
                let wrong = |_| StoreError::inconsistent("event_secret", "secret", row.secret_id);
                let key_id = key_id(subscription_id, row.secret_id);
                Ok(SigningSecret { key_id, text: String::from_utf8(text).map_err(wrong)? })
            })
            .collect()
    }
}

impl Change {
    /// How many subscriptions of a user have not ended.
    pub async fn count_subscriptions(&mut self, user: UserId) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select count(*) as "count!" from event_subscription where user_id = $1 and ended_at is null"#,
            user.0
        )
        .fetch_one(self.connection())
        .await?)
    }

    /// A new subscription; its number. It has no secret yet.
    pub async fn add_subscription(&mut self, new: &NewSubscription<'_>, at: DateTime<Utc>) -> Result<i64, StoreError> {
        let kinds: Vec<String> = new.kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
        Ok(sqlx::query_scalar!(
            "insert into event_subscription (subscription_id, user_id, url, kinds, algorithm, created_at)
             values (nextval('event_subscription_id_seq'), $1, $2, $3, $4, $5) returning subscription_id",
            new.user.0,
            new.url,
            &kinds,
            new.algorithm.as_str(),
            at
        )
        .fetch_one(self.connection())
        .await?)
    }

    /// From now on this secret signs, for a day the one before too, and none of those before that; the name of the new one.
    pub async fn add_signing_secret(
        &mut self,
        store: &Store,
        subscription_id: i64,
        text: &str,
        at: DateTime<Utc>,
    ) -> Result<String, StoreError> {
        sqlx::query!(
            "delete from event_secret where subscription_id = $1
               and secret_id < (select max(secret_id) from event_secret where subscription_id = $1)",
            subscription_id
        )
        .execute(self.connection())
        .await?;
        let ids = reserve(self.connection(), "event_secret_id_seq", 1).await?;
        let secret_id = ids.first().copied().ok_or(StoreError::frame("no number for a secret"))?;
        sqlx::query!(
            "insert into event_secret (secret_id, subscription_id, secret, made_at) values ($1, $2, $3, $4)",
            secret_id,
            subscription_id,
            store.keys().encrypt(text.as_bytes(), place(secret_id))?,
            at
        )
        .execute(self.connection())
        .await?;
        Ok(key_id(subscription_id, secret_id))
    }

    /// Nobody changes the subscription meanwhile; of whom it is and whether it is paused. `None`: it has ended, or never was.
    pub async fn lock_subscription(&mut self, subscription_id: i64) -> Result<Option<(String, bool)>, StoreError> {
        let row = sqlx::query!(
            "select account, paused_at from event_subscription s join app_user u using (user_id)
             where subscription_id = $1 and ended_at is null for no key update of s",
            subscription_id
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| (row.account, row.paused_at.is_some())))
    }

    /// Ends a subscription for good: nothing that waits is delivered any more, and its secrets go. False if it had ended.
    pub async fn end_subscription(
        &mut self,
        subscription_id: i64,
        why: EndedWhy,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update event_subscription set ended_at = $2, ended_why = $3 where subscription_id = $1 and ended_at is null",
            subscription_id,
            at,
            why.as_str()
        )
        .execute(self.connection())
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query!(
            "update event_delivery set state = 'failed', claimed_until = null, error = 'the subscription has ended'
             where subscription_id = $1 and state = 'waiting'",
            subscription_id
        )
        .execute(self.connection())
        .await?;
        sqlx::query!("delete from event_secret where subscription_id = $1", subscription_id)
            .execute(self.connection())
            .await?;
        Ok(true)
    }

    /// Ends all that a user has; their numbers.
    pub async fn end_subscriptions_of(&mut self, user: UserId, at: DateTime<Utc>) -> Result<Vec<i64>, StoreError> {
        let standing = sqlx::query_scalar!(
            "select subscription_id from event_subscription where user_id = $1 and ended_at is null
             order by subscription_id for no key update",
            user.0
        )
        .fetch_all(self.connection())
        .await?;
        for subscription_id in &standing {
            self.end_subscription(*subscription_id, EndedWhy::UserRevoked, at).await?;
        }
        Ok(standing)
    }

    /// Nothing is delivered until its user goes on with it. False if it was paused or has ended.
    pub async fn pause_subscription(&mut self, subscription_id: i64, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update event_subscription set paused_at = $2 where subscription_id = $1 and ended_at is null and paused_at is null",
            subscription_id,
            at
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// What was given up is tried again as if for the first time, and of one that is `paused` what gathered is due; how much that is.
    pub async fn resume_subscription(
        &mut self,
        subscription_id: i64,
        paused: bool,
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        sqlx::query!(
            "update event_subscription set paused_at = null, rests_until = null where subscription_id = $1 and ended_at is null",
            subscription_id
        )
        .execute(self.connection())
        .await?;
        let due = sqlx::query!(
            "update event_delivery set state = 'waiting', attempts = 0, first_tried_at = null, next_at = $2, claimed_until = null
             where subscription_id = $1 and (state = 'failed' and first_tried_at is not null or state = 'waiting' and $3)",
            subscription_id,
            at,
            paused
        )
        .execute(self.connection())
        .await?;
        Ok(due.rows_affected())
    }

    /// Whether a ping of the subscription waits to be taken.
    pub async fn has_waiting_ping(&mut self, subscription_id: i64) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select exists (select from event_delivery join event using (event_id)
                              where subscription_id = $1 and state = 'waiting' and kind = 'ping') as "waits!""#,
            subscription_id
        )
        .fetch_one(self.connection())
        .await?)
    }
}
