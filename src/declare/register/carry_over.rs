//! 导入上一年名单: last year's placements go into the new year with all that still holds, in one step that can be repeated.
//!
//! What looks odd is carried with a warning, since the employer deletes more easily than it types; only what an entry rule
//! forbids is not carried.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use super::double_claims::{Entered, tell_double_claims};
use super::placement::told_warnings;
use super::{Register, RegisterError};
use crate::clock;
use crate::domain::access::Action;
use crate::domain::age::age_code;
use crate::domain::certificate::{WeightRules, in_force_on};
use crate::domain::entry::{Education, Refusal, Warning};
use crate::domain::facts::{Certificate, PersonId, RetirementTrack, UnitId};
use crate::domain::ids::ResidentId;
use crate::domain::month::Month;
use crate::domain::placement::{self, Entry};
use crate::domain::verdict::AgeCode;
use crate::store::agreements::Agreement;
use crate::store::details::{Detail, DetailOf};
use crate::store::entries::{Affiliate, ContractEntry, Placement};
use crate::store::publish::Publish;

/// What became of one person of last year's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Carrying {
    Carried,
    /// Placed in the new year before: left as it is.
    AlreadyThere,
    NotCarried,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CarriedPerson {
    #[serde(rename = "person_id")]
    pub person: PersonId,
    pub outcome: Carrying,
    /// Why it is not carried.
    #[serde(serialize_with = "told_refusals")]
    #[schemars(with = "Vec<String>")]
    pub refusals: Vec<Refusal>,
    #[serde(serialize_with = "told_warnings")]
    #[schemars(with = "Vec<String>")]
    pub warnings: Vec<Warning>,
    /// Contracts that run into the new year.
    pub contracts: usize,
}

/// Refusals as their codes.
fn told_refusals<S: serde::Serializer>(refusals: &[Refusal], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(refusals.iter().map(Refusal::code))
}

/// What carrying over did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CarriedOver {
    /// Affiliates that were not listed in the new year.
    pub affiliates: u64,
    /// By person.
    pub persons: Vec<CarriedPerson>,
}

impl CarriedOver {
    pub fn count(&self, outcome: Carrying) -> usize {
        self.persons.iter().filter(|person| person.outcome == outcome).count()
    }
}

/// Last year as it stands, and what the checks know of its persons.
struct LastYear {
    placements: Vec<Placement>,
    contracts: HashMap<PersonId, Vec<ContractEntry>>,
    details: Vec<Detail>,
    agreements: Vec<Agreement>,
    ids: HashMap<PersonId, ResidentId>,
    certificates: HashMap<PersonId, Vec<Certificate>>,
}

/// What is to be saved.
#[derive(Default)]
struct Plan {
    placements: Vec<Placement>,
    contracts: Vec<ContractEntry>,
    details: Vec<Detail>,
    agreements: Vec<Agreement>,
}

