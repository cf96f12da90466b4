//! The jobs of a serving process: those of its start, until their files change to others that can be worked with.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::config::{Job, JobFolder};
use crate::store::{Store, StoreError};
use crate::{errors, ingest};

/// The jobs in use, and what is wrong with their files if these changed to something that cannot be used.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub jobs: Vec<Job>,
    pub broken: Option<String>,
}

impl Known {
    pub fn find(&self, name: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.name == name)
    }

    pub fn names(&self) -> Vec<String> {
        self.jobs.iter().map(|job| job.name.clone()).collect()
    }
}

/// What is known, for several who look.
#[derive(Debug)]
pub(super) struct Jobs {
    known: RwLock<Arc<Known>>,
    folder: Option<Mutex<JobFolder>>,
}

impl Jobs {
    pub(super) fn new(jobs: Vec<Job>) -> Self {
        Self { known: RwLock::new(Arc::new(Known { jobs, broken: None })), folder: None }
    }

    /// They are read anew when their files change.
    pub(super) fn of_folder(self, folder: &Path) -> Self {
        Self { folder: Some(Mutex::new(JobFolder::new(folder))), ..self }
    }

    pub(super) fn known(&self) -> Arc<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over what changed, once it is registered; what cannot be worked with leaves the former in use.
    pub(super) async fn reread(&self, store: &Store) -> Result<(), StoreError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let Some(reread) = folder.lock().unwrap_or_else(PoisonError::into_inner).look() else { return Ok(()) };
        let next = match reread {
            Ok(jobs) => {
                let at = store.now().await?;
                store.save_jobs(&ingest::settings_of(&jobs), at).await?;
                tracing::info!(jobs = jobs.len(), "the job files changed: these are in use now");
                Known { jobs, broken: None }
            }
            Err(error) => {
                let why = errors::chain(&error);
                tracing::error!(why, "the job files changed and cannot be worked with: the former jobs go on");
                Known { broken: Some(why), ..(*self.known()).clone() }
            }
        };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        folder.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(())
    }
}
