//! Seals on the audit log: batches of its rows under a root each, every root over the one before. Whoever changes, takes out or puts in a
//! row breaks the chain; whoever forges the rest of the chain too is found by a head that was kept elsewhere.
//!
//! A row is sealed when none can come any more that goes before it: see `audit_mark` in the schema. So nobody who writes waits for a seal.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sm3::{Digest, Sm3};
use sqlx::PgConnection;

use super::{Store, StoreError};

/// Rows under one seal at most.
const BATCH: i64 = 4096;
/// A row's number and what it holds, hashed.
const LEAF: usize = 40;

type Hash = [u8; 32];

/// The end of the chain, to be kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    pub seal_id: i32,
    /// Hexadecimal.
    pub root: String,
    /// The last row under it.
    pub last_id: i64,
    pub sealed_at: DateTime<Utc>,
}

/// What is wrong with the audit, and where first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Tampering {
    #[error("row {audit_id} (seal {seal_id}) is not what was sealed")]
    RowChanged { seal_id: i32, audit_id: i64 },
    #[error("row {audit_id} (seal {seal_id}) is gone")]
    RowGone { seal_id: i32, audit_id: i64 },
    #[error("row {audit_id} (seal {seal_id}) was put in after the seal")]
    RowAdded { seal_id: i32, audit_id: i64 },
    #[error("seal {seal_id} is not what was written: its root does not follow from the one before and its rows")]
    SealChanged { seal_id: i32 },
    #[error("seal {seal_id} is gone, or another stands in its place")]
    SealGone { seal_id: i32 },
    #[error("seal {seal_id} has another root than the one that was kept elsewhere")]
    OtherHead { seal_id: i32 },
}

/// What a verification of the audit found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    pub seals: i32,
    pub rows: u64,
    /// Rows that no seal covers yet.
    pub unsealed: i64,
    pub head: Option<Head>,
    /// The first thing that is wrong; nothing where all is as it was sealed.
    pub wrong: Option<Tampering>,
}

struct SealRow {
    seal_id: i32,
    first_id: i64,
    last_id: i64,
    row_count: i32,
    leaves: Vec<u8>,
    root: Vec<u8>,
    sealed_at: DateTime<Utc>,
}

impl Store {
    /// Seals what was written so far, unless a transaction still goes on that may write before it: then an earlier part of it, and
    /// the rest next time. How many rows were sealed.
    pub async fn seal_audit(&self) -> Result<u64, StoreError> {
        let at = self.now().await?;
        let mut sealed = self.seal_marked(at).await?;
        if self.mark_audit().await? {
            sealed += self.seal_marked(at).await?;
        }
        Ok(sealed)
    }

    /// Notes up to where the audit has come; false if it was noted before and is not sealed yet, or if nothing is new.
    async fn mark_audit(&self) -> Result<bool, StoreError> {
        // the numbers given out first, a transaction's number then: whoever got one of them is older than that transaction
        let drawn: i64 =
            sqlx::query_scalar("select case when is_called then last_value else 0 end from audit_audit_id_seq")
                .fetch_one(&self.pool)
                .await?;
        let marked = sqlx::query!(
            "update audit_mark set last_id = $1, before_transaction = pg_current_xact_id()
             where before_transaction is null and last_id < $1",
            drawn
        )
        .execute(&self.pool)
        .await?;
        Ok(marked.rows_affected() == 1)
    }

    /// Seals up to the mark if every transaction from before it is over.
    async fn seal_marked(&self, at: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        // a mark that is younger than every transaction here came with a backup from another server: all before it is over
        let marked = sqlx::query_scalar!(
            "select last_id from audit_mark
             where before_transaction <= pg_snapshot_xmin(pg_current_snapshot())
                or before_transaction > pg_snapshot_xmax(pg_current_snapshot())
             for update"
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(marked) = marked else { return Ok(0) };
        let sealed = seal_up_to(&mut transaction, marked, at).await?;
        sqlx::query!("update audit_mark set before_transaction = null").execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(sealed)
    }

    /// The last seal; none before the first.
    pub async fn find_audit_head(&self) -> Result<Option<Head>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        Ok(last_seal(&mut connection).await?.map(|seal| head_of(&seal)))
    }

    /// Computes every seal anew from the rows. `kept` is a head from elsewhere, its root hexadecimal: the chain must contain it.
    pub async fn verify_audit(&self, kept: Option<(i32, &str)>) -> Result<Verified, StoreError> {
        let mut connection = self.pool.acquire().await?;
        verify(&mut connection, kept).await
    }
}

