//! The door for whoever shows no token: counted by their address before anything they say is read, given a moment to say it, and only then
//! given one of a few rooms. So whoever is slow holds up nobody but themselves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::Site;
use super::asker::Address;
use super::input::broken_off;
use super::limiter::{Limiter, too_many};
use super::load::{in_time, overloaded};
use super::problem::Problem;

/// How long a body may take to come: what strangers say is short.
const LONGEST: Duration = Duration::from_secs(10);

/// A door with a count of its own.
#[derive(Clone)]
pub(super) struct Door {
    site: Site,
    limiter: Arc<Limiter>,
    refuse: fn(&Refusal) -> Response,
}

/// Why nobody is let in.
pub(super) enum Refusal {
    /// They are to come again after so long.
    TooMany(Duration),
    /// What they say did not come, or is too long.
    Unread(Problem),
    Full,
}

impl Refusal {
    fn told(&self) -> Response {
        match self {
            Self::TooMany(wait) => too_many(*wait).into_response(),
            Self::Unread(problem) => problem.clone().into_response(),
            Self::Full => overloaded().into_response(),
        }
    }
}

impl Door {
    /// For programs.
    pub(super) fn new(site: &Site, limiter: &Arc<Limiter>) -> Self {
        Self { site: site.clone(), limiter: limiter.clone(), refuse: Refusal::told }
    }

    /// Which says why in its own way.
    pub(super) fn refusing_by(self, refuse: fn(&Refusal) -> Response) -> Self {
        Self { refuse, ..self }
    }
}

/// Before everything that a stranger may post. A limit of the body is set around it.
pub(super) async fn through(State(door): State<Door>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        // nothing is done here by anything else
        return next.run(request).await;
    }
    match read(&door, request).await {
        Err(refusal) => (door.refuse)(&refusal),
        Ok(request) => match door.site.load.of_strangers.try_acquire() {
            Ok(_room) => in_time(request, next).await,
            Err(_) => (door.refuse)(&Refusal::Full),
        },
    }
}

/// The request with its whole body.
async fn read(door: &Door, request: Request) -> Result<Request, Refusal> {
    let (mut parts, body) = request.into_parts();
    let Ok(Address(address)) = Address::from_request_parts(&mut parts, &door.site).await;
    door.limiter.take(address, Instant::now()).map_err(Refusal::TooMany)?;
    let reading = Bytes::from_request(Request::from_parts(parts.clone(), body), &());
    let read = timeout(LONGEST, reading).await.map_err(|_| Refusal::Unread(too_slow()))?;
    let read = read.map_err(|rejection| Refusal::Unread(broken_off(&rejection)))?;
    Ok(Request::from_parts(parts, Body::from(read)))
}

fn too_slow() -> Problem {
    let detail = format!("the body did not come within {} s; nothing was done", LONGEST.as_secs());
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail, "请求内容未及时到达，请重试。")
        .with(header::CONNECTION, HeaderValue::from_static("close"))
}
