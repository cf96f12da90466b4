//! Files of every format and encoding, with the traps agencies lay.

use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};

use super::*;
use crate::sources::page::CellKind;
use crate::sources::{Resume, Source, SourceError};

/// A folder that is gone after the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("renzheng-files-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("made");
        Self(folder)
    }

    fn with(name: &str, file: &str, content: impl AsRef<[u8]>) -> Self {
        let folder = Self::new(name);
        folder.put(file, content);
        folder
    }

    fn put(&self, file: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.0.join(file), content).expect("written");
    }

    fn settings(&self, file: &str, format: FileFormat) -> FileSource {
        FileSource::new(self.0.join(file).to_string_lossy(), format)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("removed");
    }
}

async fn read_from(settings: &FileSource, start: Start) -> Result<Vec<Page>, SourceError> {
    let mut source = Source::open_file("test", settings, start)?;
    let mut pages = Vec::new();
    while let Some(page) = source.next_page().await? {
        pages.push(page);
    }
    Ok(pages)
}

async fn read(settings: &FileSource) -> Vec<Page> {
    read_from(settings, Start::default()).await.expect("readable")
}

async fn fault(settings: &FileSource) -> SourceError {
    read_from(settings, Start::default()).await.expect_err("a fault")
}

/// Rows as `line: name=value name=value`, numbers with a `#`.
fn rows(pages: &[Page]) -> Vec<String> {
    let show = |(name, value): &(&str, crate::sources::Value<'_>)| {
        let sign = if value.kind == CellKind::Number { "#" } else { "" };
        format!("{name}={sign}{}", value.text)
    };
    pages
        .iter()
        .flat_map(|page| (0..page.len()).map(move |row| (page.row_number(row), page.raw(row))))
        .map(|(number, cells)| format!("{number}: {}", cells.iter().map(show).collect::<Vec<_>>().join(" ")))
        .collect()
}

/// What could not be decoded, as `line: why`.
fn refused(pages: &[Page]) -> Vec<String> {
    pages.iter().flat_map(|page| &page.undecodable).map(|bad| format!("{}: {}", bad.row, bad.why)).collect()
}

fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

fn small(rows: usize) -> Start {
    Start { limits: Limits { rows, ..Limits::default() }, ..Start::default() }
}

#[tokio::test]
async fn a_csv_with_mark_quotes_and_crlf_is_read_as_it_stands() {
    let content = "\u{FEFF}id, name ,\"note\"\r\n1,王小明,\"a \"\"b\"\", c\"\r\n\r\n2, 李 ,\"two\r\nlines\"\r\n3,,";
    let folder = Folder::with("csv", "a.csv", content);
    let pages = read(&folder.settings("a.csv", FileFormat::Csv)).await;
    assert_eq!(pages.len(), 1);
    assert_eq!(pages[0].columns(), ["id", "name", "note"]);
    assert_eq!(
        rows(&pages),
        ["2: id=1 name=王小明 note=a \"b\", c", "4: id=2 name= 李  note=two\r\nlines", "6: id=3 name= note="]
    );
    assert!(pages[0].resume.is_none() && pages[0].began.is_some() && refused(&pages).is_empty());
}

#[tokio::test]
async fn a_trail_byte_of_gb18030_is_no_delimiter() {
    // 亅 is 81 7C and 乗 81 5C: their second bytes are `|` and `\`; 𠮷 and 㐂 take four bytes with digits in them.
    let text = "id|name|note\n1|亅乗亅|𠮷㐂\n2|\"亅|乗\"|x\n";
    let content = gb18030(text);
    assert!(content.windows(2).any(|pair| pair == [0x81, 0x7C]), "the trap is there");
    assert!(content.windows(4).any(|four| four[0] >= 0x81 && four[1].is_ascii_digit()), "four bytes are there");
    let folder = Folder::with("gb", "a.csv", content);
    let mut settings = folder.settings("a.csv", FileFormat::Csv);
    settings.encoding = Encoding::Gb18030;
    settings.delimiter = '|';
    let pages = read(&settings).await;
    assert_eq!(rows(&pages), ["2: id=1 name=亅乗亅 note=𠮷㐂", "3: id=2 name=亅|乗 note=x"]);
}

