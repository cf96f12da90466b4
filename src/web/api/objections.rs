//! What persons object to and the answers of staff; the codes by which persons open what is kept of them.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Access, operation};
use crate::declare::objections::{AnswerGiven, Answering, ListedObjection, ShownObjection, answer, list, show};
use crate::declare::person::{IssuedCode, RevokedCode, Whom, issue_code, revoke_code};
use crate::domain::access::Action;
use crate::domain::facts::PersonId;
use crate::domain::objection::Finding;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, Paging};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    const TAG: &str = "objections";
    let (read, code) = (Access::nobody(Action::OpenCase), Access::nobody(Action::IssuePersonCode));
    ApiRouter::new()
        .api_route(
            "/objections",
            get_with(
                list_waiting,
                operation("list_objections", TAG, read, "Objections that wait for an answer, oldest first"),
            ),
        )
        .api_route(
            "/objections/{objection_id}",
            get_with(
                read_one,
                operation("read_objection", TAG, read, "What a person says; that it was read is written to the audit"),
            ),
        )
        .api_route(
            "/objections/{objection_id}/answer",
            post_with(
                reply,
                operation(
                    "answer_objection",
                    TAG,
                    Access::nobody(Action::DecideObjection),
                    "Answer the person, once; no result changes by it",
                ),
            ),
        )
        .api_route(
            "/person-codes",
            post_with(
                issue,
                operation(
                    "issue_person_code",
                    TAG,
                    code,
                    "Make a code for a person who stands before you, shown in the answer, and again for a day; it ends the former",
                ),
            ),
        )
        .api_route(
            "/person-codes/revocations",
            post_with(end_code, operation("revoke_person_code", TAG, code, "End a person's code at once")),
        )
}

#[derive(Deserialize, JsonSchema)]
struct OfObjection {
    objection_id: i64,
}

/// The answer to the person.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewAnswer {
    finding: Finding,
    /// Kept encrypted.
    #[schemars(length(min = 1, max = 1000))]
    text: String,
}

/// A person: one of `person_id` and `id_number`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Person")]
struct Meant {
    person_id: Option<PersonId>,
    /// As the ID card says; that it was looked up is written to the audit.
    #[schemars(length(min = 15, max = 18))]
    id_number: Option<String>,
    /// Written to the audit, without an ID number.
    #[schemars(length(max = 1000))]
    why: Option<String>,
}

impl Meant {
    fn whom(&self) -> Result<Whom<'_>, Problem> {
        match (self.person_id, self.id_number.as_deref()) {
            (Some(person), None) => Ok(Whom::Person(person)),
            (None, Some(id_number)) => Ok(Whom::IdNumber(id_number)),
            _ => {
                let detail = "a person is named by one of `person_id` and `id_number`";
                Err(Problem::unprocessable("one_person", detail, "请以人员编号或身份证号之一指明人员。"))
            }
        }
    }
}

async fn list_waiting(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<ListedObjection>>, Problem> {
    let page = list(&site.store, &actor, paging.after()?, paging.limit()? as u32).await?;
    Ok(Reply(Page { items: page.objections, next: page.next.map(|next| next.to_string()) }))
}

async fn read_one(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfObjection>,
) -> Result<Reply<ShownObjection>, Problem> {
    Ok(Reply(show(&site.store, &actor, of.objection_id).await?))
}

async fn reply(
    Writer { actor, store }: Writer,
    Path(of): Path<OfObjection>,
    Body(new): Body<NewAnswer>,
) -> Result<Reply<AnswerGiven>, Problem> {
    let answering = Answering { objection_id: of.objection_id, finding: new.finding, text: &new.text };
    Ok(Reply(answer(&store, &actor, &answering).await?))
}

async fn issue(Writer { actor, store }: Writer, Body(person): Body<Meant>) -> Result<Reply<IssuedCode>, Problem> {
    let found = person.whom()?.find(&store, &actor).await?;
    Ok(Reply(issue_code(&store, &actor, found, person.why.as_deref()).await?))
}

async fn end_code(Writer { actor, store }: Writer, Body(person): Body<Meant>) -> Result<Reply<RevokedCode>, Problem> {
    let found = person.whom()?.find(&store, &actor).await?;
    Ok(Reply(revoke_code(&store, &actor, found, person.why.as_deref()).await?))
}
