//! Every way in which the hand-over to the tax department is known to fail, one row each: what the department does, what is seen while it
//! does it, and how it ends.
//!
//! Beside what a row says, the same is checked after each: nothing is lost and nothing is there twice, what came to the department is byte
//! for byte what was frozen here, what it holds is what is declared, and no message is left unconfirmed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::TimeDelta;
use renzheng::config::PreviousKey;
use renzheng::config::{Secret, TaxSettings};
use renzheng::declare::{amend, corrections, withdraw};
use renzheng::domain::access::Actor;
use renzheng::domain::message::MessageKind;
use renzheng::push::gate::Gate;
use renzheng::sandbox::tax_faults::Plan;
use renzheng::schedule::hand_over::hand_over;
use renzheng::store::outbox_lines::OutboxLine;

use crate::declaring::{
    FACTORY, SCHOOL, Scene, YEAR, amendment_approval, approval, change, employer, supervisor, withdrawal,
};

/// One fault of the hand-over.
struct Row {
    id: &'static str,
    /// What the department does.
    department: &'static str,
    cases: &'static [Case],
}

/// One form of a fault.
#[derive(Clone, Copy)]
struct Case {
    /// The plan of faults.
    plan: &'static str,
    story: Story,
    /// How long the fault stands.
    hours: i64,
    /// The states of the messages when that time is over, in the order in which they were made; a state is followed by `!` where the
    /// department contradicted itself, and by `?` where it is asked again.
    meanwhile: &'static str,
    /// What an attempt says of it; nothing where nothing is wrong with any.
    says: &'static str,
    /// Whether the message came more than once.
    again: bool,
}

/// What is declared while the department fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    /// One employer completes.
    One,
    /// Two do.
    Two,
    /// One completes and is amended before the first version is answered.
    Amended,
    /// One completes, and that is taken back before it is answered.
    TakenBack,
    /// One was accepted; then the fault begins, and an operator has the department asked.
    Asked,
    /// One is rejected, and issued again when the fault is over.
    Reissued,
    /// We changed our key, the department did not yet.
    Rekeyed,
}

const fn one(plan: &'static str, hours: i64, meanwhile: &'static str, says: &'static str) -> Case {
    Case { plan, story: Story::One, hours, meanwhile, says, again: true }
}

const fn of(case: Case, story: Story) -> Case {
    Case { story, ..case }
}

