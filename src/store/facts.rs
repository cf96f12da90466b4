//! Facts out of Postgres as columns: what a verification at a publish sequence reads.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Postgres};

use super::frames::{Column, Width, copy_out};
use super::jobs::{JobSettings, SourceId, word};
use super::{Store, StoreError};
use crate::clock;
use crate::domain::facts::{DispatchFiling, FilingStatus, PersonId, RecordKind, UnitId, VersionId};
use crate::domain::month::Month;

/// Which placements are read: those of a business year, as they stood at a publish sequence.
#[derive(Clone, Debug)]
pub struct Scope {
    pub year: i32,
    pub seq: i64,
    pub persons: Persons,
}

/// One of so many parts into which persons fall by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub number: u16,
    pub of: u16,
}

impl Shard {
    /// Everybody.
    pub const WHOLE: Self = Self { number: 0, of: 1 };

    /// SQL over integers only.
    fn sql(self, column: &str) -> String {
        if self.of == 1 { "true".to_owned() } else { format!("{column} % {} = {}", self.of, self.number) }
    }
}

#[derive(Clone, Debug)]
pub enum Persons {
    /// `after < person ≤ up_to`: a chunk of everybody.
    Range {
        after: i64,
        up_to: i64,
        shard: Shard,
    },
    These(Vec<PersonId>),
}

impl Scope {
    /// SQL over integers only: COPY takes no parameters.
    pub(super) fn person_filter(&self, column: &str) -> String {
        match &self.persons {
            Persons::Range { after, up_to, shard } => {
                format!("{column} > {after} and {column} <= {up_to} and {}", shard.sql(column))
            }
            Persons::These(persons) => {
                let list: Vec<String> = persons.iter().map(|person| person.0.to_string()).collect();
                format!("{column} = any('{{{}}}'::bigint[])", list.join(","))
            }
        }
    }

    pub(super) fn entered_sql(&self, alias: &str) -> String {
        let seq = self.seq;
        format!("{alias}.from_seq <= {seq} and ({alias}.to_seq is null or {alias}.to_seq > {seq})")
    }

    /// Versions in force; `v` is the record's table, `b` its batch.
    fn in_force_sql(&self) -> String {
        let seq = self.seq;
        format!("b.published_seq <= {seq} and (v.superseded_seq is null or v.superseded_seq > {seq}) and not v.deleted")
    }

    /// January of the year to January of the next: wages may lag a month.
    fn periods_sql(&self) -> String {
        let january = self.year * 12;
        format!("v.period between {january} and {}", january + 12)
    }
}

/// Columns by name, all of one length.
#[derive(Debug)]
pub struct Columns {
    named: Vec<(&'static str, Column)>,
}

impl Columns {
    /// Takes one column out.
    pub fn take_int4(&mut self, name: &str) -> Result<Vec<i32>, StoreError> {
        self.take(name)?.into_int4()
    }

    pub fn take_int8(&mut self, name: &str) -> Result<Vec<i64>, StoreError> {
        self.take(name)?.into_int8()
    }

