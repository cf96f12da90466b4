//! Users, their grants and tokens. Names of users rest encrypted; an account stands in clear, as the audit names it.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;

use super::change::Change;
use super::people::{ensure_units, reserve};
use super::{Store, StoreError};
use crate::crypto::{Keys, Place};
use crate::domain::access::Role;
use crate::domain::facts::UnitId;
use crate::domain::grant::{Grant, Reach};
use crate::domain::ids::Uscc;

/// A user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct UserId(pub i64);

/// Who took something back, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Revoked {
    pub at: DateTime<Utc>,
    pub by: String,
    pub why: String,
}

impl Revoked {
    fn of(at: Option<DateTime<Utc>>, by: Option<String>, why: Option<String>) -> Option<Self> {
        Some(Self { at: at?, by: by?, why: why? })
    }
}

/// A user as stored.
#[derive(Clone, Debug, Serialize)]
pub struct UserLine {
    pub user_id: UserId,
    pub account: String,
    /// Masking is the caller's duty, auditing too.
    pub name: String,
    pub role: Role,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    pub revoked: Option<Revoked>,
    pub grants: Vec<GrantLine>,
}

impl UserLine {
    /// What follows from the grants is the domain's word.
    pub fn domain_grants(&self) -> Vec<Grant> {
        self.grants.iter().map(GrantLine::domain_grant).collect()
    }
}

/// A grant as stored.
#[derive(Clone, Debug, Serialize)]
pub struct GrantLine {
    pub grant_id: i32,
    pub reach: Reach,
    /// The code of the unit, where it reaches one.
    pub uscc: Option<String>,
    pub from_on: NaiveDate,
    pub until_on: Option<NaiveDate>,
    pub granted_at: DateTime<Utc>,
    pub granted_by: String,
    pub revoked: Option<Revoked>,
}

impl GrantLine {
    fn domain_grant(&self) -> Grant {
        Grant {
            reach: self.reach.clone(),
            from_on: self.from_on,
            until_on: self.until_on,
            revoked: self.revoked.is_some(),
        }
    }
}

/// A token as stored: not the token itself.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TokenLine {
    pub token_id: i32,
    pub account: String,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    pub expires_at: DateTime<Utc>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked: Option<Revoked>,
}

struct StoredToken {
    token_id: i32,
    account: String,
    created_at: DateTime<Utc>,
    created_by: String,
    expires_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    revoked_by: Option<String>,
    revoked_why: Option<String>,
}

impl StoredToken {
    fn line(self) -> TokenLine {
        TokenLine {
            token_id: self.token_id,
            account: self.account,
            created_at: self.created_at,
            created_by: self.created_by,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
            revoked: Revoked::of(self.revoked_at, self.revoked_by, self.revoked_why),
        }
    }
}

/// A token that was shown, with what stands granted to its user.
#[derive(Clone, Debug)]
pub struct TokenFound {
    pub token_id: i32,
    pub account: String,
    pub role: Role,
    pub expires_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub user_revoked: bool,
    /// Each with the code of the unit, where it reaches one.
    pub grants: Vec<(Grant, Option<String>)>,
    /// Business time.
    pub at: DateTime<Utc>,
}

/// A token's last use is written down when so much time has passed since the use before.
const USE_NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

fn name_place(user: UserId) -> Place<'static> {
    Place { table: "app_user", column: "name", row: user.0 }
}

