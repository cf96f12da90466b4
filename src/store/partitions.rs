//! One partition a source in every table of records, without indexes until its first delivery is about to be published.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::StoreError;
use super::jobs::SourceId;
use crate::domain::facts::RecordKind;

/// The table that holds one source's records of one kind.
pub(super) fn partition(record: RecordKind, source: SourceId) -> String {
    format!("{record}_{}", source.0)
}

/// Makes it unless it is there.
pub(super) async fn ensure_partition(
    connection: &mut PgConnection,
    record: RecordKind,
    source: SourceId,
) -> Result<(), StoreError> {
    // pages that hold new rows are to be known as visible to all soon: a person's records are then read from the index alone
    let sql = format!(
        "create table if not exists {} partition of {record} for values in ({})
         with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05)",
        partition(record, source),
        source.0
    );
    sqlx::query(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// Whether its records can be looked up one by one.
pub(super) async fn is_indexed(
    connection: &mut PgConnection,
    record: RecordKind,
    source: SourceId,
) -> Result<bool, StoreError> {
    let index = format!("{}_by_record", partition(record, source));
    Ok(sqlx::query_scalar("select to_regclass($1) is not null").bind(index).fetch_one(connection).await?)
}

/// What a verification reads of a person's records besides the person; nothing where records have no person.
fn read_by_person(record: RecordKind) -> Option<&'static str> {
    match record {
        RecordKind::Wage => Some("amount_fen, version_id, superseded_seq, period, payer, batch_id, deleted"),
        RecordKind::Insurance => {
            Some("version_id, superseded_seq, period, insured, batch_id, scheme, coverage, status, payment, deleted")
        }
        RecordKind::Certificate => Some(
            "version_id, updated_at, superseded_seq, valid_from, valid_to, status_since, batch_id, kind, level, status, deleted",
        ),
        RecordKind::DispatchFiling => None,
    }
}

/// Gives the partition its indexes, all or none.
pub(super) async fn index(
    connection: &mut PgConnection,
    record: RecordKind,
    source: SourceId,
) -> Result<(), StoreError> {
    let part = partition(record, source);
    // a person's rows lie in as many places as there were deliveries: what is asked of them stands in the index
    let by_person = read_by_person(record).map_or_else(String::new, |columns| {
        format!("create index {part}_by_person on {part} (person_id) include ({columns});")
    });
    // a row's place in the table follows its batch: a block range index is enough to find one's rows
    let sql = format!(
        "set local maintenance_work_mem = '192MB';
         create index {part}_by_record on {part} (record_key);
         {by_person}
         create index {part}_by_batch on {part} using brin (batch_id) with (pages_per_range = 64);
         create index {part}_superseded on {part} (superseded_seq) where superseded_seq is not null;"
    );
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    sqlx::raw_sql(AssertSqlSafe(format!("vacuum (analyze) {part}"))).execute(connection).await?;
    Ok(())
}
