//! A request that is repeated: to whom its answer is told again, how long, and what is looked at anew each time.

use chrono::TimeDelta;
use renzheng::declare::users::{AskedReach, Period, grant, revoke};
use renzheng::domain::access::Role;
use renzheng::domain::ids::Uscc;
use renzheng::store::Store;
use renzheng::store::audit_log::AuditFilter;
use serde_json::json;

use super::{Api, Says};
use crate::access::{E1, E3, division, province, unit, user};
use crate::harness::actor;
use crate::incremental::{YEAR, uscc};
use crate::review::scene::Scene;
use crate::website::Website;

async fn granted(store: &Store, account: &str, reach: &AskedReach) {
    grant(store, &actor(), account, reach, Period::default()).await.expect("granted");
}

/// Takes back the first grant that holds.
async fn taken_back(store: &Store, account: &str) {
    let user = store.list_users(Some(account)).await.expect("users").remove(0);
    let first = user.grants.iter().find(|grant| grant.revoked.is_none()).expect("a grant").grant_id;
    revoke(store, &actor(), account, Some(first), "gone elsewhere").await.expect("revoked");
}

async fn pass(store: &Store, time: TimeDelta) {
    let now = store.now().await.expect("business time");
    store.set_clock(now + time).await.expect("the clock is set");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_told_again_only_while_role_and_reach_are_what_they_were() {
    let province = province("api_again_access").await;
    let store = &province.harness.store;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let token = user(store, "li.hua", Role::Employer, &unit(E1)).await;
    granted(store, "li.hua", &unit(E3)).await;
    let employer = store.find_unit(&Uscc::parse(E1).expect("a code")).await.expect("asked").expect("known");
    let person = store.list_placements(&[employer]).await.expect("placements")[0].person.0.to_string();
    let untick = Says::at(&[("uscc", E1), ("year", "2025"), ("person_id", &person)])
        .body(json!({ "months": ["2025-03"], "ticked": false }))
        .header("idempotency-key", "k-1");
    let first = api.call(&token, "tick", untick.clone()).await;
    assert_eq!((first.status, &first.json()["changed"]), (200, &json!(1)), "{}", first.text);
    assert_eq!(api.call(&token, "tick", untick.clone()).await.text, first.text);

    // the unit is lost, another is left
    taken_back(store, "li.hua").await;
    let lost = api.call(&token, "tick", untick.clone()).await;
    assert_eq!(lost.problem(), (409, "access_changed".to_owned()));
    assert!(lost.header("idempotency-replayed").is_empty());

    // and given back
    granted(store, "li.hua", &unit(E1)).await;
    let again = api.call(&token, "tick", untick).await;
    assert_eq!((again.status, &again.text, again.header("idempotency-replayed")), (200, &first.text, "true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_told_again_for_a_day_and_then_neither_told_nor_made_again() {
    let province = province("api_again_secret").await;
    let store = &province.harness.store;
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let operator = user(store, "zhao.lei", Role::Operator, &AskedReach::Everything).await;
    user(store, "li.hua", Role::Employer, &unit(E1)).await;
    let adding = Says::at(&[("account", "li.hua")]).body(json!({ "days": 7 })).header("idempotency-key", "k-1");
    let revoking = Says::at(&[("token_id", "2")]).body(json!({ "why": "lost" })).header("idempotency-key", "k-2");
    let added = api.done(&operator, "add_token", adding.clone()).await;
    let revoked = api.done(&operator, "revoke_token", revoking.clone()).await;

    pass(store, TimeDelta::hours(23)).await;
    assert_eq!(api.done(&operator, "add_token", adding.clone()).await, added);
    pass(store, TimeDelta::hours(2)).await;
    let gone = api.call(&operator, "add_token", adding).await;
    assert_eq!(gone.problem(), (410, "answer_gone".to_owned()));
    assert!(!gone.text.contains("rz_"), "{}", gone.text);
    assert_eq!(store.list_tokens(Some("li.hua")).await.expect("tokens").len(), 2, "none was made again");
    assert_eq!(api.done(&operator, "revoke_token", revoking).await, revoked, "what holds no secret is told for longer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_looked_at_anew_by_every_request_and_by_nobody_who_may_no_more() {
    let mut scene = Scene::begin().await;
    scene.submit(0, 0, 3).await;
    let store = scene.store();
    let site = Website::of(store).await;
    let api = Api::of(&site).await;
    let token = user(store, "chen.jie", Role::Reviewer, &division("3601")).await;
    let person = scene.person(0).await.0.to_string();
    let opening = Says::at(&[("uscc", &uscc(0)), ("year", &YEAR.to_string()), ("person_id", &person)])
        .header("idempotency-key", "k-1");
    let next = Says::default().body(json!({})).header("idempotency-key", "k-2");
    for (number, id) in [(1, "open_case"), (2, "open_case"), (3, "take_next_case"), (4, "take_next_case")] {
        let says = if id == "open_case" { opening.clone() } else { next.clone() };
        let answer = api.call(&token, id, says).await;
        assert_eq!((answer.status, answer.header("idempotency-replayed")), (200, ""), "{}", answer.text);
        let case = if id == "open_case" { answer.json() } else { answer.json()["case"].clone() };
        assert_eq!(case["person_id"].to_string(), person, "who has a case gets it again");
        let filter = AuditFilter { actor: Some("chen.jie".to_owned()), ..AuditFilter::default() };
        let rows = store.list_audit(&filter, 100).await.expect("rows");
        let looks = rows.iter().filter(|row| row.action == "open_case").count();
        assert_eq!(looks, number, "each look is in the audit");
    }
    taken_back(store, "chen.jie").await;
    granted(store, "chen.jie", &division("3602")).await;
    assert_eq!(api.call(&token, "open_case", opening).await.problem(), (404, "not_found".to_owned()));
    assert_eq!(api.done(&token, "take_next_case", next).await["case"], json!(null));
}
