//! The program as a process: started, listened to line by line, killed, looked at afterwards.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

/// The program with nothing of our environment but the search path.
pub fn renzheng(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_renzheng"));
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin")
        .env("RENZHENG_LOG", "warn")
        .stdin(Stdio::null());
    command
}

/// Runs to the end; the exit code must be `code`.
pub fn run(arguments: &[&str], code: i32) -> Output {
    let output = renzheng(arguments).output().expect("the program starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?} said {words}");
    output
}

/// JSON lines that a command prints.
pub fn json_lines(arguments: &[&str]) -> Vec<Value> {
    let output = run(arguments, 0);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

/// A demo in its own directory.
pub struct Demo {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

pub const PERSONS: &str = "300";

impl Demo {
    pub fn start(directory: &Path) -> Self {
        let directory = directory.to_str().expect("a UTF-8 path");
        let mut child = renzheng(&["demo", "--format", "json", "--persons", PERSONS, "--data-dir", directory])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("its output");
        Self { child, lines: BufReader::new(stdout).lines() }
    }

    /// Listens until so many lines have come.
    pub fn hear(&mut self, lines: usize) -> Vec<Value> {
        self.lines
            .by_ref()
            .take(lines)
            .map(|line| serde_json::from_str(&line.expect("a line")).expect("a JSON line"))
            .collect()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Everything it still says; whether it ended well.
    pub fn finish(mut self) -> (Vec<Value>, bool) {
        let lines = self.hear(usize::MAX);
        (lines, self.child.wait().expect("ended").success())
    }
}

/// The data directory that a demo in `directory` keeps.
pub fn installation(directory: &Path) -> PathBuf {
    directory.join("demo")
}

/// The process number of the private server of an installation.
pub fn postmaster(installation: &Path) -> i32 {
    let found = find(&installation.join("postgres"), "postmaster.pid").expect("a running server");
    let text = std::fs::read_to_string(found).expect("its pid file");
    text.lines().next().and_then(|line| line.trim().parse().ok()).expect("a process number")
}

fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory).ok()?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.file_name().is_some_and(|found| found == name) {
            return Some(path);
        }
        if path.is_dir()
            && let Some(found) = find(&path, name)
        {
            return Some(found);
        }
    }
    None
}
