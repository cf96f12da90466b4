//! Gathers facts: columns out of Postgres are joined onto the placements by polars and laid out person by person.

use std::collections::HashMap;

use polars::prelude::*;

use super::contest::{Stated, What};
use crate::domain::facts::{
    Certificate, CertificateKind, CertificateStatus, Contract, ContractKind, ContributionStatus, Coverage,
    DispatchFiling, Insurance, Payment, PersonId, RetirementTrack, Scheme, UnitId, VersionId, Wage,
};
use crate::domain::ids::Sex;
use crate::domain::judge::Subject;
use crate::domain::money::Fen;
use crate::domain::month::Month;
use crate::store::facts::{Columns, Scope};
use crate::store::frames::{NULL_4, NULL_8, day_from_2000, instant_from_2000};
use crate::store::{Store, StoreError};

/// Why facts could not be gathered.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    #[error("the facts could not be read")]
    Store(#[from] StoreError),
    #[error("the columns could not be joined")]
    Frame(#[from] PolarsError),
    #[error("stored `{0}` holds a number that stands for nothing")]
    Word(&'static str),
}

/// One placement with what the judge asks of it and its person.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    pub person: PersonId,
    pub employer: UnitId,
    pub concerned_seq: Option<i64>,
    pub subject: Subject,
}

/// Rows by key, sorted: those of one key are a slice.
#[derive(Debug)]
pub struct Grouped<K, T> {
    keys: Vec<K>,
    rows: Vec<T>,
}

impl<K: Ord, T> Grouped<K, T> {
    fn new(keys: Vec<K>, rows: Vec<T>) -> Self {
        debug_assert!(keys.is_sorted());
        Self { keys, rows }
    }

    pub fn of(&self, key: &K) -> &[T] {
        let start = self.keys.partition_point(|other| other < key);
        let length = self.keys[start..].partition_point(|other| other <= key);
        &self.rows[start..start + length]
    }
}

/// The facts of a scope.
#[derive(Debug)]
pub struct Gathered {
    /// By person and employer.
    pub placements: Vec<Placed>,
    pub wages: Grouped<i64, Wage>,
    pub insurances: Grouped<i64, Insurance>,
    pub certificates: Grouped<i64, Certificate>,
    pub contracts: Grouped<(i64, i32), Contract>,
    pub stakes: Grouped<i64, Stated>,
    pub filings: HashMap<UnitId, Vec<DispatchFiling>>,
}

/// Reads and joins everything that a scope's verdicts rest on.
pub async fn gather(store: &Store, scope: &Scope) -> Result<Gathered, GatherError> {
    // each on a connection of its own: for one person it is the way there and back that takes time
    let (placements_read, wages, insurances, certificates, contracts, stakes, filings_read) = tokio::try_join!(
        store.placement_columns(scope),
        store.wage_columns(scope),
        store.insurance_columns(scope),
        store.certificate_columns(scope),
        store.contract_columns(scope),
        store.stake_columns(scope),
        store.dispatch_filings(scope.seq),
    )?;
    let placements = placements(placements_read)?;
    let placed = placed_persons(&placements)?;
    let wages = joined(wages, &["version_id", "amount_fen"], &["period", "payer"], &placed)?;
    let insurances = joined(
        insurances,
        &["version_id"],
        &["period", "scheme", "coverage", "insured", "status", "payment"],
        &placed,
    )?;
    let certificates = joined(
        certificates,
        &["version_id", "updated_at"],
        &["kind", "level", "valid_from", "valid_to", "status", "status_since"],
        &placed,
    )?;
    let contracts = joined(contracts, &[], &["employer_id", "kind", "starts_on", "ends_on", "terminated_on"], &placed)?;
    let stakes = joined(stakes, &[], &["month", "employer_id", "what"], &placed)?;
    let mut filings: HashMap<UnitId, Vec<DispatchFiling>> = HashMap::new();
    for filing in filings_read {
        filings.entry(filing.dispatcher).or_default().push(filing);
    }
    Ok(Gathered {
        wages: wage_rows(&wages)?,
        insurances: insurance_rows(&insurances)?,
        certificates: certificate_rows(&certificates)?,
        contracts: contract_rows(&contracts)?,
        stakes: stake_rows(&stakes)?,
        placements,
        filings,
    })
}

/// The wages of the persons of a scope, whether or not they are placed in its year.
pub async fn wages_of(store: &Store, scope: &Scope) -> Result<Vec<(PersonId, Wage)>, GatherError> {
    let mut columns = store.wage_columns(scope).await?;
    let (persons, versions) = (columns.take_int8("person_id")?, columns.take_int8("version_id")?);
    let (amounts, periods) = (columns.take_int8("amount_fen")?, columns.take_int4("period")?);
    let payers = columns.take_int4("payer")?;
    (0..persons.len())
        .map(|row| {
            let wage = Wage {
                version: VersionId(versions[row]),
                period: Month::from_index(periods[row]).ok_or(GatherError::Word("period"))?,
                payer: UnitId(payers[row]),
                amount: Fen(amounts[row]),
            };
            Ok((PersonId(persons[row]), wage))
        })
        .collect()
}

fn placements(mut columns: Columns) -> Result<Vec<Placed>, GatherError> {
    let (persons, concerned) = (columns.take_int8("person_id")?, columns.take_int8("concerned_seq")?);
    let (employers, dispatches) = (columns.take_int4("employer_id")?, columns.take_int4("dispatch_unit")?);
    let (wages, pensions) = (columns.take_int4("wage_payer")?, columns.take_int4("pension_payer")?);
    let (medicals, tracks) = (columns.take_int4("medical_payer")?, columns.take_int4("retirement_track")?);
    let (births, sexes) = (columns.take_int4("born_on")?, columns.take_int4("sex")?);
    (0..persons.len())
        .map(|row| {
            Ok(Placed {
                person: PersonId(persons[row]),
                employer: UnitId(employers[row]),
                concerned_seq: Some(concerned[row]).filter(|seq| *seq != NULL_8),
                subject: Subject {
                    born_on: day_from_2000(births[row]).ok_or(GatherError::Word("born_on"))?,
                    sex: if sexes[row] == 0 { Sex::Male } else { Sex::Female },
                    track: optional_word(tracks[row], RetirementTrack::from_number, "retirement_track")?,
                    wage_payer: UnitId(wages[row]),
                    pension_payer: UnitId(pensions[row]),
                    medical_payer: UnitId(medicals[row]),
                    dispatch: Some(dispatches[row]).filter(|unit| *unit != NULL_4).map(UnitId),
                },
            })
        })
        .collect()
}

/// The persons who are placed, each once: what the facts are joined onto.
fn placed_persons(placements: &[Placed]) -> Result<DataFrame, PolarsError> {
    let mut persons: Vec<i64> = placements.iter().map(|placed| placed.person.0).collect();
    persons.dedup();
    frame(vec![Column::new("person_id".into(), persons)])
}

fn frame(columns: Vec<Column>) -> Result<DataFrame, PolarsError> {
    DataFrame::new_infer_height(columns)
}

/// The columns of the placed persons' rows, sorted by person: a semi-join, since most certificate holders are placed nowhere.
fn joined(
    mut columns: Columns,
    wide: &[&'static str],
    narrow: &[&'static str],
    placed: &DataFrame,
) -> Result<DataFrame, GatherError> {
    let mut series = vec![Column::new("person_id".into(), columns.take_int8("person_id")?)];
    for name in wide {
        series.push(Column::new((*name).into(), columns.take_int8(name)?));
    }
    for name in narrow {
        series.push(Column::new((*name).into(), columns.take_int4(name)?));
    }
    let facts = frame(series)?;
    let kept = facts.join(placed, ["person_id"], ["person_id"], JoinArgs::new(JoinType::Semi), None)?;
    let order: Vec<&str> =
        std::iter::once("person_id").chain(narrow.contains(&"employer_id").then_some("employer_id")).collect();
    let mut sorted = kept.sort(order, SortMultipleOptions::default().with_maintain_order(true))?;
    sorted.rechunk_mut();
    Ok(sorted)
}

fn wide<'a>(frame: &'a DataFrame, name: &str) -> Result<&'a [i64], PolarsError> {
    frame.column(name)?.i64()?.cont_slice()
}

fn narrow<'a>(frame: &'a DataFrame, name: &str) -> Result<&'a [i32], PolarsError> {
    frame.column(name)?.i32()?.cont_slice()
}

