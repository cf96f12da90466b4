//! Who else has a person in a year: placements, contracts and claims of many persons at once.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::StoreError;
use super::jobs::word;
use super::publish::Publish;
use crate::domain::facts::{Contract, ContractKind, PersonId, UnitId};
use crate::domain::month::Month;
use crate::domain::overlap::Sides;

impl Publish {
    /// The employers of each of these persons and years, as this publish leaves them: who placed them, or holds a claim.
    pub async fn list_sides(
        &mut self,
        keys: &[(PersonId, i16)],
    ) -> Result<HashMap<(PersonId, i16), Sides>, StoreError> {
        let persons: Vec<i64> = keys.iter().map(|(person, _)| person.0).collect();
        let years: Vec<i16> = keys.iter().map(|(_, year)| *year).collect();
        let mut sides: HashMap<(PersonId, i16), Sides> = HashMap::new();
        let placed = sqlx::query!(
            "select p.person_id, p.year, p.employer_id
             from unnest($1::bigint[], $2::smallint[]) as i (person, year)
             join placement p on p.person_id = i.person and p.year = i.year and p.to_seq is null",
            &persons,
            &years
        )
        .fetch_all(self.connection())
        .await?;
        for row in placed {
            sides.entry((PersonId(row.person_id), row.year)).or_default().entry(UnitId(row.employer_id)).or_default();
        }
        let contracts = sqlx::query!(
            r#"select c.person_id, c.year, c.employer_id, c.kind, c.starts_on, c.ends_on as "ends_on?: NaiveDate",
                      c.terminated_on as "terminated_on?: NaiveDate"
               from unnest($1::bigint[], $2::smallint[]) as i (person, year)
               join contract c on c.person_id = i.person and c.year = i.year and c.to_seq is null"#,
            &persons,
            &years
        )
        .fetch_all(self.connection())
        .await?;
        for row in contracts {
            let kind = word(row.kind, ContractKind::from_number)
                .ok_or_else(|| StoreError::inconsistent("contract", "kind", row.person_id))?;
            let of_person = sides.entry((PersonId(row.person_id), row.year)).or_default();
            of_person.entry(UnitId(row.employer_id)).or_default().contracts.push(Contract {
                kind,
                starts_on: row.starts_on,
                ends_on: row.ends_on,
                terminated_on: row.terminated_on,
            });
        }
        let claims = sqlx::query!(
            "select c.person_id, i.year as \"year!\", c.employer_id, c.month
             from unnest($1::bigint[], $2::smallint[]) as i (person, year)
             join claim c on c.person_id = i.person and c.month between i.year * 12 and i.year * 12 + 11 and c.to_seq is null
             order by c.month",
            &persons,
            &years
        )
        .fetch_all(self.connection())
        .await?;
        for row in claims {
            let month = Month::from_index(row.month)
                .ok_or_else(|| StoreError::inconsistent("claim", "month", row.person_id))?;
            let of_person = sides.entry((PersonId(row.person_id), row.year)).or_default();
            of_person.entry(UnitId(row.employer_id)).or_default().claimed.push(month);
        }
        Ok(sides)
    }
}
