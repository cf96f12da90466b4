//! The file of an import: its format by its extension, its header, and its rows.

use std::io::{self, Cursor, Read};
use std::path::Path;

use zip::ZipArchive;

use super::cells::{Cells, Column, shown};
use super::report::Findings;
use super::{Given, ImportError, ImportKind, ImportedRow, Numbered, Rules};
use crate::sources::{FileFormat, FileSource, Page, Source, Start};

/// Rows of what somebody sends, at most: each may be refused for a dozen reasons, which are kept in memory.
const SENT_ROWS: u64 = 20_000;
/// Bytes to which a workbook that somebody sends unpacks, at most.
const WORKBOOK_BYTES: u64 = 32 << 20;

/// A file read: `(good, refused)`.
pub(super) struct Reading<R> {
    pub file: String,
    /// Rows, those that could not be decoded included.
    pub read: u64,
    pub rows: Vec<Numbered<R>>,
    pub findings: Findings,
}

/// Reads a whole file. An unknown or missing column, or an end that cannot be read, is an error of the file.
pub(super) async fn read<R: ImportedRow>(
    kind: ImportKind,
    given: &Given<'_>,
    rules: &Rules<'_>,
) -> Result<Reading<R>, ImportError> {
    let job = format!("import {kind}");
    let (mut source, file, most_rows) = match given {
        Given::File(path) => {
            let settings = FileSource::new(path.to_string_lossy(), format_of(path)?);
            (Source::open_file(&job, &settings, Start::default())?, path.display().to_string(), u64::MAX)
        }
        Given::Sent { format, content } => {
            if *format == FileFormat::Xlsx {
                let content = content.clone();
                tokio::task::spawn_blocking(move || check_workbook(&content)).await??;
            }
            let file = format!("{kind}.{format}");
            (Source::open_held(&job, &FileSource::new(&file, *format), content.clone()), file, SENT_ROWS)
        }
    };
    let mut reading = Reading { file, read: 0, rows: Vec::new(), findings: Findings::default() };
    // NDJSON names its columns row by row: what one page lacks another may have
    let mut present = vec![false; R::COLUMNS.len()];
    let mut names_columns = false;
    while let Some(page) = source.next_page().await? {
        let columns: Vec<Option<usize>> = R::COLUMNS.iter().map(|column| page.find_column(column.name)).collect();
        for (present, column) in present.iter_mut().zip(&columns) {
            *present |= column.is_some();
        }
        names_columns |= !page.columns().is_empty();
        refuse_unknown_columns::<R>(kind, &reading.file, &page, present.contains(&true))?;
        reading.take(&page, &columns, rules);
        if reading.read > most_rows {
            return Err(ImportError::TooManyRows { most: most_rows });
        }
    }
    let missing = R::COLUMNS.iter().zip(&present).find(|(column, present)| column.required && !**present);
    match missing {
        Some((column, _)) if names_columns => Err(ImportError::MissingColumn {
            file: reading.file,
            kind,
            column: column.name,
            accepted: accepted(R::COLUMNS),
        }),
        _ => Ok(reading),
    }
}

impl<R: ImportedRow> Reading<R> {
    fn take(&mut self, page: &Page, columns: &[Option<usize>], rules: &Rules<'_>) {
        self.read += (page.len() + page.undecodable.len()) as u64;
        for row in 0..page.len() {
            let line = page.row_number(row);
            let mut cells = Cells::new::<R>(page, row, columns, rules, &mut self.findings);
            let read = R::read(&mut cells);
            if let (Some(row), false) = (read, cells.is_refused()) {
                self.rows.push(Numbered { line, row });
            }
        }
        for row in &page.undecodable {
            self.findings.refuse(row.row, None, "undecodable", row.why.clone(), "a row as the header has it");
        }
    }
}

/// A workbook is an archive, which a few bytes can make unpack without end: it is unpacked once before it is read.
fn check_workbook(content: &[u8]) -> Result<(), ImportError> {
    let no_workbook = |_| ImportError::NoWorkbook;
    let mut archive = ZipArchive::new(Cursor::new(content)).map_err(no_workbook)?;
    let mut room = WORKBOOK_BYTES;
    for number in 0..archive.len() {
        let mut entry = archive.by_index(number).map_err(no_workbook)?;
        let unpacked = io::copy(&mut entry.by_ref().take(room + 1), &mut io::sink());
        let unpacked = unpacked.map_err(|_| ImportError::NoWorkbook)?;
        room = room.checked_sub(unpacked).ok_or(ImportError::Unpacks { most: WORKBOOK_BYTES })?;
    }
    Ok(())
}

fn format_of(path: &Path) -> Result<FileFormat, ImportError> {
    if path.file_name().is_some_and(|name| name.to_string_lossy().contains('*')) {
        return Err(ImportError::Pattern { path: path.to_owned() });
    }
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("csv") => Ok(FileFormat::Csv),
        Some("ndjson" | "jsonl") => Ok(FileFormat::Ndjson),
        Some("xlsx") => Ok(FileFormat::Xlsx),
        _ => Err(ImportError::UnknownFormat { path: path.to_owned() }),
    }
}

/// A first row that names no column at all is most likely no header but data, which is not repeated.
fn refuse_unknown_columns<R: ImportedRow>(
    kind: ImportKind,
    file: &str,
    page: &Page,
    any_known: bool,
) -> Result<(), ImportError> {
    let unknown = page.columns().iter().find(|name| R::COLUMNS.iter().all(|column| column.name != name.as_str()));
    let (file, accepted) = (file.to_owned(), accepted(R::COLUMNS));
    match unknown {
        None => Ok(()),
        Some(_) if !any_known => Err(ImportError::NoKnownColumn { file, kind, accepted }),
        Some(name) => Err(ImportError::UnknownColumn { file, kind, column: shown(name, false), accepted }),
    }
}

/// All columns, those that may be left out with a question mark.
fn accepted(columns: &[Column]) -> String {
    let names = columns.iter().map(|column| format!("{}{}", column.name, if column.required { "" } else { "?" }));
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn workbook(bytes: u64) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file("xl/sharedStrings.xml", zip::write::SimpleFileOptions::default()).expect("an entry");
        for _ in 0..bytes >> 20 {
            archive.write_all(&vec![b' '; 1 << 20]).expect("written");
        }
        archive.finish().expect("finished").into_inner()
    }

    #[test]
    fn a_workbook_that_unpacks_without_end_is_not_read() {
        assert!(check_workbook(&workbook(1 << 20)).is_ok());
        let bomb = workbook(WORKBOOK_BYTES + (1 << 20));
        assert!(bomb.len() < 1 << 20, "small as it comes");
        assert!(matches!(check_workbook(&bomb), Err(ImportError::Unpacks { .. })));
        assert!(matches!(check_workbook(b"no archive"), Err(ImportError::NoWorkbook)));
    }
}
