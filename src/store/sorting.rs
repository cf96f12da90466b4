//! The records of a page parted: what is new, what is known already, what contradicts it, and what is a stranger's.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::batches::Counts;
use super::known::{KeySet, Stored, Version, find_stored, short};
use super::landing::{Lander, of_person};
use super::people::{self, Named, PersonIndex, person_index};
use super::records::{Record, Refusal};
use crate::domain::facts::PersonId;
use crate::domain::ids::ResidentId;

/// Remembered contents of records without stamps, at most.
const MOST_CONTENTS: usize = 4 << 20;

/// What becomes of a page's records.
#[derive(Default)]
pub(super) struct Sorted {
    /// To be stored, unless they are strangers'.
    pub(super) fresh: Vec<(Record, What)>,
    /// Keys of which the store had versions.
    stored: HashSet<Uuid>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) counts: Counts,
    /// Keys to be remembered with the page.
    pub(super) keys: Vec<u64>,
    /// People nobody had heard of.
    pub(super) made: HashSet<PersonId>,
}

/// A record of a delivery that is not as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    pub row: i32,
    /// `new`, `changed`, `older`
    pub what: &'static str,
    pub person: Option<PersonId>,
}

impl Sorted {
    /// Counts the records that are to be stored, once it is known which are.
    pub(super) fn count_fresh(&mut self) {
        for (_, what) in &self.fresh {
            match what {
                What::New => self.counts.new += 1,
                What::Changed => self.counts.changed += 1,
                What::Older | What::Same | What::StampReused => self.counts.older += 1,
            }
        }
    }
}

/// What a record is to those known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    New,
    Changed,
    Older,
    Same,
    StampReused,
}

impl What {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Older => "older",
            Self::Same => "same",
            Self::StampReused => "stamp_reused",
        }
    }
}

/// A version that was closed because a full delivery no longer held it opens again when it comes again.
fn what_is(record: &Record, known: &[Version]) -> What {
    let mut same_stamp = known.iter().filter(|version| version.updated_at == record.updated_at).peekable();
    if same_stamp.peek().is_some() {
        let said = same_stamp.clone().any(|version| version.content == record.content);
        // what was read by other settings is corrected by these
        let reread = same_stamp.all(|version| version.of_other_contract);
        let any_in_force = known.iter().any(|version| version.in_force);
        return match (said, any_in_force) {
            (false, _) if reread => What::Changed,
            (false, _) => What::StampReused,
            (true, true) => What::Same,
            (true, false) => What::Changed,
        };
    }
    match known.iter().map(|version| version.updated_at).max() {
        None => What::New,
        Some(newest) if record.updated_at > newest => What::Changed,
        Some(_) => What::Older,
    }
}

