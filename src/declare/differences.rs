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

/// Differences that the actor reaches, oldest first, after one: so many at most. Only open ones, or all.
pub async fn list_differences(
    store: &Store,
    actor: &Actor,
    all: bool,
    after: Option<i64>,
    limit: usize,
) -> Result<Vec<DifferenceLine>, DeclareError> {
    actor.may_at_all(Action::SettleDifference)?;
    if actor.scope == Scope::Everything {
        return Ok(store.list_differences(all, after, limit as i64).await?);
    }
    let (mut after, mut reached) = (after, Vec::new());
    loop {
        let rows = store.list_differences(all, after, LOOK).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.difference_id);
        let codes: Vec<Uscc> = rows.iter().filter_map(|row| Uscc::parse(&row.uscc).ok()).collect();
        let owners: HashMap<Uscc, Owned> = store.owners_of_codes(&codes).await?;
        let owned = |row: &DifferenceLine| Uscc::parse(&row.uscc).ok().and_then(|code| owners.get(&code));
        reached.extend(rows.into_iter().filter(|row| owned(row).is_some_and(|owned| actor.reaches(owned.owner()))));
        if reached.len() >= limit {
            break;
        }
    }
    reached.truncate(limit);
    Ok(reached)
}
