//! The labour platform's filings of dispatch companies, each as its story needs it on the business date.

use chrono::{Days, Months, NaiveDate};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::rows::{FilingRow, Flaw, UnitIndex, stamp_s};
use super::stories::Story;
use super::units::Dispatcher;
use crate::domain::facts::FilingStatus;

const JIANGXI: u32 = 360_000;
const HUNAN: u32 = 430_000;

/// The filings of all dispatch companies, versions of one record in the order in which they were made.
pub fn enter(rng: &mut ChaCha8Rng, dispatchers: &[Dispatcher], today: NaiveDate) -> Vec<FilingRow> {
    let mut filings = Filings { rows: Vec::new(), next_record: 0 };
    for (place, dispatcher) in dispatchers.iter().enumerate() {
        filings.file(rng, dispatcher, place, today);
    }
    filings.rows
}

struct Filings {
    rows: Vec<FilingRow>,
    next_record: u32,
}

impl Filings {
    fn file(&mut self, rng: &mut ChaCha8Rng, dispatcher: &Dispatcher, place: usize, today: NaiveDate) {
        use Story as S;
        let mut row = self.begin(rng, dispatcher.unit, today);
        match dispatcher.story {
            S::DispatchNotFiled => return,
            S::DispatchEndedYesterday => row.valid_to = Some(today - Days::new(1)),
            S::DispatchEndsToday => row.valid_to = Some(today),
            S::DispatchEndsTomorrow => row.valid_to = Some(today + Days::new(1)),
            S::DispatchBeginsTomorrow => {
                row.valid_from = today + Days::new(1);
                row.valid_to = Some(row.valid_from + Months::new(36));
            }
            S::DispatchRevoked => {
                self.rows.push(row);
                row.stamp_s += 86_400 * 5;
                row.status = FilingStatus::Revoked;
            }
            S::DispatchPending => row.status = FilingStatus::Pending,
            S::DispatchRejected => row.status = FilingStatus::Rejected,
            S::DispatchOtherProvince => row.province = HUNAN,
            S::DispatchRefused => {
                row.flaw = if place.is_multiple_of(2) { Flaw::UnknownWord } else { Flaw::ImpossibleDate };
            }
            // Companies in order: some with an older filing that ended, some decided in two steps, one code off once.
            _ => match place % 5 {
                0 => {
                    let mut older = self.begin(rng, dispatcher.unit, today);
                    older.valid_from = row.valid_from - Months::new(36);
                    older.valid_to = Some(row.valid_from - Days::new(1));
                    self.rows.push(older);
                }
                1 => {
                    self.rows.push(FilingRow { status: FilingStatus::Pending, ..row });
                    row.stamp_s += 86_400 * 3;
                }
                2 => {
                    let refused = self.begin(rng, dispatcher.unit, today);
                    self.rows.push(FilingRow { flaw: Flaw::UnitCode, ..refused });
                }
                3 => {
                    self.rows.push(row);
                    row.valid_to = None;
                    row.stamp_s += 7200;
                }
                _ => {}
            },
        }
        self.rows.push(row);
    }

    /// An approved filing of three years, begun ten to twenty months ago.
    fn begin(&mut self, rng: &mut ChaCha8Rng, dispatcher: UnitIndex, today: NaiveDate) -> FilingRow {
        self.next_record += 1;
        let valid_from = today - Days::new(rng.random_range(300..600));
        FilingRow {
            dispatcher,
            record: self.next_record,
            stamp_s: stamp_s(today - Days::new(rng.random_range(20..200)), rng.random_range(28_800..64_800)),
            province: JIANGXI,
            valid_from,
            valid_to: Some(valid_from + Months::new(36) - Days::new(1)),
            status: FilingStatus::Approved,
            flaw: Flaw::None,
        }
    }
}
