//! Encryption of personal data, blind indexes, message signatures, and tokens.
//!
//! Values rest as SM4-GCM (GB/T 32907, parameters of RFC 8998) and are found by HMAC-SM3 (GB/T 32905). The crates are not products
//! certified for 密评; whoever needs one puts a cipher machine behind [`Keys`].

mod code;
mod keys;
mod mac;
mod sealed;
mod signature;
pub mod stream;
mod token;

use std::path::PathBuf;

pub use code::{NewCode, comparable_code};
pub use keys::{Keys, MAX_VERSIONS};
pub use sealed::Place;
pub use signature::{SignatureAlgorithm, Signed, content_digest_header};
pub use token::{NewToken, new_signing_secret, token_hash};

/// What can go wrong with keys and encrypted values. Neither keys nor values appear in it.
#[derive(Debug, thiserror::Error)]
pub enum CryptoError {
    #[error("cannot read the key file {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot write the key file {path}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{path} exists already and is not overwritten: without its keys nothing encrypted with them can be read")]
    Exists { path: PathBuf },
    #[error("{path} is not a regular file")]
    NotAFile { path: PathBuf },
    #[error("{path} has mode {mode:04o}, others may read it; accepted is 0600: chmod 600 {path}")]
    Permissions { path: PathBuf, mode: u32 },
    #[error("keys, line {line}: {expected}")]
    Format { line: usize, expected: &'static str },
    #[error("there are {MAX_VERSIONS} key versions, no more fit")]
    TooManyVersions,
    #[error("no key of version {version}; known are versions up to {newest}")]
    UnknownVersion { version: u8, newest: u8 },
    #[error("an encrypted value does not open at its place: damaged, moved from another row, or made with other keys")]
    Damaged,
    #[error("the operating system gave no random numbers")]
    Random { source: getrandom::Error },
}

/// Overwrites bytes that held a key. The black box keeps the compiler from leaving the writes out.
fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    std::hint::black_box(bytes);
}

fn random<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|source| CryptoError::Random { source })?;
    Ok(bytes)
}

/// Whether two hashes are the same, after the same work wherever they differ.
pub fn same_hash(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let differing = one.iter().zip(other).fold(0, |bits, (one, other)| bits | (one ^ other));
    std::hint::black_box(differing) == 0
}

/// 128 random bits in hexadecimal: what shows that its bearer was given it. Keep only a hash.
pub fn random_receipt() -> Result<String, CryptoError> {
    Ok(hex::encode(random::<16>()?))
}
