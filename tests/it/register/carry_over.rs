//! 导入上一年名单: what holds goes into the new year, once, and what does not is told person by person.

use renzheng::declare::register::carry_over::{CarriedOver, Carrying};
use renzheng::declare::register::placement::{PlacementForm, Whom};
use renzheng::domain::entry::{CountedBy, Education, EducationLevel};

use super::*;

/// Outcome and codes of every person, by the number of the test.
async fn told(office: &Office, report: &CarriedOver) -> Vec<String> {
    let mut lines = Vec::new();
    for number in 1..=20 {
        let id = ResidentId::parse(&id_number(number)).expect("an ID");
        let known = office.agency.harness.store.find_person(&id).await.expect("asked");
        let found = known.and_then(|known| report.persons.iter().find(|person| person.person == known));
        if let Some(found) = found {
            let refusals = found.refusals.iter().map(renzheng::domain::entry::Refusal::code);
            let codes: Vec<&str> = refusals.chain(found.warnings.iter().map(|warning| warning.code())).collect();
            lines.push(format!("{number} {:?} {} [{}]", found.outcome, found.contracts, codes.join(" ")));
        }
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn last_years_list_goes_into_the_new_year_with_all_that_holds() {
    let office = Office::open("carry_over_all").await;
    let register = office.register();
    office.list_affiliate(office.own, 2025, DISPATCHER, Relation::Dispatch).await;
    let address = AffiliateAddress { address: Some("南昌市例路1号".to_owned()), phone: None };
    let holding =
        AffiliateForm { address: address.clone(), ..affiliate(office.own, 2025, HOLDING, Relation::Affiliate) };
    register.save_affiliate(&holding, Step::Add).await.expect("listed");
    let dispatched = PlacementForm {
        dispatched: true,
        dispatch: Some(uscc(DISPATCHER)),
        wage_payer: Some(uscc(DISPATCHER)),
        education: Some(Education {
            level: EducationLevel::Master,
            school: "南昌例大学".to_owned(),
            graduated_on: day("2020-07-01"),
        }),
        ..typed(office.own, 2025, 1)
    };
    let one = register.enter(&dispatched).await.expect("entered").person;
    let terms = Terms { post: Some("质检员".to_owned()), monthly_pay: None };
    let running = ContractForm {
        terms: terms.clone(),
        counted_by: Some(CountedBy::Employer),
        ..labour(office.own, 2025, one, "2024-01-01", "2026-12-31")
    };
    register.save_contract(&running, Step::Add).await.expect("added");
    let over = labour(office.own, 2025, one, "2022-01-01", "2023-12-31");
    register.save_contract(&over, Step::Add).await.expect("added");
    let two = office.place(office.own, 2025, 2).await.person;
    register.save_contract(&labour(office.own, 2025, two, "2024-01-01", ""), Step::Add).await.expect("added");
    register
        .terminate_contract(&labour(office.own, 2025, two, "2024-01-01", "").key, day("2025-12-31"))
        .await
        .expect("ended");
    // in no register, and no contract was entered
    office.place(office.own, 2025, 9).await;
    office.place(office.own, 2026, 3).await;
    office.place(office.own, 2025, 3).await;

    let audit = office.count("audit").await;
    let report = register.carry_over(office.own, 2026).await.expect("carried over");
    assert_eq!(report.affiliates, 2);
    assert_eq!(
        told(&office, &report).await,
        [
            "1 Carried 1 []",
            "2 Carried 0 [no_contract_runs_on]",
            "3 AlreadyThere 0 []",
            "9 Carried 0 [no_contract_runs_on no_certificate_today]"
        ]
    );
    assert_eq!(office.count("audit").await, audit + 1, "one step, one row");
    let views = register.placements(office.own, 2026, Some(one)).await.expect("shown");
    let [view] = views.as_slice() else { panic!("{views:?}") };
    assert_eq!((view.dispatch_uscc, view.wage_payer_uscc), (Some(uscc(DISPATCHER)), uscc(DISPATCHER)));
    assert_eq!((view.counted_by, view.contracts.len()), (Some(CountedBy::Employer), 1));
    assert_eq!(view.contracts[0].terms, terms);
    assert!(view.education.is_none(), "who graduated in 2020 is no graduate of 2026");
    let listed = register.affiliates(office.own, 2026).await.expect("listed");
    assert!(listed.iter().any(|one| one.address == address), "addresses go along");

    let (audit, head) = (office.count("audit").await, office.head().await);
    let again = register.carry_over(office.own, 2026).await.expect("once more");
    assert_eq!((again.affiliates, again.count(Carrying::AlreadyThere)), (0, 4));
    assert_eq!((office.count("audit").await, office.head().await), (audit, head), "the same again leaves no trace");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_over_age_is_carried_with_a_warning_and_whose_payer_is_no_longer_what_it_was_is_not() {
    let office = Office::open("carry_over_odd").await;
    let register = office.register();
    office.list_affiliate(office.own, 2025, HOLDING, Relation::Dispatch).await;
    office.list_affiliate(office.own, 2026, HOLDING, Relation::Affiliate).await;
    let dispatched = PlacementForm {
        dispatched: true,
        dispatch: Some(uscc(HOLDING)),
        pension_payer: Some(uscc(HOLDING)),
        ..typed(office.own, 2025, 1)
    };
    register.enter(&dispatched).await.expect("entered");
    let born_1950 =
        "0123456789X".chars().find_map(|check| ResidentId::parse(&format!("36000219500101001{check}")).ok());
    let whom = Whom::Named { id: born_1950.expect("an ID"), name: NAME };
    let old = PlacementForm { whom, ..typed(office.own, 2025, 1) };
    let old = register.enter(&old).await.expect("entered").person;
    let report = register.carry_over(office.own, 2026).await.expect("carried over");
    assert_eq!(told(&office, &report).await, ["1 NotCarried 0 [dispatch_company_not_listed]"]);
    let found = report.persons.iter().find(|person| person.person == old).expect("the old one");
    let codes: Vec<&str> = found.warnings.iter().map(|warning| warning.code()).collect();
    assert_eq!(
        (found.outcome, codes),
        (Carrying::Carried, vec!["no_contract_runs_on", "over_age", "no_certificate_today"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_carried_into_a_year_that_is_completed_or_may_not_be_entered() {
    let office = Office::open("carry_over_refused").await;
    office.place(office.own, 2025, 1).await;
    assert_eq!(codes(office.register().carry_over(office.own, 2027).await), ["year year_out_of_range"]);
    office.complete(office.own, 2026).await;
    assert_eq!(codes(office.register().carry_over(office.own, 2026).await), ["year declaration_completed"]);
}
