//! The contract of a record: a row of an agency's cells becomes one of our records, or is refused with reason and place.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::cells::{Cells, Fault, Layout, id_code};
use crate::config::record::{
    ARRIVED_ON, CATEGORY, CERTIFICATE_NUMBER, CERTIFICATE_STATUS, CONTRIBUTION_STATUS, COVERAGE, DISPATCH_NAME,
    DISPATCH_USCC, FILING_STATUS, Field, INSURED_USCC, KIND, LEVEL, LICENCE_NUMBER, Need, PAID_ON, PAYER_USCC, PAYMENT,
    PROVINCE, RECORD_ID, SCHEME, STATUS_SINCE, UPDATED_AT, VALID_FROM, VALID_TO, fields_of,
};
use crate::config::{Job, StampFrom};
use crate::crypto::Keys;
use crate::domain::facts::{
    CertificateKind, CertificateStatus, ContributionStatus, Coverage, FilingStatus, Payment, RecordKind, Scheme,
};
use crate::domain::ids::{CertificateNumber, ResidentId, Uscc, normalise, normalise_name};
use crate::domain::month::Month;
use crate::sources::decode_kept;
use crate::sources::page::{CellKind, Page, Undecodable};
use crate::store::records::{FilingFact, PersonFact, Record, Refusal, RowPlace, Says};

/// What one pull needs to read its rows.
#[derive(Clone)]
pub struct Contract {
    job: Arc<Job>,
    record: RecordKind,
    keys: Arc<Keys>,
    /// The stamp of records whose source has none.
    delivered_at: DateTime<Utc>,
}

/// A page read: `(good, refused)`.
#[derive(Debug, Default)]
pub struct Reading {
    pub records: Vec<Record>,
    pub refusals: Vec<Refusal>,
    /// Columns that no field of ours is read from.
    pub unknown_columns: Vec<String>,
}

/// A page whose columns do not keep the contract: the delivery is held, its rows are not refused one by one.
#[derive(Debug, thiserror::Error)]
#[error("the delivery has no column `{column}` for the required field `{field}`; its columns are {found}")]
pub struct MissingColumn {
    pub field: &'static str,
    pub column: String,
    pub found: String,
}

/// Raised when the program reads the same text otherwise than before.
const EDITION: u8 = 1;

/// Keys of a job file that say how a delivery is read and what it holds; the others (schedule, gates, patience) may change without
/// making it another.
const WHAT_IS_READ: [&str; 11] =
    ["record", "source", "fields", "key", "constants", "formats", "values", "covers", "keep", "delivery", "missing"];

/// Hash of the settings by which a job's deliveries are read: 16 hexadecimal digits.
pub fn contract_version(job: &Job) -> String {
    // a job that was read is well formed
    let mut table: toml::Table = toml::from_str(&job.text).unwrap_or_default();
    table.retain(|key, _| WHAT_IS_READ.contains(&key));
    let mut digest = Sha256::new();
    digest.update([EDITION]);
    digest.update(table.to_string());
    hex::encode(&digest.finalize()[..8])
}

impl Contract {
    pub fn new(job: Arc<Job>, record: RecordKind, keys: Arc<Keys>, delivered_at: DateTime<Utc>) -> Self {
        Self { job, record, keys, delivered_at }
    }

    /// The same contract for records of another delivery.
    #[must_use]
    pub fn delivered_at(&self, delivered_at: DateTime<Utc>) -> Self {
        Self { delivered_at, ..self.clone() }
    }

    /// Reads a page row by row.
    pub fn read(&self, page: &Page) -> Result<Reading, MissingColumn> {
        let layout = Layout::of(&self.job, page);
        let mut reading = Reading { records: Vec::with_capacity(page.len()), ..Reading::default() };
        let mut any_not_deleted = false;
        let mut text = String::new();
        for row in 0..page.len() {
            let (job, delivered_at, layout) = (&*self.job, self.delivered_at, &layout);
            let mut cells = Cells { job, delivered_at, page, row, layout, fault: None };
            let place = RowPlace { page: page.number as i32, row: page.row_number(row) as i32 };
            match self.read_row(&mut cells, row, place, &mut text) {
                Ok(record) => {
                    any_not_deleted |= record.says.is_some();
                    reading.records.push(record);
                }
                Err(refusal) => {
                    any_not_deleted = true;
                    reading.refusals.push(*refusal);
                }
            }
        }
        if any_not_deleted {
            self.check_columns(page, &layout)?;
        }
        if !page.is_empty() {
            reading.unknown_columns = self.unknown_columns(page);
        }
        reading.refusals.extend(page.undecodable.iter().map(|row| self.refuse_undecodable(page, row)));
        Ok(reading)
    }

