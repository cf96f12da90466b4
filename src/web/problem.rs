//! Problem documents (RFC 9457): what went wrong, for programs by a code, for people in English and Chinese.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Response as Documented, SchemaObject, StatusCode as Code};
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::reply::written;
use crate::declare::users::TokenError;
use crate::domain::access::Denied;
use crate::errors;
use crate::store::StoreError;

/// A problem document.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    /// What it is, for programs: these words stay what they are.
    code: &'static str,
    detail: String,
    detail_zh: String,
    faults: Vec<Fault>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One of several things that are wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fault {
    /// The field, where it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    pub code: String,
    pub detail: String,
    pub detail_zh: String,
}

/// What went wrong: a problem document (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
struct Written<'a> {
    /// `urn:renzheng:problem:` and the code.
    r#type: String,
    /// The status in words.
    title: &'a str,
    status: u16,
    /// What it is, for programs.
    code: &'a str,
    /// A sentence in English.
    detail: &'a str,
    /// A sentence in Chinese.
    detail_zh: &'a str,
    /// Each of several things that are wrong.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Fault],
}

impl Problem {
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<String>,
        detail_zh: impl Into<String>,
    ) -> Self {
        let (detail, detail_zh) = (detail.into(), detail_zh.into());
        Self { status, code, detail, detail_zh, faults: Vec::new(), headers: Vec::new() }
    }

    /// The state of things forbids it: somebody may have to do something first.
    pub fn refused(code: &'static str, detail: impl Into<String>, detail_zh: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail, detail_zh)
    }

    /// What was said cannot be taken as it is.
    pub fn unprocessable(code: &'static str, detail: impl Into<String>, detail_zh: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail, detail_zh)
    }

    /// The same with everything that is wrong, one by one.
    #[must_use]
    pub fn listing(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults.extend(faults);
        self
    }

    pub fn too_large() -> Self {
        let detail = "the body is larger than is taken here";
        // what is still coming is not read
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail, "请求内容过大。")
            .with(header::CONNECTION, HeaderValue::from_static("close"))
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Nobody showed who they are, or not so that it holds.
    pub fn unauthorized(why: &str) -> Self {
        let detail = format!("show a token that holds, as `Authorization: Bearer rz_…`: {why}");
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail, "请提供有效的访问令牌。")
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    pub fn bad_request(code: &'static str, detail: impl Into<String>, detail_zh: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail, detail_zh)
    }

    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such thing here", "未找到该内容。")
    }

    pub fn method_not_allowed() -> Self {
        let detail = "this address does not take that method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail, "该地址不支持此请求方法。")
    }

    /// Something of ours went wrong; what, is in the log and not told.
    pub fn failed(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = errors::chain(error), "a request could not be answered");
        let detail = "something went wrong here; try again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "failed", detail, "系统暂时无法处理，请稍后再试。")
            .with(header::RETRY_AFTER, HeaderValue::from_static("30"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, code, detail, detail_zh, faults, headers } = self;
        let written = Written {
            r#type: format!("urn:renzheng:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: &detail,
            detail_zh: &detail_zh,
            errors: &faults,
        };
        let mut response = (status, Json(written)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response.headers_mut().extend(headers);
        response
    }
}

/// Every operation may answer with one; its status says which kind.
impl OperationOutput for Problem {
    type Inner = Self;

    fn operation_response(ctx: &mut GenContext, _operation: &mut Operation) -> Option<Documented> {
        let json_schema = written::<Written<'_>>(ctx);
        let schema = SchemaObject { json_schema, example: None, external_docs: None };
        let media = MediaType { schema: Some(schema), ..MediaType::default() };
        Some(Documented {
            description: "What went wrong: a problem document (RFC 9457)".to_owned(),
            content: [("application/problem+json".to_owned(), media)].into_iter().collect(),
            ..Documented::default()
        })
    }

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<Code>, Documented)> {
        Self::operation_response(ctx, operation).map(|response| (None, response)).into_iter().collect()
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NotFound => Self::not_found(),
            Denied::Forbidden { .. } => {
                Self::new(StatusCode::FORBIDDEN, denied.code(), denied.to_string(), denied.chinese())
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::AnsweredBefore => {
                let detail = "the same request was answered meanwhile; repeat it under the same name to hear how";
                Self::refused("answered_meanwhile", detail, "相同请求已处理，请以相同的幂等键重试。")
            }
            StoreError::HoldsIdNumber => {
                Self::unprocessable("note_holds_id_number", error.to_string(), "说明中不得填写身份证号。")
            }
            error => Self::failed(&error),
        }
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Store(error) => error.into(),
            // what of it does not hold is nobody's who only guesses
            TokenError::Malformed | TokenError::Unknown => Self::unauthorized("it is not known here"),
            TokenError::Revoked(_)
            | TokenError::Expired(_)
            | TokenError::UserRevoked(_)
            | TokenError::NoGrant { .. } => Self::unauthorized("it holds no more"),
        }
    }
}
