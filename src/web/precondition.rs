//! Who changes something says what they change: reading it gives an `ETag`, the change takes it as `If-Match`.

use aide::generate::GenContext;
use aide::openapi::{
    Header, HeaderStyle, Operation, Parameter, ParameterSchemaOrContent, ReferenceOr, Response as Documented,
    SchemaObject, StatusCode,
};
use aide::operation::add_parameters;
use aide::{OperationInput, OperationOutput};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode as Status, header};
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, json_schema};
use serde::Serialize;

use super::once::header_parameter;
use super::problem::Problem;
use super::reply::Reply;
use crate::declare::expected::{Expected, Moved};

/// What a change says of what it changes.
pub(super) struct IfMatch(pub(super) Expected);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut said = parts.headers.get_all(header::IF_MATCH).iter();
        match (said.next(), said.next()) {
            (None, _) => Ok(Self(Expected::Nothing)),
            (Some(tag), None) => {
                let state = tag.to_str().ok().and_then(state_of).ok_or_else(bad_if_match)?;
                Ok(Self(Expected::State(state)))
            }
            _ => Err(bad_if_match()),
        }
    }
}

/// The fingerprint that one of our tags holds.
fn state_of(tag: &str) -> Option<[u8; 32]> {
    let digits = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
    let mut state = [0; 32];
    hex::decode_to_slice(digits, &mut state).ok().map(|()| state)
}

fn bad_if_match() -> Problem {
    let detail = "`If-Match` is one `ETag` as reading the thing gave it";
    Problem::bad_request("bad_if_match", detail, "If-Match 须为读取时得到的一个 ETag。")
}

impl OperationInput for IfMatch {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let description = "The `ETag` that reading the thing gave: refused with 412 where it was changed since. Left out, only what is not there yet is \
                           entered, and what is there is refused with 428";
        let schema = json_schema!({ "type": "string", "pattern": "^\"[0-9a-f]{64}\"$" });
        let mut parameter = header_parameter("If-Match", description, schema);
        if let Parameter::Header { parameter_data, .. } = &mut parameter {
            parameter_data.required = false;
        }
        add_parameters(ctx, operation, [parameter]);
    }
}

/// The JSON of a value, with the tag of the state that it shows.
pub(super) struct Tagged<T>(pub(super) [u8; 32], pub(super) T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let Self(state, value) = self;
        ([(header::ETAG, format!("\"{}\"", hex::encode(state)))], Reply(value)).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for Tagged<T> {
    type Inner = T;

    fn operation_response(ctx: &mut GenContext, operation: &mut Operation) -> Option<Documented> {
        let mut documented = Reply::<T>::operation_response(ctx, operation)?;
        let json_schema = json_schema!({ "type": "string" });
        let described = Header {
            description: Some("The state that is shown: say it as `If-Match` to change it".to_owned()),
            style: HeaderStyle::Simple,
            required: true,
            deprecated: None,
            format: ParameterSchemaOrContent::Schema(SchemaObject { json_schema, example: None, external_docs: None }),
            example: None,
            examples: [].into(),
            extensions: [].into(),
        };
        documented.headers.insert("ETag".to_owned(), ReferenceOr::Item(described));
        Some(documented)
    }

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<StatusCode>, Documented)> {
        let response = Self::operation_response(ctx, operation);
        response.map(|response| (Some(StatusCode::Code(200)), response)).into_iter().collect()
    }
}

impl From<Moved> for Problem {
    fn from(moved: Moved) -> Self {
        let status = match moved {
            Moved::NotSaid => Status::PRECONDITION_REQUIRED,
            Moved::Present => Status::CONFLICT,
            Moved::Changed => Status::PRECONDITION_FAILED,
        };
        Self::new(status, moved.code(), moved.to_string(), moved.chinese())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_tags_are_understood() {
        let tag = format!("\"{}\"", hex::encode([7; 32]));
        assert_eq!(state_of(&tag), Some([7; 32]));
        for wrong in ["*", "", "\"\"", "\"abc\"", tag.trim_matches('"'), &format!("W/{tag}"), &format!("{tag}, {tag}")]
        {
            assert_eq!(state_of(wrong), None, "{wrong}");
        }
    }
}
