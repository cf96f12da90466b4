//! Copies that are dropped halfway, and the connections on which they were.

use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{AssertSqlSafe, PgConnection, Row};
use uuid::Uuid;

/// Copies that did not come to their end, and whose connections are not found yet.
static UNENDED: AtomicU64 = AtomicU64::new(0);

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
        UNENDED.fetch_add(1, Ordering::SeqCst);
    }
}

/// Whether a connection that comes back answers what it is asked, and so may be used again. It is asked only after a copy did not come to
/// its end: whoever drops one drops its connection with it, which then comes by here.
pub(super) async fn answers(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    if UNENDED.load(Ordering::SeqCst) == 0 {
        return Ok(true);
    }
    let word = Uuid::now_v7().to_string();
    let answer = sqlx::raw_sql(AssertSqlSafe(format!("select '{word}'"))).fetch_optional(connection).await;
    let own = answer.is_ok_and(|row| row.is_some_and(|row| row.try_get::<String, _>(0).is_ok_and(|said| said == word)));
    if !own {
        let _ = UNENDED.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |unended| unended.checked_sub(1));
    }
    Ok(own)
}