#[tokio::test]
async fn bytes_outside_the_encoding_cost_one_line_and_are_kept() {
    let mut content = gb18030("id,name\n1,王\n");
    let bad = b"2,\x81\x20x";
    content.extend_from_slice(bad);
    content.extend_from_slice(&gb18030("\n3,李\n4,"));
    content.extend_from_slice(b"\xD0\n5,x\n");
    let folder = Folder::with("bad", "a.csv", &content);
    let mut settings = folder.settings("a.csv", FileFormat::Csv);
    settings.encoding = Encoding::Gb18030;
    let pages = read(&settings).await;
    assert_eq!(rows(&pages), ["2: id=1 name=王", "4: id=3 name=李", "6: id=5 name=x"]);
    assert_eq!(refused(&pages), ["3: not valid gb18030", "5: not valid gb18030"]);
    assert_eq!(pages[0].undecodable[0].raw, bad);

    let folder = Folder::with("bad8", "a.csv", b"id,name\n1,\xFF\n2,x\n");
    let pages = read(&folder.settings("a.csv", FileFormat::Csv)).await;
    assert_eq!((rows(&pages), refused(&pages)), (vec!["3: id=2 name=x".into()], vec!["2: not valid utf-8".into()]));
}

#[tokio::test]
async fn a_mistake_in_quotes_or_fields_costs_one_line() {
    let content = "id,name\n1\n2,a,b\n3,\"never closed\n4,ok\n5,\"x\"y\n6,\"over\ntwo\",more\n7,ok\n8,a\"b\n";
    let folder = Folder::with("ragged", "a.csv", content);
    let pages = read(&folder.settings("a.csv", FileFormat::Csv)).await;
    assert_eq!(rows(&pages), ["5: id=4 name=ok", "9: id=7 name=ok"]);
    assert_eq!(
        refused(&pages),
        [
            "2: 1 fields where the header has 2",
            "3: 3 fields where the header has 2",
            "4: a quote that is never closed",
            "6: text after a closing quote",
            "7: 3 fields where the header has 2",
            "10: a quote inside a field that does not begin with one",
        ]
    );
    assert_eq!(pages[0].undecodable[4].raw, b"6,\"over\ntwo\",more\n");
}

#[tokio::test]
async fn a_header_that_is_no_header_stops_the_file() {
    for (content, what) in [
        ("", "the file is empty where a header row is expected"),
        ("a,b,a\n1,2,3\n", "column 3 of the header row has the name of an earlier one"),
        (",,\n", "the header row has no names"),
        ("a,\"b\n", "the header row has a quote"),
    ] {
        let folder = Folder::with("header", "a.csv", content);
        let error = fault(&folder.settings("a.csv", FileFormat::Csv)).await;
        assert!(error.to_string().contains(&format!("a.csv:1: {what}")), "{error}");
        assert!(error.to_string().starts_with("source of job `test`: ") && !error.transient());
    }
    let utf16 = [0xFF, 0xFE, b'a', 0];
    let folder = Folder::with("header", "a.csv", utf16);
    let error = fault(&folder.settings("a.csv", FileFormat::Csv)).await;
    assert!(error.to_string().ends_with("the header row is not valid utf-8: is `encoding` right?"), "{error}");
}

#[tokio::test]
async fn a_header_alone_is_a_page_without_rows() {
    for content in ["id,name\n", "id,name"] {
        let folder = Folder::with("alone", "a.csv", content);
        let pages = read(&folder.settings("a.csv", FileFormat::Csv)).await;
        assert_eq!((pages.len(), pages[0].len(), pages[0].columns().len()), (1, 0, 2));
    }
}

