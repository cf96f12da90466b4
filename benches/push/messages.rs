//! Messages drained over loopback into the sandbox's tax department, which forces its ledger to the disk, in order for each employer; and
//! their answers taken into the declarations.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use renzheng::clock;
use renzheng::config::TaxSettings;
use renzheng::crypto::{Keys, SignatureAlgorithm};
use renzheng::declare::news::apply_news;
use renzheng::domain::certification::{Certification, OutboundMessage, Subject};
use renzheng::domain::counting::Count;
use renzheng::domain::declaration::{Change, Commitment, Declaration, Effect, Event};
use renzheng::domain::facts::PersonId;
use renzheng::domain::ids::Uscc;
use renzheng::domain::month::Month;
use renzheng::push::{Client, Drain, Drained, Pace};
use renzheng::sandbox::tax::{Key, TaxDepartment, router};
use renzheng::sandbox::tax_ledger::Ledger;
use renzheng::store::Store;
use renzheng::store::declarations::OutboxMessage;
use renzheng::store::outbox::Passing;
use renzheng::store::publish::{Cause, Publish};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::program::Program;
use crate::common::server::Server;
use crate::common::units::credit_code;

const DATABASE: &str = "push_messages";
/// The same, for the program.
const COPY: &str = "push_messages_copy";
const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::HmacSm3;
const YEAR: i16 = 2025;
/// Employers whose declarations are stored in one publish.
const TOGETHER: usize = 500;

/// Messages a second: drained alone, taken in alone, and both by the program as it does them.
pub fn measure(server: &Server, program: &Program, work: &Path, employers: u32) -> anyhow::Result<Value> {
    server.create(DATABASE, None)?;
    program.prepare(server.url(DATABASE))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let key_file = program.key_file.clone();
    let messages = runtime.block_on(async {
        let store = Store::open(&server.url(DATABASE), Keys::read_file(&key_file)?).await?;
        let messages = fill(&store, employers, store.now().await?).await?;
        store.close().await;
        anyhow::Ok(messages)
    })?;
    server.settle(DATABASE)?;
    server.create(COPY, Some(DATABASE))?;

    let (drained_s, applied_s, parallel) = runtime.block_on(async {
        let store = Store::open(&server.url(DATABASE), Keys::read_file(&key_file)?).await?;
        let ledger = work.join("ledger.ndjson");
        let settings = TaxSettings::new(open(&ledger).await?, "ours", "secret", ALGORITHM);
        let client = Client::new(&settings)?;
        let began = Instant::now();
        let mut drain = Drain::new(&store, &client, Passing::Everything, Pace::of(&settings));
        let mut drained = Drained::default();
        loop {
            let sent = drain.batch(u64::MAX).await?;
            if sent.is_empty() {
                break;
            }
            drained.add(&sent);
        }
        let drained_s = began.elapsed().as_secs_f64();
        ensure!(
            drained.accepted == messages && drained.attempts() == messages,
            "not everything was accepted: {drained:?}"
        );
        check_order(&ledger, messages)?;
        let began = Instant::now();
        let applied = apply_news(&store).await?;
        let applied_s = began.elapsed().as_secs_f64();
        ensure!(applied == messages, "{applied} answers of {messages} were taken in");
        store.close().await;
        anyhow::Ok((drained_s, applied_s, settings.parallel))
    })?;

    let ledger = work.join("ledger-of-the-program.ndjson");
    let url = runtime.block_on(open(&ledger))?;
    let variables = [
        ("DATABASE_URL", server.url(COPY)),
        ("RENZHENG_TAX_URL", url),
        ("RENZHENG_TAX_KEY_ID", "ours".to_owned()),
        ("RENZHENG_TAX_KEY", "secret".to_owned()),
    ];
    let ran = program.run(&["push", "run"], &variables)?;
    ensure!(ran.report["answers"] == json!(messages), "not everything was handed over: {} {}", ran.report, ran.words);
    check_order(&ledger, messages)?;
    let (took_s, per_second) = (ran.took.as_secs_f64(), |seconds: f64| (messages as f64 / seconds).round());
    Ok(json!({
        "employers": employers, "messages": messages, "parallel": parallel, "goal_per_second": 100,
        "drained_seconds": drained_s, "drained_per_second": per_second(drained_s),
        "applied_seconds": applied_s, "applied_per_second": per_second(applied_s),
        "program_seconds": took_s, "program_per_second": per_second(took_s),
        "program_peak_bytes": ran.peak_bytes, "program_processor_seconds": ran.processor_seconds,
    }))
}

