//! Upkeep: what is no longer needed goes, a few rows at a time, and the run's record says what went.
//!
//! Nothing goes that a verification of the past rests on, unless a setting says so; then the past is refused from before that.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, Utc};
use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::evidence::upkeep::EvidenceUpkeep;
use super::jobs::SourceId;
use super::partitions::partition;
use super::publish::Cause;
use super::runs::{Ending, Trigger};
use super::{Store, StoreError, journal};
use crate::domain::facts::RecordKind;
use crate::domain::retention::{Keep, RetentionClass as Class};
use crate::errors;

/// What upkeep removed, in rows by class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    pub removed: BTreeMap<Class, u64>,
    /// Runs whose process was gone.
    pub crashed_runs: u64,
    /// Rows of the audit that were sealed.
    pub sealed_rows: u64,
    pub evidence: EvidenceUpkeep,
}

/// Rows that go in one statement: short locks, and work for vacuum in small pieces.
const AT_ONCE: i64 = 2000;

impl Store {
    /// Removes what is older than it is kept, as a run of its own whose record says what went. Cut off, what went is gone and the next
    /// goes on.
    pub async fn maintain(&self, job: &str, keep: &Keep, by: impl Into<Trigger<'_>>) -> Result<Removed, StoreError> {
        let run = self.start_run("maintain", job, by.into()).await?;
        let mut removed = Removed::default();
        let outcome = self.journal(&run, Box::pin(self.maintain_all(keep, run.at, &mut removed))).await;
        let ending = if outcome.is_ok() { Ending::Done } else { Ending::Failed };
        let why = outcome.as_ref().err().map(|error| errors::chain(error));
        let counts = serde_json::to_value(&removed).unwrap_or_default();
        self.finish_run(&run, ending, &counts, why.as_deref()).await?;
        outcome.map(|()| removed)
    }

    async fn maintain_all(&self, keep: &Keep, now: DateTime<Utc>, removed: &mut Removed) -> Result<(), StoreError> {
        removed.crashed_runs = self.close_crashed_runs().await?;
        journal::stage("seal");
        removed.sealed_rows = self.seal_audit().await?;
        journal::stage("secrets");
        self.forget_answered_secrets(now, AT_ONCE).await?;
        for (class, days) in keep {
            let Some(before) = now.checked_sub_days(Days::new(u64::from(*days))) else { continue };
            journal::stage(class.as_str());
            let went = removed.removed.entry(*class).or_default();
            match class {
                Class::Strangers => self.expire_strangers(before, now, went).await?,
                Class::RunLines => self.remove_run_lines(before, went).await?,
                Class::Pages => self.remove_pages(before, went).await?,
                Class::Messages => self.remove_messages(before, went).await?,
                Class::Tasks => *went += self.remove_finished_work(before, AT_ONCE).await?,
                Class::Events => self.remove_events(before, AT_ONCE, went).await?,
                Class::RequestAnswers => self.remove_request_answers(before, AT_ONCE, went).await?,
                Class::SupersededRecords => self.remove_superseded_records(before, went).await?,
                Class::ResultHistory => self.remove_result_history(before, went).await?,
            }
        }
        journal::stage("evidence");
        removed.evidence = self.maintain_evidence(now).await?;
        Ok(())
    }

    /// Refused records whose person nobody here knows lose their content and are closed; that they were there, and what was wrong,
    /// stays. Filings are of no person and wait for a decision.
    async fn expire_strangers(
        &self,
        before: DateTime<Utc>,
        now: DateTime<Utc>,
        went: &mut u64,
    ) -> Result<(), StoreError> {
        loop {
            let old = sqlx::query_scalar!(
                "select quarantine_id from quarantine q join batch b using (batch_id)
                 where length(q.raw) > 0 and b.began_at < $1 and b.record <> $2 and b.state in ('published', 'duplicate')
                   and not exists (select from person p where p.id_index = q.id_index)
                 order by quarantine_id limit $3",
                before,
                i16::from(RecordKind::DispatchFiling.number()),
                AT_ONCE
            )
            .fetch_all(&self.pool)
            .await?;
            if old.is_empty() {
                return Ok(());
            }
            let mut publish = self.publish(Cause::Quarantine, now).await?;
            let seq = publish.seq();
            // looked at again under the lock: somebody may have become known meanwhile
            let done = sqlx::query!(
                "update quarantine q set raw = '', id_index = null, closed_seq = coalesce(closed_seq, $2),
                        closing = coalesce(closing, 'expired')
                 where quarantine_id = any($1) and not exists (select from person p where p.id_index = q.id_index)",
                &old,
                seq
            )
            .execute(publish.connection())
            .await?;
            if done.rows_affected() == 0 {
                return publish.abandon().await;
            }
            publish.commit().await?;
            *went += done.rows_affected();
        }
    }

    async fn remove_run_lines(&self, before: DateTime<Utc>, went: &mut u64) -> Result<(), StoreError> {
        loop {
            let done = sqlx::query!(
                "delete from run_line where ctid = any (array (select ctid from run_line where at < $1 limit $2))",
                before,
                AT_ONCE
            )
            .execute(&self.pool)
            .await?
            .rows_affected();
            *went += done;
            if done == 0 {
                return Ok(());
            }
        }
    }

