//! Refused records for people: listed without their content, shown with it to one who may see it, discarded with a reason.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::audit::Act;
use super::jobs::SourceId;
use super::publish::Cause;
use super::refusals::raw_place;
use super::{Store, StoreError};
use crate::domain::access::Actor;
use crate::domain::facts::{PersonId, RecordKind, UnitId};
use crate::domain::month::Month;

/// How many records are closed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Discarded {
    pub discarded: u64,
}

/// One refused record, without its content.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct QuarantineLine {
    pub quarantine_id: i64,
    pub job: String,
    pub batch_id: i32,
    /// `published`, or `held`: then the record is not in the results' way yet.
    pub batch_state: String,
    pub page_number: i32,
    pub row_number: i32,
    pub code: String,
    pub field: Option<String>,
    pub detail: String,
    pub person_id: Option<i64>,
    #[serde(serialize_with = "as_month")]
    pub period: Option<i32>,
    /// When the fetch of the delivery began.
    pub delivered_at: DateTime<Utc>,
    /// The record's own stamp, where readable.
    pub updated_at: Option<DateTime<Utc>>,
    /// Hash of the settings by which it was read.
    pub contract: String,
    /// How the case was closed: `superseded`, `replayed`, `discarded`, `expired`; nothing while it is open.
    pub closing: Option<String>,
    pub closed_by: Option<String>,
    pub closed_why: Option<String>,
}

/// A stored month as people write it.
#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn as_month<S: serde::Serializer>(index: &Option<i32>, serializer: S) -> Result<S::Ok, S::Error> {
    index.and_then(Month::from_index).serialize(serializer)
}

/// A refused record with what it held.
pub struct RawRefusal {
    pub quarantine_id: i64,
    /// When the fetch of its delivery began.
    pub delivered_at: DateTime<Utc>,
    pub raw: Vec<u8>,
}

/// Which refused records: open ones, of these.
#[derive(Clone, Debug, Default)]
pub struct QuarantineFilter {
    pub job: Option<String>,
    pub code: Option<String>,
    /// Empty: whichever.
    pub ids: Vec<i64>,
}

/// A refused record that is open at a sequence, without its content.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RefusedRecord {
    pub quarantine_id: i64,
    /// The pull job.
    pub source: String,
    pub batch_id: i32,
    pub page_number: i32,
    pub row_number: i32,
    pub code: String,
    pub field: Option<String>,
    /// When the fetch of that delivery began.
    pub delivered_at: DateTime<Utc>,
    /// Kind of record, by number.
    #[serde(skip)]
    pub record: i16,
    /// What it would have been about, where readable.
    #[serde(skip)]
    pub period: Option<i32>,
    #[serde(skip)]
    pub scheme: Option<i16>,
}

