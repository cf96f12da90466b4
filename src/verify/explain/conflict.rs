//! A month that more than one employer counts: the employer hears only that, staff see who.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::VerifyError;
use super::super::contest::{Contest, Stakes};
use super::super::gather::Placed;
use super::super::view::View;
use super::heard;
use super::records::Units;
use crate::domain::basis::{Basis, conflict_basis};
use crate::domain::facts::UnitId;
use crate::domain::judge::Stake;
use crate::domain::month::Month;
use crate::domain::remedy::{Remedy, conflict_remedy};
use crate::domain::said::Said;

/// Why the month is in conflict.
#[derive(Clone, Debug, Serialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Claimant {
    pub uscc: String,
    pub holds_claim: bool,
    pub would_pass: bool,
    /// Staff decided for it.
    pub prevails: bool,
}

/// The conflict of `own`'s month, if there is one.
pub(super) fn evidence(
    view: &View,
    own: &Placed,
    month: Month,
    units: &Units,
) -> Result<Option<ConflictEvidence>, VerifyError> {
    let contest = Contest::over(view.chunk.gathered.stakes.of(&own.person.0), month);
    let mut passing: Vec<(UnitId, bool)> = Vec::new();
    for placed in view.chunk.gathered.placements.iter().filter(|placed| placed.person == own.person) {
        let Some(case) = view.case(placed, month) else { continue };
        passing.push((placed.employer, heard(view, &case, month)?.0.codes.pass()));
    }
    let stakes = contest.stakes(passing);
    let Some(place) = stakes.each.iter().position(|(unit, _)| *unit == own.employer) else { return Ok(None) };
    if !stakes.in_conflict()[place] {
        return Ok(None);
    }
    let prevailing = stakes.each.iter().any(|(unit, stake)| *unit != own.employer && stake.prevails);
    let claimed = contest.holder().is_some();
    let told = if prevailing && !claimed {
        Said::new("staff decided that another employer counts this month", "经残联裁定，该月由另一单位计入")
    } else {
        Said::new("another employer claims this month or would count it too", "另有单位已认定该月或同样可以计入该月")
    };
    let others = if units.reveal { others(&stakes, own.employer, units) } else { Vec::new() };
    Ok(Some(ConflictEvidence {
        told,
        others,
        basis: conflict_basis(),
        remedy: conflict_remedy(month, own.subject.dispatch.is_some()),
    }))
}

fn others(stakes: &Stakes, own: UnitId, units: &Units) -> Vec<Claimant> {
    let claimant = |unit: UnitId, stake: Stake| Claimant {
        uscc: units.code(unit).unwrap_or_default(),
        holds_claim: stake.holds_claim,
        would_pass: stake.passes,
        prevails: stake.prevails,
    };
    let at_stake =
        |(unit, stake): &&(UnitId, Stake)| *unit != own && (stake.passes || stake.holds_claim || stake.prevails);
    let mut others: Vec<Claimant> =
        stakes.each.iter().filter(at_stake).map(|(unit, stake)| claimant(*unit, *stake)).collect();
    let holder = Stake { passes: false, holds_claim: true, prevails: false };
    others.extend(stakes.claimed_elsewhere.map(|unit| claimant(unit, holder)));
    others
}
