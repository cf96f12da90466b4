//! A payroll vendor's program that takes events, and the users who let it hear of them.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use renzheng::config::EventSettings;
use renzheng::crypto::{SignatureAlgorithm, Signed, content_digest_header};
use renzheng::declare::subscriptions::{Subscribed, Subscribing, SubscriptionError, add};
use renzheng::declare::users::{AskedReach, actor_of_token};
use renzheng::domain::access::{Actor, Role};
use renzheng::domain::event::{Event, EventKind, Ping};
use renzheng::notify::events::{EventsTold, deliver_events};
use renzheng::store::Store;
use serde_json::Value;
use uuid::Uuid;

use crate::access::user;
use crate::http_agency::{Asked, Reply, Server, Wire, locked};

/// Receivers of tests are on this machine.
pub const LOOPBACK: EventSettings = EventSettings { allow_loopback: true };

/// A program on loopback that answers as it is told.
pub struct Receiver {
    pub server: Server,
    status: Arc<AtomicU16>,
    wire: Arc<Mutex<Wire>>,
    /// An event that it never takes, by its id.
    refused: Arc<Mutex<String>>,
    /// So many seconds it says that it wants to hear nothing; 0: it does not say.
    stay_away_s: Arc<AtomicU64>,
}

impl Receiver {
    pub async fn start() -> Self {
        let (status, wire) = (Arc::new(AtomicU16::new(204)), Arc::new(Mutex::new(Wire::Whole)));
        let refused = Arc::<Mutex<String>>::default();
        let stay_away_s = Arc::<AtomicU64>::default();
        let (shown, over, never) = (Arc::clone(&status), Arc::clone(&wire), Arc::clone(&refused));
        let away = Arc::clone(&stay_away_s);
        let server = Server::start(move |asked| {
            let is_bad = asked.headers.get("idempotency-key").is_some_and(|id| *id == *locked(&never));
            let reply =
                Reply::status(if is_bad { 400 } else { shown.load(Ordering::SeqCst) }).header("location", "/elsewhere");
            let reply = match away.load(Ordering::SeqCst) {
                0 => reply,
                seconds => reply.header("retry-after", &seconds.to_string()),
            };
            reply.over(*locked(&over))
        });
        Self { server: server.await, status, wire, refused, stay_away_s }
    }

    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Answers from now on ask to be left alone for so long; for 0 s they do not.
    pub fn ask_to_stay_away(&self, seconds: u64) {
        self.stay_away_s.store(seconds, Ordering::SeqCst);
    }

    pub fn refuse(&self, event_id: &str) {
        event_id.clone_into(&mut locked(&self.refused));
    }

    /// How its answers arrive from now on.
    pub fn answer_over(&self, wire: Wire) {
        *locked(&self.wire) = wire;
    }

    pub fn url(&self) -> String {
        format!("{}/events?of=me", self.server.url)
    }

    /// What came since this was asked last.
    pub fn take(&self) -> Vec<Asked> {
        self.server.take_asked()
    }

    /// The bodies of what came since, each signed by this secret.
    pub fn take_signed(&self, by: &Subscriber) -> Vec<Value> {
        let came = self.take();
        for request in &came {
            assert!(by.signed(request, ""), "{request:?}");
        }
        came.iter().map(body).collect()
    }
}

pub fn body(request: &Asked) -> Value {
    serde_json::from_str(&request.body).expect("JSON")
}

/// A user with a subscription.
pub struct Subscriber {
    pub actor: Actor,
    pub made: Subscribed,
}

impl Subscriber {
    /// A new user of this role and reach, whose receiver hears of these kinds.
    pub async fn begin(
        store: &Store,
        account: &str,
        (role, reach): (Role, AskedReach),
        receiver: &Receiver,
        kinds: &[EventKind],
    ) -> Self {
        let token = user(store, account, role, &reach).await;
        let actor = actor_of_token(store, &token).await.expect("a user");
        let made = subscribe(store, &actor, &receiver.url(), kinds).await.expect("subscribed");
        Self { actor, made }
    }

    /// Whether the request says that this secret signed it, and it did. `which`: the header's middle, such as `Previous-`.
    pub fn signed(&self, request: &Asked, which: &str) -> bool {
        let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
        let content_digest = content_digest_header(request.body.as_bytes());
        let signed = Signed {
            method: &request.method,
            path: &request.address,
            timestamp: &header("x-renzheng-timestamp"),
            content_digest: &content_digest,
        };
        let signature = header(&format!("x-renzheng-{which}signature"));
        header("content-digest") == content_digest
            && header(&format!("x-renzheng-{which}key-id")) == self.made.key_id
            && signed.verify(SignatureAlgorithm::HmacSm3, self.made.secret.as_bytes(), &signature)
    }
}

pub async fn subscribe(
    store: &Store,
    actor: &Actor,
    url: &str,
    kinds: &[EventKind],
) -> Result<Subscribed, SubscriptionError> {
    let asked = Subscribing { url, kinds, algorithm: SignatureAlgorithm::HmacSm3, allow_loopback: true };
    add(store, actor, &asked).await
}

/// Puts down another event for a subscription, whatever waits: a user's own ping waits for the one before. Its id.
pub async fn put_down(store: &Store, subscription_id: i64) -> Uuid {
    let at = store.now().await.expect("business time");
    let mut change = store.change().await.expect("a change");
    let ping = |heading| Event::Ping(Ping { heading });
    let event_id = change.tell_one(subscription_id, at, ping).await.expect("put down");
    change.commit().await.expect("committed");
    event_id
}

pub async fn deliver(store: &Store) -> EventsTold {
    deliver_events(store, LOOPBACK).await.expect("delivered as far as it goes")
}

pub async fn later(store: &Store, time: TimeDelta) {
    let now = store.now().await.expect("business time");
    store.set_clock(now + time).await.expect("the clock is set");
}

/// Of deliveries and subscriptions only these.
pub fn told(delivered: u64, failed: u64) -> EventsTold {
    EventsTold { delivered, failed, ..EventsTold::default() }
}
