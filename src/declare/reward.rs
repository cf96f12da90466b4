//! 超比例奖励申请: who qualifies by the accepted result, what the policy's formula gives, and the application from asking to deciding.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::Declaring;
use super::permit::{EmployerEntry, permit};
use crate::clock;
use crate::domain::access::{Action, Actor, Denied, Scope};
use crate::domain::counting::{Headcount, HeadcountError};
use crate::domain::dated::NoRule;
use crate::domain::declaration::{Declaration, Held};
use crate::domain::declared::gain_of;
use crate::domain::ids::Uscc;
use crate::domain::policy::{Policy, WageClass};
use crate::domain::reward::{MinimumWage, Reward, RewardInput, RewardOutcome, closed_to, reward};
use crate::domain::reward_application::{Application, ApplicationState, Basis, Ending, Refused, Ruling};
use crate::policy::Reading;
use crate::store::audit::{Act, fingerprint};
use crate::store::change::Change;
use crate::store::place::Place;
use crate::store::rewards::NewApplication;
use crate::store::{Store, StoreError};

/// Why a step of an application was not taken; then nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum RewardError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the employer's headcount cannot be used")]
    Headcount(#[from] HeadcountError),
    #[error("the application could not be written to the audit")]
    Audited(#[from] serde_json::Error),
    #[error("the application could not be read or stored")]
    Store(#[from] StoreError),
}

impl From<NoRule> for RewardError {
    fn from(no_rule: NoRule) -> Self {
        Self::Refused(no_rule.into())
    }
}

impl RewardError {
    /// Of a refusal: what it is, for programs. `None`: something went wrong, which is nobody's refusal.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Denied(denied) => Some(denied.code()),
            Self::Refused(refused) => Some(refused.code()),
            Self::Headcount(_) | Self::Audited(_) | Self::Store(_) => None,
        }
    }

    /// Of a refusal: the sentence for people.
    pub fn chinese(&self) -> Option<String> {
        match self {
            Self::Denied(denied) => Some(denied.chinese().to_owned()),
            Self::Refused(refused) => Some(refused.chinese()),
            Self::Headcount(_) | Self::Audited(_) | Self::Store(_) => None,
        }
    }
}

/// What stands in the way of an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "RewardObstacle")]
pub struct Obstacle {
    pub code: &'static str,
    pub en: String,
    pub zh: String,
}

/// The result in force that a reward rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ResultInForce {
    #[serde(flatten)]
    pub basis: Basis,
    pub certification_number: String,
    /// RFC 3339 in Beijing time.
    pub accepted_at: String,
}

/// Whether an employer may apply for a year, and where its applications stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "RewardEligibility")]
pub struct Eligibility {
    pub employer_uscc: Uscc,
    pub year: i32,
    /// By which the calculation is made.
    pub policy_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultInForce>,
    /// By the result in force; absent where there is none, or where something that it needs is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calculation: Option<Reward>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome_zh: Option<&'static str>,
    pub may_apply: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
    /// Newest first.
    pub applications: Vec<Applied>,
}

