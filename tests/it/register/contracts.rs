//! Contracts of a placement: their days, terms and agreements, and what is odd about them.

use renzheng::declare::register::Outcome;
use renzheng::declare::register::placement::PlacementForm;
use renzheng::domain::entry::{CountedBy, Warning};
use renzheng::domain::money::Fen;
use renzheng::store::entries::ContractEntry;

use super::*;
use crate::gate::wait_for_a_waiter;

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_is_added_changed_terminated_and_deleted_and_every_step_is_one_row_of_the_audit() {
    let office = Office::open("contract_steps").await;
    let person = office.place(office.own, 2025, 1).await.person;
    let register = office.register();
    let audit = office.count("audit").await;
    let terms = Terms { post: Some("质检员".to_owned()), monthly_pay: Some(Fen(350_000)) };
    let form = ContractForm { terms: terms.clone(), ..labour(office.own, 2025, person, "2024-01-01", "2026-12-31") };
    assert_eq!(register.save_contract(&form, Step::Add).await.expect("added").outcome, Outcome::New);
    assert_eq!(register.save_contract(&form, Step::Change).await.expect("the same").outcome, Outcome::Same);
    let longer = ContractForm { ends_on: Some(day("2027-12-31")), ..form.clone() };
    assert_eq!(register.save_contract(&longer, Step::Change).await.expect("changed").outcome, Outcome::Changed);
    let ended = register.terminate_contract(&form.key, day("2025-06-30")).await.expect("terminated");
    assert_eq!(ended.outcome, Outcome::Changed);
    let views = register.placements(office.own, 2025, Some(person)).await.expect("shown");
    let contract = &views[0].contracts[0];
    assert_eq!((contract.ends_on, contract.terminated_on), (Some(day("2027-12-31")), Some(day("2025-06-30"))));
    assert_eq!(contract.terms, terms, "terms outlive a change of days");
    register.delete_contract(&form.key, "entered twice").await.expect("deleted");
    assert_eq!(codes(register.delete_contract(&form.key, "again").await), ["starts_on contract_not_entered"]);
    assert_eq!(office.count("audit").await, audit + 4);
    let views = register.placements(office.own, 2025, Some(person)).await.expect("shown");
    assert_eq!(views[0].contracts, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn post_and_pay_rest_encrypted() {
    let office = Office::open("contract_terms").await;
    let person = office.place(office.own, 2025, 1).await.person;
    let terms = Terms { post: Some("operator".to_owned()), monthly_pay: Some(Fen(350_000)) };
    let form = ContractForm { terms, ..labour(office.own, 2025, person, "2024-01-01", "") };
    office.register().save_contract(&form, Step::Add).await.expect("added");
    let bytes = office.texts("select encode(content, 'escape') from placement_detail").await;
    assert!(bytes.len() == 1 && !bytes[0].contains("operator") && !bytes[0].contains("3500"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_is_refused_with_every_reason_at_its_field() {
    let office = Office::open("contract_refused").await;
    let person = office.place(office.own, 2025, 1).await.person;
    let register = office.register();
    let wrong = ContractForm {
        terminated_on: Some(day("2023-06-30")),
        terms: Terms { post: Some(" ".to_owned()), monthly_pay: Some(Fen(-1)) },
        counted_by: Some(CountedBy::Employer),
        ..labour(office.own, 2025, person, "2024-01-01", "2023-12-31")
    };
    assert_eq!(
        codes(register.save_contract(&wrong, Step::Change).await),
        [
            "ends_on ends_before_start",
            "terminated_on terminated_before_start",
            "post missing",
            "monthly_pay negative_pay",
            "counted_by agreement_not_expected",
            "starts_on contract_not_entered"
        ]
    );
    let form = labour(office.own, 2025, person, "2024-01-01", "");
    register.save_contract(&form, Step::Add).await.expect("added");
    assert_eq!(codes(register.save_contract(&form, Step::Add).await), ["starts_on contract_entered"]);
    let stranger = labour(office.own, 2025, office.person(2).await, "2024-01-01", "");
    assert_eq!(codes(register.save_contract(&stranger, Step::Add).await), ["id_number no_placement"]);
    let post = ContractForm {
        key: ContractKey { kind: ContractKind::Establishment, ..form.key },
        terms: Terms { post: None, monthly_pay: Some(Fen(1)) },
        ..form
    };
    assert_eq!(codes(register.save_contract(&post, Step::Add).await), ["monthly_pay pay_not_expected"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatched_person_has_an_agreement_that_names_the_side_that_counts() {
    let office = Office::open("contract_agreement").await;
    office.list_affiliate(office.own, 2025, DISPATCHER, Relation::Dispatch).await;
    let dispatched = PlacementForm {
        dispatched: true,
        dispatch: Some(uscc(DISPATCHER)),
        wage_payer: Some(uscc(DISPATCHER)),
        ..typed(office.own, 2025, 1)
    };
    let person = office.register().enter(&dispatched).await.expect("entered").person;
    let store = &office.agency.harness.store;
    let register = office.register();
    let short = labour(office.own, 2025, person, "2024-01-01", "2025-06-30");
    let entered = register.save_contract(&short, Step::Add).await.expect("added");
    assert_eq!(entered.warnings, [Warning::DispatchContractUnderTwoYears, Warning::AgreementMissing]);
    assert_eq!(store.dispatch_agreement(person, office.own, 2025).await.expect("asked"), None);
    let agreed = ContractForm { counted_by: Some(CountedBy::DispatchCompany), ..short.clone() };
    assert_eq!(register.save_contract(&agreed, Step::Change).await.expect("changed").outcome, Outcome::Changed);
    let named = store.dispatch_agreement(person, office.own, 2025).await.expect("asked");
    assert_eq!(named, Some(CountedBy::DispatchCompany));
    let other_side = ContractForm { counted_by: Some(CountedBy::Employer), ..short };
    register.save_contract(&other_side, Step::Change).await.expect("changed");
    let named = store.dispatch_agreement(person, office.own, 2025).await.expect("asked");
    assert_eq!(named, Some(CountedBy::Employer));
    register.enter(&typed(office.own, 2025, 1)).await.expect("no longer dispatched");
    assert_eq!(store.dispatch_agreement(person, office.own, 2025).await.expect("asked"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_contracts_is_warned_of_short_dispatch_too() {
    let office = Office::open("contract_import").await;
    office.list_affiliate(office.own, 2025, DISPATCHER, Relation::Dispatch).await;
    let dispatched = PlacementForm {
        dispatched: true,
        dispatch: Some(uscc(DISPATCHER)),
        medical_payer: Some(uscc(DISPATCHER)),
        ..typed(office.own, 2025, 1)
    };
    office.register().enter(&dispatched).await.expect("entered");
    let row = format!("{OWN},2025,{},labour,2024-01-01,2025-06-30,", id_number(1));
    let header = "employer_uscc,year,id_number,kind,starts_on,ends_on,terminated_on";
    let report = office.import(ImportKind::Contracts, header, &[row]).await;
    let warned: Vec<&str> = report.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!((report.new, warned), (1, vec!["dispatch_contract_under_two_years"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_termination_keeps_what_another_changed_while_it_waited() {
    let office = Office::open("contract_terminated").await;
    let person = office.place(office.own, 2025, 1).await.person;
    let register = office.register();
    let form = labour(office.own, 2025, person, "2024-01-01", "2026-12-31");
    register.save_contract(&form, Step::Add).await.expect("added");
    let (store, harness) = (&office.agency.harness.store, &office.agency.harness);
    let at = store.now().await.expect("now");
    let mut publish = store.publish(Cause::Entry, at).await.expect("the lock");
    let another = async {
        wait_for_a_waiter(harness).await;
        let ContractKey { employer, year, person, kind, starts_on } = form.key;
        let ends_on = Some(day("2028-12-31"));
        let longer = ContractEntry { person, employer, year, kind, starts_on, ends_on, terminated_on: None };
        publish.save_contracts(&[longer]).await.expect("saved");
        publish.commit().await.expect("committed");
    };
    let (ended, ()) = tokio::join!(register.terminate_contract(&form.key, day("2025-06-30")), another);
    assert_eq!(ended.expect("terminated").outcome, Outcome::Changed);
    let views = register.placements(office.own, 2025, Some(person)).await.expect("shown");
    let contract = &views[0].contracts[0];
    assert_eq!((contract.ends_on, contract.terminated_on), (Some(day("2028-12-31")), Some(day("2025-06-30"))));
}
