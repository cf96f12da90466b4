//! Announcements: published for a division, read and searched by everybody of it, corrected and withdrawn without losing what was said.

use chrono::NaiveDate;
use renzheng::declare::announcements::{
    Announcement, AnnouncementError, Correcting, Page, Publishing, Wanted, correct, list, publish, show, withdraw,
};
use renzheng::domain::access::{Actor, Role, Scope};
use renzheng::domain::announcement::AnnouncementState;
use renzheng::domain::ids::Uscc;
use renzheng::store::Store;

use crate::access::{E1, E3, as_holder, division, unit, user};
use crate::fixtures::fixtures;
use crate::harness::{Harness, Scratch, actor};
use crate::runs::{renzheng_on, say};

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

/// 15 April 2026, the fixtures' employers entered.
async fn province(name: &str) -> Harness {
    let harness = Harness::new(name).await;
    harness.clock(day("2026-04-15"), "09:00").await;
    harness.import_directory(&fixtures()).await;
    harness
}

fn staff(role: Role, digits: &str) -> Actor {
    let scope = Scope::Division(digits.to_owned());
    Actor { name: format!("{role} of {digits}"), role, scope, on_behalf_of: None }
}

fn supervisor(digits: &str) -> Actor {
    staff(Role::Supervisor, digits)
}

async fn employer(store: &Store, code: &str) -> Actor {
    let code = Uscc::parse(code).expect("a code");
    let unit = store.find_unit(&code).await.expect("asked").expect("known");
    Actor { name: "legal".to_owned(), role: Role::Employer, scope: Scope::Units(vec![unit]), on_behalf_of: None }
}

fn telling(division: &str, title: &str, text: &str) -> Publishing {
    let (division, title, text) = (division.to_owned(), title.to_owned(), text.to_owned());
    Publishing { division, title, text, from_on: None, until_on: None }
}

async fn tell(store: &Store, division: &str, title: &str, text: &str) -> i64 {
    let told = publish(store, &actor(), &telling(division, title, text)).await.expect("published");
    told.announced.announcement_id
}

fn correcting(of: &Announcement, title: &str, text: &str) -> Correcting {
    Correcting {
        of_version: of.announced.version,
        title: title.to_owned(),
        text: text.to_owned(),
        from_on: of.announced.from_on,
        until_on: of.announced.until_on,
    }
}

fn any() -> Wanted {
    Wanted { limit: 50, ..Wanted::default() }
}

fn titles(page: &Page) -> Vec<&str> {
    page.announcements.iter().map(|announced| announced.title.as_str()).collect()
}

async fn titles_of(store: &Store, reader: &Actor, wanted: &Wanted) -> Vec<String> {
    let page = list(store, reader, wanted).await.expect("listed");
    titles(&page).into_iter().map(str::to_owned).collect()
}

async fn found(store: &Store, reader: &Actor, search: &str) -> Vec<String> {
    titles_of(store, reader, &Wanted { search: search.to_owned(), ..any() }).await
}

fn code(outcome: Result<impl std::fmt::Debug, AnnouncementError>) -> &'static str {
    let refused = outcome.expect_err("refused");
    assert!(refused.chinese().is_some_and(|text| !text.is_empty()), "{refused}");
    refused.code().expect("a refusal")
}

