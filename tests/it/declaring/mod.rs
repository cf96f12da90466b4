//! Declarations from completion to amendment, against the sandbox's tax department: what the employer confirmed is what it holds, once.

mod scene;

use crate::harness::actor;
use chrono::NaiveDate;
use renzheng::declare::complete::{Completing, complete};
use renzheng::declare::deregister::deregister;
use renzheng::declare::import::{ImportKind, import};
use renzheng::declare::news::apply_news;
use renzheng::declare::review::counter::{OriginalRead, see_original};
use renzheng::declare::tick::{Choosing, choose};
use renzheng::declare::{DeclareError, amend, corrections, drift, withdraw};
use renzheng::domain::access::Actor;
use renzheng::domain::completion::Obstacle;
use renzheng::domain::declaration::Change;
use renzheng::domain::facts::CertificateKind;
use renzheng::domain::facts::PersonId;
use renzheng::domain::message::MessageKind;
use renzheng::store::changes::Verified;
use renzheng::store::publish::Cause;
use renzheng::store::review_cases::CaseKey;
use renzheng::verify::changes::is_any_touched;
use std::collections::HashSet;

pub use scene::{
    ELECTRONICS, FACTORY, SCHOOL, Scene, YEAR, amendment_approval, approval, change, code, employer, month,
    open_department, supervisor, withdrawal,
};

#[tokio::test]
async fn the_road_from_completion_over_withdrawal_to_amendment() {
    let scene = Scene::begin("road").await;
    let store = scene.store();
    let policy = &scene.day.harness.policy.policy;
    let declaring = scene.declaring(FACTORY).await;
    let own = employer(declaring.employer);

    assert_eq!(
        code(scene.complete(FACTORY).await),
        "without_proof",
        "a dispatch company is named, and nothing proves it"
    );
    scene.prove_affiliates(FACTORY).await;
    let first = scene.complete(FACTORY).await.expect("completed");
    assert_eq!(first.version, 1);
    assert!(scene.held().is_empty(), "nothing leaves by itself");
    scene.push().await;
    let months = u64::from(first.weighted_person_months);
    assert_eq!(scene.held(), [(FACTORY.to_owned(), 1, months)]);
    assert_eq!(scene.state(FACTORY).await.name(), "accepted");
    let claims = scene.claims(FACTORY).await;

    withdraw::ask(store, &own, declaring, &withdrawal(true)).await.expect("asked");
    assert_eq!(withdraw::list(store, &supervisor()).await.expect("listed").len(), 1);
    assert_eq!(code(withdraw::decide(store, &own, declaring, &approval(None)).await), "forbidden");
    let unpaid = withdraw::decide(store, &supervisor(), declaring, &approval(None)).await;
    assert_eq!(code(unpaid), "refund_reference_missing");
    assert_eq!(scene.state(FACTORY).await.name(), "accepted");
    withdraw::decide(store, &supervisor(), declaring, &approval(Some("RF-1"))).await.expect("approved");
    assert_eq!(scene.held(), [(FACTORY.to_owned(), 1, months)], "until the department takes the withdrawal");
    assert_eq!(scene.claims(FACTORY).await, claims, "the department still holds these months");
    scene.push().await;
    assert!(scene.held().is_empty());
    assert_eq!(scene.claims(FACTORY).await, 0);
    assert_eq!(scene.state(FACTORY).await.name(), "open");

    // the contract ended in November
    scene.correct_contract(&format!("{FACTORY},2025,360001198005050117,labour,2019-04-01,,2025-11-10")).await;
    let second = scene.complete(FACTORY).await.expect("completed again");
    assert_eq!((second.version, second.weighted_person_months), (2, first.weighted_person_months - 1));
    assert_ne!(second.certification_number, first.certification_number);
    scene.push().await;
    assert_eq!(scene.held(), [(FACTORY.to_owned(), 2, months - 1)]);

    // the second delivery of wages says otherwise; nothing changes by itself
    scene.day.deliver_wages("wage-2.ndjson");
    scene.day.pull("pull-wage").await;
    scene.day.harness.verify(YEAR).await;
    assert_eq!(scene.held(), [(FACTORY.to_owned(), 2, months - 1)]);
    let later = drift::of_employer(store, policy, &own, declaring).await.expect("compared").expect("declared");
    let corrected = scene.person("360006198303030677").await;
    let receiver = later.months.iter().map(|one| one.person_id).find(|person| *person != corrected);
    let receiver = receiver.expect("another person's month");
    let told: HashSet<(PersonId, u32, &str)> =
        later.months.iter().map(|one| (one.person_id, one.month.number(), one.what.as_str())).collect();
    let expected = [
        (corrected, 4, "gained"),
        (corrected, 11, "gained"),
        (corrected, 5, "lost"),
        (corrected, 8, "lost"),
        (corrected, 9, "lost"),
        (receiver, 9, "gained"),
    ];
    assert_eq!(told, HashSet::from(expected));
    assert!(later.worth.is_some() && later.months.iter().all(|one| one.since.is_some() && one.worth.is_some()));
    let all = drift::list(store, policy, YEAR).await.expect("listed");
    assert_eq!(all, [later], "and nobody else is declared");

    let changes = vec![change(corrected, 4, true), change(corrected, 5, false), change(corrected, 8, false)];
    amend::ask(store, policy, &own, declaring, changes).await.expect("asked");
    let difference = amend::show(store, policy, &own, declaring).await.expect("shown").expect("asked for");
    let (before, after) = (difference.before, difference.after);
    assert_eq!(after.weighted_person_months + 1, before.weighted_person_months);
    assert!(difference.levy_before.is_some() && difference.levy_after >= difference.levy_before, "{difference:?}");
    assert_eq!(amend::list(store, &supervisor()).await.expect("listed").len(), 1);
    amend::decide(store, policy, &supervisor(), declaring, &amendment_approval()).await.expect("approved");
    assert_eq!(scene.held(), [(FACTORY.to_owned(), 2, months - 1)], "the old result stands");
    let during = scene.claims(FACTORY).await;
    scene.push().await;
    assert_eq!(scene.held(), [(FACTORY.to_owned(), 3, months - 2)]);
    assert_eq!(scene.claims(FACTORY).await, during - 2, "removed months are free once the amendment is accepted");
    assert_eq!(
        scene.received(),
        ["1:certified accepted", "1:withdrawn accepted", "2:certified accepted", "3:certified for 2 accepted"]
    );
    scene.assert_only_what_was_confirmed_leaves().await;
}

