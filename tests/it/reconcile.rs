//! Both sides hold the same, or somebody learns of it: each kind of difference made by the sandbox's tax department, found, and its way
//! out walked until the ledger is what is declared.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::Response;
use axum::middleware::{Next, from_fn_with_state};
use renzheng::clock::system_now;
use renzheng::config::{AlertSettings, TaxSettings};
use renzheng::declare::settle::{Settled, settle};
use renzheng::declare::{DeclareError, complete, withdraw};
use renzheng::domain::access::Role;
use renzheng::domain::event::EventKind;
use renzheng::domain::reconciliation::{Class, Judged};
use renzheng::notify::{Installation, watch};
use renzheng::push::Client;
use renzheng::push::gate::{Gate, Opening};
use renzheng::push::reconcile::{Looking, YearReconciled, reconcile, refresh};
use renzheng::schedule::hand_over::{HandedOver, hand_over};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::access::unit;
use crate::declaring::{FACTORY, SCHOOL, Scene, YEAR, approval, employer, supervisor, withdrawal};
use crate::events::receiver::{Receiver, Subscriber, deliver};
use crate::fixtures::fixtures;

const SETTLING: &str = "spoken with the department";

impl Scene {
    /// Completes and pushes until the department has accepted it.
    pub async fn accepted(&self, code: &str) {
        if code == FACTORY && self.state(code).await.last_version() == 0 {
            self.prove_affiliates(code).await;
        }
        self.complete(code).await.expect("completed");
        self.push().await;
        assert_eq!(self.state(code).await.name(), "accepted");
    }

    /// Withdraws what is accepted, up to the department's acceptance.
    pub async fn withdrawn(&self, code: &str) {
        let declaring = self.declaring(code).await;
        withdraw::ask(self.store(), &employer(declaring.employer), declaring, &withdrawal(false)).await.expect("asked");
        withdraw::decide(self.store(), &supervisor(), declaring, &approval(None)).await.expect("approved");
        self.push().await;
    }

    pub async fn look(&self) -> YearReconciled {
        self.look_with(Looking::default()).await
    }

    async fn look_with(&self, looking: Looking) -> YearReconciled {
        let years = reconcile(self.store(), &self.client, looking).await.expect("compared");
        assert_eq!(years.len(), 1, "{years:?}");
        years.into_iter().next().expect("a year")
    }

    /// The one difference of a look.
    pub async fn found(&self) -> Class {
        let year = self.look().await;
        assert_eq!(year.open.values().sum::<u64>(), 1, "{year:?}");
        *year.open.keys().next().expect("a class")
    }

    pub async fn assert_equal(&self) {
        let year = self.look().await;
        assert!(year.is_clean() && year.totals.under_way == 0, "{year:?}");
        assert_eq!(year.totals.digest_here, year.totals.digest_there);
        assert!(
            self.store().list_differences(false, None, 10).await.expect("differences").is_empty(),
            "nothing is open"
        );
        self.assert_only_what_was_confirmed_leaves().await;
    }

    /// A supervisor follows the department, on what is so now.
    pub async fn settled(&self, code: &str) -> Result<Settled, DeclareError> {
        refresh(self.store(), &self.client, code, YEAR as i16).await.expect("looked at");
        settle(self.store(), &supervisor(), self.declaring(code).await, SETTLING).await
    }

    /// The id of the message that the department heard last of.
    fn heard_last(&self) -> String {
        self.department.heard().pop().expect("a message").0
    }

    async fn alerted(&self) -> Vec<(String, String)> {
        let alerts = AlertSettings::default();
        let installation = Installation { jobs: &[], alerts: &alerts, tax_is_set: true, broken_jobs: None };
        watch(self.store(), &installation, system_now()).await.expect("watched");
        let lines = self.store().list_alerts(false, None, 50).await.expect("alerts");
        let of_sides =
            lines.into_iter().filter(|line| matches!(line.kind.as_str(), "difference_open" | "statement_refused"));
        of_sides.map(|line| (line.subject, line.text)).collect()
    }

    pub async fn hand_over(&self, gate: &Gate) -> HandedOver {
        hand_over(self.store(), "push", &self.tax, "test", gate, |_| ()).await.expect("handed over")
    }
}

