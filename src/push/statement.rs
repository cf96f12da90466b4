//! What the tax department says that it holds (`schemas/tax/statement.json`): read part by part, believed only if its digests are those
//! of its rows.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::Client;
use crate::domain::statement::{Row, is_digest, part_of};

/// Years or parts in one answer: a few kilobytes.
const MAX_SUMMARY_BYTES: u64 = 1024 * 1024;

/// Rows of one part: 40,000 employers' years in ten million.
const MAX_PART_BYTES: u64 = 64 * 1024 * 1024;

/// How often a part is read again that changed while it was read.
const TRIES: usize = 3;

/// Why a statement tells nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// It may be had later.
    #[error("the tax department's statement cannot be had now: {0}")]
    Unreachable(String),
    /// It came, and is not believed.
    #[error("the tax department's statement is not as agreed: {0}")]
    Malformed(String),
}

/// Answer to `GET /statements`: every year of which the department answered messages (各年度汇总).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Years {
    pub years: Vec<YearTotal>,
}

/// One year (年度).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct YearTotal {
    /// The year the levy is for (费款所属年度).
    pub year: i16,
    /// How many employers (单位数).
    pub rows: u64,
    /// SHA-256 over a line `{part}\t{rows}\t{digest}\n` for each part, ascending, in lower-case hexadecimal (年度摘要).
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub digest: String,
}

/// Answer to `GET /statements/{year}`: the year's parts; those without rows are left out (年度分段汇总).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct YearParts {
    #[serde(flatten)]
    pub total: YearTotal,
    pub parts: Vec<PartTotal>,
}

/// One part of a year: employers by the first byte of the SHA-256 of their code (分段).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct PartTotal {
    /// From 0 to 255 (分段号).
    pub part: u8,
    /// How many employers (单位数).
    pub rows: u64,
    /// SHA-256 over the canonical lines of its rows, ascending by the employer's code, in lower-case hexadecimal (分段摘要).
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub digest: String,
}

/// Digests the rows of a part as they come.
#[derive(Clone, Debug, Default)]
pub struct PartDigest {
    rows: u64,
    hash: Sha256,
}

impl PartDigest {
    pub fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.hash.update(row.line());
    }

    pub fn total(self, part: u8) -> PartTotal {
        PartTotal { part, rows: self.rows, digest: hex::encode(self.hash.finalize()) }
    }
}

/// A year's total from its parts, ascending.
pub fn total_of(year: i16, parts: &[PartTotal]) -> YearTotal {
    let mut hash = Sha256::new();
    for PartTotal { part, rows, digest } in parts {
        hash.update(format!("{part}\t{rows}\t{digest}\n"));
    }
    let rows = parts.iter().map(|part| part.rows).sum();
    YearTotal { year, rows, digest: hex::encode(hash.finalize()) }
}

impl Client {
    /// What the department holds of each year. `at` is the time that the request is signed with.
    pub async fn statement_years(&self, at: DateTime<Utc>) -> Result<Vec<YearTotal>, StatementError> {
        let Years { years } = self.summary("", at).await?;
        let ascending = years.is_sorted_by(|one, next| one.year < next.year);
        if !ascending || years.iter().any(|year| !is_digest(&year.digest)) {
            return Err(malformed(
                "years that are not ascending, or a digest that is not 64 lower-case hexadecimal digits",
            ));
        }
        Ok(years)
    }

    /// A year's parts, whose digests make the year's.
    pub async fn statement_parts(&self, year: i16, at: DateTime<Utc>) -> Result<YearParts, StatementError> {
        let told: YearParts = self.summary(&format!("/{year}"), at).await?;
        if !told.parts.is_sorted_by(|one, next| one.part < next.part) {
            return Err(malformed("parts that are not ascending"));
        }
        if told.parts.iter().any(|part| part.rows == 0 || !is_digest(&part.digest)) {
            return Err(malformed(
                "a part without rows, or with a digest that is not 64 lower-case hexadecimal digits",
            ));
        }
        let total = total_of(year, &told.parts);
        if told.total != total {
            let YearTotal { rows, digest, .. } = total;
            return Err(malformed(format!(
                "year {year} says {} rows and digest {}, its parts make {rows} and {digest}",
                told.total.rows, told.total.digest
            )));
        }
        Ok(told)
    }

