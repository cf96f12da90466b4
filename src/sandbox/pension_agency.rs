//! The social insurance bureau: pension contributions over numbered JSON pages, with the ministry's AA-codes.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::province::Province;
use super::rows::InsuranceRow;
use super::shelf::{self, ByPerson, Shelved};
use super::wage_agency::{refuse, since_s};

const PAGE: usize = 500;
const LARGEST_PAGE: usize = 5000;

struct Agency {
    province: Arc<Province>,
    by_person: ByPerson,
}

/// `GET /si/v1/contributions` and `POST /si/v1/contributions/query`.
pub fn router(province: Arc<Province>) -> Router {
    Router::new()
        .route("/si/v1/contributions", get(list))
        .route("/si/v1/contributions/query", post(query))
        .with_state(Arc::new(Agency { province, by_person: ByPerson::default() }))
}

#[derive(Deserialize)]
struct ListQuery {
    /// From 1.
    page: Option<usize>,
    #[serde(alias = "limit")]
    page_size: Option<usize>,
    since: Option<String>,
}

#[derive(Deserialize)]
struct PersonQuery {
    #[serde(rename = "AAC002")]
    id_number: String,
}

#[derive(Serialize)]
struct Answer {
    code: u8,
    rows: Vec<Row>,
    page: usize,
    pages: usize,
    total: usize,
}

/// A record in the ministry's codes; what is empty is left out.
#[derive(Serialize)]
struct Row {
    #[serde(rename = "AAZ223")]
    record_id: String,
    #[serde(rename = "AAE036")]
    updated_at: String,
    #[serde(rename = "AAE100")]
    in_force: &'static str,
    #[serde(rename = "AAC002", skip_serializing_if = "String::is_empty")]
    id_number: String,
    #[serde(rename = "AAC003", skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(rename = "AAB001", skip_serializing_if = "String::is_empty")]
    insured_uscc: String,
    #[serde(rename = "AAE140", skip_serializing_if = "str::is_empty")]
    insurance: &'static str,
    #[serde(rename = "AAE003", skip_serializing_if = "String::is_empty")]
    period: String,
    #[serde(rename = "AAE078", skip_serializing_if = "String::is_empty")]
    status: String,
    #[serde(rename = "AAE079", skip_serializing_if = "String::is_empty")]
    arrived_on: String,
    #[serde(rename = "AAA115", skip_serializing_if = "str::is_empty")]
    payment: &'static str,
}

impl Agency {
    fn row(&self, row: &InsuranceRow) -> Row {
        let text = self.province.pension_text(row);
        Row {
            record_id: text.record_id,
            updated_at: text.updated_at,
            in_force: if text.deleted { "0" } else { "1" },
            id_number: text.id_number,
            name: text.name,
            insured_uscc: text.insured_uscc,
            insurance: match text.coverage.as_str() {
                "employee" if text.public_sector => "120",
                "employee" => "110",
                "resident" => "170",
                _ => "",
            },
            period: text.period.replace('-', ""),
            status: match text.status.as_str() {
                "paid" => "1".to_owned(),
                "owed" => "2".to_owned(),
                _ => text.status,
            },
            arrived_on: text.arrived_on,
            payment: match text.payment.as_str() {
                "normal" => "10",
                "back_payment" => "31",
                _ => "",
            },
        }
    }
}

async fn list(State(agency): State<Arc<Agency>>, Query(query): Query<ListQuery>) -> Response {
    let page = query.page.unwrap_or(1);
    if page == 0 {
        return refuse(StatusCode::BAD_REQUEST, "pages are numbered from 1");
    }
    let since_s = match query.since.as_deref().map(since_s) {
        Some(None) => return refuse(StatusCode::BAD_REQUEST, "since is not an instant"),
        since_s => since_s.flatten(),
    };
    let size = query.page_size.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let rows = &agency.province.pension;
    let total = shelf::count(rows, since_s);
    let skipped = (page - 1).saturating_mul(size);
    let wanted: Vec<Row> = match since_s {
        None => rows.iter().skip(skipped).take(size).map(|row| agency.row(row)).collect(),
        Some(since_s) => {
            let fitting = rows.iter().filter(|row| row.stamp_s() >= since_s);
            fitting.skip(skipped).take(size).map(|row| agency.row(row)).collect()
        }
    };
    Json(Answer { code: 0, rows: wanted, page, pages: total.div_ceil(size), total }).into_response()
}

async fn query(State(agency): State<Arc<Agency>>, Json(query): Json<PersonQuery>) -> Response {
    let found = agency.by_person.find(&agency.province, &agency.province.pension, &query.id_number);
    let rows: Vec<Row> = found.into_iter().map(|row| agency.row(row)).collect();
    let total = rows.len();
    Json(Answer { code: 0, rows, page: 1, pages: 1, total }).into_response()
}
