//! Whether a declaration may be completed (完成申报) at an instant: everything that still stands in the way, at once.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::declaration::Commitment;
use super::facts::{PersonId, UnitId};
use super::month::{Month, SHANGHAI};
use super::review::MonthStanding;

/// The days on which completion is open for an employer, both included, from the first second of the one to the last of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Window {
    pub first_day: NaiveDate,
    pub last_day: NaiveDate,
}

/// What leaves completion open beyond the window's own last day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extending {
    /// When the employer handed in for review, last, and when a reviewer decided, last.
    pub reviewed: Option<Span>,
    /// When an approved withdrawal was asked for, and approved.
    pub withdrawn: Option<Span>,
    /// When the tax department rejected what was completed.
    pub rejected_at: Option<DateTime<Utc>>,
    /// When it was taken over that the department held what we could not prove, so that it is completed again.
    pub recovered_at: Option<DateTime<Utc>>,
}

/// What somebody did, and what staff answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub asked_at: DateTime<Utc>,
    pub answered_at: DateTime<Utc>,
}

impl Window {
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        (self.opens_at()..self.closes_at()).contains(&at)
    }

    /// The first instant.
    pub fn opens_at(&self) -> DateTime<Utc> {
        start_of(self.first_day)
    }

    /// The first instant that is no longer in it.
    pub fn closes_at(&self) -> DateTime<Utc> {
        start_of(self.last_day) + TimeDelta::days(1)
    }
}

/// Midnight in Shanghai.
fn start_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc() - TimeDelta::hours(8)
}

/// The window of one employer: the year's own, and `grace_days` after the last of what leaves it open. The day of the event is not
/// counted, and the last day counts to its end. A review or a withdrawal counts if it was asked for inside the year's own window;
/// after a rejection, and where the sides had parted, that day counts whenever it was.
pub fn window(own: Window, grace_days: u32, extending: &Extending) -> Window {
    let asked_inside = |span: &Span| own.contains(span.asked_at);
    let answers = [extending.reviewed, extending.withdrawn].into_iter().flatten().filter(asked_inside);
    let events = answers.map(|span| span.answered_at).chain(extending.rejected_at).chain(extending.recovered_at);
    let days = Days::new(u64::from(grace_days));
    let last_days = events.filter_map(|at| at.with_timezone(&SHANGHAI).date_naive().checked_add_days(days));
    Window { last_day: last_days.fold(own.last_day, Ord::max), ..own }
}

/// One person of the declaration, as the completion looks at them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredPerson {
    pub person: PersonId,
    /// Ticked months that passed or that a reviewer confirmed.
    pub confirmed: Vec<Month>,
    /// Ticked months that await evidence or a reviewer's decision, and where they stand.
    pub awaiting: Vec<(Month, MonthStanding)>,
    /// Whether the months differ from those in force at the tax department; where nothing is, they all do.
    pub new_or_changed: bool,
    /// Whether a certificate is in force on the business date, by the register or by an original that a reviewer saw.
    pub certificate_in_force: bool,
}

/// What the completion looks at.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub at: DateTime<Utc>,
    /// None: a unit that is being deregistered is completed at any time.
    pub window: Option<Window>,
    pub persons: &'a [DeclaredPerson],
    /// Affiliates in use whose proof is missing.
    pub without_proof: &'a [UnitId],
    /// What the employer accepted, if anything.
    pub accepted: Option<&'a Commitment>,
    /// The text that the policy has in force.
    pub commitment: &'a Commitment,
    /// The policy's `certificate_at_submission`.
    pub certificate_at_submission: bool,
}

/// A person with months that are not confirmed.
pub type Awaiting = (PersonId, Vec<(Month, MonthStanding)>);

