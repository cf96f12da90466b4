//! Persons and units: found by blind index and by code, made when first heard of, shown masked.

use std::collections::HashMap;

use chrono::NaiveDate;
use sqlx::{PgConnection, PgExecutor};

use super::change::Change;
use super::{Store, StoreError};
use crate::crypto::{Keys, Place};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::ids::{ResidentId, Sex, Uscc, mask_name};

/// A person as somebody named them.
#[derive(Clone, Debug)]
pub struct Named<'a> {
    pub id: ResidentId,
    pub name: &'a str,
}

/// Whom a blind index led to.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub person: PersonId,
    /// Holds a certificate or is placed.
    pub concerned: bool,
}

/// The key under which a person is found.
pub type PersonIndex = [u8; 32];

pub fn person_index(keys: &Keys, id: &ResidentId) -> PersonIndex {
    keys.blind_index("person", id.reveal())
}

/// Finds persons by index; who is not there is missing from the answer.
pub(super) async fn find_persons(
    connection: &mut PgConnection,
    indexes: &[PersonIndex],
) -> Result<HashMap<PersonIndex, Known>, StoreError> {
    let wanted: Vec<Vec<u8>> = indexes.iter().map(|index| index.to_vec()).collect();
    let rows = sqlx::query!(
        r#"select id_index, person_id, concerned_seq is not null as "concerned!" from person where id_index = any($1)"#,
        &wanted
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let index = PersonIndex::try_from(row.id_index.as_slice())
                .map_err(|_| StoreError::inconsistent("person", "id_index", row.person_id))?;
            Ok((index, Known { person: PersonId(row.person_id), concerned: row.concerned }))
        })
        .collect()
}

/// Finds persons, and makes those nobody has heard of. Two who make the same person at once get the same one.
pub(super) async fn ensure_persons(
    connection: &mut PgConnection,
    keys: &Keys,
    people: &[Named<'_>],
) -> Result<HashMap<PersonIndex, Known>, StoreError> {
    let indexes: Vec<PersonIndex> = people.iter().map(|named| person_index(keys, &named.id)).collect();
    let mut known = find_persons(&mut *connection, &indexes).await?;
    let mut missing: HashMap<PersonIndex, &Named<'_>> = HashMap::new();
    for (index, named) in indexes.iter().zip(people) {
        if !known.contains_key(index) {
            missing.entry(*index).or_insert(named);
        }
    }
    if missing.is_empty() {
        return Ok(known);
    }
    // in the order of the indexes, so that two transactions that make the same persons wait and do not deadlock
    let mut missing: Vec<(PersonIndex, &Named<'_>)> = missing.into_iter().collect();
    missing.sort_unstable_by_key(|(index, _)| *index);
    let ids = reserve(&mut *connection, "person_id_seq", missing.len()).await?;
    let mut rows = NewPersons::default();
    for ((index, named), id) in missing.iter().zip(&ids) {
        rows.push(keys, *id, index, named)?;
    }
    rows.insert(&mut *connection).await?;
    let made: Vec<PersonIndex> = missing.iter().map(|(index, _)| *index).collect();
    known.extend(find_persons(connection, &made).await?);
    Ok(known)
}

/// Takes `count` numbers from a sequence in one round trip.
pub(super) async fn reserve(
    connection: &mut PgConnection,
    sequence: &str,
    count: usize,
) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"select nextval($1::text::regclass) as "id!" from generate_series(1, $2::bigint)"#,
        sequence,
        count as i64
    )
    .fetch_all(connection)
    .await?)
}

#[derive(Default)]
struct NewPersons {
    ids: Vec<i64>,
    indexes: Vec<Vec<u8>>,
    id_numbers: Vec<Vec<u8>>,
    names: Vec<Vec<u8>>,
    born_on: Vec<NaiveDate>,
    sexes: Vec<i16>,
}

impl NewPersons {
    fn push(&mut self, keys: &Keys, id: i64, index: &PersonIndex, named: &Named<'_>) -> Result<(), StoreError> {
        self.ids.push(id);
        self.indexes.push(index.to_vec());
        self.id_numbers.push(keys.encrypt(named.id.reveal().as_bytes(), id_number_place(id))?);
        self.names.push(keys.encrypt(named.name.as_bytes(), name_place(id))?);
        self.born_on.push(named.id.birth_date());
        self.sexes.push(i16::from(named.id.sex() == Sex::Female));
        Ok(())
    }

    async fn insert(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into person (person_id, id_index, id_number, name, born_on, sex)
             select * from unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::date[], $6::smallint[])
             on conflict (id_index) do nothing",
            &self.ids,
            &self.indexes,
            &self.id_numbers,
            &self.names,
            &self.born_on,
            &self.sexes
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

fn id_number_place(row: i64) -> Place<'static> {
    Place { table: "person", column: "id_number", row }
}

pub(super) fn name_place(row: i64) -> Place<'static> {
    Place { table: "person", column: "name", row }
}

/// Marks persons as concerned from this publish on; who was before stays as they were.
pub(super) async fn mark_concerned(
    connection: &mut PgConnection,
    seq: i64,
    persons: &[i64],
) -> Result<u64, StoreError> {
    let changed = sqlx::query!(
        "update person set concerned_seq = $1 where person_id = any($2) and concerned_seq is null and person_id <> 0",
        seq,
        persons
    )
    .execute(connection)
    .await?;
    Ok(changed.rows_affected())
}

