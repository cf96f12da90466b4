//! `cargo bench --bench serve`: the API of the real program under open load, with a whole year of a province judged and stored: requests come
//! when they come, whether earlier ones are answered or not, and each counts from when it was to be sent.

#[path = "../common/mod.rs"]
mod common;
mod load;
#[path = "../common/province.rs"]
mod province;
mod users;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use serde_json::{Value, json};

use common::machine::{machine, told};
use common::program::{Program, Ran};
use common::server::Server;
use common::{FALLBACK, remove};
use load::{Kind, Measured};

/// Measures the API under load.
#[derive(Parser)]
struct Arguments {
    /// Placements of the year
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(2000..=20_000_000))]
    placements: u64,
    /// Employers' programs, each with a token of its own
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=5000))]
    users: u32,
    /// Seconds of each load
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
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

const PREFIX: &str = "serve_";
const DATABASE: &str = "serve_province";

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if !arguments.bench {
        println!("nothing is measured unless run by `cargo bench --bench serve`");
        return Ok(());
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-serve");
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
    province::write_jobs(work)?;
    let program = Program { folder: work.to_owned(), key_file: work.join("keys"), log: arguments.log.clone() };
    program.make_keys()?;
    province::make(server, &program, DATABASE, arguments.placements)?;
    let url = server.url(DATABASE);
    let verified = program.run(&["verify", "--year", province::YEAR, "--full"], &[("DATABASE_URL", url.clone())])?;
    tell("verified alone", &verified);
    server.settle(DATABASE)?;
    let employers = arguments.placements / 20;
    let users = users::make(server, &work.join("keys"), arguments.users, employers)?;
    let serving = Serving::start(work, &url, arguments.log.as_deref())?;
    let seconds = Duration::from_secs(arguments.seconds);
    let run = |title, kind, per_second| load::run(title, &serving.site, &users, kind, per_second, seconds);
    let mut all = vec![
        // what is read first comes from the disk, and its plans are made
        run("grids, until all is warm", Kind::Grid, 100)?,
        run("grids of 20 workers", Kind::Grid, 500)?,
        run("grids of 20 workers", Kind::Grid, 1000)?,
        run("writes: ticks, one in fifty a completion", Kind::Writes, 200)?,
    ];
    let verifying = std::thread::spawn({
        let (url, program) = (url.clone(), program);
        move || program.run(&["verify", "--year", province::YEAR, "--full"], &[("DATABASE_URL", url)])
    });
    all.push(run("grids, while everything is verified", Kind::Grid, 500)?);
    let verified = verifying.join().map_err(|_| anyhow::anyhow!("the verification panicked"))??;
    tell("verified beside that load", &verified);
    drop(serving);
    report(arguments, &facts, &all)
}

fn tell(title: &str, ran: &Ran) {
    let (seconds, peak) = (ran.took.as_secs_f64(), ran.peak_bytes.unwrap_or_default() >> 20);
    let cpu = ran.processor_seconds.unwrap_or_default();
    println!("{title}: {} months in {seconds:.1} s, peak {peak} MiB, {cpu:.1} s CPU", ran.report["months"]);
    print!("{}", ran.words);
}

fn report(arguments: &Arguments, facts: &[(&'static str, Value)], all: &[Measured]) -> anyhow::Result<()> {
    println!(
        "\n{} placements stored, {} programs, {} s each",
        arguments.placements, arguments.users, arguments.seconds
    );
    for one in all {
        println!(
            "{:<44} {:>5}/s asked, {:>7.1}/s answered, p50 {:>8.2} ms, p99 {:>8.2} ms, max {:>8.1} ms, errors {:?}",
            one.title, one.per_second, one.answered_per_second, one.p50_ms, one.p99_ms, one.max_ms, one.errors
        );
    }
    println!("goal: grids p99 ≤ 25 ms at 1,000 requests/s");
    for (name, value) in facts {
        println!("{name}: {}", told(value));
    }
    let Some(path) = &arguments.json else { return Ok(()) };
    let machine: serde_json::Map<String, Value> =
        facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let figures = serde_json::to_value(all)?;
    let text = serde_json::to_string_pretty(
        &json!({ "machine": machine, "placements": arguments.placements, "figures": figures }),
    )?;
    fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}

/// The program as it serves, ended when it is dropped.
struct Serving {
    child: Child,
    site: String,
}

impl Serving {
    fn start(work: &Path, url: &str, log: Option<&str>) -> anyhow::Result<Self> {
        // a free port, as of now
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        // no job runs by itself
        fs::remove_dir_all(work.join("jobs"))?;
        fs::create_dir_all(work.join("jobs"))?;
        let child = Command::new(env!("CARGO_BIN_EXE_renzheng"))
            .args(["serve", "--workers", "1", "--listen", &address.to_string()])
            .current_dir(work)
            .env_clear()
            .env("RENZHENG_LOG", log.unwrap_or("warn"))
            .env("RENZHENG_KEY_FILE", work.join("keys"))
            .env("DATABASE_URL", url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("the program does not serve")?;
        let serving = Self { child, site: format!("http://{address}") };
        let began = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            ensure!(began.elapsed() < Duration::from_mins(1), "the program does not listen");
            std::thread::yield_now();
        }
        Ok(serving)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}
