//! 关联单位: affiliates and dispatch companies of an employer's year; once a placement uses one, code and relation stay.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::placement::told_warnings;
use super::{Outcome, Register, RegisterError, Removal, Step};
use crate::domain::access::Action;
use crate::domain::entry::{self, Refusal, Warning, check_relation, is_phone};
use crate::domain::facts::{PersonId, Relation, UnitId};
use crate::domain::free_text::Reason;
use crate::domain::ids::Uscc;
use crate::store::contacts::AffiliateAddress;
use crate::store::entries::{Affiliate, Placement};
use crate::store::publish::Publish;

/// An affiliate as it is to stand.
#[derive(Clone, Debug)]
pub struct AffiliateForm {
    pub employer: UnitId,
    pub year: i16,
    pub unit: Uscc,
    pub name: String,
    pub relation: Relation,
    pub address: AffiliateAddress,
}

/// What came of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AffiliateEntered {
    pub outcome: Outcome,
    #[serde(serialize_with = "told_warnings")]
    #[schemars(with = "Vec<String>")]
    pub warnings: Vec<Warning>,
}

/// A unit that is no longer listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AffiliateDeleted {
    pub unit_uscc: Uscc,
    pub outcome: Removal,
}

/// An affiliate as people look at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AffiliateView {
    pub unit_uscc: Uscc,
    pub unit_name: String,
    pub relation: Relation,
    #[serde(flatten)]
    pub address: AffiliateAddress,
    /// Placements of the year that name it: then code and relation are frozen.
    pub used_by: usize,
}

impl AffiliateForm {
    fn faults(&self, own: Uscc) -> Vec<Refusal> {
        let mut faults: Vec<Refusal> = Vec::new();
        faults.extend(entry::text(&self.name).err().map(|fault| Refusal::Text { field: "unit_name", fault }));
        if self.unit == own {
            faults.push(Refusal::OwnEmployer);
        }
        if let Some(address) = &self.address.address {
            faults.extend(entry::text(address).err().map(|fault| Refusal::Text { field: "address", fault }));
        }
        if self.address.phone.as_deref().is_some_and(|phone| !is_phone(phone)) {
            faults.push(Refusal::Phone);
        }
        faults
    }
}

