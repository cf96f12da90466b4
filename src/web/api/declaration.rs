//! An employer's year: where it stands, handing in, completion, standing consent, and what later data says otherwise.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with, put_with};
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::describe::{Access, operation};
use super::whose::{OfPlacement, OfYear, declaring};
use crate::declare::complete::{Completed, Completing, complete};
use crate::declare::consent::{ConsentRevoked, give, revoke};
use crate::declare::drift::{DriftOfDeclaration, of_employer};
use crate::declare::hand_in::{self, HandedIn};
use crate::declare::overview::{Overview, overview};
use crate::declare::standing::{PlacementLine, placements};
use crate::domain::access::Action;
use crate::store::consents::Consent;
use crate::verify::changes::Cause;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, Paging};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    const TAG: &str = "declaration";
    let reads = Access::employer(Action::ReadResults);
    let consents = Access::employer(Action::Consent);
    let say = |id, access, summary| operation(id, TAG, access, summary);
    ApiRouter::new()
        .api_route(
            "/employers/{uscc}/years/{year}/declaration",
            get_with(read, say("read_declaration", reads, "Where an employer's year stands, and what is next")),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/declaration/placements",
            get_with(list, say("list_standings", reads, "Where every placement and month of the year stands")),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/declaration/drift",
            get_with(drift, say("read_drift", reads, "What later data says otherwise than the declared months")),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/declaration/consent",
            put_with(
                consent,
                say("give_consent", consents, "Agree that what passes by itself is completed on the last day"),
            )
            .delete_with(no_consent, say("revoke_consent", consents, "Take a standing consent back")),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/declaration/completion",
            post_with(
                completion,
                say("complete", Access::employer(Action::Complete), "Freeze and certify what is confirmed"),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/placements/{person_id}/handing-in",
            post_with(handing_in, say("hand_in", Access::employer(Action::HandIn), "Hand a placement in for review")),
        )
        .api_route(
            "/commitment",
            get_with(commitment, say("read_commitment", Access::Token, "The commitment that a completion accepts")),
        )
}

async fn read(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfYear>,
) -> Result<Reply<Overview>, Problem> {
    let declaring = declaring(&site.store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    Ok(Reply(overview(&site.store, &site.reading.policy, &actor, declaring).await?))
}

async fn list(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfYear>,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<PlacementLine>>, Problem> {
    let declaring = declaring(&site.store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    let (limit, after) = (paging.limit()?, paging.after::<i64>()?.unwrap_or(0));
    let views = placements(&site.store, declaring).await?;
    let after = views.iter().filter(|view| view.person.0 > after);
    let lines = after.take(limit + 1).map(PlacementLine::of).collect();
    Ok(Reply(Page::of(lines, limit, |line| line.person_id.0.to_string())))
}

/// Null where nothing is declared.
async fn drift(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfYear>,
) -> Result<Reply<Option<DriftOfDeclaration>>, Problem> {
    let declaring = declaring(&site.store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    Ok(Reply(of_employer(&site.store, &site.reading.policy, &actor, declaring).await?))
}

/// Which text is accepted.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Agreement {
    /// Version of the commitment that the employer read and accepts
    #[schemars(length(min = 1, max = 64))]
    accepted_commitment: String,
}

async fn consent(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
    Body(agreement): Body<Agreement>,
) -> Result<Reply<Consent>, Problem> {
    let declaring = declaring(&store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    Ok(Reply(give(&store, &site.reading, declaring, &actor, &agreement.accepted_commitment).await?))
}

async fn no_consent(Writer { actor, store }: Writer, Path(of): Path<OfYear>) -> Result<Reply<ConsentRevoked>, Problem> {
    let declaring = declaring(&store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    Ok(Reply(revoke(&store, declaring, &actor).await?))
}

/// What the employer says at completion.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CompletionWord {
    /// Version of the commitment that the employer read and accepts
    #[schemars(length(min = 1, max = 64))]
    accepted_commitment: Option<String>,
}

async fn completion(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfYear>,
    Body(completion): Body<CompletionWord>,
) -> Result<Reply<Completed>, Problem> {
    // where the unit is being deregistered staff complete: the use case says who may
    let declaring = declaring(&store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    let completing = Completing::of(declaring, completion.accepted_commitment);
    let completed = complete(&store, &site.reading, &actor, &completing).await?;
    site.anew.judge_placed(declaring.employer, declaring.year, Cause::Claim);
    Ok(Reply(completed))
}

/// How it is handed in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HandingIn {
    /// The unit is being deregistered: staff hand in outside the window too.
    #[serde(default)]
    deregistering: bool,
}

async fn handing_in(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfPlacement>,
    Body(how): Body<HandingIn>,
) -> Result<Reply<HandedIn>, Problem> {
    let declaring = declaring(&store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    let policy = &site.reading.policy;
    Ok(Reply(hand_in::hand_in(&store, policy, &actor, declaring, of.person_id, how.deregistering).await?))
}

/// 真实性承诺, as it is in force today.
#[derive(Serialize, JsonSchema)]
struct CommitmentText {
    version: String,
    text: String,
}

async fn commitment(State(site): State<Site>, Holder(_): Holder) -> Result<Reply<CommitmentText>, Problem> {
    let text = site.reading.policy.commitment(site.store.today().await?)?;
    Ok(Reply(CommitmentText { version: text.version.clone(), text: text.text.clone() }))
}
