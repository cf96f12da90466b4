//! Announcements of the federation: what they say in every version, for which division, and finding them by words.

use chrono::{DateTime, NaiveDate, Utc};

use super::change::Change;
use super::place::Place;
use super::{Store, StoreError, ensure_affected};
use crate::domain::announcement::Content;
use crate::domain::declaration::Act;

/// That an announcement was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    pub act: Act,
    pub why: String,
}

/// An announcement without its text, as its last version has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// When it was published first, and its number.
    pub place: Place,
    pub division: String,
    pub published_by: String,
    pub withdrawn: Option<Withdrawn>,
    /// From 1; higher where it was corrected.
    pub version: u32,
    pub title: String,
    pub from_on: NaiveDate,
    pub until_on: Option<NaiveDate>,
    /// When the version was written.
    pub written_at: DateTime<Utc>,
}

/// One version of an announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub version: u32,
    pub content: Content,
    pub written: Act,
}

/// Whose announcements are read: those of these divisions and of the ones above them, and those of the divisions below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Divisions that the reader belongs to, with as many digits as are known.
    pub own: Vec<String>,
    /// The division whose parts are read too; empty is everything, `None` no part of any.
    pub below: Option<String>,
}

/// Which announcements are wanted.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    pub reach: &'a Reach,
    /// Only what is in force on this business day.
    pub in_force_on: Option<NaiveDate>,
    /// Each must stand in title or text.
    pub keywords: &'a [String],
    /// Only this one.
    pub only: Option<i64>,
    /// Newest first: only older ones.
    pub after: Option<Place>,
    pub limit: i64,
}

/// An announcement that nobody else changes before the change ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    pub division: String,
    pub is_withdrawn: bool,
    pub last: Version,
}

impl Change {
    /// Puts a new announcement down, with its first version; its number.
    pub async fn add_announcement(
        &mut self,
        division: &str,
        content: &Content,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<i64, StoreError> {
        let announcement_id = sqlx::query_scalar!(
            "insert into announcement (division, published_at, published_by) values ($1, $2, $3) returning announcement_id",
            division,
            at,
            by
        )
        .fetch_one(self.connection())
        .await?;
        self.add_announcement_version(announcement_id, 1, content, by, at).await?;
        Ok(announcement_id)
    }

    /// What it says from now on; the versions before stay.
    pub async fn add_announcement_version(
        &mut self,
        announcement_id: i64,
        version: u32,
        content: &Content,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let done = sqlx::query!(
            "insert into announcement_version (announcement_id, version, title, content, from_on, until_on, written_at, written_by)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            announcement_id,
            version as i32,
            content.title,
            content.text,
            content.from_on,
            content.until_on,
            at,
            by
        )
        .execute(self.connection())
        .await?;
        ensure_affected(&done, 1)
    }

    pub async fn withdraw_announcement(
        &mut self,
        announcement_id: i64,
        why: &str,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let done = sqlx::query!(
            "update announcement set withdrawn_at = $2, withdrawn_by = $3, withdrawn_why = $4
             where announcement_id = $1 and withdrawn_at is null",
            announcement_id,
            at,
            by,
            why
        )
        .execute(self.connection())
        .await?;
        ensure_affected(&done, 1)
    }

    /// Everything that an announcement says by now and said before, the last version first.
    pub async fn list_announcement_versions(&mut self, announcement_id: i64) -> Result<Vec<Version>, StoreError> {
        list_versions(self.connection(), announcement_id).await
    }

    /// The announcement, locked until this change ends.
    pub async fn lock_announcement(&mut self, announcement_id: i64) -> Result<Option<Locked>, StoreError> {
        let row = sqlx::query!(
            r#"select division, withdrawn_at is not null as "is_withdrawn!" from announcement
               where announcement_id = $1 for update"#,
            announcement_id
        )
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(None) };
        // asked after the lock, so that it is the last version
        let versions = list_versions(self.connection(), announcement_id).await?;
        let without = || StoreError::inconsistent("announcement", "version", announcement_id);
        let last = versions.into_iter().next().ok_or_else(without)?;
        Ok(Some(Locked { division: row.division, is_withdrawn: row.is_withdrawn, last }))
    }
}

impl Store {
    /// Announcements newest first. Words are looked for in every text in reach: without blanks in it there is no Chinese word that an
    /// index could hold, and a province has hundreds of announcements, not millions.
    pub async fn list_announcements(&self, wanted: &Wanted<'_>) -> Result<Vec<Headline>, StoreError> {
        let rows = sqlx::query!(
            r#"select a.announcement_id, a.division, a.published_at, a.published_by,
                      a.withdrawn_at, a.withdrawn_by, a.withdrawn_why,
                      v.version as "version!", v.title as "title!", v.from_on as "from_on!", v.until_on as "until_on?",
                      v.written_at as "written_at!"
               from announcement a
               join lateral (select * from announcement_version of_it where of_it.announcement_id = a.announcement_id
                             order by of_it.version desc limit 1) v on true
               where (starts_with(a.division, $2)
                      or exists (select from unnest($1::text[]) as own (division) where starts_with(own.division, a.division)))
                 and ($3::date is null or a.withdrawn_at is null and $3 >= v.from_on and $3 <= coalesce(v.until_on, $3))
                 and ($4::bigint is null or a.announcement_id = $4)
                 and ($5::timestamptz is null or (a.published_at, a.announcement_id) < ($5, $6))
                 and not exists (select from unnest($7::text[]) as keyword (word)
                                 where position(lower(keyword.word) in lower(v.title || e'\n' || v.content)) = 0)
               order by a.published_at desc, a.announcement_id desc
               limit $8"#,
            &wanted.reach.own,
            wanted.reach.below,
            wanted.in_force_on,
            wanted.only,
            wanted.after.map(|place| place.at),
            wanted.after.map_or(0, |place| place.ids[0]),
            wanted.keywords,
            wanted.limit
        )
        .fetch_all(&self.pool)
        .await?;
        let told = rows.into_iter().map(|row| Headline {
            place: Place { at: row.published_at, ids: [row.announcement_id] },
            division: row.division,
            published_by: row.published_by,
            withdrawn: row
                .withdrawn_at
                .zip(row.withdrawn_by)
                .zip(row.withdrawn_why)
                .map(|((at, by), why)| Withdrawn { act: Act { by, at }, why }),
            version: row.version as u32,
            title: row.title,
            from_on: row.from_on,
            until_on: row.until_on,
            written_at: row.written_at,
        });
        Ok(told.collect())
    }

    /// Everything that an announcement ever said, the last version first.
    pub async fn list_announcement_versions(&self, announcement_id: i64) -> Result<Vec<Version>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        list_versions(&mut connection, announcement_id).await
    }
}

async fn list_versions(connection: &mut sqlx::PgConnection, announcement_id: i64) -> Result<Vec<Version>, StoreError> {
    let rows = sqlx::query!(
        "select version, title, content, from_on, until_on, written_at, written_by from announcement_version
         where announcement_id = $1 order by version desc",
        announcement_id
    )
    .fetch_all(connection)
    .await?;
    let versions = rows.into_iter().map(|row| Version {
        version: row.version as u32,
        content: Content { title: row.title, text: row.content, from_on: row.from_on, until_on: row.until_on },
        written: Act { by: row.written_by, at: row.written_at },
    });
    Ok(versions.collect())
}
