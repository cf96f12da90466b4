//! Wrong input, each with its error: what was found, what is accepted, and the exit code.

use std::path::Path;

use crate::harness::Scratch;
use crate::program::renzheng;

/// An installation of its own and a folder for the files of one test.
struct Counter {
    scratch: Scratch,
}

impl Counter {
    fn new(name: &str) -> Self {
        Self { scratch: Scratch::new(name) }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.scratch.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// Exit code, then everything said, the folder's own path left out.
    fn say(&self, arguments: &[&str]) -> String {
        self.say_with(arguments, &[])
    }

    fn say_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let here = self.scratch.path().to_str().expect("UTF-8");
        let output = renzheng(arguments)
            .args(["--data-dir", &format!("{here}/var")])
            .envs(variables.iter().copied())
            .output()
            .expect("the program starts");
        let said = format!(
            "exit {}\n{}{}",
            output.status.code().expect("a code"),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let lines = said.lines().filter(|line| !line.starts_with("made the key file"));
        lines.collect::<Vec<_>>().join("\n").replace(here, "[here]")
    }

    fn employers(&self) {
        let file = self.file(
            "employers.csv",
            "uscc,name,kind,division,federation_division,tax_division\n\
             91369900MA00000152,合成公司,enterprise,360102,360102,360102\n",
        );
        assert!(self.say(&["import", "employers", &file]).starts_with("exit 0"), "a good row is taken");
    }
}

const PLACEMENT_HEADER: &str =
    "employer_uscc,year,id_number,name,dispatched,wage_payer_uscc,pension_payer_uscc,medical_payer_uscc\n";

/// The running business year and the one before may be entered: the tests speak of the year before this one.
fn last_year() -> String {
    let output = std::process::Command::new("date").args(["+%Y"]).env("TZ", "Asia/Shanghai").output().expect("a date");
    let year: i32 = String::from_utf8(output.stdout).expect("UTF-8").trim().parse().expect("a year");
    (year - 1).to_string()
}

#[test]
fn a_bad_check_digit_refuses_the_row_and_keeps_the_others() {
    let counter = Counter::new("checksum");
    counter.employers();
    let own = "91369900MA00000152";
    let row = |id: &str| format!("{own},{},{id},某人,false,{own},{own},{own}\n", last_year());
    let rows = row("360000196501010013") + &row("360000197502010027");
    let file = counter.file("placements.csv", &format!("{PLACEMENT_HEADER}{rows}"));
    insta::assert_snapshot!(counter.say(&["import", "placements", &file]), @r###"
exit 3
placements: 2 read = 1 new + 0 changed + 0 same + 1 refused; 0 warnings
  refused [here]/placements.csv:2, id_number: checksum: found **************0013; accepted: a resident ID number of 18 or 15 characters; the check digit does not fit
"###);
}

#[test]
fn an_unknown_column_refuses_the_file() {
    let counter = Counter::new("unknown_column");
    let file = counter.file("employers.csv", "uscc,name,kind,division,federation_division,tax_division,phone\n");
    insta::assert_snapshot!(counter.say(&["import", "employers", &file]), @r###"
exit 2
renzheng: [here]/employers.csv: unknown column `phone`; accepted for employers are uscc, name, kind, division, wage_class?, federation_division, tax_division, headcount?, total_wages?, wage_lag?
"###);
}

#[test]
fn a_missing_required_column_refuses_the_file_and_an_optional_one_may_be_absent() {
    let counter = Counter::new("missing_column");
    let file = counter.file("employers.csv", "uscc,name,division,federation_division,tax_division\n");
    insta::assert_snapshot!(counter.say(&["import", "employers", &file]), @r###"
exit 2
renzheng: [here]/employers.csv: there is no column `kind`, which employers need; accepted are uscc, name, kind, division, wage_class?, federation_division, tax_division, headcount?, total_wages?, wage_lag?
"###);
    counter.employers();
}

#[test]
fn a_uscc_off_by_one_refuses_the_row() {
    let counter = Counter::new("uscc");
    let file = counter.file(
        "employers.csv",
        "uscc,name,kind,division,federation_division,tax_division\n\
         91369900MA00000153,合成公司,enterprise,360102,360102,360102\n",
    );
    insta::assert_snapshot!(counter.say(&["import", "employers", &file]), @r###"
exit 3
employers: 1 read = 0 new + 0 changed + 0 same + 1 refused; 0 warnings
  refused [here]/employers.csv:2, uscc: checksum: found 91369900MA00000153; accepted: a unified social credit code of 18 characters; the check digit does not fit
"###);
}

#[test]
fn three_affiliate_payers_refuse_the_row() {
    let counter = Counter::new("affiliates");
    counter.employers();
    let (own, other) = ("91369900MA00000152", "12369900000000019G");
    let year = last_year();
    let affiliates = counter.file(
        "affiliates.csv",
        &format!("employer_uscc,year,unit_uscc,unit_name,relation\n{own},{year},{other},关联单位,affiliate\n"),
    );
    assert!(counter.say(&["import", "affiliates", &affiliates]).starts_with("exit 0"));
    let row = format!("{own},{year},360000197502010027,某人,false,{other},{other},{other}\n");
    let file = counter.file("placements.csv", &format!("{PLACEMENT_HEADER}{row}"));
    insta::assert_snapshot!(counter.say(&["import", "placements", &file]), @r###"
exit 3
placements: 1 read = 0 new + 0 changed + 0 same + 1 refused; 0 warnings
  refused [here]/placements.csv:2, wage_payer_uscc: no_payer_is_employer: found 12369900000000019G, 12369900000000019G, 12369900000000019G; accepted: all three payers are other units; at least one of wage, pension and medical must be paid by the employer
"###);
}

const JOB: &str =
    "kind = \"pull\"\nrecord = \"certificate\"\n[source]\ntype = \"file\"\npath = \"in/*.csv\"\nformat = \"csv\"\n";

fn jobs(counter: &Counter, text: &str) -> String {
    let file = counter.file("jobs/pull-certificate.toml", text);
    Path::new(&file).parent().and_then(Path::to_str).expect("UTF-8").to_owned()
}

#[test]
fn an_unknown_job_key_is_named_with_file_and_line() {
    let counter = Counter::new("job_key");
    let jobs = jobs(&counter, &format!("shedule = \"0 1 * * *\"\n{JOB}"));
    insta::assert_snapshot!(counter.say(&["check", "--jobs", &jobs]), @r###"
exit 2
renzheng: [here]/jobs/pull-certificate.toml:1: `shedule`: unknown field `shedule`, expected one of `kind`, `record`, `schedule`, `timezone`, `after`, `after_patience`, `timeout`, `retry`, `misfire`, `overlap`, `jitter`, `pause_after`, `no_progress_timeout`, `days_before`, `settles_after`, `stale_after`, `covers`, `keep`, `delivery`, `missing`, `fields`, `key`, `constants`, `formats`, `values`, `gates`, `deliver`
"###);
}

#[test]
fn an_unset_variable_is_named_with_its_job() {
    let counter = Counter::new("variable");
    let jobs = jobs(&counter, &JOB.replace("in/*.csv", "${CERTIFICATE_DIR}/*.csv"));
    insta::assert_snapshot!(counter.say(&["check", "--jobs", &jobs]), @r###"
exit 2
renzheng: [here]/jobs/pull-certificate.toml:5: `source.path`: the variable `CERTIFICATE_DIR` is not set
"###);
    let set = counter.say_with(&["check", "--jobs", &jobs], &[("CERTIFICATE_DIR", "/tmp")]);
    assert!(set.starts_with("exit 0"), "{set}");
}

#[test]
fn a_database_of_a_newer_schema_is_left_alone() {
    let counter = Counter::new("newer_schema");
    counter.employers();
    let home = counter.scratch.path().join("var");
    let places = renzheng::store::local::Places::usual(Some(std::ffi::OsStr::new("/usr/local/bin:/usr/bin")));
    let server = renzheng::store::local::LocalServer::start(&home, &places).expect("the private server");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        use sqlx::Connection;
        let mut connection = sqlx::PgConnection::connect(&server.url("renzheng")).await.expect("a connection");
        sqlx::query(
            "insert into _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
             values (9999, 'of the future', '2030-01-01', true, '', 0)",
        )
        .execute(&mut connection)
        .await
        .expect("inserted");
    });
    server.stop().expect("stopped");
    let newest = renzheng::store::MIGRATIONS.iter().map(|migration| migration.version).max().expect("migrations");
    let said =
        counter.say(&["runs"]).replace(&format!("newer than version {newest} of"), "newer than version [newest] of");
    insta::assert_snapshot!(said, @r###"
exit 1
renzheng: cannot open the database: this database has schema version 9999, newer than version [newest] of this program; run the newer program
"###);
}

#[test]
fn other_keys_than_the_databases_own_are_refused() {
    let counter = Counter::new("keys");
    counter.employers();
    let other = counter.scratch.path().join("other-keys");
    let other = other.to_str().expect("UTF-8");
    assert!(counter.say(&["keys", "generate", other]).starts_with("exit 0"));
    insta::assert_snapshot!(counter.say_with(&["runs"], &[("RENZHENG_KEY_FILE", other)]), @r###"
exit 1
renzheng: cannot open the database: the keys are not those this database was filled with; give the key file or RENZHENG_KEYS that belong to it
"###);
    let none = counter.scratch.path().join("no-such-file");
    let none = none.to_str().expect("UTF-8");
    insta::assert_snapshot!(counter.say_with(&["runs"], &[("RENZHENG_KEY_FILE", none)]), @r###"
exit 2
renzheng: there is no key file [here]/no-such-file; name the one that belongs to this database by RENZHENG_KEY_FILE, or make one for a new database by `renzheng keys generate`
"###);
}

#[test]
fn without_postgres_binaries_the_error_says_how_to_install_them() {
    let counter = Counter::new("no_postgres");
    let said = counter.say_with(&["runs"], &[("RENZHENG_POSTGRES_BIN", "/nonexistent")]);
    insta::assert_snapshot!(said, @r###"
exit 1
renzheng: no Postgres 15 or newer found on the PATH or in /usr/lib/postgresql; install it: `apt-get install postgresql` (Debian, Ubuntu) or `brew install postgresql` (macOS), or set DATABASE_URL
"###);
}

#[test]
fn what_is_asked_of_nobody_known_is_wrong_usage() {
    let counter = Counter::new("unknown");
    insta::assert_snapshot!(counter.say(&["results", "--year", "2025", "--employer", "91369900MA00000153"]), @r###"
exit 2
renzheng: `91369900MA00000153` is no unified social credit code: the check digit does not fit
"###);
    insta::assert_snapshot!(counter.say(&["verify", "--year", "1999"]), @r###"
exit 2
renzheng: the policy has no rules for 1999
"###);
    insta::assert_snapshot!(counter.say(&["run", "pull-nothing"]), @r###"
exit 2
renzheng: there is no job `pull-nothing`; there are events, maintain, pull-certificate, pull-dispatch-filing, pull-medical, pull-pension, pull-wage, push, reconcile, remind, verify
"###);
}

#[test]
fn the_calculator_shows_its_steps() {
    let counter = Counter::new("levy");
    let arguments =
        ["levy", "--headcount", "100", "--monthly-wage", "6000", "--weighted-person-months", "12", "--year", "2025"];
    insta::assert_snapshot!(counter.say(&arguments), @r###"
exit 0
step                                         value
required persons = headcount × ratio         100 × 0.015 = 1.5
placed persons = weighted months ÷ 12        1
placed ÷ headcount                           0.01
gap                                          0.5
yearly wage used                             72000 (ceiling unknown)
gap × wage                                   36000.00
tier                                         relief, pays 0.5 of it
levy due (estimate; the tax office decides)  18000.00
levy if nobody were placed                   97200.00
saving                                       79200.00
"###);
}