#[tokio::test]
async fn a_line_without_end_is_bounded() {
    let content = format!("id,name\n1,{}\n2,ok\n", "x".repeat(3 << 20));
    let folder = Folder::with("long", "a.csv", content);
    let pages = read(&folder.settings("a.csv", FileFormat::Csv)).await;
    assert_eq!(rows(&pages), ["3: id=2 name=ok"]);
    assert_eq!(refused(&pages), ["2: a line longer than a mebibyte"]);
    assert!(pages[0].undecodable[0].raw.len() <= 64 << 10);
}

#[tokio::test]
async fn reading_goes_on_after_any_page_as_if_it_had_not_stopped() {
    let folder = Folder::new("resume");
    folder.put("a-1.csv", "id,name\n1,\"a\nb\"\n2,b\n3,c\n4\n5,e\n");
    folder.put("a-2.csv", "name,id\nf,6\n");
    folder.put("a-3.csv", "id,name\n");
    folder.put("b.ndjson", "{\"id\":1}\n{\"id\":2}\n\n{\"id\":3}");
    write_numbers(&folder.0.join("c.xlsx"), 5);
    for (file, format, expected) in
        [("a-*.csv", FileFormat::Csv, 5), ("b.ndjson", FileFormat::Ndjson, 2), ("c.xlsx", FileFormat::Xlsx, 3)]
    {
        let settings = folder.settings(file, format);
        let whole = read_from(&settings, small(2)).await.expect("readable");
        assert_eq!(whole.len(), expected, "{file}");
        assert_eq!(
            whole.iter().map(|page| page.number as usize).collect::<Vec<_>>(),
            (0..expected).collect::<Vec<_>>()
        );
        assert!(whole[..expected - 1].iter().all(|page| page.resume.is_some()));
        assert!(whole[expected - 1].resume.is_none());
        for at in 0..expected - 1 {
            let place = whole[at].resume.clone().expect("not the last");
            let start = Start { after: Some(Resume { page: at as u32, place }), ..small(2) };
            let rest = read_from(&settings, start).await.expect("readable");
            assert_eq!(
                rest.iter().map(|page| page.number as usize).collect::<Vec<_>>(),
                (at + 1..expected).collect::<Vec<_>>()
            );
            assert_eq!(rows(&rest), rows(&whole[at + 1..]), "{file} after page {at}");
            assert_eq!(refused(&rest), refused(&whole[at + 1..]));
        }
    }
}

#[tokio::test]
async fn a_file_that_changed_is_not_gone_on_with() {
    let folder = Folder::with("changed", "a.csv", "id\n1\n2\n3\n");
    let settings = folder.settings("a.csv", FileFormat::Csv);
    let first = read_from(&settings, small(1)).await.expect("readable");
    let after = Some(Resume { page: 0, place: first[0].resume.clone().expect("not the last") });
    folder.put("a.csv", "id\n1\n2\n3\n4\n");
    let error = read_from(&settings, Start { after: after.clone(), ..small(1) }).await.expect_err("changed");
    assert!(error.resume_lost() && error.transient(), "{error}");
    std::fs::remove_file(folder.0.join("a.csv")).expect("removed");
    assert!(read_from(&settings, Start { after, ..small(1) }).await.is_err());
    let nonsense = Some(Resume { page: 0, place: "nonsense".to_owned() });
    assert!(read_from(&settings, Start { after: nonsense, ..small(1) }).await.is_err_and(|error| error.resume_lost()));
}