fn word<T>(number: i32, from_number: impl FnOnce(u8) -> Option<T>, column: &'static str) -> Result<T, GatherError> {
    u8::try_from(number).ok().and_then(from_number).ok_or(GatherError::Word(column))
}

fn optional_word<T>(
    number: i32,
    from_number: impl FnOnce(u8) -> Option<T>,
    column: &'static str,
) -> Result<Option<T>, GatherError> {
    if number == NULL_4 { Ok(None) } else { word(number, from_number, column).map(Some) }
}

fn wage_rows(frame: &DataFrame) -> Result<Grouped<i64, Wage>, GatherError> {
    let (persons, versions) = (wide(frame, "person_id")?, wide(frame, "version_id")?);
    let (amounts, periods, payers) = (wide(frame, "amount_fen")?, narrow(frame, "period")?, narrow(frame, "payer")?);
    let rows = (0..persons.len())
        .map(|row| {
            Ok(Wage {
                version: VersionId(versions[row]),
                period: Month::from_index(periods[row]).ok_or(GatherError::Word("period"))?,
                payer: UnitId(payers[row]),
                amount: Fen(amounts[row]),
            })
        })
        .collect::<Result<_, GatherError>>()?;
    Ok(Grouped::new(persons.to_vec(), rows))
}

fn insurance_rows(frame: &DataFrame) -> Result<Grouped<i64, Insurance>, GatherError> {
    let (persons, versions) = (wide(frame, "person_id")?, wide(frame, "version_id")?);
    let (periods, schemes) = (narrow(frame, "period")?, narrow(frame, "scheme")?);
    let (coverages, insured) = (narrow(frame, "coverage")?, narrow(frame, "insured")?);
    let (statuses, payments) = (narrow(frame, "status")?, narrow(frame, "payment")?);
    let rows = (0..persons.len())
        .map(|row| {
            Ok(Insurance {
                version: VersionId(versions[row]),
                period: Month::from_index(periods[row]).ok_or(GatherError::Word("period"))?,
                scheme: word(schemes[row], Scheme::from_number, "scheme")?,
                coverage: word(coverages[row], Coverage::from_number, "coverage")?,
                insured: Some(insured[row]).filter(|unit| *unit != NULL_4).map(UnitId),
                status: word(statuses[row], ContributionStatus::from_number, "status")?,
                payment: word(payments[row], Payment::from_number, "payment")?,
            })
        })
        .collect::<Result<_, GatherError>>()?;
    Ok(Grouped::new(persons.to_vec(), rows))
}

