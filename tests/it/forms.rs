//! The forms in which agencies write: GB18030 with all its traps, spreadsheets' digits, amounts in every spelling. Exact, or refused.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use renzheng::config::Environment;
use renzheng::domain::ids::ResidentId;
use renzheng::ingest::{PullOutcome, Report, decide};
use renzheng::store::quarantine::{QuarantineFilter, QuarantineLine};
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};

use crate::agency::{Agency, PAYER, id_number};
use crate::faults::scene::{check_books, installation};
use crate::harness::{actor, jobs_of};
use crate::http_agency::{Reply, Server};

fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

/// Full-width forms of what is half-width.
fn wide(text: &str) -> String {
    text.chars()
        .map(|sign| char::from_u32(sign as u32 + 0xFEE0).filter(|_| sign.is_ascii_graphic()).unwrap_or(sign))
        .collect()
}

/// Open refused records, in the order of their rows.
async fn quarantine(agency: &Agency) -> Vec<QuarantineLine> {
    let (mut lines, beyond) =
        agency.harness.store.list_quarantine(&QuarantineFilter::default(), None, 1000).await.expect("lines");
    assert_eq!(beyond, 0);
    lines.sort_by_key(|line| (line.page_number, line.row_number));
    lines
}

fn told(lines: &[QuarantineLine]) -> Vec<String> {
    let field = |line: &QuarantineLine| line.field.clone().unwrap_or_default();
    lines.iter().map(|line| format!("{} {} {} {}", line.row_number, line.code, field(line), line.detail)).collect()
}

/// Amounts in force with the rows they came from.
async fn amounts(agency: &Agency) -> Vec<(i32, i64)> {
    sqlx::query_as(
        "select row_number, amount_fen from wage v join batch b using (batch_id)
         where b.published_seq is not null and v.superseded_seq is null order by 1",
    )
    .fetch_all(&mut agency.harness.connection().await)
    .await
    .expect("amounts")
}

async fn pull(agency: &Agency) -> Report {
    let report = agency.harness.pull(&agency.job, &Environment::default()).await;
    check_books(&agency.harness, &agency.job.name).await;
    report
}

/// Writes the job's file anew.
async fn settle(agency: &mut Agency, job: &str) {
    let folder = agency.scratch.path().join("jobs");
    std::fs::write(folder.join("pull-wage.toml"), job).expect("written");
    agency.job = jobs_of(&folder).remove(0);
    agency.harness.register(std::slice::from_ref(&agency.job)).await;
}

fn file_job(path: &Path, format: &str, rest: &str) -> String {
    format!(
        "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\n[source]\ntype = \"file\"\npath = \"{}\"\nformat = \"{format}\"\n{rest}",
        path.display()
    )
}

/// A file of its own for a test.
fn place(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("forms");
    std::fs::create_dir_all(&folder).expect("made");
    folder.join(format!("{}-{name}", std::process::id()))
}

const CHINESE: &str = "encoding = \"gb18030\"\ndelimiter = \"|\"\n[fields]\nrecord_id = \"记录号\"\nupdated_at = \"更新时间\"\n\
                       id_number = \"证件号码\"\nname = \"姓名\"\npayer_uscc = \"纳税人识别号\"\nperiod = \"税款所属期\"\namount = \"收入额\"\n\
                       [formats]\nperiod = \"%Y年%m月\"\n";

