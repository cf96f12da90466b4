//! What a task does: a pull, a verification, a push.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Schedule;
use super::events::tell_subscribers;
use super::export::export;
use super::failure::{Class, Failure};
use super::hand_over::{hand_over, leave_waiting};
use super::reconcile::{compare_sides, is_clean, nobody_to_ask};
use super::remind::Reminding;
use crate::config::{Job, JobKind, TaxMode};
use crate::ingest::{self, PullOutcome, Range};
use crate::push::reconcile::Looking;
use crate::store::Store;
use crate::store::reverifications::KIND;
use crate::store::runs::{Ending, Trigger};
use crate::store::tasks::Claimed;
use crate::verify::nightly::verify_years;

/// How far an attempt has come: whether it gets somewhere at all.
#[derive(Debug, Default)]
pub(super) struct Landed(AtomicU64);

impl Landed {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Steps that are stored for good.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Schedule {
    /// Does a task's work to its end. Dropped halfway it leaves what a killed process leaves, from which the next attempt goes on.
    pub(super) async fn work(&self, task: &Claimed, landed: &Landed) -> Result<Ending, Failure> {
        if task.kind == KIND {
            return self.reverify(&self.store.working_for(task), task).await;
        }
        let known = self.known();
        let Some(job) = known.find(&task.job) else {
            let error = format!("there is no job `{}` any more; there are {}", task.job, known.names().join(", "));
            return Err(Failure::new(Class::Contract, error));
        };
        let store = self.store.working_for(task);
        match job.kind {
            // which minds its time itself
            JobKind::Pull => self.pull(&store, job, task, landed).await,
            JobKind::Verify => within(job, self.verify(&store, task)).await,
            JobKind::Push => within(job, self.push(&store, job, task)).await,
            JobKind::Maintain => within(job, self.maintain(&store, job, task)).await,
            JobKind::Remind => {
                let (reading, jobs, alerts) = (&self.policy, &known.jobs[..], &self.alerts);
                let reminding = Reminding { store: &store, reading, jobs, alerts };
                within(job, async {
                    reminding.remind(job, &task.created_by).await?;
                    Ok(Ending::Done)
                })
                .await
            }
            JobKind::Reconcile => within(job, self.reconcile(&store, job, task)).await,
            JobKind::Export => within(job, self.export(&store, job, task)).await,
            JobKind::DeliverEvents => {
                within(job, async {
                    tell_subscribers(&store, &job.name, self.events, &task.created_by).await?;
                    Ok(Ending::Done)
                })
                .await
            }
        }
    }

    async fn pull(&self, store: &Store, job: &Job, task: &Claimed, landed: &Landed) -> Result<Ending, Failure> {
        let range = task.days.map(|(from, to)| Range { from, to });
        let heard = |_: ingest::Progress| landed.add();
        let report = ingest::pull(store, job, &self.environment, range, &task.created_by, &heard).await?;
        Ok(match report.outcome {
            PullOutcome::Held => Ending::Held,
            _ if report.counts.refused > 0 => Ending::DoneWithRefusals,
            _ => Ending::Done,
        })
    }

    async fn verify(&self, store: &Store, task: &Claimed) -> Result<Ending, Failure> {
        let by = Trigger { date: task.date_of_runs(), ..(&task.created_by).into() };
        let years = verify_years(store, &self.policy, by, &|_| ()).await?;
        let unjudged = years.iter().flat_map(|year| year.summary.without_wage_class.values());
        let (employers, placements) =
            unjudged.fold((0, 0), |(employers, all), one| (employers + 1, all + one.placements));
        if employers == 0 {
            return Ok(Ending::Done);
        }
        tracing::warn!(employers, placements, "not judged: the policy has no wage class for their divisions");
        Ok(Ending::DoneWithRefusals)
    }

    /// Removes what is kept no longer.
    async fn maintain(&self, store: &Store, job: &Job, task: &Claimed) -> Result<Ending, Failure> {
        store.maintain(&job.name, &self.keep, &task.created_by).await?;
        Ok(Ending::Done)
    }

    async fn export(&self, store: &Store, job: &Job, task: &Claimed) -> Result<Ending, Failure> {
        let exported = export(store, job, &self.environment, self.tax_mode, &task.created_by).await?;
        Ok(if exported.refused > 0 { Ending::DoneWithRefusals } else { Ending::Done })
    }

    async fn push(&self, store: &Store, job: &Job, task: &Claimed) -> Result<Ending, Failure> {
        match &self.tax {
            _ if self.tax_mode != TaxMode::Push => {
                let why = format!("`tax.mode` is `{}`: messages are not sent by us", self.tax_mode);
                leave_waiting(store, &job.name, &task.created_by, &why).await?;
            }
            Some(tax) => {
                hand_over(store, &job.name, tax, &task.created_by, &self.gate, |_| ()).await?;
            }
            // an alert tells of it once
            None => {
                let why = "the tax department is not set; what waits stays";
                leave_waiting(store, &job.name, &task.created_by, why).await?;
            }
        }
        Ok(Ending::Done)
    }

    async fn reconcile(&self, store: &Store, job: &Job, task: &Claimed) -> Result<Ending, Failure> {
        let Some(tax) = &self.tax else {
            nobody_to_ask(store, &job.name, &task.created_by).await?;
            return Ok(Ending::Done);
        };
        let years = compare_sides(store, &job.name, tax, &task.created_by, Looking::default()).await?;
        Ok(if is_clean(&years) { Ending::Done } else { Ending::DoneWithRefusals })
    }
}

/// No longer than the job may take.
async fn within(job: &Job, work: impl Future<Output = Result<Ending, Failure>>) -> Result<Ending, Failure> {
    let timeout = tokio::time::timeout(job.timeout.duration(), work);
    timeout.await.unwrap_or_else(|_| {
        let error = format!("took longer than `timeout` = {}", job.timeout);
        Err(Failure { ending: Ending::TimedOut, ..Failure::new(Class::Transient, error) })
    })
}
