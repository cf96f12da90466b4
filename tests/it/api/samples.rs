//! For every operation something that may be said to it, on which roles and reach are tried: an operation without a row fails.

use serde_json::{Value, json};

use super::Says;

/// A unit that is no affiliate of anybody yet.
const E2: &str = "91369900MA1000A29E";

/// What a row may name.
#[derive(Clone, Debug)]
pub struct Named {
    pub uscc: String,
    pub person_id: String,
}

/// A sample of what may be said; the path's `uscc`, `year`, `person_id` and `month` are filled in.
#[expect(clippy::match_same_arms, reason = "rows are grouped by what they are about")]
pub fn sample(id: &str, named: &Named) -> Option<Says> {
    let path = [("uscc", named.uscc.as_str()), ("year", "2025"), ("person_id", &named.person_id), ("month", "2025-03")];
    let entries = [
        ("kind", "labour"),
        ("starts_on", "2025-01-01"),
        ("unit_uscc", E2),
        ("notice_id", "4711"),
        ("evidence_id", "4711"),
    ];
    let at = Says::at(&path).and_at(&entries);
    let with = |body: Value| Some(at.clone().body(body));
    match id {
        // session and results
        "read_session" | "list_results" | "explain" => Some(at),
        "tick" => with(json!({ "months": ["2025-03"], "ticked": false })),
        // what an employer enters
        "list_placements" | "read_placement" | "list_contracts" | "read_contract" => Some(at),
        "enter_placement" => {
            let person = json!({ "named": { "id_number": "360001198005050117", "name": "某人" } });
            with(json!({ "person": person, "placing": {} }))
        }
        "change_placement" => with(json!({})),
        "delete_placement" | "delete_contract" | "delete_affiliate" => with(json!({ "why": "entered by mistake" })),
        "carry_over" | "confirm_employer" | "read_notice" => Some(at),
        "save_contract" => with(json!({ "ends_on": "2026-12-31", "post": "packer", "monthly_pay": "2500.00" })),
        "terminate_contract" => with(json!({ "terminated_on": "2025-06-30" })),
        "list_affiliates" | "read_affiliate" | "read_employer" | "read_contact" | "read_jurisdictions" => Some(at),
        "save_affiliate" => with(json!({ "unit_name": "例二食品", "relation": "affiliate", "phone": "0791-1234567" })),
        "save_contact" => with(json!({ "handler": "某人", "phone": "13900000000", "address": "南昌市" })),
        "change_jurisdictions" => {
            with(json!({ "division": "360102", "federation_division": "360102", "tax_division": "360102" }))
        }
        "look_up" => {
            with(json!({ "name": "某人", "id_number": "360001198005050117", "certificate_number": "nothing" }))
        }
        "list_notices" => Some(at),
        // evidence
        "list_evidence" | "read_evidence" | "open_evidence" | "list_needs" => Some(at),
        "attach_evidence" => {
            let proves = json!([{ "subject": "original", "year": 2025, "person": 4711 }]);
            Some(at.query("proves", &proves.to_string()).upload("application/pdf", b"%PDF-1.7"))
        }
        "import" => {
            let text = "employer_uscc,year,unit_uscc,unit_name,relation\n";
            Some(at.and_at(&[("kind", "affiliates")]).upload("text/csv", text.as_bytes()))
        }
        "withdraw_evidence" => with(json!({ "uses": [4711], "why": "another is better" })),
        _ => None,
    }
}
