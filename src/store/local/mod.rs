//! The private Postgres server: started, shared and stopped under a file lock.
//!
//! Everything lies in one directory, its *home*: `data` (the cluster), `postgres.log`, `socket`, and two lock files. Every command that uses the
//! server holds `users.lock` shared; `change.lock` is held exclusively, and briefly, while somebody starts or stops the server. Who leaves and
//! then gets `users.lock` exclusively was the last and stops the server. The operating system drops the locks of a killed process, so
//! nothing has to be cleaned up: the next start finds the server running and joins, or finds it dead and starts it.
//!
//! All of this blocks; asynchronous callers use `spawn_blocking`.

mod binaries;
mod home;
mod restore;
mod server;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::OFlag;

use self::binaries::Binaries;
pub use self::binaries::search_directories;
use self::home::Home;
pub use self::restore::RestoreError;
use self::server::Server;

/// The role that owns the cluster.
const ROLE: &str = "renzheng";
const OLDEST_MAJOR: u32 = 15;

/// Why the private server is not to be had, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error(
        "no Postgres {OLDEST_MAJOR} or newer found on the PATH or in /usr/lib/postgresql; install it: \
         `apt-get install postgresql` (Debian, Ubuntu) or `brew install postgresql` (macOS), or set DATABASE_URL"
    )]
    NotInstalled,
    #[error(
        "Postgres {found} is installed, {OLDEST_MAJOR} or newer is needed: `apt-get install postgresql` (Debian, Ubuntu) or \
         `brew install postgresql` (macOS), or set DATABASE_URL"
    )]
    TooOld { found: u32 },
    #[error(
        "the database in {data} was made by Postgres {made_by}, which is not installed: `apt-get install postgresql-{made_by}` or \
         `brew install postgresql@{made_by}`; newer ones cannot read it"
    )]
    VersionMissing { data: PathBuf, made_by: u32 },
    #[error(
        "Postgres does not run as root, and there is no user `postgres` to run it: `useradd --system postgres`, or do not run as root"
    )]
    NoServerUser,
    #[error("{path} belongs to the user {owner}: run as that user or as root, or choose another data directory")]
    OtherOwner { path: PathBuf, owner: String },
    #[error("{path} belongs to root, as whom Postgres does not run: give it back, `chown -R postgres {path}`")]
    OwnedByRoot { path: PathBuf },
    #[error(
        "the user {user}, as whom Postgres runs, cannot reach {path}: open the directories above it, `chmod o+x`, or choose another data directory"
    )]
    Unreachable { path: PathBuf, user: String },
    #[error("{path}, where the server's socket belongs, is not a private directory of the user {user}: remove it")]
    SocketDirectory { path: PathBuf, user: String },
    #[error("cannot {action} {path}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("initdb could not make a database in {path}: {said}")]
    Initdb { path: PathBuf, said: String },
    #[error("Postgres did not start within {} s; it says: {said} (more in {log})", waited.as_secs())]
    Start { waited: Duration, said: String, log: PathBuf },
    #[error(
        "Postgres{} runs but does not answer on its socket in {socket} since {} s: look into {log}, or stop it by SIGINT",
        process.map_or_else(String::new, |process| format!(" (process {process})")), waited.as_secs()
    )]
    NoAnswer { process: Option<i32>, socket: PathBuf, waited: Duration, log: PathBuf },
    #[error("Postgres (process {process}) did not stop within {} s: look into {log}", waited.as_secs())]
    Stop { process: i32, waited: Duration, log: PathBuf },
}

impl LocalError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// Where to look for Postgres and where to put what cannot stay in the data directory.
#[derive(Clone, Debug)]
pub struct Places {
    /// Directories that may hold `initdb` and `postgres`: see [`search_directories`].
    pub binaries: Vec<PathBuf>,
    /// Where a database goes whose data directory the server's user cannot reach (only as root).
    pub fallback: PathBuf,
}

impl Places {
    /// The usual places, given the value of `PATH`.
    pub fn usual(path: Option<&std::ffi::OsStr>) -> Self {
        Self { binaries: search_directories(path), fallback: PathBuf::from("/var/lib/renzheng") }
    }
}

