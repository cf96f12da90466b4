//! Problem documents (RFC 9457): what went wrong, for programs by a code, for people in English and Chinese.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

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
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A problem document as it is written.
#[derive(Serialize)]
struct Written<'a> {
    /// `urn:renzheng:problem:` and the code.
    r#type: String,
    /// The status in words.
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    detail_zh: &'a str,
}

impl Problem {
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<String>,
        detail_zh: impl Into<String>,
    ) -> Self {
        Self { status, code, detail: detail.into(), detail_zh: detail_zh.into(), headers: Vec::new() }
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
        let Self { status, code, detail, detail_zh, headers } = self;
        let written = Written {
            r#type: format!("urn:renzheng:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: &detail,
            detail_zh: &detail_zh,
        };
        let mut response = (status, Json(written)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response.headers_mut().extend(headers);
        response
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
        Self::failed(&error)
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
