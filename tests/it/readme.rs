//! What the README says of the program is true of it: job keys and their defaults, variables, codes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use renzheng::config::{Job, check_jobs};
use renzheng::domain::verdict::{AgeCode, CertificateCode, Check, ContractCode, DispatchCode, InsuranceCode, WageCode};
use renzheng::sandbox::tax_faults::Plan;

use crate::source_text::{is_name, read, rust_files};

/// A row of the table of job keys.
struct Row {
    table: String,
    key: String,
    fallback: Fallback,
}

/// What holds where a key is left out.
enum Fallback {
    Required,
    Nothing,
    /// As it would be written.
    Value(String),
}

/// Cells of the rows of the table below a marker such as `<!-- job keys -->`.
fn table_after(marker: &str) -> Vec<Vec<String>> {
    let readme = read("README.md");
    let (_, after) = readme.split_once(marker).unwrap_or_else(|| panic!("the README has no {marker}"));
    let rows = after.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2).map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

fn quoted(cell: &str) -> Option<String> {
    cell.strip_prefix('`')?.split_once('`').map(|(text, _)| text.to_owned())
}

fn rows() -> Vec<Row> {
    let cells = table_after("<!-- job keys -->");
    let row = |cells: &Vec<String>| {
        let fallback = match (cells[2].as_str(), quoted(&cells[2])) {
            ("required", _) => Fallback::Required,
            (_, Some(value)) => Fallback::Value(value),
            (_, None) => Fallback::Nothing,
        };
        Row { table: cells[0].clone(), key: quoted(&cells[1]).expect("a key"), fallback }
    };
    cells.iter().map(row).collect()
}

/// What a job file begins with, and the header below which the keys of a table stand.
fn before(table: &str) -> (&'static str, &'static str) {
    const PULL: &str = "kind = \"pull\"\nrecord = \"dispatch_filing\"\n";
    const HTTP: &str = "kind = \"pull\"\n[source]\ntype = \"http\"\nurl = \"https://agency\"\n";
    const DATABASE: &str =
        "kind = \"pull\"\n[source]\ntype = \"database\"\nurl = \"postgres://agency\"\nkey = \"id\"\n";
    match table {
        "job" => ("", ""),
        "retry" => (PULL, "[retry]"),
        "covers" => (PULL, "[covers]"),
        "key" => (PULL, "[key]"),
        "formats" => (PULL, "[formats]"),
        "gates" => (PULL, "[gates]"),
        "source: http" => (PULL, "[source]\ntype = \"http\""),
        "source: file" => (PULL, "[source]\ntype = \"file\""),
        "source: database" => (PULL, "[source]\ntype = \"database\""),
        "source.person: http" => (HTTP, "[source.person]"),
        "source.person: database" => (DATABASE, "[source.person]"),
        "source.auth: bearer" => (HTTP, "[source.auth]\ntype = \"bearer\""),
        "source.auth: hmac" => (HTTP, "[source.auth]\ntype = \"hmac\""),
        "deliver" => ("kind = \"export\"\n", "[deliver]\ntype = \"directory\""),
        "source.auth: basic" => (HTTP, "[source.auth]\ntype = \"basic\""),
        other => panic!("the README's table of job keys has rows for `{other}`"),
    }
}

/// A value that fits each key that must be there.
fn required_value(table: &str, key: &str) -> &'static str {
    match (table, key) {
        ("job", "kind") => "\"pull\"",
        ("source: file", "format") => "\"csv\"",
        (_, "url") => "\"https://agency\"",
        _ => "\"x\"",
    }
}

/// A job file with these lines in a table.
fn document(table: &str, lines: &[String]) -> String {
    let (start, header) = before(table);
    format!("{start}{header}\n{}\n", lines.join("\n"))
}

fn parse(text: &str) -> Result<Job, String> {
    Job::parse(Path::new("jobs/job.toml"), text).map_err(|error| error.to_string())
}

/// Tables whose keys are checked one by one; the others hold names that the user chooses.
const FREE_TABLES: &[&str] = &["fields", "constants", "values"];

fn required_lines<'a>(rows: &'a [Row], table: &'a str) -> impl Iterator<Item = (&'a str, String)> {
    let of_table = rows.iter().filter(move |row| row.table == table && matches!(row.fallback, Fallback::Required));
    of_table
        .filter(|row| row.key != "type")
        .map(|row| (row.key.as_str(), format!("{} = {}", row.key, required_value(&row.table, &row.key))))
}

fn tables(rows: &[Row]) -> BTreeSet<&str> {
    rows.iter().map(|row| row.table.as_str()).filter(|table| !FREE_TABLES.contains(table)).collect()
}

#[test]
fn every_key_of_a_job_file_is_in_the_readme() {
    let rows = rows();
    for table in tables(&rows) {
        let mut lines: Vec<String> = required_lines(&rows, table).map(|(_, line)| line).collect();
        lines.push("no_such_key = 1".to_owned());
        let error = parse(&document(table, &lines)).expect_err("an unknown key");
        let (_, accepted) = error.split_once("expected").unwrap_or_else(|| panic!("{table}: {error}"));
        let mut known: BTreeSet<&str> = accepted.split('`').skip(1).step_by(2).collect();
        let mut told: BTreeSet<&str> =
            rows.iter().filter(|row| row.table == table).map(|row| row.key.as_str()).collect();
        // these are tables of their own, read apart
        for apart in ["source", "type"] {
            told.remove(apart);
            known.remove(apart);
        }
        assert_eq!(told, known, "keys of {table}, told and known");
    }
}

