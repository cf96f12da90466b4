//! Whether a restored database is whole: its migrations, its keys, what is encrypted in it, and how much there is.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::evidence::upkeep::EvidenceReport;
use super::{MIGRATIONS, StoreError, people};
use crate::crypto::{Keys, Place};
use crate::domain::ids::ResidentId;

/// A column whose values rest encrypted, and how some of them are had: the row's number and the value.
struct Sealed {
    table: &'static str,
    column: &'static str,
    sample: &'static str,
}

/// Every column that rests encrypted.
const SEALED: [Sealed; 14] = [
    Sealed {
        table: "person",
        column: "id_number",
        sample:
            "(select person_id, id_number from person where person_id <> 0 order by person_id limit 100)
                 union (select person_id, id_number from person where person_id <> 0 order by person_id desc limit 100)",
    },
    Sealed {
        table: "person",
        column: "name",
        sample: "(select person_id, name from person where person_id <> 0 order by person_id limit 100)
                 union (select person_id, name from person where person_id <> 0 order by person_id desc limit 100)",
    },
    Sealed {
        table: "certificate",
        column: "certificate_number",
        sample: "select version_id, certificate_number from certificate where certificate_number is not null limit 200",
    },
    Sealed {
        table: "quarantine",
        column: "raw",
        sample: "select quarantine_id, raw from quarantine where length(raw) > 0 order by quarantine_id desc limit 200",
    },
    Sealed {
        table: "placement_detail",
        column: "content",
        sample: "select placement_detail_id, content from placement_detail order by placement_detail_id desc limit 200",
    },
    Sealed {
        table: "employer_contact",
        column: "content",
        sample: "select employer_id::bigint, content from employer_contact order by employer_id limit 200",
    },
    Sealed {
        table: "evidence",
        column: "file_name",
        sample: "(select evidence_id, file_name from evidence order by evidence_id limit 100)
                 union (select evidence_id, file_name from evidence order by evidence_id desc limit 100)",
    },
    Sealed {
        table: "batch_page",
        column: "resume",
        sample: "select batch_id::bigint << 32 | page_number, resume from batch_page where resume is not null
                 order by batch_id desc, page_number desc limit 200",
    },
    Sealed {
        table: "app_user",
        column: "name",
        sample: "select user_id, name from app_user order by user_id desc limit 200",
    },
    Sealed {
        table: "event_secret",
        column: "secret",
        sample: "select secret_id, secret from event_secret order by secret_id desc limit 200",
    },
    Sealed {
        table: "answer_delivery",
        column: "body",
        sample: "select answer_delivery_id::bigint, body from answer_delivery order by answer_delivery_id desc limit 20",
    },
    Sealed {
        table: "request_answer",
        column: "answer",
        sample: "select request_answer_id, answer from request_answer where answer is not null
                 order by request_answer_id desc limit 200",
    },
    Sealed {
        table: "objection",
        column: "content",
        sample: "select objection_id, content from objection order by objection_id desc limit 200",
    },
    Sealed {
        table: "objection",
        column: "answer",
        sample: "select objection_id, answer from objection where answer is not null order by objection_id desc limit 200",
    },
];

/// How the values of one column that were tried opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnReport {
    pub table: &'static str,
    pub column: &'static str,
    pub tried: u64,
    pub opened: u64,
}

/// What a restored database holds, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    pub schema_version: Option<i64>,
    pub columns: Vec<ColumnReport>,
    /// Rows by table.
    pub tables: BTreeMap<String, i64>,
    /// Where the folder of evidence was looked at too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceReport>,
    /// Empty where the backup is good.
    pub wrong: Vec<String>,
}

/// Looks at a restored database with the keys that should belong to it. Nothing in it is changed.
pub async fn check_backup(url: &str, keys: &Keys) -> Result<BackupReport, StoreError> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query("set default_transaction_read_only = on").execute(&mut connection).await?;
    let mut report = BackupReport::default();
    check_migrations(&mut connection, &mut report).await?;
    // what follows asks tables of this program's schema
    if report.wrong.is_empty() {
        check_keys(&mut connection, keys, &mut report).await?;
        for sealed in &SEALED {
            check_column(&mut connection, keys, sealed, &mut report).await?;
        }
        check_index(&mut connection, keys, &mut report).await?;
    }
    count_rows(&mut connection, &mut report).await?;
    connection.close().await?;
    Ok(report)
}

async fn check_migrations(connection: &mut PgConnection, report: &mut BackupReport) -> Result<(), StoreError> {
    let exists: bool =
        sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(&mut *connection).await?;
    if !exists {
        report
            .wrong
            .push("there is no schema: this is no database of renzheng, or nothing of it was restored".to_owned());
        return Ok(());
    }
    let applied: Vec<(i64, bool, Vec<u8>)> =
        sqlx::query_as("select version, success, checksum from _sqlx_migrations order by version")
            .fetch_all(connection)
            .await?;
    report.schema_version = applied.iter().map(|(version, ..)| *version).max();
    for migration in MIGRATIONS.iter() {
        match applied.iter().find(|(version, ..)| *version == migration.version) {
            None => report
                .wrong
                .push(format!("migration {} is missing: the schema is older than this program", migration.version)),
            Some((_, false, _)) => report.wrong.push(format!("migration {} was not finished", migration.version)),
            Some((_, true, checksum)) if checksum[..] != migration.checksum[..] => {
                report.wrong.push(format!("migration {} is another than this program's", migration.version));
            }
            Some(_) => {}
        }
    }
    let known = MIGRATIONS.iter().map(|migration| migration.version).max();
    if report.schema_version > known {
        report.wrong.push("the schema is newer than this program: check it with the newer one".to_owned());
    }
    Ok(())
}

