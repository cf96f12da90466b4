//! `renzheng import KIND FILE`.

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::output::Output;
use super::{Common, Ended, parse_import_kind};
use crate::declare::import::{ImportKind, Report, import};
use crate::domain::access::Action;

#[derive(Args)]
pub(super) struct ImportArgs {
    /// employers, affiliates, placements or contracts
    #[arg(value_parser = parse_import_kind)]
    kind: ImportKind,
    /// CSV, NDJSON or XLSX with one header row
    file: PathBuf,
}

pub(super) async fn run(common: &Common, args: &ImportArgs, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common, Action::Enter).await?;
    let outcome = take_in(&context, args, out).await;
    context.close().await?;
    outcome
}

async fn take_in(context: &Context, args: &ImportArgs, out: Output) -> anyhow::Result<Ended> {
    let reading = context.policy()?;
    let report = import(&context.store, &reading.policy, args.kind, &args.file, &context.actor).await?;
    out.value(&report, |report| describe(args.kind, report))?;
    Ok(Ended::of(!report.refused.is_empty()))
}

/// The counts in one line.
pub(super) fn summary(kind: ImportKind, report: &Report) -> String {
    format!(
        "{kind}: {} read = {} new + {} changed + {} same + {} refused; {} warnings",
        report.read,
        report.new,
        report.changed,
        report.same,
        report.refused_rows(),
        report.warnings.len()
    )
}

/// The counts, then a line for every refused row and every warning.
fn describe(kind: ImportKind, report: &Report) -> String {
    let mut lines = vec![summary(kind, report)];
    let place = |line: u64, column: Option<&str>| {
        let column = column.map(|column| format!(", {column}")).unwrap_or_default();
        format!("{}:{line}{column}", report.file)
    };
    lines.extend(report.refused.iter().map(|row| {
        let place = place(row.line, row.column);
        format!("  refused {place}: {}: found {}; accepted: {}", row.code, row.found, row.accepted)
    }));
    lines.extend(report.warnings.iter().map(|warning| {
        format!("  warning {}: {}: {}", place(warning.line, warning.column), warning.code, warning.message)
    }));
    lines.join("\n")
}
