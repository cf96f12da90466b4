//! The person's side as a page of theirs asks it: papers and a code in every request, no account; and staff who hand out codes and answer.

use std::time::{Duration, Instant};

use renzheng::domain::access::Role;
use renzheng::domain::ids::Uscc;
use serde_json::{Value, json};

use super::{Api, Says};
use crate::access::{division, unit, user};
use crate::incremental::uscc;
use crate::person::{OTHER_CODE, Papers, papers};
use crate::review::scene::Scene;
use crate::website::Website;

async fn of(scene: &Scene, person: u32) -> Papers {
    papers(scene.store(), scene.person(person).await).await
}

fn shown(papers: &Papers, code: &str) -> Value {
    json!({ "id_number": papers.id, "certificate_number": papers.certificate, "code": code })
}

async fn issued(api: &Api<'_>, staff: &str, whom: Value) -> String {
    let issued = api.done(staff, "issue_person_code", Says::default().body(whom)).await;
    issued["code"].as_str().expect("a code").to_owned()
}

fn objecting(credentials: &Value, month: &str) -> Says {
    let employer = Uscc::parse(&uscc(0)).expect("a code").to_string();
    let objection =
        json!({ "employer": employer, "months": [month], "kind": "wage_not_received", "text": "没有收到工资" });
    Says::default().body(json!({ "credentials": credentials, "objection": objection }))
}

