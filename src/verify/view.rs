//! A few placements as the judge sees them, with what is known of them: explaining a cell and looking ahead begin here.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::gather::{Gathered, Placed, gather};
use super::knowledge::{DivisionKnowledge, Refusals, Sources, knowledge};
use super::{VerifyError, terms};
use crate::domain::dated::NoRule;
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::judge::{Case, EmployerTerms, Facts};
use crate::domain::month::Month;
use crate::domain::policy::{MonthRules, Policy};
use crate::store::Store;
use crate::store::entries::Employer;
use crate::store::facts::{Persons, Scope};

/// Some persons' placements of a year, all their employers' included; nobody else's are read.
#[derive(Debug)]
pub struct View {
    pub seq: i64,
    pub year: i32,
    pub business_date: NaiveDate,
    pub sources: Sources,
    pub gathered: Gathered,
    rules: Vec<MonthRules>,
    refusals: Refusals,
    employers: HashMap<UnitId, EmployerView>,
}

/// One employer with its terms, January first.
#[derive(Debug)]
pub struct EmployerView {
    pub entered: Employer,
    division: DivisionKnowledge,
    terms: [EmployerTerms; 12],
}

impl View {
    /// As it stands now.
    pub async fn load(store: &Store, policy: &Policy, year: i32, persons: Vec<PersonId>) -> Result<Self, VerifyError> {
        let seq = store.head().await?;
        let business_date = store.today().await?;
        let rules: Vec<MonthRules> =
            Month::all_of(year).map(|month| policy.month_rules(month)).collect::<Result<_, NoRule>>()?;
        let sources = Sources::new(store.freshness(seq).await?, business_date);
        let scope = Scope { year, seq, persons: Persons::These(persons) };
        let gathered = gather(store, &scope).await?;
        let refusals = Refusals::new(store.open_refusals(&scope).await?, year);
        let mut units: Vec<UnitId> = gathered.placements.iter().map(|placed| placed.employer).collect();
        units.sort_unstable();
        units.dedup();
        let mut employers = HashMap::with_capacity(units.len());
        for entered in store.list_employers(seq, Some(&units)).await? {
            let Some(terms) = terms(policy, &entered, year) else {
                let codes = store.unit_codes(&[entered.unit]).await?;
                let Some(uscc) = codes.get(&entered.unit).copied() else { continue };
                return Err(VerifyError::NoWageClass { uscc, division: entered.division });
            };
            let division = sources.for_division(&entered.division);
            employers.insert(entered.unit, EmployerView { entered, division, terms });
        }
        Ok(Self { seq, year, business_date, sources, gathered, rules, refusals, employers })
    }

    pub fn employer(&self, unit: UnitId) -> Option<&EmployerView> {
        self.employers.get(&unit)
    }

    /// The rules of a month of the year; `None` for another year's.
    pub fn rules(&self, month: Month) -> Option<&MonthRules> {
        self.rules.iter().find(|rules| rules.month == month)
    }

    /// The case of one placement in one month of the year.
    pub fn case(&self, placed: &Placed, month: Month) -> Option<Case<'_>> {
        let employer = self.employers.get(&placed.employer)?;
        let terms = *employer.terms.get(month.number() as usize - 1)?;
        let (person, dispatch) = (placed.person, placed.subject.dispatch);
        let filings = dispatch.and_then(|company| self.gathered.filings.get(&company)).map_or(&[][..], Vec::as_slice);
        let known =
            knowledge(&self.sources, &employer.division, &self.refusals, person, placed.concerned_seq, dispatch);
        Some(Case {
            subject: placed.subject,
            terms,
            facts: Facts {
                wages: self.gathered.wages.of(&person.0),
                insurances: self.gathered.insurances.of(&person.0),
                certificates: self.gathered.certificates.of(&person.0),
                contracts: self.gathered.contracts.of(&(person.0, placed.employer.0)),
                filings,
            },
            known,
            business_date: self.business_date,
        })
    }
}
