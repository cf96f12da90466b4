//! Results: a row a placement and year, twelve packed months; only rows that differ are written.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::facts::{Persons, Scope};
use super::frames::{CopyRows, Width, copy_out};
use super::owners::Owned;
use super::past::Written;
use super::people::Identity;
use super::runs::Started;
use super::{Store, StoreError};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::verdict::Verdict;

/// The year of one placement, packed (see `domain::verdict`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YearRow {
    pub person: PersonId,
    pub employer: UnitId,
    pub cells: [i32; 12],
    /// Number of the run that last changed each month.
    pub runs: [i32; 12],
}

/// A row that differs from what is stored, and why it was judged again.
#[derive(Clone, Debug)]
pub struct ChangedRow {
    pub row: YearRow,
    /// Bits in the order of `verify::changes::Cause`.
    pub cause: i16,
    /// Checks, as bits in their order, of which some month is pending.
    pub pending: i16,
}

/// What a verification changes of what is stored.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub rows: Vec<ChangedRow>,
    /// Rows of placements that are not there any more.
    pub gone: Vec<(PersonId, UnitId)>,
}

/// Which run a month's verdict is from.
#[derive(Clone, Debug)]
pub struct RunOrigin {
    pub number: i32,
    pub run_id: Uuid,
    pub verified_at: DateTime<Utc>,
    pub policy_version: String,
}

/// A stored row, and whose it is: still encrypted.
#[derive(Clone, Debug)]
pub struct GridRow {
    pub row: YearRow,
    id_number: Vec<u8>,
    name: Vec<u8>,
}

/// Stored rows of an employer's year, whose the employer is, and the runs that their months are from.
#[derive(Clone, Debug)]
pub struct Grid {
    pub owned: Owned,
    pub rows: Vec<GridRow>,
    pub origins: Vec<RunOrigin>,
}

impl YearRow {
    /// The months of the year with their verdicts.
    pub fn verdicts(&self, year: i32) -> Result<Vec<(Month, Verdict)>, StoreError> {
        Month::all_of(year)
            .zip(self.cells)
            .map(|(month, cell)| {
                let wrong = || StoreError::inconsistent("verification", "cells", self.person.0);
                Ok((month, Verdict::unpack(cell).ok_or_else(wrong)?))
            })
            .collect()
    }
}

impl Store {
    /// Stored rows of the employer's placements, as they stand now.
    pub async fn employer_rows(&self, year: i32, employer: UnitId) -> Result<Vec<YearRow>, StoreError> {
        let seq = self.head().await?;
        let persons = Persons::These(self.placed_persons(year, employer, seq).await?);
        let mut rows = self.year_rows(&Scope { year, seq, persons }).await?;
        rows.retain(|row| row.employer == employer);
        Ok(rows)
    }

