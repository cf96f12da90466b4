//! Our side of a statement: every message that was answered for good, told row by row as the tax department tells its own.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;

use super::{Store, StoreError};
use crate::domain::message::{Message, MessageKind};
use crate::domain::reconciliation::Here;
use crate::domain::statement::{Answer, Answered, Row, row_of};

/// A message as it comes from the database.
struct Stored {
    uscc: String,
    part: i32,
    /// Messages that the department counted and of which nothing is known.
    more: i64,
    message_id: String,
    version: i32,
    kind: String,
    attempt: i32,
    idempotency_key: String,
    digest: String,
    state: String,
    receipt: Option<String>,
    lapsed: bool,
    person_count: Option<i64>,
    weighted_person_months: Option<i64>,
    stirred: bool,
}

impl Stored {
    fn message(&self) -> Result<Message, StoreError> {
        let kind = MessageKind::parse(&self.kind)
            .ok_or_else(|| StoreError::inconsistent("outbox", "kind", &self.message_id))?;
        Ok(Message { version: self.version as u32, kind, attempt: self.attempt as u32 })
    }

    /// `None`: not answered for good.
    fn answered(self) -> Result<Option<Answered>, StoreError> {
        let Some(answer) = Answer::parse(&self.state) else { return Ok(None) };
        Ok(Some(Answered {
            message: self.message()?,
            message_id: self.message_id,
            idempotency_key: self.idempotency_key,
            digest: self.digest,
            answer,
            receipt: self.receipt,
            person_count: self.person_count.unwrap_or_default() as u64,
            weighted_person_months: self.weighted_person_months.unwrap_or_default() as u64,
            lapsed: self.lapsed,
        }))
    }
}

/// Our statement of a year, read row by row: by part, of one part by the employer's code. One employer is in memory at a time.
pub struct StatementReader<'a> {
    messages: BoxStream<'a, Result<Stored, sqlx::Error>>,
    /// The first message of the next employer.
    ahead: Option<Stored>,
}

impl StatementReader<'_> {
    /// The next row with its part.
    pub async fn next(&mut self) -> Result<Option<(u8, Row)>, StoreError> {
        let first = match self.ahead.take() {
            Some(first) => Some(first),
            None => self.messages.try_next().await?,
        };
        let Some(first) = first else { return Ok(None) };
        let (uscc, part, more) = (first.uscc.clone(), first.part as u8, first.more);
        let mut answered: Vec<Answered> = first.answered()?.into_iter().collect();
        while let Some(message) = self.messages.try_next().await? {
            if message.uscc != uscc {
                self.ahead = Some(message);
                break;
            }
            answered.extend(message.answered()?);
        }
        let row = row_of(&uscc, &answered, more);
        Ok(Some((part, row.ok_or_else(|| StoreError::inconsistent("outbox", "state", uscc))?)))
    }
}

