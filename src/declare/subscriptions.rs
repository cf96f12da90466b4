//! Subscriptions: a user's own program hears of what happens within the user's reach. Each step is written to the audit.

use std::fmt;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use url::{Host, Url};
use uuid::Uuid;

use crate::crypto::{CryptoError, SignatureAlgorithm, new_signing_secret};
use crate::domain::access::{Action, Actor, Denied, Role, Scope};
use crate::domain::address::{is_loopback, is_public};
use crate::domain::event::{Event, EventKind, Ping};
use crate::domain::free_text::holds_id_number;
use crate::store::audit::Act;
use crate::store::change::Change;
use crate::store::subscriptions::{EndedWhy, NewSubscription, SubscriptionLine};
use crate::store::users::UserLine;
use crate::store::{Store, StoreError};

/// A user has no more at a time.
pub const MOST: i64 = 10;
/// An address is no longer.
const LONGEST_URL: usize = 500;

/// Why something about subscriptions was not done.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("{0} is no user here: a subscription is a user's, known by a token (RENZHENG_TOKEN)")]
    NotAUser(String),
    #[error("there is no subscription {0} of yours; `renzheng subscription list` shows them")]
    Unknown(i64),
    #[error("an address is one of https, such as `https://payroll.example/renzheng/events`")]
    NotAnAddress,
    #[error("an address holds neither user nor password: requests are signed, and the secret is shown when it is made")]
    HoldsUser,
    #[error("an address has no fragment (`#…`): it is not sent")]
    HoldsFragment,
    #[error("an address has {LONGEST_URL} signs at most")]
    TooLong,
    #[error("the address leads into a private network or to this machine; accepted is a host of the public network")]
    NotPublic,
    #[error("the address holds an ID number, which nothing that is kept may hold")]
    HoldsIdNumber,
    #[error("name at least one of {}, each once", kinds())]
    Kinds,
    #[error("a user has {MOST} subscriptions at most; remove one first")]
    TooMany,
    #[error("the subscription is not paused, and nothing of it was given up")]
    NotPaused,
    #[error("a ping of the subscription still waits to be taken; `renzheng subscription list` shows how much waits")]
    PingWaits,
    #[error("no secret could be made")]
    Crypto(#[from] CryptoError),
    #[error("the subscriptions could not be read or stored")]
    Store(#[from] StoreError),
}

fn kinds() -> String {
    EventKind::SUBSCRIBED.map(EventKind::as_str).join(", ")
}

impl SubscriptionError {
    /// Of a refusal: what it is, for programs. `None`: something went wrong, which is nobody's refusal.
    pub fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::Denied(denied) => denied.code(),
            Self::NotAUser(_) => "not_a_user",
            Self::Unknown(_) => "not_found",
            Self::NotAnAddress => "not_an_address",
            Self::HoldsUser => "address_holds_user",
            Self::HoldsFragment => "address_holds_fragment",
            Self::TooLong => "address_too_long",
            Self::NotPublic => "address_not_public",
            Self::HoldsIdNumber => "address_holds_id_number",
            Self::Kinds => "no_kinds",
            Self::TooMany => "too_many_subscriptions",
            Self::NotPaused => "not_paused",
            Self::PingWaits => "ping_waits",
            Self::Crypto(_) | Self::Store(_) => return None,
        })
    }

    /// Of a refusal: the sentence for people.
    pub fn chinese(&self) -> Option<&'static str> {
        Some(match self {
            Self::Denied(denied) => denied.chinese(),
            Self::NotAUser(_) => "订阅须由持有令牌的用户办理。",
            Self::Unknown(_) => "未找到该订阅。",
            Self::NotAnAddress => "接收地址须为 https 网址。",
            Self::HoldsUser => "接收地址不得包含用户名或密码。",
            Self::HoldsFragment => "接收地址不得包含 # 及其后内容。",
            Self::TooLong => "接收地址不得超过500个字符。",
            Self::NotPublic => "接收地址指向内部网络或本机，须为公网地址。",
            Self::HoldsIdNumber => "接收地址中不得包含身份证号。",
            Self::Kinds => "请至少选择一种事件，且不得重复。",
            Self::TooMany => "每个用户最多10个订阅，请先删除一个。",
            Self::NotPaused => "该订阅未暂停，也没有已放弃的事件。",
            Self::PingWaits => "该订阅的上一次测试尚未送达。",
            Self::Crypto(_) | Self::Store(_) => return None,
        })
    }
}

