//! Whether work may begin that others go before: when they are done, will not come any more, or were waited for long enough.

use crate::store::task_history::Standing;

/// Whether work may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    Waits,
    /// What it begins without, with the reasons.
    Ready {
        missing: Vec<String>,
    },
}

/// One job that goes first.
#[derive(Clone, Debug)]
pub struct Predecessor {
    pub standing: Standing,
    /// A fire of it on the date is still to come, before patience ends.
    pub expected: bool,
}

/// `patient`: there is still time to wait.
pub fn readiness(predecessors: &[Predecessor], patient: bool) -> Readiness {
    let mut missing = Vec::new();
    for Predecessor { standing, expected } in predecessors {
        let Standing { job, open, outcome, error, ran_by_hand, not_run } = standing;
        let done = *ran_by_hand || outcome.as_deref().is_some_and(|outcome| outcome != "held");
        if done {
            continue;
        }
        if patient && (*open || *expected) {
            return Readiness::Waits;
        }
        let why = if *open {
            "is not over; it was waited for as long as the job has patience".to_owned()
        } else if outcome.is_some() {
            "its delivery is held".to_owned()
        } else if let Some(error) = error {
            format!("failed: {error}")
        } else if let Some(not_run) = not_run {
            format!("did not run ({not_run})")
        } else {
            "did not run on this business date".to_owned()
        };
        missing.push(format!("{job}: {why}"));
    }
    Readiness::Ready { missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(standing: Standing, expected: bool) -> Predecessor {
        Predecessor { standing: Standing { job: "pull-wage".to_owned(), ..standing }, expected }
    }

    fn missing(predecessor: Predecessor, patient: bool) -> String {
        match readiness(&[predecessor], patient) {
            Readiness::Waits => "waits".to_owned(),
            Readiness::Ready { missing } => missing.join("; "),
        }
    }

    #[test]
    fn nothing_is_missing_when_those_before_are_done() {
        for outcome in ["done", "done_with_refusals"] {
            assert_eq!(
                missing(of(Standing { outcome: Some(outcome.to_owned()), ..Standing::default() }, false), true),
                ""
            );
        }
        assert_eq!(missing(of(Standing { ran_by_hand: true, ..Standing::default() }, true), true), "");
        // a second run of the day does not hold up what waits for the first
        let again = Standing { open: true, outcome: Some("done".to_owned()), ..Standing::default() };
        assert_eq!(missing(of(again, true), true), "");
    }

    #[test]
    fn what_is_under_way_or_still_to_come_is_waited_for_until_patience_ends() {
        let under_way = Standing { open: true, ..Standing::default() };
        assert_eq!(missing(of(under_way.clone(), false), true), "waits");
        assert_eq!(missing(of(Standing::default(), true), true), "waits");
        let failed_once = Standing { error: Some("x".to_owned()), ..Standing::default() };
        assert_eq!(missing(of(failed_once, true), true), "waits");
        assert_eq!(
            missing(of(under_way, false), false),
            "pull-wage: is not over; it was waited for as long as the job has patience"
        );
    }

    #[test]
    fn what_will_not_come_is_not_waited_for() {
        for (standing, told) in [
            (Standing { error: Some("no such host".to_owned()), ..Standing::default() }, "failed: no such host"),
            (Standing { outcome: Some("held".to_owned()), ..Standing::default() }, "its delivery is held"),
            (
                Standing { not_run: Some("paused: by a".to_owned()), ..Standing::default() },
                "did not run (paused: by a)",
            ),
            (Standing::default(), "did not run on this business date"),
        ] {
            assert_eq!(missing(of(standing, false), true), format!("pull-wage: {told}"));
        }
    }
}
