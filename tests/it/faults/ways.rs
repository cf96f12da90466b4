//! What is done to answers, to the agency and to its files: a function for each fault of the table.

use std::io::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::agency::Wage;
use crate::http_agency::{Asked, Desk, Reply, Wire};

pub fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

pub fn no_route() -> String {
    "http://255.255.255.255:9".to_owned()
}

pub fn hang_up(_: &Asked, reply: Reply) -> Reply {
    reply.over(Wire::Closed)
}

pub fn forbidden(_: &Asked, _: Reply) -> Reply {
    Reply::status(403)
}

pub fn token_ends(desk: &mut Desk) {
    desk.later = Some((3, |desk| desk.token = desk.token.map(|token| token + 1)));
}

pub fn tokens_are_stale(desk: &mut Desk) {
    desk.later = Some((3, |desk| {
        desk.token = desk.token.map(|token| token + 1);
        desk.stale_tokens = true;
    }));
}

fn busy(after: &str) -> Reply {
    Reply::status(429).header("date", "Sun, 06 Nov 1994 08:49:37 GMT").header("retry-after", after)
}

pub fn too_many(_: &Asked, _: Reply) -> Reply {
    Reply::status(429)
}

pub fn too_many_wait_none(_: &Asked, _: Reply) -> Reply {
    busy("0")
}

pub fn too_many_wait_minute(_: &Asked, _: Reply) -> Reply {
    busy("60")
}

pub fn too_many_wait_year(_: &Asked, _: Reply) -> Reply {
    busy("31536000")
}

pub fn too_many_wait_negative(_: &Asked, _: Reply) -> Reply {
    busy("-1")
}

pub fn too_many_until_date(_: &Asked, _: Reply) -> Reply {
    busy("Sun, 06 Nov 1994 09:49:37 GMT")
}

pub fn too_many_until_past(_: &Asked, _: Reply) -> Reply {
    busy("Sun, 06 Nov 1994 08:49:30 GMT")
}

pub fn internal_error(_: &Asked, _: Reply) -> Reply {
    Reply::status(500)
}

pub fn bad_gateway(_: &Asked, _: Reply) -> Reply {
    Reply::status(502)
}

pub fn unavailable(_: &Asked, _: Reply) -> Reply {
    Reply::status(503)
}

pub fn gateway_timeout(_: &Asked, _: Reply) -> Reply {
    Reply::status(504)
}

pub fn silent(_: &Asked, reply: Reply) -> Reply {
    reply.over(Wire::Silent)
}

pub fn silent_after_head(_: &Asked, reply: Reply) -> Reply {
    reply.over(Wire::SilentAfterHead)
}

pub fn drip(_: &Asked, reply: Reply) -> Reply {
    reply.over(Wire::Drip)
}

pub fn short(_: &Asked, reply: Reply) -> Reply {
    reply.over(Wire::Short)
}

pub fn no_last_chunk(_: &Asked, reply: Reply) -> Reply {
    reply.over(Wire::NoLastChunk)
}

pub fn cut_json(_: &Asked, mut reply: Reply) -> Reply {
    reply.body.truncate(reply.body.len() / 2);
    reply
}

pub fn cut_ndjson(_: &Asked, mut reply: Reply) -> Reply {
    let answer: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let lines: Vec<String> = answer["records"].as_array().into_iter().flatten().map(Value::to_string).collect();
    let text = lines.join("\n");
    let body = text.as_bytes()[..text.len() - 20].to_vec();
    reply.headers = vec![("content-type".to_owned(), "application/x-ndjson".to_owned())];
    reply.body = body;
    reply
}

pub fn web_page(_: &Asked, mut reply: Reply) -> Reply {
    reply.headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    reply.body = b"<html>please log in</html>".to_vec();
    reply
}

pub fn gzip_garbage(_: &Asked, reply: Reply) -> Reply {
    reply.header("content-encoding", "gzip")
}

