//! 安置信息: a placement is registered, registered again, looked at, and deleted until the declaration is completed.

use std::collections::HashMap;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::double_claims::{Entered, months_of, tell_double_claims};
use super::{Outcome, Register, RegisterError, Removal};
use crate::declare::expected::Expected;
use crate::domain::access::Action;
use crate::domain::entry::{self, CountedBy, Education, Refusal, Warning};
use crate::domain::facts::{ContractKind, PersonId, RetirementTrack, UnitId};
use crate::domain::free_text::Reason;
use crate::domain::ids::{ResidentId, Sex, Uscc, normalise_name};
use crate::domain::money::Fen;
use crate::domain::month::Month;
use crate::domain::placement::{Affiliate, Entry};
use crate::store::details::{Detail, DetailOf};
use crate::store::entries::Placement;
use crate::store::people::{Identity, Named, person_index};
use crate::store::publish::Publish;

/// Whom it is about.
#[derive(Clone, Debug)]
pub enum Whom<'a> {
    /// Who matched in a look-up.
    Receipt(&'a str),
    /// Who is not found and is typed: pending until the register says who they are.
    Named { id: ResidentId, name: &'a str },
    /// Who is placed at the employer in that year already.
    Placed(PersonId),
}

/// A placement as it is to stand.
#[derive(Clone, Debug)]
pub struct PlacementForm<'a> {
    pub employer: UnitId,
    pub year: i16,
    pub whom: Whom<'a>,
    pub dispatched: bool,
    pub dispatch: Option<Uscc>,
    /// `None`: the employer, as for the other two.
    pub wage_payer: Option<Uscc>,
    pub pension_payer: Option<Uscc>,
    pub medical_payer: Option<Uscc>,
    /// `None`: the default of the sex.
    pub track: Option<RetirementTrack>,
    /// 学历信息: of graduates only.
    pub education: Option<Education>,
}

/// What came of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlacementEntered {
    #[serde(rename = "person_id")]
    pub person: PersonId,
    pub outcome: Outcome,
    #[serde(serialize_with = "told_warnings")]
    #[schemars(with = "Vec<String>")]
    pub warnings: Vec<Warning>,
    /// Months for which another employer may count the person as well.
    pub months_elsewhere: Vec<Month>,
}

/// A placement that is no longer entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlacementDeleted {
    #[serde(rename = "person_id")]
    pub person: PersonId,
    pub outcome: Removal,
}

/// Warnings as their codes.
pub(super) fn told_warnings<S: serde::Serializer>(warnings: &[Warning], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(warnings.iter().map(|warning| warning.code()))
}

/// A contract with its terms, as people look at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ContractView {
    pub kind: ContractKind,
    pub starts_on: NaiveDate,
    pub ends_on: Option<NaiveDate>,
    pub terminated_on: Option<NaiveDate>,
    #[serde(flatten)]
    pub terms: Terms,
}

/// What a contract says beside its days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
pub struct Terms {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_pay: Option<Fen>,
}

/// A placement with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlacementView {
    #[serde(rename = "person_id")]
    pub person: PersonId,
    pub dispatch_uscc: Option<Uscc>,
    pub wage_payer_uscc: Uscc,
    pub pension_payer_uscc: Uscc,
    pub medical_payer_uscc: Uscc,
    pub retirement_track: Option<RetirementTrack>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_by: Option<CountedBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub education: Option<Education>,
    pub contracts: Vec<ContractView>,
}

/// The person of a form, as far as the checks need them.
struct Candidate<'a> {
    known: Option<PersonId>,
    sex: Sex,
    typed: Option<(ResidentId, &'a str)>,
}

/// What the education was.
struct FormerEducation {
    changed: bool,
    former: Option<Education>,
}

