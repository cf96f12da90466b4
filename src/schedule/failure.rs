//! Why an attempt failed, and whether and when there is another. Each class has a policy of its own.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::export::ExportJobError;
use super::hand_over::HandOverError;
use super::reconcile::CompareError;
use super::remind::RemindError;
use crate::config::Retry;
use crate::domain::facts::words;
use crate::errors;
use crate::ingest::PullError;
use crate::notify::NotifyError;
use crate::push::PushError;
use crate::push::delivery::DeliveryError;
use crate::push::reconcile::ReconcileError;
use crate::push::statement::StatementError;
use crate::store::StoreError;
use crate::store::runs::Ending;
use crate::verify::VerifyError;

words! {
    /// What kind of trouble it is.
    Class {
        /// Passes by itself: tried again, each time after twice as long.
        Transient = "transient",
        /// The agency wants fewer questions: tried again no sooner than it says, within six hours.
        RateLimited = "rate_limited",
        /// Credentials are not good: a person must give others.
        Auth = "auth",
        /// What comes, or is configured, is not what was agreed: a person must look.
        Contract = "contract",
        /// Our own database: tried again soon.
        Store = "store",
    }
}

/// An agency that asks us to stay away longer is asked again all the same.
const LONGEST_STAY: Duration = Duration::from_hours(6);
/// Our own database comes back sooner than an agency.
const STORE_BACKOFF: Duration = Duration::from_secs(2);
const STORE_LONGEST: Duration = Duration::from_mins(1);

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub class: Class,
    pub error: String,
    /// How a run ends that was dropped for it: it failed, or took too long.
    pub ending: Ending,
    /// The agency asked us to stay away so long.
    pub stay_away: Option<Duration>,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Again { due_at: DateTime<Utc> },
    GivenUp,
}

/// An attempt that failed.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    pub task_id: i64,
    /// From 1.
    pub attempt: u32,
    /// Attempts with this one since the last that got somewhere, and how many of these there may be.
    pub barren: u32,
    pub attempts: u32,
    /// This one got somewhere: it uses up none of them.
    pub progressed: bool,
}

impl Failure {
    pub fn new(class: Class, error: impl Into<String>) -> Self {
        Self { class, error: error.into(), ending: Ending::Failed, stay_away: None }
    }

    /// What follows.
    pub fn next(&self, attempt: &Attempt, retry: &Retry, at: DateTime<Utc>) -> Next {
        let barren = if attempt.progressed { 0 } else { attempt.barren };
        let again = match self.class {
            Class::Transient | Class::RateLimited | Class::Store => barren < attempt.attempts,
            Class::Auth | Class::Contract => false,
        };
        if !again {
            return Next::GivenUp;
        }
        let (first, longest) = match self.class {
            Class::Store => (STORE_BACKOFF, STORE_LONGEST),
            _ => (retry.backoff.duration(), retry.max_backoff.duration()),
        };
        let most = first.saturating_mul(2_u32.saturating_pow(barren.saturating_sub(1).min(31))).min(longest);
        let mut wait = jittered(most, attempt);
        if self.class == Class::RateLimited {
            // not all at the same moment: up to a backoff later than asked
            wait += self.stay_away.unwrap_or_default().min(LONGEST_STAY);
        }
        Next::Again { due_at: at + TimeDelta::from_std(wait).unwrap_or_default() }
    }
}

/// A part of a wait, from nothing to all of it, always the same for the same attempt: so that what failed together does not come back together.
fn jittered(most: Duration, attempt: &Attempt) -> Duration {
    let hash = Sha256::new()
        .chain_update(attempt.task_id.to_be_bytes())
        .chain_update(attempt.attempt.to_be_bytes())
        .finalize();
    let share = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    most.mul_f64(f64::from(share) / f64::from(u32::MAX))
}

impl From<PullError> for Failure {
    fn from(error: PullError) -> Self {
        let (class, stay_away) = match &error {
            PullError::Source(source) if source.credentials_refused() => (Class::Auth, None),
            PullError::Source(source) if source.rate_limited() => (Class::RateLimited, source.retry_after()),
            PullError::Source(source) if source.transient() => (Class::Transient, None),
            PullError::Source(_)
            | PullError::UnknownSource(_)
            | PullError::NoRecord(_)
            | PullError::NoStamps(_)
            | PullError::AnotherForm { .. } => (Class::Contract, None),
            PullError::Timeout(_)
            | PullError::Busy(_)
            | PullError::Occupied(_)
            | PullError::Unanswered(_)
            | PullError::Crashed(_) => (Class::Transient, None),
            PullError::Store(_) => (Class::Store, None),
        };
        Self { stay_away, ..Self::new(class, errors::chain(&error)) }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        let class = match &error {
            VerifyError::NoRule(_) | VerifyError::NoWageClass { .. } => Class::Contract,
            VerifyError::Store(_) | VerifyError::Gather(_) => Class::Store,
        };
        Self::new(class, errors::chain(&error))
    }
}

impl From<PushError> for Failure {
    fn from(error: PushError) -> Self {
        let class = match &error {
            PushError::Store(_) => Class::Store,
            PushError::Client(_) | PushError::Address | PushError::KeyId => Class::Contract,
        };
        Self::new(class, errors::chain(&error))
    }
}

impl From<HandOverError> for Failure {
    fn from(error: HandOverError) -> Self {
        match error {
            HandOverError::Push(error) => error.into(),
            HandOverError::News(_) | HandOverError::Store(_) => Self::new(Class::Store, errors::chain(&error)),
        }
    }
}

