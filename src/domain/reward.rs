//! 超比例奖励: what an employer may apply for that placed more than the required ratio, every step exact, money rounded at the end only.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::counting::Headcount;
use super::decimal::{Exact, deserialize_shown};
use super::facts::{EmployerKind, words};
use super::money::Fen;
use super::policy::{PlacedPersonsRounding, RewardRules, WageClass};

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
        /// The employer qualifies, but the policy holds no factor, or no minimum wage of its place, for the amount.
        AmountUnknown = "amount_unknown",
    }
}

impl RewardOutcome {
    pub const fn english(self) -> &'static str {
        match self {
            Self::Due => "the reward is due",
            Self::SwitchedOff => "the reward is not open here for this year",
            Self::NotThisKind => "this kind of employer is not rewarded",
            Self::NoExcess => "the employer placed no more persons than it must",
            Self::ExcessTooSmall => {
                "the employer placed more than it must, but less than the smallest excess that is rewarded"
            }
            Self::AmountUnknown => {
                "the employer qualifies, but the policy holds no factor, or no minimum wage of its place, for the amount"
            }
        }
    }

    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Due => "符合超比例奖励条件。",
            Self::SwitchedOff => "本地该年度未开放超比例奖励申请。",
            Self::NotThisKind => "该类单位不在超比例奖励范围内。",
            Self::NoExcess => "安置残疾人数未超过应安置人数。",
            Self::ExcessTooSmall => "超出应安置的人数未达到奖励的最低标准。",
            Self::AmountUnknown => "符合条件，但政策中没有奖励系数或当地最低工资标准，无法计算金额。",
        }
    }
}

/// The minimum wage that a reward is paid by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct MinimumWage {
    /// 最低工资类区 of the employer's place.
    pub class: WageClass,
    /// The day on which it was in force.
    pub on: NaiveDate,
    /// Yuan a month.
    pub amount: Fen,
}

/// What a reward is worked out from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewardInput {
    pub kind: EmployerKind,
    /// Dispatched persons already moved, see [`Headcount::moved_by_dispatch`].
    pub headcount: Headcount,
    pub weighted_person_months: u32,
    pub required_ratio: Exact,
    pub placed_persons_rounding: PlacedPersonsRounding,
    /// `None`: the policy does not know the class of the employer's place.
    pub minimum_wage: Option<MinimumWage>,
}

/// A reward and every step on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Reward {
    pub weighted_person_months: u32,
    /// Weighted person-months ÷ 12, rounded only if the policy says so.
    #[serde(deserialize_with = "deserialize_shown")]
    pub placed: Exact,
    #[serde(deserialize_with = "deserialize_shown")]
    pub headcount: Exact,
    #[serde(deserialize_with = "deserialize_shown")]
    pub required_ratio: Exact,
    /// headcount × required ratio.
    #[serde(deserialize_with = "deserialize_shown")]
    pub required: Exact,
    /// placed − required, at least 0; persons, weighted.
    #[serde(deserialize_with = "deserialize_shown")]
    pub excess: Exact,
    /// The smallest excess that is rewarded; 0 rewards any.
    #[serde(deserialize_with = "deserialize_shown")]
    pub minimum_excess: Exact,
    /// Only whole persons of the excess are paid for.
    pub whole_persons: bool,
    /// The excess, or its whole persons.
    #[serde(deserialize_with = "deserialize_shown")]
    pub counted: Exact,
    pub minimum_wage: Option<MinimumWage>,
    /// Monthly minimum wages per person and year.
    pub factor: Option<Exact>,
    pub outcome: RewardOutcome,
    /// counted × minimum wage × factor; 0 unless the outcome is `due`.
    pub amount: Fen,
}

/// Why employers of this kind are not rewarded by these rules, whatever they placed; `None`: they are.
pub fn closed_to(kind: EmployerKind, rules: &RewardRules) -> Option<RewardOutcome> {
    if !rules.enabled {
        Some(RewardOutcome::SwitchedOff)
    } else if !rules.kinds.contains(&kind) {
        Some(RewardOutcome::NotThisKind)
    } else {
        None
    }
}

