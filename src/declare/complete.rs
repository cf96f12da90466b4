//! 完成申报: every gate, then in one publish the result is frozen, numbered, claimed, and its message put into the outbox.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use sha2::{Digest, Sha256};

use super::message::{body, digest};
use super::{DeclareError, Declaring};
use crate::clock;
use crate::domain::access::{Action, Actor};
use crate::domain::certificate::{WeightRules, in_force_on};
use crate::domain::certification::{Certification, OutboundMessage, Subject};
use crate::domain::completion::{self, DeclaredPerson, Window};
use crate::domain::counting::Count;
use crate::domain::declaration::{Commitment, Effect, Event, State};
use crate::domain::facts::PersonId;
use crate::domain::month::Month;
use crate::domain::policy::Policy;
use crate::domain::verdict::Verdict;
use crate::policy::Reading;
use crate::store::Store;
use crate::store::audit::Act;
use crate::store::declarations::{DeclaredMonth, OutboxMessage};
use crate::store::publish::{Cause, Publish};
use crate::verify::{Selection, verify};

/// What the employer says at completion.
#[derive(Clone, Debug)]
pub struct Completing {
    pub declaring: Declaring,
    /// The version of the commitment text that the employer read and accepted.
    pub accepted_commitment: Option<String>,
    pub actor: Actor,
}

/// A completed declaration.
#[derive(Clone, Debug, serde::Serialize)]
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

/// Completes the declaration, or says everything that stands in the way; then nothing has changed, not even a sequence.
pub async fn complete(store: &Store, reading: &Reading, completing: &Completing) -> Result<Completed, DeclareError> {
    let declaring = completing.declaring;
    let policy = &reading.policy;
    let at = store.now().await?;
    let today = clock::business_date(at);
    let text = commitment(policy, today)?;
    let employer = store
        .list_employers(i64::MAX, &[declaring.employer])
        .await?
        .into_iter()
        .next()
        .ok_or(DeclareError::UnknownEmployer)?;
    let codes = store.unit_codes(&[declaring.employer]).await?;
    let uscc = *codes.get(&declaring.employer).ok_or(DeclareError::UnknownEmployer)?;

    // from here on nobody else publishes: no claim is taken and no declaration changed between the look and the step
    let mut publish = publish_freshly_judged(store, reading, completing, at).await?;
    let state = publish.lock_declaration(declaring.employer, declaring.stored_year()).await?;
    let event = |certification_number: String| Event::Complete {
        by: completing.actor.name.clone(),
        certification_number,
        commitment: text.clone(),
    };
    state.clone().apply(event(String::new()), at)?;
    let months = declared_months(store, policy, declaring, today).await?;
    check_gates(policy, declaring, today, &months, completing, &text)?;
    let frozen: Vec<DeclaredMonth> = months.iter().flat_map(|person| person.months.iter().copied()).collect();
    let foreign = publish.foreign_claims(declaring.employer, &frozen).await?;
    if !foreign.is_empty() {
        return Err(DeclareError::ClaimedElsewhere(foreign));
    }
    let number = certification_number(policy, declaring, publish.next_certification_number().await?);
    let (next, effects) = state.apply(event(number.clone()), at)?;
    let count = count_of(&months);
    let message_id = clock::uuid_v7(at);
    for effect in effects {
        match effect {
            Effect::Freeze { version } => {
                publish.freeze(declaring.employer, declaring.stored_year(), version, &frozen).await?;
            }
            Effect::TakeClaims { version } => publish.take_claims(declaring.employer, version, &frozen).await?,
            Effect::Enqueue(message) => {
                let subject = Subject {
                    uscc,
                    employer_name: employer.name.clone(),
                    tax_division: employer.tax_division.clone(),
                    year: declaring.stored_year(),
                };
                let certification = Certification { count, supersedes: None, certified_at: at, number: number.clone() };
                let body = body(&OutboundMessage::certified(message_id, message, subject, certification))?;
                let row = OutboxMessage {
                    message_id,
                    employer: declaring.employer,
                    year: declaring.stored_year(),
                    message,
                    idempotency_key: message.idempotency_key(&uscc, declaring.year),
                    digest: digest(&body),
                    body,
                };
                publish.enqueue(&row, at).await?;
            }
            Effect::ReleaseClaims { not_in_version } => {
                publish.release_claims(declaring.employer, declaring.stored_year(), not_in_version).await?;
            }
        }
    }
    publish.save_declaration(declaring.employer, declaring.stored_year(), &next, at).await?;
    let version = next.last_version();
    let detail = serde_json::json!({ "version": version, "persons": count.person_count, "months": frozen.len() });
    let object = format!("declaration {uscc} {}", declaring.year);
    publish.record(&Act { detail, ..Act::read(at, &completing.actor, Action::Complete, object) }).await?;
    publish.commit().await?;
    Ok(Completed {
        version,
        certification_number: number,
        message_id,
        persons: u64::from(count.person_count),
        weighted_person_months: count.weighted_person_months,
    })
}

