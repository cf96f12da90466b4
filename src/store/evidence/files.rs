//! The files of evidence on disk: encrypted, named by a keyed hash, written whole or not at all.
//!
//! A file is written under a temporary name, forced to disk, renamed and its directory forced to disk; then only is its row stored. A crash leaves at
//! most a file without a row, which upkeep removes when it is a day old.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::crypto::stream::{ContentName, HEAD, Naming, Opening, PIECE, SEALED_PIECE, Sealing};
use crate::crypto::{CryptoError, Keys};
use crate::domain::facts::UnitId;

/// Where files lie that have not got their name yet.
const INCOMING: &str = "incoming";

/// What can go wrong with the files of evidence.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("the folder of evidence is not set: RENZHENG_EVIDENCE_DIR")]
    NoFolder,
    #[error("the file {0} of evidence is missing: bring it back from the backup of the evidence folder")]
    Missing(ContentName),
    #[error("the file {0} of evidence was damaged or exchanged: bring it back from the backup of the evidence folder")]
    Damaged(ContentName),
    #[error("the file {name} of evidence cannot be opened with these keys")]
    Keys { name: ContentName, source: CryptoError },
    #[error("cannot {what} {path}")]
    Disk { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("a file of evidence could not be encrypted")]
    Crypto(#[from] CryptoError),
}

fn disk(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Disk { what, path, source }
}

/// The folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Files {
    root: Arc<Path>,
    keys: Arc<Keys>,
}

/// A file that is whole on disk and has not got its name yet. Dropped, it is removed.
#[derive(Debug)]
pub struct Staged {
    name: ContentName,
    temporary: PathBuf,
    place: PathBuf,
    is_placed: bool,
}

/// A file that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// `None`: it has not got its name yet.
    pub name: Option<ContentName>,
    pub path: PathBuf,
    pub modified_at: SystemTime,
}

impl Files {
    pub fn new(root: impl Into<PathBuf>, keys: Arc<Keys>) -> Self {
        Self { root: root.into().into(), keys }
    }

    /// The name of a content of this employer.
    pub fn name(&self, employer: UnitId, content: &[u8]) -> ContentName {
        let mut naming = self.naming(employer);
        naming.add(content);
        naming.name()
    }

    fn naming(&self, employer: UnitId) -> Naming {
        self.keys.name_content(i64::from(employer.0))
    }

    /// `aa/bb/` and the whole name.
    pub fn path(&self, name: ContentName) -> PathBuf {
        let name = name.to_string();
        self.root.join(&name[..2]).join(&name[2..4]).join(name)
    }

    pub fn exists(&self, name: ContentName) -> bool {
        self.path(name).is_file()
    }

    /// Encrypts a content into a file without its name, and waits until it is on disk. Blocks.
    pub fn stage(&self, name: ContentName, content: &[u8]) -> Result<Staged, FileError> {
        let incoming = self.root.join(INCOMING);
        make_folder(&incoming)?;
        let temporary = incoming.join(uuid::Uuid::now_v7().simple().to_string());
        let staged = Staged { name, temporary, place: self.path(name), is_placed: false };
        let path = &staged.temporary;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(disk("make the file", path))?;
        let (mut sealing, head) = Sealing::begin(&self.keys, name)?;
        let mut write = |bytes: &[u8]| file.write_all(bytes).map_err(disk("write", path));
        write(&head)?;
        let mut pieces = content.chunks(PIECE).peekable();
        while let Some(piece) = pieces.next() {
            write(&sealing.seal(piece, pieces.peek().is_none())?)?;
        }
        file.sync_all().map_err(disk("force to disk", path))?;
        Ok(staged)
    }

