//! Comma-separated text (RFC 4180, any delimiter, UTF-8 or GB18030), read line by line in bounded memory.
//!
//! A mistake costs one record, and a quote that is not closed as it should be one line: reading goes on at the next.

use std::io;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::lines::{Line, Lines, decode, without_end, without_mark};
use super::page::{CellKind, Limits, Page};
use crate::config::Encoding;

/// A quoted field may run over lines, up to here.
const MAX_RECORD_BYTES: usize = 256 << 10;
const MAX_RECORD_LINES: usize = 1000;

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

/// How one file's records are written: what its header row says, in which characters, parted by what.
#[derive(Debug)]
pub struct CsvForm {
    header: Header,
    encoding: Encoding,
    delimiter: char,
    /// The header row as it stands in the file: pages of one content under other headers are not the same.
    raw_header: Vec<u8>,
}

/// One CSV file, after its header.
pub struct CsvReader {
    lines: Lines,
    form: Arc<CsvForm>,
}

/// Lines of a file, not decoded yet.
pub struct CsvBlock {
    form: Arc<CsvForm>,
    bytes: Vec<u8>,
    /// Number of the first line.
    line: u64,
    at_file_start: bool,
    /// Offsets of lines that are too long; only their beginnings are here.
    too_long: Vec<usize>,
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
        drop(text);
        Ok(Self { lines, form: Arc::new(CsvForm { header, encoding, delimiter, raw_header: raw }) })
    }

    pub fn lines(&mut self) -> &mut Lines {
        &mut self.lines
    }

    /// The next lines, as many as make a page: no quoted field is cut, unless it is one that cannot be whole.
    pub fn next_block(&mut self, limits: Limits) -> io::Result<CsvBlock> {
        let begin = self.lines.place();
        let mut block = CsvBlock {
            form: self.form.clone(),
            bytes: Vec::new(),
            line: begin.line,
            at_file_start: begin.offset == 0,
            too_long: Vec::new(),
        };
        let (mut rows, mut quotes) = (0, 0);
        loop {
            let before = block.bytes.len();
            match self.lines.append(&mut block.bytes)? {
                Line::End => break,
                Line::Whole => {}
                Line::TooLong => {
                    block.too_long.push(before);
                    block.bytes.push(b'\n');
                    quotes = 0;
                    rows += 1;
                    continue;
                }
            }
            rows += 1;
            quotes += memchr::memchr_iter(b'"', &block.bytes[before..]).count();
            let full = rows >= limits.rows || block.bytes.len() >= limits.text_bytes;
            let inside_quotes = quotes % 2 == 1 && rows < limits.rows + MAX_RECORD_LINES;
            if full && !inside_quotes {
                break;
            }
        }
        Ok(block)
    }
}

impl CsvBlock {
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What tells this page from another.
    pub fn digest(&self) -> Vec<u8> {
        let mut digest = Sha256::new();
        let form = &self.form;
        digest.update(format!("{}{}{}", form.encoding, form.delimiter, form.raw_header.len()));
        digest.update(&form.raw_header);
        digest.update(&self.bytes);
        digest.finalize().to_vec()
    }

    /// The records as rows; what cannot be read is kept among the undecodable, line by line.
    pub fn decode_into(self, page: &mut Page) {
        let form = &*self.form;
        let columns = form.header.columns(page);
        let raw: Vec<&[u8]> = self.bytes.split_inclusive(|byte| *byte == b'\n').collect();
        // all at once if all of it is well formed, which is the rule: a line end is no part of any longer character
        let whole = decode(form.encoding, &self.bytes);
        let texts: Option<Vec<&str>> = whole.as_deref().map(|text| text.split_inclusive('\n').collect());
        if let Some(text) = whole.as_deref() {
            page.adopt(text);
        }
        let mut lines = BlockLines { form, raw: &raw, texts: texts.as_deref(), columns: &columns, fields: Vec::new() };
        let (mut at, mut offset) = (0, 0);
        while at < raw.len() {
            let number = self.line + at as u64;
            let read = if self.too_long.contains(&offset) {
                page.push_undecodable(number, "a line longer than a mebibyte", without_end(raw[at]));
                1
            } else {
                lines.read_record(page, at, number, self.at_file_start && at == 0)
            };
            offset += raw[at..at + read].iter().map(|line| line.len()).sum::<usize>();
            at += read;
        }
        page.release();
    }
}

