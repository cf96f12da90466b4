//! 窗口出示原件: documents shown on paper at the counter, which are evidence for a ground of a month.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::change::Change;
use super::choices::month_of;
use super::jobs::word;
use super::{Store, StoreError};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::month::Month;
use crate::domain::review::{Ground, Grounds};

impl Change {
    /// Records that documents were shown for these grounds of these months; what is recorded already stays. How many are new.
    pub async fn save_evidence_shown(
        &mut self,
        employer: UnitId,
        person: PersonId,
        months: &[Month],
        grounds: Grounds,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let indexes: Vec<i32> = months.iter().map(|month| month.index()).collect();
        let grounds: Vec<i16> = grounds.iter().map(|ground| i16::from(ground.number())).collect();
        let done = sqlx::query!(
            "insert into evidence_shown (person_id, employer_id, month, ground, shown_at, shown_by)
             select $1, $2, m.month, g.ground, $5, $6 from unnest($3::int[]) as m (month), unnest($4::smallint[]) as g (ground)
             on conflict (employer_id, month, person_id, ground) do nothing",
            person.0,
            employer.0,
            &indexes,
            &grounds,
            at,
            by
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected())
    }
}

impl Store {
    /// For which grounds of an employer's months documents were shown.
    pub async fn evidence_shown(
        &self,
        employer: UnitId,
        year: i32,
    ) -> Result<HashMap<(PersonId, Month), Grounds>, StoreError> {
        let january = year * 12;
        let rows = sqlx::query!(
            "select person_id, month, ground from evidence_shown where employer_id = $1 and month between $2 and $3",
            employer.0,
            january,
            january + 11
        )
        .fetch_all(&self.pool)
        .await?;
        let mut shown: HashMap<(PersonId, Month), Grounds> = HashMap::new();
        for row in rows {
            let ground = word(row.ground, Ground::from_number)
                .ok_or_else(|| StoreError::inconsistent("evidence_shown", "ground", row.person_id))?;
            let grounds = shown.entry((PersonId(row.person_id), month_of("evidence_shown", row.month)?)).or_default();
            *grounds = grounds.with(ground);
        }
        Ok(shown)
    }
}
