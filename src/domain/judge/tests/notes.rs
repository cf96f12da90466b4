//! What the judge says on its way: enough to tell a person why a month passes, fails or waits.

use super::*;

#[test]
fn a_wage_is_explained_by_its_records_period_standard_and_sum() {
    let mut world = World::insured();
    world.pays(4..=4, EMPLOYER, "2300");
    world.pays(4..=4, STRANGER, "9000");
    world.pays(4..=4, EMPLOYER, "-400");
    world.pays(5..=5, EMPLOYER, "3000");
    let versions: Vec<_> = world.wages.iter().map(|wage| wage.version).collect();
    let notes = world.notes(Check::Wage, 4);
    for note in [
        Note::RestsOn(versions[0]),
        Note::PassedOver(versions[1], PassedOver::AnotherUnit),
        Note::RestsOn(versions[2]),
        Note::Period(month(4)),
        Note::Standard(yuan("2000")),
        Note::Sum(yuan("1900")),
    ] {
        assert!(notes.contains(&note), "{note:?} in {notes:?}");
    }
    assert_eq!(notes.len(), 6, "another period's record is not looked at, nothing is waited for: {notes:?}");
}

#[test]
fn with_a_lag_the_period_is_the_next_and_the_standard_the_months_own() {
    let mut world = World::insured();
    world.terms.wage_lag = 1;
    let notes = world.notes(Check::Wage, 12);
    assert_eq!(notes, [Note::Period(month(13)), Note::Standard(yuan("2240"))]);
    let notes = world.notes(Check::Wage, 11);
    assert_eq!(notes, [Note::Period(month(12)), Note::Standard(yuan("2000"))]);
}

#[test]
fn a_sum_too_low_that_may_still_grow_is_told_with_what_it_waits_for() {
    let mut world = World::insured();
    world.pays(4..=4, EMPLOYER, "1900");
    world.known.wages.settled_through = Some(month(3));
    let notes = world.notes(Check::Wage, 4);
    assert!(notes.contains(&Note::Sum(yuan("1900"))), "{notes:?}");
    assert!(notes.contains(&Note::Waiting(Waiting::NotSettled)), "{notes:?}");
}

fn waiting(notes: &[Note]) -> Vec<Waiting> {
    let cause = |note: &Note| if let Note::Waiting(cause) = note { Some(*cause) } else { None };
    notes.iter().filter_map(cause).collect()
}

#[test]
fn every_pending_code_names_one_cause() {
    let settled = World::silent().known.wages;
    for (known, cause) in [
        (PeriodKnowledge { settled_through: Some(month(3)), refused: !0, repull_due: true }, Waiting::NotSettled),
        (PeriodKnowledge { refused: 1 << 3, ..settled }, Waiting::RefusedRecord),
        (PeriodKnowledge { repull_due: true, ..settled }, Waiting::RepullDue),
    ] {
        let mut world = World::silent();
        (world.known.wages, world.known.pension, world.known.medical) = (known, known, known);
        for check in [Check::Wage, Check::Pension, Check::Medical] {
            assert_eq!(waiting(&world.notes(check, 4)), [cause], "{check}");
        }
    }
    for (current, refused, causes) in [
        (true, false, &[][..]),
        (true, true, &[Waiting::RefusedRecord]),
        (false, true, &[Waiting::Stale]),
        (false, false, &[Waiting::Stale]),
    ] {
        let mut world = World::dispatched(&[]);
        world.certificates.clear();
        (world.known.certificates.current, world.known.filings.current) = (current, current);
        (world.known.certificates.refused, world.known.filings.refused) = (refused, refused);
        for check in [Check::Certificate, Check::Dispatch] {
            assert_eq!(waiting(&world.notes(check, 4)), causes, "{check}");
        }
    }
}

#[test]
fn a_month_that_passes_waits_for_nothing_whatever_is_not_known() {
    let mut world = World::employed();
    world.known = Knowledge::default();
    let (verdict, notes) = world.heard(4);
    assert!(verdict.passed());
    assert!(!notes.iter().any(|(_, note)| matches!(note, Note::Waiting(_))), "{notes:?}");
}

