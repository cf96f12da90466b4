//! Parquet files of every type, whole and damaged, as the library's own writer makes them.

use std::path::PathBuf;

use parquet::basic::{Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType, Int32Type,
    Int64Type, Int96, Int96Type,
};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;
use crate::sources::{FileFormat, FileSource, Limits, Resume, Source, SourceError, Start};

/// A folder that is gone after the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("renzheng-parquet-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("made");
        Self(folder)
    }

    fn settings(&self, file: &str) -> FileSource {
        FileSource::new(self.0.join(file).to_string_lossy(), FileFormat::Parquet)
    }

    fn put(&self, file: &str, content: &[u8]) -> FileSource {
        std::fs::write(self.0.join(file), content).expect("written");
        self.settings(file)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("removed");
    }
}

/// The values of one column of a row group.
enum Values {
    Booleans(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<Int96>),
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    Bytes(Vec<Vec<u8>>),
    Fixed(Vec<Vec<u8>>),
}

/// A column of a row group: its values, and the levels that say where they stand.
struct Written {
    values: Values,
    definition: Option<Vec<i16>>,
    repetition: Option<Vec<i16>>,
}

fn all(values: Values) -> Written {
    Written { values, definition: None, repetition: None }
}

fn some(values: Values, definition: &[i16]) -> Written {
    Written { values, definition: Some(definition.to_vec()), repetition: None }
}

fn nested(values: Values, definition: &[i16], repetition: &[i16]) -> Written {
    Written { values, definition: Some(definition.to_vec()), repetition: Some(repetition.to_vec()) }
}

fn texts(texts: &[&str]) -> Values {
    Values::Bytes(texts.iter().map(|text| text.as_bytes().to_vec()).collect())
}

fn file(schema: &str, properties: WriterPropertiesBuilder, groups: Vec<Vec<Written>>) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(&format!("message m {{ {schema} }}")).expect("a schema"));
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties.build())).expect("begun");
    for group in groups {
        let mut to = writer.next_row_group().expect("a row group");
        for Written { values, definition, repetition } in group {
            let (definition, repetition) = (definition.as_deref(), repetition.as_deref());
            let mut column = to.next_column().expect("a column").expect("another column");
            let written = match values {
                Values::Booleans(values) => column.typed::<BoolType>().write_batch(&values, definition, repetition),
                Values::Int32(values) => column.typed::<Int32Type>().write_batch(&values, definition, repetition),
                Values::Int64(values) => column.typed::<Int64Type>().write_batch(&values, definition, repetition),
                Values::Int96(values) => column.typed::<Int96Type>().write_batch(&values, definition, repetition),
                Values::Floats(values) => column.typed::<FloatType>().write_batch(&values, definition, repetition),
                Values::Doubles(values) => column.typed::<DoubleType>().write_batch(&values, definition, repetition),
                Values::Bytes(values) => {
                    let values: Vec<ByteArray> = values.into_iter().map(ByteArray::from).collect();
                    column.typed::<ByteArrayType>().write_batch(&values, definition, repetition)
                }
                Values::Fixed(values) => {
                    let values: Vec<FixedLenByteArray> = values.into_iter().map(FixedLenByteArray::from).collect();
                    column.typed::<FixedLenByteArrayType>().write_batch(&values, definition, repetition)
                }
            };
            written.expect("written");
            column.close().expect("closed");
        }
        to.close().expect("closed");
    }
    writer.close().expect("closed");
    bytes
}

async fn read_from(settings: &FileSource, start: Start) -> Result<Vec<Page>, SourceError> {
    let mut source = Source::open_file("test", settings, start)?;
    let mut pages = Vec::new();
    while let Some(page) = source.next_page().await? {
        pages.push(page);
    }
    Ok(pages)
}

async fn read_all(settings: &FileSource) -> Vec<Page> {
    read_from(settings, Start::default()).await.expect("readable")
}

fn small(rows: usize) -> Start {
    Start { limits: Limits { rows, ..Limits::default() }, ..Start::default() }
}

