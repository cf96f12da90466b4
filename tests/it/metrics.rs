//! What a monitor is told: well-formed, true, absent where it is not known, and without a person or a unit.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use renzheng::http::{HttpSettings, client};
use renzheng::web::{Site, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::fixtures::Day;
use crate::harness::Harness;

/// One sample: name, labels, value.
#[derive(Clone, Debug, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

fn is_name(text: &str, colon: bool) -> bool {
    let first = |sign: char| sign.is_ascii_alphabetic() || sign == '_' || (colon && sign == ':');
    text.starts_with(first) && text.chars().all(|sign| first(sign) || sign.is_ascii_digit())
}

/// Reads `{name="value",…}`; what stands after it.
fn read_labels(text: &str) -> (BTreeMap<String, String>, &str) {
    let mut labels = BTreeMap::new();
    let Some(mut rest) = text.strip_prefix('{') else { return (labels, text) };
    loop {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label in {text}"));
        assert!(is_name(name, false), "{name} is no label's name");
        let mut value = String::new();
        let mut signs = after.char_indices();
        let end = loop {
            match signs.next().unwrap_or_else(|| panic!("no end of a label in {text}")) {
                (at, '"') => break at,
                (_, '\\') => match signs.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, sign @ ('\\' | '"'))) => value.push(sign),
                    other => panic!("{other:?} is escaped in {text}"),
                },
                (_, sign) => value.push(sign),
            }
        };
        assert!(labels.insert(name.to_owned(), value).is_none(), "{name} twice in {text}");
        rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (labels, rest.strip_prefix('}').unwrap_or_else(|| panic!("no end in {text}"))),
        }
    }
}

/// Reads the text format strictly: every family once, with help and type before its samples, all of which stand together, none twice.
fn read(text: &str) -> Vec<Sample> {
    assert!(text.ends_with('\n'), "the last line ends");
    let (mut samples, mut seen, mut family, mut kind) = (Vec::new(), BTreeSet::new(), String::new(), String::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').expect("words");
            assert!(is_name(name, true) && !words.is_empty(), "{line}");
            assert!(seen.insert(name.to_owned()), "the family {name} twice");
            let next = lines.next().expect("a type");
            let said = next.strip_prefix(&format!("# TYPE {name} ")).unwrap_or_else(|| panic!("{next} after {line}"));
            assert!(["counter", "gauge", "summary"].contains(&said), "{next}");
            assert!(lines.peek().is_some_and(|sample| sample.starts_with(name)), "{name} has no sample");
            name.clone_into(&mut family);
            said.clone_into(&mut kind);
            continue;
        }
        let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line} is no sample"));
        let name = &line[..end];
        let ending = name.strip_prefix(family.as_str()).unwrap_or_else(|| panic!("{name} stands under {family}"));
        let allowed: &[&str] = if kind == "summary" { &["_sum", "_count"] } else { &[""] };
        assert!(allowed.contains(&ending), "{name} in a {kind}");
        assert!(kind != "counter" || name.ends_with("_total"), "{name} is a counter");
        let (labels, rest) = read_labels(&line[end..]);
        let value: f64 =
            rest.strip_prefix(' ').and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        assert!(value.is_finite() && (kind == "gauge" || value >= 0.0), "{line}");
        let sample = Sample { name: name.to_owned(), labels, value };
        let same = |other: &Sample| other.name == sample.name && other.labels == sample.labels;
        assert!(!samples.iter().any(same), "{line} twice");
        samples.push(sample);
    }
    samples
}

fn find(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let fits = |sample: &&Sample| {
        sample.name == name
            && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|own| own == value))
    };
    samples.iter().find(fits).map(|sample| sample.value)
}

