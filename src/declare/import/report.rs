//! What an import tells: counts, refused rows with place and reason, and what was accepted with a remark.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::facts::PersonId;
use crate::store::entries::Saved;

/// Why a row was not taken. A row has as many of these as it has faults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RefusedRow {
    /// Of the file, or of the sheet, from 1.
    pub line: u64,
    /// `None`: the row as a whole.
    pub column: Option<&'static str>,
    pub code: &'static str,
    /// ID numbers as their last four, names not at all.
    pub found: String,
    pub accepted: String,
}

/// What was accepted and deserves a second look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ImportWarning")]
pub struct Warning {
    pub line: u64,
    /// `None`: the row as a whole.
    pub column: Option<&'static str>,
    pub code: &'static str,
    pub message: String,
}

/// What an import did. Rows read are new, changed, the same, refused, or superseded by a later row of the file (`key_repeated`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub file: String,
    pub read: u64,
    pub new: u64,
    pub changed: u64,
    pub same: u64,
    /// By line.
    pub refused: Vec<RefusedRow>,
    /// By line.
    pub warnings: Vec<Warning>,
}

impl Report {
    /// How many rows were refused; one may be refused for several reasons.
    pub fn refused_rows(&self) -> usize {
        self.refused.chunk_by(|a, b| a.line == b.line).count()
    }
}

/// The name that an accepted placement states.
pub(super) struct StatedName {
    pub line: u64,
    pub person: PersonId,
    pub name: String,
}

/// Refusals and warnings as they come up.
#[derive(Default)]
pub(super) struct Findings {
    refused: Vec<RefusedRow>,
    warnings: Vec<Warning>,
    /// To be compared with those kept.
    pub stated_names: Vec<StatedName>,
}

impl Findings {
    pub fn refuse(
        &mut self,
        line: u64,
        column: Option<&'static str>,
        code: &'static str,
        found: impl Into<String>,
        accepted: impl Into<String>,
    ) {
        self.refused.push(RefusedRow { line, column, code, found: found.into(), accepted: accepted.into() });
    }

    pub fn warn(&mut self, line: u64, column: Option<&'static str>, code: &'static str, message: impl Into<String>) {
        self.warnings.push(Warning { line, column, code, message: message.into() });
    }

    pub fn into_report(mut self, file: String, read: u64, saved: Saved) -> Report {
        self.refused.sort_by_key(|row| row.line);
        self.warnings.sort_by_key(|warning| warning.line);
        let Saved { new, changed, same } = saved;
        Report { file, read, new, changed, same, refused: self.refused, warnings: self.warnings }
    }
}