    fn take(&mut self, name: &str) -> Result<Column, StoreError> {
        let place = self.named.iter().position(|(other, _)| *other == name);
        place
            .map(|place| self.named.swap_remove(place).1)
            .ok_or_else(|| StoreError::frame("a column that was not asked for"))
    }
}

async fn columns(
    connection: &mut PoolConnection<Postgres>,
    names: &[(&'static str, Width)],
    query: &str,
) -> Result<Columns, StoreError> {
    let widths: Vec<Width> = names.iter().map(|(_, width)| *width).collect();
    let columns = copy_out(connection, query, &widths).await?;
    Ok(Columns { named: names.iter().map(|(name, _)| *name).zip(columns).collect() })
}

use Width::{Eight, Four};

/// How fresh one source is, at a sequence.
#[derive(Clone, Debug)]
pub struct Freshness {
    pub source: SourceId,
    pub settings: JobSettings,
    /// Shanghai date on which the fetch of the last whole pull (published, or found unchanged) that covered what the job covers began.
    pub last_whole_on: Option<NaiveDate>,
    /// People who were concerned at this publish have all their records; those concerned later not yet.
    pub complete_seq: i64,
}

/// A refused record that is open: what may be missing.
#[derive(Clone, Copy, Debug)]
pub struct OpenRefusal {
    pub record: RecordKind,
    pub person: Option<PersonId>,
    pub unit: Option<UnitId>,
    pub period: Option<Month>,
    pub scheme: Option<u8>,
}

/// `record`, `person_id`, `unit_id`, `period`, `scheme`.
type RefusalRow = (i16, Option<i64>, Option<i32>, Option<i32>, Option<i16>);

impl Store {
    /// Ranges of persons of a shard that hold at most `size` placed persons each.
    pub async fn person_ranges(
        &self,
        year: i32,
        seq: i64,
        shard: Shard,
        size: i64,
    ) -> Result<Vec<Persons>, StoreError> {
        let mut ends: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(format!(
            "select max(person_id) from (
                 select person_id, (dense_rank() over (order by person_id) - 1) / $3 as chunk from placement
                 where year = $1 and from_seq <= $2 and (to_seq is null or to_seq > $2) and {}) as placed
             group by chunk order by 1",
            shard.sql("person_id")
        )))
        .bind(year as i16)
        .bind(seq)
        .bind(size)
        .fetch_all(&self.pool)
        .await?;
        // whoever is placed no more may have results that are to go
        let judged: Option<i64> =
            sqlx::query_scalar!("select max(person_id) from verification where year = $1", year as i16)
                .fetch_one(&self.pool)
                .await?;
        match (ends.last_mut(), judged) {
            (Some(last), Some(judged)) => *last = judged.max(*last),
            (None, Some(judged)) => ends.push(judged),
            (_, None) => {}
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        Ok(starts.zip(ends.iter().copied()).map(|(after, up_to)| Persons::Range { after, up_to, shard }).collect())
    }

    /// Everybody who is placed at the employer in that year.
    pub async fn placed_persons(&self, year: i32, employer: UnitId, seq: i64) -> Result<Vec<PersonId>, StoreError> {
        let rows = sqlx::query_scalar!(
            "select person_id from placement
             where employer_id = $1 and year = $2 and from_seq <= $3 and (to_seq is null or to_seq > $3)",
            employer.0,
            year as i16,
            seq
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(PersonId).collect())
    }

    /// The divisions of the employers who say no wage class themselves, each once.
    pub async fn list_divisions_without_own_class(&self, seq: i64) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar!(
            "select distinct division from employer
             where wage_class is null and from_seq <= $1 and (to_seq is null or to_seq > $1)",
            seq
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Employers of these divisions who say no wage class themselves: each with its division and how many placements it has in the year.
    pub async fn count_placements_in(
        &self,
        divisions: &[String],
        year: i32,
        seq: i64,
    ) -> Result<Vec<(UnitId, String, u64)>, StoreError> {
        let rows = sqlx::query!(
            r#"select employer_id, division, count(*) as "placements!" from employer e join placement p using (employer_id)
               where e.wage_class is null and e.division = any($1) and e.from_seq <= $3 and (e.to_seq is null or e.to_seq > $3)
                 and p.year = $2 and p.from_seq <= $3 and (p.to_seq is null or p.to_seq > $3)
               group by employer_id, division"#,
            divisions,
            year as i16,
            seq
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (UnitId(row.employer_id), row.division, row.placements as u64)).collect())
    }

    /// `person_id`, `concerned_seq` (wide); `employer_id`, `dispatch_unit`, `wage_payer`, `pension_payer`, `medical_payer`,
    /// `retirement_track`, `born_on`, `sex`; by person and employer.
    pub async fn placement_columns(&self, scope: &Scope) -> Result<Columns, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let query = format!(
            "select p.person_id, e.concerned_seq, p.employer_id, p.dispatch_unit, p.wage_payer, p.pension_payer,
                    p.medical_payer, p.retirement_track::int, e.born_on, e.sex::int
             from placement p join person e using (person_id)
             where p.year = {} and {} and {} order by p.person_id, p.employer_id",
            scope.year,
            scope.entered_sql("p"),
            scope.person_filter("p.person_id")
        );
        let names = [
            ("person_id", Eight),
            ("concerned_seq", Eight),
            ("employer_id", Four),
            ("dispatch_unit", Four),
            ("wage_payer", Four),
            ("pension_payer", Four),
            ("medical_payer", Four),
            ("retirement_track", Four),
            ("born_on", Four),
            ("sex", Four),
        ];
        columns(&mut connection, &names, &query).await
    }

    /// `person_id`, `version_id`, `amount_fen` (wide); `period`, `payer`.
    pub async fn wage_columns(&self, scope: &Scope) -> Result<Columns, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let query = format!(
            "select v.person_id, v.version_id, v.amount_fen, v.period, v.payer
             from wage v join batch b using (batch_id) where {} and {} and {}",
            scope.in_force_sql(),
            scope.periods_sql(),
            scope.person_filter("v.person_id")
        );
        let names =
            [("person_id", Eight), ("version_id", Eight), ("amount_fen", Eight), ("period", Four), ("payer", Four)];
        columns(&mut connection, &names, &query).await
    }

