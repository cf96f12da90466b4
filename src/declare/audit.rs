//! Reading the audit: who may, and of what they reach only; that it was read is written to it too.

use std::collections::HashMap;

use super::users::UserError;
use crate::domain::access::{Action, Actor, Scope};
use crate::domain::ids::Uscc;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::audit::Act;
use crate::store::audit_log::{AuditFilter, AuditLine};
use crate::store::owners::Owned;

/// Rows that are looked at in one go where not all of them may be shown.
const LOOK: i64 = 500;
/// So often more rows are looked at before a page is given out as it is.
const LOOKS: usize = 10;

/// A page of the audit.
#[derive(Debug)]
pub struct AuditPage {
    /// Newest first.
    pub lines: Vec<AuditLine>,
    /// Where the next page begins: rows before this one; nothing where there are no more. A page may hold fewer rows than asked for, or none,
    /// and there may be more.
    pub next: Option<i64>,
}

/// `limit` rows, newest first. Who is granted a division sees what names an employer of it by its code; whoever is granted everything, all.
pub async fn read_audit(
    store: &Store,
    actor: &Actor,
    filter: &AuditFilter,
    limit: usize,
) -> Result<AuditPage, UserError> {
    actor.may_at_all(Action::ReadAudit)?;
    let mut filter = filter.clone();
    let mut lines: Vec<AuditLine> = Vec::new();
    let mut next = None;
    let look = if actor.scope == Scope::Everything { limit as i64 + 1 } else { LOOK };
    'pages: for _ in 0..LOOKS {
        let rows = store.list_audit(&filter, look).await?;
        next = rows.last().map(|row| row.audit_id);
        if next.is_none() {
            break;
        }
        filter.before = next;
        for row in within_reach(store, actor, rows).await? {
            if lines.len() == limit {
                next = lines.last().map(|line| line.audit_id);
                break 'pages;
            }
            lines.push(row);
        }
    }
    let at = store.now().await?;
    let object = match (filter.person, &filter.object) {
        (Some(person), _) => format!("audit of person {}", person.0),
        (None, Some(object)) => format!("audit of {object}"),
        (None, None) => "audit".to_owned(),
    };
    store.record(&Act::read(at, actor, Action::ReadAudit, object)).await?;
    Ok(AuditPage { lines, next })
}

async fn within_reach(store: &Store, actor: &Actor, rows: Vec<AuditLine>) -> Result<Vec<AuditLine>, StoreError> {
    if actor.scope == Scope::Everything {
        return Ok(rows);
    }
    let codes: Vec<Uscc> = rows.iter().flat_map(|row| codes_in(&row.object)).collect();
    let owners: HashMap<Uscc, Owned> = store.owners_of_codes(&codes).await?;
    let reached = |code: Uscc| owners.get(&code).is_some_and(|owned| actor.reaches(owned.owner()));
    Ok(rows
        .into_iter()
        .filter(|row| {
            let mut codes = codes_in(&row.object).peekable();
            codes.peek().is_some() && codes.all(reached)
        })
        .collect())
}

/// The codes of units that a text names.
pub(super) fn codes_in(text: &str) -> impl Iterator<Item = Uscc> {
    text.split(|sign: char| !sign.is_ascii_alphanumeric())
        .filter(|word| word.len() == 18)
        .filter_map(|word| Uscc::parse(word).ok())
}
