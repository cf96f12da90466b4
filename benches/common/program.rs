//! The program as a process: one command with its time, its memory and what it says it did.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

/// How often memory and processor time are looked at.
const LOOK: Duration = Duration::from_millis(10);
/// Linux counts processor time in hundredths of a second for everyone.
const TICKS_PER_SECOND: f64 = 100.0;

/// How to run it.
pub struct Program {
    /// Holds the job files in `jobs`, and nothing else that the program would look for.
    pub folder: PathBuf,
    pub key_file: PathBuf,
    /// A filter for its log, which is shown then.
    pub log: Option<String>,
}

/// One command that was run to its end.
pub struct Ran {
    pub took: Duration,
    /// Where the system tells it (Linux).
    pub peak_bytes: Option<u64>,
    pub processor_seconds: Option<f64>,
    /// What it printed, one JSON value.
    pub report: Value,
    /// What it wrote on standard error.
    pub words: String,
}

impl Program {
    /// Makes the keys that all databases of the bench are filled with.
    pub fn make_keys(&self) -> anyhow::Result<()> {
        let made = self.command(&["keys", "generate"]).output().context("the program does not start")?;
        ensure!(made.status.success(), "no keys: {}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    }

    /// Brings an empty database to the schema of the program, so that no pull has to.
    pub fn prepare(&self, database_url: String) -> anyhow::Result<()> {
        let made =
            self.command(&["jobs"]).env("DATABASE_URL", database_url).output().context("the program does not start")?;
        ensure!(made.status.success(), "no schema: {}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_renzheng"));
        command
            .args(arguments)
            .args(["--format", "json"])
            .current_dir(&self.folder)
            .env_clear()
            .env("RENZHENG_LOG", self.log.as_deref().unwrap_or("warn"))
            .env("RENZHENG_KEY_FILE", &self.key_file)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end; `variables` are what it needs.
    pub fn run(&self, arguments: &[&str], variables: &[(&str, String)]) -> anyhow::Result<Ran> {
        self.run_to(0, arguments, variables)
    }

    /// The same of a command that ends with this code.
    pub fn run_to(&self, code: i32, arguments: &[&str], variables: &[(&str, String)]) -> anyhow::Result<Ran> {
        let mut command = self.command(arguments);
        command.envs(variables.iter().map(|(name, value)| (*name, value)));
        let began = Instant::now();
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("the program does not start")?;
        let (mut stdout, mut stderr) =
            (child.stdout.take().context("no output")?, child.stderr.take().context("no words")?);
        let words = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).map(|_| bytes)
        });
        let (sender, ended) = channel();
        let said = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.read_to_end(&mut bytes);
            // Heard unless the listener has given up.
            drop(sender);
            read.map(|_| bytes)
        });
        let (mut peak_bytes, mut processor_seconds) = (None, None);
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK) as Result<(), _> {
            peak_bytes = peak_of(child.id()).or(peak_bytes);
            processor_seconds = processor_seconds_of(child.id()).or(processor_seconds);
        }
        let status = child.wait()?;
        let took = began.elapsed();
        let joined = "a thread that reads does not panic";
        let words = String::from_utf8_lossy(&words.join().expect(joined)?).into_owned();
        ensure!(status.code() == Some(code), "{arguments:?} ended with {status}: {words}");
        let report =
            serde_json::from_slice(&said.join().expect(joined)?).context("its report is not one JSON value")?;
        Ok(Ran { took, peak_bytes, processor_seconds, report, words })
    }
}

/// The most memory a process ever had resident.
fn peak_of(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// User and system time of all its threads.
fn processor_seconds_of(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may hold spaces; after it, the state is the third field, user time the 14th, system time the 15th.
    let (_, after_name) = stat.rsplit_once(") ")?;
    let ticks = |field: usize| after_name.split(' ').nth(field - 3)?.parse::<u64>().ok();
    Some((ticks(14)? + ticks(15)?) as f64 / TICKS_PER_SECOND)
}
