//! Upkeep removes what is no longer needed and nothing that the past rests on; a backup is good only if it can be lived on.

use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{NaiveDate, TimeDelta};
use renzheng::crypto::Keys;
use renzheng::domain::facts::PersonId;
use renzheng::domain::retention::{Keep, RetentionClass, usual};
use renzheng::ingest::PullOutcome;
use renzheng::store::Store;
use renzheng::store::alerts::{AlertKind, Condition, Look};
use renzheng::store::facts::{Persons, Scope, Shard};
use renzheng::store::local::search_directories;
use renzheng::store::local::{LocalServer, Places};
use renzheng::store::past::Written;
use renzheng::store::upkeep::Removed;
use renzheng::verify::changes::Point;
use renzheng::verify::{Selection, judge_at};
use sqlx::AssertSqlSafe;

use crate::agency::{Agency, Wage};
use crate::fixtures::Day;
use crate::harness::{Harness, Scratch};
use crate::masked::masked;
use crate::program::renzheng;
use crate::runs::{renzheng_on, say, say_on};

const YEAR: i32 = 2025;
const LENIENT: &str = "[gates]\nmax_invalid_ratio = 1.0\n";

async fn pass(store: &Store, days: i64) {
    let now = store.now().await.expect("business time");
    store.set_clock(now + TimeDelta::days(days)).await.expect("the clock is set");
}

async fn maintain(store: &Store, keep: &Keep) -> Removed {
    store.maintain("maintain", keep, "test").await.expect("maintained")
}

async fn count(harness: &Harness, question: &str) -> i64 {
    let mut connection = harness.connection().await;
    sqlx::query_scalar(AssertSqlSafe(question.to_owned())).fetch_one(&mut connection).await.expect("a count")
}

/// Person, employer, and the year's cells.
type Row = (PersonId, i32, [i32; 12]);

async fn judged(day: &Day, point: Point) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    judge_at(&day.harness.store, &day.harness.policy.policy, YEAR, point, &Selection::default(), &mut |judged| {
        rows.extend(
            judged
                .iter()
                .map(|one| (one.person, one.employer.0, std::array::from_fn(|month| one.verdicts[month].pack()))),
        );
    })
    .await
    .expect("judged");
    rows.sort();
    rows
}

