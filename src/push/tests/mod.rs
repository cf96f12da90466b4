//! The sandbox's tax department on loopback behind a road with accidents, and a real Postgres.

mod batches;
mod hostile;
mod keys;
mod tls;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, Response};
use axum::middleware::{Next, from_fn_with_state};
use futures_util::StreamExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::clock;
use crate::config::{Secret, TaxSettings};
use crate::crypto::{SignatureAlgorithm, Signed};
use crate::domain::certification::{Certification, OutboundMessage, Subject};
use crate::domain::counting::Count;
use crate::domain::ids::Uscc;
use crate::domain::message::{Message, MessageKind, Rejection};
use crate::sandbox::tax::{Key, TaxDepartment, router};
use crate::store::declarations::OutboxMessage;
use crate::store::outbox::{AttemptRecord, Outgoing};
use crate::store::publish::Cause;
use crate::store::testing::Database;

const FIRST: &str = "91369900MA00000152";

/// An employer: the same code with another subject number and its check character.
fn employer(number: u32) -> Uscc {
    let mut codes = (0..31).map(|place| {
        let check = char::from(b"0123456789ABCDEFGHJKLMNPQRTUWXY"[place]);
        format!("91369900MA{number:07}{check}")
    });
    codes.find_map(|code| Uscc::parse(&code).ok()).expect("one check character fits")
}

fn second_employer() -> Uscc {
    employer(16)
}

fn start() -> DateTime<Utc> {
    "2026-04-15T08:00:00+08:00".parse().expect("an instant")
}

