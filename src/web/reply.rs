//! An answer as JSON, described as it is written.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Response as Documented, SchemaObject, StatusCode};
use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, Schema};
use serde::Serialize;

/// The JSON of a value.
pub(super) struct Reply<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for Reply<T> {
    type Inner = T;

    fn operation_response(ctx: &mut GenContext, _operation: &mut Operation) -> Option<Documented> {
        let schema = SchemaObject { json_schema: written::<T>(ctx), example: None, external_docs: None };
        let media = MediaType { schema: Some(schema), ..MediaType::default() };
        Some(Documented {
            description: "What was asked for".to_owned(),
            content: [("application/json".to_owned(), media)].into_iter().collect(),
            ..Documented::default()
        })
    }

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<StatusCode>, Documented)> {
        let response = Self::operation_response(ctx, operation);
        response.map(|response| (Some(StatusCode::Code(200)), response)).into_iter().collect()
    }
}

/// An answer that takes its time: the value as it is now, done or with the place where to ask again.
pub(super) enum Awaited<T> {
    Done(T),
    Later { value: T, place: String },
}

impl<T: Serialize> IntoResponse for Awaited<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Done(value) => Json(value).into_response(),
            Self::Later { value, place } => {
                (axum::http::StatusCode::ACCEPTED, [(axum::http::header::LOCATION, place)], Json(value)).into_response()
            }
        }
    }
}

impl<T: JsonSchema> OperationOutput for Awaited<T> {
    type Inner = T;

    fn operation_response(ctx: &mut GenContext, operation: &mut Operation) -> Option<Documented> {
        Reply::<T>::operation_response(ctx, operation)
    }

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<StatusCode>, Documented)> {
        let Some(done) = Self::operation_response(ctx, operation) else { return Vec::new() };
        let description = "It goes on: `Location` says where to ask how far it is".to_owned();
        let later = Documented { description, ..done.clone() };
        vec![(Some(StatusCode::Code(200)), done), (Some(StatusCode::Code(202)), later)]
    }
}

/// The schema of a value as it is written: what is left out where there is nothing to say need not be there. A value that is read is
/// described the other way round, so that no type is both.
pub(super) fn written<T: JsonSchema>(ctx: &mut GenContext) -> Schema {
    let mut writer = ctx.schema.settings().clone().for_serialize().into_generator();
    let schema = writer.subschema_for::<T>();
    for (name, described) in writer.take_definitions(true) {
        let known = ctx.schema.definitions().get(&name);
        debug_assert!(known.is_none_or(|known| *known == described), "{name} is read and written in two ways");
        ctx.schema.definitions_mut().insert(name, described);
    }
    schema
}
