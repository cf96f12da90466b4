//! 添加残疾人, first step: whether name, ID number and certificate number belong together in the register, and nothing else.
//!
//! Whoever is not disabled, does not exist, or goes by another name or certificate number gets the same answer after the same work:
//! the look-up tells nobody who is disabled. A certificate number is guessed from the ID number in 28 tries, so misses are counted.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Register, RegisterError};
use crate::clock;
use crate::crypto::random_receipt;
use crate::domain::access::Action;
use crate::domain::certificate::{WeightRules, in_force_on};
use crate::domain::facts::{Certificate, CertificateKind, CertificateStatus, PersonId, UnitId};
use crate::domain::ids::{CertificateNumber, ResidentId, Sex, normalise, normalise_name};
use crate::store::change::Change;
use crate::store::look_ups::{Kept, LookUpRow, Misses, Outcome, Registered, receipt_hash};

/// Misses of one employer in a business day.
const EMPLOYER_MISSES: i64 = 20;
/// Misses of one actor in an hour.
const ACTOR_MISSES: usize = 5;
/// How long a match can be entered by its receipt.
pub const RECEIPT_MINUTES: i64 = 30;

/// What the employer typed.
#[derive(Clone)]
pub struct LookUp<'a> {
    pub employer: UnitId,
    pub name: &'a str,
    pub id: ResidentId,
    pub certificate_number: &'a str,
    /// Whether kind and level of the disability may be told: once a contract with its file is attached.
    pub reveal_level: bool,
}

/// A match, or none; of none there is nothing to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "LookUpAnswer")]
pub struct Answer {
    #[serde(rename = "match")]
    pub matches: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
}

/// What fills the form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "LookUpFound")]
pub struct Found {
    /// By which the person is entered, by this employer, until `expires_at`.
    pub receipt: String,
    pub expires_at: DateTime<Utc>,
    pub sex: Sex,
    pub born_on: NaiveDate,
    pub certificate: CertificateFound,
}

/// The certificate whose number was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CertificateFound {
    pub kind: CertificateKind,
    pub status: CertificateStatus,
    pub valid_from: NaiveDate,
    pub valid_to: Option<NaiveDate>,
    pub in_force_today: bool,
    /// 1–7; only where the level may be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
}

/// Too many look-ups missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooManyMisses {
    #[error(
        "{EMPLOYER_MISSES} look-ups of this employer found nobody today; staff are told, and look-ups go on at {}",
        clock::rfc3339(*until)
    )]
    OfEmployer { until: DateTime<Utc> },
    #[error("{ACTOR_MISSES} look-ups of yours found nobody within an hour; staff are told, and you go on at {}", clock::rfc3339(*until))]
    OfActor { until: DateTime<Utc> },
}

impl TooManyMisses {
    pub fn until(self) -> DateTime<Utc> {
        match self {
            Self::OfEmployer { until } | Self::OfActor { until } => until,
        }
    }

    pub fn chinese(self) -> String {
        let until = self.until().with_timezone(&clock::SHANGHAI).format("%Y-%m-%d %H:%M");
        match self {
            Self::OfEmployer { .. } => {
                format!("本单位今日查询未匹配已达{EMPLOYER_MISSES}次，已通知残联工作人员，请于{until}后再查询。")
            }
            Self::OfActor { .. } => {
                format!("您一小时内查询未匹配已达{ACTOR_MISSES}次，已通知残联工作人员，请于{until}后再查询。")
            }
        }
    }
}

