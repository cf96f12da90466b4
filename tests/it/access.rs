//! Users, tokens and grants: whoever shows a token may what is granted to them that day, and nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use renzheng::clock;
use renzheng::declare::users::{self, AskedReach, Period, TokenError, UserError, actor_of_token};
use renzheng::domain::access::{Action, Actor, Role, Scope};
use renzheng::domain::grant::GrantRefused;
use renzheng::domain::ids::{ResidentId, Uscc};
use renzheng::store::Store;
use renzheng::store::audit_log::AuditFilter;
use serde_json::Value;

use crate::fixtures::{Day, fixtures};
use crate::harness::{Harness, Scratch, actor};
use crate::runs::say;

/// 南昌例一制造有限公司, under division 360102.
pub const E1: &str = "91369900MA1000A10H";
/// 南昌县例二食品有限公司, under 360121.
const E2: &str = "91369900MA1000A29E";
/// 吉安县例三电子有限公司, under 360821.
pub const E3: &str = "91369900MA1000A379";
/// Nobody has heard of it.
const NEW: &str = "91369900MA00000152";

fn day(text: &str) -> chrono::NaiveDate {
    text.parse().expect("a day")
}

pub fn unit(code: &str) -> AskedReach {
    AskedReach::Unit(Uscc::parse(code).expect("a code"))
}

pub fn division(digits: &str) -> AskedReach {
    AskedReach::Division(digits.to_owned())
}

fn until(last: &str) -> Period {
    Period { from: None, until: Some(day(last)) }
}

/// A user with one grant until the end of the year, and a token for them.
pub async fn user(store: &Store, account: &str, role: Role, reach: &AskedReach) -> String {
    let by = actor();
    users::add_user(store, &by, account, "某人", role).await.expect("added");
    users::grant(store, &by, account, reach, until("2026-12-31")).await.expect("granted");
    token(store, account).await
}

async fn token(store: &Store, account: &str) -> String {
    users::add_token(store, &actor(), account, 90).await.expect("a token").token
}

/// The program as the holder of a token runs it.
pub fn as_holder(harness: &Harness, token: &str, arguments: &[&str]) -> Command {
    let mut command = harness.program(arguments, &fixtures().join("jobs"));
    command.env("RENZHENG_TOKEN", token);
    command
}

pub async fn province(name: &str) -> Day {
    let day = Day::begin(name).await;
    day.harness.verify(2025).await;
    day
}

fn written(scratch: &Scratch, name: &str, text: &str) -> PathBuf {
    let path = scratch.path().join(name);
    std::fs::write(&path, text).expect("written");
    path
}

fn employers_file(scratch: &Scratch, code: &str, of: &str) -> String {
    let row = format!("{code},例一制造,enterprise,{of},{of},{of}\n");
    let text = format!("uscc,name,kind,division,federation_division,tax_division\n{row}");
    written(scratch, &format!("{code}.csv"), &text).display().to_string()
}

