//! Lines against what Unix means, minute by minute, and against clocks that are changed.

use chrono::{Datelike, NaiveDate, Timelike};
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).expect("an instant").to_utc()
}

fn zone(name: &str) -> Zone {
    Zone::parse(name).expect("a zone")
}

/// The next fire by Shanghai's clocks.
fn fires(line: &str, after: &str) -> String {
    let shanghai = Zone::default();
    let local = NaiveDateTime::parse_from_str(after, "%Y-%m-%d %H:%M").expect("a test's instant");
    let tick = Cron::parse(line).expect("a cron line").next_after(shanghai.instant(local), &shanghai).expect("a fire");
    assert_eq!(tick.clock_change, None);
    shanghai.local(tick.at).format("%Y-%m-%d %H:%M").to_string()
}

/// Fires in a zone from an instant on, as its clocks show them, with what a clock change does.
fn told(line: &str, name: &str, after: &str, fires: usize) -> Vec<String> {
    let (cron, zone) = (Cron::parse(line).expect("a cron line"), zone(name));
    let ticks = cron.ticks_after(at(after), &zone).take(fires);
    let tell = |tick: Tick| {
        let change = tick.clock_change.map_or(String::new(), |change| format!(" {change}"));
        format!("{}{change}", zone.local(tick.at).format("%m-%d %H:%M%:z"))
    };
    ticks.map(tell).collect()
}

#[test]
fn a_line_fires_at_the_next_minute_it_names() {
    assert_eq!(fires("30 1 * * *", "2025-03-01 01:29"), "2025-03-01 01:30");
    assert_eq!(fires("30 1 * * *", "2025-03-01 01:30"), "2025-03-02 01:30");
    assert_eq!(fires("*/15 8-9 * * mon-fri", "2025-03-01 00:00"), "2025-03-03 08:00");
    assert_eq!(fires("0 0 29 feb *", "2025-03-01 00:00"), "2028-02-29 00:00");
    assert_eq!(fires("0 0 29 2 *", "2092-03-01 00:00"), "2096-02-29 00:00");
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
    // a wildcard with a step still is one: both must fit
    assert_eq!(fires("0 0 */2 * mon", "2025-03-11 00:00"), "2025-03-17 00:00");
}

#[test]
fn what_is_no_cron_line_is_refused() {
    assert_eq!(Cron::parse("30 1 * *"), Err(CronError::Fields(4)));
    assert_eq!(Cron::parse("0 30 1 * * *"), Err(CronError::Fields(6)));
    for line in [
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5-1 * * * *",
        "x * * * *",
        "5/10 * * * *",
        "? * * * *",
        "* * * january *",
        "* * * * fri#1",
        "+1 * * * *",
    ] {
        assert!(matches!(Cron::parse(line), Err(CronError::Field { .. })), "{line}");
    }
    assert_eq!(Cron::parse("0 0 31 2 *"), Err(CronError::Never));
}