pub fn gzip_bomb(_: &Asked, mut reply: Reply) -> Reply {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..16 {
        packed.write_all(&vec![b' '; 1 << 20]).expect("packed");
    }
    reply.body = packed.finish().expect("packed");
    reply.header("content-encoding", "gzip")
}

pub fn page_twice(desk: &mut Desk) {
    desk.order = Some(vec![0, 1, 2, 2, 3, 4, 5, 1]);
    desk.announced = Some(40);
}

pub fn pages_reversed(desk: &mut Desk) {
    desk.order = Some((0..6).rev().collect());
}

pub fn page_missing(desk: &mut Desk) {
    desk.order = Some(vec![0, 1, 2, 4, 5]);
}

pub fn circle(_: &Asked, mut reply: Reply) -> Reply {
    let mut answer: Value = serde_json::from_slice(&reply.body).expect("JSON");
    answer["next"] = "1".into();
    reply.body = answer.to_string().into_bytes();
    reply
}

pub fn announces_more(desk: &mut Desk) {
    desk.announced = Some(31);
}

pub fn announces_fewer(desk: &mut Desk) {
    desk.announced = Some(29);
}

/// In the first reading, of six pages.
pub fn announces_more_at_first(desk: &mut Desk) {
    desk.announced = Some(31);
    desk.later = Some((6, |desk| desk.announced = None));
}

/// After three pages a record of the first goes, and all after it move up by one: the first of the fourth page is skipped.
pub fn moves(desk: &mut Desk) {
    desk.later = Some((3, |desk| drop(desk.records.remove(1))));
}

pub fn empty(desk: &mut Desk) {
    desk.order = Some(Vec::new());
    desk.announced = Some(0);
}

pub fn shrunken(desk: &mut Desk) {
    desk.order = Some(vec![0, 1, 2]);
    desk.announced = Some(15);
}

pub fn field_missing(desk: &mut Desk) {
    desk.form = |record| drop(record.remove("amount"));
}

pub fn field_renamed(desk: &mut Desk) {
    desk.form = |record| {
        let id = record.remove("id_number").unwrap_or_default();
        record.insert("id_no".to_owned(), id);
    };
}

pub fn field_new(desk: &mut Desk) {
    desk.form = |record| drop(record.insert("shoe_size".to_owned(), 42.into()));
}

/// No text of our own may hold such a sign, the notes neither.
pub fn nul_in_a_new_name(desk: &mut Desk) {
    desk.form = |record| drop(record.insert("shoe\u{0}size".to_owned(), 42.into()));
}

pub fn nul_in_a_field_renamed(desk: &mut Desk) {
    desk.form = |record| {
        let amount = record.remove("amount").unwrap_or_default();
        record.insert("amount\u{0}".to_owned(), amount);
    };
}

pub fn ids_are_numbers(desk: &mut Desk) {
    desk.form = |record| drop(record.insert("id_number".to_owned(), json!(360_002_u64)));
}

fn only(record: &mut Map<String, Value>, field: &str, value: Value) {
    if record["record_id"] == "r26" {
        record.insert(field.to_owned(), value);
    }
}

pub fn one_id_is_a_float(desk: &mut Desk) {
    desk.form = |record| only(record, "id_number", "3.6E+17".into());
}

pub fn one_field_is_an_object(desk: &mut Desk) {
    desk.form = |record| only(record, "amount", json!({ "yuan": 1 }));
}

/// A file of these records, each line of them changed by its place; the header is no line.
fn put(folder: &Path, records: &[Wage], change: impl Fn(usize, String) -> Vec<u8>) {
    put_as(folder, "record_id,updated_at,deleted,id_number,name,payer_uscc,period,amount\n".into(), records, change);
}

fn put_as(folder: &Path, header: Vec<u8>, records: &[Wage], change: impl Fn(usize, String) -> Vec<u8>) {
    let mut bytes = header;
    for (at, wage) in records.iter().enumerate() {
        bytes.extend(change(at, wage.line()));
    }
    std::fs::write(folder.join("page-000.csv"), bytes).expect("written");
}

fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

