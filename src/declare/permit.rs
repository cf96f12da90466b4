//! Who may take a step at an employer: the employer is loaded, and whether the actor reaches it is asked before anything else.

use super::DeclareError;
use crate::domain::access::{Action, Actor, Denied, Owner};
use crate::domain::facts::UnitId;
use crate::store::Store;
use crate::store::entries::Employer;

/// The employer, if the actor may do this there; an unknown one is as little found as one out of reach.
pub(super) async fn permit(
    store: &Store,
    actor: &Actor,
    action: Action,
    employer: UnitId,
) -> Result<Employer, DeclareError> {
    let found = store.list_employers(i64::MAX, &[employer]).await?.into_iter().next();
    let employer = found.ok_or(Denied::NotFound)?;
    actor.may(action, owner(&employer))?;
    Ok(employer)
}

pub(super) fn owner(employer: &Employer) -> Owner<'_> {
    Owner { employer: employer.unit, federation_division: &employer.federation_division }
}
