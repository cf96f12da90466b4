//! The outbox for people: lines, one message with everything about it, figures.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::facts::UnitId;

/// One line of the outbox for people.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OutboxLine {
    pub message_id: Uuid,
    pub uscc: String,
    pub year: i16,
    pub version: i32,
    pub kind: String,
    /// From 1; more only where a rejected message was issued again.
    pub issue: i32,
    /// `waiting`, `sent`, `accepted`, `rejected`, `unknown`; `withdrawn`: accepted, and taken back by a withdrawal that was accepted too.
    pub state: String,
    pub attempts: i64,
    pub created_at: DateTime<Utc>,
    /// Of what is not answered for good, or is asked about again.
    pub next_attempt_at: DateTime<Utc>,
    pub receipt: Option<String>,
    /// What was wrong with the last attempt.
    pub last_error: Option<String>,
    /// The department's reason: code, field, value, text.
    pub rejection: Option<serde_json::Value>,
    /// It does not leave while a hold stands.
    pub held: bool,
    /// `ask`: the department is asked about it again; `send`: it has forgotten it, and it is sent again.
    pub checking: Option<String>,
    /// What the department said later against what it had said for good.
    pub contradicted: Option<serde_json::Value>,
}

/// Which lines.
#[derive(Clone, Debug, Default)]
pub struct OutboxFilter {
    pub employer: Option<UnitId>,
    pub year: Option<i16>,
    /// As a line has it.
    pub state: Option<String>,
    pub message_id: Option<Uuid>,
}

/// A message's own bytes.
#[derive(Clone, Debug)]
pub struct OutboxBody {
    pub idempotency_key: String,
    pub body: Vec<u8>,
    /// SHA-256 of the body.
    pub digest: Vec<u8>,
}

/// How many messages have a state, and the oldest of them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OutboxFigure {
    pub state: String,
    pub messages: i64,
    pub oldest_at: DateTime<Utc>,
    /// Where the state is one that is not for good: whose the oldest is, and how its last attempt ended.
    pub oldest_uscc: Option<String>,
    pub oldest_year: Option<i16>,
    pub last_error: Option<String>,
}

/// Messages of which the department said one thing for good and another later.
#[derive(Clone, Debug, Serialize)]
pub struct Contradicted {
    pub messages: i64,
    /// The oldest.
    pub message_id: Uuid,
    pub uscc: String,
    pub year: i16,
}

impl Store {
    /// The outbox for people, newest first.
    pub async fn list_outbox(&self, limit: i64) -> Result<Vec<OutboxLine>, StoreError> {
        self.list_outbox_of(&OutboxFilter::default(), None, limit).await
    }

    /// The same of an employer, a year, a state.
    pub async fn list_outbox_of(
        &self,
        filter: &OutboxFilter,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<OutboxLine>, StoreError> {
        let at = self.now().await?;
        Ok(sqlx::query_as!(
            OutboxLine,
            r#"select message_id, uscc, year, version, kind, attempt as issue, s.state as "state!", created_at, next_attempt_at, receipt,
                      answer as rejection, checking, contradicted,
                      (select count(*) from outbox_attempt a where a.message_id = o.message_id) as "attempts!",
                      (select error from outbox_attempt a where a.message_id = o.message_id order by number desc limit 1)
                          as last_error,
                      ((o.state in ('waiting', 'sent', 'unknown') or checking is not null)
                       and exists (select from push_hold h where h.released_at is null and (h.until is null or h.until > $1)
                                    and (h.employer_id is null or h.employer_id = o.employer_id and h.year = o.year))) as "held!"
               from outbox o join unit on unit_id = employer_id
               cross join lateral (
                 select case when o.state = 'accepted' and o.kind = 'certified'
                              and exists (select from outbox w where w.employer_id = o.employer_id and w.year = o.year
                                           and w.version = o.version and w.kind = 'withdrawn' and w.state = 'accepted')
                             then 'withdrawn' else o.state end as state) as s
               where ($2::int is null or employer_id = $2) and ($3::smallint is null or year = $3)
                 and ($4::text is null or s.state = $4) and ($5::uuid is null or message_id = $5)
                 and ($7::uuid is null or (created_at, seq, version, kind, attempt)
                                          < (select created_at, seq, version, kind, attempt from outbox b where b.message_id = $7))
               order by created_at desc, seq desc, version desc, kind desc, attempt desc limit $6"#,
            at,
            filter.employer.map(|employer| employer.0),
            filter.year,
            filter.state.as_deref(),
            filter.message_id,
            limit,
            before
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// One message with its bytes.
    pub async fn find_outbox_message(&self, message_id: Uuid) -> Result<Option<(OutboxLine, OutboxBody)>, StoreError> {
        let filter = OutboxFilter { message_id: Some(message_id), ..OutboxFilter::default() };
        let Some(line) = self.list_outbox_of(&filter, None, 1).await?.pop() else { return Ok(None) };
        let body = sqlx::query_as!(
            OutboxBody,
            "select idempotency_key, body, digest from outbox where message_id = $1",
            message_id
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Some((line, body)))
    }

    /// The outbox to the tax department, by state.
    pub async fn outbox_figures(&self) -> Result<Vec<OutboxFigure>, StoreError> {
        Ok(sqlx::query_as!(
            OutboxFigure,
            r#"select f.state, f.messages as "messages!", f.oldest_at as "oldest_at!", o.uscc as "oldest_uscc?",
                      o.year as "oldest_year?", o.error as "last_error?"
               from (select state, count(*) as messages, min(created_at) as oldest_at from outbox group by state) as f
               left join lateral (
                 select uscc, year, (select error from outbox_attempt a where a.message_id = m.message_id and closed_at is not null
                                     order by number desc limit 1) as error
                 from outbox m join unit on unit_id = employer_id
                 where m.state = f.state and m.state in ('waiting', 'sent', 'unknown')
                 order by created_at limit 1) as o on true
               order by f.state"#
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Messages of which the department said one thing for good and another later, if there are any.
    pub async fn find_contradicted(&self) -> Result<Option<Contradicted>, StoreError> {
        Ok(sqlx::query_as!(
            Contradicted,
            r#"select count(*) over () as "messages!", message_id, uscc, year from outbox join unit on unit_id = employer_id
               where contradicted is not null order by created_at limit 1"#
        )
        .fetch_optional(&self.pool)
        .await?)
    }
}
