//! The small hand-made province: what was worked out by hand from the rules is what the program stores, cell by cell.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use renzheng::config::{Environment, Job};
use renzheng::ingest::PullOutcome;

use crate::harness::{Harness, Line, Scratch, jobs_of};

const YEAR: i32 = 2025;
const COLUMNS: [&str; 13] = [
    "employer_uscc",
    "id_number",
    "month",
    "wage",
    "pension",
    "medical",
    "certificate",
    "age",
    "contract",
    "dispatch",
    "passed",
    "conflict",
    "weight",
];
/// In the order in which they run at night; `pull-wage-yichun` never runs.
const PULLS: [&str; 5] = ["pull-certificate", "pull-dispatch", "pull-wage", "pull-pension", "pull-medical"];

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The province entered, nothing pulled yet, and the deliveries as they lie at the agencies.
pub struct Day {
    pub harness: Harness,
    deliveries: Scratch,
    jobs: BTreeMap<String, Job>,
}

impl Day {
    pub async fn begin(name: &str) -> Self {
        let deliveries = Scratch::new(name);
        std::fs::create_dir(deliveries.path().join("deliveries")).expect("a directory");
        for entry in std::fs::read_dir(fixtures().join("deliveries")).expect("deliveries") {
            let entry = entry.expect("a delivery");
            std::fs::copy(entry.path(), deliveries.path().join("deliveries").join(entry.file_name())).expect("copied");
        }
        let harness = Harness::new(name).await;
        harness.clock(NaiveDate::from_ymd_opt(2026, 4, 15).expect("a date"), "01:00").await;
        harness.import_directory(&fixtures()).await;
        let jobs = jobs_of(&fixtures().join("jobs"));
        harness.register(&jobs).await;
        let jobs = jobs.into_iter().map(|job| (job.name.clone(), job)).collect();
        Self { harness, deliveries, jobs }
    }

    /// Another day like this one, of which nobody holds a connection any more; nothing is delivered on it.
    pub async fn copied(&self, name: &str) -> Self {
        let harness = self.harness.copied(name).await;
        Self { harness, deliveries: Scratch::new(name), jobs: self.jobs.clone() }
    }

    /// What the tax agency delivers from now on.
    pub fn deliver_wages(&self, file: &str) {
        let folder = self.deliveries.path().join("deliveries");
        std::fs::copy(folder.join(file), folder.join("wage.ndjson")).expect("copied");
    }

    pub async fn pull(&self, job: &str) -> PullOutcome {
        let environment = Environment::only([("FIXTURES", self.deliveries.path().display().to_string())]);
        self.harness.pull(&self.jobs[job], &environment).await.outcome
    }

    pub async fn pull_all(&self) -> Vec<PullOutcome> {
        let mut outcomes = Vec::new();
        for job in PULLS {
            outcomes.push(self.pull(job).await);
        }
        outcomes
    }

    /// How many versions of records are stored, refused ones included.
    async fn rows(&self) -> Vec<i64> {
        let mut connection = self.harness.connection().await;
        sqlx::query_as::<_, (i64, i64, i64, i64, i64)>(
            "select (select count(*) from wage), (select count(*) from insurance), (select count(*) from certificate),
                    (select count(*) from dispatch_filing), (select count(*) from quarantine)",
        )
        .fetch_one(&mut connection)
        .await
        .map(|(wages, insurances, certificates, filings, refused)| {
            vec![wages, insurances, certificates, filings, refused]
        })
        .expect("counts")
    }
}

fn cells(line: &Line) -> [String; 13] {
    let mut cells: [String; 13] = Default::default();
    cells[..3].clone_from_slice(&[line.employer_uscc.clone(), line.id_number.clone(), line.month.clone()]);
    for (cell, code) in cells[3..10].iter_mut().zip(line.codes) {
        code.clone_into(cell);
    }
    cells[10..].clone_from_slice(&[line.passed.to_string(), line.conflict.to_string(), line.weight.to_string()]);
    cells
}

fn table(file: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(fixtures().join("expected").join(file)).expect(file);
    reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect()).collect()
}

/// Compares cell by cell; what differs is named by employer, the last four of the ID, month and check.
fn assert_as_expected(file: &str, lines: &[Line]) {
    let expected = table(file);
    let mut differences = Vec::new();
    assert_eq!(lines.len(), expected.len(), "{file}: as many months");
    for (line, expected) in lines.iter().zip(&expected) {
        let got = cells(line);
        assert_eq!(got[..3], expected[..3], "{file}: the same placements and months in the same order");
        for check in (3..13).filter(|check| got[*check] != expected[*check]) {
            let [employer, id, month, ..] = &got;
            differences.push(format!(
                "{employer} {} {month} {}: expected {}, got {}",
                &id[14..],
                COLUMNS[check],
                expected[check],
                got[check]
            ));
        }
    }
    assert!(differences.is_empty(), "{file}: {} cells differ\n{}", differences.len(), differences.join("\n"));
}

