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
#[expect(clippy::match_same_arms, reason = "rows are grouped by resource")]
pub fn sample(id: &str, named: &Named) -> Option<Says> {
    let path = [("uscc", named.uscc.as_str()), ("year", "2025"), ("person_id", &named.person_id), ("month", "2025-03")];
    let at = Says::at(&path);
    let with = |body: Value| Some(at.clone().body(body));
    let person: i64 = named.person_id.parse().expect("a number");
    match id {
        // session and results
        "read_session" | "list_results" | "explain" => Some(at),
        "tick" => with(json!({ "months": ["2025-03"], "ticked": false })),
        // an employer's year
        "read_declaration" | "list_standings" | "read_drift" | "revoke_consent" | "read_commitment" => Some(at),
        "give_consent" => with(json!({ "accepted_commitment": "1" })),
        "complete" | "hand_in" => with(json!({})),
        // corrections
        "ask_withdrawal" => with(json!({ "reason": "a contract ended earlier", "levy_paid": false })),
        "decide_withdrawal" | "decide_amendment" => with(json!({ "approve": true, "reason": "seen" })),
        "list_withdrawals" | "list_amendments" | "read_amendment" | "reopen" => Some(at),
        "ask_amendment" => with(
            json!({ "changes": [{ "person_id": person, "month": "2025-03", "add": false, "reason": "not worked" }] }),
        ),
        "deregister" => with(json!({ "on": "2026-04-10" })),
        "reissue" => with(json!({ "kind": "certified" })),
        "close" | "settle" => with(json!({ "reason": "given up" })),
        "verify" => with(json!({ "employer_uscc": named.uscc, "person_id": person, "year": 2025 })),
        "read_verification" => Some(at.and_at(&[("verification_id", "1")])),
        // what was declared, and the levy
        "list_versions"
        | "list_frozen_persons"
        | "read_certification"
        | "read_levy"
        | "read_worth"
        | "read_foresight" => Some(at.and_at(&[("version", "1")])),
        "calculate_levy" => {
            with(json!({ "headcount": "100", "monthly_wage": "6000", "weighted_person_months": 12, "year": 2025 }))
        }
        // review
        "list_cases" | "open_case" | "release_case" | "list_conflicts" => Some(at),
        "take_next_case" => with(json!({})),
        "decide_month" => with(json!({ "approve": ["other"], "note": "seen" })),
        "second_decision" => with(json!({ "agrees": true })),
        "undo_decision" => with(json!({ "why": "the wrong month" })),
        "record_shown" => with(json!({ "months": ["2025-03"], "grounds": ["wage"] })),
        "record_original" => with(json!({ "kind": "disabled_person", "level": 2, "valid_from": "2020-01-01" })),
        "decide_conflict" => with(json!({
            "person_id": person, "month": "2025-03", "employer_uscc": named.uscc, "reason": "labour_contract"
        })),
        "undo_conflict" => with(json!({ "person_id": person, "month": "2025-03" })),
        _ => None,
    }
}
