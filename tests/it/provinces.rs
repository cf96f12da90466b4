//! The program against a slow evaluator of the rules that shares no code with it, on whole synthetic provinces.
//!
//! Ten seeds, each in one of three seasons: one goes over the days on which periods settle, one over the switches for back payment and
//! certificates and the days on which filings end, and one, of a leap year, over sources that have not delivered or are stale.
//! Every stored month must be what the evaluator says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{Datelike, NaiveDate};
use futures_util::StreamExt as _;
use renzheng::config::{Environment, Job};
use renzheng::domain::ids::{ResidentId, Uscc};
use renzheng::domain::month::Month;
use renzheng::ingest::PullOutcome;
use renzheng::policy::{BUILT_IN, Reading, parse};
use renzheng::sandbox::province::{Province, Spec};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::evaluation;
use crate::harness::{Harness, Line, Scratch};

const PERSONS: u32 = 2_000;

/// Every code that interfaces promise, and what else must have occurred.
const MUST_OCCUR: [(&str, &[&str]); 9] = [
    ("wage", &["pass", "pending", "below_minimum", "wrong_unit", "no_record"]),
    ("pension", INSURANCE_CODES),
    ("medical", INSURANCE_CODES),
    ("certificate", &["pass", "pending", "cancelled", "frozen", "expired", "not_yet_valid", "none"]),
    ("age", &["pass", "under_age", "over_age"]),
    ("contract", &["pass", "too_short", "not_covered", "none"]),
    ("dispatch", &["not_applicable", "pass", "pending", "not_in_force", "not_approved", "not_filed"]),
    ("conflict", &["true"]),
    ("weight", &["2"]),
];
const INSURANCE_CODES: &[&str] =
    &["pass", "back_payment", "pending", "unpaid", "wrong_unit", "resident_scheme", "no_record"];

type Occurrences = BTreeMap<(String, String), usize>;

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// A pull job of the short form, and what the evaluator must know of it.
struct PullJob {
    job: Job,
    scenario: Value,
}

impl PullJob {
    /// `settles_after` and `stale_after` in days; `covers` and `keep` as job files have them.
    fn new(name: &str, record: &str, days: (u32, u32), covers: &str, keep: &str) -> Self {
        let (settles_after, stale_after) = days;
        let file = name.trim_start_matches("pull-");
        let text = format!(
            "kind = \"pull\"\nrecord = \"{record}\"\nschedule = \"30 1 * * *\"\ntimezone = \"Asia/Shanghai\"\n\
             settles_after = \"{settles_after}d\"\nstale_after = \"{stale_after}d\"\ncovers = {{ {covers} }}\n\
             keep = \"{keep}\"\n[source]\ntype = \"file\"\npath = \"${{DELIVERIES}}/{file}.csv\"\nformat = \"csv\"\n\
             rereadable = true\n[gates]\nmax_invalid_ratio = 0.5\nzero_rows = \"hold\"\n"
        );
        let job = Job::parse(&PathBuf::from(format!("jobs/{name}.toml")), &text).expect("a job file");
        let schemes: Vec<&str> = job.covers.schemes.iter().map(|scheme| scheme.as_str()).collect();
        let scenario = json!({
            "name": name, "record": record, "settles_after_days": settles_after, "stale_after_days": stale_after,
            "covers": { "schemes": schemes, "divisions": job.covers.divisions }, "pulls": [],
        });
        Self { job, scenario }
    }
}

/// A policy as its switches stand.
#[derive(Clone, Copy)]
struct Switches {
    back_payment: &'static str,
    certificate_month: &'static str,
}

impl Switches {
    fn policy(self) -> Reading {
        let text =
            [("back_payment", "accept", self.back_payment), ("certificate_month", "overlap", self.certificate_month)]
                .into_iter()
                .fold(BUILT_IN.to_owned(), |text, (switch, usual, wanted)| {
                    let entry = |value: &str| format!("[[{switch}]]\nfrom = 2013-01-01\nvalue = \"{value}\"");
                    assert!(text.contains(&entry(usual)), "the built-in policy has `{switch}` where it was");
                    text.replace(&entry(usual), &entry(wanted))
                });
        Reading { policy: parse(&text).expect("a policy"), text }
    }
}

/// One province's season: what was entered, delivered and claimed so far, for the program and for the evaluator.
struct Season {
    seed: u64,
    /// The business year.
    year: i32,
    harness: Harness,
    scratch: Scratch,
    jobs: Vec<PullJob>,
    claims: Vec<Value>,
    unticked: Vec<Value>,
    decisions: Vec<Value>,
    runs: u32,
    occurrences: Occurrences,
}

