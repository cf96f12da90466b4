//! 窗口出示原件: what was shown on paper at the counter, as evidence for months, and originals of certificates for the day of submission.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::permit::permit;
use super::super::{DeclareError, standing};
use super::decide::hold_open;
use crate::clock;
use crate::domain::access::{Action, Actor, Role};
use crate::domain::facts::CertificateKind;
use crate::domain::month::Month;
use crate::domain::review::Grounds;
use crate::domain::reviewing::Refused;
use crate::store::Store;
use crate::store::audit::Act;
use crate::store::originals::OriginalSeen;
use crate::store::review_cases::CaseKey;

/// Documents shown on paper.
#[derive(Clone, Debug)]
pub struct Shown {
    pub case: CaseKey,
    pub months: Vec<Month>,
    pub grounds: Grounds,
}

/// The validity of a certificate, as read from its original.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OriginalRead {
    pub kind: CertificateKind,
    pub level: u8,
    pub valid_from: NaiveDate,
    pub valid_to: Option<NaiveDate>,
}

/// That documents were shown, recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Recorded {
    /// Grounds of months that it is new for.
    pub new: u64,
}

/// Records that documents were shown, which is evidence for these grounds of these months; how many are new. A reviewer does, or the
/// operator at the counter: an employer attaches its documents.
pub async fn show_evidence(store: &Store, actor: &Actor, shown: &Shown) -> Result<Recorded, DeclareError> {
    let Shown { case, months, grounds } = shown;
    let year = i32::from(case.year);
    let seeing = actor.role.may(Action::SeeOriginal);
    let action = if seeing { Action::SeeOriginal } else { Action::AttachEvidence };
    let of = permit::<DeclareError>(store, actor, action, case.employer).await?;
    if !seeing && actor.role != Role::Operator {
        actor.may(Action::AttachEvidence, of.owner())?;
        return Err(Refused::NotAtTheCounter.into());
    }
    if months.is_empty() {
        return Err(Refused::NoMonths.into());
    }
    if let Some(month) = months.iter().find(|month| month.year() != year) {
        return Err(Refused::OtherYear { month: *month, year }.into());
    }
    if !standing::entered(store, case.declaring()).await?.placed.contains_key(&case.person) {
        return Err(Refused::NoPlacement { year }.into());
    }
    let at = store.now().await?;
    let mut change = hold_open(store, *case).await?;
    let new = change.save_evidence_shown(case.employer, case.person, months, *grounds, &actor.name, at).await?;
    if new > 0 {
        let detail = serde_json::json!({ "months": months, "shown": grounds.words() });
        let object = of.placement(case.year, case.person);
        change.record(&Act { detail, ..Act::read(at, actor, action, object) }).await?;
    }
    let recorded = Recorded { new };
    change.answer(&recorded).await?;
    change.commit().await?;
    Ok(recorded)
}

/// Records that the original of a certificate was seen today.
pub async fn see_original(
    store: &Store,
    actor: &Actor,
    case: CaseKey,
    read: OriginalRead,
) -> Result<OriginalSeen, DeclareError> {
    let OriginalRead { kind, level, valid_from, valid_to } = read;
    let of = permit::<DeclareError>(store, actor, Action::SeeOriginal, case.employer).await?;
    let most = match kind {
        CertificateKind::DisabledPerson => 4,
        CertificateKind::DisabledSoldier => 10,
    };
    if !(1..=most).contains(&level) {
        return Err(Refused::NoSuchLevel { level, most }.into());
    }
    if let Some(valid_to) = valid_to.filter(|valid_to| *valid_to < valid_from) {
        return Err(Refused::ValidityBackwards { valid_from, valid_to }.into());
    }
    let year = i32::from(case.year);
    if !standing::entered(store, case.declaring()).await?.placed.contains_key(&case.person) {
        return Err(Refused::NoPlacement { year }.into());
    }
    let at = store.now().await?;
    let seen_on = clock::business_date(at);
    let original = OriginalSeen { person: case.person, seen_on, kind, level, valid_from, valid_to, seen_at: at };
    let mut change = store.change().await?;
    change.save_original(case.employer, &original, &actor.name).await?;
    let detail = serde_json::to_value(read)?;
    let object = of.placement(case.year, case.person);
    change.record(&Act { detail, ..Act::read(at, actor, Action::SeeOriginal, object) }).await?;
    change.answer(&original).await?;
    change.commit().await?;
    Ok(original)
}
