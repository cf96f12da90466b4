//! Comma-separated text (RFC 4180, any delimiter, UTF-8 or GB18030), read line by line in bounded memory.
//!
//! A mistake costs one record, and a quote that is not closed as it should be one line: reading goes on at the next.

use std::io;

use super::lines::{Line, Lines, Place, decode, without_end, without_mark};
use super::page::{CellKind, Page};
use crate::config::Encoding;

/// A quoted field may run over lines, up to here.
const MAX_RECORD_BYTES: usize = 256 << 10;
const MAX_RECORD_LINES: u32 = 1000;

/// How a text came apart.
#[derive(Debug, PartialEq, Eq)]
enum Split {
    Whole,
    /// It ends inside a quoted field.
    Open,
    TextAfterQuote,
    StrayQuote,
}

impl Split {
    /// What is wrong, for what does not come apart.
    fn why(&self) -> Option<&'static str> {
        match self {
            Self::Whole => None,
            Self::Open => Some("a quote that is never closed"),
            Self::TextAfterQuote => Some("text after a closing quote"),
            Self::StrayQuote => Some("a quote inside a field that does not begin with one"),
        }
    }
}

/// Splits a record into fields, `fields` being used again from record to record.
fn split(text: &str, delimiter: char, fields: &mut Vec<String>) -> Split {
    fields.clear();
    let mut rest = text;
    loop {
        let mut field = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            loop {
                let Some((inside, after)) = rest.split_once('"') else { return Split::Open };
                field.push_str(inside);
                rest = after;
                match rest.strip_prefix('"') {
                    Some(after) => {
                        field.push('"');
                        rest = after;
                    }
                    None => break,
                }
            }
            fields.push(field);
            match rest.strip_prefix(delimiter) {
                Some(after) => rest = after,
                None if rest.is_empty() => return Split::Whole,
                None => return Split::TextAfterQuote,
            }
        } else {
            let (plain, after) = rest.split_once(delimiter).map_or((rest, None), |(plain, after)| (plain, Some(after)));
            if plain.contains('"') {
                return Split::StrayQuote;
            }
            field.push_str(plain);
            fields.push(field);
            let Some(after) = after else { return Split::Whole };
            rest = after;
        }
    }
}

/// The header row: the names, trimmed, with the empty ones kept as places that are not read.
#[derive(Debug)]
pub struct Header {
    names: Vec<String>,
}