async fn last_seal(connection: &mut PgConnection) -> Result<Option<SealRow>, StoreError> {
    Ok(sqlx::query_as!(
        SealRow,
        "select seal_id, first_id, last_id, row_count, leaves, root, sealed_at from audit_seal order by seal_id desc limit 1"
    )
    .fetch_optional(connection)
    .await?)
}

fn head_of(seal: &SealRow) -> Head {
    Head { seal_id: seal.seal_id, root: hex::encode(&seal.root), last_id: seal.last_id, sealed_at: seal.sealed_at }
}

async fn seal_up_to(connection: &mut PgConnection, up_to: i64, at: DateTime<Utc>) -> Result<u64, StoreError> {
    let (mut seal_id, mut last_id, mut root) = match last_seal(&mut *connection).await? {
        Some(seal) => (seal.seal_id, seal.last_id, seal.root),
        None => (0, 0, Vec::new()),
    };
    let mut sealed = 0;
    loop {
        let leaves = leaves_between(&mut *connection, last_id, up_to, BATCH).await?;
        let Some(last) = leaves.last() else { return Ok(sealed) };
        let rows = leaves.len() as u64;
        let seal = SealRow {
            seal_id: seal_id + 1,
            first_id: last_id + 1,
            // numbers that nobody used are covered too
            last_id: if rows < BATCH as u64 { up_to } else { last.0 },
            row_count: leaves.len() as i32,
            leaves: bytes_of(&leaves),
            root: Vec::new(),
            sealed_at: at,
        };
        let next = root_of(&root, &seal);
        sqlx::query!(
            "insert into audit_seal (seal_id, first_id, last_id, row_count, leaves, root, sealed_at) values ($1, $2, $3, $4, $5, $6, $7)",
            seal.seal_id,
            seal.first_id,
            seal.last_id,
            seal.row_count,
            seal.leaves,
            &next[..],
            seal.sealed_at
        )
        .execute(&mut *connection)
        .await?;
        (seal_id, last_id, root) = (seal.seal_id, seal.last_id, next.to_vec());
        sealed += rows;
    }
}

