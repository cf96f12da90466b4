//! The side of the person whom placements are about: they show their papers and a code in every request, have no account and no token.

use std::time::{Duration, Instant};

use aide::axum::ApiRouter;
use aide::axum::routing::post_with;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::describe::{Access, operation};
use crate::declare::person::{
    Counts, Credentials, Look, Objecting, OwnObjection, PersonActor, PersonError, PersonRefused, Raised, counts,
    object, open, own_objections, who_looked,
};
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::objection::{ObjectionKind, Refused};
use crate::web::Site;
use crate::web::asker::Address;
use crate::web::input::{Body, Path};
use crate::web::limiter::{Allowance, Limiter, too_many};
use crate::web::once::{Kept, Name, once_of};
use crate::web::paging::{Page, cursor, limit_of};
use crate::web::problem::{Fault, Problem};
use crate::web::reply::Reply;

/// Papers, a page, and an objection of a thousand signs, however they are written in JSON.
const MOST_BYTES: usize = 32 << 10;

/// A person opens a few pages; a library or a village office is one address for many persons.
pub(in crate::web) fn limiter() -> Limiter {
    let of_one = Allowance { requests: 30, per: Duration::from_mins(1) };
    let of_network = Allowance { requests: 120, per: Duration::from_mins(1) };
    let of_all = Allowance { requests: 6000, per: Duration::from_mins(1) };
    Limiter::new(of_one, of_network, of_all)
}

pub(super) fn routes() -> ApiRouter<Site> {
    let told = |id, summary| operation(id, "person", Access::Open, summary);
    ApiRouter::new()
        .api_route(
            "/person/years/{year}",
            post_with(
                read_counts,
                told("read_own_counts", "Who counts you: employers, months, checks, wages, what was declared"),
            ),
        )
        .api_route(
            "/person/looks",
            post_with(list_looks, told("list_own_looks", "Who looked at what is kept of you, newest first")),
        )
        .api_route(
            "/person/objections/list",
            post_with(list_own, told("list_own_objections", "Your objections with their answers, newest first")),
        )
        .api_route(
            "/person/objections",
            post_with(raise, told("object", "Object to months in which an employer counts you; staff answer")),
        )
        .layer(DefaultBodyLimit::max(MOST_BYTES))
}

/// What the person has in hand. It is mistyped, or does not fit; what of it does not, is not told. Five misses under an ID number within
/// an hour close it for an hour.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Papers {
    #[schemars(length(min = 15, max = 18))]
    id_number: String,
    /// Of the 残疾人证, or of the 残疾军人证.
    #[schemars(length(min = 1, max = 50))]
    certificate_number: String,
    /// As staff handed it out.
    #[schemars(length(min = 1, max = 50))]
    code: String,
}

#[derive(Deserialize, JsonSchema)]
struct OfOwnYear {
    /// Business year
    #[schemars(range(min = 2000, max = 2100))]
    year: i16,
}

/// Whoever asks for their year.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OwnYear {
    credentials: Papers,
}

/// Whoever asks for a page of theirs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OwnPage {
    credentials: Papers,
    /// `next` of the page before.
    #[schemars(length(max = 200))]
    after: Option<String>,
    /// Rows of the page at most; 100 where nothing is said.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u16>,
}

/// An objection.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewObjection {
    credentials: Papers,
    objection: Objection,
}

/// What the person says.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Objection {
    employer: Uscc,
    #[schemars(length(min = 1, max = 36))]
    months: Vec<Month>,
    kind: ObjectionKind,
    /// Needed where the kind is `other`. Kept encrypted.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    text: String,
}

/// The person, if the papers fit. Whoever asks or misses too often hears when to come again.
async fn opened(site: &Site, Address(address): Address, papers: &Papers) -> Result<PersonActor, Problem> {
    site.openings.take(address, Instant::now()).map_err(too_many)?;
    let Papers { id_number, certificate_number, code } = papers;
    match open(&site.store, Credentials { id_number, certificate_number, code }).await {
        Err(PersonError::Refused(refused @ PersonRefused::TooManyMisses { until })) => {
            let wait = (until - site.store.now().await?).num_seconds().max(0) + 1;
            Err(Problem::from(refused).with(header::RETRY_AFTER, HeaderValue::from(wait)))
        }
        opened => Ok(opened?),
    }
}

