//! A reason given.

use std::borrow::Cow;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::domain::free_text::{Reason, ReasonFault};
use crate::web::problem::Problem;

/// The words of a reason, as they were sent. What is done for it parses them ([`Reason`]).
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Words(String);

impl Deref for Words {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl JsonSchema for Words {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let description = "Kept for good, as one line without an ID number";
        json_schema!({ "type": "string", "description": description, "minLength": 1, "maxLength": Reason::MOST_SIGNS })
    }
}

/// Why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    pub(super) why: Words,
}

/// Why, of a step of a declaration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Because {
    pub(super) reason: Words,
}

impl From<ReasonFault> for Problem {
    fn from(fault: ReasonFault) -> Self {
        Self::unprocessable(fault.code(), fault.to_string(), fault.chinese())
    }
}
