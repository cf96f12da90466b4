//! Evidence: the rows that say which files there are and what each is put to use for.

mod behind;
pub mod files;
pub mod upkeep;

use std::collections::HashMap;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::PgExecutor;

use super::change::Change;
use super::jobs::word;
use super::people::reserve;
use super::{Store, StoreError};
use crate::crypto::Place;
use crate::crypto::stream::ContentName;
use crate::domain::evidence::{Format, Subject};
use crate::domain::facts::{ContractKind, PersonId, UnitId};
use crate::domain::month::Month;
use crate::domain::review::{Ground, Grounds};
use files::{FileError, Files};

/// A file that was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub evidence_id: i64,
    pub employer: UnitId,
    pub name: ContentName,
    pub format: Format,
    pub size_bytes: u32,
    /// As it is shown; it may hold a person's name.
    pub file_name: String,
    pub received_at: DateTime<Utc>,
    pub received_by: String,
    pub scanned_at: Option<DateTime<Utc>>,
}

/// What it is put to use for, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct EvidenceUse {
    pub use_id: i64,
    #[serde(skip)]
    pub evidence_id: i64,
    #[serde(flatten)]
    pub subject: Subject,
    pub added_at: DateTime<Utc>,
    pub added_by: String,
    /// When a reviewer first decided with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relied_on_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed_by: Option<String>,
}

/// A file that comes in.
#[derive(Clone, Debug)]
pub struct NewEvidence<'a> {
    pub employer: UnitId,
    pub name: ContentName,
    pub format: Format,
    pub size_bytes: u32,
    pub file_name: &'a str,
    pub scanned: bool,
}

/// What an employer's files of a year come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of every file that was ever put to use.
    pub bytes: u64,
    /// Files in use by placement.
    pub files: HashMap<PersonId, u32>,
}

const TABLE: &str = "evidence";

fn name_place(row: i64) -> Place<'static> {
    Place { table: TABLE, column: "file_name", row }
}

/// A subject as columns.
struct Columns {
    subject: &'static str,
    person: Option<i64>,
    month: Option<i32>,
    ground: Option<i16>,
    unit: Option<i32>,
    contract_kind: Option<i16>,
    starts_on: Option<NaiveDate>,
}

impl Columns {
    fn of(subject: &Subject) -> Self {
        let empty = |subject| Self {
            subject,
            person: None,
            month: None,
            ground: None,
            unit: None,
            contract_kind: None,
            starts_on: None,
        };
        match subject {
            Subject::Cell { person, month, ground } => Self {
                person: Some(person.0),
                month: Some(month.index()),
                ground: Some(i16::from(ground.number())),
                ..empty("cell")
            },
            Subject::Affiliate { unit, .. } => Self { unit: Some(unit.0), ..empty("affiliate") },
            Subject::Contract { person, kind, starts_on, .. } => Self {
                person: Some(person.0),
                contract_kind: Some(i16::from(kind.number())),
                starts_on: Some(*starts_on),
                ..empty("contract")
            },
            Subject::Agreement { person, .. } => Self { person: Some(person.0), ..empty("agreement") },
            Subject::Original { person, .. } => Self { person: Some(person.0), ..empty("original") },
        }
    }

    fn read(&self, year: i16) -> Option<Subject> {
        let person = self.person.map(PersonId);
        Some(match self.subject {
            "cell" => Subject::Cell {
                person: person?,
                month: Month::from_index(self.month?)?,
                ground: word(self.ground?, Ground::from_number)?,
            },
            "affiliate" => Subject::Affiliate { year, unit: UnitId(self.unit?) },
            "contract" => Subject::Contract {
                year,
                person: person?,
                kind: word(self.contract_kind?, ContractKind::from_number)?,
                starts_on: self.starts_on?,
            },
            "agreement" => Subject::Agreement { year, person: person? },
            "original" => Subject::Original { year, person: person? },
            _ => return None,
        })
    }
}

/// The words under which subjects are stored.
const SUBJECTS: [&str; 5] = ["cell", "affiliate", "contract", "agreement", "original"];

impl Change {
    /// One after the other: whoever counts an employer's files and adds one, and whoever looks whether a file has a row and removes it.
    pub async fn lock_evidence(&mut self, employer: UnitId, name: ContentName) -> Result<(), StoreError> {
        /// Keeps these locks apart from other advisory locks of the database.
        const EMPLOYERS: i32 = 0x4556;
        sqlx::query("select pg_advisory_xact_lock($1, $2)")
            .bind(EMPLOYERS)
            .bind(employer.0)
            .execute(self.connection())
            .await?;
        self.lock_evidence_file(name).await
    }

