//! Signatures of messages to the tax department, and the digest of their bodies.
//!
//! Signed is `METHOD\npath\ntimestamp\ndigest`; the signature is standard base64 with padding.

use std::fmt;
use std::str::FromStr;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::Mac;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::mac::{hmac_sha256, hmac_sm3};

/// The two algorithms a tax department may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureAlgorithm {
    HmacSm3,
    HmacSha256,
}

impl SignatureAlgorithm {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSm3 => "hmac-sm3",
            Self::HmacSha256 => "hmac-sha256",
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A word that names no algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a signature algorithm; accepted are hmac-sm3 and hmac-sha256")]
pub struct UnknownAlgorithm;

impl FromStr for SignatureAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::HmacSm3, Self::HmacSha256].into_iter().find(|known| known.as_str() == word).ok_or(UnknownAlgorithm)
    }
}

/// What a signature covers, each as it stands in the request. None of them can hold a newline: HTTP forbids it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed<'a> {
    /// Upper case, as HTTP has it.
    pub method: &'a str,
    /// From the first slash, with the query if there is one.
    pub path: &'a str,
    /// The value of `X-Renzheng-Timestamp`.
    pub timestamp: &'a str,
    /// The value of `Content-Digest`.
    pub content_digest: &'a str,
}

impl Signed<'_> {
    fn text(&self) -> String {
        [self.method, self.path, self.timestamp, self.content_digest].join("\n")
    }

    /// The signature in standard base64. The key may have any length.
    pub fn sign(&self, algorithm: SignatureAlgorithm, key: &[u8]) -> String {
        let text = self.text();
        match algorithm {
            SignatureAlgorithm::HmacSm3 => STANDARD.encode(hmac_sm3(key).chain_update(text).finalize().into_bytes()),
            SignatureAlgorithm::HmacSha256 => {
                STANDARD.encode(hmac_sha256(key).chain_update(text).finalize().into_bytes())
            }
        }
    }

    /// Whether the signature is this text's under this key, compared in constant time.
    pub fn verify(&self, algorithm: SignatureAlgorithm, key: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else {
            return false;
        };
        let text = self.text();
        match algorithm {
            SignatureAlgorithm::HmacSm3 => hmac_sm3(key).chain_update(text).verify_slice(&signature).is_ok(),
            SignatureAlgorithm::HmacSha256 => hmac_sha256(key).chain_update(text).verify_slice(&signature).is_ok(),
        }
    }
}

/// The value of `Content-Digest` for a body: `sha-256=:BASE64:` (RFC 9530, section 2).
pub fn content_digest_header(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: Signed<'_> = Signed {
        method: "POST",
        path: "/certifications",
        timestamp: "2026-03-01T08:00:00+08:00",
        content_digest: "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
    };

    /// RFC 9530, appendix B.1.
    #[test]
    fn a_content_digest_is_that_of_rfc_9530() {
        assert_eq!(
            content_digest_header(b"{\"hello\": \"world\"}\n"),
            "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
        );
        assert_eq!(content_digest_header(b"{\"hello\": \"world\"}"), SIGNED.content_digest);
    }

    /// `printf 'POST\n/certifications\n…' | openssl dgst -sm3 -mac HMAC -macopt key:synthetic -binary | base64`, and with `-sha256`.
    #[test]
    fn signatures_agree_with_openssl() {
        assert_eq!(
            SIGNED.sign(SignatureAlgorithm::HmacSm3, b"synthetic"),
            "8gyxHPfY4p5G0dAXxkpYwb7eRjRUwEC76J/2I15n9VM="
        );
        assert_eq!(
            SIGNED.sign(SignatureAlgorithm::HmacSha256, b"synthetic"),
            "biyX4c08wD+8/lG2VYR1oGVlmOw/i7+P01ihP5HsLRY="
        );
    }

    #[test]
    fn a_signature_holds_for_its_text_key_and_algorithm_only() {
        for algorithm in [SignatureAlgorithm::HmacSm3, SignatureAlgorithm::HmacSha256] {
            let signature = SIGNED.sign(algorithm, b"synthetic");
            assert!(SIGNED.verify(algorithm, b"synthetic", &signature));
            assert!(!SIGNED.verify(algorithm, b"another", &signature));
            assert!(!SIGNED.verify(algorithm, b"synthetic", ""));
            assert!(!SIGNED.verify(algorithm, b"synthetic", &signature[..signature.len() - 4]));
            assert!(!Signed { method: "PUT", ..SIGNED }.verify(algorithm, b"synthetic", &signature));
            assert!(!Signed { path: "/other", ..SIGNED }.verify(algorithm, b"synthetic", &signature));
            assert!(!Signed { timestamp: "", ..SIGNED }.verify(algorithm, b"synthetic", &signature));
            assert!(!Signed { content_digest: "", ..SIGNED }.verify(algorithm, b"synthetic", &signature));
        }
        let signature = SIGNED.sign(SignatureAlgorithm::HmacSm3, b"synthetic");
        assert!(!SIGNED.verify(SignatureAlgorithm::HmacSha256, b"synthetic", &signature));
    }

    #[test]
    fn algorithms_are_known_by_their_words() {
        for algorithm in [SignatureAlgorithm::HmacSm3, SignatureAlgorithm::HmacSha256] {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
            assert_eq!(serde_json::to_string(&algorithm).expect("json"), format!("\"{algorithm}\""));
        }
        assert_eq!("md5".parse::<SignatureAlgorithm>(), Err(UnknownAlgorithm));
    }
}
