//! 更正: single person-months of a completed declaration, with before, after and effect; the old result stands until the new is accepted.

use serde::Serialize;

use super::case::{Case, Doing, window_of};
use super::complete::certification_number;
use super::gates::{addable_months, certificates_held};
use super::worth::levy_if;
use super::{DeclareError, Declaring};
use crate::clock;
use crate::domain::access::{Action, Actor, Denied};
use crate::domain::certificate::in_force_on;
use crate::domain::completion::Obstacle;
use crate::domain::counting::Count;
use crate::domain::declaration::{Amendment, Change, Declaration, Event, Refused};
use crate::domain::declared::{DeclaredMonth, amend, count_of, gain_of};
use crate::domain::facts::PersonId;
use crate::domain::free_text::{Reason, ReasonFault};
use crate::domain::money::Fen;
use crate::domain::policy::Policy;
use crate::store::Store;
use crate::store::choices::Chooser;
use crate::store::declared::{Listed, Request};
use crate::store::publish::Cause;

/// What an amendment changes, as staff and employer see it before the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "AmendmentDifference")]
pub struct Difference {
    pub of_version: u32,
    pub changes: Vec<Change>,
    pub before: Count,
    pub after: Count,
    /// The levy by the employer's headcount and total wages; absent where they are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levy_before: Option<Fen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levy_after: Option<Fen>,
}

/// Staff's word.
#[derive(Clone, Debug)]
pub struct Deciding {
    pub approve: bool,
    pub reason: String,
}

/// Asks for single months to be added or removed. Months may be removed at any time and added only while completion is open for the
/// employer, and only if they pass or were approved by a reviewer.
pub async fn ask(
    store: &Store,
    policy: &Policy,
    actor: &Actor,
    declaring: Declaring,
    changes: Vec<Change>,
) -> Result<Declaration, DeclareError> {
    let case = Case::open(store, actor, Action::AskAmendment, declaring).await?;
    // all of them rest with the declaration, though the audit names the first alone
    let changes: Vec<Change> = (changes.into_iter())
        .map(|change| Ok(Change { reason: Reason::parse(&change.reason)?.as_str().to_owned(), ..change }))
        .collect::<Result<_, ReasonFault>>()?;
    let declaration = case.look(store).await?;
    let event = Event::AskAmendment { by: actor.name.clone(), changes: changes.clone() };
    let (asked, _) = declaration.clone().apply(event.clone(), store.now().await?)?;
    if asked == declaration {
        return Ok(declaration);
    }
    find_placed(store, declaring, &changes).await?;
    check_additions(store, policy, declaring, &declaration, &changes).await?;
    let version = base_of(&declaration)?;
    amended(store, declaring, &declaration, version, &changes).await?;
    let (added, removed): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(|change| change.add);
    let doing = Doing {
        actor,
        action: Action::AskAmendment,
        cause: Cause::Amendment,
        why: changes.first().map(|change| change.reason.as_str()),
        months: &[],
        key: None,
        detail: serde_json::json!({ "of_version": version, "added": added.len(), "removed": removed.len() }),
    };
    case.step(store, doing, event).await
}

/// What the open amendment would change, or the last one did.
pub async fn show(
    store: &Store,
    policy: &Policy,
    actor: &Actor,
    declaring: Declaring,
) -> Result<Option<Difference>, DeclareError> {
    let case = Case::open(store, actor, Action::ReadResults, declaring).await?;
    let declaration = case.look(store).await?;
    let Some(Amendment { of_version, changes, outcome, .. }) = declaration.amendment.clone() else { return Ok(None) };
    let (employer, year) = (declaring.employer, declaring.stored_year());
    let before = store.list_declared_months(employer, year, of_version).await?;
    let approved = outcome.is_some_and(|outcome| outcome.approved);
    let after = match approved_version(&declaration, of_version).filter(|_| approved) {
        Some(version) => store.list_declared_months(employer, year, version).await?,
        None => amended(store, declaring, &declaration, of_version, &changes).await?,
    };
    let levy = |months: &[DeclaredMonth]| levy_if(policy, &case.of.employer, declaring.year, gain_of(months));
    Ok(Some(Difference {
        of_version,
        changes,
        before: count_of(&before),
        after: count_of(&after),
        levy_before: levy(&before)?,
        levy_after: levy(&after)?,
    }))
}

/// The version that the approved amendment of `of_version` became, while something still tells of it.
fn approved_version(declaration: &Declaration, of_version: u32) -> Option<u32> {
    let stage = declaration.stage.completion();
    let standing = declaration.standing.as_ref().map(|held| &held.completion);
    let of_base = |completion: &&crate::domain::declaration::Completion| completion.amends == Some(of_version);
    stage.into_iter().chain(standing).find(of_base).map(|completion| completion.version)
}

