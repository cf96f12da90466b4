//! A database that was restored is behind the department: what it knows better is taken back first, and nothing else leaves before.

use renzheng::declare::corrections::reissue;
use renzheng::declare::discard::{DiscardError, discard};
use renzheng::declare::settle::{Settled, settle};
use renzheng::declare::withdraw;
use renzheng::domain::message::MessageKind;
use renzheng::domain::reconciliation::Class;
use renzheng::push::gate::{Gate, Opening};
use renzheng::sandbox::tax_faults::Plan;
use renzheng::store::outbox::{Answered, AttemptRecord, Passing};
use renzheng::store::outbox_lines::OutboxLine;

use crate::declaring::{FACTORY, SCHOOL, Scene, approval, employer, supervisor, withdrawal};
use crate::harness::actor;
use crate::reconcile::foreign;

/// The school's first version is known here, its second one only to the department; the factory completes.
async fn restored(name: &str) -> Scene {
    let mut scene = Scene::begin(name).await;
    scene.accepted(SCHOOL).await;
    scene.prove_affiliates(FACTORY).await;
    scene.day.harness.back_up().await;
    scene.withdrawn(SCHOOL).await;
    scene.accepted(SCHOOL).await;
    scene.day.harness.restore().await;
    assert_eq!(scene.state(SCHOOL).await.version_in_force(), Some(1), "yesterday");
    scene.complete(FACTORY).await.expect("completed");
    scene
}

/// People follow the department: the second version will be withdrawn there.
async fn taken_back(scene: &Scene, gate: &Gate) -> Settled {
    assert_eq!(scene.hand_over(gate).await.gate, Opening::Ahead);
    let settled = scene.settled(SCHOOL).await.expect("settled");
    assert_eq!((settled.class, settled.withdraws), (Class::MissingHere, Some(2)));
    settled
}

/// The messages of an employer that wait.
async fn waiting(scene: &Scene, code: &str) -> Vec<OutboxLine> {
    let lines = scene.store().list_outbox(20).await.expect("lines");
    lines.into_iter().filter(|line| line.uscc == code && line.state == "waiting").collect()
}

#[tokio::test]
async fn after_a_restore_nothing_leaves_before_what_the_department_knows_better_is_taken_back() {
    let scene = restored("restored").await;
    let there = scene.held();
    let declaring = scene.declaring(SCHOOL).await;
    withdraw::ask(scene.store(), &employer(declaring.employer), declaring, &withdrawal(false)).await.expect("asked");
    withdraw::decide(scene.store(), &supervisor(), declaring, &approval(None)).await.expect("approved");

    let gate = Gate::default();
    let handed_over = scene.hand_over(&gate).await;
    assert_eq!((handed_over.gate, handed_over.attempts.attempts()), (Opening::Ahead, 0));
    assert_eq!(scene.held(), there, "nothing left");
    let settled = scene.settled(SCHOOL).await.expect("settled");
    assert_eq!((settled.class, settled.state, settled.withdraws), (Class::MissingHere, "open", Some(2)));
    assert_eq!(settled.last_version, 2);
    let at = scene.store().now().await.expect("now");
    let policy = &scene.day.harness.policy.policy;
    let window = renzheng::declare::window_of(scene.store(), policy, declaring, &scene.state(SCHOOL).await, at).await;
    assert!(window.expect("a window").is_some_and(|window| window.contains(at + chrono::TimeDelta::days(10))));

    let handed_over = scene.hand_over(&gate).await;
    assert_eq!((handed_over.gate, handed_over.attempts.accepted), (Opening::Open, 2));
    let received = scene.received();
    assert_eq!(
        &received[3..],
        ["2:withdrawn:4 accepted", "1:certified accepted"],
        "what takes back goes first: {received:?}"
    );
    scene.assert_equal().await;
    scene.accepted(SCHOOL).await;
    assert_eq!(scene.state(SCHOOL).await.version_in_force(), Some(3), "above every number that was used");
    scene.assert_equal().await;
}

#[tokio::test]
async fn a_completion_whose_number_the_department_knows_otherwise_is_never_sent() {
    let mut scene = Scene::begin("overtaken").await;
    scene.day.harness.back_up().await;
    scene.accepted(SCHOOL).await;
    scene.day.harness.restore().await;
    scene.complete(SCHOOL).await.expect("completed once more");
    let settled = scene.settled(SCHOOL).await.expect("settled");
    assert_eq!((settled.state, settled.withdraws, settled.last_version), ("open", Some(1), 1));
    assert_eq!(scene.claims(SCHOOL).await, 0, "what is not sent claims nothing");
    scene.hand_over(&Gate::default()).await;
    assert_eq!(scene.received(), ["1:certified accepted", "1:withdrawn:2 accepted"]);
    scene.accepted(SCHOOL).await;
    assert_eq!(scene.state(SCHOOL).await.version_in_force(), Some(2));
    scene.assert_equal().await;
}

