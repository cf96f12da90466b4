//! Turns plans into records as agencies deliver them: corrected, reversed, re-keyed, deleted, repeated, misspelt, refusable.
//!
//! What a noise does to a record leaves what it says in the end unchanged (but for the few that replace a good record by a
//! refusable one), so that a story still shows what it is there to show. All chance is drawn before the cut at the business
//! date: the province of a later date holds the same records and more.

use chrono::{Days, NaiveDate};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use super::months::{Cover, Pay, Work};
use super::rows::{Contribution, Flaw, InsuranceRow, OWN_ACCOUNT, PersonIndex, WageRow, Wear, stamp_s};
use crate::domain::month::Month;

const DAY_S: u32 = 86_400;

/// The feeds under construction.
pub struct Deliveries {
    pub wages: Vec<WageRow>,
    pub pension: Vec<InsuranceRow>,
    pub medical: Vec<InsuranceRow>,
    year: i32,
    /// Nothing stamped at or after this instant has been delivered yet.
    limit_s: u32,
    /// Persons of no concern, to whom records are re-keyed: places 0 to this, not included.
    strangers: PersonIndex,
    next_record: [u32; 3],
}

#[derive(Clone, Copy)]
enum Scheme {
    Pension = 1,
    Medical = 2,
}

/// What befalls a record on its way.
enum Noise {
    None,
    /// An earlier version said something else; maybe delivered after the newer one.
    Corrected,
    /// An earlier version belonged to a stranger.
    RekeyedHere,
    /// A record of this person turns out to be a stranger's.
    RekeyedAway,
    Repeated,
    /// Another content under the same stamp.
    StampReused,
    /// A refusable record beside the good one.
    RefusedBeside,
    /// The record's first version is refusable.
    RefusedFirst,
    /// Only a refusable record comes.
    RefusedInstead,
    /// A record too many, deleted later.
    DeletedBeside,
    /// +x, −x, +x as records of their own (wages).
    Reversed,
}

fn noise(draw: u64) -> Noise {
    match draw % 10_000 {
        0..120 => Noise::Corrected,
        120..160 => Noise::RekeyedHere,
        160..180 => Noise::RekeyedAway,
        180..220 => Noise::Repeated,
        220..228 => Noise::StampReused,
        228..251 => Noise::RefusedBeside,
        251..274 => Noise::RefusedFirst,
        274..279 => Noise::RefusedInstead,
        279..319 => Noise::DeletedBeside,
        319..359 => Noise::Reversed,
        _ => Noise::None,
    }
}

fn wear(draw: u64) -> Wear {
    match (draw >> 16) % 1000 {
        0..8 => Wear::Spaced,
        8..14 => Wear::FullWidth,
        14..54 => Wear::LowerCase,
        54..60 => Wear::FifteenDigits,
        60..68 => Wear::NameSpaced,
        68..168 => Wear::OtherDot,
        _ => Wear::None,
    }
}

/// The flaws of a kind of record, by lot.
fn flaw(draw: u64, among: &[Flaw]) -> Flaw {
    among[(draw >> 28) as usize % among.len()]
}

const WAGE_FLAWS: [Flaw; 6] = [
    Flaw::IdChecksum,
    Flaw::UnitCode,
    Flaw::ThreeDecimals,
    Flaw::ImpossibleMonth,
    Flaw::ImpossibleDate,
    Flaw::MissingField,
];
const INSURANCE_FLAWS: [Flaw; 6] = [
    Flaw::IdChecksum,
    Flaw::UnitCode,
    Flaw::UnknownWord,
    Flaw::ImpossibleMonth,
    Flaw::ImpossibleDate,
    Flaw::MissingField,
];

impl Deliveries {
    /// `expected` person-months are made room for in each feed.
    pub fn new(year: i32, limit_s: u32, strangers: PersonIndex, expected: usize) -> Self {
        Self {
            wages: Vec::with_capacity(expected),
            pension: Vec::with_capacity(expected),
            medical: Vec::with_capacity(expected),
            year,
            limit_s,
            strangers,
            next_record: [0; 3],
        }
    }

    /// Between the 10th and the 20th of the month after the period.
    fn reported_s(&self, period: u8, draw: u64) -> u32 {
        let day =
            Month::new(self.year, 1).map_or(NaiveDate::MIN, |january| january.plus(i32::from(period) + 1).first_day());
        stamp_s(day + Days::new(9), 0) + ((draw >> 36) as u32) % (11 * DAY_S)
    }

    /// Everything the agencies report of a placement or of a stranger's job.
    pub fn deliver(&mut self, rng: &mut ChaCha8Rng, work: &Work) {
        if work.wage_lag == 1 && rng.random_bool(0.5) {
            // December's pay of the year before.
            self.pay(rng, work, 0, work.pay[0]);
        }
        for month in 0..12_u8 {
            let place = usize::from(month);
            if month + work.unreported_tail < 12 {
                self.pay(rng, work, month + work.wage_lag, work.pay[place]);
            }
            self.cover(rng, work, Scheme::Pension, month, work.pension[place]);
            self.cover(rng, work, Scheme::Medical, month, work.medical[place]);
        }
    }

