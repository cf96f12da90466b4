//! Objections of persons to being counted: what they say rests encrypted, and so does the answer.

use chrono::{DateTime, Utc};

use super::change::Change;
use super::choices::month_of;
use super::people::reserve;
use super::{Store, StoreError};
use crate::crypto::{Keys, Place};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::objection::{Finding, ObjectionKind};

/// What a person objects to.
#[derive(Clone, Copy, Debug)]
pub struct NewObjection<'a> {
    pub person: PersonId,
    pub employer: UnitId,
    pub months: &'a [Month],
    pub kind: ObjectionKind,
    pub text: &'a str,
    pub at: DateTime<Utc>,
}

/// What staff answer.
#[derive(Clone, Copy, Debug)]
pub struct NewAnswer<'a> {
    pub finding: Finding,
    /// To the person.
    pub text: &'a str,
    pub by: &'a str,
    pub at: DateTime<Utc>,
}

/// An objection without its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    pub objection_id: i64,
    pub person: PersonId,
    pub employer: UnitId,
    pub uscc: Uscc,
    /// Empty where the employer's own data is not entered any more.
    pub employer_name: String,
    /// Six digits, or empty as the name.
    pub federation_division: String,
    pub months: Vec<Month>,
    pub kind: ObjectionKind,
    pub raised_at: DateTime<Utc>,
    pub answered: Option<Answered>,
}

/// How and when it was answered, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub finding: Finding,
    pub at: DateTime<Utc>,
    pub by: String,
}

/// What was said on both sides.
#[derive(Clone, Debug)]
pub struct Words {
    pub text: String,
    pub answer: Option<String>,
}

fn content_place(row: i64) -> Place<'static> {
    Place { table: "objection", column: "content", row }
}

fn answer_place(row: i64) -> Place<'static> {
    Place { table: "objection", column: "answer", row }
}

/// Asks for objections with their employers: `$rest` says which, `o` being the objection and `e` the employer as it is entered now.
macro_rules! objections {
    ($rest:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select o.objection_id, o.person_id, o.employer_id, u.uscc, coalesce(e.name, '') as "employer_name!",
                      coalesce(e.federation_division, '') as "federation_division!", o.months, o.kind, o.raised_at,
                      o.finding, o.answered_at, o.answered_by
               from objection o join unit u on u.unit_id = o.employer_id
               left join employer e on e.employer_id = o.employer_id and e.to_seq is null
               "# + $rest,
            $($argument),+
        )
    };
}

impl Change {
    /// How many objections of the person wait for an answer.
    pub async fn count_open_objections(&mut self, person: PersonId) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select count(*) as "count!" from objection where person_id = $1 and answered_at is null"#,
            person.0
        )
        .fetch_one(self.connection())
        .await?)
    }

    /// Keeps an objection; its number.
    pub async fn save_objection(&mut self, store: &Store, new: &NewObjection<'_>) -> Result<i64, StoreError> {
        let ids = reserve(self.connection(), "objection_id_seq", 1).await?;
        let id = ids.first().copied().ok_or(StoreError::frame("no number for an objection"))?;
        let months: Vec<i32> = new.months.iter().map(|month| month.index()).collect();
        sqlx::query!(
            "insert into objection (objection_id, person_id, employer_id, months, kind, content, raised_at)
             values ($1, $2, $3, $4, $5, $6, $7)",
            id,
            new.person.0,
            new.employer.0,
            &months,
            new.kind.as_str(),
            store.keys().encrypt(new.text.as_bytes(), content_place(id))?,
            new.at
        )
        .execute(self.connection())
        .await?;
        Ok(id)
    }

    /// Answers; false if it is answered already, or there is none.
    pub async fn answer_objection(
        &mut self,
        store: &Store,
        objection_id: i64,
        answer: &NewAnswer<'_>,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update objection set finding = $2, answer = $3, answered_at = $4, answered_by = $5
             where objection_id = $1 and answered_at is null",
            objection_id,
            answer.finding.as_str(),
            store.keys().encrypt(answer.text.as_bytes(), answer_place(objection_id))?,
            answer.at,
            answer.by
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

impl Store {
    /// Objections that wait in the divisions with this beginning, the oldest first, after one.
    pub async fn list_open_objections(
        &self,
        division: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Objection>, StoreError> {
        let rows = objections!(
            r"where o.answered_at is null and o.objection_id > $1
                 and starts_with(coalesce(e.federation_division, ''), $2)
               order by o.objection_id limit $3",
            after,
            division,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Row::read).collect()
    }

    /// A person's own objections, the newest first, before one.
    pub async fn list_objections_of(
        &self,
        person: PersonId,
        before: i64,
        limit: i64,
    ) -> Result<Vec<Objection>, StoreError> {
        let rows = objections!(
            "where o.person_id = $1 and o.objection_id < $2 order by o.objection_id desc limit $3",
            person.0,
            before,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Row::read).collect()
    }

    pub async fn find_objection(&self, objection_id: i64) -> Result<Option<Objection>, StoreError> {
        let row = objections!("where o.objection_id = $1", objection_id).fetch_optional(&self.pool).await?;
        row.map(Row::read).transpose()
    }

    /// The words of objections, in the order asked. Auditing is the caller's duty.
    pub async fn objection_words(&self, objection_ids: &[i64]) -> Result<Vec<Words>, StoreError> {
        let rows = sqlx::query!(
            r#"select o.objection_id, o.content, o.answer
               from unnest($1::bigint[]) with ordinality as i (objection_id, place)
               join objection o on o.objection_id = i.objection_id order by i.place"#,
            objection_ids
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let answer = row.answer.map(|answer| open(self.keys(), &answer, answer_place(row.objection_id)));
                Ok(Words {
                    text: open(self.keys(), &row.content, content_place(row.objection_id))?,
                    answer: answer.transpose()?,
                })
            })
            .collect()
    }
}

fn open(keys: &Keys, sealed: &[u8], place: Place<'static>) -> Result<String, StoreError> {
    let wrong = || StoreError::inconsistent(place.table, place.column, place.row);
    String::from_utf8(keys.decrypt(sealed, place)?).map_err(|_| wrong())
}

struct Row {
    objection_id: i64,
    person_id: i64,
    employer_id: i32,
    uscc: String,
    employer_name: String,
    federation_division: String,
    months: Vec<i32>,
    kind: String,
    raised_at: DateTime<Utc>,
    finding: Option<String>,
    answered_at: Option<DateTime<Utc>>,
    answered_by: Option<String>,
}

impl Row {
    fn read(self) -> Result<Objection, StoreError> {
        let wrong = |column| StoreError::inconsistent("objection", column, self.objection_id);
        let finding = match &self.finding {
            None => None,
            Some(word) => Some(Finding::parse(word).ok_or_else(|| wrong("finding"))?),
        };
        let answered =
            finding.zip(self.answered_at).zip(self.answered_by).map(|((finding, at), by)| Answered { finding, at, by });
        Ok(Objection {
            objection_id: self.objection_id,
            person: PersonId(self.person_id),
            employer: UnitId(self.employer_id),
            uscc: Uscc::parse(&self.uscc).map_err(|_| StoreError::inconsistent("unit", "uscc", self.employer_id))?,
            employer_name: self.employer_name,
            federation_division: self.federation_division,
            months: self.months.iter().map(|month| month_of("objection", *month)).collect::<Result<_, _>>()?,
            kind: ObjectionKind::parse(&self.kind).ok_or_else(|| wrong("kind"))?,
            raised_at: self.raised_at,
            answered,
        })
    }
}