/// A message that somebody else sends under the same agreement.
pub fn foreign(uscc: &str, version: u32) -> String {
    json!({
        "kind": "certified", "message_id": format!("somebody-elses-{version}"),
        "idempotency_key": format!("{uscc}:{YEAR}:{version}:certified"), "version": version, "uscc": uscc,
        "employer_name": "某单位", "tax_division": "360102", "year": YEAR, "person_count": 1, "unweighted_person_months": 12,
        "weighted_person_months": 12, "placed_persons": { "fraction": "1/1", "decimal": "1.00" },
        "months": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "certified_at": "2026-04-15T08:00:00+08:00", "certification_number": "X-1",
    })
    .to_string()
}

#[tokio::test]
async fn both_sides_tell_the_same_after_every_kind_of_message() {
    let scene = Scene::begin("same").await;
    let nothing = reconcile(scene.store(), &scene.client, Looking::default()).await.expect("compared");
    assert!(nothing.is_empty(), "neither side holds anything: {nothing:?}");
    scene.accepted(SCHOOL).await;
    scene.assert_equal().await;
    scene.withdrawn(SCHOOL).await;
    scene.assert_equal().await;
    scene.accepted(SCHOOL).await;
    scene.accepted(FACTORY).await;
    let year = scene.look().await;
    assert_eq!((year.totals.rows_here, year.totals.rows_there), (2, 2));
    scene.assert_equal().await;
}

#[tokio::test]
async fn a_message_whose_answer_is_not_heard_yet_is_no_difference() {
    let scene = Scene::begin("under_way").await;
    scene.accepted(FACTORY).await;
    scene.complete(SCHOOL).await.expect("completed");
    let now = scene.store().now().await.expect("now");
    let outgoing = scene.store().open_attempt(now).await.expect("opened").expect("due");
    scene.client.send(&outgoing, now).await;
    let year = scene.look().await;
    assert_eq!((year.totals.under_way, year.open.len()), (1, 0), "{year:?}");
    assert!(scene.alerted().await.is_empty());
}

#[tokio::test]
async fn what_the_department_forgot_is_asked_about_and_sent_again_with_the_same_bytes() {
    let scene = Scene::begin("forgotten").await;
    scene.accepted(SCHOOL).await;
    let bytes = scene.ledger().entries()[0].body.clone();
    scene.accepted(FACTORY).await;
    scene.department.forget(&scene.department.heard()[0].0).expect("forgotten");
    assert_eq!(scene.found().await, Class::MissingThere);
    assert!(scene.alerted().await.is_empty(), "the program is at it");
    scene.push().await;
    assert_eq!(scene.ledger().entries().last().map(|entry| entry.body.clone()), Some(bytes));
    scene.assert_equal().await;
    let closed = scene.store().list_differences(true, None, 10).await.expect("differences");
    assert!(closed[0].closed_at.is_some() && closed[0].settled_by.is_none(), "gone by itself");
}

#[tokio::test]
async fn a_department_that_was_restored_hears_the_later_messages_again_in_their_order() {
    let scene = Scene::begin("behind").await;
    scene.accepted(SCHOOL).await;
    scene.withdrawn(SCHOOL).await;
    scene.accepted(SCHOOL).await;
    let before = scene.received();
    scene.department.forget_all_but(1).expect("restored");
    assert_eq!(scene.found().await, Class::BehindThere);
    scene.push().await;
    assert_eq!(scene.received(), before);
    scene.assert_equal().await;
}

#[tokio::test]
async fn another_receipt_is_asked_for_and_kept() {
    let scene = Scene::begin("receipt").await;
    scene.accepted(SCHOOL).await;
    scene.department.change_receipt(&scene.heard_last(), "36202599999999").expect("changed");
    assert_eq!(scene.found().await, Class::OtherReceipt);
    scene.push().await;
    let state = scene.state(SCHOOL).await;
    assert_eq!(state.in_force().map(|held| held.receipt.as_str()), Some("36202599999999"));
    scene.assert_equal().await;
}

