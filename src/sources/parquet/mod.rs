//! Parquet files, row group by row group and some rows at a time: never more in memory than a page of each column.
//!
//! Every value becomes the exact text of itself; decimals do not pass through binary floating point.

mod column;
mod footer;
mod pages;
mod value;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy, RowGroupMetaData,
};

use self::column::{Column, Field, Held};
use self::pages::{Bounded, Pages};
use self::value::Value;
use super::error::Fault;
use super::file::{Delivery, Stop};
use super::lines::{MAX_LINE_BYTES, Place};
use super::page::{CellKind, Page};

/// Rows that are taken out of all columns at once.
const ROWS_AT_HAND: usize = 1024;

/// Reads all rows into pages; `after` is the row after which reading goes on, counted from 1 through all row groups.
pub(super) fn read(delivery: &mut Delivery<'_>, file: File, after: Option<u64>) -> Result<(), Stop> {
    let path = delivery.path().to_owned();
    let mut table = Table::open(&path, file)?;
    let mut page = delivery.new_page();
    let mut columns = table.name_columns(&mut page);
    let (mut row, mut last, mut sent) = (0, after.unwrap_or(0), after.is_some());
    for group in 0..table.metadata.num_row_groups() {
        let rows = table.rows_of(group);
        let skipped = last.saturating_sub(row).min(rows);
        row += skipped;
        if skipped == rows {
            continue;
        }
        table.enter(group, skipped)?;
        let end = row + (rows - skipped);
        while row < end {
            let at_hand = (end - row).min(ROWS_AT_HAND as u64) as usize;
            table.fill(row, at_hand)?;
            for at in 0..at_hand {
                if delivery.is_full(&page) {
                    let full = std::mem::replace(&mut page, Page::new(0));
                    delivery.send(full, table.place(last), false)?;
                    sent = true;
                    page = delivery.new_page();
                    columns = table.name_columns(&mut page);
                }
                row += 1;
                table.push_row(&mut page, &columns, at, row)?;
                last = row;
            }
        }
        table.leave(row)?;
    }
    if !(sent && page.holds_nothing()) {
        delivery.send(page, table.place(last), true)?;
    }
    Ok(())
}

/// An opened file, at one of its row groups.
struct Table<'a> {
    path: &'a Path,
    file: Arc<Bounded>,
    length: u64,
    metadata: ParquetMetaData,
    rows: u64,
    fields: Vec<Field>,
    columns: Vec<Column>,
    row: Row,
}

/// The texts of one row.
#[derive(Default)]
struct Row {
    text: String,
    cells: Vec<(Range<usize>, CellKind)>,
}

impl<'a> Table<'a> {
    fn open(path: &'a Path, file: File) -> Result<Self, Fault> {
        let cannot = |source| Fault::File { path: path.to_owned(), source };
        let length = file.metadata().map_err(cannot)?.len();
        if footer::is_encrypted(&file, length).map_err(cannot)? {
            return Err(no_table(path, "it is encrypted: accepted are files that need no key"));
        }
        let options = ParquetMetaDataOptions::new()
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let reader = ParquetMetaDataReader::new().with_metadata_options(Some(options));
        let metadata = guarded(|| reader.parse_and_finish(&file)).map_err(|error| fault(path, "its footer", error))?;
        let schema = metadata.file_metadata().schema_descr();
        let fields = Field::all(schema);
        if fields.is_empty() {
            return Err(no_table(path, "it has no columns"));
        }
        if let Some((_, twice)) =
            fields.iter().enumerate().find(|(at, field)| fields[..*at].iter().any(|other| other.name == field.name))
        {
            return Err(no_table(path, &format!("two of its columns have the name `{}`", twice.name)));
        }
        let leaves = schema.num_columns();
        let mut rows: u64 = 0;
        for group in metadata.row_groups() {
            let sum = u64::try_from(group.num_rows()).ok().and_then(|more| rows.checked_add(more));
            rows = sum.ok_or_else(|| no_table(path, "its footer: a number of rows that cannot be"))?;
            if group.num_columns() != leaves {
                return Err(no_table(path, "its footer: a row group of other columns than the file"));
            }
        }
        if u64::try_from(metadata.file_metadata().num_rows()) != Ok(rows) {
            return Err(no_table(path, "its footer: another number of rows than its row groups have"));
        }
        let file = Arc::new(Bounded::new(file, length));
        Ok(Self { path, file, length, metadata, rows, fields, columns: Vec::new(), row: Row::default() })
    }

    /// Makes the columns of a new page.
    fn name_columns(&self, page: &mut Page) -> Vec<usize> {
        self.fields.iter().map(|field| page.column(&field.name)).collect()
    }

    fn rows_of(&self, group: usize) -> u64 {
        self.metadata.row_group(group).num_rows().unsigned_abs()
    }

    /// After a row; how far that is into the file is guessed by the rows.
    fn place(&self, row: u64) -> Place {
        let offset = u128::from(self.length) * u128::from(row) / u128::from(self.rows.max(1));
        Place { offset: offset as u64, line: row }
    }

