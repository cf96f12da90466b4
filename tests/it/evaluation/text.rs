//! Reads single values as rules.md section 1 says: tidied, then checked, else `None`.

use chrono::{Days, Months, NaiveDate};

/// A calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    pub year: i32,
    pub month: u32,
}

impl Month {
    pub fn first(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year, self.month, 1).expect("a month has a first day")
    }

    pub fn last(self) -> NaiveDate {
        self.first() + Months::new(1) - Days::new(1)
    }

    pub fn next(self) -> Self {
        if self.month == 12 {
            Self { year: self.year + 1, month: 1 }
        } else {
            Self { year: self.year, month: self.month + 1 }
        }
    }

    pub fn text(self) -> String {
        format!("{:04}-{:02}", self.year, self.month)
    }
}

/// White space, control characters and characters that cannot be seen.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{AD}')
}

/// Free text: blanks removed at both ends only.
pub fn trim(raw: &str) -> &str {
    raw.trim_matches(is_blank)
}

/// Full-width to half-width, blanks removed everywhere, upper case.
pub fn tidy(raw: &str) -> String {
    let mut out = String::new();
    for c in raw.chars() {
        let half = match c {
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
            other => other,
        };
        if is_blank(half) {
            continue;
        }
        out.push(half.to_ascii_uppercase());
    }
    out
}

/// A name as it is compared: tidied, one kind of middle dot.
pub fn name(raw: &str) -> Option<String> {
    let mut out = String::new();
    for c in tidy(raw).chars() {
        match c {
            '\u{2022}' | '\u{2027}' | '\u{22C5}' | '\u{30FB}' | '\u{FF65}' => out.push('\u{B7}'),
            other => out.push(other),
        }
    }
    if out.is_empty() { None } else { Some(out) }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The check character of the first 17 digits of a resident ID.
pub fn id_check(seventeen: &str) -> char {
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let mut sum = 0;
    for (weight, byte) in weights.iter().zip(seventeen.bytes()) {
        sum += weight * usize::from(byte - b'0');
    }
    char::from(b"10X98765432"[sum % 11])
}

/// A resident ID, always as 18 characters.
pub fn id_number(raw: &str) -> Option<String> {
    let text = tidy(raw);
    if !text.is_ascii() {
        return None;
    }
    let full = match text.len() {
        18 => text,
        15 if all_digits(&text) => {
            let seventeen = format!("{}19{}", &text[..6], &text[6..]);
            let check = id_check(&seventeen);
            format!("{seventeen}{check}")
        }
        _ => return None,
    };
    if !all_digits(&full[..17]) || !full.ends_with(id_check(&full[..17])) {
        return None;
    }
    birth_date(&full)?;
    Some(full)
}

/// The birth date inside an 18-character ID.
pub fn birth_date(id: &str) -> Option<NaiveDate> {
    let year = id.get(6..10)?.parse().ok()?;
    let month = id.get(10..12)?.parse().ok()?;
    let day = id.get(12..14)?.parse().ok()?;
    NaiveDate::from_ymd_opt(year, month, day)
}

/// Whether an 18-character ID is a man's.
pub fn is_man(id: &str) -> bool {
    id.as_bytes().get(16).is_some_and(|digit| digit % 2 == 1)
}

/// A unified social credit code.
pub fn uscc(raw: &str) -> Option<String> {
    let alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let text = tidy(raw);
    if text.chars().count() != 18 {
        return None;
    }
    let mut sum = 0;
    let mut weight = 1;
    let mut last = 0;
    for (position, c) in text.chars().enumerate() {
        let value = alphabet.find(c)?;
        if position < 17 {
            sum += value * weight;
            weight = weight * 3 % 31;
        } else {
            last = value;
        }
    }
    if (31 - sum % 31) % 31 == last { Some(text) } else { None }
}

/// An amount in yuan with none, one or two decimals, possibly negative, as cents.
pub fn cents(raw: &str) -> Option<i128> {
    let text = tidy(raw);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.as_str()),
    };
    let (whole, decimals) = match digits.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (digits, None),
    };
    if !all_digits(whole) {
        return None;
    }
    let fraction = match decimals {
        None => 0,
        Some(d) if all_digits(d) && d.len() == 1 => d.parse::<i128>().ok()? * 10,
        Some(d) if all_digits(d) && d.len() == 2 => d.parse::<i128>().ok()?,
        Some(_) => return None,
    };
    let value = whole.parse::<i128>().ok()?.checked_mul(100)?.checked_add(fraction)?;
    Some(if negative { -value } else { value })
}

/// A date `YYYY-MM-DD` that exists.
pub fn date(raw: &str) -> Option<NaiveDate> {
    let text = tidy(raw);
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return None;
    };
    if year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    if !all_digits(year) || !all_digits(month) || !all_digits(day) {
        return None;
    }
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

/// A month `YYYY-MM` that exists.
pub fn month(raw: &str) -> Option<Month> {
    let first = date(&format!("{}-01", tidy(raw)))?;
    let text = first.to_string();
    Some(Month { year: text.get(..4)?.parse().ok()?, month: text.get(5..7)?.parse().ok()? })
}

/// One of the listed words, in the spelling of the list.
pub fn word(raw: &str, words: &[&'static str]) -> Option<&'static str> {
    let text = tidy(raw);
    words.iter().find(|word| word.to_ascii_uppercase() == text).copied()
}

/// A whole number between two bounds, written without leading zeros.
pub fn number(raw: &str, low: u8, high: u8) -> Option<u8> {
    let text = tidy(raw);
    let value: u8 = text.parse().ok()?;
    if value.to_string() == text && value >= low && value <= high { Some(value) } else { None }
}

/// The number of a disabled person's certificate: ID, category, level, reissue suffix.
///
/// Reading: the old number (15-digit ID, category, level) has 17 characters and no suffix.
pub fn certificate_number(raw: &str) -> Option<String> {
    let text = tidy(raw);
    if !text.is_ascii() {
        return None;
    }
    let id_length = match text.len() {
        17 => 15,
        20.. => 18,
        _ => return None,
    };
    id_number(&text[..id_length])?;
    number(&text[id_length..=id_length], 1, 7)?;
    number(&text[id_length + 1..id_length + 2], 1, 4)?;
    let suffix = &text[id_length + 2..];
    if !suffix.is_empty() {
        let count = suffix.strip_prefix('B')?;
        if !all_digits(count) || count.starts_with('0') {
            return None;
        }
    }
    Some(text)
}

/// An empty text is a value left out; anything else must be readable.
/// The outer `None` means unreadable.
#[expect(clippy::option_option, reason = "unreadable and left out differ")]
pub fn optional<T>(raw: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if tidy(raw).is_empty() { Some(None) } else { read(raw).map(Some) }
}
