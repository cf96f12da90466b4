//! 完成申报: every gate, then in one publish the result is frozen, numbered, claimed, and its message put into the outbox.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use sha2::{Digest, Sha256};

use super::case::{Case, Doing, window_of};
use super::gates::{Months, affiliates_without_proof, declared_months};
use super::{DeclareError, Declaring};
use crate::clock;
use crate::domain::access::{Action, Actor};
use crate::domain::completion;
use crate::domain::declaration::{Commitment, Completion, Declaration, Event, Stage};
use crate::domain::declared::{DeclaredMonth, count_of};
use crate::domain::message::MessageKind;
use crate::domain::policy::Policy;
use crate::policy::Reading;
use crate::store::Store;
use crate::store::changes::Verified;
use crate::store::publish::{Cause, Publish};
use crate::verify::changes::is_any_touched;
use crate::verify::{Selection, verify};

/// What the employer says at completion, and what others have found out for it.
#[derive(Clone, Debug)]
pub struct Completing {
    pub declaring: Declaring,
    /// The version of the commitment text that the employer read and accepted.
    pub accepted_commitment: Option<String>,
    /// The caller's own name for this command: the same command again gets the same answer. Without one, who completed the
    /// declaration by the same commitment gets the answer again.
    pub idempotency_key: Option<String>,
    /// By a standing consent: only if it still stands, and everything that is ticked passes by itself.
    pub by_consent: bool,
}

impl Completing {
    /// Without a name for the command.
    pub fn of(declaring: Declaring, accepted_commitment: Option<String>) -> Self {
        Self { declaring, accepted_commitment, idempotency_key: None, by_consent: false }
    }
}

/// A completed declaration.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Completed {
    pub version: u32,
    pub certification_number: String,
    pub message_id: uuid::Uuid,
    pub persons: u64,
    pub weighted_person_months: u32,
}

/// The commitment text in force on a day, as a declaration keeps it.
pub fn commitment(policy: &Policy, on: NaiveDate) -> Result<Commitment, DeclareError> {
    let text = policy.commitment(on)?;
    Ok(Commitment { version: text.version.clone(), hash: hex::encode(Sha256::digest(text.text.as_bytes())) })
}

/// Completes the declaration, or says everything that stands in the way; then nothing has changed, not even a sequence. What counts is
/// the instant at which the command came, whenever it is done.
pub async fn complete(
    store: &Store,
    reading: &Reading,
    actor: &Actor,
    completing: &Completing,
) -> Result<Completed, DeclareError> {
    let declaring = completing.declaring;
    let policy = &reading.policy;
    let at = store.now().await?;
    let case = Case::load(store, declaring).await?;
    let declaration = case.look(store).await?;
    may_complete(actor, &case, &declaration)?;
    if let Some(completed) = repeated(store, actor, completing, &declaration).await? {
        return Ok(completed);
    }
    let text = commitment(policy, clock::business_date(at))?;

    // from here on nobody else publishes: no claim is taken and no declaration changed between the look and the step
    let mut publish = publish_freshly_judged(store, reading, actor, declaring, at).await?;
    let store = &publish.beside();
    let before = publish.lock_declaration(declaring.employer, declaring.stored_year()).await?;
    if let Some(completed) = repeated(store, actor, completing, &before).await? {
        publish.abandon().await?;
        return Ok(completed);
    }
    let event = |certification_number: String| Event::Complete {
        by: actor.name.clone(),
        certification_number,
        commitment: text.clone(),
    };
    before.clone().apply(event(String::new()), at)?;
    let months = declared_months(store, policy, declaring, &before, at).await?;
    if completing.by_consent && !is_agreed(store, declaring, &months).await? {
        return Err(DeclareError::NoConsent);
    }
    check_gates(store, policy, completing, &before, &months, &text, at).await?;
    let foreign = publish.foreign_claims(declaring.employer, &months.confirmed).await?;
    if !foreign.is_empty() {
        return Err(DeclareError::ClaimedElsewhere(foreign));
    }
    let number = certification_number(policy, declaring, publish.next_certification_number().await?);
    let (after, effects) = before.clone().apply(event(number), at)?;
    let count = count_of(&months.confirmed);
    let version = after.last_version();
    let doing = Doing {
        actor,
        action: Action::Complete,
        cause: Cause::Completion,
        why: None,
        months: &months.confirmed,
        key: completing.idempotency_key.as_deref(),
        detail: serde_json::json!({ "version": version, "persons": count.person_count, "months": months.confirmed.len() }),
    };
    case.save(store, &mut publish, &doing, (&before, &after), effects, at).await?;
    let completion = after.stage.completion().ok_or(crate::domain::declaration::Refused::NotCompleted)?;
    let (employer, year) = (declaring.employer, declaring.stored_year());
    let message_id = publish.find_message(employer, year, completion.version, MessageKind::Certified).await?;
    let completed = told(completion.version, &completion.certification_number, &months.confirmed, message_id);
    publish.answer(&completed).await?;
    publish.commit().await?;
    Ok(completed)
}

/// Under the publish lock, which whoever revokes waits for: whether the consent stands and covers all that is ticked.
async fn is_agreed(store: &Store, declaring: Declaring, months: &Months) -> Result<bool, DeclareError> {
    let stands = store.find_consent(declaring.employer, declaring.year).await?.is_some();
    Ok(stands && months.confirmed.iter().all(|month| !month.approved))
}

/// The employer completes; where the unit is being deregistered, staff do at the counter.
fn may_complete(actor: &Actor, case: &Case, declaration: &Declaration) -> Result<(), DeclareError> {
    match actor.may(Action::Complete, case.of.owner()) {
        Err(_) if declaration.deregistration.is_some() => Ok(actor.may(Action::Deregister, case.of.owner())?),
        outcome => Ok(outcome?),
    }
}

