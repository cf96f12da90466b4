//! Several users and the tax department at once, in random order: whatever they do, no month is free while somebody may count it, what
//! leaves was confirmed, versions follow one another, and every write has its row in the audit.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use renzheng::declare::complete::complete;
use renzheng::declare::tick::{Choosing, choose};
use renzheng::declare::{DeclareError, Declaring, amend, corrections, withdraw};
use renzheng::domain::access::Actor;
use renzheng::domain::declaration::Stage;
use renzheng::domain::message::MessageKind;
use renzheng::domain::verdict::Verdict;
use renzheng::store::facts::{Persons, Scope};
use renzheng::store::outbox::{Answered, AttemptRecord};

use crate::declaring::{
    FACTORY, SCHOOL, Scene, amendment_approval, approval, change, employer, month, supervisor, withdrawal,
};

/// Steps at once, and how often.
const AT_ONCE: usize = 4;
const ROUNDS: usize = 14;
const SEEDS: &[u64] = &[20_261_126, 987_654_321, 4_242, 31, 5, 11];

/// Numbers from a seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Untick { nth: u64, month: u8 },
    Tick { nth: u64, month: u8 },
    Complete,
    AskWithdrawal,
    DecideWithdrawal { approve: bool },
    AskAmendment { nth: u64 },
    DecideAmendment { approve: bool },
    Push,
    Reject,
    Reissue { withdrawn: bool },
    Reopen,
    Close,
}

fn draw(random: &mut Random) -> Step {
    let (nth, month) = (random.below(6), 1 + random.below(12) as u8);
    let approve = random.below(3) > 0;
    match random.below(27) {
        0..=2 => Step::Untick { nth, month },
        3 => Step::Tick { nth, month },
        4..=8 => Step::Complete,
        9 | 10 => Step::AskWithdrawal,
        11 | 12 => Step::DecideWithdrawal { approve },
        13 | 14 => Step::AskAmendment { nth: random.below(40) },
        15 | 16 => Step::DecideAmendment { approve },
        17..=19 => Step::Push,
        20 | 21 => Step::Reject,
        22 | 23 => Step::Reissue { withdrawn: random.below(3) == 0 },
        24 | 25 => Step::Reopen,
        // rarely: nothing comes after it
        _ if random.below(6) == 0 => Step::Close,
        _ => Step::Push,
    }
}

/// One step by whom it is for; a refusal is an answer like another.
async fn take(scene: &Scene, code: &str, step: Step) -> Result<(), DeclareError> {
    let (store, reading) = (scene.store(), &scene.day.harness.policy);
    let declaring = scene.declaring(code).await;
    let (own, staff) = (employer(declaring.employer), supervisor());
    match step {
        Step::Untick { nth, month } => tick(scene, &own, declaring, (nth, month), false).await,
        Step::Tick { nth, month } => tick(scene, &own, declaring, (nth, month), true).await,
        Step::Complete => complete(store, reading, &own, &scene.completing(code).await).await.map(drop),
        Step::AskWithdrawal => withdraw::ask(store, &own, declaring, &withdrawal(false)).await.map(drop),
        Step::DecideWithdrawal { approve } => {
            let word = withdraw::Deciding { approve, ..approval(None) };
            withdraw::decide(store, &staff, declaring, &word).await.map(drop)
        }
        Step::AskAmendment { nth } => {
            let version = scene.state(code).await.version_in_force().unwrap_or(1);
            let declared =
                store.list_declared_months(declaring.employer, declaring.year as i16, version).await.expect("months");
            let Some(removed) = declared.get(nth as usize) else { return Ok(()) };
            let changes = vec![change(removed.person, removed.month.number(), false)];
            amend::ask(store, &reading.policy, &own, declaring, changes).await.map(drop)
        }
        Step::DecideAmendment { approve } => {
            let word = amend::Deciding { approve, ..amendment_approval() };
            amend::decide(store, &reading.policy, &staff, declaring, &word).await.map(drop)
        }
        Step::Push => {
            scene.push().await;
            Ok(())
        }
        Step::Reject => {
            reject_one(scene).await;
            Ok(())
        }
        Step::Reissue { withdrawn } => {
            let kind = if withdrawn { MessageKind::Withdrawn } else { MessageKind::Certified };
            corrections::reissue(store, &staff, declaring, kind).await.map(drop)
        }
        Step::Reopen => corrections::reopen(store, &staff, declaring).await.map(drop),
        Step::Close => corrections::close(store, &staff, declaring, "the unit is gone").await.map(drop),
    }
}