/// What a command must come to by the table of roles and actions.
enum Expected {
    Done,
    /// The role may not, whatever is granted.
    Forbidden,
    /// Another's employer: as if there were none.
    NotFound,
    /// Taken, but for the rows of others.
    RowsRefused,
    /// It went as far as to look for what was named.
    Looked(&'static str),
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_does_by_commands_what_the_table_says_and_nothing_else() {
    let province = province("access_roles").await;
    let (harness, store) = (&province.harness, &province.harness.store);
    let scratch = Scratch::new("access_roles_files");
    let (own_file, foreign_file) = (employers_file(&scratch, E1, "360102"), employers_file(&scratch, E3, "360821"));
    for role in &Role::OF_USERS {
        let reach = match role {
            Role::Employer | Role::Handler => unit(E1),
            Role::Reviewer | Role::Supervisor | Role::Auditor | Role::TaxDepartment | Role::Person => division("3601"),
            Role::Operator => AskedReach::Everything,
        };
        let everywhere = matches!(reach, AskedReach::Everything);
        let account = format!("a.{role}");
        let token = user(store, &account, *role, &reach).await;
        let whether = |action: Action| if role.may(action) { Expected::Done } else { Expected::Forbidden };
        let foreign = |action: Action| match (role.may(action), everywhere) {
            (true, true) => Expected::Done,
            (true, false) => Expected::NotFound,
            (false, _) => Expected::Forbidden,
        };
        let operate = |text| if role.may(Action::Operate) { Expected::Looked(text) } else { Expected::Forbidden };
        let new_user = format!("b.{role}");
        let results = |code| vec!["results", "--year", "2025", "--employer", code];
        let mut revealed = results(E1);
        revealed.push("--reveal");
        let foreign_rows = match (role.may(Action::Enter), everywhere) {
            (true, false) => Expected::RowsRefused,
            _ => whether(Action::Enter),
        };
        let cases: Vec<(Vec<&str>, Expected)> = vec![
            (results(E1), whether(Action::ReadResults)),
            (results(E3), foreign(Action::ReadResults)),
            (vec!["worth", "--year", "2025", "--employer", E3], foreign(Action::ReadResults)),
            (vec!["foresight", "--employer", E1], whether(Action::ReadResults)),
            (vec!["declare", "show", "--year", "2025", "--employer", E3], foreign(Action::ReadResults)),
            (vec!["declare", "standing", "--year", "2025", "--employer", E1], whether(Action::ReadResults)),
            (revealed, whether(Action::Reveal)),
            (vec!["verify", "--year", "2025", "--employer", E1], whether(Action::Reverify)),
            (vec!["import", "employers", &own_file], whether(Action::Enter)),
            (vec!["import", "employers", &foreign_file], foreign_rows),
            (vec!["runs", "discard", "999", "--why", "x"], operate("there is no run `999`")),
            (vec!["runs"], whether(Action::Operate)),
            (vec!["jobs"], whether(Action::Operate)),
            (vec!["alerts"], whether(Action::Operate)),
            (vec!["quarantine", "list"], whether(Action::Operate)),
            (vec!["quarantine", "show", "999"], operate("there is no refused record 999")),
            (vec!["push", "status"], whether(Action::Operate)),
            (vec!["run", "no-such-job"], operate("there is no job `no-such-job`")),
            (vec!["backfill", "list"], whether(Action::Operate)),
            (vec!["keys", "backup", "/nonexistent/keys"], operate("cannot make /nonexistent/keys")),
            (
                vec!["db", "backup-check", "--url", "x", "--keys", "/nonexistent"],
                operate("cannot be checked without its keys"),
            ),
            (vec!["user", "add", &new_user, "--role", "auditor", "--name", "某人"], whether(Action::ManageUsers)),
            (vec!["token", "list"], whether(Action::ManageUsers)),
            (vec!["audit", "list"], whether(Action::ReadAudit)),
            (vec!["audit", "verify"], whether(Action::ReadAudit)),
            (vec!["audit", "seal"], whether(Action::Operate)),
        ];
        for (arguments, expected) in cases {
            let said = say(&mut as_holder(harness, &token, &arguments));
            let fits = match expected {
                Expected::Done => said.starts_with("exit 0"),
                Expected::Forbidden => said.starts_with("exit 2") && said.contains(&format!("the role {role} may not")),
                Expected::NotFound => {
                    said.starts_with("exit 2") && said.contains(&format!("no unit {E3} is known here"))
                }
                Expected::RowsRefused => said.starts_with("exit 3") && said.contains("not_found"),
                Expected::Looked(text) => said.contains(text),
            };
            assert!(fits, "{role}, {arguments:?}: {said}");
        }
        let seen = store.list_users(Some(&new_user)).await.expect("users");
        assert_eq!(seen.len(), usize::from(role.may(Action::ManageUsers)), "{role}");
    }
}

fn employers_listed(harness: &Harness, token: &str, more: &[&str]) -> Vec<String> {
    let arguments: Vec<&str> = ["results", "--year", "2025", "--format", "json"].iter().chain(more).copied().collect();
    let output = as_holder(harness, token, &arguments).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let code = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a JSON line");
        line["employer_uscc"].as_str().expect("a code").to_owned()
    };
    let lines: BTreeSet<&str> = text.lines().collect();
    assert_eq!(lines.len(), text.lines().count(), "each placement and month once");
    let mut codes: Vec<String> = text.lines().map(code).collect();
    codes.sort();
    codes.dedup();
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn results_of_nobody_named_are_those_the_actor_reaches() {
    let province = province("access_listed").await;
    let (harness, store) = (&province.harness, &province.harness.store);
    let handler = user(store, "handler", Role::Handler, &unit(E1)).await;
    users::grant(store, &actor(), "handler", &unit(E2), until("2026-04-30")).await.expect("granted");
    assert_eq!(employers_listed(harness, &handler, &[]), [E1, E2]);
    let reviewer = user(store, "reviewer", Role::Reviewer, &division("3608")).await;
    let listed = employers_listed(harness, &reviewer, &[]);
    let codes: Vec<Uscc> = listed.iter().map(|code| Uscc::parse(code).expect("a code")).collect();
    let owners = store.owners_of_codes(&codes).await.expect("owners");
    assert!(owners.len() >= 2 && listed.contains(&E3.to_owned()), "{owners:?}");
    assert!(owners.values().all(|owned| owned.federation_division.starts_with("3608")), "{owners:?}");
    // a person of another employer has no results here
    let foreign = province.harness.results(2025).await.into_iter().find(|line| line.employer_uscc == E3).expect("one");
    let id = ResidentId::parse(&foreign.id_number).expect("a number");
    let person = store.find_person(&id).await.expect("asked").expect("known").0.to_string();
    let listed = employers_listed(harness, &handler, &["--person", &person]);
    assert!(!listed.contains(&E3.to_owned()), "{listed:?}");
}

async fn refused(store: &Store, token: &str) -> String {
    match actor_of_token(store, token).await {
        Err(error) => error.to_string(),
        Ok(actor) => format!("{actor:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handlers_grant_ends_by_itself_after_its_last_day() {
    let harness = Harness::new("access_period").await;
    let store = &harness.store;
    harness.clock(day("2026-04-15"), "10:00").await;
    users::add_user(store, &actor(), "li.hua", "李华", Role::Handler).await.expect("added");
    for (code, last) in [(E1, "2026-04-20"), (E2, "2026-05-31")] {
        users::grant(store, &actor(), "li.hua", &unit(code), until(last)).await.expect("granted");
    }
    let token = token(store, "li.hua").await;
    let units = async || match actor_of_token(store, &token).await.expect("it holds").scope {
        Scope::Units(units) => units.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(units().await, 2);
    let both = actor_of_token(store, &token).await.expect("it holds");
    assert_eq!((both.name.as_str(), both.role, both.on_behalf_of), ("li.hua", Role::Handler, None), "of two units");
    harness.clock(day("2026-04-20"), "23:59").await;
    assert_eq!(units().await, 2, "the last day belongs to it");
    harness.clock(day("2026-04-21"), "00:00").await;
    assert_eq!(units().await, 1);
    let one = actor_of_token(store, &token).await.expect("it holds");
    assert_eq!(one.on_behalf_of.as_deref(), Some(format!("employer {E2}").as_str()));
    harness.clock(day("2026-06-01"), "00:00").await;
    assert_eq!(refused(store, &token).await, "nothing is granted to the user `li.hua` on 2026-06-01");
    let said = say(&mut as_holder(&harness, &token, &["results", "--year", "2025"]));
    insta::assert_snapshot!(said, @r###"
exit 2
renzheng: the token in RENZHENG_TOKEN is refused: nothing is granted to the user `li.hua` on 2026-06-01
"###);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_holds_no_more_at_once() {
    let harness = Harness::new("access_revoked").await;
    let store = &harness.store;
    harness.clock(day("2026-04-15"), "10:00").await;
    let by = actor();
    let one = user(store, "wang.fang", Role::Reviewer, &division("3601")).await;
    let two = token(store, "wang.fang").await;
    assert!(actor_of_token(store, &one).await.is_ok());
    let number = store.list_tokens(Some("wang.fang")).await.expect("tokens").iter().map(|token| token.token_id).min();
    users::revoke_token(store, &by, number.expect("a token"), "lost").await.expect("revoked");
    assert!(refused(store, &one).await.starts_with("it was revoked at 2026-04-15T10:00"));
    assert!(actor_of_token(store, &two).await.is_ok(), "the other one holds");
    let again = users::revoke_token(store, &by, number.expect("a token"), "lost").await.expect_err("revoked already");
    assert_eq!(again.code(), "no_token");

    let grant = store.list_users(Some("wang.fang")).await.expect("users").remove(0).grants.remove(0).grant_id;
    users::revoke(store, &by, "wang.fang", Some(grant), "moved away").await.expect("revoked");
    assert_eq!(refused(store, &two).await, "nothing is granted to the user `wang.fang` on 2026-04-15");
    let kept = store.list_users(Some("wang.fang")).await.expect("users").remove(0).grants.remove(0);
    let revoked = kept.revoked.expect("who, when and why");
    assert_eq!((revoked.by.as_str(), revoked.why.as_str()), ("test", "moved away"));
    users::grant(store, &by, "wang.fang", &division("3602"), Period::default()).await.expect("beside a revoked one");
    assert_eq!(actor_of_token(store, &two).await.expect("it holds").scope, Scope::Division("3602".to_owned()));

    users::revoke(store, &by, "wang.fang", None, "left").await.expect("revoked");
    assert_eq!(refused(store, &two).await, "the user `wang.fang` was revoked");
    let late = users::grant(store, &by, "wang.fang", &division("3603"), Period::default()).await;
    assert_eq!(late.expect_err("for good").code(), "user_revoked");
    assert_eq!(users::add_token(store, &by, "wang.fang", 1).await.expect_err("for good").code(), "user_revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_expires_and_its_last_use_is_noted_once_a_minute() {
    let harness = Harness::new("access_expiry").await;
    let store = &harness.store;
    harness.clock(day("2026-04-15"), "10:00").await;
    user(store, "auditor", Role::Auditor, &AskedReach::Everything).await;
    let issued = users::add_token(store, &actor(), "auditor", 1).await.expect("a token");
    let text = issued.token;
    let used = async || {
        let tokens = store.list_tokens(Some("auditor")).await.expect("tokens");
        tokens.into_iter().find(|token| token.token_id == issued.token_id).expect("it").last_used_at
    };
    assert_eq!(used().await, None);
    actor_of_token(store, &text).await.expect("it holds");
    let first = used().await.expect("noted");
    actor_of_token(store, &text).await.expect("it holds");
    assert_eq!(used().await, Some(first), "within the minute");
    harness.clock(day("2026-04-15"), "10:02").await;
    actor_of_token(store, &text).await.expect("it holds");
    assert!(used().await > Some(first));
    harness.clock(day("2026-04-15"), "23:59").await;
    actor_of_token(store, &text).await.expect("its last minute");
    harness.clock(day("2026-04-16"), "00:00").await;
    assert!(matches!(actor_of_token(store, &text).await, Err(TokenError::Expired(at)) if at == issued.expires_at));
    for days in [0, 367] {
        assert_eq!(users::add_token(store, &actor(), "auditor", days).await.expect_err("no").code(), "token_life");
    }
    assert_eq!(clock::rfc3339(issued.expires_at), "2026-04-16T00:00:00+08:00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_opens_nothing_is_never_the_operator() {
    let harness = Harness::new("access_wrong").await;
    let unknown = renzheng::crypto::NewToken::generate().expect("random").text;
    let mut all = String::new();
    for (token, arguments) in [
        ("secret", vec!["runs"]),
        (&unknown, vec!["runs"]),
        (&unknown, vec!["keys", "backup", "/nonexistent/keys"]),
        (" ", vec!["runs"]),
        ("", vec!["runs"]),
    ] {
        let said = say(&mut as_holder(&harness, token, &arguments));
        assert!(!said.contains(&unknown) && !said.contains("secret"), "{said}");
        all.extend([said.as_str(), "\n"]);
    }
    insta::assert_snapshot!(all, @r###"
exit 2
renzheng: the token in RENZHENG_TOKEN is refused: it is no token of this program: one begins with `rz_` and has 46 signs
exit 2
renzheng: the token in RENZHENG_TOKEN is refused: it is not known here
exit 2
renzheng: the token in RENZHENG_TOKEN is refused: it is not known here
exit 2
renzheng: the token in RENZHENG_TOKEN is refused: it is no token of this program: one begins with `rz_` and has 46 signs
exit 2
renzheng: RENZHENG_TOKEN is set and empty, which makes nobody an operator: unset it, or show a token
"###);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_grants_nothing_to_themselves_and_what_they_grant_to_others_is_on_record() {
    let harness = Harness::new("access_own").await;
    let store = &harness.store;
    harness.clock(day("2026-04-15"), "10:00").await;
    let token = user(store, "chen", Role::Operator, &AskedReach::Everything).await;
    let chen = actor_of_token(store, &token).await.expect("it holds");
    // the same person twice: as the holder of a token, and as the user of the operating system
    for actor in [chen.clone(), Actor::operator("operator chen")] {
        let own = users::grant(store, &actor, "chen", &AskedReach::Everything, Period::default()).await;
        assert!(matches!(own, Err(UserError::OwnAccount(_))), "{own:?}");
    }
    users::add_user(store, &chen, "zhou", "周", Role::Supervisor).await.expect("added");
    users::grant(store, &chen, "zhou", &division("36"), Period::default()).await.expect("granted");
    let mut connection = harness.connection().await;
    let rows: Vec<(String, String, String, Value)> =
        sqlx::query_as("select actor, action, object, detail from audit where object = 'user zhou' order by audit_id")
            .fetch_all(&mut connection)
            .await
            .expect("rows");
    let told: Vec<String> =
        rows.iter().map(|(actor, action, object, detail)| format!("{actor} {action} {object} {detail}")).collect();
    insta::assert_snapshot!(told.join("\n"), @r###"
chen manage_users user zhou {"did":"add","role":"supervisor"}
chen manage_users user zhou {"did":"grant","from":"2026-04-15","grant":2,"reach":"division 36","role":"supervisor","until":null}
"###);
    // an operator of a part manages nobody: who is granted everything could not be told from who is not
    let part = user(store, "part", Role::Operator, &division("3601")).await;
    let part = actor_of_token(store, &part).await.expect("it holds");
    let refused = users::add_user(store, &part, "somebody", "某", Role::Operator).await.expect_err("of a part");
    assert_eq!(refused.code(), "not_of_everything");
    let said = say(&mut as_holder(&harness, &token, &["user", "grant", "chen", "--everything"]));
    insta::assert_snapshot!(said, @r###"
exit 2
renzheng: `chen` is your own account: what you may do, another operator says
"###);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_grants_that_cannot_be_meant_are_refused() {
    let harness = Harness::new("access_refusals").await;
    let store = &harness.store;
    harness.clock(day("2026-04-15"), "10:00").await;
    let by = actor();
    let add = async |account: &str, name: &str| users::add_user(store, &by, account, name, Role::Handler).await;
    assert!(matches!(add("Li Hua", "李华").await, Err(UserError::NotAnAccount(_))));
    assert!(matches!(add("li.hua", "  ").await, Err(UserError::NotAName)));
    add("li.hua", "李华").await.expect("added");
    assert!(matches!(add("li.hua", "李华").await, Err(UserError::Taken(_))));
    let grant = async |reach: &AskedReach, period: Period| users::grant(store, &by, "li.hua", reach, period).await;
    let refused = grant(&unit(E1), Period::default()).await.expect_err("without an end");
    assert!(matches!(refused, UserError::Refused(GrantRefused::EndNeeded)));
    let refused = grant(&division("3601"), until("2026-05-01")).await.expect_err("no unit");
    assert_eq!(refused.code(), "unit_needed");
    assert_eq!(refused.chinese(), "该角色须指定单位的统一社会信用代码。");
    let unknown = users::grant(store, &by, "nobody", &unit(E1), until("2026-05-01")).await.expect_err("unknown");
    assert_eq!(unknown.code(), "unknown_user");
    assert!(store.list_users(Some("li.hua")).await.expect("users")[0].grants.is_empty(), "nothing came of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_users_rest_encrypted_and_are_shown_masked() {
    let harness = Harness::new("access_names").await;
    harness.clock(day("2026-04-15"), "10:00").await;
    let no_jobs: &Path = Path::new("jobs");
    let run = |arguments: &[&str]| say(&mut harness.program(arguments, no_jobs));
    run(&["user", "add", "li.hua", "--role", "handler", "--name", "李华明"]);
    run(&["user", "grant", "li.hua", "--unit", E1, "--until", "2026-12-31"]);
    run(&["user", "revoke", "li.hua", "--grant", "1", "--why", "left the firm"]);
    let who = |said: String| said.replace(&format!("operator {}", system_user()), "operator [user]");
    insta::assert_snapshot!(who(run(&["user", "list"])), @r###"
exit 0
account  name  role  state  grants
li.hua  李*  handler  nothing granted today
"###);
    insta::assert_snapshot!(who(run(&["user", "show", "li.hua"])), @r###"
exit 0
li.hua  李*  handler
added [at] by operator [user]
grant 1: 91369900MA1000A10H, from 2026-04-15 until 2026-12-31; by operator [user]; revoked [at] by operator [user]: left the firm
"###);
    assert!(run(&["user", "list", "--reveal"]).contains("李华明"));
    let mut connection = harness.connection().await;
    let stored: Vec<u8> =
        sqlx::query_scalar("select name from app_user").fetch_one(&mut connection).await.expect("a name");
    assert!(!stored.windows(3).any(|bytes| "李华明".as_bytes().starts_with(bytes)));
    let reveals: i64 = sqlx::query_scalar("select count(*) from audit where action = 'reveal'")
        .fetch_one(&mut connection)
        .await
        .expect("a count");
    assert_eq!(reveals, 1);
}

fn system_user() -> String {
    renzheng::config::system_user()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_granted_a_division_enters_and_judges_there_and_runs_nothing() {
    let province = province("access_division").await;
    let (harness, store) = (&province.harness, &province.harness.store);
    let scratch = Scratch::new("access_division_files");
    let counter = user(store, "counter", Role::Operator, &division("3601")).await;
    let import = |code: &str, of: &str| {
        let file = employers_file(&scratch, code, of);
        say(&mut as_holder(harness, &counter, &["import", "employers", &file]))
    };
    assert!(import(NEW, "360821").contains("not_found"), "a new employer of another division");
    assert!(import(NEW, "360102").starts_with("exit 0"), "a new employer of this one");
    assert!(import(E3, "360102").contains("not_found"), "nobody is taken over from another division");
    assert!(import(E1, "360821").contains("not_found"), "nor given away to one");
    let owners =
        store.owners_of_codes(&[E1, E3, NEW].map(|code| Uscc::parse(code).expect("a code"))).await.expect("owners");
    let mut divisions: Vec<&str> = owners.values().map(|owned| owned.federation_division.as_str()).collect();
    divisions.sort_unstable();
    assert_eq!(divisions, ["360102", "360102", "360821"]);

    let reviewer = user(store, "reviewer", Role::Reviewer, &division("3601")).await;
    for (token, arguments) in [
        (&counter, &["runs"][..]),
        (&counter, &["user", "list"]),
        (&reviewer, &["verify", "--year", "2025"]),
        (&reviewer, &["policy", "diff", "current", "current", "--year", "2025"]),
    ] {
        let said = say(&mut as_holder(harness, token, arguments));
        assert!(said.starts_with("exit 2") && said.contains("the whole installation"), "{arguments:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_employer_does_not_learn_whether_somebody_is_known_elsewhere() {
    let province = province("access_oracle").await;
    let (harness, store) = (&province.harness, &province.harness.store);
    let lines = harness.results(2025).await;
    let elsewhere =
        &lines.iter().find(|line| line.employer_uscc == E3).expect("a person of another employer").id_number;
    assert!(lines.iter().all(|line| line.employer_uscc != E1 || line.id_number != *elsewhere));
    let nobody = "360001196501010019";
    assert!(lines.iter().all(|line| line.id_number != nobody));
    let token = user(store, "handler", Role::Handler, &unit(E1)).await;
    for arguments in [
        vec!["explain", "--employer", E1, "--month", "2025-03", "--person"],
        vec!["results", "--employer", E1, "--year", "2025", "--person"],
    ] {
        let ask = |id: &str| {
            let arguments: Vec<&str> = arguments.iter().copied().chain([id]).collect();
            say(&mut as_holder(harness, &token, &arguments))
        };
        assert_eq!(ask(elsewhere), ask(nobody), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_results_are_looked_at_or_verified_at_the_command_line_stands_in_the_audit() {
    let province = province("access_looks").await;
    let (harness, store) = (&province.harness, &province.harness.store);
    let lines = harness.results(2025).await;
    let worker = &lines.iter().find(|line| line.employer_uscc == E1).expect("a worker").id_number;
    let id = ResidentId::parse(worker).expect("an ID number");
    let person = store.find_person(&id).await.expect("asked").expect("known");
    let number = person.0.to_string();
    let token = user(store, "chen.jie", Role::Reviewer, &division("36")).await;
    for arguments in [
        vec!["explain", "--employer", E1, "--month", "2025-03", "--person", &number],
        vec!["results", "--employer", E1, "--year", "2025", "--person", &number],
        vec!["results", "--employer", E1, "--year", "2025"],
        vec!["verify", "--employer", E1, "--year", "2025", "--person", &number],
        vec!["verify", "--employer", E1, "--year", "2025"],
    ] {
        let told = say(&mut as_holder(harness, &token, &arguments));
        assert!(told.starts_with("exit 0"), "{arguments:?}: {told}");
    }
    let nobody = ["verify", "--employer", E1, "--year", "2025", "--person", "999999"];
    let told = say(&mut as_holder(harness, &token, &nobody));
    assert!(told.starts_with("exit 2") && told.contains("has no placement at"), "{told}");
    let filter = AuditFilter { actor: Some("chen.jie".to_owned()), ..AuditFilter::default() };
    let rows = store.list_audit(&filter, 10).await.expect("rows");
    let rows: Vec<(String, String)> = rows.into_iter().rev().map(|row| (row.action, row.object)).collect();
    let expected = [
        ("read_results", format!("explanation 2025-03: employer {E1}, person {number}")),
        ("read_results", format!("results 2025: employer {E1}, person {number}")),
        ("read_results", format!("results 2025: employer {E1}, every person")),
        ("reverify", format!("placement {E1} 2025 person {number}")),
        ("read_results", format!("results 2025: employer {E1}, person {number}")),
        ("reverify", format!("employer {E1} 2025")),
        ("read_results", format!("results 2025: employer {E1}, every person")),
    ];
    assert_eq!(rows, expected.map(|(action, object)| (action.to_owned(), object)));
    let of_person = AuditFilter { person: Some(person), ..filter };
    assert_eq!(store.list_audit(&of_person, 10).await.expect("rows").len(), 4, "the person sees what names them");
}
