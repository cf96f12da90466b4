//! What the built-in policy says, and what is refused in a policy file.

use chrono::NaiveDate;

use super::*;
use crate::domain::certificate::CertificateMonth;
use crate::domain::counting::{Headcount, PlacedPersons};
use crate::domain::facts::{CertificateKind, EmployerKind};
use crate::domain::levy::{AverageWage, LevyInput, Tier, WageCap, estimate};
use crate::domain::money::Fen;
use crate::domain::month::Month;
use crate::domain::policy::{BackPayment, PlacedPersonsRounding, WageClass};
use crate::domain::review::{Ground, Grounds};
use crate::domain::ruling::SecondPerson;

fn jiangxi() -> Policy {
    built_in().expect("the built-in policy is sound")
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("date")
}

/// The built-in file with one change, and what is said about it: line and finding.
fn refusal(original: &str, changed: &str) -> (usize, String) {
    assert!(BUILT_IN.contains(original), "{original}");
    let said = parse(&BUILT_IN.replacen(original, changed, 1)).expect_err("refused").to_string();
    let mut parts = said.splitn(4, ':').skip(1);
    let line = parts.next().and_then(|line| line.parse().ok()).expect("line");
    (line, parts.nth(1).expect("finding").trim().to_owned())
}

fn line_of(text: &str) -> usize {
    BUILT_IN.lines().position(|line| line.contains(text)).expect("line") + 1
}

#[test]
fn a_wage_is_compared_with_the_standard_of_class_and_day() {
    let policy = jiangxi();
    let standard = |division: &str, on: &str| {
        let class = policy.class_of(division).expect("class");
        policy.minimum_wage(class, day(on)).expect("standard").to_string()
    };
    assert_eq!(standard("360102", "2025-11-01"), "2000.00");
    assert_eq!(standard("360102", "2025-12-01"), "2240.00");
    assert_eq!(standard("360102", "2021-03-01"), "1680.00");
    assert_eq!(standard("360102", "2021-04-01"), "1850.00");
    assert_eq!(standard("360821", "2025-11-01"), "1740.00");
    assert_eq!(standard("360821", "2025-12-01"), "1950.00");
    assert_eq!(standard("360112", "2024-04-01"), "1870.00");
}

#[test]
fn every_county_level_unit_has_a_class() {
    let policy = jiangxi();
    let list = policy.class_lists.on(day("2025-01-01")).expect("list");
    let counts = WageClass::ALL.iter().map(|class| list.divisions.values().filter(|unit| unit.class == *class).count());
    assert_eq!(counts.collect::<Vec<_>>(), [5, 16, 79]);
    assert_eq!(list.divisions.len(), 100);
    assert_eq!(policy.class_of("360681"), Some(WageClass::Two));
    assert_eq!(policy.class_of("nanchang_economic"), Some(WageClass::One));
    assert_eq!(policy.class_of("360100"), None, "a city is no county-level unit");
    assert_eq!(policy.class_of("110101"), None);
    assert_eq!(policy.class_on("360102", day("2025-06-01")), Some(WageClass::One));
    assert_eq!(policy.class_on("360102", day("2012-06-01")), None);
    assert_eq!(policy.division_name("360681"), Some("贵溪市"));
    assert_eq!(policy.division_name("nanchang_economic"), Some("南昌经济技术开发区"));
    assert_eq!(policy.division_name("360100"), None);
}

#[test]
fn a_year_with_two_standards_is_judged_month_by_month() {
    let policy = jiangxi();
    let rules = |month: &str| policy.month_rules(month.parse().expect("month")).expect("rules");
    assert_eq!(rules("2025-11").minimum_wage, [Fen(200_000), Fen(187_000), Fen(174_000)]);
    assert_eq!(rules("2025-12").minimum_wage_of(WageClass::Three), Fen(195_000));
    let june = rules("2025-06");
    assert_eq!((june.back_payment, june.certificate_month), (BackPayment::Accept, CertificateMonth::Overlap));
    assert_eq!(
        (june.minimum_age_years, june.retirement.men_60.base_years, june.retirement.women_50.cap_months),
        (16, 60, 60)
    );
}

#[test]
fn every_month_from_the_first_standard_on_has_rules_and_none_before() {
    let policy = jiangxi();
    for year in 2013..=2040 {
        assert!(policy.knows_year(year), "{year}");
    }
    assert!(!policy.knows_year(2012));
    assert!(!policy.knows_year(-5));
    let missing = policy.month_rules(Month::new(2012, 12).expect("month")).expect_err("before the policy");
    assert_eq!(missing.on, day("2012-12-01"));
}