/// A tax department on loopback that remembers by this file; its address.
async fn open(ledger: &Path) -> anyhow::Result<String> {
    let keys = vec![Key { id: "ours".to_owned(), algorithm: ALGORITHM, secret: b"secret".to_vec() }];
    let department = Arc::new(TaxDepartment::open(ledger, keys, None)?);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router(department)).await });
    Ok(url)
}

/// Of each employer the versions came one after the other.
fn check_order(ledger: &Path, messages: u64) -> anyhow::Result<()> {
    let ledger = Ledger::open(ledger)?;
    ensure!(ledger.entries().len() as u64 == messages, "the ledger holds {} messages", ledger.entries().len());
    let mut last: HashMap<String, u64> = HashMap::new();
    for entry in ledger.entries() {
        let message: Value = serde_json::from_str(&entry.body)?;
        let employer = message["uscc"].as_str().context("a code")?.to_owned();
        let version = message["version"].as_u64().context("a version")?;
        let before = last.insert(employer, version).unwrap_or_default();
        ensure!(version == before + 1, "version {version} came after {before}");
    }
    Ok(())
}

/// Declares everybody, amended once or twice where the number says so; how many messages wait.
async fn fill(store: &Store, employers: u32, at: DateTime<Utc>) -> anyhow::Result<u64> {
    let mut messages = 0;
    let numbers: Vec<u32> = (0..employers).collect();
    for together in numbers.chunks(TOGETHER) {
        let codes = together.iter().map(|number| Ok(Uscc::parse(&credit_code(u64::from(*number)))?));
        let codes = codes.collect::<anyhow::Result<Vec<Uscc>>>()?;
        let mut publish = store.publish(Cause::Completion, at).await?;
        let units = publish.ensure_units(&codes).await?;
        for (number, code) in together.iter().zip(&codes) {
            let unit = *units.get(code).context("a unit")?;
            let mut declaration = Declaration::default();
            for event in events(number % 3) {
                let (after, effects) = declaration.apply(event, at)?;
                declaration = after;
                for effect in effects {
                    if let Effect::Certify { message, completion, supersedes } = effect {
                        let subject = Subject {
                            uscc: *code,
                            employer_name: format!("合成单位{number}"),
                            tax_division: "360102".to_owned(),
                            year: YEAR,
                        };
                        let certification = Certification {
                            count: Count::of([[1; 12], [2; 12]]),
                            supersedes,
                            certified_at: at,
                            number: completion.certification_number,
                        };
                        let message_id = clock::uuid_v7(at);
                        let body = OutboundMessage::certified(message_id, message, subject, certification);
                        let body = serde_json::to_vec(&body)?;
                        let row = OutboxMessage {
                            message_id,
                            employer: unit,
                            year: YEAR,
                            message,
                            idempotency_key: message.idempotency_key(code, i32::from(YEAR)),
                            digest: Sha256::digest(&body).into(),
                            body,
                            recovery: false,
                        };
                        publish.enqueue(&row, at).await?;
                        messages += 1;
                    }
                }
            }
            save(&mut publish, unit, &declaration, at).await?;
        }
        publish.commit().await?;
    }
    Ok(messages)
}

async fn save(
    publish: &mut Publish,
    unit: renzheng::domain::facts::UnitId,
    declaration: &Declaration,
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    Ok(publish.save_declaration(unit, YEAR, declaration, at).await?)
}

/// A completion, then so many amendments that were approved before anything was answered.
fn events(amendments: u32) -> Vec<Event> {
    let commitment = Commitment { version: "1".to_owned(), hash: "00".repeat(32) };
    let number = |version: u32| format!("36-2025-{version:08}");
    let mut events = vec![Event::Complete { by: "employer".to_owned(), certification_number: number(1), commitment }];
    for amendment in 1..=amendments {
        let change = Change {
            person: PersonId(1),
            month: Month::from_index(i32::from(YEAR) * 12).expect("January"),
            add: amendment % 2 == 0,
            reason: "measured".to_owned(),
        };
        events.push(Event::AskAmendment { by: "employer".to_owned(), changes: vec![change] });
        events.push(Event::DecideAmendment {
            by: "supervisor".to_owned(),
            approve: true,
            reason: "measured".to_owned(),
            certification_number: number(amendment + 1),
        });
    }
    events
}
