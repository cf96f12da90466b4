//! Placements: registered, registered again, refused with every reason at its field, deleted while the year is open.

use renzheng::declare::Declaring;
use renzheng::declare::register::Outcome;
use renzheng::declare::register::placement::{PlacementForm, Whom};
use renzheng::declare::tick::{Choosing, choose};
use renzheng::domain::access::Role;
use renzheng::domain::entry::{Education, EducationLevel, Warning};
use renzheng::domain::facts::RetirementTrack;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whom_nobody_knows_is_made_and_waits_for_the_register() {
    let office = Office::open("placement_unknown").await;
    let entered = office.place(office.own, 2025, 9).await;
    assert_eq!((entered.outcome, entered.person), (Outcome::New, office.person(9).await));
    let verified = office.agency.harness.verify(2025).await;
    assert_eq!(verified.placements, 1, "{verified:?}");
    let results = office.agency.harness.results(2025).await;
    assert!(results.iter().all(|line| line.codes[0] == "pending" && !line.passed), "wages are not known yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn to_register_again_changes_the_placement_and_says_so() {
    let office = Office::open("placement_again").await;
    office.list_affiliate(office.own, 2025, HOLDING, Relation::Affiliate).await;
    office.place(office.own, 2025, 1).await;
    let (audit, head) = (office.count("audit").await, office.head().await);
    assert_eq!(office.place(office.own, 2025, 1).await.outcome, Outcome::Same);
    assert_eq!((office.count("audit").await, office.head().await), (audit, head), "nothing is written");
    let paid = PlacementForm { wage_payer: Some(uscc(HOLDING)), ..typed(office.own, 2025, 1) };
    let entered = office.register().enter(&paid).await.expect("entered");
    assert_eq!(entered.outcome, Outcome::Changed);
    assert_eq!((office.count("audit").await, office.head().await), (audit + 1, head + 1));
    let placed = office.register().placements(office.own, 2025, None).await.expect("listed");
    assert_eq!(placed.len(), 1, "one placement a person and year");
    assert_eq!(placed[0].wage_payer_uscc, uscc(HOLDING));
    let hashes = "select concat_ws(' ', action, before is not null, after is not null, before <> after) from audit
                  where object like 'placement%' order by audit_id";
    assert_eq!(office.texts(hashes).await, ["enter f t", "enter t t t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_refused_with_every_reason_at_its_field_in_both_languages() {
    let office = Office::open("placement_refused").await;
    let wrong = PlacementForm {
        dispatched: false,
        dispatch: Some(uscc(DISPATCHER)),
        wage_payer: Some(uscc(HOLDING)),
        pension_payer: Some(uscc(HOLDING)),
        medical_payer: Some(uscc(DISPATCHER)),
        track: Some(RetirementTrack::Women50),
        education: Some(Education {
            level: EducationLevel::Bachelor,
            school: "南昌例大学".to_owned(),
            graduated_on: day("2010-07-01"),
        }),
        ..typed(office.own, 2025, 1)
    };
    let head = office.head().await;
    let refused = office.register().enter(&wrong).await.expect_err("refused");
    insta::assert_snapshot!(refused.to_string(), @"
    dispatch_uscc: dispatch_company_not_expected; accepted: a dispatch company is named although the person is not dispatched; leave it out, or enter a dispatch
    wage_payer_uscc: payer_not_listed; accepted: the wage payer is neither the employer nor a unit listed by it for the year; list the affiliate first
    pension_payer_uscc: payer_not_listed; accepted: the pension payer is neither the employer nor a unit listed by it for the year; list the affiliate first
    medical_payer_uscc: payer_not_listed; accepted: the medical payer is neither the employer nor a unit listed by it for the year; list the affiliate first
    wage_payer_uscc: no_payer_is_employer; accepted: all three payers are other units; at least one of wage, pension and medical must be paid by the employer
    graduated_on: graduated_long_ago; accepted: a day not more than five years before 2025, the year of the placement: else leave the education out
    ");
    insta::assert_snapshot!(refused.chinese(), @"
    该人员不是劳务派遣，不应填写派遣单位。工资缴纳（发放）单位既不是本单位，也不是本年度已登记的关联单位；请先登记关联单位。社保缴纳（发放）单位既不是本单位，也不是本年度已登记的关联单位；请先登记关联单位。医保缴纳（发放）单位既不是本单位，也不是本年度已登记的关联单位；请先登记关联单位。工资、社保、医保不能全部由其他单位发放或缴纳，至少一项须为本单位。毕业日期距2025年初已超过五年，不属于应届及近五年毕业生，请勿填写学历信息。
    ");
    let nameless = PlacementForm { whom: named(1, " "), ..typed(office.own, 2025, 1) };
    assert_eq!(codes(office.register().enter(&nameless).await), ["name missing"]);
    let long = "某".repeat(201);
    let long = PlacementForm { whom: named(1, &long), ..typed(office.own, 2025, 1) };
    assert_eq!(codes(office.register().enter(&long).await), ["name malformed"]);
    let stranger = office.person(1).await;
    let not_placed = PlacementForm { whom: Whom::Placed(stranger), ..typed(office.own, 2025, 1) };
    assert_eq!(codes(office.register().enter(&not_placed).await), ["id_number no_placement"]);
    assert_eq!(office.head().await, head, "nothing was published");
    assert_eq!(office.count("placement").await, 0);
}

fn named(person: u32, name: &str) -> Whom<'_> {
    Whom::Named { id: ResidentId::parse(&id_number(person)).expect("an ID"), name }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_last_year_and_the_running_one_are_entered_and_only_while_they_are_open() {
    let office = Office::open("placement_years").await;
    for year in [2024, 2027] {
        let refused = office.register().enter(&typed(office.own, year, 1)).await;
        assert_eq!(codes(refused), ["year year_out_of_range"], "{year}");
    }
    office.clock("2013-04-15", "02:00").await;
    let refused = office.register().enter(&typed(office.own, 2012, 1)).await;
    assert_eq!(codes(refused), ["year no_rule_for_year"], "before the policy begins");
    office.clock("2026-04-15", "02:00").await;
    let person = office.place(office.own, 2025, 1).await.person;
    office.complete(office.own, 2025).await;
    assert_eq!(codes(office.register().enter(&typed(office.own, 2025, 2)).await), ["year declaration_completed"]);
    let deleted = office.register().delete_placement(office.own, 2025, person, "gone").await;
    assert_eq!(codes(deleted), ["year declaration_completed"]);
    let contract = labour(office.own, 2025, person, "2024-01-01", "");
    assert_eq!(codes(office.register().save_contract(&contract, Step::Add).await), ["year declaration_completed"]);
    let listed = affiliate(office.own, 2025, HOLDING, Relation::Affiliate);
    assert_eq!(codes(office.register().save_affiliate(&listed, Step::Add).await), ["year declaration_completed"]);
    assert_eq!(office.place(office.own, 2026, 1).await.outcome, Outcome::New, "the next year is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_name_on_a_known_number_is_taken_with_a_warning() {
    let office = Office::open("placement_name").await;
    let renamed = PlacementForm { whom: named(1, "他人"), ..typed(office.own, 2025, 1) };
    let entered = office.register().enter(&renamed).await.expect("entered");
    assert_eq!(entered.warnings, [Warning::AnotherName]);
    let spaced = PlacementForm { whom: named(1, " 某 人 "), ..typed(office.own, 2025, 1) };
    assert_eq!(office.register().enter(&spaced).await.expect("entered").warnings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_placement_takes_its_contracts_ticks_and_education_along_and_leaves_its_history() {
    let office = Office::open("placement_deleted").await;
    let graduate =
        Education {
            level: EducationLevel::College, school: "南昌例学院".to_owned(), graduated_on: day("2024-07-01")
        };
    let form = PlacementForm { education: Some(graduate), ..typed(office.own, 2025, 1) };
    let person = office.register().enter(&form).await.expect("entered").person;
    let contract = labour(office.own, 2025, person, "2024-01-01", "");
    office.register().save_contract(&contract, Step::Add).await.expect("added");
    let month = renzheng::domain::month::Month::new(2025, 3).expect("a month");
    let store = &office.agency.harness.store;
    let declaring = Declaring { employer: office.own, year: 2025 };
    let choosing = Choosing { declaring, person, months: vec![month], ticked: false, deregisters: false };
    choose(store, &office.agency.harness.policy.policy, &actor(), &choosing).await.expect("unticked");
    office.register().delete_placement(office.own, 2025, person, "left in 2024").await.expect("deleted");
    let in_force = "select 'placement' from placement where to_seq is null union all select 'contract' from contract where
                    to_seq is null union all select 'detail' from placement_detail where to_seq is null union all select 'choice' from choice where to_seq is null";
    assert_eq!(office.texts(in_force).await, Vec::<String>::new());
    assert_eq!((office.count("placement").await, office.count("contract").await), (1, 1), "closed, not removed");
    let audit = "select concat_ws(' ', action, why, before is not null, after is not null) from audit order by audit_id desc limit 1";
    assert_eq!(office.texts(audit).await, ["delete_placement left in 2024 t f"]);
    let again = office.register().delete_placement(office.own, 2025, person, "twice").await;
    assert_eq!(codes(again), ["id_number no_placement"]);
    assert_eq!(office.place(office.own, 2025, 1).await.outcome, Outcome::New);
    let views = office.register().placements(office.own, 2025, Some(person)).await.expect("shown");
    assert!(views[0].contracts.is_empty() && views[0].education.is_none(), "it begins anew: {views:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn education_is_kept_of_graduates_encrypted_and_not_shown_of_others() {
    let office = Office::open("placement_education").await;
    let school = "南昌例大学";
    let education =
        Education { level: EducationLevel::Bachelor, school: school.to_owned(), graduated_on: day("2023-07-01") };
    let form = PlacementForm { education: Some(education.clone()), ..typed(office.own, 2025, 1) };
    office.register().enter(&form).await.expect("entered");
    office.place(office.own, 2025, 2).await;
    let views = office.register().placements(office.own, 2025, None).await.expect("listed");
    let told: Vec<bool> = views.iter().map(|view| view.education.is_some()).collect();
    assert_eq!(told.iter().filter(|told| **told).count(), 1);
    let without = views.iter().find(|view| view.education.is_none()).expect("the other");
    assert!(!serde_json::to_string(without).expect("written").contains("education"));
    let bytes = office.texts("select encode(content, 'escape') from placement_detail").await;
    assert!(
        !bytes.iter().any(|bytes| bytes.contains("2023-07-01") || bytes.contains("bachelor")),
        "it rests encrypted"
    );
    assert_eq!(office.register().enter(&form).await.expect("entered").outcome, Outcome::Same);
    assert_eq!(office.place(office.own, 2025, 1).await.outcome, Outcome::Changed, "no graduate after all");
    let views = office.register().placements(office.own, 2025, None).await.expect("listed");
    assert!(views.iter().all(|view| view.education.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_enter_does_not_and_who_is_out_of_reach_sees_nothing() {
    let office = Office::open("placement_access").await;
    office.place(office.own, 2025, 1).await;
    let head = office.head().await;
    let foreign = handler("李经办", &[office.other]);
    assert_eq!(codes(office.register_by(&foreign).enter(&typed(office.own, 2025, 2)).await), ["not_found"]);
    assert_eq!(codes(office.register_by(&foreign).placements(office.own, 2025, None).await), ["not_found"]);
    let reviewer = staff("审核员", Role::Reviewer, "3601");
    assert_eq!(codes(office.register_by(&reviewer).enter(&typed(office.own, 2025, 2)).await), ["forbidden"]);
    assert_eq!(office.register_by(&reviewer).placements(office.own, 2025, None).await.expect("read").len(), 1);
    assert_eq!(office.head().await, head);
}