async fn tick(
    scene: &Scene,
    own: &Actor,
    declaring: Declaring,
    (nth, number): (u64, u8),
    ticked: bool,
) -> Result<(), DeclareError> {
    let store = scene.store();
    let placed = store.list_placements(&[declaring.employer]).await.expect("placements");
    let placed: Vec<_> = placed.iter().filter(|placement| i32::from(placement.year) == declaring.year).collect();
    let person = placed[nth as usize % placed.len()].person;
    let months = vec![month(u32::from(number))];
    let choosing = Choosing { declaring, person, months, ticked, deregisters: false };
    choose(store, &scene.day.harness.policy.policy, own, &choosing).await.map(drop)
}

/// The tax department turns the next message away, if one is due.
async fn reject_one(scene: &Scene) {
    let store = scene.store();
    let now = store.now().await.expect("now");
    let Some(outgoing) = store.open_attempt(now).await.expect("opened") else { return };
    let answer = serde_json::json!({ "code": "division_closed", "field": "tax_division", "text": "closed" });
    let record = AttemptRecord { status: Some(200), ..AttemptRecord::default() };
    store.close_attempt(&outgoing, &record, &Answered::Rejected { answer }, now).await.expect("closed");
}

/// What must hold whenever nobody is in the middle of a step.
async fn assert_sound(scene: &Scene, code: &str, what: &str) {
    let declaring = scene.declaring(code).await;
    let declaration = scene.state(code).await;
    let mut connection = scene.day.harness.connection().await;
    let versions: Vec<i32> = declaration.claiming_versions().iter().map(|version| *version as i32).collect();
    let free: i64 = sqlx::query_scalar(
        "select count(*) from declared_month d where employer_id = $1 and version = any($2) and not exists (
             select from claim c where c.person_id = d.person_id and c.month = d.month and c.employer_id = $1 and c.to_seq is null)",
    )
    .bind(declaring.employer.0)
    .bind(&versions)
    .fetch_one(&mut connection)
    .await
    .expect("a count");
    let closed = matches!(declaration.stage, Stage::Closed { .. });
    assert!(free == 0 || closed, "{what}: {free} months of versions {versions:?} are free: {declaration:?}");
    let held: Vec<i32> =
        scene.held().iter().filter(|(uscc, ..)| uscc == code).map(|(_, version, _)| *version as i32).collect();
    let counted: i64 = sqlx::query_scalar(
        "select count(*) from declared_month d where employer_id = $1 and version = any($2) and not exists (
             select from claim c where c.person_id = d.person_id and c.month = d.month and c.employer_id = $1 and c.to_seq is null)",
    )
    .bind(declaring.employer.0)
    .bind(&held)
    .fetch_one(&mut connection)
    .await
    .expect("a count");
    assert_eq!(counted, 0, "{what}: the tax department counts version {held:?}, and its months are free");
    let versions: Vec<i32> =
        sqlx::query_scalar("select distinct version from declared_month where employer_id = $1 order by 1")
            .bind(declaring.employer.0)
            .fetch_all(&mut connection)
            .await
            .expect("versions");
    let expected: Vec<i32> = (1..=declaration.last_version() as i32).collect();
    assert_eq!(versions, expected, "{what}: versions follow one another");
    let cells: Vec<(i32, bool)> = sqlx::query_as("select cell, approved from declared_month where employer_id = $1")
        .bind(declaring.employer.0)
        .fetch_all(&mut connection)
        .await
        .expect("cells");
    let confirmed =
        |(cell, approved): &(i32, bool)| *approved || Verdict::unpack(*cell).is_some_and(|verdict| verdict.passed());
    assert!(cells.iter().all(confirmed), "{what}: only what passed or was approved is frozen");
    for version in 1..=declaration.last_version() {
        assert_frozen_as_seen(scene, declaring, version, what).await;
    }
    for table in ["declaration", "choice", "declared_version", "outbox"] {
        // of a message the answer is written by who pushes, whose record is the attempt
        let written = if table == "outbox" { "t.state = 'waiting' and" } else { "" };
        let silent: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "select count(*) from {table} t where {written} employer_id = $1 and not exists (select from audit a where a.xmin = t.xmin)"
        )))
        .bind(declaring.employer.0)
        .fetch_one(&mut connection)
        .await
        .expect("a count");
        assert_eq!(silent, 0, "{what}: rows of {table} without a row of the audit");
    }
}

