//! Double claims: the months of a year for which two employers may count the same person, before either declares.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Contract, PersonId, UnitId};
use super::month::Month;

/// What one employer has of a person in a year.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Months that it holds the claim on.
    pub claimed: Vec<Month>,
    pub contracts: Vec<Contract>,
}

impl Side {
    /// The months for which it may count the person: those it claims; else those its contracts cover; without either, all.
    fn months(&self, year: i16) -> BTreeSet<Month> {
        if !self.claimed.is_empty() {
            return self.claimed.iter().copied().collect();
        }
        let covered = |month: &Month| self.contracts.is_empty() || self.contracts.iter().any(|one| one.covers(*month));
        Month::all_of(i32::from(year)).filter(covered).collect()
    }
}

/// The employers of one person and year.
pub type Sides = BTreeMap<UnitId, Side>;

/// A person's year that two employers have months of in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Overlap {
    pub person: PersonId,
    pub year: i16,
    /// The smaller number first, so that a pair is the same pair from either side.
    pub employers: [UnitId; 2],
    /// In their order; never empty.
    pub months: Vec<Month>,
}

/// Where the employer that entered the person meets others.
pub fn overlaps(person: PersonId, year: i16, entered_by: UnitId, sides: &Sides) -> Vec<Overlap> {
    let Some(own) = sides.get(&entered_by).map(|side| side.months(year)) else { return Vec::new() };
    let others = sides.iter().filter(|(employer, _)| **employer != entered_by);
    others
        .filter_map(|(other, side)| {
            let months: Vec<Month> = own.intersection(&side.months(year)).copied().collect();
            let employers = [entered_by.min(*other), entered_by.max(*other)];
            (!months.is_empty()).then_some(Overlap { person, year, employers, months })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::facts::ContractKind;
    use super::*;

    fn contract(starts_on: &str, ends_on: &str) -> Side {
        let contract = Contract {
            kind: ContractKind::Labour,
            starts_on: starts_on.parse().expect("day"),
            ends_on: Some(ends_on.parse().expect("day")),
            terminated_on: None,
        };
        Side { claimed: Vec::new(), contracts: vec![contract] }
    }

    fn months_in_common(own: Side, other: Side) -> Vec<u32> {
        let sides = Sides::from([(UnitId(1), own), (UnitId(2), other)]);
        let found = overlaps(PersonId(7), 2025, UnitId(2), &sides);
        assert!(found.iter().all(|overlap| overlap.employers == [UnitId(1), UnitId(2)]), "in one order");
        found.into_iter().flat_map(|overlap| overlap.months).map(Month::number).collect()
    }

    #[test]
    fn without_contracts_the_whole_year_is_in_common() {
        assert_eq!(months_in_common(Side::default(), Side::default()), (1..=12).collect::<Vec<_>>());
    }

    #[test]
    fn contracts_one_after_the_other_are_a_change_of_employer_and_no_double_claim() {
        assert_eq!(
            months_in_common(contract("2024-01-01", "2025-05-31"), contract("2025-06-01", "2027-05-31")),
            [0_u32; 0]
        );
        let mid_month = months_in_common(contract("2024-01-01", "2025-06-14"), contract("2025-06-15", "2027-06-14"));
        assert_eq!(mid_month, [6], "both have a day of June");
    }

    #[test]
    fn a_claim_counts_more_than_the_contracts_of_its_holder() {
        let claimed = Month::new(2025, 3).into_iter().collect();
        let holder = Side { claimed, ..contract("2024-01-01", "2026-12-31") };
        assert_eq!(months_in_common(holder, Side::default()), [3]);
    }

    #[test]
    fn one_employer_alone_meets_nobody() {
        let sides = Sides::from([(UnitId(1), Side::default())]);
        assert_eq!(overlaps(PersonId(7), 2025, UnitId(1), &sides), []);
        assert_eq!(overlaps(PersonId(7), 2025, UnitId(2), &sides), [], "deleted meanwhile");
    }
}
