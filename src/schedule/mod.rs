//! Clockwork: what is due becomes tasks, tasks become runs, and nobody has to watch. Any number of processes on one database share the
//! work; none is special.
//!
//! [`Schedule::tick`] decides what is due, [`Schedule::step`] does one piece of work. Neither waits: whoever wants to wait in between is
//! in [`serve`].

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use crate::config::{AlertSettings, Environment, EventSettings, Job, TaxMode, TaxSettings};
use crate::domain::retention::Keep;
use crate::push::gate::Gate;
use crate::store::Store;
use crate::verify::Reading;

pub mod backfill;
mod concerned;
pub mod decide;
pub mod events;
pub mod export;
pub mod failure;
pub mod hand_over;
mod jobs;
pub mod reconcile;
pub mod remind;
mod reverify;
pub mod serve;
mod step;
mod tick;
pub mod waiting;
mod work;

use jobs::Jobs;
pub use jobs::Known;
pub use step::Stepped;

/// In whose name scheduled work is done.
pub const ACTOR: &str = "schedule";

/// What the clockwork of one process works with. Policy and settings are those of its start.
pub struct Schedule {
    store: Store,
    jobs: Jobs,
    environment: Environment,
    policy: Reading,
    tax: Option<TaxSettings>,
    tax_mode: TaxMode,
    keep: Keep,
    alerts: AlertSettings,
    events: EventSettings,
    /// Shut until both sides were compared.
    gate: Gate,
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
        let concerned_until = AtomicI64::new(-1);
        let alerts = AlertSettings::default();
        Self {
            store,
            jobs: Jobs::new(jobs),
            environment,
            policy,
            tax,
            tax_mode: TaxMode::Push,
            keep,
            alerts,
            events: EventSettings::default(),
            gate: Gate::default(),
            concerned_until,
        }
    }

    /// Who hears of what is not finished, and when what is agreed is completed.
    #[must_use]
    pub fn telling(self, alerts: AlertSettings) -> Self {
        Self { alerts, ..self }
    }

    /// How events reach the programs that subscribed to them.
    #[must_use]
    pub fn sending_events(self, events: EventSettings) -> Self {
        Self { events, ..self }
    }

    /// How messages reach the tax department, where it is not by sending them.
    #[must_use]
    pub fn handing_over_by(self, tax_mode: TaxMode) -> Self {
        Self { tax_mode, ..self }
    }

    /// The jobs are those of a folder, and read anew when its files change.
    #[must_use]
    pub fn of_folder(self, folder: &Path) -> Self {
        Self { jobs: self.jobs.of_folder(folder), ..self }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The jobs as they are now.
    pub fn known(&self) -> Arc<Known> {
        self.jobs.known()
    }
}
