//! Codes that people type: twelve signs that nobody mistakes for one another, the last of which checks the others.

use std::fmt;

use super::{CryptoError, random};

/// Digits and letters but 0, 1, I, L and O. They are 31, a prime: no mistyped sign and no two exchanged ones pass the check.
const ALPHABET: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";
const SIGNS: usize = 12;
/// Signs that are drawn: 31¹¹ codes, 54 bits.
const DRAWN: usize = SIGNS - 1;
const GROUP: usize = 4;

/// A code just made: its text is shown once. Keep only a keyed hash of the [`comparable`](NewCode::comparable) form.
pub struct NewCode([u8; SIGNS]);

impl fmt::Debug for NewCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NewCode").finish_non_exhaustive()
    }
}

impl NewCode {
    pub fn generate() -> Result<Self, CryptoError> {
        let mut places = [0; DRAWN];
        let mut drawn = 0;
        while drawn < DRAWN {
            // every sign as likely as another: what is over a multiple of 31 is drawn again
            for byte in random::<32>()? {
                if byte < 248 && drawn < DRAWN {
                    places[drawn] = byte % 31;
                    drawn += 1;
                }
            }
        }
        let mut signs = [0; SIGNS];
        for (sign, place) in signs.iter_mut().zip(places.iter().chain([&check_place(&places)])) {
            *sign = ALPHABET[usize::from(*place)];
        }
        Ok(Self(signs))
    }

    /// As it is shown: `7KQ2-M9XA-BBTD`.
    pub fn shown(&self) -> String {
        let groups: Vec<&str> = self.0.chunks(GROUP).filter_map(|group| std::str::from_utf8(group).ok()).collect();
        groups.join("-")
    }

    /// As it is hashed.
    pub fn comparable(&self) -> String {
        self.0.iter().map(|sign| char::from(*sign)).collect()
    }
}

/// A typed code as it is hashed, in capitals and without blanks and hyphens; `None` where it is mistyped.
pub fn comparable_code(typed: &str) -> Option<String> {
    let signs: Vec<char> = typed.chars().filter(|sign| !sign.is_whitespace() && *sign != '-').collect();
    if signs.len() != SIGNS {
        return None;
    }
    let mut places = [0; SIGNS];
    let mut text = String::with_capacity(SIGNS);
    for (place, sign) in places.iter_mut().zip(signs) {
        let sign = sign.to_ascii_uppercase();
        let at = ALPHABET.iter().position(|known| char::from(*known) == sign)?;
        *place = at as u8;
        text.push(sign);
    }
    let (check, drawn) = places.split_last()?;
    (*check == check_place(drawn)).then_some(text)
}

/// The place of the check sign: each sign weighs three times as much as the one before it, modulo 31.
fn check_place(places: &[u8]) -> u8 {
    let weighted = places
        .iter()
        .fold((0_u32, 3_u32), |(sum, weight), place| ((sum + weight * u32::from(*place)) % 31, weight * 3 % 31));
    weighted.0 as u8
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_code_is_read_as_it_was_shown_and_however_it_is_typed() {
        let code = NewCode::generate().expect("random");
        let shown = code.shown();
        assert_eq!(shown.len(), 14);
        for typed in [shown.clone(), shown.to_lowercase(), shown.replace('-', " "), shown.replace('-', "")] {
            assert_eq!(comparable_code(&typed), Some(code.comparable()), "{typed}");
        }
        assert!(!format!("{code:?}").contains(&code.comparable()[..4]));
    }

    #[test]
    fn every_single_slip_of_a_sign_and_every_exchange_of_neighbours_is_seen() {
        let code = NewCode::generate().expect("random").comparable();
        for place in 0..SIGNS {
            for sign in ALPHABET {
                let mut slip = code.clone().into_bytes();
                if slip[place] != *sign {
                    slip[place] = *sign;
                    assert_eq!(comparable_code(std::str::from_utf8(&slip).expect("ASCII")), None, "{place}");
                }
            }
            let mut exchanged = code.clone().into_bytes();
            if place + 1 < SIGNS && exchanged[place] != exchanged[place + 1] {
                exchanged.swap(place, place + 1);
                assert_eq!(comparable_code(std::str::from_utf8(&exchanged).expect("ASCII")), None, "{place}");
            }
        }
        for mistyped in ["", "7KQ2", "O0I1-L000-0000", &format!("{code}2"), &code.replace(&code[..1], "０")] {
            assert_eq!(comparable_code(mistyped), None, "{mistyped}");
        }
    }

    #[test]
    fn codes_are_drawn_from_all_signs_and_none_comes_twice() {
        let codes: Vec<String> = (0..200).map(|_| NewCode::generate().expect("random").comparable()).collect();
        assert_eq!(codes.iter().collect::<HashSet<_>>().len(), codes.len());
        let signs: HashSet<u8> = codes.iter().flat_map(|code| code.bytes()).collect();
        assert_eq!(signs, ALPHABET.iter().copied().collect());
    }
}
