//! What is entered with a placement and judged by nobody: its education, and the terms of its contracts; encrypted, in versions.

use chrono::NaiveDate;
use serde_json::Value;
use sqlx::PgExecutor;

use super::jobs::word;
use super::people::reserve;
use super::publish::Publish;
use super::{Store, StoreError};
use crate::crypto::{Keys, Place};
use crate::domain::facts::{ContractKind, PersonId, UnitId};

/// What a detail belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DetailOf {
    Education,
    /// The contract of this kind that begins on this day.
    Contract(ContractKind, NaiveDate),
}

impl DetailOf {
    fn columns(self) -> (Option<i16>, Option<NaiveDate>) {
        match self {
            Self::Education => (None, None),
            Self::Contract(kind, starts_on) => (Some(i16::from(kind.number())), Some(starts_on)),
        }
    }
}

/// One detail of a placement.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    pub person: PersonId,
    pub of: DetailOf,
    pub content: Value,
}

fn place(row: i64) -> Place<'static> {
    Place { table: "placement_detail", column: "content", row }
}

impl Publish {
    /// Puts these in the place of what stood before; the caller knows that they differ.
    pub async fn save_details(
        &mut self,
        store: &Store,
        employer: UnitId,
        year: i16,
        rows: &[Detail],
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let seq = self.seq();
        let ids = reserve(self.connection(), "placement_detail_id_seq", rows.len()).await?;
        let persons: Vec<i64> = rows.iter().map(|row| row.person.0).collect();
        let kinds: Vec<Option<i16>> = rows.iter().map(|row| row.of.columns().0).collect();
        let starts: Vec<Option<NaiveDate>> = rows.iter().map(|row| row.of.columns().1).collect();
        let contents: Vec<Vec<u8>> = (ids.iter().zip(rows))
            .map(|(id, row)| Ok(store.keys().encrypt(row.content.to_string().as_bytes(), place(*id))?))
            .collect::<Result<_, StoreError>>()?;
        sqlx::query!(
            "update placement_detail d set to_seq = $6
             from unnest($1::bigint[], $2::smallint[], $3::date[]) as i (person, kind, starts_on)
             where d.person_id = i.person and d.employer_id = $4 and d.year = $5 and d.to_seq is null
               and d.contract_kind is not distinct from i.kind and d.starts_on is not distinct from i.starts_on",
            &persons,
            &kinds as _,
            &starts as _,
            employer.0,
            year,
            seq
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "insert into placement_detail (placement_detail_id, person_id, employer_id, year, contract_kind, starts_on, from_seq, content)
             select i.id, i.person, $6, $7, i.kind, i.starts_on, $8, i.content
             from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::date[], $5::bytea[])
                  as i (id, person, kind, starts_on, content)",
            &ids,
            &persons,
            &kinds as _,
            &starts as _,
            &contents,
            employer.0,
            year,
            seq
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Closes one detail of a placement, or all of them.
    pub async fn close_details(
        &mut self,
        person: PersonId,
        employer: UnitId,
        year: i16,
        of: Option<DetailOf>,
    ) -> Result<(), StoreError> {
        let seq = self.seq();
        let (kind, starts_on) = of.map_or((None, None), DetailOf::columns);
        sqlx::query!(
            "update placement_detail set to_seq = $4
             where person_id = $1 and employer_id = $2 and year = $3 and to_seq is null
               and ($5 or contract_kind is not distinct from $6 and starts_on is not distinct from $7)",
            person.0,
            employer.0,
            year,
            seq,
            of.is_none(),
            kind,
            starts_on
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// As [`Store::list_details`]; nobody else changes them before this publish ends.
    pub async fn list_details(
        &mut self,
        store: &Store,
        employer: UnitId,
        year: i16,
        person: Option<PersonId>,
    ) -> Result<Vec<Detail>, StoreError> {
        list(self.connection(), store.keys(), employer, year, person).await
    }
}

impl Store {
    /// Details in force of an employer's year, of one person or of all.
    pub async fn list_details(
        &self,
        employer: UnitId,
        year: i16,
        person: Option<PersonId>,
    ) -> Result<Vec<Detail>, StoreError> {
        list(&self.pool, &self.keys, employer, year, person).await
    }
}

async fn list(
    executor: impl PgExecutor<'_>,
    keys: &Keys,
    employer: UnitId,
    year: i16,
    person: Option<PersonId>,
) -> Result<Vec<Detail>, StoreError> {
    let rows = sqlx::query!(
        "select placement_detail_id, person_id, contract_kind, starts_on, content from placement_detail
         where employer_id = $1 and year = $2 and to_seq is null and ($3::bigint is null or person_id = $3)
         order by person_id, contract_kind nulls first, starts_on",
        employer.0,
        year,
        person.map(|person| person.0)
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            let wrong = |column| StoreError::inconsistent("placement_detail", column, row.placement_detail_id);
            let of = match (row.contract_kind, row.starts_on) {
                (Some(kind), Some(starts_on)) => {
                    let kind = word(kind, ContractKind::from_number).ok_or_else(|| wrong("contract_kind"))?;
                    DetailOf::Contract(kind, starts_on)
                }
                _ => DetailOf::Education,
            };
            let content = keys.decrypt(&row.content, place(row.placement_detail_id))?;
            let content = serde_json::from_slice(&content).map_err(|_| wrong("content"))?;
            Ok(Detail { person: PersonId(row.person_id), of, content })
        })
        .collect()
}
