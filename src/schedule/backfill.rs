//! A backfill's parts: a range of days cut into steps that begin where the last ended.

use chrono::{Days, Months, NaiveDate};

/// How long each part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Days(u32),
    Months(u32),
}

/// More parts than these are no backfill but a mistake.
pub const MOST_PARTS: usize = 1000;

/// What is wrong with a backfill.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackfillError {
    #[error("`{0}` is no step: accepted are days, weeks, months and years, such as `10d`, `1w`, `1m`, `1y`")]
    Step(String),
    #[error("the first day, {from}, is after the last, {to}")]
    Order { from: NaiveDate, to: NaiveDate },
    #[error("these would be more than {MOST_PARTS} parts: take a longer step or a shorter range")]
    TooMany,
}

impl Step {
    pub fn parse(text: &str) -> Result<Self, BackfillError> {
        let wrong = || BackfillError::Step(text.to_owned());
        let unit = text.chars().last().ok_or_else(wrong)?;
        let digits = &text[..text.len() - unit.len_utf8()];
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: u32 = digits.parse().ok().filter(|number| (1..=10_000).contains(number)).ok_or_else(wrong)?;
        match unit {
            'd' => Ok(Self::Days(number)),
            'w' => Ok(Self::Days(7 * number)),
            'm' => Ok(Self::Months(number)),
            'y' => Ok(Self::Months(12 * number)),
            _ => Err(wrong()),
        }
    }

    /// Where a range that begins at `from` is cut for the `number`th time: counted from its beginning, so that the 31st stays the last of its
    /// month.
    fn cut(self, from: NaiveDate, number: u32) -> Option<NaiveDate> {
        match self {
            Self::Days(days) => from.checked_add_days(Days::new(u64::from(days) * u64::from(number))),
            Self::Months(months) => from.checked_add_months(Months::new(months.checked_mul(number)?)),
        }
    }
}

/// The parts of a range, both days of each included.
pub fn parts(from: NaiveDate, to: NaiveDate, step: Step) -> Result<Vec<(NaiveDate, NaiveDate)>, BackfillError> {
    if from > to {
        return Err(BackfillError::Order { from, to });
    }
    let mut parts = Vec::new();
    let mut begins = from;
    for number in 1.. {
        if parts.len() == MOST_PARTS {
            return Err(BackfillError::TooMany);
        }
        let next = step.cut(from, number).filter(|next| *next <= to);
        let ends = next.and_then(|next| next.pred_opt()).unwrap_or(to);
        parts.push((begins, ends));
        let Some(next) = next else { break };
        begins = next;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(from: &str, to: &str, step: &str) -> Vec<String> {
        let date = |text: &str| text.parse().expect("a date");
        let parts = parts(date(from), date(to), Step::parse(step).expect("a step")).expect("parts");
        parts.iter().map(|(from, to)| format!("{from}..{to}")).collect()
    }

    #[test]
    fn a_range_is_cut_into_parts_that_meet() {
        assert_eq!(
            cut("2025-01-15", "2025-03-20", "1m"),
            ["2025-01-15..2025-02-14", "2025-02-15..2025-03-14", "2025-03-15..2025-03-20"]
        );
        assert_eq!(cut("2025-01-01", "2025-01-10", "1w"), ["2025-01-01..2025-01-07", "2025-01-08..2025-01-10"]);
        assert_eq!(
            cut("2025-01-31", "2025-03-31", "1m"),
            ["2025-01-31..2025-02-27", "2025-02-28..2025-03-30", "2025-03-31..2025-03-31"]
        );
        assert_eq!(cut("2025-01-01", "2025-01-01", "1y"), ["2025-01-01..2025-01-01"]);
    }

    #[test]
    fn what_is_no_backfill_is_refused() {
        for step in ["", "m", "0d", "1h", "-1d", "1.5m", "99999d", "1月"] {
            assert_eq!(Step::parse(step), Err(BackfillError::Step(step.to_owned())));
        }
        let day = |day| NaiveDate::from_ymd_opt(2025, 1, day).expect("a date");
        assert!(matches!(parts(day(2), day(1), Step::Days(1)), Err(BackfillError::Order { .. })));
        let far = NaiveDate::from_ymd_opt(2028, 1, 1).expect("a date");
        assert_eq!(parts(day(1), far, Step::Days(1)), Err(BackfillError::TooMany));
    }
}
