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
    pub const ALL: Self = Self(u8::MAX);

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

    /// Those of either.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Reads a list of words; the error names the word that is none.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        words.into_iter().try_fold(Self::NONE, |all, word| {
            let ground = Ground::parse(word.trim()).ok_or_else(|| {
                let known: Vec<&str> = Ground::ALL.iter().map(|ground| ground.as_str()).collect();
                format!("`{word}` is no ground; accepted are {}", known.join(", "))
            })?;
            Ok(all.with(ground))
        })
    }

    pub fn words(self) -> Vec<&'static str> {
        self.iter().map(Ground::as_str).collect()
    }

    pub fn chinese(self) -> String {
        self.iter().map(Ground::chinese).collect::<Vec<_>>().join("、")
    }

    pub fn iter(self) -> impl Iterator<Item = Ground> {
        Ground::ALL.iter().copied().filter(move |ground| self.contains(*ground))
    }
}

/// As a list of words, for programs.
pub fn as_words<S: serde::Serializer>(grounds: &Grounds, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(grounds.words())
}

impl std::fmt::Display for Grounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words().join(", "))
    }
}

impl Ground {
    /// As the pages name it.
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::Wage => "工资",
            Self::Pension => "社保",
            Self::Medical => "医保",
            Self::Certificate => "残疾证",
            Self::Age => "年龄",
            Self::Contract => "合同",
            Self::Dispatch => "派遣备案",
            Self::Conflict => "重复申报",
        }
    }
}

/// A reviewer's word on one month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub approved: bool,
    /// What was decided on: a decision reaches no further than what failed then, as it failed then.
    pub verdict: Verdict,
    pub decided_at: DateTime<Utc>,
    /// Where the policy asks for a second person: whether that person has agreed. Until then nothing is decided.
    pub effective: bool,
}