/// What stands in the way of a completion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    #[error(
        "declarations can be completed from {first_day} to {last_day}, both days included, by the clock of Shanghai"
    )]
    OutsideWindow { first_day: NaiveDate, last_day: NaiveDate },
    #[error("no month of any person is ticked; tick at least one, there is nothing to certify")]
    NoMonths,
    #[error("{} persons have ticked months that are not confirmed; untick them, or wait for the review", .0.len())]
    NotConfirmed(Vec<Awaiting>),
    #[error("{} persons hold no certificate in force today; take them out, or have their certificates checked again", .0.len())]
    NoCertificate(Vec<PersonId>),
    #[error("{} affiliates in use are without proof; attach it, or take them out of the placements", .0.len())]
    WithoutProof(Vec<UnitId>),
    #[error("the commitment is not accepted in its present text, version {version}")]
    CommitmentNotAccepted { version: String },
}

impl Obstacle {
    pub fn code(&self) -> &'static str {
        match self {
            Self::OutsideWindow { .. } => "outside_window",
            Self::NoMonths => "no_months",
            Self::NotConfirmed(_) => "not_confirmed",
            Self::NoCertificate(_) => "no_certificate",
            Self::WithoutProof(_) => "without_proof",
            Self::CommitmentNotAccepted { .. } => "commitment_not_accepted",
        }
    }

    pub fn chinese(&self) -> String {
        match self {
            Self::OutsideWindow { first_day, last_day } => format!("完成申报的时间为{first_day}至{last_day}。"),
            Self::NoMonths => "没有勾选任何人员的任何月份，无可认定的内容。".to_owned(),
            Self::NotConfirmed(persons) => format!("有{}人的勾选月份尚未审核确认。", persons.len()),
            Self::NoCertificate(persons) => {
                format!("有{}人当日没有有效的残疾证件；请删除该人员或重新核验。", persons.len())
            }
            Self::WithoutProof(units) => format!("有{}个已使用的关联单位缺少证明材料；请上传或不再使用。", units.len()),
            Self::CommitmentNotAccepted { version } => format!("请阅读并确认真实性承诺（版本{version}）。"),
        }
    }
}

/// Everything that stands in the way; an empty `Err` does not occur.
pub fn check(facts: &Facts<'_>) -> Result<(), Vec<Obstacle>> {
    let mut obstacles = Vec::new();
    if let Some(Window { first_day, last_day }) = facts.window.filter(|window| !window.contains(facts.at)) {
        obstacles.push(Obstacle::OutsideWindow { first_day, last_day });
    }
    if facts.persons.iter().all(|person| !person.is_ticked()) {
        obstacles.push(Obstacle::NoMonths);
    }
    let awaiting = facts.persons.iter().filter(|person| !person.awaiting.is_empty());
    let awaiting: Vec<_> = awaiting.map(|person| (person.person, person.awaiting.clone())).collect();
    if !awaiting.is_empty() {
        obstacles.push(Obstacle::NotConfirmed(awaiting));
    }
    if facts.certificate_at_submission {
        let lacking = facts.persons.iter().filter(|person| person.lacks_certificate());
        let lacking: Vec<_> = lacking.map(|person| person.person).collect();
        if !lacking.is_empty() {
            obstacles.push(Obstacle::NoCertificate(lacking));
        }
    }
    if !facts.without_proof.is_empty() {
        obstacles.push(Obstacle::WithoutProof(facts.without_proof.to_vec()));
    }
    if facts.accepted != Some(facts.commitment) {
        obstacles.push(Obstacle::CommitmentNotAccepted { version: facts.commitment.version.clone() });
    }
    if obstacles.is_empty() { Ok(()) } else { Err(obstacles) }
}

impl DeclaredPerson {
    fn is_ticked(&self) -> bool {
        !(self.confirmed.is_empty() && self.awaiting.is_empty())
    }

    /// Of whom nothing is declared, no certificate is asked.
    fn lacks_certificate(&self) -> bool {
        self.is_ticked() && self.new_or_changed && !self.certificate_in_force
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("day")
    }