    /// The employer of this code with stored rows of its placements, by person, after one: so many at most. By one question: it is what is
    /// asked most.
    pub async fn find_grid(
        &self,
        year: i32,
        code: &Uscc,
        after: PersonId,
        limit: usize,
    ) -> Result<Option<Grid>, StoreError> {
        let rows = sqlx::query!(
            r#"with page as materialized (
                 select person_id, cells, runs, id_number, name
                 from placement p join verification v using (person_id, employer_id, year) join person using (person_id)
                 where p.employer_id = (select unit_id from unit where uscc = $1) and p.year = $2 and p.to_seq is null
                   and person_id > $3 order by person_id limit $4
               ), origin as (
                 select array_agg(run_number) as numbers, array_agg(run_id) as ids, array_agg(started_at) as instants,
                        array_agg(coalesce(policy_version, '')) as policies
                 from run where run_number in (select unnest(runs) from page)
               )
               -- the runs stand in the first row
               select unit_id, coalesce(federation_division, '') as "federation_division!", person_id as "person_id?", cells as "cells?",
                      runs as "runs?", id_number as "id_number?", page.name as "name?", numbers as "numbers?", ids as "ids?",
                      instants as "instants?", policies as "policies?"
               from unit left join employer e on e.employer_id = unit_id and e.to_seq is null left join page on true
                    left join origin on person_id = (select min(person_id) from page)
               where uscc = $1 order by person_id"#,
            code.as_str(),
            year as i16,
            after.0,
            limit as i64
        )
        .fetch_all(&self.pool)
        .await?;
        let mut grid: Option<Grid> = None;
        for row in rows {
            let employer = UnitId(row.unit_id);
            let grid = grid.get_or_insert_with(|| {
                let runs = row.numbers.unwrap_or_default().into_iter().zip(row.ids.unwrap_or_default());
                let judged = row.instants.unwrap_or_default().into_iter().zip(row.policies.unwrap_or_default());
                let origin = |((number, run_id), (verified_at, policy_version))| RunOrigin {
                    number,
                    run_id,
                    verified_at,
                    policy_version,
                };
                Grid {
                    owned: Owned { employer, federation_division: row.federation_division },
                    rows: Vec::new(),
                    origins: runs.zip(judged).map(origin).collect(),
                }
            });
            let (Some(person), Some(cells), Some(runs)) = (row.person_id, row.cells, row.runs) else { continue };
            let person = PersonId(person);
            let wrong = |column| move |_| StoreError::inconsistent("verification", column, person.0);
            let (cells, runs) = (cells.try_into().map_err(wrong("cells"))?, runs.try_into().map_err(wrong("runs"))?);
            let (id_number, name) = (row.id_number.unwrap_or_default(), row.name.unwrap_or_default());
            grid.rows.push(GridRow { row: YearRow { person, employer, cells, runs }, id_number, name });
        }
        Ok(grid)
    }

    /// Whose a row is.
    pub fn identity_of(&self, row: &GridRow) -> Result<Identity, StoreError> {
        self.read_identity(row.row.person, &row.id_number, &row.name)
    }

    /// Stored rows of a scope (its year and persons), as they stand now.
    pub async fn year_rows(&self, scope: &Scope) -> Result<Vec<YearRow>, StoreError> {
        self.read_rows("verification", "true", scope).await
    }

    /// Rows of the scope's placements, as they stood at its sequence: what was stored of them at a time of the past, or is now.
    pub async fn placed_rows(&self, scope: &Scope, written: &Written) -> Result<Vec<YearRow>, StoreError> {
        let filter = format!("year = {} and {}", scope.year, scope.person_filter("person_id"));
        let placed = format!(
            "exists (select from placement p where p.person_id = stood.person_id and p.employer_id = stood.employer_id
                     and p.year = {} and {})",
            scope.year,
            scope.entered_sql("p")
        );
        self.read_rows(&written.source(&filter), &placed, scope).await
    }

    async fn read_rows(&self, source: &str, condition: &str, scope: &Scope) -> Result<Vec<YearRow>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let months: Vec<String> = (1..=12).map(|month| format!("cells[{month}], runs[{month}]")).collect();
        let query = format!(
            "select person_id, employer_id, {} from {source} where year = {} and {} and {condition}
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

    /// Writes rows that differ, as judged at a publish sequence, and takes away those of placements that are gone, all or none; keeps what
    /// was there. What was judged at a later sequence, or by a later run at the same one, stands.
    pub async fn save_year_rows(&self, year: i32, seq: i64, run: i32, changes: &Changes) -> Result<(), StoreError> {
        let Changes { rows, gone } = changes;
        // named, so that of the stored rows only this range is looked at and not all of them
        let persons = || rows.iter().map(|changed| changed.row.person.0).chain(gone.iter().map(|(person, _)| person.0));
        let (Some(first), Some(last)) = (persons().min(), persons().max()) else { return Ok(()) };
        let mut transaction = self.begin().await?;
        copy_changed(&mut transaction, changes).await?;
        // in one order, so that two who verify the same persons wait and do not deadlock
        sqlx::query(
            "select from verification v join changed_verification c using (person_id, employer_id)
             where v.year = $1 and v.person_id between $2 and $3 order by v.person_id, v.employer_id for update of v",
        )
        .bind(year as i16)
        .bind(first)
        .bind(last)
        .execute(&mut *transaction)
        .await?;
        self.tell_changed_cells(&mut transaction, (year, seq, run), (first, last)).await?;
        for statement in [KEEP_WHAT_WAS, TAKE_AWAY_WHAT_IS_GONE] {
            sqlx::query(statement)
                .bind(year as i16)
                .bind(seq)
                .bind(run)
                .bind(first)
                .bind(last)
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query(
            "insert into verification (person_id, employer_id, year, cells, runs, seq, cause, pending)
             select person_id, employer_id, $1, cells, runs, $2, cause, pending from changed_verification
             where cells is not null order by person_id, employer_id
             on conflict (person_id, employer_id, year) do update
             set cells = excluded.cells, runs = excluded.runs, seq = excluded.seq, cause = excluded.cause,
                 pending = excluded.pending
             where (verification.seq, (select max(run) from unnest(verification.runs) as run)) <= (excluded.seq, $3)",
        )
        .bind(year as i16)
        .bind(seq)
        .bind(run)
        .execute(&mut *transaction)
        .await?;
        self.ensure_ours(&mut transaction).await?;
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

/// What rows said, before it is written over or taken away. Bound: year, sequence, run, first and last person.
const KEEP_WHAT_WAS: &str = "insert into verification_history (person_id, employer_id, year, cells, runs, seq, cause, replaced_by)
     select v.person_id, v.employer_id, v.year, v.cells, v.runs, v.seq, v.cause, $3
     from verification v join changed_verification c using (person_id, employer_id)
     where v.year = $1 and v.person_id between $4 and $5 and (v.seq, (select max(run) from unnest(v.runs) as run)) <= ($2, $3)
     on conflict on constraint verification_history_is_one do nothing";

/// Bound likewise.
const TAKE_AWAY_WHAT_IS_GONE: &str = "delete from verification v using changed_verification c
     where v.person_id = c.person_id and v.employer_id = c.employer_id and c.cells is null
       and v.year = $1 and v.person_id between $4 and $5 and (v.seq, (select max(run) from unnest(v.runs) as run)) <= ($2, $3)";

/// Those that are gone have no cells.
async fn copy_changed(connection: &mut PgConnection, changes: &Changes) -> Result<(), StoreError> {
    sqlx::query(
        "create temporary table changed_verification
             (person_id bigint, employer_id integer, cells integer[], runs integer[], cause smallint, pending smallint)
         on commit drop",
    )
    .execute(&mut *connection)
    .await?;
    let mut copy = CopyRows::default();
    for ChangedRow { row, cause, pending } in &changes.rows {
        copy.begin(6)
            .int8(row.person.0)
            .int4(row.employer.0)
            .int4_array(&row.cells)
            .int4_array(&row.runs)
            .int2(*cause)
            .int2(*pending);
    }
    for (person, employer) in &changes.gone {
        copy.begin(6).int8(person.0).int4(employer.0).null().null().null().null();
    }
    copy.send(connection, "changed_verification").await?;
    Ok(())
}
