//! Re-verification by staff: at once by what is stored, or after the sources were asked afresh.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use renzheng::config::{Environment, Job};
use renzheng::domain::access::Role;
use renzheng::domain::facts::PersonId;
use renzheng::domain::retention;
use renzheng::ingest::{PullError, pull_persons};
use renzheng::policy;
use renzheng::schedule::Schedule;
use serde_json::{Value, json};

use super::{Api, Says};
use crate::access::{division, user};
use crate::gate::PATIENCE;
use crate::http_agency::{Asked, Reply, Server, Wire, locked};
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
    let (asked, read) =
        (format!("placement {} 2025 person {person}", uscc(0)), format!("results 2025: employer {}", uscc(0)));
    let mut rows = audited(&scene, 6).await;
    rows.sort();
    let expected = [
        row("read_results", read.clone(), None),
        row("read_results", format!("{read}, person {person}"), None),
        row("read_results", format!("{read}, person {person}"), None),
        row("reverify", format!("employer {} 2025", uscc(0)), Some(false)),
        row("reverify", asked.clone(), Some(false)),
        row("reverify", asked, Some(false)),
    ];
    assert_eq!(rows, expected, "who asked, and what they saw; what is told again is not done again");

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

/// What the audit says that was done or read about results, oldest first; once there is so much of it: reads are written a moment later.
async fn audited(scene: &Scene, rows: usize) -> Vec<(String, String, Option<bool>)> {
    let mut connection = scene.province.harness.connection().await;
    let begun = Instant::now();
    loop {
        let audited: Vec<_> = sqlx::query_as(
            "select action, object, (detail ->> 'fresh')::boolean from audit where action in ('reverify', 'read_results') order by audit_id",
        )
        .fetch_all(&mut connection)
        .await
        .expect("the audit");
        if audited.len() >= rows {
            return audited;
        }
        assert!(begun.elapsed() < PATIENCE, "{audited:?}");
    }
}

fn row(action: &str, object: String, fresh: Option<bool>) -> (String, String, Option<bool>) {
    (action.to_owned(), object, fresh)
}

const JOB: &str = "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\nretry = { attempts = 1, backoff = \"1ms\", max_backoff = \"1ms\" }\n\
                   [source]\ntype = \"http\"\nurl = \"${AGENCY}/v1/wages\"\npaging = \"cursor\"\nnext = \"/next\"\n\
                   [source.person]\nurl = \"${AGENCY}/v1/person\"\nbody = \"zjhm\"\n";

