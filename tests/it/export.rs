//! Messages as files: what they hold, that they are there whole or not at all, and answers that come back in files.

use std::path::{Path, PathBuf};
use std::process::Command;

use renzheng::config::{Environment, Job, TaxMode};
use renzheng::schedule::export::{Exported, export};
use renzheng::store::declarations::OutboxMessage;
use renzheng::store::publish::Cause;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::declaring::{FACTORY, SCHOOL, Scene};
use crate::runs::{renzheng_on, say};
use crate::tax_feed::outbound;

/// Two declarations completed, one message each.
pub async fn completed(name: &str) -> Scene {
    let scene = Scene::begin(name).await;
    scene.prove_affiliates(FACTORY).await;
    scene.complete(SCHOOL).await.expect("completed");
    scene.complete(FACTORY).await.expect("completed");
    scene
}

pub fn job(text: &str) -> Job {
    Job::parse(Path::new("jobs/export.toml"), text).expect("a job")
}

pub async fn run(scene: &Scene, job: &Job, environment: &Environment) -> Result<Exported, String> {
    let outcome = export(scene.store(), job, environment, TaxMode::Files, "test").await;
    outcome.map_err(|error| renzheng_errors(&error))
}

fn renzheng_errors(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn directory(scene: &Scene, more: &str) -> (Job, PathBuf) {
    let out = scene.folder.path().join("out");
    let text = format!("kind = \"export\"\n[deliver]\ntype = \"directory\"\npath = \"{}\"\n{more}", out.display());
    (job(&text), out)
}

fn folders(out: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(out).map_or_else(|_| Vec::new(), Iterator::collect);
    let mut names: Vec<String> =
        entries.into_iter().map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

/// Every file of a folder, and that it is what the manifest says.
pub fn assert_whole(manifest: &[u8], file: impl Fn(&str) -> Vec<u8>) -> Value {
    let manifest: Value = serde_json::from_slice(manifest).expect("a manifest");
    for line in manifest["files"].as_array().expect("files") {
        let bytes = file(line["name"].as_str().expect("a name"));
        assert_eq!(line["sha256"], hex::encode(Sha256::digest(&bytes)));
        assert_eq!(line["bytes"], bytes.len());
    }
    manifest
}

fn read_folder(folder: &Path) -> Value {
    let file = |name: &str| std::fs::read(folder.join(name)).expect(name);
    assert_whole(&file("manifest.json"), file)
}

async fn bodies(scene: &Scene) -> Vec<Vec<u8>> {
    let mut connection = scene.day.harness.connection().await;
    sqlx::query_scalar("select body from outbox order by seq, version")
        .fetch_all(&mut connection)
        .await
        .expect("bodies")
}

async fn states(scene: &Scene) -> Vec<String> {
    let mut connection = scene.day.harness.connection().await;
    sqlx::query_scalar("select state from outbox order by seq, version")
        .fetch_all(&mut connection)
        .await
        .expect("states")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_exports_what_is_new_once_in_every_form() {
    let scene = completed("export_job").await;
    let (job, out) = directory(&scene, "");
    let environment = Environment::default();
    let done = run(&scene, &job, &environment).await.expect("exported");
    assert_eq!(done, Exported { exports: 1, messages: 2, answers: 0, refused: 0 });
    assert_eq!(states(&scene).await, ["sent", "sent"], "where files are the way, what is in one counts as sent");
    assert_eq!(scene.state(SCHOOL).await.name(), "sent");
    let names = folders(&out);
    assert_eq!(names.len(), 1, "{names:?}");
    let folder = out.join(&names[0]);
    assert_eq!(folders(&folder), ["manifest.json", "messages-gb18030.csv", "messages.csv", "messages.ndjson"]);
    let manifest = read_folder(&folder);
    let bodies = bodies(&scene).await;
    let lines = std::fs::read(folder.join("messages.ndjson")).expect("read");
    assert_eq!(lines, [&bodies[0][..], b"\n", &bodies[1], b"\n"].concat(), "byte for byte");
    let sum = |field: &str| -> u64 {
        let of = |body: &Vec<u8>| serde_json::from_slice::<Value>(body).expect("a message")[field].as_u64();
        bodies.iter().filter_map(of).sum()
    };
    for field in ["person_count", "unweighted_person_months", "weighted_person_months"] {
        assert_eq!(manifest["sums"][field], sum(field), "{field}");
    }
    assert!(sum("weighted_person_months") > 0);
    assert_eq!(manifest["sums"]["messages"], 2);
    // again: nothing is new
    let again = run(&scene, &job, &environment).await.expect("nothing to do");
    assert_eq!(again, Exported::default());
    assert_eq!(folders(&out), names);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_program_decodes_of_gb18030_is_what_the_other_files_say() {
    let scene = completed("export_gb18030").await;
    let (job, out) = directory(&scene, "");
    run(&scene, &job, &Environment::default()).await.expect("exported");
    let folder = out.join(&folders(&out)[0]);
    let decoded = Command::new("iconv")
        .args(["-f", "GB18030", "-t", "UTF-8"])
        .arg(folder.join("messages-gb18030.csv"))
        .output()
        .expect("iconv is part of every system with glibc");
    assert!(decoded.status.success());
    let utf8 = std::fs::read(folder.join("messages.csv")).expect("read");
    assert_eq!(utf8.strip_prefix(b"\xef\xbb\xbf".as_slice()).expect("a mark"), decoded.stdout);
    let text = String::from_utf8(decoded.stdout).expect("UTF-8");
    insta::assert_snapshot!(text.lines().next().unwrap_or_default(), @r###"
kind,message_id,idempotency_key,version,supersedes,uscc,employer_name,tax_division,year,person_count,unweighted_person_months,weighted_person_months,placed_persons_fraction,placed_persons_decimal,certified_at,certification_number,digest,month_01,month_02,month_03,month_04,month_05,month_06,month_07,month_08,month_09,month_10,month_11,month_12
"###);
    assert!(text.contains(",贵溪市例五中学,360681,2025,"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_was_interrupted_is_made_the_same_again_and_nothing_half_is_ever_seen() {
    let scene = completed("export_interrupted").await;
    let (job, out) = directory(&scene, "");
    // a file where the folder should be: the process dies between deciding and writing, as far as anybody can see
    std::fs::write(&out, "in the way").expect("written");
    let failed = run(&scene, &job, &Environment::default()).await.expect_err("no folder");
    assert!(failed.contains("cannot be made"), "{failed}");
    std::fs::remove_file(&out).expect("removed");
    // what a killed process left
    std::fs::create_dir_all(out.join(".2025_000000000000-000000000009.0123")).expect("made");
    // somebody holds everything back meanwhile: what was decided is what it was
    let decided = scene.store().list_undelivered_exports("export").await.expect("exports");
    let mut connection = scene.day.harness.connection().await;
    let hold = "insert into push_hold (held_at, held_by, why) values (now(), 'ops', 'asked')";
    sqlx::query(hold).execute(&mut connection).await.expect("held");
    // and somebody gives one of them up
    sqlx::query("update outbox set state = 'rejected', answer = '{}', overtaken = true where employer_id = (select unit_id from unit where uscc = $1)")
        .bind(FACTORY)
        .execute(&mut connection)
        .await
        .expect("given up");
    let done = run(&scene, &job, &Environment::default()).await.expect("exported");
    assert_eq!((done.exports, done.messages), (1, 2));
    let whole: Vec<String> = folders(&out).into_iter().filter(|name| !name.starts_with('.')).collect();
    let name = format!("2025_{:012}-{:012}", decided[0].from_seq, decided[0].to_seq);
    assert_eq!(whole, [name]);
    read_folder(&out.join(&whole[0]));
    assert_eq!(scene.store().list_undelivered_exports("export").await.expect("exports"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_died_after_delivering_delivers_the_same_again_and_another_folder_is_never_overwritten() {
    let scene = completed("export_twice").await;
    let (job, out) = directory(&scene, "");
    run(&scene, &job, &Environment::default()).await.expect("exported");
    let mut connection = scene.day.harness.connection().await;
    let forget = "update export set delivered_at = null";
    sqlx::query(forget).execute(&mut connection).await.expect("forgotten");
    let again = run(&scene, &job, &Environment::default()).await.expect("it is there already");
    assert_eq!(again.exports, 1);
    let folder = out.join(&folders(&out)[0]);
    std::fs::write(folder.join("manifest.json"), "{}").expect("written");
    sqlx::query(forget).execute(&mut connection).await.expect("forgotten");
    let refused = run(&scene, &job, &Environment::default()).await.expect_err("another's");
    assert!(refused.contains("nothing is ever overwritten"), "{refused}");
    assert_eq!(std::fs::read(folder.join("manifest.json")).expect("read"), b"{}");
}

fn named_job(name: &str, out: &Path, more: &str) -> Job {
    let text = format!("kind = \"export\"\n[deliver]\ntype = \"directory\"\npath = \"{}\"\n{more}", out.display());
    Job::parse(Path::new(&format!("jobs/{name}.toml")), &text).expect("a job")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_that_cannot_be_delivered_stops_no_other_and_neither_do_answers_that_cannot_be_read() {
    let scene = completed("export_years").await;
    let factory = scene.declaring(FACTORY).await.employer;
    let earlier = OutboxMessage { year: 2024, ..outbound(factory, 9, "360102") };
    let at = scene.store().now().await.expect("now");
    let mut publish = scene.store().publish(Cause::Withdrawal, at).await.expect("the lock");
    publish.enqueue(&earlier, at).await.expect("in the outbox");
    publish.commit().await.expect("published");
    let (job, out) = directory(&scene, "acknowledgements = \"nowhere/at/all\"\n");
    let head = scene.store().feed_head().await.expect("the head");
    let in_the_way = out.join(format!("2024_{:012}-{head:012}", 0));
    std::fs::create_dir_all(&in_the_way).expect("made");
    std::fs::write(in_the_way.join("manifest.json"), "{}").expect("written");
    let failed = run(&scene, &job, &Environment::default()).await.expect_err("there is no such folder");
    assert!(failed.contains("the folder of answers nowhere/at/all cannot be read"), "{failed}");
    let undelivered = scene.store().list_undelivered_exports("export").await.expect("exports");
    assert_eq!(undelivered.iter().map(|export| export.year).collect::<Vec<_>>(), [2024]);
    assert_eq!(folders(&out).iter().filter(|name| name.starts_with("2025_")).count(), 1, "the other year is there");
    // and again: what is stuck is stuck, and stops nothing
    run(&scene, &job, &Environment::default()).await.expect_err("still");
    std::fs::remove_dir_all(&in_the_way).expect("removed");
    run(&scene, &job, &Environment::default()).await.expect_err("the answers");
    assert_eq!(scene.store().list_undelivered_exports("export").await.expect("exports"), []);
    read_folder(&in_the_way);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_came_too_early_or_to_another_division_are_taken_when_their_time_comes() {
    let scene = completed("export_early").await;
    let answers = scene.folder.path().join("answers");
    std::fs::create_dir(&answers).expect("made");
    let out = scene.folder.path().join("out");
    let of = |name: &str, division: &str| {
        let more = format!("division = \"{division}\"\nacknowledgements = \"{}\"\n", answers.display());
        named_job(name, &out, &more)
    };
    let (nanchang, yingtan) = (of("nanchang", "3601"), of("yingtan", "3606"));
    let bodies = bodies(&scene).await;
    let lines = format!("{}\n{}\n", accepted(&bodies[0], "R-1"), accepted(&bodies[1], "R-2"));
    std::fs::write(answers.join("1.ndjson"), lines).expect("written");
    let environment = Environment::default();
    // one had not left, the other is nothing to this division
    let done = run(&scene, &nanchang, &environment).await.expect("ran");
    assert_eq!((done.exports, done.answers, done.refused), (1, 0, 2));
    let done = run(&scene, &nanchang, &environment).await.expect("ran");
    assert_eq!((done.answers, done.refused), (1, 0), "it has left since; of the other it was said");
    assert_eq!(run(&scene, &nanchang, &environment).await.expect("nothing"), Exported::default());
    let done = run(&scene, &yingtan, &environment).await.expect("ran");
    assert_eq!((done.exports, done.answers, done.refused), (1, 0, 2));
    let done = run(&scene, &yingtan, &environment).await.expect("ran");
    assert_eq!((done.answers, done.refused), (1, 0));
    assert_eq!(states(&scene).await, ["accepted", "accepted"]);
    let names = folders(&out);
    assert!(names[0].starts_with("2025_3601_") && names[1].starts_with("2025_3606_"), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_answers_is_left_until_it_is_whole() {
    let scene = completed("export_half").await;
    let answers = scene.folder.path().join("answers");
    std::fs::create_dir(&answers).expect("made");
    let (job, _) = directory(&scene, &format!("acknowledgements = \"{}\"\n", answers.display()));
    run(&scene, &job, &Environment::default()).await.expect("exported");
    let bodies = bodies(&scene).await;
    let row = |body: &[u8], receipt: &str| {
        let answer = accepted(body, receipt);
        let text = |field: &str| answer[field].as_str().expect("a text").to_owned();
        format!("{},accepted,{},{receipt}", text("message_id"), text("digest"))
    };
    let header = "message_id,status,digest,receipt";
    let half = format!("{header}\n{}\n{}", row(&bodies[0], "R-1"), row(&bodies[1], "R-2"));
    std::fs::write(answers.join("1.csv"), &half).expect("written");
    let done = run(&scene, &job, &Environment::default()).await.expect("looked at");
    assert_eq!((done.answers, done.refused), (0, 1));
    assert_eq!(states(&scene).await, ["sent", "sent"], "the second receipt may go on");
    std::fs::write(answers.join("1.csv"), format!("{half}2\n")).expect("written");
    let done = run(&scene, &job, &Environment::default()).await.expect("taken");
    assert_eq!((done.answers, done.refused), (2, 0));
    let state = serde_json::to_string(&scene.state(FACTORY).await).expect("a state");
    assert!(state.contains("R-22"), "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_division_changed_is_refused_with_what_to_do() {
    let scene = completed("export_moved").await;
    let (job, out) = directory(&scene, "division = \"3601\"\n");
    run(&scene, &job, &Environment::default()).await.expect("exported");
    let (moved, _) = directory(&scene, "division = \"36\"\n");
    let refused = run(&scene, &moved, &Environment::default()).await.expect_err("another division");
    assert!(refused.contains("`deliver.division` is `36`, and `export` exported `3601` before"), "{refused}");
    assert!(refused.contains("give the job file another name"), "{refused}");
    assert_eq!(folders(&out).len(), 1);
    let other = named_job("whole", &out, "division = \"36\"\n");
    assert_eq!(run(&scene, &other, &Environment::default()).await.expect("exported").messages, 2);
}

fn accepted(body: &[u8], receipt: &str) -> Value {
    let message: Value = serde_json::from_slice(body).expect("a message");
    let digest = hex::encode(Sha256::digest(body));
    json!({ "status": "accepted", "message_id": message["message_id"], "receipt": receipt, "digest": digest })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_takes_files_of_answers_once_and_counts_what_is_refused() {
    let scene = completed("export_answers").await;
    let answers = scene.folder.path().join("answers");
    std::fs::create_dir(&answers).expect("made");
    let (job, _) = directory(&scene, &format!("acknowledgements = \"{}\"\n", answers.display()));
    run(&scene, &job, &Environment::default()).await.expect("exported");
    let bodies = bodies(&scene).await;
    let lines = format!("{}\nnonsense\n", accepted(&bodies[0], "R-1"));
    std::fs::write(answers.join("1.ndjson"), lines).expect("written");
    std::fs::write(answers.join("2.ndjson.part"), "not whole yet").expect("written");
    std::fs::write(answers.join("notes.txt"), "for people").expect("written");
    let done = run(&scene, &job, &Environment::default()).await.expect("taken");
    assert_eq!((done.answers, done.refused), (1, 1));
    assert_eq!(states(&scene).await, ["accepted", "sent"]);
    assert_eq!(scene.state(SCHOOL).await.name(), "accepted");
    assert_eq!(run(&scene, &job, &Environment::default()).await.expect("taken before"), Exported::default());
    let message: Value = serde_json::from_slice(&bodies[1]).expect("a message");
    let text = format!(
        "message_id,status,code,text\n{},rejected,division_closed,\"已撤销,请更正\"\n",
        message["message_id"].as_str().expect("an id")
    );
    let bytes = encoding_rs::GB18030.encode(&text).0;
    std::fs::write(answers.join("3.csv"), bytes).expect("written");
    let done = run(&scene, &job, &Environment::default()).await.expect("taken");
    assert_eq!((done.answers, done.refused), (1, 0));
    let rejected = scene.state(FACTORY).await;
    assert_eq!(rejected.name(), "rejected");
    assert!(serde_json::to_string(&rejected).expect("a state").contains("已撤销,请更正"));
    std::fs::write(answers.join("4.csv"), "a,b\n1,2\n").expect("written");
    let done = run(&scene, &job, &Environment::default()).await.expect("looked at");
    assert_eq!((done.answers, done.refused), (0, 1), "a file that is none is one refusal");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_exports_and_takes_answers_and_says_what_it_refused() {
    let scene = completed("export_command").await;
    let harness = &scene.day.harness;
    let here = scene.folder.path().display().to_string();
    let masked = |text: String| {
        let text = text.replace(&here, "[here]");
        text.split_inclusive([' ', '\n', '"'])
            .map(|word| {
                let hex = word.trim_end_matches([' ', '\n', '"']);
                if hex.len() == 65 && hex.bytes().all(|sign| sign.is_ascii_hexdigit()) {
                    word.replace(hex, "[cursor]")
                } else {
                    word.to_owned()
                }
            })
            .collect::<String>()
    };
    let run = |arguments: &[&str]| masked(say(&mut renzheng_on(harness, arguments)));
    let out = format!("{here}/out");
    let whole = ["export", "--year", "2025", "--out", &out];
    let said = run(&whole);
    insta::assert_snapshot!(said, @r###"
exit 0
[here]/out/2025_000000000000-000000000012: 2 messages (2 certified, 0 withdrawn), 11 persons, 123 weighted person-months
the next begins --after [cursor]
"###);
    assert_eq!(
        states(&scene).await,
        ["waiting", "waiting"],
        "a copy, unless files are how messages reach the department"
    );
    let again = run(&whole);
    assert!(again.starts_with("exit 1") && again.contains("nothing is ever overwritten"), "{again}");
    let folder = Path::new(&out).join(&folders(Path::new(&out))[0]);
    let next = read_folder(&folder)["next"].as_str().expect("a place").to_owned();
    insta::assert_snapshot!(run(&[&whole[..], &["--after", &next]].concat()), @r###"
exit 0
nothing of 2025 is new: no folder was written
"###);
    insta::assert_snapshot!(run(&[&whole[..], &["--after", "x"]].concat()), @r###"
exit 2
renzheng: --after is no place: accepted is the `next` of a manifest or of a page of the feed
"###);
    let head = scene.store().feed_head().await.expect("the head");
    let ahead = renzheng::domain::feed::Cursor::after_publish(head + 1).encode();
    let refused = run(&[&whole[..], &["--after", &ahead]].concat());
    assert!(refused.starts_with("exit 2") && refused.contains("begin again without --after"), "{refused}");
    insta::assert_snapshot!(run(&[&whole[..], &["--as", "xml"]].concat()), @r###"
exit 2
error: invalid value 'xml' for '--as <FORMS>': accepted are ndjson, csv, csv-gb18030, parted by commas, or all

For more information, try '--help'.
"###);
    insta::assert_snapshot!(run(&["export", "--help"]), @r###"
exit 0
Write messages as files for the tax department, or take its answers from one

Usage: renzheng export [OPTIONS] --year <YEAR> --out <DIR>
  renzheng export <COMMAND>

Commands:
  acknowledge  Take the tax department's answers from a file (`.ndjson`, or `.csv` in UTF-8 or GB18030), once
  help  Print this message or the help of the given subcommand(s)

Options:
  --format <FORMAT>  Text for people, or JSON lines for programs [default: text] [possible values: text, json]
  --jobs <DIR>  Folder of the job files [default: jobs]
  --year <YEAR>  Business year
  --data-dir <DIR>  Folder of the private Postgres, keys and files [default: var]
  --out <DIR>  Folder in which the export makes a folder of its own, named by year and publishes
  --after <CURSOR>  Only what was published after this place: the `next` of the manifest before
  --policy <FILE>  Policy file of the province [default: Jiangxi, built in]
  --as <FORMS>  Forms: ndjson, csv, csv-gb18030, parted by commas, or all [default: all]
  --reveal  Show ID numbers and names whole; every use is audited
  -h, --help  Print help
  -V, --version  Print version
"###);
    let mut program =
        renzheng_on(harness, &["export", "--year", "2025", "--out", &format!("{here}/sent"), "--as", "ndjson"]);
    say(program.env("RENZHENG_TAX_MODE", "files"));
    assert_eq!(states(&scene).await, ["sent", "sent"]);

    let bodies = bodies(&scene).await;
    let file = format!("{here}/answers.ndjson");
    let mut wrong = accepted(&bodies[1], "R-2");
    wrong["digest"] = json!("00".repeat(32));
    std::fs::write(&file, format!("{}\n\n{wrong}\n", accepted(&bodies[0], "R-1"))).expect("written");
    let said = run(&["export", "acknowledge", &file]);
    let id = serde_json::from_slice::<Value>(&bodies[1]).expect("a message")["message_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    insta::assert_snapshot!(said.replace(&id, "[id]"), @r###"
exit 3
[here]/answers.ndjson: 1 answers taken, 1 refused
  refused [here]/answers.ndjson:3: another_digest: accepted with another digest than that of the body we sent (message [id])
"###);
    assert_eq!(states(&scene).await, ["accepted", "unknown"]);
    let again = run(&["export", "acknowledge", &file]);
    assert!(again.starts_with("exit 0") && again.contains("already"), "{again}");
    insta::assert_snapshot!(run(&["export", "acknowledge", "notes.txt"]), @r###"
exit 2
renzheng: notes.txt is called neither `….ndjson` nor `….csv`
"###);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_division_is_exported_alone_and_held_messages_wait() {
    let scene = completed("export_division").await;
    let (job, out) = directory(&scene, "division = \"3601\"\nformats = [\"ndjson\"]\n");
    let factory = scene.declaring(FACTORY).await.employer;
    let mut connection = scene.day.harness.connection().await;
    let hold =
        "insert into push_hold (employer_id, year, held_at, held_by, why) values ($1, 2025, now(), 'ops', 'asked')";
    sqlx::query(hold).bind(factory.0).execute(&mut connection).await.expect("held");
    assert_eq!(run(&scene, &job, &Environment::default()).await.expect("nothing"), Exported::default());
    sqlx::query("update push_hold set released_at = now(), released_by = 'ops'")
        .execute(&mut connection)
        .await
        .expect("released");
    assert_eq!(run(&scene, &job, &Environment::default()).await.expect("exported").messages, 1);
    let folder = out.join(&folders(&out)[0]);
    assert_eq!(folders(&folder), ["manifest.json", "messages.ndjson"]);
    assert!(std::fs::read_to_string(folder.join("messages.ndjson")).expect("read").contains(FACTORY));
    assert_eq!(states(&scene).await, ["waiting", "sent"]);
}