/// A subscription as it is asked for.
#[derive(Clone, Debug)]
pub struct Subscribing<'a> {
    pub url: &'a str,
    pub kinds: &'a [EventKind],
    pub algorithm: SignatureAlgorithm,
    /// The receiver may be on this machine, without encryption: as the settings have it.
    pub allow_loopback: bool,
}

/// A secret just made. It rests encrypted, and is shown by nothing but the answer to the request that made it, for a day.
#[derive(Clone, Serialize, JsonSchema)]
pub struct Subscribed {
    pub subscription_id: i64,
    /// Under which name requests say that this secret signed them.
    pub key_id: String,
    pub secret: String,
}

impl fmt::Debug for Subscribed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscription_id, key_id, secret: _ } = self;
        formatter
            .debug_struct("Subscribed")
            .field("subscription_id", subscription_id)
            .field("key_id", key_id)
            .finish_non_exhaustive()
    }
}

/// A subscription that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "SubscriptionRemoved")]
pub struct Removed {
    /// Its number.
    pub removed: i64,
}

/// A ping that waits to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Pinged {
    pub event_id: Uuid,
}

/// A subscription that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "SubscriptionResumed")]
pub struct Resumed {
    /// Its number.
    pub resumed: i64,
    /// Events that gathered or were given up, and are due now.
    pub due: u64,
}

/// A new subscription of the actor. It hears of what happens from now on.
pub async fn add(store: &Store, actor: &Actor, asked: &Subscribing<'_>) -> Result<Subscribed, SubscriptionError> {
    actor.may_at_all(Action::Subscribe)?;
    let url = checked(asked)?;
    let at = store.now().await?;
    let mut change = store.change().await?;
    // locked: two at once do not make eleven
    let user = subscriber(&mut change, store, actor).await?;
    if change.count_subscriptions(user.user_id).await? >= MOST {
        return Err(SubscriptionError::TooMany);
    }
    let new = NewSubscription { user: user.user_id, url: url.as_str(), kinds: asked.kinds, algorithm: asked.algorithm };
    let subscription_id = change.add_subscription(&new, at).await?;
    let secret = new_signing_secret()?;
    let key_id = change.add_signing_secret(store, subscription_id, &secret, at).await?;
    let kinds: Vec<&str> = asked.kinds.iter().map(|kind| kind.as_str()).collect();
    // the rest of the address may be a secret of the receiver's
    let act = about(at, actor, subscription_id, "add").with("host", url.host_str()).with("kinds", kinds);
    change.record(&act).await?;
    let subscribed = Subscribed { subscription_id, key_id, secret };
    change.answer_with_secret(&subscribed).await?;
    change.commit().await?;
    Ok(subscribed)
}