    /// `person_id`, `version_id` (wide); `period`, `scheme`, `coverage`, `insured`, `status`, `payment`.
    pub async fn insurance_columns(&self, scope: &Scope) -> Result<Columns, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let query = format!(
            "select v.person_id, v.version_id, v.period, v.scheme::int, v.coverage::int, v.insured, v.status::int,
                    v.payment::int
             from insurance v join batch b using (batch_id) where {} and {} and {}",
            scope.in_force_sql(),
            scope.periods_sql(),
            scope.person_filter("v.person_id")
        );
        let names = [
            ("person_id", Eight),
            ("version_id", Eight),
            ("period", Four),
            ("scheme", Four),
            ("coverage", Four),
            ("insured", Four),
            ("status", Four),
            ("payment", Four),
        ];
        columns(&mut connection, &names, &query).await
    }

    /// `person_id`, `version_id`, `updated_at` (wide); `kind`, `level`, `valid_from`, `valid_to`, `status`, `status_since`.
    pub async fn certificate_columns(&self, scope: &Scope) -> Result<Columns, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let query = format!(
            "select v.person_id, v.version_id, v.updated_at, v.kind::int, v.level::int, v.valid_from, v.valid_to,
                    v.status::int, v.status_since
             from certificate v join batch b using (batch_id) where {} and {}",
            scope.in_force_sql(),
            scope.person_filter("v.person_id")
        );
        let names = [
            ("person_id", Eight),
            ("version_id", Eight),
            ("updated_at", Eight),
            ("kind", Four),
            ("level", Four),
            ("valid_from", Four),
            ("valid_to", Four),
            ("status", Four),
            ("status_since", Four),
        ];
        columns(&mut connection, &names, &query).await
    }

    /// `person_id` (wide); `employer_id`, `kind`, `starts_on`, `ends_on`, `terminated_on`.
    pub async fn contract_columns(&self, scope: &Scope) -> Result<Columns, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let query = format!(
            "select c.person_id, c.employer_id, c.kind::int, c.starts_on, c.ends_on, c.terminated_on from contract c
             where c.year = {} and {} and {}",
            scope.year,
            scope.entered_sql("c"),
            scope.person_filter("c.person_id")
        );
        let names = [
            ("person_id", Eight),
            ("employer_id", Four),
            ("kind", Four),
            ("starts_on", Four),
            ("ends_on", Four),
            ("terminated_on", Four),
        ];
        columns(&mut connection, &names, &query).await
    }

    /// `person_id` (wide); `month`, `employer_id`, `what`: who holds a month (0), who unticked it (1), and for whom it was decided (2).
    pub async fn stake_columns(&self, scope: &Scope) -> Result<Columns, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let january = scope.year * 12;
        let part = |table: &str, what: &str, filter: &str| {
            format!(
                "select s.person_id, s.month, s.employer_id, {what} from {table} s
                 where s.month between {january} and {} and {} and {}{filter}",
                january + 11,
                scope.entered_sql("s"),
                scope.person_filter("s.person_id")
            )
        };
        let parts =
            [part("claim", "0", ""), part("choice", "1", " and not s.ticked"), part("conflict_decision", "2", "")];
        let names = [("person_id", Eight), ("month", Four), ("employer_id", Four), ("what", Four)];
        columns(&mut connection, &names, &parts.join(" union all ")).await
    }

    /// Filings in force, all of them: they are few.
    pub async fn dispatch_filings(&self, seq: i64) -> Result<Vec<DispatchFiling>, StoreError> {
        let rows = sqlx::query!(
            r#"select version_id, dispatcher as "dispatcher!", province as "province!", valid_from as "valid_from!",
                      valid_to, status as "status!"
               from dispatch_filing v join batch b using (batch_id)
               where b.published_seq <= $1 and (superseded_seq is null or superseded_seq > $1) and not deleted
               order by version_id"#,
            seq
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(DispatchFiling {
                    version: VersionId(row.version_id),
                    dispatcher: UnitId(row.dispatcher),
                    province: row.province as u8,
                    valid_from: row.valid_from,
                    valid_to: row.valid_to,
                    status: word(row.status, FilingStatus::from_number)
                        .ok_or_else(|| StoreError::inconsistent("dispatch_filing", "status", row.version_id))?,
                })
            })
            .collect()
    }

    /// Every source known at a sequence, with its freshness.
    pub async fn freshness(&self, seq: i64) -> Result<Vec<Freshness>, StoreError> {
        let pulls: HashMap<i16, (DateTime<Utc>, i64)> = sqlx::query!(
            r#"select b.source_id, max(b.began_at) as "began_at!",
                      max(coalesce(b.complete_seq, case when j.concerned_only then b.began_seq else 9223372036854775807 end)) as "complete_seq!"
               from batch b join job j on j.source_id = b.source_id and j.from_seq <= $1 and (j.to_seq is null or j.to_seq > $1)
               where b.published_seq <= $1 and b.asked in ('everything', 'changes') and b.record = j.record
                 and (b.schemes = '{}' or b.schemes = j.schemes) and (b.divisions = '{}' or b.divisions = j.divisions)
               group by b.source_id"#,
            seq
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| (row.source_id, (row.began_at, row.complete_seq)))
        .collect();
        Ok(self
            .list_jobs(seq)
            .await?
            .into_iter()
            .map(|(source, settings)| {
                let pull = pulls.get(&source.0);
                let unpulled = if settings.concerned_only { i64::MIN } else { i64::MAX };
                Freshness {
                    source,
                    settings,
                    last_whole_on: pull.map(|(began_at, _)| clock::business_date(*began_at)),
                    complete_seq: pull.map_or(unpulled, |(_, complete_seq)| *complete_seq),
                }
            })
            .collect())
    }

    /// Refused records that are open at the sequence: of the persons in scope, and of filings (which have no person).
    pub async fn open_refusals(&self, scope: &Scope) -> Result<Vec<OpenRefusal>, StoreError> {
        let seq = scope.seq;
        // two questions in one: from the persons to what was refused of them, whatever else was refused, and what is of no person
        let open = format!("b.published_seq <= {seq} and (q.closed_seq is null or q.closed_seq > {seq})");
        let rows: Vec<RefusalRow> = sqlx::query_as(AssertSqlSafe(format!(
            "select b.record, p.person_id, q.unit_id, q.period, q.scheme
                 from person p join quarantine q on q.id_index = p.id_index join batch b using (batch_id)
                 where {open} and {}
             union all
             select b.record, null, q.unit_id, q.period, q.scheme from quarantine q join batch b using (batch_id)
                 where {open} and q.id_index is null and b.record = {} and q.unit_id is not null",
            scope.person_filter("p.person_id"),
            RecordKind::DispatchFiling.number()
        )))
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(record, person, unit, period, scheme)| {
                Ok(OpenRefusal {
                    record: word(record, RecordKind::from_number)
                        .ok_or_else(|| StoreError::inconsistent("batch", "record", record))?,
                    person: person.map(PersonId),
                    unit: unit.map(UnitId),
                    period: period.and_then(Month::from_index),
                    scheme: scheme.and_then(|scheme| u8::try_from(scheme).ok()),
                })
            })
            .collect()
    }
}
