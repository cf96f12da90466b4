//! What employers enter: employers, affiliates, placements, contracts; every change a new version under a publish sequence.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use sqlx::PgExecutor;

use super::jobs::word;
use super::people::{self, Named, PersonIndex, person_index};
use super::publish::Publish;
use super::{Store, StoreError};
use crate::domain::facts::{ContractKind, EmployerKind, PersonId, Relation, RetirementTrack, UnitId};
use crate::domain::ids::{ResidentId, Uscc};
use crate::domain::money::Fen;
use crate::domain::policy::{Policy, WageClass};

/// What an import did to the rows it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Saved {
    pub new: u64,
    pub changed: u64,
    pub same: u64,
}

impl Saved {
    fn of(rows: usize, closed: u64, inserted: u64) -> Self {
        Self { new: inserted - closed, changed: closed, same: rows as u64 - inserted }
    }

    pub fn writes(&self) -> bool {
        self.new + self.changed > 0
    }
}

/// An employer as entered.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Employer {
    pub unit: UnitId,
    pub name: String,
    pub kind: EmployerKind,
    pub division: String,
    /// Overrides the division's class, 1 to 3.
    pub wage_class: Option<u8>,
    pub federation_division: String,
    pub tax_division: String,
    /// An exact decimal, as entered.
    pub headcount: Option<String>,
    pub total_wages: Option<Fen>,
    pub wage_lag: u8,
}

impl Employer {
    /// The wage class on a day: the employer's own, else that of its division, if the policy knows one.
    pub fn class_on(&self, policy: &Policy, on: NaiveDate) -> Option<WageClass> {
        let own = self.wage_class.and_then(|class| WageClass::from_number(class.checked_sub(1)?));
        own.or_else(|| policy.class_on(&self.division, on))
    }
}

/// A unit that pays in the employer's stead.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Affiliate {
    pub employer: UnitId,
    pub year: i16,
    pub unit: UnitId,
    pub name: String,
    pub relation: Relation,
}

/// One person at one employer for one business year.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Placement {
    pub person: PersonId,
    pub employer: UnitId,
    pub year: i16,
    /// The dispatch company, if the person is dispatched.
    pub dispatch: Option<UnitId>,
    pub wage_payer: UnitId,
    pub pension_payer: UnitId,
    pub medical_payer: UnitId,
    pub track: Option<RetirementTrack>,
}

/// A contract of a placement.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ContractEntry {
    pub person: PersonId,
    pub employer: UnitId,
    pub year: i16,
    pub kind: ContractKind,
    pub starts_on: NaiveDate,
    pub ends_on: Option<NaiveDate>,
    pub terminated_on: Option<NaiveDate>,
}

impl Placement {
    /// The payers and the dispatch company.
    pub fn named_units(&self) -> impl Iterator<Item = UnitId> + use<> {
        [self.wage_payer, self.pension_payer, self.medical_payer].into_iter().chain(self.dispatch)
    }
}

impl Publish {
    pub async fn ensure_units(&mut self, codes: &[Uscc]) -> Result<HashMap<Uscc, UnitId>, StoreError> {
        people::ensure_units(self.connection(), codes).await
    }

    /// The units of these codes; who was never named is missing from the answer.
    pub async fn find_units(&mut self, codes: &[Uscc]) -> Result<HashMap<Uscc, UnitId>, StoreError> {
        let codes: Vec<String> = codes.iter().map(|code| code.as_str().to_owned()).collect();
        people::find_units(self.connection(), &codes).await
    }

    /// The persons with these ID numbers; who is not known is missing from the answer.
    pub async fn find_persons(
        &mut self,
        store: &Store,
        ids: &[ResidentId],
    ) -> Result<HashMap<ResidentId, PersonId>, StoreError> {
        let indexes: Vec<PersonIndex> = ids.iter().map(|id| person_index(store.keys(), id)).collect();
        let known = people::find_persons(self.connection(), &indexes).await?;
        let found = ids.iter().zip(&indexes).filter_map(|(id, index)| Some((*id, known.get(index)?.person)));
        Ok(found.collect())
    }

