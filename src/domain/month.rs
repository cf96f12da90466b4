//! Months and days of the business calendar (Asia/Shanghai); pure arithmetic, no clock.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, FixedOffset, Months, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Beijing time, in force all over China; without daylight saving since 1991, and nothing here is older. So no time zone database.
pub const SHANGHAI: FixedOffset = FixedOffset::east_opt(8 * 3600).expect("eight hours are less than a day");

/// A calendar month, `YYYY-MM`. Stored as months since year 0, so that arithmetic is integer arithmetic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i32);

/// What is wrong with a month's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a month of the form YYYY-MM, years 1900 to 2199")]
pub struct MonthError(String);

impl Month {
    /// `number` is 1 to 12, `year` 1900 to 2199; `None` outside.
    pub fn new(year: i32, number: u32) -> Option<Self> {
        ((1900..=2199).contains(&year) && (1..=12).contains(&number)).then(|| Self(year * 12 + number as i32 - 1))
    }

    /// The month a day lies in.
    pub fn of(day: NaiveDate) -> Self {
        Self(day.year() * 12 + day.month0() as i32)
    }

    /// Months since January of year 0: the stored form.
    pub fn index(self) -> i32 {
        self.0
    }

    /// The inverse of [`Month::index`]; `None` outside the years 1900 to 2199.
    pub fn from_index(index: i32) -> Option<Self> {
        Self::new(index.div_euclid(12), index.rem_euclid(12) as u32 + 1)
    }

    pub fn year(self) -> i32 {
        self.0.div_euclid(12)
    }

    /// 1 to 12.
    pub fn number(self) -> u32 {
        self.0.rem_euclid(12) as u32 + 1
    }

    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year(), self.number(), 1).unwrap_or(NaiveDate::MAX)
    }

    pub fn last_day(self) -> NaiveDate {
        (self.first_day() + Months::new(1)) - Days::new(1)
    }

    /// `months` later, or earlier if negative.
    #[must_use]
    pub fn plus(self, months: i32) -> Self {
        Self(self.0 + months)
    }

    /// The twelve months of a business year, January first.
    pub fn all_of(year: i32) -> impl Iterator<Item = Self> {
        (0..12).map(move |offset| Self(year * 12 + offset))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year(), self.number())
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Month {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, MonthError> {
        let bad = || MonthError(text.to_owned());
        let (year, number) = text.split_once('-').ok_or_else(bad)?;
        let digits = |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(year, 4) || !digits(number, 2) {
            return Err(bad());
        }
        let year = year.parse().map_err(|_| bad())?;
        let number = number.parse().map_err(|_| bad())?;
        Self::new(year, number).ok_or_else(bad)
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The same day `years` later; 29 February becomes 28 February in a common year (Civil Code practice, rules of contracts).
pub fn years_later(day: NaiveDate, years: u32) -> NaiveDate {
    day.checked_add_months(Months::new(12 * years)).unwrap_or(NaiveDate::MAX)
}

/// First and last of each run of months that follow each other.
pub fn spans(months: &[Month]) -> Vec<(Month, Month)> {
    let mut spans: Vec<(Month, Month)> = Vec::new();
    for month in months {
        match spans.last_mut() {
            Some((_, last)) if last.plus(1) == *month => *last = *month,
            _ => spans.push((*month, *month)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_month_is_read_and_shown_as_year_and_number() {
        let month: Month = "2025-04".parse().expect("month");
        assert_eq!((month.year(), month.number(), month.to_string().as_str()), (2025, 4, "2025-04"));
        for bad in ["2025-13", "2025-00", "25-04", "2025-4", "2025/04", "", "+025-04", "1899-12"] {
            assert!(bad.parse::<Month>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_months_last_day_knows_leap_years() {
        let last = |text: &str| text.parse::<Month>().expect("month").last_day().to_string();
        assert_eq!(last("2024-02"), "2024-02-29");
        assert_eq!(last("2025-02"), "2025-02-28");
        assert_eq!(last("2025-12"), "2025-12-31");
    }

    #[test]
    fn arithmetic_crosses_the_year() {
        let december: Month = "2024-12".parse().expect("month");
        assert_eq!(december.plus(1).to_string(), "2025-01");
        assert_eq!(december.plus(-12).to_string(), "2023-12");
        assert_eq!(Month::from_index(december.index()), Some(december));
    }

    #[test]
    fn a_year_has_twelve_months_january_first() {
        let months: Vec<_> = Month::all_of(2025).map(|month| month.to_string()).collect();
        assert_eq!((months.len(), months[0].as_str(), months[11].as_str()), (12, "2025-01", "2025-12"));
    }

    #[test]
    fn a_year_after_29_february_is_28_february() {
        let later = |text: &str| years_later(text.parse().expect("day"), 1).to_string();
        assert_eq!(later("2024-02-29"), "2025-02-28");
        assert_eq!(later("2023-02-28"), "2024-02-28");
        assert_eq!(later("2024-03-15"), "2025-03-15");
        assert_eq!(years_later(NaiveDate::MAX, 1), NaiveDate::MAX);
    }

    proptest! {
        #[test]
        fn a_month_is_its_text_and_its_index(index in 1900 * 12..2200 * 12_i32) {
            let month = Month::from_index(index).expect("within the calendar");
            prop_assert_eq!(month.index(), index);
            prop_assert_eq!(month.to_string().parse(), Ok(month));
            prop_assert_eq!(Month::new(month.year(), month.number()), Some(month));
        }

        #[test]
        fn months_follow_each_other_without_a_gap(index in 1900 * 12..2199 * 12_i32, distance in -24..24_i32) {
            let month = Month::from_index(index).expect("within the calendar");
            prop_assert_eq!(month.last_day() + Days::new(1), month.plus(1).first_day());
            prop_assert_eq!((Month::of(month.first_day()), Month::of(month.last_day())), (month, month));
            prop_assert_eq!(month.plus(distance).plus(-distance), month);
            prop_assert_eq!(month.plus(distance).cmp(&month), distance.cmp(&0));
        }

        #[test]
        fn what_is_no_month_is_refused_without_harm(text in "\\PC{0,9}") {
            if let Ok(month) = text.parse::<Month>() {
                prop_assert_eq!(month.to_string(), text);
            }
        }
    }
}
