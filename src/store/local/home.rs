//! Where a private server lives and as which user it runs.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User, getegid, geteuid};
use sha2::{Digest, Sha256};

use super::LocalError;
use super::binaries::Binaries;

/// Linux allows 107 bytes and a zero, macOS 103.
const SOCKET_PATH_BYTES: usize = 103;

/// The user a server runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) name: String,
    /// We are root and must become this user.
    switch: bool,
}

impl Account {
    fn ours() -> Self {
        let (uid, gid) = (geteuid(), getegid());
        Self { uid: uid.as_raw(), gid: gid.as_raw(), name: name_of(uid.as_raw()), switch: false }
    }

    /// Debian's and most others' user for Postgres, Homebrew's has none.
    fn postgres() -> Result<Self, LocalError> {
        let user = User::from_name("postgres").ok().flatten().ok_or(LocalError::NoServerUser)?;
        Ok(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw(), name: user.name, switch: true })
    }

    /// As root: the owner of a cluster that exists, whoever made it.
    fn owner_of(cluster: &Path) -> Result<Self, LocalError> {
        let metadata = fs::metadata(cluster).map_err(LocalError::io("look at", cluster))?;
        if metadata.uid() == 0 {
            return Err(LocalError::OwnedByRoot { path: cluster.to_owned() });
        }
        Ok(Self { uid: metadata.uid(), gid: metadata.gid(), name: name_of(metadata.uid()), switch: true })
    }

    /// A command that runs as this user, in the given directory and with nothing of our environment: it may hold keys and passwords.
    pub(super) fn command(&self, program: &Path, directory: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").current_dir(directory);
        command.stdin(Stdio::null());
        if self.switch {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Asked of the kernel, by entering the directory as this user: modes alone do not tell (lists, mounts).
    fn can_reach(&self, directory: &Path, binaries: &Binaries) -> Result<bool, LocalError> {
        let enter = |directory: &Path| {
            let mut command = self.command(&binaries.postgres, directory);
            command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status()
        };
        enter(Path::new("/")).map_err(LocalError::io("run", &binaries.postgres))?;
        match enter(directory) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
            Err(error) => Err(LocalError::io("enter", directory)(error)),
        }
    }
}

fn name_of(uid: u32) -> String {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map_or_else(|| format!("with number {uid}"), |user| user.name)
}

/// The directory of a private server and the user it runs as.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) path: PathBuf,
    /// The directory of the socket.
    pub(super) socket: PathBuf,
    pub(super) account: Account,
    pub(super) notes: Vec<String>,
}

impl Home {
    /// The home inside the data directory, or where one was or has to be made elsewhere; existing and closed to others afterwards.
    pub(super) fn choose(data_dir: &Path, fallback: &Path, installed: &[Binaries]) -> Result<Self, LocalError> {
        let root = geteuid().is_root();
        // The server's user goes through it, as root made it; what lies in it guards itself.
        make_directory(data_dir, if root { 0o711 } else { 0o700 })?;
        let data_dir = data_dir.canonicalize().map_err(LocalError::io("find", data_dir))?;
        let inside = data_dir.join("postgres");
        let elsewhere = fallback.join(digest_of(&data_dir));
        let moved = |account: &Account| {
            format!(
                "The user {}, as whom Postgres runs, cannot reach {}: the database is in {}.",
                account.name,
                data_dir.display(),
                elsewhere.display()
            )
        };
        let (path, account, notes) = if !root {
            let account = Account::ours();
            for place in [&inside, &elsewhere] {
                refuse_others(place, &account)?;
            }
            (inside, account, Vec::new())
        } else if has_cluster(&inside) {
            let account = Account::owner_of(&inside.join("data"))?;
            if !any_reaches(&account, &inside, installed)? {
                return Err(LocalError::Unreachable { path: inside, user: account.name });
            }
            (inside, account, Vec::new())
        } else if has_cluster(&elsewhere) {
            let account = Account::owner_of(&elsewhere.join("data"))?;
            let note = moved(&account);
            (elsewhere, account, vec![note])
        } else {
            let account = Account::postgres()?;
            if any_reaches(&account, &data_dir, installed)? {
                (inside, account, Vec::new())
            } else {
                make_directory(fallback, 0o711)?;
                if !any_reaches(&account, fallback, installed)? {
                    return Err(LocalError::Unreachable { path: fallback.to_owned(), user: account.name });
                }
                let note = moved(&account);
                (elsewhere, account, vec![note])
            }
        };
        make_private(&path, &account)?;
        let socket = socket_directory(&path, &account)?;
        Ok(Self { path, socket, account, notes })
    }

