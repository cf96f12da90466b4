//! Users and their grants: what the one role of a user reaches, and how long, each grant ending by itself.

use chrono::NaiveDate;

use super::access::{Role, Scope};
use super::facts::UnitId;

/// What one grant reaches.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    Everything,
    /// Two, four or six digits of the division in charge.
    Division(String),
    /// One employer, for the legal person or a handler of it.
    Unit(UnitId),
}

/// A grant: business dates, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub reach: Reach,
    pub from_on: NaiveDate,
    /// `None`: until it is revoked.
    pub until_on: Option<NaiveDate>,
    pub revoked: bool,
}

impl Grant {
    pub fn holds_on(&self, day: NaiveDate) -> bool {
        !self.revoked && self.from_on <= day && self.until_on.is_none_or(|until| day <= until)
    }

    fn overlaps(&self, other: &Self) -> bool {
        let begins_in = |a: &Self, b: &Self| a.until_on.is_none_or(|until| b.from_on <= until);
        !self.revoked && !other.revoked && begins_in(self, other) && begins_in(other, self)
    }
}

/// What the grants that hold on a day reach together; `None`: none of them holds.
pub fn scope_on(grants: &[Grant], day: NaiveDate) -> Option<Scope> {
    let mut scope = None;
    for grant in grants.iter().filter(|grant| grant.holds_on(day)) {
        match (&grant.reach, &mut scope) {
            (Reach::Everything, _) => return Some(Scope::Everything),
            // of one role all are of one kind, and no two of staff hold at once
            (Reach::Division(prefix), _) => scope = Some(Scope::Division(prefix.clone())),
            (Reach::Unit(unit), Some(Scope::Units(units))) => units.push(*unit),
            (Reach::Unit(unit), _) => scope = Some(Scope::Units(vec![*unit])),
        }
    }
    scope
}

/// Why something about a user cannot be as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefused {
    #[error("the role {0} acts for units: name one by its unified social credit code")]
    UnitNeeded(Role),
    #[error("the role {0} has a division (two, four or six digits) or everything, no unit of its own")]
    NoUnit(Role),
    #[error("that is no division; accepted are its first two, four or six digits")]
    NotADivision,
    #[error("a handler acts for a time: say until which day")]
    EndNeeded,
    #[error("it would end on {until} before it begins on {from}")]
    EndsBeforeItBegins { from: NaiveDate, until: NaiveDate },
    #[error("it would end on {until}, which is over")]
    Over { until: NaiveDate },
    #[error(
        "another grant of the user holds from {} {}: revoke that one first, or choose days beside it", .0.from_on, until(.0)
    )]
    Overlaps(Grant),
}

fn until(grant: &Grant) -> String {
    grant.until_on.map_or_else(|| "on".to_owned(), |day| format!("until {day}"))
}

impl GrantRefused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnitNeeded(_) => "unit_needed",
            Self::NoUnit(_) => "no_unit",
            Self::NotADivision => "not_a_division",
            Self::EndNeeded => "end_needed",
            Self::EndsBeforeItBegins { .. } => "ends_before_it_begins",
            Self::Over { .. } => "over",
            Self::Overlaps(_) => "overlaps",
        }
    }

    pub fn chinese(&self) -> &'static str {
        match self {
            Self::UnitNeeded(_) => "该角色须指定单位的统一社会信用代码。",
            Self::NoUnit(_) => "该角色按行政区划或全部授权，不能指定单位。",
            Self::NotADivision => "行政区划代码须为前两位、四位或六位数字。",
            Self::EndNeeded => "经办人授权须有截止日期。",
            Self::EndsBeforeItBegins { .. } => "授权截止日期早于起始日期。",
            Self::Over { .. } => "授权截止日期已过。",
            Self::Overlaps(_) => "该用户在此期间已有授权，请先撤销或另选日期。",
        }
    }
}

