//! Looks ahead for one employer: what will fail soon, person by person.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{Datelike, NaiveDate};
use serde::Serialize;

use super::VerifyError;
use super::gather::{Placed, wages_of};
use super::view::View;
use crate::domain::facts::{PersonId, UnitId, VersionId, Wage};
use crate::domain::foresight::{Foreseen, Outlook, foresee};
use crate::domain::judge::judge;
use crate::domain::month::Month;
use crate::policy::Reading;
use crate::store::Store;
use crate::store::facts::{Persons, Scope};

/// What is foreseen of one person.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Ahead {
    pub person: PersonId,
    /// The year of the placement: that of the whole, or the one before of who is not carried over yet.
    pub year: i32,
    pub foreseen: Vec<Foreseen>,
}

/// The year that was looked at, and who has something ahead, by person.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct LookAhead {
    pub year: i32,
    pub business_date: NaiveDate,
    pub persons: Vec<Ahead>,
}

/// Looks `days` ahead at the placements of `year`. Without it: at those of the running year and, of the year before, at those who are
/// not carried over yet and still under contract; at all of the year before if nobody is placed in the running one.
pub async fn look_ahead(
    store: &Store,
    reading: &Reading,
    employer: UnitId,
    year: Option<i32>,
    days: u32,
) -> Result<LookAhead, VerifyError> {
    let (seq, business_date) = (store.head().await?, store.today().await?);
    let looking = Looking { store, reading, employer, seq, today: business_date, days };
    let running = business_date.year();
    let year_of_placements = year.unwrap_or(running);
    let placed = store.placed_persons(year_of_placements, employer, seq).await?;
    if year.is_some() {
        let persons = looking.of_year(year_of_placements, placed, Whom::All).await?;
        return Ok(LookAhead { year: year_of_placements, business_date, persons });
    }
    let (before, carried_over) = (running - 1, placed.iter().copied().collect::<HashSet<_>>());
    let mut left_behind = store.placed_persons(before, employer, seq).await?;
    left_behind.retain(|person| !carried_over.contains(person));
    if placed.is_empty() {
        let persons = looking.of_year(before, left_behind, Whom::All).await?;
        return Ok(LookAhead { year: before, business_date, persons });
    }
    let mut persons = looking.of_year(running, placed, Whom::All).await?;
    if !left_behind.is_empty() && reading.policy.knows_year(before) {
        persons.extend(looking.of_year(before, left_behind, Whom::UnderContract).await?);
    }
    persons.sort_by_key(|ahead| ahead.person);
    Ok(LookAhead { year: running, business_date, persons })
}

/// Of a year's placements.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whom {
    All,
    /// Who has a contract in the month of today: the others have left.
    UnderContract,
}

struct Looking<'a> {
    store: &'a Store,
    reading: &'a Reading,
    employer: UnitId,
    seq: i64,
    today: NaiveDate,
    days: u32,
}

impl Looking<'_> {
    async fn of_year(&self, year: i32, persons: Vec<PersonId>, whom: Whom) -> Result<Vec<Ahead>, VerifyError> {
        let wages = self.wages(year, &persons).await?;
        let policy = &self.reading.policy;
        let view = View::load(self.store, policy, self.employer, year, persons).await?;
        let current = Month::of(self.today);
        let mut found = Vec::new();
        let placements = &view.chunk.gathered.placements;
        for placed in placements.iter().filter(|placed| placed.employer == self.employer) {
            let contracts = view.chunk.gathered.contracts.of(&(placed.person.0, placed.employer.0));
            if whom == Whom::UnderContract && !contracts.iter().any(|contract| contract.covers(current)) {
                continue;
            }
            let wages = wages.get(&placed.person).map(Vec::as_slice).unwrap_or_default();
            let foreseen = self.of_placement(&view, placed, wages);
            if !foreseen.is_empty() {
                found.push(Ahead { person: placed.person, year, foreseen });
            }
        }
        Ok(found)
    }

    fn of_placement(&self, view: &View, placed: &Placed, wages: &[Wage]) -> Vec<Foreseen> {
        let (year, current) = (view.rules.year, Month::of(self.today));
        let mut months = Vec::new();
        for month in Month::all_of(year).filter(|month| *month < current) {
            let (Some(case), Some(rules)) = (view.case(placed, month), view.rules.of_month(month)) else { continue };
            months.push((month, judge(&case, month, rules, &mut |_, _| {}).codes));
        }
        // terms and rules of today's month, or of the year's last
        let last = Month::all_of(year).filter(|month| *month <= current).last();
        let Some(month) = last.or_else(|| Month::all_of(year).next()) else { return Vec::new() };
        let (Some(case), Some(rules)) = (view.case(placed, month), view.rules.of_month(month)) else {
            return Vec::new();
        };
        let outlook = Outlook { case: &case, rules, months: &months, wages };
        foresee(&outlook, &self.reading.policy.minimum_wages, self.days)
    }

    /// What was paid from the year before on, to the year after at most.
    async fn wages(&self, year: i32, persons: &[PersonId]) -> Result<HashMap<PersonId, Vec<Wage>>, VerifyError> {
        let mut each: HashMap<PersonId, BTreeMap<VersionId, Wage>> = HashMap::new();
        for year in [year - 1, year, year + 1] {
            // years overlap in a January
            let scope = Scope { year, seq: self.seq, persons: Persons::These(persons.to_vec()) };
            for (person, wage) in wages_of(self.store, &scope).await? {
                each.entry(person).or_default().insert(wage.version, wage);
            }
        }
        Ok(each.into_iter().map(|(person, wages)| (person, wages.into_values().collect())).collect())
    }
}
