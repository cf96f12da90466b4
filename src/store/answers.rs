//! Answers of the tax department that came as a list or a file: what they are held against, and the delivery as it came.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::change::Change;
use super::feed::Way;
use super::{Store, StoreError};
use crate::crypto::{Keys, Place};

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
    /// Whether the department said something else since, which nobody has dealt with yet.
    pub contradicted: bool,
}

/// A delivery of answers, and what was not taken of it.
#[derive(Clone, Debug)]
pub struct AnswerDelivery<'a> {
    pub way: Way,
    /// The beginning of the tax divisions whose messages it may answer; empty: all.
    pub division: &'a str,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
    pub body: &'a [u8],
    pub answers: usize,
    /// Of the first of them line, code and text.
    pub refused: serde_json::Value,
    /// Lines about messages that were not known here, or had not left.
    pub early: &'a [i32],
}

/// A delivery of answers that was taken before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBefore {
    pub received_at: DateTime<Utc>,
    /// Lines about messages that were not known here then, or had not left: they may be by now.
    pub early: Vec<i32>,
}

fn body_place(id: i64) -> Place<'static> {
    Place { table: "answer_delivery", column: "body", row: id }
}

impl Store {
    /// The delivery of this content that was taken in this way for this reach, if one was.
    pub async fn find_answer_delivery(
        &self,
        way: Way,
        division: &str,
        digest: &[u8; 32],
    ) -> Result<Option<TakenBefore>, StoreError> {
        Ok(sqlx::query_as!(
            TakenBefore,
            "select received_at, early from answer_delivery where way = $1 and division = $2 and digest = $3",
            way.as_str(),
            division,
            &digest[..]
        )
        .fetch_optional(&self.pool)
        .await?)
    }
}

impl Change {
    /// The messages with these numbers, as they stand and stay until this change ends.
    pub async fn lock_asked(&mut self, messages: &[Uuid]) -> Result<HashMap<Uuid, Asked>, StoreError> {
        // the lock first: what others took in meanwhile is seen by the next statement
        sqlx::query!(
            "select message_id from outbox where message_id = any($1) order by message_id for update",
            messages
        )
        .fetch_all(self.connection())
        .await?;
        let rows = sqlx::query!(
            r#"select message_id, idempotency_key, digest, coalesce(message_division(body), '') as "division!", state, receipt, answer,
                      exists (select from outbox_attempt a where a.message_id = o.message_id) as "left!",
                      contradicted is not null as "contradicted!"
               from outbox o where message_id = any($1)"#,
            messages
        )
        .fetch_all(self.connection())
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
                contradicted: row.contradicted,
            };
            (row.message_id, asked)
        });
        Ok(asked.collect())
    }

    /// For each of these messages, which are locked, the attempt that an answer which came by itself belongs to: the last that left this
    /// way and is not answered, else a new one.
    pub async fn open_answered(
        &mut self,
        messages: &[Uuid],
        way: Way,
        at: DateTime<Utc>,
    ) -> Result<HashMap<Uuid, i32>, StoreError> {
        let mut numbers: HashMap<Uuid, i32> = sqlx::query!(
            r#"select message_id, max(number) as "number!" from outbox_attempt
               where message_id = any($1) and way = $2 and closed_at is null group by message_id"#,
            messages,
            way.as_str()
        )
        .fetch_all(self.connection())
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
        .fetch_all(self.connection())
        .await?;
        numbers.extend(new.into_iter().map(|row| (row.message_id, row.number)));
        Ok(numbers)
    }

    /// Keeps a delivery of answers as it came, encrypted. One of the same content is kept once for each reach: taken again, what is
    /// still early is what was early now.
    pub async fn keep_answer_delivery(
        &mut self,
        keys: &Keys,
        delivery: &AnswerDelivery<'_>,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let again = sqlx::query!(
            "update answer_delivery set early = $4 where way = $1 and division = $2 and digest = $3",
            delivery.way.as_str(),
            delivery.division,
            &delivery.digest[..],
            delivery.early
        )
        .execute(self.connection())
        .await?;
        if again.rows_affected() > 0 {
            return Ok(());
        }
        let id = sqlx::query_scalar!(
            r#"select nextval(pg_get_serial_sequence('answer_delivery', 'answer_delivery_id')::regclass) as "id!""#
        )
        .fetch_one(self.connection())
        .await?;
        let body = keys.encrypt(delivery.body, body_place(id))?;
        sqlx::query!(
            "insert into answer_delivery
                 (answer_delivery_id, way, division, digest, body, received_at, received_by, answers, refused, early)
             overriding system value values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             on conflict (way, division, digest) do update set early = excluded.early",
            id as i32,
            delivery.way.as_str(),
            delivery.division,
            &delivery.digest[..],
            body,
            at,
            by,
            delivery.answers as i32,
            delivery.refused,
            delivery.early
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
