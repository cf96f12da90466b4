//! Takes delivered rows in: reads them, refuses bad ones, and keeps the newest version of each record.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use chrono::{DateTime, FixedOffset, NaiveDate};

use super::text::{self, Month};

const SCHEMES: [&str; 2] = ["pension", "medical"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Wage,
    Insurance,
    Certificate,
    DispatchFiling,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wage {
    pub id_number: String,
    pub name: String,
    pub payer_uscc: String,
    pub period: Month,
    pub cents: i128,
    pub paid_on: Option<NaiveDate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insurance {
    pub id_number: String,
    pub name: String,
    /// `None` is the person's own flexible-employment account.
    pub insured_uscc: Option<String>,
    pub scheme: &'static str,
    pub coverage: &'static str,
    pub period: Month,
    pub status: &'static str,
    pub arrived_on: Option<NaiveDate>,
    pub payment: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    pub id_number: String,
    pub name: String,
    pub kind: &'static str,
    pub number: String,
    pub level: u8,
    pub category: Option<u8>,
    pub valid_from: NaiveDate,
    pub valid_to: Option<NaiveDate>,
    pub status: &'static str,
    pub status_since: Option<NaiveDate>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchFiling {
    pub dispatch_uscc: String,
    pub dispatch_name: String,
    pub licence_number: String,
    pub province: String,
    pub valid_from: NaiveDate,
    pub valid_to: Option<NaiveDate>,
    pub status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Deleted,
    Wage(Wage),
    Insurance(Insurance),
    Certificate(Certificate),
    DispatchFiling(DispatchFiling),
}

/// A good version of a record. The newest of its record has `superseded` false.
#[derive(Debug)]
pub struct Version {
    pub updated_at: DateTime<FixedOffset>,
    pub content: Content,
    pub superseded: bool,
}

/// A refused row in quarantine, with what could be read of it.
#[derive(Debug)]
pub struct Refused {
    pub kind: Kind,
    pub id_number: Option<String>,
    pub dispatch_uscc: Option<String>,
    pub period: Option<Month>,
    pub scheme: Option<&'static str>,
    pub open: bool,
}

/// One row of a CSV file with its header.
#[derive(Debug)]
pub struct Row {
    cells: Vec<(String, String)>,
}

impl Row {
    /// The text of a column; an absent column is empty.
    pub fn get(&self, column: &str) -> &str {
        for (name, value) in &self.cells {
            if name == column {
                return value;
            }
        }
        ""
    }
}

pub fn rows(path: &Path) -> anyhow::Result<Vec<Row>> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_path(path)
        .with_context(|| format!("opening {}", path.display()))?;
    let header = reader.headers()?.clone();
    let mut out = Vec::new();
    for record in reader.records() {
        let record = record.with_context(|| format!("reading {}", path.display()))?;
        let mut cells = Vec::new();
        for (name, value) in header.iter().zip(record.iter()) {
            cells.push((name.trim().to_owned(), value.to_owned()));
        }
        out.push(Row { cells });
    }
    Ok(out)
}

/// Everything that was ever published.
#[derive(Debug, Default)]
pub struct Archive {
    pub versions: Vec<Version>,
    pub refused: Vec<Refused>,
    /// Where the versions and the refused rows of a job's record are in the lists above.
    versions_of: BTreeMap<(usize, String), Vec<usize>>,
    refused_of: BTreeMap<(usize, String), Vec<usize>>,
    /// Every row that was ever refused, by its job: the same again is no second case.
    refused_rows: BTreeSet<(usize, Vec<(String, String)>)>,
}

impl Archive {
    /// Publishes one delivered row of a job.
    pub fn take(&mut self, job: usize, kind: Kind, row: &Row) {
        let Some((record_id, updated_at, content)) = read(kind, row) else {
            self.refuse(job, kind, row);
            return;
        };
        let key = (job, record_id);
        let earlier = self.versions_of.get(&key).cloned().unwrap_or_default();
        let mut superseded = false;
        for position in &earlier {
            let version = &self.versions[*position];
            if version.updated_at == updated_at {
                // Equal stamp, of the newest or of an older version: the first in stands.
                if version.content != content {
                    self.refuse(job, kind, row);
                }
                return;
            }
            if version.updated_at > updated_at {
                superseded = true;
            }
        }
        if !superseded {
            for position in earlier {
                self.versions[position].superseded = true;
            }
        }
        // A good version that came in later closes what was refused of the same record before,
        // whichever stamp it bears; one that is ignored (returned above) closes nothing.
        for position in self.refused_of.remove(&key).unwrap_or_default() {
            self.refused[position].open = false;
        }
        self.versions_of.entry(key).or_default().push(self.versions.len());
        self.versions.push(Version { updated_at, content, superseded });
    }

    fn refuse(&mut self, job: usize, kind: Kind, row: &Row) {
        if !self.refused_rows.insert((job, row.cells.clone())) {
            return;
        }
        self.refused_of.entry((job, record_id(row))).or_default().push(self.refused.len());
        self.refused.push(Refused {
            kind,
            id_number: text::id_number(row.get("id_number")),
            dispatch_uscc: text::uscc(row.get("dispatch_uscc")),
            period: text::month(row.get("period")),
            scheme: text::word(row.get("scheme"), &SCHEMES),
            open: true,
        });
    }
}

fn record_id(row: &Row) -> String {
    text::trim(row.get("record_id")).to_owned()
}

/// Reads a row; `None` if anything in it is bad.
fn read(kind: Kind, row: &Row) -> Option<(String, DateTime<FixedOffset>, Content)> {
    let record_id = record_id(row);
    if record_id.is_empty() {
        return None;
    }
    let updated_at = DateTime::parse_from_rfc3339(&text::tidy(row.get("updated_at"))).ok()?;
    let deleted = text::optional(row.get("deleted"), |raw| text::word(raw, &["true", "false"]))?;
    if deleted == Some("true") {
        return Some((record_id, updated_at, Content::Deleted));
    }
    let content = match kind {
        Kind::Wage => Content::Wage(read_wage(row)?),
        Kind::Insurance => Content::Insurance(read_insurance(row)?),
        Kind::Certificate => Content::Certificate(read_certificate(row)?),
        Kind::DispatchFiling => Content::DispatchFiling(read_filing(row)?),
    };
    Some((record_id, updated_at, content))
}

fn read_wage(row: &Row) -> Option<Wage> {
    Some(Wage {
        id_number: text::id_number(row.get("id_number"))?,
        name: text::name(row.get("name"))?,
        payer_uscc: text::uscc(row.get("payer_uscc"))?,
        period: text::month(row.get("period"))?,
        cents: text::cents(row.get("amount"))?,
        paid_on: text::optional(row.get("paid_on"), text::date)?,
    })
}

fn read_insurance(row: &Row) -> Option<Insurance> {
    let payment = text::optional(row.get("payment"), |raw| text::word(raw, &["normal", "back_payment"]))?;
    Some(Insurance {
        id_number: text::id_number(row.get("id_number"))?,
        name: text::name(row.get("name"))?,
        insured_uscc: text::optional(row.get("insured_uscc"), text::uscc)?,
        scheme: text::word(row.get("scheme"), &SCHEMES)?,
        coverage: text::word(row.get("coverage"), &["employee", "resident"])?,
        period: text::month(row.get("period"))?,
        status: text::word(row.get("status"), &["paid", "owed"])?,
        arrived_on: text::optional(row.get("arrived_on"), text::date)?,
        payment: payment.unwrap_or("normal"),
    })
}

fn read_certificate(row: &Row) -> Option<Certificate> {
    let kind = text::word(row.get("kind"), &["disabled_person", "disabled_soldier"])?;
    let (number, highest) = if kind == "disabled_person" {
        (text::certificate_number(row.get("certificate_number"))?, 4)
    } else {
        let free = text::trim(row.get("certificate_number")).to_owned();
        if free.is_empty() {
            return None;
        }
        (free, 10)
    };
    Some(Certificate {
        id_number: text::id_number(row.get("id_number"))?,
        name: text::name(row.get("name"))?,
        kind,
        number,
        level: text::number(row.get("level"), 1, highest)?,
        category: text::optional(row.get("category"), |raw| text::number(raw, 1, 7))?,
        valid_from: text::date(row.get("valid_from"))?,
        valid_to: text::optional(row.get("valid_to"), text::date)?,
        status: text::word(row.get("status"), &["valid", "expired", "frozen", "cancelled", "replaced"])?,
        status_since: text::optional(row.get("status_since"), text::date)?,
    })
}

fn read_filing(row: &Row) -> Option<DispatchFiling> {
    let licence_number = text::tidy(row.get("licence_number"));
    let province = text::tidy(row.get("province"));
    if licence_number.is_empty() || province.len() != 6 || !province.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(DispatchFiling {
        dispatch_uscc: text::uscc(row.get("dispatch_uscc"))?,
        dispatch_name: text::name(row.get("dispatch_name"))?,
        licence_number,
        province,
        valid_from: text::date(row.get("valid_from"))?,
        valid_to: text::optional(row.get("valid_to"), text::date)?,
        status: text::word(row.get("status"), &["approved", "pending", "rejected", "revoked"])?,
    })
}
