//! Only what changed is judged again, and it makes no difference: after any steps the stored results are those of judging everything,
//! and every earlier verification can be recomputed.

use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use renzheng::store::facts::Shard;
use renzheng::store::past::Written;
use renzheng::store::results::YearRow;
use renzheng::verify::changes::Point;
use renzheng::verify::{Selection, verify};

mod province;

pub use province::{HEADERS, PEOPLE, Province, Step, YEAR, cells, id_number, month_of, uscc};

fn step() -> impl Strategy<Value = Step> {
    let person = 0..PEOPLE;
    prop_oneof![
        4 => (0..12_u8, person.clone(), 0..3_u32, 1..13_u8, prop::option::weighted(0.9, 1500..2600_u32), prop::bool::weighted(0.9))
            .prop_map(|(record, person, payer, month, amount, readable)| Step::Wage { record, person, payer, month, amount, readable }),
        4 => (0..2_u8, 0..12_u8, person.clone(), 0..3_u32, 1..13_u8, prop::bool::weighted(0.8))
            .prop_map(|(scheme, record, person, unit, month, paid)| Step::Insurance { scheme, record, person, unit, month, paid }),
        2 => (person.clone(), 1..5_u8, prop::option::of(1..13_u8))
            .prop_map(|(person, level, valid_to_month)| Step::Certificate { person, level, valid_to_month }),
        1 => (any::<bool>(), 1..400_u16).prop_map(|(approved, days)| Step::Filing { approved, days }),
        3 => (person.clone(), 0..3_u32, prop::bool::weighted(0.2))
            .prop_map(|(person, employer, dispatched)| Step::Placement { person, employer, dispatched }),
        2 => (person.clone(), 0..3_u32, 1..7_u8, 7..13_u8).prop_map(|(person, employer, from_month, to_month)| {
            Step::Employed { person, employer, from_month, to_month }
        }),
        2 => (person.clone(), 0..3_u32, 1..13_u8, any::<bool>())
            .prop_map(|(person, employer, month, ticked)| Step::Choose { person, employer, month, ticked }),
        2 => (person.clone(), 0..3_u32, 1..13_u8)
            .prop_map(|(person, employer, month)| Step::Decide { person, employer, month }),
        1 => (person.clone(), 1..13_u8).prop_map(|(person, month)| Step::TakeBack { person, month }),
        1 => (person.clone(), 0..3_u32).prop_map(|(person, employer)| Step::Delete { person, employer }),
        2 => (prop::option::of(person.clone()), 0..3_u32).prop_map(|(person, employer)| Step::Apart { person, employer }),
        2 => (person, 0..3_u32, 1..13_u8, 1..24_u8)
            .prop_map(|(person, employer, from_month, months)| Step::Contract { person, employer, from_month, months }),
        1 => (0..3_u32, 1..4_u8).prop_map(|(employer, class)| Step::Division { employer, class }),
        1 => (0..3_u32).prop_map(|employer| Step::Complete { employer }),
        2 => (1..60_u16).prop_map(Step::Days),
        1 => (0..3_u8).prop_map(Step::Policy),
        1 => (0..60_u8).prop_map(Step::SettlesAfter),
    ]
}

/// Lives through the nights: after each, what is stored is what judging everything gives; at the end, every verification can be
/// recomputed and what it stored can be read. How many nights judged less than everything.
async fn live(nights: &[Vec<Step>]) -> Result<u32, TestCaseError> {
    let mut province = Province::begin().await;
    province.verify().await;
    let mut incremental = 0;
    for night in nights {
        for step in night {
            province.take(step).await;
        }
        province.pull_all().await;
        let summary = province.verify().await;
        incremental += u32::from(!summary.full);
        let last = province.past.last().expect("a verification");
        let all = province.judged(last.point, &last.policy).await;
        prop_assert_eq!(cells(&last.rows), all, "after {:?}: {:?}", night, summary);
    }
    for past in &province.past {
        prop_assert_eq!(&cells(&past.rows), &province.judged(past.point, &past.policy).await);
        let (store, scope) = (&province.harness.store, Province::everybody(past.point.seq));
        let ended = store.find_ended_runs(past.ended_at).await.expect("found").expect("a run");
        let number = ended.up_to;
        for written in [Written::By(ended), Written::UpTo { seq: past.point.seq, number }] {
            let stood = store.placed_rows(&scope, &written).await.expect("rows");
            prop_assert_eq!(&stood, &past.rows, "as it stood after run {}: {:?}", number, written);
        }
    }
    Ok(incremental)
}

/// So many random lives; of one that fails the steps are printed, as few as still fail.
fn lives(cases: u32, nights: impl Strategy<Value = Vec<Vec<Step>>>) -> u32 {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let config = Config { cases, max_shrink_iters: 24, failure_persistence: None, ..Config::default() };
    let incremental = AtomicU32::new(0);
    TestRunner::new(config)
        .run(&nights, |nights| {
            incremental.fetch_add(runtime.block_on(live(&nights))?, Ordering::Relaxed);
            Ok(())
        })
        .expect("incremental equals full");
    incremental.into_inner()
}

