//! Thirty nights that nobody watches: agencies that are out, processes that are down, workers that die, two schedulers at once, and a clock
//! that is put forward. Every fire is accounted for, nothing runs twice, and every morning the results are those of judging everything.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, Days, NaiveDate, Utc};
use renzheng::config::{Environment, Job};
use renzheng::policy;
use renzheng::schedule::Schedule;
use renzheng::store::facts::Shard;
use renzheng::verify::changes::Point;
use sqlx::{Connection, PgConnection};

use crate::incremental::{HEADERS, PEOPLE, Province, Step, YEAR, cells};

const NIGHTS: u64 = 30;
const FIRST: &str = "2026-03-10";

/// Numbers that look like chance and follow from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % u64::from(most)) as u32
    }

    fn one_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    fn step(&mut self) -> Step {
        let (person, month) = (self.below(PEOPLE), 1 + self.below(12) as u8);
        match self.below(6) {
            0 | 1 => Step::Wage {
                record: self.below(12) as u8,
                person,
                payer: person % 3,
                month,
                amount: (!self.one_in(8)).then(|| 1500 + self.below(1200)),
                readable: !self.one_in(10),
            },
            2 | 3 => Step::Insurance {
                scheme: self.below(2) as u8,
                record: self.below(12) as u8,
                person,
                unit: person % 3,
                month,
                paid: !self.one_in(5),
            },
            4 => Step::Certificate {
                person,
                level: 1 + self.below(4) as u8,
                valid_to_month: self.one_in(3).then_some(month),
            },
            _ => Step::Filing { approved: !self.one_in(3), days: 1 + self.below(60) as u16 },
        }
    }
}

/// Keys of each pull: each does something else with what it missed.
fn keys(kind: &str) -> String {
    let (schedule, more) = match kind {
        "certificate" => ("0 1 * * *", ""),
        "wage" => ("30 1 * * *", "after = [\"pull-certificate\"]\n"),
        "pension" => ("0 2 * * *", "misfire = \"skip\"\n"),
        "medical" => ("30 2 * * *", "misfire = \"all\"\noverlap = \"queue_one\"\njitter = \"3m\"\n"),
        // 09:30 in Shanghai, from the last Sunday of March on 08:30
        _ => ("30 2 * * *", "timezone = \"Europe/Berlin\"\n"),
    };
    format!("schedule = \"{schedule}\"\n{more}retry = {{ attempts = 2, backoff = \"1m\", max_backoff = \"1m\" }}\n")
}

const VERIFY: &str = "kind = \"verify\"\nschedule = \"0 4 * * *\"\nafter_patience = \"2h\"\n\
                      after = [\"pull-wage\", \"pull-pension\", \"pull-medical\", \"pull-certificate\"]\n";

struct Nights {
    province: Province,
    jobs: Vec<Job>,
    schedules: [Schedule; 2],
    connection: PgConnection,
}

impl Nights {
    async fn begin() -> Self {
        let province = Box::pin(Province::begin()).await;
        let mut jobs = province.jobs_with(&keys);
        jobs.push(Job::parse(Path::new("jobs/verify.toml"), VERIFY).expect("a job"));
        assert_eq!(renzheng::config::check_jobs(&jobs), []);
        province.harness.register(&jobs).await;
        let schedules = std::array::from_fn(|_| {
            let reading = policy::load(None).expect("the built-in policy");
            Schedule::new(
                province.harness.store.clone(),
                jobs.clone(),
                Environment::default(),
                reading,
                None,
                renzheng::domain::retention::usual(),
            )
        });
        let connection = province.harness.connection().await;
        let mut nights = Self { province, jobs, schedules, connection };
        nights.at(first().pred_opt().expect("a date"), "12:00").await;
        nights.go().await;
        nights
    }

    async fn at(&mut self, date: NaiveDate, time: &str) {
        self.province.today = date;
        self.province.harness.clock(date, time).await;
    }

    /// Both schedulers look at the clock and work, until there is nothing left to do now.
    async fn go(&self) {
        let [one, two] = &self.schedules;
        loop {
            let (ticked, also) = tokio::join!(one.tick(), two.tick());
            ticked.and(also).expect("ticked");
            let (did, others) = tokio::join!(Box::pin(one.drain()), Box::pin(two.drain()));
            if did.expect("drained").is_empty() && others.expect("drained").is_empty() {
                return;
            }
        }
    }

    async fn execute(&mut self, statement: &'static str) -> u64 {
        sqlx::query(statement).execute(&mut self.connection).await.expect("executed").rows_affected()
    }

