//! Staff verify a person or an employer again, by what is stored or after a fresh pull.

use std::time::Duration;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::describe::{Access, operation};
use super::whose::employer;
use crate::declare::reverify::{self, Progress, Verification};
use crate::domain::access::{Action, Actor};
use crate::domain::facts::PersonId;
use crate::domain::ids::Uscc;
use crate::store::reverifications::Reverification;
use crate::web::Site;
use crate::web::asker::Reader;
use crate::web::input::{Body, Path};
use crate::web::once::Writer;
use crate::web::problem::Problem;
use crate::web::reply::{Awaited, Reply};

pub(super) fn routes() -> ApiRouter<Site> {
    const TAG: &str = "results";
    let access = Access::nobody(Action::Reverify);
    ApiRouter::new()
        .api_route(
            "/verifications",
            post_with(
                verify,
                operation(
                    "verify",
                    TAG,
                    access,
                    "Verify a person or an employer again, after a fresh pull if asked so",
                ),
            ),
        )
        .api_route(
            "/verifications/{verification_id}",
            get_with(read, operation("read_verification", TAG, access, "How far a verification is, and what it found")),
        )
}

/// So long an answer is waited for before the asker is told where to ask.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often is looked meanwhile.
const LOOK: Duration = Duration::from_millis(250);

/// Whom to verify.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AskedVerification {
    employer_uscc: Uscc,
    /// Everybody whom the employer has placed, where nobody is named
    person_id: Option<PersonId>,
    /// Business year
    #[schemars(range(min = 2000, max = 2100))]
    year: i16,
    /// Ask the sources that can be asked for single persons first
    #[serde(default)]
    fresh: bool,
}

async fn verify(
    State(site): State<Site>,
    Reader { at, .. }: Reader,
    Writer { actor, store }: Writer,
    Body(asked): Body<AskedVerification>,
) -> Result<Awaited<Verification>, Problem> {
    let employer = employer(&store, &actor, Action::Reverify, &asked.employer_uscc).await?;
    let reverification = Reverification { employer, person: asked.person_id, year: asked.year.into() };
    if !asked.fresh {
        let verification = reverify::reverify(&store, &site.reading, &actor, reverification).await?;
        note(&site, at, &actor, &verification)?;
        return Ok(Awaited::Done(verification));
    }
    let verification_id = reverify::queue_fresh(&store, &site.reading, &actor, reverification).await?;
    let until = Instant::now() + PATIENCE;
    loop {
        let verification = reverify::find(&store, &actor, verification_id).await?;
        if matches!(verification.progress, Progress::Done | Progress::GivenUp) {
            note(&site, at, &actor, &verification)?;
            return Ok(Awaited::Done(verification));
        }
        if Instant::now() + LOOK > until {
            let place = format!("/api/v1/verifications/{verification_id}");
            return Ok(Awaited::Later { value: verification, place });
        }
        sleep(LOOK).await;
    }
}

/// A verification that was asked for.
#[derive(Deserialize, JsonSchema)]
struct OfVerification {
    verification_id: i64,
}

async fn read(
    State(site): State<Site>,
    Reader { actor, at }: Reader,
    Path(of): Path<OfVerification>,
) -> Result<Reply<Verification>, Problem> {
    let verification = reverify::find(&site.store, &actor, of.verification_id).await?;
    note(&site, at, &actor, &verification)?;
    Ok(Reply(verification))
}

/// Results that it shows are read by whoever asked.
fn note(site: &Site, at: DateTime<Utc>, actor: &Actor, verification: &Verification) -> Result<(), Problem> {
    if verification.outcome.is_none() {
        return Ok(());
    }
    let Verification { employer_uscc, year, person_id, .. } = verification;
    let person = person_id.map(|person| format!(", person {}", person.0)).unwrap_or_default();
    let object = format!("results {year}: employer {employer_uscc}{person}");
    site.reads.note(at, actor, Action::ReadResults, object)
}
