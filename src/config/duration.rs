//! Spans of time as configuration writes them: `45d`, `4h`, `30s`.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

/// What is wrong with a span's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    #[error("`{0}` is not a span of time such as `30s`, `15m`, `4h`, `45d` or `2w`")]
    Malformed(String),
    #[error("`{0}` is not a number of whole days such as `45d` or `2w`")]
    NotDays(String),
    #[error("`{0}` is longer than a hundred years")]
    TooLong(String),
}

const LONGEST_S: u64 = 100 * 366 * 86_400;

/// A span of time: a whole number and one of `ms`, `s`, `m`, `h`, `d`, `w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(Duration);

impl Span {
    pub const fn of_seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub const fn duration(self) -> Duration {
        self.0
    }

    pub fn parse(text: &str) -> Result<Self, SpanError> {
        let malformed = || SpanError::Malformed(text.to_owned());
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
        let (number, unit) = text.split_at(unit_at);
        if number.is_empty() {
            return Err(malformed());
        }
        let too_long = || SpanError::TooLong(text.to_owned());
        let number: u64 = number.parse().map_err(|_| too_long())?;
        let unit_ms: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            _ => return Err(malformed()),
        };
        let milliseconds = number.checked_mul(unit_ms).ok_or_else(too_long)?;
        if milliseconds > LONGEST_S * 1000 {
            return Err(too_long());
        }
        Ok(Self(Duration::from_millis(milliseconds)))
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Self, SpanError> {
        Self::parse(&text)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
        for (unit, size) in units {
            if milliseconds > 0 && milliseconds.is_multiple_of(size) {
                return write!(f, "{}{unit}", milliseconds / size);
            }
        }
        if milliseconds == 0 { f.write_str("0s") } else { write!(f, "{milliseconds}ms") }
    }
}

/// A span of whole days: `45d`, `2w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Days(pub u32);

impl Days {
    pub fn parse(text: &str) -> Result<Self, SpanError> {
        let seconds = Span::parse(text)?.duration();
        let whole = seconds.subsec_millis() == 0 && seconds.as_secs().is_multiple_of(86_400);
        if !whole {
            return Err(SpanError::NotDays(text.to_owned()));
        }
        u32::try_from(seconds.as_secs() / 86_400).map(Self).map_err(|_| SpanError::TooLong(text.to_owned()))
    }
}

impl TryFrom<String> for Days {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Self, SpanError> {
        Self::parse(&text)
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}d", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_whole_number_and_a_unit() {
        for (text, seconds) in [("30s", 30), ("15m", 900), ("4h", 14_400), ("45d", 3_888_000), ("2w", 1_209_600)] {
            assert_eq!(Span::parse(text).map(|span| span.duration().as_secs()), Ok(seconds), "{text}");
        }
        for text in ["", "d", "4", "4 h", "1.5h", "-1h", "4y", "4H", "１h"] {
            assert_eq!(Span::parse(text), Err(SpanError::Malformed(text.to_owned())), "{text}");
        }
        assert!(matches!(Span::parse("99999999999999999999d"), Err(SpanError::TooLong(_))));
        assert!(matches!(Span::parse("40000d"), Err(SpanError::TooLong(_))));
    }

    #[test]
    fn days_are_whole() {
        assert_eq!(Days::parse("2w"), Ok(Days(14)));
        assert_eq!(Days::parse("48h"), Ok(Days(2)));
        assert_eq!(Days::parse("36h"), Err(SpanError::NotDays("36h".to_owned())));
    }

    #[test]
    fn a_span_is_shown_in_its_largest_whole_unit() {
        for text in ["30s", "15m", "4h", "45d", "1ms", "0s", "90m"] {
            assert_eq!(Span::parse(text).expect("a span").to_string(), text);
        }
    }
}