#[test]
fn an_insurance_is_explained_by_the_units_records_and_those_passed_over() {
    let mut world = World::silent();
    world.insures(Scheme::Pension, 4..=4, EMPLOYER);
    world.insures(Scheme::Pension, 4..=4, STRANGER);
    world.insures_as(Scheme::Pension, 4, |record| record.coverage = Coverage::Resident);
    world.insures_as(Scheme::Pension, 4, |record| record.insured = None);
    world.insures(Scheme::Medical, 4..=4, EMPLOYER);
    world.insures(Scheme::Pension, 5..=5, EMPLOYER);
    let versions: Vec<_> = world.insurances.iter().map(|record| record.version).collect();
    let expected = [
        Note::RestsOn(versions[0]),
        Note::PassedOver(versions[1], PassedOver::AnotherUnit),
        Note::PassedOver(versions[2], PassedOver::ResidentScheme),
        Note::PassedOver(versions[3], PassedOver::OwnAccount),
        Note::Period(month(4)),
    ];
    assert_eq!(world.notes(Check::Pension, 4), expected);
    assert_eq!(world.notes(Check::Medical, 4), [Note::RestsOn(versions[4]), Note::Period(month(4))]);
}

#[test]
fn what_is_owed_carries_nothing_beside_what_the_same_unit_paid() {
    let owed = |record: &mut Insurance| record.status = ContributionStatus::Owed;
    let back = |record: &mut Insurance| record.payment = Payment::BackPayment;
    let mut world = World::silent();
    world.insures_as(Scheme::Pension, 4, owed);
    world.insures(Scheme::Pension, 4..=4, EMPLOYER);
    world.insures_as(Scheme::Pension, 5, back);
    world.insures_as(Scheme::Pension, 5, owed);
    world.insures_as(Scheme::Pension, 6, owed);
    let versions: Vec<_> = world.insurances.iter().map(|record| record.version).collect();
    let passes = [Note::PassedOver(versions[0], PassedOver::Owed), Note::RestsOn(versions[1]), Note::Period(month(4))];
    assert_eq!((world.word(Check::Pension, 4), world.notes(Check::Pension, 4)), ("pass", passes.to_vec()));
    let afterwards =
        [Note::RestsOn(versions[2]), Note::PassedOver(versions[3], PassedOver::Owed), Note::Period(month(5))];
    assert_eq!((world.word(Check::Pension, 5), world.notes(Check::Pension, 5)), ("pass", afterwards.to_vec()));
    let alone = [Note::RestsOn(versions[4]), Note::Period(month(6))];
    assert_eq!((world.word(Check::Pension, 6), world.notes(Check::Pension, 6)), ("unpaid", alone.to_vec()));
}

#[test]
fn a_certificate_check_names_the_certificate_that_decided_and_those_that_did_not() {
    let version = |number, certificate| Certificate { version: VersionId(number), ..certificate };
    let mut world = World::employed();
    world.certificates =
        vec![version(51, certificate(3, "2010-01-01", "2025-03-31")), version(52, certificate(3, "2025-06-01", ""))];
    assert_eq!(world.word(Check::Certificate, 4), "expired");
    let ended = [Note::RestsOn(VersionId(51)), Note::PassedOver(VersionId(52), PassedOver::OtherDates)];
    assert_eq!(world.notes(Check::Certificate, 4), ended);
    assert_eq!(world.word(Check::Certificate, 6), "pass");
    let renewed = [Note::PassedOver(VersionId(51), PassedOver::OtherDates), Note::RestsOn(VersionId(52))];
    assert_eq!(world.notes(Check::Certificate, 6), renewed);
    let soldier = Certificate { kind: CertificateKind::DisabledSoldier, ..certificate(9, "2010-01-01", "") };
    let frozen = Certificate { status: CertificateStatus::Frozen, ..certificate(2, "2010-01-01", "") };
    world.certificates = vec![
        version(53, soldier),
        version(54, frozen),
        version(55, certificate(3, "2010-01-01", "")),
        version(56, certificate(3, "2020-01-01", "")),
    ];
    let several = [
        Note::PassedOver(VersionId(53), PassedOver::LevelNotCounted),
        Note::PassedOver(VersionId(54), PassedOver::NotInForce),
        Note::PassedOver(VersionId(55), PassedOver::AnotherDecides),
        Note::RestsOn(VersionId(56)),
    ];
    assert_eq!(world.notes(Check::Certificate, 6), several);
}

