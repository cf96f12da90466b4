//! `renzheng verify --employer`, `--person`: what changed and what stands now is told as over HTTP, after the sources were asked if so wished.

use std::process::Command;

use serde_json::{Value, json};

use crate::http_agency::{Reply, Server};
use crate::incremental::{id_number, uscc};
use crate::review::scene::Scene;
use crate::runs::say;

/// The program on the scene's installation, with its jobs.
fn program(scene: &Scene, arguments: &[&str]) -> Command {
    scene.province.harness.program(arguments, &scene.province.scratch.path().join("jobs"))
}

/// Exit code, JSON lines, and words.
fn told(command: &mut Command) -> (i32, Vec<Value>, String) {
    let output = command.args(["--format", "json"]).output().expect("the program starts");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    (output.status.code().expect("a code"), lines, words)
}

fn difference(person: i64, before: &str, now: &str) -> Value {
    json!({ "person_id": person, "month": "2025-03", "check": "wage", "before": before, "now": now })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_verified_at_once_is_told_with_its_results_masked() {
    let mut scene = Scene::begin().await;
    scene.employ(0, 1).await;
    scene.night().await;
    scene.lose("wage", 0, 0, 3);
    scene.province.pull_all().await;
    let person = scene.person(0).await.0;
    let number = person.to_string();
    // at both employers of theirs: only one has something new
    let (code, lines, words) = told(&mut program(&scene, &["verify", "--year", "2025", "--person", &number]));
    assert_eq!((code, lines.len()), (0, 2), "{words}");
    let mut codes: Vec<&Value> = lines.iter().map(|line| &line["employer_uscc"]).collect();
    codes.sort_by_key(ToString::to_string);
    assert_eq!(codes, [&json!(uscc(0)), &json!(uscc(1))]);
    let own = lines.iter().find(|line| line["employer_uscc"] == uscc(0)).expect("the employer's");
    assert_eq!((&own["person_id"], &own["progress"], &own["year"]), (&json!(person), &json!("done"), &json!(2025)));
    let changed = own["outcome"]["differences"].as_array().expect("differences");
    assert!(changed.contains(&difference(person, "pass", "below_minimum")), "{own}");
    let results = own["outcome"]["results"].as_array().expect("results");
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["months"][2]["checks"]["wage"], "below_minimum");
    let id = id_number(0);
    assert!(
        !own.to_string().contains(&id)
            && results[0]["id_number"].as_str().is_some_and(|shown| shown.ends_with(&id[14..]))
    );

    let everybody = ["verify", "--year", "2025", "--employer", &uscc(0)];
    let (code, lines, words) = told(&mut program(&scene, &everybody));
    assert_eq!((code, lines.len(), &lines[0]["outcome"]["differences"]), (0, 1, &json!([])), "{words}");
    assert_eq!(lines[0]["outcome"]["results"].as_array().map(Vec::len), Some(2));
    scene.lose("wage", 3, 0, 3);
    scene.province.pull_all().await;
    let text = say(&mut program(&scene, &everybody));
    let other = scene.person(3).await.0;
    assert!(text.contains(&format!("  person {other} 2025-03 wage: pass → below_minimum\n")), "{text}");
    assert!(text.contains(&format!("{}  person {other}  某*", uscc(0))), "{text}");
    assert!(text.contains("2025-03  Ⅹ below_minimum") && !text.contains(&id_number(3)), "{text}");
}

const DESK: &str = "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\nretry = { attempts = 1, backoff = \"1ms\", max_backoff = \"1ms\" }\n\
                    [source]\ntype = \"http\"\nurl = \"${AGENCY}/v1/wages\"\npaging = \"cursor\"\nnext = \"/next\"\n\
                    [source.person]\nurl = \"${AGENCY}/v1/person\"\nbody = \"zjhm\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_sources_are_asked_afresh_for_everybody_of_an_employer() {
    let mut scene = Scene::begin().await;
    scene.lose("wage", 0, 0, 3);
    scene.night().await;
    let record = json!({
        "record_id": "D1", "updated_at": "2026-02-01T00:00:00+08:00", "deleted": "false", "id_number": id_number(0),
        "name": "某人", "payer_uscc": uscc(0), "period": "2025-03", "amount": "6000",
    });
    let desk = Server::start(move |asked| {
        let body: Value = serde_json::from_str(&asked.body).expect("JSON");
        let records = if body["zjhm"] == id_number(0) { vec![record.clone()] } else { Vec::new() };
        Reply::json(&json!({ "records": records }))
    })
    .await;
    let broken = Server::start(|_| Reply::status(500)).await;
    let folder = scene.province.scratch.path().join("jobs");
    for name in ["BROKEN", "DESK"] {
        let file = folder.join(format!("pull-wage-{}.toml", name.to_lowercase()));
        std::fs::write(file, DESK.replace("AGENCY", &format!("AGENCY_{name}"))).expect("written");
    }
    let mut command = program(&scene, &["verify", "--year", "2025", "--employer", &uscc(0), "--fresh"]);
    command.env("AGENCY_DESK", &desk.url).env("AGENCY_BROKEN", &broken.url);
    let (code, lines, words) = told(&mut command);
    assert_eq!(code, 3, "a source did not answer: {words}");
    assert!(words.contains("warning: pull-wage-broken: "), "{words}");
    assert_eq!(desk.take_asked().len(), 2, "one question a person");
    let found = &lines[0];
    assert_eq!(found["ended"], "done_with_refusals");
    let states: Vec<(&Value, &Value, &Value)> = found["sources"]
        .as_array()
        .expect("sources")
        .iter()
        .map(|source| (&source["job"], &source["state"], &source["changed"]))
        .collect();
    let expected = [("pull-wage-broken", "failed", 0), ("pull-wage-desk", "done", 1)]
        .map(|(job, state, changed)| (json!(job), json!(state), json!(changed)));
    assert_eq!(states, expected.each_ref().map(|(job, state, changed)| (job, state, changed)));
    let person = scene.person(0).await.0;
    assert_eq!(found["outcome"]["differences"], json!([difference(person, "below_minimum", "pass")]), "{found}");
    let nobody = say(&mut program(&scene, &["verify", "--year", "2025", "--fresh"]));
    assert!(nobody.starts_with("exit 2") && nobody.contains("--employer"), "{nobody}");
}
