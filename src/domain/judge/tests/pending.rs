//! What is not known is never a failing check: each cause of `pending`, and what it may and may not hide.

use super::*;

/// April's wages are these, and what is known of wages is `wages`.
fn wage_word(payments: &[(UnitId, &str)], wages: PeriodKnowledge) -> &'static str {
    let mut world = World::insured();
    for (payer, amount) in payments {
        world.pays(4..=4, *payer, amount);
    }
    world.known.wages = wages;
    world.word(Check::Wage, 4)
}

fn settled_through(number: i32) -> PeriodKnowledge {
    PeriodKnowledge { settled_through: Some(month(number)), ..PeriodKnowledge::default() }
}

/// A refused record for the period so many months after January; everything is settled.
fn refused(offset: u32) -> PeriodKnowledge {
    PeriodKnowledge { refused: 1 << offset, ..settled_through(13) }
}

fn repull_due() -> PeriodKnowledge {
    PeriodKnowledge { repull_due: true, ..settled_through(13) }
}

#[test]
fn a_period_that_is_not_settled_hides_every_wage_code_but_pass() {
    let payments: [&[(UnitId, &str)]; 4] =
        [&[(EMPLOYER, "2000")], &[(EMPLOYER, "1999.99")], &[(STRANGER, "2000")], &[]];
    let words = |known| payments.map(|payments| wage_word(payments, known));
    let known = ["pass", "below_minimum", "wrong_unit", "no_record"];
    let unknown = ["pass", "pending", "pending", "pending"];
    assert_eq!(words(PeriodKnowledge::default()), unknown, "no source covers the person");
    assert_eq!(words(settled_through(3)), unknown);
    assert_eq!(words(settled_through(4)), known);
    assert_eq!(words(settled_through(5)), known);
}

#[test]
fn with_a_lag_the_period_that_is_asked_for_must_be_settled() {
    let mut world = World::insured();
    world.terms.wage_lag = 1;
    world.known.wages = settled_through(12);
    assert_eq!(world.year(Check::Wage), "1-11 no_record, 12 pending");
    world.known.wages = settled_through(13);
    assert_eq!(world.year(Check::Wage), "1-12 no_record");
}

#[test]
fn a_refused_wage_of_the_period_makes_only_no_record_pending() {
    assert_eq!(wage_word(&[], refused(3)), "pending");
    assert_eq!(wage_word(&[], refused(2)), "no_record", "March's refused record is not April's");
    assert_eq!(wage_word(&[], refused(4)), "no_record");
    assert_eq!(wage_word(&[(EMPLOYER, "1")], refused(3)), "below_minimum");
    assert_eq!(wage_word(&[(STRANGER, "1")], refused(3)), "wrong_unit");
    assert_eq!(wage_word(&[(EMPLOYER, "2000")], refused(3)), "pass");
}

#[test]
fn a_refused_wage_of_next_january_is_decembers_with_a_lag() {
    let mut world = World::insured();
    world.terms.wage_lag = 1;
    world.known.wages = refused(12);
    assert_eq!(world.year(Check::Wage), "1-11 no_record, 12 pending");
    world.known.wages = refused(0);
    assert_eq!(world.year(Check::Wage), "1-12 no_record", "December's wage of the year before");
    world.terms.wage_lag = 0;
    assert_eq!(world.year(Check::Wage), "1 pending, 2-12 no_record");
}

#[test]
fn a_person_for_whom_a_re_pull_is_due_is_only_spared_no_record() {
    assert_eq!(wage_word(&[], repull_due()), "pending");
    assert_eq!(wage_word(&[(EMPLOYER, "1")], repull_due()), "below_minimum");
    assert_eq!(wage_word(&[(STRANGER, "1")], repull_due()), "wrong_unit");
    assert_eq!(wage_word(&[(EMPLOYER, "2000")], repull_due()), "pass");
}

/// April's word of one scheme when only that scheme's knowledge is `known`.
fn insurance_word(scheme: Scheme, known: PeriodKnowledge, change: Option<Change>) -> &'static str {
    let mut world = World::silent();
    world.back_payment = BackPayment::Review;
    if let Some(change) = change {
        world.insures_as(scheme, 4, change);
    }
    let (knowledge, check) = match scheme {
        Scheme::Pension => (&mut world.known.pension, Check::Pension),
        Scheme::Medical => (&mut world.known.medical, Check::Medical),
    };
    *knowledge = known;
    world.word(check, 4)
}