/// The units of these codes, interned when first heard of.
pub(super) async fn ensure_units(
    connection: &mut PgConnection,
    codes: &[Uscc],
) -> Result<HashMap<Uscc, UnitId>, StoreError> {
    let mut wanted: Vec<String> = codes.iter().map(|code| code.as_str().to_owned()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut units = find_units(&mut *connection, &wanted).await?;
    if units.len() < wanted.len() {
        sqlx::query!("insert into unit (uscc) select unnest($1::text[]) on conflict (uscc) do nothing", &wanted)
            .execute(&mut *connection)
            .await?;
        units = find_units(connection, &wanted).await?;
    }
    Ok(units)
}

pub(super) async fn find_units(
    connection: &mut PgConnection,
    codes: &[String],
) -> Result<HashMap<Uscc, UnitId>, StoreError> {
    let rows = sqlx::query!("select unit_id, uscc from unit where uscc = any($1)", codes).fetch_all(connection).await?;
    rows.into_iter()
        .map(|row| {
            let code = Uscc::parse(&row.uscc).map_err(|_| StoreError::inconsistent("unit", "uscc", row.unit_id))?;
            Ok((code, UnitId(row.unit_id)))
        })
        .collect()
}

/// A person as they may be shown to one who may see them whole.
#[derive(Clone, Debug)]
pub struct Identity {
    pub person: PersonId,
    pub id: ResidentId,
    pub name: String,
}

impl Identity {
    /// As everybody who may hear of the person may see them.
    pub fn masked(&self) -> String {
        format!("{} {}", mask_name(&self.name), self.id.masked())
    }
}

/// A person, masked; by their number where they are not known by name.
pub fn masked(known: Option<&Identity>, person: PersonId) -> String {
    known.map_or_else(|| format!("person {}", person.0), Identity::masked)
}

impl Store {
    /// The person with this ID number.
    pub async fn find_person(&self, id: &ResidentId) -> Result<Option<PersonId>, StoreError> {
        let index = person_index(&self.keys, id);
        let mut connection = self.pool.acquire().await?;
        let found = find_persons(&mut connection, &[index]).await?;
        Ok(found.get(&index).map(|known| known.person))
    }

    /// People who became concerned in a publish after `after`, up to `up_to`; `limit` of them at most.
    pub async fn persons_concerned(&self, after: i64, up_to: i64, limit: i64) -> Result<Vec<PersonId>, StoreError> {
        let rows = sqlx::query_scalar!(
            "select person_id from person where concerned_seq > $1 and concerned_seq <= $2 order by person_id limit $3",
            after,
            up_to,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(PersonId).collect())
    }

    /// The latest publish after `after` in which anybody became concerned.
    pub async fn latest_concern(&self, after: i64) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query_scalar!("select max(concerned_seq) from person where concerned_seq > $1", after)
            .fetch_one(&self.pool)
            .await?)
    }

    /// Who these persons are. Masking is the caller's duty, auditing too.
    pub async fn identities(&self, persons: &[PersonId]) -> Result<HashMap<PersonId, Identity>, StoreError> {
        let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
        let rows = sqlx::query!(
            "select person_id, id_number, name from person where person_id = any($1) and person_id <> 0",
            &ids
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let person = PersonId(row.person_id);
                Ok((person, self.read_identity(person, &row.id_number, &row.name)?))
            })
            .collect()
    }

    /// Who a person is, decrypted.
    pub(super) fn read_identity(
        &self,
        person: PersonId,
        id_number: &[u8],
        name: &[u8],
    ) -> Result<Identity, StoreError> {
        let wrong = |column| StoreError::inconsistent("person", column, person.0);
        let number = self.keys.decrypt(id_number, id_number_place(person.0))?;
        let id = std::str::from_utf8(&number).ok().and_then(|text| ResidentId::parse(text).ok());
        let name = String::from_utf8(self.keys.decrypt(name, name_place(person.0))?).map_err(|_| wrong("name"))?;
        Ok(Identity { person, id: id.ok_or_else(|| wrong("id_number"))?, name })
    }

    /// The unit with this code, if anybody ever named it.
    pub async fn find_unit(&self, code: &Uscc) -> Result<Option<UnitId>, StoreError> {
        let found = sqlx::query_scalar!("select unit_id from unit where uscc = $1", code.as_str())
            .fetch_optional(&self.pool)
            .await?;
        Ok(found.map(UnitId))
    }

    /// The codes of these units.
    pub async fn unit_codes(&self, units: &[UnitId]) -> Result<HashMap<UnitId, Uscc>, StoreError> {
        unit_codes(&self.pool, units).await
    }
}

impl Change {
    /// As [`Store::unit_codes`], those that this change interned included.
    pub async fn unit_codes(&mut self, units: &[UnitId]) -> Result<HashMap<UnitId, Uscc>, StoreError> {
        unit_codes(self.connection(), units).await
    }
}

async fn unit_codes(executor: impl PgExecutor<'_>, units: &[UnitId]) -> Result<HashMap<UnitId, Uscc>, StoreError> {
    let ids: Vec<i32> = units.iter().map(|unit| unit.0).collect();
    let rows = sqlx::query!("select unit_id, uscc from unit where unit_id = any($1)", &ids).fetch_all(executor).await?;
    rows.into_iter()
        .map(|row| {
            let code = Uscc::parse(&row.uscc).map_err(|_| StoreError::inconsistent("unit", "uscc", row.unit_id))?;
            Ok((UnitId(row.unit_id), code))
        })
        .collect()
}