impl Header {
    /// Names must be there and differ from each other.
    pub fn new(names: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let names: Vec<String> = names.into_iter().map(|name| without_mark(&name).trim().to_owned()).collect();
        if names.iter().all(String::is_empty) {
            return Err("the header row has no names".to_owned());
        }
        for (at, name) in names.iter().enumerate() {
            if !name.is_empty() && names[..at].contains(name) {
                return Err(format!("column {} of the header row has the name of an earlier one", at + 1));
            }
        }
        Ok(Self { names })
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Makes the columns of a new page; for each place in a row, its column.
    pub fn columns(&self, page: &mut Page) -> Vec<Option<usize>> {
        self.names.iter().map(|name| (!name.is_empty()).then(|| page.column(name))).collect()
    }
}

/// One CSV file, after its header.
pub struct CsvReader {
    lines: Lines,
    encoding: Encoding,
    delimiter: char,
    header: Header,
    raw: Vec<u8>,
    fields: Vec<String>,
}

/// Why there is no header: reading failed, or what it says.
#[derive(Debug)]
pub enum HeaderFault {
    Io(io::Error),
    Bad { line: u64, what: String },
}

impl From<io::Error> for HeaderFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl CsvReader {
    pub fn open(mut lines: Lines, encoding: Encoding, delimiter: char) -> Result<Self, HeaderFault> {
        let mut raw = Vec::new();
        let line = loop {
            raw.clear();
            let line = lines.place().line;
            let bad = |what: &str| Err(HeaderFault::Bad { line, what: what.to_owned() });
            match lines.append(&mut raw)? {
                Line::End => return bad("the file is empty where a header row is expected"),
                Line::TooLong => return bad("the header row is longer than a mebibyte"),
                Line::Whole if without_end(&raw).is_empty() => {}
                Line::Whole => break line,
            }
        };
        let bad = |what: String| HeaderFault::Bad { line, what };
        let text = decode(encoding, without_end(&raw))
            .ok_or_else(|| bad(format!("the header row is not valid {encoding}: is `encoding` right?")))?;
        let mut names = Vec::new();
        if split(without_mark(&text), delimiter, &mut names) != Split::Whole {
            return Err(bad("the header row has a quote that is not closed or not followed by a delimiter".to_owned()));
        }
        let header = Header::new(names).map_err(bad)?;
        Ok(Self { lines, encoding, delimiter, header, raw, fields: Vec::new() })
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    pub fn lines(&mut self) -> &mut Lines {
        &mut self.lines
    }

    /// Reads one record into the page; `false` at the end of the file. `columns` are those the header made in the page.
    pub fn read_into(&mut self, page: &mut Page, columns: &[Option<usize>]) -> io::Result<bool> {
        let begin = self.lines.place();
        let mut raw = std::mem::take(&mut self.raw);
        raw.clear();
        let line = self.lines.append(&mut raw)?;
        match line {
            Line::End => {}
            Line::TooLong => page.push_undecodable(begin.line, "a line longer than a mebibyte", &raw),
            Line::Whole => self.read_record(&mut raw, begin, page, columns)?,
        }
        self.raw = raw;
        Ok(line != Line::End)
    }

    fn read_record(
        &mut self,
        raw: &mut Vec<u8>,
        begin: Place,
        page: &mut Page,
        columns: &[Option<usize>],
    ) -> io::Result<()> {
        let content = without_end(raw);
        if content.is_empty() {
            return Ok(());
        }
        let Some(text) = decode(self.encoding, content) else {
            page.push_undecodable(begin.line, format!("not valid {}", self.encoding), content);
            return Ok(());
        };
        let text = if begin.offset == 0 { without_mark(&text) } else { &*text };
        if !text.contains('"') {
            self.push_plain(text, content, begin.line, page, columns);
            return Ok(());
        }
        let mut bad_bytes = content.len();
        let why = match split(text, self.delimiter, &mut self.fields) {
            Split::Whole => self.push_fields(begin.line, page, columns).err(),
            Split::Open => {
                let second = self.lines.place();
                if self.read_over_lines(raw)? {
                    bad_bytes = raw.len();
                    self.push_fields(begin.line, page, columns).err()
                } else {
                    // Whatever came of the following lines, they are read for themselves.
                    self.lines.go_to(second)?;
                    Split::Open.why().map(str::to_owned)
                }
            }
            mistake => mistake.why().map(str::to_owned),
        };
        if let Some(why) = why {
            page.push_undecodable(begin.line, why, &raw[..bad_bytes]);
        }
        Ok(())
    }

    /// Takes on lines until the quote closes as it should: whether it does.
    fn read_over_lines(&mut self, raw: &mut Vec<u8>) -> io::Result<bool> {
        for _ in 1..MAX_RECORD_LINES {
            let before = raw.len();
            if self.lines.append(raw)? != Line::Whole || raw.len() > MAX_RECORD_BYTES {
                break;
            }
            if !raw[before..].contains(&b'"') {
                continue;
            }
            // What does not decode closes nothing.
            let Some(text) = decode(self.encoding, without_end(raw)) else { break };
            match split(&text, self.delimiter, &mut self.fields) {
                Split::Open => {}
                other => return Ok(other == Split::Whole),
            }
        }
        Ok(false)
    }

    fn push_plain(&self, text: &str, raw: &[u8], line: u64, page: &mut Page, columns: &[Option<usize>]) {
        let found = text.matches(self.delimiter).count() + 1;
        if found != self.header.len() {
            page.push_undecodable(line, self.ragged(found), raw);
            return;
        }
        page.begin_row(line);
        for (field, column) in text.split(self.delimiter).zip(columns) {
            if let Some(column) = column {
                page.set(*column, field, CellKind::Text);
            }
        }
    }

    fn push_fields(&self, line: u64, page: &mut Page, columns: &[Option<usize>]) -> Result<(), String> {
        if self.fields.len() != self.header.len() {
            return Err(self.ragged(self.fields.len()));
        }
        page.begin_row(line);
        for (field, column) in self.fields.iter().zip(columns) {
            if let Some(column) = column {
                page.set(*column, field, CellKind::Text);
            }
        }
        Ok(())
    }

    fn ragged(&self, found: usize) -> String {
        format!("{found} fields where the header has {}", self.header.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(text: &str) -> (Split, Vec<String>) {
        let mut fields = Vec::new();
        (split(text, '|', &mut fields), fields)
    }

    #[test]
    fn fields_come_apart_as_the_standard_has_it() {
        for (text, expected) in [
            ("a|b|c", vec!["a", "b", "c"]),
            ("a||", vec!["a", "", ""]),
            (r#""a|b"|"c""d"|"x"#, vec![]),
            (r#""a|b"|"c""d"|"""""#, vec!["a|b", "c\"d", "\""]),
            ("\"a\nb\"|", vec!["a\nb", ""]),
        ] {
            let (outcome, found) = fields(text);
            if expected.is_empty() {
                assert_eq!(outcome, Split::Open, "{text}");
            } else {
                assert_eq!(
                    (outcome, found),
                    (Split::Whole, expected.iter().map(ToString::to_string).collect()),
                    "{text}"
                );
            }
        }
        assert_eq!(fields(r#""a"b|c"#).0, Split::TextAfterQuote);
        assert_eq!(fields(r#"5" pipe|c"#).0, Split::StrayQuote);
    }

    #[test]
    fn a_header_names_each_column_once() {
        let header = |names: &[&str]| Header::new(names.iter().map(ToString::to_string));
        assert_eq!(header(&["\u{FEFF} a ", "b", ""]).map(|header| header.len()), Ok(3));
        assert_eq!(
            header(&["a", "b", " a"]).err().as_deref(),
            Some("column 3 of the header row has the name of an earlier one")
        );
        assert!(header(&[""]).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_quoted_comes_back(cells in prop::collection::vec(any::<String>(), 1..6)) {
            let quote = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
            let text = cells.iter().map(quote).collect::<Vec<_>>().join("|");
            prop_assert_eq!(fields(&text), (Split::Whole, cells));
        }
    }
}