pub fn some_lines_gbk(folder: &Path, records: &[Wage]) {
    put(folder, records, |at, line| if [3, 6, 29].contains(&at) { gb18030(&line) } else { line.into_bytes() });
}

pub fn byte_order_mark(folder: &Path, records: &[Wage]) {
    let header = "\u{FEFF}record_id,updated_at,deleted,id_number,name,payer_uscc,period,amount\r\n";
    put_as(folder, header.into(), records, |_, line| line.replace('\n', "\r\n").into_bytes());
}

/// Spoils one line: that of the corrected record 6.
fn spoil(folder: &Path, records: &[Wage], spoil: impl Fn(String) -> String) {
    put(folder, records, |at, line| if at == 6 { spoil(line).into_bytes() } else { line.into_bytes() });
}

pub fn replacement_character(folder: &Path, records: &[Wage]) {
    spoil(folder, records, |line| line.replace("某人", "某\u{FFFD}"));
}

pub fn ten_megabytes(folder: &Path, records: &[Wage]) {
    spoil(folder, records, |line| line.replace("某人", &"某".repeat(4 << 20)));
}

pub fn no_such_day(folder: &Path, records: &[Wage]) {
    let header = b"record_id,updated_at,deleted,id_number,name,payer_uscc,period,amount,paid_on\n".to_vec();
    put_as(folder, header, records, |at, line| {
        let day = if at == 6 { "2025-02-30" } else { "" };
        line.replace('\n', &format!(",{day}\n")).into_bytes()
    });
}

pub fn check_digit(folder: &Path, records: &[Wage]) {
    spoil(folder, records, |line| {
        let cells: Vec<&str> = line.split(',').collect();
        let (id, digit) = (cells[3], cells[3].chars().last().expect("a digit"));
        let other = if digit == '1' { '2' } else { '1' };
        line.replace(id, &format!("{}{other}", &id[..17]))
    });
}

/// Control characters inside numbers are left out.
pub fn nul_in_amount(folder: &Path, records: &[Wage]) {
    spoil(folder, records, |line| line.replace(",3006.5", ",30\u{0}06.5"));
}

pub fn nul_in_word(folder: &Path, records: &[Wage]) {
    spoil(folder, records, |line| line.replace("false", "fal\u{0}se?"));
}

fn whole(folder: &Path, records: &[Wage]) {
    put(folder, records, |_, line| line.into_bytes());
}

fn remove(folder: &Path, name: &str) {
    std::fs::remove_file(folder.join(name)).expect("removed");
}

pub fn without_marker(folder: &Path, records: &[Wage]) {
    whole(folder, records);
    remove(folder, "page-000.csv.done");
}

/// The checksum is that of the whole file.
pub fn half_a_file(folder: &Path, records: &[Wage]) {
    whole(folder, records);
    mark(folder);
    whole(folder, &records[..12]);
}

fn mark(folder: &Path) {
    use sha2::{Digest, Sha256};
    let digest = hex::encode(Sha256::digest(std::fs::read(folder.join("page-000.csv")).expect("read")));
    std::fs::write(folder.join("page-000.csv.sha256"), format!("{digest} *page-000.csv\n")).expect("written");
}

/// The checksum is yesterday's.
pub fn same_name_other_bytes(folder: &Path, records: &[Wage]) {
    whole(folder, records);
}

pub fn no_manifest(folder: &Path, records: &[Wage]) {
    whole(folder, records);
    std::fs::write(folder.join("page-000.csv.sha256"), "it is whole\n").expect("written");
}

pub fn nothing_there(folder: &Path, _: &[Wage]) {
    remove(folder, "page-000.csv");
}

pub fn same_name_new_bytes(folder: &Path, records: &[Wage]) {
    whole(folder, records);
}

/// A second file is still being written.
pub fn only_a_part_is_marked(folder: &Path, records: &[Wage]) {
    whole(folder, records);
    std::fs::write(folder.join("page-001.csv"), "record_id,updated_at,id_nu").expect("written");
}
