//! Rows of affiliates: units that pay in an employer's stead, by year. Once a placement uses one, its relation is frozen.

use std::collections::{HashMap, HashSet};

use super::cells::{Cells, Column};
use super::employers::Standing;
use super::report::Findings;
use super::{ImportedRow, Numbered, latest};
use crate::domain::entry::{Refusal, check_relation};
use crate::domain::facts::{Relation, UnitId};
use crate::domain::ids::Uscc;
use crate::store::entries::{Affiliate, Placement, Saved};
use crate::store::publish::Publish;
use crate::store::{Store, StoreError};

/// An affiliate as the file has it.
pub(super) struct AffiliateRow {
    employer: Uscc,
    year: i16,
    unit: Uscc,
    name: String,
    relation: Relation,
}

impl ImportedRow for AffiliateRow {
    const COLUMNS: &'static [Column] = &[
        Column::required("employer_uscc"),
        Column::required("year"),
        Column::required("unit_uscc"),
        Column::required("unit_name"),
        Column::required("relation"),
    ];
    const PERSONAL: bool = false;
    type Key = (Uscc, i16, Uscc);

    fn key(&self) -> Self::Key {
        (self.employer, self.year, self.unit)
    }

    fn employer(&self) -> (Uscc, &'static str) {
        (self.employer, "employer_uscc")
    }

    fn read(cells: &mut Cells<'_>) -> Option<Self> {
        let employer = cells.uscc("employer_uscc");
        let year = cells.year("year");
        let unit = cells.subject_uscc("unit_uscc");
        let name = cells.name("unit_name");
        let relation = cells.word("relation", Relation::parse, "dispatch, affiliate");
        if let (Some(unit), true) = (unit, unit == employer) {
            cells.refuse_by::<()>(&Refusal::OwnEmployer, unit.to_string());
        }
        Some(Self { employer: employer?, year: year?, unit: unit?, name: name?, relation: relation? })
    }

    async fn save(
        _: &Store,
        publish: &mut Publish,
        rows: Vec<Numbered<Self>>,
        findings: &mut Findings,
    ) -> Result<Saved, StoreError> {
        let standing = Standing::load(publish, rows.iter().map(|row| row.row.employer)).await?;
        let employers = standing.units();
        let used: HashSet<(UnitId, i16, UnitId)> =
            publish.list_placements(&employers).await?.iter().flat_map(uses).collect();
        let listed: HashMap<(UnitId, i16, UnitId), Relation> = (publish.list_affiliates(&employers).await?.into_iter())
            .map(|affiliate| ((affiliate.employer, affiliate.year, affiliate.unit), affiliate.relation))
            .collect();
        let codes: Vec<Uscc> = rows.iter().map(|row| row.row.unit).collect();
        let known = publish.find_units(&codes).await?;
        let mut accepted = Vec::with_capacity(rows.len());
        for row in rows {
            let Numbered { line, row: AffiliateRow { employer, year, unit, relation, .. } } = &row;
            let Some(employer) = standing.open_employer(*line, employer, *year, findings) else { continue };
            let key = known.get(unit).map(|unit| (employer, *year, *unit));
            let stored = key.and_then(|key| Some((*listed.get(&key)?, used.contains(&key))));
            match stored.map_or(Ok(()), |(stored, is_used)| check_relation(stored, *relation, is_used)) {
                Ok(()) => accepted.push(row),
                Err(refusal) => {
                    let column = Some(refusal.field());
                    findings.refuse(*line, column, refusal.code(), relation.as_str(), refusal.to_string());
                }
            }
        }
        let accepted = latest(accepted, findings);
        let codes: Vec<Uscc> = accepted.iter().map(|row| row.row.unit).collect();
        let units = publish.ensure_units(&codes).await?;
        let affiliates: Vec<Affiliate> = accepted
            .into_iter()
            .filter_map(|Numbered { row, .. }| {
                Some(Affiliate {
                    employer: standing.find(&row.employer)?,
                    year: row.year,
                    unit: *units.get(&row.unit)?,
                    name: row.name,
                    relation: row.relation,
                })
            })
            .collect();
        publish.save_affiliates(&affiliates).await
    }
}

/// The listings that a placement uses.
fn uses(placement: &Placement) -> impl Iterator<Item = (UnitId, i16, UnitId)> + use<> {
    let (employer, year) = (placement.employer, placement.year);
    placement.named_units().map(move |unit| (employer, year, unit))
}
