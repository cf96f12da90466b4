//! `kill -9` of the program at every point of an upload: all of it is there or nothing, and the same command again gives the same answer.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::made::{pdf, png};
use super::{Desk, E1, P1};
use crate::gate::{Gate, Point};

/// For so long a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(1);

impl Desk {
    /// The program on this installation.
    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = self.harness.program(arguments, Path::new("jobs"));
        command.env("RENZHENG_EVIDENCE_DIR", self.folder.path());
        command
    }

    /// The command that hands in a file for a month of P1.
    async fn attach_command(&self, file: &Path) -> Command {
        let cell = format!("{}:2025-02..2025-05:wage,pension", self.person(P1).await.0);
        let file = file.to_str().expect("UTF-8");
        let mut command =
            self.program(&["evidence", "attach", file, "--employer", E1, "--cell", &cell, "--format", "json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What the command says when nobody disturbs it.
    async fn attached(&self, file: &Path) -> Value {
        let output = self.attach_command(file).await.output().expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("a JSON line")
    }

    /// Rows, uses, and audit rows of it.
    async fn rows(&self) -> (i64, i64, i64) {
        let audit = "select count(*) from audit where action = 'attach_evidence'";
        (
            self.count("select count(*) from evidence").await,
            self.count("select count(*) from evidence_use").await,
            self.count(audit).await,
        )
    }
}

/// A file outside of the installation.
fn outside(desk: &Desk, content: &[u8]) -> PathBuf {
    let path = desk.folder.path().with_extension("pdf");
    std::fs::write(&path, content).expect("written");
    path
}

/// Looks again and again until it is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} did not come");
        std::thread::yield_now();
    }
}

fn kill(mut child: Child) {
    child.kill().expect("killed");
    child.wait().expect("gone");
}

