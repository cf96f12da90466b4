//! What is wrong and what was done: alerts, differences from the tax department, refused records, the audit.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Access, operation};
use super::why::{Why, Words};
use crate::declare::Done;
use crate::declare::audit::read_audit;
use crate::declare::differences::list_differences as list_differences_of;
use crate::declare::operate::{self, acknowledge_alert, may_operate};
use crate::domain::access::Action;
use crate::domain::facts::PersonId;
use crate::store::alerts::AlertLine;
use crate::store::audit_log::{AuditFilter, AuditLine};
use crate::store::quarantine::{Discarded, QuarantineFilter, QuarantineLine};
use crate::store::reconciliations::DifferenceLine;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, cursor, limit_of};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    const TAG: &str = "watch";
    let operate = Access::installation(Action::Operate);
    ApiRouter::new()
        .api_route(
            "/alerts",
            get_with(list_alerts, operation("list_alerts", TAG, operate, "What is wrong, newest first")),
        )
        .api_route(
            "/alerts/{alert_id}/acknowledgement",
            post_with(acknowledge, operation("acknowledge_alert", TAG, operate, "Say that somebody takes care of it")),
        )
        .api_route(
            "/differences",
            get_with(
                list_differences,
                operation(
                    "list_differences",
                    TAG,
                    Access::nobody(Action::SettleDifference),
                    "Where the tax department holds something else, oldest first",
                ),
            ),
        )
        .api_route(
            "/refusals",
            get_with(
                list_refusals,
                operation("list_refusals", TAG, operate, "Records of agencies that were refused, newest first"),
            ),
        )
        .api_route(
            "/refusals/discards",
            post_with(discard_refusals, operation("discard_refusals", TAG, operate, "Close refused records for good")),
        )
        .api_route(
            "/audit",
            get_with(
                list_audit,
                operation(
                    "list_audit",
                    TAG,
                    Access::nobody(Action::ReadAudit),
                    "Who did or looked at what, newest first",
                ),
            ),
        )
}

/// Which lines: open ones, or all.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Lines {
    /// Also those that are over.
    #[serde(default)]
    all: bool,
    /// `next` of the page before.
    #[schemars(length(max = 200))]
    after: Option<String>,
    /// Rows of the page at most; 100 where nothing is said.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u16>,
}

#[derive(Deserialize, JsonSchema)]
struct OfAlert {
    alert_id: i32,
}

/// Which refused records.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Refusals {
    /// Only those of this job.
    #[schemars(length(max = 100))]
    job: Option<String>,
    /// Only those refused for this reason.
    #[schemars(length(max = 100))]
    code: Option<String>,
    /// `next` of the page before.
    #[schemars(length(max = 200))]
    after: Option<String>,
    /// Rows of the page at most; 100 where nothing is said.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u16>,
}

/// Refused records to be closed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Discards {
    #[schemars(length(min = 1, max = 500))]
    quarantine_ids: Vec<i64>,
    why: Words,
}

/// Which rows of the audit.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Audit {
    /// What it was done to: exactly this, or what begins with these words.
    #[schemars(length(max = 200))]
    object: Option<String>,
    /// Only what this actor did.
    #[schemars(length(max = 200))]
    actor: Option<String>,
    /// Only since this instant.
    since: Option<DateTime<Utc>>,
    /// Only what was done to this person or seen of them.
    person_id: Option<PersonId>,
    /// `next` of the page before.
    #[schemars(length(max = 200))]
    after: Option<String>,
    /// Rows of the page at most; 100 where nothing is said.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u16>,
}

async fn list_alerts(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(asked): Query<Lines>,
) -> Result<Reply<Page<AlertLine>>, Problem> {
    may_operate(&actor)?;
    let limit = limit_of(asked.limit)?;
    let alerts = site.store.list_alerts(asked.all, cursor(asked.after.as_deref())?, limit as i64 + 1).await?;
    Ok(Reply(Page::of(alerts, limit, |alert| alert.alert_id.to_string())))
}

async fn acknowledge(
    Writer { actor, store }: Writer,
    Path(of): Path<OfAlert>,
    Body(Why { why }): Body<Why>,
) -> Result<Reply<Done>, Problem> {
    Ok(Reply(acknowledge_alert(&store, &actor, of.alert_id, &why).await?))
}

async fn list_differences(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(asked): Query<Lines>,
) -> Result<Reply<Page<DifferenceLine>>, Problem> {
    let limit = limit_of(asked.limit)?;
    let after = cursor(asked.after.as_deref())?;
    let lines = list_differences_of(&site.store, &actor, asked.all, after, limit + 1).await?;
    Ok(Reply(Page::of(lines, limit, |line| line.difference_id.to_string())))
}

async fn list_refusals(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(asked): Query<Refusals>,
) -> Result<Reply<Page<QuarantineLine>>, Problem> {
    may_operate(&actor)?;
    let filter = QuarantineFilter { job: asked.job, code: asked.code, ids: Vec::new() };
    let limit = limit_of(asked.limit)?;
    let (lines, _) = site.store.list_quarantine(&filter, cursor(asked.after.as_deref())?, limit as i64 + 1).await?;
    Ok(Reply(Page::of(lines, limit, |line| line.quarantine_id.to_string())))
}

async fn discard_refusals(
    Writer { actor, store }: Writer,
    Body(discards): Body<Discards>,
) -> Result<Reply<Discarded>, Problem> {
    may_operate(&actor)?;
    if discards.quarantine_ids.is_empty() {
        let detail = "name the records; nothing was discarded";
        return Err(Problem::unprocessable("no_records", detail, "请指定要作废的记录。"));
    }
    let filter = QuarantineFilter { job: None, code: None, ids: discards.quarantine_ids };
    Ok(Reply(operate::discard_refusals(&store, &actor, &filter, &discards.why).await?))
}

async fn list_audit(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(asked): Query<Audit>,
) -> Result<Reply<Page<AuditLine>>, Problem> {
    let filter = AuditFilter {
        object: asked.object,
        actor: asked.actor,
        since: asked.since,
        person: asked.person_id,
        before: cursor(asked.after.as_deref())?,
    };
    let page = read_audit(&site.store, &actor, &filter, limit_of(asked.limit)?).await?;
    Ok(Reply(Page { items: page.lines, next: page.next.map(|next| next.to_string()) }))
}
