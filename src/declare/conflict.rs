//! Conflicts between employers: staff see who would count the same month and why, and decide for one by contract or agreement.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::DeclareError;
use super::permit::permit;
use crate::domain::access::{Action, Actor, Owner};
use crate::domain::facts::{PersonId, UnitId, words};
use crate::domain::month::Month;
use crate::domain::reviewing::Refused;
use crate::domain::ruling::{PrevailingReason, check_note};
use crate::domain::verdict::Verdict;
use crate::store::Store;
use crate::store::audit::Act;
use crate::store::conflicts::{ConflictDecision, NewConflictDecision, RivalPlacement};
use crate::store::publish::Cause;
use crate::verify::contest::{Contest, stated};

/// One month that several employers would count, or about which it was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Contested {
    pub person: PersonId,
    pub month: Month,
    pub rivals: Vec<Rival>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<DecidedFor>,
}

/// An employer who placed the person, and why it counts or does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Rival {
    #[serde(skip)]
    pub employer: UnitId,
    pub uscc: String,
    pub name: String,
    pub federation_division: String,
    pub facts: Vec<RivalFact>,
}

words! {
    /// What holds of a rival's month.
    RivalFact {
        /// Its seven checks pass.
        Passes = "passes",
        Dispatched = "dispatched",
        Unticked = "unticked",
        HoldsClaim = "holds_claim",
        InConflict = "in_conflict",
    }
}

/// For whom staff decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct DecidedFor {
    pub uscc: String,
    pub reason: PrevailingReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub decided_at: DateTime<Utc>,
    pub decided_by: String,
}

/// For whom a month is decided now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct ConflictDecided {
    pub person_id: PersonId,
    pub month: Month,
    /// Who prevails; null: nobody, it is open again.
    pub employer_uscc: Option<String>,
}

/// What staff decide.
#[derive(Clone, Debug)]
pub struct Deciding {
    pub person: PersonId,
    pub month: Month,
    /// Who prevails.
    pub employer: UnitId,
    pub reason: PrevailingReason,
    pub note: Option<String>,
}

/// Contested months of a year in the actor's jurisdiction, of so many persons at most after one: by stored results. The person after whom the next page
/// begins; `None`: this is the last. Seeing them is a sensitive read.
pub async fn list(
    store: &Store,
    actor: &Actor,
    year: i32,
    after: PersonId,
    limit: i64,
) -> Result<(Vec<Contested>, Option<PersonId>), DeclareError> {
    let division = actor.division_for(Action::OpenCase)?;
    let persons = store.list_contested_persons(year, division, after, limit).await?;
    let next = (persons.len() as i64 == limit).then(|| persons.last().copied()).flatten();
    let at = store.now().await?;
    let detail = serde_json::json!({ "persons": persons });
    store.record(&Act { detail, ..Act::read(at, actor, Action::OpenCase, format!("conflicts {year}")) }).await?;
    let mut rivals: BTreeMap<PersonId, Vec<RivalPlacement>> = BTreeMap::new();
    for rival in store.list_rivals(year, &persons).await? {
        rivals.entry(rival.person).or_default().push(rival);
    }
    let units: Vec<UnitId> = rivals.values().flatten().map(|rival| rival.employer).collect();
    let codes = store.unit_codes(&units).await?;
    let code = |unit: UnitId| codes.get(&unit).map(ToString::to_string).unwrap_or_default();
    let decisions = store.list_conflict_decisions(year, &persons).await?;
    let scope = store.scope_of(year, persons).await?;
    let mut verdicts: HashMap<(PersonId, UnitId, Month), Verdict> = HashMap::new();
    for row in store.year_rows(&scope).await? {
        let months = row.verdicts(year)?;
        verdicts.extend(months.into_iter().map(|(month, verdict)| ((row.person, row.employer, month), verdict)));
    }
    let stated = stated(store, &scope).await?;
    let mut found = Vec::new();
    for (person, placements) in rivals {
        let of_person = stated.get(&person).map_or(&[][..], Vec::as_slice);
        for month in Month::all_of(year) {
            let contest = Contest::over(of_person, month);
            let passes =
                |employer: UnitId| verdicts.get(&(person, employer, month)).is_some_and(|verdict| verdict.codes.pass());
            let stakes = contest.stakes(placements.iter().map(|rival| (rival.employer, passes(rival.employer))));
            let marks = stakes.in_conflict();
            let decided = decisions.iter().find(|decision| decision.person == person && decision.month == month);
            if decided.is_none() && !marks.contains(&true) {
                continue;
            }
            let rivals = placements.iter().zip(marks).map(|(rival, in_conflict)| {
                let facts = [
                    (passes(rival.employer), RivalFact::Passes),
                    (rival.dispatched, RivalFact::Dispatched),
                    (contest.is_unticked(rival.employer), RivalFact::Unticked),
                    (contest.holder() == Some(rival.employer), RivalFact::HoldsClaim),
                    (in_conflict, RivalFact::InConflict),
                ];
                Rival {
                    employer: rival.employer,
                    uscc: code(rival.employer),
                    name: rival.employer_name.clone(),
                    federation_division: rival.federation_division.clone(),
                    facts: facts.into_iter().filter(|(holds, _)| *holds).map(|(_, fact)| fact).collect(),
                }
            });
            let decided = decided.map(|decision: &ConflictDecision| DecidedFor {
                uscc: code(decision.employer),
                reason: decision.reason,
                note: decision.note.clone(),
                decided_at: decision.decided_at,
                decided_by: decision.decided_by.clone(),
            });
            found.push(Contested { person, month, rivals: rivals.collect(), decided });
        }
    }
    Ok((found, next))
}

