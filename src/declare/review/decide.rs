//! Decisions on single months: a reviewer's word, a second person's where the policy asks for one, and taking it back until completion.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::permit::permit;
use super::super::{DeclareError, standing};
use crate::clock;
use crate::domain::access::{Action, Actor};
use crate::domain::event::{DecisionMade, DecisionWord, EmployerYear, Event};
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::policy::Policy;
use crate::domain::review::{Ground, Grounds, MonthStanding, as_words};
use crate::domain::reviewing::Refused;
use crate::domain::ruling::{Ruling, check_note};
use crate::store::Store;
use crate::store::audit::Act;
use crate::store::change::Change;
use crate::store::decisions::{End, NewDecision, Standing};
use crate::store::review_cases::CaseKey;

/// What a reviewer decides.
#[derive(Clone, Debug)]
pub struct Deciding {
    pub case: CaseKey,
    pub month: Month,
    pub ruling: Ruling,
    /// The grounds that the reviewer saw: if others stand in the way now, nothing is decided. `None`: whatever there is.
    pub seen: Option<Grounds>,
}

/// A decision, or a proposal of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Decided {
    pub decision_id: i64,
    pub month: Month,
    pub approved: bool,
    #[serde(serialize_with = "as_words")]
    #[schemars(with = "Vec<Ground>")]
    pub grounds: Grounds,
    /// A second person must agree before it counts.
    pub second_asked: bool,
}

/// A second person's word on a proposal.
#[derive(Clone, Debug)]
pub struct Seconding {
    pub case: CaseKey,
    pub month: Month,
    pub agrees: bool,
    pub why: Option<String>,
}

/// The second person's word, said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Seconded {
    pub decision_id: i64,
    pub month: Month,
    pub agreed: bool,
}

/// A decision, or a proposal, that was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Undone {
    pub decision_id: i64,
    pub month: Month,
}

/// Approves or rejects a month under review. The case must be the actor's, and is renewed. It reaches no further than the grounds that
/// stand in the way now: when another joins them, the month is open again.
pub async fn decide(
    store: &Store,
    policy: &Policy,
    actor: &Actor,
    deciding: &Deciding,
) -> Result<Decided, DeclareError> {
    let Deciding { case, month, ruling, seen } = deciding;
    let (case, month) = (*case, *month);
    let of = permit::<DeclareError>(store, actor, Action::DecideMonth, case.employer).await?;
    let year = i32::from(case.year);
    // under the lock: nothing is entered, ticked or withdrawn between the look and the decision
    let mut change = hold_open(store, case).await?;
    let (view, entered) =
        standing::one(store, case.declaring(), case.person).await?.ok_or(Refused::NoPlacement { year })?;
    let cell = view.month(month).ok_or(Refused::OtherYear { month, year })?;
    let stood = entered.decisions.get(&(case.person, month));
    let at = store.now().await?;
    if !change.renew_case(case, &actor.name, at).await? {
        return Err(not_held(&mut change, case, at).await?.into());
    }
    if stood.is_some_and(|stood| !stood.decision.effective) {
        return Err(Refused::Proposed { month }.into());
    }
    if cell.standing != MonthStanding::UnderReview {
        return Err(Refused::NotUnderReview { month, standing: cell.standing.as_str() }.into());
    }
    let grounds = Grounds::failing(&cell.verdict);
    let now = change.find_decision(case, month).await?.map(|standing| standing.decision_id);
    if seen.is_some_and(|seen| seen != grounds) || now != stood.map(|stood| stood.decision_id) {
        return Err(Refused::Changed { month, now: grounds }.into());
    }
    ruling.check(grounds)?;
    let second_asked = policy.second_person(clock::business_date(at)).is_asked(grounds);
    let reasons = ruling.reasons();
    let files = change.list_files_behind(case.employer, case.person, month).await?;
    let evidence = serde_json::json!({ "grounds": cell.facts.evidence.iter().collect::<Vec<_>>(), "files": files });
    change.rely_on_evidence(case.employer, &[(case.person, month)], at).await?;
    let decision_id = change
        .save_decision(&NewDecision {
            case,
            month,
            approved: ruling.approves(),
            reasons: &reasons,
            note: ruling.note.as_deref().map(str::trim).filter(|note| !note.is_empty()),
            grounds,
            cell: cell.verdict.pack(),
            evidence: &evidence,
            second_asked,
            by: &actor.name,
            at,
        })
        .await?;
    let decided = Decided { decision_id, month, approved: ruling.approves(), grounds, second_asked };
    let detail = serde_json::json!({ "decision": &decided, "reasons": reasons });
    let object = of.placement(case.year, case.person);
    let why = ruling.note.as_deref();
    if !second_asked {
        tell(&mut change, of.uscc, case, month, DecisionWord::of(ruling.approves()), at).await?;
    }
    change.record(&Act { why, detail, ..Act::read(at, actor, Action::DecideMonth, object) }).await?;
    change.answer(&decided).await?;
    change.commit().await?;
    Ok(decided)
}

