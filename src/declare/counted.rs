//! Which months of an employer's year count: those of the result in force, else those that a completion would take as they stand now.

use std::collections::HashSet;

use super::DeclareError;
use super::case::Case;
use super::gates::{confirmed_months, declarable};
use super::standing::{MonthView, placements};
use crate::domain::declared::gain_of;
use crate::domain::facts::{PersonId, words};
use crate::domain::month::Month;
use crate::domain::worth::Gain;
use crate::store::Store;

words! {
    /// What counted months rest on.
    CountBasis {
        /// The frozen months of the version that the tax department holds: later data does not move them.
        InForce = "in_force",
        /// No version is in force: ticked months that pass or were approved by a reviewer, as they stand now.
        Standing = "standing",
    }
}

/// An employer's year, counted.
pub(super) struct Counted {
    /// The version in force, whose frozen months count.
    pub(super) version: Option<u32>,
    pub(super) gain: Gain,
    /// Months of placements that do not count, by person.
    pub(super) uncounted: Vec<Uncounted>,
}

/// A month that does not count.
pub(super) struct Uncounted {
    pub(super) person: PersonId,
    pub(super) view: MonthView,
    /// What it would count for.
    pub(super) gain: Gain,
}

impl Counted {
    pub(super) fn basis(&self) -> CountBasis {
        if self.version.is_some() { CountBasis::InForce } else { CountBasis::Standing }
    }
}

pub(super) async fn counted(store: &Store, case: &Case) -> Result<Counted, DeclareError> {
    let declaring = case.declaring;
    let declaration = case.look(store).await?;
    let views = placements(store, declaring).await?;
    let version = declaration.version_in_force();
    let months = match version {
        Some(version) => store.list_declared_months(declaring.employer, declaring.stored_year(), version).await?,
        None => views.iter().flat_map(|view| confirmed_months(view, &declaration)).collect(),
    };
    let counting: HashSet<(PersonId, Month)> = months.iter().map(|month| (month.person, month.month)).collect();
    let mut uncounted = Vec::new();
    for view in &views {
        let months = declarable(view, &declaration).filter(|month| !counting.contains(&(view.person, month.month)));
        uncounted.extend(months.map(|month| Uncounted {
            person: view.person,
            view: *month,
            gain: Gain::month(month.verdict.weight, view.dispatched),
        }));
    }
    Ok(Counted { version, gain: gain_of(&months), uncounted })
}