    async fn number(&mut self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&mut self.connection).await.expect("a number")
    }

    /// A worker takes the next task and dies over it, or hangs for longer than the night lasts.
    async fn lose_a_worker(&mut self, hangs: bool) -> bool {
        let store = &self.province.harness.store;
        let now = store.now().await.expect("now");
        let names: Vec<String> = self.jobs.iter().map(|job| job.name.clone()).collect();
        let Some(lost) = store.claim_task(now, &names, true).await.expect("asked") else { return false };
        store.working_for(&lost).start_run(&lost.kind, &lost.job, "schedule").await.expect("a run");
        if hangs {
            self.execute(
                "update task set lease_expires_at = clock_timestamp() + interval '1 hour' where state = 'running'",
            )
            .await;
        } else {
            self.let_leases_run_out().await;
        }
        true
    }

    async fn let_leases_run_out(&mut self) {
        self.execute(
            "update task set lease_expires_at = clock_timestamp() - interval '1 second' where state = 'running'",
        )
        .await;
    }

    async fn assert_morning(&mut self, told: &str) {
        let store = &self.province.harness.store;
        // before the first verification there is nothing
        let Some(last) = store.find_verified(YEAR, Shard::WHOLE).await.expect("asked") else { return };
        let point = Point { seq: last.verified.seq, business_date: last.verified.business_date };
        let stored = cells(&self.province.stored().await);
        assert_eq!(stored, self.province.judged(point, &self.province.policy).await, "{told}");
    }

    /// Every fire that the lines name, in the time that passed, has one decision.
    async fn assert_fires(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) {
        for job in &self.jobs {
            let cron = job.schedule.as_ref().expect("a schedule");
            let expected: Vec<DateTime<Utc>> =
                cron.ticks_after(from, &job.timezone).map(|tick| tick.at).take_while(|at| *at <= to).collect();
            let lines = self.province.harness.store.list_fires(Some(&job.name), 1000).await.expect("fires");
            let decided: Vec<DateTime<Utc>> = lines.iter().rev().map(|line| line.nominal_at).collect();
            assert_eq!(decided, expected, "{}", job.name);
            for line in lines {
                assert!(!line.why.is_empty());
                assert_eq!(line.decision == "run", line.task_id.is_some(), "{line:?}");
                assert!(line.task_state.is_none_or(|state| matches!(state.as_str(), "done" | "dead")), "{}", job.name);
            }
        }
    }
}

fn first() -> NaiveDate {
    FIRST.parse().expect("a date")
}

