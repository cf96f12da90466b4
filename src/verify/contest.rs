//! One person's month between employers: who holds the claim, who unticked it, for whom staff decided, and what follows for each.

use std::collections::HashMap;

use crate::domain::facts::{PersonId, UnitId, words};
use crate::domain::judge::{Stake, in_conflict};
use crate::domain::month::Month;
use crate::store::facts::Scope;
use crate::store::{Store, StoreError};

words! {
    /// What was stated of a month and an employer.
    What { Claim = "claim", Unticked = "unticked", Decided = "decided" }
}

/// What was stated, of one month of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stated {
    pub month: Month,
    pub employer: UnitId,
    pub what: What,
}

/// A month with what was stated of it.
#[derive(Clone, Copy, Debug)]
pub struct Contest<'a> {
    stated: &'a [Stated],
    month: Month,
}

/// The stake of each employer who placed the person, and whether somebody else holds the claim.
#[derive(Clone, Debug)]
pub struct Stakes {
    pub each: Vec<(UnitId, Stake)>,
    /// An employer without a placement holds the claim.
    pub claimed_elsewhere: Option<UnitId>,
}

impl<'a> Contest<'a> {
    /// `stated`: of one person, all months.
    pub fn over(stated: &'a [Stated], month: Month) -> Self {
        Self { stated, month }
    }

    fn says(self, what: What) -> impl Iterator<Item = UnitId> + 'a {
        let of_month = move |stated: &&Stated| stated.month == self.month && stated.what == what;
        self.stated.iter().filter(of_month).map(|stated| stated.employer)
    }

    pub fn holder(self) -> Option<UnitId> {
        self.says(What::Claim).next()
    }

    /// For whom staff decided.
    pub fn decided(self) -> Option<UnitId> {
        self.says(What::Decided).next()
    }

    pub fn is_unticked(self, employer: UnitId) -> bool {
        self.says(What::Unticked).any(|unit| unit == employer)
    }

    /// `passing`: every employer who placed the person, and whether its seven checks pass.
    pub fn stakes(self, passing: impl IntoIterator<Item = (UnitId, bool)>) -> Stakes {
        let (holder, decided) = (self.holder(), self.decided());
        let each: Vec<(UnitId, Stake)> = passing
            .into_iter()
            .map(|(employer, passes)| {
                let ticked = !self.is_unticked(employer);
                let stake = Stake {
                    passes: passes && ticked,
                    holds_claim: holder == Some(employer),
                    prevails: decided == Some(employer) && ticked,
                };
                (employer, stake)
            })
            .collect();
        let inside = each.iter().any(|(_, stake)| stake.holds_claim);
        Stakes { each, claimed_elsewhere: holder.filter(|_| !inside) }
    }
}

impl Stakes {
    /// Whether each employer's month is in conflict, in their order.
    pub fn in_conflict(&self) -> Vec<bool> {
        let stakes: Vec<Stake> = self.each.iter().map(|(_, stake)| *stake).collect();
        (0..stakes.len()).map(|own| in_conflict(&stakes, own, self.claimed_elsewhere.is_some())).collect()
    }
}

/// What was stated of the months of the persons of a scope; who is missing, of them nothing was.
pub async fn stated(store: &Store, scope: &Scope) -> Result<HashMap<PersonId, Vec<Stated>>, StoreError> {
    let mut columns = store.stake_columns(scope).await?;
    let (persons, months) = (columns.take_int8("person_id")?, columns.take_int4("month")?);
    let (employers, whats) = (columns.take_int4("employer_id")?, columns.take_int4("what")?);
    let mut stated: HashMap<PersonId, Vec<Stated>> = HashMap::new();
    for (place, person) in persons.into_iter().enumerate() {
        let month = Month::from_index(months[place]);
        let what = u8::try_from(whats[place]).ok().and_then(What::from_number);
        if let (Some(month), Some(what)) = (month, what) {
            let employer = UnitId(employers[place]);
            stated.entry(PersonId(person)).or_default().push(Stated { month, employer, what });
        }
    }
    Ok(stated)
}