fn certificate_rows(frame: &DataFrame) -> Result<Grouped<i64, Certificate>, GatherError> {
    let (persons, versions) = (wide(frame, "person_id")?, wide(frame, "version_id")?);
    let (stamps, kinds) = (wide(frame, "updated_at")?, narrow(frame, "kind")?);
    let (levels, statuses) = (narrow(frame, "level")?, narrow(frame, "status")?);
    let (starts, ends) = (narrow(frame, "valid_from")?, narrow(frame, "valid_to")?);
    let since = narrow(frame, "status_since")?;
    let rows = (0..persons.len())
        .map(|row| {
            Ok(Certificate {
                version: VersionId(versions[row]),
                kind: word(kinds[row], CertificateKind::from_number, "kind")?,
                level: word(levels[row], Some, "level")?,
                valid_from: day_from_2000(starts[row]).ok_or(GatherError::Word("valid_from"))?,
                valid_to: day_from_2000(ends[row]),
                status: word(statuses[row], CertificateStatus::from_number, "status")?,
                status_since: day_from_2000(since[row]),
                updated_at: instant_from_2000(stamps[row]).ok_or(GatherError::Word("updated_at"))?,
            })
        })
        .collect::<Result<_, GatherError>>()?;
    Ok(Grouped::new(persons.to_vec(), rows))
}

fn contract_rows(frame: &DataFrame) -> Result<Grouped<(i64, i32), Contract>, GatherError> {
    let (persons, employers) = (wide(frame, "person_id")?, narrow(frame, "employer_id")?);
    let (kinds, starts) = (narrow(frame, "kind")?, narrow(frame, "starts_on")?);
    let (ends, terminations) = (narrow(frame, "ends_on")?, narrow(frame, "terminated_on")?);
    let rows = (0..persons.len())
        .map(|row| {
            Ok(Contract {
                kind: word(kinds[row], ContractKind::from_number, "kind")?,
                starts_on: day_from_2000(starts[row]).ok_or(GatherError::Word("starts_on"))?,
                ends_on: day_from_2000(ends[row]),
                terminated_on: day_from_2000(terminations[row]),
            })
        })
        .collect::<Result<_, GatherError>>()?;
    let keys = persons.iter().copied().zip(employers.iter().copied()).collect();
    Ok(Grouped::new(keys, rows))
}

fn stake_rows(frame: &DataFrame) -> Result<Grouped<i64, Stated>, GatherError> {
    let (persons, months) = (wide(frame, "person_id")?, narrow(frame, "month")?);
    let (employers, what) = (narrow(frame, "employer_id")?, narrow(frame, "what")?);
    let rows = (0..persons.len())
        .map(|row| {
            Ok(Stated {
                month: Month::from_index(months[row]).ok_or(GatherError::Word("month"))?,
                employer: UnitId(employers[row]),
                what: word(what[row], What::from_number, "what")?,
            })
        })
        .collect::<Result<_, GatherError>>()?;
    Ok(Grouped::new(persons.to_vec(), rows))
}
