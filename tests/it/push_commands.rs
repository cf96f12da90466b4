//! What operators see of the outbox and do about it: by the program, in text and JSON, audited, the same twice.

use chrono::TimeDelta;
use renzheng::sandbox::tax_faults::Plan;
use serde_json::Value;

use crate::declaring::{SCHOOL, Scene, YEAR, change, employer, supervisor};
use crate::fixtures::fixtures;

/// What the program says, and its exit code.
fn say(scene: &Scene, arguments: &[&str], code: i32) -> String {
    let mut command = scene.day.harness.program(arguments, &fixtures().join("jobs"));
    command
        .env("RENZHENG_TAX_URL", &scene.tax.url)
        .env("RENZHENG_TAX_KEY_ID", &scene.tax.key_id)
        .env("RENZHENG_TAX_KEY", scene.tax.key.reveal());
    let output = command.output().expect("the program starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {words}");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    if code == 0 { said } else { words.into_owned() }
}

fn json(scene: &Scene, arguments: &[&str]) -> Vec<Value> {
    let said = say(scene, &[arguments, &["--format", "json"]].concat(), 0);
    said.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

/// Acts of operators on the outbox, in order.
async fn acts(scene: &Scene) -> Vec<String> {
    let mut connection = scene.day.harness.connection().await;
    sqlx::query_scalar(
        "select detail ->> 'did' || ': ' || object || ', ' || why from audit
         where action = 'operate' and detail ->> 'did' in ('hold_push', 'release_push', 'retry_push', 'discard_message') order by audit_id",
    )
    .fetch_all(&mut connection)
    .await
    .expect("acts")
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_hold_release_retry_and_look() {
    let scene = Scene::begin("push_commands").await;
    let message_id = scene.complete(SCHOOL).await.expect("completed").message_id.to_string();
    let year = YEAR.to_string();
    let whose = ["--employer", SCHOOL, "--year", &year];
    let hold = [&["push", "hold"][..], &whose, &["--why", "a call"]].concat();
    assert_eq!(json(&scene, &hold)[0]["changed"], true);
    assert_eq!(json(&scene, &hold)[0]["changed"], false, "held already");
    assert!(say(&scene, &["push", "run"], 0).starts_with("0 accepted"), "nothing leaves");
    let told = json(&scene, &["push", "status"]);
    assert_eq!(told[0]["holds"][0]["why"], "a call");
    assert_eq!(
        (&told[0]["figures"][0]["state"], &told[0]["figures"][0]["oldest_uscc"]),
        (&"waiting".into(), &SCHOOL.into())
    );
    assert_eq!((&told[1]["message_id"], &told[1]["held"]), (&Value::from(message_id.clone()), &true.into()));
    let release = [&["push", "release"][..], &whose, &["--why", "over"]].concat();
    assert_eq!(json(&scene, &release)[0]["changed"], true);
    assert_eq!(json(&scene, &release)[0]["changed"], false);

    scene.department.faults.set(Plan::parse("[[fault]]\nwhat = \"rejected\"\n").expect("a plan"));
    say(&scene, &["push", "run"], 0);
    let shown = &json(&scene, &["push", "show", &message_id])[0];
    assert_eq!((&shown["state"], &shown["log"][0]["status"]), (&"rejected".into(), &200.into()));
    assert!(shown["log"][0]["answer"].as_str().is_some_and(|answer| answer.contains("division_closed")));
    assert_eq!(shown["explained"]["meaning"]["acts"], "staff");
    let body: Value = serde_json::from_str(shown["body"].as_str().expect("a text")).expect("a message");
    assert_eq!(body["message_id"], message_id.as_str());
    let text = say(&scene, &["push", "show", &message_id], 0);
    for part in [
        "rejected: division_closed",
        "主管税务机关代码已停用",
        "acts: staff (残联工作人员)",
        "attempt 1 of ",
        "sha-256 ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let declared = say(&scene, &[&["declare", "show"][..], &whose].concat(), 0);
    assert!(declared.contains("主管税务机关代码已停用") && declared.contains("renzheng declare reissue"), "{declared}");
    let listed = say(&scene, &["push", "status", "--state", "accepted", "--employer", SCHOOL], 0);
    assert!(listed.contains("rejected: 1") && !listed.contains(&message_id), "{listed}");

    scene.department.faults.set(Plan::default());
    let again = ["push", "retry", &message_id, "--why", "they say it was a mistake"];
    assert_eq!(json(&scene, &again)[0]["messages"], 1);
    let told = json(&scene, &["push", "status", "--state", "rejected"]);
    assert_eq!(told[1]["checking"], "ask");
    say(&scene, &["push", "run"], 0);
    let told = json(&scene, &["push", "status"]);
    assert_eq!((&told[1]["state"], &told[1]["checking"]), (&"rejected".into(), &Value::Null), "it holds nothing of it");
    assert!(scene.held().is_empty());

    for (arguments, said) in [
        (&["push", "show", "019d8ec6-1a00-7000-8000-000000000001"][..], "there is no message"),
        (&["push", "retry", "019d8ec6-1a00-7000-8000-000000000001", "--why", "x"], "there is no message"),
        (&["push", "discard", message_id.as_str(), "--why", "x"], "the department may have it"),
        (&["push", "hold", "--why", "x"], "--employer"),
        (&["push", "hold", "--all", "--employer", SCHOOL, "--why", "x"], "cannot be used with"),
        (&["push", "status", "--state", "lost"], "possible values"),
    ] {
        let refused = say(&scene, arguments, 2);
        assert!(refused.contains(said), "{arguments:?}: {refused}");
    }
    let object = format!("declaration {SCHOOL} {YEAR}");
    assert_eq!(
        acts(&scene).await,
        [
            format!("hold_push: {object}, a call"),
            format!("release_push: {object}, over"),
            format!("retry_push: message {message_id}, they say it was a mistake"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_never_left_is_given_up_and_the_declaration_takes_it_as_a_rejection() {
    let scene = Scene::begin("push_discard").await;
    let first = scene.complete(SCHOOL).await.expect("completed").message_id.to_string();
    let discard =
        |message_id: &str, code: i32| say(&scene, &["push", "discard", message_id, "--why", "test data"], code);
    discard(&first, 0);
    discard(&first, 0);
    assert_eq!(scene.state(SCHOOL).await.name(), "rejected");
    let year = YEAR.to_string();
    let whose = ["--employer", SCHOOL, "--year", &year];
    let told = say(&scene, &[&["declare", "show"][..], &whose].concat(), 0);
    assert!(told.contains("rejected: discarded_here") && told.contains("税务部门未收到"), "{told}");
    scene.push().await;
    assert!(scene.received().is_empty(), "it never leaves");
    let refused = say(&scene, &["push", "retry", &first, "--why", "x"], 2);
    assert!(refused.contains("was given up here"), "{refused}");
    assert_eq!(acts(&scene).await.len(), 1, "given up once");

    // opened again, the next version goes its way though the department never saw the one before
    say(&scene, &[&["declare", "reopen"][..], &whose].concat(), 0);
    let second = scene.complete(SCHOOL).await.expect("completed");
    assert_eq!(second.version, 2);
    scene.push().await;
    assert_eq!(scene.received(), ["2:certified accepted"]);

    // an amendment builds on a version that waits: that one is not taken from under it
    let declaring = scene.declaring(SCHOOL).await;
    let own = employer(declaring.employer);
    let policy = &scene.day.harness.policy.policy;
    let months = scene.store().list_declared_months(declaring.employer, YEAR as i16, 2).await.expect("months");
    for month in &months[..2] {
        let removed = vec![change(month.person, month.month.number(), false)];
        renzheng::declare::amend::ask(scene.store(), policy, &own, declaring, removed).await.expect("asked");
        let approval = crate::declaring::amendment_approval();
        renzheng::declare::amend::decide(scene.store(), policy, &supervisor(), declaring, &approval)
            .await
            .expect("approved");
        // versions of one instant could not be told apart by people
        let now = scene.store().now().await.expect("now") + TimeDelta::minutes(1);
        scene.store().set_clock(now).await.expect("the clock");
    }
    let lines = scene.store().list_outbox(2).await.expect("lines");
    let (fourth, third) = (lines[0].message_id.to_string(), lines[1].message_id.to_string());
    assert!(discard(&third, 2).contains("a later message"));
    discard(&fourth, 0);
    discard(&third, 0);
    scene.push().await;
    assert_eq!(scene.received(), ["2:certified accepted"], "what was accepted stands");
    assert_eq!(scene.state(SCHOOL).await.version_in_force(), Some(2));
}
