//! 单位基本信息: who handles an employer's declarations, its three jurisdictions, and that both still hold in a new year.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Done, Outcome, Register, RegisterError};
use crate::declare::expected::Expected;
use crate::domain::access::Action;
use crate::domain::entry::{Contact, Refusal};
use crate::domain::facts::{EmployerKind, UnitId};
use crate::domain::ids::{Uscc, mask_name};
use crate::store::contacts::Confirmation;
use crate::store::entries::Employer;
use crate::store::publish::Cause;

/// The three jurisdictions, six digits each: 行政所属区, 残联主管部门, 税务主管部门.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Jurisdictions {
    pub division: String,
    pub federation_division: String,
    pub tax_division: String,
}

/// An employer's own data as they stand for a year.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EmployerView {
    pub uscc: Uscc,
    pub name: String,
    pub kind: EmployerKind,
    #[serde(flatten)]
    pub jurisdictions: Jurisdictions,
    pub contact: Option<Contact>,
    pub year: i16,
    /// `None`: what stands is that of the year before, and waits for its confirmation.
    pub confirmed: Option<Confirmation>,
}

impl EmployerView {
    /// As it may be shown to whoever does not ask to reveal it.
    #[must_use]
    pub fn masked(self) -> Self {
        let contact = self.contact.map(|contact| Contact {
            handler: mask_name(&contact.handler),
            phone: last_four(&contact.phone),
            address: contact.address.chars().take(6).chain("*".chars()).collect(),
            email: contact
                .email
                .map(|email| email.split_once('@').map_or_else(String::new, |(_, host)| format!("*@{host}"))),
        });
        Self { contact, ..self }
    }
}

fn last_four(phone: &str) -> String {
    let length = phone.chars().count();
    let shown = phone.chars().skip(length.saturating_sub(4));
    std::iter::repeat_n('*', length.saturating_sub(4)).chain(shown).collect()
}

impl Jurisdictions {
    fn of(employer: &Employer) -> Self {
        Self {
            division: employer.division.clone(),
            federation_division: employer.federation_division.clone(),
            tax_division: employer.tax_division.clone(),
        }
    }

    fn faults(&self) -> Vec<Refusal> {
        let six = |code: &str| code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit());
        let fields = [
            ("division", &self.division),
            ("federation_division", &self.federation_division),
            ("tax_division", &self.tax_division),
        ];
        fields.into_iter().filter(|(_, code)| !six(code)).map(|(field, _)| Refusal::Division { field }).collect()
    }
}

