//! A page of rows as an agency sent them: text cells in one arena, nothing interpreted.

use std::ops::Range;

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

/// A value of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    pub text: &'a str,
    pub kind: CellKind,
}

/// A row that could not even be decoded. Its bytes are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecodable {
    /// Line of a file or number of the row in its page, from 1.
    pub row: u64,
    /// Why, without the row's content: `not valid gb18030`, `3 fields where the header has 9`.
    pub why: String,
    pub raw: Vec<u8>,
}

/// Rows and columns of one page. Columns are the source's own names, in the order first seen.
#[derive(Debug, Default)]
pub struct Page {
    /// From 0.
    pub number: u32,
    /// Where to go on after this page, in the source's own terms (cursor, page number, byte offset, key); `None` on the last.
    pub resume: Option<String>,
    pub undecodable: Vec<Undecodable>,
    columns: Vec<String>,
    /// Row-major; rows may be shorter than `columns` when a later row brought a new column.
    cells: Vec<Cell>,
    rows: Vec<(u64, Range<usize>)>,
    text: String,
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
        let Some((_, range)) = self.rows.last_mut() else { return };
        while range.len() <= column {
            self.cells.push(Cell { start: 0, end: 0, kind: CellKind::Absent });
            range.end += 1;
        }
        let start = self.text.len() as u32;
        self.text.push_str(text);
        self.cells[range.start + column] = Cell { start, end: self.text.len() as u32, kind };
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
