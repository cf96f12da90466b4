//! A Postgres: rows come as JSON made by the database, so that every type has its exact text.

use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use super::{LONGEST_LOCK_WAIT, bad_url, common_fault, relation};
use crate::config::{DatabaseSource, Job};
use crate::sources::Start;
use crate::sources::error::{DatabaseFault, Fault};
use crate::sources::json::push_record;
use crate::sources::page::{Limits, Page};

/// A table or query of a Postgres.
pub(in crate::sources) struct PostgresReader {
    connection: PgConnection,
    /// `(SELECT …) AS t`, safe to stand after FROM.
    relation: String,
    /// The key column, quoted.
    key: String,
    /// The type as which a key's text is compared.
    key_type: String,
    /// The condition on the watermark column with its value, to be bound as `$2`.
    since: Option<(String, String)>,
    person: Option<String>,
    limits: Limits,
    after: Option<String>,
    number: u32,
    began: Option<DateTime<Utc>>,
    finished: bool,
}

/// An identifier as SQL text.
fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

fn fault_of(error: &sqlx::Error) -> DatabaseFault {
    match error {
        // Detail, hint and context repeat values, and so do the messages of other classes than these, which speak of
        // connections, names and resources.
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default().into_owned();
            let within = |classes: &[&str]| classes.iter().any(|class| code.starts_with(class));
            // 08 connection, 40 rollback, 53 resources, 55P03 lock, 57 intervention, 58 system
            let transient = within(&["08", "40", "53", "55P", "57", "58"]);
            let speaks = within(&["08", "28", "3D", "3F", "40", "42", "53", "55", "57", "58"]);
            let what = if speaks { error.message() } else { "a value or a rule of theirs stands against it" };
            DatabaseFault { what: format!("{what} (SQLSTATE {code})"), transient }
        }
        other => common_fault(other)
            .unwrap_or_else(|| DatabaseFault { what: "an answer that cannot be read".to_owned(), transient: false }),
    }
}

fn query_fault(error: &sqlx::Error) -> Fault {
    Fault::Query(fault_of(error))
}

impl PostgresReader {
    pub(super) async fn open(job: &Job, settings: &DatabaseSource, url: &str, start: Start) -> Result<Self, Fault> {
        let person = settings.person.as_ref().map(|person| person.condition.clone());
        if person.as_ref().is_some_and(|condition| !condition.contains("$1")) {
            let what = "holds no `$1`, which takes the ID number";
            return Err(Fault::Config(job.error_at("source.person.where", what)));
        }
        let options: PgConnectOptions = url.parse().map_err(|_| bad_url(job))?;
        let timeout = job.timeout.duration();
        let (timeout_ms, lock_ms) =
            (timeout.as_millis().to_string(), timeout.min(LONGEST_LOCK_WAIT).as_millis().to_string());
        let options = options
            .application_name("renzheng")
            .options([
                ("default_transaction_read_only", "on"),
                ("DateStyle", "ISO"),
                ("lock_timeout", &lock_ms),
                ("statement_timeout", &timeout_ms),
            ])
            .disable_statement_logging();
        let connection = options.connect().await.map_err(|error| Fault::Connect(fault_of(&error)))?;
        let mut reader = Self {
            connection,
            relation: relation(job, settings, quote)?,
            key: quote(&settings.key),
            key_type: String::new(),
            since: None,
            person,
            limits: start.limits,
            after: start.after.as_ref().map(|resume| resume.place.clone()),
            number: start.after.map_or(0, |resume| resume.page + 1),
            began: None,
            finished: false,
        };
        reader.key_type = reader.type_of(&reader.key.clone()).await?;
        if let Some((column, since)) = settings.watermark.as_ref().zip(start.since) {
            let column = quote(column);
            let column_type = reader.type_of(&column).await?;
            let condition = format!("t.{column} >= CAST($2::text AS {column_type})");
            reader.since = Some((condition, since.to_rfc3339_opts(SecondsFormat::Micros, true)));
        }
        reader.refuse_null_keys(&settings.key).await?;
        let began = sqlx::query_scalar::<_, DateTime<Utc>>("SELECT now()").fetch_one(&mut reader.connection).await;
        reader.began = Some(began.map_err(|error| query_fault(&error))?);
        Ok(reader)
    }