/// An application as it stands. Instants are RFC 3339 in Beijing time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "RewardApplication")]
pub struct Applied {
    pub application_id: i64,
    pub employer_uscc: Uscc,
    pub year: i16,
    pub state: ApplicationState,
    pub state_zh: &'static str,
    /// What it rests on.
    #[serde(flatten)]
    pub basis: Basis,
    /// Whether that is what the tax department holds now. One that was approved stays approved when it is no more.
    pub rests_on_result_in_force: bool,
    pub policy_version: String,
    /// As it was worked out when it was applied for.
    pub calculation: Reward,
    pub applied_at: String,
    pub applied_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_zh: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A page of open applications, oldest first.
#[derive(Clone, Debug)]
pub struct Page {
    pub applications: Vec<Applied>,
    /// After which the next page begins; `None`: this is the last.
    pub next: Option<Place>,
}

/// Staff's word.
#[derive(Clone, Debug)]
pub struct Deciding {
    pub ruling: Ruling,
    /// The application that was looked at: if another is open by now, nothing is decided.
    pub seen: Option<i64>,
}

/// Whether the employer may apply, each step of the amount, and what became of its applications.
pub async fn show(
    store: &Store,
    policy: &Policy,
    actor: &Actor,
    declaring: Declaring,
) -> Result<Eligibility, RewardError> {
    let of: EmployerEntry = permit::<RewardError>(store, actor, Action::ReadResults, declaring.employer).await?;
    let declaration = store.find_declaration(declaring.employer, stored_year(declaring)?).await?;
    let applications = store.list_applications(declaring.employer, stored_year(declaring)?).await?;
    let held = declaration.in_force();
    let calculation = match held {
        None => None,
        Some(held) => match calculate(store, policy, &of, declaring, held).await {
            Err(RewardError::Refused(_)) => None,
            calculated => Some(calculated?),
        },
    };
    let may = match may_apply(store, policy, &of, declaring, &declaration, &applications).await {
        Err(RewardError::Refused(refused)) => Some(refused),
        other => {
            other?;
            None
        }
    };
    let in_force = held.map(Basis::of);
    Ok(Eligibility {
        employer_uscc: of.uscc,
        year: declaring.year,
        policy_version: policy.version.clone(),
        result: held.map(|held| ResultInForce {
            basis: Basis::of(held),
            certification_number: held.completion.certification_number.clone(),
            accepted_at: clock::rfc3339(held.accepted_at),
        }),
        outcome_zh: calculation.as_ref().map(|calculation| calculation.outcome.chinese()),
        calculation,
        may_apply: may.is_none(),
        obstacle: may.map(|refused| Obstacle { code: refused.code(), en: refused.to_string(), zh: refused.chinese() }),
        applications: applications.into_iter().map(|one| Applied::of(one, of.uscc, in_force)).collect(),
    })
}

/// Applies by the result in force: the calculation is frozen, with the policy it follows. One is open at a time.
pub async fn apply(
    store: &Store,
    reading: &Reading,
    actor: &Actor,
    declaring: Declaring,
) -> Result<Applied, RewardError> {
    let of: EmployerEntry = permit::<RewardError>(store, actor, Action::ApplyReward, declaring.employer).await?;
    let (employer, year) = (declaring.employer, stored_year(declaring)?);
    let declaration = store.find_declaration(employer, year).await?;
    let applications = store.list_applications(employer, year).await?;
    let (basis, calculation) = may_apply(store, &reading.policy, &of, declaring, &declaration, &applications).await?;
    let at = store.now().await?;
    let mut change = store.change().await?;
    // from here on nobody else applies, and no answer of the department is taken in
    let (in_force, applications) = lock(&mut change, declaring).await?;
    if in_force != Some(basis) {
        return Err(Refused::ResultChanged.into());
    }
    refuse_another(&applications, in_force)?;
    let policy_version = reading.policy.version.as_str();
    let new =
        NewApplication { employer, year, basis, calculation: &calculation, policy_version, policy_text: &reading.text };
    let added = change.add_application(&new, &actor.name, at).await?;
    let application_id = added.ok_or(Refused::RequestOpen)?;
    let act = Act::read(at, actor, Action::ApplyReward, object(&of, declaring)).with("did", "apply");
    let act = act.with("application", application_id).with("version", basis.version);
    let act = act.with("amount", calculation.amount.to_string()).with("policy_version", policy_version);
    change.record(&Act { after: Some(fingerprint(store.keys(), &calculation)?), ..act }).await?;
    let applied = reread(&mut change, &of, declaring, application_id, in_force).await?;
    change.answer(&applied).await?;
    change.commit().await?;
    Ok(applied)
}

/// The employer takes back what is open.
pub async fn withdraw(store: &Store, actor: &Actor, declaring: Declaring) -> Result<Applied, RewardError> {
    let of: EmployerEntry = permit::<RewardError>(store, actor, Action::ApplyReward, declaring.employer).await?;
    let at = store.now().await?;
    let mut change = store.change().await?;
    let (in_force, applications) = lock(&mut change, declaring).await?;
    let application_id = open_one(&applications, in_force)?.application_id;
    change.withdraw_application(application_id, &actor.name, at).await?;
    let act = Act::read(at, actor, Action::ApplyReward, object(&of, declaring)).with("did", "withdraw");
    change.record(&act.with("application", application_id)).await?;
    let applied = reread(&mut change, &of, declaring, application_id, in_force).await?;
    change.answer(&applied).await?;
    change.commit().await?;
    Ok(applied)
}

/// Approves or rejects what is open. What lapsed is not decided.
pub async fn decide(
    store: &Store,
    actor: &Actor,
    declaring: Declaring,
    deciding: &Deciding,
) -> Result<Applied, RewardError> {
    let of: EmployerEntry = permit::<RewardError>(store, actor, Action::DecideReward, declaring.employer).await?;
    let ruling = deciding.ruling.checked()?;
    let at = store.now().await?;
    let mut change = store.change().await?;
    let (in_force, applications) = lock(&mut change, declaring).await?;
    let open = open_one(&applications, in_force)?;
    if deciding.seen.is_some_and(|seen| seen != open.application_id) {
        return Err(Refused::AnotherOpen { open: open.application_id }.into());
    }
    if open.applied.by == actor.name {
        return Err(Refused::OwnRequest.into());
    }
    change.decide_application(open.application_id, &ruling, &actor.name, at).await?;
    let act = Act::read(at, actor, Action::DecideReward, object(&of, declaring));
    let act = act.with("application", open.application_id).with("approved", ruling.word.approves());
    let act = act.with("reason", ruling.word.reason()).with("amount", open.calculation.amount.to_string());
    change.record(&Act { why: ruling.note.as_deref(), ..act }).await?;
    let applied = reread(&mut change, &of, declaring, open.application_id, in_force).await?;
    change.answer(&applied).await?;
    change.commit().await?;
    Ok(applied)
}

/// Applications on a page at most.
pub const LARGEST_PAGE: usize = 100;
/// Rows that are looked at together.
const BATCH: i64 = 50;
/// So often more rows are looked at before a page is given out as it is.
const BATCHES: usize = 10;

/// A page of the open applications within the jurisdiction, oldest first; those that lapsed are left out.
pub async fn list(store: &Store, actor: &Actor, after: Option<Place>, limit: usize) -> Result<Page, RewardError> {
    actor.may_at_all(Action::OpenCase)?;
    let division = match &actor.scope {
        Scope::Everything => "",
        Scope::Division(prefix) => prefix,
        Scope::Units(_) => return Err(Denied::Forbidden { role: actor.role, action: Action::OpenCase }.into()),
    };
    let (mut applications, mut next) = (Vec::new(), after);
    for _ in 0..BATCHES {
        let undecided = store.list_undecided_applications(division, next, BATCH).await?;
        let last = (undecided.len() as i64) < BATCH;
        for one in undecided {
            if applications.len() == limit.clamp(1, LARGEST_PAGE) {
                return Ok(Page { applications, next });
            }
            let in_force = one.declaration.in_force().map(Basis::of);
            next = Some(Place { at: one.application.applied.at, ids: [one.application.application_id] });
            if one.application.state(in_force) == ApplicationState::Open {
                applications.push(Applied::of(one.application, one.uscc, in_force));
            }
        }
        if last {
            return Ok(Page { applications, next: None });
        }
    }
    Ok(Page { applications, next })
}

/// The result in force and the reward by it, if the employer may apply now; else the first thing that stands in the way.
async fn may_apply(
    store: &Store,
    policy: &Policy,
    of: &EmployerEntry,
    declaring: Declaring,
    declaration: &Declaration,
    applications: &[Application],
) -> Result<(Basis, Reward), RewardError> {
    let rules = policy.reward_rules(decisive_day(declaring.year))?;
    if let Some(closed) = closed_to(of.employer.kind, rules) {
        return Err(Refused::NotDue(closed).into());
    }
    let held = declaration.in_force().ok_or(Refused::NotAccepted)?;
    refuse_another(applications, Some(Basis::of(held)))?;
    let calculation = calculate(store, policy, of, declaring, held).await?;
    match calculation.outcome {
        RewardOutcome::Due => Ok((Basis::of(held), calculation)),
        outcome => Err(Refused::NotDue(outcome).into()),
    }
}

/// One is open at a time, and what was approved is not applied for again.
fn refuse_another(applications: &[Application], in_force: Option<Basis>) -> Result<(), Refused> {
    let any = |state: ApplicationState| applications.iter().any(|one| one.state(in_force) == state);
    if any(ApplicationState::Approved) {
        Err(Refused::AlreadyApproved)
    } else if any(ApplicationState::Open) {
        Err(Refused::RequestOpen)
    } else {
        Ok(())
    }
}

/// A year that no declaration can have is one of which nothing was accepted.
fn stored_year(declaring: Declaring) -> Result<i16, Refused> {
    i16::try_from(declaring.year).map_err(|_| Refused::NotAccepted)
}

/// The last day of the business year: by the rules and the minimum wage of that day the year is rewarded, whenever it is applied for.
fn decisive_day(year: i32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, 12, 31).unwrap_or(NaiveDate::MAX)
}

