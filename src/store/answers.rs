//! Answers of the tax department that came as a list or a file: what they are held against, and the delivery as it came.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::change::Change;
use super::feed::Way;
use super::{Store, StoreError};

/// A message that an answer may be about.
#[derive(Clone, Debug)]
pub struct Asked {
    pub idempotency_key: String,
    pub digest: Vec<u8>,
    /// The division of the tax department that it is for.
    pub division: String,
    pub state: String,
    pub receipt: Option<String>,
    /// The rejection, if it is rejected: code, field, value, text.
    pub answer: Option<serde_json::Value>,
    /// Whether it ever left.
    pub left: bool,
}

/// A delivery of answers, and what was not taken of it.
#[derive(Clone, Debug)]
pub struct AnswerDelivery<'a> {
    pub way: Way,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
    pub body: &'a [u8],
    pub answers: usize,
    /// Of each its line, code and text.
    pub refused: serde_json::Value,
}

impl Store {
    /// The messages with these numbers, as they stand.
    pub async fn list_asked(&self, messages: &[Uuid]) -> Result<HashMap<Uuid, Asked>, StoreError> {
        let rows = sqlx::query!(
            r#"select message_id, idempotency_key, digest, coalesce(message_division(body), '') as "division!", state, receipt, answer,
                      exists (select from outbox_attempt a where a.message_id = o.message_id) as "left!"
               from outbox o where message_id = any($1)"#,
            messages
        )
        .fetch_all(&self.pool)
        .await?;
        let asked = rows.into_iter().map(|row| {
            let asked = Asked {
                idempotency_key: row.idempotency_key,
                digest: row.digest,
                division: row.division,
                state: row.state,
                receipt: row.receipt,
                answer: row.answer,
                left: row.left,
            };
            (row.message_id, asked)
        });
        Ok(asked.collect())
    }

    /// For each of these messages the attempt that an answer which came by itself belongs to: the last that left this way and is not
    /// answered, else a new one.
    pub async fn open_answered(
        &self,
        messages: &[Uuid],
        way: Way,
        at: DateTime<Utc>,
    ) -> Result<HashMap<Uuid, i32>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query!(
            "select message_id from outbox where message_id = any($1) order by message_id for update",
            messages
        )
        .fetch_all(&mut *transaction)
        .await?;
        let mut numbers: HashMap<Uuid, i32> = sqlx::query!(
            r#"select message_id, max(number) as "number!" from outbox_attempt
               where message_id = any($1) and way = $2 and closed_at is null group by message_id"#,
            messages,
            way.as_str()
        )
        .fetch_all(&mut *transaction)
        .await?
        .into_iter()
        .map(|row| (row.message_id, row.number))
        .collect();
        let others: Vec<Uuid> = messages.iter().copied().filter(|one| !numbers.contains_key(one)).collect();
        let new = sqlx::query!(
            "insert into outbox_attempt (message_id, number, opened_at, way)
             select m.message_id,
                    (select coalesce(max(number), 0) + 1 from outbox_attempt a where a.message_id = m.message_id), $2, $3
             from unnest($1::uuid[]) as m (message_id) returning message_id, number",
            &others,
            at,
            way.as_str()
        )
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        numbers.extend(new.into_iter().map(|row| (row.message_id, row.number)));
        Ok(numbers)
    }

    /// When a delivery of this content was taken in this way, if it was.
    pub async fn find_answer_delivery(&self, way: Way, digest: &[u8; 32]) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(sqlx::query_scalar!(
            "select received_at from answer_delivery where way = $1 and digest = $2",
            way.as_str(),
            &digest[..]
        )
        .fetch_optional(&self.pool)
        .await?)
    }
}

impl Change {
    /// Keeps a delivery of answers as it came; one of the same content is kept once.
    pub async fn keep_answer_delivery(
        &mut self,
        delivery: &AnswerDelivery<'_>,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into answer_delivery (way, digest, body, received_at, received_by, answers, refused)
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (way, digest) do nothing",
            delivery.way.as_str(),
            &delivery.digest[..],
            delivery.body,
            at,
            by,
            delivery.answers as i32,
            delivery.refused
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
