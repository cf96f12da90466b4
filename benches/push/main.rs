//! `cargo bench --bench push`: the hand-over to the tax department by the real program, on a private, durable Postgres, against a department
//! in this process.

#[path = "../common/mod.rs"]
mod common;
mod messages;
mod reconcile;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

use common::machine::{machine, told};
use common::program::{Program, Ran};
use common::server::Server;
use common::{FALLBACK, remove};

/// Measures the hand-over.
#[derive(Parser)]
struct Arguments {
    /// Only this part
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Employers with one to three messages each, which are sent
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(10..=200_000))]
    senders: u32,
    /// Employers' years that both sides hold
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(2000..=1_000_000))]
    employers: u64,
    /// Also writes all figures here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Shows the program's log under this filter, such as `info`
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Leaves the databases where they are
    #[arg(long)]
    keep: bool,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Messages sent and answered
    Messages,
    /// Both sides compared, equal and with one in a thousand differing
    Reconcile,
}

const PREFIX: &str = "push_";

/// A line of the table.
struct Figure {
    title: &'static str,
    ran: Ran,
    /// What is asked of it.
    goal: Option<&'static str>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if !arguments.bench {
        println!("nothing is measured unless run by `cargo bench --bench push`");
        return Ok(());
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-push");
    let work = folder.join("work");
    remove(&work)?;
    fs::create_dir_all(work.join("jobs"))?;
    let server = Server::start(&folder, Path::new(FALLBACK), PREFIX)?;
    let measured = measure(&arguments, &server, &work);
    server.stop()?;
    if !arguments.keep {
        remove(&folder)?;
        remove(Path::new(FALLBACK))?;
    }
    measured
}

fn measure(arguments: &Arguments, server: &Server, work: &Path) -> anyhow::Result<()> {
    let facts = machine(server)?;
    let program = Program { folder: work.to_owned(), key_file: work.join("keys"), log: arguments.log.clone() };
    program.make_keys()?;
    let is_asked = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    let mut messages = None;
    if is_asked(Part::Messages) {
        messages = Some(messages::measure(server, &program, work, arguments.senders)?);
    }
    let mut figures = Vec::new();
    if is_asked(Part::Reconcile) {
        figures.extend(reconcile::measure(&program, server, work, arguments.employers)?);
    }
    report(arguments, &facts, messages.as_ref(), &figures)
}

fn report(
    arguments: &Arguments,
    facts: &[(&'static str, Value)],
    messages: Option<&Value>,
    figures: &[Figure],
) -> anyhow::Result<()> {
    if let Some(messages) = messages {
        println!("messages: {messages}");
    }
    for (name, fact) in facts {
        println!("{name}: {}", told(fact));
    }
    let mut lines = Vec::new();
    for Figure { title, ran, goal } in figures {
        let peak = ran.peak_bytes.map_or_else(|| "–".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
        let processor = ran.processor_seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.1} s"));
        println!(
            "{title}: {:.2} s, peak {peak}, processor {processor}{}",
            ran.took.as_secs_f64(),
            goal.map_or_else(String::new, |goal| format!(" ({goal})"))
        );
        lines.push(json!({
            "title": title, "seconds": ran.took.as_secs_f64(), "peak_bytes": ran.peak_bytes,
            "processor_seconds": ran.processor_seconds, "report": ran.report,
        }));
    }
    if let Some(file) = &arguments.json {
        let facts: serde_json::Map<String, Value> =
            facts.iter().map(|(name, fact)| ((*name).to_owned(), fact.clone())).collect();
        fs::write(
            file,
            serde_json::to_vec_pretty(&json!({ "machine": facts, "messages": messages, "figures": lines }))?,
        )?;
    }
    Ok(())
}
