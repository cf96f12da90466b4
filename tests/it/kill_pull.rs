//! `kill -9` of the program, and of its Postgres, in the middle of a first pull: the same command again goes on, and ends as if nothing
//! had been.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use renzheng::store::local::{LocalServer, Places};
use sqlx::{Connection, PgConnection};

use crate::agency::PAYER;
use crate::harness::Scratch;
use crate::http_agency::{Asked, Reply, Server, locked};
use crate::program::{postmaster, renzheng};

const ROWS: u32 = 30_000;
const PERSONS: u32 = 20_000;
const PAGE: u32 = 150;
const PAGES: u32 = ROWS / PAGE;
const KILLS_OF_THE_PROGRAM: usize = 10;
const KILLS_OF_POSTGRES: usize = 5;

/// Pages that were answered and are not committed when everything ends: one that lands, one that waits, one on its way there, and two
/// that are read or made ready; a further one is read only when one of these has moved on.
const MOST_ON_THE_WAY: u32 = 5;

/// ID numbers that are valid and differ.
fn id_numbers() -> Vec<String> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let number = |at: u32| {
        let (year, month, day, tail) = (1960 + at % 40, 1 + at / 40 % 12, 1 + at / 480 % 28, at / 13_440);
        let body = format!("360002{year}{month:02}{day:02}{tail:03}");
        let sum: u32 = body.bytes().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        format!("{body}{}", char::from(b"10X98765432"[(sum % 11) as usize]))
    };
    (0..PERSONS).map(number).collect()
}

/// The row that stands at a place: in the last tenth, now and then one that came before.
fn origin(at: u32) -> u32 {
    if at >= ROWS / 10 * 9 && at.is_multiple_of(100) { at / 2 } else { at }
}

/// The amount in fen; nothing where it cannot be read.
fn fen(row: u32) -> Option<u32> {
    (row % 997 != 5).then_some(row * 37 % 1_000_003)
}

fn record(row: u32, ids: &[String]) -> String {
    let amount = fen(row).map_or_else(|| "nothing".to_owned(), |fen| format!("{}.{:02}", fen / 100, fen % 100));
    let (id, month) = (&ids[(row.wrapping_mul(7919) % PERSONS) as usize], 1 + row % 12);
    format!(
        "{{\"record_id\":\"W{row}\",\"updated_at\":\"2026-01-01T00:{:02}:00+08:00\",\"id_number\":\"{id}\",\"name\":\"某人\",\
         \"payer_uscc\":\"{PAYER}\",\"period\":\"2025-{month:02}\",\"amount\":\"{amount}\"}}",
        row % 60
    )
}

fn bodies() -> Vec<Vec<u8>> {
    let ids = id_numbers();
    let page = |page: u32| {
        let records: Vec<String> = (page * PAGE..(page + 1) * PAGE).map(|at| record(origin(at), &ids)).collect();
        let next = if page + 1 < PAGES { format!("\"{}\"", page + 1) } else { "null".to_owned() };
        format!("{{\"total\":{ROWS},\"next\":{next},\"records\":[{}]}}", records.join(",")).into_bytes()
    };
    (0..PAGES).map(page).collect()
}

/// After how many further requests to ring, and where.
type Alarm = Arc<Mutex<Option<(u32, Sender<()>)>>>;

/// An agency that says when it has been asked for so many pages.
struct Counting {
    server: Server,
    alarm: Alarm,
}

impl Counting {
    async fn start() -> Self {
        let alarm = Alarm::default();
        let (of_server, bodies) = (alarm.clone(), bodies());
        let server = Server::start(move |asked: &Asked| {
            let mut alarm = locked(&of_server);
            if let Some((left, bell)) = alarm.as_mut() {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    // who listens may have had enough
                    let _ = bell.send(());
                    *alarm = None;
                }
            }
            let body = asked.page().and_then(|page| bodies.get(page)).cloned().unwrap_or_default();
            let mut reply = Reply::status(200).header("content-type", "application/json");
            reply.body = body;
            reply
        })
        .await;
        Self { server, alarm }
    }

    /// Rings at the request of that number from now.
    fn ring_at(&self, requests: u32) -> Receiver<()> {
        let (bell, heard) = channel();
        *locked(&self.alarm) = Some((requests, bell));
        heard
    }

    fn take_pages(&self) -> Vec<u32> {
        self.server.take_asked().iter().filter_map(Asked::page).map(|page| page as u32).collect()
    }
}

/// An installation of the program, with its job.
struct Site {
    folder: PathBuf,
    agency: String,
}

impl Site {
    fn new(scratch: &Scratch, name: &str, agency: &Counting) -> Self {
        let folder = scratch.path().join(name);
        std::fs::create_dir_all(folder.join("jobs")).expect("made");
        let job = "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\nretry = { attempts = 2, backoff = \"1ms\", max_backoff = \"5ms\" }\n\
                   [source]\ntype = \"http\"\nurl = \"${WAGE_AGENCY_URL}/v1/wages\"\npaging = \"cursor\"\nnext = \"/next\"\ntotals = \"/total\"\n";
        std::fs::write(folder.join("jobs/pull-wage.toml"), job).expect("written");
        Self { folder, agency: agency.server.url.clone() }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn start(&self) -> Child {
        let (jobs, data) = (self.folder.join("jobs"), self.data());
        let said = File::options().create(true).append(true).open(self.folder.join("said")).expect("a file");
        renzheng(&["run", "pull-wage", "--jobs", utf8(&jobs), "--data-dir", utf8(&data)])
            .env("WAGE_AGENCY_URL", &self.agency)
            .stdout(said.try_clone().expect("a file"))
            .stderr(Stdio::from(said))
            .spawn()
            .expect("the program starts")
    }

    /// Runs to the end: some rows are refused.
    fn finish(&self) {
        let ended = self.start().wait().expect("ended");
        assert_eq!(
            ended.code(),
            Some(3),
            "{}",
            std::fs::read_to_string(self.folder.join("said")).expect("what it said")
        );
    }

    /// What counts in the end.
    fn digest(&self) -> Digest {
        let places = Places::usual(Some(std::ffi::OsStr::new("/usr/local/bin:/usr/bin")));
        let server = LocalServer::start(&self.data(), &places).expect("the private server");
        let url = server.url("renzheng");
        let digest = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(read_digest(&url))
        });
        let digest = digest.join().expect("read");
        server.stop().expect("stopped");
        digest
    }
}

