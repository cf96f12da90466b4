//! Events on their way to the programs that subscribed: signed as messages to the tax department are, host by host side by side, tried again
//! for a week.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::stream::{FuturesUnordered, StreamExt};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, StatusCode, Url};
use serde::Serialize;

use super::NotifyError;
use crate::clock::business_date;
use crate::config::{EventSettings, Secret};
use crate::domain::access::{Action, Actor, Denied, Scope};
use crate::domain::event::next_attempt;
use crate::domain::grant::scope_on;
use crate::domain::notice::{NoticeKind, SubscriptionPaused};
use crate::errors;
use crate::http::{HttpSettings, NotPublic, Reachable, Signer, client_for_strangers};
use crate::store::audit::Act;
use crate::store::change::Change;
use crate::store::event_deliveries::{DueDelivery, Failed};
use crate::store::notices::{Addressee, NewNotice};
use crate::store::subscriptions::EndedWhy;
use crate::store::{Store, StoreError};

/// As the audit names who paused or ended a subscription by itself.
const ACTOR: &str = "renzheng";
/// Hosts that are spoken to at once; each hears one event after the other.
const HOSTS_AT_ONCE: usize = 8;
/// Deliveries that are taken for a host at a time: all of them are over before their claim is.
const OF_ONE_HOST: i64 = 8;
/// A request and its answer take no longer.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// What did not leave by then since it was taken goes back.
const NOT_AFTER: Duration = Duration::from_secs(90);

/// What deliveries came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EventsTold {
    pub delivered: u64,
    /// Tried again later.
    pub failed: u64,
    /// Nobody tries them again: the user does not reach the employer any more, or the receiver did not take it for a week.
    pub given_up: u64,
    /// Subscriptions that are paused since, or have ended.
    pub paused: u64,
    pub ended: u64,
}

impl std::ops::AddAssign for EventsTold {
    fn add_assign(&mut self, more: Self) {
        self.delivered += more.delivered;
        self.failed += more.failed;
        self.given_up += more.given_up;
        self.paused += more.paused;
        self.ended += more.ended;
    }
}

/// Why an event did not reach its receiver this time.
#[derive(Debug, thiserror::Error)]
enum Undelivered {
    #[error("its address cannot be read")]
    Address,
    #[error(transparent)]
    NotPublic(#[from] NotPublic),
    #[error("there is no secret that signs")]
    NoSecret,
    #[error("the secret cannot be read")]
    Secret(#[source] StoreError),
    #[error("the receiver cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the receiver answered {0}; accepted is any 2xx")]
    Status(u16),
}

/// How an attempt ended.
enum Outcome {
    /// With the status of the answer.
    Taken(u16),
    /// The receiver wants nothing any more.
    Gone,
    Failed(Undelivered),
}

/// Delivers what is due until nothing is. A receiver that is slow or down keeps nobody else's events waiting.
///
/// Dropped halfway, it leaves deliveries claimed, and they are due again when their claim is over.
pub async fn deliver_events(store: &Store, settings: EventSettings) -> Result<EventsTold, NotifyError> {
    let reachable = if settings.allow_loopback { Reachable::PublicAndLoopback } else { Reachable::Public };
    let http = HttpSettings {
        connect_timeout: TOTAL_TIMEOUT,
        idle_timeout: TOTAL_TIMEOUT,
        total_timeout: Some(TOTAL_TIMEOUT),
        ..HttpSettings::default()
    };
    let client = client_for_strangers(&http, reachable)?;
    let way = Way { store, client: &client, reachable };
    let (mut told, mut hosts) = (EventsTold::default(), FuturesUnordered::new());
    loop {
        while hosts.len() < HOSTS_AT_ONCE {
            let due = store.claim_deliveries(store.now().await?, OF_ONE_HOST).await?;
            if due.is_empty() {
                break;
            }
            hosts.push(way.deliver_to_host(due));
        }
        match hosts.next().await {
            Some(of_host) => told += of_host?,
            None => return Ok(told),
        }
    }
}

/// The way out.
#[derive(Clone, Copy)]
struct Way<'a> {
    store: &'a Store,
    client: &'a Client,
    reachable: Reachable,
}

impl Way<'_> {
    /// One after the other. Once one has failed, the others to that receiver wait too.
    async fn deliver_to_host(self, due: Vec<DueDelivery>) -> Result<EventsTold, StoreError> {
        let (begun, mut told) = (Instant::now(), EventsTold::default());
        let (mut resting, mut unsent) = (HashSet::new(), Vec::new());
        for one in due {
            if resting.contains(&one.subscription_id) || begun.elapsed() > NOT_AFTER {
                unsent.push(one);
                continue;
            }
            let before = told;
            self.deliver(&one, &mut told).await?;
            if (told.failed, told.paused, told.ended) != (before.failed, before.paused, before.ended) {
                resting.insert(one.subscription_id);
            }
        }
        if !unsent.is_empty() {
            self.store.give_back_deliveries(&unsent, self.store.now().await?).await?;
        }
        Ok(told)
    }

