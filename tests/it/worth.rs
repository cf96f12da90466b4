//! What the failing months cost and what will fail soon, as the counter asks for it.

use renzheng::declare::levy::{LevyOfEmployer, levy_of_employer};
use renzheng::declare::worth::{AskedWorth, Worth, worth_of_months};
use renzheng::declare::{CountBasis, review};
use renzheng::domain::access::{Actor, Role, Scope};
use renzheng::domain::counting::Headcount;
use renzheng::domain::facts::{PersonId, UnitId};
use renzheng::domain::money::Fen;
use renzheng::domain::policy::Policy;
use renzheng::domain::ruling::ApprovalReason;
use renzheng::store::Store;
use serde_json::Value;

use crate::declaring::{FACTORY, Scene as Declared};
use crate::fixtures::{Day, fixtures};
use crate::review::scene::{Scene as Reviewed, approval, reviewer};

/// 南昌例一制造有限公司, as if it had 800 staff: 89 person-months count, 96 would reach the tier of relief at 1 %.
const E1: &str = "91369900MA1000A10H";
/// 贵溪市例五中学.
const E5: &str = "123699001000000590";
/// 吉安县例三电子有限公司: its total wages are not known.
const E3: &str = "91369900MA1000A379";

const OF_E1: [&str; 7] = ["worth", "--employer", E1, "--year", "2025", "--headcount", "800"];

async fn verified(name: &str) -> Day {
    let day = Day::begin(name).await;
    day.deliver_wages("wage-1.ndjson");
    day.pull_all().await;
    day.deliver_wages("wage-2.ndjson");
    day.pull("pull-wage").await;
    day.harness.verify(2025).await;
    day
}

fn said(day: &Day, arguments: &[&str]) -> String {
    let output = day.harness.program(arguments, &fixtures().join("jobs")).output().expect("the program starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {words}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn answer(day: &Day, arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--format", "json"]).collect();
    serde_json::from_str(&said(day, &arguments)).expect("one JSON value")
}

/// 财税〔2015〕72号 art. 8 and the relief until 2027, written out once more for an enterprise above 30 staff and below the wage cap, in integers:
/// (N × 1.5 % − months / 12) × wages / N, half of it from a ratio of 1 % on, else nine tenths. In fen, rounded half up.
fn levy_fen(headcount: i128, total_wages_fen: i128, weighted_months: i128) -> i128 {
    // in thousandths of a person's twelfth
    let gap = (headcount * 180 - weighted_months * 1000).max(0);
    let tenths = if weighted_months * 100 >= headcount * 12 { 5 } else { 9 };
    let (numerator, denominator) = (gap * total_wages_fen * tenths, 12_000 * headcount * 10);
    (2 * numerator + denominator) / (2 * denominator)
}