#[tokio::test]
async fn completing_is_refused_with_everything_that_stands_in_the_way() {
    let scene = Scene::begin("refusals").await;
    let (store, reading) = (scene.store(), &scene.day.harness.policy);
    let completing = scene.completing(ELECTRONICS).await;
    let own = employer(completing.declaring.employer);

    let stranger = employer(scene.declaring(SCHOOL).await.employer);
    assert_eq!(code(complete(store, reading, &stranger, &completing).await), "not_found");

    // frozen since September: its months until then count, but on the day of submission there is no certificate
    let Err(DeclareError::Obstacles(obstacles)) = complete(store, reading, &own, &completing).await else {
        panic!("refused")
    };
    let frozen = scene.person("36001619820202166X").await;
    let lacking = obstacles.iter().find_map(|obstacle| match obstacle {
        Obstacle::NoCertificate(persons) => Some(persons.clone()),
        _ => None,
    });
    let lacking = lacking.expect("certificates are asked for");
    assert!(lacking.contains(&frozen), "{lacking:?}");

    // a ticked month without evidence
    let late = scene.person("360012198408081224").await;
    let december = Choosing {
        declaring: completing.declaring,
        person: late,
        months: vec![month(12)],
        ticked: true,
        deregisters: false,
    };
    choose(store, &reading.policy, &own, &december).await.expect("ticked");
    let Err(DeclareError::Obstacles(obstacles)) = complete(store, reading, &own, &completing).await else {
        panic!("refused")
    };
    let codes: Vec<_> = obstacles.iter().map(Obstacle::code).collect();
    assert_eq!(codes, ["not_confirmed", "no_certificate"]);
    assert!(obstacles.iter().all(|obstacle| !obstacle.chinese().is_empty()));

    // the originals were seen at the counter
    for person in lacking {
        let case = CaseKey { person, employer: completing.declaring.employer, year: YEAR as i16 };
        let valid_from = "2020-01-01".parse().expect("a day");
        let read = OriginalRead { kind: CertificateKind::DisabledPerson, level: 3, valid_from, valid_to: None };
        see_original(store, &supervisor(), case, read).await.expect("seen");
    }
    let Err(DeclareError::Obstacles(obstacles)) = complete(store, reading, &own, &completing).await else {
        panic!("refused")
    };
    assert_eq!(obstacles.iter().map(Obstacle::code).collect::<Vec<_>>(), ["not_confirmed"]);
    assert_eq!((scene.audited().await, scene.claims(ELECTRONICS).await), (0, 0), "a refusal leaves no trace");
}