/// excess × monthly minimum wage × factor.
pub fn reward(input: &RewardInput, rules: &RewardRules) -> Reward {
    let headcount = input.headcount.exact();
    let placed = input.placed_persons_rounding.placed(input.weighted_person_months);
    let required = headcount * &input.required_ratio;
    let excess = (&placed - &required).max(Exact::zero());
    let counted = if rules.whole_persons { excess.floor() } else { excess.clone() };
    let (outcome, amount) = if let Some(closed) = closed_to(input.kind, rules) {
        (closed, Fen(0))
    } else if excess.is_zero() {
        (RewardOutcome::NoExcess, Fen(0))
    } else if excess < rules.minimum_excess || counted.is_zero() {
        (RewardOutcome::ExcessTooSmall, Fen(0))
    } else if let (Some(factor), Some(wage)) = (&rules.minimum_wage_factor, input.minimum_wage) {
        (RewardOutcome::Due, (&(&counted * &Exact::of_money(wage.amount)) * factor).to_money())
    } else {
        (RewardOutcome::AmountUnknown, Fen(0))
    };
    Reward {
        weighted_person_months: input.weighted_person_months,
        placed,
        headcount: headcount.clone(),
        required_ratio: input.required_ratio.clone(),
        required,
        excess,
        minimum_excess: rules.minimum_excess.clone(),
        whole_persons: rules.whole_persons,
        counted,
        minimum_wage: input.minimum_wage,
        factor: rules.minimum_wage_factor.clone(),
        outcome,
        amount,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One that is due.
    pub fn due() -> Reward {
        reward(&input("100", 39), &hunan())
    }

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

    /// An enterprise where the minimum wage is 2100.
    fn input(headcount: &str, months: u32) -> RewardInput {
        let on = "2025-12-31".parse().expect("a day");
        RewardInput {
            kind: EmployerKind::Enterprise,
            headcount: Headcount::parse(headcount).expect("headcount"),
            weighted_person_months: months,
            required_ratio: exact("0.015"),
            placed_persons_rounding: PlacedPersonsRounding::Exact,
            minimum_wage: Some(MinimumWage { class: WageClass::One, on, amount: Fen(210_000) }),
        }
    }

    #[test]
    fn the_excess_may_be_a_fraction() {
        for (headcount, months, excess, outcome, amount) in [
            ("100", 39, "1.75", RewardOutcome::Due, "22050.00"),
            ("200", 36, "0", RewardOutcome::NoExcess, "0.00"),
            ("120", 38, "41/30", RewardOutcome::Due, "17220.00"),
        ] {
            let found = reward(&input(headcount, months), &hunan());
            assert_eq!((found.excess.to_string().as_str(), found.outcome), (excess, outcome), "{headcount}");
            assert_eq!(found.amount.to_string(), amount, "{headcount}");
        }
    }

    #[test]
    fn a_threshold_of_one_person_is_inclusive() {
        let nanchang = RewardRules { minimum_excess: exact("1"), minimum_wage_factor: None, ..hunan() };
        let outcome = |headcount: &str, months| reward(&input(headcount, months), &nanchang).outcome;
        // placed 2.5, required 1.51 and 1.5: an excess of 0.99 and of 1
        assert_eq!(outcome("100.6666666667", 30), RewardOutcome::ExcessTooSmall);
        assert_eq!(outcome("100", 30), RewardOutcome::AmountUnknown);
    }

    #[test]
    fn whole_persons_of_the_excess_are_paid_where_the_rule_says_so() {
        let whole = RewardRules { whole_persons: true, ..hunan() };
        let found = reward(&input("100", 39), &whole);
        assert_eq!((found.excess.to_string().as_str(), found.amount.to_string().as_str()), ("1.75", "12600.00"));
        // no whole person, nothing that could be paid: placed 2.25, required 1.5
        let found = reward(&input("100", 27), &whole);
        assert_eq!((found.excess.to_string().as_str(), found.outcome), ("0.75", RewardOutcome::ExcessTooSmall));
    }

    #[test]
    fn placed_persons_are_rounded_where_the_levy_rounds_them() {
        // 38 months: 3.1666… placed, 3.17 rounded; 1.8 required; 1.37 × 2100 × 6
        let rounded = RewardInput { placed_persons_rounding: PlacedPersonsRounding::TwoDecimals, ..input("120", 38) };
        assert_eq!(reward(&rounded, &hunan()).amount.to_string(), "17262.00");
    }

    #[test]
    fn nothing_is_due_while_switched_off_or_to_another_kind_and_no_amount_is_guessed() {
        let off = RewardRules { enabled: false, ..hunan() };
        let placed = input("100", 39);
        assert_eq!(reward(&placed, &off).outcome, RewardOutcome::SwitchedOff);
        let organ = RewardInput { kind: EmployerKind::StateOrgan, ..placed.clone() };
        assert_eq!(reward(&organ, &hunan()).outcome, RewardOutcome::NotThisKind);
        let somewhere = RewardInput { minimum_wage: None, ..placed };
        let found = reward(&somewhere, &hunan());
        assert_eq!((found.outcome, found.amount), (RewardOutcome::AmountUnknown, Fen(0)));
    }

    #[cfg(feature = "pipeline")]
    #[test]
    fn what_was_kept_is_read_again_as_it_was() {
        let found = reward(&input("120", 38), &hunan());
        let text = serde_json::to_string(&found).expect("written");
        assert_eq!(serde_json::from_str::<Reward>(&text).expect("read"), found);
    }

    #[test]
    fn every_outcome_is_told_in_both_languages() {
        let told: Vec<String> = RewardOutcome::ALL
            .iter()
            .map(|outcome| format!("{}: {}; {}", outcome.as_str(), outcome.english(), outcome.chinese()))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r###"
due: the reward is due; 符合超比例奖励条件。
switched_off: the reward is not open here for this year; 本地该年度未开放超比例奖励申请。
not_this_kind: this kind of employer is not rewarded; 该类单位不在超比例奖励范围内。
no_excess: the employer placed no more persons than it must; 安置残疾人数未超过应安置人数。
excess_too_small: the employer placed more than it must, but less than the smallest excess that is rewarded; 超出应安置的人数未达到奖励的最低标准。
amount_unknown: the employer qualifies, but the policy holds no factor, or no minimum wage of its place, for the amount; 符合条件，但政策中没有奖励系数或当地最低工资标准，无法计算金额。
"###);
    }
}
