//! What is to be done next about a declaration, and by whom it is waited for.

use chrono::{DateTime, Utc};

use super::{Declaration, Stage};
use crate::domain::completion::Window;
use crate::domain::facts::words;
use crate::domain::review::PlacementStanding;
use crate::domain::said::Said;

words! {
    /// The next step of an employer's year.
    NextStep {
        /// The employer attaches what ticked months lack, or unticks them.
        AttachEvidence = "attach_evidence",
        /// A month was rejected: the employer unticks it, or hands in again.
        AnswerRejection = "answer_rejection",
        /// The employer hands in what has its evidence.
        HandIn = "hand_in",
        /// Staff decide what was handed in.
        AwaitReview = "await_review",
        /// The window for handing in is over while completion is still open: the employer unticks what is not confirmed.
        Untick = "untick",
        /// No month of anybody is ticked: the employer enters placements, and ticks months.
        Tick = "tick",
        /// Handing in, or completion where everything is confirmed, is not open yet.
        AwaitWindow = "await_window",
        Complete = "complete",
        /// The window is over: nothing is completed any more.
        WindowOver = "window_over",
        /// The tax department has not answered for good.
        AwaitAnswer = "await_answer",
        AwaitWithdrawalDecision = "await_withdrawal_decision",
        AwaitAmendmentDecision = "await_amendment_decision",
        /// The tax department rejected: staff issue again, open, or give up.
        AnswerTaxDepartment = "answer_tax_department",
        /// It was ended; staff may open it again.
        Closed = "closed",
        Nothing = "nothing",
    }
}

words! {
    /// Whose step it is.
    WaitsFor { Employer = "employer", Staff = "staff", TaxDepartment = "tax_department", Nobody = "nobody" }
}

/// How far an employer's year is, and when it may go on.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    pub placements: &'a [PlacementStanding],
    /// Some month that can be declared is ticked.
    pub ticked: bool,
    /// The year's own window. What was never completed is handed in inside it only.
    pub own_window: Window,
    /// When it may be completed; without one at any time, because the unit is being deregistered.
    pub window: Option<Window>,
}

impl Progress<'_> {
    fn any(&self, standing: PlacementStanding) -> bool {
        self.placements.contains(&standing)
    }

    /// Before the first completion the window says what can be done at all.
    fn of_first_version(&self, window: Window, at: DateTime<Utc>) -> Option<NextStep> {
        use PlacementStanding as P;
        if at < window.opens_at() {
            Some(NextStep::AwaitWindow)
        } else if !window.contains(at) {
            // a decision opens completion once more
            Some(if self.any(P::UnderReview) { NextStep::AwaitReview } else { NextStep::WindowOver })
        } else if !self.own_window.contains(at) && [P::Draft, P::Returned, P::Ticked].iter().any(|one| self.any(*one)) {
            Some(NextStep::Untick)
        } else {
            None
        }
    }

    fn of_open_year(&self, at: DateTime<Utc>) -> NextStep {
        match self.window {
            _ if self.any(PlacementStanding::Draft) => NextStep::AttachEvidence,
            _ if self.any(PlacementStanding::Returned) => NextStep::AnswerRejection,
            _ if self.any(PlacementStanding::Ticked) => NextStep::HandIn,
            _ if self.any(PlacementStanding::UnderReview) => NextStep::AwaitReview,
            Some(window) if at < window.opens_at() => NextStep::AwaitWindow,
            Some(window) if !window.contains(at) => NextStep::WindowOver,
            _ if !self.ticked => NextStep::Tick,
            _ => NextStep::Complete,
        }
    }
}

impl NextStep {
    pub fn of(declaration: &Declaration, progress: &Progress<'_>, at: DateTime<Utc>) -> Self {
        if declaration.open_withdrawal().is_some() {
            return Self::AwaitWithdrawalDecision;
        }
        if declaration.open_amendment().is_some() {
            return Self::AwaitAmendmentDecision;
        }
        match declaration.stage {
            Stage::Open { .. } => {
                let first = progress.window.filter(|_| declaration.last_version() == 0);
                let bounded = first.and_then(|window| progress.of_first_version(window, at));
                bounded.unwrap_or_else(|| progress.of_open_year(at))
            }
            Stage::Completed { .. } | Stage::Sent { .. } => Self::AwaitAnswer,
            Stage::Accepted(_) => Self::Nothing,
            Stage::Rejected(_) => Self::AnswerTaxDepartment,
            Stage::Closed { .. } => Self::Closed,
        }
    }