async fn check_keys(connection: &mut PgConnection, keys: &Keys, report: &mut BackupReport) -> Result<(), StoreError> {
    let stored: Option<Vec<u8>> =
        sqlx::query_scalar("select key_check from installation").fetch_optional(connection).await?;
    match stored {
        None => {
            report.wrong.push("it is not said to which keys it belongs: the table `installation` is empty".to_owned());
        }
        Some(stored) if stored == keys.check_value() => {}
        Some(_) => report
            .wrong
            .push("the keys are not those of this database: find the key file that belongs to it".to_owned()),
    }
    Ok(())
}

async fn check_column(
    connection: &mut PgConnection,
    keys: &Keys,
    sealed: &Sealed,
    report: &mut BackupReport,
) -> Result<(), StoreError> {
    let Sealed { table, column, sample } = sealed;
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(*sample).fetch_all(connection).await?;
    let opens = |row: i64, value: &[u8]| keys.decrypt(value, Place { table, column, row }).is_ok();
    let opened = rows.iter().filter(|(row, value)| opens(*row, value)).count();
    if opened < rows.len() {
        report.wrong.push(format!("{} of {} values of {table}.{column} do not open", rows.len() - opened, rows.len()));
    }
    report.columns.push(ColumnReport { table, column, tried: rows.len() as u64, opened: opened as u64 });
    Ok(())
}

/// Persons are found by the index of their number: it must be that of the number which is stored.
async fn check_index(connection: &mut PgConnection, keys: &Keys, report: &mut BackupReport) -> Result<(), StoreError> {
    let rows: Vec<(i64, Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "select person_id, id_number, id_index from person where person_id <> 0 order by person_id desc limit 100",
    )
    .fetch_all(connection)
    .await?;
    let found = |row: i64, sealed: &[u8], index: &[u8]| {
        let plain = keys.decrypt(sealed, Place { table: "person", column: "id_number", row }).ok()?;
        let id = ResidentId::parse(std::str::from_utf8(&plain).ok()?).ok()?;
        Some(people::person_index(keys, &id) == index)
    };
    // what does not open is told already
    let lost = rows.iter().filter(|(row, sealed, index)| found(*row, sealed, index) == Some(false)).count();
    if lost > 0 {
        report.wrong.push(format!("{lost} of {} persons are not found by their numbers", rows.len()));
    }
    Ok(())
}

async fn count_rows(connection: &mut PgConnection, report: &mut BackupReport) -> Result<(), StoreError> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select quote_ident(relname) from pg_class where relkind in ('r', 'p') and not relispartition
           and relnamespace = current_schema()::regnamespace order by relname",
    )
    .fetch_all(&mut *connection)
    .await?;
    for table in tables {
        let count = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")))
            .fetch_one(&mut *connection)
            .await?;
        report.tables.insert(table, count);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::Database;

    /// Bytes that are no encrypted values: keyed hashes, digests, and what holds no personal data.
    const NOT_SEALED: [&str; 23] = [
        "_sqlx_migrations.checksum",
        "answer_delivery.digest",
        "audit.after",
        "audit.before",
        "audit_seal.leaves",
        "audit_seal.root",
        "batch_page.digest",
        "batch_page.keys",
        "certification_document.content_hash",
        "evidence.content_name",
        "installation.key_check",
        "look_up.receipt",
        "outbox.body",
        "outbox.digest",
        "outbox_attempt.answer",
        "person.id_index",
        "person_code.hash",
        "person_miss.id_index",
        "quarantine.id_index",
        "request_answer.access",
        "request_answer.key",
        "request_answer.request",
        "user_token.hash",
    ];

    #[tokio::test(flavor = "multi_thread")]
    async fn every_column_of_bytes_is_known_to_be_encrypted_or_not() {
        let database = Database::open().await;
        let columns: Vec<String> = sqlx::query_scalar(
            "select table_name || '.' || column_name from information_schema.columns c
             join pg_class on relname = table_name and not relispartition
             where table_schema = current_schema() and data_type = 'bytea' order by 1",
        )
        .fetch_all(&database.store.pool)
        .await
        .expect("columns");
        let sealed = SEALED.iter().map(|sealed| format!("{}.{}", sealed.table, sealed.column));
        let known: Vec<String> = sealed.chain(NOT_SEALED.map(str::to_owned)).collect();
        let unknown: Vec<&String> = columns.iter().filter(|column| !known.contains(column)).collect();
        assert!(unknown.is_empty(), "say of these whether they rest encrypted: {unknown:?}");
    }
}
