//! Five-field Unix cron lines and the time zones in which they are read.

use chrono::{Datelike, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use serde::Deserialize;

/// What is wrong with a cron line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    #[error(
        "{0} fields where a cron line has five: minute, hour, day of month, month, day of week, as in `30 1 * * *`"
    )]
    Fields(usize),
    #[error("`{found}` is not {field}: accepted are {accepted}")]
    Field { field: &'static str, found: String, accepted: &'static str },
    #[error("never fires: no such day in any year")]
    Never,
}

/// A field's bounds, and the names it knows besides numbers.
struct Field {
    name: &'static str,
    accepted: &'static str,
    low: u8,
    high: u8,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field {
        name: "a minute",
        accepted: "`*`, 0-59, lists, ranges and steps such as `*/15`",
        low: 0,
        high: 59,
        names: &[],
    },
    Field { name: "an hour", accepted: "`*`, 0-23, lists, ranges and steps", low: 0, high: 23, names: &[] },
    Field { name: "a day of the month", accepted: "`*`, 1-31, lists, ranges and steps", low: 1, high: 31, names: &[] },
    Field {
        name: "a month",
        accepted: "`*`, 1-12 or jan-dec, lists, ranges and steps",
        low: 1,
        high: 12,
        names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    },
    Field {
        name: "a day of the week",
        accepted: "`*`, 0-7 (Sunday is 0 or 7) or sun-sat, lists, ranges and steps",
        low: 0,
        high: 7,
        names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    },
];

impl Field {
    /// The values a field names, as bits.
    fn parse(&self, text: &str) -> Result<u64, CronError> {
        let mut bits = 0;
        for part in text.split(',') {
            bits |= self.parse_part(part).ok_or_else(|| CronError::Field {
                field: self.name,
                found: text.to_owned(),
                accepted: self.accepted,
            })?;
        }
        Ok(bits)
    }

    fn parse_part(&self, part: &str) -> Option<u64> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, number(step).filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (low, high) = if range == "*" {
            (self.low, self.high)
        } else if let Some((low, high)) = range.split_once('-') {
            (self.value(low)?, self.value(high)?)
        } else {
            // A step needs a range to step through.
            let value = self.value(range).filter(|_| !part.contains('/'))?;
            (value, value)
        };
        (low <= high).then(|| (low..=high).step_by(usize::from(step)).fold(0, |bits, value| bits | 1 << value))
    }

    fn value(&self, text: &str) -> Option<u8> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = named.map_or_else(|| number(text), |at| Some(at as u8 + self.low))?;
        (self.low..=self.high).contains(&value).then_some(value)
    }
}

fn number(text: &str) -> Option<u8> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A five-field cron line. Where both days are given, either fires, as Unix has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Cron {
    text: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
}

impl Cron {
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let &[minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(CronError::Fields(fields.len()));
        };
        let weekdays = FIELDS[4].parse(weekday)?;
        let cron = Self {
            text: text.to_owned(),
            minutes: FIELDS[0].parse(minute)?,
            hours: FIELDS[1].parse(hour)?,
            days: FIELDS[2].parse(day)?,
            months: FIELDS[3].parse(month)?,
            // Sunday is 0 and 7.
            weekdays: (weekdays | weekdays >> 7) & 0x7F,
            any_day: day.starts_with('*'),
            any_weekday: weekday.starts_with('*'),
        };
        cron.next_after(NaiveDateTime::default()).ok_or(CronError::Never)?;
        Ok(cron)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn fires_on(&self, day: NaiveDate) -> bool {
        let in_days = self.days >> day.day() & 1 == 1;
        let in_weekdays = self.weekdays >> day.weekday().num_days_from_sunday() & 1 == 1;
        let day_fits = if self.any_day || self.any_weekday { in_days && in_weekdays } else { in_days || in_weekdays };
        day_fits && self.months >> day.month() & 1 == 1
    }

    /// The first minute after `after` at which the line fires, in the line's own time zone.
    pub fn next_after(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        /// 29 February can be eight years away, when a century in between has none.
        const HORIZON_DAYS: u64 = 8 * 366 + 1;
        for ahead in 0..=HORIZON_DAYS {
            let day = after.date().checked_add_days(Days::new(ahead))?;
            if !self.fires_on(day) {
                continue;
            }
            let from = if ahead == 0 { after.hour() * 60 + after.minute() + 1 } else { 0 };
            let fires = |minute: &u32| self.hours >> (minute / 60) & 1 == 1 && self.minutes >> (minute % 60) & 1 == 1;
            if let Some(minute) = (from..24 * 60).find(fires) {
                return Some(day.and_time(NaiveTime::from_hms_opt(minute / 60, minute % 60, 0)?));
            }
        }
        None
    }
}

impl TryFrom<String> for Cron {
    type Error = CronError;

