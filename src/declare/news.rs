//! The tax department's answers, taken from the outbox into their declarations: claims no longer needed are released on acceptance.

use chrono::{DateTime, Utc};

use super::DeclareError;
use crate::domain::access::Actor;
use crate::domain::declaration::{Effect, Event, Refused};
use crate::domain::event::{self, AnswerReceived, AnswerWord, EmployerYear};
use crate::domain::facts::UnitId;
use crate::domain::ids::Uscc;
use crate::domain::message::{Message, Rejection};
use crate::store::audit::{Act, fingerprint};
use crate::store::outbox::News;
use crate::store::publish::{Cause, Publish};
use crate::store::{Store, StoreError};

/// As the audit names who took an answer in.
const ACTOR: &str = "renzheng";

/// So many answers are taken in at a time: one publish for all of them.
const AT_ONCE: usize = 100;

/// Takes in all news there is; returns how many. Done twice it changes nothing. News that cannot be taken in keeps nobody else's waiting;
/// it is told in the end.
pub async fn apply_news(store: &Store) -> Result<u64, DeclareError> {
    let mut applied = 0;
    let mut failed = None;
    for together in store.list_news().await?.chunks(AT_ONCE) {
        match apply(store, together).await {
            Ok(count) => applied += count,
            Err(error) if together.len() == 1 => failed = Some(error),
            Err(_) => {
                for news in together {
                    match apply(store, std::slice::from_ref(news)).await {
                        Ok(count) => applied += count,
                        Err(error) => failed = Some(error),
                    }
                }
            }
        }
    }
    failed.map_or(Ok(applied), Err)
}

/// In one publish; how many of these were still news.
async fn apply(store: &Store, together: &[News]) -> Result<u64, DeclareError> {
    let at = store.now().await?;
    let mut publish = store.publish(Cause::Answer, at).await?;
    let mut applied = 0;
    for news in together {
        if let Some(news) = publish.mark_applied(news).await? {
            take_in(store, &mut publish, &news, at).await?;
            applied += 1;
        }
    }
    if applied == 0 {
        publish.abandon().await?;
    } else {
        publish.commit().await?;
    }
    Ok(applied)
}

async fn take_in(store: &Store, publish: &mut Publish, news: &News, at: DateTime<Utc>) -> Result<(), DeclareError> {
    let message = news.message;
    let event = match news.state.as_str() {
        "accepted" => Event::Accept { message, receipt: news.receipt.clone().unwrap_or_default() },
        "rejected" => Event::Reject { message, rejection: rejection(news)? },
        _ => Event::Send { message },
    };
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
                tell(publish, news, at).await?;
            }
        }
        // an answer to a message that the declaration has left behind: it stays in the outbox, the declaration as it is
        Err(refused @ (Refused::AnotherMessage | Refused::AlreadyAnswered | Refused::NotCompleted)) => {
            tracing::warn!(message.id = %news.message_id, reason = refused.code(), "answer does not concern a message that the declaration waits for");
        }
        Err(refused) => return Err(refused.into()),
    }
    Ok(())
}

/// Tells the programs that want to hear of it what the department said for good, in the publish that takes it in.
async fn tell(publish: &mut Publish, news: &News, at: DateTime<Utc>) -> Result<(), StoreError> {
    let Some(state) = AnswerWord::parse(&news.state) else { return Ok(()) };
    let wrong = |_| StoreError::Inconsistent { table: "unit", column: "uscc", row: news.employer.0.to_string() };
    let subject = EmployerYear { employer_uscc: Uscc::parse(&news.uscc).map_err(wrong)?, year: news.year };
    tell_answer(publish, (news.employer, subject), news.message, state, at).await
}

/// The same of an answer that came otherwise than to its message.
pub(super) async fn tell_answer(
    publish: &mut Publish,
    (employer, subject): (UnitId, EmployerYear),
    message: Message,
    state: AnswerWord,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Message { version, kind: message, .. } = message;
    let answered = |heading| event::Event::AnswerReceived(AnswerReceived { heading, subject, version, message, state });
    publish.tell(employer, at, answered).await?;
    Ok(())
}

fn rejection(news: &News) -> Result<Rejection, StoreError> {
    let answer = news.answer.clone().unwrap_or_default();
    serde_json::from_value(answer).map_err(|_| StoreError::Inconsistent {
        table: "outbox",
        column: "answer",
        row: news.message_id.to_string(),
    })
}
