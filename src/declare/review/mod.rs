//! 审核, the queue: cases handed in, oldest first, each with one reviewer at a time; seeing one is a sensitive read.

pub mod counter;
pub mod decide;
pub mod shown;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::permit::{EmployerEntry, find, permit};
use super::standing::{Entered, PlacementView};
use super::{DeclareError, Declaring, standing};
use crate::domain::access::{Action, Actor, Denied};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::month::Month;
use crate::domain::review::MonthStanding;
use crate::domain::reviewing::Refused;
use crate::store::Store;
use crate::store::audit::Act;
use crate::store::decisions::DecisionLine;
use crate::store::review_cases::{CaseKey, Holder};
use crate::store::review_queue::{Candidate, Place, Seat};

/// A case that waits for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    #[serde(flatten)]
    pub case: CaseKey,
    pub federation_division: String,
    pub handed_in_at: DateTime<Utc>,
    /// Months under review.
    pub months: Vec<Month>,
    /// Of these, the ones that are decided and wait for a second person.
    pub proposed: Vec<Month>,
    pub holder: Option<Holder>,
}

/// A page of the queue.
#[derive(Clone, Debug)]
pub struct Page {
    pub cases: Vec<Waiting>,
    /// After which the next page begins; `None`: this is the last.
    pub next: Option<Place>,
}

/// A case as its reviewer sees it.
#[derive(Clone, Debug)]
pub struct OpenedCase {
    pub case: CaseKey,
    pub view: PlacementView,
    /// Everything that was ever decided, by month.
    pub decisions: Vec<DecisionLine>,
    /// Who works on it; nobody where nothing waits, or where only looking is allowed.
    pub holder: Option<Holder>,
}

/// A case that was given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Released {
    pub employer_uscc: String,
    pub year: i16,
    pub person_id: PersonId,
}

impl CaseKey {
    fn declaring(self) -> Declaring {
        Declaring { employer: self.employer, year: i32::from(self.year) }
    }
}

fn seat(actor: &Actor) -> Result<Seat<'_>, Denied> {
    let seconds = actor.role.may(Action::ApproveDecision);
    Ok(Seat { division: actor.division_for(Action::OpenCase)?, reviewer: &actor.name, seconds })
}

/// Rows that are looked at together.
const BATCH: i64 = 50;
/// So often more rows are looked at before a page is given out as it is.
const BATCHES: usize = 10;

/// A page of the queue, oldest handing-in first, those that others hold included.
pub async fn queue(store: &Store, actor: &Actor, after: Option<Place>, limit: usize) -> Result<Page, DeclareError> {
    let seat = seat(actor)?;
    let at = store.now().await?;
    let (mut cases, mut next) = (Vec::new(), after);
    for _ in 0..BATCHES {
        let candidates = store.list_candidates(seat, next, false, BATCH, at).await?;
        let last = (candidates.len() as i64) < BATCH;
        for (place, waiting) in waiting(store, candidates).await? {
            if cases.len() == limit {
                return Ok(Page { cases, next });
            }
            next = Some(place);
            cases.extend(waiting);
        }
        if last {
            return Ok(Page { cases, next: None });
        }
    }
    Ok(Page { cases, next })
}

/// What is to be known of candidates, by employer: as many questions as there are employers among them.
async fn look<T>(
    store: &Store,
    candidates: &[Candidate],
    what: impl Fn(&PlacementView, &Entered) -> T,
) -> Result<BTreeMap<CaseKey, T>, DeclareError> {
    let mut persons: BTreeMap<(i16, UnitId), Vec<PersonId>> = BTreeMap::new();
    for candidate in candidates {
        let CaseKey { person, employer, year } = candidate.place.case;
        persons.entry((year, employer)).or_default().push(person);
    }
    let mut found = BTreeMap::new();
    for ((year, employer), persons) in persons {
        let declaring = Declaring { employer, year: i32::from(year) };
        let (views, entered) = standing::some(store, declaring, persons).await?;
        found.extend(views.iter().map(|view| (declaring.case(view.person), what(view, &entered))));
    }
    Ok(found)
}

/// Of candidates in their order those that wait for somebody, by the standing of their months.
async fn waiting(store: &Store, candidates: Vec<Candidate>) -> Result<Vec<(Place, Option<Waiting>)>, DeclareError> {
    let mut found = look(store, &candidates, under_review).await?;
    let told = |candidate: Candidate| {
        let case = candidate.place.case;
        let (months, proposed) = found.remove(&case).unwrap_or_default();
        let waits = !months.is_empty();
        let waiting = Waiting {
            case,
            federation_division: candidate.federation_division,
            handed_in_at: candidate.place.handed_in_at,
            months,
            proposed,
            holder: candidate.holder,
        };
        (candidate.place, waits.then_some(waiting))
    };
    Ok(candidates.into_iter().map(told).collect())
}

/// Months under review, and of these the ones with a proposal.
fn under_review(view: &PlacementView, entered: &Entered) -> (Vec<Month>, Vec<Month>) {
    let under_review = view.months.iter().filter(|month| month.standing == MonthStanding::UnderReview);
    let months: Vec<Month> = under_review.map(|month| month.month).collect();
    let proposed = months.iter().copied().filter(|month| {
        entered.decisions.get(&(view.person, *month)).is_some_and(|standing| !standing.decision.effective)
    });
    let proposed = proposed.collect();
    (months, proposed)
}

