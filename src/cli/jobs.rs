//! `renzheng jobs`: what is to run, when it ran last, when it will next.

use chrono::{DateTime, FixedOffset, Utc};
use serde::Serialize;

use super::context::{Context, checked_jobs};
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::config::Job;

#[derive(Serialize)]
struct Line {
    name: String,
    kind: &'static str,
    schedule: Option<String>,
    timezone: String,
    after: Vec<String>,
    last_run: Option<DateTime<Utc>>,
    next_run: Option<DateTime<FixedOffset>>,
    state: Option<String>,
}

pub(super) async fn list(common: &Common, out: Output) -> anyhow::Result<Ended> {
    let context = Context::open(common).await?;
    let lines = lines(&context).await;
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
                line.name,
                line.kind.to_owned(),
                line.schedule.unwrap_or_default(),
                line.after.join(" "),
                line.last_run.map(crate::clock::rfc3339).unwrap_or_default(),
                line.state.unwrap_or_default(),
                line.next_run.map(|at| at.to_rfc3339()).unwrap_or_default(),
            ]
        })
        .collect();
    out.line(table(&["name", "kind", "schedule", "after", "last_run", "state", "next_run"], &rows, &[]))?;
    Ok(Ended::Done)
}

async fn lines(context: &Context) -> anyhow::Result<Vec<Line>> {
    let jobs = checked_jobs(&context.settings)?;
    let now = context.store.now().await?;
    let mut lines = Vec::with_capacity(jobs.len());
    let last_runs = context.store.last_runs().await?;
    for job in &jobs {
        let last = last_runs.iter().find(|run| run.job == job.name);
        lines.push(Line {
            name: job.name.clone(),
            kind: job.kind.as_str(),
            schedule: job.schedule.as_ref().map(|cron| cron.as_str().to_owned()),
            timezone: job.timezone.name().to_owned(),
            after: job.after.clone(),
            last_run: last.map(|run| run.started_at),
            next_run: next_run(job, now),
            state: last.map(|run| run.state.clone()),
        });
    }
    Ok(lines)
}

/// The next nominal fire after an instant, in the job's own zone.
fn next_run(job: &Job, now: DateTime<Utc>) -> Option<DateTime<FixedOffset>> {
    let local = now.with_timezone(&job.timezone.offset());
    job.schedule.as_ref()?.next_after(local.naive_local())?.and_local_timezone(job.timezone.offset()).single()
}
