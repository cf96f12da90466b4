//! The publish sequence: the one order in which changes become visible.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, Transaction};

use super::change::Change;
use super::{Store, StoreError};

/// Why something became visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Pull,
    Import,
    Jobs,
    Completion,
    Answer,
    Quarantine,
    /// Somebody registered, changed or deleted what an employer enters.
    Entry,
    Tick,
    /// Staff decided a case that verification reads.
    Decision,
    Withdrawal,
    Amendment,
}

impl Cause {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Import => "import",
            Self::Jobs => "jobs",
            Self::Completion => "completion",
            Self::Answer => "answer",
            Self::Quarantine => "quarantine",
            Self::Entry => "entry",
            Self::Tick => "tick",
            Self::Decision => "decision",
            Self::Withdrawal => "withdrawal",
            Self::Amendment => "amendment",
        }
    }
}

/// A change that holds the publish lock and its sequence: proof that nobody else publishes before it commits.
#[derive(Debug)]
pub struct Publish {
    change: Change,
    seq: i64,
    at: DateTime<Utc>,
    beside: Store,
}

impl std::ops::Deref for Publish {
    type Target = Change;

    fn deref(&self) -> &Change {
        &self.change
    }
}

impl std::ops::DerefMut for Publish {
    fn deref_mut(&mut self) -> &mut Change {
        &mut self.change
    }
}

impl Publish {
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// When it was begun, in business time.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// For what is read while this is held and not through it: what others committed before it.
    pub fn beside(&self) -> Store {
        self.beside.clone()
    }

    /// Makes it visible.
    pub async fn commit(self) -> Result<i64, StoreError> {
        self.change.commit().await?;
        Ok(self.seq)
    }

    /// Leaves no trace, not even a sequence.
    pub async fn abandon(self) -> Result<(), StoreError> {
        self.change.abandon().await
    }
}

impl Store {
    /// Takes the publish lock and the next sequence. Keep what follows short: everybody who publishes waits.
    pub async fn publish(&self, cause: Cause, at: DateTime<Utc>) -> Result<Publish, StoreError> {
        let transaction = self.begin().await?;
        self.publish_within(transaction, cause, at).await
    }

    pub(super) async fn publish_within(
        &self,
        mut transaction: Transaction<'static, Postgres>,
        cause: Cause,
        at: DateTime<Utc>,
    ) -> Result<Publish, StoreError> {
        let seq = sqlx::query_scalar!(
            "with head as (update publish_head set seq = seq + 1 returning seq)
             insert into publish (seq, published_at, cause) select seq, $1, $2 from head returning seq",
            at,
            cause.as_str()
        )
        .fetch_one(&mut *transaction)
        .await?;
        let beside = Self { pool: self.publishing.clone(), ..self.clone() };
        Ok(Publish { change: Change::new(transaction, self.request.clone()), seq, at, beside })
    }

    /// The last sequence given out.
    pub async fn head(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!("select seq from publish_head").fetch_one(&self.pool).await?)
    }

    /// When a publish was, in business time.
    pub async fn published_at(&self, seq: i64) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(sqlx::query_scalar!("select published_at from publish where seq = $1", seq)
            .fetch_optional(&self.pool)
            .await?)
    }
}