    fn months(numbers: std::ops::RangeInclusive<u32>) -> Vec<Month> {
        numbers.filter_map(|number| Month::new(2025, number)).collect()
    }

    fn commitment(version: &str) -> Commitment {
        Commitment { version: version.to_owned(), hash: "00ff".to_owned() }
    }

    fn person(id: i64) -> DeclaredPerson {
        DeclaredPerson {
            person: PersonId(id),
            confirmed: months(1..=12),
            awaiting: Vec::new(),
            new_or_changed: true,
            certificate_in_force: true,
        }
    }

    /// Checks on a day of the window with the present commitment accepted.
    fn check_persons(persons: &[DeclaredPerson]) -> Result<(), Vec<Obstacle>> {
        check_with(persons, "2026-03-15", Some(&commitment("2026-1")), true)
    }

    /// At ten in the morning, in Shanghai.
    fn check_with(
        persons: &[DeclaredPerson],
        business_date: &str,
        accepted: Option<&Commitment>,
        certificate_at_submission: bool,
    ) -> Result<(), Vec<Obstacle>> {
        check(&Facts {
            at: instant(&format!("{business_date}T10:00:00+08:00")),
            window: Some(own()),
            persons,
            without_proof: &[],
            accepted,
            commitment: &commitment("2026-1"),
            certificate_at_submission,
        })
    }

    fn own() -> Window {
        Window { first_day: day("2026-03-01"), last_day: day("2026-10-31") }
    }

    fn instant(text: &str) -> DateTime<Utc> {
        text.parse().expect("instant")
    }

    #[test]
    fn the_window_is_open_from_its_first_second_to_its_last() {
        let cases = [
            ("2026-02-28T23:59:59.999999+08:00", false),
            ("2026-03-01T00:00:00+08:00", true),
            ("2026-10-31T23:59:59.999999+08:00", true),
            ("2026-11-01T00:00:00+08:00", false),
            // the same last second, told elsewhere
            ("2026-10-31T15:59:59.999Z", true),
            ("2026-10-31T16:00:00Z", false),
        ];
        for (at, open) in cases {
            assert_eq!(own().contains(instant(at)), open, "{at}");
        }
    }

    #[test]
    fn what_was_asked_inside_the_window_leaves_it_open_ten_days_after_the_answer() {
        let span =
            |asked: &str, answered: &str| Some(Span { asked_at: instant(asked), answered_at: instant(answered) });
        let last = |extending: Extending| window(own(), 10, &extending).last_day.to_string();
        assert_eq!(last(Extending::default()), "2026-10-31");
        let inside = span("2026-10-31T23:59:59+08:00", "2026-11-20T00:00:01+08:00");
        assert_eq!(last(Extending { reviewed: inside, ..Extending::default() }), "2026-11-30");
        assert_eq!(last(Extending { withdrawn: inside, ..Extending::default() }), "2026-11-30");
        let late = span("2026-11-01T00:00:00+08:00", "2026-11-20T00:00:01+08:00");
        assert_eq!(last(Extending { reviewed: late, withdrawn: late, ..Extending::default() }), "2026-10-31");
        let rejected_at = Some(instant("2026-12-24T16:00:00Z"));
        assert_eq!(last(Extending { rejected_at, ..Extending::default() }), "2027-01-04", "the 25th in Shanghai");
        assert_eq!(last(Extending { reviewed: inside, rejected_at, ..Extending::default() }), "2027-01-04", "the last");
        let recovered_at = Some(instant("2026-12-01T10:00:00+08:00"));
        assert_eq!(last(Extending { recovered_at, ..Extending::default() }), "2026-12-11", "nobody else's fault");
        let early = span("2026-04-01T10:00:00+08:00", "2026-04-02T10:00:00+08:00");
        assert_eq!(last(Extending { reviewed: early, ..Extending::default() }), "2026-10-31", "never shorter");
        let extended = window(own(), 10, &Extending { reviewed: inside, ..Extending::default() });
        assert!(extended.contains(instant("2026-11-30T23:59:59.999+08:00")));
        assert!(!extended.contains(instant("2026-12-01T00:00:00+08:00")));
    }

