//! A run's record says what happened: what was read, what it said, how it ended, also when it failed, hung or died.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use renzheng::config::Environment;
use renzheng::ingest::contract::contract_version;
use renzheng::ingest::{self, PullError, PullOutcome};
use renzheng::store::batches::{Asked, Opening};
use renzheng::store::journal::{self, MOST_LINES};
use renzheng::store::landing::{Body, Lander, Landing, PageLine};
use renzheng::store::runs::{Ending, RunLine, Trigger};
use renzheng::store::{Store, StoreError};

use crate::agency::{Agency, Wage};
use crate::harness::Harness;
use crate::http_agency::{Reply, WageAgency, Wire};
use crate::listening::listen;
use crate::masked::masked;
use crate::program::renzheng;

const ALL: &str = "keep = \"all\"";

/// The program on a test's database, with its keys.
pub fn renzheng_on(harness: &Harness, arguments: &[&str]) -> Command {
    let mut command = renzheng(arguments);
    command.env("DATABASE_URL", harness.url()).env("RENZHENG_KEYS", harness.store.keys().to_text());
    command
}

/// Exit code, then everything said, without what differs from run to run.
pub fn say_on(harness: &Harness, arguments: &[&str]) -> String {
    say(&mut renzheng_on(harness, arguments))
}

pub fn say(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    let code = output.status.code().expect("a code");
    let (out, words) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    masked(&format!("exit {code}\n{out}{words}"))
}

async fn last_run(store: &Store) -> RunLine {
    store.list_runs(None, None, 1).await.expect("runs").remove(0)
}

async fn execute(harness: &Harness, statement: &'static str) {
    let mut connection = harness.connection().await;
    sqlx::query(statement).execute(&mut connection).await.expect(statement);
}

/// A job over HTTP with cursor pages.
async fn over_http(name: &str, keys: &str) -> (Harness, renzheng::config::Job, WageAgency) {
    let agency = WageAgency::start((0..6).map(|at| Wage::new(&format!("r{at}"), 1, at, "100")).collect(), 2).await;
    let text = format!(
        "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\n{keys}\n[source]\ntype = \"http\"\nurl = \"${{AGENCY}}/v1/wages\"\n\
         paging = \"cursor\"\nnext = \"/next\"\n"
    );
    let harness = Harness::new(name).await;
    harness.clock("2026-04-15".parse().expect("a date"), "02:00").await;
    let job = renzheng::config::Job::parse(std::path::Path::new("pull-wage.toml"), &text).expect("a job");
    harness.register(std::slice::from_ref(&job)).await;
    (harness, job, agency)
}