    async fn lock_evidence_file(&mut self, name: ContentName) -> Result<(), StoreError> {
        let (begin, _) = name.0.split_first_chunk().ok_or(StoreError::frame("a name has 32 bytes"))?;
        sqlx::query("select pg_advisory_xact_lock($1)")
            .bind(i64::from_be_bytes(*begin))
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// What the employer's files of a year come to.
    pub async fn evidence_usage(&mut self, employer: UnitId, year: i16) -> Result<Usage, StoreError> {
        let bytes = sqlx::query_scalar!(
            r#"select coalesce(sum(size_bytes), 0)::bigint as "bytes!" from evidence e
               where exists (select from evidence_use u
                             where u.evidence_id = e.evidence_id and u.employer_id = $1 and u.year = $2)"#,
            employer.0,
            year
        )
        .fetch_one(self.connection())
        .await?;
        let files = sqlx::query!(
            r#"select person_id as "person_id!", count(distinct evidence_id) as "files!" from evidence_use
               where employer_id = $1 and year = $2 and person_id is not null and removed_at is null group by person_id"#,
            employer.0,
            year
        )
        .fetch_all(self.connection())
        .await?;
        let files = files.into_iter().map(|row| (PersonId(row.person_id), row.files as u32)).collect();
        Ok(Usage { bytes: bytes as u64, files })
    }

    /// The row of this content; none where it never came.
    pub async fn find_evidence_of(&mut self, name: ContentName) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query_scalar!("select evidence_id from evidence where content_name = $1", name.0.as_slice())
            .fetch_optional(self.connection())
            .await?)
    }

    /// What a file is in use for, in order.
    pub async fn evidence_subjects(&mut self, evidence: i64) -> Result<Vec<Subject>, StoreError> {
        let uses = evidence_uses(self.connection(), &[evidence]).await?;
        let mut subjects: Vec<Subject> =
            uses.into_iter().filter(|one| one.removed_at.is_none()).map(|one| one.subject).collect();
        subjects.sort_unstable();
        Ok(subjects)
    }

    /// Stores the row of a file that is in its place.
    pub async fn save_evidence(
        &mut self,
        store: &Store,
        new: &NewEvidence<'_>,
        at: DateTime<Utc>,
        by: &str,
    ) -> Result<i64, StoreError> {
        let ids = reserve(self.connection(), "evidence_id_seq", 1).await?;
        let id = *ids.first().ok_or(StoreError::frame("a sequence gives a number"))?;
        let file_name = store.keys.encrypt(new.file_name.as_bytes(), name_place(id))?;
        sqlx::query!(
            "insert into evidence (evidence_id, employer_id, content_name, format, size_bytes, file_name, received_at,
                                   received_by, scanned_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            id,
            new.employer.0,
            new.name.0.as_slice(),
            i16::from(new.format.number()),
            new.size_bytes as i32,
            file_name,
            at,
            by,
            new.scanned.then_some(at)
        )
        .execute(self.connection())
        .await?;
        Ok(id)
    }

    /// Puts a file to use; what it is in use for already stays as it is. How many uses are new.
    pub async fn add_evidence_uses(
        &mut self,
        evidence: i64,
        employer: UnitId,
        subjects: &[Subject],
        at: DateTime<Utc>,
        by: &str,
    ) -> Result<u64, StoreError> {
        let columns: Vec<Columns> = subjects.iter().map(Columns::of).collect();
        let years: Vec<i16> = subjects.iter().map(Subject::year).collect();
        let words: Vec<String> = columns.iter().map(|row| row.subject.to_owned()).collect();
        let persons: Vec<Option<i64>> = columns.iter().map(|row| row.person).collect();
        let months: Vec<Option<i32>> = columns.iter().map(|row| row.month).collect();
        let grounds: Vec<Option<i16>> = columns.iter().map(|row| row.ground).collect();
        let units: Vec<Option<i32>> = columns.iter().map(|row| row.unit).collect();
        let kinds: Vec<Option<i16>> = columns.iter().map(|row| row.contract_kind).collect();
        let starts: Vec<Option<NaiveDate>> = columns.iter().map(|row| row.starts_on).collect();
        let done = sqlx::query!(
            "insert into evidence_use (evidence_id, employer_id, year, subject, person_id, month, ground, unit_id,
                                       contract_kind, starts_on, added_at, added_by)
             select $1, $2, i.*, $11, $12
             from unnest($3::smallint[], $4::text[], $5::bigint[], $6::int[], $7::smallint[], $8::int[], $9::smallint[],
                         $10::date[]) as i
             on conflict do nothing",
            evidence,
            employer.0,
            &years,
            &words,
            &persons as &[Option<i64>],
            &months as &[Option<i32>],
            &grounds as &[Option<i16>],
            &units as &[Option<i32>],
            &kinds as &[Option<i16>],
            &starts as &[Option<NaiveDate>],
            at,
            by
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected())
    }

    /// The years of these whose declaration is not open, looked at so that no completion comes between the look and the step.
    pub async fn closed_years(&mut self, employer: UnitId, years: &[i16]) -> Result<Vec<i16>, StoreError> {
        sqlx::query!("select seq from publish_head for share").fetch_one(self.connection()).await?;
        Ok(sqlx::query_scalar!(
            "select year from declaration where employer_id = $1 and year = any($2) and state->>'state' <> 'open' order by year",
            employer.0,
            years
        )
        .fetch_all(self.connection())
        .await?)
    }

    /// Withdraws uses that are in force and that no decision rests on; the numbers of those that were.
    pub async fn withdraw_evidence_uses(
        &mut self,
        evidence: i64,
        uses: &[i64],
        at: DateTime<Utc>,
        by: &str,
    ) -> Result<Vec<i64>, StoreError> {
        Ok(sqlx::query_scalar!(
            "update evidence_use set removed_at = $3, removed_by = $4
             where evidence_id = $1 and use_id = any($2) and removed_at is null and relied_on_at is null
             returning use_id",
            evidence,
            uses,
            at,
            by
        )
        .fetch_all(self.connection())
        .await?)
    }

    /// Says, in the transaction of a reviewer's decision on these months, that it rests on the evidence that is in use for them. That
    /// evidence stays from then on.
    pub async fn rely_on_evidence(
        &mut self,
        employer: UnitId,
        months: &[(PersonId, Month)],
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let persons: Vec<i64> = months.iter().map(|(person, _)| person.0).collect();
        let indexes: Vec<i32> = months.iter().map(|(_, month)| month.index()).collect();
        let done = sqlx::query!(
            "update evidence_use u set relied_on_at = $4
             from unnest($2::bigint[], $3::int[]) as i (person, month)
             where u.employer_id = $1 and u.person_id = i.person and u.removed_at is null and u.relied_on_at is null
               and (u.month = i.month or u.subject in ('contract', 'agreement', 'original') and u.year = i.month / 12)",
            employer.0,
            &persons,
            &indexes,
            at
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected())
    }
}

