//! The people of the province: born so that their placement's story can be told, no two with one ID number.

use std::collections::HashSet;

use chrono::{Datelike, Months, NaiveDate};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::names;
use super::numbers::resident_id;
use super::rows::{Person, PersonIndex};
use super::stories::Story;
use crate::domain::facts::RetirementTrack;
use crate::domain::ids::Sex;
use crate::domain::month::Month;

/// All persons; the place is the person's index.
pub struct People {
    pub all: Vec<Person>,
    taken: HashSet<[u8; 18]>,
    year: i32,
}

/// Who is born for a placement.
pub struct Birth {
    pub day: NaiveDate,
    pub sex: Sex,
    pub track: Option<RetirementTrack>,
}

impl People {
    pub fn new(year: i32, expected: usize) -> Self {
        Self { all: Vec::with_capacity(expected), taken: HashSet::with_capacity(expected), year }
    }

    /// Registers a person with an ID number that nobody has.
    pub fn register(&mut self, rng: &mut ChaCha8Rng, day: NaiveDate, sex: Sex) -> PersonIndex {
        let name = names::person(rng).into_boxed_str();
        loop {
            let id_number = resident_id(rng.random_range(0..100), day, rng.random_range(0..498), sex);
            if self.taken.insert(id_number) {
                self.all.push(Person { id_number, name });
                return (self.all.len() - 1) as PersonIndex;
            }
        }
    }

    /// Somebody of working age all year.
    pub fn register_adult(&mut self, rng: &mut ChaCha8Rng) -> PersonIndex {
        let birth = adult(rng, self.year);
        self.register(rng, birth.day, birth.sex)
    }

    /// Frees the memory that only kept numbers apart.
    pub fn finish(self) -> Vec<Person> {
        self.all
    }
}

/// Birth date, sex and track that the story needs.
pub fn birth(rng: &mut ChaCha8Rng, story: Story, year: i32) -> Birth {
    let turning = |rng: &mut ChaCha8Rng, age: i32, sex: Sex, track: Option<RetirementTrack>| Birth {
        day: awkward_day(rng, year - age),
        sex,
        track,
    };
    match story {
        Story::Sixteen => {
            let sex = if rng.random_bool(0.5) { Sex::Male } else { Sex::Female };
            turning(rng, 16, sex, None)
        }
        Story::RetiringMan => turning(rng, 60, Sex::Male, None),
        Story::RetiringWoman55 => turning(rng, 55, Sex::Female, None),
        Story::RetiringWoman50 => turning(rng, 50, Sex::Female, Some(RetirementTrack::Women50)),
        Story::Retired => turning(rng, 66, Sex::Male, Some(RetirementTrack::Men60)),
        Story::LeapBirthday => {
            let leap_year = (year - 33..year - 20).find(|year| NaiveDate::from_ymd_opt(*year, 2, 29).is_some());
            let day = leap_year.and_then(|year| NaiveDate::from_ymd_opt(year, 2, 29));
            Birth { day: day.unwrap_or_default(), sex: Sex::Male, track: None }
        }
        _ => {
            let mut birth = adult(rng, year);
            if rng.random_range(0..10) == 0 {
                birth.track = Some(RetirementTrack::default_for(birth.sex));
            }
            birth
        }
    }
}

/// 22 to 47 (women) or 57 (men): of working age all year on every track but women's 50 when delayed.
fn adult(rng: &mut ChaCha8Rng, year: i32) -> Birth {
    let male = rng.random_range(0..100) < 58;
    let born = year - rng.random_range(22..if male { 58 } else { 48 });
    let day = NaiveDate::from_yo_opt(born, rng.random_range(1..=365)).unwrap_or_default();
    Birth { day, sex: if male { Sex::Male } else { Sex::Female }, track: None }
}

/// A day on which a birthday's edge shows: the first, the last or the middle of a month of January to October,
/// 29 February where the year has it.
fn awkward_day(rng: &mut ChaCha8Rng, year: i32) -> NaiveDate {
    let first = NaiveDate::from_ymd_opt(year, rng.random_range(1..=10), 1).unwrap_or_default();
    let day = match rng.random_range(0..4) {
        0 => first,
        1 => Month::of(first).last_day(),
        2 => first.with_day(15).unwrap_or(first),
        _ => NaiveDate::from_ymd_opt(year, 2, 29).unwrap_or(first + Months::new(1)),
    };
    day.with_year(year).unwrap_or(day)
}