impl Decision {
    /// Whether everything that stands in the way now stood there, and stood so, when it was decided.
    fn reaches(&self, now: &Verdict) -> bool {
        let passes = |check: Check| !matches!(now.codes.sign(check), Sign::Fail | Sign::Pending);
        let same = |check: &Check| passes(*check) || now.codes.get(*check) == self.verdict.codes.get(*check);
        Check::ALL.iter().all(same) && (!now.conflict || self.verdict.conflict)
    }
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
    /// Its word in lists and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unticked => "unticked",
            Self::Passed => "passed",
            Self::Approved => "approved",
            Self::EvidenceMissing(_) => "evidence_missing",
            Self::Ready => "ready",
            Self::UnderReview => "under_review",
            Self::Rejected => "rejected",
        }
    }

    pub fn of(verdict: &Verdict, facts: &MonthFacts) -> Self {
        if !facts.choice.unwrap_or_else(|| verdict.passed()) {
            return Self::Unticked;
        }
        let failing = Grounds::failing(verdict);
        if failing.is_empty() {
            return Self::Passed;
        }
        let decision = facts.decision.filter(|decision| decision.effective);
        let decided = decision.filter(|decision| decision.reaches(verdict));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::verdict::{AgeCode, CertificateCode, Codes, ContractCode, DispatchCode, InsuranceCode, WageCode};
    use super::*;

    /// A verdict that fails for these grounds.
    fn failing_for(grounds: Grounds) -> Verdict {
        let mut codes = Codes::PASSING;
        for ground in grounds.iter() {
            match ground {
                Ground::Wage => codes.wage = WageCode::BelowMinimum,
                Ground::Pension => codes.pension = InsuranceCode::NoRecord,
                Ground::Medical => codes.medical = InsuranceCode::Pending,
                Ground::Certificate => codes.certificate = CertificateCode::Expired,
                Ground::Age => codes.age = AgeCode::OverAge,
                Ground::Contract => codes.contract = ContractCode::None,
                Ground::Dispatch => codes.dispatch = DispatchCode::NotFiled,
                Ground::Conflict => {}
            }
        }
        Verdict { codes, conflict: grounds.contains(Ground::Conflict), weight: 1 }
    }

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::Duration::minutes(minute)
    }

    const WAGE: Grounds = Grounds::NONE.with(Ground::Wage);
    const BOTH: Grounds = WAGE.with(Ground::Pension);

    /// Ticked, with evidence for everything, handed in.
    fn handed_in() -> MonthFacts {
        MonthFacts { choice: Some(true), evidence: Grounds::ALL, handed_in_at: Some(at(10)), decision: None }
    }

    fn decided(approved: bool, grounds: Grounds, minute: i64) -> MonthFacts {
        let verdict = failing_for(grounds);
        let decision = Decision { approved, verdict, decided_at: at(minute), effective: true };
        MonthFacts { decision: Some(decision), ..handed_in() }
    }

    fn standing(grounds: Grounds, facts: MonthFacts) -> MonthStanding {
        MonthStanding::of(&failing_for(grounds), &facts)
    }

    #[test]
    fn what_stands_in_the_way_is_every_check_that_fails_or_waits_and_the_conflict() {
        for bits in 0..=u8::MAX {
            let grounds = Grounds(bits);
            assert_eq!(Grounds::failing(&failing_for(grounds)), grounds);
        }
        let medical = Grounds::NONE.with(Ground::Medical);
        assert_eq!(Grounds::pending(&failing_for(BOTH.with(Ground::Medical))), medical);
    }

    #[test]
    fn a_month_that_passes_is_ticked_unless_it_is_unticked() {
        let chosen = |choice| MonthFacts { choice, ..MonthFacts::default() };
        assert_eq!(standing(Grounds::NONE, chosen(None)), MonthStanding::Passed);
        assert_eq!(standing(Grounds::NONE, chosen(Some(true))), MonthStanding::Passed);
        assert_eq!(standing(Grounds::NONE, chosen(Some(false))), MonthStanding::Unticked);
        assert_eq!(standing(WAGE, chosen(None)), MonthStanding::Unticked);
    }

    #[test]
    fn evidence_is_asked_for_each_ground() {
        let with = |evidence| MonthFacts { choice: Some(true), evidence, ..MonthFacts::default() };
        let pension = Grounds::NONE.with(Ground::Pension);
        assert_eq!(standing(BOTH, with(Grounds::NONE)), MonthStanding::EvidenceMissing(BOTH));
        assert_eq!(standing(BOTH, with(WAGE)), MonthStanding::EvidenceMissing(pension));
        assert_eq!(standing(BOTH, with(BOTH)), MonthStanding::Ready);
        assert_eq!(standing(BOTH, handed_in()), MonthStanding::UnderReview);
    }

    #[test]
    fn an_approval_reaches_as_far_as_its_grounds() {
        let approved = decided(true, WAGE, 20);
        assert_eq!(standing(WAGE, approved), MonthStanding::Approved);
        assert_eq!(standing(Grounds::NONE, approved), MonthStanding::Passed, "a later delivery made it pass");
        assert_eq!(standing(BOTH, approved), MonthStanding::UnderReview, "a later delivery made it fail otherwise");
        let without = MonthFacts { evidence: WAGE, ..approved };
        let pension = Grounds::NONE.with(Ground::Pension);
        assert_eq!(standing(BOTH, without), MonthStanding::EvidenceMissing(pension));
    }

    #[test]
    fn an_approval_is_of_what_failed_as_it_failed() {
        let approved = decided(true, WAGE, 20);
        let mut other = failing_for(WAGE);
        other.codes.wage = WageCode::NoRecord;
        assert_eq!(
            MonthStanding::of(&other, &approved),
            MonthStanding::UnderReview,
            "the wage is missing now, not too low"
        );
        other.codes.wage = WageCode::Pending;
        assert_eq!(MonthStanding::of(&other, &approved), MonthStanding::UnderReview);
    }

    #[test]
    fn a_rejected_month_is_looked_at_again_when_it_is_handed_in_again() {
        assert_eq!(standing(WAGE, decided(false, WAGE, 20)), MonthStanding::Rejected);
        assert_eq!(standing(WAGE, decided(false, WAGE, 10)), MonthStanding::Rejected, "handed in at that very instant");
        assert_eq!(standing(WAGE, decided(false, WAGE, 5)), MonthStanding::UnderReview);
    }

    #[test]
    fn a_proposal_decides_nothing() {
        let mut proposed = decided(true, WAGE, 20);
        proposed.decision = proposed.decision.map(|decision| Decision { effective: false, ..decision });
        assert_eq!(standing(WAGE, proposed), MonthStanding::UnderReview);
    }

    #[test]
    fn a_placement_stands_where_its_least_advanced_month_does() {
        use MonthStanding as M;
        let of = |months: &[M]| PlacementStanding::of(months.iter().copied());
        assert_eq!(of(&[M::Unticked, M::Passed, M::Approved]), PlacementStanding::Confirmed);
        assert_eq!(of(&[M::Passed, M::UnderReview]), PlacementStanding::UnderReview);
        assert_eq!(of(&[M::UnderReview, M::Ready]), PlacementStanding::Ticked);
        assert_eq!(of(&[M::Ready, M::Rejected]), PlacementStanding::Returned);
        assert_eq!(of(&[M::Rejected, M::EvidenceMissing(WAGE)]), PlacementStanding::Draft);
    }

    fn any_facts() -> impl Strategy<Value = MonthFacts> {
        let decision = (any::<bool>(), any::<u8>(), 0..40_i64, any::<bool>()).prop_map(
            |(approved, grounds, minute, effective)| Decision {
                approved,
                verdict: failing_for(Grounds(grounds)),
                decided_at: at(minute),
                effective,
            },
        );
        (any::<Option<bool>>(), any::<u8>(), prop::option::of(0..40_i64), prop::option::of(decision)).prop_map(
            |(choice, evidence, handed_in, decision)| MonthFacts {
                choice,
                evidence: Grounds(evidence),
                handed_in_at: handed_in.map(at),
                decision,
            },
        )
    }

    proptest! {
        #[test]
        fn a_month_counts_only_ticked_and_passing_or_approved_for_all_that_fails(bits: u8, facts in any_facts()) {
            let grounds = Grounds(bits);
            let confirmed = standing(grounds, facts).is_confirmed();
            let ticked = facts.choice.unwrap_or(grounds.is_empty());
            let approved = facts.decision.is_some_and(|decision| {
                let then = Grounds::failing(&decision.verdict);
                decision.effective && decision.approved && grounds.without(then).is_empty()
            });
            prop_assert_eq!(confirmed, ticked && (grounds.is_empty() || approved));
        }

        #[test]
        fn nothing_is_under_review_without_evidence_for_everything_and_a_handing_in(bits: u8, facts in any_facts()) {
            if standing(Grounds(bits), facts) == MonthStanding::UnderReview {
                prop_assert!(facts.handed_in_at.is_some() && Grounds(bits).without(facts.evidence).is_empty());
            }
        }

        #[test]
        fn words_of_grounds_are_read_as_they_are_written(bits: u8) {
            prop_assert_eq!(Grounds::parse(Grounds(bits).words()), Ok(Grounds(bits)));
        }
    }

    #[test]
    fn grounds_are_a_set() {
        let age = Grounds::NONE.with(Ground::Age);
        assert_eq!(BOTH.with(Ground::Wage), BOTH, "once is enough");
        assert_eq!((BOTH.and(WAGE), WAGE.and(age)), (BOTH, WAGE.with(Ground::Age)));
        assert!(BOTH.intersects(WAGE) && WAGE.intersects(BOTH) && !BOTH.intersects(age));
        assert!(!Grounds::ALL.intersects(Grounds::NONE));
    }

    #[test]
    fn grounds_and_standings_are_told_in_words() {
        use MonthStanding as M;
        assert_eq!(Grounds::ALL.to_string(), "wage, pension, medical, certificate, age, contract, dispatch, conflict");
        assert_eq!(Grounds::ALL.chinese(), "工资、社保、医保、残疾证、年龄、合同、派遣备案、重复申报");
        let all =
            [M::Unticked, M::Passed, M::Approved, M::EvidenceMissing(WAGE), M::Ready, M::UnderReview, M::Rejected];
        let words = ["unticked", "passed", "approved", "evidence_missing", "ready", "under_review", "rejected"];
        assert_eq!(all.map(M::as_str), words);
    }
}
