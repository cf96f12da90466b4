//! A place in a list that is ordered by an instant and numbers: after it the next page begins.

use chrono::{DateTime, Utc};

/// Where a list goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place<const N: usize = 1> {
    pub at: DateTime<Utc>,
    /// Of the row, where several have the same instant.
    pub ids: [i64; N],
}

impl<const N: usize> Place<N> {
    /// As its text says it: to the microsecond.
    #[must_use]
    pub fn as_told(self) -> Self {
        Self { at: DateTime::from_timestamp_micros(self.at.timestamp_micros()).unwrap_or(self.at), ..self }
    }
}

/// As a cursor: numbers alone.
impl<const N: usize> std::fmt::Display for Place<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.at.timestamp_micros())?;
        self.ids.iter().try_for_each(|id| write!(f, "-{id}"))
    }
}

impl<const N: usize> std::str::FromStr for Place<N> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let mut numbers = text.split('-').map(str::parse::<i64>);
            let at = DateTime::from_timestamp_micros(numbers.next()?.ok()?)?;
            let mut ids = [0; N];
            for id in &mut ids {
                *id = numbers.next()?.ok()?;
            }
            numbers.next().is_none().then_some(Self { at, ids })
        };
        read().ok_or_else(|| format!("`{text}` is no place in the list; take what the page before ended with"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_text_and_nothing_else_is_one() {
        let at = DateTime::from_timestamp_micros(1_775_000_000_123_456).expect("an instant");
        let place = Place { at, ids: [17] };
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in ["", "-", "1", "1-", "-1", "a-1", "1-b", "1-2-3", "99999999999999999999-1"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
        let place = Place { at, ids: [17, 4, 2025] };
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in ["1-2", "1-2-3", "1-2-3-4-5", "1-2-3-x"] {
            assert!(text.parse::<Place<3>>().is_err(), "{text}");
        }
    }
}
