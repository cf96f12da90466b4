//! Look-ups in the register: what is compared, what is kept of each, and how many missed.

use chrono::{DateTime, NaiveDate, Utc};

use super::change::Change;
use super::jobs::word;
use super::people::{PersonIndex, name_place, person_index};
use super::{Store, StoreError};
use crate::crypto::Place;
use crate::domain::facts::{Certificate, CertificateKind, CertificateStatus, PersonId, UnitId, VersionId};
use crate::domain::ids::{ResidentId, Sex, Uscc};

/// A person as they are kept.
#[derive(Clone, Debug)]
pub struct Kept {
    pub person: PersonId,
    pub name: String,
    pub sex: Sex,
    pub born_on: NaiveDate,
}

/// A certificate in the register, with its number.
#[derive(Clone, Debug)]
pub struct Registered {
    pub certificate: Certificate,
    /// 1–7; soldiers have none.
    pub category: Option<u8>,
    pub number: String,
}

/// How many look-ups missed lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misses {
    /// Of the employer, since the day began.
    pub of_employer: i64,
    /// Of the actor, in the last hour; the earliest first.
    pub of_actor: Vec<DateTime<Utc>>,
}

/// What is kept of one look-up.
#[derive(Clone, Debug)]
pub struct LookUpRow<'a> {
    pub employer: UnitId,
    pub actor: &'a str,
    pub at: DateTime<Utc>,
    pub outcome: Outcome,
}

#[derive(Clone, Debug)]
pub enum Outcome {
    /// Who it is; the receipt, hashed, and until when it holds.
    Match {
        person: PersonId,
        receipt: [u8; 32],
        expires_at: DateTime<Utc>,
    },
    NoMatch,
    /// Nothing was looked at: too many missed.
    Refused,
}

/// An employer whose look-ups were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLookUps {
    pub uscc: Uscc,
    pub missed: i64,
    pub refused: i64,
}

/// Receipts are found by this hash alone.
pub fn receipt_hash(store: &Store, receipt: &str) -> [u8; 32] {
    store.keys().blind_index("look_up", receipt)
}

/// First halves of the advisory locks; the second is the employer's number, or the hash of the actor's name.
const EMPLOYER_LOCK: i32 = 0x6C6B_7570;
const ACTOR_LOCK: i32 = EMPLOYER_LOCK + 1;

