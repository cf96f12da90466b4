//! The rules of a year, the facts of some of its persons, and the judge between them: where whole provinces, single cells and looks ahead begin.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::changes::Point;
use super::contest::Contest;
use super::gather::{GatherError, Gathered, Placed, gather};
use super::knowledge::{DivisionKnowledge, Refusals, Sources, knowledge};
use super::{JudgedYear, VerifyError};
use crate::domain::dated::NoRule;
use crate::domain::facts::UnitId;
use crate::domain::ids::Uscc;
use crate::domain::judge::{Case, EmployerTerms, Facts, Note, judge};
use crate::domain::month::Month;
use crate::domain::policy::{MonthRules, Policy};
use crate::domain::verdict::Check;
use crate::store::entries::Employer;
use crate::store::facts::Scope;
use crate::store::{Store, StoreError};

/// What a year is judged by at one point.
#[derive(Debug)]
pub struct YearRules {
    policy: Policy,
    months: Vec<MonthRules>,
    pub year: i32,
    pub point: Point,
    pub sources: Sources,
}

/// The facts of some persons, as they stood at a publish sequence.
#[derive(Debug)]
pub struct Chunk {
    pub gathered: Gathered,
    refusals: Refusals,
}

impl Chunk {
    /// Everything the verdicts of a scope rest on, but for the employers.
    pub async fn read(store: &Store, scope: &Scope) -> Result<Self, GatherError> {
        let (gathered, open) =
            tokio::try_join!(Box::pin(gather(store, scope)), async { Ok(store.open_refusals(scope).await?) })?;
        Ok(Self { gathered, refusals: Refusals::new(open, scope.year) })
    }
}

/// One employer, ready for the judge.
#[derive(Debug)]
pub(super) struct EmployerYear {
    entered: Employer,
    uscc: Uscc,
    division: DivisionKnowledge,
    /// By month; `None` where the division has no wage class.
    terms: Option<[EmployerTerms; 12]>,
}

/// The employers that were met so far: each is read once, however many chunks its persons lie in.
#[derive(Debug, Default)]
pub(super) struct EmployerYears(HashMap<UnitId, EmployerYear>);

impl EmployerYears {
    pub fn entered(&self, unit: UnitId) -> Option<&Employer> {
        self.0.get(&unit).map(|employer| &employer.entered)
    }

    /// Those that cannot be judged.
    pub fn without_wage_class(&self) -> impl Iterator<Item = (Uscc, &Employer)> {
        self.0.values().filter(|employer| employer.terms.is_none()).map(|employer| (employer.uscc, &employer.entered))
    }
}

impl YearRules {
    pub async fn load(store: &Store, policy: &Policy, year: i32, point: Point) -> Result<Self, VerifyError> {
        let months = Month::all_of(year).map(|month| policy.month_rules(month)).collect::<Result<_, NoRule>>()?;
        let sources = Sources::new(store.freshness(point.seq).await?, point.business_date);
        Ok(Self { policy: policy.clone(), months, year, point, sources })
    }

    /// The rules of a month of the year; `None` for another year's.
    pub fn of_month(&self, month: Month) -> Option<&MonthRules> {
        self.months.iter().find(|rules| rules.month == month)
    }

