//! Standing consent: an employer agrees beforehand that what passes by itself is completed for it on the last day, or takes that back.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::complete::{Completed, Completing, business_year, commitment, complete, state};
use super::permit::{find, permit};
use super::standing::placements;
use super::unfinished::is_all_green;
use super::{DeclareError, Declaring};
use crate::clock;
use crate::domain::access::{Action, Actor, Denied};
use crate::domain::declaration::Refused;
use crate::policy::Reading;
use crate::store::Store;
use crate::store::audit::Act;
use crate::store::consents::Consent;

/// Why a consent was not given or revoked.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(
        "the text in force is version {in_force}; `{given}` was accepted. Read it (`declare commitment`), then accept it"
    )]
    AnotherText { in_force: String, given: String },
    #[error("{0} is over, or not yet to be declared: a consent is for the year that is declared next or now")]
    AnotherYear(i32),
    #[error("{0} is completed or closed already: there is nothing left to agree to")]
    NotOpen(i32),
    #[error("a consent is in force already")]
    GivenBefore,
    #[error("no consent is in force")]
    NoneGiven,
    #[error(transparent)]
    Declare(#[from] DeclareError),
}

impl ConsentError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied(denied) => denied.code(),
            Self::AnotherText { .. } => "another_commitment_text",
            Self::AnotherYear(_) => "another_year",
            Self::NotOpen(_) => "not_open",
            Self::GivenBefore => "consent_given_before",
            Self::NoneGiven => "no_consent",
            Self::Declare(_) => "failed",
        }
    }

    pub fn chinese(&self) -> String {
        match self {
            Self::Denied(denied) => denied.chinese().to_owned(),
            Self::AnotherText { in_force, .. } => format!("承诺书现行版本为 {in_force}，请阅读现行文本后再确认。"),
            Self::AnotherYear(year) => format!("{year} 年度不能授权：只能对正在申报或下一个申报的年度授权。"),
            Self::NotOpen(year) => format!("{year} 年度已完成申报或已关闭，无需授权。"),
            Self::GivenBefore => "授权已经生效，无需重复授权。".to_owned(),
            Self::NoneGiven => "没有生效的授权可以撤销。".to_owned(),
            Self::Declare(_) => "操作未能完成，请稍后再试。".to_owned(),
        }
    }
}

impl From<crate::store::StoreError> for ConsentError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Declare(error.into())
    }
}

/// A consent that was taken back.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ConsentRevoked {
    pub employer_uscc: String,
    pub year: i32,
    pub revoked_at: DateTime<Utc>,
}

/// Agrees for one year, by the commitment text in force.
pub async fn give(
    store: &Store,
    reading: &Reading,
    declaring: Declaring,
    actor: &Actor,
    accepted: &str,
) -> Result<Consent, ConsentError> {
    let uscc = permit::<ConsentError>(store, actor, Action::Consent, declaring.employer).await?.uscc;
    let at = store.now().await?;
    let declared = business_year(at);
    if !(declared..=declared + 1).contains(&declaring.year) {
        return Err(ConsentError::AnotherYear(declaring.year));
    }
    let commitment = commitment(&reading.policy, clock::business_date(at))?;
    if commitment.version != accepted {
        return Err(ConsentError::AnotherText { in_force: commitment.version, given: accepted.to_owned() });
    }
    // under the lock: nobody completes between the look and the step
    let mut change = store.change().await?;
    if !change.hold_declaration(declaring.employer, declaring.year as i16).await?.is_editable() {
        return Err(ConsentError::NotOpen(declaring.year));
    }
    let consent = Consent { employer: declaring.employer, given_at: at, given_by: actor.name.clone(), commitment };
    if !change.give_consent(declaring.year, &consent).await? {
        change.abandon().await?;
        return Err(ConsentError::GivenBefore);
    }
    let detail = serde_json::json!({ "given": true, "commitment": consent.commitment });
    let object = format!("consent {uscc} {}", declaring.year);
    change.record(&Act { detail, ..Act::read(at, actor, Action::Consent, object) }).await?;
    change.answer(&consent).await?;
    change.commit().await?;
    Ok(consent)
}

/// Takes it back.
pub async fn revoke(store: &Store, declaring: Declaring, actor: &Actor) -> Result<ConsentRevoked, ConsentError> {
    let uscc = permit::<ConsentError>(store, actor, Action::Consent, declaring.employer).await?.uscc;
    let at = store.now().await?;
    let mut change = store.change().await?;
    // a completion that holds the lock is before us, or sees that nothing is agreed any more
    change.hold_declaration(declaring.employer, declaring.year as i16).await?;
    if !change.revoke_consent(declaring.employer, declaring.year, &actor.name, at).await? {
        change.abandon().await?;
        return Err(ConsentError::NoneGiven);
    }
    let detail = serde_json::json!({ "given": false });
    let object = format!("consent {uscc} {}", declaring.year);
    change.record(&Act { detail, ..Act::read(at, actor, Action::Consent, object) }).await?;
    let revoked = ConsentRevoked { employer_uscc: uscc.to_string(), year: declaring.year, revoked_at: at };
    change.answer(&revoked).await?;
    change.commit().await?;
    Ok(revoked)
}

/// Whether a consent that is in force cannot be carried out as things stand: its text is no longer the one in force, or something that is
/// ticked does not pass by itself.
pub async fn fails(store: &Store, reading: &Reading, declaring: Declaring) -> Result<bool, DeclareError> {
    let Some(consent) = store.find_consent(declaring.employer, declaring.year).await? else { return Ok(false) };
    let today = store.today().await?;
    if consent.commitment != commitment(&reading.policy, today)? {
        return Ok(true);
    }
    Ok(!is_all_green(&placements(store, declaring).await?))
}

/// As the audit names the program.
const PROGRAM: &str = "renzheng";

/// Completes for an employer that agreed, or tells that it did, if the declaration is open, the accepted text is the one in force, and everything that is ticked
/// passes by itself. `None`: it cannot be so; a person must.
pub async fn complete_by_consent(
    store: &Store,
    reading: &Reading,
    declaring: Declaring,
) -> Result<Option<Completed>, DeclareError> {
    let Some(consent) = store.find_consent(declaring.employer, declaring.year).await? else { return Ok(None) };
    let at = store.now().await?;
    let in_force = commitment(&reading.policy, clock::business_date(at))?;
    let declaration = state(store, declaring).await?;
    // what was completed so before is answered once more: whoever did it may have died before the employer was told
    let is_done = declaration.stage.completion().is_some_and(|completion| completion.completed.by == PROGRAM);
    if consent.commitment != in_force || !(is_done || declaration.is_editable()) {
        return Ok(None);
    }
    if !is_done && !is_all_green(&placements(store, declaring).await?) {
        return Ok(None);
    }
    let uscc = find::<DeclareError>(store, declaring.employer).await?.uscc;
    let program = Actor { on_behalf_of: Some(uscc.to_string()), ..Actor::program(PROGRAM) };
    let completing = Completing { by_consent: true, ..Completing::of(declaring, Some(in_force.version)) };
    match complete(store, reading, &program, &completing).await {
        Ok(completed) => Ok(Some(completed)),
        // somebody was first, or a person must look: the certificate of somebody lapsed, another employer claims a month
        Err(
            DeclareError::Refused(Refused::AlreadyCompleted)
            | DeclareError::NoConsent
            | DeclareError::Obstacles(_)
            | DeclareError::ClaimedElsewhere(_),
        ) => Ok(None),
        Err(error) => Err(error),
    }
}
