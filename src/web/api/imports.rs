//! An employer's own data from a file, row by row.

use aide::axum::ApiRouter;
use aide::axum::routing::post_with;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::describe::{Access, operation};
use crate::config::FileFormat;
use crate::declare::import::{ImportKind, RefusedRow, Report, Warning, import_sent};
use crate::domain::access::Action;
use crate::web::Site;
use crate::web::input::Path;
use crate::web::once::Writer;
use crate::web::problem::Problem;
use crate::web::reply::Reply;
use crate::web::upload::Upload;

/// Of a file.
const MOST_BYTES: usize = 8 << 20;
/// Refusals that are told, and warnings.
const MOST_TOLD: usize = 500;

pub(super) fn routes() -> ApiRouter<Site> {
    let access = Access::nobody(Action::Enter);
    let summary = "Take in a CSV, NDJSON or XLSX with one header row; good rows are kept, refused ones told";
    ApiRouter::new().api_route("/imports/{kind}", post_with(import, operation("import", "imports", access, summary)))
}

/// What a file holds.
#[derive(Deserialize, JsonSchema)]
struct OfKind {
    kind: ImportKind,
}

/// What an import did. Rows read are new, changed, the same, refused, or superseded by a later row of the file.
#[derive(Serialize, JsonSchema)]
struct Imported {
    read: u64,
    new: u64,
    changed: u64,
    same: u64,
    /// Rows that were not taken; one may be refused for several reasons.
    refused_rows: usize,
    /// Why, by line: the first 500.
    refused: Vec<RefusedRow>,
    /// What was taken and deserves a second look: how much there is, and the first 500.
    warned: usize,
    warnings: Vec<Warning>,
}

impl From<Report> for Imported {
    fn from(report: Report) -> Self {
        let (refused_rows, warned) = (report.refused_rows(), report.warnings.len());
        let Report { read, new, changed, same, mut refused, mut warnings, .. } = report;
        refused.truncate(MOST_TOLD);
        warnings.truncate(MOST_TOLD);
        Self { read, new, changed, same, refused_rows, refused, warned, warnings }
    }
}

async fn import(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(OfKind { kind }): Path<OfKind>,
    headers: HeaderMap,
    upload: Upload<MOST_BYTES>,
) -> Result<Reply<Imported>, Problem> {
    let format = format_of(&headers)?;
    let (content, _room) = upload.into_bytes().await?;
    let sent = (format, content);
    Ok(Reply(import_sent(&store, &site.reading.policy, kind, sent, &actor).await?.into()))
}

/// The format that is said to come.
fn format_of(headers: &HeaderMap) -> Result<FileFormat, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "text/csv" => Ok(FileFormat::Csv),
        "application/x-ndjson" => Ok(FileFormat::Ndjson),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => Ok(FileFormat::Xlsx),
        _ => {
            let detail = "`Content-Type` is text/csv (UTF-8), application/x-ndjson or that of an XLSX workbook";
            let detail_zh = "请以 Content-Type 注明CSV（UTF-8）、NDJSON或XLSX格式。";
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_format", detail, detail_zh))
        }
    }
}
