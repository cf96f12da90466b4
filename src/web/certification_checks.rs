//! The public check of certification documents: `POST /api/v1/certification-checks` for programs, `/check` for people.

use std::time::{Duration, Instant};

use aide::axum::ApiRouter;
use aide::axum::routing::post_with;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Form, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Site;
use super::api::{Access, operation};
use super::asker::Address;
use super::input::Body;
use super::limiter::{Allowance, Limiter, too_many};
use super::pages::{Shown, check_page};
use super::problem::Problem;
use super::reply::Reply;
use crate::declare::certification::{DocumentError, Issued, check};
use crate::domain::certification_document::{CertificationDocument, Validity};

/// A request has a number and a code, no more.
pub(super) const MOST_BYTES: usize = 4 << 10;

/// One address looks at a few documents, the networks of one subscriber at more; all of them together at so many that it takes a crowd.
pub(super) fn limiter() -> Limiter {
    let of_one = Allowance { requests: 10, per: Duration::from_mins(1) };
    let of_network = Allowance { requests: 60, per: Duration::from_mins(1) };
    let of_all = Allowance { requests: 6000, per: Duration::from_mins(1) };
    Limiter::new(of_one, of_network, of_all)
}

/// For programs.
pub(super) fn routes() -> ApiRouter<Site> {
    let summary = "Whether a certification document is ours and in force, by the number and the code on it";
    ApiRouter::new()
        .api_route(
            "/certification-checks",
            post_with(check_by_program, operation("check_certification", "certification", Access::Open, summary)),
        )
        .layer(DefaultBodyLimit::max(MOST_BYTES))
}

/// What is on the paper.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Paper {
    number: String,
    code: String,
}

/// What number and code lead to: what is printed, and whether it is in force.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CertificationChecked")]
pub(super) struct Checked {
    #[serde(flatten)]
    document: CertificationDocument,
    validity: Validity,
    validity_zh: String,
    issued_at: String,
}

impl From<Issued> for Checked {
    fn from(issued: Issued) -> Self {
        let Issued { document, validity, issued_at, check_code: _, names: _ } = issued;
        Self { document, validity, validity_zh: validity.chinese(), issued_at }
    }
}

/// The same whatever of the two is wrong.
fn no_such_document() -> Problem {
    let detail = "there is no document with this number and this code";
    Problem::new(StatusCode::NOT_FOUND, "no_such_document", detail, "编号与校验码不符，未找到该认定书。")
}

async fn find(site: &Site, paper: &Paper) -> Result<Option<Issued>, DocumentError> {
    check(&site.store, &paper.number, &paper.code).await
}

async fn check_by_program(
    State(site): State<Site>,
    Address(address): Address,
    paper: Result<Body<Paper>, Problem>,
) -> Result<Reply<Checked>, Problem> {
    site.checks.take(address, Instant::now()).map_err(too_many)?;
    let Body(paper) = paper.map_err(|_| {
        let detail = "accepted is `{\"number\": …, \"code\": …}` as application/json";
        Problem::bad_request("bad_request", detail, "请求内容须包含编号与校验码。")
    })?;
    let found = find(&site, &paper).await.map_err(|error| Problem::failed(&error))?;
    found.map(|issued| Reply(issued.into())).ok_or_else(no_such_document)
}

pub(super) async fn form() -> Html<String> {
    Html(check_page("", &Shown::Nothing))
}

pub(super) async fn check_by_form(
    State(site): State<Site>,
    Address(address): Address,
    paper: Result<Form<Paper>, FormRejection>,
) -> Response {
    let page =
        |status: StatusCode, number: &str, shown: &Shown<'_>| (status, Html(check_page(number, shown))).into_response();
    if let Err(wait) = site.checks.take(address, Instant::now()) {
        let mut response = page(StatusCode::TOO_MANY_REQUESTS, "", &Shown::TooMany { seconds: wait.as_secs() + 1 });
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        return response;
    }
    let Ok(Form(paper)) = paper else { return page(StatusCode::BAD_REQUEST, "", &Shown::NotFound) };
    match find(&site, &paper).await {
        Ok(Some(issued)) => page(StatusCode::OK, &paper.number, &Shown::Document(&issued)),
        Ok(None) => page(StatusCode::NOT_FOUND, &paper.number, &Shown::NotFound),
        Err(error) => {
            drop(Problem::failed(&error));
            page(StatusCode::SERVICE_UNAVAILABLE, &paper.number, &Shown::Failed)
        }
    }
}
