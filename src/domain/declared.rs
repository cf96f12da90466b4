//! The frozen months of a version: what they count, how an amendment changes them, and where later data differs from them.

use std::collections::{BTreeMap, HashMap};

use super::counting::Count;
use super::declaration::Change;
use super::facts::{PersonId, words};
use super::month::Month;
use super::review::Grounds;
use super::verdict::Verdict;
use super::worth::Gain;

/// A confirmed month of a declaration, as it is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeclaredMonth {
    pub person: PersonId,
    pub month: Month,
    /// 1 or 2.
    pub weight: u8,
    pub dispatched: bool,
    /// A reviewer approved it, else it passed.
    pub approved: bool,
    /// The packed verdict at that time.
    pub cell: i32,
}

/// What the months of one employer and year add up to.
pub fn count_of(months: &[DeclaredMonth]) -> Count {
    let mut persons: BTreeMap<PersonId, [u8; 12]> = BTreeMap::new();
    for month in months {
        persons.entry(month.person).or_default()[month.month.number() as usize - 1] = month.weight;
    }
    Count::of(persons.into_values())
}

/// The months as the levy counts them.
pub fn gain_of(months: &[DeclaredMonth]) -> Gain {
    months.iter().fold(Gain::default(), |sum, month| sum + Gain::month(month.weight, month.dispatched))
}

/// Why a month cannot be amended as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("it is declared already")]
    AlreadyDeclared,
    #[error("it is not declared")]
    NotDeclared,
    #[error("it neither passes nor was approved by a reviewer")]
    NotConfirmed,
}

impl Fault {
    pub fn code(self) -> &'static str {
        match self {
            Self::AlreadyDeclared => "already_declared",
            Self::NotDeclared => "not_declared",
            Self::NotConfirmed => "not_confirmed",
        }
    }

    pub fn chinese(self) -> &'static str {
        match self {
            Self::AlreadyDeclared => "该月已申报",
            Self::NotDeclared => "该月未申报",
            Self::NotConfirmed => "该月未通过校验，也未经审核确认",
        }
    }
}

/// A month that cannot be amended as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAmendable {
    pub person: PersonId,
    pub month: Month,
    pub fault: Fault,
}

/// The frozen months with the changes; `present` are the months that could be frozen now. Else every month that stands in the way.
pub fn amend(
    frozen: &[DeclaredMonth],
    changes: &[Change],
    present: &[DeclaredMonth],
) -> Result<Vec<DeclaredMonth>, Vec<NotAmendable>> {
    let key = |month: &DeclaredMonth| (month.person, month.month);
    let mut months: BTreeMap<(PersonId, Month), DeclaredMonth> = frozen.iter().map(|one| (key(one), *one)).collect();
    let present: HashMap<(PersonId, Month), DeclaredMonth> = present.iter().map(|one| (key(one), *one)).collect();
    let mut wrong = Vec::new();
    for Change { person, month, add, .. } in changes {
        let at = (*person, *month);
        let fault = match (add, months.contains_key(&at), present.get(&at)) {
            (true, true, _) => Fault::AlreadyDeclared,
            (true, false, None) => Fault::NotConfirmed,
            (false, false, _) => Fault::NotDeclared,
            (true, false, Some(now)) => {
                months.insert(at, *now);
                continue;
            }
            (false, true, _) => {
                months.remove(&at);
                continue;
            }
        };
        wrong.push(NotAmendable { person: *person, month: *month, fault });
    }
    if wrong.is_empty() { Ok(months.into_values().collect()) } else { Err(wrong) }
}

words! {
    /// How later data differs from a frozen month.
    DriftKind {
        /// Declared, and something now fails that did not fail then.
        Lost = "lost",
        /// Not declared, and by data that came afterwards it passes.
        Gained = "gained",
        /// Declared, and its weight would now be another.
        Weight = "weight",
    }
}

/// One month in which later data differs from what is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Drift {
    pub person: PersonId,
    pub month: Month,
    pub kind: DriftKind,
    /// What fails now and did not then.
    pub grounds: Grounds,
    pub declared_weight: u8,
    pub present_weight: u8,
    pub dispatched: bool,
    /// Number of the verification run since which it is so.
    pub run: i32,
}

impl Drift {
    /// The weighted months that would be counted more than are declared; less than none if fewer.
    pub fn weighted_months(&self) -> i32 {
        match self.kind {
            DriftKind::Lost => -i32::from(self.declared_weight),
            DriftKind::Gained => i32::from(self.present_weight),
            DriftKind::Weight => i32::from(self.present_weight) - i32::from(self.declared_weight),
        }
    }
}

/// A month as it is judged now.
#[derive(Clone, Copy, Debug)]
pub struct Present {
    pub person: PersonId,
    pub month: Month,
    pub dispatched: bool,
    pub verdict: Verdict,
    /// Number of the run that judged it so.
    pub run: i32,
}

