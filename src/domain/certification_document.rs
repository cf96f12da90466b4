//! The document of a certification (认定书): what is printed on it, the code by which a reader checks it, and whether it is in force.
//!
//! It holds numbers of the employer and no person: never who, and never kind or level of a disability.

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};

/// What the document says. Frozen when it is issued first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct CertificationDocument {
    /// 认定书编号.
    pub certification_number: String,
    /// 版本.
    pub version: u32,
    /// 用人单位名称, as it was certified.
    pub employer_name: String,
    /// 统一社会信用代码.
    pub uscc: String,
    /// 认定年度.
    pub year: i16,
    /// 安置残疾人数 (按人).
    pub person_count: u32,
    /// 安置人月数, 不加权.
    pub unweighted_person_months: u32,
    /// 安置人月数, 加权.
    pub weighted_person_months: u32,
    /// 各月加权人数, January first.
    pub months: [u32; 12],
    /// 已安置残疾人就业人数.
    pub placed_persons: Placed,
    /// 完成申报时间, Beijing time.
    pub certified_at: DateTime<FixedOffset>,
    /// 税务部门接收时间, Beijing time.
    pub accepted_at: DateTime<FixedOffset>,
    /// 税务部门回执编号.
    pub receipt: String,
    /// 认定机构: the federation in charge when it was issued.
    pub issued_by: String,
}

/// The placed persons, exact and with two decimals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema), schemars(rename = "DocumentPlaced"))]
pub struct Placed {
    pub fraction: String,
    pub decimal: String,
}

/// Whether a version that the tax department accepted is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Validity {
    InForce,
    /// The tax department accepted a later version.
    Replaced {
        by: u32,
    },
    Withdrawn,
    /// The tax department rejected it after all, or took it out of force by itself.
    Revoked,
}

impl Validity {
    pub fn chinese(self) -> String {
        match self {
            Self::InForce => "有效".to_owned(),
            Self::Replaced { by } => format!("已被第{by}版替代，不再有效"),
            Self::Withdrawn => "已撤回，不再有效".to_owned(),
            Self::Revoked => "已被税务部门退回或取消，不再有效".to_owned(),
        }
    }
}

impl std::fmt::Display for Validity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InForce => f.write_str("in force"),
            Self::Replaced { by } => write!(f, "replaced by version {by}"),
            Self::Withdrawn => f.write_str("withdrawn"),
            Self::Revoked => f.write_str("taken back by the tax department"),
        }
    }
}

/// Crockford's alphabet: no sign is taken for another.
const ALPHABET: [u8; 32] = *b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SIGNS: usize = 12;

/// The code by which a document is checked: twelve signs (60 bits). `Display` groups them by four.
#[derive(Clone, Copy)]
pub struct CheckCode([u8; SIGNS]);

impl CheckCode {
    /// The first 60 bits of a keyed hash.
    pub fn from_mac(mac: &[u8; 32]) -> Self {
        let bits = mac.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        Self(std::array::from_fn(|place| ALPHABET[(bits >> (59 - 5 * place)) as usize & 31]))
    }

    /// Reads what somebody typed: capitals or not, grouped or not, `O` for 0, `I` and `L` for 1, full-width signs.
    pub fn parse(text: &str) -> Option<Self> {
        let normal = super::ids::normalise(text);
        let signs = normal.bytes().filter(|sign| *sign != b'-').map(|sign| match sign {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        });
        let signs: Vec<u8> = signs.take(SIGNS + 1).collect();
        let signs: [u8; SIGNS] = signs.try_into().ok()?;
        signs.iter().all(|sign| ALPHABET.contains(sign)).then_some(Self(signs))
    }

    /// Compared in constant time: how long it takes says nothing of where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        let difference = self.0.iter().zip(&other.0).fold(0, |difference, (own, other)| difference | (own ^ other));
        std::hint::black_box(difference) == 0
    }
}

impl std::fmt::Display for CheckCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, sign) in self.0.iter().enumerate() {
            if place > 0 && place % 4 == 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(*sign))?;
        }
        Ok(())
    }
}

/// A code lets whoever knows the number read the document: it is not logged.
impl std::fmt::Debug for CheckCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(a code)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_twelve_signs_that_nobody_mistakes() {
        let mut mac = [0; 32];
        assert_eq!(CheckCode::from_mac(&mac).to_string(), "0000-0000-0000");
        mac[..8].copy_from_slice(&[0xff; 8]);
        assert_eq!(CheckCode::from_mac(&mac).to_string(), "ZZZZ-ZZZZ-ZZZZ");
        mac[..8].copy_from_slice(&[0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb0]);
        assert_eq!(CheckCode::from_mac(&mac).to_string(), "0123-4567-89AB");
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = CheckCode::parse("0123-4567-89AB").expect("a code");
        for text in
            ["0123456789ab", "o123 4567 89ab", " O1 23-45 67-89AB ", "０１２３－４５６７－８９ＡＢ", "0L23-4567-89AB"]
        {
            assert!(CheckCode::parse(text).expect(text).matches(&code), "{text}");
        }
        for text in ["", "0123-4567-89A", "0123-4567-89ABC", "0123-4567-89AU", "字123-4567-89AB"] {
            assert!(CheckCode::parse(text).is_none(), "{text}");
        }
        assert!(!code.matches(&CheckCode::parse("0123-4567-89AC").expect("a code")));
    }

    #[test]
    fn two_codes_that_differ_twice_in_the_same_way_are_no_match() {
        let (one, other) = (CheckCode::parse("000000000000"), CheckCode::parse("110000000000"));
        assert!(!one.expect("a code").matches(&other.expect("a code")));
    }

    #[test]
    fn whether_a_document_holds_is_told_in_both_languages() {
        let told = [Validity::InForce, Validity::Replaced { by: 3 }, Validity::Withdrawn, Validity::Revoked]
            .map(|validity| (validity.to_string(), validity.chinese()));
        let expected = [
            ("in force", "有效"),
            ("replaced by version 3", "已被第3版替代，不再有效"),
            ("withdrawn", "已撤回，不再有效"),
            ("taken back by the tax department", "已被税务部门退回或取消，不再有效"),
        ];
        assert_eq!(told, expected.map(|(english, chinese)| (english.to_owned(), chinese.to_owned())));
    }
}
