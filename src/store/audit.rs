//! The audit log: every write of consequence and every sensitive read, in the transaction of what it is about.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::change::Change;
use super::{Store, StoreError};
use crate::crypto::Keys;
use crate::domain::access::{Action, Actor};
use crate::domain::free_text::holds_id_number;

/// What the audit keeps of one act.
#[derive(Clone, Debug)]
pub struct Act<'a> {
    pub at: DateTime<Utc>,
    pub actor: &'a Actor,
    pub action: Action,
    /// What it was done to, without personal data: `placement 913699… 2025 person 17`.
    pub object: String,
    /// The reason that the actor gave.
    pub why: Option<&'a str>,
    /// What stood before and stands after, by [`fingerprint`]; `None`: nothing did.
    pub before: Option<[u8; 32]>,
    pub after: Option<[u8; 32]>,
    /// What helps to understand it, without personal data.
    pub detail: serde_json::Value,
}

impl<'a> Act<'a> {
    /// An act that gives no reason and changes nothing that is kept: a read.
    pub fn read(at: DateTime<Utc>, actor: &'a Actor, action: Action, object: impl Into<String>) -> Self {
        let detail = serde_json::json!({});
        Self { at, actor, action, object: object.into(), why: None, before: None, after: None, detail }
    }

    /// An act on the installation: the detail says which, as `did`, and may say more.
    pub fn operate(
        at: DateTime<Utc>,
        actor: &'a Actor,
        did: &str,
        object: impl Into<String>,
        why: Option<&'a str>,
    ) -> Self {
        let detail = serde_json::json!({ "did": did });
        Self { why, detail, ..Self::read(at, actor, Action::Operate, object) }
    }

    /// The same with one more word of detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.detail[name] = value.into();
        self
    }
}

/// A keyed digest of what stood before or after: two states can be compared, neither can be guessed from it.
pub fn fingerprint(keys: &Keys, state: &impl Serialize) -> Result<[u8; 32], serde_json::Error> {
    // a value first: its maps are sorted, so that the same state is the same text
    let text = serde_json::to_value(state)?.to_string();
    Ok(keys.blind_index("audit", &text))
}

impl Change {
    pub async fn record(&mut self, act: &Act<'_>) -> Result<(), StoreError> {
        record(self.connection(), act).await
    }
}

impl Store {
    /// Records an act by itself: for reads, which change nothing else.
    pub async fn record(&self, act: &Act<'_>) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        record(&mut connection, act).await
    }
}

impl Store {
    /// Records many reads at once, in their order. Reads give no reason and change nothing.
    pub async fn record_all(&self, acts: &[Act<'_>]) -> Result<(), StoreError> {
        let at: Vec<DateTime<Utc>> = acts.iter().map(|act| act.at).collect();
        let text =
            |of: for<'a> fn(&'a Act<'_>) -> &'a str| acts.iter().map(|act| of(act).to_owned()).collect::<Vec<String>>();
        let on_behalf_of: Vec<Option<String>> = acts.iter().map(|act| act.actor.on_behalf_of.clone()).collect();
        sqlx::query!(
            "insert into audit (at, actor, role, on_behalf_of, action, object, detail)
             select at, actor, role, on_behalf_of, action, object, '{}'
             from unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
                  with ordinality as read (at, actor, role, on_behalf_of, action, object, place)
             order by place",
            &at,
            &text(|act| act.actor.name.as_str()),
            &text(|act| act.actor.role.as_str()),
            &on_behalf_of as &[Option<String>],
            &text(|act| act.action.as_str()),
            &text(|act| act.object.as_str())
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Writes it in the transaction of what it is about. Words that hold an ID number are refused, and with them what they are about.
pub(super) async fn record(connection: &mut PgConnection, act: &Act<'_>) -> Result<(), StoreError> {
    let details = act.detail.as_object().into_iter().flat_map(|detail| detail.values());
    let mut words = details.filter_map(serde_json::Value::as_str).chain(act.why);
    if words.any(holds_id_number) {
        return Err(StoreError::HoldsIdNumber);
    }
    sqlx::query!(
        "insert into audit (at, actor, role, on_behalf_of, action, object, why, before, after, detail)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        act.at,
        act.actor.name,
        act.actor.role.as_str(),
        act.actor.on_behalf_of,
        act.action.as_str(),
        act.object,
        act.why,
        act.before.as_ref().map(|hash| &hash[..]),
        act.after.as_ref().map(|hash| &hash[..]),
        act.detail
    )
    .execute(connection)
    .await?;
    Ok(())
}
