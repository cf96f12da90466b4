//! A point of the past is named by an instant or by a run, what is shown of it is what was known or stored there, and who looks at nothing
//! leaves no trace.

use chrono::{DateTime, TimeDelta, Utc};
use renzheng::domain::facts::PersonId;
use renzheng::domain::retention::{Keep, RetentionClass};
use renzheng::domain::verdict::Verdict;
use renzheng::policy::{self, Reading};
use renzheng::store::Store;
use renzheng::store::facts::{Persons, Scope, Shard};
use renzheng::store::past::{EndedRuns, Written};
use renzheng::store::publish::Cause;
use renzheng::store::results::{ChangedRow, Changes, YearRow};
use renzheng::store::runs::{Ending, Started, Trigger};
use renzheng::verify::{Selection, verify};
use serde_json::Value;

use crate::incremental::{Step, YEAR, uscc};
use crate::review::scene::Scene;
use crate::runs::{renzheng_on, say_on};

/// The JSON lines of a command that ends well.
fn lines(scene: &Scene, arguments: &[&str]) -> Vec<Value> {
    let arguments = [arguments, &["--format", "json"]].concat();
    let output = renzheng_on(&scene.province.harness, &arguments).output().expect("the program starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {words}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

/// What lines say of placements and months, without which run said it.
fn judged(lines: &[Value]) -> Vec<String> {
    let words = ["employer_uscc", "person_id", "month", "checks", "passed", "conflict", "weight"];
    lines.iter().map(|line| words.map(|word| line[word].to_string()).join(" ")).collect()
}

fn results<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["results", "--year", "2025"], more].concat()
}

