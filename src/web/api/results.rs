//! Stored results and the evidence behind them.

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use axum::extract::State;

use super::describe::{Access, operation};
use super::whose::{OfMonth, OfYear, employer};
use crate::domain::access::{Action, Denied, Owner};
use crate::domain::facts::PersonId;
use crate::verify::explain::{Asked, Explanation, explain};
use crate::verify::grid::{GridLine, grid};
use crate::web::Site;
use crate::web::asker::Reader;
use crate::web::input::{Path, Query};
use crate::web::paging::{Page, Paging, bad_cursor};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    const TAG: &str = "results";
    let access = Access::employer(Action::ReadResults);
    ApiRouter::new()
        .api_route(
            "/employers/{uscc}/years/{year}/results",
            get_with(list, operation("list_results", TAG, access, "An employer's grid: persons, months, checks")),
        )
        .api_route(
            "/employers/{uscc}/persons/{person_id}/months/{month}/explanation",
            get_with(explained, operation("explain", TAG, access, "The evidence behind every check of one month")),
        )
}

async fn list(
    State(site): State<Site>,
    Reader { actor, at }: Reader,
    Path(of): Path<OfYear>,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<GridLine>>, Problem> {
    let limit = paging.limit()?;
    let after: i64 = paging.after()?.unwrap_or(0);
    if after < 0 {
        return Err(bad_cursor());
    }
    let may_see = |owner: Owner<'_>| Ok::<_, Problem>(actor.may(Action::ReadResults, owner)?);
    let found = grid(&site.store, (&of.uscc, of.year.into()), PersonId(after), limit + 1, may_see).await?;
    let lines = found.ok_or(Denied::NotFound)?;
    let object = format!("results {}: employer {}", of.year, of.uscc);
    site.reads.note(at, &actor, Action::ReadResults, object)?;
    Ok(Reply(Page::of(lines, limit, |line| line.person_id.0.to_string())))
}

async fn explained(
    State(site): State<Site>,
    Reader { actor, at }: Reader,
    Path(of): Path<OfMonth>,
) -> Result<Reply<Explanation>, Problem> {
    let employer = employer(&site.store, &actor, Action::ReadResults, &of.uscc).await?;
    let asked = Asked { employer, person: of.person_id, month: of.month, reveal: false };
    let explanation = explain(&site.store, &site.reading, asked).await?.ok_or(Denied::NotFound)?;
    let object = format!("explanation {}: employer {}, person {}", of.month, of.uscc, of.person_id.0);
    site.reads.note(at, &actor, Action::ReadResults, object)?;
    Ok(Reply(explanation))
}