    async fn deliver(self, due: &DueDelivery, told: &mut EventsTold) -> Result<(), StoreError> {
        let at = self.store.now().await?;
        let Some(subscriber) = self.subscriber(due, at).await? else {
            let mut change = self.store.change().await?;
            told.ended += u64::from(end(&mut change, due, EndedWhy::UserRevoked, at).await?);
            return change.commit().await;
        };
        if !self.reaches(&subscriber, due).await? {
            let failed = Failed { status: None, error: "nothing that is granted to the user reaches the employer" };
            let mut change = self.store.change().await?;
            told.given_up += u64::from(change.give_up_delivery(due, failed).await?);
            return change.commit().await;
        }
        let outcome = match self.send(due, at).await {
            Ok(StatusCode::GONE) => Outcome::Gone,
            Ok(status) if status.is_success() => Outcome::Taken(status.as_u16()),
            Ok(status) => Outcome::Failed(Undelivered::Status(status.as_u16())),
            Err(error) => Outcome::Failed(error),
        };
        let now = self.store.now().await?;
        match outcome {
            Outcome::Taken(status) => {
                self.store.save_delivered(due, status, now).await?;
                told.delivered += 1;
            }
            Outcome::Gone => {
                let mut change = self.store.change().await?;
                told.ended += u64::from(end(&mut change, due, EndedWhy::Gone, now).await?);
                change.commit().await?;
            }
            Outcome::Failed(error) => self.failed(due, &subscriber, &error, now, told).await?,
        }
        Ok(())
    }

    /// Who subscribed, with what is granted to them now; `None` if they were revoked.
    async fn subscriber(self, due: &DueDelivery, at: DateTime<Utc>) -> Result<Option<Subscriber>, StoreError> {
        let user = self.store.list_users(Some(&due.account)).await?.pop();
        let Some(user) = user.filter(|user| user.revoked.is_none()) else { return Ok(None) };
        let scope = scope_on(&user.domain_grants(), business_date(at));
        let actor = scope.map(|scope| Actor { name: user.account, role: user.role, scope, on_behalf_of: None });
        Ok(Some(Subscriber(actor)))
    }

    async fn reaches(self, subscriber: &Subscriber, due: &DueDelivery) -> Result<bool, StoreError> {
        let Some(employer) = due.employer else { return Ok(true) };
        let Some(actor) = &subscriber.0 else { return Ok(false) };
        let owners = self.store.owners_of_units(&[employer]).await?;
        let permitted = match owners.get(&employer) {
            Some(owned) => actor.may(Action::Subscribe, owned.owner()),
            None => Err(Denied::NotFound),
        };
        Ok(permitted.is_ok())
    }

