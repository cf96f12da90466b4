//! Messages to the tax department, and what operators do about them.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::describe::{Access, operation};
use super::whose::employer;
use super::why::{Why, Words};
use crate::declare::Done;
use crate::declare::discard::discard;
use crate::declare::operate::{self, Part, may_operate, retry_messages};
use crate::domain::access::{Action, Actor, Denied};
use crate::domain::ids::Uscc;
use crate::domain::message::Rejection;
use crate::domain::rejection::{Meaning, meaning};
use crate::store::Store;
use crate::store::outbox_lines::{OutboxFigure, OutboxFilter, OutboxLine};
use crate::store::push_holds::Hold;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, cursor, limit_of};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    const TAG: &str = "outbox";
    let access = Access::installation(Action::Operate);
    let told = |id, summary| operation(id, TAG, access, summary);
    ApiRouter::new()
        .api_route("/outbox", get_with(standing, told("read_outbox", "How the outbox stands: figures and holds")))
        .api_route("/outbox/messages", get_with(list, told("list_messages", "Messages, newest first")))
        .api_route(
            "/outbox/messages/{message_id}",
            get_with(read, told("read_message", "One message: its bytes, every attempt, its answer")),
        )
        .api_route(
            "/outbox/messages/{message_id}/retry",
            post_with(retry, told("retry_message", "Try again now, or ask again what became of it")),
        )
        .api_route(
            "/outbox/messages/{message_id}/discard",
            post_with(give_up, told("discard_message", "Give up a message that was never tried")),
        )
        .api_route(
            "/outbox/holds",
            post_with(hold, told("hold_outbox", "Let nothing leave: of one employer's year, or at all")),
        )
        .api_route("/outbox/releases", post_with(release, told("release_outbox", "End a hold")))
}

/// How the outbox stands.
#[derive(Serialize, JsonSchema)]
struct Standing {
    figures: Vec<OutboxFigure>,
    holds: Vec<Hold>,
}

/// Which messages.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Messages {
    /// Only of this employer.
    employer: Option<Uscc>,
    /// Only of this business year.
    year: Option<i16>,
    /// Only in this state.
    state: Option<State_>,
    /// `next` of the page before.
    #[schemars(length(max = 200))]
    after: Option<String>,
    /// Rows of the page at most; 100 where nothing is said.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u16>,
}

/// As the outbox tells it.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "MessageState")]
enum State_ {
    Waiting,
    Sent,
    Accepted,
    Rejected,
    Unknown,
    Withdrawn,
}

impl State_ {
    fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Withdrawn => "withdrawn",
        }
    }
}

#[derive(Deserialize, JsonSchema)]
struct OfMessage {
    message_id: Uuid,
}

/// One message with everything that is known of it.
#[derive(Serialize, JsonSchema)]
struct Message {
    #[serde(flatten)]
    line: OutboxLine,
    idempotency_key: String,
    /// Byte for byte what leaves.
    body: String,
    /// SHA-256 of the body, in hexadecimal.
    digest: String,
    explained: Option<Explained>,
    log: Vec<Attempt>,
}

/// What a rejection means, who acts and where.
#[derive(Serialize, JsonSchema)]
struct Explained {
    #[serde(flatten)]
    rejection: Rejection,
    meaning: Meaning,
}

/// One attempt with the answer as it came.
#[derive(Serialize, JsonSchema)]
struct Attempt {
    number: i32,
    opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    status: Option<i32>,
    error: Option<String>,
    answer: Option<String>,
}

/// What is held or released: an employer's year, or everything.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WhatIsHeld {
    /// An employer, with `year`; without both: everything.
    employer: Option<Uscc>,
    year: Option<i16>,
    why: Words,
}

impl WhatIsHeld {
    async fn part(&self, store: &Store, actor: &Actor) -> Result<Part, Problem> {
        match (self.employer, self.year) {
            (Some(uscc), Some(year)) => {
                let employer = employer(store, actor, Action::Operate, &uscc).await?;
                Ok(Part::Year { employer, uscc, year })
            }
            (None, None) => Ok(Part::Everything),
            _ => {
                let detail = "`employer` and `year` go together; without both it is everything";
                Err(Problem::unprocessable("employer_and_year", detail, "单位与年度须同时填写。"))
            }
        }
    }
}

async fn standing(State(site): State<Site>, Holder(actor): Holder) -> Result<Reply<Standing>, Problem> {
    may_operate(&actor)?;
    let (figures, holds) = tokio::try_join!(site.store.outbox_figures(), site.store.list_holds())?;
    Ok(Reply(Standing { figures, holds }))
}

async fn list(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(asked): Query<Messages>,
) -> Result<Reply<Page<OutboxLine>>, Problem> {
    may_operate(&actor)?;
    let of = match &asked.employer {
        Some(code) => Some(employer(&site.store, &actor, Action::Operate, code).await?),
        None => None,
    };
    let state = asked.state.map(|state| state.as_str().to_owned());
    let filter = OutboxFilter { employer: of, year: asked.year, state, message_id: None };
    let limit = limit_of(asked.limit)?;
    let lines = site.store.list_outbox_of(&filter, cursor(asked.after.as_deref())?, limit as i64 + 1).await?;
    Ok(Reply(Page::of(lines, limit, |line| line.message_id.to_string())))
}

async fn read(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfMessage>,
) -> Result<Reply<Message>, Problem> {
    may_operate(&actor)?;
    let (line, body) = site.store.find_outbox_message(of.message_id).await?.ok_or(Denied::NotFound)?;
    let attempts = site.store.list_attempts(of.message_id).await?;
    let rejection: Option<Rejection> =
        line.rejection.clone().and_then(|rejection| serde_json::from_value(rejection).ok());
    let explained = rejection.map(|rejection| Explained { meaning: meaning(&rejection.code), rejection });
    let log = attempts.into_iter().map(|attempt| Attempt {
        number: attempt.number,
        opened_at: attempt.opened_at,
        closed_at: attempt.closed_at,
        status: attempt.status,
        error: attempt.error,
        answer: attempt.answer.map(|answer| String::from_utf8_lossy(&answer).into_owned()),
    });
    Ok(Reply(Message {
        idempotency_key: body.idempotency_key,
        body: String::from_utf8_lossy(&body.body).into_owned(),
        digest: hex::encode(&body.digest),
        explained,
        log: log.collect(),
        line,
    }))
}

async fn retry(
    Writer { actor, store }: Writer,
    Path(of): Path<OfMessage>,
    Body(Why { why }): Body<Why>,
) -> Result<Reply<Done>, Problem> {
    Ok(Reply(Done { changed: retry_messages(&store, &actor, Some(of.message_id), &why).await? > 0 }))
}

async fn give_up(
    Writer { actor, store }: Writer,
    Path(of): Path<OfMessage>,
    Body(Why { why }): Body<Why>,
) -> Result<Reply<Done>, Problem> {
    Ok(Reply(discard(&store, &actor, of.message_id, &why).await?))
}

async fn hold(Writer { actor, store }: Writer, Body(what): Body<WhatIsHeld>) -> Result<Reply<Done>, Problem> {
    may_operate(&actor)?;
    let part = what.part(&store, &actor).await?;
    Ok(Reply(operate::hold(&store, &actor, part, &what.why).await?))
}

async fn release(Writer { actor, store }: Writer, Body(what): Body<WhatIsHeld>) -> Result<Reply<Done>, Problem> {
    may_operate(&actor)?;
    let part = what.part(&store, &actor).await?;
    Ok(Reply(operate::release(&store, &actor, part, &what.why).await?))
}