/// Where the present differs from what is frozen. What is not known (any more) is no difference; a month that was left out although it
/// passed then is none either: only runs after `last_run`, the last before the completion, count for months that were not declared.
pub fn drift(frozen: &[DeclaredMonth], present: &[Present], last_run: i32) -> Vec<Drift> {
    let frozen: HashMap<(PersonId, Month), &DeclaredMonth> =
        frozen.iter().map(|month| ((month.person, month.month), month)).collect();
    let mut found = Vec::new();
    for Present { person, month, dispatched, verdict, run } in present {
        let declared = frozen.get(&(*person, *month));
        let one = |kind, grounds| Drift {
            person: *person,
            month: *month,
            kind,
            grounds,
            declared_weight: declared.map_or(0, |declared| declared.weight),
            present_weight: verdict.weight,
            dispatched: *dispatched,
            run: *run,
        };
        match declared {
            None if verdict.passed() && *run > last_run => found.push(one(DriftKind::Gained, Grounds::NONE)),
            None => {}
            Some(declared) => {
                let then = Verdict::unpack(declared.cell).map_or(Grounds::NONE, |then| Grounds::failing(&then));
                let known = Grounds::failing(verdict).without(Grounds::pending(verdict));
                let new = known.without(then);
                if !new.is_empty() {
                    found.push(one(DriftKind::Lost, new));
                } else if verdict.weight != declared.weight && Grounds::pending(verdict).is_empty() {
                    found.push(one(DriftKind::Weight, Grounds::NONE));
                }
            }
        }
    }
    found.sort_by_key(|drift| (drift.person, drift.month));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::review::Ground;
    use crate::domain::verdict::WageCode;

    fn verdict(wage: WageCode, weight: u8) -> Verdict {
        let passing = Verdict::unpack(1 << 23).expect("all pass, weight 1");
        let mut verdict = Verdict { weight, ..passing };
        verdict.codes.wage = wage;
        verdict
    }

    fn month(number: u32) -> Month {
        Month::new(2025, number).expect("month")
    }

    fn declared(person: i64, number: u32) -> DeclaredMonth {
        let cell = verdict(WageCode::Pass, 1).pack();
        let (person, month) = (PersonId(person), month(number));
        DeclaredMonth { person, month, weight: 1, dispatched: false, approved: false, cell }
    }

    fn change(person: i64, number: u32, add: bool) -> Change {
        Change { person: PersonId(person), month: month(number), add, reason: "late data".to_owned() }
    }

    #[test]
    fn an_amendment_adds_and_removes_single_months_and_leaves_the_others() {
        let frozen = [declared(1, 1), declared(1, 2), declared(2, 1)];
        let present = [declared(1, 3), declared(1, 1)];
        let changes = [change(1, 3, true), change(2, 1, false)];
        let amended = amend(&frozen, &changes, &present).expect("amended");
        assert_eq!(amended, [declared(1, 1), declared(1, 2), declared(1, 3)]);
        let count = count_of(&amended);
        assert_eq!((count.person_count, count.weighted_person_months), (1, 3));
    }

    #[test]
    fn months_add_up_each_in_its_place_by_weight_and_apart_for_the_dispatched() {
        let heavy = DeclaredMonth { weight: 2, dispatched: true, ..declared(2, 12) };
        let months = [declared(1, 1), declared(1, 12), heavy];
        assert_eq!(count_of(&months).months, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(gain_of(&months), Gain { weighted_months: 4, dispatched_months: 1 });
    }

    #[test]
    fn every_month_that_cannot_be_amended_is_named_with_its_fault() {
        let frozen = [declared(1, 1)];
        let changes = [change(1, 1, true), change(1, 2, false), change(1, 3, true)];
        let wrong = amend(&frozen, &changes, &[]).expect_err("refused");
        let faults: Vec<_> = wrong.iter().map(|one| (one.month.number(), one.fault.code())).collect();
        assert_eq!(faults, [(1, "already_declared"), (2, "not_declared"), (3, "not_confirmed")]);
        let chinese: Vec<_> = wrong.iter().map(|one| one.fault.chinese()).collect();
        assert_eq!(chinese, ["该月已申报", "该月未申报", "该月未通过校验，也未经审核确认"]);
    }

    fn present(number: u32, verdict: Verdict, run: i32) -> Present {
        Present { person: PersonId(1), month: month(number), dispatched: false, verdict, run }
    }

    #[test]
    fn later_data_is_a_difference_only_where_it_says_something_else() {
        let failing = verdict(WageCode::NoRecord, 1);
        let approved = DeclaredMonth { approved: true, cell: failing.pack(), ..declared(1, 4) };
        let frozen = [declared(1, 1), declared(1, 2), declared(1, 3), approved];
        let now = [
            present(1, verdict(WageCode::BelowMinimum, 1), 9),
            present(2, verdict(WageCode::Pass, 2), 8),
            present(3, verdict(WageCode::Pending, 1), 9),
            present(4, verdict(WageCode::BelowMinimum, 1), 9),
            present(5, verdict(WageCode::Pass, 1), 8),
            present(6, verdict(WageCode::Pass, 1), 7),
            present(7, failing, 9),
        ];
        let found = drift(&frozen, &now, 7);
        let told: Vec<_> =
            found.iter().map(|one| (one.month.number(), one.kind, one.weighted_months(), one.run)).collect();
        let expected = [(1, DriftKind::Lost, -1, 9), (2, DriftKind::Weight, 1, 8), (5, DriftKind::Gained, 1, 8)];
        assert_eq!(told, expected, "unknown, approved for the same ground and left out before are none");
        assert_eq!(found[0].grounds.iter().collect::<Vec<_>>(), [Ground::Wage]);
    }
}
