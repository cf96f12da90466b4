//! Values encrypted for their place, and the keyed hashes by which they are found.
//!
//! An encrypted value is `key version (1 byte) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`: 29 bytes more than the plain one.

use aes_gcm::{AeadInOut, aead::inout::InOutBuf};
use hmac::Mac;
use uuid::Uuid;

use super::keys::{KeyVersion, Keys};
use super::mac::hmac_sm3;
use super::{CryptoError, random};

const NONCE: usize = 12;
const TAG: usize = 16;
const HEAD: usize = 1 + NONCE;

/// Where a value rests. It is authenticated with the value: copied to another row or column it does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub table: &'a str,
    pub column: &'a str,
    /// The row's primary key.
    pub row: i64,
}

impl Place<'_> {
    fn associated_data(&self, version: u8) -> Vec<u8> {
        let mut data = Vec::with_capacity(self.table.len() + self.column.len() + 17);
        for name in [self.table, self.column] {
            data.extend_from_slice(&(name.len() as u32).to_be_bytes());
            data.extend_from_slice(name.as_bytes());
        }
        data.extend_from_slice(&self.row.to_be_bytes());
        data.push(version);
        data
    }
}

/// What a keyed hash is for. Each purpose is a family of its own: equal texts give unrelated hashes.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Check = 1,
    Index = 2,
    Record = 3,
    Content = 4,
    Page = 5,
    File = 6,
    Document = 7,
}

/// Stands for the length of a field that is absent, which is not an empty one.
const ABSENT: u32 = u32::MAX;

fn hash<'a>(version: &KeyVersion, purpose: Purpose, fields: impl IntoIterator<Item = Option<&'a [u8]>>) -> [u8; 32] {
    let mut mac = version.mac.clone();
    mac.update(&[purpose as u8]);
    for field in fields {
        match field {
            Some(field) => {
                mac.update(&(field.len() as u32).to_be_bytes());
                mac.update(field);
            }
            None => mac.update(&ABSENT.to_be_bytes()),
        }
    }
    mac.finalize().into_bytes().into()
}

fn first<const N: usize>(hash: [u8; 32]) -> [u8; N] {
    std::array::from_fn(|position| hash[position])
}

impl Keys {
    /// Encrypts for one place with the current key and a random nonce. Fails only if the operating system has no random numbers.
    pub fn encrypt(&self, plain: &[u8], place: Place<'_>) -> Result<Vec<u8>, CryptoError> {
        let version = self.current_version();
        let nonce: [u8; NONCE] = random()?;
        let mut sealed = Vec::with_capacity(HEAD + plain.len() + TAG);
        sealed.push(version);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = self
            .current()
            .cipher
            .encrypt_inout_detached(&nonce.into(), &place.associated_data(version), InOutBuf::from(&mut sealed[HEAD..]))
            // A value longer than 64 GiB: it does not come this far, and has no tag either.
            .map_err(|_| CryptoError::Damaged)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Decrypts what [`Keys::encrypt`] made for the same place, whichever key version made it.
    pub fn decrypt(&self, sealed: &[u8], place: Place<'_>) -> Result<Vec<u8>, CryptoError> {
        let (&version, rest) = sealed.split_first().ok_or(CryptoError::Damaged)?;
        let key = self.version(version)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(CryptoError::Damaged)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or(CryptoError::Damaged)?;
        let mut plain = ciphertext.to_vec();
        key.cipher
            .decrypt_inout_detached(
                &(*nonce).into(),
                &place.associated_data(version),
                InOutBuf::from(plain.as_mut_slice()),
                &(*tag).into(),
            )
            .map_err(|_| CryptoError::Damaged)?;
        Ok(plain)
    }

    /// The key version of an encrypted value, 0 for an empty one: what a rotation looks for.
    pub fn version_of(sealed: &[u8]) -> u8 {
        sealed.first().copied().unwrap_or_default()
    }

    /// The hash by which a text is found without being read. `domain` keeps equal texts of different meaning apart (`person`,
    /// `certificate`); the text is compared as it is, so normalise first.
    pub fn blind_index(&self, domain: &str, text: &str) -> [u8; 32] {
        hash(self.current(), Purpose::Index, [Some(domain.as_bytes()), Some(text.as_bytes())])
    }

    /// The name under which an agency's record is kept: its own `record_id` often contains an ID number.
    pub fn record_key(&self, source: &str, record_id: &str) -> Uuid {
        let hash = hash(self.current(), Purpose::Record, [Some(source.as_bytes()), Some(record_id.as_bytes())]);
        Uuid::from_bytes(first(hash))
    }

    /// A digest of a record's fields in a fixed order, to see whether a delivery changed it. An absent field differs from an empty one.
    pub fn content_digest<'a>(&self, fields: impl IntoIterator<Item = Option<&'a [u8]>>) -> i64 {
        i64::from_be_bytes(first(hash(self.current(), Purpose::Content, fields)))
    }