/// How often judging is tried again because somebody else published meanwhile.
const TRIES: usize = 20;

/// The publish lock, with the employer's persons judged at the very sequence before it: what is frozen is what holds now.
async fn publish_freshly_judged(
    store: &Store,
    reading: &Reading,
    completing: &Completing,
    at: DateTime<Utc>,
) -> Result<Publish, DeclareError> {
    let Declaring { employer, year } = completing.declaring;
    let selection = Selection::of_employer(employer);
    for _ in 0..TRIES {
        let judged = verify(store, reading, year, &selection, &completing.actor.name, &|_| ()).await?;
        let publish = store.publish(Cause::Completion, at).await?;
        if publish.seq() == judged.seq + 1 {
            return Ok(publish);
        }
        publish.abandon().await?;
    }
    Err(DeclareError::Busy)
}

/// One person's confirmed months with the verdicts they were confirmed by.
struct PersonMonths {
    person: PersonId,
    months: Vec<DeclaredMonth>,
    /// Confirmed once, but by the results of today no more.
    fallen: Vec<Month>,
    certificate_in_force: bool,
}

async fn declared_months(
    store: &Store,
    policy: &Policy,
    declaring: Declaring,
    today: NaiveDate,
) -> Result<Vec<PersonMonths>, DeclareError> {
    let confirmed = store.confirmed_months(declaring.employer, declaring.year).await?;
    let placements = store.list_placements(&[declaring.employer]).await?;
    let dispatched: HashMap<PersonId, bool> = placements
        .iter()
        .filter(|placement| i32::from(placement.year) == declaring.year)
        .map(|placement| (placement.person, placement.dispatch.is_some()))
        .collect();
    let persons: Vec<PersonId> = confirmed.keys().copied().collect();
    let certificates = store.certificates_of(&persons).await?;
    let weights: WeightRules = policy.weights(today)?;
    let mut verdicts_of: HashMap<PersonId, HashMap<Month, Verdict>> = HashMap::new();
    for row in store.employer_rows(declaring.year, declaring.employer).await? {
        verdicts_of.insert(row.person, row.verdicts(declaring.year)?.into_iter().collect());
    }
    let mut declared = Vec::with_capacity(persons.len());
    for (person, months) in confirmed {
        let results = verdicts_of.get(&person);
        let passed = |month: &Month| results.and_then(|results| results.get(month)).filter(|verdict| verdict.passed());
        let kept = months.iter().filter_map(|month| {
            let verdict = passed(month)?;
            Some(DeclaredMonth {
                person,
                month: *month,
                weight: verdict.weight,
                dispatched: dispatched.get(&person).copied().unwrap_or_default(),
                cell: verdict.pack(),
            })
        });
        let held = certificates.get(&person).map_or(&[][..], Vec::as_slice);
        declared.push(PersonMonths {
            person,
            months: kept.collect(),
            fallen: months.iter().filter(|month| passed(month).is_none()).copied().collect(),
            certificate_in_force: in_force_on(held, today, weights).is_some(),
        });
    }
    declared.sort_by_key(|person| person.person);
    Ok(declared)
}

fn check_gates(
    policy: &Policy,
    declaring: Declaring,
    today: NaiveDate,
    months: &[PersonMonths],
    completing: &Completing,
    text: &Commitment,
) -> Result<(), DeclareError> {
    let persons: Vec<DeclaredPerson> = months
        .iter()
        .map(|person| DeclaredPerson {
            person: person.person,
            confirmed: person.months.iter().map(|month| month.month).collect(),
            awaiting: person.fallen.clone(),
            new_or_changed: true,
            certificate_in_force: person.certificate_in_force,
        })
        .collect();
    let (first_day, last_day) = policy.window(declaring.year);
    let accepted = completing.accepted_commitment.as_ref().filter(|version| **version == text.version).map(|_| text);
    let facts = completion::Facts {
        business_date: today,
        window: Window { first_day, last_day },
        persons: &persons,
        accepted,
        commitment: text,
        certificate_at_submission: policy.certificate_at_submission(today)?,
    };
    completion::check(&facts).map_err(DeclareError::Obstacles)
}

fn count_of(months: &[PersonMonths]) -> Count {
    Count::of(months.iter().map(|person| {
        let mut weights = [0; 12];
        for month in &person.months {
            weights[month.month.number() as usize - 1] = month.weight;
        }
        weights
    }))
}

/// Province, business year, and the number in the register of certifications: `36-2025-00000001`.
fn certification_number(policy: &Policy, declaring: Declaring, number: i64) -> String {
    format!("{:02}-{}-{number:08}", policy.province, declaring.year)
}

/// Where a declaration stands.
pub async fn state(store: &Store, declaring: Declaring) -> Result<State, DeclareError> {
    Ok(store.find_declaration(declaring.employer, declaring.stored_year()).await?)
}

/// The business year that may be declared on the day of an instant: the year before.
pub fn business_year(at: DateTime<Utc>) -> i32 {
    clock::business_date(at).year() - 1
}
