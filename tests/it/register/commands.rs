//! The commands of the register as people type them: numbers and names on standard input, masked in what is said.

use std::io::Write as _;
use std::process::Stdio;

use super::*;

impl Office {
    /// Exit code, then everything said, with `input` on standard input.
    fn say(&self, arguments: &[&str], input: &str) -> String {
        let jobs = self.agency.scratch.path().join("jobs");
        let mut command = self.agency.harness.program(arguments, &jobs);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("it ends");
        let said = format!(
            "exit {}\n{}{}",
            output.status.code().expect("a code"),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        for person in 1..=9 {
            assert!(!said.contains(&id_number(person)), "an ID number is shown: {said}");
        }
        said.trim_end().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_look_up_to_a_placement_with_a_contract() {
    let office = Office::open("register_commands").await;
    let of = ["--employer", OWN, "--year", "2025"];
    let with =
        |command: &[&'static str], rest: &[&'static str]| -> Vec<&'static str> { [command, &of[..], rest].concat() };
    let three_lines = format!("{NAME}\n{}\n{}43\n", id_number(1), id_number(1));
    let said = office.say(&["look-up", "--employer", OWN, "--format", "json"], &three_lines);
    let answer: serde_json::Value = serde_json::from_str(said.trim_start_matches("exit 0\n")).expect("JSON");
    let receipt = answer["receipt"].as_str().expect("a receipt").to_owned();
    let other_name = format!("他人\n{}\n{}43\n", id_number(1), id_number(1));
    insta::assert_snapshot!(office.say(&["look-up", "--employer", OWN], &other_name), @"
    exit 0
    no match
    ");
    insta::assert_snapshot!(office.say(&["look-up", "--employer", OWN], "某人\n"), @"
    exit 2
    renzheng: standard input ends after 1 lines; it holds 3, in this order: the name, the ID number, the certificate number
    ");

    let add = [&with(&["placement", "add"], &["--receipt"])[..], &[receipt.as_str()]].concat();
    let person = office.person(1).await.0.to_string();
    // numbers of persons are given in no order
    let mask = |said: String| {
        let lines = said.lines().map(|line| match line.split_once(&format!(" {person}  某")) {
            Some((before, after)) => format!("{} [1]  某{after}", before.trim_end()),
            None => line.replace(&format!("person {person}"), "person [1]"),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(mask(office.say(&add, "")), @"
    exit 0
    person [1] is registered
    ");
    let typed = format!("{}\n王小明\n", id_number(9));
    insta::assert_snapshot!(
        office.say(&with(&["placement", "add"], &["--wage-payer", HOLDING, "--track", "women_50"]), &typed), @"
        exit 1
        renzheng: wage_payer_uscc: payer_not_listed; accepted: the wage payer is neither the employer nor a unit listed by it for the year; list the affiliate first
        ");
    let unit = ["--unit", HOLDING, "--name", "丙集团", "--relation", "affiliate", "--phone", "0791-88880000"];
    insta::assert_snapshot!(office.say(&with(&["affiliate", "add"], &unit), ""), @"
    exit 0
    the unit is listed
    ");
    let change = [&with(&["placement", "change"], &["--wage-payer", HOLDING, "--person"])[..], &["-"]].concat();
    insta::assert_snapshot!(mask(office.say(&change, &id_number(1))), @"
    exit 0
    person [1] is registered again (重新登记)
    ");
    insta::assert_snapshot!(office.say(&with(&["affiliate", "list"], &[]), ""), @"
    exit 0
    unit                name    relation   address  phone          used by
    92369900L00000011J  丙集团  affiliate           0791-88880000        1
    ");
    let which = ["--person", &person, "--kind", "labour", "--starts-on", "2025-03-01"];
    let contract =
        [&["contract", "add"][..], &of[..], &which[..], &["--ends-on", "2025-12-31", "--post", "质检员"][..]].concat();
    insta::assert_snapshot!(office.say(&contract, ""), @"
    exit 0
    the contract is entered
      warning ends_on: contract_under_a_year: is agreed for less than a year; no month it covers passes by it
    ");
    let terminate = [&["contract", "terminate"][..], &of[..], &which[..], &["--on", "2025-10-31"][..]].concat();
    insta::assert_snapshot!(office.say(&terminate, ""), @"
    exit 0
    the contract is changed
      warning ends_on: contract_under_a_year: is agreed for less than a year; no month it covers passes by it
    ");
    let show = [&["placement", "show"][..], &of[..], &["--person", &person][..]].concat();
    insta::assert_snapshot!(mask(office.say(&show, "")), @"
    exit 0
    person [1]  某*  **************0000
    wage payer     92369900L00000011J
    pension payer  91369900MA00000152
    medical payer  91369900MA00000152
    contract       labour from 2025-03-01 to 2025-12-31, terminated on 2025-10-31, 质检员
    ");
    insta::assert_snapshot!(mask(office.say(&with(&["placement", "list"], &[]), "")), @"
    exit 0
    person  name  ID number           dispatched by  wages               pension             medical             contracts
     [1]  某*   **************0000                 92369900L00000011J  91369900MA00000152  91369900MA00000152          1
    ");
    insta::assert_snapshot!(mask(office.say(&["placement", "carry-over", "--employer", OWN, "--year", "2026"], "")), @"
    exit 0
    into 2026: 1 carried, 0 already there, 0 not carried; 1 affiliates
      person [1] carried, warning: no_contract_runs_on: no contract of the year before runs into 2026; enter the new one, or delete the placement
    ");
    let delete = [&["placement", "delete"][..], &of[..], &["--person", &person, "--why", "left"][..]].concat();
    insta::assert_snapshot!(mask(office.say(&delete, "")), @"
    exit 0
    the placement of person [1] in 2025 is deleted
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_employers_own_data_and_notices() {
    let office = Office::open("register_commands_2").await;
    let contact = "李经办\n13800000000\n江西省南昌市例路1号\n\n";
    insta::assert_snapshot!(office.say(&["employer", "contact", OWN], contact), @"
    exit 0
    saved
    ");
    insta::assert_snapshot!(office.say(&["employer", "contact", OWN], "李经办\n1\n\nli\n"), @"
    exit 1
    renzheng: address: missing; accepted: a value
    phone: malformed; accepted: 5 to 20 digits, with blanks, +, - or brackets between them
    email: malformed; accepted: one mail address such as name@example.org
    ");
    insta::assert_snapshot!(office.say(&["employer", "show", OWN, "--year", "2025"], ""), @"
    exit 0
    91369900MA00000152  甲公司  enterprise
    行政所属区      360102
    残联主管部门    360102
    税务主管部门    360102
    经办人          李*  *******0000  江西省南昌市*
    not confirmed for 2025 yet: `renzheng employer confirm`
    ");
    insta::assert_snapshot!(office.say(&["employer", "confirm", OWN, "--year", "2025"], ""), @"
    exit 0
    saved
    ");
    insta::assert_snapshot!(office.say(&["employer", "change", OWN, "--division", "360104"], ""), @"
    exit 0
    saved
    ");
    office.place(office.own, 2025, 1).await;
    office.place(office.other, 2025, 1).await;
    let said = office.say(&["notice", "list", "--format", "json"], "");
    let lines: Vec<serde_json::Value> =
        said.lines().skip(1).map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    let addressees: Vec<&str> = lines.iter().filter_map(|line| line["addressee"].as_str()).collect();
    assert_eq!(addressees.len(), 4);
    assert!([OWN, OTHER, "360102", "360203"].iter().all(|one| addressees.contains(one)), "{addressees:?}");
    let id = lines[0]["notice_id"].to_string();
    assert_eq!(office.say(&["notice", "read", &id], ""), format!("exit 0\nnotice {id} is read"));
    assert_eq!(office.say(&["notice", "read", &id], ""), format!("exit 0\nnotice {id} was read before"));
    assert_eq!(office.say(&["notice", "read", "999"], ""), "exit 2\nrenzheng: notice 999: there is no such thing here");
}
