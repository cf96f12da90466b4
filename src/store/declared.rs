//! Versions of declarations: their months, the commands that made them, and how they stand beside the results of today.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::choices::month_of;
use super::declarations::read_state;
use super::publish::Publish;
use super::{Store, StoreError, ensure_affected};
use crate::domain::declaration::{Completion, Declaration};
use crate::domain::declared::{DeclaredMonth, Present};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::message::MessageKind;
use crate::domain::month::Month;
use crate::domain::verdict::Verdict;

/// A declaration in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    pub employer: UnitId,
    pub uscc: Uscc,
    /// Six digits; decides which staff it concerns.
    pub federation_division: String,
    pub year: i16,
    pub declaration: Declaration,
}

/// Requests that wait for staff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Withdrawal,
    Amendment,
}

/// A version as its command left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub version: u32,
    pub certification_number: String,
    /// Version of the commitment text that was accepted.
    pub commitment: String,
}

/// The months of one version, of one employer.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    pub frozen: Vec<DeclaredMonth>,
    /// Every month of every placement, as it is judged now.
    pub present: Vec<Present>,
}

impl Publish {
    /// Keeps that and how a version came to be; `key` is the caller's own name for the command.
    pub async fn save_version(
        &mut self,
        employer: UnitId,
        year: i16,
        completion: &Completion,
        key: Option<&str>,
    ) -> Result<(), StoreError> {
        let done = sqlx::query!(
            "insert into declared_version (employer_id, year, version, amends, certification_number, commitment, completed_at,
                                           completed_by, idempotency_key, last_run)
             select $1, $2, $3, $4, $5, $6, $7, $8, $9, coalesce(max(run_number), 0) from run",
            employer.0,
            year,
            completion.version as i32,
            completion.amends.map(|version| version as i32),
            completion.certification_number,
            completion.commitment.version,
            completion.completed.at,
            completion.completed.by,
            key
        )
        .execute(self.connection())
        .await?;
        ensure_affected(&done, 1)
    }

    /// The months of a version, by person and month.
    pub async fn list_declared_months(
        &mut self,
        employer: UnitId,
        year: i16,
        version: u32,
    ) -> Result<Vec<DeclaredMonth>, StoreError> {
        list_declared_months(self.connection(), employer, year, version).await
    }

    /// The first message of a version and kind.
    pub async fn find_message(
        &mut self,
        employer: UnitId,
        year: i16,
        version: u32,
        kind: MessageKind,
    ) -> Result<Option<Uuid>, StoreError> {
        find_message(self.connection(), employer, year, version, kind).await
    }
}