/// The clockwork of a province that has, besides its files, desks of these names (at an address each) that are asked for single persons.
async fn clockwork(scene: &Scene, desks: &[(&str, &str)]) -> Schedule {
    let mut jobs = scene.province.jobs();
    let mut addresses = Vec::new();
    for (name, url) in desks {
        let variable = format!("AGENCY_{}", name.to_uppercase());
        let path = format!("jobs/pull-wage-{name}.toml");
        jobs.push(Job::parse(Path::new(&path), &JOB.replace("AGENCY", &variable)).expect("a job"));
        addresses.push((variable, *url));
    }
    scene.province.harness.register(&jobs).await;
    let environment = Environment::only(addresses.iter().map(|(name, url)| (name.as_str(), *url)));
    let reading = policy::load(None).expect("the built-in policy");
    Schedule::new(scene.store().clone(), jobs, environment, reading, None, retention::usual())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sources_are_asked_afresh_by_the_scheduler_and_the_answer_is_polled() {
    let mut scene = Scene::begin().await;
    let reviewer = user(scene.store(), "chen.jie", Role::Reviewer, &division("3601")).await;
    let elsewhere = user(scene.store(), "zhou.min", Role::Reviewer, &division("3602")).await;
    scene.lose("wage", 0, 0, 3);
    scene.night().await;
    let desk = desk().await;
    let schedule = clockwork(&scene, &[("desk", &desk.url)]).await;
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
    assert_eq!(found["ended"], "done");
    assert_eq!(found["sources"][0]["job"], "pull-wage-desk");
    assert_eq!(found["sources"][0]["changed"], 1);
    assert_eq!(found["outcome"]["results"][0]["months"][2]["checks"]["wage"], "pass");
    let again = api.call(&reviewer, "verify", named(&ask)).await;
    assert_eq!((again.status, again.json()), (200, found), "the same request finds its task");
    assert!(schedule.drain().await.expect("nothing").is_empty(), "and queues no other");
    let out_of_reach = api.call(&elsewhere, "read_verification", at.clone()).await;
    assert_eq!(out_of_reach.problem(), (404, "not_found".to_owned()));
    let rows = audited(&scene, 3).await;
    let asked = row("reverify", format!("placement {} 2025 person {person}", uscc(0)), Some(true));
    let read = row("read_results", format!("results 2025: employer {}, person {person}", uscc(0)), None);
    assert_eq!(rows, [asked, read.clone(), read], "asked once, and seen twice");

    // its worker dies after the verification, before it could say that the task is done: another finds nothing new
    let dies = "update task set state = 'running', outcome = null, finished_at = null, lease_token = gen_random_uuid(),
                       lease_expires_at = clock_timestamp() - interval '1 second' where kind = 'reverify'";
    sqlx::query(dies).execute(&mut scene.province.harness.connection().await).await.expect("its lease is over");
    assert_eq!(schedule.drain().await.expect("worked").len(), 1);
    assert_eq!(desk.take_asked().len(), 1);
    let found = api.done(&reviewer, "read_verification", at).await;
    assert_eq!(changes(&found), [change("pass")], "what the first attempt found: {found}");
    assert_eq!(found["sources"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!((&found["sources"][0]["state"], &found["sources"][0]["changed"]), (&json!("done"), &json!(1)));
}

/// What is answered to whoever asks afresh about a person, while the clockwork works.
async fn asked_afresh(api: &Api<'_>, token: &str, schedule: Schedule, person: PersonId) -> Value {
    let working = tokio::spawn(async move {
        while schedule.drain().await.expect("worked").is_empty() {
            tokio::task::yield_now().await;
        }
    });
    let ask = json!({ "employer_uscc": uscc(0), "person_id": person.0, "year": 2025, "fresh": true });
    let found = api.done(token, "verify", Says::default().body(ask)).await;
    working.await.expect("worked");
    found
}

/// How it went with each source that was asked, by name.
fn states(verification: &Value) -> Vec<(&str, &str)> {
    let sources = verification["sources"].as_array().expect("sources").iter();
    let mut states: Vec<_> =
        sources.map(|one| (one["job"].as_str().expect("a job"), one["state"].as_str().expect("a state"))).collect();
    states.sort_unstable();
    states
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_did_not_answer_is_told_beside_what_was_found() {
    let mut scene = Scene::begin().await;
    let reviewer = user(scene.store(), "chen.jie", Role::Reviewer, &division("3601")).await;
    scene.lose("wage", 0, 0, 3);
    scene.night().await;
    let (desk, broken) = (desk().await, Server::start(|_| Reply::status(500)).await);
    let schedule = clockwork(&scene, &[("broken", &broken.url), ("desk", &desk.url)]).await;
    let site = Website::of(scene.store()).await;
    let api = Api::of(&site).await;
    let found = asked_afresh(&api, &reviewer, schedule, scene.person(0).await).await;
    assert_eq!((&found["progress"], &found["ended"]), (&json!("done"), &json!("done_with_refusals")), "{found}");
    assert_eq!(changes(&found), [change("pass")], "what the other says counts");
    assert_eq!(states(&found), [("pull-wage-broken", "failed"), ("pull-wage-desk", "done")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sources_are_asked_side_by_side() {
    let scene = Scene::begin().await;
    let reviewer = user(scene.store(), "chen.jie", Role::Reviewer, &division("3601")).await;
    // each answers once the other is asked too
    let asked = Arc::new((Mutex::new(0), Condvar::new()));
    let start = async || {
        let asked = Arc::clone(&asked);
        let answer = move |_: &Asked| {
            let (number, another) = &*asked;
            let mut number = locked(number);
            *number += 1;
            another.notify_all();
            let waited = another.wait_timeout_while(number, Duration::from_secs(5), |number| *number < 2);
            let alone = waited.is_ok_and(|(_, waited)| waited.timed_out());
            if alone { Reply::status(500) } else { Reply::json(&json!({ "records": [] })) }
        };
        Server::start(answer).await
    };
    let (east, west) = (start().await, start().await);
    let schedule = clockwork(&scene, &[("east", &east.url), ("west", &west.url)]).await;
    let site = Website::of(scene.store()).await;
    let api = Api::of(&site).await;
    let found = asked_afresh(&api, &reviewer, schedule, scene.person(0).await).await;
    assert_eq!(states(&found), [("pull-wage-east", "done"), ("pull-wage-west", "done")], "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_not_asked_in_time_has_a_run_that_says_so() {
    let scene = Scene::begin().await;
    let silent = Server::start(|_| Reply::status(200).over(Wire::Silent)).await;
    let _registered = clockwork(&scene, &[("desk", &silent.url)]).await;
    let store = scene.store();
    let job = Job::parse(Path::new("jobs/pull-wage-desk.toml"), &JOB.replace("AGENCY", "AGENCY_DESK")).expect("a job");
    let environment = Environment::only([("AGENCY_DESK", silent.url.as_str())]);
    let persons = [scene.person(0).await];
    let ask = |wait| pull_persons(store, &job, &environment, &persons, Some(Duration::from_secs(wait)), "test");
    let jobs = store.list_jobs(i64::MAX).await.expect("jobs");
    let source = jobs.iter().find(|(_, known)| known.job == job.name).expect("registered").0;

    let pull = store.lock_source(source).await.expect("a pull goes on");
    assert!(matches!(ask(1).await, Err(PullError::Occupied(_))));
    assert!(silent.take_asked().is_empty());
    drop(pull);
    assert!(matches!(ask(2).await, Err(PullError::Unanswered(_))));
    assert_eq!(silent.take_asked().len(), 1);
    let runs = store.list_runs(Some(&job.name), None, 10).await.expect("runs");
    let told: Vec<(&str, &str)> =
        runs.iter().map(|run| (run.state.as_str(), run.error.as_deref().unwrap_or_default())).collect();
    let unanswered = "the source did not answer on these persons within 2s";
    let occupied =
        "another pull of job `pull-wage-desk` went on for as long as could be waited: its source was not asked";
    assert_eq!(told, [("timed_out", unanswered), ("timed_out", occupied)]);
    let open = "select count(*) from batch where state in ('fetching', 'landed', 'checked')";
    let open: i64 =
        sqlx::query_scalar(open).fetch_one(&mut scene.province.harness.connection().await).await.expect("a count");
    assert_eq!(open, 0, "nothing is left of what did not come");
}
