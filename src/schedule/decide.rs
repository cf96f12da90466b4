//! What becomes of the fires that are due: which run, which are passed over, and why, in words.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{ClockChange, Misfire, Overlap, Tick};
use crate::store::fires::{Decision, Open, Pause};

/// A fire decided so much later was missed: nothing ran at its time.
pub const LATE: TimeDelta = TimeDelta::seconds(60);

/// What fires are decided by.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    pub now: DateTime<Utc>,
    pub misfire: Misfire,
    pub overlap: Overlap,
    /// Work of the job that is not over.
    pub open: &'a [Open],
    pub pause: Option<&'a Pause>,
    /// Further fires are due that are decided next.
    pub more: bool,
}

/// What becomes of one fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub nominal_at: DateTime<Utc>,
    pub decision: Decision,
    pub why: String,
}

/// Decides on fires that are due, in their order.
pub fn decide(due: &[Tick], situation: &Situation<'_>) -> Vec<Verdict> {
    let Situation { now, misfire, open, pause, more, .. } = *situation;
    let late = |tick: &Tick| now - tick.at > LATE;
    // of fires that are due together one is enough, unless each missed one is wanted
    let last = due.last().filter(|_| !more).map(|tick| tick.at);
    let all = misfire == Misfire::All;
    let mut verdicts: Vec<Verdict> = due
        .iter()
        .map(|tick| {
            let (decision, why) = if let Some(pause) = pause {
                (Decision::Paused, format!("paused by {}: {}", pause.by, pause.why))
            } else if late(tick) && misfire == Misfire::Skip {
                (Decision::SkippedMisfire, format!("missed by {}: nothing ran at its time", span(now - tick.at)))
            } else if !all && last != Some(tick.at) {
                (Decision::Coalesced, format!("missed by {}: a later fire runs for it", span(now - tick.at)))
            } else if let Some(why) = overlaps(situation).filter(|_| !(all && late(tick))) {
                (Decision::SkippedOverlap, why)
            } else {
                (Decision::Run, began(tick, late(tick).then_some(now - tick.at), open))
            };
            Verdict { nominal_at: tick.at, decision, why }
        })
        .collect();
    let coalesced = verdicts.iter().filter(|verdict| verdict.decision == Decision::Coalesced).count();
    if coalesced > 0
        && let Some(run) = verdicts.last_mut().filter(|verdict| verdict.decision == Decision::Run)
    {
        run.why = format!("{}; also for {coalesced} missed before it", run.why);
    }
    verdicts
}

/// Why a fire is passed over while other work of the job is not over.
fn overlaps(situation: &Situation<'_>) -> Option<String> {
    let Situation { overlap, open, .. } = *situation;
    match overlap {
        Overlap::Skip => {
            let task = open.first()?;
            Some(format!("task {} {}", task.task_id, if task.begun { "still goes on" } else { "has not begun" }))
        }
        Overlap::QueueOne => {
            let queued = open.iter().find(|task| !task.begun)?;
            Some(format!("task {} is queued already", queued.task_id))
        }
    }
}

fn began(tick: &Tick, late: Option<TimeDelta>, open: &[Open]) -> String {
    let mut why = match late {
        Some(late) => format!("{} late: nothing ran at its time", span(late)),
        None => "at its time".to_owned(),
    };
    if let Some(change) = tick.clock_change {
        why = format!("{why}; {}", told(change));
    }
    if let Some(task) = open.first() {
        why = format!("{why}; after task {}", task.task_id);
    }
    why
}

/// What a clock change does to a fire, for people.
pub fn told(change: ClockChange) -> &'static str {
    match change {
        ClockChange::Shifted => "its local time does not exist that day: right after the gap",
        ClockChange::First => "its local time comes twice that day: the first",
        ClockChange::Second => "its local time comes twice that day: the second",
    }
}

