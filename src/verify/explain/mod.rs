//! The evidence behind one cell: the judge's own notes, where each record it looked at came from, the rule, and the way out.

mod conflict;
pub mod documents;
pub mod records;
pub mod text;
pub mod waiting;

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

pub use conflict::{Claimant, ConflictEvidence};
use records::{ContractEvidence, PassedOverContract, PassedOverRecord, Record, Units, split, versions};
use waiting::{LookedFor, PendingEvidence, SourceState, Waited, of_check};

use super::VerifyError;
use super::gather::Placed;
use super::view::View;
use crate::clock;
use crate::domain::basis::{Basis, basis};
use crate::domain::facts::{CertificateKind, PersonId, RecordKind, Scheme, UnitId};
use crate::domain::judge::{Case, Note, Waiting, judge};
use crate::domain::labels;
use crate::domain::money::Fen;
use crate::domain::month::Month;
use crate::domain::policy::Policy;
use crate::domain::remedy::{Failure, Remedy, remedy};
use crate::domain::said::Said;
use crate::domain::verdict::{Check, Sign, Verdict};
use crate::policy::Reading;
use crate::store::Store;
use crate::store::entries::Employer;
use crate::store::facts::Freshness;
use crate::store::jobs::SourceId;
use crate::store::quarantine::RefusedRecord;

/// Which cell is explained, and to whom.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub employer: UnitId,
    pub person: PersonId,
    pub month: Month,
    /// Staff see the ID number, other units and what they reported.
    pub reveal: bool,
}

/// One cell, explained.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Explanation {
    pub employer_uscc: String,
    pub person_id: PersonId,
    /// Masked, unless it was asked to be revealed.
    pub id_number: String,
    pub month: Month,
    pub business_date: NaiveDate,
    pub seq: i64,
    pub policy_version: String,
    pub passed: bool,
    pub conflict: bool,
    pub weight: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict_evidence: Option<ConflictEvidence>,
    pub checks: Vec<CheckEvidence>,
}

/// What one check found, what it asks, and what puts it right.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckEvidence {
    pub check: Check,
    pub code: &'static str,
    /// The code in words.
    pub says: Said,
    #[serde(skip)]
    pub sign: Sign,
    /// The period looked up, if the check looks one up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<Month>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Fen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<Fen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<ContractEvidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_enough_on: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retires_on: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// From when on the period counts as delivered, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_on: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingEvidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_for: Option<LookedFor>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rests_on: Vec<Record>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<PassedOverRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contracts_passed_over: Vec<PassedOverContract>,
    /// Open refused records that may be the missing one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedRecord>,
    pub basis: Basis,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
}

/// Explains one cell as it is judged now; `None` if there is no such placement.
pub async fn explain(store: &Store, reading: &Reading, asked: Asked) -> Result<Option<Explanation>, VerifyError> {
    let Asked { employer, person, month, reveal } = asked;
    let policy = &reading.policy;
    let view = View::load(store, policy, employer, month.year(), vec![person]).await?;
    let Some(placed) = view.chunk.gathered.placements.iter().find(|placed| placed.employer == employer) else {
        return Ok(None);
    };
    let (Some(of_employer), Some(case)) = (view.employer(employer), view.case(placed, month)) else {
        return Ok(None);
    };
    let units = units(store, &view, placed, reveal).await?;
    let refused = store.refused_records(view.rules.point.seq, person, placed.subject.dispatch).await?;
    let concerned_on = match placed.concerned_seq {
        Some(seq) => store.published_at(seq).await?.map(clock::business_date),
        None => None,
    };
    let (mut verdict, mut notes) = heard(&view, &case, month)?;
    let conflict = conflict::evidence(&view, placed, month, &units)?;
    verdict.conflict = conflict.is_some();
    let cell = Cell {
        view: &view,
        of_employer,
        case: &case,
        policy,
        month,
        verdict,
        units: &units,
        refused: &refused,
        concerned_on,
    };
    let mut checks = Vec::with_capacity(Check::ALL.len());
    for check in Check::ALL {
        let notes = notes.remove(&check.number()).unwrap_or_default();
        checks.push(cell.evidence(store, *check, &notes, person).await?);
    }
    let identities = store.identities(&[person]).await?;
    let id_number = identities.get(&person).map_or_else(String::new, |identity| {
        if reveal { identity.id.reveal().to_owned() } else { identity.id.masked() }
    });
    Ok(Some(Explanation {
        employer_uscc: units.code(employer).unwrap_or_default(),
        person_id: person,
        id_number,
        month,
        business_date: view.rules.point.business_date,
        seq: view.rules.point.seq,
        policy_version: policy.version.clone(),
        passed: verdict.passed(),
        conflict: verdict.conflict,
        weight: verdict.weight,
        conflict_evidence: conflict,
        checks,
    }))
}

