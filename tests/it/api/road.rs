//! The road of a declaration by nothing but the API: ticked, handed in, decided, completed, certified, withdrawn, declared again, amended.

use renzheng::domain::access::Role;
use serde_json::{Value, json};

use super::{Api, Says};
use crate::access::{division, unit, user};
use crate::declaring::{SCHOOL, Scene, YEAR};
use crate::website::Website;

/// Whoever takes part, by their tokens.
struct Parts {
    employer: String,
    reviewer: String,
    supervisor: String,
}

async fn parts(scene: &Scene, code: &str) -> Parts {
    let store = scene.store();
    Parts {
        employer: user(store, "li.hua", Role::Employer, &unit(code)).await,
        reviewer: user(store, "chen.jie", Role::Reviewer, &division("36")).await,
        supervisor: user(store, "wang.fang", Role::Supervisor, &division("36")).await,
    }
}

fn of_year(code: &str) -> Says {
    Says::at(&[("uscc", code), ("year", &YEAR.to_string())])
}

/// Months of a placement that stand so, and whom they are about.
fn standing_so(placements: &Value, standing: &str) -> Vec<(String, String)> {
    let lines = placements["items"].as_array().expect("placements");
    let months = lines.iter().flat_map(|line| {
        let person = line["person_id"].to_string();
        let months = line["months"].as_array().expect("months").iter();
        months
            .filter(|month| month["standing"] == standing)
            .map(move |month| (person.clone(), month["month"].as_str().expect("a month").to_owned()))
            .collect::<Vec<_>>()
    });
    months.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_is_declared_withdrawn_declared_again_and_amended() {
    let scene = Scene::begin("api_road").await;
    let Parts { employer, reviewer, supervisor } = parts(&scene, SCHOOL).await;
    let site = Website::of(scene.store()).await;
    let api = Api::of(&site).await;
    let at = of_year(SCHOOL);

    // where it stands: everything that is ticked passes, one worker has two months that do not
    let overview = api.done(&employer, "read_declaration", at.clone()).await;
    assert_eq!((&overview["declaration"]["state"], &overview["next"]), (&json!("open"), &json!("complete")));
    assert_eq!(overview["window_is_open"], true);
    let placements = api.done(&employer, "list_standings", at.clone()).await;
    let (person, month) = standing_so(&placements, "unticked").into_iter().next().expect("a month that does not pass");
    let placement = at.clone().and_at(&[("person_id", &person), ("month", &month)]);

    // the employer ticks it and must say what is behind it
    api.done(&employer, "tick", placement.clone().body(json!({ "months": [month], "ticked": true }))).await;
    let overview = api.done(&employer, "read_declaration", at.clone()).await;
    assert_eq!((&overview["next"], &overview["waits_for"]), (&json!("attach_evidence"), &json!("employer")));
    let refused = api.call(&employer, "hand_in", placement.clone().body(json!({}))).await;
    assert_eq!(refused.problem(), (409, "evidence_missing".to_owned()));
    let placements = api.done(&employer, "list_standings", at.clone()).await;
    let line =
        placements["items"].as_array().expect("lines").iter().find(|line| line["person_id"].to_string() == person);
    let months = line.expect("the worker")["months"].as_array().expect("months").clone();
    let missing = months.iter().find(|one| one["month"] == month.as_str()).expect("the month")["missing"].clone();
    assert!(missing.as_array().is_some_and(|grounds| !grounds.is_empty()), "{missing}");

    // shown at the counter, handed in, decided
    let shown = placement.clone().body(json!({ "months": [month], "grounds": missing }));
    let said = api.call(&employer, "record_shown", shown.clone()).await;
    assert_eq!(said.problem(), (409, "not_at_the_counter".to_owned()));
    api.done(&reviewer, "record_shown", shown).await;
    let handed_in = placement.clone().body(json!({})).header("idempotency-key", "hand-in-1");
    let first = api.done(&employer, "hand_in", handed_in.clone()).await;
    assert_eq!(first["months"], json!([month]));
    let premature = api.call(&employer, "complete", at.clone().body(json!({}))).await;
    assert_eq!(premature.problem(), (409, "not_confirmed".to_owned()));
    let errors = premature.json()["errors"].clone();
    let codes: Vec<&str> = errors.as_array().expect("errors").iter().filter_map(|one| one["code"].as_str()).collect();
    assert_eq!(codes, ["not_confirmed", "not_confirmed", "commitment_not_accepted"], "each obstacle, and of whom");
    assert_eq!(errors[1]["field"], format!("person_id {person}"));
    let queue = api.done(&reviewer, "list_cases", Says::default()).await;
    assert_eq!(queue["items"][0]["employer_uscc"], SCHOOL);
    let case = api.done(&reviewer, "take_next_case", Says::default().body(json!({}))).await["case"].clone();
    assert_eq!(case["person_id"].to_string(), person);
    let decision = placement.clone().body(json!({ "approve": ["other"], "note": "slip seen", "seen": missing }));
    let decided = api.done(&reviewer, "decide_month", decision).await;
    assert_eq!(decided["approved"], true);
    if decided["second_asked"] == true {
        api.done(&supervisor, "second_decision", placement.clone().body(json!({ "agrees": true }))).await;
    }
    let again = api.done(&employer, "hand_in", handed_in).await;
    assert_eq!(again, first, "the same request hears the same, though nothing is to be handed in any more");

    // the employer completes, the tax department accepts
    let text = api.done(&employer, "read_commitment", Says::default()).await;
    assert!(text["text"].as_str().is_some_and(|text| !text.is_empty()));
    let complete = at.clone().body(json!({ "accepted_commitment": text["version"] }));
    let named = complete.clone().header("idempotency-key", "complete-1");
    let completed = api.done(&employer, "complete", named.clone()).await;
    assert_eq!(completed["version"], 1);
    let none = api.call(&employer, "read_certification", at.clone()).await;
    assert_eq!(none.problem(), (409, "not_accepted".to_owned()));
    scene.push().await;
    let overview = api.done(&employer, "read_declaration", at.clone()).await;
    assert_eq!((&overview["next"], &overview["version_in_force"]), (&json!("nothing"), &json!(1)));
    let document = api.done(&employer, "read_certification", at.clone()).await;
    assert_eq!(document["certification_number"], completed["certification_number"]);
    assert_eq!(document["validity"]["status"], "in_force");

    // withdrawn
    let why = json!({ "reason": "a contract ended earlier", "levy_paid": false });
    api.done(&employer, "ask_withdrawal", at.clone().body(why)).await;
    let open = api.done(&supervisor, "list_withdrawals", Says::default()).await;
    assert_eq!(open["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(open["items"][0]["employer_uscc"], SCHOOL);
    let approve = json!({ "approve": true, "reason": "seen" });
    let approved = at.clone().body(approve.clone()).header("idempotency-key", "approve-1");
    let own = api.call(&employer, "decide_withdrawal", approved.clone()).await;
    assert_eq!(own.problem(), (403, "forbidden".to_owned()), "nobody decides what they asked for themselves");
    let opened = api.done(&supervisor, "decide_withdrawal", approved.clone()).await;
    scene.push().await;
    assert_eq!(api.done(&employer, "complete", named).await, completed, "a late echo completes nothing");
    assert_eq!(scene.state(SCHOOL).await.name(), "open");

    // declared again, and amended
    let second = api.done(&employer, "complete", complete).await;
    assert_eq!(second["version"], 2);
    scene.push().await;
    assert_eq!(api.done(&supervisor, "decide_withdrawal", approved).await, opened, "the answer of then");
    let changes = json!({ "changes": [{ "person_id": person.parse::<i64>().expect("a number"), "month": month, "add": false, "reason": "not worked" }] });
    api.done(&employer, "ask_amendment", at.clone().body(changes.clone())).await;
    let open = api.done(&supervisor, "list_amendments", Says::default()).await;
    assert_eq!(open["items"][0]["amendment"]["of_version"], 2);
    let difference = api.done(&supervisor, "read_amendment", at.clone()).await;
    let months = |side: &str| difference[side]["unweighted_person_months"].as_u64().expect("months");
    assert_eq!(months("before"), months("after") + 1);
    api.done(&supervisor, "decide_amendment", at.clone().body(approve)).await;
    scene.push().await;
    assert_eq!(
        scene.received(),
        ["1:certified accepted", "1:withdrawn accepted", "2:certified accepted", "3:certified for 2 accepted"]
    );
    let twice = api.call(&employer, "ask_amendment", at.clone().body(changes)).await;
    assert_eq!(twice.problem(), (409, "not_amendable".to_owned()));
    assert_eq!(twice.json()["errors"][0]["code"], "not_declared");
    scene.assert_only_what_was_confirmed_leaves().await;
}
