//! Whether a labour contract or a place on the establishment covers a month, and was agreed for long enough.

use chrono::NaiveDate;

use super::facts::{Contract, ContractKind};
use super::month::{Month, years_later};
use super::verdict::ContractCode;

impl Contract {
    /// The last day on which it binds, that of a termination included; `None` while nothing ends it.
    pub fn last_day(&self) -> Option<NaiveDate> {
        match (self.ends_on, self.terminated_on) {
            (Some(end), Some(termination)) => Some(end.min(termination)),
            (end, termination) => end.or(termination),
        }
    }

    /// In force on any day of `month`.
    pub fn covers(&self, month: Month) -> bool {
        // a contract terminated before it began was never in force
        let last = self.last_day().unwrap_or(NaiveDate::MAX);
        self.starts_on <= last && self.starts_on <= month.last_day() && last >= month.first_day()
    }

    /// Agreed for a year or more, whatever became of it: open-ended, or up to the day before the anniversary of its start.
    /// The establishment needs no length.
    pub fn is_long_enough(&self) -> bool {
        self.kind == ContractKind::Establishment
            || self.ends_on.is_none_or(|end| end.succ_opt().is_none_or(|after| after >= years_later(self.starts_on, 1)))
    }
}

/// The code of a month, and which contract decided it: of several that cover the month equally well the one that began
/// last. Where none covers the month, none decided.
pub fn contract_code(contracts: &[Contract], month: Month) -> (ContractCode, Option<usize>) {
    let covering = |long_enough: bool| {
        (contracts.iter().enumerate())
            .filter(|(_, contract)| contract.covers(month) && contract.is_long_enough() == long_enough)
            .max_by_key(|(_, contract)| (contract.starts_on, contract.last_day().unwrap_or(NaiveDate::MAX)))
            .map(|(index, _)| index)
    };
    if let Some(index) = covering(true) {
        (ContractCode::Pass, Some(index))
    } else if let Some(index) = covering(false) {
        (ContractCode::TooShort, Some(index))
    } else if contracts.is_empty() {
        (ContractCode::None, None)
    } else {
        (ContractCode::NotCovered, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("day")
    }

    fn labour(starts_on: &str, ends_on: &str) -> Contract {
        Contract {
            kind: ContractKind::Labour,
            starts_on: day(starts_on),
            ends_on: (!ends_on.is_empty()).then(|| day(ends_on)),
            terminated_on: None,
        }
    }

    fn code(contracts: &[Contract], month: &str) -> (&'static str, Option<usize>) {
        let (code, index) = contract_code(contracts, month.parse().expect("month"));
        (code.as_str(), index)
    }

    #[test]
    fn a_contract_must_be_agreed_for_a_year_or_more() {
        for (starts_on, ends_on, long_enough) in [
            ("2024-01-01", "2024-12-31", true),
            ("2024-01-01", "2024-12-30", false),
            ("2024-03-15", "2025-03-14", true),
            ("2024-03-15", "2025-03-13", false),
            ("2024-02-29", "2025-02-28", true),
            ("2024-02-29", "2025-02-27", true),
            ("2024-02-29", "2025-02-26", false),
            ("2024-01-01", "", true),
            ("2025-03-10", "2026-02-28", false),
        ] {
            assert_eq!(labour(starts_on, ends_on).is_long_enough(), long_enough, "{starts_on} to {ends_on}");
        }
    }

    #[test]
    fn a_place_on_the_establishment_needs_no_length() {
        let post = Contract { kind: ContractKind::Establishment, ..labour("2025-04-01", "2025-04-30") };
        assert_eq!(code(&[post], "2025-04"), ("pass", Some(0)));
        let open = Contract { kind: ContractKind::Establishment, ..labour("2010-04-01", "") };
        assert_eq!(code(&[open], "2025-04"), ("pass", Some(0)));
    }

    #[test]
    fn two_contracts_of_six_months_back_to_back_are_both_too_short() {
        let halves = [labour("2025-01-01", "2025-06-30"), labour("2025-07-01", "2025-12-31")];
        assert_eq!(code(&halves, "2025-06"), ("too_short", Some(0)));
        assert_eq!(code(&halves, "2025-07"), ("too_short", Some(1)));
    }

    #[test]
    fn v14_a_contract_shorter_than_a_year_fails_every_month_it_covers() {
        let contract = [labour("2025-03-10", "2026-02-28")];
        assert_eq!(code(&contract, "2025-02"), ("not_covered", None));
        assert_eq!(code(&contract, "2025-03"), ("too_short", Some(0)));
        assert_eq!(code(&contract, "2025-12"), ("too_short", Some(0)));
    }

    #[test]
    fn one_day_of_the_month_is_enough() {
        let contract = [labour("2024-03-31", "2025-04-01")];
        assert_eq!(code(&contract, "2024-02").0, "not_covered");
        assert_eq!(code(&contract, "2024-03").0, "pass");
        assert_eq!(code(&contract, "2025-04").0, "pass");
        assert_eq!(code(&contract, "2025-05").0, "not_covered");
        assert_eq!(code(&[], "2025-05"), ("none", None));
    }

    #[test]
    fn a_termination_ends_a_contract_early_and_leaves_its_agreed_length() {
        let terminated = Contract { terminated_on: Some(day("2025-05-10")), ..labour("2025-01-01", "2026-12-31") };
        assert_eq!(code(&[terminated], "2025-05").0, "pass");
        assert_eq!(code(&[terminated], "2025-06").0, "not_covered");
        let after_its_end = Contract { terminated_on: Some(day("2027-05-10")), ..labour("2025-01-01", "2026-12-31") };
        assert_eq!(code(&[after_its_end], "2027-01").0, "not_covered");
        let never_begun = Contract { terminated_on: Some(day("2024-12-31")), ..labour("2025-01-01", "2026-12-31") };
        assert_eq!(code(&[never_begun], "2025-01").0, "not_covered");
        assert_eq!(code(&[never_begun], "2024-12").0, "not_covered");
    }

    #[test]
    fn of_several_contracts_the_longest_enough_decides_and_of_those_the_latest() {
        let contracts =
            [labour("2025-06-01", "2025-08-31"), labour("2024-01-01", "2025-12-31"), labour("2025-07-01", "")];
        assert_eq!(code(&contracts, "2025-06"), ("pass", Some(1)));
        assert_eq!(code(&contracts, "2025-07"), ("pass", Some(2)));
    }
}
