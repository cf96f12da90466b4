//! A database for each test, in one private server that the tests running at the same time share.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::Store;
use super::local::{LocalServer, Places};
use crate::crypto::Keys;

/// The server; it ends with the last test that uses it.
struct Shared {
    /// Taken out when it is stopped, which is before its folder goes.
    server: Option<LocalServer>,
    folder: PathBuf,
}

impl Drop for Shared {
    fn drop(&mut self) {
        drop(self.server.take());
        // Left behind, it is a folder among temporary ones.
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
static NUMBER: AtomicU32 = AtomicU32::new(0);

fn share() -> Arc<Shared> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return running;
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(format!("/tmp/renzheng-test-store-{}-{number}", std::process::id()));
    std::fs::create_dir(&folder).expect("a new folder");
    // The server may run as another user, whatever the umask.
    std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("chmod");
    let path = std::ffi::OsStr::new("/usr/local/bin:/usr/bin");
    let places = Places { fallback: folder.join("fallback"), ..Places::usual(Some(path)) };
    let server = LocalServer::start(&folder.join("data"), &places).expect("a server");
    let started = Arc::new(Shared { server: Some(server), folder });
    *shared = Arc::downgrade(&started);
    started
}

/// A new database with its store.
pub struct Database {
    pub store: Store,
    pub url: String,
    _shared: Arc<Shared>,
}

impl Database {
    /// Makes a database and opens it with new keys.
    pub async fn open() -> Self {
        let shared = tokio::task::spawn_blocking(share).await.expect("a server");
        let server = shared.server.as_ref().expect("it runs while it is shared");
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&server.url("postgres")).await.expect("connected");
        let statement = AssertSqlSafe(format!("create database {name}"));
        sqlx::query(statement).execute(&mut connection).await.expect("a database");
        connection.close().await.expect("closed");
        let url = server.url(&name);
        let store = Store::open(&url, Keys::generate().expect("keys")).await.expect("a store");
        Self { store, url, _shared: shared }
    }
}
