//! A place in a list that is ordered by an instant and a number: after it the next page begins.

use chrono::{DateTime, Utc};

/// Where a list goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub at: DateTime<Utc>,
    /// Of the row, where several have the same instant.
    pub id: i64,
}

/// As a cursor: numbers alone.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.at.timestamp_micros(), self.id)
    }
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (at, id) = text.split_once('-')?;
            Some(Self { at: DateTime::from_timestamp_micros(at.parse().ok()?)?, id: id.parse().ok()? })
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
        let place = Place { at, id: 17 };
        assert_eq!(place.to_string().parse::<Place>(), Ok(place));
        for text in ["", "-", "1", "1-", "-1", "a-1", "1-b", "1-2-3", "99999999999999999999-1"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
