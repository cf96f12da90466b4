//! `renzheng serve` as processes: several on one database, killed, stopped and continued, asked to end. What they do is done once.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use renzheng::config::Job;
use renzheng::http::{HttpSettings, client};
use renzheng::store::tasks::{NewTask, Priority};
use sqlx::PgConnection;

use crate::agency::{PAYER, id_number};
use crate::harness::{Harness, Scratch, jobs_of};
use crate::http_agency::{Asked, Reply, Server, Wire};
use crate::program::renzheng;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(2);
const TAKEOVER: Duration = Duration::from_secs(30);

/// A process that serves; it ends with the test at the latest.
struct Serving(Child);

impl Serving {
    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id() as i32)
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it lives");
    }

    /// How it ended, and after how long.
    async fn ended(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        let status = poll("the process to end", async || self.0.try_wait().expect("asked")).await;
        (status, began.elapsed())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // it may be gone already
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Asks until there is an answer, for as long as a test has patience.
async fn poll<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let (began, mut beat) = (Instant::now(), tokio::time::interval(Duration::from_millis(50)));
    loop {
        beat.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "waited too long for {what}");
    }
}

/// An installation with its jobs, and whoever serves it.
struct Site {
    harness: Harness,
    scratch: Scratch,
    jobs: Vec<Job>,
}

impl Site {
    /// `files` jobs that read a file of one record each, and these further jobs.
    async fn new(name: &str, files: u32, others: &[(String, String)]) -> Self {
        let (harness, scratch) = (Harness::new(name).await, Scratch::new(name));
        let folder = scratch.path().join("jobs");
        std::fs::create_dir_all(&folder).expect("made");
        for number in 0..files {
            let file = scratch.path().join(format!("{number}.csv"));
            let row = format!(
                "W{number},2026-01-01T00:00:00+08:00,{},某人,{PAYER},2025-03,{}",
                id_number(number),
                2000 + number
            );
            std::fs::write(&file, format!("record_id,updated_at,id_number,name,payer_uscc,period,amount\n{row}\n"))
                .expect("written");
            let job = format!(
                "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\n[source]\ntype = \"file\"\npath = \"{}\"\nformat = \"csv\"\n",
                file.display()
            );
            std::fs::write(folder.join(format!("file-{number:03}.toml")), job).expect("written");
        }
        for (name, job) in others {
            std::fs::write(folder.join(format!("{name}.toml")), job).expect("written");
        }
        let jobs = jobs_of(&folder);
        harness.register(&jobs).await;
        Self { harness, scratch, jobs }
    }

