//! Deliveries of events: taken host by host, the attempt stored before any byte leaves, and what came of it.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::change::Change;
use super::metrics::CountFigure;
use super::{Store, StoreError};
use crate::crypto::SignatureAlgorithm;
use crate::domain::facts::UnitId;

/// How long a claim keeps others from a delivery and from its host.
const CLAIM: TimeDelta = TimeDelta::seconds(120);
/// After a failure a receiver is left alone for so long, whatever else waits for it.
const REST: TimeDelta = TimeDelta::minutes(1);
/// What is said of a failure, at most.
const MOST_SIGNS: usize = 300;
/// An arbitrary number among the advisory locks of the database.
const CLAIM_LOCK: i64 = 0x6576_656E;

/// A delivery on its way.
#[derive(Clone, Debug)]
pub struct DueDelivery {
    pub event_id: Uuid,
    pub subscription_id: i64,
    pub account: String,
    pub url: String,
    pub algorithm: SignatureAlgorithm,
    /// Whose event it is; of a ping nobody's.
    pub employer: Option<UnitId>,
    /// JSON, as it was frozen.
    pub body: String,
    /// From 1.
    pub attempt_number: i32,
    pub first_tried_at: DateTime<Utc>,
}

/// What a failed attempt brought.
#[derive(Clone, Copy, Debug)]
pub struct Failed<'a> {
    /// Of the answer; `None`: none came.
    pub status: Option<u16>,
    pub error: &'a str,
}

/// A subscription that waits for its user.
#[derive(Clone, Debug)]
pub struct PausedSubscription {
    pub subscription_id: i64,
    pub account: String,
    pub host: String,
    pub paused_at: DateTime<Utc>,
    pub waiting: i64,
}

