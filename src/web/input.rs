//! What a request says: in its path, its query and its body, each refused with a problem document that names the place.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::once::CONTENT_DIGEST;
use super::problem::Problem;
use super::upload::{digest_of, other_digest};

/// The variables of the path.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<axum::extract::Path<T>, PathRejection> =
            axum::extract::Path::from_request_parts(parts, state).await;
        let words = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Problem::not_found())?;
        if words.iter().any(|(_, word)| has_control_sign(word)) {
            return Err(Problem::not_found());
        }
        // what is not of the form of a name names nothing
        read.map(|axum::extract::Path(read)| Self(read)).map_err(|_| Problem::not_found())
    }
}

impl<T: JsonSchema> OperationInput for Path<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        axum::extract::Path::<T>::operation_input(ctx, operation);
    }
}

/// The query.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<axum::extract::Query<T>, QueryRejection> =
            axum::extract::Query::from_request_parts(parts, state).await;
        let mut words = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        if words.any(|(name, word)| has_control_sign(&name) || has_control_sign(&word)) {
            return Err(control_sign("the query"));
        }
        read.map(|axum::extract::Query(read)| Self(read)).map_err(|error| unreadable_query(&error))
    }
}

impl<T: JsonSchema> OperationInput for Query<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = ctx.schema.subschema_for::<T>();
        let parameters = parameters_from_schema(ctx, schema, ParamLocation::Query);
        add_parameters(ctx, operation, parameters);
    }
}

/// A body of JSON.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let detail = "the body is to be JSON, said by `Content-Type: application/json`";
            let detail_zh = "请求内容须为JSON（Content-Type: application/json）。";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail, detail_zh));
        }
        let names_digest = request.headers().contains_key(CONTENT_DIGEST);
        let digest = names_digest.then(|| digest_of(request.headers())).transpose()?;
        let body = Bytes::from_request(request, state).await.map_err(|error| broken_off(&error))?;
        // the request was named by it
        if digest.is_some_and(|digest| Sha256::digest(&body).as_slice() != digest) {
            return Err(other_digest());
        }
        let mut reader = serde_json::Deserializer::from_slice(&body);
        let read: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| unreadable(&error))?;
        reader.end().map_err(|_| {
            Problem::bad_request("bad_body", "something follows the JSON of the body", "JSON之后有多余内容。")
        })?;
        if json_has_control_sign(&body) {
            return Err(control_sign("a string of the body"));
        }
        Ok(Self(read))
    }
}

/// Whether a text holds a sign that controls a device and stands for nothing. The database keeps no NUL, and nobody means any of the others.
pub(super) fn has_control_sign(text: &str) -> bool {
    text.chars().any(is_control_sign)
}

fn is_control_sign(sign: char) -> bool {
    sign.is_control() && !matches!(sign, '\t' | '\n' | '\r')
}

/// Whether a string of what is JSON holds such a sign, escaped or as it is.
fn json_has_control_sign(mut json: &[u8]) -> bool {
    loop {
        json = match json {
            [] => return false,
            [b'\\', b'b' | b'f', ..] | [0x7f, ..] | [0xc2, 0x80..=0x9f, ..] => return true,
            [b'\\', b'u', a, b, c, d, rest @ ..] => {
                let code =
                    std::str::from_utf8(&[*a, *b, *c, *d]).ok().and_then(|code| u32::from_str_radix(code, 16).ok());
                if code.and_then(char::from_u32).is_some_and(is_control_sign) {
                    return true;
                }
                rest
            }
            [b'\\', _, rest @ ..] | [_, rest @ ..] => rest,
        }
    }
}

fn control_sign(place: &str) -> Problem {
    let detail = format!("{place} holds a control sign; of these only tab, line feed and carriage return are taken");
    Problem::bad_request("control_sign", detail, "内容含有不允许的控制字符。")
}

impl<T: JsonSchema> OperationInput for Body<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        axum::Json::<T>::operation_input(ctx, operation);
    }
}

