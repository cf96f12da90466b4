//! Deliveries: opened, fetched page by page, then made visible in one short transaction, held, or given up.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::jobs::SourceId;
use super::people;
use super::publish::Cause;
use super::{Store, StoreError, ensure_affected};
use crate::crypto::Place;
use crate::domain::facts::RecordKind;

/// What happened to the rows that were read: `read = new + changed + same + older + refused + dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    pub read: u64,
    pub new: u64,
    pub changed: u64,
    pub same: u64,
    pub older: u64,
    pub refused: u64,
    pub dropped: u64,
}

impl Counts {
    pub fn add(&mut self, other: Self) {
        self.read += other.read;
        self.new += other.new;
        self.changed += other.changed;
        self.same += other.same;
        self.older += other.older;
        self.refused += other.refused;
        self.dropped += other.dropped;
    }

    pub fn balance(&self) -> bool {
        self.read == self.new + self.changed + self.same + self.older + self.refused + self.dropped
    }
}

/// A batch that is being fetched.
#[derive(Clone, Debug)]
pub struct Batch {
    pub batch_id: i32,
    pub source: SourceId,
    pub record: RecordKind,
    pub concerned_only: bool,
    /// Records bear the moment of their delivery: what is said again is not news.
    pub stamped_by_delivery: bool,
    pub began_at: DateTime<Utc>,
    /// The page to go on with, and where it is; `None` from the start.
    pub next_page: u32,
    pub resume: Option<String>,
    /// The last page is in: nothing is left to fetch.
    pub complete: bool,
    pub counts: Counts,
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Published,
    /// Nothing that was not known: recorded, because it says how fresh the source is.
    Duplicate,
    Held,
}

