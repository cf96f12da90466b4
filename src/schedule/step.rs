//! One piece of work: claimed, done under a lease that is renewed while it goes on, ended by what came of it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Schedule;
use super::failure::{Attempt, Class, Failure, Next};
use super::work::Landed;
use crate::config::Span;
use crate::store::reverifications;
use crate::store::runs::Ending;
use crate::store::tasks::{Claimed, LEASE, Lease};
use crate::store::{Store, StoreError};

/// How often a lease is renewed.
const BEAT: Duration = Duration::from_secs(5);
/// So long before its lease ends a worker that could not renew it stops: before another may begin.
const MARGIN: Duration = Duration::from_secs(4);
/// For so long work that is nearly done may still end when the process is stopped.
const GRACE: Duration = Duration::from_secs(4);

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stepped {
    Done(Ending),
    /// Failed; there will be another attempt.
    PutOff(Failure),
    /// Failed for good: a person decides.
    GivenUp(Failure),
    /// Another worker has it.
    Lost,
    /// The process stops.
    HandedBack,
}

/// How an attempt ended.
enum Ended {
    Worked(Result<Ending, Failure>),
    Lost,
    Stopped,
}

impl Schedule {
    /// Takes one task and does it; nothing if none may begin. `stop` ends it early: then it is given back.
    pub async fn step(
        &self,
        with_backfills: bool,
        stop: &CancellationToken,
    ) -> Result<Option<(Claimed, Stepped)>, StoreError> {
        let now = self.store.now().await?;
        self.store.bury_spent_tasks(now).await?;
        // what staff asked for belongs to no job of the folder
        let names = self.known().names().into_iter().chain(reverifications::jobs().map(str::to_owned));
        let names: Vec<String> = names.collect();
        let Some(task) = self.store.claim_task(now, &names, with_backfills).await? else {
            return Ok(None);
        };
        if task.taken_over {
            tracing::warn!(task_id = task.lease.task_id, job = %task.job, attempt = task.attempt, "the worker before was lost: taken over");
            self.store.end_connections_of(&task.lease).await?;
            let why = "its worker was lost; another went on from there";
            self.store.close_runs_of_lease(&task.lease, Ending::Failed, why).await?;
        }
        let landed = Arc::new(Landed::default());
        let ended = self.attend(&task, &landed, stop).await;
        let stepped = self.conclude(&task, ended, landed.count() > 0).await?;
        Ok(Some((task, stepped)))
    }

    /// Steps until nothing may begin. For whoever drives the clockwork by hand.
    pub async fn drain(&self) -> Result<Vec<(Claimed, Stepped)>, StoreError> {
        let stop = CancellationToken::new();
        let mut done = Vec::new();
        while let Some(stepped) = self.step(true, &stop).await? {
            done.push(stepped);
        }
        Ok(done)
    }

    /// Works while the lease is held and nobody stops it. A panic is a failed attempt.
    async fn attend(&self, task: &Claimed, landed: &Arc<Landed>, stop: &CancellationToken) -> Ended {
        let stands_still = self.known().find(&task.job).and_then(|job| job.no_progress_timeout);
        // on a thread of its own: work that computes for long must not keep its lease from being renewed
        let mut beats = JoinSet::new();
        beats.spawn(beat(self.store.clone(), task.lease.clone(), landed.clone(), stands_still));
        let work = AssertUnwindSafe(Box::pin(self.work(task, landed))).catch_unwind();
        let stopped = async {
            stop.cancelled().await;
            sleep(GRACE).await;
        };
        tokio::select! {
            worked = work => match worked {
                Ok(worked) => Ended::Worked(worked),
                Err(_) => Ended::Worked(Err(Failure::new(Class::Transient, "the program failed in the middle of it; its log says where"))),
            },
            beat = beats.join_next() => match beat {
                Some(Ok(Some(failure))) => Ended::Worked(Err(failure)),
                _ => Ended::Lost,
            },
            () = stopped => Ended::Stopped,
        }
    }

    async fn conclude(&self, task: &Claimed, ended: Ended, progressed: bool) -> Result<Stepped, StoreError> {
        let (lease, job) = (&task.lease, task.job.as_str());
        let now = self.store.now().await?;
        let (stepped, ours) = match ended {
            Ended::Lost => (Stepped::Lost, false),
            Ended::Stopped => (Stepped::HandedBack, self.store.hand_back_task(lease).await?),
            Ended::Worked(Ok(ending)) => (Stepped::Done(ending), self.store.finish_task(lease, ending, now).await?),
            Ended::Worked(Err(failure)) => {
                // work that was cut off in the middle has not ended its run
                self.store.close_runs_of_lease(lease, failure.ending, &failure.error).await?;
                let Claimed { attempt, barren, attempts, .. } = *task;
                let attempt = Attempt { task_id: lease.task_id, attempt, barren, attempts, progressed };
                let retry = self.known().find(job).map(|job| job.retry).unwrap_or_default();
                let Failure { class, error, .. } = &failure;
                match failure.next(&attempt, &retry, now) {
                    Next::Again { due_at } => {
                        tracing::warn!(task_id = lease.task_id, job, %class, error, %due_at, "failed; it is tried again");
                        let ours = self.store.put_off_task(lease, due_at, progressed, error).await?;
                        (Stepped::PutOff(failure), ours)
                    }
                    Next::GivenUp => {
                        tracing::error!(task_id = lease.task_id, job, %class, error, "failed for good; a person decides");
                        let ours = self.store.bury_task(lease, &given_up(task, &failure), now).await?;
                        (Stepped::GivenUp(failure), ours)
                    }
                }
            }
        };
        if ours {
            return Ok(stepped);
        }
        tracing::warn!(task_id = lease.task_id, job, "the lease was lost: what another worker does counts");
        Ok(Stepped::Lost)
    }
}

/// The error of a task that was given up, for people.
fn given_up(task: &Claimed, failure: &Failure) -> String {
    match failure.class {
        Class::Auth | Class::Contract => failure.error.clone(),
        _ if task.attempt == 1 => failure.error.clone(),
        _ => format!("given up after {} attempts; the last: {}", task.attempt, failure.error),
    }
}

/// Renews a lease until it is lost, which is when this ends; with a failure if the work stands still for too long. A lease that could not
/// be renewed counts as lost before it is over.
async fn beat(store: Store, lease: Lease, landed: Arc<Landed>, stands_still: Option<Span>) -> Option<Failure> {
    let every = stands_still.map_or(BEAT, |limit| limit.duration().min(BEAT));
    let (mut renewed_at, mut told) = (Instant::now(), 0);
    let (mut seen, mut seen_at) = (0, Instant::now());
    loop {
        let lost_at = renewed_at + LEASE.saturating_sub(MARGIN);
        sleep_until(lost_at.min(Instant::now() + every)).await;
        if landed.count() > seen {
            (seen, seen_at) = (landed.count(), Instant::now());
        }
        if let Some(limit) = stands_still.filter(|limit| seen_at.elapsed() >= limit.duration()) {
            return Some(Failure::new(Class::Transient, format!("no page landed for {limit} (`no_progress_timeout`)")));
        }
        let asked_at = Instant::now();
        match timeout_at(lost_at, store.renew_task(&lease, seen > told)).await {
            Ok(Ok(true)) => (renewed_at, told) = (asked_at, seen),
            Ok(Err(error)) => tracing::warn!(task_id = lease.task_id, %error, "a lease could not be renewed"),
            Ok(Ok(false)) | Err(_) => return None,
        }
    }
}
