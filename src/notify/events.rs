//! Events on their way to the programs that subscribed: signed as messages to the tax department are, host by host side by side, tried again
//! for a week.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{FuturesUnordered, StreamExt};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, StatusCode, Url};
use serde::Serialize;

use super::NotifyError;
use crate::clock::business_date;
use crate::config::{EventSettings, Secret};
use crate::domain::access::{Action, Actor, Scope};
use crate::domain::event::next_attempt;
use crate::domain::facts::UnitId;
use crate::domain::grant::scope_on;
use crate::domain::notice::{NoticeKind, SubscriptionPaused};
use crate::errors;
use crate::http::{HttpSettings, NotPublic, Reachable, Signer, client_for_strangers, retry_after};
use crate::store::audit::Act;
use crate::store::change::Change;
use crate::store::event_deliveries::{DueDelivery, Failed};
use crate::store::notices::{Addressee, NewNotice};
use crate::store::owners::Owned;
use crate::store::subscriptions::{EndedWhy, SigningSecret};
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
/// After a failure a receiver is left alone for so long at least, whatever else waits for it.
const REST: TimeDelta = TimeDelta::minutes(1);

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
    #[error("the secret cannot be read: {0}")]
    Secret(String),
    #[error("the receiver cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("the receiver answered {status}; accepted is any 2xx")]
    Status {
        status: u16,
        /// So long it wants to hear nothing.
        stay_away: TimeDelta,
    },
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
    let (mut failed, mut more) = (None, true);
    loop {
        while more && hosts.len() < HOSTS_AT_ONCE {
            match way.claim().await {
                Ok(Claim { due, .. }) if due.is_empty() => break,
                Ok(claim) => hosts.push(way.deliver_to_host(claim)),
                Err(error) => (failed, more) = (failed.or(Some(error)), false),
            }
        }
        match hosts.next().await {
            Some((of_host, outcome)) => {
                told += of_host;
                // the others are spoken to all the same; what was to go to this one is due again when its claim is over
                failed = failed.or(outcome.err());
            }
            None => return failed.map_or(Ok(told), |error| Err(error.into())),
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

/// Deliveries to one host, and when they were taken: in business time, and by the clock that only goes on.
struct Claim {
    due: Vec<DueDelivery>,
    at: DateTime<Utc>,
    begun: Instant,
}

impl Claim {
    fn now(&self) -> DateTime<Utc> {
        self.at + TimeDelta::from_std(self.begun.elapsed()).unwrap_or_default()
    }
}

/// What must be known to deliver what was claimed together: who subscribed, whose the events are, and by what requests are signed.
struct Known {
    /// By account; revoked users are missing.
    subscribers: HashMap<String, Subscriber>,
    owners: HashMap<UnitId, Owned>,
    /// By subscription; or why they cannot be read.
    secrets: HashMap<i64, Result<Vec<SigningSecret>, String>>,
}

impl Way<'_> {
    async fn claim(self) -> Result<Claim, StoreError> {
        let (at, begun) = (self.store.now().await?, Instant::now());
        Ok(Claim { due: self.store.claim_deliveries(at, OF_ONE_HOST).await?, at, begun })
    }

    /// What came of it, also if it did not come to its end.
    async fn deliver_to_host(self, claim: Claim) -> (EventsTold, Result<(), StoreError>) {
        let mut told = EventsTold::default();
        let outcome = self.deliver_each(&claim, &mut told).await;
        (told, outcome)
    }

    /// One after the other. Once one has failed, the others to that receiver wait too.
    async fn deliver_each(self, claim: &Claim, told: &mut EventsTold) -> Result<(), StoreError> {
        let known = self.know(claim).await?;
        let (mut resting, mut unsent) = (HashSet::new(), Vec::new());
        for one in &claim.due {
            if resting.contains(&one.subscription_id) || claim.begun.elapsed() > NOT_AFTER {
                unsent.push(one.clone());
                continue;
            }
            if !self.store.is_wanted(one).await? {
                continue;
            }
            let before = *told;
            self.deliver(one, &known, claim, told).await?;
            if (told.failed, told.paused, told.ended) != (before.failed, before.paused, before.ended) {
                resting.insert(one.subscription_id);
            }
        }
        if !unsent.is_empty() {
            self.store.give_back_deliveries(&unsent).await?;
        }
        Ok(())
    }

    async fn know(self, claim: &Claim) -> Result<Known, StoreError> {
        let accounts: BTreeSet<&str> = claim.due.iter().map(|due| due.account.as_str()).collect();
        let mut subscribers = HashMap::new();
        for account in accounts {
            let user = self.store.list_users(Some(account)).await?.pop();
            let Some(user) = user.filter(|user| user.revoked.is_none()) else { continue };
            let scope = scope_on(&user.domain_grants(), business_date(claim.at));
            let actor = scope.map(|scope| Actor { name: user.account, role: user.role, scope, on_behalf_of: None });
            subscribers.insert(account.to_owned(), Subscriber(actor));
        }
        let employers: BTreeSet<UnitId> = claim.due.iter().filter_map(|due| due.employer).collect();
        let employers: Vec<UnitId> = employers.into_iter().collect();
        let owners = self.store.owners_of_units(&employers).await?;
        let subscriptions: BTreeSet<i64> = claim.due.iter().map(|due| due.subscription_id).collect();
        let mut secrets = HashMap::new();
        for subscription_id in subscriptions {
            let read = self.store.signing_secrets(subscription_id, claim.at).await;
            secrets.insert(subscription_id, read.map_err(|error| errors::chain(&error)));
        }
        Ok(Known { subscribers, owners, secrets })
    }

    async fn deliver(
        self,
        due: &DueDelivery,
        known: &Known,
        claim: &Claim,
        told: &mut EventsTold,
    ) -> Result<(), StoreError> {
        let at = claim.now();
        let Some(subscriber) = known.subscribers.get(&due.account) else {
            let mut change = self.store.change().await?;
            told.ended += u64::from(end(&mut change, due, EndedWhy::UserRevoked, at).await?);
            return change.commit().await;
        };
        if !known.reaches(subscriber, due) {
            let failed = Failed { status: None, error: "nothing that is granted to the user reaches the employer" };
            let mut change = self.store.change().await?;
            told.given_up += u64::from(change.give_up_delivery(due, failed).await?);
            return change.commit().await;
        }
        let outcome = match self.send(due, known, at).await {
            Ok((StatusCode::GONE, _)) => Outcome::Gone,
            Ok((status, _)) if status.is_success() => Outcome::Taken(status.as_u16()),
            Ok((status, stay_away)) => Outcome::Failed(Undelivered::Status { status: status.as_u16(), stay_away }),
            Err(error) => Outcome::Failed(error),
        };
        let now = claim.now();
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
            Outcome::Failed(error) => self.failed(due, subscriber, &error, now, told).await?,
        }
        Ok(())
    }

    /// Sends the frozen bytes; the answer's status, and how long the receiver wants to hear nothing after it. `at` is the time that the
    /// request is signed with.
    async fn send(
        self,
        due: &DueDelivery,
        known: &Known,
        at: DateTime<Utc>,
    ) -> Result<(StatusCode, TimeDelta), Undelivered> {
        let address = Url::parse(&due.url).map_err(|_| Undelivered::Address)?;
        self.reachable.permits(&address)?;
        let secrets = match known.secrets.get(&due.subscription_id) {
            Some(Ok(secrets)) => secrets.as_slice(),
            Some(Err(error)) => return Err(Undelivered::Secret(error.clone())),
            None => &[],
        };
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
        // what it says beside the status is nobody's business, but that it is too busy, and for how long
        let answer = request.send().await.map_err(|error| Undelivered::Unreachable(error.without_url()))?;
        let busy = matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let stay_away = retry_after(answer.headers()).filter(|_| busy).unwrap_or_default();
        Ok((answer.status(), TimeDelta::from_std(stay_away).unwrap_or_default()))
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
        let (status, stay_away) = match *error {
            Undelivered::Status { status, stay_away } => (Some(status), stay_away),
            _ => (None, TimeDelta::zero()),
        };
        let why = errors::chain(error);
        let DueDelivery { event_id, subscription_id, attempt_number, first_tried_at, .. } = *due;
        tracing::warn!(%event_id, subscription_id, attempt_number, why, "an event was not delivered");
        let failed = Failed { status, error: &why };
        if let Some(again_at) = next_attempt(attempt_number, first_tried_at, now, stay_away) {
            told.failed += 1;
            return self.store.put_off_delivery(due, failed, again_at, now + REST.max(stay_away)).await;
        }
        let mut change = self.store.change().await?;
        // before its deliveries, as whoever ends it or goes on with it does
        let stands = change.lock_subscription(subscription_id).await?.is_some();
        if !stands || !change.give_up_delivery(due, failed).await? {
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

impl Known {
    fn reaches(&self, subscriber: &Subscriber, due: &DueDelivery) -> bool {
        let Some(employer) = due.employer else { return true };
        let (actor, owned) = (subscriber.0.as_ref(), self.owners.get(&employer));
        actor.zip(owned).is_some_and(|(actor, owned)| actor.may(Action::Subscribe, owned.owner()).is_ok())
    }
}

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
