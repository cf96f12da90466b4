//! 勾选: which months an employer may tick. Any month may be unticked; one that is not known yet may be ticked only when waiting is over.

use chrono::NaiveDate;

use super::month::Month;
use super::review::{Ground, Grounds};
use super::verdict::Verdict;

/// One check of a month that is pending, and when it should be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Wait {
    pub ground: Ground,
    /// A pull from this day on should make it known; `None`: no source says when.
    pub due_on: Option<NaiveDate>,
    /// What was due came: what keeps the check waiting is something else, such as a refused record.
    pub settled: bool,
}

impl Wait {
    /// Its source should have delivered by now and has not.
    fn is_past_due(self, today: NaiveDate) -> bool {
        !self.settled && self.due_on.is_some_and(|due| due < today)
    }
}

/// When and for whom a pending month is to be ticked.
#[derive(Clone, Copy, Debug)]
pub struct Occasion {
    /// Asia/Shanghai.
    pub today: NaiveDate,
    /// Last day of the window in which the year is declared.
    pub window_last_day: NaiveDate,
    /// The policy's `pending_tick_days`.
    pub pending_tick_days: u32,
    /// The employer is being deregistered, and will not be there when the data comes.
    pub deregisters: bool,
}

impl Occasion {
    /// Days of the window that remain, today included.
    fn days_left(&self) -> i64 {
        ((self.window_last_day - self.today).num_days() + 1).max(0)
    }

    /// Waiting any longer would cost the employer the month.
    fn is_last_call(&self) -> bool {
        self.deregisters || self.days_left() < i64::from(self.pending_tick_days)
    }
}

/// A pending month that may not be ticked yet, and what it still waits for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct NotDue {
    pub month: Month,
    pub waits: Vec<Wait>,
}

/// Whether the month may be ticked. `waits` are its pending checks; evidence is asked for when it is handed in.
pub fn may_tick(month: Month, verdict: &Verdict, waits: &[Wait], occasion: &Occasion) -> Result<(), NotDue> {
    let pending = Grounds::pending(verdict);
    if pending.is_empty() || occasion.is_last_call() {
        return Ok(());
    }
    let open: Vec<Wait> = pending
        .iter()
        .map(|ground| {
            let known = waits.iter().find(|wait| wait.ground == ground).copied();
            known.unwrap_or(Wait { ground, due_on: None, settled: false })
        })
        .filter(|wait| !wait.is_past_due(occasion.today))
        .collect();
    if open.is_empty() { Ok(()) } else { Err(NotDue { month, waits: open }) }
}

impl std::fmt::Display for NotDue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told: Vec<String> = self.waits.iter().copied().map(Wait::told).collect();
        write!(f, "{}: {}", self.month, told.join(", "))
    }
}

impl Wait {
    fn told(self) -> String {
        match self.due_on {
            Some(due) if !self.settled => format!("{} due on {due}", self.ground),
            Some(_) => format!("{}: what was due came, and a refused record of it waits for staff", self.ground),
            None => format!("{} without a day by which it must be known", self.ground),
        }
    }

