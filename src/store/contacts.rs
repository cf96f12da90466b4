//! How employers and affiliates are reached, and for which years an employer has confirmed its own data.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::change::Change;
use super::{Store, StoreError};
use crate::crypto::{Keys, Place};
use crate::domain::entry::Contact;
use crate::domain::facts::UnitId;

/// How an affiliate is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct AffiliateAddress {
    pub address: Option<String>,
    pub phone: Option<String>,
}

/// When an employer confirmed its own data for a year, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Confirmation {
    pub confirmed_at: DateTime<Utc>,
    pub confirmed_by: String,
}

fn place(employer: UnitId) -> Place<'static> {
    Place { table: "employer_contact", column: "content", row: i64::from(employer.0) }
}

impl Change {
    /// As [`Store::find_contact`]; nobody else changes it before this change ends.
    pub async fn lock_contact(&mut self, store: &Store, employer: UnitId) -> Result<Option<Contact>, StoreError> {
        // the first contact of an employer has no row to be locked
        sqlx::query("select from unit where unit_id = $1 for no key update")
            .bind(employer.0)
            .execute(self.connection())
            .await?;
        find_contact(self.connection(), store.keys(), employer).await
    }

    pub async fn save_contact(
        &mut self,
        store: &Store,
        employer: UnitId,
        contact: &Contact,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let wrong = || StoreError::inconsistent("employer_contact", "content", employer.0);
        let content = serde_json::to_vec(contact).map_err(|_| wrong())?;
        let content = store.keys().encrypt(&content, place(employer))?;
        sqlx::query!(
            "insert into employer_contact (employer_id, content, saved_at) values ($1, $2, $3)
             on conflict (employer_id) do update set content = excluded.content, saved_at = excluded.saved_at",
            employer.0,
            &content,
            at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Whether it was not confirmed for the year before.
    pub async fn confirm_employer(
        &mut self,
        employer: UnitId,
        year: i16,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "insert into employer_confirmation (employer_id, year, confirmed_at, confirmed_by) values ($1, $2, $3, $4)
             on conflict (employer_id, year) do nothing",
            employer.0,
            year,
            at,
            by
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Addresses of an employer's affiliates of a year.
    pub async fn affiliate_addresses(
        &mut self,
        employer: UnitId,
        year: i16,
    ) -> Result<HashMap<UnitId, AffiliateAddress>, StoreError> {
        affiliate_addresses(self.connection(), employer, year).await
    }

    pub async fn save_affiliate_address(
        &mut self,
        employer: UnitId,
        year: i16,
        unit: UnitId,
        address: &AffiliateAddress,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into affiliate_address (employer_id, year, unit_id, address, phone) values ($1, $2, $3, $4, $5)
             on conflict (employer_id, year, unit_id) do update set address = excluded.address, phone = excluded.phone",
            employer.0,
            year,
            unit.0,
            address.address,
            address.phone
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    pub async fn delete_affiliate_address(
        &mut self,
        employer: UnitId,
        year: i16,
        unit: UnitId,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "delete from affiliate_address where employer_id = $1 and year = $2 and unit_id = $3",
            employer.0,
            year,
            unit.0
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Carries the addresses of these affiliates from one year into the next; those that are there stay.
    pub async fn carry_affiliate_addresses(
        &mut self,
        employer: UnitId,
        into_year: i16,
        units: &[UnitId],
    ) -> Result<(), StoreError> {
        let units: Vec<i32> = units.iter().map(|unit| unit.0).collect();
        sqlx::query!(
            "insert into affiliate_address (employer_id, year, unit_id, address, phone)
             select employer_id, $2, unit_id, address, phone from affiliate_address
             where employer_id = $1 and year = $3 and unit_id = any($4)
             on conflict (employer_id, year, unit_id) do nothing",
            employer.0,
            into_year,
            into_year - 1,
            &units
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl Store {
    /// Who handles an employer's declarations, and how they are reached. Masking is the caller's duty.
    pub async fn find_contact(&self, employer: UnitId) -> Result<Option<Contact>, StoreError> {
        find_contact(&self.pool, &self.keys, employer).await
    }

    /// Whether the employer has confirmed its own data for the year.
    pub async fn find_confirmation(&self, employer: UnitId, year: i16) -> Result<Option<Confirmation>, StoreError> {
        Ok(sqlx::query_as!(
            Confirmation,
            "select confirmed_at, confirmed_by from employer_confirmation where employer_id = $1 and year = $2",
            employer.0,
            year
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Addresses of an employer's affiliates of a year.
    pub async fn affiliate_addresses(
        &self,
        employer: UnitId,
        year: i16,
    ) -> Result<HashMap<UnitId, AffiliateAddress>, StoreError> {
        affiliate_addresses(&self.pool, employer, year).await
    }
}

async fn find_contact(
    executor: impl PgExecutor<'_>,
    keys: &Keys,
    employer: UnitId,
) -> Result<Option<Contact>, StoreError> {
    let content = sqlx::query_scalar!("select content from employer_contact where employer_id = $1", employer.0)
        .fetch_optional(executor)
        .await?;
    content
        .map(|content| {
            let content = keys.decrypt(&content, place(employer))?;
            serde_json::from_slice(&content)
                .map_err(|_| StoreError::inconsistent("employer_contact", "content", employer.0))
        })
        .transpose()
}

async fn affiliate_addresses(
    executor: impl PgExecutor<'_>,
    employer: UnitId,
    year: i16,
) -> Result<HashMap<UnitId, AffiliateAddress>, StoreError> {
    let rows = sqlx::query!(
        "select unit_id, address, phone from affiliate_address where employer_id = $1 and year = $2",
        employer.0,
        year
    )
    .fetch_all(executor)
    .await?;
    let address = |address, phone| AffiliateAddress { address, phone };
    Ok(rows.into_iter().map(|row| (UnitId(row.unit_id), address(row.address, row.phone))).collect())
}
