//! Conflicts between employers: whose persons are placed twice, and for whom staff decided, versioned by publish sequence.

use chrono::{DateTime, Utc};

use super::choices::month_of;
use super::facts::{Persons, Scope};
use super::publish::Publish;
use super::{Store, StoreError};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::month::Month;
use crate::domain::ruling::PrevailingReason;

/// What staff decide on one month of a person.
#[derive(Clone, Copy, Debug)]
pub struct NewConflictDecision<'a> {
    pub person: PersonId,
    pub month: Month,
    /// Who prevails.
    pub employer: UnitId,
    pub reason: PrevailingReason,
    pub note: Option<&'a str>,
    pub by: &'a str,
    pub at: DateTime<Utc>,
}

/// A decision in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictDecision {
    pub person: PersonId,
    pub month: Month,
    pub employer: UnitId,
    pub reason: PrevailingReason,
    pub note: Option<String>,
    pub decided_at: DateTime<Utc>,
    pub decided_by: String,
}

/// An employer's placement of a person, as far as a conflict asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RivalPlacement {
    pub person: PersonId,
    pub employer: UnitId,
    pub employer_name: String,
    /// Six digits.
    pub federation_division: String,
    pub dispatched: bool,
}

impl Publish {
    /// Who holds the claim on a person's month.
    pub async fn find_claim(&mut self, person: PersonId, month: Month) -> Result<Option<UnitId>, StoreError> {
        let holder = sqlx::query_scalar!(
            "select employer_id from claim where person_id = $1 and month = $2 and to_seq is null",
            person.0,
            month.index()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(holder.map(UnitId))
    }

    /// Decides; an earlier decision on the month ends with it.
    pub async fn save_conflict_decision(&mut self, new: &NewConflictDecision<'_>) -> Result<(), StoreError> {
        self.end_conflict_decision(new.person, new.month, new.by, None, new.at).await?;
        let seq = self.seq();
        sqlx::query!(
            "insert into conflict_decision (person_id, month, from_seq, employer_id, reason, note, decided_at, decided_by)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            new.person.0,
            new.month.index(),
            seq,
            new.employer.0,
            new.reason.as_str(),
            new.note,
            new.at,
            new.by
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Ends the decision on a month; false if there is none.
    pub async fn end_conflict_decision(
        &mut self,
        person: PersonId,
        month: Month,
        by: &str,
        why: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let seq = self.seq();
        let done = sqlx::query!(
            "update conflict_decision set to_seq = $3, ended_at = $4, ended_by = $5, ended_why = $6
             where person_id = $1 and month = $2 and to_seq is null",
            person.0,
            month.index(),
            seq,
            at,
            by,
            why
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

impl Store {
    /// Decisions in force on a year's months of these persons.
    pub async fn list_conflict_decisions(
        &self,
        year: i32,
        persons: &[PersonId],
    ) -> Result<Vec<ConflictDecision>, StoreError> {
        let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
        let january = year * 12;
        let rows = sqlx::query!(
            "select person_id, month, employer_id, reason, note, decided_at, decided_by from conflict_decision
             where person_id = any($1) and month between $2 and $3 and to_seq is null order by person_id, month",
            &ids,
            january,
            january + 11
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(ConflictDecision {
                    person: PersonId(row.person_id),
                    month: month_of("conflict_decision", row.month)?,
                    employer: UnitId(row.employer_id),
                    reason: PrevailingReason::parse(&row.reason)
                        .ok_or_else(|| StoreError::inconsistent("conflict_decision", "reason", row.person_id))?,
                    note: row.note,
                    decided_at: row.decided_at,
                    decided_by: row.decided_by,
                })
            })
            .collect()
    }

    /// Who placed these persons in a year, by person and employer.
    pub async fn list_rivals(&self, year: i32, persons: &[PersonId]) -> Result<Vec<RivalPlacement>, StoreError> {
        let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
        let rows = sqlx::query!(
            "select p.person_id, p.employer_id, p.dispatched, e.name, e.federation_division
             from placement p join employer e on e.employer_id = p.employer_id and e.to_seq is null
             where p.person_id = any($1) and p.year = $2 and p.to_seq is null order by p.person_id, p.employer_id",
            &ids,
            year as i16
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| RivalPlacement {
                person: PersonId(row.person_id),
                employer: UnitId(row.employer_id),
                employer_name: row.name,
                federation_division: row.federation_division,
                dispatched: row.dispatched,
            })
            .collect())
    }

    /// Persons after one who are placed by two employers or more in a year, one of them of this division (the beginning of it; empty: any),
    /// and of whom some month is in conflict or was decided.
    pub async fn list_contested_persons(
        &self,
        year: i32,
        division: &str,
        after: PersonId,
        limit: i64,
    ) -> Result<Vec<PersonId>, StoreError> {
        let rows = sqlx::query_scalar!(
            "select p.person_id from placement p
             join employer e on e.employer_id = p.employer_id and e.to_seq is null
             where p.year = $1 and p.to_seq is null and p.person_id > $3 and starts_with(e.federation_division, $2)
               and exists (select from placement o where o.person_id = p.person_id and o.year = p.year and o.to_seq is null
                            and o.employer_id <> p.employer_id)
               and (exists (select from verification v cross join unnest(v.cells) as cell
                            where v.person_id = p.person_id and v.year = p.year and cell >> 21 & 1 = 1)
                    or exists (select from conflict_decision d where d.person_id = p.person_id
                                and d.month between p.year * 12 and p.year * 12 + 11 and d.to_seq is null))
             group by p.person_id order by p.person_id limit $4",
            year as i16,
            division,
            after.0,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(PersonId).collect())
    }

    /// The scope of these persons' year as it stands now.
    pub async fn scope_of(&self, year: i32, persons: Vec<PersonId>) -> Result<Scope, StoreError> {
        Ok(Scope { year, seq: self.head().await?, persons: Persons::These(persons) })
    }
}
