//! Use cases about users: who is known here, what is granted to whom, by which token they are known. Each is written to the audit.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::Done;
use crate::clock;
use crate::crypto::{CryptoError, NewToken, token_hash};
use crate::domain::access::{Action, Actor, Denied, Role, Scope};
use crate::domain::free_text::{Reason, ReasonFault};
use crate::domain::grant::{Grant, GrantRefused, Reach, check_grant, is_account, scope_on};
use crate::domain::ids::Uscc;
use crate::store::audit::Act;
use crate::store::change::Change;
use crate::store::users::{Revoked, TokenFound, UserLine};
use crate::store::{Store, StoreError};

/// Why something about users was not done.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("only who is an operator of the whole installation manages users")]
    NotOfEverything,
    #[error(
        "`{0}` is no account; accepted are 2 to 32 small letters, digits, dots, dashes and underlines, a letter first, such as `li.hua`"
    )]
    NotAnAccount(String),
    #[error("a user has a name of 1 to 100 signs")]
    NotAName,
    #[error("the role {0} is no user's: persons are known by their own papers and a code (`renzheng person code`)")]
    NotOfUsers(Role),
    #[error("there is a user `{0}` already; another account, or `renzheng user grant {0}`")]
    Taken(String),
    #[error("there is no user `{0}`; `renzheng user list` shows all")]
    Unknown(String),
    #[error("the user `{0}` was revoked for good")]
    UserRevoked(String),
    #[error("`{0}` is your own account: what you may do, another operator says")]
    OwnAccount(String),
    #[error(transparent)]
    Refused(#[from] GrantRefused),
    #[error("the user `{account}` has no grant {grant_id} that holds; `renzheng user show {account}` shows all")]
    NoGrant { account: String, grant_id: i32 },
    #[error("there is no token {0} that holds; `renzheng token list` shows all")]
    NoToken(i32),
    #[error(transparent)]
    Reason(#[from] ReasonFault),
    #[error("a token lives for 1 to {MOST_DAYS} days")]
    TokenLife,
    #[error("no token could be made")]
    Crypto(#[from] CryptoError),
    #[error("the users could not be read or stored")]
    Store(#[from] StoreError),
}

impl UserError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied(denied) => denied.code(),
            Self::NotOfEverything => "not_of_everything",
            Self::NotAnAccount(_) => "not_an_account",
            Self::NotAName => "not_a_name",
            Self::NotOfUsers(_) => "not_of_users",
            Self::Taken(_) => "account_taken",
            Self::Unknown(_) => "unknown_user",
            Self::UserRevoked(_) => "user_revoked",
            Self::OwnAccount(_) => "own_account",
            Self::Refused(refused) => refused.code(),
            Self::NoGrant { .. } => "no_grant",
            Self::NoToken(_) => "no_token",
            Self::Reason(fault) => fault.code(),
            Self::TokenLife => "token_life",
            Self::Crypto(_) | Self::Store(_) => "failed",
        }
    }

    pub fn chinese(&self) -> String {
        let text = match self {
            Self::Denied(denied) => denied.chinese(),
            Self::Reason(fault) => return fault.chinese(),
            Self::NotOfEverything => "只有全局管理员可以管理用户。",
            Self::NotAnAccount(_) => "账号须为2至32位小写字母、数字、点、横线或下划线，以字母开头。",
            Self::NotAName => "姓名须为1至100个字。",
            Self::NotOfUsers(_) => "该角色不授予用户。",
            Self::Taken(_) => "该账号已存在。",
            Self::Unknown(_) => "未找到该用户。",
            Self::UserRevoked(_) => "该用户已停用。",
            Self::OwnAccount(_) => "不能更改自己的授权，请由其他管理员办理。",
            Self::Refused(refused) => refused.chinese(),
            Self::NoGrant { .. } => "未找到该有效授权。",
            Self::NoToken(_) => "未找到该有效令牌。",
            Self::TokenLife => "令牌有效期超出允许范围。",
            Self::Crypto(_) | Self::Store(_) => "操作失败，请稍后再试。",
        };
        text.to_owned()
    }

    /// Whether the caller must change something, so that the same would be refused again.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Crypto(_) | Self::Store(_))
    }
}

/// A token lives no longer.
pub const MOST_DAYS: u32 = 366;

/// Whether the actor manages users: of the whole installation, since a user may be granted all of it.
pub fn may_manage(actor: &Actor) -> Result<(), UserError> {
    actor.may_at_all(Action::ManageUsers)?;
    if actor.scope == Scope::Everything { Ok(()) } else { Err(UserError::NotOfEverything) }
}

