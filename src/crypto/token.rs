//! Tokens by which a user is known: 256 random bits, of which only a hash is kept; and secrets of as many bits by which requests are signed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::{CryptoError, random};

const PREFIX: &str = "rz_";
const SECRET_PREFIX: &str = "rzs_";
const BYTES: usize = 32;

/// A token just made: its text is shown once, its hash kept.
pub struct NewToken {
    /// `rz_` and 43 signs of base64url.
    pub text: String,
    pub hash: [u8; 32],
}

impl fmt::Debug for NewToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NewToken").finish_non_exhaustive()
    }
}

impl NewToken {
    pub fn generate() -> Result<Self, CryptoError> {
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random::<BYTES>()?));
        Ok(Self { hash: Sha256::digest(text.as_bytes()).into(), text })
    }
}

/// Under which hash a token is kept; `None` where the text can be none. A plain hash will do: nobody guesses 256 bits.
pub fn token_hash(text: &str) -> Option<[u8; 32]> {
    let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
    (bytes.len() == BYTES).then(|| Sha256::digest(text.as_bytes()).into())
}

/// A secret that signs requests to one receiver: `rzs_` and 43 signs of base64url. The key is the text as it stands.
pub fn new_signing_secret() -> Result<String, CryptoError> {
    Ok(format!("{SECRET_PREFIX}{}", URL_SAFE_NO_PAD.encode(random::<BYTES>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_the_hash_it_was_made_with_and_no_two_are_alike() {
        let (one, two) = (NewToken::generate().expect("random"), NewToken::generate().expect("random"));
        assert_eq!(token_hash(&one.text), Some(one.hash));
        assert!(one.text != two.text && one.hash != two.hash);
        assert_eq!(one.text.len(), 46);
        assert!(!format!("{one:?}").contains(&one.text[3..]));
    }

    #[test]
    fn what_can_be_no_token_has_no_hash() {
        let token = NewToken::generate().expect("random").text;
        for text in ["", "rz_", &token[3..], &token[..45], &format!("{token}A"), &token.replace("rz_", "rz_ ")] {
            assert_eq!(token_hash(text), None, "{text}");
        }
    }

    #[test]
    fn a_signing_secret_is_no_token_and_no_two_are_alike() {
        let (one, two) = (new_signing_secret().expect("random"), new_signing_secret().expect("random"));
        assert_ne!(one, two);
        assert_eq!((one.len(), token_hash(&one)), (47, None));
    }
}