    /// Opens a file to be read piece by piece. Blocks.
    pub fn open(&self, name: ContentName) -> Result<Reading, FileError> {
        let path = self.path(name);
        let mut file = File::open(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => FileError::Missing(name),
            _ => disk("open", &path)(error),
        })?;
        let mut head = [0; HEAD];
        file.read_exact(&mut head).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => FileError::Damaged(name),
            _ => disk("read", &path)(error),
        })?;
        let opening = Opening::begin(&self.keys, name, &head).map_err(|error| of_crypto(name, error))?;
        let mut reading = Reading { name, path, file, opening, ahead: Vec::new() };
        reading.ahead = reading.read()?;
        if reading.ahead.is_empty() { Err(FileError::Damaged(name)) } else { Ok(reading) }
    }

    /// Reads the whole file, and makes sure that it is what its name says. Keeps one piece in memory; its size. Blocks.
    pub fn verify(&self, employer: UnitId, name: ContentName) -> Result<u64, FileError> {
        let (mut naming, mut size) = (self.naming(employer), 0);
        let mut reading = self.open(name)?;
        while let Some(piece) = reading.next_piece()? {
            naming.add(&piece);
            size += piece.len() as u64;
        }
        if naming.name() == name { Ok(size) } else { Err(FileError::Damaged(name)) }
    }

    /// Hands over every file of ours that is there, by folder; what else lies there is none of our business. Blocks.
    pub fn walk(&self, mut found: impl FnMut(Vec<Found>) -> Result<(), FileError>) -> Result<(), FileError> {
        let mut hand_over = |files: Vec<Found>| if files.is_empty() { Ok(()) } else { found(files) };
        for outer in list(&self.root)?.into_iter().filter(|outer| outer.is_dir()) {
            if outer.file_name().is_some_and(|name| name == INCOMING) {
                hand_over(look_at(list(&outer)?, |name| name.len() == 32 && digits(name).is_some())?)?;
                continue;
            }
            let mut files = Vec::new();
            for inner in list(&outer)?.into_iter().filter(|inner| inner.is_dir()) {
                files.extend(look_at(list(&inner)?, |name| ContentName::parse(name).is_some())?);
            }
            files.retain(|file| file.name.is_some_and(|name| self.path(name) == file.path));
            hand_over(files)?;
        }
        Ok(())
    }

    /// Removes a file; one that is gone is no mistake. Blocks.
    pub fn remove(&self, path: &Path) -> Result<(), FileError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(disk("remove", path)(error)),
            _ => Ok(()),
        }
    }
}

impl Staged {
    pub fn name(&self) -> ContentName {
        self.name
    }

    /// Gives the file its name, for good. One that is there under this name has the same content and is replaced. Blocks.
    pub fn place(mut self) -> Result<(), FileError> {
        let folder = self.place.parent().unwrap_or(&self.place);
        make_folder(folder)?;
        std::fs::rename(&self.temporary, &self.place).map_err(disk("rename to", &self.place))?;
        self.is_placed = true;
        force(folder)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_placed {
            // what is left over is removed by upkeep
            let _gone = std::fs::remove_file(&self.temporary);
        }
    }
}

/// An open file.
pub struct Reading {
    name: ContentName,
    path: PathBuf,
    file: File,
    opening: Opening,
    /// The piece that comes next, as it rests: whether it is the last is known when nothing comes after it.
    ahead: Vec<u8>,
}

impl Reading {
    /// The next piece, plain; `None` when all were there. Blocks.
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        let sealed = std::mem::take(&mut self.ahead);
        if sealed.is_empty() {
            return Ok(None);
        }
        self.ahead = self.read()?;
        let plain = self.opening.open(sealed, self.ahead.is_empty()).map_err(|error| of_crypto(self.name, error))?;
        Ok(Some(plain))
    }

    /// Everything that is left. Blocks.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>, FileError> {
        let mut content = Vec::new();
        while let Some(piece) = self.next_piece()? {
            content.extend_from_slice(&piece);
        }
        Ok(content)
    }

    fn read(&mut self) -> Result<Vec<u8>, FileError> {
        let mut sealed = Vec::with_capacity(SEALED_PIECE);
        (&mut self.file).take(SEALED_PIECE as u64).read_to_end(&mut sealed).map_err(disk("read", &self.path))?;
        Ok(sealed)
    }
}

fn of_crypto(name: ContentName, error: CryptoError) -> FileError {
    match error {
        CryptoError::Damaged => FileError::Damaged(name),
        source => FileError::Keys { name, source },
    }
}

