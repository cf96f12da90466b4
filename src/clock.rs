//! Time: database time plus a stored offset, given to everything as a parameter.
//!
//! Nothing here reads a clock. `store` reads the database's and the offset (zero in earnest; the sandbox and the tests set it).

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};
use uuid::{NoContext, Timestamp, Uuid};

pub use crate::domain::month::SHANGHAI;

/// How far this installation's time is from the database's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    offset: TimeDelta,
}

impl Clock {
    pub fn new(offset: TimeDelta) -> Self {
        Self { offset }
    }

    /// The offset that shows `wanted` at the database instant `database_now`.
    pub fn set_to(wanted: DateTime<Utc>, database_now: DateTime<Utc>) -> Self {
        Self { offset: wanted.signed_duration_since(database_now) }
    }

    pub fn offset(self) -> TimeDelta {
        self.offset
    }

    /// This installation's instant at a database instant. Past the calendar's ends (year ±262 000) it stands still.
    pub fn at(self, database_now: DateTime<Utc>) -> DateTime<Utc> {
        database_now.checked_add_signed(self.offset).unwrap_or(if self.offset < TimeDelta::zero() {
            DateTime::<Utc>::MIN_UTC
        } else {
            DateTime::<Utc>::MAX_UTC
        })
    }
}

/// The date in China at an instant: deadlines, ages and filings go by it.
pub fn business_date(instant: DateTime<Utc>) -> NaiveDate {
    instant.with_timezone(&SHANGHAI).date_naive()
}

/// The instant of a date and time of day in China.
pub fn shanghai(date: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    let local = date.and_time(time);
    // Only the calendar's first eight hours have no counterpart.
    local.checked_sub_offset(SHANGHAI).unwrap_or(local).and_utc()
}

/// Midnight in China: the first instant of the date.
pub fn start_of_day(date: NaiveDate) -> DateTime<Utc> {
    shanghai(date, NaiveTime::MIN)
}

/// RFC 3339 in Beijing time, `2026-03-01T08:00:00+08:00`; a fraction of a second is shown only where there is one.
pub fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.with_timezone(&SHANGHAI).to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

/// A version 7 UUID of the given instant: by millisecond, then random. Before 1970 it says 1970.
pub fn uuid_v7(at: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, at.timestamp_subsec_nanos()))
}

/// The machine's own time, for what runs without a database: the calculator.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
pub fn system_now() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).expect("an instant").to_utc()
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    #[test]
    fn the_date_in_china_changes_at_sixteen_hours_utc() {
        assert_eq!(business_date(instant("2026-02-28T15:59:59Z")), date("2026-02-28"));
        assert_eq!(business_date(instant("2026-02-28T16:00:00Z")), date("2026-03-01"));
    }

    #[test]
    fn a_day_starts_at_midnight_in_china() {
        assert_eq!(start_of_day(date("2026-03-01")), instant("2026-02-28T16:00:00Z"));
        let noon = NaiveTime::from_hms_opt(12, 0, 0).expect("noon");
        assert_eq!(shanghai(date("2026-03-01"), noon), instant("2026-03-01T12:00:00+08:00"));
    }

    #[test]
    fn an_instant_is_shown_in_beijing_time() {
        assert_eq!(rfc3339(instant("2026-02-28T16:00:00Z")), "2026-03-01T00:00:00+08:00");
        assert_eq!(rfc3339(instant("2026-02-28T16:00:00.25Z")), "2026-03-01T00:00:00.250+08:00");
    }

    #[test]
    fn a_set_clock_runs_on_with_the_database() {
        let clock = Clock::set_to(instant("2026-03-01T00:00:00+08:00"), instant("2025-01-01T00:00:00Z"));
        assert_eq!(clock.at(instant("2025-01-01T00:00:05Z")), instant("2026-03-01T00:00:05+08:00"));
        assert_eq!(Clock::default().at(instant("2025-01-01T00:00:05Z")), instant("2025-01-01T00:00:05Z"));
        assert_eq!(Clock::new(TimeDelta::MAX).at(instant("2025-01-01T00:00:00Z")), DateTime::<Utc>::MAX_UTC);
    }

    #[test]
    fn a_uuid_sorts_by_the_instant_it_was_given() {
        let (earlier, later) = (uuid_v7(instant("2026-03-01T00:00:00Z")), uuid_v7(instant("2026-03-01T00:00:00.001Z")));
        assert!(earlier < later);
        assert_eq!(earlier.get_version_num(), 7);
        let (seconds, _) = later.get_timestamp().expect("a timestamp").to_unix();
        assert_eq!(seconds, 1_772_323_200);
        assert_ne!(uuid_v7(instant("1960-01-01T00:00:00Z")), uuid_v7(instant("1960-01-01T00:00:00Z")));
    }

    proptest::proptest! {
        #[test]
        fn every_instant_lies_in_its_business_date(seconds in 0_i64..4_000_000_000) {
            let instant = DateTime::from_timestamp(seconds, 0).expect("in range");
            let day = business_date(instant);
            proptest::prop_assert!(start_of_day(day) <= instant);
            proptest::prop_assert!(instant < start_of_day(day.succ_opt().expect("a next day")));
        }
    }
}
