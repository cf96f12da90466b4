//! Five-field Unix cron lines, translated for the `cron` crate, and when they fire in a time zone.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use cron::Schedule;
use serde::Deserialize;

use super::zone::{Named, Zone};
use crate::domain::facts::words;

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
    /// The values a field names, ascending.
    fn parse(&self, text: &str) -> Result<Vec<u8>, CronError> {
        let mut values = Vec::new();
        for part in text.split(',') {
            values.extend(self.parse_part(part).ok_or_else(|| CronError::Field {
                field: self.name,
                found: text.to_owned(),
                accepted: self.accepted,
            })?);
        }
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    fn parse_part(&self, part: &str) -> Option<impl Iterator<Item = u8> + use<>> {
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
        (low <= high).then(|| (low..=high).step_by(usize::from(step)))
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

words! {
    /// How a clock change touches a fire.
    ClockChange {
        /// Its local time does not exist that day: it fires right after the gap.
        Shifted = "shifted",
        /// Its local time comes twice: this is the first, and the only fire unless the hour is a wildcard.
        First = "first",
        /// The second time of a line whose hour is a wildcard.
        Second = "second",
    }
}

/// When a line fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    pub at: DateTime<Utc>,
    pub clock_change: Option<ClockChange>,
}

/// A five-field cron line. Where both days are given, either fires, as Unix has it. It fires until the year 2100.
///
/// A fire whose local time a clock change leaves out comes once, right after the gap; one whose local time comes twice, the first time.
/// A line for every hour (`*`, `*/2`, `0-23`) simply follows real time.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Cron {
    text: String,
    /// Two where either day fires.
    schedules: Vec<Schedule>,
    every_hour: bool,
}

/// A clock that is put back shows again what it showed up to so long ago.
const LONGEST_REPEAT: TimeDelta = TimeDelta::hours(4);

impl Cron {
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let &[minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(CronError::Fields(fields.len()));
        };
        let minutes = FIELDS[0].parse(minute)?;
        let hours = FIELDS[1].parse(hour)?;
        let every_hour = hour.starts_with('*') || hours.len() == 24;
        let days = list(&FIELDS[2].parse(day)?);
        let months = list(&FIELDS[3].parse(month)?);
        // the crate's week begins with Sunday as 1
        let weekdays: Vec<u8> = FIELDS[4].parse(weekday)?.into_iter().map(|day| day % 7 + 1).collect();
        let weekdays = list(&weekdays);
        let (minutes, hours) = (list(&minutes), list(&hours));
        // the crate wants both days to fit; either does unless one is a wildcard
        let both = day.starts_with('*') || weekday.starts_with('*');
        let days = if both { vec![(&*days, &*weekdays)] } else { vec![(&*days, "*"), ("*", &*weekdays)] };
        let schedules = days
            .into_iter()
            .map(|(days, weekdays)| {
                Schedule::from_str(&format!("0 {minutes} {hours} {days} {months} {weekdays}"))
                    .map_err(|_| CronError::Fields(fields.len()))
            })
            .collect::<Result<Vec<Schedule>, CronError>>()?;
        let cron = Self { text: text.to_owned(), schedules, every_hour };
        cron.next_shown(DateTime::UNIX_EPOCH.naive_utc()).ok_or(CronError::Never)?;
        Ok(cron)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first minute after `local` that the line names, whatever clocks do.
    fn next_shown(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        // the crate counts in the time zone it is given: one without clock changes
        let next = |schedule: &Schedule| schedule.after(&local.and_utc()).next();
        self.schedules.iter().filter_map(next).min().map(|at| at.naive_utc())
    }

    /// The first fire after an instant.
    pub fn next_after(&self, after: DateTime<Utc>, zone: &Zone) -> Option<Tick> {
        let tick = |at, clock_change| Tick { at, clock_change };
        // of local times that come twice, the second may still be ahead when the first is past
        let mut second: Option<Tick> = None;
        let back = if self.every_hour { LONGEST_REPEAT } else { TimeDelta::zero() };
        let mut shown = zone.local(after).naive_local().checked_sub_signed(back)?;
        loop {
            shown = self.next_shown(shown)?;
            let first = match zone.instants(shown) {
                Named::Once(at) => tick(at, None),
                Named::Twice(at, again) => {
                    if self.every_hour && again > after && second.is_none() {
                        second = Some(tick(again, Some(ClockChange::Second)));
                    }
                    tick(at, Some(ClockChange::First))
                }
                Named::Never { .. } if self.every_hour => continue,
                Named::Never { after_gap } => tick(after_gap, Some(ClockChange::Shifted)),
            };
            if first.at > after {
                return Some(second.filter(|second| second.at < first.at).unwrap_or(first));
            }
        }
    }

    /// All fires after an instant, in their order.
    pub fn ticks_after(&self, after: DateTime<Utc>, zone: &Zone) -> impl Iterator<Item = Tick> {
        std::iter::successors(self.next_after(after, zone), move |tick| self.next_after(tick.at, zone))
    }
}

/// Values as the crate reads them.
fn list(values: &[u8]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({})", self.text)
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cron {}

impl TryFrom<String> for Cron {
    type Error = CronError;

    fn try_from(text: String) -> Result<Self, CronError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests;