impl Lander<'_> {
    /// Parts a page's records into those to store and the rest. In a second reading only those count that the first dropped.
    pub(super) async fn sort(
        &mut self,
        connection: &mut PgConnection,
        mut records: Vec<Record>,
        mut refusals: Vec<Refusal>,
        raw_of: &(dyn Fn(usize) -> Vec<u8> + Send + Sync),
    ) -> Result<Sorted, StoreError> {
        if self.batch.reading == 2 {
            records.retain(|record| self.dropped.may_contain(short(record.record_key)));
            refusals.clear();
        }
        let mut sorted = Sorted { refusals, ..Sorted::default() };
        sorted.counts.read = (records.len() + sorted.refusals.len()) as u64;
        if self.batch.remember_all {
            let refused = sorted.refusals.iter().filter_map(|refusal| refusal.record_key);
            sorted.keys = records.iter().map(|record| record.record_key).chain(refused).map(short).collect();
        }
        let found = if self.indexed {
            let asked: Vec<&Record> = records.iter().collect();
            find_stored(&mut *connection, &self.batch, &asked).await?
        } else {
            Stored::default()
        };
        let refused_meanwhile = self.refused_meanwhile(connection, &records).await?;
        let mut versions = found.versions;
        sorted.stored = versions.keys().copied().collect();
        let twice = keys_that_repeat(&records);
        for (at, record) in records.into_iter().enumerate() {
            let key = short(record.record_key);
            let known = versions.get(&record.record_key).map_or(&[][..], Vec::as_slice);
            let what = match self.said_in_this_delivery(key, record.content) {
                Some(what) => what,
                None if refused_meanwhile.contains(&record.record_key) => What::Changed,
                None if found.same.get(at) == Some(&true) => What::Same,
                None => what_is(&record, known),
            };
            match what {
                What::Same => sorted.counts.same += 1,
                What::StampReused => {
                    let raw = raw_of(record.index);
                    sorted.refusals.push(Refusal::stamp_reused(self.store.keys(), &record, raw));
                }
                What::New | What::Changed | What::Older => {
                    if twice.contains(&key) {
                        let (updated_at, content) = (record.updated_at, record.content);
                        let version = Version { updated_at, content, in_force: true, of_other_contract: false };
                        versions.entry(record.record_key).or_default().push(version);
                    }
                    sorted.fresh.push((record, what));
                }
            }
        }
        sorted.counts.refused = sorted.refusals.len() as u64;
        Ok(sorted)
    }

    /// Of a record that bears the moment of its delivery and came in it before: the same thing again, or another.
    fn said_in_this_delivery(&mut self, key: u64, content: i64) -> Option<What> {
        if !self.batch.stamped_by_delivery || self.batch.reading == 2 {
            return None;
        }
        match self.said.get(&key) {
            Some(said) if *said == content => Some(What::Same),
            Some(_) => Some(What::StampReused),
            None => {
                if self.said.len() < MOST_CONTENTS {
                    self.said.insert(key, content);
                }
                None
            }
        }
    }

    /// Where records bear the moment of their delivery: those that were refused since they were last good. What they say is news,
    /// even if it is what they said before.
    async fn refused_meanwhile(
        &self,
        connection: &mut PgConnection,
        records: &[Record],
    ) -> Result<HashSet<Uuid>, StoreError> {
        if !self.batch.stamped_by_delivery {
            return Ok(HashSet::new());
        }
        let keys: Vec<Uuid> = records.iter().map(|record| record.record_key).collect();
        let refused = sqlx::query_scalar!(
            r#"select record_key as "record_key!" from quarantine q join batch b using (batch_id)
               where record_key = any($1) and q.source_id = $2 and closed_seq is null and b.published_seq is not null"#,
            &keys,
            self.batch.source.0
        )
        .fetch_all(connection)
        .await?;
        Ok(refused.into_iter().collect())
    }

    /// Gives every record its person, and drops those of strangers where the job keeps only people concerned; true if a record was
    /// dropped on an earlier page of which a version is kept now.
    pub(super) async fn drop_strangers(
        &mut self,
        connection: &mut PgConnection,
        sorted: &mut Sorted,
    ) -> Result<bool, StoreError> {
        let mut unknown: HashMap<ResidentId, PersonIndex> = HashMap::new();
        for (record, _) in &sorted.fresh {
            if let Some((id, _)) = of_person(record)
                && !self.persons.contains_key(&id)
            {
                unknown.entry(id).or_insert_with(|| person_index(self.store.keys(), &id));
            }
        }
        if !unknown.is_empty() {
            let indexes: Vec<PersonIndex> = unknown.values().copied().collect();
            let found = people::find_persons(&mut *connection, &indexes).await?;
            unknown.retain(|id, index| match found.get(index) {
                Some(known) => {
                    self.persons.insert(*id, *known);
                    false
                }
                None => true,
            });
        }
        let mut again = false;
        if self.batch.concerned_only {
            // all versions of a record that is stored, or that one of them makes ours, whoever the others belong to: a deletion or
            // a stranger's version takes the one before out of force
            let concerned = |record: &Record| {
                of_person(record).and_then(|(id, _)| self.persons.get(&id)).is_some_and(|person| person.concerned)
            };
            let ours: HashSet<Uuid> = sorted
                .fresh
                .iter()
                .map(|(record, _)| record)
                .filter(|record| sorted.stored.contains(&record.record_key) || concerned(record))
                .map(|record| record.record_key)
                .collect();
            let before = sorted.fresh.len();
            let mut gone = Vec::new();
            sorted.fresh.retain(|(record, _)| {
                let kept = ours.contains(&record.record_key);
                if !kept {
                    gone.push(short(record.record_key));
                }
                kept
            });
            sorted.counts.dropped += (before - sorted.fresh.len()) as u64;
            if self.batch.reading == 1 {
                again = sorted.fresh.iter().any(|(record, _)| self.dropped.may_contain(short(record.record_key)));
                for key in &gone {
                    self.dropped.insert(*key);
                }
                if !self.batch.remember_all {
                    sorted.keys = gone;
                }
            }
        }
        let missing: Vec<Named<'_>> = sorted
            .fresh
            .iter()
            .filter_map(|(record, _)| of_person(record))
            .filter(|(id, _)| !self.persons.contains_key(id))
            .map(|(id, name)| Named { id, name })
            .collect();
        if !missing.is_empty() {
            let made = people::ensure_persons(connection, self.store.keys(), &missing).await?;
            for named in &missing {
                let index = unknown.get(&named.id).copied();
                let index = index.unwrap_or_else(|| person_index(self.store.keys(), &named.id));
                if let Some(known) = made.get(&index) {
                    sorted.made.insert(known.person);
                    self.persons.insert(named.id, *known);
                }
            }
        }
        Ok(again)
    }
}

/// Keys of records that stand more than once among these.
fn keys_that_repeat(records: &[Record]) -> HashSet<u64> {
    let mut once = KeySet::default();
    records.iter().map(|record| short(record.record_key)).filter(|key| !once.insert(*key)).collect()
}
