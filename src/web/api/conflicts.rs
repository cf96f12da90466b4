//! Months that several employers would count, and for whom staff decide.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Access, operation};
use super::whose::employer;
use crate::declare::conflict::{self, ConflictDecided, Contested, Deciding};
use crate::domain::access::Action;
use crate::domain::facts::PersonId;
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::ruling::PrevailingReason;
use crate::verify::changes::Cause;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, Paging, bad_cursor};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    const TAG: &str = "review";
    let decides = Access::nobody(Action::DecideConflict);
    ApiRouter::new()
        .api_route(
            "/years/{year}/conflicts",
            get_with(
                list,
                operation(
                    "list_conflicts",
                    TAG,
                    Access::nobody(Action::OpenCase),
                    "Contested months with every employer and why it counts; reading is written to the audit log",
                ),
            ),
        )
        .api_route(
            "/conflicts/decision",
            post_with(decide, operation("decide_conflict", TAG, decides, "Decide which employer counts a month")),
        )
        .api_route(
            "/conflicts/undoing",
            post_with(undo, operation("undo_conflict", TAG, decides, "Take such a decision back")),
        )
}

/// A business year.
#[derive(Deserialize, JsonSchema)]
struct InYear {
    #[schemars(range(min = 2000, max = 2100))]
    year: i16,
}

async fn list(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<InYear>,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<Contested>>, Problem> {
    let after: i64 = paging.after()?.unwrap_or(0);
    if after < 0 {
        return Err(bad_cursor());
    }
    // whole persons, of whom each month may be contested
    let persons = (paging.limit()? / 12).max(1) as i64;
    let (items, next) = conflict::list(&site.store, &actor, of.year.into(), PersonId(after), persons).await?;
    Ok(Reply(Page { items, next: next.map(|person| person.0.to_string()) }))
}

/// For whom a month counts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Prevailing {
    person_id: PersonId,
    month: Month,
    /// The employer who prevails
    employer_uscc: Uscc,
    reason: PrevailingReason,
    #[schemars(length(max = 500))]
    note: Option<String>,
}

async fn decide(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Body(prevailing): Body<Prevailing>,
) -> Result<Reply<ConflictDecided>, Problem> {
    let Prevailing { person_id: person, month, employer_uscc, reason, note } = prevailing;
    let employer = employer(&store, &actor, Action::ReadResults, &employer_uscc).await?;
    let deciding = Deciding { person, month, employer, reason, note };
    let decided = conflict::decide(&store, &actor, &deciding).await?;
    site.anew.judge_person(person, month.year(), Cause::Conflict);
    Ok(Reply(decided))
}

/// Which decision is taken back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reconsidered {
    person_id: PersonId,
    month: Month,
    #[schemars(length(max = 500))]
    why: Option<String>,
}

async fn undo(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Body(reconsidered): Body<Reconsidered>,
) -> Result<Reply<ConflictDecided>, Problem> {
    let Reconsidered { person_id: person, month, why } = reconsidered;
    let open = conflict::undo(&store, &actor, person, month, why.as_deref()).await?;
    site.anew.judge_person(person, month.year(), Cause::Conflict);
    Ok(Reply(open))
}
