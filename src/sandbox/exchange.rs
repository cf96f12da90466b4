//! The exchange database (前置库): the disabled persons' federation writes its register into a table that others may read.

use std::fmt::Write;
use std::str::FromStr;

use anyhow::Context;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use url::Url;

use super::province::Province;

const CREATE: &str = "
    DROP TABLE IF EXISTS cjr_certificate, filled;
    CREATE TABLE filled (province text NOT NULL);
    CREATE TABLE cjr_certificate (
        xh bigint PRIMARY KEY,
        bh text NOT NULL,
        gxsj timestamptz NOT NULL,
        scbz char(1) NOT NULL,
        sfzh text,
        xm text,
        zjlb text,
        cjr_code text,
        cjr_type text,
        cjr_level text,
        yxqq text,
        yxqz text,
        zt text,
        ztrq text
    );
    CREATE INDEX cjr_certificate_gxsj ON cjr_certificate (gxsj, xh);
    CREATE INDEX cjr_certificate_sfzh ON cjr_certificate (upper(sfzh));
";

/// Makes the database `<that of database_url>_exchange` beside the given one unless it is there, fills the table unless it
/// already holds the province called `fingerprint`, and gives the database's address.
pub async fn fill(database_url: &str, province: &Province, fingerprint: &str) -> anyhow::Result<String> {
    let options = PgConnectOptions::from_str(database_url).context("reading the address of the sandbox's database")?;
    let name = format!("{}_exchange", options.get_database().unwrap_or("renzheng"));
    let mut connection = options.connect().await.context("connecting to make the exchange database")?;
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut connection)
        .await?;
    if !known {
        // UTF-8 whatever the cluster's default: rare characters must not be lost on the way.
        let quoted = name.replace('"', "\"\"");
        let statement = format!("CREATE DATABASE \"{quoted}\" TEMPLATE template0 ENCODING 'UTF8'");
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.context("making the exchange database")?;
    }
    connection.close().await?;
    let mut connection = options.database(&name).connect().await.context("connecting to the exchange database")?;
    if held(&mut connection).await?.as_deref() != Some(fingerprint) {
        refill(&mut connection, province, fingerprint).await.context("filling the exchange database")?;
    }
    connection.close().await?;
    let mut url = Url::parse(database_url).context("reading the address of the sandbox's database")?;
    url.set_path(&format!("/{name}"));
    Ok(url.into())
}

/// The province that the table holds, if one.
async fn held(connection: &mut PgConnection) -> anyhow::Result<Option<String>> {
    let there: bool =
        sqlx::query_scalar("SELECT to_regclass('filled') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !there {
        return Ok(None);
    }
    let row = sqlx::query("SELECT province FROM filled").fetch_optional(&mut *connection).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

async fn refill(connection: &mut PgConnection, province: &Province, fingerprint: &str) -> anyhow::Result<()> {
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(CREATE).execute(&mut *transaction).await?;
    let mut copy = transaction.copy_in_raw("COPY cjr_certificate FROM STDIN").await?;
    let mut lines = String::new();
    for (place, row) in province.certificates.iter().enumerate() {
        let text = province.certificate_text(row);
        let kind = match text.kind.as_str() {
            "disabled_person" => "1",
            "disabled_soldier" => "2",
            other => other,
        };
        let status = match text.status.as_str() {
            "valid" => "有效",
            "expired" => "过期",
            "frozen" => "冻结",
            "cancelled" => "注销",
            "replaced" => "换发",
            other => other,
        };
        write!(lines, "{}\t{}\t{}\t{}", place + 1, text.record_id, text.updated_at, u8::from(text.deleted))?;
        let cells: [&str; 10] = [
            &text.id_number,
            &text.name,
            kind,
            &text.certificate_number,
            &text.category,
            &text.level,
            &text.valid_from,
            &text.valid_to,
            status,
            &text.status_since,
        ];
        for cell in cells {
            lines.push('\t');
            lines.push_str(if cell.is_empty() { "\\N" } else { cell });
        }
        lines.push('\n');
        if lines.len() > 1 << 20 {
            copy.send(lines.as_bytes()).await?;
            lines.clear();
        }
    }
    copy.send(lines.as_bytes()).await?;
    copy.finish().await?;
    sqlx::query("INSERT INTO filled (province) VALUES ($1)").bind(fingerprint).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}
