//! Cases of review as programs read them: employers by their code, months with what stands in their way.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::DeclareError;
use super::super::standing::MonthLine;
use super::{OpenedCase, Waiting};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::month::Month;
use crate::domain::review::{Ground, Grounds, PlacementStanding};
use crate::domain::verdict::Codes;
use crate::store::Store;
use crate::store::decisions::DecisionLine;
use crate::store::review_cases::Holder;

/// A case that waits for somebody.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WaitingLine {
    pub employer_uscc: String,
    pub year: i16,
    pub person_id: PersonId,
    pub federation_division: String,
    pub handed_in_at: DateTime<Utc>,
    /// Months under review.
    pub months: Vec<Month>,
    /// Of these, the ones that are decided and wait for a second person.
    pub proposed: Vec<Month>,
    pub holder: Option<Holder>,
}

/// A case as its reviewer sees it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownCase {
    pub employer_uscc: String,
    pub year: i16,
    pub person_id: PersonId,
    pub dispatched: bool,
    pub standing: PlacementStanding,
    pub handed_in_at: Option<DateTime<Utc>>,
    /// Who works on it; nobody where nothing waits, or where only looking is allowed.
    pub holder: Option<Holder>,
    /// January first.
    pub months: Vec<ShownMonth>,
    /// Everything that was ever decided, by month.
    pub decisions: Vec<DecisionLine>,
}

/// One month of a case.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownMonth {
    #[serde(flatten)]
    pub line: MonthLine,
    pub checks: Codes,
    pub conflict: bool,
    /// What keeps it from passing: a decision names it as what was seen.
    pub fails_for: Vec<Ground>,
    /// For which grounds there is evidence.
    pub evidence: Vec<Ground>,
}

/// Cases of the queue in their order.
pub async fn waiting_lines(store: &Store, cases: Vec<Waiting>) -> Result<Vec<WaitingLine>, DeclareError> {
    let units: Vec<UnitId> = cases.iter().map(|waiting| waiting.case.employer).collect();
    let codes = store.unit_codes(&units).await?;
    let line = |waiting: Waiting| WaitingLine {
        employer_uscc: codes.get(&waiting.case.employer).map(ToString::to_string).unwrap_or_default(),
        year: waiting.case.year,
        person_id: waiting.case.person,
        federation_division: waiting.federation_division,
        handed_in_at: waiting.handed_in_at,
        months: waiting.months,
        proposed: waiting.proposed,
        holder: waiting.holder,
    };
    Ok(cases.into_iter().map(line).collect())
}

/// A case that was opened.
pub async fn shown_case(store: &Store, opened: OpenedCase) -> Result<ShownCase, DeclareError> {
    let employer = opened.case.employer;
    let code = store.unit_codes(&[employer]).await?.remove(&employer);
    let list = |grounds: Grounds| grounds.iter().collect::<Vec<Ground>>();
    let months = opened.view.months.iter().map(|view| ShownMonth {
        line: MonthLine::of(view),
        checks: view.verdict.codes,
        conflict: view.verdict.conflict,
        fails_for: list(Grounds::failing(&view.verdict)),
        evidence: list(view.facts.evidence),
    });
    Ok(ShownCase {
        employer_uscc: code.map(|code| code.to_string()).unwrap_or_default(),
        year: opened.case.year,
        person_id: opened.case.person,
        dispatched: opened.view.dispatched,
        standing: opened.view.standing(),
        handed_in_at: opened.view.months.first().and_then(|month| month.facts.handed_in_at),
        months: months.collect(),
        holder: opened.holder,
        decisions: opened.decisions,
    })
}
