//! Every code of every check, at its boundary and in the order of the rules.

use super::*;

/// A world in which April's wages from these payers are all there is of wages.
fn paid_in_april(payments: &[(UnitId, &str)]) -> World {
    let mut world = World::insured();
    for (payer, amount) in payments {
        world.pays(4..=4, *payer, amount);
    }
    world
}

/// April's pension code; each record is employee insurance at the employer, paid in time, but for its changes.
fn pension_of(back_payment: BackPayment, records: &[&[Change]]) -> &'static str {
    let mut world = World::silent();
    world.back_payment = back_payment;
    for changes in records {
        world.insures_as(Scheme::Pension, 4, |record| changes.iter().for_each(|change| change(record)));
    }
    world.word(Check::Pension, 4)
}

fn back_paid(record: &mut Insurance) {
    record.payment = Payment::BackPayment;
}

fn owed(record: &mut Insurance) {
    record.status = ContributionStatus::Owed;
}

fn elsewhere(record: &mut Insurance) {
    record.insured = Some(STRANGER);
}

fn own_account(record: &mut Insurance) {
    record.insured = None;
}

fn resident(record: &mut Insurance) {
    record.coverage = Coverage::Resident;
}

#[test]
fn a_wage_passes_from_the_standard_of_its_class_and_month() {
    for (class, number, standard, one_fen_less) in [
        (WageClass::One, 11, "2000", "1999.99"),
        (WageClass::Two, 11, "1870", "1869.99"),
        (WageClass::Three, 11, "1740", "1739.99"),
        (WageClass::One, 12, "2240", "2239.99"),
        (WageClass::Two, 12, "2090", "2089.99"),
        (WageClass::Three, 12, "1950", "1949.99"),
    ] {
        for (amount, word) in [(standard, "pass"), (one_fen_less, "below_minimum")] {
            let mut world = World::insured();
            world.terms.wage_class = class;
            world.pays(number..=number, EMPLOYER, amount);
            assert_eq!(world.word(Check::Wage, number), word, "{amount} in month {number}, class {class}");
        }
    }
}

#[test]
fn a_wage_is_compared_with_the_standard_of_the_month_worked_and_not_of_the_period_reported() {
    let mut world = World::insured();
    world.terms.wage_lag = 1;
    world.pays(12..=13, EMPLOYER, "2100");
    assert_eq!(world.word(Check::Wage, 11), "pass", "November's wage, reported in December");
    assert_eq!(world.word(Check::Wage, 12), "below_minimum", "December's wage, reported in January");
}

#[test]
fn payments_corrections_and_reversals_of_a_period_add_up() {
    for (amounts, word) in [
        (&["1200", "1000"][..], "pass"),
        (&["1000", "999.99"], "below_minimum"),
        (&["2300", "-2300", "1900"], "below_minimum"),
        (&["2300", "-2300", "2000"], "pass"),
        (&["2300", "-2300"], "below_minimum"),
        (&["3000", "-1000.01"], "below_minimum"),
        (&["-500"], "below_minimum"),
        (&["0"], "below_minimum"),
        (&[], "no_record"),
    ] {
        let payments: Vec<_> = amounts.iter().map(|amount| (EMPLOYER, *amount)).collect();
        assert_eq!(paid_in_april(&payments).word(Check::Wage, 4), word, "{amounts:?}");
    }
}

#[test]
fn only_the_placements_own_payer_counts() {
    let word = |payments: &[(UnitId, &str)]| paid_in_april(payments).word(Check::Wage, 4);
    assert_eq!(word(&[(STRANGER, "9000")]), "wrong_unit");
    assert_eq!(word(&[(STRANGER, "-1")]), "wrong_unit", "of any amount");
    assert_eq!(word(&[(EMPLOYER, "1000"), (STRANGER, "1000")]), "below_minimum", "two payers do not add up");
    assert_eq!(word(&[(EMPLOYER, "0"), (STRANGER, "9000")]), "below_minimum", "the payer's own record speaks first");
    assert_eq!(word(&[(EMPLOYER, "2000"), (STRANGER, "-9000")]), "pass");
}

#[test]
fn an_employer_that_pays_for_its_affiliates_person_is_another_payer() {
    let mut world = paid_in_april(&[(EMPLOYER, "3000")]);
    world.subject.wage_payer = AFFILIATE;
    assert_eq!(world.word(Check::Wage, 4), "wrong_unit");
    world.pays(4..=4, AFFILIATE, "2000");
    assert_eq!(world.word(Check::Wage, 4), "pass");
}

