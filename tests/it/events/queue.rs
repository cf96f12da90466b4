//! What waits for receivers: who may put more there, how long a receiver is left alone, and that nobody stands in another's way.

use std::time::Instant;

use chrono::TimeDelta;
use renzheng::declare::subscriptions::{list, test};
use renzheng::notify::events::deliver_events;
use renzheng::store::Store;
use renzheng::store::event_deliveries::{DueDelivery, Failed};
use renzheng::store::subscriptions::EndedWhy;

use super::receiver::{LOOPBACK, Receiver, Subscriber, deliver, later, put_down, told};
use super::{ALL, count, errors, school};
use crate::declaring::Scene as Declared;
use crate::gate::PATIENCE;
use crate::harness::Harness;

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_waits_for_the_one_before() {
    let scene = Declared::begin("events_pings").await;
    let store = scene.store();
    let receiver = Receiver::start().await;
    let own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    let id = own.made.subscription_id;
    test(store, &own.actor, id).await.expect("a ping");
    let refused = test(store, &own.actor, id).await.expect_err("one waits");
    assert_eq!(refused.code(), Some("ping_waits"));
    receiver.answer(500);
    deliver(store).await;
    assert_eq!(test(store, &own.actor, id).await.expect_err("it still waits").code(), Some("ping_waits"));
    assert_eq!(count(&scene.day.harness, "event").await, 1);
    receiver.answer(204);
    later(store, TimeDelta::minutes(1)).await;
    assert_eq!(deliver(store).await, told(1, 0));
    test(store, &own.actor, id).await.expect("it was taken: another may follow");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_asks_to_be_left_alone_is() {
    let scene = Declared::begin("events_retry_after").await;
    let store = scene.store();
    let receiver = Receiver::start().await;
    let own = Subscriber::begin(store, "own", school(), &receiver, &ALL).await;
    put_down(store, own.made.subscription_id).await;
    receiver.answer(503);
    receiver.ask_to_stay_away(20 * 60);
    assert_eq!(deliver(store).await, told(0, 1));
    receiver.answer(204);
    put_down(store, own.made.subscription_id).await;
    later(store, TimeDelta::minutes(19)).await;
    assert_eq!(deliver(store).await, told(0, 0), "neither that event nor another");
    later(store, TimeDelta::minutes(1)).await;
    assert_eq!(deliver(store).await, told(2, 0));

    // who is not busy has no such wish, and nobody's is longer than ours
    put_down(store, own.made.subscription_id).await;
    receiver.answer(500);
    assert_eq!(deliver(store).await, told(0, 1));
    later(store, TimeDelta::minutes(1)).await;
    receiver.answer(429);
    receiver.ask_to_stay_away(1_000_000);
    assert_eq!(deliver(store).await, told(0, 1));
    receiver.answer(204);
    later(store, TimeDelta::hours(12)).await;
    assert_eq!(deliver(store).await, told(1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_here_at_one_host_keeps_nothing_from_the_others() {
    let scene = Declared::begin("events_broken_host").await;
    let (harness, store) = (&scene.day.harness, scene.store());
    let (bad, good) = (Receiver::start().await, Receiver::start().await);
    let broken = Subscriber::begin(store, "broken", school(), &bad, &ALL).await;
    let well = Subscriber::begin(store, "well", school(), &good, &ALL).await;
    put_down(store, broken.made.subscription_id).await;
    for _ in 0..20 {
        put_down(store, well.made.subscription_id).await;
    }
    let refuse = format!(
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
         create trigger refuse before update of state on event_delivery for each row when (new.subscription_id = {})
             execute function refuse();",
        broken.made.subscription_id
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(refuse)).execute(&mut harness.connection().await).await.expect("a trigger");
    deliver_events(store, LOOPBACK).await.expect_err("what one took could not be stored");
    assert_eq!((bad.take().len(), good.take().len()), (1, 20));
    assert_eq!(count(harness, "event_delivery where state = 'delivered'").await, 20);
}

/// What the outcome of an attempt is stored with.
enum Outcome {
    Delivered,
    PutOff,
    GivenBack,
}

async fn store_outcome(store: Store, due: Vec<DueDelivery>, outcome: Outcome) {
    let at = store.now().await.expect("business time");
    let failed = Failed { status: None, error: "down" };
    let stored = match outcome {
        Outcome::Delivered => store.save_delivered(&due[0], 204, at).await,
        Outcome::PutOff => store.put_off_delivery(&due[0], failed, at, at).await,
        Outcome::GivenBack => store.give_back_deliveries(&due).await,
    };
    stored.expect("no deadlock");
}

/// Until somebody in this database waits for a row that another holds.
async fn wait_for_a_waiter(harness: &Harness) {
    let mut connection = harness.connection().await;
    let begun = Instant::now();
    loop {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        )
        .fetch_one(&mut connection)
        .await
        .expect("a count");
        if waiting > 0 {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "nobody waits");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_ends_a_subscription_and_whoever_delivers_to_it_wait_for_each_other_in_one_order() {
    let scene = Declared::begin("events_order").await;
    let (harness, store) = (&scene.day.harness, scene.store());
    let receiver = Receiver::start().await;
    for (number, outcome) in [Outcome::Delivered, Outcome::PutOff, Outcome::GivenBack].into_iter().enumerate() {
        let own = Subscriber::begin(store, &format!("own{number}"), school(), &receiver, &ALL).await;
        let id = own.made.subscription_id;
        for _ in 0..2 {
            put_down(store, id).await;
        }
        let at = store.now().await.expect("business time");
        let due = store.claim_deliveries(at, 8).await.expect("claimed");
        assert!(due.len() == 2 && due.iter().all(|one| one.subscription_id == id), "{due:?}");
        // a failure before: what is delivered then has something to store about the subscription
        let rest = "update event_subscription set rests_until = '2000-01-01' where subscription_id = $1";
        sqlx::query(rest).bind(id).execute(&mut harness.connection().await).await.expect("it rested");
        let mut change = store.change().await.expect("a change");
        change.lock_subscription(id).await.expect("locked").expect("it stands");
        let storing = tokio::spawn(store_outcome(store.clone(), due, outcome));
        wait_for_a_waiter(harness).await;
        assert!(change.end_subscription(id, EndedWhy::Removed, at).await.expect("no deadlock"));
        change.commit().await.expect("ended");
        storing.await.expect("stored");
        assert_eq!(list(store, &own.actor).await.expect("a list").len(), 0);
    }
    let ended = errors(harness).await;
    assert!(ended.iter().all(|(state, _)| state == "failed"), "{ended:?}");
}