/// By the frozen months of the result and the headcount as it is entered, which dispatched persons move with them.
async fn calculate(
    store: &Store,
    policy: &Policy,
    of: &EmployerEntry,
    declaring: Declaring,
    held: &Held,
) -> Result<Reward, RewardError> {
    let employer = &of.employer;
    let version = held.completion.version;
    let months = store.list_declared_months(declaring.employer, stored_year(declaring)?, version).await?;
    let gain = gain_of(&months);
    let entered = employer.headcount.as_deref().ok_or(Refused::HeadcountMissing)?;
    let on = decisive_day(declaring.year);
    let own_class = employer.wage_class.and_then(|class| WageClass::from_number(class.checked_sub(1)?));
    let minimum_wage = match own_class.or_else(|| policy.class_on(&employer.division, on)) {
        Some(class) => Some(MinimumWage { class, on, amount: policy.minimum_wage(class, on)? }),
        None => None,
    };
    let input = RewardInput {
        kind: employer.kind,
        headcount: Headcount::parse(entered)?.moved_by_dispatch(gain.dispatched_months, 0)?,
        weighted_person_months: gain.weighted_months,
        required_ratio: policy.required_ratio.on(on)?.clone(),
        placed_persons_rounding: *policy.placed_persons_rounding.on(on)?,
        minimum_wage,
    };
    Ok(reward(&input, policy.reward_rules(on)?))
}

