//! Messages as files for the tax department: NDJSON, CSV in UTF-8 and GB18030, and a manifest. The same range gives the same bytes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use encoding_rs::GB18030;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock;
use crate::domain::feed::{Cursor, ExportFormat};
use crate::store::change::Change;
use crate::store::feed::{FeedMessage, Wanted};
use crate::store::{Store, StoreError};

pub const MANIFEST: &str = "manifest.json";

/// A file with its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFile {
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

/// What is handed over together. The manifest is not among the files: it goes last, and says that they are whole.
#[derive(Clone, Debug)]
pub struct Export {
    /// Of the folder: `2025_3601_000000000012-000000000034`, business year, division where it is of one, and publishes.
    pub name: String,
    pub files: Vec<ExportFile>,
    pub manifest: Manifest,
    pub manifest_bytes: Vec<u8>,
}

/// What an export holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// `renzheng-export-1`.
    pub form: &'static str,
    pub year: i16,
    /// The beginning of the tax divisions it is meant for; empty: all.
    pub division: String,
    /// RFC 3339 in Beijing time.
    pub created_at: String,
    /// The place before its first message.
    pub after: String,
    /// The place from which the next export goes on.
    pub next: String,
    pub sums: Sums,
    pub files: Vec<FileLine>,
}

/// Sums over the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    pub messages: u64,
    pub certified: u64,
    pub withdrawn: u64,
    pub person_count: u64,
    pub unweighted_person_months: u64,
    pub weighted_person_months: u64,
}

/// One file of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileLine {
    pub name: &'static str,
    /// Messages; a CSV has a header row besides.
    pub rows: u64,
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
    /// Signs that the encoding cannot hold, each written as `〓`; left out where there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub replaced: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("message {0} is none that can be written as a row")]
    Body(String),
    #[error("the rows could not be written")]
    Csv(#[from] csv::Error),
    #[error("the manifest could not be written")]
    Json(#[from] serde_json::Error),
    #[error("the outbox could not be read or written")]
    Store(#[from] StoreError),
}

/// Which messages an export takes, and in which forms.
#[derive(Clone, Debug)]
pub struct Range<'a> {
    pub year: i16,
    pub division: &'a str,
    pub after: Cursor,
    /// Up to and with this publish.
    pub until_seq: i64,
    pub formats: &'a [ExportFormat],
    pub created_at: DateTime<Utc>,
}

impl Range<'_> {
    /// Of the folder.
    pub fn name(&self) -> String {
        let division = if self.division.is_empty() { String::new() } else { format!("{}_", self.division) };
        format!("{}_{division}{:012}-{:012}", self.year, self.after.seq, self.until_seq)
    }
}

/// So many messages are read at a time.
const PAGE: i64 = 5000;

/// Reads the messages of a range; they are held in memory, about a kilobyte each.
pub async fn list_range(store: &Store, range: &Range<'_>) -> Result<Vec<FeedMessage>, ExportError> {
    let wanted = Wanted { division: range.division, year: Some(range.year), until_seq: Some(range.until_seq) };
    let (mut messages, mut after) = (Vec::new(), range.after);
    loop {
        let page = store.list_feed(&after, wanted, PAGE, range.created_at).await?;
        messages.extend(page.messages);
        after = page.next;
        if !page.more {
            return Ok(messages);
        }
    }
}

/// Locks the messages of a range until the change ends, and ends range and messages before the first publish of which something may
/// not leave any more: what was read can have been given up or held meanwhile.
pub async fn lock_range(
    change: &mut Change,
    range: &mut Range<'_>,
    messages: &mut Vec<FeedMessage>,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = messages.iter().map(|message| message.message_id).collect();
    let leaving = change.lock_leaving(&ids, at).await?;
    if let Some(first) = messages.get(leaving) {
        range.until_seq = first.place.seq - 1;
        messages.retain(|message| message.place.seq <= range.until_seq);
    }
    Ok(())
}