    /// Goes into a row group, past so many of its rows.
    fn enter(&mut self, group: usize, skipped: u64) -> Result<(), Fault> {
        self.columns.clear();
        let group: &RowGroupMetaData = self.metadata.row_group(group);
        let rows = group.num_rows().unsigned_abs() as usize;
        for field in &self.fields {
            let opened = guarded(|| {
                let pages = Pages::open(&self.file, group.column(field.leaf), rows)?;
                let mut column = Column::open(field, pages);
                column.skip(skipped as usize)?;
                Ok(column)
            });
            let column = opened.map_err(|error| fault(self.path, &format!("column `{}`", field.name), error))?;
            self.columns.push(column);
        }
        Ok(())
    }

    /// Takes the next rows of the row group to hand; `row` is the last one before them.
    fn fill(&mut self, row: u64, rows: usize) -> Result<(), Fault> {
        for (field, column) in self.fields.iter().zip(&mut self.columns) {
            guarded(|| column.fill(rows))
                .map_err(|error| fault(self.path, &format!("column `{}` after row {row}", field.name), error))?;
        }
        Ok(())
    }

    /// Leaves a row group after its last row.
    fn leave(&mut self, row: u64) -> Result<(), Fault> {
        for (field, column) in self.fields.iter().zip(&mut self.columns) {
            guarded(|| column.end())
                .map_err(|error| fault(self.path, &format!("column `{}` after row {row}", field.name), error))?;
        }
        Ok(())
    }

    /// Puts a row at hand into the page.
    fn push_row(&mut self, page: &mut Page, columns: &[usize], at: usize, number: u64) -> Result<(), Fault> {
        let Self { row, fields, columns: values, path, .. } = self;
        // a value may turn out to have no bytes only when it is looked at
        let read = guarded(|| Ok(row.read(fields, values, at).map_err(|why| (why, raw(fields, values, at)))));
        match read.map_err(|error| fault(path, &format!("row {number}"), error))? {
            Err((why, raw)) => page.push_undecodable(number, why, &raw),
            Ok(()) => {
                page.begin_row(number);
                for (column, (range, kind)) in columns.iter().zip(&row.cells) {
                    if *kind != CellKind::Absent {
                        page.set(*column, &row.text[range.clone()], *kind);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Row {
    /// Reads all cells of a row at hand; the error says why it is undecodable.
    fn read(&mut self, fields: &[Field], columns: &[Column], at: usize) -> Result<(), String> {
        self.text.clear();
        self.cells.clear();
        for (field, column) in fields.iter().zip(columns) {
            let start = self.text.len();
            let kind = match column.get(at) {
                Held::Nothing => CellKind::Absent,
                Held::Value(value) if start + value.size() > MAX_LINE_BYTES => {
                    return Err("a row longer than a mebibyte".to_owned());
                }
                Held::Value(value) => field
                    .kind
                    .write(value, &mut self.text)
                    .map_err(|what| format!("{what} in column `{}`", field.name))?,
                Held::Nested(what) => return Err(format!("{what} in column `{}`", field.name)),
            };
            self.cells.push((start..self.text.len(), kind));
        }
        Ok(())
    }
}

/// The cells by tabs, as texts where they have one: a row has no bytes of its own.
fn raw(fields: &[Field], columns: &[Column], at: usize) -> Vec<u8> {
    let mut raw = Vec::new();
    for (place, (field, column)) in fields.iter().zip(columns).enumerate() {
        if place > 0 {
            raw.push(b'\t');
        }
        let mut text = String::new();
        match column.get(at) {
            Held::Nothing => {}
            Held::Value(Value::Bytes(bytes)) if field.kind.write(Value::Bytes(bytes), &mut text).is_err() => {
                raw.extend_from_slice(&bytes[..bytes.len().min(MAX_LINE_BYTES)]);
            }
            Held::Value(Value::Bytes(_)) => raw.extend_from_slice(text.as_bytes()),
            Held::Value(value) => match field.kind.write(value, &mut text) {
                Ok(_) => raw.extend_from_slice(text.as_bytes()),
                Err(_) => raw.push(b'#'),
            },
            Held::Nested(_) => raw.push(b'#'),
        }
        if raw.len() > MAX_LINE_BYTES {
            raw.truncate(MAX_LINE_BYTES);
            break;
        }
    }
    raw
}

/// Runs the library's code, which may break over a damaged file where it should refuse it.
fn guarded<T>(work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(ParquetError::General("its parts contradict each other".to_owned())))
}

fn no_table(path: &Path, why: &str) -> Fault {
    Fault::Parquet { path: path.to_owned(), why: why.to_owned() }
}

/// What the library says of a part of the file; a disk that fails is no damaged file.
fn fault(path: &Path, part: &str, error: ParquetError) -> Fault {
    let error = match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(source) if source.kind() != io::ErrorKind::UnexpectedEof && source.raw_os_error().is_some() => {
                return Fault::File { path: path.to_owned(), source: *source };
            }
            Ok(source) => source.to_string(),
            Err(error) => error.to_string(),
        },
        ParquetError::General(what) | ParquetError::EOF(what) | ParquetError::NYI(what) => what,
        error => error.to_string(),
    };
    no_table(path, &format!("{part}: {error}"))
}

#[cfg(test)]
mod tests;