    fn check_columns(&self, page: &Page, layout: &Layout) -> Result<(), MissingColumn> {
        let composed = self.job.key.record_id.as_ref();
        let stamped = self.job.key.updated_at == Some(StampFrom::Delivery);
        let needs_none = |field: &Field| {
            field.name == RECORD_ID.name && composed.is_some() || field.name == UPDATED_AT.name && stamped
        };
        let missing = fields_of(self.record)
            .iter()
            .find(|(field, need)| *need != Need::Optional && !needs_none(field) && !layout.has(field));
        let of_key = || composed.into_iter().flatten().find(|column| page.find_column(column).is_none());
        let (field, column) = match (missing, of_key()) {
            (Some((field, _)), _) => (field.name, self.their_name(field).to_owned()),
            (None, Some(column)) => (RECORD_ID.name, column.clone()),
            (None, None) => return Ok(()),
        };
        // columns none of which is known may be a row of data: then nothing of them is repeated
        let any_known = fields_of(self.record).iter().any(|(field, _)| layout.columns.get(field).is_some());
        let found = if any_known {
            page.columns().iter().map(|name| plain(name)).collect::<Vec<_>>().join(", ")
        } else {
            format!("{} of other names: is there a header row?", page.columns().len())
        };
        Err(MissingColumn { field, column, found })
    }

    fn unknown_columns(&self, page: &Page) -> Vec<String> {
        let of_key = |name: &String| self.job.key.record_id.as_ref().is_some_and(|columns| columns.contains(name));
        let known = |name: &String| {
            of_key(name) || fields_of(self.record).iter().any(|(field, _)| self.their_name(field) == name)
        };
        page.columns().iter().filter(|name| !known(name)).map(|name| plain(name)).collect()
    }

    fn their_name(&self, field: &Field) -> &str {
        self.job.fields.get(field.name).map_or(field.name, String::as_str)
    }

    fn read_row(
        &self,
        cells: &mut Cells<'_>,
        index: usize,
        place: RowPlace,
        text: &mut String,
    ) -> Result<Record, Box<Refusal>> {
        let record_id = cells.record_id();
        let record_key = record_id.map(|id| self.keys.record_key(&self.job.name, &id));
        let updated_at = cells.updated_at();
        let deleted = cells.deleted();
        let parsed = if deleted { Parsed::default() } else { self.parse(cells) };
        match (record_key, updated_at, cells.fault.take()) {
            (Some(record_key), Some(updated_at), None) if deleted || parsed.says.is_some() => {
                let content = self.content(parsed.says.as_ref(), text);
                Ok(Record { index, place, record_key, updated_at, content, says: parsed.says, notes: parsed.notes })
            }
            (_, _, fault) => {
                let fault = fault.unwrap_or(Fault { field: RECORD_ID.name, code: "missing", detail: String::new() });
                Err(Box::new(self.refuse(cells, place, fault, record_key, updated_at, &parsed)))
            }
        }
    }

    fn refuse(
        &self,
        cells: &Cells<'_>,
        place: RowPlace,
        fault: Fault,
        record_key: Option<Uuid>,
        updated_at: Option<DateTime<Utc>>,
        parsed: &Parsed,
    ) -> Refusal {
        Refusal {
            place,
            code: fault.code,
            field: Some(fault.field.to_owned()),
            detail: fault.detail,
            content: self.keys.content_digest([Some(texts_of(cells.page, cells.row).as_slice())]),
            raw: raw_form(cells.page, cells.row),
            record_key,
            updated_at,
            id: parsed.id,
            unit: parsed.unit,
            period: parsed.period,
            scheme: parsed.scheme,
        }
    }

