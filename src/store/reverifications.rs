//! Re-verifications that staff asked for after a fresh pull: tasks of a kind of their own, named by the request that asked for them.

use super::audit::{Act, record};
use super::tasks::{NewTask, Priority, insert_task};
use super::{Store, StoreError};
use crate::clock;
use crate::domain::facts::{PersonId, UnitId};

/// The kind of these tasks.
pub const KIND: &str = "reverify";
/// The names under which their runs are told. Of one name one task runs at a time: several persons are asked about side by side, each person
/// by one task at a time, and none of them waits for a whole employer.
const OF_PERSONS: [&str; 4] = ["reverify-person", "reverify-person-1", "reverify-person-2", "reverify-person-3"];
const OF_EMPLOYERS: &str = "reverify-employer";
/// Attempts that get nowhere.
const ATTEMPTS: u32 = 3;

/// All names of these tasks' jobs, which belong to no file.
pub fn jobs() -> impl Iterator<Item = &'static str> {
    OF_PERSONS.into_iter().chain([OF_EMPLOYERS])
}

/// Whom to pull afresh and verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reverification {
    pub employer: UnitId,
    /// `None`: everybody whom the employer has placed in the year.
    pub person: Option<PersonId>,
    pub year: i32,
}

/// Whether a request was the first of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    Task(i64),
    /// A request of this name asked for something else.
    Otherwise,
}

/// A run of such a task: a pull of a source, or the verification.
#[derive(Clone, Debug)]
pub struct RunOfTask {
    pub kind: String,
    pub job: String,
    pub state: String,
    pub counts: serde_json::Value,
}

/// As it stands in a task's key: numbers alone.
impl std::fmt::Display for Reverification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.year, self.employer.0, self.person.map_or(0, |person| person.0))
    }
}

impl Reverification {
    /// What the task of this key is to do; `None`: it is none of these.
    pub fn of_key(key: &str) -> Option<Self> {
        let mut numbers = key.rsplit(' ').next()?.split('-');
        let (year, employer) = (numbers.next()?.parse().ok()?, UnitId(numbers.next()?.parse().ok()?));
        let person = numbers.next()?.parse().ok().map(PersonId)?;
        Some(Self { employer, person: Some(person).filter(|person| person.0 != 0), year })
    }

    fn job(&self) -> &'static str {
        let of_person = |person: PersonId| OF_PERSONS[person.0.rem_euclid(OF_PERSONS.len() as i64) as usize];
        self.person.map_or(OF_EMPLOYERS, of_person)
    }
}

impl Store {
    /// Queues it once for each name of a request (of a request without one: each time); `act` tells who asked and when, and is written down
    /// with what is queued.
    pub async fn queue_reverification(&self, asked: &Reverification, act: &Act<'_>) -> Result<Queued, StoreError> {
        let at = act.at;
        let name = self.request.as_ref().map_or_else(|| clock::uuid_v7(at).to_string(), |request| request.name());
        let (name, key) = (format!("{name} "), format!("{name} {asked}"));
        let mut transaction = self.begin().await?;
        // two of a name at once: the later sees the earlier's
        sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(&name)
            .execute(&mut *transaction)
            .await?;
        let before = sqlx::query!(
            "select task_id, key from task where kind = $1 and starts_with(key, $2) order by task_id limit 1",
            KIND,
            name
        )
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some(before) = before {
            return Ok(if before.key == key { Queued::Task(before.task_id) } else { Queued::Otherwise });
        }
        let task = NewTask {
            kind: KIND,
            key,
            job: asked.job().to_owned(),
            days: None,
            business_date: clock::business_date(at),
            priority: Priority::Night,
            due_at: at,
            after: Vec::new(),
            patient_until: None,
            attempts: ATTEMPTS,
            created_by: act.actor.name.clone(),
        };
        let task_id = insert_task(&mut transaction, &task, None, at).await?;
        let task_id = task_id.ok_or(StoreError::frame("a task of this name is there already"))?;
        record(&mut transaction, act).await?;
        transaction.commit().await?;
        Ok(Queued::Task(task_id))
    }

