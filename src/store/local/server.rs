//! The server process of a home: made, started, asked and stopped. Whoever calls holds the change lock.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::binaries::Binaries;
use super::home::{Home, has_cluster};
use super::{LocalError, ROLE};

/// Part of the socket's name only: nothing listens on the network.
pub(super) const PORT: u16 = 5432;
pub(super) const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// For so long a start that fails is tried again.
const START_PATIENCE: Duration = Duration::from_secs(3);
/// The same while the orphans of a killed postmaster hold its shared memory: a second or two, or as long as their statement computes.
const ORPHANS_PATIENCE: Duration = Duration::from_secs(30);
/// For so long a live process may be silent: it is replaying its log after a crash.
const RECOVERY_PATIENCE: Duration = Duration::from_mins(10);
/// The checkpoint at shutdown writes out all shared buffers.
const STOP_PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);
/// A start that failed is tried again after this long.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// A log longer than this is set aside at the next start, replacing the one set aside before.
const LOG_BYTES: u64 = 8 * 1024 * 1024;

/// Durable, for bulk loads, and with a log that never holds a statement or a value: an `ERROR` can quote what it could not read, a `DETAIL`
/// the row that broke a rule or the statement that a dead process ran.
const SETTINGS: [&str; 19] = [
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "shared_buffers=256MB",
    "max_wal_size=4GB",
    "checkpoint_timeout=15min",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "logging_collector=off",
    "log_destination=stderr",
    "log_min_messages=log",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "log_statement=none",
    "log_parameter_max_length=0",
    "log_parameter_max_length_on_error=0",
];

/// What the socket says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Ready,
    /// A server is there and is starting, recovering or shutting down.
    NotNow,
    /// Nobody is there.
    Silence,
}

pub(super) struct Server<'a> {
    home: &'a Home,
}

impl<'a> Server<'a> {
    pub(super) fn new(home: &'a Home) -> Self {
        Self { home }
    }