    /// The type of a column (already quoted) without its length: one that compares as the column does.
    async fn type_of(&mut self, column: &str) -> Result<String, Fault> {
        let relation = &self.relation;
        let sql = format!("SELECT pg_typeof((SELECT t.{column} FROM {relation} LIMIT 0))::text");
        // Identifiers are quoted, and a query is the operator's own.
        let found = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).fetch_one(&mut self.connection).await;
        Ok(match found.map_err(|error| query_fault(&error))?.as_str() {
            // Without a length these two would be cut to one.
            "character" => "bpchar".to_owned(),
            "bit" => "varbit".to_owned(),
            other => other.to_owned(),
        })
    }

    async fn refuse_null_keys(&mut self, name: &str) -> Result<(), Fault> {
        let sql = format!("SELECT EXISTS (SELECT FROM {} WHERE t.{} IS NULL)", self.relation, self.key);
        let found = sqlx::query_scalar::<_, bool>(AssertSqlSafe(sql)).fetch_one(&mut self.connection).await;
        if found.map_err(|error| query_fault(&error))? {
            return Err(Fault::NullKey(name.to_owned()));
        }
        Ok(())
    }

    /// Whether two keys are the same is for the database to say, by their rank: `1.0` and `1.00` are.
    pub(super) async fn next_page(&mut self) -> Result<Option<Page>, Fault> {
        if self.finished {
            return Ok(None);
        }
        let (key, key_type, relation) = (&self.key, &self.key_type, &self.relation);
        let since = self.since.as_ref().map_or("$2::text IS NULL", |(condition, _)| condition);
        let sql = format!(
            "SELECT row_to_json(t)::text, t.{key}::text, rank() OVER (ORDER BY t.{key}) FROM {relation} \
             WHERE ($1::text IS NULL OR t.{key} > CAST($1::text AS {key_type})) AND {since} \
             ORDER BY t.{key} FETCH FIRST {} ROWS WITH TIES",
            self.limits.rows
        );
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(self.after.as_deref())
            .bind(self.since.as_ref().map(|(_, since)| since.as_str()))
            .persistent(false);
        let mut page = Page::new(self.number);
        page.began = self.began;
        let mut last: Option<(String, i64)> = None;
        let mut more = false;
        {
            let mut rows = query.fetch(&mut self.connection);
            let mut row_number = 0;
            while let Some(row) = rows.try_next().await.map_err(|error| query_fault(&error))? {
                let text: String = row.try_get(0).map_err(|error| query_fault(&error))?;
                let key: String = row.try_get(1).map_err(|error| query_fault(&error))?;
                let rank: i64 = row.try_get(2).map_err(|error| query_fault(&error))?;
                if page.is_full(self.limits) && last.as_ref().is_none_or(|(_, last)| *last != rank) {
                    more = true;
                    break;
                }
                row_number += 1;
                push_record(&mut page, row_number, &text);
                last = Some((key, rank));
            }
            more |= row_number >= self.limits.rows as u64;
        }
        let last_key = last.map(|(key, _)| key);
        let resumed_past_end = self.number > 0 && page.holds_nothing();
        self.finished = !more;
        if resumed_past_end {
            return Ok(None);
        }
        page.resume = if more { last_key.clone() } else { None };
        self.after = last_key;
        self.number += 1;
        Ok(Some(page))
    }

    /// Everything on one person, by the condition of `[source.person]`.
    pub(super) async fn ask_person(&mut self, id_number: &str) -> Result<Vec<Page>, Fault> {
        let condition = self.person.as_ref().ok_or(Fault::NoPersonRequest)?;
        let sql = format!("SELECT row_to_json(t)::text FROM {} WHERE ({condition})", self.relation);
        let query = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).bind(id_number).persistent(false);
        let mut pages = vec![Page::new(0)];
        let mut rows = query.fetch(&mut self.connection);
        let mut row_number = 0;
        while let Some(text) = rows.try_next().await.map_err(|error| query_fault(&error))? {
            if pages.last().is_some_and(|page| page.is_full(self.limits)) {
                pages.push(Page::new(pages.len() as u32));
            }
            row_number += 1;
            if let Some(page) = pages.last_mut() {
                page.began = self.began;
                push_record(page, row_number, &text);
            }
        }
        Ok(pages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_stays_one() {
        assert_eq!(quote("a\"; DROP TABLE t; --"), "\"a\"\"; DROP TABLE t; --\"");
    }
}
