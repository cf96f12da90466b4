//! How an agency finds rows: by page, by stamp, and by person.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::province::Province;
use super::rows::{InsuranceRow, PersonIndex, WageRow};
use crate::domain::ids::ResidentId;

/// What a row must tell to be found.
pub trait Shelved {
    fn person(&self) -> PersonIndex;
    fn stamp_s(&self) -> u32;
}

impl Shelved for WageRow {
    fn person(&self) -> PersonIndex {
        self.person
    }

    fn stamp_s(&self) -> u32 {
        self.stamp_s
    }
}

impl Shelved for InsuranceRow {
    fn person(&self) -> PersonIndex {
        self.person
    }

    fn stamp_s(&self) -> u32 {
        self.stamp_s
    }
}

/// Which rows are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Where to go on: the place of a row.
    pub from: usize,
    /// Rows at most.
    pub limit: usize,
    /// Stamped at this second or later.
    pub since_s: Option<u32>,
}

/// The rows found, and where the next page begins.
pub struct Found<'a, R> {
    pub rows: Vec<&'a R>,
    pub next: Option<usize>,
}

/// The page that begins at `wanted.from`.
pub fn page<R: Shelved>(rows: &[R], wanted: Wanted) -> Found<'_, R> {
    let fits = |row: &R| wanted.since_s.is_none_or(|since_s| row.stamp_s() >= since_s);
    let mut found = Vec::with_capacity(wanted.limit.min(rows.len()));
    for (place, row) in rows.iter().enumerate().skip(wanted.from) {
        if fits(row) {
            if found.len() == wanted.limit {
                return Found { rows: found, next: Some(place) };
            }
            found.push(row);
        }
    }
    Found { rows: found, next: None }
}

/// How many rows there are in all.
pub fn count<R: Shelved>(rows: &[R], since_s: Option<u32>) -> usize {
    since_s.map_or(rows.len(), |since_s| rows.iter().filter(|row| row.stamp_s() >= since_s).count())
}

/// Finds a person's rows; built when somebody asks first.
#[derive(Default)]
pub struct ByPerson {
    people: OnceLock<HashMap<[u8; 18], PersonIndex>>,
    order: OnceLock<Vec<u32>>,
}

impl ByPerson {
    /// All rows of the person with this ID number, however it is spelt; none for a number nobody has.
    pub fn find<'a, R: Shelved>(&self, province: &Province, rows: &'a [R], id_number: &str) -> Vec<&'a R> {
        let Ok(id) = ResidentId::parse(id_number) else { return Vec::new() };
        let people = self.people.get_or_init(|| {
            let numbered = province.people.iter().enumerate();
            numbered.map(|(place, person)| (person.id_number, place as PersonIndex)).collect()
        });
        let number: Option<[u8; 18]> = id.reveal().as_bytes().try_into().ok();
        let Some(person) = number.and_then(|number| people.get(&number).copied()) else { return Vec::new() };
        let order = self.order.get_or_init(|| {
            let mut order: Vec<u32> = (0..rows.len() as u32).collect();
            order.sort_by_key(|place| rows[*place as usize].person());
            order
        });
        let first = order.partition_point(|place| rows[*place as usize].person() < person);
        let of_person = order[first..].iter().map(|place| &rows[*place as usize]);
        of_person.take_while(|row| row.person() == person).collect()
    }
}
