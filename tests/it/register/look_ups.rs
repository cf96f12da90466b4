//! Look-ups: a match fills the form, and a miss tells nothing, costs the same, and may not be repeated for ever.

use renzheng::clock;
use renzheng::declare::register::look_up::{Answer, LookUp};
use renzheng::declare::register::placement::{PlacementForm, Whom};
use renzheng::declare::register::{Outcome, Register, RegisterError};
use renzheng::domain::access::{Actor, Role};
use renzheng::domain::ids::ResidentId;
use renzheng::notify;
use renzheng::store::alerts::AlertKind;

use super::*;
use crate::listening::{listen, statements};

/// Who is in no register, who is placed and holds no certificate.
const NOBODY: u32 = 8;
const NOT_DISABLED: u32 = 7;

struct Asked {
    name: String,
    id: ResidentId,
    certificate: String,
}

fn asked(person: u32) -> Asked {
    let id = id_number(person);
    Asked { name: NAME.to_owned(), certificate: format!("{id}43"), id: ResidentId::parse(&id).expect("an ID") }
}

async fn look_up(register: Register<'_>, employer: UnitId, asked: &Asked) -> Result<Answer, RegisterError> {
    let Asked { name, id, certificate } = asked;
    let look_up = LookUp { employer, name, id: *id, certificate_number: certificate, reveal_level: false };
    register.look_up(&look_up).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_fills_the_form_and_keeps_kind_and_level_to_itself() {
    let office = Office::open("look_up_match").await;
    let handler = handler("李经办", &[office.own]);
    let register = office.register_by(&handler);
    let spaced = Asked { name: " 某　人".to_owned(), ..asked(1) };
    let answer = look_up(register, office.own, &spaced).await.expect("an answer");
    let json = serde_json::to_value(&answer).expect("written");
    let keys: Vec<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["born_on", "certificate", "expires_at", "match", "receipt", "sex"]);
    assert_eq!(
        json["certificate"],
        serde_json::json!({ "kind": "disabled_person", "status": "valid", "valid_from": "2020-01-01", "valid_to": null, "in_force_today": true })
    );
    let Asked { name, id, certificate } = asked(1);
    let with_file =
        LookUp { employer: office.own, name: &name, id, certificate_number: &certificate, reveal_level: true };
    let answer = register.look_up(&with_file).await.expect("an answer");
    assert_eq!(answer.found.expect("a match").certificate.level, Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reissued_card_is_the_same_certificate() {
    let office = Office::open("look_up_reissue").await;
    let reissued = Asked { certificate: format!("{}43B2", id_number(1)), ..asked(1) };
    assert!(look_up(office.register(), office.own, &reissued).await.expect("an answer").matches);
}

#[tokio::test(flavor = "current_thread")]
async fn every_kind_of_miss_is_the_same_answer_after_the_same_statements() {
    listen();
    let office = Office::open("look_up_miss").await;
    office.place(office.own, 2025, NOT_DISABLED).await;
    let misses = [
        ("does not exist", asked(NOBODY)),
        ("not disabled", asked(NOT_DISABLED)),
        ("wrong name", Asked { name: "他人".to_owned(), ..asked(1) }),
        ("wrong certificate", Asked { certificate: format!("{}42", id_number(1)), ..asked(1) }),
        ("no certificate number", Asked { certificate: "残".to_owned(), ..asked(1) }),
    ];
    let mut seen = Vec::new();
    for (what, asked) in misses.iter().chain([&("a match", asked(2))]) {
        // as somebody else each time: nobody is refused yet
        let actor = handler(what, &[office.own]);
        let before = statements();
        let answer = look_up(office.register_by(&actor), office.own, asked).await.expect("an answer");
        let count = statements() - before;
        seen.push((*what, serde_json::to_string(&answer).expect("written"), count));
    }
    let (_, _, of_a_match) = seen.pop().expect("the match");
    assert!(of_a_match > 5, "statements are seen: {of_a_match}");
    for (what, answer, count) in seen {
        assert_eq!((answer.as_str(), count), (r#"{"match":false}"#, of_a_match), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_look_up_is_in_the_log_of_the_person_it_was_about_and_numbers_are_in_none() {
    let office = Office::open("look_up_audit").await;
    let before = office.count("audit").await;
    for asked in [asked(1), Asked { name: "他人".to_owned(), ..asked(1) }, asked(NOBODY)] {
        look_up(office.register(), office.own, &asked).await.expect("an answer");
    }
    assert_eq!(office.count("audit").await, before + 3);
    let person = office.person(1).await.0;
    let objects = office.texts("select object from audit where action = 'look_up' order by audit_id").await;
    assert_eq!(objects, [format!("person {person}"), format!("person {person}"), "nobody".to_owned()]);
    let everything = office.texts("select to_jsonb(audit)::text from audit").await.join("\n");
    for person in [1, NOBODY] {
        assert!(!everything.contains(&id_number(person)), "an ID number is in the audit");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_is_stopped_after_five_misses_in_an_hour_and_goes_on_when_the_first_is_an_hour_old() {
    let office = Office::open("look_up_actor").await;
    let (one, another) = (handler("一", &[office.own]), handler("二", &[office.own]));
    for minute in ["02:00", "02:10", "02:20", "02:30", "02:40"] {
        office.clock("2026-04-15", minute).await;
        assert!(!look_up(office.register_by(&one), office.own, &asked(NOBODY)).await.expect("an answer").matches);
    }
    let refused = look_up(office.register_by(&one), office.own, &asked(1)).await.expect_err("refused");
    assert_eq!(refused.code(), "too_many_misses");
    let RegisterError::TooManyMisses(why) = &refused else { panic!("{refused:?}") };
    assert_eq!(clock::rfc3339(why.until())[..16], *"2026-04-15T03:00");
    let minute = |text: String| text.replace(&clock::rfc3339(why.until()), "[at]");
    insta::assert_snapshot!(minute(refused.to_string()), @"5 look-ups of yours found nobody within an hour; staff are told, and you go on at [at]");
    insta::assert_snapshot!(refused.chinese(), @"您一小时内查询未匹配已达5次，已通知残联工作人员，请于2026-04-15 03:00后再查询。");
    assert!(look_up(office.register_by(&another), office.own, &asked(1)).await.expect("an answer").matches);
    office.clock("2026-04-15", "03:05").await;
    assert!(look_up(office.register_by(&one), office.own, &asked(1)).await.expect("an answer").matches);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_employer_is_stopped_after_twenty_misses_in_a_day_and_staff_are_told_once() {
    let office = Office::open("look_up_employer").await;
    for number in 0..20 {
        let actor = handler(&format!("handler {number}"), &[office.own]);
        look_up(office.register_by(&actor), office.own, &asked(NOBODY)).await.expect("an answer");
    }
    assert_eq!(alerts(&office).await, Vec::<String>::new(), "nothing was refused yet");
    for _ in 0..3 {
        let refused = look_up(office.register(), office.own, &asked(1)).await.expect_err("refused");
        let RegisterError::TooManyMisses(why) = refused else { panic!("{refused:?}") };
        assert_eq!(clock::rfc3339(why.until()), "2026-04-16T00:00:00+08:00");
    }
    assert!(look_up(office.register(), office.other, &asked(1)).await.expect("of another employer").matches);
    assert_eq!(alerts(&office).await, [format!("{OWN} 2026-04-15")]);
    assert_eq!(alerts(&office).await, [format!("{OWN} 2026-04-15")], "told once");
    office.clock("2026-04-16", "00:00").await;
    assert!(look_up(office.register(), office.own, &asked(1)).await.expect("an answer").matches);
    assert_eq!(alerts(&office).await, Vec::<String>::new(), "it is over");
}

/// Subjects of the open alerts about look-ups.
async fn alerts(office: &Office) -> Vec<String> {
    let harness = &office.agency.harness;
    let alerts = renzheng::config::AlertSettings::default();
    let installation = notify::Installation { jobs: &[], alerts: &alerts, tax_is_set: false, broken_jobs: None };
    notify::watch(&harness.store, &installation, clock::system_now()).await.expect("looked");
    let open = harness.store.list_alerts(false, None, 100).await.expect("listed");
    let ours = open.into_iter().filter(|alert| alert.kind == AlertKind::LookUpsRefused.as_str());
    ours.map(|alert| alert.subject).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_matched_is_entered_by_the_receipt_by_the_same_employer_for_half_an_hour() {
    let office = Office::open("look_up_receipt").await;
    let answer = look_up(office.register(), office.own, &asked(1)).await.expect("an answer");
    let receipt = answer.found.expect("a match").receipt;
    let by_receipt = |employer, receipt| PlacementForm { whom: Whom::Receipt(receipt), ..typed(employer, 2025, 1) };
    let register = office.register();
    assert_eq!(codes(register.enter(&by_receipt(office.other, &receipt)).await), ["receipt receipt_unknown"]);
    assert_eq!(codes(register.enter(&by_receipt(office.own, "0123")).await), ["receipt receipt_unknown"]);
    let entered = register.enter(&by_receipt(office.own, &receipt)).await.expect("entered");
    assert_eq!((entered.person, entered.outcome), (office.person(1).await, Outcome::New));
    office.clock("2026-04-15", "02:31").await;
    assert_eq!(codes(register.enter(&by_receipt(office.own, &receipt)).await), ["receipt receipt_unknown"]);
    let stored = office.texts("select encode(receipt, 'hex') from look_up where receipt is not null").await;
    assert!(!stored.contains(&receipt), "only a hash is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_out_of_reach_does_not_exist_and_an_auditor_looks_nobody_up() {
    let office = Office::open("look_up_reach").await;
    let foreign = handler("李经办", &[office.other]);
    assert_eq!(codes(look_up(office.register_by(&foreign), office.own, &asked(1)).await), ["not_found"]);
    let auditor = Actor { role: Role::Auditor, ..office.operator.clone() };
    assert_eq!(codes(look_up(office.register_by(&auditor), office.own, &asked(1)).await), ["forbidden"]);
    assert_eq!(office.count("look_up").await, 0);
}
