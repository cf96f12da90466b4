//! What employers and staff were told.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Access, operation};
use crate::declare::register::notices::{NoticeRead, NoticeTold, Wanted, list_notices, read_notice};
use crate::domain::access::Action;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, Paging, bad_cursor};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

const TAG: &str = "notices";

pub(super) fn routes() -> ApiRouter<Site> {
    let read = Access::nobody(Action::ReadResults);
    ApiRouter::new()
        .api_route(
            "/notices",
            get_with(
                list,
                operation("list_notices", TAG, read, "Notices to the units and divisions in reach, newest first"),
            ),
        )
        .api_route(
            "/notices/{notice_id}/readings",
            // whose notice it is decides what its reader must be allowed
            post_with(mark_read, operation("read_notice", TAG, Access::Token, "Note that a notice was read")),
        )
}

/// Which notices.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WantedNotices {
    /// Also those that were read; not where nothing is said.
    all: Option<bool>,
    /// `next` of the page before.
    #[schemars(length(max = 200))]
    after: Option<String>,
    /// Rows of the page at most; 100 where nothing is said.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u16>,
}

/// A notice.
#[derive(Deserialize, JsonSchema)]
struct OfNotice {
    notice_id: i64,
}

async fn list(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(WantedNotices { all, after, limit }): Query<WantedNotices>,
) -> Result<Reply<Page<NoticeTold>>, Problem> {
    let paging = Paging { after, limit };
    let (limit, before) = (paging.limit()?, paging.after::<i64>()?);
    if before.is_some_and(|before| before < 1) {
        return Err(bad_cursor());
    }
    let wanted = Wanted { all: all == Some(true), before, limit: limit as i64 + 1 };
    let notices = list_notices(&site.store, &actor, &wanted).await?;
    Ok(Reply(Page::of(notices, limit, |notice| notice.notice_id.to_string())))
}

async fn mark_read(
    Writer { actor, store }: Writer,
    Path(OfNotice { notice_id }): Path<OfNotice>,
) -> Result<Reply<NoticeRead>, Problem> {
    let new = read_notice(&store, &actor, notice_id).await?;
    Ok(Reply(NoticeRead { notice_id, new }))
}
