//! One transaction in which something is changed together with its row of the audit.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use sqlx::{PgConnection, Postgres, Transaction};

use super::request_answers::Request;
use super::{Store, StoreError};

/// A transaction of ours. What no verification reads is changed by it alone; what one reads, by a
/// [`Publish`](super::publish::Publish), which is a change with a sequence.
#[derive(Debug)]
pub struct Change {
    transaction: Transaction<'static, Postgres>,
    /// What it is made for, if a request asked for it.
    request: Option<Arc<Request>>,
}

/// What a change is answered with that has nothing else to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Done {
    /// False: it stood so already.
    pub changed: bool,
}

impl Done {
    pub const CHANGED: Self = Self { changed: true };
}

impl Change {
    pub(super) fn new(transaction: Transaction<'static, Postgres>, request: Option<Arc<Request>>) -> Self {
        Self { transaction, request }
    }

    pub(super) fn request(&self) -> Option<Arc<Request>> {
        self.request.clone()
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }

    /// Leaves no trace.
    pub async fn abandon(self) -> Result<(), StoreError> {
        Ok(self.transaction.rollback().await?)
    }
}

impl Store {
    pub async fn change(&self) -> Result<Change, StoreError> {
        Ok(Change::new(self.begin().await?, self.request.clone()))
    }
}
