//! Whom a verification must judge anew, and why: everybody, or those whom something touched since the last one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::knowledge::Sources;
use crate::domain::facts::{PersonId, RecordKind, words};
use crate::store::changes::{Between, Verified};
use crate::store::facts::{Freshness, Shard};
use crate::store::jobs::JobSettings;
use crate::store::{Store, StoreError};

words! {
    /// Why a placement was judged again.
    Cause {
        /// Everything is: the first time, or because it was asked for.
        Full = "full",
        /// A delivery was published: the person of a new version or of the one it supersedes, or a refused record.
        Publish = "publish",
        /// A period settled, or a source became complete for people who are new.
        Settled = "settled",
        /// A placement, contract or employer was entered or changed.
        Entry = "entry",
        /// A claim was taken or released.
        Claim = "claim",
        /// A filing changed, begins or ends, or a register became stale or current.
        Date = "date",
        /// The policy changed.
        Policy = "policy",
        /// A pull's settings changed.
        Job = "job",
        /// This employer or person was asked for, or was by itself since everybody was judged: what was so then may be otherwise.
        Asked = "asked",
        /// A month was ticked or unticked: whether it is a rival of the person's other placements.
        Choice = "choice",
        /// Staff decided a conflict, or took that back.
        Conflict = "conflict",
    }
}

/// Several causes, as bits in the order of [`Cause`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Causes(pub i16);

impl Causes {
    pub fn of(cause: Cause) -> Self {
        Self(1 << cause.number())
    }

    pub fn add(&mut self, cause: Cause) {
        self.0 |= 1 << cause.number();
    }

    pub fn list(self) -> Vec<Cause> {
        Cause::ALL.iter().copied().filter(|cause| self.0 & (1 << cause.number()) != 0).collect()
    }
}

/// Whom to judge.
#[derive(Clone, Debug)]
pub enum Work {
    Everybody(Cause),
    These(BTreeMap<PersonId, Causes>),
}

/// The point at which a verification judges.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub seq: i64,
    pub business_date: NaiveDate,
}

/// What changed for the persons of a shard since it was last verified.
pub async fn since_last(
    store: &Store,
    year: i32,
    shard: Shard,
    now: Point,
    policy_version: &str,
) -> Result<Work, StoreError> {
    let Some(last) = store.find_verified(year, shard).await? else {
        return Ok(Work::Everybody(Cause::Full));
    };
    let mut touched = match since(store, year, &last.verified, now, policy_version).await? {
        Work::These(touched) => touched,
        everybody @ Work::Everybody(_) => return Ok(everybody),
    };
    for person in store.persons_judged_apart(year, shard, last.run).await? {
        touched.entry(person).or_default().add(Cause::Asked);
    }
    let ids: Vec<PersonId> =
        touched.keys().copied().filter(|person| person.0 % i64::from(shard.of) == i64::from(shard.number)).collect();
    let mut concerned: BTreeSet<PersonId> = store.placed_among(year, now.seq, &ids).await?.into_iter().collect();
    // whoever is placed no more may have results that are to go
    let rest: Vec<PersonId> = ids.into_iter().filter(|person| !concerned.contains(person)).collect();
    concerned.extend(store.judged_among(year, &rest).await?);
    touched.retain(|person, _| concerned.contains(person));
    Ok(Work::These(touched))
}

/// Whether any of these persons may be judged otherwise at a sequence than at one before it, on the same day and by the same policy.
pub async fn is_any_touched(
    store: &Store,
    year: i32,
    persons: &[PersonId],
    last: &Verified,
    seq: i64,
) -> Result<bool, StoreError> {
    let now = Point { seq, business_date: last.business_date };
    Ok(match since(store, year, last, now, &last.policy_version).await? {
        Work::Everybody(_) => true,
        Work::These(touched) => persons.iter().any(|person| touched.contains_key(person)),
    })
}

/// Whom what changed between two points touches, placed or not.
async fn since(
    store: &Store,
    year: i32,
    last: &Verified,
    now: Point,
    policy_version: &str,
) -> Result<Work, StoreError> {
    if last.seq > now.seq || last.business_date > now.business_date {
        // time went backwards: nothing can be said of what did not happen yet
        return Ok(Work::Everybody(Cause::Full));
    }
    if last.policy_version != policy_version {
        return Ok(Work::Everybody(Cause::Policy));
    }
    let (before, after) = (store.freshness(last.seq).await?, store.freshness(now.seq).await?);
    if settings(&before) != settings(&after) {
        return Ok(Work::Everybody(Cause::Job));
    }
    let mut touched: BTreeMap<PersonId, Causes> = BTreeMap::new();
    let mut add = |persons: Vec<PersonId>, cause| {
        for person in persons {
            touched.entry(person).or_default().add(cause);
        }
    };
    let between = Between { after: last.seq, up_to: now.seq };
    add(store.touched_persons(last.seq, now.seq).await?, Cause::Publish);
    add(store.persons_entered(year, between).await?, Cause::Entry);
    add(store.persons_claimed(year, between).await?, Cause::Claim);
    add(store.persons_chosen(year, between).await?, Cause::Choice);
    add(store.persons_decided(year, between).await?, Cause::Conflict);
    let companies = store.companies_touched(between, (last.business_date, now.business_date)).await?;
    add(store.persons_dispatched(year, &companies).await?, Cause::Date);
    if settled_further(&before, &after) {
        add(store.persons_pending(year).await?, Cause::Settled);
    }
    for (from, to) in completed(&before, &after) {
        add(store.persons_concerned(from, to, i64::MAX).await?, Cause::Settled);
    }
    if current(&before, last) != current(&after, &Verified { business_date: now.business_date, ..last.clone() }) {
        return Ok(Work::Everybody(Cause::Date));
    }
    Ok(Work::These(touched))
}

fn settings(sources: &[Freshness]) -> Vec<&JobSettings> {
    sources.iter().map(|source| &source.settings).collect()
}

/// Whether a source reaches further than it did: more periods are settled.
fn settled_further(before: &[Freshness], after: &[Freshness]) -> bool {
    let reached = |sources: &[Freshness]| -> Vec<_> { sources.iter().map(Freshness::settled_through).collect() };
    reached(before) != reached(after)
}

/// The publishes for whose people a source became complete: after one, up to another.
fn completed(before: &[Freshness], after: &[Freshness]) -> Vec<(i64, i64)> {
    before
        .iter()
        .zip(after)
        .filter(|(before, after)| before.complete_seq < after.complete_seq)
        .map(|(before, after)| (before.complete_seq, after.complete_seq))
        .collect()
}

/// Whether the registers are current.
fn current(sources: &[Freshness], at: &Verified) -> (bool, bool) {
    let sources = Sources::new(sources.to_vec(), at.business_date);
    (sources.is_current(RecordKind::Certificate), sources.is_current(RecordKind::DispatchFiling))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_kept_as_bits_in_the_order_of_their_list() {
        let mut causes = Causes::of(Cause::Publish);
        causes.add(Cause::Claim);
        assert_eq!((causes.0, causes.list()), (0b1_0010, vec![Cause::Publish, Cause::Claim]));
        assert_eq!((Causes::of(Cause::Asked).0, Causes::of(Cause::Conflict).0), (256, 1024));
    }
}
