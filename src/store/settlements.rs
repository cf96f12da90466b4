//! Where people follow the tax department: our record of the messages is corrected, and what is on its way is given up.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::StoreError;
use super::publish::Publish;
use super::reconciliations::{DifferenceLine, StoredDifference};
use crate::domain::facts::UnitId;
use crate::domain::message::Message;
use crate::domain::statement::Answered;

/// A message of ours; the department may name others, which are none.
fn id_of(message_id: &str) -> Option<Uuid> {
    Uuid::parse_str(message_id).ok()
}

/// Whoever settles a difference, and why.
#[derive(Clone, Copy, Debug)]
pub struct SettledBy<'a> {
    pub by: &'a str,
    pub why: &'a str,
    pub at: DateTime<Utc>,
}

/// What keeps an employer's year from being settled.
#[derive(Clone, Copy, Debug)]
pub struct Unsettled {
    /// An answer that the declaration has not taken in.
    pub not_taken_in: bool,
    /// A message that was tried and is not answered for good.
    pub tried: bool,
}

/// More certifications than are made in the time that a restore loses.
const NUMBERS_PASSED_OVER: i64 = 100_000;

impl Publish {
    /// The open difference of an employer's year, locked until this change ends.
    pub async fn lock_difference(&mut self, uscc: &str, year: i16) -> Result<Option<DifferenceLine>, StoreError> {
        let row = sqlx::query_as!(
            StoredDifference,
            "select difference_id, uscc, year, class, detail, first_seen_at, last_seen_at, closed_at, closed_why, settled_by
             from difference where uscc = $1 and year = $2 and closed_at is null for update",
            uscc,
            year
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(StoredDifference::read).transpose()
    }

    pub async fn settle_difference(&mut self, difference_id: i64, settled: SettledBy<'_>) -> Result<(), StoreError> {
        let done = sqlx::query!(
            "update difference set closed_at = $2, closed_why = $3, settled_by = $4 where difference_id = $1 and closed_at is null",
            difference_id,
            settled.at,
            settled.why,
            settled.by
        )
        .execute(self.connection())
        .await?;
        super::ensure_affected(&done, 1)
    }

    /// What keeps an employer's year from being settled.
    pub async fn unsettled_messages(&mut self, employer: UnitId, year: i16) -> Result<Unsettled, StoreError> {
        Ok(sqlx::query_as!(
            Unsettled,
            r#"select coalesce(bool_or(not applied and state in ('accepted', 'rejected')), false) as "not_taken_in!",
                      coalesce(bool_or(state in ('sent', 'unknown')), false) as "tried!"
               from outbox where employer_id = $1 and year = $2"#,
            employer.0,
            year
        )
        .fetch_one(self.connection())
        .await?)
    }

    /// Nothing of an employer's year is asked about or sent again.
    pub async fn stop_checking(&mut self, employer: UnitId, year: i16) -> Result<(), StoreError> {
        sqlx::query!(
            "update outbox set checking = null where employer_id = $1 and year = $2 and checking is not null",
            employer.0,
            year
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// These are not sent, and count as no messages of ours.
    pub async fn overtake(&mut self, employer: UnitId, year: i16, messages: &[Message]) -> Result<(), StoreError> {
        let versions: Vec<i32> = messages.iter().map(|message| message.version as i32).collect();
        let kinds: Vec<String> = messages.iter().map(|message| message.kind.as_str().to_owned()).collect();
        let attempts: Vec<i32> = messages.iter().map(|message| message.attempt as i32).collect();
        sqlx::query!(
            "update outbox o set state = 'rejected', overtaken = true, applied = true,
                    answer = jsonb_build_object('code', 'overtaken', 'text', 'the department had gone on without this message, which was not sent')
             from unnest($3::int[], $4::text[], $5::int[]) as m (version, kind, attempt)
             where o.employer_id = $1 and o.year = $2 and o.version = m.version and o.kind = m.kind and o.attempt = m.attempt
               and o.state in ('waiting', 'sent', 'unknown')",
            employer.0,
            year,
            &versions,
            &kinds,
            &attempts
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes over what the department had received and we do not know: these messages, and `more` of which nothing is known.
    pub async fn save_recovery(
        &mut self,
        employer: UnitId,
        year: i16,
        messages: &[Answered],
        more: i64,
        settled: SettledBy<'_>,
    ) -> Result<(), StoreError> {
        // numbers of certifications that only the department knows are not given out again
        sqlx::query!(
            "select setval('certification_number_seq', nextval('certification_number_seq') + $1)
             where not exists (select from recovery where recovered_at > $2::timestamptz - interval '1 day')",
            NUMBERS_PASSED_OVER,
            settled.at
        )
        .fetch_optional(self.connection())
        .await?;
        let recovery_id = sqlx::query_scalar!(
            "insert into recovery (employer_id, year, messages, recovered_at, recovered_by, why) values ($1, $2, $3, $4, $5, $6)
             returning recovery_id",
            employer.0,
            year,
            more as i32,
            settled.at,
            settled.by,
            settled.why
        )
        .fetch_one(self.connection())
        .await?;
        for one in messages {
            sqlx::query!(
                "insert into recovered_message (recovery_id, message_id, employer_id, year, version, kind, attempt, idempotency_key, digest, state,
                                                receipt, person_count, weighted_person_months, lapsed)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
                recovery_id,
                one.message_id,
                employer.0,
                year,
                one.message.version as i32,
                one.message.kind.as_str(),
                one.message.attempt as i32,
                one.idempotency_key,
                one.digest,
                one.answer.as_str(),
                one.receipt,
                one.person_count as i64,
                one.weighted_person_months as i64,
                one.lapsed
            )
            .execute(self.connection())
            .await?;
        }
        Ok(())
    }

    /// The department rejected what it had accepted: what it said of that, where it was asked, else `otherwise`. The receipt stays as the trace of the acceptance.
    pub async fn take_rejection(
        &mut self,
        message_id: &str,
        otherwise: &serde_json::Value,
    ) -> Result<Option<serde_json::Value>, StoreError> {
        let said = sqlx::query_scalar!(
            "update outbox set state = 'rejected', answer = coalesce(contradicted, $2), contradicted = null, applied = true
             where message_id = $1 and state = 'accepted' returning answer",
            id_of(message_id),
            otherwise
        )
        .fetch_optional(self.connection())
        .await?;
        sqlx::query!(
            "update recovered_message set state = 'rejected' where message_id = $1 and state = 'accepted'",
            message_id
        )
        .execute(self.connection())
        .await?;
        Ok(said.flatten())
    }

    /// The department accepted what it had rejected.
    pub async fn take_acceptance(&mut self, message_id: &str, receipt: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "update outbox set state = 'accepted', receipt = $2, contradicted = null, applied = true
             where message_id = $1 and state = 'rejected'",
            id_of(message_id),
            receipt
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "update recovered_message set state = 'accepted', receipt = $2 where message_id = $1 and state = 'rejected'",
            message_id,
            receipt
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The department took out of force what it had accepted.
    pub async fn lapse(&mut self, message_id: &str) -> Result<(), StoreError> {
        sqlx::query!("update outbox set lapsed = true where message_id = $1", id_of(message_id))
            .execute(self.connection())
            .await?;
        sqlx::query!("update recovered_message set lapsed = true where message_id = $1", message_id)
            .execute(self.connection())
            .await?;
        Ok(())
    }
}
