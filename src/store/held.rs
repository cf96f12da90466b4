//! Deliveries that wait for a person: released, or discarded.

use uuid::Uuid;

use super::audit::{Act, record};
use super::batches::{Asked, Batch, Counts};
use super::endings::{delete_rows, forget_keys};
use super::jobs::{SourceId, word};
use super::publish_batch::{Decision, Outcome, Publication};
use super::runs::Ending;
use super::{Store, StoreError, ensure_affected};
use crate::domain::access::Actor;
use crate::domain::facts::RecordKind;

impl Store {
    /// The delivery that the run left held.
    pub async fn find_held(&self, run_id: Uuid) -> Result<Option<Batch>, StoreError> {
        let Some(row) = sqlx::query!(
            r#"select batch_id, source_id, record, began_at, contract, asked, since, until, concerned_only, counts, watermark,
                    coalesce((select resume is null from batch_page p where p.batch_id = b.batch_id
                              order by page_number desc limit 1), false) as "whole!"
             from batch b where run_id = $1 and state = 'held' order by batch_id desc limit 1"#,
            run_id
        )
        .fetch_optional(&self.pool)
        .await?
        else {
            return Ok(None);
        };
        let wrong = |column| StoreError::inconsistent("batch", column, row.batch_id);
        let held = sqlx::query_scalar!(
            "select batch_id from batch where source_id = $1 and state = 'held' and batch_id <> $2",
            row.source_id,
            row.batch_id
        )
        .fetch_all(&self.pool)
        .await?;
        let counts: Counts = serde_json::from_value(row.counts).map_err(|_| wrong("counts"))?;
        Ok(Some(Batch {
            batch_id: row.batch_id,
            run_id,
            source: SourceId(row.source_id),
            record: word(row.record, RecordKind::from_number).ok_or_else(|| wrong("record"))?,
            concerned_only: row.concerned_only,
            stamped_by_delivery: false,
            remember_all: false,
            asked: Asked::parse(&row.asked).ok_or_else(|| wrong("asked"))?,
            since: row.since,
            until: row.until,
            began_at: row.began_at,
            contract: row.contract,
            reading: 1,
            again: false,
            next_page: 0,
            resume: None,
            resumed: false,
            complete: row.whole,
            counts,
            watermark: row.watermark,
            announced: None,
            announced_at_most: None,
            unchanged: false,
            held,
        }))
    }

    /// Publishes a held delivery because a person says so. The caller holds the source.
    pub async fn release_batch(
        &self,
        batch: &Batch,
        run_id: Uuid,
        actor: &Actor,
        why: &str,
    ) -> Result<(Outcome, Counts), StoreError> {
        self.check_batch(batch).await?;
        let decision = Decision { run_id, actor: actor.clone(), why: why.to_owned() };
        self.publish_batch(batch, None, &Publication { decision: Some(decision), ..Publication::default() }).await
    }

    /// Whether a delivery of everything that began later is published.
    pub async fn is_overtaken(&self, batch: &Batch) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select exists (select from batch where source_id = $1 and batch_id > $2 and asked = 'everything'
                              and published_seq is not null) as "any!""#,
            batch.source.0,
            batch.batch_id
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// Gives a held delivery up because a person says so.
    pub async fn discard_batch(&self, batch: &Batch, run_id: Uuid, actor: &Actor, why: &str) -> Result<(), StoreError> {
        let at = self.now().await?;
        let mut transaction = self.begin().await?;
        let object = format!("batch {}", batch.batch_id);
        record(&mut transaction, &Act::operate(at, actor, "discard", object, Some(why))).await?;
        let text = format!("discarded by {}: {why}", actor.name);
        let done = sqlx::query!(
            "update batch set state = 'failed', why = $2 where batch_id = $1 and state = 'held'",
            batch.batch_id,
            text
        )
        .execute(&mut *transaction)
        .await?;
        ensure_affected(&done, 1)?;
        delete_rows(&mut transaction, batch.record, batch.source, batch.batch_id).await?;
        forget_keys(&mut transaction, batch.batch_id).await?;
        Self::decide_run(&mut transaction, run_id, Ending::Discarded, &text).await?;
        Ok(transaction.commit().await?)
    }
}