#[tokio::test]
async fn the_window_closes_with_the_last_second_of_october() {
    let scene = Scene::begin("window").await;
    // what is stale proves nothing: the agencies are asked on the last day
    scene.clock("2026-10-31", "22:00:00").await;
    scene.day.pull_all().await;
    scene.clock("2026-11-01", "00:00:00").await;
    let Err(DeclareError::Obstacles(obstacles)) = scene.complete(SCHOOL).await else { panic!("refused") };
    assert_eq!(obstacles.iter().map(Obstacle::code).collect::<Vec<_>>(), ["outside_window"]);
    scene.clock("2026-10-31", "23:59:45").await;
    assert_eq!(scene.complete(SCHOOL).await.expect("completed").version, 1);

    // asked for inside the window, approved after it: ten days to complete again
    let (store, declaring) = (scene.store(), scene.declaring(SCHOOL).await);
    let own = employer(declaring.employer);
    withdraw::ask(store, &own, declaring, &withdrawal(false)).await.expect("asked");
    scene.clock("2026-11-03", "10:00:00").await;
    withdraw::decide(store, &supervisor(), declaring, &approval(None)).await.expect("approved");
    scene.push().await;
    scene.clock("2026-11-14", "00:00:00").await;
    scene.day.pull_all().await;
    assert_eq!(code(scene.complete(SCHOOL).await), "outside_window");
    scene.clock("2026-11-13", "23:59:45").await;
    assert_eq!(scene.complete(SCHOOL).await.expect("completed").version, 2);
}

#[tokio::test]
async fn the_same_command_twice_completes_once_and_gets_the_same_answer() {
    let scene = Scene::begin("twice").await;
    let (store, reading) = (scene.store(), &scene.day.harness.policy);
    let mut completing = scene.completing(SCHOOL).await;
    completing.idempotency_key = Some("click-1".to_owned());
    let own = employer(completing.declaring.employer);
    let both = tokio::join!(complete(store, reading, &own, &completing), complete(store, reading, &own, &completing));
    let (one, other) = (both.0.expect("completed"), both.1.expect("the same"));
    assert_eq!(one, other);
    assert_eq!(scene.audited().await, 1);
    let other_words = Completing { accepted_commitment: Some("another".to_owned()), ..completing.clone() };
    assert_eq!(code(complete(store, reading, &own, &other_words).await), "key_reused");
    let other_key = Completing { idempotency_key: Some("click-2".to_owned()), ..completing.clone() };
    assert_eq!(code(complete(store, reading, &own, &other_key).await), "already_completed");

    // a late echo of the first click does not complete what was opened again
    scene.push().await;
    withdraw::ask(store, &own, completing.declaring, &withdrawal(false)).await.expect("asked");
    withdraw::decide(store, &supervisor(), completing.declaring, &approval(None)).await.expect("approved");
    assert_eq!(complete(store, reading, &own, &completing).await.expect("the same answer"), one);
    assert_eq!(scene.state(SCHOOL).await.name(), "open");
}

