//! The message that hands a certification to the tax department or takes one back; `schemas/tax/message.json` is its shape.

use chrono::{DateTime, FixedOffset, Utc};
use serde::Serialize;

use super::counting::Count;
use super::ids::Uscc;
use super::message::{Message, MessageKind};
use super::month::SHANGHAI;

/// A message to the tax department (认定结果报文). It holds no personal rows: the levy needs none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OutboundMessage {
    /// The result of a year is certified (认定).
    Certified(CertifiedMessage),
    /// The version is withdrawn (撤回): the employer has no certified result for the year any more.
    Withdrawn(WithdrawnMessage),
}

/// What every message says of itself and of its employer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct Heading {
    /// The message's own id, a version 7 UUID (报文编号).
    #[cfg_attr(feature = "pipeline", schemars(extend("format" = "uuid")))]
    pub message_id: String,
    /// `{uscc}:{year}:{version}:{kind}`, with `:2`, `:3` … appended when a rejected message is issued again (幂等键).
    pub idempotency_key: String,
    /// The version of the result, from 1; of a withdrawal, the version that is withdrawn (版本号).
    #[cfg_attr(feature = "pipeline", schemars(range(min = 1)))]
    pub version: u32,
    /// The employer's unified social credit code (统一社会信用代码).
    #[cfg_attr(feature = "pipeline", schemars(with = "String", regex(pattern = "^[0-9A-Z]{18}$")))]
    pub uscc: Uscc,
    /// The employer's name (用人单位名称).
    pub employer_name: String,
    /// The division of the tax department in charge, six digits (主管税务机关所在行政区划).
    #[cfg_attr(feature = "pipeline", schemars(regex(pattern = "^[0-9]{6}$")))]
    pub tax_division: String,
    /// The year the levy is for (费款所属年度).
    #[cfg_attr(feature = "pipeline", schemars(range(min = 2000, max = 9999)))]
    pub year: i16,
}

/// A certified result in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct CertifiedMessage {
    #[serde(flatten)]
    pub heading: Heading,
    /// The version in force that this one takes the place of; left out where none is (被替代的版本号).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "pipeline", schemars(range(min = 1)))]
    pub supersedes: Option<u32>,
    /// Disabled persons with at least one confirmed month (安置残疾人数, 按人).
    pub person_count: u32,
    /// Confirmed months, each once (安置人月数, 不加权).
    pub unweighted_person_months: u32,
    /// Confirmed months, each by its weight (安置人月数, 加权).
    pub weighted_person_months: u32,
    /// Weighted person-months divided by 12 (已安置残疾人就业人数).
    pub placed_persons: PlacedPersonsText,
    /// The weighted count of each month, January first; their sum is `weighted_person_months` (各月加权人数).
    pub months: [u32; 12],
    /// When the declaration was completed, RFC 3339 in Beijing time (认定时间).
    #[cfg_attr(feature = "pipeline", schemars(with = "String", extend("format" = "date-time")))]
    pub certified_at: DateTime<FixedOffset>,
    /// The number of the certification (认定书编号).
    pub certification_number: String,
}

/// The placed persons, twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct PlacedPersonsText {
    /// Exact, in lowest terms, always with a slash: `29/12`, `3/1` (精确值).
    #[cfg_attr(feature = "pipeline", schemars(regex(pattern = "^[0-9]+/[0-9]+$")))]
    pub fraction: String,
    /// Two decimals, rounded half-up (两位小数, 四舍五入).
    #[cfg_attr(feature = "pipeline", schemars(regex(pattern = "^[0-9]+\\.[0-9]{2}$")))]
    pub decimal: String,
}

/// A withdrawal: it carries the version that it withdraws, and no counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "pipeline", derive(schemars::JsonSchema))]
pub struct WithdrawnMessage {
    #[serde(flatten)]
    pub heading: Heading,
}

/// Whose result it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub uscc: Uscc,
    pub employer_name: String,
    /// Six digits.
    pub tax_division: String,
    pub year: i16,
}

