//! What each kind of row is checked for.

use super::*;
use crate::domain::declaration::{Act, Commitment, Completion, Declaration, Issue, Stage};
use crate::domain::facts::UnitId;
use crate::domain::ids::{ResidentId, Uscc};
use crate::domain::message::{Message, MessageKind};

fn placement(year: &str, id: &str, dispatch: &str, payers: [&str; 3], track: &str) -> String {
    let dispatched = !dispatch.is_empty();
    format!("{OWN},{year},{id},王小明,{dispatched},{dispatch},{},{track}", payers.join(","))
}

#[tokio::test]
async fn a_file_imported_again_is_all_the_same_and_leaves_no_trace() {
    let counter = Counter::with_employer("again").await;
    let placed = [
        placement("2025", MAN, "", [OWN, OWN, HOLDING], ""),
        placement("2025", WOMAN, AGENCY, [AGENCY; 3], "women_50"),
    ];
    let lines: Vec<&str> = placed.iter().map(String::as_str).collect();
    let contract = format!("{OWN},2025,{MAN},labour,2024-01-01,,");
    insta::assert_snapshot!(counter.csv(ImportKind::Placements, PLACEMENTS, &lines).await, @"read 2: 2 new, 0 changed, 0 same, 0 refused");
    insta::assert_snapshot!(counter.csv(ImportKind::Contracts, CONTRACTS, &[&contract]).await, @"read 1: 1 new, 0 changed, 0 same, 0 refused");

    let head = counter.head().await;
    let employer = format!("{OWN},甲公司,enterprise,360102,,360102,360102,30.50,1234567.8,");
    insta::assert_snapshot!(counter.csv(ImportKind::Employers, EMPLOYERS, &[&employer]).await, @"read 1: 0 new, 0 changed, 1 same, 0 refused");
    let affiliate = format!("{OWN},2025,{HOLDING},甲集团,affiliate");
    insta::assert_snapshot!(counter.csv(ImportKind::Affiliates, AFFILIATES, &[&affiliate]).await, @"read 1: 0 new, 0 changed, 1 same, 0 refused");
    insta::assert_snapshot!(counter.csv(ImportKind::Placements, PLACEMENTS, &lines).await, @"read 2: 0 new, 0 changed, 2 same, 0 refused");
    insta::assert_snapshot!(counter.csv(ImportKind::Contracts, CONTRACTS, &[&contract]).await, @"read 1: 0 new, 0 changed, 1 same, 0 refused");
    assert_eq!(counter.head().await, head, "nothing was published");
}

#[tokio::test]
async fn the_same_key_updates_and_the_others_stay() {
    let counter = Counter::with_employer("update").await;
    let man = placement("2025", MAN, "", [OWN; 3], "");
    let woman = placement("2025", WOMAN, "", [OWN; 3], "");
    counter.csv(ImportKind::Placements, PLACEMENTS, &[&man, &woman]).await;
    let head = counter.head().await;
    let moved = placement("2025", WOMAN, "", [HOLDING, OWN, OWN], "women_50");
    insta::assert_snapshot!(counter.csv(ImportKind::Placements, PLACEMENTS, &[&moved]).await, @"read 1: 0 new, 1 changed, 0 same, 0 refused");
    assert_eq!(counter.head().await, head + 1);
    let store = &counter.database.store;
    let own = store.find_unit(&Uscc::parse(OWN).expect("a code")).await.expect("asked").expect("known");
    let holding = store.find_unit(&Uscc::parse(HOLDING).expect("a code")).await.expect("asked");
    let placements = store.list_placements(&[own]).await.expect("listed");
    let mut payers: Vec<UnitId> = placements.iter().map(|placement| placement.wage_payer).collect();
    payers.sort_unstable();
    assert_eq!(payers, [own, holding.expect("known")]);

    let contract = |rest: &str| format!("{OWN},2025,{MAN},labour,2024-01-01,{rest}");
    counter.csv(ImportKind::Contracts, CONTRACTS, &[&contract(",")]).await;
    let ended = contract("2026-12-31,2025-06-30");
    insta::assert_snapshot!(counter.csv(ImportKind::Contracts, CONTRACTS, &[&ended]).await, @"read 1: 0 new, 1 changed, 0 same, 0 refused");
    let renamed = format!("{OWN},2025,{HOLDING},甲控股,affiliate");
    insta::assert_snapshot!(counter.csv(ImportKind::Affiliates, AFFILIATES, &[&renamed]).await, @"read 1: 0 new, 1 changed, 0 same, 0 refused");
}