/// What the same command answered before, if it came before.
async fn repeated(
    store: &Store,
    actor: &Actor,
    completing: &Completing,
    declaration: &Declaration,
) -> Result<Option<Completed>, DeclareError> {
    let declaring = completing.declaring;
    let accepted = completing.accepted_commitment.as_deref();
    if let Some(key) = &completing.idempotency_key {
        let found = store.find_version_by_key(declaring.employer, declaring.stored_year(), key).await?;
        let Some(version) = found else { return Ok(None) };
        if accepted != Some(version.commitment.as_str()) {
            return Err(DeclareError::KeyReused);
        }
        return Ok(Some(answer(store, declaring, version.version, &version.certification_number).await?));
    }
    let same = |completion: &&Completion| {
        completion.amends.is_none()
            && completion.completed.by == actor.name
            && accepted == Some(completion.commitment.version.as_str())
    };
    if matches!(declaration.stage, Stage::Rejected(_)) {
        return Ok(None);
    }
    match declaration.stage.completion().filter(same) {
        None => Ok(None),
        Some(completion) => {
            Ok(Some(answer(store, declaring, completion.version, &completion.certification_number).await?))
        }
    }
}

/// What a version is told as, from what is stored of it.
async fn answer(
    store: &Store,
    declaring: Declaring,
    version: u32,
    certification_number: &str,
) -> Result<Completed, DeclareError> {
    let (employer, year) = (declaring.employer, declaring.stored_year());
    let months = store.list_declared_months(employer, year, version).await?;
    let message_id = store.find_message(employer, year, version, MessageKind::Certified).await?;
    Ok(told(version, certification_number, &months, message_id))
}

fn told(
    version: u32,
    certification_number: &str,
    months: &[DeclaredMonth],
    message_id: Option<uuid::Uuid>,
) -> Completed {
    let count = count_of(months);
    Completed {
        version,
        certification_number: certification_number.to_owned(),
        message_id: message_id.unwrap_or_default(),
        persons: u64::from(count.person_count),
        weighted_person_months: count.weighted_person_months,
    }
}

/// How often judging is tried again because what was published meanwhile touches one of the persons.
const TRIES: usize = 20;

/// The publish lock, with the employer's persons judged so that nothing published since touches any of them: what is frozen is what holds
/// now. Others publish all the time, and what they publish touches others.
async fn publish_freshly_judged(
    store: &Store,
    reading: &Reading,
    actor: &Actor,
    declaring: Declaring,
    at: DateTime<Utc>,
) -> Result<Publish, DeclareError> {
    let selection = Selection::of_employer(declaring.employer);
    for _ in 0..TRIES {
        let judged = verify(store, reading, declaring.year, &selection, &actor.name, &|_| ()).await?;
        // a pull that was published meanwhile is much to read: before the lock, under which all others wait
        let seen = store.head().await?;
        if touches_any(store, reading, declaring, at, (judged.seq, seen)).await? {
            continue;
        }
        let publish = store.publish(Cause::Completion, at).await?;
        if !touches_any(&publish.beside(), reading, declaring, at, (seen, publish.seq() - 1)).await? {
            return Ok(publish);
        }
        publish.abandon().await?;
    }
    Err(DeclareError::Busy)
}

/// Whether what was published between two sequences touches any of the employer's persons.
async fn touches_any(
    store: &Store,
    reading: &Reading,
    declaring: Declaring,
    at: DateTime<Utc>,
    (from, to): (i64, i64),
) -> Result<bool, DeclareError> {
    if from == to {
        return Ok(false);
    }
    let persons = store.placed_persons(declaring.year, declaring.employer, to).await?;
    let (business_date, policy_version) = (clock::business_date(at), reading.policy.version.clone());
    let last = Verified { seq: from, business_date, policy_version };
    Ok(is_any_touched(store, declaring.year, &persons, &last, to).await?)
}

async fn check_gates(
    store: &Store,
    policy: &Policy,
    completing: &Completing,
    declaration: &Declaration,
    months: &Months,
    text: &Commitment,
    at: DateTime<Utc>,
) -> Result<(), DeclareError> {
    let accepted = completing.accepted_commitment.as_ref().filter(|version| **version == text.version).map(|_| text);
    let facts = completion::Facts {
        at,
        window: window_of(store, policy, completing.declaring, declaration, at).await?,
        persons: &months.persons,
        without_proof: &affiliates_without_proof(store, completing.declaring).await?,
        accepted,
        commitment: text,
        certificate_at_submission: policy.certificate_at_submission(clock::business_date(at))?,
    };
    completion::check(&facts).map_err(DeclareError::Obstacles)
}

/// Province, business year, and the number in the register of certifications: `36-2025-00000001`.
pub(super) fn certification_number(policy: &Policy, declaring: Declaring, number: i64) -> String {
    format!("{:02}-{}-{number:08}", policy.province, declaring.year)
}

/// Where a declaration stands, for whoever may read the employer's results.
pub async fn show(store: &Store, actor: &Actor, declaring: Declaring) -> Result<Declaration, DeclareError> {
    Case::open(store, actor, Action::ReadResults, declaring).await?.look(store).await
}

/// Where a declaration stands, for the program itself.
pub async fn state(store: &Store, declaring: Declaring) -> Result<Declaration, DeclareError> {
    Ok(store.find_declaration(declaring.employer, declaring.stored_year()).await?)
}

/// The business year that may be declared on the day of an instant: the year before.
pub fn business_year(at: DateTime<Utc>) -> i32 {
    clock::business_date(at).year() - 1
}
