//! Looks at both sides' statements, and the differences that they found, open until they are gone or a person has settled them.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::audit::Act;
use super::change::Change;
use super::{Store, StoreError};
use crate::domain::access::Actor;
use crate::domain::reconciliation::{Class, Detail};

/// A difference as it was found now.
#[derive(Clone, Debug)]
pub struct Found {
    pub uscc: String,
    pub class: Class,
    pub detail: Detail,
}

/// A difference as it is kept.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DifferenceLine {
    pub difference_id: i64,
    pub uscc: String,
    pub year: i16,
    pub class: Class,
    pub detail: Detail,
    pub first_seen_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
    pub closed_why: Option<String>,
    pub settled_by: Option<String>,
}

/// What both sides told of a year.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub rows_here: u64,
    pub rows_there: u64,
    /// In hexadecimal.
    pub digest_here: String,
    pub digest_there: String,
    /// Rows that differ because of messages on their way.
    pub under_way: u64,
    /// Why the statement was not believed, if it was not.
    pub refused: Option<String>,
}

/// What a look changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Concluded {
    /// Differences that there were not before.
    pub opened: u64,
    /// Differences that are gone.
    pub closed: u64,
    /// Messages about which the department is asked again.
    pub asked: u64,
}

/// A look at one year that is under way: all that it finds is stored together, or nothing.
#[derive(Debug)]
pub struct Reconciling {
    change: Change,
    year: i16,
    began_at: DateTime<Utc>,
    concluded: Concluded,
}

/// Open differences of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferenceFigure {
    pub class: Class,
    pub count: i64,
    /// Of these, how many were seen more than once.
    pub lasting: i64,
    pub oldest_at: DateTime<Utc>,
}

/// A year whose last statement was not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedStatement {
    pub year: i16,
    pub at: DateTime<Utc>,
    pub why: String,
}

/// An arbitrary number among the advisory locks of the database; with it goes the year.
const RECONCILE_LOCK: i32 = 0x7265_636F;

/// As the audit names who asks again.
const PROGRAM: &str = "renzheng";

/// As differences are closed that are gone by themselves.
const GONE: &str = "both sides hold the same, or what differs is on its way";

/// Where findings lie until all of them are there: nobody else's row is locked while the department is read.
const STAGES: [&str; 2] = [
    "create temporary table found (uscc text primary key, class text not null, detail jsonb not null) on commit drop",
    "create temporary table asked (message_id uuid primary key) on commit drop",
];

impl Reconciling {
    /// Keeps these as open, in place of whatever was open of the same employers, once the look is concluded.
    pub async fn note(&mut self, found: &[Found]) -> Result<(), StoreError> {
        let codes: Vec<&str> = found.iter().map(|one| one.uscc.as_str()).collect();
        let classes: Vec<&str> = found.iter().map(|one| one.class.as_str()).collect();
        let details: Result<Vec<_>, _> = found.iter().map(|one| serde_json::to_value(&one.detail)).collect();
        let details = details.map_err(|_| StoreError::frame("a difference that is no JSON"))?;
        sqlx::query(
            "insert into found (uscc, class, detail) select * from unnest($1::text[], $2::text[], $3::jsonb[])",
        )
        .bind(codes)
        .bind(classes)
        .bind(details)
        .persistent(false)
        .execute(self.change.connection())
        .await?;
        Ok(())
    }

    /// Has the department asked about these again, which are answered for good, once the look is concluded.
    pub async fn ask_again(&mut self, message_ids: &[Uuid]) -> Result<(), StoreError> {
        sqlx::query("insert into asked (message_id) select distinct unnest($1::uuid[]) on conflict do nothing")
            .bind(message_ids)
            .persistent(false)
            .execute(self.change.connection())
            .await?;
        Ok(())
    }

