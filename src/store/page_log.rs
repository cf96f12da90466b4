//! The log of the pages that are in.

use sqlx::PgConnection;

use super::batches::{Batch, Counts, resume_place};
use super::landing::PageLine;
use super::{Store, StoreError};

/// Notes a page that is in, with the place after it.
pub(super) async fn log_page(
    connection: &mut PgConnection,
    store: &Store,
    batch: &Batch,
    page: &PageLine,
    counts: Counts,
    keys: Vec<u8>,
) -> Result<(), StoreError> {
    let place = resume_place(batch.batch_id, page.number as i32);
    let sealed = page.resume.as_deref().map(|resume| store.keys().encrypt(resume.as_bytes(), place)).transpose()?;
    sqlx::query!(
        "insert into batch_page (batch_id, reading, page_number, resume, digest, rows, counts, keys)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        batch.batch_id,
        batch.reading,
        page.number as i32,
        sealed,
        page.digest,
        counts.read as i32,
        serde_json::to_value(counts).unwrap_or_default(),
        Some(keys).filter(|keys| !keys.is_empty())
    )
    .execute(connection)
    .await?;
    Ok(())
}