    fn start(&self, name: &str, workers: &str) -> Serving {
        let said = std::fs::File::create(self.scratch.path().join(name)).expect("a file");
        let child = renzheng(&["serve", "--workers", workers, "--jobs", utf8(&self.scratch.path().join("jobs"))])
            .env("DATABASE_URL", self.harness.url())
            .env("RENZHENG_KEYS", self.harness.store.keys().to_text())
            .env("RENZHENG_LOG", "info")
            .env("RENZHENG_LISTEN", "127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::from(said))
            .spawn()
            .expect("the program starts");
        Serving(child)
    }

    async fn queue(&self, job: &Job) {
        let now = self.harness.store.now().await.expect("now");
        let task = NewTask {
            kind: job.kind.as_str(),
            key: format!("{} once", job.name),
            job: job.name.clone(),
            days: None,
            business_date: "2026-03-01".parse().expect("a date"),
            priority: Priority::Night,
            due_at: now,
            after: Vec::new(),
            patient_until: None,
            attempts: job.retry.attempts,
            created_by: "test".to_owned(),
        };
        self.harness.store.queue_task(&task).await.expect("queued").expect("new");
    }

    async fn queue_all(&self, names: impl Fn(&str) -> bool) {
        for job in self.jobs.iter().filter(|job| names(&job.name)) {
            self.queue(job).await;
        }
    }

    async fn wait_for(&self, connection: &mut PgConnection, what: &str, query: &'static str, wanted: i64) {
        poll(what, async || {
            let count: i64 = sqlx::query_scalar(query).fetch_one(&mut *connection).await.expect("a count");
            (count >= wanted).then_some(())
        })
        .await;
    }
}

fn utf8(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

const DONE: &str = "select count(*) from task where state = 'done'";

/// An agency whose first answer to each job never comes, as if it thought for ever; after that it answers.
struct Slow {
    server: Server,
    hangs: Arc<AtomicBool>,
}

impl Slow {
    async fn start() -> Self {
        let hangs = Arc::new(AtomicBool::new(true));
        let of_server = hangs.clone();
        let server = Server::start(move |asked: &Asked| {
            if of_server.load(Ordering::SeqCst) {
                return Reply::status(200).over(Wire::Silent);
            }
            let record = format!(
                "{{\"record_id\":\"{}\",\"updated_at\":\"2026-01-01T00:00:00+08:00\",\"id_number\":\"{}\",\"name\":\"某人\",\
                 \"payer_uscc\":\"{PAYER}\",\"period\":\"2025-04\",\"amount\":\"3000\"}}",
                asked.path().trim_start_matches('/'),
                id_number(900)
            );
            let mut reply = Reply::status(200).header("content-type", "application/json");
            reply.body = format!("{{\"records\":[{record}],\"next\":null}}").into_bytes();
            reply
        })
        .await;
        Self { server, hangs }
    }

    fn job(&self, name: &str) -> (String, String) {
        let job = format!(
            "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\nretry = {{ attempts = 9, backoff = \"10ms\", max_backoff = \"50ms\" }}\n\
             [source]\ntype = \"http\"\nurl = \"{}/{name}\"\npaging = \"cursor\"\nrecords = \"/records\"\nnext = \"/next\"\nidle_timeout = \"2m\"\n",
            self.server.url
        );
        (name.to_owned(), job)
    }

    /// Waits until so many requests hang.
    async fn hold(&self, requests: usize) {
        let mut hanging = 0;
        poll("the agency to be asked", async || {
            hanging += self.server.take_asked().len();
            (hanging >= requests).then_some(())
        })
        .await;
    }

    fn answer(&self) {
        self.hangs.store(false, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_do_two_hundred_jobs_once_though_one_is_stopped_and_the_other_killed() {
    let agency = Slow::start().await;
    let site = Site::new("serve_two", 200, &[agency.job("slow-one")]).await;
    let mut connection = site.harness.connection().await;

    // the first is stopped for longer than its lease while it waits for the agency: the second takes over
    let stopped = site.start("first", "1");
    site.queue_all(|name| name == "slow-one").await;
    agency.hold(1).await;
    agency.answer();
    stopped.signal(Signal::SIGSTOP);
    let began = Instant::now();
    let mut second = site.start("second", "2");
    site.queue_all(|name| name < "file-100").await;
    agency.hold(1).await;
    let takeover = began.elapsed();
    site.wait_for(
        &mut connection,
        "the work to be taken over",
        "select count(*) from task where job = 'slow-one' and state = 'done'",
        1,
    )
    .await;
    eprintln!(
        "taken over {:.1} s after its worker was stopped, done after {:.1} s",
        takeover.as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
    assert!(began.elapsed() < TAKEOVER, "{:?}", began.elapsed());
    site.wait_for(&mut connection, "the first half", DONE, 101).await;
    poll("a minute to be over", async || (began.elapsed() > Duration::from_mins(1)).then_some(())).await;
    stopped.signal(Signal::SIGCONT);

    // the second is killed in the middle of everything: the first, continued, takes over what it held
    site.queue_all(|name| name.starts_with("file-") && name >= "file-100").await;
    site.wait_for(&mut connection, "some of the second half", DONE, 120).await;
    second.0.kill().expect("killed");
    second.0.wait().expect("gone");
    let began = Instant::now();
    site.wait_for(&mut connection, "everything", DONE, 201).await;
    eprintln!("all done {:.1} s after the second was killed", began.elapsed().as_secs_f64());

    assert_once(&mut connection, 201).await;
    let restarted: Vec<String> = sqlx::query_scalar("select job from task where attempt > 1 order by 1")
        .fetch_all(&mut connection)
        .await
        .expect("jobs");
    eprintln!("tried more than once: {restarted:?}");
    assert!(restarted.contains(&"slow-one".to_owned()));
    let said = std::fs::read_to_string(site.scratch.path().join("first")).expect("its log");
    assert!(said.contains("the lease was lost"), "who was stopped found out: {said}");
}

/// Every source was published once, and every record is in force once.
async fn assert_once(connection: &mut PgConnection, jobs: i64) {
    let published: Vec<(String, i64)> = sqlx::query_as(
        "select job, count(*) filter (where state = 'published') from source join batch using (source_id) group by job",
    )
    .fetch_all(&mut *connection)
    .await
    .expect("batches");
    assert_eq!(published.len() as i64, jobs);
    let mut wrong = String::new();
    for (job, times) in published.iter().filter(|(_, times)| *times != 1) {
        write!(wrong, "{job} {times} times; ").expect("text grows");
    }
    assert_eq!(wrong, "");
    let in_force: i64 = sqlx::query_scalar(
        "select count(*) from wage join batch using (batch_id) where published_seq is not null and superseded_seq is null",
    )
    .fetch_one(&mut *connection)
    .await
    .expect("a count");
    assert_eq!(in_force, jobs);
    let open: i64 = sqlx::query_scalar("select count(*) from batch where state in ('fetching', 'landed', 'checked')")
        .fetch_one(&mut *connection)
        .await
        .expect("a count");
    assert_eq!(open, 0);
    let runs_on: i64 = sqlx::query_scalar("select count(*) from run where state = 'running'")
        .fetch_one(connection)
        .await
        .expect("a count");
    assert_eq!(runs_on, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_its_work_to_another_within_half_a_minute() {
    let agency = Slow::start().await;
    let site = Site::new("serve_killed", 0, &[agency.job("slow")]).await;
    let mut connection = site.harness.connection().await;
    let mut first = site.start("first", "1");
    site.queue_all(|_| true).await;
    agency.hold(1).await;
    agency.answer();
    let _second = site.start("second", "1");
    first.0.kill().expect("killed");
    let began = Instant::now();
    first.0.wait().expect("gone");
    site.wait_for(&mut connection, "the work", DONE, 1).await;
    eprintln!("done {:.1} s after its worker was killed", began.elapsed().as_secs_f64());
    assert!(began.elapsed() < TAKEOVER, "{:?}", began.elapsed());
    assert_once(&mut connection, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_served_job_fires_at_its_time() {
    let scratch = Scratch::new("serve_fires_file");
    let file = scratch.path().join("wages.csv");
    let row = format!("W1,2026-01-01T00:00:00+08:00,{},某人,{PAYER},2025-03,2000", id_number(1));
    std::fs::write(&file, format!("record_id,updated_at,id_number,name,payer_uscc,period,amount\n{row}\n"))
        .expect("written");
    let job = format!(
        "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\nschedule = \"30 1 * * *\"\n[source]\ntype = \"file\"\npath = \"{}\"\nformat = \"csv\"\n",
        file.display()
    );
    let site = Site::new("serve_fires", 0, &[("pull-wage".to_owned(), job)]).await;
    let mut connection = site.harness.connection().await;
    let date = "2026-04-15".parse().expect("a date");
    site.harness.clock(date, "01:00").await;
    let mut serving = site.start("only", "1");
    site.wait_for(&mut connection, "the job to be seen", "select count(*) from schedule", 1).await;
    site.harness.clock(date, "01:30").await;
    site.wait_for(&mut connection, "the fire", DONE, 1).await;
    let fires = site.harness.store.list_fires(None, 10).await.expect("fires");
    assert_eq!((fires.len(), fires[0].decision.as_str(), fires[0].why.as_str()), (1, "run", "at its time"));
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.ended().await.0.code(), Some(0));
}

const PAGES: usize = 12;
const HANGS_AT: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_asked_to_end_hands_its_pull_back_and_the_next_goes_on_at_the_next_page() {
    let hangs = Arc::new(AtomicBool::new(true));
    let of_server = hangs.clone();
    let agency = Server::start(move |asked: &Asked| {
        let page = asked.page().expect("a page");
        if page == HANGS_AT && of_server.load(Ordering::SeqCst) {
            return Reply::status(200).over(Wire::Silent);
        }
        let record = format!(
            "{{\"record_id\":\"W{page}\",\"updated_at\":\"2026-01-01T00:00:00+08:00\",\"id_number\":\"{}\",\"name\":\"某人\",\
             \"payer_uscc\":\"{PAYER}\",\"period\":\"2025-04\",\"amount\":\"3000\"}}",
            id_number(page as u32)
        );
        let next = if page + 1 < PAGES { format!("\"{}\"", page + 1) } else { "null".to_owned() };
        let mut reply = Reply::status(200).header("content-type", "application/json");
        reply.body = format!("{{\"records\":[{record}],\"next\":{next}}}").into_bytes();
        reply
    })
    .await;
    let job = format!(
        "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\n[source]\ntype = \"http\"\nurl = \"{}/v1/wages\"\npaging = \"cursor\"\n\
         records = \"/records\"\nnext = \"/next\"\nidle_timeout = \"2m\"\n",
        agency.url
    );
    let site = Site::new("serve_term", 0, &[("pull-wage".to_owned(), job)]).await;
    let mut connection = site.harness.connection().await;
    let mut first = site.start("first", "4");
    site.queue_all(|_| true).await;
    let mut asked = Vec::new();
    poll("the page that does not come", async || {
        asked.extend(agency.take_asked().iter().filter_map(Asked::page));
        asked.contains(&HANGS_AT).then_some(())
    })
    .await;
    // the pages before it are in
    site.wait_for(&mut connection, "the pages before", "select count(*) from batch_page", HANGS_AT as i64).await;
    first.signal(Signal::SIGTERM);
    let (status, took) = first.ended().await;
    eprintln!("ended {:.1} s after SIGTERM", took.as_secs_f64());
    let said = std::fs::read_to_string(site.scratch.path().join("first")).expect("its log");
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let (state, attempt): (String, i32) =
        sqlx::query_as("select state, attempt from task").fetch_one(&mut connection).await.expect("the task");
    assert_eq!((state.as_str(), attempt), ("queued", 0), "handed back, and no attempt");
    assert_eq!(asked, (0..=HANGS_AT).collect::<Vec<_>>());

    hangs.store(false, Ordering::SeqCst);
    let mut second = site.start("second", "1");
    site.wait_for(&mut connection, "the rest", DONE, 1).await;
    let pages: Vec<usize> = agency.take_asked().iter().filter_map(Asked::page).collect();
    assert_eq!(pages, (HANGS_AT..PAGES).collect::<Vec<_>>(), "it goes on where the first was");
    let in_force: i64 =
        sqlx::query_scalar("select count(*) from wage").fetch_one(&mut connection).await.expect("a count");
    assert_eq!(in_force, PAGES as i64);
    second.signal(Signal::SIGINT);
    let (status, took) = second.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serving_process_answers_over_http_and_opens_an_alert_for_what_failed_for_good() {
    let agency = Server::start(|_: &Asked| Reply::status(401)).await;
    let job = format!(
        "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\n[source]\ntype = \"http\"\nurl = \"{}/wages\"\n",
        agency.url
    );
    let unset = job.replace(&agency.url, "${OTHER_URL}");
    let jobs = [("pull-wage".to_owned(), job), ("pull-other".to_owned(), unset)];
    let site = Site::new("serve_told", 0, &jobs).await;
    let mut connection = site.harness.connection().await;
    let mut serving = site.start("only", "1");
    site.queue_all(|name| name == "pull-wage").await;
    site.wait_for(&mut connection, "the work to be given up", "select count(*) from task where state = 'dead'", 1)
        .await;
    drop(serving.0.kill());
    drop(serving.0.wait());
    // whoever begins looks at once
    let mut serving = site.start("again", "1");
    site.wait_for(&mut connection, "the alert", "select count(*) from alert where closed_at is null", 1).await;
    let said = std::fs::read_to_string(site.scratch.path().join("again")).expect("its words");
    let unset = "the variable `OTHER_URL` is not set; until it is set and `serve` starts anew";
    assert!(said.contains("pull-other.toml") && said.contains(unset), "{said}");
    let address =
        said.lines().find_map(|line| line.strip_prefix("the API, health and metrics at ")).expect("an address");
    let client = client(&HttpSettings::default()).expect("a client");
    let get = async |path: &str| {
        let answer = client.get(format!("{address}{path}")).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    };
    assert_eq!(get("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(get("/readyz").await.0, 200);
    let (status, figures) = get("/metrics").await;
    assert_eq!(status, 200);
    for line in ["renzheng_tasks{state=\"dead\"} 1", "renzheng_alerts_open"] {
        assert!(figures.contains(line), "{line}: {figures}");
    }
    serving.signal(Signal::SIGTERM);
    let (status, took) = serving.ended().await;
    assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
}
