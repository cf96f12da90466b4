//! The private server with the real Postgres, as root and as an ordinary user.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use sqlx::{Connection, PgConnection};

use super::server::{Answer, Server, ask, is_postmaster_of};
use super::*;

/// A directory of its own, removed with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/tmp/renzheng-test-local-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a new directory");
        // What lies above is open, whatever the umask.
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("chmod");
        Self(path)
    }

    fn data_dir(&self) -> PathBuf {
        self.0.join("data 目录")
    }

    fn places(&self) -> Places {
        let path = std::ffi::OsStr::new("/usr/local/bin:/usr/bin");
        Places { fallback: self.0.join("fallback"), ..Places::usual(Some(path)) }
    }

    fn start(&self) -> LocalServer {
        LocalServer::start(&self.data_dir(), &self.places()).expect("a server")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("removed");
    }
}

fn process_of(server: &LocalServer) -> i32 {
    Server::new(&server.home).process().expect("a live postmaster")
}

fn answer(socket: &Path) -> Answer {
    ask(&socket.join(server::SOCKET_NAME))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn execute(server: &LocalServer, statement: &'static str) -> Result<(), sqlx::Error> {
    runtime().block_on(async {
        let mut connection = PgConnection::connect(&server.url("postgres")).await?;
        sqlx::query(statement).execute(&mut connection).await?;
        connection.close().await
    })
}

/// One statement over a connection of its own, its single value as text.
fn query(server: &LocalServer, statement: &'static str) -> Result<String, sqlx::Error> {
    runtime().block_on(async {
        let mut connection = PgConnection::connect(&server.url("postgres")).await?;
        let value = sqlx::query_scalar(statement).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(value)
    })
}

#[test]
fn a_server_starts_answers_sql_and_stops_with_its_last_user() {
    let scratch = Scratch::new();
    let first = scratch.start();
    let socket = first.home.socket.clone();
    assert_eq!(first.notes(), [""; 0]);
    let process = process_of(&first);
    assert_eq!(
        query(&first, "select current_user || ' ' || current_setting('fsync')").expect("an answer"),
        "renzheng on"
    );
    assert_eq!(
        query(&first, "select current_setting('data_checksums') || current_setting('server_encoding')")
            .expect("an answer"),
        "onUTF8"
    );
    assert_eq!(query(&first, "select current_setting('listen_addresses')").expect("an answer"), "");

    let second = scratch.start();
    assert_eq!(process_of(&second), process, "shared");
    drop(first);
    assert_eq!(answer(&socket), Answer::Ready, "the second still uses it");
    let data = second.home.data();
    second.stop().expect("stopped");
    assert_eq!(answer(&socket), Answer::Silence);
    assert!(!is_postmaster_of(process, &data));

    let again = scratch.start();
    assert_eq!(query(&again, "select 'again'").expect("an answer"), "again");
}

#[test]
fn a_server_left_running_is_joined_and_stopped_by_the_next_user() {
    let scratch = Scratch::new();
    let first = scratch.start();
    let (process, socket) = (process_of(&first), first.home.socket.clone());
    first.leave_running();
    assert_eq!(answer(&socket), Answer::Ready);
    let next = scratch.start();
    assert_eq!(process_of(&next), process);
    next.stop().expect("stopped");
    assert_eq!(answer(&socket), Answer::Silence);
}

#[test]
fn many_starts_at_once_make_one_server() {
    let scratch = Scratch::new();
    let servers: Vec<LocalServer> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| scratch.start())).collect();
        starts.into_iter().map(|start| start.join().expect("started")).collect()
    });
    let processes: std::collections::BTreeSet<i32> = servers.iter().map(process_of).collect();
    assert_eq!(processes.len(), 1);
}

#[test]
fn a_killed_postmaster_heals_at_the_next_start_and_keeps_what_was_committed() {
    let scratch = Scratch::new();
    let first = scratch.start();
    execute(&first, "create table kept as select 'committed'::text as value").expect("committed");
    let killed = process_of(&first);
    // A statement that computes does not look up: its process outlives the postmaster and holds the shared memory.
    let second = std::thread::scope(|scope| {
        let (sender, connected) = std::sync::mpsc::channel();
        let url = first.url("postgres");
        scope.spawn(move || {
            runtime().block_on(async {
                let mut connection = PgConnection::connect(&url).await.expect("connected");
                sender.send(()).expect("heard");
                let counted = "select count(*) from generate_series(1, 4000000)";
                // Whether it is still answered is not the question.
                let _cut_off = sqlx::query(counted).execute(&mut connection).await;
            });
        });
        connected.recv().expect("connected");
        kill(Pid::from_raw(killed), Signal::SIGKILL).expect("killed");
        scratch.start()
    });
    assert_ne!(process_of(&second), killed);
    assert_eq!(query(&second, "select value from kept").expect("an answer"), "committed");
    assert_eq!(query(&first, "select 'alive'").expect("the former user's URL holds"), "alive");
}

