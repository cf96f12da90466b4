//! Where the tax department holds something else than is declared here, for whoever may settle it.

use std::collections::HashMap;

use super::DeclareError;
use crate::domain::access::{Action, Actor, Scope};
use crate::domain::ids::Uscc;
use crate::store::Store;
use crate::store::owners::Owned;
use crate::store::reconciliations::DifferenceLine;

/// Rows that are looked at in one go where only some are reached.
const LOOK: i64 = 500;
/// So often more rows are looked at before a page is given out as it is.
const LOOKS: usize = 10;

/// A page of differences.
#[derive(Debug)]
pub struct DifferencePage {
    /// Oldest first.
    pub lines: Vec<DifferenceLine>,
    /// After which the next page begins; nothing where there are no more. A page may hold fewer than asked for, or none, and there may be more.
    pub next: Option<i64>,
}

/// Differences that the actor reaches, oldest first, after one: so many at most. Only open ones, or all.
pub async fn list_differences(
    store: &Store,
    actor: &Actor,
    all: bool,
    after: Option<i64>,
    limit: usize,
) -> Result<DifferencePage, DeclareError> {
    actor.may_at_all(Action::SettleDifference)?;
    let (mut after, mut lines) = (after, Vec::new());
    let look = if actor.scope == Scope::Everything { limit as i64 + 1 } else { LOOK };
    for _ in 0..LOOKS {
        let rows = store.list_differences(all, after, look).await?;
        let Some(last) = rows.last() else { return Ok(DifferencePage { lines, next: None }) };
        after = Some(last.difference_id);
        for row in within_reach(store, actor, rows).await? {
            if lines.len() == limit {
                let next = lines.last().map(|line: &DifferenceLine| line.difference_id);
                return Ok(DifferencePage { lines, next });
            }
            lines.push(row);
        }
    }
    Ok(DifferencePage { lines, next: after })
}

async fn within_reach(
    store: &Store,
    actor: &Actor,
    rows: Vec<DifferenceLine>,
) -> Result<Vec<DifferenceLine>, DeclareError> {
    if actor.scope == Scope::Everything {
        return Ok(rows);
    }
    let codes: Vec<Uscc> = rows.iter().filter_map(|row| Uscc::parse(&row.uscc).ok()).collect();
    let owners: HashMap<Uscc, Owned> = store.owners_of_codes(&codes).await?;
    let owned = |row: &DifferenceLine| Uscc::parse(&row.uscc).ok().and_then(|code| owners.get(&code));
    Ok(rows.into_iter().filter(|row| owned(row).is_some_and(|owned| actor.reaches(owned.owner()))).collect())
}