/// Whether the actor can do something about the case: a month without a word, or one that somebody else proposed.
fn is_work_for(actor: &Actor, view: &PlacementView, entered: &Entered) -> bool {
    let (months, _) = under_review(view, entered);
    months.iter().any(|month| match entered.decisions.get(&(view.person, *month)) {
        Some(standing) if !standing.decision.effective => {
            actor.role.may(Action::ApproveDecision) && standing.decided_by != actor.name
        }
        _ => actor.role.may(Action::DecideMonth),
    })
}

/// Takes the oldest free case (after a place) that the actor can do something about; `None`: there is none.
pub async fn next(store: &Store, actor: &Actor, after: Option<Place>) -> Result<Option<OpenedCase>, DeclareError> {
    let seat = seat(actor)?;
    actor.may_at_all(Action::DecideMonth)?;
    let mut after = after;
    loop {
        let at = store.now().await?;
        let candidates = store.list_candidates(seat, after, true, BATCH, at).await?;
        let Some(last) = candidates.last() else { return Ok(None) };
        after = Some(last.place);
        let is_work = look(store, &candidates, |view, entered| is_work_for(actor, view, entered)).await?;
        for case in candidates.iter().map(|candidate| candidate.place.case) {
            if !is_work.get(&case).copied().unwrap_or_default() {
                continue;
            }
            let of = find::<DeclareError>(store, case.employer).await?;
            if !claim(store, actor, &of, case).await? {
                continue;
            }
            // only now is it ours: meanwhile another may have decided it and given it back
            let opened = load(store, case).await?;
            match opened {
                Some((opened, entered)) if is_work_for(actor, &opened.view, &entered) => return Ok(Some(opened)),
                _ => {
                    set_free(store, actor, &of, case, None).await?;
                }
            }
        }
    }
}

/// Opens a case; who may decide takes it too, if it waits for somebody and nobody else holds it.
pub async fn open(store: &Store, actor: &Actor, case: CaseKey) -> Result<OpenedCase, DeclareError> {
    let of = permit::<DeclareError>(store, actor, Action::OpenCase, case.employer).await?;
    let no_placement = Refused::NoPlacement { year: i32::from(case.year) };
    let (opened, entered) = load(store, case).await?.ok_or(no_placement)?;
    if is_work_for(actor, &opened.view, &entered) && claim(store, actor, &of, case).await? {
        let (opened, _) = load(store, case).await?.ok_or(Refused::NotHeld)?;
        return Ok(opened);
    }
    let at = store.now().await?;
    store.record(&Act::read(at, actor, Action::OpenCase, of.placement(case.year, case.person))).await?;
    Ok(opened)
}

/// Gives a case back before its half hour is over.
pub async fn release(store: &Store, actor: &Actor, case: CaseKey) -> Result<Released, DeclareError> {
    let of = permit::<DeclareError>(store, actor, Action::OpenCase, case.employer).await?;
    actor.may(Action::DecideMonth, of.owner())?;
    let released = Released { employer_uscc: of.uscc.to_string(), year: case.year, person_id: case.person };
    if set_free(store, actor, &of, case, Some(&released)).await? { Ok(released) } else { Err(Refused::NotHeld.into()) }
}

/// False: it is not the actor's. `told`: with what whoever asked for it is answered.
async fn set_free(
    store: &Store,
    actor: &Actor,
    of: &EmployerEntry,
    case: CaseKey,
    told: Option<&Released>,
) -> Result<bool, DeclareError> {
    let at = store.now().await?;
    let mut change = store.change().await?;
    if !change.release_case(case, &actor.name, at).await? {
        return Ok(false);
    }
    let object = of.placement(case.year, case.person);
    change.record(&Act::read(at, actor, Action::OpenCase, object).with("released", true)).await?;
    if let Some(released) = told {
        change.answer(released).await?;
    }
    change.commit().await?;
    Ok(true)
}

/// False: another works on it.
async fn claim(store: &Store, actor: &Actor, of: &EmployerEntry, case: CaseKey) -> Result<bool, DeclareError> {
    let at = store.now().await?;
    let mut change = store.change().await?;
    let Some(until) = change.claim_case(case, &actor.name, at).await? else { return Ok(false) };
    let detail = serde_json::json!({ "claimed_until": until });
    let object = of.placement(case.year, case.person);
    change.record(&Act { detail, ..Act::read(at, actor, Action::OpenCase, object) }).await?;
    change.commit().await?;
    Ok(true)
}

async fn load(store: &Store, case: CaseKey) -> Result<Option<(OpenedCase, Entered)>, DeclareError> {
    let Some((view, entered)) = standing::one(store, case.declaring(), case.person).await? else { return Ok(None) };
    let decisions = store.list_decisions(case).await?;
    let at = store.now().await?;
    let mut change = store.change().await?;
    let holder = change.find_holder(case, at).await?;
    change.abandon().await?;
    Ok(Some((OpenedCase { case, view, decisions, holder }, entered)))
}
