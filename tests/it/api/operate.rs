//! What operators do to the installation: only who is granted all of it, each act once, each with a reason that can be kept.

use std::sync::Arc;

use renzheng::declare::discard::discard;
use renzheng::declare::operate::{
    Part, TaskStep, acknowledge_alert, decide_task, discard_refusals, hold, pause_job, release, resume_job,
    retry_messages,
};
use renzheng::domain::access::{Actor, Role};
use renzheng::store::Store;
use renzheng::store::quarantine::QuarantineFilter;
use renzheng::store::request_answers::{Answered, Request, Said};
use serde_json::{Value, json};

use super::{Api, Says};
use crate::access::user;
use crate::declaring::{SCHOOL, Scene, YEAR};
use crate::website::Website;

const EVERYTHING: renzheng::declare::users::AskedReach = renzheng::declare::users::AskedReach::Everything;

/// What a request is answered that asked for an act, as it was kept by the act's own change and by nothing else.
async fn answer_within(store: &Store, name: &str, act: impl AsyncFnOnce(Store)) -> Value {
    let at = store.now().await.expect("now");
    let said = Said { account: "zhao.lei", access: "everything", key: name, asks: name };
    let request = Arc::new(Request::new(store, &said, at));
    act(store.for_request(request.clone())).await;
    match store.find_answer(&request).await.expect("read") {
        Some(Answered::Before(answer)) => serde_json::from_slice(&answer).expect("JSON"),
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_act_of_an_operator_keeps_its_answer_with_what_it_changes() {
    let scene = Scene::begin("api_operate_answers").await;
    let message_id = scene.complete(SCHOOL).await.expect("completed").message_id;
    let (store, actor) = (scene.store(), Actor::operator("zhao.lei"));
    let mut connection = scene.day.harness.connection().await;
    let alert_id: i32 = sqlx::query_scalar(
        "insert into alert (kind, subject, text, chinese, opened_at) values ('run_failed', 'pull-wage', 'it failed', '失败', now())
         returning alert_id",
    )
    .fetch_one(&mut connection)
    .await
    .expect("an alert");
    let tasks: Vec<i64> = sqlx::query_scalar(
        "insert into task (kind, key, job, business_date, priority, state, due_at, attempts, created_at, created_by, finished_at)
         select 'pull', key, 'pull-wage', '2026-04-15', 1, 'dead', now(), 3, now(), 'test', now() from unnest(array['one', 'two']) as key
         returning task_id",
    )
    .fetch_all(&mut connection)
    .await
    .expect("tasks");
    let refused: i64 = sqlx::query_scalar(
        "select quarantine_id from quarantine join batch using (batch_id) where closed_seq is null and state = 'published' limit 1",
    )
    .fetch_one(&mut connection)
    .await
    .expect("a refused record");
    let why = "a call";
    let changed = json!({ "changed": true });

    let held = answer_within(store, "hold", async |store| {
        hold(&store, &actor, Part::Everything, why).await.expect("held");
    });
    assert_eq!(held.await, changed);
    let released = answer_within(store, "release", async |store| {
        release(&store, &actor, Part::Everything, why).await.expect("released");
    });
    assert_eq!(released.await, changed);
    let retried = answer_within(store, "retry", async |store| {
        retry_messages(&store, &actor, Some(message_id), why).await.expect("due");
    });
    assert_eq!(retried.await, changed);
    let given_up = answer_within(store, "discard", async |store| {
        discard(&store, &actor, message_id, why).await.expect("given up");
    });
    assert_eq!(given_up.await, changed);
    let paused = answer_within(store, "pause", async |store| {
        pause_job(&store, &actor, "pull-wage", why).await.expect("paused");
    });
    assert_eq!(paused.await, changed);
    let resumed = answer_within(store, "resume", async |store| {
        resume_job(&store, &actor, "pull-wage").await.expect("resumed");
    });
    assert_eq!(resumed.await, changed);
    for (task_id, step) in tasks.into_iter().zip([TaskStep::Retry, TaskStep::Discard]) {
        let name = format!("{step:?}");
        let decided = answer_within(store, &name, async |store| {
            decide_task(&store, &actor, task_id, step, why).await.expect("decided");
        });
        assert_eq!(decided.await, changed);
    }
    let acknowledged = answer_within(store, "acknowledge", async |store| {
        acknowledge_alert(&store, &actor, alert_id, why).await.expect("acknowledged");
    });
    assert_eq!(acknowledged.await, changed);
    let filter = QuarantineFilter { ids: vec![refused], ..QuarantineFilter::default() };
    let closed = answer_within(store, "refusals", async |store| {
        discard_refusals(&store, &actor, &filter, why).await.expect("closed");
    });
    assert_eq!(closed.await, json!({ "discarded": 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_held_tried_again_and_given_up_once_and_a_refusal_says_which_it_is() {
    let scene = Scene::begin("api_operate").await;
    let message_id = scene.complete(SCHOOL).await.expect("completed").message_id.to_string();
    let store = scene.store();
    let operator = user(store, "zhao.lei", Role::Operator, &EVERYTHING).await;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let message = || Says::at(&[("message_id", &message_id)]);
    let why = |why: &str| json!({ "why": why });

    let year = json!({ "employer": SCHOOL, "year": YEAR, "why": "a call" });
    let holding = Says::default().body(year.clone()).header("idempotency-key", "hold-1");
    assert_eq!(api.done(&operator, "hold_outbox", holding.clone()).await, json!({ "changed": true }));
    let again = api.done(&operator, "hold_outbox", Says::default().body(year.clone())).await;
    assert_eq!(again, json!({ "changed": false }), "held already");
    let releasing = Says::default().body(year);
    assert_eq!(api.done(&operator, "release_outbox", releasing).await, json!({ "changed": true }));
    assert_eq!(api.done(&operator, "hold_outbox", holding).await, json!({ "changed": true }), "told again, not done");
    assert_eq!(api.done(&operator, "read_outbox", Says::default()).await["holds"], json!([]));

    // a reason is one readable line
    for (reason, code) in [
        (String::new(), "reason_missing"),
        (" \n".to_owned(), "reason_missing"),
        ("长".repeat(1001), "reason_too_long"),
        ("a\nb".to_owned(), "reason_unreadable"),
        ("for 360001196501010019".to_owned(), "note_holds_id_number"),
    ] {
        let refused = api.call(&operator, "discard_message", message().body(why(&reason))).await;
        assert_eq!(refused.problem(), (422, code.to_owned()), "{reason:?}");
        let refused = api.call(&operator, "hold_outbox", Says::default().body(why(&reason))).await;
        assert_eq!(refused.problem(), (422, code.to_owned()), "{reason:?}");
        let revoking = Says::at(&[("account", "zhao.lei")]).body(why(&reason));
        let refused = api.call(&operator, "revoke", revoking).await;
        assert_eq!(refused.problem(), (422, code.to_owned()), "{reason:?}");
    }

    // given up once
    assert_eq!(
        api.done(&operator, "discard_message", message().body(why("test data"))).await,
        json!({ "changed": true })
    );
    assert_eq!(
        api.done(&operator, "discard_message", message().body(why("test data"))).await,
        json!({ "changed": false }),
        "it was given up before"
    );
    let unknown = Says::at(&[("message_id", "019d8ec6-1a00-7000-8000-000000000001")]);
    for id in ["discard_message", "retry_message"] {
        let refused = api.call(&operator, id, unknown.clone().body(why("x"))).await;
        assert_eq!(refused.problem(), (404, "not_found".to_owned()), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_department_may_have_is_not_given_up() {
    let scene = Scene::begin("api_operate_sent").await;
    let message_id = scene.complete(SCHOOL).await.expect("completed").message_id.to_string();
    scene.push().await;
    let operator = user(scene.store(), "zhao.lei", Role::Operator, &EVERYTHING).await;
    let site = Website::of(scene.store()).await;
    let api = Api::of(&site).await;
    let says = Says::at(&[("message_id", &message_id)]).body(json!({ "why": "x" }));
    let refused = api.call(&operator, "discard_message", says).await;
    assert_eq!(refused.problem(), (409, "may_have_arrived".to_owned()));
}
