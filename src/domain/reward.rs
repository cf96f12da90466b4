//! 超比例奖励: what an employer may apply for that placed more than the required ratio.

use super::decimal::Exact;
use super::facts::{EmployerKind, words};
use super::levy::Levy;
use super::money::Fen;
use super::policy::RewardRules;

words! {
    /// Whether a reward is due, and if not, why.
    RewardOutcome {
        Due = "due",
        /// The province or city has not switched the reward on.
        SwitchedOff = "switched_off",
        /// This kind of employer is not rewarded.
        NotThisKind = "not_this_kind",
        NoExcess = "no_excess",
        /// The excess is below the smallest that is rewarded.
        ExcessTooSmall = "excess_too_small",
        /// The employer qualifies, but the policy holds no factor for the amount.
        AmountUnknown = "amount_unknown",
    }
}

/// A reward and its steps.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reward {
    /// placed − required, at least 0; persons, weighted.
    pub excess: Exact,
    pub outcome: RewardOutcome,
    /// 0 unless the outcome is `due`.
    pub amount: Fen,
}

/// excess × monthly minimum wage × factor. `minimum_wage` is the standard of the employer's class that the reward is paid by.
pub fn reward(kind: EmployerKind, levy: &Levy, minimum_wage: Fen, rules: &RewardRules) -> Reward {
    let excess = (&levy.placed - &levy.required).max(Exact::zero());
    let counted = if rules.whole_persons { excess.floor() } else { excess.clone() };
    let (outcome, amount) = if !rules.enabled {
        (RewardOutcome::SwitchedOff, Fen(0))
    } else if !rules.kinds.contains(&kind) {
        (RewardOutcome::NotThisKind, Fen(0))
    } else if excess.is_zero() {
        (RewardOutcome::NoExcess, Fen(0))
    } else if excess < rules.minimum_excess {
        (RewardOutcome::ExcessTooSmall, Fen(0))
    } else if let Some(factor) = &rules.minimum_wage_factor {
        (RewardOutcome::Due, (&(&counted * &Exact::of_money(minimum_wage)) * factor).to_money())
    } else {
        (RewardOutcome::AmountUnknown, Fen(0))
    };
    Reward { excess, outcome, amount }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::counting::{Headcount, PlacedPersons};
    use crate::domain::levy::{Tier, WageCap};

    fn exact(text: &str) -> Exact {
        Exact::parse(text).expect("decimal")
    }

    /// Any excess × monthly minimum wage × 6, as Hunan has it.
    fn hunan() -> RewardRules {
        RewardRules {
            enabled: true,
            kinds: [EmployerKind::Enterprise].into(),
            minimum_excess: exact("0"),
            whole_persons: false,
            minimum_wage_factor: Some(exact("6")),
        }
    }

    fn levy(headcount: &str, months: u32) -> Levy {
        let headcount = Headcount::parse(headcount).expect("headcount").exact().clone();
        Levy {
            required: &headcount * &exact("0.015"),
            placed: PlacedPersons::from_weighted_months(months).exact(),
            headcount,
            required_ratio: exact("0.015"),
            placed_ratio: None,
            gap: exact("0"),
            average_wage: exact("0"),
            wage_cap: WageCap::NotReached,
            wage_used: exact("0"),
            gross: Fen(0),
            tier: Tier::Met,
            share: exact("0"),
            relief: Fen(0),
            due: Fen(0),
        }
    }

    #[test]
    fn the_excess_may_be_a_fraction() {
        for (headcount, months, excess, outcome, amount) in [
            ("100", 39, "1.75", RewardOutcome::Due, "22050.00"),
            ("200", 36, "0", RewardOutcome::NoExcess, "0.00"),
            ("120", 38, "41/30", RewardOutcome::Due, "17220.00"),
        ] {
            let found = reward(EmployerKind::Enterprise, &levy(headcount, months), Fen(210_000), &hunan());
            assert_eq!((found.excess.to_string().as_str(), found.outcome), (excess, outcome), "{headcount}");
            assert_eq!(found.amount.to_string(), amount, "{headcount}");
        }
    }

    #[test]
    fn a_threshold_of_one_person_is_inclusive() {
        let nanchang = RewardRules { minimum_excess: exact("1"), minimum_wage_factor: None, ..hunan() };
        let outcome = |headcount: &str, months| {
            reward(EmployerKind::Enterprise, &levy(headcount, months), Fen(224_000), &nanchang).outcome
        };
        // placed 2.5, required 1.51 and 1.5: an excess of 0.99 and of 1
        assert_eq!(outcome("100.6666666667", 30), RewardOutcome::ExcessTooSmall);
        assert_eq!(outcome("100", 30), RewardOutcome::AmountUnknown);
    }

    #[test]
    fn whole_persons_of_the_excess_are_paid_where_the_rule_says_so() {
        let whole = RewardRules { whole_persons: true, ..hunan() };
        let found = reward(EmployerKind::Enterprise, &levy("100", 39), Fen(210_000), &whole);
        assert_eq!((found.excess.to_string().as_str(), found.amount.to_string().as_str()), ("1.75", "12600.00"));
    }

    #[test]
    fn nothing_is_due_while_switched_off_or_to_another_kind() {
        let off = RewardRules { enabled: false, ..hunan() };
        let placed = levy("100", 39);
        assert_eq!(reward(EmployerKind::Enterprise, &placed, Fen(1), &off).outcome, RewardOutcome::SwitchedOff);
        assert_eq!(reward(EmployerKind::StateOrgan, &placed, Fen(1), &hunan()).outcome, RewardOutcome::NotThisKind);
    }
}