impl Register<'_> {
    /// Looks a person up. Every look-up, refused ones too, is one row of the audit that names the person, if they are known here.
    pub async fn look_up(&self, asked: &LookUp<'_>) -> Result<Answer, RegisterError> {
        let held = self.hold(asked.employer, Action::LookUp).await?;
        let at = self.store.now().await?;
        let today = clock::business_date(at);
        let weights = self.policy.weights(today)?;
        let mut change = self.store.change().await?;
        change.lock_look_ups(asked.employer, &self.actor.name).await?;
        let (day_began_at, hour_began_at) = (clock::start_of_day(today), at - TimeDelta::hours(1));
        let misses = change.look_up_misses(asked.employer, &self.actor.name, day_began_at, hour_began_at).await?;
        let row = |outcome| LookUpRow { employer: asked.employer, actor: &self.actor.name, at, outcome };
        if let Some(refused) = too_many(&misses, today) {
            change.save_look_up(&row(Outcome::Refused)).await?;
            let mut act = self.act(at, Action::LookUp, "nobody".to_owned());
            act.detail = serde_json::json!({ "employer": held.uscc, "refused": "too_many_misses" });
            change.record(&act).await?;
            change.commit().await?;
            return Err(refused.into());
        }
        let (kept, registered) = change.find_registered(self.store, &asked.id).await?;
        let receipt = random_receipt()?;
        let found = match_of(asked, kept.as_ref(), &registered, weights).map(|(kept, index)| {
            let found = Found {
                receipt: receipt.clone(),
                expires_at: at + TimeDelta::minutes(RECEIPT_MINUTES),
                sex: kept.sex,
                born_on: kept.born_on,
                certificate: certificate_found(&registered, index, today, weights, asked.reveal_level),
            };
            (kept.person, found)
        });
        // hashed for a miss too: the same work
        let receipt = receipt_hash(self.store, &receipt);
        let outcome = match &found {
            Some((person, found)) => Outcome::Match { person: *person, receipt, expires_at: found.expires_at },
            None => Outcome::NoMatch,
        };
        change.save_look_up(&row(outcome)).await?;
        let object = kept.as_ref().map_or_else(|| "nobody".to_owned(), |kept| format!("person {}", kept.person.0));
        let mut act = self.act(at, Action::LookUp, object);
        act.detail = serde_json::json!({ "employer": held.uscc, "match": found.is_some() });
        change.record(&act).await?;
        let answer = Answer { matches: found.is_some(), found: found.map(|(_, found)| found) };
        change.answer(&answer).await?;
        change.commit().await?;
        Ok(answer)
    }
}

fn too_many(misses: &Misses, today: NaiveDate) -> Option<TooManyMisses> {
    if misses.of_employer >= EMPLOYER_MISSES {
        let tomorrow = today.succ_opt().unwrap_or(today);
        return Some(TooManyMisses::OfEmployer { until: clock::start_of_day(tomorrow) });
    }
    let earliest = misses.of_actor.len().checked_sub(ACTOR_MISSES).and_then(|place| misses.of_actor.get(place))?;
    Some(TooManyMisses::OfActor { until: *earliest + TimeDelta::hours(1) })
}

/// Whom the three belong to, and by which certificate.
fn match_of<'a>(
    asked: &LookUp<'_>,
    kept: Option<&'a Kept>,
    registered: &[Registered],
    weights: WeightRules,
) -> Option<(&'a Kept, usize)> {
    let name_fits = kept.is_some_and(|kept| normalise_name(&kept.name) == normalise_name(asked.name));
    let number = comparable(asked.certificate_number);
    // a level that counts for nothing is as good as no certificate
    let counts = |one: &Registered| weights.weight(one.certificate.kind, one.certificate.level) > 0;
    let by_number = (registered.iter().enumerate())
        .filter(|(_, one)| counts(one) && comparable(&one.number) == number)
        .max_by_key(|(_, one)| (one.certificate.valid_from, one.certificate.updated_at, one.certificate.version))
        .map(|(index, _)| index);
    kept.filter(|_| name_fits).zip(by_number)
}

/// A number without the suffix of its reissue: the card in hand and the register may differ by it. Soldiers' are free text.
pub(in crate::declare) fn comparable(number: &str) -> String {
    match CertificateNumber::parse(number) {
        Ok(parsed) => CertificateNumber { reissue: None, ..parsed }.reveal(),
        Err(_) => normalise(number).into_owned(),
    }
}

fn certificate_found(
    registered: &[Registered],
    index: usize,
    today: NaiveDate,
    weights: WeightRules,
    reveal_level: bool,
) -> CertificateFound {
    let Registered { certificate, category, .. } = &registered[index];
    let all: Vec<Certificate> = registered.iter().map(|one| one.certificate).collect();
    CertificateFound {
        kind: certificate.kind,
        status: certificate.status,
        valid_from: certificate.valid_from,
        valid_to: certificate.valid_to,
        in_force_today: in_force_on(&all, today, weights).is_some(),
        category: category.filter(|_| reveal_level),
        level: reveal_level.then_some(certificate.level),
    }
}

impl Register<'_> {
    /// Whom a receipt of this employer's stands for.
    pub(super) async fn receipt_holder(
        &self,
        change: &mut Change,
        employer: UnitId,
        receipt: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<PersonId>, RegisterError> {
        let hash = receipt_hash(self.store, receipt.trim());
        Ok(change.find_looked_up(employer, &hash, at).await?)
    }
}
