//! The public check of certification documents: `POST /api/v1/certification-checks` for programs, `/check` for people.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::{FormRejection, JsonRejection};
use axum::extract::{Form, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Site;
use super::asker::Address;
use super::limiter::{Allowance, Limiter};
use super::pages::{Shown, check_page};
use super::problem::Problem;
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

/// What is on the paper.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paper {
    number: String,
    code: String,
}

/// What number and code lead to: what is printed, and whether it is in force.
#[derive(Serialize)]
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

/// Whoever asks too often is told how long to wait.
fn too_many(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + 1;
    let detail = format!("too many checks; try again in {seconds} s");
    let detail_zh = format!("查询过于频繁，请{seconds}秒后再试。");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail, detail_zh)
        .with(header::RETRY_AFTER, HeaderValue::from(seconds))
}

/// The same whatever of the two is wrong.
fn no_such_document() -> Problem {
    let detail = "there is no document with this number and this code";
    Problem::new(StatusCode::NOT_FOUND, "no_such_document", detail, "编号与校验码不符，未找到该认定书。")
}

async fn find(site: &Site, paper: &Paper) -> Result<Option<Issued>, DocumentError> {
    check(&site.store, &paper.number, &paper.code).await
}

pub(super) async fn check_by_program(
    State(site): State<Site>,
    Address(address): Address,
    paper: Result<Json<Paper>, JsonRejection>,
) -> Result<Json<Checked>, Problem> {
    site.checks.take(address, Instant::now()).map_err(too_many)?;
    let Json(paper) = paper.map_err(|_| {
        let detail = "accepted is `{\"number\": …, \"code\": …}` as application/json";
        Problem::bad_request("bad_request", detail, "请求内容须包含编号与校验码。")
    })?;
    let found = find(&site, &paper).await.map_err(|error| Problem::failed(&error))?;
    found.map(|issued| Json(issued.into())).ok_or_else(no_such_document)
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