impl From<CompareError> for Failure {
    fn from(error: CompareError) -> Self {
        let class = match error {
            CompareError::Push(error) => return error.into(),
            CompareError::Reconcile(ReconcileError::Statement(StatementError::Unreachable(_))) => Class::Transient,
            CompareError::Reconcile(ReconcileError::Statement(StatementError::Malformed(_))) => Class::Contract,
            CompareError::Reconcile(ReconcileError::Store(_)) | CompareError::Store(_) => Class::Store,
        };
        Self::new(class, errors::chain(&error))
    }
}

impl From<ExportJobError> for Failure {
    fn from(error: ExportJobError) -> Self {
        let class = match &error {
            ExportJobError::Delivery(DeliveryError::Unreachable(_) | DeliveryError::Folder { .. })
            | ExportJobError::Folder { .. }
            | ExportJobError::File { .. } => Class::Transient,
            ExportJobError::Delivery(DeliveryError::Credentials(_)) => Class::Auth,
            ExportJobError::Delivery(_) | ExportJobError::Export(_) | ExportJobError::Settings { .. } => {
                Class::Contract
            }
            ExportJobError::Feed(_) | ExportJobError::News(_) | ExportJobError::Store(_) => Class::Store,
        };
        Self::new(class, errors::chain(&error))
    }
}

impl From<RemindError> for Failure {
    fn from(error: RemindError) -> Self {
        Self::new(Class::Store, errors::chain(&error))
    }
}

impl From<NotifyError> for Failure {
    fn from(error: NotifyError) -> Self {
        let class = match &error {
            NotifyError::Store(_) => Class::Store,
            NotifyError::Client(_) => Class::Contract,
        };
        Self::new(class, errors::chain(&error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(Class::Store, errors::chain(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry {
        attempts: 5,
        backoff: crate::config::Span::of_seconds(30),
        max_backoff: crate::config::Span::of_seconds(900),
    };

    fn now() -> DateTime<Utc> {
        "2026-03-01T01:30:00Z".parse().expect("an instant")
    }

    fn attempt(number: u32) -> Attempt {
        Attempt { task_id: 7, attempt: number, barren: number, attempts: 5, progressed: false }
    }

    /// Seconds until the next attempt; none if there is none.
    fn wait_s(failure: &Failure, attempt: &Attempt) -> Option<f64> {
        match failure.next(attempt, &RETRY, now()) {
            Next::Again { due_at } => Some((due_at - now()).as_seconds_f64()),
            Next::GivenUp => None,
        }
    }

    #[test]
    fn what_passes_is_tried_again_after_up_to_twice_as_long_each_time() {
        let failure = Failure::new(Class::Transient, "down");
        for task_id in 0..200 {
            for (number, most) in [(1, 30.0), (2, 60.0), (3, 120.0), (4, 240.0)] {
                let wait = wait_s(&failure, &Attempt { task_id, ..attempt(number) }).expect("again");
                assert!((0.0..=most).contains(&wait), "attempt {number} waits {wait} s");
            }
        }
        let long = Attempt { attempts: 100, ..attempt(20) };
        assert!(wait_s(&failure, &long).expect("again") <= 900.0);
        assert_eq!(wait_s(&failure, &attempt(5)), None, "all attempts are used up");
    }

    #[test]
    fn the_wait_of_an_attempt_is_always_the_same_and_that_of_others_another() {
        let failure = Failure::new(Class::Transient, "down");
        let wait = |task_id| wait_s(&failure, &Attempt { task_id, ..attempt(3) });
        assert_eq!(wait(1), wait(1));
        let different: std::collections::BTreeSet<String> = (0..50).map(|task| format!("{:?}", wait(task))).collect();
        assert!(different.len() > 45, "{different:?}");
    }

    #[test]
    fn an_attempt_that_got_somewhere_uses_up_none() {
        let failure = Failure::new(Class::Transient, "cut off");
        let progressed = Attempt { progressed: true, ..attempt(5) };
        assert!(wait_s(&failure, &progressed).expect("again") <= 30.0);
    }

    #[test]
    fn credentials_and_contracts_are_a_persons_business() {
        for class in [Class::Auth, Class::Contract] {
            assert_eq!(wait_s(&Failure::new(class, "no"), &attempt(1)), None, "{class}");
        }
    }

    #[test]
    fn an_agency_that_wants_fewer_questions_is_left_alone_as_long_as_it_says_but_not_for_ever() {
        let asked = |seconds| Failure {
            stay_away: Some(Duration::from_secs(seconds)),
            ..Failure::new(Class::RateLimited, "429")
        };
        let wait = wait_s(&asked(600), &attempt(1)).expect("again");
        assert!((600.0..=630.0).contains(&wait), "{wait}");
        let wait = wait_s(&asked(365 * 86_400), &attempt(1)).expect("again");
        assert!((21_600.0..=21_630.0).contains(&wait), "{wait}");
        assert!(wait_s(&Failure::new(Class::RateLimited, "429"), &attempt(1)).expect("again") <= 30.0);
    }

    #[test]
    fn our_own_database_is_tried_again_soon() {
        let failure = Failure::new(Class::Store, "closed");
        assert!(wait_s(&failure, &attempt(1)).expect("again") <= 2.0);
        assert!(wait_s(&failure, &Attempt { attempts: 100, ..attempt(30) }).expect("again") <= 60.0);
    }
}
