//! How much is answered at once: beyond it those who only `GET` are turned away first and all others last, at once and with when to come
//! again. Strangers have a room of their own.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Site;
use super::problem::Problem;

/// Requests that are worked on at once, at most.
const MOST: usize = 256;
/// Of these, `GET`.
const MOST_READS: usize = 192;
/// Besides these, requests of whoever shows no token.
const MOST_OF_STRANGERS: usize = 32;
/// How long a request may take in all, the reading of its body included.
const LONGEST: Duration = Duration::from_mins(1);

/// Room for requests.
#[derive(Debug)]
pub(super) struct Load {
    all: Semaphore,
    reads: Semaphore,
    pub(super) of_strangers: Semaphore,
}

impl Load {
    pub(super) fn new() -> Arc<Self> {
        let (all, reads) = (Semaphore::new(MOST), Semaphore::new(MOST_READS));
        Arc::new(Self { all, reads, of_strangers: Semaphore::new(MOST_OF_STRANGERS) })
    }
}

/// Around everything that the holder of a token asks.
pub(super) async fn shed(State(site): State<Site>, request: Request, next: Next) -> Response {
    let reads = request.method() == Method::GET || request.method() == Method::HEAD;
    let _read = match reads.then(|| site.load.reads.try_acquire()) {
        None => None,
        Some(Ok(room)) => Some(room),
        Some(Err(_)) => return overloaded().into_response(),
    };
    let Ok(_room) = site.load.all.try_acquire() else { return overloaded().into_response() };
    in_time(request, next).await
}

pub(super) async fn in_time(request: Request, next: Next) -> Response {
    timeout(LONGEST, next.run(request)).await.unwrap_or_else(|_| too_slow().into_response())
}

pub(super) fn overloaded() -> Problem {
    let detail = "more is asked at once than can be answered; nothing was done, try again in a moment";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail, "当前访问量过大，请稍后再试。")
        .with(header::RETRY_AFTER, HeaderValue::from_static("2"))
}

fn too_slow() -> Problem {
    let detail =
        "the request took too long; a write may be done, repeat it under the same `Idempotency-Key` to hear of it";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_slow", detail, "处理超时，请以相同的幂等键重试。")
        .with(header::RETRY_AFTER, HeaderValue::from_static("5"))
}
