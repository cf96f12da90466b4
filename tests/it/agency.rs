//! A small agency of files for the tests of pulls: what it delivers, page by page, and what the store makes of it.

use std::fmt::Write as _;

use renzheng::config::{Environment, Job};
use renzheng::domain::ids::ResidentId;
use renzheng::ingest::{self, PullError, PullOutcome, Range, Report};
use renzheng::store::quarantine::QuarantineFilter;
use sqlx::Row;

use crate::harness::{Harness, Scratch, jobs_of};

pub const PAYER: &str = "91369900MA00000152";
const HEADER: &str = "record_id,updated_at,deleted,id_number,name,payer_uscc,period,amount\n";

/// The resident ID of a synthetic person by number.
pub fn id_number(person: u32) -> String {
    (0..1000)
        .filter_map(|tail| {
            let body = format!(
                "360002{}{:02}{:02}{:02}{}",
                1960 + person % 40,
                1 + person % 12,
                1 + person % 28,
                tail / 10,
                tail % 10
            );
            "0123456789X".chars().map(|check| format!("{body}{check}")).find(|number| ResidentId::parse(number).is_ok())
        })
        .nth((person / 1000) as usize)
        .expect("a valid number")
}

/// One wage record, as the agency writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wage {
    pub record: String,
    /// Seconds after 2026-01-01 in Shanghai.
    pub stamp: u32,
    pub deleted: bool,
    pub person: u32,
    pub period: String,
    pub amount: String,
}

impl Wage {
    pub fn new(record: &str, stamp: u32, person: u32, amount: &str) -> Self {
        let (record, amount) = (record.to_owned(), amount.to_owned());
        Self { record, stamp, deleted: false, person, period: "2025-03".to_owned(), amount }
    }

    pub fn deleted(record: &str, stamp: u32) -> Self {
        Self { deleted: true, ..Self::new(record, stamp, 0, "") }
    }

    pub fn line(&self) -> String {
        let minutes = self.stamp / 60;
        let stamp = format!(
            "2026-01-{:02}T{:02}:{:02}:{:02}+08:00",
            1 + minutes / 1440,
            minutes / 60 % 24,
            minutes % 60,
            self.stamp % 60
        );
        if self.deleted {
            return format!("{},{stamp},true,,,,,\n", self.record);
        }
        let (id, period, amount) = (id_number(self.person), &self.period, &self.amount);
        format!("{},{stamp},false,{id},某人,{PAYER},{period},{amount}\n", self.record)
    }
}

/// An installation with one wage job that reads the files of a folder, each file a page.
pub struct Agency {
    pub harness: Harness,
    pub scratch: Scratch,
    pub job: Job,
}

impl Agency {
    /// `keys` are further lines of the job file before its tables, `tables` after `[source]`.
    pub async fn begin(name: &str, keys: &str, tables: &str) -> Self {
        let harness = Harness::new(name).await;
        let scratch = Scratch::new(name);
        let mut agency = Self { job: job_of(&scratch, keys, tables), harness, scratch };
        agency.harness.clock("2026-04-15".parse().expect("a date"), "02:00").await;
        agency.settings(keys, tables).await;
        agency
    }

    /// Changes the job file.
    pub async fn settings(&mut self, keys: &str, tables: &str) {
        self.job = job_of(&self.scratch, keys, tables);
        self.harness.register(std::slice::from_ref(&self.job)).await;
    }

    /// Puts down these pages, and nothing else.
    pub fn deliver(&self, pages: &[Vec<Wage>]) {
        let folder = self.scratch.path().join("out");
        if folder.exists() {
            std::fs::remove_dir_all(&folder).expect("emptied");
        }
        std::fs::create_dir_all(&folder).expect("made");
        for (number, page) in pages.iter().enumerate() {
            let mut text = HEADER.to_owned();
            for wage in page {
                text.push_str(&wage.line());
            }
            std::fs::write(folder.join(format!("page-{number:03}.csv")), text).expect("written");
        }
    }

    pub async fn try_pull(&self, range: Option<Range>) -> Result<Report, PullError> {
        ingest::pull(&self.harness.store, &self.job, &Environment::default(), range, "test", &|_| ()).await
    }

    pub async fn pull(&self) -> Report {
        let report = self.try_pull(None).await.expect("pulled");
        assert!(report.counts.balance(), "{:?}", report.counts);
        report
    }

    /// Delivers and pulls; the delivery must not be held.
    pub async fn take(&self, pages: &[Vec<Wage>]) -> Report {
        self.deliver(pages);
        let report = self.pull().await;
        assert_ne!(report.outcome, PullOutcome::Held, "{report:?}");
        report
    }

