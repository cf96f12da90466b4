//! Messages to people: they wait until their target has taken them; the attempt is stored before any byte leaves.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Store, StoreError, ensure_affected};
use crate::clock;

/// How long an opened attempt keeps others from the same message.
const ATTEMPT_LEASE: TimeDelta = TimeDelta::seconds(60);

/// A message on its way.
#[derive(Clone, Debug)]
pub struct OutgoingMessage {
    pub message_id: Uuid,
    /// Of an alert; a reminder has none.
    pub alert_id: Option<i32>,
    /// Whom a reminder is for: an employer, or the staff of a division.
    pub employer_uscc: Option<String>,
    pub division: Option<String>,
    /// As `AlertKind` has it, or a reminder's: `reminder`, `summary`, `completed`.
    pub kind: String,
    pub target: String,
    /// `opened` or `closed`; of a reminder `told`.
    pub event: String,
    pub subject: String,
    pub text: String,
    /// The text in Chinese.
    pub chinese: String,
    pub created_at: DateTime<Utc>,
    /// From 1.
    pub attempt_number: i32,
}

/// A message for people to look at.
#[derive(Clone, Debug, Serialize)]
pub struct MessageLine {
    pub message_id: Uuid,
    #[serde(skip)]
    pub alert_id: i32,
    pub target: String,
    pub event: String,
    pub created_at: DateTime<Utc>,
    /// None while it waits.
    pub delivered_at: Option<DateTime<Utc>>,
    pub next_attempt_at: DateTime<Utc>,
    pub attempts: i64,
    pub last_error: Option<String>,
}

/// Puts down the messages that open and closed alerts still need, each once.
pub(super) async fn enqueue(
    connection: &mut PgConnection,
    targets: &[String],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let opened = sqlx::query!(
        r#"select alert_id, kind, a.subject, a.text, a.chinese, a.opened_at, t.target as "target!", 'opened' as "event!"
           from alert a cross join unnest($1::text[]) as t (target)
           where closed_at is null
             and not exists (select from message m where m.alert_id = a.alert_id and m.target = t.target and m.event = 'opened')
           order by alert_id, 7"#,
        targets
    )
    .fetch_all(&mut *connection)
    .await?;
    for row in opened {
        let subject = format!("renzheng: {} ({})", row.kind.replace('_', " "), row.subject);
        let text = format!(
            "{}\n\nAlert {} is open since {}. Who takes care of it says so: renzheng alerts acknowledge {} --why …\n",
            row.text,
            row.alert_id,
            clock::rfc3339(row.opened_at),
            row.alert_id
        );
        let chinese = format!(
            "{}\n\n告警 {} 自 {} 起未解除。由谁处理，请登记：renzheng alerts acknowledge {} --why …\n",
            row.chinese,
            row.alert_id,
            clock::rfc3339(row.opened_at),
            row.alert_id
        );
        let words = Words { subject: &subject, text: &text, chinese: &chinese };
        insert(connection, row.alert_id, &row.target, &row.event, words, at).await?;
    }
    let closed = sqlx::query!(
        r#"select a.alert_id, a.kind, a.subject, a.text, a.chinese, a.opened_at, a.closed_at as "closed_at!", a.closed_why, o.target
           from alert a join message o on o.alert_id = a.alert_id and o.event = 'opened'
           where a.closed_at is not null
             and not exists (select from message m where m.alert_id = a.alert_id and m.target = o.target and m.event = 'closed')
           order by a.alert_id, o.target"#
    )
    .fetch_all(&mut *connection)
    .await?;
    for row in closed {
        let subject = format!("renzheng: over: {} ({})", row.kind.replace('_', " "), row.subject);
        let why = row.closed_why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        let text = format!(
            "Alert {} is over since {}{why}; it had been open since {}. It was: {}\n",
            row.alert_id,
            clock::rfc3339(row.closed_at),
            clock::rfc3339(row.opened_at),
            row.text
        );
        let why = if row.closed_why.is_some() { "（该任务已不再配置）" } else { "" };
        let chinese = format!(
            "告警 {} 已于 {} 解除{why}；开始于 {}。内容为：{}\n",
            row.alert_id,
            clock::rfc3339(row.closed_at),
            clock::rfc3339(row.opened_at),
            row.chinese
        );
        let words = Words { subject: &subject, text: &text, chinese: &chinese };
        insert(connection, row.alert_id, &row.target, "closed", words, at).await?;
    }
    Ok(())
}

