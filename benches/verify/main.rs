//! `cargo bench --bench verify`: the verification of a whole year by the real program, beside the floor (the inputs copied out and the results copied
//! in, nothing judged) and beside the same rules as set-based SQL in the same Postgres; then one percent touched, everything again, and single persons.
//!
//! The results of SQL and program must be equal in every cell, and judging everything after the one percent must find no difference; else the
//! bench ends.

#[path = "../common/mod.rs"]
mod common;
mod floor;
mod persons;
#[path = "../common/province.rs"]
mod province;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use serde_json::{Value, json};

use common::machine::{machine, told};
use common::program::{Program, Ran};
use common::server::Server;
use common::{FALLBACK, remove};

/// Measures the verification of a year.
#[derive(Parser)]
struct Arguments {
    /// Placements of the year
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(2000..=20_000_000))]
    placements: u64,
    /// Leaves out the rules as SQL, which take longest
    #[arg(long)]
    without_sql: bool,
    /// Also writes all figures here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Shows the program's log under this filter, such as `info`
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Leaves the database where it is
    #[arg(long)]
    keep: bool,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

const PREFIX: &str = "verify_";
const DATABASE: &str = "verify_province";
const YEAR: &str = "2025";

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if !arguments.bench {
        println!("nothing is measured unless run by `cargo bench --bench verify`");
        return Ok(());
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-verify");
    let work = folder.join("work");
    remove(&work)?;
    let server = Server::start(&folder, Path::new(FALLBACK), PREFIX)?;
    let measured = Bench::new(&arguments, &server, work).and_then(|mut bench| bench.run());
    if arguments.keep {
        println!("kept: {}", server.url(DATABASE));
    }
    server.stop()?;
    if !arguments.keep {
        remove(&folder)?;
        remove(Path::new(FALLBACK))?;
    }
    measured
}

/// A line of the table.
struct Figure {
    title: &'static str,
    seconds: f64,
    /// What it is compared with, as a number and in words, and the goal.
    ratio: Option<(f64, &'static str)>,
    ran: Option<Ran>,
}

struct Bench<'a> {
    arguments: &'a Arguments,
    server: &'a Server,
    program: Program,
    work: PathBuf,
    figures: Vec<Figure>,
}

impl<'a> Bench<'a> {
    fn new(arguments: &'a Arguments, server: &'a Server, work: PathBuf) -> anyhow::Result<Self> {
        province::write_jobs(&work)?;
        let program = Program { folder: work.clone(), key_file: work.join("keys"), log: arguments.log.clone() };
        program.make_keys()?;
        Ok(Self { arguments, server, program, work, figures: Vec::new() })
    }

    fn run(&mut self) -> anyhow::Result<()> {
        let facts = machine(self.server)?;
        self.make_province()?;
        let first_out = floor::copy_out(self.server, DATABASE)?;
        let full = self.verify(&["--full"])?;
        let months = full.report["months"].as_u64().unwrap_or_default();
        ensure!(
            full.report["placements"] == json!(self.arguments.placements),
            "not everybody was judged: {}",
            full.report
        );
        self.server.settle(DATABASE)?;
        let floor =
            first_out.min(floor::copy_out(self.server, DATABASE)?) + floor::copy_in(self.server, DATABASE, &self.work)?;
        let full_seconds = full.took.as_secs_f64();
        self.add("floor: inputs out, results in", floor, None, None);
        self.add(
            "everything, for the first time",
            full.took,
            Some((full_seconds / floor.as_secs_f64(), "× the floor, goal ≤ 2.0")),
            Some(full),
        );
        if !self.arguments.without_sql {
            let sql = self.judge_by_sql()?;
            self.add(
                "the same rules as SQL",
                sql,
                Some((sql.as_secs_f64() / full_seconds, "× the program, goal ≥ 2.5")),
                None,
            );
        }
        self.touch()?;
        let touched = self.verify(&[])?;
        let share = touched.report["placements"].as_f64().unwrap_or_default() / self.arguments.placements as f64;
        ensure!(
            (0.005..0.015).contains(&share) && touched.report["changed_months"] != 0,
            "one percent was touched: {}",
            touched.report
        );
        let beyond = (touched.took.as_secs_f64() - 1.0).max(0.0) / full_seconds;
        self.add(
            "one percent touched",
            touched.took,
            Some((beyond, "of the full time beyond a second, goal ≤ 0.03")),
            Some(touched),
        );
        self.server.settle(DATABASE)?;
        let again = self.verify(&["--full"])?;
        ensure!(
            again.report["changed_months"] == 0,
            "judging everything found what the one percent missed: {}",
            again.report
        );
        self.add(
            "everything again, nothing changed",
            again.took,
            Some((again.took.as_secs_f64() / floor.as_secs_f64(), "× the floor")),
            Some(again),
        );
        let single = persons::measure(&self.server.url(DATABASE), &self.work.join("keys"), self.arguments.placements)?;
        self.report(&facts, months, &single)
    }

