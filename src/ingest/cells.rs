//! One row under its contract: each cell read by its kind, the first fault noted.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, Utc};

use crate::config::record::{AMOUNT, DELETED, Field, ID_NUMBER, NAME, PERIOD, RECORD_ID, Slots, UPDATED_AT};
use crate::config::{AmountUnit, Job, StampFrom, Zone};
use crate::domain::ids::{IdError, ResidentId, Uscc, normalise};
use crate::domain::money::Fen;
use crate::domain::month::Month;
use crate::sources::page::{CellKind, Page, Value};

/// The first thing that is wrong with a row.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) field: &'static str,
    pub(super) code: &'static str,
    pub(super) detail: String,
}

/// One row under its contract. Every reader notes the first fault and goes on, so that as much as possible is known of a
/// refused record.
pub(super) struct Cells<'a> {
    pub(super) job: &'a Job,
    /// The stamp of records whose source has none.
    pub(super) delivered_at: DateTime<Utc>,
    pub(super) page: &'a Page,
    pub(super) row: usize,
    pub(super) layout: &'a Layout,
    pub(super) fault: Option<Fault>,
}

/// Where a page has our fields.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) columns: Slots<Option<usize>>,
    /// Fields that are the same for every record of the job.
    pub(super) constants: Slots<Option<String>>,
    /// The columns that together make the identity, where there is no single one.
    pub(super) key: Option<Vec<Option<usize>>>,
}

impl Layout {
    pub(super) fn of(job: &Job, page: &Page) -> Self {
        let column = |field: &Field| {
            let theirs = job.fields.get(field.name).map_or(field.name, String::as_str);
            page.find_column(theirs)
        };
        let key = job.key.record_id.as_ref();
        Self {
            columns: Slots::new(column),
            constants: Slots::new(|field| job.constants.get(field.name).cloned()),
            key: key.map(|columns| columns.iter().map(|name| page.find_column(name)).collect()),
        }
    }

    /// Whether the field can have a value at all.
    pub(super) fn has(&self, field: &Field) -> bool {
        self.constants.get(field).is_some() || self.columns.get(field).is_some()
    }
}

impl<'a> Cells<'a> {
    pub(super) fn fail<T>(&mut self, field: &Field, code: &'static str, detail: impl Into<String>) -> Option<T> {
        self.fault.get_or_insert_with(|| Fault { field: field.name, code, detail: detail.into() });
        None
    }

