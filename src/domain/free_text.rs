//! What people write in their own words: reasons and notes are kept for good and read by many, so they hold no ID number.

use super::ids::{ResidentId, normalise};

/// Signs that people put between the digits of a number.
const SEPARATORS: &[char] = &['-', '.', '_', '/', '·', '—', '－'];
const ID_SIGNS: usize = 18;
/// Before 1999.
const OLD_ID_SIGNS: usize = 15;

/// Whether a resident ID stands in the text: alone, within a certificate number, full-width, or with blanks or hyphens in it.
pub fn holds_id_number(text: &str) -> bool {
    let joined: String = normalise(text).chars().filter(|sign| !SEPARATORS.contains(sign)).collect();
    let numeric = |sign: &u8| sign.is_ascii_digit() || *sign == b'X';
    let is_id = |word: &[u8]| {
        word.iter().all(numeric) && std::str::from_utf8(word).is_ok_and(|word| ResidentId::parse(word).is_ok())
    };
    let old = |word: &str| word.len() == OLD_ID_SIGNS && is_id(word.as_bytes());
    joined.as_bytes().windows(ID_SIGNS).any(is_id) || words(text).any(|word| old(&normalise(word)))
}

/// Runs of letters and digits of either width.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|sign: char| !sign.is_ascii_alphanumeric() && !('！'..='～').contains(&sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_number_is_found_however_it_is_written() {
        for text in [
            "360001198005050117",
            "证号360001198005050117，已核",
            "36000119800505011741B1",
            "３６０００１１９８００５０５０１１７",
            "360001 19800505 0117",
            "360001-19800505-0117 seen",
            "no. 12 360001198005050117",
            "old: 360001800505011",
            "证号36000119800505007X，已核",
        ] {
            assert!(holds_id_number(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_only_numbers() {
        for text in [
            "",
            "receipt 202500000000000001",
            "银行回单 2025-04-15 第 3 页",
            "91369900MA00000152",
            "360001198005050118",
            "abcdefghijklmno",
            "123456789012345",
            "019d8ec6-1a00-7000-8000-000000000001",
            "0797-8391234, 13900000000",
        ] {
            assert!(!holds_id_number(text), "{text}");
        }
    }
}
