//! The person's own side: opened by papers and a code alone, it shows who counts them and who looked, and takes objections; of others it says nothing.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use renzheng::declare::evidence::{Attaching, Form, attach, open as open_evidence};
use renzheng::declare::objections::{Answering, answer, list, show};
use renzheng::declare::person::{
    CountedMonth, Counts, Credentials, Look, Objecting, PersonActor, PersonError, PersonRefused, counts, issue_code,
    object, open, own_objections, revoke_code, who_looked,
};
use renzheng::declare::register::Register;
use renzheng::declare::register::look_up::LookUp;
use renzheng::declare::register::notices::{Wanted, list_notices};
use renzheng::declare::review;
use renzheng::declare::users::actor_of_token;
use renzheng::domain::access::{Action, Actor, Role, Scope};
use renzheng::domain::evidence::Subject;
use renzheng::domain::facts::PersonId;
use renzheng::domain::ids::{ResidentId, Uscc};
use renzheng::domain::month::Month;
use renzheng::domain::objection::{Finding, ObjectionKind, Refused};
use renzheng::domain::review::{Ground, MonthStanding};
use renzheng::store::Store;
use renzheng::store::results::YearRow;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::access::{as_holder, division, unit, user};
use crate::agency;
use crate::declaring::{self, SCHOOL};
use crate::evidence::made::pdf;
use crate::harness::{Harness, actor};
use crate::incremental::{month_of, uscc};
use crate::listening::{listen, statements};
use crate::review::scene::{Scene, employer, reviewer};
use crate::runs::say;

const YEAR: i32 = 2025;
/// A code that nobody was given.
pub const OTHER_CODE: &str = "2222-2222-2222";

/// What a person has in hand.
#[derive(Clone)]
pub struct Papers {
    pub person: PersonId,
    pub id: String,
    pub certificate: String,
}

pub async fn papers(store: &Store, person: PersonId) -> Papers {
    let identity = store.identities(&[person]).await.expect("identities").remove(&person).expect("known");
    let mut change = store.change().await.expect("a transaction");
    let (_, registered) = change.find_registered(store, &identity.id).await.expect("asked");
    change.abandon().await.expect("left");
    let certificate = registered.first().expect("a certificate").number.clone();
    Papers { person, id: identity.id.reveal().to_owned(), certificate }
}

impl Papers {
    async fn code(&self, store: &Store) -> String {
        issue_code(store, &actor(), self.person, None).await.expect("a code").code
    }

    pub async fn open(&self, store: &Store, code: &str) -> Result<PersonActor, PersonError> {
        open(store, Credentials { id_number: &self.id, certificate_number: &self.certificate, code }).await
    }

    /// Opened with a new code.
    async fn opened(&self, store: &Store) -> PersonActor {
        self.open(store, &self.code(store).await).await.expect("opened")
    }
}

async fn scene_papers(scene: &Scene, person: u32) -> Papers {
    papers(scene.store(), scene.person(person).await).await
}

/// An ID number that nobody here has.
fn nobody() -> String {
    agency::id_number(12)
}

