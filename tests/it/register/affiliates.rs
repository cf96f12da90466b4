//! Affiliates: listed before they are used, frozen once they are.

use renzheng::declare::Declaring;
use renzheng::declare::register::Outcome;
use renzheng::declare::register::RegisterError;
use renzheng::declare::register::placement::PlacementForm;
use renzheng::domain::entry::Refusal;

use super::*;

async fn paid_by_holding(office: &Office) -> PersonId {
    office.list_affiliate(office.own, 2025, HOLDING, Relation::Affiliate).await;
    let form = PlacementForm { wage_payer: Some(uscc(HOLDING)), ..typed(office.own, 2025, 1) };
    office.register().enter(&form).await.expect("entered").person
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_affiliate_keeps_its_relation_and_its_place_and_changes_its_name_and_address() {
    let office = Office::open("affiliate_used").await;
    let person = paid_by_holding(&office).await;
    let register = office.register();
    let other_relation = affiliate(office.own, 2025, HOLDING, Relation::Dispatch);
    assert_eq!(codes(register.save_affiliate(&other_relation, Step::Change).await), ["relation affiliate_in_use"]);
    let deleted = register.delete_affiliate(office.own, 2025, uscc(HOLDING), "not ours").await;
    match deleted {
        Err(RegisterError::Refused(refusals)) => assert_eq!(refusals, [Refusal::AffiliateUsed(vec![person])]),
        other => panic!("{other:?}"),
    }
    let moved = AffiliateForm {
        name: "丙控股".to_owned(),
        address: AffiliateAddress {
            address: Some("南昌市例路1号".to_owned()),
            phone: Some("0791-88880000".to_owned()),
        },
        ..affiliate(office.own, 2025, HOLDING, Relation::Affiliate)
    };
    assert_eq!(register.save_affiliate(&moved, Step::Change).await.expect("changed").outcome, Outcome::Changed);
    assert_eq!(register.save_affiliate(&moved, Step::Change).await.expect("the same").outcome, Outcome::Same);
    let listed = register.affiliates(office.own, 2025).await.expect("listed");
    assert_eq!((listed.len(), listed[0].used_by, listed[0].unit_name.as_str()), (1, 1, "丙控股"));
    assert_eq!(listed[0].address, moved.address);
    register.delete_placement(office.own, 2025, person, "left").await.expect("deleted");
    register.delete_affiliate(office.own, 2025, uscc(HOLDING), "no longer used").await.expect("deleted");
    assert_eq!(register.affiliates(office.own, 2025).await.expect("listed"), []);
    assert_eq!(office.count("affiliate_address").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_affiliate_is_another_unit_listed_once_with_a_name_and_a_phone() {
    let office = Office::open("affiliate_refused").await;
    let register = office.register();
    let wrong = AffiliateForm {
        name: String::new(),
        address: AffiliateAddress { address: None, phone: Some("none".to_owned()) },
        ..affiliate(office.own, 2025, OWN, Relation::Affiliate)
    };
    assert_eq!(
        codes(register.save_affiliate(&wrong, Step::Change).await),
        ["unit_name missing", "unit_uscc own_employer", "phone malformed", "unit_uscc affiliate_not_listed"]
    );
    office.list_affiliate(office.own, 2025, HOLDING, Relation::Affiliate).await;
    let again = affiliate(office.own, 2025, HOLDING, Relation::Affiliate);
    assert_eq!(codes(register.save_affiliate(&again, Step::Add).await), ["unit_uscc affiliate_listed"]);
    let deleted = register.delete_affiliate(office.own, 2026, uscc(HOLDING), "another year").await;
    assert_eq!(codes(deleted), ["unit_uscc affiliate_not_listed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn proof_is_asked_of_the_affiliates_that_are_used() {
    let office = Office::open("affiliate_proof").await;
    paid_by_holding(&office).await;
    office.list_affiliate(office.own, 2025, DISPATCHER, Relation::Dispatch).await;
    let holding = office.unit(HOLDING).await;
    let store = &office.agency.harness.store;
    let unproven = async |year| {
        let declaring = Declaring { employer: office.own, year };
        renzheng::declare::affiliates_without_proof(store, declaring).await.expect("asked")
    };
    assert_eq!(unproven(2025).await, [holding], "nobody uses the dispatch company");
    assert_eq!(unproven(2026).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_affiliates_leaves_their_addresses() {
    let office = Office::open("affiliate_import").await;
    let address = AffiliateAddress { address: Some("南昌市例路1号".to_owned()), phone: None };
    let form = AffiliateForm { address: address.clone(), ..affiliate(office.own, 2025, HOLDING, Relation::Affiliate) };
    office.register().save_affiliate(&form, Step::Add).await.expect("listed");
    let row = format!("{OWN},2025,{HOLDING},丙控股,affiliate");
    let header = "employer_uscc,year,unit_uscc,unit_name,relation";
    assert_eq!(office.import(ImportKind::Affiliates, header, &[row]).await.changed, 1);
    let listed = office.register().affiliates(office.own, 2025).await.expect("listed");
    assert_eq!((listed[0].unit_name.as_str(), &listed[0].address), ("丙控股", &address));
}
