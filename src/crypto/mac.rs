//! HMAC with SM3 or SHA-256, for keys of any length.

use hmac::{EagerHash, Hmac, KeyInit};
use sha2::Sha256;
use sm3::{Digest, Sm3};

pub(super) type HmacSm3 = Hmac<Sm3>;
pub(super) type HmacSha256 = Hmac<Sha256>;

/// The block of both digests, and so the longest key that HMAC takes as it is (RFC 2104).
const BLOCK: usize = 64;

pub(super) fn hmac_sm3(key: &[u8]) -> HmacSm3 {
    HmacSm3::new(&padded::<Sm3>(key).into())
}

pub(super) fn hmac_sha256(key: &[u8]) -> HmacSha256 {
    HmacSha256::new(&padded::<Sha256>(key).into())
}

/// RFC 2104: a key longer than the block is its digest, a shorter one is filled with zeros. Done here, since a key of
/// the exact length has a constructor that cannot fail.
fn padded<D: Digest + EagerHash>(key: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        let digest = D::digest(key);
        block[..digest.len()].copy_from_slice(&digest);
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    block
}

#[cfg(test)]
mod tests {
    use hmac::Mac;

    use super::*;

    /// GB/T 32905, appendix A.1.
    #[test]
    fn sm3_gives_the_standards_vector() {
        assert_eq!(
            hex::encode(Sm3::digest(b"abc")),
            "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
        );
    }

    /// `printf abc | openssl dgst -sm3 -mac HMAC -macopt hexkey:0001…1f`, and ten `a` under eighty bytes `aa`.
    #[test]
    fn hmac_sm3_agrees_with_openssl_for_short_and_long_keys() {
        let key: Vec<u8> = (0..32).collect();
        let mac = |key: &[u8], text: &[u8]| hex::encode(hmac_sm3(key).chain_update(text).finalize().into_bytes());
        assert_eq!(mac(&key, b"abc"), "a8f95cf26f204957e7ca73c9602a25dda35f168b28103b51dfc968c810416b63");
        assert_eq!(mac(&[0xaa; 80], b"aaaaaaaaaa"), "36a8a7e80bb0e940d9ddb4605bbadf78ebdcdad7fb94fb851438b8d4c68fdd03");
    }

    /// RFC 4231, test cases 2 and 6.
    #[test]
    fn hmac_sha256_gives_the_vectors_of_rfc_4231() {
        let mac = |key: &[u8], text: &[u8]| hex::encode(hmac_sha256(key).chain_update(text).finalize().into_bytes());
        assert_eq!(
            mac(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            mac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