#[tokio::test]
async fn other_numbers_are_told_to_people_and_withdrawn_once_one_decides_so() {
    let scene = Scene::begin("numbers").await;
    scene.accepted(FACTORY).await;
    scene.accepted(SCHOOL).await;
    let claims = scene.claims(SCHOOL).await;
    scene.department.change_months(&scene.heard_last(), 35).expect("changed");
    assert_eq!(scene.found().await, Class::OtherContent);
    assert_eq!(scene.found().await, Class::OtherContent, "nothing is done about it by itself");
    assert_eq!(
        scene.store().list_differences(true, None, 10).await.expect("differences").len(),
        1,
        "seen twice, it is one"
    );
    let alerted = scene.alerted().await;
    assert!(alerted[0].0 == "other_content" && alerted[0].1.contains("reconcile settle"), "{alerted:?}");

    let settled = scene.settled(SCHOOL).await.expect("settled");
    assert_eq!((settled.class, settled.state, settled.withdraws), (Class::OtherContent, "open", Some(1)));
    assert_eq!(scene.claims(SCHOOL).await, claims, "claims stay until the withdrawal is accepted");
    let again = settle(scene.store(), &supervisor(), scene.declaring(SCHOOL).await, SETTLING).await.expect("again");
    assert_eq!(again.withdraws, Some(1), "the same answer");
    let year = scene.look().await;
    assert_eq!((year.totals.under_way, year.open.len()), (1, 0), "its withdrawal is on its way: {year:?}");
    scene.push().await;
    assert_eq!((scene.held().len(), scene.claims(SCHOOL).await), (1, 0));
    scene.assert_equal().await;
    assert!(scene.alerted().await.is_empty());
    scene.accepted(SCHOOL).await;
    assert_eq!(scene.state(SCHOOL).await.version_in_force(), Some(2));
    scene.assert_equal().await;
}

#[tokio::test]
async fn a_rejection_after_the_acceptance_becomes_the_declarations_own_with_its_code() {
    let scene = Scene::begin("rejected_there").await;
    let receiver = Receiver::start().await;
    let school = (Role::Employer, unit(SCHOOL));
    let own = Subscriber::begin(scene.store(), "own", school, &receiver, &[EventKind::AnswerReceived]).await;
    scene.accepted(SCHOOL).await;
    let claims = scene.claims(SCHOOL).await;
    scene.department.reject_after_all(&scene.heard_last(), "E77").expect("rejected");
    assert_eq!(scene.found().await, Class::RejectedThere);
    scene.push().await;
    assert_eq!(scene.state(SCHOOL).await.name(), "accepted", "its reason was asked, nothing else");
    let settled = scene.settled(SCHOOL).await.expect("settled");
    assert_eq!((settled.state, settled.withdraws), ("rejected", None));
    deliver(scene.store()).await;
    let told = receiver.take_signed(&own);
    let told: Vec<(&Value, &Value)> = told.iter().map(|event| (&event["version"], &event["state"])).collect();
    assert_eq!(told, [(&json!(1), &json!("accepted")), (&json!(1), &json!("rejected"))], "its programs hear of it too");
    let state = serde_json::to_value(scene.state(SCHOOL).await).expect("JSON");
    assert_eq!(state["rejection"]["code"], "E77");
    assert_eq!(scene.claims(SCHOOL).await, claims);
    scene.assert_equal().await;
    complete_again(&scene).await;
}

#[tokio::test]
async fn what_the_department_takes_out_of_force_by_itself_is_taken_as_rejected() {
    let scene = Scene::begin("lapsed").await;
    scene.accepted(SCHOOL).await;
    scene.department.take_out_of_force(&scene.heard_last()).expect("taken");
    assert_eq!(scene.found().await, Class::WithdrawnThere);
    let settled = scene.settled(SCHOOL).await.expect("settled");
    assert_eq!((settled.class, settled.state), (Class::WithdrawnThere, "rejected"));
    scene.assert_equal().await;
    complete_again(&scene).await;
}

/// Staff open it again, and the next version is accepted.
async fn complete_again(scene: &Scene) {
    let declaring = scene.declaring(SCHOOL).await;
    renzheng::declare::corrections::reopen(scene.store(), &supervisor(), declaring).await.expect("reopened");
    scene.accepted(SCHOOL).await;
    assert_eq!(scene.state(SCHOOL).await.version_in_force(), Some(2));
    scene.assert_equal().await;
}