#[test]
fn what_changed_alone_judged_again_is_what_judging_everything_gives_and_the_past_can_be_recomputed() {
    let incremental = lives(6, prop::collection::vec(prop::collection::vec(step(), 1..6), 4..9));
    assert!(incremental > 5, "only {incremental} nights judged less than everything: the test shows nothing");
}

#[test]
fn after_two_hundred_random_steps_the_state_is_that_of_judging_everything_and_every_run_can_be_recomputed() {
    let incremental = lives(1, prop::collection::vec(prop::collection::vec(step(), 4), 50));
    assert!(incremental > 10, "only {incremental} nights judged less than everything: the test shows nothing");
}

/// What a person was judged by alone may be over by the night, and nothing says that it ever was: the day before a register is pulled again
/// it is stale, a policy is tried and given up.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_judged_apart_is_judged_again_by_night() {
    let mut province = Province::begin().await;
    province.take(&Step::Employed { person: 2, employer: 2, from_month: 1, to_month: 12 }).await;
    province.take(&Step::Certificate { person: 2, level: 3, valid_to_month: Some(6) }).await;
    province.pull_all().await;
    province.verify().await;
    let before = cells(&province.stored().await);
    province.take(&Step::Policy(1)).await;
    province.take(&Step::Apart { person: Some(2), employer: 2 }).await;
    assert_ne!(cells(&province.stored().await), before, "June is covered in part");
    province.take(&Step::Policy(0)).await;
    province.pull_all().await;
    let night = province.verify().await;
    assert_eq!((night.full, night.placements, night.changed_months), (false, 1, 1));
    assert_eq!(cells(&province.stored().await), before);
    let quiet = province.verify().await;
    assert_eq!((quiet.placements, quiet.changed_months), (0, 0), "once is enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_go_with_their_placement_and_the_past_keeps_them() {
    let mut province = Province::begin().await;
    province.verify().await;
    let (before, employer) = (province.stored().await, province.unit(2).await);
    let (then, seq) = province.past.last().map(|past| (past.ended_at, past.point.seq)).expect("a verification");
    province.take(&Step::Delete { person: 2, employer: 2 }).await;
    let night = province.verify().await;
    assert_eq!((night.full, night.placements, night.removed_placements), (false, 0, 1));
    let person = province.person(2).await;
    let rest: Vec<YearRow> =
        before.iter().filter(|row| row.person != person || row.employer != employer).cloned().collect();
    assert_eq!((rest.len() + 1, &province.stored().await), (before.len(), &rest));
    let store = &province.harness.store;
    let then = Written::By(store.find_ended_runs(then).await.expect("found").expect("runs"));
    assert_eq!(store.placed_rows(&Province::everybody(seq), &then).await.expect("rows"), before);
    let full = Selection { full: true, ..Selection::default() };
    let all = verify(store, &province.policy, YEAR, &full, "test", &|_| ()).await.expect("verified");
    assert_eq!((all.changed_months, all.removed_placements), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_that_touches_one_person_judges_one_person() {
    let mut province = Province::begin().await;
    assert!(province.verify().await.full);
    province.pull_all().await;
    let quiet = province.verify().await;
    assert_eq!((quiet.full, quiet.placements, quiet.changed_months), (false, 0, 0));
    province.take(&Step::Wage { record: 1, person: 2, payer: 2, month: 3, amount: Some(2500), readable: true }).await;
    province.pull_all().await;
    let touched = province.verify().await;
    assert_eq!((touched.full, touched.placements, touched.changed_months), (false, 1, 1));
    assert_eq!(touched.causes.keys().copied().collect::<Vec<_>>(), ["publish"]);
    // the record passes to another person: both are judged, and the former month falls back
    province.take(&Step::Wage { record: 1, person: 4, payer: 1, month: 3, amount: Some(2500), readable: true }).await;
    province.pull_all().await;
    let rekeyed = province.verify().await;
    assert_eq!((rekeyed.placements, rekeyed.changed_months), (2, 2));
    let all = verify(
        &province.harness.store,
        &province.policy,
        YEAR,
        &Selection { full: true, ..Selection::default() },
        "test",
        &|_| (),
    )
    .await
    .expect("verified");
    assert_eq!((all.full, all.changed_months), (true, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_that_run_at_once_give_the_state_of_one_run() {
    let mut province = Province::begin().await;
    province.take(&Step::Wage { record: 1, person: 2, payer: 2, month: 3, amount: Some(2500), readable: true }).await;
    province.pull_all().await;
    let store = &province.harness.store;
    let shards = (0..3).map(|number| {
        let selection = Selection { shard: Shard { number, of: 3 }, ..Selection::default() };
        let (store, policy) = (store.clone(), province.policy.clone());
        async move { verify(&store, &policy, YEAR, &selection, "test", &|_| ()).await.expect("verified").placements }
    });
    let judged: u64 = futures_util::future::join_all(shards).await.into_iter().sum();
    assert_eq!(judged, u64::from(PEOPLE));
    let rows = province.stored().await;
    let head = store.head().await.expect("a sequence");
    let all = province.judged(Point { seq: head, business_date: province.today }, &province.policy).await;
    assert_eq!(cells(&rows), all);
}