    /// Returns once the server takes connections, having made the cluster and started the process as far as they were missing.
    pub(super) fn ensure_running(&self, installed: &[Binaries]) -> Result<(), LocalError> {
        let began = Instant::now();
        let mut started: Option<Receiver<io::Result<ExitStatus>>> = None;
        let mut failed_at: Option<Instant> = None;
        let mut failing_since: Option<Instant> = None;
        let mut log_before = 0;
        loop {
            let answer = ask(&self.socket());
            if answer == Answer::Ready {
                return Ok(());
            }
            let waited = began.elapsed();
            if started.as_ref().is_some_and(|child| !matches!(child.try_recv(), Err(mpsc::TryRecvError::Empty))) {
                started = None;
                failed_at = Some(Instant::now());
                failing_since = failing_since.or(failed_at);
            }
            // A server that answers but whose process is not to be seen runs in another container on the same files.
            let lives = answer == Answer::NotNow || started.is_some() || self.process().is_some();
            if lives && waited > RECOVERY_PATIENCE {
                let socket = self.home.socket.clone();
                return Err(LocalError::NoAnswer { process: self.process(), socket, waited, log: self.home.log() });
            }
            let failing = failing_since.map_or(Duration::ZERO, |since| since.elapsed());
            if !lives && failing > START_PATIENCE {
                let text = self.log_after(log_before);
                let orphans = text.contains("still in use") || text.contains("lock file");
                if !orphans || failing > ORPHANS_PATIENCE {
                    let said = last_words(&text).to_owned();
                    return Err(LocalError::Start { waited, said, log: self.home.log() });
                }
            }
            if !lives && failed_at.is_none_or(|at| at.elapsed() >= RETRY_PAUSE) {
                self.make_cluster(installed)?;
                self.clear_remains()?;
                self.rotate_log();
                log_before = fs::metadata(self.home.log()).map_or(0, |metadata| metadata.len());
                started = Some(self.spawn(installed)?);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Fast shutdown, and an immediate one (recovered from at the next start) if that takes too long. Returns when the process is gone.
    pub(super) fn stop(&self) -> Result<(), LocalError> {
        let Some(process) = self.process() else { return Ok(()) };
        // the file goes a moment before the process does
        let lives = || is_postmaster_of(process, &self.home.data());
        let began = Instant::now();
        for signal in [Signal::SIGINT, Signal::SIGQUIT] {
            let asked = Instant::now();
            // It may be gone between the look and the signal, which is what is wanted.
            let _gone = kill(Pid::from_raw(process), signal);
            while lives() && asked.elapsed() <= STOP_PATIENCE {
                thread::sleep(PAUSE);
            }
        }
        if lives() {
            return Err(LocalError::Stop { process, waited: began.elapsed(), log: self.home.log() });
        }
        Ok(())
    }

    fn socket(&self) -> PathBuf {
        self.home.socket.join(SOCKET_NAME)
    }

    /// The postmaster of this home, if one lives. The file only says which process to look at.
    pub(super) fn process(&self) -> Option<i32> {
        let process = self.noted_process()?;
        is_postmaster_of(process, &self.home.data()).then_some(process)
    }

    fn noted_process(&self) -> Option<i32> {
        let noted = fs::read_to_string(self.home.data().join("postmaster.pid")).ok()?;
        noted.lines().next()?.trim().parse().ok().filter(|process| *process > 1)
    }

    /// Made aside and then renamed, so that a cluster is whole or absent.
    fn make_cluster(&self, installed: &[Binaries]) -> Result<(), LocalError> {
        let home = &self.home.path;
        if has_cluster(home) {
            return Ok(());
        }
        let entries = fs::read_dir(home).map_err(LocalError::io("list", home))?;
        for entry in entries.flatten().filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"initdb-")) {
            // Left by a killed attempt, whose initdb may still be writing: then the next start removes it.
            let _still_written = fs::remove_dir_all(entry.path());
        }
        let binaries = self.binaries(installed)?;
        // A name of its own: the orphan of a killed attempt must not write into this one.
        let new = self.new_name()?;
        let made = self
            .home
            .account
            .command(&binaries.initdb, home)
            .arg("-D")
            .arg(&new)
            .args(["--username", ROLE, "--auth=trust", "--encoding=UTF8", "--locale=C", "--data-checksums"])
            .args(["--no-instructions"])
            .output()
            .map_err(LocalError::io("run", &binaries.initdb))?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr).trim().replace('\n', "; ");
            return Err(LocalError::Initdb { path: new, said });
        }
        let data = self.home.data();
        fs::rename(&new, &data).map_err(LocalError::io("create", &data))?;
        File::open(home).and_then(|home| home.sync_all()).map_err(LocalError::io("sync", home))
    }

    fn new_name(&self) -> Result<PathBuf, LocalError> {
        let mut random = [0_u8; 6];
        getrandom::fill(&mut random).map_err(|error| LocalError::io("name", &self.home.path)(error.into()))?;
        Ok(self.home.path.join(format!("initdb-{}", hex::encode(random))))
    }

    /// The version that made the cluster, or the newest for a new one.
    fn binaries<'b>(&self, installed: &'b [Binaries]) -> Result<&'b Binaries, LocalError> {
        let data = self.home.data();
        if !has_cluster(&self.home.path) {
            return installed.first().ok_or(LocalError::NotInstalled);
        }
        let version = data.join("PG_VERSION");
        let text = fs::read_to_string(&version).map_err(LocalError::io("read", &version))?;
        let made_by = text.trim().parse().map_err(|_| {
            LocalError::io("read", &version)(io::Error::new(io::ErrorKind::InvalidData, "not a version of Postgres"))
        })?;
        installed.iter().find(|binaries| binaries.major == made_by).ok_or(LocalError::VersionMissing { data, made_by })
    }

    /// What a dead server left and a new one would mistake for a live one, because another process has its number by now, or because nobody
    /// reaped it. Only if there is no such server; live orphans Postgres itself finds by its shared memory.
    fn clear_remains(&self) -> Result<(), LocalError> {
        let mut remains = vec![self.socket(), self.home.socket.join(format!("{SOCKET_NAME}.lock"))];
        if self.noted_process().is_none_or(|process| kill(Pid::from_raw(process), None).is_ok()) {
            remains.push(self.home.data().join("postmaster.pid"));
        }
        for path in remains {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(LocalError::io("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Starts the process apart from ours: its own group, so that Ctrl-C and a closing terminal do not reach it, and its own log.
    fn spawn(&self, installed: &[Binaries]) -> Result<Receiver<io::Result<ExitStatus>>, LocalError> {
        let binaries = self.binaries(installed)?;
        let log = self.open_log().map_err(LocalError::io("open", &self.home.log()))?;
        let copy = log.try_clone().map_err(LocalError::io("open", &self.home.log()))?;
        let mut command = self.home.account.command(&binaries.postgres, &self.home.path);
        command.arg("-D").arg(self.home.data());
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let mut sockets = std::ffi::OsString::from("unix_socket_directories=");
        sockets.push(&self.home.socket);
        command.arg("-c").arg(sockets).args(["-c", &format!("port={PORT}")]);
        let mut child = command
            .stdout(copy)
            .stderr(log)
            .process_group(0)
            .spawn()
            .map_err(LocalError::io("run", &binaries.postgres))?;
        let (sender, exited) = mpsc::channel();
        // Waits as long as the server lives: a dead one that nobody reaps looks alive to the next.
        thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || {
                // Nobody listens any more once the server has answered.
                let _unheard = sender.send(child.wait());
            })
            .map_err(LocalError::io("watch", &binaries.postgres))?;
        Ok(exited)
    }

    fn open_log(&self) -> io::Result<File> {
        let path = self.home.log();
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&path)?;
        fchown(&log, Some(self.home.account.uid), Some(self.home.account.gid))?;
        Ok(log)
    }

    fn rotate_log(&self) {
        let path = self.home.log();
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LOG_BYTES) {
            // Where that fails, the log stays long, and the server starts all the same.
            let _still_long = fs::rename(&path, path.with_extension("log.1"));
        }
    }

    /// The end of the log, without so many bytes that were there before.
    fn log_after(&self, log_before: u64) -> String {
        let tail = || -> io::Result<String> {
            let mut log = File::open(self.home.log())?;
            let length = log.metadata()?.len();
            log.seek(SeekFrom::Start(length.saturating_sub(4096).max(log_before)))?;
            let mut bytes = Vec::new();
            log.take(4096).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        tail().unwrap_or_default()
    }
}

/// The last failure in the log, or its last line. Left out is what a recovering server says to our own questions, and an orphan at its end.
fn last_words(log: &str) -> &str {
    let mut lines = log.lines().rev().filter(|line| {
        !line.trim().is_empty()
            && !line.contains("the database system is")
            && !line.contains("unexpected postmaster exit")
    });
    let fatal = lines.clone().find(|line| line.contains("FATAL:") || line.contains("PANIC:"));
    fatal.or_else(|| lines.next()).unwrap_or("nothing")
}

/// A `StartupMessage` of protocol 3.0 and the server's answer: what a connection of ours will meet. An open socket proves nothing, since a
/// recovering server listens too.
pub(super) fn ask(socket: &Path) -> Answer {
    let parameters = format!("user\0{ROLE}\0database\0postgres\0\0");
    let mut message = ((parameters.len() + 8) as u32).to_be_bytes().to_vec();
    message.extend_from_slice(&196_608_u32.to_be_bytes());
    message.extend_from_slice(parameters.as_bytes());
    let Ok(mut stream) = UnixStream::connect(socket) else {
        return Answer::Silence;
    };
    let mut exchange = || -> io::Result<Answer> {
        stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
        stream.set_write_timeout(Some(ANSWER_PATIENCE))?;
        stream.write_all(&message)?;
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]).saturating_sub(4);
        let mut body = Vec::new();
        Read::by_ref(&mut stream).take(u64::from(length.min(8192))).read_to_end(&mut body)?;
        // 57P03 is `cannot_connect_now`; any other refusal (too many connections) comes from a server that works.
        let not_now = head[0] == b'E' && body.split(|byte| *byte == 0).any(|field| field == b"C57P03");
        // Terminate, lest the server wonders; it may have closed already.
        let _closed = stream.write_all(b"X\0\0\0\x04");
        Ok(if not_now { Answer::NotNow } else { Answer::Ready })
    };
    exchange().unwrap_or(Answer::NotNow)
}

/// Whether the process is a postmaster of this cluster, by its command line: numbers are given out again, and a zombie has none.
pub(super) fn is_postmaster_of(process: i32, data: &Path) -> bool {
    let data = data.as_os_str().as_encoded_bytes();
    match fs::read(format!("/proc/{process}/cmdline")) {
        Ok(line) => line.split(|byte| *byte == 0).any(|argument| argument == data),
        Err(_) if Path::new("/proc/self").exists() => false,
        // Without /proc (macOS).
        Err(_) => Command::new("/bin/ps")
            .args(["-ww", "-o", "command=", "-p", &process.to_string()])
            .output()
            .is_ok_and(|said| said.stdout.windows(data.len()).any(|part| part == data)),
    }
}
