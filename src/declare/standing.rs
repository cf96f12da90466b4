//! Where every ticked month of an employer's year stands, from stored results, choices, evidence and decisions.

use std::collections::HashMap;

use super::{DeclareError, Declaring};
use crate::domain::facts::PersonId;
use crate::domain::month::Month;
use crate::domain::review::{MonthFacts, MonthStanding, PlacementStanding};
use crate::domain::verdict::Verdict;
use crate::store::Store;

/// One month of a placement as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthView {
    pub month: Month,
    pub verdict: Verdict,
    pub facts: MonthFacts,
    pub standing: MonthStanding,
}

/// The year of one placement as it stands; January first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacementView {
    pub person: PersonId,
    pub dispatched: bool,
    pub months: Vec<MonthView>,
}

impl PlacementView {
    pub fn standing(&self) -> PlacementStanding {
        PlacementStanding::of(self.months.iter().map(|month| month.standing))
    }

    /// The months that a completion takes.
    pub fn confirmed(&self) -> impl Iterator<Item = &MonthView> {
        self.months.iter().filter(|month| month.standing.is_confirmed())
    }
}

/// Every placement of the employer's year, by person.
pub async fn placements(store: &Store, declaring: Declaring) -> Result<Vec<PlacementView>, DeclareError> {
    let chosen = store.confirmed_months(declaring.employer, declaring.year).await?;
    let entered = store.list_placements(&[declaring.employer]).await?;
    let dispatched: HashMap<PersonId, bool> = entered
        .iter()
        .filter(|placement| placement.year == declaring.stored_year())
        .map(|placement| (placement.person, placement.dispatch.is_some()))
        .collect();
    let mut views = Vec::new();
    for row in store.employer_rows(declaring.year, declaring.employer).await? {
        let Some(dispatched) = dispatched.get(&row.person).copied() else { continue };
        let ticked = chosen.get(&row.person).map_or(&[][..], Vec::as_slice);
        let months = row.verdicts(declaring.year)?.into_iter().map(|(month, verdict)| {
            let facts = MonthFacts { choice: ticked.contains(&month).then_some(true), ..MonthFacts::default() };
            MonthView { month, verdict, facts, standing: MonthStanding::of(&verdict, &facts) }
        });
        views.push(PlacementView { person: row.person, dispatched, months: months.collect() });
    }
    views.sort_by_key(|view| view.person);
    Ok(views)
}
