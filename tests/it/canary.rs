//! Canaries: an ID number, a certificate number, an agency's record id and a name are searched for in everything that rests or is said.

use std::path::Path;

use renzheng::domain::ids::ResidentId;

use crate::evidence::made::pdf;
use crate::harness::Scratch;
use crate::program::renzheng;

const NAME: &str = "金丝雀试";
const RECORD: &str = "CANARYRECORD";
const EMPLOYER: &str = "91369900MA00000152";

/// The ID number with this beginning whose check digit fits.
fn id_number(beginning: &str) -> String {
    "0123456789X"
        .chars()
        .map(|check| format!("{beginning}{check}"))
        .find(|number| ResidentId::parse(number).is_ok())
        .expect("one check digit fits")
}

fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
    std::fs::write(path, text).expect("written");
}

/// What the agencies and the employer deliver: good rows, and of every kind one that is refused.
fn deliver(outside: &Path, id: &str) {
    write(
        outside,
        "employers.csv",
        &format!(
            "uscc,name,kind,division,federation_division,tax_division,headcount\n\
             {EMPLOYER},合成公司,enterprise,360102,360102,360102,100\n"
        ),
    );
    let payers = format!("{EMPLOYER},{EMPLOYER},{EMPLOYER}");
    write(
        outside,
        "placements.csv",
        &format!(
            "employer_uscc,year,id_number,name,dispatched,wage_payer_uscc,pension_payer_uscc,medical_payer_uscc\n\
             {EMPLOYER},2025,{id},{NAME},false,{payers}\n\
             {EMPLOYER},2025,{id}9,{NAME},false,{payers}\n"
        ),
    );
    write(
        outside,
        "contracts.csv",
        &format!(
            "employer_uscc,year,id_number,kind,starts_on,ends_on\n{EMPLOYER},2025,{id},labour,2024-01-01,2026-12-31\n"
        ),
    );
    write(
        outside,
        "certificate.csv",
        &format!(
            "record_id,updated_at,id_number,name,kind,certificate_number,level,valid_from,status\n\
             {RECORD}1,2026-01-01T00:00:00+08:00,{id},{NAME},disabled_person,{id}43,3,2020-01-01,valid\n\
             {RECORD}2,2026-01-01T00:00:00+08:00,{id},{NAME},disabled_person,{id}99,3,2020-01-01,valid\n"
        ),
    );
    let wage = |record: u32, amount: &str| {
        format!("{RECORD}{record},2026-01-01T00:00:00+08:00,{id},{NAME},{EMPLOYER},2025-01,{amount}\n")
    };
    write(
        outside,
        "wage.csv",
        &format!(
            "record_id,updated_at,id_number,name,payer_uscc,period,amount\n{}{}",
            wage(3, "3000"),
            wage(4, "3000.001")
        ),
    );
    for record in ["certificate", "wage"] {
        let after = if record == "wage" { "after = [\"pull-certificate\"]\n" } else { "" };
        let keep = if record == "wage" { "keep = \"all\"\n" } else { "" };
        let path = outside.join(format!("{record}.csv"));
        let job = format!(
            "kind = \"pull\"\nrecord = \"{record}\"\n{after}{keep}[source]\ntype = \"file\"\npath = \"{}\"\nformat = \"csv\"\n",
            path.display()
        );
        write(outside, &format!("jobs/pull-{record}.toml"), &job);
    }
}

/// Runs a command and gives all it said.
fn said(outside: &Path, data_dir: &Path, arguments: &[&str]) -> String {
    let jobs = outside.join("jobs");
    let output = renzheng(arguments)
        .args(["--data-dir", data_dir.to_str().expect("UTF-8"), "--jobs", jobs.to_str().expect("UTF-8")])
        .env("RENZHENG_LOG", "trace")
        .output()
        .expect("the program starts");
    assert!(matches!(output.status.code(), Some(0 | 3)), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Every file below a directory that holds one of the canaries.
fn betrayed(directory: &Path, canaries: &[String], found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            betrayed(&path, canaries, found);
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).expect("readable");
            let text = String::from_utf8_lossy(&bytes);
            let name = entry.file_name().to_string_lossy().into_owned();
            let betrayals =
                canaries.iter().filter(|canary| text.contains(canary.as_str()) || name.contains(canary.as_str()));
            found.extend(betrayals.map(|canary| format!("{canary} in {}", path.display())));
        }
    }
}

#[test]
fn no_canary_is_found_in_files_logs_dumps_or_words() {
    let (outside, inside) = (Scratch::new("canary_outside"), Scratch::new("canary_inside"));
    let id = id_number("36000019850710555");
    deliver(outside.path(), &id);
    let file = |name: &str| outside.path().join(name).to_str().expect("UTF-8").to_owned();
    let mut words = String::new();
    let mut say = |arguments: &[&str]| words.push_str(&said(outside.path(), inside.path(), arguments));
    say(&["import", "employers", &file("employers.csv")]);
    say(&["import", "placements", &file("placements.csv")]);
    say(&["import", "contracts", &file("contracts.csv")]);
    say(&["run", "pull-certificate"]);
    say(&["run", "pull-wage"]);
    say(&["verify", "--year", "2025"]);
    // a file of evidence that is called by all of them, and holds them
    let proof = format!("{NAME}{id}{RECORD}.pdf");
    let content = format!("9 0 obj ({NAME} {id} {RECORD}) endobj");
    std::fs::write(outside.path().join(&proof), pdf(content.as_bytes())).expect("written");
    say(&["evidence", "attach", &file(&proof), "--employer", EMPLOYER, "--cell", "1:2025-01:wage"]);
    for format in ["text", "json"] {
        say(&["evidence", "list", "--employer", EMPLOYER, "--year", "2025", "--format", format]);
        say(&["evidence", "show", "1", "--format", format]);
        say(&["evidence", "needs", "--employer", EMPLOYER, "--year", "2025", "--format", format]);
        say(&["results", "--year", "2025", "--format", format]);
        say(&["quarantine", "list", "--format", format]);
        say(&["runs", "--format", format]);
        say(&["runs", "show", "2", "--format", format]);
        say(&["alerts", "--format", format]);
        say(&["explain", "--employer", EMPLOYER, "--person", &id, "--month", "2025-01", "--format", format]);
    }
    words.push_str(&dump(inside.path()));
    let canaries = [id.clone(), NAME.to_owned(), RECORD.to_owned()];
    for canary in &canaries {
        let line = words.lines().find(|line| line.contains(canary.as_str()));
        assert_eq!(line, None, "{canary} was said");
    }
    let mut found = Vec::new();
    betrayed(inside.path(), &canaries, &mut found);
    assert_eq!(found, Vec::<String>::new());
    // the search does find what is there: the deliveries hold them all
    betrayed(outside.path(), &canaries, &mut found);
    assert!(found.len() >= canaries.len(), "{found:?}");
}

/// The whole database as `pg_dump` writes it.
fn dump(data_dir: &Path) -> String {
    use renzheng::store::local::{LocalServer, Places, search_directories};
    let path = std::ffi::OsStr::new("/usr/local/bin:/usr/bin");
    let server = LocalServer::start(data_dir, &Places::usual(Some(path))).expect("the private server");
    let program = search_directories(Some(path))
        .into_iter()
        .map(|directory| directory.join("pg_dump"))
        .find(|program| program.is_file())
        .expect("pg_dump");
    let output = std::process::Command::new(program).arg(server.url("renzheng")).output().expect("pg_dump starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    server.stop().expect("stopped");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
