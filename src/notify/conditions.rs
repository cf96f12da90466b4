//! What is wrong, derived from what is stored.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::lateness::lateness;
use crate::clock::{business_date, rfc3339};
use crate::config::{AlertSettings, Job};
use crate::store::alerts::{AlertKind, Condition};
use crate::store::look_ups::RefusedLookUps;
use crate::store::metrics::{OutboxFigure, SourceFigure};
use crate::store::readiness::Finding;
use crate::store::runs::RunLine;

/// What was looked at.
pub(super) struct Seen {
    pub now: DateTime<Utc>,
    /// How far this machine's clock is before the database's.
    pub skew: TimeDelta,
    /// The latest of every job and kind that has ended.
    pub runs: Vec<RunLine>,
    /// Jobs that are tried again by themselves: they have not failed for good.
    pub tried_again: BTreeSet<String>,
    pub sources: Vec<SourceFigure>,
    pub outbox: Vec<OutboxFigure>,
    /// Where this runs.
    pub machine: String,
    /// What is wrong with the keys.
    pub keys: Option<Finding>,
    /// Employers whose look-ups were refused today.
    pub look_ups: Vec<RefusedLookUps>,
}

/// A handful of refused rows is daily business; a share of them is a changed form.
const REFUSALS_THAT_MATTER: i64 = 20;
/// Requests are signed with the time: a peer refuses what is further away.
const MOST_SKEW: TimeDelta = TimeDelta::seconds(60);
/// What an installation has one of.
const INSTALLATION: &str = "installation";

/// Everything that is wrong, each cause once.
pub(super) fn conditions(seen: &Seen, jobs: &[Job], settings: &AlertSettings) -> Vec<Condition> {
    let mut found = Vec::new();
    let mut add = |kind, subject: &str, text: String| {
        found.push(Condition { kind, subject: subject.to_owned(), text });
    };
    let failed_runs = seen.runs.iter().filter(|run| matches!(run.state.as_str(), "failed" | "timed_out" | "crashed"));
    for run in failed_runs.filter(|run| !seen.tried_again.contains(&run.job)) {
        let replay = run.kind == "replay";
        let subject = if replay { format!("replay of {}", run.job) } else { run.job.clone() };
        let again = if replay { "quarantine replay --job" } else { "run" };
        add(AlertKind::RunFailed, &subject, failed(run, again));
    }
    for source in &seen.sources {
        let job = jobs.iter().find(|job| job.name == source.job);
        if let Some(why) = job.and_then(|job| lateness(job, source, seen.now)) {
            add(AlertKind::SourceLate, &source.job, why);
        }
        if source.held > 0 {
            add(AlertKind::DeliveryHeld, &source.job, held(source));
        }
        if let Some(text) = quarantine(source, settings) {
            add(AlertKind::QuarantineLarge, &source.job, text);
        }
    }
    if let Some(text) = receipts(seen, settings) {
        add(AlertKind::ReceiptMissing, "tax department", text);
    }
    if let Some(finding) = &seen.keys {
        add(AlertKind::KeysWrong, INSTALLATION, format!("the keys {}", finding.text));
    }
    if seen.skew.abs() > MOST_SKEW {
        let text = format!(
            "this machine's clock is {} s {} the database's: signed requests will be refused; let both keep time by NTP",
            seen.skew.abs().num_seconds(),
            if seen.skew > TimeDelta::zero() { "before" } else { "behind" }
        );
        add(AlertKind::ClockWrong, &seen.machine, text);
    }
    let today = business_date(seen.now);
    for refused in &seen.look_ups {
        add(AlertKind::LookUpsRefused, &format!("{} {today}", refused.uscc), look_ups(refused));
    }
    found
}

fn look_ups(refused: &RefusedLookUps) -> String {
    format!(
        "{} look-ups of {} found nobody today and {} more were refused: somebody may be trying numbers out. The audit log names          who asked (`look_up`); speak with the employer",
        refused.missed, refused.uscc, refused.refused
    )
}

