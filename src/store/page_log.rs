//! The log of the pages that are in.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::batches::{Batch, Counts, resume_place};
use super::landing::PageLine;
use super::{Store, StoreError};

/// How far the delivery of a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SoFar {
    pub pages: u64,
    #[serde(flatten)]
    pub counts: Counts,
}

impl Store {
    /// How far the delivery that the run fetches, or fetched last, has come; nothing where it has none.
    pub async fn find_so_far(&self, run_id: Uuid) -> Result<Option<SoFar>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        so_far(&mut connection, run_id).await
    }
}

/// As [`Store::find_so_far`].
pub(super) async fn so_far(connection: &mut PgConnection, run_id: Uuid) -> Result<Option<SoFar>, StoreError> {
    let Some(batch_id) =
        sqlx::query_scalar!("select batch_id from batch where run_id = $1 order by batch_id desc limit 1", run_id)
            .fetch_optional(&mut *connection)
            .await?
    else {
        return Ok(None);
    };
    let pages =
        sqlx::query!("select reading, counts from batch_page where batch_id = $1 order by page_number", batch_id)
            .fetch_all(connection)
            .await?;
    let mut counts = Counts::default();
    for page in &pages {
        add_page(&mut counts, batch_id, page.reading, &page.counts)?;
    }
    Ok(Some(SoFar { pages: pages.len() as u64, counts }))
}

/// Takes a page that is in into the sum of its delivery.
pub(super) fn add_page(
    sum: &mut Counts,
    batch_id: i32,
    reading: i16,
    counts: &serde_json::Value,
) -> Result<(), StoreError> {
    let counts = Counts::deserialize(counts).map_err(|_| StoreError::inconsistent("batch_page", "counts", batch_id))?;
    if reading == 1 {
        sum.add(counts);
    } else {
        sum.add_second(counts);
    }
    Ok(())
}

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
