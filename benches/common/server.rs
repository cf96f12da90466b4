//! The private Postgres of a bench, as the program makes it, and `psql` on it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use renzheng::config::Environment;
use renzheng::store::local::{LocalServer, Places, search_directories};

/// What says how durable and how large the server is.
const SETTINGS: [&str; 7] = [
    "fsync",
    "full_page_writes",
    "max_wal_size",
    "server_version",
    "shared_buffers",
    "synchronous_commit",
    "wal_level",
];

/// The server, held so that its start is not counted, and the `psql` that belongs to it.
pub struct Server {
    server: LocalServer,
    psql: PathBuf,
}

impl Server {
    /// Starts the server in `folder`, or under `fallback` where the server's user cannot reach that. Databases of a bench that was killed there,
    /// whose names begin with `prefix`, are removed.
    pub fn start(folder: &Path, fallback: &Path, prefix: &str) -> anyhow::Result<Self> {
        let path = Environment::process().get("PATH");
        let path = path.as_deref().map(OsStr::new);
        let places = Places { fallback: fallback.to_owned(), ..Places::usual(path) };
        let server = LocalServer::start(folder, &places)?;
        let psql = find_psql(&search_directories(path)).context("there is no psql beside Postgres or on the PATH")?;
        let server = Self { server, psql };
        let left =
            server.ask("postgres", &format!("select datname from pg_database where datname like '{prefix}%'"))?;
        for name in left.lines() {
            server.drop(name)?;
        }
        Ok(server)
    }

    pub fn url(&self, name: &str) -> String {
        self.server.url(name)
    }

    /// What `psql` says when called with these arguments, without decoration.
    pub fn psql(&self, name: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.psql);
        command.env_clear().env("PGCLIENTENCODING", "UTF8").stdin(Stdio::null());
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &self.url(name)]).args(arguments);
        let output = command.output().with_context(|| format!("{} does not run", self.psql.display()))?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "psql could not do {arguments:?}: {}", words.trim());
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Runs statements, each for itself; what they say.
    pub fn run(&self, name: &str, statements: &[&str]) -> anyhow::Result<String> {
        let arguments: Vec<&str> = statements.iter().flat_map(|statement| ["-c", statement]).collect();
        self.psql(name, &arguments)
    }

    pub fn ask(&self, name: &str, query: &str) -> anyhow::Result<String> {
        self.run(name, &[query])
    }

    /// An empty database, or a copy of another one that nobody uses.
    pub fn create(&self, name: &str, template: Option<&str>) -> anyhow::Result<()> {
        let template = template.unwrap_or("template0");
        self.run("postgres", &[&format!("create database {name} template {template}")]).map(drop)
    }

    pub fn drop(&self, name: &str) -> anyhow::Result<()> {
        self.run("postgres", &[&format!("drop database if exists {name} with (force)")]).map(drop)
    }

    /// What a night does between two deliveries, so that it does not happen within the next measurement: dead rows and statistics
    /// are seen to, and nothing waits to be written. Empty tables are left as new ones are: nobody would look at them by night either.
    pub fn settle(&self, name: &str) -> anyhow::Result<()> {
        let filled =
            "select string_agg(relid::regclass::text, ', ') from pg_stat_user_tables where pg_relation_size(relid) > 0";
        let vacuum = format!("vacuum (analyze) {}", self.ask(name, filled)?);
        self.run(name, &[&vacuum, "checkpoint"]).map(drop)
    }

    /// Version and settings, `name=value` each.
    pub fn facts(&self) -> anyhow::Result<Vec<String>> {
        let names = SETTINGS.map(|name| format!("'{name}'")).join(",");
        let query = format!(
            "select name || '=' || current_setting(name) from pg_settings where name in ({names}) order by name collate \"C\""
        );
        Ok(self.ask("postgres", &query)?.lines().map(str::to_owned).collect())
    }

    /// Stops the server.
    pub fn stop(self) -> anyhow::Result<()> {
        Ok(self.server.stop()?)
    }
}

/// The newest one that lies beside a server: the one on the PATH may be a script that costs time.
fn find_psql(folders: &[PathBuf]) -> anyhow::Result<PathBuf> {
    let found = folders.iter().filter_map(|folder| {
        let psql = folder.join("psql").canonicalize().ok().filter(|psql| psql.is_file())?;
        let said = Command::new(&psql).arg("--version").output().ok()?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let version = said.split_whitespace().nth(2)?.split('.').next()?;
        let major: u32 = version.trim_end_matches(|sign: char| !sign.is_ascii_digit()).parse().ok()?;
        Some((folder.join("postgres").exists(), major, psql))
    });
    match found.max_by_key(|(beside, major, _)| (*beside, *major)) {
        Some((_, _, psql)) => Ok(psql),
        None => bail!("looked in {folders:?}"),
    }
}
