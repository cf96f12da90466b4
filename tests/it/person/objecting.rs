//! Objections: raised by the person, read and answered by staff, and kept where nobody else reads them.

use renzheng::declare::objections::{Answering, answer, list, show};
use renzheng::declare::person::{PersonError, PersonRefused, own_objections, who_looked};
use renzheng::declare::register::notices::{Wanted, list_notices};
use renzheng::domain::access::{Actor, Role};
use renzheng::domain::objection::{Finding, ObjectionKind, Refused};
use renzheng::domain::review::MonthStanding;

use super::looking::told;
use super::{OTHER_CODE, Own, WORDS, objects, refused, texts};
use crate::access::{as_holder, division, user};
use crate::incremental::{month_of, uscc};
use crate::review::scene::{employer, reviewer};
use crate::runs::say;

#[tokio::test(flavor = "multi_thread")]
async fn an_objection_is_read_and_answered_by_staff_and_changes_no_result() {
    let home = Own::begin().await;
    let (scene, store, own) = (&home.scene, home.store(), home.opened().await);
    let stored = scene.province.stored().await;
    let months = [month_of(1), month_of(2)];
    let first = objects(store, &own, 0, &months, ObjectionKind::NeverWorkedThere, WORDS).await.expect("taken");

    // the employer hears which months, and nothing of what was said
    let wanted = Wanted { all: false, before: None, limit: 10 };
    let notices = list_notices(store, &employer(scene.unit(0).await), &wanted).await.expect("notices");
    assert_eq!(notices.len(), 1);
    let json = serde_json::to_string(&notices[0]).expect("written");
    assert!(json.contains("2025-01 to 2025-02") && !json.contains(WORDS) && !json.contains("never_worked"), "{json}");
    assert!(list_notices(store, &employer(scene.unit(1).await), &wanted).await.expect("notices").is_empty());

    // staff of the employer's federation find it, others do not
    let near = reviewer("wang.fang", "3601");
    let far = reviewer("zhou", "3602");
    let page = list(store, &near, None, 10).await.expect("listed");
    assert_eq!(page.objections.iter().map(|one| one.objection_id).collect::<Vec<_>>(), [first]);
    assert!(!serde_json::to_string(&page).expect("written").contains(WORDS));
    assert!(list(store, &far, None, 10).await.expect("listed").objections.is_empty());
    let unknown = |error: PersonError| error.code().expect("a refusal");
    assert_eq!(show(store, &far, first).await.map_err(unknown).expect_err("not theirs"), "no_objection");
    assert_eq!(show(store, &near, first + 1).await.map_err(unknown).expect_err("there is none"), "no_objection");
    assert_eq!(
        list(store, &employer(scene.unit(0).await), None, 10).await.map_err(unknown).expect_err("no staff"),
        "forbidden"
    );
    let shown = show(store, &near, first).await.expect("shown");
    assert_eq!((shown.text.as_str(), shown.answer), (WORDS, None));
    assert!(shown.who.starts_with("某* **************"), "{}", shown.who);

    let answering = |finding, text| Answering { objection_id: first, finding, text };
    let refused = answer(store, &Actor::operator("counter"), &answering(Finding::Upheld, "x")).await.map_err(unknown);
    assert_eq!(refused.expect_err("operators decide nothing"), "forbidden");
    assert_eq!(
        answer(store, &far, &answering(Finding::Upheld, "x")).await.map_err(unknown).expect_err("not theirs"),
        "no_objection"
    );
    assert_eq!(
        answer(store, &near, &answering(Finding::Upheld, " ")).await.map_err(unknown).expect_err("why?"),
        "answer_needed"
    );
    answer(store, &near, &answering(Finding::Upheld, "已核实，将通知单位更正。")).await.expect("answered");
    assert_eq!(
        answer(store, &near, &answering(Finding::NotUpheld, "x")).await.map_err(unknown).expect_err("once"),
        "answered"
    );
    assert!(list(store, &near, None, 10).await.expect("listed").objections.is_empty());

    // the person reads the answer, and not whose it is
    let mine = own_objections(store, &own, None, 10).await.expect("own");
    let json = serde_json::to_value(&mine).expect("written");
    assert_eq!(json["objections"][0]["text"], WORDS);
    assert_eq!(json["objections"][0]["answer"]["finding"], "upheld");
    assert_eq!(json["objections"][0]["answer"]["text"], "已核实，将通知单位更正。");
    assert!(!json.to_string().contains("wang.fang"));
    let other = home.papers_of(3).await.opened(store).await;
    assert!(own_objections(store, &other, None, 10).await.expect("own").objections.is_empty());

    // nothing of it changed what is judged or how a month stands
    scene.verify().await;
    assert_eq!(scene.province.stored().await, stored);
    assert_eq!(scene.months_standing(0, 0, MonthStanding::Passed).await, (1..=12).collect::<Vec<u8>>());
    let acts = home
        .texts("select actor || ': ' || action || ' ' || object from audit where object like 'objection %' order by audit_id")
        .await;
    let person = format!("person {}", own.person().0);
    insta::assert_snapshot!(acts.join("\n").replace(&person, "[person]").replace(&uscc(0), "[employer]"), @r###"
[person]: object objection 1 about [employer] [person]
wang.fang: open_case objection 1 about [employer] [person]
wang.fang: decide_objection objection 1 about [employer] [person]
"###);
    let looked = told(&who_looked(store, &own, None, 1).await.expect("seen").looks);
    assert_eq!(looked, ["open_case reviewer -"], "that it was read is shown to the person");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_objections_wait_at_most_and_only_against_who_counts_the_person() {
    let home = Own::begin().await;
    let (store, own) = (home.store(), home.opened().await);
    let code = |error: PersonError| error.code().expect("a refusal");
    let own = &own;
    let one =
        |month: u8| async move { objects(store, own, 0, &[month_of(month)], ObjectionKind::WageNotReceived, "").await };
    let elsewhere = objects(store, own, 1, &[month_of(1)], ObjectionKind::NeverWorkedThere, "").await;
    assert_eq!(elsewhere.map_err(code).expect_err("it does not count them"), "not_counted");
    let years = [month_of(12), month_of(12).plus(1)];
    let refused = objects(store, own, 0, &years, ObjectionKind::NotInTheseMonths, "").await;
    let refused = refused.expect_err("2026 is not entered");
    assert!(matches!(refused, PersonError::Objection(Refused::NotCounted { month }) if month == month_of(12).plus(1)));
    let long = objects(store, own, 0, &[month_of(1)], ObjectionKind::Other, &"字".repeat(1_001)).await;
    assert_eq!(long.map_err(code).expect_err("too long"), "text_too_long");
    // at once, and still five
    let tried = futures_util::future::join_all((1..=8).map(one)).await;
    let (taken, refused): (Vec<_>, Vec<_>) = tried.into_iter().partition(Result::is_ok);
    assert_eq!(taken.len(), 5);
    assert!(refused.into_iter().all(|one| one.map_err(code) == Err("too_many_open")));
    // staff go through them page by page, oldest first
    let (near, mut seen, mut after) = (reviewer("wang.fang", "36"), Vec::new(), None);
    loop {
        let page = list(store, &near, after, 2).await.expect("listed");
        seen.extend(page.objections.iter().map(|one| one.objection_id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut sorted: Vec<i64> = taken.into_iter().map(|one| one.expect("taken")).collect();
    sorted.sort_unstable();
    assert_eq!(seen, sorted);
    let (newest, rest) = (own_objections(store, own, None, 3).await.expect("own"), 2);
    assert_eq!(newest.objections.len(), 3);
    assert_eq!(own_objections(store, own, newest.next, 3).await.expect("own").objections.len(), rest);
    answer(store, &near, &Answering { objection_id: seen[0], finding: Finding::NotUpheld, text: "工资已发放。" })
        .await
        .expect("answered");
    one(9).await.expect("one is answered: there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_code_nor_numbers_nor_words_lie_in_any_table_in_clear() {
    let home = Own::begin().await;
    let (store, code, unknown) = (home.store(), home.code().await, home.unknown());
    let own = home.open(&code).await.expect("opened");
    assert_eq!(refused(unknown.open(store, &code).await), PersonRefused::NotFitting);
    let id = objects(store, &own, 0, &[month_of(1)], ObjectionKind::Other, WORDS).await.expect("taken");
    let answered = "答复内容不得外泄";
    let near = reviewer("wang.fang", "3601");
    answer(store, &near, &Answering { objection_id: id, finding: Finding::Upheld, text: answered })
        .await
        .expect("answered");
    let canaries = [
        code.clone(),
        code.replace('-', ""),
        home.papers.id.clone(),
        unknown.id.clone(),
        WORDS.to_owned(),
        answered.to_owned(),
    ];
    let mut connection = home.connection().await;
    let tables = texts(
        &mut connection,
        "select table_name::text from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'",
    )
    .await;
    assert!(tables.iter().any(|table| table == "objection") && tables.iter().any(|table| table == "person_miss"));
    let mut read = 0;
    for table in tables {
        let rows = texts(&mut connection, &format!("select to_jsonb(t)::text from {table} t")).await;
        read += rows.len();
        let all = rows.join("\n");
        for canary in &canaries {
            assert!(!all.contains(canary.as_str()), "{canary} in {table}");
            assert!(!all.contains(&hex::encode(canary)), "{canary} in {table}, as bytes");
        }
    }
    assert!(read > 100, "{read} rows were read");
    // a miss under a person's ID number cannot be joined with the person
    assert_eq!(refused(home.open(OTHER_CODE).await), PersonRefused::NotFitting);
    assert_eq!(home.count("person_miss join person using (id_index)").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_and_answers_are_given_at_the_counter_by_commands() {
    let home = Own::begin().await;
    let (scene, store, papers) = (&home.scene, home.store(), &home.papers);
    let harness = &scene.province.harness;
    let token = user(store, "wang.fang", Role::Reviewer, &division("3601")).await;
    let input = scene.province.scratch.path().join("input.txt");
    let run = |arguments: &[&str], text: &str| {
        std::fs::write(&input, text).expect("written");
        let mut program = as_holder(harness, &token, arguments);
        program.stdin(std::fs::File::open(&input).expect("opened"));
        say(&mut program)
    };
    let person = format!("person {}", papers.person.0);
    let made = run(&["person", "code", "--person", "-", "--why", "at the counter"], &papers.id);
    let code = made.lines().nth(1).expect("a code").to_owned();
    let own = papers.open(store, &code).await.expect("it opens");
    let until = made.split("holds until ").nth(1).and_then(|rest| rest.split(';').next()).expect("until when");
    let masked = made.replace(until, "[at]").replace(&code, "[code]").replace(&person, "[person]");
    insta::assert_snapshot!(masked, @r###"
exit 0
[code]
the code of [person] holds until [at]; it is shown this once: hand it to the person
"###);
    let json = run(&["person", "code", "--person", &papers.person.0.to_string(), "--format", "json"], "");
    assert!(json.contains("\"replaces\":true"), "{json}");
    let revoked = run(&["person", "revoke-code", "--person", &papers.person.0.to_string()], "");
    assert_eq!(revoked.replace(&person, "[person]"), "exit 0\nthe code of [person] holds no more");
    let again = run(&["person", "revoke-code", "--person", &papers.person.0.to_string()], "");
    assert_eq!(again, "exit 2\nrenzheng: the person has no code that stands");

    home.clock("2026-03-02", "10:00").await;
    let months = [month_of(1), month_of(2), month_of(5)];
    let id = objects(store, &own, 0, &months, ObjectionKind::WageNotReceived, "只收到一半").await.expect("taken");
    home.clock("2026-03-03", "10:00").await;
    let id = id.to_string();
    let mut said = run(&["objection", "list"], "");
    for arguments in [
        vec!["objection", "show", &id],
        vec!["objection", "answer", &id, "--not-upheld", "--text", "-"],
        vec!["objection", "answer", &id, "--upheld", "--text", "again"],
        vec!["objection", "list"],
        vec!["objection", "show", &id],
        vec!["objection", "show", "999"],
    ] {
        said = said + "\n" + &run(&arguments, "工资单显示已全额发放。\n");
    }
    let number = papers.person.0.to_string();
    let minute = to_the_minute(&said.replace(&person, "[person]").replace(&format!("  {number}  "), "  [person]  "));
    insta::assert_snapshot!(minute.replace(&uscc(0), "[employer]"), @r###"
exit 0
id  raised  person  employer  months  kind
 1  [at]  [person]  [employer] 公司  2025-01 to 2025-02, 2025-05  wage_not_received
exit 0
1  [at]  [person]  某* **************0007
[employer] 公司 (360102)
2025-01 to 2025-02, 2025-05: wage_not_received 未收到所列工资
只收到一半
exit 0
objection 1 is answered: not_upheld
exit 2
renzheng: it is answered already
exit 0
no objection waits for an answer
exit 0
1  [at]  [person]  某* **************0007
[employer] 公司 (360102)
2025-01 to 2025-02, 2025-05: wage_not_received 未收到所列工资
只收到一半
[at] by wang.fang, not_upheld: 工资单显示已全额发放。
exit 2
renzheng: there is no such objection
"###);
    let wrong = run(&["objection", "answer", &id, "--text", "x"], "");
    assert!(wrong.contains("--upheld|--not-upheld"), "{wrong}");
}

/// Seconds and parts of them left out of instants of these two days.
fn to_the_minute(text: &str) -> String {
    let mut parts = text.split("T10:00:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        let (_, rest) = part.split_once("+08:00").unwrap_or(("", part));
        all + "T10:00" + rest
    })
}
