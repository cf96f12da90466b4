//! What each failing month of an employer's year asks for, gathered so that one document serves as many cells as it can.

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::Serialize;

use super::evidence::EvidenceError;
use super::permit::permit;
use super::standing::placements;
use super::{DeclareError, Declaring};
use crate::domain::access::{Action, Actor};
use crate::domain::document::{Document, Months};
use crate::domain::facts::PersonId;
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::review::{Ground, Grounds};
use crate::domain::said::{Language, Said};
use crate::policy::Reading;
use crate::store::Store;
use crate::verify::VerifyError;
use crate::verify::explain::documents::asked_documents;

/// Why the needs cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum NeedsError {
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    #[error("where the months stand could not be told")]
    Standing(#[from] DeclareError),
    #[error("the months could not be judged")]
    Verify(#[from] VerifyError),
    #[error("the evidence could not be read")]
    Store(#[from] crate::store::StoreError),
}

/// One document, and all that it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Need {
    pub document: Document,
    #[serde(flatten)]
    pub said: Said,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_uscc: Option<String>,
    /// Whom it is about; `None`: one of it serves all whom it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person_id: Option<PersonId>,
    /// Cells that still lack it.
    pub missing: usize,
    pub cells: Vec<NeededCell>,
}

/// A cell that asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NeededCell {
    pub person_id: PersonId,
    pub month: Month,
    pub ground: Ground,
    /// The employer declares the month; else it may.
    pub ticked: bool,
    /// The check is not known yet and may turn by itself.
    pub pending: bool,
    /// A file is in use for it.
    pub attached: bool,
}

/// One document: of which unit, and about whom, where it is of one unit and about one person.
type Wanted = (Document, Option<Uscc>, Option<PersonId>);

/// The needs of an employer's year. Months that the employer unticked ask for nothing, and what is not known yet only where it is ticked.
pub async fn needs(
    store: &Store,
    reading: &Reading,
    actor: &Actor,
    declaring: Declaring,
) -> Result<Vec<Need>, NeedsError> {
    let Declaring { employer, year } = declaring;
    permit::<EvidenceError>(store, actor, Action::ReadResults, employer).await?;
    let mut choices: HashMap<(PersonId, Month), bool> = HashMap::new();
    let mut persons = Vec::new();
    for placement in placements(store, declaring).await? {
        persons.push(placement.person);
        let chosen = placement.months.iter().filter_map(|month| Some((month.month, month.facts.choice?)));
        choices.extend(chosen.map(|(month, choice)| ((placement.person, month), choice)));
    }
    let attached = store.evidence_grounds(employer, year).await?;
    let mut served: BTreeMap<Wanted, Vec<(NeededCell, Month)>> = BTreeMap::new();
    for one in asked_documents(store, reading, employer, year, persons).await? {
        let choice = choices.get(&(one.person, one.month)).copied();
        let ticked = choice == Some(true);
        if choice == Some(false) || one.pending && !ticked {
            continue;
        }
        let grounds = attached.get(&(one.person, one.month)).copied().unwrap_or(Grounds::NONE);
        let cell = NeededCell {
            person_id: one.person,
            month: one.month,
            ground: one.ground,
            ticked,
            pending: one.pending,
            attached: grounds.contains(one.ground),
        };
        let person = (!one.document.serves_all_persons()).then_some(one.person);
        served.entry((one.document, one.unit, person)).or_default().push((cell, one.shows));
    }
    Ok(served
        .into_iter()
        .map(|((document, unit, person_id), cells)| {
            let months = Months::of(cells.iter().map(|(_, shows)| *shows));
            let cells: Vec<NeededCell> = cells.into_iter().map(|(cell, _)| cell).collect();
            Need {
                document,
                said: document.said(&months, unit.as_ref().map(Uscc::as_str).unwrap_or_default()),
                unit_uscc: unit.map(|unit| unit.to_string()),
                person_id,
                missing: cells.iter().filter(|cell| !cell.attached).count(),
                cells,
            }
        })
        .collect())
}

/// The needs in lines: the document, whom it is about, and the cells that it serves.
pub fn text(needs: &[Need], language: Language) -> String {
    let chinese = language == Language::Chinese;
    if needs.is_empty() {
        return if chinese { "无需证明材料".to_owned() } else { "no document is needed".to_owned() };
    }
    let mut lines = Vec::new();
    for need in needs {
        let state = match (need.missing, chinese) {
            (0, false) => "attached".to_owned(),
            (0, true) => "已上传".to_owned(),
            (missing, false) => format!("missing for {missing} of {}", need.cells.len()),
            (missing, true) => format!("{}项中缺{missing}项", need.cells.len()),
        };
        lines.push(format!("{} [{state}]", need.said.get(language)));
        let mut by_person: BTreeMap<(PersonId, Ground), Vec<Month>> = BTreeMap::new();
        for cell in &need.cells {
            by_person.entry((cell.person_id, cell.ground)).or_default().push(cell.month);
        }
        for ((person, ground), months) in by_person {
            let months = Months::of(months);
            lines.push(format!("    --cell {}:{}:{ground}", person.0, months.as_argument()));
        }
    }
    lines.join("\n")
}
