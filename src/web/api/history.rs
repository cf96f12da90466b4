//! What was declared in earlier years, and the document of a certification.

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Access, operation};
use super::whose::{OfEmployer, OfYear, declaring, employer};
use crate::declare::Declaring;
use crate::declare::certification::{Issued, Names, Shown, find_issued, issue};
use crate::declare::history::{FrozenPerson, PastVersion, list_frozen, list_versions};
use crate::domain::access::Action;
use crate::domain::facts::PersonId;
use crate::domain::ids::Uscc;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, Paging, bad_cursor};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    const TAG: &str = "history";
    let reads = Access::employer(Action::ReadResults);
    let issues = Access::employer(Action::IssueDocument);
    ApiRouter::new()
        .api_route(
            "/employers/{uscc}/history",
            get_with(
                list,
                operation("list_versions", TAG, reads, "Every version an employer completed, the newest first"),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/versions/{version}/persons",
            get_with(frozen, operation("list_frozen_persons", TAG, reads, "Persons and months that a version froze")),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/certification",
            get_with(
                certification,
                operation("read_certification", TAG, issues, "The document of a certification, as it was issued"),
            )
            .post_with(
                issue_certification,
                operation(
                    "issue_certification",
                    TAG,
                    issues,
                    "Issue the document of a certification; issued before, it is the one of then",
                ),
            ),
        )
}

async fn list(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfEmployer>,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<PastVersion>>, Problem> {
    let employer = employer(&site.store, &actor, Action::ReadResults, &of.uscc).await?;
    let limit = paging.limit()?;
    let before = paging.after.as_deref().map(|after| place(after).ok_or_else(bad_cursor)).transpose()?;
    let versions = list_versions(&site.store, &actor, employer, before, limit + 1).await?;
    Ok(Reply(Page::of(versions, limit, |one| format!("{}-{}", one.year, one.version))))
}

/// `2025-2`: a year and a version.
fn place(text: &str) -> Option<(i16, u32)> {
    let (year, version) = text.split_once('-')?;
    let version = version.parse().ok().filter(|version| i32::try_from(*version).is_ok())?;
    Some((year.parse().ok()?, version))
}

/// A version of an employer's year.
#[derive(Deserialize, JsonSchema)]
struct OfVersion {
    /// The employer's unified social credit code
    uscc: Uscc,
    /// Business year
    #[schemars(range(min = 2000, max = 2100))]
    year: i16,
    #[schemars(range(min = 1))]
    version: u16,
}

async fn frozen(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfVersion>,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<FrozenPerson>>, Problem> {
    let employer = employer(&site.store, &actor, Action::ReadResults, &of.uscc).await?;
    let declaring = Declaring { employer, year: of.year.into() };
    let (limit, after) = (paging.limit()?, PersonId(paging.after()?.unwrap_or(0)));
    let persons = list_frozen(&site.store, &actor, declaring, of.version.into(), after, limit + 1).await?;
    Ok(Reply(Page::of(persons, limit, |one| one.person_id.0.to_string())))
}

/// Which document is shown.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WhichDocument {
    /// Of this version; else the one in force
    #[schemars(range(min = 1))]
    version: Option<u16>,
    /// How persons are named: not at all where nothing is said
    names: Option<Shown>,
}

async fn certification(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfYear>,
    Query(asked): Query<WhichDocument>,
) -> Result<Reply<Issued>, Problem> {
    let declaring = declaring(&site.store, &actor, Action::IssueDocument, &of.uscc, of.year).await?;
    let (version, names) = (asked.version.map(u32::from), asked.names.unwrap_or_default());
    Ok(Reply(find_issued(&site.store, &actor, declaring, version, names).await?))
}

/// Which document is issued.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewDocument {
    /// Of this version, if a document was issued of it; else the one in force
    #[schemars(range(min = 1))]
    version: Option<u16>,
    /// How persons are named: not at all where nothing is said; in full needs the right to it, and is written to the audit log
    #[serde(default)]
    names: Names,
}

async fn issue_certification(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
    Body(asked): Body<NewDocument>,
) -> Result<Reply<Issued>, Problem> {
    let declaring = declaring(&store, &actor, Action::IssueDocument, &of.uscc, of.year).await?;
    let version = asked.version.map(u32::from);
    Ok(Reply(issue(&store, &site.reading.policy, &actor, declaring, version, asked.names).await?))
}
