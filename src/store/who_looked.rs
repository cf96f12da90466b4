//! Who looked at a person: rows of the audit that name them, and those about files that are or were evidence of theirs.

use chrono::{DateTime, Utc};

use super::{Store, StoreError};
use crate::domain::facts::PersonId;

/// A row of the audit as far as the person it is about may know it: never who it was by name.
#[derive(Clone, Debug)]
pub struct Look {
    pub audit_id: i64,
    pub at: DateTime<Utc>,
    /// Not known of rows from before there were roles.
    pub role: Option<String>,
    pub on_behalf_of: Option<String>,
    pub action: String,
    /// May name other persons: not to be shown.
    pub object: String,
    pub employer: Option<String>,
    pub did: Option<String>,
    /// The divisions, and the codes of the units, where the actor's role held at that time.
    pub divisions: Vec<String>,
    pub units: Vec<String>,
}

impl Store {
    /// Rows of these actions before one, the newest first.
    pub async fn list_looks(
        &self,
        person: PersonId,
        actions: &[&str],
        before: i64,
        limit: i64,
    ) -> Result<Vec<Look>, StoreError> {
        let files = self.list_evidence_objects(person).await?;
        let actions: Vec<String> = actions.iter().map(|action| (*action).to_owned()).collect();
        let rows = sqlx::query_file!("src/store/who_looked.sql", person.0, &files, before, &actions, limit)
            .fetch_all(&self.pool)
            .await?;
        let looks = rows.into_iter().map(|row| Look {
            audit_id: row.audit_id,
            at: row.at,
            role: row.role,
            on_behalf_of: row.on_behalf_of,
            action: row.action,
            object: row.object,
            employer: row.employer,
            did: row.did,
            divisions: row.divisions,
            units: row.units,
        });
        Ok(looks.collect())
    }

    /// What the audit calls the files that are or were evidence of the person: one opened, its name revealed, all of a year listed with
    /// their names.
    async fn list_evidence_objects(&self, person: PersonId) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select distinct called.object as "object!"
               from evidence_use e join unit u on u.unit_id = e.employer_id,
                    lateral (values ('evidence ' || e.evidence_id || ' of ' || u.uscc), ('evidence ' || e.evidence_id),
                                    ('evidence ' || e.year || ': employer ' || u.uscc)) as called (object)
               where e.person_id = $1"#,
            person.0
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Row as _};

    use super::super::testing::Database;

    /// Many rows of others, a few of person 7.
    const AUDIT: &str = "insert into audit (at, actor, action, object, detail)
        select '2026-03-01', 'somebody', 'look_up', 'person ' || case when n % 1000 = 0 then 7 else 1000 + n end, '{}'
        from generate_series(1, 20000) as n";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_persons_rows_are_found_by_the_index_of_persons_and_files_by_that_of_objects() {
        let database = Database::open().await;
        let pool = &database.store.pool;
        sqlx::query(AUDIT).execute(pool).await.expect("rows");
        sqlx::query("analyze audit").execute(pool).await.expect("analysed");
        let mut connection = pool.acquire().await.expect("a connection");
        // as the program asks it, whatever the values are
        let prepare = format!(
            "prepare looks (bigint, text[], bigint, text[], bigint) as {}",
            include_str!("who_looked.sql").replace(" as \"divisions!\"", "").replace(" as \"units!\"", "")
        );
        sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.expect("prepared");
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let set = format!("set plan_cache_mode = {mode}");
            sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *connection).await.expect("set");
            let explain =
                "explain execute looks (7, array['evidence 1 of x'], 9223372036854775807, array['look_up'], 20)";
            let rows = sqlx::raw_sql(explain).fetch_all(&mut *connection).await.expect("a plan");
            let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            let plan = plan.join("\n");
            assert!(plan.contains("Bitmap Index Scan on audit_by_person"), "{mode}: {plan}");
            assert!(plan.contains("audit_by_object") && !plan.contains("Seq Scan on audit"), "{mode}: {plan}");
        }
    }
}
