//! The worked scenarios of a year, V01 to V16: a unit in Nanchang (wage class 1), business year 2025.

use super::*;
use crate::domain::certificate::in_force_on;
use crate::domain::facts::Relation;
use crate::domain::placement::{Affiliate, Entry, Refusal};

/// The payments of V01 to V03: 1900 in the first period, 3000 in the nine after it.
fn prorated_from(first: i32) -> World {
    let mut world = World::insured();
    world.pays(first..=first, EMPLOYER, "1900");
    world.pays(first + 1..=first + 9, EMPLOYER, "3000");
    world
}

#[test]
fn v01_a_first_month_with_part_of_a_wage_fails_and_the_nine_after_it_pass() {
    let world = prorated_from(3);
    assert_eq!(world.passed(), months(4..=12));
    assert_eq!(world.year(Check::Wage), "1-2 no_record, 3 below_minimum, 4-12 pass");
    assert_eq!(world.year(Check::Contract), "1-2 not_covered, 3-12 pass");
    for check in [Check::Pension, Check::Medical] {
        assert_eq!(world.year(check), "1-2 no_record, 3-12 pass");
    }
    for check in [Check::Certificate, Check::Age] {
        assert_eq!(world.year(check), "1-12 pass");
    }
    assert_eq!(world.year(Check::Dispatch), "1-12 not_applicable");
}

#[test]
fn v02_wages_reported_in_the_next_period_are_found_with_a_lag_of_one_across_the_year_end() {
    let mut world = prorated_from(4);
    world.terms.wage_lag = 1;
    assert_eq!(world.passed(), months(4..=12));
    assert_eq!(world.year(Check::Wage), "1-2 no_record, 3 below_minimum, 4-12 pass");
}

#[test]
fn v03_without_the_lag_the_same_wages_are_found_a_month_late() {
    let world = prorated_from(4);
    assert_eq!(world.passed(), months(5..=12));
    assert_eq!(world.year(Check::Wage), "1-3 no_record, 4 below_minimum, 5-12 pass");
}

#[test]
fn v04_a_wage_of_2100_passes_until_the_standard_rises_in_december() {
    let mut world = World::insured();
    world.pays(1..=12, EMPLOYER, "2100");
    assert_eq!(world.passed(), months(3..=11));
    assert_eq!(world.year(Check::Wage), "1-11 pass, 12 below_minimum");
}

#[test]
fn v05_the_residents_medical_scheme_is_no_employee_insurance() {
    let mut world = World::employed();
    world.insurances.retain(|record| record.scheme == Scheme::Pension);
    for number in 1..=12 {
        world.insures_as(Scheme::Medical, number, |record| {
            record.coverage = Coverage::Resident;
            record.insured = None;
        });
    }
    assert!(world.passed().is_empty());
    assert_eq!(world.year(Check::Medical), "1-12 resident_scheme");
    assert_eq!(world.year(Check::Pension), "1-2 no_record, 3-12 pass");
}

#[test]
fn v06_employee_insurance_paid_from_the_persons_own_account_is_at_the_wrong_unit() {
    let mut world = World::employed();
    for record in world.insurances.iter_mut().filter(|record| record.scheme == Scheme::Medical) {
        record.insured = None;
    }
    assert!(world.passed().is_empty());
    assert_eq!(world.year(Check::Medical), "1-2 no_record, 3-12 wrong_unit");
}

#[test]
fn v07_each_record_is_expected_from_its_own_payer() {
    let mut world = World::silent();
    world.subject.wage_payer = AFFILIATE;
    world.subject.medical_payer = AFFILIATE;
    world.pays(3..=12, AFFILIATE, "3000");
    world.insures(Scheme::Pension, 3..=12, EMPLOYER);
    world.insures(Scheme::Medical, 3..=12, AFFILIATE);
    assert_eq!(world.passed(), months(3..=12));
}

#[test]
fn v08_three_payers_other_than_the_employer_are_refused_when_entered_and_never_judged() {
    let entry = Entry {
        employer: EMPLOYER,
        dispatched: false,
        dispatch_company: None,
        wage_payer: AFFILIATE,
        pension_payer: AFFILIATE,
        medical_payer: AFFILIATE,
        retirement_track: None,
        sex: Sex::Male,
        affiliates: &[Affiliate { unit: AFFILIATE, relation: Relation::Affiliate }],
    };
    assert_eq!(entry.check(), Err(vec![Refusal::NoPayerIsEmployer]));
}

