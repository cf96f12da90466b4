//! Facts to verdicts: gather, judge, write what changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;
use serde::Serialize;

use crate::domain::dated::NoRule;
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::judge::{Case, EmployerTerms, Facts, Note, Stake, in_conflict, judge};
use crate::domain::month::Month;
use crate::domain::policy::{MonthRules, Policy, WageClass};
use crate::domain::verdict::{Check, Sign, Verdict};
use crate::policy::Reading;
use crate::store::changes::Verified;
use crate::store::entries::Employer;
use crate::store::facts::{Persons, Scope, Shard};
use crate::store::results::{ChangedRow, YearRow};
use crate::store::runs::{Ending, Started};
use crate::store::{Store, StoreError};

pub mod changes;
pub mod explain;
pub mod foresight;
pub mod gather;
pub mod knowledge;
pub mod policy_diff;
pub mod view;

use changes::{Cause, Causes, Point, Work, since_last};
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
#[derive(Clone, Debug)]
pub struct Selection {
    pub employer: Option<UnitId>,
    pub person: Option<PersonId>,
    /// Everybody, whether or not anything changed.
    pub full: bool,
    pub shard: Shard,
}

impl Default for Selection {
    fn default() -> Self {
        Self { employer: None, person: None, full: false, shard: Shard::WHOLE }
    }
}

impl Selection {
    pub fn of_employer(employer: UnitId) -> Self {
        Self { employer: Some(employer), ..Self::default() }
    }

    fn is_part(&self) -> bool {
        self.employer.is_some() || self.person.is_some()
    }
}

/// What a verification did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The publish sequence that was judged at.
    pub seq: i64,
    /// Placements that were judged, their months, and how many of these pass.
    pub placements: u64,
    pub months: u64,
    pub passed: u64,
    /// Placements of which at least one month was written.
    pub changed_placements: u64,
    pub changed_months: u64,
    /// Everybody was judged, not only those whom something touched.
    pub full: bool,
    /// Persons by why they were judged.
    pub causes: BTreeMap<&'static str, u64>,
    /// Employers whose placements could not be judged: the policy has no wage class for their division, nor do they say one.
    pub without_wage_class: BTreeSet<String>,
    /// What changed, where single employers or persons were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// One check of one month that says something else than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub person: PersonId,
    pub employer_uscc: String,
    pub month: Month,
    pub check: Check,
    pub before: Option<&'static str>,
    pub now: &'static str,
}

/// The rules of a business year, and what they are applied to.
pub(crate) struct Prepared<'a> {
    policy: &'a Policy,
    rules: Vec<MonthRules>,
    year: i32,
    point: Point,
    sources: Sources,
}

/// One employer, ready for the judge.
struct EmployerYear {
    uscc: Uscc,
    division: DivisionKnowledge,
    /// By month; `None` where the division has no wage class.
    terms: Option<[EmployerTerms; 12]>,
}

type Employers = HashMap<UnitId, EmployerYear>;

/// Placed persons in memory at a time.
const CHUNK: i64 = 50_000;
/// Persons named one by one in a question to the database.
const NAMED: usize = 10_000;
/// Differences that are told one by one.
const MOST_TOLD: usize = 1000;

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
    let point = Point { seq: store.head().await?, business_date: run.business_date };
    let version = &reading.policy.version;
    store.describe_verification(run, point.seq, version, &reading.text).await?;
    let prepared = prepare(store, &reading.policy, year, point).await?;
    let mut summary = Summary { seq: point.seq, ..Summary::default() };
    for (persons, causes) in work(store, year, selection, point, version, &mut summary).await? {
        let scope = Scope { year, seq: point.seq, persons };
        let judged = judge_scope(store, &prepared, &scope, &mut summary).await?;
        let stored = store.year_rows(&scope).await?;
        let changed = changed_rows(&judged, &stored, &causes, run.number, selection.is_part(), &mut summary);
        store.save_year_rows(year, point.seq, run.number, &changed).await?;
        progress(summary.placements);
    }
    if !selection.is_part() {
        let Point { seq, business_date } = point;
        let verified = Verified { seq, business_date, policy_version: version.clone() };
        let Shard { number, of } = selection.shard;
        store.save_verified(year, of, number, &verified, run).await?;
    }
    Ok(summary)
}

/// Why the persons of a chunk are judged.
enum WhyChunk {
    All(Causes),
    Each(BTreeMap<PersonId, Causes>),
}

impl WhyChunk {
    fn of(&self, person: PersonId) -> Causes {
        match self {
            Self::All(causes) => *causes,
            Self::Each(causes) => causes.get(&person).copied().unwrap_or_default(),
        }
    }
}

