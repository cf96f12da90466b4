//! Documents of certifications (认定书): their content as it was issued first, and what became of the version since.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::change::Change;
use super::{Store, StoreError};
use crate::domain::certification_document::Validity;
use crate::domain::facts::UnitId;
use crate::domain::message::Message;

/// A document as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDocument {
    /// What the tax department accepted.
    pub message_id: Uuid,
    pub number: String,
    pub employer: UnitId,
    pub year: i16,
    pub version: u32,
    /// From 1; higher where the version was rejected and issued again.
    pub attempt: u32,
    /// JSON, final.
    pub content: String,
    /// SM3 of the content.
    pub content_hash: [u8; 32],
    pub issued_at: DateTime<Utc>,
    pub issued_by: String,
}

struct Row {
    message_id: Uuid,
    certification_number: String,
    employer_id: i32,
    year: i16,
    version: i32,
    attempt: i32,
    content: String,
    content_hash: Vec<u8>,
    issued_at: DateTime<Utc>,
    issued_by: String,
}

impl Row {
    fn read(self) -> Result<StoredDocument, StoreError> {
        let wrong = || StoreError::inconsistent("certification_document", "content_hash", &self.certification_number);
        Ok(StoredDocument {
            content_hash: self.content_hash[..].try_into().map_err(|_| wrong())?,
            message_id: self.message_id,
            number: self.certification_number,
            employer: UnitId(self.employer_id),
            year: self.year,
            version: self.version as u32,
            attempt: self.attempt as u32,
            content: self.content,
            issued_at: self.issued_at,
            issued_by: self.issued_by,
        })
    }
}

impl Store {
    /// The documents with this number, the newest first: more than one where a version was issued again.
    pub async fn list_documents(&self, number: &str) -> Result<Vec<StoredDocument>, StoreError> {
        let rows = sqlx::query_as!(
            Row,
            "select message_id, certification_number, employer_id, year, version, attempt, content, content_hash, issued_at, issued_by
             from certification_document where certification_number = $1 order by version desc, attempt desc",
            number
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Row::read).collect()
    }

    /// The document of this version: of one of its attempts, or the newest there is.
    pub async fn find_document_of(
        &self,
        employer: UnitId,
        year: i16,
        version: u32,
        attempt: Option<u32>,
    ) -> Result<Option<StoredDocument>, StoreError> {
        let row = sqlx::query_as!(
            Row,
            "select message_id, certification_number, employer_id, year, version, attempt, content, content_hash, issued_at, issued_by
             from certification_document
             where employer_id = $1 and year = $2 and version = $3 and ($4::integer is null or attempt = $4)
             order by attempt desc limit 1",
            employer.0,
            year,
            version as i32,
            attempt.map(|attempt| attempt as i32)
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(Row::read).transpose()
    }

    /// Id and body of a certification that the department accepted and did not take back.
    pub async fn find_accepted_body(
        &self,
        employer: UnitId,
        year: i16,
        message: Message,
    ) -> Result<Option<(Uuid, Vec<u8>)>, StoreError> {
        let row = sqlx::query!(
            "select message_id, body from outbox
             where employer_id = $1 and year = $2 and version = $3 and attempt = $4 and kind = 'certified'
               and state = 'accepted' and not lapsed",
            employer.0,
            year,
            message.version as i32,
            message.attempt as i32
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| (row.message_id, row.body)))
    }

    /// Whether what was accepted is still in force, by all that the tax department said since: a version that a later one replaced
    /// stays replaced whatever becomes of that.
    pub async fn validity(&self, document: &StoredDocument) -> Result<Validity, StoreError> {
        let row = sqlx::query!(
            r#"with said as (
                 select version, kind, attempt, state, receipt from outbox where employer_id = $2 and year = $3
                 union all
                 select version, kind, attempt, state, receipt from recovered_message where employer_id = $2 and year = $3)
               select exists (select from outbox where message_id = $1 and state = 'accepted' and not lapsed) as "stands!",
                      exists (select from said where version = $4 and kind = 'withdrawn' and state = 'accepted') as "withdrawn!",
                      (select min(version) from said
                       where kind = 'certified' and version > $4 and (state = 'accepted' or receipt is not null)) as next_version"#,
            document.message_id,
            document.employer.0,
            document.year,
            document.version as i32
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(match row.next_version {
            _ if row.withdrawn => Validity::Withdrawn,
            _ if !row.stands => Validity::Revoked,
            Some(next) => Validity::Replaced { by: next as u32 },
            None => Validity::InForce,
        })
    }
}

impl Change {
    /// Keeps a document as it is issued first; false if it was kept already.
    pub async fn save_document(&mut self, document: &StoredDocument) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "insert into certification_document
                 (message_id, certification_number, employer_id, year, version, attempt, content, content_hash, issued_at, issued_by)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (message_id) do nothing",
            document.message_id,
            document.number,
            document.employer.0,
            document.year,
            document.version as i32,
            document.attempt as i32,
            document.content,
            &document.content_hash[..],
            document.issued_at,
            document.issued_by
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
