//! 关联单位: affiliates and dispatch companies of an employer's year.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Access, operation};
use super::whose::{OfAffiliate, OfYear, employer};
use super::why::Why;
use crate::declare::register::affiliate::{AffiliateDeleted, AffiliateEntered, AffiliateForm, AffiliateView};
use crate::declare::register::{Register, Step};
use crate::domain::access::{Action, Denied};
use crate::domain::facts::Relation;
use crate::store::contacts::AffiliateAddress;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, Paging};
use crate::web::precondition::{IfMatch, Tagged};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

const TAG: &str = "affiliates";

pub(super) fn routes() -> ApiRouter<Site> {
    let (read, enter) = (Access::employer(Action::ReadResults), Access::employer(Action::Enter));
    ApiRouter::new()
        .api_route(
            "/employers/{uscc}/years/{year}/affiliates",
            get_with(
                list,
                operation("list_affiliates", TAG, read, "The units that pay in the employer's stead, or dispatch"),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/affiliates/{unit_uscc}",
            get_with(show, operation("read_affiliate", TAG, read, "One unit")).put_with(
                save,
                operation("save_affiliate", TAG, enter, "List a unit, or say anew what is known of it"),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/affiliates/{unit_uscc}/deletions",
            post_with(
                delete,
                operation("delete_affiliate", TAG, enter, "Take a unit off the list, unless a placement uses it"),
            ),
        )
}

/// A unit as it is to stand; its relation stays once a placement uses it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AffiliateSaid {
    #[schemars(length(min = 1, max = 200))]
    unit_name: String,
    relation: Relation,
    #[schemars(length(min = 1, max = 200))]
    address: Option<String>,
    /// 5 to 20 digits.
    phone: Option<String>,
}

async fn list(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfYear>,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<AffiliateView>>, Problem> {
    let employer = employer(&site.store, &actor, Action::ReadResults, &of.uscc).await?;
    let limit = paging.limit()?;
    let register = Register { store: &site.store, policy: &site.reading.policy, actor: &actor };
    let mut listed = register.affiliates(employer, of.year).await?;
    listed.sort_by_key(|one| one.unit_uscc);
    listed.retain(|one| paging.after.as_deref().is_none_or(|after| one.unit_uscc.as_str() > after));
    listed.truncate(limit + 1);
    Ok(Reply(Page::of(listed, limit, |one| one.unit_uscc.to_string())))
}

async fn show(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfAffiliate>,
) -> Result<Tagged<AffiliateView>, Problem> {
    let employer = employer(&site.store, &actor, Action::ReadResults, &of.uscc).await?;
    let register = Register { store: &site.store, policy: &site.reading.policy, actor: &actor };
    let state = register.affiliate_state(employer, of.year, of.unit_uscc).await?.ok_or(Denied::NotFound)?;
    let listed = register.affiliates(employer, of.year).await?;
    let unit = listed.into_iter().find(|one| one.unit_uscc == of.unit_uscc).ok_or(Denied::NotFound)?;
    Ok(Tagged(state, unit))
}

async fn save(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfAffiliate>,
    IfMatch(expected): IfMatch,
    Body(said): Body<AffiliateSaid>,
) -> Result<Reply<AffiliateEntered>, Problem> {
    let form = AffiliateForm {
        employer: employer(&store, &actor, Action::Enter, &of.uscc).await?,
        year: of.year,
        unit: of.unit_uscc,
        name: said.unit_name,
        relation: said.relation,
        address: AffiliateAddress { address: said.address, phone: said.phone },
    };
    let register = Register { store: &store, policy: &site.reading.policy, actor: &actor };
    Ok(Reply(register.save_affiliate(&form, Step::Save(expected)).await?))
}

async fn delete(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfAffiliate>,
    Body(Why { why }): Body<Why>,
) -> Result<Reply<AffiliateDeleted>, Problem> {
    let employer = employer(&store, &actor, Action::Enter, &of.uscc).await?;
    let register = Register { store: &store, policy: &site.reading.policy, actor: &actor };
    Ok(Reply(register.delete_affiliate(employer, of.year, of.unit_uscc, &why).await?))
}
