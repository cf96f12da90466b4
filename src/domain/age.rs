//! Working age: from the 16th birthday to the retirement date, which the reform of 2024 delays month by month.

use chrono::{Datelike, Months, NaiveDate};

use super::facts::RetirementTrack;
use super::month::Month;
use super::verdict::AgeCode;

/// The phased delay of one track (decision of the National People's Congress of 2024-09-13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackRule {
    /// Who was born in January of this year is the first to wait longer, by one month.
    pub birth_year_from: i32,
    /// The age before the delay.
    pub base_years: u32,
    /// So many later months of birth make one more month of delay.
    pub step_months: u32,
    /// The delay grows no further than this.
    pub cap_months: u32,
}

impl TrackRule {
    /// The months by which the retirement of a person born on `birth` is put off.
    pub fn delay_months(self, birth: NaiveDate) -> u32 {
        let since_first = (birth.year() - self.birth_year_from) * 12 + birth.month0() as i32;
        // the first month of birth is already one month late: this is no rounded-up division
        u32::try_from(since_first).map_or(0, |months| {
            let steps = months.checked_div(self.step_months).unwrap_or(self.cap_months);
            steps.saturating_add(1).min(self.cap_months)
        })
    }
}

/// The rule of every track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetirementRules {
    pub men_60: TrackRule,
    pub women_55: TrackRule,
    pub women_50: TrackRule,
}

impl RetirementRules {
    /// In force nationally from 2025-01-01. It also gives the old ages for everybody who reached them before that day.
    pub const NATIONAL_2025: Self = Self {
        men_60: TrackRule { birth_year_from: 1965, base_years: 60, step_months: 4, cap_months: 36 },
        women_55: TrackRule { birth_year_from: 1970, base_years: 55, step_months: 4, cap_months: 36 },
        women_50: TrackRule { birth_year_from: 1975, base_years: 50, step_months: 2, cap_months: 60 },
    };

    pub fn get(&self, track: RetirementTrack) -> TrackRule {
        match track {
            RetirementTrack::Men60 => self.men_60,
            RetirementTrack::Women55 => self.women_55,
            RetirementTrack::Women50 => self.women_50,
        }
    }
}

/// The day on which the retirement age is reached: the day of birth in the month of retirement, or that month's last day
/// where it has no such day.
pub fn retirement_date(birth: NaiveDate, track: RetirementTrack, rules: &RetirementRules) -> NaiveDate {
    let rule = rules.get(track);
    months_later(birth, rule.base_years.saturating_mul(12).saturating_add(rule.delay_months(birth)))
}

/// The day on which a person is `years` old: the birthday itself. A birthday of 29 February falls on 28 February in a
/// common year (Civil Code art. 202: without a corresponding day, the month's last), as the retirement date does.
pub fn birthday(birth: NaiveDate, years: u32) -> NaiveDate {
    months_later(birth, years.saturating_mul(12))
}

/// Whether the person is of working age in `month`: the youngest age reached by the month's last day, the retirement age
/// not yet reached on its first.
pub fn age_code(
    birth: NaiveDate,
    track: RetirementTrack,
    month: Month,
    rules: &RetirementRules,
    minimum_age_years: u32,
) -> AgeCode {
    if birthday(birth, minimum_age_years) > month.last_day() {
        AgeCode::UnderAge
    } else if retirement_date(birth, track, rules) <= month.first_day() {
        AgeCode::OverAge
    } else {
        AgeCode::Pass
    }
}

