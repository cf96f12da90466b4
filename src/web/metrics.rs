//! The figures as families of samples. No label names a person or a unit.

use chrono::{DateTime, Utc};

use super::exposition::{Exposition, Kind, Labels};
use crate::store::metrics::{CountFigure, Figures, SourceFigure};

/// States of messages that the tax department has not answered for good.
const UNANSWERED: [&str; 3] = ["waiting", "sent", "unknown"];

/// `judging`: persons and employers whom requests to this process touched and who wait to be judged anew.
pub(super) fn render(figures: &Figures, judging: usize) -> String {
    let mut exposition = Exposition::default();
    let version = env!("CARGO_PKG_VERSION");
    exposition.family("renzheng_build_info", Kind::Gauge, "The program.", [(vec![("version", version)], 1.0)]);
    exposition.family(
        "renzheng_clock_offset_seconds",
        Kind::Gauge,
        "How far business time is from the database's; 0 in earnest.",
        [(Vec::new(), figures.clock_offset_s)],
    );
    exposition.family(
        "renzheng_judging_waiting",
        Kind::Gauge,
        "Persons and employers whom requests to this process touched and who wait to be judged anew.",
        [(Vec::new(), judging as f64)],
    );
    runs(&mut exposition, figures);
    sources(&mut exposition, figures);
    outbox(&mut exposition, figures);
    queue(&mut exposition, figures);
    for (name, help, label, of) in [
        ("renzheng_placements_pending", "Placements with a pending month.", "year", &figures.pending),
        ("renzheng_alerts_open", "Alerts that are not over.", "kind", &figures.alerts),
        ("renzheng_messages_waiting", "Messages to people that wait.", "target", &figures.messages),
        (
            "renzheng_event_deliveries",
            "Deliveries of events that wait, by whether one was tried before.",
            "state",
            &figures.events,
        ),
    ] {
        exposition.family(name, Kind::Gauge, help, of.iter().map(|figure| count(label, figure)));
    }
    exposition.into_text()
}

fn count<'a>(label: &'static str, figure: &'a CountFigure) -> (Labels<'a>, f64) {
    (vec![(label, figure.name.as_str())], figure.count as f64)
}

fn age_s(now: DateTime<Utc>, at: DateTime<Utc>) -> f64 {
    (now - at).as_seconds_f64()
}

fn runs(exposition: &mut Exposition, figures: &Figures) {
    let finished = figures.runs.iter().filter(|run| run.state != "running");
    let going_on = figures.runs.iter().filter(|run| run.state == "running");
    exposition.family(
        "renzheng_runs_total",
        Kind::Counter,
        "Runs that ended, by job and state.",
        finished
            .clone()
            .map(|run| (vec![("job", run.job.as_str()), ("kind", &run.kind), ("state", &run.state)], run.runs as f64)),
    );
    exposition.family(
        "renzheng_runs_running",
        Kind::Gauge,
        "Runs that go on.",
        going_on.map(|run| (vec![("job", run.job.as_str()), ("kind", &run.kind)], run.runs as f64)),
    );
    exposition.summary(
        "renzheng_run_duration_seconds",
        "How long runs took, by job and state.",
        finished.clone().filter_map(|run| {
            let labels = vec![("job", run.job.as_str()), ("kind", run.kind.as_str()), ("state", run.state.as_str())];
            Some((labels, run.runs as f64, run.seconds?))
        }),
    );
    exposition.family(
        "renzheng_run_last_finished_age_seconds",
        Kind::Gauge,
        "Since a run of the job last ended in this state.",
        finished.filter_map(|run| {
            let labels = vec![("job", run.job.as_str()), ("kind", run.kind.as_str()), ("state", run.state.as_str())];
            Some((labels, age_s(figures.at, run.last_finished_at?)))
        }),
    );
}

fn of_source(source: &SourceFigure) -> Labels<'_> {
    vec![("source", source.job.as_str()), ("record", source.record.as_str())]
}

fn sources(exposition: &mut Exposition, figures: &Figures) {
    let sources = &figures.sources;
    exposition.family(
        "renzheng_source_age_seconds",
        Kind::Gauge,
        "Since the last whole pull of the source began; absent if there never was one.",
        sources.iter().filter_map(|source| Some((of_source(source), age_s(figures.at, source.last_whole_at?)))),
    );
    exposition.family(
        "renzheng_source_lag_seconds",
        Kind::Gauge,
        "Since the latest stamp of the source's records; absent if there is none.",
        sources.iter().filter_map(|source| Some((of_source(source), age_s(figures.at, source.last_stamp_at?)))),
    );
    exposition.family(
        "renzheng_source_rows_total",
        Kind::Counter,
        "Rows of published deliveries, by what became of them.",
        sources.iter().flat_map(|source| {
            [("read", source.read), ("new", source.records), ("changed", source.changed), ("same", source.same)].map(
                |(outcome, rows)| {
                    let mut labels = of_source(source);
                    labels.push(("outcome", outcome));
                    (labels, rows as f64)
                },
            )
        }),
    );
    exposition.family(
        "renzheng_deliveries_held",
        Kind::Gauge,
        "Deliveries that wait for a person.",
        sources.iter().map(|source| (of_source(source), source.held as f64)),
    );
    exposition.family(
        "renzheng_quarantine_open",
        Kind::Gauge,
        "Refused records that are open.",
        sources.iter().map(|source| (of_source(source), source.refused as f64)),
    );
}

fn outbox(exposition: &mut Exposition, figures: &Figures) {
    exposition.family(
        "renzheng_outbox_messages",
        Kind::Gauge,
        "Messages to the tax department, by state.",
        figures.outbox.iter().map(|figure| (vec![("state", figure.state.as_str())], figure.messages as f64)),
    );
    let unanswered = figures.outbox.iter().filter(|figure| UNANSWERED.contains(&figure.state.as_str()));
    exposition.family(
        "renzheng_outbox_oldest_unacknowledged_seconds",
        Kind::Gauge,
        "How long the oldest message to the tax department waits for its answer; absent if none waits.",
        unanswered.map(|figure| figure.oldest_at).min().map(|at| (Vec::new(), age_s(figures.at, at))),
    );
    exposition.family(
        "renzheng_outbox_attempts_total",
        Kind::Counter,
        "Attempts on messages to the tax department, by outcome.",
        figures.attempts.iter().map(|figure| count("outcome", figure)),
    );
    exposition.family(
        "renzheng_outbox_holds",
        Kind::Gauge,
        "Holds on messages to the tax department that stand, by what they hold.",
        figures.holds.iter().map(|figure| count("scope", figure)),
    );
}

fn queue(exposition: &mut Exposition, figures: &Figures) {
    let queue = &figures.queue;
    let tasks = queue.tasks.iter().map(|figure| count("state", figure));
    exposition.family("renzheng_tasks", Kind::Gauge, "Work that is not done, by state.", tasks);
    exposition.family(
        "renzheng_task_oldest_due_seconds",
        Kind::Gauge,
        "How long the oldest work waits that may begin; absent if none waits.",
        queue.oldest_due_at.map(|at| (Vec::new(), age_s(figures.at, at))),
    );
}
