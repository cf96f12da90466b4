//! 勾选申报月份: ticking and unticking months of a placement while its declaration is open.

use schemars::JsonSchema;
use serde::Serialize;

use super::permit::permit;
use super::{DeclareError, Declaring, standing};
use crate::clock;
use crate::domain::access::{Action, Actor};
use crate::domain::facts::{PersonId, RecordKind, Scheme};
use crate::domain::month::Month;
use crate::domain::policy::Policy;
use crate::domain::review::{Ground, Grounds};
use crate::domain::reviewing::Refused;
use crate::domain::ticking::{Occasion, Wait, may_tick};
use crate::domain::verdict::Verdict;
use crate::store::Store;
use crate::store::audit::{Act, fingerprint};
use crate::store::choices::Chooser;
use crate::store::entries::Employer;
use crate::store::publish::Cause;
use crate::verify::knowledge::Sources;

/// What an employer chooses.
#[derive(Clone, Debug)]
pub struct Choosing {
    pub declaring: Declaring,
    pub person: PersonId,
    pub months: Vec<Month>,
    pub ticked: bool,
    /// The unit is being deregistered: staff enter what is not known yet.
    pub deregisters: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Chosen {
    pub person: PersonId,
    pub months: Vec<Month>,
    pub ticked: bool,
    /// Months of which the choice is another than before.
    pub changed: u64,
}

/// Ticks or unticks. A month that is not known yet may be ticked only when waiting is over; whether evidence is there is asked when the
/// placement is handed in.
pub async fn choose(
    store: &Store,
    policy: &Policy,
    actor: &Actor,
    choosing: &Choosing,
) -> Result<Chosen, DeclareError> {
    let Choosing { declaring, person, months, ticked, deregisters } = choosing;
    let of = permit::<DeclareError>(store, actor, Action::Tick, declaring.employer).await?;
    if *deregisters {
        actor.may(Action::Deregister, of.owner())?;
    }
    if months.is_empty() {
        return Err(Refused::NoMonths.into());
    }
    if let Some(month) = months.iter().find(|month| month.year() != declaring.year) {
        return Err(Refused::OtherYear { month: *month, year: declaring.year }.into());
    }
    let at = store.now().await?;
    let entered = standing::entered(store, *declaring).await?;
    if !entered.placed.contains_key(person) {
        return Err(Refused::NoPlacement { year: declaring.year }.into());
    }
    if *ticked {
        // entered by staff, or said by them now
        let declaration = store.find_declaration(declaring.employer, declaring.stored_year()).await?;
        let (view, _) = standing::one(store, *declaring, *person).await?.ok_or(Refused::NotJudged)?;
        let today = clock::business_date(at);
        let occasion = Occasion {
            today,
            window_last_day: policy.window(declaring.year).1,
            pending_tick_days: policy.pending_tick_days(today)?,
            deregisters: *deregisters || declaration.deregistration.is_some(),
        };
        let sources = Sources::new(store.freshness(store.head().await?).await?, today);
        let refused: Vec<_> = months
            .iter()
            .filter_map(|month| view.month(*month))
            .filter_map(|month| {
                let waits = waits(&sources, &of.employer, month.month, &month.verdict);
                may_tick(month.month, &month.verdict, &waits, &occasion).err()
            })
            .collect();
        if !refused.is_empty() {
            return Err(Refused::NotDue(refused).into());
        }
    }
    let choices = |ticked: Option<bool>| -> Vec<(Month, Option<bool>)> {
        months
            .iter()
            .map(|month| (*month, ticked.or_else(|| entered.choices.get(&(*person, *month)).copied())))
            .collect()
    };
    let before = fingerprint(store.keys(), &choices(None))?;
    let after = fingerprint(store.keys(), &choices(Some(*ticked)))?;

    let mut publish = store.publish(Cause::Tick, at).await?;
    let placed = publish.list_placements(&[declaring.employer]).await?;
    if !placed.iter().any(|one| one.person == *person && one.year == declaring.stored_year()) {
        return Err(Refused::NoPlacement { year: declaring.year }.into());
    }
    if !publish.lock_declaration(declaring.employer, declaring.stored_year()).await?.is_editable() {
        return Err(Refused::NotOpen.into());
    }
    let by = Chooser { name: &actor.name, at };
    let changed = publish.save_choice(declaring.employer, *person, months, *ticked, by).await?;
    let chosen = Chosen { person: *person, months: months.clone(), ticked: *ticked, changed };
    if changed == 0 {
        publish.abandon().await?;
        return Ok(chosen);
    }
    let detail = serde_json::json!({ "months": months, "ticked": ticked, "deregisters": deregisters });
    let object = of.placement(declaring.year, *person);
    let act = Act { before: Some(before), after: Some(after), detail, ..Act::read(at, actor, Action::Tick, object) };
    publish.record(&act).await?;
    publish.answer(&chosen).await?;
    publish.commit().await?;
    Ok(chosen)
}

/// The pending checks of a month, and when the sources that answer for them were to deliver.
fn waits(sources: &Sources, employer: &Employer, month: Month, verdict: &Verdict) -> Vec<Wait> {
    let division = employer.division.as_str();
    let by_period = |ground, record, scheme, period| Wait {
        ground,
        due_on: sources.due_on(record, scheme, division, period),
        settled: sources.is_settled(record, scheme, division, period),
    };
    let register =
        |ground, record| Wait { ground, due_on: sources.register_due_on(record), settled: sources.is_current(record) };
    Grounds::pending(verdict)
        .iter()
        .map(|ground| match ground {
            Ground::Wage => by_period(ground, RecordKind::Wage, None, month.plus(i32::from(employer.wage_lag))),
            Ground::Pension => by_period(ground, RecordKind::Insurance, Some(Scheme::Pension), month),
            Ground::Medical => by_period(ground, RecordKind::Insurance, Some(Scheme::Medical), month),
            Ground::Certificate => register(ground, RecordKind::Certificate),
            Ground::Dispatch => register(ground, RecordKind::DispatchFiling),
            Ground::Age | Ground::Contract | Ground::Conflict => Wait { ground, due_on: None, settled: true },
        })
        .collect()
}