/// What is certified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certification {
    pub count: Count,
    /// The version in force, if the tax department holds one.
    pub supersedes: Option<u32>,
    pub certified_at: DateTime<Utc>,
    pub number: String,
}

impl Heading {
    fn new(message_id: String, message: Message, subject: Subject) -> Self {
        Self {
            message_id,
            idempotency_key: message.idempotency_key(&subject.uscc, i32::from(subject.year)),
            version: message.version,
            uscc: subject.uscc,
            employer_name: subject.employer_name,
            tax_division: subject.tax_division,
            year: subject.year,
        }
    }
}

impl OutboundMessage {
    /// The message that certifies. Of `message`, version and attempt count; its kind is this function's.
    pub fn certified(
        message_id: impl Into<String>,
        message: Message,
        subject: Subject,
        certification: Certification,
    ) -> Self {
        let Certification { count, supersedes, certified_at, number } = certification;
        let placed = count.placed_persons();
        let message = Message { kind: MessageKind::Certified, ..message };
        Self::Certified(CertifiedMessage {
            heading: Heading::new(message_id.into(), message, subject),
            supersedes,
            person_count: count.person_count,
            unweighted_person_months: count.unweighted_person_months,
            weighted_person_months: count.weighted_person_months,
            placed_persons: PlacedPersonsText { fraction: placed.to_fraction(), decimal: placed.to_string() },
            months: count.months,
            certified_at: certified_at.with_timezone(&SHANGHAI),
            certification_number: number,
        })
    }

    /// The message that withdraws the version. Of `message`, version and attempt count; its kind is this function's.
    pub fn withdrawn(message_id: impl Into<String>, message: Message, subject: Subject) -> Self {
        let message = Message { kind: MessageKind::Withdrawn, ..message };
        Self::Withdrawn(WithdrawnMessage { heading: Heading::new(message_id.into(), message, subject) })
    }

    pub fn heading(&self) -> &Heading {
        match self {
            Self::Certified(message) => &message.heading,
            Self::Withdrawn(message) => &message.heading,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject {
            uscc: Uscc::parse("91369900MA00000152").expect("code"),
            employer_name: "赣江电子有限公司".to_owned(),
            tax_division: "360102".to_owned(),
            year: 2025,
        }
    }

    #[test]
    fn a_certification_carries_its_counts_as_they_were_counted() {
        let count = Count::of([[2; 12], [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]]);
        let certification = Certification {
            count,
            supersedes: Some(1),
            certified_at: "2026-04-14T23:30:00Z".parse().expect("instant"),
            number: "JX-2025-1".to_owned(),
        };
        // the kind of a message that is built is its builder's
        let message = Message { version: 2, kind: MessageKind::Withdrawn, attempt: 3 };
        let built = OutboundMessage::certified("m1", message, subject(), certification);
        let OutboundMessage::Certified(built) = built else { panic!("certified") };
        assert_eq!(built.heading.idempotency_key, "91369900MA00000152:2025:2:certified:3");
        assert_eq!((built.person_count, built.unweighted_person_months, built.weighted_person_months), (2, 17, 29));
        assert_eq!((built.placed_persons.fraction.as_str(), built.placed_persons.decimal.as_str()), ("29/12", "2.42"));
        assert_eq!(built.months.iter().sum::<u32>(), built.weighted_person_months);
        assert_eq!(built.certified_at.to_rfc3339(), "2026-04-15T07:30:00+08:00");
    }

    #[test]
    fn a_withdrawal_names_the_version_and_counts_nothing() {
        // here too
        let message = Message { version: 2, kind: MessageKind::Certified, attempt: 1 };
        let built = OutboundMessage::withdrawn("m2", message, subject());
        assert_eq!(built.heading().idempotency_key, "91369900MA00000152:2025:2:withdrawn");
        assert!(matches!(built, OutboundMessage::Withdrawn(_)));
    }
}