/// What a message says.
struct Words<'a> {
    subject: &'a str,
    text: &'a str,
    chinese: &'a str,
}

async fn insert(
    connection: &mut PgConnection,
    alert_id: i32,
    target: &str,
    event: &str,
    words: Words<'_>,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into message (message_id, alert_id, target, event, subject, text, chinese, created_at, next_attempt_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        clock::uuid_v7(at),
        alert_id,
        target,
        event,
        words.subject,
        words.text,
        words.chinese,
        at
    )
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Takes the message to one of these targets that has been due longest and opens an attempt on it. That something is over is told
    /// to whom it was told that it began.
    pub async fn open_message(
        &self,
        targets: &[String],
        at: DateTime<Utc>,
    ) -> Result<Option<OutgoingMessage>, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(row) = sqlx::query!(
            r#"select message_id, m.alert_id, coalesce(a.kind, n.kind) as "kind!", u.uscc as "uscc?", n.division as "division?", target, event,
                    m.subject, m.text, m.chinese, created_at
             from message m left join alert a using (alert_id) left join reminder n using (reminder_id)
                  left join unit u on u.unit_id = n.employer_id
             where delivered_at is null and next_attempt_at <= $1 and target = any($2)
               and (event in ('opened', 'told') or exists (select from message o where o.alert_id = m.alert_id and o.target = m.target
                                                  and o.event = 'opened' and o.delivered_at is not null))
             order by next_attempt_at, message_id limit 1 for update of m skip locked"#,
            at,
            targets
        )
        .fetch_optional(&mut *transaction)
        .await?
        else {
            return Ok(None);
        };
        let attempt_number = sqlx::query_scalar!(
            "insert into message_attempt (message_id, number, opened_at)
             select $1, coalesce(max(number), 0) + 1, $2 from message_attempt where message_id = $1
             returning number",
            row.message_id,
            at
        )
        .fetch_one(&mut *transaction)
        .await?;
        let leased = sqlx::query!(
            "update message set next_attempt_at = $2 where message_id = $1",
            row.message_id,
            at + ATTEMPT_LEASE
        )
        .execute(&mut *transaction)
        .await?;
        ensure_affected(&leased, 1)?;
        transaction.commit().await?;
        Ok(Some(OutgoingMessage {
            message_id: row.message_id,
            alert_id: row.alert_id,
            employer_uscc: row.uscc,
            division: row.division,
            kind: row.kind,
            target: row.target,
            event: row.event,
            subject: row.subject,
            text: row.text,
            chinese: row.chinese,
            created_at: row.created_at,
            attempt_number,
        }))
    }

    /// Stores what came of an attempt: taken, or why not and when it is tried again. What came of an attempt that another has followed
    /// does not say when the next is due.
    pub async fn close_message(
        &self,
        message: &OutgoingMessage,
        failed: Option<(&str, DateTime<Utc>)>,
    ) -> Result<(), StoreError> {
        let at = self.now().await?;
        let mut transaction = self.begin().await?;
        let closed = sqlx::query!(
            "update message_attempt set closed_at = $3, error = $4 where message_id = $1 and number = $2",
            message.message_id,
            message.attempt_number,
            at,
            failed.map(|(error, _)| error)
        )
        .execute(&mut *transaction)
        .await?;
        ensure_affected(&closed, 1)?;
        match failed {
            None => {
                sqlx::query!(
                    "update message set delivered_at = coalesce(delivered_at, $2) where message_id = $1",
                    message.message_id,
                    at
                )
                .execute(&mut *transaction)
                .await?;
            }
            Some((_, again_at)) => {
                sqlx::query!(
                    "update message set next_attempt_at = $2 where message_id = $1 and delivered_at is null
                       and not exists (select from message_attempt a where a.message_id = $1 and a.number > $3)",
                    message.message_id,
                    again_at,
                    message.attempt_number
                )
                .execute(&mut *transaction)
                .await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The messages of these alerts, in the order in which they were put down.
    pub async fn list_messages(&self, alerts: &[i32]) -> Result<Vec<MessageLine>, StoreError> {
        Ok(sqlx::query_as!(
            MessageLine,
            r#"select message_id, alert_id as "alert_id!", target, event, created_at, delivered_at, next_attempt_at,
                      (select count(*) from message_attempt a where a.message_id = m.message_id) as "attempts!",
                      (select error from message_attempt a where a.message_id = m.message_id and closed_at is not null
                       order by number desc limit 1) as last_error
               from message m where alert_id = any($1) order by created_at, target, event desc"#,
            alerts
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
