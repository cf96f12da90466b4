//! Writes are done once: a request that says its name in `Idempotency-Key` is answered the same however often it comes.

use std::marker::PhantomData;
use std::sync::Arc;

use aide::generate::GenContext;
use aide::openapi::{
    HeaderStyle, Operation, Parameter, ParameterData, ParameterSchemaOrContent, Response as Documented, SchemaObject,
    StatusCode as Code,
};
use aide::operation::add_parameters;
use aide::{OperationInput, OperationOutput};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use schemars::{JsonSchema, json_schema};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Site;
use super::asker::Holder;
use super::input::broken_off;
use super::problem::Problem;
use super::reply::Reply;
use crate::domain::access::{Actor, Scope};
use crate::store::Store;
use crate::store::request_answers::{Answered, Request as Named, Said};

/// By which a caller names a request.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is one that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// SHA-256 of a body (RFC 9530).
pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
/// The name of a file that is a body.
pub(super) const FILE_NAME: HeaderName = HeaderName::from_static("x-file-name");
/// What is asked besides method, address and body.
const ASKS_TOO: [HeaderName; 2] = [header::IF_MATCH, FILE_NAME];
const MOST_SIGNS: usize = 128;

/// An answer as JSON, at most. Lists are paged, so that none comes near.
const MOST_ANSWER_BYTES: usize = 8 << 20;

/// Of a body whose answer is known already.
const MOST_SWALLOWED_BYTES: usize = 16 << 20;

/// Who writes, and the store that keeps the answer with what is written.
pub(super) struct Writer {
    pub(super) actor: Actor,
    pub(super) store: Store,
}

impl FromRequestParts<Site> for Writer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Problem> {
        let Holder(actor) = Holder::from_request_parts(parts, site).await?;
        let named = parts.extensions.get::<Arc<Named>>().ok_or_else(missing)?;
        Ok(Self { actor, store: site.store.for_request(named.clone()) })
    }
}

impl OperationInput for Writer {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        described(ctx, operation);
    }
}

/// Says of an operation that its caller names the request.
fn described(ctx: &mut GenContext, operation: &mut Operation) {
    let description = "The caller's own name for this request. The same name with the same request gets the same answer, as long as the caller may do \
                       what they might then, and where it holds a secret for a day; with another request it is refused. What was refused changed \
                       nothing and is decided anew";
    let schema = json_schema!({ "type": "string", "pattern": "^[!-~]{1,128}$" });
    add_parameters(ctx, operation, [header_parameter("Idempotency-Key", description, schema)]);
}

fn missing() -> Problem {
    let detail = format!(
        "whoever writes names the request by an `Idempotency-Key` of 1 to {MOST_SIGNS} visible ASCII signs, such as a UUID, and repeats it \
         under the same name until it is answered"
    );
    Problem::bad_request("idempotency_key_missing", detail, "写入请求须附带 Idempotency-Key。")
}

/// The name of a request whose caller shows no token: who it is, is known only later.
pub(super) struct Name(String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if !parts.headers.contains_key(KEY) {
            return Err(missing());
        }
        key_of(&parts.headers).map(Self)
    }
}

impl OperationInput for Name {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        described(ctx, operation);
    }
}

/// What an actor may do: an answer is told again only while this is the same.
fn access_of(actor: &Actor) -> String {
    let reach = match &actor.scope {
        Scope::Everything => "everything".to_owned(),
        Scope::Division(division) => format!("division {division}"),
        Scope::Units(units) => {
            let mut units: Vec<i32> = units.iter().map(|unit| unit.0).collect();
            units.sort_unstable();
            units.dedup();
            format!("units {units:?}")
        }
    };
    format!("{} of {reach}", actor.role)
}

/// A person reaches what is theirs, and shows each time who they are.
const OWN: &str = "person of their own";

/// An answer that is kept under the name of its request, given now or before.
pub(super) struct Kept<T>(Response, PhantomData<fn() -> T>);

impl<T> Kept<T> {
    fn of(response: Response) -> Self {
        Self(response, PhantomData)
    }
}

impl<T> IntoResponse for Kept<T> {
    fn into_response(self) -> Response {
        self.0
    }
}

impl<T: JsonSchema> OperationOutput for Kept<T> {
    type Inner = T;

    fn operation_response(ctx: &mut GenContext, operation: &mut Operation) -> Option<Documented> {
        Reply::<T>::operation_response(ctx, operation)
    }

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<Code>, Documented)> {
        Reply::<T>::inferred_responses(ctx, operation)
    }
}

/// For a caller without a token, once it is known who it is (`account`): does the work, or gives the answer that was given before to the
/// same request (`asks`). The work says its answer with its change, see [`crate::store::change::Change::answer`].
pub(super) async fn once_of<T, F>(
    store: &Store,
    account: &str,
    Name(key): &Name,
    asks: &str,
    work: impl FnOnce(Store) -> F,
) -> Result<Kept<T>, Problem>
where
    T: Serialize,
    F: Future<Output = Result<T, Problem>>,
{
    let said = Said { account, access: OWN, key, asks };
    let named = Arc::new(Named::new(store, &said, store.now().await?));
    if let Some(answer) = answered(store, &named).await? {
        return Ok(Kept::of(answer));
    }
    match work(store.for_request(named.clone())).await {
        Ok(done) => Ok(Kept::of(Reply(done).into_response())),
        // refused perhaps because the same request was done while this one waited
        Err(refused) => answered(store, &named).await?.map(Kept::of).ok_or(refused),
    }
}

