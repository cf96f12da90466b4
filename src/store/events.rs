//! Events: put down in the transaction of what they tell, with a delivery to each subscription that hears of it; where there is none, nothing is.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::change::Change;
use super::{Store, StoreError};
use crate::clock;
use crate::domain::event::{CellChanged, ChangedMonth, EmployerYear, Event, EventKind, Heading};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::verdict::Verdict;

/// Events that are written with one statement.
const AT_ONCE: usize = 1000;

/// An event with those who hear of it.
struct Told {
    event_id: Uuid,
    /// Of a ping none.
    employer: Option<UnitId>,
    event: Event,
    subscriptions: Vec<i64>,
}

impl Change {
    /// Tells everybody who subscribed to it and reaches the employer today; to how many. It leaves when this change is committed.
    pub async fn tell(
        &mut self,
        employer: UnitId,
        at: DateTime<Utc>,
        event: impl FnOnce(Heading) -> Event,
    ) -> Result<usize, StoreError> {
        let event_id = clock::uuid_v7(at);
        let event = event(Heading::new(event_id, at));
        let subscriptions = sqlx::query_scalar!(
            r#"select s as "subscription!" from event_receivers($1, $2, $3) as s"#,
            event.kind().as_str(),
            employer.0,
            clock::business_date(at)
        )
        .fetch_all(self.connection())
        .await?;
        let told = subscriptions.len();
        let one = Told { event_id, employer: Some(employer), event, subscriptions };
        insert(self.connection(), &[one], at).await?;
        Ok(told)
    }

    /// Tells one subscription something that is of no employer; the event's id.
    pub async fn tell_one(
        &mut self,
        subscription_id: i64,
        at: DateTime<Utc>,
        event: impl FnOnce(Heading) -> Event,
    ) -> Result<Uuid, StoreError> {
        let event_id = clock::uuid_v7(at);
        let event = event(Heading::new(event_id, at));
        let one = Told { event_id, employer: None, event, subscriptions: vec![subscription_id] };
        insert(self.connection(), &[one], at).await?;
        Ok(event_id)
    }
}

/// Who hears of an employer.
#[derive(FromRow)]
struct Hearing {
    employer_id: i32,
    subscriptions: Vec<i64>,
}

/// A row that is about to be written, and what it replaces.
#[derive(FromRow)]
struct Replaced {
    person_id: i64,
    employer_id: i32,
    uscc: String,
    before: Option<Vec<i32>>,
    after: Vec<i32>,
}

impl Store {
    /// Tells of the rows of `changed_verification` (a temporary table of the transaction) that are about to be written, as far as somebody
    /// subscribed to them. `persons` are the first and the last of them; stored rows are locked.
    pub(super) async fn tell_changed_cells(
        &self,
        connection: &mut PgConnection,
        (year, seq, run): (i32, i64, i32),
        persons: (i64, i64),
    ) -> Result<(), StoreError> {
        let kind = EventKind::CellChanged.as_str();
        // almost always nobody did: one look, and no more
        let anybody = sqlx::query_scalar!(
            r#"select exists (select from event_subscription where ended_at is null and $1 = any(kinds)) as "anybody!""#,
            kind
        )
        .fetch_one(&mut *connection)
        .await?;
        if !anybody {
            return Ok(());
        }
        let at = self.now().await?;
        let hearing: Vec<Hearing> = sqlx::query_as(
            "select employer_id, array_agg(s) as subscriptions
             from (select distinct employer_id from changed_verification) as c cross join lateral event_receivers($1, employer_id, $2) as s
             group by employer_id",
        )
        .bind(kind)
        .bind(clock::business_date(at))
        .fetch_all(&mut *connection)
        .await?;
        let hearing: HashMap<i32, Vec<i64>> =
            hearing.into_iter().map(|one| (one.employer_id, one.subscriptions)).collect();
        if hearing.is_empty() {
            return Ok(());
        }
        let replaced: Vec<Replaced> = sqlx::query_as(
            "select c.person_id, c.employer_id, u.uscc, v.cells as before, c.cells as after
             from changed_verification c join unit u on u.unit_id = c.employer_id
             left join verification v on v.person_id = c.person_id and v.employer_id = c.employer_id and v.year = $1
                                     and v.person_id between $4 and $5
             where c.employer_id = any($6) and c.cells is not null
               and (v.person_id is null or (v.seq, (select max(run) from unnest(v.runs) as run)) <= ($2, $3))
             order by c.employer_id, c.person_id",
        )
        .bind(year as i16)
        .bind(seq)
        .bind(run)
        .bind(persons.0)
        .bind(persons.1)
        .bind(hearing.keys().copied().collect::<Vec<i32>>())
        .fetch_all(&mut *connection)
        .await?;
        for together in replaced.chunks(AT_ONCE) {
            let mut told = Vec::with_capacity(together.len());
            for row in together {
                let months = changed_months(year, row)?;
                let Some(subscriptions) = hearing.get(&row.employer_id).filter(|_| !months.is_empty()) else {
                    continue;
                };
                let event_id = clock::uuid_v7(at);
                let wrong = |_| StoreError::inconsistent("unit", "uscc", row.employer_id);
                let event = Event::CellChanged(CellChanged {
                    heading: Heading::new(event_id, at),
                    subject: EmployerYear { employer_uscc: Uscc::parse(&row.uscc).map_err(wrong)?, year: year as i16 },
                    person_id: PersonId(row.person_id),
                    months,
                });
                let employer = Some(UnitId(row.employer_id));
                told.push(Told { event_id, employer, event, subscriptions: subscriptions.clone() });
            }
            insert(connection, &told, at).await?;
        }
        Ok(())
    }