    /// The rows of one part, whose digest is that which the department announced for it: `announced`, or what it announces after the rows
    /// were read, since messages may arrive meanwhile.
    pub async fn statement_rows(
        &self,
        year: i16,
        announced: &PartTotal,
        at: DateTime<Utc>,
    ) -> Result<Vec<Row>, StatementError> {
        let mut announced = announced.clone();
        for _ in 0..TRIES {
            let rows = self.rows(year, announced.part, at).await?;
            let mut digest = PartDigest::default();
            for row in &rows {
                digest.add(row);
            }
            let told = digest.total(announced.part);
            if told == announced {
                return Ok(rows);
            }
            let now = self.statement_parts(year, at).await?;
            let now = now.parts.into_iter().find(|part| part.part == announced.part);
            if now.as_ref() == Some(&told) || now.is_none() && rows.is_empty() {
                return Ok(rows);
            }
            announced = now.unwrap_or(PartTotal { rows: 0, ..announced });
        }
        Err(malformed(format!(
            "part {} of {year} is announced with {} rows and digest {}, and its rows make another",
            announced.part, announced.rows, announced.digest
        )))
    }

    async fn rows(&self, year: i16, part: u8, at: DateTime<Utc>) -> Result<Vec<Row>, StatementError> {
        let body = self.statement(&format!("/{year}/{part}"), MAX_PART_BYTES, at).await?;
        let mut rows: Vec<Row> = Vec::new();
        for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let place = || format!("row {} of part {part} of {year}", rows.len() + 1);
            let row: Row = serde_json::from_slice(line).map_err(|error| malformed(format!("{}: {error}", place())))?;
            if let Some(fault) = row.fault() {
                return Err(malformed(format!("{}: {fault}", place())));
            }
            if part_of(&row.uscc) != part {
                return Err(malformed(format!("{} belongs into another part", place())));
            }
            if rows.last().is_some_and(|before| before.uscc >= row.uscc) {
                return Err(malformed(format!("{} is not above the one before", place())));
            }
            rows.push(row);
        }
        Ok(rows)
    }

    async fn summary<T: DeserializeOwned>(&self, path: &str, at: DateTime<Utc>) -> Result<T, StatementError> {
        let body = self.statement(path, MAX_SUMMARY_BYTES, at).await?;
        serde_json::from_slice(&body)
            .map_err(|error| malformed(format!("`/statements{path}` is no such JSON: {error}")))
    }

    async fn statement(&self, path: &str, max_bytes: u64, at: DateTime<Utc>) -> Result<Vec<u8>, StatementError> {
        let unreachable = |why: String| StatementError::Unreachable(format!("`/statements{path}`: {why}"));
        let (status, body) = self.read(&format!("statements{path}"), max_bytes, at).await.map_err(unreachable)?;
        match status {
            200 => Ok(body),
            status => Err(unreachable(format!("status {status}"))),
        }
    }
}

fn malformed(what: impl Into<String>) -> StatementError {
    StatementError::Malformed(what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the department answers about what it holds (对账单). Rows come as NDJSON: one JSON object a line, ascending by `uscc`.
    #[derive(JsonSchema)]
    #[schemars(untagged)]
    #[expect(dead_code, reason = "only its schema is of interest")]
    enum Statement {
        /// `GET /statements`
        Years(Years),
        /// `GET /statements/{year}`
        Year(YearParts),
        /// One line of `GET /statements/{year}/{part}`
        Row(Row),
    }

    #[test]
    fn the_schema_of_a_statement_is_the_committed_one() {
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(Statement)).expect("written") + "\n";
        let committed = include_str!("../../schemas/tax/statement.json");
        assert!(committed == schema, "schemas/tax/statement.json should hold:\n{schema}");
    }

    #[test]
    fn a_year_is_digested_over_its_parts() {
        let part = |part, rows| PartTotal { part, rows, digest: "0a".repeat(32) };
        let total = total_of(2025, &[part(0, 2), part(255, 1)]);
        assert_eq!(total.rows, 3);
        let text = format!("0\t2\t{0}\n255\t1\t{0}\n", "0a".repeat(32));
        assert_eq!(total.digest, hex::encode(Sha256::digest(text)));
        assert_eq!(total_of(2025, &[]).digest, hex::encode(Sha256::digest("")));
    }
}
