//! What is asked of staff about a completed declaration: withdrawal and amendment, and what waits for a decision.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::describe::{Access, operation};
use super::whose::{OfYear, declaring};
use super::why::Words;
use crate::declare::amend::{self, Difference};
use crate::declare::withdraw;
use crate::domain::access::Action;
use crate::domain::declaration::{Amendment, Change, Declaration, REFUND_REFERENCE_SIGNS, Withdrawal};
use crate::domain::facts::PersonId;
use crate::domain::month::Month;
use crate::store::declared::Listed;
use crate::store::place::Place;
use crate::verify::changes::Cause;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, Paging};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    const TAG: &str = "corrections";
    let reads = Access::employer(Action::ReadResults);
    let lists = Access::nobody(Action::ReadResults);
    let say = |id, access, summary| operation(id, TAG, access, summary);
    let on = |action| Access::employer(action);
    ApiRouter::new()
        .api_route(
            "/employers/{uscc}/years/{year}/declaration/withdrawal",
            post_with(
                ask_withdrawal,
                say("ask_withdrawal", on(Action::AskWithdrawal), "Ask staff to take a completed declaration back"),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/declaration/withdrawal/decision",
            post_with(
                decide_withdrawal,
                say("decide_withdrawal", on(Action::DecideWithdrawal), "Approve or refuse the withdrawal asked for"),
            ),
        )
        .api_route(
            "/withdrawals",
            get_with(list_withdrawals, say("list_withdrawals", lists, "Withdrawals that wait for a decision")),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/declaration/amendment",
            get_with(
                read_amendment,
                say("read_amendment", reads, "Before, after and effect of the last amendment asked for"),
            )
            .post_with(
                ask_amendment,
                say("ask_amendment", on(Action::AskAmendment), "Ask for single months to be added or removed"),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/declaration/amendment/decision",
            post_with(
                decide_amendment,
                say("decide_amendment", on(Action::DecideAmendment), "Approve or refuse the amendment asked for"),
            ),
        )
        .api_route(
            "/amendments",
            get_with(list_amendments, say("list_amendments", lists, "Amendments that wait for a decision")),
        )
}

/// Why an employer wants its declaration back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AskedWithdrawal {
    reason: Words,
    /// The levy was paid by this result already.
    levy_paid: bool,
    /// The tax department's reference of the refund.
    #[schemars(length(min = 1, max = REFUND_REFERENCE_SIGNS))]
    refund_reference: Option<String>,
}

async fn ask_withdrawal(
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
    Body(asked): Body<AskedWithdrawal>,
) -> Result<Reply<Declaration>, Problem> {
    let declaring = declaring(&store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    let AskedWithdrawal { reason, levy_paid, refund_reference } = asked;
    let asking = withdraw::Asking { reason: reason.to_owned(), levy_paid, refund_reference };
    Ok(Reply(withdraw::ask(&store, &actor, declaring, &asking).await?))
}

/// Staff's word on a withdrawal.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WithdrawalDecision {
    approve: bool,
    reason: Words,
    /// The tax department's reference of the refund, where the levy was paid and the employer did not give it.
    #[schemars(length(min = 1, max = REFUND_REFERENCE_SIGNS))]
    refund_reference: Option<String>,
}

