//! Whether the database can be worked with, found out without changing it.

use std::time::Duration;

use serde::Serialize;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::{MIGRATIONS, Store, unreachable};
use crate::crypto::Keys;
use crate::domain::facts::words;
use crate::errors;

words! {
    /// What is looked at, in this order; what comes after one that fails is not.
    Aspect { Database = "database", Schema = "schema", Keys = "keys" }
}

/// One aspect, and what is the matter with it if something is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub aspect: Aspect,
    pub ok: bool,
    /// What was found, or what to do.
    pub text: String,
}

/// A database that says nothing for so long cannot be worked with.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why an aspect is not in order.
type Wrong = (Aspect, String);

impl Store {
    /// Whether this store can go on working.
    pub async fn readiness(&self) -> Vec<Finding> {
        let look = async {
            let mut connection =
                self.pool.acquire().await.map_err(|error| (Aspect::Database, errors::chain(&error)))?;
            look(&mut connection, self.keys()).await
        };
        findings(tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| Err(silent())))
    }

    /// Looks at a database before it is opened: nothing is made or migrated.
    pub async fn inspect(url: &str, keys: &Keys) -> Vec<Finding> {
        let look = async {
            let failed = |error: sqlx::Error| (Aspect::Database, errors::chain(&error));
            let options: PgConnectOptions = url.parse().map_err(failed)?;
            let mut connection = PgConnection::connect_with(&options)
                .await
                .map_err(|error| (Aspect::Database, errors::chain(&unreachable(&options, error))))?;
            let found = look(&mut connection, keys).await;
            connection.close().await.map_err(failed)?;
            found
        };
        findings(tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| Err(silent())))
    }
}

fn silent() -> Wrong {
    (
        Aspect::Database,
        format!("does not answer within {} s; look at the server and at DATABASE_URL", PATIENCE.as_secs()),
    )
}

/// What was found of each aspect, as long as it is in order.
async fn look(connection: &mut PgConnection, keys: &Keys) -> Result<[String; 3], Wrong> {
    let failed = |aspect| move |error: sqlx::Error| (aspect, errors::chain(&error));
    let version: String = sqlx::query_scalar("show server_version")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed(Aspect::Database))?;
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    let migrated: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed(Aspect::Schema))?;
    let found: Option<i64> = if migrated {
        sqlx::query_scalar("select max(version) from _sqlx_migrations where success")
            .fetch_one(&mut *connection)
            .await
            .map_err(failed(Aspect::Schema))?
    } else {
        None
    };
    let schema = |what: String| Err((Aspect::Schema, what));
    match found {
        None => return schema("there is no schema yet; any command that works with the database makes it".to_owned()),
        Some(found) if found > known => {
            return schema(format!("version {found} is newer than {known} of this program; run the newer program"));
        }
        Some(found) if found < known => {
            return schema(format!(
                "version {found} is older than {known} of this program; any command brings it up to date"
            ));
        }
        Some(_) => {}
    }
    let check: Option<Vec<u8>> = sqlx::query_scalar("select key_check from installation")
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed(Aspect::Keys))?;
    let keys = match check {
        None => "no keys opened this database yet; the first that do become its own".to_owned(),
        Some(check) if check == keys.check_value() => "are the database's own".to_owned(),
        Some(_) => {
            let what =
                "are not those this database was filled with; give the key file or RENZHENG_KEYS that belong to it";
            return Err((Aspect::Keys, what.to_owned()));
        }
    };
    let version = version.split(' ').next().unwrap_or_default();
    Ok([format!("Postgres {version} answers"), format!("version {known}"), keys])
}

fn findings(looked: Result<[String; 3], Wrong>) -> Vec<Finding> {
    match looked {
        Ok(texts) => {
            Aspect::ALL.iter().zip(texts).map(|(aspect, text)| Finding { aspect: *aspect, ok: true, text }).collect()
        }
        Err((wrong, text)) => {
            let before = Aspect::ALL.iter().take_while(|aspect| **aspect != wrong);
            let fine = before.map(|aspect| Finding { aspect: *aspect, ok: true, text: "in order".to_owned() });
            fine.chain([Finding { aspect: wrong, ok: false, text }]).collect()
        }
    }
}
