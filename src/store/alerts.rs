//! Alerts: what is wrong and not over yet, one row for each, however often it is seen.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::{Postgres, Transaction};

use super::audit::Act;
use super::change::Done;
use super::{Store, StoreError, messages};
use crate::domain::access::Actor;
use crate::domain::facts::words;

words! {
    /// What can be wrong.
    AlertKind {
        RunFailed = "run_failed",
        SourceLate = "source_late",
        DeliveryHeld = "delivery_held",
        QuarantineLarge = "quarantine_large",
        ReceiptMissing = "receipt_missing",
        /// The tax department said what nobody understands.
        MessageUnknown = "message_unknown",
        /// The tax department took back what it had said for good.
        MessageContradicted = "message_contradicted",
        /// Messages wait for a tax department that is not set.
        TaxNotSet = "tax_not_set",
        KeysWrong = "keys_wrong",
        ClockWrong = "clock_wrong",
        /// Job files changed and cannot be worked with.
        JobsBroken = "jobs_broken",
        LookUpsRefused = "look_ups_refused",
        /// The tax department holds something else than we do.
        DifferenceOpen = "difference_open",
        /// The tax department's statement was not believed.
        StatementRefused = "statement_refused",
        /// A program that subscribed took nothing for too long.
        SubscriptionPaused = "subscription_paused",
    }
}

/// Something that is wrong now. It holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    pub kind: AlertKind,
    /// With what: a job's name, or what the kind is about.
    pub subject: String,
    /// What is the matter, and what to do.
    pub text: String,
    /// The same in Chinese.
    pub chinese: String,
}

/// What is wrong now, and who is told.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    pub conditions: &'a [Condition],
    /// Names of the settings' targets.
    pub targets: &'a [String],
    /// Where it was looked.
    pub machine: &'a str,
    /// Jobs that there are: what was wrong with another is over.
    pub jobs: &'a [String],
}

impl Look<'_> {
    /// Why an alert is over, where that is more than that it no longer holds.
    fn why_over(&self, kind: &str, subject: &str) -> Option<&'static str> {
        let of_a_job = [AlertKind::RunFailed, AlertKind::SourceLate].iter().any(|one| one.as_str() == kind);
        let job = subject.strip_prefix(REPLAY_OF).unwrap_or(subject);
        (of_a_job && !self.jobs.iter().any(|known| known == job)).then_some("there is no such job any more")
    }
}

/// Subject of what is wrong with reading a job's refused records once more.
pub const REPLAY_OF: &str = "replay of ";

/// What a look at the conditions changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    pub opened: u64,
    pub closed: u64,
}

/// An alert for people.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AlertLine {
    pub alert_id: i32,
    pub kind: String,
    pub subject: String,
    pub text: String,
    /// The same in Chinese.
    pub chinese: String,
    pub opened_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
    /// Why it is over, where that is more than that it no longer holds.
    pub closed_why: Option<String>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    pub acknowledged_by: Option<String>,
    pub acknowledged_why: Option<String>,
}

/// While it lives, nobody else looks and decides what is wrong. It ends with its connection.
#[derive(Debug)]
pub struct AlertLock {
    _transaction: Transaction<'static, Postgres>,
}

/// An arbitrary number among the advisory locks of the database.
const ALERT_LOCK: i64 = 0x616C_6572;

impl Store {
    /// Waits until nobody looks at what is wrong, and keeps others from it: who looked before something was put right must not decide
    /// after it.
    pub async fn lock_alerts(&self) -> Result<AlertLock, StoreError> {
        // of a transaction: a process that is frozen in the middle does not keep it for longer than one may stand idle
        let mut transaction = self.begin().await?;
        sqlx::query("select pg_advisory_xact_lock($1)").bind(ALERT_LOCK).execute(&mut *transaction).await?;
        Ok(AlertLock { _transaction: transaction })
    }

    /// Makes the open alerts those of the conditions, and puts down one message to each target for each alert that opened and for each
    /// that is over. A target that is new hears of what is open; who did not hear that it opened does not hear that it is over.
    /// The caller holds the alerts.
    pub async fn save_conditions(&self, look: Look<'_>, at: DateTime<Utc>) -> Result<Changes, StoreError> {
        let mut transaction = self.begin().await?;
        let open = sqlx::query!("select alert_id, kind, subject, text from alert where closed_at is null")
            .fetch_all(&mut *transaction)
            .await?;
        let mut open: BTreeMap<(String, String), (i32, String)> =
            open.into_iter().map(|row| ((row.kind, row.subject), (row.alert_id, row.text))).collect();
        let mut changes = Changes::default();
        for Condition { kind, subject, text, chinese } in look.conditions {
            match open.remove(&(kind.as_str().to_owned(), subject.clone())) {
                Some((_, told)) if told == *text => {}
                Some((alert_id, _)) => {
                    sqlx::query!(
                        "update alert set text = $2, chinese = $3 where alert_id = $1",
                        alert_id,
                        text,
                        chinese
                    )
                    .execute(&mut *transaction)
                    .await?;
                }
                None => {
                    changes.opened += sqlx::query!(
                        "insert into alert (kind, subject, text, chinese, opened_at) values ($1, $2, $3, $4, $5)
                         on conflict (kind, subject) where closed_at is null do nothing",
                        kind.as_str(),
                        subject,
                        text,
                        chinese,
                        at
                    )
                    .execute(&mut *transaction)
                    .await?
                    .rows_affected();
                }
            }
        }
        // a machine's clock and files are seen by that machine only
        let of_machines = [AlertKind::ClockWrong.as_str(), AlertKind::JobsBroken.as_str()];
        open.retain(|(kind, subject), _| !of_machines.contains(&kind.as_str()) || subject == look.machine);
        for ((kind, subject), (alert_id, _)) in open {
            sqlx::query!(
                "update alert set closed_at = $2, closed_why = $3 where alert_id = $1",
                alert_id,
                at,
                look.why_over(&kind, &subject)
            )
            .execute(&mut *transaction)
            .await?;
            changes.closed += 1;
        }
        messages::enqueue(&mut transaction, look.targets, at).await?;
        transaction.commit().await?;
        Ok(changes)
    }

    /// Alerts, newest first: those that are not over, or the latest of all.
    pub async fn list_alerts(&self, all: bool, before: Option<i32>, limit: i64) -> Result<Vec<AlertLine>, StoreError> {
        Ok(sqlx::query_as!(
            AlertLine,
            "select alert_id, kind, subject, text, chinese, opened_at, closed_at, closed_why, acknowledged_at, acknowledged_by, acknowledged_why
             from alert where ($1 or closed_at is null) and ($2::int is null or alert_id < $2) order by alert_id desc limit $3",
            all,
            before,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Somebody knows of it; whether there is such an alert.
    pub async fn acknowledge_alert(&self, alert_id: i32, actor: &Actor, why: &str) -> Result<bool, StoreError> {
        let at = self.now().await?;
        let mut change = self.change().await?;
        let done = sqlx::query!(
            "update alert set acknowledged_at = $2, acknowledged_by = $3, acknowledged_why = $4 where alert_id = $1",
            alert_id,
            at,
            actor.name,
            why
        )
        .execute(change.connection())
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let object = format!("alert {alert_id}");
        change.record(&Act::operate(at, actor, "acknowledge", object, Some(why))).await?;
        change.answer(&Done::CHANGED).await?;
        change.commit().await?;
        Ok(true)
    }
}
