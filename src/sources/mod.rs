//! The outer world, inward: HTTP, files and databases become pages of text cells.
//!
//! A source gives its pages in order, each with the place where reading goes on after it, so that a killed pull resumes
//! after the last page it stored. Nothing is interpreted here: a cell is the text that was sent.

mod answer;
mod csv;
mod database;
pub mod error;
pub mod file;
pub mod http;
pub mod json;
mod lines;
pub mod page;
#[cfg(feature = "parquet")]
mod parquet;
mod xlsx;

/// What stands for it in a build without.
#[cfg(not(feature = "parquet"))]
mod parquet {
    use crate::sources::error::Fault;
    use crate::sources::file::{Delivery, Stop};

    pub(super) fn read(_: &mut Delivery<'_>, _: std::fs::File, _: Option<u64>) -> Result<(), Stop> {
        Err(Fault::NotInThisBuild("parquet").into())
    }
}

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::config::{Environment, Job, SourceSettings};

pub use crate::config::{FileFormat, FileSource};
pub use error::{Fault, SourceError};
pub use page::{CellKind, Limits, Page, RawPage, Undecodable, Value};

/// The page after which reading goes on: its number and its `resume`, as they were stored. `Debug` does not show the
/// place: it may be a database's key.
#[derive(Clone, PartialEq, Eq)]
pub struct Resume {
    pub page: u32,
    pub place: String,
}

impl fmt::Debug for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after page {}", self.page)
    }
}

/// Where reading begins.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// The watermark: only what changed since then is asked for, where the source can be asked so.
    pub since: Option<DateTime<Utc>>,
    pub after: Option<Resume>,
    pub limits: Limits,
    /// What the last delivery was known by ([`Source::validator`]): an agency that gives everything in one answer is asked
    /// whether anything changed since.
    pub validator: Option<String>,
    /// The program's time: requests are signed with it and the time that has passed since.
    pub now: Option<DateTime<Utc>>,
}

/// Reads what was kept of a row that could not be decoded, by the job's present settings; `columns` are the names under which it stood.
pub fn decode_kept(job: &Job, page: &mut Page, columns: Vec<String>, bytes: &[u8]) {
    match job.source_settings() {
        Some(SourceSettings::File(FileSource { format: FileFormat::Csv, encoding, delimiter, .. })) => {
            csv::decode_line(page, columns, *encoding, *delimiter, bytes);
        }
        Some(SourceSettings::File(FileSource { format: FileFormat::Ndjson, encoding, .. })) => {
            match lines::decode(*encoding, bytes) {
                Some(text) => json::push_record(page, 1, &text),
                None => page.push_undecodable(1, format!("not valid {encoding}"), bytes),
            }
        }
        Some(SourceSettings::File(FileSource { format: FileFormat::Parquet, .. })) => {
            page.push_undecodable(1, "a row of a parquet file that could not be read", bytes);
        }
        Some(SourceSettings::File(_)) => page.push_undecodable(1, "a row of a workbook that could not be read", bytes),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => json::push_record(page, 1, text),
            Err(_) => page.push_undecodable(1, "not valid utf-8", bytes),
        },
    }
}

/// An opened source.
pub struct Source {
    job: String,
    reader: Reader,
}

enum Reader {
    Http(Box<http::HttpReader>),
    File(file::FileReader),
    Database(database::DatabaseReader),
}

/// Fills in the placeholders of one key.
fn resolve(job: &Job, environment: &Environment, key: &str, text: &str) -> Result<String, Fault> {
    environment.resolve(text).map_err(|error| Fault::Config(job.error_at(key, error.to_string())))
}

impl Source {
    /// Opens the source of a pull. Files are opened in the background; databases are connected to; an agency is not
    /// asked before the first page is wanted. Needs a Tokio runtime.
    pub async fn open(job: &Job, environment: &Environment, start: Start) -> Result<Self, SourceError> {
        let reader = match job.source_settings() {
            Some(SourceSettings::Http(settings)) => {
                http::HttpReader::open(job, settings, environment, start).map(|reader| Reader::Http(Box::new(reader)))
            }
            Some(SourceSettings::File(settings)) => resolve(job, environment, "source.path", &settings.path)
                .and_then(|path| file::FileReader::open(&FileSource { path, ..settings.clone() }, start))
                .map(Reader::File),
            Some(SourceSettings::Database(settings)) => {
                database::DatabaseReader::open(job, settings, environment, start).await.map(Reader::Database)
            }
            None => Err(Fault::Config(job.error_at("source", "is missing: there is nothing to read from"))),
        };
        let reader = reader.map_err(|fault| fault.of_job(&job.name))?;
        Ok(Self { job: job.name.clone(), reader })
    }