#[tokio::test]
async fn files_are_read_in_the_order_of_their_names_and_only_when_complete() {
    let folder = Folder::new("marker");
    for (file, content) in
        [("w-2.csv", "id\n2\n"), ("w-1.csv", "id\n1\n"), ("w-3.csv", "id\n3\n"), ("x.csv", "id\n9\n")]
    {
        folder.put(file, content);
    }
    let mut settings = folder.settings("w-*.csv", FileFormat::Csv);
    assert_eq!(rows(&read(&settings).await), ["2: id=1", "2: id=2", "2: id=3"]);
    settings.done_marker = Some("*.done".to_owned());
    let error = fault(&settings).await;
    assert!(error.transient() && error.to_string().contains("marker `*.done` is missing"), "{error}");
    folder.put("w-3.csv.done", "");
    folder.put("w-1.done", "");
    assert_eq!(rows(&read(&settings).await), ["2: id=1", "2: id=3"]);
    settings.done_marker = Some("_SUCCESS".to_owned());
    assert!(fault(&settings).await.transient());
    folder.put("_SUCCESS", "");
    assert_eq!(read(&settings).await.len(), 3);

    for file in ["missing.csv", "missing-*.csv"] {
        let error = fault(&folder.settings(file, FileFormat::Csv)).await;
        assert!(error.transient() && error.to_string().contains(&format!("{file}`")), "{error}");
    }
}

#[test]
fn a_star_stands_for_anything() {
    for (pattern, name, expected) in [
        ("a*.csv", "a.csv", true),
        ("a*.csv", "a-1.csv", true),
        ("a*.csv", "a-1.csv.done", false),
        ("*", "x", true),
        ("a*b*c", "aXbYc", true),
        ("a*b*c", "acb", false),
        ("a*a", "a", false),
    ] {
        assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
    }
}

#[tokio::test]
async fn ndjson_keeps_numbers_as_written_and_bad_lines_apart() {
    let content = "{\"a\":3500.10,\"b\":\"亅\"}\r\n{\"a\":[1]}\n\n{\"c\":null,\"a\":36000019900307123456}\n{\"a\":";
    let folder = Folder::with("ndjson", "a.ndjson", content);
    let pages = read(&folder.settings("a.ndjson", FileFormat::Ndjson)).await;
    assert_eq!(rows(&pages), ["1: a=#3500.10 b=亅", "4: a=#36000019900307123456"]);
    assert_eq!(refused(&pages).len(), 2);

    let folder = Folder::with("ndjson-gb", "a.ndjson", gb18030("{\"a\":\"乗\"}\n"));
    let mut settings = folder.settings("a.ndjson", FileFormat::Ndjson);
    settings.encoding = Encoding::Gb18030;
    assert_eq!(rows(&read(&settings).await), ["1: a=乗"]);

    let folder = Folder::with("ndjson-empty", "a.ndjson", "");
    let pages = read(&folder.settings("a.ndjson", FileFormat::Ndjson)).await;
    assert_eq!((pages.len(), pages[0].len()), (1, 0));
}

fn write_numbers(path: &Path, count: u32) {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write(0, 0, "id").expect("written");
    for row in 1..=count {
        sheet.write(row, 0, row.to_string()).expect("written");
    }
    workbook.save(path).expect("saved");
}

