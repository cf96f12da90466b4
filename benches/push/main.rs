//! `cargo bench --bench push`: how fast what was declared gets to the tax department and its answers come back.

#[path = "../common/mod.rs"]
mod common;
mod messages;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use serde_json::{Value, json};

use common::machine::{machine, told};
use common::program::Program;
use common::server::Server;
use common::{FALLBACK, remove};

/// Measures the hand-over.
#[derive(Parser)]
struct Arguments {
    /// Employers, with one to three messages each
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(10..=200_000))]
    employers: u32,
    /// Also writes all figures here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Shows the program's log under this filter, such as `info`
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

const PREFIX: &str = "push_";

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if !arguments.bench {
        println!("nothing is measured unless run by `cargo bench --bench push`");
        return Ok(());
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-push");
    let work = folder.join("work");
    remove(&work)?;
    fs::create_dir_all(&work)?;
    let server = Server::start(&folder, Path::new(FALLBACK), PREFIX)?;
    let measured = measure(&arguments, &server, &work);
    server.stop()?;
    remove(&folder)?;
    remove(Path::new(FALLBACK))?;
    measured
}

fn measure(arguments: &Arguments, server: &Server, work: &Path) -> anyhow::Result<()> {
    let facts = machine(server)?;
    fs::create_dir_all(work.join("jobs"))?;
    let program = Program { folder: work.to_owned(), key_file: work.join("keys"), log: arguments.log.clone() };
    program.make_keys()?;
    let messages = messages::measure(server, &program, work, arguments.employers)?;
    println!("messages: {messages}");
    for (name, value) in &facts {
        println!("{name}: {}", told(value));
    }
    let Some(path) = &arguments.json else { return Ok(()) };
    let machine: serde_json::Map<String, Value> =
        facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let text = serde_json::to_string_pretty(&json!({ "machine": machine, "messages": messages }))?;
    fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}