impl Register<'_> {
    /// Lists an affiliate, or changes the one that is listed.
    pub async fn save_affiliate(&self, form: &AffiliateForm, step: Step) -> Result<AffiliateEntered, RegisterError> {
        let AffiliateForm { employer, year, .. } = *form;
        let held = self.hold(employer, Action::Enter).await?;
        let mut publish = self.begin(&held, year).await?;
        let mut refusals = form.faults(held.uscc);
        let unit = *publish.ensure_units(&[form.unit]).await?.get(&form.unit).ok_or(Refusal::AffiliateNotListed)?;
        let before = find_affiliate(&mut publish, employer, year, unit).await?;
        let former = publish.affiliate_addresses(employer, year).await?.remove(&unit).unwrap_or_default();
        let stood = before.as_ref().map(|before| self.fingerprint(&(before, &former))).transpose()?;
        step.expected().check(stood)?;
        let users = users(&mut publish, employer, year, unit).await?;
        match (step, &before) {
            (Step::Add, Some(_)) => refusals.push(Refusal::AffiliateListed),
            (Step::Change, None) => refusals.push(Refusal::AffiliateNotListed),
            (Step::Change | Step::Save(_), Some(listed)) => {
                refusals.extend(check_relation(listed.relation, form.relation, !users.is_empty()).err());
            }
            (Step::Add | Step::Save(_), None) => {}
        }
        if !refusals.is_empty() {
            return Err(RegisterError::Refused(refusals));
        }
        let fits = form.unit.subject_check_fits();
        let warnings = if fits { Vec::new() } else { vec![Warning::SubjectCheck] };
        let name = form.name.trim().to_owned();
        let after = Affiliate { employer, year, unit, name, relation: form.relation };
        let saved = publish.save_affiliates(std::slice::from_ref(&after)).await?;
        if !saved.writes() && former == form.address {
            publish.abandon().await?;
            return Ok(AffiliateEntered { outcome: Outcome::Same, warnings });
        }
        publish.save_affiliate_address(employer, year, unit, &form.address).await?;
        let outcome = if before.is_none() { Outcome::New } else { Outcome::Changed };
        let object = format!("affiliate {} {year} {}", held.uscc, form.unit);
        let mut act = self.act(publish.at(), Action::Enter, object);
        act.before = stood;
        act.after = Some(self.fingerprint(&(&after, &form.address))?);
        act.detail = serde_json::json!({ "outcome": outcome });
        publish.record(&act).await?;
        let entered = AffiliateEntered { outcome, warnings };
        publish.answer(&entered).await?;
        publish.commit().await?;
        Ok(entered)
    }

    /// The fingerprint of an affiliate as it is listed, with how it is reached.
    pub async fn affiliate_state(
        &self,
        employer: UnitId,
        year: i16,
        code: Uscc,
    ) -> Result<Option<[u8; 32]>, RegisterError> {
        self.hold(employer, Action::ReadResults).await?;
        let Some(unit) = self.store.find_unit(&code).await? else { return Ok(None) };
        let listed = self.store.list_affiliates(&[employer]).await?;
        let Some(listed) = listed.into_iter().find(|one| one.year == year && one.unit == unit) else { return Ok(None) };
        let address = self.store.affiliate_addresses(employer, year).await?.remove(&unit).unwrap_or_default();
        Ok(Some(self.fingerprint(&(&listed, &address))?))
    }

    /// Takes an affiliate off the list; refused, with the placements, where any uses it.
    pub async fn delete_affiliate(
        &self,
        employer: UnitId,
        year: i16,
        code: Uscc,
        why: &str,
    ) -> Result<AffiliateDeleted, RegisterError> {
        let held = self.hold(employer, Action::Enter).await?;
        let why = Reason::parse(why)?.as_str();
        let mut publish = self.begin(&held, year).await?;
        let unit = publish.find_units(&[code]).await?.remove(&code).ok_or(Refusal::AffiliateNotListed)?;
        let before = find_affiliate(&mut publish, employer, year, unit).await?.ok_or(Refusal::AffiliateNotListed)?;
        let users = users(&mut publish, employer, year, unit).await?;
        if !users.is_empty() {
            return Err(Refusal::AffiliateUsed(users).into());
        }
        let address = publish.affiliate_addresses(employer, year).await?.remove(&unit).unwrap_or_default();
        publish.close_affiliate(employer, year, unit).await?;
        let object = format!("affiliate {} {year} {code}", held.uscc);
        let mut act = self.act(publish.at(), Action::Enter, object);
        act.why = Some(why);
        act.before = Some(self.fingerprint(&(&before, &address))?);
        act.detail = serde_json::json!({ "outcome": "deleted" });
        publish.record(&act).await?;
        let deleted = AffiliateDeleted { unit_uscc: code, outcome: Removal::Deleted };
        publish.answer(&deleted).await?;
        publish.commit().await?;
        Ok(deleted)
    }

    /// The affiliates of an employer's year.
    pub async fn affiliates(&self, employer: UnitId, year: i16) -> Result<Vec<AffiliateView>, RegisterError> {
        self.hold(employer, Action::ReadResults).await?;
        let listed = self.store.list_affiliates(&[employer]).await?;
        let listed: Vec<Affiliate> = listed.into_iter().filter(|affiliate| affiliate.year == year).collect();
        let units: Vec<UnitId> = listed.iter().map(|affiliate| affiliate.unit).collect();
        let codes = self.store.unit_codes(&units).await?;
        let mut addresses = self.store.affiliate_addresses(employer, year).await?;
        let mut used: HashMap<UnitId, usize> = HashMap::new();
        for placement in self.store.list_placements(&[employer]).await?.iter().filter(|one| one.year == year) {
            let mut named: Vec<UnitId> = placement.named_units().collect();
            named.sort_unstable();
            named.dedup();
            for unit in named {
                *used.entry(unit).or_default() += 1;
            }
        }
        let view = |affiliate: Affiliate| {
            Some(AffiliateView {
                unit_uscc: *codes.get(&affiliate.unit)?,
                unit_name: affiliate.name,
                relation: affiliate.relation,
                address: addresses.remove(&affiliate.unit).unwrap_or_default(),
                used_by: used.get(&affiliate.unit).copied().unwrap_or_default(),
            })
        };
        Ok(listed.into_iter().filter_map(view).collect())
    }
}

async fn find_affiliate(
    publish: &mut Publish,
    employer: UnitId,
    year: i16,
    unit: UnitId,
) -> Result<Option<Affiliate>, RegisterError> {
    let listed = publish.list_affiliates(&[employer]).await?;
    Ok(listed.into_iter().find(|affiliate| affiliate.year == year && affiliate.unit == unit))
}

/// Who is placed in the year by a placement that names the unit.
async fn users(
    publish: &mut Publish,
    employer: UnitId,
    year: i16,
    unit: UnitId,
) -> Result<Vec<PersonId>, RegisterError> {
    let placed = publish.list_placements(&[employer]).await?;
    let uses = |placement: &&Placement| placement.year == year && placement.named_units().any(|named| named == unit);
    Ok(placed.iter().filter(uses).map(|placement| placement.person).collect())
}