    /// Sends the frozen bytes; the answer's status. `at` is the time that the request is signed with.
    async fn send(self, due: &DueDelivery, at: DateTime<Utc>) -> Result<StatusCode, Undelivered> {
        let address = Url::parse(&due.url).map_err(|_| Undelivered::Address)?;
        self.reachable.permits(&address)?;
        let secrets = self.store.signing_secrets(due.subscription_id, at).await.map_err(Undelivered::Secret)?;
        // a name of digits and a dot fits into a header
        let signer = |key_id: &str, text: &str| Signer::new(key_id, Secret::new(text), due.algorithm).ok();
        let mut signers = secrets.iter().filter_map(|secret| signer(&secret.key_id, &secret.text));
        let current = signers.next().ok_or(Undelivered::NoSecret)?;
        let request = self
            .client
            .post(address.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", due.event_id.to_string())
            .body(due.body.clone());
        let body = due.body.as_bytes();
        let request = current.sign_beside(signers.next().as_ref(), request, &Method::POST, &address, body, at);
        // what it says beside the status is nobody's business
        match request.send().await {
            Ok(answer) => Ok(answer.status()),
            Err(error) => Err(Undelivered::Unreachable(error.without_url())),
        }
    }

    /// It is tried again, or given up; then the subscription is paused if its receiver took nothing else either.
    async fn failed(
        self,
        due: &DueDelivery,
        subscriber: &Subscriber,
        error: &Undelivered,
        now: DateTime<Utc>,
        told: &mut EventsTold,
    ) -> Result<(), StoreError> {
        let status = if let Undelivered::Status(status) = error { Some(*status) } else { None };
        let why = errors::chain(error);
        let DueDelivery { event_id, subscription_id, attempt_number, first_tried_at, .. } = *due;
        tracing::warn!(%event_id, subscription_id, attempt_number, why, "an event was not delivered");
        let failed = Failed { status, error: &why };
        if let Some(again_at) = next_attempt(attempt_number, first_tried_at, now) {
            told.failed += 1;
            return self.store.put_off_delivery(due, failed, again_at, now).await;
        }
        let mut change = self.store.change().await?;
        if !change.give_up_delivery(due, failed).await? {
            return change.abandon().await;
        }
        told.given_up += 1;
        if !change.has_delivered_since(subscription_id, first_tried_at).await?
            && change.pause_subscription(subscription_id, now).await?
        {
            told.paused += 1;
            change.save_notices(&notices(due, subscriber, now), now).await?;
            let program = Actor::program(ACTOR);
            let object = format!("subscription {subscription_id}");
            let why = Some("its receiver took nothing for a week");
            let act = Act { action: Action::Subscribe, ..Act::operate(now, &program, "pause", object, why) };
            change.record(&act).await?;
        }
        change.commit().await
    }
}

/// Who subscribed; `None`: nothing is granted to them now.
struct Subscriber(Option<Actor>);

/// Ends the subscription, which the audit tells; whether it had not ended.
async fn end(change: &mut Change, due: &DueDelivery, ended: EndedWhy, at: DateTime<Utc>) -> Result<bool, StoreError> {
    if !change.end_subscription(due.subscription_id, ended, at).await? {
        return Ok(false);
    }
    tracing::warn!(due.subscription_id, why = ended.as_str(), "a subscription has ended");
    let program = Actor::program(ACTOR);
    let object = format!("subscription {}", due.subscription_id);
    let act = Act { action: Action::Subscribe, ..Act::operate(at, &program, "end", object, None) };
    change.record(&act.with("why", ended.as_str())).await?;
    Ok(true)
}

/// Notices to those for whom the user acts: employers, or the staff of a division. Of the whole installation an alert tells.
fn notices(due: &DueDelivery, subscriber: &Subscriber, now: DateTime<Utc>) -> Vec<NewNotice> {
    let addressees = match subscriber.0.as_ref().map(|actor| &actor.scope) {
        Some(Scope::Units(units)) => units.iter().map(|unit| Addressee::Employer(*unit)).collect(),
        Some(Scope::Division(division)) => vec![Addressee::Division(division.clone())],
        Some(Scope::Everything) | None => Vec::new(),
    };
    let url = Url::parse(&due.url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
    let told = SubscriptionPaused { subscription_id: due.subscription_id, account: due.account.clone(), host };
    let params = serde_json::json!(told);
    let notice = |addressee| NewNotice {
        addressee,
        kind: NoticeKind::SubscriptionPaused,
        object: format!("subscription {}", due.subscription_id),
        fact: format!("subscription {} paused {}", due.subscription_id, now.timestamp()),
        params: params.clone(),
    };
    addressees.into_iter().map(notice).collect()
}