#[tokio::test]
async fn what_takes_back_and_is_rejected_lets_nothing_else_leave_until_it_is_issued_again_and_accepted() {
    let scene = restored("recovery_rejected").await;
    let gate = Gate::default();
    taken_back(&scene, &gate).await;
    let before = scene.received().len();
    scene.department.faults.set(Plan::parse("[[fault]]\nwhat = \"rejected\"\n").expect("a plan"));
    let handed_over = scene.hand_over(&gate).await;
    assert_eq!((handed_over.gate, handed_over.attempts.rejected), (Opening::Recovering, 1));
    scene.department.faults.set(Plan::default());
    let handed_over = scene.hand_over(&gate).await;
    assert_eq!((handed_over.gate, handed_over.attempts.attempts()), (Opening::Recovering, 0), "nor with a well one");
    assert_eq!(scene.held().len(), 1, "the second version is in force there all the while");
    assert!(waiting(&scene, FACTORY).await.iter().all(|line| line.attempts == 0), "the factory's waits");

    let declaring = scene.declaring(SCHOOL).await;
    reissue(scene.store(), &supervisor(), declaring, MessageKind::Withdrawn).await.expect("issued again");
    assert_eq!(Gate::default().look(scene.store(), &scene.client).await.expect("looked").0, Opening::Recovering);
    let handed_over = scene.hand_over(&gate).await;
    assert_eq!((handed_over.gate, handed_over.attempts.accepted), (Opening::Open, 2));
    let received = scene.received();
    let left: Vec<&str> =
        received[before..].iter().map(String::as_str).filter(|one| one.ends_with("accepted")).collect();
    assert_eq!(left, ["2:withdrawn:5 accepted", "1:certified accepted"], "{received:?}");
    // the department kept nothing of what it rejected, so that both sides tell of as many messages never again
    assert_eq!(scene.held().iter().map(|held| held.0.as_str()).collect::<Vec<_>>(), [FACTORY]);
    scene.assert_only_what_was_confirmed_leaves().await;
}

#[tokio::test]
async fn what_takes_back_is_not_given_up() {
    let scene = restored("recovery_kept").await;
    let gate = Gate::default();
    taken_back(&scene, &gate).await;
    let withdrawal = waiting(&scene, SCHOOL).await.pop().expect("a withdrawal");
    let refused = discard(scene.store(), &actor(), withdrawal.message_id, "it takes too long").await;
    assert!(matches!(refused, Err(DiscardError::Recovery(id)) if id == withdrawal.message_id), "{refused:?}");
    assert_eq!(scene.hand_over(&gate).await.gate, Opening::Open);
    scene.assert_equal().await;
}

#[tokio::test]
async fn numbers_of_certifications_that_only_the_department_knows_are_not_given_out_again() {
    let scene = restored("recovery_numbers").await;
    let gate = Gate::default();
    taken_back(&scene, &gate).await;
    scene.hand_over(&gate).await;
    let number = async |code: &str| {
        let declaration = scene.state(code).await;
        let number = declaration.stage.completion().expect("a completion").certification_number.clone();
        let digits = number.rsplit(|sign: char| !sign.is_ascii_digit()).next().unwrap_or_default();
        digits.parse::<u64>().expect("a number")
    };
    let before = number(FACTORY).await;
    scene.accepted(SCHOOL).await;
    assert!(number(SCHOOL).await > before + 100_000, "far beyond what can have been given out in a night");
    scene.assert_equal().await;
}

#[tokio::test]
async fn a_gate_that_was_open_is_shut_where_the_database_falls_behind_it() {
    let mut scene = Scene::begin("gate_falls").await;
    scene.accepted(SCHOOL).await;
    scene.prove_affiliates(FACTORY).await;
    scene.day.harness.back_up().await;
    scene.complete(FACTORY).await.expect("completed");
    // the process goes on over the restore
    let gate = Gate::default();
    assert_eq!(scene.hand_over(&gate).await.gate, Opening::Open);
    assert_eq!(scene.held().len(), 2);
    scene.day.harness.restore().await;
    let handed_over = scene.hand_over(&gate).await;
    assert_eq!((handed_over.gate, handed_over.attempts.attempts()), (Opening::Ahead, 0));
    let settled = scene.settled(FACTORY).await.expect("settled");
    assert_eq!((settled.class, settled.withdraws), (Class::MissingHere, Some(1)));
    assert_eq!(scene.hand_over(&gate).await.gate, Opening::Open);
    scene.assert_equal().await;
}

