//! Rows of employers: the unit itself, where it is, and the numbers of the levy.

use std::collections::{HashMap, HashSet};

use super::cells::{Cells, Column};
use super::report::Findings;
use super::{ImportedRow, Numbered, latest};
use crate::domain::entry::Refusal;
use crate::domain::facts::{EmployerKind, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::money::Fen;
use crate::store::entries::{Employer, Saved};
use crate::store::publish::Publish;
use crate::store::{Store, StoreError};

/// An employer as the file has it.
pub(super) struct EmployerRow {
    uscc: Uscc,
    name: String,
    kind: EmployerKind,
    division: String,
    wage_class: Option<u8>,
    federation_division: String,
    tax_division: String,
    headcount: Option<String>,
    total_wages: Option<Fen>,
    wage_lag: u8,
}

impl ImportedRow for EmployerRow {
    const COLUMNS: &'static [Column] = &[
        Column::required("uscc"),
        Column::required("name"),
        Column::required("kind"),
        Column::required("division"),
        Column::optional("wage_class"),
        Column::required("federation_division"),
        Column::required("tax_division"),
        Column::optional("headcount"),
        Column::optional("total_wages"),
        Column::optional("wage_lag"),
    ];
    const PERSONAL: bool = false;
    type Key = Uscc;

    fn key(&self) -> Uscc {
        self.uscc
    }

    fn employer(&self) -> (Uscc, &'static str) {
        (self.uscc, "uscc")
    }

    fn federation_division(&self) -> Option<&str> {
        Some(&self.federation_division)
    }

    fn read(cells: &mut Cells<'_>) -> Option<Self> {
        const KINDS: &str = "enterprise, public_institution, state_organ, social_organisation, other";
        let digit = |word: &str| word.parse::<u8>().ok().filter(|_| word.len() == 1);
        let uscc = cells.subject_uscc("uscc");
        let name = cells.name("name");
        let kind = cells.word("kind", EmployerKind::parse, KINDS);
        let division = cells.division("division");
        let wage_class =
            cells.word("wage_class", |word| digit(word).filter(|class| (1..=3).contains(class)), "1, 2, 3, or nothing");
        let federation_division = cells.division("federation_division");
        let tax_division = cells.division("tax_division");
        let headcount = cells.decimal("headcount");
        let total_wages = cells.amount("total_wages");
        let wage_lag = cells.word("wage_lag", |word| digit(word).filter(|lag| *lag <= 1), "0, 1, or nothing");
        // a wage class that was refused is a fault of its own
        let division = division?;
        if wage_class.is_none() && !cells.is_refused() && cells.policy().class_of(&division).is_none() {
            return cells.refuse_by(&Refusal::NoWageClass, division);
        }
        Some(Self {
            uscc: uscc?,
            name: name?,
            kind: kind?,
            division,
            wage_class,
            federation_division: federation_division?,
            tax_division: tax_division?,
            headcount,
            total_wages,
            wage_lag: wage_lag.unwrap_or(0),
        })
    }

    async fn save(
        _: &Store,
        publish: &mut Publish,
        rows: Vec<Numbered<Self>>,
        findings: &mut Findings,
    ) -> Result<Saved, StoreError> {
        let rows = latest(rows, findings);
        let codes: Vec<Uscc> = rows.iter().map(|row| row.row.uscc).collect();
        let units = publish.ensure_units(&codes).await?;
        let employers: Vec<Employer> = rows
            .into_iter()
            .filter_map(|Numbered { row, .. }| {
                Some(Employer {
                    unit: *units.get(&row.uscc)?,
                    name: row.name,
                    kind: row.kind,
                    division: row.division,
                    wage_class: row.wage_class,
                    federation_division: row.federation_division,
                    tax_division: row.tax_division,
                    headcount: row.headcount,
                    total_wages: row.total_wages,
                    wage_lag: row.wage_lag,
                })
            })
            .collect();
        publish.save_employers(&employers).await
    }
}

/// The employers in force among these codes, and which of their years are closed: what rows of the other kinds stand on.
pub(super) struct Standing {
    employers: HashMap<Uscc, UnitId>,
    frozen: HashSet<(UnitId, i16)>,
}

impl Standing {
    pub async fn load(publish: &mut Publish, codes: impl Iterator<Item = Uscc>) -> Result<Self, StoreError> {
        let mut codes: Vec<Uscc> = codes.collect();
        codes.sort_unstable();
        codes.dedup();
        let mut employers = publish.find_units(&codes).await?;
        let units: Vec<UnitId> = employers.values().copied().collect();
        let entered: HashSet<UnitId> =
            publish.list_employers(&units).await?.into_iter().map(|employer| employer.unit).collect();
        employers.retain(|_, unit| entered.contains(unit));
        Ok(Self { employers, frozen: publish.list_frozen().await? })
    }

    pub fn units(&self) -> Vec<UnitId> {
        self.employers.values().copied().collect()
    }

    pub fn find(&self, code: &Uscc) -> Option<UnitId> {
        self.employers.get(code).copied()
    }

    /// The employer whose year is open, or a refusal.
    pub fn open_employer(&self, line: u64, code: &Uscc, year: i16, findings: &mut Findings) -> Option<UnitId> {
        let Some(unit) = self.find(code) else {
            let accepted = "an employer that is entered: import it first";
            findings.refuse(line, Some("employer_uscc"), "unknown_employer", code.to_string(), accepted);
            return None;
        };
        if self.frozen.contains(&(unit, year)) {
            let refusal = Refusal::DeclarationCompleted;
            findings.refuse(line, Some(refusal.field()), refusal.code(), year.to_string(), refusal.to_string());
            return None;
        }
        Some(unit)
    }
}