#[tokio::test]
async fn a_workbook_gives_text_as_text_and_numbers_by_their_shortest_decimal() {
    let folder = Folder::new("xlsx");
    let mut workbook = Workbook::new();
    workbook.add_worksheet().set_name("说明").expect("named").write(0, 0, "nothing here").expect("written");
    let sheet = workbook.add_worksheet().set_name("备案").expect("named");
    for (column, name) in [" id ", "amount", "on", "flag"].into_iter().enumerate() {
        sheet.write(1, column as u16, name).expect("written");
    }
    let date = Format::new().set_num_format("yyyy-mm-dd");
    sheet.write(2, 0, "360000199003071234").expect("written");
    sheet.write(2, 1, 3500.1).expect("written");
    let day = ExcelDateTime::from_ymd(2025, 4, 1).expect("a day");
    sheet.write_with_format(2, 2, &day, &date).expect("written");
    sheet.write(2, 3, true).expect("written");
    sheet.write(4, 0, 36_000_019_900_307_123_f64).expect("written");
    sheet.write(4, 1, 0.1 + 0.2).expect("written");
    sheet.write(5, 0, "x").expect("written");
    sheet.write(5, 6, "beyond").expect("written");
    sheet.write(6, 0, Formula::new("1/0").set_result("#DIV/0!")).expect("written");
    workbook.save(folder.0.join("a.xlsx")).expect("saved");

    let mut settings = folder.settings("a.xlsx", FileFormat::Xlsx);
    settings.sheet = Some("备案".to_owned());
    let pages = read(&settings).await;
    assert_eq!(pages[0].columns(), ["id", "amount", "on", "flag"]);
    assert_eq!(
        rows(&pages)[..2],
        [
            "3: id=360000199003071234 amount=#3500.1 on=2025-04-01 flag=true",
            "5: id=#36000019900307124 amount=#0.30000000000000004"
        ]
    );
    assert_eq!(refused(&pages)[0], "6: a value in column G where the header has 4 columns");

    settings.sheet = Some("Sheet9".to_owned());
    let error = fault(&settings).await.to_string();
    assert!(error.ends_with("there is no sheet `Sheet9`; there are `说明`, `备案`"), "{error}");
    folder.put("b.xlsx", "no workbook");
    assert!(!fault(&folder.settings("b.xlsx", FileFormat::Xlsx)).await.transient());
}

/// SHA-256 and SM3 of `id\n1\n`, by `sha256sum` and `openssl dgst -sm3`.
const CONTENT: &str = "id\n1\n";
const SHA256: &str = "7cde7fb64fd82bd152710cf238e017b9ab46c0592483edc067ba4f6c75fac108";
const SM3: &str = "1464df4a2278f1bc735e248cd752aa317c95a92b9b5e12af50153e4c1f1c16fb";

#[tokio::test]
async fn a_file_is_read_if_it_is_the_one_its_manifest_speaks_of() {
    let folder = Folder::with("manifest", "a.csv", CONTENT);
    let mut settings = folder.settings("*.csv", FileFormat::Csv);
    for (marker, file, said) in [
        ("*.sha256", "a.csv.sha256", format!("{SHA256}  a.csv\n")),
        ("*.sha256", "a.csv.sha256", SHA256.to_uppercase()),
        ("*.sm3", "a.sm3", format!("{SM3} *./out/a.csv\r\n")),
        ("SHA256SUMS", "SHA256SUMS", format!("# today's\n{SM3}  b.csv\nSHA256 (a.csv) = {SHA256}\n")),
        ("*.sha256", "a.csv.sha256", String::new()),
    ] {
        folder.put(file, &said);
        settings.done_marker = Some(marker.to_owned());
        assert_eq!(rows(&read(&settings).await), ["2: id=1"], "{said}");
    }
    // Not listed, as without a marker of its own: a file that nobody said was whole.
    folder.put("b.csv", CONTENT);
    settings.done_marker = Some("SHA256SUMS".to_owned());
    folder.put("SHA256SUMS", format!("{SHA256}  a.csv\n"));
    assert_eq!(rows(&read(&settings).await), ["2: id=1"]);
    folder.put("SHA256SUMS", format!("{SHA256}  c.csv\n"));
    assert!(matches!(fault(&settings).await.fault, Fault::NotReady { .. }));
}

#[tokio::test]
async fn a_file_that_is_not_as_in_its_manifest_gives_no_row() {
    let folder = Folder::with("mismatch", "a.csv", format!("{CONTENT}2\n"));
    let mut settings = folder.settings("a.csv", FileFormat::Csv);
    settings.done_marker = Some("*.sha256".to_owned());
    folder.put("a.csv.sha256", format!("{SHA256}  a.csv\n"));
    let error = fault(&settings).await;
    let said = "a.csv` is not the file that its manifest `a.csv.sha256` speaks of";
    assert!(error.to_string().ends_with(said) && error.transient(), "{error}");
    folder.put("a.csv.sha256", "done\n");
    let error = fault(&settings).await;
    assert!(matches!(error.fault, Fault::Manifest { .. }) && error.transient(), "{error}");
}
