//! Facts to verdicts: gather, judge, write what changed.

use std::collections::HashMap;

use chrono::NaiveDate;
use rayon::prelude::*;
use serde::Serialize;

use crate::domain::dated::NoRule;
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::judge::{Case, EmployerTerms, Facts, Note, Stake, in_conflict, judge};
use crate::domain::month::Month;
use crate::domain::policy::{MonthRules, Policy, WageClass};
use crate::domain::verdict::{Check, Verdict};
use crate::policy::Reading;
use crate::store::entries::Employer;
use crate::store::facts::{Persons, Scope};
use crate::store::results::YearRow;
use crate::store::runs::{Ending, Started};
use crate::store::{Store, StoreError};

pub mod explain;
pub mod gather;
pub mod knowledge;

use gather::{GatherError, Gathered, Placed, gather};
use knowledge::{DivisionKnowledge, Refusals, Sources, knowledge};

/// Why a verification did not end.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    NoRule(#[from] NoRule),
    #[error("employer {uscc} is in division {division}, which has no wage class in the policy, and says none itself")]
    NoWageClass { uscc: Uscc, division: String },
    #[error("the results could not be stored")]
    Store(#[from] StoreError),
    #[error("the facts could not be gathered")]
    Gather(#[from] GatherError),
}

/// Whom to verify.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub employer: Option<UnitId>,
    pub person: Option<PersonId>,
}

/// What a verification did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The publish sequence that was judged at.
    pub seq: i64,
    pub placements: u64,
    pub months: u64,
    pub passed: u64,
    /// Placements of which at least one month was written.
    pub changed_placements: u64,
    pub changed_months: u64,
}

/// The rules of a business year, and what they are applied to.
struct Prepared<'a> {
    policy: &'a Policy,
    rules: Vec<MonthRules>,
    year: i32,
    business_date: NaiveDate,
    sources: Sources,
    employers: HashMap<UnitId, EmployerYear>,
}

/// One employer, ready for the judge.
struct EmployerYear {
    division: DivisionKnowledge,
    /// By month.
    terms: [EmployerTerms; 12],
}

/// Placed persons in memory at a time.
const CHUNK: i64 = 50_000;

/// Verifies a year, or part of it, and writes the rows that differ. `progress` hears how many placements are done.
pub async fn verify(
    store: &Store,
    reading: &Reading,
    year: i32,
    selection: &Selection,
    actor: &str,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Summary, VerifyError> {
    let run = store.start_run("verify", "verify", actor).await?;
    let outcome = verify_as(store, reading, year, selection, &run, progress).await;
    let (ending, counts, error) = match &outcome {
        Ok(summary) => (Ending::Done, serde_json::to_value(summary).unwrap_or_default(), None),
        Err(error) => (Ending::Failed, serde_json::json!({}), Some(crate::errors::chain(error))),
    };
    store.finish_run(&run, ending, &counts, error.as_deref()).await?;
    outcome
}

async fn verify_as(
    store: &Store,
    reading: &Reading,
    year: i32,
    selection: &Selection,
    run: &Started,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Summary, VerifyError> {
    let seq = store.head().await?;
    store.describe_verification(run, seq, &reading.policy.version, &reading.text).await?;
    let prepared = prepare(store, &reading.policy, year, seq, run.business_date).await?;
    let mut summary = Summary { seq, ..Summary::default() };
    for persons in chunks(store, year, seq, selection).await? {
        let scope = Scope { year, seq, persons };
        let judged = judge_scope(store, &prepared, &scope).await?;
        let changed = changed_rows(&judged, &store.year_rows(&scope).await?, run.number, &mut summary);
        store.save_year_rows(year, seq, &changed).await?;
        progress(summary.placements);
    }
    Ok(summary)
}

/// A placement's twelve verdicts.
#[derive(Clone, Debug)]
pub struct JudgedYear {
    pub person: PersonId,
    pub employer: UnitId,
    pub verdicts: [Verdict; 12],
}

async fn chunks(store: &Store, year: i32, seq: i64, selection: &Selection) -> Result<Vec<Persons>, StoreError> {
    let of = |persons| vec![Persons::These(persons)];
    Ok(match (selection.person, selection.employer) {
        (Some(person), _) => of(vec![person]),
        // a person's other employers are judged too: conflict is between them
        (None, Some(employer)) => of(store.placed_persons(year, employer, seq).await?),
        (None, None) => store
            .person_ranges(year, seq, CHUNK)
            .await?
            .into_iter()
            .map(|(after, up_to)| Persons::Range { after, up_to })
            .collect(),
    })
}

async fn prepare<'a>(
    store: &Store,
    policy: &'a Policy,
    year: i32,
    seq: i64,
    business_date: NaiveDate,
) -> Result<Prepared<'a>, VerifyError> {
    let rules: Vec<MonthRules> =
        Month::all_of(year).map(|month| policy.month_rules(month)).collect::<Result<_, NoRule>>()?;
    let sources = Sources::new(store.freshness(seq).await?, business_date);
    let entered = store.list_employers(seq, None).await?;
    let units: Vec<UnitId> = entered.iter().map(|employer| employer.unit).collect();
    let codes = store.unit_codes(&units).await?;
    let mut employers = HashMap::with_capacity(entered.len());
    for employer in &entered {
        let Some(terms) = terms(policy, employer, year) else {
            let Some(uscc) = codes.get(&employer.unit).copied() else { continue };
            return Err(VerifyError::NoWageClass { uscc, division: employer.division.clone() });
        };
        employers.insert(employer.unit, EmployerYear { division: sources.for_division(&employer.division), terms });
    }
    Ok(Prepared { policy, rules, year, business_date, sources, employers })
}

