//! 超比例奖励申请: applied for by the employer and decided by staff.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Access, operation};
use super::whose::{OfYear, declaring};
use crate::declare::reward::{Applied, Deciding, Eligibility, RewardError, apply, decide, list, show, withdraw};
use crate::domain::access::Action;
use crate::domain::reward_application::{ApprovalReason, Refused, RejectionReason, Ruling, Word};
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, Paging};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    const TAG: &str = "rewards";
    let own = Access::employer(Action::ApplyReward);
    ApiRouter::new()
        .api_route(
            "/employers/{uscc}/years/{year}/reward",
            get_with(
                read,
                operation(
                    "read_reward",
                    TAG,
                    Access::employer(Action::ReadResults),
                    "Whether the employer may apply, each step of the amount, and its applications",
                ),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/reward/applications",
            post_with(
                ask,
                operation(
                    "apply_for_reward",
                    TAG,
                    own,
                    "Apply by the result in force: the calculation is kept as it is now",
                ),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/reward/withdrawal",
            post_with(take_back, operation("withdraw_reward", TAG, own, "Take the open application back")),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/reward/decision",
            post_with(
                rule,
                operation(
                    "decide_reward",
                    TAG,
                    Access::employer(Action::DecideReward),
                    "Approve or reject the open application",
                ),
            ),
        )
        .api_route(
            "/reward-applications",
            get_with(
                list_open,
                operation(
                    "list_reward_applications",
                    TAG,
                    Access::nobody(Action::OpenCase),
                    "What waits for a decision, oldest first, 100 at most; a page may have fewer rows than there are",
                ),
            ),
        )
}

/// Staff's word: one of `approve` and `reject`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RewardDecision")]
struct Decision {
    /// Yes, for this reason.
    approve: Option<ApprovalReason>,
    /// No, for this reason.
    reject: Option<RejectionReason>,
    /// What explains it; needed for the reason `other`.
    #[schemars(length(max = 1000))]
    note: Option<String>,
    /// `application_id` that was looked at: if another is open by now, nothing is decided.
    seen: Option<i64>,
}

async fn read(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfYear>,
) -> Result<Reply<Eligibility>, Problem> {
    let declaring = declaring(&site.store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    Ok(Reply(show(&site.store, &site.reading.policy, &actor, declaring).await?))
}

async fn ask(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
) -> Result<Reply<Applied>, Problem> {
    let declaring = declaring(&store, &actor, Action::ApplyReward, &of.uscc, of.year).await?;
    Ok(Reply(apply(&store, &site.reading, &actor, declaring).await?))
}

async fn take_back(Writer { actor, store }: Writer, Path(of): Path<OfYear>) -> Result<Reply<Applied>, Problem> {
    let declaring = declaring(&store, &actor, Action::ApplyReward, &of.uscc, of.year).await?;
    Ok(Reply(withdraw(&store, &actor, declaring).await?))
}

async fn rule(
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
    Body(decision): Body<Decision>,
) -> Result<Reply<Applied>, Problem> {
    let declaring = declaring(&store, &actor, Action::DecideReward, &of.uscc, of.year).await?;
    let word = match (decision.approve, decision.reject) {
        (Some(reason), None) => Word::Approve(reason),
        (None, Some(reason)) => Word::Reject(reason),
        _ => {
            let detail = "a decision has one of `approve` and `reject`";
            return Err(Problem::unprocessable("one_word", detail, "请在通过与不通过中选择一项。"));
        }
    };
    let deciding = Deciding { ruling: Ruling { word, note: decision.note }, seen: decision.seen };
    Ok(Reply(decide(&store, &actor, declaring, &deciding).await?))
}

async fn list_open(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<Applied>>, Problem> {
    let page = list(&site.store, &actor, paging.after()?, paging.limit()?).await?;
    Ok(Reply(Page { items: page.applications, next: page.next.map(|place| place.to_string()) }))
}

impl From<RewardError> for Problem {
    fn from(error: RewardError) -> Self {
        match error {
            RewardError::Denied(denied) => denied.into(),
            RewardError::Store(error) => error.into(),
            RewardError::Refused(refused @ Refused::Note(_)) => {
                Self::unprocessable(refused.code(), refused.to_string(), refused.chinese())
            }
            RewardError::Refused(refused) => Self::refused(refused.code(), refused.to_string(), refused.chinese()),
            error @ (RewardError::Headcount(_) | RewardError::Audited(_)) => Self::failed(&error),
        }
    }
}
