//! The keys: versions, their text form, and the file that holds them.
//!
//! The text is lines, parted by newlines or semicolons (so that one line of an environment variable holds it); `#` opens a remark:
//!
//! ```text
//! renzheng-keys 1
//! current 2
//! key 1 <32 hexadecimal digits: SM4> <64 hexadecimal digits: HMAC-SM3>
//! key 2 …
//! ```

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aes_gcm::{AesGcm, KeyInit, aead::consts::U12};
use sm4::Sm4;

use super::mac::{HmacSm3, hmac_sm3};
use super::{CryptoError, random, wipe};

/// SM4 in Galois/counter mode with a 96-bit nonce and a 128-bit tag, as RFC 8998 has it.
pub(super) type Sm4Gcm = AesGcm<Sm4, U12>;

/// The version is stored in one byte, and 0 is none.
pub const MAX_VERSIONS: u8 = u8::MAX;

const TITLE: &str = "renzheng-keys 1";
const ENCRYPTION_BYTES: usize = 16;
const INDEX_BYTES: usize = 32;
/// All versions there can be, with remarks.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The keys of one installation: for each version an SM4 key and an HMAC-SM3 key. The current version encrypts; all of them decrypt.
///
/// 96-bit random nonces bear 2³² encryptions under one key (NIST SP 800-38D, 8.3): rotate before four thousand million values.
pub struct Keys {
    /// Version n at index n − 1; never empty.
    versions: Vec<KeyVersion>,
    current: usize,
}

/// One version, with the states that a key costs prepared once.
pub(super) struct KeyVersion {
    encryption: [u8; ENCRYPTION_BYTES],
    index: [u8; INDEX_BYTES],
    pub(super) cipher: Sm4Gcm,
    pub(super) mac: HmacSm3,
}

impl KeyVersion {
    fn new(encryption: [u8; ENCRYPTION_BYTES], index: [u8; INDEX_BYTES]) -> Self {
        Self { cipher: Sm4Gcm::new(&encryption.into()), mac: hmac_sm3(&index), encryption, index }
    }

    pub(super) fn encryption_key(&self) -> &[u8] {
        &self.encryption
    }
}

impl Drop for KeyVersion {
    fn drop(&mut self) {
        wipe(&mut self.encryption);
        wipe(&mut self.index);
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Keys")
            .field("versions", &self.versions.len())
            .field("current", &self.current_version())
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// New random keys, version 1.
    pub fn generate() -> Result<Self, CryptoError> {
        Ok(Self { versions: vec![KeyVersion::new(random()?, random()?)], current: 0 })
    }

    /// These keys and one more version, current from now on, with a new encryption key and the **same** index key: what is indexed by a
    /// hash alone (an agency's `record_id`, a content digest) cannot be computed anew, since its text is not kept.
    pub fn rotated(&self) -> Result<Self, CryptoError> {
        if self.versions.len() >= usize::from(MAX_VERSIONS) {
            return Err(CryptoError::TooManyVersions);
        }
        let mut versions: Vec<_> =
            self.versions.iter().map(|version| KeyVersion::new(version.encryption, version.index)).collect();
        versions.push(KeyVersion::new(random()?, self.current().index));
        Ok(Self { current: versions.len() - 1, versions })
    }

    /// The version that encrypts, from 1.
    pub fn current_version(&self) -> u8 {
        // At most 255 versions are ever let in.
        (self.current + 1) as u8
    }

    pub(super) fn current(&self) -> &KeyVersion {
        &self.versions[self.current]
    }

    /// All versions with their number, oldest first.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u8, &KeyVersion)> {
        (1..=MAX_VERSIONS).zip(&self.versions)
    }

    pub(super) fn version(&self, version: u8) -> Result<&KeyVersion, CryptoError> {
        usize::from(version)
            .checked_sub(1)
            .and_then(|index| self.versions.get(index))
            .ok_or(CryptoError::UnknownVersion { version, newest: self.versions.len() as u8 })
    }

