//! An agency's answer: the records in it, the way to the next, and how many there are to be.

use std::fmt;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::error::Fault;
use super::json::{at_pointer, push_record, scalar};
use super::page::{Limits, Page};

/// Where things stand in an answer, as JSON pointers.
#[derive(Clone, Debug)]
pub(super) struct AnswerForm {
    pub records: String,
    pub next: Option<String>,
    pub totals: Option<String>,
}

/// How far an answer was read: so many of its records, and what they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    pub records: u64,
    digest: Option<String>,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.digest {
            Some(digest) => write!(f, "{}:{digest}", self.records),
            None => write!(f, "{}", self.records),
        }
    }
}

impl Reach {
    pub fn parse(text: &str) -> Option<Self> {
        let (records, digest) = text.split_once(':').map_or((text, None), |(records, digest)| (records, Some(digest)));
        Some(Self { records: records.parse().ok()?, digest: digest.map(str::to_owned) })
    }
}

/// Counts and digests the records of an answer as they pass, so that going on in the middle of it is noticed when it is
/// another by now.
#[derive(Clone, Default)]
pub(super) struct Progress {
    records: u64,
    hasher: Sha256,
}

impl Progress {
    pub fn pass(&mut self, record: &[u8]) {
        self.records += 1;
        self.hasher.update(record);
        self.hasher.update(b"\n");
    }

    /// How many records passed: the number of the last, from 1.
    pub fn records(&self) -> u64 {
        self.records
    }

    pub fn reach(&self) -> Reach {
        if self.records == 0 {
            return Reach::default();
        }
        let digest = self.hasher.clone().finalize();
        Reach { records: self.records, digest: Some(hex::encode(&digest[..8])) }
    }

    /// Refuses to go on when what passed is not what passed before.
    pub fn expect(&self, reach: &Reach) -> Result<(), Fault> {
        let same = reach.digest.is_none() || *reach == self.reach();
        if same && self.records == reach.records { Ok(()) } else { Err(Fault::AnswerChanged) }
    }
}

/// Whether an answer is a record a line.
pub(super) fn is_ndjson(content_type: &str) -> bool {
    let content_type = content_type.to_ascii_lowercase();
    ["ndjson", "jsonl", "jsonlines", "json-seq"].iter().any(|kind| content_type.contains(kind))
}

/// An answer that was well formed as a whole. Its records are ranges of the body.
pub(super) struct Answer {
    body: String,
    records: Vec<std::ops::Range<usize>>,
    next: Option<String>,
    total: Option<u64>,
}

impl Answer {
    /// An answer that says that there is nothing.
    pub fn nothing() -> Self {
        Self { body: String::new(), records: Vec::new(), next: None, total: None }
    }

    /// Reads JSON: an object with an array of records, or such an array.
    pub fn read(body: Vec<u8>, content_type: &str, form: &AnswerForm) -> Result<Self, Fault> {
        let fault = |found: &str, accepted| Fault::Answer { found: found.to_owned(), accepted };
        if content_type.to_ascii_lowercase().starts_with("text/html") {
            return Err(fault("a web page", "JSON"));
        }
        let body = String::from_utf8(body).map_err(|_| fault("what is not UTF-8", "JSON in UTF-8"))?;
        let text = body.trim_start_matches('\u{FEFF}');
        let start = body.as_ptr() as usize;
        let document: &RawValue = serde_json::from_str(text)
            .map_err(|error| fault(&format!("what is not JSON ({})", kind_of(&error)), "JSON"))?;
        let is_array = document.get().starts_with('[');
        let records = if is_array { Some(document) } else { at_pointer(document, &form.records) };
        let records = records.ok_or_else(|| fault("no records", "an array at the pointer `records`"))?;
        let records: Vec<&RawValue> = serde_json::from_str(records.get())
            .map_err(|_| fault("something else than an array", "an array at the pointer `records`"))?;
        let at = |pointer: &Option<String>| {
            pointer.as_ref().and_then(|pointer| at_pointer(document, pointer)).and_then(scalar)
        };
        let next = at(&form.next).filter(|next| !next.is_empty() && next != "false").map(std::borrow::Cow::into_owned);
        let total = match at(&form.totals) {
            None => None,
            Some(total) => {
                Some(total.parse().map_err(|_| fault("something else than a count", "a whole number at `totals`"))?)
            }
        };
        let records = records.into_iter().map(|record| place_in(start, record.get())).collect();
        Ok(Self { body, records, next, total })
    }

    /// The cursor or address that leads on.
    pub fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }

    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// The records after those that were read before as pages, at least one, numbered from `number`; with each, how far
    /// the answer is read with it.
    pub fn pages(&self, number: u32, before: &Reach, limits: Limits) -> Result<Vec<(Page, Reach)>, Fault> {
        let new_page = |number| {
            let mut page = Page::new(number);
            page.announced_total = self.total;
            page
        };
        let mut progress = Progress::default();
        let mut records = self.records.iter().map(|record| &self.body[record.clone()]);
        for record in records.by_ref().take(before.records as usize) {
            progress.pass(record.as_bytes());
        }
        progress.expect(before)?;
        let mut pages = Vec::new();
        let mut page = new_page(number);
        for record in records {
            if page.is_full(limits) {
                let next = new_page(page.number + 1);
                pages.push((std::mem::replace(&mut page, next), progress.reach()));
            }
            progress.pass(record.as_bytes());
            push_record(&mut page, progress.records(), record);
        }
        pages.push((page, progress.reach()));
        Ok(pages)
    }
}

/// Where a part lies in the text that begins at address `start`.
fn place_in(start: usize, part: &str) -> std::ops::Range<usize> {
    let from = part.as_ptr() as usize - start;
    from..from + part.len()
}

/// What kind of mistake, without the content that `serde_json` might repeat.
fn kind_of(error: &serde_json::Error) -> &'static str {
    if error.is_eof() { "it breaks off" } else { "a mistake of form" }
}
