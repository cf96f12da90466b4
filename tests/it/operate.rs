//! Who lost a task changes nothing, who verifies the same waits, and what a person says of dates, tasks and job files holds.

use std::path::Path;

use chrono::NaiveDate;
use renzheng::clock;
use renzheng::config::{AlertSettings, Environment, Job};
use renzheng::notify::{self, Installation};
use renzheng::policy;
use renzheng::schedule::{Schedule, Stepped};
use renzheng::store::alerts::{AlertKind, AlertLine};
use renzheng::store::batches::{Asked, Batch, Opening};
use renzheng::store::facts::Shard;
use renzheng::store::jobs::{JobSettings, SourceId};
use renzheng::store::landing::{Body, Lander, Landing, PageLine};
use renzheng::store::publish::Cause;
use renzheng::store::publish_batch::Publication;
use renzheng::store::runs::{Ending, RunLine, Started};
use renzheng::store::tasks::{Claimed, NewTask, Priority};
use renzheng::store::{Store, StoreError};
use sqlx::{Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::agency::{Agency, Wage};
use crate::harness::{Harness, Scratch, jobs_of};
use crate::program::renzheng;

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn job(name: &str, text: &str) -> Job {
    Job::parse(Path::new(&format!("jobs/{name}.toml")), text).expect("a job")
}

fn schedule(store: &Store, jobs: Vec<Job>) -> Schedule {
    let reading = policy::load(None).expect("the built-in policy");
    let keep = renzheng::domain::retention::usual();
    Schedule::new(store.clone(), jobs, Environment::default(), reading, None, keep)
}

/// A task of a pull and the worker that has it; then another, because the first came back too late.
struct Passed {
    agency: Agency,
    source: SourceId,
    settings: JobSettings,
    connection: PgConnection,
    first: Store,
}

impl Passed {
    async fn begin(name: &str) -> Self {
        let agency = Agency::begin(name, "keep = \"all\"", "").await;
        let store = &agency.harness.store;
        let (source, settings) = store.list_jobs(i64::MAX).await.expect("jobs").remove(0);
        let now = store.now().await.expect("business time");
        let task = NewTask {
            kind: "pull",
            key: "once".to_owned(),
            job: agency.job.name.clone(),
            days: None,
            business_date: clock::business_date(now),
            priority: Priority::Night,
            due_at: now,
            after: Vec::new(),
            patient_until: None,
            attempts: 5,
            created_by: "test".to_owned(),
        };
        store.queue_task(&task).await.expect("queued").expect("new");
        let first = store.working_for(&Self::claim(store, &agency.job).await);
        let connection = agency.harness.connection().await;
        Self { agency, source, settings, connection, first }
    }

    async fn claim(store: &Store, job: &Job) -> Claimed {
        let now = store.now().await.expect("business time");
        store.claim_task(now, std::slice::from_ref(&job.name), true).await.expect("an answer").expect("a task")
    }

    /// The lease runs out, and another worker takes the task.
    async fn pass(&mut self) -> Store {
        sqlx::query("update task set lease_expires_at = clock_timestamp() - interval '1 s'")
            .execute(&mut self.connection)
            .await
            .expect("expired");
        let store = &self.agency.harness.store;
        let taken = Self::claim(store, &self.agency.job).await;
        assert!(taken.taken_over);
        store.working_for(&taken)
    }

    async fn open(&self, store: &Store) -> (Started, Batch) {
        let run = store.start_run("pull", &self.agency.job.name, "test").await.expect("a run");
        let opening = Opening {
            source: self.source,
            settings: &self.settings,
            contract: "one",
            stamped_by_delivery: false,
            closes_absent: false,
            asked: Asked::Everything,
            since: None,
            until: None,
            complete_seq: None,
            run_id: run.run_id,
        };
        let batch = store.open_batch(&opening).await.expect("a batch");
        (run, batch)
    }

    async fn state(&mut self) -> (String, Option<uuid::Uuid>) {
        sqlx::query_as("select state, run_id from batch order by batch_id desc limit 1")
            .fetch_one(&mut self.connection)
            .await
            .expect("a batch")
    }
}

/// A page without records.
fn page(number: u32) -> Landing {
    let line = PageLine { number, resume: Some("next".to_owned()), digest: None, announced: None };
    Landing { line, body: Body::Read { records: Vec::new(), refusals: Vec::new(), raw_of: Box::new(|_| Vec::new()) } }
}

#[track_caller]
fn assert_lost<T: std::fmt::Debug>(outcome: &Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::LeaseLost | StoreError::LostRace { .. })), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_a_task_changes_nothing_of_its_delivery_and_its_runs() {
    let mut scene = Passed::begin("operate_lost").await;
    let (run, mut batch) = scene.open(&scene.first).await;
    let first = scene.first.clone();
    let mut lander = Lander::open(&first, batch.clone()).await.expect("a lander");
    lander.land(page(0)).await.expect("while the task is ours");
    let second = scene.pass().await;

    // before the other has begun
    assert_lost(&first.fail_batch(&batch, "the source is gone").await);
    assert_lost(&first.hold_batch(&batch, "a gate").await);
    assert_lost(&lander.land(page(1)).await);
    assert_eq!(scene.state().await, ("fetching".to_owned(), Some(run.run_id)));
    // and after
    let (run_of_second, of_second) = scene.open(&second).await;
    assert_eq!((of_second.batch_id, of_second.resumed), (batch.batch_id, true));
    assert_lost(&first.fail_batch(&batch, "the source is gone").await);
    assert_lost(&lander.land(page(1)).await);
    assert_lost(&first.complete_batch(&mut batch, None).await);
    assert_lost(&first.check_batch(&batch).await);
    assert_lost(&first.publish_batch(&batch, None, &Publication::default()).await);
    assert_lost(&first.start_run("pull", "pull-wage", "test").await);
    assert_lost(&first.finish_run(&run, Ending::Failed, &serde_json::json!({}), Some("the source is gone")).await);
    assert_eq!(scene.state().await, ("fetching".to_owned(), Some(run_of_second.run_id)));
    let mut lander = Lander::open(&second, of_second).await.expect("a lander");
    lander.land(page(1)).await.expect("it is the second's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_another_run_went_on_with_is_not_failed_by_the_one_before() {
    let mut scene = Passed::begin("operate_by_hand").await;
    // without a task: two commands of which the first lost its lock with its connection
    let by_hand = scene.agency.harness.store.clone();
    let (_, batch) = scene.open(&by_hand).await;
    let (run, _) = scene.open(&by_hand).await;
    assert_lost(&by_hand.fail_batch(&batch, "the source is gone").await);
    assert_eq!(scene.state().await, ("fetching".to_owned(), Some(run.run_id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_takes_longer_than_it_may_ends_its_run_as_timed_out() {
    let harness = Harness::new("operate_timeout").await;
    harness.clock(day("2026-04-14"), "12:00").await;
    let text = "kind = \"verify\"\nschedule = \"0 9 * * *\"\ntimeout = \"1s\"\nretry = { attempts = 1 }\n";
    let schedule = schedule(&harness.store, vec![job("verify", text)]);
    schedule.tick().await.expect("ticked");
    harness.clock(day("2026-04-15"), "09:00").await;
    schedule.tick().await.expect("ticked");
    let mut connection = harness.connection().await;
    let mut holding = connection.begin().await.expect("begun");
    sqlx::query("lock table policy in access exclusive mode").execute(&mut *holding).await.expect("locked");
    let (_, stepped) = schedule.step(true, &CancellationToken::new()).await.expect("stepped").expect("a task");
    holding.rollback().await.expect("given back");
    assert!(matches!(stepped, Stepped::GivenUp(_)), "{stepped:?}");
    let run = harness.store.list_runs(None, None, 1).await.expect("runs").remove(0);
    assert_eq!((run.state.as_str(), run.error.as_deref()), ("timed_out", Some("took longer than `timeout` = 1s")));
}

/// What is open after a look.
async fn alerts(store: &Store, jobs: &[Job], broken_jobs: Option<&str>) -> Vec<AlertLine> {
    let alerts = AlertSettings::default();
    let installation = Installation { jobs, alerts: &alerts, tax_is_set: false, broken_jobs };
    notify::watch(store, &installation, clock::system_now()).await.expect("looked");
    store.list_alerts(false, None, 100).await.expect("alerts")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tax_department_that_is_not_set_is_told_once_and_nothing_is_given_up() {
    let harness = Harness::new("operate_no_tax").await;
    harness.clock(day("2026-04-14"), "12:00").await;
    let jobs = vec![job("push", "kind = \"push\"\nschedule = \"*/10 * * * *\"\n")];
    let schedule = schedule(&harness.store, jobs.clone());
    schedule.tick().await.expect("ticked");
    let mut connection = harness.connection().await;
    for time in ["12:10", "12:20"] {
        harness.clock(day("2026-04-14"), time).await;
        schedule.tick().await.expect("ticked");
        let done = schedule.drain().await.expect("drained");
        assert!(matches!(done[..], [(_, Stepped::Done(Ending::Done))]), "{done:?}");
        assert!(alerts(&harness.store, &jobs, None).await.is_empty(), "nothing waits");
    }
    let now = harness.store.now().await.expect("business time");
    let publish = harness.store.publish(Cause::Completion, now).await.expect("a publish");
    publish.commit().await.expect("committed");
    sqlx::query(
        "with employer as (insert into unit (uscc) values ('91369900MA00000152') returning unit_id)
         insert into outbox (message_id, employer_id, year, version, kind, attempt, idempotency_key, body, digest, state, created_at,
                             next_attempt_at, seq)
         select gen_random_uuid(), unit_id, 2025, 1, 'certified', 1, 'a key', '', '', 'waiting', $1, $1, (select max(seq) from publish)
         from employer",
    )
    .bind(harness.store.now().await.expect("business time"))
    .execute(&mut connection)
    .await
    .expect("a message");
    harness.clock(day("2026-04-14"), "12:30").await;
    schedule.tick().await.expect("ticked");
    schedule.drain().await.expect("drained");
    let open = alerts(&harness.store, &jobs, None).await;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].kind, AlertKind::TaxNotSet.as_str());
    assert!(open[0].text.starts_with("1 messages wait for the tax department, which is not set"), "{}", open[0].text);
    let runs = harness.store.list_runs(None, None, 10).await.expect("runs");
    assert!(runs.iter().all(|run| run.state == "done"), "{runs:?}");
    assert_eq!((runs.len(), &runs[0].counts["waiting"]), (3, &1.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn job_files_that_change_are_in_use_from_then_on_and_broken_ones_leave_the_former() {
    let (harness, scratch) = (Harness::new("operate_files").await, Scratch::new("operate_files"));
    let folder = scratch.path();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("written");
    write("verify.toml", "kind = \"verify\"\nschedule = \"0 4 * * *\"\n");
    let jobs = jobs_of(folder);
    let schedule = schedule(&harness.store, jobs).of_folder(folder);
    let look = async || {
        // half a change is none: it counts when it is seen twice
        schedule.tick().await.expect("ticked");
        schedule.tick().await.expect("ticked");
        let known = schedule.known();
        let schedules: Vec<&str> = known.jobs.iter().filter_map(|job| Some(job.schedule.as_ref()?.as_str())).collect();
        (schedules.join(", "), known.broken.clone())
    };
    assert_eq!(look().await, ("0 4 * * *".to_owned(), None));
    write("maintain.toml", "kind = \"maintain\"\nschedule = \"0 6 * * *\"\n");
    assert_eq!(look().await, ("0 6 * * *, 0 4 * * *".to_owned(), None));
    write("verify.toml", "kind = \"verify\"\nschedule = \"0 25 * * *\"\n");
    let (schedules, broken) = look().await;
    let broken = broken.expect("it is broken");
    assert_eq!(schedules, "0 6 * * *, 0 4 * * *", "the former go on");
    assert!(broken.contains("verify.toml:2: `schedule`: `25` is not an hour"), "{broken}");
    let open = alerts(&harness.store, &schedule.known().jobs, Some(&broken)).await;
    let kinds: Vec<&str> = open.iter().map(|alert| alert.kind.as_str()).collect();
    assert_eq!(kinds, [AlertKind::JobsBroken.as_str()]);
    write("verify.toml", "kind = \"verify\"\nschedule = \"0 5 * * *\"\n");
    assert_eq!(look().await, ("0 6 * * *, 0 5 * * *".to_owned(), None));
    assert!(alerts(&harness.store, &schedule.known().jobs, None).await.is_empty());
    for file in ["verify.toml", "maintain.toml"] {
        std::fs::remove_file(folder.join(file)).expect("removed");
    }
    let (schedules, broken) = look().await;
    assert_eq!(schedules, "0 6 * * *, 0 5 * * *", "no files at all is a mistake, not a wish");
    assert!(broken.expect("it is broken").contains("holds no job files any more"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_whole_verifications_of_the_same_persons_one_waits() {
    let harness = Harness::new("operate_alone").await;
    let store = &harness.store;
    let mut connection = harness.connection().await;
    let shard = |number| Shard { number, of: 2 };
    let one = store.lock_verification(2025, shard(0)).await.expect("locked");
    let other = store.lock_verification(2025, shard(1)).await.expect("another shard goes on beside it");
    drop(store.lock_verification(2024, Shard::WHOLE).await.expect("so does another year"));
    for held in [one, other] {
        let verifying = tokio::spawn({
            let store = store.clone();
            async move { drop(store.lock_verification(2025, Shard::WHOLE).await.expect("locked")) }
        });
        let mut waits = 0_i64;
        while waits == 0 {
            tokio::task::yield_now().await;
            waits = sqlx::query_scalar("select count(*) from pg_locks where locktype = 'advisory' and not granted")
                .fetch_one(&mut connection)
                .await
                .expect("a count");
        }
        assert!(!verifying.is_finished());
        verifying.abort();
        drop(held);
    }
}

/// The program on an installation with these jobs.
fn say(harness: &Harness, folder: &Path, arguments: &[&str]) -> String {
    let mut command = renzheng(arguments);
    let output = command
        .args(["--jobs", folder.to_str().expect("UTF-8")])
        .env("DATABASE_URL", harness.url())
        .env("RENZHENG_KEYS", harness.store.keys().to_text())
        .output()
        .expect("the program starts");
    let (said, words) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("exit {}\n{said}{words}", output.status.code().expect("a code"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_for_the_business_date_that_a_person_names() {
    let (harness, scratch) = (Harness::new("operate_date").await, Scratch::new("operate_date"));
    std::fs::write(scratch.path().join("nightly.toml"), "kind = \"verify\"\n").expect("written");
    harness.clock(day("2026-04-15"), "12:00").await;
    let said = say(&harness, scratch.path(), &["run", "nightly", "--date", "2026-02-28"]);
    assert!(said.starts_with("exit 0\nnightly: 2025: 0 placements"), "{said}");
    let last = async || -> Vec<RunLine> { harness.store.list_runs(Some("nightly"), None, 2).await.expect("runs") };
    let runs = last().await;
    // last year and the running one, as every night
    assert_eq!(runs.iter().map(|run| run.business_date).collect::<Vec<_>>(), [day("2026-02-28"); 2]);
    let said = say(&harness, scratch.path(), &["run", "nightly", "--date", "2026-04-16"]);
    assert!(said.starts_with("exit 2") && said.contains("a business date that has come"), "{said}");

    let said = say(&harness, scratch.path(), &["run", "nightly", "--date", "2026-03-31", "--detach"]);
    assert!(said.starts_with("exit 0\nqueued as task 1"), "{said}");
    let schedule = schedule(&harness.store, jobs_of(scratch.path()));
    assert_eq!(schedule.drain().await.expect("drained").len(), 1);
    assert_eq!(last().await.iter().map(|run| run.business_date).collect::<Vec<_>>(), [day("2026-03-31"); 2]);
    // without a date it is today's, also if it is worked on later
    say(&harness, scratch.path(), &["run", "nightly", "--detach"]);
    harness.clock(day("2026-04-17"), "01:00").await;
    assert_eq!(schedule.drain().await.expect("drained").len(), 1);
    assert_eq!(last().await[0].business_date, day("2026-04-17"));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_has_not_begun_is_given_up_by_its_own_number() {
    let (harness, scratch) = (Harness::new("operate_discard").await, Scratch::new("operate_discard"));
    std::fs::write(scratch.path().join("nightly.toml"), "kind = \"verify\"\n").expect("written");
    harness.clock(day("2026-04-15"), "12:00").await;
    say(&harness, scratch.path(), &["run", "nightly", "--detach"]);
    let discard = ["runs", "discard", "task-1", "--why", "it was a mistake"];
    assert_eq!(say(&harness, scratch.path(), &discard), "exit 0\ntask 1 of nightly is given up for good\n");
    assert!(schedule(&harness.store, jobs_of(scratch.path())).drain().await.expect("drained").is_empty());
    let said = say(&harness, scratch.path(), &discard);
    assert!(said.starts_with("exit 2") && said.contains("task 1 is `discarded`: only what"), "{said}");
    let said = say(&harness, scratch.path(), &["runs", "discard", "task-7", "--why", "x"]);
    assert!(said.starts_with("exit 2") && said.contains("there is no task 7"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pulls_of_one_night_fired_before_midnight_are_of_that_night() {
    let agency = Agency::begin("operate_midnight", "keep = \"all\"\nschedule = \"50 23 * * *\"", "").await;
    agency.deliver(&[vec![Wage::new("W1", 1, 1, "2000")]]);
    let schedule = schedule(&agency.harness.store, vec![agency.job.clone()]);
    schedule.tick().await.expect("ticked");
    agency.harness.clock(day("2026-04-16"), "00:10").await;
    schedule.tick().await.expect("ticked");
    assert_eq!(schedule.drain().await.expect("drained").len(), 1);
    let run = agency.harness.store.list_runs(None, None, 1).await.expect("runs").remove(0);
    assert_eq!(run.business_date, day("2026-04-15"));
}