#[tokio::test]
async fn a_key_twice_in_a_file_takes_the_later_row_even_if_a_refused_one_follows() {
    let counter = Counter::with_employer("twice").await;
    let lines = [
        placement("2025", MAN, "", [OWN; 3], ""),
        placement("2025", MAN, "", [HOLDING, OWN, OWN], ""),
        placement("2025", MAN, "", [STRANGER, OWN, OWN], ""),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    insta::assert_snapshot!(counter.csv(ImportKind::Placements, PLACEMENTS, &lines).await, @"
    read 3: 1 new, 0 changed, 0 same, 1 refused
    4 wage_payer_uscc payer_not_listed: 91369900MA0395950B; accepted: the wage payer is neither the employer nor a unit listed by it for the year; list the affiliate first
    warning 3 row key_repeated: has the same key as line 2, which is not taken
    ");
    insta::assert_snapshot!(counter.csv(ImportKind::Placements, PLACEMENTS, &lines).await, @"
    read 3: 0 new, 0 changed, 1 same, 1 refused
    4 wage_payer_uscc payer_not_listed: 91369900MA0395950B; accepted: the wage payer is neither the employer nor a unit listed by it for the year; list the affiliate first
    warning 3 row key_repeated: has the same key as line 2, which is not taken
    ");
}

#[tokio::test]
async fn an_employer_needs_a_valid_code_a_kind_divisions_and_a_wage_class() {
    let counter = Counter::open("employers").await;
    let report = counter
        .csv(
            ImportKind::Employers,
            EMPLOYERS,
            &[
                "91369900MA007919XJ,甲,enterprise,360102,,360102,360102,,,",
                &format!("{HOLDING},乙,company,360102,4,36010,36-102,-1,-5,2"),
                &format!("{AGENCY},丙,other,110101,,360102,360102,,,"),
                &format!("{THIRD},丁,other,110101,2,360102,360102,30.25,2000.50,1"),
                "91369900MA0712718B,戊,state_organ,360102,,360102,360102,,,",
                ",,,,,,,,,",
                &format!("{STRANGER},己,other,360102"),
                &format!("{MAN},庚,other,360102,,360102,360102,1.2.3,1.234,"),
            ],
        )
        .await;
    insta::assert_snapshot!(report, @"
    read 8: 2 new, 0 changed, 0 same, 6 refused
    2 uscc checksum: 91369900MA007919XJ; accepted: a unified social credit code of 18 characters; the check digit does not fit
    3 kind unknown_value: company; accepted: enterprise, public_institution, state_organ, social_organisation, other
    3 wage_class unknown_value: 4; accepted: 1, 2, 3, or nothing
    3 federation_division malformed: 36010; accepted: a division code of 6 digits
    3 tax_division malformed: 36-102; accepted: a division code of 6 digits
    3 headcount malformed: -1; accepted: a decimal from 0 up with at most 9 digits before and 10 after the point, such as 30.5
    3 total_wages malformed: -5; accepted: yuan from 0 to a billion with at most two decimals, such as 2000 or 2000.50
    3 wage_lag unknown_value: 2; accepted: 0, 1, or nothing
    4 division no_wage_class: 110101; accepted: a division whose wage class the policy knows, or a `wage_class` of its own
    7 uscc missing: nothing; accepted: a value
    7 name missing: nothing; accepted: a value
    7 kind missing: nothing; accepted: a value
    7 division missing: nothing; accepted: a value
    7 federation_division missing: nothing; accepted: a value
    7 tax_division missing: nothing; accepted: a value
    8 row undecodable: 4 fields where the header has 10; accepted: a row as the header has it
    9 uscc checksum: **************0019; accepted: a unified social credit code of 18 characters; the check digit does not fit
    9 headcount malformed: 1.2.3; accepted: a decimal from 0 up with at most 9 digits before and 10 after the point, such as 30.5
    9 total_wages malformed: 1.234; accepted: yuan from 0 to a billion with at most two decimals, such as 2000 or 2000.50
    warning 6 uscc subject_check: the check digit of the subject part (character 17) does not fit; real codes break it now and then
    ");
}

#[tokio::test]
async fn an_affiliate_belongs_to_an_employer_and_is_another_unit() {
    let counter = Counter::with_employer("affiliates").await;
    let report = counter
        .csv(
            ImportKind::Affiliates,
            AFFILIATES,
            &[
                &format!("{THIRD},2025,{HOLDING},甲集团,affiliate"),
                &format!("{OWN},2025,{OWN},甲公司,affiliate"),
                &format!("{OWN},2024,{THIRD},丙,affiliate"),
                &format!("{OWN},2025,{THIRD},丙,owner"),
                &format!("{OWN},25,91369900MA0316765S,,affiliate"),
                &format!("{OWN},2026,{THIRD},丙,dispatch"),
            ],
        )
        .await;
    insta::assert_snapshot!(report, @"
    read 6: 1 new, 0 changed, 0 same, 5 refused
    2 employer_uscc unknown_employer: 91369900MA0316765R; accepted: an employer that is entered: import it first
    3 unit_uscc own_employer: 91369900MA007919XH; accepted: another unit than the employer
    4 year year_out_of_range: 2024; accepted: last year or the running one: 2025 or 2026
    5 relation unknown_value: owner; accepted: dispatch, affiliate
    6 year malformed: 25; accepted: a year such as 2025
    6 unit_uscc malformed: 91369900MA0316765S; accepted: a unified social credit code of 18 characters; a character that does not belong there
    6 unit_name missing: nothing; accepted: a value
    ");
}

#[tokio::test]
async fn the_relation_of_an_affiliate_in_use_is_frozen() {
    let counter = Counter::with_employer("frozen").await;
    let holding = format!("{OWN},2025,{HOLDING},甲集团,dispatch");
    insta::assert_snapshot!(counter.csv(ImportKind::Affiliates, AFFILIATES, &[&holding]).await, @"read 1: 0 new, 1 changed, 0 same, 0 refused");
    let dispatched = placement("2025", MAN, AGENCY, [OWN, AGENCY, OWN], "");
    counter.csv(ImportKind::Placements, PLACEMENTS, &[&dispatched]).await;
    let agency = format!("{OWN},2025,{AGENCY},乙派遣,affiliate");
    let holding = format!("{OWN},2025,{HOLDING},甲集团,affiliate");
    insta::assert_snapshot!(counter.csv(ImportKind::Affiliates, AFFILIATES, &[&agency, &holding]).await, @"
    read 2: 0 new, 1 changed, 0 same, 1 refused
    2 relation affiliate_in_use: affiliate; accepted: dispatch: placements of the year use this unit, so its relation stays
    ");
}

#[tokio::test]
async fn a_placement_is_refused_for_each_of_its_faults() {
    let counter = Counter::with_employer("placements").await;
    let third = format!("{OWN},2025,{THIRD},丙,affiliate");
    counter.csv(ImportKind::Affiliates, AFFILIATES, &[&third]).await;
    let report = counter
        .csv(
            ImportKind::Placements,
            PLACEMENTS,
            &[
                &placement("2025", "360001196501010018", "", [OWN; 3], ""),
                &placement("2024", MAN, "", [OWN; 3], ""),
                &placement("2027", MAN, "", [OWN; 3], ""),
                &placement("2025", MAN, "", [HOLDING, AGENCY, THIRD], ""),
                &placement("2025", MAN, "", [STRANGER, OWN, STRANGER], "women_55"),
                &placement("2025", MAN, HOLDING, [HOLDING, AGENCY, OWN], ""),
                &format!("{OWN},2025,{MAN},,maybe,,王小明,{MAN},91369900MA007919XJ,men_65"),
                &format!("{OWN},2025,{MAN},王小明,true,,{OWN},{OWN},{OWN},"),
                &format!("{OWN},2025,{MAN},王小明,false,{AGENCY},{OWN},{OWN},{OWN},"),
                &format!("{THIRD},2025,{MAN},王小明,否,,{OWN},{OWN},{OWN},"),
                &format!("{THIRD},2025,{MAN},王小明,false,,{OWN},{OWN},{OWN},"),
            ],
        )
        .await;
    insta::assert_snapshot!(report, @"
    read 11: 0 new, 0 changed, 0 same, 11 refused
    2 id_number checksum: **************0018; accepted: a resident ID number of 18 or 15 characters; the check digit does not fit
    3 year year_out_of_range: 2024; accepted: last year or the running one: 2025 or 2026
    4 year year_out_of_range: 2027; accepted: last year or the running one: 2025 or 2026
    5 wage_payer_uscc no_payer_is_employer: 91369900MA01583811, 91369900MA0237573D, 91369900MA0316765R; accepted: all three payers are other units; at least one of wage, pension and medical must be paid by the employer
    6 wage_payer_uscc payer_not_listed: 91369900MA0395950B; accepted: the wage payer is neither the employer nor a unit listed by it for the year; list the affiliate first
    6 medical_payer_uscc payer_not_listed: 91369900MA0395950B; accepted: the medical payer is neither the employer nor a unit listed by it for the year; list the affiliate first
    6 retirement_track track_contradicts_sex: women_55; accepted: the retirement track `women_55` contradicts the sex that the ID number states
    7 dispatch_uscc dispatch_company_not_listed: 91369900MA01583811; accepted: the dispatch company is not listed by the employer for the year with the relation `dispatch`
    7 pension_payer_uscc payer_outside_dispatch: 91369900MA0237573D; accepted: the pension payer of a dispatched person must be the employer or the dispatch company
    8 name missing: nothing; accepted: a value
    8 dispatched unknown_value: maybe; accepted: true, false
    8 wage_payer_uscc malformed: text of 3 characters; accepted: a unified social credit code of 18 characters; wrong length
    8 pension_payer_uscc checksum: **************0019; accepted: a unified social credit code of 18 characters; the check digit does not fit
    8 medical_payer_uscc checksum: 91369900MA007919XJ; accepted: a unified social credit code of 18 characters; the check digit does not fit
    8 retirement_track unknown_value: men_65; accepted: men_60, women_55, women_50, or nothing
    9 dispatch_uscc dispatch_company_missing: nothing; accepted: a dispatched person needs the dispatch company
    10 dispatch_uscc dispatch_company_not_expected: 91369900MA0237573D; accepted: a dispatch company is named although the person is not dispatched; leave it out, or enter a dispatch
    11 dispatched unknown_value: 否; accepted: true, false
    12 employer_uscc unknown_employer: 91369900MA0316765R; accepted: an employer that is entered: import it first
    ");
}

#[tokio::test]
async fn a_placement_is_accepted_with_a_warning_of_what_is_odd() {
    let counter = Counter::with_employer("warnings").await;
    let unpaid = placement("2025", WOMAN, AGENCY, [OWN; 3], "");
    insta::assert_snapshot!(counter.csv(ImportKind::Placements, PLACEMENTS, &[&unpaid]).await, @"
    read 1: 1 new, 0 changed, 0 same, 0 refused
    warning 2 dispatch_uscc no_payer_is_dispatch_company: none of the three payers is the dispatch company; other provinces take that for no dispatch at all
    ");
    let renamed = format!("{OWN},2026,{WOMAN},王晓明,false,,{OWN},{OWN},{OWN},");
    insta::assert_snapshot!(counter.csv(ImportKind::Placements, PLACEMENTS, &[&renamed]).await, @"
    read 1: 1 new, 0 changed, 0 same, 0 refused
    warning 2 name another_name: is another name than the one kept for this ID number, which stays
    ");
    let spaced = format!("{OWN},2026,{WOMAN}, 王 小明,FALSE,,{OWN},{OWN},{OWN},");
    insta::assert_snapshot!(counter.csv(ImportKind::Placements, PLACEMENTS, &[&spaced]).await, @"read 1: 0 new, 0 changed, 1 same, 0 refused");
}

#[tokio::test]
async fn a_contract_needs_its_placement_and_days_in_order() {
    let counter = Counter::with_employer("contracts").await;
    let placed = placement("2025", MAN, "", [OWN; 3], "");
    counter.csv(ImportKind::Placements, PLACEMENTS, &[&placed]).await;
    let report = counter
        .csv(
            ImportKind::Contracts,
            CONTRACTS,
            &[
                &format!("{OWN},2025,{WOMAN},labour,2025-01-01,,"),
                &format!("{OWN},2026,{MAN},labour,2025-01-01,,"),
                &format!("{OWN},2025,{MAN},casual,2025-02-30,31.12.2025,"),
                &format!("{OWN},2025,{MAN},labour,2025-03-01,2025-02-28,2025-02-01"),
                &format!("{OWN},2025,{MAN},labour,2025-01-01,2025-12-30,"),
                &format!("{OWN},2025,{MAN},labour,2024-01-01,2024-12-31,"),
                &format!("{OWN},2025,{MAN},establishment,2025-01-01,,"),
                &format!("{OWN},2025,36000119650101001,labour,2025-01-01,,"),
                &format!("{STRANGER},2025,{MAN},labour,2025-01-01,,"),
            ],
        )
        .await;
    insta::assert_snapshot!(report, @"
    read 9: 3 new, 0 changed, 0 same, 6 refused
    2 id_number no_placement: **************0023; accepted: a person placed at this employer in this year: enter the placement first
    3 id_number no_placement: **************0019; accepted: a person placed at this employer in this year: enter the placement first
    4 kind unknown_value: casual; accepted: labour, establishment
    4 starts_on malformed: 2025-02-30; accepted: a day of the calendar of the form YYYY-MM-DD, years 1900 to 2199
    4 ends_on malformed: 31.12.2025; accepted: a day of the calendar of the form YYYY-MM-DD, years 1900 to 2199
    5 ends_on ends_before_start: 2025-02-28; accepted: 2025-03-01 or later, when the contract starts
    5 terminated_on terminated_before_start: 2025-02-01; accepted: 2025-03-01 or later, when the contract starts
    9 id_number malformed: *************1001; accepted: a resident ID number of 18 or 15 characters; wrong length
    10 employer_uscc unknown_employer: 91369900MA0395950B; accepted: an employer that is entered: import it first
    warning 6 ends_on contract_under_a_year: is agreed for less than a year; no month it covers passes by it
    ");
}

#[tokio::test]
async fn rows_of_a_completed_declaration_are_refused_and_those_of_another_year_are_not() {
    let counter = Counter::with_employer("completed").await;
    let placed = placement("2025", MAN, "", [OWN; 3], "");
    counter.csv(ImportKind::Placements, PLACEMENTS, &[&placed]).await;
    complete(&counter.database.store).await;
    let next = placement("2026", MAN, "", [OWN; 3], "");
    insta::assert_snapshot!(counter.csv(ImportKind::Placements, PLACEMENTS, &[&placed, &next]).await, @"
    read 2: 1 new, 0 changed, 0 same, 1 refused
    2 year declaration_completed: 2025; accepted: a year whose declaration is open: what is completed changes by withdrawal or amendment only
    ");
    let contract = format!("{OWN},2025,{MAN},labour,2024-01-01,,");
    insta::assert_snapshot!(counter.csv(ImportKind::Contracts, CONTRACTS, &[&contract]).await, @"
    read 1: 0 new, 0 changed, 0 same, 1 refused
    2 year declaration_completed: 2025; accepted: a year whose declaration is open: what is completed changes by withdrawal or amendment only
    ");
    let affiliate = format!("{OWN},2025,{THIRD},丙,affiliate");
    insta::assert_snapshot!(counter.csv(ImportKind::Affiliates, AFFILIATES, &[&affiliate]).await, @"
    read 1: 0 new, 0 changed, 0 same, 1 refused
    2 year declaration_completed: 2025; accepted: a year whose declaration is open: what is completed changes by withdrawal or amendment only
    ");
}

/// Completes the declaration of 2025.
async fn complete(store: &Store) {
    let at = store.now().await.expect("now");
    let employer = store.find_unit(&Uscc::parse(OWN).expect("a code")).await.expect("asked").expect("known");
    let act = Act { by: "employer".to_owned(), at };
    let stage = Stage::Completed {
        completion: Completion {
            version: 1,
            completed: act.clone(),
            certification_number: "1".to_owned(),
            commitment: Commitment { version: "1".to_owned(), hash: "00".to_owned() },
            amends: None,
        },
        issue: Issue { message: Message { kind: MessageKind::Certified, version: 1, attempt: 1 }, issued: act },
    };
    let completed = Declaration { stage, ..Declaration::default() };
    let mut publish = store.publish(Cause::Completion, at).await.expect("a publish");
    publish.save_declaration(employer, 2025, &completed, at).await.expect("saved");
    publish.commit().await.expect("committed");
}

#[tokio::test]
async fn placed_persons_are_kept_by_the_name_and_number_they_came_with() {
    let counter = Counter::with_employer("persons").await;
    let placed = placement("2025", "３６０００１ 19650101 0019", "", [OWN; 3], "");
    counter.csv(ImportKind::Placements, PLACEMENTS, &[&placed]).await;
    let store = &counter.database.store;
    let id = ResidentId::parse(MAN).expect("an ID");
    let person = store.find_person(&id).await.expect("asked").expect("known");
    let identities = store.identities(&[person]).await.expect("identities");
    assert_eq!(identities[&person].name, "王小明");
}