/// The employer's terms month by month: a class list may change within the year.
fn terms(policy: &Policy, employer: &Employer, year: i32) -> Option<[EmployerTerms; 12]> {
    let province = employer.division.get(..2).and_then(|digits| digits.parse().ok()).unwrap_or(policy.province);
    let own = employer.wage_class.and_then(|class| WageClass::from_number(class - 1));
    let months: Option<Vec<EmployerTerms>> = Month::all_of(year)
        .map(|month| {
            let wage_class = own.or_else(|| policy.class_on(&employer.division, month.first_day()))?;
            Some(EmployerTerms { wage_class, wage_lag: employer.wage_lag, province })
        })
        .collect();
    months?.try_into().ok()
}

async fn judge_scope(store: &Store, year: &Prepared<'_>, scope: &Scope) -> Result<Vec<JudgedYear>, VerifyError> {
    let gathered = gather(store, scope).await?;
    let refusals = Refusals::new(store.open_refusals(scope).await?, year.year);
    let persons: Vec<&[Placed]> = gathered.placements.chunk_by(|one, next| one.person == next.person).collect();
    Ok(persons
        .into_par_iter()
        .flat_map_iter(|placements| judge_person(year, &gathered, &refusals, placements))
        .collect())
}

/// Judges all placements of one person: each for itself, then against each other.
fn judge_person(
    year: &Prepared<'_>,
    gathered: &Gathered,
    refusals: &Refusals,
    placements: &[Placed],
) -> Vec<JudgedYear> {
    let mut judged: Vec<JudgedYear> = placements
        .iter()
        .filter_map(|placed| {
            let (case, employer) = case(year, gathered, refusals, placed)?;
            let verdicts = std::array::from_fn(|month| {
                let case = Case { terms: employer.terms[month], ..case };
                judge(&case, year.rules[month].month, &year.rules[month], &mut |_: Check, _: Note| {})
            });
            Some(JudgedYear { person: placed.person, employer: placed.employer, verdicts })
        })
        .collect();
    mark_conflicts(year, gathered, &mut judged);
    judged
}

/// The case of one placement with January's terms, and its employer.
fn case<'a>(
    year: &'a Prepared<'_>,
    gathered: &'a Gathered,
    refusals: &Refusals,
    placed: &Placed,
) -> Option<(Case<'a>, &'a EmployerYear)> {
    let employer = year.employers.get(&placed.employer)?;
    let person = placed.person.0;
    let dispatch = placed.subject.dispatch;
    let filings = dispatch.and_then(|company| gathered.filings.get(&company)).map_or(&[][..], Vec::as_slice);
    let case = Case {
        subject: placed.subject,
        terms: employer.terms[0],
        facts: Facts {
            wages: gathered.wages.of(&person),
            insurances: gathered.insurances.of(&person),
            certificates: gathered.certificates.of(&person),
            contracts: gathered.contracts.of(&(person, placed.employer.0)),
            filings,
        },
        known: knowledge(&year.sources, &employer.division, refusals, placed.person, placed.concerned_seq, dispatch),
        business_date: year.business_date,
    };
    Some((case, employer))
}

fn mark_conflicts(year: &Prepared<'_>, gathered: &Gathered, judged: &mut [JudgedYear]) {
    let Some(person) = judged.first().map(|first| first.person) else { return };
    let claims = gathered.claims.of(&person.0);
    if judged.len() == 1 && claims.is_empty() {
        return;
    }
    for (place, rules) in year.rules.iter().enumerate() {
        let holder = claims.iter().find(|(month, _)| *month == rules.month).map(|(_, holder)| *holder);
        let stakes: Vec<Stake> = judged
            .iter()
            .map(|one| Stake { passes: one.verdicts[place].codes.pass(), holds_claim: holder == Some(one.employer) })
            .collect();
        let claimed_elsewhere = holder.is_some() && !stakes.iter().any(|stake| stake.holds_claim);
        for (own, one) in judged.iter_mut().enumerate() {
            one.verdicts[place].conflict = in_conflict(&stakes, own, claimed_elsewhere);
        }
    }
}

/// Rows of which at least one month differs from what is stored; unchanged months keep the run they came from.
fn changed_rows(judged: &[JudgedYear], stored: &[YearRow], run: i32, summary: &mut Summary) -> Vec<YearRow> {
    let stored: HashMap<(PersonId, UnitId), &YearRow> =
        stored.iter().map(|row| ((row.person, row.employer), row)).collect();
    let mut changed = Vec::new();
    for one in judged {
        summary.placements += 1;
        summary.months += 12;
        summary.passed += one.verdicts.iter().filter(|verdict| verdict.passed()).count() as u64;
        let before = stored.get(&(one.person, one.employer));
        let cells: [i32; 12] = std::array::from_fn(|month| one.verdicts[month].pack());
        let differs = |month: usize| before.is_none_or(|row| row.cells[month] != cells[month]);
        let months = (0..12).filter(|month| differs(*month)).count() as u64;
        if months == 0 {
            continue;
        }
        summary.changed_placements += 1;
        summary.changed_months += months;
        let runs = std::array::from_fn(|month| match before {
            Some(row) if !differs(month) => row.runs[month],
            _ => run,
        });
        changed.push(YearRow { person: one.person, employer: one.employer, cells, runs });
    }
    changed
}
