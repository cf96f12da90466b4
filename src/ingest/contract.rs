//! The contract of a record: a row of an agency's cells becomes one of our records, or is refused with reason and place.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::cells::{Cells, Fault, id_code};
use crate::config::{Job, StampFrom, record_fields};
use crate::crypto::Keys;
use crate::domain::facts::{
    CertificateKind, CertificateStatus, ContributionStatus, Coverage, FilingStatus, Payment, RecordKind, Scheme,
};
use crate::domain::ids::{CertificateNumber, ResidentId, Uscc, normalise, normalise_name};
use crate::domain::month::Month;
use crate::sources::page::{Page, Undecodable};
use crate::store::records::{FilingFact, PersonFact, Record, Refusal, RowPlace, Says};

/// What one pull needs to read its rows.
pub struct Contract<'a> {
    job: &'a Job,
    record: RecordKind,
    keys: &'a Keys,
    /// The stamp of records whose source has none.
    delivered_at: DateTime<Utc>,
}

/// A page read: `(good, refused)`.
#[derive(Debug, Default)]
pub struct Reading {
    pub records: Vec<Record>,
    pub refusals: Vec<Refusal>,
}

/// A page whose columns do not keep the contract: the delivery is held, its rows are not refused one by one.
#[derive(Debug, thiserror::Error)]
#[error("the delivery has no column `{column}` for the required field `{field}`; its columns are {found}")]
pub struct MissingColumn {
    pub field: &'static str,
    pub column: String,
    pub found: String,
}

/// The fields without which no record of the kind can stand.
fn required_fields(record: RecordKind) -> &'static [&'static str] {
    match record {
        RecordKind::Wage => &["id_number", "name", "payer_uscc", "period", "amount"],
        RecordKind::Insurance => &["id_number", "name", "scheme", "coverage", "period", "status"],
        RecordKind::Certificate => {
            &["id_number", "name", "kind", "certificate_number", "level", "valid_from", "status"]
        }
        RecordKind::DispatchFiling => {
            &["dispatch_uscc", "dispatch_name", "licence_number", "province", "valid_from", "status"]
        }
    }
}

impl<'a> Contract<'a> {
    pub fn new(job: &'a Job, record: RecordKind, keys: &'a Keys, delivered_at: DateTime<Utc>) -> Self {
        Self { job, record, keys, delivered_at }
    }

