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

/// Whether a sign stands in the text that nobody writes: a control sign such as NUL, or what was decoded wrongly.
pub fn is_unreadable(text: &str) -> bool {
    text.chars().any(|sign| sign.is_control() || sign == '\u{FFFD}')
}

/// Why something is done, as it is kept: without what surrounds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a>(&'a str);

/// Why a text is no reason that can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReasonFault {
    #[error("say why: a reason is kept with it")]
    Missing,
    #[error("the reason has {0} signs, where up to {most} are accepted", most = Reason::MOST_SIGNS)]
    TooLong(usize),
    #[error("the reason holds control signs, or was decoded wrongly; accepted is one line of readable text")]
    Unreadable,
    #[error("the reason holds an ID number, which is not kept in clear; leave it out")]
    HoldsIdNumber,
}

impl<'a> Reason<'a> {
    pub const MOST_SIGNS: usize = 1000;

    pub fn parse(text: &'a str) -> Result<Self, ReasonFault> {
        let text = text.trim();
        match text.chars().count() {
            0 => Err(ReasonFault::Missing),
            signs if signs > Self::MOST_SIGNS => Err(ReasonFault::TooLong(signs)),
            _ if is_unreadable(text) => Err(ReasonFault::Unreadable),
            _ if holds_id_number(text) => Err(ReasonFault::HoldsIdNumber),
            _ => Ok(Self(text)),
        }
    }

    pub fn as_str(self) -> &'a str {
        self.0
    }
}

impl ReasonFault {
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "reason_missing",
            Self::TooLong(_) => "reason_too_long",
            Self::Unreadable => "reason_unreadable",
            // in a reason, as in a note
            Self::HoldsIdNumber => "note_holds_id_number",
        }
    }

    pub fn chinese(self) -> String {
        match self {
            Self::Missing => "请填写原因。".to_owned(),
            Self::TooLong(_) => format!("原因不得超过{}字。", Reason::MOST_SIGNS),
            Self::Unreadable => "原因含有乱码或控制字符。".to_owned(),
            Self::HoldsIdNumber => "说明中不得填写身份证号。".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_readable_line_of_at_most_a_thousand_signs_without_an_id_number() {
        assert_eq!(Reason::parse("  合同提前终止 ").map(Reason::as_str), Ok("合同提前终止"));
        assert!(Reason::parse(&"长".repeat(1000)).is_ok());
        for (text, fault) in [
            ("", ReasonFault::Missing),
            (" \n\t ", ReasonFault::Missing),
            (&*"长".repeat(1001), ReasonFault::TooLong(1001)),
            ("a\0b", ReasonFault::Unreadable),
            ("a\nb", ReasonFault::Unreadable),
            ("\u{FFFD}", ReasonFault::Unreadable),
            ("证号360001198005050117，已核", ReasonFault::HoldsIdNumber),
        ] {
            assert_eq!(Reason::parse(text), Err(fault), "{text:?}");
        }
        let faults =
            [ReasonFault::Missing, ReasonFault::TooLong(1001), ReasonFault::Unreadable, ReasonFault::HoldsIdNumber];
        let told = faults.map(|fault| (fault.code(), fault.chinese()));
        let expected = [
            ("reason_missing", "请填写原因。"),
            ("reason_too_long", "原因不得超过1000字。"),
            ("reason_unreadable", "原因含有乱码或控制字符。"),
            ("note_holds_id_number", "说明中不得填写身份证号。"),
        ];
        assert_eq!(told, expected.map(|(code, chinese)| (code, chinese.to_owned())));
    }

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
