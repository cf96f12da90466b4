//! The outbox: messages wait until the tax department has answered; the attempt is stored before any byte leaves.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::change::Change;
use super::{Store, StoreError, ensure_affected};
use crate::domain::facts::UnitId;
use crate::domain::message::{Message, MessageKind};

/// How long an opened attempt keeps others from the same message.
pub(super) const ATTEMPT_LEASE: TimeDelta = TimeDelta::seconds(60);

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
    /// Asked, it says that it never had the message: sent again with the same bytes.
    Forgotten,
    /// Something we do not understand: asked again, never guessed.
    Unknown,
}

impl Answered {
    /// The word under which the outbox keeps it.
    fn word(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Rejected { .. } => "rejected",
            Self::Later => "sent",
            Self::Forgotten => "forgotten",
            Self::Unknown => "unknown",
        }
    }

    fn receipt(&self) -> Option<String> {
        if let Self::Accepted { receipt } = self { Some(receipt.clone()) } else { None }
    }

    fn rejection(&self) -> Option<serde_json::Value> {
        if let Self::Rejected { answer } = self { Some(answer.clone()) } else { None }
    }
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

/// What may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    Everything,
    /// Only what takes back what the department holds and we do not know.
    Recoveries,
}

/// An attempt that is over.
#[derive(Clone, Debug)]
pub struct Closing {
    pub message_id: Uuid,
    pub attempt_number: i32,
    pub record: AttemptRecord,
    pub answered: Answered,
    /// The next attempt, where one is needed.
    pub again_at: DateTime<Utc>,
}

impl Store {
    /// Takes the message that has been due longest, as [`Store::open_attempts`] does.
    pub async fn open_attempt(&self, at: DateTime<Utc>) -> Result<Option<Outgoing>, StoreError> {
        Ok(self.open_attempts(at, Passing::Everything, 1).await?.pop())
    }

    /// Takes up to `limit` messages that have been due longest and opens an attempt on each. Of one employer and year only the oldest
    /// open message is taken: by version, of one version the certification before its withdrawal. That order is total and no clock
    /// decides it. What is held is left.
    ///
    /// Where the department forgot messages and gets them again, no person-month counts twice on the way: a certification waits for every
    /// earlier message of another employer about one of its months that is asked about or sent again, and is itself not sent again while
    /// another employer claims one of them whose own messages are not forgotten; people must look at that. While something that takes back
    /// what is not known here is not accepted, nothing else leaves.
    ///
    /// Two who ask at once get different messages: the rows are locked while they are taken, and then not due before the attempts'
    /// lease is over. Whoever died with a message is followed by another after that.
    pub async fn open_attempts(
        &self,
        at: DateTime<Utc>,
        passing: Passing,
        limit: i64,
    ) -> Result<Vec<Outgoing>, StoreError> {
        let rows = sqlx::query!(
            r#"with due as (
                 select message_id, state, checking from outbox o
                 where (state in ('waiting', 'sent', 'unknown') or checking is not null) and next_attempt_at <= $1 and (recovery or not $3 and not (select has_open_recovery($1)))
                   and not exists (select from outbox e where e.employer_id = o.employer_id and e.year = o.year
                                    and (e.state in ('waiting', 'sent', 'unknown') or e.checking is not null and not o.recovery)
                                    and (e.version, e.kind = 'withdrawn', e.attempt) < (o.version, o.kind = 'withdrawn', o.attempt))
                   and (kind = 'withdrawn' or not exists (select from outbox where checking is not null) or not exists (
                          select from declared_month m join declared_month c on c.person_id = m.person_id and c.month = m.month
                          join outbox e on e.employer_id = c.employer_id and e.year = c.year and e.version = c.version
                          where m.employer_id = o.employer_id and m.year = o.year and m.version = o.version
                            and e.checking is not null and e.seq < o.seq and e.employer_id <> o.employer_id))
                   and (checking is distinct from 'send' or kind = 'withdrawn' or not exists (
                          select from declared_month m join claim c on c.person_id = m.person_id and c.month = m.month and c.to_seq is null
                          where m.employer_id = o.employer_id and m.year = o.year and m.version = o.version and c.employer_id <> o.employer_id
                            and not exists (select from outbox e where e.employer_id = c.employer_id and e.year = o.year and e.checking is not null)))
                   and not exists (select from push_hold h where h.released_at is null and (h.until is null or h.until > $1)
                                    and (h.employer_id is null or h.employer_id = o.employer_id and h.year = o.year))
                 order by next_attempt_at, message_id limit $4 for update of o skip locked),
               opened as (
                 insert into outbox_attempt (message_id, number, opened_at)
                 select message_id, (select coalesce(max(number), 0) + 1 from outbox_attempt a where a.message_id = due.message_id), $1
                 from due returning message_id, number)
               update outbox o
               set state = case when due.state = 'waiting' then 'sent' else due.state end, applied = applied and due.state <> 'waiting',
                   next_attempt_at = $2
               from due join opened using (message_id) where o.message_id = due.message_id
               returning o.message_id, o.idempotency_key, o.body, o.digest, opened.number,
                         coalesce(due.checking = 'ask', due.state = 'unknown') as "ask_first!""#,
            at,
            at + ATTEMPT_LEASE,
            passing == Passing::Recoveries,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        let outgoing = rows.into_iter().map(|row| Outgoing {
            message_id: row.message_id,
            idempotency_key: row.idempotency_key,
            body: row.body,
            digest: row.digest,
            attempt_number: row.number,
            ask_first: row.ask_first,
        });
        Ok(outgoing.collect())
    }

