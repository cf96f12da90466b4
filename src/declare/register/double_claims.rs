//! Double claims told at entry: whoever enters a person of whom another employer has months hears of it, and so do the other and staff.

use std::collections::{BTreeSet, HashMap};

use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::notice::{DoubleClaim, NoticeKind};
use crate::domain::overlap::{Overlap, overlaps};
use crate::store::StoreError;
use crate::store::entries::{ContractEntry, Placement};
use crate::store::notices::{Addressee, NewNotice};
use crate::store::publish::Publish;

/// A placement that was entered, or whose contracts were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entered {
    pub person: PersonId,
    pub year: i16,
    pub employer: UnitId,
}

impl Entered {
    pub fn of(placement: &Placement) -> Self {
        Self { person: placement.person, year: placement.year, employer: placement.employer }
    }

    pub fn of_contract(contract: &ContractEntry) -> Self {
        Self { person: contract.person, year: contract.year, employer: contract.employer }
    }
}

/// Looks for other employers of these persons, all at once, and puts down what both sides and their staff were not told yet, in
/// the publish of the entries. What is in common is returned, told before or not.
pub async fn tell_double_claims(publish: &mut Publish, entered: &[Entered]) -> Result<Vec<Overlap>, StoreError> {
    let keys: BTreeSet<(PersonId, i16)> = entered.iter().map(|one| (one.person, one.year)).collect();
    let keys: Vec<(PersonId, i16)> = keys.into_iter().collect();
    let sides = publish.list_sides(&keys).await?;
    let found: BTreeSet<Overlap> = entered
        .iter()
        .filter_map(|one| Some((one, sides.get(&(one.person, one.year))?)))
        .flat_map(|(one, sides)| overlaps(one.person, one.year, one.employer, sides))
        .collect();
    let found: Vec<Overlap> = found.into_iter().collect();
    if found.is_empty() {
        return Ok(found);
    }
    let units: BTreeSet<UnitId> = found.iter().flat_map(|overlap| overlap.employers).collect();
    let units: Vec<UnitId> = units.into_iter().collect();
    let codes = publish.unit_codes(&units).await?;
    let divisions: HashMap<UnitId, String> = (publish.list_employers(&units).await?.into_iter())
        .map(|employer| (employer.unit, employer.federation_division))
        .collect();
    let notices: Vec<NewNotice> = found.iter().flat_map(|overlap| notices_of(overlap, &codes, &divisions)).collect();
    let at = publish.at();
    publish.save_notices(&notices, at).await?;
    Ok(found)
}

/// One to each employer, without the other's name, and one to the staff of each federation in charge.
fn notices_of(overlap: &Overlap, codes: &HashMap<UnitId, Uscc>, divisions: &HashMap<UnitId, String>) -> Vec<NewNotice> {
    let Overlap { person, year, employers, months } = overlap;
    let [one, other] = employers;
    let notice = |addressee, employers| {
        let claim = DoubleClaim { person: *person, year: *year, months: months.clone(), employers };
        NewNotice {
            addressee,
            kind: NoticeKind::DoubleClaim,
            object: format!("person {} {year}", person.0),
            fact: format!("person {} {year} units {} {}", person.0, one.0, other.0),
            params: serde_json::to_value(claim).unwrap_or_default(),
        }
    };
    let both: Vec<Uscc> = employers.iter().filter_map(|unit| codes.get(unit).copied()).collect();
    let staff: BTreeSet<&String> = employers.iter().filter_map(|unit| divisions.get(unit)).collect();
    let to_employers = employers.iter().map(|unit| notice(Addressee::Employer(*unit), Vec::new()));
    let to_staff = staff.into_iter().map(|division| notice(Addressee::Division(division.clone()), both.clone()));
    to_employers.chain(to_staff).collect()
}

/// The months of all overlaps, each once, in their order.
pub fn months_of(overlaps: Vec<Overlap>) -> Vec<Month> {
    let months: BTreeSet<Month> = overlaps.into_iter().flat_map(|overlap| overlap.months).collect();
    months.into_iter().collect()
}
