//! What is known of records before they land: hashes of keys in bounded memory, and the versions that are stored.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::StoreError;
use super::batches::Batch;
use super::partitions::partition;
use super::records::Record;
use crate::domain::facts::RecordKind;

/// The first eight bytes of a record key, which is a keyed hash: as good as random.
pub(super) fn short(key: Uuid) -> u64 {
    u64::from_be_bytes(std::array::from_fn(|at| key.as_bytes()[at]))
}

/// Hashes what is a hash already by taking it as it is.
#[derive(Clone, Copy, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

pub(super) type ByShortKey<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

/// Keys remembered at most: about 150 MiB.
const MOST_KEYS: usize = 8 << 20;

/// Short keys of records, as many as memory allows.
#[derive(Default)]
pub(super) struct KeySet {
    keys: HashSet<u64, BuildHasherDefault<AsItIs>>,
    overflowed: bool,
}

impl KeySet {
    /// False: it was there before.
    pub(super) fn insert(&mut self, key: u64) -> bool {
        if self.keys.len() >= MOST_KEYS {
            self.overflowed = true;
            return !self.keys.contains(&key);
        }
        self.keys.insert(key)
    }

    /// Whether the key is, or for want of memory may be, among them.
    pub(super) fn may_contain(&self, key: u64) -> bool {
        self.keys.contains(&key) || self.overflowed
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.keys.contains(&key)
    }

    /// From here on any key may be among them.
    pub(super) fn forget_which(&mut self) {
        self.overflowed = true;
    }

    /// Not all keys that were inserted are remembered.
    pub(super) fn overflowed(&self) -> bool {
        self.overflowed
    }
}

/// Keys as they rest with a page.
pub(super) fn to_bytes(keys: &[u64]) -> Vec<u8> {
    keys.iter().flat_map(|key| key.to_be_bytes()).collect()
}

/// The keys that rest with the pages of a batch.
pub(super) async fn remembered_keys(connection: &mut PgConnection, batch_id: i32) -> Result<Vec<u64>, StoreError> {
    let pages = sqlx::query_scalar!(
        r#"select keys as "keys!" from batch_page where batch_id = $1 and keys is not null"#,
        batch_id
    )
    .fetch_all(connection)
    .await?;
    let keys = pages.iter().flat_map(|page| page.as_chunks::<8>().0);
    Ok(keys.map(|bytes| u64::from_be_bytes(*bytes)).collect())
}

/// One stored version of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    pub(super) updated_at: DateTime<Utc>,
    pub(super) content: i64,
    pub(super) in_force: bool,
    /// It was read by other settings than the delivery that is compared.
    pub(super) of_other_contract: bool,
}

/// What the store holds of some records.
#[derive(Default)]
pub(super) struct Stored {
    /// By place among the records asked about: whether just this version is in force.
    pub(super) same: Vec<bool>,
    /// All versions of the records of which that is not so.
    pub(super) versions: HashMap<Uuid, Vec<Version>>,
}

/// Looks records up, all at once. Versions of deliveries that are held do not count: nobody sees them.
pub(super) async fn find_stored(
    connection: &mut PgConnection,
    batch: &Batch,
    records: &[&Record],
) -> Result<Stored, StoreError> {
    let part = partition(batch.record, batch.source);
    let keys: Vec<Uuid> = records.iter().map(|record| record.record_key).collect();
    let stamps: Vec<DateTime<Utc>> = records.iter().map(|record| record.updated_at).collect();
    let contents: Vec<i64> = records.iter().map(|record| record.content).collect();
    // records that bear the moment of their delivery are the same if they say the same
    let stamp = if batch.stamped_by_delivery { "k.stamp is not null" } else { "v.updated_at = k.stamp" };
    // key by key through the index, whatever is known of the table's size: `offset 0` keeps the look-up from becoming a join
    sqlx::query("set local enable_seqscan = off").execute(&mut *connection).await?;
    let unknown: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(format!(
        "select k.place from unnest($1::uuid[], $2::timestamptz[], $3::bigint[]) with ordinality as k (key, stamp, content, place)
         where not exists (select from {part} v where v.record_key = k.key and {stamp} and v.content = k.content
                           and v.superseded_seq is null and v.batch_id <> all($4) offset 0)"
    )))
    .bind(&keys)
    .bind(&stamps)
    .bind(&contents)
    .bind(&batch.held)
    .fetch_all(&mut *connection)
    .await?;
    let mut stored = Stored { same: vec![true; records.len()], versions: HashMap::new() };
    let mut unknown_keys = Vec::with_capacity(unknown.len());
    for place in unknown {
        let at = place as usize - 1;
        stored.same[at] = false;
        unknown_keys.push(keys[at]);
    }
    if unknown_keys.is_empty() {
        return Ok(stored);
    }
    let rows: Vec<(Uuid, DateTime<Utc>, i64, bool, bool)> = sqlx::query_as(AssertSqlSafe(format!(
        "select v.record_key, v.updated_at, v.content, v.superseded_seq is null, b.contract <> $3
         from {part} v join batch b using (batch_id) where v.record_key = any($1) and v.batch_id <> all($2)"
    )))
    .bind(&unknown_keys)
    .bind(&batch.held)
    .bind(&batch.contract)
    .fetch_all(connection)
    .await?;
    for (key, updated_at, content, in_force, of_other_contract) in rows {
        stored.versions.entry(key).or_default().push(Version { updated_at, content, in_force, of_other_contract });
    }
    Ok(stored)
}

/// Records in force that are not among those of a delivery: how many, and the persons of the first few; nothing if the delivery's were
/// too many to remember.
pub(super) async fn absent_from(
    pool: &sqlx::PgPool,
    batch: &Batch,
    keys: &KeySet,
    most_named: usize,
) -> Result<Option<(u64, Vec<i64>)>, StoreError> {
    if keys.overflowed() {
        return Ok(None);
    }
    let person = if batch.record == RecordKind::DispatchFiling { "0::bigint" } else { "person_id" };
    let sql = format!(
        "select record_key, {person} from {} where superseded_seq is null and not deleted and batch_id <> all($1)
           and ($2::timestamptz is null or updated_at >= $2) and ($3::timestamptz is null or updated_at < $3)",
        partition(batch.record, batch.source)
    );
    let mut stored = sqlx::query_as::<_, (Uuid, i64)>(AssertSqlSafe(sql))
        .bind(&batch.held)
        .bind(batch.since)
        .bind(batch.until)
        .fetch(pool);
    let (mut count, mut persons) = (0, Vec::new());
    while let Some((key, person)) = stored.try_next().await? {
        if !keys.contains(short(key)) {
            count += 1;
            if persons.len() < most_named {
                persons.push(person);
            }
        }
    }
    Ok(Some((count, persons)))
}