fn months_later(day: NaiveDate, months: u32) -> NaiveDate {
    day.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: RetirementRules = RetirementRules::NATIONAL_2025;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("day")
    }

    fn month(text: &str) -> Month {
        text.parse().expect("month")
    }

    fn codes_of_2025(born: &str, track: RetirementTrack) -> Vec<AgeCode> {
        Month::all_of(2025).map(|month| age_code(day(born), track, month, &RULES, 16)).collect()
    }

    fn assert_table(track: RetirementTrack, rows: &[(&str, u32, u32, u32, &str)]) {
        for &(born, delay, years, months, reached) in rows {
            let birth = day(&format!("{born}-12"));
            let rule = RULES.get(track);
            assert_eq!(rule.delay_months(birth), delay, "delay, born {born}");
            assert_eq!(rule.base_years * 12 + delay, years * 12 + months, "age, born {born}");
            assert_eq!(retirement_date(birth, track, &RULES), day(&format!("{reached}-12")), "reached, born {born}");
        }
    }

    #[test]
    fn men_wait_one_month_longer_for_every_four_months_of_birth_up_to_63() {
        assert_table(
            RetirementTrack::Men60,
            &[
                ("1964-12", 0, 60, 0, "2024-12"),
                ("1965-01", 1, 60, 1, "2025-02"),
                ("1965-04", 1, 60, 1, "2025-05"),
                ("1965-05", 2, 60, 2, "2025-07"),
                ("1965-08", 2, 60, 2, "2025-10"),
                ("1965-09", 3, 60, 3, "2025-12"),
                ("1965-12", 3, 60, 3, "2026-03"),
                ("1966-01", 4, 60, 4, "2026-05"),
                ("1967-05", 8, 60, 8, "2028-01"),
                ("1970-01", 16, 61, 4, "2031-05"),
                ("1976-08", 35, 62, 11, "2039-07"),
                ("1976-09", 36, 63, 0, "2039-09"),
                ("1977-01", 36, 63, 0, "2040-01"),
            ],
        );
    }

    #[test]
    fn women_of_the_55_track_wait_one_month_longer_for_every_four_months_of_birth_up_to_58() {
        assert_table(
            RetirementTrack::Women55,
            &[
                ("1969-12", 0, 55, 0, "2024-12"),
                ("1970-01", 1, 55, 1, "2025-02"),
                ("1970-04", 1, 55, 1, "2025-05"),
                ("1970-05", 2, 55, 2, "2025-07"),
                ("1971-04", 4, 55, 4, "2026-08"),
                ("1974-10", 15, 56, 3, "2031-01"),
                ("1981-08", 35, 57, 11, "2039-07"),
                ("1981-09", 36, 58, 0, "2039-09"),
                ("1982-01", 36, 58, 0, "2040-01"),
                ("1995-03", 36, 58, 0, "2053-03"),
            ],
        );
    }

    #[test]
    fn women_of_the_50_track_wait_one_month_longer_for_every_two_months_of_birth_up_to_55() {
        assert_table(
            RetirementTrack::Women50,
            &[
                ("1974-12", 0, 50, 0, "2024-12"),
                ("1975-01", 1, 50, 1, "2025-02"),
                ("1975-02", 1, 50, 1, "2025-03"),
                ("1975-03", 2, 50, 2, "2025-05"),
                ("1975-12", 6, 50, 6, "2026-06"),
                ("1976-01", 7, 50, 7, "2026-08"),
                ("1980-01", 31, 52, 7, "2032-08"),
                ("1984-10", 59, 54, 11, "2039-09"),
                ("1984-11", 60, 55, 0, "2039-11"),
                ("1985-01", 60, 55, 0, "2040-01"),
                ("1995-12", 60, 55, 0, "2050-12"),
            ],
        );
    }

    #[test]
    fn the_retirement_day_is_the_day_of_birth_or_else_the_months_last_day() {
        let reached = |born: &str| retirement_date(day(born), RetirementTrack::Men60, &RULES).to_string();
        assert_eq!(reached("1967-05-12"), "2028-01-12");
        assert_eq!(reached("1965-01-31"), "2025-02-28", "February has no 31st");
        assert_eq!(reached("1964-02-29"), "2024-02-29");
    }

    #[test]
    fn v15_the_month_in_which_the_age_is_reached_still_counts_and_the_next_does_not() {
        let codes = codes_of_2025("1965-01-15", RetirementTrack::Men60);
        assert_eq!(codes[..2], [AgeCode::Pass; 2], "reached 2025-02-15");
        assert_eq!(codes[2..], [AgeCode::OverAge; 10]);
    }

    #[test]
    fn v16_who_reaches_the_age_in_december_has_the_whole_year() {
        assert_eq!(codes_of_2025("1965-09-20", RetirementTrack::Men60), [AgeCode::Pass; 12], "reached 2025-12-20");
    }

    #[test]
    fn who_reaches_the_age_on_the_first_of_a_month_does_not_have_that_month() {
        let codes = codes_of_2025("1965-05-01", RetirementTrack::Men60);
        assert_eq!((codes[5], codes[6]), (AgeCode::Pass, AgeCode::OverAge), "reached 2025-07-01");
    }

    #[test]
    fn the_month_of_the_16th_birthday_counts_from_its_last_day_on() {
        let code = |born: &str, of: &str| age_code(day(born), RetirementTrack::Women55, month(of), &RULES, 16).as_str();
        assert_eq!(code("2009-04-30", "2025-04"), "pass");
        assert_eq!(code("2009-05-01", "2025-04"), "under_age");
        assert_eq!(code("2009-05-01", "2025-05"), "pass");
    }

    #[test]
    fn a_birthday_of_29_february_falls_on_28_february_in_a_common_year() {
        assert_eq!(birthday(day("2008-02-29"), 16), day("2024-02-29"));
        assert_eq!(birthday(day("2008-02-29"), 17), day("2025-02-28"));
        let code = |of: &str| age_code(day("2008-02-29"), RetirementTrack::Men60, month(of), &RULES, 17);
        assert_eq!((code("2025-01"), code("2025-02")), (AgeCode::UnderAge, AgeCode::Pass));
    }

    #[test]
    fn a_rule_that_never_steps_delays_by_its_cap() {
        let rule = TrackRule { step_months: 0, ..RULES.men_60 };
        assert_eq!(rule.delay_months(day("1964-12-31")), 0);
        assert_eq!(rule.delay_months(day("1965-01-01")), 36);
    }

    proptest! {
        #[test]
        fn who_is_born_later_never_retires_in_an_earlier_month(days in 0_i64..30_000, later in 0_i64..4_000) {
            let birth = day("1930-01-01") + chrono::Duration::days(days);
            for &track in RetirementTrack::ALL {
                let first = Month::of(retirement_date(birth, track, &RULES));
                let second = Month::of(retirement_date(birth + chrono::Duration::days(later), track, &RULES));
                prop_assert!(first <= second);
            }
        }
    }
}
