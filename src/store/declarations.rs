//! Declarations: frozen months, claims, messages; what a completion changes, changes in one publish.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::change::Change;
use super::jobs::word;
use super::outbox::News;
use super::publish::Publish;
use super::{Store, StoreError, ensure_affected};
use crate::domain::declaration::Declaration;
use crate::domain::declared::DeclaredMonth;
use crate::domain::facts::{Certificate, CertificateKind, CertificateStatus, PersonId, UnitId, VersionId};
use crate::domain::message::Message;
use crate::domain::month::Month;

/// A message as it enters the outbox: its bytes are final.
#[derive(Clone, Debug)]
pub struct OutboxMessage {
    pub message_id: Uuid,
    pub employer: UnitId,
    pub year: i16,
    pub message: Message,
    pub idempotency_key: String,
    pub body: Vec<u8>,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
    /// Takes back what the department holds and we do not know.
    pub recovery: bool,
}

impl Change {
    /// The declaration as it stands, locked until this change ends; open if there is none.
    pub async fn lock_declaration(&mut self, employer: UnitId, year: i16) -> Result<Declaration, StoreError> {
        let state = sqlx::query_scalar!(
            "select state from declaration where employer_id = $1 and year = $2 for update",
            employer.0,
            year
        )
        .fetch_optional(self.connection())
        .await?;
        read_state(state, employer)
    }

