//! Who became concerned after a pull is asked for by a pull of its own: until then what nobody reported stays pending.

use std::sync::atomic::Ordering;

use chrono::{DateTime, TimeDelta, Utc};

use super::tick::new_task;
use super::{ACTOR, Schedule};
use crate::clock;
use crate::config::{Job, JobKind};
use crate::ingest;
use crate::store::StoreError;

/// A fire that comes this soon asks for them anyhow.
const SOON: TimeDelta = TimeDelta::hours(2);

impl Schedule {
    /// Queues a pull for every job whose last one did not know everybody who is concerned now.
    pub(super) async fn queue_for_concerned(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let head = self.store.head().await?;
        if self.concerned_until.load(Ordering::Relaxed) == head {
            return Ok(());
        }
        let schedules = self.store.list_schedules().await?;
        for job in self.known().jobs.iter().filter(|job| job.kind == JobKind::Pull && !comes_soon(job, now)) {
            let paused = schedules.iter().any(|schedule| schedule.job == job.name && schedule.pause.is_some());
            if paused {
                continue;
            }
            // one that has not begun will know them too
            if self.store.has_pull_to_come(&job.name).await? {
                continue;
            }
            let Some(latest) = ingest::newly_concerned(&self.store, job).await? else { continue };
            let key = format!("{} for those concerned since publish {latest}", job.name);
            let task = new_task(job, key, clock::business_date(now), now, ACTOR);
            if let Some(task_id) = self.store.queue_task(&task).await? {
                tracing::info!(job = %job.name, task_id, "people became concerned: a pull is queued");
            }
        }
        self.concerned_until.store(head, Ordering::Relaxed);
        Ok(())
    }
}

fn comes_soon(job: &Job, now: DateTime<Utc>) -> bool {
    let next = job.schedule.as_ref().and_then(|cron| cron.next_after(now, &job.timezone));
    next.is_some_and(|next| next.at <= now + SOON)
}
