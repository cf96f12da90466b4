//! What every month that does not count costs an employer, by the levy on its own headcount and wages.

use std::collections::HashSet;

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::counting::{Headcount, HeadcountError};
use crate::domain::dated::NoRule;
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::levy::{AverageWage, AverageWageError};
use crate::domain::money::Fen;
use crate::domain::month::Month;
use crate::domain::policy::Policy;
use crate::domain::verdict::{Check, Sign, Verdict};
use crate::domain::worth::{Gain, Position, levy_with, worth};
use crate::store::entries::Employer;
use crate::store::{Store, StoreError};

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
    pub weighted_person_months: u32,
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

/// Why the worth cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum WorthError {
    #[error("the unit is not entered as an employer")]
    NoEmployer,
    #[error("the year {0} is beyond the calendar")]
    NoSuchYear(i32),
    #[error("the employer's headcount cannot be used")]
    Headcount(#[from] HeadcountError),
    #[error("the employer's average wage cannot be computed")]
    Wage(#[from] AverageWageError),
    #[error(transparent)]
    NoRule(#[from] NoRule),
    #[error("the results could not be read")]
    Store(#[from] StoreError),
}

/// Tells it from the stored results.
pub async fn worth_of_months(store: &Store, policy: &Policy, asked: &AskedWorth) -> Result<Worth, WorthError> {
    let AskedWorth { employer, year, .. } = *asked;
    let (entered, judged) = counted_months(store, asked).await?;
    let codes = store.unit_codes(&[employer]).await?;
    let sum =
        |passed: bool| judged.iter().filter(|month| month.passed() == passed).map(|month| month.gain).sum::<Gain>();
    let (now, all) = (sum(true), sum(false));
    let (position, missing) = position(asked, &entered, now)?;
    let rules = policy.levy_rules(year, due_day(asked)?)?;
    let worth_of = |gain: Gain| position.as_ref().map(|position| worth(position, gain, &rules)).transpose();
    let mut months = Vec::new();
    for CountedMonth { person, month, verdict, gain } in judged.iter().filter(|month| !month.passed()) {
        let of = |sign: Sign| Check::ALL.iter().copied().filter(|check| verdict.codes.sign(*check) == sign).collect();
        months.push(WorthOfMonth {
            person_id: *person,
            month: *month,
            failing: of(Sign::Fail),
            pending: of(Sign::Pending),
            conflict: verdict.conflict,
            weight: verdict.weight,
            worth: worth_of(*gain)?,
        });
    }
    Ok(Worth {
        employer_uscc: codes.get(&employer).map(ToString::to_string).unwrap_or_default(),
        year,
        weighted_person_months: now.weighted_months,
        weighted_months_missing: all.weighted_months,
        levy: position.as_ref().map(|position| levy_with(position, Gain::default(), &rules)).transpose()?,
        worth_of_all: worth_of(all)?,
        missing,
        months,
    })
}

/// A month as it is judged, and what it counts for.
pub(super) struct CountedMonth {
    person: PersonId,
    month: Month,
    verdict: Verdict,
    pub(super) gain: Gain,
}

impl CountedMonth {
    pub(super) fn passed(&self) -> bool {
        self.verdict.passed()
    }
}

/// The employer as it is entered, and every month of its placements.
pub(super) async fn counted_months(
    store: &Store,
    asked: &AskedWorth,
) -> Result<(Employer, Vec<CountedMonth>), WorthError> {
    let AskedWorth { employer, year, .. } = *asked;
    let seq = store.head().await?;
    let entered = store.list_employers(seq, &[employer]).await?.into_iter().next().ok_or(WorthError::NoEmployer)?;
    let placements = store.list_placements(&[employer]).await?;
    let dispatched: HashSet<PersonId> = placements
        .iter()
        .filter(|placement| i32::from(placement.year) == year && placement.dispatch.is_some())
        .map(|placement| placement.person)
        .collect();
    let mut judged = Vec::new();
    for row in store.employer_rows(year, employer).await? {
        let of_row = row.verdicts(year)?;
        judged.extend(of_row.into_iter().map(|(month, verdict)| {
            let gain = Gain::month(verdict.weight, dispatched.contains(&row.person));
            CountedMonth { person: row.person, month, verdict, gain }
        }));
    }
    Ok((entered, judged))
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