fn after(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

/// What happens to one request.
#[derive(Clone, Debug)]
enum Accident {
    /// The department does not hear of it.
    Instead(u16, Option<&'static str>, &'static str),
    /// The department answers, and the answer breaks off.
    BrokenAnswer,
    /// The department answers, and somebody writes another digest into it.
    AnotherDigest,
}

/// The road to the department: accidents happen in this order, one to a request.
type Road = Arc<Mutex<VecDeque<Accident>>>;

async fn travel(State(road): State<Road>, request: Request, next: Next) -> Response<Body> {
    let accident = road.lock().expect("the road").pop_front();
    match accident {
        None => next.run(request).await,
        Some(Accident::Instead(status, retry_after, text)) => {
            let mut response = Response::builder().status(status);
            if let Some(wait) = retry_after {
                response = response.header("Retry-After", wait);
            }
            response.body(Body::from(text)).expect("a response")
        }
        Some(Accident::BrokenAnswer) => {
            next.run(request).await;
            let pieces = [Ok("{\"status\":"), Err(std::io::Error::other("cut"))];
            // what there is goes out before it breaks off
            let pieces = futures_util::stream::iter(pieces).then(async |piece| {
                tokio::task::yield_now().await;
                piece
            });
            Response::new(Body::from_stream(pieces))
        }
        Some(Accident::AnotherDigest) => {
            let answer = to_bytes(next.run(request).await.into_body(), 65_536).await.expect("an answer");
            let mut answer: Value = serde_json::from_slice(&answer).expect("JSON");
            answer["digest"] = json!("00".repeat(32));
            Response::new(Body::from(answer.to_string()))
        }
    }
}

/// The department, the road to it, and an outbox.
struct Office {
    database: Database,
    client: Client,
    road: Road,
    department: SocketAddr,
    /// Who listens there.
    behind: Arc<TaxDepartment>,
    folder: PathBuf,
}

impl Drop for Office {
    fn drop(&mut self) {
        // Left behind, it is a folder among temporary ones.
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

async fn listen(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn settings(address: SocketAddr, key: &str) -> TaxSettings {
    TaxSettings::new(format!("http://{address}/"), "ours", key, SignatureAlgorithm::HmacSm3)
}

/// A department that remembers nothing yet. It knows two keys.
fn department(folder: &std::path::Path, ledger: &str) -> Arc<TaxDepartment> {
    let algorithm = SignatureAlgorithm::HmacSm3;
    let key = |id: &str, secret: &[u8]| Key { id: id.to_owned(), algorithm, secret: secret.to_vec() };
    let keys = vec![key("ours", b"secret"), key("former", b"old secret")];
    Arc::new(TaxDepartment::open(&folder.join(ledger), keys, None).expect("a ledger"))
}

impl Office {
    async fn open() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(format!("/tmp/renzheng-test-push-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).expect("a new folder");
        let road = Road::default();
        let behind = department(&folder, "ledger.ndjson");
        let address = listen(router(Arc::clone(&behind)).layer(from_fn_with_state(road.clone(), travel))).await;
        let client = Client::new(&settings(address, "secret")).expect("a client");
        Self { database: Database::open().await, client, road, department: address, behind, folder }
    }

    fn store(&self) -> &Store {
        &self.database.store
    }

    fn accident(&self, accident: Accident) {
        self.road.lock().expect("the road").push_back(accident);
    }

    /// Puts a certification into the outbox.
    async fn enqueue(&self, uscc: Uscc, version: u32, supersedes: Option<u32>) -> Uuid {
        let message = Message { version, kind: MessageKind::Certified, attempt: 1 };
        let subject = Subject {
            uscc,
            employer_name: "赣江电子有限公司".to_owned(),
            tax_division: "360102".to_owned(),
            year: 2025,
        };
        let count = Count::of([[2; 12], [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]]);
        let number = format!("JX-2025-{version}");
        let certification = Certification { count, supersedes, certified_at: start(), number };
        let message_id = clock::uuid_v7(start());
        self.put(uscc, message, message_id, &OutboundMessage::certified(message_id, message, subject, certification))
            .await;
        message_id
    }

    async fn put(&self, uscc: Uscc, message: Message, message_id: Uuid, built: &OutboundMessage) {
        let body = serde_json::to_vec(built).expect("a body");
        let mut publish = self.store().publish(Cause::Completion, start()).await.expect("a publish");
        let units = publish.ensure_units(&[uscc]).await.expect("a unit");
        let outbox = OutboxMessage {
            message_id,
            employer: units[&uscc],
            year: 2025,
            message,
            idempotency_key: built.heading().idempotency_key.clone(),
            digest: Sha256::digest(&body).into(),
            body,
            recovery: false,
        };
        publish.enqueue(&outbox, start()).await.expect("enqueued");
        publish.commit().await.expect("committed");
    }

    async fn enqueue_first(&self) -> Uuid {
        self.enqueue(Uscc::parse(FIRST).expect("a code"), 1, None).await
    }

    async fn step(&self, at: DateTime<Utc>) -> Step {
        step(self.store(), &self.client, at).await.expect("a step")
    }

    /// A step that finds something due.
    async fn sent(&self, at: DateTime<Utc>) -> Sent {
        match self.step(at).await {
            Step::Sent(sent) => sent,
            Step::Empty => panic!("nothing is due at {at}"),
        }
    }

    async fn state_of(&self, message_id: Uuid) -> String {
        let lines = self.store().list_outbox(100).await.expect("the outbox");
        lines.into_iter().find(|line| line.message_id == message_id).expect("the message").state
    }

    /// What the department received: each message once, with how often it came.
    async fn received(&self) -> Vec<(String, u64)> {
        let mut stream = TcpStream::connect(self.department).await.expect("connected");
        stream.write_all(b"GET /received HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let body: Value = serde_json::from_str(body).expect("JSON");
        let entries = body["messages"].as_array().expect("messages");
        let of = |entry: &Value| {
            (entry["message_id"].as_str().expect("an id").to_owned(), entry["times"].as_u64().expect("times"))
        };
        entries.iter().map(of).collect()
    }
}

#[tokio::test]
async fn an_accepted_message_is_kept_with_its_receipt_and_the_answer_as_it_came() {
    let office = Office::open().await;
    let message_id = office.enqueue_first().await;
    assert_eq!(office.step(start() - TimeDelta::seconds(1)).await, Step::Empty, "not due");
    let sent = office.sent(start()).await;
    assert_eq!((sent.message_id, sent.attempt_number, sent.asked, sent.again_at), (message_id, 1, false, None));
    let Answered::Accepted { receipt } = sent.answered else { panic!("accepted: {sent:?}") };
    let lines = office.store().list_outbox(10).await.expect("the outbox");
    assert_eq!((lines[0].state.as_str(), lines[0].receipt.as_deref()), ("accepted", Some(receipt.as_str())));
    let attempts = office.store().list_attempts(message_id).await.expect("attempts");
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].status, attempts[0].error.as_deref()), (Some(200), None));
    let raw: Value = serde_json::from_slice(attempts[0].answer.as_deref().expect("kept")).expect("JSON");
    assert_eq!(raw["receipt"], json!(receipt));
    let news = office.store().list_news().await.expect("news");
    assert_eq!((news.len(), news[0].state.as_str(), news[0].receipt.as_ref()), (1, "accepted", Some(&receipt)));
    assert_eq!(office.step(after(86_400)).await, Step::Empty, "it is over");
}

#[tokio::test]
async fn the_same_message_sent_twice_gets_the_same_answer_and_another_body_none() {
    let office = Office::open().await;
    office.enqueue_first().await;
    let outgoing = office.store().open_attempt(start()).await.expect("opened").expect("due");
    let first = office.client.send(&outgoing, start()).await;
    let second = office.client.send(&outgoing, after(60)).await;
    assert!(matches!(first.answered, Answered::Accepted { .. }), "{first:?}");
    assert_eq!(first.answered, second.answered);
    assert_eq!(first.record.answer, second.record.answer);
    assert_eq!(office.client.ask(&outgoing, after(61)).await.answered, first.answered);
    assert_eq!(office.received().await, [(outgoing.message_id.to_string(), 2)]);
    let mut other = outgoing.body.clone();
    other.push(b'\n');
    let altered = Outgoing { digest: Sha256::digest(&other).to_vec(), body: other, ..outgoing };
    let refused = office.client.send(&altered, after(62)).await;
    assert_eq!((refused.answered, refused.record.status), (Answered::Unknown, Some(409)));
    assert!(refused.record.error.is_some_and(|error| error.contains("another body")));
}

/// Passes requests on and brings no answer back, so often; then it is a plain wire.
async fn wire_that_loses(answers: u32, to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut lost = 0;
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = TcpStream::connect(to).await.expect("connected");
            if lost < answers {
                lost += 1;
                let (mut near_read, _near_write) = near.split();
                let (mut far_read, mut far_write) = far.split();
                let mut first_byte = [0; 1];
                tokio::select! {
                    _ended = tokio::io::copy(&mut near_read, &mut far_write) => {}
                    _answered = far_read.read_exact(&mut first_byte) => {}
                }
            } else {
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
            }
        }
    });
    address
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_is_sent_again_and_accepted_once() {
    let office = Office::open().await;
    let message_id = office.enqueue_first().await;
    let wire = wire_that_loses(1, office.department).await;
    let client = Client::new(&settings(wire, "secret")).expect("a client");
    let Step::Sent(lost) = step(office.store(), &client, start()).await.expect("a step") else { panic!("due") };
    assert_eq!(lost.answered, Answered::Later);
    assert!(lost.error.is_some());
    assert_eq!(office.received().await, [(message_id.to_string(), 1)], "it has arrived");
    let again_at = lost.again_at.expect("again");
    assert!((after(30)..=after(38)).contains(&again_at), "{again_at}");
    let early = step(office.store(), &client, again_at - TimeDelta::milliseconds(1)).await.expect("a step");
    assert_eq!(early, Step::Empty);
    let Step::Sent(again) = step(office.store(), &client, again_at).await.expect("a step") else { panic!("due") };
    assert!(matches!(again.answered, Answered::Accepted { .. }), "{again:?}");
    assert_eq!(office.received().await, [(message_id.to_string(), 2)]);
}

#[tokio::test]
async fn an_answer_that_is_not_understood_leads_to_a_question() {
    for accident in [
        Accident::Instead(200, None, "<html><form>登录</form></html>"),
        Accident::Instead(200, None, r#"{"status":"received"}"#),
        Accident::Instead(200, None, ""),
        Accident::BrokenAnswer,
        Accident::AnotherDigest,
    ] {
        let office = Office::open().await;
        let message_id = office.enqueue_first().await;
        let heard = matches!(accident, Accident::BrokenAnswer | Accident::AnotherDigest);
        office.accident(accident.clone());
        let sent = office.sent(start()).await;
        assert_eq!(sent.answered, Answered::Unknown, "{accident:?}");
        assert!(sent.error.is_some(), "{accident:?}");
        assert_eq!(office.state_of(message_id).await, "unknown");
        let asked = office.sent(sent.again_at.expect("again")).await;
        assert!(asked.asked);
        if heard {
            assert!(matches!(asked.answered, Answered::Accepted { .. }), "{accident:?}: {asked:?}");
            assert_eq!(office.received().await, [(message_id.to_string(), 1)], "asked, not sent again");
        } else {
            let at = asked.again_at.expect("again");
            assert_eq!((&asked.answered, Some(at)), (&Answered::Forgotten, sent.again_at), "sent again at once");
            let again = office.sent(at).await;
            assert!(!again.asked && matches!(again.answered, Answered::Accepted { .. }), "{accident:?}: {again:?}");
        }
    }
}

#[tokio::test]
async fn a_question_that_is_not_answered_is_put_again() {
    let office = Office::open().await;
    office.enqueue_first().await;
    office.accident(Accident::AnotherDigest);
    let mut at = office.sent(start()).await.again_at.expect("again");
    for status in [500, 401, 302] {
        office.accident(Accident::Instead(status, None, ""));
        let asked = office.sent(at).await;
        assert_eq!((asked.asked, &asked.answered), (true, &Answered::Unknown), "{status}");
        at = asked.again_at.expect("again");
    }
    let asked = office.sent(at).await;
    assert!(asked.asked && matches!(asked.answered, Answered::Accepted { .. }), "{asked:?}");
}

#[tokio::test]
async fn a_department_that_is_busy_is_left_alone_as_long_as_it_asks_and_six_hours_at_most() {
    let office = Office::open().await;
    let message_id = office.enqueue_first().await;
    let mut at = start();
    for (status, retry_after, least, most) in [
        (503, None, 30, 38),
        (503, Some("7200"), 7200, 7200),
        (429, Some("604800"), 21_600, 21_600),
        (429, Some("1"), 240, 300),
        (408, Some("soon"), 480, 600),
    ] {
        office.accident(Accident::Instead(status, retry_after, "busy"));
        let sent = office.sent(at).await;
        assert_eq!(sent.answered, Answered::Later);
        let again_at = sent.again_at.expect("again");
        assert!((least..=most).contains(&(again_at - at).num_seconds()), "{status} {retry_after:?}");
        at = again_at;
    }
    assert_eq!(office.state_of(message_id).await, "sent");
    assert!(matches!(office.sent(at).await.answered, Answered::Accepted { .. }));
    let attempts = office.store().list_attempts(message_id).await.expect("attempts");
    assert_eq!((attempts.len(), attempts[0].answer.as_deref()), (6, Some(b"busy".as_slice())));
}

#[tokio::test]
async fn a_key_that_the_department_does_not_know_delays_messages_and_loses_none() {
    let office = Office::open().await;
    let message_id = office.enqueue_first().await;
    let wrong = Client::new(&settings(office.department, "guess")).expect("a client");
    let Step::Sent(sent) = step(office.store(), &wrong, start()).await.expect("a step") else { panic!("due") };
    assert_eq!(sent.answered, Answered::Later);
    assert!(sent.error.as_ref().is_some_and(|error| error.starts_with("status 401")), "{sent:?}");
    assert_eq!(office.store().list_outbox(1).await.expect("the outbox")[0].last_error, sent.error);
    let again = office.sent(sent.again_at.expect("again")).await;
    assert_eq!(again.message_id, message_id);
    assert!(matches!(again.answered, Answered::Accepted { .. }));
}

#[tokio::test]
async fn nobody_listening_is_no_answer() {
    let office = Office::open().await;
    office.enqueue_first().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nobody = listener.local_addr().expect("an address");
    drop(listener);
    let client = Client::new(&settings(nobody, "secret")).expect("a client");
    let Step::Sent(sent) = step(office.store(), &client, start()).await.expect("a step") else { panic!("due") };
    assert_eq!(sent.answered, Answered::Later);
    assert!(sent.error.is_some_and(|error| !error.contains("http://")), "the address is configuration");
}

#[tokio::test]
async fn a_rejection_is_kept_with_its_code_and_the_message_is_over() {
    let office = Office::open().await;
    // the department holds nothing that could be superseded
    let message_id = office.enqueue(Uscc::parse(FIRST).expect("a code"), 1, Some(7)).await;
    let sent = office.sent(start()).await;
    let Answered::Rejected { answer } = &sent.answered else { panic!("rejected: {sent:?}") };
    let rejection: Rejection = serde_json::from_value(answer.clone()).expect("a rejection");
    assert_eq!((rejection.code.as_str(), rejection.field.as_deref()), ("supersedes_mismatch", Some("supersedes")));
    assert_eq!(office.state_of(message_id).await, "rejected");
    let news = office.store().list_news().await.expect("news");
    assert_eq!((news[0].state.as_str(), news[0].answer.as_ref()), ("rejected", Some(answer)));
    assert_eq!(office.step(after(86_400)).await, Step::Empty);
}

#[tokio::test]
async fn several_workers_send_each_message_once() {
    let office = Office::open().await;
    let first = office.enqueue_first().await;
    let second = office.enqueue(second_employer(), 1, None).await;
    let step = || office.step(start());
    let steps = tokio::join!(step(), step(), step(), step(), step());
    let mut sent: Vec<Uuid> = Vec::new();
    for step in [steps.0, steps.1, steps.2, steps.3, steps.4] {
        if let Step::Sent(step) = step {
            sent.push(step.message_id);
        }
    }
    sent.sort_unstable();
    let mut expected = [first, second];
    expected.sort_unstable();
    assert_eq!(sent, expected);
    assert!(office.received().await.iter().all(|(_, times)| *times == 1));
}

#[tokio::test]
async fn a_message_whose_worker_died_is_taken_over_after_a_minute() {
    let office = Office::open().await;
    let message_id = office.enqueue_first().await;
    let died = office.store().open_attempt(start()).await.expect("opened").expect("due");
    assert_eq!(office.step(after(59)).await, Step::Empty);
    let sent = office.sent(after(60)).await;
    assert_eq!((sent.message_id, sent.attempt_number), (message_id, 2));
    assert!(matches!(sent.answered, Answered::Accepted { .. }));
    // it was only asleep
    let late = AttemptRecord { status: None, answer: None, error: Some("no answer".to_owned()) };
    office.store().close_attempt(&died, &late, &Answered::Later, after(90)).await.expect("closed");
    assert_eq!(office.state_of(message_id).await, "accepted");
}

#[tokio::test]
async fn an_attempt_that_another_has_followed_does_not_say_when_the_next_is_due() {
    let office = Office::open().await;
    let message_id = office.enqueue_first().await;
    let slow = office.store().open_attempt(start()).await.expect("opened").expect("due");
    let running = office.store().open_attempt(after(60)).await.expect("opened").expect("due");
    let nothing = AttemptRecord::default();
    office.store().close_attempt(&slow, &nothing, &Answered::Unknown, after(61)).await.expect("closed");
    assert_eq!(office.step(after(119)).await, Step::Empty, "the second attempt still runs");
    assert_eq!(office.state_of(message_id).await, "sent");
    let accepted = Answered::Accepted { receipt: "R-1".to_owned() };
    office.store().close_attempt(&slow, &nothing, &accepted, after(62)).await.expect("closed");
    assert_eq!(office.state_of(message_id).await, "accepted", "an answer counts whoever heard it");
    office.store().close_attempt(&running, &nothing, &Answered::Unknown, after(62)).await.expect("closed");
    assert_eq!(office.state_of(message_id).await, "accepted");
}

#[tokio::test]
async fn a_version_waits_until_the_one_before_it_is_answered() {
    let office = Office::open().await;
    let employer = Uscc::parse(FIRST).expect("a code");
    // entered in the wrong order, at the same instant
    let second = office.enqueue(employer, 2, Some(1)).await;
    let first = office.enqueue(employer, 1, None).await;
    let other = office.enqueue(second_employer(), 1, None).await;
    office.accident(Accident::Instead(503, None, ""));
    office.accident(Accident::Instead(503, None, ""));
    let mut failed = [office.sent(start()).await, office.sent(start()).await];
    failed.sort_unstable_by_key(|sent| sent.message_id != first);
    assert_eq!([failed[0].message_id, failed[1].message_id], [first, other], "not the second version");
    assert_eq!(office.step(start()).await, Step::Empty);
    let mut at = after(40);
    let mut order = Vec::new();
    while let Step::Sent(sent) = office.step(at).await {
        assert!(matches!(sent.answered, Answered::Accepted { .. }), "{sent:?}");
        order.push(sent.message_id);
        at += TimeDelta::seconds(1);
    }
    order.retain(|message_id| *message_id != other);
    assert_eq!(order, [first, second]);
}

#[tokio::test]
async fn a_withdrawal_follows_the_certification_of_its_version_and_a_rejection_lets_the_next_pass() {
    let office = Office::open().await;
    let employer = Uscc::parse(FIRST).expect("a code");
    let message = Message { version: 1, kind: MessageKind::Withdrawn, attempt: 1 };
    let subject = Subject {
        uscc: employer,
        employer_name: "赣江电子有限公司".to_owned(),
        tax_division: "360102".to_owned(),
        year: 2025,
    };
    let withdrawal = clock::uuid_v7(start());
    office.put(employer, message, withdrawal, &OutboundMessage::withdrawn(withdrawal, message, subject)).await;
    let certified = office.enqueue(employer, 1, None).await;
    // rejected: there is nothing to supersede after the withdrawal
    let rejected = office.enqueue(employer, 2, Some(1)).await;
    let next = office.enqueue(employer, 3, None).await;
    let mut answers = Vec::new();
    while let Step::Sent(sent) = office.step(start()).await {
        answers.push((sent.message_id, matches!(sent.answered, Answered::Accepted { .. })));
    }
    assert_eq!(answers, [(certified, true), (withdrawal, true), (rejected, false), (next, true)]);
}

#[tokio::test]
async fn draining_ends_when_nothing_is_due_or_the_limit_is_reached() {
    let office = Office::open().await;
    office.store().set_clock(after(5)).await.expect("the clock");
    office.enqueue_first().await;
    office.enqueue(second_employer(), 1, None).await;
    let mut seen = 0;
    let drained = drain(office.store(), &office.client, 1, |_| seen += 1).await.expect("drained");
    assert_eq!((drained.accepted, drained.attempts()), (1, 1));
    office.accident(Accident::Instead(503, None, ""));
    let drained = drain(office.store(), &office.client, 100, |_| seen += 1).await.expect("drained");
    assert_eq!((drained.later, drained.attempts(), seen), (1, 1, 2));
}

#[tokio::test]
async fn a_request_carries_what_the_department_checks() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let note = axum::routing::any(async move |request: Request| {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, 65_536).await.expect("a body");
        kept.lock().expect("notes").push((parts, body));
        Response::new(Body::empty())
    });
    let address = listen(Router::new().fallback_service(note)).await;
    let client = Client::new(&settings(address, "secret")).expect("a client");
    let outgoing = Outgoing {
        message_id: clock::uuid_v7(start()),
        idempotency_key: format!("{FIRST}:2025:1:certified"),
        body: b"{\"hello\": \"world\"}".to_vec(),
        digest: Vec::new(),
        attempt_number: 1,
        ask_first: false,
    };
    client.send(&outgoing, start()).await;
    client.ask(&outgoing, start()).await;
    let seen = seen.lock().expect("notes");
    let header = |place: usize, name: &str| {
        seen[place].0.headers.get(name).map(|value| value.to_str().expect("text").to_owned())
    };
    assert_eq!((&seen[0].0.method, seen[0].0.uri.path()), (&Method::POST, "/declarations"));
    assert_eq!(seen[0].1, outgoing.body, "byte for byte");
    let digest = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    assert_eq!(header(0, "content-digest").as_deref(), Some(digest));
    assert_eq!(header(0, "x-renzheng-timestamp").as_deref(), Some("2026-04-15T08:00:00+08:00"));
    assert_eq!(header(0, "x-renzheng-key-id").as_deref(), Some("ours"));
    assert_eq!(header(0, "idempotency-key"), Some(outgoing.idempotency_key.clone()));
    let path = format!("/declarations/{}", outgoing.message_id);
    assert_eq!((&seen[1].0.method, seen[1].0.uri.path()), (&Method::GET, path.as_str()));
    for (place, method, path) in [(0, "POST", "/declarations"), (1, "GET", path.as_str())] {
        let (digest, signature) = (header(place, "content-digest"), header(place, "x-renzheng-signature"));
        let signed = Signed {
            method,
            path,
            timestamp: "2026-04-15T08:00:00+08:00",
            content_digest: digest.as_deref().expect("a digest"),
        };
        let signature = signature.expect("a signature");
        assert!(signed.verify(SignatureAlgorithm::HmacSm3, b"secret", &signature), "{method}");
    }
}

