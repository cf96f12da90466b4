//! Opening what is kept of oneself: ID number, certificate number and code must belong together.
//!
//! Whoever guesses hears the same words after the same work, whichever of the three is wrong and whether or not anybody has that ID number.
//! A certificate number follows from the ID number but for a few signs, so it is the code that keeps strangers out, and misses are counted.

use chrono::{DateTime, TimeDelta, Utc};

use super::{PersonError, PersonRefused};
use crate::crypto::{comparable_code, same_hash};
use crate::declare::register::look_up::comparable;
use crate::domain::access::{Action, Actor};
use crate::domain::facts::{PersonId, words};
use crate::domain::ids::{ResidentId, normalise};
use crate::store::Store;
use crate::store::audit::Act;
use crate::store::person_codes::{code_hash, door_index};

/// So many misses within an hour close the door for an hour.
pub(super) const MISSES: usize = 5;
const HOUR: TimeDelta = TimeDelta::hours(1);

/// What the person shows.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    pub id_number: &'a str,
    /// As it is registered now; whoever has both certificates gives either.
    pub certificate_number: &'a str,
    /// As staff handed it out.
    pub code: &'a str,
}

words! {
    /// What can be seen to be mistyped.
    Field { IdNumber = "id_number", Code = "code" }
}

impl Field {
    pub(super) const fn english(self) -> &'static str {
        match self {
            Self::IdNumber => "ID number",
            Self::Code => "code",
        }
    }

    pub(super) const fn chinese(self) -> &'static str {
        match self {
            Self::IdNumber => "身份证号",
            Self::Code => "查询码",
        }
    }
}

/// A person who showed that they are it: made by [`open`] alone.
#[derive(Clone, Debug)]
pub struct PersonActor {
    person: PersonId,
}

impl PersonActor {
    pub fn person(&self) -> PersonId {
        self.person
    }

    /// As the audit names them.
    pub(super) fn actor(&self) -> Actor {
        Actor::person(self.person)
    }
}

/// Opens, and writes that down as the person's own act; a miss is counted.
pub async fn open(store: &Store, shown: Credentials<'_>) -> Result<PersonActor, PersonError> {
    let id = ResidentId::parse(shown.id_number).map_err(|_| PersonRefused::Mistyped(Field::IdNumber))?;
    let code = comparable_code(&normalise(shown.code)).ok_or(PersonRefused::Mistyped(Field::Code))?;
    let at = store.now().await?;
    let door = door_index(store, &id);
    let mut change = store.change().await?;
    change.lock_door(&door).await?;
    let misses = change.list_person_misses(&door, at - HOUR - HOUR, MISSES as i64).await?;
    if let Some(until) = closed_until(&misses, at) {
        change.abandon().await?;
        return Err(PersonRefused::TooManyMisses { until }.into());
    }
    let (kept, registered) = change.find_registered(store, &id).await?;
    let person = kept.map(|kept| kept.person);
    let standing = change.find_person_code(person).await?;
    // nobody's papers are compared too, with what nothing is equal to
    let number_hash = |number: &str| store.keys().blind_index("person_certificate", &comparable(number));
    let given = number_hash(shown.certificate_number);
    let numbers = registered.iter().map(|one| number_hash(&one.number)).chain([[0; 32]]);
    let number_fits = numbers.fold(false, |fits, number| fits | same_hash(&number, &given));
    let (hash, expires_at) =
        standing.map_or(([0; 32], DateTime::<Utc>::MIN_UTC), |standing| (standing.hash, standing.expires_at));
    let holds = at < expires_at;
    let code_fits = same_hash(&hash, &code_hash(store, &code)) & holds;
    let Some(person) = person.filter(|_| number_fits & code_fits) else {
        change.save_person_miss(&door, at).await?;
        change.commit().await?;
        return Err(PersonRefused::NotFitting.into());
    };
    let opened = PersonActor { person };
    let own = opened.actor();
    change.record(&Act::read(at, &own, Action::OpenOwn, format!("person {}", person.0))).await?;
    change.commit().await?;
    Ok(opened)
}

/// Until when the door is closed, if it is; the misses, newest first.
fn closed_until(misses: &[DateTime<Utc>], at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (newest, oldest) = (misses.first()?, misses.get(MISSES - 1)?);
    let until = *newest + HOUR;
    (*newest - *oldest <= HOUR && at < until).then_some(until)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    /// Until which minute the door is closed by misses at these minutes.
    fn closed(minutes: &[i64], now: i64) -> Option<i64> {
        let misses: Vec<DateTime<Utc>> = minutes.iter().rev().map(|minute| at(*minute)).collect();
        closed_until(&misses[..misses.len().min(MISSES)], at(now)).map(|until| (until - at(0)).num_minutes())
    }

    #[test]
    fn five_misses_within_an_hour_close_the_door_for_an_hour_from_the_last() {
        assert_eq!(closed(&[], 0), None);
        assert_eq!(closed(&[0, 10, 20, 30], 31), None);
        assert_eq!(closed(&[0, 10, 20, 30, 60], 61), Some(120));
        assert_eq!(closed(&[0, 10, 20, 30, 60], 120), None);
        assert_eq!(closed(&[0, 10, 20, 30, 61], 62), None, "not within an hour");
        // what came before does not matter
        assert_eq!(closed(&[0, 1, 2, 3, 4, 70, 80], 81), None);
    }
}
