//! A page comes in: known versions left out, persons and units found or made, rows copied; all of it commits with the page's cursor.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::batches::{Batch, Counts, resume_place};
use super::frames::CopyRows;
use super::people::{self, Known, Named, PersonIndex, person_index};
use super::records::{PersonFact, Record, Refusal, Says};
use super::{Store, StoreError};
use crate::crypto::{Keys, Place};
use crate::domain::facts::{PersonId, RecordKind, UnitId};
use crate::domain::ids::{ResidentId, Uscc};
use crate::domain::month::Month;

impl Store {
    /// Stores one page: its rows, refusals, notes, counts and cursor commit together, so that a page is in whole or not at all.
    pub async fn land_page(
        &self,
        batch: &mut Batch,
        page_number: u32,
        resume: Option<&str>,
        records: Vec<Record>,
        mut refusals: Vec<Refusal>,
        raw_of: &(dyn Fn(usize) -> Vec<u8> + Sync),
    ) -> Result<Counts, StoreError> {
        let mut counts = Counts { read: (records.len() + refusals.len()) as u64, ..Counts::default() };
        let mut transaction = self.pool.begin().await?;
        let stored = self.stored_versions(&mut transaction, batch, &records).await?;
        let said_before = self.said_before(&mut transaction, batch, &stored).await?;
        let mut kept = keep_new(self.keys(), records, &stored, &said_before, &mut refusals, &mut counts, raw_of);
        let persons = self.persons_of(&mut transaction, batch, &stored, &mut kept, &mut counts).await?;
        let units = people::ensure_units(&mut transaction, &units_of(&kept)).await?;
        self.copy_records(&mut transaction, batch, &kept, &persons, &units).await?;
        insert_notes(&mut transaction, batch.batch_id, &kept, &persons).await?;
        counts.refused = refusals.len() as u64;
        self.insert_refusals(&mut transaction, batch, refusals).await?;
        let json = serde_json::to_value(counts).unwrap_or_default();
        let place = resume_place(batch.batch_id, page_number as i32);
        let sealed = resume.map(|resume| self.keys().encrypt(resume.as_bytes(), place)).transpose()?;
        sqlx::query!(
            "insert into batch_page (batch_id, page_number, resume, rows, counts) values ($1, $2, $3, $4, $5)",
            batch.batch_id,
            page_number as i32,
            sealed,
            counts.read as i32,
            json
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        batch.next_page = page_number + 1;
        batch.resume = resume.map(str::to_owned);
        batch.counts.add(counts);
        Ok(counts)
    }

    /// Every version of these records that is published or landed in this batch: stamp → content, by record.
    async fn stored_versions(
        &self,
        connection: &mut PgConnection,
        batch: &Batch,
        records: &[Record],
    ) -> Result<StoredVersions, StoreError> {
        let keys: Vec<Uuid> = records.iter().map(|record| record.record_key).collect();
        let rows: Vec<(Uuid, DateTime<Utc>, i64)> = sqlx::query_as(AssertSqlSafe(format!(
            "select v.record_key, v.updated_at, v.content from {} v join batch b using (batch_id)
             where v.record_key = any($1) and v.source_id = $2 and (b.published_seq is not null or v.batch_id = $3)",
            batch.record.as_str()
        )))
        .bind(&keys)
        .bind(batch.source.0)
        .bind(batch.batch_id)
        .fetch_all(connection)
        .await?;
        let mut stored = StoredVersions::new();
        for (key, updated_at, content) in rows {
            stored.entry(key).or_default().insert(updated_at, content);
        }
        Ok(stored)
    }

    /// Where records bear the moment of their delivery: what each was last known to say. To say it again tells nothing new,
    /// except of a record that was refused meanwhile.
    async fn said_before(
        &self,
        connection: &mut PgConnection,
        batch: &Batch,
        stored: &StoredVersions,
    ) -> Result<HashMap<Uuid, i64>, StoreError> {
        if !batch.stamped_by_delivery {
            return Ok(HashMap::new());
        }
        let keys: Vec<Uuid> = stored.keys().copied().collect();
        let refused: HashSet<Uuid> = sqlx::query_scalar!(
            r#"select record_key as "record_key!" from quarantine
               where record_key = any($1) and source_id = $2 and closed_seq is null"#,
            &keys,
            batch.source.0
        )
        .fetch_all(connection)
        .await?
        .into_iter()
        .collect();
        let newest = |versions: &HashMap<DateTime<Utc>, i64>| versions.iter().max().map(|(_, content)| *content);
        Ok(stored
            .iter()
            .filter(|(key, _)| !refused.contains(key))
            .filter_map(|(key, versions)| Some((*key, newest(versions)?)))
            .collect())
    }

    /// Gives every record its person, and drops those of strangers where the job keeps only people concerned.
    async fn persons_of(
        &self,
        connection: &mut PgConnection,
        batch: &Batch,
        stored: &StoredVersions,
        kept: &mut Vec<Record>,
        counts: &mut Counts,
    ) -> Result<HashMap<ResidentId, PersonId>, StoreError> {
        let index_of: HashMap<ResidentId, PersonIndex> =
            kept.iter().filter_map(of_person).map(|(id, _)| (id, person_index(self.keys(), &id))).collect();
        let indexes: Vec<PersonIndex> = index_of.values().copied().collect();
        let mut known: HashMap<PersonIndex, Known> = people::find_persons(&mut *connection, &indexes).await?;
        if batch.concerned_only {
            let before = kept.len();
            // all versions of a record that is stored, or that one of them makes ours, whoever the others belong to: a deletion
            // or a stranger's version takes the one before out of force
            let of_concerned = |record: &Record| {
                of_person(record)
                    .is_some_and(|(id, _)| known.get(&index_of[&id]).is_some_and(|person| person.concerned))
            };
            let ours: HashSet<Uuid> = kept
                .iter()
                .filter(|record| stored.contains_key(&record.record_key) || of_concerned(record))
                .map(|record| record.record_key)
                .collect();
            kept.retain(|record| ours.contains(&record.record_key));
            counts.dropped += (before - kept.len()) as u64;
        }
        let missing: Vec<Named<'_>> = kept
            .iter()
            .filter_map(of_person)
            .filter(|(id, _)| !known.contains_key(&index_of[id]))
            .map(|(id, name)| Named { id, name })
            .collect();
        if !missing.is_empty() {
            known.extend(people::ensure_persons(connection, self.keys(), &missing).await?);
        }
        Ok(index_of.into_iter().filter_map(|(id, index)| known.get(&index).map(|person| (id, person.person))).collect())
    }

    async fn copy_records(
        &self,
        connection: &mut PgConnection,
        batch: &Batch,
        kept: &[Record],
        persons: &HashMap<ResidentId, PersonId>,
        units: &HashMap<Uscc, UnitId>,
    ) -> Result<(), StoreError> {
        if kept.is_empty() {
            return Ok(());
        }
        let versions = people::reserve(&mut *connection, "version_id_seq", kept.len()).await?;
        let mut rows = CopyRows::default();
        for (record, version) in kept.iter().zip(versions) {
            let person = of_person(record).map_or(0, |(id, _)| persons.get(&id).map_or(0, |person| person.0));
            let unit = |code: &Uscc| units.get(code).map_or(0, |unit| unit.0);
            rows.begin(columns(batch.record).1);
            if batch.record != RecordKind::DispatchFiling {
                rows.int8(person);
            }
            rows.int8(version)
                .int2(batch.source.0)
                .int4(batch.batch_id)
                .int4(record.place.page)
                .int4(record.place.row)
                .uuid(record.record_key)
                .int8(record.content)
                .instant(record.updated_at)
                .boolean(record.says.is_none());
            self.write_body(&mut rows, batch.record, record.says.as_ref(), version, &unit)?;
        }
        rows.send(connection, &format!("{} ({})", batch.record.as_str(), columns(batch.record).0)).await?;
        Ok(())
    }

    /// The columns after `deleted`, in the order of [`columns`].
    fn write_body(
        &self,
        rows: &mut CopyRows,
        record: RecordKind,
        says: Option<&Says>,
        version: i64,
        unit: &dyn Fn(&Uscc) -> i32,
    ) -> Result<(), StoreError> {
        let word = |number: u8| i16::from(number);
        match says {
            None => {
                for _ in 0..body_columns(record) {
                    rows.null();
                }
            }
            Some(Says::OfPerson { fact: PersonFact::Wage { payer, period, amount, paid_on }, .. }) => {
                rows.int4(period.index()).int4(unit(payer)).int8(amount.0).optional(*paid_on, CopyRows::date);
            }
            Some(Says::OfPerson {
                fact: PersonFact::Insurance { insured, scheme, coverage, period, status, arrived_on, payment },
                ..
            }) => {
                rows.int4(period.index())
                    .int2(word(scheme.number()))
                    .int2(word(coverage.number()))
                    .optional(insured.as_ref().map(unit), CopyRows::int4)
                    .int2(word(status.number()))
                    .int2(word(payment.number()))
                    .optional(*arrived_on, CopyRows::date);
            }
            Some(Says::OfPerson {
                fact:
                    PersonFact::Certificate { kind, number, level, category, valid_from, valid_to, status, status_since },
                ..
            }) => {
                let place = Place { table: "certificate", column: "certificate_number", row: version };
                let number = self.keys().encrypt(number.as_bytes(), place)?;
                rows.int2(word(kind.number()))
                    .bytes(&number)
                    .int2(word(*level))
                    .optional(category.map(i16::from), CopyRows::int2)
                    .date(*valid_from)
                    .optional(*valid_to, CopyRows::date)
                    .int2(word(status.number()))
                    .optional(*status_since, CopyRows::date);
            }
            Some(Says::Filing(filing)) => {
                rows.int4(unit(&filing.dispatcher))
                    .text(&filing.name)
                    .text(&filing.licence)
                    .int2(word(filing.province))
                    .date(filing.valid_from)
                    .optional(filing.valid_to, CopyRows::date)
                    .int2(word(filing.status.number()));
            }
        }
        Ok(())
    }

    async fn insert_refusals(
        &self,
        connection: &mut PgConnection,
        batch: &Batch,
        refusals: Vec<Refusal>,
    ) -> Result<(), StoreError> {
        if refusals.is_empty() {
            return Ok(());
        }
        let contents: Vec<i64> = refusals.iter().map(|refusal| refusal.content).collect();
        let told: HashSet<i64> = sqlx::query_scalar!(
            "select content from quarantine q join batch b using (batch_id)
             where q.source_id = $1 and q.content = any($2) and (q.closed_seq is null or not $4)
               and (b.published_seq is not null or q.batch_id = $3)",
            batch.source.0,
            &contents,
            batch.batch_id,
            batch.stamped_by_delivery
        )
        .fetch_all(&mut *connection)
        .await?
        .into_iter()
        .collect();
        let mut seen = told;
        // the same refused record again is no second case, settled or not, unless the first lies in a delivery that nobody sees,
        // or the record bears no stamp of its own and may have become bad again
        let fresh: Vec<Refusal> = refusals.into_iter().filter(|refusal| seen.insert(refusal.content)).collect();
        let codes: Vec<Uscc> = fresh.iter().filter_map(|refusal| refusal.unit).collect();
        let units = people::ensure_units(&mut *connection, &codes).await?;
        let ids = people::reserve(&mut *connection, "quarantine_id_seq", fresh.len()).await?;
        let mut rows = CopyRows::default();
        for (refusal, id) in fresh.iter().zip(ids) {
            let unit = refusal.unit.and_then(|code| units.get(&code)).map(|unit| unit.0);
            let index = refusal.id.map(|id| person_index(self.keys(), &id));
            let raw = self.keys().encrypt(&refusal.raw, Place { table: "quarantine", column: "raw", row: id })?;
            rows.begin(15)
                .int8(id)
                .int2(batch.source.0)
                .int4(batch.batch_id)
                .int4(refusal.place.page)
                .int4(refusal.place.row)
                .text(refusal.code)
                .optional(refusal.field.as_deref(), CopyRows::text)
                .text(&refusal.detail)
                .bytes(&raw)
                .int8(refusal.content)
                .optional(refusal.record_key, CopyRows::uuid)
                .optional(index.as_ref().map(<[u8; 32]>::as_slice), CopyRows::bytes)
                .optional(unit, CopyRows::int4)
                .optional(refusal.period.map(Month::index), CopyRows::int4)
                .optional(refusal.scheme.map(|scheme| i16::from(scheme.number())), CopyRows::int2);
        }
        rows.send(
            connection,
            "quarantine (quarantine_id, source_id, batch_id, page_number, row_number, code, field, detail, raw, content,
             record_key, id_index, unit_id, period, scheme)",
        )
        .await?;
        Ok(())
    }
}