#[test]
fn the_wait_doubles_from_half_a_minute_to_an_hour_and_is_the_same_for_the_same_attempt() {
    let (one, other) = (clock::uuid_v7(start()), clock::uuid_v7(start()));
    let mut waits = Vec::new();
    for attempt_number in 1..=1000 {
        let wait = backoff(one, attempt_number);
        assert_eq!(wait, backoff(one, attempt_number));
        assert!((TimeDelta::seconds(30)..=TimeDelta::hours(1)).contains(&wait), "{attempt_number}: {wait}");
        waits.push(wait);
    }
    assert!(waits[..7].is_sorted(), "each doubling is more than the jitter");
    assert!(waits[8..].iter().all(|wait| *wait >= TimeDelta::minutes(48)));
    assert!((1..=20).any(|attempt_number| backoff(one, attempt_number) != backoff(other, attempt_number)));
}

#[test]
fn an_address_that_is_none_and_a_key_id_that_no_header_holds_are_refused() {
    let of =
        |url: &str, key_id: &str| Client::new(&TaxSettings::new(url, key_id, "secret", SignatureAlgorithm::HmacSha256));
    assert!(of("https://tax.example/api/", "ours").is_ok());
    for url in ["tax.example", "ftp://tax.example", "https://tax.example/?x=1", ""] {
        assert!(matches!(of(url, "ours"), Err(PushError::Address)), "{url}");
    }
    assert!(matches!(of("https://tax.example", "our\ns"), Err(PushError::KeyId)));
}
