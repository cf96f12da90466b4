//! What holds for every operation: names of requests, pages, bodies, the document itself.

use serde_json::json;

use super::{Api, Says};
use crate::access::{E1, division, province, unit, user};
use crate::fixtures::Day;
use crate::website::Website;
use renzheng::declare::users::AskedReach;
use renzheng::domain::access::Role;
use renzheng::domain::ids::Uscc;

/// An employer's program and one of its placements.
struct Scene {
    province: Day,
    site: Website,
    token: String,
    person: String,
}

impl Scene {
    async fn begin(name: &str) -> Self {
        let province = province(name).await;
        let store = &province.harness.store;
        let site = Website::of(store).await;
        let token = user(store, "li.hua", Role::Employer, &unit(E1)).await;
        let employer = store.find_unit(&Uscc::parse(E1).expect("a code")).await.expect("asked").expect("known");
        let person = store.list_placements(&[employer]).await.expect("placements")[0].person.0.to_string();
        Self { province, site, token, person }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_named_done_once_and_answered_the_same() {
    let Scene { province, site, token, person } = Scene::begin("api_once").await;
    let api = Api::of(&site).await;
    let other = user(&province.harness.store, "wang.fang", Role::Employer, &unit(E1)).await;
    let at = Says::at(&[("uscc", E1), ("year", "2025"), ("person_id", &person)]);
    let untick = |months: serde_json::Value| at.clone().body(json!({ "months": months, "ticked": false }));

    // a request without a name is no write
    let path = format!("/api/v1/employers/{E1}/years/2025/placements/{person}/ticks");
    let body = json!({ "months": ["2025-03"], "ticked": false }).to_string();
    let unnamed = site.request("PUT", &path).bearer_auth(&token).header("content-type", "application/json").body(body);
    assert_eq!(site.ask(unnamed).await.problem(), (400, "idempotency_key_missing".to_owned()));
    let bad = api.call(&token, "tick", untick(json!(["2025-03"])).header("idempotency-key", "with blank")).await;
    assert_eq!(bad.problem(), (400, "bad_idempotency_key".to_owned()));

    let named = |says: Says| says.header("idempotency-key", "k-1");
    let first = api.call(&token, "tick", named(untick(json!(["2025-03"])))).await;
    assert_eq!((first.status, first.json()["changed"].as_u64()), (200, Some(1)), "{}", first.text);
    let again = api.call(&token, "tick", named(untick(json!(["2025-03"])))).await;
    assert_eq!((again.status, &again.text), (200, &first.text), "the same, though nothing would change now");
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    let otherwise = api.call(&token, "tick", named(untick(json!(["2025-04"])))).await;
    assert_eq!(otherwise.problem(), (422, "key_reused".to_owned()));
    // names are each user's own
    let of_other = api.call(&other, "tick", named(untick(json!(["2025-04"])))).await;
    assert_eq!((of_other.status, of_other.json()["changed"].as_u64()), (200, Some(1)), "{}", of_other.text);
    // what is refused is decided anew
    let refused = api.call(&token, "tick", untick(json!(["2024-03"])).header("idempotency-key", "k-2")).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    let after = api.call(&token, "tick", untick(json!(["2025-05"])).header("idempotency-key", "k-2")).await;
    assert_eq!(after.status, 200, "{}", after.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_same_requests_at_once_are_one() {
    let Scene { site, token, person, province: _province } = Scene::begin("api_race").await;
    let api = Api::of(&site).await;
    let says = Says::at(&[("uscc", E1), ("year", "2025"), ("person_id", &person)])
        .body(json!({ "months": ["2025-03"], "ticked": false }))
        .header("idempotency-key", "k-1");
    let calls = (0..100).map(|_| api.call(&token, "tick", says.clone()));
    let answers = futures_util::future::join_all(calls).await;
    assert!(
        answers.iter().all(|answer| answer.status == 200),
        "{:?}",
        answers.iter().map(|one| &one.text).collect::<Vec<_>>()
    );
    assert!(answers.iter().all(|answer| answer.json()["changed"] == 1), "each hears of the one change");
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_with_its_place_and_without_what_it_held() {
    let Scene { site, token, province: _province, .. } = Scene::begin("api_bodies").await;
    let path = format!("/api/v1/employers/{E1}/years/2025/placements/1/ticks");
    let ask = |kind: &'static str, body: &str| {
        let request =
            site.request("PUT", &path).bearer_auth(&token).header("idempotency-key", "k").header("content-type", kind);
        site.ask(request.body(body.to_owned()))
    };
    let code = |answer: &crate::website::Answer| answer.problem().1;
    assert_eq!(code(&ask("text/plain", "{}").await), "not_json");
    for body in [
        "",
        "{",
        "[]",
        r#"{"months":["2025-13"],"ticked":true}"#,
        r#"{"months":[],"ticked":true,"x":1}"#,
        r#"{"ticked":true} {}"#,
    ] {
        assert_eq!(code(&ask("application/json", body).await), "bad_body", "{body}");
    }
    let number = "360001196501010019";
    let answer = ask("application/json", &format!(r#"{{"months":["{number}"],"ticked":true}}"#)).await;
    assert!(!answer.text.contains(number) && answer.text.contains("months[0]"), "{}", answer.text);
    let large = format!(r#"{{"months":["{}"]}}"#, "x".repeat(2 << 20));
    assert_eq!(code(&ask("application/json", &large).await), "too_large");

    let get = async |path: &str| site.get(path, &token).await.problem();
    let results = format!("/api/v1/employers/{E1}/years/2025/results");
    assert_eq!(get(&format!("{results}?limit=0")).await.1, "bad_limit");
    assert_eq!(get(&format!("{results}?limit=501")).await.1, "bad_limit");
    assert_eq!(get(&format!("{results}?after=x")).await.1, "bad_cursor");
    assert_eq!(get(&format!("{results}?page=2")).await.1, "bad_query");
    let unknown = site.get(&format!("{results}?page=2"), &token).await;
    assert!(unknown.text.contains("accepted is `") && unknown.text.contains("`limit`"), "{}", unknown.text);
    let worded = site.get(&format!("{results}?limit=ten"), &token).await;
    assert!(worded.text.contains("`limit` of the query") && worded.text.contains("查询参数limit不"), "{}", worded.text);
    assert_eq!(get("/api/v1/employers/36/years/2025/results").await.1, "not_found");
    assert_eq!(get("/api/v1/nothing").await.1, "not_found");
    let answer = site.ask(site.request("DELETE", &results).bearer_auth(&token)).await;
    assert_eq!(answer.problem(), (405, "method_not_allowed".to_owned()));
    assert!(answer.header("allow").contains("GET"), "{:?}", answer.headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn signs_that_no_text_holds_are_refused_wherever_they_stand() {
    let province = province("api_signs").await;
    let store = &province.harness.store;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let token = user(store, "zhao.lei", Role::Operator, &AskedReach::Everything).await;
    for sign in ["\0", "a\u{1b}[2J", "\u{85}"] {
        let name = json!({ "account": "new.user", "name": sign, "role": "auditor" });
        let body = api.call(&token, "add_user", Says::default().body(name)).await;
        assert_eq!(body.problem(), (400, "control_sign".to_owned()), "{sign:?}");
        let title = json!({ "division": "3601", "title": sign, "text": "正文" });
        let body = api.call(&token, "publish_announcement", Says::default().body(title)).await;
        assert_eq!(body.problem(), (400, "control_sign".to_owned()), "{sign:?}");
        let query = api.call(&token, "list_audit", Says::default().query("object", sign)).await;
        assert_eq!(query.problem(), (400, "control_sign".to_owned()), "{sign:?}");
        let encoded: String = url::form_urlencoded::byte_serialize(sign.as_bytes()).collect();
        for path in [format!("/api/v1/users/{encoded}"), format!("/api/v1/jobs/{encoded}/pause")] {
            let method = if path.ends_with("pause") { "POST" } else { "GET" };
            let request = site.request(method, &path).bearer_auth(&token).header("idempotency-key", "k");
            let request = request.header("content-type", "application/json").body(r#"{"why":"x"}"#);
            assert_eq!(site.ask(request).await.problem(), (404, "not_found".to_owned()), "{path}");
        }
        let form = site.request("POST", "/check").header("content-type", "application/x-www-form-urlencoded");
        let page = site.ask(form.body(format!("number={encoded}&code=2222"))).await;
        assert_eq!(page.status, 404, "{}", page.text);
    }
    let lines = json!({ "account": "new.user", "name": "甲\t乙", "role": "auditor" });
    api.done(&token, "add_user", Says::default().body(lines)).await;
}

/// Where the database's own order is another than that of bytes, too.
#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_users_and_tokens_hold_each_once() {
    let province = province("api_user_pages").await;
    let store = &province.harness.store;
    let mut connection = province.harness.connection().await;
    let other_order = r#"alter table app_user alter column account type text collate "und-x-icu""#;
    sqlx::query(other_order).execute(&mut connection).await.expect("a collation");
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let token = user(store, "operator", Role::Operator, &AskedReach::Everything).await;
    let accounts = ["a-d", "a.b", "a_c", "ab"];
    for account in accounts {
        user(store, account, Role::Auditor, &division("3601")).await;
    }
    for id in ["list_users", "list_tokens"] {
        let (mut seen, mut after) = (Vec::new(), None::<String>);
        loop {
            let says = Says::default().query("limit", "2");
            let page = api.done(&token, id, after.iter().fold(says, |says, after| says.query("after", after))).await;
            let items = page["items"].as_array().expect("rows");
            seen.extend(items.iter().map(|item| item["account"].as_str().expect("an account").to_owned()));
            if id == "list_users" {
                assert!(
                    items.iter().all(|user| user["grants"].as_array().is_some_and(|grants| grants.len() == 1)),
                    "{page}"
                );
            }
            match page["next"].as_str() {
                Some(next) => after = Some(next.to_owned()),
                None => break,
            }
        }
        if id == "list_tokens" {
            seen.reverse();
            assert_eq!(seen, ["operator", "a-d", "a.b", "a_c", "ab"], "newest first");
        } else {
            assert_eq!(seen, ["a-d", "a.b", "a_c", "ab", "operator"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_list_hold_every_row_once() {
    let Scene { site, token, province: _province, .. } = Scene::begin("api_pages").await;
    let api = Api::of(&site).await;
    let at = Says::at(&[("uscc", E1), ("year", "2025")]);
    let whole = api.done(&token, "list_results", at.clone()).await;
    assert_eq!(whole["next"], json!(null));
    let (mut rows, mut after) = (Vec::new(), None::<String>);
    loop {
        let says = at.clone().query("limit", "1");
        let page = api.done(
            &token,
            "list_results",
            match &after {
                Some(after) => says.query("after", after),
                None => says,
            },
        );
        let page = page.await;
        rows.extend(page["items"].as_array().expect("rows").clone());
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(whole["items"], json!(rows));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hangs_up_spoils_nobody_elses_answer() {
    let Scene { site, token, person, province: _province } = Scene::begin("api_hang_up").await;
    let api = Api::of(&site).await;
    let at = Says::at(&[("uscc", E1), ("person_id", &person), ("month", "2025-03")]);
    let whole = api.done(&token, "explain", at.clone()).await;
    let path = format!("/api/v1/employers/{E1}/persons/{person}/months/2025-03/explanation");
    for round in 0..20_usize {
        // each hangs up when it was woken so many times
        let hung_up = (0..30).map(|number| {
            let mut asked = Box::pin(site.try_to_ask(site.request("GET", &path).bearer_auth(&token)));
            let (mut turn, turns) = (0, 1 + (round + number) % 4);
            std::future::poll_fn(move |context| {
                turn += 1;
                if turn > turns { std::task::Poll::Ready(()) } else { asked.as_mut().poll(context).map(drop) }
            })
        });
        futures_util::future::join_all(hung_up).await;
        let answers = (0..10).map(|_| api.call(&token, "explain", at.clone()));
        for answer in futures_util::future::join_all(answers).await {
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!(answer.json(), whole);
        }
    }
}
