//! Originals of certificates that a reviewer saw, with their validity as read: what serves where the register lags behind.

use chrono::{DateTime, NaiveDate, Utc};

use super::change::Change;
use super::jobs::word;
use super::{Store, StoreError};
use crate::domain::facts::{Certificate, CertificateKind, CertificateStatus, PersonId, UnitId, VersionId};

/// The original of a certificate, seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct OriginalSeen {
    pub person: PersonId,
    /// Shanghai date.
    pub seen_on: NaiveDate,
    pub kind: CertificateKind,
    pub level: u8,
    pub valid_from: NaiveDate,
    /// `None`: without end.
    pub valid_to: Option<NaiveDate>,
    pub seen_at: DateTime<Utc>,
}

impl OriginalSeen {
    /// As a certificate among others; it comes from no delivery.
    pub fn as_certificate(&self) -> Certificate {
        Certificate {
            version: VersionId(0),
            kind: self.kind,
            level: self.level,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            status: CertificateStatus::Valid,
            status_since: None,
            updated_at: self.seen_at,
        }
    }
}

impl Change {
    /// Records it; the same kind seen again that day replaces what was read before.
    pub async fn save_original(
        &mut self,
        employer: UnitId,
        original: &OriginalSeen,
        by: &str,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into original_seen (person_id, employer_id, seen_on, kind, level, valid_from, valid_to, seen_at, seen_by)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             on conflict (employer_id, person_id, seen_on, kind) do update
             set level = excluded.level, valid_from = excluded.valid_from, valid_to = excluded.valid_to,
                 seen_at = excluded.seen_at, seen_by = excluded.seen_by",
            original.person.0,
            employer.0,
            original.seen_on,
            i16::from(original.kind.number()),
            i16::from(original.level),
            original.valid_from,
            original.valid_to,
            original.seen_at,
            by
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl Store {
    /// Originals that were seen for the declaration of a business year, which is in the year after (or, where a unit is deregistered, in the
    /// year itself), by person and day.
    pub async fn originals_seen(&self, employer: UnitId, year: i32) -> Result<Vec<OriginalSeen>, StoreError> {
        let rows = sqlx::query!(
            "select person_id, seen_on, kind, level, valid_from, valid_to, seen_at from original_seen
             where employer_id = $1 and extract(year from seen_on) between $2::int and $2::int + 1
             order by person_id, seen_on, kind",
            employer.0,
            year
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(OriginalSeen {
                    person: PersonId(row.person_id),
                    seen_on: row.seen_on,
                    kind: word(row.kind, CertificateKind::from_number)
                        .ok_or_else(|| StoreError::inconsistent("original_seen", "kind", row.person_id))?,
                    level: row.level as u8,
                    valid_from: row.valid_from,
                    valid_to: row.valid_to,
                    seen_at: row.seen_at,
                })
            })
            .collect()
    }
}
