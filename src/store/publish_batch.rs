//! A whole delivery becomes visible: versions in force change, refused records that came good close, persons become concerned; one
//! short transaction under one sequence.

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde::Serialize;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::audit::{Act, record};
use super::batches::{Batch, Counts};
use super::endings::forget_keys;
use super::known::{KeySet, remembered_keys, short};
use super::partitions::{index, is_indexed, partition};
use super::publish::Cause;
use super::refusals::{close_settled, raw_place};
use super::runs::Ending;
use super::{Store, StoreError, ensure_affected, people};
use crate::domain::access::Actor;
use crate::domain::facts::RecordKind;

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Published,
    /// Nothing that was not known: recorded, because it says how fresh the source is.
    Duplicate,
}

/// Who lets a held delivery through, and why.
#[derive(Clone, Debug)]
pub struct Decision {
    pub run_id: Uuid,
    pub actor: Actor,
    pub why: String,
}

/// What publishing needs to know besides the batch.
#[derive(Default)]
pub struct Publication {
    /// Refused records that this delivery repeats; they close as replayed.
    pub replayed: Vec<i64>,
    /// The delivery was held: others may have been published since it was compared with what is stored.
    pub decision: Option<Decision>,
}

/// Keys of records that a full delivery no longer held.
pub struct Absent {
    keys: Vec<Uuid>,
}

impl Absent {
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

async fn absent_of(pool: &sqlx::PgPool, batch: &Batch, keys: &KeySet) -> Result<Vec<Uuid>, StoreError> {
    let sql = format!(
        "select record_key from {} where superseded_seq is null and not deleted and batch_id <> $1 and batch_id <> all($2)",
        partition(batch.record, batch.source)
    );
    let mut stored =
        sqlx::query_scalar::<_, Uuid>(AssertSqlSafe(sql)).bind(batch.batch_id).bind(&batch.held).fetch(pool);
    let mut absent = Vec::new();
    while let Some(key) = stored.try_next().await? {
        if !keys.contains(short(key)) {
            absent.push(key);
        }
    }
    Ok(absent)
}

impl Store {
    /// Records in force that the delivery does not hold; `None` where that cannot be said: there were too many to remember, or some
    /// could not be read.
    pub async fn find_absent(&self, batch: &Batch) -> Result<Option<Absent>, StoreError> {
        let unreadable = sqlx::query_scalar!(
            r#"select exists (select from quarantine q join batch b using (batch_id)
                              where q.source_id = $1 and record_key is null and closed_seq is null
                                and (b.published_seq is not null or b.batch_id = $2))
                   or exists (select from batch_page where batch_id = $2 and rows > 0 and keys is null) as "any!""#,
            batch.source.0,
            batch.batch_id
        )
        .fetch_one(&self.pool)
        .await?;
        let mut connection = self.pool.acquire().await?;
        let mut keys = KeySet::default();
        for key in remembered_keys(&mut connection, batch.batch_id).await? {
            keys.insert(key);
        }
        drop(connection);
        if unreadable || keys.overflowed() {
            return Ok(None);
        }
        Ok(Some(Absent { keys: absent_of(&self.pool, batch, &keys).await? }))
    }

