//! Numbers that identify persons, units and certificates: normalising, checksums, and how they are shown.

use std::borrow::Cow;
use std::fmt;

use chrono::NaiveDate;

/// What is wrong with a number. The number itself is never repeated: it may be a person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("wrong length")]
    Length,
    #[error("a character that does not belong there")]
    Character,
    #[error("not a day of the calendar")]
    BirthDate,
    #[error("the check digit does not fit")]
    CheckDigit,
    #[error("category is not 1 to 7")]
    Category,
    #[error("level is not 1 to 4")]
    Level,
    #[error("reissue suffix is not B and a number from 1")]
    Reissue,
}

/// GB/T 2261.1, as the 17th digit of a resident ID says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    Male,
    Female,
}

/// Full-width to half-width, white space and control characters removed, upper case: the form in which numbers are compared.
pub fn normalise(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_lowercase()) {
        return Cow::Borrowed(text);
    }
    text.chars().map(half_width).filter(|c| !is_blank(*c)).flat_map(char::to_uppercase).collect()
}

/// A name for comparison: no spaces or control characters, one middle dot (U+00B7), full-width letters and brackets half-width.
pub fn normalise_name(text: &str) -> Cow<'_, str> {
    // unified ideographs, which is nearly every name
    if text.chars().all(|c| matches!(c, '\u{4E00}'..='\u{9FFF}' | '\u{B7}')) {
        return Cow::Borrowed(text);
    }
    text.chars()
        .map(half_width)
        .filter(|c| !is_blank(*c))
        .map(|c| match c {
            '\u{2022}' | '\u{2027}' | '\u{22C5}' | '\u{2219}' | '\u{30FB}' | '\u{FF65}' | '\u{0387}' | '\u{16EB}'
            | '\u{2024}' => '\u{B7}',
            other => other,
        })
        .collect()
}

fn half_width(c: char) -> char {
    match c {
        '\u{3000}' => ' ',
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        other => other,
    }
}

/// White space, control characters, and the invisible ones spreadsheets and web pages leave behind.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{AD}')
}

/// A citizen identity number, always 18 characters (GB 11643). `Debug` and `Display` show the last four only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct ResidentId([u8; 18]);

impl ResidentId {
    /// Normalises, turns 15 digits into 18, and checks birth date and check digit. Area digits are never
    /// compared with today's list: abolished counties live on in numbers.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        Self::from_normalised(normalise(text).as_bytes())
    }

    fn from_normalised(text: &[u8]) -> Result<Self, IdError> {
        let mut digits = [0_u8; 18];
        match text.len() {
            18 => digits.copy_from_slice(text),
            15 => {
                digits[..6].copy_from_slice(&text[..6]);
                digits[6..8].copy_from_slice(b"19");
                digits[8..17].copy_from_slice(&text[6..]);
            }
            _ => return Err(IdError::Length),
        }
        if !digits[..17].iter().all(u8::is_ascii_digit) {
            return Err(IdError::Character);
        }
        if !(digits[17].is_ascii_digit() || digits[17] == b'X' || text.len() == 15) {
            return Err(IdError::Character);
        }
        let check = Self::check_character(&digits);
        if text.len() == 15 {
            digits[17] = check;
        }
        let id = Self(digits);
        id.day_of_birth().ok_or(IdError::BirthDate)?;
        if digits[17] != check {
            return Err(IdError::CheckDigit);
        }
        Ok(id)
    }

    /// ISO 7064 MOD 11-2.
    fn check_character(digits: &[u8; 18]) -> u8 {
        const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        let sum: u32 = WEIGHTS.iter().zip(digits).map(|(weight, digit)| weight * u32::from(digit - b'0')).sum();
        b"10X98765432"[(sum % 11) as usize]
    }

    fn day_of_birth(&self) -> Option<NaiveDate> {
        let number = |range: std::ops::Range<usize>| {
            self.0[range].iter().fold(0_u32, |n, digit| n * 10 + u32::from(digit - b'0'))
        };
        let year = i32::try_from(number(6..10)).ok()?;
        (1850..=2199).contains(&year).then(|| NaiveDate::from_ymd_opt(year, number(10..12), number(12..14)))?
    }

    pub fn birth_date(&self) -> NaiveDate {
        self.day_of_birth().unwrap_or(NaiveDate::MIN)
    }

    pub fn sex(&self) -> Sex {
        if (self.0[16] - b'0') % 2 == 1 { Sex::Male } else { Sex::Female }
    }

    /// The whole number, for encryption and for peers only.
    pub fn reveal(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// `**************0012`
    pub fn masked(&self) -> String {
        format!("**************{}", &self.reveal()[14..])
    }
}