    /// As [`Store::list_employers`], as this publish sees them.
    pub async fn list_employers(&mut self, units: &[UnitId]) -> Result<Vec<Employer>, StoreError> {
        let seq = self.seq();
        list_employers(self.connection(), seq, units).await
    }

    /// As [`Store::list_affiliates`]; nobody else changes them before this publish ends.
    pub async fn list_affiliates(&mut self, employers: &[UnitId]) -> Result<Vec<Affiliate>, StoreError> {
        list_affiliates(self.connection(), employers).await
    }

    /// As [`Store::list_placements`]; nobody else changes them before this publish ends.
    pub async fn list_placements(&mut self, employers: &[UnitId]) -> Result<Vec<Placement>, StoreError> {
        list_placements(self.connection(), employers).await
    }

    /// As [`Store::list_frozen`]; a completion waits for the end of this publish.
    pub async fn list_frozen(&mut self) -> Result<HashSet<(UnitId, i16)>, StoreError> {
        list_frozen(self.connection()).await
    }

    /// Finds or makes these persons.
    pub async fn ensure_persons(
        &mut self,
        store: &Store,
        named: &[Named<'_>],
    ) -> Result<HashMap<PersonIndex, PersonId>, StoreError> {
        let known = people::ensure_persons(self.connection(), store.keys(), named).await?;
        Ok(known.into_iter().map(|(index, known)| (index, known.person)).collect())
    }

    pub async fn save_employers(&mut self, rows: &[Employer]) -> Result<Saved, StoreError> {
        let seq = self.seq();
        let ids: Vec<i32> = rows.iter().map(|row| row.unit.0).collect();
        let names: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
        let kinds: Vec<i16> = rows.iter().map(|row| i16::from(row.kind.number())).collect();
        let divisions: Vec<String> = rows.iter().map(|row| row.division.clone()).collect();
        let classes: Vec<Option<i16>> = rows.iter().map(|row| row.wage_class.map(i16::from)).collect();
        let federations: Vec<String> = rows.iter().map(|row| row.federation_division.clone()).collect();
        let taxes: Vec<String> = rows.iter().map(|row| row.tax_division.clone()).collect();
        let headcounts: Vec<Option<String>> = rows.iter().map(|row| row.headcount.clone()).collect();
        let wages: Vec<Option<i64>> = rows.iter().map(|row| row.total_wages.map(|fen| fen.0)).collect();
        let lags: Vec<i16> = rows.iter().map(|row| i16::from(row.wage_lag)).collect();
        let closed = sqlx::query!(
            "update employer e set to_seq = $11
             from unnest($1::int[], $2::text[], $3::smallint[], $4::text[], $5::smallint[], $6::text[], $7::text[],
                         $8::text[], $9::bigint[], $10::smallint[])
                  as i (id, name, kind, division, class, federation, tax, headcount, wages, lag)
             where e.employer_id = i.id and e.to_seq is null
               and (e.name, e.kind, e.division, e.wage_class, e.federation_division, e.tax_division, e.headcount,
                    e.total_wages_fen, e.wage_lag)
                   is distinct from
                   (i.name, i.kind, i.division, i.class, i.federation, i.tax, i.headcount::numeric, i.wages, i.lag)",
            &ids,
            &names,
            &kinds,
            &divisions,
            &classes as _,
            &federations,
            &taxes,
            &headcounts as _,
            &wages as _,
            &lags,
            seq
        )
        .execute(self.connection())
        .await?;
        let inserted = sqlx::query!(
            "insert into employer (employer_id, from_seq, name, kind, division, wage_class, federation_division,
                                   tax_division, headcount, total_wages_fen, wage_lag)
             select i.id, $11, i.name, i.kind, i.division, i.class, i.federation, i.tax, i.headcount::numeric, i.wages, i.lag
             from unnest($1::int[], $2::text[], $3::smallint[], $4::text[], $5::smallint[], $6::text[], $7::text[],
                         $8::text[], $9::bigint[], $10::smallint[])
                  as i (id, name, kind, division, class, federation, tax, headcount, wages, lag)
             where not exists (select from employer e where e.employer_id = i.id and e.to_seq is null)",
            &ids,
            &names,
            &kinds,
            &divisions,
            &classes as _,
            &federations,
            &taxes,
            &headcounts as _,
            &wages as _,
            &lags,
            seq
        )
        .execute(self.connection())
        .await?;
        Ok(Saved::of(rows.len(), closed.rows_affected(), inserted.rows_affected()))
    }

