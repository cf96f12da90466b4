//! Staff verify a person or an employer again: at once by what is stored, or after the sources were asked afresh, which the scheduler does.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DeclareError;
use super::permit::{EmployerEntry, permit};
use crate::domain::access::{Action, Actor, Denied};
use crate::domain::facts::{PersonId, words};
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::verdict::Part;
use crate::policy::Reading;
use crate::store::Store;
use crate::store::audit::Act;
use crate::store::reverifications::{KIND, Queued, Reverification, RunOfTask};
use crate::verify::grid::{GridLine, grid};
use crate::verify::{Selection, Unjudged, verify};

words! {
    /// How far it is.
    Progress { Queued = "queued", Running = "running", Done = "done", GivenUp = "given_up" }
}

/// A verification that was asked for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Verification {
    /// Under which it is asked after; null where it was done at once.
    pub verification_id: Option<i64>,
    pub employer_uscc: String,
    pub person_id: Option<PersonId>,
    pub year: i32,
    pub progress: Progress,
    /// How what was queued ended: `done`, or `done_with_refusals` where a source that can be asked was not, or did not answer. Null until then
    pub ended: Option<String>,
    /// Sources that were asked for these persons, of those that can be.
    pub sources: Vec<AskedSource>,
    /// Once it is done.
    pub outcome: Option<Outcome>,
}

/// A source that was asked afresh.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AskedSource {
    pub job: String,
    /// `running`, `done`, `done_with_refusals`, `failed`, `timed_out` …: where it did not answer, what was pulled last stands.
    pub state: String,
    pub records: u64,
    /// Of these, how many were new or changed.
    pub changed: u64,
}

/// What a verification found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "VerificationOutcome")]
pub struct Outcome {
    /// The publish sequence that was judged at.
    pub seq: i64,
    /// Months of this employer's placements that say something else than before; a thousand at most.
    pub differences: Vec<ChangedCheck>,
    /// The results as they are now; of an employer its first hundred persons.
    pub results: Vec<GridLine>,
}

/// One check of one month that says something else than before, or whether another employer claims or would count it (`true`, `false`), or
/// how much it counts (`1`, `2`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedCheck {
    #[serde(rename(deserialize = "person"))]
    pub person_id: PersonId,
    pub month: Month,
    pub check: Part,
    pub before: Option<String>,
    pub now: String,
}

/// What is kept of a verification with its run.
#[derive(Clone, Default, Deserialize)]
struct Kept {
    #[serde(default)]
    seq: i64,
    #[serde(default)]
    differences: Vec<KeptDifference>,
}

#[derive(Clone, Deserialize)]
struct KeptDifference {
    employer_uscc: String,
    #[serde(flatten)]
    changed: ChangedCheck,
}

impl KeptDifference {
    /// Which check of which month it is about.
    fn cell(&self) -> (&str, PersonId, Month, Part) {
        let ChangedCheck { person_id, month, check, .. } = self.changed;
        (&self.employer_uscc, person_id, month, check)
    }
}

impl Kept {
    /// What a verification found and then one after it, as one: against what stood before the first.
    fn then(mut self, later: Self) -> Self {
        for one in later.differences {
            match self.differences.iter_mut().find(|before| before.cell() == one.cell()) {
                Some(before) => before.changed.now = one.changed.now,
                None => self.differences.push(one),
            }
        }
        self.differences.retain(|one| one.changed.before.as_deref() != Some(one.changed.now.as_str()));
        Self { seq: later.seq, ..self }
    }
}

/// Persons of an employer that are told.
const MOST_RESULTS: usize = 100;

/// The asked person must be placed at the employer: others are not found.
async fn check(
    store: &Store,
    actor: &Actor,
    reading: &Reading,
    asked: &Reverification,
) -> Result<EmployerEntry, DeclareError> {
    let of = permit::<DeclareError>(store, actor, Action::Reverify, asked.employer).await?;
    for month in [Month::new(asked.year, 1), Month::new(asked.year, 12)] {
        reading.policy.month_rules(month.ok_or(Denied::NotFound)?)?;
    }
    if let Some(person) = asked.person {
        let placed = store.list_placements(&[asked.employer]).await?;
        let is_placed = placed.iter().any(|one| one.person == person && i32::from(one.year) == asked.year);
        if !is_placed {
            return Err(Denied::NotFound.into());
        }
    }
    Ok(of)
}