/// What the tax department holds, and the applications, which nobody else changes before the change ends.
async fn lock(change: &mut Change, declaring: Declaring) -> Result<(Option<Basis>, Vec<Application>), RewardError> {
    let (employer, year) = (declaring.employer, stored_year(declaring)?);
    let declaration = change.lock_declaration(employer, year).await?;
    let applications = change.list_applications(employer, year).await?;
    Ok((declaration.in_force().map(Basis::of), applications))
}

/// The open application. Where the last one lapsed, that it did.
fn open_one(applications: &[Application], in_force: Option<Basis>) -> Result<&Application, Refused> {
    if let Some(open) = applications.iter().find(|one| one.state(in_force) == ApplicationState::Open) {
        return Ok(open);
    }
    let last = applications.first().map(|one| one.state(in_force));
    Err(if last == Some(ApplicationState::Lapsed) { Refused::Lapsed } else { Refused::NoRequest })
}

async fn reread(
    change: &mut Change,
    of: &EmployerEntry,
    declaring: Declaring,
    application_id: i64,
    in_force: Option<Basis>,
) -> Result<Applied, RewardError> {
    let applications = change.list_applications(declaring.employer, stored_year(declaring)?).await?;
    let one = applications.into_iter().find(|one| one.application_id == application_id);
    Ok(Applied::of(one.ok_or(Refused::NoRequest)?, of.uscc, in_force))
}

/// As the audit names it.
fn object(of: &EmployerEntry, declaring: Declaring) -> String {
    format!("reward {} {}", of.uscc, declaring.year)
}

impl Applied {
    fn of(application: Application, employer_uscc: Uscc, in_force: Option<Basis>) -> Self {
        let state = application.state(in_force);
        let ended = |at: DateTime<Utc>| Some(clock::rfc3339(at));
        let (ended_at, ended_by, ruling) = match application.ending {
            None => (None, None, None),
            Some(Ending::Withdrawn(act)) => (ended(act.at), Some(act.by), None),
            Some(Ending::Decided(act, ruling)) => (ended(act.at), Some(act.by), Some(ruling)),
        };
        Self {
            application_id: application.application_id,
            employer_uscc,
            year: application.year,
            state,
            state_zh: state.chinese(),
            basis: application.basis,
            rests_on_result_in_force: in_force == Some(application.basis),
            policy_version: application.policy_version,
            calculation: application.calculation,
            applied_at: clock::rfc3339(application.applied.at),
            applied_by: application.applied.by,
            ended_at,
            ended_by,
            reason: ruling.as_ref().map(|ruling| ruling.word.reason()),
            reason_zh: ruling.as_ref().map(|ruling| ruling.word.chinese()),
            note: ruling.and_then(|ruling| ruling.note),
        }
    }
}