#[tokio::test]
async fn a_rejected_amendment_leaves_the_old_result_and_is_corrected_or_given_up() {
    let scene = Scene::begin("rejected_amendment").await;
    let (store, policy) = (scene.store(), &scene.day.harness.policy.policy);
    let first = scene.complete(SCHOOL).await.expect("completed");
    scene.push().await;
    let months = u64::from(first.weighted_person_months);
    let declaring = scene.declaring(SCHOOL).await;
    let own = employer(declaring.employer);
    let worker = scene.person("360024200002292457").await;

    let foreign = scene.person("360001198005050117").await;
    let asked = amend::ask(store, policy, &own, declaring, vec![change(foreign, 3, false)]).await;
    assert_eq!(code(asked), "not_found", "another employer's worker");
    let asked = amend::ask(store, policy, &own, declaring, vec![change(worker, 3, true)]).await;
    assert_eq!(code(asked), "not_amendable", "declared already");

    // the reason of every month is kept, not only that of the first
    for (reason, refusal) in [
        ("for 360024200002292457", "note_holds_id_number"),
        (" ", "reason_missing"),
        ("left\0early", "reason_unreadable"),
        (&*"长".repeat(1001), "reason_too_long"),
    ] {
        let second = Change { reason: reason.to_owned(), ..change(worker, 4, false) };
        let asked = amend::ask(store, policy, &own, declaring, vec![change(worker, 3, false), second]).await;
        assert_eq!(code(asked), refusal);
    }
    let ask = || amend::ask(store, policy, &own, declaring, vec![change(worker, 3, false)]);
    ask().await.expect("asked");
    ask().await.expect("the same command again");
    assert_eq!(scene.audited().await, 3, "completed, accepted, asked once");
    amend::decide(store, policy, &supervisor(), declaring, &amendment_approval()).await.expect("approved");
    scene.push_rejected().await;
    let rejected = scene.state(SCHOOL).await;
    assert_eq!((rejected.name(), rejected.version_in_force()), ("rejected", Some(1)));
    assert_eq!(scene.held(), [(SCHOOL.to_owned(), 1, months)]);

    let operator = Actor::operator("counter");
    corrections::reissue(store, &operator, declaring, MessageKind::Certified).await.expect("issued again");
    scene.push_rejected().await;
    assert_eq!(code(corrections::reopen(store, &operator, declaring).await), "result_stands");
    assert_eq!(code(corrections::close(store, &operator, declaring, "given up").await), "forbidden");
    let claims = scene.claims(SCHOOL).await;
    let closed = corrections::close(store, &supervisor(), declaring, "given up").await.expect("given up");
    assert_eq!((closed.name(), closed.version_in_force()), ("accepted", Some(1)));
    assert_eq!(scene.claims(SCHOOL).await, claims, "all of them are of the result that stands");
    assert_eq!(scene.held(), [(SCHOOL.to_owned(), 1, months)]);
}

#[tokio::test]
async fn a_rejected_result_is_issued_again_with_the_technical_data_as_they_are_now() {
    let scene = Scene::begin("reissued").await;
    let first = scene.complete(SCHOOL).await.expect("completed");
    let declaring = scene.declaring(SCHOOL).await;
    scene.push_rejected().await;
    assert_eq!(scene.state(SCHOOL).await.name(), "rejected");
    let path = scene.folder.path().join("employers.csv");
    let text = format!(
        "uscc,name,kind,division,federation_division,tax_division\n{SCHOOL},贵溪市例五高级中学,public_institution,360681,360681,360602\n"
    );
    std::fs::write(&path, text).expect("written");
    let policy = &scene.day.harness.policy.policy;
    import(scene.store(), policy, ImportKind::Employers, &path, &actor()).await.expect("imported");
    corrections::reissue(scene.store(), &supervisor(), declaring, MessageKind::Certified).await.expect("issued again");
    scene.push().await;
    assert_eq!(scene.held(), [(SCHOOL.to_owned(), 1, u64::from(first.weighted_person_months))]);
    let held = scene.ledger().in_force();
    assert_eq!(
        (&held[0].message["tax_division"], &held[0].message["employer_name"]),
        (&"360602".into(), &"贵溪市例五高级中学".into())
    );
    assert_eq!(scene.received(), ["1:certified:2 accepted"]);
}

#[tokio::test]
async fn closing_frees_the_months_of_a_result_that_was_never_accepted() {
    let scene = Scene::begin("closed").await;
    scene.complete(SCHOOL).await.expect("completed");
    let (store, declaring) = (scene.store(), scene.declaring(SCHOOL).await);
    let staff = supervisor();
    let close = || corrections::close(store, &staff, declaring, "the unit is gone");
    assert_eq!(code(close().await), "may_be_accepted");
    scene.push_rejected().await;
    assert!(scene.claims(SCHOOL).await > 0, "it may be issued again");
    assert_eq!(close().await.expect("closed").name(), "closed");
    assert_eq!(scene.claims(SCHOOL).await, 0);
    assert_eq!(close().await.expect("the same command again").name(), "closed");
    assert_eq!(code(scene.complete(SCHOOL).await), "closed");
    corrections::reopen(store, &supervisor(), declaring).await.expect("opened again");
    assert_eq!(scene.complete(SCHOOL).await.expect("completed").version, 2);
}

