//! What a task does: a pull, a verification, a push.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::Datelike;

use super::Schedule;
use super::failure::{Class, Failure};
use crate::clock;
use crate::config::{Job, JobKind};
use crate::declare::news::apply_news;
use crate::ingest::{self, PullOutcome, Range};
use crate::push;
use crate::store::Store;
use crate::store::runs::Ending;
use crate::store::tasks::Claimed;
use crate::verify::{Selection, verify};

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
        let Some(job) = self.find_job(&task.job) else {
            let known = self.job_names().join(", ");
            let error = format!("there is no job `{}` any more; there are {known}", task.job);
            return Err(Failure::new(Class::Contract, error));
        };
        let store = self.store.working_for(task);
        match job.kind {
            // which minds its time itself
            JobKind::Pull => self.pull(&store, job, task, landed).await,
            JobKind::Verify => within(job, self.verify(&store, task)).await,
            JobKind::Push => within(job, self.push(&store, job, task)).await,
            JobKind::Maintain => within(job, self.maintain(&store, job, task)).await,
            JobKind::Reconcile | JobKind::Export | JobKind::Remind => Err(Failure::new(
                Class::Contract,
                format!(
                    "this version does not run jobs of kind `{}`; it runs `pull`, `verify`, `push` and `maintain`",
                    job.kind
                ),
            )),
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

    /// The running year and the one before, as far as the policy has rules for them.
    async fn verify(&self, store: &Store, task: &Claimed) -> Result<Ending, Failure> {
        let this_year = clock::business_date(store.now().await?).year();
        for year in [this_year - 1, this_year] {
            if self.policy.policy.knows_year(year) {
                verify(store, &self.policy, year, &Selection::default(), &task.created_by, &|_| ()).await?;
            }
        }
        Ok(Ending::Done)
    }

    /// Removes what is kept no longer.
    async fn maintain(&self, store: &Store, job: &Job, task: &Claimed) -> Result<Ending, Failure> {
        store.maintain(&job.name, &self.keep, &task.created_by).await?;
        Ok(Ending::Done)
    }

    /// Sends what waits, as far as the department takes it now, and takes in the answers.
    async fn push(&self, store: &Store, job: &Job, task: &Claimed) -> Result<Ending, Failure> {
        let run = store.start_run("push", &job.name, &task.created_by).await?;
        let (ending, counts, failure) = match self.send(store).await {
            Ok(counts) => (Ending::Done, counts, None),
            Err(failure) => (Ending::Failed, serde_json::json!({}), Some(failure)),
        };
        let error = failure.as_ref().map(|failure| failure.error.as_str());
        store.finish_run(&run, ending, &counts, error).await?;
        failure.map_or(Ok(ending), Err)
    }

    async fn send(&self, store: &Store) -> Result<serde_json::Value, Failure> {
        let Some(tax) = &self.tax else {
            let error = "the tax department is not set: RENZHENG_TAX_URL, RENZHENG_TAX_KEY_ID, RENZHENG_TAX_KEY";
            return Err(Failure::new(Class::Contract, error));
        };
        let client = push::Client::new(tax)?;
        let drained = push::drain(store, &client, u64::MAX, |_| ()).await?;
        let answers = apply_news(store).await?;
        let mut counts = serde_json::to_value(drained).unwrap_or_default();
        counts["answers"] = answers.into();
        Ok(counts)
    }
}

/// No longer than the job may take.
async fn within(job: &Job, work: impl Future<Output = Result<Ending, Failure>>) -> Result<Ending, Failure> {
    let timeout = tokio::time::timeout(job.timeout.duration(), work);
    timeout.await.unwrap_or_else(|_| {
        Err(Failure::new(Class::Transient, format!("took longer than `timeout` = {}", job.timeout)))
    })
}
