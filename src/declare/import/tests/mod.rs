//! Imports into a real database: what is kept, what is refused, and the report's exact words.

mod entries;
mod files;

use std::fmt::Write as _;
use std::path::PathBuf;

use super::*;
use crate::clock;
use crate::policy;
use crate::store::testing::Database;

pub(super) const OWN: &str = "91369900MA007919XH";
pub(super) const HOLDING: &str = "91369900MA01583811";
pub(super) const AGENCY: &str = "91369900MA0237573D";
pub(super) const THIRD: &str = "91369900MA0316765R";
pub(super) const STRANGER: &str = "91369900MA0395950B";

pub(super) const MAN: &str = "360001196501010019";
pub(super) const WOMAN: &str = "360001197502010023";

pub(super) const EMPLOYERS: &str =
    "uscc,name,kind,division,wage_class,federation_division,tax_division,headcount,total_wages,wage_lag";
pub(super) const AFFILIATES: &str = "employer_uscc,year,unit_uscc,unit_name,relation";
pub(super) const PLACEMENTS: &str = "employer_uscc,year,id_number,name,dispatched,dispatch_uscc,wage_payer_uscc,\
     pension_payer_uscc,medical_payer_uscc,retirement_track";
pub(super) const CONTRACTS: &str = "employer_uscc,year,id_number,kind,starts_on,ends_on,terminated_on";

/// A counter on 15 March 2026, with a folder for its files.
pub(super) struct Counter {
    pub database: Database,
    folder: PathBuf,
}

impl Counter {
    pub async fn open(name: &str) -> Self {
        let database = Database::open().await;
        let noon = chrono::NaiveTime::from_hms_opt(12, 0, 0).expect("noon");
        let day = NaiveDate::from_ymd_opt(2026, 3, 15).expect("a day");
        database.store.set_clock(clock::shanghai(day, noon)).await.expect("set");
        let folder = std::env::temp_dir().join(format!("renzheng-import-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self { database, folder }
    }

    /// With an employer, and its holding and dispatch agency listed for 2025.
    pub async fn with_employer(name: &str) -> Self {
        let counter = Self::open(name).await;
        let employers = format!("{OWN},甲公司,enterprise,360102,,360102,360102,30.5,1234567.80,0");
        counter.csv(ImportKind::Employers, EMPLOYERS, &[&employers]).await;
        let holding = format!("{OWN},2025,{HOLDING},甲集团,affiliate");
        let agency = format!("{OWN},2025,{AGENCY},乙派遣,dispatch");
        counter.csv(ImportKind::Affiliates, AFFILIATES, &[&holding, &agency]).await;
        counter
    }

    pub async fn try_import(&self, kind: ImportKind, path: &Path) -> Result<Report, ImportError> {
        let rules = policy::built_in().expect("a policy");
        import(&self.database.store, &rules, kind, path, &Actor::operator("operator")).await
    }

    pub fn put(&self, file: &str, content: &str) -> PathBuf {
        let path = self.folder.join(file);
        std::fs::write(&path, content).expect("written");
        path
    }

    /// Imports lines below a header; the report, with the file by its name alone.
    pub async fn report(&self, kind: ImportKind, header: &str, lines: &[&str]) -> Report {
        let content = format!("{header}\n{}\n", lines.join("\n"));
        let path = self.put(&format!("{kind}.csv"), &content);
        self.try_import(kind, &path).await.expect("imported")
    }

    pub async fn csv(&self, kind: ImportKind, header: &str, lines: &[&str]) -> String {
        told(&self.report(kind, header, lines).await)
    }

    pub async fn refusal(&self, kind: ImportKind, file: &str, content: &str) -> String {
        let path = self.put(file, content);
        let error = self.try_import(kind, &path).await.expect_err("refused");
        assert!(error.is_usage(), "{error}");
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        format!("{error}{}", source.unwrap_or_default()).replace(&*self.folder.to_string_lossy(), "")
    }

    pub async fn head(&self) -> i64 {
        self.database.store.head().await.expect("a sequence")
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).expect("removed");
    }
}

/// A report in lines.
pub(super) fn told(report: &Report) -> String {
    let Report { read, new, changed, same, .. } = report;
    let refused_rows = report.refused_rows();
    let mut text = format!("read {read}: {new} new, {changed} changed, {same} same, {refused_rows} refused");
    for RefusedRow { line, column, code, found, accepted } in &report.refused {
        let column = column.unwrap_or("row");
        let _ = write!(text, "\n{line} {column} {code}: {found}; accepted: {accepted}");
    }
    for Warning { line, column, code, message } in &report.warnings {
        let column = column.unwrap_or("row");
        let _ = write!(text, "\nwarning {line} {column} {code}: {message}");
    }
    text
}
