//! What every month that does not count costs an employer, by the levy on its own headcount and wages.

use chrono::NaiveDate;
use serde::Serialize;

use super::case::Case;
use super::counted::{CountBasis, Counted, Uncounted, counted};
use super::{DeclareError, Declaring};
use crate::domain::access::{Action, Actor};
use crate::domain::counting::{Headcount, HeadcountError};
use crate::domain::dated::NoRule;
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::levy::{AverageWage, AverageWageError};
use crate::domain::money::Fen;
use crate::domain::month::Month;
use crate::domain::policy::{LevyRules, Policy};
use crate::domain::verdict::{Check, Sign};
use crate::domain::worth::{Gain, Position, levy_with, worth};
use crate::store::Store;
use crate::store::entries::Employer;

/// What is asked, and what is to hold instead of what the employer entered.
#[derive(Clone, Debug)]
pub struct AskedWorth {
    pub employer: UnitId,
    pub year: i32,
    pub headcount: Option<Headcount>,
    pub total_wages: Option<Fen>,
    /// Day of payment, which decides the relief; left out: 1 September of the year after.
    pub paid_on: Option<NaiveDate>,
}

/// One month that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct WorthOfMonth {
    pub person_id: PersonId,
    pub month: Month,
    /// `unticked`, `passed`, `approved`, `evidence_missing`, `ready`, `under_review` or `rejected`: one that passed or was approved is not
    /// in the version in force.
    pub standing: &'static str,
    /// Ⅹ.
    pub failing: Vec<Check>,
    /// …: it may turn by itself.
    pub pending: Vec<Check>,
    pub conflict: bool,
    pub weight: u8,
    /// What the levy would fall by if this month alone counted besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worth: Option<Fen>,
}

/// The whole answer.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "WorthOfYear")]
pub struct Worth {
    pub employer_uscc: String,
    pub year: i32,
    /// Months that count, each by its weight.
    pub weighted_person_months: u32,
    /// Why they count.
    pub basis: CountBasis,
    /// The version in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Months that would be gained if all counted, by weight.
    pub weighted_months_missing: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levy: Option<Fen>,
    /// What the levy would fall by if all these months counted; not the sum of the months where a tier is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worth_of_all: Option<Fen>,
    /// What the levy needs and is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<&'static str>,
    pub months: Vec<WorthOfMonth>,
}

/// Why levy and worth cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum WorthError {
    #[error("the year {0} is beyond the calendar")]
    NoSuchYear(i32),
    #[error("the employer's headcount cannot be used")]
    Headcount(#[from] HeadcountError),
    #[error("the employer's average wage cannot be computed")]
    Wage(#[from] AverageWageError),
    #[error(transparent)]
    NoRule(#[from] NoRule),
}

impl AskedWorth {
    pub(super) fn declaring(&self) -> Result<Declaring, WorthError> {
        // as it is stored: no other year that ends in the same bits
        i16::try_from(self.year).map_err(|_| WorthError::NoSuchYear(self.year))?;
        Ok(Declaring { employer: self.employer, year: self.year })
    }
}

/// Tells it, to whoever may read the employer's results.
pub async fn worth_of_months(
    store: &Store,
    policy: &Policy,
    actor: &Actor,
    asked: &AskedWorth,
) -> Result<Worth, DeclareError> {
    let case = Case::open(store, actor, Action::ReadResults, asked.declaring()?).await?;
    let counted = counted(store, &case).await?;
    Ok(told(policy, asked, &case, &counted)?)
}

fn told(policy: &Policy, asked: &AskedWorth, case: &Case, counted: &Counted) -> Result<Worth, WorthError> {
    let (position, missing) = position(asked, &case.of.employer, counted.gain)?;
    let rules = policy.levy_rules(asked.year, due_day(asked)?)?;
    let all: Gain = counted.uncounted.iter().map(|month| month.gain).sum();
    let worth_of = |gain| worth_of(position.as_ref(), gain, &rules);
    let month = |month: &Uncounted| -> Result<WorthOfMonth, WorthError> {
        let Uncounted { person, view, gain } = *month;
        let of =
            |sign: Sign| Check::ALL.iter().copied().filter(|check| view.verdict.codes.sign(*check) == sign).collect();
        Ok(WorthOfMonth {
            person_id: person,
            month: view.month,
            standing: view.standing.as_str(),
            failing: of(Sign::Fail),
            pending: of(Sign::Pending),
            conflict: view.verdict.conflict,
            weight: view.verdict.weight,
            worth: worth_of(gain)?,
        })
    };
    Ok(Worth {
        employer_uscc: case.of.uscc.to_string(),
        year: asked.year,
        weighted_person_months: counted.gain.weighted_months,
        basis: counted.basis(),
        version: counted.version,
        weighted_months_missing: all.weighted_months,
        levy: position.as_ref().map(|position| levy_with(position, Gain::default(), &rules)).transpose()?,
        worth_of_all: worth_of(all)?,
        months: counted.uncounted.iter().map(month).collect::<Result<_, _>>()?,
        missing,
    })
}

fn worth_of(position: Option<&Position>, gain: Gain, rules: &LevyRules) -> Result<Option<Fen>, HeadcountError> {
    position.map(|position| worth(position, gain, rules)).transpose()
}

/// The day of payment: 1 September of the year after, where none is said.
pub(super) fn due_day(asked: &AskedWorth) -> Result<NaiveDate, WorthError> {
    let usual = || NaiveDate::from_ymd_opt(asked.year.checked_add(1)?, 9, 1);
    asked.paid_on.or_else(usual).ok_or(WorthError::NoSuchYear(asked.year))
}

/// The levy of an employer's year by its own headcount and total wages if these months counted, paid on 1 September of the year after;
/// `None` where the numbers are not known.
pub fn levy_if(policy: &Policy, entered: &Employer, year: i32, counted: Gain) -> Result<Option<Fen>, WorthError> {
    let asked = AskedWorth { employer: entered.unit, year, headcount: None, total_wages: None, paid_on: None };
    let (position, _) = position(&asked, entered, counted)?;
    let rules = policy.levy_rules(year, due_day(&asked)?)?;
    Ok(position.map(|position| levy_with(&position, Gain::default(), &rules)).transpose()?)
}

/// What the levy is computed from, or what of it is not known.
pub(super) fn position(
    asked: &AskedWorth,
    entered: &Employer,
    now: Gain,
) -> Result<(Option<Position>, Vec<&'static str>), WorthError> {
    let headcount = match (&asked.headcount, &entered.headcount) {
        (Some(given), _) => Some(given.clone()),
        (None, Some(text)) => Some(Headcount::parse(text)?),
        (None, None) => None,
    };
    let total = asked.total_wages.or(entered.total_wages);
    let (Some(headcount), Some(total)) = (headcount.as_ref(), total) else {
        let lacks = [(headcount.is_none(), "headcount"), (total.is_none(), "total_wages")];
        return Ok((None, lacks.into_iter().filter(|(lacks, _)| *lacks).map(|(_, what)| what).collect()));
    };
    let position = Position {
        kind: entered.kind,
        headcount: headcount.clone(),
        average_wage: AverageWage::of_total(total, headcount)?,
        weighted_person_months: now.weighted_months,
        dispatched_months: now.dispatched_months,
    };
    Ok((Some(position), Vec::new()))
}