async fn pull(harness: &Harness, job: &renzheng::config::Job, agency: &WageAgency) -> PullError {
    ingest::pull(&harness.store, job, &agency.environment(), None, "test", &|_| ()).await.expect_err("it fails")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_fails_says_what_was_read_until_then() {
    let (harness, job, agency) = over_http("runs_failed", "retry = { attempts = 1 }").await;
    agency.change(|desk| desk.tamper = Some((Some(2), 1, |_, _| Reply::status(500))));
    pull(&harness, &job, &agency).await;
    let run = last_run(&harness.store).await;
    assert_eq!(run.state, "failed");
    let counts = ["pages", "read", "new"].map(|name| run.counts[name].as_u64());
    assert_eq!(counts, [Some(2), Some(4), Some(4)], "{}", run.counts);
    assert!(run.error.is_some_and(|error| error.contains("answered 500")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_takes_too_long_is_timed_out_and_says_what_was_read_until_then() {
    let (harness, job, agency) = over_http("runs_timed_out", "timeout = \"2s\"\nretry = { attempts = 1 }").await;
    agency.change(|desk| desk.tamper = Some((Some(1), 1, |_, reply| reply.over(Wire::Silent))));
    let error = pull(&harness, &job, &agency).await;
    assert!(matches!(error, PullError::Timeout(_)), "{error}");
    let run = last_run(&harness.store).await;
    assert_eq!((run.state.as_str(), run.counts["read"].as_u64()), ("timed_out", Some(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_our_own_code_logs_in_a_run_is_kept_in_its_record_beside_its_stages() {
    listen();
    let keys = "retry = { attempts = 3, backoff = \"1ms\", max_backoff = \"1ms\" }";
    let (harness, job, agency) = over_http("runs_lines", keys).await;
    agency.change(|desk| desk.tamper = Some((Some(1), 1, |_, _| Reply::status(503))));
    harness.pull(&job, &agency.environment()).await;
    let run = last_run(&harness.store).await;
    let lines = harness.store.list_run_lines(run.run_number, 0).await.expect("lines");
    let told: Vec<String> = lines.iter().map(|line| format!("{} {}", line.level, line.text)).collect();
    let expected = [
        "stage fetch",
        "warn asking the agency again attempt=1 fault=the agency answered 503",
        "stage check",
        "stage publish",
    ];
    assert_eq!(told, expected);
    assert!(lines.windows(2).all(|pair| pair[0].at <= pair[1].at), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_lines_are_kept_of_a_run_and_the_others_are_counted() {
    listen();
    let harness = Harness::new("runs_bounded").await;
    let run = harness.store.start_run("pull", "x", "test").await.expect("a run");
    let saying = async {
        for number in 0..MOST_LINES + 5 {
            tracing::info!(target: "renzheng::test", number, "said");
            tracing::info!(target: "sqlx::query", "said by somebody else, maybe with a person's number in it");
        }
        journal::stage("the end");
    };
    harness.store.journal(&run, saying).await;
    let lines = harness.store.list_run_lines(run.number, 0).await.expect("lines");
    assert_eq!(lines.len(), MOST_LINES + 2);
    assert_eq!(lines[7].text, "said number=7");
    let last: Vec<&str> = lines[MOST_LINES..].iter().map(|line| line.text.as_str()).collect();
    assert_eq!(last, ["the end", "5 further lines were not kept"]);
    assert!(!lines.iter().any(|line| line.text.contains("somebody else")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_process_is_gone_is_crashed_and_one_that_comes_back_says_how_it_ended() {
    let harness = Harness::new("runs_crashed").await;
    let store = &harness.store;
    let run = store.start_run("verify", "verify", "test").await.expect("a run");
    store.journal(&run, async {}).await;
    let silent = store.start_run("push", "push", "test").await.expect("a run that never says that it goes on");
    assert_eq!(store.close_crashed_runs().await.expect("looked"), 0, "it spoke a moment ago");
    execute(&harness, "update run set alive_at = alive_at - interval '3 minutes'").await;
    assert_eq!(store.close_crashed_runs().await.expect("looked"), 1);
    let state = async |number: i32| store.find_run(&number.to_string()).await.expect("found").expect("a run").state;
    assert_eq!((state(run.number).await, state(silent.number).await), ("crashed".to_owned(), "running".to_owned()));
    store.finish_run(&run, Ending::Done, &serde_json::json!({}), None).await.expect("it was only slow");
    assert_eq!(state(run.number).await, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_whose_counts_do_not_balance_is_not_published_and_the_next_run_reads_it_anew() {
    let agency = Agency::begin("runs_unbalanced", ALL, "").await;
    agency.deliver(&[vec![Wage::new("a", 1, 1, "100")]]);
    let store = &agency.harness.store;
    let run = store.start_run("pull", &agency.job.name, "test").await.expect("a run");
    let (source, settings) = store.list_jobs(i64::MAX).await.expect("jobs").remove(0);
    let opening = Opening {
        source,
        settings: &settings,
        contract: &contract_version(&agency.job),
        stamped_by_delivery: false,
        closes_absent: false,
        asked: Asked::Everything,
        since: None,
        until: None,
        complete_seq: None,
        run_id: run.run_id,
    };
    let mut lander = Lander::open(store, store.open_batch(&opening).await.expect("a batch")).await.expect("to land");
    let line = PageLine { number: 0, resume: None, digest: None, announced: None };
    let body = Body::Read { records: Vec::new(), refusals: Vec::new(), raw_of: Box::new(|_| Vec::new()) };
    lander.land(Landing { line, body }).await.expect("the last page");
    drop(lander);
    execute(&agency.harness, "update batch_page set counts = counts || '{\"read\": 3, \"new\": 2}'").await;
    let error = agency.try_pull(None).await.expect_err("it fails");
    assert!(matches!(error, PullError::Store(StoreError::Unbalanced { read: 3, accounted: 2 })), "{error}");
    let failed = last_run(store).await;
    assert_eq!(failed.state, "failed");
    let why = failed.error.expect("a sentence");
    assert!(why.contains("the counts of the delivery do not balance: 3 were read, but 2 are new"), "{why}");
    assert_eq!(agency.amounts().await, [0_i64; 0]);
    let next = agency.pull().await;
    assert_eq!((next.outcome, next.resumed), (PullOutcome::Published, false));
    assert_eq!(agency.amounts().await, [10_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_who_began_it_and_why() {
    let agency = Agency::begin("runs_because", ALL, "").await;
    agency.deliver(&[vec![Wage::new("a", 1, 1, "100")]]);
    let by = Trigger { because: "its schedule `30 1 * * *` of 2026-04-15", ..Trigger::from("schedule") };
    let environment = Environment::default();
    ingest::pull(&agency.harness.store, &agency.job, &environment, None, by, &|_| ()).await.expect("pulled");
    let run = last_run(&agency.harness.store).await;
    assert_eq!((run.actor.as_str(), run.because.as_str()), (by.actor, by.because));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_and_one_run_are_told_in_words_and_as_json() {
    let agency = Agency::begin("runs_shown", "keep = \"all\"\ndelivery = \"full\"", "").await;
    let rows: Vec<Wage> = (0..3).map(|at| Wage::new(&format!("r{at}"), 1, at, "100")).collect();
    agency.take(&[rows]).await;
    agency.deliver(&[vec![Wage::new("r0", 1, 0, "100"), Wage::new("r9", 1, 0, "ten")]]);
    agency.pull().await;
    agency.deliver(&[vec![]]);
    agency.pull().await;
    let say = |arguments: &[&str]| say_on(&agency.harness, arguments);
    insta::assert_snapshot!(say(&["runs"]), @r###"
exit 0
id  started  job  state  seconds  read  stored  refused  by  why
 3  [at]  pull-wage  held  [s]  0  0  0  test  the delivery is empty; if the source really has nothing, release it, or set `gates.zero_rows = "allow"`
 2  [at]  pull-wage  held  [s]  2  0  1  test  2 records came where the last 1 full deliveries had 3 in the middle: a drop beyond max_drop_ratio = 0.3
 1  [at]  pull-wage  done  [s]  3  3  0  test
"###);
    insta::assert_snapshot!(say(&["runs", "pull-wage", "--limit", "1", "--format", "json"]), @r###"
exit 0
{"run_id":"[id]","run_number":3,"kind":"pull","job":"pull-wage","state":"held","actor":"test","because":"started by hand","business_date":"2026-04-15","started_at":"[at]","finished_at":"[at]","counts":{"changed":0,"closed":0,"dropped":0,"new":0,"older":0,"pages":1,"read":0,"refused":0,"rows_per_s":[s],"same":0,"stages":{"check_s":[s],"fetch_s":[s],"land_s":[s],"publish_s":[s]}},"error":"the delivery is empty; if the source really has nothing, release it, or set `gates.zero_rows = \"allow\"`"}
"###);
    insta::assert_snapshot!(say(&["runs", "show", "2"]), @r###"
exit 0
run  2 ([id])
job  pull-wage (pull)
state  held
by  test, started by hand
for  2026-04-15
started  [at]
finished  [at]
counts  {"changed":0,"closed":0,"dropped":0,"new":0,"older":0,"pages":1,"read":2,"refused":1,"rows_per_s":[s],"same":1,"stages":{"check_s":[s],"fetch_s":[s],"land_s":[s],"publish_s":[s]}}
why  2 records came where the last 1 full deliveries had 3 in the middle: a drop beyond max_drop_ratio = 0.3
stage  fetch: [s] s, from [at]
batch 2: held, everything, 1 pages, begun [at], contract [hash]
  2 records came where the last 1 full deliveries had 3 in the middle: a drop beyond max_drop_ratio = 0.3
"###);
    insta::assert_snapshot!(say(&["runs", "show", "3", "--format", "json"]), @r###"
exit 0
{"run_id":"[id]","run_number":3,"kind":"pull","job":"pull-wage","state":"held","actor":"test","because":"started by hand","business_date":"2026-04-15","started_at":"[at]","finished_at":"[at]","counts":{"changed":0,"closed":0,"dropped":0,"new":0,"older":0,"pages":1,"read":0,"refused":0,"rows_per_s":[s],"same":0,"stages":{"check_s":[s],"fetch_s":[s],"land_s":[s],"publish_s":[s]}},"error":"the delivery is empty; if the source really has nothing, release it, or set `gates.zero_rows = \"allow\"`","stages":[{"name":"fetch","began_at":"[at]","seconds":[s]}],"progress":null,"task_id":null,"missing":[],"batches":[{"batch_id":3,"state":"held","asked":"everything","contract":"[hash]","since":null,"until":null,"began_at":"[at]","published_seq":null,"pages":1,"counts":{"changed":0,"closed":0,"dropped":0,"new":0,"older":0,"read":0,"refused":0,"same":0},"notes":[],"why":"the delivery is empty; if the source really has nothing, release it, or set `gates.zero_rows = \"allow\"`"}],"lines":[]}
"###);
    insta::assert_snapshot!(say(&["runs", "show", "77"]), @r###"
exit 2
renzheng: there is no run `77`; `renzheng runs` lists them
"###);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_pull_shows_its_pages_and_rows_and_is_followed_to_its_end() {
    let (harness, job, agency) = over_http("runs_followed", "timeout = \"60s\"").await;
    agency.change(|desk| desk.tamper = Some((Some(2), 1, |_, reply| reply.over(Wire::Silent))));
    let environment = agency.environment();
    let (store, pulled) = (harness.store.clone(), job.clone());
    let pulling = tokio::spawn(async move {
        ingest::pull(&store, &pulled, &environment, None, "test", &|_| ()).await.map(|report| report.outcome)
    });
    // the third page never comes: two are in
    let pages = async || {
        let runs = harness.store.list_runs(None, None, 1).await.expect("runs");
        let Some(run) = runs.first() else { return 0 };
        harness.store.find_so_far(run.run_id).await.expect("so far").map_or(0, |so_far| so_far.pages)
    };
    let lines = async || harness.store.list_run_lines(1, 0).await.expect("lines").len();
    while pages().await < 2 || lines().await == 0 {
        tokio::task::yield_now().await;
    }
    let shown = say_on(&harness, &["runs", "show", "1"]);
    assert!(shown.contains("state  running"), "{shown}");
    assert!(shown.contains("so far  2 pages, 4 rows read, 4 to be stored, 0 refused"), "{shown}");
    let mut following = renzheng_on(&harness, &["runs", "show", "1", "--follow", "--format", "json"]);
    let mut child = following.stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut hear =
        || -> serde_json::Value { serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON") };
    assert_eq!(hear()["line"]["text"], "fetch");
    assert_eq!(hear()["progress"]["read"], 4);
    pulling.abort();
    assert!(pulling.await.is_err_and(|error| error.is_cancelled()));
    // the next run of the job finds that the first was cut off, and goes on
    let report = harness.pull(&job, &agency.environment()).await;
    assert!(report.resumed);
    let end = hear();
    assert_eq!((end["run_number"].as_i64(), end["state"].as_str()), (Some(1), Some("crashed")), "{end}");
    assert_eq!(end["counts"]["read"], 4, "what was read until then");
    assert!(child.wait().expect("ended").success());
}