/// The site on loopback.
struct Monitor {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Monitor {
    async fn of(harness: &Harness) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopped) = oneshot::channel::<()>();
        let site = Site::new(harness.store.clone(), harness.policy.clone());
        let serving = tokio::spawn(serve(listener, site, async { drop(stopped.await) }));
        Self { url, stop: Some(stop), serving }
    }

    async fn get(&self, path: &str) -> (StatusCode, String, String) {
        let client = client(&HttpSettings::default()).expect("a client");
        let answer = client.get(format!("{}{path}", self.url)).send().await.expect("an answer");
        let kind = answer.headers()["content-type"].to_str().expect("text").to_owned();
        (answer.status(), kind, answer.text().await.expect("a text"))
    }

    async fn samples(&self) -> Vec<Sample> {
        let (status, kind, text) = self.get("/metrics").await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8"));
        read(&text)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_true_and_absent_where_they_are_not_known() {
    let day = Day::begin("metrics_true").await;
    let monitor = Monitor::of(&day.harness).await;
    let before = monitor.samples().await;
    assert_eq!(find(&before, "renzheng_source_age_seconds", &[]), None, "nothing was ever pulled");
    assert_eq!(find(&before, "renzheng_runs_total", &[]), None);
    assert_eq!(find(&before, "renzheng_outbox_oldest_unacknowledged_seconds", &[]), None);
    assert_eq!(find(&before, "renzheng_outbox_holds", &[("scope", "everything")]), Some(0.0));
    assert_eq!(find(&before, "renzheng_outbox_attempts_total", &[("outcome", "answered")]), None);
    assert_eq!(find(&before, "renzheng_quarantine_open", &[("source", "pull-wage")]), Some(0.0), "that is known");

    day.deliver_wages("wage-1.ndjson");
    day.pull_all().await;
    day.harness.verify(2025).await;
    let now = day.harness.store.now().await.expect("business time");
    day.harness.store.set_clock(now + chrono::TimeDelta::hours(5)).await.expect("the clock is set");
    let samples = monitor.samples().await;
    let (runs, refused) = (day.harness.store.list_runs(None, None, 100).await.expect("runs"), "done_with_refusals");
    let ended = runs.iter().filter(|run| run.job == "pull-wage" && run.state == refused).count() as f64;
    let wages = [("job", "pull-wage"), ("kind", "pull"), ("state", refused)];
    assert_eq!(find(&samples, "renzheng_runs_total", &wages), Some(ended));
    assert_eq!(find(&samples, "renzheng_run_duration_seconds_count", &wages), Some(ended));
    assert_eq!(find(&samples, "renzheng_runs_total", &[("job", "verify"), ("state", "done")]), Some(1.0));
    let age =
        find(&samples, "renzheng_source_age_seconds", &[("source", "pull-wage"), ("record", "wage")]).expect("an age");
    assert!((18_000.0..18_100.0).contains(&age), "{age}");
    assert_eq!(find(&samples, "renzheng_source_age_seconds", &[("source", "pull-wage-yichun")]), None, "it never came");
    let mut connection = day.harness.connection().await;
    let open: i64 = sqlx::query_scalar(
        "select count(*) from quarantine join source using (source_id) where job = 'pull-wage' and closed_seq is null",
    )
    .fetch_one(&mut connection)
    .await
    .expect("a count");
    assert!(open > 0);
    assert_eq!(find(&samples, "renzheng_quarantine_open", &[("source", "pull-wage")]), Some(open as f64));
    let read =
        runs.iter().filter(|run| run.job == "pull-wage").filter_map(|run| run.counts["read"].as_f64()).sum::<f64>();
    let rows = find(&samples, "renzheng_source_rows_total", &[("source", "pull-wage"), ("outcome", "read")]);
    assert_eq!(rows, Some(read));
    let pending: i64 = sqlx::query_scalar("select count(*) from verification where pending <> 0")
        .fetch_one(&mut connection)
        .await
        .expect("a count");
    assert_eq!(find(&samples, "renzheng_placements_pending", &[("year", "2025")]), Some(pending as f64));

    // no label is a unit's code or anybody's number
    for sample in &samples {
        let long_number = |value: &String| value.chars().filter(char::is_ascii_digit).count() >= 8;
        assert!(!sample.labels.values().any(long_number), "{sample:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_lives_says_so_and_is_ready_only_with_its_database_its_schema_and_its_keys() {
    let harness = Harness::new("metrics_ready").await;
    let monitor = Monitor::of(&harness).await;
    assert_eq!(monitor.get("/healthz").await.0, StatusCode::OK);
    let (status, _, text) = monitor.get("/readyz").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let mut connection = harness.connection().await;
    for (spoil, mend, expected) in [
        (
            "update installation set key_check = key_check || '!'",
            "update installation set key_check = substring(key_check for 32)",
            "are not those this database was filled with",
        ),
        (
            "update _sqlx_migrations set success = false where version = (select max(version) from _sqlx_migrations)",
            "update _sqlx_migrations set success = true",
            "is older than",
        ),
    ] {
        sqlx::query(spoil).execute(&mut connection).await.expect("spoilt");
        let (status, _, text) = monitor.get("/readyz").await;
        assert!(status == StatusCode::SERVICE_UNAVAILABLE && text.contains(expected), "{status} {text}");
        sqlx::query(mend).execute(&mut connection).await.expect("mended");
        assert_eq!(monitor.get("/readyz").await.0, StatusCode::OK);
    }
    harness.store.close().await;
    let (status, _, text) = monitor.get("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&answer["ready"], &answer["findings"][0]["aspect"]), (&false.into(), &"database".into()));
    assert_eq!(monitor.get("/metrics").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(monitor.get("/healthz").await.0, StatusCode::OK, "it lives all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_ends_when_it_is_told_to() {
    let harness = Harness::new("metrics_ends").await;
    let mut monitor = Monitor::of(&harness).await;
    assert_eq!(monitor.get("/healthz").await.0, StatusCode::OK);
    drop(monitor.stop.take());
    monitor.serving.await.expect("no panic").expect("it ended well");
}
