//! Facts to verdicts: gather, judge, write what changed.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use crate::domain::dated::NoRule;
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::policy::Policy;
use crate::domain::verdict::{Check, Part, Sign, Verdict};
pub use crate::policy::Reading;
use crate::store::changes::Verified;
use crate::store::facts::{Persons, Scope, Shard};
use crate::store::results::{ChangedRow, YearRow};
use crate::store::runs::{Ending, Started, Trigger};
use crate::store::{Store, StoreError, journal};

pub mod changes;
mod chunks;
pub mod contest;
pub mod explain;
pub mod foresight;
pub mod gather;
pub mod grid;
pub mod judging;
pub mod knowledge;
pub mod nightly;
pub mod policy_diff;
pub mod view;

use changes::{Cause, Causes, Point, Work, since_last};
use chunks::run_chunks;
use gather::{GatherError, Placed};
use judging::{Chunk, EmployerYears, YearRules};

/// Why a verification did not end.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    NoRule(#[from] NoRule),
    #[error(
        "employer {uscc} is in division {division}, which has no wage class in the policy, and says none itself: \
         enter it with a division of the policy's lists, or a `wage_class`, or complete the lists"
    )]
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
    /// These alone, at every employer of theirs; none: whoever the rest says.
    pub persons: Vec<PersonId>,
    /// Everybody, whether or not anything changed.
    pub full: bool,
    pub shard: Shard,
    /// Why the employer or the persons are judged.
    pub because: Causes,
}

impl Default for Selection {
    fn default() -> Self {
        let because = Causes::of(Cause::Asked);
        Self { employer: None, persons: Vec::new(), full: false, shard: Shard::WHOLE, because }
    }
}

impl Selection {
    pub fn of_employer(employer: UnitId) -> Self {
        Self { employer: Some(employer), ..Self::default() }
    }

    pub fn of_persons(persons: Vec<PersonId>) -> Self {
        Self { persons, ..Self::default() }
    }

    #[must_use]
    pub fn because(self, because: Causes) -> Self {
        Self { because, ..self }
    }

    fn is_part(&self) -> bool {
        self.employer.is_some() || !self.persons.is_empty()
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
    /// Results that went because their placement did.
    #[serde(skip_serializing_if = "is_none")]
    pub removed_placements: u64,
    /// Everybody was judged, not only those whom something touched.
    pub full: bool,
    /// Persons by why they were judged.
    pub causes: BTreeMap<&'static str, u64>,
    /// Whose placements could not be judged, by USCC: the policy has no wage class for the division, nor does the employer say one.
    /// What was stored of them before stays as it was.
    pub without_wage_class: BTreeMap<String, Unjudged>,
    /// What changed, where single employers or persons were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    pub stages: Stages,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What could not be judged of one employer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unjudged {
    pub division: String,
    pub placements: u64,
}

/// Milliseconds that the stages of a verification took, which run beside each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stages {
    pub read_ms: u64,
    pub judge_ms: u64,
    pub write_ms: u64,
}

/// One part of one month's verdict that says something else than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub person: PersonId,
    pub employer_uscc: String,
    pub month: Month,
    pub check: Part,
    pub before: Option<&'static str>,
    pub now: &'static str,
}

/// Placed persons of a chunk; at most four chunks are in memory at a time.
const CHUNK: i64 = 25_000;
/// Persons named one by one in a question to the database: few enough that reading, judging and writing go on beside each other.
const NAMED: usize = 2_500;
/// Differences that are told one by one.
const MOST_TOLD: usize = 1000;