/// How long something lasted, in its two largest units.
pub fn span(span: TimeDelta) -> String {
    let seconds = span.num_seconds().max(0);
    let parts = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let at = parts.iter().position(|(size, _)| seconds >= *size).unwrap_or(parts.len() - 1);
    let mut left = seconds;
    let told = parts[at..].iter().take(2).filter_map(|(size, unit)| {
        let whole = left / size;
        left %= size;
        (whole > 0 || *size == 1 && seconds == 0).then(|| format!("{whole} {unit}"))
    });
    told.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(&format!("2026-03-{text}:00+08:00")).expect("an instant").to_utc()
    }

    fn due(fires: &[&str]) -> Vec<Tick> {
        fires.iter().map(|fire| Tick { at: at(fire), clock_change: None }).collect()
    }

    fn situation(now: &str) -> Situation<'static> {
        Situation { now: at(now), misfire: Misfire::Last, overlap: Overlap::Skip, open: &[], pause: None, more: false }
    }

    fn decided(fires: &[&str], situation: &Situation<'_>) -> Vec<String> {
        decide(&due(fires), situation).iter().map(|one| format!("{}: {}", one.decision, one.why)).collect()
    }

    #[test]
    fn a_fire_at_its_time_runs() {
        for misfire in [Misfire::Last, Misfire::All, Misfire::Skip] {
            let situation = Situation { misfire, ..situation("01T01:31") };
            assert_eq!(decided(&["01T01:30"], &situation), ["run: at its time"]);
        }
    }

    #[test]
    fn of_missed_fires_the_last_all_or_none_run() {
        let fires = ["01T01:30", "02T01:30", "03T01:30"];
        let now = situation("03T09:00");
        assert_eq!(
            decided(&fires, &now),
            [
                "coalesced: missed by 2 d 7 h: a later fire runs for it",
                "coalesced: missed by 1 d 7 h: a later fire runs for it",
                "run: 7 h 30 min late: nothing ran at its time; also for 2 missed before it",
            ]
        );
        assert_eq!(
            decided(&fires, &Situation { misfire: Misfire::All, ..now }),
            [
                "run: 2 d 7 h late: nothing ran at its time",
                "run: 1 d 7 h late: nothing ran at its time",
                "run: 7 h 30 min late: nothing ran at its time",
            ]
        );
        assert_eq!(
            decided(&["02T01:30", "03T01:30"], &Situation { misfire: Misfire::Skip, ..now }),
            [
                "skipped_misfire: missed by 1 d 7 h: nothing ran at its time",
                "skipped_misfire: missed by 7 h 30 min: nothing ran at its time",
            ]
        );
        // one that is missed and one at its time: the latter runs, whatever becomes of the former
        let both = ["02T01:30", "03T09:00"];
        assert_eq!(decided(&both, &now)[1], "run: at its time; also for 1 missed before it");
        assert_eq!(decided(&both, &Situation { misfire: Misfire::Skip, ..now })[1], "run: at its time");
    }

    #[test]
    fn of_more_fires_than_are_decided_at_once_the_very_last_runs() {
        let situation = Situation { more: true, ..situation("03T09:00") };
        let decisions: Vec<Decision> =
            decide(&due(&["01T01:30", "02T01:30"]), &situation).iter().map(|one| one.decision).collect();
        assert_eq!(decisions, [Decision::Coalesced; 2]);
    }

    #[test]
    fn a_fire_while_the_run_before_goes_on_is_passed_over_or_queued_once() {
        let begun = [Open { task_id: 7, begun: true }];
        let skip = Situation { open: &begun, ..situation("01T01:30") };
        assert_eq!(decided(&["01T01:30"], &skip), ["skipped_overlap: task 7 still goes on"]);
        let queue = Situation { overlap: Overlap::QueueOne, ..skip };
        assert_eq!(decided(&["01T01:30"], &queue), ["run: at its time; after task 7"]);
        let both = [Open { task_id: 7, begun: true }, Open { task_id: 8, begun: false }];
        let queued = Situation { open: &both, ..queue };
        assert_eq!(decided(&["01T01:30"], &queued), ["skipped_overlap: task 8 is queued already"]);
        // who wants every missed fire gets them, one after the other
        let all = Situation { misfire: Misfire::All, now: at("03T09:00"), ..skip };
        assert!(decided(&["01T01:30", "02T01:30"], &all).iter().all(|one| one.starts_with("run: ")));
    }

    #[test]
    fn a_paused_job_says_who_paused_it_and_why() {
        let pause = Pause { at: at("01T00:00"), by: "operator a".to_owned(), why: "the agency moves".to_owned() };
        let situation = Situation { pause: Some(&pause), ..situation("02T01:30") };
        assert_eq!(decided(&["02T01:30"], &situation), ["paused: paused by operator a: the agency moves"]);
    }

    #[test]
    fn a_span_is_told_in_its_two_largest_units() {
        for (seconds, text) in [(0, "0 s"), (61, "1 min 1 s"), (3600, "1 h"), (90_061, "1 d 1 h"), (-5, "0 s")] {
            assert_eq!(span(TimeDelta::seconds(seconds)), text);
        }
    }
}
