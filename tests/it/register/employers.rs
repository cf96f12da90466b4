//! An employer's own data: the handler's contact, three jurisdictions, and that they hold in a new year.

use renzheng::declare::register::Outcome;
use renzheng::declare::register::employer::Jurisdictions;
use renzheng::domain::entry::Contact;

use super::*;

fn contact() -> Contact {
    Contact {
        handler: "李经办".to_owned(),
        phone: "13800000000".to_owned(),
        address: "南昌市例路1号".to_owned(),
        email: Some("li@example.org".to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_stays_from_year_to_year_and_is_confirmed_anew_in_each() {
    let office = Office::open("employer_contact").await;
    let (register, store) = (office.register(), &office.agency.harness.store);
    assert_eq!(codes(register.confirm_employer(office.own, 2025).await), ["handler contact_missing"]);
    assert_eq!(register.save_contact(office.own, &contact()).await.expect("saved"), Outcome::New);
    assert_eq!(register.save_contact(office.own, &contact()).await.expect("saved"), Outcome::Same);
    assert_eq!(store.find_contact(office.own).await.expect("asked"), Some(contact()));
    assert_eq!(store.find_contact(office.other).await.expect("asked"), None);
    assert_eq!(register.confirm_employer(office.own, 2025).await.expect("confirmed"), Outcome::New);
    assert_eq!(register.confirm_employer(office.own, 2025).await.expect("confirmed"), Outcome::Same);
    let last = register.employer(office.own, 2025).await.expect("shown");
    let next = register.employer(office.own, 2026).await.expect("shown");
    assert!(last.confirmed.is_some() && next.confirmed.is_none());
    assert_eq!((last.contact, next.contact), (Some(contact()), Some(contact())), "carried over, not wiped");
    let moved = Contact { phone: "0791-88880000".to_owned(), ..contact() };
    assert_eq!(register.save_contact(office.own, &moved).await.expect("saved"), Outcome::Changed);
    let actions = "select concat_ws(' ', object, before is not null, after is not null) from audit
                   where actor = 'operator test' order by audit_id";
    let own = [format!("contact {OWN} f t"), format!("employer {OWN} 2025 f t"), format!("contact {OWN} t t")];
    assert_eq!(office.texts(actions).await, own);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_rests_encrypted_and_is_refused_where_nobody_could_be_reached() {
    let office = Office::open("employer_encrypted").await;
    office.register().save_contact(office.own, &contact()).await.expect("saved");
    let bytes = office.texts("select encode(content, 'escape') from employer_contact").await;
    assert!(!bytes[0].contains("13800000000") && !bytes[0].contains("example.org"));
    let wrong = Contact {
        handler: String::new(),
        phone: "none".to_owned(),
        address: "x".repeat(201),
        email: Some("li".to_owned()),
    };
    assert_eq!(
        codes(office.register().save_contact(office.own, &wrong).await),
        ["handler missing", "address malformed", "phone malformed", "email malformed"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_employer_moves_only_where_its_wage_class_is_known() {
    let office = Office::open("employer_moves").await;
    let register = office.register();
    let to = |division: &str, tax_division: &str| Jurisdictions {
        division: division.to_owned(),
        federation_division: "360104".to_owned(),
        tax_division: tax_division.to_owned(),
    };
    assert_eq!(
        codes(register.change_jurisdictions(office.own, &to("110101", "360104")).await),
        ["division no_wage_class"]
    );
    let malformed = register.change_jurisdictions(office.own, &to("360104", "3601")).await;
    assert_eq!(codes(malformed), ["tax_division malformed"]);
    let moved = register.change_jurisdictions(office.own, &to("360104", "360104")).await;
    assert_eq!(moved.expect("moved"), Outcome::Changed);
    let same = register.change_jurisdictions(office.own, &to("360104", "360104")).await;
    assert_eq!(same.expect("the same"), Outcome::Same);
    let shown = register.employer(office.own, 2025).await.expect("shown");
    assert_eq!(shown.jurisdictions, to("360104", "360104"));
}