    /// Reads a page row by row.
    pub fn read(&self, page: &Page) -> Result<Reading, MissingColumn> {
        let columns: Vec<(&'static str, Option<usize>)> =
            record_fields(self.record).iter().map(|field| (*field, page.find_column(self.their_name(field)))).collect();
        let mut reading = Reading::default();
        let mut any_not_deleted = false;
        for row in 0..page.len() {
            let mut cells =
                Cells { job: self.job, delivered_at: self.delivered_at, page, row, columns: &columns, fault: None };
            let place = RowPlace { page: page.number as i32, row: page.row_number(row) as i32 };
            match self.read_row(&mut cells, row, place) {
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
            self.check_columns(page, &columns)?;
        }
        reading.refusals.extend(page.undecodable.iter().map(|row| self.refuse_undecodable(page, row)));
        Ok(reading)
    }

    fn check_columns(&self, page: &Page, columns: &[(&'static str, Option<usize>)]) -> Result<(), MissingColumn> {
        let composed = self.job.key.record_id.as_ref();
        let stamped = self.job.key.updated_at == Some(StampFrom::Delivery);
        let own = (composed.is_none().then_some("record_id")).into_iter().chain((!stamped).then_some("updated_at"));
        let missing = own.chain(required_fields(self.record).iter().copied()).find(|field| {
            !self.job.constants.contains_key(*field)
                && !columns.iter().any(|(name, column)| name == field && column.is_some())
        });
        let of_key = || composed.into_iter().flatten().find(|column| page.find_column(column).is_none());
        let (field, column) = match (missing, of_key()) {
            (Some(field), _) => (field, self.their_name(field).to_owned()),
            (None, Some(column)) => ("record_id", column.clone()),
            (None, None) => return Ok(()),
        };
        // columns none of which is known may be a row of data: then nothing of them is repeated
        let any_known = columns.iter().any(|(_, column)| column.is_some());
        let found = if any_known {
            page.columns().join(", ")
        } else {
            format!("{} of other names: is there a header row?", page.columns().len())
        };
        Err(MissingColumn { field, column, found })
    }

    fn their_name(&self, field: &'a str) -> &str {
        self.job.fields.get(field).map_or(field, String::as_str)
    }

    fn read_row(&self, cells: &mut Cells<'_>, index: usize, place: RowPlace) -> Result<Record, Box<Refusal>> {
        let record_id = cells.record_id();
        let record_key = record_id.map(|id| self.keys.record_key(&self.job.name, &id));
        let updated_at = cells.updated_at();
        let deleted = cells.deleted();
        let parsed = if deleted { Parsed::default() } else { self.parse(cells) };
        match (record_key, updated_at, cells.fault.take()) {
            (Some(record_key), Some(updated_at), None) if deleted || parsed.says.is_some() => {
                let content = self.content(parsed.says.as_ref());
                Ok(Record { index, place, record_key, updated_at, content, says: parsed.says, notes: parsed.notes })
            }
            (_, _, fault) => {
                let fault = fault.unwrap_or(Fault { field: "record_id", code: "missing", detail: String::new() });
                Err(Box::new(self.refuse(cells, place, fault, record_key, &parsed)))
            }
        }
    }

    fn refuse(
        &self,
        cells: &Cells<'_>,
        place: RowPlace,
        fault: Fault,
        record_key: Option<Uuid>,
        parsed: &Parsed,
    ) -> Refusal {
        let raw = raw_form(cells.page, cells.row);
        Refusal {
            place,
            code: fault.code,
            field: Some(fault.field.to_owned()),
            detail: fault.detail,
            content: self.keys.content_digest([Some(raw.as_slice())]),
            raw,
            record_key,
            id: parsed.id,
            unit: parsed.unit,
            period: parsed.period,
            scheme: parsed.scheme,
        }
    }

    fn refuse_undecodable(&self, page: &Page, row: &Undecodable) -> Refusal {
        Refusal {
            place: RowPlace { page: page.number as i32, row: row.row as i32 },
            code: "undecodable",
            field: None,
            detail: row.why.clone(),
            content: self.keys.content_digest([Some(row.raw.as_slice())]),
            raw: row.raw.clone(),
            record_key: None,
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

    /// A digest of all a record says, after normalising: what makes two versions the same.
    fn content(&self, says: Option<&Says>) -> i64 {
        let Some(says) = says else { return self.keys.content_digest([Some(b"deleted".as_slice())]) };
        let text = match says {
            Says::OfPerson { id, name, fact } => {
                format!("{}\u{1f}{}\u{1f}{}", id.reveal(), normalise_name(name), fact_text(fact))
            }
            Says::Filing(filing) => filing_text(filing),
        };
        self.keys.content_digest([Some(text.as_bytes())])
    }
}

/// All that a fact says, in a form that stays: stored digests are compared with those of later versions of this program.
fn fact_text(fact: &PersonFact) -> String {
    let day = |day: &Option<NaiveDate>| day.map_or_else(String::new, |day| day.to_string());
    match fact {
        PersonFact::Wage { payer, period, amount, paid_on } => format!("{payer}|{period}|{amount}|{}", day(paid_on)),
        PersonFact::Insurance { insured, scheme, coverage, period, status, arrived_on, payment } => {
            let insured = insured.map_or_else(String::new, |code| code.to_string());
            format!("{insured}|{scheme}|{coverage}|{period}|{status}|{}|{payment}", day(arrived_on))
        }
        PersonFact::Certificate { kind, number, level, category, valid_from, valid_to, status, status_since } => {
            let category = category.map_or_else(String::new, |category| category.to_string());
            let (to, since) = (day(valid_to), day(status_since));
            format!("{kind}|{number}|{level}|{category}|{valid_from}|{to}|{status}|{since}")
        }
    }
}

/// As [`fact_text`].
fn filing_text(filing: &FilingFact) -> String {
    let FilingFact { dispatcher, name, licence, province, valid_from, valid_to, status } = filing;
    let to = valid_to.map_or_else(String::new, |day| day.to_string());
    format!("{dispatcher}|{name}|{licence}|{province}|{valid_from}|{to}|{status}")
}

/// A row as it came, as a JSON object of its cells: what quarantine keeps.
pub fn raw_form(page: &Page, row: usize) -> Vec<u8> {
    let cells: serde_json::Map<String, serde_json::Value> =
        page.raw(row).into_iter().map(|(name, value)| (name.to_owned(), value.text.into())).collect();
    serde_json::to_vec(&cells).unwrap_or_default()
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
    let (id, name, payer) = (cells.id_number(), cells.name(), cells.uscc("payer_uscc"));
    let (period, amount, paid_on) = (cells.period(), cells.amount(), cells.optional_date("paid_on"));
    let says = (|| {
        let fact = PersonFact::Wage { payer: payer?, period: period?, amount: amount?, paid_on: paid_on? };
        Some(Says::OfPerson { id: id?, name: name?, fact })
    })();
    Parsed { says, id, unit: payer, period, notes: odd_code(payer), scheme: None }
}

fn parse_insurance(cells: &mut Cells<'_>) -> Parsed {
    let (id, name) = (cells.id_number(), cells.name());
    let insured_cell = cells.value("insured_uscc");
    let insured = insured_cell.and_then(|value| cells.parse_uscc("insured_uscc", value));
    let scheme = cells.one_of("scheme", Scheme::parse, "pension, medical");
    let coverage = cells.one_of("coverage", Coverage::parse, "employee, resident");
    let period = cells.period();
    let status = cells.one_of("status", ContributionStatus::parse, "paid, owed");
    let arrived_on = cells.optional_date("arrived_on");
    let payment = match cells.word_or("payment", "normal") {
        None => None,
        Some(word) => match Payment::parse(&word) {
            Some(payment) => Some(payment),
            None => cells.fail("payment", "unknown_value", "is none of normal, back_payment"),
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
    let kind = cells.one_of("kind", CertificateKind::parse, "disabled_person, disabled_soldier");
    let most = if kind == Some(CertificateKind::DisabledSoldier) { 10 } else { 4 };
    let level = cells.number("level", 1..=most);
    let has_category = cells.value("category").is_some();
    let category = has_category.then(|| cells.number("category", 1..=7)).flatten();
    let mut notes = Vec::new();
    let number = certificate_number(cells, kind, id, level, category, &mut notes);
    let (valid_from, valid_to) = (cells.date("valid_from"), cells.optional_date("valid_to"));
    let accepted = "valid, expired, frozen, cancelled, replaced";
    let status = cells.one_of("status", CertificateStatus::parse, accepted);
    let status_since = cells.optional_date("status_since");
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
    let value = cells.required("certificate_number")?;
    let text = cells.identifying("certificate_number", value)?;
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
        Err(error) => cells.fail("certificate_number", id_code(error), format!("is no certificate number: {error}")),
    }
}

fn parse_filing(cells: &mut Cells<'_>) -> Parsed {
    let dispatcher = cells.uscc("dispatch_uscc");
    let name = cells.required("dispatch_name").map(|value| value.text.trim().to_owned());
    let licence = cells.required("licence_number").map(|value| value.text.trim().to_owned());
    let province = match cells.required("province").map(|value| normalise(value.text)) {
        None => None,
        Some(code) if code.len() == 6 && code.bytes().all(|c| c.is_ascii_digit()) => code[..2].parse().ok(),
        Some(_) => cells.fail("province", "malformed", "is not a division code of 6 digits"),
    };
    let (valid_from, valid_to) = (cells.date("valid_from"), cells.optional_date("valid_to"));
    let status = cells.one_of("status", FilingStatus::parse, "approved, pending, rejected, revoked");
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
