//! Pages come in: what is known already is left out, persons and units are found or made, rows are copied; all of it commits with the
//! pages' cursors, so that a page is in whole or not at all.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::batches::Batch;
use super::deliveries::KnownPage;
use super::frames::CopyRows;
use super::known::{ByShortKey, KeySet, absent_from, remembered_keys, short, to_bytes};
use super::page_log::log_page;
use super::partitions::{index, is_indexed, partition};
use super::people::{self, Known};
use super::records::{Record, Refusal, Says};
use super::rows::{copy_records, units_of};
use super::sorting::Difference;
use super::{Store, StoreError, ensure_affected, refusals};
use crate::domain::facts::UnitId;
use crate::domain::ids::{ResidentId, Uscc};

/// A page that was read and is to come in.
pub struct Landing {
    pub line: PageLine,
    pub body: Body,
}

/// What is remembered of a page.
#[derive(Clone, Debug)]
pub struct PageLine {
    pub number: u32,
    /// Where the source goes on after it; `None` on the last.
    pub resume: Option<String>,
    /// Keyed digest of the page as it came; none of what is not to be known again.
    pub digest: Option<Vec<u8>>,
    /// How many records the source says the whole delivery has.
    pub announced: Option<u64>,
}

/// What a page holds.
pub enum Body {
    Read {
        records: Vec<Record>,
        refusals: Vec<Refusal>,
        /// The raw form of a record, by its index.
        raw_of: Box<dyn Fn(usize) -> Vec<u8> + Send + Sync>,
    },
    /// It came before as it is.
    Known(KnownPage),
}

/// Persons and units remembered at most: then they are asked for again.
const MOST_PERSONS: usize = 1 << 20;

/// Lands the pages of one batch, and remembers what saves asking twice.
pub struct Lander<'a> {
    pub(super) store: &'a Store,
    pub batch: Batch,
    /// Records can be looked up one by one; before a source's first delivery is published, keys are only remembered.
    pub(super) indexed: bool,
    /// Keys of this delivery, while there is no index.
    pub(super) seen: KeySet,
    /// Keys of records that were dropped.
    pub(super) dropped: KeySet,
    /// Of records that bear the moment of their delivery: what each said first in this one.
    pub(super) said: ByShortKey<i64>,
    pub(super) persons: HashMap<ResidentId, Known>,
    pub(super) units: HashMap<Uscc, UnitId>,
    next_version: i64,
    /// A page that is known held records that were dropped: which, is not remembered.
    drops_unknown: bool,
}

impl<'a> Lander<'a> {
    /// Goes on with a batch: what was remembered of the pages that are in is remembered again.
    pub async fn open(store: &'a Store, batch: Batch) -> Result<Self, StoreError> {
        let mut connection = store.pool.acquire().await?;
        let indexed = is_indexed(&mut connection, batch.record, batch.source).await?;
        let (mut seen, mut dropped) = (KeySet::default(), KeySet::default());
        if batch.resumed && !indexed {
            let sql = format!("select record_key from {}", partition(batch.record, batch.source));
            let mut keys = sqlx::query_scalar::<_, Uuid>(AssertSqlSafe(sql)).fetch(&mut *connection);
            while let Some(key) = keys.try_next().await? {
                seen.insert(short(key));
            }
        }
        if batch.resumed && (batch.concerned_only || batch.remember_all) {
            for key in remembered_keys(&mut connection, batch.batch_id).await? {
                dropped.insert(key);
                seen.insert(key);
            }
        }
        let drops_unknown = batch.resumed && batch.counts.dropped > 0;
        let next_version = i64::from(batch.batch_id) << 32 | batch.counts.written() as i64;
        Ok(Self {
            store,
            batch,
            indexed,
            seen,
            dropped,
            said: ByShortKey::default(),
            persons: HashMap::new(),
            units: HashMap::new(),
            next_version,
            drops_unknown,
        })
    }

