//! `kill -9` of the program and of its Postgres in the middle of the road: the next demo finishes it, and every count is right.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use renzheng::store::local::{LocalServer, Places};
use serde_json::Value;
use sqlx::{Connection, PgConnection, Row};

use crate::harness::Scratch;
use crate::program::{Demo, installation, json_lines, postmaster};

/// What must be the same however often the road was interrupted.
#[derive(Clone, Debug, PartialEq)]
struct World {
    /// Result lines without what names a run.
    results: Vec<Value>,
    /// Rows of the tables that count something.
    counts: BTreeMap<String, i64>,
    /// What the tax department holds: idempotency key and number of times it took the message in.
    ledger: BTreeMap<String, usize>,
}

fn world(directory: &Path) -> World {
    let home = installation(directory);
    let data_dir = home.to_str().expect("a UTF-8 path");
    let year = last_year();
    let mut results = json_lines(&["results", "--year", &year, "--format", "json", "--reveal", "--data-dir", data_dir]);
    for line in &mut results {
        let line = line.as_object_mut().expect("an object");
        for key in ["person_id", "run_id", "verified_at"] {
            line.remove(key);
        }
    }
    results.sort_by_key(ToString::to_string);
    World { results, counts: counts(&home), ledger: ledger(&home) }
}

/// The business year of a demo: the year before this one, in Shanghai.
fn last_year() -> String {
    let output = std::process::Command::new("date").args(["+%Y"]).env("TZ", "Asia/Shanghai").output().expect("a date");
    let year: i32 = String::from_utf8(output.stdout).expect("UTF-8").trim().parse().expect("a year");
    (year - 1).to_string()
}

fn counts(home: &Path) -> BTreeMap<String, i64> {
    let places = Places::usual(Some(std::ffi::OsStr::new("/usr/local/bin:/usr/bin")));
    let server = LocalServer::start(home, &places).expect("the private server");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let counts = runtime.block_on(async {
        let mut connection = PgConnection::connect(&server.url("renzheng")).await.expect("a connection");
        let row = sqlx::query(
            "select (select count(*) from wage v join batch b using (batch_id)
                     where b.published_seq is not null and superseded_seq is null) as wages,
                    (select count(*) from wage v join batch b using (batch_id) where b.published_seq is null) as stray_wages,
                    (select count(*) from insurance v join batch b using (batch_id)
                     where b.published_seq is not null and superseded_seq is null) as insurances,
                    (select count(*) from certificate v join batch b using (batch_id)
                     where b.published_seq is not null and superseded_seq is null) as certificates,
                    (select count(*) from dispatch_filing v join batch b using (batch_id)
                     where b.published_seq is not null and superseded_seq is null) as filings,
                    (select count(*) from quarantine where closed_seq is null) as refused,
                    (select count(*) from placement where to_seq is null) as placements,
                    (select count(*) from contract where to_seq is null) as contracts,
                    (select count(*) from claim where to_seq is null) as claims,
                    (select count(*) from declared_month) as declared_months,
                    (select count(*) from declaration where state->>'state' = 'accepted') as accepted,
                    (select count(*) from outbox where state = 'accepted' and applied) as messages,
                    (select count(*) from outbox) as all_messages",
        )
        .fetch_one(&mut connection)
        .await
        .expect("counts");
        let names = [
            "wages", "stray_wages", "insurances", "certificates", "filings", "refused", "placements", "contracts",
            "claims", "declared_months", "accepted", "messages", "all_messages",
        ];
        names.iter().map(|name| ((*name).to_owned(), row.get::<i64, _>(*name))).collect()
    });
    server.stop().expect("stopped");
    counts
}

fn ledger(home: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(home.join("sandbox/tax-ledger.ndjson")).expect("the ledger");
    let mut held = BTreeMap::new();
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).expect("an entry");
        *held.entry(key_of(&entry)).or_default() += 1;
    }
    held
}

/// The idempotency key, wherever the ledger keeps it.
fn key_of(entry: &Value) -> String {
    match entry {
        Value::Object(fields) => fields
            .get("idempotency_key")
            .or_else(|| fields.get("key"))
            .and_then(Value::as_str)
            .map_or_else(|| fields.values().map(key_of).find(|key| !key.is_empty()).unwrap_or_default(), str::to_owned),
        _ => String::new(),
    }
}

