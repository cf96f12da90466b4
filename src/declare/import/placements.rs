//! Rows of placements: who works where, and who pays. What may be entered is the domain's word.

use std::collections::HashMap;

use super::cells::{Cells, Column};
use super::employers::Standing;
use super::report::{Findings, StatedName};
use super::{ImportedRow, Numbered, latest};
use crate::declare::register::double_claims::{Entered, tell_double_claims};
use crate::domain::facts::{PersonId, RetirementTrack, UnitId};
use crate::domain::ids::{ResidentId, Uscc};
use crate::domain::placement::{Affiliate, Entry, Payer, Refusal};
use crate::store::entries::{Placement, Saved};
use crate::store::people::{Named, person_index};
use crate::store::publish::Publish;
use crate::store::{Store, StoreError};

/// A placement as the file has it.
pub(super) struct PlacementRow {
    employer: Uscc,
    year: i16,
    id: ResidentId,
    name: String,
    dispatched: bool,
    dispatch: Option<Uscc>,
    wage_payer: Uscc,
    pension_payer: Uscc,
    medical_payer: Uscc,
    track: Option<RetirementTrack>,
}

impl ImportedRow for PlacementRow {
    const COLUMNS: &'static [Column] = &[
        Column::required("employer_uscc"),
        Column::required("year"),
        Column::required("id_number"),
        Column::required("name"),
        Column::required("dispatched"),
        Column::optional("dispatch_uscc"),
        Column::required("wage_payer_uscc"),
        Column::required("pension_payer_uscc"),
        Column::required("medical_payer_uscc"),
        Column::optional("retirement_track"),
    ];
    const PERSONAL: bool = true;
    type Key = (Uscc, i16, ResidentId);

    fn key(&self) -> Self::Key {
        (self.employer, self.year, self.id)
    }

    fn employer(&self) -> (Uscc, &'static str) {
        (self.employer, "employer_uscc")
    }

    fn read(cells: &mut Cells<'_>) -> Option<Self> {
        const TRACKS: &str = "men_60, women_55, women_50, or nothing";
        let employer = cells.uscc("employer_uscc");
        let year = cells.year("year");
        let id = cells.id_number("id_number");
        let name = cells.name("name");
        let dispatched = cells.truth("dispatched");
        let dispatch = cells.uscc("dispatch_uscc");
        let wage_payer = cells.uscc("wage_payer_uscc");
        let pension_payer = cells.uscc("pension_payer_uscc");
        let medical_payer = cells.uscc("medical_payer_uscc");
        let track = cells.word("retirement_track", RetirementTrack::parse, TRACKS);
        Some(Self {
            employer: employer?,
            year: year?,
            id: id?,
            name: name?,
            dispatched: dispatched?,
            dispatch,
            wage_payer: wage_payer?,
            pension_payer: pension_payer?,
            medical_payer: medical_payer?,
            track,
        })
    }

    async fn save(
        store: &Store,
        publish: &mut Publish,
        rows: Vec<Numbered<Self>>,
        findings: &mut Findings,
    ) -> Result<Saved, StoreError> {
        let standing = Standing::load(publish, rows.iter().map(|row| row.row.employer)).await?;
        let mut listed: HashMap<(UnitId, i16), Vec<Affiliate>> = HashMap::new();
        for affiliate in publish.list_affiliates(&standing.units()).await? {
            let of_year = listed.entry((affiliate.employer, affiliate.year)).or_default();
            of_year.push(Affiliate { unit: affiliate.unit, relation: affiliate.relation });
        }
        let named: Vec<Uscc> = (rows.iter())
            .filter(|row| standing.find(&row.row.employer).is_some())
            .flat_map(|row| row.row.named_units())
            .collect();
        let units = publish.ensure_units(&named).await?;
        let mut accepted = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(employer) = standing.open_employer(row.line, &row.row.employer, row.row.year, findings) else {
                continue;
            };
            let affiliates = listed.get(&(employer, row.row.year)).map_or(&[][..], Vec::as_slice);
            if row.may_be_entered(employer, &units, affiliates, findings) {
                accepted.push(row);
            }
        }
        let accepted = latest(accepted, findings);
        let persons: Vec<Named<'_>> =
            accepted.iter().map(|row| Named { id: row.row.id, name: &row.row.name }).collect();
        let persons = publish.ensure_persons(store, &persons).await?;
        let mut placements = Vec::with_capacity(accepted.len());
        for Numbered { line, row } in accepted {
            let person = persons.get(&person_index(store.keys(), &row.id)).copied();
            let (Some(person), Some(placement)) = (person, person.and_then(|person| row.placement(person, &units)))
            else {
                continue;
            };
            placements.push(placement);
            findings.stated_names.push(StatedName { line, person, name: row.name });
        }
        let saved = publish.save_placements(&placements).await?;
        if saved.writes() {
            let entered: Vec<Entered> = placements.iter().map(Entered::of).collect();
            tell_double_claims(publish, &entered).await?;
        }
        Ok(saved)
    }
}