impl Register<'_> {
    /// Registers a placement. Of a person who is placed at the employer in that year already, it is registered again (重新登记).
    pub async fn enter(&self, form: &PlacementForm<'_>) -> Result<PlacementEntered, RegisterError> {
        self.enter_over(form, Expected::Anything).await
    }

    /// As [`Register::enter`], only over what is expected to stand.
    pub async fn enter_over(
        &self,
        form: &PlacementForm<'_>,
        expected: Expected,
    ) -> Result<PlacementEntered, RegisterError> {
        let held = self.hold(form.employer, Action::Enter).await?;
        let mut publish = self.begin(&held, form.year).await?;
        let of_year = |placement: &Placement| placement.year == form.year;
        let placed: Vec<Placement> =
            publish.list_placements(&[form.employer]).await?.into_iter().filter(of_year).collect();
        let candidate = self.candidate(&mut publish, form, &placed).await?;
        let named = [form.dispatch, form.wage_payer, form.pension_payer, form.medical_payer];
        let codes: Vec<Uscc> = named.into_iter().flatten().chain([held.uscc]).collect();
        let units = publish.ensure_units(&codes).await?;
        let (terms, mut warnings) = self.checked(&mut publish, form, &candidate, &units).await?;
        let person = match (candidate.known, candidate.typed) {
            (Some(person), _) => person,
            (None, Some((id, name))) => {
                let persons = publish.ensure_persons(self.store, &[Named { id, name }]).await?;
                persons.get(&person_index(self.store.keys(), &id)).copied().ok_or(Refusal::NotPlaced)?
            }
            (None, None) => return Err(Refusal::NotPlaced.into()),
        };
        let before = placed.into_iter().find(|placement| placement.person == person);
        let after = Placement { person, ..terms };
        let saved = publish.save_placements(std::slice::from_ref(&after)).await?;
        let education = self.save_education(&mut publish, form, person).await?;
        let stood = before.as_ref().map(|before| self.fingerprint(&(before, &education.former))).transpose()?;
        expected.check(stood)?;
        if before.as_ref().is_some_and(|before| before.dispatch.is_some()) && after.dispatch.is_none() {
            publish.close_agreement(person, form.employer, form.year).await?;
        }
        let outcome = match (&before, saved.writes() || education.changed) {
            (None, _) => Outcome::New,
            (Some(_), true) => Outcome::Changed,
            (Some(_), false) => Outcome::Same,
        };
        if let Some((_, name)) = candidate.typed {
            // whoever is new has the name that was typed, and is not seen here before the end
            let kept = publish.beside().identities(&[person]).await?;
            let another = |kept: &Identity| normalise_name(&kept.name) != normalise_name(name);
            warnings.extend(kept.get(&person).filter(|kept| another(kept)).map(|_| Warning::AnotherName));
        }
        let mut entered = PlacementEntered { person, outcome, warnings, months_elsewhere: Vec::new() };
        if outcome == Outcome::Same {
            publish.abandon().await?;
            return Ok(entered);
        }
        let overlaps = tell_double_claims(&mut publish, &[Entered::of(&after)]).await?;
        entered.months_elsewhere = months_of(overlaps);
        let mut act = self.act(publish.at(), Action::Enter, held.placement(form.year, person));
        act.before = stood;
        act.after = Some(self.fingerprint(&(&after, &form.education))?);
        act.detail = serde_json::json!({ "outcome": outcome });
        publish.record(&act).await?;
        publish.answer(&entered).await?;
        publish.commit().await?;
        Ok(entered)
    }

    /// The fingerprint of a placement as it stands, by which a change of it says what it changes.
    pub async fn placement_state(
        &self,
        employer: UnitId,
        year: i16,
        person: PersonId,
    ) -> Result<Option<[u8; 32]>, RegisterError> {
        self.hold(employer, Action::ReadResults).await?;
        let placed = self.store.list_placements(&[employer]).await?;
        let Some(placement) = placed.into_iter().find(|one| one.person == person && one.year == year) else {
            return Ok(None);
        };
        let details = self.store.list_details(employer, year, Some(person)).await?;
        Ok(Some(self.fingerprint(&(&placement, &education_of(details)?))?))
    }

    async fn candidate<'b>(
        &self,
        publish: &mut Publish,
        form: &PlacementForm<'b>,
        placed: &[Placement],
    ) -> Result<Candidate<'b>, RegisterError> {
        let known = match form.whom {
            Whom::Named { id, name } => {
                let name = entry::text(name).map_err(|fault| Refusal::Text { field: "name", fault })?;
                return Ok(Candidate { known: None, sex: id.sex(), typed: Some((id, name)) });
            }
            Whom::Receipt(receipt) => {
                let at = publish.at();
                let unknown = Refusal::ReceiptUnknown(super::look_up::RECEIPT_MINUTES);
                self.receipt_holder(publish, form.employer, receipt, at).await?.ok_or(unknown)?
            }
            Whom::Placed(person) => {
                let placed = placed.iter().any(|placement| placement.person == person);
                Some(person).filter(|_| placed).ok_or(Refusal::NotPlaced)?
            }
        };
        let identity = publish.beside().identities(&[known]).await?.remove(&known).ok_or(Refusal::NotPlaced)?;
        Ok(Candidate { known: Some(known), sex: identity.id.sex(), typed: None })
    }

    /// The placement by the rules of entries, its person left open, or every reason against it.
    async fn checked(
        &self,
        publish: &mut Publish,
        form: &PlacementForm<'_>,
        candidate: &Candidate<'_>,
        units: &HashMap<Uscc, UnitId>,
    ) -> Result<(Placement, Vec<Warning>), RegisterError> {
        let affiliates: Vec<Affiliate> = (publish.list_affiliates(&[form.employer]).await?.into_iter())
            .filter(|affiliate| affiliate.year == form.year)
            .map(|affiliate| Affiliate { unit: affiliate.unit, relation: affiliate.relation })
            .collect();
        let unit = |code: Option<Uscc>| code.and_then(|code| units.get(&code).copied());
        let payer = |code: Option<Uscc>| unit(code).unwrap_or(form.employer);
        let entry = Entry {
            employer: form.employer,
            dispatched: form.dispatched,
            dispatch_company: unit(form.dispatch),
            wage_payer: payer(form.wage_payer),
            pension_payer: payer(form.pension_payer),
            medical_payer: payer(form.medical_payer),
            retirement_track: form.track,
            sex: candidate.sex,
            affiliates: &affiliates,
        };
        let mut refusals: Vec<Refusal> = Vec::new();
        let mut warnings: Vec<Warning> = Vec::new();
        match entry.check() {
            Ok(found) => warnings.extend(found.into_iter().map(Warning::Placement)),
            Err(found) => refusals.extend(found.into_iter().map(Refusal::Placement)),
        }
        refusals.extend(form.education.as_ref().and_then(|education| education.check(form.year).err()));
        if !refusals.is_empty() {
            return Err(RegisterError::Refused(refusals));
        }
        let placement = Placement {
            person: PersonId(0),
            employer: form.employer,
            year: form.year,
            dispatch: entry.dispatch_company,
            wage_payer: entry.wage_payer,
            pension_payer: entry.pension_payer,
            medical_payer: entry.medical_payer,
            track: form.track,
        };
        Ok((placement, warnings))
    }

    /// Saves the education, if it is another than before.
    async fn save_education(
        &self,
        publish: &mut Publish,
        form: &PlacementForm<'_>,
        person: PersonId,
    ) -> Result<FormerEducation, RegisterError> {
        let details = publish.list_details(self.store, form.employer, form.year, Some(person)).await?;
        let former = education_of(details)?;
        if former == form.education {
            return Ok(FormerEducation { changed: false, former });
        }
        match &form.education {
            Some(education) => {
                let detail = Detail { person, of: DetailOf::Education, content: serde_json::to_value(education)? };
                publish.save_details(self.store, form.employer, form.year, &[detail]).await?;
            }
            None => publish.close_details(person, form.employer, form.year, Some(DetailOf::Education)).await?,
        }
        Ok(FormerEducation { changed: true, former })
    }

    /// Deletes a placement with its contracts and ticked months. What was completed, and the audit, stay.
    pub async fn delete_placement(
        &self,
        employer: UnitId,
        year: i16,
        person: PersonId,
        why: &str,
    ) -> Result<PlacementDeleted, RegisterError> {
        let held = self.hold(employer, Action::DeletePlacement).await?;
        let why = Reason::parse(why)?.as_str();
        let mut publish = self.begin(&held, year).await?;
        let placed = publish.list_placements(&[employer]).await?;
        let before = placed.into_iter().find(|placement| placement.person == person && placement.year == year);
        let before = before.ok_or(Refusal::NotPlaced)?;
        let contracts = publish.list_contracts(employer, year, Some(person)).await?;
        publish.close_placement(person, employer, year).await?;
        let object = format!("placement {} {year} person {}", held.uscc, person.0);
        let mut act = self.act(publish.at(), Action::DeletePlacement, object);
        act.why = Some(why);
        act.before = Some(self.fingerprint(&(&before, &contracts))?);
        act.detail = serde_json::json!({ "contracts": contracts.len() });
        publish.record(&act).await?;
        let deleted = PlacementDeleted { person, outcome: Removal::Deleted };
        publish.answer(&deleted).await?;
        publish.commit().await?;
        Ok(deleted)
    }

    /// The placements of an employer's year, by person, or that of one person.
    pub async fn placements(
        &self,
        employer: UnitId,
        year: i16,
        person: Option<PersonId>,
    ) -> Result<Vec<PlacementView>, RegisterError> {
        self.hold(employer, Action::ReadResults).await?;
        let wanted = |placement: &Placement| placement.year == year && person.is_none_or(|one| placement.person == one);
        let placed: Vec<Placement> =
            self.store.list_placements(&[employer]).await?.into_iter().filter(wanted).collect();
        let units: Vec<UnitId> = placed.iter().flat_map(Placement::named_units).collect();
        let codes = self.store.unit_codes(&units).await?;
        let sides: HashMap<PersonId, CountedBy> = (self.store.list_agreements(employer, year).await?.into_iter())
            .map(|agreement| (agreement.person, agreement.counted_by))
            .collect();
        let mut educations: HashMap<PersonId, Education> = HashMap::new();
        let mut terms: HashMap<(PersonId, ContractKind, NaiveDate), Terms> = HashMap::new();
        for Detail { person, of, content } in self.store.list_details(employer, year, person).await? {
            match of {
                DetailOf::Education => {
                    educations.insert(person, serde_json::from_value(content)?);
                }
                DetailOf::Contract(kind, starts_on) => {
                    terms.insert((person, kind, starts_on), serde_json::from_value(content)?);
                }
            }
        }
        let mut contracts: HashMap<PersonId, Vec<ContractView>> = HashMap::new();
        for contract in self.store.list_contracts(employer, year, person).await? {
            let terms = terms.remove(&(contract.person, contract.kind, contract.starts_on)).unwrap_or_default();
            contracts.entry(contract.person).or_default().push(ContractView {
                kind: contract.kind,
                starts_on: contract.starts_on,
                ends_on: contract.ends_on,
                terminated_on: contract.terminated_on,
                terms,
            });
        }
        let view = |placement: &Placement| {
            Some(PlacementView {
                person: placement.person,
                dispatch_uscc: placement.dispatch.and_then(|unit| codes.get(&unit).copied()),
                wage_payer_uscc: *codes.get(&placement.wage_payer)?,
                pension_payer_uscc: *codes.get(&placement.pension_payer)?,
                medical_payer_uscc: *codes.get(&placement.medical_payer)?,
                retirement_track: placement.track,
                counted_by: sides.get(&placement.person).copied(),
                education: educations.remove(&placement.person),
                contracts: contracts.remove(&placement.person).unwrap_or_default(),
            })
        };
        Ok(placed.iter().filter_map(view).collect())
    }
}

fn education_of(details: Vec<Detail>) -> Result<Option<Education>, RegisterError> {
    let found = details.into_iter().find(|detail| detail.of == DetailOf::Education);
    Ok(found.map(|detail| serde_json::from_value(detail.content)).transpose()?)
}
