//! Who asks, as a token tells it.

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::describe::{Access, operation};
use crate::domain::access::{Role, Scope};
use crate::domain::ids::Uscc;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    ApiRouter::new().api_route(
        "/session",
        get_with(
            read,
            operation("read_session", "session", Access::Token, "Who the token's holder is, and what they reach"),
        ),
    )
}

/// Who holds the token, with what is granted to them today.
#[derive(Serialize, JsonSchema)]
struct Session {
    account: String,
    role: Role,
    /// Units that are acted for; empty for staff.
    units: Vec<Uscc>,
    /// The first digits of the divisions in charge; empty: every one, or units only.
    division: String,
    everything: bool,
}

async fn read(State(site): State<Site>, Holder(actor): Holder) -> Result<Reply<Session>, Problem> {
    let units = match &actor.scope {
        Scope::Units(units) => {
            let mut codes: Vec<Uscc> = site.store.unit_codes(units).await?.into_values().collect();
            codes.sort();
            codes
        }
        Scope::Everything | Scope::Division(_) => Vec::new(),
    };
    let division = match &actor.scope {
        Scope::Division(division) => division.clone(),
        Scope::Everything | Scope::Units(_) => String::new(),
    };
    let everything = actor.scope == Scope::Everything;
    Ok(Reply(Session { account: actor.name, role: actor.role, units, division, everything }))
}
