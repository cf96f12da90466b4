//! Messages in the order in which they were published, for whoever fetches them or writes them to files.
//!
//! A publish takes its sequence under one lock and holds it until it commits. So whoever sees the head sees everything before it, and a
//! reader that goes on from a place misses nothing and gets nothing twice, however many publish at once.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::change::Change;
use super::{Store, StoreError};
use crate::domain::facts::words;
use crate::domain::feed::Cursor;

words! {
    /// How a message reaches the tax department.
    Way { Push = "push", Feed = "feed", File = "file" }
}

/// Which messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// The beginning of the tax department's division; empty: all of them.
    pub division: &'a str,
    /// One business year.
    pub year: Option<i16>,
    /// Up to and with this publish: a range that was decided before, of which nothing is held back any more.
    pub until_seq: Option<i64>,
}

/// A message as it is handed on.
#[derive(Clone, Debug)]
pub struct FeedMessage {
    /// Its own.
    pub place: Cursor,
    pub message_id: Uuid,
    pub idempotency_key: String,
    pub body: Vec<u8>,
    /// SHA-256 of the body.
    pub digest: Vec<u8>,
}

/// What follows a place.
#[derive(Clone, Debug)]
pub struct FeedPage {
    pub messages: Vec<FeedMessage>,
    /// From where to go on; where nothing follows yet, also past what was meant for others.
    pub next: Cursor,
    /// There was more than was asked for.
    pub more: bool,
    /// What follows is held back: nothing behind it is handed on before it is released, since a reader passes every place once.
    pub held: bool,
}

impl FeedPage {
    /// Ends before the first that may not leave, where only the first `leaving` may: whoever goes on from here finds it, or finds it gone.
    pub fn cut(&mut self, after: &Cursor, leaving: usize) {
        if leaving < self.messages.len() {
            self.messages.truncate(leaving);
            self.next = self.messages.last().map_or(*after, |message| message.place);
            (self.more, self.held) = (true, false);
        }
    }
}

struct Row {
    message_id: Uuid,
    idempotency_key: String,
    body: Vec<u8>,
    digest: Vec<u8>,
    seq: i64,
    version: i32,
    withdrawn: bool,
    attempt: i32,
}

impl Row {
    fn read(self) -> FeedMessage {
        let Self { message_id, idempotency_key, body, digest, seq, version, withdrawn, attempt } = self;
        let place = Cursor { seq, version, withdrawn, attempt, message_id: message_id.as_u128() };
        FeedMessage { place, message_id, idempotency_key, body, digest }
    }
}

/// How far messages may be handed on now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// Everything there is, up to this publish.
    Head(i64),
    /// What is before this place.
    Before(Cursor),
}

impl Store {
    /// Up to `limit` messages after a place. `at` decides what is held.
    pub async fn list_feed(
        &self,
        after: &Cursor,
        wanted: Wanted<'_>,
        limit: i64,
        at: DateTime<Utc>,
    ) -> Result<FeedPage, StoreError> {
        let mut snapshot = self.begin_snapshot().await?;
        let end = find_limit(&mut snapshot, after, wanted, at).await?;
        let bound = match end {
            Limit::Head(seq) => Cursor::after_publish(seq),
            Limit::Before(place) => place,
        };
        let rows = sqlx::query_as!(
            Row,
            r#"select message_id, idempotency_key, body, digest, seq, version, kind = 'withdrawn' as "withdrawn!", attempt
               from outbox o
               where seq >= $1 and seq <= $2 and not overtaken
                 and (seq, version, kind = 'withdrawn', attempt, message_id) > ($1, $3, $4, $5, $6)
                 and (seq, version, kind = 'withdrawn', attempt, message_id) < ($2, $7, $8, $9, $10)
                 and ($11 = '' or starts_with(message_division(body), $11)) and ($12::smallint is null or year = $12)
               order by seq, version, kind = 'withdrawn', attempt, message_id limit $13"#,
            after.seq,
            bound.seq,
            after.version,
            after.withdrawn,
            after.attempt,
            Uuid::from_u128(after.message_id),
            bound.version,
            bound.withdrawn,
            bound.attempt,
            Uuid::from_u128(bound.message_id),
            wanted.division,
            wanted.year,
            limit + 1
        )
        .fetch_all(&mut *snapshot)
        .await?;
        snapshot.commit().await?;
        let more = rows.len() as i64 > limit;
        let messages: Vec<FeedMessage> =
            rows.into_iter().take(usize::try_from(limit).unwrap_or_default()).map(Row::read).collect();
        let next = match end {
            Limit::Head(seq) if !more => (*after).max(Cursor::after_publish(seq)),
            _ => messages.last().map_or(*after, |message| message.place),
        };
        let held = matches!(end, Limit::Before(_)) && !more;
        Ok(FeedPage { messages, next, more, held })
    }

