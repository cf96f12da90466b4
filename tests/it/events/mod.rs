//! Programs that subscribed hear of what happens within their user's reach, signed, at least once, and of nothing else.

mod kept;
mod queue;
pub mod receiver;
mod shape;

use chrono::TimeDelta;
use renzheng::crypto::SignatureAlgorithm;
use renzheng::declare::review::decide::{Seconding, second, undo};
use renzheng::declare::review::open;
use renzheng::declare::subscriptions::{MOST, SubscriptionError, list, remove, rotate, test};
use renzheng::declare::users::{AskedReach, revoke};
use renzheng::domain::access::Role;
use renzheng::domain::event::EventKind;
use renzheng::domain::ids::Uscc;
use renzheng::domain::ruling::{ApprovalReason, RejectionReason};
use renzheng::notify::events::deliver_events;
use serde_json::{Value, json};

use crate::access::{as_holder, division, unit, user};
use crate::declaring::{SCHOOL, Scene as Declared};
use crate::harness::{Harness, actor};
use crate::incremental::uscc;
use crate::review::scene::{Scene, approval, rejection, reviewer};
use crate::runs::say;
use crate::source_text::read;

use receiver::{LOOPBACK, Receiver, Subscriber, body, deliver, later, subscribe, told};
use shape::misfits;

const ALL: [EventKind; 3] = EventKind::SUBSCRIBED;
const BANK_SLIP: &[ApprovalReason] = &[ApprovalReason::WagePaidByBankSlip];

/// One of the three employers of a review's province.
fn employer(number: u32) -> (Role, AskedReach) {
    (Role::Employer, AskedReach::Unit(Uscc::parse(&uscc(number)).expect("a code")))
}

fn school() -> (Role, AskedReach) {
    (Role::Employer, unit(SCHOOL))
}

async fn count(harness: &Harness, table: &str) -> i64 {
    let mut connection = harness.connection().await;
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}")))
        .fetch_one(&mut connection)
        .await
        .expect("a count")
}

/// What was said of the last attempt on the deliveries that did not arrive.
async fn errors(harness: &Harness) -> Vec<(String, String)> {
    let mut connection = harness.connection().await;
    sqlx::query_as("select state, error from event_delivery where state <> 'delivered' order by event_id")
        .fetch_all(&mut connection)
        .await
        .expect("deliveries")
}

