//! 合同管理: contracts of a placement, and the side that a dispatch agreement lets count a dispatched person.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Access, operation};
use super::whose::{OfContract, OfPlacement, employer};
use super::why::Why;
use crate::declare::register::contract::{ContractDeleted, ContractEntered, ContractForm};
use crate::declare::register::placement::{ContractView, Terms};
use crate::declare::register::{Register, Step};
use crate::domain::access::{Action, Denied};
use crate::domain::entry::CountedBy;
use crate::domain::money::Fen;
use crate::verify::changes::Cause;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path};
use crate::web::once::Writer;
use crate::web::paging::Page;
use crate::web::precondition::{IfMatch, Tagged};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

const TAG: &str = "contracts";
const LIST: &str = "/employers/{uscc}/years/{year}/placements/{person_id}/contracts";
const ONE: &str = "/employers/{uscc}/years/{year}/placements/{person_id}/contracts/{kind}/{starts_on}";

pub(super) fn routes() -> ApiRouter<Site> {
    let (read, enter) = (Access::employer(Action::ReadResults), Access::employer(Action::Enter));
    ApiRouter::new()
        .api_route(LIST, get_with(list, operation("list_contracts", TAG, read, "The contracts of a placement")))
        .api_route(
            ONE,
            get_with(show, operation("read_contract", TAG, read, "One contract"))
                .put_with(save, operation("save_contract", TAG, enter, "Add a contract, or say anew what it says")),
        )
        .api_route(
            &format!("{ONE}/terminations"),
            post_with(
                terminate,
                operation("terminate_contract", TAG, enter, "Say on which day a contract was terminated"),
            ),
        )
        .api_route(
            &format!("{ONE}/deletions"),
            post_with(
                delete,
                operation("delete_contract", TAG, enter, "Delete a contract that was entered by mistake"),
            ),
        )
}

/// What a contract says: as it is to stand, what is left out included.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ContractSaid {
    /// Its last day; left out: without end.
    ends_on: Option<NaiveDate>,
    terminated_on: Option<NaiveDate>,
    #[schemars(length(min = 1, max = 200))]
    post: Option<String>,
    monthly_pay: Option<Fen>,
    /// Of a dispatched person: the side that the dispatch agreement lets count. Left out: what was entered stays.
    counted_by: Option<CountedBy>,
}

/// When a contract ended before its end.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Termination {
    /// The last day.
    terminated_on: NaiveDate,
}

async fn list(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfPlacement>,
) -> Result<Reply<Page<ContractView>>, Problem> {
    let employer = employer(&site.store, &actor, Action::ReadResults, &of.uscc).await?;
    let register = Register { store: &site.store, policy: &site.reading.policy, actor: &actor };
    let placed = register.placements(employer, of.year, Some(of.person_id)).await?.into_iter().next();
    Ok(Reply(Page::whole(placed.ok_or(Denied::NotFound)?.contracts)))
}

async fn show(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfContract>,
) -> Result<Tagged<ContractView>, Problem> {
    let key = of.key(&site.store, &actor, Action::ReadResults).await?;
    let register = Register { store: &site.store, policy: &site.reading.policy, actor: &actor };
    let state = register.contract_state(&key).await?.ok_or(Denied::NotFound)?;
    let placed = register.placements(key.employer, key.year, Some(key.person)).await?.into_iter().next();
    let mut contracts = placed.ok_or(Denied::NotFound)?.contracts.into_iter();
    let contract = contracts.find(|one| one.kind == key.kind && one.starts_on == key.starts_on);
    Ok(Tagged(state, contract.ok_or(Denied::NotFound)?))
}

async fn save(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfContract>,
    IfMatch(expected): IfMatch,
    Body(said): Body<ContractSaid>,
) -> Result<Reply<ContractEntered>, Problem> {
    let form = ContractForm {
        key: of.key(&store, &actor, Action::Enter).await?,
        ends_on: said.ends_on,
        terminated_on: said.terminated_on,
        terms: Terms { post: said.post, monthly_pay: said.monthly_pay },
        counted_by: said.counted_by,
    };
    let register = Register { store: &store, policy: &site.reading.policy, actor: &actor };
    let entered = register.save_contract(&form, Step::Save(expected)).await?;
    site.anew.judge_person(of.person_id, of.year.into(), Cause::Entry);
    Ok(Reply(entered))
}

async fn terminate(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfContract>,
    Body(Termination { terminated_on }): Body<Termination>,
) -> Result<Reply<ContractEntered>, Problem> {
    let key = of.key(&store, &actor, Action::Enter).await?;
    let register = Register { store: &store, policy: &site.reading.policy, actor: &actor };
    let terminated = register.terminate_contract(&key, terminated_on).await?;
    site.anew.judge_person(of.person_id, of.year.into(), Cause::Entry);
    Ok(Reply(terminated))
}

async fn delete(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfContract>,
    Body(Why { why }): Body<Why>,
) -> Result<Reply<ContractDeleted>, Problem> {
    let key = of.key(&store, &actor, Action::Enter).await?;
    let register = Register { store: &store, policy: &site.reading.policy, actor: &actor };
    let deleted = register.delete_contract(&key, &why).await?;
    site.anew.judge_person(of.person_id, of.year.into(), Cause::Entry);
    Ok(Reply(deleted))
}
