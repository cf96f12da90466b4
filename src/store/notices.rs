//! Notices to employers and to staff: put down in the transaction of what they tell, once for each fact.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::change::Change;
use super::{Store, StoreError};
use crate::domain::access::Scope;
use crate::domain::facts::UnitId;
use crate::domain::notice::NoticeKind;

/// Whom a notice is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Addressee {
    Employer(UnitId),
    /// The staff of the federation in charge of a division (six digits).
    Division(String),
}

/// A notice to be told.
#[derive(Clone, Debug)]
pub struct NewNotice {
    pub addressee: Addressee,
    pub kind: NoticeKind,
    /// What it is about, as its addressee may know it.
    pub object: String,
    /// What makes it the same fact; nobody sees it.
    pub fact: String,
    pub params: Value,
}

/// A notice that was told.
#[derive(Clone, Debug)]
pub struct Notice {
    pub notice_id: i64,
    pub addressee: Addressee,
    pub kind: NoticeKind,
    pub object: String,
    pub params: Value,
    pub created_at: DateTime<Utc>,
    pub read_at: Option<DateTime<Utc>>,
    pub read_by: Option<String>,
}

impl Change {
    /// Tells what was not told before; how much that is.
    pub async fn save_notices(&mut self, notices: &[NewNotice], at: DateTime<Utc>) -> Result<u64, StoreError> {
        let employers: Vec<Option<i32>> = notices
            .iter()
            .map(|notice| match &notice.addressee {
                Addressee::Employer(unit) => Some(unit.0),
                Addressee::Division(_) => None,
            })
            .collect();
        let divisions: Vec<Option<String>> = notices
            .iter()
            .map(|notice| match &notice.addressee {
                Addressee::Employer(_) => None,
                Addressee::Division(division) => Some(division.clone()),
            })
            .collect();
        let kinds: Vec<String> = notices.iter().map(|notice| notice.kind.as_str().to_owned()).collect();
        let objects: Vec<String> = notices.iter().map(|notice| notice.object.clone()).collect();
        let facts: Vec<String> = notices.iter().map(|notice| notice.fact.clone()).collect();
        let params: Vec<Value> = notices.iter().map(|notice| notice.params.clone()).collect();
        let done = sqlx::query!(
            "insert into notice (employer_id, division, kind, object, fact, params, created_at)
             select i.employer, i.division, i.kind, i.object, i.fact, i.params, $7
             from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
                  as i (employer, division, kind, object, fact, params)
             on conflict on constraint notice_is_told_once do nothing",
            &employers as _,
            &divisions as _,
            &kinds,
            &objects,
            &facts,
            &params,
            at
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected())
    }

    /// Notes who read it; nothing if somebody had.
    pub async fn mark_notice_read(&mut self, notice_id: i64, by: &str, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update notice set read_at = $2, read_by = $3 where notice_id = $1 and read_at is null",
            notice_id,
            at,
            by
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

impl Store {
    /// Notices for whom the scope reaches, newest first: those not read, or all; `before` a number, to page.
    pub async fn list_notices(
        &self,
        scope: &Scope,
        all: bool,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Notice>, StoreError> {
        let (everything, units, division) = match scope {
            Scope::Everything => (true, Vec::new(), None),
            Scope::Units(units) => (false, units.iter().map(|unit| unit.0).collect::<Vec<i32>>(), None),
            Scope::Division(division) => (false, Vec::new(), Some(division.as_str())),
        };
        let rows = sqlx::query!(
            "select notice_id, employer_id, division, kind, object, params, created_at, read_at, read_by from notice
             where ($1 or employer_id = any($2) or starts_with(division, $3))
               and ($4 or read_at is null) and ($5::bigint is null or notice_id < $5)
             order by notice_id desc limit $6",
            everything,
            &units,
            division,
            all,
            before,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let wrong = |column| StoreError::inconsistent("notice", column, row.notice_id);
                let addressee = match (row.employer_id, row.division) {
                    (Some(employer), _) => Addressee::Employer(UnitId(employer)),
                    (None, division) => Addressee::Division(division.unwrap_or_default()),
                };
                Ok(Notice {
                    notice_id: row.notice_id,
                    addressee,
                    kind: NoticeKind::parse(&row.kind).ok_or_else(|| wrong("kind"))?,
                    object: row.object,
                    params: row.params,
                    created_at: row.created_at,
                    read_at: row.read_at,
                    read_by: row.read_by,
                })
            })
            .collect()
    }

    /// Whom a notice is for, and what it is about.
    pub async fn find_notice(&self, notice_id: i64) -> Result<Option<(Addressee, String)>, StoreError> {
        let row = sqlx::query!("select employer_id, division, object from notice where notice_id = $1", notice_id)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| match row.employer_id {
            Some(employer) => (Addressee::Employer(UnitId(employer)), row.object),
            None => (Addressee::Division(row.division.unwrap_or_default()), row.object),
        }))
    }
}
