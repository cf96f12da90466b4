//! XLSX workbooks: one sheet, its first row that holds anything being the header.
//!
//! A numeric cell is binary floating point in the file; it is given by its shortest decimal and marked as a number, so
//! that it may be an amount but never an ID.

use std::io::BufReader;

use calamine::{Data, DataRef, ExcelDateTime, Reader, Xlsx};

use super::csv::Header;
use super::error::Fault;
use super::file::{Delivery, Stop};
use super::lines::{Content, Place};
use super::page::{CellKind, Page};

/// A cell as text, or why it has none.
enum Cell {
    Is(String, CellKind),
    Error,
}

/// A row of the sheet; its number from 1 as the spreadsheet shows it.
#[derive(Default)]
struct Row {
    number: u64,
    cells: Vec<(usize, Cell)>,
}

impl Row {
    fn is_blank(&self) -> bool {
        self.cells.iter().all(|(_, cell)| matches!(cell, Cell::Is(text, _) if text.trim().is_empty()))
    }
}

/// Reads the sheet named, or the first, into pages; `after` is the row after which reading goes on.
pub(super) fn read(
    delivery: &mut Delivery<'_>,
    content: Content,
    sheet: Option<&str>,
    after: Option<u64>,
) -> Result<(), Stop> {
    let path = delivery.path().to_owned();
    let fault = |error: calamine::XlsxError| Fault::Workbook { path: path.clone(), why: error.to_string() };
    let header_fault = |line: u64, what: String| Fault::Header { path: path.clone(), line, what };
    let mut workbook = Xlsx::new(BufReader::new(content)).map_err(fault)?;
    let names = workbook.sheet_names();
    let listed = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let sheet = match sheet {
        Some(sheet) if names.iter().any(|name| name == sheet) => sheet,
        Some(sheet) => {
            let why = format!("there is no sheet `{sheet}`; there are {}", listed());
            return Err(Fault::Workbook { path: path.clone(), why }.into());
        }
        None => names.first().map(String::as_str).unwrap_or_default(),
    };
    let mut cells = workbook.worksheet_cells_reader(sheet).map_err(fault)?;

    let mut header: Option<Header> = None;
    let mut page = delivery.new_page();
    let mut columns = Vec::new();
    let mut row = Row::default();
    let mut last = Place { offset: 0, line: 0 };
    let mut sent = after.is_some();
    loop {
        let cell = cells.next_cell().map_err(fault)?;
        let number = cell.as_ref().map(|cell| u64::from(cell.get_position().0) + 1);
        if number != Some(row.number) {
            let whole = std::mem::replace(&mut row, Row { number: number.unwrap_or(0), cells: Vec::new() });
            if !whole.is_blank() {
                if header.is_none() {
                    let made = header_of(&whole).map_err(|what| header_fault(whole.number, what))?;
                    columns = made.columns(&mut page);
                    header = Some(made);
                } else if after.is_none_or(|after| whole.number > after) {
                    if delivery.is_full(&page) {
                        let full = std::mem::replace(&mut page, Page::new(0));
                        delivery.send(full, last, false)?;
                        sent = true;
                        page = delivery.new_page();
                        columns = header.as_ref().map(|header| header.columns(&mut page)).unwrap_or_default();
                    }
                    push_row(&mut page, &columns, &whole);
                    last = Place { offset: 0, line: whole.number };
                }
            }
        }
        let Some(cell) = cell else { break };
        let (_, column) = cell.get_position();
        if let Some(value) = read_cell(cell.get_value()) {
            row.cells.push((column as usize, value));
        }
    }
    if header.is_none() {
        let what = "the sheet is empty where a header row is expected".to_owned();
        return Err(header_fault(1, what).into());
    }
    if !(sent && page.holds_nothing()) {
        let last = Place { line: last.line.max(after.unwrap_or(0)), ..last };
        delivery.send(page, last, true)?;
    }
    Ok(())
}

fn header_of(row: &Row) -> Result<Header, String> {
    let width = row.cells.iter().map(|(column, _)| column + 1).max().unwrap_or(0);
    let mut names = vec![String::new(); width];
    for (column, cell) in &row.cells {
        match cell {
            Cell::Is(text, _) => names[*column].clone_from(text),
            Cell::Error => return Err("the header row holds an error value".to_owned()),
        }
    }
    Header::new(names)
}

fn push_row(page: &mut Page, columns: &[Option<usize>], row: &Row) {
    let why = row.cells.iter().find_map(|(column, cell)| match cell {
        Cell::Error => Some(format!("an error value in column {}", column_name(*column))),
        Cell::Is(..) if *column >= columns.len() => {
            Some(format!("a value in column {} where the header has {} columns", column_name(*column), columns.len()))
        }
        Cell::Is(..) => None,
    });
    if let Some(why) = why {
        page.push_undecodable(row.number, why, &raw(row));
        return;
    }
    page.begin_row(row.number);
    for (column, cell) in &row.cells {
        if let (Some(Some(column)), Cell::Is(text, kind)) = (columns.get(*column), cell) {
            page.set(*column, text, *kind);
        }
    }
}

/// The cells' texts, by tabs: a workbook's row has no bytes of its own.
fn raw(row: &Row) -> Vec<u8> {
    let texts = row.cells.iter().map(|(_, cell)| match cell {
        Cell::Is(text, _) => text.as_str(),
        Cell::Error => "#",
    });
    texts.collect::<Vec<_>>().join("\t").into_bytes()
}

/// `A`, `B`, … `Z`, `AA`: as the spreadsheet shows it.
fn column_name(column: usize) -> String {
    let letter = char::from(b'A' + (column % 26) as u8);
    if column < 26 { letter.to_string() } else { format!("{}{letter}", column_name(column / 26 - 1)) }
}

fn read_cell(value: &DataRef<'_>) -> Option<Cell> {
    let text = |text: &str| Some(Cell::Is(text.to_owned(), CellKind::Text));
    match value {
        DataRef::Empty => None,
        DataRef::SharedString(value) => text(value),
        DataRef::String(value) | DataRef::DateTimeIso(value) | DataRef::DurationIso(value) => text(value),
        DataRef::Bool(value) => text(if *value { "true" } else { "false" }),
        DataRef::Int(value) => Some(Cell::Is(value.to_string(), CellKind::Number)),
        // `Display` of a float is its shortest decimal that reads back as the same float, without exponent.
        DataRef::Float(value) => Some(Cell::Is(value.to_string(), CellKind::Number)),
        DataRef::DateTime(value) => Some(Cell::Is(date_text(*value), CellKind::Text)),
        DataRef::Error(_) => Some(Cell::Error),
    }
}

/// A cell with a date format, as date, or with its time where it has one.
fn date_text(value: ExcelDateTime) -> String {
    if !value.is_datetime() {
        return Data::DateTime(value).to_string();
    }
    let (year, month, day, hour, minute, second, _) = value.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    if (hour, minute, second) == (0, 0, 0) { date } else { format!("{date}T{hour:02}:{minute:02}:{second:02}") }
}
