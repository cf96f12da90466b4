//! The road to the tax department and back, where its faults happen; every request is noted with what became of it.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use axum::middleware::Next;
use axum::response::IntoResponse;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::tax::TaxDepartment;
use super::tax_faults::{Asked, Fault, Of, Received, What};

/// A message is about a kilobyte.
const MOST_BYTES: usize = 16 << 20;

pub(super) async fn travel(
    State(department): State<Arc<TaxDepartment>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST_BYTES).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let asked = read(&parts, &body);
    let (number, at, fault) = department.faults.strike(&asked);
    let digest = hex::encode(Sha256::digest(&body));
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    let request = Request::from_parts(parts, Body::from(body));
    let end = match &fault {
        None => End::Answered(answered(next.run(request).await).await),
        Some(fault) => strike(&department, fault, &asked, request, next).await,
    };
    let (status, word) = match &end {
        End::Answered((parts, body)) | End::Cut((parts, body)) => {
            let answer: Value = serde_json::from_slice(body).unwrap_or_default();
            (Some(parts.status.as_u16()), answer["status"].as_str().map(str::to_owned))
        }
        End::Dropped => (None, None),
    };
    department.faults.note(Received {
        number,
        at,
        method,
        path,
        key_id: asked.key_id,
        message_id: asked.message_id,
        digest,
        fault: fault.map(|fault| fault.what),
        status,
        word,
    });
    match end {
        End::Answered((parts, body)) => {
            if asked.of != Of::Any {
                department.faults.swap_former(&body);
            }
            Response::from_parts(parts, Body::from(body))
        }
        End::Cut((parts, body)) => cut(parts, &body),
        End::Dropped => dropped(),
    }
}

type Whole = (axum::http::response::Parts, Bytes);

/// How a request ends.
enum End {
    Answered(Whole),
    /// After half of the answer.
    Cut(Whole),
    /// Without a byte.
    Dropped,
}

fn read(parts: &axum::http::request::Parts, body: &[u8]) -> Asked {
    let key_id = parts.headers.get("x-renzheng-key-id").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let message: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |field: &str| message[field].as_str().map(str::to_owned);
    let of_path = parts.uri.path().strip_prefix("/declarations/").map(str::to_owned);
    let of = match (&parts.method, &of_path) {
        (&Method::POST, _) => Of::Send,
        (&Method::GET, Some(_)) => Of::Ask,
        _ => Of::Any,
    };
    Asked {
        of,
        message_id: of_path.or_else(|| text("message_id")),
        idempotency_key: text("idempotency_key"),
        key_id: key_id.to_owned(),
    }
}

async fn answered(response: Response<Body>) -> Whole {
    let (parts, body) = response.into_parts();
    // the department's own answers are in memory and small
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    (parts, body)
}

async fn strike(department: &TaxDepartment, fault: &Fault, asked: &Asked, request: Request, next: Next) -> End {
    let message_id = asked.message_id.clone().unwrap_or_default();
    let instead = match fault.what {
        What::Down | What::Flapping => return End::Dropped,
        What::OutOfOrder => Some(refuse(fault.status.unwrap_or(503), fault.retry_after_s)),
        What::TooMany => Some(refuse(429, fault.retry_after_s)),
        What::Keys => Some(problem(StatusCode::UNAUTHORIZED, "signature", "unknown key")),
        What::ErrorInside => Some(Json(json!({ "error": { "code": 500, "text": "内部错误" } })).into_response()),
        What::LoginPage => Some(login_page()),
        What::Later => Some(Json(json!({ "status": "later", "message_id": message_id })).into_response()),
        What::PassingRejection => Some(
            Json(json!({ "status": "rejected", "message_id": message_id, "code": "system_busy", "text": "系统繁忙" }))
                .into_response(),
        ),
        What::Rejected => Some(
            Json(json!({
                "status": "rejected", "message_id": message_id, "code": "division_closed", "field": "tax_division", "text": "机关代码已停用",
            }))
            .into_response(),
        ),
        What::Forget => {
            if department.forget_last(fault.messages.unwrap_or(usize::MAX)).is_err() {
                return End::Dropped;
            }
            None
        }
        _ => None,
    };
    if let Some(instead) = instead {
        return End::Answered(answered(instead).await);
    }
    let (parts, body) = answered(next.run(request).await).await;
    match fault.what {
        What::AnswerLost => End::Dropped,
        What::AnswerCut => End::Cut((parts, body)),
        what => End::Answered(answered(spoilt(department, what, parts, body)).await),
    }
}

/// The answer with something wrong in it.
fn spoilt(department: &TaxDepartment, what: What, parts: axum::http::response::Parts, body: Bytes) -> Response<Body> {
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let accepted = answer["status"] == "accepted";
    let with = |field: &str, value: Value| {
        let mut answer = answer.clone();
        answer[field] = value;
        Json(answer).into_response()
    };
    match what {
        What::AnswerRepeated => {
            // that answer is the former one of the next
            let former = department.faults.swap_former(&body).unwrap_or_else(|| body.to_vec());
            Response::from_parts(without_length(parts), Body::from(former))
        }
        What::AnswerStray if answer.is_object() => with("message_id", json!("00000000-0000-7000-8000-000000000000")),
        What::AnswerHuge => with("note", json!("长".repeat(10_000_000 / 3))),
        What::ReceiptWithNul if accepted => with("receipt", json!("36\u{0}2025")),
        What::AnotherDigest | What::AnotherNumber if accepted => with("digest", json!("00".repeat(32))),
        What::UnknownWord if answer.is_object() => with("status", json!("received")),
        What::RevokedLater if accepted => Json(json!({
            "status": "rejected", "message_id": answer["message_id"], "code": "revoked", "text": "已撤销",
        }))
        .into_response(),
        What::AnotherNumber => Json(with_other_numbers(answer)).into_response(),
        _ => Response::from_parts(parts, Body::from(body)),
    }
}

/// A ledger in which every number is one more.
fn with_other_numbers(mut ledger: Value) -> Value {
    for held in ledger["declarations"].as_array_mut().into_iter().flatten() {
        let months = held["message"]["weighted_person_months"].as_u64().unwrap_or_default();
        held["message"]["weighted_person_months"] = json!(months + 1);
    }
    ledger
}

fn problem(status: StatusCode, code: &str, text: &str) -> Response<Body> {
    (status, Json(json!({ "status": "refused", "code": code, "text": text }))).into_response()
}

fn refuse(status: u16, retry_after_s: Option<u64>) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut response = problem(status, "busy", "out of order");
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn login_page() -> Response<Body> {
    let page = "<!DOCTYPE html><html><body><form>请登录 <input name=\"user\"></form></body></html>";
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

fn without_length(mut parts: axum::http::response::Parts) -> axum::http::response::Parts {
    parts.headers.remove(header::CONTENT_LENGTH);
    parts
}

/// Half of the answer goes out before it breaks off.
fn cut(parts: axum::http::response::Parts, body: &Bytes) -> Response<Body> {
    let pieces = [Ok(body.slice(..body.len() / 2)), Err(std::io::Error::other("cut"))];
    let pieces = stream::iter(pieces).then(async |piece| {
        tokio::task::yield_now().await;
        piece
    });
    Response::from_parts(without_length(parts), Body::from_stream(pieces))
}

/// A body that fails at once ends the connection before the head is written.
fn dropped() -> Response<Body> {
    let nothing = stream::iter([Err::<Bytes, _>(std::io::Error::other("dropped"))]);
    Response::new(Body::from_stream(nothing))
}