/// The lines of a block on their way into a page.
struct BlockLines<'a> {
    form: &'a CsvForm,
    raw: &'a [&'a [u8]],
    /// The same lines decoded, if all of them could be; they are parts of the page's text.
    texts: Option<&'a [&'a str]>,
    columns: &'a [Option<usize>],
    fields: Vec<String>,
}

impl BlockLines<'_> {
    /// Reads the record that begins at a line; how many lines it took.
    fn read_record(&mut self, page: &mut Page, at: usize, number: u64, first_of_file: bool) -> usize {
        let content = without_end(self.raw[at]);
        if content.is_empty() {
            return 1;
        }
        let decoded;
        let text = match self.texts {
            Some(texts) => {
                let text = texts[at];
                let text = text.strip_suffix('\n').unwrap_or(text);
                text.strip_suffix('\r').unwrap_or(text)
            }
            None => match decode(self.form.encoding, content) {
                Some(text) => {
                    decoded = text;
                    &*decoded
                }
                None => {
                    page.push_undecodable(number, format!("not valid {}", self.form.encoding), content);
                    return 1;
                }
            },
        };
        let text = if first_of_file { without_mark(text) } else { text };
        if memchr::memchr(b'"', text.as_bytes()).is_none() {
            self.push_plain(text, content, number, page);
            return 1;
        }
        let mut taken = 1;
        let mut bad = content;
        let over_lines;
        let why = match split(text, self.form.delimiter, &mut self.fields) {
            Split::Whole => self.push_fields(number, page).err(),
            Split::Open => match self.read_over_lines(at) {
                Some((lines, raw)) => {
                    taken = lines;
                    over_lines = raw;
                    bad = &over_lines;
                    self.push_fields(number, page).err()
                }
                // whatever came of the following lines, they are read for themselves
                None => Split::Open.why().map(str::to_owned),
            },
            mistake => mistake.why().map(str::to_owned),
        };
        if let Some(why) = why {
            page.push_undecodable(number, why, bad);
        }
        taken
    }

    /// Takes on lines until the quote closes as it should: how many there are then, and their bytes.
    fn read_over_lines(&mut self, at: usize) -> Option<(usize, Vec<u8>)> {
        let mut raw = self.raw[at].to_vec();
        for (further, line) in self.raw[at + 1..].iter().enumerate().take(MAX_RECORD_LINES - 1) {
            raw.extend_from_slice(line);
            if raw.len() > MAX_RECORD_BYTES {
                return None;
            }
            if !line.contains(&b'"') {
                continue;
            }
            // what does not decode closes nothing
            let text = decode(self.form.encoding, without_end(&raw))?;
            match split(&text, self.form.delimiter, &mut self.fields) {
                Split::Open => {}
                Split::Whole => {
                    drop(text);
                    return Some((further + 2, raw));
                }
                _ => return None,
            }
        }
        None
    }

    fn push_plain(&self, text: &str, raw: &[u8], line: u64, page: &mut Page) {
        let delimiter = self.form.delimiter as u8;
        let found = memchr::memchr_iter(delimiter, text.as_bytes()).count() + 1;
        if found != self.form.header.len() {
            page.push_undecodable(line, self.ragged(found), raw);
            return;
        }
        page.begin_row(line);
        let mut from = 0;
        let ends = memchr::memchr_iter(delimiter, text.as_bytes()).chain([text.len()]);
        for (end, column) in ends.zip(self.columns) {
            if let Some(column) = column {
                page.set_part(*column, &text[from..end]);
            }
            from = end + 1;
        }
    }

    fn push_fields(&self, line: u64, page: &mut Page) -> Result<(), String> {
        if self.fields.len() != self.form.header.len() {
            return Err(self.ragged(self.fields.len()));
        }
        page.begin_row(line);
        for (field, column) in self.fields.iter().zip(self.columns) {
            if let Some(column) = column {
                page.set(*column, field, CellKind::Text);
            }
        }
        Ok(())
    }

    fn ragged(&self, found: usize) -> String {
        format!("{found} fields where the header has {}", self.form.header.len())
    }
}

/// One line kept from a file whose header had these names, read once more.
pub fn decode_line(page: &mut Page, columns: Vec<String>, encoding: Encoding, delimiter: char, line: &[u8]) {
    match Header::new(columns) {
        Err(why) => page.push_undecodable(1, why, line),
        Ok(header) => {
            let form = Arc::new(CsvForm { header, encoding, delimiter, raw_header: Vec::new() });
            let block = CsvBlock { form, bytes: line.to_vec(), line: 1, at_file_start: false, too_long: Vec::new() };
            block.decode_into(page);
        }
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
