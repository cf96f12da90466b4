//! Where every month of an employer's year stands, from stored results, choices, evidence, handings-in and decisions.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{DeclareError, Declaring};
use crate::domain::facts::PersonId;
use crate::domain::month::Month;
use crate::domain::review::{Ground, Grounds, MonthFacts, MonthStanding, PlacementStanding};
use crate::domain::verdict::Verdict;
use crate::store::decisions::Standing;
use crate::store::results::YearRow;
use crate::store::{Store, StoreError};

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

    /// The ticked months that keep the placement from being confirmed.
    pub fn awaiting(&self) -> impl Iterator<Item = &MonthView> {
        self.months.iter().filter(|month| !month.standing.is_confirmed() && month.standing != MonthStanding::Unticked)
    }

    pub fn month(&self, month: Month) -> Option<&MonthView> {
        self.months.iter().find(|view| view.month == month)
    }
}

/// A month as programs read it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MonthLine {
    pub month: Month,
    /// `unticked`, `passed`, `approved`, `evidence_missing`, `ready`, `under_review` or `rejected`.
    pub standing: &'static str,
    /// Grounds without evidence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Ground>,
}

impl MonthLine {
    pub fn of(view: &MonthView) -> Self {
        let missing = match view.standing {
            MonthStanding::EvidenceMissing(grounds) => grounds.iter().collect(),
            _ => Vec::new(),
        };
        Self { month: view.month, standing: view.standing.as_str(), missing }
    }
}

/// A placement as programs read it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlacementLine {
    pub person_id: PersonId,
    pub standing: PlacementStanding,
    /// January first.
    pub months: Vec<MonthLine>,
}

impl PlacementLine {
    pub fn of(view: &PlacementView) -> Self {
        let months = view.months.iter().map(MonthLine::of).collect();
        Self { person_id: view.person, standing: view.standing(), months }
    }
}

/// By person and month.
pub type ByMonth<T> = HashMap<(PersonId, Month), T>;

/// What is known of an employer's year besides the verdicts.
#[derive(Clone, Debug, Default)]
pub struct Entered {
    /// Persons placed, and whether they are dispatched.
    pub placed: HashMap<PersonId, bool>,
    /// Ticked or unticked; what is missing is ticked where it passes.
    pub choices: ByMonth<bool>,
    pub evidence: ByMonth<Grounds>,
    pub handed_in: HashMap<PersonId, DateTime<Utc>>,
    pub decisions: ByMonth<Standing>,
}

/// Every placement of the employer's year, by person.
pub async fn placements(store: &Store, declaring: Declaring) -> Result<Vec<PlacementView>, DeclareError> {
    let entered = entered(store, declaring).await?;
    let rows = store.employer_rows(declaring.year, declaring.employer).await?;
    Ok(assemble(declaring.year, &rows, &entered)?)
}

/// What is known of the employer's year besides the verdicts: one question for each kind, however many persons there are.
pub async fn entered(store: &Store, declaring: Declaring) -> Result<Entered, DeclareError> {
    let Declaring { employer, year } = declaring;
    let employers = [employer];
    let (placements, choices, evidence, handed_in, decisions) = tokio::try_join!(
        store.list_placements(&employers),
        store.list_choices(employer, year),
        evidence_grounds(store, declaring),
        store.list_handed_in(employer, year),
        store.list_standing_decisions(employer, year),
    )?;
    let of_year = placements.iter().filter(|placement| placement.year == declaring.stored_year());
    let placed = of_year.map(|placement| (placement.person, placement.dispatch.is_some())).collect();
    Ok(Entered { placed, choices, evidence, handed_in, decisions })
}

/// For which grounds there is evidence: files, and what was shown on paper at the counter.
async fn evidence_grounds(store: &Store, declaring: Declaring) -> Result<ByMonth<Grounds>, StoreError> {
    let Declaring { employer, year } = declaring;
    let (mut grounds, shown) =
        tokio::try_join!(store.evidence_grounds(employer, year), store.evidence_shown(employer, year))?;
    for (month, shown) in shown {
        let known = grounds.entry(month).or_default();
        *known = shown.iter().fold(*known, Grounds::with);
    }
    Ok(grounds)
}

/// Verdicts and what was entered, put together; results of persons who are placed no more are left out.
pub fn assemble(year: i32, rows: &[YearRow], entered: &Entered) -> Result<Vec<PlacementView>, StoreError> {
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(dispatched) = entered.placed.get(&row.person).copied() else { continue };
        let handed_in_at = entered.handed_in.get(&row.person).copied();
        let months = row.verdicts(year)?.into_iter().map(|(month, verdict)| {
            let key = (row.person, month);
            let facts = MonthFacts {
                choice: entered.choices.get(&key).copied(),
                evidence: entered.evidence.get(&key).copied().unwrap_or_default(),
                handed_in_at,
                decision: entered.decisions.get(&key).map(|standing| standing.decision),
            };
            MonthView { month, verdict, facts, standing: MonthStanding::of(&verdict, &facts) }
        });
        views.push(PlacementView { person: row.person, dispatched, months: months.collect() });
    }
    views.sort_by_key(|view| view.person);
    Ok(views)
}

/// One placement, with all that was entered at its employer.
pub(super) async fn one(
    store: &Store,
    declaring: Declaring,
    person: PersonId,
) -> Result<Option<(PlacementView, Entered)>, DeclareError> {
    let (views, entered) = some(store, declaring, vec![person]).await?;
    Ok(views.into_iter().next().map(|view| (view, entered)))
}

/// Some placements of an employer's year, with all that was entered at it.
pub(super) async fn some(
    store: &Store,
    declaring: Declaring,
    persons: Vec<PersonId>,
) -> Result<(Vec<PlacementView>, Entered), DeclareError> {
    let entered = entered(store, declaring).await?;
    let scope = store.scope_of(declaring.year, persons).await?;
    let mut rows = store.year_rows(&scope).await?;
    rows.retain(|row| row.employer == declaring.employer);
    Ok((assemble(declaring.year, &rows, &entered)?, entered))
}