/// Rows as `number: name=value name=value`, numbers with a `#`.
fn rows(pages: &[Page]) -> Vec<String> {
    let mut rows = Vec::new();
    for page in pages {
        for row in 0..page.len() {
            let cells = page.raw(row).into_iter().map(|(name, value)| {
                format!("{name}={}{}", if value.kind == CellKind::Number { "#" } else { "" }, value.text)
            });
            rows.push(format!("{}: {}", page.row_number(row), cells.collect::<Vec<_>>().join(" ")));
        }
    }
    rows
}

fn refused(pages: &[Page]) -> Vec<String> {
    pages.iter().flat_map(|page| &page.undecodable).map(|bad| format!("{}: {}", bad.row, bad.why)).collect()
}

/// What a column of this type and these values is read as.
async fn column(name: &str, schema: &str, values: Values) -> Vec<String> {
    let folder = Folder::new(name);
    let settings = folder.put("a.parquet", &file(schema, WriterProperties::builder(), vec![vec![all(values)]]));
    let pages = read_all(&settings).await;
    let mut read = rows(&pages);
    read.extend(refused(&pages));
    read
}

#[tokio::test]
async fn integers_are_read_by_their_logical_types() {
    let ends = || Values::Int32(vec![i32::MIN, -1, 7]);
    let long = || Values::Int64(vec![i64::MIN, -1, 7]);
    assert_eq!(column("i32", "required int32 a;", ends()).await, ["1: a=#-2147483648", "2: a=#-1", "3: a=#7"]);
    assert_eq!(
        column("u32", "required int32 a (UINT_32);", ends()).await,
        ["1: a=#2147483648", "2: a=#4294967295", "3: a=#7"]
    );
    assert_eq!(
        column("i64", "required int64 a (INTEGER(64,true));", long()).await,
        ["1: a=#-9223372036854775808", "2: a=#-1", "3: a=#7"]
    );
    assert_eq!(
        column("u64", "required int64 a (INTEGER(64,false));", long()).await,
        ["1: a=#9223372036854775808", "2: a=#18446744073709551615", "3: a=#7"]
    );
}

#[tokio::test]
async fn decimals_keep_every_digit_in_each_of_their_forms() {
    let of_32 = Values::Int32(vec![-5, 0, 123_456]);
    assert_eq!(
        column("d32", "required int32 a (DECIMAL(9,2));", of_32).await,
        ["1: a=#-0.05", "2: a=#0.00", "3: a=#1234.56"]
    );
    let of_64 = Values::Int64(vec![i64::MAX, -10]);
    assert_eq!(
        column("d64", "required int64 a (DECIMAL(18,4));", of_64).await,
        ["1: a=#922337203685477.5807", "2: a=#-0.0010"]
    );
    let fixed = Values::Fixed(vec![(-31_415_i128).to_be_bytes().to_vec(), i128::MAX.to_be_bytes().to_vec()]);
    assert_eq!(
        column("dfix", "required fixed_len_byte_array(16) a (DECIMAL(38,4));", fixed).await,
        ["1: a=#-3.1415", "2: a=#17014118346046923173168730371588410.5727"]
    );
    let bytes = Values::Bytes(vec![vec![0xff], vec![0x01, 0x00], vec![1; 20], vec![]]);
    assert_eq!(
        column("dbytes", "required binary a (DECIMAL(48,0));", bytes).await,
        [
            "1: a=#-1",
            "2: a=#256",
            "3: a=#5731378969925109483151705226338364782964441345",
            "4: a decimal of no or of too many bytes in column `a`"
        ]
    );
}

#[tokio::test]
async fn floats_are_their_shortest_decimals_and_what_is_no_number_is_refused() {
    let doubles = Values::Doubles(vec![0.1, -2.5, 1e21, f64::NAN]);
    assert_eq!(
        column("f64", "required double a;", doubles).await,
        ["1: a=#0.1", "2: a=#-2.5", "3: a=#1000000000000000000000", "4: no number (NaN or infinity) in column `a`"]
    );
    let floats = Values::Floats(vec![0.1, f32::INFINITY]);
    assert_eq!(
        column("f32", "required float a;", floats).await,
        ["1: a=#0.1", "2: no number (NaN or infinity) in column `a`"]
    );
}