async fn stored_at(day: &Day, Point { seq, .. }: Point, number: i32) -> Vec<Row> {
    let store = &day.harness.store;
    let scope = Scope { year: YEAR, seq, persons: Persons::Range { after: 0, up_to: i64::MAX, shard: Shard::WHOLE } };
    let rows = store.placed_rows(&scope, &Written::UpTo { seq, number }).await.expect("rows");
    let mut rows: Vec<Row> = rows.iter().map(|row| (row.person, row.employer.0, row.cells)).collect();
    rows.sort();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn after_upkeep_every_verification_of_the_past_can_still_be_recomputed() {
    let day = Day::begin("upkeep_law").await;
    let store = &day.harness.store;
    let mut past = Vec::new();
    for wages in ["wage-1.ndjson", "wage-2.ndjson"] {
        day.deliver_wages(wages);
        day.pull_all().await;
        let summary = day.harness.verify(YEAR).await;
        let run = store.list_runs(Some("verify"), None, 1).await.expect("runs").remove(0);
        let point = Point { seq: summary.seq, business_date: run.business_date };
        past.push((point, run.run_number, stored_at(&day, point, run.run_number).await));
        pass(store, 1).await;
    }
    assert_ne!(past[0].2, past[1].2, "the second delivery changed something");
    pass(store, 800).await;
    let removed = maintain(store, &usual()).await;
    for class in [RetentionClass::Strangers, RetentionClass::RunLines, RetentionClass::Pages] {
        assert!(removed.removed[&class] > 0, "{removed:?}");
    }
    for (point, run, stored) in past {
        assert_eq!(judged(&day, point).await, stored, "recomputed");
        assert_eq!(stored_at(&day, point, run).await, stored, "as it stood");
    }
    assert_eq!(maintain(store, &usual()).await.removed[&RetentionClass::Strangers], 0, "nothing is left to do");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_records_of_strangers_lose_their_content_after_thirty_days_and_do_not_come_back() {
    let agency = Agency::begin("upkeep_strangers", "keep = \"all\"", LENIENT).await;
    let store = &agency.harness.store;
    let rows = [vec![Wage::new("a", 1, 1, "100"), Wage::new("b", 1, 1, "ten"), Wage::new("c", 1, 2, "ten")]];
    agency.take(&rows).await;
    pass(store, 29).await;
    assert_eq!(maintain(store, &usual()).await.removed[&RetentionClass::Strangers], 0);
    assert_eq!(agency.refused().await.len(), 2);
    pass(store, 2).await;
    assert_eq!(maintain(store, &usual()).await.removed[&RetentionClass::Strangers], 1);
    assert_eq!(agency.refused().await, ["malformed amount"], "that of whom we know waits on");
    let gone = "select count(*) from quarantine where closing = 'expired' and length(raw) = 0 and id_index is null";
    assert_eq!(count(&agency.harness, gone).await, 1);
    agency.take(&rows).await;
    assert_eq!(agency.refused().await.len(), 1, "the same record again is no new case");
    let expired = "select quarantine_id from quarantine where closing = 'expired'";
    let id = count(&agency.harness, expired).await.to_string();
    let shown = say_on(&agency.harness, &["quarantine", "show", &id, "--reveal"]);
    assert!(shown.contains("(expired)") && shown.contains("as it came: no longer kept"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_but_not_those_by_which_the_next_delivery_is_known_again() {
    let agency = Agency::begin("upkeep_pages", "keep = \"all\"", "").await;
    let store = &agency.harness.store;
    let pages = [vec![Wage::new("a", 1, 1, "100")], vec![Wage::new("b", 1, 2, "200")]];
    agency.take(&pages).await;
    let later = [vec![Wage::new("a", 1, 1, "100")], vec![Wage::new("b", 2, 2, "250")]];
    agency.take(&later).await;
    pass(store, 31).await;
    assert_eq!(maintain(store, &usual()).await.removed[&RetentionClass::Pages], 2);
    assert_eq!(count(&agency.harness, "select count(*) from batch_page").await, 2);
    let again = agency.take(&later).await;
    assert_eq!((again.outcome, again.counts.same), (PullOutcome::Unchanged, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn much_that_is_old_goes_in_pieces_and_the_record_says_how_much() {
    let harness = Harness::new("upkeep_pieces").await;
    let store = &harness.store;
    let run = store.start_run("pull", "x", "test").await.expect("a run");
    let mut connection = harness.connection().await;
    sqlx::query(
        "insert into run_line (run_number, line_number, at, level, text)
         select $1, number, $2, 'info', 'said' from generate_series(1, 4500) as number",
    )
    .bind(run.number)
    .bind(run.at)
    .execute(&mut connection)
    .await
    .expect("lines");
    pass(store, 91).await;
    let removed = maintain(store, &usual()).await;
    assert_eq!(removed.removed[&RetentionClass::RunLines], 4500);
    let record = store.list_runs(Some("maintain"), None, 1).await.expect("runs").remove(0);
    assert_eq!((record.state.as_str(), &record.counts["removed"]["run_lines"]), ("done", &4500.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_that_are_over_go_after_a_year_with_their_messages_and_those_that_are_not_stay() {
    let harness = Harness::new("upkeep_alerts").await;
    let store = &harness.store;
    let condition = |subject: &str| Condition {
        kind: AlertKind::DeliveryHeld,
        subject: subject.to_owned(),
        text: "it is held".to_owned(),
        chinese: "已暂挂".to_owned(),
    };
    let (now, targets) = (store.now().await.expect("business time"), ["webhook:ops".to_owned()]);
    for conditions in [vec![condition("a"), condition("b")], vec![condition("b")]] {
        let look = Look { conditions: &conditions, targets: &targets, machine: "here", jobs: &[] };
        store.save_conditions(look, now).await.expect("decided");
    }
    let message = store.open_message(&targets, now).await.expect("an answer").expect("a message");
    store.close_message(&message, Some(("nobody is there", now))).await.expect("noted");
    pass(store, 364).await;
    assert_eq!(maintain(store, &usual()).await.removed[&RetentionClass::Messages], 0);
    pass(store, 2).await;
    // that a began, that it is over, and a itself
    assert_eq!(maintain(store, &usual()).await.removed[&RetentionClass::Messages], 3);
    let left: Vec<String> =
        store.list_alerts(true, None, 10).await.expect("alerts").into_iter().map(|alert| alert.subject).collect();
    assert_eq!(left, ["b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_goes_only_by_a_setting_and_is_then_refused_from_before_it() {
    let agency = Agency::begin("upkeep_horizon", "keep = \"all\"", "").await;
    let store = &agency.harness.store;
    agency.take(&[vec![Wage::new("a", 1, 1, "100")]]).await;
    agency.take(&[vec![Wage::new("a", 2, 1, "200")]]).await;
    pass(store, 1500).await;
    maintain(store, &usual()).await;
    assert_eq!(agency.versions().await.len(), 2, "kept for ever");
    let keep: Keep = [(RetentionClass::SupersededRecords, 1200), (RetentionClass::ResultHistory, 1200)].into();
    assert_eq!(maintain(store, &keep).await.removed[&RetentionClass::SupersededRecords], 1);
    assert_eq!((agency.versions().await.len(), agency.amounts().await), (1, vec![20_000]));
    for arguments in [["verify", "--year", "2025", "--as-of"], ["results", "--year", "2025", "--as-of"]] {
        let refused = say_on(&agency.harness, &[arguments.as_slice(), &["2026-04-15T12:00:00+08:00"]].concat());
        assert!(refused.starts_with("exit 2\nrenzheng: nothing is known of [at] any more: `retention."), "{refused}");
    }
    let allowed = say_on(&agency.harness, &["results", "--year", "2025", "--as-of", "2029-04-15T12:00:00+08:00"]);
    assert!(allowed.contains("no verification had ended by [at]"), "{allowed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep_is_a_job_like_the_others() {
    let harness = Harness::new("upkeep_job").await;
    harness.clock(NaiveDate::from_ymd_opt(2026, 4, 15).expect("a date"), "06:00").await;
    let scratch = Scratch::new("upkeep_job");
    std::fs::write(scratch.path().join("maintain.toml"), "kind = \"maintain\"\n").expect("written");
    let folder = scratch.path().to_str().expect("UTF-8");
    let mut command = renzheng_on(&harness, &["run", "maintain", "--jobs", folder]);
    insta::assert_snapshot!(say(command.env("RENZHENG_RETENTION_RESULT_HISTORY", "1098d")), @r###"
exit 0
maintain: rows removed: strangers 0, run_lines 0, pages 0, messages 0, tasks 0, events 0, request_answers 0, result_history 0
"###);
    let mut command = renzheng_on(&harness, &["run", "maintain", "--jobs", folder]);
    insta::assert_snapshot!(say(command.env("RENZHENG_RETENTION_RESULT_HISTORY", "1y")), @r###"
exit 2
renzheng: RENZHENG_RETENTION_RESULT_HISTORY: is not one of the numbers of whole days from `1098d` on
"###);
}

/// What `pg_dump` writes of a test's database.
fn dump(harness: &Harness, file: &Path, form: &str) {
    let path = std::ffi::OsStr::new("/usr/local/bin:/usr/bin:/opt/homebrew/bin");
    let mut found = search_directories(Some(path)).into_iter().map(|directory| directory.join("pg_dump"));
    let program = found.find(|program| program.is_file()).expect("pg_dump");
    let output = Command::new(program)
        .args(["--format", form, "--file"])
        .arg(file)
        .arg(harness.url())
        .output()
        .expect("pg_dump starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The file without its last part.
fn cut(file: &Path) -> PathBuf {
    let bytes = std::fs::read(file).expect("a dump");
    let shorter = file.with_extension("cut");
    std::fs::write(&shorter, &bytes[..bytes.len() / 5 * 4]).expect("written");
    shorter
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_good_only_if_it_restores_whole_and_its_keys_open_it() {
    let day = Day::begin("backup").await;
    day.deliver_wages("wage-1.ndjson");
    day.pull_all().await;
    let scratch = Scratch::new("backup");
    let place = |name: &str| scratch.path().join(name);
    let (custom, plain) = (place("custom.dump"), place("plain.sql"));
    dump(&day.harness, &custom, "custom");
    dump(&day.harness, &plain, "plain");
    let (keys, others) = (place("keys"), place("other-keys"));
    day.harness.store.keys().create_file(&keys).expect("a key file");
    Keys::generate().expect("keys").create_file(&others).expect("a key file");
    let check = |which: &[&str], keys: &Path| {
        let data_dir = place("var");
        let mut command = renzheng(&["db", "backup-check", "--format", "json"]);
        let output =
            command.args(which).arg("--keys").arg(keys).arg("--data-dir").arg(&data_dir).output().expect("it starts");
        let (said, words) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let left = std::fs::read_dir(&data_dir).map_or(0, Iterator::count);
        assert_eq!(left, 0, "nothing is left over: {words}");
        let report: Option<serde_json::Value> = serde_json::from_str(&said).ok();
        (output.status.code(), report, masked(&words))
    };
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let url = day.harness.url();
    // a check that was cut off leaves its folder, and the server in it
    let name = "backup-check-1";
    let usual = Places::usual(Some(std::ffi::OsStr::new("/usr/local/bin:/usr/bin:/opt/homebrew/bin")));
    let places = Places { fallback: usual.fallback.join(name), ..usual };
    std::fs::create_dir_all(place("var")).expect("made");
    LocalServer::start(&place("var").join(name), &places).expect("a server").leave_running();
    for which in [["--dump", &text(&custom)], ["--dump", &text(&plain)], ["--url", &url]] {
        let (code, report, words) = check(&which, &keys);
        assert_eq!(code, Some(0), "{words}");
        let report = report.expect("a report");
        assert_eq!(report["wrong"], serde_json::json!([]));
        let columns = report["columns"].as_array().expect("columns");
        assert_eq!(columns.len(), 14);
        assert!(columns.iter().all(|column| column["tried"] == column["opened"]), "{report}");
        let persons = count(&day.harness, "select count(*) from person").await;
        assert_eq!(report["tables"]["person"], persons);
    }
    let (code, report, words) = check(&["--dump", &text(&custom)], &others);
    assert_eq!(code, Some(1));
    assert!(words.contains("the keys are not those of this database"), "{words}");
    let person = &report.expect("a report")["columns"][0];
    assert!(person["opened"] == 0 && person["tried"].as_i64() > Some(0), "{person}");
    let (code, _, words) = check(&["--dump", &text(&cut(&custom))], &keys);
    assert!(code == Some(1) && words.contains("cannot be restored: "), "{code:?} {words}");
    let (code, _, words) = check(&["--dump", &text(&cut(&plain))], &keys);
    assert!(code == Some(1) && words.contains("is cut off"), "{code:?} {words}");
    assert_eq!(check(&[], &keys).0, Some(2));
    let (code, _, words) = check(&["--url", "postgres:///nowhere?host=/nonexistent"], &keys);
    assert!(code == Some(1) && words.contains("cannot be looked at"), "{code:?} {words}");
}