#[tokio::test]
async fn an_acceptance_after_the_rejection_is_withdrawn_there() {
    let scene = Scene::begin("accepted_there").await;
    // somebody else's message makes the department reject ours
    scene.department.hear_from_another(&foreign(SCHOOL, 1).replace(":1:certified", ":1:certified:2")).expect("heard");
    scene.complete(SCHOOL).await.expect("completed");
    scene.push().await;
    assert_eq!(scene.state(SCHOOL).await.name(), "rejected");
    let ours = scene.heard_last();
    scene.department.forget("somebody-elses-1").expect("forgotten");
    scene.assert_equal().await;
    scene.department.accept_after_all(&ours, "36202500000009").expect("accepted");
    assert_eq!(scene.found().await, Class::AcceptedThere);
    let settled = scene.settled(SCHOOL).await.expect("settled");
    assert_eq!((settled.state, settled.withdraws), ("open", Some(1)));
    scene.push().await;
    assert!(scene.held().is_empty());
    scene.assert_equal().await;
    scene.accepted(SCHOOL).await;
    scene.assert_equal().await;
}

#[tokio::test]
async fn what_by_its_own_answers_is_not_in_force_is_withdrawn_once_more() {
    let scene = Scene::begin("in_force_there").await;
    scene.accepted(SCHOOL).await;
    let certified = scene.heard_last();
    scene.department.take_out_of_force(&certified).expect("taken");
    assert_eq!(scene.found().await, Class::WithdrawnThere);
    scene.settled(SCHOOL).await.expect("settled");
    scene.assert_equal().await;
    scene.department.put_back_into_force(&certified).expect("put back");
    assert_eq!(scene.found().await, Class::InForceThere);
    let settled = scene.settled(SCHOOL).await.expect("settled");
    assert_eq!((settled.state, settled.withdraws), ("open", Some(1)));
    scene.push().await;
    assert!(scene.held().is_empty());
    scene.assert_equal().await;
}

#[tokio::test]
async fn a_message_of_somebody_unknown_shuts_the_gate_until_the_department_removes_it() {
    let scene = Scene::begin("foreign").await;
    let stranger = "91369900MA00000152";
    scene.department.hear_from_another(&foreign(stranger, 1)).expect("heard");
    scene.complete(SCHOOL).await.expect("completed");
    let gate = Gate::default();
    let handed_over = scene.hand_over(&gate).await;
    assert_eq!((handed_over.gate, handed_over.attempts.attempts()), (Opening::Ahead, 0));
    let open = scene.store().list_differences(false, None, 10).await.expect("differences");
    assert_eq!((open[0].uscc.as_str(), open[0].class), (stranger, Class::MissingHere));
    let alerted = scene.alerted().await;
    assert!(alerted[0].1.contains("nothing leaves after a start"), "{alerted:?}");
    scene.department.forget("somebody-elses-1").expect("removed");
    let handed_over = scene.hand_over(&gate).await;
    assert_eq!((handed_over.gate, handed_over.attempts.accepted), (Opening::Open, 1));
    scene.assert_equal().await;
}

#[tokio::test]
async fn a_number_that_only_was_used_there_is_skipped_here() {
    let scene = Scene::begin("numbering").await;
    scene.accepted(SCHOOL).await;
    // rejected there under a number that was never given out here
    let rejected = foreign(SCHOOL, 2).replace("\"weighted_person_months\":12", "\"weighted_person_months\":13");
    scene.department.hear_from_another(&rejected).expect("heard");
    assert_eq!(scene.found().await, Class::MissingHere);
    let settled = scene.settled(SCHOOL).await.expect("settled");
    assert_eq!((settled.state, settled.withdraws, settled.last_version), ("accepted", None, 2));
    scene.assert_equal().await;
    scene.withdrawn(SCHOOL).await;
    scene.accepted(SCHOOL).await;
    assert_eq!(scene.state(SCHOOL).await.version_in_force(), Some(3));
    scene.assert_equal().await;
}

#[tokio::test]
async fn an_empty_statement_changes_nothing_until_a_person_believes_it() {
    let scene = Scene::begin("empty").await;
    scene.accepted(SCHOOL).await;
    scene.assert_equal().await;
    scene.department.forget_all_but(0).expect("forgotten");
    let year = scene.look().await;
    assert!(year.totals.refused.as_ref().is_some_and(|why| why.contains("empty")), "{year:?}");
    assert!(scene.store().list_differences(true, None, 10).await.expect("differences").is_empty());
    let alerted = scene.alerted().await;
    assert!(alerted[0].0 == "2025" && alerted[0].1.contains("--believe-fewer"), "{alerted:?}");
    let year = scene.look_with(Looking { year: Some(2025), believe_fewer: true }).await;
    assert_eq!((year.open.get(&Class::MissingThere), year.concluded.asked), (Some(&1), 1));
    scene.push().await;
    scene.assert_equal().await;
}