    /// The same for the employer's handler.
    pub fn chinese(self) -> String {
        let ground = self.ground.chinese();
        match self.due_on {
            Some(due) if !self.settled => format!("{ground}应于{due}到数"),
            Some(_) => format!("{ground}应到数据已到，但有一条记录被退回，待工作人员处理"),
            None => format!("{ground}尚无到数日期"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::verdict::{Codes, InsuranceCode, WageCode};

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    fn month() -> Month {
        Month::new(2025, 11).expect("a month")
    }

    fn verdict(wage: WageCode, pension: InsuranceCode) -> Verdict {
        let codes = Codes { wage, pension, ..Codes::PASSING };
        Verdict { codes, conflict: false, weight: 1 }
    }

    fn occasion(today: &str) -> Occasion {
        Occasion { today: day(today), window_last_day: day("2026-10-31"), pending_tick_days: 30, deregisters: false }
    }

    fn wait(ground: Ground, due_on: &str) -> Wait {
        Wait { ground, due_on: Some(day(due_on)), settled: false }
    }

    const PENDING: (WageCode, InsuranceCode) = (WageCode::Pending, InsuranceCode::Pass);

    fn tick_wage(today: &str, wait: Wait) -> Result<(), NotDue> {
        may_tick(month(), &verdict(PENDING.0, PENDING.1), &[wait], &occasion(today))
    }

    #[test]
    fn a_month_that_fails_may_be_ticked_at_any_time() {
        let failing = verdict(WageCode::BelowMinimum, InsuranceCode::NoRecord);
        assert_eq!(may_tick(month(), &failing, &[], &occasion("2026-03-01")), Ok(()));
        let passing = verdict(WageCode::Pass, InsuranceCode::Pass);
        assert_eq!(may_tick(month(), &passing, &[], &occasion("2026-03-01")), Ok(()));
    }

    #[test]
    fn a_pending_month_may_be_ticked_from_the_day_after_its_source_was_due() {
        let wage = wait(Ground::Wage, "2026-03-17");
        assert_eq!(tick_wage("2026-03-16", wage), Err(NotDue { month: month(), waits: vec![wage] }));
        assert_eq!(
            tick_wage("2026-03-17", wage).expect_err("it may come today").to_string(),
            "2025-11: wage due on 2026-03-17"
        );
        assert_eq!(tick_wage("2026-03-18", wage), Ok(()));
    }

    #[test]
    fn every_pending_check_must_be_past_its_day() {
        let both = verdict(WageCode::Pending, InsuranceCode::Pending);
        let (wage, pension) = (wait(Ground::Wage, "2026-03-10"), wait(Ground::Pension, "2026-03-20"));
        let refused =
            may_tick(month(), &both, &[wage, pension], &occasion("2026-03-15")).expect_err("the pension may come");
        assert_eq!(refused.waits, [pension]);
        assert_eq!(may_tick(month(), &both, &[wage, pension], &occasion("2026-03-21")), Ok(()));
    }

    #[test]
    fn a_source_that_delivered_is_not_late_though_the_check_still_waits() {
        let wage = Wait { settled: true, ..wait(Ground::Wage, "2026-03-10") };
        let refused = tick_wage("2026-05-01", wage).expect_err("a refused record is open");
        let told = "2025-11: wage: what was due came, and a refused record of it waits for staff";
        assert_eq!(refused.to_string(), told);
    }

    #[test]
    fn what_no_source_delivers_waits_for_the_end_of_the_window() {
        let wage = Wait { ground: Ground::Wage, due_on: None, settled: false };
        assert!(tick_wage("2026-10-02", wage).is_err(), "30 days remain");
        assert_eq!(tick_wage("2026-10-03", wage), Ok(()), "29 days remain");
        assert_eq!(tick_wage("2026-10-31", wage), Ok(()));
        assert_eq!(tick_wage("2026-11-05", wage), Ok(()), "none remain");
    }

    #[test]
    fn a_deregistering_employer_does_not_wait() {
        let going = Occasion { deregisters: true, ..occasion("2026-03-01") };
        let wage = wait(Ground::Wage, "2026-03-17");
        assert_eq!(may_tick(month(), &verdict(PENDING.0, PENDING.1), &[wage], &going), Ok(()));
    }

    proptest! {
        #[test]
        fn whoever_may_tick_today_may_tick_tomorrow(offset in 0..300_i64, due in 0..300_i64, settled: bool) {
            let start = day("2026-01-01");
            let at = |days: i64| start + chrono::Duration::days(days);
            let wage = Wait { ground: Ground::Wage, due_on: Some(at(due)), settled };
            let on = |today: NaiveDate| {
                may_tick(month(), &verdict(PENDING.0, PENDING.1), &[wage], &Occasion { today, ..occasion("2026-01-01") }).is_ok()
            };
            prop_assert!(!on(at(offset)) || on(at(offset + 1)));
        }
    }

    #[test]
    fn what_is_waited_for_is_told_in_both_languages() {
        let due = wait(Ground::Pension, "2026-03-17");
        let told = |wait: Wait| (NotDue { month: month(), waits: vec![wait] }.to_string(), wait.chinese());
        let expected = |english: &str, chinese: &str| (english.to_owned(), chinese.to_owned());
        assert_eq!(told(due), expected("2025-11: pension due on 2026-03-17", "社保应于2026-03-17到数"));
        assert_eq!(
            told(Wait { settled: true, ..due }),
            expected(
                "2025-11: pension: what was due came, and a refused record of it waits for staff",
                "社保应到数据已到，但有一条记录被退回，待工作人员处理"
            )
        );
        assert_eq!(
            told(Wait { due_on: None, ..due }),
            expected("2025-11: pension without a day by which it must be known", "社保尚无到数日期")
        );
    }
}