impl Season {
    /// The province of the seed, entered on `began`; `today` is what its filings and certificates are arranged around.
    async fn begin(seed: u64, year: i32, began: &str, today: &str, jobs: Vec<PullJob>) -> Self {
        let name = format!("province_{seed}");
        let scratch = Scratch::new(&name);
        let season = Self {
            seed,
            year,
            harness: Harness::new(&name).await,
            scratch,
            jobs,
            claims: Vec::new(),
            unticked: Vec::new(),
            decisions: Vec::new(),
            runs: 0,
            occurrences: Occurrences::new(),
        };
        season.deliver(today);
        season.harness.clock(day(began), "01:00").await;
        season.harness.import_directory(&season.folder(today)).await;
        let jobs: Vec<Job> = season.jobs.iter().map(|pull| pull.job.clone()).collect();
        season.harness.register(&jobs).await;
        season
    }

    fn folder(&self, today: &str) -> PathBuf {
        self.scratch.path().join(today)
    }

    /// Writes what the agencies would deliver on a day.
    fn deliver(&self, today: &str) {
        let folder = self.folder(today);
        std::fs::create_dir(&folder).expect("a directory");
        let province =
            Province::generate(&Spec { persons: PERSONS, seed: self.seed, year: self.year, today: day(today) });
        province.write_imports(&folder).expect("imports");
        province.write_neutral(&folder).expect("deliveries");
    }

    /// Pulls the delivery of `folder` on `date` by these jobs.
    async fn pull(&mut self, names: &[&str], date: &str, folder: &str) {
        for name in names {
            let outcome = self.attempt(name, date, folder).await;
            assert!(
                matches!(outcome, PullOutcome::Published | PullOutcome::Unchanged),
                "{name} of {folder}: {outcome:?}"
            );
            self.record(name, date, folder, "whole");
        }
    }

    /// An empty delivery, which a gate holds.
    async fn pull_nothing(&mut self, name: &str, date: &str) {
        let folder = self.folder("nothing");
        std::fs::create_dir_all(&folder).expect("a directory");
        let file = format!("{}.csv", name.trim_start_matches("pull-"));
        let full = std::fs::read_to_string(self.any_folder().join(&file)).expect("a delivery");
        let header = full.lines().next().expect("a header");
        std::fs::write(folder.join(&file), format!("{header}\n")).expect("written");
        assert_eq!(self.attempt(name, date, "nothing").await, PullOutcome::Held);
        self.record(name, date, "nothing", "held");
    }

    async fn attempt(&self, name: &str, date: &str, folder: &str) -> PullOutcome {
        self.harness.clock(day(date), "02:00").await;
        let environment = Environment::only([("DELIVERIES", self.folder(folder).display().to_string())]);
        self.harness.pull(&self.job(name).job, &environment).await.outcome
    }

    fn record(&mut self, name: &str, date: &str, folder: &str, extent: &str) {
        let file = format!("../{folder}/{}.csv", name.trim_start_matches("pull-"));
        let pull = self.jobs.iter_mut().find(|pull| pull.job.name == name).expect("a job");
        let pulls = pull.scenario["pulls"].as_array_mut().expect("a list");
        pulls.push(json!({ "file": file, "began_on": date, "extent": extent }));
    }

    fn job(&self, name: &str) -> &PullJob {
        self.jobs.iter().find(|pull| pull.job.name == name).expect("a job")
    }

