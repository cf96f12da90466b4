//! 单位基本信息: an employer's own data, and that they still hold.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, put_with};
use axum::extract::State;
use chrono::Datelike;
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Access, operation};
use super::whose::{OfEmployer, OfYear, employer};
use crate::declare::register::employer::{EmployerView, Jurisdictions};
use crate::declare::register::{Done, Register};
use crate::domain::access::{Action, Denied};
use crate::domain::entry::Contact;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path};
use crate::web::once::Writer;
use crate::web::precondition::{IfMatch, Tagged};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

const TAG: &str = "employer";

pub(super) fn routes() -> ApiRouter<Site> {
    let (read, enter) = (Access::employer(Action::ReadResults), Access::employer(Action::Enter));
    ApiRouter::new()
        .api_route(
            "/employers/{uscc}/years/{year}",
            get_with(
                show,
                operation(
                    "read_employer",
                    TAG,
                    read,
                    "An employer's own data, and whether they are confirmed for the year",
                ),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/confirmation",
            put_with(
                confirm,
                operation(
                    "confirm_employer",
                    TAG,
                    enter,
                    "Say that what is entered of the employer holds for the year",
                ),
            ),
        )
        .api_route(
            "/employers/{uscc}/contact",
            get_with(contact, operation("read_contact", TAG, read, "Who handles the declarations, masked"))
                .put_with(save_contact, operation("save_contact", TAG, enter, "Enter who handles the declarations")),
        )
        .api_route(
            "/employers/{uscc}/jurisdictions",
            get_with(jurisdictions, operation("read_jurisdictions", TAG, read, "The three divisions in charge"))
                .put_with(
                    change_jurisdictions,
                    operation("change_jurisdictions", TAG, enter, "Change the three divisions in charge"),
                ),
        )
}

/// Who handles the declarations, and how they are reached.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ContactSaid {
    #[schemars(length(min = 1, max = 200))]
    handler: String,
    /// 5 to 20 digits.
    phone: String,
    #[schemars(length(min = 1, max = 200))]
    address: String,
    #[schemars(length(max = 254))]
    email: Option<String>,
}

/// Six digits each.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct JurisdictionsSaid {
    #[schemars(length(equal = 6))]
    division: String,
    #[schemars(length(equal = 6))]
    federation_division: String,
    #[schemars(length(equal = 6))]
    tax_division: String,
}

async fn show(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfYear>,
) -> Result<Reply<EmployerView>, Problem> {
    let employer = employer(&site.store, &actor, Action::ReadResults, &of.uscc).await?;
    let register = Register { store: &site.store, policy: &site.reading.policy, actor: &actor };
    Ok(Reply(register.employer(employer, of.year).await?.masked()))
}

async fn confirm(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
) -> Result<Reply<Done>, Problem> {
    let employer = employer(&store, &actor, Action::Enter, &of.uscc).await?;
    let register = Register { store: &store, policy: &site.reading.policy, actor: &actor };
    Ok(Reply(Done { outcome: register.confirm_employer(employer, of.year).await? }))
}

async fn contact(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfEmployer>,
) -> Result<Tagged<Contact>, Problem> {
    let employer = employer(&site.store, &actor, Action::ReadResults, &of.uscc).await?;
    let register = Register { store: &site.store, policy: &site.reading.policy, actor: &actor };
    let state = register.contact_state(employer).await?.ok_or(Denied::NotFound)?;
    let view = register.employer(employer, running(&site).await?).await?.masked();
    Ok(Tagged(state, view.contact.ok_or(Denied::NotFound)?))
}

async fn save_contact(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfEmployer>,
    IfMatch(expected): IfMatch,
    Body(said): Body<ContactSaid>,
) -> Result<Reply<Done>, Problem> {
    let employer = employer(&store, &actor, Action::Enter, &of.uscc).await?;
    let line = |text: String| text.trim().to_owned();
    let contact = Contact {
        handler: line(said.handler),
        phone: line(said.phone),
        address: line(said.address),
        email: said.email.map(line).filter(|email| !email.is_empty()),
    };
    let register = Register { store: &store, policy: &site.reading.policy, actor: &actor };
    Ok(Reply(Done { outcome: register.save_contact_over(employer, &contact, expected).await? }))
}

async fn jurisdictions(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfEmployer>,
) -> Result<Tagged<Jurisdictions>, Problem> {
    let employer = employer(&site.store, &actor, Action::ReadResults, &of.uscc).await?;
    let register = Register { store: &site.store, policy: &site.reading.policy, actor: &actor };
    let state = register.employer_state(employer).await?;
    Ok(Tagged(state, register.employer(employer, running(&site).await?).await?.jurisdictions))
}

async fn change_jurisdictions(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfEmployer>,
    IfMatch(expected): IfMatch,
    Body(said): Body<JurisdictionsSaid>,
) -> Result<Reply<Done>, Problem> {
    let employer = employer(&store, &actor, Action::Enter, &of.uscc).await?;
    let JurisdictionsSaid { division, federation_division, tax_division } = said;
    let wanted = Jurisdictions { division, federation_division, tax_division };
    let register = Register { store: &store, policy: &site.reading.policy, actor: &actor };
    Ok(Reply(Done { outcome: register.change_jurisdictions_over(employer, &wanted, expected).await? }))
}

/// The running business year.
async fn running(site: &Site) -> Result<i16, Problem> {
    Ok(site.store.today().await?.year() as i16)
}