#[test]
fn insurance_waits_for_its_own_source_and_pass_and_back_payment_do_not_wait() {
    let cases: [(Option<Change>, &str); 6] = [
        (Some(|_| {}), "pass"),
        (Some(|record| record.payment = Payment::BackPayment), "back_payment"),
        (Some(|record| record.status = ContributionStatus::Owed), "unpaid"),
        (Some(|record| record.insured = None), "wrong_unit"),
        (Some(|record| record.coverage = Coverage::Resident), "resident_scheme"),
        (None, "no_record"),
    ];
    for scheme in Scheme::ALL {
        for (change, word) in cases {
            let waits = !matches!(word, "pass" | "back_payment");
            let unsettled = if waits { "pending" } else { word };
            assert_eq!(insurance_word(*scheme, settled_through(3), change), unsettled, "{scheme}");
            assert_eq!(insurance_word(*scheme, PeriodKnowledge::default(), change), unsettled, "{scheme}");
            assert_eq!(insurance_word(*scheme, settled_through(4), change), word, "{scheme}");
            let only_no_record = if word == "no_record" { "pending" } else { word };
            assert_eq!(insurance_word(*scheme, refused(3), change), only_no_record, "{scheme}");
            assert_eq!(insurance_word(*scheme, refused(4), change), word, "{scheme}");
            assert_eq!(insurance_word(*scheme, repull_due(), change), only_no_record, "{scheme}");
        }
    }
}

#[test]
fn the_three_sources_are_known_apart() {
    let mut world = World::silent();
    world.known.medical = PeriodKnowledge::default();
    let codes = world.verdict(4).codes;
    assert_eq!(
        (codes.wage, codes.pension, codes.medical),
        (WageCode::NoRecord, InsuranceCode::NoRecord, InsuranceCode::Pending)
    );
}

#[test]
fn a_register_not_pulled_lately_hides_what_it_may_overturn() {
    let with = |status| Certificate { status, ..certificate(3, "2020-01-01", "") };
    for (certificates, settled, stale) in [
        (vec![], "none", "pending"),
        (vec![certificate(3, "2010-01-01", "2025-03-31")], "expired", "pending"),
        (vec![certificate(3, "2025-05-01", "")], "not_yet_valid", "pending"),
        (vec![with(CertificateStatus::Cancelled)], "cancelled", "cancelled"),
        (vec![with(CertificateStatus::Frozen)], "frozen", "frozen"),
        (vec![with(CertificateStatus::Valid)], "pass", "pass"),
    ] {
        let mut world = World { certificates, ..World::employed() };
        assert_eq!(world.word(Check::Certificate, 4), settled);
        world.known.certificates.current = false;
        assert_eq!(world.word(Check::Certificate, 4), stale, "instead of {settled}");
    }
}

#[test]
fn a_refused_certificate_makes_only_none_pending() {
    let soldier = Certificate { kind: CertificateKind::DisabledSoldier, ..certificate(9, "2015-01-01", "") };
    for (certificates, word) in [
        (vec![], "pending"),
        (vec![soldier], "pending"),
        (vec![certificate(3, "2010-01-01", "2025-03-31")], "expired"),
        (vec![certificate(3, "2025-05-01", "")], "not_yet_valid"),
        (vec![certificate(3, "2020-01-01", "")], "pass"),
    ] {
        let mut world = World { certificates, ..World::employed() };
        world.known.certificates.refused = true;
        assert_eq!(world.word(Check::Certificate, 4), word);
    }
}

#[test]
fn filings_not_known_make_only_not_filed_pending() {
    for (filings, word) in [
        (vec![], "not_filed"),
        (vec![DispatchFiling { province: 44, ..filing(FilingStatus::Approved, "2024-01-01", "") }], "not_filed"),
        (vec![filing(FilingStatus::Pending, "2024-01-01", "")], "not_approved"),
        (vec![filing(FilingStatus::Revoked, "2024-01-01", "")], "not_in_force"),
        (vec![filing(FilingStatus::Approved, "2024-01-01", "")], "pass"),
    ] {
        let unknown = if word == "not_filed" { "pending" } else { word };
        let mut world = World::dispatched(&filings);
        assert_eq!(world.word(Check::Dispatch, 4), word);
        world.known.filings.refused = true;
        assert_eq!(world.word(Check::Dispatch, 4), unknown, "one is refused");
        world.known.filings.current = false;
        assert_eq!(world.word(Check::Dispatch, 4), unknown, "not pulled, and one refused");
        world.known.filings.refused = false;
        assert_eq!(world.word(Check::Dispatch, 4), unknown, "not pulled");
    }
}

#[test]
fn one_pending_check_keeps_a_month_from_passing() {
    let mut world = World::employed();
    world.wages.retain(|wage| wage.period != month(4));
    world.known.wages = settled_through(3);
    let verdict = world.verdict(4);
    assert_eq!(verdict.codes.wage, WageCode::Pending);
    assert!(!verdict.passed() && !verdict.codes.pass());
}

#[test]
fn age_and_contract_are_never_pending() {
    let mut world = World::silent();
    world.known = Knowledge::default();
    world.contracts.clear();
    world.subject.born_on = day("2015-01-01");
    assert_eq!((world.word(Check::Age, 4), world.word(Check::Contract, 4)), ("under_age", "none"));
}
