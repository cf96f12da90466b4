//! The road of a declaration by nothing but the API: ticked, handed in, decided, completed, certified, withdrawn, declared again, amended.

use renzheng::domain::access::Role;
use renzheng::domain::counting::Headcount;
use renzheng::domain::facts::{EmployerKind, PersonId};
use renzheng::domain::levy::{AverageWage, LevyInput, estimate};
use renzheng::domain::money::Fen;
use serde_json::{Value, json};

use super::{Api, Says};
use crate::access::{division, unit, user};
use crate::declaring::{SCHOOL, Scene, YEAR};
use crate::website::Website;

/// Passes ten months of the year, all but two.
const TEN_MONTHS: &str = "360027198308182786";

/// Whoever takes part, by their tokens.
struct Parts {
    employer: String,
    reviewer: String,
    supervisor: String,
}

async fn parts(scene: &Scene, code: &str) -> Parts {
    let store = scene.store();
    Parts {
        employer: user(store, "li.hua", Role::Employer, &unit(code)).await,
        reviewer: user(store, "chen.jie", Role::Reviewer, &division("36")).await,
        supervisor: user(store, "wang.fang", Role::Supervisor, &division("36")).await,
    }
}

fn of_year(code: &str) -> Says {
    Says::at(&[("uscc", code), ("year", &YEAR.to_string())])
}

/// The months of a worker that stand so.
fn standing_so(placements: &Value, person: PersonId, standing: &str) -> Vec<String> {
    let mut lines = placements["items"].as_array().expect("placements").iter();
    let line = lines.find(|line| line["person_id"] == person.0).expect("the worker");
    let months = line["months"].as_array().expect("months").iter().filter(|month| month["standing"] == standing);
    months.map(|month| month["month"].as_str().expect("a month").to_owned()).collect()
}