#[tokio::test]
async fn days_and_times_are_texts_and_only_what_is_adjusted_to_utc_says_so() {
    let days = Values::Int32(vec![0, 20_148, -1, i32::MAX]);
    assert_eq!(
        column("date", "required int32 a (DATE);", days).await,
        [
            "1: a=1970-01-01",
            "2: a=2025-03-01",
            "3: a=1969-12-31",
            "4: a day that is not in the years 0 to 9999 in column `a`"
        ]
    );
    let utc = Values::Int64(vec![1_740_787_200_000, -1]);
    assert_eq!(
        column("ts-ms", "required int64 a (TIMESTAMP(MILLIS,true));", utc).await,
        ["1: a=2025-03-01T00:00:00Z", "2: a=1969-12-31T23:59:59.999Z"]
    );
    let old = Values::Int64(vec![1_740_787_200_000_001]);
    assert_eq!(
        column("ts-old", "required int64 a (TIMESTAMP_MICROS);", old).await,
        ["1: a=2025-03-01T00:00:00.000001Z"]
    );
    let local = Values::Int64(vec![1_740_787_200_000_000_001, i64::MAX]);
    assert_eq!(
        column("ts-ns", "required int64 a (TIMESTAMP(NANOS,false));", local).await,
        ["1: a=2025-03-01T00:00:00.000000001", "2: a=2262-04-11T23:47:16.854775807"]
    );
    let mut moment = Int96::new();
    let nanos: u64 = 3_600_000_000_000;
    moment.set_data(nanos as u32, (nanos >> 32) as u32, 2_440_588 + 20_148);
    assert_eq!(column("int96", "required int96 a;", Values::Int96(vec![moment])).await, ["1: a=2025-03-01T01:00:00"]);
    let times = Values::Int32(vec![45_296_789, 86_400_000]);
    assert_eq!(
        column("time", "required int32 a (TIME(MILLIS,false));", times).await,
        ["1: a=12:34:56.789", "2: a time of day past midnight in column `a`"]
    );
}

#[tokio::test]
async fn texts_are_texts_also_where_the_column_is_only_binary() {
    for (name, schema) in [
        ("utf8", "required binary a (UTF8);"),
        ("string", "required binary a (STRING);"),
        ("enum", "required binary a (ENUM);"),
        ("json", "required binary a (JSON);"),
        ("bare", "required binary a;"),
    ] {
        assert_eq!(
            column(name, schema, texts(&["王小明", "", "007"])).await,
            ["1: a=王小明", "2: a=", "3: a=007"],
            "{name}"
        );
    }
    assert_eq!(
        column("bool", "required boolean a;", Values::Booleans(vec![true, false])).await,
        ["1: a=true", "2: a=false"]
    );
    let uuid = Values::Fixed(vec![(0..16).collect()]);
    assert_eq!(
        column("uuid", "required fixed_len_byte_array(16) a (UUID);", uuid).await,
        ["1: a=00010203-0405-0607-0809-0a0b0c0d0e0f"]
    );
}

#[tokio::test]
async fn bytes_that_are_no_text_make_their_row_undecodable_and_are_kept() {
    let folder = Folder::new("binary");
    let values = vec![all(Values::Int32(vec![1, 2])), all(Values::Bytes(vec![b"good".to_vec(), vec![0xff, 0x00]]))];
    let schema = "required int32 a; required binary b;";
    let pages = read_all(&folder.put("a.parquet", &file(schema, WriterProperties::builder(), vec![values]))).await;
    assert_eq!(rows(&pages), ["1: a=#1 b=good"]);
    assert_eq!(refused(&pages), ["2: bytes that are not valid utf-8 in column `b`"]);
    assert_eq!(pages[0].undecodable[0].raw, b"2\t\xff\x00");
}

