//! The API: what employers' pages, staff, payroll vendors and the tax department ask, and the document that describes it.

mod affiliates;
mod announcements;
mod conflicts;
mod contracts;
mod corrections;
mod declaration;
mod describe;
mod employers;
mod errors;
mod evidence;
mod history;
mod imports;
mod levy;
mod look_ups;
mod notices;
mod objections;
mod operations;
mod outbox;
pub(super) mod person;
mod placements;
mod requests;
mod results;
mod review;
mod rewards;
mod session;
mod subscriptions;
mod ticks;
mod users;
mod verifications;
mod watch;
mod whose;
mod why;

use std::sync::OnceLock;

use aide::axum::ApiRouter;
use aide::generate::in_context;
use aide::openapi::{Info, License, OpenApi, SecurityScheme};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use schemars::generate::SchemaSettings;
use tower_http::compression::{CompressionLayer, CompressionLevel};

pub(super) use describe::operation;
pub use describe::{Access, Whose};

use super::once::once;
use super::problem::Problem;
use super::reply::add_written;
use super::{Site, certification_checks, load, tax_feed};

/// A body of JSON, in bytes; files have limits of their own.
const MOST_BYTES: usize = 1 << 20;

/// Everything under `/api/v1`, and the document of it.
fn described(site: &Site) -> (Router<Site>, OpenApi) {
    in_context(|context| {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        context.schema = settings.into_generator();
    });
    let mut document = OpenApi { info: about(), ..OpenApi::default() };
    let named = ApiRouter::new()
        .merge(session::routes())
        .merge(results::routes())
        .merge(ticks::routes())
        .merge(placements::routes())
        .merge(contracts::routes())
        .merge(affiliates::routes())
        .merge(employers::routes())
        .merge(look_ups::routes())
        .merge(notices::routes())
        .merge(evidence::routes())
        .merge(imports::routes())
        .merge(declaration::routes())
        .merge(requests::routes())
        .merge(corrections::routes())
        .merge(review::routes())
        .merge(conflicts::routes())
        .merge(history::routes())
        .merge(levy::routes())
        .merge(verifications::routes())
        .merge(outbox::routes())
        .merge(operations::routes())
        .merge(watch::routes())
        .merge(users::routes())
        .merge(announcements::routes())
        .merge(rewards::routes())
        .merge(subscriptions::routes())
        .merge(objections::routes());
    let of_holders = named
        .layer(from_fn_with_state(site.clone(), once))
        // these may be repeated as they are, and are never answered but by what is so then
        .merge(levy::calculations())
        .merge(review::seeing())
        // these are known again by what they are about
        .merge(tax_feed::routes())
        .layer(from_fn_with_state(site.clone(), load::shed));
    let every = of_holders.merge(person::routes(site)).merge(certification_checks::routes(site));
    let router = ApiRouter::new().nest("/api/v1", every).finish_api_with(&mut document, |document| {
        let scheme = SecurityScheme::Http {
            scheme: "bearer".to_owned(),
            bearer_format: Some("rz_…".to_owned()),
            description: Some("A token that an operator handed out; it reaches what is granted to its user".to_owned()),
            extensions: [].into(),
        };
        document.security_scheme(describe::TOKEN, scheme)
    });
    add_written(&mut document);
    let router = router
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        // whoever reads an answer shows a token, or papers and a code, which no other site can send along: its length tells nobody else
        // anything; and the line is seldom as dear as the processor
        .layer(CompressionLayer::new().gzip(true).quality(CompressionLevel::Fastest))
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() });
    (router, document)
}

/// Everything under `/api/v1`.
pub(super) fn router(site: &Site) -> Router<Site> {
    described(site).0
}

/// The document of the API, made once.
pub fn document(site: &Site) -> &'static OpenApi {
    static DOCUMENT: OnceLock<OpenApi> = OnceLock::new();
    DOCUMENT.get_or_init(|| described(site).1)
}

fn about() -> Info {
    let description = "Certification of employers' employment of disabled people. Every error is a problem document (RFC 9457) with a stable `code` and a \
                       sentence in English and Chinese. Whatever a repetition would do twice names itself by `Idempotency-Key`. Lists come in pages: \
                       give `next` as `after`. No address holds an ID number; persons are named by `person_id`. What is out of your reach is not found.";
    Info {
        title: "renzheng".to_owned(),
        description: Some(description.to_owned()),
        version: "1".to_owned(),
        license: Some(License { name: "Apache-2.0".to_owned(), ..License::default() }),
        ..Info::default()
    }
}