    /// The employers that have placed the person in that year.
    pub async fn list_employers_of(&self, person: PersonId, year: i32) -> Result<Vec<UnitId>, StoreError> {
        let units = sqlx::query_scalar!(
            "select employer_id from placement where person_id = $1 and year = $2 and to_seq is null order by employer_id",
            person.0,
            year as i16
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(units.into_iter().map(UnitId).collect())
    }

    /// The runs of a task, in the order in which they began.
    pub async fn list_runs_of_task(&self, task_id: i64) -> Result<Vec<RunOfTask>, StoreError> {
        Ok(sqlx::query_as!(
            RunOfTask,
            "select kind, job, state, counts from run where task_id = $1 order by run_number",
            task_id
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::request_answers::{Request, Said};
    use super::super::testing::Database;
    use super::*;
    use crate::domain::access::{Action, Actor};

    #[test]
    fn a_key_says_what_the_task_is_to_do() {
        let one = Reverification { employer: UnitId(4), person: Some(PersonId(17)), year: 2025 };
        let all = Reverification { person: None, ..one };
        for asked in [one, all] {
            assert_eq!(Reverification::of_key(&format!("li.hua a1b2 {asked}")), Some(asked));
        }
        assert_eq!(Reverification::of_key("pull-wage 2026-04-15T01:00:00+08:00"), None);
    }

    #[tokio::test]
    async fn a_request_of_a_name_is_queued_once() {
        let database = Database::open().await;
        let at = database.store.now().await.expect("a time");
        let named = |account: &str, key: &str| {
            let said = Said { account, access: "everything", key, asks: "whatever" };
            let request = Request::new(&database.store, &said, at);
            database.store.for_request(Arc::new(request))
        };
        let asked = Reverification { employer: UnitId(1), person: Some(PersonId(1)), year: 2025 };
        let queue = async |store: Store, asked: &Reverification| {
            let actor = Actor::operator("li.hua");
            let act = Act::read(at, &actor, Action::Reverify, "placement 91369900MA2000F14G 2025 person 1");
            store.queue_reverification(asked, &act).await.expect("queued")
        };
        let first = queue(named("li.hua", "k1"), &asked).await;
        assert_eq!(queue(named("li.hua", "k1"), &asked).await, first);
        let other = Reverification { year: 2024, ..asked };
        assert_eq!(queue(named("li.hua", "k1"), &other).await, Queued::Otherwise);
        assert_ne!(queue(named("li.hua", "k2"), &asked).await, first);
        assert_ne!(queue(named("wang.fang", "k1"), &asked).await, first, "names are each user's own");
        let audited = sqlx::query_scalar("select count(*) from audit where action = 'reverify'");
        let audited: i64 = audited.fetch_one(&database.store.pool).await.expect("a count");
        assert_eq!(audited, 3, "each that was queued, and no other");
    }

    #[tokio::test]
    async fn several_persons_are_asked_about_side_by_side_and_one_person_by_one_task_at_a_time() {
        let database = Database::open().await;
        let store = &database.store;
        let at = store.now().await.expect("a time");
        let actor = Actor::operator("li.hua");
        let act = Act::read(at, &actor, Action::Reverify, "somebody");
        let everybody = Reverification { employer: UnitId(1), person: None, year: 2025 };
        let persons = [8, 9, 10, 11, 8].map(|person| Reverification { person: Some(PersonId(person)), ..everybody });
        for asked in persons.iter().chain([&everybody]) {
            store.queue_reverification(asked, &act).await.expect("queued");
        }
        let names: Vec<String> = jobs().map(str::to_owned).collect();
        let mut claimed = Vec::new();
        while let Some(task) = store.claim_task(at, &names, false).await.expect("asked") {
            claimed.push(Reverification::of_key(&task.key).expect("one of these"));
        }
        assert_eq!(claimed, [&persons[..4], &[everybody]].concat(), "the second task of person 8 waits for the first");
    }
}