/// Decides which employer counts the month. Results follow when the person is verified next.
pub async fn decide(store: &Store, actor: &Actor, deciding: &Deciding) -> Result<ConflictDecided, DeclareError> {
    let Deciding { person, month, employer, reason, note } = deciding;
    let (person, month) = (*person, *month);
    permit::<DeclareError>(store, actor, Action::DecideConflict, *employer).await?;
    check_note(note.as_deref(), false)?;
    let before = find_decision(store, person, month).await?;
    let at = store.now().await?;
    let mut publish = store.publish(Cause::Decision, at).await?;
    let store = &publish.beside();
    // from here on nobody places the person or decides: what is read stands until this is committed
    if find_decision(store, person, month).await? != before {
        return Err(Refused::DecidedMeanwhile { month }.into());
    }
    let rivals = store.list_rivals(month.year(), &[person]).await?;
    let prevailing = rivals.iter().find(|rival| rival.employer == *employer);
    let prevailing = prevailing.ok_or(Refused::NoPlacement { year: month.year() })?;
    if rivals.len() < 2 {
        return Err(Refused::NoRival { person, month }.into());
    }
    reach_all(actor, &rivals)?;
    let fits = match reason {
        PrevailingReason::LabourContract => !prevailing.dispatched,
        PrevailingReason::DispatchAgreement => rivals.iter().any(|rival| rival.dispatched),
    };
    if !fits {
        return Err(Refused::ReasonUnfit.into());
    }
    if before.as_ref().is_some_and(|decision| decision.employer == *employer && decision.reason == *reason) {
        return Err(Refused::DecidedSo.into());
    }
    if publish.find_claim(person, month).await?.is_some() {
        return Err(Refused::Claimed { month }.into());
    }
    let note = note.as_deref().map(str::trim).filter(|note| !note.is_empty());
    let new = NewConflictDecision { person, month, employer: *employer, reason: *reason, note, by: &actor.name, at };
    publish.save_conflict_decision(&new).await?;
    let detail = serde_json::json!({
        "employer": employer, "reason": reason, "instead_of": before.map(|decision| decision.employer),
    });
    let object = object(store, person, month, &rivals).await?;
    publish.record(&Act { why: note, detail, ..Act::read(at, actor, Action::DecideConflict, object) }).await?;
    let prevailing = prevailing.employer;
    let employer_uscc = store.unit_codes(&[prevailing]).await?.remove(&prevailing).map(|code| code.to_string());
    let decided = ConflictDecided { person_id: person, month, employer_uscc };
    publish.answer(&decided).await?;
    publish.commit().await?;
    Ok(decided)
}

/// Takes a decision back, until a claim is taken.
pub async fn undo(
    store: &Store,
    actor: &Actor,
    person: PersonId,
    month: Month,
    why: Option<&str>,
) -> Result<ConflictDecided, DeclareError> {
    actor.may_at_all(Action::DecideConflict)?;
    check_note(why, false)?;
    let decided = find_decision(store, person, month).await?;
    let decided = decided.ok_or(Refused::NoConflictDecided { month })?;
    permit::<DeclareError>(store, actor, Action::DecideConflict, decided.employer).await?;
    let rivals = store.list_rivals(month.year(), &[person]).await?;
    reach_all(actor, &rivals)?;
    let at = store.now().await?;
    let mut publish = store.publish(Cause::Decision, at).await?;
    let store = &publish.beside();
    if publish.find_claim(person, month).await?.is_some() {
        return Err(Refused::Claimed { month }.into());
    }
    match find_decision(store, person, month).await? {
        None => return Err(Refused::NoConflictDecided { month }.into()),
        Some(now) if now != decided => return Err(Refused::DecidedMeanwhile { month }.into()),
        Some(_) => publish.end_conflict_decision(person, month, &actor.name, why, at).await?,
    };
    let detail = serde_json::json!({ "employer": decided.employer, "taken_back": true });
    let object = object(store, person, month, &rivals).await?;
    publish.record(&Act { why, detail, ..Act::read(at, actor, Action::DecideConflict, object) }).await?;
    let open = ConflictDecided { person_id: person, month, employer_uscc: None };
    publish.answer(&open).await?;
    publish.commit().await?;
    Ok(open)
}

/// The decision in force on a month. Asked by whoever holds the publish lock, it is what stands until they are done.
async fn find_decision(
    store: &Store,
    person: PersonId,
    month: Month,
) -> Result<Option<ConflictDecision>, DeclareError> {
    let decisions = store.list_conflict_decisions(month.year(), &[person]).await?;
    Ok(decisions.into_iter().find(|decision| decision.month == month))
}

/// As the audit names it: with every employer that it is about.
async fn object(
    store: &Store,
    person: PersonId,
    month: Month,
    rivals: &[RivalPlacement],
) -> Result<String, DeclareError> {
    let units: Vec<UnitId> = rivals.iter().map(|rival| rival.employer).collect();
    let codes = store.unit_codes(&units).await?;
    let codes: Vec<String> = units.iter().filter_map(|unit| codes.get(unit)).map(ToString::to_string).collect();
    Ok(format!("conflict {month} person {} between {}", person.0, codes.join(" ")))
}

/// Who decides must reach every employer that it is about: over jurisdictions the level above decides.
fn reach_all(actor: &Actor, rivals: &[RivalPlacement]) -> Result<(), Refused> {
    let reached = |rival: &RivalPlacement| {
        actor.reaches(Owner { employer: rival.employer, federation_division: &rival.federation_division })
    };
    if rivals.iter().all(reached) { Ok(()) } else { Err(Refused::BeyondReach) }
}
