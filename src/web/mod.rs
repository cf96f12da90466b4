//! What is asked over HTTP: the API with the document of it, the tax department's feed and the public check of certification documents
//! among it, whether the process lives, whether it can work, and figures for a monitor.

mod anew;
pub mod api;
mod asker;
mod certification_checks;
mod door;
mod exposition;
mod input;
mod limiter;
mod load;
mod metrics;
mod once;
pub mod pages;
mod paging;
mod precondition;
pub mod problem;
mod protection;
mod reads;
mod reply;
mod request_id;
mod tax_feed;
mod upload;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use aide::openapi::OpenApi;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::anew::Anew;
use self::limiter::Limiter;
use self::load::Load;
use self::problem::Problem;
use self::reads::Reads;
use crate::config::TaxMode;
use crate::declare::evidence::Scanner;
use crate::errors;
use crate::policy::Reading;
use crate::store::Store;
use crate::store::readiness::Finding;

/// What requests are answered from.
#[derive(Clone, Debug)]
pub struct Site {
    store: Store,
    /// The rules as they were read when the process began.
    reading: Arc<Reading>,
    /// How messages reach the tax department: only by `feed` it is handed them here.
    tax_mode: TaxMode,
    /// Whose word is taken for the address of whoever asks.
    trusted_proxies: Arc<[IpAddr]>,
    /// How often strangers may check documents: counted by each process for itself.
    checks: Arc<Limiter>,
    /// How often persons may show their papers: likewise.
    openings: Arc<Limiter>,
    /// Subscribed programs may be on this machine.
    allow_loopback: bool,
    load: Arc<Load>,
    reads: Arc<Reads>,
    anew: Arc<Anew>,
    /// Looks at files that come in.
    scanner: Option<Scanner>,
}

impl Site {
    pub fn new(store: Store, reading: Reading) -> Self {
        let (checks, openings) = (Arc::new(certification_checks::limiter()), Arc::new(api::person::limiter()));
        let (reading, tax_mode) = (Arc::new(reading), TaxMode::Push);
        Self {
            store,
            reading,
            tax_mode,
            trusted_proxies: Arc::from([]),
            checks,
            openings,
            allow_loopback: false,
            load: Load::new(),
            reads: Arc::default(),
            anew: Arc::default(),
            scanner: None,
        }
    }

    /// Where messages reach the tax department in this way.
    #[must_use]
    pub fn handing_over_by(self, tax_mode: TaxMode) -> Self {
        Self { tax_mode, ..self }
    }

    /// With a virus scanner, where one is set.
    #[must_use]
    pub fn scanning_by(self, scanner: Option<Scanner>) -> Self {
        Self { scanner, ..self }
    }

    /// Where subscribed programs may be on this machine, or not.
    #[must_use]
    pub fn allowing_loopback(self, allow_loopback: bool) -> Self {
        Self { allow_loopback, ..self }
    }

    /// Behind these proxies.
    #[must_use]
    pub fn behind(self, proxies: &[IpAddr]) -> Self {
        Self { trusted_proxies: proxies.into(), ..self }
    }
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
    let stop = CancellationToken::new();
    // each by itself: what breaks one does not end the other
    let writing = tokio::spawn({
        let (site, stop) = (site.clone(), stop.clone());
        async move { site.reads.keep_writing(&site.store, &stop).await }
    });
    let judging = tokio::spawn({
        let (site, stop) = (site.clone(), stop.clone());
        async move { site.anew.keep_judging(&site.store, &site.reading, &stop).await }
    });
    let service = router(site).into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service).with_graceful_shutdown(shutdown).await;
    stop.cancel();
    if writing.await.is_err() {
        tracing::error!("what was read last may be missing in the audit");
    }
    if judging.await.is_err() {
        tracing::error!("whoever was touched last is judged by night");
    }
    served
}

/// Everything that can be asked.
pub fn router(site: Site) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_page))
        .merge(api::router(&site))
        .route("/api/openapi.json", get(openapi))
        .route("/check", certification_checks::page(&site))
        .fallback(|| async { Problem::not_found() })
        .layer(from_fn(protection::protect))
        .layer(from_fn(request_id::number))
        .with_state(site)
}

/// The document of the API, for whoever asks.
async fn openapi(State(site): State<Site>) -> Json<&'static OpenApi> {
    Json(api::document(&site))
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
        Ok(figures) => {
            ([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], metrics::render(&figures, site.anew.waiting()))
                .into_response()
        }
        Err(error) => {
            tracing::warn!(error = errors::chain(&error), "there are no figures");
            (StatusCode::SERVICE_UNAVAILABLE, "the database gives no figures; /readyz says more\n").into_response()
        }
    }
}
