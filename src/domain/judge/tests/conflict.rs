//! Who is in conflict over a month that several employers would count.

use proptest::prelude::*;

use super::*;

const PASSING: Stake = Stake { passes: true, holds_claim: false, prevails: false };
/// A month that is unticked is none that passes: it is nobody's rival.
const FAILING: Stake = Stake { passes: false, ..PASSING };
const HOLDER: Stake = Stake { holds_claim: true, ..PASSING };
/// Staff decided for it.
const PREVAILING: Stake = Stake { prevails: true, ..PASSING };
const FAILING_PREVAILING: Stake = Stake { passes: false, ..PREVAILING };
/// What it rests on has changed since; the claim stands.
const FAILING_HOLDER: Stake = Stake { passes: false, ..HOLDER };

/// For each stake whether it is marked.
fn marks(stakes: &[Stake], claimed_elsewhere: bool) -> Vec<bool> {
    (0..stakes.len()).map(|own| in_conflict(stakes, own, claimed_elsewhere)).collect()
}

#[test]
fn an_employer_alone_is_in_no_conflict() {
    for stake in [PASSING, FAILING, HOLDER, FAILING_HOLDER] {
        assert_eq!(marks(&[stake], false), [false]);
    }
}

#[test]
fn two_unclaimed_months_that_pass_are_both_in_conflict() {
    assert_eq!(marks(&[PASSING, PASSING], false), [true, true]);
    assert_eq!(marks(&[PASSING, PASSING, FAILING], false), [true, true, true]);
}

#[test]
fn a_failing_month_is_marked_beside_a_passing_one_and_the_passing_one_is_not() {
    assert_eq!(marks(&[FAILING, PASSING], false), [true, false]);
    assert_eq!(marks(&[FAILING, PASSING, FAILING], false), [true, false, true]);
    assert_eq!(marks(&[FAILING, FAILING], false), [false, false]);
}

#[test]
fn a_claim_wins_over_none() {
    assert_eq!(marks(&[PASSING, HOLDER], false), [true, false]);
    assert_eq!(marks(&[HOLDER, PASSING, PASSING, FAILING], false), [false, true, true, true]);
    assert_eq!(marks(&[PASSING, FAILING_HOLDER], false), [true, false], "as long as it is held");
}

#[test]
fn a_claim_of_an_employer_without_a_placement_marks_everybody_else() {
    assert_eq!(marks(&[PASSING], true), [true]);
    assert_eq!(marks(&[FAILING, PASSING], true), [true, true]);
}

#[test]
fn whom_staff_decided_for_is_not_in_conflict_and_the_others_are() {
    assert_eq!(marks(&[PREVAILING, PASSING], false), [false, true]);
    assert_eq!(marks(&[PASSING, PREVAILING, FAILING, PASSING], false), [true, false, true, true]);
    // what it lacks, evidence may give: that another passes does not undo the decision
    assert_eq!(marks(&[FAILING_PREVAILING, PASSING], false), [false, true]);
}

#[test]
fn a_claim_wins_over_a_decision() {
    assert_eq!(marks(&[PREVAILING, HOLDER], false), [true, false]);
    assert_eq!(marks(&[PREVAILING, FAILING_HOLDER, PASSING], false), [true, false, true]);
    assert_eq!(marks(&[PREVAILING, PASSING], true), [true, true]);
    assert_eq!(marks(&[Stake { holds_claim: true, ..PREVAILING }, PASSING], false), [false, true]);
}

#[test]
fn conflict_keeps_a_month_with_seven_passing_checks_from_passing() {
    let verdict = World::employed().verdict(4);
    assert!(verdict.passed());
    assert!(!Verdict { conflict: true, ..verdict }.passed());
}

/// Up to five employers, at most one of which holds the claim and at most one prevails; whether one outside holds the claim.
fn any_stakes() -> impl Strategy<Value = (Vec<Stake>, bool)> {
    let one = || prop::option::of(0..5_usize);
    (prop::collection::vec(any::<bool>(), 1..6), one(), one(), any::<bool>()).prop_map(
        |(passing, holder, prevailing, outside)| {
            let stakes: Vec<_> = (passing.iter().enumerate())
                .map(|(place, passes)| Stake {
                    passes: *passes,
                    holds_claim: holder == Some(place),
                    prevails: prevailing == Some(place),
                })
                .collect();
            let held_inside = stakes.iter().any(|stake| stake.holds_claim);
            (stakes, outside && !held_inside)
        },
    )
}

proptest! {
    #[test]
    fn a_month_passes_for_at_most_one_employer((stakes, outside) in any_stakes()) {
        let marks = marks(&stakes, outside);
        let passed = stakes.iter().zip(&marks).filter(|(stake, marked)| stake.passes && !**marked).count();
        prop_assert!(passed <= 1);
    }

    #[test]
    fn the_holder_is_never_marked_and_beside_it_everybody_is((stakes, outside) in any_stakes()) {
        let claimed = outside || stakes.iter().any(|stake| stake.holds_claim);
        for (stake, marked) in stakes.iter().zip(marks(&stakes, outside)) {
            prop_assert!(!(stake.holds_claim && marked));
            prop_assert!(!claimed || stake.holds_claim || marked);
        }
    }

    #[test]
    fn unclaimed_only_the_one_decided_for_is_not_marked((stakes, _) in any_stakes()) {
        let stakes: Vec<_> = stakes.iter().map(|stake| Stake { holds_claim: false, ..*stake }).collect();
        if stakes.iter().any(|stake| stake.prevails) {
            for (stake, marked) in stakes.iter().zip(marks(&stakes, false)) {
                prop_assert_eq!(marked, !stake.prevails);
            }
        }
    }

    #[test]
    fn unclaimed_and_undecided_a_month_is_marked_exactly_when_another_passes((stakes, _) in any_stakes()) {
        let stakes: Vec<_> = stakes.iter().map(|stake| Stake { holds_claim: false, prevails: false, ..*stake }).collect();
        let passing = stakes.iter().filter(|stake| stake.passes).count();
        for (stake, marked) in stakes.iter().zip(marks(&stakes, false)) {
            prop_assert_eq!(marked, passing > usize::from(stake.passes));
        }
    }
}
