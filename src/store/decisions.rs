//! Reviewers' decisions on months: the one that stands, the second person's word, and everything that ended.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::change::Change;
use super::choices::month_of;
use super::review_cases::CaseKey;
use super::{Store, StoreError};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::month::Month;
use crate::domain::review::{Decision, Ground, Grounds, as_words};
use crate::domain::verdict::Verdict;

/// A decision as it enters the table.
#[derive(Clone, Debug)]
pub struct NewDecision<'a> {
    pub case: CaseKey,
    pub month: Month,
    pub approved: bool,
    pub reasons: &'a [String],
    pub note: Option<&'a str>,
    pub grounds: Grounds,
    /// The packed verdict it was decided by.
    pub cell: i32,
    /// What lay before the reviewer, as a JSON list.
    pub evidence: &'a serde_json::Value,
    /// The policy asks for a second person.
    pub second_asked: bool,
    pub by: &'a str,
    pub at: DateTime<Utc>,
}

/// A decision with all that is kept of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct DecisionLine {
    pub decision_id: i64,
    pub month: Month,
    pub approved: bool,
    pub reasons: Vec<String>,
    pub note: Option<String>,
    #[serde(serialize_with = "as_words")]
    #[schemars(with = "Vec<Ground>")]
    pub grounds: Grounds,
    pub evidence: serde_json::Value,
    pub decided_at: DateTime<Utc>,
    pub decided_by: String,
    pub second_asked: bool,
    pub agreed_at: Option<DateTime<Utc>>,
    pub agreed_by: Option<String>,
    pub ended_at: Option<DateTime<Utc>>,
    pub ended_by: Option<String>,
    pub ended_why: Option<String>,
    /// `undone`, `refused` or `replaced`.
    pub ending: Option<String>,
}

/// The decision that stands on a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub decision_id: i64,
    pub decision: Decision,
    pub decided_by: String,
}

struct StandingRow {
    decision_id: i64,
    approved: bool,
    cell: i32,
    decided_at: DateTime<Utc>,
    decided_by: String,
    second_asked: bool,
    agreed_at: Option<DateTime<Utc>>,
}

impl StandingRow {
    fn read(self) -> Result<Standing, StoreError> {
        let wrong = || StoreError::inconsistent("month_decision", "cell", self.decision_id);
        let decision = Decision {
            approved: self.approved,
            verdict: Verdict::unpack(self.cell).ok_or_else(wrong)?,
            decided_at: self.agreed_at.unwrap_or(self.decided_at),
            effective: !self.second_asked || self.agreed_at.is_some(),
        };
        Ok(Standing { decision_id: self.decision_id, decision, decided_by: self.decided_by })
    }
}

/// How a decision ends.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// `undone` or `refused`.
    pub ending: &'static str,
    pub why: Option<&'a str>,
    pub by: &'a str,
    pub at: DateTime<Utc>,
}

impl Change {
    /// The decision that stands on a month, as this change sees it.
    pub async fn find_decision(&mut self, case: CaseKey, month: Month) -> Result<Option<Standing>, StoreError> {
        let row = sqlx::query_as!(
            StandingRow,
            "select decision_id, approved, cell, decided_at, decided_by, second_asked, agreed_at from month_decision
             where person_id = $1 and employer_id = $2 and month = $3 and ended_at is null",
            case.person.0,
            case.employer.0,
            month.index()
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(StandingRow::read).transpose()
    }

    /// Keeps a decision; what stood on the month is replaced.
    pub async fn save_decision(&mut self, new: &NewDecision<'_>) -> Result<i64, StoreError> {
        sqlx::query!(
            "update month_decision set ended_at = $4, ended_by = $5, ending = 'replaced'
             where person_id = $1 and employer_id = $2 and month = $3 and ended_at is null",
            new.case.person.0,
            new.case.employer.0,
            new.month.index(),
            new.at,
            new.by
        )
        .execute(self.connection())
        .await?;
        Ok(sqlx::query_scalar!(
            "insert into month_decision (person_id, employer_id, month, approved, reasons, note, grounds, cell, evidence,
                                         decided_at, decided_by, second_asked)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning decision_id",
            new.case.person.0,
            new.case.employer.0,
            new.month.index(),
            new.approved,
            new.reasons,
            new.note,
            i16::from(new.grounds.0),
            new.cell,
            new.evidence,
            new.at,
            new.by,
            new.second_asked
        )
        .fetch_one(self.connection())
        .await?)
    }