    /// Stores what an attempt brought, as [`Store::close_attempts`] does.
    pub async fn close_attempt(
        &self,
        outgoing: &Outgoing,
        record: &AttemptRecord,
        answered: &Answered,
        again_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let Outgoing { message_id, attempt_number, .. } = *outgoing;
        let closing =
            Closing { message_id, attempt_number, record: record.clone(), answered: answered.clone(), again_at };
        self.close_attempts(&[closing]).await
    }

    /// Stores what attempts brought, raw and read, together. An answer to a message that is answered already changes nothing but
    /// its attempt; so does no answer to an attempt that another has followed, which came too late to say when the next is due.
    ///
    /// A message that is asked about again keeps what it was answered for good: another receipt takes the place of the old one, and
    /// an answer that says the opposite is kept beside it for people to decide. What the department has forgotten is sent again where it
    /// had been accepted; nobody confirms any more what had been rejected, and both sides are the same without it.
    pub async fn close_attempts(&self, closings: &[Closing]) -> Result<(), StoreError> {
        let at = self.now().await?;
        let mut change = self.change().await?;
        change.close_attempts(closings, at).await?;
        change.commit().await
    }
}

impl Change {
    /// Stores what attempts brought in this change, as [`Store::close_attempts`] does.
    pub async fn close_attempts(&mut self, closings: &[Closing], at: DateTime<Utc>) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = closings.iter().map(|closing| closing.message_id).collect();
        let numbers: Vec<i32> = closings.iter().map(|closing| closing.attempt_number).collect();
        let statuses: Vec<Option<i32>> = closings.iter().map(|closing| closing.record.status.map(i32::from)).collect();
        let bodies: Vec<Option<Vec<u8>>> = closings.iter().map(|closing| closing.record.answer.clone()).collect();
        let errors: Vec<Option<String>> = closings.iter().map(|closing| closing.record.error.clone()).collect();
        let transaction = self.connection();
        let closed = sqlx::query!(
            "update outbox_attempt a set closed_at = $3, status = c.status, answer = c.answer, error = c.error
             from unnest($1::uuid[], $2::int[], $4::int[], $5::bytea[], $6::text[]) as c (message_id, number, status, answer, error)
             where a.message_id = c.message_id and a.number = c.number",
            &ids,
            &numbers,
            at,
            &statuses as &[Option<i32>],
            &bodies as &[Option<Vec<u8>>],
            &errors as &[Option<String>]
        )
        .execute(&mut *transaction)
        .await?;
        ensure_affected(&closed, closings.len() as u64)?;
        let words: Vec<String> = closings.iter().map(|closing| closing.answered.word().to_owned()).collect();
        let receipts: Vec<Option<String>> = closings.iter().map(|closing| closing.answered.receipt()).collect();
        let answers: Vec<Option<serde_json::Value>> =
            closings.iter().map(|closing| closing.answered.rejection()).collect();
        let again: Vec<DateTime<Utc>> = closings.iter().map(|closing| closing.again_at).collect();
        // what is answered and not asked about: the opposite or another receipt is kept beside it, until the last says the same again
        sqlx::query!(
            "update outbox o
             set contradicted = case when c.word = 'rejected' and o.state = 'accepted' then c.answer
                                     when c.word = 'accepted' and (o.state = 'rejected' or o.receipt is distinct from c.receipt)
                                     then jsonb_build_object('receipt', c.receipt)
                                     when not exists (select from outbox_attempt a where a.message_id = c.message_id and a.number > c.number)
                                     then null else o.contradicted end
             from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::jsonb[]) as c (message_id, number, word, receipt, answer)
             where o.message_id = c.message_id and o.checking is null and o.state in ('accepted', 'rejected')
               and c.word in ('accepted', 'rejected')",
            &ids,
            &numbers,
            &words,
            &receipts as &[Option<String>],
            &answers as &[Option<serde_json::Value>]
        )
        .execute(&mut *transaction)
        .await?;
        // what is asked about again first: afterwards more is answered
        sqlx::query!(
            "update outbox o
             set checking = case when c.word = 'forgotten' and o.state = 'accepted' then 'send'
                                 when c.word = 'unknown' then 'ask' when c.word = 'sent' then o.checking end,
                 overtaken = o.overtaken or c.word = 'forgotten' and o.state = 'rejected',
                 applied = applied and (c.word <> 'accepted' or o.state <> 'accepted' or o.receipt = c.receipt),
                 receipt = case when c.word = 'accepted' and o.state = 'accepted' then c.receipt else o.receipt end,
                 contradicted = case when c.word = 'rejected' and o.state = 'accepted' then c.answer
                                     when c.word = 'accepted' and o.state = 'rejected' then jsonb_build_object('receipt', c.receipt)
                                     when c.word in ('accepted', 'rejected') then null else o.contradicted end,
                 next_attempt_at = c.again_at
             from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[])
                  as c (message_id, number, word, receipt, answer, again_at)
             where o.message_id = c.message_id and o.checking is not null
               and not exists (select from outbox_attempt a where a.message_id = c.message_id and a.number > c.number)",
            &ids,
            &numbers,
            &words,
            &receipts as &[Option<String>],
            &answers as &[Option<serde_json::Value>],
            &again
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "update outbox o
             set state = replace(c.word, 'forgotten', 'sent'), receipt = c.receipt, answer = c.answer, next_attempt_at = c.again_at,
                 applied = applied and state = replace(c.word, 'forgotten', 'sent')
             from unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[])
                  as c (message_id, number, word, receipt, answer, again_at)
             where o.message_id = c.message_id and state in ('waiting', 'sent', 'unknown')
               and (c.word in ('accepted', 'rejected')
                    or not exists (select from outbox_attempt a where a.message_id = c.message_id and a.number > c.number))",
            &ids,
            &numbers,
            &words,
            &receipts as &[Option<String>],
            &answers as &[Option<serde_json::Value>],
            &again
        )
        .execute(&mut *transaction)
        .await?;
        Ok(())
    }
}