const fn once(case: Case) -> Case {
    Case { again: false, ..case }
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    Row { id: "P1", department: "is down for an hour, a week, a month", cases: &[
        one("what = \"down\"", 1, "sent", "error sending request"),
        one("what = \"down\"", 7 * 24, "sent", "error sending request"),
        one("what = \"down\"", 30 * 24, "sent", "error sending request"),
    ] },
    Row { id: "P2", department: "is out of order", cases: &[
        one("what = \"out_of_order\"\nstatus = 500", 3, "sent", "status 500: the department is busy or out of order"),
        one("what = \"out_of_order\"\nstatus = 504", 3, "sent", "status 504: the department is busy or out of order"),
    ] },
    Row { id: "P3", department: "takes no more for now", cases: &[
        one("what = \"too_many\"\nretry_after_s = 7200", 1, "sent", "status 429"),
        one("what = \"too_many\"", 2, "sent", "status 429"),
    ] },
    Row { id: "P4", department: "does not hear the request", cases: &[
        one("what = \"down\"\ntimes = 1", 1, "accepted", "error sending request"),
    ] },
    Row { id: "P5", department: "takes the message in, and its answer is lost", cases: &[
        one("what = \"answer_lost\"\ntimes = 1", 1, "accepted", "error sending request"),
        once(one("what = \"answer_cut\"\nof = \"send\"\ntimes = 2", 1, "accepted", "an answer that breaks off")),
    ] },
    Row { id: "P6", department: "gives the answer of the request before once more", cases: &[
        of(once(one("what = \"answer_repeated\"\nof = \"send\"\ntimes = 2", 1, "accepted accepted", "an answer about another message")), Story::Two),
    ] },
    Row { id: "P7", department: "answers about a message that nobody sent", cases: &[
        once(one("what = \"answer_stray\"\nof = \"send\"\ntimes = 2", 1, "accepted", "an answer about another message")),
    ] },
    Row { id: "P8", department: "would decide on the second version before the first", cases: &[
        of(one("what = \"later\"\nabout = \":1:certified\"\nhours = 24", 20, "sent waiting", ""), Story::Amended),
    ] },
    Row { id: "P9", department: "answers after days", cases: &[
        one("what = \"later\"\nhours = 72", 71, "sent", ""),
    ] },
    Row { id: "P10", department: "takes back what it had accepted", cases: &[
        of(once(one("what = \"revoked_later\"", 2, "accepted!", "")), Story::Asked),
    ] },
    Row { id: "P11", department: "rejects for a passing fault, or by a rule", cases: &[
        one("what = \"passing_rejection\"", 2, "sent", ""),
        of(once(one("what = \"rejected\"", 2, "rejected", "")), Story::Reissued),
    ] },
    Row { id: "P12", department: "answers 200 with an error inside", cases: &[
        one("what = \"error_inside\"", 2, "unknown", "not an answer as agreed"),
    ] },
    Row { id: "P13", department: "uses a word that nobody knows", cases: &[
        once(one("what = \"unknown_word\"", 5, "unknown", "not an answer as agreed")),
        once(one("what = \"receipt_with_nul\"", 5, "unknown", "control characters")),
    ] },
    Row { id: "P14", department: "answers 200 with the page by which people log in", cases: &[
        one("what = \"login_page\"", 5, "unknown", "not an answer as agreed"),
        once(one("what = \"answer_huge\"", 2, "unknown", "an answer of more than")),
    ] },
    Row { id: "P15", department: "takes in a part of what comes together", cases: &[
        of(one("what = \"out_of_order\"\nabout = \"123699001000000590\"", 2, "sent accepted", "status 503"), Story::Two),
    ] },
    Row { id: "P16", department: "holds another number than it accepted", cases: &[
        of(once(one("what = \"another_number\"", 5, "accepted?", "accepted with another digest")), Story::Asked),
        once(one("what = \"another_digest\"", 5, "unknown", "accepted with another digest")),
    ] },
    Row { id: "P17", department: "was restored, and has forgotten messages", cases: &[
        of(one("what = \"forget\"\nmessages = 1\ntimes = 1", 2, "accepted", "the department does not hold the message"), Story::Asked),
    ] },
    Row { id: "P18", department: "changes keys while it is down, after us or before", cases: &[
        of(one("what = \"keys\"\nkeys = [\"ours\"]", 2, "accepted", "under the previous key `ours`"), Story::Rekeyed),
        one("what = \"keys\"\nkeys = [\"next\"]", 2, "sent", "status 401"),
    ] },
    Row { id: "P19", department: "answers after what it answers was taken back", cases: &[
        of(one("what = \"later\"\nabout = \":1:certified\"\nhours = 24", 20, "sent waiting", ""), Story::TakenBack),
        of(one("what = \"answer_lost\"\nof = \"send\"\ntimes = 1", 1, "withdrawn accepted", "error sending request"), Story::TakenBack),
    ] },
    Row { id: "P20", department: "comes and goes", cases: &[
        of(one("what = \"flapping\"\nup = 1\ndown = 3", 12, "accepted accepted", "error sending request"), Story::Two),
    ] },
    Row { id: "P21", department: "acknowledges after a day", cases: &[
        one("what = \"later\"\nhours = 24", 27, "accepted", ""),
    ] },
];

