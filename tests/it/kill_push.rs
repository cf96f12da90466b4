//! The push killed at every commit point: the attempt is opened, the request is out, the answer is stored, its outcome is taken in. The next
//! run ends where an undisturbed one does, and the department got each message's bytes as they were frozen.

use std::process::{Command, Stdio};
use std::time::Instant;

use chrono::TimeDelta;
use renzheng::sandbox::tax_faults::Received;

use crate::declaring::{SCHOOL, Scene};
use crate::fixtures::fixtures;
use crate::gate::{Gate, PATIENCE, Point};

/// Where the push dies, whether the department has heard of the message by then, and whether the message goes out once more.
const POINTS: [(&str, Point, bool, bool); 6] = [
    ("while the attempt is opened", Point::BeforeThe("insert", "outbox_attempt"), false, true),
    ("the attempt is opened, and nothing has left", Point::Committing("insert", "outbox_attempt"), false, true),
    ("the department has it, and the answer is not stored", Point::BeforeThe("update", "outbox_attempt"), true, true),
    (
        "the answer is stored, and whoever stored it does not know",
        Point::Committing("update", "outbox_attempt"),
        true,
        false,
    ),
    ("the answer is stored and not taken in", Point::Before("declaration"), true, false),
    ("the answer is taken in, and whoever did does not know", Point::Committing("insert", "audit"), true, false),
];

fn push(scene: &Scene) -> Command {
    let mut command = scene.day.harness.program(&["push", "run"], &fixtures().join("jobs"));
    command
        .env("RENZHENG_TAX_URL", &scene.tax.url)
        .env("RENZHENG_TAX_KEY_ID", &scene.tax.key_id)
        .env("RENZHENG_TAX_KEY", scene.tax.key.reveal())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn sent(scene: &Scene) -> Vec<Received> {
    scene.department.faults.received().into_iter().filter(|request| request.method == "POST").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_killed_at_any_point_is_ended_by_the_next_as_if_nothing_had_happened() {
    let prepared = Scene::begin("kill_push").await;
    for (number, (where_killed, point, heard, again)) in POINTS.into_iter().enumerate() {
        let scene = prepared.copied(&format!("kill_push_{number}")).await;
        let completed = scene.complete(SCHOOL).await.expect("completed");
        let frozen = {
            let found = scene.store().find_outbox_message(completed.message_id).await.expect("found");
            hex::encode(found.expect("a message").1.digest)
        };
        let mut gate = Gate::close(&scene.day.harness, point).await;
        let mut program = push(&scene).spawn().expect("the program starts");
        let pid = gate.wait_for_somebody().await;
        program.kill().expect("killed");
        program.wait().expect("gone");
        gate.open(point, pid).await;
        assert_eq!(sent(&scene).len(), usize::from(heard), "{where_killed}");

        // the attempt's lease is over, and more than the wait after an attempt that failed
        let now = scene.store().now().await.expect("now") + TimeDelta::seconds(120);
        scene.store().set_clock(now).await.expect("the clock");
        let begun = Instant::now();
        let output = push(&scene).output().expect("the program starts");
        assert!(output.status.success(), "{where_killed}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(begun.elapsed() < PATIENCE, "{where_killed}");

        let came = sent(&scene);
        assert_eq!(came.len(), usize::from(heard) + usize::from(again), "{where_killed}");
        assert!(came.iter().all(|request| request.digest == frozen), "{where_killed}: byte for byte");
        assert_eq!(scene.received(), ["1:certified accepted"], "{where_killed}: once");
        let state = scene.state(SCHOOL).await;
        assert_eq!((state.name(), state.unanswered().count()), ("accepted", 0), "{where_killed}");
        assert_eq!(scene.held(), [(SCHOOL.to_owned(), 1, u64::from(completed.weighted_person_months))]);
        let lines = scene.store().list_outbox(10).await.expect("the outbox");
        let receipt = state.in_force().map(|held| held.receipt.clone());
        assert_eq!((lines.len(), lines[0].state.as_str(), lines[0].receipt.clone()), (1, "accepted", receipt));
        let mut connection = scene.day.harness.connection().await;
        let taken_in: i64 = sqlx::query_scalar("select count(*) from audit where detail ->> 'became' = 'accepted'")
            .fetch_one(&mut connection)
            .await
            .expect("a count");
        assert_eq!(taken_in, 1, "{where_killed}");
    }
}
