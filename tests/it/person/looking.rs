//! Who looked at the person: when, in which role, what for; never by name, and nobody else's looks.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use renzheng::declare::evidence::{Attaching, Form, attach, open as open_evidence};
use renzheng::declare::person::{Look, who_looked};
use renzheng::declare::register::Register;
use renzheng::declare::register::look_up::LookUp;
use renzheng::declare::users::actor_of_token;
use renzheng::declare::{conflict, objections, review};
use renzheng::domain::access::{Action, Actor, Role, Scope};
use renzheng::domain::evidence::Subject;
use renzheng::domain::facts::PersonId;
use renzheng::domain::ids::ResidentId;
use renzheng::domain::objection::ObjectionKind;
use renzheng::domain::review::Ground;
use renzheng::store::Store;
use renzheng::store::audit::Act;

use super::{Own, WORDS, YEAR, objects};
use crate::access::{as_holder, division, unit, user};
use crate::evidence::made::pdf;
use crate::harness::actor;
use crate::incremental::{month_of, uscc};
use crate::review::scene::{Scene, employer, reviewer};
use crate::runs::say;

/// `action role division-or-employer`, newest first.
pub(super) fn told(looks: &[Look]) -> Vec<String> {
    let line = |look: &Look| {
        let of = look.federation_division.clone().or(look.employer.as_ref().map(|one| one.uscc.clone()));
        format!("{} {} {}", look.action, look.role.map_or("-", Role::as_str), of.unwrap_or_else(|| "-".to_owned()))
    };
    looks.iter().map(line).collect()
}

/// A reviewer and a handler who have accounts here, and a file about each of two persons of employer 0.
struct Lookers {
    store: Store,
    reviewer: Actor,
    reviewer_token: String,
    handler: Actor,
    evidence: Vec<i64>,
}

async fn lookers(scene: &Scene) -> Lookers {
    let store = scene.store().clone().keep_evidence_in(scene.province.scratch.path().join("evidence"));
    let reviewer_token = user(&store, "wang.fang", Role::Reviewer, &division("3601")).await;
    let handler_token = user(&store, "li.hua", Role::Handler, &unit(&uscc(0))).await;
    let own = scene.unit(0).await;
    let mut evidence = Vec::new();
    for person in [0, 3] {
        let (person, month) = (scene.person(person).await, month_of(3));
        let subjects = [Subject::Cell { person, month, ground: Ground::Wage }];
        let attaching = Attaching { employer: own, file_name: "slip.pdf", subjects: &subjects };
        evidence.push(
            attach(&store, None, &employer(own), &attaching, &slip_of(person)[..]).await.expect("attached").evidence_id,
        );
    }
    Lookers {
        reviewer: actor_of_token(&store, &reviewer_token).await.expect("it holds"),
        handler: actor_of_token(&store, &handler_token).await.expect("it holds"),
        reviewer_token,
        evidence,
        store,
    }
}

