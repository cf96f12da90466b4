//! How much is answered at once: beyond it reads are turned away first and writes last, at once and with when to come again.

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
/// Of these, reads.
const MOST_READS: usize = 192;
/// How long a request may take in all, the reading of its body included.
const LONGEST: Duration = Duration::from_mins(1);

/// Room for requests.
#[derive(Debug)]
pub(super) struct Load {
    all: Semaphore,
    reads: Semaphore,
}

impl Load {
    pub(super) fn new() -> Arc<Self> {
        Self::of(MOST, MOST_READS)
    }

    pub(super) fn of(all: usize, reads: usize) -> Arc<Self> {
        Arc::new(Self { all: Semaphore::new(all), reads: Semaphore::new(reads) })
    }
}

/// Around everything that asks the database.
pub(super) async fn shed(State(site): State<Site>, request: Request, next: Next) -> Response {
    let reads = request.method() == Method::GET || request.method() == Method::HEAD;
    let _read = match reads.then(|| site.load.reads.try_acquire()) {
        None => None,
        Some(Ok(room)) => Some(room),
        Some(Err(_)) => return overloaded().into_response(),
    };
    let Ok(_room) = site.load.all.try_acquire() else { return overloaded().into_response() };
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
