//! 合同管理: contracts of a placement, added, changed, terminated and deleted while the declaration is open.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::double_claims::{Entered, months_of, tell_double_claims};
use super::placement::{Terms, told_warnings};
use super::{EmployerEntry, Outcome, Register, RegisterError, Removal, Step};
use crate::domain::access::Action;
use crate::domain::entry::{self, CountedBy, Refusal, Warning, contract_faults, contract_warnings};
use crate::domain::facts::{Contract, ContractKind, PersonId, UnitId};
use crate::domain::free_text::Reason;
use crate::domain::money::Fen;
use crate::domain::month::Month;
use crate::store::agreements::Agreement;
use crate::store::details::{Detail, DetailOf};
use crate::store::entries::{ContractEntry, Placement};
use crate::store::publish::Publish;

/// Which contract: of a kind, one begins on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractKey {
    pub employer: UnitId,
    pub year: i16,
    pub person: PersonId,
    pub kind: ContractKind,
    pub starts_on: NaiveDate,
}

/// A contract as it is to stand.
#[derive(Clone, Debug)]
pub struct ContractForm {
    pub key: ContractKey,
    pub ends_on: Option<NaiveDate>,
    pub terminated_on: Option<NaiveDate>,
    pub terms: Terms,
    /// Of a dispatched person: the side that the dispatch agreement names. `None` leaves what was entered.
    pub counted_by: Option<CountedBy>,
}

/// What came of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ContractEntered {
    pub outcome: Outcome,
    #[serde(serialize_with = "told_warnings")]
    #[schemars(with = "Vec<String>")]
    pub warnings: Vec<Warning>,
    /// Months for which another employer may count the person as well.
    pub months_elsewhere: Vec<Month>,
}

/// A contract that is no longer entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ContractDeleted {
    pub outcome: Removal,
}

/// What stands of a contract before it changes.
struct Standing {
    placement: Placement,
    contract: Option<ContractEntry>,
    terms: Terms,
    counted_by: Option<CountedBy>,
}

impl ContractForm {
    fn contract(&self) -> Contract {
        let ContractKey { kind, starts_on, .. } = self.key;
        Contract { kind, starts_on, ends_on: self.ends_on, terminated_on: self.terminated_on }
    }

    fn faults(&self, dispatched: bool) -> Vec<Refusal> {
        let mut faults = contract_faults(&self.contract());
        if let Some(post) = &self.terms.post {
            faults.extend(entry::text(post).err().map(|fault| Refusal::Text { field: "post", fault }));
        }
        match (self.terms.monthly_pay, self.key.kind) {
            (Some(_), ContractKind::Establishment) => faults.push(Refusal::PayNotExpected),
            (Some(pay), ContractKind::Labour) if pay < Fen(0) => faults.push(Refusal::NegativePay),
            _ => {}
        }
        if self.counted_by.is_some() && !dispatched {
            faults.push(Refusal::AgreementNotExpected);
        }
        faults
    }
}