/// Writes the messages of a range.
pub fn write(range: &Range<'_>, messages: &[FeedMessage]) -> Result<Export, ExportError> {
    let rows: Vec<Row> = messages.iter().map(Row::read).collect::<Result<_, _>>()?;
    let mut sums = Sums { messages: rows.len() as u64, ..Sums::default() };
    for row in &rows {
        match row.kind.as_str() {
            "withdrawn" => sums.withdrawn += 1,
            _ => sums.certified += 1,
        }
        sums.person_count += row.person_count.unwrap_or_default();
        sums.unweighted_person_months += row.unweighted_person_months.unwrap_or_default();
        sums.weighted_person_months += row.weighted_person_months.unwrap_or_default();
    }
    let (mut files, mut lines) = (Vec::new(), Vec::new());
    for format in range.formats {
        let (bytes, replaced) = match format {
            ExportFormat::Ndjson => (ndjson(messages), 0),
            ExportFormat::Csv => ([b"\xef\xbb\xbf".as_slice(), &csv_rows(&rows)?].concat(), 0),
            ExportFormat::CsvGb18030 => gb18030(&csv_rows(&rows)?),
        };
        let (name, sha256) = (format.file_name(), hex::encode(Sha256::digest(&bytes)));
        lines.push(FileLine { name, rows: rows.len() as u64, bytes: bytes.len() as u64, sha256, replaced });
        files.push(ExportFile { name, bytes });
    }
    let next = Cursor::after_publish(range.until_seq);
    let manifest = Manifest {
        form: "renzheng-export-1",
        year: range.year,
        division: range.division.to_owned(),
        created_at: clock::rfc3339(range.created_at),
        after: range.after.encode(),
        next: next.encode(),
        sums,
        files: lines,
    };
    let mut manifest_bytes = serde_json::to_vec_pretty(&manifest)?;
    manifest_bytes.push(b'\n');
    Ok(Export { name: range.name(), files, manifest, manifest_bytes })
}

/// A message a line, byte for byte as it is frozen.
fn ndjson(messages: &[FeedMessage]) -> Vec<u8> {
    messages.iter().flat_map(|message| message.body.iter().copied().chain([b'\n'])).collect()
}

/// What a body says, as a row has it.
#[derive(Deserialize)]
struct Row {
    kind: String,
    message_id: String,
    idempotency_key: String,
    version: u64,
    supersedes: Option<u64>,
    uscc: String,
    employer_name: String,
    tax_division: String,
    year: i64,
    person_count: Option<u64>,
    unweighted_person_months: Option<u64>,
    weighted_person_months: Option<u64>,
    placed_persons: Option<BTreeMap<String, String>>,
    months: Option<[u64; 12]>,
    certified_at: Option<String>,
    certification_number: Option<String>,
    #[serde(skip)]
    digest: String,
}

const COLUMNS: [&str; 17] = [
    "kind",
    "message_id",
    "idempotency_key",
    "version",
    "supersedes",
    "uscc",
    "employer_name",
    "tax_division",
    "year",
    "person_count",
    "unweighted_person_months",
    "weighted_person_months",
    "placed_persons_fraction",
    "placed_persons_decimal",
    "certified_at",
    "certification_number",
    "digest",
];

impl Row {
    fn read(message: &FeedMessage) -> Result<Self, ExportError> {
        let row: Self =
            serde_json::from_slice(&message.body).map_err(|_| ExportError::Body(message.message_id.to_string()))?;
        Ok(Self { digest: hex::encode(&message.digest), ..row })
    }

    fn cells(&self) -> Vec<String> {
        let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
        let placed = |part: &str| self.placed_persons.as_ref().and_then(|placed| placed.get(part)).cloned();
        let mut cells = vec![
            self.kind.clone(),
            self.message_id.clone(),
            self.idempotency_key.clone(),
            self.version.to_string(),
            number(self.supersedes),
            self.uscc.clone(),
            harmless(&self.employer_name),
            self.tax_division.clone(),
            self.year.to_string(),
            number(self.person_count),
            number(self.unweighted_person_months),
            number(self.weighted_person_months),
            placed("fraction").unwrap_or_default(),
            placed("decimal").unwrap_or_default(),
            self.certified_at.clone().unwrap_or_default(),
            self.certification_number.clone().unwrap_or_default(),
            self.digest.clone(),
        ];
        match self.months {
            Some(months) => cells.extend(months.iter().map(u64::to_string)),
            None => cells.extend(std::iter::repeat_n(String::new(), 12)),
        }
        cells
    }
}

/// A cell that no spreadsheet takes for a formula: what begins like one gets an apostrophe before it. Only names can.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// As RFC 4180 has it.
fn csv_rows(rows: &[Row]) -> Result<Vec<u8>, ExportError> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let months = (1..=12).map(|month| format!("month_{month:02}"));
    writer.write_record(COLUMNS.iter().map(|column| (*column).to_owned()).chain(months))?;
    for row in rows {
        writer.write_record(row.cells())?;
    }
    writer.into_inner().map_err(|error| ExportError::Csv(error.into_error().into()))
}

