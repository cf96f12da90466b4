//! Users, what is granted to them, and their tokens.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::describe::{Access, operation};
use super::why::{Why, Words};
use crate::clock;
use crate::declare::Done;
use crate::declare::users::{
    AskedReach, Period, UserError, add_token, add_user, grant, may_manage, revoke, revoke_token,
};
use crate::domain::access::{Action, Denied, Role};
use crate::domain::grant::{Reach, scope_on};
use crate::domain::ids::{Uscc, mask_name};
use crate::store::users::{Revoked, TokenLine, UserLine};
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, Paging};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    let access = Access::installation(Action::ManageUsers);
    let told = |id, summary| operation(id, "users", access, summary);
    ApiRouter::new()
        .api_route(
            "/users",
            get_with(list, told("list_users", "Who is known here"))
                .post_with(add, told("add_user", "Make a user known, to whom nothing is granted yet")),
        )
        .api_route(
            "/users/{account}",
            get_with(read, told("read_user", "One user with everything ever granted to them")),
        )
        .api_route(
            "/users/{account}/grants",
            post_with(add_grant, told("grant", "Grant a user's role somewhere, for a time")),
        )
        .api_route(
            "/users/{account}/revocations",
            post_with(end, told("revoke", "End one grant, or the user for good, at once")),
        )
        .api_route(
            "/users/{account}/tokens",
            post_with(issue, told("add_token", "Make a token; it is shown this once")),
        )
        .api_route("/tokens", get_with(list_tokens, told("list_tokens", "Tokens: whose, until when, last used when")))
        .api_route("/tokens/{token_id}/revocation", post_with(end_token, told("revoke_token", "End a token at once")))
}

/// A user.
#[derive(Serialize, JsonSchema)]
struct User {
    account: String,
    /// Masked.
    name: String,
    role: Role,
    /// Whether anything is granted today.
    holds: bool,
    created_at: DateTime<Utc>,
    created_by: String,
    revoked: Option<Revoked>,
    grants: Vec<UserGrant>,
}

/// What was granted: a unit, a division or everything.
#[derive(Serialize, JsonSchema)]
struct UserGrant {
    grant_id: i32,
    unit: Option<String>,
    division: Option<String>,
    everything: bool,
    from_on: NaiveDate,
    until_on: Option<NaiveDate>,
    granted_at: DateTime<Utc>,
    granted_by: String,
    revoked: Option<Revoked>,
}

/// A new user.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// What the audit calls them: a short word such as li.hua.
    #[schemars(regex(pattern = "^[a-z][a-z0-9._-]{1,31}$"))]
    account: String,
    /// Kept encrypted.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    role: Role,
}

/// A new grant: one of unit, division and everything.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewGrant {
    unit: Option<Uscc>,
    #[schemars(regex(pattern = "^([0-9]{2}){1,3}$"))]
    division: Option<String>,
    #[serde(default)]
    everything: bool,
    /// First day; without it today.
    from_on: Option<NaiveDate>,
    /// Last day, included; a handler needs one.
    until_on: Option<NaiveDate>,
}

/// What ends.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Revocation {
    /// Only this grant; without it the user, for good.
    grant_id: Option<i32>,
    why: Words,
}

/// A new token.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// How long it holds.
    #[schemars(range(min = 1, max = 366))]
    days: u32,
}

#[derive(Deserialize, JsonSchema)]
struct OfUser {
    account: String,
}

#[derive(Deserialize, JsonSchema)]
struct OfToken {
    token_id: i32,
}

fn shown(user: UserLine, today: NaiveDate) -> User {
    let holds = user.revoked.is_none() && scope_on(&user.domain_grants(), today).is_some();
    let granted = user.grants.into_iter().map(|grant| UserGrant {
        grant_id: grant.grant_id,
        division: match &grant.reach {
            Reach::Division(division) => Some(division.clone()),
            Reach::Everything | Reach::Unit(_) => None,
        },
        everything: grant.reach == Reach::Everything,
        unit: grant.uscc,
        from_on: grant.from_on,
        until_on: grant.until_on,
        granted_at: grant.granted_at,
        granted_by: grant.granted_by,
        revoked: grant.revoked,
    });
    User {
        holds,
        name: mask_name(&user.name),
        account: user.account,
        role: user.role,
        created_at: user.created_at,
        created_by: user.created_by,
        revoked: user.revoked,
        grants: granted.collect(),
    }
}