/// The chunks to judge.
async fn work(
    store: &Store,
    year: i32,
    selection: &Selection,
    point: Point,
    policy_version: &str,
    summary: &mut Summary,
) -> Result<Vec<(Persons, WhyChunk)>, StoreError> {
    let asked = || WhyChunk::All(Causes::of(Cause::Asked));
    let work = match (selection.person, selection.employer) {
        (Some(person), _) => return Ok(vec![(Persons::These(vec![person]), asked())]),
        // a person's other employers are judged too: conflict is between them
        (None, Some(employer)) => {
            let persons = store.placed_persons(year, employer, point.seq).await?;
            return Ok(vec![(Persons::These(persons), asked())]);
        }
        (None, None) if selection.full => Work::Everybody(Cause::Full),
        (None, None) => since_last(store, year, selection.shard, point, policy_version).await?,
    };
    match work {
        Work::Everybody(cause) => {
            summary.full = true;
            summary.causes.insert(cause.as_str(), 0);
            let ranges = store.person_ranges(year, point.seq, selection.shard, CHUNK).await?;
            Ok(ranges.into_iter().map(|range| (range, WhyChunk::All(Causes::of(cause)))).collect())
        }
        Work::These(persons) => {
            for causes in persons.values() {
                for cause in causes.list() {
                    *summary.causes.entry(cause.as_str()).or_default() += 1;
                }
            }
            let all: Vec<(PersonId, Causes)> = persons.into_iter().collect();
            Ok(all
                .chunks(NAMED)
                .map(|chunk| {
                    let persons = chunk.iter().map(|(person, _)| *person).collect();
                    (Persons::These(persons), WhyChunk::Each(chunk.iter().copied().collect()))
                })
                .collect())
        }
    }
}

/// Judges a selection at a point of the past (or now) and writes nothing: rows by person and employer.
pub async fn judge_at(
    store: &Store,
    policy: &Policy,
    year: i32,
    point: Point,
    selection: &Selection,
    each: &mut (dyn FnMut(Vec<JudgedYear>) + Send),
) -> Result<Summary, VerifyError> {
    let prepared = prepare(store, policy, year, point).await?;
    let mut summary = Summary { seq: point.seq, full: true, ..Summary::default() };
    let chunks = match (selection.person, selection.employer) {
        (Some(person), _) => vec![Persons::These(vec![person])],
        (None, Some(employer)) => vec![Persons::These(store.placed_persons(year, employer, point.seq).await?)],
        (None, None) => store.person_ranges(year, point.seq, selection.shard, CHUNK).await?,
    };
    for persons in chunks {
        let scope = Scope { year, seq: point.seq, persons };
        let mut judged = judge_scope(store, &prepared, &scope, &mut summary).await?;
        judged.retain(|one| selection.employer.is_none_or(|employer| one.employer == employer));
        for one in &judged {
            count(&mut summary, one);
        }
        each(judged);
    }
    Ok(summary)
}

/// A placement's twelve verdicts.
#[derive(Clone, Debug)]
pub struct JudgedYear {
    pub person: PersonId,
    pub employer: UnitId,
    pub uscc: Uscc,
    pub year: i32,
    pub verdicts: [Verdict; 12],
}

async fn prepare<'a>(store: &Store, policy: &'a Policy, year: i32, point: Point) -> Result<Prepared<'a>, VerifyError> {
    let rules: Vec<MonthRules> =
        Month::all_of(year).map(|month| policy.month_rules(month)).collect::<Result<_, NoRule>>()?;
    let sources = Sources::new(store.freshness(point.seq).await?, point.business_date);
    Ok(Prepared { policy, rules, year, point, sources })
}

