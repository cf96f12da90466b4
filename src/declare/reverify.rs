//! Staff verify a person or an employer again: at once by what is stored, or after the sources were asked afresh, which the scheduler does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DeclareError;
use super::permit::permit;
use crate::domain::access::{Action, Actor, Denied};
use crate::domain::facts::{PersonId, words};
use crate::domain::month::Month;
use crate::domain::verdict::Check;
use crate::policy::Reading;
use crate::store::Store;
use crate::store::reverifications::{KIND, Queued, Reverification, RunOfTask};
use crate::verify::grid::{GridLine, grid};
use crate::verify::{Selection, verify};

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
    /// Sources that were asked for these persons, of those that can be.
    pub sources: Vec<AskedSource>,
    /// Once it is done.
    pub outcome: Option<Outcome>,
}

/// A source that was asked afresh.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AskedSource {
    pub job: String,
    /// `running`, `done`, `done_with_refusals`, `failed` …: where it did not answer, what was pulled last stands.
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

/// One check of one month that says something else than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedCheck {
    #[serde(rename(deserialize = "person"))]
    pub person_id: PersonId,
    pub month: Month,
    pub check: Check,
    pub before: Option<String>,
    pub now: String,
}

/// What is kept of a verification with its run.
#[derive(Default, Deserialize)]
struct Kept {
    #[serde(default)]
    seq: i64,
    #[serde(default)]
    differences: Vec<KeptDifference>,
}

#[derive(Deserialize)]
struct KeptDifference {
    employer_uscc: String,
    #[serde(flatten)]
    changed: ChangedCheck,
}

/// Persons of an employer that are told.
const MOST_RESULTS: usize = 100;

/// The asked person must be placed at the employer: others are not found.
async fn check(
    store: &Store,
    actor: &Actor,
    reading: &Reading,
    asked: &Reverification,
) -> Result<String, DeclareError> {
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
    Ok(of.uscc.to_string())
}

/// Verifies by what is stored.
pub async fn reverify(
    store: &Store,
    reading: &Reading,
    actor: &Actor,
    asked: Reverification,
) -> Result<Verification, DeclareError> {
    let employer_uscc = check(store, actor, reading, &asked).await?;
    let selection = Selection { persons: asked.person.into_iter().collect(), ..Selection::of_employer(asked.employer) };
    let summary = verify(store, reading, asked.year, &selection, &actor.name, &|_| ()).await?;
    let kept: Kept = serde_json::from_value(serde_json::to_value(&summary)?)?;
    let outcome = outcome(store, &asked, &employer_uscc, kept).await?;
    Ok(told(None, employer_uscc, asked, Progress::Done, Vec::new(), Some(outcome)))
}

/// Queues it behind a fresh pull; the number under which it is asked after.
pub async fn queue_fresh(
    store: &Store,
    reading: &Reading,
    actor: &Actor,
    asked: Reverification,
) -> Result<i64, DeclareError> {
    check(store, actor, reading, &asked).await?;
    match store.queue_reverification(&asked, &actor.name).await? {
        Queued::Task(task_id) => Ok(task_id),
        Queued::Otherwise => Err(DeclareError::KeyReused),
    }
}

/// How far a queued verification is, and what it found.
pub async fn find(store: &Store, actor: &Actor, task_id: i64) -> Result<Verification, DeclareError> {
    actor.may_at_all(Action::Reverify)?;
    let task = store.find_task(task_id).await?.filter(|task| task.kind == KIND).ok_or(Denied::NotFound)?;
    let asked = Reverification::of_key(&task.key).ok_or(Denied::NotFound)?;
    let employer_uscc = permit::<DeclareError>(store, actor, Action::Reverify, asked.employer).await?.uscc.to_string();
    let progress = match task.state.as_str() {
        "done" => Progress::Done,
        "running" => Progress::Running,
        "dead" | "discarded" => Progress::GivenUp,
        _ => Progress::Queued,
    };
    let runs = store.list_runs_of_task(task_id).await?;
    let verified = runs.iter().rfind(|run| run.kind == "verify" && run.state == "done");
    let found = match verified.filter(|_| progress == Progress::Done) {
        None => None,
        Some(run) => {
            let kept: Kept = serde_json::from_value(run.counts.clone())?;
            Some(outcome(store, &asked, &employer_uscc, kept).await?)
        }
    };
    let sources = runs.iter().filter(|run| run.kind == "pull").map(asked_source).collect();
    Ok(told(Some(task_id), employer_uscc, asked, progress, sources, found))
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
async fn outcome(
    store: &Store,
    asked: &Reverification,
    employer_uscc: &str,
    kept: Kept,
) -> Result<Outcome, DeclareError> {
    let own = kept.differences.into_iter().filter(|one| one.employer_uscc == employer_uscc);
    let (after, limit) = asked.person.map_or((PersonId(0), MOST_RESULTS), |person| (PersonId(person.0 - 1), 1));
    Ok(Outcome {
        seq: kept.seq,
        differences: own.map(|one| one.changed).collect(),
        results: grid(store, asked.year, asked.employer, after, limit).await?,
    })
}

fn told(
    verification_id: Option<i64>,
    employer_uscc: String,
    asked: Reverification,
    progress: Progress,
    sources: Vec<AskedSource>,
    outcome: Option<Outcome>,
) -> Verification {
    let Reverification { person: person_id, year, .. } = asked;
    Verification { verification_id, employer_uscc, person_id, year, progress, sources, outcome }
}
