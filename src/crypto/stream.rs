//! Files encrypted piece by piece, each file with a key of its own that rests at its head under the installation's key.
//!
//! ```text
//! "RZE1" ‖ key version (1 byte) ‖ nonce (12) ‖ file key, encrypted (16) ‖ tag (16)
//! piece 0 ‖ tag (16) ‖ piece 1 ‖ tag (16) ‖ …
//! ```
//!
//! Every piece but the last has [`PIECE`] bytes. Its number is its nonce: a file key encrypts each number once. Authenticated with
//! it are the file's name, its number and whether it is the last, so that pieces that were changed, cut off, put elsewhere or taken from
//! another file do not open.

use aes_gcm::{AeadInOut, KeyInit, aead::inout::InOutBuf};
use hmac::Mac;

use super::keys::{Keys, Sm4Gcm};
use super::mac::HmacSm3;
use super::sealed::Purpose;
use super::{CryptoError, random, wipe};

/// Plain bytes of a piece.
pub const PIECE: usize = 64 * 1024;
const TAG: usize = 16;
/// Bytes of a piece as it rests.
pub const SEALED_PIECE: usize = PIECE + TAG;
const NONCE: usize = 12;
const FILE_KEY: usize = 16;
const MAGIC: &[u8; 4] = b"RZE1";
/// Bytes before the first piece.
pub const HEAD: usize = MAGIC.len() + 1 + NONCE + FILE_KEY + TAG;

/// Under which name a file rests: a keyed hash of whose it is and what it holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentName(pub [u8; 32]);

impl std::fmt::Display for ContentName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for ContentName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, formatter)
    }
}

impl ContentName {
    /// As it is written: 64 hexadecimal digits in lower case.
    pub fn parse(digits: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        (hex::encode(bytes) == digits).then_some(Self(bytes))
    }
}

/// Makes a [`ContentName`] from a content that comes piece by piece.
pub struct Naming(HmacSm3);

impl Naming {
    pub fn add(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub fn name(self) -> ContentName {
        ContentName(self.0.finalize().into_bytes().into())
    }
}

impl Keys {
    /// Begins the name of a content that belongs to `owner`: of another owner the same content has another name, so that nobody
    /// learns that somebody else has it too.
    pub fn name_content(&self, owner: i64) -> Naming {
        let mut mac = self.current().mac.clone();
        mac.update(&[Purpose::File as u8]);
        mac.update(&owner.to_be_bytes());
        Naming(mac)
    }
}

/// The cipher of one file.
struct FileCipher {
    cipher: Sm4Gcm,
    name: ContentName,
}

impl FileCipher {
    /// Takes the key out of where it stands.
    fn new(key: &mut [u8; FILE_KEY], name: ContentName) -> Self {
        let cipher = Sm4Gcm::new(&(*key).into());
        wipe(key);
        Self { cipher, name }
    }

    fn associated_data(&self, number: u32, last: bool) -> [u8; 37] {
        let mut data = [0; 37];
        data[..32].copy_from_slice(&self.name.0);
        data[32..36].copy_from_slice(&number.to_be_bytes());
        data[36] = u8::from(last);
        data
    }
}

fn nonce(number: u32) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    nonce[NONCE - 4..].copy_from_slice(&number.to_be_bytes());
    nonce
}

/// What the wrapped key is authenticated with.
fn head_data(version: u8, name: ContentName) -> Vec<u8> {
    [MAGIC.as_slice(), &[version], &name.0].concat()
}

/// Encrypts a file, piece by piece.
pub struct Sealing {
    file: FileCipher,
    number: u32,
}

impl Sealing {
    /// A new file, and its head.
    pub fn begin(keys: &Keys, name: ContentName) -> Result<(Self, Vec<u8>), CryptoError> {
        let version = keys.current_version();
        let mut key: [u8; FILE_KEY] = random()?;
        let head_nonce: [u8; NONCE] = random()?;
        let mut head = Vec::with_capacity(HEAD);
        head.extend_from_slice(MAGIC);
        head.push(version);
        head.extend_from_slice(&head_nonce);
        let wrapped = head.len();
        head.extend_from_slice(&key);
        let tag = keys
            .current()
            .cipher
            .encrypt_inout_detached(&head_nonce.into(), &head_data(version, name), InOutBuf::from(&mut head[wrapped..]))
            .map_err(|_| CryptoError::Damaged)?;
        head.extend_from_slice(&tag);
        Ok((Self { file: FileCipher::new(&mut key, name), number: 0 }, head))
    }

    /// The next piece as it rests. All but the last have [`PIECE`] bytes.
    pub fn seal(&mut self, piece: &[u8], last: bool) -> Result<Vec<u8>, CryptoError> {
        debug_assert!(piece.len() == PIECE || last && piece.len() < PIECE, "pieces are whole but for the last");
        let mut sealed = Vec::with_capacity(piece.len() + TAG);
        sealed.extend_from_slice(piece);
        let tag = self
            .file
            .cipher
            .encrypt_inout_detached(
                &nonce(self.number).into(),
                &self.file.associated_data(self.number, last),
                InOutBuf::from(sealed.as_mut_slice()),
            )
            .map_err(|_| CryptoError::Damaged)?;
        sealed.extend_from_slice(&tag);
        self.number += 1;
        Ok(sealed)
    }
}

/// Decrypts a file, piece by piece, in their order.
pub struct Opening {
    file: FileCipher,
    number: u32,
}

