//! What a file is put to use for: many cells and years at once, once each, withdrawn while nothing rests on it; and who may.

use chrono::{NaiveDate, TimeDelta};
use renzheng::declare::evidence::{Attaching, Form, Withdrawing, attach, list, open, show, withdraw};
use renzheng::domain::access::{Role, Scope};
use renzheng::domain::evidence::{FILES_PER_PLACEMENT, Subject};
use renzheng::domain::facts::ContractKind;
use renzheng::domain::month::Month;
use renzheng::domain::retention::usual;
use renzheng::domain::review::{Ground, Grounds};

use super::made::{pdf, png};
use super::{Desk, E1, E2, E9, P1, P2, actor, code, operator};

fn month(text: &str) -> Month {
    text.parse().expect("a month")
}

/// A PDF that differs by its number.
fn document(number: u32) -> Vec<u8> {
    pdf(format!("5 0 obj {number} endobj").as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_serves_many_cells_and_is_kept_once() {
    let desk = Desk::open("evidence_cells").await;
    let (e1, one, other) = (desk.unit(E1).await, desk.person(P1).await, desk.person(P2).await);
    let cells = |person, ground| {
        ["2025-02", "2025-03", "2025-12"].map(|text| Subject::Cell { person, month: month(text), ground })
    };
    let mut subjects = cells(one, Ground::Wage).to_vec();
    subjects.extend(cells(other, Ground::Wage));
    subjects.extend(cells(one, Ground::Pension));
    let first = desk.attach("a.pdf", &document(1), &subjects).await.expect("taken");
    assert_eq!(first.uses.len(), 9);
    let again = desk.attach("other name.pdf", &document(1), &subjects).await.expect("taken");
    assert_eq!(again, first, "the same answer");
    assert_eq!(desk.count("select count(*) from evidence").await, 1);
    assert_eq!(
        desk.count("select count(*) from audit where action = 'attach_evidence'").await,
        1,
        "nothing changed twice"
    );

    let more = desk.attach("a.pdf", &document(1), &[desk.cell("2025-04", Ground::Medical).await]).await.expect("taken");
    assert_eq!((more.evidence_id, more.uses.len()), (first.evidence_id, 10));
    let grounds = desk.store.evidence_grounds(e1, 2025).await.expect("grounds");
    assert_eq!(grounds[&(one, month("2025-02"))], Grounds::NONE.with(Ground::Wage).with(Ground::Pension));
    assert_eq!(grounds[&(other, month("2025-12"))], Grounds::NONE.with(Ground::Wage));
    assert_eq!(grounds[&(one, month("2025-04"))], Grounds::NONE.with(Ground::Medical));
    assert_eq!(grounds.len(), 7);
    assert!(desk.store.evidence_grounds(e1, 2024).await.expect("grounds").is_empty());
    assert!(desk.store.evidence_grounds(desk.unit(E2).await, 2025).await.expect("grounds").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_proves_only_what_is_entered() {
    let desk = Desk::open("evidence_subjects").await;
    let (person, year) = (desk.person(P1).await, 2025);
    let starts_on = NaiveDate::from_ymd_opt(2019, 4, 1).expect("a date");
    let contract = |kind, starts_on| Subject::Contract { year, person, kind, starts_on };
    let affiliate = desk.unit("91369900MA2000F14G").await;
    for (subject, expected) in [
        (contract(ContractKind::Labour, starts_on), "taken"),
        (contract(ContractKind::Establishment, starts_on), "unknown_subject"),
        (contract(ContractKind::Labour, starts_on + TimeDelta::days(1)), "unknown_subject"),
        (Subject::Affiliate { year, unit: affiliate }, "taken"),
        (Subject::Affiliate { year: 2024, unit: affiliate }, "unknown_subject"),
        (Subject::Original { year, person }, "taken"),
        (Subject::Agreement { year, person }, "unknown_subject"),
        (Subject::Cell { person, month: month("2024-12"), ground: Ground::Wage }, "unknown_subject"),
    ] {
        assert_eq!(code(desk.attach("a.png", &png(), &[subject]).await), expected, "{subject:?}");
    }
    assert_eq!(code(desk.attach("a.png", &png(), &[]).await), "no_use");
    let (evidence, uses) = show(&desk.store, &operator(), 1).await.expect("shown");
    assert_eq!((evidence.file_name.as_str(), uses.len()), ("a.png", 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_belongs_to_a_dispatched_placement() {
    let desk = Desk::open("evidence_agreement").await;
    let e9 = desk.unit(E9).await;
    let placed = desk.store.list_placements(&[e9]).await.expect("placements");
    let person = placed.iter().find(|placement| placement.dispatch.is_some()).expect("a dispatched person").person;
    let subjects = [Subject::Agreement { year: 2025, person }];
    let attaching = Attaching { employer: e9, file_name: "a.png", subjects: &subjects };
    assert_eq!(code(attach(&desk.store, None, &operator(), &attaching, png().as_slice()).await), "taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placement_takes_twenty_files_a_year() {
    let desk = Desk::open("evidence_limit").await;
    for number in 0..FILES_PER_PLACEMENT {
        assert_eq!(code(desk.hand_in("a.pdf", &document(number)).await), "taken");
    }
    assert_eq!(code(desk.hand_in("a.pdf", &document(100)).await), "too_many_files");
    assert_eq!(code(desk.hand_in("a.pdf", &document(3)).await), "taken", "it is one of them");
    assert_eq!(
        desk.count("select count(*) from evidence").await,
        i64::from(FILES_PER_PLACEMENT),
        "nothing of it stays"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_of_two_employers_is_two_files_and_neither_learns_of_the_other() {
    let desk = Desk::open("evidence_owners").await;
    let first = desk.hand_in("a.png", &png()).await.expect("taken");
    let e2 = desk.unit(E2).await;
    let person = desk.store.list_placements(&[e2]).await.expect("placements")[0].person;
    let subjects = [Subject::Cell { person, month: month("2025-01"), ground: Ground::Wage }];
    let attaching = Attaching { employer: e2, file_name: "a.png", subjects: &subjects };
    let second = attach(&desk.store, None, &operator(), &attaching, png().as_slice()).await.expect("taken");
    assert_ne!(first.evidence_id, second.evidence_id);
    let files = desk.files();
    assert_eq!(files.len(), 2);
    for file in &files {
        let parts: Vec<&str> = file.split('/').collect();
        let [outer, inner, name] = parts.as_slice() else { panic!("{file}") };
        assert!(name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{file}");
        assert!(name.starts_with(&format!("{outer}{inner}")), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_employers_file_is_not_found_and_every_opening_is_written_down() {
    let desk = Desk::open("evidence_access").await;
    let id = desk.hand_in("a.png", &png()).await.expect("taken").evidence_id;
    let (e1, e2) = (desk.unit(E1).await, desk.unit(E2).await);
    let division = |prefix: &str| Scope::Division(prefix.to_owned());
    let mut table = String::new();
    for (who, actor) in [
        ("its employer", actor(Role::Employer, Scope::Units(vec![e1]))),
        ("another employer", actor(Role::Employer, Scope::Units(vec![e2]))),
        ("a reviewer in charge", actor(Role::Reviewer, division("360102"))),
        ("a reviewer elsewhere", actor(Role::Reviewer, division("360121"))),
        ("an auditor", actor(Role::Auditor, Scope::Everything)),
    ] {
        let subjects = [desk.cell("2025-05", Ground::Wage).await];
        let attaching = Attaching { employer: e1, file_name: "b.png", subjects: &subjects };
        let outcomes = [
            code(attach(&desk.store, None, &actor, &attaching, png().as_slice()).await),
            code(open(&desk.store, &actor, id, Form::Original).await),
            code(open(&desk.store, &actor, 4711, Form::Original).await),
            code(show(&desk.store, &actor, id).await),
            code(list(&desk.store, &actor, e1, 2025).await),
            code(withdraw(&desk.store, &actor, &Withdrawing { evidence_id: id, uses: &[4711], why: "x" }).await),
        ];
        table.extend([who, ": ", &outcomes.join(" "), "\n"]);
    }
    insta::assert_snapshot!(table, @r###"
its employer: taken taken no_such_evidence taken taken no_such_use
another employer: not_found no_such_evidence no_such_evidence no_such_evidence not_found no_such_evidence
a reviewer in charge: forbidden taken no_such_evidence taken taken forbidden
a reviewer elsewhere: not_found no_such_evidence no_such_evidence no_such_evidence not_found no_such_evidence
an auditor: forbidden forbidden no_such_evidence taken taken forbidden
"###);
    let opened =
        desk.count("select count(*) from audit where action = 'open_evidence' and object like 'evidence 1 of %'");
    assert_eq!(opened.await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_is_withdrawn_while_the_declaration_is_open_and_no_decision_rests_on_it() {
    let desk = Desk::open("evidence_withdrawn").await;
    let (e1, person) = (desk.unit(E1).await, desk.person(P1).await);
    let subjects = [
        desk.cell("2025-01", Ground::Wage).await,
        desk.cell("2025-02", Ground::Wage).await,
        desk.cell("2025-03", Ground::Age).await,
    ];
    let id = desk.attach("a.png", &png(), &subjects).await.expect("taken").evidence_id;
    let (_, uses) = show(&desk.store, &operator(), id).await.expect("shown");
    let numbers: Vec<i64> = uses.iter().map(|one| one.use_id).collect();
    let take_back = async |uses: &[i64], why: &str| {
        code(withdraw(&desk.store, &operator(), &Withdrawing { evidence_id: id, uses, why }).await)
    };
    assert_eq!(take_back(&numbers[..1], " ").await, "reason_missing");
    assert_eq!(take_back(&[], "wrong file").await, "no_such_use");
    assert_eq!(take_back(&[numbers[0], 4711], "wrong file").await, "no_such_use", "all or none");
    assert_eq!(take_back(&numbers[..1], "wrong file").await, "taken");
    assert_eq!(take_back(&numbers[..1], "wrong file").await, "no_such_use");
    let grounds = desk.store.evidence_grounds(e1, 2025).await.expect("grounds");
    assert!(!grounds.contains_key(&(person, month("2025-01"))) && grounds.len() == 2);
    assert_eq!(
        desk.count("select count(*) from evidence_use where removed_by = 'test'").await,
        1,
        "it stays, with its end"
    );
    assert_eq!(desk.content(id, Form::Original).await.expect("the file stays"), png());

    // a reviewer decides on February
    let at = desk.store.now().await.expect("business time");
    let mut change = desk.store.change().await.expect("a change");
    let relied = change.rely_on_evidence(e1, &[(person, month("2025-02"))], at).await.expect("stored");
    change.commit().await.expect("committed");
    assert_eq!(relied, 1);
    assert_eq!(take_back(&numbers[1..2], "wrong file").await, "decision_rests");

    let mut connection = desk.harness.connection().await;
    let closed = "insert into declaration (employer_id, year, state, saved_at) values ($1, 2025, '{\"state\": \"completed\"}', now())";
    sqlx::query(closed).bind(e1.0).execute(&mut connection).await.expect("stored");
    assert_eq!(take_back(&numbers[2..], "wrong file").await, "declaration_closed");
    // withdrawn and put to use again, it is a new use
    let again = desk.attach("a.png", &png(), &subjects[..1]).await.expect("taken");
    assert_eq!(again.uses.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep_removes_what_has_no_row_after_a_day_and_tells_of_rows_without_a_file() {
    let desk = Desk::open("evidence_orphans").await;
    let kept = desk.hand_in("a.png", &png()).await.expect("taken");
    let files = desk.store.evidence_files().expect("a folder");
    let name = files.name(desk.unit(E1).await, b"never put to use");
    files.stage(name, b"never put to use").expect("staged").place().expect("placed");
    std::fs::write(desk.folder.path().join("incoming").join("0123456789abcdef0123456789abcdef"), b"half")
        .expect("written");
    std::fs::write(desk.folder.path().join("README"), b"not ours").expect("written");
    let today = chrono_now(&desk).await;
    let upkeep = async || desk.store.maintain("maintain", &usual(), "test").await.expect("maintained").evidence;
    desk.store.set_clock(today).await.expect("set");
    assert_eq!(upkeep().await.orphans, 0, "they may just be handed in");
    desk.store.set_clock(today + TimeDelta::hours(25)).await.expect("set");
    let found = upkeep().await;
    assert_eq!((found.orphans, found.rows, found.missing), (2, 1, 0));
    assert_eq!(desk.files().len(), 2, "the file in use, and what is not ours");
    assert_eq!(desk.content(kept.evidence_id, Form::Original).await.expect("kept"), png());

    let (evidence, _) = desk.store.find_evidence(kept.evidence_id).await.expect("found").expect("there");
    std::fs::remove_file(files.path(evidence.name)).expect("removed");
    assert_eq!(upkeep().await.missing, 1);
    assert!(code(desk.content(kept.evidence_id, Form::Original).await).contains("could not be stored"));
    desk.hand_in("a.png", &png()).await.expect("taken");
    assert_eq!(
        desk.content(kept.evidence_id, Form::Original).await.expect("back"),
        png(),
        "handed in again, it is back"
    );
}

/// The machine's time, as the database's: files are dated by it.
async fn chrono_now(desk: &Desk) -> chrono::DateTime<chrono::Utc> {
    let mut connection = desk.harness.connection().await;
    sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut connection).await.expect("a time")
}
