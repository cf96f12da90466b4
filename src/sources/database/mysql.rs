//! A MySQL or MariaDB: every column comes as the text that the server itself writes, and keys are compared by the server alone.
//!
//! A page is what lies after one key and not after another. Both ends are compared by the column's own type and collation,
//! as the order is: where `a` and `A` are the same, they stand on one page. Values stand in statements as digits or as
//! hexadecimal, never as they came.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Executor, Row, SqlSafeStr, Statement, TypeInfo};

use super::{LONGEST_LOCK_WAIT, bad_url, common_fault, relation};
use crate::config::{DatabaseSource, Job};
use crate::sources::Start;
use crate::sources::error::{DatabaseFault, Fault};
use crate::sources::page::{CellKind, Limits, Page};

/// How the text of a column is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Number,
    /// Selected as a double, which has all the digits of its shortest text.
    Single,
    /// A date and time of day without zone.
    DateTime,
    /// An instant; the session's zone is UTC.
    Instant,
    Date,
    /// What has no order by which pages can follow, or no text.
    Unordered,
}

impl Form {
    /// By the driver's name of the type.
    fn of(type_name: &str) -> Self {
        match type_name.trim_end_matches(" UNSIGNED") {
            "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" | "DECIMAL" | "DOUBLE" | "YEAR"
            | "BIT" => Self::Number,
            "FLOAT" => Self::Single,
            "DATETIME" => Self::DateTime,
            "TIMESTAMP" => Self::Instant,
            "DATE" => Self::Date,
            "ENUM" | "SET" | "JSON" | "GEOMETRY" => Self::Unordered,
            _ => Self::Text,
        }
    }
}

struct Field {
    name: String,
    form: Form,
    is_bits: bool,
}

impl Field {
    /// The column in a list of those that are selected.
    fn selected(&self) -> String {
        let column = quote(&self.name);
        match self.form {
            Form::Single => format!("t.{column} + 0e0"),
            _ if self.is_bits => format!("t.{column} + 0"),
            _ => format!("t.{column}"),
        }
    }
}

/// A table or query of a MySQL or MariaDB.
pub(in crate::sources) struct MySqlReader {
    connection: MySqlConnection,
    /// `(SELECT …) AS t`, safe to stand after FROM.
    relation: String,
    fields: Vec<Field>,
    /// Which of the fields is the key.
    key: usize,
    /// The condition on the watermark column.
    since: Option<String>,
    person: Option<String>,
    limits: Limits,
    /// The key after which reading goes on, as the server writes it; stored in hexadecimal.
    after: Option<Vec<u8>>,
    number: u32,
    began: Option<DateTime<Utc>>,
    finished: bool,
}

/// An identifier as SQL text.
fn quote(identifier: &str) -> String {
    format!("`{}`", identifier.replace('`', "``"))
}

/// A text as SQL: what it holds is never read as SQL, whatever the server's mode. Its collation is that of the column it
/// is compared with.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() * 2 + 12);
    literal.push_str("_utf8mb4 X'");
    literal.push_str(&hex::encode(text));
    literal.push('\'');
    literal
}

/// A key as SQL, by its column's form; `None` for what is no such key.
fn key_literal(form: Form, key: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(key);
    match form {
        Form::Number | Form::Single => {
            let numeric = key.iter().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(byte));
            text.ok().filter(|text| numeric && text.parse::<f64>().is_ok()).map(str::to_owned)
        }
        Form::Unordered => None,
        // Only a column of bytes gives what is no UTF-8.
        _ => Some(text.map_or_else(|_| format!("X'{}'", hex::encode(key)), literal)),
    }
}

