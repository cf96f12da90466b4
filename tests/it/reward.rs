//! Applications for the reward (超比例奖励申请): by the accepted result alone, with every step of the amount, decided by staff, lapsing with
//! the result they rest on.
//!
//! The amounts are worked out by hand. The school has 98 staff, so it must place 98 × 0.015 = 1.47 persons; its three workers' 34 months are
//! 34 ÷ 12 = 17/6 persons. The excess is 17/6 − 147/100 = 409/300. It lies in a place of class 2, where the minimum wage was 2090 on
//! 31 December 2025, and is rewarded 6 of them a person: 409/300 × 2090 × 6 = 409 × 41.80 = 17096.20.

use std::process::Command;
use std::time::{Duration, Instant};

use renzheng::declare::import::{ImportKind, import};
use renzheng::declare::reward::{Applied, Deciding, Eligibility, RewardError, apply, decide, list, show, withdraw};
use renzheng::declare::{Declaring, amend, withdraw as withdrawing};
use renzheng::domain::access::{Actor, Role, Scope};
use renzheng::domain::money::Fen;
use renzheng::domain::policy::WageClass;
use renzheng::domain::reward::{MinimumWage, RewardOutcome};
use renzheng::domain::reward_application::{ApplicationState, ApprovalReason, RejectionReason, Ruling, Word};
use renzheng::policy::{BUILT_IN, Reading, parse};

use crate::access::{as_holder, division, user};
use crate::declaring::{
    FACTORY, SCHOOL, Scene, YEAR, amendment_approval, approval, change, employer, supervisor, withdrawal,
};
use crate::harness::{Scratch, actor};
use crate::runs::renzheng_on;

const BUILT_IN_REWARD: &str =
    "enabled = false\nkinds = [\"enterprise\"]\nminimum_excess = \"1\"\nwhole_persons = false\n";
/// Six minimum wages a person, as Hunan has it, from one person on, as Nanchang has it.
const OPEN: &str = "enabled = true\nkinds = [\"enterprise\", \"public_institution\"]\nminimum_excess = \"1\"\n\
                    whole_persons = false\nminimum_wage_factor = \"6\"\n";

fn policy_text(rules: &str) -> String {
    assert!(BUILT_IN.contains(BUILT_IN_REWARD), "the built-in policy has `reward` as it was");
    BUILT_IN.replace(BUILT_IN_REWARD, rules)
}

fn policy(rules: &str) -> Reading {
    let text = policy_text(rules);
    Reading { policy: parse(&text).expect("a policy"), text }
}

pub fn open() -> Reading {
    policy(OPEN)
}

/// The school's result accepted, and the school as it acts.
pub async fn accepted(name: &str) -> (Scene, Actor) {
    let scene = Scene::begin(name).await;
    scene.complete(SCHOOL).await.expect("completed");
    scene.push().await;
    let own = employer(scene.declaring(SCHOOL).await.employer);
    (scene, own)
}

async fn eligibility(scene: &Scene, reading: &Reading) -> Eligibility {
    let declaring = scene.declaring(SCHOOL).await;
    show(scene.store(), &reading.policy, &employer(declaring.employer), declaring).await.expect("shown")
}

async fn obstacle(scene: &Scene, reading: &Reading) -> &'static str {
    let found = eligibility(scene, reading).await;
    let obstacle = found.obstacle.expect("something stands in the way");
    assert!(!found.may_apply && !obstacle.zh.is_empty() && !obstacle.en.is_empty());
    obstacle.code
}

async fn states(scene: &Scene) -> Vec<ApplicationState> {
    eligibility(scene, &open()).await.applications.iter().map(|one| one.state).collect()
}

fn code(outcome: Result<impl std::fmt::Debug, RewardError>) -> &'static str {
    let refused = outcome.expect_err("refused");
    assert!(refused.chinese().is_some_and(|text| !text.is_empty()), "{refused}");
    refused.code().expect("a refusal")
}

