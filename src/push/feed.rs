//! The feed: a tax department that fetches reads its messages in the order in which they were published.

use uuid::Uuid;

use crate::config::TaxMode;
use crate::domain::access::{Action, Actor, Denied, Scope};
use crate::domain::feed::Cursor;
use crate::store::audit::Act;
use crate::store::feed::{FeedPage, Wanted, Way};
use crate::store::{Store, StoreError};

/// Messages of one page at most.
pub const MOST_MESSAGES: u16 = 1000;

/// Why nothing was handed on.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A cursor names a publish that there is not: it was handed out before the database was restored from a backup.
    #[error("the place lies behind everything that was published: the database was restored since")]
    CursorAhead,
    #[error("`tax.mode` is `{0}`: messages do not reach the tax department by the feed")]
    NotFed(TaxMode),
    #[error("the outbox could not be read or written")]
    Store(#[from] StoreError),
}

/// The beginning of the tax divisions whose messages an actor reaches: of a tax department, the division that it was granted.
pub fn division_of(actor: &Actor) -> Result<&str, Denied> {
    match &actor.scope {
        Scope::Everything => Ok(""),
        Scope::Division(prefix) => Ok(prefix),
        Scope::Units(_) => Err(Denied::NotFound),
    }
}

/// The messages after a place that are meant for the actor, where the feed is how they leave. What may leave is decided while they are
/// locked, and that they do is written down, with one row of the audit, before it returns: they count as sent, whether or not they arrive.
pub async fn read_page(
    store: &Store,
    mode: TaxMode,
    actor: &Actor,
    after: &Cursor,
    limit: u16,
) -> Result<FeedPage, FeedError> {
    actor.may_at_all(Action::ReadTaxFeed)?;
    if mode != TaxMode::Feed {
        return Err(FeedError::NotFed(mode));
    }
    if after.seq > store.feed_head().await? {
        return Err(FeedError::CursorAhead);
    }
    let wanted = Wanted { division: division_of(actor)?, ..Wanted::default() };
    let at = store.now().await?;
    let mut page = store.list_feed(after, wanted, i64::from(limit.clamp(1, MOST_MESSAGES)), at).await?;
    let mut messages: Vec<Uuid> = page.messages.iter().map(|message| message.message_id).collect();
    let mut change = store.change().await?;
    let leaving = change.lock_leaving(&messages, at).await?;
    page.cut(after, leaving);
    messages.truncate(leaving);
    if messages.is_empty() {
        // somebody who looks again and again leaves no trace before there is something
        change.abandon().await?;
        return Ok(page);
    }
    change.open_handed_on(&messages, Way::Feed, at).await?;
    let act = Act::read(at, actor, Action::ReadTaxFeed, "tax feed").with("messages", messages.len());
    change.record(&act.with("after", after.encode()).with("next", page.next.encode())).await?;
    change.commit().await?;
    Ok(page)
}
