//! After a change that others see: whoever it touches is judged anew within a moment, many at once, and nobody waits for it. What a dying
//! process leaves of it, the night does.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::domain::facts::{PersonId, UnitId};
use crate::errors;
use crate::policy::Reading;
use crate::store::Store;
use crate::store::runs::Trigger;
use crate::verify::changes::{Cause, Causes};
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
    persons: BTreeMap<PersonId, Causes>,
    employers: BTreeMap<UnitId, Causes>,
}

impl Anew {
    /// One person, at every employer of theirs.
    pub(super) fn judge_person(&self, person: PersonId, year: i32, because: Cause) {
        self.note(year, |touched| touched.persons.entry(person).or_default().add(because));
    }

    /// Everybody whom the employer has placed, at every employer of theirs.
    pub(super) fn judge_placed(&self, employer: UnitId, year: i32, because: Cause) {
        self.note(year, |touched| touched.employers.entry(employer).or_default().add(because));
    }

    /// How many persons and employers wait to be judged; those that are being judged wait no more.
    pub(super) fn waiting(&self) -> usize {
        let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.values().map(|of_year| of_year.persons.len() + of_year.employers.len()).sum()
    }

    fn note(&self, year: i32, note: impl FnOnce(&mut Touched)) {
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

    /// Who is judged next: an employer, or all the persons of a year who are judged for the same causes.
    fn take_next(&self) -> Option<(i32, Selection)> {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut of_year = touched.first_entry()?;
            let year = *of_year.key();
            let Touched { persons, employers } = of_year.get_mut();
            if let Some((employer, because)) = employers.pop_first() {
                return Some((year, Selection::of_employer(employer).because(because)));
            }
            if let Some((_, because)) = persons.first_key_value().map(|(person, because)| (*person, *because)) {
                let together = persons.extract_if(.., |_, causes| *causes == because).map(|(person, _)| person);
                return Some((year, Selection::of_persons(together.collect()).because(because)));
            }
            of_year.remove();
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
        for (person, year, because) in [
            (1, 2025, Cause::Choice),
            (1, 2025, Cause::Entry),
            (2, 2025, Cause::Choice),
            (3, 2025, Cause::Choice),
            (1, 2026, Cause::Choice),
        ] {
            anew.judge_person(PersonId(person), year, because);
        }
        anew.judge_placed(UnitId(1), 2025, Cause::Claim);
        assert_eq!(anew.waiting(), 5);
        let mut judged = Vec::new();
        while let Some((year, selection)) = anew.take_next() {
            let persons: Vec<i64> = selection.persons.iter().map(|person| person.0).collect();
            let because: Vec<&str> = selection.because.list().into_iter().map(Cause::as_str).collect();
            judged.push((year, persons, because.join(" "), anew.waiting()));
        }
        let expected = [
            (2025, vec![], "claim", 4),
            (2025, vec![1], "entry choice", 3),
            (2025, vec![2, 3], "choice", 1),
            (2026, vec![1], "choice", 0),
        ];
        assert_eq!(judged, expected.map(|(year, persons, because, left)| (year, persons, because.to_owned(), left)));
    }
}