impl Store {
    /// Takes up to `limit` deliveries to the host that has been due longest, and opens an attempt on each. While they are under way nobody
    /// gets others to that host. Whoever died with them is followed by another when their claim is over.
    pub async fn claim_deliveries(&self, at: DateTime<Utc>, limit: i64) -> Result<Vec<DueDelivery>, StoreError> {
        let mut transaction = self.begin().await?;
        // one at a time: two who looked at once would both find the host free
        sqlx::query("select pg_advisory_xact_lock($1)").bind(CLAIM_LOCK).execute(&mut *transaction).await?;
        let rows = sqlx::query!(
            r#"with busy as (
                 select s.host from event_delivery d join event_subscription s using (subscription_id) where d.claimed_until > $1),
               free as (
                 select subscription_id, host from event_subscription
                 where ended_at is null and paused_at is null and (rests_until is null or rests_until <= $1)
                   and host not in (select host from busy)),
               next as (
                 select host from event_delivery join free using (subscription_id) where state = 'waiting' and next_at <= $1
                 order by next_at, event_id limit 1),
               due as (
                 select d.event_id, d.subscription_id from event_delivery d join free using (subscription_id) join next using (host)
                 where d.state = 'waiting' and d.next_at <= $1 order by d.next_at, d.event_id limit $3 for update of d skip locked),
               claimed as (
                 update event_delivery d
                 set attempts = attempts + 1, claimed_until = $2, next_at = $2, first_tried_at = coalesce(first_tried_at, $1)
                 from due where d.event_id = due.event_id and d.subscription_id = due.subscription_id
                 returning d.event_id, d.subscription_id, d.attempts, d.first_tried_at)
               select event_id, subscription_id, account, url, algorithm, employer_id, body, attempts, first_tried_at as "first_tried_at!"
               from claimed join event using (event_id) join event_subscription using (subscription_id) join app_user using (user_id)
               order by event_id, subscription_id"#,
            at,
            at + CLAIM,
            limit
        )
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        rows.into_iter()
            .map(|row| {
                let wrong = |_| StoreError::inconsistent("event_subscription", "algorithm", row.subscription_id);
                Ok(DueDelivery {
                    event_id: row.event_id,
                    subscription_id: row.subscription_id,
                    account: row.account,
                    url: row.url,
                    algorithm: row.algorithm.parse().map_err(wrong)?,
                    employer: row.employer_id.map(UnitId),
                    body: row.body,
                    attempt_number: row.attempts,
                    first_tried_at: row.first_tried_at,
                })
            })
            .collect()
    }

    /// Whether anything is due that could be delivered now.
    pub async fn has_due_deliveries(&self, at: DateTime<Utc>) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select exists (select from event_delivery join event_subscription using (subscription_id)
                              where state = 'waiting' and next_at <= $1 and ended_at is null and paused_at is null
                                and (rests_until is null or rests_until <= $1)) as "due!""#,
            at
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// The receiver took it.
    pub async fn save_delivered(&self, due: &DueDelivery, status: u16, at: DateTime<Utc>) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query!(
            "update event_delivery set state = 'delivered', delivered_at = $3, last_status = $4, error = null, claimed_until = null
             where event_id = $1 and subscription_id = $2 and state <> 'delivered'",
            due.event_id,
            due.subscription_id,
            at,
            status as i16
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "update event_subscription set rests_until = null where subscription_id = $1 and rests_until is not null",
            due.subscription_id
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The receiver did not take it: it is tried again then, and nothing at all for a moment. What came of an attempt that another has
    /// followed says nothing.
    pub async fn put_off_delivery(
        &self,
        due: &DueDelivery,
        failed: Failed<'_>,
        again_at: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query!(
            "update event_delivery set next_at = $4, last_status = $5, error = $6, claimed_until = null
             where event_id = $1 and subscription_id = $2 and attempts = $3 and state = 'waiting'",
            due.event_id,
            due.subscription_id,
            due.attempt_number,
            again_at,
            failed.status.map(|status| status as i16),
            told(failed.error)
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "update event_subscription set rests_until = $2 where subscription_id = $1",
            due.subscription_id,
            at + REST
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Deliveries of which no byte left are as if they had never been taken.
    pub async fn give_back_deliveries(&self, unsent: &[DueDelivery], at: DateTime<Utc>) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = unsent.iter().map(|due| due.event_id).collect();
        let subscriptions: Vec<i64> = unsent.iter().map(|due| due.subscription_id).collect();
        let attempts: Vec<i32> = unsent.iter().map(|due| due.attempt_number).collect();
        sqlx::query!(
            "update event_delivery d
             set attempts = d.attempts - 1, next_at = $4, claimed_until = null,
                 first_tried_at = case when d.attempts = 1 then null else first_tried_at end
             from unnest($1::uuid[], $2::bigint[], $3::int[]) as u (event_id, subscription_id, attempts)
             where d.event_id = u.event_id and d.subscription_id = u.subscription_id and d.attempts = u.attempts and d.state = 'waiting'",
            &ids,
            &subscriptions,
            &attempts,
            at
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Subscriptions that are paused, oldest first.
    pub async fn list_paused_subscriptions(&self) -> Result<Vec<PausedSubscription>, StoreError> {
        Ok(sqlx::query_as!(
            PausedSubscription,
            r#"select s.subscription_id, account, host as "host!", paused_at as "paused_at!",
                      (select count(*) from event_delivery d where d.subscription_id = s.subscription_id and d.state = 'waiting') as "waiting!"
               from event_subscription s join app_user using (user_id)
               where s.ended_at is null and paused_at is not null order by s.subscription_id"#
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Deliveries that wait: `waiting` for their first attempt, `failing` for another.
    pub(super) async fn event_figures(&self) -> Result<Vec<CountFigure>, StoreError> {
        let row = sqlx::query!(
            r#"select count(*) filter (where first_tried_at is null) as "waiting!", count(*) filter (where first_tried_at is not null) as "failing!"
               from event_delivery where state = 'waiting'"#
        )
        .fetch_one(&self.pool)
        .await?;
        let figure = |name: &str, count| CountFigure { name: name.to_owned(), count };
        Ok(vec![figure("waiting", row.waiting), figure("failing", row.failing)])
    }
}

impl Change {
    /// Nobody tries it again. False if another attempt followed this one.
    pub async fn give_up_delivery(&mut self, due: &DueDelivery, failed: Failed<'_>) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update event_delivery set state = 'failed', last_status = $4, error = $5, claimed_until = null
             where event_id = $1 and subscription_id = $2 and attempts = $3 and state = 'waiting'",
            due.event_id,
            due.subscription_id,
            due.attempt_number,
            failed.status.map(|status| status as i16),
            told(failed.error)
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether the receiver took anything since an instant.
    pub async fn has_delivered_since(&mut self, subscription_id: i64, at: DateTime<Utc>) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select exists (select from event_delivery where subscription_id = $1 and state = 'delivered' and delivered_at > $2) as "any!""#,
            subscription_id,
            at
        )
        .fetch_one(self.connection())
        .await?)
    }
}

/// In one line, of which no peer decides how long it is.
fn told(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).take(MOST_SIGNS).collect()
}