/// The verdict on a month and what the judge noted for each check, by its number.
fn heard(view: &View, case: &Case<'_>, month: Month) -> Result<(Verdict, BTreeMap<u8, Vec<Note>>), VerifyError> {
    let rules =
        view.rules.of_month(month).ok_or(crate::domain::dated::NoRule { what: "month", on: month.first_day() })?;
    let mut notes: BTreeMap<u8, Vec<Note>> = BTreeMap::new();
    let verdict = judge(case, month, rules, &mut |check: Check, note: Note| {
        notes.entry(check.number()).or_default().push(note);
    });
    Ok((verdict, notes))
}

/// Every unit that the placement and its person's records name.
async fn units(store: &Store, view: &View, placed: &Placed, reveal: bool) -> Result<Units, VerifyError> {
    let subject = &placed.subject;
    let affiliates = store.list_affiliates(&[placed.employer]).await?;
    let mut listed: HashSet<UnitId> =
        affiliates.iter().filter(|one| i32::from(one.year) == view.rules.year).map(|one| one.unit).collect();
    listed.extend([subject.wage_payer, subject.pension_payer, subject.medical_payer]);
    let person = placed.person.0;
    let mut all: Vec<UnitId> = listed.iter().copied().collect();
    all.extend(view.chunk.gathered.placements.iter().map(|placed| placed.employer));
    all.extend(subject.dispatch);
    all.extend(view.chunk.gathered.wages.of(&person).iter().map(|wage| wage.payer));
    all.extend(view.chunk.gathered.insurances.of(&person).iter().filter_map(|record| record.insured));
    all.extend(view.chunk.gathered.stakes.of(&person).iter().map(|stated| stated.employer));
    all.sort_unstable();
    all.dedup();
    let codes = store.unit_codes(&all).await?;
    Ok(Units { employer: placed.employer, dispatch: subject.dispatch, listed, codes, reveal })
}

/// What a check looks its records up by; age and contract rest on no record of an agency.
fn kind_of(check: Check) -> Option<(RecordKind, Option<Scheme>)> {
    match check {
        Check::Wage => Some((RecordKind::Wage, None)),
        Check::Pension => Some((RecordKind::Insurance, Some(Scheme::Pension))),
        Check::Medical => Some((RecordKind::Insurance, Some(Scheme::Medical))),
        Check::Certificate => Some((RecordKind::Certificate, None)),
        Check::Dispatch => Some((RecordKind::DispatchFiling, None)),
        Check::Age | Check::Contract => None,
    }
}

/// A judged cell, with what its evidence is made from.
struct Cell<'a> {
    view: &'a View,
    of_employer: &'a Employer,
    case: &'a Case<'a>,
    policy: &'a Policy,
    month: Month,
    verdict: Verdict,
    units: &'a Units,
    refused: &'a [RefusedRecord],
    concerned_on: Option<NaiveDate>,
}

