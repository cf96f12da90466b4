//! What the tax department counts, month by month of every person: each is a bit of its own, so that a right sum is made of zeros and ones.
//!
//! The oracle keeps what was frozen outside of the database, so that it outlives a restore.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use renzheng::domain::message::MessageKind;
use renzheng::sandbox::tax_ledger::{Answer, Entry};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// Person and month.
pub type Months = BTreeSet<(i64, i32)>;

/// A message as it was enqueued.
struct Frozen {
    body: Vec<u8>,
    kind: MessageKind,
    employer: i32,
    months: Months,
}

#[derive(Default)]
pub struct Oracle {
    messages: HashMap<Uuid, Frozen>,
}

impl Oracle {
    /// Learns what was enqueued since, with the months that its transaction froze.
    pub async fn learn(&mut self, connection: &mut PgConnection) {
        let rows = sqlx::query(
            "select message_id, body, kind, employer_id,
                    array(select person_id from declared_month d where (d.employer_id, d.year, d.version) = (o.employer_id, o.year, o.version)
                          order by person_id, month) as persons,
                    array(select month from declared_month d where (d.employer_id, d.year, d.version) = (o.employer_id, o.year, o.version)
                          order by person_id, month) as months
             from outbox o where not message_id = any($1)",
        )
        .bind(self.messages.keys().copied().collect::<Vec<_>>())
        .fetch_all(connection)
        .await
        .expect("messages");
        for row in rows {
            let persons: Vec<i64> = row.get("persons");
            let months: Vec<i32> = row.get("months");
            let frozen = Frozen {
                body: row.get("body"),
                kind: MessageKind::parse(row.get("kind")).expect("a kind"),
                employer: row.get("employer_id"),
                months: persons.into_iter().zip(months).collect(),
            };
            self.messages.insert(row.get("message_id"), frozen);
        }
    }

    fn frozen(&self, entry: &Entry, what: &str) -> &Frozen {
        let message_id: Uuid = entry.message_id.parse().expect("an id");
        self.messages.get(&message_id).unwrap_or_else(|| panic!("{what}: nobody confirmed {}", entry.idempotency_key))
    }

    /// Goes through what the department received: everything was confirmed and left as it was frozen, and after no answer a month of a
    /// person counts twice. What counts in the end, by employer.
    pub fn replay(&self, entries: &[Entry], what: &str) -> BTreeMap<i32, Months> {
        let mut counted: HashMap<(i64, i32), i32> = HashMap::new();
        let mut in_force: BTreeMap<i32, Months> = BTreeMap::new();
        for entry in entries {
            let frozen = self.frozen(entry, what);
            assert_eq!(entry.body.as_bytes(), frozen.body, "{what}: {} left as it was frozen", entry.idempotency_key);
            if !matches!(entry.answer, Answer::Accepted { .. }) {
                continue;
            }
            let before = match frozen.kind {
                MessageKind::Certified => in_force.insert(frozen.employer, frozen.months.clone()),
                MessageKind::Withdrawn => in_force.remove(&frozen.employer),
            };
            for month in before.iter().flatten() {
                *counted.entry(*month).or_default() -= 1;
            }
            if frozen.kind == MessageKind::Certified {
                for month in &frozen.months {
                    let times = counted.entry(*month).or_default();
                    *times += 1;
                    assert_eq!(
                        *times, 1,
                        "{what}: person and month {month:?} count twice from {} on",
                        entry.idempotency_key
                    );
                }
            }
        }
        in_force.retain(|_, months| !months.is_empty());
        in_force
    }
}