/// A condition with every `$1` or `?` outside quotes and comments replaced; `None` if there is none.
fn fill_in(condition: &str, value: &str) -> Option<String> {
    let mut filled = String::with_capacity(condition.len() + value.len());
    let mut found = false;
    let mut rest = condition;
    while let Some(sign) = rest.chars().next() {
        let length = match sign {
            '\'' | '"' | '`' => quoted_length(rest, sign),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '-' if rest.starts_with("-- ") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            '?' => 0,
            '$' if rest.starts_with("$1") && !rest[2..].starts_with(|c: char| c.is_ascii_alphanumeric()) => 0,
            _ => sign.len_utf8(),
        };
        if length == 0 {
            found = true;
            filled.push_str(value);
            rest = &rest[if sign == '?' { 1 } else { 2 }..];
        } else {
            filled.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    found.then_some(filled)
}

/// The length of a text that begins with a quote, with both quotes.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, sign) in text.char_indices().skip(1) {
        match sign {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            _ if sign == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn fault_of(error: &sqlx::Error) -> DatabaseFault {
    let of_server = match error {
        sqlx::Error::Database(error) => error.try_downcast_ref::<MySqlDatabaseError>(),
        // The driver asks for a feature that we leave out: its cipher can be timed (RUSTSEC-2023-0071).
        sqlx::Error::Configuration(why) if why.to_string().contains("RSA") => {
            let what = "the server asks for the password by `caching_sha2_password`, which is given over TLS only: let \
                        the server offer TLS";
            return DatabaseFault { what: what.to_owned(), transient: false };
        }
        _ => None,
    };
    let Some(error) = of_server else {
        let unreadable = || DatabaseFault { what: "an answer that cannot be read".to_owned(), transient: false };
        return common_fault(error).unwrap_or_else(unreadable);
    };
    let number = error.number();
    // connections, shutdown, locks, deadlocks, time and resource limits, interruption, changed definitions
    let transient = matches!(
        number,
        1020 | 1040 | 1041 | 1053 | 1077..=1081 | 1152..=1161 | 1184 | 1203 | 1205 | 1206 | 1213 | 1226 | 1317 | 1412
            | 1615 | 1836 | 1927 | 1969 | 3024 | 3058 | 3572
    );
    // Messages of others repeat values, or the statement with values in it.
    let speaks = transient
        || matches!(
            number,
            1044..=1046
                | 1049
                | 1054
                | 1060
                | 1103
                | 1129
                | 1130
                | 1142
                | 1143
                | 1146
                | 1227
                | 1267
                | 1290
                | 1305
                | 1356
                | 1370
                | 1524
                | 1698
                | 1792
        );
    let what = match number {
        1064 => "the SQL is not valid there",
        _ if speaks => error.message(),
        _ => "a value or a rule of theirs stands against it",
    };
    DatabaseFault { what: format!("{what} (error {number})"), transient }
}

fn query_fault(error: &sqlx::Error) -> Fault {
    Fault::Query(fault_of(error))
}

/// A column as the server writes it.
fn bytes_of(row: &MySqlRow, column: usize) -> Result<Option<&[u8]>, Fault> {
    row.try_get_unchecked(column).map_err(|error| query_fault(&error))
}

impl MySqlReader {
    pub(super) async fn open(job: &Job, settings: &DatabaseSource, url: &str, start: Start) -> Result<Self, Fault> {
        let refuse = |key: &str, what: &str| Fault::Config(job.error_at(key, what));
        let options: MySqlConnectOptions = url.parse().map_err(|_| bad_url(job))?;
        let options = options.timezone(Some("+00:00".to_owned())).charset("utf8mb4").disable_statement_logging();
        let connection = options.connect().await.map_err(|error| Fault::Connect(fault_of(&error)))?;
        let after = start.after.as_ref().map(|resume| hex::decode(&resume.place)).transpose();
        let mut reader = Self {
            connection,
            relation: relation(job, settings, quote)?,
            fields: Vec::new(),
            key: 0,
            since: None,
            person: settings.person.as_ref().map(|person| person.condition.clone()),
            limits: start.limits,
            after: after.map_err(|_| Fault::BadResume)?,
            number: start.after.map_or(0, |resume| resume.page + 1),
            began: None,
            finished: false,
        };
        reader.restrain(job).await?;
        let fields = reader.prepare(format!("SELECT t.* FROM {}", reader.relation)).await?;
        let find = |name: &str| fields.iter().position(|field| field.name.eq_ignore_ascii_case(name));
        reader.key = find(&settings.key).ok_or_else(|| refuse("source.key", "is no column there"))?;
        if fields[reader.key].form == Form::Unordered {
            return Err(refuse("source.key", "is a column of a kind that has no order of its own"));
        }
        if let Some((column, since)) = settings.watermark.as_ref().zip(start.since) {
            let field = find(column).map(|at| &fields[at]);
            let field = field.ok_or_else(|| refuse("source.watermark", "is no column there"))?;
            let form = match field.form {
                // A day counts from its beginning.
                Form::Date => "%Y-%m-%d",
                Form::DateTime | Form::Instant => "%Y-%m-%d %H:%M:%S%.6f",
                _ => return Err(refuse("source.watermark", "is no column of dates or times")),
            };
            reader.since = Some(format!("t.{} >= '{}'", quote(&field.name), since.format(form)));
        }
        reader.fields = fields;
        if let Some(condition) = &reader.person {
            let tried = fill_in(condition, "NULL");
            let tried =
                tried.ok_or_else(|| refuse("source.person.where", "holds no `$1`, which takes the ID number"))?;
            let sql = format!("SELECT 1 FROM {} WHERE ({tried})", reader.relation);
            reader.prepare(sql).await?;
        }
        reader.refuse_null_keys(&settings.key).await?;
        let now = reader.text("SELECT UTC_TIMESTAMP(6)").await?;
        let now = NaiveDateTime::parse_from_str(&now, "%Y-%m-%d %H:%M:%S%.f").ok();
        reader.began = now.map(|at| at.and_utc());
        Ok(reader)
    }

    /// Read only, and neither waiting nor computing for longer than the job may.
    async fn restrain(&mut self, job: &Job) -> Result<(), Fault> {
        let timeout = job.timeout.duration();
        let lock_s = timeout.min(LONGEST_LOCK_WAIT).as_secs().max(1);
        let version = self.text("SELECT VERSION()").await?;
        let bound = if version.contains("MariaDB") {
            format!("max_statement_time = {}", timeout.as_secs_f64())
        } else {
            format!("max_execution_time = {}", timeout.as_millis().min(u128::from(u32::MAX)))
        };
        self.execute("SET SESSION TRANSACTION READ ONLY".to_owned()).await?;
        self.execute(format!("SET SESSION lock_wait_timeout = {lock_s}")).await?;
        for setting in [format!("innodb_lock_wait_timeout = {lock_s}"), bound] {
            match self.execute(format!("SET SESSION {setting}")).await {
                // A server that does not know the setting has nothing to bound.
                Err(Fault::Query(fault)) if !fault.transient => {}
                other => other?,
            }
        }
        Ok(())
    }

    async fn execute(&mut self, sql: String) -> Result<(), Fault> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await;
        done.map(drop).map_err(|error| query_fault(&error))
    }

    /// What a question about the server itself gives.
    async fn text(&mut self, sql: &str) -> Result<String, Fault> {
        let bytes = self.first(sql.to_owned()).await?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The first column of the first row.
    async fn first(&mut self, sql: String) -> Result<Option<Vec<u8>>, Fault> {
        let mut rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(&mut self.connection);
        let mut first = None;
        // To the end, so that nothing is left on the wire.
        while let Some(row) = rows.try_next().await.map_err(|error| query_fault(&error))? {
            if first.is_none() {
                first = Some(bytes_of(&row, 0)?.map(<[u8]>::to_vec));
            }
        }
        Ok(first.flatten())
    }

    /// Has the server look at one statement, which several separated by semicolons are not.
    async fn prepare(&mut self, sql: String) -> Result<Vec<Field>, Fault> {
        let statement = self.connection.prepare(AssertSqlSafe(sql).into_sql_str()).await;
        let statement = statement.map_err(|error| query_fault(&error))?;
        let fields = statement.columns().iter().map(|column| {
            let type_name = column.type_info().name();
            Field { name: column.name().to_owned(), form: Form::of(type_name), is_bits: type_name == "BIT" }
        });
        Ok(fields.collect())
    }

    fn key_column(&self) -> String {
        format!("t.{}", quote(&self.fields[self.key].name))
    }

    async fn refuse_null_keys(&mut self, name: &str) -> Result<(), Fault> {
        let sql = format!("SELECT 1 FROM {} WHERE {} IS NULL LIMIT 1", self.relation, self.key_column());
        match self.first(sql).await? {
            Some(_) => Err(Fault::NullKey(name.to_owned())),
            None => Ok(()),
        }
    }

    /// What is still to be read, up to a key if one is given.
    fn condition(&self, up_to: Option<&[u8]>) -> Result<String, Fault> {
        let (column, form) = (self.key_column(), self.fields[self.key].form);
        let mut condition = self.since.clone().unwrap_or_else(|| "TRUE".to_owned());
        for (sign, key) in [(">", self.after.as_deref()), ("<=", up_to)] {
            if let Some(key) = key {
                let key = key_literal(form, key).ok_or(Fault::BadResume)?;
                write!(condition, " AND {column} {sign} {key}").map_err(|_| Fault::BadResume)?;
            }
        }
        Ok(condition)
    }

    pub(super) async fn next_page(&mut self) -> Result<Option<Page>, Fault> {
        if self.finished {
            return Ok(None);
        }
        // The key of the page's last row, where more than a page is left.
        let (relation, key) = (&self.relation, self.fields[self.key].selected());
        let sql = format!(
            "SELECT {key} FROM {relation} WHERE {} ORDER BY {} LIMIT 1 OFFSET {}",
            self.condition(None)?,
            self.key_column(),
            self.limits.rows.max(1) - 1
        );
        let mut last = self.first(sql).await?;
        let (mut page, full_at) = self.read_page(last.as_deref(), true).await?;
        if full_at.is_some() && full_at != last {
            // Which rows have the same key as the last that fitted, the server says.
            last = full_at;
            page = self.read_page(last.as_deref(), false).await?.0;
        }
        self.finished = last.is_none();
        if self.number > 0 && page.holds_nothing() && self.finished {
            return Ok(None);
        }
        page.resume = last.as_ref().map(hex::encode);
        self.after = last;
        self.number += 1;
        Ok(Some(page))
    }

    /// The rows up to a key, and the key at which the page was full, if it was to stop there.
    async fn read_page(
        &mut self,
        up_to: Option<&[u8]>,
        stops_when_full: bool,
    ) -> Result<(Page, Option<Vec<u8>>), Fault> {
        let (list, condition, key) = (self.list(), self.condition(up_to)?, self.key_column());
        let sql = format!("SELECT {list} FROM {} WHERE {condition} ORDER BY {key}", self.relation);
        let mut page = self.new_page(self.number);
        let mut full_at = None;
        // The number of rows is bounded by the key already; this is for rows that are large.
        let by_size = Limits { rows: usize::MAX, ..self.limits };
        let mut rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(&mut self.connection);
        let mut row_number = 0;
        while let Some(row) = rows.try_next().await.map_err(|error| query_fault(&error))? {
            if full_at.is_some() {
                continue;
            }
            row_number += 1;
            push_row(&mut page, row_number, &row, &self.fields)?;
            if stops_when_full && page.is_full(by_size) {
                full_at = bytes_of(&row, self.key)?.map(<[u8]>::to_vec);
            }
        }
        Ok((page, full_at))
    }

    /// The columns to select.
    fn list(&self) -> String {
        self.fields.iter().map(Field::selected).collect::<Vec<_>>().join(", ")
    }

    fn new_page(&self, number: u32) -> Page {
        let mut page = Page::new(number);
        page.began = self.began;
        page
    }

    pub(super) async fn ask_person(&mut self, id_number: &str) -> Result<Vec<Page>, Fault> {
        let condition = self.person.as_ref().ok_or(Fault::NoPersonRequest)?;
        let condition = fill_in(condition, &literal(id_number)).ok_or(Fault::NoPersonRequest)?;
        let sql = format!("SELECT {} FROM {} WHERE ({condition})", self.list(), self.relation);
        let mut pages = vec![self.new_page(0)];
        let mut rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(&mut self.connection);
        let mut row_number = 0;
        while let Some(row) = rows.try_next().await.map_err(|error| query_fault(&error))? {
            if pages.last().is_some_and(|page| page.is_full(self.limits)) {
                let mut page = Page::new(pages.len() as u32);
                page.began = self.began;
                pages.push(page);
            }
            row_number += 1;
            if let Some(page) = pages.last_mut() {
                push_row(page, row_number, &row, &self.fields)?;
            }
        }
        Ok(pages)
    }
}

/// Appends a row to a page, or keeps its bytes where one of its columns is no text.
fn push_row(page: &mut Page, row_number: u64, row: &MySqlRow, fields: &[Field]) -> Result<(), Fault> {
    let mut cells = Vec::with_capacity(fields.len());
    for (at, field) in fields.iter().enumerate() {
        let Some(bytes) = bytes_of(row, at)? else { continue };
        match std::str::from_utf8(bytes) {
            Ok(text) => cells.push((at, shown(field.form, text))),
            Err(_) => {
                page.push_undecodable(row_number, format!("the column `{}` is not valid utf-8", field.name), bytes);
                return Ok(());
            }
        }
    }
    let columns: Vec<usize> = fields.iter().map(|field| page.column(&field.name)).collect();
    page.begin_row(row_number);
    for (at, (text, kind)) in cells {
        page.set(columns[at], &text, kind);
    }
    Ok(())
}

/// A value as a page holds it: numbers as their digits, times as ISO 8601 has them.
fn shown(form: Form, text: &str) -> (std::borrow::Cow<'_, str>, CellKind) {
    match form {
        Form::Number => (text.into(), CellKind::Number),
        Form::Single => {
            // The double came from a single: nothing is lost on the way back, and its shortest text is what was meant.
            let shortest = text.parse::<f64>().map(|value| (value as f32).to_string());
            (shortest.map_or_else(|_| text.into(), Into::into), CellKind::Number)
        }
        Form::DateTime => (text.replacen(' ', "T", 1).into(), CellKind::Text),
        Form::Instant => (format!("{}+00:00", text.replacen(' ', "T", 1)).into(), CellKind::Text),
        Form::Text | Form::Date | Form::Unordered => (text.into(), CellKind::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_stays_one() {
        assert_eq!(quote("a`; DROP TABLE t; -- "), "`a``; DROP TABLE t; -- `");
    }

    #[test]
    fn a_placeholder_is_filled_in_wherever_it_is_one() {
        let fill = |condition: &str| fill_in(condition, "X");
        assert_eq!(fill("zjhm = $1 OR old = $1").as_deref(), Some("zjhm = X OR old = X"));
        assert_eq!(fill("zjhm = ?").as_deref(), Some("zjhm = X"));
        assert_eq!(
            fill("a = '?$1\\'?' AND `b?` = \"$1\" AND c = ?").as_deref(),
            Some("a = '?$1\\'?' AND `b?` = \"$1\" AND c = X")
        );
        assert_eq!(fill("a = 1 /* ? */ -- $1\n AND 姓名 = $1").as_deref(), Some("a = 1 /* ? */ -- $1\n AND 姓名 = X"));
        assert_eq!(fill("a = $10"), None);
        assert_eq!(fill("a = 'it''s ?'"), None);
    }

    #[test]
    fn a_key_can_only_be_a_value() {
        assert_eq!(key_literal(Form::Text, b"a' OR 1=1 --").as_deref(), Some("_utf8mb4 X'6127204f5220313d31202d2d'"));
        assert_eq!(key_literal(Form::Number, b"-12.50").as_deref(), Some("-12.50"));
        assert_eq!(key_literal(Form::Number, b"1 OR 1=1"), None);
        assert_eq!(key_literal(Form::Number, b""), None);
        assert_eq!(key_literal(Form::Text, b"\xFF").as_deref(), Some("X'ff'"));
    }

    #[test]
    fn a_single_keeps_the_digits_that_were_meant() {
        assert_eq!(shown(Form::Single, "123456.78125").0, "123456.78");
        assert_eq!(shown(Form::Instant, "2025-04-01 10:00:00.250000").0, "2025-04-01T10:00:00.250000+00:00");
    }
}
