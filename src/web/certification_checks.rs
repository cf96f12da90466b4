//! The public check of certification documents: `POST /api/v1/certification-checks` for programs, `/check` for people.

use std::convert::Infallible;
use std::time::Duration;

use aide::axum::ApiRouter;
use aide::axum::routing::post_with;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Form, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Site;
use super::api::{Access, operation};
use super::door::{Door, Refusal, through};
use super::input::{Body, has_control_sign};
use super::limiter::{Allowance, Limiter};
use super::pages::{Shown, check_page};
use super::problem::Problem;
use super::reply::Reply;
use crate::declare::certification::{DocumentError, Issued, check};
use crate::domain::certification_document::{CertificationDocument, Validity};

/// A request has a number and a code, no more.
const MOST_BYTES: usize = 4 << 10;

/// One address looks at a few documents, the networks of one subscriber at more; all of them together at so many that it takes a crowd.
pub(super) fn limiter() -> Limiter {
    let of_one = Allowance { requests: 10, per: Duration::from_mins(1) };
    let of_network = Allowance { requests: 60, per: Duration::from_mins(1) };
    let of_all = Allowance { requests: 6000, per: Duration::from_mins(1) };
    Limiter::new(of_one, of_network, of_all)
}

/// For programs.
pub(super) fn routes(site: &Site) -> ApiRouter<Site> {
    let summary = "Whether a certification document is ours and in force, by the number and the code on it";
    ApiRouter::new()
        .api_route(
            "/certification-checks",
            post_with(check_by_program, operation("check_certification", "certification", Access::Open, summary)),
        )
        .layer(from_fn_with_state(Door::new(site, &site.checks), through))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
}

/// For people.
pub(super) fn page(site: &Site) -> MethodRouter<Site> {
    get(form)
        .post(check_by_form)
        .layer::<_, Infallible>(from_fn_with_state(Door::new(site, &site.checks).refusing_by(refused), through))
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
    paper: Result<Body<Paper>, Problem>,
) -> Result<Reply<Checked>, Problem> {
    let Body(paper) = paper.map_err(|_| {
        let detail = "accepted is `{\"number\": …, \"code\": …}` as application/json";
        Problem::bad_request("bad_request", detail, "请求内容须包含编号与校验码。")
    })?;
    let found = find(&site, &paper).await.map_err(|error| Problem::failed(&error))?;
    found.map(|issued| Reply(issued.into())).ok_or_else(no_such_document)
}

async fn form() -> Html<String> {
    Html(check_page("", &Shown::Nothing))
}

fn answer(status: StatusCode, number: &str, shown: &Shown<'_>) -> Response {
    (status, Html(check_page(number, shown))).into_response()
}

/// Why nobody is let in, as the page says it.
fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::TooMany(wait) => {
            let seconds = wait.as_secs() + 1;
            let mut response = answer(StatusCode::TOO_MANY_REQUESTS, "", &Shown::TooMany { seconds });
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        Refusal::Unread(_) => answer(StatusCode::BAD_REQUEST, "", &Shown::NotFound),
        Refusal::Full => answer(StatusCode::SERVICE_UNAVAILABLE, "", &Shown::Failed),
    }
}

async fn check_by_form(State(site): State<Site>, paper: Result<Form<Paper>, FormRejection>) -> Response {
    let Ok(Form(paper)) = paper else { return answer(StatusCode::BAD_REQUEST, "", &Shown::NotFound) };
    if has_control_sign(&paper.number) || has_control_sign(&paper.code) {
        return answer(StatusCode::NOT_FOUND, "", &Shown::NotFound);
    }
    match find(&site, &paper).await {
        Ok(Some(issued)) => answer(StatusCode::OK, &paper.number, &Shown::Document(&issued)),
        Ok(None) => answer(StatusCode::NOT_FOUND, &paper.number, &Shown::NotFound),
        Err(error) => {
            drop(Problem::failed(&error));
            answer(StatusCode::SERVICE_UNAVAILABLE, &paper.number, &Shown::Failed)
        }
    }
}