/// Decides on the open amendment. Approved: it is frozen as the next version, and its certification leaves at once.
pub async fn decide(
    store: &Store,
    policy: &Policy,
    actor: &Actor,
    declaring: Declaring,
    deciding: &Deciding,
) -> Result<Declaration, DeclareError> {
    let case = Case::open(store, actor, Action::DecideAmendment, declaring).await?;
    let reason = Reason::parse(&deciding.reason)?.as_str();
    let at = store.now().await?;
    let event = |certification_number: String| Event::DecideAmendment {
        by: actor.name.clone(),
        approve: deciding.approve,
        reason: reason.to_owned(),
        certification_number,
    };
    let mut publish = store.publish(Cause::Amendment, at).await?;
    let store = &publish.beside();
    let before = publish.lock_declaration(declaring.employer, declaring.stored_year()).await?;
    let (after, effects) = before.clone().apply(event(String::new()), at)?;
    if after == before && effects.is_empty() {
        publish.abandon().await?;
        return Ok(after);
    }
    let Some(request) = before.open_amendment().filter(|_| deciding.approve) else {
        let doing = doing(actor, reason, &[], serde_json::json!({ "approved": deciding.approve }));
        case.save(store, &mut publish, &doing, (&before, &after), effects, at).await?;
        publish.answer(&after).await?;
        publish.commit().await?;
        return Ok(after);
    };
    let months = amended(store, declaring, &before, request.of_version, &request.changes).await?;
    check_certificates(store, policy, declaring, &request.changes, at).await?;
    let foreign = publish.foreign_claims(declaring.employer, &months).await?;
    if !foreign.is_empty() {
        return Err(DeclareError::ClaimedElsewhere(foreign));
    }
    let number = certification_number(policy, declaring, publish.next_certification_number().await?);
    let (after, effects) = before.clone().apply(event(number), at)?;
    let detail = serde_json::json!({ "approved": true, "version": after.last_version(), "months": months.len() });
    let doing = doing(actor, reason, &months, detail);
    case.save(store, &mut publish, &doing, (&before, &after), effects, at).await?;
    // what was amended is what the employer chooses from now on, if the year is ever opened again
    for change in &request.changes {
        let by = Chooser { name: &actor.name, at };
        publish.save_choice(declaring.employer, change.person, &[change.month], change.add, by).await?;
    }
    publish.answer(&after).await?;
    publish.commit().await?;
    Ok(after)
}

fn doing<'a>(actor: &'a Actor, reason: &'a str, months: &'a [DeclaredMonth], detail: serde_json::Value) -> Doing<'a> {
    let (action, cause) = (Action::DecideAmendment, Cause::Amendment);
    Doing { actor, action, cause, why: Some(reason), months, key: None, detail }
}

/// Amendments that wait for staff and that the actor reaches, the oldest first.
pub async fn list(store: &Store, actor: &Actor) -> Result<Vec<Listed>, DeclareError> {
    super::reached(actor, store.list_requests(Request::Amendment).await?)
}

fn base_of(declaration: &Declaration) -> Result<u32, DeclareError> {
    let version = declaration.stage.completion().map(|completion| completion.version);
    Ok(version.ok_or(Refused::NotCompleted)?)
}

/// The frozen months with the changes, as they would be frozen now.
async fn amended(
    store: &Store,
    declaring: Declaring,
    declaration: &Declaration,
    version: u32,
    changes: &[Change],
) -> Result<Vec<DeclaredMonth>, DeclareError> {
    let frozen = store.list_declared_months(declaring.employer, declaring.stored_year(), version).await?;
    let present = if changes.iter().any(|change| change.add) {
        addable_months(store, declaring, declaration).await?
    } else {
        Vec::new()
    };
    let months = amend(&frozen, changes, &present).map_err(DeclareError::NotAmendable)?;
    // a result of nothing is no result: that is what a withdrawal is for
    if months.is_empty() { Err(DeclareError::Obstacles(vec![Obstacle::NoMonths])) } else { Ok(months) }
}

/// A person whom the employer has not placed does not exist for it.
async fn find_placed(store: &Store, declaring: Declaring, changes: &[Change]) -> Result<(), DeclareError> {
    let placed = store.list_placements(&[declaring.employer]).await?;
    let has = |person: PersonId| placed.iter().any(|one| one.person == person && one.year == declaring.stored_year());
    let of_year = |change: &Change| change.month.year() == declaring.year;
    if changes.iter().all(|change| has(change.person) && of_year(change)) {
        Ok(())
    } else {
        Err(Denied::NotFound.into())
    }
}

async fn check_additions(
    store: &Store,
    policy: &Policy,
    declaring: Declaring,
    declaration: &Declaration,
    changes: &[Change],
) -> Result<(), DeclareError> {
    if !changes.iter().any(|change| change.add) {
        return Ok(());
    }
    let at = store.now().await?;
    let window = window_of(store, policy, declaring, declaration, at).await?;
    if let Some(window) = window.filter(|window| !window.contains(at)) {
        let (first_day, last_day) = (window.first_day, window.last_day);
        return Err(DeclareError::Obstacles(vec![Obstacle::OutsideWindow { first_day, last_day }]));
    }
    check_certificates(store, policy, declaring, changes, at).await
}

/// Whoever gets a new month holds a certificate in force that day.
async fn check_certificates(
    store: &Store,
    policy: &Policy,
    declaring: Declaring,
    changes: &[Change],
    at: chrono::DateTime<chrono::Utc>,
) -> Result<(), DeclareError> {
    let today = clock::business_date(at);
    if !policy.certificate_at_submission(today)? {
        return Ok(());
    }
    let mut persons: Vec<PersonId> = changes.iter().filter(|change| change.add).map(|change| change.person).collect();
    persons.sort_unstable();
    persons.dedup();
    let certificates = certificates_held(store, declaring, &persons).await?;
    let weights = policy.weights(today)?;
    let held = |person: &PersonId| certificates.get(person).map_or(&[][..], Vec::as_slice);
    persons.retain(|person| in_force_on(held(person), today, weights).is_none());
    if persons.is_empty() { Ok(()) } else { Err(DeclareError::Obstacles(vec![Obstacle::NoCertificate(persons)])) }
}
