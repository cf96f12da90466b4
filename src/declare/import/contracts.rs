//! Rows of contracts, each of a placement entered before.

use std::collections::HashSet;

use chrono::NaiveDate;

use super::cells::{Cells, Column};
use super::employers::Standing;
use super::report::Findings;
use super::{ImportedRow, Numbered, latest};
use crate::domain::facts::{Contract, ContractKind, PersonId, UnitId};
use crate::domain::ids::{ResidentId, Uscc};
use crate::store::entries::{ContractEntry, Saved};
use crate::store::publish::Publish;
use crate::store::{Store, StoreError};

/// A contract as the file has it.
pub(super) struct ContractRow {
    employer: Uscc,
    year: i16,
    id: ResidentId,
    contract: Contract,
}

impl ImportedRow for ContractRow {
    const COLUMNS: &'static [Column] = &[
        Column::required("employer_uscc"),
        Column::required("year"),
        Column::required("id_number"),
        Column::required("kind"),
        Column::required("starts_on"),
        Column::optional("ends_on"),
        Column::optional("terminated_on"),
    ];
    const PERSONAL: bool = true;
    type Key = (Uscc, i16, ResidentId, ContractKind, NaiveDate);

    fn key(&self) -> Self::Key {
        (self.employer, self.year, self.id, self.contract.kind, self.contract.starts_on)
    }

    fn employer(&self) -> (Uscc, &'static str) {
        (self.employer, "employer_uscc")
    }

    fn read(cells: &mut Cells<'_>) -> Option<Self> {
        let employer = cells.uscc("employer_uscc");
        let year = cells.year("year");
        let id = cells.id_number("id_number");
        let kind = cells.word("kind", ContractKind::parse, "labour, establishment");
        let starts_on = cells.date("starts_on");
        let ends_on = cells.date("ends_on");
        let terminated_on = cells.date("terminated_on");
        let starts_on = starts_on?;
        let not_before = format!("{starts_on} or later, when the contract starts");
        if let Some(ends_on) = ends_on.filter(|day| *day < starts_on) {
            cells.refuse::<()>("ends_on", "ends_before_start", ends_on.to_string(), not_before.as_str());
        }
        if let Some(terminated_on) = terminated_on.filter(|day| *day < starts_on) {
            cells.refuse::<()>("terminated_on", "terminated_before_start", terminated_on.to_string(), not_before);
        }
        let contract = Contract { kind: kind?, starts_on, ends_on, terminated_on };
        Some(Self { employer: employer?, year: year?, id: id?, contract })
    }

    async fn save(
        store: &Store,
        publish: &mut Publish,
        rows: Vec<Numbered<Self>>,
        findings: &mut Findings,
    ) -> Result<Saved, StoreError> {
        let standing = Standing::load(publish, rows.iter().map(|row| row.row.employer)).await?;
        let placed: HashSet<(PersonId, UnitId, i16)> = (publish.list_placements(&standing.units()).await?.into_iter())
            .map(|placement| (placement.person, placement.employer, placement.year))
            .collect();
        let ids: Vec<ResidentId> = rows.iter().map(|row| row.row.id).collect();
        let persons = publish.find_persons(store, &ids).await?;
        let mut accepted = Vec::with_capacity(rows.len());
        for row in rows {
            let Numbered { line, row: ContractRow { employer, year, id, .. } } = &row;
            let Some(employer) = standing.open_employer(*line, employer, *year, findings) else { continue };
            if persons.get(id).is_some_and(|person| placed.contains(&(*person, employer, *year))) {
                accepted.push(row);
            } else {
                let accepted = "a person placed at this employer in this year: import the placement first";
                findings.refuse(*line, Some("id_number"), "no_placement", id.masked(), accepted);
            }
        }
        let accepted = latest(accepted, findings);
        let mut contracts = Vec::with_capacity(accepted.len());
        for Numbered { line, row: ContractRow { employer, year, id, contract } } in accepted {
            let (Some(person), Some(employer)) = (persons.get(&id).copied(), standing.find(&employer)) else {
                continue;
            };
            if !contract.is_long_enough() {
                let message = "is agreed for less than a year; no month it covers passes by it";
                findings.warn(line, Some("ends_on"), "contract_under_a_year", message);
            }
            let Contract { kind, starts_on, ends_on, terminated_on } = contract;
            contracts.push(ContractEntry { person, employer, year, kind, starts_on, ends_on, terminated_on });
        }
        publish.save_contracts(&contracts).await
    }
}