    /// The second person agrees; false if the proposal no longer waits. The database refuses whoever proposed it.
    pub async fn agree_to_decision(
        &mut self,
        decision_id: i64,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update month_decision set agreed_at = $2, agreed_by = $3
             where decision_id = $1 and ended_at is null and second_asked and agreed_at is null",
            decision_id,
            at,
            by
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends a decision that stands; false if it does not (any more).
    pub async fn end_decision(&mut self, decision_id: i64, end: End<'_>) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update month_decision set ended_at = $2, ended_by = $3, ended_why = $4, ending = $5
             where decision_id = $1 and ended_at is null",
            decision_id,
            end.at,
            end.by,
            end.why,
            end.ending
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

impl Store {
    /// The decisions that stand on an employer's months.
    pub async fn list_standing_decisions(
        &self,
        employer: UnitId,
        year: i32,
    ) -> Result<HashMap<(PersonId, Month), Standing>, StoreError> {
        let january = year * 12;
        let rows = sqlx::query!(
            "select decision_id, person_id, month, approved, cell, decided_at, decided_by, second_asked, agreed_at
             from month_decision where employer_id = $1 and month between $2 and $3 and ended_at is null",
            employer.0,
            january,
            january + 11
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let key = (PersonId(row.person_id), month_of("month_decision", row.month)?);
                let standing = StandingRow {
                    decision_id: row.decision_id,
                    approved: row.approved,
                    cell: row.cell,
                    decided_at: row.decided_at,
                    decided_by: row.decided_by,
                    second_asked: row.second_asked,
                    agreed_at: row.agreed_at,
                };
                Ok((key, standing.read()?))
            })
            .collect()
    }

    /// Everything that was ever decided on a placement, oldest first.
    pub async fn list_decisions(&self, case: CaseKey) -> Result<Vec<DecisionLine>, StoreError> {
        let january = i32::from(case.year) * 12;
        let rows = sqlx::query!(
            "select decision_id, month, approved, reasons, note, grounds, evidence, decided_at, decided_by, second_asked,
                    agreed_at, agreed_by, ended_at, ended_by, ended_why, ending
             from month_decision where person_id = $1 and employer_id = $2 and month between $3 and $4
             order by month, decision_id",
            case.person.0,
            case.employer.0,
            january,
            january + 11
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(DecisionLine {
                    decision_id: row.decision_id,
                    month: month_of("month_decision", row.month)?,
                    approved: row.approved,
                    reasons: row.reasons,
                    note: row.note,
                    grounds: Grounds(row.grounds as u8),
                    evidence: row.evidence,
                    decided_at: row.decided_at,
                    decided_by: row.decided_by,
                    second_asked: row.second_asked,
                    agreed_at: row.agreed_at,
                    agreed_by: row.agreed_by,
                    ended_at: row.ended_at,
                    ended_by: row.ended_by,
                    ended_why: row.ended_why,
                    ending: row.ending,
                })
            })
            .collect()
    }

    /// When anything of an employer's year that was handed in within the window was decided, last: a decision that stands and needs no
    /// further person's word.
    pub async fn last_decision_at(&self, employer: UnitId, year: i32) -> Result<Option<DateTime<Utc>>, StoreError> {
        let january = year * 12;
        Ok(sqlx::query_scalar!(
            "select max(coalesce(agreed_at, decided_at)) from month_decision d
             where employer_id = $1 and month between $2 and $3 and (not second_asked or agreed_at is not null)
               and ending is distinct from 'undone'
               and exists (select from handing_in h where h.person_id = d.person_id and h.employer_id = $1 and h.year = $2 / 12
                             and h.in_window and h.handed_in_at <= d.decided_at
                             and (h.replaced_at is null or h.replaced_at > d.decided_at))",
            employer.0,
            january,
            january + 11
        )
        .fetch_one(&self.pool)
        .await?)
    }
}
