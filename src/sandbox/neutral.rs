//! The province as files under our own names: what employers import, and the agencies' records for an independent evaluator.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;

use super::province::Province;
use super::records::InsuranceText;
use super::rows::InsuranceRow;
use crate::domain::facts::RetirementTrack;
use crate::domain::money::Fen;

type Table = csv::Writer<BufWriter<File>>;

impl Province {
    /// Writes `employers.csv`, `affiliates.csv`, `placements.csv` and `contracts.csv` into `directory`, which must exist.
    pub fn write_imports(&self, directory: &Path) -> anyhow::Result<()> {
        self.write_employers(directory)?;
        let year = self.spec.year.to_string();
        let mut table =
            open(directory, "affiliates", &["employer_uscc", "year", "unit_uscc", "unit_name", "relation"])?;
        for row in &self.affiliates {
            let name = &*self.units[row.unit as usize].name;
            table.write_record([self.uscc(row.employer), &year, self.uscc(row.unit), name, row.relation.as_str()])?;
        }
        close(table)?;
        self.write_placements(directory)?;
        let columns = ["employer_uscc", "year", "id_number", "kind", "starts_on", "ends_on", "terminated_on"];
        let mut table = open(directory, "contracts", &columns)?;
        for row in &self.contracts {
            let day = |day: Option<chrono::NaiveDate>| day.map(|day| day.to_string()).unwrap_or_default();
            table.write_record([
                self.uscc(row.employer),
                &year,
                self.id_number(row.person),
                row.kind.as_str(),
                &row.starts_on.to_string(),
                &day(row.ends_on),
                &day(row.terminated_on),
            ])?;
        }
        close(table)
    }

    fn write_employers(&self, directory: &Path) -> anyhow::Result<()> {
        let columns = [
            "uscc",
            "name",
            "kind",
            "division",
            "wage_class",
            "federation_division",
            "tax_division",
            "headcount",
            "total_wages",
            "wage_lag",
        ];
        let mut table = open(directory, "employers", &columns)?;
        for row in &self.employers {
            let halves = row.headcount_halves;
            let headcount = format!("{}{}", halves / 2, if halves % 2 == 1 { ".5" } else { "" });
            let division = row.division.to_string();
            table.write_record([
                self.uscc(row.unit),
                &self.units[row.unit as usize].name,
                row.kind.as_str(),
                &division,
                &row.wage_class.map(|class| class.to_string()).unwrap_or_default(),
                &division,
                &row.tax_division.to_string(),
                &headcount,
                &Fen(row.total_wages_fen).to_string(),
                &row.wage_lag.to_string(),
            ])?;
        }
        close(table)
    }

    fn write_placements(&self, directory: &Path) -> anyhow::Result<()> {
        let columns = [
            "employer_uscc",
            "year",
            "id_number",
            "name",
            "dispatched",
            "dispatch_uscc",
            "wage_payer_uscc",
            "pension_payer_uscc",
            "medical_payer_uscc",
            "retirement_track",
        ];
        let year = self.spec.year.to_string();
        let mut table = open(directory, "placements", &columns)?;
        for row in &self.placements {
            table.write_record([
                self.uscc(row.employer),
                &year,
                self.id_number(row.person),
                &self.people[row.person as usize].name,
                if row.dispatcher.is_some() { "true" } else { "false" },
                row.dispatcher.map(|unit| self.uscc(unit)).unwrap_or_default(),
                self.uscc(row.wage_payer),
                self.uscc(row.pension_payer),
                self.uscc(row.medical_payer),
                row.track.map(RetirementTrack::as_str).unwrap_or_default(),
            ])?;
        }
        close(table)
    }

    /// Writes `wage.csv`, `pension.csv`, `medical.csv`, `certificate.csv` and `dispatch_filing.csv` into `directory`, which
    /// must exist: UTF-8, our field names, every version in the order of delivery.
    pub fn write_neutral(&self, directory: &Path) -> anyhow::Result<()> {
        let columns =
            ["record_id", "updated_at", "deleted", "id_number", "name", "payer_uscc", "period", "amount", "paid_on"];
        let mut table = open(directory, "wage", &columns)?;
        for row in &self.wages {
            let text = self.wage_text(row);
            table.write_record([
                &text.record_id,
                &text.updated_at,
                flag(text.deleted),
                &text.id_number,
                &text.name,
                &text.payer_uscc,
                &text.period,
                &text.amount,
                &text.paid_on,
            ])?;
        }
        close(table)?;
        write_insurance(directory, "pension", &self.pension, |row| self.pension_text(row))?;
        write_insurance(directory, "medical", &self.medical, |row| self.medical_text(row))?;
        let columns = [
            "record_id",
            "updated_at",
            "deleted",
            "id_number",
            "name",
            "kind",
            "certificate_number",
            "level",
            "category",
            "valid_from",
            "valid_to",
            "status",
            "status_since",
        ];
        let mut table = open(directory, "certificate", &columns)?;
        for row in &self.certificates {
            let text = self.certificate_text(row);
            table.write_record([
                &text.record_id,
                &text.updated_at,
                flag(text.deleted),
                &text.id_number,
                &text.name,
                &text.kind,
                &text.certificate_number,
                &text.level,
                &text.category,
                &text.valid_from,
                &text.valid_to,
                &text.status,
                &text.status_since,
            ])?;
        }
        close(table)?;
        let columns = [
            "record_id",
            "updated_at",
            "dispatch_uscc",
            "dispatch_name",
            "licence_number",
            "province",
            "valid_from",
            "valid_to",
            "status",
        ];
        let mut table = open(directory, "dispatch_filing", &columns)?;
        for row in &self.filings {
            let text = self.filing_text(row);
            table.write_record([
                &text.record_id,
                &text.updated_at,
                &text.dispatch_uscc,
                &text.dispatch_name,
                &text.licence_number,
                &text.province,
                &text.valid_from,
                &text.valid_to,
                &text.status,
            ])?;
        }
        close(table)
    }
}

fn write_insurance(
    directory: &Path,
    scheme: &str,
    rows: &[InsuranceRow],
    text_of: impl Fn(&InsuranceRow) -> InsuranceText,
) -> anyhow::Result<()> {
    let columns = [
        "record_id",
        "updated_at",
        "deleted",
        "id_number",
        "name",
        "insured_uscc",
        "scheme",
        "coverage",
        "period",
        "status",
        "arrived_on",
        "payment",
    ];
    let mut table = open(directory, scheme, &columns)?;
    for row in rows {
        let text = text_of(row);
        table.write_record([
            text.record_id.as_str(),
            &text.updated_at,
            flag(text.deleted),
            &text.id_number,
            &text.name,
            &text.insured_uscc,
            scheme,
            &text.coverage,
            &text.period,
            &text.status,
            &text.arrived_on,
            &text.payment,
        ])?;
    }
    close(table)
}

fn flag(deleted: bool) -> &'static str {
    if deleted { "true" } else { "false" }
}

fn open(directory: &Path, name: &str, columns: &[&str]) -> anyhow::Result<Table> {
    let path = directory.join(format!("{name}.csv"));
    let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    let mut table = csv::Writer::from_writer(BufWriter::with_capacity(1 << 20, file));
    table.write_record(columns)?;
    Ok(table)
}

fn close(table: Table) -> anyhow::Result<()> {
    table.into_inner().map_err(csv::IntoInnerError::into_error)?.flush()?;
    Ok(())
}
