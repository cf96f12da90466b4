//! Every version that an employer ever completed, with what it froze and what became of its messages.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};
use crate::domain::facts::UnitId;
use crate::domain::message::MessageKind;

/// A version, by year and number.
pub type VersionKey = (i16, u32);

/// A version as it was frozen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionLine {
    pub key: VersionKey,
    pub amends: Option<u32>,
    pub certification_number: String,
    /// Version of the commitment text that was accepted.
    pub commitment: String,
    pub completed_at: DateTime<Utc>,
    pub completed_by: String,
    pub persons: u32,
    pub person_months: u32,
    pub weighted_person_months: u32,
}

/// A message of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionMessage {
    pub key: VersionKey,
    pub kind: MessageKind,
    pub attempt: u32,
    /// `waiting`, `sent`, `accepted`, `rejected` or `unknown`.
    pub state: String,
    pub receipt: Option<String>,
}

impl Store {
    /// Versions of an employer before one, the newest first, at most `limit`.
    pub async fn list_versions(
        &self,
        employer: UnitId,
        before: Option<VersionKey>,
        limit: i64,
    ) -> Result<Vec<VersionLine>, StoreError> {
        let (year, version) = before.unwrap_or((i16::MAX, 0));
        let rows = sqlx::query!(
            r#"select d.year, d.version, d.amends, d.certification_number, d.commitment, d.completed_at, d.completed_by,
                      m.persons as "persons!", m.months as "months!", m.weighted as "weighted!"
               from declared_version d
               cross join lateral (
                   select count(distinct person_id) as persons, count(*) as months, coalesce(sum(weight), 0) as weighted
                   from declared_month f where f.employer_id = d.employer_id and f.year = d.year and f.version = d.version) m
               where d.employer_id = $1 and (d.year, d.version) < ($2, $3)
               order by d.year desc, d.version desc limit $4"#,
            employer.0,
            year,
            version as i32,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(rows
            .into_iter()
            .map(|row| VersionLine {
                key: (row.year, row.version as u32),
                amends: row.amends.map(|version| version as u32),
                certification_number: row.certification_number,
                commitment: row.commitment,
                completed_at: row.completed_at,
                completed_by: row.completed_by,
                persons: count(row.persons),
                person_months: count(row.months),
                weighted_person_months: count(row.weighted),
            })
            .collect())
    }

    /// The messages of these versions, in the order in which they were put into the outbox.
    pub async fn list_version_messages(
        &self,
        employer: UnitId,
        versions: &[VersionKey],
    ) -> Result<Vec<VersionMessage>, StoreError> {
        let (years, numbers): (Vec<i16>, Vec<i32>) =
            versions.iter().map(|(year, version)| (*year, *version as i32)).unzip();
        let rows = sqlx::query!(
            "select o.year, o.version, o.kind, o.attempt, o.state, o.receipt from outbox o
             join unnest($2::smallint[], $3::integer[]) as i (year, version) on o.year = i.year and o.version = i.version
             where o.employer_id = $1 order by o.created_at, o.message_id",
            employer.0,
            &years,
            &numbers
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(VersionMessage {
                    key: (row.year, row.version as u32),
                    kind: MessageKind::parse(&row.kind)
                        .ok_or_else(|| StoreError::inconsistent("outbox", "kind", employer.0))?,
                    attempt: row.attempt as u32,
                    state: row.state,
                    receipt: row.receipt,
                })
            })
            .collect()
    }
}
