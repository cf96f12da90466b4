//! A declaring season from the first day to the last: fifty employers, users and staff, agencies and a tax department that fail by a seed,
//! nine days without a tax department, processes that die on both sides, a restore to last night, and a department that forgets.

mod department;
mod oracle;
mod province;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use futures_util::future::join_all;
use renzheng::declare::conflict::{self, Deciding};
use renzheng::declare::settle::settle;
use renzheng::declare::{DeclareError, Declaring};
use renzheng::domain::declaration::Stage;
use renzheng::domain::ruling::PrevailingReason;

use crate::acts::{Desk, Random, Step};
use crate::declaring::{YEAR, month, supervisor};
use crate::harness::Harness;
use department::{Department, Weather, rough};
use oracle::Oracle;
use province::{EMPLOYERS, Province, shared};

const FIRST: &str = "2026-03-01";
/// The window's last day is the last but one: on the last nothing can be completed any more.
const DAYS: u64 = 246;
/// Steps at once on a day.
const AT_ONCE: u64 = 4;
/// So many days nobody answers at the tax department.
const OUTAGE_DAYS: u64 = 9;

struct Season {
    seed: u64,
    random: Random,
    harness: Harness,
    province: Province,
    department: Department,
    oracle: Oracle,
    today: NaiveDate,
    /// How often each kind of step was taken and not refused.
    taken: BTreeMap<String, u32>,
    refused: BTreeMap<&'static str, u32>,
    failed_pulls: u32,
    /// In which ways both sides differed, and what people settled after the restore.
    classes: BTreeSet<String>,
    settled: u32,
    /// The most months that the department counted on a day.
    most: usize,
}

impl Season {
    async fn begin(seed: u64) -> Self {
        let harness = Harness::new(&format!("season_{seed}")).await;
        let first: NaiveDate = FIRST.parse().expect("a date");
        let eve = first.pred_opt().expect("a date");
        harness.clock(eve, "03:00").await;
        let province = Province::begin(&harness).await;
        harness.verify(YEAR).await;
        let department = Department::open().await;
        let oracle = Oracle::default();
        let (taken, refused) = (BTreeMap::new(), BTreeMap::new());
        let random = Random::new(seed);
        Self {
            seed,
            random,
            harness,
            province,
            department,
            oracle,
            today: eve,
            taken,
            refused,
            failed_pulls: 0,
            classes: BTreeSet::new(),
            settled: 0,
            most: 0,
        }
    }

    fn told(&self) -> String {
        format!("seed {}, {}", self.seed, self.today)
    }

    async fn at(&self, time: &str) {
        self.harness.clock(self.today, time).await;
    }

    /// The agencies are pulled from, what changed is judged, and the department is told.
    async fn night(&mut self) {
        self.at("02:00").await;
        for _ in 0..self.random.below(3) {
            self.province.correct(&mut self.random);
        }
        if self.random.one_in(4) {
            self.failed_pulls += self.province.night(&self.harness, &mut Some(&mut self.random)).await;
        }
        self.harness.verify(YEAR).await;
        self.at("05:00").await;
        self.push().await;
        if self.random.one_in(7) {
            self.at("06:00").await;
            self.reconcile().await;
        }
    }

    /// Both sides are compared, and people follow the department where only people can: after a restore, say. What they did.
    async fn reconcile(&mut self) -> u32 {
        let Some(years) = self.department.reconcile(&self.harness.store).await else { return 0 };
        let mut settled = 0;
        if years.iter().any(|year| !year.open.is_empty()) {
            let store = &self.harness.store;
            for difference in store.list_differences(false, None, 1000).await.expect("differences") {
                self.classes.insert(difference.class.to_string());
                let place = self.province.codes.iter().position(|code| *code == difference.uscc).expect("an employer");
                let why = "the database was restored";
                match settle(store, &supervisor(), self.province.employers[place], why).await {
                    Ok(_) => settled += 1,
                    // the program puts it right by itself
                    Err(error) => assert_eq!(error.code(), Some("not_for_us"), "{}: {error:?}", self.told()),
                }
            }
        }
        settled
    }