impl Store {
    /// Goes on with the source's open batch, or opens one.
    pub async fn open_batch(
        &self,
        source: SourceId,
        record: RecordKind,
        concerned_only: bool,
        stamped_by_delivery: bool,
        run_id: Uuid,
        whole: bool,
    ) -> Result<Batch, StoreError> {
        let at = self.now().await?;
        let mut transaction = self.pool.begin().await?;
        let open = sqlx::query!(
            "select batch_id, began_at, state from batch
             where source_id = $1 and state in ('fetching', 'landed', 'checked') for update",
            source.0
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let (batch_id, began_at, state) = match open {
            Some(open) => {
                sqlx::query!("update batch set run_id = $2 where batch_id = $1", open.batch_id, run_id)
                    .execute(&mut *transaction)
                    .await?;
                (open.batch_id, open.began_at, open.state)
            }
            None => {
                let batch_id = sqlx::query_scalar!(
                    "insert into batch (source_id, record, run_id, state, began_at, began_seq, whole)
                     values ($1, $2, $3, 'fetching', $4, (select seq from publish_head), $5) returning batch_id",
                    source.0,
                    i16::from(record.number()),
                    run_id,
                    at,
                    whole
                )
                .fetch_one(&mut *transaction)
                .await?;
                (batch_id, at, "fetching".to_owned())
            }
        };
        let pages = sqlx::query!(
            "select page_number, resume, counts from batch_page where batch_id = $1 order by page_number",
            batch_id
        )
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let mut counts = Counts::default();
        for page in &pages {
            counts.add(
                serde_json::from_value(page.counts.clone())
                    .map_err(|_| StoreError::inconsistent("batch_page", "counts", batch_id))?,
            );
        }
        let last = pages.last();
        let resume = match last.and_then(|page| page.resume.as_deref().map(|resume| (page.page_number, resume))) {
            None => None,
            Some((page, sealed)) => Some(
                String::from_utf8(self.keys().decrypt(sealed, resume_place(batch_id, page))?)
                    .map_err(|_| StoreError::inconsistent("batch_page", "resume", batch_id))?,
            ),
        };
        Ok(Batch {
            batch_id,
            source,
            record,
            concerned_only,
            stamped_by_delivery,
            began_at,
            next_page: last.map_or(0, |page| page.page_number as u32 + 1),
            resume,
            // the page without a place to go on from is the last, even if nobody came to say so
            complete: state != "fetching" || last.is_some_and(|page| page.resume.is_none()),
            counts,
        })
    }

    /// Makes a whole batch visible: versions in force change, refused records that came good close, persons become
    /// concerned; one short transaction under one sequence.
    pub async fn publish_batch(&self, batch: &Batch) -> Result<(Outcome, Counts), StoreError> {
        let at = self.now().await?;
        let table = batch.record.as_str();
        let mut publish = self.publish(Cause::Pull, at).await?;
        let seq = publish.seq();
        // of every record touched, all but the newest stamp are superseded; who was already, stays so from then
        sqlx::query(AssertSqlSafe(format!(
            "with touched as (select distinct record_key from {table} where batch_id = $1),
                  ranked as (select v.ctid as place_in_table,
                                    row_number() over (partition by v.record_key order by v.updated_at desc) as place
                             from touched join {table} v using (record_key) join batch b using (batch_id)
                             where v.source_id = $2 and (b.published_seq is not null or v.batch_id = $1))
             update {table} v set superseded_seq = $3 from ranked
             where v.ctid = ranked.place_in_table and ranked.place > 1 and v.superseded_seq is null"
        )))
        .bind(batch.batch_id)
        .bind(batch.source.0)
        .bind(seq)
        .execute(publish.connection())
        .await?;
        let (older, changed, rows): (i64, i64, i64) = sqlx::query_as(AssertSqlSafe(format!(
            "select count(*) filter (where v.superseded_seq is not null),
                    count(*) filter (where v.superseded_seq is null and exists (
                        select from {table} o where o.record_key = v.record_key and o.source_id = v.source_id
                                                and o.batch_id <> v.batch_id and o.superseded_seq = $2)),
                    count(*)
             from {table} v where v.batch_id = $1"
        )))
        .bind(batch.batch_id)
        .bind(seq)
        .fetch_one(publish.connection())
        .await?;
        sqlx::query(AssertSqlSafe(format!(
            "update quarantine q set closed_seq = $3 from {table} v
             where q.source_id = $2 and q.closed_seq is null and v.batch_id = $1 and v.record_key = q.record_key
               and v.source_id = q.source_id
               and (q.batch_id, q.page_number, q.row_number) < (v.batch_id, v.page_number, v.row_number)"
        )))
        .bind(batch.batch_id)
        .bind(batch.source.0)
        .bind(seq)
        .execute(publish.connection())
        .await?;
        if batch.record == RecordKind::Certificate {
            let holders: Vec<i64> =
                sqlx::query_scalar!("select distinct person_id from certificate where batch_id = $1", batch.batch_id)
                    .fetch_all(publish.connection())
                    .await?;
            people::mark_concerned(publish.connection(), seq, &holders).await?;
        }
        let refused: i64 =
            sqlx::query_scalar!(r#"select count(*) as "count!" from quarantine where batch_id = $1"#, batch.batch_id)
                .fetch_one(publish.connection())
                .await?;
        let mut counts = batch.counts;
        counts.older = older as u64;
        counts.changed = changed as u64;
        counts.new = (rows - older - changed) as u64;
        let outcome = if rows == 0 && refused == 0 { Outcome::Duplicate } else { Outcome::Published };
        let state = if outcome == Outcome::Duplicate { "duplicate" } else { "published" };
        let done = sqlx::query!(
            "update batch set state = $2, published_seq = $3, counts = $4
             where batch_id = $1 and state in ('fetching', 'landed', 'checked')",
            batch.batch_id,
            state,
            seq,
            serde_json::to_value(counts).unwrap_or_default()
        )
        .execute(publish.connection())
        .await?;
        ensure_affected(&done, 1)?;
        publish.commit().await?;
        Ok((outcome, counts))
    }

    /// Everything the source has is in.
    pub async fn complete_batch(&self, batch: &mut Batch) -> Result<(), StoreError> {
        let done = sqlx::query!(
            "update batch set state = 'landed' where batch_id = $1 and state = 'fetching'",
            batch.batch_id
        )
        .execute(&self.pool)
        .await?;
        ensure_affected(&done, 1)?;
        batch.complete = true;
        Ok(())
    }

    /// Sets a batch aside where people can see why; nothing of it is visible.
    pub async fn hold_batch(&self, batch: &Batch, why: &str) -> Result<(), StoreError> {
        self.end_batch(batch, "held", why).await
    }

    /// Gives a batch up: the next run of the job starts afresh.
    pub async fn fail_batch(&self, batch: &Batch, why: &str) -> Result<(), StoreError> {
        self.end_batch(batch, "failed", why).await
    }

    async fn end_batch(&self, batch: &Batch, state: &str, why: &str) -> Result<(), StoreError> {
        let counts = serde_json::to_value(batch.counts).unwrap_or_default();
        let done = sqlx::query!(
            "update batch set state = $2, why = $3, counts = $4
             where batch_id = $1 and state in ('fetching', 'landed', 'checked')",
            batch.batch_id,
            state,
            why,
            counts
        )
        .execute(&self.pool)
        .await?;
        ensure_affected(&done, 1)
    }
}

/// Where a page's cursor is encrypted for.
pub(super) fn resume_place(batch_id: i32, page: i32) -> Place<'static> {
    Place { table: "batch_page", column: "resume", row: i64::from(batch_id) << 32 | i64::from(page) }
}