/// A file that differs by its person's number.
fn slip_of(person: PersonId) -> Vec<u8> {
    pdf(format!("5 0 obj {} endobj", person.0).as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_person_sees_who_looked_at_them_and_nobody_elses_looks() {
    let mut own = Own::begin().await;
    own.scene.submit(0, 0, 3).await;
    let lookers = lookers(&own.scene).await;
    let (scene, papers, store) = (&own.scene, &own.papers, &lookers.store);
    let policy = &scene.province.policy.policy;
    // a look-up by the employer's handler, which finds nobody: the name is another's
    let register = Register { store, policy, actor: &lookers.handler };
    let id = ResidentId::parse(&papers.id).expect("an ID");
    let asked = LookUp {
        employer: scene.unit(0).await,
        name: "他人",
        id,
        certificate_number: &papers.certificate,
        reveal_level: false,
    };
    assert!(!register.look_up(&asked).await.expect("an answer").matches);
    // all of employer 0 revealed, and then all of employer 1
    let harness = &scene.province.harness;
    for code in [uscc(0), uscc(1)] {
        let arguments = ["results", "--year", "2025", "--employer", &code, "--reveal"];
        assert!(say(&mut as_holder(harness, &lookers.reviewer_token, &arguments)).starts_with("exit 0"));
    }
    // cases and files of the person and of another of the same employer
    for person in [0, 3] {
        review::open(store, &lookers.reviewer, scene.case(person, 0).await).await.expect("opened");
    }
    for evidence in &lookers.evidence {
        open_evidence(store, &lookers.reviewer, *evidence, Form::Original).await.expect("opened");
        let evidence = evidence.to_string();
        let shown = say(&mut as_holder(harness, &lookers.reviewer_token, &["evidence", "show", &evidence, "--reveal"]));
        assert!(shown.starts_with("exit 0"), "{shown}");
    }
    renzheng::declare::audit::read_audit(
        store,
        &actor(),
        &renzheng::store::audit_log::AuditFilter { person: Some(papers.person), ..Default::default() },
        5,
    )
    .await
    .expect("read");
    let opened = own.opened().await;
    let seen = who_looked(store, &opened, None, 100).await.expect("seen");
    let words: Vec<String> = told(&seen.looks);
    let code = uscc(0);
    insta::assert_snapshot!(words.join("\n").replace(&code, "[employer 0]"), @r###"
open_own person -
issue_person_code operator -
read_audit operator -
reveal reviewer 3601
open_evidence reviewer 3601
open_case reviewer 3601
reveal reviewer 3601
look_up handler [employer 0]
"###);
    assert_eq!(seen.next, None);
    let about: BTreeSet<&str> =
        seen.looks.iter().flat_map(|look| &look.about).map(|party| party.uscc.as_str()).collect();
    assert_eq!(about, BTreeSet::from([code.as_str()]), "employer 1 is nothing to this person");
    let json = serde_json::to_string(&seen).expect("written");
    for word in ["wang.fang", "li.hua", "operator test", "object", "detail", &papers.id, "某人"] {
        assert!(!json.contains(word), "{word}: {json}");
    }
    // page by page it is the same
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = who_looked(store, &opened, after, 2).await.expect("a page");
        assert!(page.looks.len() <= 2);
        paged.extend(page.looks);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, seen.looks);

    // the other of that employer sees their own, and who is elsewhere only that they were revealed
    let other = own.papers_of(3).await.opened(store).await;
    let other = told(&who_looked(store, &other, None, 100).await.expect("seen").looks);
    insta::assert_snapshot!(other.join("\n").replace(&code, "[employer 0]"), @r###"
open_own person -
issue_person_code operator -
reveal reviewer 3601
open_evidence reviewer 3601
open_case reviewer 3601
reveal reviewer 3601
"###);
    let elsewhere = own.papers_of(1).await.opened(store).await;
    let elsewhere = told(&who_looked(store, &elsewhere, None, 100).await.expect("seen").looks);
    assert_eq!(elsewhere, ["open_own person -", "issue_person_code operator -", "reveal reviewer 3601"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_look_says_what_it_was_for() {
    let mut own = Own::begin().await;
    own.scene.employ(0, 1).await;
    own.scene.night().await;
    let (store, staff, person) = (own.store(), reviewer("wang.fang", "36"), own.papers.person);
    review::open(store, &staff, own.scene.case(0, 0).await).await.expect("opened");
    let (contested, _) = conflict::list(store, &staff, YEAR, PersonId(0), 10).await.expect("listed");
    assert!(contested.iter().all(|one| one.person == person) && contested.len() == 12);
    let opened = own.opened().await;
    let objection = objects(store, &opened, 0, &[month_of(1)], ObjectionKind::Other, WORDS).await.expect("taken");
    objections::show(store, &staff, objection).await.expect("shown");
    // as the site notes who reads why a month passes or fails, and who has a person verified anew
    let at = store.now().await.expect("now");
    let own_employer = employer(own.scene.unit(0).await);
    let explanation = format!("explanation 2025-03: employer {}, person {}", uscc(0), person.0);
    store.record(&Act::read(at, &own_employer, Action::ReadResults, explanation)).await.expect("recorded");
    let placement = format!("placement {} 2025 person {}", uscc(0), person.0);
    store.record(&Act::read(at, &staff, Action::Reverify, placement)).await.expect("recorded");
    // the results of the whole employer name nobody
    let results = format!("results 2025: employer {}", uscc(0));
    store.record(&Act::read(at, &own_employer, Action::ReadResults, results)).await.expect("recorded");

    let looks = who_looked(store, &opened, None, 100).await.expect("seen").looks;
    let lines: Vec<String> =
        looks.iter().map(|look| format!("{}: {}; {}", look.action, look.what_for.en, look.what_for.zh)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r###"
reverify: your months were verified again; 重新核验您的月份
read_results: why a month of yours passes or fails was read, wages and insurance too; 查看您某月的核验依据，含工资和参保情况
open_case: your objection was read; 查看您提出的异议
open_own: this page was opened with your papers and code; 凭您的证件和查询码打开本页
issue_person_code: a code was handed out to open this page; 发放您的查询码
open_case: months were listed for which several employers count the same person, yours among them; 查看多个单位重复计入的月份，其中有您的
open_case: your case was opened for review; 审核中打开您的材料
"###);
    let read = looks.iter().find(|look| look.action == Action::ReadResults).expect("it is told");
    assert_eq!((read.role, read.about.len()), (Some(Role::Employer), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_of_a_look_is_that_of_the_grant_which_held_then() {
    let own = Own::begin().await;
    let lookers = lookers(&own.scene).await;
    let (scene, store) = (&own.scene, &lookers.store);
    review::open(store, &lookers.reviewer, scene.case(0, 0).await).await.expect("opened");
    // the reviewer moves to another division afterwards
    let by = actor();
    let today: NaiveDate = "2026-03-02".parse().expect("a date");
    own.clock("2026-03-10", "10:00").await;
    let grant = store.list_users(Some("wang.fang")).await.expect("users").remove(0).grants.remove(0).grant_id;
    renzheng::declare::users::revoke(store, &by, "wang.fang", Some(grant), "moved").await.expect("revoked");
    let period = renzheng::declare::users::Period { from: today.checked_add_days(Days::new(8)), until: None };
    renzheng::declare::users::grant(store, &by, "wang.fang", &division("36"), period).await.expect("granted");
    let moved = Actor { scope: Scope::Division("36".to_owned()), ..lookers.reviewer.clone() };
    review::open(store, &moved, scene.case(0, 0).await).await.expect("opened");
    let looks = who_looked(store, &own.opened().await, None, 100).await.expect("seen").looks;
    let cases: Vec<_> = looks
        .iter()
        .filter(|look| look.action == Action::OpenCase)
        .map(|look| look.federation_division.clone())
        .collect();
    assert_eq!(cases, [Some("36".to_owned()), Some("3601".to_owned())]);
}