    pub async fn save_affiliates(&mut self, rows: &[Affiliate]) -> Result<Saved, StoreError> {
        let seq = self.seq();
        let employers: Vec<i32> = rows.iter().map(|row| row.employer.0).collect();
        let years: Vec<i16> = rows.iter().map(|row| row.year).collect();
        let units: Vec<i32> = rows.iter().map(|row| row.unit.0).collect();
        let names: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
        let relations: Vec<i16> = rows.iter().map(|row| i16::from(row.relation.number())).collect();
        let closed = sqlx::query!(
            "update affiliate a set to_seq = $6
             from unnest($1::int[], $2::smallint[], $3::int[], $4::text[], $5::smallint[])
                  as i (employer, year, unit, name, relation)
             where a.employer_id = i.employer and a.year = i.year and a.unit_id = i.unit and a.to_seq is null
               and (a.name, a.relation) is distinct from (i.name, i.relation)",
            &employers,
            &years,
            &units,
            &names,
            &relations,
            seq
        )
        .execute(self.connection())
        .await?;
        let inserted = sqlx::query!(
            "insert into affiliate (employer_id, year, unit_id, from_seq, name, relation)
             select i.employer, i.year, i.unit, $6, i.name, i.relation
             from unnest($1::int[], $2::smallint[], $3::int[], $4::text[], $5::smallint[])
                  as i (employer, year, unit, name, relation)
             where not exists (select from affiliate a where a.employer_id = i.employer and a.year = i.year
                                and a.unit_id = i.unit and a.to_seq is null)",
            &employers,
            &years,
            &units,
            &names,
            &relations,
            seq
        )
        .execute(self.connection())
        .await?;
        Ok(Saved::of(rows.len(), closed.rows_affected(), inserted.rows_affected()))
    }

