//! Looks at both sides' statements, and the differences that they found, open until they are gone or a person has settled them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::change::Change;
use super::publish::Publish;
use super::{Store, StoreError};
use crate::domain::facts::UnitId;
use crate::domain::message::Message;
use crate::domain::reconciliation::{Class, Detail};
use crate::domain::statement::Answered;

/// A difference as it was found now.
#[derive(Clone, Debug)]
pub struct Found {
    pub uscc: String,
    pub class: Class,
    pub detail: Detail,
}

/// A difference as it is kept.
#[derive(Clone, Debug, Serialize)]
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

/// As differences are closed that are gone by themselves.
const GONE: &str = "both sides hold the same, or what differs is on its way";

impl Reconciling {
    /// Keeps these as open, in place of whatever was open of the same employers.
    pub async fn note(&mut self, found: &[Found]) -> Result<(), StoreError> {
        let codes: Vec<String> = found.iter().map(|one| one.uscc.clone()).collect();
        let classes: Vec<String> = found.iter().map(|one| one.class.as_str().to_owned()).collect();
        let details: Result<Vec<_>, _> = found.iter().map(|one| serde_json::to_value(&one.detail)).collect();
        let details = details.map_err(|_| StoreError::frame("a difference that is no JSON"))?;
        sqlx::query!(
            "update difference d set closed_at = $4, closed_why = 'became ' || f.class
             from unnest($2::text[], $3::text[]) as f (uscc, class)
             where d.uscc = f.uscc and d.year = $1 and d.closed_at is null and d.class <> f.class",
            self.year,
            &codes,
            &classes,
            self.began_at
        )
        .execute(self.change.connection())
        .await?;
        let opened = sqlx::query_scalar!(
            r#"insert into difference (uscc, year, class, detail, first_seen_at, last_seen_at)
               select f.uscc, $1, f.class, f.detail, $5, $5 from unnest($2::text[], $3::text[], $4::jsonb[]) as f (uscc, class, detail)
               on conflict (uscc, year) where closed_at is null do update set detail = excluded.detail, last_seen_at = excluded.last_seen_at
               returning xmax = 0 as "is_new!""#,
            self.year,
            &codes,
            &classes,
            &details,
            self.began_at
        )
        .fetch_all(self.change.connection())
        .await?;
        self.concluded.opened += opened.into_iter().filter(|is_new| *is_new).count() as u64;
        Ok(())
    }

