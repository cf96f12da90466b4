//! Results: a row a placement and year, twelve packed months; only rows that differ are written.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::facts::Scope;
use super::frames::{CopyRows, Width, copy_out};
use super::runs::Started;
use super::{Store, StoreError};
use crate::domain::facts::{PersonId, UnitId};

/// The year of one placement, packed (see `domain::verdict`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YearRow {
    pub person: PersonId,
    pub employer: UnitId,
    pub cells: [i32; 12],
    /// Number of the run that last changed each month.
    pub runs: [i32; 12],
}

/// Which run a month's verdict is from.
#[derive(Clone, Debug)]
pub struct RunOrigin {
    pub number: i32,
    pub run_id: Uuid,
    pub verified_at: DateTime<Utc>,
    pub policy_version: String,
}

impl Store {
    /// Stored rows of a scope (its year and persons, as stored now).
    pub async fn year_rows(&self, scope: &Scope) -> Result<Vec<YearRow>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let months: Vec<String> = (1..=12).map(|month| format!("cells[{month}], runs[{month}]")).collect();
        let query = format!(
            "select person_id, employer_id, {} from verification where year = {} and {}
             order by person_id, employer_id",
            months.join(", "),
            scope.year,
            scope.person_filter("person_id")
        );
        let mut widths = vec![Width::Eight, Width::Four];
        widths.extend([Width::Four; 24]);
        let mut columns = copy_out(&mut connection, &query, &widths).await?.into_iter();
        let mut next = || columns.next().ok_or_else(|| StoreError::frame("too few columns"));
        let persons = next()?.into_int8()?;
        let employers = next()?.into_int4()?;
        let mut rows: Vec<YearRow> = persons
            .into_iter()
            .zip(employers)
            .map(|(person, employer)| YearRow {
                person: PersonId(person),
                employer: UnitId(employer),
                cells: [0; 12],
                runs: [0; 12],
            })
            .collect();
        for month in 0..12 {
            for (row, cell) in rows.iter_mut().zip(next()?.into_int4()?) {
                row.cells[month] = cell;
            }
            for (row, run) in rows.iter_mut().zip(next()?.into_int4()?) {
                row.runs[month] = run;
            }
        }
        Ok(rows)
    }

    /// Writes rows that differ, as judged at a publish sequence, all or none; what was judged at a later one stands.
    pub async fn save_year_rows(&self, year: i32, seq: i64, rows: &[YearRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut transaction = self.pool.begin().await?;
        copy_changed(&mut transaction, rows).await?;
        sqlx::query(
            "insert into verification (person_id, employer_id, year, cells, runs, seq)
             select person_id, employer_id, $1, cells, runs, $2 from changed_verification
             order by person_id, employer_id
             on conflict (person_id, employer_id, year) do update
             set cells = excluded.cells, runs = excluded.runs, seq = excluded.seq where verification.seq <= excluded.seq",
        )
        .bind(year as i16)
        .bind(seq)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// What the verification run read and judged by; the policy's text is kept.
    pub async fn describe_verification(
        &self,
        run: &Started,
        seq: i64,
        policy_version: &str,
        policy_text: &str,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into policy (version, content, first_used_at) values ($1, $2, $3) on conflict (version) do nothing",
            policy_version,
            policy_text,
            run.at
        )
        .execute(&self.pool)
        .await?;
        sqlx::query!("update run set seq = $2, policy_version = $3 where run_id = $1", run.run_id, seq, policy_version)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The runs behind these numbers.
    pub async fn run_origins(&self, numbers: &[i32]) -> Result<Vec<RunOrigin>, StoreError> {
        Ok(sqlx::query_as!(
            RunOrigin,
            r#"select run_number as number, run_id, started_at as verified_at,
                      coalesce(policy_version, '') as "policy_version!"
               from run where run_number = any($1)"#,
            numbers
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

async fn copy_changed(connection: &mut PgConnection, rows: &[YearRow]) -> Result<(), StoreError> {
    sqlx::query(
        "create temporary table changed_verification (person_id bigint, employer_id integer, cells integer[], runs integer[])
         on commit drop",
    )
    .execute(&mut *connection)
    .await?;
    let mut copy = CopyRows::default();
    for row in rows {
        copy.begin(4).int8(row.person.0).int4(row.employer.0).int4_array(&row.cells).int4_array(&row.runs);
    }
    copy.send(connection, "changed_verification").await?;
    Ok(())
}