#[test]
fn a_contract_check_names_the_contract_that_decided_and_why_the_others_did_not() {
    let other = |place| Note::ContractPassedOver(place, PassedOver::OtherDates);
    let mut world = World::employed();
    world.contracts =
        vec![contract("2025-05-01", "2025-07-31"), contract("2025-06-01", ""), contract("2025-07-01", "")];
    assert_eq!(world.notes(Check::Contract, 4), [other(0), other(1), other(2)]);
    assert_eq!(world.notes(Check::Contract, 5), [Note::Contract(0), other(1), other(2)]);
    let short = Note::ContractPassedOver(0, PassedOver::TooShort);
    assert_eq!(world.notes(Check::Contract, 6), [short, Note::Contract(1), other(2)]);
    let older = Note::ContractPassedOver(1, PassedOver::AnotherDecides);
    assert_eq!(world.notes(Check::Contract, 7), [short, older, Note::Contract(2)]);
    world.contracts.truncate(1);
    world.contracts.push(contract("2025-05-15", "2025-06-30"));
    let earlier = Note::ContractPassedOver(0, PassedOver::AnotherDecides);
    assert_eq!(world.notes(Check::Contract, 6), [earlier, Note::Contract(1)], "both are too short");
}

#[test]
fn a_dispatch_check_names_the_filings_for_the_province_and_passes_over_the_others() {
    let version = |number, filing| DispatchFiling { version: VersionId(number), ..filing };
    let approved = filing(FilingStatus::Approved, "2024-01-01", "");
    let world = World::dispatched(&[
        version(61, DispatchFiling { province: 44, ..approved }),
        version(62, approved),
        version(63, DispatchFiling { dispatcher: STRANGER, ..approved }),
    ]);
    let expected = [
        Note::PassedOver(VersionId(61), PassedOver::AnotherProvince),
        Note::RestsOn(VersionId(62)),
        Note::PassedOver(VersionId(63), PassedOver::AnotherUnit),
    ];
    assert_eq!(world.notes(Check::Dispatch, 4), expected);
    assert_eq!(World::employed().notes(Check::Dispatch, 4), [], "not dispatched");
}

#[test]
fn of_a_dispatch_companys_filings_those_speak_that_decide_the_code() {
    let version = |number, filing| DispatchFiling { version: VersionId(number), ..filing };
    let ended = version(71, filing(FilingStatus::Approved, "2024-01-01", "2024-12-31"));
    let rejected = version(72, filing(FilingStatus::Rejected, "2024-01-01", ""));
    let approved = version(73, filing(FilingStatus::Approved, "2025-01-01", ""));
    let revoked = version(74, filing(FilingStatus::Revoked, "2025-01-01", ""));
    let all = World::dispatched(&[ended, rejected, approved, revoked]).notes(Check::Dispatch, 4);
    let lapsed = Note::PassedOver(VersionId(71), PassedOver::OtherDates);
    let withdrawn = Note::PassedOver(VersionId(74), PassedOver::NotInForce);
    let refused = Note::PassedOver(VersionId(72), PassedOver::NotApproved);
    assert_eq!(all, [lapsed, refused, Note::RestsOn(VersionId(73)), withdrawn]);
    let without = World::dispatched(&[ended, rejected, revoked]).notes(Check::Dispatch, 4);
    assert_eq!(without, [Note::RestsOn(VersionId(71)), refused, Note::RestsOn(VersionId(74))]);
    assert_eq!(World::dispatched(&[rejected]).notes(Check::Dispatch, 4), [Note::RestsOn(VersionId(72))]);
}

#[test]
fn the_verdict_is_the_same_whether_anybody_listens() {
    let world = World::employed();
    for number in 1..=12 {
        let month = month(number);
        assert_eq!(judge(&world.case(), month, &world.rules(month), &mut |_, _| {}), world.verdict(number));
    }
}