    /// Saves placements; their persons are concerned from this publish on.
    pub async fn save_placements(&mut self, rows: &[Placement]) -> Result<Saved, StoreError> {
        let seq = self.seq();
        let persons: Vec<i64> = rows.iter().map(|row| row.person.0).collect();
        let employers: Vec<i32> = rows.iter().map(|row| row.employer.0).collect();
        let years: Vec<i16> = rows.iter().map(|row| row.year).collect();
        let dispatches: Vec<Option<i32>> = rows.iter().map(|row| row.dispatch.map(|unit| unit.0)).collect();
        let wages: Vec<i32> = rows.iter().map(|row| row.wage_payer.0).collect();
        let pensions: Vec<i32> = rows.iter().map(|row| row.pension_payer.0).collect();
        let medicals: Vec<i32> = rows.iter().map(|row| row.medical_payer.0).collect();
        let tracks: Vec<Option<i16>> =
            rows.iter().map(|row| row.track.map(|track| i16::from(track.number()))).collect();
        let closed = sqlx::query!(
            "update placement p set to_seq = $9
             from unnest($1::bigint[], $2::int[], $3::smallint[], $4::int[], $5::int[], $6::int[], $7::int[], $8::smallint[])
                  as i (person, employer, year, dispatch, wage, pension, medical, track)
             where p.person_id = i.person and p.employer_id = i.employer and p.year = i.year and p.to_seq is null
               and (p.dispatch_unit, p.wage_payer, p.pension_payer, p.medical_payer, p.retirement_track)
                   is distinct from (i.dispatch, i.wage, i.pension, i.medical, i.track)",
            &persons,
            &employers,
            &years,
            &dispatches as _,
            &wages,
            &pensions,
            &medicals,
            &tracks as _,
            seq
        )
        .execute(self.connection())
        .await?;
        let inserted = sqlx::query!(
            "insert into placement (person_id, employer_id, year, from_seq, dispatched, dispatch_unit, wage_payer,
                                    pension_payer, medical_payer, retirement_track)
             select i.person, i.employer, i.year, $9, i.dispatch is not null, i.dispatch, i.wage, i.pension, i.medical, i.track
             from unnest($1::bigint[], $2::int[], $3::smallint[], $4::int[], $5::int[], $6::int[], $7::int[], $8::smallint[])
                  as i (person, employer, year, dispatch, wage, pension, medical, track)
             where not exists (select from placement p where p.person_id = i.person and p.employer_id = i.employer
                                and p.year = i.year and p.to_seq is null)",
            &persons,
            &employers,
            &years,
            &dispatches as _,
            &wages,
            &pensions,
            &medicals,
            &tracks as _,
            seq
        )
        .execute(self.connection())
        .await?;
        people::mark_concerned(self.connection(), seq, &persons).await?;
        Ok(Saved::of(rows.len(), closed.rows_affected(), inserted.rows_affected()))
    }

    pub async fn save_contracts(&mut self, rows: &[ContractEntry]) -> Result<Saved, StoreError> {
        let seq = self.seq();
        let persons: Vec<i64> = rows.iter().map(|row| row.person.0).collect();
        let employers: Vec<i32> = rows.iter().map(|row| row.employer.0).collect();
        let years: Vec<i16> = rows.iter().map(|row| row.year).collect();
        let kinds: Vec<i16> = rows.iter().map(|row| i16::from(row.kind.number())).collect();
        let starts: Vec<NaiveDate> = rows.iter().map(|row| row.starts_on).collect();
        let ends: Vec<Option<NaiveDate>> = rows.iter().map(|row| row.ends_on).collect();
        let terminations: Vec<Option<NaiveDate>> = rows.iter().map(|row| row.terminated_on).collect();
        let closed = sqlx::query!(
            "update contract c set to_seq = $8
             from unnest($1::bigint[], $2::int[], $3::smallint[], $4::smallint[], $5::date[], $6::date[], $7::date[])
                  as i (person, employer, year, kind, starts_on, ends_on, terminated_on)
             where c.person_id = i.person and c.employer_id = i.employer and c.year = i.year and c.kind = i.kind
               and c.starts_on = i.starts_on and c.to_seq is null
               and (c.ends_on, c.terminated_on) is distinct from (i.ends_on, i.terminated_on)",
            &persons,
            &employers,
            &years,
            &kinds,
            &starts,
            &ends as _,
            &terminations as _,
            seq
        )
        .execute(self.connection())
        .await?;
        let inserted = sqlx::query!(
            "insert into contract (person_id, employer_id, year, kind, starts_on, from_seq, ends_on, terminated_on)
             select i.person, i.employer, i.year, i.kind, i.starts_on, $8, i.ends_on, i.terminated_on
             from unnest($1::bigint[], $2::int[], $3::smallint[], $4::smallint[], $5::date[], $6::date[], $7::date[])
                  as i (person, employer, year, kind, starts_on, ends_on, terminated_on)
             where not exists (select from contract c where c.person_id = i.person and c.employer_id = i.employer
                                and c.year = i.year and c.kind = i.kind and c.starts_on = i.starts_on and c.to_seq is null)",
            &persons,
            &employers,
            &years,
            &kinds,
            &starts,
            &ends as _,
            &terminations as _,
            seq
        )
        .execute(self.connection())
        .await?;
        Ok(Saved::of(rows.len(), closed.rows_affected(), inserted.rows_affected()))
    }
}

impl Store {
    /// Those of the units that are employers at a publish sequence.
    pub async fn list_employers(&self, seq: i64, units: &[UnitId]) -> Result<Vec<Employer>, StoreError> {
        list_employers(&self.pool, seq, units).await
    }

    /// Every employer there is now.
    pub async fn list_employer_units(&self) -> Result<Vec<UnitId>, StoreError> {
        let units = sqlx::query_scalar!("select employer_id from employer where to_seq is null order by employer_id")
            .fetch_all(&self.pool)
            .await?;
        Ok(units.into_iter().map(UnitId).collect())
    }

    /// Affiliates in force of these employers.
    pub async fn list_affiliates(&self, employers: &[UnitId]) -> Result<Vec<Affiliate>, StoreError> {
        list_affiliates(&self.pool, employers).await
    }

    /// Placements in force of these employers.
    pub async fn list_placements(&self, employers: &[UnitId]) -> Result<Vec<Placement>, StoreError> {
        list_placements(&self.pool, employers).await
    }

