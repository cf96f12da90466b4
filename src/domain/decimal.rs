//! Exact numbers: fractions read from decimal text, rounded only when they are shown or become money.

use std::fmt;
use std::ops::{Add, Mul, Sub};

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::money::Fen;

/// A rational number of any size. No operation on it rounds but those whose name says so.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exact(BigRational);

/// Digits that are read before and after the point; more is a mistake of the writer.
const MAX_WHOLE: usize = 9;
const MAX_DECIMALS: usize = 10;
/// Digits of either part of a fraction that we wrote.
const MAX_SHOWN: usize = 40;

/// What is wrong with a decimal's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    #[error("not a decimal from 0 up, such as 30 or 30.5")]
    Malformed,
    #[error("more than 9 digits before or 10 after the point")]
    TooLong,
}

impl Exact {
    pub fn zero() -> Self {
        Self(BigRational::zero())
    }

    pub fn one() -> Self {
        Self(BigRational::one())
    }

    /// `months` twelfths of a year.
    pub fn twelfths(months: u64) -> Self {
        Self(BigRational::new(BigInt::from(months), BigInt::from(12)))
    }

    /// Yuan.
    pub fn of_money(amount: Fen) -> Self {
        Self(BigRational::new(BigInt::from(amount.0), BigInt::from(100)))
    }

    /// A decimal without sign: `30`, `30.5`, `0.015`.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let (whole, decimals) = match text.split_once('.') {
            Some((_, "")) => return Err(DecimalError::Malformed),
            Some(parts) => parts,
            None => (text, ""),
        };
        if whole.is_empty() || !whole.bytes().chain(decimals.bytes()).all(|byte| byte.is_ascii_digit()) {
            return Err(DecimalError::Malformed);
        }
        if whole.trim_start_matches('0').len() > MAX_WHOLE || decimals.len() > MAX_DECIMALS {
            return Err(DecimalError::TooLong);
        }
        let digits = |part: &str| {
            part.bytes().fold(BigInt::zero(), |number, digit| number * 10_u32 + BigInt::from(digit - b'0'))
        };
        let scale = ten_to(decimals.len() as u32);
        Ok(Self(BigRational::new(digits(whole) * &scale + digits(decimals), scale)))
    }

    /// What `Display` writes of a number from 0 up: a decimal, or a fraction such as `5/6`. For what we wrote ourselves.
    pub fn parse_shown(text: &str) -> Result<Self, DecimalError> {
        let Some((numerator, denominator)) = text.split_once('/') else { return Self::parse(text) };
        let whole = |digits: &str| {
            let fits = (1..=MAX_SHOWN).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<BigInt>().ok().filter(|_| fits).ok_or(DecimalError::Malformed)
        };
        Self(BigRational::from_integer(whole(numerator)?))
            .divided_by(&Self(BigRational::from_integer(whole(denominator)?)))
            .ok_or(DecimalError::Malformed)
    }

    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    pub fn is_negative(&self) -> bool {
        self.0.is_negative()
    }

    /// `None` if `divisor` is zero.
    pub fn divided_by(&self, divisor: &Self) -> Option<Self> {
        (!divisor.is_zero()).then(|| Self(&self.0 / &divisor.0))
    }

    /// The whole part.
    #[must_use]
    pub fn floor(&self) -> Self {
        Self(self.0.floor())
    }

    /// Rounded half-up to so many decimals.
    #[must_use]
    pub fn rounded(&self, decimals: u32) -> Self {
        Self(BigRational::new(self.scaled_half_up(decimals), ten_to(decimals)))
    }

    /// Rounded half-up and written with exactly so many decimals: `0.83`.
    pub fn to_decimals(&self, decimals: u32) -> String {
        let number = self.scaled_half_up(decimals);
        let sign = if number.is_negative() { "-" } else { "" };
        let digits = format!("{:0>width$}", number.abs().to_string(), width = decimals as usize + 1);
        let (whole, rest) = digits.split_at(digits.len() - decimals as usize);
        if rest.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
    }

    /// Always numerator, slash, denominator, in lowest terms: `5/6`, `3/1`.
    pub fn to_fraction(&self) -> String {
        format!("{}/{}", self.0.numer(), self.0.denom())
    }

    /// Yuan as money, half-up to the fen. What no amount can hold becomes the largest amount.
    pub fn to_money(&self) -> Fen {
        let fen = self.scaled_half_up(2);
        Fen(fen.to_i64().unwrap_or(if fen.is_negative() { i64::MIN } else { i64::MAX }))
    }

    /// ⌊x · 10^decimals + ½⌋
    fn scaled_half_up(&self, decimals: u32) -> BigInt {
        let half = BigRational::new(BigInt::one(), BigInt::from(2));
        (&self.0 * BigRational::from_integer(ten_to(decimals)) + half).floor().to_integer()
    }
}

