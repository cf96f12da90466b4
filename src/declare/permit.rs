//! Who may take a step at an employer: the employer is loaded, and whether the actor reaches it is asked before anything else.

use crate::domain::access::{Action, Actor, Denied, Owner};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::Uscc;
use crate::store::entries::Employer;
use crate::store::{Store, StoreError};

/// An employer as it is entered now.
#[derive(Clone, Debug)]
pub(super) struct EmployerEntry {
    pub(super) employer: Employer,
    pub(super) uscc: Uscc,
}

impl EmployerEntry {
    pub(super) fn unit(&self) -> UnitId {
        self.employer.unit
    }

    pub(super) fn owner(&self) -> Owner<'_> {
        Owner { employer: self.employer.unit, federation_division: &self.employer.federation_division }
    }

    /// One of its placements, as the audit log names it.
    pub(super) fn placement(&self, year: impl Into<i32>, person: PersonId) -> String {
        format!("placement {} {} person {}", self.uscc, year.into(), person.0)
    }
}

/// The employer, whoever asks.
pub(super) async fn find<E: From<Denied> + From<StoreError>>(store: &Store, unit: UnitId) -> Result<EmployerEntry, E> {
    let found = store.list_employers(i64::MAX, &[unit]).await?.into_iter().next();
    let uscc = store.unit_codes(&[unit]).await?.remove(&unit);
    let (employer, uscc) = found.zip(uscc).ok_or(Denied::NotFound)?;
    Ok(EmployerEntry { employer, uscc })
}

/// The employer, if the actor may do this there; an unknown one is as little found as one out of reach.
pub(super) async fn permit<E: From<Denied> + From<StoreError>>(
    store: &Store,
    actor: &Actor,
    action: Action,
    unit: UnitId,
) -> Result<EmployerEntry, E> {
    let entered = find::<E>(store, unit).await?;
    actor.may(action, entered.owner())?;
    Ok(entered)
}
