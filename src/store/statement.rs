//! Our side of a statement: every message that was answered for good, told row by row as the tax department tells its own.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;

use super::{Store, StoreError};
use crate::domain::message::{Message, MessageKind};
use crate::domain::reconciliation::Here;
use crate::domain::statement::{Answer, Answered, Row, row_of};

/// A message as it comes from the database.
struct Stored {
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

/// The employer whose messages are being gathered.
#[derive(Default)]
struct Gathering {
    part: u8,
    uscc: String,
    answered: Vec<Answered>,
    more: i64,
}

impl Gathering {
    fn tell(&self, each: &mut impl FnMut(u8, Row)) {
        if let Some(row) = row_of(&self.uscc, &self.answered, self.more) {
            each(self.part, row);
        }
    }
}

impl Store {
    /// Tells every row of a year, or of one part of it: by part, of one part by the employer's code. One row is in memory at a time.
    pub async fn read_statement(
        &self,
        year: i16,
        part: Option<u8>,
        mut each: impl FnMut(u8, Row),
    ) -> Result<(), StoreError> {
        let mut rows = sqlx::query!(
            r#"select u.uscc, get_byte(sha256(decode(u.uscc, 'escape')), 0) as "part!", coalesce(r.more, 0) as "more!",
                      m.message_id as "message_id!", m.version as "version!", m.kind as "kind!", m.attempt as "attempt!",
                      m.idempotency_key as "idempotency_key!", m.digest as "digest!", m.state as "state!", m.receipt, m.lapsed as "lapsed!",
                      coalesce(m.person_count, (m.said ->> 'person_count')::bigint) as person_count,
                      coalesce(m.weighted_person_months, (m.said ->> 'weighted_person_months')::bigint) as weighted_person_months
               from (select employer_id, message_id::text, version, kind, attempt, idempotency_key, encode(digest, 'hex') as digest, state, receipt,
                            lapsed, null::bigint as person_count, null::bigint as weighted_person_months,
                            case when kind = 'certified' and state = 'accepted' and not lapsed then convert_from(body, 'UTF8')::jsonb end as said
                     from outbox where year = $1 and state in ('accepted', 'rejected') and not overtaken
                     union all
                     select employer_id, message_id, version, kind, attempt, idempotency_key, digest, state, receipt,
                            lapsed, person_count, weighted_person_months, null
                     from recovered_message where year = $1) m
               join unit u on u.unit_id = m.employer_id
               left join (select employer_id, sum(messages)::bigint as more from recovery where year = $1 group by employer_id) r
                    on r.employer_id = m.employer_id
               where $2::integer is null or get_byte(sha256(decode(u.uscc, 'escape')), 0) = $2
               order by 2, u.uscc collate "C""#,
            year,
            part.map(i32::from)
        )
        .fetch(&self.pool);
        let mut gathering = Gathering::default();
        while let Some(row) = rows.try_next().await? {
            if row.uscc != gathering.uscc {
                gathering.tell(&mut each);
                let part = row.part as u8;
                gathering = Gathering { part, uscc: row.uscc, answered: Vec::new(), more: row.more };
            }
            let stored = Stored {
                message_id: row.message_id,
                version: row.version,
                kind: row.kind,
                attempt: row.attempt,
                idempotency_key: row.idempotency_key,
                digest: row.digest,
                state: row.state,
                receipt: row.receipt,
                lapsed: row.lapsed,
                person_count: row.person_count,
                weighted_person_months: row.weighted_person_months,
            };
            gathering.answered.extend(stored.answered()?);
        }
        gathering.tell(&mut each);
        Ok(())
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
        let rows = sqlx::query!(
            r#"select u.uscc, m.message_id as "message_id!", m.version as "version!", m.kind as "kind!", m.attempt as "attempt!",
                      m.idempotency_key as "idempotency_key!", m.digest as "digest!", m.state as "state!", m.receipt, m.lapsed as "lapsed!",
                      coalesce(m.person_count, (m.said ->> 'person_count')::bigint) as person_count,
                      coalesce(m.weighted_person_months, (m.said ->> 'weighted_person_months')::bigint) as weighted_person_months,
                      m.stirred as "stirred!"
               from unit u join
                    (select employer_id, message_id::text, version, kind, attempt, idempotency_key, encode(digest, 'hex') as digest, state, receipt,
                            lapsed, null::bigint as person_count, null::bigint as weighted_person_months,
                            case when kind = 'certified' then convert_from(body, 'UTF8')::jsonb end as said,
                            created_at >= $3 or exists (select from outbox_attempt a where a.message_id = outbox.message_id
                                                         and greatest(a.opened_at, a.closed_at) >= $3) as stirred
                     from outbox where year = $1 and not overtaken
                     union all
                     select employer_id, message_id, version, kind, attempt, idempotency_key, digest, state, receipt,
                            lapsed, person_count, weighted_person_months, null, false
                     from recovered_message where year = $1) m on m.employer_id = u.unit_id
               where u.uscc = any($2)"#,
            year,
            codes,
            since
        )
        .fetch_all(&self.pool)
        .await?;
        let mut found: HashMap<String, Here> = HashMap::new();
        for row in rows {
            let here = found.entry(row.uscc).or_default();
            here.stirred |= row.stirred;
            let stored = Stored {
                message_id: row.message_id,
                version: row.version,
                kind: row.kind,
                attempt: row.attempt,
                idempotency_key: row.idempotency_key,
                digest: row.digest,
                state: row.state,
                receipt: row.receipt,
                lapsed: row.lapsed,
                person_count: row.person_count,
                weighted_person_months: row.weighted_person_months,
            };
            let (message_id, message) = (stored.message_id.clone(), stored.message()?);
            match stored.answered()? {
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
