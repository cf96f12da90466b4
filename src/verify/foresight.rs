//! Looks ahead for one employer: what will fail soon, person by person.

use chrono::Datelike;
use serde::Serialize;

use super::VerifyError;
use super::view::View;
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::foresight::{Foreseen, Outlook, foresee};
use crate::domain::judge::judge;
use crate::domain::month::Month;
use crate::policy::Reading;
use crate::store::Store;

/// What is foreseen of one person.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Ahead {
    pub person: PersonId,
    pub foreseen: Vec<Foreseen>,
}

/// The year that was looked at, and who has something ahead.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct LookAhead {
    pub year: i32,
    pub business_date: chrono::NaiveDate,
    pub persons: Vec<Ahead>,
}

/// Looks `days` ahead at the placements of `year`: the running year, or the one before if nobody is placed in it yet.
pub async fn look_ahead(
    store: &Store,
    reading: &Reading,
    employer: UnitId,
    year: Option<i32>,
    days: u32,
) -> Result<LookAhead, VerifyError> {
    let (seq, today) = (store.head().await?, store.today().await?);
    let mut looked_at = year.unwrap_or_else(|| today.year());
    let mut persons = store.placed_persons(looked_at, employer, seq).await?;
    if persons.is_empty() && year.is_none() {
        looked_at -= 1;
        persons = store.placed_persons(looked_at, employer, seq).await?;
    }
    let view = View::load(store, &reading.policy, looked_at, persons).await?;
    let current = Month::of(today);
    let mut found = Vec::new();
    for placed in view.chunk.gathered.placements.iter().filter(|placed| placed.employer == employer) {
        let mut months = Vec::new();
        for month in Month::all_of(looked_at).filter(|month| *month < current) {
            let (Some(case), Some(rules)) = (view.case(placed, month), view.rules.of_month(month)) else { continue };
            months.push((month, judge(&case, month, rules, &mut |_, _| {}).codes));
        }
        // terms and rules of today's month, or of the year's last
        let last = Month::all_of(looked_at).filter(|month| *month <= current).last();
        let Some(month) = last.or_else(|| Month::all_of(looked_at).next()) else { continue };
        let (Some(case), Some(rules)) = (view.case(placed, month), view.rules.of_month(month)) else { continue };
        let outlook = Outlook { case: &case, rules, months: &months };
        let foreseen = foresee(&outlook, &reading.policy.minimum_wages, days);
        if !foreseen.is_empty() {
            found.push(Ahead { person: placed.person, foreseen });
        }
    }
    Ok(LookAhead { year: looked_at, business_date: today, persons: found })
}