#[test]
fn wages_of_other_periods_say_nothing() {
    let mut world = World::insured();
    world.pays(3..=3, EMPLOYER, "9000");
    world.pays(5..=5, STRANGER, "9000");
    assert_eq!(world.word(Check::Wage, 4), "no_record");
}

#[test]
fn the_order_of_the_insurance_codes_is_the_rules_order() {
    use BackPayment::{Accept, Review};
    for (back_payment, records, word) in [
        (Accept, &[&[] as &[Change]] as &[&[Change]], "pass"),
        (Accept, &[&[back_paid]], "pass"),
        (Review, &[&[back_paid]], "back_payment"),
        (Review, &[&[back_paid], &[]], "pass"),
        (Review, &[&[], &[back_paid]], "pass"),
        (Review, &[&[back_paid], &[owed]], "back_payment"),
        (Review, &[&[back_paid], &[elsewhere], &[resident]], "back_payment"),
        (Review, &[&[back_paid], &[back_paid, owed]], "back_payment"),
        (Review, &[&[back_paid, owed]], "unpaid"),
        (Accept, &[&[back_paid, owed]], "unpaid"),
        (Accept, &[&[back_paid, elsewhere]], "wrong_unit"),
        (Review, &[&[back_paid, elsewhere]], "wrong_unit"),
        (Accept, &[&[owed], &[]], "pass"),
        (Accept, &[&[owed]], "unpaid"),
        (Accept, &[&[resident], &[elsewhere], &[owed]], "unpaid"),
        (Accept, &[&[elsewhere]], "wrong_unit"),
        (Accept, &[&[own_account]], "wrong_unit"),
        (Accept, &[&[elsewhere, owed]], "wrong_unit"),
        (Accept, &[&[own_account, owed]], "wrong_unit"),
        (Accept, &[&[resident], &[own_account]], "wrong_unit"),
        (Accept, &[&[resident]], "resident_scheme"),
        (Accept, &[&[resident, owed]], "resident_scheme"),
        (Accept, &[&[resident, own_account]], "resident_scheme"),
        (Accept, &[], "no_record"),
    ] {
        assert_eq!(pension_of(back_payment, records), word);
    }
}

#[test]
fn each_insurance_is_asked_of_its_own_unit_scheme_and_month() {
    let mut world = World::silent();
    world.subject.medical_payer = AFFILIATE;
    world.insures(Scheme::Pension, 4..=4, EMPLOYER);
    assert_eq!(world.word(Check::Medical, 4), "no_record", "the other scheme says nothing");
    world.insures(Scheme::Medical, 4..=4, EMPLOYER);
    assert_eq!((world.word(Check::Pension, 4), world.word(Check::Medical, 4)), ("pass", "wrong_unit"));
    world.insures(Scheme::Medical, 4..=4, AFFILIATE);
    assert_eq!(world.word(Check::Medical, 4), "pass");
    assert_eq!(world.word(Check::Medical, 5), "no_record");
}

#[test]
fn the_wage_lag_does_not_move_the_insurances() {
    let mut world = World::silent();
    world.terms.wage_lag = 1;
    world.insures(Scheme::Pension, 4..=4, EMPLOYER);
    assert_eq!((world.word(Check::Pension, 3), world.word(Check::Pension, 4)), ("no_record", "pass"));
}

#[test]
fn the_certificate_codes_follow_the_days_on_which_one_is_in_force() {
    let with = |status, since: &str| {
        let base = certificate(3, "2025-02-28", "2025-10-01");
        vec![Certificate { status, status_since: date(since), ..base }]
    };
    for (certificates, year) in [
        (with(CertificateStatus::Valid, ""), "1 not_yet_valid, 2-10 pass, 11-12 expired"),
        (with(CertificateStatus::Cancelled, "2025-05-01"), "1 not_yet_valid, 2-4 pass, 5-10 cancelled, 11-12 expired"),
        (with(CertificateStatus::Cancelled, "2025-05-02"), "1 not_yet_valid, 2-5 pass, 6-10 cancelled, 11-12 expired"),
        (with(CertificateStatus::Frozen, "2025-05-01"), "1 not_yet_valid, 2-4 pass, 5-10 frozen, 11-12 expired"),
        (with(CertificateStatus::Expired, "2025-05-01"), "1 not_yet_valid, 2-4 pass, 5-12 expired"),
        (with(CertificateStatus::Replaced, "2025-05-01"), "1 not_yet_valid, 2-4 pass, 5-12 expired"),
        (vec![], "1-12 none"),
    ] {
        let world = World { certificates, ..World::employed() };
        assert_eq!(world.year(Check::Certificate), year);
    }
}

