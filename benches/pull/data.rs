//! The rows of the made-up deliveries: each is a function of the seed, the year and its number, so that any order of any size costs no memory.

use chrono::{Datelike, Days, NaiveDate};

use crate::common::units::credit_code;

/// Years of the two deliveries: both are past, whatever the clock says.
pub const FIRST_YEAR: i32 = 2023;
pub const SECOND_YEAR: i32 = 2024;

/// One row in so many is corrected by the agency.
const CORRECTED_ONE_IN: u64 = 100;
/// Which of them: not the first, so that a delivery does not begin with a correction.
const CORRECTED_AT: u64 = 37;

/// Areas 3600xx × days of birth × sequence numbers: none of these has a factor in common with [`SPREAD`].
const AREAS: u64 = 100;
const DAYS: u64 = 14_000;
const SEQUENCES: u64 = 400;
const SPREAD: u64 = 7_368_787;

const SURNAMES: [&str; 20] = [
    "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何", "郭", "欧阳",
    "诸葛",
];
const GIVEN: [&str; 24] = [
    "伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明", "超", "秀", "霞",
    "平", "刚", "桂", "英", "华",
];
/// Four bytes each in GB 18030.
const RARE: [&str; 4] = ["䶮", "㛃", "䲮", "𬭩"];

/// Who is paid, and how many rows that makes.
#[derive(Clone, Copy, Debug)]
pub struct Population {
    seed: u64,
    /// Rows of one year's wages.
    pub rows: u64,
    person_step: u64,
    row_step: u64,
}

/// A row of the wage delivery, every field as an agency writes it.
pub struct Wage {
    pub record_id: String,
    pub updated_at: String,
    pub id_number: String,
    pub name: String,
    pub payer_uscc: String,
    pub period: String,
    pub amount: String,
    pub paid_on: String,
}

impl Population {
    pub fn new(seed: u64, rows: u64) -> Self {
        Self { seed, rows, person_step: step_through(rows.div_ceil(12)), row_step: step_through(rows) }
    }

    /// Twelve months of each make the rows.
    pub fn persons(&self) -> u64 {
        self.rows.div_ceil(12)
    }

    /// How many rows of the year are corrected.
    pub fn corrections(&self) -> u64 {
        (self.rows + CORRECTED_ONE_IN - 1 - CORRECTED_AT) / CORRECTED_ONE_IN
    }

    /// The number of the row that stands at `place` when the same rows come in another order.
    pub fn elsewhere(&self, place: u64) -> u64 {
        place * self.row_step % self.rows
    }

    /// The wage row with this number: month by month, each month's persons in an order of its own. Corrected, every hundredth row says
    /// another amount with a later stamp.
    pub fn wage(&self, year: i32, number: u64, corrected: bool) -> Wage {
        let persons = self.persons();
        let (month, place) = (number / persons + 1, number % persons);
        let month_seed = self.random(month, year as u64);
        let person = (place * self.person_step + month_seed % persons) % persons;
        let drawn = self.random(person, month + 100);
        let period = format!("{year}-{month:02}");
        let corrected = corrected && number % CORRECTED_ONE_IN == CORRECTED_AT;
        let fen = 180_000 + self.random(person, 1) % 900_000 + drawn % 50_000 + u64::from(corrected);
        let (stamp_year, stamp_month) = match (corrected, month) {
            (true, _) => (year + 1, 6),
            (false, 12) => (year + 1, 1),
            (false, _) => (year, month + 1),
        };
        let (hour, minute, second) = (drawn % 24, drawn / 24 % 60, drawn / 1440 % 60);
        Wage {
            record_id: format!("W{year}{month:02}{number:010}"),
            updated_at: format!(
                "{stamp_year}-{stamp_month:02}-{:02}T{hour:02}:{minute:02}:{second:02}+08:00",
                1 + place * 15 / persons
            ),
            id_number: self.id_number(person),
            name: self.name(person),
            payer_uscc: self.payer(person, month),
            paid_on: format!("{period}-{:02}", 10 + person % 12),
            period,
            amount: format!("{}.{:02}", fen / 100, fen % 100),
        }
    }

    /// The person's row of the certificate delivery, as CSV without a line end.
    pub fn certificate(&self, person: u64) -> String {
        let (id, category, level) = (self.id_number(person), 1 + person % 7, 1 + person / 7 % 4);
        format!(
            "C{person:010},2022-01-05T02:00:00+08:00,{id},{},disabled_person,{id}{category}{level},{level},{category},2020-01-01,2029-12-31,valid",
            self.name(person)
        )
    }

    /// GB 11643, under one of the area codes that belong to no county.
    fn id_number(&self, person: u64) -> String {
        const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        const OLDEST: NaiveDate = NaiveDate::from_ymd_opt(1963, 1, 1).expect("a day");
        let space = AREAS * DAYS * SEQUENCES;
        let place = (person * SPREAD + self.seed % space) % space;
        let born = OLDEST + Days::new(place / AREAS % DAYS);
        let mut id = format!(
            "3600{:02}{:04}{:02}{:02}{:03}",
            place % AREAS,
            born.year(),
            born.month(),
            born.day(),
            place / (AREAS * DAYS)
        );
        let sum: u32 = WEIGHTS.iter().zip(id.bytes()).map(|(weight, digit)| weight * u32::from(digit - b'0')).sum();
        id.push(char::from(b"10X98765432"[(sum % 11) as usize]));
        id
    }

    fn name(&self, person: u64) -> String {
        let drawn = self.random(person, 2);
        let pick = |from: &[&'static str], at: u64| from[(at % from.len() as u64) as usize];
        let (surname, given) = (pick(&SURNAMES, drawn), pick(&GIVEN, drawn >> 16));
        let last = match drawn >> 32 & 63 {
            0 => pick(&RARE, drawn >> 40),
            1..16 => "",
            _ => pick(&GIVEN, drawn >> 40),
        };
        format!("{surname}{given}{last}")
    }

    /// Twenty persons an employer; one person in twenty goes to another one in July.
    fn payer(&self, person: u64, month: u64) -> String {
        let moved = month > 6 && person.is_multiple_of(20);
        credit_code(self.random(person, 3 + u64::from(moved)) % (self.persons() / 20 + 1))
    }

    /// A number that looks random (splitmix64) and is always the same for the seed, the subject and what it is drawn for.
    fn random(&self, subject: u64, purpose: u64) -> u64 {
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        let mixed = |z: u64| {
            let z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ z >> 31
        };
        let purpose = mixed(self.seed.wrapping_add(purpose.wrapping_mul(GOLDEN)));
        mixed(purpose.wrapping_add((subject + 1).wrapping_mul(GOLDEN)))
    }
}

/// A step by which `0..count` is walked in a scattered order that meets every number once.
fn step_through(count: u64) -> u64 {
    let greatest_common_divisor = |mut a: u64, mut b: u64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let mut step = (count * 618 / 1000).max(1);
    while greatest_common_divisor(step, count) != 1 {
        step += 1;
    }
    step
}
