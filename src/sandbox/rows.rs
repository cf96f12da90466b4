//! The rows of the synthetic province in compact form: twelve million wages of a million persons fit in memory.
//!
//! Persons and units are places in [`Province::people`](super::province::Province) and `units`; instants are seconds
//! since 1970, all of them whole and before 2106.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime};

use super::stories::Story;
use crate::domain::facts::{
    CertificateKind, CertificateStatus, ContractKind, EmployerKind, FilingStatus, Relation, RetirementTrack,
};

/// Place of a person.
pub type PersonIndex = u32;
/// Place of a unit.
pub type UnitIndex = u32;

/// Asia/Shanghai in seconds: eight hours, no summer time since 1991.
pub const ZONE_S: i32 = 8 * 3600;

/// A person: the number and the name as registered.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    pub id_number: [u8; 18],
    pub name: Box<str>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("person")
    }
}

/// A unit of any role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    pub uscc: [u8; 18],
    pub name: Box<str>,
}

/// An employer that declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Employer {
    pub unit: UnitIndex,
    pub kind: EmployerKind,
    /// Six digits.
    pub division: u32,
    /// Overrides the division's.
    pub wage_class: Option<u8>,
    /// The class that counts, 1 to 3.
    pub effective_class: u8,
    pub tax_division: u32,
    /// In-post staff in halves: averages over a year need not be whole.
    pub headcount_halves: u32,
    pub total_wages_fen: i64,
    /// Months by which pay is reported after the month worked.
    pub wage_lag: u8,
    /// Wage periods at the year's end that the payer has not reported.
    pub unreported_tail: u8,
}

/// A unit listed by an employer, for the business year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affiliate {
    pub employer: UnitIndex,
    pub unit: UnitIndex,
    pub relation: Relation,
}

/// One person at one employer in the business year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    pub employer: UnitIndex,
    pub person: PersonIndex,
    pub dispatcher: Option<UnitIndex>,
    pub wage_payer: UnitIndex,
    pub pension_payer: UnitIndex,
    pub medical_payer: UnitIndex,
    pub track: Option<RetirementTrack>,
    /// What it shows; not part of any delivery.
    pub story: Story,
}

/// A contract of a placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    pub employer: UnitIndex,
    pub person: PersonIndex,
    pub kind: ContractKind,
    pub starts_on: NaiveDate,
    pub ends_on: Option<NaiveDate>,
    pub terminated_on: Option<NaiveDate>,
}

/// How a delivery spells what it means: readable, but not in normal form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wear {
    #[default]
    None,
    /// Spaces inside the ID number.
    Spaced,
    /// Full-width digits in the ID number.
    FullWidth,
    /// A lower-case check character, where it is X.
    LowerCase,
    /// The 15-digit form, for the 20th century.
    FifteenDigits,
    /// Spaces inside the name.
    NameSpaced,
    /// Another middle dot in the name.
    OtherDot,
}

/// What makes a record one that must be refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flaw {
    #[default]
    None,
    /// The ID's check digit does not fit.
    IdChecksum,
    /// The unit's code is one off.
    UnitCode,
    /// An amount with three decimals.
    ThreeDecimals,
    /// 30 February.
    ImpossibleDate,
    /// Month 13.
    ImpossibleMonth,
    /// A status that no code list knows.
    UnknownWord,
    /// The field that says what happened is not there.
    MissingField,
}

/// One version of a wage record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WageRow {
    pub person: PersonIndex,
    pub payer: UnitIndex,
    pub amount_fen: i32,
    pub record: u32,
    pub stamp_s: u32,
    /// Months since January of the business year, 0 to 12.
    pub period: u8,
    pub deleted: bool,
    pub wear: Wear,
    pub flaw: Flaw,
}

/// The person's own flexible-employment account, in place of a unit.
pub const OWN_ACCOUNT: UnitIndex = u32::MAX;

/// How a month of insurance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contribution {
    Paid,
    Owed,
    BackPaid,
    /// Employee coverage in the public sector's pension scheme.
    PaidPublic,
    ResidentPaid,
    ResidentOwed,
}

/// One version of a record of a month's insurance in one scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InsuranceRow {
    pub person: PersonIndex,
    /// [`OWN_ACCOUNT`] for none.
    pub unit: UnitIndex,
    pub record: u32,
    pub stamp_s: u32,
    /// Months since January of the business year, 0 to 11.
    pub period: u8,
    pub deleted: bool,
    pub contribution: Contribution,
    pub wear: Wear,
    pub flaw: Flaw,
}

/// One version of a record of the certificate register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateRow {
    pub person: PersonIndex,
    pub record: u32,
    pub stamp_s: u32,
    pub valid_from: NaiveDate,
    pub valid_to: Option<NaiveDate>,
    pub status_since: Option<NaiveDate>,
    pub kind: CertificateKind,
    pub status: CertificateStatus,
    pub level: u8,
    /// The level that the number says; another one is accepted and listed.
    pub number_level: u8,
    /// 1 to 7; 0 for soldiers.
    pub category: u8,
    /// 0, or the counter of `B1`, `B2` …
    pub reissue: u8,
    pub deleted: bool,
    pub flaw: Flaw,
    pub wear: Wear,
}

/// One version of a dispatch company's filing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilingRow {
    pub dispatcher: UnitIndex,
    pub record: u32,
    pub stamp_s: u32,
    /// Six digits.
    pub province: u32,
    pub valid_from: NaiveDate,
    pub valid_to: Option<NaiveDate>,
    pub status: FilingStatus,
    pub flaw: Flaw,
}

/// The instant `second` seconds after midnight of a day in Shanghai.
pub fn stamp_s(day: NaiveDate, second: u32) -> u32 {
    let midnight = day.and_time(NaiveTime::MIN).and_utc().timestamp() - i64::from(ZONE_S);
    u32::try_from(midnight).unwrap_or_default() + second
}

/// A stamp as an instant in Shanghai.
pub fn instant(stamp_s: u32) -> DateTime<FixedOffset> {
    let zone = FixedOffset::east_opt(ZONE_S).unwrap_or_else(|| chrono::Offset::fix(&chrono::Utc));
    DateTime::from_timestamp(i64::from(stamp_s), 0).unwrap_or_default().with_timezone(&zone)
}
