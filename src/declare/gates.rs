//! The months that a version would freeze now, and each person as the completion looks at them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::standing::{MonthView, PlacementView, placements};
use super::{DeclareError, Declaring};
use crate::clock;
use crate::domain::certificate::{add_original, in_force_on};
use crate::domain::completion::DeclaredPerson;
use crate::domain::declaration::Declaration;
use crate::domain::declared::DeclaredMonth;
use crate::domain::facts::{Certificate, PersonId, UnitId};
use crate::domain::month::Month;
use crate::domain::policy::Policy;
use crate::domain::review::{MonthFacts, MonthStanding};
use crate::store::Store;
use crate::store::entries::Placement;

/// What a completion would freeze, and whom it looks at.
pub(super) struct Months {
    /// By person and month.
    pub(super) confirmed: Vec<DeclaredMonth>,
    pub(super) persons: Vec<DeclaredPerson>,
}

/// Months of a placement that can be declared: of a deregistering unit only those before the month of its deregistration.
pub(super) fn declarable<'a>(
    view: &'a PlacementView,
    declaration: &Declaration,
) -> impl Iterator<Item = &'a MonthView> + use<'a> {
    let deregistered_on = declaration.deregistered_on();
    view.months.iter().filter(move |month| deregistered_on.is_none_or(|day| month.month < Month::of(day)))
}

/// The months that a completion would take: ticked, and passed or approved by a reviewer.
pub(super) fn confirmed_months(view: &PlacementView, declaration: &Declaration) -> Vec<DeclaredMonth> {
    let confirmed = declarable(view, declaration).filter(|month| month.standing.is_confirmed());
    confirmed.map(|month| frozen(view, month)).collect()
}

pub(super) async fn declared_months(
    store: &Store,
    policy: &Policy,
    declaring: Declaring,
    declaration: &Declaration,
    at: DateTime<Utc>,
) -> Result<Months, DeclareError> {
    let today = clock::business_date(at);
    let views = placements(store, declaring).await?;
    let in_force = months_in_force(store, declaring, declaration).await?;
    let persons: Vec<PersonId> = views.iter().map(|view| view.person).collect();
    let certificates = certificates_held(store, declaring, &persons).await?;
    let weights = policy.weights(today)?;
    let mut months = Months { confirmed: Vec::new(), persons: Vec::with_capacity(views.len()) };
    for view in &views {
        let confirmed = confirmed_months(view, declaration);
        let awaits = |month: &&MonthView| !month.standing.is_confirmed() && month.standing != MonthStanding::Unticked;
        let held = certificates.get(&view.person).map_or(&[][..], Vec::as_slice);
        let present: Vec<(Month, u8)> = confirmed.iter().map(|month| (month.month, month.weight)).collect();
        months.persons.push(DeclaredPerson {
            person: view.person,
            confirmed: confirmed.iter().map(|month| month.month).collect(),
            awaiting: declarable(view, declaration).filter(awaits).map(|month| (month.month, month.standing)).collect(),
            new_or_changed: in_force.get(&view.person) != Some(&present),
            certificate_in_force: in_force_on(held, today, weights).is_some(),
        });
        months.confirmed.extend(confirmed);
    }
    Ok(months)
}

/// What the register holds of these persons, and the originals that a reviewer saw.
pub(super) async fn certificates_held(
    store: &Store,
    declaring: Declaring,
    persons: &[PersonId],
) -> Result<HashMap<PersonId, Vec<Certificate>>, DeclareError> {
    let mut certificates = store.certificates_of(persons).await?;
    for original in store.originals_seen(declaring.employer, declaring.year).await? {
        add_original(certificates.entry(original.person).or_default(), original.as_certificate());
    }
    Ok(certificates)
}

/// Affiliates and dispatch companies that placements of the year name, of which no file proves the relation.
pub async fn affiliates_without_proof(store: &Store, declaring: Declaring) -> Result<Vec<UnitId>, DeclareError> {
    let (employer, year) = (declaring.employer, declaring.stored_year());
    let proven = store.list_proven_affiliates(employer, year).await?;
    let mut unproven: Vec<UnitId> = (store.list_placements(&[employer]).await?.iter())
        .filter(|placement| placement.year == year)
        .flat_map(Placement::named_units)
        .filter(|unit| *unit != employer && !proven.contains(unit))
        .collect();
    unproven.sort_unstable();
    unproven.dedup();
    Ok(unproven)
}

/// Months and weights of each person in the version that the tax department holds.
async fn months_in_force(
    store: &Store,
    declaring: Declaring,
    declaration: &Declaration,
) -> Result<HashMap<PersonId, Vec<(Month, u8)>>, DeclareError> {
    let mut months: HashMap<PersonId, Vec<(Month, u8)>> = HashMap::new();
    if let Some(version) = declaration.version_in_force() {
        for month in store.list_declared_months(declaring.employer, declaring.stored_year(), version).await? {
            months.entry(month.person).or_default().push((month.month, month.weight));
        }
    }
    Ok(months)
}

/// Months that an amendment could add now: they pass, or a reviewer approved them, whether they were ticked or not.
pub(super) async fn addable_months(
    store: &Store,
    declaring: Declaring,
    declaration: &Declaration,
) -> Result<Vec<DeclaredMonth>, DeclareError> {
    let mut months = Vec::new();
    for view in placements(store, declaring).await? {
        for month in declarable(&view, declaration) {
            let ticked = MonthFacts { choice: Some(true), ..month.facts };
            let standing = MonthStanding::of(&month.verdict, &ticked);
            if standing.is_confirmed() {
                months.push(frozen(&view, &MonthView { standing, ..*month }));
            }
        }
    }
    Ok(months)
}

fn frozen(view: &PlacementView, month: &MonthView) -> DeclaredMonth {
    DeclaredMonth {
        person: view.person,
        month: month.month,
        weight: month.verdict.weight,
        dispatched: view.dispatched,
        approved: month.standing == MonthStanding::Approved,
        cell: month.verdict.pack(),
    }
}