#[tokio::test]
async fn a_gate_that_was_open_is_shut_while_the_department_is_known_to_hold_what_is_not_known_here() {
    let scene = Scene::begin("gate_missing_here").await;
    let gate = Gate::default();
    scene.accepted(SCHOOL).await;
    assert_eq!(scene.hand_over(&gate).await.gate, Opening::Open);
    scene.department.hear_from_another(&foreign("91369900MA00000152", 1)).expect("heard");
    assert_eq!(scene.found().await, Class::MissingHere, "the nightly look finds it");
    scene.prove_affiliates(FACTORY).await;
    scene.complete(FACTORY).await.expect("completed");
    let handed_over = scene.hand_over(&gate).await;
    assert_eq!((handed_over.gate, handed_over.attempts.attempts()), (Opening::Ahead, 0));
    scene.department.forget("somebody-elses-1").expect("removed");
    let handed_over = scene.hand_over(&gate).await;
    assert_eq!((handed_over.gate, handed_over.attempts.accepted), (Opening::Open, 1));
    scene.assert_equal().await;
}

#[tokio::test]
async fn over_what_was_tried_and_may_still_be_accepted_nothing_is_settled() {
    let scene = Scene::begin("settle_tried").await;
    scene.accepted(SCHOOL).await;
    let message_id = scene.department.heard().pop().expect("a message").0;
    scene.department.change_months(&message_id, 35).expect("changed");
    assert_eq!(scene.found().await, Class::OtherContent);
    let declaring = scene.declaring(SCHOOL).await;
    withdraw::ask(scene.store(), &employer(declaring.employer), declaring, &withdrawal(false)).await.expect("asked");
    withdraw::decide(scene.store(), &supervisor(), declaring, &approval(None)).await.expect("approved");
    let now = scene.store().now().await.expect("now");
    let outgoing = scene.store().open_attempt(now).await.expect("opened").expect("the withdrawal is due");
    let refused = settle(scene.store(), &supervisor(), declaring, "spoken with them").await;
    assert_eq!(refused.expect_err("refused").code(), Some("may_be_accepted"));
    // it never arrived, and the next attempt does
    let cut = AttemptRecord { error: Some("cut".to_owned()), ..AttemptRecord::default() };
    scene.store().close_attempt(&outgoing, &cut, &Answered::Later, now).await.expect("closed");
    scene.push().await;
    assert!(scene.held().is_empty());
    scene.assert_equal().await;
}

#[tokio::test]
async fn attempts_of_which_no_byte_left_are_as_if_they_had_never_been() {
    let scene = Scene::begin("given_back").await;
    scene.prove_affiliates(FACTORY).await;
    scene.complete(FACTORY).await.expect("completed");
    scene.complete(SCHOOL).await.expect("completed");
    let now = scene.store().now().await.expect("now");
    let attempts = async || {
        let lines = scene.store().list_outbox(20).await.expect("lines");
        let mut told: Vec<_> = lines.into_iter().map(|line| (line.uscc, line.state, line.attempts)).collect();
        told.sort();
        told
    };
    let untried = attempts().await;
    // one was tried and not answered
    let tried = scene.store().open_attempt(now).await.expect("opened").expect("due");
    let cut = AttemptRecord { error: Some("cut".to_owned()), ..AttemptRecord::default() };
    scene.store().close_attempt(&tried, &cut, &Answered::Later, now).await.expect("closed");
    let once = attempts().await;
    assert_ne!(once, untried);

    let opened = scene.store().open_attempts(now, Passing::Everything, 10).await.expect("opened");
    assert_eq!(opened.len(), 2);
    assert!(scene.store().open_attempts(now, Passing::Everything, 10).await.expect("asked").is_empty(), "under way");
    let unsent: Vec<_> = opened.iter().map(|one| (one.message_id, one.attempt_number)).collect();
    scene.store().give_back_attempts(&unsent, now).await.expect("given back");
    assert_eq!(attempts().await, once);
    let again = scene.store().open_attempts(now, Passing::Everything, 10).await.expect("opened");
    let numbers = |opened: &[renzheng::store::outbox::Outgoing]| {
        let mut numbers: Vec<_> = opened.iter().map(|one| (one.message_id, one.attempt_number)).collect();
        numbers.sort();
        numbers
    };
    assert_eq!(numbers(&again), numbers(&opened), "due at once, under the same numbers");
    scene.store().give_back_attempts(&unsent, now).await.expect("given back");
    scene.push().await;
    assert_eq!(scene.held().len(), 2);
    scene.assert_equal().await;
}
