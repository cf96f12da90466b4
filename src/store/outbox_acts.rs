//! What operators do with messages of the outbox: try again at once, ask again, give up what never left.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::audit::Act;
use super::change::{Change, Done};
use super::{Store, StoreError};
use crate::domain::access::Actor;
use crate::domain::facts::UnitId;
use crate::domain::message::{Message, MessageKind, Rejection};

/// A message that is to be given up, locked.
#[derive(Clone, Debug)]
pub struct Discardable {
    pub employer: UnitId,
    pub uscc: String,
    pub year: i16,
    pub message: Message,
    pub state: String,
    /// Attempts that were ever opened.
    pub attempts: i64,
    /// Messages of that employer and year that come after it and are not rejected.
    pub followers: i64,
    /// The code it was rejected with.
    pub code: Option<String>,
    /// It takes back what the department holds and we do not know.
    pub recovery: bool,
}

impl Store {
    /// Makes these messages due now; what is answered for good is asked about again. With a message, what was accepted of its employer
    /// and year is asked about together, in order, and what was accepted of others who declared the same persons' months: what the
    /// department has forgotten comes to it again as it came first. Messages whose attempt runs stay; so does what was rejected here.
    /// How many are due.
    pub async fn retry_push(
        &self,
        message_id: Option<Uuid>,
        actor: &Actor,
        object: &str,
        why: &str,
    ) -> Result<u64, StoreError> {
        let mut change = self.change().await?;
        // locked first: an attempt that was opened while the lock was waited for is seen by what follows
        sqlx::query!(
            "select from outbox where $1::uuid is null and (state in ('waiting', 'sent', 'unknown') or checking is not null) or message_id = $1
             order by message_id for update",
            message_id
        )
        .execute(change.connection())
        .await?;
        let at = self.now().await?;
        let done = sqlx::query!(
            "update outbox o
             set next_attempt_at = $1,
                 checking = case when o.state in ('accepted', 'rejected') then coalesce(o.checking, 'ask') end
             where (case when $2::uuid is null then o.state in ('waiting', 'sent', 'unknown') or o.checking is not null
                         else o.message_id = $2
                           or o.state = 'accepted' and exists (select from outbox m where m.message_id = $2 and m.state = 'accepted'
                                                                and m.employer_id = o.employer_id and m.year = o.year)
                           or o.state = 'accepted' and exists (
                                select from outbox m join declared_month d on d.employer_id = m.employer_id and d.year = m.year
                                join declared_month c on c.person_id = d.person_id and c.month = d.month
                                where m.message_id = $2 and m.state = 'accepted' and c.employer_id = o.employer_id and c.year = o.year) end)
               and not o.overtaken
               and not exists (select from outbox_attempt a where a.message_id = o.message_id and a.closed_at is null
                                and a.opened_at > $3)",
            at,
            message_id,
            at - super::outbox::ATTEMPT_LEASE
        )
        .execute(change.connection())
        .await?;
        if done.rows_affected() > 0 {
            let act = Act::operate(at, actor, "retry_push", object, Some(why)).with("messages", done.rows_affected());
            change.record(&act).await?;
            change.answer(&Done::CHANGED).await?;
            change.commit().await?;
        }
        Ok(done.rows_affected())
    }

    /// When the attempt that runs on a message gives it back at the latest, if one runs.
    pub async fn running_attempt(&self, message_id: Uuid) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at = self.now().await?;
        let opened_at = sqlx::query_scalar!(
            "select max(opened_at) from outbox_attempt where message_id = $1 and closed_at is null and opened_at > $2",
            message_id,
            at - super::outbox::ATTEMPT_LEASE
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(opened_at.map(|opened_at| opened_at + TimeDelta::seconds(super::outbox::ATTEMPT_LEASE.num_seconds())))
    }
}

impl Change {
    /// The message, locked until this change ends: nobody opens an attempt on it meanwhile.
    pub async fn lock_message(&mut self, message_id: Uuid) -> Result<Option<Discardable>, StoreError> {
        let row = sqlx::query!(
            r#"select employer_id, uscc, year, version, kind, attempt, state, recovery, answer ->> 'code' as code,
                      (select count(*) from outbox_attempt a where a.message_id = o.message_id) as "attempts!",
                      (select count(*) from outbox l where l.employer_id = o.employer_id and l.year = o.year and l.state <> 'rejected'
                        and (l.version, l.kind = 'withdrawn', l.attempt) > (o.version, o.kind = 'withdrawn', o.attempt)) as "followers!"
               from outbox o join unit on unit_id = employer_id where message_id = $1 for update of o"#,
            message_id
        )
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(None) };
        // counted after the lock was had: an attempt may have been opened while it was waited for
        let attempts = sqlx::query_scalar!(
            r#"select count(*) as "attempts!" from outbox_attempt where message_id = $1"#,
            message_id
        )
        .fetch_one(self.connection())
        .await?;
        let kind =
            MessageKind::parse(&row.kind).ok_or_else(|| StoreError::inconsistent("outbox", "kind", message_id))?;
        Ok(Some(Discardable {
            employer: UnitId(row.employer_id),
            uscc: row.uscc,
            year: row.year,
            message: Message { version: row.version as u32, kind, attempt: row.attempt as u32 },
            state: row.state,
            attempts: attempts.max(row.attempts),
            followers: row.followers,
            code: row.code,
            recovery: row.recovery,
        }))
    }

    /// Rejects it in the department's place: it never leaves.
    pub async fn reject_message(&mut self, message_id: Uuid, rejection: &Rejection) -> Result<(), StoreError> {
        let answer =
            serde_json::to_value(rejection).map_err(|_| StoreError::inconsistent("outbox", "answer", message_id))?;
        sqlx::query!(
            "update outbox set state = 'rejected', answer = $2, applied = false, overtaken = true where message_id = $1 and state = 'waiting'",
            message_id,
            answer
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
