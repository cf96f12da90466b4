//! 通知公告: read and searched by everybody, published, corrected and withdrawn by staff.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Access, operation};
use super::why::Why;
use crate::declare::announcements::{
    Announced, Announcement, AnnouncementError, Correcting, Publishing, Wanted, correct, list, publish, show, withdraw,
};
use crate::domain::access::Action;
use crate::domain::announcement::Refused;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, cursor, limit_of};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    const TAG: &str = "announcements";
    let (read, write) = (Access::nobody(Action::ReadAnnouncements), Access::nobody(Action::PublishAnnouncement));
    ApiRouter::new()
        .api_route(
            "/announcements",
            get_with(
                list_told,
                operation("list_announcements", TAG, read, "What is told to whoever asks, newest first, 100 at most"),
            )
            .post_with(tell, operation("publish_announcement", TAG, write, "Tell everybody of a division something")),
        )
        .api_route(
            "/announcements/{announcement_id}",
            get_with(
                read_told,
                operation("read_announcement", TAG, read, "One with its text; for staff with what it said before"),
            )
            .put_with(
                tell_otherwise,
                operation(
                    "correct_announcement",
                    TAG,
                    write,
                    "Let it say something else; what it said stays on record",
                ),
            ),
        )
        .api_route(
            "/announcements/{announcement_id}/withdrawal",
            post_with(take_back, operation("withdraw_announcement", TAG, write, "Take it back for good")),
        )
}

#[derive(Deserialize, JsonSchema)]
struct OfAnnouncement {
    announcement_id: i64,
}

/// Which announcements.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Announcements {
    /// Words parted by blanks, each of which stands in title or text.
    #[serde(default)]
    #[schemars(length(max = 100))]
    search: String,
    /// For staff: also what is withdrawn, over or not in force yet.
    #[serde(default)]
    all: bool,
    /// `next` of the page before.
    #[schemars(length(max = 200))]
    after: Option<String>,
    /// Rows of the page at most; 100 where nothing is said, and no more are given.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u16>,
}

/// What is to be told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewAnnouncement {
    /// Whom it is for: the first two, four or six digits of their divisions.
    #[schemars(regex(pattern = "^([0-9]{2}){1,3}$"))]
    division: String,
    /// One line.
    #[schemars(length(min = 1, max = 100))]
    title: String,
    /// Plain text.
    #[schemars(length(min = 1, max = 20000))]
    text: String,
    /// First day; without it today.
    from_on: Option<NaiveDate>,
    /// Last day; without it until it is withdrawn.
    until_on: Option<NaiveDate>,
}

/// What it is to say instead, whole.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Correction {
    /// `version` that was seen: another one is not replaced.
    of_version: u32,
    /// One line.
    #[schemars(length(min = 1, max = 100))]
    title: String,
    /// Plain text.
    #[schemars(length(min = 1, max = 20000))]
    text: String,
    /// First day.
    from_on: NaiveDate,
    /// Last day; without it until it is withdrawn.
    until_on: Option<NaiveDate>,
}

async fn list_told(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(asked): Query<Announcements>,
) -> Result<Reply<Page<Announced>>, Problem> {
    let (limit, after) = (limit_of(asked.limit)?, cursor(asked.after.as_deref())?);
    let page = list(&site.store, &actor, &Wanted { search: asked.search, all: asked.all, after, limit }).await?;
    Ok(Reply(Page { items: page.announcements, next: page.next.map(|place| place.to_string()) }))
}

async fn read_told(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfAnnouncement>,
) -> Result<Reply<Announcement>, Problem> {
    Ok(Reply(show(&site.store, &actor, of.announcement_id).await?))
}

async fn tell(
    Writer { actor, store }: Writer,
    Body(new): Body<NewAnnouncement>,
) -> Result<Reply<Announcement>, Problem> {
    let NewAnnouncement { division, title, text, from_on, until_on } = new;
    Ok(Reply(publish(&store, &actor, &Publishing { division, title, text, from_on, until_on }).await?))
}

async fn tell_otherwise(
    Writer { actor, store }: Writer,
    Path(of): Path<OfAnnouncement>,
    Body(correction): Body<Correction>,
) -> Result<Reply<Announcement>, Problem> {
    let Correction { of_version, title, text, from_on, until_on } = correction;
    let correcting = Correcting { of_version, title, text, from_on, until_on };
    Ok(Reply(correct(&store, &actor, of.announcement_id, &correcting).await?))
}

async fn take_back(
    Writer { actor, store }: Writer,
    Path(of): Path<OfAnnouncement>,
    Body(Why { why }): Body<Why>,
) -> Result<Reply<Announcement>, Problem> {
    Ok(Reply(withdraw(&store, &actor, of.announcement_id, &why).await?))
}

impl From<AnnouncementError> for Problem {
    fn from(error: AnnouncementError) -> Self {
        match error {
            AnnouncementError::Denied(denied) => denied.into(),
            AnnouncementError::Store(error) => error.into(),
            AnnouncementError::Reason(fault) => fault.into(),
            AnnouncementError::Refused(refused @ (Refused::Withdrawn | Refused::Outdated { .. })) => {
                Self::refused(refused.code(), refused.to_string(), refused.chinese())
            }
            AnnouncementError::Refused(refused) => {
                Self::unprocessable(refused.code(), refused.to_string(), refused.chinese())
            }
            error @ AnnouncementError::Audited(_) => Self::failed(&error),
        }
    }
}
