//! Synthetic numbers with valid checksums: resident IDs under area codes 3600xx, credit codes under area 369900.

use chrono::{Datelike, NaiveDate};

use crate::domain::ids::Sex;

/// A citizen ID: area 3600`area` (0 to 99), birth date, and a sequence made from `draw` (0 to 497) so that it tells the sex
/// and stays below 996, which was kept for centenarians.
pub fn resident_id(area: u8, born_on: NaiveDate, draw: u16, sex: Sex) -> [u8; 18] {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sequence = (draw % 498) * 2 + u16::from(sex == Sex::Male);
    let mut id = [b'0'; 18];
    write_digits(&mut id[0..6], 360_000 + u32::from(area % 100));
    write_digits(&mut id[6..10], born_on.year().unsigned_abs());
    write_digits(&mut id[10..12], born_on.month());
    write_digits(&mut id[12..14], born_on.day());
    write_digits(&mut id[14..17], u32::from(sequence));
    let sum: u32 = WEIGHTS.iter().zip(&id).map(|(weight, digit)| weight * u32::from(digit - b'0')).sum();
    id[17] = b"10X98765432"[(sum % 11) as usize];
    id
}

/// A credit code: two leading characters of the registering department and type (`91`, `12` …), area 369900, a subject
/// that is another one for every `serial` below a million, and both check characters.
pub fn credit_code(department: [u8; 2], serial: u32) -> [u8; 18] {
    const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    const SUBJECT_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
    const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
    let mut code = [b'0'; 18];
    code[..2].copy_from_slice(&department);
    code[2..8].copy_from_slice(b"369900");
    code[8..10].copy_from_slice(b"MA");
    // 7919 has no factor in common with a million: neighbours look unlike, and none occurs twice.
    write_digits(&mut code[10..16], (u64::from(serial) * 7919 % 1_000_000) as u32);
    let subject = |c: u8| if c.is_ascii_digit() { u32::from(c - b'0') } else { u32::from(c - b'A') + 10 };
    let sum: u32 = SUBJECT_WEIGHTS.iter().zip(&code[8..16]).map(|(weight, c)| weight * subject(*c)).sum();
    code[16] = match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + digit as u8,
    };
    let value = |c: u8| ALPHABET.iter().position(|letter| *letter == c).unwrap_or_default();
    let sum: usize = WEIGHTS.iter().zip(code).map(|(weight, c)| weight * value(c)).sum();
    code[17] = ALPHABET[(31 - sum % 31) % 31];
    code
}

fn write_digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// A number made of ASCII characters as text.
pub fn text(number: &[u8; 18]) -> &str {
    std::str::from_utf8(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ResidentId, Uscc};

    #[test]
    fn every_number_is_one_the_domain_accepts() {
        let born_on = NaiveDate::from_ymd_opt(2000, 2, 29).expect("day");
        for draw in 0..498 {
            let id = resident_id(draw as u8, born_on, draw, Sex::Female);
            let parsed = ResidentId::parse(text(&id)).expect("valid ID");
            assert_eq!((parsed.birth_date(), parsed.sex()), (born_on, Sex::Female));
            let code = credit_code(*b"91", u32::from(draw));
            let parsed = Uscc::parse(text(&code)).expect("valid code");
            assert!(parsed.subject_check_fits());
        }
    }
}
