//! The rules of a year, the facts of some of its persons, and the judge between them: where whole provinces, single cells and looks ahead begin.

use std::collections::{BTreeMap, HashMap, HashSet};

use rayon::prelude::*;

use super::changes::Point;
use super::contest::Contest;
use super::gather::{GatherError, Gathered, Placed, gather};
use super::knowledge::{DivisionKnowledge, Refusals, Sources, knowledge};
use super::{JudgedYear, Unjudged, VerifyError};
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

    /// Why the employer cannot be judged; `None` if it can, or was not met.
    pub fn without_wage_class(&self, unit: UnitId) -> Option<VerifyError> {
        let employer = self.0.get(&unit).filter(|employer| employer.terms.is_none())?;
        Some(VerifyError::NoWageClass { uscc: employer.uscc, division: employer.entered.division.clone() })
    }

    /// Adds the placements of a chunk that cannot be judged to those of the chunks before.
    pub fn add_unjudged(&self, chunk: &Chunk, unjudged: &mut BTreeMap<String, Unjudged>) {
        if self.0.values().all(|employer| employer.terms.is_some()) {
            return;
        }
        for placed in &chunk.gathered.placements {
            let Some(EmployerYear { uscc, entered, terms: None, .. }) = self.0.get(&placed.employer) else { continue };
            let division = entered.division.clone();
            let of_employer = unjudged.entry(uscc.to_string()).or_insert(Unjudged { division, placements: 0 });
            of_employer.placements += 1;
        }
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
        self.meet_these(store, &new, employers).await
    }

    async fn meet_these(
        &self,
        store: &Store,
        units: &[UnitId],
        employers: &mut EmployerYears,
    ) -> Result<(), StoreError> {
        let codes = store.unit_codes(units).await?;
        for entered in store.list_employers(self.point.seq, units).await? {
            let Some(uscc) = codes.get(&entered.unit).copied() else { continue };
            let division = self.sources.for_division(&entered.division);
            let terms = self.terms(&entered);
            employers.0.insert(entered.unit, EmployerYear { entered, uscc, division, terms });
        }
        Ok(())
    }

    /// Refuses an employer that cannot be judged.
    pub(super) async fn refuse_unjudgeable(&self, store: &Store, employer: UnitId) -> Result<(), VerifyError> {
        let mut met = EmployerYears::default();
        self.meet_these(store, &[employer], &mut met).await?;
        met.without_wage_class(employer).map_or(Ok(()), Err)
    }

    /// Everybody who cannot be judged, touched or not: what stood before stands until somebody hears of it.
    pub(super) async fn all_unjudged(&self, store: &Store) -> Result<BTreeMap<String, Unjudged>, StoreError> {
        let seq = self.point.seq;
        let mut divisions = store.list_divisions_without_own_class(seq).await?;
        let has_class =
            |division: &String, rules: &MonthRules| self.policy.class_on(division, rules.month.first_day()).is_some();
        divisions.retain(|division| !self.months.iter().all(|rules| has_class(division, rules)));
        if divisions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let placed = store.count_placements_in(&divisions, self.year, seq).await?;
        let units: Vec<UnitId> = placed.iter().map(|(unit, ..)| *unit).collect();
        let codes = store.unit_codes(&units).await?;
        let told = placed.into_iter().filter_map(|(unit, division, placements)| {
            Some((codes.get(&unit)?.to_string(), Unjudged { division, placements }))
        });
        Ok(told.collect())
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
