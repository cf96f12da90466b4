//! A month that more than one employer counts: the employer hears only that, staff see who.

use serde::Serialize;

use super::super::VerifyError;
use super::super::gather::Placed;
use super::super::view::View;
use super::heard;
use super::records::Units;
use crate::domain::basis::{Basis, conflict_basis};
use crate::domain::facts::UnitId;
use crate::domain::judge::{Stake, in_conflict};
use crate::domain::month::Month;
use crate::domain::remedy::{Remedy, conflict_remedy};
use crate::domain::said::Said;

/// Why the month is in conflict.
#[derive(Clone, Debug, Serialize)]
pub struct ConflictEvidence {
    #[serde(flatten)]
    pub told: Said,
    /// For staff only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Claimant>,
    pub basis: Basis,
    pub remedy: Remedy,
}

/// Another employer's stake in the month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claimant {
    pub uscc: String,
    pub holds_claim: bool,
    pub would_pass: bool,
}

/// The conflict of `own`'s month, if there is one.
pub(super) fn evidence(
    view: &View,
    own: &Placed,
    month: Month,
    units: &Units,
) -> Result<Option<ConflictEvidence>, VerifyError> {
    let claims = view.chunk.gathered.claims.of(&own.person.0);
    let holder = claims.iter().find(|(claimed, _)| *claimed == month).map(|(_, holder)| *holder);
    let mut stakes: Vec<(UnitId, Stake)> = Vec::new();
    for placed in view.chunk.gathered.placements.iter().filter(|placed| placed.person == own.person) {
        let Some(case) = view.case(placed, month) else { continue };
        let passes = heard(view, &case, month)?.0.codes.pass();
        stakes.push((placed.employer, Stake { passes, holds_claim: holder == Some(placed.employer) }));
    }
    let Some(place) = stakes.iter().position(|(unit, _)| *unit == own.employer) else { return Ok(None) };
    let claimed_elsewhere = holder.is_some() && !stakes.iter().any(|(_, stake)| stake.holds_claim);
    let all: Vec<Stake> = stakes.iter().map(|(_, stake)| *stake).collect();
    if !in_conflict(&all, place, claimed_elsewhere) {
        return Ok(None);
    }
    let mut others = Vec::new();
    if units.reveal {
        let at_stake =
            stakes.iter().filter(|(unit, stake)| *unit != own.employer && (stake.passes || stake.holds_claim));
        others.extend(at_stake.map(|(unit, stake)| claimant(units, *unit, *stake)));
        let elsewhere = holder.filter(|_| claimed_elsewhere);
        others.extend(elsewhere.map(|unit| claimant(units, unit, Stake { passes: false, holds_claim: true })));
    }
    Ok(Some(ConflictEvidence {
        told: Said::new(
            "another employer claims this month or would count it too",
            "另有单位已认定该月或同样可以计入该月",
        ),
        others,
        basis: conflict_basis(),
        remedy: conflict_remedy(month, own.subject.dispatch.is_some()),
    }))
}

fn claimant(units: &Units, unit: UnitId, stake: Stake) -> Claimant {
    Claimant { uscc: units.code(unit).unwrap_or_default(), holds_claim: stake.holds_claim, would_pass: stake.passes }
}