fn assert_fits(event: &Value) {
    let schema: Value = serde_json::from_str(&read("schemas/events/event.json")).expect("a schema");
    let found = misfits(&schema, &schema, event, "");
    assert!(found.is_empty(), "{event}: {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_tells_whoever_subscribed_of_the_months_that_changed_and_nobody_else() {
    let mut scene = Scene::begin().await;
    let (own_receiver, other, staff, deaf) =
        (Receiver::start().await, Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let store = scene.store().clone();
    let cells = [EventKind::CellChanged];
    let own = Subscriber::begin(&store, "own", employer(0), &own_receiver, &cells).await;
    Subscriber::begin(&store, "other", employer(1), &other, &ALL).await;
    Subscriber::begin(&store, "deaf", employer(0), &deaf, &[EventKind::DecisionMade]).await;
    let of_county = (Role::Operator, division("3601"));
    let county = Subscriber::begin(&store, "county", of_county, &staff, &ALL).await;
    let elsewhere = Receiver::start().await;
    Subscriber::begin(&store, "elsewhere", (Role::Operator, division("3602")), &elsewhere, &ALL).await;

    scene.lose("wage", 0, 0, 3);
    scene.lose("pension", 0, 0, 7);
    scene.night().await;
    assert_eq!(count(&scene.province.harness, "event").await, 1);
    assert_eq!(deliver(&store).await, told(2, 0));

    let came = own_receiver.take();
    assert_eq!(came.len(), 1);
    assert!(own.signed(&came[0], ""), "{came:?}");
    assert_eq!((came[0].method.as_str(), came[0].path()), ("POST", "/events"));
    let event = body(&came[0]);
    assert_eq!(came[0].headers["idempotency-key"], event["event_id"].as_str().expect("an id"));
    assert_fits(&event);
    let person = scene.person(0).await;
    assert_eq!(
        (&event["kind"], &event["employer_uscc"], &event["year"], &event["person_id"]),
        (&json!("cell_changed"), &json!(uscc(0)), &json!(2025), &json!(person.0))
    );
    let months = event["months"].as_array().expect("months");
    let shown: Vec<(&str, &str, &str, bool)> = months
        .iter()
        .map(|month| {
            let text = |value: &'static str, check: &str| month[value]["codes"][check].as_str().expect("a code");
            let check = if month["month"] == "2025-03" { "wage" } else { "pension" };
            let passed = month["after"]["passed"].as_bool().expect("whether it passes");
            (month["month"].as_str().expect("a month"), text("before", check), text("after", check), passed)
        })
        .collect();
    assert_eq!(shown, [("2025-03", "pass", "below_minimum", false), ("2025-07", "pass", "unpaid", false)]);
    for personal in ["某人", "3600"] {
        assert!(!came[0].body.contains(personal), "{}", came[0].body);
    }

    let seen = staff.take();
    assert_eq!(seen.iter().map(|request| &request.body).collect::<Vec<_>>(), [&came[0].body], "the same event");
    assert!(county.signed(&seen[0], "") && !own.signed(&seen[0], ""), "each by its own secret");
    for stranger in [&other, &deaf, &elsewhere] {
        assert_eq!(stranger.take().len(), 0);
    }

    // judged again without another outcome: no news
    scene.night().await;
    assert_eq!(deliver(&store).await, told(0, 0));
    assert_eq!(own_receiver.take().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn months_that_are_judged_for_the_first_time_say_that_nothing_was_before() {
    let mut scene = Scene::begin().await;
    let receiver = Receiver::start().await;
    let store = scene.store().clone();
    let own = Subscriber::begin(&store, "own", employer(2), &receiver, &ALL).await;
    let placed = crate::incremental::Step::Placement { person: 0, employer: 2, dispatched: false };
    scene.province.take(&placed).await;
    scene.night().await;
    deliver(&store).await;
    let events = receiver.take_signed(&own);
    let person = scene.person(0).await;
    let first = events.iter().find(|event| event["person_id"] == person.0).expect("the new placement");
    events.iter().for_each(assert_fits);
    let months = first["months"].as_array().expect("months");
    assert_eq!(months.len(), 12);
    assert!(months.iter().all(|month| month["before"].is_null()), "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_told_when_it_counts_and_when_it_is_taken_back() {
    let mut scene = Scene::begin().await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let store = scene.store().clone();
    let decisions = [EventKind::DecisionMade];
    let own = Subscriber::begin(&store, "own", employer(0), &receiver, &decisions).await;
    Subscriber::begin(&store, "other", employer(1), &other, &decisions).await;
    let case = scene.submit(0, 0, 3).await;
    let first = reviewer("first", "3601");
    open(&store, &first, case).await.expect("taken");
    scene.decide(&first, case, 3, approval(BANK_SLIP)).await.expect("decided");
    undo(&store, &first, case, crate::incremental::month_of(3), Some("the wrong month")).await.expect("undone");
    scene.decide(&first, case, 3, rejection(&[RejectionReason::ALL[0]])).await.expect("decided");
    deliver(&store).await;
    let events = receiver.take_signed(&own);
    events.iter().for_each(assert_fits);
    let told: Vec<&Value> = events.iter().map(|event| &event["decision"]).collect();
    assert_eq!(told, ["approved", "undone", "rejected"]);
    let person = scene.person(0).await;
    assert!(events.iter().all(|event| event["person_id"] == person.0 && event["months"] == json!(["2025-03"])));
    assert_eq!(other.take().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_is_told_only_when_the_second_person_agrees() {
    let mut scene = Scene::begin().await;
    scene.province.policy = crate::review::two_persons();
    scene.verify().await;
    let receiver = Receiver::start().await;
    let store = scene.store().clone();
    let own = Subscriber::begin(&store, "own", employer(0), &receiver, &[EventKind::DecisionMade]).await;
    let case = scene.submit(0, 0, 3).await;
    let (first, head) = (reviewer("first", "3601"), crate::review::scene::supervisor("head", "3601"));
    open(&store, &first, case).await.expect("taken");
    let decided = scene.decide(&first, case, 3, approval(BANK_SLIP)).await.expect("proposed");
    assert!(decided.second_asked);
    deliver(&store).await;
    assert_eq!(receiver.take().len(), 0, "a proposal is no decision");
    let month = crate::incremental::month_of(3);
    second(&store, &head, &Seconding { case, month, agrees: true, why: None }).await.expect("agreed");
    deliver(&store).await;
    let events = receiver.take_signed(&own);
    assert_eq!(events.iter().map(|event| &event["decision"]).collect::<Vec<_>>(), ["approved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tax_departments_answers_are_told_to_whoever_subscribed() {
    let scene = Declared::begin("events_answers").await;
    let store = scene.store();
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    let own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    Subscriber::begin(store, "other", (Role::Employer, unit(crate::access::E1)), &other, &ALL).await;
    scene.complete(SCHOOL).await.expect("completed");
    scene.push_rejected().await;
    let declaring = scene.declaring(SCHOOL).await;
    let staff = crate::declaring::supervisor();
    let kind = renzheng::domain::message::MessageKind::Certified;
    renzheng::declare::corrections::reissue(store, &staff, declaring, kind).await.expect("issued again");
    scene.push().await;
    deliver(store).await;
    let events = receiver.take_signed(&own);
    events.iter().for_each(assert_fits);
    let said: Vec<Value> =
        events.iter().map(|event| json!([event["kind"], event["version"], event["message"], event["state"]])).collect();
    assert_eq!(
        said,
        [
            json!(["answer_received", 1, "certified", "rejected"]),
            json!(["answer_received", 1, "certified", "accepted"])
        ]
    );
    assert!(events.iter().all(|event| event["employer_uscc"] == SCHOOL && event["year"] == 2025));
    assert_eq!(other.take().len(), 0);
    // the same answers once more are no news
    let mut connection = scene.day.harness.connection().await;
    sqlx::query("update outbox set applied = false").execute(&mut connection).await.expect("doubled");
    renzheng::declare::news::apply_news(store).await.expect("taken in");
    assert_eq!(deliver(store).await, told(0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_subscribed_nothing_is_written() {
    let mut scene = Scene::begin().await;
    let receiver = Receiver::start().await;
    let store = scene.store().clone();
    // of other kinds, of others' employers, and of employers no longer
    Subscriber::begin(&store, "answers", employer(0), &receiver, &[EventKind::AnswerReceived]).await;
    Subscriber::begin(&store, "other", employer(1), &receiver, &ALL).await;
    let gone = Subscriber::begin(&store, "gone", employer(0), &receiver, &ALL).await;
    remove(&store, &gone.actor, gone.made.subscription_id).await.expect("removed");
    let case = scene.submit(0, 0, 3).await;
    let first = reviewer("first", "3601");
    open(&store, &first, case).await.expect("taken");
    scene.decide(&first, case, 3, approval(BANK_SLIP)).await.expect("decided");
    assert_eq!(count(&scene.province.harness, "event").await, 0);
    assert_eq!(count(&scene.province.harness, "event_delivery").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_of_what_was_rolled_back() {
    let mut scene = Scene::begin().await;
    let receiver = Receiver::start().await;
    let store = scene.store().clone();
    Subscriber::begin(&store, "own", employer(0), &receiver, &ALL).await;
    let case = scene.submit(0, 0, 3).await;
    deliver(&store).await;
    receiver.take();
    let first = reviewer("first", "3601");
    open(&store, &first, case).await.expect("taken");
    // the audit refuses the last statement of the transaction
    let mut connection = scene.province.harness.connection().await;
    sqlx::raw_sql(
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
         create trigger refuse before insert on audit for each row execute function refuse();",
    )
    .execute(&mut connection)
    .await
    .expect("a trigger");
    scene.decide(&first, case, 3, approval(BANK_SLIP)).await.expect_err("not audited");
    sqlx::query("drop trigger refuse on audit").execute(&mut connection).await.expect("dropped");
    assert_eq!(deliver(&store).await, told(0, 0));
    assert_eq!(receiver.take().len(), 0);
    scene.decide(&first, case, 3, approval(BANK_SLIP)).await.expect("decided");
    assert_eq!(deliver(&store).await, told(1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_grant_hears_no_more_even_of_what_happened_before() {
    let mut scene = Scene::begin().await;
    let (left, stays) = (Receiver::start().await, Receiver::start().await);
    let store = scene.store().clone();
    let leaver = Subscriber::begin(&store, "leaver", employer(0), &left, &ALL).await;
    let stayer = Subscriber::begin(&store, "stayer", employer(0), &stays, &ALL).await;
    scene.lose("wage", 0, 0, 3);
    scene.night().await;
    let grants = store.list_users(Some("leaver")).await.expect("users")[0].grants.clone();
    revoke(&store, &actor(), "leaver", Some(grants[0].grant_id), "moved on").await.expect("revoked");
    let came = deliver(&store).await;
    assert_eq!((came.delivered, came.given_up), (1, 1));
    assert_eq!((left.take().len(), stays.take_signed(&stayer).len()), (0, 1));
    scene.lose("wage", 0, 0, 4);
    scene.night().await;
    assert_eq!(deliver(&store).await, told(1, 0), "for whom nothing is granted nothing is written");
    assert_eq!(list(&store, &leaver.actor).await.expect("subscriptions").len(), 1, "it is there for another grant");

    // a user who is revoked has none
    stays.take();
    scene.lose("wage", 0, 0, 5);
    scene.night().await;
    revoke(&store, &actor(), "stayer", None, "left").await.expect("revoked");
    assert_eq!(deliver(&store).await, told(0, 0));
    assert_eq!(stays.take().len(), 0);
    assert_eq!(list(&store, &stayer.actor).await.expect("subscriptions").len(), 0);
    assert_eq!(count(&scene.province.harness, "event_secret").await, 1, "the secret went with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_inside_is_refused_when_it_is_delivered_to() {
    let scene = Declared::begin("events_inside").await;
    let store = scene.store();
    let receiver = Receiver::start().await;
    let own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    // by a name that is resolved only then
    let by_name = receiver.url().replace("127.0.0.1", "localhost");
    let named = subscribe(store, &own.actor, &by_name, &ALL).await.expect("subscribed");
    test(store, &own.actor, own.made.subscription_id).await.expect("a ping");
    test(store, &own.actor, named.subscription_id).await.expect("a ping");
    let outside = renzheng::config::EventSettings::default();
    assert_eq!(deliver_events(store, outside).await.expect("tried"), told(0, 2));
    assert_eq!(receiver.take().len(), 0, "not a byte left");
    for (state, error) in errors(&scene.day.harness).await {
        assert_eq!(state, "waiting");
        assert!(error.contains("the host's address is not public"), "{error}");
    }
    later(store, TimeDelta::minutes(1)).await;
    assert_eq!(deliver_events(store, LOOPBACK).await.expect("delivered"), told(2, 0));
    let came: Vec<Value> = receiver.take().iter().map(body).collect();
    came.iter().for_each(assert_fits);
    assert!(came.len() == 2 && came.iter().all(|event| event["kind"] == "ping"), "{came:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let scene = Declared::begin("events_redirect").await;
    let store = scene.store();
    let receiver = Receiver::start().await;
    let own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    test(store, &own.actor, own.made.subscription_id).await.expect("a ping");
    receiver.answer(307);
    assert_eq!(deliver(store).await, told(0, 1));
    assert_eq!(receiver.take().len(), 1, "asked once, and not elsewhere");
    let said = &errors(&scene.day.harness).await[0].1;
    assert_eq!(said, "the receiver answered 307; accepted is any 2xx");
}

#[tokio::test(flavor = "multi_thread")]
async fn for_a_day_after_a_change_of_secret_both_sign() {
    let scene = Declared::begin("events_rotate").await;
    let store = scene.store();
    let receiver = Receiver::start().await;
    let mut own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    let id = own.made.subscription_id;
    let made = rotate(store, &own.actor, id).await.expect("another secret");
    let former = std::mem::replace(&mut own.made, made);
    assert_ne!(own.made.secret, former.secret);
    test(store, &own.actor, id).await.expect("a ping");
    deliver(store).await;
    let came = receiver.take();
    assert!(own.signed(&came[0], ""), "{came:?}");
    own.made = former;
    assert!(own.signed(&came[0], "previous-"), "{came:?}");
    later(store, TimeDelta::days(1)).await;
    test(store, &own.actor, id).await.expect("a ping");
    deliver(store).await;
    let came = receiver.take();
    assert!(!came[0].headers.contains_key("x-renzheng-previous-signature"), "{came:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_ten_and_sees_no_others() {
    let scene = Declared::begin("events_ten").await;
    let store = scene.store();
    let receiver = Receiver::start().await;
    let own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    for _ in 1..MOST {
        subscribe(store, &own.actor, &receiver.url(), &ALL).await.expect("subscribed");
    }
    let refused = subscribe(store, &own.actor, &receiver.url(), &ALL).await.expect_err("an eleventh");
    assert_eq!(refused.code(), Some("too_many_subscriptions"));
    let id = own.made.subscription_id;
    remove(store, &own.actor, id).await.expect("removed");
    subscribe(store, &own.actor, &receiver.url(), &ALL).await.expect("there is room again");
    let listed = list(store, &own.actor).await.expect("a list");
    assert_eq!(listed.len(), usize::try_from(MOST).expect("a few"));

    let foreign = Subscriber::begin(store, "foreign", (Role::Handler, unit(SCHOOL)), &receiver, &ALL).await;
    assert_eq!(list(store, &foreign.actor).await.expect("a list").len(), 1);
    let code = |outcome: Result<(), SubscriptionError>| outcome.expect_err("refused").code();
    assert_eq!(code(remove(store, &foreign.actor, listed[0].subscription_id).await.map(drop)), Some("not_found"));
    assert_eq!(code(rotate(store, &foreign.actor, listed[0].subscription_id).await.map(drop)), Some("not_found"));
    assert_eq!(code(test(store, &foreign.actor, id).await.map(drop)), Some("not_found"), "one that has ended");
    // whoever is no user has nobody to ask what is granted
    assert_eq!(code(subscribe(store, &actor(), &receiver.url(), &ALL).await.map(drop)), Some("not_a_user"));
    let all = list(store, &actor()).await.expect("a list");
    assert_eq!(all.len(), listed.len() + 1, "an operator of the whole looks after all of them");
    assert!(all.iter().all(|line| line.url == format!("{}/***", receiver.server.url)), "and sees where they lead");
    assert!(listed.iter().all(|line| line.url == receiver.url()));
    let reader = user(store, "reader", Role::Auditor, &division("36")).await;
    let reader = renzheng::declare::users::actor_of_token(store, &reader).await.expect("a user");
    assert_eq!(code(list(store, &reader).await.map(drop)), Some("forbidden"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_from_the_command_line() {
    let scene = Declared::begin("events_commands").await;
    let (harness, store) = (&scene.day.harness, scene.store());
    let receiver = Receiver::start().await;
    let token = user(store, "own", Role::Handler, &unit(SCHOOL)).await;
    let as_own = |arguments: &[&str]| {
        let mut command = as_holder(harness, &token, arguments);
        command.env("RENZHENG_EVENTS_ALLOW_LOOPBACK", "true");
        command
    };
    let url = receiver.url();
    let add = ["subscription", "add", &url, "--kinds", "cell_changed,answer_received", "--format", "json"];
    let made = as_own(&[&add[..], &["--algorithm", "hmac-sha256"]].concat()).output().expect("it starts");
    let made: Value = serde_json::from_slice(&made.stdout).expect("a JSON line");
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("rzs_") && secret.len() == 47);
    say(&mut as_own(&["subscription", "test", "1"]));
    let mut run = harness.program(&["run", "events"], &crate::source_text::root().join("jobs"));
    let said = say(run.env("RENZHENG_EVENTS_ALLOW_LOOPBACK", "true"));
    insta::assert_snapshot!(said, @r###"
exit 0
events: 1 events delivered, 0 to be tried later, 0 given up; 0 subscriptions paused, 0 ended
"###);
    let came = receiver.take();
    let digest = renzheng::crypto::content_digest_header(came[0].body.as_bytes());
    let signed = renzheng::crypto::Signed {
        method: "POST",
        path: "/events?of=me",
        timestamp: &came[0].headers["x-renzheng-timestamp"],
        content_digest: &digest,
    };
    let signature = &came[0].headers["x-renzheng-signature"];
    assert!(signed.verify(SignatureAlgorithm::HmacSha256, secret.as_bytes(), signature));
    let listed = as_own(&["subscription", "list", "--format", "json"]).output().expect("it starts");
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("a JSON line");
    assert_eq!(
        (&listed["subscription_id"], &listed["account"], &listed["kinds"], &listed["waiting"], &listed["paused_at"]),
        (&json!(1), &json!("own"), &json!(["cell_changed", "answer_received"]), &json!(0), &Value::Null)
    );
    let refused = |arguments: &[&str]| say(&mut as_holder(harness, &token, arguments));
    insta::assert_snapshot!(refused(&["subscription", "add", "http://10.0.0.1/", "--kinds", "cell_changed"]), @r###"
exit 2
renzheng: an address is one of https, such as `https://payroll.example/renzheng/events`
"###);
    insta::assert_snapshot!(refused(&["subscription", "add", "https://10.0.0.1/", "--kinds", "cell_changed"]), @r###"
exit 2
renzheng: the address leads into a private network or to this machine; accepted is a host of the public network
"###);
    insta::assert_snapshot!(refused(&["subscription", "resume", "1"]), @r###"
exit 2
renzheng: the subscription is not paused, and nothing of it was given up
"###);
    insta::assert_snapshot!(refused(&["subscription", "remove", "1"]), @r###"
exit 0
subscription 1 has ended
"###);
    insta::assert_snapshot!(refused(&["subscription", "remove", "1"]), @r###"
exit 2
renzheng: there is no subscription 1 of yours; `renzheng subscription list` shows them
"###);
    // nothing is due: no run is recorded of it
    let runs = store.list_runs(Some("events"), None, 10).await.expect("runs");
    say(harness
        .program(&["run", "events"], &crate::source_text::root().join("jobs"))
        .env("RENZHENG_EVENTS_ALLOW_LOOPBACK", "true"));
    assert_eq!((runs.len(), store.list_runs(Some("events"), None, 10).await.expect("runs").len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_of_a_receiver_is_not_read() {
    let scene = Declared::begin("events_answer_body").await;
    let store = scene.store();
    let receiver = Receiver::start().await;
    let own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    // it announces more than it sends: who read it would take that for a failure
    receiver.answer_over(crate::http_agency::Wire::Short);
    receiver.answer(200);
    test(store, &own.actor, own.made.subscription_id).await.expect("a ping");
    assert_eq!(deliver(store).await, told(1, 0));
}
