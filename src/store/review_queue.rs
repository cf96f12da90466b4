//! The queue of staff: placements handed in of which a month may still wait for a word, oldest handing-in first.

use chrono::{DateTime, Utc};

use super::review_cases::{CaseKey, Holder};
use super::{Store, StoreError, place};
use crate::domain::facts::{PersonId, UnitId};

/// A place in the queue: after it the list goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub handed_in_at: DateTime<Utc>,
    pub case: CaseKey,
}

/// As a cursor: numbers alone.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let CaseKey { person, employer, year } = self.case;
        let ids = [person.0, i64::from(employer.0), i64::from(year)];
        place::Place { at: self.handed_in_at, ids }.fmt(f)
    }
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place::Place { at: handed_in_at, ids: [person, employer, year] } = text.parse()?;
        let wrong = || format!("`{text}` is no place in the list; take what the page before ended with");
        Ok(Self {
            handed_in_at,
            case: CaseKey {
                person: PersonId(person),
                employer: UnitId(i32::try_from(employer).map_err(|_| wrong())?),
                year: i16::try_from(year).map_err(|_| wrong())?,
            },
        })
    }
}

/// A case that may need somebody; whether it does, its months say.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub place: Place,
    /// Six digits.
    pub federation_division: String,
    pub holder: Option<Holder>,
}

/// For whom the queue is listed.
#[derive(Clone, Copy, Debug)]
pub struct Seat<'a> {
    /// The beginning of the divisions in reach; empty: all.
    pub division: &'a str,
    pub reviewer: &'a str,
    /// They may agree to what others proposed.
    pub seconds: bool,
}

impl Store {
    /// Candidates after a place, at most `limit`. Left out is what surely needs nobody: no ticked month of it fails, but for those that were
    /// decided by the verdict as it stands. With `free`, cases that another holds are left out too.
    pub async fn list_candidates(
        &self,
        seat: Seat<'_>,
        after: Option<Place>,
        free: bool,
        limit: i64,
        at: DateTime<Utc>,
    ) -> Result<Vec<Candidate>, StoreError> {
        let rows = sqlx::query!(
            r#"select h.handed_in_at, h.person_id, h.employer_id, h.year, e.federation_division,
                      r.reviewer as "reviewer?", r.lease_expires_at as "until?"
               from handing_in h
               join employer e on e.employer_id = h.employer_id and e.to_seq is null
               join verification v on v.person_id = h.person_id and v.employer_id = h.employer_id and v.year = h.year
               join placement p on p.person_id = h.person_id and p.employer_id = h.employer_id and p.year = h.year and p.to_seq is null
               left join review_case r on r.person_id = h.person_id and r.employer_id = h.employer_id and r.year = h.year
                    and r.lease_expires_at > $1
               where h.replaced_at is null
                 and starts_with(e.federation_division, $2)
                 and ($3::timestamptz is null
                      or (h.handed_in_at, h.person_id, h.employer_id, h.year) > ($3, $4, $5, $6))
                 and (not $7 or r.reviewer is null or r.reviewer = $8)
                 and not exists (select from declaration d where d.employer_id = h.employer_id and d.year = h.year
                                  and d.state ->> 'state' <> 'open')
                 and exists (
                     select from choice c
                     where c.person_id = h.person_id and c.employer_id = h.employer_id
                       and c.month between h.year * 12 and h.year * 12 + 11 and c.to_seq is null and c.ticked
                       and v.cells[c.month - h.year * 12 + 1] >> 23 & 1 = 0
                       and not exists (
                           select from month_decision m
                           where m.person_id = c.person_id and m.employer_id = c.employer_id and m.month = c.month
                             and m.ended_at is null and m.cell = v.cells[c.month - h.year * 12 + 1]
                             and (m.approved or coalesce(m.agreed_at, m.decided_at) >= h.handed_in_at)
                             and (not m.second_asked or m.agreed_at is not null or not $9 or m.decided_by = $8)))
               order by h.handed_in_at, h.person_id, h.employer_id, h.year
               limit $10"#,
            at,
            seat.division,
            after.map(|place| place.handed_in_at),
            after.map_or(0, |place| place.case.person.0),
            after.map_or(0, |place| place.case.employer.0),
            after.map_or(0, |place| place.case.year),
            free,
            seat.reviewer,
            seat.seconds,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| Candidate {
                place: Place {
                    handed_in_at: row.handed_in_at,
                    case: CaseKey {
                        person: PersonId(row.person_id),
                        employer: UnitId(row.employer_id),
                        year: row.year,
                    },
                },
                federation_division: row.federation_division,
                holder: row.reviewer.zip(row.until).map(|(reviewer, until)| Holder { reviewer, until }),
            })
            .collect())
    }
}
