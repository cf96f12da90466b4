//! A re-verification that staff asked for: every source that can be asked for single persons is asked for these, then they are verified.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::Schedule;
use super::failure::{Class, Failure};
use crate::config::{Job, JobKind};
use crate::domain::facts::PersonId;
use crate::errors;
use crate::ingest;
use crate::store::Store;
use crate::store::reverifications::Reverification;
use crate::store::runs::{Ending, Trigger};
use crate::store::tasks::Claimed;
use crate::verify::{Selection, verify};

/// So long one source is waited for, and a second more for each person; also where another pull of it goes on: somebody at the counter waits.
const PATIENCE: Duration = Duration::from_mins(2);
/// Sources that are asked at once for one task. Each holds a connection of ours while it is waited for.
const SOURCES_AT_ONCE: usize = 3;

impl Schedule {
    /// Does it to its end. A source that does not answer keeps nobody from what the others say: what was pulled of it last stands.
    pub(super) async fn reverify(&self, store: &Store, task: &Claimed) -> Result<Ending, Failure> {
        let asked = Reverification::of_key(&task.key);
        let asked = asked.ok_or_else(|| Failure::new(Class::Contract, "the task does not say whom to verify"))?;
        let Reverification { employer, person, year } = asked;
        let persons = match person {
            Some(person) => vec![person],
            None => store.placed_persons(year, employer, store.head().await?).await?,
        };
        let known = self.known();
        let mut pulls = known.jobs.iter().filter(|job| job.kind == JobKind::Pull);
        let (mut asking, mut missing) = (FuturesUnordered::new(), false);
        loop {
            while asking.len() < SOURCES_AT_ONCE
                && let Some(job) = pulls.next()
            {
                asking.push(self.ask_afresh(store, job, &persons, task));
            }
            match asking.next().await {
                Some(answered) => missing |= !answered,
                None => break,
            }
        }
        let selection = Selection { persons: person.into_iter().collect(), ..Selection::of_employer(employer) };
        verify(store, &self.policy, year, &selection, by(task, None), &|_| ()).await?;
        Ok(if missing { Ending::DoneWithRefusals } else { Ending::Done })
    }

    /// False: it should have answered and did not. One that cannot be asked so is left out.
    async fn ask_afresh(&self, store: &Store, job: &Job, persons: &[PersonId], task: &Claimed) -> bool {
        let patience = PATIENCE + Duration::from_secs(persons.len() as u64);
        let by = by(task, Some(&job.name));
        match ingest::pull_persons(store, job, &self.environment, persons, Some(patience), by).await {
            Ok(_) => true,
            Err(error) => {
                let error = errors::chain(&error);
                tracing::warn!(job = %job.name, task_id = task.lease.task_id, error, "could not be asked afresh");
                false
            }
        }
    }
}

fn by<'a>(task: &'a Claimed, job: Option<&'a str>) -> Trigger<'a> {
    Trigger { job, ..(&task.created_by).into() }
}