impl Register<'_> {
    /// Carries the placements of the year before into `year`, with dispatch, payers, tracks, running contracts, affiliates and
    /// education. The handler's contact stands anyway, and waits to be confirmed.
    pub async fn carry_over(&self, employer: UnitId, year: i16) -> Result<CarriedOver, RegisterError> {
        let held = self.hold(employer, Action::Enter).await?;
        let mut publish = self.begin(&held, year).await?;
        let today = clock::business_date(publish.at());
        let weights = self.policy.weights(today)?;
        let affiliates = carry_affiliates(&mut publish, employer, year).await?;
        let last = self.last_year(&mut publish, employer, year - 1).await?;
        let listed: Vec<placement::Affiliate> = (publish.list_affiliates(&[employer]).await?.into_iter())
            .filter(|affiliate| affiliate.year == year)
            .map(|affiliate| placement::Affiliate { unit: affiliate.unit, relation: affiliate.relation })
            .collect();
        let there: HashSet<PersonId> = (publish.list_placements(&[employer]).await?.into_iter())
            .filter(|placement| placement.year == year)
            .map(|placement| placement.person)
            .collect();
        let mut plan = Plan::default();
        let mut persons = Vec::with_capacity(last.placements.len());
        for former in &last.placements {
            let person = former.person;
            let mut carried = CarriedPerson {
                person,
                outcome: Carrying::AlreadyThere,
                refusals: Vec::new(),
                warnings: Vec::new(),
                contracts: 0,
            };
            if !there.contains(&person) {
                match self.check_carried(&last, former, year, &listed, today, weights)? {
                    Ok(warnings) => {
                        carried.outcome = Carrying::Carried;
                        carried.warnings = warnings;
                        carried.contracts = last.plan(former, year, &mut plan)?;
                    }
                    Err(refusals) => {
                        carried.outcome = Carrying::NotCarried;
                        carried.refusals = refusals;
                    }
                }
            }
            persons.push(carried);
        }
        let report = CarriedOver { affiliates, persons };
        if report.affiliates == 0 && plan.placements.is_empty() {
            publish.abandon().await?;
            return Ok(report);
        }
        publish.save_placements(&plan.placements).await?;
        publish.save_contracts(&plan.contracts).await?;
        publish.save_details(self.store, employer, year, &plan.details).await?;
        publish.save_agreements(&plan.agreements).await?;
        let entered: Vec<Entered> = plan.placements.iter().map(Entered::of).collect();
        tell_double_claims(&mut publish, &entered).await?;
        let mut act = self.act(publish.at(), Action::Enter, format!("carry-over {} {year}", held.uscc));
        act.after = Some(self.fingerprint(&(&plan.placements, &plan.contracts))?);
        act.detail = serde_json::json!({
            "affiliates": report.affiliates,
            "persons": plan.placements.iter().map(|placement| placement.person).collect::<Vec<_>>(),
            "contracts": plan.contracts.len(),
        });
        publish.record(&act).await?;
        publish.answer(&report).await?;
        publish.commit().await?;
        Ok(report)
    }

    async fn last_year(&self, publish: &mut Publish, employer: UnitId, year: i16) -> Result<LastYear, RegisterError> {
        let placements: Vec<Placement> =
            publish.list_placements(&[employer]).await?.into_iter().filter(|one| one.year == year).collect();
        let persons: Vec<PersonId> = placements.iter().map(|placement| placement.person).collect();
        let mut contracts: HashMap<PersonId, Vec<ContractEntry>> = HashMap::new();
        for contract in publish.list_contracts(employer, year, None).await? {
            contracts.entry(contract.person).or_default().push(contract);
        }
        let beside = publish.beside();
        let identities = beside.identities(&persons).await?;
        Ok(LastYear {
            placements,
            contracts,
            details: publish.list_details(self.store, employer, year, None).await?,
            agreements: publish.list_agreements(employer, year).await?,
            ids: identities.into_iter().map(|(person, identity)| (person, identity.id)).collect(),
            certificates: beside.certificates_of(&persons).await?,
        })
    }

    /// What is odd about the placement in the new year, or why it may not be entered.
    fn check_carried(
        &self,
        last: &LastYear,
        former: &Placement,
        year: i16,
        listed: &[placement::Affiliate],
        today: NaiveDate,
        weights: WeightRules,
    ) -> Result<Result<Vec<Warning>, Vec<Refusal>>, RegisterError> {
        let Some(id) = last.ids.get(&former.person) else { return Ok(Err(vec![Refusal::NotPlaced])) };
        let entry = Entry {
            employer: former.employer,
            dispatched: former.dispatch.is_some(),
            dispatch_company: former.dispatch,
            wage_payer: former.wage_payer,
            pension_payer: former.pension_payer,
            medical_payer: former.medical_payer,
            retirement_track: former.track,
            sex: id.sex(),
            affiliates: listed,
        };
        let mut warnings: Vec<Warning> = match entry.check() {
            Ok(found) => found.into_iter().map(Warning::Placement).collect(),
            Err(found) => return Ok(Err(found.into_iter().map(Refusal::Placement).collect())),
        };
        if last.running(former.person, year).next().is_none() {
            warnings.push(Warning::NoContractRunsOn(year));
        }
        if self.is_over_age(id, entry.track(), year)? {
            warnings.push(Warning::OverAge(year));
        }
        let held = last.certificates.get(&former.person).map_or(&[][..], Vec::as_slice);
        if in_force_on(held, today, weights).is_none() {
            warnings.push(Warning::NoCertificateToday);
        }
        Ok(Ok(warnings))
    }

    fn is_over_age(&self, id: &ResidentId, track: RetirementTrack, year: i16) -> Result<bool, RegisterError> {
        for month in Month::all_of(i32::from(year)) {
            let rules = self.policy.month_rules(month)?;
            if age_code(id.birth_date(), track, month, &rules.retirement, rules.minimum_age_years) != AgeCode::OverAge {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl LastYear {
    /// Contracts of the person that bind on some day of `year` or later.
    fn running(&self, person: PersonId, year: i16) -> impl Iterator<Item = &ContractEntry> {
        let new_year = NaiveDate::from_ymd_opt(i32::from(year), 1, 1).unwrap_or(NaiveDate::MAX);
        let contracts = self.contracts.get(&person).map_or(&[][..], Vec::as_slice);
        contracts.iter().filter(move |one| one.contract().last_day().is_none_or(|last| last >= new_year))
    }

    /// Puts down the placement with what belongs to it in the new year; how many contracts run on.
    fn plan(&self, former: &Placement, year: i16, plan: &mut Plan) -> Result<usize, RegisterError> {
        let person = former.person;
        plan.placements.push(Placement { year, ..former.clone() });
        let running: Vec<&ContractEntry> = self.running(person, year).collect();
        plan.contracts.extend(running.iter().map(|contract| ContractEntry { year, ..(*contract).clone() }));
        for detail in self.details.iter().filter(|detail| detail.person == person) {
            let holds = match detail.of {
                DetailOf::Education => {
                    let education: Education = serde_json::from_value(detail.content.clone())?;
                    education.check(year).is_ok()
                }
                DetailOf::Contract(kind, starts_on) => {
                    running.iter().any(|contract| contract.kind == kind && contract.starts_on == starts_on)
                }
            };
            if holds {
                plan.details.push(detail.clone());
            }
        }
        let agreement = self.agreements.iter().find(|agreement| agreement.person == person);
        plan.agreements.extend(agreement.map(|agreement| Agreement { year, ..*agreement }));
        Ok(running.len())
    }
}

/// Lists last year's affiliates in the new one; those that are listed there stay as they are.
async fn carry_affiliates(publish: &mut Publish, employer: UnitId, year: i16) -> Result<u64, RegisterError> {
    let listed = publish.list_affiliates(&[employer]).await?;
    let there: HashSet<UnitId> = listed.iter().filter(|one| one.year == year).map(|one| one.unit).collect();
    let missing: Vec<Affiliate> = (listed.into_iter())
        .filter(|affiliate| affiliate.year == year - 1 && !there.contains(&affiliate.unit))
        .map(|affiliate| Affiliate { year, ..affiliate })
        .collect();
    if missing.is_empty() {
        return Ok(0);
    }
    let units: Vec<UnitId> = missing.iter().map(|affiliate| affiliate.unit).collect();
    publish.save_affiliates(&missing).await?;
    publish.carry_affiliate_addresses(employer, year, &units).await?;
    Ok(missing.len() as u64)
}
