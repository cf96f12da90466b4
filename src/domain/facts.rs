//! What the agencies and the employers said, in the form in which the judge reads it.

use chrono::{DateTime, NaiveDate, Utc};

use super::ids::Sex;
use super::money::Fen;
use super::month::Month;

/// A person, opaque: the number under which everything about them is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct PersonId(pub i64);

/// A unit (employer, affiliate, dispatch company), interned from its USCC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct UnitId(pub i32);

/// The stored version of a record that a fact was read from: the thread back to source, batch, page and row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct VersionId(pub i64);

/// Words that stand for a closed set: their text in files and answers, their number in storage.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_meta])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }

            /// The stored number: the place in the order in which the words are written down.
            pub const fn number(self) -> u8 {
                self as u8
            }

            pub fn from_number(number: u8) -> Option<Self> {
                Self::ALL.get(usize::from(number)).copied()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// The four kinds of record that agencies deliver.
    RecordKind { Wage = "wage", Insurance = "insurance", Certificate = "certificate", DispatchFiling = "dispatch_filing" }
}
words! {
    /// 养老 or 医疗.
    Scheme { Pension = "pension", Medical = "medical" }
}
words! {
    /// Employee insurance or the residents' scheme.
    Coverage { Employee = "employee", Resident = "resident" }
}
words! {
    /// Whether a month's contribution arrived.
    ContributionStatus { Paid = "paid", Owed = "owed" }
}
words! {
    /// 正常缴费 or 补缴.
    Payment { Normal = "normal", BackPayment = "back_payment" }
}
words! {
    /// 残疾人证 or 残疾军人证.
    CertificateKind { DisabledPerson = "disabled_person", DisabledSoldier = "disabled_soldier" }
}
words! {
    /// The register's word on a certificate.
    CertificateStatus { Valid = "valid", Expired = "expired", Frozen = "frozen", Cancelled = "cancelled", Replaced = "replaced" }
}
words! {
    /// The labour platform's word on a dispatch company's filing (劳务派遣备案).
    FilingStatus { Approved = "approved", Pending = "pending", Rejected = "rejected", Revoked = "revoked" }
}
words! {
    /// 劳动合同 or 在编.
    ContractKind { Labour = "labour", Establishment = "establishment" }
}
words! {
    /// The kinds of employer that the levy tells apart.
    EmployerKind {
        Enterprise = "enterprise",
        PublicInstitution = "public_institution",
        StateOrgan = "state_organ",
        SocialOrganisation = "social_organisation",
        Other = "other",
    }
}
words! {
    /// How a unit other than the employer comes to pay.
    Relation { Dispatch = "dispatch", Affiliate = "affiliate" }
}
words! {
    /// Which age of retirement applies, before the phased delay.
    RetirementTrack { Men60 = "men_60", Women55 = "women_55", Women50 = "women_50" }
}

impl RetirementTrack {
    pub fn sex(self) -> Sex {
        match self {
            Self::Men60 => Sex::Male,
            Self::Women55 | Self::Women50 => Sex::Female,
        }
    }

    /// What holds where the placement says nothing: women are taken on the 55 track.
    pub fn default_for(sex: Sex) -> Self {
        match sex {
            Sex::Male => Self::Men60,
            Sex::Female => Self::Women55,
        }
    }
}

/// One amount that a unit reported as paid for a tax period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wage {
    pub version: VersionId,
    pub period: Month,
    pub payer: UnitId,
    pub amount: Fen,
}

/// One month's contribution in one scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insurance {
    pub version: VersionId,
    pub period: Month,
    pub scheme: Scheme,
    pub coverage: Coverage,
    /// `None`: the person's own flexible-employment account.
    pub insured: Option<UnitId>,
    pub status: ContributionStatus,
    pub payment: Payment,
}

/// One certificate as the register holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub version: VersionId,
    pub kind: CertificateKind,
    /// 1–4; soldiers 1–10.
    pub level: u8,
    pub valid_from: NaiveDate,
    pub valid_to: Option<NaiveDate>,
    pub status: CertificateStatus,
    pub status_since: Option<NaiveDate>,
    pub updated_at: DateTime<Utc>,
}

/// One filing of a dispatch company.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DispatchFiling {
    pub version: VersionId,
    pub dispatcher: UnitId,
    /// The first two digits of the division: the province.
    pub province: u8,
    pub valid_from: NaiveDate,
    pub valid_to: Option<NaiveDate>,
    pub status: FilingStatus,
}

/// A labour contract, or a place on the establishment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contract {
    pub kind: ContractKind,
    pub starts_on: NaiveDate,
    /// The last day; `None` is open-ended.
    pub ends_on: Option<NaiveDate>,
    pub terminated_on: Option<NaiveDate>,
}