async fn list(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<User>>, Problem> {
    may_manage(&actor)?;
    let today = clock::business_date(site.store.now().await?);
    let (limit, after) = (paging.limit()?, paging.after.unwrap_or_default());
    let users = site.store.list_users(None).await?.into_iter().filter(|user| user.account > after).take(limit + 1);
    Ok(Reply(Page::of(users.map(|user| shown(user, today)).collect(), limit, |user| user.account.clone())))
}

async fn read(State(site): State<Site>, Holder(actor): Holder, Path(of): Path<OfUser>) -> Result<Reply<User>, Problem> {
    may_manage(&actor)?;
    let today = clock::business_date(site.store.now().await?);
    let user = site.store.list_users(Some(&of.account)).await?.pop().ok_or(Denied::NotFound)?;
    Ok(Reply(shown(user, today)))
}

async fn add(Writer { actor, store }: Writer, Body(new): Body<NewUser>) -> Result<Reply<Done>, Problem> {
    add_user(&store, &actor, &new.account, &new.name, new.role).await?;
    Ok(Reply(Done { changed: true }))
}

async fn add_grant(
    Writer { actor, store }: Writer,
    Path(of): Path<OfUser>,
    Body(new): Body<NewGrant>,
) -> Result<Reply<crate::declare::users::GrantAdded>, Problem> {
    let reach = match (new.unit, new.division, new.everything) {
        (Some(unit), None, false) => AskedReach::Unit(unit),
        (None, Some(division), false) => AskedReach::Division(division),
        (None, None, true) => AskedReach::Everything,
        _ => {
            let detail = "a grant has one of `unit`, `division` and `everything`";
            return Err(Problem::unprocessable("one_reach", detail, "授权范围须为单位、区划或全部之一。"));
        }
    };
    let period = Period { from: new.from_on, until: new.until_on };
    Ok(Reply(grant(&store, &actor, &of.account, &reach, period).await?))
}

async fn end(
    Writer { actor, store }: Writer,
    Path(of): Path<OfUser>,
    Body(what): Body<Revocation>,
) -> Result<Reply<Done>, Problem> {
    revoke(&store, &actor, &of.account, what.grant_id, &what.why).await?;
    Ok(Reply(Done { changed: true }))
}

async fn issue(
    Writer { actor, store }: Writer,
    Path(of): Path<OfUser>,
    Body(new): Body<NewToken>,
) -> Result<Reply<crate::declare::users::TokenAdded>, Problem> {
    Ok(Reply(add_token(&store, &actor, &of.account, new.days).await?))
}

async fn list_tokens(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<TokenLine>>, Problem> {
    may_manage(&actor)?;
    let (limit, before) = (paging.limit()?, paging.after::<i32>()?);
    let mut tokens = site.store.list_tokens(None).await?;
    tokens.sort_by_key(|token| std::cmp::Reverse(token.token_id));
    tokens.retain(|token| before.is_none_or(|before| token.token_id < before));
    Ok(Reply(Page::of(tokens, limit, |token| token.token_id.to_string())))
}

async fn end_token(
    Writer { actor, store }: Writer,
    Path(of): Path<OfToken>,
    Body(Why { why }): Body<Why>,
) -> Result<Reply<Done>, Problem> {
    revoke_token(&store, &actor, of.token_id, &why).await?;
    Ok(Reply(Done { changed: true }))
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Denied(denied) => denied.into(),
            UserError::Store(error) => error.into(),
            UserError::Reason(fault) => fault.into(),
            UserError::NotOfEverything => {
                Self::new(axum::http::StatusCode::FORBIDDEN, error.code(), error.to_string(), error.chinese())
            }
            UserError::Unknown(_) | UserError::NoToken(_) | UserError::NoGrant { .. } => {
                Self::new(axum::http::StatusCode::NOT_FOUND, error.code(), error.to_string(), error.chinese())
            }
            error if error.is_refusal() => Self::unprocessable(error.code(), error.to_string(), error.chinese()),
            error => Self::failed(&error),
        }
    }
}
