//! Subscriptions: a user's own program hears of what happens within the user's reach.

use aide::axum::ApiRouter;
use aide::axum::routing::{delete_with, get_with, post_with};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Access, operation};
use crate::crypto::SignatureAlgorithm;
use crate::declare::subscriptions::{self, Pinged, Removed, Resumed, Subscribed, Subscribing, SubscriptionError};
use crate::domain::access::Action;
use crate::domain::event::EventKind;
use crate::store::subscriptions::SubscriptionLine;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, Paging};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    let told = |id, summary| operation(id, "subscriptions", Access::nobody(Action::Subscribe), summary);
    ApiRouter::new()
        .api_route(
            "/subscriptions",
            get_with(list, told("list_subscriptions", "Your subscriptions, and how many events wait for each"))
                .post_with(
                    add,
                    told(
                        "add_subscription",
                        "Let a program of yours hear of what happens within your reach; the secret is in the answer, and told again for a day",
                    ),
                ),
        )
        .api_route(
            "/subscriptions/{subscription_id}",
            delete_with(
                remove,
                told("remove_subscription", "End one; what waits is not delivered any more"),
            ),
        )
        .api_route(
            "/subscriptions/{subscription_id}/rotation",
            post_with(
                rotate,
                told(
                    "rotate_subscription",
                    "Make another secret, told in the answer, and again for a day; the one before signs too for a day",
                ),
            ),
        )
        .api_route(
            "/subscriptions/{subscription_id}/ping",
            post_with(ping, told("test_subscription", "Send a `ping` as events are sent")),
        )
        .api_route(
            "/subscriptions/{subscription_id}/resumption",
            post_with(
                resume,
                told(
                    "resume_subscription",
                    "Go on with one that is paused, with everything that waits; also with what was given up of one that is not",
                ),
            ),
        )
}

#[derive(Deserialize, JsonSchema)]
struct OfSubscription {
    subscription_id: i64,
}

/// A new subscription.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewSubscription {
    /// Where the program listens: an address of https in the public network.
    #[schemars(length(min = 1, max = 500))]
    url: String,
    /// Of what it hears, each once; a `ping` comes only when it is asked for.
    #[schemars(length(min = 1, max = 3))]
    kinds: Vec<EventKind>,
    /// By which requests are signed; without it `hmac-sm3`.
    algorithm: Option<SignatureAlgorithm>,
}

async fn list(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<SubscriptionLine>>, Problem> {
    let (limit, after) = (paging.limit()?, paging.after::<i64>()?);
    let mut lines = subscriptions::list(&site.store, &actor).await?;
    lines.sort_by_key(|line| line.subscription_id);
    lines.retain(|line| after.is_none_or(|after| line.subscription_id > after));
    Ok(Reply(Page::of(lines, limit, |line| line.subscription_id.to_string())))
}

async fn add(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Body(new): Body<NewSubscription>,
) -> Result<Reply<Subscribed>, Problem> {
    let asked = Subscribing {
        url: &new.url,
        kinds: &new.kinds,
        algorithm: new.algorithm.unwrap_or(SignatureAlgorithm::HmacSm3),
        allow_loopback: site.allow_loopback,
    };
    Ok(Reply(subscriptions::add(&store, &actor, &asked).await?))
}

async fn remove(Writer { actor, store }: Writer, Path(of): Path<OfSubscription>) -> Result<Reply<Removed>, Problem> {
    Ok(Reply(subscriptions::remove(&store, &actor, of.subscription_id).await?))
}

async fn rotate(Writer { actor, store }: Writer, Path(of): Path<OfSubscription>) -> Result<Reply<Subscribed>, Problem> {
    Ok(Reply(subscriptions::rotate(&store, &actor, of.subscription_id).await?))
}

async fn ping(Writer { actor, store }: Writer, Path(of): Path<OfSubscription>) -> Result<Reply<Pinged>, Problem> {
    Ok(Reply(subscriptions::test(&store, &actor, of.subscription_id).await?))
}

async fn resume(Writer { actor, store }: Writer, Path(of): Path<OfSubscription>) -> Result<Reply<Resumed>, Problem> {
    Ok(Reply(subscriptions::resume(&store, &actor, of.subscription_id).await?))
}

impl From<SubscriptionError> for Problem {
    fn from(error: SubscriptionError) -> Self {
        let said = error.code().zip(error.chinese());
        match (error, said) {
            (SubscriptionError::Denied(denied), _) => denied.into(),
            (SubscriptionError::Store(error), _) => error.into(),
            (SubscriptionError::Unknown(_), _) => Self::not_found(),
            (
                error @ (SubscriptionError::TooMany
                | SubscriptionError::NotPaused
                | SubscriptionError::PingWaits
                | SubscriptionError::NotAUser(_)),
                Some((code, chinese)),
            ) => Self::refused(code, error.to_string(), chinese),
            (error, Some((code, chinese))) => Self::unprocessable(code, error.to_string(), chinese),
            (error, None) => Self::failed(&error),
        }
    }
}
