//! What every month of a placement that does not pass asks for, by the judge's own word.

use std::collections::{HashMap, HashSet};

use super::super::VerifyError;
use super::super::gather::Placed;
use super::super::view::View;
use super::records::Units;
use super::{conflict, heard, versions};
use crate::domain::document::{Bearer, Document};
use crate::domain::facts::{CertificateKind, PersonId, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::judge::{Case, Note};
use crate::domain::month::Month;
use crate::domain::review::{Ground, Grounds};
use crate::domain::verdict::Check;
use crate::policy::Reading;
use crate::store::Store;

/// One thing that stands in the way of one month, and the document that is taken for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedDocument {
    pub person: PersonId,
    pub month: Month,
    pub ground: Ground,
    /// The check is not known yet: it may turn by itself.
    pub pending: bool,
    pub document: Document,
    /// The unit whose record is asked for, where the document names one.
    pub unit: Option<Uscc>,
    /// What the document must show: the month, or the period in which its wage is looked up.
    pub shows: Month,
}

/// For these persons' placements at the employer, as they are judged now; by person, month and ground.
pub async fn asked_documents(
    store: &Store,
    reading: &Reading,
    employer: UnitId,
    year: i32,
    persons: Vec<PersonId>,
) -> Result<Vec<AskedDocument>, VerifyError> {
    let view = View::load(store, &reading.policy, employer, year, persons).await?;
    let placements: Vec<&Placed> =
        view.chunk.gathered.placements.iter().filter(|placed| placed.employer == employer).collect();
    let named = placements.iter().flat_map(|placed| {
        let subject = &placed.subject;
        [Some(subject.wage_payer), Some(subject.pension_payer), Some(subject.medical_payer), subject.dispatch]
    });
    let mut units: Vec<UnitId> = named.flatten().collect();
    units.sort_unstable();
    units.dedup();
    let codes = store.unit_codes(&units).await?;
    let mut asked = Vec::new();
    for placed in placements {
        for month in Month::all_of(year) {
            if let Some(case) = view.case(placed, month) {
                of_month(&view, placed, &case, month, &codes, &mut asked)?;
            }
        }
    }
    asked.sort_by_key(|one| (one.person, one.month, one.ground));
    Ok(asked)
}

fn of_month(
    view: &View,
    placed: &Placed,
    case: &Case<'_>,
    month: Month,
    codes: &HashMap<UnitId, Uscc>,
    asked: &mut Vec<AskedDocument>,
) -> Result<(), VerifyError> {
    let subject = &case.subject;
    let (mut verdict, notes) = heard(view, case, month)?;
    // who else counts the month is not asked here, only whether somebody does
    let nobody = Units {
        employer: placed.employer,
        dispatch: subject.dispatch,
        listed: HashSet::new(),
        codes: HashMap::new(),
        reveal: false,
    };
    verdict.conflict = conflict::evidence(view, placed, month, &nobody)?.is_some();
    let of_check = |check: Check| notes.get(&check.number()).map(Vec::as_slice).unwrap_or_default();
    let soldier = versions(of_check(Check::Certificate)).iter().any(|(version, passed_over)| {
        let certificate = case.facts.certificates.iter().find(|certificate| certificate.version == *version);
        passed_over.is_none() && certificate.is_some_and(|one| one.kind == CertificateKind::DisabledSoldier)
    });
    let bearer = Bearer { soldier, dispatched: subject.dispatch.is_some() };
    let pending = Grounds::pending(&verdict);
    for ground in Grounds::failing(&verdict).iter() {
        let document = match Check::from_number(ground.number()) {
            Some(check) => Document::of(check, &verdict.codes, bearer),
            None => Some(Document::of_conflict(bearer.dispatched)),
        };
        let Some(document) = document else { continue };
        let unit = match ground {
            Ground::Wage => Some(subject.wage_payer),
            Ground::Pension => Some(subject.pension_payer),
            Ground::Medical => Some(subject.medical_payer),
            Ground::Dispatch => subject.dispatch,
            Ground::Certificate | Ground::Age | Ground::Contract | Ground::Conflict => None,
        };
        let unit = unit.filter(|_| document.names_unit()).and_then(|unit| codes.get(&unit).copied());
        let period = of_check(Check::Wage).iter().find_map(|note| match note {
            Note::Period(period) => Some(*period),
            _ => None,
        });
        asked.push(AskedDocument {
            person: placed.person,
            month,
            ground,
            pending: pending.contains(ground),
            document,
            unit,
            shows: period.filter(|_| ground == Ground::Wage).unwrap_or(month),
        });
    }
    Ok(())
}