    /// By which a page of a delivery is known again, from its plain digest: that one could be guessed from what the page may hold.
    pub fn page_digest(&self, digest: &[u8]) -> Vec<u8> {
        hash(self.current(), Purpose::Page, [Some(digest)]).to_vec()
    }

    /// What shows that a document is ours: of its number and the hash of its content. It stays what it is when keys are rotated, since the
    /// index key does.
    pub fn document_mac(&self, number: &str, content_hash: &[u8; 32]) -> [u8; 32] {
        hash(self.current(), Purpose::Document, [Some(number.as_bytes()), Some(content_hash.as_slice())])
    }

    /// What is stored to recognise the current keys: another encryption or index key gives another value, which betrays neither.
    pub fn check_value(&self) -> [u8; 32] {
        check_value(self.current_version(), self.current())
    }

    /// Every version with its check value, oldest first: stored ones that are missing or differ mean a wrong key, to be refused at start.
    pub fn check_values(&self) -> impl Iterator<Item = (u8, [u8; 32])> {
        self.numbered().map(|(number, version)| (number, check_value(number, version)))
    }
}

fn check_value(number: u8, version: &KeyVersion) -> [u8; 32] {
    let encryption: [u8; 32] =
        hmac_sm3(version.encryption_key()).chain_update(b"renzheng key check").finalize().into_bytes().into();
    hash(version, Purpose::Check, [Some([number].as_slice()), Some(encryption.as_slice())])
}

#[cfg(test)]
mod tests {
    use aes_gcm::KeyInit;
    use aes_gcm::aead::Aead;
    use aes_gcm::aead::Payload;
    use sm4::Sm4;
    use sm4::cipher::BlockCipherEncrypt;

    use super::super::keys::Sm4Gcm;
    use super::*;

    const PLACE: Place<'_> = Place { table: "person", column: "id_number", row: 42 };

    fn keys(encryption: &str, index: &str) -> Keys {
        let text = format!("renzheng-keys 1;current 1;key 1 {} {}", encryption.repeat(16), index.repeat(32));
        Keys::parse(&text).expect("keys")
    }

    fn bytes<const N: usize>(digits: &str) -> [u8; N] {
        let mut bytes = [0; N];
        hex::decode_to_slice(digits, &mut bytes).expect("hexadecimal digits");
        bytes
    }

    /// GB/T 32907, appendix A.1.
    #[test]
    fn sm4_gives_the_standards_vector() {
        let key: [u8; 16] = bytes("0123456789abcdeffedcba9876543210");
        let mut block = key.into();
        Sm4::new(&key.into()).encrypt_block(&mut block);
        assert_eq!(hex::encode(block), "681edf34d206965e86b3e94f536e4246");
    }

    #[test]
    fn sm4_gcm_gives_the_vector_of_rfc_8998() {
        let key: [u8; 16] = bytes("0123456789abcdeffedcba9876543210");
        let nonce: [u8; 12] = bytes("00001234567800000000abcd");
        let plain: [u8; 64] = bytes(
            "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd\
             eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
        );
        let aad: [u8; 20] = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let sealed = Sm4Gcm::new(&key.into()).encrypt(&nonce.into(), Payload { msg: &plain, aad: &aad });
        assert_eq!(
            hex::encode(sealed.expect("encrypted")),
            "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735\
             d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d\
             83de3541e4c2b58177e065a9bf7b62ec"
        );
    }

