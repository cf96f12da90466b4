//! What is to be done next about a declaration, and by whom it is waited for.

use chrono::{DateTime, Utc};

use super::{Declaration, Stage};
use crate::domain::completion::Window;
use crate::domain::facts::words;
use crate::domain::review::PlacementStanding;

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
        /// Everything is confirmed; completion is not open yet.
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

impl NextStep {
    /// Of a declaration whose placements stand so; `window`: when it may be completed, at any time without one.
    pub fn of(
        declaration: &Declaration,
        placements: &[PlacementStanding],
        window: Option<Window>,
        at: DateTime<Utc>,
    ) -> Self {
        if declaration.open_withdrawal().is_some() {
            return Self::AwaitWithdrawalDecision;
        }
        if declaration.open_amendment().is_some() {
            return Self::AwaitAmendmentDecision;
        }
        match declaration.stage {
            Stage::Open { .. } => {
                let any = |standing| placements.contains(&standing);
                match window {
                    _ if any(PlacementStanding::Draft) => Self::AttachEvidence,
                    _ if any(PlacementStanding::Returned) => Self::AnswerRejection,
                    _ if any(PlacementStanding::Ticked) => Self::HandIn,
                    _ if any(PlacementStanding::UnderReview) => Self::AwaitReview,
                    Some(window) if at < window.opens_at() => Self::AwaitWindow,
                    Some(window) if !window.contains(at) => Self::WindowOver,
                    _ => Self::Complete,
                }
            }
            Stage::Completed { .. } | Stage::Sent { .. } => Self::AwaitAnswer,
            Stage::Accepted(_) => Self::Nothing,
            Stage::Rejected(_) => Self::AnswerTaxDepartment,
            Stage::Closed { .. } => Self::Closed,
        }
    }

    pub const fn waits_for(self) -> WaitsFor {
        match self {
            Self::AttachEvidence | Self::AnswerRejection | Self::HandIn | Self::Complete => WaitsFor::Employer,
            Self::AwaitReview
            | Self::AwaitWithdrawalDecision
            | Self::AwaitAmendmentDecision
            | Self::AnswerTaxDepartment => WaitsFor::Staff,
            Self::AwaitAnswer => WaitsFor::TaxDepartment,
            Self::AwaitWindow | Self::WindowOver | Self::Closed | Self::Nothing => WaitsFor::Nobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_advanced_placement_says_what_an_open_year_waits_for() {
        use PlacementStanding as P;
        let day = |text: &str| text.parse().expect("a day");
        let window = Window { first_day: day("2026-04-01"), last_day: day("2026-10-31") };
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
        let open = Declaration::default();
        let next = |placements: &[P], at| NextStep::of(&open, placements, Some(window), at);
        let inside = at("2026-05-01T00:00:00Z");
        assert_eq!(next(&[P::Confirmed, P::Draft, P::UnderReview], inside), NextStep::AttachEvidence);
        assert_eq!(next(&[P::Returned, P::Ticked], inside), NextStep::AnswerRejection);
        assert_eq!(next(&[P::Ticked, P::UnderReview], inside), NextStep::HandIn);
        assert_eq!(next(&[P::UnderReview, P::Confirmed], inside), NextStep::AwaitReview);
        assert_eq!(next(&[P::Confirmed], inside), NextStep::Complete);
        assert_eq!(next(&[P::Confirmed], at("2026-03-01T00:00:00Z")), NextStep::AwaitWindow);
        assert_eq!(next(&[P::Confirmed], at("2026-11-01T00:00:00Z")), NextStep::WindowOver);
        assert_eq!(NextStep::of(&open, &[P::Confirmed], None, at("2026-11-01T00:00:00Z")), NextStep::Complete);
        assert_eq!(NextStep::AwaitReview.waits_for(), WaitsFor::Staff);
    }
}