    fn refuse_undecodable(&self, page: &Page, row: &Undecodable) -> Refusal {
        let raw = json!({ "columns": page.columns(), "bytes": STANDARD.encode(&row.raw) });
        Refusal {
            place: RowPlace { page: page.number as i32, row: row.row as i32 },
            code: "undecodable",
            field: None,
            detail: row.why.clone(),
            content: self.keys.content_digest([Some(row.raw.as_slice())]),
            raw: raw.to_string().into_bytes(),
            record_key: None,
            updated_at: None,
            id: None,
            unit: None,
            period: None,
            scheme: None,
        }
    }

    fn parse(&self, cells: &mut Cells<'_>) -> Parsed {
        match self.record {
            RecordKind::Wage => parse_wage(cells),
            RecordKind::Insurance => parse_insurance(cells),
            RecordKind::Certificate => parse_certificate(cells),
            RecordKind::DispatchFiling => parse_filing(cells),
        }
    }

    /// A digest of all a record says, after normalising: what makes two versions the same. `text` is room to write in.
    fn content(&self, says: Option<&Says>, text: &mut String) -> i64 {
        text.clear();
        match says {
            None => text.push_str("deleted"),
            Some(Says::OfPerson { id, name, fact }) => {
                for part in [id.reveal(), "\u{1f}", &normalise_name(name), "\u{1f}"] {
                    text.push_str(part);
                }
                write_fact(text, fact);
            }
            Some(Says::Filing(filing)) => write_filing(text, filing),
        }
        self.keys.content_digest([Some(text.as_bytes())])
    }
}

/// A date that may be missing, as it is written into a digest.
struct Day(Option<NaiveDate>);

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |day| day.fmt(f))
    }
}

/// All that a fact says, in a form that stays: stored digests are compared with those of later versions of this program.
fn write_fact(text: &mut String, fact: &PersonFact) {
    // writing to a string cannot fail
    let _ = match fact {
        PersonFact::Wage { payer, period, amount, paid_on } => {
            write!(text, "{payer}|{period}|{amount}|{}", Day(*paid_on))
        }
        PersonFact::Insurance { insured, scheme, coverage, period, status, arrived_on, payment } => {
            let insured = insured.as_ref().map_or("", Uscc::as_str);
            write!(text, "{insured}|{scheme}|{coverage}|{period}|{status}|{}|{payment}", Day(*arrived_on))
        }
        PersonFact::Certificate { kind, number, level, category, valid_from, valid_to, status, status_since } => {
            let category = category.map_or_else(String::new, |category| category.to_string());
            let (to, since) = (Day(*valid_to), Day(*status_since));
            write!(text, "{kind}|{number}|{level}|{category}|{valid_from}|{to}|{status}|{since}")
        }
    };
}

/// As [`write_fact`].
fn write_filing(text: &mut String, filing: &FilingFact) {
    let FilingFact { dispatcher, name, licence, province, valid_from, valid_to, status } = filing;
    let to = Day(*valid_to);
    // writing to a string cannot fail
    let _ = write!(text, "{dispatcher}|{name}|{licence}|{province}|{valid_from}|{to}|{status}");
}

/// A row's cells by name, as texts.
fn cells_of(page: &Page, row: usize) -> Map<String, Value> {
    page.raw(row).into_iter().map(|(name, value)| (name.to_owned(), value.text.into())).collect()
}

/// What tells one refused row from another.
fn texts_of(page: &Page, row: usize) -> Vec<u8> {
    serde_json::to_vec(&cells_of(page, row)).unwrap_or_default()
}

/// A row as it came, as a JSON object: its `cells`, and which of them are `numbers`. What quarantine keeps and replays.
pub fn raw_form(page: &Page, row: usize) -> Vec<u8> {
    let raw = page.raw(row);
    let numbers: Vec<&str> =
        raw.iter().filter(|(_, value)| value.kind == CellKind::Number).map(|(name, _)| *name).collect();
    json!({ "cells": cells_of(page, row), "numbers": numbers }).to_string().into_bytes()
}