#[test]
fn a_local_time_that_is_left_out_fires_once_right_after_the_gap() {
    assert_eq!(
        told("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
        ["03-28 02:30+01:00", "03-29 03:00+02:00 shifted", "03-30 02:30+02:00"]
    );
    assert_eq!(
        told("0,20,40 2 * * *", "America/New_York", "2026-03-08T06:00:00Z", 2),
        ["03-08 03:00-04:00 shifted", "03-09 02:00-04:00"]
    );
    assert_eq!(
        told("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", 2),
        ["10-04 02:30+11:00 shifted", "10-05 02:15+11:00"]
    );
}

#[test]
fn a_local_time_that_comes_twice_fires_the_first_time() {
    assert_eq!(
        told("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["10-25 02:30+02:00 first", "10-26 02:30+01:00"]
    );
    assert_eq!(
        told("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2),
        ["11-01 01:30-04:00 first", "11-02 01:30-05:00"]
    );
    assert_eq!(
        told("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", 2),
        ["04-05 01:45+11:00 first", "04-06 01:45+10:30"]
    );
}

#[test]
fn a_line_for_every_hour_follows_real_time() {
    let hourly = ["03-29 01:00+01:00", "03-29 03:00+02:00", "03-29 04:00+02:00"];
    for line in ["0 * * * *", "0 0-23 * * *"] {
        assert_eq!(told(line, "Europe/Berlin", "2026-03-28T23:30:00Z", 3), hourly, "{line}");
    }
    assert_eq!(
        told("30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z", 3),
        ["10-25 02:30+02:00 first", "10-25 02:30+01:00 second", "10-25 03:30+01:00"]
    );
    assert_eq!(
        told("*/20 * * * *", "Australia/Lord_Howe", "2026-04-04T14:25:00Z", 5),
        [
            "04-05 01:40+11:00 first",
            "04-05 01:40+10:30 second",
            "04-05 02:00+10:30",
            "04-05 02:20+10:30",
            "04-05 02:40+10:30"
        ]
    );
}

/// A field as Unix reads it: a wildcard (perhaps with a step), or values.
#[derive(Clone, Debug)]
enum Part {
    Any(Option<u8>),
    Values(Vec<(u8, u8, u8)>),
}

impl Part {
    fn text(&self) -> String {
        match self {
            Self::Any(None) => "*".to_owned(),
            Self::Any(Some(step)) => format!("*/{step}"),
            Self::Values(ranges) => ranges
                .iter()
                .map(|(low, high, step)| match (low == high, step) {
                    (true, _) => low.to_string(),
                    (false, 1) => format!("{low}-{high}"),
                    (false, step) => format!("{low}-{high}/{step}"),
                })
                .collect::<Vec<_>>()
                .join(","),
        }
    }

    fn holds(&self, value: u8, lowest: u8) -> bool {
        match self {
            Self::Any(step) => (value - lowest).is_multiple_of(step.unwrap_or(1)),
            Self::Values(ranges) => ranges
                .iter()
                .any(|(low, high, step)| (*low..=*high).contains(&value) && (value - low).is_multiple_of(*step)),
        }
    }

    fn is_any(&self) -> bool {
        matches!(self, Self::Any(_))
    }
}

fn part(low: u8, high: u8) -> impl Strategy<Value = Part> {
    let range = (low..=high, low..=high, 1..5_u8).prop_map(|(one, other, step)| (one.min(other), one.max(other), step));
    prop_oneof![
        2 => prop::option::weighted(0.3, 2..high.max(3)).prop_map(Part::Any),
        3 => prop::collection::vec(range, 1..3).prop_map(Part::Values),
    ]
}

/// Whether a line names a minute, field by field.
fn named(parts: &[Part; 5], local: NaiveDateTime) -> bool {
    let [minute, hour, day, month, weekday] = parts;
    let sunday_first = local.weekday().num_days_from_sunday() as u8;
    let in_days = day.holds(local.day() as u8, 1);
    let in_weekdays = weekday.holds(sunday_first, 0) || sunday_first == 0 && weekday.holds(7, 0);
    let day_fits = if day.is_any() || weekday.is_any() { in_days && in_weekdays } else { in_days || in_weekdays };
    minute.holds(local.minute() as u8, 0)
        && hour.holds(local.hour() as u8, 0)
        && month.holds(local.month() as u8, 1)
        && day_fits
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_translation_fires_at_the_minutes_that_unix_means(
        parts in [part(0, 59), part(0, 23), part(1, 31), part(1, 12), part(0, 7)],
        start in 0..2_000_000_i64,
    ) {
        let line = parts.iter().map(Part::text).collect::<Vec<_>>().join(" ");
        let utc = zone("UTC");
        let start = NaiveDate::from_ymd_opt(2026, 1, 1).expect("a date").and_hms_opt(0, 0, 0).expect("midnight").and_utc()
            + TimeDelta::minutes(start);
        // minute by minute through six weeks
        let minutes = (1..42 * 24 * 60).map(|minute| start + TimeDelta::minutes(minute));
        let expected: Vec<DateTime<Utc>> = minutes.filter(|at| named(&parts, at.naive_utc())).take(20).collect();
        match Cron::parse(&line) {
            Ok(cron) => {
                let ticks: Vec<DateTime<Utc>> = cron.ticks_after(start, &utc).take(expected.len()).map(|tick| tick.at).collect();
                prop_assert_eq!(&ticks, &expected, "{}", line);
                if expected.len() < 20 {
                    let next = cron.ticks_after(start, &utc).nth(expected.len());
                    let beyond = start + TimeDelta::minutes(42 * 24 * 60);
                    prop_assert!(next.is_none_or(|next| next.at >= beyond), "{} fires at {:?}", line, next);
                }
            }
            Err(error) => prop_assert!(expected.is_empty() && error == CronError::Never, "{}: {}", line, error),
        }
    }

    #[test]
    fn in_a_zone_with_clock_changes_every_day_a_line_names_has_its_fire_and_none_has_two(
        place in 0..3_usize,
        minute in 0..60_u32,
        hour in 0..24_u32,
        day in 0..360_i64,
    ) {
        let zone = zone(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"][place]);
        let cron = Cron::parse(&format!("{minute} {hour} * * *")).expect("a cron line");
        let start = at("2026-01-01T00:00:00Z") + TimeDelta::days(day);
        let dates: Vec<NaiveDate> = cron.ticks_after(start, &zone).take(10).map(|tick| zone.local(tick.at).date_naive()).collect();
        for pair in dates.windows(2) {
            prop_assert_eq!(pair[0].succ_opt(), Some(pair[1]));
        }
    }
}
