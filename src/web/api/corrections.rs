//! What staff do about a declaration: deregistration, a rejected message issued again, opening, closing, following the tax department.

use aide::axum::ApiRouter;
use aide::axum::routing::post_with;
use axum::extract::State;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Access, operation};
use super::whose::{OfEmployer, OfYear, declaring, employer};
use super::why::Because;
use crate::declare::corrections;
use crate::declare::deregister::deregister as enter_deregistration;
use crate::declare::settle::{Settled, settle as follow};
use crate::domain::access::Action;
use crate::domain::declaration::Declaration;
use crate::domain::message::MessageKind;
use crate::verify::changes::Cause;
use crate::web::Site;
use crate::web::input::{Body, Path};
use crate::web::once::Writer;
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    let say = |id, action, summary| operation(id, "corrections", Access::employer(action), summary);
    ApiRouter::new()
        .api_route(
            "/employers/{uscc}/deregistration",
            post_with(
                deregister,
                say("deregister", Action::Deregister, "Enter that a unit is being deregistered in the running year"),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/declaration/reissue",
            post_with(
                reissue,
                say("reissue", Action::Reissue, "Issue a rejected message again with the data as they are now"),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/declaration/reopening",
            post_with(
                reopen,
                say("reopen", Action::Reissue, "Open a rejected or closed declaration for its next version"),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/declaration/closing",
            post_with(close, say("close", Action::CloseDeclaration, "Give up what the tax department rejected")),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/declaration/settlement",
            post_with(
                settle,
                say("settle", Action::SettleDifference, "Follow the tax department where it holds something else"),
            ),
        )
}

/// When the unit goes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Deregistering {
    /// A day of the running year: the months before that month can be declared, at any time
    on: NaiveDate,
}

async fn deregister(
    Writer { actor, store }: Writer,
    Path(of): Path<OfEmployer>,
    Body(deregistering): Body<Deregistering>,
) -> Result<Reply<Declaration>, Problem> {
    let employer = employer(&store, &actor, Action::ReadResults, &of.uscc).await?;
    Ok(Reply(enter_deregistration(&store, &actor, employer, deregistering.on).await?))
}

/// Which message was rejected.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reissued {
    kind: MessageKind,
}

async fn reissue(
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
    Body(reissued): Body<Reissued>,
) -> Result<Reply<Declaration>, Problem> {
    let declaring = declaring(&store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    Ok(Reply(corrections::reissue(&store, &actor, declaring, reissued.kind).await?))
}

async fn reopen(Writer { actor, store }: Writer, Path(of): Path<OfYear>) -> Result<Reply<Declaration>, Problem> {
    let declaring = declaring(&store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    Ok(Reply(corrections::reopen(&store, &actor, declaring).await?))
}

async fn close(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
    Body(because): Body<Because>,
) -> Result<Reply<Declaration>, Problem> {
    let declaring = declaring(&store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    let closed = corrections::close(&store, &actor, declaring, &because.reason).await?;
    site.anew.judge_placed(declaring.employer, declaring.year, Cause::Claim);
    Ok(Reply(closed))
}

async fn settle(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
    Body(because): Body<Because>,
) -> Result<Reply<Settled>, Problem> {
    let declaring = declaring(&store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    let settled = follow(&store, &actor, declaring, &because.reason).await?;
    site.anew.judge_placed(declaring.employer, declaring.year, Cause::Claim);
    Ok(Reply(settled))
}