    /// The last publish there is: whoever was handed a place behind it was handed it before a restore.
    pub async fn feed_head(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!("select seq from publish_head").fetch_one(&self.pool).await?)
    }

    /// Messages that were decided on before, in that order, whatever became of them since.
    pub async fn list_decided(&self, messages: &[Uuid]) -> Result<Vec<FeedMessage>, StoreError> {
        let rows = sqlx::query_as!(
            Row,
            r#"select message_id as "message_id!", idempotency_key, body, digest, seq, version, kind = 'withdrawn' as "withdrawn!", attempt
               from unnest($1::uuid[]) with ordinality as wanted (message_id, place) join outbox using (message_id) order by place"#,
            messages
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(Row::read).collect())
    }

    /// The last publish of which everything that is wanted behind a place may be handed on now.
    pub async fn feed_until(&self, wanted: Wanted<'_>, after: &Cursor, at: DateTime<Utc>) -> Result<i64, StoreError> {
        let mut snapshot = self.begin_snapshot().await?;
        let end = find_limit(&mut snapshot, after, wanted, at).await?;
        snapshot.commit().await?;
        Ok(match end {
            Limit::Head(seq) => seq,
            Limit::Before(place) => place.seq - 1,
        })
    }

    /// The business years of which there are messages after a publish.
    pub async fn list_feed_years(&self) -> Result<Vec<i16>, StoreError> {
        Ok(sqlx::query_scalar!("select distinct year from outbox order by year").fetch_all(&self.pool).await?)
    }
}

/// The first message that is held back, or the head.
async fn find_limit(
    snapshot: &mut PgConnection,
    after: &Cursor,
    wanted: Wanted<'_>,
    at: DateTime<Utc>,
) -> Result<Limit, StoreError> {
    let head = sqlx::query_scalar!("select seq from publish_head").fetch_one(&mut *snapshot).await?;
    if let Some(until_seq) = wanted.until_seq {
        return Ok(Limit::Head(until_seq.min(head)));
    }
    let first_held = sqlx::query!(
        r#"select seq, version, kind = 'withdrawn' as "withdrawn!", attempt, message_id from outbox o
           where seq >= $1 and seq <= $2 and state in ('waiting', 'sent', 'unknown')
             and (seq, version, kind = 'withdrawn', attempt, message_id) > ($1, $3, $4, $5, $6)
             and exists (select from push_hold h where h.released_at is null and (h.until is null or h.until > $7)
                          and (h.employer_id is null or h.employer_id = o.employer_id and h.year = o.year))
             and ($8 = '' or starts_with(message_division(body), $8)) and ($9::smallint is null or year = $9)
           order by seq, version, kind = 'withdrawn', attempt, message_id limit 1"#,
        after.seq,
        head,
        after.version,
        after.withdrawn,
        after.attempt,
        Uuid::from_u128(after.message_id),
        at,
        wanted.division,
        wanted.year
    )
    .fetch_optional(snapshot)
    .await?;
    Ok(first_held.map_or(Limit::Head(head), |row| {
        Limit::Before(Cursor {
            seq: row.seq,
            version: row.version,
            withdrawn: row.withdrawn,
            attempt: row.attempt,
            message_id: row.message_id.as_u128(),
        })
    }))
}

impl Change {
    /// How many of the first of these messages may leave now: what is answered, and what is neither given up nor held. They are locked
    /// until this change ends, so that nobody gives one of them up meanwhile.
    pub async fn lock_leaving(&mut self, messages: &[Uuid], at: DateTime<Utc>) -> Result<usize, StoreError> {
        // the lock first: what others did meanwhile is seen by the next statement
        sqlx::query!(
            "select message_id from outbox where message_id = any($1) order by message_id for update",
            messages
        )
        .fetch_all(self.connection())
        .await?;
        let first = sqlx::query_scalar!(
            r#"select min(place) as first
               from unnest($1::uuid[]) with ordinality as wanted (message_id, place) join outbox o using (message_id)
               where overtaken
                  or state in ('waiting', 'sent', 'unknown')
                     and exists (select from push_hold h where h.released_at is null and (h.until is null or h.until > $2)
                                  and (h.employer_id is null or h.employer_id = o.employer_id and h.year = o.year))"#,
            messages,
            at
        )
        .fetch_one(self.connection())
        .await?;
        Ok(first.and_then(|first| usize::try_from(first - 1).ok()).unwrap_or(messages.len()))
    }

    /// Writes down that these messages, which are locked, leave now: an attempt on each that is not answered for good, which stays open until its answer
    /// comes. A message that left this way before and is not answered yet keeps that attempt.
    pub async fn open_handed_on(&mut self, messages: &[Uuid], way: Way, at: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into outbox_attempt (message_id, number, opened_at, way)
             select m.message_id,
                    (select coalesce(max(number), 0) + 1 from outbox_attempt a where a.message_id = m.message_id), $2, $3
             from outbox m
             where m.message_id = any($1) and state in ('waiting', 'sent', 'unknown')
               and not exists (select from outbox_attempt a
                               where a.message_id = m.message_id and a.way = $3 and a.closed_at is null)",
            messages,
            at,
            way.as_str()
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "update outbox set state = 'sent', applied = false where message_id = any($1) and state = 'waiting'",
            messages
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
