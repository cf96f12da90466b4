//! Money in integer fen (1/100 yuan); read from text, never through floating point.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount in fen. Negative amounts are reversals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fen(pub i64);

/// The largest amount that is read: a trillion yuan either way, more than any employer's yearly wages.
pub const MAX_FEN: i64 = 100_000_000_000_000;

/// What is wrong with an amount's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("not an amount with at most two decimals, such as 2000 or -2000.50")]
    Malformed,
    #[error("beyond a trillion yuan")]
    TooLarge,
}

impl Fen {
    /// Yuan with none, one or two decimals, maybe negative: `2000`, `2000.5`, `-2000.50`.
    pub fn parse_yuan(text: &str) -> Result<Self, AmountError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || decimals.is_empty() || decimals.len() > 2 || !all_digits(whole) || !all_digits(decimals)
        {
            return Err(AmountError::Malformed);
        }
        if whole.trim_start_matches('0').len() > 13 {
            return Err(AmountError::TooLarge);
        }
        let number = |part: &str| part.parse::<i64>().map_err(|_| AmountError::TooLarge);
        let cents = number(decimals)? * if decimals.len() == 1 { 10 } else { 1 };
        let fen = number(whole)? * 100 + cents;
        if fen > MAX_FEN {
            return Err(AmountError::TooLarge);
        }
        Ok(Self(if negative { -fen } else { fen }))
    }

    /// Whole fen, maybe negative: `200050`.
    pub fn parse_fen(text: &str) -> Result<Self, AmountError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AmountError::Malformed);
        }
        let fen: i64 = text.parse().map_err(|_| AmountError::TooLarge)?;
        if !(-MAX_FEN..=MAX_FEN).contains(&fen) {
            return Err(AmountError::TooLarge);
        }
        Ok(Self(fen))
    }
}

impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let fen = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", fen / 100, fen % 100)
    }
}

impl fmt::Debug for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fen {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        Self::parse_yuan(text)
    }
}

impl Add for Fen {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Neg for Fen {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Sum for Fen {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self(0), Add::add)
    }
}

impl Serialize for Fen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse_yuan(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn yuan_has_none_one_or_two_decimals_and_may_be_a_reversal() {
        for (text, fen) in [
            ("2000", 200_000),
            ("1999.99", 199_999),
            ("0.5", 50),
            ("-2300", -230_000),
            ("000012.30", 1230),
            ("1000000000000", MAX_FEN),
        ] {
            assert_eq!(Fen::parse_yuan(text), Ok(Fen(fen)), "{text}");
        }
    }

    #[test]
    fn what_is_not_exact_yuan_is_refused() {
        for text in ["", "-", "1.234", "1e3", "1,000", "１０", ".5", "5.", "+5", "--5", "nan", " 5"] {
            assert_eq!(Fen::parse_yuan(text), Err(AmountError::Malformed), "{text}");
        }
        assert_eq!(Fen::parse_yuan("1000000000000.01"), Err(AmountError::TooLarge));
        assert_eq!(Fen::parse_yuan("99999999999999999999"), Err(AmountError::TooLarge));
    }

    #[test]
    fn amounts_are_shown_with_two_decimals() {
        assert_eq!(Fen(-5).to_string(), "-0.05");
        assert_eq!(Fen(223_999).to_string(), "2239.99");
    }

    #[test]
    fn whole_fen_are_read_as_they_are() {
        assert_eq!(Fen::parse_fen("200050"), Ok(Fen(200_050)));
        assert_eq!(Fen::parse_fen("-1"), Ok(Fen(-1)));
        for text in ["", "-", "2000.5", "+5", "1e3"] {
            assert_eq!(Fen::parse_fen(text), Err(AmountError::Malformed), "{text}");
        }
        assert_eq!(Fen::parse_fen("100000000000000"), Ok(Fen(MAX_FEN)), "the most");
        assert_eq!(Fen::parse_fen("-100000000000001"), Err(AmountError::TooLarge));
        for text in ["99999999999999999999", &i64::MIN.to_string(), &i64::MAX.to_string()] {
            assert_eq!(Fen::parse_fen(text), Err(AmountError::TooLarge), "{text}");
        }
    }

    #[test]
    fn a_month_is_the_sum_of_its_payments_and_reversals() {
        let sum = |yuan: &[&str]| yuan.iter().map(|text| text.parse::<Fen>().expect("amount")).sum::<Fen>();
        assert_eq!(sum(&["1200", "1000"]), Fen(220_000));
        assert_eq!(sum(&["2300", "-2300", "1900"]), Fen(190_000));
        assert_eq!(sum(&[]), Fen(0));
    }

    proptest! {
        #[test]
        fn an_amount_is_read_back_as_it_was_shown(fen in -MAX_FEN..=MAX_FEN) {
            let amount = Fen(fen);
            prop_assert_eq!(Fen::parse_yuan(&amount.to_string()), Ok(amount));
            prop_assert_eq!(Fen::parse_fen(&fen.to_string()), Ok(amount));
        }

        #[test]
        fn what_is_no_amount_is_refused_without_harm(text in "\\PC{0,24}") {
            if let Ok(amount) = Fen::parse_yuan(&text) {
                prop_assert!(amount.0.abs() <= MAX_FEN);
            }
        }
    }
}
