//! Acknowledgement files: what the tax department answers in a file, as NDJSON or as CSV in UTF-8 or GB18030.

use encoding_rs::GB18030;
use serde_json::{Map, Value};

use super::answers::Line;

/// Larger files are no acknowledgements.
pub const MAX_BYTES: u64 = 64 << 20;

/// The columns of a CSV file: the fields of an answer. Others are passed over.
pub const COLUMNS: [&str; 8] = ["status", "message_id", "receipt", "digest", "code", "field", "value", "text"];

/// What a file is called that is read; `None`: it is none of ours.
pub fn format_of(name: &str) -> Option<Format> {
    let (stem, ending) = name.rsplit_once('.')?;
    match ending.to_ascii_lowercase().as_str() {
        _ if stem.is_empty() || name.starts_with('.') => None,
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        "csv" => Some(Format::Csv),
        _ => None,
    }
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Ndjson,
    Csv,
}

/// Why a file is left as it is: whoever writes it may be half way.
const HALF: &str = "does not end with the end of a line: it may be half there, and nothing of it is taken";

/// The answers of a file with their lines; empty lines are passed over. Errs where the file as a whole cannot be read, or may not be
/// whole yet.
pub fn read_lines(format: Format, bytes: &[u8]) -> Result<Vec<Line>, String> {
    if !bytes.ends_with(b"\n") {
        return Err(HALF.to_owned());
    }
    match format {
        Format::Ndjson => Ok(ndjson(without_mark(bytes))),
        Format::Csv => csv(bytes),
    }
}

/// What stands behind a CSV file while it is read.
const END: &str = "end";

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn ndjson(bytes: &[u8]) -> Vec<Line> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.map(|(at, line)| (at + 1, line.trim_ascii())).filter(|(_, line)| !line.is_empty());
    lines.map(|(number, line)| Line { number, answer: Ok(line.to_vec()) }).collect()
}

fn csv(bytes: &[u8]) -> Result<Vec<Line>, String> {
    // what is no UTF-8 is the other one
    let mut text = match std::str::from_utf8(without_mark(bytes)) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let (text, wrong) = GB18030.decode_without_bom_handling(bytes);
            if wrong {
                return Err("is neither UTF-8 nor GB18030".to_owned());
            }
            text.into_owned()
        }
    };
    // a row of our own behind it comes out alone, unless the file ends within a cell
    text.push_str(END);
    text.push('\n');
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| format!("has no header row: {error}"))?.clone();
    let columns: Vec<(usize, &str)> = header
        .iter()
        .enumerate()
        .filter_map(|(at, name)| Some((at, *COLUMNS.iter().find(|column| **column == name.trim())?)))
        .collect();
    for needed in ["status", "message_id"] {
        if !columns.iter().any(|(_, name)| *name == needed) {
            return Err(format!("has no column `{needed}`; accepted are {}", COLUMNS.join(", ")));
        }
    }
    let mut lines = Vec::new();
    let (mut counted, mut line) = (0, 1);
    // the reader's own count is one short after a line that ends in CRLF: it stands between the two signs
    let mut line_of = |position: Option<&csv::Position>| {
        let at = position.map_or(counted, |position| position.byte() as usize).min(text.len());
        let ends = text.as_bytes()[at..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let begin = (at + ends).max(counted);
        line += text.get(counted..begin).unwrap_or_default().matches('\n').count();
        counted = begin;
        line
    };
    let mut is_whole = false;
    let mut records = reader.into_records().peekable();
    while let Some(record) = records.next() {
        if records.peek().is_none() {
            is_whole = record.is_ok_and(|record| record.iter().eq([END]));
            break;
        }
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let number = line_of(error.position());
                lines.push(Line { number, answer: Err(error.to_string()) });
                continue;
            }
        };
        let number = line_of(record.position());
        let cell = |at: usize| record.get(at).map(str::trim).filter(|cell| !cell.is_empty());
        let fields: Map<String, Value> =
            columns.iter().filter_map(|(at, name)| Some(((*name).to_owned(), Value::from(cell(*at)?)))).collect();
        if fields.is_empty() {
            continue;
        }
        let answer = serde_json::to_vec(&fields).map_err(|error| error.to_string());
        lines.push(Line { number, answer });
    }
    if is_whole { Ok(lines) } else { Err(HALF.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(format: Format, bytes: &[u8]) -> Vec<String> {
        let lines = read_lines(format, bytes).expect("readable");
        let text = |line: &Line| {
            line.answer.as_ref().map_or_else(Clone::clone, |body| String::from_utf8_lossy(body).into_owned())
        };
        lines.iter().map(|line| format!("{}: {}", line.number, text(line))).collect()
    }

    #[test]
    fn lines_are_found_whatever_ends_them_and_empty_ones_passed_over() {
        let bytes = b"\xef\xbb\xbf{\"status\":\"later\"}\r\n\n  \nnot json\n{}\n";
        assert_eq!(told(Format::Ndjson, bytes), ["1: {\"status\":\"later\"}", "4: not json", "5: {}"]);
    }

    #[test]
    fn a_row_is_the_answer_of_its_filled_cells_in_either_encoding() {
        let text =
            "message_id,status,code,text,remark\r\n1,rejected,closed,\"窗口,已关\n闭\",x\r\n,,,,\r\n2,later,,,\r\n";
        let expected = [
            "2: {\"code\":\"closed\",\"message_id\":\"1\",\"status\":\"rejected\",\"text\":\"窗口,已关\\n闭\"}",
            "5: {\"message_id\":\"2\",\"status\":\"later\"}",
        ];
        assert_eq!(told(Format::Csv, text.as_bytes()), expected);
        assert_eq!(told(Format::Csv, &GB18030.encode(text).0), expected);
        assert_eq!(told(Format::Csv, format!("\u{feff}{text}").as_bytes()), expected);
    }

    #[test]
    fn a_file_without_the_columns_is_refused_as_a_whole() {
        let refused = |bytes: &[u8]| read_lines(Format::Csv, bytes).expect_err("refused");
        assert!(refused(b"status,receipt\naccepted,R\n").contains("no column `message_id`; accepted are status"));
        assert!(refused(b"\xff\xff\xff\n").contains("neither UTF-8 nor GB18030"));
    }

    #[test]
    fn a_file_that_may_be_half_there_is_left_as_it_is() {
        for (format, text) in [
            (Format::Ndjson, "{\"status\":\"later\"}\n{\"status\":\"accepted\""),
            (Format::Ndjson, "{}"),
            (Format::Ndjson, ""),
            (Format::Csv, "message_id,status,receipt\n1,accepted,R-1\n2,accepted,R-1"),
            (Format::Csv, "message_id,status,text\n1,rejected,x\n2,rejected,\"two\n"),
            (Format::Csv, "message_id,status"),
        ] {
            assert!(read_lines(format, text.as_bytes()).expect_err(text).contains("half there"), "{text}");
        }
        let cell = "message_id,status,text\n1,rejected,\"two\nlines\"\n";
        assert_eq!(read_lines(Format::Csv, cell.as_bytes()).expect("whole").len(), 1);
        assert_eq!(read_lines(Format::Csv, b"message_id,status\n").expect("no rows").len(), 0);
    }

    #[test]
    fn a_file_is_known_by_its_ending() {
        for (name, format) in [
            ("a.ndjson", Some(Format::Ndjson)),
            ("a.CSV", Some(Format::Csv)),
            ("a.csv.part", None),
            (".csv", None),
            (".a.csv", None),
            ("csv", None),
        ] {
            assert_eq!(format_of(name), format, "{name}");
        }
    }
}