impl Store {
    /// All users by account, or one.
    pub async fn list_users(&self, account: Option<&str>) -> Result<Vec<UserLine>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        list_users(&mut connection, self.keys(), Wanted { account, ..Wanted::default() }).await
    }

    /// So many users at most, by the bytes of their accounts, after one.
    pub async fn list_users_after(&self, after: &str, limit: i64) -> Result<Vec<UserLine>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let wanted = Wanted { account: None, after: Some(after), limit: Some(limit) };
        list_users(&mut connection, self.keys(), wanted).await
    }

    /// Tokens by account, newest first; of one user if named.
    pub async fn list_tokens(&self, account: Option<&str>) -> Result<Vec<TokenLine>, StoreError> {
        let rows = sqlx::query_as!(
            StoredToken,
            "select token_id, account, t.created_at, t.created_by, expires_at, last_used_at,
                    coalesce(t.revoked_at, u.revoked_at) as revoked_at, coalesce(t.revoked_by, u.revoked_by) as revoked_by,
                    coalesce(t.revoked_why, u.revoked_why) as revoked_why
             from user_token t join app_user u using (user_id) where $1::text is null or account = $1 order by account, token_id desc",
            account
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(StoredToken::line).collect())
    }

    /// So many tokens at most, newest first, before one.
    pub async fn list_tokens_before(&self, before: Option<i32>, limit: i64) -> Result<Vec<TokenLine>, StoreError> {
        let rows = sqlx::query_as!(
            StoredToken,
            "select token_id, account, t.created_at, t.created_by, expires_at, last_used_at,
                    coalesce(t.revoked_at, u.revoked_at) as revoked_at, coalesce(t.revoked_by, u.revoked_by) as revoked_by,
                    coalesce(t.revoked_why, u.revoked_why) as revoked_why
             from user_token t join app_user u using (user_id) where $1::int is null or token_id < $1 order by token_id desc limit $2",
            before,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(StoredToken::line).collect())
    }

    /// The token with this hash, its user and what stands granted to them: asked with every request, so by one question.
    pub async fn find_token(&self, hash: &[u8; 32]) -> Result<Option<TokenFound>, StoreError> {
        let rows = sqlx::query!(
            r#"select token_id, account, role, expires_at, last_used_at, t.revoked_at, u.revoked_at is not null as "user_revoked!",
                      grant_id as "grant_id?", g.unit_id as "unit_id?", uscc as "uscc?", division as "division?", from_on as "from_on?",
                      until_on as "until_on?", clock_timestamp() as "clock!", clock_offset_us
               from user_token t join app_user u using (user_id) cross join installation
               left join user_grant g on g.user_id = u.user_id and g.revoked_at is null left join unit on unit.unit_id = g.unit_id
               where hash = $1 order by grant_id"#,
            &hash[..]
        )
        .fetch_all(&self.pool)
        .await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let role = Role::parse(&first.role)
            .ok_or_else(|| StoreError::inconsistent("app_user", "role", first.account.as_str()))?;
        let mut found = TokenFound {
            token_id: first.token_id,
            account: first.account.clone(),
            role,
            expires_at: first.expires_at,
            last_used_at: first.last_used_at,
            revoked_at: first.revoked_at,
            user_revoked: first.user_revoked,
            grants: Vec::with_capacity(rows.len()),
            at: first.clock + TimeDelta::microseconds(first.clock_offset_us),
        };
        for row in rows {
            let (Some(_), Some(from_on)) = (row.grant_id, row.from_on) else { continue };
            let reach = match (row.unit_id, row.division) {
                (Some(unit), _) => Reach::Unit(UnitId(unit)),
                (None, Some(division)) => Reach::Division(division),
                (None, None) => Reach::Everything,
            };
            found.grants.push((Grant { reach, from_on, until_on: row.until_on, revoked: false }, row.uscc));
        }
        Ok(Some(found))
    }

    /// Notes that a token was used, unless that was noted a moment ago.
    pub async fn note_token_use(&self, token: &TokenFound) -> Result<(), StoreError> {
        let (token_id, at) = (token.token_id, token.at);
        if token.last_used_at.is_some_and(|last| last > at - USE_NOTED_EVERY) {
            return Ok(());
        }
        sqlx::query!(
            "update user_token set last_used_at = $2 where token_id = $1 and (last_used_at is null or last_used_at <= $3)",
            token_id,
            at,
            at - USE_NOTED_EVERY
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// What is changed about users.
impl Change {
    /// The user of this account; nobody else changes anything about them before this change ends.
    pub async fn lock_user(&mut self, store: &Store, account: &str) -> Result<Option<UserLine>, StoreError> {
        let locked = sqlx::query_scalar!("select user_id from app_user where account = $1 for update", account)
            .fetch_optional(self.connection())
            .await?;
        match locked {
            Some(_) => {
                let wanted = Wanted { account: Some(account), ..Wanted::default() };
                Ok(list_users(self.connection(), store.keys(), wanted).await?.pop())
            }
            None => Ok(None),
        }
    }

    /// A new user; `None` if the account is taken.
    pub async fn add_user(
        &mut self,
        store: &Store,
        (account, name, role): (&str, &str, Role),
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<UserId>, StoreError> {
        let ids = reserve(self.connection(), "app_user_id_seq", 1).await?;
        let user = UserId(ids.first().copied().ok_or(StoreError::frame("no number for a user"))?);
        let added = sqlx::query!(
            "insert into app_user (user_id, account, name, role, created_at, created_by) values ($1, $2, $3, $4, $5, $6)
             on conflict (account) do nothing",
            user.0,
            account,
            store.keys().encrypt(name.as_bytes(), name_place(user))?,
            role.as_str(),
            at,
            by
        )
        .execute(self.connection())
        .await?;
        Ok((added.rows_affected() == 1).then_some(user))
    }

    /// A unit by its code, made known here if it was not.
    pub async fn ensure_unit(&mut self, code: &Uscc) -> Result<UnitId, StoreError> {
        let units = ensure_units(self.connection(), std::slice::from_ref(code)).await?;
        units.get(code).copied().ok_or_else(|| StoreError::inconsistent("unit", "uscc", code))
    }

    pub async fn add_grant(
        &mut self,
        user: UserId,
        new: &Grant,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<i32, StoreError> {
        let (unit, division) = match &new.reach {
            Reach::Everything => (None, None),
            Reach::Division(division) => (None, Some(division.as_str())),
            Reach::Unit(unit) => (Some(unit.0), None),
        };
        Ok(sqlx::query_scalar!(
            "insert into user_grant (user_id, unit_id, division, from_on, until_on, granted_at, granted_by)
             values ($1, $2, $3, $4, $5, $6, $7) returning grant_id",
            user.0,
            unit,
            division,
            new.from_on,
            new.until_on,
            at,
            by
        )
        .fetch_one(self.connection())
        .await?)
    }

    pub async fn add_token(
        &mut self,
        user: UserId,
        hash: &[u8; 32],
        expires_at: DateTime<Utc>,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<i32, StoreError> {
        Ok(sqlx::query_scalar!(
            "insert into user_token (user_id, hash, created_at, created_by, expires_at) values ($1, $2, $3, $4, $5) returning token_id",
            user.0,
            &hash[..],
            at,
            by,
            expires_at
        )
        .fetch_one(self.connection())
        .await?)
    }

    /// Ends a user for good, whatever grants and tokens there are.
    pub async fn revoke_user(&mut self, user: UserId, revoked: &Revoked) -> Result<(), StoreError> {
        sqlx::query!(
            "update app_user set revoked_at = $2, revoked_by = $3, revoked_why = $4 where user_id = $1 and revoked_at is null",
            user.0,
            revoked.at,
            revoked.by,
            revoked.why
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Ends a grant; false if the user has no such grant, or it is revoked already.
    pub async fn revoke_grant(&mut self, user: UserId, grant_id: i32, revoked: &Revoked) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update user_grant set revoked_at = $3, revoked_by = $4, revoked_why = $5
             where user_id = $1 and grant_id = $2 and revoked_at is null",
            user.0,
            grant_id,
            revoked.at,
            revoked.by,
            revoked.why
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends a token; the account it was of, or `None` if there is no such token that holds.
    pub async fn revoke_token(&mut self, token_id: i32, revoked: &Revoked) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar!(
            "update user_token t set revoked_at = $2, revoked_by = $3, revoked_why = $4 from app_user u
             where u.user_id = t.user_id and token_id = $1 and t.revoked_at is null returning account",
            token_id,
            revoked.at,
            revoked.by,
            revoked.why
        )
        .fetch_optional(self.connection())
        .await?)
    }
}

/// Which users.
#[derive(Clone, Copy, Default)]
struct Wanted<'a> {
    account: Option<&'a str>,
    after: Option<&'a str>,
    limit: Option<i64>,
}

/// By the bytes of their accounts, whatever the database's collation: a page goes on where the one before ended.
async fn list_users(
    connection: &mut PgConnection,
    keys: &Keys,
    wanted: Wanted<'_>,
) -> Result<Vec<UserLine>, StoreError> {
    let rows = sqlx::query!(
        r#"select user_id, account, name, role, created_at, created_by, revoked_at, revoked_by, revoked_why
           from app_user where ($1::text is null or account = $1) and ($2::text is null or account collate "C" > $2)
           order by account collate "C" limit $3"#,
        wanted.account,
        wanted.after,
        wanted.limit
    )
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.user_id).collect();
    let grants = sqlx::query!(
        r#"select grant_id, g.user_id, g.unit_id, uscc as "uscc?", division, from_on, until_on, granted_at, granted_by,
                  g.revoked_at, g.revoked_by, g.revoked_why
           from user_grant g left join unit using (unit_id) where user_id = any($1) order by grant_id"#,
        &ids
    )
    .fetch_all(connection)
    .await?;
    let mut users: Vec<UserLine> = rows
        .into_iter()
        .map(|row| {
            let user_id = UserId(row.user_id);
            let wrong = |column| StoreError::inconsistent("app_user", column, row.user_id);
            Ok(UserLine {
                user_id,
                account: row.account,
                name: String::from_utf8(keys.decrypt(&row.name, name_place(user_id))?).map_err(|_| wrong("name"))?,
                role: Role::parse(&row.role).ok_or_else(|| wrong("role"))?,
                created_at: row.created_at,
                created_by: row.created_by,
                revoked: Revoked::of(row.revoked_at, row.revoked_by, row.revoked_why),
                grants: Vec::new(),
            })
        })
        .collect::<Result<_, StoreError>>()?;
    for row in grants {
        let reach = match (row.unit_id, row.division) {
            (Some(unit), _) => Reach::Unit(UnitId(unit)),
            (None, Some(division)) => Reach::Division(division),
            (None, None) => Reach::Everything,
        };
        let grant = GrantLine {
            grant_id: row.grant_id,
            reach,
            uscc: row.uscc,
            from_on: row.from_on,
            until_on: row.until_on,
            granted_at: row.granted_at,
            granted_by: row.granted_by,
            revoked: Revoked::of(row.revoked_at, row.revoked_by, row.revoked_why),
        };
        if let Some(user) = users.iter_mut().find(|user| user.user_id.0 == row.user_id) {
            user.grants.push(grant);
        }
    }
    Ok(users)
}