    /// The cluster's directory.
    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("postgres.log")
    }
}

fn any_reaches(account: &Account, directory: &Path, installed: &[Binaries]) -> Result<bool, LocalError> {
    installed.first().map_or(Ok(false), |binaries| account.can_reach(directory, binaries))
}

pub(super) fn has_cluster(home: &Path) -> bool {
    home.join("data/PG_VERSION").exists()
}

/// A new database beside an existing one that only somebody else may open would look like lost data.
fn refuse_others(place: &Path, account: &Account) -> Result<(), LocalError> {
    match fs::metadata(place) {
        Ok(metadata) if metadata.uid() != account.uid => {
            Err(LocalError::OtherOwner { path: place.to_owned(), owner: name_of(metadata.uid()) })
        }
        _ => Ok(()),
    }
}

fn make_directory(path: &Path, mode: u32) -> Result<(), LocalError> {
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(LocalError::io("create the directory", path))
}

/// A directory of the account with mode 0700, the account's also if we died between making and giving it.
fn make_private(path: &Path, account: &Account) -> Result<(), LocalError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(LocalError::io("create the directory", path)(error));
        }
        _ => {}
    }
    let metadata = fs::symlink_metadata(path).map_err(LocalError::io("look at", path))?;
    if account.switch && metadata.uid() == 0 && metadata.is_dir() {
        lchown(path, Some(account.uid), Some(account.gid)).map_err(LocalError::io("give away", path))?;
    } else if metadata.uid() != account.uid && metadata.is_dir() {
        return Err(LocalError::OtherOwner { path: path.to_owned(), owner: name_of(metadata.uid()) });
    }
    if metadata.is_dir() && open_to_others(&metadata) {
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(LocalError::io("close", path))?;
    }
    Ok(())
}

/// In the home where its path is short enough (there nobody else's temporary files are cleaned up and no service's private /tmp is in the
/// way), else in /tmp under a name of its own.
fn socket_directory(home: &Path, account: &Account) -> Result<PathBuf, LocalError> {
    let name_bytes = super::server::SOCKET_NAME.len() + 1;
    let inside = home.join("socket");
    if inside.as_os_str().len() + name_bytes <= SOCKET_PATH_BYTES {
        make_private(&inside, account)?;
        return Ok(inside);
    }
    let path = PathBuf::from(format!("/tmp/renzheng-{}-{}", digest_of(home), account.uid));
    // Anybody may have made it: whatever is not exactly ours is refused, never mended.
    match DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(LocalError::io("create the directory", &path)(error));
        }
        _ => {}
    }
    let look = || fs::symlink_metadata(&path).map_err(LocalError::io("look at", &path));
    let mut metadata = look()?;
    if account.switch && metadata.is_dir() && metadata.uid() == 0 {
        lchown(&path, Some(account.uid), Some(account.gid)).map_err(LocalError::io("give away", &path))?;
        metadata = look()?;
    }
    if metadata.is_dir() && metadata.uid() == account.uid && !open_to_others(&metadata) {
        Ok(path)
    } else {
        Err(LocalError::SocketDirectory { path, user: account.name.clone() })
    }
}

fn open_to_others(metadata: &fs::Metadata) -> bool {
    metadata.mode() & 0o077 != 0
}

/// Sixteen hexadecimal digits that stand for a path.
fn digest_of(path: &Path) -> String {
    hex::encode(&Sha256::digest(path.as_os_str().as_encoded_bytes())[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_home_gets_a_short_socket_directory_that_is_private() {
        let account = Account::ours();
        let home = PathBuf::from(format!("/tmp/renzheng-test-{}-{}", std::process::id(), "long".repeat(30)));
        let socket = socket_directory(&home, &account).expect("a directory");
        assert!(socket.starts_with("/tmp") && socket.as_os_str().len() < 60);
        assert_eq!(fs::metadata(&socket).expect("metadata").mode() & 0o777, 0o700);
        assert_eq!(socket_directory(&home, &account).expect("the same"), socket);

        fs::set_permissions(&socket, Permissions::from_mode(0o755)).expect("chmod");
        assert!(matches!(socket_directory(&home, &account), Err(LocalError::SocketDirectory { .. })));
        fs::remove_dir(&socket).expect("removed");
        std::os::unix::fs::symlink("/tmp", &socket).expect("a link");
        assert!(matches!(socket_directory(&home, &account), Err(LocalError::SocketDirectory { .. })));
        fs::remove_file(&socket).expect("removed");
    }
}