    /// Everything is in and nothing stands against it: what publishing needs is prepared, without keeping anybody waiting.
    pub async fn check_batch(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        if !is_indexed(&mut connection, batch.record, batch.source).await? {
            index(&mut connection, batch.record, batch.source).await?;
        }
        drop(connection);
        let mut transaction = self.begin().await?;
        self.ensure_ours(&mut transaction).await?;
        sqlx::query!(
            "update batch set state = 'checked' where batch_id = $1 and run_id = $2 and state = 'landed'",
            batch.batch_id,
            batch.run_id
        )
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Makes a checked batch visible, or one that was held.
    pub async fn publish_batch(
        &self,
        batch: &Batch,
        absent: Option<&Absent>,
        publication: &Publication,
    ) -> Result<(Outcome, Counts), StoreError> {
        let at = self.now().await?;
        let mut publish = self.publish(Cause::Pull, at).await?;
        let seq = publish.seq();
        sqlx::query("set local enable_seqscan = off").execute(publish.connection()).await?;
        let mut counts = batch.counts;
        if publication.decision.is_some() {
            counts.refused += self.refuse_reused(publish.connection(), batch, &mut counts).await?;
        }
        if !counts.balance() {
            publish.abandon().await?;
            return Err(StoreError::Unbalanced { read: counts.read, accounted: counts.accounted() });
        }
        if counts.changed + counts.older > 0 || publication.decision.is_some() {
            supersede(publish.connection(), batch, seq).await?;
        }
        if let Some(absent) = absent.filter(|absent| !absent.is_empty()) {
            counts.closed = close_absent(publish.connection(), batch, absent, seq).await?;
        }
        close_settled(publish.connection(), batch, seq).await?;
        sqlx::query!(
            "update quarantine set closed_seq = $1, closing = 'replayed' where quarantine_id = any($2) and closed_seq is null",
            seq,
            &publication.replayed
        )
        .execute(publish.connection())
        .await?;
        if batch.record == RecordKind::Certificate && counts.written() > 0 {
            let sql =
                format!("select distinct person_id from {} where batch_id = $1", partition(batch.record, batch.source));
            let holders: Vec<i64> =
                sqlx::query_scalar(AssertSqlSafe(sql)).bind(batch.batch_id).fetch_all(publish.connection()).await?;
            people::mark_concerned(publish.connection(), seq, &holders).await?;
        }
        let refused = sqlx::query_scalar!(
            r#"select exists (select from quarantine where batch_id = $1) as "any!""#,
            batch.batch_id
        )
        .fetch_one(publish.connection())
        .await?;
        let outcome =
            if counts.written() + counts.closed == 0 && !refused { Outcome::Duplicate } else { Outcome::Published };
        let state = if outcome == Outcome::Duplicate { "duplicate" } else { "published" };
        let done = sqlx::query!(
            "update batch set state = $2, published_seq = $3, counts = $4
             where batch_id = $1 and run_id = $6 and (state in ('landed', 'checked') or state = 'held' and $5)",
            batch.batch_id,
            state,
            seq,
            serde_json::to_value(counts).unwrap_or_default(),
            publication.decision.is_some(),
            batch.run_id
        )
        .execute(publish.connection())
        .await?;
        ensure_affected(&done, 1)?;
        if let Some(Decision { run_id, actor, why }) = &publication.decision {
            let object = format!("batch {}", batch.batch_id);
            record(publish.connection(), &Act::operate(at, actor, "release", object, Some(why))).await?;
            let ending = if counts.refused > 0 { Ending::DoneWithRefusals } else { Ending::Done };
            let text = format!("released by {}: {why}", actor.name);
            Self::decide_run(publish.connection(), *run_id, ending, &text).await?;
        }
        if batch.remember_all {
            forget_earlier_keys(publish.connection(), batch).await?;
        } else {
            forget_keys(publish.connection(), batch.batch_id).await?;
        }
        self.ensure_ours(publish.connection()).await?;
        publish.commit().await?;
        Ok((outcome, counts))
    }

    /// Of a delivery that waited: rows that came by another meanwhile go; stamps that were used meanwhile for something else are
    /// refused. Their raw form is no longer there; the record is told from its key.
    async fn refuse_reused(
        &self,
        connection: &mut PgConnection,
        batch: &Batch,
        counts: &mut Counts,
    ) -> Result<u64, StoreError> {
        let part = partition(batch.record, batch.source);
        let person = if batch.record == RecordKind::DispatchFiling { "0::bigint" } else { "v.person_id" };
        let rows: Vec<(i32, i32, Uuid, DateTime<Utc>, i64, bool)> = sqlx::query_as(AssertSqlSafe(format!(
            "delete from {part} v using {part} o
             where v.batch_id = $1 and o.record_key = v.record_key and o.updated_at = v.updated_at and o.batch_id <> $1
               and o.batch_id <> all($2)
             returning v.page_number, v.row_number, v.record_key, v.updated_at, {person}, o.content = v.content"
        )))
        .bind(batch.batch_id)
        .bind(&batch.held)
        .fetch_all(&mut *connection)
        .await?;
        counts.same += rows.iter().filter(|row| row.5).count() as u64;
        let reused: Vec<_> = rows.iter().filter(|row| !row.5).collect();
        let gone = rows.len() as u64;
        // which of them each was is not remembered: the sum is right
        let from_new = gone.min(counts.new);
        let from_changed = (gone - from_new).min(counts.changed);
        counts.new -= from_new;
        counts.changed -= from_changed;
        counts.older = counts.older.saturating_sub(gone - from_new - from_changed);
        let ids = people::reserve(&mut *connection, "quarantine_id_seq", reused.len()).await?;
        for ((page, row, key, updated_at, person, _), id) in reused.iter().zip(ids) {
            let raw = self.keys().encrypt(b"{}", raw_place(id))?;
            sqlx::query!(
                "insert into quarantine (quarantine_id, source_id, batch_id, page_number, row_number, code, field, detail, raw,
                                         content, record_key, updated_at, contract, id_index)
                 values ($1, $2, $3, $4, $5, 'stamp_reused', 'updated_at',
                         'while the delivery was held, the same record and stamp came with other content', $6, $1, $7, $8, $9,
                         (select id_index from person where person_id = $10 and person_id <> 0))
                 on conflict do nothing",
                id,
                batch.source.0,
                batch.batch_id,
                page,
                row,
                raw,
                key,
                updated_at,
                batch.contract,
                person
            )
            .execute(&mut *connection)
            .await?;
        }
        Ok(reused.len() as u64)
    }
}