/// Makes a folder that others cannot look into, with what leads to it, and forces their entries to disk.
fn make_folder(folder: &Path) -> Result<(), FileError> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(disk("make the folder", folder))?;
    // the two levels that are ours, and the one that holds them
    for parent in folder.ancestors().skip(1).take(3).filter(|parent| *parent != Path::new("")) {
        force(parent)?;
    }
    Ok(())
}

fn force(folder: &Path) -> Result<(), FileError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(disk("force to disk", folder))
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    match std::fs::read_dir(folder) {
        Ok(entries) => {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(disk("list", folder))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(disk("list", folder)(error)),
    }
}

fn digits(name: &str) -> Option<Vec<u8>> {
    hex::decode(name).ok()
}

/// Those of the files whose name is one of ours.
fn look_at(paths: Vec<PathBuf>, is_ours: impl Fn(&str) -> bool) -> Result<Vec<Found>, FileError> {
    let mut files = Vec::new();
    for path in paths {
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| is_ours(name)) else { continue };
        let name = ContentName::parse(name);
        match std::fs::metadata(&path).and_then(|metadata| metadata.modified()) {
            Ok(modified_at) => files.push(Found { name, path, modified_at }),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(disk("look at", &path)(error)),
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("renzheng-evidence-{name}-{}", std::process::id())))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).expect("removed");
        }
    }

    fn keep(files: &Files, content: &[u8]) -> ContentName {
        let name = files.name(UnitId(1), content);
        files.stage(name, content).expect("staged").place().expect("placed");
        name
    }

    fn files(folder: &Folder) -> Files {
        Files::new(&folder.0, Arc::new(Keys::generate().expect("keys")))
    }

    #[test]
    fn a_file_comes_back_as_it_was_and_rests_as_nobody_can_read_it() {
        let folder = Folder::new("back");
        let files = files(&folder);
        for length in [1, PIECE, PIECE + 1, 3 * PIECE + 17] {
            let content = b"synthetic ".iter().copied().cycle().take(length).collect::<Vec<u8>>();
            let name = keep(&files, &content);
            assert_eq!(files.open(name).expect("opened").read_to_end().expect("read"), content);
            assert_eq!(files.verify(UnitId(1), name).expect("whole"), length as u64);
            let rests = std::fs::read(files.path(name)).expect("readable");
            assert!(!rests.windows(10).any(|window| window == b"synthetic "));
        }
        assert_eq!(list(&folder.0.join(INCOMING)).expect("listed"), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_file_that_was_changed_cut_off_swapped_or_removed_is_found_out() {
        let folder = Folder::new("damaged");
        let files = files(&folder);
        let (one, other) = (keep(&files, &vec![1; 3 * PIECE]), keep(&files, &vec![2; 3 * PIECE]));
        let whole = std::fs::read(files.path(one)).expect("readable");
        let damaged = |content: &[u8]| {
            std::fs::write(files.path(one), content).expect("written");
            assert!(matches!(files.verify(UnitId(1), one), Err(FileError::Damaged(name)) if name == one));
        };
        for at in [0, HEAD - 1, HEAD + 5, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            damaged(&changed);
        }
        for length in [0, 3, HEAD, HEAD + SEALED_PIECE, HEAD + 2 * SEALED_PIECE, whole.len() - 1] {
            damaged(&whole[..length]);
        }
        damaged(&[whole.as_slice(), b"x"].concat());
        damaged(&std::fs::read(files.path(other)).expect("readable"));
        std::fs::write(files.path(one), &whole).expect("written");
        assert!(files.verify(UnitId(1), one).is_ok());
        assert!(matches!(files.verify(UnitId(2), one), Err(FileError::Damaged(_))), "not this employer's");
        std::fs::remove_file(files.path(one)).expect("removed");
        assert!(matches!(files.open(one), Err(FileError::Missing(_))));
    }

    #[test]
    fn what_is_not_placed_leaves_nothing() {
        let folder = Folder::new("dropped");
        let files = files(&folder);
        let name = files.name(UnitId(1), b"content");
        drop(files.stage(name, b"content").expect("staged"));
        let mut seen = 0;
        let count = |found: Vec<Found>| {
            seen += found.len();
            Ok(())
        };
        files.walk(count).expect("walked");
        assert_eq!((seen, files.exists(name)), (0, false));
    }
}
