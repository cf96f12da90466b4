//! Rows of contracts, each of a placement entered before.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::cells::{Cells, Column};
use super::employers::Standing;
use super::report::Findings;
use super::{ImportedRow, Numbered, latest};
use crate::declare::register::double_claims::{Entered, tell_double_claims};
use crate::domain::entry::{Refusal, contract_faults, contract_warnings};
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
        // a kind that was refused is a fault of its own
        let contract = Contract { kind: kind.unwrap_or(ContractKind::Labour), starts_on, ends_on, terminated_on };
        for refusal in contract_faults(&contract) {
            let day = if refusal.field() == "ends_on" { ends_on } else { terminated_on };
            cells.refuse_by::<()>(&refusal, day.map(|day| day.to_string()).unwrap_or_default());
        }
        kind?;
        Some(Self { employer: employer?, year: year?, id: id?, contract })
    }

    async fn save(
        store: &Store,
        publish: &mut Publish,
        rows: Vec<Numbered<Self>>,
        findings: &mut Findings,
    ) -> Result<Saved, StoreError> {
        let standing = Standing::load(publish, rows.iter().map(|row| row.row.employer)).await?;
        let placed: HashMap<(PersonId, UnitId, i16), bool> =
            (publish.list_placements(&standing.units()).await?.into_iter())
                .map(|placement| ((placement.person, placement.employer, placement.year), placement.dispatch.is_some()))
                .collect();
        let ids: Vec<ResidentId> = rows.iter().map(|row| row.row.id).collect();
        let persons = publish.find_persons(store, &ids).await?;
        let mut accepted = Vec::with_capacity(rows.len());
        for row in rows {
            let Numbered { line, row: ContractRow { employer, year, id, .. } } = &row;
            let Some(employer) = standing.open_employer(*line, employer, *year, findings) else { continue };
            if persons.get(id).is_some_and(|person| placed.contains_key(&(*person, employer, *year))) {
                accepted.push(row);
            } else {
                let refusal = Refusal::NotPlaced;
                findings.refuse(*line, Some(refusal.field()), refusal.code(), id.masked(), refusal.to_string());
            }
        }
        let accepted = latest(accepted, findings);
        let mut contracts = Vec::with_capacity(accepted.len());
        for Numbered { line, row: ContractRow { employer, year, id, contract } } in accepted {
            let (Some(person), Some(employer)) = (persons.get(&id).copied(), standing.find(&employer)) else {
                continue;
            };
            let dispatched = placed.get(&(person, employer, year)).copied().unwrap_or_default();
            for warning in contract_warnings(&contract, dispatched) {
                findings.warn(line, Some(warning.field()), warning.code(), warning.to_string());
            }
            let Contract { kind, starts_on, ends_on, terminated_on } = contract;
            contracts.push(ContractEntry { person, employer, year, kind, starts_on, ends_on, terminated_on });
        }
        let saved = publish.save_contracts(&contracts).await?;
        if saved.writes() {
            let mut entered: Vec<Entered> = contracts.iter().map(Entered::of_contract).collect();
            entered.dedup();
            tell_double_claims(publish, &entered).await?;
        }
        Ok(saved)
    }
}