fn recomputed(as_of: &str) -> [&str; 5] {
    ["verify", "--year", "2025", "--as-of", as_of]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_recomputed_and_shown_by_its_own_day_policy_and_publish() {
    let mut scene = Scene::begin().await;
    // a register that says that it expired says so only while it is current
    scene.province.take(&Step::Certificate { person: 0, level: 1, valid_to_month: Some(6) }).await;
    scene.province.pull_all().await;
    scene.day("2026-04-15").await;
    // used once, before a later list had to name every unit of the one before: what is demanded today undoes nothing of the past
    let lists = policy::BUILT_IN.find("[[wage_classes]]").expect("the lists");
    let later = policy::BUILT_IN[lists..].replacen("from = 2013-01-01", "from = 2030-01-01", 1);
    let lacking: Vec<&str> = later.lines().filter(|line| !line.starts_with("360121 = ")).collect();
    let text = policy::BUILT_IN.replacen("value = \"accept\"", "value = \"review\"", 1);
    let text = format!("{text}\n{}\n", lacking.join("\n"));
    assert!(policy::parse(&text).is_err(), "no file may say so today");
    let other = Reading { policy: policy::recall(&text).expect("a policy"), text };
    let by = Trigger { date: Some("2026-03-03".parse().expect("a date")), ..Trigger::from("test") };
    let selection = Selection { full: true, ..Selection::default() };
    verify(scene.store(), &other, YEAR, &selection, by, &|_| ()).await.expect("verified");
    let run = scene.store().list_runs(Some("verify"), None, 1).await.expect("runs").remove(0);
    let stored = lines(&scene, &results(&[]));
    let ended_at = scene.store().now().await.expect("a time").to_rfc3339();
    // the same publish, seen on the day on which it ran: the register is stale
    let of_instant = lines(&scene, &recomputed(&ended_at));
    assert_ne!(judged(&of_instant), judged(&stored));
    scene.lose("wage", 3, 0, 4);
    scene.later(TimeDelta::days(1)).await;
    scene.night().await;
    assert_ne!(judged(&lines(&scene, &results(&[]))), judged(&stored));
    for name in [run.run_number.to_string(), run.run_id.to_string()] {
        let name = format!("run:{name}");
        assert_eq!(lines(&scene, &results(&["--as-of", &name])), stored, "as it stood");
        assert_eq!(judged(&lines(&scene, &recomputed(&name))), judged(&stored), "as it is judged once more");
    }
    assert_eq!(lines(&scene, &results(&["--as-of", &ended_at])), stored);
    assert_eq!(lines(&scene, &recomputed(&ended_at)), of_instant, "as known then");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_verification_is_known_nothing_is_shown_and_the_error_says_so() {
    let scene = Scene::begin().await;
    let harness = &scene.province.harness;
    let early = "2020-01-01T00:00:00+08:00";
    let said = say_on(harness, &recomputed(early));
    assert!(said.starts_with("exit 2") && said.contains("no verification had begun by [at]"), "{said}");
    let said = say_on(harness, &results(&["--as-of", early]));
    assert!(said.starts_with("exit 2") && said.contains("no verification had ended by [at]"), "{said}");
    let pull = scene.store().list_runs(Some("pull-wage"), None, 1).await.expect("runs").remove(0).run_number;
    let going_on = scene.store().start_run("verify", "verify", "test").await.expect("a run");
    for (name, why) in [
        ("run:999999".to_owned(), "there is no run `999999`".to_owned()),
        (format!("run:{pull}"), format!("run {pull} is of kind pull")),
        (format!("run:{}", going_on.number), format!("run {} never came to judge", going_on.number)),
        ("12".to_owned(), "accepted are an instant such as".to_owned()),
    ] {
        for arguments in [recomputed(&name).to_vec(), results(&["--as-of", &name])] {
            let said = say_on(harness, &arguments);
            assert!(said.starts_with("exit 2") && said.contains(&why), "{arguments:?}: {said}");
        }
    }
}

/// The placements of a person are taken back.
async fn deplace(scene: &Scene, person: u32) {
    let (store, person) = (scene.store(), scene.person(person).await);
    let at = store.now().await.expect("a time");
    let seq = store.publish(Cause::Entry, at).await.expect("begun").commit().await.expect("published");
    sqlx::query("update placement set to_seq = $1 where person_id = $2 and to_seq is null")
        .bind(seq)
        .bind(person.0)
        .execute(&mut scene.province.harness.connection().await)
        .await
        .expect("taken back");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_of_the_past_are_of_whom_was_placed_then() {
    let scene = Scene::begin().await;
    let code = uscc(0);
    let of_employer = ["--employer", &code];
    let (all, own) = (lines(&scene, &results(&[])), lines(&scene, &results(&of_employer)));
    let then = scene.store().now().await.expect("a time").to_rfc3339();
    scene.later(TimeDelta::hours(1)).await;
    // one of the employer, and whoever has the highest number of all
    for person in [0, 5] {
        deplace(&scene, person).await;
    }
    assert_eq!(lines(&scene, &results(&["--as-of", &then])), all);
    assert_eq!(lines(&scene, &results(&["--as-of", &then, "--employer", &code])), own);
    let now = scene.store().now().await.expect("a time").to_rfc3339();
    for more in [vec!["--as-of", &now], Vec::new()] {
        assert_eq!(lines(&scene, &results(&more)).len(), all.len() - 24, "two placements are no more: {more:?}");
    }
}

/// A verification that begins at an instant and reads a publish.
async fn begun(scene: &Scene, at: DateTime<Utc>, seq: i64) -> Started {
    let (store, Reading { policy, text }) = (scene.store(), &scene.province.policy);
    store.set_clock(at).await.expect("the clock is set");
    let run = store.start_run("verify", "verify", "test").await.expect("a run");
    store.describe_verification(&run, seq, &policy.version, text).await.expect("described");
    run
}

async fn ended(store: &Store, run: &Started, at: DateTime<Utc>) {
    store.set_clock(at).await.expect("the clock is set");
    store.finish_run(run, Ending::Done, &serde_json::json!({}), None).await.expect("ended");
}

/// What stands of a person, with January as a run found it.
async fn written(scene: &Scene, person: PersonId, run: &Started, seq: i64) {
    let mut row = stood(scene, &Written::Now, person).await;
    let verdict = Verdict::unpack(row.cells[0]).expect("a verdict");
    row.cells[0] = Verdict { conflict: !verdict.conflict, ..verdict }.pack();
    row.runs[0] = run.number;
    let changes = Changes { rows: vec![ChangedRow { row, cause: 1, pending: 0 }], gone: Vec::new() };
    scene.store().save_year_rows(YEAR, seq, run.number, &changes).await.expect("written");
}

async fn stood(scene: &Scene, written: &Written, person: PersonId) -> YearRow {
    let scope = Scope { year: YEAR, seq: i64::MAX - 1, persons: Persons::These(vec![person]) };
    scene.store().placed_rows(&scope, written).await.expect("rows").remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_runs_that_went_on_beside_each_other_nothing_later_is_shown() {
    let scene = Scene::begin().await;
    let store = scene.store();
    let four: DateTime<Utc> = "2026-03-03T04:00:00+08:00".parse().expect("an instant");
    let at = |seconds| four + TimeDelta::seconds(seconds);
    let seq = store.head().await.expect("a sequence");
    let (first, second) = (scene.person(0).await, scene.person(3).await);
    let before = (stood(&scene, &Written::Now, first).await, stood(&scene, &Written::Now, second).await);
    // the night's begins before the other and reads more; the other ends first
    let long = begun(&scene, at(0), seq + 1).await;
    let short = begun(&scene, at(30), seq).await;
    written(&scene, second, &short, seq).await;
    let by_short = stood(&scene, &Written::Now, second).await;
    ended(store, &short, at(60)).await;
    store.set_clock(at(240)).await.expect("the clock is set");
    written(&scene, first, &long, seq + 1).await;
    written(&scene, second, &long, seq + 1).await;
    ended(store, &long, at(300)).await;
    let after = (stood(&scene, &Written::Now, first).await, stood(&scene, &Written::Now, second).await);
    assert!(long.number < short.number && after.0 != before.0 && by_short != before.1 && by_short != after.1);

    let then = store.find_ended_runs(at(61)).await.expect("found").expect("runs");
    assert_eq!(then, EndedRuns { up_to: short.number, but: vec![long.number] });
    let seen = async |written: Written| (stood(&scene, &written, first).await, stood(&scene, &written, second).await);
    let by = async |seconds| Written::By(store.find_ended_runs(at(seconds)).await.expect("found").expect("runs"));
    assert_eq!(seen(by(-1).await).await, before);
    assert_eq!(
        seen(by(61).await).await,
        (before.0.clone(), by_short.clone()),
        "what is written at 04:04 is not seen yet"
    );
    assert_eq!(seen(by(301).await).await, after);
    assert_eq!(seen(Written::UpTo { seq, number: short.number }).await, (before.0.clone(), by_short.clone()));
    assert_eq!(seen(Written::UpTo { seq: seq + 1, number: long.number }).await, after);

    // what was before an instant goes, and what stood then stays
    store.set_clock(at(61) + TimeDelta::days(1)).await.expect("the clock is set");
    let keep: Keep = [(RetentionClass::ResultHistory, 1)].into();
    let removed = store.maintain("maintain", &keep, "test").await.expect("maintained");
    assert_eq!(removed.removed[&RetentionClass::ResultHistory], 1);
    assert_eq!(seen(by(61).await).await, (before.0, by_short));
    assert_eq!(seen(by(301).await).await, after);
}

/// What the audit says of results, in order: the action, and to what.
async fn audited(scene: &Scene) -> Vec<(String, String)> {
    let rows =
        "select action, object from audit where action in ('read_results', 'reveal', 'reverify') order by audit_id";
    sqlx::query_as(rows).fetch_all(&mut scene.province.harness.connection().await).await.expect("the audit")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_shown_nothing_has_looked_at_nobody() {
    let scene = Scene::begin().await;
    let (code, person) = (uscc(0), scene.person(1).await.0.to_string());
    let whose = ["--employer", &code, "--person", &person];
    let now = scene.store().now().await.expect("a time").to_rfc3339();
    let last = scene.store().list_runs(Some("verify"), None, 1).await.expect("runs").remove(0);
    let last = format!("run:{}", last.run_number);
    for more in [&["--reveal"][..], &[], &["--as-of", &now], &["--as-of", &last]] {
        let said = say_on(&scene.province.harness, &results(&[&whose[..], more].concat()));
        assert!(said.starts_with("exit 0\nthere "), "{said}");
    }
    for as_of in [&now, &last] {
        let said = say_on(&scene.province.harness, &[&recomputed(as_of)[..], &whose].concat());
        assert!(said.starts_with("exit 2") && said.contains("has no placement at"), "{said}");
    }
    assert_eq!(audited(&scene).await, [], "another employer's person was not seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_everybody_is_one_row_of_the_audit_and_each_person_who_is_revealed_has_one() {
    let mut scene = Scene::begin().await;
    let mut connection = scene.province.harness.connection().await;
    // more placed persons than are read in one go lie between those who have results
    sqlx::query("select setval('person_id_seq', 20000)").execute(&mut connection).await.expect("set");
    scene.employ(7, 1).await;
    scene.night().await;
    for statement in [
        "insert into person (person_id, id_index, id_number, name, born_on, sex)
         select number, int8send(number), '', '', '1980-01-01', 0 from generate_series(1000, 11100) as number",
        "insert into placement (person_id, employer_id, year, from_seq, dispatched, wage_payer, pension_payer, medical_payer)
         select number, unit_id, 2025, seq, false, unit_id, unit_id, unit_id
         from generate_series(1000, 11100) as number, publish_head, (select min(employer_id) as unit_id from employer) as one",
    ] {
        sqlx::query(statement).execute(&mut connection).await.expect(statement);
    }
    let shown = lines(&scene, &results(&[]));
    let mut persons: Vec<i64> = shown.iter().map(|line| line["person_id"].as_i64().expect("a number")).collect();
    persons.dedup();
    assert!(persons.len() == 7 && persons.last() > Some(&20_000), "{persons:?}");
    let look = ("read_results".to_owned(), "results 2025: every employer, every person".to_owned());
    assert_eq!(audited(&scene).await, std::slice::from_ref(&look));
    lines(&scene, &results(&["--reveal"]));
    let revealed =
        persons.iter().map(|person| ("reveal".to_owned(), format!("results 2025: every employer, person {person}")));
    assert_eq!(audited(&scene).await, [vec![look], revealed.collect()].concat());
}

/// The whole year of everybody.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_now_is_read_alike_with_and_without_the_past() {
    let scene = Scene::begin().await;
    let seq = scene.store().head().await.expect("a sequence");
    let scope = Scope { year: YEAR, seq, persons: Persons::Range { after: 0, up_to: i64::MAX, shard: Shard::WHOLE } };
    let all = Written::By(EndedRuns { up_to: i32::MAX, but: Vec::new() });
    let rows = scene.store().placed_rows(&scope, &Written::Now).await.expect("rows");
    assert_eq!(scene.store().placed_rows(&scope, &all).await.expect("rows"), rows);
    assert_eq!(scene.province.stored().await, rows);
}
