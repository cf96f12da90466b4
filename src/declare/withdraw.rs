//! 年审申报撤回: the employer asks with a reason; staff decide; an approved withdrawal leaves for the tax department at once.

use super::case::{Case, Doing};
use super::{DeclareError, Declaring};
use crate::domain::access::{Action, Actor};
use crate::domain::declaration::{Declaration, Event, checked_reference};
use crate::domain::free_text::Reason;
use crate::store::Store;
use crate::store::declared::{Listed, Request};
use crate::store::publish::Cause;

/// Why an employer wants its declaration back.
#[derive(Clone, Debug)]
pub struct Asking {
    pub reason: String,
    /// Whether the levy was paid by this result.
    pub levy_paid: bool,
    /// The tax department's reference of the refund, if there is one already.
    pub refund_reference: Option<String>,
}

/// Staff's word.
#[derive(Clone, Debug)]
pub struct Deciding {
    pub approve: bool,
    pub reason: String,
    /// Needed for an approval where the levy was paid and the employer did not give it.
    pub refund_reference: Option<String>,
}

/// Asks for it. It may be asked at any time; only what is asked inside the window leaves completion open afterwards.
pub async fn ask(
    store: &Store,
    actor: &Actor,
    declaring: Declaring,
    asking: &Asking,
) -> Result<Declaration, DeclareError> {
    let case = Case::open(store, actor, Action::AskWithdrawal, declaring).await?;
    let reason = Reason::parse(&asking.reason)?.as_str();
    let levy_paid = asking.levy_paid;
    let refund_reference = checked_reference(asking.refund_reference.as_deref())?;
    let doing = Doing {
        actor,
        action: Action::AskWithdrawal,
        cause: Cause::Withdrawal,
        why: Some(reason),
        months: &[],
        key: None,
        detail: serde_json::json!({ "levy_paid": levy_paid, "refund_reference": refund_reference }),
    };
    let (by, reason) = (actor.name.clone(), reason.to_owned());
    let event = Event::AskWithdrawal { by, reason, levy_paid, refund_reference };
    case.step(store, doing, event).await
}

/// Decides on it. Approved: the withdrawal waits in the outbox behind its certification, and the declaration is open for the next version.
pub async fn decide(
    store: &Store,
    actor: &Actor,
    declaring: Declaring,
    deciding: &Deciding,
) -> Result<Declaration, DeclareError> {
    let case = Case::open(store, actor, Action::DecideWithdrawal, declaring).await?;
    let reason = Reason::parse(&deciding.reason)?.as_str();
    let approve = deciding.approve;
    let refund_reference = checked_reference(deciding.refund_reference.as_deref())?;
    let doing = Doing {
        actor,
        action: Action::DecideWithdrawal,
        cause: Cause::Withdrawal,
        why: Some(reason),
        months: &[],
        key: None,
        detail: serde_json::json!({ "approved": approve, "refund_reference": refund_reference }),
    };
    let (by, reason) = (actor.name.clone(), reason.to_owned());
    let event = Event::DecideWithdrawal { by, approve, reason, refund_reference };
    case.step(store, doing, event).await
}

/// Withdrawals that wait for staff and that the actor reaches, the oldest first.
pub async fn list(store: &Store, actor: &Actor) -> Result<Vec<Listed>, DeclareError> {
    super::reached(actor, store.list_requests(Request::Withdrawal).await?)
}
