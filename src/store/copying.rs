//! Copies that are dropped halfway, and the connections on which they were.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgConnection, Row};
use uuid::Uuid;

/// When a copy last did not come to its end.
static DROPPED: Mutex<Option<Instant>> = Mutex::new(None);

/// Its connection is dropped with it and comes back at once; this is long enough for a machine that hardly moves.
const COMES_BACK_WITHIN: Duration = Duration::from_mins(1);

/// A copy that goes on. sqlx does not count what Postgres answers to one: where it is dropped halfway, whatever is asked next on its
/// connection finds the copy's answer instead of its own.
pub(super) struct Copying;

impl Copying {
    pub(super) fn ended(self) {
        std::mem::forget(self);
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        *DROPPED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// Whether a connection that comes back answers what it is asked, and so may be used again. It is asked only while one may come back on
/// which a copy was dropped.
pub(super) async fn answers(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let dropped = *DROPPED.lock().unwrap_or_else(PoisonError::into_inner);
    if dropped.is_none_or(|at| at.elapsed() > COMES_BACK_WITHIN) {
        return Ok(true);
    }
    let word = Uuid::now_v7().to_string();
    let answer = sqlx::raw_sql(AssertSqlSafe(format!("select '{word}'"))).fetch_optional(connection).await;
    Ok(answer.is_ok_and(|row| row.is_some_and(|row| row.try_get::<String, _>(0).is_ok_and(|said| said == word))))
}