#[tokio::test]
async fn late_and_doubled_answers_find_their_message() {
    let scene = Scene::begin("late_answers").await;
    let (store, declaring) = (scene.store(), scene.declaring(SCHOOL).await);
    let own = employer(declaring.employer);
    scene.complete(SCHOOL).await.expect("completed");
    // withdrawn while the first message is not even sent, and completed again
    withdraw::ask(store, &own, declaring, &withdrawal(false)).await.expect("asked");
    withdraw::decide(store, &supervisor(), declaring, &approval(None)).await.expect("approved");
    let second = scene.complete(SCHOOL).await.expect("completed again");
    assert_eq!(second.version, 2);
    let claims = scene.claims(SCHOOL).await;
    scene.push().await;
    assert_eq!(scene.received(), ["1:certified accepted", "1:withdrawn accepted", "2:certified accepted"]);
    assert_eq!(scene.held(), [(SCHOOL.to_owned(), 2, u64::from(second.weighted_person_months))]);
    assert_eq!((scene.state(SCHOOL).await.name(), scene.claims(SCHOOL).await), ("accepted", claims));

    // every answer once more
    let (before, audited) = (scene.state(SCHOOL).await, scene.audited().await);
    let mut connection = scene.day.harness.connection().await;
    sqlx::query("update outbox set applied = false").execute(&mut connection).await.expect("doubled");
    assert_eq!(apply_news(store).await.expect("taken in"), 3);
    assert_eq!((scene.state(SCHOOL).await, scene.audited().await), (before, audited), "no news");
    scene.assert_only_what_was_confirmed_leaves().await;
}

#[tokio::test]
async fn a_rejected_withdrawal_is_shown_and_issued_again() {
    let scene = Scene::begin("rejected_withdrawal").await;
    let (store, declaring) = (scene.store(), scene.declaring(SCHOOL).await);
    let own = employer(declaring.employer);
    scene.complete(SCHOOL).await.expect("completed");
    scene.push().await;
    let claims = scene.claims(SCHOOL).await;
    withdraw::ask(store, &own, declaring, &withdrawal(false)).await.expect("asked");
    withdraw::decide(store, &supervisor(), declaring, &approval(None)).await.expect("approved");
    scene.push_rejected().await;
    let open = scene.state(SCHOOL).await;
    assert_eq!((open.name(), open.version_in_force(), scene.claims(SCHOOL).await), ("open", Some(1), claims));
    assert_eq!(
        open.withdrawal_rejected.as_ref().map(|returned| returned.rejection.code.as_str()),
        Some("division_closed")
    );
    corrections::reissue(store, &supervisor(), declaring, MessageKind::Withdrawn).await.expect("issued again");
    scene.push().await;
    assert_eq!(scene.received(), ["1:certified accepted", "1:withdrawn:2 accepted"]);
    assert!(scene.held().is_empty());
    assert_eq!((scene.state(SCHOOL).await.version_in_force(), scene.claims(SCHOOL).await), (None, 0));
}

#[tokio::test]
async fn a_completion_waits_for_the_release_of_another_employers_claim() {
    let scene = Scene::begin("claims").await;
    let (store, school) = (scene.store(), scene.declaring(SCHOOL).await);
    let other = scene.declaring("91369900MA1000A29E").await;
    let worker = scene.person("360024200002292457").await;
    let mut connection = scene.day.harness.connection().await;
    let claim = "insert into claim (person_id, month, from_seq, employer_id, version) select $1, $2, seq, $3, 1 from publish_head";
    sqlx::query(claim)
        .bind(worker.0)
        .bind(month(3).index())
        .bind(other.employer.0)
        .execute(&mut connection)
        .await
        .expect("claimed");
    let march =
        Choosing { declaring: school, person: worker, months: vec![month(3)], ticked: true, deregisters: false };
    choose(store, &scene.day.harness.policy.policy, &employer(school.employer), &march).await.expect("ticked");
    assert_eq!(code(scene.complete(SCHOOL).await), "not_confirmed", "the month is in conflict");
    assert_eq!(scene.claims(SCHOOL).await, 0);
    sqlx::query("update claim set to_seq = (select seq from publish_head) where employer_id = $1 and to_seq is null")
        .bind(other.employer.0)
        .execute(&mut connection)
        .await
        .expect("released");
    let completed = scene.complete(SCHOOL).await.expect("completed");
    assert_eq!(scene.claims(SCHOOL).await, 34, "{completed:?}");
    let twice =
        sqlx::query(claim).bind(worker.0).bind(month(3).index()).bind(other.employer.0).execute(&mut connection).await;
    assert!(twice.is_err(), "the database itself refuses a second holder");
}

