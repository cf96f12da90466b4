//! 单位注销安置登记: staff enter that a unit is being deregistered; it declares the running year up to the month before.

use chrono::{Datelike, NaiveDate};

use super::case::{Case, Doing};
use super::{DeclareError, Declaring};
use crate::domain::access::{Action, Actor};
use crate::domain::declaration::{Declaration, Event};
use crate::domain::facts::UnitId;
use crate::domain::month::Month;
use crate::store::Store;
use crate::store::publish::Cause;

/// Why a deregistration cannot be entered for a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongDay {
    #[error("{0} is not in the running year; a deregistering unit declares the running year only")]
    NotThisYear(NaiveDate),
    #[error("{0} is in a month to come; enter it in that month, when the months before are over")]
    ToCome(NaiveDate),
    #[error("no month of the year is over before January")]
    NoMonthBefore,
}

impl WrongDay {
    pub fn code(self) -> &'static str {
        match self {
            Self::NotThisYear(_) => "not_this_year",
            Self::ToCome(_) => "month_to_come",
            Self::NoMonthBefore => "no_month_before",
        }
    }

    pub fn chinese(self) -> &'static str {
        match self {
            Self::NotThisYear(_) => "注销单位只能登记当年的安置情况。",
            Self::ToCome(_) => "注销月份尚未到来，请在当月登记。",
            Self::NoMonthBefore => "一月注销的单位当年没有可登记的月份。",
        }
    }
}

/// Enters it, at any time of the year. The window does not matter any more, and months from that day's on cannot be declared.
pub async fn deregister(
    store: &Store,
    actor: &Actor,
    employer: UnitId,
    on: NaiveDate,
) -> Result<Declaration, DeclareError> {
    let declaring = Declaring { employer, year: on.year() };
    let case = Case::open(store, actor, Action::Deregister, declaring).await?;
    check(on, store.today().await?)?;
    let doing = Doing {
        actor,
        action: Action::Deregister,
        cause: Cause::Entry,
        why: None,
        months: &[],
        key: None,
        detail: serde_json::json!({ "deregistered_on": on }),
    };
    case.step(store, doing, Event::Deregister { by: actor.name.clone(), on }).await
}

fn check(on: NaiveDate, today: NaiveDate) -> Result<(), WrongDay> {
    if on.year() != today.year() {
        Err(WrongDay::NotThisYear(on))
    } else if Month::of(on) > Month::of(today) {
        Err(WrongDay::ToCome(on))
    } else if on.month() == 1 {
        Err(WrongDay::NoMonthBefore)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_deregistered_in_a_month_of_the_running_year_that_has_come() {
        let day = |text: &str| text.parse::<NaiveDate>().expect("day");
        let today = day("2026-06-15");
        assert_eq!(check(day("2026-06-30"), today), Ok(()));
        assert_eq!(check(day("2026-02-01"), today), Ok(()));
        assert_eq!(check(day("2025-12-31"), today), Err(WrongDay::NotThisYear(day("2025-12-31"))));
        assert_eq!(check(day("2026-07-01"), today), Err(WrongDay::ToCome(day("2026-07-01"))));
        assert_eq!(check(day("2026-01-31"), today), Err(WrongDay::NoMonthBefore));
    }
}