    /// Whether the source of a pull is there, found out with as little as can be: files are looked for, a database is connected to, an
    /// agency is asked for one page of what changed just now, which is not read. What was found, for people.
    pub async fn probe(job: &Job, environment: &Environment, now: DateTime<Utc>) -> Result<String, SourceError> {
        let found = match job.source_settings() {
            Some(SourceSettings::Http(settings)) => {
                let start = Start { since: Some(now), now: Some(now), ..Start::default() };
                match http::HttpReader::open(job, settings, environment, start) {
                    Ok(mut reader) => reader.probe().await,
                    Err(fault) => Err(fault),
                }
            }
            Some(SourceSettings::File(settings)) => resolve(job, environment, "source.path", &settings.path)
                .and_then(|path| file::FileReader::probe(&FileSource { path, ..settings.clone() })),
            Some(SourceSettings::Database(settings)) => {
                let opened = database::DatabaseReader::open(job, settings, environment, Start::default()).await;
                opened.map(|_| "the database answers, and has the columns".to_owned())
            }
            None => Err(Fault::Config(job.error_at("source", "is missing: there is nothing to read from"))),
        };
        found.map_err(|fault| fault.of_job(&job.name))
    }

    /// Opens files without a job, as imports do; `name` stands for the job in errors. Placeholders are not filled in.
    pub fn open_file(name: &str, settings: &FileSource, start: Start) -> Result<Self, SourceError> {
        let reader = file::FileReader::open(settings, start).map_err(|fault| fault.of_job(name))?;
        Ok(Self { job: name.to_owned(), reader: Reader::File(reader) })
    }

    /// As [`Source::open_file`], of a content that lies in memory and rests nowhere.
    pub fn open_held(name: &str, settings: &FileSource, content: Bytes) -> Self {
        let reader = file::FileReader::open_held(settings, content, Limits::default());
        Self { job: name.to_owned(), reader: Reader::File(reader) }
    }

    /// The next page, `None` after the last. After an error there is nothing more to be had: open the source again
    /// after the last page stored.
    pub async fn next_page(&mut self) -> Result<Option<Page>, SourceError> {
        Ok(self.next_raw_page().await?.map(RawPage::decode))
    }

    /// As [`Source::next_page`], but what can be decoded elsewhere is not decoded yet.
    pub async fn next_raw_page(&mut self) -> Result<Option<RawPage>, SourceError> {
        let page = match &mut self.reader {
            Reader::Http(reader) => reader.next_page().await.map(|page| page.map(RawPage::from)),
            Reader::File(reader) => reader.next_page().await,
            Reader::Database(reader) => reader.next_page().await.map(|page| page.map(RawPage::from)),
        };
        page.map_err(|fault| fault.of_job(&self.job))
    }

    /// What this delivery is known by, once a page was given: hand it to the next one's [`Start`] when all of it is stored.
    pub fn validator(&self) -> Option<&str> {
        match &self.reader {
            Reader::Http(reader) => reader.validator(),
            Reader::File(_) | Reader::Database(_) => None,
        }
    }

    /// Whether the source said, instead of a first page, that nothing changed since the delivery that `Start` named.
    pub fn unchanged(&self) -> bool {
        match &self.reader {
            Reader::Http(reader) => reader.unchanged(),
            Reader::File(_) | Reader::Database(_) => false,
        }
    }

    /// Everything the source holds on one person, by `[source.person]`.
    pub async fn ask_person(&mut self, id_number: &str) -> Result<Vec<Page>, SourceError> {
        let pages = match &mut self.reader {
            Reader::Http(reader) => reader.ask_person(id_number).await,
            Reader::File(_) => Err(Fault::NoPersonRequest),
            Reader::Database(reader) => reader.ask_person(id_number).await,
        };
        pages.map_err(|fault| fault.of_job(&self.job))
    }
}
