//! Objecting: the person says which months an employer counts wrongly. No result changes by it; staff answer, and the employer hears of it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Party, PersonActor, PersonError};
use crate::declare::objections::audit_object;
use crate::domain::access::Action;
use crate::domain::facts::UnitId;
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::notice::{NoticeKind, Objected};
use crate::domain::objection::{Finding, OPEN_AT_ONCE, ObjectionKind, Refused, check};
use crate::store::Store;
use crate::store::audit::Act;
use crate::store::notices::{Addressee, NewNotice};
use crate::store::objections::NewObjection;

/// What the person says.
#[derive(Clone, Copy)]
pub struct Objecting<'a> {
    pub employer: Uscc,
    pub months: &'a [Month],
    pub kind: ObjectionKind,
    pub text: &'a str,
}

/// An objection that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ObjectionRaised")]
pub struct Raised {
    pub objection_id: i64,
    pub raised_at: DateTime<Utc>,
}

/// An objection as its person sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OwnObjection {
    pub objection_id: i64,
    pub employer: Party,
    pub months: Vec<Month>,
    pub kind: ObjectionKind,
    pub text: String,
    pub raised_at: DateTime<Utc>,
    /// Not answered yet where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// What the federation answered; by whom of it, is not told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ObjectionAnswer")]
pub struct Answer {
    pub finding: Finding,
    pub text: String,
    pub answered_at: DateTime<Utc>,
}

/// A page of one's own objections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnObjections {
    /// Newest first.
    pub objections: Vec<OwnObjection>,
    /// After which the next page begins; nothing where there are no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Takes an objection to months for which the employer has a placement of the person, or a claim.
pub async fn object(store: &Store, own: &PersonActor, objecting: &Objecting<'_>) -> Result<Raised, PersonError> {
    let Objecting { employer: uscc, months, kind, text } = *objecting;
    let (months, text) = check(kind, months, text)?;
    let employer = counting(store, own, uscc, &months).await?;
    let person = own.person();
    let at = store.now().await?;
    let mut change = store.change().await?;
    change.lock_person(person).await?;
    if change.count_open_objections(person).await? >= OPEN_AT_ONCE {
        return Err(Refused::TooManyOpen.into());
    }
    let new = NewObjection { person, employer, months: &months, kind, text: &text, at };
    let objection_id = change.save_objection(store, &new).await?;
    let notice = NewNotice {
        addressee: Addressee::Employer(employer),
        kind: NoticeKind::Objection,
        object: format!("person {}", person.0),
        fact: format!("objection {objection_id}"),
        params: serde_json::to_value(Objected { person, months: months.clone() })?,
    };
    change.save_notices(&[notice], at).await?;
    let actor = own.actor();
    let act = Act::read(at, &actor, Action::Object, audit_object(objection_id, &uscc, person));
    change.record(&act.with("kind", kind.as_str()).with("months", serde_json::to_value(&months)?)).await?;
    let raised = Raised { objection_id, raised_at: at };
    change.answer(&raised).await?;
    change.commit().await?;
    Ok(raised)
}

/// The employer, if it counts the person in all of these months.
async fn counting(store: &Store, own: &PersonActor, uscc: Uscc, months: &[Month]) -> Result<UnitId, PersonError> {
    let mut found = None;
    let years: BTreeSet<i32> = months.iter().map(|month| month.year()).collect();
    for year in years {
        let counting = store.list_counting(own.person(), year).await?.into_iter().find(|one| one.uscc == uscc);
        let counts = |month: Month| {
            counting.as_ref().is_some_and(|one| one.wage_payer.is_some() || one.claimed.contains(&month))
        };
        if let Some(month) = months.iter().copied().find(|month| month.year() == year && !counts(*month)) {
            return Err(Refused::NotCounted { month }.into());
        }
        found = counting.map(|one| one.employer);
    }
    Ok(found.ok_or(Refused::Months)?)
}

/// The person's own objections with their answers, newest first; `after` is where the page before ended.
pub async fn own_objections(
    store: &Store,
    own: &PersonActor,
    after: Option<i64>,
    limit: u32,
) -> Result<OwnObjections, PersonError> {
    let limit = limit.max(1) as usize;
    let mut listed = store.list_objections_of(own.person(), after.unwrap_or(i64::MAX), limit as i64 + 1).await?;
    let more = listed.len() > limit;
    listed.truncate(limit);
    let next = listed.last().map(|one| one.objection_id).filter(|_| more);
    let ids: Vec<i64> = listed.iter().map(|one| one.objection_id).collect();
    let words = store.objection_words(&ids).await?;
    let objections = listed.into_iter().zip(words).map(|(one, words)| OwnObjection {
        objection_id: one.objection_id,
        employer: Party { uscc: one.uscc.to_string(), name: Some(one.employer_name).filter(|name| !name.is_empty()) },
        months: one.months,
        kind: one.kind,
        text: words.text,
        raised_at: one.raised_at,
        answer: one.answered.zip(words.answer).map(|(answered, text)| Answer {
            finding: answered.finding,
            text,
            answered_at: answered.at,
        }),
    });
    Ok(OwnObjections { objections: objections.collect(), next })
}