    /// Has the department asked about these again, which are answered for good.
    pub async fn ask_again(&mut self, message_ids: &[Uuid]) -> Result<(), StoreError> {
        let done = sqlx::query!(
            "update outbox set checking = 'ask', next_attempt_at = $2
             where message_id = any($1) and state in ('accepted', 'rejected') and not overtaken and checking is null",
            message_ids,
            self.began_at
        )
        .execute(self.change.connection())
        .await?;
        self.concluded.asked += done.rows_affected();
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
    pub async fn conclude_some(self) -> Result<Concluded, StoreError> {
        self.change.commit().await?;
        Ok(self.concluded)
    }

    /// The whole year was looked at: what was not seen again is gone. A statement that was not believed changes nothing, but that it came.
    pub async fn conclude(mut self, totals: &Totals, at: DateTime<Utc>) -> Result<Concluded, StoreError> {
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
    pub async fn list_differences(&self, all: bool, limit: i64) -> Result<Vec<DifferenceLine>, StoreError> {
        let rows = sqlx::query_as!(
            StoredDifference,
            "select difference_id, uscc, year, class, detail, first_seen_at, last_seen_at, closed_at, closed_why, settled_by
             from difference where $1 or closed_at is null order by difference_id limit $2",
            all,
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

struct StoredDifference {
    difference_id: i64,
    uscc: String,
    year: i16,
    class: String,
    detail: serde_json::Value,
    first_seen_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    closed_why: Option<String>,
    settled_by: Option<String>,
}

fn read_class(word: &str, row: &str) -> Result<Class, StoreError> {
    Class::parse(word).ok_or_else(|| StoreError::inconsistent("difference", "class", row))
}

impl StoredDifference {
    fn read(self) -> Result<DifferenceLine, StoreError> {
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

/// A message of ours; the department may name others, which are none.
fn id_of(message_id: &str) -> Option<Uuid> {
    Uuid::parse_str(message_id).ok()
}

/// Whoever settles a difference, and why.
#[derive(Clone, Copy, Debug)]
pub struct SettledBy<'a> {
    pub by: &'a str,
    pub why: &'a str,
    pub at: DateTime<Utc>,
}

impl Publish {
    /// The open difference of an employer's year, locked until this change ends.
    pub async fn lock_difference(&mut self, uscc: &str, year: i16) -> Result<Option<DifferenceLine>, StoreError> {
        let row = sqlx::query_as!(
            StoredDifference,
            "select difference_id, uscc, year, class, detail, first_seen_at, last_seen_at, closed_at, closed_why, settled_by
             from difference where uscc = $1 and year = $2 and closed_at is null for update",
            uscc,
            year
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(StoredDifference::read).transpose()
    }

    pub async fn settle_difference(&mut self, difference_id: i64, settled: SettledBy<'_>) -> Result<(), StoreError> {
        let done = sqlx::query!(
            "update difference set closed_at = $2, closed_why = $3, settled_by = $4 where difference_id = $1 and closed_at is null",
            difference_id,
            settled.at,
            settled.why,
            settled.by
        )
        .execute(self.connection())
        .await?;
        super::ensure_affected(&done, 1)
    }

    /// These are not sent, and count as no messages of ours.
    pub async fn overtake(&mut self, employer: UnitId, year: i16, messages: &[Message]) -> Result<(), StoreError> {
        let versions: Vec<i32> = messages.iter().map(|message| message.version as i32).collect();
        let kinds: Vec<String> = messages.iter().map(|message| message.kind.as_str().to_owned()).collect();
        let attempts: Vec<i32> = messages.iter().map(|message| message.attempt as i32).collect();
        sqlx::query!(
            "update outbox o set state = 'rejected', overtaken = true, applied = true,
                    answer = jsonb_build_object('code', 'overtaken', 'text', 'the department had gone on without this message, which was not sent')
             from unnest($3::int[], $4::text[], $5::int[]) as m (version, kind, attempt)
             where o.employer_id = $1 and o.year = $2 and o.version = m.version and o.kind = m.kind and o.attempt = m.attempt
               and o.state in ('waiting', 'sent', 'unknown')",
            employer.0,
            year,
            &versions,
            &kinds,
            &attempts
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes over what the department had received and we do not know: these messages, and `more` of which nothing is known.
    pub async fn save_recovery(
        &mut self,
        employer: UnitId,
        year: i16,
        messages: &[Answered],
        more: i64,
        settled: SettledBy<'_>,
    ) -> Result<(), StoreError> {
        let recovery_id = sqlx::query_scalar!(
            "insert into recovery (employer_id, year, messages, recovered_at, recovered_by, why) values ($1, $2, $3, $4, $5, $6)
             returning recovery_id",
            employer.0,
            year,
            more as i32,
            settled.at,
            settled.by,
            settled.why
        )
        .fetch_one(self.connection())
        .await?;
        for one in messages {
            sqlx::query!(
                "insert into recovered_message (recovery_id, message_id, employer_id, year, version, kind, attempt, idempotency_key, digest, state,
                                                receipt, person_count, weighted_person_months, lapsed)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
                recovery_id,
                one.message_id,
                employer.0,
                year,
                one.message.version as i32,
                one.message.kind.as_str(),
                one.message.attempt as i32,
                one.idempotency_key,
                one.digest,
                one.answer.as_str(),
                one.receipt,
                one.person_count as i64,
                one.weighted_person_months as i64,
                one.lapsed
            )
            .execute(self.connection())
            .await?;
        }
        Ok(())
    }

    /// The department rejected what it had accepted: what it said of that, where it was asked, else `otherwise`. The receipt stays as the trace of the acceptance.
    pub async fn take_rejection(
        &mut self,
        message_id: &str,
        otherwise: &serde_json::Value,
    ) -> Result<Option<serde_json::Value>, StoreError> {
        let said = sqlx::query_scalar!(
            "update outbox set state = 'rejected', answer = coalesce(contradicted, $2), contradicted = null, applied = true
             where message_id = $1 and state = 'accepted' returning answer",
            id_of(message_id),
            otherwise
        )
        .fetch_optional(self.connection())
        .await?;
        sqlx::query!(
            "update recovered_message set state = 'rejected' where message_id = $1 and state = 'accepted'",
            message_id
        )
        .execute(self.connection())
        .await?;
        Ok(said.flatten())
    }

    /// The department accepted what it had rejected.
    pub async fn take_acceptance(&mut self, message_id: &str, receipt: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "update outbox set state = 'accepted', receipt = $2, contradicted = null, applied = true
             where message_id = $1 and state = 'rejected'",
            id_of(message_id),
            receipt
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "update recovered_message set state = 'accepted', receipt = $2 where message_id = $1 and state = 'rejected'",
            message_id,
            receipt
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The department took out of force what it had accepted.
    pub async fn lapse(&mut self, message_id: &str) -> Result<(), StoreError> {
        sqlx::query!("update outbox set lapsed = true where message_id = $1", id_of(message_id))
            .execute(self.connection())
            .await?;
        sqlx::query!("update recovered_message set lapsed = true where message_id = $1", message_id)
            .execute(self.connection())
            .await?;
        Ok(())
    }
}