#[test]
fn every_known_way_of_the_hand_over_to_fail_has_its_row() {
    let ids: Vec<String> = TABLE.iter().map(|row| row.id.to_owned()).collect();
    let expected: Vec<String> = (1..=21).map(|number| format!("P{number}")).collect();
    assert_eq!(ids, expected);
    assert!(TABLE.iter().all(|row| !row.cases.is_empty() && !row.department.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_department_does_it_ends_up_with_what_is_declared_once() {
    let prepared = Scene::begin("push_faults").await;
    prepared.prove_affiliates(FACTORY).await;
    let mut failed = String::new();
    for row in TABLE {
        for (number, case) in row.cases.iter().enumerate() {
            let scene = prepared.copied(&format!("{}_{number}", row.id.to_lowercase())).await;
            let outcome = tokio::spawn(async move { play(&Play::new(scene, case)).await }).await;
            if let Err(panic) = outcome {
                let _written = writeln!(failed, "{} ({}), case {}: {panic}", row.id, row.department, number + 1);
            }
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

/// One case as it goes on.
struct Play {
    scene: Scene,
    case: &'static Case,
    /// How we speak to the department.
    tax: TaxSettings,
    /// Opened before anything goes wrong.
    gate: Gate,
}

async fn play(play: &Play) {
    let (scene, case) = (&play.scene, play.case);
    let faults = &scene.department.faults;
    let fault = Plan::parse(&format!("[[fault]]\n{}\n", case.plan)).expect("a plan");
    play.push().await;
    if case.story == Story::Asked {
        scene.complete(SCHOOL).await.expect("completed");
        play.push().await;
        assert_eq!(play.states().await, "accepted");
        faults.set(fault);
        play.ask().await;
    } else {
        faults.set(fault);
        scene.complete(SCHOOL).await.expect("completed");
        if case.story == Story::Two {
            scene.complete(FACTORY).await.expect("completed");
        }
    }
    play.push().await;
    play.go_on().await;
    play.pass(case.hours).await;
    assert_eq!(play.states().await, case.meanwhile, "{}", play.said().await);
    let said = play.said().await;
    if case.says.is_empty() {
        let errors: Vec<&str> = said.lines().filter(|line| !line.ends_with("fine")).collect();
        assert!(errors.is_empty(), "nothing is wrong: {errors:?}");
    } else {
        assert!(said.contains(case.says), "{said}");
    }
    play.assert_versions_in_order();

    faults.set(Plan::default());
    if case.story == Story::Asked {
        play.ask().await;
    }
    if case.story == Story::Reissued {
        let declaring = scene.declaring(SCHOOL).await;
        let again = corrections::reissue(scene.store(), &supervisor(), declaring, MessageKind::Certified).await;
        again.expect("issued again");
    }
    // longer than the longest wait between attempts, and than the department's day
    play.pass(30).await;
    play.assert_all_is_well().await;
    assert_eq!(play.times_that_came().values().any(|times| *times > 1), case.again, "whether it came more than once");
}

/// What a seed draws passes by itself: nobody ends it, and nobody acts.
const DRAWN: Case = Case { plan: "", story: Story::Two, hours: 90, meanwhile: "", says: "", again: true };

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_seed_draws_passes_without_anybodys_act() {
    let prepared = Scene::begin("push_drawn").await;
    prepared.prove_affiliates(FACTORY).await;
    let mut struck = 0;
    for seed in 1..=5 {
        let play = Play::new(prepared.copied(&format!("push_drawn_{seed}")).await, &DRAWN);
        play.scene.department.faults.set(Plan::drawn(seed));
        for employer in [SCHOOL, FACTORY] {
            play.scene.complete(employer).await.expect("completed");
        }
        play.pass(DRAWN.hours).await;
        play.assert_all_is_well().await;
        struck += play.scene.department.faults.received().iter().filter(|request| request.fault.is_some()).count();
    }
    assert!(struck > 5, "something went wrong {struck} times");
}

impl Play {
    fn new(scene: Scene, case: &'static Case) -> Self {
        let ours = scene.tax.clone();
        let tax = if case.story == Story::Rekeyed {
            let previous = PreviousKey { key_id: ours.key_id.clone(), key: ours.key.clone() };
            let (key_id, key) = ("next".to_owned(), Secret::new("next secret"));
            TaxSettings { key_id, key, previous: Some(previous), ..ours }
        } else {
            ours
        };
        Self { scene, case, tax, gate: Gate::default() }
    }

    /// What the push job does.
    async fn push(&self) {
        hand_over(self.scene.store(), "push", &self.tax, "test", &self.gate, |_| ()).await.expect("handed over");
    }

    /// Time passes at both sides, and the push job runs all the while.
    async fn pass(&self, hours: i64) {
        let store = self.scene.store();
        let steps = (hours * 2).min(60);
        for _ in 0..steps {
            let now = store.now().await.expect("now") + TimeDelta::minutes(hours * 60 / steps);
            store.set_clock(now).await.expect("the clock");
            *self.scene.tax_clock.lock().expect("the department's clock") = now;
            self.push().await;
        }
    }

    /// What happens here before the department has answered.
    async fn go_on(&self) {
        let scene = &self.scene;
        let (store, declaring) = (scene.store(), scene.declaring(SCHOOL).await);
        let own = employer(declaring.employer);
        match self.case.story {
            Story::Amended => {
                let months = store.list_declared_months(declaring.employer, YEAR as i16, 1).await.expect("months");
                let removed = vec![change(months[0].person, months[0].month.number(), false)];
                let policy = &scene.day.harness.policy.policy;
                amend::ask(store, policy, &own, declaring, removed).await.expect("asked");
                amend::decide(store, policy, &supervisor(), declaring, &amendment_approval()).await.expect("approved");
            }
            Story::TakenBack => {
                withdraw::ask(store, &own, declaring, &withdrawal(false)).await.expect("asked");
                withdraw::decide(store, &supervisor(), declaring, &approval(None)).await.expect("approved");
            }
            _ => {}
        }
    }

    /// An operator has the department asked about everything it accepted.
    async fn ask(&self) {
        let store = self.scene.store();
        let message_id = self.lines().await[0].message_id;
        let due = store.retry_push(Some(message_id), &Actor::operator("op"), "message", "to be sure").await;
        assert_eq!(due.expect("due"), 1);
    }

    async fn lines(&self) -> Vec<OutboxLine> {
        let mut lines = self.scene.store().list_outbox(100).await.expect("the outbox");
        lines.reverse();
        lines
    }

    async fn states(&self) -> String {
        let told = |line: &OutboxLine| {
            let contradicted = if line.contradicted.is_some() { "!" } else { "" };
            let asked = if line.checking.is_some() { "?" } else { "" };
            format!("{}{contradicted}{asked}", line.state)
        };
        self.lines().await.iter().map(told).collect::<Vec<_>>().join(" ")
    }

    /// A line for each attempt.
    async fn said(&self) -> String {
        let mut said = String::new();
        for line in self.lines().await {
            for attempt in self.scene.store().list_attempts(line.message_id).await.expect("attempts") {
                let error = attempt.error.unwrap_or_else(|| "fine".to_owned());
                let _written = writeln!(said, "version {} {}: {error}", line.version, line.kind);
            }
        }
        said
    }

    /// Of one employer nothing comes to the department before what was made before is answered for good.
    fn assert_versions_in_order(&self) {
        let keys: Vec<String> =
            self.scene.ledger().entries().iter().map(|entry| entry.idempotency_key.clone()).collect();
        let of_school: Vec<&str> = keys.iter().filter_map(|key| key.strip_prefix(SCHOOL)).collect();
        assert!(of_school.is_sorted_by_key(|key| (key.split(':').nth(2), key.contains("withdrawn"))), "{of_school:?}");
    }

    /// How often each message came to the department.
    fn times_that_came(&self) -> BTreeMap<String, usize> {
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for request in self.scene.department.faults.received().iter().filter(|request| request.method == "POST") {
            *times.entry(request.message_id.clone().expect("a message")).or_default() += 1;
        }
        times
    }

    async fn assert_all_is_well(&self) {
        let scene = &self.scene;
        let mut connection = scene.day.harness.connection().await;
        let open: i64 = sqlx::query_scalar(
            "select count(*) from outbox
             where state not in ('accepted', 'rejected') or checking is not null or contradicted is not null or not applied",
        )
        .fetch_one(&mut connection)
        .await
        .expect("a count");
        assert_eq!(open, 0, "every message is confirmed: {}", self.said().await);

        // what came is what was frozen, however often it came
        let mut frozen = BTreeMap::new();
        for line in self.lines().await {
            let found = scene.store().find_outbox_message(line.message_id).await.expect("found").expect("a message");
            frozen.insert(line.message_id.to_string(), hex::encode(&found.1.digest));
        }
        for request in scene.department.faults.received().iter().filter(|request| request.method == "POST") {
            let message_id = request.message_id.clone().expect("a message");
            assert_eq!(frozen.get(&message_id), Some(&request.digest), "nothing but what was confirmed, byte for byte");
        }
        assert_eq!(self.times_that_came().len(), frozen.len(), "everything came");

        // once, and what is declared: employer by employer, and in sum
        let ledger = scene.ledger();
        let keys: BTreeSet<&str> = ledger.entries().iter().map(|entry| entry.idempotency_key.as_str()).collect();
        assert_eq!(keys.len(), ledger.entries().len(), "nothing is there twice");
        let mut declared = Vec::new();
        for code in [SCHOOL, FACTORY] {
            let (of, state) = (scene.declaring(code).await, scene.state(code).await);
            assert_eq!(state.unanswered().count(), 0, "{code}: {}", state.name());
            if let Some(version) = state.version_in_force() {
                let months =
                    scene.store().list_declared_months(of.employer, YEAR as i16, version).await.expect("months");
                let weighted: u64 = months.iter().map(|month| u64::from(month.weight)).sum();
                declared.push((code.to_owned(), u64::from(version), weighted));
            }
        }
        declared.sort();
        let mut held = scene.held();
        held.sort();
        assert_eq!(held, declared, "what it holds is what is declared");
        let claimed = scene.claims(SCHOOL).await + scene.claims(FACTORY).await;
        let expected: usize = {
            let mut months = 0;
            for (code, version, _) in &declared {
                let of = scene.declaring(code).await;
                let version = u32::try_from(*version).expect("a version");
                months +=
                    scene.store().list_declared_months(of.employer, YEAR as i16, version).await.expect("months").len();
            }
            months
        };
        assert_eq!(claimed, expected as i64, "every month that is held is claimed, and no other");
        scene.assert_only_what_was_confirmed_leaves().await;
    }
}