async fn audited(harness: &Harness) -> Vec<(String, String)> {
    let mut connection = harness.connection().await;
    sqlx::query_as("select object, detail ->> 'did' from audit where action = 'publish_announcement' order by audit_id")
        .fetch_all(&mut connection)
        .await
        .expect("rows")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_to_a_division_is_read_by_it_and_below_it_and_by_nobody_else() {
    let harness = province("announced_reach").await;
    let store = &harness.store;
    for (digits, title) in [("36", "全省"), ("3601", "南昌"), ("360102", "东湖"), ("3608", "吉安")] {
        tell(store, digits, title, "x").await;
    }
    // newest first
    let own = employer(store, E1).await;
    assert_eq!(titles_of(store, &own, &any()).await, ["东湖", "南昌", "全省"]);
    assert_eq!(titles_of(store, &employer(store, E3).await, &any()).await, ["吉安", "全省"]);
    assert_eq!(titles_of(store, &supervisor("3601"), &any()).await, ["东湖", "南昌", "全省"]);
    for role in [Role::Reviewer, Role::Auditor, Role::TaxDepartment] {
        assert_eq!(titles_of(store, &staff(role, "360102"), &any()).await, ["东湖", "南昌", "全省"], "{role}");
        assert_eq!(titles_of(store, &staff(role, "360802"), &any()).await, ["吉安", "全省"], "{role}");
    }
    assert_eq!(titles_of(store, &staff(Role::Reviewer, "44"), &any()).await, [""; 0]);
    assert_eq!(titles_of(store, &actor(), &any()).await, ["吉安", "东湖", "南昌", "全省"]);

    let foreign = list(store, &actor(), &any()).await.expect("listed").announcements[0].announcement_id;
    assert_eq!(code(show(store, &own, foreign).await), "not_found");
    assert_eq!(code(show(store, &own, 999).await), "not_found");
    // who acts for two units reads what is told to either
    let (Scope::Units(mut units), Scope::Units(others)) = (own.scope.clone(), employer(store, E3).await.scope) else {
        panic!("units")
    };
    units.extend(others);
    let both = Actor { scope: Scope::Units(units), ..own };
    assert_eq!(titles_of(store, &both, &any()).await, ["吉安", "东湖", "南昌", "全省"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_part_of_a_word_is_found_and_signs_of_patterns_are_themselves() {
    let harness = province("announced_search").await;
    let store = &harness.store;
    tell(store, "36", "残疾人就业年审通知", "窗口三月一日开放，十月三十一日关闭。").await;
    tell(store, "36", "Levy Relief", "减免 50% 的单位另行通知").await;
    tell(store, "36", "字段说明", "列名 wage_payer 与 tax_division").await;
    let reader = employer(store, E1).await;
    let found = async |search: &str| found(store, &reader, search).await;
    assert_eq!(found("疾").await, ["残疾人就业年审通知"], "one sign inside a word");
    assert_eq!(found("业年").await, ["残疾人就业年审通知"], "over the border of words");
    assert_eq!(found("通知").await, ["Levy Relief", "残疾人就业年审通知"], "in title or text");
    assert_eq!(found("通知 窗口").await, ["残疾人就业年审通知"], "every word, one in the title, one in the text");
    assert_eq!(found("通知\u{3000}不存在").await, [""; 0]);
    assert_eq!(found("lEVY").await, ["Levy Relief"]);
    assert_eq!(found("%").await, ["Levy Relief"]);
    assert_eq!(found("50%").await, ["Levy Relief"]);
    assert_eq!(found("5%0").await, [""; 0]);
    assert_eq!(found("_").await, ["字段说明"]);
    assert_eq!(found("wage_payer tax_").await, ["字段说明"]);
    assert_eq!(found("wageXpayer").await, [""; 0]);
    assert_eq!(found("\\").await, [""; 0]);
    assert_eq!(found("' or true --").await, [""; 0]);
    assert_eq!(found("  ").await.len(), 3);
    // title and text are no one text
    assert_eq!(found("说明列名").await, [""; 0]);
    let long = Wanted { search: "残".repeat(101), ..any() };
    assert_eq!(code(list(store, &reader, &long).await), "search_too_long");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_every_announcement_once_also_while_others_are_published() {
    let harness = province("announced_pages").await;
    let store = &harness.store;
    for number in 0..7 {
        // three at one instant: their numbers part them
        if number % 3 == 0 {
            harness.clock(day("2026-04-15"), &format!("1{number}:00")).await;
        }
        tell(store, "36", &format!("第{number}号"), "x").await;
    }
    let mut connection = harness.connection().await;
    sqlx::query("update announcement set published_at = date_trunc('hour', published_at)")
        .execute(&mut connection)
        .await
        .expect("at one instant");
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = list(store, &actor(), &Wanted { after, limit: 2, ..any() }).await.expect("a page");
        assert!(page.announcements.len() <= 2);
        seen.extend(titles(&page).into_iter().map(str::to_owned));
        tell(store, "36", "meanwhile", "x").await;
        let Some(next) = page.next else { break };
        after = Some(next.to_string().parse().expect("a place"));
    }
    assert_eq!(seen, ["第6号", "第5号", "第4号", "第3号", "第2号", "第1号", "第0号"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_from_its_first_to_its_last_day_and_staff_see_the_others_too() {
    let harness = province("announced_days").await;
    let store = &harness.store;
    let (reader, reviewer) = (employer(store, E1).await, staff(Role::Reviewer, "360102"));
    let days = |from: &str, until: &str| Publishing {
        from_on: Some(day(from)),
        until_on: Some(day(until)),
        ..telling("36", from, "x")
    };
    for (from, until) in [("2026-04-16", "2026-04-20"), ("2026-04-01", "2026-04-15"), ("2026-04-01", "2026-04-14")] {
        publish(store, &actor(), &days(from, until)).await.expect("published");
    }
    let backwards = publish(store, &actor(), &days("2026-04-16", "2026-04-15")).await;
    assert_eq!(code(backwards), "ends_before_it_begins");
    assert_eq!(titles_of(store, &reader, &any()).await, ["2026-04-01"]);
    assert_eq!(titles_of(store, &reviewer, &any()).await, ["2026-04-01"], "staff see what others see, unless they ask");
    let all = Wanted { all: true, ..any() };
    let page = list(store, &reviewer, &all).await.expect("listed");
    let states: Vec<AnnouncementState> = page.announcements.iter().map(|announced| announced.state).collect();
    assert_eq!(states, [AnnouncementState::Ended, AnnouncementState::InForce, AnnouncementState::Upcoming]);
    for not_staff in [&reader, &staff(Role::Auditor, "36"), &staff(Role::TaxDepartment, "36")] {
        assert_eq!(code(list(store, not_staff, &all).await), "forbidden", "{}", not_staff.role);
    }
    let upcoming = page.announcements[2].announcement_id;
    assert_eq!(code(show(store, &reader, upcoming).await), "not_found");
    assert_eq!(show(store, &reviewer, upcoming).await.expect("shown").text, "x");
    // a second before midnight in Beijing, and a second after
    harness.clock(day("2026-04-15"), "23:59").await;
    assert_eq!(titles_of(store, &reader, &any()).await, ["2026-04-01"]);
    harness.clock(day("2026-04-16"), "00:00").await;
    assert_eq!(titles_of(store, &reader, &any()).await, ["2026-04-16"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_says_something_else_and_what_was_said_stays_on_record() {
    let harness = province("announced_corrected").await;
    let store = &harness.store;
    let (reader, writer) = (employer(store, E1).await, supervisor("3601"));
    let first = publish(store, &writer, &telling("3601", "年审", "十月三十日止")).await.expect("published");
    let id = first.announced.announcement_id;
    harness.clock(day("2026-04-16"), "09:00").await;
    let second = correct(store, &writer, id, &correcting(&first, "年审", "十月三十一日止")).await.expect("corrected");
    assert_eq!((second.announced.version, second.text.as_str()), (2, "十月三十一日止"));
    assert_eq!(second.announced.published_at, first.announced.published_at, "its place in the list stays");
    assert_eq!(second.announced.corrected_at.as_deref().map(|at| &at[..10]), Some("2026-04-16"));

    let seen = show(store, &reader, id).await.expect("shown");
    assert_eq!((seen.text.as_str(), seen.earlier.len()), ("十月三十一日止", 0));
    assert_eq!(seen.announced.published_by, None, "who wrote it is for staff");
    let seen = show(store, &staff(Role::Reviewer, "36"), id).await.expect("shown");
    let earlier = &seen.earlier[0];
    assert_eq!((earlier.version, earlier.content.text.as_str()), (1, "十月三十日止"));
    assert_eq!(earlier.written_by, writer.name);
    assert_eq!(found(store, &reader, "三十日").await, [""; 0], "what it said before is not found any more");
    assert_eq!(found(store, &reader, "三十一日").await, ["年审"]);

    // the same again leaves no trace; one that rests on what is no more changes nothing
    let again = correct(store, &writer, id, &correcting(&second, "年审", "十月三十一日止")).await.expect("the same");
    assert_eq!(again, second);
    let stale = correct(store, &writer, id, &correcting(&first, "年审", "十一月止")).await;
    assert_eq!(code(stale), "outdated");
    let did = |object: &str| (format!("announcement {id}"), object.to_owned());
    assert_eq!(audited(&harness).await, [did("publish"), did("correct")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_corrections_at_once_one_is_made_and_the_other_hears_of_it() {
    let harness = province("announced_twice").await;
    let store = &harness.store;
    let first = publish(store, &actor(), &telling("36", "a", "a")).await.expect("published");
    let id = first.announced.announcement_id;
    let (one, other) = (correcting(&first, "b", "b"), correcting(&first, "c", "c"));
    let by = actor();
    let both = tokio::join!(correct(store, &by, id, &one), correct(store, &by, id, &other));
    let (made, refused): (Vec<_>, Vec<_>) = [both.0, both.1].into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 1));
    assert_eq!(code(refused.into_iter().next().expect("one")), "outdated");
    assert_eq!(show(store, &by, id).await.expect("shown").announced.version, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withdrawn_is_gone_for_readers_and_stays_for_staff_with_the_reason() {
    let harness = province("announced_withdrawn").await;
    let store = &harness.store;
    let (reader, writer) = (employer(store, E1).await, supervisor("3601"));
    let first = publish(store, &writer, &telling("3601", "旧闻", "x")).await.expect("published");
    let id = first.announced.announcement_id;
    assert_eq!(code(withdraw(store, &writer, id, " ").await), "reason_missing");
    let number = withdraw(store, &writer, id, "应360001198005050117要求").await;
    assert_eq!(code(number), "note_holds_id_number");
    let withdrawn = withdraw(store, &writer, id, "日期有误").await.expect("withdrawn");
    assert_eq!(withdrawn.announced.state, AnnouncementState::Withdrawn);
    assert_eq!(titles_of(store, &reader, &any()).await, [""; 0]);
    assert_eq!(found(store, &reader, "旧").await, [""; 0]);
    assert_eq!(code(show(store, &reader, id).await), "not_found");
    let seen = show(store, &staff(Role::Reviewer, "360102"), id).await.expect("shown");
    assert_eq!(seen.announced.withdrawn_why.as_deref(), Some("日期有误"));
    assert_eq!(seen.text, "x");
    assert_eq!(code(withdraw(store, &writer, id, "again").await), "withdrawn");
    assert_eq!(code(correct(store, &writer, id, &correcting(&first, "b", "b")).await), "withdrawn");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_publish_does_so_for_their_own_division_and_below() {
    let harness = province("announced_who").await;
    let store = &harness.store;
    let provincial = publish(store, &supervisor("36"), &telling("36", "全省", "x")).await.expect("published");
    let id = provincial.announced.announcement_id;
    let city = supervisor("3601");
    publish(store, &city, &telling("360102", "东湖", "x")).await.expect("below");
    for beyond in ["36", "3602", "360203"] {
        assert_eq!(code(publish(store, &city, &telling(beyond, "a", "x")).await), "beyond_reach", "{beyond}");
    }
    for wrong in ["", "360", "3601021", "abcd"] {
        assert_eq!(code(publish(store, &actor(), &telling(wrong, "a", "x")).await), "not_a_division", "{wrong}");
    }
    // what is above is read, and not changed
    assert_eq!(show(store, &city, id).await.expect("shown").text, "x");
    assert_eq!(code(correct(store, &city, id, &correcting(&provincial, "b", "b")).await), "beyond_reach");
    assert_eq!(code(withdraw(store, &city, id, "no").await), "beyond_reach");
    assert_eq!(code(withdraw(store, &supervisor("44"), id, "no").await), "not_found");
    let own = employer(store, E1).await;
    let others = [Role::Reviewer, Role::Auditor, Role::TaxDepartment].map(|role| staff(role, "36"));
    for reader in others.iter().chain([&own]) {
        assert_eq!(code(publish(store, reader, &telling("36", "a", "x")).await), "forbidden", "{}", reader.role);
        assert_eq!(code(correct(store, reader, id, &correcting(&provincial, "b", "b")).await), "forbidden");
        assert_eq!(code(withdraw(store, reader, id, "no").await), "forbidden");
    }
    assert_eq!(audited(&harness).await.len(), 2, "a refusal leaves no trace");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_everybody_reads_is_short_plain_text_without_anybodys_number() {
    let harness = province("announced_text").await;
    let store = &harness.store;
    let refused = async |title: &str, text: &str| code(publish(store, &actor(), &telling("36", title, text)).await);
    assert_eq!(refused("请360001198005050117前来", "x").await, "holds_id_number");
    assert_eq!(refused("x", "证号３６０００１１９８００５０５０１１７").await, "holds_id_number");
    assert_eq!(refused("x", "a\0b").await, "control_sign");
    assert_eq!(refused(&"题".repeat(101), "x").await, "title_length");
    assert_eq!(refused("x", &"文".repeat(20_001)).await, "text_length");
    assert_eq!(refused("", "x").await, "title_length");
    let longest = telling("36", &"题".repeat(100), &"文".repeat(20_000));
    publish(store, &actor(), &longest).await.expect("as long as it may be");
    // a correction is held to the same
    let first = publish(store, &actor(), &telling("36", "a", "x")).await.expect("published");
    let id = first.announced.announcement_id;
    let number = correct(store, &actor(), id, &correcting(&first, "a", "360001198005050117")).await;
    assert_eq!(code(number), "holds_id_number");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_publish_from_a_file_correct_search_and_withdraw() {
    let harness = province("announced_commands").await;
    let scratch = Scratch::new("announced_commands_files");
    let file = scratch.path().join("text.txt");
    std::fs::write(&file, "窗口三月一日开放。\r\n请及时办理。\n").expect("written");
    let path = file.display().to_string();
    let run = |arguments: &[&str]| say(&mut renzheng_on(&harness, arguments));
    let said = run(&["announcement", "publish", "--title", "年审通知", "--division", "36", "--text", &path]);
    assert!(said.starts_with("exit 0") && said.contains("窗口三月一日开放。\n请及时办理。"), "{said}");
    let mut program = renzheng_on(&harness, &["announcement", "correct", "1", "--until", "2026-10-31"]);
    let said = say(&mut program);
    assert!(said.starts_with("exit 0") && said.contains("version 2") && said.contains("until 2026-10-31"), "{said}");
    assert!(run(&["announcement", "correct", "1"]).starts_with("exit 2"), "something must change");
    let mut program = renzheng_on(&harness, &["announcement", "correct", "1", "--text", "-"]);
    program.stdin(std::fs::File::open(&file).expect("opened"));
    assert!(say(&mut program).contains("version 2"), "the same text again changes nothing");
    let said = run(&["announcement", "list", "--search", "口", "--format", "json"]);
    assert!(said.contains("\"title\":\"年审通知\"") && said.contains("\"state_zh\":\"有效\""), "{said}");

    // an employer's token reads, and does no more
    let token = user(&harness.store, "legal", Role::Employer, &unit(E1)).await;
    let said = say(&mut as_holder(&harness, &token, &["announcement", "show", "1"]));
    assert!(said.starts_with("exit 0") && said.contains("请及时办理"), "{said}");
    let said = say(&mut as_holder(&harness, &token, &["announcement", "withdraw", "1", "--why", "x"]));
    assert!(said.starts_with("exit 2") && said.contains("may not publish_announcement"), "{said}");
    // a token of another division sees nothing
    let token = user(&harness.store, "elsewhere", Role::Reviewer, &division("44")).await;
    let said = say(&mut as_holder(&harness, &token, &["announcement", "list", "--format", "json"]));
    assert_eq!(said.trim(), "exit 0");
    let said = say(&mut as_holder(&harness, &token, &["announcement", "show", "1"]));
    assert!(said.starts_with("exit 2") && said.contains("there is no such thing here"), "{said}");

    assert!(run(&["announcement", "withdraw", "1", "--why", "日期有误"]).starts_with("exit 0"));
    assert_eq!(run(&["announcement", "list", "--format", "json"]).trim(), "exit 0");
    assert!(run(&["announcement", "list", "--all"]).contains("withdrawn"));
    assert!(run(&["announcement", "list", "--after", "x"]).starts_with("exit 2"));
    let said = run(&["announcement", "publish", "--title", "x", "--division", "36", "--text", "/nonexistent"]);
    assert!(said.starts_with("exit 1") && said.contains("cannot open"), "{said}");
}