fn fen(amount: &Value) -> i128 {
    let (yuan, rest) = amount.as_str().expect("an amount").split_once('.').expect("two decimals");
    yuan.parse::<i128>().expect("yuan") * 100 + rest.parse::<i128>().expect("fen")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_month_is_worth_what_the_levy_would_fall_by() {
    let day = verified("worth").await;
    let shown = answer(&day, &OF_E1);
    let of_e1 = day.harness.results(2025).await.into_iter().filter(|line| line.employer_uscc == E1);
    let (passed, failing): (Vec<_>, Vec<_>) = of_e1.partition(|line| line.passed);
    let sum = |lines: &[crate::harness::Line]| lines.iter().map(|line| i128::from(line.weight)).sum::<i128>();
    let (now, missing) = (sum(&passed), sum(&failing));
    let levy = |months: i128| levy_fen(800, 1_920_000_000, months);
    assert_eq!(shown["weighted_person_months"], Value::from(now as u64));
    assert_eq!(shown["weighted_months_missing"], Value::from(missing as u64));
    assert_eq!(fen(&shown["levy"]), levy(now));
    assert_eq!(fen(&shown["worth_of_all"]), levy(now) - levy(now + missing));
    let months = shown["months"].as_array().expect("months");
    assert_eq!(months.len(), failing.len());
    assert!(now < 96 && now + missing >= 96, "together the failing months reach the tier");
    let alone: i128 = months.iter().map(|month| fen(&month["worth"])).sum();
    assert!(0 < alone && alone < levy(now) - levy(now + missing), "together they are worth more than each for itself");
    for month in months {
        let weight = i128::from(month["weight"].as_u64().expect("a weight"));
        assert_eq!(fen(&month["worth"]), levy(now) - levy(now + weight), "{month}");
        let why = ["failing", "pending"].iter().any(|why| !month[*why].as_array().expect("checks").is_empty());
        assert!(why || month["conflict"] == true, "{month}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_levy_needs_and_nobody_entered_is_named_and_can_be_given() {
    let day = verified("worth_unknown").await;
    let shown = answer(&day, &["worth", "--employer", E3, "--year", "2025"]);
    assert_eq!((shown["missing"].clone(), shown.get("levy")), (serde_json::json!(["total_wages"]), None));
    let text = said(&day, &["worth", "--employer", E3, "--year", "2025"]);
    assert!(text.contains("not known of the employer: total_wages; give it as an option or import it"), "{text}");
    let given = answer(&day, &["worth", "--employer", E3, "--year", "2025", "--total-wages", "24600000"]);
    let now = i128::from(given["weighted_person_months"].as_u64().expect("a number"));
    assert_eq!(fen(&given["levy"]), levy_fen(410, 2_460_000_000, now));
}

#[tokio::test(flavor = "multi_thread")]
async fn worth_and_foresight_are_told_in_lines() {
    let day = verified("worth_text").await;
    insta::assert_snapshot!(nameless(&said(&day, &OF_E1)), @r###"
91369900MA1000A10H 2025: 89 weighted person-months count as they stand, 19 do not; levy 99000.00, all of them are worth 63000.00
person  months                        why         weight  worth of each, yuan
2025-01–06                    Ⅹ conflict       1              1800.00
2025-02, 2025-05, 2025-08–09  Ⅹ wage           1              1800.00
2025-04                       Ⅹ wage           1              1800.00
2025-06                       Ⅹ medical        1              1800.00
2025-07–11                    Ⅹ wage           1              1800.00
2025-12                       Ⅹ wage           1              1800.00
2025-12                       Ⅹ wage           1              1800.00
"###);
    insta::assert_snapshot!(nameless(&said(&day, &["foresight", "--employer", E5, "--days", "400"])), @r###"
placements of 2025, 400 days ahead of 2026-04-15
person  what
合同 no contract covers 2025-10 to 2025-11
"###);
}

/// The lines of persons without their numbers, which are others in every database.
fn nameless(told: &str) -> String {
    let mut lines: Vec<&str> = told.lines().collect();
    for line in lines.iter_mut().skip(2) {
        *line = line.trim_start().split_once(' ').map_or(*line, |(_, rest)| rest.trim_start());
    }
    lines[2..].sort_unstable();
    lines.join("\n")
}

/// The levy and what does not count, of an employer's 2025 with 300 staff at 72,000 yuan a year: 36 months reach the tier of relief.
async fn counted(store: &Store, policy: &Policy, unit: UnitId) -> (LevyOfEmployer, Worth) {
    let own =
        Actor { name: "own".to_owned(), role: Role::Employer, scope: Scope::Units(vec![unit]), on_behalf_of: None };
    let asked = AskedWorth {
        employer: unit,
        year: 2025,
        headcount: Some(Headcount::parse("300").expect("a headcount")),
        total_wages: Some(Fen(2_160_000_000)),
        paid_on: None,
    };
    let levy = levy_of_employer(store, policy, &own, &asked).await.expect("the levy");
    let worth = worth_of_months(store, policy, &own, &asked).await.expect("the worth");
    assert_eq!((levy.weighted_person_months, levy.version), (worth.weighted_person_months, worth.version));
    assert_eq!(levy.estimate.as_ref().map(|estimate| estimate.levy.due), worth.levy);
    (levy, worth)
}

fn listed(worth: &Worth) -> Vec<(PersonId, u32, &'static str)> {
    worth.months.iter().map(|month| (month.person_id, month.month.number(), month.standing)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reviewer_approved_counts_and_what_the_employer_unticked_does_not() {
    let mut scene = Reviewed::begin().await;
    let unit = scene.unit(0).await;
    let (approved, unticked) = (scene.person(0).await, scene.person(3).await);
    let weight = async |scene: &Reviewed, person: u32| u32::from(scene.verdict(person, 0, 3).await.weight);
    let all = 12 * (weight(&scene, 0).await + weight(&scene, 3).await);
    let levy = async |scene: &Reviewed| counted(scene.store(), &scene.province.policy.policy, unit).await;
    let (begun, worth) = levy(&scene).await;
    assert_eq!((begun.weighted_person_months, begun.basis, begun.version), (all, CountBasis::Standing, None));
    assert!(listed(&worth).is_empty());

    let case = scene.submit(0, 0, 3).await;
    let (waiting, worth) = levy(&scene).await;
    assert_eq!(waiting.weighted_person_months, all - weight(&scene, 0).await);
    assert_eq!(listed(&worth), [(approved, 3, "under_review")]);
    let (staff, ruling) = (reviewer("wang.fang", "3601"), approval(&[ApprovalReason::WagePaidByBankSlip]));
    review::open(scene.store(), &staff, case).await.expect("opened");
    scene.decide(&staff, case, 3, ruling).await.expect("approved");
    let (decided, worth) = levy(&scene).await;
    assert_eq!((decided.weighted_person_months, listed(&worth)), (all, Vec::new()));
    let due = |levy: &LevyOfEmployer| levy.estimate.as_ref().expect("numbers").levy.due;
    assert!(due(&decided) == due(&begun) && due(&waiting) > due(&begun));

    scene.untick(3, 0, &[5]).await.expect("unticked");
    let (left, worth) = levy(&scene).await;
    assert_eq!(left.weighted_person_months, all - weight(&scene, 3).await);
    assert_eq!(listed(&worth), [(unticked, 5, "unticked")]);
    assert_eq!((&worth.months[0].failing[..], worth.months[0].conflict), (&[][..], false));
    assert_eq!(worth.months[0].worth, Some(due(&left) + -due(&decided)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_levy_of_a_declared_year_rests_on_the_result_in_force_whatever_is_delivered_later() {
    let scene = Declared::begin("worth_declared").await;
    let unit = scene.declaring(FACTORY).await.employer;
    let levy = async || counted(scene.store(), &scene.day.harness.policy.policy, unit).await;
    scene.prove_affiliates(FACTORY).await;
    let completed = scene.complete(FACTORY).await.expect("completed");
    assert_eq!(levy().await.0.basis, CountBasis::Standing, "the tax department has not accepted it yet");
    scene.push().await;
    let (accepted, before) = levy().await;
    assert_eq!((accepted.basis, accepted.version), (CountBasis::InForce, Some(1)));
    assert_eq!(accepted.weighted_person_months, completed.weighted_person_months);

    // of this person the second delivery raises the wages of April and November, and lowers those of May, August and September
    scene.day.deliver_wages("wage-2.ndjson");
    scene.day.pull("pull-wage").await;
    scene.day.harness.verify(2025).await;
    let corrected = scene.person("360006198303030677").await;
    let of_corrected = |worth: &Worth| -> Vec<(u32, &'static str)> {
        let own = listed(worth).into_iter().filter(|(person, ..)| *person == corrected);
        own.map(|(_, month, standing)| (month, standing)).collect()
    };
    let (later, worth) = levy().await;
    assert_eq!((later.version, later.weighted_person_months), (Some(1), accepted.weighted_person_months));
    let failing = of_corrected(&before).into_iter().filter(|(month, _)| ![4, 11].contains(month));
    let mut expected: Vec<(u32, &str)> = failing.chain([(4, "passed"), (11, "passed")]).collect();
    expected.sort_unstable();
    assert_eq!(of_corrected(&worth), expected, "what is declared counts, and what is not does not");
}
