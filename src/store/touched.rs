//! Whom publishes touched: the persons of every record that came or went, former ones too.

use sqlx::AssertSqlSafe;

use super::{Store, StoreError};
use crate::domain::facts::{PersonId, RecordKind};

impl Store {
    /// Persons about whom something was published after `after`, up to `up_to`: of new versions and of those they supersede, and of
    /// refused records that opened or closed. Dispatch filings have no person.
    pub async fn touched_persons(&self, after: i64, up_to: i64) -> Result<Vec<PersonId>, StoreError> {
        let batches: Vec<(i16, i32)> = sqlx::query_as(
            "select record, batch_id from batch where published_seq > $1 and published_seq <= $2 order by batch_id",
        )
        .bind(after)
        .bind(up_to)
        .fetch_all(&self.pool)
        .await?;
        let of_records: Vec<String> = RecordKind::ALL
            .iter()
            .filter(|record| **record != RecordKind::DispatchFiling)
            .map(|record| {
                let of_kind = batches.iter().filter(|(kind, _)| *kind == i16::from(record.number()));
                let ids: Vec<String> = of_kind.map(|(_, batch)| batch.to_string()).collect();
                // the numbers themselves, so that the rows of these batches are looked up and not all rows read
                format!(
                    "select person_id from {record} where batch_id = any('{{{}}}'::integer[])
                     union select person_id from {record} where superseded_seq > $1 and superseded_seq <= $2",
                    ids.join(",")
                )
            })
            .collect();
        let sql = format!(
            "select person_id from ({}
             union select person_id from quarantine q join person using (id_index) join batch b using (batch_id)
                   where b.published_seq > $1 and b.published_seq <= $2 or q.closed_seq > $1 and q.closed_seq <= $2) as touched
             where person_id <> 0 order by person_id",
            of_records.join(" union ")
        );
        let persons: Vec<i64> =
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(after).bind(up_to).fetch_all(&self.pool).await?;
        Ok(persons.into_iter().map(PersonId).collect())
    }
}
