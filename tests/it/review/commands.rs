//! The same from the counter: what the commands of ticking and review print, and who may not decide there.

use std::process::Output;

use super::scene::Scene;
use crate::incremental::uscc;

fn said(output: &Output) -> (i32, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code().expect("a code"), String::from_utf8(text).expect("UTF-8"))
}

async fn run(scene: &Scene, arguments: &[&str]) -> (i32, String) {
    let jobs = scene.province.scratch.path().join("jobs");
    let mut command = scene.province.harness.program(arguments, &jobs);
    let output = tokio::task::spawn_blocking(move || command.output().expect("the program runs")).await;
    said(&output.expect("an output"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counter_ticks_shows_hands_in_and_decides_no_case() {
    let mut scene = Scene::begin().await;
    scene.lose("wage", 0, 0, 3);
    scene.night().await;
    let (code, person) = (uscc(0), scene.person(0).await.0.to_string());
    let placed = ["--employer", &code, "--year", "2025", "--person", &person];
    let with = |words: &[&'static str], more: &[&'static str]| {
        let all: Vec<String> = words.iter().chain(&placed).chain(more).map(|word| (*word).to_owned()).collect();
        all
    };
    let call = async |arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&scene, &arguments).await
    };
    let ticked = call(with(&["declare", "tick"], &["--months", "2025-03,2025-04"])).await;
    assert_eq!((ticked.0, ticked.1.contains("2 months ticked, 2 of them newly")), (0, true), "{}", ticked.1);
    let refused = call(with(&["declare", "hand-in"], &[])).await;
    assert_eq!((refused.0, refused.1.contains("evidence is missing: 2025-03 wage")), (1, true), "{}", refused.1);
    let shown = call(with(&["review", "shown"], &["--months", "2025-03", "--grounds", "wage"])).await;
    assert_eq!((shown.0, shown.1.trim()), (0, "recorded, 1 newly"));
    let handed_in = call(with(&["declare", "hand-in"], &[])).await;
    assert_eq!((handed_in.0, handed_in.1.contains(": 2025-03")), (0, true), "{}", handed_in.1);
    let queue = run(&scene, &["review", "queue"]).await;
    assert!(queue.0 == 0 && queue.1.contains(&code) && queue.1.contains("2025-03"), "{}", queue.1);
    let standing = run(&scene, &["declare", "standing", "--employer", &code, "--year", "2025"]).await;
    assert!(standing.1.contains("under_review") && standing.1.contains("2025-03 under_review"), "{}", standing.1);
    let opened = call(with(&["review", "show"], &["--format", "json"])).await;
    let value: serde_json::Value = serde_json::from_str(&opened.1).expect("JSON");
    assert_eq!(value["months"][2]["fails_for"], serde_json::json!(["wage"]));
    assert_eq!(value["holder"], serde_json::Value::Null, "an operator takes no case");
    let month = ["--month", "2025-03", "--approve", "wage_paid_by_bank_slip"];
    let deciding: Vec<&str> = [&["review", "decide", "--employer", &code, "--person", &person][..], &month].concat();
    let decided = run(&scene, &deciding).await;
    assert_eq!(decided, (1, "renzheng: the role operator may not decide_month\n".to_owned()));
    let unknown = [&deciding[..7], &["2025-03", "--approve", "because"]].concat();
    let unknown = run(&scene, &unknown).await;
    assert!(unknown.0 == 2 && unknown.1.contains("wage_paid_by_bank_slip"), "{}", unknown.1);
    let unticked = call(with(&["declare", "untick"], &["--months", "2025-03"])).await;
    assert_eq!(unticked.0, 0, "{}", unticked.1);
    let queue = run(&scene, &["review", "queue"]).await;
    assert!(!queue.1.contains(&code), "{}", queue.1);
}