    /// Everything since the last backup is lost; our process begins anew.
    async fn restore(&mut self) {
        let before = self.department.entries().len();
        self.harness.restore().await;
        self.department.begin_process();
        self.at("20:00").await;
        self.department.push(&self.harness.store, None).await;
        self.look().await;
        // the program told people what it found when it began; they look and follow
        self.settled += self.reconcile().await;
        self.push().await;
        assert!(self.department.entries().len() >= before, "{}: the department keeps what it has", self.told());
    }

    async fn push(&mut self) {
        let dies = self.random.one_in(12).then(|| self.random.below(60));
        if self.department.push(&self.harness.store, dies).await.is_none() {
            self.harness.reopen().await;
        }
        self.look().await;
    }

    /// Nothing counts twice, and everything was confirmed.
    async fn look(&mut self) -> BTreeMap<i32, oracle::Months> {
        let mut connection = self.harness.connection().await;
        self.oracle.learn(&mut connection).await;
        let counted = self.oracle.replay(&self.department.entries(), &self.told());
        self.most = self.most.max(counted.values().map(BTreeSet::len).sum());
        counted
    }

    /// Users and staff, several at once.
    async fn day(&mut self) {
        self.at("10:00").await;
        let steps: Vec<(Declaring, Step)> =
            (0..AT_ONCE).map(|_| (self.somebody(), Step::draw(&mut self.random))).collect();
        let desk = Desk { store: &self.harness.store, reading: &self.harness.policy };
        let outcomes = join_all(steps.iter().map(|(declaring, step)| desk.take(*declaring, *step))).await;
        for ((_, step), outcome) in steps.into_iter().zip(outcomes) {
            self.count(&step.name(), outcome);
        }
        if self.random.one_in(6) {
            let nth = self.random.below(u64::from(EMPLOYERS));
            let outcome = self.decide_conflict(nth).await;
            self.count("DecideConflict", outcome);
        }
    }

    fn somebody(&mut self) -> Declaring {
        let nth = self.random.below(u64::from(EMPLOYERS)) as usize;
        self.province.employers[nth]
    }

    fn count(&mut self, step: &str, outcome: Result<(), DeclareError>) {
        match outcome {
            Ok(()) => *self.taken.entry(step.to_owned()).or_default() += 1,
            Err(error) => {
                let code = error.code().unwrap_or_else(|| panic!("{}: {step}: {error:?}", self.told()));
                *self.refused.entry(code).or_default() += 1;
            }
        }
    }

    /// Staff decide between the two employers of a worker, for a month.
    async fn decide_conflict(&mut self, nth: u64) -> Result<(), DeclareError> {
        let (id, employers) = shared(nth);
        let store = &self.harness.store;
        let deciding = Deciding {
            person: store.find_person(&id).await.expect("asked").expect("known"),
            month: month(1 + self.random.below(12) as u32),
            employer: self.province.employers[employers[self.random.below(2) as usize] as usize].employer,
            reason: PrevailingReason::LabourContract,
            note: None,
        };
        conflict::decide(store, &supervisor(), &deciding).await.map(drop)
    }

    /// The department forgets what it received last. Nothing leaves before that is noticed: what it counts in between nobody can help.
    async fn lose_the_departments_memory(&mut self) {
        self.department.weather(Weather::Fine);
        let messages = 2 + self.random.below(20) as usize;
        self.department.forget(messages);
        self.at("21:00").await;
        self.reconcile().await;
        for time in ["21:10", "21:20", "21:30", "21:40"] {
            self.at(time).await;
            self.push().await;
        }
    }