impl Change {
    /// Lets look-ups of an employer, and of an actor, happen one after the other, so that a limit is one.
    pub async fn lock_look_ups(&mut self, employer: UnitId, actor: &str) -> Result<(), StoreError> {
        sqlx::query("select pg_advisory_xact_lock($1, $2)")
            .bind(EMPLOYER_LOCK)
            .bind(employer.0)
            .execute(self.connection())
            .await?;
        sqlx::query("select pg_advisory_xact_lock($1, hashtext($2))")
            .bind(ACTOR_LOCK)
            .bind(actor)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    pub async fn look_up_misses(
        &mut self,
        employer: UnitId,
        actor: &str,
        day_began_at: DateTime<Utc>,
        hour_began_at: DateTime<Utc>,
    ) -> Result<Misses, StoreError> {
        let of_employer = sqlx::query_scalar!(
            r#"select count(*) as "count!" from look_up where employer_id = $1 and at >= $2 and outcome = 'no_match'"#,
            employer.0,
            day_began_at
        )
        .fetch_one(self.connection())
        .await?;
        let of_actor = sqlx::query_scalar!(
            "select at from look_up where actor = $1 and at > $2 and outcome = 'no_match' order by at",
            actor,
            hour_began_at
        )
        .fetch_all(self.connection())
        .await?;
        Ok(Misses { of_employer, of_actor })
    }

    /// The person with this number and the certificates that the register has of them: the same questions, whoever it is, if anybody.
    pub async fn find_registered(
        &mut self,
        store: &Store,
        id: &ResidentId,
    ) -> Result<(Option<Kept>, Vec<Registered>), StoreError> {
        let index: PersonIndex = person_index(store.keys(), id);
        let kept = sqlx::query!("select person_id, name, sex, born_on from person where id_index = $1", &index[..])
            .fetch_optional(self.connection())
            .await?
            .map(|row| {
                let name = String::from_utf8(store.keys().decrypt(&row.name, name_place(row.person_id))?)
                    .map_err(|_| StoreError::inconsistent("person", "name", row.person_id))?;
                let sex = if row.sex == 0 { Sex::Male } else { Sex::Female };
                Ok::<Kept, StoreError>(Kept { person: PersonId(row.person_id), name, sex, born_on: row.born_on })
            })
            .transpose()?;
        // nobody is person 0, who has no certificate
        let person = kept.as_ref().map_or(0, |kept| kept.person.0);
        let rows = sqlx::query!(
            r#"select v.version_id, v.updated_at, v.kind as "kind!", v.level as "level!", v.category,
                      v.valid_from as "valid_from!", v.valid_to, v.status as "status!",
                      v.status_since, v.certificate_number as "number!"
               from certificate v join batch b using (batch_id)
               where v.person_id = $1 and v.person_id <> 0 and b.published_seq is not null and v.superseded_seq is null
                 and not v.deleted
               order by v.version_id"#,
            person
        )
        .fetch_all(self.connection())
        .await?;
        let registered = rows.into_iter().map(|row| {
            let wrong = |column| StoreError::inconsistent("certificate", column, row.version_id);
            let place = Place { table: "certificate", column: "certificate_number", row: row.version_id };
            let number = String::from_utf8(store.keys().decrypt(&row.number, place)?)
                .map_err(|_| wrong("certificate_number"))?;
            let certificate = Certificate {
                version: VersionId(row.version_id),
                kind: word(row.kind, CertificateKind::from_number).ok_or_else(|| wrong("kind"))?,
                level: row.level as u8,
                valid_from: row.valid_from,
                valid_to: row.valid_to,
                status: word(row.status, CertificateStatus::from_number).ok_or_else(|| wrong("status"))?,
                status_since: row.status_since,
                updated_at: row.updated_at,
            };
            Ok(Registered { certificate, category: row.category.map(|category| category as u8), number })
        });
        Ok((kept, registered.collect::<Result<_, StoreError>>()?))
    }

    pub async fn save_look_up(&mut self, row: &LookUpRow<'_>) -> Result<(), StoreError> {
        let (outcome, person, receipt, expires_at) = match &row.outcome {
            Outcome::Match { person, receipt, expires_at } => {
                ("match", Some(person.0), Some(&receipt[..]), Some(*expires_at))
            }
            Outcome::NoMatch => ("no_match", None, None, None),
            Outcome::Refused => ("refused", None, None, None),
        };
        sqlx::query!(
            "insert into look_up (employer_id, actor, at, outcome, person_id, receipt, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7)",
            row.employer.0,
            row.actor,
            row.at,
            outcome,
            person,
            receipt,
            expires_at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Whom the employer looked up, by the receipt's hash, while it holds.
    pub async fn find_looked_up(
        &mut self,
        employer: UnitId,
        receipt: &[u8; 32],
        at: DateTime<Utc>,
    ) -> Result<Option<PersonId>, StoreError> {
        let person = sqlx::query_scalar!(
            "select person_id from look_up where receipt = $1 and employer_id = $2 and expires_at > $3",
            &receipt[..],
            employer.0,
            at
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(person.flatten().map(PersonId))
    }
}

impl Store {
    /// Employers of whom a look-up was refused since `since`.
    pub async fn refused_look_ups(&self, since: DateTime<Utc>) -> Result<Vec<RefusedLookUps>, StoreError> {
        let rows = sqlx::query!(
            r#"select u.unit_id, u.uscc,
                      count(*) filter (where l.outcome = 'no_match') as "missed!",
                      count(*) filter (where l.outcome = 'refused') as "refused!"
               from look_up l join unit u on u.unit_id = l.employer_id
               where l.at >= $1
                 and l.employer_id in (select employer_id from look_up where at >= $1 and outcome = 'refused')
               group by u.unit_id, u.uscc order by u.uscc"#,
            since
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let uscc = Uscc::parse(&row.uscc).map_err(|_| StoreError::inconsistent("unit", "uscc", row.unit_id))?;
                Ok(RefusedLookUps { uscc, missed: row.missed, refused: row.refused })
            })
            .collect()
    }
}