/// Whether a user of this role who has these grants may have one more on that day.
pub fn check_grant(role: Role, new: &Grant, existing: &[Grant], today: NaiveDate) -> Result<(), GrantRefused> {
    let acts_for_units = matches!(role, Role::Employer | Role::Handler);
    match &new.reach {
        Reach::Unit(_) if !acts_for_units => return Err(GrantRefused::NoUnit(role)),
        Reach::Everything | Reach::Division(_) if acts_for_units => return Err(GrantRefused::UnitNeeded(role)),
        Reach::Division(prefix)
            if !matches!(prefix.len(), 2 | 4 | 6) || !prefix.bytes().all(|sign| sign.is_ascii_digit()) =>
        {
            return Err(GrantRefused::NotADivision);
        }
        _ => {}
    }
    match new.until_on {
        None if role == Role::Handler => return Err(GrantRefused::EndNeeded),
        Some(until) if until < new.from_on => {
            return Err(GrantRefused::EndsBeforeItBegins { from: new.from_on, until });
        }
        Some(until) if until < today => return Err(GrantRefused::Over { until }),
        _ => {}
    }
    let same = |other: &&Grant| (!acts_for_units || other.reach == new.reach) && other.overlaps(new);
    match existing.iter().find(same) {
        Some(other) => Err(GrantRefused::Overlaps(other.clone())),
        None => Ok(()),
    }
}

/// As whom the program acts by itself: nobody else is called so.
const PROGRAM: &str = "schedule";

