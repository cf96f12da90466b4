//! The certificate register: what it holds of each person, by the story that their placement tells.

use chrono::{Days, Months, NaiveDate};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::rows::{CertificateRow, Flaw, PersonIndex, Wear, stamp_s};
use super::stories::Story;
use crate::domain::facts::{CertificateKind, CertificateStatus};
use crate::domain::month::Month;

/// The register under construction.
pub struct Register {
    pub rows: Vec<CertificateRow>,
    next_record: u32,
    year: i32,
    limit_s: u32,
}

impl Register {
    /// Nothing stamped at `limit_s` or later has been written yet.
    pub fn new(year: i32, limit_s: u32, expected: usize) -> Self {
        Self { rows: Vec::with_capacity(expected), next_record: 0, year, limit_s }
    }

    fn day(&self, month: u32, day: u32) -> NaiveDate {
        Month::new(self.year, month).map_or(NaiveDate::MIN, |month| {
            let first = month.first_day();
            (first + Days::new(u64::from(day) - 1)).min(month.last_day())
        })
    }

    /// A certificate of ten years that covers the business year, as yet unwritten.
    fn sound(&mut self, rng: &mut ChaCha8Rng, person: PersonIndex) -> CertificateRow {
        let issued = NaiveDate::from_yo_opt(self.year - rng.random_range(1..=7), rng.random_range(1..=365));
        let level = match rng.random_range(0..100) {
            0..10 => 1,
            10..30 => 2,
            30..65 => 3,
            _ => 4,
        };
        self.issued(rng, person, issued.unwrap_or_default(), level)
    }

    fn issued(&mut self, rng: &mut ChaCha8Rng, person: PersonIndex, from: NaiveDate, level: u8) -> CertificateRow {
        self.next_record += 1;
        CertificateRow {
            person,
            record: self.next_record,
            stamp_s: 0,
            valid_from: from,
            valid_to: Some(from + Months::new(120) - Days::new(1)),
            status_since: None,
            kind: CertificateKind::DisabledPerson,
            status: CertificateStatus::Valid,
            level,
            number_level: level,
            category: rng.random_range(1..=7),
            reissue: 0,
            deleted: false,
            flaw: Flaw::None,
            wear: if rng.random_range(0..100) < 2 { Wear::LowerCase } else { Wear::None },
        }
    }

    fn soldier(&mut self, rng: &mut ChaCha8Rng, person: PersonIndex, level: u8) -> CertificateRow {
        let from = NaiveDate::from_yo_opt(self.year - rng.random_range(2..=15), rng.random_range(1..=365));
        let mut row = self.issued(rng, person, from.unwrap_or_default(), level);
        row.kind = CertificateKind::DisabledSoldier;
        row.category = 0;
        row.valid_to = None;
        row
    }

    /// Writes a version some days after what it says took effect; later `edit`ions of one record are later.
    fn write(&mut self, rng: &mut ChaCha8Rng, mut row: CertificateRow, edition: u64) {
        let effect = row.status_since.map_or(row.valid_from, |since| since.max(row.valid_from));
        let day = effect + Days::new(rng.random_range(1..=8) + 10 * edition);
        row.stamp_s = stamp_s(day, rng.random_range(28_800..64_800));
        if row.stamp_s < self.limit_s {
            self.rows.push(row);
        }
    }

    /// Somebody with a certificate in order.
    pub fn enter_holder(&mut self, rng: &mut ChaCha8Rng, person: PersonIndex) {
        let row = self.sound(rng, person);
        self.write(rng, row, 0);
    }