    /// Puts what was found where everybody sees it, with one row of the audit for what is asked again.
    async fn store_findings(&mut self) -> Result<(), StoreError> {
        sqlx::query(
            "update difference d set closed_at = $2, closed_why = 'became ' || f.class
             from found f where d.uscc = f.uscc and d.year = $1 and d.closed_at is null and d.class <> f.class",
        )
        .bind(self.year)
        .bind(self.began_at)
        .persistent(false)
        .execute(self.change.connection())
        .await?;
        let opened: i64 = sqlx::query_scalar(
            "with stored as (
                 insert into difference (uscc, year, class, detail, first_seen_at, last_seen_at)
                 select uscc, $1, class, detail, $2, $2 from found
                 on conflict (uscc, year) where closed_at is null do update set detail = excluded.detail, last_seen_at = excluded.last_seen_at
                 returning xmax = 0 as is_new)
             select count(*) filter (where is_new) from stored",
        )
        .bind(self.year)
        .bind(self.began_at)
        .persistent(false)
        .fetch_one(self.change.connection())
        .await?;
        let asked = sqlx::query(
            "update outbox o set checking = 'ask', next_attempt_at = $1
             from asked a where o.message_id = a.message_id and state in ('accepted', 'rejected') and not overtaken and checking is null",
        )
        .bind(self.began_at)
        .persistent(false)
        .execute(self.change.connection())
        .await?;
        (self.concluded.opened, self.concluded.asked) = (opened as u64, asked.rows_affected());
        if self.concluded.asked > 0 {
            let program = Actor::program(PROGRAM);
            let act = Act::operate(self.began_at, &program, "ask_again", format!("outbox {}", self.year), None);
            self.change.record(&act.with("messages", self.concluded.asked)).await?;
        }
        Ok(())
    }

    /// What was open of these employers and is not any more is gone.
    pub async fn close_of(&mut self, codes: &[String]) -> Result<(), StoreError> {
        let done = sqlx::query!(
            "update difference set closed_at = $3, closed_why = $4 where year = $1 and uscc = any($2) and closed_at is null",
            self.year,
            codes,
            self.began_at,
            GONE
        )
        .execute(self.change.connection())
        .await?;
        self.concluded.closed += done.rows_affected();
        Ok(())
    }

    /// Stores what was found of some employers of the year.
    pub async fn conclude_some(mut self) -> Result<Concluded, StoreError> {
        self.store_findings().await?;
        self.change.commit().await?;
        Ok(self.concluded)
    }

    /// The whole year was looked at: what was not seen again is gone. A statement that was not believed changes nothing, but that it came.
    pub async fn conclude(mut self, totals: &Totals, at: DateTime<Utc>) -> Result<Concluded, StoreError> {
        self.store_findings().await?;
        if totals.refused.is_none() {
            let done = sqlx::query!(
                "update difference set closed_at = $2, closed_why = $3 where year = $1 and closed_at is null and last_seen_at < $2",
                self.year,
                self.began_at,
                GONE
            )
            .execute(self.change.connection())
            .await?;
            self.concluded.closed += done.rows_affected();
        }
        sqlx::query!(
            "insert into reconciliation (year, began_at, ended_at, rows_here, rows_there, digest_here, digest_there, under_way, refused)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            self.year,
            self.began_at,
            at,
            totals.rows_here as i64,
            totals.rows_there as i64,
            totals.digest_here,
            totals.digest_there,
            totals.under_way as i64,
            totals.refused
        )
        .execute(self.change.connection())
        .await?;
        self.change.commit().await?;
        Ok(self.concluded)
    }

    /// Leaves no trace.
    pub async fn abandon(self) -> Result<(), StoreError> {
        self.change.abandon().await
    }
}

impl Store {
    /// Begins a look at a year; one at a time.
    pub async fn begin_reconciliation(&self, year: i16, began_at: DateTime<Utc>) -> Result<Reconciling, StoreError> {
        let mut change = self.change().await?;
        sqlx::query("select pg_advisory_xact_lock($1, $2)")
            .bind(RECONCILE_LOCK)
            .bind(i32::from(year))
            .execute(change.connection())
            .await?;
        for stage in STAGES {
            sqlx::query(stage).persistent(false).execute(change.connection()).await?;
        }
        Ok(Reconciling { change, year, began_at, concluded: Concluded::default() })
    }