impl Store {
    /// Refused records open at a sequence that are about one person, or filings (which have no person) of one dispatch company.
    pub async fn refused_records(
        &self,
        seq: i64,
        person: PersonId,
        dispatch: Option<UnitId>,
    ) -> Result<Vec<RefusedRecord>, StoreError> {
        Ok(sqlx::query_as!(
            RefusedRecord,
            r#"select q.quarantine_id, s.job as source, q.batch_id, q.page_number, q.row_number, q.code, q.field,
                      b.began_at as delivered_at, b.record, q.period, q.scheme
               from quarantine q join batch b using (batch_id) join source s on s.source_id = q.source_id
               left join person p on p.id_index = q.id_index
               where b.published_seq <= $1 and (q.closed_seq is null or q.closed_seq > $1)
                 and (p.person_id = $2 or q.id_index is null and b.record = $3 and q.unit_id = $4)
               order by q.quarantine_id"#,
            seq,
            person.0,
            i16::from(RecordKind::DispatchFiling.number()),
            dispatch.map(|unit| unit.0)
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Open refused records, newest first, and how many there are beyond the limit.
    pub async fn list_quarantine(
        &self,
        filter: &QuarantineFilter,
        before: Option<i64>,
        limit: i64,
    ) -> Result<(Vec<QuarantineLine>, u64), StoreError> {
        let lines = sqlx::query_as!(
            QuarantineLine,
            r#"select quarantine_id, job, q.batch_id, b.state as batch_state, page_number, row_number, code, field, detail,
                      person_id as "person_id?", period, b.began_at as delivered_at, q.updated_at, q.contract, closing, closed_by,
                      closed_why
               from quarantine q join source using (source_id) join batch b on b.batch_id = q.batch_id
               left join person p on p.id_index = q.id_index
               where closed_seq is null and b.state in ('published', 'held') and ($1::text is null or job = $1)
                 and ($2::text is null or code = $2) and (cardinality($3::bigint[]) = 0 or quarantine_id = any($3))
                 and ($5::bigint is null or quarantine_id < $5)
               order by quarantine_id desc limit $4"#,
            filter.job,
            filter.code,
            &filter.ids,
            limit,
            before
        )
        .fetch_all(&self.pool)
        .await?;
        let all = sqlx::query_scalar!(
            r#"select count(*) as "count!" from quarantine q join source using (source_id) join batch b on b.batch_id = q.batch_id
               where closed_seq is null and b.state in ('published', 'held') and ($1::text is null or job = $1)
                 and ($2::text is null or code = $2) and (cardinality($3::bigint[]) = 0 or quarantine_id = any($3))"#,
            filter.job,
            filter.code,
            &filter.ids
        )
        .fetch_one(&self.pool)
        .await?;
        let beyond = (all as u64).saturating_sub(lines.len() as u64);
        Ok((lines, beyond))
    }

    /// One refused record, open or closed.
    pub async fn find_refusal(&self, quarantine_id: i64) -> Result<Option<QuarantineLine>, StoreError> {
        Ok(sqlx::query_as!(
            QuarantineLine,
            r#"select quarantine_id, job, q.batch_id, b.state as batch_state, page_number, row_number, code, field, detail,
                      person_id as "person_id?", period, b.began_at as delivered_at, q.updated_at, q.contract, closing, closed_by,
                      closed_why
               from quarantine q join source using (source_id) join batch b on b.batch_id = q.batch_id
               left join person p on p.id_index = q.id_index
               where quarantine_id = $1"#,
            quarantine_id
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The record as it came, while it is kept. Who looks at it is written to the audit log by the caller.
    pub async fn raw_refusal(&self, quarantine_id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        let sealed = sqlx::query_scalar!("select raw from quarantine where quarantine_id = $1", quarantine_id)
            .fetch_optional(&self.pool)
            .await?;
        let sealed = sealed.filter(|sealed| !sealed.is_empty());
        Ok(sealed.map(|sealed| self.keys().decrypt(&sealed, raw_place(quarantine_id))).transpose()?)
    }

    /// Open refused records of published deliveries of one source, oldest first, after the one named, with their raw forms. A reused
    /// stamp is no matter of reading: such records wait for a later stamp.
    pub async fn raw_refusals(
        &self,
        source: SourceId,
        filter: &QuarantineFilter,
        after: i64,
        limit: i64,
    ) -> Result<Vec<RawRefusal>, StoreError> {
        let rows = sqlx::query!(
            "select quarantine_id, raw, b.began_at from quarantine q join batch b using (batch_id)
             where q.source_id = $1 and closed_seq is null and b.published_seq is not null and quarantine_id > $2
               and code <> 'stamp_reused'
               and ($3::text is null or code = $3) and (cardinality($4::bigint[]) = 0 or quarantine_id = any($4))
             order by quarantine_id limit $5",
            source.0,
            after,
            filter.code,
            &filter.ids,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let raw = self.keys().decrypt(&row.raw, raw_place(row.quarantine_id))?;
                Ok(RawRefusal { quarantine_id: row.quarantine_id, delivered_at: row.began_at, raw })
            })
            .collect()
    }

    /// Closes open cases for good, in a publish of their own (what was not known for them is known to be nothing now), with who and
    /// why in the audit log; how many there were.
    pub async fn discard_refusals(
        &self,
        filter: &QuarantineFilter,
        actor: &Actor,
        why: &str,
    ) -> Result<u64, StoreError> {
        let at = self.now().await?;
        let mut publish = self.publish(Cause::Quarantine, at).await?;
        let seq = publish.seq();
        let closed = sqlx::query_scalar!(
            "update quarantine q set closed_seq = $1, closing = 'discarded', closed_by = $2, closed_why = $3
             from source s, batch b
             where s.source_id = q.source_id and b.batch_id = q.batch_id and closed_seq is null
               and b.state in ('published', 'held') and ($4::text is null or s.job = $4) and ($5::text is null or code = $5)
               and (cardinality($6::bigint[]) = 0 or quarantine_id = any($6))
             returning quarantine_id",
            seq,
            actor.name,
            why,
            filter.job,
            filter.code,
            &filter.ids
        )
        .fetch_all(publish.connection())
        .await?;
        if closed.is_empty() {
            publish.abandon().await?;
            return Ok(0);
        }
        let object = match closed.as_slice() {
            [one] => format!("refused record {one}"),
            many => format!("{} refused records", many.len()),
        };
        let act = Act::operate(at, actor, "discard", object, Some(why)).with("records", closed.len());
        publish.record(&act).await?;
        let discarded = closed.len() as u64;
        publish.answer(&Discarded { discarded }).await?;
        publish.commit().await?;
        Ok(discarded)
    }
}
