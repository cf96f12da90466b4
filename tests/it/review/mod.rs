//! Months are ticked, handed in, reviewed by one person at a time, decided, and then declared; conflicts between employers are decided.

mod commands;
mod conflicts;
pub mod scene;

use chrono::{Duration, NaiveDate};
use renzheng::declare::DeclareError;
use renzheng::declare::review::counter::{OriginalRead, see_original};
use renzheng::declare::review::decide::{Seconding, second, undo};
use renzheng::declare::review::{next, open, queue, release};
use renzheng::domain::access::{Actor, Denied};
use renzheng::domain::facts::CertificateKind;
use renzheng::domain::review::{Ground, Grounds, MonthStanding, PlacementStanding};
use renzheng::domain::reviewing::Refused;
use renzheng::domain::ruling::{ApprovalReason, RejectionReason};
use renzheng::policy::{self, Reading};
use renzheng::store::MIGRATIONS;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::harness::Harness;
use crate::incremental::{Step, month_of};
use scene::{Scene, approval, employer, reason, rejection, reviewer, supervisor};

const WAGE: Grounds = Grounds::NONE.with(Ground::Wage);

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_declared_without_a_tick_and_what_is_unticked_is_not() {
    let scene = Scene::begin().await;
    assert_eq!(scene.months_standing(0, 0, MonthStanding::Passed).await, (1..=12).collect::<Vec<u8>>());
    scene.untick(0, 0, &[5, 6]).await.expect("unticked");
    assert_eq!(scene.months_standing(0, 0, MonthStanding::Unticked).await, [5, 6]);
    assert_eq!(scene.standing(0, 0).await, PlacementStanding::Confirmed);
    // once more is no new choice
    let again = scene.untick(0, 0, &[5, 6]).await.expect("unticked");
    assert_eq!(again.changed, 0);
    scene.tick(0, 0, &[6]).await.expect("ticked again");
    scene.complete(0).await.expect("completed");
    assert_eq!(scene.declared(0).await, (1..=12).filter(|month| *month != 5).collect::<Vec<u8>>());
    let refused = scene.untick(0, 0, &[7]).await.expect_err("it is frozen");
    assert_eq!(reason(&refused), Some(&Refused::NotOpen));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_not_known_yet_is_ticked_only_when_waiting_is_over() {
    let mut scene = Scene::begin().await;
    // wages of December settle by a pull on or after 31 March, and none comes
    scene.province.take(&Step::SettlesAfter(90)).await;
    scene.lose("wage", 1, 1, 12);
    scene.night().await;
    assert_eq!(scene.verdict(1, 1, 12).await.codes.get(renzheng::domain::verdict::Check::Wage), "pending");
    let refused = scene.tick(1, 1, &[12]).await.expect_err("it is not due");
    assert!(refused.to_string().contains("2025-12: wage due on 2026-03-31"), "{refused}");
    // the day itself is still the source's; afterwards it is late
    scene.day("2026-03-31").await;
    assert!(scene.tick(1, 1, &[12]).await.is_err());
    scene.day("2026-04-01").await;
    scene.tick(1, 1, &[12]).await.expect("the source is late");
    scene.untick(1, 1, &[12]).await.expect("any month may be unticked");

    let choosing = |deregisters| scene.choosing(1, 1, &[12], true, deregisters);
    scene.day("2026-03-05").await;
    let deregistering = choosing(true).await;
    let refused = scene.choose(&employer(scene.unit(1).await), &deregistering).await.expect_err("staff enter it");
    assert!(matches!(refused, DeclareError::Denied(Denied::Forbidden { .. })), "{refused}");
    scene.choose(&Actor::operator("counter"), &deregistering).await.expect("the unit is going");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_thirty_days_of_the_window_do_not_wait_for_what_no_source_delivers() {
    let mut scene = Scene::begin().await;
    // the only wage of a settled month is a record that was refused: nothing says when a good one comes
    let refused = Step::Wage { record: 200, person: 5, payer: 2, month: 3, amount: Some(2600), readable: false };
    scene.province.take(&refused).await;
    scene.night().await;
    for (day, may) in [("2026-10-02", false), ("2026-10-03", true)] {
        scene.day(day).await;
        scene.verify().await;
        assert!(Grounds::pending(&scene.verdict(5, 2, 3).await).contains(Ground::Wage));
        let outcome = scene.tick(5, 2, &[3]).await;
        assert_eq!(outcome.is_ok(), may, "{day}: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_asked_for_every_check_of_a_ticked_month() {
    let mut scene = Scene::begin().await;
    scene.lose("wage", 0, 0, 3);
    scene.lose("pension", 0, 0, 3);
    scene.night().await;
    scene.tick(0, 0, &[3]).await.expect("ticked");
    let both = WAGE.with(Ground::Pension);
    let missing = |grounds| Refused::EvidenceMissing(vec![(month_of(3), grounds)]);
    let refused = scene.hand_in(0, 0).await.expect_err("nothing is there");
    assert_eq!(reason(&refused), Some(&missing(both)));
    scene.show(0, 0, &[3], WAGE).await;
    let refused = scene.hand_in(0, 0).await.expect_err("one is missing");
    assert_eq!(reason(&refused), Some(&missing(Grounds::NONE.with(Ground::Pension))));
    assert_eq!(refused.to_string(), "evidence is missing: 2025-03 pension; attach it, or untick the month");
    scene.show(0, 0, &[3], both).await;
    assert_eq!(scene.hand_in(0, 0).await.expect("handed in").months, [month_of(3)]);
    let refused = scene.hand_in(0, 0).await.expect_err("it is under review");
    assert_eq!(reason(&refused), Some(&Refused::NothingToHandIn));
    // what awaits a word keeps the whole from completion
    let refused = scene.complete(0).await.expect_err("it is under review");
    assert!(refused.to_string().contains("not confirmed"), "{refused}");
    scene.untick(0, 0, &[3]).await.expect("unticked");
    scene.complete(0).await.expect("completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_employer_does_not_say_that_its_documents_were_seen() {
    let scene = Scene::begin().await;
    let own = employer(scene.unit(0).await);
    let refused = scene.show_as(&own, 0, 0, &[3], WAGE).await.expect_err("staff see documents");
    assert_eq!(reason(&refused), Some(&Refused::NotAtTheCounter));
    let foreign = employer(scene.unit(1).await);
    let refused = scene.show_as(&foreign, 0, 0, &[3], WAGE).await.expect_err("another's placement");
    assert!(matches!(refused, DeclareError::Denied(Denied::NotFound)), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_handed_in_inside_the_window() {
    let mut scene = Scene::begin().await;
    scene.fail_wage(0, 0, 3).await;
    scene.day("2026-11-01").await;
    let refused = scene.hand_in(0, 0).await.expect_err("the window is over");
    assert!(matches!(reason(&refused), Some(Refused::OutsideWindow { .. })), "{refused}");
    let unit = scene.unit(0).await;
    assert_eq!(scene.store().handed_in_at(unit, 2025).await.expect("an answer"), None);
    scene.day("2026-10-31").await;
    let handed_in = scene.hand_in(0, 0).await.expect("its last day");
    let at = scene.store().handed_in_at(unit, 2025).await.expect("an answer").expect("handed in");
    assert_eq!(at.timestamp_micros(), handed_in.at.timestamp_micros());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_with_one_reviewer_at_a_time_the_oldest_first() {
    let mut scene = Scene::begin().await;
    for (person, employer) in [(1, 1), (0, 0), (3, 0)] {
        scene.submit(person, employer, 3).await;
    }
    let first = reviewer("first", "3601");
    let page = queue(scene.store(), &first, None, 2).await.expect("a page");
    let persons = [scene.person(1).await, scene.person(0).await, scene.person(3).await];
    assert_eq!(page.cases.iter().map(|case| case.case.person).collect::<Vec<_>>(), persons[..2]);
    let place = page.next.expect("there is more").to_string().parse().expect("a cursor");
    let rest = queue(scene.store(), &first, Some(place), 2).await.expect("a page");
    assert_eq!((rest.cases.len(), rest.cases[0].case.person, rest.next), (1, persons[2], None));

    // eight at once: three cases, each with one of them
    let takers = (0..8).map(|number| {
        let store = scene.store().clone();
        async move { next(&store, &reviewer(&format!("reviewer {number}"), "36"), None).await.expect("an answer") }
    });
    let taken = futures_util::future::join_all(takers).await;
    let mut taken: Vec<_> = taken.into_iter().flatten().collect();
    taken.sort_by_key(|opened| opened.case.person);
    let mut expected = persons.to_vec();
    expected.sort();
    assert_eq!(taken.iter().map(|opened| opened.case.person).collect::<Vec<_>>(), expected);
    let holders: std::collections::BTreeSet<_> =
        taken.iter().map(|opened| opened.holder.clone().expect("held").reviewer).collect();
    assert_eq!(holders.len(), 3);
    assert!(next(scene.store(), &first, None).await.expect("an answer").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_comes_back_by_the_clock_and_work_renews_it() {
    let mut scene = Scene::begin().await;
    scene.fail_wage(0, 0, 4).await;
    let case = scene.submit(0, 0, 3).await;
    let (first, other) = (reviewer("first", "3601"), reviewer("second", "3601"));
    assert!(next(scene.store(), &first, None).await.expect("an answer").is_some());
    let refused = scene.decide(&other, case, 3, approval(&[ApprovalReason::WagePaidByBankSlip])).await;
    assert!(matches!(reason(&refused.expect_err("held")), Some(Refused::HeldByAnother { .. })));
    scene.later(Duration::minutes(29)).await;
    scene.decide(&first, case, 3, approval(&[ApprovalReason::WagePaidByBankSlip])).await.expect("decided");
    // renewed: the other still finds it held
    scene.later(Duration::minutes(29)).await;
    let seen = open(scene.store(), &other, case).await.expect("seen");
    assert_eq!(seen.holder.expect("held").reviewer, "first");
    scene.later(Duration::minutes(2)).await;
    let seen = open(scene.store(), &other, case).await.expect("taken");
    assert_eq!(seen.holder.expect("held").reviewer, "second");
    let refused = scene.decide(&first, case, 4, approval(&[ApprovalReason::WagePaidByBankSlip])).await;
    assert!(matches!(reason(&refused.expect_err("lost")), Some(Refused::HeldByAnother { .. })));
    release(scene.store(), &other, case).await.expect("given back");
    let refused = scene.decide(&other, case, 4, approval(&[ApprovalReason::WagePaidByBankSlip])).await;
    assert_eq!(reason(&refused.expect_err("given back")), Some(&Refused::NotHeld));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_jurisdictions_case_is_not_found() {
    let mut scene = Scene::begin().await;
    let case = scene.submit(0, 0, 3).await;
    let foreign = reviewer("elsewhere", "3602");
    assert!(queue(scene.store(), &foreign, None, 10).await.expect("a page").cases.is_empty());
    assert!(next(scene.store(), &foreign, None).await.expect("an answer").is_none());
    let not_found = |error: DeclareError| matches!(error, DeclareError::Denied(Denied::NotFound));
    assert!(not_found(open(scene.store(), &foreign, case).await.expect_err("not theirs")));
    let decided = scene.decide(&foreign, case, 3, approval(&[ApprovalReason::WagePaidByBankSlip])).await;
    assert!(not_found(decided.expect_err("not theirs")));
    let operator = Actor::operator("counter");
    let decided = scene.decide(&operator, case, 3, approval(&[ApprovalReason::WagePaidByBankSlip])).await;
    assert!(matches!(decided.expect_err("decides no case"), DeclareError::Denied(Denied::Forbidden { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_month_is_declared_and_frozen_as_it_failed() {
    let mut scene = Scene::begin().await;
    let case = scene.submit(0, 0, 3).await;
    let first = reviewer("first", "3601");
    open(scene.store(), &first, case).await.expect("taken");
    let unanswered = scene.decide(&first, case, 3, approval(&[ApprovalReason::ContractShown])).await;
    assert_eq!(reason(&unanswered.expect_err("a wage is missing")), Some(&Refused::GroundsUnanswered(WAGE)));
    let other = scene.decide(&first, case, 3, approval(&[ApprovalReason::Other])).await;
    assert_eq!(reason(&other.expect_err("no note")), Some(&Refused::NoteMissing));
    let elsewhere = scene.decide(&first, case, 4, approval(&[ApprovalReason::WagePaidByBankSlip])).await;
    assert!(matches!(reason(&elsewhere.expect_err("it passes")), Some(Refused::NotUnderReview { .. })));
    let unseen =
        scene.decide_seen(&first, case, 3, approval(&[ApprovalReason::WagePaidByBankSlip]), Grounds::NONE).await;
    assert!(matches!(reason(&unseen.expect_err("another saw it")), Some(Refused::Changed { .. })));
    scene.decide(&first, case, 3, approval(&[ApprovalReason::WagePaidByBankSlip])).await.expect("approved");
    assert_eq!(scene.months_standing(0, 0, MonthStanding::Approved).await, [3]);
    assert!(queue(scene.store(), &first, None, 10).await.expect("a page").cases.is_empty());
    scene.complete(0).await.expect("completed");
    assert_eq!(scene.declared(0).await, (1..=12).collect::<Vec<u8>>());
    let undone = undo(scene.store(), &first, case, month_of(3), None).await.expect_err("completed");
    assert_eq!(reason(&undone), Some(&Refused::NotOpen));
    let unit = scene.unit(0).await;
    assert!(scene.store().last_decision_at(unit, 2025).await.expect("an answer").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_reaches_no_further_than_what_failed() {
    let mut scene = Scene::begin().await;
    let case = scene.submit(0, 0, 3).await;
    let first = reviewer("first", "3601");
    open(scene.store(), &first, case).await.expect("taken");
    scene.decide(&first, case, 3, approval(&[ApprovalReason::WagePaidByBankSlip])).await.expect("approved");
    // a later delivery says that the pension was not paid
    scene.lose("pension", 0, 0, 3);
    scene.night().await;
    let pension = Grounds::NONE.with(Ground::Pension);
    assert_eq!(scene.months_standing(0, 0, MonthStanding::EvidenceMissing(pension)).await, [3]);
    scene.show(0, 0, &[3], pension).await;
    assert_eq!(queue(scene.store(), &first, None, 10).await.expect("a page").cases.len(), 1);
    let both = approval(&[ApprovalReason::WagePaidByBankSlip, ApprovalReason::BackPaymentProven]);
    scene.decide(&first, case, 3, both).await.expect("approved again");
    assert_eq!(scene.months_standing(0, 0, MonthStanding::Approved).await, [3]);
    // and a later one that all was paid
    scene.province.take(&Step::Employed { person: 0, employer: 0, from_month: 3, to_month: 3 }).await;
    scene.night().await;
    assert_eq!(scene.months_standing(0, 0, MonthStanding::Passed).await.len(), 12);
    let history = scene.store().list_decisions(case).await.expect("a history");
    let endings: Vec<_> = history.iter().map(|line| line.ending.as_deref()).collect();
    assert_eq!(endings, [Some("replaced"), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_month_is_unticked_or_handed_in_again_and_a_decision_can_be_undone() {
    let mut scene = Scene::begin().await;
    let case = scene.submit(0, 0, 3).await;
    let first = reviewer("first", "3601");
    open(scene.store(), &first, case).await.expect("taken");
    scene.decide(&first, case, 3, rejection(&[RejectionReason::DocumentIllegible])).await.expect("rejected");
    assert_eq!(scene.standing(0, 0).await, PlacementStanding::Returned);
    undo(scene.store(), &first, case, month_of(3), Some("the wrong month")).await.expect("undone");
    assert_eq!(scene.standing(0, 0).await, PlacementStanding::UnderReview);
    scene.decide(&first, case, 3, rejection(&[RejectionReason::AmountBelowStandard])).await.expect("rejected");
    release(scene.store(), &first, case).await.expect("given back");
    assert!(next(scene.store(), &first, None).await.expect("an answer").is_none());
    scene.later(Duration::minutes(1)).await;
    scene.hand_in(0, 0).await.expect("handed in again");
    assert_eq!(scene.standing(0, 0).await, PlacementStanding::UnderReview);
    assert!(next(scene.store(), &first, None).await.expect("an answer").is_some());
    scene.untick(0, 0, &[3]).await.expect("unticked");
    assert_eq!(scene.standing(0, 0).await, PlacementStanding::Confirmed);
    let nothing = undo(scene.store(), &first, case, month_of(4), None).await.expect_err("nothing stands");
    assert_eq!(reason(&nothing), Some(&Refused::NothingDecided { month: month_of(4) }));
}

/// The built-in policy with a second person for every month.
fn two_persons() -> Reading {
    let text = policy::BUILT_IN.replacen("value = \"off\"", "value = \"all\"", 1);
    Reading { policy: policy::parse(&text).expect("a policy"), text }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_second_person_is_asked_for_whoever_proposes_does_not_agree() {
    let mut scene = Scene::begin().await;
    scene.province.policy = two_persons();
    scene.verify().await;
    let case = scene.submit(0, 0, 3).await;
    let (first, second_person) = (supervisor("first", "3601"), supervisor("second", "3601"));
    open(scene.store(), &first, case).await.expect("taken");
    let slip = || approval(&[ApprovalReason::WagePaidByBankSlip]);
    let proposed = scene.decide(&first, case, 3, slip()).await.expect("proposed");
    assert!(proposed.second_asked);
    assert_eq!(scene.standing(0, 0).await, PlacementStanding::UnderReview);
    let twice = scene.decide(&first, case, 3, slip()).await.expect_err("proposed already");
    assert_eq!(reason(&twice), Some(&Refused::Proposed { month: month_of(3) }));
    // it is no work for the one who proposed it, and is for the other
    release(scene.store(), &first, case).await.expect("given back");
    assert!(next(scene.store(), &first, None).await.expect("an answer").is_none());
    assert!(next(scene.store(), &reviewer("third", "3601"), None).await.expect("an answer").is_none());
    assert!(next(scene.store(), &second_person, None).await.expect("an answer").is_some());

    let word = |agrees| Seconding { case, month: month_of(3), agrees, why: None };
    let own = second(scene.store(), &first, &word(true)).await.expect_err("the same person");
    assert_eq!(reason(&own), Some(&Refused::SamePerson));
    let mut connection = scene.province.harness.connection().await;
    let forced = sqlx::query("update month_decision set agreed_at = decided_at, agreed_by = decided_by")
        .execute(&mut connection)
        .await
        .expect_err("the database refuses too");
    assert!(forced.to_string().contains("month_decision_second_person_is_another"), "{forced}");

    second(scene.store(), &second_person, &word(false)).await.expect("refused");
    assert_eq!(scene.standing(0, 0).await, PlacementStanding::UnderReview);
    let gone = second(scene.store(), &second_person, &word(true)).await.expect_err("nothing is proposed");
    assert_eq!(reason(&gone), Some(&Refused::NothingProposed { month: month_of(3) }));
    release(scene.store(), &second_person, case).await.expect("given back");
    open(scene.store(), &first, case).await.expect("taken again");
    scene.decide(&first, case, 3, slip()).await.expect("proposed again");
    second(scene.store(), &second_person, &word(true)).await.expect("agreed");
    assert_eq!(scene.standing(0, 0).await, PlacementStanding::Confirmed);
    scene.complete(0).await.expect("completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_original_seen_that_day_stands_for_the_register() {
    let mut scene = Scene::begin().await;
    let lapsed = Step::Certificate { person: 0, level: 1, valid_to_month: Some(12) };
    scene.province.take(&lapsed).await;
    scene.night().await;
    let refused = scene.complete(0).await.expect_err("no certificate today");
    assert!(refused.to_string().contains("no certificate in force today"), "{refused}");
    let case = scene.case(0, 0).await;
    let day = |text: &str| text.parse::<NaiveDate>().expect("a date");
    let read = OriginalRead {
        kind: CertificateKind::DisabledPerson,
        level: 1,
        valid_from: day("2025-12-15"),
        valid_to: Some(day("2035-12-14")),
    };
    let first = reviewer("first", "3601");
    let no_level = see_original(scene.store(), &first, case, OriginalRead { level: 5, ..read }).await;
    assert_eq!(reason(&no_level.expect_err("levels 1 to 4")), Some(&Refused::NoSuchLevel { level: 5, most: 4 }));
    let backwards = OriginalRead { valid_to: Some(day("2025-12-14")), ..read };
    let backwards = see_original(scene.store(), &first, case, backwards).await;
    assert!(matches!(reason(&backwards.expect_err("backwards")), Some(Refused::ValidityBackwards { .. })));
    see_original(scene.store(), &first, case, read).await.expect("seen");
    scene.complete(0).await.expect("completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_leaves_its_row_in_the_audit_log() {
    let mut scene = Scene::begin().await;
    let case = scene.submit(0, 0, 3).await;
    let first = reviewer("first", "3601");
    open(scene.store(), &first, case).await.expect("taken");
    scene.decide(&first, case, 3, approval(&[ApprovalReason::WagePaidByBankSlip])).await.expect("approved");
    undo(scene.store(), &first, case, month_of(3), Some("looked again")).await.expect("undone");
    let mut connection = scene.province.harness.connection().await;
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("select action, actor, coalesce(why, '') from audit where action <> 'enter' order by audit_id")
            .fetch_all(&mut connection)
            .await
            .expect("rows");
    let told: Vec<String> = rows.iter().map(|(action, actor, why)| format!("{action} by {actor} {why}")).collect();
    let expected = [
        "tick by employer ",
        "attach_evidence by counter ",
        "hand_in by employer ",
        "open_case by first ",
        "decide_month by first ",
        "undo_decision by first looked again",
    ];
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn months_ticked_before_there_were_choices_stay_ticked() {
    let harness = Harness::new("review_migration").await;
    let mut admin = harness.connection().await;
    let name = format!("it_before_{}", std::process::id());
    sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut admin).await.expect("made");
    let options: PgConnectOptions = harness.url().parse().expect("a URL");
    let mut old = PgConnection::connect_with(&options.database(&name)).await.expect("connected");
    let (before, after): (Vec<_>, Vec<_>) = MIGRATIONS.iter().partition(|migration| migration.version < 11);
    for migration in before {
        sqlx::raw_sql(migration.sql.clone()).execute(&mut old).await.expect("migrated");
    }
    let stored = "insert into publish (seq, published_at, cause) values (7, now(), 'import');
        insert into unit (uscc) values ('91369900MA00000152');
        insert into tick (person_id, employer_id, month, confirmed_at, confirmed_by) values (0, 1, 24302, now(), 'counter');";
    sqlx::raw_sql(stored).execute(&mut old).await.expect("stored");
    for migration in after {
        sqlx::raw_sql(migration.sql.clone()).execute(&mut old).await.expect("migrated");
    }
    let kept: Vec<(i64, i32, i64, bool, String)> =
        sqlx::query_as("select person_id, month, from_seq, ticked, chosen_by from choice where to_seq is null")
            .fetch_all(&mut old)
            .await
            .expect("rows");
    assert_eq!(kept, [(0, 24302, 7, true, "counter".to_owned())]);
    old.close().await.expect("closed");
    sqlx::query(AssertSqlSafe(format!("drop database {name}"))).execute(&mut admin).await.expect("dropped");
}
