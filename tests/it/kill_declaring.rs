//! Completion, withdrawal and amendment cut off at every statement and in the middle of the commit: all of it or nothing, and the same
//! command again gets the same answer.

use std::process::{Child, Output, Stdio};

use renzheng::declare::{amend, withdraw};
use renzheng::domain::access::Role;
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::access::{division, user};
use crate::declaring::{SCHOOL, Scene, YEAR, change, employer, withdrawal};
use crate::fixtures::fixtures;
use crate::gate::{Gate, Point};

/// Everything that a declaration may leave behind, as counts.
async fn traces(scene: &Scene) -> Vec<i64> {
    let mut connection = scene.day.harness.connection().await;
    let mut counts = Vec::new();
    for rows in [
        "declared_month",
        "declared_version",
        "claim where to_seq is null",
        "outbox",
        "declaration",
        "audit where object like 'declaration %'",
    ] {
        let statement = AssertSqlSafe(format!("select count(*) from {rows}"));
        counts.push(sqlx::query_scalar(statement).fetch_one(&mut connection).await.expect("a count"));
    }
    counts
}

/// As the holder of a token; without one as the operator at the machine.
fn start(scene: &Scene, token: Option<&str>, arguments: &[&str]) -> Child {
    let jobs = fixtures().join("jobs");
    let mut command = scene.day.harness.program(arguments, &jobs);
    command.envs(token.map(|token| ("RENZHENG_TOKEN", token)));
    command
        .args(["--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// To its end; what it printed.
fn answer(scene: &Scene, token: Option<&str>, arguments: &[&str]) -> Value {
    let Output { status, stdout, stderr } = start(scene, token, arguments).wait_with_output().expect("it ends");
    assert!(status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).expect("a JSON line")
}

/// Kills the program at the point.
async fn kill_at(scene: &Scene, token: Option<&str>, point: Point, arguments: &[&str]) {
    let mut gate = Gate::close(&scene.day.harness, point).await;
    let mut program = start(scene, token, arguments);
    let pid = gate.wait_for_somebody().await;
    program.kill().expect("killed");
    program.wait().expect("gone");
    gate.open(point, pid).await;
}

/// Kills the program at each point; before the commit nothing may be left, after it everything is there, once.
async fn survives(scene: &Scene, token: Option<&str>, tables: &[&'static str], arguments: &[&str]) -> Value {
    let nothing = traces(scene).await;
    let before = scene.state(SCHOOL).await;
    for table in tables {
        kill_at(scene, token, Point::Before(table), arguments).await;
        assert_eq!(traces(scene).await, nothing, "killed at {table}");
        assert_eq!(scene.state(SCHOOL).await, before, "killed at {table}");
    }
    kill_at(scene, token, Point::Committing("insert", "audit"), arguments).await;
    let after = traces(scene).await;
    assert_ne!(after, nothing, "it was committed, and nobody was told");
    let told = answer(scene, token, arguments);
    assert_eq!(answer(scene, token, arguments), told, "the same answer");
    assert_eq!(traces(scene).await, after, "nothing was done twice");
    told
}

#[tokio::test]
async fn the_program_killed_at_every_step_of_a_completion_completes_all_or_nothing() {
    let scene = Scene::begin("killed_completion").await;
    let accepted = scene.completing(SCHOOL).await.accepted_commitment.expect("a commitment");
    let year = YEAR.to_string();
    let arguments = ["declare", "complete", "--employer", SCHOOL, "--year", &year, "--accept-commitment", &accepted];
    let tables = ["declared_month", "claim", "declared_version", "outbox", "declaration", "audit"];
    let told = survives(&scene, None, &tables, &arguments).await;
    assert_eq!((&told["version"], &told["persons"]), (&Value::from(1), &Value::from(3)));
    assert_eq!(traces(&scene).await, [34, 1, 34, 1, 1, 1]);
}

#[tokio::test]
async fn the_program_killed_while_a_withdrawal_or_an_amendment_is_asked_for_asks_once_or_not_at_all() {
    for (name, more) in [
        ("killed_withdrawal", &["withdraw", "ask", "--why", "a contract ended"][..]),
        ("killed_amendment", &["amend", "ask", "--why", "not paid"][..]),
    ] {
        let scene = Scene::begin(name).await;
        let completing = scene.completing(SCHOOL).await;
        let accepted = completing.accepted_commitment.clone().expect("a commitment");
        let year = YEAR.to_string();
        let whose = ["--employer", SCHOOL, "--year", &year];
        answer(&scene, None, &[&["declare", "complete", "--accept-commitment", &accepted][..], &whose].concat());
        let months = scene.store().list_declared_months(completing.declaring.employer, 2025, 1).await.expect("months");
        let month = format!("{}:{}", months[0].person.0, months[0].month);
        let amended = ["--remove", &month];
        let amended = if more[0] == "amend" { &amended[..] } else { &[] };
        let told = survives(&scene, None, &["declaration", "audit"], &[more, &whose, amended].concat()).await;
        let request = if more[0] == "amend" { &told["amendment"] } else { &told["withdrawal"] };
        assert!(request["asked"].is_object() && request.get("outcome").is_none(), "{told}");
    }
}

#[tokio::test]
async fn the_program_killed_at_every_step_of_a_decision_decides_all_or_nothing() {
    let scene = Scene::begin("killed_decisions").await;
    let reading = &scene.day.harness.policy;
    let (store, policy) = (scene.store(), &reading.policy);
    let token = user(store, "s.upervisor", Role::Supervisor, &division("36")).await;
    let completing = scene.completing(SCHOOL).await;
    let declaring = completing.declaring;
    let own = employer(declaring.employer);
    renzheng::declare::complete::complete(store, reading, &own, &completing).await.expect("completed");
    let months = store.list_declared_months(declaring.employer, 2025, 1).await.expect("months");
    let removed = vec![change(months[0].person, months[0].month.number(), false)];
    amend::ask(store, policy, &own, declaring, removed).await.expect("asked");
    let year = YEAR.to_string();
    let word = ["decide", "--employer", SCHOOL, "--year", &year, "--approve", "--why", "seen"];
    let tables = ["declared_month", "claim", "declared_version", "outbox", "declaration", "audit"];
    let amended = survives(&scene, Some(&token), &tables, &[&["amend"], &word[..]].concat()).await;
    assert_eq!(amended["state"], "completed");
    assert_eq!(scene.state(SCHOOL).await.last_version(), 2);
    assert_eq!(traces(&scene).await, [34 + 33, 2, 34, 2, 1, 3]);

    withdraw::ask(store, &own, declaring, &withdrawal(false)).await.expect("asked");
    let tables = ["outbox", "declaration", "audit"];
    let open = survives(&scene, Some(&token), &tables, &[&["withdraw"], &word[..]].concat()).await;
    assert_eq!(open["state"], "open");
    assert_eq!(scene.state(SCHOOL).await.unanswered().count(), 3);
    assert_eq!(traces(&scene).await, [34 + 33, 2, 34, 3, 1, 5]);
}
