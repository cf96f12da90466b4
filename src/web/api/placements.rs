//! 安置信息: placements of an employer's year, one by one, and last year's list.

use std::collections::HashMap;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::describe::{Access, operation};
use super::whose::{OfPlacement, OfYear, employer};
use super::why::Why;
use crate::declare::expected::Expected;
use crate::declare::register::Register;
use crate::declare::register::carry_over::CarriedOver;
use crate::declare::register::placement::{PlacementDeleted, PlacementEntered, PlacementForm, PlacementView, Whom};
use crate::domain::access::{Action, Denied};
use crate::domain::entry::{Education, EducationLevel};
use crate::domain::facts::{PersonId, RetirementTrack, UnitId};
use crate::domain::ids::{ResidentId, Uscc, mask_name};
use crate::store::people::Identity;
use crate::store::{Store, StoreError};
use crate::verify::changes::Cause;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, Paging};
use crate::web::precondition::{IfMatch, Tagged};
use crate::web::problem::{Fault, Problem};
use crate::web::reply::Reply;

const TAG: &str = "placements";
const LIST: &str = "/employers/{uscc}/years/{year}/placements";
const ONE: &str = "/employers/{uscc}/years/{year}/placements/{person_id}";

pub(super) fn routes() -> ApiRouter<Site> {
    let read = Access::employer(Action::ReadResults);
    let enter = Access::employer(Action::Enter);
    let delete = Access::employer(Action::DeletePlacement);
    ApiRouter::new()
        .api_route(
            LIST,
            get_with(list, operation("list_placements", TAG, read, "The placements of a year, by person")).post_with(
                add,
                operation("enter_placement", TAG, enter, "Register a placement of who is not placed yet"),
            ),
        )
        .api_route(
            ONE,
            get_with(show, operation("read_placement", TAG, read, "One placement with its contracts"))
                .put_with(change, operation("change_placement", TAG, enter, "Say anew how a person is placed")),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/placements/{person_id}/deletions",
            post_with(
                delete_one,
                operation("delete_placement", TAG, delete, "Delete a placement with its contracts and ticked months"),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/carry-overs",
            post_with(
                carry_over,
                operation("carry_over", TAG, enter, "Carry the placements of the year before into this year"),
            ),
        )
}

/// A placement with its person as they may be shown.
#[derive(Serialize, JsonSchema)]
struct Placed {
    /// The surname and `*`.
    name: String,
    /// The last four digits.
    id_number: String,
    #[serde(flatten)]
    view: PlacementView,
}

/// Who is to be placed.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "WhoIsPlaced")]
enum Person {
    /// Who matched in a look-up of this employer: its receipt.
    Receipt(String),
    /// Who is not found in the register yet.
    Named {
        /// 18 characters.
        #[schemars(length(max = 40))]
        id_number: String,
        #[schemars(length(min = 1, max = 200))]
        name: String,
    },
}

/// Graduation of a graduate.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Graduation {
    level: EducationLevel,
    #[schemars(length(min = 1, max = 200))]
    school: String,
    graduated_on: NaiveDate,
}

/// How a person is placed: as it is to stand, what is left out included.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Placing {
    /// The dispatch company of a dispatched person; left out: not dispatched.
    dispatch_uscc: Option<Uscc>,
    /// Who pays wages; left out: the employer, as for the other two.
    wage_payer_uscc: Option<Uscc>,
    pension_payer_uscc: Option<Uscc>,
    medical_payer_uscc: Option<Uscc>,
    /// Left out: by the person's sex.
    retirement_track: Option<RetirementTrack>,
    /// Of graduates only.
    education: Option<Graduation>,
}

/// Who is placed, and how.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPlacement {
    person: Person,
    #[serde(default)]
    placing: Placing,
}

