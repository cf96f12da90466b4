//! After a change that others see: whoever it touches is judged anew within a moment, many at once, and nobody waits for it. What a dying
//! process leaves of it, the night does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::domain::facts::{PersonId, UnitId};
use crate::errors;
use crate::policy::Reading;
use crate::store::Store;
use crate::store::runs::Trigger;
use crate::verify::{Selection, verify};

/// Whom changes touched, and who is not judged anew yet.
#[derive(Debug, Default)]
pub(super) struct Anew {
    touched: Mutex<BTreeMap<i32, Touched>>,
    rung: Notify,
}

/// Of one business year.
#[derive(Debug, Default)]
struct Touched {
    persons: BTreeSet<PersonId>,
    employers: BTreeSet<UnitId>,
}

impl Anew {
    /// One person, at every employer of theirs.
    pub(super) fn judge_person(&self, person: PersonId, year: i32) {
        self.note(year, |touched| touched.persons.insert(person));
    }

    /// Everybody whom the employer has placed, at every employer of theirs.
    pub(super) fn judge_placed(&self, employer: UnitId, year: i32) {
        self.note(year, |touched| touched.employers.insert(employer));
    }

    /// How many persons and employers wait to be judged; those that are being judged wait no more.
    pub(super) fn waiting(&self) -> usize {
        let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.values().map(|of_year| of_year.persons.len() + of_year.employers.len()).sum()
    }

    fn note(&self, year: i32, note: impl FnOnce(&mut Touched) -> bool) {
        note(self.touched.lock().unwrap_or_else(PoisonError::into_inner).entry(year).or_default());
        self.rung.notify_one();
    }

    /// Judges whoever is touched, until it is stopped, and those that wait then.
    pub(super) async fn keep_judging(&self, store: &Store, reading: &Reading, stop: &CancellationToken) {
        while stop.run_until_cancelled(self.rung.notified()).await.is_some() {
            self.judge(store, reading).await;
        }
        self.judge(store, reading).await;
    }

    async fn judge(&self, store: &Store, reading: &Reading) {
        while let Some((year, selection)) = self.take_next() {
            let by = Trigger { because: "what users changed", ..Trigger::from("serve") };
            if let Err(error) = verify(store, reading, year, &selection, by, &|_| ()).await {
                tracing::warn!(error = errors::chain(&error), "not judged anew yet; the night does it");
            }
        }
    }

    /// Who is judged next: an employer, or all the persons of a year.
    fn take_next(&self) -> Option<(i32, Selection)> {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut of_year = touched.first_entry()?;
            let year = *of_year.key();
            let Touched { persons, employers } = of_year.get_mut();
            if let Some(employer) = employers.pop_first() {
                return Some((year, Selection::of_employer(employer)));
            }
            let persons = std::mem::take(persons);
            of_year.remove();
            if !persons.is_empty() {
                return Some((year, Selection::of_persons(persons.into_iter().collect())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_to_be_judged_waits_once_in_each_year() {
        let anew = Anew::default();
        assert_eq!(anew.waiting(), 0);
        anew.judge_person(PersonId(1), 2025);
        anew.judge_person(PersonId(1), 2025);
        anew.judge_person(PersonId(1), 2026);
        anew.judge_placed(UnitId(1), 2025);
        assert_eq!(anew.waiting(), 3);
        let mut left = Vec::new();
        while anew.take_next().is_some() {
            left.push(anew.waiting());
        }
        assert_eq!(left, [2, 1, 0], "whoever is judged waits no more, all others do");
    }
}
