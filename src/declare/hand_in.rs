//! 送审: a placement with evidence for everything that its ticked months lack is handed in for review.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::permit::permit;
use super::{DeclareError, Declaring, standing};
use crate::clock;
use crate::domain::access::{Action, Actor};
use crate::domain::facts::PersonId;
use crate::domain::month::Month;
use crate::domain::policy::Policy;
use crate::domain::review::MonthStanding;
use crate::domain::reviewing::Refused;
use crate::store::Store;
use crate::store::audit::Act;

/// What was handed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct HandedIn {
    pub person: PersonId,
    /// Ticked months that do not pass and are not approved: what staff look at.
    pub months: Vec<Month>,
    pub at: DateTime<Utc>,
}

/// Hands the placement in, inside the window; after it only where a declaration was opened again, or the unit is deregistered.
pub async fn hand_in(
    store: &Store,
    policy: &Policy,
    actor: &Actor,
    declaring: Declaring,
    person: PersonId,
    deregisters: bool,
) -> Result<HandedIn, DeclareError> {
    let of = permit::<DeclareError>(store, actor, Action::HandIn, declaring.employer).await?;
    if deregisters {
        actor.may(Action::Deregister, of.owner())?;
    }
    let at = store.now().await?;
    let today = clock::business_date(at);
    let (first_day, last_day) = policy.window(declaring.year);
    let in_window = (first_day..=last_day).contains(&today);
    // under the lock: nothing is entered, ticked or withdrawn between the look and the step
    let mut change = store.change().await?;
    let state = change.hold_declaration(declaring.employer, declaring.stored_year()).await?;
    if !state.is_editable() {
        return Err(Refused::NotOpen.into());
    }
    let no_placement = Refused::NoPlacement { year: declaring.year };
    let Some((view, _)) = standing::one(store, declaring, person).await? else {
        let placed = standing::entered(store, declaring).await?.placed.contains_key(&person);
        return Err(if placed { Refused::NotJudged } else { no_placement }.into());
    };
    let missing: Vec<_> = view
        .months
        .iter()
        .filter_map(|month| match month.standing {
            MonthStanding::EvidenceMissing(grounds) => Some((month.month, grounds)),
            _ => None,
        })
        .collect();
    if !missing.is_empty() {
        return Err(Refused::EvidenceMissing(missing).into());
    }
    // a month that was rejected is handed in once more; one that is under review already is no reason to
    let is_new = |standing: MonthStanding| matches!(standing, MonthStanding::Ready | MonthStanding::Rejected);
    if !view.months.iter().any(|month| is_new(month.standing)) {
        return Err(Refused::NothingToHandIn.into());
    }
    let months: Vec<Month> = view.awaiting().map(|month| month.month).collect();

    if !in_window && !deregisters && state.deregistration.is_none() && state.last_version() == 0 {
        return Err(Refused::OutsideWindow { first_day, last_day }.into());
    }
    change.save_handing_in(declaring.case(person), &actor.name, at, in_window).await?;
    let detail = serde_json::json!({ "months": months, "deregisters": deregisters });
    let act = Act { detail, ..Act::read(at, actor, Action::HandIn, of.placement(declaring.year, person)) };
    change.record(&act).await?;
    let handed_in = HandedIn { person, months, at };
    change.answer(&handed_in).await?;
    change.commit().await?;
    Ok(handed_in)
}
