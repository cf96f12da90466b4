//! `renzheng quarantine`: refused records.

use clap::Subcommand;

use super::context::Context;
use super::output::Output;
use super::table::table;
use super::{Common, Ended};

#[derive(Subcommand)]
pub(super) enum QuarantineCommand {
    /// List open refused records, newest first
    List {
        /// Only those of this job
        #[arg(long)]
        job: Option<String>,
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: i64,
    },
}

pub(super) async fn run(common: &Common, command: &QuarantineCommand, out: Output) -> anyhow::Result<Ended> {
    let QuarantineCommand::List { job, limit } = command;
    let context = Context::open(common).await?;
    let lines = context.store.list_quarantine(job.as_deref(), *limit).await;
    context.close().await?;
    let lines = lines?;
    if out.is_json() {
        for line in &lines {
            out.json(line)?;
        }
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = lines
        .into_iter()
        .map(|line| {
            vec![
                line.quarantine_id.to_string(),
                line.job,
                format!("{}/{}/{}", line.batch_id, line.page_number, line.row_number),
                line.code,
                line.field.unwrap_or_default(),
                line.person_id.map(|person| person.to_string()).unwrap_or_default(),
                line.detail,
            ]
        })
        .collect();
    out.line(table(&["id", "job", "batch/page/row", "code", "field", "person", "detail"], &rows, &[0]))?;
    Ok(Ended::Done)
}