/// What an account is called: 2 to 32 small letters, digits, dots, dashes and underlines, a letter first.
pub fn is_account(text: &str) -> bool {
    let fits = |sign: u8| sign.is_ascii_lowercase() || sign.is_ascii_digit() || b"._-".contains(&sign);
    text != PROGRAM
        && (2..=32).contains(&text.len())
        && text.starts_with(|sign: char| sign.is_ascii_lowercase())
        && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn grant(reach: Reach, from: &str, until: Option<&str>) -> Grant {
        Grant { reach, from_on: day(from), until_on: until.map(day), revoked: false }
    }

    const ONE: Reach = Reach::Unit(UnitId(1));
    const TWO: Reach = Reach::Unit(UnitId(2));

    #[test]
    fn a_grant_holds_on_its_first_and_last_day_and_neither_before_nor_after() {
        let grants = [grant(ONE, "2026-03-01", Some("2026-03-31")), grant(TWO, "2026-03-15", None)];
        let units = |on: &str| match scope_on(&grants, day(on)) {
            Some(Scope::Units(units)) => units.iter().map(|unit| unit.0).collect(),
            None => Vec::new(),
            other => panic!("{other:?}"),
        };
        assert_eq!(units("2026-02-28"), [0; 0]);
        assert_eq!(units("2026-03-01"), [1]);
        assert_eq!(units("2026-03-15"), [1, 2]);
        assert_eq!(units("2026-03-31"), [1, 2]);
        assert_eq!(units("2026-04-01"), [2]);
    }

    #[test]
    fn a_revoked_grant_reaches_nothing_and_everything_goes_before_a_part() {
        let revoked = Grant { revoked: true, ..grant(ONE, "2026-03-01", None) };
        assert_eq!(scope_on(&[revoked], day("2026-03-02")), None);
        let staff = [grant(Reach::Division("3601".to_owned()), "2026-03-01", None)];
        assert_eq!(scope_on(&staff, day("2026-03-02")), Some(Scope::Division("3601".to_owned())));
        let all = [staff[0].clone(), grant(Reach::Everything, "2026-03-01", None)];
        assert_eq!(scope_on(&all, day("2026-03-02")), Some(Scope::Everything));
    }

    #[test]
    fn every_role_has_its_own_kind_of_grant() {
        let division = |digits: &str| Reach::Division(digits.to_owned());
        let mut table = String::new();
        for role in &Role::OF_USERS {
            for (name, reach) in [
                ("unit", ONE),
                ("36", division("36")),
                ("360", division("360")),
                ("36010x", division("36010x")),
                ("everything", Reach::Everything),
            ] {
                let new = grant(reach, "2026-03-01", Some("2026-12-31"));
                let said = check_grant(*role, &new, &[], day("2026-03-01"));
                let said = said.map_or_else(|refused| refused.code(), |()| "granted");
                table.extend([role.as_str(), " ", name, ": ", said, "\n"]);
            }
        }
        insta::assert_snapshot!(table, @r###"
employer unit: granted
employer 36: unit_needed
employer 360: unit_needed
employer 36010x: unit_needed
employer everything: unit_needed
handler unit: granted
handler 36: unit_needed
handler 360: unit_needed
handler 36010x: unit_needed
handler everything: unit_needed
reviewer unit: no_unit
reviewer 36: granted
reviewer 360: not_a_division
reviewer 36010x: not_a_division
reviewer everything: granted
supervisor unit: no_unit
supervisor 36: granted
supervisor 360: not_a_division
supervisor 36010x: not_a_division
supervisor everything: granted
operator unit: no_unit
operator 36: granted
operator 360: not_a_division
operator 36010x: not_a_division
operator everything: granted
auditor unit: no_unit
auditor 36: granted
auditor 360: not_a_division
auditor 36010x: not_a_division
auditor everything: granted
tax_department unit: no_unit
tax_department 36: granted
tax_department 360: not_a_division
tax_department 36010x: not_a_division
tax_department everything: granted
"###);
    }

    #[test]
    fn days_that_cannot_be_meant_are_refused() {
        let today = day("2026-03-10");
        let said = |role, new: &Grant| check_grant(role, new, &[], today).map_err(|refused| refused.code());
        assert_eq!(said(Role::Handler, &grant(ONE, "2026-03-10", None)), Err("end_needed"));
        assert_eq!(said(Role::Employer, &grant(ONE, "2026-03-10", None)), Ok(()));
        assert_eq!(said(Role::Handler, &grant(ONE, "2026-03-10", Some("2026-03-10"))), Ok(()));
        assert_eq!(said(Role::Handler, &grant(ONE, "2026-03-10", Some("2026-03-09"))), Err("ends_before_it_begins"));
        assert_eq!(said(Role::Handler, &grant(ONE, "2026-03-01", Some("2026-03-09"))), Err("over"));
    }

    #[test]
    fn grants_may_stand_beside_each_other_but_not_upon() {
        let today = day("2026-03-01");
        let march = grant(ONE, "2026-03-01", Some("2026-03-31"));
        let said = |role, new: &Grant| check_grant(role, new, std::slice::from_ref(&march), today).is_ok();
        assert!(said(Role::Handler, &grant(ONE, "2026-04-01", Some("2026-04-30"))));
        assert!(!said(Role::Handler, &grant(ONE, "2026-03-31", Some("2026-04-30"))));
        assert!(said(Role::Handler, &grant(TWO, "2026-03-31", Some("2026-04-30"))), "of another unit");
        let revoked = Grant { revoked: true, ..march.clone() };
        let again = check_grant(Role::Handler, &march, &[revoked], today);
        assert_eq!(again, Ok(()), "what was revoked stands in nobody's way");
        let county = grant(Reach::Division("360102".to_owned()), "2026-03-01", None);
        let other = grant(Reach::Division("360103".to_owned()), "2026-05-01", None);
        let refused = check_grant(Role::Reviewer, &other, &[county], today).expect_err("one division at a time");
        assert_eq!(
            refused.to_string(),
            "another grant of the user holds from 2026-03-01 on: revoke that one first, or choose days beside it"
        );
    }

    #[test]
    fn an_account_is_a_short_word() {
        for (text, fits) in [
            ("li.hua", true),
            ("li", true),
            ("l", false),
            ("Li", false),
            ("operator li", false),
            ("7up", false),
            ("schedule", false),
            ("王芳", false),
        ] {
            assert_eq!(is_account(text), fits, "{text}");
        }
        assert!(is_account(&"a".repeat(32)) && !is_account(&"a".repeat(33)));
    }

    #[test]
    fn every_refusal_is_told_in_chinese_by_a_sentence_of_its_own() {
        let (from, until) = (day("2026-03-02"), day("2026-03-01"));
        let told = [
            (GrantRefused::UnitNeeded(Role::Employer), "该角色须指定单位的统一社会信用代码。"),
            (GrantRefused::NoUnit(Role::Reviewer), "该角色按行政区划或全部授权，不能指定单位。"),
            (GrantRefused::NotADivision, "行政区划代码须为前两位、四位或六位数字。"),
            (GrantRefused::EndNeeded, "经办人授权须有截止日期。"),
            (GrantRefused::EndsBeforeItBegins { from, until }, "授权截止日期早于起始日期。"),
            (GrantRefused::Over { until }, "授权截止日期已过。"),
            (GrantRefused::Overlaps(grant(ONE, "2026-03-01", None)), "该用户在此期间已有授权，请先撤销或另选日期。"),
        ];
        for (refused, chinese) in told {
            assert_eq!(refused.chinese(), chinese);
        }
    }
}