impl PlacementRow {
    /// All units that the row names, the employer included.
    fn named_units(&self) -> impl Iterator<Item = Uscc> + use<> {
        let units = [self.employer, self.wage_payer, self.pension_payer, self.medical_payer];
        units.into_iter().chain(self.dispatch)
    }

    fn placement(&self, person: PersonId, units: &HashMap<Uscc, UnitId>) -> Option<Placement> {
        Some(Placement {
            person,
            employer: *units.get(&self.employer)?,
            year: self.year,
            dispatch: self.dispatch.and_then(|code| units.get(&code).copied()),
            wage_payer: *units.get(&self.wage_payer)?,
            pension_payer: *units.get(&self.pension_payer)?,
            medical_payer: *units.get(&self.medical_payer)?,
            track: self.track,
        })
    }

    /// What the column that a refusal speaks of holds.
    fn refused_cell(&self, refusal: Refusal) -> String {
        match refusal {
            Refusal::PayerNotListed(payer) | Refusal::PayerOutsideDispatch(payer) => match payer {
                Payer::Wage => self.wage_payer.to_string(),
                Payer::Pension => self.pension_payer.to_string(),
                Payer::Medical => self.medical_payer.to_string(),
            },
            Refusal::NoPayerIsEmployer => {
                let payers = [self.wage_payer, self.pension_payer, self.medical_payer].map(|code| code.to_string());
                payers.join(", ")
            }
            Refusal::DispatchCompanyNotExpected
            | Refusal::DispatchCompanyMissing
            | Refusal::DispatchCompanyNotListed => {
                self.dispatch.map_or_else(|| "nothing".to_owned(), |code| code.to_string())
            }
            Refusal::TrackContradictsSex(track) => track.to_string(),
        }
    }
}

impl Numbered<PlacementRow> {
    fn may_be_entered(
        &self,
        employer: UnitId,
        units: &HashMap<Uscc, UnitId>,
        affiliates: &[Affiliate],
        findings: &mut Findings,
    ) -> bool {
        let Self { line, row } = self;
        let unit = |code: &Uscc| units.get(code).copied();
        let payers = (unit(&row.wage_payer), unit(&row.pension_payer), unit(&row.medical_payer));
        let (Some(wage_payer), Some(pension_payer), Some(medical_payer)) = payers else { return false };
        let entry = Entry {
            employer,
            dispatched: row.dispatched,
            dispatch_company: row.dispatch.as_ref().and_then(unit),
            wage_payer,
            pension_payer,
            medical_payer,
            retirement_track: row.track,
            sex: row.id.sex(),
            affiliates,
        };
        match entry.check() {
            Ok(warnings) => {
                for warning in warnings {
                    findings.warn(*line, Some("dispatch_uscc"), warning.code(), warning.to_string());
                }
                true
            }
            Err(refusals) => {
                for refusal in refusals {
                    let found = row.refused_cell(refusal);
                    findings.refuse(*line, Some(refusal.field()), refusal.code(), found, refusal.to_string());
                }
                false
            }
        }
    }
}
