//! A few placements as the judge sees them: explaining a cell and looking ahead begin here.

use super::VerifyError;
use super::changes::Point;
use super::gather::Placed;
use super::judging::{Chunk, EmployerYears, YearRules};
use crate::domain::facts::{PersonId, UnitId};
use crate::domain::judge::Case;
use crate::domain::month::Month;
use crate::domain::policy::Policy;
use crate::store::Store;
use crate::store::entries::Employer;
use crate::store::facts::{Persons, Scope};

/// Some persons' placements of a year, all their employers' included; nobody else's are read.
#[derive(Debug)]
pub struct View {
    pub rules: YearRules,
    pub chunk: Chunk,
    employers: EmployerYears,
}

impl View {
    /// As it stands now, for `asked`, which is refused if it cannot be judged. Of the persons' other employers those that cannot be
    /// have no case, as they have none when everybody is judged.
    pub async fn load(
        store: &Store,
        policy: &Policy,
        asked: UnitId,
        year: i32,
        persons: Vec<PersonId>,
    ) -> Result<Self, VerifyError> {
        let point = Point { seq: store.head().await?, business_date: store.today().await? };
        let rules = YearRules::load(store, policy, year, point).await?;
        let scope = Scope { year, seq: point.seq, persons: Persons::These(persons) };
        let chunk = Chunk::read(store, &scope).await?;
        let mut employers = EmployerYears::default();
        rules.meet(store, &chunk, &mut employers).await?;
        if let Some(unjudgeable) = employers.without_wage_class(asked) {
            return Err(unjudgeable);
        }
        Ok(Self { rules, chunk, employers })
    }

    pub fn employer(&self, unit: UnitId) -> Option<&Employer> {
        self.employers.entered(unit)
    }

    /// The case of one placement in one month of the year.
    pub fn case(&self, placed: &Placed, month: Month) -> Option<Case<'_>> {
        self.rules.case(&self.chunk, &self.employers, placed, month)
    }
}
