//! Double claims: told to both sides and to staff when they arise, each side hearing only what it may.

use renzheng::declare::register::notices::{Wanted, list_notices, read_notice};
use renzheng::domain::access::Role;

use super::*;

const ALL: Wanted = Wanted { all: true, before: None, limit: 100 };

/// What an actor reads, in English, oldest first.
async fn told(office: &Office, actor: &Actor) -> Vec<String> {
    let notices = list_notices(&office.agency.harness.store, actor, &ALL).await.expect("listed");
    notices.iter().rev().map(|notice| format!("{}: {}", notice.addressee, notice.en)).collect()
}

const PLACEMENTS: &str =
    "employer_uscc,year,id_number,name,dispatched,wage_payer_uscc,pension_payer_uscc,medical_payer_uscc";

fn row(employer: &str, year: i16, person: u32) -> String {
    format!("{employer},{year},{},{NAME},false,{employer},{employer},{employer}", id_number(person))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_hear_of_a_double_claim_and_only_staff_hear_who() {
    let office = Office::open("notice_both").await;
    let person = office.place(office.own, 2025, 1).await.person;
    office
        .register()
        .save_contract(&labour(office.own, 2025, person, "2024-01-01", "2025-06-30"), Step::Add)
        .await
        .expect("added");
    assert_eq!(office.count("notice").await, 0);
    let entered = office.place(office.other, 2025, 1).await;
    let months: Vec<String> = entered.months_elsewhere.iter().map(ToString::to_string).collect();
    assert_eq!(months, ["2025-01", "2025-02", "2025-03", "2025-04", "2025-05", "2025-06"]);
    assert_eq!(office.count("notice").await, 4, "two employers, two federations");
    let own = told(&office, &handler("一", &[office.own])).await;
    insta::assert_snapshot!(own.join("\n"), @"
    91369900MA00000152: 某* **************0000 is also placed at or claimed by another employer for 2025-01 to 2025-06. A month counts for one employer only: make sure that contract and dates are right; where both declare it, staff decide by contract or dispatch agreement
    ");
    let other = told(&office, &handler("二", &[office.other])).await;
    assert_eq!(other.len(), 1);
    for line in own.iter().chain(&other) {
        let (addressee, words) = line.split_once(": ").expect("an addressee");
        assert!([OWN, OTHER].contains(&addressee) && !words.contains(OWN) && !words.contains(OTHER), "{line}");
        assert!(!words.contains(&id_number(1)) && !words.contains(NAME), "{line}");
    }
    let of_staff = told(&office, &staff("审核员", Role::Reviewer, "3602")).await;
    insta::assert_snapshot!(of_staff.join("\n"), @"
    360203: 某* **************0000 is placed at or claimed by both 91369900MA00000152 and 91369900MA0TEXT12D for 2025-01 to 2025-06: if both declare them, contract or dispatch agreement decides which of them counts the months
    ");
    assert_eq!(told(&office, &staff("省", Role::Supervisor, "36")).await.len(), 2);
    assert_eq!(told(&office, &staff("别处", Role::Supervisor, "3605")).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_fact_is_told_once_however_it_is_entered() {
    let office = Office::open("notice_once").await;
    office.place(office.own, 2025, 1).await;
    let imported = office.import(ImportKind::Placements, PLACEMENTS, &[row(OTHER, 2025, 1)]).await;
    assert_eq!((imported.new, office.count("notice").await), (1, 4), "an import tells too");
    let person = office.person(1).await;
    office.register().delete_placement(office.other, 2025, person, "mistake").await.expect("deleted");
    office.place(office.other, 2025, 1).await;
    office.import(ImportKind::Placements, PLACEMENTS, &[row(OWN, 2025, 1), row(OTHER, 2025, 1)]).await;
    assert_eq!(office.count("notice").await, 4);
    office.register().carry_over(office.own, 2026).await.expect("carried");
    assert_eq!(office.count("notice").await, 4, "another year has one employer yet");
    office.register().carry_over(office.other, 2026).await.expect("carried");
    assert_eq!(office.count("notice").await, 8, "and now two");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_many_asks_for_others_in_a_handful_of_statements() {
    let office = Office::open("notice_many").await;
    let of = |employer: &str| (10..60).map(|person| row(employer, 2025, person)).collect::<Vec<_>>();
    office.import(ImportKind::Placements, PLACEMENTS, &of(OWN)).await;
    assert_eq!(office.count("notice").await, 0);
    let report = office.import(ImportKind::Placements, PLACEMENTS, &of(OTHER)).await;
    assert_eq!((report.new, office.count("notice").await), (50, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_contract_after_another_is_a_change_of_employer_and_told_to_nobody() {
    let office = Office::open("notice_change").await;
    let register = office.register();
    let person = office.place(office.own, 2025, 1).await.person;
    register
        .save_contract(&labour(office.own, 2025, person, "2022-01-01", "2024-12-31"), Step::Add)
        .await
        .expect("added");
    let entered = office.place(office.other, 2025, 1).await;
    assert_eq!((entered.months_elsewhere.len(), office.count("notice").await), (0, 0));
    let longer = labour(office.own, 2025, person, "2022-01-01", "2025-02-28");
    let changed = register.save_contract(&longer, Step::Change).await.expect("changed");
    assert_eq!((changed.months_elsewhere.len(), office.count("notice").await), (2, 4), "a longer contract is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_read_by_whom_it_is_for() {
    let office = Office::open("notice_read").await;
    office.place(office.own, 2025, 1).await;
    office.place(office.other, 2025, 1).await;
    let store = &office.agency.harness.store;
    let (own, other) = (handler("一", &[office.own]), handler("二", &[office.other]));
    let mine = list_notices(store, &own, &ALL).await.expect("listed").remove(0).notice_id;
    let refused = read_notice(store, &other, mine).await.expect_err("not theirs");
    assert_eq!(refused.code(), "not_found");
    let audit = office.count("audit").await;
    assert!(read_notice(store, &own, mine).await.expect("read"));
    assert!(!read_notice(store, &own, mine).await.expect("read before"));
    assert_eq!(office.count("audit").await, audit + 1);
    let unread = Wanted { all: false, ..ALL };
    assert_eq!(list_notices(store, &own, &unread).await.expect("listed").len(), 0);
    assert_eq!(list_notices(store, &other, &unread).await.expect("listed").len(), 1);
    let reviewer = staff("审核员", Role::Reviewer, "3601");
    let theirs = list_notices(store, &reviewer, &unread).await.expect("listed").remove(0).notice_id;
    let auditor = staff("审计", Role::Auditor, "3601");
    assert_eq!(read_notice(store, &auditor, theirs).await.expect_err("changes nothing").code(), "forbidden");
    assert!(read_notice(store, &reviewer, theirs).await.expect("read"));
}