/// `again` is the command that does it again.
fn failed(run: &RunLine, again: &str) -> String {
    let at = run.finished_at.map(rfc3339).unwrap_or_default();
    let why = run.error.as_deref().unwrap_or("no reason is known");
    format!(
        "run {} of `{}` ended {} at {at}: {why}. What was stored stays; `renzheng runs show {}` tells more, `renzheng {again} {}` goes on",
        run.run_number, run.job, run.state, run.run_number, run.job
    )
}

fn held(source: &SourceFigure) -> String {
    let deliveries = if source.held == 1 { "a delivery".to_owned() } else { format!("{} deliveries", source.held) };
    format!(
        "{deliveries} of `{}` waits, held, and nothing of it is visible until a person decides: `renzheng runs {}` says why, then \
         `renzheng runs release` or `renzheng runs discard`",
        source.job, source.job
    )
}

fn quarantine(source: &SourceFigure, settings: &AlertSettings) -> Option<String> {
    let share = source.refused as f64 / (source.records + source.refused).max(1) as f64;
    (source.refused >= REFUSALS_THAT_MATTER && share > settings.quarantine_ratio).then(|| {
        format!(
            "{} of {} records of `{}` lie refused in quarantine, more than quarantine_ratio = {} allows: `renzheng quarantine list \
             --job {}` shows them, `renzheng quarantine replay` reads them again once the job's mapping is mended",
            source.refused,
            source.records + source.refused,
            source.job,
            settings.quarantine_ratio,
            source.job
        )
    })
}

fn receipts(seen: &Seen, settings: &AlertSettings) -> Option<String> {
    let open = seen.outbox.iter().filter(|figure| matches!(figure.state.as_str(), "waiting" | "sent" | "unknown"));
    let oldest = open.clone().map(|figure| figure.oldest_at).min()?;
    let late = (seen.now - oldest).to_std().is_ok_and(|age| age > settings.receipt_after.duration());
    late.then(|| {
        format!(
            "{} messages to the tax department wait for their answer, the oldest since {}, longer than receipt_after = {} allows: \
             `renzheng push status` shows them with the last answer",
            open.map(|figure| figure.messages).sum::<i64>(),
            rfc3339(oldest),
            settings.receipt_after
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(job: &str, kind: &str, state: &str) -> RunLine {
        let at: DateTime<Utc> = "2026-04-15T02:00:00+08:00".parse().expect("an instant");
        RunLine {
            run_id: uuid::Uuid::nil(),
            run_number: 7,
            kind: kind.to_owned(),
            job: job.to_owned(),
            state: state.to_owned(),
            actor: "test".to_owned(),
            because: "a test".to_owned(),
            business_date: "2026-04-15".parse().expect("a date"),
            started_at: at,
            finished_at: Some(at),
            counts: serde_json::json!({}),
            error: Some("the agency cannot be reached".to_owned()),
        }
    }

    fn seen(runs: Vec<RunLine>, tried_again: &[&str]) -> Seen {
        Seen {
            now: "2026-04-15T03:00:00+08:00".parse().expect("an instant"),
            skew: TimeDelta::seconds(-60),
            runs,
            tried_again: tried_again.iter().map(|job| (*job).to_owned()).collect(),
            sources: Vec::new(),
            outbox: Vec::new(),
            machine: "here".to_owned(),
            keys: None,
            look_ups: Vec::new(),
        }
    }

    #[test]
    fn a_run_has_failed_for_good_only_if_it_is_not_tried_again_by_itself() {
        let runs = vec![
            run("pull-wage", "pull", "failed"),
            run("pull-pension", "pull", "timed_out"),
            run("pull-medical", "pull", "held"),
            run("verify", "verify", "crashed"),
            run("pull-wage", "replay", "failed"),
        ];
        let found = conditions(&seen(runs, &["pull-pension"]), &[], &AlertSettings::default());
        let subjects: Vec<&str> = found.iter().map(|condition| condition.subject.as_str()).collect();
        assert_eq!(subjects, ["pull-wage", "verify", "replay of pull-wage"]);
        assert_eq!(
            found[2].text,
            "run 7 of `pull-wage` ended failed at 2026-04-15T02:00:00+08:00: the agency cannot be reached. What was stored stays; \
             `renzheng runs show 7` tells more, `renzheng quarantine replay --job pull-wage` goes on"
        );
    }
}