#[test]
fn a_default_in_the_readme_is_what_holds_without_the_key() {
    let rows = rows();
    for row in rows.iter().filter(|row| !FREE_TABLES.contains(&row.table.as_str())) {
        let Fallback::Value(value) = &row.fallback else { continue };
        let lines: Vec<String> = required_lines(&rows, &row.table).map(|(_, line)| line).collect();
        let with: Vec<String> = lines.iter().cloned().chain([format!("{} = {value}", row.key)]).collect();
        let read = |lines: &[String]| {
            parse(&document(&row.table, lines)).unwrap_or_else(|error| panic!("{} {}: {error}", row.table, row.key))
        };
        let (without, with) = (read(&lines), read(&with));
        assert_eq!(seen(without), seen(with), "default of {} {}", row.table, row.key);
    }
}

/// Everything a job says, in one text; what depends on other keys as it is decided.
fn seen(mut job: Job) -> String {
    let decided = (job.keep(), job.missing(), job.zero_rows());
    job.text.clear();
    job.gates.zero_rows = None;
    let all = format!("{job:?}");
    let of_file = |text: String, field: &str| {
        let Some(at) = text.find(&format!("{field}: ")) else { return text };
        let end = text[at..].find(", ").map_or(text.len(), |end| at + end);
        format!("{}{}", &text[..at], &text[end..])
    };
    // what was given or not is decided in `decided`
    format!("{decided:?} {}", of_file(of_file(all, "keep_given"), "missing_given"))
}

#[test]
fn a_required_key_is_missed_and_no_other() {
    let rows = rows();
    for table in tables(&rows) {
        let required: Vec<(&str, String)> = required_lines(&rows, table).collect();
        let all: Vec<String> = required.iter().map(|(_, line)| line.clone()).collect();
        parse(&document(table, &all)).unwrap_or_else(|error| panic!("{table} with all that is required: {error}"));
        for (key, _) in &required {
            let others: Vec<String> =
                required.iter().filter(|(other, _)| other != key).map(|(_, line)| line.clone()).collect();
            let error = parse(&document(table, &others)).err().unwrap_or_default();
            assert!(error.contains(&format!("`{key}`")), "{table} without {key}: {error}");
        }
    }
}

#[test]
fn the_job_files_shown_in_the_readme_are_without_mistakes() {
    let readme = read("README.md");
    let shown: Vec<&str> = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    for text in shown.iter().filter(|text| text.contains("kind = ")) {
        let job = parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(check_jobs(&[job]), []);
    }
    assert!(!shown.is_empty(), "a job file is shown");
}

#[test]
fn every_code_of_every_check_is_in_the_readme() {
    let told: BTreeMap<String, String> =
        table_after("<!-- checks -->").into_iter().map(|cells| (cells[0].clone(), cells[2].clone())).collect();
    for check in Check::ALL {
        let codes: Vec<&str> = match check {
            Check::Wage => WageCode::ALL.iter().map(|code| code.as_str()).collect(),
            Check::Pension | Check::Medical => InsuranceCode::ALL.iter().map(|code| code.as_str()).collect(),
            Check::Certificate => CertificateCode::ALL.iter().map(|code| code.as_str()).collect(),
            Check::Age => AgeCode::ALL.iter().map(|code| code.as_str()).collect(),
            Check::Contract => ContractCode::ALL.iter().map(|code| code.as_str()).collect(),
            Check::Dispatch => DispatchCode::ALL.iter().map(|code| code.as_str()).collect(),
        };
        let row = told.iter().find(|(name, _)| name.contains(&format!("`{check}`")));
        let (_, text) = row.unwrap_or_else(|| panic!("the README does not tell the check `{check}`"));
        let in_readme: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
        assert_eq!(in_readme, codes, "codes of {check}, in the order in which they are decided");
    }
}

/// Names of the program's own variables in a text.
fn variables(text: &str) -> BTreeSet<&str> {
    let names = text.split(|sign: char| !is_name(sign));
    names
        .filter(|name| name.strip_prefix("RENZHENG_").is_some_and(|rest| !rest.is_empty()) || *name == "DATABASE_URL")
        .collect()
}

#[test]
fn the_variables_in_the_readme_are_those_that_are_read() {
    let readme = read("README.md");
    let told = variables(&readme);
    let sources: Vec<String> = rust_files()
        .iter()
        .filter(|file| file.path.starts_with("src/config/"))
        .map(|file| file.text.lines().take(file.tests_from).collect::<Vec<_>>().join("\n"))
        .collect();
    let read: BTreeSet<&str> = sources.iter().flat_map(|text| variables(text)).collect();
    assert_eq!(told, read);
}

#[test]
fn every_fault_of_the_sandboxs_tax_department_is_in_the_readme() {
    let error = Plan::parse("[[fault]]\nwhat = \"no_such_fault\"\n").expect_err("an unknown fault").to_string();
    let (_, accepted) = error.split_once("expected one of").expect("what is accepted");
    let words = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<String>>();
    let told: BTreeSet<String> = table_after("<!-- faults -->").iter().flat_map(|cells| words(&cells[0])).collect();
    assert_eq!(told, words(accepted));
}
