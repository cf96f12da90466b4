//! The clockwork driven by hand: downtime, overlaps, pauses, retries, backfills, and what the commands say of it.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::NaiveDate;
use renzheng::config::{Environment, Job};
use renzheng::policy;
use renzheng::schedule::failure::Class;
use renzheng::schedule::{Schedule, Stepped};
use renzheng::store::Store;
use renzheng::store::runs::Ending;

use crate::agency::{Agency, Wage};
use crate::harness::{Harness, Scratch, actor};
use crate::http_agency::{Reply, WageAgency, Wire};
use crate::program::renzheng;

/// The clockwork of one process over these jobs.
fn schedule(store: &Store, jobs: &[Job], environment: &Environment) -> Schedule {
    let reading = policy::load(None).expect("the built-in policy");
    Schedule::new(
        store.clone(),
        jobs.to_vec(),
        environment.clone(),
        reading,
        None,
        renzheng::domain::retention::usual(),
    )
}

fn job(name: &str, text: &str) -> Job {
    Job::parse(Path::new(&format!("jobs/{name}.toml")), text).expect("a job")
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// A file agency with a nightly pull, and its clockwork.
struct Night {
    agency: Agency,
    schedule: Schedule,
}

impl Night {
    async fn begin(name: &str, keys: &str) -> Self {
        let agency = Agency::begin(name, &format!("keep = \"all\"\nschedule = \"30 1 * * *\"\n{keys}"), "").await;
        agency.deliver(&[vec![Wage::new("W1", 1, 1, "2000")]]);
        agency.harness.clock(day("2026-04-14"), "12:00").await;
        let schedule = schedule(&agency.harness.store, std::slice::from_ref(&agency.job), &Environment::default());
        schedule.tick().await.expect("ticked");
        Self { agency, schedule }
    }

    /// Looks at the clock at this time and works.
    async fn at(&self, date: &str, time: &str) -> Vec<String> {
        self.agency.harness.clock(day(date), time).await;
        self.schedule.tick().await.expect("ticked");
        let done = self.schedule.drain().await.expect("drained");
        done.into_iter().map(|(task, stepped)| format!("{} {}", task.job, told(&stepped))).collect()
    }

    async fn fires(&self) -> Vec<String> {
        let lines = self.agency.harness.store.list_fires(None, 100).await.expect("fires");
        lines.iter().rev().map(|line| format!("{} {}: {}", line.business_date, line.decision, line.why)).collect()
    }
}

fn told(stepped: &Stepped) -> String {
    match stepped {
        Stepped::Done(Ending::Done) => "done".to_owned(),
        Stepped::Done(ending) => format!("{ending:?}"),
        Stepped::PutOff(failure) => format!("put off, {}", failure.class),
        Stepped::GivenUp(failure) => format!("given up, {}", failure.class),
        Stepped::Lost => "lost".to_owned(),
        Stepped::HandedBack => "handed back".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_seen_for_the_first_time_does_not_fire_for_the_past_and_then_every_night() {
    let night = Night::begin("schedule_first", "").await;
    assert_eq!(night.fires().await, Vec::<String>::new());
    assert_eq!(night.at("2026-04-15", "01:29").await, Vec::<String>::new());
    assert_eq!(night.at("2026-04-15", "01:30").await, ["pull-wage done"]);
    assert_eq!(night.at("2026-04-15", "01:31").await, Vec::<String>::new());
    assert_eq!(night.at("2026-04-18", "00:10").await, ["pull-wage done"], "two nights were missed: one run is enough");
    assert_eq!(
        night.fires().await,
        [
            "2026-04-15 run: at its time",
            "2026-04-16 coalesced: missed by 1 d 22 h: a later fire runs for it",
            "2026-04-17 run: 22 h 40 min late: nothing ran at its time; also for 1 missed before it",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_fires_all_run_one_after_the_other_or_none_does_as_the_job_says() {
    let all = Night::begin("schedule_all", "misfire = \"all\"\n").await;
    assert_eq!(all.at("2026-04-17", "12:00").await, ["pull-wage done"; 3]);
    let none = Night::begin("schedule_none", "misfire = \"skip\"\n").await;
    assert_eq!(none.at("2026-04-17", "12:00").await, Vec::<String>::new());
    assert_eq!(none.fires().await.len(), 3);
    assert_eq!(none.at("2026-04-18", "01:30").await, ["pull-wage done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_line_begins_anew_and_the_old_fires_stand() {
    let mut night = Night::begin("schedule_line", "").await;
    assert_eq!(night.at("2026-04-15", "01:30").await, ["pull-wage done"]);
    night.agency.settings("keep = \"all\"\nschedule = \"0 9 * * *\"\n", "").await;
    night.schedule = schedule(&night.agency.harness.store, &[night.agency.job.clone()], &Environment::default());
    assert_eq!(night.at("2026-04-15", "10:00").await, Vec::<String>::new(), "nine o'clock is past");
    assert_eq!(night.at("2026-04-16", "09:00").await, ["pull-wage done"]);
    assert_eq!(night.fires().await, ["2026-04-15 run: at its time", "2026-04-16 run: at its time"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn jitter_puts_off_a_jobs_beginning_by_the_same_each_night_and_not_its_fire() {
    let night = Night::begin("schedule_jitter", "jitter = \"20m\"\n").await;
    let mut connection = night.agency.harness.connection().await;
    night.at("2026-04-15", "01:30").await;
    night.at("2026-04-15", "12:00").await;
    night.at("2026-04-16", "01:30").await;
    let puts_off: Vec<f64> = sqlx::query_scalar(
        "select extract(epoch from due_at - nominal_at)::float8 from fire join task using (task_id) order by nominal_at",
    )
    .fetch_all(&mut connection)
    .await
    .expect("waits");
    assert_eq!(puts_off.len(), 2);
    assert!((puts_off[0] - puts_off[1]).abs() < 1e-6 && puts_off[0] > 0.0 && puts_off[0] < 1200.0, "{puts_off:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_again_and_again_is_paused_until_a_person_resumes_it() {
    let night = Night::begin("schedule_pause", "pause_after = 2\nretry = { attempts = 1 }\n").await;
    night.agency.deliver(&[]);
    assert_eq!(night.at("2026-04-15", "01:30").await, ["pull-wage given up, transient"]);
    assert_eq!(night.at("2026-04-16", "01:30").await, ["pull-wage given up, transient"]);
    assert_eq!(night.at("2026-04-17", "01:30").await, Vec::<String>::new());
    let why =
        "paused by schedule: failed 2 times in a row (`pause_after`); `renzheng jobs resume pull-wage` ends the pause";
    assert_eq!(night.fires().await.last().map(String::as_str), Some(format!("2026-04-17 paused: {why}").as_str()));
    assert!(night.agency.harness.store.resume_job("pull-wage", &actor()).await.expect("resumed"));
    night.agency.deliver(&[vec![Wage::new("W1", 1, 1, "2000")]]);
    assert_eq!(night.at("2026-04-18", "01:30").await, ["pull-wage done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again_and_what_does_not_is_a_persons_business() {
    let harness = Harness::new("schedule_classes").await;
    harness.clock(day("2026-04-14"), "12:00").await;
    let agency = WageAgency::start(vec![Wage::new("W1", 1, 1, "2000"), Wage::new("W2", 2, 2, "2100")], 1).await;
    let text = "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\nschedule = \"30 1 * * *\"\n\
                retry = { attempts = 3, backoff = \"1ms\", max_backoff = \"1ms\" }\n\
                [source]\ntype = \"http\"\nurl = \"${AGENCY}/v1/wages\"\npaging = \"cursor\"\nrecords = \"/records\"\nnext = \"/next\"\n";
    let pull = job("pull-wage", text);
    harness.register(std::slice::from_ref(&pull)).await;
    let schedule = schedule(&harness.store, &[pull], &agency.environment());
    schedule.tick().await.expect("ticked");
    let night = async |date: &str| {
        harness.clock(day(date), "01:30").await;
        schedule.tick().await.expect("ticked");
        let mut all = Vec::new();
        for minute in 31..50 {
            let done = schedule.drain().await.expect("drained");
            all.extend(done.into_iter().map(|(_, stepped)| match stepped {
                Stepped::PutOff(failure) => format!("again, {}", failure.class),
                Stepped::GivenUp(failure) => format!("given up, {}", failure.class),
                other => told(&other),
            }));
            harness.clock(day(date), &format!("01:{minute}")).await;
        }
        all
    };
    // every page is refused more often than one attempt asks
    agency.change(|desk| desk.tamper = Some((None, 7, |_, _| Reply::status(503))));
    let all = night("2026-04-15").await;
    assert_eq!(all.last().map(String::as_str), Some("done"), "{all:?}");
    assert!(all[..all.len() - 1].iter().all(|one| one == "again, transient") && all.len() > 1, "{all:?}");
    agency.change(|desk| desk.tamper = Some((None, 100, |_, _| Reply::status(401))));
    assert_eq!(night("2026-04-16").await, ["given up, auth"]);
    agency.change(|desk| desk.tamper = Some((None, 100, |_, _| Reply::status(404))));
    assert_eq!(night("2026-04-17").await, ["given up, contract"]);
    agency.change(|desk| desk.tamper = Some((None, 1, |_, _| Reply::status(429).header("retry-after", "600"))));
    assert_eq!(night("2026-04-18").await, ["again, rate_limited", "done"]);
    assert_eq!(Class::parse("rate_limited"), Some(Class::RateLimited));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_whose_every_attempt_lands_a_page_is_never_given_up() {
    static REQUESTS: AtomicU32 = AtomicU32::new(0);
    let harness = Harness::new("schedule_progress").await;
    harness.clock(day("2026-04-14"), "12:00").await;
    let records: Vec<Wage> = (0..8).map(|number| Wage::new(&format!("W{number}"), number, number, "2000")).collect();
    let agency = WageAgency::start(records, 1).await;
    let text = "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\nschedule = \"30 1 * * *\"\n\
                retry = { attempts = 1, backoff = \"1ms\", max_backoff = \"1ms\" }\n\
                [source]\ntype = \"http\"\nurl = \"${AGENCY}/v1/wages\"\npaging = \"cursor\"\nrecords = \"/records\"\nnext = \"/next\"\n";
    let pull = job("pull-wage", text);
    harness.register(std::slice::from_ref(&pull)).await;
    let schedule = schedule(&harness.store, &[pull], &agency.environment());
    schedule.tick().await.expect("ticked");
    harness.clock(day("2026-04-15"), "01:30").await;
    schedule.tick().await.expect("ticked");
    // every other request fails: one page for each attempt
    agency.change(|desk| {
        desk.tamper = Some((None, usize::MAX, |_, reply| {
            let fails = REQUESTS.fetch_add(1, Ordering::SeqCst) % 2 == 1;
            if fails { Reply::status(503) } else { reply }
        }));
    });
    let mut attempts = Vec::new();
    for minute in 31..45 {
        let done = schedule.drain().await.expect("drained");
        attempts.extend(done.into_iter().map(|(task, stepped)| (task.attempt, told(&stepped))));
        harness.clock(day("2026-04-15"), &format!("01:{minute}")).await;
    }
    let (last, before) = attempts.split_last().expect("attempts");
    assert_eq!(last.1, "done", "{attempts:?}");
    assert!(before.len() > 5 && before.iter().all(|(_, how)| how == "put off, transient"), "{attempts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_lands_no_page_for_too_long_is_ended_and_tried_again() {
    let harness = Harness::new("schedule_stands_still").await;
    harness.clock(day("2026-04-14"), "12:00").await;
    let agency = WageAgency::start(vec![Wage::new("W1", 1, 1, "2000"), Wage::new("W2", 2, 2, "2100")], 1).await;
    agency.change(|desk| desk.tamper = Some((Some(1), 1, |_, reply| reply.over(Wire::Silent))));
    let text = "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\nschedule = \"30 1 * * *\"\nno_progress_timeout = \"3s\"\n\
                retry = { attempts = 2, backoff = \"1ms\", max_backoff = \"1ms\" }\n\
                [source]\ntype = \"http\"\nurl = \"${AGENCY}/v1/wages\"\npaging = \"cursor\"\nrecords = \"/records\"\nnext = \"/next\"\n";
    let pull = job("pull-wage", text);
    harness.register(std::slice::from_ref(&pull)).await;
    let schedule = schedule(&harness.store, &[pull], &agency.environment());
    schedule.tick().await.expect("ticked");
    harness.clock(day("2026-04-15"), "01:30").await;
    schedule.tick().await.expect("ticked");
    let stop = tokio_util::sync::CancellationToken::new();
    let (_, first) = schedule.step(true, &stop).await.expect("stepped").expect("a task");
    let Stepped::PutOff(failure) = first else { unreachable!("{first:?}") };
    assert_eq!(failure.error, "no page landed for 3s (`no_progress_timeout`)");
    harness.clock(day("2026-04-15"), "01:31").await;
    let (task, second) = schedule.step(true, &stop).await.expect("stepped").expect("a task");
    assert_eq!((task.attempt, task.barren, second), (2, 1, Stepped::Done(Ending::Done)), "the first landed a page");
    assert_eq!(agency.take_pages(), [0, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_becomes_concerned_later_is_asked_for_by_a_pull_that_queues_itself() {
    let mut agency = Agency::begin("schedule_concerned", "after = [\"pull-certificate\"]", "").await;
    agency.deliver(&[vec![Wage::new("W1", 1, 1, "2000"), Wage::new("W2", 2, 2, "2100")]]);
    agency.concern(&[1]).await;
    agency.take(&[vec![Wage::new("W1", 1, 1, "2000"), Wage::new("W2", 2, 2, "2100")]]).await;
    assert_eq!(agency.amounts().await, [200_000]);
    let jobs = [agency.job.clone()];
    let schedule = schedule(&agency.harness.store, &jobs, &Environment::default());
    schedule.tick().await.expect("ticked");
    assert!(schedule.drain().await.expect("drained").is_empty(), "everybody is known");
    agency.concern(&[1, 2]).await;
    schedule.tick().await.expect("ticked");
    schedule.tick().await.expect("ticked");
    let done: Vec<String> = schedule
        .drain()
        .await
        .expect("drained")
        .iter()
        .map(|(task, stepped)| format!("{} {}", task.job, told(stepped)))
        .collect();
    assert_eq!(done, ["pull-wage done"]);
    assert_eq!(agency.amounts().await, [200_000, 210_000]);
    schedule.tick().await.expect("ticked");
    assert!(schedule.drain().await.expect("drained").is_empty());
    agency.job = jobs[0].clone();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_not_told_where_its_files_go_is_given_up_with_a_clear_error() {
    let harness = Harness::new("schedule_kind").await;
    harness.clock(day("2026-04-14"), "12:00").await;
    let jobs = [job("export", "kind = \"export\"\nschedule = \"0 9 * * *\"\n")];
    let schedule = schedule(&harness.store, &jobs, &Environment::default());
    schedule.tick().await.expect("ticked");
    harness.clock(day("2026-04-15"), "09:00").await;
    schedule.tick().await.expect("ticked");
    schedule.drain().await.expect("drained");
    let fires = harness.store.list_fires(None, 10).await.expect("fires");
    let errors: Vec<String> = fires.into_iter().filter_map(|fire| fire.error).collect();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].contains("`deliver` is missing"), "{errors:?}");
    let runs = harness.store.list_runs(None, None, 10).await.expect("runs");
    assert!(runs.len() == 1 && runs[0].state == "failed", "{runs:?}");
}

/// The command on an installation of its own, with what changes from machine to machine and run to run left out.
struct Counter {
    harness: Harness,
    scratch: Scratch,
}

impl Counter {
    async fn new(name: &str, jobs: &[(&str, &str)]) -> Self {
        let counter = Self { harness: Harness::new(name).await, scratch: Scratch::new(name) };
        std::fs::create_dir_all(counter.jobs()).expect("made");
        for (name, text) in jobs {
            std::fs::write(counter.jobs().join(format!("{name}.toml")), text).expect("written");
        }
        counter
    }

    fn jobs(&self) -> std::path::PathBuf {
        self.scratch.path().join("jobs")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = renzheng(arguments);
        command
            .args(["--jobs", self.jobs().to_str().expect("UTF-8")])
            .env("DATABASE_URL", self.harness.url())
            .env("RENZHENG_KEYS", self.harness.store.keys().to_text());
        command
    }

    fn say(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("the program starts");
        let said = format!(
            "exit {}\n{}{}",
            output.status.code().expect("a code"),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let user = renzheng::config::system_user();
        let said =
            (0..60).fold(said, |said, second| said.replace(&format!("T09:30:{second:02}+08:00"), "T09:30:[s]+08:00"));
        said.lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
            .replace(&format!("operator {user}"), "operator [me]")
    }
}

const PULL: &str = "kind = \"pull\"\nrecord = \"dispatch_filing\"\nschedule = \"30 2 * * *\"\ntimezone = \"Europe/Berlin\"\nretry = { attempts = 1 }\n\
                    [source]\ntype = \"file\"\npath = \"nowhere.csv\"\nformat = \"csv\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_say_how_jobs_stand_and_why_a_fire_did_not_run() {
    let jobs =
        [("pull-filing", PULL), ("verify", "kind = \"verify\"\nschedule = \"0 4 * * *\"\nafter = [\"pull-filing\"]\n")];
    let counter = Counter::new("schedule_commands", &jobs).await;
    let harness = &counter.harness;
    harness.clock(day("2026-03-27"), "12:00").await;
    let jobs = crate::harness::jobs_of(&counter.jobs());
    harness.register(&jobs).await;
    let schedule = schedule(&harness.store, &jobs, &Environment::default());
    schedule.tick().await.expect("ticked");
    insta::assert_snapshot!(counter.say(&["jobs", "pause", "verify", "--why", "the policy changes"]), @r###"
exit 0
verify is paused: its fires are passed over until `renzheng jobs resume verify`; what is under way goes on
"###);
    let states = || {
        let said = counter.say(&["jobs", "--format", "json"]);
        let lines = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.map(|line| line["state"].as_str().expect("a state").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(), ["idle", "paused"]);
    harness.clock(day("2026-03-28"), "10:00").await;
    assert_eq!(states(), ["late", "paused"], "nobody serves");
    harness.clock(day("2026-03-28"), "09:30").await;
    schedule.tick().await.expect("ticked");
    assert_eq!(states(), ["waiting", "paused"]);
    schedule.drain().await.expect("drained");
    insta::assert_snapshot!(counter.say(&["jobs"]), @r###"
exit 0
name         kind    schedule    after        last_run                   ended   next_run                                                                                 state
pull-filing  pull    30 2 * * *               2026-03-28T09:30:[s]+08:00  failed  2026-03-29T03:00:00+02:00 (its local time does not exist that day: right after the gap)  failing
verify       verify  0 4 * * *   pull-filing                                     2026-03-29T04:00:00+08:00                                                                paused (operator [me]: the policy changes)
"###);
    insta::assert_snapshot!(counter.say(&["jobs", "fires"]), @r###"
exit 0
fire                       job          for         decision  why                                          task  run  state
2026-03-28T02:30:00+01:00  pull-filing  2026-03-28  run       at its time                                     1    1  dead: the source did not deliver: source of job `pull-filing`: there is no file `nowhere.csv`
2026-03-28T04:00:00+08:00  verify       2026-03-28  paused    paused by operator [me]: the policy changes
"###);
    insta::assert_snapshot!(counter.say(&["jobs", "fires", "pull-wage"]), @r###"
exit 2
renzheng: there is no job `pull-wage`; there are pull-filing, verify
"###);
    insta::assert_snapshot!(counter.say(&["jobs", "resume", "verify"]), @r###"
exit 0
verify runs again, from its next fire on
"###);
    insta::assert_snapshot!(counter.say(&["jobs", "resume", "verify"]), @r###"
exit 2
renzheng: `verify` is not paused
"###);
    insta::assert_snapshot!(counter.say(&["runs", "retry", "1", "--why", "it is there now"]), @r###"
exit 0
task 1 of pull-filing is queued again, with all its attempts
"###);
    insta::assert_snapshot!(counter.say(&["runs", "retry", "1", "--why", "it is there now"]), @r###"
exit 2
renzheng: task 1 is `queued`: only what was given up is tried once more; `renzheng run pull-filing` runs the job again
"###);
    schedule.drain().await.expect("drained");
    insta::assert_snapshot!(counter.say(&["runs", "discard", "1", "--why", "nobody needs it"]), @r###"
exit 0
task 1 of pull-filing is given up for good
"###);
    insta::assert_snapshot!(counter.say(&["run", "pull-filing", "--detach"]), @r###"
exit 0
queued as task 2: `renzheng serve` runs it; `renzheng runs pull-filing` shows what came of it
"###);
    let lines = counter.say(&["jobs", "fires", "verify", "--format", "json"]);
    let fire: serde_json::Value =
        lines.lines().nth(1).and_then(|line| serde_json::from_str(line).ok()).expect("a JSON line");
    assert_eq!((&fire["decision"], &fire["nominal_at"]), (&"paused".into(), &"2026-03-27T20:00:00Z".into()), "{fire}");
    let shown = counter.say(&["run", "pull-filing", "--detach", "--format", "json"]);
    assert!(shown.contains("\"job\":\"pull-filing\""), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_goes_on_part_by_part_and_retries_only_what_failed() {
    let file = Scratch::new("schedule_backfill_file");
    let path = file.path().join("wages.csv");
    let job = format!(
        "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\nretry = {{ attempts = 1 }}\n[source]\ntype = \"file\"\npath = \"{}\"\nformat = \"csv\"\n",
        path.display()
    );
    let counter = Counter::new("schedule_backfill", &[("pull-wage", &job)]).await;
    let harness = &counter.harness;
    harness.clock(day("2026-04-15"), "12:00").await;
    let jobs = crate::harness::jobs_of(&counter.jobs());
    harness.register(&jobs).await;
    let header = "record_id,updated_at,deleted,id_number,name,payer_uscc,period,amount\n";
    let rows: String = (0..3).map(|day| Wage::new(&format!("W{day}"), day * 86_400, day, "2000").line()).collect();
    let write = || std::fs::write(&path, format!("{header}{rows}")).expect("written");
    let schedule = schedule(&harness.store, &jobs, &Environment::default());
    insta::assert_snapshot!(counter.say(&["backfill", "start", "pull-wage", "--from", "2026-01-01", "--to", "2026-01-03", "--step", "1d"]), @r###"
exit 0
backfill 1 of pull-wage, 2026-01-01 to 2026-01-03: running; 0 of 3 parts done, 0 failed
"###);
    // the first part finds no file
    let stop = tokio_util::sync::CancellationToken::new();
    let (_, first) = schedule.step(true, &stop).await.expect("stepped").expect("a part");
    assert!(matches!(first, Stepped::GivenUp(_)), "{first:?}");
    write();
    insta::assert_snapshot!(counter.say(&["backfill", "pause", "1"]), @r###"
exit 0
backfill 1 of pull-wage, 2026-01-01 to 2026-01-03: paused; 0 of 3 parts done, 1 failed
"###);
    assert!(schedule.step(true, &stop).await.expect("stepped").is_none(), "it is paused");
    insta::assert_snapshot!(counter.say(&["backfill", "resume", "1"]), @r###"
exit 0
backfill 1 of pull-wage, 2026-01-01 to 2026-01-03: running; 0 of 3 parts done, 1 failed
"###);
    let done = schedule.drain().await.expect("drained");
    assert_eq!(done.len(), 2);
    insta::assert_snapshot!(counter.say(&["backfill", "list"]), @r###"
exit 0
id  job        from        to          step  state   parts  done  running  failed
 1  pull-wage  2026-01-01  2026-01-03  1d    failed      3     2        0       1
"###);
    insta::assert_snapshot!(counter.say(&["backfill", "retry", "1"]), @r###"
exit 0
backfill 1 of pull-wage, 2026-01-01 to 2026-01-03: running; 2 of 3 parts done, 0 failed
"###);
    assert_eq!(schedule.drain().await.expect("drained").len(), 1, "only the part that failed");
    let shown = counter.say(&["backfill", "show", "1"]);
    assert!(shown.contains("done; 3 of 3 parts done, 0 failed"), "{shown}");
    let mut connection = harness.connection().await;
    let in_force: i64 =
        sqlx::query_scalar("select count(*) from wage join batch using (batch_id) where published_seq is not null")
            .fetch_one(&mut connection)
            .await
            .expect("a count");
    assert_eq!(in_force, 3);
    insta::assert_snapshot!(counter.say(&["backfill", "start", "pull-wage", "--from", "2026-01-01", "--to", "2026-01-03", "--step", "1h"]), @r###"
exit 2
renzheng: `1h` is no step: accepted are days, weeks, months and years, such as `10d`, `1w`, `1m`, `1y`
"###);
}

#[test]
fn serve_says_what_it_does() {
    let output = renzheng(&["serve", "--help"]).output().expect("the program starts");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    insta::assert_snapshot!(help.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"), @r###"
Run everything: migrations, the clockwork, the workers; until Ctrl-C or SIGTERM

Policy and settings are read at the start, job files also when they change. Any number of processes may serve one database: they share the work.

Usage: renzheng serve [OPTIONS]

Options:
      --format <FORMAT>
          Text for people, or JSON lines for programs

          [default: text]
          [possible values: text, json]

      --workers <WORKERS>
          Tasks that this process works on at once; the first of several leaves backfills alone

          [default: 4]

      --jobs <DIR>
          Folder of the job files [default: jobs]

      --listen <ADDRESS:PORT>
          Where the API, health and metrics are answered over HTTP [default: as set, 127.0.0.1:7360]

      --data-dir <DIR>
          Folder of the private Postgres, keys and files [default: var]

      --policy <FILE>
          Policy file of the province [default: Jiangxi, built in]

      --reveal
          Show ID numbers and names whole; every use is audited

  -h, --help
          Print help (see a summary with '-h')

  -V, --version
          Print version
"###);
}
