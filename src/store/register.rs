//! What single entries need beside the sets of an import: contracts to look at, and entries that go out of force.

use sqlx::PgExecutor;

use super::entries::ContractEntry;
use super::jobs::word;
use super::publish::Publish;
use super::{Store, StoreError};
use crate::domain::facts::{Contract, ContractKind, PersonId, UnitId};

impl ContractEntry {
    /// As the judge reads it.
    pub fn contract(&self) -> Contract {
        let Self { kind, starts_on, ends_on, terminated_on, .. } = *self;
        Contract { kind, starts_on, ends_on, terminated_on }
    }
}

impl Publish {
    /// As [`Store::list_contracts`]; nobody else changes them before this publish ends.
    pub async fn list_contracts(
        &mut self,
        employer: UnitId,
        year: i16,
        person: Option<PersonId>,
    ) -> Result<Vec<ContractEntry>, StoreError> {
        list_contracts(self.connection(), employer, year, person).await
    }

    /// Takes a placement out of force with its contracts, its details, its agreement and its ticked months. What was completed stays.
    pub async fn close_placement(&mut self, person: PersonId, employer: UnitId, year: i16) -> Result<(), StoreError> {
        let seq = self.seq();
        sqlx::query!(
            "update placement set to_seq = $4 where person_id = $1 and employer_id = $2 and year = $3 and to_seq is null",
            person.0,
            employer.0,
            year,
            seq
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "update contract set to_seq = $4 where person_id = $1 and employer_id = $2 and year = $3 and to_seq is null",
            person.0,
            employer.0,
            year,
            seq
        )
        .execute(self.connection())
        .await?;
        self.close_review(person, employer, year).await?;
        self.close_details(person, employer, year, None).await?;
        self.close_agreement(person, employer, year).await
    }

    /// Whoever is entered again begins anew: what was chosen, handed in and decided is history.
    async fn close_review(&mut self, person: PersonId, employer: UnitId, year: i16) -> Result<(), StoreError> {
        let (seq, at, january) = (self.seq(), self.at(), i32::from(year) * 12);
        sqlx::query!(
            "update choice set to_seq = $5
             where person_id = $1 and employer_id = $2 and month between $3 and $4 and to_seq is null",
            person.0,
            employer.0,
            january,
            january + 11,
            seq
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "update handing_in set replaced_at = $4
             where person_id = $1 and employer_id = $2 and year = $3 and replaced_at is null",
            person.0,
            employer.0,
            year,
            at
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "update month_decision set ended_at = $5, ended_by = 'renzheng', ended_why = 'the placement was deleted', ending = 'undone'
             where person_id = $1 and employer_id = $2 and month between $3 and $4 and ended_at is null",
            person.0,
            employer.0,
            january,
            january + 11,
            at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    pub async fn close_contract(&mut self, contract: &ContractEntry) -> Result<(), StoreError> {
        let seq = self.seq();
        sqlx::query!(
            "update contract set to_seq = $6
             where person_id = $1 and employer_id = $2 and year = $3 and kind = $4 and starts_on = $5 and to_seq is null",
            contract.person.0,
            contract.employer.0,
            contract.year,
            i16::from(contract.kind.number()),
            contract.starts_on,
            seq
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes an affiliate out of force with its address.
    pub async fn close_affiliate(&mut self, employer: UnitId, year: i16, unit: UnitId) -> Result<(), StoreError> {
        let seq = self.seq();
        sqlx::query!(
            "update affiliate set to_seq = $4 where employer_id = $1 and year = $2 and unit_id = $3 and to_seq is null",
            employer.0,
            year,
            unit.0,
            seq
        )
        .execute(self.connection())
        .await?;
        self.delete_affiliate_address(employer, year, unit).await
    }
}

impl Store {
    /// Contracts in force of an employer's year, of one person or of all.
    pub async fn list_contracts(
        &self,
        employer: UnitId,
        year: i16,
        person: Option<PersonId>,
    ) -> Result<Vec<ContractEntry>, StoreError> {
        list_contracts(&self.pool, employer, year, person).await
    }
}

async fn list_contracts(
    executor: impl PgExecutor<'_>,
    employer: UnitId,
    year: i16,
    person: Option<PersonId>,
) -> Result<Vec<ContractEntry>, StoreError> {
    let rows = sqlx::query!(
        "select person_id, kind, starts_on, ends_on, terminated_on from contract
         where employer_id = $1 and year = $2 and to_seq is null and ($3::bigint is null or person_id = $3)
         order by person_id, starts_on, kind",
        employer.0,
        year,
        person.map(|person| person.0)
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ContractEntry {
                person: PersonId(row.person_id),
                employer,
                year,
                kind: word(row.kind, ContractKind::from_number)
                    .ok_or_else(|| StoreError::inconsistent("contract", "kind", row.person_id))?,
                starts_on: row.starts_on,
                ends_on: row.ends_on,
                terminated_on: row.terminated_on,
            })
        })
        .collect()
}