    pub const fn waits_for(self) -> WaitsFor {
        match self {
            Self::AttachEvidence
            | Self::AnswerRejection
            | Self::HandIn
            | Self::Untick
            | Self::Tick
            | Self::Complete => WaitsFor::Employer,
            Self::AwaitReview
            | Self::AwaitWithdrawalDecision
            | Self::AwaitAmendmentDecision
            | Self::AnswerTaxDepartment => WaitsFor::Staff,
            Self::AwaitAnswer => WaitsFor::TaxDepartment,
            Self::AwaitWindow | Self::WindowOver | Self::Closed | Self::Nothing => WaitsFor::Nobody,
        }
    }

    /// In words for people.
    pub fn said(self) -> Said {
        let (en, zh) = match self {
            Self::AttachEvidence => (
                "attach evidence for what ticked months lack, or untick them",
                "为未通过的勾选月份上传证明材料，或取消勾选",
            ),
            Self::AnswerRejection => ("untick rejected months, or hand in again", "取消勾选被退回的月份，或重新送审"),
            Self::HandIn => ("hand in what has its evidence", "将材料齐全的人员送审"),
            Self::AwaitReview => ("staff decide what was handed in", "等待工作人员审核"),
            Self::Untick => (
                "handing in is over: untick the months that are not confirmed, and complete",
                "送审时间已过，请取消勾选未确认的月份后完成申报",
            ),
            Self::Tick => (
                "no month is ticked: enter placements and tick their months",
                "尚未勾选任何月份，请登记安置人员并勾选月份",
            ),
            Self::AwaitWindow => ("the window has not opened yet", "申报尚未开始"),
            Self::Complete => ("complete the declaration", "完成申报"),
            Self::WindowOver => ("the window is over", "申报时间已过"),
            Self::AwaitAnswer => ("the tax department has not answered yet", "等待税务部门回执"),
            Self::AwaitWithdrawalDecision => ("staff decide on the withdrawal", "等待工作人员审批撤回申请"),
            Self::AwaitAmendmentDecision => ("staff decide on the amendment", "等待工作人员审批更正申请"),
            Self::AnswerTaxDepartment => (
                "the tax department rejected it: staff issue it again, open it, or give it up",
                "税务部门已退回，由工作人员处理",
            ),
            Self::Closed => ("it was ended; staff may open it again", "申报已终止，可由工作人员重新开启"),
            Self::Nothing => ("nothing is left to do", "无需办理"),
        };
        Said::new(en, zh)
    }
}

#[cfg(test)]
mod tests {
    use PlacementStanding as P;

    use super::*;

    fn window(last_day: &str) -> Window {
        Window { first_day: "2026-03-01".parse().expect("a day"), last_day: last_day.parse().expect("a day") }
    }

    /// At noon of a day, where completion is open until a day that a review may have put off.
    fn next(declaration: &Declaration, placements: &[P], day: &str, open_until: &str) -> NextStep {
        let progress = Progress {
            placements,
            ticked: !placements.is_empty(),
            own_window: window("2026-10-31"),
            window: Some(window(open_until)),
        };
        NextStep::of(declaration, &progress, format!("{day}T04:00:00Z").parse().expect("an instant"))
    }

    fn first(placements: &[P], day: &str) -> NextStep {
        next(&Declaration::default(), placements, day, "2026-10-31")
    }

    /// Version 1 was taken back, and the year is open again.
    fn opened_again() -> Declaration {
        let declaration = Declaration {
            stage: Stage::Open { last_version: 1, reopened: None, rejected_at: None },
            ..Declaration::default()
        };
        assert_eq!(declaration.last_version(), 1);
        declaration
    }

