//! Holds on the outbox: nothing leaves while one stands, of everybody or of one employer's year.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::audit::{Act, record};
use super::change::Done;
use super::{Store, StoreError};
use crate::domain::access::Actor;
use crate::domain::facts::UnitId;

/// As the audit names the program where it pauses by itself.
const PROGRAM: &str = "renzheng";

/// Pauses that follow each other within this are one.
const SAME_PAUSE: TimeDelta = TimeDelta::hours(1);

/// What a hold is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    Everything,
    Year(UnitId, i16),
}

impl Held {
    fn employer(self) -> Option<i32> {
        if let Self::Year(employer, _) = self { Some(employer.0) } else { None }
    }

    fn year(self) -> Option<i16> {
        if let Self::Year(_, year) = self { Some(year) } else { None }
    }
}

/// A hold that stands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Hold {
    pub hold_id: i32,
    /// Nothing: everything is held.
    pub uscc: Option<String>,
    pub year: Option<i16>,
    pub held_at: DateTime<Utc>,
    pub held_by: String,
    pub why: String,
    /// It is over by itself then.
    pub until: Option<DateTime<Utc>>,
}

impl Store {
    /// Holds that stand, the oldest first.
    pub async fn list_holds(&self) -> Result<Vec<Hold>, StoreError> {
        let at = self.now().await?;
        Ok(sqlx::query_as!(
            Hold,
            r#"select hold_id, uscc as "uscc?", year, held_at, held_by, why, until
               from push_hold left join unit on unit_id = employer_id
               where released_at is null and (until is null or until > $1) order by hold_id"#,
            at
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Holds it until somebody releases it; false if somebody holds it so already. `object`: what it is, for the audit.
    pub async fn hold_push(&self, held: Held, actor: &Actor, object: &str, why: &str) -> Result<bool, StoreError> {
        let at = self.now().await?;
        let mut change = self.change().await?;
        // two who hold the same at once are one after the other
        sqlx::query!("lock table push_hold in share row exclusive mode").execute(change.connection()).await?;
        let done = sqlx::query!(
            "insert into push_hold (employer_id, year, held_at, held_by, why)
             select $1, $2, $3, $4, $5
             where not exists (select from push_hold where released_at is null and until is null
                                and employer_id is not distinct from $1 and year is not distinct from $2)",
            held.employer(),
            held.year(),
            at,
            actor.name,
            why
        )
        .execute(change.connection())
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        change.record(&Act::operate(at, actor, "hold_push", object, Some(why))).await?;
        change.answer(&Done::CHANGED).await?;
        change.commit().await?;
        Ok(true)
    }

    /// Releases what holds exactly this, pauses of the program included; how many holds that were.
    pub async fn release_push(&self, held: Held, actor: &Actor, object: &str, why: &str) -> Result<u64, StoreError> {
        let at = self.now().await?;
        let mut change = self.change().await?;
        let done = sqlx::query!(
            "update push_hold set released_at = $3, released_by = $4
             where released_at is null and (until is null or until > $3)
               and employer_id is not distinct from $1 and year is not distinct from $2",
            held.employer(),
            held.year(),
            at,
            actor.name
        )
        .execute(change.connection())
        .await?;
        if done.rows_affected() > 0 {
            change.record(&Act::operate(at, actor, "release_push", object, Some(why))).await?;
            change.answer(&Done::CHANGED).await?;
            change.commit().await?;
        }
        Ok(done.rows_affected())
    }

    /// The program pauses by itself: nothing leaves until then. A pause soon after another goes on with it.
    pub async fn pause_push(&self, at: DateTime<Utc>, until: DateTime<Utc>, why: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query!("lock table push_hold in share row exclusive mode").execute(&mut *transaction).await?;
        let prolonged = sqlx::query!(
            "update push_hold set until = greatest(until, $1), why = $2
             where hold_id = (select max(hold_id) from push_hold where held_by = $3 and employer_id is null)
               and released_at is null and until > $4",
            until,
            why,
            PROGRAM,
            at - SAME_PAUSE
        )
        .execute(&mut *transaction)
        .await?;
        if prolonged.rows_affected() == 0 {
            // what is over by itself stands in nobody's way, but in that of who looks for what stands
            sqlx::query!(
                "update push_hold set released_at = until, released_by = held_by where released_at is null and until <= $1",
                at
            )
            .execute(&mut *transaction)
            .await?;
            sqlx::query!(
                "insert into push_hold (held_at, held_by, why, until) values ($1, $2, $3, $4)",
                at,
                PROGRAM,
                why,
                until
            )
            .execute(&mut *transaction)
            .await?;
            let program = Actor::program(PROGRAM);
            let act = Act::operate(at, &program, "hold_push", "everything", Some(why));
            record(&mut transaction, &act.with("until", until.to_rfc3339())).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