/// The employers of these placements, ready for the judge.
async fn employers_of(store: &Store, year: &Prepared<'_>, placements: &[Placed]) -> Result<Employers, StoreError> {
    let mut units: Vec<UnitId> = placements.iter().map(|placed| placed.employer).collect();
    units.sort_unstable();
    units.dedup();
    let entered = store.list_employers(year.point.seq, Some(&units)).await?;
    let codes = store.unit_codes(&units).await?;
    Ok(entered
        .iter()
        .filter_map(|employer| {
            let uscc = codes.get(&employer.unit).copied()?;
            let terms = terms(year.policy, employer, year.year);
            let division = year.sources.for_division(&employer.division);
            Some((employer.unit, EmployerYear { uscc, division, terms }))
        })
        .collect())
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

async fn judge_scope(
    store: &Store,
    year: &Prepared<'_>,
    scope: &Scope,
    summary: &mut Summary,
) -> Result<Vec<JudgedYear>, VerifyError> {
    let gathered = gather(store, scope).await?;
    let employers = employers_of(store, year, &gathered.placements).await?;
    let classless = employers.values().filter(|employer| employer.terms.is_none());
    summary.without_wage_class.extend(classless.map(|employer| employer.uscc.to_string()));
    let refusals = Refusals::new(store.open_refusals(scope).await?, year.year);
    let persons: Vec<&[Placed]> = gathered.placements.chunk_by(|one, next| one.person == next.person).collect();
    Ok(persons
        .into_par_iter()
        .flat_map_iter(|placements| judge_person(year, &employers, &gathered, &refusals, placements))
        .collect())
}

/// Judges all placements of one person: each for itself, then against each other.
fn judge_person(
    year: &Prepared<'_>,
    employers: &Employers,
    gathered: &Gathered,
    refusals: &Refusals,
    placements: &[Placed],
) -> Vec<JudgedYear> {
    let mut judged: Vec<JudgedYear> = placements
        .iter()
        .filter_map(|placed| {
            let (case, employer, terms) = case(year, employers, gathered, refusals, placed)?;
            let verdicts = std::array::from_fn(|month| {
                let case = Case { terms: terms[month], ..case };
                judge(&case, year.rules[month].month, &year.rules[month], &mut |_: Check, _: Note| {})
            });
            Some(JudgedYear {
                person: placed.person,
                employer: placed.employer,
                uscc: employer.uscc,
                year: year.year,
                verdicts,
            })
        })
        .collect();
    mark_conflicts(year, gathered, &mut judged);
    judged
}

/// The case of one placement with January's terms, its employer, and the terms by month.
fn case<'a>(
    year: &'a Prepared<'_>,
    employers: &'a Employers,
    gathered: &'a Gathered,
    refusals: &Refusals,
    placed: &Placed,
) -> Option<(Case<'a>, &'a EmployerYear, &'a [EmployerTerms; 12])> {
    let employer = employers.get(&placed.employer)?;
    let terms = employer.terms.as_ref()?;
    let person = placed.person.0;
    let dispatch = placed.subject.dispatch;
    let filings = dispatch.and_then(|company| gathered.filings.get(&company)).map_or(&[][..], Vec::as_slice);
    let case = Case {
        subject: placed.subject,
        terms: terms[0],
        facts: Facts {
            wages: gathered.wages.of(&person),
            insurances: gathered.insurances.of(&person),
            certificates: gathered.certificates.of(&person),
            contracts: gathered.contracts.of(&(person, placed.employer.0)),
            filings,
        },
        known: knowledge(&year.sources, &employer.division, refusals, placed.person, placed.concerned_seq, dispatch),
        business_date: year.point.business_date,
    };
    Some((case, employer, terms))
}

fn mark_conflicts(year: &Prepared, gathered: &Gathered, judged: &mut [JudgedYear]) {
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

fn count(summary: &mut Summary, one: &JudgedYear) {
    summary.placements += 1;
    summary.months += 12;
    summary.passed += one.verdicts.iter().filter(|verdict| verdict.passed()).count() as u64;
}

/// Rows of which at least one month differs from what is stored; unchanged months keep the run they came from.
fn changed_rows(
    judged: &[JudgedYear],
    stored: &[YearRow],
    causes: &WhyChunk,
    run: i32,
    tell: bool,
    summary: &mut Summary,
) -> Vec<ChangedRow> {
    let stored: HashMap<(PersonId, UnitId), &YearRow> =
        stored.iter().map(|row| ((row.person, row.employer), row)).collect();
    let mut changed = Vec::new();
    for one in judged {
        count(summary, one);
        let before = stored.get(&(one.person, one.employer)).copied();
        let cells: [i32; 12] = std::array::from_fn(|month| one.verdicts[month].pack());
        let differs = |month: usize| before.is_none_or(|row| row.cells[month] != cells[month]);
        let months = (0..12).filter(|month| differs(*month)).count() as u64;
        if months == 0 {
            continue;
        }
        summary.changed_placements += 1;
        summary.changed_months += months;
        if tell {
            let room = MOST_TOLD.saturating_sub(summary.differences.len());
            summary.differences.extend(differences(before, one).take(room));
        }
        let runs = std::array::from_fn(|month| match before {
            Some(row) if !differs(month) => row.runs[month],
            _ => run,
        });
        let pending = Check::ALL
            .iter()
            .filter(|check| one.verdicts.iter().any(|verdict| verdict.codes.sign(**check) == Sign::Pending))
            .fold(0, |bits, check| bits | 1 << check.number());
        let row = YearRow { person: one.person, employer: one.employer, cells, runs };
        changed.push(ChangedRow { row, cause: causes.of(one.person).0, pending });
    }
    changed
}

/// What a row says otherwise than before, check by check.
pub fn differences<'a>(before: Option<&'a YearRow>, now: &'a JudgedYear) -> impl Iterator<Item = Difference> + 'a {
    now.verdicts.iter().enumerate().flat_map(move |(place, verdict)| {
        let old = before.and_then(|row| Verdict::unpack(row.cells[place]));
        let month = Month::all_of(now.year).nth(place);
        Check::ALL.iter().filter_map(move |check| {
            let (was, is) = (old.map(|old| old.codes.get(*check)), verdict.codes.get(*check));
            (was != Some(is)).then_some(Difference {
                person: now.person,
                employer_uscc: now.uscc.to_string(),
                month: month?,
                check: *check,
                before: was,
                now: is,
            })
        })
    })
}