    /// The declarations and what the department counts are the same.
    async fn assert_same(&mut self) {
        let told = self.told();
        let counted = self.look().await;
        for (declaring, code) in self.province.employers.iter().zip(&self.province.codes) {
            let store = &self.harness.store;
            let declaration = store.find_declaration(declaring.employer, YEAR as i16).await.expect("a declaration");
            let declared = match declaration.version_in_force() {
                None => BTreeSet::new(),
                Some(version) => {
                    let months =
                        store.list_declared_months(declaring.employer, YEAR as i16, version).await.expect("months");
                    months.iter().map(|one| (one.person.0, one.month.index())).collect()
                }
            };
            let held = counted.get(&declaring.employer.0).cloned().unwrap_or_default();
            assert_eq!(held, declared, "{told}: {code} {declaration:?}");
            let waits = declaration.unanswered().count();
            assert_eq!(waits, 0, "{told}: {code} waits for an answer: {declaration:?}");
            let closed = matches!(declaration.stage, Stage::Closed { .. });
            let mut connection = self.harness.connection().await;
            let free: i64 = sqlx::query_scalar(
                "select count(*) from unnest($1::bigint[], $2::int[]) as m (person_id, month) where not exists (
                     select from claim c where c.person_id = m.person_id and c.month = m.month and c.employer_id = $3 and c.to_seq is null)",
            )
            .bind(held.iter().map(|(person, _)| *person).collect::<Vec<_>>())
            .bind(held.iter().map(|(_, month)| *month).collect::<Vec<_>>())
            .bind(declaring.employer.0)
            .fetch_one(&mut connection)
            .await
            .expect("a count");
            assert!(free == 0 || closed, "{told}: {free} months that {code} counts are free");
        }
    }
}

/// The whole season; what it showed.
async fn play(seed: u64) -> Season {
    let mut season = Box::pin(Season::begin(seed)).await;
    let outage_from = 20 + season.random.below(DAYS - 60);
    let outage = outage_from..outage_from + OUTAGE_DAYS;
    // somewhere else
    let restored = (outage_from + OUTAGE_DAYS + 1 + season.random.below(DAYS - 40)) % (DAYS - 20);
    // when there is much to forget, and everybody is there
    let forgotten = (outage_from + OUTAGE_DAYS + 60 + season.random.below(60)) % (DAYS - 20);
    for day in 0..DAYS {
        season.today = season.today.succ_opt().expect("a date");
        if season.random.one_in(40) {
            season.department.restart().await;
        }
        season.department.weather(match (outage.contains(&day), season.random.one_in(3)) {
            (true, _) => Weather::Away,
            (false, true) => rough(&mut season.random),
            (false, false) => Weather::Fine,
        });
        season.night().await;
        if day == restored {
            season.harness.back_up().await;
            season.department.weather(Weather::Fine);
            // much happens on this day, and all of it is lost
            season.day().await;
            season.push().await;
        }
        season.day().await;
        if season.random.one_in(2) {
            season.at("18:00").await;
            season.push().await;
        }
        if day == restored {
            season.restore().await;
        }
        if day == forgotten {
            season.lose_the_departments_memory().await;
        }
    }
    season.department.weather(Weather::Fine);
    for _ in 0..5 {
        season.today = season.today.succ_opt().expect("a date");
        season.at("05:00").await;
        season.department.push(&season.harness.store, None).await;
        season.reconcile().await;
    }
    let left = season.harness.store.list_differences(false, None, 10).await.expect("differences");
    assert!(left.is_empty(), "seed {seed}: {left:?}");
    season.assert_same().await;
    season
}

/// Three that another day brings others in place of; or those of `SEASON_SEEDS` when this was built, as `1..61`.
fn seeds() -> Vec<u64> {
    if let Some((from, to)) = option_env!("SEASON_SEEDS").and_then(|text| text.split_once("..")) {
        return (from.parse().expect("a seed")..to.parse().expect("a seed")).collect();
    }
    let day = renzheng::clock::system_now().timestamp() as u64 / 86_400;
    (day * 3..day * 3 + 3).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_season_with_bad_days_ends_with_what_was_confirmed_and_nothing_ever_counted_twice() {
    for seed in seeds() {
        let season = Box::pin(play(seed)).await;
        let messages = season.department.entries().len();
        eprintln!(
            "seed {seed}: {:?}; refused {:?}; {} pulls failed, {messages} messages, at most {} months; differed {:?}, {} settled",
            season.taken, season.refused, season.failed_pulls, season.most, season.classes, season.settled
        );
        assert!(season.failed_pulls > 0 && messages > 20 && season.most > 100, "seed {seed} shows nothing");
    }
}
