//! Time zones: by their IANA name, or an offset. What a clock change does to a local time is decided here.

use std::fmt;

use chrono::{DateTime, FixedOffset, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::Deserialize;

/// What is wrong with a time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a time zone known here: accepted are names such as `Asia/Shanghai`, `UTC`, `PRC` and `Europe/Berlin`, and offsets \
     such as `+08:00`"
)]
pub struct ZoneError(String);

/// A time zone.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Zone {
    name: String,
    rules: Rules,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rules {
    Named(Tz),
    Fixed(FixedOffset),
}

/// The instants that a local time names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Once(DateTime<Utc>),
    /// The clock was put back over it: the first and the second time.
    Twice(DateTime<Utc>, DateTime<Utc>),
    /// The clock was put forward over it: the first instant after the gap.
    Never {
        after_gap: DateTime<Utc>,
    },
}

impl Zone {
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        let rules = match name {
            "Z" => Some(Rules::Named(Tz::UTC)),
            _ if name.starts_with(['+', '-']) => name.parse().ok().map(Rules::Fixed),
            _ => name.parse().ok().map(Rules::Named),
        };
        rules.map(|rules| Self { name: name.to_owned(), rules }).ok_or_else(|| ZoneError(name.to_owned()))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// An instant as clocks in the zone show it.
    pub fn local(&self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        let offset = match self.rules {
            Rules::Named(zone) => zone.offset_from_utc_datetime(&at.naive_utc()).fix(),
            Rules::Fixed(offset) => offset,
        };
        at.with_timezone(&offset)
    }

    /// The instants at which clocks in the zone show this.
    pub fn instants(&self, local: NaiveDateTime) -> Named {
        match self.mapped(local) {
            MappedLocalTime::Single(at) => Named::Once(at),
            MappedLocalTime::Ambiguous(first, second) => Named::Twice(first.min(second), first.max(second)),
            MappedLocalTime::None => Named::Never { after_gap: self.after_gap(local) },
        }
    }

    /// The one instant that a record without offset means: of two the first, of none the one right after the gap.
    pub fn instant(&self, local: NaiveDateTime) -> DateTime<Utc> {
        match self.instants(local) {
            Named::Once(at) | Named::Twice(at, _) | Named::Never { after_gap: at } => at,
        }
    }

    fn mapped(&self, local: NaiveDateTime) -> MappedLocalTime<DateTime<Utc>> {
        match self.rules {
            Rules::Named(zone) => zone.from_local_datetime(&local).map(|at| at.to_utc()),
            Rules::Fixed(offset) => offset.from_local_datetime(&local).map(|at| at.to_utc()),
        }
    }

    /// The first minute after `local` that exists. No gap is longer than the day that Samoa left out.
    fn after_gap(&self, local: NaiveDateTime) -> DateTime<Utc> {
        (1..=2 * 24 * 60)
            .find_map(|minutes| self.mapped(local.checked_add_signed(TimeDelta::minutes(minutes))?).earliest())
            .unwrap_or_else(|| local.and_utc())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl Default for Zone {
    /// Asia/Shanghai, the business time zone.
    fn default() -> Self {
        Self { name: "Asia/Shanghai".to_owned(), rules: Rules::Named(Tz::Asia__Shanghai) }
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

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).expect("an instant").to_utc()
    }

    fn instants(zone: &str, local: &str) -> Named {
        let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M").expect("a local time");
        Zone::parse(zone).expect("a zone").instants(local)
    }

    #[test]
    fn a_zone_is_a_name_or_an_offset() {
        assert_eq!(Zone::parse("Asia/Shanghai"), Ok(Zone::default()));
        for name in ["PRC", "UTC", "Z", "Etc/UTC", "Asia/Tokyo", "Asia/Urumqi", "+05:30", "-03:00", "Europe/Berlin"] {
            assert_eq!(Zone::parse(name).expect("known").name(), name);
        }
        for name in ["Mars/Olympus", "", "8", "+8h"] {
            assert_eq!(Zone::parse(name), Err(ZoneError(name.to_owned())));
        }
    }

    #[test]
    fn a_local_time_is_named_once_twice_or_never() {
        assert_eq!(instants("Asia/Shanghai", "2026-03-01 01:30"), Named::Once(at("2026-03-01T01:30:00+08:00")));
        assert_eq!(
            instants("Europe/Berlin", "2026-03-29 02:30"),
            Named::Never { after_gap: at("2026-03-29T03:00:00+02:00") }
        );
        assert_eq!(
            instants("Europe/Berlin", "2026-10-25 02:30"),
            Named::Twice(at("2026-10-25T02:30:00+02:00"), at("2026-10-25T02:30:00+01:00"))
        );
        assert_eq!(
            instants("Australia/Lord_Howe", "2026-10-04 02:10"),
            Named::Never { after_gap: at("2026-10-04T02:30:00+11:00") }
        );
        assert_eq!(
            instants("Pacific/Apia", "2011-12-30 12:00"),
            Named::Never { after_gap: at("2011-12-31T00:00:00+14:00") }
        );
    }

    #[test]
    fn an_instant_is_shown_as_clocks_there_show_it() {
        let zone = Zone::parse("America/New_York").expect("a zone");
        assert_eq!(zone.local(at("2026-07-01T12:00:00Z")).to_rfc3339(), "2026-07-01T08:00:00-04:00");
        assert_eq!(zone.local(at("2026-01-01T12:00:00Z")).to_rfc3339(), "2026-01-01T07:00:00-05:00");
    }
}
