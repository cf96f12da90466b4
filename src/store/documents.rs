//! Documents of certifications (认定书): their content as it was issued first, and what became of the version since.

use chrono::{DateTime, Utc};

use super::change::Change;
use super::{Store, StoreError};
use crate::domain::certification_document::Validity;
use crate::domain::facts::UnitId;

/// A document as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDocument {
    pub number: String,
    pub employer: UnitId,
    pub year: i16,
    pub version: u32,
    /// JSON, final.
    pub content: String,
    /// SM3 of the content.
    pub content_hash: [u8; 32],
    pub issued_at: DateTime<Utc>,
    pub issued_by: String,
}

struct Row {
    certification_number: String,
    employer_id: i32,
    year: i16,
    version: i32,
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
            number: self.certification_number,
            employer: UnitId(self.employer_id),
            year: self.year,
            version: self.version as u32,
            content: self.content,
            issued_at: self.issued_at,
            issued_by: self.issued_by,
        })
    }
}

impl Store {
    /// The document with this number.
    pub async fn find_document(&self, number: &str) -> Result<Option<StoredDocument>, StoreError> {
        let row = sqlx::query_as!(
            Row,
            "select certification_number, employer_id, year, version, content, content_hash, issued_at, issued_by
             from certification_document where certification_number = $1",
            number
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(Row::read).transpose()
    }

    /// The document of this version.
    pub async fn find_document_of(
        &self,
        employer: UnitId,
        year: i16,
        version: u32,
    ) -> Result<Option<StoredDocument>, StoreError> {
        let row = sqlx::query_as!(
            Row,
            "select certification_number, employer_id, year, version, content, content_hash, issued_at, issued_by
             from certification_document where employer_id = $1 and year = $2 and version = $3",
            employer.0,
            year,
            version as i32
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(Row::read).transpose()
    }

    /// The accepted body of a version.
    pub async fn find_accepted_body(
        &self,
        employer: UnitId,
        year: i16,
        version: u32,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(sqlx::query_scalar!(
            "select body from outbox where employer_id = $1 and year = $2 and version = $3 and kind = 'certified' and state = 'accepted'
             order by attempt desc limit 1",
            employer.0,
            year,
            version as i32
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Whether a version that was accepted is still in force: by what the tax department accepted since.
    pub async fn validity(&self, employer: UnitId, year: i16, version: u32) -> Result<Validity, StoreError> {
        let row = sqlx::query!(
            r#"select exists (select from outbox where employer_id = $1 and year = $2 and version = $3 and kind = 'withdrawn'
                                and state = 'accepted') as "withdrawn!",
                      (select min(version) from outbox where employer_id = $1 and year = $2 and version > $3 and kind = 'certified'
                         and state = 'accepted') as next_version"#,
            employer.0,
            year,
            version as i32
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(match (row.withdrawn, row.next_version) {
            (true, _) => Validity::Withdrawn,
            (false, Some(next)) => Validity::Replaced { by: next as u32 },
            (false, None) => Validity::InForce,
        })
    }
}

impl Change {
    /// Keeps a document as it is issued first; false if it was kept already.
    pub async fn save_document(&mut self, document: &StoredDocument) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "insert into certification_document
                 (certification_number, employer_id, year, version, content, content_hash, issued_at, issued_by)
             values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (employer_id, year, version) do nothing",
            document.number,
            document.employer.0,
            document.year,
            document.version as i32,
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