/// What somebody does to a statement on its way.
type Spoil = Arc<dyn Fn(&str, String) -> String + Send + Sync>;

async fn spoil(State(spoil): State<Spoil>, request: Request, next: Next) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let body = to_bytes(next.run(request).await.into_body(), 1 << 20).await.expect("an answer");
    Response::new(Body::from(spoil(&path, String::from_utf8(body.to_vec()).expect("text"))))
}

/// A client on a road on which statements are spoilt.
async fn spoilt(scene: &Scene, how: impl Fn(&str, String) -> String + Send + Sync + 'static) -> Client {
    let spoil_with: Spoil = Arc::new(how);
    let answering =
        renzheng::sandbox::tax::router(scene.department.clone()).layer(from_fn_with_state(spoil_with, spoil));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, answering).await });
    Client::new(&TaxSettings { url, ..scene.tax.clone() }).expect("a client")
}

/// Changes one field of every row.
fn rows_with(text: &str, field: &str, value: &Value) -> String {
    let changed = |line: &str| {
        let mut row: Value = serde_json::from_str(line).expect("a row");
        row[field] = value.clone();
        row.to_string() + "\n"
    };
    text.lines().map(changed).collect()
}

#[tokio::test]
async fn a_statement_that_is_not_as_agreed_changes_nothing() {
    let scene = Scene::begin("malformed").await;
    scene.accepted(SCHOOL).await;
    scene.accepted(FACTORY).await;
    // so that there is something to read
    scene.department.change_months(&scene.heard_last(), 35).expect("changed");
    let is_rows = |path: &str| path.matches('/').count() == 3;
    let is_year = |path: &str| path.matches('/').count() == 2 && path.starts_with("/statements");
    let cases: Vec<(&str, Client)> = vec![
        (
            "no such JSON",
            spoilt(&scene, move |path, text| if is_year(path) { "<html>".to_owned() } else { text }).await,
        ),
        (
            "its rows make another",
            spoilt(
                &scene,
                move |path, text| if is_rows(path) { rows_with(&text, "messages", &json!(9)) } else { text },
            )
            .await,
        ),
        (
            "its rows make another",
            spoilt(&scene, move |path, text| if is_rows(path) { String::new() } else { text }).await,
        ),
        (
            "another part",
            spoilt(
                &scene,
                move |path, text| {
                    if is_rows(path) { rows_with(&text, "uscc", &json!("91369900MA00000152")) } else { text }
                },
            )
            .await,
        ),
        (
            "not above",
            spoilt(&scene, move |path, text| if is_rows(path) { format!("{text}{text}") } else { text }).await,
        ),
        (
            "row 1",
            spoilt(
                &scene,
                move |path, text| if is_rows(path) { rows_with(&text, "last", &json!("x\ty")) } else { text },
            )
            .await,
        ),
        (
            "is 0",
            spoilt(
                &scene,
                move |path, text| if is_rows(path) { rows_with(&text, "messages", &json!(0)) } else { text },
            )
            .await,
        ),
        (
            "its parts make",
            spoilt(&scene, move |path, text| if is_year(path) { rows_with(&text, "rows", &json!(7)) } else { text })
                .await,
        ),
    ];
    for (why, client) in cases {
        let years = reconcile(scene.store(), &client, Looking::default()).await.expect("compared");
        let refused = years[0].totals.refused.clone().unwrap_or_default();
        assert!(refused.contains(why), "{why}: {refused}");
        assert!(scene.store().list_differences(true, None, 10).await.expect("differences").is_empty(), "{why}");
        let handed_over = Gate::default().look(scene.store(), &client).await.expect("looked");
        assert_eq!(handed_over.0, Opening::Unknown, "{why}: nothing leaves on such a word");
    }
    let years = spoilt(&scene, |path, text| if path == "/statements" { "{}".to_owned() } else { text }).await;
    assert!(reconcile(scene.store(), &years, Looking::default()).await.is_err());
    assert_eq!(scene.found().await, Class::OtherContent, "the true one is read as before");
}

