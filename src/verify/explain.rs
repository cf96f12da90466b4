//! The evidence behind one cell: the judge's own notes, and where each record it looked at came from.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;

use super::gather::gather;
use super::knowledge::Refusals;
use super::{VerifyError, case, judge_person, prepare};
use crate::domain::facts::{Contract, PersonId, RecordKind, Scheme, UnitId, VersionId};
use crate::domain::judge::{Case, Note, Waiting, judge};
use crate::domain::money::Fen;
use crate::domain::month::Month;
use crate::domain::verdict::{Check, Sign, Verdict};
use crate::policy::Reading;
use crate::store::Store;
use crate::store::facts::{Persons, Scope};
use crate::store::lineage::Origin;

/// One cell, explained.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    pub month: Month,
    pub business_date: NaiveDate,
    pub seq: i64,
    pub policy_version: String,
    pub passed: bool,
    pub conflict: bool,
    pub weight: u8,
    pub checks: Vec<CheckEvidence>,
}

/// What one check found, and what it asks.
#[derive(Clone, Debug, Serialize)]
pub struct CheckEvidence {
    pub check: Check,
    pub code: &'static str,
    #[serde(skip)]
    pub sign: Option<Sign>,
    /// The period looked up, if the check looks one up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Month>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Fen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<Fen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<ContractEvidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_enough_on: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retires_on: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// From when on the period counts as delivered, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_on: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rests_on: Vec<Origin>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<Origin>,
}

/// The contract that a code rests on.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ContractEvidence {
    pub kind: &'static str,
    pub starts_on: NaiveDate,
    pub ends_on: Option<NaiveDate>,
    pub terminated_on: Option<NaiveDate>,
}

impl From<&Contract> for ContractEvidence {
    fn from(contract: &Contract) -> Self {
        Self {
            kind: contract.kind.as_str(),
            starts_on: contract.starts_on,
            ends_on: contract.ends_on,
            terminated_on: contract.terminated_on,
        }
    }
}

/// Explains one cell as it is judged now; `None` if there is no such placement.
pub async fn explain(
    store: &Store,
    reading: &Reading,
    employer: UnitId,
    person: PersonId,
    month: Month,
) -> Result<Option<Explanation>, VerifyError> {
    let seq = store.head().await?;
    let business_date = store.today().await?;
    let year = month.year();
    let prepared = prepare(store, &reading.policy, year, seq, business_date).await?;
    let scope = Scope { year, seq, persons: Persons::These(vec![person]) };
    let gathered = gather(store, &scope).await?;
    let refusals = Refusals::new(store.open_refusals(&scope).await?, year);
    let Some(placed) = gathered.placements.iter().find(|placed| placed.employer == employer) else { return Ok(None) };
    let Some((case, employer_year)) = case(&prepared, &gathered, &refusals, placed) else { return Ok(None) };
    let place = month.number() as usize - 1;
    let mut notes: BTreeMap<u8, Vec<Note>> = BTreeMap::new();
    let case = Case { terms: employer_year.terms[place], ..case };
    let mut verdict = judge(&case, month, &prepared.rules[place], &mut |check: Check, note: Note| {
        notes.entry(check.number()).or_default().push(note);
    });
    let judged = judge_person(&prepared, &gathered, &refusals, &gathered.placements);
    let own = judged.iter().find(|one| one.employer == employer);
    verdict.conflict = own.is_some_and(|one| one.verdicts[place].conflict);
    let division = store.list_employers(seq, Some(&[employer])).await?.into_iter().next().map(|one| one.division);
    let division = division.unwrap_or_default();
    let mut checks = Vec::with_capacity(Check::ALL.len());
    for check in Check::ALL {
        let notes = notes.remove(&check.number()).unwrap_or_default();
        let mut evidence = read_notes(*check, &verdict, &notes, case.facts.contracts);
        if evidence.waiting == Some(Waiting::NotSettled)
            && let Some(period) = evidence.period
        {
            let (record, scheme) = kind_of(*check);
            evidence.due_on = prepared.sources.due_on(record, scheme, &division, period);
        }
        let (rests_on, passed_over) = versions(&notes);
        evidence.rests_on = store.origins(kind_of(*check).0, person, &rests_on).await?;
        evidence.passed_over = store.origins(kind_of(*check).0, person, &passed_over).await?;
        checks.push(evidence);
    }
    Ok(Some(Explanation {
        month,
        business_date,
        seq,
        policy_version: prepared.policy.version.clone(),
        passed: verdict.passed(),
        conflict: verdict.conflict,
        weight: verdict.weight,
        checks,
    }))
}

fn kind_of(check: Check) -> (RecordKind, Option<Scheme>) {
    match check {
        Check::Wage => (RecordKind::Wage, None),
        Check::Pension => (RecordKind::Insurance, Some(Scheme::Pension)),
        Check::Medical => (RecordKind::Insurance, Some(Scheme::Medical)),
        Check::Dispatch => (RecordKind::DispatchFiling, None),
        // age and contract rest on no record of an agency: their notes name none
        Check::Certificate | Check::Age | Check::Contract => (RecordKind::Certificate, None),
    }
}

fn versions(notes: &[Note]) -> (Vec<VersionId>, Vec<VersionId>) {
    let rests_on =
        notes.iter().filter_map(|note| if let Note::RestsOn(version) = note { Some(*version) } else { None });
    let passed_over =
        notes.iter().filter_map(|note| if let Note::PassedOver(version) = note { Some(*version) } else { None });
    (rests_on.collect(), passed_over.collect())
}

fn read_notes(check: Check, verdict: &Verdict, notes: &[Note], contracts: &[Contract]) -> CheckEvidence {
    let mut evidence = CheckEvidence {
        check,
        code: verdict.codes.get(check),
        sign: Some(verdict.codes.sign(check)),
        period: None,
        found: None,
        required: None,
        contract: None,
        old_enough_on: None,
        retires_on: None,
        waiting: None,
        due_on: None,
        rests_on: Vec::new(),
        passed_over: Vec::new(),
    };
    for note in notes {
        match note {
            Note::Sum(sum) => evidence.found = Some(*sum),
            Note::Standard(standard) => evidence.required = Some(*standard),
            Note::Period(period) => evidence.period = Some(*period),
            Note::Contract(place) => evidence.contract = contracts.get(*place).map(ContractEvidence::from),
            Note::OldEnoughOn(day) => evidence.old_enough_on = Some(*day),
            Note::RetiresOn(day) => evidence.retires_on = Some(*day),
            Note::Waiting(waiting) => evidence.waiting = Some(*waiting),
            Note::RestsOn(_) | Note::PassedOver(_) => {}
        }
    }
    evidence
}
