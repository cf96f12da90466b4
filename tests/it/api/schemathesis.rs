//! Everything that the document allows and much that it does not, asked by schemathesis (PyPI): no failure of ours, no answer but those promised.

use std::path::PathBuf;
use std::process::Command;

use renzheng::config::Environment;
use renzheng::declare::users::AskedReach;
use renzheng::domain::access::Role;
use renzheng::domain::ids::Uscc;

use crate::access::{E1, division, province, unit, user};
use crate::harness::Scratch;
use crate::website::Website;

/// What an answer may not be.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,unsupported_method,ignored_auth";

fn program() -> PathBuf {
    let path = Environment::process().get("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join("schemathesis")).find(|program| program.is_file());
    found.expect("schemathesis in PATH: `.ci/run` installs it from PyPI")
}

async fn run(who: &str, role: Option<Role>) {
    let province = province(&format!("api_fuzz_{who}")).await;
    let store = &province.harness.store;
    let site = Website::of(store).await;
    // its own token is none of the first, which are ended soon
    for account in ["first", "second", "third"] {
        user(store, account, Role::Auditor, &division("3601")).await;
    }
    let token = match role {
        Some(Role::Employer) => Some(user(store, "fuzz", Role::Employer, &unit(E1)).await),
        Some(Role::Operator) => Some(user(store, "fuzz", Role::Operator, &AskedReach::Everything).await),
        Some(role) => Some(user(store, "fuzz", role, &division("3601")).await),
        None => None,
    };
    // what it remembers of a run goes with the test
    let scratch = Scratch::new(&format!("api_fuzz_{who}_runs"));
    // of what is there, or nothing but 404 would be met
    let employer = store.find_unit(&Uscc::parse(E1).expect("a code")).await.expect("asked").expect("known");
    let person = store.list_placements(&[employer]).await.expect("placements")[0].person.0;
    let known = format!("[parameters]\nuscc = \"{E1}\"\nyear = 2025\nperson_id = {person}\nmonth = \"2025-03\"\n");
    std::fs::write(scratch.path().join("schemathesis.toml"), known).expect("written");
    let mut program = Command::new(program());
    program.current_dir(scratch.path());
    program.args(["run", &format!("{}/api/openapi.json", site.url), "--checks", CHECKS]);
    // the same requests every time; enough of them that each operation meets each bound
    // who may do most is asked less of each, so that it takes no longer
    let examples = if role == Some(Role::Operator) { "5" } else { "15" };
    program.args(["--seed", "7", "--max-examples", examples, "--phases", "examples,coverage,fuzzing", "--no-color"]);
    program.args(["--request-timeout", "30", "--suppress-health-check", "all", "--continue-on-failure"]);
    if let Some(token) = &token {
        program.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    let ran = tokio::task::spawn_blocking(move || program.output()).await.expect("waited for").expect("started");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{who}: {said}\n{}", String::from_utf8_lossy(&ran.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_employers_program_meets_no_answer_outside_the_document() {
    run("employer", Some(Role::Employer)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reviewers_program_meets_no_answer_outside_the_document() {
    run("reviewer", Some(Role::Reviewer)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_program_meets_no_answer_outside_the_document() {
    run("operator", Some(Role::Operator)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_shows_no_token_meets_no_answer_outside_the_document() {
    run("nobody", None).await;
}
