//! Applications for the reward for exceeding the ratio: what each rests on, how it was worked out, and how it ended.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::change::Change;
use super::declarations::read_state;
use super::place::Place;
use super::{Store, StoreError, ensure_affected};
use crate::domain::declaration::{Act, Declaration};
use crate::domain::facts::UnitId;
use crate::domain::ids::Uscc;
use crate::domain::reward::Reward;
use crate::domain::reward_application::{Application, Basis, Ending, Ruling, Word};

/// An application to be put down.
#[derive(Clone, Debug)]
pub struct NewApplication<'a> {
    pub employer: UnitId,
    pub year: i16,
    pub basis: Basis,
    pub calculation: &'a Reward,
    pub policy_version: &'a str,
    /// The policy's whole text, which is kept.
    pub policy_text: &'a str,
}

/// An application that nobody ended, and the declaration that says whether it lapsed.
#[derive(Clone, Debug)]
pub struct Undecided {
    pub application: Application,
    pub uscc: Uscc,
    /// Six digits.
    pub federation_division: String,
    pub declaration: Declaration,
}

impl Change {
    /// Puts it down; its number, or `None` if there is one already that rests on the same result.
    pub async fn add_application(
        &mut self,
        new: &NewApplication<'_>,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<i64>, StoreError> {
        sqlx::query!(
            "insert into policy (version, content, first_used_at) values ($1, $2, $3) on conflict (version) do nothing",
            new.policy_version,
            new.policy_text,
            at
        )
        .execute(self.connection())
        .await?;
        let calculation = serde_json::to_value(new.calculation)
            .map_err(|_| StoreError::inconsistent("reward_application", "calculation", new.employer.0))?;
        Ok(sqlx::query_scalar!(
            "insert into reward_application (employer_id, year, version, attempt, policy_version, calculation, applied_at, applied_by)
             values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning application_id",
            new.employer.0,
            new.year,
            new.basis.version as i32,
            new.basis.attempt as i32,
            new.policy_version,
            calculation,
            at,
            by
        )
        .fetch_optional(self.connection())
        .await?)
    }

    pub async fn withdraw_application(
        &mut self,
        application_id: i64,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let done = sqlx::query!(
            "update reward_application set withdrawn_at = $2, withdrawn_by = $3
             where application_id = $1 and withdrawn_at is null and decided_at is null",
            application_id,
            at,
            by
        )
        .execute(self.connection())
        .await?;
        ensure_affected(&done, 1)
    }

    pub async fn decide_application(
        &mut self,
        application_id: i64,
        ruling: &Ruling,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let done = sqlx::query!(
            "update reward_application set decided_at = $2, decided_by = $3, approved = $4, reason = $5, note = $6
             where application_id = $1 and withdrawn_at is null and decided_at is null",
            application_id,
            at,
            by,
            ruling.word.approves(),
            ruling.word.reason(),
            ruling.note
        )
        .execute(self.connection())
        .await?;
        ensure_affected(&done, 1)
    }

    /// As [`Store::list_applications`], as this change sees them.
    pub async fn list_applications(&mut self, employer: UnitId, year: i16) -> Result<Vec<Application>, StoreError> {
        list_applications(self.connection(), employer, year).await
    }
}

impl Store {
    /// Every application of an employer's year, newest first.
    pub async fn list_applications(&self, employer: UnitId, year: i16) -> Result<Vec<Application>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        list_applications(&mut connection, employer, year).await
    }

    /// Applications that nobody ended, of employers whose division begins so, oldest first: lapsed ones too.
    pub async fn list_undecided_applications(
        &self,
        division: &str,
        after: Option<Place>,
        limit: i64,
    ) -> Result<Vec<Undecided>, StoreError> {
        let rows = sqlx::query!(
            r#"select r.application_id, r.employer_id, r.year, r.version, r.attempt, r.policy_version, r.calculation,
                      r.applied_at, r.applied_by, u.uscc, e.federation_division, d.state as "state?"
               from reward_application r
               join unit u on u.unit_id = r.employer_id
               join employer e on e.employer_id = r.employer_id and e.to_seq is null
               left join declaration d on d.employer_id = r.employer_id and d.year = r.year
               where r.withdrawn_at is null and r.decided_at is null
                 and starts_with(e.federation_division, $1)
                 and ($2::timestamptz is null or (r.applied_at, r.application_id) > ($2, $3))
               order by r.applied_at, r.application_id
               limit $4"#,
            division,
            after.map(|place| place.at),
            after.map_or(0, |place| place.ids[0]),
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let stored = Row {
                    application_id: row.application_id,
                    employer_id: row.employer_id,
                    year: row.year,
                    version: row.version,
                    attempt: row.attempt,
                    policy_version: row.policy_version,
                    calculation: row.calculation,
                    applied_at: row.applied_at,
                    applied_by: row.applied_by,
                    withdrawn_at: None,
                    withdrawn_by: None,
                    decided_at: None,
                    decided_by: None,
                    approved: None,
                    reason: None,
                    note: None,
                };
                let uscc =
                    Uscc::parse(&row.uscc).map_err(|_| StoreError::inconsistent("unit", "uscc", row.employer_id))?;
                Ok(Undecided {
                    application: stored.read()?,
                    uscc,
                    federation_division: row.federation_division,
                    declaration: read_state(row.state, UnitId(row.employer_id))?,
                })
            })
            .collect()
    }
}

struct Row {
    application_id: i64,
    employer_id: i32,
    year: i16,
    version: i32,
    attempt: i32,
    policy_version: String,
    calculation: serde_json::Value,
    applied_at: DateTime<Utc>,
    applied_by: String,
    withdrawn_at: Option<DateTime<Utc>>,
    withdrawn_by: Option<String>,
    decided_at: Option<DateTime<Utc>>,
    decided_by: Option<String>,
    approved: Option<bool>,
    reason: Option<String>,
    note: Option<String>,
}

impl Row {
    fn read(self) -> Result<Application, StoreError> {
        let wrong = |column| StoreError::inconsistent("reward_application", column, self.application_id);
        let withdrawn = self.withdrawn_at.zip(self.withdrawn_by).map(|(at, by)| Ending::Withdrawn(Act { by, at }));
        let decided = match (self.decided_at.zip(self.decided_by), self.approved.zip(self.reason)) {
            (Some((at, by)), Some((approved, reason))) => {
                let word = Word::parse(approved, &reason).ok_or_else(|| wrong("reason"))?;
                Some(Ending::Decided(Act { by, at }, Ruling { word, note: self.note }))
            }
            _ => None,
        };
        Ok(Application {
            application_id: self.application_id,
            employer: UnitId(self.employer_id),
            year: self.year,
            basis: Basis { version: self.version as u32, attempt: self.attempt as u32 },
            policy_version: self.policy_version,
            calculation: serde_json::from_value(self.calculation).map_err(|_| wrong("calculation"))?,
            applied: Act { by: self.applied_by, at: self.applied_at },
            ending: withdrawn.or(decided),
        })
    }
}

async fn list_applications(
    connection: &mut PgConnection,
    employer: UnitId,
    year: i16,
) -> Result<Vec<Application>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "select application_id, employer_id, year, version, attempt, policy_version, calculation, applied_at, applied_by,
                withdrawn_at, withdrawn_by, decided_at, decided_by, approved, reason, note
         from reward_application where employer_id = $1 and year = $2 order by applied_at desc, application_id desc",
        employer.0,
        year
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::read).collect()
}
