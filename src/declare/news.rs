//! The tax department's answers, taken from the outbox into their declarations: claims no longer needed are released on acceptance.

use super::DeclareError;
use crate::domain::access::Actor;
use crate::domain::declaration::{Effect, Event, Refused};
use crate::domain::message::Rejection;
use crate::store::audit::{Act, fingerprint};
use crate::store::outbox::News;
use crate::store::publish::Cause;
use crate::store::{Store, StoreError};

/// As the audit names who took an answer in.
const ACTOR: &str = "renzheng";

/// Takes in all news there is; returns how many. Done twice it changes nothing.
pub async fn apply_news(store: &Store) -> Result<u64, DeclareError> {
    let mut applied = 0;
    for news in store.list_news().await? {
        applied += u64::from(apply(store, &news).await?);
    }
    Ok(applied)
}

/// False if the news was no news any more.
async fn apply(store: &Store, news: &News) -> Result<bool, DeclareError> {
    let at = store.now().await?;
    let message = news.message;
    let event = match news.state.as_str() {
        "accepted" => Event::Accept { message, receipt: news.receipt.clone().unwrap_or_default() },
        "rejected" => Event::Reject { message, rejection: rejection(news)? },
        _ => Event::Send { message },
    };
    let mut publish = store.publish(Cause::Answer, at).await?;
    if !publish.mark_applied(news.message_id, &news.state).await? {
        publish.abandon().await?;
        return Ok(false);
    }
    let before = publish.lock_declaration(news.employer, news.year).await?;
    match before.clone().apply(event, at) {
        Ok((after, effects)) => {
            for effect in effects {
                if let Effect::ReleaseClaims { except } = effect {
                    publish.release_claims(news.employer, news.year, &except).await?;
                }
            }
            if after != before {
                publish.save_declaration(news.employer, news.year, &after, at).await?;
                let object = format!("declaration {} {}", news.uscc, news.year);
                let program = Actor::program(ACTOR);
                let act = Act {
                    before: Some(fingerprint(store.keys(), &before)?),
                    after: Some(fingerprint(store.keys(), &after)?),
                    ..Act::operate(at, &program, "take_answer", object, None)
                };
                let act = act.with("message_id", news.message_id.to_string()).with("kind", message.kind.as_str());
                let act = act.with("version", message.version).with("attempt", message.attempt);
                publish.record(&act.with("became", news.state.as_str())).await?;
            }
        }
        // an answer to a message that the declaration has left behind: it stays in the outbox, the declaration as it is
        Err(refused @ (Refused::AnotherMessage | Refused::AlreadyAnswered | Refused::NotCompleted)) => {
            tracing::warn!(message.id = %news.message_id, reason = refused.code(), "answer does not concern a message that the declaration waits for");
        }
        Err(refused) => return Err(refused.into()),
    }
    publish.commit().await?;
    Ok(true)
}

fn rejection(news: &News) -> Result<Rejection, StoreError> {
    let answer = news.answer.clone().unwrap_or_default();
    serde_json::from_value(answer).map_err(|_| StoreError::Inconsistent {
        table: "outbox",
        column: "answer",
        row: news.message_id.to_string(),
    })
}
