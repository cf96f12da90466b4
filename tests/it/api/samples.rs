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

/// Papers of nobody here.
fn strange_papers() -> Value {
    json!({ "id_number": "360001196501010019", "certificate_number": "36000119650101001942", "code": "2222-2222-2222" })
}

/// A sample of what may be said; the path's `uscc`, `year`, `person_id` and `month` are filled in.
#[expect(clippy::match_same_arms, reason = "rows are grouped by resource")]
#[expect(clippy::too_many_lines, reason = "a row an operation")]
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
    let why = json!({ "why": "x" });
    let message = [("message_id", "019d8ec6-1a00-7000-8000-000000000001")];
    let person: i64 = named.person_id.parse().expect("a number");
    match id {
        // session and results
        "read_session" | "list_results" | "explain" => Some(at),
        "tick" => with(json!({ "months": ["2025-03"], "ticked": false })),
        // announcements
        "list_announcements" | "list_objections" | "list_reward_applications" | "list_subscriptions" => {
            Some(Says::default())
        }
        "publish_announcement" => {
            Some(Says::default().body(json!({ "division": "3601", "title": "通知", "text": "正文" })))
        }
        "read_announcement" => Some(Says::at(&[("announcement_id", "7000")])),
        "correct_announcement" => Some(
            Says::at(&[("announcement_id", "7000")])
                .body(json!({ "of_version": 1, "title": "通知", "text": "正文", "from_on": "2026-04-15" })),
        ),
        "withdraw_announcement" => Some(Says::at(&[("announcement_id", "7000")]).body(why)),
        // rewards
        "read_reward" | "apply_for_reward" | "withdraw_reward" => Some(at),
        "decide_reward" => with(json!({ "approve": "result_confirmed" })),
        // subscriptions
        "add_subscription" => {
            Some(Says::default().body(json!({ "url": "https://payroll.example/", "kinds": ["cell_changed"] })))
        }
        "remove_subscription" | "rotate_subscription" | "test_subscription" | "resume_subscription" => {
            Some(Says::at(&[("subscription_id", "7000")]))
        }
        // persons
        "read_own_counts" => with(json!({ "credentials": strange_papers() })),
        "list_own_looks" | "list_own_objections" => {
            Some(Says::default().body(json!({ "credentials": strange_papers() })))
        }
        "object" => {
            let months = ["2025-03"];
            let objection = json!({ "employer": named.uscc, "months": months, "kind": "never_worked_there" });
            Some(Says::default().body(json!({ "credentials": strange_papers(), "objection": objection })))
        }
        "read_objection" => Some(Says::at(&[("objection_id", "7000")])),
        "answer_objection" => {
            Some(Says::at(&[("objection_id", "7000")]).body(json!({ "finding": "upheld", "text": "已核实。" })))
        }
        "issue_person_code" | "revoke_person_code" => {
            let person_id: i64 = named.person_id.parse().ok()?;
            Some(Says::default().body(json!({ "person_id": person_id })))
        }
        // the tax department, and whoever holds a document
        "read_tax_feed" => Some(Says::default()),
        "answer_tax_feed" => Some(Says::default().body(json!([]))),
        "check_certification" => Some(Says::default().body(json!({ "number": "36-2025-00000001", "code": "2222" }))),
        // operations
        "list_jobs" | "list_runs" | "list_alerts" | "list_differences" | "list_refusals" | "list_audit" => {
            Some(Says::default())
        }
        "read_outbox" | "list_messages" | "list_users" | "list_tokens" => Some(Says::default()),
        "pause_job" => Some(Says::at(&[("job", "pull-wage")]).body(why)),
        "resume_job" => Some(Says::at(&[("job", "pull-wage")])),
        "read_task" => Some(Says::at(&[("task_id", "7")])),
        "retry_task" | "discard_task" => Some(Says::at(&[("task_id", "7")]).body(why)),
        "acknowledge_alert" => Some(Says::at(&[("alert_id", "7")]).body(why)),
        "discard_refusals" => Some(Says::default().body(json!({ "quarantine_ids": [7], "why": "x" }))),
        "read_message" => Some(Says::at(&message)),
        "retry_message" | "discard_message" => Some(Says::at(&message).body(why)),
        "hold_outbox" | "release_outbox" => Some(Says::default().body(why)),
        // users
        "add_user" => Some(Says::default().body(json!({ "account": "new.user", "name": "新", "role": "auditor" }))),
        "read_user" => Some(Says::at(&[("account", "new.user")])),
        "grant" => Some(Says::at(&[("account", "new.user")]).body(json!({ "division": "3601" }))),
        "revoke" => Some(Says::at(&[("account", "new.user")]).body(json!({ "grant_id": 7, "why": "x" }))),
        "add_token" => Some(Says::at(&[("account", "new.user")]).body(json!({ "days": 1 }))),
        "revoke_token" => Some(Says::at(&[("token_id", "0")]).body(why)),
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
        "issue_certification" => with(json!({})),
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