/// A refused row as it was kept, as a page of its own.
pub fn page_of_raw(job: &Job, raw: &[u8], number: u32) -> Option<Page> {
    let raw: Value = serde_json::from_slice(raw).ok()?;
    let mut page = Page::new(number);
    // the first version of this program kept the cells alone
    let cells = raw.get("cells").or_else(|| raw.get("bytes").is_none().then_some(&raw)).and_then(Value::as_object);
    if let Some(cells) = cells {
        let numbers = raw.get("numbers").and_then(Value::as_array);
        let numbers: Vec<&str> = numbers.into_iter().flatten().filter_map(Value::as_str).collect();
        let columns: Vec<usize> = cells.keys().map(|name| page.column(name)).collect();
        page.begin_row(1);
        for ((name, value), column) in cells.iter().zip(columns) {
            let kind = if numbers.contains(&name.as_str()) { CellKind::Number } else { CellKind::Text };
            page.set(column, value.as_str()?, kind);
        }
        return Some(page);
    }
    let bytes = STANDARD.decode(raw.get("bytes")?.as_str()?).ok()?;
    let columns =
        raw["columns"].as_array()?.iter().map(|name| Some(name.as_str()?.to_owned())).collect::<Option<_>>()?;
    decode_kept(job, &mut page, columns, &bytes);
    Some(page)
}

/// What could be read of a row, whether or not all of it could.
#[derive(Debug, Default)]
struct Parsed {
    says: Option<Says>,
    notes: Vec<&'static str>,
    id: Option<ResidentId>,
    unit: Option<Uscc>,
    period: Option<Month>,
    scheme: Option<Scheme>,
}

fn parse_wage(cells: &mut Cells<'_>) -> Parsed {
    let (id, name, payer) = (cells.id_number(), cells.name(), cells.uscc(&PAYER_USCC));
    let (period, amount, paid_on) = (cells.period(), cells.amount(), cells.optional_date(&PAID_ON));
    let says = (|| {
        let fact = PersonFact::Wage { payer: payer?, period: period?, amount: amount?, paid_on: paid_on? };
        Some(Says::OfPerson { id: id?, name: name?, fact })
    })();
    Parsed { says, id, unit: payer, period, notes: odd_code(payer), scheme: None }
}

fn parse_insurance(cells: &mut Cells<'_>) -> Parsed {
    let (id, name) = (cells.id_number(), cells.name());
    let insured_cell = cells.value(&INSURED_USCC);
    let insured = insured_cell.and_then(|value| cells.parse_uscc(&INSURED_USCC, value));
    let scheme = cells.one_of(&SCHEME, Scheme::parse, "pension, medical");
    let coverage = cells.one_of(&COVERAGE, Coverage::parse, "employee, resident");
    let period = cells.period();
    let status = cells.one_of(&CONTRIBUTION_STATUS, ContributionStatus::parse, "paid, owed");
    let arrived_on = cells.optional_date(&ARRIVED_ON);
    let payment = match cells.word_or(&PAYMENT, "normal") {
        None => None,
        Some(word) => match Payment::parse(&word) {
            Some(payment) => Some(payment),
            None => cells.fail(&PAYMENT, "unknown_value", "is none of normal, back_payment"),
        },
    };
    let says = (|| {
        let fact = PersonFact::Insurance {
            insured,
            scheme: scheme?,
            coverage: coverage?,
            period: period?,
            status: status?,
            arrived_on: arrived_on?,
            payment: payment?,
        };
        (insured_cell.is_none() || insured.is_some()).then_some(())?;
        Some(Says::OfPerson { id: id?, name: name?, fact })
    })();
    Parsed { says, id, unit: insured, period, scheme, notes: odd_code(insured) }
}

