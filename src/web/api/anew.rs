//! After a change that others see: whoever it touches is judged anew at once. If that fails, the night does it.

use crate::domain::access::Actor;
use crate::domain::facts::{PersonId, UnitId};
use crate::errors;
use crate::verify::{Selection, verify};
use crate::web::Site;

/// Everybody whom the employer has placed, at every employer of theirs.
pub(super) async fn judge_placed(site: &Site, actor: &Actor, employer: UnitId, year: i32) {
    judge(site, actor, year, Selection::of_employer(employer)).await;
}

/// One person, at every employer of theirs.
pub(super) async fn judge_person(site: &Site, actor: &Actor, person: PersonId, year: i32) {
    judge(site, actor, year, Selection { person: Some(person), ..Selection::default() }).await;
}

async fn judge(site: &Site, actor: &Actor, year: i32, selection: Selection) {
    if let Err(error) = verify(&site.store, &site.reading, year, &selection, &actor.name, &|_| ()).await {
        tracing::warn!(error = errors::chain(&error), "results of others were not judged anew; the night does it");
    }
}