impl Register<'_> {
    /// Enters who handles the employer's declarations.
    pub async fn save_contact(&self, employer: UnitId, contact: &Contact) -> Result<Outcome, RegisterError> {
        self.save_contact_over(employer, contact, Expected::Anything).await
    }

    /// As [`Register::save_contact`], only over what is expected to stand.
    pub async fn save_contact_over(
        &self,
        employer: UnitId,
        contact: &Contact,
        expected: Expected,
    ) -> Result<Outcome, RegisterError> {
        let held = self.hold(employer, Action::Enter).await?;
        let faults = contact.faults();
        if !faults.is_empty() {
            return Err(RegisterError::Refused(faults));
        }
        let at = self.store.now().await?;
        let mut change = self.store.change().await?;
        let before = change.lock_contact(self.store, employer).await?;
        let stood = before.as_ref().map(|before| self.fingerprint(before)).transpose()?;
        expected.check(stood)?;
        if before.as_ref() == Some(contact) {
            change.abandon().await?;
            return Ok(Outcome::Same);
        }
        change.save_contact(self.store, employer, contact, at).await?;
        let outcome = if before.is_none() { Outcome::New } else { Outcome::Changed };
        let mut act = self.act(at, Action::Enter, format!("contact {}", held.uscc));
        act.before = stood;
        act.after = Some(self.fingerprint(contact)?);
        act.detail = serde_json::json!({ "outcome": outcome });
        change.record(&act).await?;
        change.answer(&Done { outcome }).await?;
        change.commit().await?;
        Ok(outcome)
    }

    /// The fingerprint of the contact as it stands.
    pub async fn contact_state(&self, employer: UnitId) -> Result<Option<[u8; 32]>, RegisterError> {
        self.hold(employer, Action::ReadResults).await?;
        self.store.find_contact(employer).await?.map(|contact| self.fingerprint(&contact)).transpose()
    }

    /// The fingerprint of the employer as it is entered, jurisdictions and all.
    pub async fn employer_state(&self, employer: UnitId) -> Result<[u8; 32], RegisterError> {
        let held = self.hold(employer, Action::ReadResults).await?;
        self.fingerprint(&held.employer)
    }

    /// Changes the jurisdictions; the employer keeps a division whose wage class is known, or a class of its own.
    pub async fn change_jurisdictions(
        &self,
        employer: UnitId,
        wanted: &Jurisdictions,
    ) -> Result<Outcome, RegisterError> {
        self.change_jurisdictions_over(employer, wanted, Expected::Anything).await
    }

    /// As [`Register::change_jurisdictions`], only over what is expected to stand.
    pub async fn change_jurisdictions_over(
        &self,
        employer: UnitId,
        wanted: &Jurisdictions,
        expected: Expected,
    ) -> Result<Outcome, RegisterError> {
        let held = self.hold(employer, Action::Enter).await?;
        let mut faults = wanted.faults();
        if faults.is_empty() && held.employer.wage_class.is_none() && self.policy.class_of(&wanted.division).is_none() {
            faults.push(Refusal::NoWageClass);
        }
        if !faults.is_empty() {
            return Err(RegisterError::Refused(faults));
        }
        let mut publish = self.store.publish(Cause::Entry, self.store.now().await?).await?;
        let before = publish.list_employers(&[employer]).await?.into_iter().next().unwrap_or(held.employer);
        let stood = self.fingerprint(&before)?;
        expected.check(Some(stood))?;
        let Jurisdictions { division, federation_division, tax_division } = wanted.clone();
        let after = Employer { division, federation_division, tax_division, ..before.clone() };
        if !publish.save_employers(std::slice::from_ref(&after)).await?.writes() {
            publish.abandon().await?;
            return Ok(Outcome::Same);
        }
        let mut act = self.act(publish.at(), Action::Enter, format!("employer {}", held.uscc));
        act.before = Some(stood);
        act.after = Some(self.fingerprint(&after)?);
        act.detail = serde_json::json!({ "before": Jurisdictions::of(&before), "after": wanted });
        publish.record(&act).await?;
        publish.answer(&Done { outcome: Outcome::Changed }).await?;
        publish.commit().await?;
        Ok(Outcome::Changed)
    }

    /// Says that what is entered of the employer holds for the year.
    pub async fn confirm_employer(&self, employer: UnitId, year: i16) -> Result<Outcome, RegisterError> {
        let held = self.hold(employer, Action::Enter).await?;
        let at = self.store.now().await?;
        self.years(at).check(year)?;
        let mut change = self.store.change().await?;
        let contact = change.lock_contact(self.store, employer).await?.ok_or(Refusal::ContactMissing)?;
        if !change.confirm_employer(employer, year, &self.actor.name, at).await? {
            change.abandon().await?;
            return Ok(Outcome::Same);
        }
        let mut act = self.act(at, Action::Enter, format!("employer {} {year}", held.uscc));
        act.after = Some(self.fingerprint(&(&contact, &Jurisdictions::of(&held.employer)))?);
        act.detail = serde_json::json!({ "outcome": "confirmed" });
        change.record(&act).await?;
        change.answer(&Done { outcome: Outcome::New }).await?;
        change.commit().await?;
        Ok(Outcome::New)
    }

    /// The employer's own data. Masking the contact is the caller's duty.
    pub async fn employer(&self, employer: UnitId, year: i16) -> Result<EmployerView, RegisterError> {
        let held = self.hold(employer, Action::ReadResults).await?;
        Ok(EmployerView {
            uscc: held.uscc,
            jurisdictions: Jurisdictions::of(&held.employer),
            name: held.employer.name,
            kind: held.employer.kind,
            contact: self.store.find_contact(employer).await?,
            year,
            confirmed: self.store.find_confirmation(employer, year).await?,
        })
    }
}