    #[test]
    fn a_unit_that_is_being_deregistered_is_completed_at_any_time() {
        let accepted = commitment("2026-1");
        let facts = Facts {
            at: instant("2026-12-24T10:00:00+08:00"),
            window: None,
            persons: &[person(1)],
            without_proof: &[],
            accepted: Some(&accepted),
            commitment: &accepted,
            certificate_at_submission: true,
        };
        assert_eq!(check(&facts), Ok(()));
        let without_proof = [UnitId(7)];
        let facts = Facts { without_proof: &without_proof, ..facts };
        assert_eq!(check(&facts), Err(vec![Obstacle::WithoutProof(vec![UnitId(7)])]));
    }

    #[test]
    fn persons_with_unconfirmed_months_are_named_with_those_months() {
        let awaiting: Vec<_> = months(3..=4).into_iter().map(|month| (month, MonthStanding::UnderReview)).collect();
        let waiting = DeclaredPerson { awaiting: awaiting.clone(), confirmed: months(5..=12), ..person(2) };
        assert_eq!(
            check_persons(&[person(1), waiting]),
            Err(vec![Obstacle::NotConfirmed(vec![(PersonId(2), awaiting)])])
        );
    }

    #[test]
    fn persons_without_a_certificate_today_are_named_unless_nothing_of_theirs_is_new() {
        let lacking = |id| DeclaredPerson { certificate_in_force: false, ..person(id) };
        let unchanged = DeclaredPerson { new_or_changed: false, ..lacking(3) };
        let unticked = DeclaredPerson { confirmed: Vec::new(), ..lacking(4) };
        let persons = [person(1), lacking(2), unchanged, unticked];
        assert_eq!(check_persons(&persons), Err(vec![Obstacle::NoCertificate(vec![PersonId(2)])]));
        assert_eq!(check_with(&persons, "2026-03-15", Some(&commitment("2026-1")), false), Ok(()), "by policy");
    }

    #[test]
    fn the_commitment_must_be_accepted_in_its_present_text() {
        let refused = Err(vec![Obstacle::CommitmentNotAccepted { version: "2026-1".to_owned() }]);
        assert_eq!(check_with(&[person(1)], "2026-03-15", None, true), refused);
        assert_eq!(check_with(&[person(1)], "2026-03-15", Some(&commitment("2025-1")), true), refused);
        let edited = Commitment { hash: "ff00".to_owned(), ..commitment("2026-1") };
        assert_eq!(check_with(&[person(1)], "2026-03-15", Some(&edited), true), refused);
    }

    #[test]
    fn a_declaration_without_a_ticked_month_is_refused() {
        let unticked = DeclaredPerson { confirmed: Vec::new(), ..person(1) };
        assert_eq!(check_persons(&[unticked]), Err(vec![Obstacle::NoMonths]));
        assert_eq!(check_persons(&[]), Err(vec![Obstacle::NoMonths]));
    }

    #[test]
    fn every_obstacle_is_named_at_once_and_in_both_languages() {
        let awaiting = months(3..=3).into_iter().map(|month| (month, MonthStanding::Rejected)).collect();
        let wrong = DeclaredPerson { awaiting, certificate_in_force: false, ..person(1) };
        let obstacles = check_with(&[wrong], "2026-11-01", None, true).expect_err("refused");
        let codes: Vec<_> = obstacles.iter().map(Obstacle::code).collect();
        assert_eq!(codes, ["outside_window", "not_confirmed", "no_certificate", "commitment_not_accepted"]);
        assert_eq!(
            obstacles[0].to_string(),
            "declarations can be completed from 2026-03-01 to 2026-10-31, both days included, by the clock of Shanghai"
        );
        assert!(obstacles[2].chinese().starts_with("有1人"));
    }
}
