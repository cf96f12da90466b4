//! The outer world, inward: HTTP, files and databases become pages of text cells.
//!
//! A source gives its pages in order, each with the place where reading goes on after it, so that a killed pull resumes
//! after the last page it stored. Nothing is interpreted here: a cell is the text that was sent.

mod answer;
mod csv;
pub mod database;
pub mod error;
pub mod file;
pub mod http;
pub mod json;
mod lines;
pub mod page;
mod xlsx;

use std::fmt;

use chrono::{DateTime, Utc};

use crate::config::{Environment, Job, SourceSettings};

pub use crate::config::{FileFormat, FileSource};
pub use error::{Fault, SourceError};
pub use page::{CellKind, Limits, Page, Undecodable, Value};

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
}

/// An opened source.
pub struct Source {
    job: String,
    reader: Reader,
}

enum Reader {
    Http(Box<http::HttpReader>),
    File(file::FileReader),
    Database(Box<database::DatabaseReader>),
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
                database::DatabaseReader::open(job, settings, environment, start)
                    .await
                    .map(|reader| Reader::Database(Box::new(reader)))
            }
            None => Err(Fault::Config(job.error_at("source", "is missing: there is nothing to read from"))),
        };
        let reader = reader.map_err(|fault| fault.of_job(&job.name))?;
        Ok(Self { job: job.name.clone(), reader })
    }

    /// Opens files without a job, as imports do; `name` stands for the job in errors. Placeholders are not filled in.
    pub fn open_file(name: &str, settings: &FileSource, start: Start) -> Result<Self, SourceError> {
        let reader = file::FileReader::open(settings, start).map_err(|fault| fault.of_job(name))?;
        Ok(Self { job: name.to_owned(), reader: Reader::File(reader) })
    }

    /// The next page, `None` after the last. After an error there is nothing more to be had: open the source again
    /// after the last page stored.
    pub async fn next_page(&mut self) -> Result<Option<Page>, SourceError> {
        let page = match &mut self.reader {
            Reader::Http(reader) => reader.next_page().await,
            Reader::File(reader) => reader.next_page().await,
            Reader::Database(reader) => reader.next_page().await,
        };
        page.map_err(|fault| fault.of_job(&self.job))
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