/// That somebody asked for it; `fresh`: the sources are asked too.
fn act<'a>(at: DateTime<Utc>, actor: &'a Actor, of: &EmployerEntry, asked: &Reverification, fresh: bool) -> Act<'a> {
    let object = match asked.person {
        Some(person) => of.placement(asked.year, person),
        None => format!("employer {} {}", of.uscc, asked.year),
    };
    Act::read(at, actor, Action::Reverify, object).with("fresh", fresh)
}

/// Verifies by what is stored.
pub async fn reverify(
    store: &Store,
    reading: &Reading,
    actor: &Actor,
    asked: Reverification,
) -> Result<Verification, DeclareError> {
    let asked = Permitted::note(store, reading, actor, vec![asked], false).await?;
    let found = asked.verify(store, reading, actor).await?;
    let found = found.verifications.into_iter().next();
    Ok(found.ok_or(Denied::NotFound)?)
}

/// Re-verifications at once, of an employer, or of one person at some employers: noted, and not done yet.
#[derive(Debug)]
pub struct Permitted {
    asked: Vec<(Reverification, EmployerEntry)>,
}

/// What re-verifications at once found.
#[derive(Debug)]
pub struct Found {
    /// In the order in which they were asked for.
    pub verifications: Vec<Verification>,
    /// Whose placements could not be judged, by USCC.
    pub without_wage_class: BTreeMap<String, Unjudged>,
}

impl Permitted {
    /// Notes who asks for them, if they may, and the person is placed there: before a source is asked (`fresh`) and anything is written.
    /// All are of one year, and of one person if there are several.
    pub async fn note(
        store: &Store,
        reading: &Reading,
        actor: &Actor,
        asked: Vec<Reverification>,
        fresh: bool,
    ) -> Result<Self, DeclareError> {
        let mut permitted = Vec::with_capacity(asked.len());
        for one in asked {
            permitted.push((one, check(store, actor, reading, &one).await?));
        }
        // before it: verifying is many transactions, and each may be the last
        let at = store.now().await?;
        for (one, of) in &permitted {
            store.record(&act(at, actor, of, one, fresh)).await?;
        }
        Ok(Self { asked: permitted })
    }

    /// Verifies by what is stored, once for all of them.
    pub async fn verify(self, store: &Store, reading: &Reading, actor: &Actor) -> Result<Found, DeclareError> {
        let Some((first, _)) = self.asked.first() else {
            return Ok(Found { verifications: Vec::new(), without_wage_class: BTreeMap::new() });
        };
        // of several employers one that cannot be judged keeps nobody from the others
        let employer = (self.asked.len() == 1).then_some(first.employer);
        let selection = Selection { employer, ..Selection::of_persons(first.person.into_iter().collect()) };
        let summary = verify(store, reading, first.year, &selection, &actor.name, &|_| ()).await?;
        let kept: Kept = serde_json::from_value(serde_json::to_value(&summary)?)?;
        let mut verifications = Vec::with_capacity(self.asked.len());
        for (one, of) in self.asked {
            let outcome = Some(outcome(store, &one, &of.uscc, kept.clone()).await?);
            verifications.push(Verification { outcome, ..at_once(of.uscc.to_string(), one) });
        }
        Ok(Found { verifications, without_wage_class: summary.without_wage_class })
    }
}

/// Queues it behind a fresh pull; the number under which it is asked after.
pub async fn queue_fresh(
    store: &Store,
    reading: &Reading,
    actor: &Actor,
    asked: Reverification,
) -> Result<i64, DeclareError> {
    let of = check(store, actor, reading, &asked).await?;
    let act = act(store.now().await?, actor, &of, &asked, true);
    match store.queue_reverification(&asked, &act).await? {
        Queued::Task(task_id) => Ok(task_id),
        Queued::Otherwise => Err(DeclareError::KeyReused),
    }
}

/// How far a queued verification is, and what it found.
pub async fn find(store: &Store, actor: &Actor, task_id: i64) -> Result<Verification, DeclareError> {
    actor.may_at_all(Action::Reverify)?;
    let task = store.find_task(task_id).await?.filter(|task| task.kind == KIND).ok_or(Denied::NotFound)?;
    let asked = Reverification::of_key(&task.key).ok_or(Denied::NotFound)?;
    let code = permit::<DeclareError>(store, actor, Action::Reverify, asked.employer).await?.uscc;
    let progress = match task.state.as_str() {
        "done" => Progress::Done,
        "running" => Progress::Running,
        "dead" | "discarded" => Progress::GivenUp,
        _ => Progress::Queued,
    };
    let runs = store.list_runs_of_task(task_id).await?;
    let found = match found_by(&runs)?.filter(|_| progress == Progress::Done) {
        None => None,
        Some(kept) => Some(outcome(store, &asked, &code, kept).await?),
    };
    Ok(Verification {
        verification_id: Some(task_id),
        progress,
        ended: task.outcome,
        sources: asked_sources(&runs),
        outcome: found,
        ..at_once(code.to_string(), asked)
    })
}