    fn try_from(text: String) -> Result<Self, CronError> {
        Self::parse(&text)
    }
}

/// What is wrong with a time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a time zone known here: accepted are those without daylight saving around China ({KNOWN_ZONES}), \
     `UTC`, and offsets such as `+08:00`"
)]
pub struct ZoneError(String);

const KNOWN_ZONES: &str = "Asia/Shanghai, Asia/Chongqing, Asia/Harbin, Asia/Urumqi, Asia/Hong_Kong, Asia/Macau, \
                           Asia/Taipei, Asia/Singapore, Asia/Tokyo, Asia/Seoul, PRC";

/// A time zone with one offset all the year, so that no fire is skipped or doubled by a clock change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Zone {
    name: String,
    offset: FixedOffset,
}

impl Zone {
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        let hours = match name {
            "Asia/Shanghai" | "Asia/Chongqing" | "Asia/Harbin" | "Asia/Hong_Kong" | "Asia/Macau" | "Asia/Taipei"
            | "Asia/Singapore" | "PRC" => Some(8),
            "Asia/Urumqi" => Some(6),
            "Asia/Tokyo" | "Asia/Seoul" => Some(9),
            "UTC" | "Etc/UTC" | "Z" => Some(0),
            _ => None,
        };
        let offset = hours.map_or_else(
            || name.starts_with(['+', '-']).then(|| name.parse().ok()).flatten(),
            |hours| FixedOffset::east_opt(hours * 3600),
        );
        offset.map(|offset| Self { name: name.to_owned(), offset }).ok_or_else(|| ZoneError(name.to_owned()))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn offset(&self) -> FixedOffset {
        self.offset
    }
}

impl Default for Zone {
    /// Asia/Shanghai, the business time zone.
    fn default() -> Self {
        let offset = FixedOffset::east_opt(8 * 3600).unwrap_or(chrono::Offset::fix(&chrono::Utc));
        Self { name: "Asia/Shanghai".to_owned(), offset }
    }
}

impl TryFrom<String> for Zone {
    type Error = ZoneError;

    fn try_from(name: String) -> Result<Self, ZoneError> {
        Self::parse(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").expect("a test's instant")
    }

    fn fires(line: &str, after: &str) -> String {
        let next = Cron::parse(line).expect("a cron line").next_after(at(after)).expect("a fire");
        next.format("%Y-%m-%d %H:%M").to_string()
    }

    #[test]
    fn a_line_fires_at_the_next_minute_it_names() {
        assert_eq!(fires("30 1 * * *", "2025-03-01 01:29"), "2025-03-01 01:30");
        assert_eq!(fires("30 1 * * *", "2025-03-01 01:30"), "2025-03-02 01:30");
        assert_eq!(fires("*/15 8-9 * * mon-fri", "2025-03-01 00:00"), "2025-03-03 08:00");
        assert_eq!(fires("0 0 29 feb *", "2025-03-01 00:00"), "2028-02-29 00:00");
        assert_eq!(fires("0 0 29 2 *", "2096-03-01 00:00"), "2104-02-29 00:00");
    }

    #[test]
    fn sunday_is_zero_seven_and_a_name() {
        for sunday in ["0", "7", "sun", "SUN", "7-7"] {
            assert_eq!(fires(&format!("0 0 * * {sunday}"), "2025-03-01 00:00"), "2025-03-02 00:00", "{sunday}");
        }
        assert_eq!(fires("0 0 * * 5-7", "2025-03-02 00:00"), "2025-03-07 00:00");
    }

    #[test]
    fn either_day_fires_when_both_are_given() {
        assert_eq!(fires("0 0 15 * mon", "2025-03-11 00:00"), "2025-03-15 00:00");
        assert_eq!(fires("0 0 15 * mon", "2025-03-15 00:00"), "2025-03-17 00:00");
    }

    #[test]
    fn what_is_no_cron_line_is_refused() {
        assert_eq!(Cron::parse("30 1 * *"), Err(CronError::Fields(4)));
        for line in [
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "*/0 * * * *",
            "5-1 * * * *",
            "x * * * *",
        ] {
            assert!(matches!(Cron::parse(line), Err(CronError::Field { .. })), "{line}");
        }
        assert!(matches!(Cron::parse("5/10 * * * *"), Err(CronError::Field { .. })));
        assert_eq!(Cron::parse("0 0 31 2 *"), Err(CronError::Never));
    }

    #[test]
    fn zones_have_one_offset_all_the_year() {
        assert_eq!(Zone::parse("Asia/Shanghai"), Ok(Zone::default()));
        assert_eq!(Zone::parse("+05:30").map(|zone| zone.offset().local_minus_utc()), Ok(19_800));
        assert_eq!(Zone::parse("Europe/Berlin"), Err(ZoneError("Europe/Berlin".to_owned())));
    }
}