/// The text in GB18030, and how many signs it cannot hold: the one of Unicode that its web form leaves out, U+E5E5, of private use.
fn gb18030(text: &[u8]) -> (Vec<u8>, u64) {
    let text = String::from_utf8_lossy(text);
    let missing = text.matches('\u{E5E5}').count() as u64;
    let text = text.replace('\u{E5E5}', "〓");
    (GB18030.encode(&text).0.into_owned(), missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str, withdrawn: bool) -> FeedMessage {
        let head = format!(
            r#""message_id":"019d8ec6-1a00-7000-8000-000000000001","idempotency_key":"K","version":1,"uscc":"U","employer_name":{},"tax_division":"360102","year":2025"#,
            serde_json::to_string(name).expect("a text")
        );
        let body = if withdrawn {
            format!(r#"{{"kind":"withdrawn",{head}}}"#)
        } else {
            format!(
                r#"{{"kind":"certified",{head},"supersedes":2,"person_count":2,"unweighted_person_months":17,"weighted_person_months":29,"placed_persons":{{"fraction":"29/12","decimal":"2.42"}},"months":[1,2,3,4,5,6,7,8,9,10,11,12],"certified_at":"2026-04-15T08:00:00+08:00","certification_number":"36-2025-00000001"}}"#
            )
        };
        let digest = Sha256::digest(body.as_bytes()).to_vec();
        let place = Cursor::START;
        FeedMessage { place, message_id: Uuid::nil(), idempotency_key: "K".to_owned(), body: body.into_bytes(), digest }
    }

    fn export(messages: &[FeedMessage]) -> Export {
        let created_at = "2026-04-15T00:00:00Z".parse().expect("an instant");
        let after = Cursor::after_publish(7);
        let formats = ExportFormat::ALL;
        write(&Range { year: 2025, division: "36", after, until_seq: 9, formats, created_at }, messages)
            .expect("written")
    }

    fn cells(bytes: &[u8]) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
        reader.records().map(|record| record.expect("a row").iter().map(str::to_owned).collect()).collect()
    }

    const NAMES: [&str; 6] = ["甲,乙\"丙\"", "两\n行\r\n名", "𠮷田㐀〇", "=1+2", "@甲", "平常公司"];

    #[test]
    fn names_of_every_kind_come_back_out_of_every_form() {
        let messages: Vec<FeedMessage> = NAMES.iter().map(|name| message(name, false)).collect();
        let export = export(&messages);
        let file = |name: &str| &export.files.iter().find(|file| file.name == name).expect(name).bytes;
        let lines: Vec<&[u8]> = file("messages.ndjson").split(|byte| *byte == b'\n').collect();
        assert_eq!(lines.len(), NAMES.len() + 1, "a line break in a name is escaped");
        assert!(lines.iter().zip(&messages).all(|(line, message)| *line == message.body), "byte for byte");
        let expected: Vec<String> = NAMES.iter().map(|name| harmless(name)).collect();
        assert_eq!(expected[3..5], ["'=1+2", "'@甲"]);
        let utf8 = file("messages.csv").strip_prefix(b"\xef\xbb\xbf".as_slice()).expect("a mark");
        let gb18030 = GB18030.decode_without_bom_handling(file("messages-gb18030.csv"));
        assert!(!gb18030.1);
        for bytes in [utf8, gb18030.0.as_bytes()] {
            let rows = cells(bytes);
            let names: Vec<&String> = rows.iter().skip(1).map(|row| &row[6]).collect();
            assert_eq!(names, expected.iter().collect::<Vec<_>>());
            assert!(rows.iter().all(|row| row.len() == 29));
        }
    }

    #[test]
    fn a_sign_that_gb18030_leaves_out_is_replaced_and_counted() {
        let export = export(&[message("甲\u{E5E5}乙", false)]);
        assert_eq!(export.manifest.files.iter().map(|file| file.replaced).collect::<Vec<_>>(), [0, 0, 1]);
        let bytes = &export.files[2].bytes;
        assert!(GB18030.decode_without_bom_handling(bytes).0.contains("甲〓乙"));
    }

    #[test]
    fn the_manifest_counts_sums_and_digests() {
        let export = export(&[message("甲", false), message("甲", true), message("乙", false)]);
        assert_eq!(export.name, "2025_36_000000000007-000000000009");
        let sums = Sums {
            messages: 3,
            certified: 2,
            withdrawn: 1,
            person_count: 4,
            unweighted_person_months: 34,
            weighted_person_months: 58,
        };
        assert_eq!(export.manifest.sums, sums);
        for (line, file) in export.manifest.files.iter().zip(&export.files) {
            assert_eq!((line.name, line.rows, line.bytes), (file.name, 3, file.bytes.len() as u64));
            assert_eq!(line.sha256, hex::encode(Sha256::digest(&file.bytes)));
        }
        let withdrawn = &cells(&export.files[1].bytes)[2];
        assert_eq!((withdrawn[0].as_str(), withdrawn[9].as_str(), withdrawn[28].as_str()), ("withdrawn", "", ""));
    }
}