type StoredVersions = HashMap<Uuid, HashMap<DateTime<Utc>, i64>>;

fn of_person(record: &Record) -> Option<(ResidentId, &str)> {
    match &record.says {
        Some(Says::OfPerson { id, name, .. }) => Some((*id, name)),
        _ => None,
    }
}

fn units_of(kept: &[Record]) -> Vec<Uscc> {
    kept.iter()
        .filter_map(|record| match record.says.as_ref()? {
            Says::OfPerson { fact: PersonFact::Wage { payer, .. }, .. } => Some(*payer),
            Says::OfPerson { fact: PersonFact::Insurance { insured, .. }, .. } => *insured,
            Says::OfPerson { fact: PersonFact::Certificate { .. }, .. } => None,
            Says::Filing(filing) => Some(filing.dispatcher),
        })
        .collect()
}

/// Leaves out what is already stored, word for word; a stamp that comes again with other content is refused.
fn keep_new(
    keys: &Keys,
    records: Vec<Record>,
    stored: &StoredVersions,
    said_before: &HashMap<Uuid, i64>,
    refusals: &mut Vec<Refusal>,
    counts: &mut Counts,
    raw_of: &dyn Fn(usize) -> Vec<u8>,
) -> Vec<Record> {
    let mut in_page: StoredVersions = HashMap::new();
    let mut kept = Vec::with_capacity(records.len());
    for record in records {
        let known = |versions: &StoredVersions| {
            versions.get(&record.record_key).and_then(|stamps| stamps.get(&record.updated_at)).copied()
        };
        match known(stored).or_else(|| known(&in_page)) {
            None => {
                in_page.entry(record.record_key).or_default().insert(record.updated_at, record.content);
                if said_before.get(&record.record_key) == Some(&record.content) {
                    counts.same += 1;
                } else {
                    kept.push(record);
                }
            }
            Some(content) if content == record.content => counts.same += 1,
            Some(_) => refusals.push(Refusal::stamp_reused(keys, &record, raw_of(record.index))),
        }
    }
    kept
}

