//! What another policy would change, before it is used: every stored placement judged by both, at the same point.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::changes::Point;
use super::judging::YearRules;
use super::{JudgedYear, Selection, VerifyError, judge_by};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::policy::Policy;
use crate::domain::verdict::{Check, Verdict};
use crate::store::Store;

/// One way in which cells of one employer would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyChange {
    pub employer_uscc: String,
    /// Nothing: the weight, or whether the month passes at all, alone.
    pub check: Option<Check>,
    /// The code, or `not_judged` by a policy that has no wage class for the employer.
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
    /// Judged by one of them, or both.
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
        let mut before: HashMap<(PersonId, UnitId), &JudgedYear> =
            before.iter().map(|one| ((one.person, one.employer), one)).collect();
        for now in after {
            found.compare(now.uscc, before.remove(&(now.person, now.employer)), Some(now));
        }
        for one in before.into_values() {
            found.compare(one.uscc, Some(one), None);
        }
    })
    .await?;
    Ok(found.told())
}

/// What a month is called that one of the policies does not judge.
const NOT_JUDGED: &str = "not_judged";

/// Changes under construction.
#[derive(Default)]
struct Changes {
    placements: u64,
    months: BTreeMap<(String, Option<u8>, String, String), u64>,
    employers: BTreeMap<String, EmployerEffect>,
}

impl Changes {
    /// One placement, by the policies that judge it: at least one does.
    fn compare(&mut self, uscc: Uscc, before: Option<&JudgedYear>, after: Option<&JudgedYear>) {
        self.placements += 1;
        let employer = uscc.to_string();
        let mut effect = EmployerEffect::default();
        for place in 0..12 {
            let [old, new] = [before, after].map(|one| one.map(|one| one.verdicts[place]));
            let passed = |verdict: Option<Verdict>| u64::from(verdict.is_some_and(|verdict| verdict.passed()));
            let months_of = |verdict: Option<Verdict>| {
                verdict.filter(Verdict::passed).map_or(0, |verdict| u64::from(verdict.weight))
            };
            effect.passed_before += passed(old);
            effect.passed_after += passed(new);
            effect.person_months_before += months_of(old);
            effect.person_months_after += months_of(new);
            if old == new {
                continue;
            }
            let mut checks = 0;
            for check in Check::ALL {
                let code = |verdict: Option<Verdict>| verdict.map_or(NOT_JUDGED, |verdict| verdict.codes.get(*check));
                let (was, is) = (code(old), code(new));
                if was != is {
                    checks += 1;
                    self.add(&employer, Some(*check), was.to_owned(), is.to_owned());
                }
            }
            if checks == 0 {
                let told = |verdict: Option<Verdict>| match verdict {
                    Some(verdict) => {
                        format!("weight {}, {}", verdict.weight, if verdict.passed() { "passed" } else { "not passed" })
                    }
                    None => NOT_JUDGED.to_owned(),
                };
                self.add(&employer, None, told(old), told(new));
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
