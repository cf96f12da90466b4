//! Wage classes that the policy lacks: what it is told of, and whom it does not touch.

use renzheng::domain::basis::PolicyEntry;
use renzheng::domain::facts::{PersonId, UnitId};
use renzheng::domain::ids::{ResidentId, Uscc};
use renzheng::domain::verdict::Check;
use renzheng::policy::{self, Reading};
use renzheng::verify::explain::documents::asked_documents;
use renzheng::verify::explain::{Asked, Explanation, explain};
use renzheng::verify::foresight::look_ahead;
use renzheng::verify::policy_diff::policy_difference;
use renzheng::verify::{Selection, Unjudged, VerifyError, verify};

use crate::fixtures::{Day, fixtures};
use crate::harness::{ACTOR, Scratch};
use crate::program::renzheng;

const YEAR: i32 = 2025;
const E1: &str = "91369900MA1000A10H";
/// In 360121, 南昌县.
const E2: &str = "91369900MA1000A29E";
/// Placed by both.
const TWICE: &str = "360008198612120898";
/// Of E1, and the only one of it who goes into the new year in these tests.
const CARRIED: &str = "360001198005050117";

/// The built-in policy, of whose lists of classes none names 360121.
fn without_360121() -> String {
    let kept = policy::BUILT_IN.lines().filter(|line| !line.starts_with("360121 = "));
    kept.flat_map(|line| [line, "\n"]).collect()
}

/// The built-in policy: first a list that `first` makes of its own, from 2026 on that list as it is.
fn with_a_list_of_2026(first: impl Fn(&str) -> String) -> String {
    let (head, list) = policy::BUILT_IN.split_at(policy::BUILT_IN.find("[[wage_classes]]").expect("the list"));
    format!("{head}{}\n{}", first(list), list.replacen("from = 2013-01-01", "from = 2026-01-01", 1))
}

fn reading(text: String) -> Reading {
    Reading { policy: policy::parse(&text).expect("a policy"), text }
}

async fn province(name: &str) -> Day {
    let day = Day::begin(name).await;
    day.deliver_wages("wage-1.ndjson");
    day.pull_all().await;
    day
}

async fn unit(day: &Day, code: &str) -> UnitId {
    let code = Uscc::parse(code).expect("a code");
    day.harness.store.find_unit(&code).await.expect("an answer").expect("a unit")
}

async fn person(day: &Day, id: &str) -> PersonId {
    let id = ResidentId::parse(id).expect("an ID number");
    day.harness.store.find_person(&id).await.expect("an answer").expect("a person")
}

async fn explained(day: &Day, reading: &Reading, employer: &str) -> Result<Option<Explanation>, VerifyError> {
    let (employer, person) = (unit(day, employer).await, person(day, TWICE).await);
    let asked = Asked { employer, person, month: "2025-03".parse().expect("a month"), reveal: false };
    explain(&day.harness.store, reading, asked).await
}

