//! Small scenarios worked out by hand from rules.md and the vectors of domain.md sections 2, 4, 5 and 10.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::text;
use super::{Line, counts, evaluate};

const OWN: &str = "91369900MA00000152";
const AFFILIATE: &str = "91369900MA0TEXT12D";
const OTHER: &str = "92369900L00000011J";

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A scenario in 南昌市东湖区 for 2025: everything passes from March on, as in domain.md 10.
struct Case {
    id: String,
    business_date: &'static str,
    switches: Value,
    division: &'static str,
    wage_lag: u8,
    placement: String,
    more_placements: String,
    contracts: String,
    wages: String,
    insurance: String,
    certificates: String,
    filings: String,
    claims: Value,
    unticked: Value,
    decisions: Value,
    covers: Value,
    began_on: &'static str,
    extent: &'static str,
}

fn id(seventeen: &str) -> String {
    format!("{seventeen}{}", text::id_check(seventeen))
}

fn pay(id: &str, payer: &str, period: &str, amount: &str) -> String {
    format!("w-{payer}-{period},2026-01-20T08:00:00+08:00,,{id},张三,{payer},{period},{amount}\n")
}

fn insured(id: &str, scheme: &str, unit: &str, period: &str, rest: &str) -> String {
    format!("i-{scheme}-{period},2026-01-20T08:00:00+08:00,,{id},张三,{unit},{scheme},{period},{rest}\n")
}

fn certificate(id: &str, record: &str, level: u8, rest: &str) -> String {
    format!("{record},2026-01-20T08:00:00+08:00,,{id},张三,disabled_person,{id}4{level},{level},{rest}\n")
}

fn month(number: u32) -> String {
    format!("2025-{number:02}")
}

impl Case {
    fn new() -> Self {
        Self::of(id("36000019800505001"))
    }

    fn of(id: String) -> Self {
        let mut case = Self {
            business_date: "2026-04-03",
            switches: json!({"back_payment": "accept", "certificate_month": "overlap"}),
            division: "360102",
            wage_lag: 0,
            placement: format!("{OWN},2025,{id},张三,false,,{OWN},{OWN},{OWN},"),
            more_placements: String::new(),
            contracts: format!("{OWN},2025,{id},labour,2025-03-10,2027-03-09,\n"),
            wages: String::new(),
            insurance: String::new(),
            certificates: certificate(&id, "c-1", 3, "2020-06-01,2030-05-31,valid,"),
            filings: String::new(),
            claims: json!([]),
            unticked: json!([]),
            decisions: json!([]),
            covers: json!({}),
            began_on: "2026-04-01",
            extent: "whole",
            id,
        };
        case.pays(OWN, |_| "3000");
        case.insures(OWN, OWN, "employee,paid,normal");
        case
    }

    fn pays(&mut self, payer: &str, amount: impl Fn(u32) -> &'static str) {
        self.wages.clear();
        for number in 3..=12 {
            self.wages += &pay(&self.id, payer, &month(number), amount(number));
        }
    }

    fn insures(&mut self, pension: &str, medical: &str, medical_rest: &str) {
        self.insurance.clear();
        for number in 3..=12 {
            let period = month(number);
            self.insurance += &insured(&self.id, "pension", pension, &period, "employee,paid,normal");
            self.insurance += &insured(&self.id, "medical", medical, &period, medical_rest);
        }
    }

