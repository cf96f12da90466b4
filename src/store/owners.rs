//! Whose an employer is: the federation in charge of it, by which it is known who reaches it.

use std::collections::HashMap;

use super::{Store, StoreError};
use crate::domain::access::Owner;
use crate::domain::facts::UnitId;
use crate::domain::ids::Uscc;

/// A unit, and the division of the federation in charge: empty where no employer of that unit is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    pub employer: UnitId,
    pub federation_division: String,
}

impl Owned {
    pub fn owner(&self) -> Owner<'_> {
        Owner { employer: self.employer, federation_division: &self.federation_division }
    }
}

impl Store {
    /// The units of these codes as they stand; who was never named is missing from the answer.
    pub async fn owners_of_codes(&self, codes: &[Uscc]) -> Result<HashMap<Uscc, Owned>, StoreError> {
        let codes: Vec<String> = codes.iter().map(|code| code.as_str().to_owned()).collect();
        let rows = sqlx::query!(
            r#"select uscc, unit_id, coalesce(federation_division, '') as "federation_division!"
               from unit left join employer on employer_id = unit_id and to_seq is null where uscc = any($1)"#,
            &codes
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let code = Uscc::parse(&row.uscc).map_err(|_| StoreError::inconsistent("unit", "uscc", row.unit_id))?;
                Ok((code, Owned { employer: UnitId(row.unit_id), federation_division: row.federation_division }))
            })
            .collect()
    }

    /// The same of units by their numbers.
    pub async fn owners_of_units(&self, units: &[UnitId]) -> Result<HashMap<UnitId, Owned>, StoreError> {
        let ids: Vec<i32> = units.iter().map(|unit| unit.0).collect();
        let rows = sqlx::query!(
            r#"select unit_id, coalesce(federation_division, '') as "federation_division!"
               from unit left join employer on employer_id = unit_id and to_seq is null where unit_id = any($1)"#,
            &ids
        )
        .fetch_all(&self.pool)
        .await?;
        let owned = rows
            .into_iter()
            .map(|row| Owned { employer: UnitId(row.unit_id), federation_division: row.federation_division });
        Ok(owned.map(|owned| (owned.employer, owned)).collect())
    }
}
