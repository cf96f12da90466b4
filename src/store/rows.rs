//! Records as rows of their tables: which columns, in which order, in binary.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::StoreError;
use super::batches::Batch;
use super::frames::CopyRows;
use super::landing::of_person;
use super::partitions::partition;
use super::people::Known;
use super::records::{PersonFact, Record, Says};
use crate::crypto::{Keys, Place};
use crate::domain::facts::{RecordKind, UnitId};
use crate::domain::ids::{ResidentId, Uscc};

/// Copies records into the source's partition, numbered from `version`.
pub(super) async fn copy_records(
    connection: &mut PgConnection,
    keys: &Keys,
    batch: &Batch,
    kept: &[Record],
    persons: &HashMap<ResidentId, Known>,
    units: &HashMap<Uscc, UnitId>,
    version: i64,
) -> Result<(), StoreError> {
    if kept.is_empty() {
        return Ok(());
    }
    let unit = |code: &Uscc| units.get(code).map_or(0, |unit| unit.0);
    let (names, count) = columns(batch.record);
    let mut rows = CopyRows::with_room(kept.len() * 160);
    for (record, version) in kept.iter().zip(version..) {
        let person = of_person(record).and_then(|(id, _)| persons.get(&id)).map_or(0, |known| known.person.0);
        rows.begin(count);
        if batch.record != RecordKind::DispatchFiling {
            rows.int8(person);
        }
        rows.int8(version)
            .int8(record.content)
            .instant(record.updated_at)
            .uuid(record.record_key)
            .int4(batch.batch_id)
            .int4(record.place.page)
            .int4(record.place.row)
            .int2(batch.source.0)
            .boolean(record.says.is_none());
        write_body(keys, &mut rows, batch.record, record.says.as_ref(), version, &unit)?;
    }
    rows.send(connection, &format!("{} ({names})", partition(batch.record, batch.source))).await?;
    Ok(())
}

/// The columns after `deleted`, in the order of [`columns`].
fn write_body(
    keys: &Keys,
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
            fact: PersonFact::Certificate { kind, number, level, category, valid_from, valid_to, status, status_since },
            ..
        }) => {
            let place = Place { table: "certificate", column: "certificate_number", row: version };
            let number = keys.encrypt(number.as_bytes(), place)?;
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

/// The units that records name.
pub(super) fn units_of(kept: &[Record]) -> impl Iterator<Item = Uscc> + '_ {
    kept.iter().filter_map(|record| match record.says.as_ref()? {
        Says::OfPerson { fact: PersonFact::Wage { payer, .. }, .. } => Some(*payer),
        Says::OfPerson { fact: PersonFact::Insurance { insured, .. }, .. } => *insured,
        Says::OfPerson { fact: PersonFact::Certificate { .. }, .. } => None,
        Says::Filing(filing) => Some(filing.dispatcher),
    })
}

/// The columns a record's row fills, and how many they are.
fn columns(record: RecordKind) -> (&'static str, i16) {
    match record {
        RecordKind::Wage => (
            "person_id, version_id, content, updated_at, record_key, batch_id, page_number, row_number, source_id, deleted,
             period, payer, amount_fen, paid_on",
            14,
        ),
        RecordKind::Insurance => (
            "person_id, version_id, content, updated_at, record_key, batch_id, page_number, row_number, source_id, deleted,
             period, scheme, coverage, insured, status, payment, arrived_on",
            17,
        ),
        RecordKind::Certificate => (
            "person_id, version_id, content, updated_at, record_key, batch_id, page_number, row_number, source_id, deleted,
             kind, certificate_number, level, category, valid_from, valid_to, status, status_since",
            18,
        ),
        RecordKind::DispatchFiling => (
            "version_id, content, updated_at, record_key, batch_id, page_number, row_number, source_id, deleted,
             dispatcher, dispatcher_name, licence_number, province, valid_from, valid_to, status",
            16,
        ),
    }
}

/// How many of them come after `deleted`.
fn body_columns(record: RecordKind) -> i16 {
    columns(record).1 - if record == RecordKind::DispatchFiling { 9 } else { 10 }
}