async fn thirty_nights(seed: u64) {
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut nights = Box::pin(Nights::begin()).await;
    let began = nights.province.harness.store.now().await.expect("now");
    let (mut downs, mut losses, mut hung, mut outages) = (0, 0, 0, 0);
    let mut hanging = false;
    for night in 0..NIGHTS {
        let date = first().checked_add_days(Days::new(night)).expect("a date");
        let mut told = format!("seed {seed}, night {night}, {date}:");
        for _ in 0..chance.below(5) {
            let step = chance.step();
            nights.province.take(&step).await;
        }
        nights.province.deliver();
        let out: BTreeSet<&str> = HEADERS.iter().map(|(kind, ..)| *kind).filter(|_| chance.one_in(9)).collect();
        for kind in &out {
            std::fs::remove_file(nights.province.delivery(kind)).expect("removed");
        }
        outages += out.len();
        // until six, or all day long
        let up_from = if chance.one_in(5) { ["06:00", "24:00"][chance.below(2) as usize] } else { "00:00" };
        downs += u32::from(up_from > "00:00");
        write!(told, " out {out:?}, up from {up_from}").expect("text grows");
        for time in ["01:00", "01:30", "02:00", "02:30", "02:34", "02:40", "03:00", "04:00", "06:05", "08:30", "09:30"]
        {
            if time < up_from {
                continue;
            }
            nights.at(date, time).await;
            if hanging && chance.one_in(12) {
                nights.let_leases_run_out().await;
                hanging = false;
            }
            if !hanging && chance.one_in(25) {
                // between the look at the clock and the work
                nights.schedules[0].tick().await.expect("ticked");
                let hangs = chance.one_in(2);
                if nights.lose_a_worker(hangs).await {
                    losses += 1;
                    hung += u32::from(hangs);
                    hanging = hangs;
                    write!(told, ", a worker lost at {time} (hangs: {hangs})").expect("text grows");
                }
            }
            nights.go().await;
        }
        nights.assert_morning(&told).await;
    }
    nights.let_leases_run_out().await;
    let last = first().checked_add_days(Days::new(NIGHTS - 1)).expect("a date");
    for time in ["20:00", "20:05", "22:30"] {
        nights.at(last, time).await;
        nights.go().await;
    }
    let ended = nights.province.harness.store.now().await.expect("now");
    nights.assert_fires(began, ended).await;
    nights.assert_morning("the end").await;
    let over = nights.number("select count(*) from task where state not in ('done', 'dead')").await;
    assert_eq!(over, 0, "nothing is left lying");
    // a pull ends well once, a verification once for each of its two years
    let twice = nights
        .number(
            "select count(*) from (select task_id from run where state in ('done', 'done_with_refusals') and task_id is not null
                                   group by task_id, kind having count(*) > case kind when 'verify' then 2 else 1 end) as t",
        )
        .await;
    assert_eq!(twice, 0, "nothing runs twice");
    let runs_on = nights.number("select count(*) from run where state = 'running'").await;
    assert_eq!(runs_on, 0, "no run of a lost worker is left");
    let double = nights
        .number(
            "select count(*) from (select job, nominal_at from fire group by 1, 2 having count(*) > 1
                                   union all select job, null from task group by job, key having count(*) > 1) as t",
        )
        .await;
    assert_eq!(double, 0);
    // who went on without an agency said so
    let untold = nights
        .number(
            "select count(*) from task v where v.kind = 'verify' and v.missing = '{}' and exists (
                 select from task p where p.business_date = v.business_date and p.job = any(v.after) and p.state = 'dead'
                   and not exists (select from task d where d.job = p.job and d.business_date = p.business_date and d.state = 'done'))",
        )
        .await;
    assert_eq!(untold, 0);
    let told = nights.number("select count(*) from run where kind = 'verify' and missing <> '{}'").await;
    let verified =
        nights.number("select count(distinct business_date) from run where kind = 'verify' and state = 'done'").await;
    eprintln!(
        "seed {seed}: {downs} nights down, {outages} outages, {losses} workers lost ({hung} of them hung), \
         {verified} nights verified, {told} runs said what was missing"
    );
    let by_decision: Vec<(String, i64)> = sqlx::query_as("select decision, count(*) from fire group by 1 order by 1")
        .fetch_all(&mut nights.connection)
        .await
        .expect("decisions");
    eprintln!("{by_decision:?}");
    assert!(downs > 0 && outages > 0 && told > 0, "the test shows nothing");
    // the night of 29 March has no half past two in Berlin
    let shifted = nights
        .number("select count(*) from fire where job = 'pull-filing' and nominal_at = '2026-03-29T03:00:00+02:00'")
        .await;
    assert_eq!(shifted, 1);
    nights.connection.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_nights_that_nobody_watches_leave_nothing_undone_and_nothing_done_twice() {
    for seed in [1, 2] {
        Box::pin(thirty_nights(seed)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agency_that_is_out_is_named_by_the_verification_that_goes_on_without_it() {
    let mut nights = Box::pin(Nights::begin()).await;
    nights.province.deliver();
    std::fs::remove_file(nights.province.delivery("pension")).expect("removed");
    for time in ["01:00", "01:30", "02:00", "02:02", "02:10", "02:30", "02:35", "04:00"] {
        nights.at(first(), time).await;
        nights.go().await;
    }
    let missing: Vec<Vec<String>> =
        sqlx::query_scalar("select missing from run where kind = 'verify' and task_id is not null")
            .fetch_all(&mut nights.connection)
            .await
            .expect("runs");
    assert_eq!(missing.len(), 2, "last year and this one");
    assert_eq!(missing[0].len(), 1, "{missing:?}");
    assert!(
        missing[0][0].starts_with("pull-pension: failed: given up after 2 attempts; the last: ")
            && missing[0][0].contains("there is no file"),
        "{missing:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_will_still_come_is_waited_for_until_patience_ends() {
    let mut nights = Box::pin(Nights::begin()).await;
    nights.province.deliver();
    // a worker hangs over the certificates
    nights.at(first(), "01:00").await;
    nights.schedules[0].tick().await.expect("ticked");
    assert!(nights.lose_a_worker(true).await);
    for time in ["01:30", "02:00", "02:30", "02:35", "04:00", "05:25"] {
        nights.at(first(), time).await;
        nights.go().await;
    }
    let waiting = "select count(*) from task where state = 'waiting' and job in ('verify', 'pull-wage')";
    assert_eq!(nights.number(waiting).await, 2, "wages wait for certificates, the verification for both");
    // the wages' patience of four hours ends first
    nights.at(first(), "05:35").await;
    nights.go().await;
    assert_eq!(nights.number(waiting).await, 1);
    nights.at(first(), "06:01").await;
    nights.go().await;
    let missing: Vec<(String, Vec<String>)> =
        sqlx::query_as("select job, missing from task where missing <> '{}' and state = 'done' order by job")
            .fetch_all(&mut nights.connection)
            .await
            .expect("missing");
    let why = "pull-certificate: is not over; it was waited for as long as the job has patience".to_owned();
    assert_eq!(missing, ["pull-wage", "verify"].map(|job| (job.to_owned(), vec![why.clone()])));
    nights.let_leases_run_out().await;
    nights.go().await;
    assert_eq!(nights.number("select count(*) from task where state <> 'done'").await, 0);
}