impl Store {
    /// Says where the files of evidence lie.
    #[must_use]
    pub fn keep_evidence_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.evidence = Some(Files::new(folder, self.keys.clone()));
        self
    }

    /// The files of evidence.
    pub fn evidence_files(&self) -> Result<&Files, StoreError> {
        self.evidence.as_ref().ok_or(StoreError::Evidence(FileError::NoFolder))
    }

    /// Contracts that are entered for placements of the employer: year, person, kind and first day.
    pub async fn contracts_entered(
        &self,
        employer: UnitId,
    ) -> Result<Vec<(i16, PersonId, ContractKind, NaiveDate)>, StoreError> {
        let rows = sqlx::query!(
            "select year, person_id, kind, starts_on from contract where employer_id = $1 and to_seq is null",
            employer.0
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let kind = word(row.kind, ContractKind::from_number)
                    .ok_or_else(|| StoreError::inconsistent("contract", "kind", row.person_id))?;
                Ok((row.year, PersonId(row.person_id), kind, row.starts_on))
            })
            .collect()
    }

    /// For which grounds evidence is in use, by person and month.
    pub async fn evidence_grounds(
        &self,
        employer: UnitId,
        year: i32,
    ) -> Result<HashMap<(PersonId, Month), Grounds>, StoreError> {
        let rows = sqlx::query!(
            r#"select person_id as "person_id!", month as "month!", bit_or(1 << ground::int) as "grounds!" from evidence_use
               where employer_id = $1 and year = $2 and subject = 'cell' and removed_at is null group by 1, 2"#,
            employer.0,
            year as i16
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let wrong = || StoreError::inconsistent("evidence_use", "month", row.person_id);
                let month = Month::from_index(row.month).ok_or_else(wrong)?;
                Ok(((PersonId(row.person_id), month), Grounds(row.grounds as u8)))
            })
            .collect()
    }

    /// Files that are or were in use for the employer's year, with all of their uses in it; oldest first.
    pub async fn list_evidence(
        &self,
        employer: UnitId,
        year: i32,
    ) -> Result<Vec<(Evidence, Vec<EvidenceUse>)>, StoreError> {
        let ids = sqlx::query_scalar!(
            "select distinct evidence_id from evidence_use where employer_id = $1 and year = $2",
            employer.0,
            year as i16
        )
        .fetch_all(&self.pool)
        .await?;
        let mut uses: HashMap<i64, Vec<EvidenceUse>> = HashMap::new();
        for one in
            evidence_uses(&self.pool, &ids).await?.into_iter().filter(|one| i32::from(one.subject.year()) == year)
        {
            uses.entry(one.evidence_id).or_default().push(one);
        }
        let mut listed = Vec::new();
        for evidence in self.evidence_of(&ids).await? {
            let of_it = uses.remove(&evidence.evidence_id).unwrap_or_default();
            listed.push((evidence, of_it));
        }
        Ok(listed)
    }

    /// One file with all that it is or was put to use for.
    pub async fn find_evidence(&self, id: i64) -> Result<Option<(Evidence, Vec<EvidenceUse>)>, StoreError> {
        let Some(evidence) = self.evidence_of(&[id]).await?.pop() else { return Ok(None) };
        Ok(Some((evidence, evidence_uses(&self.pool, &[id]).await?)))
    }

    async fn evidence_of(&self, ids: &[i64]) -> Result<Vec<Evidence>, StoreError> {
        let rows = sqlx::query!(
            "select evidence_id, employer_id, content_name, format, size_bytes, file_name, received_at, received_by, scanned_at
             from evidence where evidence_id = any($1) order by evidence_id",
            ids
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let wrong = |column| StoreError::inconsistent(TABLE, column, row.evidence_id);
                let file_name = self.keys.decrypt(&row.file_name, name_place(row.evidence_id))?;
                Ok(Evidence {
                    evidence_id: row.evidence_id,
                    employer: UnitId(row.employer_id),
                    name: content_name(&row.content_name).ok_or_else(|| wrong("content_name"))?,
                    format: word(row.format, Format::from_number).ok_or_else(|| wrong("format"))?,
                    size_bytes: row.size_bytes as u32,
                    file_name: String::from_utf8(file_name).map_err(|_| wrong("file_name"))?,
                    received_at: row.received_at,
                    received_by: row.received_by,
                    scanned_at: row.scanned_at,
                })
            })
            .collect()
    }
}