/// A version of its own holds what its employer saw when it was completed: every month that was ticked by the choices before that
/// publish, with the cell that was stored then. An amendment holds what it amends, but for a month that was asked for.
async fn assert_frozen_as_seen(scene: &Scene, declaring: Declaring, version: u32, what: &str) {
    let (store, employer) = (scene.store(), declaring.employer);
    let mut connection = scene.day.harness.connection().await;
    let (seq, last_run, amends): (i64, i32, Option<i32>) = sqlx::query_as(
        "select seq, last_run, amends from outbox join declared_version using (employer_id, year, version)
         where employer_id = $1 and version = $2 and kind = 'certified' and attempt = 1",
    )
    .bind(employer.0)
    .bind(version as i32)
    .fetch_one(&mut connection)
    .await
    .expect("a version");
    let cells = async |version: u32| {
        let months = store.list_declared_months(employer, declaring.year as i16, version).await.expect("months");
        months.iter().map(|one| ((one.person.0, one.month.index()), one.cell)).collect::<BTreeMap<_, _>>()
    };
    let frozen = cells(version).await;
    if let Some(amended) = amends {
        let mut before = cells(amended as u32).await;
        let size = before.len();
        before.retain(|month, _| frozen.contains_key(month));
        assert_eq!((&before, size), (&frozen, frozen.len() + 1), "{what}: version {version} amends {amended}");
        return;
    }
    let unticked: Vec<(i64, i32)> = sqlx::query_as(
        "select person_id, month from choice
         where employer_id = $1 and not ticked and from_seq < $2 and coalesce(to_seq >= $2, true)",
    )
    .bind(employer.0)
    .bind(seq)
    .fetch_all(&mut connection)
    .await
    .expect("choices");
    let persons = store.placed_persons(declaring.year, employer, seq - 1).await.expect("persons");
    let scope = Scope { year: declaring.year, seq: seq - 1, persons: Persons::These(persons) };
    let rows = store.year_rows_at(&scope, last_run).await.expect("results");
    let mut seen = BTreeMap::new();
    for row in rows.iter().filter(|row| row.employer == employer) {
        for (month, cell) in (declaring.year * 12..).zip(row.cells) {
            let passed = Verdict::unpack(cell).is_some_and(|verdict| verdict.passed());
            if passed && !unticked.contains(&(row.person.0, month)) {
                seen.insert((row.person.0, month), cell);
            }
        }
    }
    assert!(!seen.is_empty(), "{what}: something was seen");
    assert_eq!(frozen, seen, "{what}: version {version} is what its employer saw");
}

/// Plays a season; how often each kind of step was taken, and not refused.
async fn play(seed: u64) -> BTreeMap<String, u32> {
    let scene = Scene::begin(&format!("random_{seed}")).await;
    scene.prove_affiliates(FACTORY).await;
    let (mut random, mut taken) = (Random(seed), BTreeMap::new());
    for round in 0..ROUNDS {
        let steps: Vec<(&str, Step)> =
            (0..AT_ONCE).map(|_| (if random.below(2) == 0 { SCHOOL } else { FACTORY }, draw(&mut random))).collect();
        let outcomes = join_all(steps.iter().map(|(code, step)| take(&scene, code, *step))).await;
        let what = format!("seed {seed}, round {round}, {steps:?}");
        for ((_, step), outcome) in steps.iter().zip(outcomes) {
            match outcome {
                Ok(()) => {
                    *taken.entry(format!("{step:?}").split(' ').next().unwrap_or_default().to_owned()).or_default() +=
                        1;
                }
                Err(error) => assert!(error.code().is_some(), "{what}: {error:?}"),
            }
        }
        renzheng::declare::news::apply_news(scene.store()).await.expect("taken in");
        for code in [SCHOOL, FACTORY] {
            assert_sound(&scene, code, &what).await;
        }
    }
    // once the queue is drained the department holds what is declared
    scene.push().await;
    for code in [SCHOOL, FACTORY] {
        assert_sound(&scene, code, &format!("seed {seed}, in the end")).await;
        let declared = scene.state(code).await.version_in_force().map(u64::from);
        let held: Vec<u64> =
            scene.held().iter().filter(|(uscc, ..)| uscc == code).map(|(_, version, _)| *version).collect();
        assert_eq!(held, declared.into_iter().collect::<Vec<u64>>(), "seed {seed}: ledger and declaration of {code}");
    }
    scene.assert_only_what_was_confirmed_leaves().await;
    taken
}

#[tokio::test]
async fn users_staff_and_the_tax_department_act_at_once() {
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();
    for seed in SEEDS {
        for (step, times) in play(*seed).await {
            *taken.entry(step).or_default() += times;
        }
    }
    // what else comes to something depends on who is first
    for step in ["Complete", "AskWithdrawal", "DecideWithdrawal", "AskAmendment"] {
        assert!(taken.get(step).is_some_and(|times| *times > 0), "{step} never came to anything: {taken:?}");
    }
}
