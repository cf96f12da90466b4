//! Finding `initdb` and `postgres`, and which of several versions to use.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{LocalError, OLDEST_MAJOR};

/// Each of these holds a directory per version with the binaries in its `bin`: Debian, and Homebrew's formulae that are not linked.
const VERSIONED: [&str; 3] = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"];

/// The directories on the PATH and the packagers' own ones.
pub fn search_directories(path: Option<&OsStr>) -> Vec<PathBuf> {
    let on_path = path.into_iter().flat_map(|path| path.as_bytes().split(|byte| *byte == b':'));
    let packaged = VERSIONED.iter().filter_map(|parent| fs::read_dir(parent).ok()).flatten().flatten();
    on_path
        .filter(|directory| directory.first() == Some(&b'/'))
        .map(|directory| PathBuf::from(OsStr::from_bytes(directory)))
        .chain(packaged.map(|entry| entry.path().join("bin")))
        .collect()
}

/// One installed version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) initdb: PathBuf,
    pub(super) postgres: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    /// All versions that are new enough, newest first; at least one.
    pub(super) fn list(directories: &[PathBuf]) -> Result<Vec<Self>, LocalError> {
        let mut found: Vec<Self> = directories.iter().filter_map(|directory| Self::in_directory(directory)).collect();
        // Stable: of equal versions the one on the PATH comes first.
        found.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
        found.dedup();
        let Some(newest) = found.first().map(|binaries| binaries.major) else {
            return Err(LocalError::NotInstalled);
        };
        found.retain(|binaries| binaries.major >= OLDEST_MAJOR);
        if found.is_empty() { Err(LocalError::TooOld { found: newest }) } else { Ok(found) }
    }

    /// Links are resolved: `postgres` finds its libraries beside its true place.
    fn in_directory(directory: &Path) -> Option<Self> {
        let postgres = directory.join("postgres").canonicalize().ok()?;
        let initdb = directory.join("initdb").canonicalize().ok()?;
        let said = Command::new(&postgres).arg("--version").output().ok()?;
        let major = major(&String::from_utf8_lossy(&said.stdout))?;
        Some(Self { initdb, postgres, major })
    }
}

/// From `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)`, also `18beta1`.
fn major(said: &str) -> Option<u32> {
    let version = said.split_once("(PostgreSQL)")?.1.trim_start();
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_postgres_says() {
        assert_eq!(major("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) 9.6.24\n"), Some(9));
        assert_eq!(major("something else"), None);
    }

    #[test]
    fn without_binaries_the_error_says_how_to_install_them() {
        let error = Binaries::list(&[]).expect_err("nothing there").to_string();
        assert!(error.contains("apt-get install postgresql") && error.contains("brew install postgresql"), "{error}");
    }

    #[test]
    fn the_path_is_searched_first_and_relative_entries_are_not() {
        let directories = search_directories(Some(OsStr::new("/first:relative::/second")));
        assert_eq!(directories[..2], [PathBuf::from("/first"), PathBuf::from("/second")]);
        assert!(!directories.contains(&PathBuf::from("relative")));
    }
}
