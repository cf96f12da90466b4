//! Giving up a message that never left: the declaration takes it as a rejection, so that everything that follows a rejection can follow.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::news::apply_news;
use super::operate::{OperateError, may_operate};
use super::{DeclareError, Done};
use crate::domain::access::Actor;
use crate::domain::free_text::{Reason, ReasonFault};
use crate::domain::message::Rejection;
use crate::domain::rejection::{DISCARDED_HERE, meaning};
use crate::store::audit::Act;
use crate::store::outbox_acts::Discardable;
use crate::store::publish::{Cause, Publish};
use crate::store::{Store, StoreError};

/// Why a message is not given up.
#[derive(Debug, thiserror::Error)]
pub enum DiscardError {
    #[error(transparent)]
    Operate(#[from] OperateError),
    #[error("there is no message {0}; `renzheng push status` lists them")]
    NotFound(Uuid),
    #[error(
        "message {message_id} is `{state}` and was tried {attempts} times: the department may have it. Only what was never tried is \
         discarded; a result that is to change is withdrawn or amended"
    )]
    MayHaveArrived { message_id: Uuid, state: String, attempts: i64 },
    #[error("a later message of the same employer and year builds on message {0}: discard that one first")]
    Followed(Uuid),
    #[error(
        "message {0} takes back what the department holds and nobody here can prove: without it months could count twice"
    )]
    Recovery(Uuid),
    #[error(transparent)]
    Reason(#[from] ReasonFault),
    #[error("the message could not be given up")]
    Store(#[from] StoreError),
    #[error("it is given up, and the declaration will hear of it with the next push")]
    News(#[source] DeclareError),
}

impl DiscardError {
    /// Of a refusal: what it is, for programs.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Operate(error) => error.code(),
            Self::Reason(fault) => Some(fault.code()),
            Self::NotFound(_) => Some("not_found"),
            Self::MayHaveArrived { .. } => Some("may_have_arrived"),
            Self::Followed(_) => Some("followed"),
            Self::Recovery(_) => Some("recovery"),
            Self::Store(_) | Self::News(_) => None,
        }
    }

    /// Of a refusal: the sentence for people.
    pub fn chinese(&self) -> Option<String> {
        let text = match self {
            Self::Operate(error) => return error.chinese(),
            Self::Reason(fault) => return Some(fault.chinese()),
            Self::NotFound(_) => "未找到该消息。",
            Self::MayHaveArrived { .. } => "税务部门可能已收到该消息，不能作废；如需变更，请撤回或更正。",
            Self::Followed(_) => "同一单位同一年度有后续消息，请先作废后续消息。",
            Self::Recovery(_) => "该消息用于撤回税务部门持有而本系统无法证明的结果，不能作废。",
            Self::Store(_) | Self::News(_) => return None,
        };
        Some(text.to_owned())
    }
}

/// Gives it up, once; done twice it changes nothing.
pub async fn discard(store: &Store, actor: &Actor, message_id: Uuid, why: &str) -> Result<Done, DiscardError> {
    may_operate(actor)?;
    let why = Reason::parse(why)?.as_str();
    let at = store.now().await?;
    // nobody completes or amends meanwhile
    let mut publish = store.publish(Cause::Decision, at).await?;
    match reject(&mut publish, actor, message_id, why, at).await {
        Ok(true) => {
            publish.answer(&Done::CHANGED).await?;
            publish.commit().await?;
        }
        Ok(false) => {
            publish.abandon().await?;
            return Ok(Done { changed: false });
        }
        Err(refused) => {
            publish.abandon().await?;
            return Err(refused);
        }
    }
    apply_news(store).await.map_err(DiscardError::News)?;
    Ok(Done::CHANGED)
}

/// False: it was given up before.
async fn reject(
    publish: &mut Publish,
    actor: &Actor,
    message_id: Uuid,
    why: &str,
    at: DateTime<Utc>,
) -> Result<bool, DiscardError> {
    let found = publish.lock_message(message_id).await?.ok_or(DiscardError::NotFound(message_id))?;
    let Discardable { uscc, year, message, state, attempts, followers, code, recovery, .. } = found;
    if code.as_deref() == Some(DISCARDED_HERE) {
        return Ok(false);
    }
    if recovery {
        return Err(DiscardError::Recovery(message_id));
    }
    if state != "waiting" || attempts > 0 {
        return Err(DiscardError::MayHaveArrived { message_id, state, attempts });
    }
    if followers > 0 {
        return Err(DiscardError::Followed(message_id));
    }
    let text = format!("{}: {why}", meaning(DISCARDED_HERE).english);
    let rejection = Rejection { code: DISCARDED_HERE.to_owned(), field: None, value: None, text };
    publish.reject_message(message_id, &rejection).await?;
    let act = Act::operate(at, actor, "discard_message", format!("declaration {uscc} {year}"), Some(why));
    let act = act.with("message_id", message_id.to_string()).with("kind", message.kind.as_str());
    publish.record(&act.with("version", message.version).with("attempt", message.attempt)).await?;
    Ok(true)
}
