//! Review by the API: one reviewer at a time, decisions that hold or are taken back, conflicts between employers, the counter.

use std::time::Instant;

use renzheng::domain::access::Role;
use renzheng::policy::{self, Reading};
use renzheng::web::Site;
use serde_json::{Value, json};

use super::{Api, Says};
use crate::access::{division, unit, user};
use crate::gate::PATIENCE;
use crate::incremental::{YEAR, uscc};
use crate::review::scene::Scene;
use crate::website::Website;

async fn staff(scene: &Scene, account: &str, role: Role) -> String {
    user(scene.store(), account, role, &division("3601")).await
}

/// March of a person at an employer.
async fn march(scene: &Scene, person: u32, employer: u32) -> Says {
    let (code, person) = (uscc(employer), scene.person(person).await.0.to_string());
    Says::at(&[("uscc", &code), ("year", &YEAR.to_string()), ("person_id", &person), ("month", "2025-03")])
}

/// How often somebody did something, by the audit log.
async fn audited(scene: &Scene, account: &str, action: &str) -> i64 {
    let mut connection = scene.province.harness.connection().await;
    sqlx::query_scalar("select count(*) from audit where actor = $1 and action = $2")
        .bind(account)
        .bind(action)
        .fetch_one(&mut connection)
        .await
        .expect("a count")
}