fn number(person: &str) -> i64 {
    person.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_is_declared_withdrawn_declared_again_and_amended() {
    let scene = Scene::begin("api_road").await;
    let parts = parts(&scene, SCHOOL).await;
    let employer = &parts.employer;
    let site = Website::of(scene.store()).await;
    let api = Api::of(&site).await;
    let at = of_year(SCHOOL);

    // where it stands: everything that is ticked passes, one worker has two months that do not
    let overview = api.done(employer, "read_declaration", at.clone()).await;
    assert_eq!((&overview["declaration"]["state"], &overview["next"]), (&json!("open"), &json!("complete")));
    assert_eq!(overview["window_is_open"], true);
    let placements = api.done(employer, "list_standings", at.clone()).await;
    let worker = scene.person(TEN_MONTHS).await;
    let [month, _] = &standing_so(&placements, worker, "unticked")[..] else { panic!("two months do not pass") };
    let person = worker.0.to_string();
    review_a_month(&api, &parts, &person, month).await;

    // the employer completes, the tax department accepts
    let text = api.done(employer, "read_commitment", Says::default()).await;
    assert!(text["text"].as_str().is_some_and(|text| !text.is_empty()));
    let complete = at.clone().body(json!({ "accepted_commitment": text["version"] }));
    let named = complete.header("idempotency-key", "complete-1");
    let completed = api.done(employer, "complete", named.clone()).await;
    assert_eq!(completed["version"], 1);
    let issuing = at.clone().body(json!({})).header("idempotency-key", "issue-1");
    let early = api.call(employer, "issue_certification", issuing.clone()).await;
    assert_eq!(early.problem(), (409, "not_accepted".to_owned()));
    scene.push().await;
    let overview = api.done(employer, "read_declaration", at.clone()).await;
    assert_eq!((&overview["next"], &overview["version_in_force"]), (&json!("nothing"), &json!(1)));
    // looking issues nothing
    let none = api.call(employer, "read_certification", at.clone()).await;
    assert_eq!(none.problem(), (404, "not_issued".to_owned()));
    assert_eq!(audited(&scene, "issue_document").await, 0);
    let document = api.done(employer, "issue_certification", issuing.clone()).await;
    assert_eq!(api.done(employer, "read_certification", at.clone()).await, document);
    assert_eq!(api.done(employer, "issue_certification", issuing).await, document, "told again");
    assert_eq!(api.done(employer, "issue_certification", at.clone().body(json!({}))).await, document, "issued once");
    assert_eq!(audited(&scene, "issue_document").await, 1);
    let masked = api.done(employer, "read_certification", at.clone().query("names", "masked")).await;
    assert!(masked["names"].as_array().is_some_and(|names| names.len() == 3), "{masked}");
    // names in full are asked for by who may, and never by looking
    let full = api.call(employer, "read_certification", at.clone().query("names", "full")).await;
    assert_eq!(full.problem(), (400, "bad_query".to_owned()));
    let in_full = at.clone().body(json!({ "names": "full" }));
    let refused = api.call(employer, "issue_certification", in_full.clone()).await;
    assert_eq!(refused.problem(), (403, "forbidden".to_owned()));
    let full = api.done(&parts.supervisor, "issue_certification", in_full).await;
    assert!(full["names"].as_array().is_some_and(|names| names.len() == 3), "{full}");
    assert_eq!((audited(&scene, "reveal").await, audited(&scene, "issue_document").await), (1, 1));
    assert_eq!(document["certification_number"], completed["certification_number"]);
    assert_eq!(document["validity"]["status"], "in_force");
    correct(&scene, &api, &parts, (&person, month), (named, completed)).await;
    read_history(&api, employer).await;
}

/// How often something was done, by the audit log.
async fn audited(scene: &Scene, action: &str) -> i64 {
    let mut connection = scene.day.harness.connection().await;
    sqlx::query_scalar("select count(*) from audit where action = $1")
        .bind(action)
        .fetch_one(&mut connection)
        .await
        .expect("a count")
}

/// A month that does not pass is ticked, shown at the counter, handed in and approved.
async fn review_a_month(api: &Api<'_>, parts: &Parts, person: &str, month: &str) {
    let Parts { employer, reviewer, supervisor } = parts;
    let at = of_year(SCHOOL);
    let placement = at.clone().and_at(&[("person_id", person), ("month", month)]);
    // the employer ticks it and must say what is behind it
    api.done(employer, "tick", placement.clone().body(json!({ "months": [month], "ticked": true }))).await;
    let overview = api.done(employer, "read_declaration", at.clone()).await;
    assert_eq!((&overview["next"], &overview["waits_for"]), (&json!("attach_evidence"), &json!("employer")));
    let refused = api.call(employer, "hand_in", placement.clone().body(json!({}))).await;
    assert_eq!(refused.problem(), (409, "evidence_missing".to_owned()));
    let placements = api.done(employer, "list_standings", at.clone()).await;
    let mut lines = placements["items"].as_array().expect("lines").iter();
    let line = lines.find(|line| line["person_id"] == number(person)).expect("the worker");
    let mut months = line["months"].as_array().expect("months").iter();
    let missing = months.find(|one| one["month"] == month).expect("the month")["missing"].clone();
    assert!(missing.as_array().is_some_and(|grounds| !grounds.is_empty()), "{missing}");

    // shown at the counter, handed in, decided
    let shown = placement.clone().body(json!({ "months": [month], "grounds": missing }));
    let said = api.call(employer, "record_shown", shown.clone()).await;
    assert_eq!(said.problem(), (409, "not_at_the_counter".to_owned()));
    api.done(reviewer, "record_shown", shown).await;
    let handed_in = placement.clone().body(json!({})).header("idempotency-key", "hand-in-1");
    let first = api.done(employer, "hand_in", handed_in.clone()).await;
    assert_eq!(first["months"], json!([month]));
    let premature = api.call(employer, "complete", at.clone().body(json!({}))).await;
    assert_eq!(premature.problem(), (409, "not_confirmed".to_owned()));
    let errors = premature.json()["errors"].clone();
    let codes: Vec<&str> = errors.as_array().expect("errors").iter().filter_map(|one| one["code"].as_str()).collect();
    assert_eq!(codes, ["not_confirmed", "not_confirmed", "commitment_not_accepted"], "each obstacle, and of whom");
    assert_eq!(errors[1]["field"], format!("person_id {person}"));
    let queue = api.done(reviewer, "list_cases", Says::default()).await;
    assert_eq!(queue["items"][0]["employer_uscc"], SCHOOL);
    let case = api.done(reviewer, "take_next_case", Says::default().body(json!({}))).await["case"].clone();
    assert_eq!(case["person_id"], number(person));
    let decision = placement.clone().body(json!({ "approve": ["other"], "note": "slip seen", "seen": missing }));
    let decided = api.done(reviewer, "decide_month", decision).await;
    assert_eq!(decided["approved"], true);
    if decided["second_asked"] == true {
        api.done(supervisor, "second_decision", placement.clone().body(json!({ "agrees": true }))).await;
    }
    let again = api.done(employer, "hand_in", handed_in).await;
    assert_eq!(again, first, "the same request hears the same, though nothing is to be handed in any more");
}

/// It is withdrawn, declared again, and a month of it amended away.
async fn correct(scene: &Scene, api: &Api<'_>, parts: &Parts, cell: (&str, &str), completed: (Says, Value)) {
    let Parts { employer, supervisor, .. } = parts;
    let (at, (person, month), (first, completed)) = (of_year(SCHOOL), cell, completed);
    let text = api.done(employer, "read_commitment", Says::default()).await;
    let complete = at.clone().body(json!({ "accepted_commitment": text["version"] }));
    // withdrawn
    let why = json!({ "reason": "a contract ended earlier", "levy_paid": false });
    api.done(employer, "ask_withdrawal", at.clone().body(why)).await;
    let open = api.done(supervisor, "list_withdrawals", Says::default()).await;
    assert_eq!(open["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(open["items"][0]["employer_uscc"], SCHOOL);
    let approve = json!({ "approve": true, "reason": "seen" });
    let approved = at.clone().body(approve.clone()).header("idempotency-key", "approve-1");
    let own = api.call(employer, "decide_withdrawal", approved.clone()).await;
    assert_eq!(own.problem(), (403, "forbidden".to_owned()), "nobody decides what they asked for themselves");
    let opened = api.done(supervisor, "decide_withdrawal", approved.clone()).await;
    scene.push().await;
    assert_eq!(api.done(employer, "complete", first.clone()).await, completed, "a late echo completes nothing");
    assert_eq!(scene.state(SCHOOL).await.name(), "open");

    // declared again, and amended
    let second = api.done(employer, "complete", complete).await;
    assert_eq!(second["version"], 2);
    scene.push().await;
    assert_eq!(api.done(supervisor, "decide_withdrawal", approved).await, opened, "the answer of then");
    let changes =
        json!({ "changes": [{ "person_id": number(person), "month": month, "add": false, "reason": "not worked" }] });
    api.done(employer, "ask_amendment", at.clone().body(changes.clone())).await;
    let open = api.done(supervisor, "list_amendments", Says::default()).await;
    assert_eq!(open["items"][0]["amendment"]["of_version"], 2);
    let difference = api.done(supervisor, "read_amendment", at.clone()).await;
    let months = |side: &str| difference[side]["unweighted_person_months"].as_u64().expect("months");
    assert_eq!(months("before"), months("after") + 1);
    api.done(supervisor, "decide_amendment", at.clone().body(approve)).await;
    scene.push().await;
    assert_eq!(
        scene.received(),
        ["1:certified accepted", "1:withdrawn accepted", "2:certified accepted", "3:certified for 2 accepted"]
    );
    let twice = api.call(employer, "ask_amendment", at.clone().body(changes)).await;
    assert_eq!(twice.problem(), (409, "not_amendable".to_owned()));
    assert_eq!(twice.json()["errors"][0]["code"], "not_declared");
    scene.assert_only_what_was_confirmed_leaves().await;
}

/// Every version stays as it was.
async fn read_history(api: &Api<'_>, employer: &str) {
    let at = of_year(SCHOOL);
    let by_employer = Says::at(&[("uscc", SCHOOL)]);
    let newest = api.done(employer, "list_versions", by_employer.clone().query("limit", "2")).await;
    let after = newest["next"].as_str().expect("more").to_owned();
    let oldest = api.done(employer, "list_versions", by_employer.query("after", &after)).await;
    let told = |page: &Value| -> Vec<(u64, String)> {
        let lines = page["items"].as_array().expect("versions").iter();
        lines
            .map(|one| {
                (one["version"].as_u64().expect("a number"), one["standing"].as_str().expect("a word").to_owned())
            })
            .collect()
    };
    let standings =
        [(3, "in_force"), (2, "replaced"), (1, "withdrawn")].map(|(version, word)| (version, word.to_owned()));
    assert_eq!([told(&newest), told(&oldest)].concat(), standings);
    assert_eq!(newest["items"][0]["amends"], 2);
    assert!(oldest["items"][0]["messages"][0]["receipt"].is_string());
    let months = async |version: &str| {
        let says = at.clone().and_at(&[("version", version)]);
        let frozen = api.done(employer, "list_frozen_persons", says).await;
        let persons = frozen["items"].as_array().expect("persons").iter();
        persons.map(|person| person["months"].as_array().map_or(0, Vec::len)).sum::<usize>()
    };
    assert_eq!(months("2").await, months("3").await + 1);
    assert_eq!(newest["items"][0]["person_months"].as_u64(), u64::try_from(months("3").await).ok());
    assert_eq!(months("9").await, 0, "there is no such version");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_levy_is_told_with_every_step_and_what_is_not_known() {
    let scene = Scene::begin("api_levy").await;
    let Parts { employer, .. } = parts(&scene, SCHOOL).await;
    let site = Website::of(scene.store()).await;
    let api = Api::of(&site).await;
    let numbers = json!({ "headcount": "100", "monthly_wage": "6000", "weighted_person_months": 12, "year": 2025 });
    let told = api.done(&employer, "calculate_levy", Says::default().body(numbers)).await;
    let input = LevyInput {
        kind: EmployerKind::Enterprise,
        headcount: Headcount::parse("100").expect("a headcount"),
        average_wage: AverageWage::monthly(Fen(600_000)).expect("a wage"),
        weighted_person_months: 12,
    };
    let paid_on = "2026-09-01".parse().expect("a day");
    let rules = scene.day.harness.policy.policy.levy_rules(2025, paid_on).expect("rules");
    let expected = serde_json::to_value(estimate(&input, &rules)).expect("JSON");
    assert_eq!(
        (&told["levy"], &told["saving"], &told["paid_on"]),
        (&expected["levy"], &expected["saving"], &json!("2026-09-01"))
    );
    let wrong = json!({ "headcount": "-1", "monthly_wage": "6000", "weighted_person_months": 12 });
    let wrong = api.call(&employer, "calculate_levy", Says::default().body(wrong)).await;
    assert_eq!(wrong.problem(), (422, "levy_not_computable".to_owned()));

    let with_numbers = of_year(SCHOOL).query("headcount", "100").query("total_wages", "7200000");
    let own = api.done(&employer, "read_levy", with_numbers.clone()).await;
    let worth = api.done(&employer, "read_worth", with_numbers.clone()).await;
    assert_eq!((&own["estimate"]["levy"]["due"], &own["missing"]), (&worth["levy"], &json!([])));
    assert_eq!(own["weighted_person_months"], worth["weighted_person_months"]);
    let months = worth["months"].as_array().expect("months");
    assert!(!months.is_empty() && worth["next"].is_null(), "{worth}");
    // person by person, with the year as a whole on every page
    let (mut paged, mut after) = (Vec::new(), None::<String>);
    loop {
        let one = with_numbers.clone().query("limit", "1");
        let page = match &after {
            None => api.done(&employer, "read_worth", one).await,
            Some(after) => api.done(&employer, "read_worth", one.query("after", after)).await,
        };
        assert_eq!(page["worth_of_all"], worth["worth_of_all"]);
        paged.extend(page["months"].as_array().expect("months").clone());
        let Some(next) = page["next"].as_str() else { break };
        after = Some(next.to_owned());
    }
    assert!(after.is_some() && paged == *months, "{paged:?}");
    let ahead = api.done(&employer, "read_foresight", Says::at(&[("uscc", SCHOOL)]).query("days", "365")).await;
    assert_eq!(ahead["year"], YEAR, "nobody is placed in the running year yet");
    assert_eq!(api.done(&employer, "read_drift", of_year(SCHOOL)).await, json!(null), "nothing is declared");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standing_consent_is_given_once_and_taken_back() {
    let scene = Scene::begin("api_consent").await;
    let Parts { employer, supervisor, .. } = parts(&scene, SCHOOL).await;
    let site = Website::of(scene.store()).await;
    let api = Api::of(&site).await;
    let at = of_year(SCHOOL);
    let text = api.done(&employer, "read_commitment", Says::default()).await;
    let old = api.call(&employer, "give_consent", at.clone().body(json!({ "accepted_commitment": "0" }))).await;
    assert_eq!(old.problem(), (409, "another_commitment_text".to_owned()));
    let give = at.clone().body(json!({ "accepted_commitment": text["version"] }));
    let given = api.done(&employer, "give_consent", give.clone().header("idempotency-key", "give-1")).await;
    let overview = api.done(&supervisor, "read_declaration", at.clone()).await;
    assert_eq!(overview["consent"], given);
    let twice = api.call(&employer, "give_consent", give.clone()).await;
    assert_eq!(twice.problem(), (409, "consent_given_before".to_owned()));
    let revoke = at.clone().header("idempotency-key", "revoke-1");
    let revoked = api.done(&employer, "revoke_consent", revoke.clone()).await;
    assert_eq!(api.done(&employer, "revoke_consent", revoke).await, revoked);
    assert_eq!(api.call(&employer, "revoke_consent", at.clone()).await.problem(), (409, "no_consent".to_owned()));
    let echo = api.done(&employer, "give_consent", give.header("idempotency-key", "give-1")).await;
    assert_eq!(echo, given, "an echo says what was, and agrees to nothing");
    assert_eq!(api.done(&employer, "read_declaration", at).await["consent"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_tax_department_rejects_is_issued_again_or_given_up_and_opened() {
    let scene = Scene::begin("api_rejected").await;
    let Parts { employer, reviewer, supervisor } = parts(&scene, SCHOOL).await;
    let site = Website::of(scene.store()).await;
    let api = Api::of(&site).await;
    let at = of_year(SCHOOL);
    let text = api.done(&employer, "read_commitment", Says::default()).await;
    let complete = at.clone().body(json!({ "accepted_commitment": text["version"] }));
    api.done(&employer, "complete", complete.clone()).await;
    let overview = api.done(&employer, "read_declaration", at.clone()).await;
    assert_eq!((&overview["next"], &overview["waits_for"]), (&json!("await_answer"), &json!("tax_department")));
    scene.push_rejected().await;
    let overview = api.done(&employer, "read_declaration", at.clone()).await;
    assert_eq!((&overview["next"], &overview["waits_for"]), (&json!("answer_tax_department"), &json!("staff")));
    assert_eq!(overview["declaration"]["rejection"]["code"], "division_closed");

    let again = at.clone().body(json!({ "kind": "certified" }));
    assert_eq!(api.call(&reviewer, "reissue", again.clone()).await.problem(), (403, "forbidden".to_owned()));
    let issued = api.done(&supervisor, "reissue", again).await;
    assert_eq!((&issued["state"], &issued["issue"]["message"]["attempt"]), (&json!("completed"), &json!(2)));
    scene.push_rejected().await;
    let close = at.clone().body(json!({ "reason": "the unit is gone" })).header("idempotency-key", "close-1");
    let closed = api.done(&supervisor, "close", close.clone()).await;
    assert_eq!((&closed["state"], scene.claims(SCHOOL).await), (&json!("closed"), 0));
    assert_eq!(api.done(&supervisor, "reopen", at.clone()).await["state"], "open");
    assert_eq!(api.done(&supervisor, "close", close).await, closed, "an echo closes nothing");
    assert_eq!(api.done(&employer, "complete", complete).await["version"], 2);
    let settle = at.clone().body(json!({ "reason": "they are right" }));
    assert_eq!(api.call(&supervisor, "settle", settle).await.status, 409, "both sides agree");

    // the unit goes: the months of the running year before that month can be declared
    let going = Says::at(&[("uscc", SCHOOL)]);
    let to_come = going.clone().body(json!({ "on": "2026-05-02" }));
    assert_eq!(api.call(&reviewer, "deregister", to_come).await.problem(), (409, "month_to_come".to_owned()));
    let entered = api.done(&reviewer, "deregister", going.body(json!({ "on": "2026-04-20" }))).await;
    assert_eq!(entered["deregistration"]["deregistered_on"], "2026-04-20");
    let year = Says::at(&[("uscc", SCHOOL), ("year", "2026")]);
    assert_eq!(api.done(&employer, "read_declaration", year).await["window"], json!(null), "at any time");
}