async fn decide_withdrawal(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
    Body(decision): Body<WithdrawalDecision>,
) -> Result<Reply<Declaration>, Problem> {
    let declaring = declaring(&store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    let WithdrawalDecision { approve, reason, refund_reference } = decision;
    let deciding = withdraw::Deciding { approve, reason: reason.to_owned(), refund_reference };
    let decided = withdraw::decide(&store, &actor, declaring, &deciding).await?;
    site.anew.judge_placed(declaring.employer, declaring.year, Cause::Claim);
    Ok(Reply(decided))
}

/// A withdrawal that waits.
#[derive(Serialize, JsonSchema)]
struct OpenWithdrawal {
    employer_uscc: String,
    federation_division: String,
    year: i16,
    withdrawal: Withdrawal,
}

async fn list_withdrawals(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<OpenWithdrawal>>, Problem> {
    let listed = withdraw::list(&site.store, &actor).await?;
    page(listed, &paging, |listed| {
        let withdrawal = listed.declaration.open_withdrawal()?.clone();
        let asked_at = withdrawal.asked.at;
        let Listed { federation_division, year, .. } = listed;
        let employer_uscc = listed.uscc.to_string();
        Some((asked_at, OpenWithdrawal { employer_uscc, federation_division, year, withdrawal }))
    })
}

/// Months that are to be added or removed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AskedAmendment {
    #[schemars(length(min = 1, max = 1000))]
    changes: Vec<AskedMonth>,
}

/// One month of one person.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AskedMonth {
    person_id: PersonId,
    month: Month,
    /// Added, else removed.
    add: bool,
    reason: Words,
}

async fn ask_amendment(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
    Body(asked): Body<AskedAmendment>,
) -> Result<Reply<Declaration>, Problem> {
    let declaring = declaring(&store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    let change = |one: AskedMonth| {
        let AskedMonth { person_id: person, month, add, reason } = one;
        Change { person, month, add, reason: reason.to_owned() }
    };
    let changes = asked.changes.into_iter().map(change).collect();
    Ok(Reply(amend::ask(&store, &site.reading.policy, &actor, declaring, changes).await?))
}

/// Null where none was asked for.
async fn read_amendment(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfYear>,
) -> Result<Reply<Option<Difference>>, Problem> {
    let declaring = declaring(&site.store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    Ok(Reply(amend::show(&site.store, &site.reading.policy, &actor, declaring).await?))
}

/// Staff's word on an amendment.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AmendmentDecision {
    approve: bool,
    reason: Words,
}

async fn decide_amendment(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
    Body(decision): Body<AmendmentDecision>,
) -> Result<Reply<Declaration>, Problem> {
    let declaring = declaring(&store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    let AmendmentDecision { approve, reason } = decision;
    let deciding = amend::Deciding { approve, reason: reason.to_owned() };
    let decided = amend::decide(&store, &site.reading.policy, &actor, declaring, &deciding).await?;
    site.anew.judge_placed(declaring.employer, declaring.year, Cause::Claim);
    Ok(Reply(decided))
}

/// An amendment that waits.
#[derive(Serialize, JsonSchema)]
struct OpenAmendment {
    employer_uscc: String,
    federation_division: String,
    year: i16,
    amendment: Amendment,
}

async fn list_amendments(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<OpenAmendment>>, Problem> {
    let listed = amend::list(&site.store, &actor).await?;
    page(listed, &paging, |listed| {
        let amendment = listed.declaration.open_amendment()?.clone();
        let asked_at = amendment.asked.at;
        let Listed { federation_division, year, .. } = listed;
        let employer_uscc = listed.uscc.to_string();
        Some((asked_at, OpenAmendment { employer_uscc, federation_division, year, amendment }))
    })
}

/// A page of requests, the oldest first.
fn page<T>(
    listed: Vec<Listed>,
    paging: &Paging,
    line: impl Fn(Listed) -> Option<(DateTime<Utc>, T)>,
) -> Result<Reply<Page<T>>, Problem> {
    let limit = paging.limit()?;
    let after: Option<Place<2>> = paging.after()?;
    let placed = listed.into_iter().filter_map(|listed| {
        let ids = [i64::from(listed.employer.0), i64::from(listed.year)];
        let (at, line) = line(listed)?;
        Some((Place { at, ids }.as_told(), line))
    });
    let mut placed: Vec<(Place<2>, T)> = placed.filter(|(place, _)| Some(*place) > after).collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.truncate(limit + 1);
    let Page { items, next } = Page::of(placed, limit, |(place, _)| place.to_string());
    Ok(Reply(Page { items: items.into_iter().map(|(_, line)| line).collect(), next }))
}
