//! An answer as JSON, described as it is written.

use std::cell::RefCell;

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, OpenApi, Operation, Response as Documented, SchemaObject, StatusCode};
use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, Schema, SchemaGenerator};
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

thread_local! {
    /// Describes what is written, while a document is made.
    static WRITTEN: RefCell<Option<SchemaGenerator>> = const { RefCell::new(None) };
}

/// The schema of a value as it is written: what is left out where there is nothing to say need not be there.
pub(super) fn written<T: JsonSchema>(ctx: &mut GenContext) -> Schema {
    WRITTEN.with_borrow_mut(|writer| {
        let begin = || ctx.schema.settings().clone().for_serialize().into_generator();
        writer.get_or_insert_with(begin).subschema_for::<T>()
    })
}

/// Adds what was described as it is written to a document that holds what is read. A value that is both is the same both ways.
pub(super) fn add_written(document: &mut OpenApi) {
    let described = WRITTEN.take().map(|mut writer| writer.take_definitions(true)).unwrap_or_default();
    let components = document.components.get_or_insert_default();
    for (name, json_schema) in described {
        let Ok(json_schema) = Schema::try_from(json_schema) else { continue };
        let known = components.schemas.get(&name);
        debug_assert!(
            known.is_none_or(|known| known.json_schema == json_schema),
            "{name} is read and written in two ways: rename one of them"
        );
        components.schemas.insert(name, SchemaObject { json_schema, example: None, external_docs: None });
    }
}