/// How many placements of the year an employer has, by the file they were entered from.
fn placements_of(code: &str) -> u64 {
    let text = std::fs::read_to_string(fixtures().join("placements.csv")).expect("placements");
    text.lines().filter(|line| line.starts_with(&format!("{code},{YEAR},"))).count() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_wage_class_is_told_every_night_with_division_and_placements() {
    let mut day = province("classes_told").await;
    assert!(day.harness.verify(YEAR).await.without_wage_class.is_empty());
    let stood = day.harness.results(YEAR).await;
    day.harness.policy = reading(without_360121());
    let unjudged = Unjudged { division: "360121".to_owned(), placements: placements_of(E2) };
    assert!(unjudged.placements > 0);
    let changed = day.harness.verify(YEAR).await;
    assert_eq!(changed.without_wage_class.into_iter().collect::<Vec<_>>(), [(E2.to_owned(), unjudged.clone())]);
    let quiet = day.harness.verify(YEAR).await;
    assert_eq!((quiet.full, quiet.placements), (false, 0), "nothing was touched");
    assert_eq!(quiet.without_wage_class.into_iter().collect::<Vec<_>>(), [(E2.to_owned(), unjudged)]);
    let stand = day.harness.results(YEAR).await;
    let of_e2 = |lines: &[crate::harness::Line]| {
        lines.iter().filter(|line| line.employer_uscc == E2).cloned().collect::<Vec<_>>()
    };
    assert_eq!(of_e2(&stand), of_e2(&stood), "what was stored stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_employer_without_a_wage_class_is_refused_and_another_one_of_the_same_person_is_not() {
    let mut day = province("classes_other").await;
    let lacking = reading(without_360121());
    let store = &day.harness.store;
    let (e1, e2) = (unit(&day, E1).await, unit(&day, E2).await);
    let refused = explained(&day, &lacking, E2).await.expect_err("refused").to_string();
    assert!(refused.contains(E2) && refused.contains("360121") && refused.contains("wage_class"), "{refused}");
    let selection = Selection::of_employer(e2);
    let refused = verify(store, &lacking, YEAR, &selection, ACTOR, &|_| ()).await.expect_err("refused");
    assert!(matches!(refused, VerifyError::NoWageClass { .. }), "{refused}");
    let told = explained(&day, &lacking, E1).await.expect("an answer").expect("a placement");
    assert!(told.passed && !told.conflict, "who is not judged stands in nobody's way");
    assert!(!serde_json::to_string(&told).expect("JSON").contains(E2));
    assert!(explained(&day, &day.harness.policy, E1).await.expect("an answer").expect("a placement").conflict);
    let persons = vec![person(&day, TWICE).await];
    asked_documents(store, &lacking, e1, YEAR, persons).await.expect("documents");
    look_ahead(store, &lacking, e1, None, 90).await.expect("an answer");
    verify(store, &lacking, YEAR, &Selection::of_employer(e1), ACTOR, &|_| ()).await.expect("verified");
    day.harness.policy = lacking;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_difference_of_two_policies_names_who_is_not_judged_by_one_of_them() {
    let day = province("classes_diff").await;
    let (all, lacking) = (&day.harness.policy.policy, reading(without_360121()).policy);
    let gone = policy_difference(&day.harness.store, all, &lacking, YEAR).await.expect("a difference");
    let effect = gone.employers.get(E2).expect("who vanishes is listed");
    assert!(effect.passed_before > 0 && effect.passed_after == 0, "{effect:?}");
    let to: Vec<&str> = gone.changes.iter().filter(|one| one.employer_uscc == E2).map(|one| one.to.as_str()).collect();
    assert!(!to.is_empty() && to.iter().all(|to| *to == "not_judged"), "{to:?}");
    let come = policy_difference(&day.harness.store, &lacking, all, YEAR).await.expect("a difference");
    assert_eq!(come.placements, gone.placements);
    let back = come.employers.get(E2).expect("who appears is listed");
    assert_eq!((back.passed_before, back.passed_after), (0, effect.passed_before));
    let pairs = |difference: &renzheng::verify::policy_diff::PolicyDifference, turned: bool| {
        let of_change = |one: &renzheng::verify::policy_diff::PolicyChange| {
            let (from, to) = if turned { (&one.to, &one.from) } else { (&one.from, &one.to) };
            (one.employer_uscc.clone(), one.check.map(Check::number), from.clone(), to.clone(), one.months)
        };
        let mut pairs: Vec<_> = difference.changes.iter().map(of_change).collect();
        pairs.sort();
        pairs
    };
    assert_eq!(pairs(&gone, false), pairs(&come, true), "the one way is the other way round");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_division_that_only_a_later_list_names_is_judged_by_that_list() {
    let mut day = province("classes_new").await;
    day.harness.verify(YEAR).await;
    let stood = day.harness.results(YEAR).await;
    let drop_it = |list: &str| {
        let kept = list.lines().filter(|line| !line.starts_with("360121 = "));
        kept.flat_map(|line| [line, "\n"]).collect()
    };
    day.harness.policy = reading(with_a_list_of_2026(drop_it));
    let judged = day.harness.verify(YEAR).await;
    assert!(judged.full && judged.without_wage_class.is_empty() && judged.changed_months == 0, "{judged:?}");
    assert_eq!(day.harness.results(YEAR).await, stood);
    let lists = async |employer| {
        let told = explained(&day, &day.harness.policy, employer).await.expect("an answer").expect("a placement");
        let wage = told.checks.into_iter().find(|evidence| evidence.check == Check::Wage).expect("the check");
        assert_eq!(wage.basis.rule.en.contains("from 2026-01-01 is the first to name"), employer == E2);
        let of_classes = |entry: PolicyEntry| (entry.list == "wage_classes").then(|| entry.from.to_string());
        wage.basis.policy.into_iter().filter_map(of_classes).collect::<Vec<_>>()
    };
    assert_eq!((lists(E1).await, lists(E2).await), (vec!["2013-01-01".to_owned()], vec!["2026-01-01".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_refuses_a_list_that_drops_a_unit_and_ends_with_three_where_somebody_is_not_judged() {
    let day = province("classes_program").await;
    let folder = Scratch::new("classes_program_policies");
    let file = folder.path().join("policy.toml");
    let run = |mut command: std::process::Command| {
        let output = command.env("RENZHENG_POLICY", &file).output().expect("the program starts");
        let words = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8")).concat();
        (output.status.code(), words)
    };
    let (head, list) = policy::BUILT_IN.split_at(policy::BUILT_IN.find("[[wage_classes]]").expect("the list"));
    let dropping = without_360121().replace(head, "").replacen("from = 2013-01-01", "from = 2025-07-01", 1);
    std::fs::write(&file, format!("{head}{list}\n{dropping}")).expect("written");
    let (code, words) = run(renzheng(&["policy", "check"]));
    let said = "the list from 2025-07-01 lacks `360121` (南昌县, class 2), which the one from 2013-01-01 names";
    assert!(code != Some(0) && words.contains(said), "{code:?} {words}");
    std::fs::write(&file, without_360121()).expect("written");
    let year = YEAR.to_string();
    for arguments in [&["verify", "--year", &year, "--full"][..], &["verify", "--year", &year]] {
        let (code, words) = run(day.harness.program(arguments, &fixtures().join("jobs")));
        let said = format!("{E2}: {} placements were not judged", placements_of(E2));
        assert!(code == Some(3) && words.contains(&said) && words.contains("division 360121"), "{code:?} {words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minimum_wage_that_rises_after_new_year_is_foreseen_by_the_wages_of_the_old_year() {
    let day = Day::begin("foresight_new_year").await;
    day.deliver_wages("wage-1.ndjson");
    day.harness.clock("2026-01-10".parse().expect("a date"), "01:00").await;
    day.pull_all().await;
    let (store, e1) = (&day.harness.store, unit(&day, E1).await);
    let entry = "[[minimum_wage]]\nfrom = 2026-03-01\nvalue = { class_1 = \"3100\", class_2 = \"2090\", class_3 = \"1950\" }\nsource = \"test\"\n\n# ---- What a month";
    let rising = reading(policy::BUILT_IN.replacen("# ---- What a month", entry, 1));
    let folder = Scratch::new("foresight_new_year_entries");
    for file in ["placements.csv", "contracts.csv"] {
        let text = std::fs::read_to_string(fixtures().join(file)).expect(file);
        let rows = text.lines().enumerate().filter(|(number, line)| *number == 0 || line.contains(CARRIED));
        let rows: String = rows.flat_map(|(_, line)| [line.replace(",2025,", ",2026,"), "\n".to_owned()]).collect();
        std::fs::write(folder.path().join(file), rows).expect("written");
    }
    for file in ["employers.csv", "affiliates.csv"] {
        std::fs::copy(fixtures().join(file), folder.path().join(file)).expect("copied");
    }
    day.harness.import_directory(folder.path()).await;
    let ahead = look_ahead(store, &rising, e1, None, 90).await.expect("an answer");
    assert_eq!(ahead.year, 2026);
    let rises: Vec<(PersonId, i32, String)> = ahead
        .persons
        .iter()
        .filter_map(|one| {
            let told = one.foreseen.iter().map(|foreseen| serde_json::to_value(foreseen).expect("JSON"));
            let rise = told.into_iter().find(|foreseen| foreseen["kind"] == "minimum_wage_rises")?;
            assert_eq!((&rise["from"], &rise["standard"]), (&"2026-03-01".into(), &"3100.00".into()), "{rise}");
            Some((one.person, one.year, rise["last_period"].as_str().expect("a month").to_owned()))
        })
        .collect();
    let of =
        |person: PersonId| rises.iter().find(|(of, ..)| *of == person).map(|(_, year, last)| (*year, last.as_str()));
    assert_eq!(of(person(&day, CARRIED).await), Some((2026, "2025-12")));
    assert_eq!(of(person(&day, "360003197811020332").await), Some((2025, "2025-12")), "not carried over yet");
    assert!(rises.is_sorted_by_key(|(person, ..)| *person));
    let asked = look_ahead(store, &rising, e1, Some(2026), 90).await.expect("an answer");
    assert_eq!(
        asked.persons.iter().map(|one| one.year).collect::<Vec<_>>(),
        [2026],
        "only the year that was asked for"
    );
}