    fn number(&mut self, feed: usize) -> u32 {
        self.next_record[feed] += 1;
        self.next_record[feed]
    }

    fn pay(&mut self, rng: &mut ChaCha8Rng, work: &Work, period: u8, pay: Pay) {
        if pay == Pay::Nothing {
            return;
        }
        let draw = rng.next_u64();
        let row = WageRow {
            person: work.person,
            payer: work.wage_payer,
            amount_fen: 0,
            record: self.number(0),
            stamp_s: self.reported_s(period, draw),
            period,
            deleted: false,
            wear: wear(draw),
            flaw: Flaw::None,
        };
        let of = |fen: i64| WageRow { amount_fen: fen as i32, ..row };
        match pay {
            Pay::Nothing => {}
            Pay::Ordinary(fen) => self.noisy_wage(rng, of(fen), draw),
            Pay::Exact(fen) => self.wage(of(fen)),
            Pay::Split(first, second) => {
                self.wage(of(first));
                self.another_wage(of(second), 0);
            }
            Pay::Reversed(first, second) => {
                self.wage(of(first));
                self.another_wage(of(-first), 9);
                self.another_wage(of(second), 9);
            }
            Pay::Elsewhere(fen) => self.wage(WageRow { payer: work.outsider, ..of(fen) }),
            Pay::Deleted(fen) => {
                self.wage(of(fen));
                self.wage(WageRow { deleted: true, stamp_s: row.stamp_s + 6 * DAY_S, ..of(fen) });
            }
            Pay::Refused(fen) => {
                let flaw = if draw & 1 == 0 { Flaw::ThreeDecimals } else { Flaw::MissingField };
                self.wage(WageRow { flaw, ..of(fen) });
            }
        }
    }

    fn wage(&mut self, row: WageRow) {
        if row.stamp_s < self.limit_s {
            self.wages.push(row);
        }
    }

    /// The row as a record of its own, `days` later.
    fn another_wage(&mut self, row: WageRow, days: u32) {
        let record = self.number(0);
        self.wage(WageRow { record, stamp_s: row.stamp_s + days * DAY_S, ..row });
    }

    fn noisy_wage(&mut self, rng: &mut ChaCha8Rng, row: WageRow, draw: u64) {
        let later_s = row.stamp_s + (5 + (draw >> 24) as u32 % 36) * DAY_S;
        let stranger = |rng: &mut ChaCha8Rng, strangers| rng.random_range(0..strangers);
        match noise(draw) {
            Noise::None => self.wage(row),
            Noise::Corrected => {
                let wrong = WageRow { amount_fen: row.amount_fen / 2, ..row };
                let right = WageRow { stamp_s: later_s, ..row };
                let (first, second) = if draw.is_multiple_of(4) { (right, wrong) } else { (wrong, right) };
                self.wage(first);
                self.wage(second);
            }
            Noise::RekeyedHere => {
                let person = stranger(rng, self.strangers);
                self.wage(WageRow { person, wear: Wear::None, ..row });
                self.wage(WageRow { stamp_s: later_s, ..row });
            }
            Noise::RekeyedAway => {
                self.wage(row);
                let record = self.number(0);
                let person = stranger(rng, self.strangers);
                self.wage(WageRow { record, ..row });
                self.wage(WageRow { record, person, wear: Wear::None, stamp_s: later_s, ..row });
            }
            Noise::Repeated => {
                self.wage(row);
                self.wage(row);
            }
            Noise::StampReused => {
                self.wage(row);
                self.wage(WageRow { amount_fen: row.amount_fen + 10_000, ..row });
            }
            Noise::RefusedBeside => {
                self.wage(row);
                self.another_wage(WageRow { flaw: flaw(draw, &WAGE_FLAWS), ..row }, 1);
            }
            Noise::RefusedFirst => {
                self.wage(WageRow { flaw: flaw(draw, &WAGE_FLAWS), ..row });
                self.wage(WageRow { stamp_s: later_s, ..row });
            }
            Noise::RefusedInstead => self.wage(WageRow { flaw: flaw(draw, &WAGE_FLAWS), ..row }),
            Noise::DeletedBeside => {
                self.wage(row);
                let record = self.number(0);
                self.wage(WageRow { record, ..row });
                self.wage(WageRow { record, deleted: true, stamp_s: later_s, ..row });
            }
            Noise::Reversed => {
                self.wage(row);
                self.another_wage(WageRow { amount_fen: -row.amount_fen, ..row }, 7);
                self.another_wage(row, 7);
            }
        }
    }