/// An operator gives no rights to themselves, neither under a token nor as the user of the operating system of that name.
fn refuse_own(actor: &Actor, account: &str) -> Result<(), UserError> {
    let own = actor.name == account || actor.name.strip_prefix("operator ") == Some(account);
    if own { Err(UserError::OwnAccount(account.to_owned())) } else { Ok(()) }
}

/// A user that nobody granted anything to yet.
pub async fn add_user(store: &Store, actor: &Actor, account: &str, name: &str, role: Role) -> Result<(), UserError> {
    may_manage(actor)?;
    if !is_account(account) {
        return Err(UserError::NotAnAccount(account.to_owned()));
    }
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(UserError::NotAName);
    }
    if !Role::OF_USERS.contains(&role) {
        return Err(UserError::NotOfUsers(role));
    }
    let at = store.now().await?;
    let mut change = store.change().await?;
    if change.add_user(store, (account, name, role), &actor.name, at).await?.is_none() {
        return Err(UserError::Taken(account.to_owned()));
    }
    change.record(&about(at, actor, account, "add", None).with("role", role.as_str())).await?;
    change.answer(&Done::CHANGED).await?;
    Ok(change.commit().await?)
}

/// What a new grant reaches, as it is asked for.
#[derive(Clone, Debug)]
pub enum AskedReach {
    Everything,
    Division(String),
    Unit(Uscc),
}

/// The days of a new grant; without `from` it begins today.
#[derive(Clone, Copy, Debug, Default)]
pub struct Period {
    pub from: Option<NaiveDate>,
    pub until: Option<NaiveDate>,
}

/// A grant just made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct GrantAdded {
    pub account: String,
    pub grant_id: i32,
}

/// One more grant.
pub async fn grant(
    store: &Store,
    actor: &Actor,
    account: &str,
    reach: &AskedReach,
    period: Period,
) -> Result<GrantAdded, UserError> {
    may_manage(actor)?;
    refuse_own(actor, account)?;
    let at = store.now().await?;
    let today = clock::business_date(at);
    let mut change = store.change().await?;
    let user = get_user(&mut change, store, account).await?;
    let (reach, told) = match reach {
        AskedReach::Everything => (Reach::Everything, "everything".to_owned()),
        AskedReach::Division(division) => (Reach::Division(division.clone()), format!("division {division}")),
        AskedReach::Unit(code) => (Reach::Unit(change.ensure_unit(code).await?), format!("employer {code}")),
    };
    let new = Grant { reach, from_on: period.from.unwrap_or(today), until_on: period.until, revoked: false };
    check_grant(user.role, &new, &user.domain_grants(), today)?;
    let grant_id = change.add_grant(user.user_id, &new, &actor.name, at).await?;
    let act = about(at, actor, account, "grant", None)
        .with("grant", grant_id)
        .with("role", user.role.as_str())
        .with("reach", told)
        .with("from", new.from_on.to_string())
        .with("until", new.until_on.map(|day| day.to_string()));
    change.record(&act).await?;
    let added = GrantAdded { account: account.to_owned(), grant_id };
    change.answer(&added).await?;
    change.commit().await?;
    Ok(added)
}

/// Ends one grant, or the user as a whole, from this moment on. What was granted stays on record.
pub async fn revoke(
    store: &Store,
    actor: &Actor,
    account: &str,
    grant_id: Option<i32>,
    why: &str,
) -> Result<(), UserError> {
    may_manage(actor)?;
    let why = Reason::parse(why)?.as_str();
    let at = store.now().await?;
    let mut change = store.change().await?;
    let user = get_user(&mut change, store, account).await?;
    let revoked = Revoked { at, by: actor.name.clone(), why: why.to_owned() };
    let act = match grant_id {
        Some(grant_id) => {
            if !change.revoke_grant(user.user_id, grant_id, &revoked).await? {
                return Err(UserError::NoGrant { account: account.to_owned(), grant_id });
            }
            about(at, actor, account, "revoke_grant", Some(why)).with("grant", grant_id)
        }
        None => {
            change.revoke_user(user.user_id, &revoked).await?;
            let subscriptions = change.end_subscriptions_of(user.user_id, at).await?;
            let act = about(at, actor, account, "revoke", Some(why));
            if subscriptions.is_empty() { act } else { act.with("subscriptions", subscriptions) }
        }
    };
    change.record(&act).await?;
    change.answer(&Done::CHANGED).await?;
    Ok(change.commit().await?)
}

/// A token just made. Its text is nowhere else, but with the answer to the request that made it, encrypted.
#[derive(Serialize, JsonSchema)]
pub struct TokenAdded {
    pub token_id: i32,
    pub account: String,
    pub token: String,
    pub expires_at: DateTime<Utc>,
}

impl std::fmt::Debug for TokenAdded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenAdded").field("token_id", &self.token_id).finish_non_exhaustive()
    }
}