/// Exit code and everything said, amounts too.
fn whole(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    let (out, words) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("exit {}\n{out}{words}", output.status.code().expect("a code"))
}

fn word(word: Word) -> Deciding {
    Deciding { ruling: Ruling { word, note: None }, seen: None }
}

fn yes() -> Deciding {
    word(Word::Approve(ApprovalReason::ResultConfirmed))
}

fn no() -> Deciding {
    word(Word::Reject(RejectionReason::LevyOwed))
}

fn staff(role: Role, digits: &str) -> Actor {
    let scope = Scope::Division(digits.to_owned());
    Actor { name: format!("{role} of {digits}"), role, scope, on_behalf_of: None }
}

/// The school says anew how many staff it has.
async fn set_headcount(scene: &Scene, headcount: &str) {
    let path = scene.folder.path().join("employers.csv");
    let text = format!(
        "uscc,name,kind,division,federation_division,tax_division,headcount\n\
         {SCHOOL},贵溪市例五中学,public_institution,360681,360681,360681,{headcount}\n"
    );
    std::fs::write(&path, text).expect("written");
    let policy = &scene.day.harness.policy.policy;
    let report = import(scene.store(), policy, ImportKind::Employers, &path, &actor()).await.expect("imported");
    assert!(report.refused.is_empty(), "{:?}", report.refused);
}

async fn count(scene: &Scene, query: &'static str) -> i64 {
    let mut connection = scene.day.harness.connection().await;
    sqlx::query_scalar(query).fetch_one(&mut connection).await.expect("a count")
}

