//! A reason given.

use schemars::JsonSchema;
use serde::Deserialize;

/// Why: written to the audit log, without an ID number.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    #[schemars(length(min = 1, max = 1000))]
    pub(super) why: String,
}
