//! Objections in the hands of staff: those that wait, one with its words, and the answer to the person. No result changes by any of it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::permit::permit;
use super::person::PersonError;
use crate::domain::access::{Action, Actor, Denied};
use crate::domain::facts::PersonId;
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::objection::{Finding, ObjectionKind, Refused, check_answer};
use crate::store::Store;
use crate::store::audit::Act;
use crate::store::objections::{NewAnswer, Objection};
use crate::store::people::masked;

/// An objection in a list: without its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ListedObjection {
    pub objection_id: i64,
    pub person_id: PersonId,
    pub employer_uscc: String,
    pub employer_name: String,
    /// Six digits.
    pub federation_division: String,
    pub months: Vec<Month>,
    pub kind: ObjectionKind,
    pub raised_at: DateTime<Utc>,
}

/// A page of objections that wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WaitingObjections {
    /// Oldest first.
    pub objections: Vec<ListedObjection>,
    /// After which the next page begins; nothing where there are no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// An objection with its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ShownObjection {
    #[serde(flatten)]
    pub listed: ListedObjection,
    /// The person, masked.
    pub who: String,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<ShownAnswer>,
}

/// The answer as staff see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ShownAnswer {
    pub finding: Finding,
    pub text: String,
    pub answered_at: DateTime<Utc>,
    pub answered_by: String,
}

/// What staff answer.
#[derive(Clone, Copy, Debug)]
pub struct Answering<'a> {
    pub objection_id: i64,
    pub finding: Finding,
    /// To the person.
    pub text: &'a str,
}

/// An answer that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AnswerGiven {
    pub objection_id: i64,
    pub finding: Finding,
    pub answered_at: DateTime<Utc>,
}

impl ListedObjection {
    fn of(objection: &Objection) -> Self {
        Self {
            objection_id: objection.objection_id,
            person_id: objection.person,
            employer_uscc: objection.uscc.to_string(),
            employer_name: objection.employer_name.clone(),
            federation_division: objection.federation_division.clone(),
            months: objection.months.clone(),
            kind: objection.kind,
            raised_at: objection.raised_at,
        }
    }
}

/// As the audit names an objection.
pub(super) fn audit_object(objection_id: i64, uscc: &Uscc, person: PersonId) -> String {
    format!("objection {objection_id} about {uscc} person {}", person.0)
}

/// Objections that wait in the actor's jurisdiction; `after` is where the page before ended.
pub async fn list(
    store: &Store,
    actor: &Actor,
    after: Option<i64>,
    limit: u32,
) -> Result<WaitingObjections, PersonError> {
    let division = actor.division_for(Action::OpenCase)?;
    let limit = limit.max(1) as usize;
    let mut found = store.list_open_objections(division, after.unwrap_or(0), limit as i64 + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(|one| one.objection_id).filter(|_| more);
    Ok(WaitingObjections { objections: found.iter().map(ListedObjection::of).collect(), next })
}

/// One objection with its words; that it was read is written down.
pub async fn show(store: &Store, actor: &Actor, objection_id: i64) -> Result<ShownObjection, PersonError> {
    let found = find(store, actor, Action::OpenCase, objection_id).await?;
    let at = store.now().await?;
    let object = audit_object(objection_id, &found.uscc, found.person);
    store.record(&Act::read(at, actor, Action::OpenCase, object)).await?;
    let words = store.objection_words(&[objection_id]).await?.pop().ok_or(Refused::Unknown)?;
    let identities = store.identities(&[found.person]).await?;
    let who = masked(identities.get(&found.person), found.person);
    let listed = ListedObjection::of(&found);
    let answer = found.answered.zip(words.answer).map(|(answered, text)| ShownAnswer {
        finding: answered.finding,
        text,
        answered_at: answered.at,
        answered_by: answered.by,
    });
    Ok(ShownObjection { listed, who, text: words.text, answer })
}

/// Answers the person, once.
pub async fn answer(store: &Store, actor: &Actor, answering: &Answering<'_>) -> Result<AnswerGiven, PersonError> {
    let Answering { objection_id, finding, text } = *answering;
    let found = find(store, actor, Action::DecideObjection, objection_id).await?;
    let text = check_answer(text)?;
    let at = store.now().await?;
    let mut change = store.change().await?;
    let new = NewAnswer { finding, text, by: &actor.name, at };
    if !change.answer_objection(store, objection_id, &new).await? {
        return Err(Refused::Answered.into());
    }
    let object = audit_object(objection_id, &found.uscc, found.person);
    let act = Act::read(at, actor, Action::DecideObjection, object).with("finding", finding.as_str());
    change.record(&act).await?;
    let given = AnswerGiven { objection_id, finding, answered_at: at };
    change.answer(&given).await?;
    change.commit().await?;
    Ok(given)
}

/// An objection, if there is one and the actor may: another's is not found.
async fn find(store: &Store, actor: &Actor, action: Action, objection_id: i64) -> Result<Objection, PersonError> {
    actor.may_at_all(action)?;
    let found = store.find_objection(objection_id).await?.ok_or(Refused::Unknown)?;
    match permit::<PersonError>(store, actor, action, found.employer).await {
        Ok(_) => Ok(found),
        Err(PersonError::Denied(Denied::NotFound)) => Err(Refused::Unknown.into()),
        Err(error) => Err(error),
    }
}
