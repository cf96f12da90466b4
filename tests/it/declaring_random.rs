//! Several users and the tax department at once, in random order: whatever they do, no month is free while somebody may count it, what
//! leaves was confirmed, versions follow one another, and every write has its row in the audit.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use renzheng::declare::{DeclareError, Declaring};
use renzheng::domain::declaration::Stage;
use renzheng::domain::verdict::Verdict;
use renzheng::store::facts::{Persons, Scope};
use renzheng::store::outbox::{Answered, AttemptRecord};
use renzheng::store::past::{EndedRuns, Written};

use crate::acts::{self, Desk, Random};
use crate::declaring::{FACTORY, SCHOOL, Scene};

/// Steps at once, and how often.
const AT_ONCE: usize = 4;
const ROUNDS: usize = 14;
const SEEDS: &[u64] = &[20_261_126, 987_654_321, 4_242, 31, 5, 11];

/// What somebody does, or the tax department.
#[derive(Clone, Copy, Debug)]
enum Step {
    Act(acts::Step),
    Push,
    Reject,
}

impl Step {
    fn draw(random: &mut Random) -> Self {
        match random.below(27) {
            0..=2 => Self::Push,
            3 | 4 => Self::Reject,
            _ => Self::Act(acts::Step::draw(random)),
        }
    }

    fn name(self) -> String {
        if let Self::Act(step) = self { step.name() } else { format!("{self:?}") }
    }
}

async fn take(scene: &Scene, code: &str, step: Step) -> Result<(), DeclareError> {
    match step {
        Step::Act(step) => {
            let desk = Desk { store: scene.store(), reading: &scene.day.harness.policy };
            desk.take(scene.declaring(code).await, step).await
        }
        Step::Push => {
            scene.push().await;
            Ok(())
        }
        Step::Reject => {
            reject_one(scene).await;
            Ok(())
        }
    }
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
    let runs = EndedRuns { up_to: last_run, but: Vec::new() };
    let rows = store.placed_rows(&scope, &Written::By(runs)).await.expect("results");
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
    let (mut random, mut taken) = (Random::new(seed), BTreeMap::new());
    for round in 0..ROUNDS {
        let steps: Vec<(&str, Step)> = (0..AT_ONCE)
            .map(|_| (if random.below(2) == 0 { SCHOOL } else { FACTORY }, Step::draw(&mut random)))
            .collect();
        let outcomes = join_all(steps.iter().map(|(code, step)| take(&scene, code, *step))).await;
        let what = format!("seed {seed}, round {round}, {steps:?}");
        for ((_, step), outcome) in steps.iter().zip(outcomes) {
            match outcome {
                Ok(()) => {
                    *taken.entry(step.name()).or_default() += 1;
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
