//! Giving up a message that never left: the declaration takes it as a rejection, so that everything that follows a rejection can follow.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::DeclareError;
use super::news::apply_news;
use crate::domain::access::{Action, Actor, Denied};
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
    Denied(#[from] Denied),
    #[error("there is no message {0}; `renzheng push status` lists them")]
    NotFound(Uuid),
    #[error(
        "message {message_id} is `{state}` and was tried {attempts} times: the department may have it. Only what was never tried is \
         discarded; a result that is to change is withdrawn or amended"
    )]
    MayHaveArrived { message_id: Uuid, state: String, attempts: i64 },
    #[error("a later message of the same employer and year builds on message {0}: discard that one first")]
    Followed(Uuid),
    #[error("say why: a reason is kept with it")]
    ReasonMissing,
    #[error("the message could not be given up")]
    Store(#[from] StoreError),
    #[error("it is given up, and the declaration will hear of it with the next push")]
    News(#[source] DeclareError),
}

impl DiscardError {
    /// Whether nothing was done because of what was asked for.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Store(_) | Self::News(_))
    }
}

/// Gives it up, once; done twice it changes nothing.
pub async fn discard(store: &Store, actor: &Actor, message_id: Uuid, why: &str) -> Result<(), DiscardError> {
    actor.may_at_all(Action::Operate)?;
    if why.trim().is_empty() {
        return Err(DiscardError::ReasonMissing);
    }
    let at = store.now().await?;
    // nobody completes or amends meanwhile
    let mut publish = store.publish(Cause::Decision, at).await?;
    match reject(&mut publish, actor, message_id, why, at).await {
        Ok(true) => publish.commit().await?,
        Ok(false) => {
            publish.abandon().await?;
            return Ok(());
        }
        Err(refused) => {
            publish.abandon().await?;
            return Err(refused);
        }
    };
    apply_news(store).await.map_err(DiscardError::News)?;
    Ok(())
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
    let Discardable { uscc, year, message, state, attempts, followers, code, .. } = found;
    if code.as_deref() == Some(DISCARDED_HERE) {
        return Ok(false);
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
