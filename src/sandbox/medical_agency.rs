//! The medical insurance platform's deliveries: CSV files in GB 18030 with its own names and codes, no stamp's zone named.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;

use super::province::Province;
use super::records::InsuranceText;
use super::rows::{InsuranceRow, instant};

/// Rows of a file.
const FILE_ROWS: usize = 200_000;

const HEADER: [&str; 11] = [
    "clct_no",
    "updt_time",
    "vali_flag",
    "certno",
    "psn_name",
    "emp_uscc",
    "insutype",
    "accrym",
    "clct_flag",
    "clct_type",
    "clct_time",
];

/// Writes `staf_psn_clct_detl_0001.csv`, `…_0002.csv` … into `directory`, which must exist: the rows in the order of
/// delivery, file by file.
pub fn write(province: &Province, directory: &Path) -> anyhow::Result<()> {
    // An agency without records still delivers a file with a header.
    let nothing: [&[InsuranceRow]; 1] = [&[]];
    let chunks: Vec<&[InsuranceRow]> = province.medical.chunks(FILE_ROWS).collect();
    let chunks = if chunks.is_empty() { nothing.as_slice() } else { &chunks };
    for (place, rows) in chunks.iter().enumerate() {
        let path = directory.join(format!("staf_psn_clct_detl_{:04}.csv", place + 1));
        write_file(province, rows, &path).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn write_file(province: &Province, rows: &[InsuranceRow], path: &Path) -> anyhow::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut line = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    line.write_record(HEADER)?;
    for row in rows {
        let text = province.medical_text(row);
        let stamp = instant(row.stamp_s).format("%Y-%m-%d %H:%M:%S").to_string();
        line.write_record([
            text.record_id.as_str(),
            &stamp,
            if text.deleted { "0" } else { "1" },
            &text.id_number,
            &text.name,
            &text.insured_uscc,
            insurance_type(&text),
            &text.period.replace('-', ""),
            contribution_flag(&text),
            contribution_type(&text),
            &text.arrived_on,
        ])?;
        // A name may hold any character: the four-byte part of GB 18030 takes them all.
        if line.get_ref().len() > 1 << 20 {
            line = flush(line, &mut file)?;
        }
    }
    flush(line, &mut file)?;
    file.flush()?;
    Ok(())
}

fn flush(line: csv::Writer<Vec<u8>>, file: &mut BufWriter<File>) -> anyhow::Result<csv::Writer<Vec<u8>>> {
    let text = String::from_utf8(line.into_inner().map_err(csv::IntoInnerError::into_error)?)?;
    let (bytes, _, _) = encoding_rs::GB18030.encode(&text);
    file.write_all(&bytes)?;
    Ok(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new()))
}

fn insurance_type(text: &InsuranceText) -> &'static str {
    match text.coverage.as_str() {
        "employee" => "310",
        "resident" => "390",
        _ => "",
    }
}

fn contribution_flag(text: &InsuranceText) -> &str {
    match text.status.as_str() {
        "paid" => "1",
        "owed" => "0",
        other => other,
    }
}

fn contribution_type(text: &InsuranceText) -> &'static str {
    match text.payment.as_str() {
        "normal" => "10",
        "back_payment" => "31",
        _ => "",
    }
}
