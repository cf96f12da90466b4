//! A private MariaDB for the tests, on a directory and a socket of its own: nothing of it is left when the last test ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Shared by all tests of this process; it ends with the process.
static SERVER: OnceLock<MariaDb> = OnceLock::new();

/// Where packagers put the programs.
const FOLDERS: [&str; 6] = [
    "/usr/sbin",
    "/usr/bin",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/opt/homebrew/bin",
    "/opt/homebrew/opt/mariadb/bin",
];

/// A running server.
pub struct MariaDb {
    /// A shell that waits for its input to end, which it does with this process however that ends; then it stops the server
    /// and removes what was of it.
    _keeper: Child,
    folder: PathBuf,
}

fn program(name: &str) -> PathBuf {
    let places = FOLDERS.iter().map(|folder| Path::new(folder).join(name));
    places.into_iter().find(|path| path.exists()).unwrap_or_else(|| {
        panic!("`{name}` is missing: `apt-get install mariadb-server` or `brew install mariadb` brings it")
    })
}

impl MariaDb {
    /// The server of this process, started if none runs.
    pub fn shared() -> &'static Self {
        SERVER.get_or_init(Self::start)
    }

    fn start() -> Self {
        // The name of a socket may not be long.
        let folder = PathBuf::from(format!("/tmp/renzheng-mariadb-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (data, log) = (folder.join("data"), folder.join("log"));
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).expect("users").expect("a user").name;
        let made = Command::new(program("mariadb-install-db"))
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--user={user}"))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"])
            .output()
            .expect("mariadb-install-db runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let keeper = Command::new("/bin/sh")
            .args([
                "-c",
                "folder=$0; \"$@\" & server=$!; cat >/dev/null; kill $server; wait $server; rm -rf \"$folder\"",
            ])
            .arg(&folder)
            .arg(program("mariadbd"))
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", folder.join("socket").display()))
            .arg(format!("--pid-file={}", folder.join("pid").display()))
            .arg(format!("--log-error={}", log.display()))
            .arg(format!("--user={user}"))
            .args(["--skip-networking", "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let server = Self { _keeper: keeper, folder };
        let ready = Command::new(program("mariadb-admin"))
            .arg("--no-defaults")
            .arg(format!("--socket={}", server.folder.join("socket").display()))
            .args(["--user=root", "--connect-timeout=5", "--wait=20", "ping"])
            .output()
            .expect("mariadb-admin runs");
        let said = fs::read_to_string(log).unwrap_or_default();
        assert!(ready.status.success(), "{said}");
        server
    }

    /// The address of a database; an empty name is none.
    pub fn url(&self, database: &str) -> String {
        format!("mysql://root@localhost/{database}?socket={}", self.folder.join("socket").display())
    }
}