fn big() -> Vec<u8> {
    let mut content = b"%PDF-1.7\n5 0 obj\n<< /Length 9000000 >>\nstream\n".to_vec();
    content.extend(std::iter::repeat_n(b'x', 9_000_000));
    content.extend(b"\nendstream\nendobj\nxref\n0 1\ntrailer\n<< /Root 1 0 R >>\nstartxref\n9\n%%EOF\n");
    content
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_waits_for_the_scanner_it_has_kept_nothing() {
    let desk = Desk::open("killed_scanning").await;
    let file = outside(&desk, &pdf(b""));
    let scanner = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut command = desk.attach_command(&file).await;
    command.env("RENZHENG_CLAMD", scanner.local_addr().expect("an address").to_string());
    let child = command.spawn().expect("it starts");
    let (mut stream, _) = scanner.accept().await.expect("it asks");
    let mut heard = [0; 10];
    stream.read_exact(&mut heard).await.expect("it asks");
    kill(child);
    assert_eq!((desk.rows().await, desk.files().len()), ((0, 0, 0), 0));
    assert_eq!(desk.attached(&file).await["uses"].as_array().map(Vec::len), Some(8));
    std::fs::remove_file(file).expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_file_is_written_it_leaves_a_file_without_a_row_at_most() {
    let desk = Desk::open("killed_writing").await;
    let file = outside(&desk, &big());
    for _ in 0..5 {
        let child = desk.attach_command(&file).await.spawn().expect("it starts");
        let incoming = desk.folder.path().join("incoming");
        let before = std::fs::read_dir(&incoming).map_or(0, Iterator::count);
        until("a file", || std::fs::read_dir(&incoming).map_or(0, Iterator::count) > before);
        kill(child);
        let (rows, uses, acts) = desk.rows().await;
        // it may have come through before it was killed
        assert!([(0, 0, 0), (1, 8, 1)].contains(&(rows, uses, acts)), "{rows} {uses} {acts}");
    }
    finish(&desk, &file, &big()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_file_and_its_row_it_leaves_a_file_that_upkeep_removes_or_the_same_command_takes() {
    let desk = Desk::open("killed_between").await;
    let file = outside(&desk, &png());
    let mut other = PgConnection::connect(&desk.harness.url()).await.expect("a connection");
    for again in [false, true] {
        let mut locking = other.begin().await.expect("a transaction");
        // readers pass, who inserts waits: when the program waits here, the file has its name
        sqlx::query("lock table evidence in exclusive mode").execute(&mut *locking).await.expect("locked");
        let mut command = desk.attach_command(&file).await;
        command.args(["--name", "a.png"]);
        let child = command.spawn().expect("it starts");
        until("the file", || desk.files().iter().any(|path| path.len() > 64 && !path.starts_with("incoming")));
        kill(child);
        locking.rollback().await.expect("unlocked");
        assert_eq!((desk.rows().await, desk.files().len()), ((0, 0, 0), 1), "a file without a row");
        if again {
            break;
        }
        let tomorrow = desk.store.now().await.expect("a time") + TimeDelta::days(2000);
        let now = desk.store.now().await.expect("a time");
        desk.store.set_clock(tomorrow).await.expect("set");
        let upkeep = desk.store.maintain_evidence(tomorrow).await.expect("maintained");
        desk.store.set_clock(now).await.expect("set");
        assert_eq!((upkeep.orphans, desk.files().len()), (1, 0));
    }
    let mut command = desk.attach_command(&file).await;
    command.args(["--name", "a.png"]);
    assert!(command.status().expect("it starts").success());
    assert_eq!((desk.rows().await, desk.files().len()), ((1, 8, 1), 1));
    std::fs::remove_file(file).expect("removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_a_row_it_has_kept_none_and_killed_in_the_commit_it_gives_the_same_answer_when_asked_again() {
    let desk = Desk::open("killed_committing").await;
    let content = pdf(b"");
    let file = outside(&desk, &content);
    for point in [Point::Before("evidence_use"), Point::Before("audit"), Point::Committing("insert", "audit")] {
        let mut gate = Gate::close(&desk.harness, point).await;
        let child = desk.attach_command(&file).await.spawn().expect("it starts");
        let pid = gate.wait_for_somebody().await;
        kill(child);
        gate.open(point, pid).await;
        let kept = if matches!(point, Point::Committing(..)) { (1, 8, 1) } else { (0, 0, 0) };
        assert_eq!(desk.rows().await, kept, "{point:?}");
    }
    finish(&desk, &file, &content).await;
}

/// The same command to its end, twice: one row, one file, the same answer, and the file comes back as it was.
async fn finish(desk: &Desk, file: &Path, content: &[u8]) {
    let answer = desk.attached(file).await;
    assert_eq!(desk.attached(file).await, answer);
    assert_eq!(desk.rows().await, (1, 8, 1));
    let id = answer["evidence_id"].to_string();
    let out = file.with_extension("out");
    let status = desk.program(&["evidence", "open", &id, "--out", out.to_str().expect("UTF-8")]).status();
    assert!(status.expect("it starts").success());
    assert_eq!(std::fs::read(&out).expect("written"), content);
    for path in [file, &out] {
        std::fs::remove_file(path).expect("removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_good_only_with_its_files() {
    let desk = Desk::open("evidence_backup").await;
    let file = outside(&desk, &pdf(b""));
    desk.attached(&file).await;
    std::fs::remove_file(file).expect("removed");
    let keys = desk.folder.path().with_extension("keys");
    desk.store.keys().create_file(&keys).expect("a key file");
    let (url, folder) = (desk.harness.url(), desk.folder.path().to_str().expect("UTF-8").to_owned());
    let check = |more: &[&str]| {
        let mut command =
            desk.program(&["db", "backup-check", "--format", "json", "--url", &url, "--evidence", &folder]);
        let output = command.args(more).arg("--keys").arg(&keys).output().expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for more in [&[][..], &["--all"]] {
        assert_eq!(check(more).0, Some(0));
    }
    let path = desk.folder.path().join(desk.files().first().expect("a file"));
    let mut damaged = std::fs::read(&path).expect("readable");
    damaged[100] ^= 1;
    std::fs::write(&path, damaged).expect("written");
    let (code, words) = check(&[]);
    assert!(code == Some(1) && words.contains("evidence 1: the file"), "{code:?} {words}");
    std::fs::remove_file(path).expect("removed");
    let (code, words) = check(&["--all"]);
    assert!(code == Some(1) && words.contains("is missing"), "{code:?} {words}");
    let said = desk.program(&["run", "maintain"]).output().expect("it starts");
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.success() && words.contains("files of evidence are missing"), "{words}");
    std::fs::remove_file(keys).expect("removed");
}