    /// Which employers' declarations are no longer open, by year: their entries are frozen.
    pub async fn list_frozen(&self) -> Result<HashSet<(UnitId, i16)>, StoreError> {
        list_frozen(&self.pool).await
    }
}

async fn list_employers(
    executor: impl PgExecutor<'_>,
    seq: i64,
    units: &[UnitId],
) -> Result<Vec<Employer>, StoreError> {
    let units: Vec<i32> = units.iter().map(|unit| unit.0).collect();
    let rows = sqlx::query!(
        r#"select employer_id, name, kind, division, wage_class, federation_division, tax_division,
                  headcount::text as headcount, total_wages_fen, wage_lag
           from employer
           where from_seq <= $1 and (to_seq is null or to_seq > $1) and employer_id = any($2)
           order by employer_id"#,
        seq,
        &units
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            let wrong = |column| StoreError::inconsistent("employer", column, row.employer_id);
            Ok(Employer {
                unit: UnitId(row.employer_id),
                name: row.name,
                kind: word(row.kind, EmployerKind::from_number).ok_or_else(|| wrong("kind"))?,
                division: row.division,
                wage_class: word_or_none(row.wage_class, |class| (1..=3).contains(&class).then_some(class))
                    .ok_or_else(|| wrong("wage_class"))?,
                federation_division: row.federation_division,
                tax_division: row.tax_division,
                headcount: row.headcount,
                total_wages: row.total_wages_fen.map(Fen),
                wage_lag: u8::try_from(row.wage_lag).map_err(|_| wrong("wage_lag"))?,
            })
        })
        .collect()
}

async fn list_affiliates(executor: impl PgExecutor<'_>, employers: &[UnitId]) -> Result<Vec<Affiliate>, StoreError> {
    let ids: Vec<i32> = employers.iter().map(|unit| unit.0).collect();
    let rows = sqlx::query!(
        "select employer_id, year, unit_id, name, relation from affiliate
         where employer_id = any($1) and to_seq is null order by employer_id, year, unit_id",
        &ids
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Affiliate {
                employer: UnitId(row.employer_id),
                year: row.year,
                unit: UnitId(row.unit_id),
                name: row.name,
                relation: word(row.relation, Relation::from_number)
                    .ok_or_else(|| StoreError::inconsistent("affiliate", "relation", row.unit_id))?,
            })
        })
        .collect()
}

async fn list_placements(executor: impl PgExecutor<'_>, employers: &[UnitId]) -> Result<Vec<Placement>, StoreError> {
    let ids: Vec<i32> = employers.iter().map(|unit| unit.0).collect();
    let rows = sqlx::query!(
        "select person_id, employer_id, year, dispatch_unit, wage_payer, pension_payer, medical_payer, retirement_track
         from placement where employer_id = any($1) and to_seq is null order by employer_id, year, person_id",
        &ids
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Placement {
                person: PersonId(row.person_id),
                employer: UnitId(row.employer_id),
                year: row.year,
                dispatch: row.dispatch_unit.map(UnitId),
                wage_payer: UnitId(row.wage_payer),
                pension_payer: UnitId(row.pension_payer),
                medical_payer: UnitId(row.medical_payer),
                track: word_or_none(row.retirement_track, RetirementTrack::from_number)
                    .ok_or_else(|| StoreError::inconsistent("placement", "retirement_track", row.person_id))?,
            })
        })
        .collect()
}

async fn list_frozen(executor: impl PgExecutor<'_>) -> Result<HashSet<(UnitId, i16)>, StoreError> {
    let rows = sqlx::query!("select employer_id, year from declaration where state->>'state' <> 'open'")
        .fetch_all(executor)
        .await?;
    Ok(rows.into_iter().map(|row| (UnitId(row.employer_id), row.year)).collect())
}

/// `Some(None)` for null, `None` for a number that stands for nothing.
#[expect(clippy::option_option, reason = "null and a number that stands for nothing are different things")]
pub(super) fn word_or_none<T>(number: Option<i16>, from_number: impl FnOnce(u8) -> Option<T>) -> Option<Option<T>> {
    match number {
        None => Some(None),
        Some(number) => word(number, from_number).map(Some),
    }
}
