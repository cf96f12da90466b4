//! What another policy would change, before it is used: every stored placement judged by both, at the same point.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::changes::Point;
use super::judging::YearRules;
use super::{JudgedYear, Selection, VerifyError, judge_by};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::policy::Policy;
use crate::domain::verdict::{Check, Verdict};
use crate::store::Store;

/// One way in which cells of one employer would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyChange {
    pub employer_uscc: String,
    /// Nothing: the weight, or whether the month passes at all, alone.
    pub check: Option<Check>,
    pub from: String,
    pub to: String,
    pub months: u64,
}

/// All of it for one employer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EmployerEffect {
    pub passed_before: u64,
    pub passed_after: u64,
    /// Weighted.
    pub person_months_before: u64,
    pub person_months_after: u64,
}

/// What two policies judge differently in one year.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PolicyDifference {
    pub placements: u64,
    pub changes: Vec<PolicyChange>,
    /// Employers of whom anything would change, by USCC.
    pub employers: BTreeMap<String, EmployerEffect>,
}

/// Judges a year by both policies and tells the difference; nothing is written.
pub async fn policy_difference(
    store: &Store,
    one: &Policy,
    other: &Policy,
    year: i32,
) -> Result<PolicyDifference, VerifyError> {
    let point = Point { seq: store.head().await?, business_date: store.today().await? };
    let rules = [YearRules::load(store, one, year, point).await?, YearRules::load(store, other, year, point).await?];
    let mut found = Changes::default();
    judge_by(store, &rules, &Selection::default(), &mut |lists| {
        let [before, after] = lists.as_slice() else { return };
        let before: HashMap<(PersonId, UnitId), &JudgedYear> =
            before.iter().map(|one| ((one.person, one.employer), one)).collect();
        for now in after {
            found.compare(before.get(&(now.person, now.employer)).copied(), now);
        }
    })
    .await?;
    Ok(found.told())
}

/// Changes under construction.
#[derive(Default)]
struct Changes {
    placements: u64,
    months: BTreeMap<(String, Option<u8>, String, String), u64>,
    employers: BTreeMap<String, EmployerEffect>,
}

impl Changes {
    fn compare(&mut self, before: Option<&JudgedYear>, now: &JudgedYear) {
        self.placements += 1;
        let employer = now.uscc.to_string();
        let mut effect = EmployerEffect::default();
        for (place, verdict) in now.verdicts.iter().enumerate() {
            let old = before.map(|before| before.verdicts[place]);
            let months_of = |verdict: &Verdict| if verdict.passed() { u64::from(verdict.weight) } else { 0 };
            effect.passed_before += u64::from(old.is_some_and(|old| old.passed()));
            effect.passed_after += u64::from(verdict.passed());
            effect.person_months_before += old.as_ref().map_or(0, months_of);
            effect.person_months_after += months_of(verdict);
            if old.as_ref() == Some(verdict) {
                continue;
            }
            let mut checks = 0;
            for check in Check::ALL {
                let (was, is) = (old.map_or("unknown", |old| old.codes.get(*check)), verdict.codes.get(*check));
                if was != is {
                    checks += 1;
                    self.add(&employer, Some(*check), was.to_owned(), is.to_owned());
                }
            }
            if checks == 0 {
                let told = |verdict: &Verdict| {
                    format!("weight {}, {}", verdict.weight, if verdict.passed() { "passed" } else { "not passed" })
                };
                self.add(&employer, None, old.as_ref().map_or_else(|| "unknown".to_owned(), told), told(verdict));
            }
        }
        let total = self.employers.entry(employer).or_default();
        total.passed_before += effect.passed_before;
        total.passed_after += effect.passed_after;
        total.person_months_before += effect.person_months_before;
        total.person_months_after += effect.person_months_after;
    }

    fn add(&mut self, employer: &str, check: Option<Check>, from: String, to: String) {
        *self.months.entry((employer.to_owned(), check.map(Check::number), from, to)).or_default() += 1;
    }

    fn told(self) -> PolicyDifference {
        let changes: Vec<PolicyChange> = self
            .months
            .into_iter()
            .map(|((employer_uscc, check, from, to), months)| PolicyChange {
                employer_uscc,
                check: check.and_then(Check::from_number),
                from,
                to,
                months,
            })
            .collect();
        let mut employers = self.employers;
        employers.retain(|uscc, _| changes.iter().any(|change| change.employer_uscc == *uscc));
        PolicyDifference { placements: self.placements, changes, employers }
    }
}