async fn evidence_uses(executor: impl PgExecutor<'_>, evidence: &[i64]) -> Result<Vec<EvidenceUse>, StoreError> {
    let rows = sqlx::query!(
            "select use_id, evidence_id, year, subject, person_id, month, ground, unit_id, contract_kind, starts_on, added_at,
                    added_by, relied_on_at, removed_at, removed_by
             from evidence_use where evidence_id = any($1) order by use_id",
            evidence
        )
        .fetch_all(executor)
        .await?;
    rows.into_iter()
        .map(|row| {
            let columns = Columns {
                subject: SUBJECTS.into_iter().find(|word| *word == row.subject).unwrap_or_default(),
                person: row.person_id,
                month: row.month,
                ground: row.ground,
                unit: row.unit_id,
                contract_kind: row.contract_kind,
                starts_on: row.starts_on,
            };
            let wrong = || StoreError::inconsistent("evidence_use", "subject", row.use_id);
            Ok(EvidenceUse {
                use_id: row.use_id,
                evidence_id: row.evidence_id,
                subject: columns.read(row.year).ok_or_else(wrong)?,
                added_at: row.added_at,
                added_by: row.added_by,
                relied_on_at: row.relied_on_at,
                removed_at: row.removed_at,
                removed_by: row.removed_by,
            })
        })
        .collect()
}

fn content_name(bytes: &[u8]) -> Option<ContentName> {
    bytes.try_into().ok().map(ContentName)
}
