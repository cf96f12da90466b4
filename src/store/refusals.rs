//! Records that break their contract: kept whole until a good version comes, they are replayed, or a person discards them.

use std::collections::HashSet;

use sqlx::{AssertSqlSafe, PgConnection};

use super::StoreError;
use super::batches::Batch;
use super::frames::CopyRows;
use super::partitions::partition;
use super::people::{self, person_index};
use super::records::Refusal;
use crate::crypto::{Keys, Place};
use crate::domain::ids::Uscc;
use crate::domain::month::Month;

/// Stores refused records. The same refused record again is no second case, settled or not, unless the first lies in a delivery
/// that nobody sees, or the record bears no stamp of its own and may have become bad again.
pub(super) async fn insert(
    connection: &mut PgConnection,
    keys: &Keys,
    batch: &Batch,
    refusals: Vec<Refusal>,
) -> Result<(), StoreError> {
    if refusals.is_empty() {
        return Ok(());
    }
    let contents: Vec<i64> = refusals.iter().map(|refusal| refusal.content).collect();
    let told: HashSet<i64> = sqlx::query_scalar!(
        "select content from quarantine q join batch b using (batch_id)
         where q.source_id = $1 and q.content = any($2) and (q.closed_seq is null or not $4)
           and (b.published_seq is not null or q.batch_id = $3)",
        batch.source.0,
        &contents,
        batch.batch_id,
        batch.stamped_by_delivery
    )
    .fetch_all(&mut *connection)
    .await?
    .into_iter()
    .collect();
    let mut seen = told;
    let fresh: Vec<Refusal> = refusals.into_iter().filter(|refusal| seen.insert(refusal.content)).collect();
    if fresh.is_empty() {
        return Ok(());
    }
    let codes: Vec<Uscc> = fresh.iter().filter_map(|refusal| refusal.unit).collect();
    let units = people::ensure_units(&mut *connection, &codes).await?;
    let ids = people::reserve(&mut *connection, "quarantine_id_seq", fresh.len()).await?;
    let mut rows = CopyRows::default();
    for (refusal, id) in fresh.iter().zip(ids) {
        let unit = refusal.unit.and_then(|code| units.get(&code)).map(|unit| unit.0);
        let index = refusal.id.map(|id| person_index(keys, &id));
        let raw = keys.encrypt(&refusal.raw, raw_place(id))?;
        rows.begin(17)
            .int8(id)
            .int2(batch.source.0)
            .int4(batch.batch_id)
            .int4(refusal.place.page)
            .int4(refusal.place.row)
            .text(refusal.code)
            .optional(refusal.field.as_deref(), CopyRows::text)
            .text(&refusal.detail)
            .bytes(&raw)
            .int8(refusal.content)
            .optional(refusal.record_key, CopyRows::uuid)
            .optional(index.as_ref().map(<[u8; 32]>::as_slice), CopyRows::bytes)
            .optional(unit, CopyRows::int4)
            .optional(refusal.period.map(Month::index), CopyRows::int4)
            .optional(refusal.scheme.map(|scheme| i16::from(scheme.number())), CopyRows::int2)
            .optional(refusal.updated_at, CopyRows::instant)
            .text(&batch.contract);
    }
    rows.send(
        connection,
        "quarantine (quarantine_id, source_id, batch_id, page_number, row_number, code, field, detail, raw, content,
         record_key, id_index, unit_id, period, scheme, updated_at, contract)",
    )
    .await?;
    Ok(())
}

/// Where a refused record's raw form is encrypted for.
pub(super) fn raw_place(quarantine_id: i64) -> Place<'static> {
    Place { table: "quarantine", column: "raw", row: quarantine_id }
}

/// Closes the cases that a good version settles: one stamped as late as the refused record or later (later, where the refused one
/// reused a stamp), whichever of the two came first. A refused record without a readable stamp is settled by a good version that
/// stands after it in the order of deliveries.
pub(super) async fn close_settled(connection: &mut PgConnection, batch: &Batch, seq: i64) -> Result<u64, StoreError> {
    let part = partition(batch.record, batch.source);
    let settles = "(case when q.updated_at is null
                         then (q.batch_id, q.page_number, q.row_number) < (v.batch_id, v.page_number, v.row_number)
                         when q.code = 'stamp_reused' then v.updated_at > q.updated_at
                         else v.updated_at >= q.updated_at end)";
    // what the batch brought settles open cases; what is stored settles cases that the batch brought
    let done = sqlx::query(AssertSqlSafe(format!(
        "update quarantine q set closed_seq = $3, closing = case when $4 then 'replayed' else 'superseded' end
         where q.source_id = $2 and q.closed_seq is null and q.record_key is not null
           and exists (select from {part} v where v.record_key = q.record_key and {settles}
                       and (v.batch_id = $1 or q.batch_id = $1 and v.batch_id <> all($5)))"
    )))
    .bind(batch.batch_id)
    .bind(batch.source.0)
    .bind(seq)
    .bind(batch.asked == super::batches::Asked::Replay)
    .bind(&batch.held)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