#[test]
fn cancelled_is_said_before_frozen_and_both_before_expired() {
    let frozen = Certificate { status: CertificateStatus::Frozen, ..certificate(3, "2020-01-01", "") };
    let cancelled = Certificate { status: CertificateStatus::Cancelled, ..frozen };
    let ended = certificate(3, "2010-01-01", "2019-12-31");
    let to_come = certificate(3, "2026-01-01", "");
    for (certificates, word) in [
        (vec![to_come, ended, frozen, cancelled], "cancelled"),
        (vec![to_come, ended, frozen], "frozen"),
        (vec![to_come, ended], "expired"),
        (vec![to_come], "not_yet_valid"),
        (vec![cancelled, certificate(4, "2025-04-30", "")], "pass"),
    ] {
        let world = World { certificates, ..World::employed() };
        assert_eq!(world.word(Check::Certificate, 4), word);
    }
}

#[test]
fn the_certificate_rule_is_the_policys() {
    let mut world = World::employed();
    world.certificates = vec![certificate(3, "2025-05-20", "")];
    for (rule, year) in [
        (CertificateMonth::Overlap, "1-4 not_yet_valid, 5-12 pass"),
        (CertificateMonth::WholeMonth, "1-5 not_yet_valid, 6-12 pass"),
        (CertificateMonth::Year, "1-12 pass"),
    ] {
        world.certificate_month = rule;
        assert_eq!(world.year(Check::Certificate), year, "{rule}");
    }
}

#[test]
fn soldiers_count_to_level_eight_and_doubly_to_level_three() {
    for (level, word, weight) in
        [(1, "pass", 2), (3, "pass", 2), (4, "pass", 1), (8, "pass", 1), (9, "none", 1), (10, "none", 1)]
    {
        let soldier = Certificate { kind: CertificateKind::DisabledSoldier, ..certificate(level, "2015-01-01", "") };
        let world = World { certificates: vec![soldier], ..World::employed() };
        assert_eq!((world.word(Check::Certificate, 4), world.verdict(4).weight), (word, weight), "level {level}");
    }
}

#[test]
fn disabled_persons_levels_one_and_two_weigh_double() {
    for (level, weight) in [(1, 2), (2, 2), (3, 1), (4, 1)] {
        let world = World { certificates: vec![certificate(level, "2015-01-01", "")], ..World::employed() };
        assert_eq!(world.verdict(4).weight, weight, "level {level}");
    }
}

#[test]
fn working_age_begins_with_the_month_of_the_16th_birthday() {
    let mut world = World::employed();
    for (born_on, year) in [
        ("2009-04-30", "1-3 under_age, 4-12 pass"),
        ("2009-05-01", "1-4 under_age, 5-12 pass"),
        ("2009-01-31", "1-12 pass"),
        ("2010-01-01", "1-12 under_age"),
    ] {
        world.subject.born_on = day(born_on);
        assert_eq!(world.year(Check::Age), year, "born {born_on}");
    }
}

#[test]
fn a_month_counts_if_retirement_was_not_reached_on_its_first_day_and_women_without_one_are_on_the_55_track() {
    use RetirementTrack::{Women50, Women55};
    let mut world = World::employed();
    for (sex, track, born_on, year) in [
        (Sex::Male, None, "1965-01-15", "1-2 pass, 3-12 over_age"),
        (Sex::Male, None, "1965-01-01", "1 pass, 2-12 over_age"),
        (Sex::Male, None, "1965-04-02", "1-5 pass, 6-12 over_age"),
        (Sex::Male, None, "1965-03-31", "1-4 pass, 5-12 over_age"),
        (Sex::Male, None, "1964-12-15", "1-12 over_age"),
        (Sex::Female, None, "1970-01-15", "1-2 pass, 3-12 over_age"),
        (Sex::Female, Some(Women55), "1970-01-15", "1-2 pass, 3-12 over_age"),
        (Sex::Female, None, "1975-01-15", "1-12 pass"),
        (Sex::Female, Some(Women50), "1975-01-15", "1-2 pass, 3-12 over_age"),
        (Sex::Female, Some(Women50), "1975-03-15", "1-5 pass, 6-12 over_age"),
    ] {
        world.subject.sex = sex;
        world.subject.track = track;
        world.subject.born_on = day(born_on);
        assert_eq!(world.year(Check::Age), year, "{sex:?} {track:?} born {born_on}");
    }
}