/// What the verifications of a task found, all together: of an attempt whose worker died after it the next finds nothing new.
fn found_by(runs: &[RunOfTask]) -> Result<Option<Kept>, serde_json::Error> {
    let mut found: Option<Kept> = None;
    for run in runs.iter().filter(|run| run.kind == "verify" && run.state == "done") {
        let kept: Kept = serde_json::from_value(run.counts.clone())?;
        found = Some(match found {
            Some(before) => before.then(kept),
            None => kept,
        });
    }
    Ok(found)
}

/// Each source once: of several attempts the last says how it went, and what they brought adds up.
fn asked_sources(runs: &[RunOfTask]) -> Vec<AskedSource> {
    let mut sources: Vec<AskedSource> = Vec::new();
    for one in runs.iter().filter(|run| run.kind == "pull").map(asked_source) {
        match sources.iter_mut().find(|before| before.job == one.job) {
            Some(before) => *before = AskedSource { changed: before.changed + one.changed, ..one },
            None => sources.push(one),
        }
    }
    sources
}

fn asked_source(run: &RunOfTask) -> AskedSource {
    let count = |name: &str| run.counts.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
    AskedSource {
        job: run.job.clone(),
        state: run.state.clone(),
        records: count("read"),
        changed: count("new") + count("changed"),
    }
}

/// Others' employers are judged with it, and not told.
async fn outcome(store: &Store, asked: &Reverification, code: &Uscc, kept: Kept) -> Result<Outcome, DeclareError> {
    let own = kept.differences.into_iter().filter(|one| one.employer_uscc == code.as_str());
    let (after, limit) = asked.person.map_or((PersonId(0), MOST_RESULTS), |person| (PersonId(person.0 - 1), 1));
    Ok(Outcome {
        seq: kept.seq,
        differences: own.map(|one| one.changed).collect(),
        results: grid(store, (code, asked.year), after, limit, |_| Ok::<_, DeclareError>(()))
            .await?
            .unwrap_or_default(),
    })
}

/// One that is done, and nothing was queued for it.
fn at_once(employer_uscc: String, asked: Reverification) -> Verification {
    Verification {
        verification_id: None,
        employer_uscc,
        person_id: asked.person,
        year: asked.year,
        progress: Progress::Done,
        ended: None,
        sources: Vec::new(),
        outcome: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(seq: i64, changes: &[(u32, Option<&str>, &str)]) -> Kept {
        let differences = changes.iter().map(|(month, before, now)| KeptDifference {
            employer_uscc: "91369900MA2000F14G".to_owned(),
            changed: ChangedCheck {
                person_id: PersonId(1),
                month: Month::new(2025, *month).expect("a month"),
                check: Part::Wage,
                before: before.map(str::to_owned),
                now: (*now).to_owned(),
            },
        });
        Kept { seq, differences: differences.collect() }
    }

    #[test]
    fn what_several_attempts_found_is_told_against_what_stood_before_the_first() {
        let first = kept(7, &[(1, Some("pass"), "unpaid"), (2, None, "pass"), (3, Some("pending"), "pass")]);
        let second = kept(9, &[(1, Some("unpaid"), "pass"), (2, Some("pass"), "pending"), (4, Some("pass"), "unpaid")]);
        let both = first.then(second);
        let told =
            |one: &KeptDifference| (one.changed.month.to_string(), one.changed.before.clone(), one.changed.now.clone());
        let told: Vec<_> = both.differences.iter().map(told).collect();
        let expected =
            [("2025-02", None, "pending"), ("2025-03", Some("pending"), "pass"), ("2025-04", Some("pass"), "unpaid")];
        let expected =
            expected.map(|(month, before, now)| (month.to_owned(), before.map(str::to_owned), now.to_owned()));
        assert_eq!((both.seq, told.as_slice()), (9, &expected[..]), "January is as it was");
    }
}
