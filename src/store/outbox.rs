//! The outbox: messages wait until the tax department has answered; the attempt is stored before any byte leaves.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Store, StoreError, ensure_affected};
use crate::domain::facts::UnitId;
use crate::domain::message::{Message, MessageKind};

/// How long an opened attempt keeps others from the same message.
const ATTEMPT_LEASE: TimeDelta = TimeDelta::seconds(60);

/// A message on its way.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub message_id: Uuid,
    pub idempotency_key: String,
    pub body: Vec<u8>,
    pub digest: Vec<u8>,
    /// From 1.
    pub attempt_number: i32,
    /// An earlier attempt ended without an answer we understand: ask before sending again.
    pub ask_first: bool,
}

/// What an attempt brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    Accepted {
        receipt: String,
    },
    /// code, field, value, text, as JSON.
    Rejected {
        answer: serde_json::Value,
    },
    /// Nothing, or `later`: sent again with the same bytes.
    Later,
    /// Something we do not understand: asked again, never guessed.
    Unknown,
}

/// The attempt's raw outcome, kept whatever it means.
#[derive(Clone, Debug, Default)]
pub struct AttemptRecord {
    pub status: Option<u16>,
    pub answer: Option<Vec<u8>>,
    pub error: Option<String>,
}

/// An attempt as it is kept.
#[derive(Clone, Debug)]
pub struct AttemptLine {
    /// From 1.
    pub number: i32,
    pub opened_at: DateTime<Utc>,
    /// `None` while the attempt runs, and for good if its worker died.
    pub closed_at: Option<DateTime<Utc>>,
    pub status: Option<i32>,
    /// The answer's body as it came.
    pub answer: Option<Vec<u8>>,
    pub error: Option<String>,
}

/// News of a message that its declaration has not taken in yet.
#[derive(Clone, Debug)]
pub struct News {
    pub message_id: Uuid,
    pub employer: UnitId,
    pub uscc: String,
    pub year: i16,
    pub message: Message,
    pub state: String,
    pub receipt: Option<String>,
    pub answer: Option<serde_json::Value>,
}

/// One line of the outbox for people.
#[derive(Clone, Debug, serde::Serialize)]
pub struct OutboxLine {
    pub message_id: Uuid,
    pub uscc: String,
    pub year: i16,
    pub version: i32,
    pub kind: String,
    pub state: String,
    pub attempts: i64,
    pub created_at: DateTime<Utc>,
    pub next_attempt_at: DateTime<Utc>,
    pub receipt: Option<String>,
    pub last_error: Option<String>,
}

