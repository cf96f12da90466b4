//! What is configured is shown with where it comes from, and tried before it is needed.

use crate::agency::Agency;
use crate::harness::Scratch;
use crate::http_agency::{Reply, Server};
use crate::program::renzheng;
use crate::runs::{renzheng_on, say};

const FILE: &str = "\
jobs_dir = \"night\"
log = \"${LEVEL}\"

[tax]
url = \"https://tax.invalid/v1\"
key_id = \"ours\"
key = \"s3cret\"

[alerts]
receipt_after = \"12h\"

[alerts.webhook.ops]
url = \"https://hooks.invalid/x\"
key_id = \"ours\"
key = \"s3cret\"

[alerts.mail.staff]
server = \"smtps://renzheng:s3cret@mail.invalid\"
from = \"renzheng@federation.invalid\"
to = [\"ops@federation.invalid\", \"duty@federation.invalid\"]

[retention]
pages = \"2w\"
";

/// What the program says in a folder with this `renzheng.toml`.
fn say_with(name: &str, file: &str, arguments: &[&str]) -> String {
    let scratch = Scratch::new(name);
    std::fs::write(scratch.path().join("renzheng.toml"), file).expect("written");
    let mut command = renzheng(arguments);
    command.current_dir(scratch.path()).env("LEVEL", "info").env_remove("RENZHENG_LOG");
    say(command.env("DATABASE_URL", "postgres://renzheng:s3cret@db.invalid/renzheng").env("RENZHENG_MAIL_TO", ""))
}

#[test]
fn every_setting_is_shown_with_where_it_comes_from_and_no_secret() {
    let told = say_with("config_text", FILE, &["config", "--data-dir", "here"]);
    assert!(!told.contains("s3cret"), "{told}");
    insta::assert_snapshot!(told, @r###"
exit 0
setting  value  from
database_url  postgres://renzheng:***@db.invalid/renzheng  DATABASE_URL
data_dir  here  flag
jobs_dir  night  renzheng.toml:1
policy  built in  default
postgres_bin  –  not set
key_file  here/keys  default
keys  –  not set
token  –  not set
evidence_dir  here/evidence  default
clamd  –  not set
log  info  renzheng.toml:2
log_format  text  default
listen  127.0.0.1:7360  default
trusted_proxies  –  not set
tax.mode  push  default
tax.url  https://tax.invalid/v1  renzheng.toml:5
tax.key_id  ours  renzheng.toml:6
tax.key  ***  renzheng.toml:7
tax.algorithm  hmac-sm3  default
tax.previous_key_id  –  not set
tax.previous_key  –  not set
tax.ca_file  –  not set
tax.client_certificate  –  not set
tax.client_key  –  not set
tax.parallel  8  default
tax.rate  no limit  default
alerts.receipt_after  12h  renzheng.toml:10
alerts.quarantine_ratio  0.05  default
alerts.webhook.ops.url  https://hooks.invalid/***  renzheng.toml:13
alerts.webhook.ops.key_id  ours  renzheng.toml:14
alerts.webhook.ops.key  ***  renzheng.toml:15
alerts.webhook.ops.algorithm  hmac-sm3  default
alerts.webhook.webhook.url  –  not set
alerts.webhook.webhook.key_id  –  not set
alerts.webhook.webhook.key  –  not set
alerts.webhook.webhook.algorithm  hmac-sm3  default
alerts.mail.mail.server  –  not set
alerts.mail.mail.from  –  not set
alerts.mail.mail.to  –  not set
alerts.mail.staff.server  smtps://renzheng:***@mail.invalid  renzheng.toml:18
alerts.mail.staff.from  renzheng@federation.invalid  renzheng.toml:19
alerts.mail.staff.to  ops@federation.invalid,duty@federation.invalid  renzheng.toml:20
remind.employers  –  not set
remind.consent_at  18:00  default
events.allow_loopback  false  default
retention.strangers  30d  default
retention.run_lines  90d  default
retention.pages  2w  renzheng.toml:23
retention.messages  365d  default
retention.tasks  90d  default
retention.events  90d  default
retention.request_answers  730d  default
retention.superseded_records  for ever  default
retention.result_history  for ever  default
"###);
}

#[test]
fn settings_as_json_are_a_line_each() {
    let told = say_with("config_json", FILE, &["config", "--format", "json"]);
    assert!(!told.contains("s3cret"), "{told}");
    let wanted = [
        "\"database_url\"",
        "\"log\"",
        "\"tax.key\"",
        "\"alerts.quarantine_ratio\"",
        "\"retention.pages\"",
        "\"keys\"",
    ];
    let lines: Vec<&str> = told.lines().filter(|line| wanted.iter().any(|key| line.contains(key))).collect();
    insta::assert_snapshot!(lines.join("\n"), @r###"
{"key":"database_url","value":"postgres://renzheng:***@db.invalid/renzheng","from":"variable","variable":"DATABASE_URL"}
{"key":"keys","value":null,"from":"default"}
{"key":"log","value":"info","from":"file","line":2}
{"key":"tax.key","value":"***","from":"file","line":7}
{"key":"alerts.quarantine_ratio","value":"0.05","from":"default"}
{"key":"retention.pages","value":"2w","from":"file","line":23}
"###);
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_line() {
    let refused = |name: &str, file: &str| say_with(name, file, &["config"]);
    insta::assert_snapshot!(refused("config_past", "[retention]\nresult_history = \"30d\"\n"), @r###"
exit 2
renzheng: ./renzheng.toml:2: `retention.result_history`: is not one of the numbers of whole days from `1098d` on
"###);
    insta::assert_snapshot!(refused("config_class", "[retention]\nresults = \"30d\"\n"), @r###"
exit 2
renzheng: ./renzheng.toml:2: `retention.results`: unknown variant `results`, expected one of `strangers`, `run_lines`, `pages`, `messages`, `tasks`, `events`, `request_answers`, `superseded_records`, `result_history`
"###);
    insta::assert_snapshot!(refused("config_half", "\n[alerts.webhook.ops]\nurl = \"https://x\"\n"), @r###"
exit 2
renzheng: ./renzheng.toml:2: `alerts.webhook.ops`: a webhook needs all of `url`, `key_id` and `key`, or none
"###);
    insta::assert_snapshot!(refused("config_mail", "[alerts.mail.ops]\nto = [\"a@b\"]\n"), @r###"
exit 2
renzheng: ./renzheng.toml:1: `alerts.mail.ops`: mail needs all of `server`, `from` and `to`, or none
"###);
    insta::assert_snapshot!(refused("config_ratio", "[alerts]\nquarantine_ratio = 5\n"), @r###"
exit 2
renzheng: ./renzheng.toml:2: `alerts.quarantine_ratio`: is not one of the ratios from 0 to 1
"###);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_of_everything_that_is_configured_whether_it_can_be_worked_with() {
    let agency = Agency::begin("check_connect", "keep = \"all\"", "").await;
    agency.deliver(&[vec![]]);
    let good = Server::start(|asked| {
        // as little as possible is asked for
        assert_eq!(asked.parameter("page_size").as_deref(), Some("1"));
        Reply::json(&serde_json::json!({ "records": [] }))
    })
    .await;
    let bad = Server::start(|_| Reply::status(403)).await;
    let tax = Server::start(|_| Reply::status(404)).await;
    let jobs = agency.scratch.path().join("jobs");
    let of_agency = |name: &str| {
        format!(
            "kind = \"pull\"\nrecord = \"dispatch_filing\"\n[source]\ntype = \"http\"\nurl = \"${{{name}}}/v1\"\npaging = \"page\"\n\
             page_size = 500\n"
        )
    };
    std::fs::write(jobs.join("pull-good.toml"), of_agency("GOOD")).expect("written");
    std::fs::write(jobs.join("pull-bad.toml"), of_agency("BAD")).expect("written");
    std::fs::write(
        jobs.join("pull-database.toml"),
        "kind = \"pull\"\nrecord = \"dispatch_filing\"\n[source]\ntype = \"database\"\nurl = \"${DATABASE_URL}\"\ntable = \"unit\"\n\
         key = \"unit_id\"\n",
    )
    .expect("written");
    let check = |arguments: &[&str], change: &dyn Fn(&mut std::process::Command)| {
        let mut command = renzheng_on(&agency.harness, arguments);
        command.args(["--jobs", jobs.to_str().expect("UTF-8")]).env("GOOD", &good.url).env("BAD", &bad.url);
        change(&mut command);
        let newest = renzheng::store::MIGRATIONS.iter().map(|migration| migration.version).max().expect("migrations");
        say(&mut command).replace(&format!("schema: version {newest}"), "schema: version [newest]")
    };
    let with_tax = |command: &mut std::process::Command| {
        command.env("RENZHENG_TAX_URL", &tax.url).env("RENZHENG_TAX_KEY_ID", "ours").env("RENZHENG_TAX_KEY", "s3cret");
    };
    insta::assert_snapshot!(check(&["check"], &|_| ()), @r###"
exit 0
4 jobs and policy [hash] are in order
"###);
    // which version that is changes with every migration
    let newest = renzheng::store::MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    let told = check(&["check", "--connect"], &with_tax).replace(&format!("version {newest}"), "version [newest]");
    insta::assert_snapshot!(told, @r###"
exit 1
4 jobs and policy [hash] are in order
ok  database: Postgres [s] answers
ok  schema: version [newest]
ok  keys: are the database's own
failed  source of pull-bad: the agency refuses our credentials: it answered 403; look at `source.auth`
ok  source of pull-database: the database answers, and has the columns
ok  source of pull-good: the agency answers 200
ok  source of pull-wage: files to read: 1
ok  tax department: answers, and knows our key
renzheng: 1 of 8 cannot be worked with
"###);
    let json = check(&["check", "--connect", "--format", "json"], &|command| {
        command.env("RENZHENG_KEYS", renzheng::crypto::Keys::generate().expect("keys").to_text());
    });
    insta::assert_snapshot!(json, @r###"
exit 1
{"jobs":4,"policy_version":"[hash]","connected":[{"what":"database","ok":true,"text":"in order"},{"what":"schema","ok":true,"text":"in order"},{"what":"keys","ok":false,"text":"are not those this database was filled with; give the key file or RENZHENG_KEYS that belong to it"},{"what":"source of pull-bad","ok":false,"text":"the agency refuses our credentials: it answered 403; look at `source.auth`"},{"what":"source of pull-database","ok":true,"text":"the database answers, and has the columns"},{"what":"source of pull-good","ok":true,"text":"the agency answers 200"},{"what":"source of pull-wage","ok":true,"text":"files to read: 1"},{"what":"tax department","ok":true,"text":"is not set: nothing is handed over"}]}
renzheng: 2 of 8 cannot be worked with
"###);
    let partly = check(&["check", "--connect"], &|command| {
        command.env_remove("GOOD");
    });
    assert!(partly.starts_with("exit 1") && partly.contains("the variable `GOOD` is not set"), "{partly}");
    assert!(partly.contains("source of pull-wage: files to read: 1"), "what can be tried is: {partly}");
    assert!(good.take_asked().len() == 2 && bad.take_asked().len() == 3, "asked once each time, without patience");
}