    /// Everything the register has of the person of a placement.
    pub fn enter(&mut self, rng: &mut ChaCha8Rng, person: PersonIndex, story: Story) {
        use Story as S;
        let mut row = self.sound(rng, person);
        let turn = rng.random_range(0..4_u32);
        let change = self.day(rng.random_range(3..=10), [1, 10, 20, 31][turn as usize]);
        match story {
            S::CertificateNone => return,
            S::CertificateExpired => {
                row.valid_from = change + Days::new(1) - Months::new(120);
                row.valid_to = Some(change);
            }
            S::CertificateExpiredByStatus => {
                row.status = CertificateStatus::Expired;
                row.status_since = Some(change);
            }
            S::CertificateExpiredUndated => {
                row.status = CertificateStatus::Expired;
                row.valid_to = None;
                if turn % 2 == 0 {
                    row.valid_from = change - Months::new(120);
                    row.valid_to = Some(change);
                }
            }
            S::CertificateFrozen => {
                (row.status, row.status_since) = (CertificateStatus::Frozen, Some(change));
            }
            S::CertificateFrozenUndated => row.status = CertificateStatus::Frozen,
            S::CertificateCancelled => {
                (row.status, row.status_since) = (CertificateStatus::Cancelled, Some(change));
            }
            S::CertificateCancelledUndated => row.status = CertificateStatus::Cancelled,
            S::CertificateReplaced | S::CertificateReplacedUndated => return self.reassessed(rng, row, story, change),
            S::CertificateNotYetValid => {
                row.valid_from = change;
                row.valid_to = Some(change + Months::new(120) - Days::new(1));
            }
            S::CertificatePartOfMonth | S::CertificateRenewedLate => {
                return self.renewed(rng, row, story, change);
            }
            S::CertificateMonthEnds => {
                let month = Month::of(change);
                match turn {
                    0 => row.valid_from = month.last_day(),
                    1 => row.valid_from = month.first_day(),
                    2 => row.valid_to = Some(month.first_day()),
                    _ => row.valid_to = Some(month.last_day()),
                }
            }
            S::CertificateReissued => row.reissue = 1 + turn as u8 % 2,
            S::CertificateDisagrees => row.number_level = row.level % 4 + 1,
            S::CertificateCorrected => {
                let wrong = CertificateRow { level: 4, number_level: 4, ..row };
                self.write(rng, wrong, 0);
                (row.level, row.number_level) = (2, 2);
                return self.write(rng, row, 1);
            }
            S::CertificateDeleted => {
                self.write(rng, row, 0);
                row.deleted = true;
                return self.write(rng, row, 1);
            }
            S::CertificateRefused => {
                row.flaw = [Flaw::UnknownWord, Flaw::ImpossibleDate, Flaw::MissingField][turn as usize % 3];
            }
            S::Soldier => row = self.soldier(rng, person, 1 + (self.next_record % 8) as u8),
            S::SoldierNotCounted => row = self.soldier(rng, person, 9 + turn as u8 % 2),
            S::SoldierBeside => {
                self.write(rng, row, 0);
                row = self.soldier(rng, person, 1 + turn as u8);
            }
            _ => {}
        }
        self.write(rng, row, 0);
    }

    /// Re-assessed to level 2 on `change`: the old certificate is replaced, the number changes.
    fn reassessed(&mut self, rng: &mut ChaCha8Rng, mut old: CertificateRow, story: Story, change: NaiveDate) {
        (old.level, old.number_level) = (3, 3);
        self.write(rng, old, 0);
        old.status = CertificateStatus::Replaced;
        if story == Story::CertificateReplaced {
            old.status_since = Some(change);
            self.write(rng, old, 0);
        } else {
            self.write(rng, old, 1);
        }
        let new = self.issued(rng, old.person, change, 2);
        self.write(rng, CertificateRow { category: old.category, ..new }, 0);
    }

    /// Ran out and was renewed under the same number: the next month (no month uncovered) or months later.
    fn renewed(&mut self, rng: &mut ChaCha8Rng, mut old: CertificateRow, story: Story, change: NaiveDate) {
        let ended = change.min(self.day(8, 31));
        old.valid_from = ended + Days::new(1) - Months::new(120);
        old.valid_to = Some(ended);
        self.write(rng, old, 0);
        let months = if story == Story::CertificatePartOfMonth { 1 } else { 3 };
        let new = self.issued(rng, old.person, ended + Months::new(months), old.level);
        self.write(rng, CertificateRow { category: old.category, ..new }, 0);
    }
}
