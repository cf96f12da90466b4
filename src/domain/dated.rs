//! Rules that hold for a time: each with its first day, maybe its last, and where it is written.

use chrono::{Days, NaiveDate};

/// No rule for this date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no rule for this date: {what} on {on}")]
pub struct NoRule {
    /// What was asked for: the name of the list in the policy file.
    pub what: &'static str,
    pub on: NaiveDate,
}

/// One rule: from a day on, until its last day or the day before its successor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<T> {
    pub from: NaiveDate,
    /// The last day. `None`: until the next entry, or for good.
    pub until: Option<NaiveDate>,
    /// The notice that says so, in plain words.
    pub source: String,
    pub value: T,
}

/// What is wrong with a list of entries; `from` names the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DatedError {
    #[error("the entry from {from} overlaps the one before it")]
    Overlap { from: NaiveDate },
    #[error("the entry from {from} ends before it begins")]
    Backwards { from: NaiveDate },
}

/// Entries of one kind, oldest first, at most one on any day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated<T> {
    what: &'static str,
    entries: Vec<Entry<T>>,
}

impl<T> Dated<T> {
    /// Takes the entries in any order; refuses two on one day.
    pub fn new(what: &'static str, mut entries: Vec<Entry<T>>) -> Result<Self, DatedError> {
        entries.sort_by_key(|entry| entry.from);
        if let Some(entry) = entries.iter().find(|entry| entry.until.is_some_and(|until| until < entry.from)) {
            return Err(DatedError::Backwards { from: entry.from });
        }
        let overlap = entries.windows(2).find(|pair| match pair {
            [earlier, later] => later.from <= earlier.until.unwrap_or(earlier.from),
            _ => false,
        });
        if let Some([_, later]) = overlap {
            return Err(DatedError::Overlap { from: later.from });
        }
        Ok(Self { what, entries })
    }

    /// The same dates and sources with other values.
    pub fn map<U>(self, change: impl Fn(T) -> U) -> Dated<U> {
        let entries = self.entries.into_iter().map(|entry| Entry {
            from: entry.from,
            until: entry.until,
            source: entry.source,
            value: change(entry.value),
        });
        Dated { what: self.what, entries: entries.collect() }
    }

    pub fn entries(&self) -> &[Entry<T>] {
        &self.entries
    }

    pub fn on(&self, day: NaiveDate) -> Result<&T, NoRule> {
        self.entry_on(day).map(|entry| &entry.value)
    }

    /// With its dates and source.
    pub fn entry_on(&self, day: NaiveDate) -> Result<&Entry<T>, NoRule> {
        let begun = self.entries.partition_point(|entry| entry.from <= day);
        begun
            .checked_sub(1)
            .and_then(|last| self.entries.get(last))
            .filter(|entry| entry.until.is_none_or(|until| day <= until))
            .ok_or(NoRule { what: self.what, on: day })
    }

    /// The first day from `start` on without an entry, for ever after included.
    pub fn first_gap(&self, start: NaiveDate) -> Option<NaiveDate> {
        let mut day = start;
        loop {
            let Ok(entry) = self.entry_on(day) else { return Some(day) };
            let next = self.entries.iter().find(|other| other.from > day);
            day = match (entry.until, next) {
                (Some(until), _) => until.checked_add_days(Days::new(1))?,
                (None, Some(next)) => next.from,
                (None, None) => return None,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("date")
    }

    fn entry(from: &str, until: Option<&str>, value: u32) -> Entry<u32> {
        Entry { from: day(from), until: until.map(day), source: "test".into(), value }
    }

    fn list(entries: Vec<Entry<u32>>) -> Result<Dated<u32>, DatedError> {
        Dated::new("test", entries)
    }

    #[test]
    fn an_entry_holds_from_its_first_day_to_the_day_before_its_successor() {
        let rules = list(vec![entry("2024-04-01", None, 2), entry("2021-04-01", None, 1)]).expect("list");
        assert_eq!(rules.on(day("2024-03-31")), Ok(&1));
        assert_eq!(rules.on(day("2024-04-01")), Ok(&2));
        assert_eq!(rules.on(day("2099-12-31")), Ok(&2));
        let missing = rules.on(day("2021-03-31")).expect_err("before the first");
        assert_eq!(missing.to_string(), "no rule for this date: test on 2021-03-31");
    }

    #[test]
    fn an_entry_with_a_last_day_holds_on_that_day_and_no_longer() {
        let rules = list(vec![entry("2023-01-01", Some("2027-12-31"), 1)]).expect("list");
        assert_eq!(rules.on(day("2027-12-31")), Ok(&1));
        assert!(rules.on(day("2028-01-01")).is_err());
    }

    #[test]
    fn two_entries_on_one_day_are_refused() {
        let touching = vec![entry("2020-01-01", Some("2022-12-31"), 1), entry("2022-12-31", None, 2)];
        assert_eq!(list(touching), Err(DatedError::Overlap { from: day("2022-12-31") }));
        let same_day = vec![entry("2020-01-01", None, 1), entry("2020-01-01", None, 2)];
        assert_eq!(list(same_day), Err(DatedError::Overlap { from: day("2020-01-01") }));
        let backwards = vec![entry("2020-01-02", Some("2020-01-01"), 1)];
        assert_eq!(list(backwards), Err(DatedError::Backwards { from: day("2020-01-02") }));
    }

    #[test]
    fn a_gap_is_found_between_entries_and_at_the_end() {
        let gap = |entries| list(entries).expect("list").first_gap(day("2020-01-01"));
        assert_eq!(gap(vec![entry("2020-01-01", None, 1), entry("2021-01-01", None, 2)]), None);
        let hole = vec![entry("2020-01-01", Some("2020-06-30"), 1), entry("2020-07-02", None, 2)];
        assert_eq!(gap(hole), Some(day("2020-07-01")));
        assert_eq!(gap(vec![entry("2020-01-01", Some("2020-12-31"), 1)]), Some(day("2021-01-01")));
        assert_eq!(gap(vec![entry("2020-01-02", None, 1)]), Some(day("2020-01-01")));
        assert_eq!(gap(vec![]), Some(day("2020-01-01")));
    }

    #[test]
    fn a_gap_behind_several_entries_is_found() {
        let rules = list(vec![
            entry("2021-04-01", None, 1),
            entry("2023-01-01", None, 2),
            entry("2024-04-01", Some("2024-12-31"), 3),
            entry("2026-01-01", None, 4),
        ])
        .expect("list");
        assert_eq!(rules.first_gap(day("2021-06-01")), Some(day("2025-01-01")));
        assert_eq!(rules.first_gap(day("2026-01-01")), None);
    }
}