#[test]
fn the_window_is_march_to_october_of_the_next_year() {
    let policy = jiangxi();
    assert_eq!(policy.window(2025), (day("2026-03-01"), day("2026-10-31")));
    assert_eq!(policy.window(2001), (day("2002-03-01"), day("2002-10-31")));
    assert_eq!(policy.declarable_year(day("2026-02-28")), None);
    assert_eq!(policy.declarable_year(day("2026-03-01")), Some(2025));
    assert_eq!(policy.declarable_year(day("2026-10-31")), Some(2025));
    assert_eq!(policy.declarable_year(day("2026-11-01")), None);
}

#[test]
fn the_switches_are_as_decided() {
    let policy = jiangxi();
    let on = day("2026-05-01");
    assert_eq!(policy.completion_grace_days(on), Ok(10));
    assert_eq!(policy.pending_tick_days(on), Ok(30));
    assert_eq!(policy.second_person(on), SecondPerson::default());
    assert_eq!(policy.stranger_retention_days(on), Ok(30));
    assert_eq!(policy.certificate_at_submission(on), Ok(true));
    assert_eq!(policy.placed_persons_rounding.on(on), Ok(&PlacedPersonsRounding::Exact));
    assert!(!policy.reward_rules(on).expect("reward").enabled);
    let commitment = policy.commitment(on).expect("commitment");
    assert!(commitment.text.contains("非官方文本"));
    assert_eq!((policy.province, policy.version.len()), (36, 16));
}

#[test]
fn a_switch_that_is_set_otherwise_is_otherwise() {
    let with = |original: &str, changed: &str| {
        assert_eq!(BUILT_IN.matches(original).count(), 1, "{original}");
        parse(&BUILT_IN.replacen(original, changed, 1)).expect("a policy")
    };
    let on = day("2026-05-01");
    let lax = with(
        "[[certificate_at_submission]]\nfrom = 2013-01-01\nvalue = true",
        "[[certificate_at_submission]]\nfrom = 2013-01-01\nvalue = false",
    );
    assert_eq!(lax.certificate_at_submission(on), Ok(false));
    let second = with("value = \"off\"", "value = [\"wage\"]").second_person(on);
    assert!(second.is_asked(Grounds::NONE.with(Ground::Wage)) && !second.is_asked(Grounds::NONE.with(Ground::Age)));
}

#[test]
fn severe_levels_count_twice_and_soldiers_of_nine_and_ten_not_at_all() {
    let weights = jiangxi().weights(day("2025-01-01")).expect("weights");
    let person: Vec<u8> = (1..=4).map(|level| weights.weight(CertificateKind::DisabledPerson, level)).collect();
    let soldier: Vec<u8> = (1..=10).map(|level| weights.weight(CertificateKind::DisabledSoldier, level)).collect();
    assert_eq!(person, [2, 2, 1, 1]);
    assert_eq!(soldier, [2, 2, 2, 1, 1, 1, 1, 1, 0, 0]);
}

#[test]
fn the_levy_follows_the_day_of_payment_and_has_no_rule_after_2027() {
    let policy = jiangxi();
    for paid_on in ["2020-01-01", "2022-12-31", "2023-01-01", "2027-12-31"] {
        assert!(policy.levy_rules(2024, day(paid_on)).is_ok(), "{paid_on}");
    }
    for paid_on in ["2019-12-31", "2028-01-01"] {
        let missing = policy.levy_rules(2024, day(paid_on)).expect_err("no rule");
        assert_eq!(missing.to_string(), format!("no rule for this date: relief on {paid_on}"));
    }
}

#[test]
fn the_calculator_works_by_the_built_in_rules_and_says_that_the_ceiling_is_unknown() {
    let rules = jiangxi().levy_rules(2025, day("2026-09-01")).expect("rules");
    let answer = estimate(
        &LevyInput {
            kind: EmployerKind::Enterprise,
            headcount: Headcount::parse("100").expect("headcount"),
            average_wage: AverageWage::monthly(Fen(600_000)).expect("wage"),
            weighted_person_months: PlacedPersons::from_weighted_months(12).weighted_months(),
        },
        &rules,
    );
    assert_eq!((answer.levy.due.to_string(), answer.saving.to_string()), ("18000.00".into(), "79200.00".into()));
    assert_eq!((answer.levy.tier, answer.levy.wage_cap), (Tier::Relief, WageCap::Unknown));
}

