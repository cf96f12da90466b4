//! The employer that a path names, by its unified social credit code.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::declare::Declaring;
use crate::declare::register::contract::ContractKey;
use crate::domain::access::{Action, Actor, Denied};
use crate::domain::facts::{ContractKind, PersonId, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::store::Store;
use crate::web::problem::Problem;

/// An employer.
#[derive(Deserialize, JsonSchema)]
pub(super) struct OfEmployer {
    /// Its unified social credit code
    pub(super) uscc: Uscc,
}

/// A year outside of the century names nothing: `25` is none.
fn business_year<'de, D: Deserializer<'de>>(year: D) -> Result<i16, D::Error> {
    let year = i16::deserialize(year)?;
    if (2000..=2100).contains(&year) { Ok(year) } else { Err(D::Error::custom("a year from 2000 to 2100")) }
}

/// A business year of an employer.
#[derive(Deserialize, JsonSchema)]
pub(super) struct OfYear {
    /// The employer's unified social credit code
    pub(super) uscc: Uscc,
    /// Business year
    #[serde(deserialize_with = "business_year")]
    #[schemars(range(min = 2000, max = 2100))]
    pub(super) year: i16,
}

/// A placement.
#[derive(Deserialize, JsonSchema)]
pub(super) struct OfPlacement {
    /// The employer's unified social credit code
    pub(super) uscc: Uscc,
    /// Business year
    #[serde(deserialize_with = "business_year")]
    #[schemars(range(min = 2000, max = 2100))]
    pub(super) year: i16,
    pub(super) person_id: PersonId,
}

/// A contract of a placement.
#[derive(Deserialize, JsonSchema)]
pub(super) struct OfContract {
    /// The employer's unified social credit code
    pub(super) uscc: Uscc,
    /// Business year
    #[serde(deserialize_with = "business_year")]
    #[schemars(range(min = 2000, max = 2100))]
    pub(super) year: i16,
    pub(super) person_id: PersonId,
    pub(super) kind: ContractKind,
    /// The day on which it begins
    pub(super) starts_on: NaiveDate,
}

/// An affiliate or dispatch company of an employer's year.
#[derive(Deserialize, JsonSchema)]
pub(super) struct OfAffiliate {
    /// The employer's unified social credit code
    pub(super) uscc: Uscc,
    /// Business year
    #[serde(deserialize_with = "business_year")]
    #[schemars(range(min = 2000, max = 2100))]
    pub(super) year: i16,
    /// The unit's own
    pub(super) unit_uscc: Uscc,
}

/// A month of a placement.
#[derive(Deserialize, JsonSchema)]
pub(super) struct OfMonth {
    /// The employer's unified social credit code
    pub(super) uscc: Uscc,
    pub(super) person_id: PersonId,
    pub(super) month: Month,
}

/// The employer, if the actor may do this there; who was never entered is as little found as who is out of reach.
pub(super) async fn employer(store: &Store, actor: &Actor, action: Action, uscc: &Uscc) -> Result<UnitId, Problem> {
    let owned = store.owners_of_codes(std::slice::from_ref(uscc)).await?.remove(uscc).ok_or(Denied::NotFound)?;
    actor.may(action, owned.owner())?;
    Ok(owned.employer)
}

impl OfContract {
    pub(super) async fn key(&self, store: &Store, actor: &Actor, action: Action) -> Result<ContractKey, Problem> {
        Ok(ContractKey {
            employer: employer(store, actor, action, &self.uscc).await?,
            year: self.year,
            person: self.person_id,
            kind: self.kind,
            starts_on: self.starts_on,
        })
    }
}

/// The business year of the employer, likewise.
pub(super) async fn declaring(
    store: &Store,
    actor: &Actor,
    action: Action,
    uscc: &Uscc,
    year: i16,
) -> Result<Declaring, Problem> {
    Ok(Declaring { employer: employer(store, actor, action, uscc).await?, year: year.into() })
}
