//! The fixtures' province ready to be declared, with a tax department on loopback, and who acts in it.

use crate::evidence::made::png;
use crate::fixtures::Day;
use crate::harness::{Scratch, actor};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use renzheng::clock;
use renzheng::config::TaxSettings;
use renzheng::crypto::SignatureAlgorithm;
use renzheng::declare::affiliates_without_proof;
use renzheng::declare::complete::{Completed, Completing, commitment, complete, state};
use renzheng::declare::evidence::{Attaching, attach};
use renzheng::declare::import::{ImportKind, import};
use renzheng::declare::news::apply_news;
use renzheng::declare::{DeclareError, Declaring, amend, withdraw};
use renzheng::domain::access::{Actor, Role, Scope};
use renzheng::domain::declaration::{Change, Declaration};
use renzheng::domain::evidence::Subject;
use renzheng::domain::facts::{PersonId, UnitId};
use renzheng::domain::ids::{ResidentId, Uscc};
use renzheng::domain::month::Month;
use renzheng::push::{Client, Step, step};
use renzheng::sandbox::tax::{Key, TaxDepartment, router};
use renzheng::sandbox::tax_faults::Plan;
use renzheng::sandbox::tax_ledger::Ledger;
use renzheng::store::Store;
use renzheng::store::outbox::{Answered, AttemptRecord};
use sqlx::Row;
use std::sync::{Arc, Mutex};

pub const YEAR: i32 = 2025;
/// Three workers pass: all year, all year, ten months.
pub const SCHOOL: &str = "123699001000000590";
/// Eight workers, of whom the second wage delivery says something else.
pub const FACTORY: &str = "91369900MA1000A10H";
/// Some of its workers' certificates ended or were frozen before the declaration.
pub const ELECTRONICS: &str = "91369900MA1000A379";

/// The fixtures' province with everything pulled and judged, and a tax department on loopback.
pub struct Scene {
    pub day: Day,
    pub client: Client,
    pub folder: Scratch,
    pub department: Arc<TaxDepartment>,
    /// What the department's clock shows.
    pub tax_clock: Arc<Mutex<DateTime<Utc>>>,
    /// How it is spoken to.
    pub tax: TaxSettings,
}

impl Scene {
    pub async fn begin(name: &str) -> Self {
        let day = Day::begin(name).await;
        day.deliver_wages("wage-1.ndjson");
        day.pull_all().await;
        day.harness.verify(YEAR).await;
        Self::on(day, name).await
    }

    /// Another scene like this one, with a department of its own. This one is not used any more.
    pub async fn copied(&self, name: &str) -> Self {
        self.store().close().await;
        Self::on(self.day.copied(name).await, name).await
    }

    async fn on(day: Day, name: &str) -> Self {
        let folder = Scratch::new(&format!("{name}_tax"));
        let now = day.harness.store.now().await.expect("now");
        let tax_clock = Arc::new(Mutex::new(now));
        let (department, tax) = open_department(&folder, &tax_clock).await;
        let client = Client::new(&tax).expect("a client");
        Self { day, client, folder, department, tax_clock, tax }
    }

    pub fn store(&self) -> &Store {
        &self.day.harness.store
    }

    pub async fn declaring(&self, code: &str) -> Declaring {
        let uscc = Uscc::parse(code).expect("a code");
        let employer = self.store().find_unit(&uscc).await.expect("asked").expect("known");
        Declaring { employer, year: YEAR }
    }

    pub async fn person(&self, id_number: &str) -> PersonId {
        let id = ResidentId::parse(id_number).expect("an ID number");
        self.store().find_person(&id).await.expect("asked").expect("known")
    }

    pub async fn completing(&self, code: &str) -> Completing {
        let today = self.store().today().await.expect("today");
        let text = commitment(&self.day.harness.policy.policy, today).expect("a text");
        Completing::of(self.declaring(code).await, Some(text.version))
    }