/// A share in the running private server. Dropped, it is given back, and the last one stops the server; [`LocalServer::stop`] does the same
/// and says what went wrong.
#[derive(Debug)]
pub struct LocalServer {
    home: Home,
    /// Locked shared; taken out when the share is given back.
    users: Option<File>,
}

impl LocalServer {
    /// Joins the private server of this data directory, and before that makes and starts it if need be. Waits for another command that is
    /// just starting or stopping it, and for the recovery after a crash.
    pub fn start(data_dir: &Path, places: &Places) -> Result<Self, LocalError> {
        let installed = Binaries::list(&places.binaries)?;
        let home = Home::choose(data_dir, &places.fallback, &installed)?;
        let change = change_lock(&home)?;
        let users = open_lock(&home.path.join("users.lock"))?;
        users.lock_shared().map_err(LocalError::io("lock", &home.path))?;
        Server::new(&home).ensure_running(&installed)?;
        drop(change);
        Ok(Self { home, users: Some(users) })
    }

    /// Stops the server of a data directory if it runs on although nobody uses it; false if somebody does.
    pub fn stop_unused(data_dir: &Path, places: &Places) -> Result<bool, LocalError> {
        let home = Home::choose(data_dir, &places.fallback, &Binaries::list(&places.binaries)?)?;
        let _change = change_lock(&home)?;
        let users = open_lock(&home.path.join("users.lock"))?;
        match users.try_lock() {
            Ok(()) => Server::new(&home).stop().map(|()| true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(source)) => Err(LocalError::io("lock", &home.path)(source)),
        }
    }

    /// A connection URL for one of its databases (`postgres` exists from the start), for sqlx and libpq. There is no password: the socket's
    /// directory is closed to all other users.
    pub fn url(&self, database: &str) -> String {
        let encoded = |text: &[u8]| url::form_urlencoded::byte_serialize(text).collect::<String>().replace('+', "%20");
        format!(
            "postgres:///{}?host={}&port={}&user={ROLE}&sslmode=disable",
            encoded(database.as_bytes()),
            encoded(self.home.socket.as_os_str().as_encoded_bytes()),
            server::PORT,
        )
    }

    /// Sentences to show: where the database went if it could not stay in the data directory.
    pub fn notes(&self) -> &[String] {
        &self.home.notes
    }

    /// The server's own log. It holds neither statements nor values.
    pub fn log(&self) -> PathBuf {
        self.home.log()
    }

    /// Gives the share back; if it was the last one, stops the server and waits until it is gone.
    pub fn stop(mut self) -> Result<(), LocalError> {
        self.give_back()
    }

    /// Gives the share back and lets the server run on, until the next command that uses it has ended.
    pub fn leave_running(mut self) {
        // Closing the file releases its lock.
        drop(self.users.take());
    }

    fn give_back(&mut self) -> Result<(), LocalError> {
        let Some(users) = self.users.take() else {
            return Ok(());
        };
        let _change = change_lock(&self.home)?;
        users.unlock().map_err(LocalError::io("unlock", &self.home.path))?;
        match users.try_lock() {
            Ok(()) => Server::new(&self.home).stop(),
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Error(source)) => Err(LocalError::io("lock", &self.home.path)(source)),
        }
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        if let Err(error) = self.give_back() {
            tracing::warn!(error = &error as &dyn std::error::Error, "the private Postgres was not stopped");
        }
    }
}

/// Held while deciding about start or stop. Released when dropped, and by the system when its holder dies.
fn change_lock(home: &Home) -> Result<File, LocalError> {
    let lock = open_lock(&home.path.join("change.lock"))?;
    lock.lock().map_err(LocalError::io("lock", &home.path))?;
    Ok(lock)
}

/// Opens without following a link: the directory belongs to the server's user, and we may be root.
fn open_lock(path: &Path) -> Result<File, LocalError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)
        .map_err(LocalError::io("open", path))
}

#[cfg(test)]
mod tests;
