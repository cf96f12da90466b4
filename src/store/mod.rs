//! Our Postgres: the only SQL on our own tables.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction};
use tokio::time::timeout;

use crate::clock;
use crate::crypto::Keys;

pub mod agreements;
pub mod alerts;
pub mod announcements;
pub mod answers;
pub mod audit;
pub mod audit_log;
pub mod backfills;
pub mod backup;
pub mod batches;
pub mod change;
pub mod changes;
pub mod choices;
mod commission;
pub mod conflicts;
pub mod consents;
pub mod contacts;
mod copying;
pub mod decisions;
pub mod declarations;
pub mod declared;
pub mod deliveries;
pub mod details;
pub mod documents;
mod endings;
pub mod entries;
pub mod event_deliveries;
pub mod events;
pub mod evidence;
pub mod evidence_shown;
pub mod exports;
pub mod facts;
pub mod failed_jobs;
pub mod feed;
pub mod fires;
pub mod frames;
mod held;
pub mod jobs;
pub mod journal;
mod known;
pub mod landing;
pub mod lineage;
pub mod local;
pub mod look_ups;
pub mod messages;
pub mod metrics;
pub mod notices;
pub mod objections;
pub mod originals;
pub mod outbox;
pub mod outbox_acts;
pub mod outbox_lines;
pub mod overlaps;
pub mod owners;
pub mod page_log;
mod partitions;
pub mod past;
pub mod people;
pub mod person_codes;
pub mod person_months;
pub mod place;
pub mod publish;
pub mod publish_batch;
pub mod push_holds;
pub mod quarantine;
mod queue;
pub mod readiness;
pub mod reconciliations;
pub mod records;
mod refusals;
pub mod register;
pub mod reminders;
pub mod request_answers;
pub mod results;
pub mod reverifications;
pub mod review_cases;
pub mod review_queue;
pub mod rewards;
mod rows;
pub mod runs;
pub mod seals;
pub mod settlements;
mod sorting;
pub mod statement;
pub mod subscriptions;
pub mod task_history;
pub mod tasks;
#[cfg(test)]
pub mod testing;
mod touched;
pub mod upkeep;
pub mod users;
pub mod verification_lock;
pub mod versions;
pub mod who_looked;

/// The migrations, in the order of their numbers.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("schemas/migrations");

/// What can go wrong with our own database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database did not do what was asked")]
    Driver(#[from] sqlx::Error),
    /// Host and port or socket, and database; never user or password.
    #[error("no connection to database {place}")]
    Unreachable {
        place: String,
        #[source]
        source: sqlx::Error,
    },
    #[error("the schema could not be brought up to date")]
    Migration(#[source] sqlx::migrate::MigrateError),
    #[error(
        "this database has schema version {found}, newer than version {known} of this program; run the newer program"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error(
        "the keys are not those this database was filled with; give the key file or RENZHENG_KEYS that belong to it"
    )]
    WrongKeys,
    #[error("Postgres {found} is too old; version 15 or newer is needed")]
    OldPostgres { found: String },
    #[error("rows came back in an unexpected form: {0}")]
    Frame(&'static str),
    #[error("{table} {row}: stored `{column}` cannot be read")]
    Inconsistent { table: &'static str, column: &'static str, row: String },
    #[error("personal data could not be decrypted")]
    Crypto(#[from] crate::crypto::CryptoError),
    #[error("the task passed to another worker meanwhile: what that one does counts, and nothing was changed")]
    LeaseLost,
    #[error(transparent)]
    Evidence(#[from] evidence::files::FileError),
    #[error(
        "the text given holds an ID number, which nothing that is kept may hold; say it without, persons have a `person_id`"
    )]
    HoldsIdNumber,
    #[error("the same request was answered meanwhile; nothing was done again")]
    AnsweredBefore,
    #[error("{expected} row should have changed, {actual} did")]
    LostRace { expected: u64, actual: u64 },
    #[error(
        "the counts of the delivery do not balance: {read} were read, but {accounted} are new, changed, the same, older, refused or \
         dropped; nothing of it was published"
    )]
    Unbalanced { read: u64, accounted: u64 },
}

