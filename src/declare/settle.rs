//! Where the tax department and we parted, a person decided to follow it: our record of the messages is corrected, the declaration takes
//! its step, and the difference is settled, in one transaction.
//!
//! Nothing is counted that we cannot prove: what the department holds in force and we do not know, or know otherwise, is withdrawn
//! there, and our own claims stay until that is accepted. So no person-month can count for two employers meanwhile.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::case::{Case, Doing};
use super::news::{apply_news, tell_answer};
use super::{DeclareError, Declaring};
use crate::domain::access::{Action, Actor};
use crate::domain::declaration::{Declaration, Event, Refused};
use crate::domain::event::{AnswerWord, EmployerYear};
use crate::domain::free_text::Reason;
use crate::domain::message::{Message, MessageKind, Rejection};
use crate::domain::reconciliation::{Class, Correction, Settlement, Step, settle as settlement};
use crate::store::Store;
use crate::store::publish::{Cause, Publish};
use crate::store::reconciliations::DifferenceLine;
use crate::store::settlements::SettledBy;

/// What was settled.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Settled {
    pub employer_uscc: String,
    pub year: i32,
    pub class: Class,
    /// Where the declaration stands after it.
    pub state: &'static str,
    /// The version that is withdrawn at the department, if one is.
    pub withdraws: Option<u32>,
    /// The next completion is numbered above this.
    pub last_version: u32,
}

/// Follows the department in what is open of an employer's year. Settled already, it answers as it did.
pub async fn settle(store: &Store, actor: &Actor, declaring: Declaring, why: &str) -> Result<Settled, DeclareError> {
    let case = Case::open(store, actor, Action::SettleDifference, declaring).await?;
    let why = Reason::parse(why)?.as_str();
    let (uscc, year) = (case.of.uscc.to_string(), declaring.stored_year());
    // the declaration knows what the outbox knows
    apply_news(store).await?;
    let at = store.now().await?;
    let mut publish = store.publish(Cause::Withdrawal, at).await?;
    let Some(difference) = publish.lock_difference(&uscc, year).await? else {
        publish.abandon().await?;
        let before = store.differences_of(&uscc, year).await?.into_iter().rfind(|one| one.settled_by.is_some());
        let difference = before.ok_or(Refused::NoDifference)?;
        return Ok(told(&case, difference.class, &case.look(store).await?));
    };
    let class = difference.class;
    let declared =
        follow(&publish.beside(), &case, &mut publish, &difference, SettledBy { by: &actor.name, why, at }, actor)
            .await;
    match declared {
        Ok(after) => {
            let settled = told(&case, class, &after);
            publish.answer(&settled).await?;
            publish.commit().await?;
            Ok(settled)
        }
        Err(error) => {
            publish.abandon().await?;
            Err(error)
        }
    }
}

fn told(case: &Case, class: Class, declaration: &Declaration) -> Settled {
    let mut unanswered = declaration.unanswered().map(|issue| issue.message);
    Settled {
        employer_uscc: case.of.uscc.to_string(),
        year: case.declaring.year,
        class,
        state: declaration.name(),
        withdraws: unanswered.find(|message| message.kind == MessageKind::Withdrawn).map(|message| message.version),
        last_version: declaration.last_version(),
    }
}

async fn follow(
    store: &Store,
    case: &Case,
    publish: &mut Publish,
    difference: &DifferenceLine,
    settled: SettledBy<'_>,
    actor: &Actor,
) -> Result<Declaration, DeclareError> {
    let (employer, year) = (case.declaring.employer, case.declaring.stored_year());
    let before = publish.lock_declaration(employer, year).await?;
    let unsettled = publish.unsettled_messages(employer, year).await?;
    if unsettled.not_taken_in {
        return Err(DeclareError::Busy);
    }
    // after a restore the department has gone on beyond everything of ours; else what was tried may still be accepted
    if unsettled.tried && difference.class != Class::MissingHere {
        return Err(Refused::MayBeAccepted.into());
    }
    let codes = [difference.uscc.clone()];
    let here =
        store.list_here(year, &codes, DateTime::<Utc>::MAX_UTC).await?.remove(&difference.uscc).unwrap_or_default();
    let plan = difference.detail.there.as_ref().and_then(|there| settlement(difference.class, &here, there));
    let Settlement { correction, step } = plan.ok_or(Refused::NotForUs)?;
    // nothing of it is asked about or sent again any more
    publish.stop_checking(employer, year).await?;
    let rejection = correct(publish, case, &correction, settled).await?;
    if let Some((message, word)) = other_answer(&correction, &step) {
        let subject = EmployerYear { employer_uscc: case.of.uscc, year };
        tell_answer(publish, (employer, subject), message, word, settled.at).await?;
    }
    let by = actor.name.clone();
    let event = match step {
        Step::Revoke { message } => Event::Revoke { by, message, rejection },
        Step::Recover { last, messages, holds } => Event::Recover { by, last, messages, holds },
    };
    let (after, effects) = before.clone().apply(event, settled.at)?;
    let doing = Doing {
        actor,
        action: Action::SettleDifference,
        cause: Cause::Withdrawal,
        why: Some(settled.why),
        months: &[],
        key: None,
        detail: serde_json::json!({ "class": difference.class, "here": difference.detail.here, "there": difference.detail.there }),
    };
    publish.settle_difference(difference.difference_id, settled).await?;
    case.save(store, publish, &doing, (&before, &after), effects, settled.at).await?;
    Ok(after)
}

/// The message to which the department's word is another now than it was told, if there is one.
fn other_answer(correction: &Correction, step: &Step) -> Option<(Message, AnswerWord)> {
    match (correction, step) {
        (Correction::Rejected { .. } | Correction::Lapsed { .. }, Step::Revoke { message }) => {
            Some((*message, AnswerWord::Rejected))
        }
        (Correction::Accepted { .. }, Step::Recover { last, .. }) => Some((*last, AnswerWord::Accepted)),
        _ => None,
    }
}

/// Corrects our record of the messages; what the department said of a rejection.
async fn correct(
    publish: &mut Publish,
    case: &Case,
    correction: &Correction,
    settled: SettledBy<'_>,
) -> Result<Rejection, DeclareError> {
    let (employer, year) = (case.declaring.employer, case.declaring.stored_year());
    let said =
        |code: &str, text: &str| Rejection { code: code.to_owned(), field: None, value: None, text: text.to_owned() };
    let lapsed = said("not_in_force", "税务部门已取消该认定");
    let rejected = said("rejected_after_acceptance", "税务部门接收后又退回");
    match correction {
        Correction::Nothing => {}
        Correction::Recovered { messages, more } => {
            publish.save_recovery(employer, year, messages, *more, settled).await?;
        }
        Correction::Accepted { message_id, receipt } => publish.take_acceptance(message_id, receipt).await?,
        Correction::Rejected { message_id } => {
            let answer = publish.take_rejection(message_id, &serde_json::to_value(&rejected)?).await?;
            return Ok(answer.and_then(|answer| serde_json::from_value(answer).ok()).unwrap_or(rejected));
        }
        Correction::Lapsed { message_id } => publish.lapse(message_id).await?,
    }
    Ok(lapsed)
}
