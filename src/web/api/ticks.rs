//! 勾选申报月份.

use aide::axum::ApiRouter;
use aide::axum::routing::put_with;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Access, operation};
use super::whose::{OfPlacement, declaring};
use crate::declare::tick::{Choosing, Chosen, choose};
use crate::domain::access::Action;
use crate::domain::month::Month;
use crate::verify::changes::Cause;
use crate::web::Site;
use crate::web::input::{Body, Path};
use crate::web::once::Writer;
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    let access = Access::employer(Action::Tick);
    ApiRouter::new().api_route(
        "/employers/{uscc}/years/{year}/placements/{person_id}/ticks",
        put_with(tick, operation("tick", "declaration", access, "Tick or untick months of a placement")),
    )
}

/// What is ticked or unticked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ticks {
    /// Months of the business year.
    #[schemars(length(min = 1, max = 12))]
    months: Vec<Month>,
    ticked: bool,
    /// The unit is being deregistered, and staff tick what is not known yet.
    #[serde(default)]
    deregistering: bool,
}

async fn tick(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfPlacement>,
    Body(ticks): Body<Ticks>,
) -> Result<Reply<Chosen>, Problem> {
    let choosing = Choosing {
        declaring: declaring(&store, &actor, Action::Tick, &of.uscc, of.year).await?,
        person: of.person_id,
        months: ticks.months,
        ticked: ticks.ticked,
        deregisters: ticks.deregistering,
    };
    let chosen = choose(&store, &site.reading.policy, &actor, &choosing).await?;
    if chosen.changed > 0 {
        site.anew.judge_person(choosing.person, choosing.declaring.year, Cause::Choice);
    }
    Ok(Reply(chosen))
}
