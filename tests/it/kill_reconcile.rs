//! A look at both sides and a settlement cut off at every statement and in the middle of the commit: all of it or nothing, and the same
//! command again comes to the same end.

use std::process::{Child, Output, Stdio};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Row};

use crate::declaring::{FACTORY, SCHOOL, Scene};
use crate::fixtures::fixtures;
use crate::gate::{Gate, Point};

/// Everything that looks and settlements may leave behind.
async fn traces(scene: &Scene) -> Vec<String> {
    let mut connection = scene.day.harness.connection().await;
    let mut found = Vec::new();
    for query in [
        "select count(*)::text from reconciliation",
        "select string_agg(uscc || class || coalesce(closed_why, '') || coalesce(settled_by, ''), ' ' order by difference_id) from difference",
        "select string_agg(version || kind || attempt || state || coalesce(checking, '') || overtaken || recovery, ' ' order by version, kind, attempt)
         from outbox",
        "select count(*)::text from recovery",
        "select count(*)::text from recovered_message",
        "select string_agg(state::text, ' ' order by employer_id) from declaration",
        "select count(*)::text from audit where action = 'settle_difference'",
    ] {
        let row = sqlx::query(AssertSqlSafe(query)).fetch_one(&mut connection).await.expect("a row");
        found.push(row.get::<Option<String>, _>(0).unwrap_or_default());
    }
    found
}

fn start(scene: &Scene, arguments: &[&str]) -> Child {
    let mut command = scene.day.harness.program(arguments, &fixtures().join("jobs"));
    let tax =
        [("RENZHENG_TAX_URL", scene.tax.url.as_str()), ("RENZHENG_TAX_KEY_ID", "ours"), ("RENZHENG_TAX_KEY", "secret")];
    command.envs(tax).args(["--format", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

/// To its end; what it printed.
fn answer(scene: &Scene, arguments: &[&str], code: i32) -> Value {
    let Output { status, stdout, stderr } = start(scene, arguments).wait_with_output().expect("it ends");
    assert_eq!(status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).expect("a JSON line")
}

async fn kill_at(scene: &Scene, point: Point, arguments: &[&str]) {
    let mut gate = Gate::close(&scene.day.harness, point).await;
    let mut program = start(scene, arguments);
    let pid = gate.wait_for_somebody().await;
    program.kill().expect("killed");
    program.wait().expect("gone");
    gate.open(point, pid).await;
}

/// Killed at each point nothing is left; killed in the commit everything is there, and the same command finds nothing more to do.
async fn survives(scene: &Scene, tables: &[&'static str], committing: &'static str, arguments: &[&str]) -> Vec<String> {
    let nothing = traces(scene).await;
    for table in tables {
        kill_at(scene, Point::Before(table), arguments).await;
        assert_eq!(traces(scene).await, nothing, "killed at {table}");
    }
    kill_at(scene, Point::Committing("insert", committing), arguments).await;
    let after = traces(scene).await;
    assert_ne!(after, nothing, "it was committed, and nobody was told");
    after
}

async fn accepted(scene: &Scene, code: &str) {
    scene.complete(code).await.expect("completed");
    scene.push().await;
    assert_eq!(scene.state(code).await.name(), "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_killed_at_every_step_of_a_look_stores_all_of_it_or_nothing() {
    let scene = Scene::begin("killed_look").await;
    accepted(&scene, SCHOOL).await;
    scene.prove_affiliates(FACTORY).await;
    accepted(&scene, FACTORY).await;
    let heard = scene.department.heard();
    scene.department.forget(&heard[0].0).expect("forgotten");
    scene.department.change_months(&heard[1].0, 35).expect("changed");
    let after = survives(&scene, &["difference", "outbox", "reconciliation"], "reconciliation", &["reconcile"]).await;
    let told = answer(&scene, &["reconcile"], 3);
    assert_eq!(told["open"], serde_json::json!({ "missing_there": 1, "other_content": 1 }));
    let again = traces(&scene).await;
    assert_eq!((&again[0], &again[1..]), (&"2".to_owned(), &after[1..]), "another look finds the same, once");
    scene.push().await;
    assert_eq!(answer(&scene, &["reconcile"], 3)["open"], serde_json::json!({ "other_content": 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_killed_at_every_step_of_a_settlement_settles_all_of_it_or_nothing() {
    let mut scene = Scene::begin("killed_settlement").await;
    scene.day.harness.back_up().await;
    accepted(&scene, SCHOOL).await;
    scene.day.harness.restore().await;
    scene.complete(SCHOOL).await.expect("completed once more");
    answer(&scene, &["reconcile"], 3);
    let arguments = ["reconcile", "settle", "--employer", SCHOOL, "--year", "2025", "--why", "after the restore"];
    let tables = ["difference", "recovery", "recovered_message", "outbox", "declaration", "audit"];
    let after = survives(&scene, &tables, "audit", &arguments).await;
    let told = answer(&scene, &arguments, 0);
    assert_eq!((&told["class"], &told["withdraws"]), (&Value::from("missing_here"), &Value::from(1)));
    assert_eq!(answer(&scene, &arguments, 0), told, "the same answer");
    assert_eq!(traces(&scene).await, after, "nothing was done twice");
    assert_eq!(after[6], "1");
    answer(&scene, &["push", "run"], 0);
    assert_eq!(scene.received(), ["1:certified accepted", "1:withdrawn:2 accepted"]);
    assert_eq!(scene.state(SCHOOL).await.name(), "open");
    answer(&scene, &["reconcile"], 0);
}