    /// Pages of deliveries that ended, but not of the last whole ones: by them the next delivery is known again.
    async fn remove_pages(&self, before: DateTime<Utc>, went: &mut u64) -> Result<(), StoreError> {
        let needed = sqlx::query_scalar!(
            r#"select distinct on (source_id, contract) batch_id from batch b
               where published_seq is not null and asked in ('everything', 'changes')
                 and exists (select from batch_page p where p.batch_id = b.batch_id)
               order by source_id, contract, published_seq desc"#
        )
        .fetch_all(&self.pool)
        .await?;
        loop {
            let done = sqlx::query!(
                "delete from batch_page where ctid = any (array (
                     select p.ctid from batch_page p join batch b using (batch_id)
                     where b.state in ('published', 'duplicate', 'failed') and b.began_at < $1 and b.batch_id <> all($2) limit $3))",
                before,
                &needed,
                AT_ONCE
            )
            .execute(&self.pool)
            .await?
            .rows_affected();
            *went += done;
            if done == 0 {
                return Ok(());
            }
        }
    }

    /// Alerts that are over and reminders, with their messages.
    async fn remove_messages(&self, before: DateTime<Utc>, went: &mut u64) -> Result<(), StoreError> {
        loop {
            let mut transaction = self.begin().await?;
            let old = sqlx::query_scalar!(
                "select alert_id from alert a where closed_at < $1
                   and not exists (select from message m where m.alert_id = a.alert_id and delivered_at is null and created_at >= $1)
                 order by alert_id limit $2",
                before,
                AT_ONCE
            )
            .fetch_all(&mut *transaction)
            .await?;
            if old.is_empty() {
                return self.remove_reminders(before, went).await;
            }
            sqlx::query!(
                "delete from message_attempt where message_id in (select message_id from message where alert_id = any($1))",
                &old
            )
            .execute(&mut *transaction)
            .await?;
            let messages = sqlx::query!("delete from message where alert_id = any($1)", &old)
                .execute(&mut *transaction)
                .await?
                .rows_affected();
            let alerts =
                sqlx::query!("delete from alert where alert_id = any($1)", &old).execute(&mut *transaction).await?;
            transaction.commit().await?;
            *went += messages + alerts.rows_affected();
        }
    }

    /// What employers and staff were told, with the messages.
    async fn remove_reminders(&self, before: DateTime<Utc>, went: &mut u64) -> Result<(), StoreError> {
        loop {
            let done = sqlx::query_scalar!(
                r#"with old as materialized (select reminder_id from reminder where decided_at < $1 order by reminder_id limit $2),
                        attempts as (delete from message_attempt where message_id in (
                                         select message_id from message where reminder_id in (select reminder_id from old))),
                        messages as (delete from message where reminder_id in (select reminder_id from old) returning 1),
                        reminders as (delete from reminder where reminder_id in (select reminder_id from old) returning 1)
                   select (select count(*) from messages) + (select count(*) from reminders) as "rows!""#,
                before,
                AT_ONCE
            )
            .fetch_one(&self.pool)
            .await?;
            *went += done as u64;
            if done == 0 {
                return Ok(());
            }
        }
    }

    /// Versions that were no longer in force at the last publish before the instant: what stood since then is whole.
    async fn remove_superseded_records(&self, before: DateTime<Utc>, went: &mut u64) -> Result<(), StoreError> {
        let seq = self.head_at(before).await?;
        self.move_horizon(Class::SupersededRecords, before).await?;
        let parts = sqlx::query!("select distinct source_id, record from batch order by source_id, record")
            .fetch_all(&self.pool)
            .await?;
        for part in parts {
            let Some(record) = super::jobs::word(part.record, RecordKind::from_number) else { continue };
            let table = partition(record, SourceId(part.source_id));
            loop {
                let sql = format!(
                    "delete from {table} where ctid = any (array (select ctid from {table} where superseded_seq <= $1 limit $2))"
                );
                let done =
                    sqlx::query(AssertSqlSafe(sql)).bind(seq).bind(AT_ONCE).execute(&self.pool).await?.rows_affected();
                *went += done;
                if done == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// What results were until a run that had ended at the instant replaced it, with all that was before.
    async fn remove_result_history(&self, before: DateTime<Utc>, went: &mut u64) -> Result<(), StoreError> {
        self.move_horizon(Class::ResultHistory, before).await?;
        let Some(ended) = self.find_ended_runs(before).await? else { return Ok(()) };
        loop {
            // of the versions of a row the first ones go and none between: each tells who wrote the next
            let done = sqlx::query!(
                "with replaced as (
                     select person_id, employer_id, year, seq, (select max(run) from unnest(runs) as run) as last_run
                     from verification_history where replaced_by <= $1 and replaced_by <> all($2) limit $3)
                 delete from verification_history h using replaced r
                 where h.person_id = r.person_id and h.employer_id = r.employer_id and h.year = r.year
                   and (h.seq, (select max(run) from unnest(h.runs) as run)) <= (r.seq, r.last_run)",
                ended.up_to,
                &ended.but,
                AT_ONCE
            )
            .execute(&self.pool)
            .await?
            .rows_affected();
            *went += done;
            if done == 0 {
                return Ok(());
            }
        }
    }

    /// Said before anything goes, so that nobody looks at what is half gone.
    async fn move_horizon(&self, class: Class, whole_since: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into horizon (class, whole_since) values ($1, $2)
             on conflict (class) do update set whole_since = greatest(horizon.whole_since, excluded.whole_since)",
            class.as_str(),
            whole_since
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Since when what this class is needed for is whole; none where nothing of it was ever removed.
    pub async fn find_horizon(&self, class: Class) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(sqlx::query_scalar!("select whole_since from horizon where class = $1", class.as_str())
            .fetch_optional(&self.pool)
            .await?)
    }
}
