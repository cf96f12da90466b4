//! Every request has a number, the caller's or ours: it is in the answer and with everything the log says of it.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(super) async fn number(request: Request, next: Next) -> Response {
    let given = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_plain(id));
    let id = given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
    let span = tracing::info_span!("request", id, method = %request.method());
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Whoever numbers requests writes no line of ours: letters, digits and dashes, not many. So an ID number is none either.
fn is_plain(id: &str) -> bool {
    (8..=64).contains(&id.len())
        && id.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'-')
        && !crate::domain::free_text::holds_id_number(id)
}
