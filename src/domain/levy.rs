//! 残疾人就业保障金: what an employer owes for a business year, every step exact, money rounded at the end only.

use super::counting::Headcount;
use super::decimal::Exact;
use super::facts::{EmployerKind, words};
use super::money::Fen;
use super::policy::LevyRules;

words! {
    /// Which relief decides the amount due.
    Tier {
        /// The required ratio is reached: nothing is owed.
        Met = "met",
        /// A small employer of an exempt kind.
        Exempt = "exempt",
        /// A share of the gross levy, by the ratio placed.
        Relief = "relief",
    }
}
words! {
    /// What the ceiling did to the average wage.
    WageCap {
        NotReached = "not_reached",
        Capped = "capped",
        /// The policy holds no social average wage for the year: the wage is taken as it stands, and this says so.
        Unknown = "unknown",
    }
}

/// The average yearly wage of an employer's own staff, yuan, exact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct AverageWage(Exact);

/// What is wrong with an average wage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AverageWageError {
    #[error("a negative wage, where 0 or more would be accepted")]
    Negative,
    #[error("above a hundred million yuan a year")]
    TooLarge,
    #[error("no staff to divide the total wages by")]
    NoStaff,
}

/// No average is larger; with the headcount's own bound it keeps every levy within what an amount can hold.
const MAX_YEARLY_YUAN: u32 = 100_000_000;

impl AverageWage {
    pub fn yearly(amount: Fen) -> Result<Self, AverageWageError> {
        Self::checked(Exact::of_money(amount))
    }

    /// Twelve times the monthly average, as the calculator takes it.
    pub fn monthly(amount: Fen) -> Result<Self, AverageWageError> {
        Self::checked(&Exact::of_money(amount) * &Exact::from(12))
    }

    /// Total wages of the year ÷ headcount, unrounded (column 8 of the levy form).
    pub fn of_total(total: Fen, headcount: &Headcount) -> Result<Self, AverageWageError> {
        let wage = Exact::of_money(total).divided_by(headcount.exact()).ok_or(AverageWageError::NoStaff)?;
        Self::checked(wage)
    }

    pub fn exact(&self) -> &Exact {
        &self.0
    }

    fn checked(yuan: Exact) -> Result<Self, AverageWageError> {
        if yuan.is_negative() {
            return Err(AverageWageError::Negative);
        }
        if yuan > Exact::from(MAX_YEARLY_YUAN) {
            return Err(AverageWageError::TooLarge);
        }
        Ok(Self(yuan))
    }
}

/// What the levy is computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevyInput {
    pub kind: EmployerKind,
    /// Dispatched persons already moved, see [`Headcount::moved_by_dispatch`].
    pub headcount: Headcount,
    pub average_wage: AverageWage,
    pub weighted_person_months: u32,
}

/// The levy and every step on the way. Counts and ratios are exact, money is rounded half-up to 0.01.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Levy {
    pub headcount: Exact,
    pub required_ratio: Exact,
    /// headcount × required ratio; need not be whole.
    pub required: Exact,
    /// Weighted person-months ÷ 12, rounded only if the policy says so.
    pub placed: Exact,
    /// placed ÷ headcount; `None` without staff.
    pub placed_ratio: Option<Exact>,
    /// required − placed, at least 0.
    pub gap: Exact,
    pub average_wage: Exact,
    pub wage_cap: WageCap,
    /// The average wage, or the ceiling.
    pub wage_used: Exact,
    /// gap × wage used: column 9 of the levy form.
    pub gross: Fen,
    pub tier: Tier,
    /// The share of the gross that is paid, 0 to 1.
    pub share: Exact,
    /// gross − due: column 10.
    pub relief: Fen,
    pub due: Fen,
}

/// The levy by 财税〔2015〕72号 art. 8, with ceiling and relief as `rules` holds them.
pub fn assess(input: &LevyInput, rules: &LevyRules) -> Levy {
    let headcount = input.headcount.exact();
    let required = headcount * &rules.required_ratio;
    let placed = rules.placed_persons_rounding.placed(input.weighted_person_months);
    let placed_ratio = placed.divided_by(headcount);
    let gap = (&required - &placed).max(Exact::zero());
    let (wage_used, wage_cap) = cap_wage(&input.average_wage, rules);
    let gross = &gap * &wage_used;
    let (tier, share) = if gap.is_zero() {
        (Tier::Met, Exact::zero())
    } else if rules.relief.exempts(input.kind, &input.headcount) {
        (Tier::Exempt, Exact::zero())
    } else {
        (Tier::Relief, rules.relief.share(placed_ratio.as_ref()))
    };
    let due = (&gross * &share).to_money();
    let gross = gross.to_money();
    Levy {
        headcount: headcount.clone(),
        required_ratio: rules.required_ratio.clone(),
        required,
        placed,
        placed_ratio,
        gap,
        average_wage: input.average_wage.exact().clone(),
        wage_cap,
        wage_used,
        gross,
        tier,
        share,
        relief: gross + -due,
        due,
    }
}

