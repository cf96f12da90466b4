//! The code by which a person opens what is kept of them: staff hand it out with the person before them, and can end it.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Field, PersonError, PersonRefused};
use crate::crypto::NewCode;
use crate::domain::access::{Action, Actor, Denied};
use crate::domain::facts::PersonId;
use crate::domain::free_text::{Reason, ReasonFault};
use crate::domain::ids::ResidentId;
use crate::store::Store;
use crate::store::audit::Act;
use crate::store::change::Change;
use crate::store::person_codes::{StandingCode, code_hash};

/// How long a code holds.
pub const CODE_DAYS: i64 = 365;

/// A code just made. It is shown this once: only its hash is kept.
#[derive(Serialize, JsonSchema)]
pub struct IssuedCode {
    pub person: PersonId,
    /// In groups of four signs.
    pub code: String,
    pub expires_at: DateTime<Utc>,
    /// A former one ended with it.
    pub replaces: bool,
}

impl std::fmt::Debug for IssuedCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("IssuedCode").field("person", &self.person).finish_non_exhaustive()
    }
}

/// A code that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RevokedCode {
    pub person_id: PersonId,
    pub revoked: bool,
}

/// Whom staff mean.
#[derive(Clone, Copy)]
pub enum Whom<'a> {
    Person(PersonId),
    /// As the person's ID card says.
    IdNumber(&'a str),
}

impl Whom<'_> {
    /// The person; that an ID number was looked up is written down.
    pub async fn find(self, store: &Store, actor: &Actor) -> Result<PersonId, PersonError> {
        actor.may_at_all(Action::IssuePersonCode)?;
        let id = match self {
            Self::Person(person) => return Ok(person),
            Self::IdNumber(text) => ResidentId::parse(text).map_err(|_| PersonRefused::Mistyped(Field::IdNumber))?,
        };
        actor.may_at_all(Action::LookUp)?;
        let found = store.find_person(&id).await?;
        let at = store.now().await?;
        let object = found.map_or_else(|| "nobody".to_owned(), |person| format!("person {}", person.0));
        store.record(&Act::read(at, actor, Action::LookUp, object)).await?;
        Ok(found.ok_or(Denied::NotFound)?)
    }
}

/// Makes a code for a person; a new one ends the former.
pub async fn issue_code(
    store: &Store,
    actor: &Actor,
    person: PersonId,
    why: Option<&str>,
) -> Result<IssuedCode, PersonError> {
    let at = store.now().await?;
    let mut change = begin(store, actor, person).await?;
    let why = given(why)?;
    let replaces = change.end_person_code(person, &actor.name, at).await?;
    let code = NewCode::generate()?;
    let expires_at = at + TimeDelta::days(CODE_DAYS);
    let standing = StandingCode { hash: code_hash(store, &code.comparable()), expires_at };
    change.save_person_code(person, &standing, &actor.name, at).await?;
    change.record(&about(at, actor, person, "issue", why).with("replaces", replaces)).await?;
    let issued = IssuedCode { person, code: code.shown(), expires_at, replaces };
    change.answer(&issued).await?;
    change.commit().await?;
    Ok(issued)
}

/// Ends the code of a person at once.
pub async fn revoke_code(
    store: &Store,
    actor: &Actor,
    person: PersonId,
    why: Option<&str>,
) -> Result<RevokedCode, PersonError> {
    let at = store.now().await?;
    let mut change = begin(store, actor, person).await?;
    let why = given(why)?;
    if !change.end_person_code(person, &actor.name, at).await? {
        return Err(PersonRefused::NoCode.into());
    }
    change.record(&about(at, actor, person, "revoke", why)).await?;
    let revoked = RevokedCode { person_id: person, revoked: true };
    change.answer(&revoked).await?;
    change.commit().await?;
    Ok(revoked)
}

/// A change about a person in reach: one who is placed by an employer in reach, or by nobody. Whoever else could hand out a code for
/// anybody would see by it what is kept elsewhere.
async fn begin(store: &Store, actor: &Actor, person: PersonId) -> Result<Change, PersonError> {
    actor.may_at_all(Action::IssuePersonCode)?;
    let mut change = store.change().await?;
    let known = change.lock_person(person).await?;
    let placing = change.list_placing(person).await?;
    let reached = placing.is_empty() || placing.iter().any(|owned| actor.reaches(owned.owner()));
    if known && reached { Ok(change) } else { Err(Denied::NotFound.into()) }
}

/// A reason, where one is given.
fn given(why: Option<&str>) -> Result<Option<&str>, ReasonFault> {
    let given = why.filter(|why| !why.trim().is_empty());
    given.map(|why| Reason::parse(why).map(Reason::as_str)).transpose()
}

fn about<'a>(at: DateTime<Utc>, actor: &'a Actor, person: PersonId, did: &str, why: Option<&'a str>) -> Act<'a> {
    let act = Act::read(at, actor, Action::IssuePersonCode, format!("person {}", person.0));
    Act { why, ..act.with("did", did) }
}
