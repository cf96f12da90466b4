//! What employers and staff were told once: at each threshold, however many processes look, and however often.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Store, StoreError};
use crate::clock;
use crate::domain::declaration::Declaration;
use crate::domain::facts::UnitId;
use crate::domain::ids::Uscc;
use crate::domain::reminder::{Summary, Unfinished};

/// An employer that placed people in a year, with its declaration.
#[derive(Clone, Debug)]
pub struct Declarer {
    pub employer: UnitId,
    pub uscc: Uscc,
    /// Placements of the year.
    pub placements: u32,
    pub declaration: Declaration,
}

/// To whom a reminder goes, and of which time.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub kind: &'static str,
    pub to: To<'a>,
    pub year: i32,
    pub days_before: u16,
}

#[derive(Clone, Copy, Debug)]
pub enum To<'a> {
    Employer(UnitId),
    Division(&'a str),
}

/// What a message says, in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    pub subject: String,
    pub text: String,
    pub chinese: String,
}

impl Store {
    /// Employers with placements of the year, after one and in their order, to whom no reminder of this threshold was told; so many at most.
    /// Those whose declaration is accepted are left out.
    pub async fn list_declarers(
        &self,
        year: i32,
        days_before: u16,
        after: UnitId,
        limit: i64,
    ) -> Result<Vec<Declarer>, StoreError> {
        let rows = sqlx::query!(
            r#"select p.employer_id, u.uscc, count(*) as "placements!", (select state from declaration d
                      where d.employer_id = p.employer_id and d.year = $1) as state
               from placement p join unit u on u.unit_id = p.employer_id
               where p.year = $1 and p.to_seq is null and p.employer_id > $3
                 and not exists (select from reminder n where n.employer_id = p.employer_id and n.year = $1 and n.kind = 'reminder'
                                   and n.days_before = $2)
                 and not exists (select from declaration d where d.employer_id = p.employer_id and d.year = $1
                                   and d.state ->> 'state' = 'accepted')
               group by p.employer_id, u.uscc order by p.employer_id limit $4"#,
            year as i16,
            days_before as i16,
            after.0,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let wrong = |table, column| StoreError::inconsistent(table, column, row.employer_id);
                let state = match row.state {
                    None => Declaration::default(),
                    Some(json) => serde_json::from_value(json).map_err(|_| wrong("declaration", "state"))?,
                };
                let uscc = Uscc::parse(&row.uscc).map_err(|_| wrong("unit", "uscc"))?;
                let placements = u32::try_from(row.placements).unwrap_or(u32::MAX);
                Ok(Declarer { employer: UnitId(row.employer_id), uscc, placements, declaration: state })
            })
            .collect()
    }

    /// Puts down that it was told, with a message to each target; false if it was before.
    pub async fn save_reminder(
        &self,
        told: Told<'_>,
        findings: &serde_json::Value,
        wording: &Wording,
        targets: &[String],
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (employer, division) = match told.to {
            To::Employer(employer) => (Some(employer.0), None),
            To::Division(division) => (None, Some(division)),
        };
        let mut transaction = self.begin().await?;
        self.ensure_ours(&mut transaction).await?;
        let reminder_id = sqlx::query_scalar!(
            "insert into reminder (kind, employer_id, division, year, days_before, decided_at, findings)
             values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning reminder_id",
            told.kind,
            employer,
            division,
            told.year as i16,
            told.days_before as i16,
            at,
            findings
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(reminder_id) = reminder_id else { return Ok(false) };
        for target in targets {
            enqueue(&mut transaction, reminder_id, target, wording, at).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Whether it was told already.
    pub async fn has_reminder(&self, told: Told<'_>) -> Result<bool, StoreError> {
        let (employer, division) = match told.to {
            To::Employer(employer) => (Some(employer.0), None),
            To::Division(division) => (None, Some(division)),
        };
        Ok(sqlx::query_scalar!(
            r#"select exists (select from reminder where (employer_id = $1 or division = $2) and year = $3 and kind = $4
                              and days_before = $5) as "told!""#,
            employer,
            division,
            told.year as i16,
            told.kind,
            told.days_before as i16
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// What was missing of the employers in charge of whom the division is, as they were reminded at this threshold.
    pub async fn summarise_reminders(
        &self,
        division: &str,
        year: i32,
        days_before: u16,
    ) -> Result<Summary, StoreError> {
        let rows = sqlx::query!(
            "select n.reminder_id, n.findings from reminder n join employer e on e.employer_id = n.employer_id and e.to_seq is null
             where n.kind = 'reminder' and n.year = $1 and n.days_before = $2 and starts_with(e.federation_division, $3)",
            year as i16,
            days_before as i16,
            division
        )
        .fetch_all(&self.pool)
        .await?;
        let mut summary = Summary::default();
        for row in rows {
            let wrong = |_| StoreError::inconsistent("reminder", "findings", row.reminder_id);
            let one: Unfinished = serde_json::from_value(row.findings).map_err(wrong)?;
            summary.add(&one);
        }
        Ok(summary)
    }
}

async fn enqueue(
    connection: &mut PgConnection,
    reminder_id: i32,
    target: &str,
    wording: &Wording,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into message (message_id, reminder_id, target, event, subject, text, chinese, created_at, next_attempt_at)
         values ($1, $2, $3, 'told', $4, $5, $6, $7, $7)",
        clock::uuid_v7(at),
        reminder_id,
        target,
        wording.subject,
        wording.text,
        wording.chinese,
        at
    )
    .execute(connection)
    .await?;
    Ok(())
}