#[tokio::test]
async fn a_row_longer_than_a_mebibyte_is_undecodable() {
    let long = "x".repeat(MAX_LINE_BYTES);
    let read = column("long", "required binary a (UTF8);", texts(&[&long, "short", &format!("{long}x")])).await;
    assert_eq!(read[1..], ["2: a=short", "3: a row longer than a mebibyte"]);
}

#[tokio::test]
async fn a_null_is_an_absent_cell() {
    let folder = Folder::new("nulls");
    let group = || {
        vec![
            some(texts(&["甲", "乙"]), &[1, 0, 1]),
            some(Values::Int64(vec![]), &[0, 0, 0]),
            all(Values::Booleans(vec![true, true, false])),
        ]
    };
    let schema = "optional binary name (UTF8); optional int64 amount; required boolean active;";
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let properties = WriterProperties::builder().set_writer_version(version);
        let pages = read_all(&folder.put("a.parquet", &file(schema, properties, vec![group()]))).await;
        assert_eq!(pages[0].columns(), ["name", "amount", "active"]);
        assert_eq!(rows(&pages), ["1: name=甲 active=true", "2: active=true", "3: name=乙 active=false"]);
    }
}

#[tokio::test]
async fn a_row_that_holds_a_list_a_map_or_a_group_is_undecodable_and_its_neighbours_are_not() {
    let folder = Folder::new("nested");
    let cases = [
        (
            "a list",
            "optional group x (LIST) { repeated group list { optional int32 element; } }",
            // null, [], [1, 2], null
            vec![nested(Values::Int32(vec![1, 2]), &[0, 1, 3, 3, 0], &[0, 0, 0, 1, 0])],
            vec![1, 4],
        ),
        (
            "a map",
            "optional group x (MAP) { repeated group key_value { required binary key (UTF8); optional int32 value; } }",
            vec![
                nested(texts(&["k"]), &[0, 1, 2, 0], &[0, 0, 0, 0]),
                nested(Values::Int32(vec![1]), &[0, 1, 3, 0], &[0, 0, 0, 0]),
            ],
            vec![1, 4],
        ),
        (
            "a group",
            "optional group x { optional int32 y; }",
            // null, {null}, {1}, null
            vec![some(Values::Int32(vec![1]), &[0, 1, 2, 0])],
            vec![1, 4],
        ),
        ("a group", "required group x { required int32 y; }", vec![all(Values::Int32(vec![1, 2, 3, 4]))], vec![]),
        (
            "a list",
            "repeated int32 x;",
            // [], [1, 2], [3], []
            vec![nested(Values::Int32(vec![1, 2, 3]), &[0, 1, 1, 1, 0], &[0, 0, 1, 0, 0])],
            vec![1, 4],
        ),
    ];
    for (what, schema, of_x, readable) in cases {
        let mut group = of_x;
        group.push(all(Values::Int32(vec![10, 20, 30, 40])));
        let content = file(&format!("{schema} required int32 id;"), WriterProperties::builder(), vec![group]);
        let pages = read_all(&folder.put("a.parquet", &content)).await;
        let expected: Vec<String> = readable.iter().map(|row| format!("{row}: id=#{row}0")).collect();
        assert_eq!(rows(&pages), expected, "{schema}");
        let others = (1..=4).filter(|row| !readable.contains(row));
        assert_eq!(refused(&pages), others.map(|row| format!("{row}: {what} in column `x`")).collect::<Vec<_>>());
        assert_eq!(pages[0].columns(), ["x", "id"]);
    }
}