/// Of every record touched, all but the newest stamp are superseded; who was already, stays so from then.
async fn supersede(connection: &mut PgConnection, batch: &Batch, seq: i64) -> Result<(), StoreError> {
    let part = partition(batch.record, batch.source);
    sqlx::query(AssertSqlSafe(format!(
        "with touched as materialized (select distinct record_key from {part} where batch_id = $1),
              ranked as materialized (
                  select versions.* from touched cross join lateral (
                      select v.ctid as place_in_table, v.superseded_seq,
                             row_number() over (order by v.updated_at desc, v.version_id desc) as place
                      from {part} v where v.record_key = touched.record_key and v.batch_id <> all($3)) as versions)
         update {part} v set superseded_seq = $2 from ranked
         where v.ctid = ranked.place_in_table and ranked.place > 1 and ranked.superseded_seq is null"
    )))
    .bind(batch.batch_id)
    .bind(seq)
    .bind(batch.held.iter().copied().filter(|held| *held != batch.batch_id).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes out of force what a full delivery no longer held.
async fn close_absent(
    connection: &mut PgConnection,
    batch: &Batch,
    absent: &Absent,
    seq: i64,
) -> Result<u64, StoreError> {
    let sql = format!(
        "update {} set superseded_seq = $3 where record_key = any($2) and superseded_seq is null and batch_id < $1
           and batch_id <> all($4)",
        partition(batch.record, batch.source)
    );
    let done = sqlx::query(AssertSqlSafe(sql))
        .bind(batch.batch_id)
        .bind(&absent.keys)
        .bind(seq)
        .bind(&batch.held)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Only the last delivery's keys are needed: to know its pages again.
async fn forget_earlier_keys(connection: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    sqlx::query!(
        "update batch_page p set keys = null from batch b
         where b.batch_id = p.batch_id and b.source_id = $1 and b.batch_id < $2 and p.keys is not null
           and b.state in ('published', 'duplicate')",
        batch.source.0,
        batch.batch_id
    )
    .execute(connection)
    .await?;
    Ok(())
}