#[test]
fn the_contract_codes_follow_length_and_cover() {
    let establishment = Contract { kind: ContractKind::Establishment, ..contract("2025-04-30", "2025-06-01") };
    let terminated = Contract { terminated_on: Some(day("2025-06-30")), ..contract("2024-01-01", "2026-12-31") };
    for (contracts, year) in [
        (vec![contract("2024-01-01", "2024-12-31")], "1-12 not_covered"),
        (vec![contract("2024-04-01", "2025-03-31")], "1-3 pass, 4-12 not_covered"),
        (vec![contract("2024-04-01", "2025-03-30")], "1-3 too_short, 4-12 not_covered"),
        (vec![contract("2024-02-29", "2025-02-28")], "1-2 pass, 3-12 not_covered"),
        (vec![contract("2025-06-30", "")], "1-5 not_covered, 6-12 pass"),
        (vec![contract("2025-01-01", "2025-06-30"), contract("2025-07-01", "2025-12-31")], "1-12 too_short"),
        (vec![contract("2025-01-01", "2025-08-01"), contract("2025-05-31", "")], "1-4 too_short, 5-12 pass"),
        (vec![establishment], "1-3 not_covered, 4-6 pass, 7-12 not_covered"),
        (vec![terminated], "1-6 pass, 7-12 not_covered"),
        (vec![], "1-12 none"),
    ] {
        let world = World { contracts, ..World::employed() };
        assert_eq!(world.year(Check::Contract), year, "{:?}", world.contracts);
    }
}

#[test]
fn a_person_who_is_not_dispatched_needs_no_filing() {
    let mut world = World::dispatched(&[filing(FilingStatus::Revoked, "2024-01-01", "")]);
    world.known.filings.current = false;
    world.subject.dispatch = None;
    assert_eq!(world.year(Check::Dispatch), "1-12 not_applicable");
    assert!(world.verdict(4).passed());
}

#[test]
fn a_filing_in_force_on_the_business_date_serves_the_whole_year_before() {
    for (valid_from, valid_to, word) in [
        ("2026-03-15", "2026-03-15", "pass"),
        ("2026-03-15", "", "pass"),
        ("2026-03-16", "", "not_in_force"),
        ("2024-01-01", "2026-03-15", "pass"),
        ("2024-01-01", "2026-03-14", "not_in_force"),
        ("2024-01-01", "2025-12-31", "not_in_force"),
    ] {
        let world = World::dispatched(&[filing(FilingStatus::Approved, valid_from, valid_to)]);
        assert_eq!(world.year(Check::Dispatch), format!("1-12 {word}"), "{valid_from} to {valid_to}");
        assert_eq!(world.passed().is_empty(), word != "pass");
    }
}

#[test]
fn the_order_of_the_dispatch_codes_is_the_rules_order() {
    use FilingStatus::{Approved, Pending, Rejected, Revoked};
    let of = |status| filing(status, "2024-01-01", "");
    let ended = filing(Approved, "2024-01-01", "2025-12-31");
    let elsewhere = DispatchFiling { province: 44, ..of(Approved) };
    let of_another = DispatchFiling { dispatcher: STRANGER, ..of(Approved) };
    for (filings, word) in [
        (vec![of(Pending), of(Rejected), of(Revoked), ended, of(Approved)], "pass"),
        (vec![of(Pending), ended], "not_in_force"),
        (vec![of(Rejected), of(Revoked)], "not_in_force"),
        (vec![of(Revoked)], "not_in_force"),
        (vec![of(Pending)], "not_approved"),
        (vec![of(Rejected)], "not_approved"),
        (vec![elsewhere, of(Rejected)], "not_approved"),
        (vec![elsewhere], "not_filed"),
        (vec![of_another], "not_filed"),
        (vec![], "not_filed"),
    ] {
        let world = World::dispatched(&filings);
        assert_eq!(world.word(Check::Dispatch, 4), word, "{filings:?}");
    }
}
