//! Deliveries of events: taken host by host, the attempt stored before any byte leaves, and what came of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::change::Change;
use super::metrics::CountFigure;
use super::{Store, StoreError};
use crate::crypto::SignatureAlgorithm;
use crate::domain::facts::UnitId;

/// How long a claim keeps others from a delivery and from its host.
const CLAIM: Duration = Duration::from_mins(2);
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
    /// gets others to that host. Whoever died with them is followed by another when their claim is over, by database time.
    pub async fn claim_deliveries(&self, at: DateTime<Utc>, limit: i64) -> Result<Vec<DueDelivery>, StoreError> {
        let mut transaction = self.begin().await?;
        // one at a time: two who looked at once would both find the host free
        sqlx::query("select pg_advisory_xact_lock($1)").bind(CLAIM_LOCK).execute(&mut *transaction).await?;
        let rows = sqlx::query_file!("src/store/event_claim.sql", at, limit, CLAIM.as_secs_f64())
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
            r#"with busy as (
                 select host from event_delivery join event_subscription using (subscription_id)
                 where claimed_until > (select clock_timestamp()))
               select exists (
                 select from event_subscription s cross join lateral (
                     select from event_delivery d
                     where d.subscription_id = s.subscription_id and state = 'waiting' and next_at <= $1 limit 1) as due
                 where ended_at is null and paused_at is null and (rests_until is null or rests_until <= $1)
                   and not exists (select from busy where busy.host = s.host)) as "due!""#,
            at
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// Whether the delivery still waits for what this attempt brings: not if its subscription has ended or went on anew meanwhile.
    pub async fn is_wanted(&self, due: &DueDelivery) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select exists (select from event_delivery
                              where event_id = $1 and subscription_id = $2 and attempts = $3 and state = 'waiting') as "wanted!""#,
            due.event_id,
            due.subscription_id,
            due.attempt_number
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// The receiver took it.
    pub async fn save_delivered(&self, due: &DueDelivery, status: u16, at: DateTime<Utc>) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        lock_subscriptions(&mut transaction, &[due.subscription_id]).await?;
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

    /// The receiver did not take it: it is tried again at `again_at`, and nothing else is before `rests_until`. What came of an attempt that
    /// another has followed says nothing.
    pub async fn put_off_delivery(
        &self,
        due: &DueDelivery,
        failed: Failed<'_>,
        again_at: DateTime<Utc>,
        rests_until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        lock_subscriptions(&mut transaction, &[due.subscription_id]).await?;
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
            rests_until
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Deliveries of which no byte left are as if they had never been taken.
    pub async fn give_back_deliveries(&self, unsent: &[DueDelivery]) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = unsent.iter().map(|due| due.event_id).collect();
        let subscriptions: Vec<i64> = unsent.iter().map(|due| due.subscription_id).collect();
        let attempts: Vec<i32> = unsent.iter().map(|due| due.attempt_number).collect();
        let mut transaction = self.begin().await?;
        lock_subscriptions(&mut transaction, &subscriptions).await?;
        sqlx::query!(
            "update event_delivery d
             set attempts = d.attempts - 1, claimed_until = null,
                 first_tried_at = case when d.attempts = 1 then null else first_tried_at end
             from unnest($1::uuid[], $2::bigint[], $3::int[]) as u (event_id, subscription_id, attempts)
             where d.event_id = u.event_id and d.subscription_id = u.subscription_id and d.attempts = u.attempts and d.state = 'waiting'",
            &ids,
            &subscriptions,
            &attempts
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
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

/// Subscriptions are locked before their deliveries, in the order of their numbers: so does whoever ends one or goes on with it.
async fn lock_subscriptions(connection: &mut PgConnection, subscriptions: &[i64]) -> Result<(), StoreError> {
    sqlx::query!(
        "select subscription_id from event_subscription where subscription_id = any($1) order by subscription_id for no key update",
        subscriptions
    )
    .fetch_all(connection)
    .await?;
    Ok(())
}

/// In one line, of which no peer decides how long it is.
fn told(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).take(MOST_SIGNS).collect()
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Row as _};

    use super::super::testing::Database;

    /// A user whose first subscription is paused with a long backlog, and whose second is free and has a few.
    const BACKLOG: &str = "
        insert into app_user (user_id, account, name, role, created_at, created_by) values (1, 'own', '', 'operator', '2026-03-01', 'test');
        insert into event_subscription (subscription_id, user_id, url, kinds, algorithm, created_at, paused_at)
            values (1, 1, 'https://down.example/', '{cell_changed}', 'hmac-sm3', '2026-03-01', '2026-03-02'),
                   (2, 1, 'https://well.example/', '{cell_changed}', 'hmac-sm3', '2026-03-01', null);
        insert into event (event_id, kind, occurred_at, body)
            select gen_random_uuid(), 'ping', '2026-03-01', '{}' from generate_series(1, 20000);
        insert into event_delivery (event_id, subscription_id, next_at) select event_id, 1, '2026-03-01' from event;
        insert into event_delivery (event_id, subscription_id, next_at) select event_id, 2, '2026-03-03' from event limit 5;
        analyze event, event_delivery, event_subscription;";

    #[tokio::test(flavor = "multi_thread")]
    async fn the_backlog_of_a_paused_receiver_is_not_looked_through() {
        let database = Database::open().await;
        let store = &database.store;
        sqlx::raw_sql(BACKLOG).execute(&store.pool).await.expect("rows");
        let mut connection = store.pool.acquire().await.expect("a connection");
        let claim = include_str!("event_claim.sql").replace(" as \"first_tried_at!\"", "");
        let prepare = format!("prepare claim (timestamptz, bigint, float8) as {claim}");
        sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.expect("prepared");
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let set = format!("set plan_cache_mode = {mode}");
            sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *connection).await.expect("set");
            let explain = "explain execute claim ('2026-03-04', 8, 120)";
            let rows = sqlx::raw_sql(explain).fetch_all(&mut *connection).await.expect("a plan");
            let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            let plan = plan.join("\n");
            assert!(plan.contains("event_delivery_next"), "{mode}: {plan}");
            assert!(!plan.contains("Seq Scan on event_delivery"), "{mode}: {plan}");
        }
        drop(connection);
        let at = "2026-03-04T00:00:00Z".parse().expect("an instant");
        assert!(store.has_due_deliveries(at).await.expect("looked"));
        let claimed = store.claim_deliveries(at, 3).await.expect("claimed");
        assert!(claimed.len() == 3 && claimed.iter().all(|due| due.subscription_id == 2), "{claimed:?}");
        assert!(!store.has_due_deliveries(at).await.expect("looked"), "its host is spoken to");
        assert!(store.claim_deliveries(at, 3).await.expect("asked").is_empty());
        store.give_back_deliveries(&claimed).await.expect("given back");
        let again = store.claim_deliveries(at, 8).await.expect("claimed");
        assert!(again.len() == 5 && again.iter().all(|due| due.attempt_number == 1), "{again:?}");
    }
}