    /// The cell of a field, or its constant; blank text counts as absent.
    pub(super) fn value(&self, field: &Field) -> Option<Value<'a>> {
        if let Some(constant) = self.layout.constants.get(field) {
            return Some(Value { text: constant, kind: CellKind::Text });
        }
        let column = (*self.layout.columns.get(field))?;
        self.page.get(self.row, column).filter(|value| !value.text.trim().is_empty())
    }

    pub(super) fn required(&mut self, field: &Field) -> Option<Value<'a>> {
        let value = self.value(field);
        if value.is_none() {
            return self.fail(field, "missing", "is empty");
        }
        value
    }

    /// Text that identifies; a number cell has lost what it had.
    pub(super) fn identifying(&mut self, field: &Field, value: Value<'a>) -> Option<&'a str> {
        if value.kind == CellKind::Number {
            return self.fail(field, "malformed", "is a number; only text keeps all its digits");
        }
        Some(value.text)
    }

    pub(super) fn record_id(&mut self) -> Option<Cow<'a, str>> {
        let Some(columns) = &self.layout.key else {
            return Some(Cow::Borrowed(self.required(&RECORD_ID)?.text.trim()));
        };
        let parts: Vec<&str> = columns
            .iter()
            .map(|column| {
                column.and_then(|column| self.page.get(self.row, column)).map_or("", |value| value.text.trim())
            })
            .collect();
        if parts.iter().all(|part| part.is_empty()) {
            return self.fail(&RECORD_ID, "missing", "all its parts are empty");
        }
        Some(Cow::Owned(parts.join("\u{1f}")))
    }

    pub(super) fn updated_at(&mut self) -> Option<DateTime<Utc>> {
        if self.job.key.updated_at == Some(StampFrom::Delivery) {
            return Some(self.delivered_at);
        }
        let text = self.required(&UPDATED_AT)?.text.trim();
        match instant(text, &self.job.formats.zone) {
            Some(at) => Some(at),
            None => self.fail(&UPDATED_AT, "malformed", "is not an instant such as 2026-03-20T02:00:00+08:00"),
        }
    }

    pub(super) fn deleted(&mut self) -> bool {
        let Some(word) = self.word_or(&DELETED, "false") else { return false };
        match word.as_str() {
            "true" => true,
            "false" => false,
            _ => {
                self.fail::<()>(&DELETED, "unknown_value", "is neither true nor false");
                false
            }
        }
    }

    /// The word of a closed set: mapped by the job's `[values]`, else ours, in lower case.
    pub(super) fn word_or(&mut self, field: &Field, default: &str) -> Option<String> {
        match self.value(field) {
            None => Some(default.to_owned()),
            Some(value) => self.map_word(field, value.text),
        }
    }

    fn map_word(&mut self, field: &Field, text: &str) -> Option<String> {
        let text = text.trim();
        match self.job.values.get(field.name) {
            None => Some(normalise(text).to_lowercase()),
            // a constant is already one of our words
            Some(_) if self.job.constants.contains_key(field.name) => Some(text.to_owned()),
            Some(words) => match words.get(text).or_else(|| words.get(normalise(text).as_ref())) {
                Some(word) => Some(word.clone()),
                None => {
                    let accepted: Vec<&str> = words.keys().map(String::as_str).collect();
                    self.fail(field, "unknown_value", format!("is none of {}", accepted.join(", ")))
                }
            },
        }
    }

    pub(super) fn one_of<T>(&mut self, field: &Field, parse: impl Fn(&str) -> Option<T>, accepted: &str) -> Option<T> {
        let value = self.required(field)?;
        let word = self.map_word(field, value.text)?;
        match parse(&word) {
            Some(parsed) => Some(parsed),
            None => self.fail(field, "unknown_value", format!("is none of {accepted}")),
        }
    }

    pub(super) fn id_number(&mut self) -> Option<ResidentId> {
        let value = self.required(&ID_NUMBER)?;
        let text = self.identifying(&ID_NUMBER, value)?;
        match ResidentId::parse(text) {
            Ok(id) => Some(id),
            Err(error) => self.fail(&ID_NUMBER, id_code(error), format!("is no resident ID: {error}")),
        }
    }

    pub(super) fn name(&mut self) -> Option<String> {
        let value = self.required(&NAME)?;
        let name = value.text.trim();
        if name.chars().count() > 100 {
            return self.fail(&NAME, "malformed", "is longer than 100 characters");
        }
        if name.contains('\u{FFFD}') {
            return self.fail(
                &NAME,
                "malformed",
                "contains a replacement character: it was decoded wrongly before it came here",
            );
        }
        Some(name.to_owned())
    }

    pub(super) fn uscc(&mut self, field: &Field) -> Option<Uscc> {
        let value = self.required(field)?;
        self.parse_uscc(field, value)
    }

    pub(super) fn parse_uscc(&mut self, field: &Field, value: Value<'a>) -> Option<Uscc> {
        let text = self.identifying(field, value)?;
        match Uscc::parse(text) {
            Ok(code) => Some(code),
            Err(error) => self.fail(field, id_code(error), format!("is no unified social credit code: {error}")),
        }
    }

    pub(super) fn period(&mut self) -> Option<Month> {
        let value = self.required(&PERIOD)?;
        let format = &self.job.formats.period;
        match month(&normalise(value.text), format) {
            Some(month) => Some(month),
            None => self.fail(&PERIOD, "malformed", format!("is not a month of the form {format}")),
        }
    }

    pub(super) fn amount(&mut self) -> Option<Fen> {
        let value = self.required(&AMOUNT)?;
        let text = normalise(value.text);
        let parsed = match self.job.formats.amount {
            AmountUnit::Yuan => Fen::parse_yuan(&text),
            AmountUnit::Fen => Fen::parse_fen(&text),
        };
        match parsed {
            Ok(amount) => Some(amount),
            Err(error) => self.fail(&AMOUNT, "malformed", format!("is {error}")),
        }
    }

    pub(super) fn date(&mut self, field: &Field) -> Option<NaiveDate> {
        let value = self.required(field)?;
        self.parse_date(field, value)
    }

    /// `None` of the outer option: there is a fault; of the inner: there is no date.
    #[expect(clippy::option_option, reason = "a missing date and an unreadable one are different things")]
    pub(super) fn optional_date(&mut self, field: &Field) -> Option<Option<NaiveDate>> {
        match self.value(field) {
            None => Some(None),
            Some(value) => self.parse_date(field, value).map(Some),
        }
    }

    fn parse_date(&mut self, field: &Field, value: Value<'a>) -> Option<NaiveDate> {
        match day(&normalise(value.text)) {
            Some(day) => Some(day),
            None => self.fail(field, "malformed", "is not a day of the calendar of the form YYYY-MM-DD"),
        }
    }

    pub(super) fn number(&mut self, field: &Field, range: std::ops::RangeInclusive<u8>) -> Option<u8> {
        let value = self.required(field)?;
        let word = self.map_word(field, value.text)?;
        match word.parse().ok().filter(|number| range.contains(number) && !word.starts_with(['0', '+'])) {
            Some(number) => Some(number),
            None => {
                let (least, most) = (range.start(), range.end());
                self.fail(field, "malformed", format!("is not a number from {least} to {most}"))
            }
        }
    }
}

pub(super) fn id_code(error: IdError) -> &'static str {
    if error == IdError::CheckDigit { "checksum" } else { "malformed" }
}

/// To the microsecond, which is what is stored: finer stamps would be new at every look.
fn instant(text: &str, zone: &Zone) -> Option<DateTime<Utc>> {
    let stored = |at: DateTime<Utc>| at.trunc_subsecs(6);
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(stored(at.to_utc()));
    }
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| day(text).map(|day| day.and_time(NaiveTime::MIN)))?;
    Some(stored(zone.instant(local)))
}

fn day(text: &str) -> Option<NaiveDate> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(i, c)| if i == 4 || i == 7 { c == b'-' } else { c.is_ascii_digit() });
    shape.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

fn month(text: &str, format: &str) -> Option<Month> {
    if format == "%Y-%m" {
        return text.parse().ok();
    }
    let day = NaiveDate::parse_from_str(&format!("{text}#01"), &format!("{format}#%d")).ok()?;
    let month = Month::of(day);
    (day.format(format).to_string() == text).then_some(month).filter(|month| Month::from_index(month.index()).is_some())
}