async fn read_counts(
    State(site): State<Site>,
    address: Address,
    Path(of): Path<OfOwnYear>,
    Body(asked): Body<OwnYear>,
) -> Result<Reply<Counts>, Problem> {
    if !(2000..=2100).contains(&of.year) {
        return Err(Problem::not_found());
    }
    let own = opened(&site, address, &asked.credentials).await?;
    Ok(Reply(counts(&site.store, &own, of.year.into()).await?))
}

async fn list_looks(
    State(site): State<Site>,
    address: Address,
    Body(asked): Body<OwnPage>,
) -> Result<Reply<Page<Look>>, Problem> {
    let (limit, after) = (limit_of(asked.limit)?, cursor(asked.after.as_deref())?);
    let own = opened(&site, address, &asked.credentials).await?;
    let page = who_looked(&site.store, &own, after, limit as u32).await?;
    Ok(Reply(Page { items: page.looks, next: page.next.map(|next| next.to_string()) }))
}

async fn list_own(
    State(site): State<Site>,
    address: Address,
    Body(asked): Body<OwnPage>,
) -> Result<Reply<Page<OwnObjection>>, Problem> {
    let (limit, after) = (limit_of(asked.limit)?, cursor(asked.after.as_deref())?);
    let own = opened(&site, address, &asked.credentials).await?;
    let page = own_objections(&site.store, &own, after, limit as u32).await?;
    Ok(Reply(Page { items: page.objections, next: page.next.map(|next| next.to_string()) }))
}

async fn raise(
    State(site): State<Site>,
    address: Address,
    name: Name,
    Body(asked): Body<NewObjection>,
) -> Result<Kept<Raised>, Problem> {
    let own = opened(&site, address, &asked.credentials).await?;
    let said = asked.objection;
    // not the papers: whoever was given another code meanwhile asks the same
    let asks = serde_json::to_string(&said).map_err(|error| Problem::failed(&error))?;
    let account = format!("person {}", own.person().0);
    let work = |store| async move {
        let Objection { employer, months, kind, text } = &said;
        let objecting = Objecting { employer: *employer, months, kind: *kind, text };
        Ok(object(&store, &own, &objecting).await?)
    };
    once_of(&site.store, &account, &name, &format!("object\n{asks}"), work).await
}

impl From<PersonError> for Problem {
    fn from(error: PersonError) -> Self {
        match error {
            PersonError::Denied(denied) => denied.into(),
            PersonError::Refused(refused) => refused.into(),
            PersonError::Objection(refused) => refused.into(),
            PersonError::Reason(fault) => fault.into(),
            PersonError::Store(error) => error.into(),
            error @ (PersonError::Crypto(_) | PersonError::Json(_)) => Self::failed(&error),
        }
    }
}

impl From<PersonRefused> for Problem {
    fn from(refused: PersonRefused) -> Self {
        let (code, detail, detail_zh) = (refused.code(), refused.to_string(), refused.chinese());
        match refused {
            PersonRefused::Mistyped(field) => {
                let fault = Fault {
                    field: Some(field.to_string()),
                    code: code.to_owned(),
                    detail: detail.clone(),
                    detail_zh: detail_zh.clone(),
                };
                Self::unprocessable(code, detail, detail_zh).listing([fault])
            }
            PersonRefused::NotFitting => Self::new(StatusCode::NOT_FOUND, code, detail, detail_zh),
            PersonRefused::TooManyMisses { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail, detail_zh),
            PersonRefused::NoCode => Self::refused(code, detail, detail_zh),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let (code, detail, detail_zh) = (refused.code(), refused.to_string(), refused.chinese());
        match refused {
            Refused::Unknown => Self::new(StatusCode::NOT_FOUND, code, detail, detail_zh),
            Refused::Answered | Refused::TooManyOpen => Self::refused(code, detail, detail_zh),
            _ => Self::unprocessable(code, detail, detail_zh),
        }
    }
}