#[test]
fn a_stale_process_file_that_names_a_stranger_is_not_believed() {
    let scratch = Scratch::new();
    let first = scratch.start();
    let data = first.home.data();
    let socket = first.home.socket.clone();
    first.stop().expect("stopped");
    // A live process of another kind with the number: this one.
    let stranger = std::process::id();
    fs::write(data.join("postmaster.pid"), format!("{stranger}\n{}\n", data.display())).expect("written");
    fs::write(socket.join(".s.PGSQL.5432.lock"), format!("{stranger}\n")).expect("written");
    let second = scratch.start();
    assert_ne!(process_of(&second), stranger as i32);
    assert_eq!(query(&second, "select 'alive'").expect("an answer"), "alive");
}

#[test]
fn an_unfinished_initdb_is_removed_and_made_anew() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.data_dir()).expect("a directory");
    let home = scratch.data_dir().join("postgres");
    fs::create_dir_all(home.join("initdb-0123456789ab/base")).expect("a directory");
    let server = scratch.start();
    assert!(!home.join("initdb-0123456789ab").exists());
    assert_eq!(query(&server, "select 'made'").expect("an answer"), "made");
}

#[test]
fn the_home_is_closed_to_others_and_the_log_holds_no_value_of_a_failed_statement() {
    let scratch = Scratch::new();
    let server = scratch.start();
    for directory in [&server.home.path, &server.home.socket, &server.home.data()] {
        let metadata = fs::metadata(directory).expect("metadata");
        assert_eq!((metadata.mode() & 0o777, metadata.uid()), (0o700, server.home.account.uid));
    }
    query(&server, "select ('canary-360001'::text)::int::text").expect_err("not a number");
    query(&server, "select cast('canary-360002' as date)::text").expect_err("not a date");
    let log = server.log();
    server.stop().expect("stopped");
    let text = fs::read_to_string(log).expect("a log");
    assert!(text.contains("database system is ready"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn without_binaries_the_error_says_so() {
    let scratch = Scratch::new();
    let places = Places { binaries: Vec::new(), ..scratch.places() };
    let error = LocalServer::start(&scratch.data_dir(), &places).expect_err("no binaries");
    assert!(matches!(error, LocalError::NotInstalled));
}

#[test]
fn a_database_of_a_version_that_is_not_installed_is_refused() {
    let scratch = Scratch::new();
    let first = scratch.start();
    let data = first.home.data();
    first.stop().expect("stopped");
    fs::write(data.join("PG_VERSION"), "99\n").expect("written");
    let error = LocalServer::start(&scratch.data_dir(), &scratch.places()).expect_err("no such version");
    assert!(matches!(error, LocalError::VersionMissing { made_by: 99, .. }), "{error}");
}

#[test]
fn a_server_that_cannot_start_is_reported_with_its_own_words() {
    let scratch = Scratch::new();
    let first = scratch.start();
    let data = first.home.data();
    first.stop().expect("stopped");
    fs::remove_file(data.join("global/pg_control")).expect("removed");
    let error = LocalServer::start(&scratch.data_dir(), &scratch.places()).expect_err("damaged");
    assert!(matches!(&error, LocalError::Start { said, .. } if said.contains("pg_control")), "{error}");
}

#[test]
fn as_root_a_data_directory_the_server_cannot_reach_moves_and_says_so() {
    if !geteuid().is_root() {
        return;
    }
    let scratch = Scratch::new();
    fs::create_dir(scratch.data_dir()).expect("a directory");
    fs::set_permissions(scratch.data_dir(), Permissions::from_mode(0o700)).expect("chmod");
    for _ in 0..2 {
        let server = scratch.start();
        assert!(server.home.path.starts_with(scratch.0.join("fallback")));
        let [note] = server.notes() else { unreachable!("one note, not {:?}", server.notes()) };
        assert!(note.contains("cannot reach") && note.contains("fallback"), "{note}");
        assert_eq!(query(&server, "select 'moved'").expect("an answer"), "moved");
    }
}

#[test]
fn a_database_of_another_user_is_not_shadowed_by_an_empty_one() {
    let scratch = Scratch::new();
    if geteuid().is_root() {
        let server = scratch.start();
        let data = server.home.data();
        server.stop().expect("stopped");
        std::os::unix::fs::chown(&data, Some(0), Some(0)).expect("chown");
        let error = LocalServer::start(&scratch.data_dir(), &scratch.places()).expect_err("refused");
        assert!(matches!(error, LocalError::OwnedByRoot { .. }), "{error}");
    } else {
        // The root directory stands for a home that root made; only its owner matters.
        fs::create_dir(scratch.data_dir()).expect("a directory");
        std::os::unix::fs::symlink("/", scratch.data_dir().join("postgres")).expect("a link");
        let error = LocalServer::start(&scratch.data_dir(), &scratch.places()).expect_err("refused");
        assert!(matches!(error, LocalError::OtherOwner { .. }), "{error}");
    }
}

#[test]
fn a_url_is_read_back_as_the_socket_and_database_it_names() {
    let scratch = Scratch::new();
    let server = scratch.start();
    let options: sqlx::postgres::PgConnectOptions = server.url("a/b c?").parse().expect("a URL");
    assert_eq!(options.get_socket(), Some(&server.home.socket));
    assert_eq!(options.get_database(), Some("a/b c?"));
    assert_eq!(options.get_username(), "renzheng");
}