    /// How many rows the department told when its statement of the year was last believed.
    pub async fn find_last_rows_there(&self, year: i16) -> Result<Option<u64>, StoreError> {
        let rows = sqlx::query_scalar!(
            "select rows_there from reconciliation where year = $1 and refused is null order by reconciliation_id desc limit 1",
            year
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(rows.map(|rows| rows as u64))
    }

    /// Differences, oldest first: those that are open, or all.
    pub async fn list_differences(
        &self,
        all: bool,
        after: Option<i64>,
        limit: i64,
    ) -> Result<Vec<DifferenceLine>, StoreError> {
        let rows = sqlx::query_as!(
            StoredDifference,
            "select difference_id, uscc, year, class, detail, first_seen_at, last_seen_at, closed_at, closed_why, settled_by
             from difference where ($1 or closed_at is null) and ($2::bigint is null or difference_id > $2) order by difference_id limit $3",
            all,
            after,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(StoredDifference::read).collect()
    }

    /// Differences that an employer's year has or had, oldest first.
    pub async fn differences_of(&self, uscc: &str, year: i16) -> Result<Vec<DifferenceLine>, StoreError> {
        let rows = sqlx::query_as!(
            StoredDifference,
            "select difference_id, uscc, year, class, detail, first_seen_at, last_seen_at, closed_at, closed_why, settled_by
             from difference where uscc = $1 and year = $2 order by difference_id",
            uscc,
            year
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(StoredDifference::read).collect()
    }

    /// Open differences by class.
    pub async fn difference_figures(&self) -> Result<Vec<DifferenceFigure>, StoreError> {
        let rows = sqlx::query!(
            r#"select class, count(*) as "count!", count(*) filter (where last_seen_at > first_seen_at) as "lasting!", min(first_seen_at) as "oldest_at!"
               from difference where closed_at is null group by class order by class"#
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let class = read_class(&row.class, &row.class)?;
                Ok(DifferenceFigure { class, count: row.count, lasting: row.lasting, oldest_at: row.oldest_at })
            })
            .collect()
    }

    /// Years whose last statement was not believed.
    pub async fn list_refused_statements(&self) -> Result<Vec<RefusedStatement>, StoreError> {
        Ok(sqlx::query_as!(
            RefusedStatement,
            r#"select year, ended_at as at, refused as "why!" from
                 (select distinct on (year) year, ended_at, refused from reconciliation order by year, reconciliation_id desc) latest
               where refused is not null order by year"#
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

pub(super) struct StoredDifference {
    pub(super) difference_id: i64,
    pub(super) uscc: String,
    pub(super) year: i16,
    pub(super) class: String,
    pub(super) detail: serde_json::Value,
    pub(super) first_seen_at: DateTime<Utc>,
    pub(super) last_seen_at: DateTime<Utc>,
    pub(super) closed_at: Option<DateTime<Utc>>,
    pub(super) closed_why: Option<String>,
    pub(super) settled_by: Option<String>,
}

fn read_class(word: &str, row: &str) -> Result<Class, StoreError> {
    Class::parse(word).ok_or_else(|| StoreError::inconsistent("difference", "class", row))
}

impl StoredDifference {
    pub(super) fn read(self) -> Result<DifferenceLine, StoreError> {
        let Self {
            difference_id,
            uscc,
            year,
            class,
            detail,
            first_seen_at,
            last_seen_at,
            closed_at,
            closed_why,
            settled_by,
        } = self;
        let class = read_class(&class, &difference_id.to_string())?;
        let detail = serde_json::from_value(detail)
            .map_err(|_| StoreError::inconsistent("difference", "detail", difference_id))?;
        Ok(DifferenceLine {
            difference_id,
            uscc,
            year,
            class,
            detail,
            first_seen_at,
            last_seen_at,
            closed_at,
            closed_why,
            settled_by,
        })
    }
}
