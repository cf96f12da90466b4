//! The feed of a tax department that fetches: nothing missed, nothing twice, nothing of others; and its answers, good and bad.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use renzheng::config::{AlertSettings, TaxMode};
use renzheng::crypto::Place;
use renzheng::declare::message::{body, digest};
use renzheng::declare::users::AskedReach;
use renzheng::domain::access::{Action, Role};
use renzheng::domain::certification::{OutboundMessage, Subject};
use renzheng::domain::facts::UnitId;
use renzheng::domain::feed::Cursor;
use renzheng::domain::ids::Uscc;
use renzheng::domain::message::{Message, MessageKind};
use renzheng::notify::{Installation, watch};
use renzheng::store::Store;
use renzheng::store::declarations::OutboxMessage;
use renzheng::store::feed::Wanted;
use renzheng::store::publish::Cause;
use renzheng::web::Site;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::access::{division, unit, user};
use crate::declaring::{FACTORY, SCHOOL, Scene, approval, employer, supervisor, withdrawal};
use crate::harness::Harness;
use crate::website::Website;

const EMPLOYER: &str = "91369900MA00000152";

async fn unit_of(store: &Store) -> UnitId {
    let mut change = store.change().await.expect("a change");
    let unit = change.ensure_unit(&Uscc::parse(EMPLOYER).expect("a code")).await.expect("a unit");
    change.commit().await.expect("committed");
    unit
}

pub fn outbound(employer: UnitId, version: u32, tax_division: &str) -> OutboxMessage {
    let message = Message { version, kind: MessageKind::Withdrawn, attempt: 1 };
    let uscc = Uscc::parse(EMPLOYER).expect("a code");
    let message_id = renzheng::clock::uuid_v7("2026-04-15T00:00:00Z".parse().expect("an instant"));
    let subject =
        Subject { uscc, employer_name: "甲公司".to_owned(), tax_division: tax_division.to_owned(), year: 2025 };
    let body = body(&OutboundMessage::withdrawn(message_id, message, subject)).expect("written");
    let idempotency_key = message.idempotency_key(&uscc, 2025);
    let digest = digest(&body);
    OutboxMessage { message_id, employer, year: 2025, message, idempotency_key, body, digest, recovery: false }
}

/// Publishes one message for each of these versions, together.
async fn publish(store: &Store, employer: UnitId, versions: impl IntoIterator<Item = u32>, tax_division: &str) {
    let at = store.now().await.expect("now");
    let mut publish = store.publish(Cause::Withdrawal, at).await.expect("the lock");
    for version in versions {
        publish.enqueue(&outbound(employer, version, tax_division), at).await.expect("in the outbox");
        // others run, and wait for the lock
        tokio::task::yield_now().await;
    }
    publish.commit().await.expect("published");
}

fn ids(page: &Value) -> Vec<String> {
    let messages = page["messages"].as_array().expect("messages");
    messages.iter().map(|message| message["message_id"].as_str().expect("an id").to_owned()).collect()
}

fn next(page: &Value) -> String {
    page["next"].as_str().expect("a place").to_owned()
}

