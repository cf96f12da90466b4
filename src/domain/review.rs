//! Where a ticked month and a placement stand: what passes needs nobody, what does not needs evidence and a decision.
//!
//! Nothing of this is stored: it follows from the verdict, the employer's choice, the evidence and the decisions.

use chrono::{DateTime, Utc};

use super::facts::words;
use super::verdict::{Check, Sign, Verdict};

words! {
    /// What can stand in the way of a month: a check that does not pass, or another employer's claim. Evidence and decisions name it.
    Ground {
        Wage = "wage",
        Pension = "pension",
        Medical = "medical",
        Certificate = "certificate",
        Age = "age",
        Contract = "contract",
        Dispatch = "dispatch",
        Conflict = "conflict",
    }
}

/// A set of grounds: a bit each, in the order of [`Ground::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Grounds(pub u8);

impl Grounds {
    pub const NONE: Self = Self(0);

    /// What keeps the month from passing: empty where it passes.
    pub fn failing(verdict: &Verdict) -> Self {
        let stands = |check: &&Check| matches!(verdict.codes.sign(**check), Sign::Fail | Sign::Pending);
        let checks = Check::ALL.iter().filter(stands).fold(0, |bits, check| bits | 1 << check.number());
        Self(checks | u8::from(verdict.conflict) << Ground::Conflict.number())
    }

    /// The checks that are not known yet.
    pub fn pending(verdict: &Verdict) -> Self {
        let pending = |check: &&Check| verdict.codes.sign(**check) == Sign::Pending;
        Self(Check::ALL.iter().filter(pending).fold(0, |bits, check| bits | 1 << check.number()))
    }

    #[must_use]
    pub const fn with(self, ground: Ground) -> Self {
        Self(self.0 | 1 << ground.number())
    }

    pub const fn contains(self, ground: Ground) -> bool {
        self.0 & 1 << ground.number() != 0
    }

    /// Those of `self` that `other` lacks.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Ground> {
        Ground::ALL.iter().copied().filter(move |ground| self.contains(*ground))
    }
}

/// A reviewer's word on one month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub approved: bool,
    /// What failed when it was decided: a decision reaches no further.
    pub grounds: Grounds,
    pub decided_at: DateTime<Utc>,
    /// Where the policy asks for a second person: whether that person has agreed. Until then nothing is decided.
    pub effective: bool,
}

/// What is known of one month of a placement besides its verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MonthFacts {
    /// The employer's own choice; `None`: what passes is ticked.
    pub choice: Option<bool>,
    /// Grounds for which evidence is attached to this month.
    pub evidence: Grounds,
    /// When the employer handed the placement in for review, last.
    pub handed_in_at: Option<DateTime<Utc>>,
    pub decision: Option<Decision>,
}

/// Where one month stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonthStanding {
    Unticked,
    /// Ticked, and passes by itself.
    Passed,
    /// Ticked, does not pass, and a reviewer approved it.
    Approved,
    /// Ticked, does not pass, and evidence is missing for these grounds.
    EvidenceMissing(Grounds),
    /// Ticked, with all its evidence, and not handed in yet.
    Ready,
    /// In the hands of staff.
    UnderReview,
    /// A reviewer said no; the employer unticks it, or hands in again.
    Rejected,
}

impl MonthStanding {
    pub fn of(verdict: &Verdict, facts: &MonthFacts) -> Self {
        if !facts.choice.unwrap_or_else(|| verdict.passed()) {
            return Self::Unticked;
        }
        let failing = Grounds::failing(verdict);
        if failing.is_empty() {
            return Self::Passed;
        }
        let decision = facts.decision.filter(|decision| decision.effective);
        let decided = decision.filter(|decision| failing.without(decision.grounds).is_empty());
        if decided.is_some_and(|decision| decision.approved) {
            return Self::Approved;
        }
        let again = |decision: &Decision| facts.handed_in_at.is_some_and(|at| at > decision.decided_at);
        if decided.is_some_and(|decision| !decision.approved && !again(&decision)) {
            return Self::Rejected;
        }
        let missing = failing.without(facts.evidence);
        if !missing.is_empty() {
            return Self::EvidenceMissing(missing);
        }
        if facts.handed_in_at.is_some() { Self::UnderReview } else { Self::Ready }
    }

    /// Whether a completion takes the month.
    pub fn is_confirmed(self) -> bool {
        matches!(self, Self::Passed | Self::Approved)
    }
}

words! {
    /// Where a placement stands: the least advanced of its ticked months.
    PlacementStanding {
        /// Something is still to be done by the employer.
        Draft = "draft",
        /// All evidence is there; to be handed in.
        Ticked = "ticked",
        UnderReview = "under_review",
        /// A month was rejected.
        Returned = "returned",
        /// 已审核确认
        Confirmed = "confirmed",
    }
}

impl PlacementStanding {
    pub fn of(months: impl IntoIterator<Item = MonthStanding>) -> Self {
        let mut standing = Self::Confirmed;
        for month in months {
            let one = match month {
                MonthStanding::Unticked | MonthStanding::Passed | MonthStanding::Approved => Self::Confirmed,
                MonthStanding::EvidenceMissing(_) => Self::Draft,
                MonthStanding::Ready => Self::Ticked,
                MonthStanding::UnderReview => Self::UnderReview,
                MonthStanding::Rejected => Self::Returned,
            };
            let rank = |standing: Self| match standing {
                Self::Draft => 0,
                Self::Returned => 1,
                Self::Ticked => 2,
                Self::UnderReview => 3,
                Self::Confirmed => 4,
            };
            if rank(one) < rank(standing) {
                standing = one;
            }
        }
        standing
    }
}
