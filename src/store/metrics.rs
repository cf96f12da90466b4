//! Figures of the whole installation, for the eyes of a monitor: counts and ages, no persons and no units.

use chrono::{DateTime, Utc};

use super::jobs::word;
use super::outbox_lines::OutboxFigure;
pub use super::queue::QueueFigures;
use super::{Store, StoreError};
use crate::domain::facts::RecordKind;

/// Runs of one job that are in one state.
#[derive(Clone, Debug)]
pub struct RunFigure {
    pub job: String,
    pub kind: String,
    pub state: String,
    pub runs: i64,
    /// Of all of them together; none of those that go on.
    pub seconds: Option<f64>,
    pub last_finished_at: Option<DateTime<Utc>>,
}

/// How one source stands.
#[derive(Clone, Debug)]
pub struct SourceFigure {
    /// The pull job.
    pub job: String,
    pub record: RecordKind,
    /// When the job was first registered here.
    pub registered_at: DateTime<Utc>,
    /// When the last pull of everything or of all changes began that was published; none if there never was one.
    pub last_whole_at: Option<DateTime<Utc>>,
    /// The latest stamp of its records.
    pub last_stamp_at: Option<DateTime<Utc>>,
    /// Deliveries that wait for a person.
    pub held: i64,
    /// Refused records that are open.
    pub refused: i64,
    /// Records that were ever new here.
    pub records: i64,
    /// Rows of published deliveries, by what became of them.
    pub read: i64,
    pub changed: i64,
    pub same: i64,
}

/// A count by a name: a year, a kind, a target.
#[derive(Clone, Debug)]
pub struct CountFigure {
    pub name: String,
    pub count: i64,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Figures {
    pub at: DateTime<Utc>,
    /// How far business time is from the database's, in seconds.
    pub clock_offset_s: f64,
    pub runs: Vec<RunFigure>,
    pub sources: Vec<SourceFigure>,
    pub outbox: Vec<OutboxFigure>,
    /// Attempts on messages to the tax department, by outcome.
    pub attempts: Vec<CountFigure>,
    /// Holds on that outbox that stand: `everything`, `employer`.
    pub holds: Vec<CountFigure>,
    /// The work that waits.
    pub queue: QueueFigures,
    /// Placements with a pending month, by year.
    pub pending: Vec<CountFigure>,
    /// Open alerts, by kind.
    pub alerts: Vec<CountFigure>,
    /// Messages to people that wait, by target.
    pub messages: Vec<CountFigure>,
    /// Deliveries of events that wait: `waiting` for their first attempt, `failing` for another.
    pub events: Vec<CountFigure>,
}

impl Store {
    pub async fn figures(&self) -> Result<Figures, StoreError> {
        Ok(Figures {
            at: self.now().await?,
            clock_offset_s: self.clock_offset().await?.as_seconds_f64(),
            runs: self.run_figures().await?,
            sources: self.source_figures().await?,
            outbox: self.outbox_figures().await?,
            attempts: self.attempt_figures().await?,
            holds: self.hold_figures().await?,
            queue: self.queue_figures().await?,
            pending: self.pending_figures().await?,
            alerts: self.alert_figures().await?,
            messages: self.message_figures().await?,
            events: self.event_figures().await?,
        })
    }

    async fn run_figures(&self) -> Result<Vec<RunFigure>, StoreError> {
        Ok(sqlx::query_as!(
            RunFigure,
            r#"select job, kind, state, count(*) as "runs!",
                      sum(extract(epoch from finished_at - started_at))::double precision as seconds,
                      max(finished_at) as last_finished_at
               from run group by job, kind, state order by job, kind, state"#
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// How every source that is in use stands.
    pub async fn source_figures(&self) -> Result<Vec<SourceFigure>, StoreError> {
        let rows = sqlx::query!(
            r#"select s.source_id, s.job, j.record, f.registered_at as "registered_at!",
                      max(b.began_at) filter (where b.published_seq is not null and b.asked in ('everything', 'changes'))
                          as last_whole_at,
                      max(b.watermark) filter (where b.published_seq is not null) as last_stamp_at,
                      count(*) filter (where b.state = 'held') as "held!",
                      (select count(*) from quarantine q where q.source_id = s.source_id and q.closed_seq is null) as "refused!",
                      coalesce(sum((b.counts ->> 'new')::bigint) filter (where b.published_seq is not null), 0)::bigint as "records!",
                      coalesce(sum((b.counts ->> 'read')::bigint) filter (where b.published_seq is not null), 0)::bigint as "read!",
                      coalesce(sum((b.counts ->> 'changed')::bigint) filter (where b.published_seq is not null), 0)::bigint
                          as "changed!",
                      coalesce(sum((b.counts ->> 'same')::bigint) filter (where b.published_seq is not null), 0)::bigint as "same!"
               from source s join job j on j.source_id = s.source_id and j.to_seq is null
               cross join lateral (select min(published_at) as registered_at from job e join publish on seq = e.from_seq
                                   where e.source_id = s.source_id) as f
               left join batch b on b.source_id = s.source_id
               group by s.source_id, s.job, j.record, f.registered_at order by s.job"#
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(SourceFigure {
                    job: row.job,
                    record: word(row.record, RecordKind::from_number)
                        .ok_or_else(|| StoreError::inconsistent("job", "record", row.source_id))?,
                    registered_at: row.registered_at,
                    last_whole_at: row.last_whole_at,
                    last_stamp_at: row.last_stamp_at,
                    held: row.held,
                    refused: row.refused,
                    records: row.records,
                    read: row.read,
                    changed: row.changed,
                    same: row.same,
                })
            })
            .collect()
    }

    async fn attempt_figures(&self) -> Result<Vec<CountFigure>, StoreError> {
        Ok(sqlx::query_as!(
            CountFigure,
            r#"select outcome as "name!", count(*) as "count!"
               from (select case when closed_at is null then 'open' when status is null then 'no_answer'
                                 when status between 200 and 299 and answer is not null and error is null then 'answered'
                                 when status between 200 and 299 then 'not_understood'
                                 when status = 429 then 'too_many' when status between 400 and 499 then 'refused'
                                 when status >= 500 then 'out_of_order' else 'not_understood' end as outcome
                     from outbox_attempt) as a
               group by outcome order by outcome"#
        )
        .fetch_all(&self.pool)
        .await?)
    }

    async fn hold_figures(&self) -> Result<Vec<CountFigure>, StoreError> {
        let holds = self.list_holds().await?;
        let (years, everything): (Vec<_>, Vec<_>) = holds.iter().partition(|hold| hold.uscc.is_some());
        let figure = |name: &str, count: usize| CountFigure { name: name.to_owned(), count: count as i64 };
        Ok(vec![figure("everything", everything.len()), figure("employer", years.len())])
    }

    async fn pending_figures(&self) -> Result<Vec<CountFigure>, StoreError> {
        Ok(sqlx::query_as!(
            CountFigure,
            r#"select year::text as "name!", count(*) as "count!" from verification where pending <> 0 group by year order by year"#
        )
        .fetch_all(&self.pool)
        .await?)
    }

    async fn alert_figures(&self) -> Result<Vec<CountFigure>, StoreError> {
        Ok(sqlx::query_as!(
            CountFigure,
            r#"select kind as name, count(*) as "count!" from alert where closed_at is null group by kind order by kind"#
        )
        .fetch_all(&self.pool)
        .await?)
    }

    async fn message_figures(&self) -> Result<Vec<CountFigure>, StoreError> {
        Ok(sqlx::query_as!(
            CountFigure,
            r#"select target as name, count(*) as "count!" from message where delivered_at is null group by target order by target"#
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
