//! What is kept of one person's months: who counts them, what was ticked and declared, and which wages were reported.

use std::collections::HashMap;

use super::choices::month_of;
use super::{Store, StoreError};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::money::Fen;
use crate::domain::month::Month;

/// An employer who counts the person in a year: by a placement, or by a claim on a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counting {
    pub employer: UnitId,
    pub uscc: Uscc,
    /// Empty where the employer's own data is not entered.
    pub name: String,
    /// Whose wages the placement goes by; none without a placement.
    pub wage_payer: Option<UnitId>,
    /// 0, or 1 where the wage of a month is reported for the next.
    pub wage_lag: u8,
    /// Months that it claims.
    pub claimed: Vec<Month>,
}

/// What a payer reported of a month, reversals taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WageSum {
    pub payer: UnitId,
    pub period: Month,
    pub amount: Fen,
}

/// A unit as everybody may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUnit {
    pub uscc: Uscc,
    /// Of an employer whose own data is entered.
    pub name: Option<String>,
}

impl Store {
    /// Who counts the person in a year, by code.
    pub async fn list_counting(&self, person: PersonId, year: i32) -> Result<Vec<Counting>, StoreError> {
        let january = year * 12;
        let rows = sqlx::query!(
            r#"with placed as (
                   select employer_id, wage_payer from placement where person_id = $1 and year = $2 and to_seq is null
               ), claimed as (
                   select employer_id, array_agg(month order by month) as months from claim
                   where person_id = $1 and month between $3 and $3 + 11 and to_seq is null group by employer_id
               )
               select u.unit_id, u.uscc, coalesce(e.name, '') as "name!", placed.wage_payer as "wage_payer?",
                      coalesce(e.wage_lag, 0::smallint) as "wage_lag!", coalesce(claimed.months, '{}') as "claimed!"
               from placed full join claimed using (employer_id) join unit u on u.unit_id = employer_id
               left join employer e on e.employer_id = u.unit_id and e.to_seq is null order by u.uscc"#,
            person.0,
            year as i16,
            january
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Counting {
                    employer: UnitId(row.unit_id),
                    uscc: Uscc::parse(&row.uscc).map_err(|_| StoreError::inconsistent("unit", "uscc", row.unit_id))?,
                    name: row.name,
                    wage_payer: row.wage_payer.map(UnitId),
                    wage_lag: row.wage_lag as u8,
                    claimed: row.claimed.into_iter().map(|month| month_of("claim", month)).collect::<Result<_, _>>()?,
                })
            })
            .collect()
    }

    /// Choices in force on the person's months of a year: ticked, or not.
    pub async fn list_choices_of(
        &self,
        person: PersonId,
        year: i32,
    ) -> Result<HashMap<(UnitId, Month), bool>, StoreError> {
        let january = year * 12;
        let rows = sqlx::query!(
            "select employer_id, month, ticked from choice
             where person_id = $1 and month between $2 and $2 + 11 and to_seq is null",
            person.0,
            january
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| Ok(((UnitId(row.employer_id), month_of("choice", row.month)?), row.ticked)))
            .collect()
    }

    /// The person's months in these versions of an employer's year, by version, with the weight that is declared.
    pub async fn list_declared_of(
        &self,
        person: PersonId,
        employer: UnitId,
        year: i32,
        versions: &[u32],
    ) -> Result<Vec<(u32, Month, u8)>, StoreError> {
        let numbers: Vec<i32> = versions.iter().map(|version| *version as i32).collect();
        let rows = sqlx::query!(
            "select version, month, weight from declared_month
             where employer_id = $1 and year = $2 and version = any($3) and person_id = $4 order by version, month",
            employer.0,
            year as i16,
            &numbers,
            person.0
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| Ok((row.version as u32, month_of("declared_month", row.month)?, row.weight as u8)))
            .collect()
    }

    /// Wages of the person as they are reported now, for January of the year to January of the next: wages may lag a month.
    pub async fn list_wages_of(&self, person: PersonId, year: i32) -> Result<Vec<WageSum>, StoreError> {
        let january = year * 12;
        let rows = sqlx::query!(
            r#"select v.payer as "payer!", v.period as "period!", sum(v.amount_fen)::bigint as "amount!"
               from wage v join batch b using (batch_id)
               where v.person_id = $1 and b.published_seq is not null and v.superseded_seq is null and not v.deleted
                 and v.period between $2 and $2 + 12
               group by v.payer, v.period order by v.period, v.payer"#,
            person.0,
            january
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let period = month_of("wage", row.period)?;
                Ok(WageSum { payer: UnitId(row.payer), period, amount: Fen(row.amount) })
            })
            .collect()
    }

    /// These units with what everybody may know of them.
    pub async fn public_units(&self, units: &[UnitId]) -> Result<HashMap<UnitId, PublicUnit>, StoreError> {
        let ids: Vec<i32> = units.iter().map(|unit| unit.0).collect();
        let rows = sqlx::query!(
            r#"select u.unit_id, u.uscc, e.name as "name?"
               from unit u left join employer e on e.employer_id = u.unit_id and e.to_seq is null
               where u.unit_id = any($1)"#,
            &ids
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let uscc = Uscc::parse(&row.uscc).map_err(|_| StoreError::inconsistent("unit", "uscc", row.unit_id))?;
                Ok((UnitId(row.unit_id), PublicUnit { uscc, name: row.name }))
            })
            .collect()
    }
}
