//! Papers and code open the page together; whoever guesses is told nothing and waits; staff hand codes out and end them.

use renzheng::declare::person::{PersonRefused, issue_code, revoke_code};
use renzheng::domain::access::{Actor, Role};
use renzheng::domain::facts::PersonId;

use super::{OTHER_CODE, Own, Papers, refused};
use crate::harness::actor;
use crate::incremental::Step;
use crate::listening::{listen, statements};
use crate::review::scene::{employer, reviewer};
use crate::runs::say;

#[tokio::test(flavor = "current_thread")]
async fn all_three_must_fit_and_whichever_is_wrong_the_answer_and_the_work_are_the_same() {
    listen();
    let own = Own::begin().await;
    let other = own.papers_of(1).await;
    let (code, others) = (own.code().await, other.code(own.store()).await);
    let with_others_id = Papers { id: other.id.clone(), ..own.papers.clone() };
    let wrong_number = Papers { certificate: format!("{}99", &own.papers.certificate[..18]), ..own.papers.clone() };
    let no_code = own.papers_of(2).await;
    let misses = [
        ("a wrong code", &own.papers, OTHER_CODE),
        ("another's code", &own.papers, &others),
        ("another certificate number", &wrong_number, &code),
        ("another's ID number", &with_others_id, &code),
        ("nobody's ID number", &own.unknown(), &code),
        ("a person without a code", &no_code, &code),
    ];
    let mut seen = Vec::new();
    for (what, papers, code) in misses {
        let before = statements();
        let error = papers.open(own.store(), code).await.expect_err(what);
        let work = statements() - before;
        let told = format!("{} {error} {}", error.code().expect("a refusal"), error.chinese().expect("told"));
        seen.push((what, told, work));
    }
    let (_, told, work) = seen[0].clone();
    assert!(work > 5, "statements are seen: {work}");
    for (what, one, count) in &seen {
        assert_eq!((one, count), (&told, &work), "{what}");
    }
    insta::assert_snapshot!(told, @"not_fitting ID number, certificate number and code do not belong together, or the code holds no more 身份证号、残疾证件号与查询码不一致，或查询码已失效。");

    let opened = own.open(&code).await.expect("all three fit");
    assert_eq!(opened.person(), own.papers.person);
    // however it is typed
    let Papers { person, id, certificate } = own.papers.clone();
    let typed = Papers { id: id.to_lowercase(), certificate: format!(" {certificate} "), person };
    typed.open(own.store(), &code.to_lowercase().replace('-', " ")).await.expect("the same");
    let openings = "select actor || ' ' || role || ' ' || object from audit where action = 'open_own'";
    assert_eq!(own.texts(openings).await, vec![format!("person {0} person person {0}", person.0); 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mistyped_is_told_before_anything_is_looked_up_and_is_no_miss() {
    let own = Own::begin().await;
    let code = own.code().await;
    let slip = |code: &str| {
        let other = if code.starts_with('7') { '8' } else { '7' };
        format!("{other}{}", &code[1..])
    };
    for _ in 0..6 {
        assert_eq!(refused(own.open(&slip(&code)).await).to_string(), "the code is mistyped");
        let mistyped = Papers { id: own.papers.id.replace("3600", "3700"), ..own.papers.clone() };
        assert_eq!(refused(mistyped.open(own.store(), &code).await).chinese(), "身份证号填写有误，请核对。");
    }
    assert_eq!(own.count("person_miss").await, 0);
    own.open(&code).await.expect("the door is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_misses_within_an_hour_close_the_door_for_an_hour_and_time_opens_it() {
    let own = Own::begin().await;
    let (store, other, unknown) = (own.store(), own.papers_of(1).await, own.unknown());
    let (code, others) = (own.code().await, other.code(store).await);
    for minute in ["10:00", "10:10", "10:20", "10:30", "10:40"] {
        own.clock("2026-03-02", minute).await;
        for papers in [&own.papers, &unknown] {
            assert_eq!(refused(papers.open(store, OTHER_CODE).await), PersonRefused::NotFitting, "{minute}");
        }
    }
    for papers in [&own.papers, &unknown] {
        // the right code too, and whether or not there is such a person
        let closed = refused(papers.open(store, &code).await);
        let PersonRefused::TooManyMisses { until } = closed else { panic!("{closed:?}") };
        assert_eq!(&renzheng::clock::rfc3339(until)[..16], "2026-03-02T11:40");
        assert_eq!(closed.code(), "too_many_misses");
        assert_eq!(closed.chinese(), "一小时内已有5次未能打开，请于2026-03-02 11:40后再试。");
    }
    other.open(store, &others).await.expect("another's door is open");
    own.clock("2026-03-02", "11:39").await;
    assert!(matches!(refused(own.open(&code).await), PersonRefused::TooManyMisses { .. }));
    own.clock("2026-03-02", "11:41").await;
    own.open(&code).await.expect("an hour is over");
    // old misses go with the next one
    own.clock("2026-03-03", "11:41").await;
    assert_eq!(refused(own.open(OTHER_CODE).await), PersonRefused::NotFitting);
    assert_eq!(own.count("person_miss").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn misses_that_come_at_once_are_counted_one_by_one() {
    let own = Own::begin().await;
    let tries = futures_util::future::join_all((0..20).map(|_| own.open(OTHER_CODE))).await;
    let missed = tries.into_iter().map(refused).filter(|refused| *refused == PersonRefused::NotFitting).count();
    assert_eq!(missed, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_holds_for_a_year_and_ends_when_another_is_made_or_it_is_revoked() {
    let own = Own::begin().await;
    let (store, person) = (own.store(), own.papers.person);
    let at_desk = reviewer("wang.fang", "3601");
    own.clock("2026-03-02", "10:00").await;
    let first = issue_code(store, &at_desk, person, Some("at the counter")).await.expect("a code");
    assert!(!first.replaces);
    assert_eq!(&renzheng::clock::rfc3339(first.expires_at)[..16], "2027-03-02T10:00");
    assert_eq!(first.code.len(), 14);
    assert!(!format!("{first:?}").contains(&first.code));
    own.open(&first.code).await.expect("it holds");
    let second = issue_code(store, &at_desk, person, None).await.expect("a code");
    assert!(second.replaces && second.code != first.code);
    assert_eq!(refused(own.open(&first.code).await), PersonRefused::NotFitting, "the former has ended");
    own.clock("2027-03-02", "09:59").await;
    own.open(&second.code).await.expect("its last minute");
    own.clock("2027-03-02", "10:01").await;
    assert_eq!(refused(own.open(&second.code).await), PersonRefused::NotFitting, "it has expired");
    let third = issue_code(store, &at_desk, person, None).await.expect("a code");
    revoke_code(store, &at_desk, person, Some("lost")).await.expect("revoked");
    assert_eq!(refused(own.open(&third.code).await), PersonRefused::NotFitting, "it is revoked");
    let again = revoke_code(store, &at_desk, person, None).await.expect_err("none stands");
    assert_eq!(again.code(), Some("no_code"));
    let told = own
        .texts(
            "select actor || ' ' || action || ' ' || (detail ->> 'did') || ' ' || coalesce(why, '-') from audit
             where action = 'issue_person_code' order by audit_id",
        )
        .await;
    insta::assert_snapshot!(told.join("\n"), @r###"
wang.fang issue_person_code issue at the counter
wang.fang issue_person_code issue -
wang.fang issue_person_code issue -
wang.fang issue_person_code revoke lost
"###);
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_hand_out_codes_to_persons_in_their_reach_and_nobody_else_does() {
    let own = Own::begin().await;
    let (store, person) = (own.store(), own.papers.person);
    let code = async |actor: &Actor, person: PersonId| {
        issue_code(store, actor, person, None).await.map(|_| ()).map_err(|error| error.code().expect("a refusal"))
    };
    assert_eq!(code(&reviewer("near", "360102"), person).await, Ok(()));
    assert_eq!(
        code(&reviewer("far", "3602"), person).await,
        Err("not_found"),
        "an employer of another division has placed them"
    );
    assert_eq!(code(&reviewer("near", "3601"), PersonId(0)).await, Err("not_found"));
    assert_eq!(code(&reviewer("near", "3601"), PersonId(99_999)).await, Err("not_found"));
    assert_eq!(code(&employer(own.scene.unit(0).await), person).await, Err("forbidden"));
    let tax = Actor { role: Role::TaxDepartment, ..reviewer("tax", "3601") };
    assert_eq!(code(&tax, person).await, Err("forbidden"));
    let id_number = "360001198005050117";
    let noted = issue_code(store, &actor(), person, Some(&format!("for {id_number}"))).await.expect_err("refused");
    assert_eq!(noted.code(), Some("note_holds_id_number"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_no_user_and_no_token_makes_one() {
    let own = Own::begin().await;
    let by = actor();
    let added = renzheng::declare::users::add_user(own.store(), &by, "somebody", "某人", Role::Person).await;
    assert_eq!(added.expect_err("refused").code(), "not_of_users");
    let harness = &own.scene.province.harness;
    let mut program = harness.program(&["user", "add", "somebody", "--role", "person", "--name", "x"], "jobs".as_ref());
    let said = say(&mut program);
    assert!(said.contains("accepted are employer, handler, reviewer, supervisor, operator, auditor, tax_department"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_with_two_certificates_gives_either_and_a_former_number_opens_nothing() {
    let mut own = Own::begin().await;
    // another level, and so another number, from now on
    own.scene.province.take(&Step::Certificate { person: 0, level: 3, valid_to_month: None }).await;
    own.scene.night().await;
    own.scene.province.enrol_soldier(0, "军残字000123");
    let now = own.papers_of(0).await;
    assert_ne!(own.papers.certificate, now.certificate);
    let code = own.code().await;
    assert_eq!(refused(own.open(&code).await), PersonRefused::NotFitting);
    now.open(own.store(), &code).await.expect("as it is registered now");
    let reissued = Papers { certificate: format!("{}B2", now.certificate), ..now.clone() };
    reissued.open(own.store(), &code).await.expect("the same certificate on a new card");
    let soldier = Papers { certificate: "军残字 000123".to_owned(), ..now.clone() };
    assert_eq!(refused(soldier.open(own.store(), &code).await), PersonRefused::NotFitting, "it is not registered yet");
    own.scene.province.pull_all().await;
    soldier.open(own.store(), &code).await.expect("either one");
    now.open(own.store(), &code).await.expect("either one");
}