    /// Reads the text form (module documentation), as a file or an environment variable holds it. Versions count from 1 without gaps.
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        let mut versions = Vec::new();
        let mut current = None;
        let mut titled = false;
        let mut last_line = 1;
        for (number, line) in text.lines().enumerate() {
            last_line = number + 1;
            let refuse = |expected| CryptoError::Format { line: number + 1, expected };
            let line = line.split_once('#').map_or(line, |(before, _)| before);
            for statement in line.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
                let words: Vec<&str> = statement.split_whitespace().collect();
                match words.as_slice() {
                    _ if !titled => {
                        titled = words.join(" ") == TITLE;
                        if !titled {
                            return Err(refuse("the first line is `renzheng-keys 1`"));
                        }
                    }
                    ["current", version] if current.is_none() => {
                        current =
                            Some(version.parse::<u8>().map_err(|_| refuse("`current` takes a number from 1 to 255"))?);
                    }
                    ["key", version, encryption, index] => {
                        if version.parse() != Ok(versions.len() + 1) || versions.len() >= usize::from(MAX_VERSIONS) {
                            return Err(refuse("key versions count 1, 2, 3 … up to 255"));
                        }
                        let encryption = bytes_of(encryption)
                            .ok_or_else(|| refuse("an encryption key has 32 hexadecimal digits"))?;
                        let index = bytes_of(index).ok_or_else(|| refuse("an index key has 64 hexadecimal digits"))?;
                        versions.push(KeyVersion::new(encryption, index));
                    }
                    _ => {
                        return Err(refuse("accepted are `current VERSION` (once) and `key VERSION ENCRYPTION INDEX`"));
                    }
                }
            }
        }
        let refuse = |expected| CryptoError::Format { line: last_line, expected };
        let current =
            current.ok_or_else(|| refuse("`renzheng-keys 1`, `current VERSION` and one `key` at least are needed"))?;
        match usize::from(current).checked_sub(1) {
            Some(index) if index < versions.len() => Ok(Self { versions, current: index }),
            _ => Err(refuse("`current` names a version that has no `key` line")),
        }
    }

    /// The text form: whoever sees it can read everything.
    pub fn to_text(&self) -> String {
        let keys: Vec<String> = self
            .numbered()
            .map(|(number, version)| {
                format!("key {number} {} {}\n", hex::encode(version.encryption), hex::encode(version.index))
            })
            .collect();
        format!(
            "# Whoever has these keys can read every encrypted value, without them nobody can. Keep a copy apart from the database.\n\
             {TITLE}\ncurrent {}\n{}",
            self.current_version(),
            keys.concat()
        )
    }

    /// Reads a key file. Refused if group or others have any right to it.
    pub fn read_file(path: &Path) -> Result<Self, CryptoError> {
        let failed = |source| CryptoError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(CryptoError::NotAFile { path: path.to_owned() });
        }
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(CryptoError::Permissions { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        let keys = file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(failed).and_then(|_| Self::parse(&text));
        wipe(&mut text.into_bytes());
        keys
    }

    /// Writes a new key file with mode 0600, whole or not at all; an existing one is never replaced.
    pub fn create_file(&self, path: &Path) -> Result<(), CryptoError> {
        self.write_beside(path, |new| {
            // A hard link, unlike a rename, fails where the name is taken.
            let linked = fs::hard_link(new, path);
            fs::remove_file(new)?;
            linked
        })
    }

    /// Replaces a key file by these keys, whole or not at all: for a rotation, whose keys include all former ones.
    pub fn replace_file(&self, path: &Path) -> Result<(), CryptoError> {
        self.write_beside(path, |new| fs::rename(new, path))
    }

    fn write_beside(&self, path: &Path, put: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), CryptoError> {
        let failed = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::AlreadyExists => CryptoError::Exists { path: path.to_owned() },
            _ => CryptoError::Write { path: path.to_owned(), source },
        };
        let mut suffix = path.file_name().unwrap_or_default().to_owned();
        suffix.push(format!(".{}.new", hex::encode(random::<6>()?)));
        let new = path.with_file_name(suffix);
        let mut text = self.to_text().into_bytes();
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            put(&new)?;
            File::open(directory_of(path))?.sync_all()
        })();
        wipe(&mut text);
        if written.is_err() {
            // The failure to tell is the first one; what is left over has mode 0600.
            let _left_over = fs::remove_file(&new);
        }
        written.map_err(failed)
    }
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn bytes_of<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = PathBuf::from(format!("/tmp/renzheng-test-keys-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        path
    }

    #[test]
    fn keys_survive_their_text_form_on_many_lines_or_one() {
        let keys = Keys::generate().and_then(|keys| keys.rotated()).expect("random keys");
        let text = keys.to_text();
        let one_line = text.lines().skip(1).collect::<Vec<_>>().join(";");
        for form in [text, one_line] {
            let read = Keys::parse(&form).expect("its own form");
            assert_eq!(read.current_version(), 2);
            assert_eq!(read.to_text(), keys.to_text());
        }
    }

    #[test]
    fn a_text_that_is_not_keys_is_refused_with_its_line_and_without_its_content() {
        let key = format!("key 1 {} {}", "0".repeat(32), "0".repeat(64));
        let refused = |text: &str| Keys::parse(text).expect_err("refused").to_string();
        assert_eq!(refused(""), "keys, line 1: `renzheng-keys 1`, `current VERSION` and one `key` at least are needed");
        assert_eq!(refused(&key), "keys, line 1: the first line is `renzheng-keys 1`");
        assert_eq!(
            refused(&format!("renzheng-keys 1\ncurrent 2\n{key}")),
            "keys, line 3: `current` names a version that has no `key` line"
        );
        assert_eq!(
            refused("renzheng-keys 1\ncurrent 0\nkey 1 c0ffee c0ffee"),
            "keys, line 3: an encryption key has 32 hexadecimal digits"
        );
        assert_eq!(
            refused(&format!("renzheng-keys 1\n{key}\n{key}")),
            "keys, line 3: key versions count 1, 2, 3 … up to 255"
        );
    }

    #[test]
    fn a_rotation_keeps_the_old_keys_and_the_index_key() {
        let keys = Keys::generate().expect("random keys");
        let rotated = keys.rotated().expect("random keys");
        assert_eq!(rotated.versions[0].encryption, keys.versions[0].encryption);
        assert_ne!(rotated.versions[1].encryption, keys.versions[0].encryption);
        assert_eq!(rotated.versions[1].index, keys.versions[0].index);
    }

    #[test]
    fn debug_shows_no_key() {
        let keys = Keys::parse(&format!("renzheng-keys 1;current 1;key 1 {} {}", "ab".repeat(16), "cd".repeat(32)));
        assert_eq!(format!("{:?}", keys.expect("keys")), "Keys { versions: 1, current: 1, .. }");
    }

    #[test]
    fn a_key_file_is_private_never_overwritten_by_creation_and_replaced_by_rotation() {
        let directory = directory("file");
        let path = directory.join("keys");
        let keys = Keys::generate().expect("random keys");
        keys.create_file(&path).expect("created");
        assert_eq!(fs::metadata(&path).expect("metadata").mode() & 0o7777, 0o600);
        assert_eq!(Keys::read_file(&path).expect("read").to_text(), keys.to_text());

        let rotated = keys.rotated().expect("random keys");
        assert!(matches!(rotated.create_file(&path), Err(CryptoError::Exists { .. })));
        assert_eq!(Keys::read_file(&path).expect("read").current_version(), 1);
        rotated.replace_file(&path).expect("replaced");
        assert_eq!(Keys::read_file(&path).expect("read").current_version(), 2);
        assert_eq!(fs::read_dir(&directory).expect("listed").count(), 1, "nothing is left beside it");
        fs::remove_dir_all(directory).expect("removed");
    }

    #[test]
    fn a_key_file_others_may_read_is_refused() {
        let directory = directory("mode");
        let path = directory.join("keys");
        Keys::generate().expect("random keys").create_file(&path).expect("created");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
        let refused = Keys::read_file(&path).expect_err("refused");
        assert!(matches!(refused, CryptoError::Permissions { mode: 0o640, .. }), "{refused}");
        fs::remove_dir_all(directory).expect("removed");
    }
}
