//! A page of rows as an agency sent them: text cells in one arena, nothing interpreted.

use std::fmt;
use std::ops::Range;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::csv::CsvBlock;

/// How much one page may hold: it bounds the memory of a pull and what a killed one has to read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub rows: usize,
    /// A page is closed after the row that reaches this.
    pub text_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rows: 20_000, text_bytes: 8 << 20 }
    }
}

/// What kind of value a cell was at the source. Only text may become a number that identifies (an ID, a USCC):
/// a spreadsheet's or JSON's number has lost leading zeros and maybe digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// No such key, an empty spreadsheet cell, or JSON null.
    Absent,
    Text,
    /// A JSON number by its lexeme, a spreadsheet number by its shortest decimal.
    Number,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    start: u32,
    end: u32,
    kind: CellKind,
}

/// A value of a cell. `Debug` does not show it: it may be a person's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    pub text: &'a str,
    pub kind: CellKind,
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} bytes", self.kind, self.text.len())
    }
}

/// A row that could not even be decoded. Its bytes are kept, and not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Undecodable {
    /// Line of a file or number of the row in its page, from 1.
    pub row: u64,
    /// Why, without the row's content: `not valid gb18030`, `3 fields where the header has 9`.
    pub why: String,
    pub raw: Vec<u8>,
}

impl fmt::Debug for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}: {} ({} bytes)", self.row, self.why, self.raw.len())
    }
}

/// Rows and columns of one page. Columns are the source's own names, in the order first seen.
#[derive(Default)]
pub struct Page {
    /// From 0.
    pub number: u32,
    /// Where to go on after this page, in the source's own terms (cursor, page number, byte offset, key); `None` on the last.
    pub resume: Option<String>,
    /// When this delivery began by the source's own word: a file's modification, an agency's `Date`, a database's clock.
    pub began: Option<DateTime<Utc>>,
    /// How many records the agency says the whole delivery has.
    pub announced_total: Option<u64>,
    pub undecodable: Vec<Undecodable>,
    undecodable_bytes: usize,
    columns: Vec<String>,
    /// Row-major; rows may be shorter than `columns` when a later row brought a new column.
    cells: Vec<Cell>,
    rows: Vec<(u64, Range<usize>)>,
    text: String,
    /// Address and length of the text that was adopted.
    adopted: Option<(usize, usize)>,
}

/// A page as it was read, maybe not decoded yet: to decode is work for many threads, to read is not.
pub struct RawPage {
    pub number: u32,
    pub resume: Option<String>,
    pub began: Option<DateTime<Utc>>,
    pub announced_total: Option<u64>,
    /// How much of all there is has been read with it, where that is known: bytes of files.
    pub through: Option<(u64, u64)>,
    body: RawBody,
}

enum RawBody {
    Decoded(Box<Page>),
    Csv(CsvBlock),
}

impl RawPage {
    pub fn csv(number: u32, block: CsvBlock) -> Self {
        let body = RawBody::Csv(block);
        Self { number, resume: None, began: None, announced_total: None, through: None, body }
    }

    /// What tells this page from another.
    pub fn digest(&self) -> Vec<u8> {
        match &self.body {
            RawBody::Decoded(page) => page.digest(),
            RawBody::Csv(block) => block.digest(),
        }
    }

    /// Whether nothing stands in it.
    pub fn holds_nothing(&self) -> bool {
        match &self.body {
            RawBody::Decoded(page) => page.holds_nothing(),
            RawBody::Csv(block) => block.is_empty(),
        }
    }

    pub fn decode(self) -> Page {
        let mut page = match self.body {
            RawBody::Decoded(page) => *page,
            RawBody::Csv(block) => {
                let mut page = Page::new(self.number);
                block.decode_into(&mut page);
                page
            }
        };
        page.number = self.number;
        page.resume = self.resume;
        page.began = self.began;
        page.announced_total = self.announced_total;
        page
    }
}

impl From<Page> for RawPage {
    fn from(page: Page) -> Self {
        Self {
            number: page.number,
            resume: page.resume.clone(),
            began: page.began,
            announced_total: page.announced_total,
            through: None,
            body: RawBody::Decoded(Box::new(page)),
        }
    }
}

impl fmt::Debug for Page {
    /// Its size: cells are personal data, and a place to go on may be a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {} with {} rows, {} not decodable", self.number, self.rows.len(), self.undecodable.len())
    }
}

impl Page {
    pub fn new(number: u32) -> Self {
        Self { number, ..Self::default() }
    }

    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The place of a column, made if it is new.
    pub fn column(&mut self, name: &str) -> usize {
        self.find_column(name).unwrap_or_else(|| {
            self.columns.push(name.to_owned());
            self.columns.len() - 1
        })
    }

    pub fn find_column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// Begins a row; `row` is its line or number at the source, from 1.
    pub fn begin_row(&mut self, row: u64) {
        let at = self.cells.len();
        self.rows.push((row, at..at));
    }

    /// Sets a cell of the row begun last.
    pub fn set(&mut self, column: usize, text: &str, kind: CellKind) {
        let start = self.text.len();
        self.text.push_str(text);
        self.set_range(column, start, start + text.len(), kind);
    }