impl Placing {
    fn form(self, employer: UnitId, year: i16, whom: Whom<'_>) -> PlacementForm<'_> {
        PlacementForm {
            employer,
            year,
            whom,
            dispatched: self.dispatch_uscc.is_some(),
            dispatch: self.dispatch_uscc,
            wage_payer: self.wage_payer_uscc,
            pension_payer: self.pension_payer_uscc,
            medical_payer: self.medical_payer_uscc,
            track: self.retirement_track,
            education: self.education.map(|Graduation { level, school, graduated_on }| Education {
                level,
                school: school.trim().to_owned(),
                graduated_on,
            }),
        }
    }
}

/// An ID number of a body; what is wrong with it is told without it.
pub(super) fn id_number(text: &str) -> Result<ResidentId, Problem> {
    ResidentId::parse(text).map_err(|error| {
        let (detail, detail_zh) = (format!("`id_number` is no ID number: {error}"), "身份证号不正确。".to_owned());
        let fault = Fault {
            field: Some("id_number".to_owned()),
            code: "malformed".to_owned(),
            detail: detail.clone(),
            detail_zh: detail_zh.clone(),
        };
        Problem::unprocessable("malformed", detail, detail_zh).listing([fault])
    })
}

/// The placements with their persons masked.
async fn shown(store: &Store, views: Vec<PlacementView>) -> Result<Vec<Placed>, StoreError> {
    let persons: Vec<PersonId> = views.iter().map(|view| view.person).collect();
    let known: HashMap<PersonId, Identity> = store.identities(&persons).await?;
    let placed = views.into_iter().map(|view| {
        let person = known.get(&view.person);
        let (name, id_number) = person.map(|person| (mask_name(&person.name), person.id.masked())).unwrap_or_default();
        Placed { name, id_number, view }
    });
    Ok(placed.collect())
}

async fn list(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfYear>,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<Placed>>, Problem> {
    let employer = employer(&site.store, &actor, Action::ReadResults, &of.uscc).await?;
    let (limit, after) = (paging.limit()?, paging.after::<i64>()?.unwrap_or(0));
    let register = Register { store: &site.store, policy: &site.reading.policy, actor: &actor };
    let mut views = register.placements(employer, of.year, None).await?;
    views.retain(|view| view.person.0 > after);
    views.truncate(limit + 1);
    let placed = shown(&site.store, views).await?;
    Ok(Reply(Page::of(placed, limit, |placed| placed.view.person.0.to_string())))
}

async fn show(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfPlacement>,
) -> Result<Tagged<Placed>, Problem> {
    let employer = employer(&site.store, &actor, Action::ReadResults, &of.uscc).await?;
    let register = Register { store: &site.store, policy: &site.reading.policy, actor: &actor };
    // the tag first: what changes in between is refused later, and not overwritten
    let state = register.placement_state(employer, of.year, of.person_id).await?.ok_or(Denied::NotFound)?;
    let views = register.placements(employer, of.year, Some(of.person_id)).await?;
    let placed = shown(&site.store, views).await?.into_iter().next().ok_or(Denied::NotFound)?;
    Ok(Tagged(state, placed))
}

async fn add(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
    Body(NewPlacement { person, placing }): Body<NewPlacement>,
) -> Result<Reply<PlacementEntered>, Problem> {
    let employer = employer(&store, &actor, Action::Enter, &of.uscc).await?;
    let whom = match &person {
        Person::Receipt(receipt) => Whom::Receipt(receipt),
        Person::Named { id_number: number, name } => Whom::Named { id: id_number(number)?, name },
    };
    let register = Register { store: &store, policy: &site.reading.policy, actor: &actor };
    let entered = register.enter_over(&placing.form(employer, of.year, whom), Expected::Absent).await?;
    site.anew.judge_person(entered.person, of.year.into(), Cause::Entry);
    Ok(Reply(entered))
}

async fn change(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfPlacement>,
    IfMatch(expected): IfMatch,
    Body(placing): Body<Placing>,
) -> Result<Reply<PlacementEntered>, Problem> {
    let employer = employer(&store, &actor, Action::Enter, &of.uscc).await?;
    let register = Register { store: &store, policy: &site.reading.policy, actor: &actor };
    let form = placing.form(employer, of.year, Whom::Placed(of.person_id));
    let entered = register.enter_over(&form, expected).await?;
    site.anew.judge_person(of.person_id, of.year.into(), Cause::Entry);
    Ok(Reply(entered))
}

async fn delete_one(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfPlacement>,
    Body(Why { why }): Body<Why>,
) -> Result<Reply<PlacementDeleted>, Problem> {
    let employer = employer(&store, &actor, Action::DeletePlacement, &of.uscc).await?;
    let register = Register { store: &store, policy: &site.reading.policy, actor: &actor };
    let deleted = register.delete_placement(employer, of.year, of.person_id, &why).await?;
    site.anew.judge_person(of.person_id, of.year.into(), Cause::Entry);
    Ok(Reply(deleted))
}

async fn carry_over(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
) -> Result<Reply<CarriedOver>, Problem> {
    let employer = employer(&store, &actor, Action::Enter, &of.uscc).await?;
    let register = Register { store: &store, policy: &site.reading.policy, actor: &actor };
    let carried = register.carry_over(employer, of.year).await?;
    site.anew.judge_placed(employer, of.year.into(), Cause::Entry);
    Ok(Reply(carried))
}