/// W, or so many times the local social average wage if W is above (财政部公告2019年第98号 item 1).
fn cap_wage(wage: &AverageWage, rules: &LevyRules) -> (Exact, WageCap) {
    let Some(social_average) = rules.social_average_wage else {
        return (wage.exact().clone(), WageCap::Unknown);
    };
    let ceiling = &Exact::of_money(social_average) * &rules.wage_cap_multiple;
    if *wage.exact() > ceiling { (ceiling, WageCap::Capped) } else { (wage.exact().clone(), WageCap::NotReached) }
}

/// The calculator's answer: an estimate; the tax department's figure decides.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Estimate {
    pub levy: Levy,
    /// The levy if nobody had been placed.
    pub levy_without: Levy,
    /// `levy_without.due` − `levy.due`.
    pub saving: Fen,
}

pub fn estimate(input: &LevyInput, rules: &LevyRules) -> Estimate {
    let levy = assess(input, rules);
    let levy_without = assess(&LevyInput { weighted_person_months: 0, ..input.clone() }, rules);
    let saving = levy_without.due + -levy.due;
    Estimate { levy, levy_without, saving }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::policy::{PlacedPersonsRounding, ReliefRules, ReliefTier};

    fn exact(text: &str) -> Exact {
        Exact::parse(text).expect("decimal")
    }

    /// The rules of 2023 to 2027 with a ratio of 1.5 % and no social average wage.
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

    fn input(headcount: &str, weighted_person_months: u32, yearly_wage: &str) -> LevyInput {
        LevyInput {
            kind: EmployerKind::Enterprise,
            headcount: Headcount::parse(headcount).expect("headcount"),
            average_wage: AverageWage::yearly(yearly_wage.parse().expect("amount")).expect("wage"),
            weighted_person_months,
        }
    }

    /// Tier as written in the vectors: the share in per cent, or the word.
    fn tier(levy: &Levy) -> String {
        match levy.tier {
            Tier::Relief => (&levy.share * &Exact::from(100)).to_string(),
            other => other.to_string(),
        }
    }

    #[test]
    fn the_levy_is_as_the_vectors_say() {
        // id, headcount, weighted person-months, yearly wage, required, ratio in per cent to three decimals, gap, gross, tier, due
        for (id, n, months, wage, required, ratio, gap, gross, expected_tier, due) in [
            ("L01", "200", 12, "120000", "3", "0.500", "2", "240000.00", "90", "216000.00"),
            ("L02", "220", 24, "125000", "3.3", "0.909", "1.3", "162500.00", "90", "146250.00"),
            ("L03", "200", 24, "80000", "3", "1.000", "1", "80000.00", "50", "40000.00"),
            ("L04", "199", 24, "80000", "2.985", "1.005", "0.985", "78800.00", "50", "39400.00"),
            ("L05", "201", 24, "80000", "3.015", "0.995", "1.015", "81200.00", "90", "73080.00"),
            ("L06", "100", 12, "90000", "1.5", "1.000", "0.5", "45000.00", "50", "22500.00"),
            ("L07", "200", 36, "80000", "3", "1.500", "0", "0.00", "met", "0.00"),
            ("L08", "100", 36, "80000", "1.5", "3.000", "0", "0.00", "met", "0.00"),
            ("L09", "30", 0, "60000", "0.45", "0.000", "0.45", "27000.00", "exempt", "0.00"),
            ("L11", "31", 0, "60000", "0.465", "0.000", "0.465", "27900.00", "90", "25110.00"),
            ("L12", "30.5", 0, "60000", "0.4575", "0.000", "0.4575", "27450.00", "90", "24705.00"),
            ("L13", "50", 0, "80000", "0.75", "0.000", "0.75", "60000.00", "90", "54000.00"),
            ("L14", "80", 10, "72000", "1.2", "1.042", "11/30", "26400.00", "50", "13200.00"),
            ("L15", "80", 20, "72000", "1.2", "2.083", "0", "0.00", "met", "0.00"),
            ("L16", "150", 26, "85000", "2.25", "1.444", "1/12", "7083.33", "50", "3541.67"),
        ] {
            let levy = assess(&input(n, months, wage), &rules());
            let shown_ratio = levy.placed_ratio.as_ref().map(|ratio| (ratio * &Exact::from(100)).to_decimals(3));
            assert_eq!(levy.required.to_string(), required, "{id} required");
            assert_eq!(shown_ratio.as_deref(), Some(ratio), "{id} ratio");
            assert_eq!(levy.gap.to_string(), gap, "{id} gap");
            assert_eq!(levy.gross.to_string(), gross, "{id} gross");
            assert_eq!(tier(&levy), expected_tier, "{id} tier");
            assert_eq!(levy.due.to_string(), due, "{id} due");
            assert_eq!(levy.relief + levy.due, levy.gross, "{id} relief");
        }
    }

    #[test]
    fn a_small_public_institution_is_not_exempt() {
        // L10
        let institution = LevyInput { kind: EmployerKind::PublicInstitution, ..input("30", 0, "60000") };
        let levy = assess(&institution, &rules());
        assert_eq!(
            (levy.gross.to_string(), tier(&levy), levy.due.to_string()),
            ("27000.00".into(), "90".into(), "24300.00".into())
        );
    }

    #[test]
    fn a_wage_above_the_ceiling_is_taken_at_the_ceiling() {
        // L17
        let capped = LevyRules { social_average_wage: Some(Fen(7_800_000)), ..rules() };
        let levy = assess(&input("120", 12, "200000"), &capped);
        assert_eq!((levy.wage_cap, levy.wage_used.to_string()), (WageCap::Capped, "156000".into()));
        assert_eq!(
            (levy.gross.to_string(), tier(&levy), levy.due.to_string()),
            ("124800.00".into(), "90".into(), "112320.00".into())
        );
        let at_the_ceiling = assess(&input("120", 12, "156000"), &capped);
        assert_eq!((at_the_ceiling.wage_cap, at_the_ceiling.due), (WageCap::NotReached, levy.due));
        assert_eq!(assess(&input("120", 12, "200000"), &rules()).wage_cap, WageCap::Unknown);
    }

    #[test]
    fn another_province_may_require_another_ratio() {
        // L18
        let sichuan = LevyRules { required_ratio: exact("0.016"), ..rules() };
        let levy = assess(&input("200", 24, "80000"), &sichuan);
        assert_eq!((levy.required.to_string(), levy.gap.to_string()), ("3.2".into(), "1.2".into()));
        assert_eq!(
            (levy.gross.to_string(), tier(&levy), levy.due.to_string()),
            ("96000.00".into(), "50".into(), "48000.00".into())
        );
    }

    #[test]
    fn rounding_placed_persons_changes_money_and_tiers_so_it_is_a_switch() {
        let rounded = LevyRules { placed_persons_rounding: PlacedPersonsRounding::TwoDecimals, ..rules() };
        // L19 (the published example is the rounded gross), L20, L21
        for (id, n, months, wage, exactly, by_two_decimals) in [
            ("L19", "201", 10, "99502.49", ("217081.27", "90", "195373.14"), ("217412.94", "90", "195671.65")),
            ("L20", "67", 8, "60000", ("20300.00", "90", "18270.00"), ("20100.00", "50", "10050.00")),
            ("L21", "111.25", 20, "60000", ("125.00", "50", "62.50"), ("0.00", "met", "0.00")),
        ] {
            for (rules, expected) in [(rules(), exactly), (rounded.clone(), by_two_decimals)] {
                let levy = assess(&input(n, months, wage), &rules);
                let found = (levy.gross.to_string(), tier(&levy), levy.due.to_string());
                assert_eq!((found.0.as_str(), found.1.as_str(), found.2.as_str()), expected, "{id}");
            }
        }
    }

    #[test]
    fn a_dispatched_person_counted_here_moves_the_headcount_into_another_tier() {
        let mut user = input("100", 12, "90000");
        user.headcount = user.headcount.moved_by_dispatch(12, 0).expect("moved");
        let levy = assess(&user, &rules());
        assert_eq!((tier(&levy), levy.due.to_string()), ("90".into(), "41715.00".into()));
        let trap = assess(&input("100", 12, "90000"), &rules());
        assert_eq!((tier(&trap), trap.due.to_string()), ("50".into(), "22500.00".into()));
    }

    #[test]
    fn the_calculator_takes_twelve_monthly_wages_and_shows_what_placing_saves() {
        for (n, monthly, months, due, saving) in [
            ("100", 600_000, 12, "18000.00", "79200.00"),
            ("50", 500_000, 10, "0.00", "40500.00"),
            ("30", 500_000, 0, "0.00", "0.00"),
            ("30", 500_000, 5, "0.00", "0.00"),
        ] {
            let asked =
                LevyInput { average_wage: AverageWage::monthly(Fen(monthly)).expect("wage"), ..input(n, months, "0") };
            let answer = estimate(&asked, &rules());
            assert_eq!(
                (answer.levy.due.to_string().as_str(), answer.saving.to_string().as_str()),
                (due, saving),
                "{n}"
            );
        }
    }

    #[test]
    fn an_employer_without_staff_owes_nothing() {
        let levy = assess(&input("0", 0, "60000"), &rules());
        assert_eq!((levy.tier, levy.placed_ratio, levy.due), (Tier::Met, None, Fen(0)));
    }

    #[test]
    fn an_average_wage_is_within_reason() {
        assert_eq!(AverageWage::monthly(Fen(-1)), Err(AverageWageError::Negative));
        assert_eq!(AverageWage::yearly(Fen(10_000_000_001)), Err(AverageWageError::TooLarge));
        let nobody = Headcount::parse("0").expect("headcount");
        assert_eq!(AverageWage::of_total(Fen(100), &nobody), Err(AverageWageError::NoStaff));
        let three = Headcount::parse("3").expect("headcount");
        assert_eq!(AverageWage::of_total(Fen(10_000), &three).expect("wage").exact().to_string(), "100/3");
    }

    #[test]
    fn a_levy_shows_every_step_exactly() {
        let levy = assess(&input("80", 10, "72000"), &rules());
        insta::assert_debug_snapshot!(levy, @r"
    Levy {
        headcount: 80,
        required_ratio: 0.015,
        required: 1.2,
        placed: 5/6,
        placed_ratio: Some(
            1/96,
        ),
        gap: 11/30,
        average_wage: 72000,
        wage_cap: Unknown,
        wage_used: 72000,
        gross: 26400.00,
        tier: Relief,
        share: 0.5,
        relief: 13200.00,
        due: 13200.00,
    }
    ");
    }

    prop_compose! {
        fn any_input()(
            tenths in 0_u32..2_000_000, months in 0_u32..60_000, wage in 0_i64..10_000_000_000, kind in 0_usize..5,
        ) -> LevyInput {
            LevyInput {
                kind: EmployerKind::ALL[kind],
                headcount: Headcount::parse(&format!("{}.{}", tenths / 10, tenths % 10)).expect("headcount"),
                average_wage: AverageWage::yearly(Fen(wage)).expect("wage"),
                weighted_person_months: months,
            }
        }
    }

    proptest! {
        #[test]
        fn the_levy_is_never_negative_and_never_above_its_gross(input in any_input()) {
            let levy = assess(&input, &rules());
            prop_assert!(levy.due >= Fen(0) && levy.due <= levy.gross && levy.relief >= Fen(0));
        }

        #[test]
        fn more_staff_never_owes_less_within_one_tier(input in any_input(), more in 0_u32..10_000) {
            let grown = LevyInput { headcount: input.headcount.moved_by_dispatch(more, 0).expect("moved"), ..input.clone() };
            let (levy, grown) = (assess(&input, &rules()), assess(&grown, &rules()));
            prop_assert!(grown.gross >= levy.gross);
            if (grown.tier, &grown.share) == (levy.tier, &levy.share) {
                prop_assert!(grown.due >= levy.due);
            }
        }

        #[test]
        fn placing_more_never_owes_more_so_a_saving_is_never_negative(input in any_input(), more in 0_u32..600) {
            let placed = LevyInput { weighted_person_months: input.weighted_person_months + more, ..input.clone() };
            let (fewer, more) = (estimate(&input, &rules()), estimate(&placed, &rules()));
            prop_assert!(more.levy.due <= fewer.levy.due);
            prop_assert!(fewer.saving >= Fen(0) && more.saving >= fewer.saving);
        }

        #[test]
        fn the_levy_is_met_exactly_when_the_ratio_is(input in any_input()) {
            let levy = assess(&input, &rules());
            let met = levy.placed_ratio.as_ref().is_none_or(|ratio| *ratio >= rules().required_ratio);
            prop_assert_eq!(levy.tier == Tier::Met, met);
        }

        #[test]
        fn a_ceiling_never_raises_the_levy(input in any_input(), social in 1_i64..10_000_000_000) {
            let capped = LevyRules { social_average_wage: Some(Fen(social)), ..rules() };
            prop_assert!(assess(&input, &capped).due <= assess(&input, &rules()).due);
        }
    }
}