impl Store {
    /// Attempts of which no byte left are as if they had never been opened; their messages are due again.
    pub async fn give_back_attempts(&self, unsent: &[(Uuid, i32)], at: DateTime<Utc>) -> Result<(), StoreError> {
        if unsent.is_empty() {
            return Ok(());
        }
        let (ids, numbers): (Vec<Uuid>, Vec<i32>) = unsent.iter().copied().unzip();
        let mut transaction = self.begin().await?;
        sqlx::query!(
            "delete from outbox_attempt a using unnest($1::uuid[], $2::int[]) as c (message_id, number)
             where a.message_id = c.message_id and a.number = c.number and a.closed_at is null",
            &ids,
            &numbers
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "update outbox o
             set next_attempt_at = $3,
                 state = case when state = 'sent' and c.number = 1 then 'waiting' else state end,
                 applied = applied or state = 'sent' and c.number = 1
             from unnest($1::uuid[], $2::int[]) as c (message_id, number)
             where o.message_id = c.message_id and (state in ('waiting', 'sent', 'unknown') or checking is not null)
               and not exists (select from outbox_attempt a where a.message_id = c.message_id and a.number > c.number)",
            &ids,
            &numbers,
            at
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
             order by created_at, seq, version, kind = 'withdrawn', attempt"
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
}
