//! A database of its own for every test, on one private Postgres for all of them, and what a test does with it in the user's words.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use chrono::{NaiveDate, NaiveTime};
use renzheng::clock;
use renzheng::config::{Environment, Job, read_jobs};
use renzheng::crypto::Keys;
use renzheng::declare::import::{ImportKind, import};
use renzheng::domain::access::Actor;
use renzheng::domain::facts::PersonId;
use renzheng::domain::month::Month;
use renzheng::domain::verdict::{Check, Verdict};
use renzheng::ingest::{self, PullOutcome, Report, settings_of};
use renzheng::policy::{self, Reading};
use renzheng::store::facts::{Persons, Scope, Shard};
use renzheng::store::local::{LocalServer, Places};
use renzheng::store::{MIGRATIONS, Store};
use renzheng::verify::{Selection, Summary, verify};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use crate::program::renzheng;

/// Who did it, in the history of the runs.
pub const ACTOR: &str = "test";

/// The same, as whoever may do what the tests do.
pub fn actor() -> Actor {
    Actor::operator(ACTOR)
}

/// Shared by all tests that run now; the last one that ends stops it. Tests in other processes share it by its locks.
static SERVER: Mutex<Weak<LocalServer>> = Mutex::new(Weak::new());

fn server() -> Arc<LocalServer> {
    let mut shared = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("it");
    let places = Places {
        fallback: PathBuf::from("/tmp/renzheng-it"),
        ..Places::usual(Some(std::ffi::OsStr::new("/usr/local/bin:/usr/bin:/opt/homebrew/bin")))
    };
    let server = Arc::new(LocalServer::start(&directory, &places).expect("a private Postgres"));
    *shared = Arc::downgrade(&server);
    server
}

/// A directory that is removed with its test, unless the test fails.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique(name));
        std::fs::create_dir_all(&path).expect("a new directory");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the test wrote is kept in {}", self.0.display());
        } else if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} was not removed: {error}", self.0.display());
        }
    }
}