/// The actor's subscriptions; those of all users for an operator of the whole installation, who sees where others' lead, and no more of their
/// addresses: the rest may be a secret of the receiver's.
pub async fn list(store: &Store, actor: &Actor) -> Result<Vec<SubscriptionLine>, SubscriptionError> {
    actor.may_at_all(Action::Subscribe)?;
    let account = (!looks_after_all(actor)).then_some(actor.name.as_str());
    let mut lines = store.list_subscriptions(account).await?;
    for line in lines.iter_mut().filter(|line| line.account != actor.name) {
        let place = Url::parse(&line.url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        line.url = format!("{place}/***");
    }
    Ok(lines)
}

/// Ends one for good: what waits is not delivered any more.
pub async fn remove(store: &Store, actor: &Actor, subscription_id: i64) -> Result<Removed, SubscriptionError> {
    actor.may_at_all(Action::Subscribe)?;
    let at = store.now().await?;
    let mut change = store.change().await?;
    lock(&mut change, actor, subscription_id, looks_after_all(actor)).await?;
    change.end_subscription(subscription_id, EndedWhy::Removed, at).await?;
    change.record(&about(at, actor, subscription_id, "remove")).await?;
    let removed = Removed { removed: subscription_id };
    change.answer(&removed).await?;
    change.commit().await?;
    Ok(removed)
}

/// Another secret, which signs from now on; the one before signs beside it for a day, so that a receiver can change over.
pub async fn rotate(store: &Store, actor: &Actor, subscription_id: i64) -> Result<Subscribed, SubscriptionError> {
    actor.may_at_all(Action::Subscribe)?;
    let at = store.now().await?;
    let mut change = store.change().await?;
    lock(&mut change, actor, subscription_id, false).await?;
    let secret = new_signing_secret()?;
    let key_id = change.add_signing_secret(store, subscription_id, &secret, at).await?;
    change.record(&about(at, actor, subscription_id, "rotate").with("key_id", key_id.as_str())).await?;
    let subscribed = Subscribed { subscription_id, key_id, secret };
    change.answer_with_secret(&subscribed).await?;
    change.commit().await?;
    Ok(subscribed)
}

/// Sends a `ping`, as events are sent. One at a time: it says nothing more that several wait.
pub async fn test(store: &Store, actor: &Actor, subscription_id: i64) -> Result<Pinged, SubscriptionError> {
    actor.may_at_all(Action::Subscribe)?;
    let at = store.now().await?;
    let mut change = store.change().await?;
    lock(&mut change, actor, subscription_id, false).await?;
    if change.has_waiting_ping(subscription_id).await? {
        return Err(SubscriptionError::PingWaits);
    }
    let event_id = change.tell_one(subscription_id, at, |heading| Event::Ping(Ping { heading })).await?;
    change.record(&about(at, actor, subscription_id, "test")).await?;
    let pinged = Pinged { event_id };
    change.answer(&pinged).await?;
    change.commit().await?;
    Ok(pinged)
}

/// Goes on with one that is paused: what gathered is due at once, also what was given up. Of one that is not paused only the latter.
pub async fn resume(store: &Store, actor: &Actor, subscription_id: i64) -> Result<Resumed, SubscriptionError> {
    actor.may_at_all(Action::Subscribe)?;
    let at = store.now().await?;
    let mut change = store.change().await?;
    let paused = lock(&mut change, actor, subscription_id, false).await?;
    let due = change.resume_subscription(subscription_id, paused, at).await?;
    if !paused && due == 0 {
        return Err(SubscriptionError::NotPaused);
    }
    change.record(&about(at, actor, subscription_id, "resume").with("due", due)).await?;
    let resumed = Resumed { resumed: subscription_id, due };
    change.answer(&resumed).await?;
    change.commit().await?;
    Ok(resumed)
}

/// Whether the actor is there for the installation as a whole.
fn looks_after_all(actor: &Actor) -> bool {
    actor.role == Role::Operator && actor.scope == Scope::Everything
}

/// Locks a subscription of the actor's, or of anybody's; whether it is paused. Another's is as little found as one that is not there.
async fn lock(
    change: &mut Change,
    actor: &Actor,
    subscription_id: i64,
    of_anybody: bool,
) -> Result<bool, SubscriptionError> {
    match change.lock_subscription(subscription_id).await? {
        Some((account, paused)) if of_anybody || account == actor.name => Ok(paused),
        _ => Err(SubscriptionError::Unknown(subscription_id)),
    }
}

async fn subscriber(change: &mut Change, store: &Store, actor: &Actor) -> Result<UserLine, SubscriptionError> {
    let user = change.lock_user(store, &actor.name).await?.filter(|user| user.revoked.is_none());
    user.ok_or_else(|| SubscriptionError::NotAUser(actor.name.clone()))
}

fn about<'a>(at: DateTime<Utc>, actor: &'a Actor, subscription_id: i64, did: &str) -> Act<'a> {
    Act { action: Action::Subscribe, ..Act::operate(at, actor, did, format!("subscription {subscription_id}"), None) }
}

