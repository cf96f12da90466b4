//! What a month that does not count costs: the levy as it is, less the levy with the month, exact.

use super::counting::{Headcount, HeadcountError};
use super::facts::EmployerKind;
use super::levy::{AverageWage, LevyInput, assess};
use super::money::Fen;
use super::policy::LevyRules;

/// An employer's year as the levy sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub kind: EmployerKind,
    /// Own staff, dispatched persons not moved yet.
    pub headcount: Headcount,
    pub average_wage: AverageWage,
    /// Months that count now, each by its weight.
    pub weighted_person_months: u32,
    /// Of these, months of dispatched persons, unweighted: the employer counts them, and they move its headcount.
    pub dispatched_months: u32,
}

/// Months that would count besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Gain {
    /// By weight.
    pub weighted_months: u32,
    /// Of dispatched persons, unweighted.
    pub dispatched_months: u32,
}

impl Gain {
    /// One month of one person.
    pub fn month(weight: u8, dispatched: bool) -> Self {
        Self { weighted_months: u32::from(weight), dispatched_months: u32::from(dispatched) }
    }
}

impl std::ops::Add for Gain {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            weighted_months: self.weighted_months + other.weighted_months,
            dispatched_months: self.dispatched_months + other.dispatched_months,
        }
    }
}

impl std::iter::Sum for Gain {
    fn sum<I: Iterator<Item = Self>>(gains: I) -> Self {
        gains.fold(Self::default(), |sum, one| sum + one)
    }
}

impl Position {
    /// What the levy is computed from with these months besides.
    pub fn with(&self, gain: Gain) -> Result<LevyInput, HeadcountError> {
        Ok(LevyInput {
            kind: self.kind,
            headcount: self.headcount.moved_by_dispatch(self.dispatched_months + gain.dispatched_months, 0)?,
            average_wage: self.average_wage.clone(),
            weighted_person_months: self.weighted_person_months + gain.weighted_months,
        })
    }
}

/// The levy with these months besides.
pub fn levy_with(position: &Position, gain: Gain, rules: &LevyRules) -> Result<Fen, HeadcountError> {
    Ok(assess(&position.with(gain)?, rules).due)
}

/// What the months are worth: the levy now − the levy with them. Worths of several months do not add up where the months
/// together reach a tier of relief; ask for their sum.
pub fn worth(position: &Position, gain: Gain, rules: &LevyRules) -> Result<Fen, HeadcountError> {
    Ok(levy_with(position, Gain::default(), rules)? + -levy_with(position, gain, rules)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::decimal::Exact;
    use crate::domain::policy::{PlacedPersonsRounding, ReliefRules, ReliefTier};

    fn exact(text: &str) -> Exact {
        Exact::parse(text).expect("decimal")
    }

    fn yuan(text: &str) -> Fen {
        text.parse().expect("amount")
    }

    fn rules() -> LevyRules {
        let tier = |ratio_from: &str, share: &str| ReliefTier { ratio_from: exact(ratio_from), share: exact(share) };
        LevyRules {
            required_ratio: exact("0.015"),
            relief: ReliefRules {
                tiers: vec![tier("0.01", "0.5"), tier("0", "0.9")],
                exempt_headcount: exact("30"),
                exempt_kinds: [EmployerKind::Enterprise].into(),
            },
            wage_cap_multiple: exact("2"),
            social_average_wage: None,
            placed_persons_rounding: PlacedPersonsRounding::Exact,
        }
    }

    fn position(headcount: &str, yearly: &str, months: u32) -> Position {
        Position {
            kind: EmployerKind::Enterprise,
            headcount: Headcount::parse(headcount).expect("headcount"),
            average_wage: AverageWage::yearly(yuan(yearly)).expect("a wage"),
            weighted_person_months: months,
            dispatched_months: 0,
        }
    }

    fn worth_of(position: &Position, weight: u8, dispatched: bool) -> Fen {
        worth(position, Gain::month(weight, dispatched), &rules()).expect("a headcount")
    }

    #[test]
    fn a_month_below_the_ratio_is_worth_a_twelfth_of_the_wage_by_its_share() {
        // 200 staff, one person placed: 90 % of 120000 / 12
        let position = position("200", "120000", 12);
        assert_eq!(worth_of(&position, 1, false), yuan("9000.00"));
        assert_eq!(worth_of(&position, 2, false), yuan("18000.00"));
    }

    #[test]
    fn the_month_that_reaches_a_tier_is_worth_the_tier_too() {
        // 100 staff: 11 months leave (1.5 − 11/12) × 90000 × 0.9 = 47250, 12 months 0.5 × 90000 × 0.5 = 22500
        assert_eq!(worth_of(&position("100", "90000", 11), 1, false), yuan("24750.00"));
    }

    #[test]
    fn beyond_the_ratio_or_exempt_a_month_is_worth_nothing() {
        assert_eq!(worth_of(&position("200", "80000", 36), 2, false), Fen(0));
        assert_eq!(worth_of(&position("30", "60000", 0), 1, false), Fen(0));
        // a gap of a twelfth of a month's person is all that can be filled
        assert_eq!(
            worth_of(&position("200", "80000", 35), 2, false),
            worth_of(&position("200", "80000", 35), 1, false)
        );
    }

    #[test]
    fn a_dispatched_month_moves_the_headcount_with_it() {
        // 100 staff, a dispatched person of twelve months: 101 staff, 1 placed, 0.99 %: 90 %, as the published trap has it
        let position = Position { dispatched_months: 11, ..position("100", "90000", 11) };
        let with = levy_with(&position, Gain::month(1, true), &rules()).expect("a headcount");
        assert_eq!(with, yuan("41715.00"));
        let unmoved = Position { dispatched_months: 0, ..position };
        assert_eq!(levy_with(&unmoved, Gain::month(1, false), &rules()).expect("a headcount"), yuan("22500.00"));
    }

    proptest! {
        #[test]
        fn months_of_own_staff_never_cost_and_are_worth_what_the_levy_falls_by(
            staff in 1_u32..2000, months in 0_u32..400, first in 1_u32..30, second in 1_u32..30,
        ) {
            let position = position(&staff.to_string(), "66666.66", months);
            let gain = |weighted_months| Gain { weighted_months, dispatched_months: 0 };
            let one = worth(&position, gain(first), &rules()).expect("a headcount");
            prop_assert!(one >= Fen(0));
            let after = Position { weighted_person_months: months + first, ..position.clone() };
            let other = worth(&after, gain(second), &rules()).expect("a headcount");
            prop_assert_eq!(one + other, worth(&position, gain(first) + gain(second), &rules()).expect("a headcount"));
        }
    }

    #[test]
    fn gains_add_up_by_weight_and_by_dispatched_month() {
        let sum = Gain::month(2, true) + Gain::month(1, true) + Gain::month(1, false);
        assert_eq!(sum, Gain { weighted_months: 4, dispatched_months: 2 });
    }

    #[test]
    fn months_are_summed_by_weight_and_by_dispatch() {
        let months = [Gain::month(2, false), Gain::month(1, true), Gain::month(1, true)];
        assert_eq!(months.into_iter().sum::<Gain>(), Gain { weighted_months: 4, dispatched_months: 2 });
    }
}
