//! What earlier deliveries of a source say of the next: pages that are known, how far it was read, how large it usually is.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::batches::Counts;
use super::jobs::SourceId;
use super::{Store, StoreError};

/// A page as it came before, in the last delivery that was published.
#[derive(Clone, Debug)]
pub struct KnownPage {
    pub counts: Counts,
    pub(super) keys: Option<Vec<u8>>,
}

/// What the source last said of its own state, and which pages it gave.
#[derive(Clone, Debug, Default)]
pub struct LastDelivery {
    pub pages: HashMap<Vec<u8>, KnownPage>,
    pub validator: Option<String>,
}

impl LastDelivery {
    /// Only pages of which it is remembered which records they held.
    #[must_use]
    pub fn with_keys(mut self) -> Self {
        self.pages.retain(|_, page| page.keys.is_some());
        self
    }
}

/// How far a source has been read under one contract.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reached {
    /// A whole pull was published.
    pub whole: bool,
    /// The latest stamp of what was published.
    pub watermark: Option<DateTime<Utc>>,
    /// People concerned at this publish are complete.
    pub complete_seq: Option<i64>,
}

impl Store {
    /// The last whole delivery that was published under this contract: a page that comes again as it was needs no reading, nor
    /// does a delivery that the source calls unchanged. Where only people concerned are kept, pages of which something was
    /// dropped count only if nobody became concerned since.
    pub async fn last_delivery(&self, source: SourceId, contract: &str) -> Result<LastDelivery, StoreError> {
        let Some(last) = sqlx::query!(
            r#"select batch_id, began_seq, validator, coalesce((select (d.counts ->> 'dropped')::bigint from batch d
                                where d.source_id = $1 and d.contract = $2 and d.published_seq is not null
                                  and d.asked in ('everything', 'changes')
                                  and exists (select from batch_page p where p.batch_id = d.batch_id)
                                order by d.published_seq desc limit 1), 0) as "dropped!",
                      (select max(concerned_seq) from person) as latest from batch
               where source_id = $1 and contract = $2 and published_seq is not null and asked in ('everything', 'changes')
               order by batch_id desc limit 1"#,
            source.0,
            contract
        )
        .fetch_optional(&self.pool)
        .await?
        else {
            return Ok(LastDelivery::default());
        };
        // what was dropped, the last delivery of which a page came says: one that was called unchanged dropped nothing of its own
        let nobody_new = last.latest.is_none_or(|latest| latest <= last.began_seq);
        let rows = sqlx::query!(
            r#"select digest as "digest!", counts, keys from batch_page
               where batch_id = $1 and reading = 1 and digest is not null"#,
            last.batch_id
        )
        .fetch_all(&self.pool)
        .await?;
        let mut pages = HashMap::with_capacity(rows.len());
        for row in rows {
            let counts: Counts = serde_json::from_value(row.counts)
                .map_err(|_| StoreError::inconsistent("batch_page", "counts", last.batch_id))?;
            if nobody_new || counts.dropped == 0 {
                pages.insert(row.digest, KnownPage { counts: counts.known_again(), keys: row.keys });
            }
        }
        Ok(LastDelivery { pages, validator: last.validator.filter(|_| nobody_new || last.dropped == 0) })
    }

    /// Batches of a source whose rows nobody sees: a comparison passes over them.
    pub async fn unseen_batches(&self, source: SourceId) -> Result<Vec<i32>, StoreError> {
        Ok(sqlx::query_scalar!(
            "select batch_id from batch where source_id = $1 and state in ('fetching', 'landed', 'checked', 'held')",
            source.0
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Whether a delivery waits to be gone on with under this contract.
    pub async fn has_open_batch(&self, source: SourceId, contract: &str) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select exists (select from batch where source_id = $1 and contract = $2 and asked in ('everything', 'changes')
                              and state in ('fetching', 'landed', 'checked')) as "open!""#,
            source.0,
            contract
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// How far whole pulls of the source have come under this contract.
    pub async fn reached(&self, source: SourceId, contract: &str) -> Result<Reached, StoreError> {
        let row = sqlx::query!(
            r#"select count(*) as "pulls!", max(watermark) as watermark, max(complete_seq) as complete_seq from batch
               where source_id = $1 and contract = $2 and published_seq is not null and asked in ('everything', 'changes')"#,
            source.0,
            contract
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Reached { whole: row.pulls > 0, watermark: row.watermark, complete_seq: row.complete_seq })
    }

    /// Rows of the last seven full deliveries that were published, to compare the next with.
    pub async fn delivery_sizes(&self, source: SourceId) -> Result<Vec<u64>, StoreError> {
        let counts = sqlx::query_scalar!(
            "select counts from batch
             where source_id = $1 and published_seq is not null and asked = 'everything'
               and coalesce((counts ->> 'read')::bigint, 0) > 0
             order by published_seq desc limit 7",
            source.0
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(counts.iter().filter_map(|counts| counts["read"].as_u64()).collect())
    }
}
