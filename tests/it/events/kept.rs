//! Nothing that was put down is lost: receivers that are down, slow, gone; processes that die; subscriptions that are paused.

use std::process::Stdio;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use renzheng::config::{AlertSettings, Environment, Job};
use renzheng::declare::register::notices::{Wanted, list_notices};
use renzheng::declare::subscriptions::{list, resume, test};
use renzheng::domain::event::EventKind;
use renzheng::domain::retention::usual;
use renzheng::notify::{self, Installation};
use renzheng::schedule::Schedule;
use renzheng::store::Store;

use super::receiver::{LOOPBACK, Receiver, Subscriber, body, deliver, later, put_down, told};
use super::{ALL, count, employer, errors, school};
use crate::declaring::{SCHOOL, Scene as Declared};
use crate::gate::PATIENCE;
use crate::http_agency::{Asked, Wire};
use crate::review::scene::Scene;
use crate::source_text::root;

/// What came, once something has: the other end is another process or task.
async fn wait_for(receiver: &Receiver) -> Vec<Asked> {
    let begun = Instant::now();
    loop {
        let came = receiver.take();
        if !came.is_empty() {
            return came;
        }
        assert!(begun.elapsed() < PATIENCE, "nothing came");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_gets_it_later_with_the_same_bytes() {
    let scene = Declared::begin("events_down").await;
    let store = scene.store();
    let receiver = Receiver::start().await;
    let own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    scene.complete(SCHOOL).await.expect("completed");
    scene.push().await;
    receiver.answer(503);
    assert_eq!(deliver(store).await, told(0, 1));
    let first = receiver.take();
    for wait in [1, 5, 30, 120, 360, 720, 720] {
        later(store, TimeDelta::minutes(wait) - TimeDelta::seconds(5)).await;
        assert_eq!(deliver(store).await, told(0, 0), "not before {wait} minutes");
        later(store, TimeDelta::seconds(5)).await;
        assert_eq!(deliver(store).await, told(0, 1), "after {wait} minutes");
    }
    receiver.answer_over(Wire::Closed);
    later(store, TimeDelta::hours(12)).await;
    assert_eq!(deliver(store).await, told(0, 1));
    receiver.answer_over(Wire::Whole);
    receiver.answer(200);
    later(store, TimeDelta::hours(12)).await;
    assert_eq!(deliver(store).await, told(1, 0));
    let again = receiver.take();
    assert_eq!(again.len(), 9);
    for request in &again {
        assert_eq!(request.body, first[0].body);
        assert_eq!(request.headers["idempotency-key"], first[0].headers["idempotency-key"]);
        assert!(own.signed(request, ""), "signed anew with the time");
    }
    assert_ne!(again[8].headers["x-renzheng-timestamp"], first[0].headers["x-renzheng-timestamp"]);
    later(store, TimeDelta::days(1)).await;
    assert_eq!(deliver(store).await, told(0, 0), "once it is taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_is_told_nothing_any_more() {
    let scene = Declared::begin("events_gone").await;
    let store = scene.store();
    let receiver = Receiver::start().await;
    let own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    for _ in 0..3 {
        put_down(store, own.made.subscription_id).await;
    }
    receiver.answer(410);
    let came = deliver(store).await;
    assert_eq!((came.delivered, came.ended, receiver.take().len()), (0, 1, 1));
    assert_eq!(list(store, &own.actor).await.expect("a list").len(), 0);
    assert!(errors(&scene.day.harness).await.iter().all(|(state, _)| state == "failed"));
    receiver.answer(204);
    scene.complete(SCHOOL).await.expect("completed");
    scene.push().await;
    later(store, TimeDelta::days(1)).await;
    assert_eq!(deliver(store).await, told(0, 0));
    assert_eq!(receiver.take().len(), 0);
    let audited = crate::runs::say(
        &mut scene.day.harness.program(&["audit", "list", "--object", "subscription 1"], &root().join("jobs")),
    );
    assert!(audited.contains("gone"), "{audited}");
}

async fn watch(store: &Store) -> Vec<String> {
    let alerts = AlertSettings::default();
    let installation = Installation { jobs: &[], alerts: &alerts, tax_is_set: true, broken_jobs: None };
    notify::watch(store, &installation, renzheng::clock::system_now()).await.expect("looked");
    let open = store.list_alerts(false, None, 100).await.expect("alerts");
    open.into_iter().filter(|alert| alert.kind == "subscription_paused").map(|alert| alert.text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_whose_receiver_took_nothing_for_a_week_is_paused_and_its_user_told() {
    let scene = Declared::begin("events_paused").await;
    let store = scene.store();
    let receiver = Receiver::start().await;
    let own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    let id = own.made.subscription_id;
    assert_eq!(resume(store, &own.actor, id).await.expect_err("it goes on").code(), Some("not_paused"));
    test(store, &own.actor, id).await.expect("a ping");
    receiver.answer(500);
    let begun = store.now().await.expect("business time");
    let paused = loop {
        let came = deliver(store).await;
        if came.paused > 0 {
            break came;
        }
        later(store, TimeDelta::hours(12)).await;
        assert!(store.now().await.expect("business time") - begun < TimeDelta::days(10), "{came:?}");
    };
    assert_eq!((paused.given_up, paused.failed, paused.delivered), (1, 0, 0));
    let took = store.now().await.expect("business time") - begun;
    assert!(took >= TimeDelta::days(7) && took < TimeDelta::days(8), "{took}");
    receiver.take();
    receiver.answer(204);

    // nothing leaves while it is paused, and what happens gathers
    test(store, &own.actor, id).await.expect("a ping");
    later(store, TimeDelta::days(1)).await;
    assert_eq!(deliver(store).await, told(0, 0));
    let alerts = watch(store).await;
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0].contains("subscription 1 (own, 127.0.0.1:") && alerts[0].contains("1 events wait"), "{alerts:?}");
    let wanted = Wanted { all: false, before: None, limit: 10 };
    let notices = list_notices(store, &own.actor, &wanted).await.expect("notices");
    assert_eq!(notices.iter().map(|notice| notice.addressee.as_str()).collect::<Vec<_>>(), [SCHOOL]);
    assert!(notices[0].en.contains("subscription 1 (own)") && notices[0].zh.contains("已暂停"), "{notices:?}");

    assert_eq!(resume(store, &own.actor, id).await.expect("resumed").due, 2);
    assert_eq!(deliver(store).await, told(2, 0), "what was given up too");
    assert_eq!(receiver.take_signed(&own).len(), 2);
    assert_eq!(watch(store).await.len(), 0, "it is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_that_is_never_taken_pauses_nobody_who_takes_others() {
    let scene = Declared::begin("events_poison").await;
    let store = scene.store();
    let receiver = Receiver::start().await;
    let own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    let id = own.made.subscription_id;
    let poison = test(store, &own.actor, id).await.expect("a ping").event_id.to_string();
    receiver.refuse(&poison);
    let mut given_up = 0;
    for _ in 0..20 {
        given_up += deliver(store).await.given_up;
        later(store, TimeDelta::minutes(1)).await;
        put_down(store, id).await;
        given_up += deliver(store).await.given_up;
        later(store, TimeDelta::hours(12)).await;
    }
    let refused = receiver.take().iter().filter(|request| request.headers["idempotency-key"] == poison).count();
    assert!(given_up == 1 && refused > 10, "{given_up} given up, {refused} refused");
    let listed = list(store, &own.actor).await.expect("a list");
    assert_eq!((listed[0].paused_at, listed[0].given_up), (None, 1), "its user sees that one is missing");
    assert_eq!(count(&scene.day.harness, "event_delivery where state = 'failed'").await, 1);

    // and goes on with it once the receiver is mended; what waits for its next attempt is left as it is
    receiver.refuse("");
    receiver.answer(500);
    let waits = put_down(store, id).await;
    deliver(store).await;
    let next = "select next_at from event_delivery where event_id = $1";
    let mut connection = scene.day.harness.connection().await;
    let next_at: DateTime<Utc> =
        sqlx::query_scalar(next).bind(waits).fetch_one(&mut connection).await.expect("a delivery");
    receiver.answer(204);
    receiver.take();
    assert_eq!(resume(store, &own.actor, id).await.expect("gone on with").due, 1);
    let unchanged: DateTime<Utc> =
        sqlx::query_scalar(next).bind(waits).fetch_one(&mut connection).await.expect("a delivery");
    assert_eq!(unchanged, next_at);
    assert_eq!(deliver(store).await, told(1, 0));
    assert_eq!(receiver.take()[0].headers["idempotency-key"], poison);
    assert_eq!(list(store, &own.actor).await.expect("a list")[0].given_up, 0);
    assert_eq!(resume(store, &own.actor, id).await.expect_err("nothing is left").code(), Some("not_paused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_between_the_deed_and_the_delivery_loses_nothing() {
    let scene = Declared::begin("events_killed").await;
    let (harness, store) = (&scene.day.harness, scene.store());
    let receiver = Receiver::start().await;
    let own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    scene.complete(SCHOOL).await.expect("completed");
    scene.push().await;
    assert_eq!(count(harness, "event").await, 1, "it is written with the deed, before anything is delivered");
    // the receiver has it, and the sender dies before it hears so
    receiver.answer_over(Wire::Silent);
    let mut program = harness.program(&["run", "events"], &root().join("jobs"));
    program.env("RENZHENG_EVENTS_ALLOW_LOOPBACK", "true").stdout(Stdio::null()).stderr(Stdio::null());
    let mut program = program.spawn().expect("the program starts");
    let first = wait_for(&receiver).await;
    program.kill().expect("killed");
    program.wait().expect("gone");
    receiver.answer_over(Wire::Whole);
    assert_eq!(deliver(store).await, told(0, 0), "the dead one's claim still stands");
    later(store, TimeDelta::days(1)).await;
    assert_eq!(deliver(store).await, told(0, 0), "whatever business time says");
    let expire = "update event_delivery set claimed_until = clock_timestamp() - interval '1 second'";
    sqlx::query(expire).execute(&mut harness.connection().await).await.expect("its time is over");
    assert_eq!(deliver(store).await, told(1, 0));
    let again = receiver.take();
    assert_eq!((again.len(), &again[0].body), (1, &first[0].body), "the same bytes once more");
    assert!(own.signed(&again[0], ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_does_not_answer_holds_no_other_up() {
    let scene = Declared::begin("events_slow").await;
    let store = scene.store().clone();
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    slow.answer_over(Wire::Silent);
    let sluggish = Subscriber::begin(&store, "slow", school(), &slow, &ALL).await;
    let other = Subscriber::begin(&store, "quick", school(), &quick, &ALL).await;
    for _ in 0..3 {
        put_down(&store, sluggish.made.subscription_id).await;
    }
    test(&store, &other.actor, other.made.subscription_id).await.expect("a ping");
    let of_task = store.clone();
    let delivering = tokio::spawn(async move { deliver(&of_task).await });
    wait_for(&slow).await;
    wait_for(&quick).await;
    assert!(!delivering.is_finished(), "the slow one is still waited for");
    assert_eq!(slow.take().len(), 0, "one request to a host at a time");
    // another process leaves the host alone, though more is due for it
    assert_eq!(deliver(&store).await, told(0, 0));
    delivering.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_leaves_the_receiver_alone_for_a_moment() {
    let scene = Declared::begin("events_rest").await;
    let store = scene.store();
    let receiver = Receiver::start().await;
    let own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    for _ in 0..20 {
        put_down(store, own.made.subscription_id).await;
    }
    receiver.answer(500);
    assert_eq!(deliver(store).await, told(0, 1));
    assert_eq!(receiver.take().len(), 1, "nineteen others do not knock at a closed door");
    receiver.answer(204);
    later(store, TimeDelta::minutes(1)).await;
    assert_eq!(deliver(store).await, told(20, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clockwork_delivers_what_is_due() {
    let mut scene = Scene::begin().await;
    let receiver = Receiver::start().await;
    let store = scene.store().clone();
    let own = Subscriber::begin(&store, "own", employer(0), &receiver, &[EventKind::CellChanged]).await;
    scene.lose("wage", 0, 0, 3);
    scene.night().await;
    let text = std::fs::read_to_string(root().join("jobs/events.toml")).expect("the job");
    let job = Job::parse(std::path::Path::new("jobs/events.toml"), &text).expect("a job");
    let policy = renzheng::policy::load(None).expect("the built-in policy");
    let schedule = Schedule::new(store.clone(), vec![job], Environment::default(), policy, None, usual());
    let schedule = schedule.sending_events(LOOPBACK);
    schedule.tick().await.expect("seen for the first time");
    later(&store, TimeDelta::minutes(1)).await;
    schedule.tick().await.expect("fired");
    schedule.drain().await.expect("worked");
    let events = receiver.take_signed(&own);
    assert_eq!(events.len(), 1);
    let runs = store.list_runs(Some("events"), None, 10).await.expect("runs");
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].kind.as_str(), &runs[0].counts["delivered"]), ("deliver_events", &serde_json::json!(1)));
    // minutes in which nothing is due leave no trace
    for _ in 0..3 {
        later(&store, TimeDelta::minutes(1)).await;
        schedule.tick().await.expect("looked");
    }
    let harness = &scene.province.harness;
    assert_eq!((count(harness, "task where job = 'events'").await, count(harness, "fire").await), (1, 1));
    put_down(&store, own.made.subscription_id).await;
    later(&store, TimeDelta::minutes(1)).await;
    schedule.tick().await.expect("fired");
    schedule.drain().await.expect("worked");
    assert_eq!((receiver.take_signed(&own).len(), count(harness, "fire").await), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_after_ninety_days_whatever_became_of_them() {
    let scene = Declared::begin("events_upkeep").await;
    let (harness, store) = (&scene.day.harness, scene.store());
    let receiver = Receiver::start().await;
    let own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    test(store, &own.actor, own.made.subscription_id).await.expect("a ping");
    deliver(store).await;
    receiver.answer(500);
    test(store, &own.actor, own.made.subscription_id).await.expect("a ping");
    deliver(store).await;
    later(store, TimeDelta::days(89)).await;
    let removed = store.maintain("maintain", &usual(), "test").await.expect("maintained");
    assert_eq!(removed.removed[&renzheng::domain::retention::RetentionClass::Events], 0);
    put_down(store, own.made.subscription_id).await;
    later(store, TimeDelta::days(2)).await;
    store.maintain("maintain", &usual(), "test").await.expect("maintained");
    assert_eq!((count(harness, "event").await, count(harness, "event_delivery").await), (1, 1));
    receiver.take();
    receiver.answer(204);
    assert_eq!(deliver(store).await, told(1, 0));
    assert_eq!(receiver.take().iter().map(body).filter(|event| event["kind"] == "ping").count(), 1);
}
