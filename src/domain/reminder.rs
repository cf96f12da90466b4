//! What keeps an employer from having filed, in counts, and when it is told.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::facts::words;

words! {
    /// Where an unfinished declaration stands.
    Stands {
        Open = "open",
        /// The tax department rejected it; the federation issues it again.
        Rejected = "rejected",
        /// It was handed over, and no receipt came.
        NoReceipt = "no_receipt",
    }
}

/// What is missing of one employer's year. It names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "facts of their own, of which any may go with any")]
pub struct Unfinished {
    pub stands: Stands,
    /// Placements of the year.
    pub persons: u32,
    /// Ticked months of which evidence is missing, and of how many persons.
    pub evidence_months: u32,
    pub evidence_persons: u32,
    /// Persons whose evidence is complete, to be handed in.
    pub not_handed_in: u32,
    /// Persons who wait for staff.
    pub under_review: u32,
    /// Persons of whom staff returned a month.
    pub returned: u32,
    /// Persons with ticked months and no certificate in force today.
    pub without_certificate: u32,
    /// Nobody is known who could be told.
    pub contact_missing: bool,
    /// Everything ticked is confirmed: only 完成申报 is missing.
    pub only_completion: bool,
    /// Something is ticked at all.
    pub any_ticked: bool,
    /// The employer agreed to be completed, and that cannot be: the text changed, or not everything passes by itself.
    pub consent_fails: bool,
}

impl Unfinished {
    /// That nothing is missing so far.
    pub const fn nothing(stands: Stands, persons: u32) -> Self {
        Self {
            stands,
            persons,
            evidence_months: 0,
            evidence_persons: 0,
            not_handed_in: 0,
            under_review: 0,
            returned: 0,
            without_certificate: 0,
            contact_missing: false,
            only_completion: false,
            any_ticked: false,
            consent_fails: false,
        }
    }
}

/// Days left until the window closes, the last one not counted; none before and after the window.
pub fn days_left(window: (NaiveDate, NaiveDate), today: NaiveDate) -> Option<u16> {
    let (first, last) = window;
    (first..=last).contains(&today).then(|| u16::try_from((last - today).num_days()).unwrap_or(u16::MAX))
}

/// The threshold that a day has reached: the nearest that is not below the days left. So one that was missed is made up for, once.
pub fn threshold(days_left: u16, days_before: &[u16]) -> Option<u16> {
    days_before.iter().copied().filter(|days| *days >= days_left).min()
}

/// Unfinished declarations of one division, for staff.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub employers: u32,
    pub open: u32,
    pub rejected: u32,
    pub no_receipt: u32,
    /// Employers with persons who wait for staff, and these persons.
    pub awaiting_staff: u32,
    pub under_review: u32,
    pub only_completion: u32,
    pub contact_missing: u32,
}

impl Summary {
    pub fn add(&mut self, one: &Unfinished) {
        self.employers += 1;
        match one.stands {
            Stands::Open => self.open += 1,
            Stands::Rejected => self.rejected += 1,
            Stands::NoReceipt => self.no_receipt += 1,
        }
        self.awaiting_staff += u32::from(one.under_review > 0);
        self.under_review += one.under_review;
        self.only_completion += u32::from(one.only_completion);
        self.contact_missing += u32::from(one.contact_missing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    #[test]
    fn a_threshold_holds_until_the_next_and_none_before_the_first() {
        let window = (day("2026-03-01"), day("2026-10-31"));
        let days_before = [60, 30, 14, 7, 3, 1];
        for (today, expected) in [
            ("2026-02-28", None),
            ("2026-08-31", None),
            ("2026-09-01", Some(60)),
            ("2026-09-30", Some(60)),
            ("2026-10-01", Some(30)),
            ("2026-10-30", Some(1)),
            ("2026-10-31", Some(1)),
            ("2026-11-01", None),
        ] {
            let reached = days_left(window, day(today)).and_then(|left| threshold(left, &days_before));
            assert_eq!(reached, expected, "{today}");
        }
    }

    #[test]
    fn staff_hear_the_sums_of_their_division() {
        let open = Unfinished { under_review: 2, contact_missing: true, ..Unfinished::nothing(Stands::Open, 5) };
        let ready = Unfinished { only_completion: true, ..Unfinished::nothing(Stands::Open, 3) };
        let rejected = Unfinished::nothing(Stands::Rejected, 1);
        let silent = Unfinished::nothing(Stands::NoReceipt, 1);
        let mut summary = Summary::default();
        for one in [open, ready, rejected, silent] {
            summary.add(&one);
        }
        let expected = Summary {
            employers: 4,
            open: 2,
            rejected: 1,
            no_receipt: 1,
            awaiting_staff: 1,
            under_review: 2,
            only_completion: 1,
            contact_missing: 1,
        };
        assert_eq!(summary, expected);
    }
}
