//! The folder of job files while the program runs: whether it changed, and to what.

use std::path::{Path, PathBuf};

use super::check::check_jobs;
use super::error::ConfigError;
use super::job::{Job, read_jobs};

/// Every job file with its text; none where it cannot be read.
type Texts = Vec<(PathBuf, Option<String>)>;

/// A folder of job files that is looked at from time to time.
#[derive(Debug)]
pub struct JobFolder {
    path: PathBuf,
    /// What was taken in last.
    taken: Texts,
    /// What was seen at the last look, if it was another: half a change is none, so that it counts when it is seen twice.
    changing: Option<Texts>,
}

/// Jobs as they are now, or the first thing that is wrong with them.
pub type Reread = Result<Vec<Job>, ConfigError>;

impl JobFolder {
    /// As it is now is how it was taken in.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), taken: texts(path), changing: None }
    }

    /// The jobs, if the files are others than those taken in and the same as at the last look. `None`: nothing changed.
    pub fn look(&mut self) -> Option<Reread> {
        let now = texts(&self.path);
        if now == self.taken {
            self.changing = None;
            return None;
        }
        if self.changing.as_ref() != Some(&now) {
            self.changing = Some(now);
            return None;
        }
        let (jobs, mut errors) = read_jobs(&self.path);
        errors.extend(check_jobs(&jobs));
        if jobs.is_empty() && errors.is_empty() {
            errors.push(ConfigError::of_file(&self.path, "holds no job files any more"));
        }
        Some(errors.into_iter().next().map_or(Ok(jobs), Err))
    }

    /// What was seen last is in use, or known to be broken: it is not told again until it changes.
    pub fn take(&mut self) {
        if let Some(seen) = self.changing.take() {
            self.taken = seen;
        }
    }
}

/// In the order of their names. An unreadable folder is one without files, of which its reading says what is wrong.
fn texts(folder: &Path) -> Texts {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut texts: Texts = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).ok();
            (path, text)
        })
        .collect();
    texts.sort();
    texts
}
