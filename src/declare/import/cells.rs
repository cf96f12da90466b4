//! The cells of one row: each reader gives a value, or notes what was found and what would be accepted.

use chrono::{Datelike, NaiveDate};

use super::report::Findings;
use super::{ImportedRow, Rules};
use crate::domain::decimal::Exact;
use crate::domain::entry;
use crate::domain::ids::{IdError, ResidentId, Uscc, normalise};
use crate::domain::money::Fen;
use crate::domain::policy::Policy;
use crate::sources::{CellKind, Page, Value};

/// A column of a file; a required one must be in the header, and its cells must not be empty.
pub(super) struct Column {
    pub name: &'static str,
    pub required: bool,
}

impl Column {
    pub const fn required(name: &'static str) -> Self {
        Self { name, required: true }
    }

    pub const fn optional(name: &'static str) -> Self {
        Self { name, required: false }
    }
}

/// One row of a file.
pub(super) struct Cells<'a> {
    page: &'a Page,
    row: usize,
    names: &'static [Column],
    /// Where each of `names` stands in the page.
    columns: &'a [Option<usize>],
    personal: bool,
    rules: &'a Rules<'a>,
    findings: &'a mut Findings,
    refused: bool,
}

impl<'a> Cells<'a> {
    pub fn new<R: ImportedRow>(
        page: &'a Page,
        row: usize,
        columns: &'a [Option<usize>],
        rules: &'a Rules<'a>,
        findings: &'a mut Findings,
    ) -> Self {
        Self { page, row, names: R::COLUMNS, columns, personal: R::PERSONAL, rules, findings, refused: false }
    }

    /// Whether any cell read so far was refused.
    pub fn is_refused(&self) -> bool {
        self.refused
    }

    pub fn policy(&self) -> &'a Policy {
        self.rules.policy
    }

    fn line(&self) -> u64 {
        self.page.row_number(self.row)
    }

    pub fn refuse<T>(
        &mut self,
        column: &'static str,
        code: &'static str,
        found: impl Into<String>,
        accepted: impl Into<String>,
    ) -> Option<T> {
        self.refused = true;
        self.findings.refuse(self.line(), Some(column), code, found, accepted);
        None
    }

    /// Refuses what the rules of entries forbid, at the column that they name.
    pub fn refuse_by<T>(&mut self, refusal: &entry::Refusal, found: impl Into<String>) -> Option<T> {
        self.refuse(refusal.field(), refusal.code(), found, refusal.to_string())
    }

    pub fn warn(&mut self, column: &'static str, code: &'static str, message: impl Into<String>) {
        self.findings.warn(self.line(), Some(column), code, message);
    }

    /// Refuses a value, which is shown as far as it may be.
    fn refuse_value<T>(
        &mut self,
        column: &'static str,
        code: &'static str,
        value: Value<'_>,
        accepted: impl Into<String>,
    ) -> Option<T> {
        let found = shown(value.text.trim(), self.personal);
        self.refuse(column, code, found, accepted)
    }

    /// What stands in a cell; blank text counts as nothing, which a required column refuses.
    fn value(&mut self, name: &'static str) -> Option<Value<'a>> {
        let place = self.names.iter().position(|column| column.name == name)?;
        let value = self.columns[place].and_then(|column| self.page.get(self.row, column));
        let value = value.filter(|value| !normalise(value.text).is_empty());
        if value.is_none() && self.names[place].required {
            return self.refuse(name, "missing", "nothing", "a value");
        }
        value
    }

    /// Text that identifies: a number cell has lost leading zeros, and maybe digits.
    fn identifying(&mut self, name: &'static str, accepted: &str) -> Option<Value<'a>> {
        let value = self.value(name)?;
        match value.kind {
            CellKind::Number => self.refuse(name, "malformed", "a number cell", format!("{accepted}, as text")),
            CellKind::Text | CellKind::Absent => Some(value),
        }
    }

    pub fn uscc(&mut self, name: &'static str) -> Option<Uscc> {
        const ACCEPTED: &str = "a unified social credit code of 18 characters";
        let value = self.identifying(name, ACCEPTED)?;
        match Uscc::parse(value.text) {
            Ok(code) => Some(code),
            Err(error) => {
                let found = shown_code(value.text, self.personal);
                self.refuse(name, id_code(error), found, format!("{ACCEPTED}; {error}"))
            }
        }
    }

    /// The code of a unit that is entered: one whose subject part has a wrong check digit is real now and then.
    pub fn subject_uscc(&mut self, name: &'static str) -> Option<Uscc> {
        let code = self.uscc(name)?;
        if !code.subject_check_fits() {
            let warning = entry::Warning::SubjectCheck;
            self.warn(name, warning.code(), warning.to_string());
        }
        Some(code)
    }

    pub fn id_number(&mut self, name: &'static str) -> Option<ResidentId> {
        const ACCEPTED: &str = "a resident ID number of 18 or 15 characters";
        let value = self.identifying(name, ACCEPTED)?;
        match ResidentId::parse(value.text) {
            Ok(id) => Some(id),
            Err(error) => {
                let found = masked(&normalise(value.text));
                self.refuse(name, id_code(error), found, format!("{ACCEPTED}; {error}"))
            }
        }
    }

    /// A name of a unit or person, without what surrounds it.
    pub fn name(&mut self, name: &'static str) -> Option<String> {
        match entry::text(self.value(name)?.text) {
            Ok(text) => Some(text.to_owned()),
            Err(fault) => self.refuse(name, fault.code(), fault.found(), fault.to_string()),
        }
    }

    /// A word of a closed set, in any case.
    pub fn word<T: Copy>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
        accepted: &str,
    ) -> Option<T> {
        let value = self.value(name)?;
        match parse(&normalise(value.text).to_lowercase()) {
            Some(word) => Some(word),
            None => self.refuse_value(name, "unknown_value", value, accepted),
        }
    }

    pub fn truth(&mut self, name: &'static str) -> Option<bool> {
        self.word(name, |word| word.parse().ok(), "true, false")
    }

    /// A year that may be entered: the last one or the running one, with rules for all its months.
    pub fn year(&mut self, name: &'static str) -> Option<i16> {
        let value = self.value(name)?;
        let text = normalise(value.text);
        let year = Some(&text).filter(|text| text.len() == 4 && text.bytes().all(|digit| digit.is_ascii_digit()));
        let Some(year) = year.and_then(|text| text.parse::<i16>().ok()) else {
            return self.refuse_value(name, "malformed", value, "a year such as 2025");
        };
        match self.rules.years.check(year) {
            Ok(()) => Some(year),
            Err(refusal) => self.refuse_by(&refusal, year.to_string()),
        }
    }

    pub fn date(&mut self, name: &'static str) -> Option<NaiveDate> {
        let value = self.value(name)?;
        let accepted = "a day of the calendar of the form YYYY-MM-DD, years 1900 to 2199";
        day(&normalise(value.text)).or_else(|| self.refuse_value(name, "malformed", value, accepted))
    }

    /// Six digits. A number cell will do: no division begins with zero.
    pub fn division(&mut self, name: &'static str) -> Option<String> {
        let value = self.value(name)?;
        let text = normalise(value.text);
        if text.len() == 6 && text.bytes().all(|digit| digit.is_ascii_digit()) {
            return Some(text.into_owned());
        }
        self.refuse_value(name, "malformed", value, "a division code of 6 digits")
    }

    /// An exact decimal from 0 up, in its shortest form.
    pub fn decimal(&mut self, name: &'static str) -> Option<String> {
        let value = self.value(name)?;
        let accepted = "a decimal from 0 up with at most 9 digits before and 10 after the point, such as 30.5";
        let decimal = Exact::parse(&normalise(value.text)).ok().map(|decimal| decimal.to_string());
        decimal.or_else(|| self.refuse_value(name, "malformed", value, accepted))
    }

    /// Yuan from 0 up.
    pub fn amount(&mut self, name: &'static str) -> Option<Fen> {
        let value = self.value(name)?;
        let accepted = "yuan from 0 to a billion with at most two decimals, such as 2000 or 2000.50";
        let amount = Fen::parse_yuan(&normalise(value.text)).ok().filter(|amount| *amount >= Fen(0));
        amount.or_else(|| self.refuse_value(name, "malformed", value, accepted))
    }
}

