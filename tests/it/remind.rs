//! Near the end of the window nobody files nothing in silence: reminders once a threshold, and what is agreed is completed on the last day.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use renzheng::clock;
use renzheng::config::{AlertSettings, Job, RemindSettings, Secret, WebhookSettings};
use renzheng::crypto::SignatureAlgorithm;
use renzheng::declare::Declaring;
use renzheng::declare::complete::{Completing, business_year, commitment, complete, state};
use renzheng::declare::consent::{ConsentError, give, revoke};
use renzheng::domain::access::{Actor, Role, Scope};
use renzheng::domain::facts::UnitId;
use renzheng::domain::ids::Uscc;
use renzheng::notify;
use renzheng::schedule::remind::{Reminded, Reminding};
use renzheng::store::Store;
use sqlx::PgConnection;

use crate::fixtures::{Day, fixtures};
use crate::harness::actor;
use crate::http_agency::{Reply, Server};
use crate::runs::say_on;

const YEAR: i32 = 2025;
/// Everything of the first and of the second passes or is unticked.
const FIRST: &str = "91369900MA1000A454";
const SECOND: &str = "91369900MA1000A10H";
const THIRD: &str = "51369900500000090L";

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// The small province, judged, with everybody's declaration open, and a gateway that takes what is told.
struct Scene {
    day: Day,
    alerts: AlertSettings,
    job: Job,
    gateway: Server,
    connection: PgConnection,
}

impl Scene {
    async fn begin(name: &str) -> Self {
        let scene = Day::begin(name).await;
        scene.deliver_wages("wage-1.ndjson");
        scene.pull_all().await;
        scene.harness.verify(YEAR).await;
        let gateway = Server::start(|_| Reply::status(204)).await;
        let webhook = |place: &str| WebhookSettings {
            url: format!("{}/{place}", gateway.url),
            key_id: "ours".to_owned(),
            key: Secret::new("synthetic"),
            algorithm: SignatureAlgorithm::HmacSm3,
        };
        let staff = ["3601".to_owned(), "36".to_owned()];
        let remind = RemindSettings {
            employers: vec!["webhook:gateway".to_owned()],
            staff: staff.into_iter().map(|division| (division, vec!["webhook:staff".to_owned()])).collect(),
            ..RemindSettings::default()
        };
        let webhooks = ["gateway", "staff"].map(|name| (name.to_owned(), webhook(name)));
        let alerts = AlertSettings { webhooks: BTreeMap::from(webhooks), remind, ..AlertSettings::default() };
        let text = "kind = \"remind\"\nschedule = \"0 9,18 * * *\"\n";
        let job = Job::parse(std::path::Path::new("jobs/remind.toml"), text).expect("a job");
        let connection = scene.harness.connection().await;
        Self { day: scene, alerts, job, gateway, connection }
    }

    fn store(&self) -> &Store {
        &self.day.harness.store
    }

    async fn remind(&self) -> Reminded {
        let (store, reading) = (self.store(), &self.day.harness.policy);
        let reminding = Reminding { store, reading, jobs: &[], alerts: &self.alerts };
        reminding.remind(&self.job, "test").await.expect("reminded")
    }

    async fn at(&self, date: &str, time: &str) -> Reminded {
        self.day.harness.clock(day(date), time).await;
        self.remind().await
    }

    async fn employer(&self, uscc: &str) -> UnitId {
        let uscc = Uscc::parse(uscc).expect("a code");
        self.store().find_unit(&uscc).await.expect("an answer").expect("a unit")
    }

    async fn state(&self, uscc: &str) -> String {
        let declaring = Declaring { employer: self.employer(uscc).await, year: YEAR };
        state(self.store(), declaring).await.expect("a state").name().to_owned()
    }

    /// What the gateway got: where, and what.
    async fn told(&self) -> Vec<(String, serde_json::Value)> {
        notify::deliver(self.store(), &self.alerts).await.expect("sent");
        let asked = self.gateway.take_asked();
        asked.iter().map(|asked| (asked.address.clone(), serde_json::from_str(&asked.body).expect("JSON"))).collect()
    }

    async fn version(&self) -> String {
        let today = self.store().today().await.expect("today");
        commitment(&self.day.harness.policy.policy, today).expect("a text").version
    }

