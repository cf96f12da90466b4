//! For every operation something that may be said to it, on which roles and reach are tried: an operation without a row fails.

use serde_json::{Value, json};

use super::Says;

/// What a row may name.
#[derive(Clone, Debug)]
pub struct Named {
    pub uscc: String,
    pub person_id: String,
}

/// A sample of what may be said; the path's `uscc`, `year`, `person_id` and `month` are filled in.
pub fn sample(id: &str, named: &Named) -> Option<Says> {
    let path = [("uscc", named.uscc.as_str()), ("year", "2025"), ("person_id", &named.person_id), ("month", "2025-03")];
    let at = Says::at(&path);
    let with = |body: Value| Some(at.clone().body(body));
    match id {
        // session and results
        "read_session" | "list_results" | "explain" => Some(at),
        "tick" => with(json!({ "months": ["2025-03"], "ticked": false })),
        _ => None,
    }
}