fn utf8(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[derive(Debug, PartialEq)]
struct Digest {
    in_force: i64,
    sum_fen: i64,
    versions: String,
    quarantine: String,
    refused: i64,
    /// Rows of batches that were not published, and batches that are open.
    stray: i64,
    counts: String,
}

async fn read_digest(url: &str) -> Digest {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    let (in_force, sum_fen, versions): (i64, i64, String) = sqlx::query_as(
        "select count(*), sum(amount_fen)::bigint,
                md5(string_agg(concat_ws(' ', record_key, extract(epoch from updated_at), content, period, amount_fen, page_number, row_number), ','
                               order by record_key, updated_at))
         from wage v join batch b using (batch_id) where b.published_seq is not null and superseded_seq is null",
    )
    .fetch_one(&mut connection)
    .await
    .expect("versions");
    let (refused, quarantine): (i64, String) = sqlx::query_as(
        "select count(*), md5(string_agg(concat_ws(' ', content, code, field, detail, record_key, page_number, row_number), ','
                                         order by content, page_number, row_number))
         from quarantine where closed_seq is null",
    )
    .fetch_one(&mut connection)
    .await
    .expect("quarantine");
    let stray: i64 = sqlx::query_scalar(
        "select (select count(*) from wage join batch using (batch_id) where published_seq is null)
              + (select count(*) from batch where state in ('fetching', 'landed', 'checked'))",
    )
    .fetch_one(&mut connection)
    .await
    .expect("strays");
    let counts = sqlx::query_scalar("select (counts - 'stages')::text from batch where published_seq is not null")
        .fetch_one(&mut connection)
        .await
        .expect("counts");
    Digest { in_force, sum_fen, versions, quarantine, refused, stray, counts }
}

/// Numbers that look like chance and follow from a seed.
struct Chance(u64);

impl Chance {
    fn up_to(&mut self, most: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        1 + (self.0 % u64::from(most)) as u32
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_pull_that_is_killed_again_and_again_ends_as_one_that_was_not() {
    let scratch = Scratch::new("kill_pull");
    let agency = Counting::start().await;
    let (undisturbed, killed) = (Site::new(&scratch, "undisturbed", &agency), Site::new(&scratch, "killed", &agency));
    tokio::task::block_in_place(|| undisturbed.finish());
    assert_eq!(agency.take_pages(), (0..PAGES).collect::<Vec<_>>(), "each page once");
    let expected = undisturbed.digest();
    let good: BTreeSet<u32> = (0..ROWS).map(origin).filter(|row| fen(*row).is_some()).collect();
    assert_eq!(expected.in_force, good.len() as i64);
    assert_eq!(expected.sum_fen, good.iter().filter_map(|row| fen(*row)).map(i64::from).sum::<i64>());
    assert_eq!(expected.stray, 0);

    // the same keys, so that digests can be compared
    std::fs::create_dir_all(killed.data()).expect("made");
    std::fs::copy(undisturbed.data().join("keys"), killed.data().join("keys")).expect("copied");
    let seed = getrandom::u64().expect("a seed") | 1;
    eprintln!("seed {seed}");
    let mut chance = Chance(seed);
    let mut runs = Vec::new();
    for number in 0..KILLS_OF_THE_PROGRAM + KILLS_OF_POSTGRES {
        let heard = agency.ring_at(chance.up_to(PAGES / 16));
        let mut child = killed.start();
        tokio::task::block_in_place(|| {
            heard.recv().expect("asked for so many pages");
            if number % 3 == 2 {
                let server = Pid::from_raw(postmaster(&killed.data()));
                kill(server, Signal::SIGKILL).expect("killed");
                // it looks for its database for half a minute; once is enough to see that it ends by itself
                if number > 2 {
                    child.kill().expect("killed");
                }
                assert!(!child.wait().expect("ended").success(), "without a database it cannot end well");
            } else {
                child.kill().expect("killed");
                child.wait().expect("gone");
            }
        });
        runs.push(agency.take_pages());
    }
    tokio::task::block_in_place(|| killed.finish());
    runs.push(agency.take_pages());

    assert_eq!(killed.digest(), expected, "seed {seed}");
    let mut reached = 0;
    for run in &runs {
        let first = *run.first().expect("a page");
        assert!(
            run.iter().copied().eq(first..first + run.len() as u32),
            "seed {seed}: in their order, each once: {run:?}"
        );
        assert!(
            first <= reached && first + MOST_ON_THE_WAY >= reached,
            "seed {seed}: after {reached} it began with {first}"
        );
        reached = first + run.len() as u32;
    }
    assert_eq!(reached, PAGES);
    let again: usize = runs.iter().map(Vec::len).sum::<usize>() - PAGES as usize;
    eprintln!("{again} of {PAGES} pages were asked for again after {} kills", runs.len() - 1);
}