/// The second person agrees to a proposal, or refuses it; whoever proposed it cannot.
pub async fn second(store: &Store, actor: &Actor, seconding: &Seconding) -> Result<Seconded, DeclareError> {
    let Seconding { case, month, agrees, why } = seconding;
    let (case, month, why) = (*case, *month, why.as_deref());
    let of = permit::<DeclareError>(store, actor, Action::ApproveDecision, case.employer).await?;
    check_note(why, false)?;
    let at = store.now().await?;
    let mut change = hold_open(store, case).await?;
    let proposed = change.find_decision(case, month).await?.filter(|standing| !standing.decision.effective);
    let Standing { decision_id, decision, decided_by } = proposed.ok_or(Refused::NothingProposed { month })?;
    if decided_by == actor.name {
        return Err(Refused::SamePerson.into());
    }
    let taken = if *agrees {
        change.agree_to_decision(decision_id, &actor.name, at).await?
    } else {
        change.end_decision(decision_id, End { ending: "refused", why, by: &actor.name, at }).await?
    };
    if !taken {
        return Err(Refused::NothingProposed { month }.into());
    }
    if *agrees {
        tell(&mut change, of.uscc, case, month, DecisionWord::of(decision.approved), at).await?;
    }
    let detail = serde_json::json!({ "decision_id": decision_id, "month": month, "agrees": agrees });
    let object = of.placement(case.year, case.person);
    change.record(&Act { why, detail, ..Act::read(at, actor, Action::ApproveDecision, object) }).await?;
    let seconded = Seconded { decision_id, month, agreed: *agrees };
    change.answer(&seconded).await?;
    change.commit().await?;
    Ok(seconded)
}

/// Takes back what stands on a month, decision or proposal; it stays in the history. Until completion, and not while another works on the
/// case.
pub async fn undo(
    store: &Store,
    actor: &Actor,
    case: CaseKey,
    month: Month,
    why: Option<&str>,
) -> Result<Undone, DeclareError> {
    let of = permit::<DeclareError>(store, actor, Action::UndoDecision, case.employer).await?;
    check_note(why, false)?;
    let at = store.now().await?;
    let mut change = hold_open(store, case).await?;
    if let Some(holder) = change.find_holder(case, at).await?.filter(|holder| holder.reviewer != actor.name) {
        return Err(Refused::HeldByAnother { until: holder.until }.into());
    }
    let stood = change.find_decision(case, month).await?.ok_or(Refused::NothingDecided { month })?;
    change.end_decision(stood.decision_id, End { ending: "undone", why, by: &actor.name, at }).await?;
    // a proposal was never told
    if stood.decision.effective {
        tell(&mut change, of.uscc, case, month, DecisionWord::Undone, at).await?;
    }
    let detail = serde_json::json!({ "decision_id": stood.decision_id, "month": month });
    let object = of.placement(case.year, case.person);
    change.record(&Act { why, detail, ..Act::read(at, actor, Action::UndoDecision, object) }).await?;
    let undone = Undone { decision_id: stood.decision_id, month };
    change.answer(&undone).await?;
    change.commit().await?;
    Ok(undone)
}

/// Tells the programs that want to hear of it, in the change that decides.
async fn tell(
    change: &mut Change,
    employer_uscc: Uscc,
    case: CaseKey,
    month: Month,
    decision: DecisionWord,
    at: DateTime<Utc>,
) -> Result<(), DeclareError> {
    let subject = EmployerYear { employer_uscc, year: case.year };
    let event = |heading| {
        Event::DecisionMade(DecisionMade { heading, subject, person_id: case.person, months: vec![month], decision })
    };
    change.tell(case.employer, at, event).await?;
    Ok(())
}

/// A change during which the declaration stays open; refused if it is not.
pub(super) async fn hold_open(store: &Store, case: CaseKey) -> Result<Change, DeclareError> {
    let mut change = store.change().await?;
    let state = change.hold_declaration(case.employer, case.year).await?;
    if state.is_editable() { Ok(change) } else { Err(Refused::NotOpen.into()) }
}

async fn not_held(change: &mut Change, case: CaseKey, at: DateTime<Utc>) -> Result<Refused, DeclareError> {
    let holder = change.find_holder(case, at).await?;
    Ok(holder.map_or(Refused::NotHeld, |holder| Refused::HeldByAnother { until: holder.until }))
}
