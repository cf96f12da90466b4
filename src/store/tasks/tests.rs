//! Leases: fenced by token, expired by database time, handed back, used up.

use super::*;
use crate::domain::access::Actor;
use crate::store::testing::Database;

fn tester() -> Actor {
    Actor::operator("test")
}

fn task(key: &str, job: &str) -> NewTask {
    NewTask {
        kind: "pull",
        key: key.to_owned(),
        job: job.to_owned(),
        days: None,
        business_date: "2026-03-01".parse().expect("a date"),
        priority: Priority::Night,
        due_at: DateTime::UNIX_EPOCH,
        after: Vec::new(),
        patient_until: None,
        attempts: 3,
        created_by: "test".to_owned(),
    }
}

async fn queued(store: &Store, key: &str, job: &str) -> i64 {
    store.queue_task(&task(key, job)).await.expect("queued").expect("new")
}

fn jobs() -> [String; 2] {
    ["a", "b"].map(str::to_owned)
}

async fn claim(store: &Store) -> Option<Claimed> {
    let now = store.now().await.expect("now");
    store.claim_task(now, &jobs(), true).await.expect("asked")
}

/// The lease of a task runs out, as if its worker had been gone for so long.
async fn expire(store: &Store, task_id: i64) {
    sqlx::query("update task set lease_expires_at = clock_timestamp() - interval '1 second' where task_id = $1")
        .bind(task_id)
        .execute(&store.pool)
        .await
        .expect("expired");
}