fn persons(page: &Value) -> Vec<String> {
    page["items"].as_array().expect("cases").iter().map(|case| case["person_id"].to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_taken_by_one_decided_and_taken_back() {
    let mut scene = Scene::begin().await;
    scene.submit(0, 0, 3).await;
    scene.submit(1, 1, 3).await;
    let first = staff(&scene, "chen.jie", Role::Reviewer).await;
    let other = staff(&scene, "zhou.min", Role::Reviewer).await;
    let operator =
        user(scene.store(), "counter", Role::Operator, &renzheng::declare::users::AskedReach::Everything).await;
    let site = Website::of(scene.store()).await;
    let api = Api::of(&site).await;
    let (here, there) = (march(&scene, 0, 0).await, march(&scene, 1, 1).await);

    // the queue, page by page
    let page = api.done(&first, "list_cases", Says::default().query("limit", "1")).await;
    let next = page["next"].as_str().expect("more").to_owned();
    let rest = api.done(&first, "list_cases", Says::default().query("after", &next)).await;
    let cases = [persons(&page), persons(&rest)].concat();
    assert_eq!(cases, [here.path["person_id"].clone(), there.path["person_id"].clone()]);
    let looks = api.call(&operator, "take_next_case", Says::default().body(json!({}))).await;
    assert_eq!(looks.problem(), (403, "forbidden".to_owned()), "the operator looks, and takes none");

    // one reviewer at a time
    let take = Says::default().body(json!({}));
    let taken = api.done(&first, "take_next_case", take.clone()).await;
    assert_eq!(taken["case"]["person_id"].to_string(), here.path["person_id"]);
    assert_eq!(taken["case"]["holder"]["reviewer"], "chen.jie");
    let more = api.done(&other, "take_next_case", take.clone()).await;
    assert_eq!(more["case"]["person_id"].to_string(), there.path["person_id"]);
    let none = api.done(&other, "take_next_case", Says::default().body(json!({ "after": next }))).await;
    assert_eq!(none["case"]["holder"]["reviewer"], "zhou.min", "their own again");
    let again = api.done(&first, "take_next_case", take).await;
    assert_eq!(again["case"]["person_id"], taken["case"]["person_id"], "whoever has a case gets it again");
    let seen = api.done(&other, "open_case", here.clone()).await;
    assert_eq!(seen["holder"]["reviewer"], "chen.jie");
    assert_eq!(audited(&scene, "zhou.min", "open_case").await, 3);
    let approve = json!({ "approve": ["wage_paid_by_bank_slip"], "note": "slip of April", "seen": ["wage"] });
    let refused = api.call(&other, "decide_month", here.clone().body(approve.clone())).await;
    assert_eq!(refused.problem(), (409, "held_by_another".to_owned()));

    // a decision needs its reasons, and the grounds that were seen
    let decide = |word: Value| api.call(&first, "decide_month", here.clone().body(word));
    assert_eq!(decide(json!({})).await.problem(), (422, "one_word".to_owned()));
    let changed = decide(json!({ "approve": ["other"], "note": "x", "seen": ["pension"] })).await;
    assert_eq!(changed.problem(), (409, "changed".to_owned()));
    let named = here.clone().body(approve).header("idempotency-key", "decide-1");
    let decided = api.done(&first, "decide_month", named.clone()).await;
    assert_eq!((&decided["approved"], &decided["grounds"]), (&json!(true), &json!(["wage"])));
    let undo = here.clone().body(json!({ "why": "the wrong month" })).header("idempotency-key", "undo-1");
    let undone = api.done(&first, "undo_decision", undo.clone()).await;
    assert_eq!(undone["decision_id"], decided["decision_id"]);
    assert_eq!(
        api.done(&first, "decide_month", named).await,
        decided,
        "it hears what it was told, and decides nothing"
    );
    let shown = api.done(&first, "open_case", here.clone()).await;
    assert_eq!(shown["months"][2]["standing"], "under_review");
    assert_eq!(shown["months"][2]["fails_for"], json!(["wage"]));
    assert_eq!(shown["decisions"].as_array().map(Vec::len), Some(1));
    let reject = json!({ "reject": ["document_illegible"], "seen": ["wage"] });
    assert_eq!(api.done(&first, "decide_month", here.clone().body(reject)).await["approved"], false);
    assert_eq!(api.done(&first, "undo_decision", undo).await, undone, "the answer of then; the new decision stands");
    let back = here.clone().header("idempotency-key", "release-1");
    let released = api.done(&first, "release_case", back.clone()).await;
    assert_eq!(api.done(&first, "release_case", back).await, released);
    assert_eq!(api.call(&first, "release_case", here.clone()).await.problem(), (409, "not_held".to_owned()));

    // an original seen today
    let original = json!({ "kind": "disabled_person", "level": 9, "valid_from": "2020-01-01" });
    let refused = api.call(&first, "record_original", here.clone().body(original)).await;
    assert_eq!(refused.problem(), (409, "no_such_level".to_owned()));
    let original = json!({ "kind": "disabled_person", "level": 2, "valid_from": "2020-01-01" });
    let seen = api.done(&first, "record_original", here.clone().body(original)).await;
    assert_eq!(seen["seen_on"], "2026-03-02");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_proposes_does_not_second() {
    let mut scene = Scene::begin().await;
    let text = policy::BUILT_IN.replacen("value = \"off\"", "value = \"all\"", 1);
    let reading = || Reading { policy: policy::parse(&text).expect("a policy"), text: text.clone() };
    scene.province.policy = reading();
    scene.verify().await;
    scene.submit(0, 0, 3).await;
    let first = staff(&scene, "wang.fang", Role::Supervisor).await;
    let other = staff(&scene, "zhao.lei", Role::Supervisor).await;
    let site = Website::serving(Site::new(scene.store().clone(), reading())).await;
    let api = Api::of(&site).await;
    let here = march(&scene, 0, 0).await;
    api.done(&first, "open_case", here.clone()).await;
    let approve = json!({ "approve": ["wage_paid_by_bank_slip"] });
    let proposed = api.done(&first, "decide_month", here.clone().body(approve)).await;
    assert_eq!(proposed["second_asked"], true);
    let agree = here.clone().body(json!({ "agrees": true }));
    assert_eq!(api.call(&first, "second_decision", agree.clone()).await.problem(), (409, "same_person".to_owned()));
    let queue = api.done(&other, "list_cases", Says::default()).await;
    assert_eq!(queue["items"][0]["proposed"], json!(["2025-03"]));
    assert_eq!(api.done(&other, "second_decision", agree).await["agreed"], true);
    let overview = api.done(&other, "read_declaration", here).await;
    assert_eq!((&overview["placements"]["under_review"], &overview["next"]), (&json!(0), &json!("complete")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_two_would_count_is_decided_for_one() {
    let mut scene = Scene::begin().await;
    scene.employ(0, 1).await;
    scene.night().await;
    let supervisor = staff(&scene, "wang.fang", Role::Supervisor).await;
    let employer = user(scene.store(), "li.hua", Role::Employer, &unit(&uscc(0))).await;
    let site = Website::of(scene.store()).await;
    let api = Api::of(&site).await;
    let year = Says::at(&[("year", &YEAR.to_string())]);
    let contested = api.done(&supervisor, "list_conflicts", year.clone()).await;
    assert_eq!((contested["items"].as_array().map(Vec::len), &contested["next"]), (Some(12), &json!(null)));
    assert_eq!(audited(&scene, "wang.fang", "open_case").await, 1, "seeing them is a sensitive read");
    let own = api.call(&employer, "list_conflicts", year).await;
    assert_eq!(own.problem(), (403, "forbidden".to_owned()));

    let person = scene.person(0).await.0;
    let word =
        json!({ "person_id": person, "month": "2025-03", "employer_uscc": uscc(1), "reason": "labour_contract" });
    let decide = Says::default().body(word).header("idempotency-key", "decide-1");
    let decided = api.done(&supervisor, "decide_conflict", decide.clone()).await;
    assert_eq!(decided["employer_uscc"], uscc(1));
    let marks = async || {
        let line = |results: Value| results["items"][0]["months"][2]["conflict"].clone();
        let at = |employer| Says::at(&[("uscc", uscc(employer).as_str()), ("year", "2025")]);
        let mut marks = Vec::new();
        for employer in [0, 1] {
            marks.push(line(api.done(&supervisor, "list_results", at(employer)).await));
        }
        marks
    };
    let come_to = async |wanted: [bool; 2]| {
        let begun = Instant::now();
        while marks().await != wanted.map(Value::from) {
            assert!(begun.elapsed() < PATIENCE, "never {wanted:?}");
        }
    };
    // both see it within a moment
    come_to([true, false]).await;
    let open = json!({ "person_id": person, "month": "2025-03", "why": "another agreement" });
    let undone = api.done(&supervisor, "undo_conflict", Says::default().body(open)).await;
    assert_eq!(undone["employer_uscc"], json!(null));
    come_to([true, true]).await;
    assert_eq!(api.done(&supervisor, "decide_conflict", decide).await, decided, "told again, and not decided again");
    assert_eq!(marks().await, [json!(true), json!(true)]);
}