/// A name that no other test has, in this process or another.
fn unique(name: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("it_{}_{}_{name}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// One month of one placement, as the program stored it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub employer_uscc: String,
    pub id_number: String,
    pub month: String,
    /// In the order of [`Check::ALL`].
    pub codes: [&'static str; 7],
    pub passed: bool,
    pub conflict: bool,
    pub weight: u8,
}

/// An installation: a store on a fresh database with keys of its own, and the policy it judges by.
pub struct Harness {
    pub store: Store,
    pub policy: Reading,
    database: String,
    server: Arc<LocalServer>,
    /// Holds the key file.
    keys: Scratch,
}

impl Harness {
    pub async fn new(name: &str) -> Self {
        let server = tokio::task::spawn_blocking(server).await.expect("the server is up");
        let template = template(&server).await;
        let database = unique(name);
        let mut admin = connect(&server, "postgres").await;
        execute(&mut admin, format!("create database {database} template {template}")).await;
        // Nobody pulls the plug here; the tests that do set it back.
        execute(&mut admin, format!("alter database {database} set synchronous_commit = off")).await;
        admin.close().await.expect("closed");
        let folder = Scratch::new(&format!("{name}_keys"));
        let keys = Keys::generate().expect("keys");
        keys.create_file(&folder.path().join("keys")).expect("a key file");
        let store = Store::open(&server.url(&database), keys).await.expect("a store");
        let policy = policy::load(None).expect("the built-in policy");
        Self { store, policy, database, server, keys: folder }
    }

    /// Another installation with the same content and keys. Nobody may be connected to this one any more.
    pub async fn copied(&self, name: &str) -> Self {
        let database = unique(name);
        let mut admin = connect(&self.server, "postgres").await;
        execute(&mut admin, format!("create database {database} template {}", self.database)).await;
        execute(&mut admin, format!("alter database {database} set synchronous_commit = off")).await;
        admin.close().await.expect("closed");
        let folder = Scratch::new(&format!("{name}_keys"));
        let file = folder.path().join("keys");
        std::fs::copy(self.keys.path().join("keys"), &file).expect("copied");
        let keys = Keys::read_file(&file).expect("keys");
        let store = Store::open(&self.server.url(&database), keys).await.expect("a store");
        let policy = policy::load(None).expect("the built-in policy");
        Self { store, policy, database, server: Arc::clone(&self.server), keys: folder }
    }

    /// The program on this installation; the job files are those of `jobs`.
    pub fn program(&self, arguments: &[&str], jobs: &Path) -> Command {
        let mut command = renzheng(arguments);
        command
            .env("DATABASE_URL", self.url())
            .env("RENZHENG_KEY_FILE", self.keys.path().join("keys"))
            .arg("--jobs")
            .arg(jobs);
        command
    }

    /// A connection past the store, to look at what it keeps.
    pub async fn connection(&self) -> PgConnection {
        connect(&self.server, &self.database).await
    }

    /// The database's address.
    pub fn url(&self) -> String {
        self.server.url(&self.database)
    }

    /// Keeps a copy of the database as it is now, as a backup by night does.
    pub async fn back_up(&mut self) {
        let database = self.database.clone();
        self.copy(&format!("{database}_backup"), &database).await;
    }

    /// Puts the copy in the place of the database: what came after it is lost.
    pub async fn restore(&mut self) {
        let database = self.database.clone();
        self.copy(&database, &format!("{database}_backup")).await;
    }

    /// Another process on the same database: nothing of the former's connections is left.
    pub async fn reopen(&mut self) {
        self.store.close().await;
        let keys = Keys::read_file(&self.keys.path().join("keys")).expect("the keys");
        self.store = Store::open(&self.server.url(&self.database), keys).await.expect("a store");
    }

    async fn copy(&mut self, to: &str, from: &str) {
        self.store.close().await;
        let mut admin = connect(&self.server, "postgres").await;
        execute(&mut admin, format!("drop database if exists {to} with (force)")).await;
        execute(&mut admin, format!("create database {to} template {from}")).await;
        admin.close().await.expect("closed");
        self.reopen().await;
    }

    /// Sets business time, `time` as `HH:MM` in Shanghai.
    pub async fn clock(&self, date: NaiveDate, time: &str) {
        let time = NaiveTime::parse_from_str(time, "%H:%M").expect("a time of day");
        self.store.set_clock(clock::shanghai(date, time)).await.expect("the clock is set");
    }

    /// Imports `employers.csv`, `affiliates.csv`, `placements.csv` and `contracts.csv`; no row may be refused.
    pub async fn import_directory(&self, directory: &Path) {
        for (kind, file) in [
            (ImportKind::Employers, "employers.csv"),
            (ImportKind::Affiliates, "affiliates.csv"),
            (ImportKind::Placements, "placements.csv"),
            (ImportKind::Contracts, "contracts.csv"),
        ] {
            let path = directory.join(file);
            let report = import(&self.store, &self.policy.policy, kind, &path, &actor()).await.expect(file);
            assert!(report.refused.is_empty(), "{file}: {:?}", report.refused);
        }
    }

    /// Makes these the jobs of the installation.
    pub async fn register(&self, jobs: &[Job]) {
        let now = self.store.now().await.expect("business time");
        self.store.save_jobs(&settings_of(jobs), now).await.expect("the jobs are registered");
    }

    /// One pull to its end.
    pub async fn pull(&self, job: &Job, environment: &Environment) -> Report {
        let report = ingest::pull(&self.store, job, environment, None, ACTOR, &|_| ()).await.expect(&job.name);
        let settled = report.outcome != PullOutcome::Held;
        assert!(!settled || report.counts.balance(), "{}: {:?}", job.name, report.counts);
        report
    }

    pub async fn verify(&self, year: i32) -> Summary {
        verify(&self.store, &self.policy, year, &Selection::default(), ACTOR, &|_| ()).await.expect("a verification")
    }

    /// All stored results of a year, by employer, ID number and month.
    pub async fn results(&self, year: i32) -> Vec<Line> {
        let seq = self.store.head().await.expect("a sequence");
        let scope = Scope { year, seq, persons: Persons::Range { after: 0, up_to: i64::MAX, shard: Shard::WHOLE } };
        let rows = self.store.year_rows(&scope).await.expect("rows");
        let persons: Vec<PersonId> = rows.iter().map(|row| row.person).collect();
        let identities = self.store.identities(&persons).await.expect("identities");
        let units: Vec<_> = rows.iter().map(|row| row.employer).collect();
        let codes = self.store.unit_codes(&units).await.expect("codes");
        let mut lines: Vec<Line> = rows
            .iter()
            .flat_map(|row| row.cells.iter().zip(Month::all_of(year)).map(move |(cell, month)| (row, *cell, month)))
            .map(|(row, cell, month)| {
                let verdict = Verdict::unpack(cell).expect("a verdict");
                Line {
                    employer_uscc: codes[&row.employer].as_str().to_owned(),
                    id_number: identities[&row.person].id.reveal().to_owned(),
                    month: month.to_string(),
                    codes: std::array::from_fn(|check| verdict.codes.get(Check::ALL[check])),
                    passed: verdict.passed(),
                    conflict: verdict.conflict,
                    weight: verdict.weight,
                }
            })
            .collect();
        lines.sort();
        lines
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        let (server, database) = (Arc::clone(&self.server), self.database.clone());
        // On a thread of its own, since this one may belong to a runtime.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut admin = connect(&server, "postgres").await;
                execute(&mut admin, format!("drop database if exists {database} with (force)")).await;
                execute(&mut admin, format!("drop database if exists {database}_backup with (force)")).await;
            });
        });
        if dropping.join().is_err() {
            eprintln!("database {} was not dropped", self.database);
        }
    }
}