    /// Stores the next page. The batch must still be ours: a run that was thought dead and was given up writes nothing more.
    pub async fn land(&mut self, page: Landing) -> Result<(), StoreError> {
        if !self.indexed && self.repeats(&page) {
            let mut connection = self.store.pool.acquire().await?;
            index(&mut connection, self.batch.record, self.batch.source).await?;
            self.indexed = true;
        }
        let Landing { line, body } = page;
        let mut transaction = self.store.begin().await?;
        let mut batch = self.batch.clone();
        batch.next_page = line.number + 1;
        batch.resume.clone_from(&line.resume);
        if let Some(announced) = line.announced {
            batch.announced = Some(announced);
            batch.announced_at_most = Some(announced).max(batch.announced_at_most);
        }
        let (mut kept, mut refused) = (Vec::new(), Vec::new());
        let (counts, keys) = match body {
            Body::Known(known) => {
                self.drops_unknown |= known.counts.dropped > 0;
                (known.counts, known.keys.unwrap_or_default())
            }
            Body::Read { records, refusals, raw_of } => {
                batch.watermark = records.iter().map(|record| record.updated_at).max().max(batch.watermark);
                let mut sorted = self.sort(&mut transaction, records, refusals, &*raw_of).await?;
                batch.again |= self.drop_strangers(&mut transaction, &mut sorted).await?;
                sorted.count_fresh();
                kept.extend(sorted.fresh.into_iter().map(|(record, _)| record));
                refused = sorted.refusals;
                (sorted.counts, to_bytes(&sorted.keys))
            }
        };
        if batch.reading == 1 {
            batch.counts.add(counts);
        } else {
            batch.counts.add_second(counts);
        }
        if self.drops_unknown && batch.concerned_only && batch.reading == 1 && batch.counts.new > 0 {
            // what was dropped from pages that are known is not remembered: among it may be a version of what is kept now
            self.dropped.forget_which();
            batch.again = true;
        }
        self.find_units(&mut transaction, &kept).await?;
        let version = self.next_version;
        copy_records(&mut transaction, self.store.keys(), &batch, &kept, &self.persons, &self.units, version).await?;
        insert_notes(&mut transaction, batch.batch_id, &kept, &self.persons).await?;
        refusals::insert(&mut transaction, self.store.keys(), &batch, refused).await?;
        log_page(&mut transaction, self.store, &batch, &line, counts, keys).await?;
        // a stamp of the future must not hide what comes before it is reached
        let ours = sqlx::query!(
            "update batch set watermark = case when $2::timestamptz is null then watermark else greatest(watermark, least($2, began_at)) end,
                              again = $3, announced = $4, announced_at_most = $5
             where batch_id = $1 and run_id = $6 and state = 'fetching'",
            batch.batch_id,
            batch.watermark,
            batch.again,
            batch.announced.map(|records| records as i64),
            batch.announced_at_most.map(|records| records as i64),
            batch.run_id
        )
        .execute(&mut *transaction)
        .await?;
        ensure_affected(&ours, 1)?;
        self.store.ensure_ours(&mut transaction).await?;
        transaction.commit().await?;
        self.next_version += kept.len() as i64;
        self.batch = batch;
        self.forget_if_many();
        Ok(())
    }

    /// What landing a page would do, without doing it: counts, and the records that are not as they are stored.
    pub async fn compare(&mut self, page: Landing) -> Result<Vec<Difference>, StoreError> {
        let Body::Read { records, refusals, raw_of } = page.body else { return Ok(Vec::new()) };
        let mut transaction = self.store.begin().await?;
        for record in &records {
            self.seen.insert(short(record.record_key));
        }
        for refusal in &refusals {
            refusal.record_key.map(|key| self.seen.insert(short(key)));
        }
        let mut sorted = self.sort(&mut transaction, records, refusals, &*raw_of).await?;
        self.drop_strangers(&mut transaction, &mut sorted).await?;
        let mut differences = Vec::new();
        sorted.count_fresh();
        for (record, what) in &sorted.fresh {
            let person = of_person(record).and_then(|(id, _)| self.persons.get(&id)).map(|known| known.person);
            let person = person.filter(|person| !sorted.made.contains(person));
            differences.push(Difference { row: record.place.row, what: what.word(), person });
        }
        self.batch.counts.add(sorted.counts);
        // people who would have been made are not there afterwards
        transaction.rollback().await?;
        self.persons.retain(|_, known| !sorted.made.contains(&known.person));
        Ok(differences)
    }

    /// After all pages were compared: records in force that none of them held, how many and whose the first few are; nothing if there were too
    /// many records to remember.
    pub async fn absent(&self, most_named: usize) -> Result<Option<(u64, Vec<i64>)>, StoreError> {
        if !self.indexed {
            return Ok(Some((0, Vec::new())));
        }
        absent_from(&self.store.pool, &self.batch, &self.seen, most_named).await
    }

    /// Whether a record came before in this delivery, or may have; remembers those that came now.
    fn repeats(&mut self, page: &Landing) -> bool {
        let Body::Read { records, .. } = &page.body else { return false };
        let mut repeats = false;
        for record in records {
            repeats |= !self.seen.insert(short(record.record_key));
        }
        repeats || self.seen.overflowed()
    }

    async fn find_units(&mut self, connection: &mut PgConnection, kept: &[Record]) -> Result<(), StoreError> {
        let mut codes: Vec<Uscc> = units_of(kept).filter(|code| !self.units.contains_key(code)).collect();
        codes.sort_unstable();
        codes.dedup();
        if !codes.is_empty() {
            self.units.extend(people::ensure_units(connection, &codes).await?);
        }
        Ok(())
    }

    /// What is remembered only to save asking twice stays bounded.
    fn forget_if_many(&mut self) {
        if self.persons.len() > MOST_PERSONS {
            self.persons.clear();
        }
        if self.units.len() > MOST_PERSONS {
            self.units.clear();
        }
    }
}

pub(super) fn of_person(record: &Record) -> Option<(ResidentId, &str)> {
    match &record.says {
        Some(Says::OfPerson { id, name, .. }) => Some((*id, name)),
        _ => None,
    }
}

async fn insert_notes(
    connection: &mut PgConnection,
    batch_id: i32,
    kept: &[Record],
    persons: &HashMap<ResidentId, Known>,
) -> Result<(), StoreError> {
    let mut rows = CopyRows::default();
    for record in kept {
        let person = of_person(record).and_then(|(id, _)| persons.get(&id)).map(|known| known.person.0);
        for note in &record.notes {
            rows.begin(5)
                .int4(batch_id)
                .int4(record.place.page)
                .int4(record.place.row)
                .text(note)
                .optional(person, CopyRows::int8);
        }
    }
    if rows.rows() > 0 {
        rows.send(connection, "record_note (batch_id, page_number, row_number, code, person_id)").await?;
    }
    Ok(())
}