fn totals(lines: &[Line]) -> (usize, u32) {
    let passed: Vec<&Line> = lines.iter().filter(|line| line.passed).collect();
    (passed.len(), passed.iter().map(|line| u32::from(line.weight)).sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_province_passes_and_fails_as_worked_out_by_hand() {
    let day = Day::begin("fixtures").await;
    day.deliver_wages("wage-1.ndjson");
    assert_eq!(day.pull_all().await, [PullOutcome::Published; 5]);
    let summary = day.harness.verify(YEAR).await;
    let first = day.harness.results(YEAR).await;
    assert_as_expected("2025-first.csv", &first);
    assert_eq!(totals(&first), (254, 296));
    assert_eq!((summary.placements, summary.passed, summary.changed_months), (39, 254, 468));

    day.deliver_wages("wage-2.ndjson");
    assert_eq!(day.pull("pull-wage").await, PullOutcome::Published);
    let summary = day.harness.verify(YEAR).await;
    let second = day.harness.results(YEAR).await;
    assert_as_expected("2025.csv", &second);
    assert_eq!(totals(&second), (255, 297));
    let changed = first.iter().zip(&second).filter(|(before, after)| before != after).count();
    assert_eq!(summary.changed_months, changed as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_deliveries_again_write_no_row_and_change_no_month() {
    let day = Day::begin("fixtures_again").await;
    day.deliver_wages("wage-1.ndjson");
    day.pull_all().await;
    day.harness.verify(YEAR).await;
    let (rows, results) = (day.rows().await, day.harness.results(YEAR).await);

    assert_eq!(day.pull_all().await, [PullOutcome::Unchanged; 5]);
    assert_eq!(day.rows().await, rows);
    assert_eq!(day.harness.verify(YEAR).await.changed_months, 0);
    assert_eq!(day.harness.results(YEAR).await, results);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refused_record_is_in_quarantine_with_its_field_and_code() {
    let day = Day::begin("fixtures_refused").await;
    for delivery in ["wage-1.ndjson", "wage-2.ndjson"] {
        day.deliver_wages(delivery);
        day.pull_all().await;
    }
    let mut connection = day.harness.connection().await;
    let refused: Vec<(String, String, String)> = sqlx::query_as(
        "select job, case code when 'stamp_reused' then '' else coalesce(field, '') end, code
         from quarantine join source using (source_id)",
    )
    .fetch_all(&mut connection)
    .await
    .expect("rows");
    let mut refused: Vec<[String; 3]> = refused.into_iter().map(|(job, field, code)| [job, field, code]).collect();
    refused.sort();
    // The record's own number rests hashed.
    let mut expected: Vec<[String; 3]> =
        table("refused.csv").into_iter().map(|row| [row[0].clone(), row[2].clone(), row[3].clone()]).collect();
    expected.sort();
    assert_eq!(refused, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_held_delivery_refused_is_refused_anew_in_the_delivery_that_is_published() {
    let day = Day::begin("fixtures_held").await;
    day.deliver_wages("wage-1.ndjson");
    let file = day.deliveries.path().join("deliveries/wage.ndjson");
    let mut delivery = std::fs::read_to_string(&file).expect("a delivery");
    for number in 0..20 {
        writeln!(delivery, "{{\"jlbh\": \"bad-{number}\", \"gxsj\": \"2026-03-20 02:00:00\"}}").expect("text grows");
    }
    std::fs::write(&file, delivery).expect("written");
    assert_eq!(day.pull("pull-wage").await, PullOutcome::Held);

    day.deliver_wages("wage-1.ndjson");
    assert_eq!(day.pull_all().await, [PullOutcome::Published; 5]);
    day.harness.verify(YEAR).await;
    assert_as_expected("2025-first.csv", &day.harness.results(YEAR).await);
}

/// P32's October at the medical platform, whose records bear the moment of their delivery.
const UNKNOWN_FLAG: &[u8] = b"310,202510,4,10,";
const PAID_FLAG: &[u8] = b"310,202510,1,10,";

#[tokio::test(flavor = "multi_thread")]
async fn a_record_stamped_by_its_delivery_that_comes_good_again_leaves_quarantine() {
    let day = Day::begin("fixtures_again_good").await;
    let file = day.deliveries.path().join("deliveries/medical.csv");
    let refused = std::fs::read(&file).expect("a delivery");
    let at = refused.windows(UNKNOWN_FLAG.len()).position(|part| part == UNKNOWN_FLAG).expect("P32's October");
    let good = [&refused[..at], PAID_FLAG, &refused[at + UNKNOWN_FLAG.len()..]].concat();
    let mut open_after = Vec::new();
    for delivery in [&good, &refused, &refused, &good, &good] {
        std::fs::write(&file, delivery).expect("written");
        let outcome = day.pull("pull-medical").await;
        let mut connection = day.harness.connection().await;
        let open: i64 = sqlx::query_scalar("select count(*) from quarantine where closed_seq is null")
            .fetch_one(&mut connection)
            .await
            .expect("a count");
        open_after.push((outcome, open));
    }
    let (published, unchanged) = (PullOutcome::Published, PullOutcome::Unchanged);
    assert_eq!(open_after, [(published, 0), (published, 1), (unchanged, 1), (published, 0), (unchanged, 0)]);
}