    /// Takes a text whose parts are to become cells without being copied again: see [`Page::set_part`]. Only for a page without
    /// rows.
    pub fn adopt(&mut self, text: &str) {
        if self.rows.is_empty() {
            text.clone_into(&mut self.text);
            self.adopted = Some((text.as_ptr() as usize, text.len()));
        }
    }

    /// No more parts of the adopted text come.
    pub fn release(&mut self) {
        self.adopted = None;
    }

    /// Sets a text cell of the row begun last; a part of the adopted text is not copied.
    pub fn set_part(&mut self, column: usize, part: &str) {
        let at = part.as_ptr() as usize;
        match self.adopted {
            Some((start, length)) if at >= start && at + part.len() <= start + length => {
                let from = at - start;
                self.set_range(column, from, from + part.len(), CellKind::Text);
            }
            _ => self.set(column, part, CellKind::Text),
        }
    }

    fn set_range(&mut self, column: usize, start: usize, end: usize, kind: CellKind) {
        let Some((_, range)) = self.rows.last_mut() else { return };
        while range.len() <= column {
            self.cells.push(Cell { start: 0, end: 0, kind: CellKind::Absent });
            range.end += 1;
        }
        self.cells[range.start + column] = Cell { start: start as u32, end: end as u32, kind };
    }

    /// What tells this page from another: names, cells and what could not be decoded, but not the rows' numbers.
    pub fn digest(&self) -> Vec<u8> {
        let mut digest = Sha256::new();
        let mut text = |part: &[u8]| {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        };
        text(&(self.columns.len() as u64).to_be_bytes());
        self.columns.iter().for_each(|column| text(column.as_bytes()));
        let mut shape = Vec::with_capacity(self.cells.len() * 5 + self.rows.len() * 4);
        let mut texts = Vec::with_capacity(self.text.len());
        for (_, range) in &self.rows {
            shape.extend_from_slice(&(range.len() as u32).to_be_bytes());
            for cell in &self.cells[range.clone()] {
                shape.extend_from_slice(&(cell.end - cell.start).to_be_bytes());
                shape.push(cell.kind as u8);
                texts.extend_from_slice(&self.text.as_bytes()[cell.start as usize..cell.end as usize]);
            }
        }
        text(&shape);
        text(&texts);
        for row in &self.undecodable {
            text(row.why.as_bytes());
            text(&row.raw);
        }
        digest.finalize().to_vec()
    }

    /// Keeps what could not be decoded.
    pub fn push_undecodable(&mut self, row: u64, why: impl Into<String>, raw: &[u8]) {
        self.undecodable_bytes += raw.len();
        self.undecodable.push(Undecodable { row, why: why.into(), raw: raw.to_vec() });
    }

    /// Whether the page has to end here.
    pub fn is_full(&self, limits: Limits) -> bool {
        self.rows.len() + self.undecodable.len() >= limits.rows
            || self.text.len() + self.undecodable_bytes >= limits.text_bytes
    }

    /// Whether it holds neither rows nor what should have been some.
    pub fn holds_nothing(&self) -> bool {
        self.rows.is_empty() && self.undecodable.is_empty()
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of text held: what bounds a page's size.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// The line or number of a row at the source.
    pub fn row_number(&self, row: usize) -> u64 {
        self.rows[row].0
    }

    pub fn get(&self, row: usize, column: usize) -> Option<Value<'_>> {
        let range = &self.rows[row].1;
        let cell = self.cells[range.clone()].get(column)?;
        match cell.kind {
            CellKind::Absent => None,
            kind => Some(Value { text: &self.text[cell.start as usize..cell.end as usize], kind }),
        }
    }

    /// The row as it came, name by name: what quarantine keeps (encrypted) and replays.
    pub fn raw(&self, row: usize) -> Vec<(&str, Value<'_>)> {
        self.columns
            .iter()
            .enumerate()
            .filter_map(|(column, name)| Some((name.as_str(), self.get(row, column)?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gives_back_what_was_set_and_shows_none_of_it() {
        let mut page = Page::new(3);
        let (id, name) = (page.column("id"), page.column("name"));
        page.begin_row(7);
        page.set(name, "王小明", CellKind::Text);
        page.push_undecodable(8, "not valid utf-8", b"360001199003070012");
        assert_eq!((page.get(0, id), page.get(0, name).map(|value| value.text)), (None, Some("王小明")));
        let shown = format!("{page:?} {:?} {:?}", page.undecodable, page.raw(0));
        assert!(!shown.contains("王") && !shown.contains("0012"), "{shown}");
    }

    #[test]
    fn a_page_is_full_by_rows_or_by_bytes() {
        let limits = Limits { rows: 2, text_bytes: 10 };
        let mut page = Page::new(0);
        let column = page.column("a");
        page.begin_row(1);
        page.set(column, "12345", CellKind::Text);
        assert!(!page.is_full(limits));
        page.push_undecodable(2, "bad", b"");
        assert!(page.is_full(limits));
        assert!(page.is_full(Limits { rows: 9, text_bytes: 5 }));
    }
}