    /// Makes the chunk's employers ready for the judge.
    pub(super) async fn meet(
        &self,
        store: &Store,
        chunk: &Chunk,
        employers: &mut EmployerYears,
    ) -> Result<(), StoreError> {
        let placements = chunk.gathered.placements.iter();
        let new: HashSet<UnitId> =
            placements.map(|placed| placed.employer).filter(|unit| !employers.0.contains_key(unit)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let new: Vec<UnitId> = new.into_iter().collect();
        let codes = store.unit_codes(&new).await?;
        for entered in store.list_employers(self.point.seq, &new).await? {
            let Some(uscc) = codes.get(&entered.unit).copied() else { continue };
            let division = self.sources.for_division(&entered.division);
            let terms = self.terms(&entered);
            employers.0.insert(entered.unit, EmployerYear { entered, uscc, division, terms });
        }
        Ok(())
    }

    /// The employer's terms month by month: a class list may change within the year.
    fn terms(&self, employer: &Employer) -> Option<[EmployerTerms; 12]> {
        let digits = employer.division.get(..2).and_then(|digits| digits.parse().ok());
        let province = digits.unwrap_or(self.policy.province);
        let months: Option<Vec<EmployerTerms>> = self
            .months
            .iter()
            .map(|rules| {
                let wage_class = employer.class_on(&self.policy, rules.month.first_day())?;
                Some(EmployerTerms { wage_class, wage_lag: employer.wage_lag, province })
            })
            .collect();
        months?.try_into().ok()
    }

    /// The case of one placement with January's terms, its employer, and the terms by month.
    fn case_of_january<'a>(
        &self,
        chunk: &'a Chunk,
        employers: &'a EmployerYears,
        placed: &Placed,
    ) -> Option<(Case<'a>, &'a EmployerYear, &'a [EmployerTerms; 12])> {
        let employer = employers.0.get(&placed.employer)?;
        let terms = employer.terms.as_ref()?;
        let Gathered { wages, insurances, certificates, contracts, filings, .. } = &chunk.gathered;
        let (person, dispatch) = (placed.person, placed.subject.dispatch);
        let case = Case {
            subject: placed.subject,
            terms: terms[0],
            facts: Facts {
                wages: wages.of(&person.0),
                insurances: insurances.of(&person.0),
                certificates: certificates.of(&person.0),
                contracts: contracts.of(&(person.0, placed.employer.0)),
                filings: dispatch.and_then(|company| filings.get(&company)).map_or(&[], Vec::as_slice),
            },
            known: knowledge(
                &self.sources,
                &employer.division,
                &chunk.refusals,
                person,
                placed.concerned_seq,
                dispatch,
            ),
            business_date: self.point.business_date,
        };
        Some((case, employer, terms))
    }

    /// The case of one placement in one month of the year.
    pub(super) fn case<'a>(
        &self,
        chunk: &'a Chunk,
        employers: &'a EmployerYears,
        placed: &Placed,
        month: Month,
    ) -> Option<Case<'a>> {
        let (case, _, terms) = self.case_of_january(chunk, employers, placed)?;
        Some(Case { terms: *terms.get(month.number() as usize - 1)?, ..case })
    }

    /// Judges every placement of a chunk, by person and employer, on all cores.
    pub(super) fn judge(&self, chunk: &Chunk, employers: &EmployerYears) -> Vec<JudgedYear> {
        let persons: Vec<&[Placed]> =
            chunk.gathered.placements.chunk_by(|one, next| one.person == next.person).collect();
        persons.into_par_iter().flat_map_iter(|placements| self.judge_person(chunk, employers, placements)).collect()
    }

    /// Judges all placements of one person: each for itself, then against each other.
    fn judge_person(&self, chunk: &Chunk, employers: &EmployerYears, placements: &[Placed]) -> Vec<JudgedYear> {
        let mut judged: Vec<JudgedYear> = placements
            .iter()
            .filter_map(|placed| {
                let (case, employer, terms) = self.case_of_january(chunk, employers, placed)?;
                let verdicts = std::array::from_fn(|month| {
                    let case = Case { terms: terms[month], ..case };
                    let rules = &self.months[month];
                    judge(&case, rules.month, rules, &mut |_: Check, _: Note| {})
                });
                let Placed { person, employer: unit, .. } = *placed;
                Some(JudgedYear { person, employer: unit, uscc: employer.uscc, year: self.year, verdicts })
            })
            .collect();
        self.mark_conflicts(chunk, &mut judged);
        judged
    }

    fn mark_conflicts(&self, chunk: &Chunk, judged: &mut [JudgedYear]) {
        let Some(person) = judged.first().map(|first| first.person) else { return };
        let stated = chunk.gathered.stakes.of(&person.0);
        if judged.len() == 1 && stated.is_empty() {
            return;
        }
        for (place, rules) in self.months.iter().enumerate() {
            let passing = judged.iter().map(|one| (one.employer, one.verdicts[place].codes.pass()));
            let marks = Contest::over(stated, rules.month).stakes(passing).in_conflict();
            for (one, conflict) in judged.iter_mut().zip(marks) {
                one.verdicts[place].conflict = conflict;
            }
        }
    }
}