/// The road without interruption.
fn undisturbed() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let scratch = Scratch::new("undisturbed");
        let (lines, well) = Demo::start(scratch.path()).finish();
        assert!(well, "{lines:?}");
        world(scratch.path())
    })
}

/// Kills after every line in `after`, one demo each, then lets one go to its end.
fn survive(name: &str, after: &[usize], kill_it: impl Fn(Demo, &Path)) {
    let scratch = Scratch::new(name);
    for lines in after {
        let mut demo = Demo::start(scratch.path());
        demo.hear(*lines);
        kill_it(demo, scratch.path());
    }
    let (lines, well) = Demo::start(scratch.path()).finish();
    assert!(well, "{lines:?}");
    let last = lines.last().expect("a last line");
    assert_eq!(last["state"], "accepted", "{last}");
    assert_same(&world(scratch.path()), undisturbed());
}

/// Counts first, then only what differs.
fn assert_same(left: &World, right: &World) {
    assert_eq!(left.counts, right.counts);
    assert_eq!(left.ledger, right.ledger);
    let differ = left.results.iter().zip(&right.results).filter(|(left, right)| left != right);
    let differ: Vec<String> = differ.map(|(left, right)| format!("{left}\n{right}")).take(3).collect();
    assert!(differ.is_empty() && left.results.len() == right.results.len(), "{}", differ.join("\n"));
}

#[test]
fn the_program_killed_while_it_takes_in_and_pulls_goes_on_where_it_stopped() {
    survive("killed_pulling", &[1, 4, 5, 7], |demo, _| demo.kill());
}

#[test]
fn the_program_killed_while_it_verifies_and_declares_goes_on_where_it_stopped() {
    survive("killed_declaring", &[9, 10, 11, 12], |demo, _| demo.kill());
}

#[test]
fn postgres_killed_in_mid_work_recovers_and_nothing_is_lost_or_doubled() {
    survive("killed_postgres", &[2, 5, 8, 11], |demo, directory| {
        let server = Pid::from_raw(postmaster(&installation(directory)));
        kill(server, Signal::SIGKILL).expect("killed");
        // the program cannot go on; it ends by itself, and says so
        let (_, _) = demo.finish();
    });
}

#[test]
fn a_second_demo_changes_nothing_and_says_so() {
    let scratch = Scratch::new("twice");
    let (_, well) = Demo::start(scratch.path()).finish();
    assert!(well);
    let before = world(scratch.path());
    let (lines, well) = Demo::start(scratch.path()).finish();
    assert!(well);
    assert_same(&world(scratch.path()), &before);
    for line in &lines {
        let changed = ["new", "changed"].iter().filter_map(|key| line.get(*key).and_then(Value::as_u64)).sum::<u64>();
        assert_eq!(changed, 0, "{line}");
        if line["kind"] == "pull" {
            assert_eq!(line["outcome"], "unchanged", "{line}");
        }
        if line["kind"] == "verify" {
            let years = line["years"].as_array().expect("years");
            assert!(!years.is_empty() && years.iter().all(|year| year["summary"]["changed_months"] == 0), "{line}");
        }
    }
}

#[test]
fn two_commands_work_at_once_on_one_data_directory() {
    let scratch = Scratch::new("at_once");
    let (_, well) = Demo::start(scratch.path()).finish();
    assert!(well);
    let home = installation(scratch.path());
    let data_dir = home.to_str().expect("a UTF-8 path").to_owned();
    let year = last_year();
    let verifying: Vec<std::thread::JoinHandle<Vec<Value>>> = (0..2)
        .map(|_| {
            let (data_dir, year) = (data_dir.clone(), year.clone());
            std::thread::spawn(move || {
                json_lines(&["verify", "--year", &year, "--format", "json", "--data-dir", &data_dir])
            })
        })
        .collect();
    let results = json_lines(&["results", "--year", &year, "--format", "json", "--data-dir", &data_dir]);
    for thread in verifying {
        let lines = thread.join().expect("verified");
        assert_eq!(lines[0]["changed_months"], 0);
    }
    assert!(!results.is_empty());
}

#[test]
fn two_demos_at_once_on_one_data_directory_make_one_road() {
    let scratch = Scratch::new("two_demos");
    let one = Demo::start(scratch.path());
    let other = Demo::start(scratch.path());
    let (one, other) = (one.finish(), other.finish());
    assert!(one.1 && other.1, "{one:?} {other:?}");
    assert_same(&world(scratch.path()), undisturbed());
}