/// A header that a request needs.
pub(super) fn header_parameter(name: &str, description: &str, json_schema: schemars::Schema) -> Parameter {
    Parameter::Header {
        parameter_data: ParameterData {
            name: name.to_owned(),
            description: Some(description.to_owned()),
            required: true,
            deprecated: None,
            format: ParameterSchemaOrContent::Schema(SchemaObject { json_schema, example: None, external_docs: None }),
            example: None,
            examples: [].into(),
            explode: None,
            extensions: [].into(),
        },
        style: HeaderStyle::Simple,
    }
}

/// Around everything that may write.
pub(super) async fn once(State(site): State<Site>, request: Request, next: Next) -> Result<Response, Problem> {
    if request.method() == Method::GET || request.method() == Method::HEAD || !request.headers().contains_key(KEY) {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    let key = key_of(&parts.headers)?;
    let Holder(actor) = Holder::from_request_parts(&mut parts, &site).await?;
    let (digest, body) = match parts.headers.get(CONTENT_DIGEST) {
        // whoever streams a body says its digest first, and is held to it where it is read
        Some(digest) => (digest.as_bytes().to_vec(), body),
        None => {
            let read = Bytes::from_request(Request::from_parts(parts.clone(), body), &site)
                .await
                .map_err(|error| broken_off(&error))?;
            (Sha256::digest(&read).to_vec(), Body::from(read))
        }
    };
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let mut asks = format!("{}\n{target}\n{}", parts.method, hex::encode(digest));
    for name in &ASKS_TOO {
        let values = parts.headers.get_all(name).iter().map(|value| hex::encode(value.as_bytes()));
        asks.extend(["\n", &values.collect::<Vec<_>>().join(",")].map(str::to_owned));
    }
    let said = Said { account: &actor.name, access: &access_of(&actor), key: &key, asks: &asks };
    let named = Arc::new(Named::new(&site.store, &said, site.store.now().await?));
    if let Some(answer) = answered(&site.store, &named).await? {
        swallow(body).await;
        return Ok(answer);
    }
    parts.extensions.insert(named.clone());
    let is_streamed = parts.headers.contains_key(CONTENT_DIGEST);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if response.status() != StatusCode::OK {
        if is_streamed {
            // refused perhaps before all of it was read, which is not waited for
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        // refused perhaps because the same request was done while this one waited
        return Ok(answered(&site.store, &named).await?.unwrap_or(response));
    }
    if named.is_answered() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let answer = to_bytes(body, MOST_ANSWER_BYTES).await.map_err(|error| Problem::failed(&error))?;
    if !site.store.keep_answer(&named, &answer).await?
        && let Some(answer) = answered(&site.store, &named).await?
    {
        return Ok(answer);
    }
    Ok(Response::from_parts(parts, Body::from(answer)))
}

/// Reads what is still coming: who is cut off while they send does not hear the answer.
async fn swallow(body: Body) {
    let mut coming = body.into_data_stream();
    let mut room = MOST_SWALLOWED_BYTES;
    while let Some(Ok(piece)) = coming.next().await {
        let Some(left) = room.checked_sub(piece.len()) else { return };
        room = left;
    }
}

fn key_of(headers: &HeaderMap) -> Result<String, Problem> {
    let mut values = headers.get_all(KEY).iter();
    match (values.next().and_then(|key| key.to_str().ok()), values.next()) {
        (Some(key), None)
            if (1..=MOST_SIGNS).contains(&key.len()) && key.bytes().all(|sign| sign.is_ascii_graphic()) =>
        {
            Ok(key.to_owned())
        }
        _ => {
            let detail = format!("an `Idempotency-Key` is given once and has 1 to {MOST_SIGNS} visible ASCII signs");
            Err(Problem::bad_request("bad_idempotency_key", detail, "Idempotency-Key 格式不正确。"))
        }
    }
}

/// The answer that was given before, or why it is not told again.
async fn answered(store: &Store, named: &Named) -> Result<Option<Response>, Problem> {
    match store.find_answer(named).await? {
        None => Ok(None),
        Some(Answered::Otherwise) => {
            let detail = "this `Idempotency-Key` named another request before; give each request its own";
            let detail_zh = "该幂等键已用于内容不同的请求，请更换。";
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", detail, detail_zh))
        }
        Some(Answered::OtherAccess) => {
            let detail = "this request was done, and answered to whom something else was granted than is to you now; look at what became of it";
            let detail_zh = "该请求已处理；您的授权此后已变更，不再重复提供当时的答复，请查询当前状态。";
            Err(Problem::refused("access_changed", detail, detail_zh))
        }
        Some(Answered::Forgotten) => {
            let detail = "this request was done, and its answer is told no more: one that holds a secret is told again for a day. Where a code, \
                          a token or a secret did not reach you, make another under another `Idempotency-Key`";
            let detail_zh =
                "该请求已处理，答复不再提供：含有密钥的答复仅在一天内可重复获取。如未收到，请更换幂等键重新办理。";
            Err(Problem::new(StatusCode::GONE, "answer_gone", detail, detail_zh))
        }
        Some(Answered::Before(answer)) => {
            let headers = [(header::CONTENT_TYPE, "application/json"), (REPLAYED, "true")]
                .map(|(name, value)| (name, HeaderValue::from_static(value)));
            Ok(Some((headers, answer).into_response()))
        }
    }
}