    fn run(&self) -> Vec<Line> {
        let directory: PathBuf = std::env::temp_dir().join(format!(
            "evaluation-{}-{}",
            std::process::id(),
            COUNTER.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(directory.join("deliveries")).expect("a directory");
        let write = |name: &str, header: &str, rows: &str| {
            std::fs::write(directory.join(name), format!("{header}\n{rows}")).expect("a file");
        };
        let head = "record_id,updated_at,deleted,";
        write(
            "employers.csv",
            "uscc,name,kind,division,wage_lag",
            &format!("{OWN},甲,enterprise,{},{}\n{OTHER},乙,enterprise,360102,0\n", self.division, self.wage_lag),
        );
        write(
            "placements.csv",
            "employer_uscc,year,id_number,name,dispatched,dispatch_uscc,wage_payer_uscc,\
             pension_payer_uscc,medical_payer_uscc,retirement_track",
            &format!("{}\n{}", self.placement, self.more_placements),
        );
        write("contracts.csv", "employer_uscc,year,id_number,kind,starts_on,ends_on,terminated_on", &self.contracts);
        write("deliveries/wage.csv", &format!("{head}id_number,name,payer_uscc,period,amount"), &self.wages);
        write(
            "deliveries/insurance.csv",
            &format!("{head}id_number,name,insured_uscc,scheme,period,coverage,status,payment"),
            &self.insurance,
        );
        write(
            "deliveries/certificate.csv",
            &format!(
                "{head}id_number,name,kind,certificate_number,level,valid_from,valid_to,status,\
                 status_since"
            ),
            &self.certificates,
        );
        write(
            "deliveries/dispatch_filing.csv",
            &format!(
                "{head}dispatch_uscc,dispatch_name,licence_number,province,valid_from,valid_to,\
                 status"
            ),
            &self.filings,
        );
        let mut jobs = Vec::new();
        for record in ["wage", "insurance", "certificate", "dispatch_filing"] {
            jobs.push(json!({
                "name": record, "record": record, "settles_after_days": 45,
                "stale_after_days": 7, "covers": self.covers,
                "pulls": [{"file": format!("deliveries/{record}.csv"),
                           "began_on": self.began_on, "extent": self.extent}],
            }));
        }
        let scenario = json!({
            "year": 2025, "business_date": self.business_date, "switches": self.switches,
            "jobs": jobs, "claims": self.claims, "unticked": self.unticked, "decisions": self.decisions,
        });
        std::fs::write(directory.join("scenario.json"), scenario.to_string()).expect("a file");
        let lines = evaluate(&directory).expect("an evaluation");
        std::fs::remove_dir_all(&directory).expect("removed");
        lines
    }

    /// The months of the first employer that passed, the first column of codes asked for.
    fn outcome(&self, check: usize) -> (Vec<usize>, Vec<String>) {
        let mut passed = Vec::new();
        let mut codes = Vec::new();
        let lines = self.run();
        let own = lines.iter().filter(|line| line.employer_uscc == OWN);
        for (position, line) in own.enumerate() {
            if line.passed {
                passed.push(position + 1);
            }
            codes.push(line.codes[check].clone());
        }
        (passed, codes)
    }
}

fn months(from: usize, to: usize) -> Vec<usize> {
    (from..=to).collect()
}

#[test]
fn v01_prorated_march_is_below_the_minimum() {
    let mut case = Case::new();
    case.pays(OWN, |m| if m == 3 { "1900" } else { "3000" });
    let (passed, wage) = case.outcome(0);
    assert_eq!(passed, months(4, 12));
    assert_eq!(wage[2], "below_minimum");
    assert_eq!(wage[0], "no_record");
}

fn paid_next_month(lag: u8) -> Case {
    let mut case = Case::new();
    case.wage_lag = lag;
    case.pays(OWN, |m| if m == 4 { "1900" } else { "3000" });
    let march = pay(&case.id, OWN, "2025-03", "3000");
    case.wages = case.wages.replace(&march, "");
    case.wages += &pay(&case.id, OWN, "2026-01", "3000");
    case
}

#[test]
fn v02_and_v03_wage_lag() {
    assert_eq!(paid_next_month(1).outcome(0).0, months(4, 12));
    let (passed, wage) = paid_next_month(0).outcome(0);
    assert_eq!(passed, months(5, 12));
    assert_eq!(wage[2], "no_record");
    assert_eq!(wage[3], "below_minimum");
}

#[test]
fn v04_december_has_a_new_minimum() {
    let mut case = Case::new();
    case.pays(OWN, |_| "2100");
    assert_eq!(case.outcome(0).0, months(3, 11));
    case.pays(OWN, |m| match m {
        10 => "1999.99",
        11 => "2000.00",
        12 => "2240.0",
        _ => "2 000",
    });
    let (passed, wage) = case.outcome(0);
    assert_eq!(passed, [3, 4, 5, 6, 7, 8, 9, 11, 12]);
    assert_eq!(wage[9], "below_minimum");
}

#[test]
fn lag_of_december_uses_the_standard_of_the_month_worked() {
    // January's pay period 2025-12 counts for November, whose standard is 2000.
    let mut case = paid_next_month(1);
    case.wages.clear();
    case.wages += &pay(&case.id, OWN, "2025-12", "2000");
    case.wages += &pay(&case.id, OWN, "2026-01", "2239.99");
    let (passed, wage) = case.outcome(0);
    assert_eq!(passed, [11]);
    assert_eq!(wage[11], "below_minimum");
}

#[test]
fn corrections_and_reversals_add_up() {
    let mut case = Case::new();
    let row = |record: &str, period: &str, amount: &str| {
        format!("{record},2026-01-20T08:00:00Z,false,{},张三,{OWN},{period},{amount}\n", case.id)
    };
    case.wages = row("a", "2025-05", "1200") + &row("b", "2025-05", "1000");
    case.wages += &(row("c", "2025-06", "2300") + &row("d", "2025-06", "-2300"));
    case.wages += &row("e", "2025-06", "1900");
    case.wages += &row("f", "2025-07", "0");
    let (passed, wage) = case.outcome(0);
    assert_eq!(passed, [5]);
    assert_eq!(wage[5], "below_minimum");
    assert_eq!(wage[6], "below_minimum");
}

#[test]
fn v05_resident_scheme() {
    let mut case = Case::new();
    case.insures(OWN, OWN, "resident,paid,normal");
    let (passed, medical) = case.outcome(2);
    assert_eq!(passed, months(1, 0));
    assert_eq!(medical[2], "resident_scheme");
    assert_eq!(medical[0], "no_record");
}

#[test]
fn v06_own_account_is_the_wrong_unit() {
    let mut case = Case::new();
    case.insures(OWN, "", "employee,owed,normal");
    let (passed, medical) = case.outcome(2);
    assert_eq!(passed, months(1, 0));
    assert_eq!(medical[2], "wrong_unit");
    case.insures(OWN, OWN, "employee,owed,normal");
    assert_eq!(case.outcome(2).1[2], "unpaid");
}

#[test]
fn v07_payers_are_compared_one_by_one() {
    let mut case = Case::new();
    case.placement = format!("{OWN},2025,{},张三,false,,{AFFILIATE},{OWN},{AFFILIATE},", case.id);
    case.pays(AFFILIATE, |_| "3000");
    case.insures(OWN, AFFILIATE, "employee,paid,normal");
    assert_eq!(case.outcome(0).0, months(3, 12));
    case.pays(OWN, |_| "3000");
    assert_eq!(case.outcome(0).1[2], "wrong_unit");
}

#[test]
fn v09_back_payment() {
    let mut case = Case::new();
    for number in 3..=5 {
        let normal = insured(&case.id, "pension", OWN, &month(number), "employee,paid,normal");
        let back = normal.replace("paid,normal", "paid,back_payment");
        case.insurance = case.insurance.replace(&normal, &back);
    }
    assert_eq!(case.outcome(1).0, months(3, 12));
    case.switches = json!({"back_payment": "review", "certificate_month": "overlap"});
    let (passed, pension) = case.outcome(1);
    assert_eq!(passed, months(6, 12));
    assert_eq!(pension[2], "back_payment");
}

#[test]
fn v10_claims_and_conflicts() {
    let mut case = Case::new();
    case.more_placements = format!("{OTHER},2025,{},张三,false,,{OTHER},{OTHER},{OTHER},\n", case.id);
    for number in 6..=8 {
        let claim = json!({"employer_uscc": OTHER, "id_number": case.id, "month": month(number)});
        case.claims.as_array_mut().expect("an array").push(claim);
    }
    let lines = case.run();
    let of = |uscc: &str, flag: fn(&Line) -> bool| -> Vec<usize> {
        let own = lines.iter().filter(|line| line.employer_uscc == uscc);
        (1..).zip(own).filter(|(_, line)| flag(line)).map(|(number, _)| number).collect()
    };
    assert_eq!(of(OWN, |line| line.passed), [3, 4, 5, 9, 10, 11, 12]);
    assert_eq!(of(OWN, |line| line.conflict), [6, 7, 8]);
    // The failing one is marked beside the passing one, except where it holds the claim.
    assert_eq!(of(OTHER, |line| line.conflict), [3, 4, 5, 9, 10, 11, 12]);
}

#[test]
fn two_unclaimed_passing_placements_are_both_in_conflict() {
    let mut case = Case::new();
    case.more_placements = format!("{OTHER},2025,{},张三,false,,{OWN},{OWN},{OWN},\n", case.id);
    let second = format!("{OTHER},2025,{},labour,2025-07-01,,\n", case.id);
    case.contracts += &second;
    let lines = case.run();
    for line in &lines {
        let number: u32 = line.month[5..].parse().expect("a number");
        let expected = if line.employer_uscc == OWN { number >= 7 } else { number >= 3 };
        assert_eq!(line.conflict, expected, "{line:?}");
    }
}

#[test]
fn an_unticked_month_is_left_to_the_others_and_a_decision_settles_the_rest() {
    let mut case = Case::new();
    case.more_placements = format!("{OTHER},2025,{},张三,false,,{OWN},{OWN},{OWN},\n", case.id);
    let second = format!("{OTHER},2025,{},labour,2025-03-10,,\n", case.id);
    case.contracts += &second;
    let said =
        |employer: &str, number: u32| json!({"employer_uscc": employer, "id_number": case.id, "month": month(number)});
    case.unticked = json!([said(OTHER, 4), said(OTHER, 5)]);
    case.decisions = json!([said(OWN, 6), said(OTHER, 5)]);
    let lines = case.run();
    let in_conflict = |uscc: &str| -> Vec<usize> {
        let own = lines.iter().filter(|line| line.employer_uscc == uscc);
        (1..).zip(own).filter(|(_, line)| line.conflict).map(|(number, _)| number).collect()
    };
    assert_eq!(in_conflict(OWN), [3, 7, 8, 9, 10, 11, 12]);
    assert_eq!(in_conflict(OTHER), months(3, 12));
}

#[test]
fn v11_level_raised_in_july() {
    let mut case = Case::new();
    case.certificates = certificate(&case.id, "c-1", 3, "2020-06-01,2030-05-31,replaced,");
    case.certificates += &certificate(&case.id, "c-2", 2, "2025-07-01,2035-06-30,valid,");
    let lines = case.run();
    let sum: u8 = lines.iter().filter(|line| line.passed).map(|line| line.weight).sum();
    assert_eq!(sum, 16);
}

#[test]
fn v12_frozen_from_a_date() {
    let mut case = Case::new();
    case.certificates = certificate(&case.id, "c-1", 2, "2020-06-01,2030-05-31,frozen,2025-09-15");
    let lines = case.run();
    assert_eq!(lines[8].codes[3], "pass");
    assert_eq!(lines[8].weight, 2);
    assert_eq!(lines[9].codes[3], "frozen");
    assert_eq!(lines[9].weight, 1);
    case.switches = json!({"back_payment": "accept", "certificate_month": "whole_month"});
    assert_eq!(case.outcome(3).1[8], "frozen");
    case.switches = json!({"back_payment": "accept", "certificate_month": "year"});
    assert_eq!(case.outcome(3).0, months(3, 12));
    case.certificates = certificate(&case.id, "c-1", 2, "2020-06-01,2030-05-31,frozen,");
    assert_eq!(case.outcome(3).1, vec!["frozen"; 12]);
}

#[test]
fn certificate_gap_and_first_issue() {
    let mut case = Case::new();
    case.certificates = certificate(&case.id, "c-1", 3, "2015-03-10,2025-03-09,expired,");
    case.certificates += &certificate(&case.id, "c-2", 3, "2025-06-01,,valid,");
    let (passed, codes) = case.outcome(3);
    assert_eq!(passed, [3, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(codes[3], "expired");
    case.certificates = certificate(&case.id, "c-1", 3, "2025-05-20,,valid,");
    let (passed, codes) = case.outcome(3);
    assert_eq!(passed, months(5, 12));
    assert_eq!(codes[0], "not_yet_valid");
    // Both are only said from a fresh source.
    case.business_date = "2026-04-09";
    let (passed, codes) = case.outcome(3);
    assert_eq!(passed, months(5, 12));
    assert_eq!(codes[0], "pending");
}

#[test]
fn soldiers_of_level_nine_are_absent() {
    let mut case = Case::new();
    let id = case.id.clone();
    let soldier = |level: u8| soldier(&id, "s", level, "2020-01-01,,valid,");
    case.certificates = soldier(9);
    assert_eq!(case.outcome(3).1, vec!["none"; 12]);
    case.certificates = soldier(3);
    assert!(case.run().iter().all(|line| line.weight == 2));
    case.certificates = soldier(4);
    assert!(case.run().iter().all(|line| line.weight == 1));
}

#[test]
fn v13_a_county_without_its_pull_is_pending() {
    let mut case = Case::new();
    case.covers = json!({"divisions": ["3602"]});
    let (passed, wage) = case.outcome(0);
    assert_eq!(passed, months(3, 12));
    assert_eq!(wage[0], "pending");
    case.covers = json!({});
    // 2025-10-31 + 45 days = 2025-12-15
    case.began_on = "2025-12-15";
    case.wages.clear();
    let (_, wage) = case.outcome(0);
    assert_eq!(wage[9], "no_record");
    assert_eq!(wage[10], "pending");
}

#[test]
fn only_complete_pulls_settle_and_held_ones_publish_nothing() {
    for extent in ["range", "person", "held", "dry"] {
        let mut case = Case::new();
        case.extent = extent;
        let (passed, wage) = case.outcome(0);
        let published = extent == "range" || extent == "person";
        assert_eq!(passed, if published { months(3, 12) } else { months(1, 0) });
        assert_eq!(wage[0], "pending");
        case.certificates.clear();
        assert_eq!(case.outcome(3).1, vec!["pending"; 12]);
    }
}

#[test]
fn v14_contract_of_less_than_a_year() {
    let mut case = Case::new();
    case.contracts = format!("{OWN},2025,{},labour,2025-03-10,2026-02-28,\n", case.id);
    let (passed, codes) = case.outcome(5);
    assert_eq!(passed, months(1, 0));
    assert_eq!(codes[1], "not_covered");
    assert_eq!(codes[2], "too_short");
    let id = case.id.clone();
    let one = |rest: &str| {
        let mut case = Case::new();
        case.contracts = format!("{OWN},2025,{id},{rest}\n");
        case.outcome(5).1[0].clone()
    };
    assert_eq!(one("labour,2024-03-15,2025-03-14,"), "pass");
    assert_eq!(one("labour,2024-02-29,2025-02-28,"), "pass");
    assert_eq!(one("labour,2024-02-02,2025-01-31,"), "too_short");
    assert_eq!(one("establishment,2024-12-02,2025-01-31,"), "pass");
    assert_eq!(one("labour,2024-01-01,,2025-01-01"), "pass");
    assert_eq!(one("labour,2024-01-01,,2024-12-31"), "not_covered");
}

#[test]
fn v15_and_v16_retirement() {
    let case = Case::of(id("36000019650115001"));
    let (passed, codes) = case.outcome(4);
    assert_eq!(passed, months(1, 0));
    assert_eq!(codes[1], "pass");
    assert_eq!(codes[2], "over_age");
    let case = Case::of(id("36000019650920001"));
    assert_eq!(case.outcome(4).0, months(3, 12));
    // 16 on 2009-06-30 + 16 = 2025-06-30
    let case = Case::of(id("36000020090630001"));
    let (passed, codes) = case.outcome(4);
    assert_eq!(passed, months(6, 12));
    assert_eq!(codes[4], "under_age");
}

#[test]
fn retirement_dates_of_the_tracks() {
    let at = |birth: &str, track: &str| {
        super::retirement(text::date(birth).expect("a date"), track).expect("a date").to_string()
    };
    assert_eq!(at("1967-05-12", "men_60"), "2028-01-12");
    assert_eq!(at("1964-12-31", "men_60"), "2024-12-31");
    assert_eq!(at("1965-12-31", "men_60"), "2026-03-31");
    assert_eq!(at("1976-09-01", "men_60"), "2039-09-01");
    assert_eq!(at("1974-10-01", "women_55"), "2031-01-01");
    assert_eq!(at("1971-04-01", "women_55"), "2026-08-01");
    assert_eq!(at("1975-02-01", "women_50"), "2025-03-01");
    assert_eq!(at("1980-01-31", "women_50"), "2032-08-31");
    assert_eq!(at("1995-12-01", "women_50"), "2050-12-01");
}

#[test]
fn dispatch_filings() {
    let mut case = Case::new();
    case.placement = format!("{OWN},2025,{},张三,true,{AFFILIATE},{OWN},{OWN},{OWN},", case.id);
    let filing = |province: &str, rest: &str| {
        format!("f-{province},2026-01-20T08:00:00Z,,{AFFILIATE},派遣,L1,{province},{rest}\n")
    };
    let mut code = |rows: String| {
        case.filings = rows;
        case.outcome(6).1[0].clone()
    };
    assert_eq!(code(String::new()), "not_filed");
    assert_eq!(code(filing("440000", "2020-01-01,,approved")), "not_filed");
    assert_eq!(code(filing("369900", "2026-04-03,,approved")), "pass");
    assert_eq!(code(filing("360000", "2026-04-04,,approved")), "not_in_force");
    assert_eq!(code(filing("360000", "2020-01-01,2026-04-02,approved")), "not_in_force");
    assert_eq!(code(filing("360000", "2020-01-01,,revoked")), "not_in_force");
    assert_eq!(code(filing("360000", "2020-01-01,,rejected")), "not_approved");
    assert_eq!(code(filing("360000", "2020-01-01,,unknown")), "pending");
}

#[test]
fn refused_records_make_pending_until_a_good_version_comes() {
    let mut case = Case::new();
    let row = |stamp: &str, period: &str, amount: &str| {
        format!("x,2026-01-{stamp}T08:00:00+08:00,,{},张三,{OWN},{period},{amount}\n", case.id)
    };
    let bad = row("20", "2025-05", "1.234");
    let good = row("21", "2025-06", "5000");
    let reused = row("21", "2025-07", "5000");
    case.wages = bad.clone();
    assert_eq!(case.outcome(0).1[4], "pending");
    assert_eq!(case.outcome(0).1[5], "no_record");
    case.wages = format!("{bad}{good}");
    assert_eq!(case.outcome(0).1[4], "no_record");
    assert_eq!(case.outcome(0).1[5], "pass");
    case.wages = format!("{good}{reused}{bad}");
    assert_eq!(case.outcome(0).1[4..7], ["pending", "pass", "pending"]);
    // The same stamp in another zone with the same content is ignored.
    let same = good.replace("21T08:00:00+08:00", "21T00:00:00Z");
    case.wages = format!("{good}{same}");
    assert_eq!(case.outcome(0).1[4..7], ["no_record", "pass", "no_record"]);
    // A deletion needs nothing else; an older version does not bring the record back.
    let older = row("19", "2025-06", "5000");
    case.wages = format!("{good}x,2026-02-01T00:00:00Z,true,,,,,\n{older}");
    assert_eq!(case.outcome(0).1[5], "no_record");
}

#[test]
fn numbers_of_persons_and_units() {
    let good = |raw: &str| text::id_number(raw);
    assert_eq!(good("360000650101001").as_deref(), Some("360000196501010012"));
    assert_eq!(good("36000019850710019x").as_deref(), Some("36000019850710019X"));
    assert_eq!(good("３６００００ 19650101001２\t").as_deref(), Some("360000196501010012"));
    for blank in [
        '\u{200B}', '\u{200C}', '\u{200D}', '\u{200E}', '\u{200F}', '\u{2060}', '\u{FEFF}', '\u{AD}', '\u{3000}',
        '\u{A0}', '\u{7F}',
    ] {
        let raw = format!("{blank}360000{blank}196501010012{blank}");
        assert_eq!(good(&raw).as_deref(), Some("360000196501010012"));
        assert_eq!(text::name(&blank.to_string()), None);
        assert_eq!(text::trim(&format!("{blank}军 1{blank}")), "军 1");
    }
    for bad in ["360000196501010013", "360000190002290011", "360000199013010012"] {
        assert_eq!(good(bad), None);
    }
    for code in ["91369900ma00000152", "1236990000000006XK", "123699000000004650", "12369900000000107Y"] {
        assert!(text::uscc(code).is_some(), "{code}");
    }
    for code in ["91369900MA00000153", "91639900MA00000152", "91369900MA0O000152", "913699000000015"] {
        assert!(text::uscc(code).is_none(), "{code}");
    }
    let number = |raw: &str| text::certificate_number(raw).is_some();
    assert!(number("36000019650101001243"));
    assert!(number("36000019850710019X41"));
    assert!(number("36000019650101001243B1"));
    assert!(!number("36000019650101001283"));
    assert!(!number("36000019650101001245"));
    assert!(!number("36000019650101001343"));
    assert!(!number("36000019650101001243B0"));
    // The old number: 15-digit ID, category, level.
    assert!(number("36000065010100143"));
    assert!(number("360000 650101001 43"));
    for bad in [
        "36000065010100183",
        "36000065010100145",
        "36000065023100143",
        "36000065010100143B1",
        "3600006501010014",
        "360000196501010012",
        "3600001965010100124",
    ] {
        assert!(!number(bad), "{bad}");
    }
}

#[test]
fn amounts_dates_and_classes() {
    assert_eq!(text::cents("２３００．５"), Some(230_050));
    assert_eq!(text::cents("-0.05"), Some(-5));
    for bad in ["", "1,000", "1.", ".5", "1e3", "1.234", "--1", "+1"] {
        assert_eq!(text::cents(bad), None, "{bad}");
    }
    assert!(text::date("2025-02-29").is_none());
    assert!(text::month("2025-13").is_none());
    let mut all: Vec<&str> = Vec::new();
    for class in [super::CLASS_1, super::CLASS_2, super::CLASS_3] {
        all.extend(class.split_whitespace());
    }
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 100);
}

fn switched(certificate_month: &str) -> Value {
    json!({"back_payment": "accept", "certificate_month": certificate_month})
}

/// The code of each month of certificates under a switch; each is its level and the rest.
fn certificate_codes(switch: &str, certificates: &[(u8, &str)]) -> Vec<String> {
    let mut case = Case::new();
    case.switches = switched(switch);
    case.certificates.clear();
    for (position, (level, rest)) in certificates.iter().enumerate() {
        case.certificates += &certificate(&case.id, &format!("c-{position}"), *level, rest);
    }
    case.outcome(3).1
}

fn soldier(id: &str, record: &str, level: u8, rest: &str) -> String {
    format!("{record},2026-01-20T08:00:00Z,,{id},张三,disabled_soldier,军0001,{level},{rest}\n")
}

#[test]
fn whole_month_takes_certificates_together() {
    let of = |certificates: &[(u8, &str)]| certificate_codes("whole_month", certificates);
    let joined = of(&[(3, "2020-01-01,2025-05-14,expired,"), (3, "2025-05-15,,valid,")]);
    assert_eq!(joined, vec!["pass"; 12]);
    // One day is missing in May.
    let gap = of(&[(3, "2020-01-01,2025-05-13,expired,"), (3, "2025-05-15,,valid,")]);
    assert_eq!(gap[3..6], ["pass", "expired", "pass"]);
    // The first uncovered day decides: of the 1st, then of the 21st.
    let begins = of(&[(3, "2025-05-02,2025-06-20,valid,")]);
    assert_eq!(begins[3..7], ["not_yet_valid", "not_yet_valid", "expired", "expired"]);
    // Frozen from the 15th on, but a second one takes over on the 20th and ends with the month.
    let frozen = of(&[(3, "2020-01-01,2030-01-01,frozen,2025-05-15"), (3, "2025-05-20,2025-05-31,valid,")]);
    assert_eq!(frozen[3..6], ["pass", "frozen", "frozen"]);
    let cancelled = of(&[(3, "2020-01-01,2025-05-20,cancelled,2025-05-15"), (3, "2020-01-01,2025-05-17,valid,")]);
    assert_eq!(cancelled[4], "cancelled", "the 18th, within the cancelled one's dates");
    let later = of(&[(3, "2020-01-01,2025-05-20,cancelled,2025-05-15"), (3, "2020-01-01,2025-05-20,valid,")]);
    assert_eq!(later[4], "expired", "the 21st, after both");
    assert_eq!(of(&[]), vec!["none"; 12]);
}

#[test]
fn year_takes_every_code_by_the_year() {
    let of = |certificates: &[(u8, &str)]| certificate_codes("year", certificates);
    assert_eq!(of(&[(3, "2025-12-31,,valid,")]), vec!["pass"; 12]);
    assert_eq!(of(&[(3, "2015-01-01,2025-01-01,expired,")]), vec!["pass"; 12]);
    assert_eq!(of(&[(3, "2015-01-01,2024-12-31,expired,")]), vec!["expired"; 12]);
    assert_eq!(of(&[(3, "2026-01-01,,valid,")]), vec!["not_yet_valid"; 12]);
    // Its dates have a day in the year, though none in most of the months.
    let frozen = of(&[(3, "2015-01-01,2025-01-10,frozen,2024-06-01")]);
    assert_eq!(frozen, vec!["frozen"; 12]);
    // The weight stays by month.
    let mut case = Case::new();
    case.switches = switched("year");
    case.certificates = certificate(&case.id, "c-1", 1, "2025-07-31,2025-08-01,valid,");
    let mut heavy = Vec::new();
    for (number, line) in (1..).zip(case.run()) {
        if line.weight == 2 {
            heavy.push(number);
        }
    }
    assert_eq!(heavy, [7, 8]);
}

#[test]
fn replaced_and_expired_without_dates() {
    let of = |certificates: &[(u8, &str)]| certificate_codes("overlap", certificates);
    // No successor: to valid_to; without that never.
    let codes = of(&[(3, "2020-01-01,2025-03-10,replaced,")]);
    assert_eq!(codes[1..4], ["pass", "pass", "expired"]);
    assert_eq!(of(&[(3, "2020-01-01,,replaced,")]), vec!["none"; 12]);
    let codes = of(&[(3, "2020-01-01,,replaced,2025-03-01")]);
    assert_eq!(codes[1..3], ["pass", "expired"]);
    // A successor that is itself not in force ends it too.
    let codes = of(&[(3, "2020-01-01,,replaced,"), (3, "2025-03-01,2025-12-31,cancelled,")]);
    assert_eq!(codes[1..3], ["pass", "cancelled"]);
    // Expired: the earlier of the two days, one of them alone, none.
    let codes = of(&[(3, "2020-01-01,2025-03-10,expired,2025-03-01")]);
    assert_eq!(codes[1..3], ["pass", "expired"]);
    let codes = of(&[(3, "2020-01-01,2025-03-10,expired,2025-06-01")]);
    assert_eq!(codes[2..4], ["pass", "expired"]);
    let codes = of(&[(3, "2020-01-01,,expired,2025-03-02")]);
    assert_eq!(codes[2..4], ["pass", "expired"]);
    let codes = of(&[(3, "2020-01-01,2025-03-10,expired,")]);
    assert_eq!(codes[2..4], ["pass", "expired"]);
    assert_eq!(of(&[(3, "2020-01-01,,expired,")]), vec!["none"; 12]);
    // Where one ended and another begins later, it is the ended one.
    let codes = of(&[(3, "2026-01-01,,valid,"), (3, "2020-01-01,2024-12-31,valid,")]);
    assert_eq!(codes, vec!["expired"; 12]);
}

#[test]
fn a_soldier_of_level_nine_may_be_the_successor() {
    let mut case = Case::new();
    let old = soldier(&case.id, "s-1", 3, "2020-01-01,2030-01-01,replaced,");
    let new = soldier(&case.id, "s-2", 9, "2025-03-01,,valid,");
    case.certificates = format!("{old}{new}");
    let codes = case.outcome(3).1;
    assert_eq!(codes[1..4], ["pass", "expired", "expired"]);
    let weights: Vec<u8> = case.run().iter().map(|line| line.weight).collect();
    assert_eq!(weights[1..4], [2, 1, 1]);
    // It is no successor of a certificate of the other kind.
    let person = certificate(&case.id, "c-1", 3, "2020-01-01,2030-01-01,replaced,");
    case.certificates = format!("{person}{new}");
    assert_eq!(case.outcome(3).1, vec!["pass"; 12]);
}

#[test]
fn refused_without_period_or_scheme() {
    let mut case = Case::new();
    case.wages = pay(&case.id, OWN, "2025-13", "3000");
    assert_eq!(case.outcome(0).1, vec!["pending"; 12]);
    case.wages = pay(&case.id, OWN, "", "3000");
    assert_eq!(case.outcome(0).1, vec!["pending"; 12]);
    case.wages = pay("360000196501010013", OWN, "2025-13", "3000");
    assert_eq!(case.outcome(0).1, vec!["no_record"; 12]);
    case.wages = pay(&id("36000019800505003"), OWN, "2025-13", "3000");
    assert_eq!(case.outcome(0).1, vec!["no_record"; 12]);

    let mut both = |scheme: &str, period: &str| {
        case.insurance = insured(&case.id, scheme, OWN, period, "employee,unknown,normal");
        let lines = case.run();
        [4, 5].map(|month| lines[month].codes[1..3].join(" "))
    };
    let none = "no_record no_record";
    assert_eq!(both("pension", "2025-05"), ["pending no_record", none]);
    assert_eq!(both("Medical", "2025-05"), ["no_record pending", none]);
    assert_eq!(both("injury", "2025-05"), ["pending pending", none]);
    assert_eq!(both("", "2025-05"), ["pending pending", none]);
    assert_eq!(both("medical", "2025"), ["no_record pending"; 2]);
    assert_eq!(both("injury", "2025"), ["pending pending"; 2]);
}

#[test]
fn a_refused_filing_concerns_its_company() {
    let mut case = Case::new();
    case.placement = format!("{OWN},2025,{},张三,true,{AFFILIATE},{OWN},{OWN},{OWN},", case.id);
    let mut code = |company: &str| {
        case.filings = format!("f,2026-01-20T08:00:00Z,,{company},派遣,L1,440000,2020-01-01,,unknown\n");
        case.outcome(6).1[0].clone()
    };
    assert_eq!(code(AFFILIATE), "pending");
    assert_eq!(code(OTHER), "not_filed");
    assert_eq!(code("unreadable"), "not_filed");
}

#[test]
fn the_holder_of_a_claim_is_never_in_conflict() {
    let mut case = Case::new();
    case.more_placements = format!("{OTHER},2025,{},张三,false,,{OWN},{OWN},{OWN},\n", case.id);
    let second = format!("{OTHER},2025,{},labour,2025-03-10,,\n", case.id);
    case.contracts += &second;
    case.claims = json!([{"employer_uscc": OWN, "id_number": case.id, "month": "2025-05"},
                         {"employer_uscc": OWN, "id_number": case.id, "month": "2025-01"}]);
    for line in case.run() {
        let claimed = line.month == "2025-05" || line.month == "2025-01";
        let expected = match (line.employer_uscc.as_str(), line.month.as_str()) {
            (OWN, _) if claimed => false,
            (OTHER, _) if claimed => true,
            (_, month) => month >= "2025-03",
        };
        assert_eq!(line.conflict, expected, "{line:?}");
        if line.month == "2025-05" {
            assert_eq!(line.passed, line.employer_uscc == OWN);
        }
    }
}

#[test]
fn counts_of_codes() {
    let mut case = Case::new();
    case.certificates = certificate(&case.id, "c-1", 2, "2025-04-01,,valid,");
    case.claims = json!([{"employer_uscc": OTHER, "id_number": case.id, "month": "2025-12"}]);
    let counts = counts(&case.run());
    let of = |what: &str, value: &str| counts.get(&(what.to_owned(), value.to_owned())).copied();
    assert_eq!(of("wage", "pass"), Some(10));
    assert_eq!(of("wage", "no_record"), Some(2));
    assert_eq!(of("wage", "wrong_unit"), None);
    assert_eq!(of("certificate", "not_yet_valid"), Some(3));
    assert_eq!(of("dispatch", "not_applicable"), Some(12));
    assert_eq!(of("weight", "2"), Some(9));
    assert_eq!(of("conflict", "true"), Some(1));
    assert_eq!(of("passed", "true"), Some(8));
    let codes: usize = counts.values().sum();
    assert_eq!(codes, 7 * 12 + 9 + 1 + 8);
}