async fn read(site: &Website, token: &str, after: &str, limit: u32) -> Value {
    let answer = site.get(&format!("/api/v1/tax-feed?after={after}&limit={limit}"), token).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn department(store: &Store, account: &str, digits: &str) -> String {
    user(store, account, Role::TaxDepartment, &division(digits)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_follows_the_cursor_misses_nothing_and_gets_nothing_twice_while_others_publish() {
    const PUBLISHERS: u32 = 4;
    const PUBLISHES: u32 = 25;
    let harness = Harness::new("feed_concurrent").await;
    let (store, site) = (&harness.store, Website::of(&harness.store).await);
    let token = department(store, "tax", "36").await;
    let employer = unit_of(store).await;
    let mut publishers = Vec::new();
    for publisher in 0..PUBLISHERS {
        let store = store.clone();
        publishers.push(tokio::spawn(async move {
            for number in 0..PUBLISHES {
                let first = (publisher * PUBLISHES + number) * 2 + 1;
                publish(&store, employer, [first, first + 1], "360102").await;
            }
        }));
    }
    let (mut after, mut seen, mut empty) = (String::new(), Vec::new(), 0);
    while empty < 2 {
        // what is there once nobody publishes any more is all there will be
        let over = publishers.iter().all(tokio::task::JoinHandle::is_finished);
        let page = read(&site, &token, &after, 7).await;
        let got = ids(&page);
        assert!(got.len() <= 7);
        assert!(!got.is_empty() || page["more"] == false);
        if got.is_empty() && over {
            empty += 1;
        }
        seen.extend(got);
        after = next(&page);
    }
    for publisher in publishers {
        publisher.await.expect("published");
    }
    let all = (PUBLISHERS * PUBLISHES * 2) as usize;
    assert_eq!(seen.len(), all, "nothing twice");
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), all, "nothing missed");
    let again = read(&site, &token, "", 1000).await;
    assert_eq!(ids(&again), seen, "the order is what it was");
    assert_eq!(read(&site, &token, &next(&again), 1000).await["next"], again["next"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_handed_on_byte_for_byte_and_count_as_sent_before_they_leave() {
    let harness = Harness::new("feed_bytes").await;
    let (store, site) = (&harness.store, Website::of(&harness.store).await);
    let token = department(store, "tax", "3601").await;
    let employer = unit_of(store).await;
    publish(store, employer, [1, 2], "360102").await;
    let page = read(&site, &token, "", 1).await;
    assert_eq!(page["more"], true);
    let message = &page["messages"][0];
    let body = message["body"].as_str().expect("a text");
    assert_eq!(message["digest"], hex::encode(Sha256::digest(body)));
    let inner: Value = serde_json::from_str(body).expect("a message");
    assert_eq!(inner["message_id"], message["message_id"]);
    assert_eq!(inner["idempotency_key"], message["idempotency_key"]);
    // read twice, it is one attempt that waits for its answer
    read(&site, &token, "", 1).await;
    let mut connection = harness.connection().await;
    let states: Vec<(i32, String, i64)> = sqlx::query_as(
        "select version, state, (select count(*) from outbox_attempt a where a.message_id = o.message_id and way = 'feed' and closed_at is null)
         from outbox o order by version",
    )
    .fetch_all(&mut connection)
    .await
    .expect("states");
    assert_eq!(states, [(1, "sent".to_owned(), 1), (2, "waiting".to_owned(), 0)]);
    let audited: Vec<(String, String, Value)> =
        sqlx::query_as("select actor, action, detail from audit where action = 'read_tax_feed' order by audit_id")
            .fetch_all(&mut connection)
            .await
            .expect("the audit");
    assert_eq!(audited.len(), 2, "one row a page");
    assert_eq!((audited[0].0.as_str(), &audited[0].2["messages"]), ("tax", &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_department_reads_what_is_meant_for_its_division_and_goes_on_past_the_rest() {
    let harness = Harness::new("feed_scopes").await;
    let (store, site) = (&harness.store, Website::of(&harness.store).await);
    let (nanchang, jiujiang) = (department(store, "tax01", "3601").await, department(store, "tax04", "3604").await);
    let employer = unit_of(store).await;
    publish(store, employer, [1, 2], "360102").await;
    publish(store, employer, [3], "360402").await;
    publish(store, employer, [4], "360102").await;
    let own = read(&site, &nanchang, "", 1000).await;
    let foreign = read(&site, &jiujiang, "", 1000).await;
    assert_eq!((ids(&own).len(), ids(&foreign).len()), (3, 1));
    for (token, other) in [(&nanchang, &foreign), (&jiujiang, &own)] {
        assert_eq!(ids(&read(&site, token, &next(other), 1000).await), Vec::<String>::new(), "past what is not theirs");
    }
    publish(store, employer, [5], "360402").await;
    assert_eq!(ids(&read(&site, &nanchang, &next(&own), 1000).await), Vec::<String>::new());
    assert_eq!(ids(&read(&site, &jiujiang, &next(&foreign), 1000).await).len(), 1);
    // what another department's message is, one is not told either
    let answer = json!([{ "status": "later", "message_id": ids(&foreign)[0] }]);
    let told = site.post("/api/v1/tax-feed/answers", &nanchang, &answer).await.json();
    assert_eq!(told["answers"][0]["code"], "unknown_message");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_without_a_token_that_holds_and_a_role_that_may() {
    let harness = Harness::new("feed_refused").await;
    let (store, site) = (&harness.store, Website::of(&harness.store).await);
    let own = department(store, "tax", "36").await;
    unit_of(store).await;
    let paths = [("GET", "/api/v1/tax-feed"), ("POST", "/api/v1/tax-feed/answers")];
    for (method, path) in paths {
        let answer = site.ask(site.request(method, path)).await;
        assert_eq!(answer.problem(), (401, "unauthorized".to_owned()), "{method} {path}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        for token in ["", "x", "rz_0000000000000000000000000000000000000000000"] {
            let answer = site.ask(site.request(method, path).bearer_auth(token)).await;
            assert_eq!(answer.problem().0, 401, "{method} {path} {token}");
        }
        for role in [Role::Employer, Role::Reviewer, Role::Auditor] {
            let reach = if role == Role::Employer { unit(EMPLOYER) } else { division("36") };
            let token = user(store, &format!("{role}.{}", method.to_ascii_lowercase()), role, &reach).await;
            let answer = site.ask(site.request(method, path).bearer_auth(token)).await;
            assert_eq!(answer.problem(), (403, "forbidden".to_owned()), "{role} {method} {path}");
        }
    }
    // nobody's body is waited for
    let address = site.url.strip_prefix("http://").expect("an address");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
    let head = format!("POST {} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 4000000\r\n\r\n", paths[1].1);
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.expect("an answer");
    assert_eq!(status, *b"HTTP/1.1 401");
    let everywhere = user(store, "ops", Role::Operator, &AskedReach::Everything).await;
    assert_eq!(site.get("/api/v1/tax-feed", &everywhere).await.status, 200);
    for (query, code) in [
        ("after=nonsense", "bad_cursor"),
        ("limit=0", "bad_limit"),
        ("limit=1001", "bad_limit"),
        ("limit=ten", "bad_limit"),
        ("limit=1&limit=2", "bad_query"),
        ("after=&since=2026", "bad_query"),
    ] {
        assert_eq!(site.get(&format!("/api/v1/tax-feed?{query}"), &own).await.problem(), (400, code.to_owned()));
    }
    for body in ["", "{}", "null", "[1", "\u{feff}[]"] {
        let answer = site.ask(site.request("POST", paths[1].1).bearer_auth(&own).body(body)).await;
        assert_eq!(answer.problem(), (400, "not_a_list".to_owned()), "{body}");
    }
    let many = Value::from(vec![json!(1); 1001]);
    assert_eq!(site.post(paths[1].1, &own, &many).await.problem(), (400, "too_many".to_owned()));
    let huge = site.request("POST", paths[1].1).bearer_auth(&own).body("x".repeat((4 << 20) + 1));
    assert_eq!(site.ask(huge).await.problem(), (413, "too_large".to_owned()));
    assert_eq!(site.get("/api/v1/nowhere", &own).await.problem(), (404, "not_found".to_owned()));
    assert_eq!(site.get("/nowhere", &own).await.problem(), (404, "not_found".to_owned()));
    let deleted = site.ask(site.request("DELETE", paths[0].1).bearer_auth(&own)).await;
    assert_eq!(deleted.problem(), (405, "method_not_allowed".to_owned()));
    assert_eq!(site.ask(site.request("HEAD", paths[0].1).bearer_auth(&own)).await.status, 405);
}

async fn count(harness: &Harness, what: &str) -> i64 {
    let text = sqlx::AssertSqlSafe(format!("select count(*) from {what}"));
    sqlx::query_scalar(text).fetch_one(&mut harness.connection().await).await.expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_feed_is_not_the_way_it_hands_nothing_on() {
    let harness = Harness::new("feed_not_fed").await;
    let token = department(&harness.store, "tax", "36").await;
    let employer = unit_of(&harness.store).await;
    publish(&harness.store, employer, [1], "360102").await;
    for mode in [TaxMode::Push, TaxMode::Files] {
        let site =
            Website::serving(Site::new(harness.store.clone(), harness.policy.clone()).handing_over_by(mode)).await;
        assert_eq!(site.get("/api/v1/tax-feed", &token).await.problem(), (409, "not_fed".to_owned()));
    }
    assert_eq!(count(&harness, "outbox_attempt").await, 0);
    assert_eq!(count(&harness, "audit where action = 'read_tax_feed'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_behind_all_that_was_published_is_told_and_looking_in_vain_leaves_no_trace() {
    let harness = Harness::new("feed_ahead").await;
    let (store, site) = (&harness.store, Website::of(&harness.store).await);
    let token = department(store, "tax", "36").await;
    publish(store, unit_of(store).await, [1], "360102").await;
    let page = read(&site, &token, "", 10).await;
    // what a reader holds of a database that was restored since
    let head = store.feed_head().await.expect("the head");
    let ahead = Cursor::after_publish(head + 1).encode();
    let told = site.get(&format!("/api/v1/tax-feed?after={ahead}"), &token).await;
    assert_eq!(told.problem(), (409, "cursor_ahead".to_owned()));
    assert_eq!(ids(&read(&site, &token, &next(&page), 10).await), Vec::<String>::new());
    assert_eq!(count(&harness, "audit where action = 'read_tax_feed'").await, 1, "of the page that held something");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_or_given_up_after_it_was_read_does_not_leave() {
    let harness = Harness::new("feed_locked").await;
    let store = &harness.store;
    let employer = unit_of(store).await;
    publish(store, employer, 1..=3, "360102").await;
    let at = store.now().await.expect("now");
    let page = store.list_feed(&Cursor::START, Wanted::default(), 10, at).await.expect("a page");
    let messages: Vec<uuid::Uuid> = page.messages.iter().map(|message| message.message_id).collect();
    let leaving = async || {
        let mut change = store.change().await.expect("a change");
        let leaving = change.lock_leaving(&messages, at).await.expect("locked");
        change.abandon().await.expect("released");
        leaving
    };
    assert_eq!(leaving().await, 3);
    let mut connection = harness.connection().await;
    sqlx::query("update outbox set state = 'rejected', answer = '{}', overtaken = true where version = 2")
        .execute(&mut connection)
        .await
        .expect("given up");
    let cut = leaving().await;
    assert_eq!(cut, 1);
    let mut shown = page.clone();
    shown.cut(&Cursor::START, cut);
    assert_eq!((shown.messages.len(), shown.next, shown.more), (1, page.messages[0].place, true));
    let rest = store.list_feed(&shown.next, Wanted::default(), 10, at).await.expect("a page");
    let rest: Vec<uuid::Uuid> = rest.messages.iter().map(|message| message.message_id).collect();
    assert_eq!(rest, [messages[2]], "the reader goes on past what is gone");
    let hold = "insert into push_hold (held_at, held_by, why) values (now(), 'ops', 'asked')";
    sqlx::query(hold).execute(&mut connection).await.expect("held");
    assert_eq!(leaving().await, 0);
}

fn accepted(message: &Value, receipt: &str) -> Value {
    json!({ "status": "accepted", "message_id": message["message_id"], "receipt": receipt, "digest": message["digest"] })
}

fn results(told: &Value) -> Vec<String> {
    let word = |answer: &Value| answer["code"].as_str().or(answer["result"].as_str()).unwrap_or_default().to_owned();
    told["answers"].as_array().expect("answers").iter().map(word).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_answer_spoils_no_other_and_doubled_late_and_contrary_ones_do_no_harm() {
    let scene = Scene::begin("feed_answers").await;
    let store = scene.store();
    scene.prove_affiliates(FACTORY).await;
    scene.complete(SCHOOL).await.expect("completed");
    scene.complete(FACTORY).await.expect("completed");
    let (site, token) = (Website::of(store).await, department(store, "tax", "36").await);
    let school = read(&site, &token, "", 1).await;
    assert_eq!(scene.state(SCHOOL).await.name(), "sent", "what was fetched counts as sent");
    assert_eq!(scene.state(FACTORY).await.name(), "completed");
    let answers = async |list: Value| {
        let answer = site.post("/api/v1/tax-feed/answers", &token, &list).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    };
    // of the factory's message the number can be known before it was fetched
    let mut connection = scene.day.harness.connection().await;
    let unread: uuid::Uuid = sqlx::query_scalar("select message_id from outbox where state = 'waiting'")
        .fetch_one(&mut connection)
        .await
        .expect("the factory's");
    let told = answers(json!([{ "status": "rejected", "message_id": unread, "code": "x", "text": "x" }])).await;
    assert_eq!(results(&told), ["not_sent"]);

    let page = read(&site, &token, &next(&school), 10).await;
    let (first, second) = (&school["messages"][0], &page["messages"][0]);
    let mut wrong = accepted(second, "R-2");
    wrong["digest"] = json!("ab".repeat(32));
    let unknown = "019d8ec6-1a00-7000-8000-00000000ffff";
    let told = answers(json!([
        wrong,
        "nonsense",
        { "status": "rejected", "code": "closed", "text": "no number" },
        { "status": "later", "message_id": unknown },
        { "status": "received", "message_id": second["message_id"] },
        accepted(first, "R-1"),
    ]))
    .await;
    let expected =
        ["another_digest", "not_understood", "not_understood", "unknown_message", "not_understood", "accepted"];
    assert_eq!(results(&told), expected);
    assert_eq!((&told["taken"], &told["refused"]), (&json!(1), &json!(5)));
    assert_eq!(scene.state(SCHOOL).await.name(), "accepted");
    assert_eq!(scene.state(FACTORY).await.name(), "sent", "an acceptance of other bytes is none");
    let raw: (Vec<u8>, i32, Value, i64) =
        sqlx::query_as("select body, answers, refused, answer_delivery_id::bigint from answer_delivery order by answer_delivery_id desc limit 1")
            .fetch_one(&mut connection)
            .await
            .expect("the delivery");
    let place = Place { table: "answer_delivery", column: "body", row: raw.3 };
    let plain = store.keys().decrypt(&raw.0, place).expect("encrypted at its place");
    assert!(std::str::from_utf8(&plain).expect("UTF-8").contains("nonsense"), "kept as it came");
    assert_eq!((raw.1, raw.2.as_array().expect("a list").len()), (6, 5));

    // the same again, what was decided since, and the opposite
    let rejected = json!({ "status": "rejected", "message_id": first["message_id"], "code": "closed", "text": "x" });
    let later = json!({ "status": "later", "message_id": first["message_id"] });
    let told = answers(json!([accepted(first, "R-1"), later, rejected, accepted(first, "R-9")])).await;
    assert_eq!(results(&told), ["repeated", "repeated", "contradicts", "contradicts"]);
    let held = scene.state(SCHOOL).await;
    assert!(serde_json::to_string(&held).expect("a state").contains("R-1"));
    assert_eq!(held.name(), "accepted");
    // people learn of it, until the department stands by what it said first
    let alerts = AlertSettings::default();
    let installation = Installation { jobs: &[], alerts: &alerts, tax_is_set: true, broken_jobs: None };
    watch(store, &installation, renzheng::clock::system_now()).await.expect("watched");
    let open = store.list_alerts(false, None, 50).await.expect("alerts");
    assert!(open.iter().any(|alert| alert.kind.as_str() == "message_contradicted"), "{open:?}");
    let told = answers(json!([accepted(first, "R-1")])).await;
    assert_eq!(results(&told), ["repeated"]);
    assert!(store.find_contradicted().await.expect("asked").is_none());

    // doubled in one list; and what was unclear is cleared
    let told = answers(json!([accepted(second, "R-2"), accepted(second, "R-2")])).await;
    assert_eq!(results(&told), ["accepted", "repeated"]);
    assert_eq!(scene.state(FACTORY).await.name(), "accepted");

    // the withdrawal follows its certification, in the same order
    let declaring = scene.declaring(SCHOOL).await;
    renzheng::declare::withdraw::ask(store, &employer(declaring.employer), declaring, &withdrawal(false))
        .await
        .expect("asked");
    renzheng::declare::withdraw::decide(store, &supervisor(), declaring, &approval(None)).await.expect("approved");
    let page = read(&site, &token, &next(&page), 10).await;
    let message = &page["messages"][0];
    assert!(message["idempotency_key"].as_str().expect("a key").ends_with(":1:withdrawn"));
    answers(json!([accepted(message, "R-3")])).await;
    assert_eq!(scene.claims(SCHOOL).await, 0, "the claims are given back");
    let audited: i64 = sqlx::query_scalar("select count(*) from audit where action = $1")
        .bind(Action::AnswerTaxFeed.as_str())
        .fetch_one(&mut connection)
        .await
        .expect("a count");
    assert_eq!(audited, 6, "one row a list");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_contrary_answers_that_come_at_once_one_is_first_and_the_other_contradicts() {
    let harness = Harness::new("feed_at_once").await;
    let (store, site) = (&harness.store, Arc::new(Website::of(&harness.store).await));
    let token = department(store, "tax", "36").await;
    publish(store, unit_of(store).await, [1], "360102").await;
    let page = read(&site, &token, "", 10).await;
    let message = &page["messages"][0];
    let rejected = json!({ "status": "rejected", "message_id": message["message_id"], "code": "closed", "text": "x" });
    // somebody has the message until both are there
    let mut holder = harness.connection().await;
    sqlx::query("begin").execute(&mut holder).await.expect("begun");
    sqlx::query("select from outbox for update").execute(&mut holder).await.expect("locked");
    let both = [accepted(message, "R-1"), rejected].map(|answer| {
        let (site, token) = (site.clone(), token.clone());
        tokio::spawn(async move { site.post("/api/v1/tax-feed/answers", &token, &json!([answer])).await.json() })
    });
    let (began, mut beat) = (Instant::now(), tokio::time::interval(Duration::from_millis(20)));
    while count(&harness, "pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'").await < 2
    {
        assert!(began.elapsed() < Duration::from_mins(1), "both wait for the message");
        beat.tick().await;
    }
    sqlx::query("commit").execute(&mut holder).await.expect("released");
    let mut said = Vec::new();
    for one in both {
        said.extend(results(&one.await.expect("answered")));
    }
    assert_eq!(said.iter().filter(|word| *word == "contradicts").count(), 1, "{said:?}");
    assert_eq!(count(&harness, "outbox where contradicted is not null").await, 1);
    assert_eq!(count(&harness, "outbox_attempt where answer is not null").await, 2, "each answer is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_back_stops_the_feed_at_its_place_until_it_is_released() {
    let harness = Harness::new("feed_held").await;
    let (store, site) = (&harness.store, Website::of(&harness.store).await);
    let token = department(store, "tax", "36").await;
    let employer = unit_of(store).await;
    publish(store, employer, [1], "360102").await;
    let first = read(&site, &token, "", 10).await;
    publish(store, employer, [2, 3], "360102").await;
    let mut connection = harness.connection().await;
    let hold =
        "insert into push_hold (employer_id, year, held_at, held_by, why) values ($1, 2025, now(), 'ops', 'asked')";
    sqlx::query(hold).bind(employer.0).execute(&mut connection).await.expect("held");
    let stopped = read(&site, &token, &next(&first), 10).await;
    assert_eq!((ids(&stopped).len(), &stopped["held"], &stopped["next"]), (0, &json!(true), &first["next"]));
    sqlx::query("update push_hold set released_at = now(), released_by = 'ops'")
        .execute(&mut connection)
        .await
        .expect("released");
    let released = read(&site, &token, &next(&stopped), 10).await;
    assert_eq!((ids(&released).len(), &released["held"]), (2, &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_department_fetches_nothing_is_sent() {
    let harness = Harness::new("feed_mode").await;
    let employer = unit_of(&harness.store).await;
    publish(&harness.store, employer, [1], "360102").await;
    for mode in [TaxMode::Feed, TaxMode::Files] {
        let mut program = crate::runs::renzheng_on(&harness, &["push", "run"]);
        program.env("RENZHENG_TAX_MODE", mode.as_str()).env("RENZHENG_TAX_URL", "http://127.0.0.1:9");
        program.env("RENZHENG_TAX_KEY_ID", "ours").env("RENZHENG_TAX_KEY", "secret");
        let said = crate::runs::say(&mut program);
        assert!(said.starts_with("exit 2") && said.contains(&format!("`tax.mode` is `{mode}`")), "{said}");
    }
    let mut connection = harness.connection().await;
    let attempts: i64 =
        sqlx::query_scalar("select count(*) from outbox_attempt").fetch_one(&mut connection).await.expect("a count");
    assert_eq!(attempts, 0);
}