    /// Removes events from before an instant with their deliveries, whatever became of them.
    pub(super) async fn remove_events(
        &self,
        before: DateTime<Utc>,
        at_once: i64,
        went: &mut u64,
    ) -> Result<(), StoreError> {
        loop {
            let done = sqlx::query!(
                "delete from event where event_id = any (array (select event_id from event where occurred_at < $1 limit $2))",
                before,
                at_once
            )
            .execute(&self.pool)
            .await?
            .rows_affected();
            *went += done;
            if done == 0 {
                return Ok(());
            }
        }
    }
}

fn changed_months(year: i32, row: &Replaced) -> Result<Vec<ChangedMonth>, StoreError> {
    let verdict = |cell: i32| {
        Verdict::unpack(cell).ok_or_else(|| StoreError::inconsistent("verification", "cells", row.person_id))
    };
    let mut changed = Vec::new();
    for (place, month) in Month::all_of(year).enumerate() {
        let before = row.before.as_ref().and_then(|cells| cells.get(place)).copied();
        let after = row.after.get(place).copied().ok_or(StoreError::frame("fewer than twelve months"))?;
        if before != Some(after) {
            let before = before.map(verdict).transpose()?;
            changed.extend(ChangedMonth::between(month, before.as_ref(), &verdict(after)?));
        }
    }
    Ok(changed)
}

/// Those that nobody hears of are left out.
async fn insert(connection: &mut PgConnection, told: &[Told], at: DateTime<Utc>) -> Result<(), StoreError> {
    let told: Vec<&Told> = told.iter().filter(|one| !one.subscriptions.is_empty()).collect();
    if told.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = told.iter().map(|one| one.event_id).collect();
    let kinds: Vec<String> = told.iter().map(|one| one.event.kind().as_str().to_owned()).collect();
    let employers: Vec<Option<i32>> = told.iter().map(|one| one.employer.map(|employer| employer.0)).collect();
    let bodies = told.iter().map(|one| serde_json::to_string(&one.event)).collect::<Result<Vec<String>, _>>();
    let bodies = bodies.map_err(|_| StoreError::frame("an event could not be written as JSON"))?;
    sqlx::query!(
        "insert into event (event_id, kind, employer_id, occurred_at, body)
         select i.event_id, i.kind, i.employer, $5, i.body
         from unnest($1::uuid[], $2::text[], $3::int[], $4::text[]) as i (event_id, kind, employer, body)",
        &ids,
        &kinds,
        &employers as &[Option<i32>],
        &bodies,
        at
    )
    .execute(&mut *connection)
    .await?;
    let (ids, subscriptions): (Vec<Uuid>, Vec<i64>) =
        told.iter().flat_map(|one| one.subscriptions.iter().map(|subscription| (one.event_id, *subscription))).unzip();
    sqlx::query!(
        "insert into event_delivery (event_id, subscription_id, next_at)
         select i.event_id, i.subscription_id, $3 from unnest($1::uuid[], $2::bigint[]) as i (event_id, subscription_id)",
        &ids,
        &subscriptions,
        at
    )
    .execute(connection)
    .await?;
    Ok(())
}