#[test]
fn another_byte_is_another_version() {
    let changed = parse(&format!("{BUILT_IN}# a remark\n")).expect("policy");
    assert_ne!(changed.version, jiangxi().version);
    assert_eq!(parse(BUILT_IN).expect("policy"), jiangxi());
}

#[test]
fn every_entry_names_its_source() {
    let policy = jiangxi();
    assert!(policy.minimum_wages.entries().iter().all(|entry| !entry.source.is_empty()));
    let standard = policy.minimum_wages.entry_on(day("2025-12-31")).expect("standard");
    assert_eq!((standard.from, standard.source.contains("赣府厅字〔2025〕42号")), (day("2025-12-01"), true));
    let (_, found) = refusal(r#"source = "Decision of this system""#, r#"source = " ""#);
    assert_eq!(found, "completion_grace_days: the source is empty");
}

#[test]
fn what_is_not_toml_is_refused_with_its_line() {
    let (line, found) = refusal("province = 36", "province = = 36");
    assert_eq!(line, line_of("province = 36"), "{found}");
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let (line, found) = refusal("province = 36", "province = 36\nprovinz = 36");
    assert_eq!(line, line_of("province = 36") + 1);
    assert!(found.starts_with("unknown field `provinz`"), "{found}");
    let (_, found) = refusal(r#"name = "东湖区", "#, r#"name = "东湖区", city = "南昌", "#);
    assert!(found.starts_with("unknown field `city`"), "{found}");
}

#[test]
fn a_policy_from_before_there_were_second_persons_asks_for_none() {
    let start = BUILT_IN.find("[[second_person]]").expect("the switch");
    let length = BUILT_IN[start..].find("\n\n").expect("its end");
    let before = format!("{}{}", &BUILT_IN[..start], &BUILT_IN[start + length..]);
    let policy = parse(&before).expect("an older policy");
    assert_eq!(policy.second_person(day("2026-05-01")), SecondPerson::default());
    let (line, found) = refusal("value = \"off\"", "value = \"on\"");
    assert!(
        found.contains("`off`, `all` or a list of grounds") && line >= line_of("[[second_person]]"),
        "{line}: {found}"
    );
}

#[test]
fn a_missing_list_is_refused() {
    let (_, found) = refusal(
        "[[pending_tick_days]]\nfrom = 2013-01-01\nvalue = 30",
        "[[pending_tick_days_]]\nfrom = 2013-01-01\nvalue = 30",
    );
    assert!(found.contains("pending_tick_days"), "{found}");
}

#[test]
fn a_date_that_does_not_exist_is_refused() {
    let (line, found) = refusal("from = 2014-07-01", "from = 2014-02-30");
    assert_eq!(line, line_of("from = 2014-07-01"), "{found}");
    let (_, found) = refusal("from = 2014-07-01", "from = 2014-07-01T00:00:00");
    assert!(found.contains("is not a date such as 2025-12-01"), "{found}");
}

#[test]
fn two_standards_on_one_day_are_refused() {
    let (line, found) = refusal("from = 2014-07-01", "from = 2013-01-01");
    assert_eq!(found, "minimum_wage: the entry from 2013-01-01 overlaps the one before it");
    assert_eq!(line, line_of("from = 2014-07-01") - 1);
    let (_, found) = refusal("until = 2022-12-31\nsource = \"财政部", "until = 2023-01-01\nsource = \"财政部");
    assert_eq!(found, "relief: the entry from 2023-01-01 overlaps the one before it");
    let (_, found) = refusal("until = 2022-12-31\nsource = \"财政部", "until = 2019-12-31\nsource = \"财政部");
    assert_eq!(found, "relief: the entry from 2020-01-01 ends before it begins");
}

#[test]
fn a_month_without_a_standard_is_refused() {
    let (line, found) = refusal("from = 2014-07-01", "from = 2014-07-01\nuntil = 2015-08-31");
    assert_eq!(found, "minimum_wage: nothing holds on 2015-09-01, every day from 2013-01-01 on needs one");
    assert_eq!(line, line_of("from = 2014-07-01") - 1);
    let (_, found) = refusal("from = 2025-12-01", "from = 2025-12-01\nuntil = 2030-12-31");
    assert_eq!(found, "minimum_wage: nothing holds on 2031-01-01, every day from 2013-01-01 on needs one");
}

#[test]
fn a_switch_that_begins_after_the_first_standard_is_refused() {
    let (_, found) = refusal("[[back_payment]]\nfrom = 2013-01-01", "[[back_payment]]\nfrom = 2018-01-01");
    assert_eq!(found, "back_payment: nothing holds on 2013-01-01, every day from 2013-01-01 on needs one");
}

#[test]
fn unknown_words_and_classes_are_refused_naming_the_accepted_ones() {
    let (line, found) = refusal(r#""东湖区", class = "1""#, r#""东湖区", class = "4""#);
    assert_eq!((line, found.as_str()), (line_of("东湖区"), "unknown variant `4`, expected one of `1`, `2`, `3`"));
    let (_, found) = refusal(r#"value = "accept""#, r#"value = "reject""#);
    assert_eq!(found, "unknown variant `reject`, expected `accept` or `review`");
    let (_, found) = refusal(r#"value = "gross""#, r#"value = "net""#);
    assert!(found.starts_with("unknown variant `net`, expected `gross`"), "{found}");
}

#[test]
fn divisions_of_another_province_and_repeated_ones_are_refused() {
    let (_, found) = refusal("360102 = {", "110101 = {");
    assert_eq!(found, "wage_classes: `110101` is not a six-digit division of province 36");
    let (line, found) = refusal("360103 = {", "360102 = {");
    assert_eq!(line, line_of("360103 = {"), "{found}");
    let (_, found) = refusal("nanchang_economic = {", "360199 = {");
    assert_eq!(found, "wage_classes: zone `360199`: digits alone are a division");
    let (_, found) = refusal(r#"name = "东湖区""#, r#"name = """#);
    assert_eq!(found, "wage_classes: `360102` has no name");
}

/// The built-in file with a second list from July 2025: the first one as `change` leaves it.
fn with_second_list(change: impl Fn(&str) -> String) -> String {
    let (head, list) = BUILT_IN.split_at(BUILT_IN.find("[[wage_classes]]").expect("the list"));
    let second = list.replacen("from = 2013-01-01", "from = 2025-07-01", 1);
    assert_ne!(second, list);
    format!("{head}{list}\n{}", change(&second))
}

fn without(list: &str, lines: &[&str]) -> String {
    let kept = list.lines().filter(|line| !lines.iter().any(|start| line.starts_with(start)));
    kept.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn a_list_that_drops_a_unit_of_the_one_before_is_refused_with_its_line_and_what_to_do() {
    let text = with_second_list(|list| without(list, &["360103", "lushan_administration"]));
    let refused = parse(&text).expect_err("refused").to_string();
    let line = text.lines().count() - text.lines().rev().position(|line| line == "[[wage_classes]]").expect("a line");
    assert_eq!(
        refused,
        format!(
            "policy:{line}:1: wage_classes: the list from 2025-07-01 lacks `360103` (西湖区, class 1), `lushan_administration` (庐山管理局, class 2), which the one from 2013-01-01 names; name every unit again: one that was merged into another keeps its line, with the class of the place that it is part of now"
        )
    );
    parse(&with_second_list(str::to_owned)).expect("a list that names all");
    let again = with_second_list(|list| list.replacen("\"西湖区\", class = \"1\"", "\"西湖区\", class = \"3\"", 1));
    let merged = parse(&again).expect("a unit that became part of another place");
    let class = |on| merged.class_on("360103", day(on));
    assert_eq!((class("2025-06-30"), class("2025-07-01")), (Some(WageClass::One), Some(WageClass::Three)));
}

#[test]
fn a_version_that_was_used_stays_readable_whatever_is_demanded_of_a_file_today() {
    let text = with_second_list(|list| without(list, &["360103"]));
    let kept = recall(&text).expect("readable");
    assert_eq!(kept.class_on("360103", day("2025-06-30")), Some(WageClass::One));
    assert_eq!(kept.class_on("360103", day("2025-07-01")), None, "no list says so, and none is guessed");
    assert_eq!(recall(BUILT_IN).expect("readable"), jiangxi());
}

#[test]
fn a_unit_that_a_later_list_names_first_has_that_class_in_the_months_before_too() {
    let text = with_second_list(|list| format!("{list}360184 = {{ name = \"新设区\", class = \"2\" }}\n"));
    let policy = parse(&text).expect("a policy");
    for on in ["2013-01-01", "2025-06-01", "2025-07-01", "2030-01-01"] {
        assert_eq!(policy.class_on("360184", day(on)), Some(WageClass::Two), "{on}");
    }
    let list = policy.class_list_on("360184", day("2025-01-01")).expect("a list");
    assert_eq!(list.from, day("2025-07-01"));
    assert_eq!(policy.class_list_on("360102", day("2025-01-01")).expect("a list").from, day("2013-01-01"));
    assert_eq!(policy.class_on("360184", day("2012-12-31")), None, "before the policy begins");
    assert_eq!(policy.class_on("360185", day("2025-01-01")), None, "no list names it");
}

#[test]
fn impossible_values_are_refused() {
    for (original, changed, expected) in [
        ("province = 36", "province = 99", "province 99, where 11 to 82 is accepted"),
        (r#"name = "江西省""#, r#"name = """#, "the province has no name"),
        (
            r#"class_1 = "2240""#,
            r#"class_1 = "2000""#,
            "minimum_wage: 2000.00, 2090.00, 1950.00: a lower class has a higher standard",
        ),
        (
            r#"class_3 = "1950""#,
            r#"class_3 = "0""#,
            "minimum_wage: a standard is above 0 and at most 30000.00 yuan a month",
        ),
        (
            r#"class_1 = "2240""#,
            r#"class_1 = "2240.001""#,
            "not an amount with at most two decimals, such as 2000 or -2000.50",
        ),
        ("value = 16", "value = 6", "minimum_age_years: a minimum age of 6, where 14 to 21 is accepted"),
        (
            "step_months = 2",
            "step_months = 0",
            "retirement: women_50: accepted are birth years 1900 to 2100, a base of 40 to 70 years, a step of 1 to 12 and a cap of 0 to 120 months",
        ),
        (
            "disabled_soldier_double_to = 3",
            "disabled_soldier_double_to = 9",
            "weights: levels are 1 to 4, soldiers' 1 to 10, and those that count twice count",
        ),
        (r#"opens = "03-01""#, r#"opens = "02-29""#, "`02-29` is not a day of every year such as 03-01"),
        (r#"opens = "03-01""#, r#"opens = "11-01""#, "window: the window closes before it opens"),
        ("value = 10\n", "value = 4000\n", "completion_grace_days: 4000 days, where up to 3660 are accepted"),
        (r#"version = "jiangxi-1""#, r#"version = """#, "commitment: the commitment needs a version and a text"),
        (r#"value = "0.015""#, r#"value = "1.5""#, "required_ratio: a required ratio of 1.5, not within 0 to 1"),
        (r#"value = "0.015""#, r#"value = "1,5""#, "not a decimal from 0 up, such as 30 or 30.5"),
        (r#"ratio_from = "0", share"#, r#"ratio_from = "0.001", share"#, "relief: the last tier begins at ratio 0"),
        (r#"share = "0.9""#, r#"share = "1.9""#, "relief: a share of 1.9, where 0 to 1 is accepted"),
        (
            r#"ratio_from = "0.01", share = "0.5""#,
            r#"ratio_from = "0.01", share = "0.95""#,
            "relief: tiers run from the highest ratio down, and a lower ratio never pays a smaller share",
        ),
        (
            "value = \"3\"",
            "value = \"0.3\"",
            "wage_cap_multiple: a ceiling of 0.3 averages, where 1 or more is accepted",
        ),
        (
            "until = 2019-12-31\n",
            "until = 2019-12-30\n",
            "social_average_wage: an entry is one calendar year, 1 January until 31 December",
        ),
        (r#"{ private = "48864" }"#, "{ }", "social_average_wage: none of `non_private`, `private`, `weighted`"),
        ("enabled = false", "enabled = true", "reward: switched on without a `minimum_wage_factor`"),
        ("kinds = [\"enterprise\"]\nminimum", "kinds = []\nminimum", "reward: `kinds` names no kind of employer"),
    ] {
        assert_eq!(refusal(original, changed).1, expected);
    }
}

#[test]
fn a_commitments_version_names_one_text() {
    let second = "[[commitment]]\nfrom = 2030-01-01\nsource = \"test\"\nvalue = { version = \"jiangxi-1\", text = \"other\" }\n\n[[required_ratio]]";
    assert_eq!(refusal("[[required_ratio]]", second).1, "commitment: version `jiangxi-1` is used twice");
}

#[test]
fn a_refusal_names_file_line_and_column() {
    let refused = load(Some(Path::new(".rustfmt.toml"))).expect_err("no policy").to_string();
    assert!(refused.starts_with(".rustfmt.toml:1:1: unknown field `edition`"), "{refused}");
    let absent = load(Some(Path::new("no-such-policy.toml"))).expect_err("absent");
    assert_eq!(absent.to_string(), "cannot read the policy file no-such-policy.toml");
    assert_eq!(load(Some(Path::new("src/policy/jiangxi.toml"))).expect("policy").policy, jiangxi());
}
