//! The deliveries as files, written row by row.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use encoding_rs::GB18030;

use crate::data::{FIRST_YEAR, Population, SECOND_YEAR, Wage};

pub const WAGE_COLUMNS: &str = "record_id,updated_at,id_number,name,payer_uscc,period,amount,paid_on";
/// The same as a table that takes them as they are.
pub const WAGE_TABLE: &str =
    "record_id text, updated_at timestamptz, id_number text, name text, payer_uscc text, period text,
     amount numeric(12,2), paid_on date";
const CERTIFICATE_COLUMNS: &str =
    "record_id,updated_at,id_number,name,kind,certificate_number,level,category,valid_from,valid_to,status";
const CERTIFICATE_TABLE: &str = "record_id text, updated_at timestamptz, id_number text, name text, kind text,
     certificate_number text, level smallint, category smallint, valid_from date, valid_to date, status text";

/// A CSV file that the bench writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Certificates,
    /// The first year's wages.
    Wages,
    /// The same rows, scattered, so that no page is like one before.
    Reordered,
    /// The same with one row in a hundred corrected.
    Corrected,
    /// As many wages of the year after.
    SecondYear,
    /// The first year's wages in GB 18030.
    Gb18030,
}

impl Delivery {
    pub fn path(self, folder: &Path) -> PathBuf {
        folder.join(match self {
            Self::Certificates => "certificates.csv",
            Self::Wages => "wages.csv",
            Self::Reordered => "wages-reordered.csv",
            Self::Corrected => "wages-corrected.csv",
            Self::SecondYear => "wages-second-year.csv",
            Self::Gb18030 => "wages-gb18030.csv",
        })
    }

    pub fn rows(self, population: &Population) -> u64 {
        if self == Self::Certificates { population.persons() } else { population.rows }
    }

    /// Columns of the table that takes its rows.
    pub fn table(self) -> &'static str {
        if self == Self::Certificates { CERTIFICATE_TABLE } else { WAGE_TABLE }
    }

    /// As Postgres calls it.
    pub fn encoding(self) -> &'static str {
        if self == Self::Gb18030 { "GB18030" } else { "UTF8" }
    }

    /// Writes the file.
    pub fn write(self, population: &Population, folder: &Path) -> anyhow::Result<()> {
        let path = self.path(folder);
        self.write_rows(population, &path).with_context(|| format!("cannot write {}", path.display()))
    }

    fn write_rows(self, population: &Population, path: &Path) -> std::io::Result<()> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        let header = if self == Self::Certificates { CERTIFICATE_COLUMNS } else { WAGE_COLUMNS };
        writeln!(file, "{header}")?;
        for place in 0..self.rows(population) {
            let line = match self {
                Self::Certificates => population.certificate(place),
                Self::Wages | Self::Gb18030 => csv_line(&population.wage(FIRST_YEAR, place, false)),
                Self::Reordered => csv_line(&population.wage(FIRST_YEAR, population.elsewhere(place), false)),
                Self::Corrected => csv_line(&population.wage(FIRST_YEAR, place, true)),
                Self::SecondYear => csv_line(&population.wage(SECOND_YEAR, place, false)),
            };
            if self == Self::Gb18030 {
                file.write_all(&GB18030.encode(&line).0)?;
            } else {
                file.write_all(line.as_bytes())?;
            }
            file.write_all(b"\n")?;
        }
        file.flush()?;
        file.get_ref().sync_all()
    }
}

/// Nothing in a row needs quotes.
fn csv_line(wage: &Wage) -> String {
    let Wage { record_id, updated_at, id_number, name, payer_uscc, period, amount, paid_on } = wage;
    format!("{record_id},{updated_at},{id_number},{name},{payer_uscc},{period},{amount},{paid_on}")
}
