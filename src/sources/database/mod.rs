//! Front-end databases (前置库) of agencies: a table or query of a Postgres or MySQL, read in the order of a key.
//!
//! Each page is one or two short read-only statements: no snapshot is held at the agency while we store. Rows with the
//! same key stand on one page, so that going on after a key loses none.

mod mysql;
mod postgres;

use std::time::Duration;

use super::error::{DatabaseFault, Fault};
use super::page::Page;
use super::{Start, resolve};
use crate::config::{DatabaseSource, Environment, Job};

/// So long a statement waits for what another session has locked, unless the job has less time.
const LONGEST_LOCK_WAIT: Duration = Duration::from_secs(30);

/// A table or query that is read page by page.
pub(super) enum DatabaseReader {
    Postgres(Box<postgres::PostgresReader>),
    MySql(Box<mysql::MySqlReader>),
}

impl DatabaseReader {
    pub(super) async fn open(
        job: &Job,
        settings: &DatabaseSource,
        environment: &Environment,
        start: Start,
    ) -> Result<Self, Fault> {
        let url = resolve(job, environment, "source.url", settings.url.reveal())?;
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        match scheme {
            "postgres" | "postgresql" => {
                postgres::PostgresReader::open(job, settings, &url, start).await.map(Box::new).map(Self::Postgres)
            }
            "mysql" | "mariadb" => {
                mysql::MySqlReader::open(job, settings, &url, start).await.map(Box::new).map(Self::MySql)
            }
            _ => Err(bad_url(job)),
        }
    }

    pub(super) async fn next_page(&mut self) -> Result<Option<Page>, Fault> {
        match self {
            Self::Postgres(reader) => reader.next_page().await,
            Self::MySql(reader) => reader.next_page().await,
        }
    }

    /// Everything on one person, by the condition of `[source.person]`.
    pub(super) async fn ask_person(&mut self, id_number: &str) -> Result<Vec<Page>, Fault> {
        match self {
            Self::Postgres(reader) => reader.ask_person(id_number).await,
            Self::MySql(reader) => reader.ask_person(id_number).await,
        }
    }
}

fn bad_url(job: &Job) -> Fault {
    Fault::Config(job.error_at("source.url", "is not an address of the form `postgres://…` or `mysql://…`"))
}

/// A table, as `quote` writes names, or a query, as what can stand after FROM under the name `t`.
fn relation(job: &Job, settings: &DatabaseSource, quote: fn(&str) -> String) -> Result<String, Fault> {
    match (&settings.table, &settings.query) {
        (Some(table), None) => {
            let name = table.split('.').map(quote).collect::<Vec<_>>().join(".");
            Ok(format!("{name} AS t"))
        }
        (None, Some(query)) => Ok(format!("({}\n) AS t", query.trim().trim_end_matches(';'))),
        _ => Err(Fault::Config(job.error_at("source", "has not one of `table` and `query`"))),
    }
}

/// What both kinds of database have in common; `None` where the database itself spoke.
fn common_fault(error: &sqlx::Error) -> Option<DatabaseFault> {
    let fault = |what: String, transient| Some(DatabaseFault { what, transient });
    match error {
        sqlx::Error::Database(_) => None,
        sqlx::Error::Io(error) => fault(format!("connection: {}", error.kind()), true),
        sqlx::Error::Tls(_) => fault("TLS could not be set up".to_owned(), false),
        sqlx::Error::Protocol(_) => fault("the connection broke".to_owned(), true),
        _ => fault("an answer that cannot be read".to_owned(), false),
    }
}