    #[test]
    fn the_least_advanced_placement_says_what_an_open_year_waits_for() {
        for (placements, step) in [
            (&[P::Confirmed, P::Draft, P::UnderReview][..], NextStep::AttachEvidence),
            (&[P::Returned, P::Ticked][..], NextStep::AnswerRejection),
            (&[P::Ticked, P::UnderReview][..], NextStep::HandIn),
            (&[P::UnderReview, P::Confirmed][..], NextStep::AwaitReview),
            (&[P::Confirmed][..], NextStep::Complete),
        ] {
            assert_eq!(first(placements, "2026-05-01"), step);
            assert_eq!(next(&opened_again(), placements, "2026-05-01", "2026-10-31"), step);
        }
    }

    #[test]
    fn nothing_is_asked_for_that_the_window_would_refuse() {
        for standing in [P::Draft, P::Ticked, P::Confirmed] {
            assert_eq!(first(&[standing], "2026-02-28"), NextStep::AwaitWindow, "{standing}");
            assert_eq!(first(&[standing], "2026-11-01"), NextStep::WindowOver, "{standing}");
        }
        // what is under review may open completion once more
        assert_eq!(first(&[P::UnderReview, P::Draft], "2026-11-01"), NextStep::AwaitReview);
        let in_grace = |placements: &[P]| next(&Declaration::default(), placements, "2026-11-05", "2026-11-10");
        for standing in [P::Draft, P::Returned, P::Ticked] {
            assert_eq!(in_grace(&[standing, P::Confirmed]), NextStep::Untick, "{standing}");
        }
        assert_eq!(
            (in_grace(&[P::UnderReview]), in_grace(&[P::Confirmed])),
            (NextStep::AwaitReview, NextStep::Complete)
        );
        // a later version is handed in at any time
        assert_eq!(next(&opened_again(), &[P::Ticked], "2026-11-05", "2026-10-31"), NextStep::HandIn);
        assert_eq!(next(&opened_again(), &[P::Confirmed], "2026-11-05", "2026-10-31"), NextStep::WindowOver);
    }

    #[test]
    fn a_unit_that_is_deregistered_waits_for_no_window() {
        let progress =
            Progress { placements: &[P::Ticked], ticked: true, own_window: window("2026-10-31"), window: None };
        let at = "2026-12-01T00:00:00Z".parse().expect("an instant");
        assert_eq!(NextStep::of(&Declaration::default(), &progress, at), NextStep::HandIn);
        let confirmed = Progress { placements: &[P::Confirmed], ..progress };
        assert_eq!(NextStep::of(&Declaration::default(), &confirmed, at), NextStep::Complete);
    }

    #[test]
    fn where_nothing_is_ticked_there_is_nothing_to_complete() {
        assert_eq!(first(&[], "2026-05-01"), NextStep::Tick);
        let at = "2026-05-01T00:00:00Z".parse().expect("an instant");
        let own_window = window("2026-10-31");
        let unticked = Progress { placements: &[P::Confirmed], ticked: false, own_window, window: Some(own_window) };
        for declaration in [Declaration::default(), opened_again()] {
            assert_eq!(NextStep::of(&declaration, &unticked, at), NextStep::Tick);
        }
        assert_eq!(NextStep::Tick.waits_for(), WaitsFor::Employer);
    }

    #[test]
    fn every_step_is_told_in_both_languages() {
        for step in NextStep::ALL {
            assert!(!step.said().lacks_a_language(), "{step}");
        }
        assert_eq!(NextStep::AwaitReview.waits_for(), WaitsFor::Staff);
    }

    #[test]
    fn the_window_opens_with_the_first_instant_of_its_first_day() {
        let at = |declaration: &Declaration, instant: &str| {
            let window = window("2026-10-31");
            let placements = &[P::Confirmed];
            let progress = Progress { placements, ticked: true, own_window: window, window: Some(window) };
            NextStep::of(declaration, &progress, instant.parse().expect("an instant"))
        };
        for declaration in [Declaration::default(), opened_again()] {
            assert_eq!(at(&declaration, "2026-02-28T15:59:59Z"), NextStep::AwaitWindow);
            assert_eq!(at(&declaration, "2026-02-28T16:00:00Z"), NextStep::Complete, "midnight in Shanghai");
        }
    }
}