impl Cell<'_> {
    async fn evidence(
        &self,
        store: &Store,
        check: Check,
        notes: &[Note],
        person: PersonId,
    ) -> Result<CheckEvidence, VerifyError> {
        let mut evidence = self.noted(check, notes);
        let Some((record, scheme)) = kind_of(check) else {
            evidence.looked_for = self.looked_for(check, &evidence, Vec::new());
            evidence.remedy = self.remedy(check, &evidence);
            return Ok(evidence);
        };
        let named: Vec<_> = versions(notes).into_iter().map(|(version, _)| version).collect();
        let origins = store.origins(record, person, &named).await?;
        (evidence.rests_on, evidence.passed_over) = split(self.case, notes, origins, self.units);
        let (view, period) = (self.view, evidence.period);
        let division = self.of_employer.division.as_str();
        let answering: Vec<&Freshness> = view.rules.sources.answering(record, scheme, division).collect();
        let never_pulled = answering.iter().filter(|source| period.is_none() && source.last_whole_on.is_none());
        let never_pulled: Vec<SourceId> = never_pulled.map(|source| source.source).collect();
        let set_up = if never_pulled.is_empty() { HashMap::new() } else { store.sources_set_up(&never_pulled).await? };
        let sources: Vec<SourceState> = answering
            .into_iter()
            .map(|source| {
                let set_up_on = set_up.get(&source.source).copied().map(clock::business_date);
                SourceState::of(source, period, view.rules.point.business_date, set_up_on)
            })
            .collect();
        if matches!(evidence.sign, Sign::Fail | Sign::Pending) {
            evidence.refused = of_check(self.refused, record, scheme, period);
        }
        if let Some(waiting) = evidence.waiting {
            if waiting == Waiting::NotSettled {
                evidence.due_on = sources.iter().filter_map(|source| source.due_on).max();
            }
            let waited = Waited {
                waiting,
                period,
                sources: &sources,
                refused: &evidence.refused,
                concerned_on: self.concerned_on,
                today: view.rules.point.business_date,
            };
            evidence.pending = Some(waited.told());
        }
        evidence.looked_for = self.looked_for(check, &evidence, sources);
        evidence.remedy = self.remedy(check, &evidence);
        Ok(evidence)
    }

    /// What the judge said of one check.
    fn noted(&self, check: Check, notes: &[Note]) -> CheckEvidence {
        let division = self.of_employer.wage_class.is_none().then_some(self.of_employer.division.as_str());
        let mut evidence = CheckEvidence {
            check,
            code: self.verdict.codes.get(check),
            says: labels::code(check, &self.verdict.codes),
            sign: self.verdict.codes.sign(check),
            period: None,
            found: None,
            required: None,
            contract: None,
            old_enough_on: None,
            retires_on: None,
            waiting: None,
            due_on: None,
            pending: None,
            looked_for: None,
            rests_on: Vec::new(),
            passed_over: Vec::new(),
            contracts_passed_over: Vec::new(),
            refused: Vec::new(),
            basis: basis(check, self.month, self.policy, division),
            remedy: None,
        };
        let contract = |place: usize| self.case.facts.contracts.get(place).map(ContractEvidence::from);
        for note in notes {
            match note {
                Note::Sum(sum) => evidence.found = Some(*sum),
                Note::Standard(standard) => evidence.required = Some(*standard),
                Note::Period(period) => evidence.period = Some(*period),
                Note::Contract(place) => evidence.contract = contract(*place),
                Note::ContractPassedOver(place, why) => {
                    let passed_over = contract(*place).map(|contract| PassedOverContract {
                        why: *why,
                        because: why.said(),
                        contract,
                    });
                    evidence.contracts_passed_over.extend(passed_over);
                }
                Note::OldEnoughOn(day) => evidence.old_enough_on = Some(*day),
                Note::RetiresOn(day) => evidence.retires_on = Some(*day),
                Note::Waiting(waiting) => evidence.waiting = Some(*waiting),
                Note::RestsOn(_) | Note::PassedOver(..) => {}
            }
        }
        evidence
    }

    /// The unit whose record the check asks for, as it may be shown; the employer declared it.
    fn payer(&self, check: Check) -> String {
        let subject = &self.case.subject;
        let unit = match check {
            Check::Pension => subject.pension_payer,
            Check::Medical => subject.medical_payer,
            _ => subject.wage_payer,
        };
        self.units.code(unit).unwrap_or_default()
    }

    fn remedy(&self, check: Check, evidence: &CheckEvidence) -> Option<Remedy> {
        let payer = self.payer(check);
        let dispatch = self.case.subject.dispatch.and_then(|company| self.units.code(company));
        let certificate = evidence.rests_on.iter().find_map(|record| match record.says {
            records::Says::Certificate { certificate, .. } => Some::<CertificateKind>(certificate),
            _ => None,
        });
        let failure = Failure {
            month: self.month,
            period: evidence.period.unwrap_or(self.month),
            payer: &payer,
            found: evidence.found,
            required: evidence.required,
            certificate,
            dispatch: dispatch.as_deref(),
        };
        remedy(check, &self.verdict.codes, &failure)
    }

    /// What was looked for, where the code says that nothing was there.
    fn looked_for(&self, check: Check, evidence: &CheckEvidence, sources: Vec<SourceState>) -> Option<LookedFor> {
        let (code, month, payer) = (evidence.code, self.month, self.payer(check));
        let period = evidence.period.unwrap_or(month);
        let told = match (check, code) {
            (Check::Wage, "no_record") => Said::new(
                format!("a wage of the person for {period}, of unit {payer} or any other"),
                format!("该人员{period}的工资记录（{payer}或其他任何单位）"),
            ),
            (Check::Pension | Check::Medical, "no_record") => Said::new(
                format!(
                    "a contribution of the person for {period}, by unit {payer}, any other unit, an own account, or as a resident"
                ),
                format!("该人员{period}的缴费记录（{payer}、其他单位、个人账户或居民保险）"),
            ),
            (Check::Certificate, "none") => Said::new(
                "any certificate of the person that counts, of either kind",
                "该人员的任何可计入证件（残疾人证或残疾军人证）",
            ),
            (Check::Contract, "none" | "not_covered") => Said::new(
                format!(
                    "a contract entered for the placement of {} that is in force on some day of {month}",
                    month.year()
                ),
                format!("{}年度安置信息中{month}有效的合同", month.year()),
            ),
            (Check::Dispatch, "not_filed") => {
                let company =
                    self.case.subject.dispatch.and_then(|company| self.units.code(company)).unwrap_or_default();
                let province = self.case.terms.province;
                Said::new(
                    format!(
                        "a filing of {company} for province {province}, on {}",
                        self.view.rules.point.business_date
                    ),
                    format!("{company}在省级代码{province}的备案，{}有效", self.view.rules.point.business_date),
                )
            }
            _ => return None,
        };
        Some(LookedFor { told, period: evidence.period, sources })
    }
}
