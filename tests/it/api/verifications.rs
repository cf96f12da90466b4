//! Re-verification by staff: at once by what is stored, or after the sources were asked afresh.

use renzheng::config::{Environment, Job};
use renzheng::domain::access::Role;
use renzheng::domain::retention;
use renzheng::policy;
use renzheng::schedule::Schedule;
use serde_json::{Value, json};

use super::{Api, Says};
use crate::access::{division, user};
use crate::http_agency::{Reply, Server};
use crate::incremental::{id_number, uscc};
use crate::review::scene::Scene;
use crate::website::Website;

fn changes(verification: &Value) -> Vec<(String, String, String)> {
    let word = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let told = verification["outcome"]["differences"].as_array().expect("differences").iter();
    told.map(|one| (word(one, "month"), word(one, "check"), word(one, "now"))).collect()
}

fn change(now: &str) -> (String, String, String) {
    ("2025-03".to_owned(), "wage".to_owned(), now.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_judged_at_once() {
    let mut scene = Scene::begin().await;
    let reviewer = user(scene.store(), "chen.jie", Role::Reviewer, &division("3601")).await;
    let site = Website::of(scene.store()).await;
    let api = Api::of(&site).await;
    scene.lose("wage", 0, 0, 3);
    scene.province.pull_all().await;
    let person = scene.person(0).await.0;
    let ask = |person: i64| json!({ "employer_uscc": uscc(0), "person_id": person, "year": 2025 });
    let named = Says::default().body(ask(person)).header("idempotency-key", "again-1");
    let found = api.done(&reviewer, "verify", named.clone()).await;
    assert_eq!(changes(&found), [change("below_minimum")]);
    assert_eq!(found["outcome"]["results"].as_array().map(Vec::len), Some(1));
    assert_eq!(found["outcome"]["results"][0]["months"][2]["checks"]["wage"], "below_minimum");
    assert_eq!(api.done(&reviewer, "verify", named).await, found, "told again what was found then");
    let nothing = api.done(&reviewer, "verify", Says::default().body(ask(person))).await;
    assert_eq!(changes(&nothing), [], "nothing is new any more");
    let everybody = json!({ "employer_uscc": uscc(0), "year": 2025 });
    let everybody = api.done(&reviewer, "verify", Says::default().body(everybody)).await;
    assert_eq!(everybody["outcome"]["results"].as_array().map(Vec::len), Some(2));

    let foreign = scene.person(1).await.0;
    let refused = api.call(&reviewer, "verify", Says::default().body(ask(foreign))).await;
    assert_eq!(refused.problem(), (404, "not_found".to_owned()), "another employer's person");
    let mut early = ask(person);
    early["year"] = json!(2001);
    assert_eq!(api.call(&reviewer, "verify", Says::default().body(early)).await.status, 422, "there are no rules");
}

/// A desk of the agency that is asked for one person at a time, and knows a wage of March that the files lack.
async fn desk() -> Server {
    let record = json!({
        "record_id": "D1", "updated_at": "2026-02-01T00:00:00+08:00", "deleted": "false", "id_number": id_number(0),
        "name": "某人", "payer_uscc": uscc(0), "period": "2025-03", "amount": "6000",
    });
    Server::start(move |asked| {
        assert_eq!(asked.path(), "/v1/person", "nobody asks for everything");
        let body: Value = serde_json::from_str(&asked.body).expect("JSON");
        let records = if body["zjhm"] == id_number(0) { vec![record.clone()] } else { Vec::new() };
        Reply::json(&json!({ "records": records }))
    })
    .await
}

const JOB: &str = "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\nretry = { attempts = 1, backoff = \"1ms\", max_backoff = \"1ms\" }\n\
                   [source]\ntype = \"http\"\nurl = \"${AGENCY}/v1/wages\"\npaging = \"cursor\"\nnext = \"/next\"\n\
                   [source.person]\nurl = \"${AGENCY}/v1/person\"\nbody = \"zjhm\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_sources_are_asked_afresh_by_the_scheduler_and_the_answer_is_polled() {
    let mut scene = Scene::begin().await;
    let reviewer = user(scene.store(), "chen.jie", Role::Reviewer, &division("3601")).await;
    let elsewhere = user(scene.store(), "zhou.min", Role::Reviewer, &division("3602")).await;
    scene.lose("wage", 0, 0, 3);
    scene.night().await;
    let desk = desk().await;
    let mut jobs = scene.province.jobs();
    jobs.push(Job::parse(std::path::Path::new("jobs/pull-wage-desk.toml"), JOB).expect("a job"));
    scene.province.harness.register(&jobs).await;
    let environment = Environment::only([("AGENCY", desk.url.as_str())]);
    let reading = policy::load(None).expect("the built-in policy");
    let schedule = Schedule::new(scene.store().clone(), jobs, environment, reading, None, retention::usual());
    let site = Website::of(scene.store()).await;
    let api = Api::of(&site).await;

    // nobody works: after ten seconds the asker is told where to ask
    let person = scene.person(0).await.0;
    let ask = json!({ "employer_uscc": uscc(0), "person_id": person, "year": 2025, "fresh": true });
    let named = |ask: &Value| Says::default().body(ask.clone()).header("idempotency-key", "fresh-1");
    let later = api.call(&reviewer, "verify", named(&ask)).await;
    assert_eq!((later.status, &later.json()["progress"]), (202, &json!("queued")), "{}", later.text);
    let number = later.json()["verification_id"].to_string();
    assert_eq!(later.header("location"), format!("/api/v1/verifications/{number}"));
    assert!(desk.take_asked().is_empty());
    let mut other = ask.clone();
    other["year"] = json!(2026);
    let reused = api.call(&reviewer, "verify", named(&other)).await;
    assert_eq!(reused.status, 404, "nobody is placed there that year: {}", reused.text);
    let mut other = ask.clone();
    other.as_object_mut().expect("an object").remove("person_id");
    assert_eq!(api.call(&reviewer, "verify", named(&other)).await.problem(), (422, "key_reused".to_owned()));

    schedule.drain().await.expect("worked");
    let asked = desk.take_asked();
    assert_eq!(asked.len(), 1, "one person, one question: {asked:?}");
    let at = Says::at(&[("verification_id", &number)]);
    let found = api.done(&reviewer, "read_verification", at.clone()).await;
    assert_eq!((&found["progress"], changes(&found)), (&json!("done"), vec![change("pass")]), "{found}");
    assert_eq!(found["sources"][0]["job"], "pull-wage-desk");
    assert_eq!(found["sources"][0]["changed"], 1);
    assert_eq!(found["outcome"]["results"][0]["months"][2]["checks"]["wage"], "pass");
    let again = api.call(&reviewer, "verify", named(&ask)).await;
    assert_eq!((again.status, again.json()), (200, found), "the same request finds its task");
    assert!(schedule.drain().await.expect("nothing").is_empty(), "and queues no other");
    let out_of_reach = api.call(&elsewhere, "read_verification", at).await;
    assert_eq!(out_of_reach.problem(), (404, "not_found".to_owned()));
}