impl Store {
    /// Takes the message that has been due longest and opens an attempt on it. Of one employer and year only the oldest open message is
    /// taken: by version, of one version the certification before its withdrawal. That order is total and no clock decides it.
    ///
    /// Two who ask at once get different messages: the row is locked while it is taken, and then not due before the attempt's lease
    /// is over. Whoever died with a message is followed by another after that.
    pub async fn open_attempt(&self, at: DateTime<Utc>) -> Result<Option<Outgoing>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let Some(row) = sqlx::query!(
            "select message_id, idempotency_key, body, digest, state from outbox o
             where state in ('waiting', 'sent', 'unknown') and next_attempt_at <= $1
               and not exists (select from outbox e where e.employer_id = o.employer_id and e.year = o.year
                                and e.state in ('waiting', 'sent', 'unknown')
                                and (e.version, e.kind = 'withdrawn', e.attempt) < (o.version, o.kind = 'withdrawn', o.attempt))
             order by next_attempt_at, message_id limit 1 for update of o skip locked",
            at
        )
        .fetch_optional(&mut *transaction)
        .await?
        else {
            return Ok(None);
        };
        let attempt_number = sqlx::query_scalar!(
            r#"insert into outbox_attempt (message_id, number, opened_at)
               select $1, coalesce(max(number), 0) + 1, $2 from outbox_attempt where message_id = $1
               returning number"#,
            row.message_id,
            at
        )
        .fetch_one(&mut *transaction)
        .await?;
        let leased = sqlx::query!(
            "update outbox set state = case when state = 'waiting' then 'sent' else state end, next_attempt_at = $2
             where message_id = $1",
            row.message_id,
            at + ATTEMPT_LEASE
        )
        .execute(&mut *transaction)
        .await?;
        ensure_affected(&leased, 1)?;
        transaction.commit().await?;
        Ok(Some(Outgoing {
            message_id: row.message_id,
            idempotency_key: row.idempotency_key,
            body: row.body,
            digest: row.digest,
            attempt_number,
            ask_first: row.state == "unknown",
        }))
    }

    /// Stores what an attempt brought, raw and read, together. An answer to a message that is answered already changes nothing but
    /// its attempt; so does no answer to an attempt that another has followed, which came too late to say when the next is due.
    pub async fn close_attempt(
        &self,
        outgoing: &Outgoing,
        record: &AttemptRecord,
        answered: &Answered,
        again_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let at = self.now().await?;
        let mut transaction = self.pool.begin().await?;
        let closed = sqlx::query!(
            "update outbox_attempt set closed_at = $3, status = $4, answer = $5, error = $6
             where message_id = $1 and number = $2",
            outgoing.message_id,
            outgoing.attempt_number,
            at,
            record.status.map(i32::from),
            record.answer.as_deref(),
            record.error
        )
        .execute(&mut *transaction)
        .await?;
        ensure_affected(&closed, 1)?;
        let (state, receipt, answer) = match answered {
            Answered::Accepted { receipt } => ("accepted", Some(receipt), None),
            Answered::Rejected { answer } => ("rejected", None, Some(answer)),
            Answered::Later => ("sent", None, None),
            Answered::Unknown => ("unknown", None, None),
        };
        sqlx::query!(
            "update outbox set state = $2, receipt = $3, answer = $4, next_attempt_at = $5, applied = applied and state = $2
             where message_id = $1 and state in ('waiting', 'sent', 'unknown')
               and ($2 in ('accepted', 'rejected')
                    or not exists (select from outbox_attempt a where a.message_id = $1 and a.number > $6))",
            outgoing.message_id,
            state,
            receipt,
            answer,
            again_at,
            outgoing.attempt_number
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Answers that their declarations have not taken in yet, oldest first.
    pub async fn list_news(&self) -> Result<Vec<News>, StoreError> {
        let rows = sqlx::query!(
            "select message_id, employer_id, uscc, year, version, kind, attempt, state, receipt, answer
             from outbox join unit on unit_id = employer_id
             where not applied and state in ('sent', 'accepted', 'rejected')
             order by created_at, version, kind = 'withdrawn', attempt"
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let kind = MessageKind::parse(&row.kind)
                    .ok_or_else(|| StoreError::inconsistent("outbox", "kind", row.message_id))?;
                Ok(News {
                    message_id: row.message_id,
                    employer: UnitId(row.employer_id),
                    uscc: row.uscc,
                    year: row.year,
                    message: Message { version: row.version as u32, kind, attempt: row.attempt as u32 },
                    state: row.state,
                    receipt: row.receipt,
                    answer: row.answer,
                })
            })
            .collect()
    }

    /// The attempts on a message with what they brought, as it came, oldest first.
    pub async fn list_attempts(&self, message_id: Uuid) -> Result<Vec<AttemptLine>, StoreError> {
        Ok(sqlx::query_as!(
            AttemptLine,
            "select number, opened_at, closed_at, status, answer, error from outbox_attempt
             where message_id = $1 order by number",
            message_id
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The outbox for people, newest first.
    pub async fn list_outbox(&self, limit: i64) -> Result<Vec<OutboxLine>, StoreError> {
        Ok(sqlx::query_as!(
            OutboxLine,
            r#"select message_id, uscc, year, version, kind, state, created_at, next_attempt_at, receipt,
                      (select count(*) from outbox_attempt a where a.message_id = o.message_id) as "attempts!",
                      (select error from outbox_attempt a where a.message_id = o.message_id order by number desc limit 1)
                          as last_error
               from outbox o join unit on unit_id = employer_id order by created_at desc limit $1"#,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
