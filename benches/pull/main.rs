//! `cargo bench --bench pull`: pulls by the real program, each as a ratio to `\copy` of the same rows right before and after.
//!
//! Everything lies on one private Postgres, made as the program makes it and kept running. Making deliveries, copying databases and checking
//! counts is not timed; a pull that counts anything else than its delivery held ends the bench.

mod agency;
#[path = "../common/mod.rs"]
mod common;
mod data;
mod database;
mod deliveries;
mod jobs;
mod lines;
mod report;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::Value;

use agency::Agency;
use common::machine::{machine, told};
use common::program::Program;
use common::server::Server;
use common::{FALLBACK, remove};
use data::Population;
use database::PREFIX;
use deliveries::Delivery;
use lines::{CHAINS, Line};
use report::Figure;

/// Measures pulls of wages.
#[derive(Parser)]
struct Arguments {
    /// Rows of a delivery
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1200..=100_000_000))]
    rows: u64,
    /// Only these lines (and what they need); may be given again
    #[arg(long, value_name = "NAME")]
    only: Vec<Line>,
    /// Also writes all figures here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[arg(long, default_value_t = 20_250_301)]
    seed: u64,
    /// Shows the program's log under this filter, such as `info`
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Leaves the deliveries and the databases where they are
    #[arg(long)]
    keep: bool,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// The database that every chain begins with: persons concerned, no wages.
const CERTIFIED: &str = "pull_certified";
const PULLED: &str = "pull_wages";

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if !arguments.bench {
        println!("nothing is measured unless run by `cargo bench --bench pull`");
        return Ok(());
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-pull");
    let deliveries = folder.join("deliveries");
    remove(&deliveries)?;
    fs::create_dir_all(deliveries.join("jobs"))?;
    let server = Server::start(&folder, Path::new(FALLBACK), PREFIX)?;
    database::make_yardstick(&server)?;
    let measured = Bench::new(&arguments, &server, deliveries.clone()).and_then(|mut bench| bench.run());
    if arguments.keep {
        println!("kept: {}; {}", deliveries.display(), server.url(PULLED));
    }
    server.stop()?;
    if !arguments.keep {
        remove(&folder)?;
        remove(Path::new(FALLBACK))?;
    }
    measured
}

/// A bench that runs.
struct Bench<'a> {
    arguments: &'a Arguments,
    population: Population,
    server: &'a Server,
    program: Program,
    deliveries: PathBuf,
    facts: Vec<(&'static str, Value)>,
    figures: Vec<Figure>,
}

impl<'a> Bench<'a> {
    fn new(arguments: &'a Arguments, server: &'a Server, deliveries: PathBuf) -> anyhow::Result<Self> {
        jobs::write(&deliveries.join("jobs"))?;
        let key_file = deliveries.join("keys");
        let program = Program { folder: deliveries.clone(), key_file, log: arguments.log.clone() };
        program.make_keys()?;
        let population = Population::new(arguments.seed, arguments.rows);
        let facts = machine(server)?;
        Ok(Self { arguments, population, server, program, deliveries, facts, figures: Vec::new() })
    }

    fn run(&mut self) -> anyhow::Result<()> {
        let wanted = |line: &Line| self.arguments.only.is_empty() || self.arguments.only.contains(line);
        let chains = CHAINS.map(|chain| chain.iter().copied().filter(wanted).collect::<Vec<Line>>());
        self.write_deliveries(&chains)?;
        self.server.create(CERTIFIED, None)?;
        self.program.prepare(self.server.url(CERTIFIED))?;
        self.measure(Line::Certificates, CERTIFIED, &[])?;
        for (chain, wanted) in CHAINS.iter().zip(chains) {
            if !wanted.is_empty() {
                self.run_chain(chain[0], &wanted)?;
            }
        }
        println!("\n{}", report::table(&self.figures));
        println!("ratio = seconds of the better \\copy / seconds of the pull; goals are not enforced");
        for (name, value) in &self.facts {
            println!("{name}: {}", told(value));
        }
        match &self.arguments.json {
            Some(path) => report::write_json(path, &self.facts, &self.figures),
            None => Ok(()),
        }
    }

    /// The files that the lines need, and no others.
    fn write_deliveries(&self, chains: &[Vec<Line>]) -> anyhow::Result<()> {
        let mut written = vec![Delivery::Certificates];
        for (chain, wanted) in CHAINS.iter().zip(chains).filter(|(_, wanted)| !wanted.is_empty()) {
            for delivery in wanted.iter().chain(&chain[..1]).map(|line| line.delivery()) {
                if !written.contains(&delivery) {
                    written.push(delivery);
                }
            }
        }
        for delivery in written {
            eprintln!("writing {}", delivery.path(&self.deliveries).display());
            delivery.write(&self.population, &self.deliveries)?;
        }
        Ok(())
    }

    /// Fills a fresh database by the chain's first line and measures those that are wanted.
    fn run_chain(&mut self, first: Line, wanted: &[Line]) -> anyhow::Result<()> {
        self.server.drop(PULLED)?;
        self.server.create(PULLED, Some(CERTIFIED))?;
        let mut variables = Vec::new();
        let mut agency = None;
        if first == Line::Database {
            variables.push(("EXCHANGE_URL", database::make_exchange(self.server, &self.deliveries)?));
        } else if first == Line::Http {
            let running = Agency::start(&self.population, &self.deliveries)?;
            variables.push(("AGENCY_URL", running.url.clone()));
            agency = Some(running);
        }
        if !wanted.contains(&first) {
            eprintln!("filling the tables: {}", first.title());
            self.server.settle(PULLED)?;
            let pull = self.program.run(&["run", first.job()], &self.variables(first, PULLED, &variables))?;
            first.check(&self.population, &pull.report)?;
        }
        for line in wanted {
            self.measure(*line, PULLED, &variables)?;
        }
        drop(agency);
        if first == Line::Database {
            database::drop_exchange(self.server)?;
        }
        Ok(())
    }

    fn variables(&self, line: Line, database: &str, others: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
        let file = line.delivery().path(&self.deliveries).display().to_string();
        let name = if line == Line::Certificates { "CERTIFICATES" } else { "WAGES" };
        let mut variables = vec![("DATABASE_URL", self.server.url(database)), (name, file)];
        variables.extend_from_slice(others);
        variables
    }

    /// One pull between two yardsticks.
    fn measure(&mut self, line: Line, database: &str, variables: &[(&'static str, String)]) -> anyhow::Result<()> {
        let variables = self.variables(line, database, variables);
        let copy = || database::copy(self.server, line.delivery(), &self.population, &self.deliveries);
        self.server.settle(database)?;
        let before = copy()?;
        let log_before = database::log_position(self.server)?;
        let pull = self.program.run(&["run", line.job()], &variables)?;
        let log_bytes = database::log_position(self.server)? - log_before;
        line.check(&self.population, &pull.report)?;
        // What the pull left to be written is not the yardstick's to write.
        self.server.settle(database)?;
        let after = copy()?;
        let rows = line.delivery().rows(&self.population);
        let figure = Figure { line, rows, pull, copies: [before, after], log_bytes };
        println!("{}: {:.2} s, ratio {:.2}", line.title(), figure.pull.took.as_secs_f64(), figure.ratio());
        print!("{}{}", report::stages(&figure.pull.report), figure.pull.words);
        self.figures.push(figure);
        Ok(())
    }
}