/// A token for a user, for so many days: until the end of the last of them in Shanghai.
pub async fn add_token(store: &Store, actor: &Actor, account: &str, days: u32) -> Result<TokenAdded, UserError> {
    may_manage(actor)?;
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(UserError::TokenLife);
    }
    let at = store.now().await?;
    let after = clock::business_date(at).checked_add_days(Days::new(u64::from(days))).ok_or(UserError::TokenLife)?;
    let expires_at = clock::shanghai(after, NaiveTime::MIN);
    let mut change = store.change().await?;
    let user = get_user(&mut change, store, account).await?;
    let token = NewToken::generate()?;
    let token_id = change.add_token(user.user_id, &token.hash, expires_at, &actor.name, at).await?;
    let act = about(at, actor, account, "add_token", None)
        .with("token", token_id)
        .with("role", user.role.as_str())
        .with("expires_at", clock::rfc3339(expires_at));
    change.record(&act).await?;
    let added = TokenAdded { token_id, account: account.to_owned(), token: token.text, expires_at };
    change.answer(&added).await?;
    change.commit().await?;
    Ok(added)
}

/// Ends a token from this moment on.
pub async fn revoke_token(store: &Store, actor: &Actor, token_id: i32, why: &str) -> Result<(), UserError> {
    may_manage(actor)?;
    let why = Reason::parse(why)?.as_str();
    let at = store.now().await?;
    let mut change = store.change().await?;
    let revoked = Revoked { at, by: actor.name.clone(), why: why.to_owned() };
    let account = change.revoke_token(token_id, &revoked).await?.ok_or(UserError::NoToken(token_id))?;
    change.record(&about(at, actor, &account, "revoke_token", Some(why)).with("token", token_id)).await?;
    change.answer(&Done::CHANGED).await?;
    Ok(change.commit().await?)
}

/// The user of an account, locked, if they are not revoked.
async fn get_user(change: &mut Change, store: &Store, account: &str) -> Result<UserLine, UserError> {
    match change.lock_user(store, account).await? {
        None => Err(UserError::Unknown(account.to_owned())),
        Some(user) if user.revoked.is_some() => Err(UserError::UserRevoked(account.to_owned())),
        Some(user) => Ok(user),
    }
}

fn about<'a>(at: DateTime<Utc>, actor: &'a Actor, account: &str, did: &str, why: Option<&'a str>) -> Act<'a> {
    Act { action: Action::ManageUsers, ..Act::operate(at, actor, did, format!("user {account}"), why) }
}

/// Why a token opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("it is no token of this program: one begins with `rz_` and has 46 signs")]
    Malformed,
    #[error("it is not known here")]
    Unknown,
    #[error("it was revoked at {}; ask an operator for another", clock::rfc3339(*.0))]
    Revoked(DateTime<Utc>),
    #[error("it expired at {}; ask an operator for another", clock::rfc3339(*.0))]
    Expired(DateTime<Utc>),
    #[error("the user `{0}` was revoked")]
    UserRevoked(String),
    #[error("nothing is granted to the user `{account}` on {today}")]
    NoGrant { account: String, today: NaiveDate },
    #[error("the users could not be read")]
    Store(#[from] StoreError),
}

/// Who holds the token, with what is granted to them today.
pub async fn actor_of_token(store: &Store, token: &str) -> Result<Actor, TokenError> {
    let hash = token_hash(token).ok_or(TokenError::Malformed)?;
    let found = store.find_token(&hash).await?.ok_or(TokenError::Unknown)?;
    if found.user_revoked {
        return Err(TokenError::UserRevoked(found.account));
    }
    if let Some(revoked_at) = found.revoked_at {
        return Err(TokenError::Revoked(revoked_at));
    }
    if found.expires_at <= found.at {
        return Err(TokenError::Expired(found.expires_at));
    }
    let today = clock::business_date(found.at);
    let grants: Vec<Grant> = found.grants.iter().map(|(grant, _)| grant.clone()).collect();
    let Some(scope) = scope_on(&grants, today) else {
        return Err(TokenError::NoGrant { account: found.account, today });
    };
    store.note_token_use(&found).await?;
    Ok(Actor { on_behalf_of: behalf(&found, today), name: found.account, role: found.role, scope })
}

/// The one employer a handler acts for that day. Of several, what was done says which.
fn behalf(found: &TokenFound, today: NaiveDate) -> Option<String> {
    let mut codes = found.grants.iter().filter(|(grant, _)| grant.holds_on(today));
    match (found.role, codes.next(), codes.next()) {
        (Role::Handler, Some((_, Some(code))), None) => Some(format!("employer {code}")),
        _ => None,
    }
}