    /// Hands in a file for every unit that the employer's placements name.
    pub async fn prove_affiliates(&self, code: &str) {
        let declaring = self.declaring(code).await;
        let store = self.store().clone().keep_evidence_in(self.folder.path().join("evidence"));
        let subjects: Vec<Subject> = (affiliates_without_proof(&store, declaring).await.expect("asked").into_iter())
            .map(|unit| Subject::Affiliate { year: YEAR as i16, unit })
            .collect();
        assert!(!subjects.is_empty(), "there is something to prove");
        let attaching = Attaching { employer: declaring.employer, file_name: "agreement.png", subjects: &subjects };
        let own = employer(declaring.employer);
        attach(&store, None, &own, &attaching, &png()[..]).await.expect("attached");
    }

    /// The employer completes.
    pub async fn complete(&self, code: &str) -> Result<Completed, DeclareError> {
        let completing = self.completing(code).await;
        let actor = employer(completing.declaring.employer);
        complete(self.store(), &self.day.harness.policy, &actor, &completing).await
    }

    pub async fn state(&self, code: &str) -> Declaration {
        state(self.store(), self.declaring(code).await).await.expect("a declaration")
    }

    /// Sends what waits until nothing is due, and takes the answers in.
    pub async fn push(&self) {
        let now = self.store().now().await.expect("now");
        while let Step::Sent(_) = step(self.store(), &self.client, now).await.expect("a step") {}
        apply_news(self.store()).await.expect("taken in");
    }

    /// The next message is rejected, though the department never sees it.
    pub async fn push_rejected(&self) {
        let now = self.store().now().await.expect("now");
        let outgoing = self.store().open_attempt(now).await.expect("opened").expect("a message is due");
        let answer = serde_json::json!({ "code": "division_closed", "field": "tax_division", "text": "closed" });
        let record = AttemptRecord { status: Some(200), ..AttemptRecord::default() };
        self.store().close_attempt(&outgoing, &record, &Answered::Rejected { answer }, now).await.expect("closed");
        apply_news(self.store()).await.expect("taken in");
    }

    pub fn ledger(&self) -> Ledger {
        Ledger::open(&self.folder.path().join("ledger.ndjson")).expect("a ledger")
    }

    /// What the department holds: version and weighted person-months of each employer.
    pub fn held(&self) -> Vec<(String, u64, u64)> {
        let months = |message: &serde_json::Value| message["weighted_person_months"].as_u64().unwrap_or_default();
        self.ledger().in_force().iter().map(|held| (held.uscc.clone(), held.version, months(&held.message))).collect()
    }

    /// What the department received, in order: the end of each idempotency key, and whether it was accepted.
    pub fn received(&self) -> Vec<String> {
        let ledger = self.ledger();
        let told = |entry: &renzheng::sandbox::tax_ledger::Entry| {
            let answer = serde_json::to_value(&entry.answer).expect("an answer");
            let key = entry.idempotency_key.splitn(3, ':').nth(2).unwrap_or_default().to_owned();
            let message: serde_json::Value = serde_json::from_str(&entry.body).expect("a message");
            let supersedes =
                message["supersedes"].as_u64().map_or_else(String::new, |version| format!(" for {version}"));
            format!("{key}{supersedes} {}", answer["status"].as_str().unwrap_or_default())
        };
        ledger.entries().iter().map(told).collect()
    }

    /// Months that the employer claims.
    pub async fn claims(&self, code: &str) -> i64 {
        let employer = self.declaring(code).await.employer;
        let mut connection = self.day.harness.connection().await;
        sqlx::query_scalar("select count(*) from claim where employer_id = $1 and to_seq is null")
            .bind(employer.0)
            .fetch_one(&mut connection)
            .await
            .expect("a count")
    }

    pub async fn audited(&self) -> i64 {
        let mut connection = self.day.harness.connection().await;
        sqlx::query_scalar("select count(*) from audit where object like 'declaration %'")
            .fetch_one(&mut connection)
            .await
            .expect("a count")
    }

