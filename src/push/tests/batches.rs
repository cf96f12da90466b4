//! Many messages at once: side by side, in order, no faster than agreed, and not at all while something holds them.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use super::*;
use crate::domain::access::Actor;
use crate::sandbox::tax_faults::{Fault, Plan, What};
use crate::store::push_holds::Held;

fn side_by_side(parallel: usize, interval: Option<Duration>) -> Pace {
    Pace { parallel: NonZeroUsize::new(parallel).expect("not zero"), interval }
}

async fn drained(office: &Office, pace: Pace) -> Drained {
    let mut drain = Drain::new(office.store(), &office.client, Passing::Everything, pace);
    let mut drained = Drained::default();
    loop {
        let sent = drain.batch(u64::MAX).await.expect("a batch");
        if sent.is_empty() {
            return drained;
        }
        drained.add(&sent);
    }
}

/// One batch of them.
async fn one_batch(office: &Office, pace: Pace) -> Drained {
    let mut drained = Drained::default();
    let mut drain = Drain::new(office.store(), &office.client, Passing::Everything, pace);
    drained.add(&drain.batch(u64::MAX).await.expect("a batch"));
    drained
}

async fn many(office: &Office, employers: u32, versions: u32) {
    office.store().set_clock(after(1)).await.expect("the clock");
    for number in 1..=employers {
        for version in 1..=versions {
            office.enqueue(employer(number), version, (version > 1).then(|| version - 1)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_each_employer_the_versions_arrive_in_order_however_many_leave_side_by_side() {
    let office = Office::open().await;
    many(&office, 20, 3).await;
    let drained = drained(&office, side_by_side(8, None)).await;
    assert_eq!((drained.accepted, drained.attempts()), (60, 60));
    let mut seen: std::collections::HashMap<String, u32> = std::collections::HashMap::new();
    for (message_id, times) in office.received().await {
        let message_id: Uuid = message_id.parse().expect("an id");
        let (line, _) = office.store().find_outbox_message(message_id).await.expect("found").expect("a message");
        let before = seen.insert(line.uscc, line.version as u32).unwrap_or_default();
        assert_eq!((line.version as u32, times), (before + 1, 1));
    }
    assert_eq!(seen.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_follow_each_other_no_faster_than_the_department_takes_them() {
    let office = Office::open().await;
    many(&office, 12, 1).await;
    let begun = Instant::now();
    let drained = drained(&office, side_by_side(8, Some(Duration::from_millis(30)))).await;
    assert_eq!(drained.accepted, 12);
    assert!(begun.elapsed() >= Duration::from_millis(11 * 30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_department_that_wants_a_pause_gets_it_from_everybody() {
    let office = Office::open().await;
    let first = office.enqueue_first().await;
    office.enqueue(second_employer(), 1, None).await;
    let busy = Fault { times: Some(1), retry_after_s: Some(600), ..Fault::of(What::TooMany) };
    office.behind.faults.set(Plan { faults: vec![busy], seed: 0 });
    assert_eq!(office.sent(start()).await.answered, Answered::Later);
    assert_eq!(office.step(after(599)).await, Step::Empty, "nobody else's message leaves either");
    office.store().set_clock(after(100)).await.expect("the clock");
    let holds = office.store().list_holds().await.expect("holds");
    assert_eq!((holds.len(), holds[0].until, holds[0].uscc.as_deref()), (1, Some(after(600)), None));
    let lines = office.store().list_outbox(10).await.expect("lines");
    assert!(lines.iter().all(|line| line.held), "{lines:?}");
    let mut sent = vec![office.sent(after(600)).await, office.sent(after(600)).await];
    sent.retain(|sent| matches!(sent.answered, Answered::Accepted { .. }));
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().any(|sent| sent.message_id == first));
    office.store().set_clock(after(600)).await.expect("the clock");
    assert!(office.store().list_holds().await.expect("holds").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_department_deals_with_nothing_a_handful_of_messages_ask_and_all_others_wait_untouched() {
    let office = Office::open().await;
    many(&office, 40, 1).await;
    office.behind.faults.set(Plan { faults: vec![Fault::of(What::Down)], seed: 0 });
    let pace = side_by_side(8, None);
    let failed = one_batch(&office, pace).await;
    assert_eq!((failed.later, failed.attempts()), (8, 8), "one batch, and then a pause");
    // however long the batch took
    office.store().set_clock(after(30)).await.expect("the clock");
    let pauses = async || office.store().list_holds().await.expect("holds");
    let first = pauses().await.remove(0);
    assert!(first.why.starts_with("the tax department dealt with none of 8 messages"), "{}", first.why);
    assert_eq!(one_batch(&office, pace).await.attempts(), 0);
    // each time the pause is over for a while
    for time in 2..=5 {
        office.store().set_clock(after(90 * time)).await.expect("the clock");
        one_batch(&office, pace).await;
    }
    office.store().set_clock(after(451)).await.expect("the clock");
    let pause = pauses().await;
    assert_eq!((pause.len(), pause[0].hold_id, pause[0].held_at), (1, first.hold_id, first.held_at), "one pause");
    office.behind.faults.set(Plan::default());
    office.store().set_clock(after(7200)).await.expect("the clock");
    let drained = drained(&office, pace).await;
    assert_eq!((drained.accepted, drained.attempts()), (40, 40), "none was tried in vain while it was known to be");
}

#[tokio::test]
async fn what_is_held_stays_until_it_is_released_and_nobody_else_waits() {
    let office = Office::open().await;
    office.enqueue_first().await;
    let other = office.enqueue(second_employer(), 1, None).await;
    let store = office.store();
    store.set_clock(after(1)).await.expect("the clock");
    let unit = store.find_unit(&Uscc::parse(FIRST).expect("a code")).await.expect("asked").expect("known");
    let (held, operator) = (Held::Year(unit, 2025), Actor::operator("op"));
    let stop = async || store.hold_push(held, &operator, "declaration", "a call").await.expect("asked");
    assert!(stop().await && !stop().await, "held once");
    assert_eq!(office.sent(after(2)).await.message_id, other);
    assert_eq!(office.step(after(86_400)).await, Step::Empty);
    assert!(store.hold_push(Held::Everything, &operator, "everything", "a night").await.expect("held"));
    let release = async |held| store.release_push(held, &operator, "it", "over").await.expect("asked");
    assert_eq!((release(held).await, release(held).await), (1, 0));
    assert_eq!(office.step(after(86_400)).await, Step::Empty, "everything is held");
    assert_eq!(release(Held::Everything).await, 1);
    assert!(matches!(office.sent(after(86_400)).await.answered, Answered::Accepted { .. }));
}
