//! An agency's answer: the records in it, the way to the next, and how many there are to be.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::value::RawValue;

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

    /// Reads JSON (an object with an array of records, or such an array) or NDJSON (a record a line), by content type.
    pub fn read(body: Vec<u8>, content_type: &str, form: &AnswerForm) -> Result<Self, Fault> {
        let fault = |found: &str, accepted| Fault::Answer { found: found.to_owned(), accepted };
        let content_type = content_type.to_ascii_lowercase();
        if content_type.starts_with("text/html") {
            return Err(fault("a web page", "JSON"));
        }
        let body = String::from_utf8(body).map_err(|_| fault("what is not UTF-8", "JSON in UTF-8"))?;
        if ["ndjson", "jsonl", "jsonlines", "json-seq"].iter().any(|kind| content_type.contains(kind)) {
            let start = body.as_ptr() as usize;
            let lines = body.lines().map(|line| line.trim_start_matches(['\u{1E}', '\u{FEFF}']).trim());
            let lines = lines.filter(|line| !line.is_empty());
            let records = lines.map(|line| place_in(start, line)).collect();
            return Ok(Self { body, records, next: None, total: None });
        }
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

    pub fn count(&self) -> u64 {
        self.records.len() as u64
    }

    /// The cursor or address that leads on.
    pub fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }

    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// What tells one answer from another.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for record in &self.records {
            self.body[record.clone()].hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The records after the first `skip` as pages, at least one, numbered from `number`; with each, how many records
    /// of the answer lie before its end.
    pub fn into_pages(self, number: u32, skip: u64, limits: Limits) -> Vec<(Page, u64)> {
        let new_page = |number| {
            let mut page = Page::new(number);
            page.announced_total = self.total;
            page
        };
        let mut pages = Vec::new();
        let mut page = new_page(number);
        let mut row = skip.min(self.count());
        for record in self.records.iter().skip(row as usize) {
            if page.is_full(limits) {
                let next = new_page(page.number + 1);
                pages.push((std::mem::replace(&mut page, next), row));
            }
            row += 1;
            push_record(&mut page, row, &self.body[record.clone()]);
        }
        pages.push((page, row));
        pages
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