/// Verifies a year, or part of it, and writes the rows that differ. An employer that was asked for and cannot be judged is refused; of
/// others that cannot be the summary tells. `progress` hears how many placements are done.
pub async fn verify(
    store: &Store,
    reading: &Reading,
    year: i32,
    selection: &Selection,
    by: impl Into<Trigger<'_>>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Summary, VerifyError> {
    let by = by.into();
    let by = by.of_part(by.part || selection.is_part() || selection.shard.of > 1);
    let run = store.start_run("verify", "verify", by).await?;
    let work = Box::pin(verify_as(store, reading, year, selection, &run, progress));
    let outcome = store.journal(&run, work).await;
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
    // what is read is read after whoever was before has written
    let _alone = if selection.is_part() { None } else { Some(store.lock_verification(year, selection.shard).await?) };
    journal::stage("prepare");
    let point = Point { seq: store.head().await?, business_date: run.business_date };
    let version = &reading.policy.version;
    store.describe_verification(run, point.seq, version, &reading.text).await?;
    let rules = YearRules::load(store, &reading.policy, year, point).await?;
    if let Some(employer) = selection.employer {
        rules.refuse_unjudgeable(store, employer).await?;
    }
    let everybody = !selection.is_part() && selection.shard.of == 1;
    let all_unjudged = if everybody { Some(rules.all_unjudged(store).await?) } else { None };
    let mut summary = Summary { seq: point.seq, ..Summary::default() };
    let chunks = work(store, year, selection, point, version, &mut summary).await?;
    journal::stage("judge");
    // boxed: its three stages are a large future
    let mut summary = Box::pin(run_chunks(store, rules, chunks, run, selection.is_part(), summary, progress)).await?;
    summary.without_wage_class = all_unjudged.unwrap_or(summary.without_wage_class);
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

/// The persons that a selection names, in chunks: a person's other employers are judged too, conflict is between them.
async fn named(
    store: &Store,
    year: i32,
    selection: &Selection,
    point: Point,
) -> Result<Option<Vec<Persons>>, StoreError> {
    let persons = match selection.employer {
        _ if !selection.persons.is_empty() => selection.persons.clone(),
        Some(employer) => store.placed_persons(year, employer, point.seq).await?,
        None => return Ok(None),
    };
    Ok(Some(persons.chunks(NAMED).map(|chunk| Persons::These(chunk.to_vec())).collect()))
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
    if let Some(chunks) = named(store, year, selection, point).await? {
        return Ok(chunks.into_iter().map(|persons| (persons, WhyChunk::All(selection.because))).collect());
    }
    let work = if selection.full {
        Work::Everybody(Cause::Full)
    } else {
        since_last(store, year, selection.shard, point, policy_version).await?
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

/// Judges a selection by each of the rules, all of one year and sequence, and writes nothing: rows by person and employer, one list for
/// each of the rules. The summary counts by the first.
pub async fn judge_by(
    store: &Store,
    rules: &[YearRules],
    selection: &Selection,
    each: &mut (dyn FnMut(Vec<Vec<JudgedYear>>) + Send),
) -> Result<Summary, VerifyError> {
    let Some(YearRules { year, point, .. }) = rules.first() else { return Ok(Summary::default()) };
    let mut summary = Summary { seq: point.seq, full: true, ..Summary::default() };
    let chunks = match named(store, *year, selection, *point).await? {
        Some(chunks) => chunks,
        None => store.person_ranges(*year, point.seq, selection.shard, CHUNK).await?,
    };
    let mut employers: Vec<EmployerYears> = rules.iter().map(|_| EmployerYears::default()).collect();
    for persons in chunks {
        let chunk = Chunk::read(store, &Scope { year: *year, seq: point.seq, persons }).await?;
        let mut lists = Vec::with_capacity(rules.len());
        for (place, (rules, employers)) in rules.iter().zip(&mut employers).enumerate() {
            rules.meet(store, &chunk, employers).await?;
            let mut years = rules.judge(&chunk, employers);
            years.retain(|one| selection.employer.is_none_or(|employer| one.employer == employer));
            if place == 0 {
                employers.add_unjudged(&chunk, &mut summary.without_wage_class);
                for one in &years {
                    count(&mut summary, one);
                }
            }
            lists.push(years);
        }
        each(lists);
    }
    Ok(summary)
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
    let rules = [YearRules::load(store, policy, year, point).await?];
    judge_by(store, &rules, selection, &mut |lists| each(lists.into_iter().flatten().collect())).await
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

/// Stored rows of persons that were judged whose placement is not there any more.
fn gone(placements: &[Placed], stored: &[YearRow]) -> Vec<(PersonId, UnitId)> {
    let placed: HashSet<(PersonId, UnitId)> =
        placements.iter().map(|placed| (placed.person, placed.employer)).collect();
    stored.iter().map(|row| (row.person, row.employer)).filter(|row| !placed.contains(row)).collect()
}

/// What a row says otherwise than before, part by part.
pub fn differences<'a>(before: Option<&'a YearRow>, now: &'a JudgedYear) -> impl Iterator<Item = Difference> + 'a {
    now.verdicts.iter().enumerate().flat_map(move |(place, verdict)| {
        let old = before.and_then(|row| Verdict::unpack(row.cells[place]));
        let month = Month::all_of(now.year).nth(place);
        Part::ALL.iter().filter_map(move |check| {
            let (was, is) = (old.map(|old| old.get(*check)), verdict.get(*check));
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
