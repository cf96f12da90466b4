//! `GET /api/v1/tax-feed` and `POST /api/v1/tax-feed/answers`: a tax department fetches its messages and answers them.

use std::convert::Infallible;

use aide::OperationInput;
use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, RequestBody, SchemaObject};
use aide::operation::set_body;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::StatusCode;
use axum::routing::head;
use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Site;
use super::api::{Access, operation};
use super::asker::Holder;
use super::input::Query;
use super::problem::Problem;
use super::reply::Reply;
use crate::declare::news::apply_news;
use crate::domain::access::Action;
use crate::domain::feed::Cursor;
use crate::errors;
use crate::push::answers::{Delivered, Line, Outcome, Taken, take_answers};
use crate::push::feed::{FeedError, MOST_MESSAGES, read_page};
use crate::store::Store;
use crate::store::feed::Way;

/// Answers of one list at most.
const MOST_ANSWERS: usize = 1000;
/// A list of answers, in bytes.
const MOST_BYTES: usize = 4 << 20;
/// Messages of a page where nothing else is said.
const USUAL: u16 = 100;

pub(super) fn routes() -> ApiRouter<Site> {
    const TAG: &str = "tax feed";
    let reading = operation(
        "read_tax_feed",
        TAG,
        Access::nobody(Action::ReadTaxFeed),
        "Messages to the tax department in the order in which they were published",
    );
    let answering = operation(
        "answer_tax_feed",
        TAG,
        Access::nobody(Action::AnswerTaxFeed),
        "Answers of the tax department to its messages",
    );
    ApiRouter::new()
        .api_route(
            "/tax-feed",
            // what is asked for without its body would count as sent and never arrive
            get_with(read, reading).merge(head(|| async { Problem::method_not_allowed() })),
        )
        .api_route(
            "/tax-feed/answers",
            post_with(answer, move |described| {
                answering(described).description(
                    "It takes no `Idempotency-Key`: an answer belongs to its message, and the same answer again changes nothing and is told as \
                     `repeated`. One bad answer spoils no other: each has its own outcome, in the order in which they came.",
                )
            })
            .layer(DefaultBodyLimit::max(MOST_BYTES)),
        )
}

/// What may stand in the query.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// `next` of the page before; without it, or empty, from the beginning.
    after: Option<String>,
    /// Messages of the page at most; 100 where nothing is said.
    #[schemars(with = "Option<u16>", range(min = 1, max = 1000))]
    limit: Option<String>,
}

/// A list of answers as it came.
struct List(Result<Bytes, BytesRejection>);

impl<S: Send + Sync> FromRequest<S> for List {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        Ok(Self(Bytes::from_request(request, state).await))
    }
}

impl OperationInput for List {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let json_schema = json_schema!({ "type": "array", "maxItems": MOST_ANSWERS, "items": { "type": "object" } });
        let schema = SchemaObject { json_schema, example: None, external_docs: None };
        let media = MediaType { schema: Some(schema), ..MediaType::default() };
        let body = RequestBody {
            description: Some("Answers, each as it would answer the message when it is pushed".to_owned()),
            content: [("application/json".to_owned(), media)].into_iter().collect(),
            required: true,
            ..RequestBody::default()
        };
        set_body(ctx, operation, body);
    }
}

/// A page of messages.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TaxFeedPage")]
struct Page {
    messages: Vec<Handed>,
    /// From where to go on: always there, also where nothing follows yet.
    next: String,
    /// There is more to be had at once.
    more: bool,
    /// What follows is held back by staff.
    held: bool,
}

/// One message.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TaxFeedMessage")]
struct Handed {
    message_id: String,
    idempotency_key: String,
    /// SHA-256 of the body's UTF-8, in hexadecimal: what an acceptance repeats.
    digest: String,
    /// The message as JSON text, byte for byte as it is frozen.
    body: String,
}

/// What became of a list of answers.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TaxFeedAnswered")]
struct Answered {
    taken: usize,
    refused: usize,
    answers: Vec<Outcome>,
}