/// The place, what kind of fault it is, and what would be taken; not what was found there, which may be somebody's number.
fn unreadable(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let (line, column) = (error.inner().line(), error.inner().column());
    let (mut place, mut place_zh) = (format!("line {line}, column {column}"), format!("第{line}行第{column}列"));
    let told = error.inner().to_string();
    let told = told.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or_default();
    if let Some(path) = plain_path(error.path(), told.starts_with("unknown field `")) {
        place = format!("`{path}` ({place})");
        place_zh = format!("{path}（{place_zh}）");
    }
    let fault = match error.inner().classify() {
        serde_json::error::Category::Data => {
            let unknown = || "unknown, missing or not of its kind".to_owned();
            format!("is not what /api/openapi.json describes: {}", wanted(told).unwrap_or_else(unknown))
        }
        serde_json::error::Category::Syntax => "is no JSON".to_owned(),
        serde_json::error::Category::Eof => "is where the JSON ends too early".to_owned(),
        serde_json::error::Category::Io => "could not be read".to_owned(),
    };
    Problem::bad_request("bad_body", format!("{place} {fault}"), format!("请求内容的{place_zh}不符合接口说明。"))
}

fn unreadable_query(rejection: &QueryRejection) -> Problem {
    let told = rejection.body_text();
    let told = told.strip_prefix("Failed to deserialize query string: ").unwrap_or_default();
    let (place, place_zh, told) = match told.split_once(": ").filter(|(name, _)| is_plain(name)) {
        // the name of what is unknown is whatever was sent
        Some((_, told)) if told.starts_with("unknown field `") => ("the query".to_owned(), "参数".to_owned(), told),
        Some((name, told)) => (format!("`{name}` of the query"), format!("参数{name}"), told),
        None => ("the query".to_owned(), "参数".to_owned(), told),
    };
    let fault = wanted(told).unwrap_or_else(|| "a word of it is not known, missing or not of its kind".to_owned());
    let detail = format!("{place} is not as described in /api/openapi.json: {fault}");
    Problem::bad_request("bad_query", detail, format!("查询{place_zh}不符合接口说明。"))
}

/// A name as the document has them, which is nobody's number.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|sign| sign.is_ascii_lowercase() || sign == b'_')
}

/// The way to a field, as the document names them, if it leads through nothing else; of a field that is unknown the way to where it stands,
/// since its name is whatever was sent.
fn plain_path(path: &serde_path_to_error::Path, is_unknown: bool) -> Option<String> {
    let mut told = String::new();
    let steps = path.iter().len() - usize::from(is_unknown && path.iter().len() > 0);
    for step in path.iter().take(steps) {
        match step {
            Segment::Seq { index } => told.extend(["[", &index.to_string(), "]"]),
            Segment::Map { key: name } | Segment::Enum { variant: name } if is_plain(name) => {
                if !told.is_empty() {
                    told.push('.');
                }
                told.push_str(name);
            }
            _ => return None,
        }
    }
    (!told.is_empty()).then_some(told)
}

/// What serde misses or accepts, which are words of ours, without what it found: that may look like any words of serde's, but not come
/// before the first of them nor after the last.
fn wanted(told: &str) -> Option<String> {
    if let Some(field) = told.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return is_plain(field).then(|| format!("`{field}` is missing"));
    }
    let kinds = ["unknown field `", "unknown variant `", "invalid type: ", "invalid value: ", "invalid length "];
    let begins = kinds.iter().any(|kind| told.starts_with(kind));
    let (_, accepted) = told.rsplit_once(", expected ").filter(|_| begins)?;
    let accepted = match accepted {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i16" | "i32" | "i64" => "a whole number",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    Some(format!("accepted is {accepted}"))
}