impl Opening {
    /// Reads the head of the file that rests under `name`.
    pub fn begin(keys: &Keys, name: ContentName, head: &[u8; HEAD]) -> Result<Self, CryptoError> {
        let rest = head.strip_prefix(MAGIC.as_slice()).ok_or(CryptoError::Damaged)?;
        let (&version, rest) = rest.split_first().ok_or(CryptoError::Damaged)?;
        let (head_nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(CryptoError::Damaged)?;
        let (wrapped, tag) = rest.split_last_chunk::<TAG>().ok_or(CryptoError::Damaged)?;
        let mut key: [u8; FILE_KEY] = wrapped.try_into().map_err(|_| CryptoError::Damaged)?;
        keys.version(version)?
            .cipher
            .decrypt_inout_detached(
                &(*head_nonce).into(),
                &head_data(version, name),
                InOutBuf::from(key.as_mut_slice()),
                &(*tag).into(),
            )
            .map_err(|_| CryptoError::Damaged)?;
        Ok(Self { file: FileCipher::new(&mut key, name), number: 0 })
    }

    /// The next piece, plain. Whoever reads knows by the end of the file which is the last.
    pub fn open(&mut self, mut sealed: Vec<u8>, last: bool) -> Result<Vec<u8>, CryptoError> {
        let plain = sealed.len().checked_sub(TAG).ok_or(CryptoError::Damaged)?;
        let tag: [u8; TAG] = sealed[plain..].try_into().map_err(|_| CryptoError::Damaged)?;
        sealed.truncate(plain);
        self.file
            .cipher
            .decrypt_inout_detached(
                &nonce(self.number).into(),
                &self.file.associated_data(self.number, last),
                InOutBuf::from(sealed.as_mut_slice()),
                &tag.into(),
            )
            .map_err(|_| CryptoError::Damaged)?;
        self.number += 1;
        Ok(sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::generate().expect("keys")
    }

    fn name(keys: &Keys, owner: i64, content: &[u8]) -> ContentName {
        let mut naming = keys.name_content(owner);
        naming.add(content);
        naming.name()
    }

    fn seal(keys: &Keys, name: ContentName, content: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (mut sealing, head) = Sealing::begin(keys, name).expect("begun");
        let pieces: Vec<&[u8]> = content.chunks(PIECE).collect();
        let sealed = pieces.iter().enumerate().map(|(at, piece)| sealing.seal(piece, at + 1 == pieces.len()));
        (head, sealed.collect::<Result<_, _>>().expect("sealed"))
    }

    fn open(keys: &Keys, name: ContentName, head: &[u8], pieces: &[Vec<u8>]) -> Result<Vec<u8>, CryptoError> {
        let mut opening = Opening::begin(keys, name, head.try_into().expect("a head"))?;
        let mut content = Vec::new();
        for (at, piece) in pieces.iter().enumerate() {
            content.extend(opening.open(piece.clone(), at + 1 == pieces.len())?);
        }
        Ok(content)
    }

    #[test]
    fn a_file_opens_as_it_was_and_after_a_rotation_too() {
        let keys = keys();
        for length in [1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let name = name(&keys, 1, &content);
            let (head, pieces) = seal(&keys, name, &content);
            assert_eq!(open(&keys, name, &head, &pieces).expect("opened"), content, "{length} bytes");
            let rotated = keys.rotated().expect("rotated");
            assert_eq!(open(&rotated, name, &head, &pieces).expect("opened"), content, "{length} bytes");
        }
    }

    #[test]
    fn pieces_that_were_changed_cut_off_moved_or_swapped_do_not_open() {
        let keys = keys();
        let content = vec![7; 3 * PIECE];
        let name = name(&keys, 1, &content);
        let (head, pieces) = seal(&keys, name, &content);
        let (other_head, other) = seal(&keys, name, &content);
        let refused = |head: &[u8], pieces: &[Vec<u8>]| {
            assert!(matches!(open(&keys, name, head, pieces), Err(CryptoError::Damaged)));
        };
        refused(&head, &pieces[..2]);
        refused(&head, &[pieces[1].clone(), pieces[0].clone(), pieces[2].clone()]);
        refused(&head, &[pieces.clone(), vec![pieces[2].clone()]].concat());
        refused(&head, &[pieces[0].clone(), other[1].clone(), pieces[2].clone()]);
        refused(&other_head, &pieces);
        let mut changed = pieces.clone();
        changed[1][100] ^= 1;
        refused(&head, &changed);
        let mut cut = pieces.clone();
        cut[2].truncate(5);
        refused(&head, &cut);
        for at in [0, 4, 6, 20, HEAD - 1] {
            let mut head = head.clone();
            head[at] ^= 1;
            let opened = open(&keys, name, &head, &pieces);
            assert!(matches!(opened, Err(CryptoError::Damaged | CryptoError::UnknownVersion { .. })), "byte {at}");
        }
        assert!(matches!(open(&keys, ContentName([0; 32]), &head, &pieces), Err(CryptoError::Damaged)), "renamed");
    }

    #[test]
    fn a_name_depends_on_the_owner_and_the_content_and_not_on_where_pieces_end() {
        let keys = keys();
        let whole = name(&keys, 1, b"content");
        assert_ne!(whole, name(&keys, 2, b"content"));
        assert_ne!(whole, name(&keys, 1, b"contents"));
        let mut naming = keys.name_content(1);
        naming.add(b"con");
        naming.add(b"tent");
        assert_eq!(naming.name(), whole);
        assert_eq!(ContentName::parse(&whole.to_string()), Some(whole));
        assert_eq!(ContentName::parse(&whole.to_string().to_uppercase()).filter(|name| *name == whole), None);
    }
}