    async fn consent(&self, uscc: &str, actor: &Actor) -> Result<(), ConsentError> {
        let declaring = Declaring { employer: self.employer(uscc).await, year: YEAR };
        let version = self.version().await;
        give(self.store(), &self.day.harness.policy, declaring, actor, &version).await.map(drop)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_finished_hears_of_it_once_a_threshold_and_who_is_not_at_all() {
    let scene = Scene::begin("remind_once").await;
    assert_eq!(business_year(scene.store().now().await.expect("business time")), YEAR);
    assert_eq!(scene.at("2026-08-31", "09:00").await, Reminded::default(), "it is too early");
    scene.day.harness.clock(day("2026-09-01"), "09:00").await;
    // two processes at once
    let (one, other) = tokio::join!(scene.remind(), scene.remind());
    assert_eq!((one.days_before, one.employers + other.employers, one.divisions + other.divisions), (Some(60), 9, 2));
    let told = scene.told().await;
    let to_employers = told.iter().filter(|(address, _)| address == "/gateway").count();
    assert_eq!((to_employers, told.len()), (9, 11));
    assert_eq!(scene.at("2026-09-02", "09:00").await.employers, 0, "it heard of it yesterday");
    assert!(scene.told().await.is_empty());

    // one completes: it hears no more
    let harness = &scene.day.harness;
    let declaring = Declaring { employer: scene.employer(FIRST).await, year: YEAR };
    let completing = Completing::of(declaring, Some(scene.version().await));
    complete(&harness.store, &harness.policy, &actor(), &completing).await.expect("completed");
    let late = scene.at("2026-10-01", "09:00").await;
    // a receipt that does not come is told of, to employer and staff
    assert_eq!((late.days_before, late.employers, late.divisions), (Some(30), 9, 2));
    let told = scene.told().await;
    let of_first: Vec<&str> =
        told.iter().filter_map(|(_, body)| body["text"].as_str()).filter(|text| text.contains(FIRST)).collect();
    assert!(
        matches!(of_first[..], [text] if text.contains("no receipt of the tax department has come")),
        "{of_first:?}"
    );
    sqlx::query(
        "update declaration set state = jsonb_set(state, '{state}', '\"accepted\"')
                 || '{\"receipt\": \"R\", \"accepted_at\": \"2026-10-02T00:00:00Z\"}'",
    )
    .execute(&mut scene.day.harness.connection().await)
    .await
    .expect("accepted");
    // a threshold that was missed is made up for
    let last = scene.at("2026-10-27", "09:00").await;
    assert_eq!((last.days_before, last.employers, last.divisions), (Some(7), 8, 2));
    assert_eq!(scene.at("2026-11-01", "09:00").await, Reminded::default(), "it is too late");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_names_a_person_and_no_subject_tells_what_it_is_about() {
    let scene = Scene::begin("remind_canary").await;
    scene.at("2026-10-30", "09:00").await;
    let told = scene.told().await;
    assert_eq!(told.len(), 11);
    let placements = std::fs::read_to_string(fixtures().join("placements.csv")).expect("placements");
    let canaries: Vec<&str> = placements.lines().skip(1).flat_map(|line| line.split(',').skip(2).take(2)).collect();
    assert!(canaries.len() > 50);
    for (address, body) in &told {
        let whole = body.to_string();
        for canary in &canaries {
            assert!(!whole.contains(canary), "{address}: {whole}");
        }
        let subject = body["subject"].as_str().expect("a subject");
        assert!(!subject.contains('残') && !subject.to_lowercase().contains("disab"), "{subject}");
    }
    let mut texts: Vec<String> = told
        .iter()
        .filter(|(address, _)| address == "/staff")
        .map(|(_, body)| format!("{}\n{}{}", body["subject"], body["text_zh"], body["text"]))
        .collect();
    texts.sort();
    insta::assert_snapshot!(texts.join("\n\n"), @r###"
"2025 年度年审申报进度：还剩 1 天 / Declarations for 2025: 1 day left"
"辖区 3601：3 家用人单位尚未完成 2025 年度申报，截止日期 2026-10-31，还剩 1 天。\n- 3 家未完成申报\n- 3 家已全部确认，只差“完成申报”\n""Division 3601: 3 employers have not finished their declaration for 2025, which is open until 2026-10-31, 1 day left.\n- 3 are open\n- 3 have everything confirmed and only have to complete it\n"

"2025 年度年审申报进度：还剩 1 天 / Declarations for 2025: 1 day left"
"辖区 36：9 家用人单位尚未完成 2025 年度申报，截止日期 2026-10-31，还剩 1 天。\n- 9 家未完成申报\n- 8 家已全部确认，只差“完成申报”\n""Division 36: 9 employers have not finished their declaration for 2025, which is open until 2026-10-31, 1 day left.\n- 9 are open\n- 8 have everything confirmed and only have to complete it\n"
"###);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_agreed_is_completed_on_the_last_day_and_nothing_else_is() {
    let mut scene = Scene::begin("remind_consent").await;
    let operator = Actor::operator("counter");
    let foreign = Actor { role: Role::Employer, scope: Scope::Units(Vec::new()), ..operator.clone() };
    assert!(matches!(scene.consent(FIRST, &foreign).await, Err(ConsentError::Denied(_))));
    for uscc in [FIRST, SECOND, THIRD] {
        scene.consent(uscc, &operator).await.expect(uscc);
    }
    assert!(matches!(scene.consent(FIRST, &operator).await, Err(ConsentError::GivenBefore)));
    let second = Declaring { employer: scene.employer(SECOND).await, year: YEAR };
    revoke(scene.store(), second, &operator).await.expect("revoked");
    assert!(matches!(revoke(scene.store(), second, &operator).await, Err(ConsentError::NoneGiven)));
    // of the third a month is ticked that does not pass
    let third = scene.employer(THIRD).await;
    let failing = scene.day.harness.results(YEAR).await;
    let failing = failing.iter().find(|line| line.employer_uscc == THIRD && !line.passed).expect("a month that fails");
    let month: i32 = failing.month[5..].parse().expect("a month");
    sqlx::query(
        "insert into choice (person_id, employer_id, month, from_seq, ticked, chosen_at, chosen_by)
         select person_id, employer_id, 2025 * 12 + $2 - 1, (select seq from publish_head), true, now(), 'test'
         from placement where employer_id = $1 and year = 2025 and to_seq is null",
    )
    .bind(third.0)
    .bind(month)
    .execute(&mut scene.connection)
    .await
    .expect("ticked");

    assert_eq!(scene.at("2026-10-30", "20:00").await.completed, 0, "not before the last day");
    assert_eq!(scene.at("2026-10-31", "17:59").await.completed, 0, "nor before its time");
    scene.told().await;
    scene.day.harness.clock(day("2026-10-31"), "18:00").await;
    let (one, other) = tokio::join!(scene.remind(), scene.remind());
    assert_eq!(one.completed + other.completed, 1);
    assert_eq!(one.failed + other.failed, 0);
    assert_eq!(scene.state(FIRST).await, "completed");
    assert!(
        matches!(scene.consent(FIRST, &operator).await, Err(ConsentError::NotOpen(2025))),
        "nothing is left to agree to"
    );
    assert_eq!((scene.state(SECOND).await, scene.state(THIRD).await), ("open".to_owned(), "open".to_owned()));
    let told = scene.told().await;
    let mut kinds: Vec<(&str, &str)> = told
        .iter()
        .map(|(_, body)| (body["kind"].as_str().expect("a kind"), body["employer_uscc"].as_str().expect("whose")))
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [("completed", FIRST), ("reminder", THIRD)], "{told:?}");
    let (actor, commitment): (String, String) = sqlx::query_as(
        "select actor || ' for ' || on_behalf_of, (select commitment_hash from standing_consent where revoked_at is not null) from audit where action = 'complete'",
    )
    .fetch_one(&mut scene.connection)
    .await
    .expect("an audit row");
    assert_eq!((actor, commitment.len()), (format!("renzheng for {FIRST}"), 64));

    // whoever completed it died before the employer was told: the next look tells, and completes nothing
    for statement in [
        "delete from message_attempt where message_id in (select message_id from message where reminder_id in
             (select reminder_id from reminder where kind = 'completed'))",
        "delete from message where reminder_id in (select reminder_id from reminder where kind = 'completed')",
        "delete from reminder where kind = 'completed'",
    ] {
        sqlx::query(statement).execute(&mut scene.connection).await.expect("forgotten");
    }
    assert_eq!(scene.remind().await.completed, 1);
    assert_eq!(scene.remind().await.completed, 0, "told once");
    let versions: i64 = sqlx::query_scalar("select count(*) from declared_version")
        .fetch_one(&mut scene.connection)
        .await
        .expect("a count");
    assert_eq!(versions, 1);
    // revoked between the look and the step
    let by_consent = Completing { by_consent: true, ..Completing::of(second, Some(scene.version().await)) };
    let revoked = complete(scene.store(), &scene.day.harness.policy, &Actor::program("renzheng"), &by_consent).await;
    assert_eq!(revoked.expect_err("refused").code(), Some("no_consent"));
    let acts: Vec<String> = sqlx::query_scalar(
        "select actor || ' ' || (detail ->> 'given') from audit where action = 'consent' order by 1",
    )
    .fetch_all(&mut scene.connection)
    .await
    .expect("audit rows");
    assert_eq!(acts, ["counter false", "counter true", "counter true", "counter true"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_is_given_and_revoked_at_the_counter() {
    let scene = Scene::begin("remind_counter").await;
    let harness = &scene.day.harness;
    let whose = ["declare", "consent", "--employer", FIRST, "--year", "2025"];
    let say = |further: &[&str]| say_on(harness, &[&whose[..], further].concat());
    let version = scene.version().await;
    assert!(say(&[]).starts_with("exit 2"));
    let another = say(&["--accept-commitment", "another"]);
    assert!(another.starts_with("exit 2") && another.contains("the text in force is version"), "{another}");
    assert!(say(&["--accept-commitment", &version]).starts_with("exit 0"));
    assert!(say(&["--revoke"]).starts_with("exit 0"));
    assert!(say(&["--revoke"]).starts_with("exit 2"));
    assert_eq!(clock::business_date(scene.store().now().await.expect("business time")), day("2026-04-15"));
}
