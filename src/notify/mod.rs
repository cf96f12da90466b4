//! Messages to people: what is wrong is derived from what is stored, told once when it begins and once when it is over.

mod conditions;
pub mod events;
mod lateness;
mod mail;
pub mod recipients;
pub mod reminder;
mod webhook;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::clock;
use crate::config::{AlertSettings, Job, MailSettings, WebhookSettings, machine_name};
use crate::errors;
use crate::http::{ClientError, backoff};
use crate::store::alerts::{Changes, Look};
use crate::store::readiness::Aspect;
use crate::store::{Store, StoreError};

use conditions::{Seen, conditions};

/// Why nothing could be told. What a target does wrong is no error but the outcome of an attempt.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    #[error("alerts, messages and events could not be read or written")]
    Store(#[from] StoreError),
    #[error("no client can be built")]
    Client(#[from] ClientError),
}

/// Why one message did not reach its target.
#[derive(Debug, thiserror::Error)]
enum Undelivered {
    #[error("no client can be built")]
    Client(#[from] ClientError),
    #[error("the webhook's address is not an http or https address")]
    Address,
    #[error("the webhook's key id holds characters that no header can hold; accepted are printable ASCII characters")]
    KeyId,
    #[error("the webhook cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the webhook answered {0}; accepted is any 2xx")]
    Status(u16),
    #[error("`{0}` is no mail address")]
    Mailbox(String),
    #[error("the mail cannot be written")]
    Letter(#[source] lettre::error::Error),
    #[error("the mail server did not take it")]
    Smtp(#[source] lettre::transport::smtp::Error),
    #[error("the mail server did not take it within {} s", .0.as_secs())]
    Slow(Duration),
}

/// What deliveries came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Delivered {
    pub sent: u64,
    /// Tried again later.
    pub failed: u64,
}

/// A sentence for people, in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    text: String,
    chinese: String,
}

/// What is looked after.
#[derive(Clone, Copy, Debug)]
pub struct Installation<'a> {
    pub jobs: &'a [Job],
    pub alerts: &'a AlertSettings,
    pub tax_is_set: bool,
    /// What is wrong with the job files as they are now, which therefore are not in use.
    pub broken_jobs: Option<&'a str>,
}

/// Looks at what is stored, opens an alert for what is wrong, closes those that are over, and puts down the messages. `machine_now` is
/// this machine's own time, which should be the database's.
pub async fn watch(
    store: &Store,
    installation: &Installation<'_>,
    machine_now: DateTime<Utc>,
) -> Result<Changes, NotifyError> {
    let _alone = store.lock_alerts().await?;
    store.close_crashed_runs().await?;
    let now = store.now().await?;
    let jobs: Vec<String> = installation.jobs.iter().map(|job| job.name.clone()).collect();
    let seen = Seen {
        now,
        skew: machine_now - (now - store.clock_offset().await?),
        ends: store.last_ends(&jobs).await?,
        sources: store.source_figures().await?,
        outbox: store.outbox_figures().await?,
        contradicted: store.find_contradicted().await?,
        machine: machine_name(),
        look_ups: store.refused_look_ups(clock::start_of_day(clock::business_date(now))).await?,
        differences: store.difference_figures().await?,
        statements: store.list_refused_statements().await?,
        paused: store.list_paused_subscriptions().await?,
        keys: store.readiness().await.into_iter().find(|finding| finding.aspect == Aspect::Keys && !finding.ok),
    };
    let to_employers = &installation.alerts.remind.employers;
    let targets: Vec<String> =
        targets(installation.alerts).into_keys().filter(|name| !to_employers.contains(name)).collect();
    let conditions = conditions(&seen, installation);
    let look = Look { conditions: &conditions, targets: &targets, machine: &seen.machine, jobs: &jobs };
    Ok(store.save_conditions(look, now).await?)
}

/// Sources that are late by their `max_age`, or that did not come when they should have.
pub async fn late_sources(store: &Store, jobs: &[Job]) -> Result<Vec<String>, NotifyError> {
    let now = store.now().await?;
    let figures = store.source_figures().await?;
    let late = figures.into_iter().filter(|source| {
        let job = jobs.iter().find(|job| job.name == source.job);
        job.is_some_and(|job| lateness::lateness(job, source, now).is_some())
    });
    Ok(late.map(|source| source.job).collect())
}

/// Sends what is due, one after the other, until nothing is. What fails waits and is tried again, later each time.
pub async fn deliver(store: &Store, settings: &AlertSettings) -> Result<Delivered, NotifyError> {
    let targets = targets(settings);
    let names: Vec<String> = targets.keys().cloned().collect();
    let mut delivered = Delivered::default();
    loop {
        let now = store.now().await?;
        let Some(message) = store.open_message(&names, now).await? else { return Ok(delivered) };
        let sent = match &targets[&message.target] {
            Target::Webhook(webhook) => webhook::send(webhook, &message, now).await,
            Target::Mail(mail) => mail::send(mail, &message).await,
        };
        match sent {
            Ok(()) => {
                store.close_message(&message, None).await?;
                delivered.sent += 1;
            }
            Err(error) => {
                let why = errors::chain(&error);
                let again_at = now + backoff(message.message_id, message.attempt_number);
                tracing::warn!(message_id = %message.message_id, target = message.target, why, "a message was not delivered");
                store.close_message(&message, Some((&why, again_at))).await?;
                delivered.failed += 1;
            }
        }
    }
}

/// Who is told.
enum Target<'a> {
    Webhook(&'a WebhookSettings),
    Mail(&'a MailSettings),
}

/// By the names under which messages know them.
fn targets(settings: &AlertSettings) -> BTreeMap<String, Target<'_>> {
    let webhooks =
        settings.webhooks.iter().map(|(name, webhook)| (format!("webhook:{name}"), Target::Webhook(webhook)));
    webhooks.chain(settings.mails.iter().map(|(name, mail)| (format!("mail:{name}"), Target::Mail(mail)))).collect()
}