/// Row groups of 5, 1 and 7 rows with nulls and repeated texts.
fn several_groups(properties: WriterPropertiesBuilder) -> Vec<u8> {
    let group = |from: i64, count: i64| {
        let numbers: Vec<i64> = (from..from + count).collect();
        let there: Vec<i16> = numbers.iter().map(|number| i16::from(number % 3 != 0)).collect();
        let present: Vec<String> =
            numbers.iter().filter(|number| *number % 3 != 0).map(|number| format!("t{}", number % 4)).collect();
        let present: Vec<&str> = present.iter().map(String::as_str).collect();
        let cents = numbers.iter().map(|number| (*number as i32 * 7).to_be_bytes().to_vec()).collect();
        vec![
            all(Values::Int64(numbers.clone())),
            some(texts(&present), &there),
            all(Values::Fixed(cents)),
            all(Values::Doubles(numbers.iter().map(|number| *number as f64 / 8.0).collect())),
        ]
    };
    let schema = "required int64 n; optional binary t (UTF8); required fixed_len_byte_array(4) c (DECIMAL(9,2)); required double d;";
    file(schema, properties, vec![group(1, 5), group(6, 1), group(7, 7)])
}

/// The ways in which writers lay out the same rows; pages of two rows.
fn layouts() -> Vec<(String, Vec<u8>)> {
    let mut layouts = Vec::new();
    let builder = || WriterProperties::builder().set_data_page_row_count_limit(2).set_write_batch_size(1);
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for dictionary in [true, false] {
                let properties = builder()
                    .set_compression(compression)
                    .set_writer_version(version)
                    .set_dictionary_enabled(dictionary);
                layouts.push((format!("{compression} {version:?} {dictionary}"), several_groups(properties)));
            }
        }
    }
    for encoding in [Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY] {
        let properties = builder().set_dictionary_enabled(false).set_column_encoding("t".into(), encoding);
        layouts.push((encoding.to_string(), several_groups(properties)));
    }
    layouts
}

#[tokio::test]
async fn rows_of_all_row_groups_are_read_and_reading_goes_on_after_every_page() {
    let folder = Folder::new("groups");
    for (name, content) in layouts() {
        let settings = folder.put("a.parquet", &content);
        let whole = read_all(&settings).await;
        let expected = rows(&whole);
        assert_eq!(whole.len(), 1, "{name}");
        assert_eq!(expected.len(), 13, "{name}");
        assert_eq!(expected[2], "3: n=#3 c=#0.21 d=#0.375", "{name}");
        assert_eq!(expected[12], "13: n=#13 t=t1 c=#0.91 d=#1.625", "{name}");
        for limit in [1, 3, 4, 5, 13] {
            let pages = read_from(&settings, small(limit)).await.expect("readable");
            assert_eq!(rows(&pages), expected, "{name}");
            assert_eq!(pages.len(), 13_usize.div_ceil(limit), "{name}");
            for (at, page) in pages.iter().enumerate() {
                let Some(place) = page.resume.clone() else {
                    assert_eq!(at + 1, pages.len(), "{name}");
                    continue;
                };
                let after = Some(Resume { page: at as u32, place });
                let rest = read_from(&settings, Start { after, ..small(limit) }).await.expect("readable");
                assert_eq!(rows(&rest), rows(&pages[at + 1..]), "{name} after page {at}");
                assert_eq!(rest[0].number, at as u32 + 1);
            }
        }
    }
}

#[tokio::test]
async fn a_file_without_rows_is_one_page_without_rows() {
    let folder = Folder::new("empty");
    let content = file("required int32 a;", WriterProperties::builder(), vec![]);
    let pages = read_all(&folder.put("a.parquet", &content)).await;
    assert_eq!((pages.len(), pages[0].len(), pages[0].columns()), (1, 0, &["a".to_owned()][..]));
}

/// The fault's words after the file's name.
async fn why(settings: &FileSource) -> String {
    let error = read_from(settings, Start::default()).await.expect_err("a fault");
    assert!(!error.transient(), "{error}");
    let said = error.to_string();
    let rest =
        said.strip_prefix(&format!("source of job `test`: `{}` is no Parquet file that can be read: ", settings.path));
    rest.map_or_else(|| unreachable!("{said}"), str::to_owned)
}