#[tokio::test]
async fn a_deregistering_unit_declares_the_months_before_at_any_time_by_the_hand_of_staff() {
    let scene = Scene::begin("deregistered").await;
    let (store, reading) = (scene.store(), &scene.day.harness.policy);
    scene.clock("2025-12-20", "10:00:00").await;
    scene.day.pull_all().await;
    let declaring = scene.declaring(SCHOOL).await;
    let on = |text: &str| text.parse::<NaiveDate>().expect("a day");
    let own = employer(declaring.employer);
    assert_eq!(code(deregister(store, &own, declaring.employer, on("2025-06-10")).await), "forbidden");
    assert_eq!(code(scene.complete(SCHOOL).await), "outside_window");
    let marked = deregister(store, &supervisor(), declaring.employer, on("2025-06-10")).await.expect("entered");
    assert_eq!(marked.deregistered_on(), Some(on("2025-06-10")));
    let completing = scene.completing(SCHOOL).await;
    let completed = complete(store, reading, &supervisor(), &completing).await.expect("completed at the counter");
    let months = store.list_declared_months(declaring.employer, 2025, completed.version).await.expect("months");
    assert!(!months.is_empty() && months.iter().all(|declared| declared.month < month(6)), "{months:?}");
    scene.push().await;
    assert_eq!(scene.held().len(), 1);
    let late = deregister(store, &supervisor(), declaring.employer, on("2025-07-10")).await;
    assert_eq!(code(late), "already_completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_publish_meanwhile_makes_nobody_judge_twice_for_a_completion() {
    let scene = Scene::begin("busy").await;
    let store = scene.store();
    let before = store.head().await.expect("a sequence");
    // whatever the completion does, somebody publishes between
    let others = async {
        loop {
            let at = store.now().await.expect("now");
            store.publish(Cause::Tick, at).await.expect("published").commit().await.expect("visible");
        }
    };
    let completed = tokio::select! {
        () = others => unreachable!("they go on"),
        completed = scene.complete(SCHOOL) => completed.expect("completed"),
    };
    assert_eq!(completed.version, 1);
    assert!(store.head().await.expect("a sequence") > before + 2, "others published meanwhile");
    let own = employer(scene.declaring(SCHOOL).await.employer).name;
    let runs = store.list_runs(Some("verify"), None, 100).await.expect("runs");
    assert_eq!(runs.iter().filter(|run| run.actor == own).count(), 1);
}

#[tokio::test]
async fn only_what_touches_the_employers_own_persons_has_them_judged_again() {
    let scene = Scene::begin("touched").await;
    let (store, policy) = (scene.store(), &scene.day.harness.policy);
    let last = Verified {
        seq: store.head().await.expect("a sequence"),
        business_date: store.today().await.expect("today"),
        policy_version: policy.policy.version.clone(),
    };
    let placed = async |code: &str| {
        let (employer, head) = (scene.declaring(code).await.employer, store.head().await.expect("a sequence"));
        store.placed_persons(YEAR, employer, head).await.expect("persons")
    };
    let touched = async |persons: &[PersonId]| {
        let head = store.head().await.expect("a sequence");
        is_any_touched(store, YEAR, persons, &last, head).await.expect("asked")
    };
    let (school, factory) = (placed(SCHOOL).await, placed(FACTORY).await);
    assert!(school.iter().all(|person| !factory.contains(person)), "nobody is placed at both");
    let declaring = scene.declaring(SCHOOL).await;
    let months = vec![month(1)];
    let choosing = Choosing { declaring, person: school[0], months, ticked: false, deregisters: false };
    choose(store, &policy.policy, &employer(declaring.employer), &choosing).await.expect("unticked");
    assert!(touched(&school).await, "an unticked month is nobody's rival");
    assert!(!touched(&factory).await, "nor does it say anything about others");
    let at = store.now().await.expect("now");
    store.publish(Cause::Tick, at).await.expect("published").commit().await.expect("visible");
    assert!(!touched(&factory).await);
}