    /// Every version's weighted months as frozen, and every body ever enqueued that certifies it.
    pub async fn assert_only_what_was_confirmed_leaves(&self) {
        let mut connection = self.day.harness.connection().await;
        let rows = sqlx::query(
            "select o.body, coalesce(sum(d.weight), 0) as weighted from outbox o
             left join declared_month d using (employer_id, year, version) where o.kind = 'certified' group by o.message_id, o.body",
        )
        .fetch_all(&mut connection)
        .await
        .expect("rows");
        for row in rows {
            let body: serde_json::Value = serde_json::from_slice(&row.get::<Vec<u8>, _>("body")).expect("a message");
            assert_eq!(body["weighted_person_months"].as_i64(), Some(row.get::<i64, _>("weighted")));
        }
    }

    pub async fn correct_contract(&self, row: &str) {
        let path = self.folder.path().join("contracts.csv");
        let text = format!("employer_uscc,year,id_number,kind,starts_on,ends_on,terminated_on\n{row}\n");
        std::fs::write(&path, text).expect("written");
        let policy = &self.day.harness.policy.policy;
        let report = import(self.store(), policy, ImportKind::Contracts, &path, &actor()).await.expect("imported");
        assert!(report.refused.is_empty(), "{:?}", report.refused);
    }

    pub async fn clock(&self, date: &str, time: &str) {
        let date: NaiveDate = date.parse().expect("a date");
        let time = NaiveTime::parse_from_str(time, "%H:%M:%S").expect("a time");
        self.store().set_clock(clock::shanghai(date, time)).await.expect("the clock is set");
    }
}

/// A tax department on loopback that remembers what stands in the folder, and how it is spoken to.
pub async fn open_department(
    folder: &Scratch,
    tax_clock: &Arc<Mutex<DateTime<Utc>>>,
) -> (Arc<TaxDepartment>, TaxSettings) {
    let algorithm = SignatureAlgorithm::HmacSm3;
    let key = |id: &str, secret: &[u8]| Key { id: id.to_owned(), algorithm, secret: secret.to_vec() };
    let keys = vec![key("ours", b"secret"), key("next", b"next secret")];
    let shown = Arc::clone(tax_clock);
    let department = TaxDepartment::open(&folder.path().join("ledger.ndjson"), keys, None).expect("a department");
    let department =
        department.with_faults(Plan::default(), Arc::new(move || *shown.lock().expect("the department's clock")));
    let department = Arc::new(department);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let listening = router(Arc::clone(&department));
    tokio::spawn(async move { axum::serve(listener, listening).await });
    (department, TaxSettings::new(url, "ours", "secret", algorithm))
}

pub fn employer(unit: UnitId) -> Actor {
    let name = format!("employer {}", unit.0);
    Actor { name, role: Role::Employer, scope: Scope::Units(vec![unit]), on_behalf_of: None }
}

pub fn supervisor() -> Actor {
    let scope = Scope::Division("36".to_owned());
    Actor { name: "supervisor".to_owned(), role: Role::Supervisor, scope, on_behalf_of: None }
}

pub fn month(number: u32) -> Month {
    Month::new(YEAR, number).expect("a month")
}

pub fn change(person: PersonId, number: u32, add: bool) -> Change {
    Change { person, month: month(number), add, reason: "what was delivered later".to_owned() }
}

pub fn withdrawal(levy_paid: bool) -> withdraw::Asking {
    withdraw::Asking { reason: "a contract ended earlier".to_owned(), levy_paid, refund_reference: None }
}

pub fn approval(refund_reference: Option<&str>) -> withdraw::Deciding {
    let refund_reference = refund_reference.map(str::to_owned);
    withdraw::Deciding { approve: true, reason: "seen".to_owned(), refund_reference }
}

pub fn amendment_approval() -> amend::Deciding {
    amend::Deciding { approve: true, reason: "seen".to_owned() }
}

pub fn code(outcome: Result<impl std::fmt::Debug, DeclareError>) -> &'static str {
    outcome.expect_err("refused").code().expect("a refusal")
}