async fn count(scene: &Scene, table: &str) -> i64 {
    let mut connection = scene.province.harness.connection().await;
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}")))
        .fetch_one(&mut connection)
        .await
        .expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_who_counts_them_objects_and_is_answered() {
    let scene = Scene::begin().await;
    let store = scene.store();
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let staff = user(store, "wang.fang", Role::Reviewer, &division("3601")).await;
    let own = of(&scene, 0).await;
    let code = issued(&api, &staff, json!({ "person_id": own.person.0, "why": "at the counter" })).await;
    let credentials = shown(&own, &code);
    let asking = |more: Value| {
        let mut body = json!({ "credentials": credentials });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        Says::default().body(body)
    };

    let counts = api.done("", "read_own_counts", asking(json!({})).and_at(&[("year", "2025")])).await;
    assert_eq!(counts["employers"][0]["employer"]["uscc"], uscc(0));
    assert_eq!(counts["employers"][0]["months"].as_array().map(Vec::len), Some(12));
    for year in ["1999", "2101", "70000"] {
        let no_year = api.call("", "read_own_counts", asking(json!({})).and_at(&[("year", year)])).await;
        assert_eq!(no_year.problem(), (404, "not_found".to_owned()), "{year}");
    }

    let first = api.done("", "object", objecting(&credentials, "2025-03")).await;
    let elsewhere = api.call("", "object", objecting(&credentials, "2021-03")).await;
    assert_eq!(elsewhere.problem(), (422, "not_counted".to_owned()));
    api.done("", "object", objecting(&credentials, "2025-04")).await;
    let page = api.done("", "list_own_objections", asking(json!({ "limit": 1 }))).await;
    assert_eq!(page["items"][0]["months"], json!(["2025-04"]), "newest first");
    let page = api.done("", "list_own_objections", asking(json!({ "after": page["next"] }))).await;
    assert_eq!((&page["items"][0]["objection_id"], &page["next"]), (&first["objection_id"], &Value::Null));

    // staff
    let waiting = api.done(&staff, "list_objections", Says::default().query("limit", "1")).await;
    assert_eq!(waiting["items"][0]["objection_id"], first["objection_id"], "oldest first");
    assert!(waiting["next"].is_string() && !waiting.to_string().contains("没有收到工资"));
    let at = Says::at(&[("objection_id", &first["objection_id"].to_string())]);
    let read = api.done(&staff, "read_objection", at.clone()).await;
    assert_eq!(read["text"], "没有收到工资");
    assert!(!read.to_string().contains(&own.id), "{read}");
    let far = user(store, "far", Role::Reviewer, &division("3602")).await;
    assert_eq!(api.call(&far, "read_objection", at.clone()).await.problem(), (404, "no_objection".to_owned()));
    let answer =
        at.clone().body(json!({ "finding": "upheld", "text": "已核实。" })).header("idempotency-key", "answer");
    let given = api.done(&staff, "answer_objection", answer.clone()).await;
    assert_eq!(api.done(&staff, "answer_objection", answer).await, given, "answered once, and told again");
    let second = at.body(json!({ "finding": "not_upheld", "text": "x" }));
    assert_eq!(api.call(&staff, "answer_objection", second).await.problem(), (409, "answered".to_owned()));

    // an employer's program reads why a month passes, which is noted before long
    let handler = user(store, "li.hua", Role::Handler, &unit(&uscc(0))).await;
    let person = own.person.0.to_string();
    let of_month = Says::at(&[("uscc", &uscc(0)), ("person_id", &person), ("month", "2025-03")]);
    api.done(&handler, "explain", of_month).await;
    let (began, mut beat) = (Instant::now(), tokio::time::interval(Duration::from_millis(50)));
    while count(&scene, "audit where action = 'read_results'").await == 0 {
        assert!(began.elapsed() < Duration::from_mins(1), "the read is noted");
        beat.tick().await;
    }

    let page = api.done("", "list_own_objections", asking(json!({}))).await;
    assert_eq!(page["items"][1]["answer"]["finding"], "upheld");
    let looks = api.done("", "list_own_looks", asking(json!({ "limit": 500 }))).await;
    let actions: Vec<&str> =
        looks["items"].as_array().expect("rows").iter().filter_map(|look| look["action"].as_str()).collect();
    for action in ["open_case", "issue_person_code", "read_results"] {
        assert!(actions.contains(&action), "{action}: {actions:?}");
    }
    assert!(!looks.to_string().contains("wang.fang"), "not who it was by name");

    // the code ends
    let revoking = Says::default().body(json!({ "id_number": own.id, "why": "lost" }));
    assert_eq!(api.done(&staff, "revoke_person_code", revoking.clone()).await["revoked"], true);
    assert_eq!(api.call(&staff, "revoke_person_code", revoking).await.problem(), (409, "no_code".to_owned()));
    let late = api.call("", "list_own_objections", asking(json!({}))).await;
    assert_eq!(late.problem(), (404, "not_fitting".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_objection_under_one_name_is_one_whatever_happened_since() {
    let scene = Scene::begin().await;
    let store = scene.store();
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let staff = user(store, "wang.fang", Role::Reviewer, &division("3601")).await;
    let (own, other) = (of(&scene, 0).await, of(&scene, 3).await);
    let credentials = shown(&own, &issued(&api, &staff, json!({ "person_id": own.person.0 })).await);
    let named = |says: Says| says.header("idempotency-key", "k-1");

    // twenty at once
    let calls = (0..20).map(|_| api.call("", "object", named(objecting(&credentials, "2025-03"))));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.text == answers[0].text), "{}", answers[0].text);
    assert_eq!(count(&scene, "objection").await, 1);
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count(), 1);

    let otherwise = api.call("", "object", named(objecting(&credentials, "2025-04"))).await;
    assert_eq!(otherwise.problem(), (422, "key_reused".to_owned()));
    let objection = answers[0].json()["objection_id"].to_string();
    let answer = json!({ "finding": "not_upheld", "text": "工资已发放。" });
    api.done(&staff, "answer_objection", Says::at(&[("objection_id", &objection)]).body(answer)).await;
    let renewed = shown(&own, &issued(&api, &staff, json!({ "id_number": own.id })).await);
    let again = api.call("", "object", named(objecting(&renewed, "2025-03"))).await;
    assert_eq!((again.status, &again.text), (200, &answers[0].text), "by another code, after the answer");
    let former = api.call("", "object", named(objecting(&credentials, "2025-03"))).await;
    assert_eq!(former.problem(), (404, "not_fitting".to_owned()), "what was answered is told to nobody else");

    // names are each person's own
    let others = shown(&other, &issued(&api, &staff, json!({ "person_id": other.person.0 })).await);
    let of_other = api.done("", "object", named(objecting(&others, "2025-03"))).await;
    assert_ne!(of_other["objection_id"].to_string(), objection);
    // a token of anybody's changes nothing
    let with_token = api.call(&staff, "object", named(objecting(&renewed, "2025-03"))).await;
    assert_eq!((with_token.status, &with_token.text), (200, &answers[0].text));
    assert_eq!(count(&scene, "objection").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_is_told_nothing_and_waits() {
    let scene = Scene::begin().await;
    let store = scene.store();
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let staff = user(store, "wang.fang", Role::Reviewer, &division("3601")).await;
    let own = of(&scene, 0).await;
    let code = issued(&api, &staff, json!({ "person_id": own.person.0 })).await;
    let ask =
        |code: &str| api.call("", "list_own_looks", Says::default().body(json!({ "credentials": shown(&own, code) })));

    let unnamed = site.request("POST", "/api/v1/person/objections").header("content-type", "application/json");
    let unnamed = unnamed.body(json!({ "credentials": shown(&own, &code) }).to_string());
    assert_eq!(site.ask(unnamed).await.problem(), (400, "idempotency_key_missing".to_owned()));
    let mistyped = ask("2222").await;
    assert_eq!(mistyped.problem(), (422, "mistyped".to_owned()));
    assert_eq!(mistyped.json()["errors"][0]["field"], "code");
    for _ in 0..5 {
        let missed = ask(OTHER_CODE).await;
        assert_eq!(missed.problem(), (404, "not_fitting".to_owned()));
        assert!(!missed.text.contains(&own.id), "{}", missed.text);
    }
    // the right code too
    let closed = ask(&code).await;
    assert_eq!(closed.problem(), (429, "too_many_misses".to_owned()));
    let wait: u32 = closed.header("retry-after").parse().expect("seconds");
    assert!((3000..=3601).contains(&wait), "{wait}");

    // and one address asks only so often, whatever it shows
    let mut limited = None;
    for _ in 0..40 {
        let answer = ask("2222").await;
        limited = Some(answer).filter(|answer| answer.status == 429);
        if limited.is_some() {
            break;
        }
    }
    let limited = limited.expect("limited");
    assert_eq!(limited.problem(), (429, "too_many_requests".to_owned()));
    assert!(limited.header("retry-after").parse::<u32>().is_ok_and(|wait| (1..=60).contains(&wait)));
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_name_a_person_by_number_or_card_and_only_within_their_reach() {
    let scene = Scene::begin().await;
    let store = scene.store();
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let near = user(store, "near", Role::Reviewer, &division("3601")).await;
    let far = user(store, "far", Role::Reviewer, &division("3602")).await;
    let own = of(&scene, 0).await;
    let ask = |token: &str, whom: Value| {
        let token = token.to_owned();
        let api = &api;
        async move { api.call(&token, "issue_person_code", Says::default().body(whom)).await }
    };
    for whom in [json!({ "person_id": own.person.0 }), json!({ "id_number": own.id })] {
        assert_eq!(ask(&far, whom.clone()).await.problem(), (404, "not_found".to_owned()), "{whom}");
    }
    // as if there were no such person
    let nobody = crate::agency::id_number(12);
    assert_eq!(ask(&far, json!({ "id_number": nobody })).await.problem(), (404, "not_found".to_owned()));
    assert_eq!(ask(&near, json!({ "id_number": "1" })).await.problem(), (422, "mistyped".to_owned()));
    for whom in [json!({}), json!({ "person_id": own.person.0, "id_number": own.id })] {
        assert_eq!(ask(&near, whom).await.problem(), (422, "one_person".to_owned()));
    }
    let noted = json!({ "person_id": own.person.0, "why": format!("for {}", own.id) });
    assert_eq!(ask(&near, noted).await.problem(), (422, "note_holds_id_number".to_owned()));

    let says = Says::default().body(json!({ "id_number": own.id })).header("idempotency-key", "k-1");
    let issued = api.done(&near, "issue_person_code", says.clone()).await;
    assert_eq!((&issued["person"], &issued["replaces"]), (&json!(own.person.0), &json!(false)));
    // another ends it; the first request, repeated, is told what it was and makes none
    let second = api.done(&near, "issue_person_code", Says::default().body(json!({ "person_id": own.person.0 }))).await;
    assert_eq!(second["replaces"], true);
    assert_eq!(api.done(&near, "issue_person_code", says).await, issued);
    assert!(own.open(store, second["code"].as_str().expect("a code")).await.is_ok(), "the second one stands");
}
