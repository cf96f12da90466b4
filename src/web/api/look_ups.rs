//! Whether name, ID number and certificate number belong together in the register, and nothing else.

use aide::axum::ApiRouter;
use aide::axum::routing::post_with;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Access, operation};
use super::placements::id_number;
use super::whose::{OfEmployer, employer};
use crate::declare::register::look_up::{Answer, LookUp};
use crate::declare::register::{Register, RegisterError};
use crate::domain::access::Action;
use crate::web::Site;
use crate::web::input::{Body, Path};
use crate::web::once::Writer;
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    let access = Access::employer(Action::LookUp);
    ApiRouter::new().api_route(
        "/employers/{uscc}/look-ups",
        post_with(
            look_up,
            operation(
                "look_up",
                "placements",
                access,
                "Whether name, ID number and certificate number belong together",
            ),
        ),
    )
}

/// Who is looked up: what their papers say.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LookedUp {
    #[schemars(length(max = 200))]
    name: String,
    #[schemars(length(max = 40))]
    id_number: String,
    #[schemars(length(max = 100))]
    certificate_number: String,
}

async fn look_up(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfEmployer>,
    Body(said): Body<LookedUp>,
) -> Result<Reply<Answer>, Problem> {
    let asked = LookUp {
        employer: employer(&store, &actor, Action::LookUp, &of.uscc).await?,
        name: &said.name,
        id: id_number(&said.id_number)?,
        certificate_number: &said.certificate_number,
        reveal_level: false,
    };
    let register = Register { store: &store, policy: &site.reading.policy, actor: &actor };
    match register.look_up(&asked).await {
        Ok(answer) => Ok(Reply(answer)),
        Err(RegisterError::TooManyMisses(misses)) => {
            let wait = (misses.until() - store.now().await?).num_seconds().max(1);
            let problem = Problem::from(RegisterError::TooManyMisses(misses));
            Err(problem.with(header::RETRY_AFTER, HeaderValue::from(wait)))
        }
        Err(error) => Err(error.into()),
    }
}