    fn cover(&mut self, rng: &mut ChaCha8Rng, work: &Work, scheme: Scheme, period: u8, cover: Cover) {
        if cover == Cover::Nothing {
            return;
        }
        let draw = rng.next_u64();
        let unit = match scheme {
            Scheme::Pension => work.pension_payer,
            Scheme::Medical => work.medical_payer,
        };
        let row = InsuranceRow {
            person: work.person,
            unit,
            record: self.number(scheme as usize),
            stamp_s: self.reported_s(period, draw),
            period,
            deleted: false,
            contribution: Contribution::Paid,
            wear: wear(draw),
            flaw: Flaw::None,
        };
        let as_said = |contribution| InsuranceRow { contribution, ..row };
        // Back payments arrive in the year's eleventh month, or two months after the month they are for.
        let back_s = (stamp_s(Month::new(self.year, 11).map_or(NaiveDate::MIN, Month::first_day), 0) + 3 * DAY_S)
            .max(row.stamp_s + 60 * DAY_S);
        match cover {
            Cover::Nothing => {}
            Cover::Ordinary => self.noisy_insurance(rng, scheme, row, draw),
            Cover::By(Contribution::BackPaid) => {
                self.insurance(scheme, InsuranceRow { stamp_s: back_s, ..as_said(Contribution::BackPaid) });
            }
            Cover::By(contribution) => self.insurance(scheme, as_said(contribution)),
            Cover::Elsewhere(contribution) => {
                self.insurance(scheme, InsuranceRow { unit: work.outsider, ..as_said(contribution) });
            }
            Cover::OwnAccount(contribution) | Cover::Resident(contribution) => {
                self.insurance(scheme, InsuranceRow { unit: OWN_ACCOUNT, ..as_said(contribution) });
            }
            Cover::Topped => {
                self.insurance(scheme, row);
                let record = self.number(scheme as usize);
                let stamp_s = back_s;
                self.insurance(scheme, InsuranceRow { record, stamp_s, ..as_said(Contribution::BackPaid) });
            }
            Cover::OwedThenPaid => {
                self.insurance(scheme, as_said(Contribution::Owed));
                self.insurance(scheme, InsuranceRow { stamp_s: row.stamp_s + 12 * DAY_S, ..row });
            }
            Cover::Refused => {
                let flaw = if draw & 1 == 0 { Flaw::UnknownWord } else { Flaw::MissingField };
                self.insurance(scheme, InsuranceRow { flaw, ..row });
            }
        }
    }

    fn insurance(&mut self, scheme: Scheme, row: InsuranceRow) {
        if row.stamp_s < self.limit_s {
            match scheme {
                Scheme::Pension => self.pension.push(row),
                Scheme::Medical => self.medical.push(row),
            }
        }
    }

    fn noisy_insurance(&mut self, rng: &mut ChaCha8Rng, scheme: Scheme, row: InsuranceRow, draw: u64) {
        let later_s = row.stamp_s + (5 + (draw >> 24) as u32 % 36) * DAY_S;
        let later = InsuranceRow { stamp_s: later_s, ..row };
        let spoilt = InsuranceRow { flaw: flaw(draw, &INSURANCE_FLAWS), ..row };
        let mut deliver = |rows: &[InsuranceRow]| rows.iter().for_each(|row| self.insurance(scheme, *row));
        match noise(draw) {
            Noise::None | Noise::Reversed => deliver(&[row]),
            Noise::Corrected => {
                let wrong = InsuranceRow { contribution: Contribution::Owed, ..row };
                deliver(&if draw.is_multiple_of(4) { [later, wrong] } else { [wrong, later] });
            }
            Noise::RekeyedHere => {
                let person = rng.random_range(0..self.strangers);
                self.insurance(scheme, InsuranceRow { person, wear: Wear::None, ..row });
                self.insurance(scheme, later);
            }
            Noise::RekeyedAway => {
                let record = self.number(scheme as usize);
                let person = rng.random_range(0..self.strangers);
                self.insurance(scheme, row);
                self.insurance(scheme, InsuranceRow { record, ..row });
                self.insurance(scheme, InsuranceRow { record, person, wear: Wear::None, ..later });
            }
            Noise::Repeated => deliver(&[row, row]),
            Noise::StampReused => deliver(&[row, InsuranceRow { contribution: Contribution::Owed, ..row }]),
            Noise::RefusedBeside => {
                deliver(&[row]);
                let record = self.number(scheme as usize);
                self.insurance(scheme, InsuranceRow { record, ..spoilt });
            }
            Noise::RefusedFirst => deliver(&[spoilt, later]),
            Noise::RefusedInstead => deliver(&[spoilt]),
            Noise::DeletedBeside => {
                deliver(&[row]);
                let record = self.number(scheme as usize);
                self.insurance(scheme, InsuranceRow { record, ..row });
                self.insurance(scheme, InsuranceRow { record, deleted: true, ..later });
            }
        }
    }
}