impl StoreError {
    fn frame(what: &'static str) -> Self {
        Self::Frame(what)
    }

    #[expect(clippy::needless_pass_by_value, reason = "rows are named by numbers")]
    fn inconsistent(table: &'static str, column: &'static str, row: impl ToString) -> Self {
        Self::Inconsistent { table, column, row: row.to_string() }
    }

    /// Whether the database itself cannot be reached.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Driver(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed))
    }
}

/// How long a connection that answered is taken to live.
const LIVES: Duration = Duration::from_secs(1);

/// So many connections at most.
fn connections(most: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(Duration::from_secs(30))
        // asked whether it lives only where it may have died unseen: to ask before each question doubles what a request waits for
        .test_before_acquire(false)
        .before_acquire(|connection, idle| {
            Box::pin(async move {
                if idle.idle_for >= LIVES {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_release(|connection, _| Box::pin(copying::answers(connection)))
}

/// Begins in a task of its own, which is never dropped halfway: who is dropped while sqlx begins a transaction leaves it open in the pool,
/// and whoever writes next waits for it.
async fn begin_as(pool: &PgPool, statement: &'static str) -> Result<Transaction<'static, Postgres>, StoreError> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(statement).await }).await;
    Ok(begun.map_err(|_| sqlx::Error::WorkerCrashed)??)
}

/// The one store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    /// For transactions that write. Many of them wait for one another; what the one that is not waiting reads beside it does not wait for
    /// their connections.
    writing: PgPool,
    /// For what whoever holds the publish lock reads beside it: all who publish wait for that, so it waits for nobody's reading.
    publishing: PgPool,
    /// For leases alone, opened when one is renewed: work that takes every connection must not keep its own lease from being renewed.
    renewals: PgPool,
    keys: std::sync::Arc<Keys>,
    /// The files of evidence; none where it is not said in which folder they lie.
    evidence: Option<evidence::files::Files>,
    /// The task it works for, if it works for one.
    commission: Option<std::sync::Arc<commission::Commission>>,
    /// The request it works for, if it works for one.
    request: Option<std::sync::Arc<request_answers::Request>>,
}

fn unreachable(options: &PgConnectOptions, source: sqlx::Error) -> StoreError {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    let place = match options.get_socket() {
        Some(socket) => format!("`{database}` at {}", socket.display()),
        None => format!("`{database}` at {}:{}", options.get_host(), options.get_port()),
    };
    StoreError::Unreachable { place, source }
}

impl Store {
    /// Connects, applies the migrations, and makes sure that the keys are the database's own.
    pub async fn open(url: &str, keys: Keys) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        let options = options
            .application_name("renzheng")
            .options([("timezone", "UTC"), ("idle_in_transaction_session_timeout", "10min")]);
        let renewals = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(tasks::LEASE / 4)
            .idle_timeout(Duration::from_mins(2))
            .connect_lazy_with(options.clone());
        let pool = match connections(24).connect_with(options.clone()).await {
            Ok(pool) => pool,
            Err(error) => {
                // a pool that waited in vain does not say why
                let why = timeout(Duration::from_secs(5), PgConnection::connect_with(&options)).await;
                return Err(unreachable(&options, why.ok().and_then(Result::err).unwrap_or(error)));
            }
        };
        let writing = connections(16).connect_lazy_with(options.clone());
        let publishing = connections(2).connect_lazy_with(options);
        let keys = std::sync::Arc::new(keys);
        let store = Self { pool, writing, publishing, renewals, keys, evidence: None, commission: None, request: None };
        match store.prepare().await {
            Ok(()) => Ok(store),
            Err(error) => {
                // given back in order: the server may be stopped next
                store.close().await;
                Err(error)
            }
        }
    }

    /// Makes sure that the server, the schema and the keys are ours, and brings the schema up to date.
    async fn prepare(&self) -> Result<(), StoreError> {
        let version: String = sqlx::query_scalar("show server_version_num").fetch_one(&self.pool).await?;
        if version.parse::<u32>().is_ok_and(|number| number < 150_000) {
            return Err(StoreError::OldPostgres { found: version });
        }
        refuse_newer_schema(&self.pool).await?;
        MIGRATIONS.run(&self.pool).await.map_err(StoreError::Migration)?;
        self.check_keys().await
    }

    /// Whether the server at `url` (any database of it) has a database of this name.
    pub async fn database_exists(url: &str, name: &str) -> Result<bool, StoreError> {
        let mut connection = PgConnection::connect(url).await?;
        let exists = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok(exists)
    }

    /// Makes an empty database unless it is there. `name` is one of our own words: it is not quoted.
    pub async fn create_database(url: &str, name: &'static str) -> Result<(), StoreError> {
        const DUPLICATE_DATABASE: &str = "42P04";
        let mut connection = PgConnection::connect(url).await?;
        // one maker at a time: two at once would both copy the template, and one of them fail
        sqlx::query("select pg_advisory_lock(1)").execute(&mut connection).await?;
        let made = sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await;
        connection.close().await?;
        match made {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(DUPLICATE_DATABASE) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }

    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The keys for work on other threads.
    pub fn shared_keys(&self) -> std::sync::Arc<Keys> {
        self.keys.clone()
    }

    /// A transaction that may write.
    async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        begin_as(&self.writing, "begin").await
    }

    /// A transaction that sees the database as it is now, whatever others commit meanwhile, and changes nothing.
    async fn begin_snapshot(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        begin_as(&self.pool, "begin isolation level repeatable read, read only").await
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.renewals.close().await;
        self.writing.close().await;
        self.publishing.close().await;
        self.pool.close().await;
    }

    /// The first keys that open a database become its own; later ones must be the same.
    async fn check_keys(&self) -> Result<(), StoreError> {
        let check = self.keys.check_value();
        sqlx::query!("insert into installation (key_check) values ($1) on conflict (one) do nothing", check.as_slice())
            .execute(&self.pool)
            .await?;
        let stored = sqlx::query_scalar!("select key_check from installation").fetch_one(&self.pool).await?;
        if stored == check.as_slice() { Ok(()) } else { Err(StoreError::WrongKeys) }
    }

    /// Business time: database time plus the stored offset.
    pub async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        let row = sqlx::query!(r#"select clock_timestamp() as "at!", clock_offset_us from installation"#)
            .fetch_one(&self.pool)
            .await?;
        Ok(row.at + TimeDelta::microseconds(row.clock_offset_us))
    }

    /// The business date: today in Shanghai by business time.
    pub async fn today(&self) -> Result<NaiveDate, StoreError> {
        Ok(clock::business_date(self.now().await?))
    }

    /// Sets business time to `at`, for the sandbox, the demo and tests; in earnest the offset stays zero.
    pub async fn set_clock(&self, at: DateTime<Utc>) -> Result<(), StoreError> {
        let now = sqlx::query_scalar!(r#"select clock_timestamp() as "at!""#).fetch_one(&self.pool).await?;
        let offset = (at - now).num_microseconds().unwrap_or_default();
        sqlx::query!("update installation set clock_offset_us = $1", offset).execute(&self.pool).await?;
        Ok(())
    }

    /// How far business time is from database time.
    pub async fn clock_offset(&self) -> Result<TimeDelta, StoreError> {
        let offset = sqlx::query_scalar!("select clock_offset_us from installation").fetch_one(&self.pool).await?;
        Ok(TimeDelta::microseconds(offset))
    }
}

/// A database that a newer program migrated is not touched.
async fn refuse_newer_schema(pool: &PgPool) -> Result<(), StoreError> {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    let exists: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(pool).await?;
    if !exists {
        return Ok(());
    }
    let found: Option<i64> = sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(pool).await?;
    match found {
        Some(found) if found > known => Err(StoreError::NewerSchema { found, known }),
        _ => Ok(()),
    }
}

/// A guarded update must change exactly the rows it was meant for: a lost race is an error at once.
fn ensure_affected(result: &sqlx::postgres::PgQueryResult, expected: u64) -> Result<(), StoreError> {
    match result.rows_affected() {
        actual if actual == expected => Ok(()),
        actual => Err(StoreError::LostRace { expected, actual }),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;
    use std::time::Instant;

    use super::testing::Database;
    use super::*;

    #[tokio::test]
    async fn a_database_that_is_not_there_is_named_without_user_and_password() {
        let database = Database::open().await;
        let options: PgConnectOptions = database.url.parse().expect("a URL");
        let away = database.url.replace(options.get_database().expect("a name"), "away");
        let place = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let keys = Keys::parse(&database.store.keys().to_text()).expect("keys");
        let error = Store::open(&away, keys).await.expect_err("there is none");
        assert_eq!(error.to_string(), format!("no connection to database `away` at {place}"));
        let told = crate::errors::chain(&error);
        assert!(told.contains("does not exist"), "{told}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_is_dropped_while_rows_are_copied_leaves_no_answer_for_the_next() {
        let database = Database::open().await;
        let store = &database.store;
        for inwards in [false, true] {
            for turns in 0..12 {
                let copying = async {
                    let mut transaction = store.begin().await.expect("a transaction");
                    if inwards {
                        sqlx::query("create temporary table n (n bigint) on commit drop")
                            .execute(&mut *transaction)
                            .await
                            .expect("a table");
                        let mut rows = frames::CopyRows::default();
                        for number in 0..100_000 {
                            rows.begin(1).int8(number);
                        }
                        rows.send(&mut transaction, "n").await.expect("copied");
                    } else {
                        let query = "select n from generate_series(1, 100000) as n";
                        frames::copy_out(&mut transaction, query, &[frames::Width::Four]).await.expect("copied");
                    }
                };
                let mut turn = 0;
                let mut copying = Box::pin(copying);
                std::future::poll_fn(|context| {
                    turn += 1;
                    if turn > turns { Poll::Ready(()) } else { copying.as_mut().poll(context).map(drop) }
                })
                .await;
                drop(copying);
                // every connection answers what it is asked, the one of the copy among them if it came back
                let begun = Instant::now();
                while store.writing.num_idle() < store.writing.size() as usize {
                    assert!(begun.elapsed() < Duration::from_secs(10), "a connection does not come back");
                    tokio::task::yield_now().await;
                }
                let mut connections = Vec::new();
                for _ in 0..store.writing.size() {
                    connections.push(store.writing.acquire().await.expect("a connection"));
                }
                for (number, connection) in (0_i64..).zip(&mut connections) {
                    let answer: Option<i64> = sqlx::query_scalar("select $1::bigint")
                        .bind(number)
                        .fetch_optional(&mut **connection)
                        .await
                        .expect("an answer");
                    assert_eq!(answer, Some(number), "inwards {inwards}, dropped after {turns} turns");
                }
            }
        }
    }

    #[tokio::test]
    async fn whoever_publishes_waits_for_nobodys_reading() {
        let database = Database::open().await;
        let store = &database.store;
        let publish = store.publish(publish::Cause::Tick, clock::system_now()).await.expect("the publish lock");
        let mut reading = Vec::new();
        for _ in 0..store.pool.options().get_max_connections() {
            reading.push(store.pool.acquire().await.expect("a connection"));
        }
        assert!(store.pool.try_acquire().is_none(), "whoever reads next waits");
        let head = publish.beside().head().await.expect("the head");
        assert_eq!(head, publish.seq() - 1, "what others had published before");
        publish.abandon().await.expect("nothing changed");
    }

    #[tokio::test]
    async fn who_is_dropped_while_a_transaction_begins_leaves_none_open() {
        let database = Database::open().await;
        let store = &database.store;
        // the next that is begun whole on the same connection would hide it
        for turns in (0..12).rev() {
            let mut beginning = pin!(store.begin());
            let mut turn = 0;
            std::future::poll_fn(|context| {
                turn += 1;
                if turn > turns { Poll::Ready(()) } else { beginning.as_mut().poll(context).map(drop) }
            })
            .await;
        }
        // not one of the pool's, which would be busy while it looks
        let mut other = PgConnection::connect_with(&store.writing.connect_options()).await.expect("a connection");
        let begun = Instant::now();
        loop {
            let open: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'",
            )
            .fetch_one(&mut other)
            .await
            .expect("a count");
            // what was dropped has come back to the pool
            if open == 0 && store.writing.num_idle() == store.writing.size() as usize {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{open} transactions stay open");
            tokio::task::yield_now().await;
        }
    }
}