    fn add(&mut self, title: &'static str, took: Duration, ratio: Option<(f64, &'static str)>, ran: Option<Ran>) {
        eprintln!("{title}: {:.2} s", took.as_secs_f64());
        self.figures.push(Figure { title, seconds: took.as_secs_f64(), ratio, ran });
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![("DATABASE_URL", self.server.url(DATABASE))]
    }

    fn verify(&self, arguments: &[&str]) -> anyhow::Result<Ran> {
        let all: Vec<&str> = ["verify", "--year", YEAR].into_iter().chain(arguments.iter().copied()).collect();
        self.program.run(&all, &self.variables())
    }

    fn make_province(&self) -> anyhow::Result<()> {
        province::make(self.server, &self.program, DATABASE, self.arguments.placements)
    }

    fn touch(&self) -> anyhow::Result<()> {
        self.script("touch.sql", include_str!("touch.sql"), &[])?;
        self.server.settle(DATABASE)
    }

    fn script(&self, name: &str, text: &str, arguments: &[&str]) -> anyhow::Result<()> {
        province::script(self.server, DATABASE, &self.work.join(name), text, arguments)
    }

    /// Every cell must be the program's.
    fn judge_by_sql(&self) -> anyhow::Result<Duration> {
        eprintln!("judging by SQL");
        let began = Instant::now();
        self.script("rules.sql", include_str!("rules.sql"), &[])?;
        let took = began.elapsed();
        let other = self.server.ask(
            DATABASE,
            "select count(*) from verification v full join by_sql s using (person_id, employer_id) where v.cells is distinct from s.cells",
        )?;
        ensure!(other == "0", "SQL and program differ on {other} placements");
        self.server.run(DATABASE, &["drop table by_sql"])?;
        Ok(took)
    }

    fn report(&self, facts: &[(&'static str, Value)], months: u64, single: &Value) -> anyhow::Result<()> {
        println!("\n{} placements, {months} months", self.arguments.placements);
        for Figure { title, seconds, ratio, ran } in &self.figures {
            let ratio = ratio.map_or_else(String::new, |(ratio, words)| format!("{ratio:.3} {words}"));
            let of_run = ran.as_ref().map_or_else(String::new, |ran| {
                let peak = ran.peak_bytes.map_or_else(|| "–".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
                let cpu = ran.processor_seconds.map_or_else(|| "–".to_owned(), |cpu| format!("{cpu:.1} s CPU"));
                format!("; peak {peak}, {cpu}, stages {}", ran.report["stages"])
            });
            println!("{title:<36} {seconds:>8.2} s  {ratio}{of_run}");
            print!("{}", ran.as_ref().map_or("", |ran| &ran.words));
        }
        println!("one person: {single}");
        for (name, value) in facts {
            println!("{name}: {}", told(value));
        }
        let Some(path) = &self.arguments.json else { return Ok(()) };
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|figure| {
                let ran = figure.ran.as_ref();
                json!({
                    "title": figure.title, "seconds": figure.seconds, "ratio": figure.ratio.map(|(ratio, _)| ratio),
                    "peak_bytes": ran.and_then(|ran| ran.peak_bytes), "processor_seconds": ran.and_then(|ran| ran.processor_seconds),
                    "report": ran.map(|ran| &ran.report),
                })
            })
            .collect();
        let machine: serde_json::Map<String, Value> =
            facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let text = serde_json::to_string_pretty(&json!({
            "machine": machine, "placements": self.arguments.placements, "figures": figures, "one_person": single,
        }))?;
        fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
    }
}