/// All job files of a directory; none may be wrong.
pub fn jobs_of(directory: &Path) -> Vec<Job> {
    let (jobs, errors) = read_jobs(directory);
    assert!(errors.is_empty(), "{errors:?}");
    jobs
}

async fn connect(server: &LocalServer, database: &str) -> PgConnection {
    PgConnection::connect(&server.url(database)).await.expect("a connection")
}

async fn execute(connection: &mut PgConnection, statement: String) {
    sqlx::query(AssertSqlSafe(statement)).execute(connection).await.expect("executed");
}

/// The empty database, migrated once for all runs of all tests until the migrations change.
async fn template(server: &LocalServer) -> String {
    let mut digest = Sha256::new();
    for migration in MIGRATIONS.iter() {
        digest.update(&migration.checksum);
    }
    let name = format!("it_template_{}", hex::encode(&digest.finalize()[..8]));
    let mut admin = connect(server, "postgres").await;
    // One maker at a time; the lock goes with the connection.
    execute(&mut admin, "select pg_advisory_lock(1)".to_owned()).await;
    let made: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut admin)
        .await
        .expect("an answer");
    if !made {
        drop_left_behind(&mut admin).await;
        execute(&mut admin, "create database it_template template template0".to_owned()).await;
        let pool = PgPool::connect(&server.url("it_template")).await.expect("a pool");
        MIGRATIONS.run(&pool).await.expect("migrated");
        pool.close().await;
        execute(&mut admin, format!("alter database it_template rename to {name}")).await;
    }
    admin.close().await.expect("closed");
    name
}

/// Removes former templates; databases of killed tests go with the directory.
async fn drop_left_behind(admin: &mut PgConnection) {
    let names: Vec<String> = sqlx::query_scalar("select datname from pg_database where datname like 'it\\_template%'")
        .fetch_all(&mut *admin)
        .await
        .expect("names");
    for name in names {
        execute(admin, format!("drop database {name} with (force)")).await;
    }
}