    /// Where the imports are: they are the same on every day.
    fn any_folder(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.scratch.path()).expect("a directory");
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        folders.sort();
        folders.into_iter().find(|folder| folder.join("placements.csv").is_file()).expect("imports")
    }

    /// Claims some months: of persons placed twice by one of the two or by a third employer, of others by another employer. Others are
    /// unticked by one of the two, or decided for one of them, or both; one for an employer who has not placed the person.
    async fn claim_some(&mut self) {
        const CLAIM: &str =
            "insert into claim (person_id, month, from_seq, employer_id, version) values ($1, $2, $3, $4, 1)";
        const UNTICKED: &str =
            "insert into choice (person_id, month, from_seq, employer_id, ticked, chosen_at, chosen_by)
             values ($1, $2, $3, $4, false, now(), 'test')";
        const DECISION: &str =
            "insert into conflict_decision (person_id, month, from_seq, employer_id, reason, decided_at, decided_by)
             values ($1, $2, $3, $4, 'labour_contract', now(), 'test')";
        let placements = read(&self.any_folder().join("placements.csv"));
        let mut employers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for row in &placements {
            employers.entry(&row["id_number"]).or_default().push(&row["employer_uscc"]);
        }
        let third = placements[0]["employer_uscc"].as_str();
        let twice = employers.iter().filter(|(_, units)| units.len() > 1);
        let (mut unticked, mut decisions) = (Vec::new(), Vec::new());
        for (number, (id, units)) in twice.clone().enumerate() {
            let one = units[number % 2];
            unticked.extend([3, 5, 8].map(|month| (*id, one, month)));
            decisions.extend([(*id, one, 4), (*id, one, 5), (*id, units[0], 8), (*id, one, 9), (*id, third, 10)]);
        }
        let once = employers.iter().filter(|(_, units)| units.len() == 1).step_by(97);
        let mut claims = Vec::new();
        for (number, (id, units)) in twice.chain(once).enumerate() {
            let holder = if number % 3 == 2 { third } else { units[number % 3 % units.len()] };
            claims.extend([2, 5, 12].map(|month| (*id, holder, month)));
        }
        let seq = self.harness.store.head().await.expect("a sequence");
        let mut connection = self.harness.connection().await;
        let claims = self.state(CLAIM, claims, seq, &mut connection).await;
        let unticked = self.state(UNTICKED, unticked, seq, &mut connection).await;
        let decisions = self.state(DECISION, decisions, seq, &mut connection).await;
        self.claims.extend(claims);
        self.unticked.extend(unticked);
        self.decisions.extend(decisions);
    }

    /// Stores what is said of months, each with its person and employer, and tells it for the evaluator.
    async fn state(
        &self,
        statement: &'static str,
        months: Vec<(&str, &str, u32)>,
        seq: i64,
        connection: &mut PgConnection,
    ) -> Vec<Value> {
        let mut told = Vec::with_capacity(months.len());
        for (id, employer, month) in months {
            let person = ResidentId::parse(id).expect("an ID number");
            let person = self.harness.store.find_person(&person).await.expect("an answer").expect("a person");
            let unit = Uscc::parse(employer).expect("a code");
            let unit = self.harness.store.find_unit(&unit).await.expect("an answer").expect("a unit");
            let month = Month::new(self.year, month).expect("a month");
            sqlx::query(statement)
                .bind(person.0)
                .bind(month.index())
                .bind(seq)
                .bind(unit.0)
                .execute(&mut *connection)
                .await
                .expect("stated");
            told.push(json!({ "employer_uscc": employer, "id_number": id, "month": month.to_string() }));
        }
        told
    }

    /// Verifies on a business date, and has the evaluator say the same.
    async fn agree(&mut self, business_date: &str, back_payment: &'static str, certificate_month: &'static str) {
        let switches = Switches { back_payment, certificate_month };
        self.runs += 1;
        let folder = self.folder(&format!("run-{}", self.runs));
        self.write_scenario(&folder, business_date, switches);
        let evaluating = tokio::task::spawn_blocking({
            let folder = folder.clone();
            move || evaluation::evaluate(&folder).expect("an evaluation")
        });
        self.harness.policy = switches.policy();
        self.harness.clock(day(business_date), "12:00").await;
        self.harness.verify(self.year).await;
        let got = self.harness.results(self.year).await;
        let expected = evaluating.await.expect("an evaluation");
        self.compare(business_date, switches, &expected, &got);
        for (what, months) in evaluation::counts(&expected) {
            *self.occurrences.entry(what).or_default() += months;
        }
    }

    fn write_scenario(&self, folder: &Path, business_date: &str, switches: Switches) {
        std::fs::create_dir(folder).expect("a directory");
        for file in ["employers.csv", "placements.csv", "contracts.csv"] {
            std::fs::copy(self.any_folder().join(file), folder.join(file)).expect("copied");
        }
        let jobs: Vec<&Value> = self.jobs.iter().map(|pull| &pull.scenario).collect();
        let scenario = json!({
            "year": self.year, "business_date": business_date, "jobs": jobs, "claims": self.claims,
            "unticked": self.unticked, "decisions": self.decisions,
            "switches": { "back_payment": switches.back_payment, "certificate_month": switches.certificate_month },
        });
        std::fs::write(folder.join("scenario.json"), scenario.to_string()).expect("written");
    }

    /// Names the seed, the run, and the first differences by employer, last four of the ID, month and check.
    fn compare(&self, business_date: &str, switches: Switches, expected: &[evaluation::Line], got: &[Line]) {
        let (mut differences, mut count) = (Vec::new(), 0);
        assert_eq!(got.len(), expected.len(), "seed {}: as many months", self.seed);
        for (got, expected) in got.iter().zip(expected) {
            let (got_cells, expected_cells) = (cells_of(got), cells_of_evaluator(expected));
            assert_eq!(got_cells[..3], expected_cells[..3], "seed {}: the same months", self.seed);
            for (place, (got, expected)) in got_cells.iter().zip(&expected_cells).enumerate() {
                if got != expected {
                    count += 1;
                    differences.push(format!(
                        "{} {} {} {}: program {got}, evaluator {expected}",
                        got_cells[0],
                        &got_cells[1][14..],
                        got_cells[2],
                        COLUMNS[place]
                    ));
                }
            }
        }
        differences.truncate(40);
        assert!(
            differences.is_empty(),
            "seed {}, run {} on {business_date}, back_payment = {}, certificate_month = {}: {count} cells differ\n{}",
            self.seed,
            self.runs,
            switches.back_payment,
            switches.certificate_month,
            differences.join("\n")
        );
    }
}

