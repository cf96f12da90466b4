//! Deliveries get in whole, once, in any order, or are held where people can see why.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use renzheng::config::Environment;
use renzheng::ingest::compare::compare;
use renzheng::ingest::{PullOutcome, Range, decide};
use renzheng::store::batches::Asked;
use renzheng::store::quarantine::QuarantineFilter;

use crate::agency::{Agency, Wage};
use crate::harness::actor;

const DAY: u32 = 24 * 3600;
const ALL: &str = "keep = \"all\"";
const FULL_AND_CLOSE: &str = "keep = \"all\"\ndelivery = \"full\"\nmissing = \"close\"";

fn wages(of: &[(&str, u32, u32, &str)]) -> Vec<Wage> {
    of.iter().map(|(record, stamp, person, amount)| Wage::new(record, *stamp, *person, amount)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_delivery_again_writes_nothing_and_says_so() {
    let agency = Agency::begin("again", ALL, "").await;
    let pages = [wages(&[("a", 1, 1, "100"), ("b", 1, 2, "200")]), wages(&[("c", 1, 3, "300")])];
    let first = agency.take(&pages).await;
    assert_eq!((first.outcome, first.counts.new), (PullOutcome::Published, 3));
    let versions = agency.versions().await;
    let again = agency.take(&pages).await;
    assert_eq!((again.outcome, again.counts.same, again.counts.read), (PullOutcome::Unchanged, 3, 3));
    // the same rows on other pages are the same rows
    let shuffled = [wages(&[("c", 1, 3, "300"), ("b", 1, 2, "200")]), wages(&[("a", 1, 1, "100")])];
    let other = agency.take(&shuffled).await;
    assert_eq!((other.outcome, other.counts.same), (PullOutcome::Unchanged, 3));
    assert_eq!(agency.versions().await, versions);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_came_twice_in_a_first_delivery_is_stored_once_and_its_newest_version_stands() {
    let agency = Agency::begin("twice", ALL, "").await;
    let report = agency
        .take(&[
            wages(&[("a", 1, 1, "100"), ("b", 5, 2, "205"), ("a", 1, 1, "100")]),
            wages(&[("a", 3, 1, "300"), ("b", 2, 2, "202"), ("c", 1, 3, "1")]),
            wages(&[("a", 1, 1, "100"), ("a", 2, 1, "200")]),
        ])
        .await;
    let counts = report.counts;
    assert_eq!((counts.read, counts.new, counts.changed, counts.older, counts.same), (8, 3, 1, 2, 2));
    assert_eq!(agency.amounts().await, [100, 20_500, 30_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stamp_that_comes_again_with_other_content_is_refused_and_a_later_one_settles_it() {
    let agency = Agency::begin("reused", ALL, "").await;
    agency.take(&[wages(&[("a", 1, 1, "100")]), wages(&[("a", 1, 1, "101")])]).await;
    assert_eq!(agency.refused().await, ["stamp_reused updated_at"]);
    assert_eq!(agency.amounts().await, [10_000]);
    agency.take(&[wages(&[("a", 1, 1, "100")]), wages(&[("a", 1, 1, "101")])]).await;
    assert_eq!(agency.refused().await.len(), 1, "the same refused record again is no second case");
    agency.take(&[wages(&[("a", 2, 1, "101")])]).await;
    assert_eq!(agency.refused().await, [""; 0]);
    assert_eq!(agency.amounts().await, [10_100]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_version_closes_a_refused_one_only_if_it_is_stamped_as_late() {
    let agency = Agency::begin("closing", ALL, "").await;
    agency.take(&[wages(&[("a", 5, 1, "ten")])]).await;
    agency.take(&[wages(&[("a", 4, 1, "40")])]).await;
    assert_eq!(agency.refused().await, ["malformed amount"], "what came at 5 is still not known");
    agency.take(&[wages(&[("a", 5, 1, "50")])]).await;
    assert_eq!(agency.refused().await, [""; 0]);
    agency.take(&[wages(&[("a", 3, 1, "three")])]).await;
    assert_eq!(agency.refused().await, [""; 0], "an older one that comes late was settled before it came");
    assert_eq!(agency.amounts().await, [5_000]);
}

/// Versions of a few records by a few people; one content a stamp, so that nothing is a reused stamp; some cannot be read.
fn history() -> impl Strategy<Value = Vec<Wage>> {
    let version = (0..5_u32, 0..6_u32);
    prop::collection::vec(version, 1..14).prop_map(|versions| {
        let mut wages: Vec<Wage> = versions
            .into_iter()
            .map(|(record, stamp)| {
                // all of it follows from record and stamp
                let fate = (record * 7 + stamp * 13) % 10;
                let name = format!("r{record}");
                match fate {
                    0 | 1 => Wage::deleted(&name, stamp),
                    2 => Wage::new(&name, stamp, record, "unreadable"),
                    3 | 4 => Wage::new(&name, stamp, 50 + record, &(100 + stamp).to_string()),
                    _ => Wage::new(&name, stamp, record, &(100 + stamp).to_string()),
                }
            })
            .collect();
        wages.dedup();
        wages
    })
}

/// How the history arrives: an order, and where pages and batches end.
fn arrival(history: &[Wage]) -> impl Strategy<Value = Vec<Vec<Vec<Wage>>>> + use<> {
    let doubled: Vec<Wage> = history.iter().chain(history.iter().take(3)).cloned().collect();
    let cuts = prop::collection::vec(0..3_u8, doubled.len());
    (Just(doubled).prop_shuffle(), cuts).prop_map(|(order, cuts)| {
        let mut batches = vec![vec![Vec::new()]];
        for (wage, cut) in order.into_iter().zip(cuts) {
            if cut == 2 {
                batches.push(vec![Vec::new()]);
            } else if cut == 1 {
                batches.last_mut().expect("a batch").push(Vec::new());
            }
            batches.last_mut().and_then(|batch| batch.last_mut()).expect("a page").push(wage);
        }
        batches
    })
}

async fn state_after(name: &str, concerned: bool, batches: &[Vec<Vec<Wage>>]) -> (Vec<String>, Vec<String>) {
    let keys = if concerned { "keep = \"concerned\"" } else { ALL };
    let agency = Agency::begin(name, keys, "[gates]\nmax_invalid_ratio = 1.0\n").await;
    agency.concern(&[0, 1, 2, 3]).await;
    for batch in batches {
        agency.take(batch).await;
    }
    if concerned {
        // records of people who are not concerned may have been dropped before their record turned out to be ours
        agency.take(&batches.concat()).await;
    }
    let mut refused = agency.refused().await;
    refused.sort();
    assert_eq!(agency.stray_rows().await, 0);
    (agency.in_force().await, refused)
}

/// In force by what it says, without the keys of the installation.
fn told(state: &(Vec<String>, Vec<String>)) -> (Vec<String>, Vec<String>) {
    let mut lines: Vec<String> =
        state.0.iter().map(|line| line.split(' ').skip(1).collect::<Vec<_>>().join(" ")).collect();
    lines.sort();
    (lines, state.1.clone())
}

#[test]
fn any_order_and_repetition_of_pages_and_batches_ends_in_the_same_state() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut runner = TestRunner::new(Config { cases: 8, failure_persistence: None, ..Config::default() });
    let two_arrivals = history().prop_flat_map(|history| (arrival(&history), arrival(&history)));
    runner
        .run(&(two_arrivals, any::<bool>()), |((one, other), concerned)| {
            let (first, second) = runtime.block_on(async {
                (state_after("order_one", concerned, &one).await, state_after("order_other", concerned, &other).await)
            });
            prop_assert_eq!(told(&first), told(&second));
            Ok(())
        })
        .expect("any order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_newer_version_counts_even_if_it_stood_before_ours() {
    let agency = Agency::begin("rekeyed_before", "keep = \"concerned\"", "").await;
    agency.concern(&[1]).await;
    let deletion = Wage::deleted("b", 9);
    let report = agency
        .take(&[
            // a stranger's, and a deletion, both newer than what comes on the next page
            vec![Wage::new("a", 9, 77, "900"), deletion, Wage::new("s", 1, 78, "1")],
            wages(&[("a", 1, 1, "100"), ("b", 1, 1, "200"), ("c", 1, 1, "300")]),
        ])
        .await;
    assert!(report.counts.balance(), "{:?}", report.counts);
    assert_eq!(report.counts.dropped, 1, "only the stranger's own record");
    assert_eq!(agency.amounts().await, [30_000, 90_000], "a is a stranger's now, b is no more");
    let again = agency.pull().await;
    assert_eq!(again.outcome, PullOutcome::Unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_becomes_concerned_later_gets_what_was_dropped_by_the_next_pull() {
    let agency = Agency::begin("later", "keep = \"concerned\"", "").await;
    agency.concern(&[1]).await;
    let pages = [wages(&[("a", 1, 1, "100"), ("b", 1, 2, "200")])];
    let first = agency.take(&pages).await;
    assert_eq!((first.counts.new, first.counts.dropped), (1, 1));
    assert_eq!(agency.take(&pages).await.outcome, PullOutcome::Unchanged);
    agency.concern(&[1, 2]).await;
    let later = agency.take(&pages).await;
    assert_eq!((later.outcome, later.counts.new, later.counts.same), (PullOutcome::Published, 1, 1));
    assert_eq!(agency.amounts().await, [10_000, 20_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_full_delivery_no_longer_holds_is_closed_and_opens_again_when_it_comes_again() {
    let agency = Agency::begin("absent", FULL_AND_CLOSE, "[gates]\nmax_drop_ratio = 1.0\n").await;
    let (a, b) = (("a", 1, 1, "100"), ("b", 1, 2, "200"));
    agency.take(&[wages(&[a, b])]).await;
    let without = agency.take(&[wages(&[a])]).await;
    assert_eq!((without.counts.closed, without.outcome), (1, PullOutcome::Published));
    assert_eq!(agency.amounts().await, [10_000]);
    let again = agency.take(&[wages(&[a])]).await;
    assert_eq!((again.counts.closed, again.outcome), (0, PullOutcome::Unchanged));
    let back = agency.take(&[wages(&[a, b])]).await;
    assert_eq!((back.counts.changed, back.counts.same), (1, 1), "unchanged, but it was closed");
    assert_eq!(agency.amounts().await, [10_000, 20_000]);
    assert_eq!(agency.take(&[wages(&[a, b])]).await.outcome, PullOutcome::Unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_closed_while_a_row_could_be_anybodys() {
    let agency = Agency::begin("unreadable", FULL_AND_CLOSE, "[gates]\nmax_drop_ratio = 1.0\n").await;
    agency.take(&[wages(&[("a", 1, 1, "100"), ("b", 1, 2, "200")])]).await;
    agency.deliver(&[wages(&[("a", 1, 1, "100")])]);
    let file = agency.scratch.path().join("out/page-000.csv");
    let mut bytes = std::fs::read(&file).expect("read");
    bytes.extend_from_slice(b"b,\xFF\xFE,,,,,,\n");
    std::fs::write(&file, bytes).expect("written");
    let report = agency.pull().await;
    assert_eq!((report.counts.closed, report.counts.refused), (0, 1));
    assert!(report.notes.iter().any(|note| note.contains("was not closed")), "{:?}", report.notes);
    assert_eq!(agency.amounts().await, [10_000, 20_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_shrinks_is_held_and_a_person_releases_or_discards_it() {
    let agency = Agency::begin("shrinks", "keep = \"all\"\ndelivery = \"full\"", "").await;
    let store = &agency.harness.store;
    let whole: Vec<Wage> = (0..10).map(|number| Wage::new(&format!("r{number}"), 1, number, "100")).collect();
    let first = agency.take(std::slice::from_ref(&whole)).await;
    assert!(first.notes.iter().any(|note| note.contains("first full delivery")), "{:?}", first.notes);
    let mut half: Vec<Wage> = whole[..5].to_vec();
    half.push(Wage::new("r0", 2, 0, "999"));
    agency.deliver(&[half]);
    let held = agency.pull().await;
    assert_eq!(held.outcome, PullOutcome::Held);
    assert!(held.why.as_deref().is_some_and(|why| why.contains("max_drop_ratio")), "{:?}", held.why);
    assert_eq!(agency.amounts().await, vec![10_000; 10], "yesterday's version stays");

    // the same again is held in its place
    let again = agency.pull().await;
    let find = |number: Option<i32>| async move {
        store.find_run(&number.expect("a run").to_string()).await.expect("found").expect("a run")
    };
    let (first_run, run) = (find(held.run_number).await, find(again.run_number).await);
    assert!(
        decide::release(store, Some(&agency.job), &first_run, &actor(), "why").await.is_err(),
        "it gave way to the later one"
    );
    let (outcome, counts) =
        decide::release(store, Some(&agency.job), &run, &actor(), "the agency took five away on purpose")
            .await
            .expect("released");
    assert_eq!((outcome, counts.changed), (PullOutcome::Published, 1));
    assert_eq!(agency.amounts().await.last(), Some(&99_900));
    assert!(decide::release(store, Some(&agency.job), &run, &actor(), "again").await.is_err());

    agency.deliver(&[whole[..2].to_vec()]);
    let run = find(agency.pull().await.run_number).await;
    decide::discard(store, &run, &actor(), "cut off").await.expect("discarded");
    assert!(decide::release(store, Some(&agency.job), &run, &actor(), "too late").await.is_err());
    assert_eq!(agency.stray_rows().await, 0);
    let whole_again = agency.take(std::slice::from_ref(&whole)).await;
    assert_eq!(whole_again.counts.older + whole_again.counts.same, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_delivery_that_is_released_after_a_later_one_changes_only_what_is_newer_in_it() {
    let agency = Agency::begin("released_late", "keep = \"all\"\ndelivery = \"full\"", "").await;
    let store = &agency.harness.store;
    agency.take(&[wages(&[("a", 1, 1, "100"), ("b", 1, 2, "200"), ("c", 1, 3, "300"), ("d", 1, 4, "400")])]).await;
    agency.deliver(&[wages(&[("a", 2, 1, "120"), ("b", 9, 2, "290")])]);
    let held = agency.pull().await;
    assert_eq!(held.outcome, PullOutcome::Held);
    agency.take(&[wages(&[("a", 2, 1, "120"), ("b", 3, 2, "230"), ("c", 1, 3, "300"), ("d", 1, 4, "400")])]).await;
    assert_eq!(agency.amounts().await, [12_000, 23_000, 30_000, 40_000]);
    let run = store.find_run(&held.run_number.expect("a run").to_string()).await.expect("found").expect("a run");
    let (_, counts) =
        decide::release(store, Some(&agency.job), &run, &actor(), "it was right").await.expect("released");
    assert_eq!(counts.same, 1, "a came by the other meanwhile: {counts:?}");
    assert_eq!(agency.amounts().await, [12_000, 29_000, 30_000, 40_000]);
    let seqs = agency.versions().await;
    assert_eq!(seqs.iter().filter(|line| line.ends_with(" t")).count(), 4, "one version of each in force: {seqs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_days_is_read_again_without_touching_the_rest() {
    let agency = Agency::begin("range", ALL, "").await;
    agency.take(&[wages(&[("a", 1, 1, "100"), ("b", 2 * DAY, 2, "200"), ("c", 5 * DAY, 3, "300")])]).await;
    // the source lost c, corrected b, and has a new record before the range
    agency.deliver(&[wages(&[("a", 1, 1, "100"), ("n", 2, 4, "400"), ("b", 2 * DAY + 5, 2, "250")])]);
    let range = Range { from: "2026-01-03".parse().expect("a date"), to: "2026-01-06".parse().expect("a date") };
    let comparison =
        compare(&agency.harness.store, &agency.job, &Environment::default(), Some(range)).await.expect("compared");
    assert_eq!((comparison.report.counts.read, comparison.report.counts.changed, comparison.absent), (1, 1, 1));
    let whats: Vec<&str> = comparison.differences.iter().map(|found| found.what).collect();
    assert_eq!(whats, ["changed", "absent"]);
    assert_eq!(agency.amounts().await, [10_000, 20_000, 30_000], "a comparison writes nothing");
    let report = agency.try_pull(Some(range)).await.expect("pulled");
    assert_eq!((report.asked, report.counts.read, report.counts.changed), (Asked::Range, 1, 1));
    assert_eq!(agency.amounts().await, [10_000, 25_000, 30_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_what_a_pull_would_do_and_writes_nothing() {
    let agency = Agency::begin("dry", ALL, "").await;
    agency.deliver(&[wages(&[("a", 1, 1, "100"), ("b", 1, 2, "bad")])]);
    let dry = compare(&agency.harness.store, &agency.job, &Environment::default(), None).await.expect("compared");
    let counts = dry.report.counts;
    assert!(counts.balance());
    assert_eq!((counts.read, counts.new, counts.refused), (2, 1, 1));
    assert!(agency.versions().await.is_empty() && agency.refused().await.is_empty());
    let people = agency.harness.store.persons_concerned(-1, i64::MAX, 10).await.expect("people");
    assert!(people.is_empty());
    let pulled = agency.pull().await.counts;
    assert_eq!((pulled.new, pulled.refused), (counts.new, counts.refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_records_come_in_by_replay_once_the_mapping_is_mended() {
    let mut agency = Agency::begin("replay", ALL, "[gates]\nmax_invalid_ratio = 1.0\n").await;
    let mut fen = wages(&[("a", 1, 1, "1,5"), ("b", 1, 2, "200")]);
    fen[0].period = "202503".to_owned();
    fen[0].amount = "100".to_owned();
    agency.take(&[fen]).await;
    assert_eq!(agency.refused().await, ["malformed period"]);
    assert_eq!(agency.amounts().await, [20_000]);
    let store = agency.harness.store.clone();
    let filter = QuarantineFilter::default();
    let untouched = decide::replay(&store, &agency.job, &filter, "test").await.expect("replayed");
    assert_eq!((untouched.read, untouched.good, untouched.refused), (1, 0, 1));
    agency.settings(ALL, "[formats]\nperiod = \"%Y%m\"\n[gates]\nmax_invalid_ratio = 1.0\n").await;
    let mended = decide::replay(&store, &agency.job, &filter, "test").await.expect("replayed");
    assert_eq!((mended.read, mended.good, mended.counts.new), (1, 1, 1));
    assert_eq!(agency.refused().await, [""; 0]);
    assert_eq!(agency.amounts().await, [10_000, 20_000]);
    let nothing = decide::replay(&store, &agency.job, &filter, "test").await.expect("replayed");
    assert_eq!(nothing.read, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discarded_record_stays_closed_however_often_it_comes_again() {
    let agency = Agency::begin("discarded", ALL, "").await;
    agency.take(&[wages(&[("a", 1, 1, "bad")])]).await;
    let filter = QuarantineFilter { job: Some("pull-wage".to_owned()), ..QuarantineFilter::default() };
    let head = agency.harness.store.head().await.expect("a sequence");
    assert_eq!(agency.harness.store.discard_refusals(&filter, &actor(), "a typing error").await.expect("discarded"), 1);
    assert!(agency.harness.store.head().await.expect("a sequence") > head, "what is known changed");
    assert_eq!(agency.harness.store.discard_refusals(&filter, &actor(), "again").await.expect("nothing"), 0);
    agency.take(&[wages(&[("a", 1, 1, "bad"), ("b", 1, 2, "1")])]).await;
    assert_eq!(agency.refused().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_nobody_reads_are_noted_and_missing_ones_hold_the_delivery() {
    let agency = Agency::begin("columns", ALL, "").await;
    agency.deliver(&[wages(&[("a", 1, 1, "100")])]);
    let file = agency.scratch.path().join("out/page-000.csv");
    let text = std::fs::read_to_string(&file).expect("read");
    let with = |extra: &str, name: &str| {
        let mut lines = text.lines();
        format!("{},{name}\n{},{extra}\n", lines.next().expect("a header"), lines.next().expect("a row"))
    };
    std::fs::write(&file, with("17", "shoe_size")).expect("written");
    let report = agency.pull().await;
    assert_eq!(report.outcome, PullOutcome::Published);
    assert_eq!(report.notes, ["columns that are not read: shoe_size"]);
    std::fs::write(&file, text.replace("payer_uscc", "payer_code")).expect("written");
    let report = agency.pull().await;
    assert_eq!(report.outcome, PullOutcome::Held);
    assert!(report.why.as_deref().is_some_and(|why| why.contains("no column `payer_uscc`")), "{:?}", report.why);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_people_a_publish_touches_are_found_former_ones_too() {
    let agency = Agency::begin("touched", ALL, "").await;
    agency.take(&[wages(&[("a", 1, 1, "100"), ("b", 1, 2, "200"), ("c", 1, 3, "300")])]).await;
    let store = &agency.harness.store;
    let before = store.head().await.expect("a sequence");
    // a passes from person 1 to person 4; c is refused in a new version
    agency.take(&[wages(&[("a", 2, 4, "100"), ("b", 1, 2, "200"), ("c", 2, 3, "bad")])]).await;
    let head = store.head().await.expect("a sequence");
    let touched = store.touched_persons(before, head).await.expect("people");
    let mut expected = Vec::new();
    for person in [1, 3, 4] {
        let id = renzheng::domain::ids::ResidentId::parse(&crate::agency::id_number(person)).expect("an ID");
        expected.push(store.find_person(&id).await.expect("found").expect("a person"));
    }
    expected.sort();
    assert_eq!(touched, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_delivery_that_was_held_and_released_is_known_when_it_comes_again() {
    let agency = Agency::begin("first_held", ALL, "").await;
    let store = &agency.harness.store;
    // twenty of forty cannot be read
    let page: Vec<Wage> = (0..40)
        .map(|number| Wage::new(&format!("r{number}"), 1, number, if number < 20 { "bad" } else { "100" }))
        .collect();
    agency.deliver(std::slice::from_ref(&page));
    let held = agency.pull().await;
    assert_eq!(held.outcome, PullOutcome::Held);
    let run = store.find_run(&held.run_number.expect("a run").to_string()).await.expect("found").expect("a run");
    decide::release(store, Some(&agency.job), &run, &actor(), "the rest is right").await.expect("released");
    assert_eq!(agency.amounts().await, vec![10_000; 20]);
    // other pages, so that no digest is known: every row is compared
    let again = agency.take(&[page[20..30].to_vec(), page[30..].to_vec()]).await;
    assert_eq!((again.outcome, again.counts.same), (PullOutcome::Unchanged, 20));
    assert_eq!(agency.amounts().await, vec![10_000; 20]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_release_an_unchanged_full_delivery_closes_nothing() {
    let agency = Agency::begin("released_full", FULL_AND_CLOSE, "").await;
    let store = &agency.harness.store;
    let page: Vec<Wage> = (0..10).map(|number| Wage::new(&format!("r{number}"), 1, number, "100")).collect();
    agency.take(std::slice::from_ref(&page)).await;
    agency.deliver(&[page[..3].to_vec()]);
    let held = agency.pull().await;
    let run = store.find_run(&held.run_number.expect("a run").to_string()).await.expect("found").expect("a run");
    decide::release(store, Some(&agency.job), &run, &actor(), "so it is").await.expect("released");
    assert_eq!(agency.amounts().await.len(), 10, "a release closes nothing");
    let next = agency.take(&[page[..3].to_vec()]).await;
    assert_eq!(next.counts.closed, 7, "the next delivery does");
    let unchanged = agency.take(&[page[..3].to_vec()]).await;
    assert_eq!((unchanged.outcome, unchanged.counts.closed), (PullOutcome::Unchanged, 0));
    assert_eq!(agency.amounts().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_by_wrong_settings_is_corrected_when_they_are_mended() {
    let mut agency = Agency::begin("mended_amounts", ALL, "").await;
    let pages = [wages(&[("a", 1, 1, "210000"), ("b", 1, 2, "220000")])];
    agency.take(&pages).await;
    assert_eq!(agency.amounts().await, [21_000_000, 22_000_000], "fen taken for yuan");
    agency.settings(ALL, "[formats]\namount = \"fen\"\n").await;
    let mended = agency.take(&pages).await;
    assert_eq!((mended.counts.changed, mended.counts.refused), (2, 0));
    assert_eq!(agency.amounts().await, [210_000, 220_000]);
    assert_eq!(agency.take(&pages).await.outcome, PullOutcome::Unchanged);
    // within one contract a stamp is used once
    let reused = agency.take(&[wages(&[("a", 1, 1, "1"), ("b", 1, 2, "220000")])]).await;
    assert_eq!(reused.counts.refused, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_was_not_read_to_its_end_cannot_be_released() {
    let agency = Agency::begin("half", ALL, "").await;
    let store = &agency.harness.store;
    agency.deliver(&[wages(&[("a", 1, 1, "100")]), wages(&[("b", 1, 2, "200")])]);
    let second = agency.scratch.path().join("out/page-001.csv");
    let text = std::fs::read_to_string(&second).expect("read").replace("payer_uscc", "payer_code");
    std::fs::write(&second, text).expect("written");
    let held = agency.pull().await;
    assert_eq!(held.outcome, PullOutcome::Held);
    let run = store.find_run(&held.run_number.expect("a run").to_string()).await.expect("found").expect("a run");
    let refused = decide::release(store, Some(&agency.job), &run, &actor(), "never mind").await.expect_err("refused");
    assert!(refused.to_string().contains("not read to its end"), "{refused}");
    decide::discard(store, &run, &actor(), "another form").await.expect("discarded");
    assert_eq!((agency.stray_rows().await, agency.amounts().await.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_reused_a_stamp_is_not_replayed() {
    let agency = Agency::begin("replay_reused", ALL, "").await;
    agency.take(&[wages(&[("a", 1, 1, "100")]), wages(&[("a", 1, 1, "101")])]).await;
    let filter = QuarantineFilter::default();
    let replayed = decide::replay(&agency.harness.store, &agency.job, &filter, "test").await.expect("replayed");
    assert_eq!(replayed.read, 0);
    assert_eq!(agency.refused().await, ["stamp_reused updated_at"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_version_on_a_page_that_is_known_still_counts() {
    let agency = Agency::begin("known_stranger", "keep = \"concerned\"", "").await;
    agency.concern(&[1]).await;
    let known = vec![Wage::new("a", 9, 77, "900")];
    agency.take(std::slice::from_ref(&known)).await;
    let report = agency.take(&[known, wages(&[("a", 1, 1, "100"), ("b", 1, 1, "200")])]).await;
    assert!(report.counts.balance(), "{:?}", report.counts);
    assert_eq!(agency.amounts().await, [20_000, 90_000], "a is a stranger's now");
}
