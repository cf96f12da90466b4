//! Who counts me: every employer with a placement of the person, or a claim on a month of theirs, month by month.

use std::collections::{BTreeMap, HashMap, HashSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Party, PersonActor, PersonError};
use crate::domain::facts::UnitId;
use crate::domain::money::Fen;
use crate::domain::month::Month;
use crate::domain::verdict::{Codes, Verdict};
use crate::store::Store;
use crate::store::person_months::{Counting, PublicUnit, WageSum};

/// A business year as the person sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    pub year: i32,
    pub employers: Vec<CountedAt>,
}

/// One employer, January first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CountedAt {
    pub employer: Party,
    /// It has a placement of the person; else only a claim stands.
    pub placed: bool,
    pub months: Vec<CountedMonth>,
}

/// One month at one employer.
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CountedMonth {
    pub month: Month,
    /// The employer wants to count it: by choice, or because it passes and nobody said otherwise.
    pub ticked: bool,
    /// It is in what the employer declared last, or in what the tax department holds or has before it.
    pub declared: bool,
    /// The tax department accepted it, and it is in force.
    pub accepted: bool,
    /// 1, or 2 for a severe disability: as declared, else as it is judged now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u8>,
    /// As they are stored; none where the placement was never judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Codes>,
    pub passed: bool,
    /// Another employer would count the month too.
    pub conflict: bool,
    /// What the unit that the placement names as the payer of wages reported for the month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wage: Option<Fen>,
    /// Every payer of whom a wage is reported for it.
    pub paid: Vec<Paid>,
}

/// A wage and who reported that they paid it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "WagePaid")]
pub struct Paid {
    pub payer: Party,
    pub amount: Fen,
}

/// The person's own months of a year; nobody else's are read.
pub async fn counts(store: &Store, own: &PersonActor, year: i32) -> Result<Counts, PersonError> {
    let person = own.person();
    let (counting, choices, wages) = tokio::try_join!(
        store.list_counting(person, year),
        store.list_choices_of(person, year),
        store.list_wages_of(person, year)
    )?;
    let units: Vec<UnitId> = wages.iter().map(|wage| wage.payer).collect();
    let known = Known { choices, wages, payers: store.public_units(&units).await? };
    let mut verdicts: HashMap<(UnitId, Month), Verdict> = HashMap::new();
    for row in store.year_rows(&store.scope_of(year, vec![person]).await?).await? {
        verdicts.extend(row.verdicts(year)?.into_iter().map(|(month, verdict)| ((row.employer, month), verdict)));
    }
    let mut employers = Vec::with_capacity(counting.len());
    for one in &counting {
        let declaration = store.find_declaration(one.employer, year as i16).await?;
        let in_force = declaration.version_in_force();
        let versions = declaration.claiming_versions();
        let mut declared: BTreeMap<Month, u8> = BTreeMap::new();
        let mut accepted = HashSet::new();
        // the last version is written over the earlier ones
        for (version, month, weight) in store.list_declared_of(person, one.employer, year, &versions).await? {
            declared.insert(month, weight);
            if in_force == Some(version) {
                accepted.insert(month);
            }
        }
        let months = Month::all_of(year).map(|month| {
            let verdict = verdicts.get(&(one.employer, month)).filter(|_| one.wage_payer.is_some());
            let declared_weight = declared.get(&month).copied();
            CountedMonth {
                month,
                ticked: known.is_ticked(one, month, verdict),
                declared: declared_weight.is_some(),
                accepted: accepted.contains(&month),
                weight: declared_weight.or(verdict.map(|verdict| verdict.weight)),
                checks: verdict.map(|verdict| verdict.codes),
                passed: verdict.is_some_and(Verdict::passed),
                conflict: verdict.is_some_and(|verdict| verdict.conflict),
                wage: known.wage_of(one, month),
                paid: known.paid(one, month),
            }
        });
        let name = Some(one.name.clone()).filter(|name| !name.is_empty());
        employers.push(CountedAt {
            employer: Party { uscc: one.uscc.to_string(), name },
            placed: one.wage_payer.is_some(),
            months: months.collect(),
        });
    }
    Ok(Counts { year, employers })
}

/// What is known of the person's months besides the verdicts.
struct Known {
    choices: HashMap<(UnitId, Month), bool>,
    wages: Vec<WageSum>,
    payers: HashMap<UnitId, PublicUnit>,
}

impl Known {
    fn is_ticked(&self, at: &Counting, month: Month, verdict: Option<&Verdict>) -> bool {
        let chosen = self.choices.get(&(at.employer, month)).copied();
        at.wage_payer.is_some() && chosen.unwrap_or_else(|| verdict.is_some_and(Verdict::passed))
    }

    /// Wages of the period in which the month's is reported.
    fn of_month(&self, at: &Counting, month: Month) -> impl Iterator<Item = &WageSum> {
        let period = month.plus(i32::from(at.wage_lag));
        self.wages.iter().filter(move |wage| wage.period == period)
    }

    fn wage_of(&self, at: &Counting, month: Month) -> Option<Fen> {
        self.of_month(at, month).find(|wage| Some(wage.payer) == at.wage_payer).map(|wage| wage.amount)
    }

    fn paid(&self, at: &Counting, month: Month) -> Vec<Paid> {
        let paid = self
            .of_month(at, month)
            .filter_map(|wage| Some(Paid { payer: Party::from(self.payers.get(&wage.payer)?), amount: wage.amount }));
        paid.collect()
    }
}
