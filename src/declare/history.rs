//! What an employer declared in earlier years: every version with what was frozen and what became of it. Nothing of it changes any more.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::permit::permit;
use super::{DeclareError, Declaring};
use crate::domain::access::{Action, Actor};
use crate::domain::declaration::Declaration;
use crate::domain::facts::{PersonId, UnitId, words};
use crate::domain::message::MessageKind;
use crate::domain::month::Month;
use crate::store::Store;
use crate::store::versions::{VersionKey, VersionLine, VersionMessage};

words! {
    /// What became of a version.
    VersionStanding {
        /// The tax department has not answered for good.
        AwaitsAnswer = "awaits_answer",
        InForce = "in_force",
        Rejected = "rejected",
        Withdrawn = "withdrawn",
        /// A later version took its place.
        Replaced = "replaced",
        /// It was given up before the tax department took it.
        GivenUp = "given_up",
    }
}

/// A version that was completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PastVersion {
    pub year: i16,
    pub version: u32,
    /// The version whose months it amends.
    pub amends: Option<u32>,
    pub standing: VersionStanding,
    pub certification_number: String,
    /// Version of the commitment text that was accepted.
    pub commitment: String,
    pub completed_at: DateTime<Utc>,
    pub completed_by: String,
    pub persons: u32,
    /// Frozen months, each once and each by its weight.
    pub person_months: u32,
    pub weighted_person_months: u32,
    /// In the order in which they were put down.
    pub messages: Vec<PastMessage>,
}

/// A message about a version, and what the tax department said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PastMessage {
    pub kind: MessageKind,
    pub attempt: u32,
    /// `waiting`, `sent`, `accepted`, `rejected` or `unknown`.
    pub state: String,
    /// Of an acceptance.
    pub receipt: Option<String>,
}

/// A person of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FrozenPerson {
    pub person_id: PersonId,
    pub months: Vec<FrozenMonth>,
}

/// A month as it was frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FrozenMonth {
    pub month: Month,
    /// How many person-months it counts for: 1 or 2.
    pub weight: u8,
    pub dispatched: bool,
    /// A reviewer approved it, else it passed.
    pub approved: bool,
}

/// Versions of an employer before one, the newest first, at most `limit`.
pub async fn list_versions(
    store: &Store,
    actor: &Actor,
    employer: UnitId,
    before: Option<VersionKey>,
    limit: usize,
) -> Result<Vec<PastVersion>, DeclareError> {
    permit::<DeclareError>(store, actor, Action::ReadResults, employer).await?;
    let lines = store.list_versions(employer, before, limit as i64).await?;
    let keys: Vec<VersionKey> = lines.iter().map(|line| line.key).collect();
    let mut messages: BTreeMap<VersionKey, Vec<VersionMessage>> = BTreeMap::new();
    for message in store.list_version_messages(employer, &keys).await? {
        messages.entry(message.key).or_default().push(message);
    }
    let mut declarations: BTreeMap<i16, Declaration> = BTreeMap::new();
    for (year, _) in keys {
        if let std::collections::btree_map::Entry::Vacant(place) = declarations.entry(year) {
            place.insert(store.find_declaration(employer, year).await?);
        }
    }
    let told = |line: VersionLine| {
        let messages = messages.remove(&line.key).unwrap_or_default();
        let declaration = declarations.get(&line.key.0).cloned().unwrap_or_default();
        past(line, &declaration, messages)
    };
    Ok(lines.into_iter().map(told).collect())
}

fn past(line: VersionLine, declaration: &Declaration, messages: Vec<VersionMessage>) -> PastVersion {
    let (year, version) = line.key;
    PastVersion {
        year,
        version,
        amends: line.amends,
        standing: standing(version, declaration, &messages),
        certification_number: line.certification_number,
        commitment: line.commitment,
        completed_at: line.completed_at,
        completed_by: line.completed_by,
        persons: line.persons,
        person_months: line.person_months,
        weighted_person_months: line.weighted_person_months,
        messages: (messages.into_iter())
            .map(|VersionMessage { kind, attempt, state, receipt, .. }| PastMessage { kind, attempt, state, receipt })
            .collect(),
    }
}

fn standing(version: u32, declaration: &Declaration, messages: &[VersionMessage]) -> VersionStanding {
    let any = |kind, state| messages.iter().any(|message| message.kind == kind && message.state == state);
    let is_awaited =
        |message: crate::domain::message::Message| message.version == version && message.kind == MessageKind::Certified;
    if declaration.version_in_force() == Some(version) {
        VersionStanding::InForce
    } else if declaration.unanswered().any(|issue| is_awaited(issue.message)) {
        VersionStanding::AwaitsAnswer
    } else if any(MessageKind::Withdrawn, "accepted") {
        VersionStanding::Withdrawn
    } else if any(MessageKind::Certified, "accepted") {
        VersionStanding::Replaced
    } else if any(MessageKind::Certified, "rejected") {
        VersionStanding::Rejected
    } else {
        VersionStanding::GivenUp
    }
}

/// Persons of a version after one, with their frozen months; none where there is no such version.
pub async fn list_frozen(
    store: &Store,
    actor: &Actor,
    declaring: Declaring,
    version: u32,
    after: PersonId,
    limit: usize,
) -> Result<Vec<FrozenPerson>, DeclareError> {
    permit::<DeclareError>(store, actor, Action::ReadResults, declaring.employer).await?;
    let mut persons: BTreeMap<PersonId, Vec<FrozenMonth>> = BTreeMap::new();
    let (employer, year) = (declaring.employer, declaring.stored_year());
    for frozen in store.list_declared_persons(employer, year, version, after, limit as i64).await? {
        let month = FrozenMonth {
            month: frozen.month,
            weight: frozen.weight,
            dispatched: frozen.dispatched,
            approved: frozen.approved,
        };
        persons.entry(frozen.person).or_default().push(month);
    }
    Ok(persons.into_iter().map(|(person_id, months)| FrozenPerson { person_id, months }).collect())
}