async fn state(store: &Store, task_id: i64) -> String {
    store.find_task(task_id).await.expect("asked").expect("there").state
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_work_is_queued_once_and_done_once() {
    let database = Database::open().await;
    let store = &database.store;
    let task_id = queued(store, "a 1", "a").await;
    assert_eq!(store.queue_task(&task("a 1", "a")).await.expect("asked"), None);
    let claimed = claim(store).await.expect("work");
    assert_eq!((claimed.lease.task_id, claimed.attempt, claimed.taken_over), (task_id, 1, false));
    assert!(claim(store).await.is_none());
    let now = store.now().await.expect("now");
    assert!(store.finish_task(&claimed.lease, Ending::Done, now).await.expect("ended"));
    assert!(!store.finish_task(&claimed.lease, Ending::Done, now).await.expect("asked"), "it is over");
    assert!(claim(store).await.is_none());
    assert_eq!(state(store, task_id).await, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lost_its_lease_can_change_nothing() {
    let database = Database::open().await;
    let store = &database.store;
    let task_id = queued(store, "a 1", "a").await;
    let first = claim(store).await.expect("work");
    expire(store, task_id).await;
    assert!(!store.renew_task(&first.lease, true).await.expect("asked"), "it ran out, though nobody took it yet");
    let second = claim(store).await.expect("work");
    assert_eq!((second.attempt, second.taken_over), (2, true));
    let now = store.now().await.expect("now");
    assert!(!store.renew_task(&first.lease, false).await.expect("asked"));
    assert!(!store.finish_task(&first.lease, Ending::Done, now).await.expect("asked"));
    assert!(!store.put_off_task(&first.lease, now, true, "x").await.expect("asked"));
    assert!(!store.bury_task(&first.lease, "x", now).await.expect("asked"));
    assert!(!store.hand_back_task(&first.lease).await.expect("asked"));
    assert_eq!(state(store, task_id).await, "running");
    assert!(store.renew_task(&second.lease, false).await.expect("asked"));
    assert!(store.finish_task(&second.lease, Ending::DoneWithRefusals, now).await.expect("ended"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_goes_by_database_time_whatever_business_time_says() {
    let database = Database::open().await;
    let store = &database.store;
    queued(store, "a 1", "a").await;
    claim(store).await.expect("work");
    let later = store.now().await.expect("now") + TimeDelta::days(400);
    store.set_clock(later).await.expect("set");
    assert!(claim(store).await.is_none(), "a year of business time is no second of a lease");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_kills_its_workers_is_given_up_with_its_error_and_a_run_that_says_so() {
    let database = Database::open().await;
    let store = &database.store;
    let task_id = queued(store, "a 1", "a").await;
    for attempt in 1..=3 {
        let now = store.now().await.expect("now");
        assert_eq!(store.bury_spent_tasks(now).await.expect("asked"), 0);
        assert_eq!(claim(store).await.expect("work").attempt, attempt);
        expire(store, task_id).await;
    }
    assert!(claim(store).await.is_none(), "its attempts are used up");
    let now = store.now().await.expect("now");
    assert_eq!(store.bury_spent_tasks(now).await.expect("buried"), 1);
    let dead = store.find_task(task_id).await.expect("asked").expect("there");
    assert_eq!(dead.state, "dead");
    assert_eq!(dead.error.as_deref(), Some("given up: its worker was lost in each of the last 3 attempts"));
    let run = store.list_runs(Some("a"), None, 5).await.expect("runs").remove(0);
    assert_eq!((run.state.as_str(), run.error), ("failed", dead.error));
    assert_eq!(store.task_of_run(run.run_id).await.expect("asked").0, Some(task_id));
    assert!(store.retry_dead_task(task_id, &tester(), "mended").await.expect("asked"));
    assert!(!store.retry_dead_task(task_id, &tester(), "mended").await.expect("asked"), "it is not given up any more");
    assert_eq!(claim(store).await.expect("work").attempt, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_get_somewhere_are_not_counted_against_a_task() {
    let database = Database::open().await;
    let store = &database.store;
    let task_id = queued(store, "a 1", "a").await;
    for attempt in 1..=10 {
        let claimed = claim(store).await.expect("work");
        assert_eq!((claimed.attempt, claimed.barren), (attempt, 1));
        if attempt % 2 == 0 {
            // killed after it told that it got somewhere
            assert!(store.renew_task(&claimed.lease, true).await.expect("renewed"));
            expire(store, task_id).await;
        } else {
            let now = store.now().await.expect("now");
            assert!(store.put_off_task(&claimed.lease, now, true, "cut off").await.expect("put off"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_back_was_no_attempt() {
    let database = Database::open().await;
    let store = &database.store;
    let task_id = queued(store, "a 1", "a").await;
    for _ in 0..5 {
        let claimed = claim(store).await.expect("work");
        assert_eq!((claimed.attempt, claimed.barren), (1, 1));
        let working = store.working_for(&claimed);
        let run = working.start_run("pull", "other name", "test").await.expect("a run");
        assert!(store.hand_back_task(&claimed.lease).await.expect("handed back"));
        let told = store.find_run(&run.number.to_string()).await.expect("asked").expect("there");
        assert_eq!((told.job.as_str(), told.state.as_str()), ("a", "failed"), "the run is the task's, and over");
    }
    assert_eq!(state(store, task_id).await, "queued");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_of_a_job_that_a_process_does_not_know_is_left_to_others_for_a_day() {
    let database = Database::open().await;
    let store = &database.store;
    let now = store.now().await.expect("now");
    store.queue_task(&NewTask { due_at: now, ..task("c 1", "c") }).await.expect("queued").expect("new");
    assert!(claim(store).await.is_none());
    let tomorrow = now + TimeDelta::hours(25);
    assert!(
        store.claim_task(tomorrow, &jobs(), true).await.expect("asked").is_some(),
        "somebody must say that nobody knows it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_job_one_task_runs_at_a_time_however_many_ask_at_once() {
    let database = Database::open().await;
    let store = &database.store;
    for number in 0..6 {
        queued(store, &format!("{number}"), ["a", "b"][number % 2]).await;
    }
    let claims = futures_util::future::join_all((0..12).map(|_| claim(store))).await;
    // who lost a race may have found nothing
    let mut jobs: Vec<String> = claims.into_iter().flatten().map(|claimed| claimed.job).collect();
    while let Some(more) = claim(store).await {
        jobs.push(more.job);
    }
    jobs.sort();
    assert_eq!(jobs, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nights_work_goes_before_backfills_whose_parts_go_one_after_the_other() {
    let database = Database::open().await;
    let store = &database.store;
    let day = |day: u32| NaiveDate::from_ymd_opt(2026, 1, day).expect("a date");
    let backfill = super::super::backfills::NewBackfill {
        from: day(1),
        to: day(4),
        step: "1d".to_owned(),
        parallel: 2,
        parts: (1..=4).map(|number| (day(number), day(number))).collect(),
    };
    let part = NewTask { priority: Priority::Backfill, ..task("", "a") };
    let id = store.start_backfill(&backfill, &[part], &tester()).await.expect("started");
    queued(store, "night", "b").await;
    assert_eq!(claim(store).await.expect("work").key, "night");
    let now = store.now().await.expect("now");
    assert!(store.claim_task(now, &jobs(), false).await.expect("asked").is_none(), "this worker is kept for the night");
    let first = claim(store).await.expect("a part");
    assert_eq!((first.key.as_str(), first.days), ("backfill 1 a part 1", Some((day(1), day(1)))));
    assert!(claim(store).await.is_none(), "a source is read by one at a time");
    assert!(store.pause_backfill(id, &tester()).await.expect("paused"));
    assert!(store.finish_task(&first.lease, Ending::Done, now).await.expect("ended"));
    assert!(claim(store).await.is_none(), "it is paused");
    assert!(store.resume_backfill(id, &tester()).await.expect("resumed"));
    let second = claim(store).await.expect("a part");
    assert!(store.bury_task(&second.lease, "no", now).await.expect("given up"));
    // the job's own night goes before its further parts
    queued(store, "own night", "a").await;
    let own = claim(store).await.expect("work");
    assert_eq!(own.key, "own night");
    assert!(claim(store).await.is_none(), "while it runs no further part of its source begins");
    assert!(store.finish_task(&own.lease, Ending::Done, now).await.expect("ended"));
    let line = store.list_backfills(Some(id)).await.expect("listed").remove(0);
    assert_eq!((line.parts, line.done, line.running, line.failed, line.state()), (4, 1, 0, 1, "running"));
    assert_eq!(store.retry_backfill(id, &tester()).await.expect("retried"), 1, "only the part that failed");
    let retried = claim(store).await.expect("a part");
    assert_eq!(retried.days, Some((day(2), day(2))), "what was begun goes on first");
    // it landed pages and is put off: what comes next would give them up, but for the night
    store.working_for(&retried).start_run("pull", "a", "test").await.expect("a run");
    assert!(store.put_off_task(&retried.lease, now + TimeDelta::hours(1), true, "later").await.expect("put off"));
    assert!(claim(store).await.is_none(), "the part that was begun goes on first");
    queued(store, "own night again", "a").await;
    let own = claim(store).await.expect("work");
    assert_eq!(own.key, "own night again");
    assert!(store.finish_task(&own.lease, Ending::Done, now).await.expect("ended"));
    let later = now + TimeDelta::hours(2);
    let again = store.claim_task(later, &jobs(), true).await.expect("asked").expect("a part");
    assert_eq!(again.days, retried.days);
    assert!(store.finish_task(&again.lease, Ending::Done, later).await.expect("ended"));
    assert_eq!(claim(store).await.expect("a part").days, Some((day(3), day(3))));
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_parts_of_a_backfill_run_at_once_one_of_each_source() {
    let database = Database::open().await;
    let store = &database.store;
    let day = |day: u32| NaiveDate::from_ymd_opt(2026, 1, day).expect("a date");
    for (parallel, together) in [(2, vec!["a", "b"]), (1, vec!["a"])] {
        let backfill = super::super::backfills::NewBackfill {
            from: day(1),
            to: day(2),
            step: "1d".to_owned(),
            parallel,
            parts: vec![(day(1), day(1)), (day(2), day(2))],
        };
        let sources = ["a", "b"].map(|job| NewTask { priority: Priority::Backfill, ..task("", job) });
        store.start_backfill(&backfill, &sources, &tester()).await.expect("started");
        let mut claimed = Vec::new();
        while let Some(part) = claim(store).await {
            claimed.push(part);
        }
        let jobs: Vec<&str> = claimed.iter().map(|part| part.job.as_str()).collect();
        assert_eq!(jobs, together);
        let now = store.now().await.expect("now");
        let mut done = 0;
        while let Some(part) = claimed.pop() {
            assert!(store.finish_task(&part.lease, Ending::Done, now).await.expect("ended"));
            done += 1;
            claimed.extend(claim(store).await);
        }
        assert_eq!(done, 4, "then the others");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_hears_of_work_and_the_connections_of_a_lost_task_are_ended() {
    let database = Database::open().await;
    let store = &database.store;
    let mut bell = store.listen_for_tasks().await.expect("listening");
    let task_id = queued(store, "a 1", "a").await;
    bell.rung().await.expect("rung");
    let lost = claim(store).await.expect("work");
    let source = crate::store::jobs::SourceId(1);
    let held = store.working_for(&lost).lock_source(source).await.expect("locked");
    expire(store, task_id).await;
    let next = claim(store).await.expect("work");
    store.end_connections_of(&next.lease).await.expect("ended");
    // without that this would wait for ever: who held the lock still lives
    let taken = store.working_for(&next).lock_source(source).await.expect("locked");
    drop((held, taken));
}