impl From<FeedError> for Problem {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Denied(denied) => denied.into(),
            FeedError::CursorAhead => {
                let detail = "`after` lies behind everything that was published: the database was restored from a backup since it was handed \
                              out. Begin again with an empty `after`; what you have already has the same `message_id`";
                let detail_zh =
                    "after 超出已发布的范围：系统曾由备份恢复。请以空的 after 从头读取，已有消息的 message_id 不变。";
                Self::new(StatusCode::CONFLICT, "cursor_ahead", detail, detail_zh)
            }
            FeedError::NotFed(mode) => {
                let detail = format!("messages are not handed on by the feed here: `tax.mode` is `{mode}`");
                let detail_zh = "本系统未采用由税务部门读取的方式传送认定结果。";
                Self::new(StatusCode::CONFLICT, "not_fed", detail, detail_zh)
            }
            FeedError::Store(error) => error.into(),
        }
    }
}

async fn read(
    State(site): State<Site>,
    Holder(actor): Holder,
    query: Result<Query<Asked>, Problem>,
) -> Result<Reply<Page>, Problem> {
    actor.may_at_all(Action::ReadTaxFeed)?;
    let Query(asked) = query.map_err(|_| {
        Problem::bad_request("bad_query", "accepted are `after` and `limit`, each once", "查询参数有误。")
    })?;
    let after = match asked.after.as_deref() {
        None | Some("") => Cursor::START,
        Some(text) => Cursor::decode(text).ok_or_else(|| {
            let detail =
                "`after` is no place of this feed: accepted is the `next` of a page, or nothing for the beginning";
            Problem::bad_request("bad_cursor", detail, "after 参数无效，应为上一页返回的 next。")
        })?,
    };
    let limit = match asked.limit.as_deref() {
        None => USUAL,
        Some(text) => text.parse().ok().filter(|limit| (1..=MOST_MESSAGES).contains(limit)).ok_or_else(|| {
            let detail = format!("`limit` is not 1 to {MOST_MESSAGES}");
            Problem::bad_request("bad_limit", detail, format!("limit 须为1至{MOST_MESSAGES}。"))
        })?,
    };
    let page = read_page(&site.store, site.tax_mode, &actor, &after, limit).await?;
    take_in_news(&site.store).await;
    let messages = page
        .messages
        .into_iter()
        .map(|message| {
            let digest = hex::encode(&message.digest);
            let body = String::from_utf8(message.body).map_err(|error| Problem::failed(&error))?;
            let message_id = message.message_id.to_string();
            Ok(Handed { message_id, idempotency_key: message.idempotency_key, digest, body })
        })
        .collect::<Result<Vec<Handed>, Problem>>()?;
    Ok(Reply(Page { messages, next: page.next.encode(), more: page.more, held: page.held }))
}

async fn answer(State(site): State<Site>, Holder(actor): Holder, List(body): List) -> Result<Reply<Answered>, Problem> {
    actor.may_at_all(Action::AnswerTaxFeed)?;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let detail = format!("a list of answers has at most {} MiB", MOST_BYTES >> 20);
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail, "请求内容过大，请分批提交。")
        }
        _ => Problem::bad_request("broken_off", "the request broke off", "请求未完整到达。"),
    })?;
    let list: Vec<&RawValue> = serde_json::from_slice(&body).map_err(|_| {
        let detail = "accepted is a JSON array of answers, in UTF-8";
        Problem::bad_request("not_a_list", detail, "请求内容须为回执的JSON数组。")
    })?;
    if list.len() > MOST_ANSWERS {
        let detail = format!("a list has at most {MOST_ANSWERS} answers, this one {}", list.len());
        return Err(Problem::bad_request("too_many", detail, format!("每次最多提交{MOST_ANSWERS}条回执。")));
    }
    let lines: Vec<Line> = (1..)
        .zip(&list)
        .map(|(number, answer)| Line { number, answer: Ok(answer.get().as_bytes().to_vec()) })
        .collect();
    let answers =
        take_answers(&site.store, &actor, &Delivered { way: Way::Feed, body: &body, lines, again: false }).await?;
    take_in_news(&site.store).await;
    let refused = answers.iter().filter(|outcome| outcome.result == Taken::Refused).count();
    Ok(Reply(Answered { taken: answers.len() - refused, refused, answers }))
}

/// Declarations hear of it now; what fails is done with the next news.
async fn take_in_news(store: &Store) {
    if let Err(error) = apply_news(store).await {
        tracing::error!(
            error = errors::chain(&error),
            "news of messages could not be taken in; it is tried again with the next"
        );
    }
}