/// A body that did not come whole.
pub(super) fn broken_off(rejection: &BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
        _ => Problem::bad_request("broken_off", "the request broke off", "请求未完整到达。"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read is asked")]
    struct Said {
        kind: Kind,
        months: Vec<u8>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Labour,
        Establishment,
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_place_and_what_is_taken_and_never_by_what_it_was() {
        let told = |body: &str| {
            let mut reader = serde_json::Deserializer::from_str(body);
            let error = serde_path_to_error::deserialize::<_, Said>(&mut reader).expect_err(body);
            let problem = format!("{:?}", unreadable(&error));
            assert!(!problem.contains("360023") && !problem.contains("3600.23"), "{problem}");
            (problem.split('"').nth(3).unwrap_or_default().to_owned(), problem)
        };
        for (body, expected) in [
            (r#"{"kind":"labour"}"#, "line 1, column 17 is not what /api/openapi.json describes: `months` is missing"),
            (
                r#"{"kind":"360023199301012345, expected 360023199301012345","months":[]}"#,
                "`kind` (line 1, column 57) is not what /api/openapi.json describes: accepted is `labour` or `establishment`",
            ),
            (
                r#"{"kind":"labour","months":[1,"360023199301012345"]}"#,
                "`months[1]` (line 1, column 49) is not what /api/openapi.json describes: accepted is a whole number",
            ),
            (
                r#"{"month":1}"#,
                "line 1, column 8 is not what /api/openapi.json describes: accepted is `kind` or `months`",
            ),
            (
                r#"{"3600.2319.9301.0123.45":1}"#,
                "line 1, column 25 is not what /api/openapi.json describes: accepted is `kind` or `months`",
            ),
            (r#"{"kind""#, "line 1, column 7 is where the JSON ends too early"),
            // what is sent may look like words of serde
            (
                r#"{"kind":"labour","months":["missing field `360023199301012345`"]}"#,
                "`months[0]` (line 1, column 63) is not what /api/openapi.json describes: accepted is a whole number",
            ),
            (
                r#"{"360023199301012345":1}"#,
                "line 1, column 21 is not what /api/openapi.json describes: accepted is `kind` or `months`",
            ),
        ] {
            assert_eq!(told(body).0, expected, "{}", told(body).1);
        }
        assert_eq!(wanted("limit: invalid digit found in string"), None);
        assert_eq!(
            wanted("unknown field `page`, expected `after` or `limit`").as_deref(),
            Some("accepted is `after` or `limit`")
        );
        assert_eq!(wanted("missing field `year`").as_deref(), Some("`year` is missing"));
        for sent in ["missing field `360023199301012345`", "x: unknown field `a`, expected 360023199301012345"] {
            assert_eq!(wanted(sent), None, "{sent}");
        }
        let told = |name: &str| {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair(name, "1").finish();
            let uri: axum::http::Uri = format!("/?{query}").parse().expect("an address");
            let rejection = axum::extract::Query::<Said>::try_from_uri(&uri).expect_err("unknown");
            format!("{:?}", unreadable_query(&rejection))
        };
        let unknown = "\"the query is not as described in /api/openapi.json: accepted is `kind` or `months`\"";
        assert!(told("page").contains(unknown), "{}", told("page"));
        for name in [
            "360023199301012345",
            "missing field `360023199301012345`",
            "unknown field `a, expected 360023199301012345 at line 1",
        ] {
            assert!(!told(name).contains("360023"), "{}", told(name));
        }
    }

    #[test]
    fn control_signs_are_found_in_json_however_they_are_written() {
        let lines = "tab\t, line\n, line\r, 中文, é, \u{2028}, \\ and \"";
        for clean in [lines, "", "\\u0000", "b\\b", "Â"] {
            assert!(!has_control_sign(clean), "{clean:?}");
            let json = serde_json::json!({ "text": clean }).to_string();
            assert!(!json_has_control_sign(json.as_bytes()), "{json}");
        }
        for sign in ['\0', '\u{1}', '\u{8}', '\u{c}', '\u{1b}', '\u{7f}', '\u{85}', '\u{9f}'] {
            assert!(has_control_sign(&format!("a{sign}b")), "{sign:?}");
            for json in [
                serde_json::json!({ "text": format!("a\\{sign}") }).to_string(),
                serde_json::json!({ format!("{sign}"): [1] }).to_string(),
                format!(r#"["\\\u{:04X}"]"#, u32::from(sign)),
            ] {
                assert!(json_has_control_sign(json.as_bytes()), "{json}");
            }
        }
    }
}
