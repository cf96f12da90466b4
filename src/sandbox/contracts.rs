//! The contracts of a placement, by its story.

use chrono::{Days, Months, NaiveDate};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::rows::{Contract, PersonIndex, UnitIndex};
use super::stories::Story;
use crate::domain::facts::ContractKind;
use crate::domain::month::{Month, years_later};

/// Who made the contract, and in which months of the business year (0 to 12, the second not included) the person works.
pub struct Hire {
    pub employer: UnitIndex,
    pub person: PersonIndex,
    pub story: Story,
    pub months: (u8, u8),
}

/// Adds the placement's contracts to `out`.
pub fn enter(rng: &mut ChaCha8Rng, hire: &Hire, year: i32, out: &mut Vec<Contract>) {
    use Story as S;
    let date = |month: u32, day: u32| NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default();
    let end_of = |month: u32| Month::new(year, month).map_or(NaiveDate::MAX, Month::last_day);
    let turn = rng.random_range(0..4_u32);
    let month = rng.random_range(3..=10);
    let hired = NaiveDate::from_yo_opt(year - rng.random_range(1..=8), rng.random_range(1..=365)).unwrap_or_default();
    let mut add = |kind, starts_on, ends_on, terminated_on| {
        out.push(Contract { employer: hire.employer, person: hire.person, kind, starts_on, ends_on, terminated_on });
    };
    let labour = ContractKind::Labour;
    match hire.story {
        S::ContractNone => {}
        S::ContractTooShort => add(labour, date(1, 1), Some(end_of(month)), None),
        S::ContractDayShort => {
            let starts_on = date(month, 15) - Months::new(6);
            add(labour, starts_on, Some(years_later(starts_on, 1) - Days::new(2)), None);
        }
        S::ContractExactYear => {
            let starts_on = if turn < 2 { date(1, 1) } else { date(month, 15) - Months::new(4) };
            add(labour, starts_on, Some(years_later(starts_on, 1) - Days::new(1)), None);
        }
        S::ContractLeapStart => {
            let leap_day = (0..8).find_map(|back| NaiveDate::from_ymd_opt(year - back, 2, 29)).unwrap_or_default();
            let after = years_later(leap_day, 1);
            // On 28 February a year is over: the 27th is the last day that makes it one.
            add(labour, leap_day, Some(after - Days::new([0, 1, 2, 0][turn as usize])), None);
            if turn < 2 {
                add(labour, after + Days::new(1), None, None);
            }
        }
        S::ContractEndsFebruary => add(labour, hired, Some(end_of(2)), None),
        S::ContractEnded => add(labour, hired, Some(if turn == 0 { date(month, 1) } else { end_of(month) }), None),
        S::ContractStartsLate => add(labour, if turn == 0 { end_of(month) } else { date(month, 1) }, None, None),
        S::ContractTerminated => {
            let ends_on = years_later(date(12, 31), 1);
            add(labour, hired, Some(ends_on), Some(date(month, [1, 15, 28, 10][turn as usize])));
        }
        S::ContractHalves => {
            add(labour, date(1, 1), Some(end_of(6)), None);
            add(labour, date(7, 1), Some(end_of(12)), None);
        }
        S::Establishment => add(ContractKind::Establishment, hired, None, None),
        S::EstablishmentShort => add(ContractKind::Establishment, date(2, 1), Some(end_of(month)), None),
        S::Joiner => {
            let starts_on = Month::new(year, u32::from(hire.months.0) + 1).map_or(hired, Month::first_day);
            add(labour, starts_on + Days::new([0, 4, 14, 0][turn as usize]), None, None);
        }
        S::Leaver => add(labour, hired, None, Some(end_of(u32::from(hire.months.1)))),
        _ if turn < 2 => add(labour, hired, None, None),
        _ => {
            let years = (1..=12).find(|years| years_later(hired, *years) > date(12, 31)).unwrap_or(12);
            let ends_on = years_later(hired, years.max(if hire.story.is_dispatch() { 2 } else { 1 })) - Days::new(1);
            add(labour, hired, Some(ends_on), None);
        }
    }
}