impl Register<'_> {
    /// Adds a contract, or changes the one of its kind that begins on its day.
    pub async fn save_contract(&self, form: &ContractForm, step: Step) -> Result<ContractEntered, RegisterError> {
        let held = self.hold(form.key.employer, Action::Enter).await?;
        let mut publish = self.begin(&held, form.key.year).await?;
        let before = self.standing(&mut publish, &form.key).await?;
        self.save_over(&held, publish, before, form, step).await
    }

    /// As [`Register::save_contract`], over what stands.
    async fn save_over(
        &self,
        held: &EmployerEntry,
        mut publish: Publish,
        before: Standing,
        form: &ContractForm,
        step: Step,
    ) -> Result<ContractEntered, RegisterError> {
        let ContractKey { employer, year, person, kind, starts_on } = form.key;
        let stood = self.state(&before)?;
        step.expected().check(stood)?;
        let dispatched = before.placement.dispatch.is_some();
        let mut refusals = form.faults(dispatched);
        match (step, &before.contract) {
            (Step::Add, Some(_)) => refusals.push(Refusal::ContractEntered),
            (Step::Change, None) => refusals.push(Refusal::ContractNotEntered),
            _ => {}
        }
        if !refusals.is_empty() {
            return Err(RegisterError::Refused(refusals));
        }
        let counted_by = form.counted_by.or(before.counted_by);
        let mut warnings = contract_warnings(&form.contract(), dispatched);
        if dispatched && counted_by.is_none() {
            warnings.push(Warning::AgreementMissing);
        }
        let after = ContractEntry {
            person,
            employer,
            year,
            kind,
            starts_on,
            ends_on: form.ends_on,
            terminated_on: form.terminated_on,
        };
        let saved = publish.save_contracts(std::slice::from_ref(&after)).await?;
        if form.terms != before.terms {
            self.save_terms(&mut publish, form).await?;
        }
        if let (Some(counted_by), true) = (counted_by, counted_by != before.counted_by) {
            publish.save_agreements(&[Agreement { person, employer, year, counted_by }]).await?;
        }
        if !saved.writes() && form.terms == before.terms && counted_by == before.counted_by {
            publish.abandon().await?;
            return Ok(ContractEntered { outcome: Outcome::Same, warnings, months_elsewhere: Vec::new() });
        }
        let overlaps = tell_double_claims(&mut publish, &[Entered::of_contract(&after)]).await?;
        let outcome = if before.contract.is_none() { Outcome::New } else { Outcome::Changed };
        let mut act = self.act(publish.at(), Action::Enter, object(held, &form.key));
        act.before = stood;
        act.after = Some(self.fingerprint(&(&after, &form.terms, counted_by))?);
        act.detail = serde_json::json!({ "outcome": outcome });
        publish.record(&act).await?;
        let entered = ContractEntered { outcome, warnings, months_elsewhere: months_of(overlaps) };
        publish.answer(&entered).await?;
        publish.commit().await?;
        Ok(entered)
    }

    /// The fingerprint of a contract as it stands, with its terms and the side that counts the person.
    pub async fn contract_state(&self, key: &ContractKey) -> Result<Option<[u8; 32]>, RegisterError> {
        self.hold(key.employer, Action::ReadResults).await?;
        let contracts = self.store.list_contracts(key.employer, key.year, Some(key.person)).await?;
        let contract = contracts.into_iter().find(|one| one.kind == key.kind && one.starts_on == key.starts_on);
        let Some(contract) = contract else { return Ok(None) };
        let details = self.store.list_details(key.employer, key.year, Some(key.person)).await?;
        let agreements = self.store.list_agreements(key.employer, key.year).await?;
        let counted_by = agreements.into_iter().find(|one| one.person == key.person).map(|one| one.counted_by);
        Ok(Some(self.fingerprint(&(&contract, &terms_of(details, key)?, counted_by))?))
    }

    fn state(&self, standing: &Standing) -> Result<Option<[u8; 32]>, RegisterError> {
        let contract = standing.contract.as_ref().map(|contract| (contract, &standing.terms, standing.counted_by));
        contract.map(|contract| self.fingerprint(&contract)).transpose()
    }

    /// Says that a contract ended on a day, before its end or without one.
    pub async fn terminate_contract(
        &self,
        key: &ContractKey,
        terminated_on: NaiveDate,
    ) -> Result<ContractEntered, RegisterError> {
        let held = self.hold(key.employer, Action::Enter).await?;
        let mut publish = self.begin(&held, key.year).await?;
        // what else it says stays as it stands now, whoever changed it last
        let before = self.standing(&mut publish, key).await?;
        let form = ContractForm {
            key: *key,
            ends_on: before.contract.as_ref().and_then(|contract| contract.ends_on),
            terminated_on: Some(terminated_on),
            terms: before.terms.clone(),
            counted_by: None,
        };
        self.save_over(&held, publish, before, &form, Step::Change).await
    }

    /// Takes a contract out of force with its terms.
    pub async fn delete_contract(&self, key: &ContractKey, why: &str) -> Result<ContractDeleted, RegisterError> {
        let held = self.hold(key.employer, Action::Enter).await?;
        let why = Reason::parse(why)?.as_str();
        let mut publish = self.begin(&held, key.year).await?;
        let before = self.standing(&mut publish, key).await?;
        let contract = before.contract.ok_or(Refusal::ContractNotEntered)?;
        publish.close_contract(&contract).await?;
        let of = DetailOf::Contract(key.kind, key.starts_on);
        publish.close_details(key.person, key.employer, key.year, Some(of)).await?;
        let mut act = self.act(publish.at(), Action::Enter, object(&held, key));
        act.why = Some(why);
        act.before = Some(self.fingerprint(&(&contract, &before.terms, before.counted_by))?);
        act.detail = serde_json::json!({ "outcome": "deleted" });
        publish.record(&act).await?;
        let deleted = ContractDeleted { outcome: Removal::Deleted };
        publish.answer(&deleted).await?;
        publish.commit().await?;
        Ok(deleted)
    }

    async fn standing(&self, publish: &mut Publish, key: &ContractKey) -> Result<Standing, RegisterError> {
        let placed = publish.list_placements(&[key.employer]).await?;
        let of_key = |placement: &Placement| placement.person == key.person && placement.year == key.year;
        let placement = placed.into_iter().find(of_key).ok_or(Refusal::NotPlaced)?;
        let contracts = publish.list_contracts(key.employer, key.year, Some(key.person)).await?;
        let contract = contracts.into_iter().find(|one| one.kind == key.kind && one.starts_on == key.starts_on);
        let details = publish.list_details(self.store, key.employer, key.year, Some(key.person)).await?;
        let agreements = publish.list_agreements(key.employer, key.year).await?;
        let agreement = agreements.into_iter().find(|agreement| agreement.person == key.person);
        let counted_by = agreement.map(|agreement| agreement.counted_by);
        Ok(Standing { placement, contract, terms: terms_of(details, key)?, counted_by })
    }

    async fn save_terms(&self, publish: &mut Publish, form: &ContractForm) -> Result<(), RegisterError> {
        let ContractKey { employer, year, person, kind, starts_on } = form.key;
        let of = DetailOf::Contract(kind, starts_on);
        if form.terms == Terms::default() {
            publish.close_details(person, employer, year, Some(of)).await?;
        } else {
            let detail = Detail { person, of, content: serde_json::to_value(&form.terms)? };
            publish.save_details(self.store, employer, year, &[detail]).await?;
        }
        Ok(())
    }
}

fn terms_of(details: Vec<Detail>, key: &ContractKey) -> Result<Terms, RegisterError> {
    let of = DetailOf::Contract(key.kind, key.starts_on);
    let detail = details.into_iter().find(|detail| detail.of == of);
    Ok(detail.map(|detail| serde_json::from_value(detail.content)).transpose()?.unwrap_or_default())
}

fn object(held: &EmployerEntry, key: &ContractKey) -> String {
    let ContractKey { year, person, kind, starts_on, .. } = key;
    format!("contract {} {year} person {} {kind} {starts_on}", held.uscc, person.0)
}
