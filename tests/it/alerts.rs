//! What is wrong is told once when it begins and once when it is over, to everybody who is to know, whatever fails on the way.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use renzheng::clock;
use renzheng::config::{AlertSettings, Job, MailSettings, Secret, WebhookSettings, system_user};
use renzheng::crypto::{SignatureAlgorithm, Signed, content_digest_header};
use renzheng::ingest::Range;
use renzheng::notify::{self, Delivered, Installation};
use renzheng::store::alerts::{AlertKind, AlertLine, Changes};
use renzheng::store::runs::Ending;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::agency::{Agency, Wage};
use crate::harness::actor;
use crate::http_agency::{Asked, Reply, Server, Wire, locked};
use crate::runs::{renzheng_on, say, say_on};

const FULL: &str = "keep = \"all\"\ndelivery = \"full\"";
const KEY: &str = "synthetic";

/// An agency whose second delivery is held, and who is told.
struct Scene {
    agency: Agency,
    settings: AlertSettings,
}

impl Scene {
    async fn begin(name: &str) -> Self {
        let agency = Agency::begin(name, FULL, "").await;
        let rows: Vec<Wage> = (0..4).map(|at| Wage::new(&format!("r{at}"), 1, at, "100")).collect();
        agency.take(&[rows]).await;
        Self { agency, settings: AlertSettings::default() }
    }

    fn jobs(&self) -> &[Job] {
        std::slice::from_ref(&self.agency.job)
    }

    async fn now(&self) -> DateTime<Utc> {
        self.agency.harness.store.now().await.expect("business time")
    }

    /// Looks, with a machine whose clock is right.
    async fn watch(&self) -> Changes {
        self.watch_at(clock::system_now()).await
    }

    /// Looks, with a machine whose clock says this.
    async fn watch_at(&self, machine_now: DateTime<Utc>) -> Changes {
        self.watch_jobs(self.jobs(), machine_now).await
    }

    async fn watch_jobs(&self, jobs: &[Job], machine_now: DateTime<Utc>) -> Changes {
        let installation = Installation { jobs, alerts: &self.settings, tax_is_set: false, broken_jobs: None };
        notify::watch(&self.agency.harness.store, &installation, machine_now).await.expect("looked")
    }

    async fn deliver(&self) -> Delivered {
        notify::deliver(&self.agency.harness.store, &self.settings).await.expect("sent")
    }

    async fn pass(&self, time: TimeDelta) {
        let store = &self.agency.harness.store;
        store.set_clock(self.now().await + time).await.expect("the clock is set");
    }

    /// A delivery that is held.
    async fn hold(&self) {
        self.agency.deliver(&[vec![Wage::new("r0", 1, 0, "100")]]);
        self.agency.pull().await;
    }

    async fn discard(&self) {
        let store = &self.agency.harness.store;
        let run = store.list_runs(None, None, 1).await.expect("runs").remove(0);
        renzheng::ingest::decide::discard(store, &run, &actor(), "cut off").await.expect("discarded");
    }

    async fn open(&self) -> Vec<AlertLine> {
        self.agency.harness.store.list_alerts(false, None, 100).await.expect("alerts")
    }

    async fn kinds(&self) -> Vec<String> {
        self.open().await.into_iter().map(|alert| alert.kind).collect()
    }
}

fn webhook(url: &str) -> WebhookSettings {
    WebhookSettings {
        url: format!("{url}/alerts?to=ops"),
        key_id: "ours".to_owned(),
        key: Secret::new(KEY),
        algorithm: SignatureAlgorithm::HmacSm3,
    }
}

fn mail(address: &str) -> MailSettings {
    MailSettings {
        server: Secret::new(format!("smtp://{address}")),
        from: "renzheng@federation.invalid".to_owned(),
        to: vec!["ops@federation.invalid".to_owned(), "Duty <duty@federation.invalid>".to_owned()],
    }
}

/// A mail server that takes letters, or refuses so many first.
#[derive(Clone)]
struct Postbox {
    address: String,
    letters: Arc<Mutex<Vec<String>>>,
    refusals: Arc<Mutex<usize>>,
}