async fn audited(scene: &Scene) -> i64 {
    count(scene, "select count(*) from audit where action in ('apply_reward', 'decide_reward')").await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_tax_department_accepted_is_rewarded_with_every_step_told() {
    let scene = Scene::begin("reward_eligible").await;
    let (store, reading, declaring) = (scene.store(), open(), scene.declaring(SCHOOL).await);
    let own = employer(declaring.employer);
    // 34 months pass already, and that is nothing yet
    let early = eligibility(&scene, &reading).await;
    assert_eq!((early.result, early.calculation, early.may_apply), (None, None, false));
    assert_eq!(obstacle(&scene, &reading).await, "not_accepted");
    assert_eq!(code(apply(store, &reading, &own, declaring).await), "not_accepted");
    scene.complete(SCHOOL).await.expect("completed");
    assert_eq!(code(apply(store, &reading, &own, declaring).await), "not_accepted", "completed, and not accepted");
    scene.push().await;
    // another year, and one whose low bits are those of 2025
    for year in [2024, YEAR + 65_536] {
        let other = Declaring { year, ..declaring };
        assert_eq!(code(apply(store, &reading, &own, other).await), "not_accepted", "{year}");
    }

    let found = eligibility(&scene, &reading).await;
    assert!(found.may_apply && found.obstacle.is_none(), "{found:?}");
    assert_eq!(found.result.map(|result| result.basis.version), Some(1));
    let steps = found.calculation.expect("worked out");
    assert_eq!((steps.weighted_person_months, steps.placed.to_string().as_str()), (34, "17/6"));
    assert_eq!((steps.headcount.to_string().as_str(), steps.required_ratio.to_string().as_str()), ("98", "0.015"));
    assert_eq!((steps.required.to_string().as_str(), steps.excess.to_string().as_str()), ("1.47", "409/300"));
    assert_eq!((steps.whole_persons, steps.counted.to_string().as_str()), (false, "409/300"));
    let on = "2025-12-31".parse().expect("a day");
    // in force since that month; in November it had been 1870
    assert_eq!(steps.minimum_wage, Some(MinimumWage { class: WageClass::Two, on, amount: Fen(209_000) }));
    assert_eq!(steps.factor.map(|factor| factor.to_string()).as_deref(), Some("6"));
    assert_eq!((steps.outcome, steps.amount.to_string().as_str()), (RewardOutcome::Due, "17096.20"));
    assert_eq!(found.outcome_zh, Some("符合超比例奖励条件。"));
    assert_eq!((count(&scene, "select count(*) from reward_application").await, audited(&scene).await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_says_who_is_rewarded_from_which_excess_on_and_for_which_persons() {
    let (scene, own) = accepted("reward_policy").await;
    let (store, declaring) = (scene.store(), scene.declaring(SCHOOL).await);
    let built_in = Reading { policy: parse(BUILT_IN).expect("a policy"), text: BUILT_IN.to_owned() };
    assert_eq!(obstacle(&scene, &built_in).await, "switched_off");
    assert_eq!(code(apply(store, &built_in, &own, declaring).await), "switched_off");
    let enterprises = policy(&OPEN.replace(", \"public_institution\"", ""));
    assert_eq!(obstacle(&scene, &enterprises).await, "not_this_kind");
    let small = policy(&OPEN.replace("minimum_excess = \"1\"", "minimum_excess = \"1.4\""));
    assert_eq!(code(apply(store, &small, &own, declaring).await), "excess_too_small");
    // one whole person of 1.36: 1 × 2090 × 6
    let whole = policy(&OPEN.replace("whole_persons = false", "whole_persons = true"));
    let steps = eligibility(&scene, &whole).await.calculation.expect("worked out");
    assert_eq!((steps.counted.to_string().as_str(), steps.amount.to_string().as_str()), ("1", "12540.00"));
    // switched on for the years from 2026 on, whenever somebody looks
    let entry = format!("[[reward]]\nfrom = 2026-01-01\nsource = \"a notice\"\n[reward.value]\n{OPEN}\n");
    let text = BUILT_IN.replace("# ---- Wage classes", &format!("{entry}# ---- Wage classes"));
    let next_year = Reading { policy: parse(&text).expect("a policy"), text };
    assert_eq!(obstacle(&scene, &next_year).await, "switched_off");

    // 200 staff: 3 persons required, 2.83 placed
    set_headcount(&scene, "200").await;
    assert_eq!(obstacle(&scene, &open()).await, "no_excess");
    set_headcount(&scene, "").await;
    let unknown = eligibility(&scene, &open()).await;
    assert_eq!(
        (unknown.calculation, unknown.obstacle.map(|obstacle| obstacle.code)),
        (None, Some("headcount_missing"))
    );
    assert_eq!(audited(&scene).await, 0, "a refusal leaves no trace");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_keeps_what_was_worked_out_until_a_supervisor_decides() {
    let (scene, own) = accepted("reward_road").await;
    let (store, reading, declaring) = (scene.store(), open(), scene.declaring(SCHOOL).await);
    let applied = apply(store, &reading, &own, declaring).await.expect("applied");
    assert_eq!(
        (applied.state, applied.basis.version, applied.rests_on_result_in_force),
        (ApplicationState::Open, 1, true)
    );
    assert_eq!(applied.policy_version, reading.policy.version);
    let kept = "select count(*) from policy join reward_application on policy_version = policy.version";
    assert_eq!(count(&scene, kept).await, 1, "the policy's text is kept");
    assert_eq!(code(apply(store, &reading, &own, declaring).await), "request_open");

    // what is entered later, and another policy, change nothing of it
    set_headcount(&scene, "90").await;
    let now = eligibility(&scene, &policy(&OPEN.replace("\"6\"", "\"4\""))).await;
    assert_eq!(now.applications[0].calculation, applied.calculation);
    assert_ne!(now.calculation.as_ref(), Some(&applied.calculation));
    let listed = list(store, &supervisor(), None, 10).await.expect("listed");
    assert_eq!(listed.applications, std::slice::from_ref(&applied));

    let silent = Deciding { ruling: Ruling { word: Word::Reject(RejectionReason::Other), note: None }, seen: None };
    assert_eq!(code(decide(store, &supervisor(), declaring, &silent).await), "note_missing");
    let number = Some("见360001198005050117".to_owned());
    let telling = Deciding { ruling: Ruling { note: number, ..no().ruling }, seen: None };
    assert_eq!(code(decide(store, &supervisor(), declaring, &telling).await), "note_holds_id_number");
    let note = Some(" 已现场核查 ".to_owned());
    let deciding = Deciding { ruling: Ruling { note, ..yes().ruling }, seen: Some(applied.application_id) };
    let decided = decide(store, &supervisor(), declaring, &deciding).await.expect("approved");
    assert_eq!(
        (decided.state, decided.reason, decided.reason_zh),
        (ApplicationState::Approved, Some("result_confirmed"), Some("认定结果属实"))
    );
    assert_eq!((decided.note.as_deref(), decided.ended_by.as_deref()), (Some("已现场核查"), Some("supervisor")));
    assert_eq!(decided.calculation.amount.to_string(), "17096.20");
    assert_eq!(code(decide(store, &supervisor(), declaring, &no()).await), "no_request");
    assert_eq!(code(withdraw(store, &own, declaring).await), "no_request");
    assert_eq!(code(apply(store, &reading, &own, declaring).await), "already_approved");
    assert!(list(store, &supervisor(), None, 10).await.expect("listed").applications.is_empty());
    assert_eq!(audited(&scene).await, 2, "applied and approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_applications_at_once_one_is_made() {
    let (scene, own) = accepted("reward_twice").await;
    let (store, reading, declaring) = (scene.store(), open(), scene.declaring(SCHOOL).await);
    let one = || apply(store, &reading, &own, declaring);
    let (first, second, third) = tokio::join!(one(), one(), one());
    let (made, refused): (Vec<_>, Vec<_>) = [first, second, third].into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    for outcome in refused {
        assert_eq!(code(outcome), "request_open");
    }
    assert_eq!(count(&scene, "select count(*) from reward_application").await, 1);
    assert_eq!(audited(&scene).await, 1);
    // decided twice at once: one word stands
    let (yes, no, staff) = (yes(), no(), supervisor());
    let (approved, rejected) =
        tokio::join!(decide(store, &staff, declaring, &yes), decide(store, &staff, declaring, &no));
    assert_eq!(usize::from(approved.is_ok()) + usize::from(rejected.is_ok()), 1);
    // the database itself lets no two be open on one result, whoever writes
    let mut connection = scene.day.harness.connection().await;
    sqlx::query("update reward_application set decided_at = null, decided_by = null, approved = null, reason = null")
        .execute(&mut connection)
        .await
        .expect("open again");
    let twice = "insert into reward_application (employer_id, year, version, attempt, policy_version, calculation, applied_at, applied_by)
                 select employer_id, year, version, attempt, policy_version, calculation, applied_at, applied_by from reward_application";
    let error = sqlx::query(twice).execute(&mut connection).await.expect_err("refused");
    assert!(error.to_string().contains("reward_application_of_a_result_is_one"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_employer_says_of_itself_while_its_application_waits_is_what_counts() {
    let (scene, own) = accepted("reward_waits").await;
    let (store, declaring) = (scene.store().clone(), scene.declaring(SCHOOL).await);
    let mut holder = store.change().await.expect("a transaction");
    holder.lock_declaration(declaring.employer, YEAR as i16).await.expect("locked");
    let applying = tokio::spawn(async move { apply(&store, &open(), &own, declaring).await });
    let (began, mut beat) = (Instant::now(), tokio::time::interval(Duration::from_millis(20)));
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while count(&scene, waiting).await == 0 {
        assert!(began.elapsed() < Duration::from_mins(1) && !applying.is_finished(), "it waits for the declaration");
        beat.tick().await;
    }
    set_headcount(&scene, "60").await;
    holder.abandon().await.expect("released");
    let applied = applying.await.expect("ended").expect("applied");
    assert_eq!((applied.calculation.headcount.to_string().as_str(), applied.state), ("60", ApplicationState::Open));
    assert_eq!(applied.calculation, eligibility(&scene, &open()).await.calculation.expect("worked out"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_lapses_when_its_result_is_withdrawn_and_is_made_anew_by_the_next() {
    let (scene, own) = accepted("reward_lapsed").await;
    let (store, reading, declaring) = (scene.store(), open(), scene.declaring(SCHOOL).await);
    let first = apply(store, &reading, &own, declaring).await.expect("applied");
    withdrawing::ask(store, &own, declaring, &withdrawal(false)).await.expect("asked");
    withdrawing::decide(store, &supervisor(), declaring, &approval(None)).await.expect("approved");
    assert_eq!(states(&scene).await, [ApplicationState::Open], "the department still holds the result");
    scene.push().await;
    assert_eq!(states(&scene).await, [ApplicationState::Lapsed]);
    assert_eq!(code(decide(store, &supervisor(), declaring, &yes()).await), "lapsed");
    assert_eq!(code(withdraw(store, &own, declaring).await), "lapsed");
    assert!(list(store, &supervisor(), None, 10).await.expect("listed").applications.is_empty());
    assert_eq!(code(apply(store, &reading, &own, declaring).await), "not_accepted");

    scene.complete(SCHOOL).await.expect("completed again");
    scene.push().await;
    assert_eq!(states(&scene).await, [ApplicationState::Lapsed], "another version brings it not back");
    let second = apply(store, &reading, &own, declaring).await.expect("applied anew");
    assert_eq!(second.basis.version, 2);
    let seen_first = Deciding { seen: Some(first.application_id), ..yes() };
    assert_eq!(code(decide(store, &supervisor(), declaring, &seen_first).await), "another_open");
    let rejected = decide(store, &supervisor(), declaring, &no()).await.expect("rejected");
    assert_eq!((rejected.application_id, rejected.reason_zh), (second.application_id, Some("尚欠缴残保金")));
    // a rejected one is applied for again, and so is one that was taken back
    let third = apply(store, &reading, &own, declaring).await.expect("applied once more");
    assert_eq!(withdraw(store, &own, declaring).await.expect("taken back").state, ApplicationState::Withdrawn);
    assert_eq!(code(withdraw(store, &own, declaring).await), "no_request");
    assert_eq!(code(decide(store, &supervisor(), declaring, &yes()).await), "no_request");
    let fourth = apply(store, &reading, &own, declaring).await.expect("and again");
    assert!(fourth.application_id > third.application_id);
    let told: Vec<&str> = states(&scene).await.into_iter().map(ApplicationState::as_str).collect();
    assert_eq!(told, ["open", "withdrawn", "rejected", "lapsed"]);
    assert_eq!(audited(&scene).await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_lapses_when_its_result_is_replaced_and_an_approval_says_so() {
    let (scene, own) = accepted("reward_replaced").await;
    let (store, reading, declaring) = (scene.store(), open(), scene.declaring(SCHOOL).await);
    let policy = &scene.day.harness.policy.policy;
    let amend_one = async |version: u32| {
        let months = store.list_declared_months(declaring.employer, YEAR as i16, version).await.expect("months");
        let (person, number) = (months[0].person, months[0].month.number());
        amend::ask(store, policy, &own, declaring, vec![change(person, number, false)]).await.expect("asked");
        amend::decide(store, policy, &supervisor(), declaring, &amendment_approval()).await.expect("approved");
    };
    apply(store, &reading, &own, declaring).await.expect("applied");
    amend_one(1).await;
    let meanwhile = eligibility(&scene, &reading).await;
    assert_eq!(meanwhile.calculation.map(|steps| steps.weighted_person_months), Some(34), "the old result stands");
    scene.push().await;
    assert_eq!(states(&scene).await, [ApplicationState::Lapsed]);
    assert_eq!(code(decide(store, &supervisor(), declaring, &yes()).await), "lapsed");
    // 33 ÷ 12 − 1.47 = 1.28; × 2090 × 6
    let second = apply(store, &reading, &own, declaring).await.expect("applied");
    assert_eq!(
        (second.calculation.excess.to_string().as_str(), second.calculation.amount.to_string().as_str()),
        ("1.28", "16051.20")
    );
    decide(store, &supervisor(), declaring, &yes()).await.expect("approved");
    amend_one(2).await;
    scene.push().await;
    let approved: Applied = eligibility(&scene, &reading).await.applications.remove(0);
    assert_eq!((approved.state, approved.rests_on_result_in_force), (ApplicationState::Approved, false));
    assert_eq!(code(apply(store, &reading, &own, declaring).await), "already_approved", "nobody is paid twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_apply_or_decide_is_refused_and_another_employers_is_not_found() {
    let (scene, own) = accepted("reward_who").await;
    let (store, reading, declaring) = (scene.store(), open(), scene.declaring(SCHOOL).await);
    let stranger = employer(scene.declaring(FACTORY).await.employer);
    let elsewhere = staff(Role::Supervisor, "3601");
    for foreign in [&stranger, &elsewhere] {
        assert_eq!(code(show(store, &reading.policy, foreign, declaring).await), "not_found");
        assert_eq!(code(apply(store, &reading, foreign, declaring).await), "not_found");
        assert_eq!(code(withdraw(store, foreign, declaring).await), "not_found");
        assert_eq!(code(decide(store, foreign, declaring, &yes()).await), "not_found");
    }
    for role in [Role::Reviewer, Role::Supervisor, Role::Auditor, Role::TaxDepartment] {
        assert_eq!(code(apply(store, &reading, &staff(role, "36"), declaring).await), "forbidden", "{role}");
    }
    let by = Actor::operator("same");
    apply(store, &reading, &by, declaring).await.expect("the operator at the counter applies");
    let handler = Actor { role: Role::Handler, ..own.clone() };
    assert_eq!(code(apply(store, &reading, &handler, declaring).await), "request_open", "a handler may");
    for role in [Role::Reviewer, Role::Operator, Role::Auditor] {
        assert_eq!(code(decide(store, &staff(role, "36"), declaring, &yes()).await), "forbidden", "{role}");
    }
    assert_eq!(code(decide(store, &own, declaring, &yes()).await), "forbidden");
    assert_eq!(code(list(store, &own, None, 10).await), "forbidden");
    assert_eq!(code(list(store, &staff(Role::Auditor, "36"), None, 10).await), "forbidden");
    let same = Actor { name: "same".to_owned(), ..supervisor() };
    assert_eq!(code(decide(store, &same, declaring, &yes()).await), "own_request");
    assert!(list(store, &elsewhere, None, 10).await.expect("listed").applications.is_empty());
    for reader in [staff(Role::Reviewer, "360681"), by] {
        assert_eq!(list(store, &reader, None, 10).await.expect("listed").applications.len(), 1, "{}", reader.role);
    }
    assert_eq!(states(&scene).await, [ApplicationState::Open]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dispatched_persons_move_the_headcount_with_them() {
    const ASSOCIATION: &str = "51369900500000090L";
    let scene = Scene::begin("reward_dispatched").await;
    let declaring = scene.declaring(ASSOCIATION).await;
    scene.prove_affiliates(ASSOCIATION).await;
    scene.complete(ASSOCIATION).await.expect("completed");
    scene.push().await;
    let any = OPEN
        .replace("minimum_excess = \"1\"", "minimum_excess = \"0\"")
        .replace("public_institution", "social_organisation");
    let reading = policy(&any);
    let own = employer(declaring.employer);
    let found = show(scene.store(), &reading.policy, &own, declaring).await.expect("shown");
    let steps = found.calculation.expect("worked out");
    // one dispatched person of twelve months beside a staff of 52: 53 × 0.015; (1 − 0.795) × 2090 × 6
    assert_eq!((steps.headcount.to_string().as_str(), steps.required.to_string().as_str()), ("53", "0.795"));
    assert_eq!((steps.excess.to_string().as_str(), steps.amount.to_string().as_str()), ("0.205", "2570.70"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_listed_oldest_first_page_by_page() {
    let (scene, own) = accepted("reward_listed").await;
    let (store, reading, school) = (scene.store(), open(), scene.declaring(SCHOOL).await);
    scene.prove_affiliates(FACTORY).await;
    scene.complete(FACTORY).await.expect("completed");
    scene.push().await;
    let factory = scene.declaring(FACTORY).await;
    // 89 ÷ 12 − 320 × 0.015 = 157/60; class 1: × 2240 × 6 = 157 × 224
    let older = apply(store, &reading, &employer(factory.employer), factory).await.expect("applied");
    assert_eq!(
        (older.calculation.excess.to_string().as_str(), older.calculation.amount.to_string().as_str()),
        ("157/60", "35168.00")
    );
    let younger = apply(store, &reading, &own, school).await.expect("applied");
    let first = list(store, &supervisor(), None, 1).await.expect("a page");
    assert_eq!(first.applications, [older]);
    let after = first.next.map(|place| place.to_string().parse().expect("a place"));
    let second = list(store, &supervisor(), after, 1).await.expect("a page");
    assert_eq!((second.applications, second.next), (vec![younger.clone()], None));
    assert_eq!(list(store, &staff(Role::Reviewer, "3606"), None, 10).await.expect("listed").applications, [younger]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_show_apply_list_decide_and_withdraw() {
    let (scene, _) = accepted("reward_commands").await;
    let harness = &scene.day.harness;
    let scratch = Scratch::new("reward_commands_policy");
    let file = scratch.path().join("policy.toml");
    std::fs::write(&file, policy_text(OPEN)).expect("written");
    let file = file.display().to_string();
    let of_school = |command: &'static str| {
        let mut arguments = vec!["reward", command, "--policy", &file];
        if command != "list" {
            arguments.extend(["--employer", SCHOOL, "--year", "2025"]);
        }
        arguments
    };
    let run = |command: &'static str| whole(&mut renzheng_on(harness, &of_school(command)));
    let shown = run("show");
    for words in ["34 ÷ 12 = 17/6", "98 × 0.015 = 1.47", "2090.00 (class 2, on 2025-12-31)", "17096.20", "可以申请"]
    {
        assert!(shown.starts_with("exit 0") && shown.contains(words), "{words}: {shown}");
    }
    let off = whole(&mut renzheng_on(harness, &["reward", "apply", "--employer", SCHOOL, "--year", "2025"]));
    assert!(off.starts_with("exit 2") && off.contains("not open here"), "{off}");
    assert!(run("apply").contains("open (待审核), 17096.20 yuan"));
    assert!(run("withdraw").contains("withdrawn (已撤回)"));
    assert!(run("apply").starts_with("exit 0"));
    let listed = run("list");
    assert!(listed.contains(SCHOOL) && listed.contains("409/300"), "{listed}");
    let token = user(&harness.store, "chief", Role::Supervisor, &division("3606")).await;
    let mut arguments = of_school("decide");
    arguments.extend(["--reject", "headcount_wrong", "--note", "请核对人数", "--format", "json"]);
    let said = whole(&mut as_holder(harness, &token, &arguments));
    assert!(said.contains("\"state\":\"rejected\"") && said.contains("\"reason\":\"headcount_wrong\""), "{said}");
    assert!(said.contains("\"applied_by\":\"operator ") && said.contains("\"ended_by\":\"chief\""), "{said}");
    let mut neither = of_school("decide");
    neither.extend(["--approve", "no_such_reason"]);
    let said = whole(&mut as_holder(harness, &token, &neither));
    assert!(said.starts_with("exit 2") && said.contains("result_confirmed, materials_checked, other"), "{said}");
}
