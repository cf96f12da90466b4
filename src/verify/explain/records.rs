//! The records behind a code: what each says, whose it is, where it came from, and why it counts or not.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::facts::{
    CertificateKind, CertificateStatus, Contract, ContributionStatus, Coverage, FilingStatus, Payment, UnitId,
    VersionId,
};
use crate::domain::ids::Uscc;
use crate::domain::judge::{Case, Note, PassedOver};
use crate::domain::money::Fen;
use crate::domain::said::Said;
use crate::store::lineage::Origin;

/// How a unit stands to the placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Employer,
    /// An affiliate that the employer lists, or a payer that the placement names.
    Listed,
    DispatchCompany,
    /// The person pays on an own account.
    OwnAccount,
    /// Somebody the employer has not named: whose it is and how much is shown to staff only.
    Another,
}

/// A unit as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ShownUnit {
    pub standing: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uscc: Option<String>,
}

impl ShownUnit {
    pub fn said(&self) -> Said {
        let (en, zh) = match self.standing {
            Standing::Employer => ("the employer", "本单位"),
            Standing::Listed => ("the listed affiliate", "关联单位"),
            Standing::DispatchCompany => ("the dispatch company", "劳务派遣单位"),
            Standing::OwnAccount => ("the person's own account", "个人账户"),
            Standing::Another => ("another unit", "其他单位"),
        };
        match &self.uscc {
            Some(code) => Said::new(format!("{en} {code}"), format!("{zh}{code}")),
            None => Said::new(en, zh),
        }
    }
}

/// The units that a placement's records may name, and which of them may be shown.
#[derive(Debug)]
pub struct Units {
    pub employer: UnitId,
    pub dispatch: Option<UnitId>,
    pub listed: HashSet<UnitId>,
    pub codes: HashMap<UnitId, Uscc>,
    pub reveal: bool,
}

impl Units {
    pub fn show(&self, unit: Option<UnitId>) -> ShownUnit {
        let Some(unit) = unit else { return ShownUnit { standing: Standing::OwnAccount, uscc: None } };
        let standing = if unit == self.employer {
            Standing::Employer
        } else if self.dispatch == Some(unit) {
            Standing::DispatchCompany
        } else if self.listed.contains(&unit) {
            Standing::Listed
        } else {
            Standing::Another
        };
        let uscc = if standing == Standing::Another && !self.reveal { None } else { self.code(unit) };
        ShownUnit { standing, uscc }
    }

    pub fn code(&self, unit: UnitId) -> Option<String> {
        self.codes.get(&unit).map(|code| code.as_str().to_owned())
    }
}

/// What a record says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Says {
    Wage {
        unit: ShownUnit,
        /// Withheld where the unit is.
        #[serde(skip_serializing_if = "Option::is_none")]
        amount: Option<Fen>,
    },
    Insurance {
        unit: ShownUnit,
        coverage: Coverage,
        status: ContributionStatus,
        payment: Payment,
    },
    Certificate {
        certificate: CertificateKind,
        level: u8,
        valid_from: NaiveDate,
        valid_to: Option<NaiveDate>,
        status: CertificateStatus,
        status_since: Option<NaiveDate>,
    },
    Filing {
        province: u8,
        valid_from: NaiveDate,
        valid_to: Option<NaiveDate>,
        filing: FilingStatus,
    },
}

/// A record that a code rests on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Record {
    pub says: Says,
    #[serde(flatten)]
    pub origin: Origin,
}

/// A record that was looked at and does not count.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PassedOverRecord {
    pub why: PassedOver,
    #[serde(flatten)]
    pub because: Said,
    #[serde(flatten)]
    pub record: Record,
}

/// A contract behind a code.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct ContractEvidence {
    pub kind: &'static str,
    pub starts_on: NaiveDate,
    pub ends_on: Option<NaiveDate>,
    pub terminated_on: Option<NaiveDate>,
}

impl From<&Contract> for ContractEvidence {
    fn from(contract: &Contract) -> Self {
        Self {
            kind: contract.kind.as_str(),
            starts_on: contract.starts_on,
            ends_on: contract.ends_on,
            terminated_on: contract.terminated_on,
        }
    }
}

/// A contract that does not carry the code.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PassedOverContract {
    pub why: PassedOver,
    #[serde(flatten)]
    pub because: Said,
    #[serde(flatten)]
    pub contract: ContractEvidence,
}

/// The versions that notes name, in their order, with the reason where one does not count.
pub fn versions(notes: &[Note]) -> Vec<(VersionId, Option<PassedOver>)> {
    let named = |note: &Note| match note {
        Note::RestsOn(version) => Some((*version, None)),
        Note::PassedOver(version, why) => Some((*version, Some(*why))),
        _ => None,
    };
    notes.iter().filter_map(named).collect()
}

/// What the record of this version says; `None` for a version that is not among the facts.
fn says(case: &Case<'_>, version: VersionId, units: &Units) -> Option<Says> {
    let facts = &case.facts;
    if let Some(wage) = facts.wages.iter().find(|wage| wage.version == version) {
        let unit = units.show(Some(wage.payer));
        let withheld = unit.standing == Standing::Another && !units.reveal;
        return Some(Says::Wage { unit, amount: (!withheld).then_some(wage.amount) });
    }
    if let Some(record) = facts.insurances.iter().find(|record| record.version == version) {
        let unit = units.show(record.insured);
        return Some(Says::Insurance {
            unit,
            coverage: record.coverage,
            status: record.status,
            payment: record.payment,
        });
    }
    if let Some(certificate) = facts.certificates.iter().find(|certificate| certificate.version == version) {
        return Some(Says::Certificate {
            certificate: certificate.kind,
            level: certificate.level,
            valid_from: certificate.valid_from,
            valid_to: certificate.valid_to,
            status: certificate.status,
            status_since: certificate.status_since,
        });
    }
    facts.filings.iter().find(|filing| filing.version == version).map(|filing| Says::Filing {
        province: filing.province,
        valid_from: filing.valid_from,
        valid_to: filing.valid_to,
        filing: filing.status,
    })
}

/// The records that notes name, with their origins: what counts, and what does not.
pub fn split(
    case: &Case<'_>,
    notes: &[Note],
    origins: Vec<Origin>,
    units: &Units,
) -> (Vec<Record>, Vec<PassedOverRecord>) {
    let reasons: HashMap<VersionId, Option<PassedOver>> = versions(notes).into_iter().collect();
    let (mut rests_on, mut passed_over) = (Vec::new(), Vec::new());
    for origin in origins {
        let version = VersionId(origin.version_id);
        let (Some(reason), Some(says)) = (reasons.get(&version), says(case, version, units)) else { continue };
        let record = Record { says, origin };
        match reason {
            None => rests_on.push(record),
            Some(why) => passed_over.push(PassedOverRecord { why: *why, because: why.said(), record }),
        }
    }
    (rests_on, passed_over)
}