async fn insert_notes(
    connection: &mut PgConnection,
    batch_id: i32,
    kept: &[Record],
    persons: &HashMap<ResidentId, PersonId>,
) -> Result<(), StoreError> {
    let mut rows = CopyRows::default();
    for record in kept {
        let person = of_person(record).and_then(|(id, _)| persons.get(&id)).map(|person| person.0);
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

/// The columns a record's row fills, and how many they are.
fn columns(record: RecordKind) -> (&'static str, i16) {
    match record {
        RecordKind::Wage => (
            "person_id, version_id, source_id, batch_id, page_number, row_number, record_key, content, updated_at, deleted,
             period, payer, amount_fen, paid_on",
            14,
        ),
        RecordKind::Insurance => (
            "person_id, version_id, source_id, batch_id, page_number, row_number, record_key, content, updated_at, deleted,
             period, scheme, coverage, insured, status, payment, arrived_on",
            17,
        ),
        RecordKind::Certificate => (
            "person_id, version_id, source_id, batch_id, page_number, row_number, record_key, content, updated_at, deleted,
             kind, certificate_number, level, category, valid_from, valid_to, status, status_since",
            18,
        ),
        RecordKind::DispatchFiling => (
            "version_id, source_id, batch_id, page_number, row_number, record_key, content, updated_at, deleted,
             dispatcher, dispatcher_name, licence_number, province, valid_from, valid_to, status",
            16,
        ),
    }
}

/// How many of them come after `deleted`.
fn body_columns(record: RecordKind) -> i16 {
    columns(record).1 - if record == RecordKind::DispatchFiling { 9 } else { 10 }
}
