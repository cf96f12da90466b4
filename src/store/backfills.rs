//! Backfills: a range of days of some sources, pulled part by part. The parts are tasks; what becomes of them is what becomes of it.

use chrono::{DateTime, NaiveDate, Utc};

use super::audit::{Act, record};
use super::tasks::{NewTask, insert_task, ring};
use super::{Store, StoreError};
use crate::domain::access::Actor;

/// What a backfill is to do.
#[derive(Clone, Debug)]
pub struct NewBackfill {
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// As a person wrote it.
    pub step: String,
    /// Parts at once; of one source there is one at a time.
    pub parallel: u16,
    /// Of every source.
    pub parts: Vec<(NaiveDate, NaiveDate)>,
}

/// One backfill with its parts by state.
#[derive(Clone, Debug, serde::Serialize)]
pub struct BackfillLine {
    pub backfill_id: i32,
    pub jobs: Vec<String>,
    pub from_on: NaiveDate,
    pub to_on: NaiveDate,
    pub step: String,
    pub parallel: i16,
    pub started_at: DateTime<Utc>,
    pub started_by: String,
    pub paused_at: Option<DateTime<Utc>>,
    pub parts: i64,
    pub done: i64,
    pub running: i64,
    pub failed: i64,
}

impl BackfillLine {
    /// `paused`, `running`, `failed` (some parts, none left to do), or `done`.
    pub fn state(&self) -> &'static str {
        match (self.paused_at, self.parts - self.done - self.failed, self.failed) {
            (_, 0, 0) => "done",
            (_, 0, _) => "failed",
            (Some(_), ..) => "paused",
            (None, ..) => "running",
        }
    }
}

impl Store {
    /// Writes a backfill down and queues its parts, in their order; `sources` holds what the parts of each source have in common.
    pub async fn start_backfill(
        &self,
        new: &NewBackfill,
        sources: &[NewTask],
        actor: &Actor,
    ) -> Result<i32, StoreError> {
        let at = self.now().await?;
        let jobs: Vec<String> = sources.iter().map(|source| source.job.clone()).collect();
        let mut transaction = self.begin().await?;
        let backfill_id = sqlx::query_scalar!(
            "insert into backfill (jobs, from_on, to_on, step, parallel, started_at, started_by)
             values ($1, $2, $3, $4, $5, $6, $7) returning backfill_id",
            &jobs,
            new.from,
            new.to,
            new.step,
            new.parallel as i16,
            at,
            actor.name
        )
        .fetch_one(&mut *transaction)
        .await?;
        for (number, days) in new.parts.iter().enumerate() {
            for source in sources {
                let key = format!("backfill {backfill_id} {} part {}", source.job, number + 1);
                let part = NewTask { key, days: Some(*days), ..source.clone() };
                insert_task(&mut transaction, &part, Some(backfill_id), at).await?;
            }
        }
        let object = format!("backfill {backfill_id} of {}", jobs.join(", "));
        let act = Act::operate(at, actor, "start", object, None)
            .with("from", new.from.to_string())
            .with("to", new.to.to_string())
            .with("parts", new.parts.len() * sources.len());
        record(&mut transaction, &act).await?;
        transaction.commit().await?;
        Ok(backfill_id)
    }

    /// Backfills, newest first; one if its number is given.
    pub async fn list_backfills(&self, backfill_id: Option<i32>) -> Result<Vec<BackfillLine>, StoreError> {
        Ok(sqlx::query_as!(
            BackfillLine,
            r#"select b.backfill_id, b.jobs, b.from_on, b.to_on, b.step, b.parallel, b.started_at, b.started_by, b.paused_at,
                      count(*) as "parts!", count(*) filter (where t.state = 'done') as "done!",
                      count(*) filter (where t.state = 'running') as "running!",
                      count(*) filter (where t.state in ('dead', 'discarded')) as "failed!"
               from backfill b join task t using (backfill_id)
               where $1::integer is null or b.backfill_id = $1
               group by b.backfill_id order by b.backfill_id desc"#,
            backfill_id
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// No further part begins; the one that runs goes on. False if it is paused already.
    pub async fn pause_backfill(&self, backfill_id: i32, actor: &Actor) -> Result<bool, StoreError> {
        let at = self.now().await?;
        let mut transaction = self.begin().await?;
        let paused = sqlx::query!(
            "update backfill set paused_at = $2 where backfill_id = $1 and paused_at is null",
            backfill_id,
            at
        )
        .execute(&mut *transaction)
        .await?;
        let object = format!("backfill {backfill_id}");
        record(&mut transaction, &Act::operate(at, actor, "pause", object, None)).await?;
        transaction.commit().await?;
        Ok(paused.rows_affected() == 1)
    }

    /// Its parts begin again. False if it is not paused.
    pub async fn resume_backfill(&self, backfill_id: i32, actor: &Actor) -> Result<bool, StoreError> {
        let at = self.now().await?;
        let mut transaction = self.begin().await?;
        let resumed = sqlx::query!(
            "update backfill set paused_at = null where backfill_id = $1 and paused_at is not null",
            backfill_id
        )
        .execute(&mut *transaction)
        .await?;
        let object = format!("backfill {backfill_id}");
        record(&mut transaction, &Act::operate(at, actor, "resume", object, None)).await?;
        ring(&mut transaction).await?;
        transaction.commit().await?;
        Ok(resumed.rows_affected() == 1)
    }

    /// The parts that were given up are tried again, with all their attempts, and no others. How many these are.
    pub async fn retry_backfill(&self, backfill_id: i32, actor: &Actor) -> Result<u64, StoreError> {
        let at = self.now().await?;
        let mut transaction = self.begin().await?;
        let retried = sqlx::query!(
            "update task set state = 'queued', barren = 0, due_at = $2, finished_at = null where backfill_id = $1 and state = 'dead'",
            backfill_id,
            at
        )
        .execute(&mut *transaction)
        .await?;
        let act = Act::operate(at, actor, "retry", format!("backfill {backfill_id}"), None)
            .with("parts", retried.rows_affected());
        record(&mut transaction, &act).await?;
        ring(&mut transaction).await?;
        transaction.commit().await?;
        Ok(retried.rows_affected())
    }
}