    pub async fn save_declaration(
        &mut self,
        employer: UnitId,
        year: i16,
        declaration: &Declaration,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let json = serde_json::to_value(declaration)
            .map_err(|_| StoreError::inconsistent("declaration", "state", employer.0))?;
        sqlx::query!(
            "insert into declaration (employer_id, year, state, saved_at) values ($1, $2, $3, $4)
             on conflict (employer_id, year) do update set state = excluded.state, saved_at = excluded.saved_at",
            employer.0,
            year,
            json,
            at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl Publish {
    /// Keeps the result of a version for good.
    pub async fn freeze(
        &mut self,
        employer: UnitId,
        year: i16,
        version: u32,
        months: &[DeclaredMonth],
    ) -> Result<(), StoreError> {
        let persons: Vec<i64> = months.iter().map(|row| row.person.0).collect();
        let indexes: Vec<i32> = months.iter().map(|row| row.month.index()).collect();
        let weights: Vec<i16> = months.iter().map(|row| i16::from(row.weight)).collect();
        let dispatched: Vec<bool> = months.iter().map(|row| row.dispatched).collect();
        let approved: Vec<bool> = months.iter().map(|row| row.approved).collect();
        let cells: Vec<i32> = months.iter().map(|row| row.cell).collect();
        let done = sqlx::query!(
            "insert into declared_month (employer_id, year, version, person_id, month, weight, dispatched, approved, cell)
             select $1, $2, $3, i.person, i.month, i.weight, i.dispatched, i.approved, i.cell
             from unnest($4::bigint[], $5::int[], $6::smallint[], $7::boolean[], $8::boolean[], $9::int[])
                  as i (person, month, weight, dispatched, approved, cell)",
            employer.0,
            year,
            version as i32,
            &persons,
            &indexes,
            &weights,
            &dispatched,
            &approved,
            &cells
        )
        .execute(self.connection())
        .await?;
        ensure_affected(&done, months.len() as u64)
    }

    /// Months among these that other employers claim.
    pub async fn foreign_claims(
        &mut self,
        employer: UnitId,
        months: &[DeclaredMonth],
    ) -> Result<Vec<(PersonId, Month)>, StoreError> {
        let persons: Vec<i64> = months.iter().map(|row| row.person.0).collect();
        let indexes: Vec<i32> = months.iter().map(|row| row.month.index()).collect();
        let rows = sqlx::query!(
            "select c.person_id, c.month from claim c
             join unnest($1::bigint[], $2::int[]) as i (person, month) on c.person_id = i.person and c.month = i.month
             where c.to_seq is null and c.employer_id <> $3 order by 1, 2",
            &persons,
            &indexes,
            employer.0
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter()
            .map(|row| {
                let month = Month::from_index(row.month)
                    .ok_or_else(|| StoreError::inconsistent("claim", "month", row.person_id))?;
                Ok((PersonId(row.person_id), month))
            })
            .collect()
    }

    /// Claims these months; those the employer holds already stay as they are. The database refuses a second holder.
    pub async fn take_claims(
        &mut self,
        employer: UnitId,
        version: u32,
        months: &[DeclaredMonth],
    ) -> Result<(), StoreError> {
        let seq = self.seq();
        let persons: Vec<i64> = months.iter().map(|row| row.person.0).collect();
        let indexes: Vec<i32> = months.iter().map(|row| row.month.index()).collect();
        sqlx::query!(
            "insert into claim (person_id, month, from_seq, employer_id, version)
             select i.person, i.month, $3, $4, $5 from unnest($1::bigint[], $2::int[]) as i (person, month)
             where not exists (select from claim c where c.person_id = i.person and c.month = i.month
                                and c.employer_id = $4 and c.to_seq is null)",
            &persons,
            &indexes,
            seq,
            employer.0,
            version as i32
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Gives up the employer's claims of that year on months that none of these versions contains.
    pub async fn release_claims(&mut self, employer: UnitId, year: i16, except: &[u32]) -> Result<u64, StoreError> {
        let versions: Vec<i32> = except.iter().map(|version| *version as i32).collect();
        let seq = self.seq();
        let january = i32::from(year) * 12;
        let done = sqlx::query!(
            "update claim c set to_seq = $1
             where c.employer_id = $2 and c.month between $3 and $4 and c.to_seq is null
               and not exists (select from declared_month d where d.employer_id = $2 and d.year = $5 and d.version = any($6)
                                and d.person_id = c.person_id and d.month = c.month)",
            seq,
            employer.0,
            january,
            january + 11,
            year,
            &versions
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected())
    }

    pub async fn enqueue(&mut self, message: &OutboxMessage, at: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into outbox (message_id, employer_id, year, version, kind, attempt, idempotency_key, body, digest,
                                 state, created_at, next_attempt_at, seq, recovery)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting', $10, $10, $11,
                     $12 or $5 = 'withdrawn' and exists (select from recovered_message r where r.employer_id = $2 and r.year = $3 and r.version = $4
                                                          and r.kind = 'certified' and r.state = 'accepted' and not r.lapsed))",
            message.message_id,
            message.employer.0,
            message.year,
            message.message.version as i32,
            message.message.kind.as_str(),
            message.message.attempt as i32,
            message.idempotency_key,
            &message.body,
            &message.digest[..],
            at,
            self.seq(),
            message.recovery
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The next number of the register of certifications.
    pub async fn next_certification_number(&mut self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!(r#"select nextval('certification_number_seq') as "number!""#)
            .fetch_one(self.connection())
            .await?)
    }

    /// Marks this news of a message as taken into its declaration, as it is told now; `None` if somebody else took it, or it is another
    /// by now.
    pub async fn mark_applied(&mut self, news: &News) -> Result<Option<News>, StoreError> {
        let row = sqlx::query!(
            "update outbox set applied = true where message_id = $1 and state = $2 and not applied returning receipt, answer",
            news.message_id,
            news.state
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| News { receipt: row.receipt, answer: row.answer, ..news.clone() }))
    }
}

impl Store {
    /// The declaration as it stands; open if there is none.
    pub async fn find_declaration(&self, employer: UnitId, year: i16) -> Result<Declaration, StoreError> {
        let state =
            sqlx::query_scalar!("select state from declaration where employer_id = $1 and year = $2", employer.0, year)
                .fetch_optional(&self.pool)
                .await?;
        read_state(state, employer)
    }

    /// Certificates in force at the head, by person: for the look at the day of submission.
    pub async fn certificates_of(
        &self,
        persons: &[PersonId],
    ) -> Result<HashMap<PersonId, Vec<Certificate>>, StoreError> {
        let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
        let rows = sqlx::query!(
            r#"select v.person_id, v.version_id, v.updated_at, v.kind as "kind!", v.level as "level!",
                      v.valid_from as "valid_from!: NaiveDate", v.valid_to, v.status as "status!", v.status_since
               from certificate v join batch b using (batch_id)
               where v.person_id = any($1) and b.published_seq is not null and v.superseded_seq is null and not v.deleted
               order by v.person_id, v.version_id"#,
            &ids
        )
        .fetch_all(&self.pool)
        .await?;
        let mut certificates: HashMap<PersonId, Vec<Certificate>> = HashMap::new();
        for row in rows {
            let wrong = |column| StoreError::inconsistent("certificate", column, row.version_id);
            certificates.entry(PersonId(row.person_id)).or_default().push(Certificate {
                version: VersionId(row.version_id),
                kind: word(row.kind, CertificateKind::from_number).ok_or_else(|| wrong("kind"))?,
                level: row.level as u8,
                valid_from: row.valid_from,
                valid_to: row.valid_to,
                status: word(row.status, CertificateStatus::from_number).ok_or_else(|| wrong("status"))?,
                status_since: row.status_since,
                updated_at: row.updated_at,
            });
        }
        Ok(certificates)
    }
}

pub(super) fn read_state(state: Option<serde_json::Value>, employer: UnitId) -> Result<Declaration, StoreError> {
    match state {
        None => Ok(Declaration::default()),
        Some(json) => {
            serde_json::from_value(json).map_err(|_| StoreError::inconsistent("declaration", "state", employer.0))
        }
    }
}
