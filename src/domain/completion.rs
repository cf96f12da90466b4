//! Whether a declaration may be completed (完成申报) on a day: everything that still stands in the way, at once.

use chrono::NaiveDate;

use super::declaration::Commitment;
use super::facts::PersonId;
use super::month::Month;

/// The days on which completion is open for this employer, both included. The caller has added what a review, a
/// withdrawal or a rejection leaves open beyond the window's own last day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub first_day: NaiveDate,
    pub last_day: NaiveDate,
}

impl Window {
    pub fn contains(&self, day: NaiveDate) -> bool {
        (self.first_day..=self.last_day).contains(&day)
    }
}

/// One person of the declaration, as the completion looks at them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredPerson {
    pub person: PersonId,
    /// Ticked months that passed or that a reviewer confirmed.
    pub confirmed: Vec<Month>,
    /// Ticked months that await evidence or a reviewer's decision.
    pub awaiting: Vec<Month>,
    /// Whether the ticked months differ from those of the version before; in a first version they all do.
    pub new_or_changed: bool,
    /// Whether a certificate is in force on the business date, by the register or by an original that a reviewer saw.
    pub certificate_in_force: bool,
}

/// What the completion looks at.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Today, Asia/Shanghai.
    pub business_date: NaiveDate,
    pub window: Window,
    pub persons: &'a [DeclaredPerson],
    /// What the employer accepted, if anything.
    pub accepted: Option<&'a Commitment>,
    /// The text that the policy has in force.
    pub commitment: &'a Commitment,
    /// The policy's `certificate_at_submission`.
    pub certificate_at_submission: bool,
}

/// What stands in the way of a completion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    #[error("declarations can be completed from {first_day} to {last_day}")]
    OutsideWindow { first_day: NaiveDate, last_day: NaiveDate },
    #[error("no month of any person is ticked; tick at least one, there is nothing to certify")]
    NoMonths,
    #[error("{} persons have ticked months that are not confirmed; untick them, or wait for the review", .0.len())]
    NotConfirmed(Vec<(PersonId, Vec<Month>)>),
    #[error("{} persons hold no certificate in force today; take them out, or have their certificates checked again", .0.len())]
    NoCertificate(Vec<PersonId>),
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
            Self::CommitmentNotAccepted { .. } => "commitment_not_accepted",
        }
    }

    pub fn chinese(&self) -> String {
        match self {
            Self::OutsideWindow { first_day, last_day } => format!("完成申报的时间为{first_day}至{last_day}。"),
            Self::NoMonths => "没有勾选任何人员的任何月份,无可认定的内容。".to_owned(),
            Self::NotConfirmed(persons) => format!("有{}人的勾选月份尚未审核确认。", persons.len()),
            Self::NoCertificate(persons) => {
                format!("有{}人当日没有有效的残疾证;请删除该人员或重新核验。", persons.len())
            }
            Self::CommitmentNotAccepted { version } => format!("请阅读并确认真实性承诺(版本{version})。"),
        }
    }
}

/// Everything that stands in the way; an empty `Err` does not occur.
pub fn check(facts: &Facts<'_>) -> Result<(), Vec<Obstacle>> {
    let mut obstacles = Vec::new();
    let Window { first_day, last_day } = facts.window;
    if !facts.window.contains(facts.business_date) {
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

    fn check_with(
        persons: &[DeclaredPerson],
        business_date: &str,
        accepted: Option<&Commitment>,
        certificate_at_submission: bool,
    ) -> Result<(), Vec<Obstacle>> {
        check(&Facts {
            business_date: day(business_date),
            window: Window { first_day: day("2026-03-01"), last_day: day("2026-10-31") },
            persons,
            accepted,
            commitment: &commitment("2026-1"),
            certificate_at_submission,
        })
    }

    #[test]
    fn the_window_is_open_on_its_first_and_last_day() {
        let accepted = commitment("2026-1");
        for (date, open) in [("2026-02-28", false), ("2026-03-01", true), ("2026-10-31", true), ("2026-11-01", false)] {
            let outcome = check_with(&[person(1)], date, Some(&accepted), true);
            assert_eq!(outcome.is_ok(), open, "{date}");
        }
    }

    #[test]
    fn persons_with_unconfirmed_months_are_named_with_those_months() {
        let waiting = DeclaredPerson { awaiting: months(3..=4), confirmed: months(5..=12), ..person(2) };
        assert_eq!(
            check_persons(&[person(1), waiting]),
            Err(vec![Obstacle::NotConfirmed(vec![(PersonId(2), months(3..=4))])])
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
        let wrong = DeclaredPerson { awaiting: months(3..=3), certificate_in_force: false, ..person(1) };
        let obstacles = check_with(&[wrong], "2026-11-01", None, true).expect_err("refused");
        let codes: Vec<_> = obstacles.iter().map(Obstacle::code).collect();
        assert_eq!(codes, ["outside_window", "not_confirmed", "no_certificate", "commitment_not_accepted"]);
        assert_eq!(obstacles[0].to_string(), "declarations can be completed from 2026-03-01 to 2026-10-31");
        assert!(obstacles[2].chinese().starts_with("有1人"));
    }
}