    #[test]
    fn a_value_opens_at_its_place_and_nowhere_else() {
        let keys = keys("01", "02");
        let sealed = keys.encrypt(b"360001199001011234", PLACE).expect("encrypted");
        assert_eq!(sealed.len(), 18 + 29);
        assert_eq!(keys.decrypt(&sealed, PLACE).expect("decrypted"), b"360001199001011234");
        for elsewhere in [
            Place { row: 43, ..PLACE },
            Place { column: "name", ..PLACE },
            Place { table: "certificate", ..PLACE },
            Place { table: "personid", column: "_number", row: 42 },
        ] {
            assert!(matches!(keys.decrypt(&sealed, elsewhere), Err(CryptoError::Damaged)));
        }
    }

    #[test]
    fn a_changed_or_cut_value_does_not_open() {
        let keys = keys("01", "02");
        let sealed = keys.encrypt(b"synthetic", PLACE).expect("encrypted");
        for position in 1..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(matches!(keys.decrypt(&changed, PLACE), Err(CryptoError::Damaged)), "byte {position}");
            assert!(matches!(keys.decrypt(&sealed[..position], PLACE), Err(CryptoError::Damaged)), "{position} bytes");
        }
        assert!(matches!(keys.decrypt(b"", PLACE), Err(CryptoError::Damaged)));
    }

    #[test]
    fn the_same_value_is_encrypted_differently_each_time() {
        let keys = keys("01", "02");
        assert_ne!(keys.encrypt(b"same", PLACE).expect("encrypted"), keys.encrypt(b"same", PLACE).expect("encrypted"));
    }

    #[test]
    fn after_a_rotation_old_values_open_and_new_ones_name_the_new_version() {
        let old = keys("01", "02");
        let sealed = old.encrypt(b"old", PLACE).expect("encrypted");
        let rotated = old.rotated().expect("rotated");
        assert_eq!(rotated.decrypt(&sealed, PLACE).expect("decrypted"), b"old");
        let sealed = rotated.encrypt(b"new", PLACE).expect("encrypted");
        assert_eq!(Keys::version_of(&sealed), 2);
        assert!(matches!(old.decrypt(&sealed, PLACE), Err(CryptoError::UnknownVersion { version: 2, newest: 1 })));
        assert_eq!(rotated.blind_index("person", "x"), old.blind_index("person", "x"));
    }

    #[test]
    fn an_index_depends_on_key_domain_and_text_and_not_on_where_one_ends() {
        let own = keys("01", "02");
        let index = own.blind_index("person", "360001199001011234");
        assert_eq!(index, own.blind_index("person", "360001199001011234"));
        assert_ne!(index, own.blind_index("certificate", "360001199001011234"));
        assert_ne!(index, own.blind_index("person3", "60001199001011234"));
        assert_ne!(index, keys("01", "03").blind_index("person", "360001199001011234"));
        assert_ne!(first::<16>(index), own.record_key("person", "360001199001011234").into_bytes());
    }

    #[test]
    fn a_content_digest_tells_absent_from_empty_and_one_field_from_two() {
        let keys = keys("01", "02");
        let digest = |fields: &[Option<&str>]| keys.content_digest(fields.iter().map(|field| field.map(str::as_bytes)));
        let same = digest(&[Some("a"), Some("b")]);
        assert_eq!(same, digest(&[Some("a"), Some("b")]));
        for other in
            [&[Some("ab")][..], &[Some("a"), Some("b"), None], &[Some("a"), Some("b"), Some("")], &[None, None]]
        {
            assert_ne!(same, digest(other));
        }
        assert_ne!(digest(&[None]), digest(&[Some("")]));
    }

    #[test]
    fn either_key_changes_the_check_value() {
        let check = keys("01", "02").check_value();
        assert_eq!(check, keys("01", "02").check_value());
        assert_ne!(check, keys("03", "02").check_value());
        assert_ne!(check, keys("01", "03").check_value());
        let rotated = keys("01", "02").rotated().expect("rotated");
        assert_eq!(rotated.check_values().collect::<Vec<_>>(), [(1, check), (2, rotated.check_value())]);
    }
}