impl Store {
    /// The months of a version, by person and month; none if there is no such version.
    pub async fn list_declared_months(
        &self,
        employer: UnitId,
        year: i16,
        version: u32,
    ) -> Result<Vec<DeclaredMonth>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        list_declared_months(&mut connection, employer, year, version).await
    }

    /// The months of a version's persons after one, of so many persons at most; by person and month.
    pub async fn list_declared_persons(
        &self,
        employer: UnitId,
        year: i16,
        version: u32,
        after: PersonId,
        limit: i64,
    ) -> Result<Vec<DeclaredMonth>, StoreError> {
        let rows = sqlx::query_as!(
            FrozenRow,
            "select employer_id, person_id, month, weight, dispatched, approved, cell from declared_month
             where employer_id = $1 and year = $2 and version = $3
               and person_id in (select distinct person_id from declared_month
                                 where employer_id = $1 and year = $2 and version = $3 and person_id > $4
                                 order by person_id limit $5)
             order by person_id, month",
            employer.0,
            year,
            version as i32,
            after.0,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(FrozenRow::read).collect()
    }

    /// The version that the command of this key made.
    pub async fn find_version_by_key(
        &self,
        employer: UnitId,
        year: i16,
        key: &str,
    ) -> Result<Option<Version>, StoreError> {
        let row = sqlx::query!(
            "select version, certification_number, commitment from declared_version
             where employer_id = $1 and year = $2 and idempotency_key = $3",
            employer.0,
            year,
            key
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Version {
            version: row.version as u32,
            certification_number: row.certification_number,
            commitment: row.commitment,
        }))
    }

    /// For each of these versions the number of the last run before it; in the order asked, 0 where none is known.
    pub async fn runs_before(&self, year: i16, versions: &[(UnitId, u32)]) -> Result<Vec<i32>, StoreError> {
        let units: Vec<i32> = versions.iter().map(|(unit, _)| unit.0).collect();
        let numbers: Vec<i32> = versions.iter().map(|(_, version)| *version as i32).collect();
        Ok(sqlx::query_scalar!(
            r#"select coalesce(d.last_run, 0) as "last_run!"
               from unnest($2::integer[], $3::integer[]) with ordinality as i (employer_id, version, place)
               left join declared_version d on d.employer_id = i.employer_id and d.version = i.version and d.year = $1
               order by place"#,
            year,
            &units,
            &numbers
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The first message of a version and kind.
    pub async fn find_message(
        &self,
        employer: UnitId,
        year: i16,
        version: u32,
        kind: MessageKind,
    ) -> Result<Option<Uuid>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        find_message(&mut connection, employer, year, version, kind).await
    }

    /// Every declaration of a year that something was completed of, by employer.
    pub async fn list_declarations(&self, year: i16) -> Result<Vec<Listed>, StoreError> {
        let rows = sqlx::query_as!(
            Row,
            r#"select d.employer_id, u.uscc, e.federation_division as "federation_division?", d.year, d.state
               from declaration d join unit u on u.unit_id = d.employer_id
               left join employer e on e.employer_id = d.employer_id and e.to_seq is null
               where d.year = $1 and d.state ->> 'state' <> 'open' or d.year = $1 and d.state ? 'standing'
               order by d.employer_id"#,
            year
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Row::read).collect()
    }

    /// Declarations with a request that waits for staff, the oldest first.
    pub async fn list_requests(&self, request: Request) -> Result<Vec<Listed>, StoreError> {
        let rows =
            match request {
                Request::Withdrawal => sqlx::query_as!(
                    Row,
                    r#"select d.employer_id, u.uscc, e.federation_division as "federation_division?", d.year, d.state
                       from declaration d join unit u on u.unit_id = d.employer_id
                       left join employer e on e.employer_id = d.employer_id and e.to_seq is null
                       where d.state ? 'withdrawal' and not d.state -> 'withdrawal' ? 'outcome'
                       order by d.state #>> '{withdrawal,asked,at}', d.employer_id"#
                )
                .fetch_all(&self.pool)
                .await?,
                Request::Amendment => sqlx::query_as!(
                    Row,
                    r#"select d.employer_id, u.uscc, e.federation_division as "federation_division?", d.year, d.state
                       from declaration d join unit u on u.unit_id = d.employer_id
                       left join employer e on e.employer_id = d.employer_id and e.to_seq is null
                       where d.state ? 'amendment' and not d.state -> 'amendment' ? 'outcome'
                       order by d.state #>> '{amendment,asked,at}', d.employer_id"#
                )
                .fetch_all(&self.pool)
                .await?,
            };
        rows.into_iter().map(Row::read).collect()
    }

    /// For each of these employers' versions the frozen months and the months as they are judged now; in the order asked.
    pub async fn list_beside(&self, year: i16, versions: &[(UnitId, u32)]) -> Result<Vec<Beside>, StoreError> {
        let places: HashMap<i32, usize> =
            versions.iter().enumerate().map(|(place, (unit, _))| (unit.0, place)).collect();
        let units: Vec<i32> = versions.iter().map(|(unit, _)| unit.0).collect();
        let numbers: Vec<i32> = versions.iter().map(|(_, version)| *version as i32).collect();
        let mut beside = vec![Beside::default(); versions.len()];
        let frozen = sqlx::query_as!(
            FrozenRow,
            "select d.employer_id, person_id, month, weight, dispatched, approved, cell from declared_month d
             join unnest($2::integer[], $3::integer[]) as i (employer_id, version)
                  on i.employer_id = d.employer_id and i.version = d.version
             where d.year = $1",
            year,
            &units,
            &numbers
        )
        .fetch_all(&self.pool)
        .await?;
        for row in frozen {
            let Some(place) = places.get(&row.employer_id).copied() else { continue };
            beside[place].frozen.push(row.read()?);
        }
        let judged = sqlx::query!(
            r#"select v.employer_id, v.person_id, v.cells, v.runs, p.dispatch_unit is not null as "dispatched!"
               from verification v
               join placement p on p.employer_id = v.employer_id and p.person_id = v.person_id and p.year = v.year and p.to_seq is null
               where v.year = $1 and v.employer_id = any($2)"#,
            year,
            &units
        )
        .fetch_all(&self.pool)
        .await?;
        for row in judged {
            let Some(place) = places.get(&row.employer_id).copied() else { continue };
            let wrong = || StoreError::inconsistent("verification", "cells", row.person_id);
            for ((month, cell), run) in Month::all_of(i32::from(year)).zip(&row.cells).zip(&row.runs) {
                let (person, dispatched) = (PersonId(row.person_id), row.dispatched);
                let verdict = Verdict::unpack(*cell).ok_or_else(wrong)?;
                beside[place].present.push(Present { person, month, dispatched, verdict, run: *run });
            }
        }
        Ok(beside)
    }
}

struct Row {
    employer_id: i32,
    uscc: String,
    federation_division: Option<String>,
    year: i16,
    state: serde_json::Value,
}

impl Row {
    fn read(self) -> Result<Listed, StoreError> {
        let employer = UnitId(self.employer_id);
        Ok(Listed {
            employer,
            uscc: Uscc::parse(&self.uscc).map_err(|_| StoreError::inconsistent("unit", "uscc", self.employer_id))?,
            federation_division: self.federation_division.unwrap_or_default(),
            year: self.year,
            declaration: read_state(Some(self.state), employer)?,
        })
    }
}

struct FrozenRow {
    employer_id: i32,
    person_id: i64,
    month: i32,
    weight: i16,
    dispatched: bool,
    approved: bool,
    cell: i32,
}

impl FrozenRow {
    fn read(self) -> Result<DeclaredMonth, StoreError> {
        Ok(DeclaredMonth {
            person: PersonId(self.person_id),
            month: month_of("declared_month", self.month)?,
            weight: self.weight as u8,
            dispatched: self.dispatched,
            approved: self.approved,
            cell: self.cell,
        })
    }
}

async fn find_message(
    connection: &mut PgConnection,
    employer: UnitId,
    year: i16,
    version: u32,
    kind: MessageKind,
) -> Result<Option<Uuid>, StoreError> {
    Ok(sqlx::query_scalar!(
        "select message_id from outbox
             where employer_id = $1 and year = $2 and version = $3 and kind = $4 order by attempt limit 1",
        employer.0,
        year,
        version as i32,
        kind.as_str()
    )
    .fetch_optional(connection)
    .await?)
}

async fn list_declared_months(
    connection: &mut PgConnection,
    employer: UnitId,
    year: i16,
    version: u32,
) -> Result<Vec<DeclaredMonth>, StoreError> {
    let rows = sqlx::query_as!(
        FrozenRow,
        "select employer_id, person_id, month, weight, dispatched, approved, cell from declared_month
         where employer_id = $1 and year = $2 and version = $3 order by person_id, month",
        employer.0,
        year,
        version as i32
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(FrozenRow::read).collect()
}