/// Computes every seal anew.
async fn verify(connection: &mut PgConnection, kept: Option<(i32, &str)>) -> Result<Verified, StoreError> {
    let mut found = Verified { seals: 0, rows: 0, unsealed: 0, head: None, wrong: None };
    let (mut root, mut last_id) = (Vec::new(), 0);
    loop {
        let seal = sqlx::query_as!(
            SealRow,
            "select seal_id, first_id, last_id, row_count, leaves, root, sealed_at from audit_seal
             where seal_id > $1 order by seal_id limit 1",
            found.seals
        )
        .fetch_optional(&mut *connection)
        .await?;
        let Some(seal) = seal else { break };
        // nothing stands before the first row
        let after = if found.seals == 0 { i64::MIN } else { last_id };
        found.wrong = wrong_with(&mut *connection, &seal, found.seals + 1, (after, last_id), &root, kept).await?;
        if found.wrong.is_some() {
            return Ok(found);
        }
        found.seals = seal.seal_id;
        found.rows += seal.row_count as u64;
        found.head = Some(head_of(&seal));
        (root, last_id) = (seal.root, seal.last_id);
    }
    if let Some((seal_id, _)) = kept.filter(|(seal_id, _)| *seal_id > found.seals) {
        found.wrong = Some(Tampering::SealGone { seal_id });
    }
    let after = if found.seals == 0 { i64::MIN } else { last_id };
    found.unsealed = sqlx::query_scalar!(r#"select count(*) as "rows!" from audit where audit_id > $1"#, after)
        .fetch_one(connection)
        .await?;
    Ok(found)
}

/// What is wrong with one seal, which should be the next one: it stands on the root before, and on the rows after `after`.
async fn wrong_with(
    connection: &mut PgConnection,
    seal: &SealRow,
    expected: i32,
    (after, last_id): (i64, i64),
    former: &[u8],
    kept: Option<(i32, &str)>,
) -> Result<Option<Tampering>, StoreError> {
    let seal_id = seal.seal_id;
    if seal_id != expected {
        return Ok(Some(Tampering::SealGone { seal_id: expected }));
    }
    if root_of(former, seal)[..] != seal.root[..] || seal.first_id != last_id + 1 {
        return Ok(Some(Tampering::SealChanged { seal_id }));
    }
    if kept.is_some_and(|(kept_id, kept_root)| {
        kept_id == seal_id && !kept_root.eq_ignore_ascii_case(&hex::encode(&seal.root))
    }) {
        return Ok(Some(Tampering::OtherHead { seal_id }));
    }
    // one more than there should be is enough to see that there are too many
    let stand = leaves_between(connection, after, seal.last_id, i64::from(seal.row_count) + 1).await?;
    Ok(first_difference(&leaves_of(&seal.leaves), &stand).map(|difference| match difference {
        Difference::Changed(audit_id) => Tampering::RowChanged { seal_id, audit_id },
        Difference::Gone(audit_id) => Tampering::RowGone { seal_id, audit_id },
        Difference::Added(audit_id) => Tampering::RowAdded { seal_id, audit_id },
    }))
}

enum Difference {
    Changed(i64),
    Gone(i64),
    Added(i64),
}

fn first_difference(sealed: &[(i64, Hash)], stand: &[(i64, Hash)]) -> Option<Difference> {
    let at = (0..sealed.len().max(stand.len())).find(|at| sealed.get(*at) != stand.get(*at))?;
    match (sealed.get(at), stand.get(at)) {
        (Some((sealed, _)), Some((stands, _))) if sealed == stands => Some(Difference::Changed(*sealed)),
        (Some((sealed, _)), Some((stands, _))) if stands < sealed => Some(Difference::Added(*stands)),
        (Some((sealed, _)), _) => Some(Difference::Gone(*sealed)),
        (None, Some((stands, _))) => Some(Difference::Added(*stands)),
        (None, None) => None,
    }
}

/// The hashes of the rows whose numbers are greater than `after`, up to `up_to`, by number; the first `limit` of them.
async fn leaves_between(
    connection: &mut PgConnection,
    after: i64,
    up_to: i64,
    limit: i64,
) -> Result<Vec<(i64, Hash)>, StoreError> {
    let rows = sqlx::query!(
        r#"select audit_id, at, actor, role, on_behalf_of, action, object, why, before, after, detail::text as "detail!"
           from audit where audit_id > $1 and audit_id <= $2 order by audit_id limit $3"#,
        after,
        up_to,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let fields: [Option<&[u8]>; 9] = [
                Some(row.actor.as_bytes()),
                row.role.as_deref().map(str::as_bytes),
                row.on_behalf_of.as_deref().map(str::as_bytes),
                Some(row.action.as_bytes()),
                Some(row.object.as_bytes()),
                row.why.as_deref().map(str::as_bytes),
                row.before.as_deref(),
                row.after.as_deref(),
                Some(row.detail.as_bytes()),
            ];
            (row.audit_id, leaf_of(row.audit_id, row.at, &fields))
        })
        .collect())
}

/// What a row holds: number, microseconds, then each field with a sign whether it is there, its length, and itself.
fn leaf_of(audit_id: i64, at: DateTime<Utc>, fields: &[Option<&[u8]>]) -> Hash {
    let mut digest = Sm3::new();
    digest.update([0]);
    digest.update(audit_id.to_be_bytes());
    digest.update(at.timestamp_micros().to_be_bytes());
    for field in fields {
        match field {
            None => digest.update([0]),
            Some(bytes) => {
                digest.update([1]);
                digest.update((bytes.len() as u64).to_be_bytes());
                digest.update(bytes);
            }
        }
    }
    digest.finalize().into()
}

fn root_of(former: &[u8], seal: &SealRow) -> Hash {
    let mut digest = Sm3::new();
    digest.update([1]);
    digest.update(former);
    digest.update(seal.seal_id.to_be_bytes());
    digest.update(seal.first_id.to_be_bytes());
    digest.update(seal.last_id.to_be_bytes());
    digest.update(seal.row_count.to_be_bytes());
    digest.update(seal.sealed_at.timestamp_micros().to_be_bytes());
    digest.update(&seal.leaves);
    digest.finalize().into()
}

fn bytes_of(leaves: &[(i64, Hash)]) -> Vec<u8> {
    leaves.iter().flat_map(|(audit_id, hash)| audit_id.to_be_bytes().into_iter().chain(*hash)).collect()
}

fn leaves_of(bytes: &[u8]) -> Vec<(i64, Hash)> {
    let leaf = |chunk: &[u8]| {
        let (audit_id, hash) = chunk.split_at(8);
        Some((i64::from_be_bytes(audit_id.try_into().ok()?), hash.try_into().ok()?))
    };
    bytes.chunks_exact(LEAF).filter_map(leaf).collect()
}

#[cfg(test)]
mod tests;
