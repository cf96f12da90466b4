//! A gate in the database at which whoever comes by stops, so that it can be killed right there.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgConnection};

use crate::harness::Harness;

/// Whoever holds this lock keeps everybody at the marked point.
const GATE: i64 = 7_701;
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A place where a transaction stops until the gate opens.
#[derive(Clone, Copy, Debug)]
pub enum Point {
    /// As the first row is written there.
    Before(&'static str),
    /// The same, by one kind of statement alone: `insert` or `update`, and where.
    BeforeThe(&'static str, &'static str),
    /// While the commit runs of a transaction that wrote there by such a statement: it was asked for, and whoever asked does not
    /// hear of it.
    Committing(&'static str, &'static str),
}

impl Point {
    fn table(self) -> &'static str {
        match self {
            Self::Before(table) | Self::BeforeThe(_, table) | Self::Committing(_, table) => table,
        }
    }
}

/// The gate of one installation, and the hand on it.
pub struct Gate {
    connection: PgConnection,
}

impl Gate {
    /// Nobody passes the point any more.
    pub async fn close(harness: &Harness, point: Point) -> Self {
        let mut connection = harness.connection().await;
        let trigger = match point {
            Point::Before(table) => format!(
                "create trigger gate before insert or update on {table} for each statement execute function gate()"
            ),
            Point::BeforeThe(statement, table) => {
                format!("create trigger gate before {statement} on {table} for each statement execute function gate()")
            }
            Point::Committing(statement, table) => format!(
                "create constraint trigger gate after {statement} on {table} deferrable initially deferred
                 for each row execute function gate()"
            ),
        };
        let function = format!(
            "create or replace function gate() returns trigger language plpgsql as
             $$ begin perform pg_advisory_xact_lock_shared({GATE}); return null; end $$"
        );
        for statement in [function, trigger, format!("select pg_advisory_lock({GATE})")] {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.expect("the gate is closed");
        }
        Self { connection }
    }

    /// The server process that stands before the gate.
    pub async fn wait_for_somebody(&mut self) -> i32 {
        let begun = Instant::now();
        loop {
            let waiting: Option<i32> = sqlx::query_scalar(
                "select pid from pg_locks where locktype = 'advisory' and objid::bigint = $1 and not granted
                   and database = (select oid from pg_database where datname = current_database())",
            )
            .bind(GATE)
            .fetch_optional(&mut self.connection)
            .await
            .expect("an answer");
            if let Some(pid) = waiting {
                return pid;
            }
            assert!(begun.elapsed() < PATIENCE, "nobody came to the gate");
            tokio::task::yield_now().await;
        }
    }

    /// Lets whoever stands there go on, and waits until that server process is gone: its client is.
    pub async fn open(mut self, point: Point, pid: i32) {
        sqlx::query("select pg_advisory_unlock($1)").bind(GATE).execute(&mut self.connection).await.expect("open");
        let begun = Instant::now();
        loop {
            let alive: bool = sqlx::query_scalar("select exists (select from pg_stat_activity where pid = $1)")
                .bind(pid)
                .fetch_one(&mut self.connection)
                .await
                .expect("an answer");
            if !alive {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "the server process of a dead client stays");
            tokio::task::yield_now().await;
        }
        let statement = format!("drop trigger gate on {}", point.table());
        sqlx::query(AssertSqlSafe(statement)).execute(&mut self.connection).await.expect("the gate is gone");
    }
}

/// Waits until a transaction stands before a row that another one holds.
pub async fn wait_for_a_waiter(harness: &Harness) {
    let mut connection = harness.connection().await;
    let begun = Instant::now();
    loop {
        let waits: bool = sqlx::query_scalar(
            "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')",
        )
        .fetch_one(&mut connection)
        .await
        .expect("an answer");
        if waits {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "nobody waits");
        tokio::task::yield_now().await;
    }
}