fn parse_certificate(cells: &mut Cells<'_>) -> Parsed {
    let (id, name) = (cells.id_number(), cells.name());
    let kind = cells.one_of(&KIND, CertificateKind::parse, "disabled_person, disabled_soldier");
    let most = if kind == Some(CertificateKind::DisabledSoldier) { 10 } else { 4 };
    let level = cells.number(&LEVEL, 1..=most);
    let has_category = cells.value(&CATEGORY).is_some();
    let category = has_category.then(|| cells.number(&CATEGORY, 1..=7)).flatten();
    let mut notes = Vec::new();
    let number = certificate_number(cells, kind, id, level, category, &mut notes);
    let (valid_from, valid_to) = (cells.date(&VALID_FROM), cells.optional_date(&VALID_TO));
    let accepted = "valid, expired, frozen, cancelled, replaced";
    let status = cells.one_of(&CERTIFICATE_STATUS, CertificateStatus::parse, accepted);
    let status_since = cells.optional_date(&STATUS_SINCE);
    let says = (|| {
        let fact = PersonFact::Certificate {
            kind: kind?,
            number: number?,
            level: level?,
            category,
            valid_from: valid_from?,
            valid_to: valid_to?,
            status: status?,
            status_since: status_since?,
        };
        (!has_category || category.is_some()).then_some(())?;
        Some(Says::OfPerson { id: id?, name: name?, fact })
    })();
    Parsed { says, notes, id, ..Parsed::default() }
}

fn certificate_number(
    cells: &mut Cells<'_>,
    kind: Option<CertificateKind>,
    id: Option<ResidentId>,
    level: Option<u8>,
    category: Option<u8>,
    notes: &mut Vec<&'static str>,
) -> Option<String> {
    let value = cells.required(&CERTIFICATE_NUMBER)?;
    let text = cells.identifying(&CERTIFICATE_NUMBER, value)?;
    if kind != Some(CertificateKind::DisabledPerson) {
        return Some(text.trim().to_owned());
    }
    match CertificateNumber::parse(text) {
        Ok(number) => {
            let disagrees = |said: Option<u8>, encoded: u8| said.is_some_and(|said| said != encoded);
            if id.is_some_and(|id| id != number.resident_id) {
                notes.push("certificate_number_of_another_id");
            }
            if disagrees(level, number.level) {
                notes.push("certificate_number_of_another_level");
            }
            if disagrees(category, number.category) {
                notes.push("certificate_number_of_another_category");
            }
            Some(number.reveal())
        }
        Err(error) => cells.fail(&CERTIFICATE_NUMBER, id_code(error), format!("is no certificate number: {error}")),
    }
}

/// A text without control characters: the database takes a NUL for none, and one field must not cost the delivery.
fn plain(text: &str) -> String {
    text.chars().filter(|sign| !sign.is_control()).collect()
}

fn parse_filing(cells: &mut Cells<'_>) -> Parsed {
    let dispatcher = cells.uscc(&DISPATCH_USCC);
    let name = cells.required(&DISPATCH_NAME).map(|value| plain(value.text.trim()));
    let licence = cells.required(&LICENCE_NUMBER).map(|value| plain(value.text.trim()));
    let province = match cells.required(&PROVINCE).map(|value| normalise(value.text)) {
        None => None,
        Some(code) if code.len() == 6 && code.bytes().all(|c| c.is_ascii_digit()) => code[..2].parse().ok(),
        Some(_) => cells.fail(&PROVINCE, "malformed", "is not a division code of 6 digits"),
    };
    let (valid_from, valid_to) = (cells.date(&VALID_FROM), cells.optional_date(&VALID_TO));
    let status = cells.one_of(&FILING_STATUS, FilingStatus::parse, "approved, pending, rejected, revoked");
    let says = (|| {
        Some(Says::Filing(FilingFact {
            dispatcher: dispatcher?,
            name: name?,
            licence: licence?,
            province: province?,
            valid_from: valid_from?,
            valid_to: valid_to?,
            status: status?,
        }))
    })();
    Parsed { says, unit: dispatcher, notes: odd_code(dispatcher), ..Parsed::default() }
}

/// A code whose subject's own check digit does not fit is accepted and listed.
fn odd_code(code: Option<Uscc>) -> Vec<&'static str> {
    code.filter(|code| !code.subject_check_fits()).map(|_| "uscc_subject_check").into_iter().collect()
}
