//! What is asked over HTTP: whether the process lives, whether it can work, and figures for a monitor.

mod exposition;
mod metrics;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::errors;
use crate::store::Store;
use crate::store::readiness::Finding;

/// What requests are answered from.
#[derive(Clone, Debug)]
pub struct Site {
    pub store: Store,
}

/// The answer of `/readyz`.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    findings: Vec<Finding>,
}

/// Answers on the listener until `shutdown` is done, and then what was asked before.
pub async fn serve(
    listener: TcpListener,
    site: Site,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router(site)).with_graceful_shutdown(shutdown).await
}

/// Everything that can be asked.
pub fn router(site: Site) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_page))
        .with_state(site)
}

/// 200 if the database answers, its schema is this program's and its keys are ours; else 503. Both say what was found.
async fn readyz(State(site): State<Site>) -> Response {
    let findings = site.store.readiness().await;
    let ready = findings.iter().all(|finding| finding.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, findings })).into_response()
}

/// Figures in the text format of Prometheus; 503 while the database does not give them.
async fn metrics_page(State(site): State<Site>) -> Response {
    match site.store.figures().await {
        Ok(figures) => ([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], metrics::render(&figures)).into_response(),
        Err(error) => {
            tracing::warn!(error = errors::chain(&error), "there are no figures");
            (StatusCode::SERVICE_UNAVAILABLE, "the database gives no figures; /readyz says more\n").into_response()
        }
    }
}