impl fmt::Display for ResidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for ResidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// Surname and `*`: how a name is shown where nobody asked to see it whole.
pub fn mask_name(name: &str) -> String {
    name.chars().next().map_or_else(String::new, |surname| format!("{surname}*"))
}

/// A unified social credit code (GB 32100). Public: it is shown whole.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uscc([u8; 18]);

const USCC_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

const NO_VALUE: u8 = u8::MAX;
/// The value of every character of the alphabet, by its code.
const USCC_VALUES: [u8; 128] = {
    let mut values = [NO_VALUE; 128];
    let mut value = 0;
    while value < USCC_ALPHABET.len() {
        values[USCC_ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
};

impl Uscc {
    pub fn parse(text: &str) -> Result<Self, IdError> {
        const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
        let text = normalise(text);
        let code: [u8; 18] = text.as_bytes().try_into().map_err(|_| IdError::Length)?;
        let value = |c: u8| match USCC_VALUES.get(usize::from(c)) {
            Some(value) if *value != NO_VALUE => Ok(usize::from(*value)),
            _ => Err(IdError::Character),
        };
        let mut sum = 0;
        for (weight, c) in WEIGHTS.iter().zip(code) {
            sum += weight * value(c)?;
        }
        if value(code[17])? != (31 - sum % 31) % 31 {
            return Err(IdError::CheckDigit);
        }
        Ok(Self(code))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether the subject's own check digit (GB 11714) fits; if not, a warning and no error: real codes break it.
    pub fn subject_check_fits(&self) -> bool {
        const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
        let value = |c: u8| match c {
            b'0'..=b'9' => u32::from(c - b'0'),
            letter => u32::from(letter - b'A') + 10,
        };
        let sum: u32 = WEIGHTS.iter().zip(&self.0[8..16]).map(|(w, c)| w * value(*c)).sum();
        let check = match 11 - sum % 11 {
            10 => b'X',
            11 => b'0',
            digit => b'0' + u8::try_from(digit).unwrap_or_default(),
        };
        self.0[16] == check
    }
}

impl fmt::Display for Uscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Uscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Uscc {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Uscc {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A disabled person's certificate number: the resident ID, category 1–7, level 1–4, and `B1`, `B2` … after a reissue.
/// It identifies nothing by itself: a renewal keeps it, a re-assessment changes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CertificateNumber {
    pub resident_id: ResidentId,
    pub category: u8,
    pub level: u8,
    pub reissue: Option<u32>,
}

impl CertificateNumber {
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let text = normalise(text);
        let bytes = text.as_bytes();
        if !text.is_ascii() {
            return Err(IdError::Character);
        }
        let (number, suffix) = if bytes.len() >= 20 {
            text.split_at(20)
        } else if bytes.len() == 17 {
            // 15-digit ID, category, level: certificates of the first years
            text.split_at(17)
        } else {
            return Err(IdError::Length);
        };
        let (id, rest) = number.split_at(number.len() - 2);
        let resident_id = ResidentId::from_normalised(id.as_bytes())?;
        let (category, level) = (rest.as_bytes()[0], rest.as_bytes()[1]);
        if !(b'1'..=b'7').contains(&category) {
            return Err(IdError::Category);
        }
        if !(b'1'..=b'4').contains(&level) {
            return Err(IdError::Level);
        }
        let reissue = match suffix {
            "" => None,
            suffix => Some(
                suffix
                    .strip_prefix('B')
                    .filter(|n| n.len() <= 4 && n.bytes().all(|c| c.is_ascii_digit()) && !n.starts_with('0'))
                    .and_then(|n| n.parse().ok())
                    .ok_or(IdError::Reissue)?,
            ),
        };
        Ok(Self { resident_id, category: category - b'0', level: level - b'0', reissue })
    }

    /// The whole number in its normal form, for encryption and for peers only.
    pub fn reveal(&self) -> String {
        let suffix = self.reissue.map_or_else(String::new, |n| format!("B{n}"));
        format!("{}{}{}{suffix}", self.resident_id.reveal(), self.category, self.level)
    }
}

impl fmt::Debug for CertificateNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate of {}", self.resident_id.masked())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("day")
    }

    #[test]
    fn resident_ids_are_read_in_every_form_they_come_in() {
        for (text, number, sex, born) in [
            ("360000196501010012", "360000196501010012", Sex::Male, "1965-01-01"),
            ("360000197502010027", "360000197502010027", Sex::Female, "1975-02-01"),
            ("360000200002290039", "360000200002290039", Sex::Male, "2000-02-29"),
            ("36000019850710019X", "36000019850710019X", Sex::Male, "1985-07-10"),
            ("36000019850710019x", "36000019850710019X", Sex::Male, "1985-07-10"),
            ("53010219200508011X", "53010219200508011X", Sex::Male, "1920-05-08"),
            ("360000650101001", "360000196501010012", Sex::Male, "1965-01-01"),
            ("360000850710123", "36000019850710123X", Sex::Male, "1985-07-10"),
            ("３６００００１９６５０１０１００１２", "360000196501010012", Sex::Male, "1965-01-01"),
            ("36000019850710019ｘ", "36000019850710019X", Sex::Male, "1985-07-10"),
            ("360000 19650101 0012", "360000196501010012", Sex::Male, "1965-01-01"),
            ("\u{feff}360000\u{3000}196501010012\t", "360000196501010012", Sex::Male, "1965-01-01"),
        ] {
            let id = ResidentId::parse(text).expect(text);
            assert_eq!((id.reveal(), id.sex(), id.birth_date()), (number, sex, day(born)), "{text}");
        }
    }

    #[test]
    fn wrong_resident_ids_are_refused() {
        for (text, error) in [
            ("360000196501010013", IdError::CheckDigit),
            ("530102192005080119", IdError::CheckDigit),
            ("360000190002290011", IdError::BirthDate),
            ("360000199013010012", IdError::BirthDate),
            ("360000651301001", IdError::BirthDate),
            ("3.60000196501E+17", IdError::Length),
            ("36000019650101001Y", IdError::Character),
            ("36000O196501010012", IdError::Character),
            ("36000065010100X", IdError::Character),
            ("身份证号六字", IdError::Character),
            ("", IdError::Length),
        ] {
            assert_eq!(ResidentId::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn an_id_shows_its_last_four_only() {
        let id = ResidentId::parse("360000196501010012").expect("id");
        assert_eq!((id.to_string(), format!("{id:?}")), ("**************0012".into(), "**************0012".into()));
        let certificate = CertificateNumber::parse("36000019650101001243").expect("number");
        assert_eq!(format!("{certificate:?}"), "certificate of **************0012");
        assert_eq!((mask_name("欧阳晓"), mask_name("")), ("欧*".to_owned(), String::new()));
    }

    #[test]
    fn names_are_compared_without_spaces_and_with_one_middle_dot() {
        assert_eq!(normalise_name(" 王　小 明\t"), "王小明");
        assert_eq!(normalise_name("阿迪力•买买提"), normalise_name("阿迪力·买买提"));
        assert_eq!(normalise_name("阿迪力・买买提"), normalise_name("阿迪力·买买提"));
    }

    #[test]
    fn credit_codes_are_checked_by_gb_32100() {
        for (text, subject_fits) in [
            ("91369900MA00000152", true),
            ("91369900MA0TEXT12D", true),
            ("92369900L00000011J", true),
            ("12369900000000019G", true),
            ("52369900500000015Q", true),
            ("1236990000000006XK", true),
            ("123699000000004650", true),
            ("12369900000000107Y", true),
            ("91369900MA0000010J", false),
        ] {
            let code = Uscc::parse(text).expect(text);
            assert_eq!((code.as_str(), code.subject_check_fits()), (text, subject_fits), "{text}");
        }
        assert_eq!(normalise("mark"), "MARK");
        let code = Uscc::parse(" 91369900ma0000 0152\t").expect("lower case and spaces");
        assert_eq!(code.to_string(), "91369900MA00000152");
    }

    #[test]
    fn wrong_credit_codes_are_refused() {
        for (text, error) in [
            ("91369900MA00000153", IdError::CheckDigit),
            ("91639900MA00000152", IdError::CheckDigit),
            ("91369900MA0O000152", IdError::Character),
            ("913699000000015", IdError::Length),
            ("9136990000000001统", IdError::Length),
        ] {
            assert_eq!(Uscc::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn certificate_numbers_say_person_category_level_and_reissue() {
        for (text, id, category, level, reissue) in [
            ("36000019650101001243", "360000196501010012", 4, 3, None),
            ("36000019750201002712", "360000197502010027", 1, 2, None),
            ("36000019850710019X41", "36000019850710019X", 4, 1, None),
            ("36000019650101001243B1", "360000196501010012", 4, 3, Some(1)),
            ("36000019650101001243b12", "360000196501010012", 4, 3, Some(12)),
        ] {
            let number = CertificateNumber::parse(text).expect(text);
            assert_eq!((number.resident_id.reveal(), number.category, number.level), (id, category, level), "{text}");
            assert_eq!(number.reissue, reissue, "{text}");
            assert_eq!(number.reveal(), text.to_uppercase());
        }
        let of_the_first_years = CertificateNumber::parse("36000065010100143").expect("17 characters");
        assert_eq!(of_the_first_years.reveal(), "36000019650101001243");
    }

    #[test]
    fn wrong_certificate_numbers_are_refused() {
        for (text, error) in [
            ("36000019650101001283", IdError::Category),
            ("36000019650101001203", IdError::Category),
            ("36000019650101001245", IdError::Level),
            ("36000019650101001240", IdError::Level),
            ("36000019650101001343", IdError::CheckDigit),
            ("36000019650101001243B0", IdError::Reissue),
            ("36000019650101001243B", IdError::Reissue),
            ("36000019650101001243C1", IdError::Reissue),
            ("36000019650101001243B01", IdError::Reissue),
            ("360000196501010012", IdError::Length),
            ("残360000196501010012", IdError::Character),
        ] {
            assert_eq!(CertificateNumber::parse(text), Err(error), "{text}");
        }
    }

    /// A valid resident ID under a synthetic area.
    fn resident_id() -> impl Strategy<Value = ResidentId> {
        (0_u32..100, 0_u64..54_000, 0_u32..1000).prop_map(|(area, days, sequence)| {
            let born = day("1900-01-01") + chrono::Days::new(days);
            let body = format!("3600{area:02}{}{sequence:03}", born.format("%Y%m%d"));
            let mut digits = [0_u8; 18];
            digits[..17].copy_from_slice(body.as_bytes());
            digits[17] = ResidentId::check_character(&digits);
            ResidentId::parse(std::str::from_utf8(&digits).expect("digits")).expect("valid")
        })
    }

    /// A valid credit code under the area that does not exist.
    fn credit_code() -> impl Strategy<Value = String> {
        "(91|92|93|11|12|51|52|53)369900[0-9A-HJ-NPQRTUWXY]{9}".prop_map(|body| {
            let fits = USCC_ALPHABET.iter().map(|check| format!("{body}{}", char::from(*check)));
            fits.into_iter().find(|code| Uscc::parse(code).is_ok()).expect("one check character fits")
        })
    }

    proptest! {
        #[test]
        fn a_resident_id_is_read_back_as_it_was_revealed(id in resident_id()) {
            prop_assert_eq!(ResidentId::parse(id.reveal()), Ok(id));
            let masked = id.to_string();
            prop_assert!(!masked.contains(&id.reveal()[..14]));
        }

        #[test]
        fn one_wrong_digit_of_a_resident_id_is_noticed(id in resident_id(), place in 0_usize..18, other in 0_u8..11) {
            let mut digits = id.reveal().as_bytes().to_vec();
            let wrong = b"0123456789X"[usize::from(other)];
            prop_assume!(digits[place] != wrong);
            digits[place] = wrong;
            prop_assert!(ResidentId::parse(std::str::from_utf8(&digits).expect("ascii")).is_err());
        }

        #[test]
        fn a_credit_code_is_read_back_and_one_wrong_character_is_noticed(
            code in credit_code(), place in 0_usize..18, other in 0_usize..31,
        ) {
            let read = Uscc::parse(&code).expect("valid");
            prop_assert_eq!(read.as_str(), code.as_str());
            let mut characters = code.into_bytes();
            let wrong = USCC_ALPHABET[other];
            prop_assume!(characters[place] != wrong);
            characters[place] = wrong;
            prop_assert!(Uscc::parse(std::str::from_utf8(&characters).expect("ascii")).is_err());
        }

        #[test]
        fn a_certificate_number_is_read_back_as_it_was_revealed(
            id in resident_id(), category in 1_u8..=7, level in 1_u8..=4, reissue in proptest::option::of(1_u32..=9999),
        ) {
            let number = CertificateNumber { resident_id: id, category, level, reissue };
            prop_assert_eq!(CertificateNumber::parse(&number.reveal()), Ok(number));
        }

        #[test]
        fn any_text_is_read_or_refused_without_harm(text in "\\PC{0,24}") {
            let refused = ResidentId::parse(&text).is_err() && Uscc::parse(&text).is_err();
            prop_assert!(refused || normalise(&text).len() >= 15);
            let _ = CertificateNumber::parse(&text);
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once.as_ref());
        }
    }
}