#[tokio::test]
async fn an_encrypted_file_is_refused_even_where_its_footer_can_be_read() {
    let folder = Folder::new("encrypted");
    let content = several_groups(WriterProperties::builder());
    let (body, tail) = content.split_at(content.len() - 8);
    let whole = [body, &tail[..4], b"PARE"].concat();
    // its footer names an algorithm, field 8: a union whose first field is an empty structure
    let (body, end) = body.split_at(body.len() - 1);
    assert_eq!(end, [0]);
    let size = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]) + 4;
    let columns = [body, &[0x1c, 0x1c, 0, 0], end, &size.to_le_bytes(), b"PAR1"].concat();
    for content in [whole, columns] {
        let said = why(&folder.put("a.parquet", &content)).await;
        assert_eq!(said, "it is encrypted: accepted are files that need no key");
    }
}

#[tokio::test]
async fn a_column_without_a_name_of_its_own_is_refused() {
    let folder = Folder::new("twice");
    let group = vec![all(Values::Int32(vec![1])), all(Values::Int32(vec![2]))];
    let content = file("required int32 a; required int32 a;", WriterProperties::builder(), vec![group]);
    let said = why(&folder.put("a.parquet", &content)).await;
    assert_eq!(said, "two of its columns have the name `a`");
}

#[tokio::test]
async fn a_row_group_that_holds_more_rows_than_its_footer_says_is_a_fault() {
    let folder = Folder::new("more");
    let mut content =
        file("required int32 a;", WriterProperties::builder(), vec![vec![all(Values::Int32((0..33).collect()))]]);
    // 33 as a signed integer of Thrift's; the file's own number of rows stands before its row group's
    let said: Vec<usize> =
        (content.len() - 300..content.len()).filter(|at| content[at - 1..=*at] == [0x16, 66]).collect();
    assert!(said.len() >= 2, "{said:?}");
    let mut words = Vec::new();
    for at in said.iter().rev() {
        content[*at] = 64;
        words.push(match read_from(&folder.put("a.parquet", &content), Start::default()).await {
            Ok(pages) => format!("{} rows", pages[0].len()),
            Err(error) => error.to_string().rsplit(": ").next().unwrap_or_default().to_owned(),
        });
    }
    assert!(words.iter().any(|word| word == "another number of rows than its row groups have"), "{words:?}");
    assert_eq!(words.last().map(String::as_str), Some("a column holds other rows than its row group"), "{words:?}");
}

#[tokio::test]
async fn a_file_cut_off_anywhere_is_a_fault_that_names_it() {
    let folder = Folder::new("cut");
    let content = several_groups(WriterProperties::builder().set_compression(Compression::SNAPPY));
    for length in 0..content.len() {
        why(&folder.put("a.parquet", &content[..length])).await;
    }
    why(&folder.put("a.parquet", b"record_id,wage\n1,2\n")).await;
}

/// What is not noticed may be read as other values, but nothing breaks, hangs or passes for an interruption.
#[tokio::test]
async fn a_damaged_file_breaks_nothing() {
    let folder = Folder::new("damaged");
    let (mut faults, mut read) = (0, 0);
    let chosen = ["SNAPPY PARQUET_1_0 true", "UNCOMPRESSED PARQUET_2_0 false", "DELTA_BYTE_ARRAY"];
    let layouts: Vec<_> = layouts().into_iter().filter(|(name, _)| chosen.contains(&name.as_str())).collect();
    assert_eq!(layouts.len(), chosen.len());
    for (name, content) in layouts {
        for at in 0..content.len() {
            let mut content = content.clone();
            content[at] ^= 1 << (at % 8);
            match read_from(&folder.put("a.parquet", &content), Start::default()).await {
                Ok(_) => read += 1,
                Err(error) => {
                    assert!(matches!(error.fault, Fault::Parquet { .. }), "{name} at {at}: {error}");
                    faults += 1;
                }
            }
        }
    }
    assert!(faults > 1000 && read > 1000, "{faults} faults, {read} read");
}