fn id_code(error: IdError) -> &'static str {
    if error == IdError::CheckDigit { "checksum" } else { "malformed" }
}

fn day(text: &str) -> Option<NaiveDate> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(at, c)| if at == 4 || at == 7 { c == b'-' } else { c.is_ascii_digit() });
    let day = shape.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()?;
    (1900..=2199).contains(&day.year()).then_some(day)
}

/// More digits than this may be an ID number.
const MAX_SHOWN_DIGITS: usize = 13;
const MAX_SHOWN_CHARACTERS: usize = 60;

/// The last four characters of what should be an ID number; nothing of what is too short to hide the rest, or is no number.
fn masked(text: &str) -> String {
    let length = text.chars().count();
    let shown = if length >= 12 && text.is_ascii() { &text[length - 4..] } else { "" };
    format!("{}{shown}", "*".repeat(length.min(MAX_SHOWN_CHARACTERS) - shown.len()))
}

/// A value as a report may show it, whatever column it strayed into: what may be an ID number by its last four, and in files
/// about persons nothing that may be a name.
pub(super) fn shown(text: &str, personal: bool) -> String {
    let normal = normalise(text);
    let characters = text.chars().count();
    if normal.bytes().filter(u8::is_ascii_digit).count() > MAX_SHOWN_DIGITS {
        masked(&normal)
    } else if personal && !normal.is_ascii() && characters > 1 {
        format!("text of {characters} characters")
    } else if characters > MAX_SHOWN_CHARACTERS {
        format!("{}…", text.chars().take(MAX_SHOWN_CHARACTERS).collect::<String>())
    } else {
        text.to_owned()
    }
}

/// What should be a credit code. These may be digits nearly all and are public; a birth year where the area code ends is
/// the mark of an ID number that strayed here.
fn shown_code(text: &str, personal: bool) -> String {
    let normal = normalise(text);
    let century = normal.get(6..8).is_some_and(|digits| matches!(digits, "18" | "19" | "20"));
    if normal.len() == 18 && normal.is_ascii() && !century { normal.into_owned() } else { shown(text.trim(), personal) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_number_is_shown_by_its_last_four_wherever_it_strayed() {
        for text in ["360001196501010013", "３６０００１１９６５０１０１００１３", "360001 19650101 0013"]
        {
            assert_eq!(shown(text, false), "**************0013", "{text}");
            assert_eq!(shown_code(text, false), "**************0013", "{text}");
        }
        assert_eq!(masked("36000165010100"), "**********0100");
        assert_eq!(masked("0013"), "****");
        assert_eq!(masked("张三"), "**");
    }

    #[test]
    fn a_name_is_not_shown_and_a_code_is() {
        assert_eq!(shown("王小明", true), "text of 3 characters");
        assert_eq!(shown("是", true), "是");
        assert_eq!(shown("企业", false), "企业");
        assert_eq!(shown_code("91369900ma00000001", true), "91369900MA00000001");
        assert_eq!(shown_code("123699000000000001", true), "123699000000000001");
    }
}