#[tokio::test]
async fn while_the_department_cannot_be_asked_nothing_leaves_and_nothing_fails() {
    let scene = Scene::begin("unreachable").await;
    scene.complete(SCHOOL).await.expect("completed");
    let nobody = TaxSettings { url: "http://127.0.0.1:1/".to_owned(), ..scene.tax.clone() };
    let gate = Gate::default();
    let handed_over = hand_over(scene.store(), "push", &nobody, "test", &gate, |_| ()).await.expect("no failure");
    assert_eq!((handed_over.gate, handed_over.attempts.attempts()), (Opening::Unknown, 0));
    let handed_over = scene.hand_over(&gate).await;
    assert_eq!((handed_over.gate, handed_over.attempts.accepted), (Opening::Open, 1));
    // once both sides were compared, an outage is an outage as ever
    scene.withdrawn(SCHOOL).await;
    scene.complete(SCHOOL).await.expect("completed");
    let handed_over = hand_over(scene.store(), "push", &nobody, "test", &gate, |_| ()).await.expect("no failure");
    assert_eq!((handed_over.gate, handed_over.attempts.later), (Opening::Open, 1));
}

#[tokio::test]
async fn only_what_differs_can_be_settled_and_only_with_a_reason_by_whoever_may() {
    let scene = Scene::begin("settling").await;
    scene.accepted(SCHOOL).await;
    let declaring = scene.declaring(SCHOOL).await;
    let refused = async |actor, why| {
        let outcome = settle(scene.store(), &actor, declaring, why).await;
        outcome.expect_err("refused").code().expect("a refusal")
    };
    assert_eq!(refused(supervisor(), SETTLING).await, "no_difference");
    assert_eq!(refused(supervisor(), " ").await, "reason_missing");
    assert_eq!(refused(employer(declaring.employer), SETTLING).await, "forbidden");
    scene.department.forget_all_but(0).expect("forgotten");
    assert_eq!(
        refresh(scene.store(), &scene.client, SCHOOL, 2025).await.expect("looked"),
        Judged::Differs(Class::MissingThere)
    );
    assert_eq!(refused(supervisor(), SETTLING).await, "not_for_us");
    assert_eq!(complete::state(scene.store(), declaring).await.expect("a state").name(), "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_tell_what_differs_whose_it_is_and_end_with_3() {
    let scene = Scene::begin("reconcile_commands").await;
    scene.accepted(SCHOOL).await;
    let say = |arguments: &[&str]| {
        let mut command = scene.day.harness.program(arguments, &fixtures().join("jobs"));
        command.envs([
            ("RENZHENG_TAX_URL", scene.tax.url.as_str()),
            ("RENZHENG_TAX_KEY_ID", "ours"),
            ("RENZHENG_TAX_KEY", "secret"),
        ]);
        let output = command.output().expect("the program starts");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let (code, said) = say(&["reconcile"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("2025: 1 rows here, 1 there; 0 differ"), "{said}");
    scene.department.reject_after_all(&scene.heard_last(), "E77").expect("rejected");
    let (code, said) = say(&["reconcile", "--year", "2025", "--format", "json"]);
    let year: Value = serde_json::from_str(&said).expect("a JSON line");
    assert_eq!((code, &year["open"]), (Some(3), &json!({ "rejected_there": 1 })));
    let (code, said) = say(&["reconcile", "list"]);
    assert!(code == Some(3) && said.contains("rejected_there  staff"), "{said}");
    let (code, said) = say(&["reconcile", "show", "--employer", SCHOOL, "--year", "2025"]);
    assert!(
        code == Some(3) && said.contains("there: nothing in force; last of 1 messages: version 1 certified rejected"),
        "{said}"
    );
    let (code, said) = say(&["push", "run"]);
    assert!(code == Some(0), "{said}");
    let (code, said) = say(&["reconcile", "settle", "--employer", SCHOOL, "--year", "2025", "--why", SETTLING]);
    assert!(code == Some(0) && said.contains("rejected_there settled; the declaration is rejected"), "{said}");
    let (code, said) = say(&["reconcile", "list", "--all", "--format", "json"]);
    let line: Value = serde_json::from_str(&said).expect("a JSON line");
    assert_eq!((code, &line["owner"], &line["closed_why"]), (Some(0), &json!("staff"), &json!(SETTLING)));
    assert_eq!(say(&["reconcile"]).0, Some(0));
}