impl Postbox {
    async fn open(refusals: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let postbox = Self { address, letters: Arc::default(), refusals: Arc::new(Mutex::new(refusals)) };
        let of_server = postbox.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let postbox = of_server.clone();
                // who hangs up has nothing more to say
                tokio::spawn(async move { drop(postbox.converse(stream).await) });
            }
        });
        postbox
    }

    /// As much SMTP as it takes to hand over a letter.
    async fn converse(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let (reading, mut writing) = stream.split();
        let mut lines = BufReader::new(reading).lines();
        writing.write_all(b"220 postbox.invalid ESMTP\r\n").await?;
        let mut letter = String::new();
        while let Some(line) = lines.next_line().await? {
            let answer = match line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "EHLO" => "250-postbox.invalid\r\n250 8BITMIME",
                "MAIL" => {
                    let mut refusals = locked(&self.refusals);
                    if *refusals > 0 {
                        *refusals -= 1;
                        "451 try again later"
                    } else {
                        "250 OK"
                    }
                }
                "RCPT" => {
                    letter.push_str(&line);
                    letter.push('\n');
                    "250 OK"
                }
                "DATA" => {
                    writing.write_all(b"354 go on\r\n").await?;
                    while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                        letter.push_str(&line);
                        letter.push('\n');
                    }
                    locked(&self.letters).push(std::mem::take(&mut letter));
                    "250 taken"
                }
                "QUIT" => "221 bye",
                _ => "250 OK",
            };
            writing.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }

    fn letters(&self) -> Vec<String> {
        locked(&self.letters).clone()
    }
}

fn header(letter: &str, name: &str) -> String {
    let line = letter.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("{name} in {letter}")).to_owned()
}

/// The messages that a webhook got, each with a signature that fits.
fn posted(server: &Server) -> Vec<serde_json::Value> {
    server.take_asked().iter().map(read_post).collect()
}