    /// What is in force, a line each: key, stamp, whether deleted, period, amount, the person's birthday (which tells them apart).
    pub async fn in_force(&self) -> Vec<String> {
        let mut connection = self.harness.connection().await;
        let rows = sqlx::query(
            "select v.updated_at::text, v.deleted, v.period, v.amount_fen, p.born_on::text as person, record_key::text
             from wage v join batch b using (batch_id) join person p using (person_id)
             where b.published_seq is not null and v.superseded_seq is null order by record_key, v.updated_at, amount_fen",
        )
        .fetch_all(&mut connection)
        .await
        .expect("rows");
        rows.iter()
            .map(|row| {
                let mut line = String::new();
                let (period, amount): (Option<i32>, Option<i64>) = (row.get("period"), row.get("amount_fen"));
                let (stamp, deleted): (String, bool) = (row.get("updated_at"), row.get("deleted"));
                let (key, person): (String, String) = (row.get("record_key"), row.get("person"));
                write!(line, "{key} {stamp} {deleted} {period:?} {amount:?} {person}").expect("text grows");
                line
            })
            .collect()
    }

    /// Amounts in force, in fen, ascending.
    pub async fn amounts(&self) -> Vec<i64> {
        let mut connection = self.harness.connection().await;
        sqlx::query_scalar(
            "select amount_fen from wage v join batch b using (batch_id)
             where b.published_seq is not null and v.superseded_seq is null and not v.deleted order by 1",
        )
        .fetch_all(&mut connection)
        .await
        .expect("amounts")
    }

    /// Every version that was ever published, and whether it is in force.
    pub async fn versions(&self) -> Vec<String> {
        let mut connection = self.harness.connection().await;
        sqlx::query_scalar(
            "select concat_ws(' ', record_key, updated_at, content, superseded_seq is null) from wage v join batch b using (batch_id)
             where b.published_seq is not null order by 1",
        )
        .fetch_all(&mut connection)
        .await
        .expect("versions")
    }

    /// Reasons of the open refused records, in the order in which they came.
    pub async fn refused(&self) -> Vec<String> {
        let (lines, _) =
            self.harness.store.list_quarantine(&QuarantineFilter::default(), None, 1000).await.expect("lines");
        lines.iter().rev().map(|line| format!("{} {}", line.code, line.field.as_deref().unwrap_or_default())).collect()
    }

    /// How many rows of batches nobody ever saw are left.
    pub async fn stray_rows(&self) -> i64 {
        let mut connection = self.harness.connection().await;
        sqlx::query_scalar(
            "select count(*) from wage join batch using (batch_id) where published_seq is null and state <> 'held'",
        )
        .fetch_one(&mut connection)
        .await
        .expect("a count")
    }

    /// Makes these people concerned: their certificates come from a source of its own.
    pub async fn concern(&self, persons: &[u32]) {
        let folder = self.scratch.path().join("certificates");
        std::fs::create_dir_all(&folder).expect("made");
        let mut text =
            "record_id,updated_at,id_number,name,kind,certificate_number,level,valid_from,status\n".to_owned();
        for person in persons {
            let id = id_number(*person);
            writeln!(text, "C{person},2026-01-01T00:00:00+08:00,{id},某人,disabled_person,{id}43,3,2020-01-01,valid")
                .expect("text grows");
        }
        std::fs::write(folder.join("certificates.csv"), text).expect("written");
        let jobs = self.scratch.path().join("certificate-jobs");
        std::fs::create_dir_all(&jobs).expect("made");
        let path = folder.join("certificates.csv");
        let job = format!(
            "kind = \"pull\"\nrecord = \"certificate\"\n[source]\ntype = \"file\"\npath = \"{}\"\nformat = \"csv\"\n",
            path.display()
        );
        std::fs::write(jobs.join("pull-certificate.toml"), job).expect("written");
        let mut all = jobs_of(&jobs);
        all.push(self.job.clone());
        self.harness.register(&all).await;
        self.harness.pull(&all[0], &Environment::default()).await;
    }
}

fn job_of(scratch: &Scratch, keys: &str, tables: &str) -> Job {
    let jobs = scratch.path().join("jobs");
    std::fs::create_dir_all(&jobs).expect("made");
    let path = scratch.path().join("out/*.csv");
    let text = format!(
        "kind = \"pull\"\nrecord = \"wage\"\n{keys}\n[source]\ntype = \"file\"\npath = \"{}\"\nformat = \"csv\"\nrereadable = true\n{tables}",
        path.display()
    );
    std::fs::write(jobs.join("pull-wage.toml"), text).expect("written");
    jobs_of(&jobs).remove(0)
}