/// The address in its one form, if it is one that we may send to. What its name leads to is looked at before each request.
fn checked(asked: &Subscribing<'_>) -> Result<Url, SubscriptionError> {
    let url = Url::parse(asked.url.trim()).map_err(|_| SubscriptionError::NotAnAddress)?;
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Domain(_)) => None,
        None => return Err(SubscriptionError::NotAnAddress),
    };
    let own = address.is_some_and(is_loopback) || url.host_str() == Some("localhost");
    match url.scheme() {
        "https" => {}
        "http" if own && asked.allow_loopback => {}
        _ => return Err(SubscriptionError::NotAnAddress),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SubscriptionError::HoldsUser);
    }
    if url.fragment().is_some() {
        return Err(SubscriptionError::HoldsFragment);
    }
    if url.as_str().len() > LONGEST_URL {
        return Err(SubscriptionError::TooLong);
    }
    if (own && !asked.allow_loopback) || (!own && address.is_some_and(|address| !is_public(address))) {
        return Err(SubscriptionError::NotPublic);
    }
    if holds_id_number(url.as_str()) {
        return Err(SubscriptionError::HoldsIdNumber);
    }
    let kinds = asked.kinds;
    let twice = kinds.iter().enumerate().any(|(place, kind)| kinds[..place].contains(kind));
    if kinds.is_empty() || twice || kinds.contains(&EventKind::Ping) {
        return Err(SubscriptionError::Kinds);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(url: &str, allow_loopback: bool) -> Result<String, &'static str> {
        let kinds = &EventKind::SUBSCRIBED;
        let asked = Subscribing { url, kinds, algorithm: SignatureAlgorithm::HmacSm3, allow_loopback };
        checked(&asked).map(Into::into).map_err(|error| error.code().expect("a refusal"))
    }

    #[test]
    fn only_an_address_of_the_public_network_over_https_is_taken() {
        let long = format!("https://payroll.example/{}", "a".repeat(500));
        for (url, expected) in [
            ("https://payroll.example/events?unit=1", Ok("https://payroll.example/events?unit=1")),
            (" https://PAYROLL.example:443 ", Ok("https://payroll.example/")),
            ("https://1.1.1.1/x", Ok("https://1.1.1.1/x")),
            ("http://payroll.example/", Err("not_an_address")),
            ("ftp://payroll.example/", Err("not_an_address")),
            ("payroll.example", Err("not_an_address")),
            ("", Err("not_an_address")),
            ("https://me@payroll.example/", Err("address_holds_user")),
            ("https://:pass@payroll.example/", Err("address_holds_user")),
            ("https://payroll.example/#x", Err("address_holds_fragment")),
            (long.as_str(), Err("address_too_long")),
            ("https://localhost/", Err("address_not_public")),
            ("https://127.0.0.1/", Err("address_not_public")),
            ("https://2130706433/", Err("address_not_public")),
            ("https://0x7f.1/", Err("address_not_public")),
            ("https://10.1.2.3/", Err("address_not_public")),
            ("https://169.254.169.254/latest", Err("address_not_public")),
            ("https://[::1]/", Err("address_not_public")),
            ("https://[::ffff:10.0.0.1]/", Err("address_not_public")),
            ("https://payroll.example/360001198005050117", Err("address_holds_id_number")),
        ] {
            assert_eq!(said(url, false).as_deref().map_err(|code| *code), expected, "{url}");
        }
    }

    #[test]
    fn this_machine_is_taken_where_the_settings_say_so_and_no_other_house() {
        assert_eq!(said("http://127.0.0.1:8080/e", true).as_deref(), Ok("http://127.0.0.1:8080/e"));
        assert_eq!(said("http://localhost/e", true).as_deref(), Ok("http://localhost/e"));
        assert_eq!(said("http://127.0.0.1:8080/e", false), Err("not_an_address"));
        assert_eq!(said("http://10.0.0.1/e", true), Err("not_an_address"));
        assert_eq!(said("https://10.0.0.1/e", true), Err("address_not_public"));
    }

    #[test]
    fn kinds_are_named_each_once_and_a_ping_is_none() {
        let code = |kinds: &[EventKind]| {
            let url = "https://payroll.example/";
            let asked = Subscribing { url, kinds, algorithm: SignatureAlgorithm::HmacSm3, allow_loopback: false };
            checked(&asked).err().and_then(|error| error.code())
        };
        let cell = EventKind::CellChanged;
        assert_eq!(code(&[cell]), None);
        for wrong in [&[][..], &[cell, cell], &[EventKind::Ping]] {
            assert_eq!(code(wrong), Some("no_kinds"));
        }
    }
}
