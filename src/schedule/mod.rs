//! Clockwork: what is due becomes tasks, tasks become runs, and nobody has to watch. Any number of processes on one database share the
//! work; none is special.
//!
//! [`Schedule::tick`] decides what is due, [`Schedule::step`] does one piece of work. Neither waits: whoever wants to wait in between is
//! in [`serve`].

use std::sync::atomic::AtomicI64;

use crate::config::{Environment, Job, TaxSettings};
use crate::domain::retention::Keep;
use crate::store::Store;
use crate::verify::Reading;

pub mod backfill;
mod concerned;
pub mod decide;
pub mod failure;
pub mod serve;
mod step;
mod tick;
pub mod waiting;
mod work;

pub use step::Stepped;

/// In whose name scheduled work is done.
pub const ACTOR: &str = "schedule";

/// What the clockwork of one process works with. Jobs, policy and settings are those of its start.
pub struct Schedule {
    store: Store,
    jobs: Vec<Job>,
    environment: Environment,
    policy: Reading,
    tax: Option<TaxSettings>,
    keep: Keep,
    /// The publish up to which people who became concerned were looked for.
    concerned_until: AtomicI64,
}

impl Schedule {
    /// `jobs` are registered in the store already.
    pub fn new(
        store: Store,
        jobs: Vec<Job>,
        environment: Environment,
        policy: Reading,
        tax: Option<TaxSettings>,
        keep: Keep,
    ) -> Self {
        Self { store, jobs, environment, policy, tax, keep, concerned_until: AtomicI64::new(-1) }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    fn job_names(&self) -> Vec<String> {
        self.jobs.iter().map(|job| job.name.clone()).collect()
    }

    fn find_job(&self, name: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.name == name)
    }
}
