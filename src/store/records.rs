//! What agencies' records say once they keep their contract, and what is known of those that do not.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::crypto::Keys;
use crate::domain::facts::{
    CertificateKind, CertificateStatus, ContributionStatus, Coverage, FilingStatus, Payment, Scheme,
};
use crate::domain::ids::{ResidentId, Uscc};
use crate::domain::money::Fen;
use crate::domain::month::Month;

/// Where a record stood in its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, schemars::JsonSchema)]
pub struct RowPlace {
    pub page: i32,
    pub row: i32,
}

/// A record that keeps to its contract.
#[derive(Clone, Debug, schemars::JsonSchema)]
pub struct Record {
    /// Its place in the page's arena, for its raw form.
    pub index: usize,
    pub place: RowPlace,
    pub record_key: Uuid,
    pub updated_at: DateTime<Utc>,
    /// Keyed digest of everything the record says.
    pub content: i64,
    /// `None`: the record exists no more.
    pub says: Option<Says>,
    /// Codes of what is odd about it (accepted and listed).
    pub notes: Vec<&'static str>,
}

/// What a record says, and of whom.
#[derive(Clone, Debug, schemars::JsonSchema)]
pub enum Says {
    OfPerson { id: ResidentId, name: String, fact: PersonFact },
    Filing(FilingFact),
}

#[derive(Clone, Debug, schemars::JsonSchema)]
pub enum PersonFact {
    Wage {
        payer: Uscc,
        period: Month,
        amount: Fen,
        paid_on: Option<NaiveDate>,
    },
    Insurance {
        insured: Option<Uscc>,
        scheme: Scheme,
        coverage: Coverage,
        period: Month,
        status: ContributionStatus,
        arrived_on: Option<NaiveDate>,
        payment: Payment,
    },
    Certificate {
        kind: CertificateKind,
        number: String,
        level: u8,
        category: Option<u8>,
        valid_from: NaiveDate,
        valid_to: Option<NaiveDate>,
        status: CertificateStatus,
        status_since: Option<NaiveDate>,
    },
}

#[derive(Clone, Debug, schemars::JsonSchema)]
pub struct FilingFact {
    pub dispatcher: Uscc,
    pub name: String,
    pub licence: String,
    pub province: u8,
    pub valid_from: NaiveDate,
    pub valid_to: Option<NaiveDate>,
    pub status: FilingStatus,
}

/// A record that breaks its contract, with whatever of it could be read.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub place: RowPlace,
    pub code: &'static str,
    pub field: Option<String>,
    /// What was wrong and what is accepted; never the value.
    pub detail: String,
    pub raw: Vec<u8>,
    /// Keyed digest of the raw form, to know the same refused record again.
    pub content: i64,
    pub record_key: Option<Uuid>,
    /// Its stamp, where readable.
    pub updated_at: Option<DateTime<Utc>>,
    pub id: Option<ResidentId>,
    pub unit: Option<Uscc>,
    pub period: Option<Month>,
    pub scheme: Option<Scheme>,
}

impl Refusal {
    /// Of a record whose stamp was used before for something else; its raw form is the row's.
    pub(super) fn stamp_reused(keys: &Keys, record: &Record, raw: Vec<u8>) -> Self {
        let (id, unit, period, scheme) = match &record.says {
            None => (None, None, None, None),
            Some(Says::Filing(filing)) => (None, Some(filing.dispatcher), None, None),
            Some(Says::OfPerson { id, fact, .. }) => match fact {
                PersonFact::Wage { payer, period, .. } => (Some(*id), Some(*payer), Some(*period), None),
                PersonFact::Insurance { insured, period, scheme, .. } => {
                    (Some(*id), *insured, Some(*period), Some(*scheme))
                }
                PersonFact::Certificate { .. } => (Some(*id), None, None, None),
            },
        };
        Self {
            place: record.place,
            code: "stamp_reused",
            field: Some("updated_at".to_owned()),
            detail: "the same record and stamp came before with other content; a correction needs a later stamp"
                .to_owned(),
            content: keys.content_digest([Some(raw.as_slice())]),
            raw,
            record_key: Some(record.record_key),
            updated_at: Some(record.updated_at),
            id,
            unit,
            period,
            scheme,
        }
    }
}
