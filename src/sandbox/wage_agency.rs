//! The tax bureau's withholding data: wages over JSON pages with cursors, in its own field names, for holders of its token.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::DateTime;
use serde::{Deserialize, Serialize};

use super::province::Province;
use super::rows::WageRow;
use super::shelf::{self, ByPerson, Wanted};

/// Rows of a page where nothing is asked, and at most.
const PAGE: usize = 1000;
const LARGEST_PAGE: usize = 10_000;

struct Agency {
    province: Arc<Province>,
    token: String,
    by_person: ByPerson,
}

/// `GET /tax/v1/wages` and `POST /tax/v1/wages/query`.
pub fn router(province: Arc<Province>, token: &str) -> Router {
    let agency = Agency { province, token: token.to_owned(), by_person: ByPerson::default() };
    Router::new()
        .route("/tax/v1/wages", get(list))
        .route("/tax/v1/wages/query", post(query))
        .with_state(Arc::new(agency))
}

#[derive(Deserialize)]
struct ListQuery {
    cursor: Option<String>,
    #[serde(alias = "page_size")]
    limit: Option<usize>,
    /// RFC 3339; rows stamped then or later.
    since: Option<String>,
}

#[derive(Deserialize)]
struct PersonQuery {
    zjhm: String,
}

#[derive(Serialize)]
struct Answer {
    data: Data,
    total: usize,
}

#[derive(Serialize)]
struct Data {
    rows: Vec<Row>,
    next: Option<String>,
}

/// A record as the bureau writes it; what is empty is left out.
#[derive(Serialize)]
struct Row {
    /// 记录编号
    jlbh: String,
    /// 更新时间
    gxsj: String,
    /// 删除标志
    scbz: &'static str,
    /// 证件号码
    #[serde(skip_serializing_if = "String::is_empty")]
    zjhm: String,
    /// 姓名
    #[serde(skip_serializing_if = "String::is_empty")]
    xm: String,
    /// 纳税人识别号
    #[serde(skip_serializing_if = "String::is_empty")]
    nsrsbh: String,
    /// 税款所属期
    #[serde(skip_serializing_if = "String::is_empty")]
    skssq: String,
    /// 收入额
    #[serde(skip_serializing_if = "String::is_empty")]
    srje: String,
    /// 支付日期
    #[serde(skip_serializing_if = "String::is_empty")]
    zfrq: String,
}

impl Agency {
    fn row(&self, row: &WageRow) -> Row {
        let text = self.province.wage_text(row);
        Row {
            jlbh: text.record_id,
            gxsj: text.updated_at,
            scbz: if text.deleted { "1" } else { "0" },
            zjhm: text.id_number,
            xm: text.name,
            nsrsbh: text.payer_uscc,
            skssq: text.period.replace('-', ""),
            srje: text.amount,
            zfrq: text.paid_on,
        }
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        given.and_then(|value| value.strip_prefix("Bearer ")) == Some(self.token.as_str())
    }
}

async fn list(State(agency): State<Arc<Agency>>, headers: HeaderMap, Query(query): Query<ListQuery>) -> Response {
    if !agency.knows(&headers) {
        return refuse(StatusCode::UNAUTHORIZED, "bearer token required");
    }
    let from = query.cursor.filter(|cursor| !cursor.is_empty());
    let Ok(from) = from.map_or(Ok(0), |cursor| cursor.parse::<usize>()) else {
        return refuse(StatusCode::BAD_REQUEST, "cursor is not one of ours");
    };
    let since_s = match query.since.as_deref().map(since_s) {
        Some(None) => return refuse(StatusCode::BAD_REQUEST, "since is not an instant"),
        since_s => since_s.flatten(),
    };
    let limit = query.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let wages = &agency.province.wages;
    let found = shelf::page(wages, Wanted { from, limit, since_s });
    Json(Answer {
        data: Data {
            rows: found.rows.into_iter().map(|row| agency.row(row)).collect(),
            next: found.next.map(|place| place.to_string()),
        },
        total: shelf::count(wages, since_s),
    })
    .into_response()
}

async fn query(State(agency): State<Arc<Agency>>, headers: HeaderMap, Json(query): Json<PersonQuery>) -> Response {
    if !agency.knows(&headers) {
        return refuse(StatusCode::UNAUTHORIZED, "bearer token required");
    }
    let rows = agency.by_person.find(&agency.province, &agency.province.wages, &query.zjhm);
    let rows: Vec<Row> = rows.into_iter().map(|row| agency.row(row)).collect();
    Json(Answer { total: rows.len(), data: Data { rows, next: None } }).into_response()
}

/// A watermark in seconds.
pub fn since_s(text: &str) -> Option<u32> {
    // A plus sign that was not escaped in the address arrives as a space.
    let instant = DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok()?;
    Some(u32::try_from(instant.timestamp()).unwrap_or_default())
}

pub fn refuse(status: StatusCode, why: &'static str) -> Response {
    (status, Json(serde_json::json!({ "error": why }))).into_response()
}