fn ten_to(power: u32) -> BigInt {
    BigInt::from(10).pow(power)
}

impl Add for &Exact {
    type Output = Exact;

    fn add(self, other: Self) -> Exact {
        Exact(&self.0 + &other.0)
    }
}

impl Sub for &Exact {
    type Output = Exact;

    fn sub(self, other: Self) -> Exact {
        Exact(&self.0 - &other.0)
    }
}

impl Mul for &Exact {
    type Output = Exact;

    fn mul(self, other: Self) -> Exact {
        Exact(&self.0 * &other.0)
    }
}

impl From<u32> for Exact {
    fn from(number: u32) -> Self {
        Self(BigRational::from_integer(BigInt::from(number)))
    }
}

/// A decimal where one says it exactly in ten digits, else a fraction: `0.4575`, `5/6`.
impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scaled = &self.0 * BigRational::from_integer(ten_to(MAX_DECIMALS as u32));
        if !scaled.is_integer() {
            return f.write_str(&self.to_fraction());
        }
        let text = self.to_decimals(MAX_DECIMALS as u32);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Reads what was written from an exact number, a fraction too: for values of ours that were kept.
pub fn deserialize_shown<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Exact, D::Error> {
    Exact::parse_shown(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).expect("decimal")
    }

    #[test]
    fn a_decimal_is_read_exactly_and_shown_as_it_was() {
        for text in ["0", "30", "30.5", "0.015", "111.25", "999999999.0000000001"] {
            assert_eq!(exact(text).to_string(), text);
        }
        assert_eq!(exact("007.50").to_string(), "7.5");
        assert_eq!(exact("100").to_string(), "100");
    }

    #[test]
    fn signs_exponents_and_long_numbers_are_refused() {
        for text in ["", "-1", "+1", "1e3", ".5", "5.", "1,000", "３０", "1.2.3", " 1", "inf"] {
            assert_eq!(Exact::parse(text), Err(DecimalError::Malformed), "{text}");
        }
        assert_eq!(Exact::parse("1234567890"), Err(DecimalError::TooLong));
        assert_eq!(Exact::parse("0.12345678901"), Err(DecimalError::TooLong));
    }

    #[test]
    fn what_no_decimal_says_is_shown_as_a_fraction() {
        assert_eq!(Exact::twelfths(10).to_string(), "5/6");
        assert_eq!(Exact::twelfths(10).to_decimals(2), "0.83");
        assert_eq!(Exact::twelfths(12).to_fraction(), "1/1");
    }

    #[test]
    fn what_was_shown_is_read_again_as_it_was() {
        for number in [exact("0"), exact("0.4575"), Exact::twelfths(10), &Exact::twelfths(7) * &exact("0.015")] {
            assert_eq!(Exact::parse_shown(&number.to_string()), Ok(number));
        }
        for text in ["1/0", "/2", "1/", "-1/2", "1/2/3", "1.5/2", &format!("1/{}", "9".repeat(41))] {
            assert_eq!(Exact::parse_shown(text), Err(DecimalError::Malformed), "{text}");
        }
    }

    #[test]
    fn money_is_rounded_half_up_at_the_fen() {
        assert_eq!(exact("0.005").to_money(), Fen(1));
        assert_eq!(exact("0.0049999999").to_money(), Fen(0));
        assert_eq!(Exact::of_money(Fen(-1)).to_decimals(2), "-0.01");
    }
}