/// A line of the bureau's file; the name in bytes.
fn line(record: &str, id: &str, name: &[u8], period: &str, amount: &str) -> Vec<u8> {
    let mut bytes = gb18030(&format!("{record}|2026-01-01 08:00:00|{id}|"));
    bytes.extend_from_slice(name);
    bytes.extend(gb18030(&format!("|{PAYER}|{period}|{amount}\r\n")));
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_gb18030_gives_its_good_rows_and_each_bad_one_with_its_line_and_reason() {
    // the second byte of this character is the delimiter
    let (sly, _, broken) = encoding_rs::GB18030.decode(b"\x8A\x7C\xC4\xB3");
    assert!(!broken && !sly.contains('|'));
    let march = "2025年03月";
    let people: Vec<String> = (0..20).map(id_number).collect();
    let mut bytes = gb18030("记录号|更新时间|证件号码|姓名|纳税人识别号|税款所属期|收入额\r\n");
    bytes.extend(line("1", &people[1], &gb18030("王𠮷"), march, "3500.00"));
    bytes.extend(line("2", &people[2], &gb18030(&sly), march, "3500.10"));
    bytes.extend(line("3", &wide(&people[3]), &gb18030("李㐂"), &wide(march), "１２３４．５０"));
    bytes.extend(line("4", "3.6E+17", &gb18030("某人"), march, "3500"));
    bytes.extend(line("5", &people[5], b"\xC4\xFF\xB3", march, "3500"));
    bytes.extend(line("6", "3.60002E+17", &gb18030("某人"), march, "3500"));
    bytes.extend(line("7", &people[7], b"\x81 ", march, "3500"));
    bytes.extend(line("8", &people[8], &gb18030("欧阳娜娜"), march, "-0.01"));
    bytes.extend(line("9", &people[9], b"\x81\x30\x81 ", march, "3500"));
    bytes.extend(line("10", &people[10], &gb18030("阿迪力·买买提"), march, "0"));
    let file = place("bureau.csv");
    std::fs::write(&file, bytes).expect("written");
    let agency = installation("gb18030", &file_job(&file, "csv", CHINESE)).await;
    let report = pull(&agency).await;
    assert_eq!((report.outcome, report.counts.new, report.counts.refused), (PullOutcome::Published, 5, 5));
    assert_eq!(amounts(&agency).await, [(2, 350_000), (3, 350_010), (4, 123_450), (9, -1), (11, 0)]);
    insta::assert_snapshot!(told(&quarantine(&agency).await).join("\n"), @r"
    5 malformed id_number is no resident ID: wrong length
    6 undecodable  not valid gb18030
    7 malformed id_number is no resident ID: wrong length
    8 undecodable  not valid gb18030
    10 undecodable  not valid gb18030
    ");
    let store = &agency.harness.store;
    for (person, name) in [(1, "王𠮷"), (2, &*sly), (3, "李㐂"), (10, "阿迪力·买买提")] {
        let id = ResidentId::parse(&people[person]).expect("an ID");
        let found = store.find_person(&id).await.expect("found").expect("a person");
        assert_eq!(store.identities(&[found]).await.expect("identities")[&found].name, name);
    }
    let raw = store.raw_refusal(quarantine(&agency).await[1].quarantine_id).await.expect("read").expect("there");
    let raw: Value = serde_json::from_slice(&raw).expect("JSON");
    assert!(raw["bytes"].is_string(), "the bytes are kept as they came");
    // not a sign of an ID in what is told
    assert!(quarantine(&agency).await.iter().all(|line| !people.iter().any(|id| line.detail.contains(id.as_str()))));
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_rows_come_in_by_replay_once_the_mapping_is_mended() {
    let header = "record_id|updated_at|deleted|id_number|name|payer_uscc|period|amount\n";
    let row = |number: u32, deleted: &str, name: &str, period: &str, amount: &str| {
        let id = id_number(number);
        gb18030(&format!("r{number}|2026-01-01 08:00:00|{deleted}|{id}|{name}|{PAYER}|{period}|{amount}\n"))
    };
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(row(1, "否", "王𠮷", "202503", "100")); // its encoding, word and month
    bytes.extend(row(2, "", "wang", "202503", "200")); // its month
    bytes.extend(row(3, "", "wang", "2025-03", "300")); // good at first
    bytes.extend(row(4, "", "某人", "202503", "4o0")); // bad for ever
    bytes.extend(row(5, "是", "某人", "", "")); // its encoding and word: it exists no more
    let file = place("replay.csv");
    std::fs::write(&file, bytes).expect("written");
    let mut agency = installation("replayed", &file_job(&file, "csv", "delimiter = \"|\"\n")).await;
    let report = pull(&agency).await;
    assert_eq!((report.counts.new, report.counts.refused), (1, 4));
    insta::assert_snapshot!(told(&quarantine(&agency).await).join("\n"), @r"
    2 undecodable  not valid utf-8
    3 malformed period is not a month of the form %Y-%m
    5 undecodable  not valid utf-8
    6 undecodable  not valid utf-8
    ");
    let store = agency.harness.store.clone();
    let replay = async |agency: &Agency| {
        let replayed =
            decide::replay(&store, &agency.job, &QuarantineFilter::default(), "test").await.expect("replayed");
        check_books(&agency.harness, "replay").await;
        (replayed.read, replayed.good, replayed.refused)
    };
    assert_eq!(replay(&agency).await, (4, 0, 4), "nothing was mended yet");
    settle(&mut agency, &file_job(&file, "csv", "delimiter = \"|\"\n[formats]\nperiod = \"%Y%m\"\n")).await;
    assert_eq!(replay(&agency).await, (4, 1, 3));
    let mended = "delimiter = \"|\"\nencoding = \"gb18030\"\n[formats]\nperiod = \"%Y%m\"\n[values.deleted]\n\"否\" = \"false\"\n\"是\" = \"true\"\n";
    settle(&mut agency, &file_job(&file, "csv", mended)).await;
    assert_eq!(replay(&agency).await, (3, 2, 1));
    assert_eq!(agency.amounts().await, [10_000, 20_000, 30_000]);
    assert_eq!(
        told(&quarantine(&agency).await),
        ["5 undecodable  not valid utf-8"],
        "what cannot be read stays, with its first reason"
    );
    assert_eq!(replay(&agency).await, (1, 0, 1));
}

/// How amounts are spelt, and what that is in fen.
const SPELLINGS: [(&str, Option<i64>); 12] = [
    ("2239.999999999999", None),
    ("1e3", None),
    ("0.1", Some(10)),
    ("-0.00", Some(0)),
    ("1,234.50", None),
    ("１２３４．５０", Some(123_450)),
    ("-2000.5", Some(-200_050)),
    (" 20 00.50 ", Some(200_050)),
    ("+5", None),
    ("0.005", None),
    ("9999999999999.99", Some(999_999_999_999_999)),
    (".5", None),
];

/// The amounts that came are those that were said, row by row, and every other row is refused for its amount.
async fn assert_exact(agency: &Agency, first_row: i32, said: &[Option<i64>]) {
    let at = |at: usize| first_row + at as i32;
    let good: Vec<(i32, i64)> = said.iter().enumerate().filter_map(|(row, fen)| Some((at(row), (*fen)?))).collect();
    assert_eq!(amounts(agency).await, good, "{}", agency.job.text);
    let bad: Vec<i32> = said.iter().enumerate().filter(|(_, fen)| fen.is_none()).map(|(row, _)| at(row)).collect();
    let refused = quarantine(agency).await;
    assert_eq!(refused.iter().map(|line| line.row_number).collect::<Vec<_>>(), bad, "{}", agency.job.text);
    assert!(refused.iter().all(|line| line.field.as_deref() == Some("amount")), "{:?}", told(&refused));
}

fn spelt() -> Vec<Option<i64>> {
    // beyond a trillion yuan nothing is read
    SPELLINGS.iter().map(|(_, fen)| fen.filter(|fen| *fen <= renzheng::domain::money::MAX_FEN)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_in_csv_is_exact_in_fen_or_refused() {
    let mut text = "record_id,updated_at,id_number,name,payer_uscc,period,amount\n".to_owned();
    for (at, (amount, _)) in SPELLINGS.iter().enumerate() {
        let id = id_number(at as u32);
        writeln!(text, "r{at},2026-01-01T00:00:00+08:00,{id},某人,{PAYER},2025-03,\"{amount}\"").expect("text grows");
    }
    let file = place("amounts.csv");
    std::fs::write(&file, text).expect("written");
    let agency = installation("amounts_csv", &file_job(&file, "csv", "")).await;
    pull(&agency).await;
    assert_exact(&agency, 2, &spelt()).await;
}

/// Records with an amount, as a JSON text or number.
fn json_record(at: usize, amount: &str) -> String {
    let id = id_number(at as u32);
    format!(
        "{{\"record_id\":\"r{at}\",\"updated_at\":\"2026-01-01T00:00:00+08:00\",\"id_number\":\"{id}\",\"name\":\"某人\",\
         \"payer_uscc\":\"{PAYER}\",\"period\":\"2025-03\",\"amount\":{amount}}}"
    )
}

/// Numbers are what their digits say.
const NUMBERS: [(&str, Option<i64>); 8] = [
    ("2239.999999999999", None),
    ("1e3", None),
    ("0.1", Some(10)),
    ("-0.00", Some(0)),
    ("1234.50", Some(123_450)),
    ("0.30000000000000004", None),
    ("1E+2", None),
    ("4503599627370497.5", None),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_in_json_is_exact_in_fen_or_refused_by_http_and_in_lines() {
    let texts = SPELLINGS.iter().map(|(amount, _)| json!(amount).to_string());
    let amounts: Vec<String> = texts.chain(NUMBERS.iter().map(|(amount, _)| (*amount).to_owned())).collect();
    let said: Vec<Option<i64>> = spelt().into_iter().chain(NUMBERS.iter().map(|(_, fen)| *fen)).collect();
    let records: Vec<String> = amounts.iter().enumerate().map(|(at, amount)| json_record(at, amount)).collect();
    let file = place("amounts.ndjson");
    std::fs::write(&file, records.join("\n")).expect("written");
    let agency = installation("amounts_ndjson", &file_job(&file, "ndjson", "")).await;
    pull(&agency).await;
    assert_exact(&agency, 1, &said).await;

    let body = format!("{{\"records\":[{}]}}", records.join(","));
    let server = Server::start(move |_| {
        let mut reply = Reply::status(200).header("content-type", "application/json");
        reply.body = body.clone().into_bytes();
        reply
    })
    .await;
    let job = format!(
        "kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\n[source]\ntype = \"http\"\nurl = \"{}\"\n",
        server.url
    );
    let agency = installation("amounts_http", &job).await;
    pull(&agency).await;
    assert_exact(&agency, 1, &said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_in_a_workbook_is_exact_in_fen_or_refused_and_an_id_in_a_number_cell_is_none() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (column, name) in
        ["record_id", "updated_at", "id_number", "name", "payer_uscc", "period", "amount"].into_iter().enumerate()
    {
        sheet.write(0, column as u16, name).expect("written");
    }
    // a number cell is binary: its shortest decimal counts
    let numbers = [
        (2_239.999_999_999_999, None),
        (1e3, Some(100_000)),
        (0.1, Some(10)),
        (-0.0, Some(0)),
        (1234.5, Some(123_450)),
        (0.1 + 0.2, None),
        (1e21, None),
    ];
    let rows = SPELLINGS.len() + numbers.len();
    for at in 0..=rows {
        let row = at as u32 + 1;
        let id = id_number(at as u32);
        for (column, text) in
            [&format!("r{at}"), "2026-01-01T00:00:00+08:00", &id, "某人", PAYER, "2025-03"].into_iter().enumerate()
        {
            sheet.write(row, column as u16, text).expect("written");
        }
        match (SPELLINGS.get(at), numbers.get(at.wrapping_sub(SPELLINGS.len()))) {
            (Some((text, _)), _) => drop(sheet.write(row, 6, *text).expect("written")),
            (None, Some((number, _))) => drop(sheet.write(row, 6, *number).expect("written")),
            (None, None) => {
                sheet.write(row, 6, "1").expect("written");
                sheet.write(row, 2, id[..17].parse::<f64>().expect("digits") * 10.0).expect("written");
            }
        }
    }
    let file = place("amounts.xlsx");
    workbook.save(&file).expect("saved");
    let agency = installation("amounts_xlsx", &file_job(&file, "xlsx", "")).await;
    pull(&agency).await;
    let refused = quarantine(&agency).await;
    let last = refused.last().expect("the number cell");
    assert_eq!((last.row_number, last.field.as_deref()), (rows as i32 + 2, Some("id_number")));
    assert_eq!(last.detail, "is a number; only text keeps all its digits");
    agency
        .harness
        .store
        .discard_refusals(
            &QuarantineFilter { ids: vec![last.quarantine_id], ..QuarantineFilter::default() },
            &actor(),
            "seen",
        )
        .await
        .expect("discarded");
    let said: Vec<Option<i64>> = spelt().into_iter().chain(numbers.iter().map(|(_, fen)| *fen)).collect();
    assert_exact(&agency, 2, &said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_times_a_tenth_of_a_yuan_is_a_yuan_to_the_wage_check() {
    let (full, short) = (id_number(1), id_number(2));
    let file = place("tenths.csv");
    let mut text = "record_id,updated_at,id_number,name,payer_uscc,period,amount\n".to_owned();
    // the minimum of December is 2240; added up as binary fractions, ten tenths are less than one
    for (id, tenths) in [(&full, 10), (&short, 9)] {
        writeln!(text, "{id}-base,2026-01-01T00:00:00+08:00,{id},某人,{PAYER},2025-12,2239").expect("text grows");
        for tenth in 0..tenths {
            writeln!(text, "{id}-{tenth},2026-01-01T00:00:00+08:00,{id},某人,{PAYER},2025-12,0.1").expect("text grows");
        }
    }
    std::fs::write(&file, text).expect("written");
    let agency = installation("tenths", &file_job(&file, "csv", "")).await;
    let folder = agency.scratch.path();
    let put = |name: &str, text: String| std::fs::write(folder.join(name), text).expect("written");
    put(
        "employers.csv",
        format!(
            "uscc,name,kind,division,federation_division,tax_division\n{PAYER},合成公司,enterprise,360102,360102,360102\n"
        ),
    );
    put("affiliates.csv", "employer_uscc,year,unit_uscc,unit_name,relation\n".to_owned());
    put("contracts.csv", "employer_uscc,year,id_number,kind,starts_on\n".to_owned());
    let placement = |id: &str| format!("{PAYER},2025,{id},某人,false,{PAYER},{PAYER},{PAYER}\n");
    put(
        "placements.csv",
        format!(
            "employer_uscc,year,id_number,name,dispatched,wage_payer_uscc,pension_payer_uscc,medical_payer_uscc\n{}{}",
            placement(&full),
            placement(&short)
        ),
    );
    agency.harness.import_directory(folder).await;
    pull(&agency).await;
    agency.harness.verify(2025).await;
    let results = agency.harness.results(2025).await;
    let wage = |id: &str| {
        let line = results.iter().find(|line| line.id_number == id && line.month == "2025-12").expect("a line");
        line.codes[0]
    };
    assert_eq!((wage(&full), wage(&short)), ("pass", "below_minimum"));
}