fn refused(outcome: Result<PersonActor, PersonError>) -> PersonRefused {
    match outcome {
        Err(PersonError::Refused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

async fn clock(scene: &Scene, date: &str, time: &str) {
    scene.province.harness.clock(date.parse().expect("a date"), time).await;
}

async fn texts(connection: &mut PgConnection, sql: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(connection).await.expect("rows")
}

#[tokio::test(flavor = "current_thread")]
async fn all_three_must_fit_and_whichever_is_wrong_the_answer_and_the_work_are_the_same() {
    listen();
    let scene = Scene::begin().await;
    let store = scene.store();
    let (own, other) = (scene_papers(&scene, 0).await, scene_papers(&scene, 1).await);
    let (code, others) = (own.code(store).await, other.code(store).await);
    let unknown = Papers { id: nobody(), ..own.clone() };
    let wrong_number = Papers { certificate: format!("{}99", &own.certificate[..18]), ..own.clone() };
    let no_code = scene_papers(&scene, 2).await;
    let misses = [
        ("a wrong code", &own, OTHER_CODE),
        ("another's code", &own, &others),
        ("another certificate number", &wrong_number, &code),
        ("another's ID number", &Papers { id: other.id.clone(), ..own.clone() }, &code),
        ("nobody's ID number", &unknown, &code),
        ("a person without a code", &no_code, &code),
    ];
    let mut seen = Vec::new();
    for (what, papers, code) in misses {
        let before = statements();
        let error = papers.open(store, code).await.expect_err(what);
        let work = statements() - before;
        seen.push((
            what,
            format!("{} {error} {}", error.code().expect("a refusal"), error.chinese().expect("told")),
            work,
        ));
    }
    let (_, told, work) = seen[0].clone();
    assert!(work > 5, "statements are seen: {work}");
    for (what, one, count) in &seen {
        assert_eq!((one, count), (&told, &work), "{what}");
    }
    insta::assert_snapshot!(told, @"not_fitting ID number, certificate number and code do not belong together, or the code holds no more 身份证号、残疾证号与查询码不一致,或查询码已失效。");

    let opened = own.open(store, &code).await.expect("all three fit");
    assert_eq!(opened.person(), own.person);
    // however it is typed
    let typed = Papers { id: own.id.to_lowercase(), certificate: format!(" {} ", own.certificate), ..own.clone() };
    typed.open(store, &code.to_lowercase().replace('-', " ")).await.expect("the same");
    let mut connection = scene.province.harness.connection().await;
    let openings =
        texts(&mut connection, "select actor || ' ' || role || ' ' || object from audit where action = 'open_own'")
            .await;
    let person = own.person.0;
    assert_eq!(openings, vec![format!("person {person} person person {person}"); 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mistyped_is_told_before_anything_is_looked_up_and_is_no_miss() {
    let scene = Scene::begin().await;
    let (store, own) = (scene.store(), scene_papers(&scene, 0).await);
    let code = own.code(store).await;
    let slip = |code: &str| {
        let other = if code.starts_with('7') { '8' } else { '7' };
        format!("{other}{}", &code[1..])
    };
    for _ in 0..6 {
        assert_eq!(refused(own.open(store, &slip(&code)).await).to_string(), "the code is mistyped");
        let mistyped = Papers { id: own.id.replace("3600", "3700"), ..own.clone() };
        assert_eq!(refused(mistyped.open(store, &code).await).chinese(), "身份证号填写有误,请核对。");
    }
    let mut connection = scene.province.harness.connection().await;
    let misses: i64 =
        sqlx::query_scalar("select count(*) from person_miss").fetch_one(&mut connection).await.expect("a count");
    assert_eq!(misses, 0);
    own.open(store, &code).await.expect("the door is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_misses_within_an_hour_close_the_door_for_an_hour_and_time_opens_it() {
    let scene = Scene::begin().await;
    let (store, own, other) = (scene.store(), scene_papers(&scene, 0).await, scene_papers(&scene, 1).await);
    let (code, others) = (own.code(store).await, other.code(store).await);
    let unknown = Papers { id: nobody(), ..own.clone() };
    for minute in ["10:00", "10:10", "10:20", "10:30", "10:40"] {
        clock(&scene, "2026-03-02", minute).await;
        for papers in [&own, &unknown] {
            assert_eq!(refused(papers.open(store, OTHER_CODE).await), PersonRefused::NotFitting, "{minute}");
        }
    }
    for papers in [&own, &unknown] {
        // the right code too, and whether or not there is such a person
        let closed = refused(papers.open(store, &code).await);
        let PersonRefused::TooManyMisses { until } = closed else { panic!("{closed:?}") };
        assert_eq!(&renzheng::clock::rfc3339(until)[..16], "2026-03-02T11:40");
        assert_eq!(closed.code(), "too_many_misses");
        assert_eq!(closed.chinese(), "一小时内已有5次未能打开,请于2026-03-02 11:40后再试。");
    }
    other.open(store, &others).await.expect("another's door is open");
    clock(&scene, "2026-03-02", "11:39").await;
    assert!(matches!(refused(own.open(store, &code).await), PersonRefused::TooManyMisses { .. }));
    clock(&scene, "2026-03-02", "11:41").await;
    own.open(store, &code).await.expect("an hour is over");
    // old misses go with the next one
    clock(&scene, "2026-03-03", "11:41").await;
    assert_eq!(refused(own.open(store, OTHER_CODE).await), PersonRefused::NotFitting);
    let mut connection = scene.province.harness.connection().await;
    let misses: i64 =
        sqlx::query_scalar("select count(*) from person_miss").fetch_one(&mut connection).await.expect("a count");
    assert_eq!(misses, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn misses_that_come_at_once_are_counted_one_by_one() {
    let scene = Scene::begin().await;
    let (store, own) = (scene.store(), scene_papers(&scene, 0).await);
    let tries = futures_util::future::join_all((0..20).map(|_| own.open(store, OTHER_CODE))).await;
    let missed = tries.into_iter().map(refused).filter(|refused| *refused == PersonRefused::NotFitting).count();
    assert_eq!(missed, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_holds_for_a_year_and_ends_when_another_is_made_or_it_is_revoked() {
    let scene = Scene::begin().await;
    let (store, own) = (scene.store(), scene_papers(&scene, 0).await);
    let at_desk = reviewer("wang.fang", "3601");
    clock(&scene, "2026-03-02", "10:00").await;
    let first = issue_code(store, &at_desk, own.person, Some("at the counter")).await.expect("a code");
    assert!(!first.replaces);
    assert_eq!(&renzheng::clock::rfc3339(first.expires_at)[..16], "2027-03-02T10:00");
    assert_eq!(first.code.len(), 14);
    assert!(!format!("{first:?}").contains(&first.code));
    own.open(store, &first.code).await.expect("it holds");
    let second = issue_code(store, &at_desk, own.person, None).await.expect("a code");
    assert!(second.replaces && second.code != first.code);
    assert_eq!(refused(own.open(store, &first.code).await), PersonRefused::NotFitting, "the former has ended");
    clock(&scene, "2027-03-02", "09:59").await;
    own.open(store, &second.code).await.expect("its last minute");
    clock(&scene, "2027-03-02", "10:01").await;
    assert_eq!(refused(own.open(store, &second.code).await), PersonRefused::NotFitting, "it has expired");
    let third = issue_code(store, &at_desk, own.person, None).await.expect("a code");
    revoke_code(store, &at_desk, own.person, Some("lost")).await.expect("revoked");
    assert_eq!(refused(own.open(store, &third.code).await), PersonRefused::NotFitting, "it is revoked");
    let again = revoke_code(store, &at_desk, own.person, None).await.expect_err("none stands");
    assert_eq!(again.code(), Some("no_code"));
    let mut connection = scene.province.harness.connection().await;
    let told = texts(
        &mut connection,
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
    let scene = Scene::begin().await;
    let (store, person) = (scene.store(), scene.person(0).await);
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
    assert_eq!(code(&employer(scene.unit(0).await), person).await, Err("forbidden"));
    let tax = Actor { role: Role::TaxDepartment, ..reviewer("tax", "3601") };
    assert_eq!(code(&tax, person).await, Err("forbidden"));
    let id_number = "360001198005050117";
    let noted = issue_code(store, &actor(), person, Some(&format!("for {id_number}"))).await.expect_err("refused");
    assert_eq!(noted.code(), Some("note_holds_id_number"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_no_user_and_no_token_makes_one() {
    let scene = Scene::begin().await;
    let by = actor();
    let added = renzheng::declare::users::add_user(scene.store(), &by, "somebody", "某人", Role::Person).await;
    assert_eq!(added.expect_err("refused").code(), "not_of_users");
    let mut program = scene
        .province
        .harness
        .program(&["user", "add", "somebody", "--role", "person", "--name", "x"], "jobs".as_ref());
    assert!(
        say(&mut program)
            .contains("accepted are employer, handler, reviewer, supervisor, operator, auditor, tax_department")
    );
}

fn month(counts: &Counts, code: &str, number: usize) -> CountedMonth {
    let at = counts.employers.iter().find(|at| at.employer.uscc == code).expect("an employer");
    at.months[number - 1].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_person_sees_who_counts_them_with_the_checks_and_wages_that_are_stored() {
    let mut scene = Scene::begin().await;
    scene.lose("wage", 0, 0, 3);
    scene.lose("pension", 0, 0, 4);
    scene.night().await;
    scene.tick(0, 0, &[3]).await.expect("ticked");
    scene.untick(0, 0, &[5]).await.expect("unticked");
    let own = scene_papers(&scene, 0).await.opened(scene.store()).await;
    let seen = counts(scene.store(), &own, YEAR).await.expect("seen");
    assert_eq!(seen.employers.len(), 1);
    let (at, code) = (&seen.employers[0], uscc(0));
    assert_eq!(
        (at.employer.uscc.as_str(), at.employer.name.as_deref(), at.placed),
        (code.as_str(), Some("公司"), true)
    );
    for number in 1..=12 {
        let (told, stored) = (month(&seen, &code, number.into()), scene.verdict(0, 0, number).await);
        assert_eq!((told.month, told.checks, told.passed), (month_of(number), Some(stored.codes), stored.passed()));
        assert_eq!((told.weight, told.conflict), (Some(stored.weight), false), "{number}");
        assert_eq!((told.declared, told.accepted), (false, false), "{number}");
        assert_eq!(told.wage_fen, Some(if number == 3 { 10_000 } else { 260_000 }), "{number}");
        let paid: Vec<_> = told.paid.iter().map(|paid| (paid.payer.uscc.clone(), paid.amount_fen)).collect();
        assert_eq!(paid, [(code.clone(), told.wage_fen.expect("a wage"))], "{number}");
    }
    let ticked: Vec<u32> = at.months.iter().filter(|month| month.ticked).map(|month| month.month.number()).collect();
    assert_eq!(ticked, [1, 2, 3, 6, 7, 8, 9, 10, 11, 12], "by choice, or because it passes");
    assert!(counts(scene.store(), &own, YEAR - 1).await.expect("seen").employers.is_empty());

    // another employer counts the same months
    scene.employ(0, 1).await;
    scene.night().await;
    let seen = counts(scene.store(), &own, YEAR).await.expect("seen");
    assert_eq!(seen.employers.len(), 2);
    let (one, other) = (month(&seen, &code, 1), month(&seen, &uscc(1), 1));
    assert!(one.conflict && other.conflict && !one.passed);
    assert_eq!((one.wage_fen, other.wage_fen), (Some(260_000), Some(260_000)));
    assert_eq!(one.paid.len(), 2, "both payers are told, whose months they are");
    assert!(!month(&seen, &uscc(1), 5).conflict, "an unticked month is nobody's rival");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_person_sees_what_was_declared_and_what_the_tax_department_accepted() {
    let scene = declaring::Scene::begin("person_declared").await;
    let store = scene.store();
    let declared = scene.declaring(SCHOOL).await;
    // the first of its workers who pass in some month
    let rows = store.employer_rows(YEAR, declared.employer).await.expect("rows");
    let passing = |row: &YearRow| row.verdicts(YEAR).expect("verdicts").iter().filter(|(_, one)| one.passed()).count();
    let worker = rows.iter().find(|row| passing(row) > 0).expect("a worker who passes");
    let own = papers(store, worker.person).await.opened(store).await;
    let months = async |what: fn(&CountedMonth) -> bool| {
        let seen = counts(store, &own, YEAR).await.expect("seen");
        let at = seen.employers.into_iter().find(|at| at.employer.uscc == SCHOOL).expect("the school");
        at.months.iter().filter(|month| what(month)).count()
    };
    assert_eq!((months(|month| month.declared).await, months(|month| month.accepted).await), (0, 0));
    scene.complete(SCHOOL).await.expect("completed");
    let all = months(|month| month.ticked).await;
    assert_eq!(all, passing(worker));
    assert_eq!((months(|month| month.declared).await, months(|month| month.accepted).await), (all, 0));
    scene.push().await;
    assert_eq!((months(|month| month.declared).await, months(|month| month.accepted).await), (all, all));

    // nothing of the others who are placed there
    let told = serde_json::to_string(&counts(store, &own, YEAR).await.expect("seen")).expect("written");
    let others: Vec<PersonId> = everybody(&mut scene.day.harness.connection().await).await;
    assert!(others.len() > 10);
    for identity in store.identities(&others).await.expect("identities").into_values() {
        assert!(!told.contains(identity.id.reveal()), "an ID number");
        assert!(!told.contains(&identity.name), "{}", identity.name);
    }
}

async fn everybody(connection: &mut PgConnection) -> Vec<PersonId> {
    let ids: Vec<i64> = sqlx::query_scalar("select person_id from person where person_id <> 0")
        .fetch_all(connection)
        .await
        .expect("persons");
    ids.into_iter().map(PersonId).collect()
}

/// `action role division-or-employer`, newest first.
fn told(looks: &[Look]) -> Vec<String> {
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
    let mut scene = Scene::begin().await;
    scene.submit(0, 0, 3).await;
    let lookers = lookers(&scene).await;
    let (store, papers) = (&lookers.store, scene_papers(&scene, 0).await);
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
    let own = papers.opened(store).await;
    let seen = who_looked(store, &own, None, 100).await.expect("seen");
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
        let page = who_looked(store, &own, after, 2).await.expect("a page");
        assert!(page.looks.len() <= 2);
        paged.extend(page.looks);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, seen.looks);

    // the other of that employer sees their own, and who is elsewhere only that they were revealed
    let other = scene_papers(&scene, 3).await.opened(store).await;
    let other = told(&who_looked(store, &other, None, 100).await.expect("seen").looks);
    insta::assert_snapshot!(other.join("\n").replace(&code, "[employer 0]"), @r###"
open_own person -
issue_person_code operator -
reveal reviewer 3601
open_evidence reviewer 3601
open_case reviewer 3601
reveal reviewer 3601
"###);
    let elsewhere = scene_papers(&scene, 1).await.opened(store).await;
    let elsewhere = told(&who_looked(store, &elsewhere, None, 100).await.expect("seen").looks);
    assert_eq!(elsewhere, ["open_own person -", "issue_person_code operator -", "reveal reviewer 3601"]);
}

fn objecting(
    employer: u32,
    months: &[Month],
    kind: ObjectionKind,
    text: &str,
) -> (Uscc, Vec<Month>, ObjectionKind, String) {
    (Uscc::parse(&uscc(employer)).expect("a code"), months.to_vec(), kind, text.to_owned())
}

async fn objects(
    store: &Store,
    own: &PersonActor,
    (employer, months, kind, text): (Uscc, Vec<Month>, ObjectionKind, String),
) -> Result<i64, PersonError> {
    object(store, own, &Objecting { employer, months: &months, kind, text: &text })
        .await
        .map(|raised| raised.objection_id)
}

/// What the person says, which nobody but they and staff may read.
const WORDS: &str = "我从来没有在这家公司上过班";

#[tokio::test(flavor = "multi_thread")]
async fn an_objection_is_read_and_answered_by_staff_and_changes_no_result() {
    let scene = Scene::begin().await;
    let store = scene.store();
    let own = scene_papers(&scene, 0).await.opened(store).await;
    let stored = scene.province.stored().await;
    let months = [month_of(1), month_of(2)];
    let first =
        objects(store, &own, objecting(0, &months, ObjectionKind::NeverWorkedThere, WORDS)).await.expect("taken");

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
    answer(store, &near, &answering(Finding::Upheld, "已核实,将通知单位更正。")).await.expect("answered");
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
    assert_eq!(json["objections"][0]["answer"]["text"], "已核实,将通知单位更正。");
    assert!(!json.to_string().contains("wang.fang"));
    let other = scene_papers(&scene, 3).await.opened(store).await;
    assert!(own_objections(store, &other, None, 10).await.expect("own").objections.is_empty());

    // nothing of it changed what is judged or how a month stands
    scene.verify().await;
    assert_eq!(scene.province.stored().await, stored);
    assert_eq!(scene.months_standing(0, 0, MonthStanding::Passed).await, (1..=12).collect::<Vec<u8>>());
    let mut connection = scene.province.harness.connection().await;
    let acts = texts(
        &mut connection,
        "select actor || ': ' || action || ' ' || object from audit where object like 'objection %' order by audit_id",
    )
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
    let scene = Scene::begin().await;
    let store = scene.store();
    let own = scene_papers(&scene, 0).await.opened(store).await;
    let code = |error: PersonError| error.code().expect("a refusal");
    let one = |month: u8| objecting(0, &[month_of(month)], ObjectionKind::WageNotReceived, "");
    let elsewhere = objecting(1, &[month_of(1)], ObjectionKind::NeverWorkedThere, "");
    assert_eq!(objects(store, &own, elsewhere).await.map_err(code).expect_err("it does not count them"), "not_counted");
    let years = objecting(0, &[month_of(12), month_of(12).plus(1)], ObjectionKind::NotInTheseMonths, "");
    let refused = objects(store, &own, years).await.expect_err("2026 is not entered");
    assert!(matches!(refused, PersonError::Objection(Refused::NotCounted { month }) if month == month_of(12).plus(1)));
    let long = objecting(0, &[month_of(1)], ObjectionKind::Other, &"字".repeat(1_001));
    assert_eq!(objects(store, &own, long).await.map_err(code).expect_err("too long"), "text_too_long");
    // at once, and still five
    let tried = futures_util::future::join_all((1..=8).map(|month| objects(store, &own, one(month)))).await;
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
    let (newest, rest) = (own_objections(store, &own, None, 3).await.expect("own"), 2);
    assert_eq!(newest.objections.len(), 3);
    assert_eq!(own_objections(store, &own, newest.next, 3).await.expect("own").objections.len(), rest);
    answer(store, &near, &Answering { objection_id: seen[0], finding: Finding::NotUpheld, text: "工资已发放。" })
        .await
        .expect("answered");
    objects(store, &own, one(9)).await.expect("one is answered: there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_code_nor_numbers_nor_words_lie_in_any_table_in_clear() {
    let scene = Scene::begin().await;
    let (store, papers) = (scene.store(), scene_papers(&scene, 0).await);
    let code = papers.code(store).await;
    let own = papers.open(store, &code).await.expect("opened");
    let unknown = Papers { id: nobody(), ..papers.clone() };
    assert_eq!(refused(unknown.open(store, &code).await), PersonRefused::NotFitting);
    let id = objects(store, &own, objecting(0, &[month_of(1)], ObjectionKind::Other, WORDS)).await.expect("taken");
    let answered = "答复内容不得外泄";
    let near = reviewer("wang.fang", "3601");
    answer(store, &near, &Answering { objection_id: id, finding: Finding::Upheld, text: answered })
        .await
        .expect("answered");
    let canaries = [
        code.clone(),
        code.replace('-', ""),
        papers.id.clone(),
        unknown.id.clone(),
        WORDS.to_owned(),
        answered.to_owned(),
    ];
    let mut connection = scene.province.harness.connection().await;
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
    assert_eq!(refused(papers.open(store, OTHER_CODE).await), PersonRefused::NotFitting);
    let joined: i64 = sqlx::query_scalar("select count(*) from person_miss join person using (id_index)")
        .fetch_one(&mut connection)
        .await
        .expect("a count");
    assert_eq!(joined, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_and_answers_are_given_at_the_counter_by_commands() {
    let scene = Scene::begin().await;
    let (store, papers) = (scene.store(), scene_papers(&scene, 0).await);
    let harness: &Harness = &scene.province.harness;
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

    clock(&scene, "2026-03-02", "10:00").await;
    let months = [month_of(1), month_of(2), month_of(5)];
    let id =
        objects(store, &own, objecting(0, &months, ObjectionKind::WageNotReceived, "只收到一半")).await.expect("taken");
    clock(&scene, "2026-03-03", "10:00").await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_person_with_two_certificates_gives_either_and_a_former_number_opens_nothing() {
    let mut scene = Scene::begin().await;
    // another level, and so another number, from now on
    let former = scene_papers(&scene, 0).await;
    scene.province.take(&crate::incremental::Step::Certificate { person: 0, level: 3, valid_to_month: None }).await;
    scene.night().await;
    scene.province.enrol_soldier(0, "军残字000123");
    let now = scene_papers(&scene, 0).await;
    let store = scene.store();
    assert_ne!(former.certificate, now.certificate);
    let code = now.code(store).await;
    assert_eq!(refused(former.open(store, &code).await), PersonRefused::NotFitting);
    now.open(store, &code).await.expect("as it is registered now");
    let reissued = Papers { certificate: format!("{}B2", now.certificate), ..now.clone() };
    reissued.open(store, &code).await.expect("the same certificate on a new card");
    let soldier = Papers { certificate: "军残字 000123".to_owned(), ..now.clone() };
    assert_eq!(refused(soldier.open(store, &code).await), PersonRefused::NotFitting, "it is not registered yet");
    scene.province.pull_all().await;
    soldier.open(store, &code).await.expect("either one");
    now.open(store, &code).await.expect("either one");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_of_a_look_is_that_of_the_grant_which_held_then() {
    let scene = Scene::begin().await;
    let lookers = lookers(&scene).await;
    let (store, papers) = (&lookers.store, scene_papers(&scene, 0).await);
    review::open(store, &lookers.reviewer, scene.case(0, 0).await).await.expect("opened");
    // the reviewer moves to another division afterwards
    let by = actor();
    let today: NaiveDate = "2026-03-02".parse().expect("a date");
    clock(&scene, "2026-03-10", "10:00").await;
    let grant = store.list_users(Some("wang.fang")).await.expect("users").remove(0).grants.remove(0).grant_id;
    renzheng::declare::users::revoke(store, &by, "wang.fang", Some(grant), "moved").await.expect("revoked");
    let period = renzheng::declare::users::Period { from: today.checked_add_days(Days::new(8)), until: None };
    renzheng::declare::users::grant(store, &by, "wang.fang", &division("36"), period).await.expect("granted");
    let moved = Actor { scope: Scope::Division("36".to_owned()), ..lookers.reviewer.clone() };
    review::open(store, &moved, scene.case(0, 0).await).await.expect("opened");
    let own = papers.opened(store).await;
    let looks = who_looked(store, &own, None, 100).await.expect("seen").looks;
    let cases: Vec<_> = looks
        .iter()
        .filter(|look| look.action == Action::OpenCase)
        .map(|look| look.federation_division.clone())
        .collect();
    assert_eq!(cases, [Some("36".to_owned()), Some("3601".to_owned())]);
}