fn read_post(asked: &Asked) -> serde_json::Value {
    let digest = content_digest_header(asked.body.as_bytes());
    assert_eq!(asked.headers["content-digest"], digest);
    let signed = Signed {
        method: &asked.method,
        path: &asked.address,
        timestamp: &asked.headers["x-renzheng-timestamp"],
        content_digest: &digest,
    };
    assert!(signed.verify(SignatureAlgorithm::HmacSm3, KEY.as_bytes(), &asked.headers["x-renzheng-signature"]));
    let body: serde_json::Value = serde_json::from_str(&asked.body).expect("JSON");
    assert_eq!(body["message_id"], asked.headers["idempotency-key"]);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_delivery_is_told_once_by_webhook_and_by_mail_and_so_is_its_end() {
    let (server, postbox) = (Server::start(|_| Reply::status(204)).await, Postbox::open(0).await);
    let mut scene = Scene::begin("alerts_once").await;
    scene.settings.webhooks.insert("ops".to_owned(), webhook(&server.url));
    scene.settings.mails.insert("staff".to_owned(), mail(&postbox.address));
    assert_eq!(scene.watch().await, Changes::default(), "nothing is wrong");

    scene.hold().await;
    let (one, other) = tokio::join!(scene.watch(), scene.watch());
    assert_eq!(one.opened + other.opened, 1, "two who look at once see one cause");
    // another delivery that is held is no other cause, nor is another look
    scene.agency.deliver(&[vec![Wage::new("r1", 1, 1, "100")]]);
    scene.agency.pull().await;
    assert_eq!(scene.watch().await, Changes::default());
    assert_eq!(scene.deliver().await, Delivered { sent: 2, failed: 0 });
    assert_eq!(scene.deliver().await, Delivered::default());
    let opened = posted(&server);
    assert_eq!(opened.len(), 1);
    let texts = ["kind", "event", "subject"].map(|name| opened[0][name].as_str().expect("a text").to_owned());
    assert_eq!(texts, ["delivery_held", "opened", "renzheng: delivery held (pull-wage)"]);
    assert!(opened[0]["text"].as_str().is_some_and(|text| text.contains("renzheng runs release")), "{}", opened[0]);
    assert!(opened[0]["text_zh"].as_str().is_some_and(|text| text.contains("在人工决定之前不生效")), "{}", opened[0]);
    let letters = postbox.letters();
    assert_eq!(letters.len(), 1);
    assert!(
        letters[0].starts_with("RCPT TO:<ops@federation.invalid>\nRCPT TO:<duty@federation.invalid>\n"),
        "{}",
        letters[0]
    );
    assert_eq!(header(&letters[0], "Subject"), "renzheng: delivery held (pull-wage)");

    let store = &scene.agency.harness.store;
    for run in store.list_runs(None, None, 2).await.expect("runs") {
        renzheng::ingest::decide::discard(store, &run, &actor(), "cut off").await.expect("discarded");
    }
    assert_eq!(scene.watch().await, Changes { opened: 0, closed: 1 });
    assert_eq!(scene.watch().await, Changes::default());
    assert_eq!(scene.deliver().await, Delivered { sent: 2, failed: 0 });
    let closed = posted(&server);
    assert_eq!((closed.len(), &closed[0]["event"]), (1, &"closed".into()));
    assert_eq!(closed[0]["alert_id"], opened[0]["alert_id"]);
    assert_eq!(header(&postbox.letters()[1], "Subject"), "renzheng: over: delivery held (pull-wage)");
    assert_eq!(scene.deliver().await, Delivered::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_fails_is_tried_again_later_each_time_and_hears_everything_once_in_its_order() {
    let failures = Arc::new(Mutex::new(2));
    let left = failures.clone();
    let server = Server::start(move |_| {
        let mut left = locked(&left);
        let fails = *left > 0;
        *left -= usize::from(fails);
        Reply::status(if fails { 503 } else { 200 })
    })
    .await;
    let postbox = Postbox::open(1).await;
    let mut scene = Scene::begin("alerts_fails_first").await;
    scene.settings.webhooks.insert("ops".to_owned(), webhook(&server.url));
    scene.settings.mails.insert("staff".to_owned(), mail(&postbox.address));
    scene.hold().await;
    scene.watch().await;
    assert_eq!(scene.deliver().await, Delivered { sent: 0, failed: 2 });
    assert_eq!(scene.deliver().await, Delivered::default(), "not before it has waited");
    let waiting = scene.agency.harness.store.list_messages(&[1]).await.expect("messages");
    let told: BTreeMap<&str, (&str, i64)> = waiting
        .iter()
        .map(|message| {
            assert_eq!(message.delivered_at, None);
            (message.target.as_str(), (message.last_error.as_deref().expect("a reason"), message.attempts))
        })
        .collect();
    assert_eq!(told["webhook:ops"], ("the webhook answered 503; accepted is any 2xx", 1));
    assert!(
        told["mail:staff"].0.starts_with("the mail server did not take it: ") && told["mail:staff"].1 == 1,
        "{told:?}"
    );
    // it is over before anybody heard that it began
    scene.discard().await;
    scene.watch().await;
    scene.pass(TimeDelta::seconds(38)).await;
    assert_eq!(scene.deliver().await, Delivered { sent: 2, failed: 1 }, "the mails go, the webhook fails again");
    scene.pass(TimeDelta::seconds(76)).await;
    assert_eq!(scene.deliver().await, Delivered { sent: 2, failed: 0 });
    let events: Vec<String> = posted(&server).iter().map(|post| post["event"].to_string()).collect();
    assert_eq!(events, ["\"opened\"", "\"opened\"", "\"opened\"", "\"closed\""]);
    let subjects: Vec<String> = postbox.letters().iter().map(|letter| header(letter, "Subject")).collect();
    assert_eq!(subjects, ["renzheng: delivery held (pull-wage)", "renzheng: over: delivery held (pull-wage)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_killed_between_sending_and_recording_is_followed_by_one_that_sends_the_same_message() {
    // what is sent comes in, and who sent it waits for the answer for ever
    let server = Server::start(|_| Reply::status(200).over(Wire::Silent)).await;
    let mut scene = Scene::begin("alerts_killed").await;
    scene.settings.webhooks.insert("webhook".to_owned(), webhook(&server.url));
    scene.hold().await;
    scene.watch().await;
    let mut sender = renzheng_on(&scene.agency.harness, &["alerts", "deliver"]);
    let jobs = scene.agency.scratch.path().join("jobs");
    let mut child = sender
        .args(["--jobs", jobs.to_str().expect("UTF-8")])
        .env("RENZHENG_WEBHOOK_URL", format!("{}/alerts?to=ops", server.url))
        .env("RENZHENG_WEBHOOK_KEY_ID", "ours")
        .env("RENZHENG_WEBHOOK_KEY", KEY)
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut first = Vec::new();
    while first.is_empty() {
        tokio::task::yield_now().await;
        first = posted(&server);
    }
    child.kill().expect("killed");
    child.wait().expect("gone");

    let heals = Server::start(|_| Reply::status(200)).await;
    scene.settings.webhooks.insert("webhook".to_owned(), webhook(&heals.url));
    assert_eq!(scene.deliver().await, Delivered::default(), "whoever has it may still be at it");
    scene.pass(TimeDelta::seconds(61)).await;
    assert_eq!(scene.deliver().await, Delivered { sent: 1, failed: 0 });
    assert_eq!(posted(&heals), first, "the same message, to the letter");
    scene.pass(TimeDelta::days(1)).await;
    assert_eq!(scene.deliver().await, Delivered::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_new_hears_of_what_is_open_and_not_of_what_is_over() {
    let mut scene = Scene::begin("alerts_new_target").await;
    scene.hold().await;
    scene.watch().await;
    scene.discard().await;
    scene.watch().await;
    scene.hold().await;
    scene.watch().await;
    let server = Server::start(|_| Reply::status(200)).await;
    scene.settings.webhooks.insert("late".to_owned(), webhook(&server.url));
    scene.watch().await;
    assert_eq!(scene.deliver().await, Delivered { sent: 1, failed: 0 });
    assert_eq!(posted(&server)[0]["alert_id"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_seen_and_what_is_right_again_is_over() {
    let mut scene = Scene::begin("alerts_kinds").await;
    assert_eq!(scene.kinds().await, [""; 0]);
    // a run that fails, until one does not
    std::fs::remove_dir_all(scene.agency.scratch.path().join("out")).expect("the agency is gone");
    scene.agency.try_pull(None).await.expect_err("nothing to read");
    scene.watch().await;
    assert_eq!(scene.kinds().await, [AlertKind::RunFailed.as_str()]);
    let text = scene.open().await.remove(0).text;
    assert!(text.contains("`renzheng run pull-wage` goes on"), "{text}");
    let rows: Vec<Wage> = (0..4).map(|at| Wage::new(&format!("r{at}"), 1, at, "100")).collect();
    scene.agency.take(std::slice::from_ref(&rows)).await;
    scene.watch().await;
    assert_eq!(scene.kinds().await, [""; 0]);
    // a source that is older than it may be
    scene.agency.settings(FULL, "[gates]\nmax_age = \"36h\"\n").await;
    scene.pass(TimeDelta::hours(37)).await;
    scene.watch().await;
    assert_eq!(scene.kinds().await, [AlertKind::SourceLate.as_str()]);
    scene.agency.take(std::slice::from_ref(&rows)).await;
    scene.watch().await;
    assert_eq!(scene.kinds().await, [""; 0]);
    // refused records beyond a handful
    scene.agency.settings(FULL, "[gates]\nmax_invalid_ratio = 1.0\n").await;
    let mut bad: Vec<Wage> = (0..20).map(|at| Wage::new(&format!("bad{at}"), 1, at, "ten")).collect();
    bad.extend(rows);
    scene.agency.take(&[bad]).await;
    scene.watch().await;
    assert_eq!(scene.kinds().await, [AlertKind::QuarantineLarge.as_str()]);
    scene.settings.quarantine_ratio = 0.9;
    scene.watch().await;
    assert_eq!(scene.kinds().await, [""; 0]);
    // a machine whose clock is another than the database's
    scene.watch_at(clock::system_now() + TimeDelta::seconds(90)).await;
    assert_eq!(scene.kinds().await, [AlertKind::ClockWrong.as_str()]);
    scene.watch().await;
    assert_eq!(scene.kinds().await, [""; 0]);
    // keys that are no longer the database's own
    let mut connection = scene.agency.harness.connection().await;
    let check: Vec<u8> = sqlx::query_scalar("select key_check from installation")
        .fetch_one(&mut connection)
        .await
        .expect("a check value");
    sqlx::query("update installation set key_check = 'another'").execute(&mut connection).await.expect("changed");
    scene.watch().await;
    assert_eq!(scene.kinds().await, [AlertKind::KeysWrong.as_str()]);
    sqlx::query("update installation set key_check = $1").bind(check).execute(&mut connection).await.expect("changed");
    scene.watch().await;
    assert_eq!(scene.kinds().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_job_says_nothing_of_whether_the_job_is_well() {
    let scene = Scene::begin("alerts_part").await;
    let store = &scene.agency.harness.store;
    let run = store.start_run("pull", &scene.agency.job.name, "test").await.expect("a run");
    let nothing = serde_json::json!({});
    store.finish_run(&run, Ending::Failed, &nothing, Some("the agency is gone")).await.expect("it failed");
    assert_eq!(scene.watch().await, Changes { opened: 1, closed: 0 });
    let day = "2026-01-01".parse().expect("a date");
    scene.agency.try_pull(Some(Range { from: day, to: day })).await.expect("a range is pulled");
    assert_eq!(scene.watch().await, Changes::default(), "one day is not the night that failed");
    scene.agency.pull().await;
    assert_eq!(scene.watch().await, Changes { opened: 0, closed: 1 });
    // nor is a part that fails a night that did
    std::fs::remove_dir_all(scene.agency.scratch.path().join("out")).expect("the agency is gone");
    scene.agency.try_pull(Some(Range { from: day, to: day })).await.expect_err("nothing to read");
    assert_eq!(scene.watch().await, Changes::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_wrong_with_a_job_that_is_no_more_is_over_and_says_why() {
    let server = Server::start(|_| Reply::status(200)).await;
    let mut scene = Scene::begin("alerts_removed").await;
    scene.settings.webhooks.insert("ops".to_owned(), webhook(&server.url));
    std::fs::remove_dir_all(scene.agency.scratch.path().join("out")).expect("the agency is gone");
    scene.agency.try_pull(None).await.expect_err("nothing to read");
    scene.watch().await;
    scene.deliver().await;
    let closed = scene.watch_jobs(&[], clock::system_now()).await;
    assert_eq!(closed, Changes { opened: 0, closed: 1 });
    let alert = scene.agency.harness.store.list_alerts(true, None, 1).await.expect("alerts").remove(0);
    assert_eq!(alert.closed_why.as_deref(), Some("there is no such job any more"));
    scene.deliver().await;
    let told = posted(&server).pop().expect("a post");
    assert!(told["text"].as_str().is_some_and(|text| text.contains("(there is no such job any more)")), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_the_tax_department_that_waits_too_long_is_told_with_whose_it_is_and_what_was_wrong() {
    let scene = Scene::begin("alerts_receipt").await;
    let mut connection = scene.agency.harness.connection().await;
    sqlx::query(
        "with employer as (insert into unit (uscc) values ('91369900MA00000152') on conflict (uscc) do update set uscc = excluded.uscc
                           returning unit_id)
         insert into outbox (message_id, employer_id, year, version, kind, attempt, idempotency_key, body, digest, state, created_at,
                             next_attempt_at, seq)
         select gen_random_uuid(), unit_id, 2025, 1, 'certified', 1, 'a key', '', '', 'sent', $1, $1, (select max(seq) from publish)
         from employer",
    )
    .bind(scene.now().await)
    .execute(&mut connection)
    .await
    .expect("a message");
    sqlx::query(
        "insert into outbox_attempt (message_id, number, opened_at, closed_at, status, error)
         select message_id, 1, $1, $1, 503, 'status 503: the department is busy or out of order' from outbox",
    )
    .bind(scene.now().await)
    .execute(&mut connection)
    .await
    .expect("an attempt");
    scene.pass(TimeDelta::hours(71)).await;
    assert_eq!(scene.watch().await, Changes::default());
    scene.pass(TimeDelta::hours(2)).await;
    assert_eq!(scene.watch().await, Changes { opened: 1, closed: 0 });
    let alert = scene.open().await.remove(0);
    assert_eq!(alert.kind, AlertKind::ReceiptMissing.as_str());
    let told = "1 messages to the tax department wait for their answer (1 sent), the oldest that of 91369900MA00000152 2025 since ";
    assert!(alert.text.starts_with(told), "{}", alert.text);
    let why = ", its last attempt: status 503; that is longer than receipt_after = 3d allows";
    assert!(alert.text.contains(why) && alert.chinese.contains("最近一次发送结果：status 503"), "{}", alert.text);
    for (change, kind) in [
        ("state = 'unknown'", AlertKind::MessageUnknown),
        ("state = 'accepted', receipt = 'R', contradicted = '{\"code\": \"revoked\"}'", AlertKind::MessageContradicted),
    ] {
        let statement = sqlx::AssertSqlSafe(format!("update outbox set {change}"));
        sqlx::query(statement).execute(&mut connection).await.expect("changed");
        scene.watch().await;
        let open = scene.open().await;
        let alert = open.iter().find(|alert| alert.kind == kind.as_str()).expect("an alert");
        assert!(alert.text.contains("91369900MA00000152") && alert.chinese.contains("push show"), "{}", alert.text);
    }
    sqlx::query("update outbox set contradicted = null").execute(&mut connection).await.expect("settled");
    scene.watch().await;
    assert!(scene.open().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_listed_with_whom_they_were_told_and_acknowledged() {
    let scene = Scene::begin("alerts_listed").await;
    scene.hold().await;
    let jobs = scene.agency.scratch.path().join("jobs");
    let jobs = jobs.to_str().expect("UTF-8");
    let told = |arguments: &[&str]| {
        let mut command = renzheng_on(&scene.agency.harness, arguments);
        // nobody listens there
        command
            .env("RENZHENG_MAIL_SERVER", "smtp://127.0.0.1:9")
            .env("RENZHENG_MAIL_FROM", "renzheng@federation.invalid");
        let said = say(command.env("RENZHENG_MAIL_TO", "ops@federation.invalid").args(["--jobs", jobs]));
        // as Linux and macOS number it
        let said = said.replace(" (os error 111)", "").replace(" (os error 61)", "");
        said.replace(&format!("operator {}", system_user()), "operator [user]")
    };
    insta::assert_snapshot!(told(&["alerts"]), @r###"
exit 0
id  since  over  kind  subject  told  taken care of
 1  [at]  delivery_held  pull-wage
1: a delivery of `pull-wage` waits, held, and nothing of it is visible until a person decides: `renzheng runs pull-wage` says why, then `renzheng runs release` or `renzheng runs discard`
  mail:mail does not know that it began yet; attempts: 0, the next not before [at]
"###);
    insta::assert_snapshot!(told(&["alerts", "deliver"]), @r###"
exit 0
0 sent, 1 to be tried again later
[at]  WARN renzheng::notify: a message was not delivered message_id=[id] target="mail:mail" why="the mail server did not take it: Connection error: Connection refused: Connection refused"
"###);
    insta::assert_snapshot!(told(&["alerts", "acknowledge", "1", "--why", "the agency was called"]), @r###"
exit 0
alert 1 is acknowledged
"###);
    insta::assert_snapshot!(told(&["alerts", "acknowledge", "7", "--why", "x"]), @r###"
exit 2
renzheng: there is no alert 7; `renzheng alerts` lists them
"###);
    insta::assert_snapshot!(told(&["alerts", "--format", "json"]), @r###"
exit 0
{"alert_id":1,"kind":"delivery_held","subject":"pull-wage","text":"a delivery of `pull-wage` waits, held, and nothing of it is visible until a person decides: `renzheng runs pull-wage` says why, then `renzheng runs release` or `renzheng runs discard`","chinese":"数据源 `pull-wage` 有 1 批数据被暂挂，在人工决定之前不生效：运行 `renzheng runs pull-wage` 查看原因，再运行 `renzheng runs release` 放行或 `renzheng runs discard` 放弃","opened_at":"[at]","closed_at":null,"closed_why":null,"acknowledged_at":"[at]","acknowledged_by":"operator [user]","acknowledged_why":"the agency was called","messages":[{"message_id":"[id]","target":"mail:mail","event":"opened","created_at":"[at]","delivered_at":null,"next_attempt_at":"[at]","attempts":1,"last_error":"the mail server did not take it: Connection error: Connection refused: Connection refused"}]}
"###);
    scene.discard().await;
    insta::assert_snapshot!(told(&["alerts"]), @r###"
exit 0
nothing is wrong that is known here
"###);
    insta::assert_snapshot!(told(&["alerts", "--all"]), @r###"
exit 0
id  since  over  kind  subject  told  taken care of
 1  [at]  [at]  delivery_held  pull-wage  operator [user]
1: a delivery of `pull-wage` waits, held, and nothing of it is visible until a person decides: `renzheng runs pull-wage` says why, then `renzheng runs release` or `renzheng runs discard`
  mail:mail does not know that it began yet; attempts: 1, the next not before [at]: the mail server did not take it: Connection error: Connection refused: Connection refused
  mail:mail does not know that it is over yet; attempts: 0, the next not before [at]
"###);
    assert!(say_on(&scene.agency.harness, &["alerts", "acknowledge"]).starts_with("exit 2"));
}
