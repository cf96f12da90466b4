//! The audit log as it is read: who may, whom it is about, page by page; and what its seals say.

use renzheng::declare::audit::read_audit;
use renzheng::declare::differences::list_differences;
use renzheng::declare::users::actor_of_token;
use renzheng::declare::withdraw;
use renzheng::domain::access::{Action, Actor, Role, Scope};
use renzheng::domain::facts::PersonId;
use renzheng::domain::reconciliation::Class;
use renzheng::store::Store;
use renzheng::store::audit::Act;
use renzheng::store::audit_log::{AuditFilter, AuditLine};
use sqlx::AssertSqlSafe;

use crate::access::{E1, E3, as_holder, division, province, user};
use crate::declaring::{SCHOOL, Scene, code, employer, withdrawal};
use crate::harness::{Harness, actor};
use crate::runs::{renzheng_on, say, say_on};

async fn record(store: &Store, action: Action, object: &str, persons: &[i64]) {
    let at = store.now().await.expect("business time");
    let by = actor();
    let act = Act::read(at, &by, action, object).with("persons", persons);
    store.record(&act).await.expect("recorded");
}

fn objects(lines: &[AuditLine]) -> Vec<&str> {
    lines.iter().map(|line| line.object.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_found_in_object_and_detail_and_nobody_else_by_a_part_of_the_number() {
    let harness = Harness::new("audit_person").await;
    let store = &harness.store;
    for (object, persons) in [
        ("placement 91369900MA1000A10H 2025 person 17", &[][..]),
        ("placement 91369900MA1000A10H 2025 person 170", &[]),
        ("results 2025: every employer", &[5, 17]),
        ("results 2025: every employer", &[1, 7]),
        ("person 17", &[]),
    ] {
        record(store, Action::Reveal, object, persons).await;
    }
    let of = |person| AuditFilter { person: Some(PersonId(person)), ..AuditFilter::default() };
    let page = read_audit(store, &actor(), &of(17), 50).await.expect("read");
    assert_eq!(
        objects(&page.lines),
        ["person 17", "results 2025: every employer", "placement 91369900MA1000A10H 2025 person 17"]
    );
    let page = read_audit(store, &actor(), &of(17), 1).await.expect("read");
    assert_eq!(objects(&page.lines), ["audit of person 17"], "that somebody asked is known too");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_without_a_gap_whatever_is_written_meanwhile() {
    let harness = Harness::new("audit_pages").await;
    let store = &harness.store;
    for number in 0..25 {
        record(store, Action::Operate, &format!("thing {number}"), &[]).await;
    }
    let (mut filter, mut seen) = (AuditFilter::default(), Vec::new());
    loop {
        let page = read_audit(store, &actor(), &filter, 7).await.expect("read");
        seen.extend(page.lines.iter().map(|line| line.object.clone()));
        match page.next {
            Some(next) => filter.before = Some(next),
            None => break,
        }
    }
    let expected: Vec<String> = (0..25).rev().map(|number| format!("thing {number}")).collect();
    assert_eq!(seen, expected);
    let filter = AuditFilter { object: Some("thing 1".to_owned()), ..AuditFilter::default() };
    assert_eq!(objects(&read_audit(store, &actor(), &filter, 50).await.expect("read").lines), ["thing 1"]);
    let filter =
        AuditFilter { object: Some("thing".to_owned()), actor: Some("nobody".to_owned()), ..AuditFilter::default() };
    assert!(read_audit(store, &actor(), &filter, 50).await.expect("read").lines.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_of_a_division_reads_what_names_its_employers_and_an_employer_nothing() {
    let province = province("audit_division").await;
    let store = &province.harness.store;
    let before =
        store.list_audit(&AuditFilter::default(), 1).await.expect("rows").first().map_or(0, |line| line.audit_id);
    for object in [
        format!("declaration {E1} 2025"),
        format!("declaration {E3} 2025"),
        format!("conflict {E1} {E3}"),
        "job x".to_owned(),
    ] {
        record(store, Action::Operate, &object, &[]).await;
    }
    let token = user(store, "county", Role::Auditor, &division("360102")).await;
    let county = actor_of_token(store, &token).await.expect("it holds");
    let page = read_audit(store, &county, &AuditFilter::default(), 50).await.expect("read");
    let since: Vec<&AuditLine> = page.lines.iter().filter(|line| line.audit_id > before).collect();
    assert_eq!(since.iter().map(|line| line.object.as_str()).collect::<Vec<_>>(), [format!("declaration {E1} 2025")]);
    let employer = Actor { role: Role::Employer, scope: Scope::Units(Vec::new()), ..actor() };
    assert!(read_audit(store, &employer, &AuditFilter::default(), 50).await.is_err());
    let said =
        say(&mut as_holder(&province.harness, &token, &["audit", "list", "--object", &format!("declaration {E1}")]));
    insta::assert_snapshot!(said, @r###"
exit 0
id  at  actor  role  action  object  why  detail
 5  [at]  test  operator  operate  declaration 91369900MA1000A10H 2025  {"persons":[]}
"###);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_division_looks_at_so_many_rows_and_the_next_goes_on_there() {
    let province = province("audit_division_pages").await;
    let store = &province.harness.store;
    let token = user(store, "county", Role::Auditor, &division("360102")).await;
    let county = actor_of_token(store, &token).await.expect("it holds");
    let own = format!("declaration {E1} 2025");
    let (at, by) = (store.now().await.expect("business time"), actor());
    let act = |object: &str| Act::read(at, &by, Action::Operate, object);
    let others: Vec<Act> = (0..5600).map(|number| act(&format!("job {number}"))).collect();
    store.record_all(&[act(&own), act(&own)]).await.expect("recorded");
    store.record_all(&others).await.expect("recorded");
    store.record_all(&[act(&own)]).await.expect("recorded");
    let (mut filter, mut found) = (AuditFilter::default(), Vec::new());
    loop {
        let page = read_audit(store, &county, &filter, 50).await.expect("read");
        found.push(page.lines.iter().filter(|line| line.object == own).count());
        match page.next {
            Some(next) => filter.before = Some(next),
            None => break,
        }
    }
    assert_eq!(found, [1, 2], "none is lost between pages");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_differences_looks_at_so_many_rows_too() {
    let province = province("difference_pages").await;
    let store = &province.harness.store;
    let token = user(store, "county", Role::Supervisor, &division("360102")).await;
    let county = actor_of_token(store, &token).await.expect("it holds");
    let mut connection = province.harness.connection().await;
    // the first and the last are the division's own
    let statement = format!(
        "insert into difference (uscc, year, class, detail, first_seen_at, last_seen_at)
             select case when number in (1, 5601) then '{E1}' else 'unit ' || number end, 2025 - number / 5601, '{}',
                    jsonb_build_object('here', null, 'there', null), '2026-04-15T06:00:00Z', '2026-04-15T06:00:00Z'
             from generate_series(1, 5601) as number",
        Class::ALL[0]
    );
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.expect("inserted");
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = list_differences(store, &county, false, after, 50).await.expect("read");
        found.push(page.lines.iter().filter(|line| line.uscc == E1).count());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, [1, 1], "none is lost between pages");
    let first = list_differences(store, &actor(), false, None, 5600).await.expect("read");
    assert_eq!(
        (first.lines.len(), first.next.is_some()),
        (5600, true),
        "whoever reaches everything is not kept waiting"
    );
    let last = list_differences(store, &actor(), false, first.next, 5600).await.expect("read");
    assert_eq!((last.lines.len(), last.next), (1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_tampered_with_fails_the_command_and_is_named() {
    let harness = Harness::new("audit_tampered").await;
    let store = &harness.store;
    for number in 0..3 {
        record(store, Action::Operate, &format!("thing {number}"), &[]).await;
    }
    let mut sealed = 0;
    while sealed < 3 {
        // transactions of other tests on the same server may have to end first
        sealed += store.seal_audit().await.expect("sealed");
    }
    let head = say_on(&harness, &["audit", "head"]);
    let head = head.lines().nth(1).expect("a head").to_owned();
    let said = say_on(&harness, &["audit", "verify", "--head", &head]);
    assert!(said.starts_with("exit 0\n3 rows under 1 seals are as they were sealed"), "{said}");
    let mut connection = harness.connection().await;
    for statement in [
        "alter table audit disable trigger user",
        "update audit set object = 'thing 7' where object = 'thing 1'",
        "alter table audit enable trigger user",
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.expect(statement);
    }
    let said = say_on(&harness, &["audit", "verify"]);
    insta::assert_snapshot!(said, @r###"
exit 1
only the first 0 rows, under 0 seals, are as they were sealed
renzheng: the audit log was tampered with: row 2 (seal 1) is not what was sealed
"###);
    let json = renzheng_on(&harness, &["audit", "verify", "--format", "json"]).output().expect("the program starts");
    let found: serde_json::Value = serde_json::from_slice(&json.stdout).expect("one JSON value");
    assert_eq!(found["wrong"], serde_json::json!({ "what": "row_changed", "seal_id": 1, "audit_id": 2 }));
    let other = format!("1:{}", "0".repeat(64));
    assert!(say_on(&harness, &["audit", "verify", "--head", &other]).starts_with("exit 1"));
    assert!(say_on(&harness, &["audit", "verify", "--head", "1:xyz"]).starts_with("exit 2"));
}

#[tokio::test]
async fn a_reason_that_holds_an_id_number_is_refused_and_nothing_is_done() {
    let scene = Scene::begin("reason").await;
    scene.complete(SCHOOL).await.expect("completed");
    let declaring = scene.declaring(SCHOOL).await;
    let (own, acts) = (employer(declaring.employer), scene.audited().await);
    let reason = "３６０００１１９８００５０５０１１７ 的合同已终止".to_owned();
    let asking = withdraw::Asking { reason, levy_paid: false, refund_reference: None };
    assert_eq!(code(withdraw::ask(scene.store(), &own, declaring, &asking).await), "note_holds_id_number");
    let asking = withdraw::Asking { refund_reference: Some("360001-19800505-0117".to_owned()), ..withdrawal(true) };
    assert_eq!(code(withdraw::ask(scene.store(), &own, declaring, &asking).await), "refund_reference_unfit");
    assert_eq!((scene.state(SCHOOL).await.withdrawal, scene.audited().await), (None, acts));
}