const COLUMNS: [&str; 13] = [
    "employer",
    "person",
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

fn cells_of(line: &Line) -> Vec<String> {
    let mut cells = vec![line.employer_uscc.clone(), line.id_number.clone(), line.month.clone()];
    cells.extend(line.codes.map(str::to_owned));
    cells.extend([line.passed.to_string(), line.conflict.to_string(), line.weight.to_string()]);
    cells
}

fn cells_of_evaluator(line: &evaluation::Line) -> Vec<String> {
    let mut cells = vec![line.employer_uscc.clone(), line.id_number.clone(), line.month.clone()];
    cells.extend(line.codes.iter().cloned());
    cells.extend([line.passed.to_string(), line.conflict.to_string(), line.weight.to_string()]);
    cells
}

fn read(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).expect("a file");
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

/// Wages settle 45 days after 31 December, on 14 February; insurance after 30, on 30 January; a held delivery settles nothing.
async fn settling(seed: u64) -> Season {
    let jobs = vec![
        PullJob::new("pull-certificate", "certificate", (45, 7), "", "all"),
        PullJob::new("pull-dispatch_filing", "dispatch_filing", (45, 30), "", "all"),
        PullJob::new("pull-wage", "wage", (45, 7), "", "concerned"),
        PullJob::new("pull-pension", "insurance", (30, 7), "schemes = [\"pension\"]", "concerned"),
        PullJob::new("pull-medical", "insurance", (30, 7), "schemes = [\"medical\"]", "all"),
    ];
    let mut season = Season::begin(seed, 2025, "2026-01-28", "2026-01-29", jobs).await;
    season
        .pull(&["pull-certificate", "pull-dispatch_filing", "pull-wage", "pull-pension"], "2026-01-29", "2026-01-29")
        .await;
    season.pull(&["pull-medical"], "2026-01-30", "2026-01-29").await;
    season.pull_nothing("pull-pension", "2026-01-30").await;
    season.agree("2026-01-30", "accept", "overlap").await;

    season.deliver("2026-02-13");
    season.pull(&["pull-certificate", "pull-pension"], "2026-01-31", "2026-02-13").await;
    season.pull(&["pull-wage"], "2026-02-13", "2026-02-13").await;
    season.agree("2026-02-13", "accept", "overlap").await;
    season.pull(&["pull-wage"], "2026-02-14", "2026-02-13").await;
    season.agree("2026-02-14", "accept", "overlap").await;

    season.deliver("2026-02-15");
    season.pull(&["pull-wage", "pull-medical"], "2026-02-15", "2026-02-15").await;
    season.agree("2026-02-15", "accept", "overlap").await;
    season
}

/// Filings that end yesterday, today and tomorrow, under each switch; some counties' wages and pensions are never delivered.
async fn switching(seed: u64) -> Season {
    let most =
        "schemes = [\"pension\"], divisions = [\"3601\", \"3602\", \"3603\", \"3604\", \"3605\", \"3606\", \"3607\"]";
    let jobs = vec![
        PullJob::new("pull-certificate", "certificate", (45, 7), "", "all"),
        PullJob::new("pull-dispatch_filing", "dispatch_filing", (45, 7), "", "all"),
        PullJob::new("pull-wage", "wage", (45, 7), "", "concerned"),
        PullJob::new("pull-wage-yichun", "wage", (45, 7), "divisions = [\"3609\", \"360102\"]", "concerned"),
        PullJob::new("pull-pension", "insurance", (30, 7), most, "concerned"),
        PullJob::new("pull-medical", "insurance", (30, 7), "schemes = [\"medical\"]", "concerned"),
    ];
    let mut season = Season::begin(seed, 2025, "2026-04-13", "2026-04-15", jobs).await;
    let pulls = ["pull-certificate", "pull-dispatch_filing", "pull-wage", "pull-pension", "pull-medical"];
    season.pull(&pulls, "2026-04-14", "2026-04-15").await;
    season.agree("2026-04-14", "review", "whole_month").await;
    season.claim_some().await;
    season.agree("2026-04-15", "accept", "whole_month").await;
    season.agree("2026-04-16", "review", "overlap").await;
    season
}

/// A leap year. Nothing delivered yet, then certificates and filings up to the day they are stale, and past it.
async fn staling(seed: u64) -> Season {
    let jobs = vec![
        PullJob::new("pull-certificate", "certificate", (45, 7), "", "all"),
        PullJob::new("pull-dispatch_filing", "dispatch_filing", (45, 8), "", "all"),
        PullJob::new("pull-wage", "wage", (60, 7), "", "all"),
        PullJob::new("pull-pension", "insurance", (30, 7), "schemes = [\"pension\"]", "all"),
        PullJob::new("pull-medical", "insurance", (45, 7), "", "concerned"),
    ];
    let mut season = Season::begin(seed, 2024, "2025-03-29", "2025-04-01", jobs).await;
    season.agree("2025-03-31", "accept", "year").await;
    let pulls = ["pull-certificate", "pull-dispatch_filing", "pull-wage", "pull-pension", "pull-medical"];
    season.pull(&pulls, "2025-04-01", "2025-04-01").await;
    season.claim_some().await;
    season.agree("2025-04-08", "review", "year").await;
    season.agree("2025-04-09", "accept", "year").await;
    season.agree("2025-04-10", "accept", "overlap").await;
    season
}

/// What the generated provinces must hold beside the codes: births on the first and the last day of a month, contracts that end
/// on 28 and 29 February.
fn edges(season: &Season) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    for row in read(&season.any_folder().join("placements.csv")) {
        let born = ResidentId::parse(&row["id_number"]).expect("an ID number").birth_date();
        if born == Month::of(born).first_day() {
            found.insert("born on the first");
        }
        if born == Month::of(born).last_day() {
            found.insert("born on the last");
        }
    }
    for row in read(&season.any_folder().join("contracts.csv")) {
        for end in ["ends_on", "terminated_on"].into_iter().filter_map(|column| row[column].parse::<NaiveDate>().ok()) {
            match (end.month(), end.day()) {
                (2, 28) => found.insert("ends on 28 February"),
                (2, 29) => found.insert("ends on 29 February"),
                _ => false,
            };
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_and_the_evaluator_agree_on_every_month_of_ten_provinces() {
    let season = |seed: u64| async move {
        let season = match seed % 3 {
            1 => tokio::spawn(settling(seed)),
            2 => tokio::spawn(switching(seed)),
            _ => tokio::spawn(staling(seed)),
        };
        let season = season.await.expect("a season");
        (edges(&season), season.occurrences.clone())
    };
    let mut seasons = futures_util::stream::iter((1..=10).map(season)).buffer_unordered(3);
    let mut occurrences = Occurrences::new();
    let mut found = BTreeSet::new();
    while let Some((edges, of_season)) = seasons.next().await {
        found.extend(edges);
        for (what, months) in of_season {
            *occurrences.entry(what).or_default() += months;
        }
    }
    let missing: Vec<String> = MUST_OCCUR
        .iter()
        .flat_map(|(check, codes)| codes.iter().map(move |code| (*check, *code)))
        .filter(|(check, code)| !occurrences.contains_key(&((*check).to_owned(), (*code).to_owned())))
        .map(|(check, code)| format!("{check} {code}"))
        .collect();
    assert!(missing.is_empty(), "never occurred: {}", missing.join(", "));
    let edges = ["born on the first", "born on the last", "ends on 28 February", "ends on 29 February"];
    assert_eq!(found, BTreeSet::from(edges));
}
