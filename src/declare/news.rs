//! The tax department's answers, taken from the outbox into their declarations: claims no longer needed are released on acceptance.

use super::DeclareError;
use crate::domain::declaration::{Effect, Event, Refused};
use crate::domain::message::Rejection;
use crate::store::outbox::News;
use crate::store::publish::Cause;
use crate::store::{Store, StoreError};

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
    let state = publish.lock_declaration(news.employer, news.year).await?;
    match state.apply(event, at) {
        Ok((next, effects)) => {
            for effect in effects {
                if let Effect::ReleaseClaims { not_in_version } = effect {
                    publish.release_claims(news.employer, news.year, not_in_version).await?;
                }
            }
            publish.save_declaration(news.employer, news.year, &next, at).await?;
        }
        // an answer to a message that the declaration has left behind: it stays in the outbox, the declaration as it is
        Err(refused @ (Refused::AnotherMessage | Refused::AlreadyAnswered | Refused::NotCompleted)) => {
            tracing::warn!(message.id = %news.message_id, reason = refused.code(), "answer does not concern the declaration's present message");
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
