//! What staff do about a rejection: the message is issued again, the declaration opened again, or what was rejected given up.

use super::case::{Case, Doing};
use super::{DeclareError, Declaring};
use crate::domain::access::{Action, Actor};
use crate::domain::declaration::{Declaration, Event};
use crate::domain::free_text::Reason;
use crate::domain::message::MessageKind;
use crate::store::Store;
use crate::store::publish::Cause;

/// Issues the rejected certification or withdrawal again, with the employer's name and tax office as they are stored now and the
/// same counts.
pub async fn reissue(
    store: &Store,
    actor: &Actor,
    declaring: Declaring,
    kind: MessageKind,
) -> Result<Declaration, DeclareError> {
    let event = Event::Reissue { by: actor.name.clone(), kind };
    let detail = serde_json::json!({ "kind": kind });
    act(store, actor, declaring, Action::Reissue, None, event, detail).await
}

/// Opens a rejected or closed declaration for the next version.
pub async fn reopen(store: &Store, actor: &Actor, declaring: Declaring) -> Result<Declaration, DeclareError> {
    let event = Event::Reopen { by: actor.name.clone() };
    act(store, actor, declaring, Action::Reissue, None, event, serde_json::json!({ "reopen": true })).await
}

/// Gives up what was rejected. A result in force stands; without one the declaration is closed and its claims are free.
pub async fn close(
    store: &Store,
    actor: &Actor,
    declaring: Declaring,
    reason: &str,
) -> Result<Declaration, DeclareError> {
    let event = Event::Close { by: actor.name.clone(), reason: reason.trim().to_owned() };
    act(store, actor, declaring, Action::CloseDeclaration, Some(reason), event, serde_json::json!({})).await
}

async fn act(
    store: &Store,
    actor: &Actor,
    declaring: Declaring,
    action: Action,
    why: Option<&str>,
    event: Event,
    detail: serde_json::Value,
) -> Result<Declaration, DeclareError> {
    let case = Case::open(store, actor, action, declaring).await?;
    let why = why.map(|why| Reason::parse(why).map(Reason::as_str)).transpose()?;
    let doing = Doing { actor, action, cause: Cause::Decision, why, months: &[], key: None, detail };
    case.step(store, doing, event).await
}