impl Store {
    /// Every row of a year, or of one part of it.
    pub fn read_statement(&self, year: i16, part: Option<u8>) -> StatementReader<'_> {
        let messages = sqlx::query_as!(
            Stored,
            r#"select m.uscc as "uscc!", m.part as "part!", coalesce(r.more, 0) as "more!",
                      m.message_id as "message_id!", m.version as "version!", m.kind as "kind!", m.attempt as "attempt!",
                      m.idempotency_key as "idempotency_key!", m.digest as "digest!", m.state as "state!", m.receipt, m.lapsed as "lapsed!",
                      coalesce(m.person_count, (m.said ->> 'person_count')::bigint) as person_count,
                      coalesce(m.weighted_person_months, (m.said ->> 'weighted_person_months')::bigint) as weighted_person_months,
                      false as "stirred!"
               from (select u.uscc, get_byte(sha256(decode(u.uscc, 'escape')), 0) as part, employer_id, message_id::text, version, kind, attempt,
                            idempotency_key, encode(digest, 'hex') as digest, state, receipt, lapsed,
                            null::bigint as person_count, null::bigint as weighted_person_months,
                            case when kind = 'certified' and state = 'accepted' and not lapsed then convert_from(body, 'UTF8')::jsonb end as said
                     from outbox join unit u on u.unit_id = employer_id
                     where year = $1 and state in ('accepted', 'rejected') and not overtaken
                       and ($2::integer is null or get_byte(sha256(decode(u.uscc, 'escape')), 0) = $2)
                     union all
                     select u.uscc, get_byte(sha256(decode(u.uscc, 'escape')), 0), employer_id, message_id, version, kind, attempt,
                            idempotency_key, digest, state, receipt, lapsed, person_count, weighted_person_months, null
                     from recovered_message join unit u on u.unit_id = employer_id
                     where year = $1 and ($2::integer is null or get_byte(sha256(decode(u.uscc, 'escape')), 0) = $2)) m
               left join (select employer_id, sum(messages)::bigint as more from recovery where year = $1 group by employer_id) r
                    on r.employer_id = m.employer_id
               order by 2, m.uscc collate "C""#,
            year,
            part.map(i32::from)
        )
        .fetch(&self.pool);
        StatementReader { messages, ahead: None }
    }

    /// Years of which there are messages.
    pub async fn statement_years(&self) -> Result<Vec<i16>, StoreError> {
        // a step for each year, not a row for each message
        Ok(sqlx::query_scalar!(
            r#"with recursive years as (
                 select min(year) as year from outbox
                 union all
                 select (select min(year) from outbox o where o.year > y.year) from years y where y.year is not null)
               select year as "year!" from years where year is not null
               union select year from recovery order by 1"#
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Everything that is known of these employers' year, by their codes; who has nothing is left out. Stirred is whoever's messages were
    /// enqueued, sent, answered or taken over since `since`.
    pub async fn list_here(
        &self,
        year: i16,
        codes: &[String],
        since: DateTime<Utc>,
    ) -> Result<HashMap<String, Here>, StoreError> {
        let rows = sqlx::query_as!(
            Stored,
            r#"select m.uscc as "uscc!", 0 as "part!", 0::bigint as "more!",
                      m.message_id as "message_id!", m.version as "version!", m.kind as "kind!", m.attempt as "attempt!",
                      m.idempotency_key as "idempotency_key!", m.digest as "digest!", m.state as "state!", m.receipt, m.lapsed as "lapsed!",
                      coalesce(m.person_count, (m.said ->> 'person_count')::bigint) as person_count,
                      coalesce(m.weighted_person_months, (m.said ->> 'weighted_person_months')::bigint) as weighted_person_months,
                      m.stirred as "stirred!"
               from (select u.uscc, message_id::text, version, kind, attempt, idempotency_key, encode(digest, 'hex') as digest, state, receipt, lapsed,
                            null::bigint as person_count, null::bigint as weighted_person_months,
                            case when kind = 'certified' then convert_from(body, 'UTF8')::jsonb end as said,
                            created_at >= $3 or exists (select from outbox_attempt a where a.message_id = outbox.message_id
                                                         and greatest(a.opened_at, a.closed_at) >= $3) as stirred
                     from outbox join unit u on u.unit_id = employer_id
                     where year = $1 and not overtaken and u.uscc = any($2)
                     union all
                     select u.uscc, message_id, version, kind, attempt, idempotency_key, digest, state, receipt, lapsed,
                            person_count, weighted_person_months, null, false
                     from recovered_message join unit u on u.unit_id = employer_id
                     where year = $1 and u.uscc = any($2)) m"#,
            year,
            codes,
            since
        )
        .fetch_all(&self.pool)
        .await?;
        let mut found: HashMap<String, Here> = HashMap::new();
        for row in rows {
            let here = found.entry(row.uscc.clone()).or_default();
            here.stirred |= row.stirred;
            let (message_id, message) = (row.message_id.clone(), row.message()?);
            match row.answered()? {
                Some(answered) => here.answered.push(answered),
                None => here.open.push((message_id, message)),
            }
        }
        let recovered = sqlx::query!(
            r#"select u.uscc, sum(r.messages)::bigint as "more!", bool_or(r.recovered_at >= $3) as "stirred!"
               from recovery r join unit u on u.unit_id = r.employer_id where r.year = $1 and u.uscc = any($2) group by u.uscc"#,
            year,
            codes,
            since
        )
        .fetch_all(&self.pool)
        .await?;
        for row in recovered {
            let here = found.entry(row.uscc).or_default();
            here.more = row.more;
            here.stirred |= row.stirred;
        }
        Ok(found)
    }

    /// Whether something that takes back what the department holds and we do not know is not answered yet; what people hold back does
    /// not count.
    pub async fn has_open_recoveries(&self, at: DateTime<Utc>) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select exists (
                 select from outbox o where recovery and state in ('waiting', 'sent', 'unknown')
                   and not exists (select from push_hold h where h.released_at is null and (h.until is null or h.until > $1)
                                    and h.employer_id = o.employer_id and h.year = o.year)) as "open!""#,
            at
        )
        .fetch_one(&self.pool)
        .await?)
    }
}