/// The vector's other setting is "reject"; the rules know `review`, which gives a code of its own and leaves the same seven.
#[test]
fn v09_months_covered_by_back_payment_pass_or_go_to_review_as_the_policy_says() {
    let mut world = World::employed();
    for record in world.insurances.iter_mut().filter(|record| record.period <= month(5)) {
        record.payment = Payment::BackPayment;
    }
    assert_eq!(world.passed(), months(3..=12));
    world.back_payment = BackPayment::Review;
    assert_eq!(world.passed(), months(6..=12));
    for check in [Check::Pension, Check::Medical] {
        assert_eq!(world.year(check), "1-2 no_record, 3-5 back_payment, 6-12 pass");
    }
}

/// Conflict is decided over all the person's placements, so the stakes are told beside the world.
#[test]
fn v10_three_months_that_another_employer_claims_are_in_conflict_and_seven_pass() {
    let world = World::employed();
    let mut marked = Vec::new();
    let mut passed = Vec::new();
    for number in 1..=12 {
        let verdict = world.verdict(number);
        assert!(!verdict.conflict, "the judge of one placement knows of no other");
        let stakes = [
            Stake { passes: verdict.codes.pass(), holds_claim: false, prevails: false },
            Stake { passes: true, holds_claim: (6..=8).contains(&number), prevails: false },
        ];
        // outside June to August the other employer has no placement that passes
        let others = if stakes[1].holds_claim { &stakes[..] } else { &stakes[..1] };
        let verdict = Verdict { conflict: in_conflict(others, 0, false), ..verdict };
        if verdict.conflict {
            marked.push(number);
        }
        if verdict.passed() {
            passed.push(number);
        }
    }
    assert_eq!(marked, months(6..=8));
    assert_eq!(passed, [3, 4, 5, 9, 10, 11, 12]);
}

#[test]
fn v11_a_level_raised_in_july_weighs_double_from_july() {
    let mut world = World::employed();
    world.certificates[0].status = CertificateStatus::Replaced;
    world.certificates[0].status_since = date("2025-07-01");
    world.certificates.push(certificate(2, "2025-07-01", "2035-06-30"));
    assert_eq!(world.passed(), months(3..=12));
    let weights: Vec<_> = (3..=12).map(|number| world.verdict(number).weight).collect();
    assert_eq!(weights, [1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    assert_eq!(weights.iter().map(|weight| u32::from(*weight)).sum::<u32>(), 16);
}

/// The vector expects no month. The rules keep the two questions apart: the months before the freeze pass, and the
/// completion asks for a certificate in force on its own day, which there is not.
#[test]
fn v12_a_certificate_frozen_when_declared_passes_the_months_before_and_is_missed_at_completion() {
    let mut world = World::employed();
    world.certificates[0].status = CertificateStatus::Frozen;
    world.certificates[0].status_since = date("2026-02-01");
    assert_eq!(world.passed(), months(3..=12));
    assert_eq!(in_force_on(&world.certificates, world.business_date, WeightRules::NATIONAL), None);
    world.certificates[0].status_since = date("2025-09-01");
    assert_eq!(world.passed(), months(3..=8));
    assert_eq!(world.year(Check::Certificate), "1-8 pass, 9-12 frozen");
    world.certificates[0].status_since = None;
    assert_eq!(world.year(Check::Certificate), "1-12 frozen", "frozen without a date was never in force");
}

/// "No data" is said as a period that is not settled. The months after August are not settled either, but have their records.
#[test]
fn v13_a_month_that_the_wage_source_has_not_delivered_is_pending_and_no_cross() {
    let mut world = World::employed();
    world.wages.retain(|wage| wage.period != month(8));
    world.known.wages.settled_through = Some(month(7));
    assert_eq!(world.year(Check::Wage), "1-2 no_record, 3-7 pass, 8 pending, 9-12 pass");
    assert_eq!(world.passed(), [3, 4, 5, 6, 7, 9, 10, 11, 12]);
    world.known.wages.settled_through = Some(month(8));
    assert_eq!(world.word(Check::Wage, 8), "no_record", "once it is settled, nothing is more to come");
}

#[test]
fn v14_a_contract_shorter_than_a_year_passes_no_month() {
    let mut world = World::employed();
    world.contracts = vec![contract("2025-03-10", "2026-02-28")];
    assert!(world.passed().is_empty());
    assert_eq!(world.year(Check::Contract), "1-2 not_covered, 3-12 too_short");
}

#[test]
fn v15_a_man_who_reaches_his_retirement_age_in_february_is_over_age_from_march() {
    let mut world = World::employed();
    world.subject.born_on = day("1965-01-15");
    assert!(world.passed().is_empty());
    assert_eq!(world.year(Check::Age), "1-2 pass, 3-12 over_age");
}

#[test]
fn v16_the_month_in_which_the_retirement_age_is_reached_still_counts() {
    let mut world = World::employed();
    world.subject.born_on = day("1965-09-20");
    assert_eq!(world.passed(), months(3..=12));
    assert_eq!(world.year(Check::Age), "1-12 pass");
}
